/* Delivery: what the engine understood becomes a response.
 * Owns nothing; it is where events meet the request: head, body, end, failure.
 * Invariants: each event is handled once; after the end or a failure the request is complete and
 * the link idle or gone; callbacks of the user are called here and in call_done only.
 * Does not know: sockets. */
#include "internal.h"

/* ------------------------------------------------------------ head */
/* A 100 may have set the body free: it is sent in the next turn. */
static turbohttp_status tbh_deliver_interim(tbh_link *link) {
    if (link->h1.tx != TBH_TX_BODY) return TURBOHTTP_OK;
    tbh_request_set_phase(link->request, TURBOHTTP_PHASE_SEND);
    tbh_link_mark_dirty(link);
    return TURBOHTTP_OK;
}

/* Users get C strings: the byte behind a name is ':' and the one behind a value CR or blank. */
TBH_ALWAYS_INLINE void tbh_deliver_terminate(const turbohttp_header *header) {
    ((char *)(uintptr_t)header->name)[header->name_length] = 0;
    ((char *)(uintptr_t)header->value)[header->value_length] = 0;
}

/* "Keep-Alive: timeout=5": the server closes then, so we stop a second earlier. */
static void tbh_deliver_keep_alive(tbh_link *link, const turbohttp_header *header) {
    uint64_t seconds;
    size_t n = 0;
    if (header->value_length < 9 || !tbh_equal_nocase(header->value, "timeout=", 8)) return;
    while (8 + n < header->value_length && tbh_is_digit((uint8_t)header->value[8 + n])) n++;
    if (!tbh_parse_u64(header->value + 8, n, 86400, &seconds)) return;
    uint64_t limit_us = seconds ? (seconds - 1) * 1000000 : 0;
    if (limit_us < link->reuse_us) link->reuse_us = limit_us;
}

static void tbh_deliver_headers(tbh_link *link) {
    const turbohttp_header *header = link->h1.head.headers;
    const turbohttp_header *end = header + link->h1.head.header_count;
    link->reuse_us = (uint64_t)link->client->timeouts.reuse_ms * 1000;
    for (; header < end; header++) {
        tbh_deliver_terminate(header);
        if (header->id == TURBOHTTP_HEADER_KEEP_ALIVE) tbh_deliver_keep_alive(link, header);
    }
}

static void tbh_deliver_fill_response(tbh_link *link) {
    turbohttp_response *response = &link->request->response;
    const turbohttp_h1_head *head = &link->h1.head;
    response->status = head->status;
    response->minor_version = head->minor_version;
    response->reason = head->reason;
    response->headers = head->headers;
    response->header_count = head->header_count;
    response->head_bytes = head->head_length;
    tbh_deliver_headers(link);
}

static turbohttp_status tbh_deliver_to_file(void *user, const void *data, size_t n) {
    tbh_request *request = (tbh_request *)user;
    int32_t code = 0;
    turbohttp_status status = tbh_os_file_put(request->download, data, n, &code);
    if (status == TURBOHTTP_OK) return status;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_BODY);
    request->response.error.system_code = code;
    return status;
}

static turbohttp_status tbh_deliver_open_sink(tbh_request *request) {
    tbh_body *body = &request->body;
    uint64_t length;
    int32_t code = 0;
    body->write = request->on_body;
    body->user = request->user;
    if (!request->body_path) return TURBOHTTP_OK;
    body->write = tbh_deliver_to_file;
    body->user = request;
    turbohttp_status status =
        tbh_os_file_open(request->body_path, true, &request->download, &length, &code);
    if (status == TURBOHTTP_OK) return status;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_HEAD);
    request->response.error.system_code = code;
    return status;
}

static bool tbh_deliver_is_announced_too_large(const tbh_link *link) {
    const turbohttp_h1_head *head = &link->h1.head;
    return head->framing == TURBOHTTP_FRAMING_LENGTH && !link->request->body.inflater &&
           head->content_length > link->request->body.limits.decoded_bytes;
}

