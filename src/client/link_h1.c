/* Links that speak HTTP/1.1: the pump between one stream and one exchange: send, deliver, receive.
 * Owns the engine's state; borrows the request while it runs.
 * Invariants: BUSY means a request and an open stream, IDLE means neither bytes nor doubts (S-04);
 * nothing is received that the engine does not want (back-pressure); no call blocks unless
 * may_block says so; after the end or a failure the request is complete and the link idle or gone.
 * Does not know: what a body is for. */
#include "internal.h"

static bool tbh_link1_deliver(tbh_link *link);
static void tbh_link1_fail(tbh_link *link, turbohttp_status status, uint64_t offset);

static void tbh_link1_start(tbh_link *link, tbh_request *request) {
    link->request = request;
    link->is_send_blocked = link->may_receive = false;
    link->send_status = TURBOHTTP_OK;
    tbh_conn_start(&link->h1, &request->wire, &request->store);
}

/* ------------------------------------------------------------ sending */
/* Bytes of the body among those sent; in the chunked coding those that were wrapped for it. */
static uint64_t tbh_link1_uploaded(const tbh_request *request) {
    size_t head = request->wire.head.length - request->wire.small_bytes;
    if (request->source.is_unknown) return request->source.taken;
    return request->sent_bytes > head ? request->sent_bytes - head : 0;
}

/* All is sent when TLS, too, holds nothing back. */
static void tbh_link1_sent(tbh_link *link, bool has_moved) {
    tbh_request *request = link->request;
    bool is_all = link->h1.tx == TBH_TX_DONE && !link->is_send_blocked;
    if (has_moved && request->on_progress) tbh_deliver_upload(request, tbh_link1_uploaded(request));
    if (is_all && request->phase == TURBOHTTP_PHASE_SEND) {
        request->response.timing.sent_us = link->client->io.now_us - request->started_us;
        tbh_request_set_phase(request, TURBOHTTP_PHASE_HEAD);
    } else if (has_moved && !is_all) {
        tbh_request_set_phase(request, request->phase); /* the limit starts anew */
    }
}

/* The peer does not take any more. It may have answered why: that is read first. */
static void tbh_link1_send_failed(tbh_link *link, turbohttp_status status) {
    link->send_status = status;
    tbh_conn_out_abandon(&link->h1);
    link->may_receive = true;
}

static bool tbh_link1_source_failed(tbh_link *link, turbohttp_status status) {
    bool is_known = status == TURBOHTTP_ERR_FILE || status == TURBOHTTP_ERR_OUT_OF_MEMORY;
    tbh_link1_fail(link, is_known ? status : TURBOHTTP_ERR_BODY_SOURCE, 0);
    return false;
}

/* False: the link is gone. */
static bool tbh_link1_send_some(tbh_link *link) {
    turbohttp_span out;
    turbohttp_status status = TURBOHTTP_PENDING;
    bool has_sent = false;
    while (!link->is_send_blocked && link->client->budget > 0) {
        size_t sent = 0;
        status = tbh_conn_out_peek(&link->h1, &out);
        if (status < 0) return tbh_link1_source_failed(link, status);
        if (status != TURBOHTTP_OK) has_sent |= link->request->source.is_blocked;
        if (status != TURBOHTTP_OK) break;
        status = tbh_stream_send(&link->stream, out.data, out.length, &sent);
        if (status < 0) {
            tbh_link1_send_failed(link, status);
            break;
        }
        link->is_send_blocked = status != TURBOHTTP_OK;
        if (link->is_send_blocked) break;
        tbh_conn_out_consume(&link->h1, sent);
        link->request->sent_bytes += sent;
        tbh_client_spend(link->client, sent);
        has_sent = true;
    }
    if (status >= 0 && !link->is_send_blocked) {
        status = tbh_stream_flush(&link->stream);
        link->is_send_blocked = status == TURBOHTTP_PENDING;
        if (status < 0) tbh_link1_send_failed(link, status);
    }
    tbh_link1_sent(link, has_sent);
    return true;
}

/* ------------------------------------------------------------ receiving */
static void tbh_link1_received(tbh_link *link, size_t n) {
    tbh_conn_in_commit(&link->h1, n);
    tbh_client_spend(link->client, n);
    tbh_deliver_first_byte(link->request);
}