static turbohttp_status tbh_deliver_head(tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_client *client = link->client;
    bool has_body = link->h1.head.framing != TURBOHTTP_FRAMING_NONE;
    request->head_was_seen = true;
    tbh_deliver_fill_response(link);
    tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    request->body.blocks = &client->heap->blocks;
    request->body.inflaters = &client->inflaters;
    request->body.store = &request->store;
    request->body.block_bytes = client->limits.block_bytes;
    turbohttp_status status = tbh_deliver_open_sink(request);
    if (status == TURBOHTTP_OK && has_body && request->decode)
        status = tbh_body_begin(&request->body, link->h1.head.content_coding);
    if (status != TURBOHTTP_OK) return status;
    if (tbh_deliver_is_announced_too_large(link)) return TURBOHTTP_ERR_BODY_TOO_LARGE;
    if (!request->body.write && !request->body.inflater) tbh_conn_collect(&link->h1);
    if (request->on_head) request->on_head(request->user, &request->response);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ body */
static void tbh_deliver_progress(tbh_link *link) {
    tbh_request *request = link->request;
    const turbohttp_h1_head *head = &link->h1.head;
    request->response.wire_bytes = request->body.wire;
    request->response.body_bytes = request->body.decoded;
    if (!request->on_progress) return;
    uint64_t total = request->body.inflater ? 0 : head->content_length;
    request->on_progress(request->user, request->source.taken, request->source.length,
                         request->body.decoded, total);
}

/* Hands n wire bytes on; PENDING when the sink pauses or the budget of this poll is used up. */
static turbohttp_status tbh_deliver_put(tbh_link *link, turbohttp_span span) {
    tbh_request *request = link->request;
    turbohttp_client *client = link->client;
    size_t taken = 0;
    uint64_t before = request->body.decoded;
    request->body.quota = client->budget;
    request->body.is_refused = false;
    turbohttp_status status = tbh_body_put(&request->body, span, &taken);
    tbh_conn_body_consume(&link->h1, taken);
    uint64_t made = request->body.decoded - before;
    tbh_client_spend(client, made);
    if (status >= 0) tbh_deliver_progress(link);
    request->is_paused = status == TURBOHTTP_PENDING && request->body.is_refused;
    if (status == TURBOHTTP_PENDING && !request->is_paused) tbh_link_mark_dirty(link);
    if (request->is_paused) tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    return status;
}

static turbohttp_status tbh_deliver_stored(tbh_link *link, turbohttp_span span) {
    turbohttp_status status = tbh_body_stored(&link->request->body, span.length);
    tbh_deliver_progress(link);
    return status;
}

/* ------------------------------------------------------------ the end */
static void tbh_deliver_recycle_link(tbh_link *link, bool is_reusable) {
    turbohttp_client *client = link->client;
    link->request = NULL;
    link->served++;
    const tbh_tls_config *tls = link->origin->key.tls;
    if (tls && tls->options.INSECURE_skip_verification) is_reusable = false;
    if (!is_reusable || client->is_shut || client->disable_keep_alive || link->reuse_us == 0) {
        tbh_link_destroy(link);
        return;
    }
    tbh_conn_reset(&link->h1);
    link->state = TBH_LINK_IDLE;
    link->idle_since_us = client->io.now_us;
    link->idle_until_us = client->io.now_us + link->reuse_us;
    tbh_client_arm(client, link->idle_until_us);
    tbh_stream_wants(&link->stream, TBH_WANT_RECEIVE);
    tbh_origin_push_idle(link->origin, link);
}

/* Tables and trailers leave the engine with the response. */
static void tbh_deliver_detach(tbh_link *link) {
    turbohttp_response *response = &link->request->response;
    tbh_conn_h1 *h = &link->h1;
    response->owned.table = link->request->head_was_seen ? h->table : NULL;
    response->owned.table_bytes = h->table_bytes;
    if (response->owned.table) h->table = NULL;
    response->owned.trailer_block = h->trailer_table;
    response->owned.trailer_bytes = h->trailer_bytes;
    response->trailers = h->trailer_table;
    response->trailer_count = h->trailer_count;
    for (uint32_t i = 0; i < h->trailer_count; i++) tbh_deliver_terminate(&h->trailer_table[i]);
    h->trailer_table = NULL;
}

static turbohttp_status tbh_deliver_end(tbh_link *link) {
    tbh_request *request = link->request;
    request->body.quota = SIZE_MAX;
    turbohttp_status status = tbh_body_finish(&request->body);
    if (status != TURBOHTTP_OK) {
        request->is_paused = status == TURBOHTTP_PENDING;
        return status;
    }
    bool is_reusable = tbh_conn_is_reusable(&link->h1);
    tbh_deliver_progress(link);
    tbh_deliver_detach(link);
    request->link = NULL;
    tbh_deliver_recycle_link(link, is_reusable);
    tbh_request_complete(request, TURBOHTTP_OK);
    return TURBOHTTP_DONE;
}

/* ------------------------------------------------------------ failures */
/* RELIABILITY 3.3: only on a kept connection, before any byte of an answer, once, and only what
 * may be repeated. */
static bool tbh_deliver_may_replay(const tbh_link *link, turbohttp_status status) {
    const tbh_request *request = link->request;
    bool is_death = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE ||
                    status == TURBOHTTP_ERR_SEND;
    return is_death && link->served > 0 && !request->has_response_byte && request->is_replayable &&
           (request->is_idempotent || request->sent_bytes == 0);
}

static void tbh_deliver_replay(tbh_link *link) {
    tbh_request *request = link->request;
    tbh_origin *origin = link->origin;
    link->client->replays++;
    request->link = NULL;
    tbh_request_rewind(request);
    tbh_link_destroy(link); /* the request keeps the origin alive */
    tbh_origin_queue(origin, request, true);
}

static void tbh_deliver_record(tbh_link *link, turbohttp_status status, uint64_t offset) {
    turbohttp_error *error = &link->request->response.error;
    if (error->code == status) return; /* written where it was found */
    tbh_error_set(error, status, link->request->phase);
    error->offset = offset;
    bool is_system = status == TURBOHTTP_ERR_SEND || status == TURBOHTTP_ERR_RECEIVE;
    if (!is_system || !link->stream.system_code) return;
    char text[64];
    error->system_code = link->stream.system_code;
    tbh_os_describe(error->system_code, text, sizeof text);
    tbh_error_append(error, " (");
    tbh_error_append(error, text);
    tbh_error_append(error, ")");
}

TBH_FN void tbh_link_fail(tbh_link *link, turbohttp_status status, uint64_t offset) {
    tbh_request *request = link->request;
    bool is_silence = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE;
    if (is_silence && link->send_status != TURBOHTTP_OK) status = link->send_status;
    if (tbh_deliver_may_replay(link, status)) {
        tbh_deliver_replay(link);
        return;
    }
    tbh_deliver_record(link, status, offset);
    tbh_deliver_detach(link);
    request->link = NULL;
    link->request = NULL;
    tbh_link_destroy(link);
    tbh_request_complete_recorded(request);
}

/* ------------------------------------------------------------ driver */
/* One event. OK: go on; PENDING: nothing more for now; DONE: complete; or an error. */
static turbohttp_status tbh_deliver_event(tbh_link *link, tbh_conn_event event,
                                          turbohttp_span span) {
    switch (event) {
    case TBH_CONN_INTERIM: return tbh_deliver_interim(link);
    case TBH_CONN_HEAD: return tbh_deliver_head(link);
    case TBH_CONN_BODY: return tbh_deliver_put(link, span);
    case TBH_CONN_STORED: return tbh_deliver_stored(link, span);
    case TBH_CONN_END: return tbh_deliver_end(link);
    case TBH_CONN_FAILED: return link->h1.status;
    case TBH_CONN_NOTHING:
    case TBH_CONN_UPGRADED: break;
    }
    return TURBOHTTP_PENDING;
}

/* Decoded bytes that were held back by a pause or a budget go first. */
static turbohttp_status tbh_deliver_held(tbh_link *link) {
    if (!link->request->body.has_more) return TURBOHTTP_OK;
    return tbh_deliver_put(link, tbh_span(NULL, 0));
}

TBH_FN bool tbh_link_deliver(tbh_link *link) {
    turbohttp_status status = tbh_deliver_held(link);
    while (status == TURBOHTTP_OK) {
        turbohttp_span span = tbh_span(NULL, 0);
        tbh_conn_event event =
            link->h1.rx == TBH_RX_END ? TBH_CONN_END : tbh_conn_next(&link->h1, &span);
        status = tbh_deliver_event(link, event, span);
    }
    if (status == TURBOHTTP_DONE) return false;
    if (status == TURBOHTTP_PENDING) return true;
    tbh_link_fail(link, status, link->h1.offset);
    return false;
}