static turbohttp_status tbh_link1_receive_once(tbh_link *link, bool may_block) {
    size_t room, n = 0;
    uint8_t *place = tbh_conn_in_room(&link->h1, &room);
    if (!place) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    room = tbh_min_size(room, link->client->budget);
    bool waits = may_block && !link->may_receive;
    turbohttp_status status = waits ? tbh_stream_receive_wait(&link->stream, place, room, &n)
                                    : tbh_stream_receive(&link->stream, place, room, &n);
    if (waits) tbh_client_read_clock(link->client);
    link->may_receive = status == TURBOHTTP_OK && n == room;
    if (status == TURBOHTTP_OK) tbh_link1_received(link, n);
    if (status != TURBOHTTP_DONE) return status;
    /* A body without a length is whole only if the end was announced by the peer itself (S-36). */
    if (link->stream.tls.is_truncated && link->h1.rx == TBH_RX_UNTIL_CLOSE)
        return TURBOHTTP_ERR_TLS_TRUNCATED;
    tbh_conn_in_end(&link->h1);
    return status;
}

/* False: the link is gone, or has been given back. */
static bool tbh_link1_receive_some(tbh_link *link, bool may_block) {
    while (tbh_conn_in_wanted(&link->h1) && (link->may_receive || may_block) &&
           link->client->budget > 0 && !link->request->is_paused) {
        turbohttp_status status = tbh_link1_receive_once(link, may_block);
        if (status == TURBOHTTP_PENDING || status == TURBOHTTP_ERR_UNSUPPORTED) break;
        if (status < 0) {
            tbh_link1_fail(link, status, 0);
            return false;
        }
        if (!tbh_link1_deliver(link)) return false;
        turbohttp_phase phase = link->request->phase;
        if (status == TURBOHTTP_OK && phase > TURBOHTTP_PHASE_SEND)
            tbh_request_set_phase(link->request, phase); /* the limit starts anew */
        may_block = false;
    }
    return true;
}

/* ------------------------------------------------------------ the pump */
static void tbh_link1_update_wants(tbh_link *link) {
    bool wants_in = tbh_conn_in_wanted(&link->h1) && !link->request->is_paused;
    int wants = (wants_in ? TBH_WANT_RECEIVE : 0) | (link->is_send_blocked ? TBH_WANT_SEND : 0);
    tbh_stream_wants(&link->stream, (uint8_t)wants);
    bool is_cut_short = link->client->budget == 0;
    bool has_work = (wants_in && link->may_receive) || !link->is_send_blocked;
    if (is_cut_short && has_work) tbh_link_mark_dirty(link);
}

static void tbh_link1_pump(tbh_link *link, bool may_block) {
    if (!tbh_link1_send_some(link)) return;
    bool has_kept = !link->request->is_paused && link->h1.rx > TBH_RX_CHOOSE;
    if (has_kept && !tbh_link1_deliver(link)) return;
    if (!tbh_link1_receive_some(link, may_block && !link->is_send_blocked)) return;
    tbh_link1_update_wants(link);
}

/* ------------------------------------------------------------ what arrived */
/* A 100 may have set the body free: it is sent in the next turn. */
static turbohttp_status tbh_link1_interim(tbh_link *link) {
    if (link->h1.tx != TBH_TX_BODY) return TURBOHTTP_OK;
    tbh_request_set_phase(link->request, TURBOHTTP_PHASE_SEND);
    tbh_link_mark_dirty(link);
    return TURBOHTTP_OK;
}

/* Users get C strings: the byte behind a name is ':' and the one behind a value CR or blank. */
TBH_ALWAYS_INLINE void tbh_link1_terminate(const turbohttp_header *header) {
    ((char *)(uintptr_t)header->name)[header->name_length] = 0;
    ((char *)(uintptr_t)header->value)[header->value_length] = 0;
}

/* "Keep-Alive: max=9, timeout=5": the server closes then, so we stop a second earlier. */
static void tbh_link1_keep_alive(tbh_link *link, const turbohttp_header *header) {
    turbohttp_span rest = tbh_span(header->value, header->value_length), part;
    uint64_t seconds;
    while (tbh_list_next(&rest, &part)) {
        if (part.length < 9 || !tbh_equal_nocase(part.data, "timeout=", 8)) continue;
        if (!tbh_parse_u64(part.data + 8, part.length - 8, 86400, &seconds)) continue;
        uint64_t limit_us = seconds ? (seconds - 1) * 1000000 : 0;
        if (limit_us < link->reuse_us) link->reuse_us = limit_us;
    }
}

static void tbh_link1_headers(tbh_link *link) {
    const turbohttp_header *header = link->h1.head.headers;
    const turbohttp_header *end = header + link->h1.head.header_count;
    link->reuse_us = (uint64_t)link->client->timeouts.reuse_ms * 1000;
    for (; header < end; header++) {
        tbh_link1_terminate(header);
        if (header->id == TURBOHTTP_HEADER_KEEP_ALIVE) tbh_link1_keep_alive(link, header);
    }
}

/* The server may still take what comes next for the body that was announced: nobody uses this
 * connection again (S-04). */
static turbohttp_status tbh_link1_repeat(tbh_link *link) {
    tbh_request *request = link->request;
    request->link = NULL;
    link->request = NULL;
    tbh_link_destroy(link);
    turbohttp_segments_reset(&request->store); /* with the head */
    tbh_deliver_replay(request, true);
    return TURBOHTTP_DONE;
}

static turbohttp_status tbh_link1_head(tbh_link *link) {
    tbh_request *request = link->request;
    if (link->h1.was_waiting && tbh_request_drop_expectation(request, link->h1.head.status))
        return tbh_link1_repeat(link);
    tbh_link1_headers(link);
    turbohttp_status status =
        tbh_deliver_head(request, &link->h1.head, (uint8_t)(10 + link->h1.head.minor_version));
    bool is_stored = status == TURBOHTTP_OK && !request->body.write && !request->body.inflater;
    if (is_stored) tbh_conn_collect(&link->h1);
    return status;
}

/* PENDING when the sink pauses or the budget of this poll is used up. */
static turbohttp_status tbh_link1_put(tbh_link *link, turbohttp_span span) {
    size_t taken;
    turbohttp_status status = tbh_deliver_put(link->request, span, &taken);
    tbh_conn_body_consume(&link->h1, taken);
    if (status == TURBOHTTP_PENDING && !link->request->is_paused) tbh_link_mark_dirty(link);
    return status;
}

/* ------------------------------------------------------------ the end */
static void tbh_link1_recycle(tbh_link *link, bool is_reusable) {
    link->request = NULL;
    link->served++;
    if (!is_reusable || link->reuse_us == 0 || !tbh_link_may_rest(link)) {
        tbh_link_destroy(link);
        return;
    }
    tbh_conn_reset(&link->h1);
    tbh_link_rest(link, link->reuse_us);
}

/* Tables and trailers leave the engine with the response. */
static void tbh_link1_detach(tbh_link *link) {
    turbohttp_response *response = &link->request->response;
    tbh_conn_h1 *h = &link->h1;
    response->owned.table = link->request->head_was_seen ? h->table : NULL;
    response->owned.table_bytes = h->table_bytes;
    if (response->owned.table) h->table = NULL;
    response->owned.trailer_block = h->trailer_table;
    response->owned.trailer_bytes = h->trailer_bytes;
    response->trailers = h->trailer_table;
    response->trailer_count = h->trailer_count;
    for (uint32_t i = 0; i < h->trailer_count; i++) tbh_link1_terminate(&h->trailer_table[i]);
    h->trailer_table = NULL;
}

static turbohttp_status tbh_link1_end(tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_status status = tbh_deliver_finish(request);
    if (status != TURBOHTTP_OK) return status;
    bool is_reusable = tbh_conn_is_reusable(&link->h1);
    tbh_link1_detach(link);
    request->link = NULL;
    tbh_link1_recycle(link, is_reusable);
    tbh_request_complete(request, TURBOHTTP_OK);
    return TURBOHTTP_DONE;
}

/* ------------------------------------------------------------ failures */
/* RELIABILITY 3.3: only on a kept connection, before any byte of an answer, once, and only what
 * may be repeated; anything if not a byte of it has left: its source was not asked yet. */
static bool tbh_link1_may_replay(const tbh_link *link, turbohttp_status status) {
    const tbh_request *request = link->request;
    bool is_death = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE ||
                    status == TURBOHTTP_ERR_SEND;
    bool may_go_twice = request->is_replayable && request->is_idempotent;
    return is_death && link->served > 0 && !request->has_response_byte &&
           (may_go_twice || request->sent_bytes == 0);
}

static void tbh_link1_fail(tbh_link *link, turbohttp_status status, uint64_t offset) {
    tbh_request *request = link->request;
    bool is_silence = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE;
    if (is_silence && link->send_status != TURBOHTTP_OK) status = link->send_status;
    bool may_replay = tbh_link1_may_replay(link, status);
    if (!may_replay) {
        tbh_deliver_record(request, link, status, offset);
        if (link->h1.lenient_helps)
            tbh_error_append(&request->response.error, ", or set lenient to accept it");
        tbh_link1_detach(link);
    }
    request->link = NULL;
    link->request = NULL;
    tbh_link_destroy(link); /* the request keeps the origin alive */
    if (may_replay) tbh_deliver_replay(request, false);
    else tbh_request_complete_recorded(request);
}

/* ------------------------------------------------------------ driver */
/* One event. OK: go on; PENDING: nothing more for now; DONE: complete; or an error. */
static turbohttp_status tbh_link1_event(tbh_link *link, tbh_conn_event event, turbohttp_span span) {
    switch (event) {
    case TBH_CONN_INTERIM: return tbh_link1_interim(link);
    case TBH_CONN_HEAD: return tbh_link1_head(link);
    case TBH_CONN_BODY: return tbh_link1_put(link, span);
    case TBH_CONN_STORED: return tbh_deliver_stored(link->request, span.length);
    case TBH_CONN_END: return tbh_link1_end(link);
    case TBH_CONN_FAILED: return link->h1.status;
    case TBH_CONN_NOTHING:
    case TBH_CONN_UPGRADED: break;
    }
    return TURBOHTTP_PENDING;
}

/* Decoded bytes that were held back by a pause or a budget go first. */
static turbohttp_status tbh_link1_held(tbh_link *link) {
    if (!link->request->body.has_more) return TURBOHTTP_OK;
    return tbh_link1_put(link, tbh_span(NULL, 0));
}

static bool tbh_link1_deliver(tbh_link *link) {
    turbohttp_status status = tbh_link1_held(link);
    while (status == TURBOHTTP_OK) {
        turbohttp_span span = tbh_span(NULL, 0);
        tbh_conn_event event =
            link->h1.rx == TBH_RX_END ? TBH_CONN_END : tbh_conn_next(&link->h1, &span);
        status = tbh_link1_event(link, event, span);
    }
    if (status == TURBOHTTP_DONE) return false;
    if (status == TURBOHTTP_PENDING) return true;
    tbh_link1_fail(link, status, link->h1.offset);
    return false;
}

/* ------------------------------------------------------------ the seam */
/* The slices of the response live in the engine's table. */
static void tbh_link1_leave(tbh_link *link, tbh_request *request) {
    link->request = NULL;
    if (request->head_was_seen) {
        request->response.owned.table = link->h1.table;
        request->response.owned.table_bytes = link->h1.table_bytes;
        link->h1.table = NULL;
    }
    tbh_link_destroy(link);
}

static void tbh_link1_resume(tbh_link *link, tbh_request *request) {
    if (request->is_paused) link->may_receive = true;
}

static bool tbh_link1_awaits_continue(const tbh_request *request) {
    return request->link->h1.tx == TBH_TX_AWAIT;
}

static void tbh_link1_go_on(tbh_request *request) {
    tbh_conn_out_continue(&request->link->h1);
}

static bool tbh_link1_only_waits(const tbh_link *link) {
    return !link->is_send_blocked && link->h1.tx >= TBH_TX_DONE && !link->request->is_paused &&
           tbh_conn_in_wanted(&link->h1);
}

static bool tbh_link1_has_room(const tbh_link *link) {
    (void)link;
    return false;
}

static bool tbh_link1_is_doubtful(const tbh_link *link) {
    return link->client->io.now_us - link->idle_since_us >= TBH_IDLE_TRUST_US;
}

/* An idle connection became readable: closed, or something that nobody asked for (S-03). */
static void tbh_link1_on_idle_ready(tbh_link *link) {
    if (!tbh_stream_is_quiet(&link->stream)) tbh_link_destroy(link);
}

static void tbh_link1_shut(tbh_link *link) {
    tbh_conn_reset(&link->h1);
}

static void tbh_link1_tick(tbh_link *link) {
    (void)link; /* its requests have the deadlines */
}

static const tbh_protocol tbh_protocol_h1 = {
    tbh_link1_start,           tbh_link1_pump,          tbh_link1_leave,      tbh_link1_resume,
    tbh_link1_awaits_continue, tbh_link1_go_on,         tbh_link1_only_waits, tbh_link1_has_room,
    tbh_link1_is_doubtful,     tbh_link1_on_idle_ready, tbh_link1_tick,       tbh_link1_shut};

TBH_FN void tbh_link_speak_h1(tbh_link *link) {
    link->protocol = &tbh_protocol_h1;
    turbohttp_client *client = link->client;
    tbh_conn_init(&link->h1, &client->heap->blocks, &client->limits, client->desc.lenient);
}
