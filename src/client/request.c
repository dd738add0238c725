/* Requests: from submit to the completion that is taken.
 * Owns the request object, its text, its body's source and its response until somebody takes it.
 * Invariants: completed exactly once; `body.release` called exactly once in every end; nothing of
 * one request is left in the object when the next one gets it (S-06).
 * Does not know: connections, framing. */
#include "internal.h"

/* ------------------------------------------------------------ time limits */
static uint64_t tbh_request_limit_us(const tbh_request *request, uint32_t limit_ms) {
    if (limit_ms == TURBOHTTP_NO_TIMEOUT) return UINT64_MAX;
    return request->client->io.now_us + (uint64_t)limit_ms * 1000;
}

static void tbh_request_override_timeouts(turbohttp_timeouts *t, const turbohttp_timeouts *given) {
    if (given->resolve_ms) t->resolve_ms = given->resolve_ms;
    if (given->connect_ms) t->connect_ms = given->connect_ms;
    if (given->tls_ms) t->tls_ms = given->tls_ms;
    if (given->send_ms) t->send_ms = given->send_ms;
    if (given->first_byte_ms) t->first_byte_ms = given->first_byte_ms;
    if (given->idle_ms) t->idle_ms = given->idle_ms;
    if (given->continue_ms) t->continue_ms = given->continue_ms;
    if (given->total_ms) t->total_ms = given->total_ms;
}

/* What the request leaves at 0 is the client's; mostly that is everything. */
static void tbh_request_take_timeouts(tbh_request *request, const turbohttp_timeouts *given) {
    uint32_t any = given->resolve_ms | given->connect_ms | given->tls_ms | given->send_ms |
                   given->first_byte_ms | given->idle_ms | given->continue_ms | given->total_ms;
    turbohttp_timeouts *t = &request->timeouts;
    bool is_streaming = request->on_body || request->body_path;
    *t = request->client->timeouts;
    if (any) tbh_request_override_timeouts(t, given);
    if (!t->total_ms) t->total_ms = is_streaming ? TURBOHTTP_NO_TIMEOUT : 120000;
}

static bool tbh_request_awaits_continue(const tbh_request *request) {
    const tbh_link *link = request->link;
    return link && link->state == TBH_LINK_BUSY && link->protocol->awaits_continue(request);
}

static uint32_t tbh_request_phase_limit_ms(const tbh_request *request, turbohttp_phase phase) {
    const turbohttp_timeouts *t = &request->timeouts;
    bool is_own = request->client->io.transport != NULL; /* else the dialer watches both */
    switch (phase) {
    case TURBOHTTP_PHASE_TLS: return t->tls_ms;
    case TURBOHTTP_PHASE_CONNECT: return is_own ? t->connect_ms : TURBOHTTP_NO_TIMEOUT;
    case TURBOHTTP_PHASE_SEND: {
        if (request->source.is_blocked) return TURBOHTTP_NO_TIMEOUT; /* the user's own time */
        return tbh_request_awaits_continue(request) ? t->continue_ms : t->send_ms;
    }
    case TURBOHTTP_PHASE_HEAD: return request->has_response_byte ? t->idle_ms : t->first_byte_ms;
    case TURBOHTTP_PHASE_BODY: return request->is_paused ? TURBOHTTP_NO_TIMEOUT : t->idle_ms;
    default: return TURBOHTTP_NO_TIMEOUT;
    }
}

TBH_FN void tbh_request_set_phase(tbh_request *request, turbohttp_phase phase) {
    request->phase = phase;
    request->phase_deadline_us =
        tbh_request_limit_us(request, tbh_request_phase_limit_ms(request, phase));
    tbh_client_arm(request->client, request->phase_deadline_us);
}

TBH_FN uint64_t tbh_request_deadline(const tbh_request *request) {
    return request->phase_deadline_us < request->total_deadline_us ? request->phase_deadline_us
                                                                   : request->total_deadline_us;
}

static void tbh_request_record_timeout(tbh_request *request) {
    static const char *const settings[] = {"total_ms",      "total_ms", "resolve_ms",
                                           "connect_ms",    "tls_ms",   "send_ms",
                                           "first_byte_ms", "idle_ms",  "total_ms"};
    turbohttp_error *error = &request->response.error;
    uint64_t now = request->client->io.now_us;
    bool is_total = now >= request->total_deadline_us;
    bool is_idle = request->phase == TURBOHTTP_PHASE_HEAD && request->has_response_byte;
    tbh_error_set(error, TURBOHTTP_ERR_TIMEOUT, request->phase);
    tbh_error_text(error, "timed out after ");
    tbh_error_append_u64(error, (now - request->started_us) / 1000);
    tbh_error_append(error, " ms in phase ");
    tbh_error_append(error, turbohttp_phase_name(request->phase));
    tbh_error_append(error, ": raise timeouts.");
    tbh_error_append(error, is_total ? "total_ms" : is_idle ? "idle_ms" : settings[request->phase]);
}

TBH_FN void tbh_request_time_out(tbh_request *request) {
    bool is_total = request->client->io.now_us >= request->total_deadline_us;
    if (!is_total && tbh_request_awaits_continue(request)) {
        request->link->protocol->go_on(request);
        tbh_request_set_phase(request, TURBOHTTP_PHASE_SEND);
        tbh_link_mark_dirty(request->link);
        return;
    }
    tbh_request_record_timeout(request);
    tbh_request_complete_recorded(request);
}

/* ------------------------------------------------------------ completion */
static void tbh_request_release_inputs(tbh_request *request) {
    void (*release)(void *user) = request->body_desc.release;
    int32_t code;
    tbh_body_release(&request->body);
    tbh_os_file_shut(request->upload, &code);
    request->upload = TBH_NO_FILE;
    request->body_desc.release = NULL;
    if (release) release(request->body_desc.user);
    /* The head may hold credentials (RELIABILITY 3.6). */
    if (request->text.data) tbh_wipe(request->text.data, request->text.length);
    turbohttp_buffer_return(&request->text);
}

static void tbh_request_shut_download(tbh_request *request) {
    int32_t code = 0;
    turbohttp_status status = tbh_os_file_shut(request->download, &code);
    request->download = TBH_NO_FILE;
    if (status == TURBOHTTP_OK || request->response.error.code) return;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_BODY);
    request->response.error.system_code = code;
}

static void tbh_request_leave(tbh_request *request) {
    tbh_link *link = request->link;
    if (request->state == TBH_REQUEST_WAITING) tbh_origin_unqueue(request->origin, request);
    request->link = NULL;
    if (!link) return;
    if (link->protocol) {
        link->protocol->leave(link, request);
        return;
    }
    link->request = NULL;
    tbh_link_destroy(link);
}

static void tbh_request_fill_response(tbh_request *request) {
    turbohttp_response *response = &request->response;
    tbh_heap *heap = request->client->heap;
    response->error.request_sent = request->was_sent || request->sent_bytes > 0;
    response->sent_bytes = request->sent_bytes;
    response->body_bytes = request->body.decoded;
    response->wire_bytes = request->body.wire;
    response->timing.total_us = request->client->io.now_us - request->started_us;
    response->body = turbohttp_segments_sequence(&request->store);
    response->owned.first = request->store.first;
    response->owned.heap = heap;
    tbh_heap_hold(heap);
}

static void tbh_request_queue_call(tbh_request *request) {
    turbohttp_client *client = request->client;
    request->next = NULL;
    request->previous = client->done_last;
    if (client->done_last) client->done_last->next = request;
    else client->done_first = request;
    client->done_last = request;
    request->is_call_due = true;
}

static void tbh_request_unqueue_call(tbh_request *request) {
    turbohttp_client *client = request->client;
    if (!request->is_call_due) return;
    if (request->previous) request->previous->next = request->next;
    else client->done_first = request->next;
    if (request->next) request->next->previous = request->previous;
    else client->done_last = request->previous;
    request->is_call_due = false;
}

TBH_FN void tbh_request_complete_recorded(tbh_request *request) {
    turbohttp_client *client = request->client;
    tbh_origin *origin = request->origin;
    tbh_request_leave(request);
    tbh_request_shut_download(request);
    tbh_request_fill_response(request);
    tbh_request_release_inputs(request);
    request->state = TBH_REQUEST_DONE;
    request->origin = NULL;
    origin->requests--;
    tbh_origin_drop_if_unused(client, origin);
    tbh_completion_set(&client->completions, request->handle.id);
    if (request->on_done) tbh_request_queue_call(request);
}

TBH_FN void tbh_request_complete(tbh_request *request, turbohttp_status status) {
    if (status != TURBOHTTP_OK) tbh_error_set(&request->response.error, status, request->phase);
    tbh_request_complete_recorded(request);
}

TBH_FN void tbh_request_rewind(tbh_request *request) {
    request->was_sent = request->was_sent || request->sent_bytes > 0;
    request->source.taken = 0;
    request->source.is_blocked = false;
    request->sent_bytes = request->uploaded = 0;
    request->is_paused = request->has_response_byte = false;
    tbh_request_set_phase(request, TURBOHTTP_PHASE_QUEUE);
}

/* ------------------------------------------------------------ taking */
TURBOHTTP_API turbohttp_status turbohttp_take(turbohttp_client *client, turbohttp_request handle,
                                              turbohttp_response *response) {
    void *object;
    turbohttp_status status = tbh_completion_take(&client->completions, handle.id, &object);
    if (status != TURBOHTTP_OK) return status;
    tbh_request *request = (tbh_request *)object;
    tbh_request_unqueue_call(request);
    *response = request->response;
    turbohttp_object_pool_return(&client->request_pool, request);
    return TURBOHTTP_OK;
}

/* Each request leaves the list before its callback: whatever that one submits, cancels or takes,
 * the list is whole. */
TBH_FN void tbh_request_call_done(turbohttp_client *client) {
    while (client->done_first) {
        tbh_request *request = client->done_first;
        void *object;
        tbh_request_unqueue_call(request);
        tbh_completion_take(&client->completions, request->handle.id, &object);
        request->on_done(request->done_user, request->handle, &request->response);
        turbohttp_response_free(&request->response);
        turbohttp_object_pool_return(&client->request_pool, request);
    }
}

TURBOHTTP_API turbohttp_status turbohttp_next_done(turbohttp_client *client,
                                                   turbohttp_request *handle) {
    tbh_request *request = (tbh_request *)tbh_completion_first_done(&client->completions);
    handle->id = 0;
    if (!request) return TURBOHTTP_PENDING;
    *handle = request->handle;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_on_done(turbohttp_client *client, turbohttp_request handle,
                                                 void (*on_done)(void *user,
                                                                 turbohttp_request request,
                                                                 turbohttp_response *response),
                                                 void *user) {
    tbh_request *request = (tbh_request *)tbh_completion_find(&client->completions, handle.id);
    if (!request) return TURBOHTTP_ERR_STALE;
    request->on_done = on_done;
    request->done_user = user;
    tbh_request_unqueue_call(request);
    if (on_done && request->state == TBH_REQUEST_DONE) tbh_request_queue_call(request);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_cancel(turbohttp_client *client,
                                                turbohttp_request handle) {
    turbohttp_status status = tbh_completion_cancel(&client->completions, handle.id);
    if (status == TURBOHTTP_OK) turbohttp_wake(client);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_resume(turbohttp_client *client,
                                                turbohttp_request handle) {
    tbh_request *request = (tbh_request *)tbh_completion_find(&client->completions, handle.id);
    if (!request) return TURBOHTTP_ERR_STALE;
    request->source.is_blocked = false;
    if (!request->link || request->link->state != TBH_LINK_BUSY) return TURBOHTTP_OK;
    request->link->protocol->resume(request->link, request);
    request->is_paused = false;
    tbh_client_read_clock(client); /* the pause may have been long: its time is not counted */
    tbh_request_set_phase(request, request->phase);
    tbh_link_mark_dirty(request->link);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ submit */
static turbohttp_status tbh_submit_refuse(turbohttp_error *error, turbohttp_status status,
                                          const char *detail) {
    tbh_error_set(error, status, TURBOHTTP_PHASE_NONE);
    if (!detail) return status;
    tbh_error_append(error, ": ");
    tbh_error_append(error, detail);
    return status;
}

static turbohttp_status tbh_submit_parse_url(const turbohttp_client *client, const char *text,
                                             turbohttp_url *url, turbohttp_error *error) {
    size_t offset = 0;
    if (!text) return tbh_submit_refuse(error, TURBOHTTP_ERR_URL, "url is NULL");
    turbohttp_status status =
        turbohttp_url_parse(url, text, strlen(text), client->limits.url_bytes, &offset);
    if (status != TURBOHTTP_OK) {
        tbh_submit_refuse(error, status, NULL);
        if (error) error->offset = offset;
        return status;
    }
    if (url->is_websocket) return tbh_submit_refuse(error, TURBOHTTP_ERR_URL_SCHEME, NULL);
    return TURBOHTTP_OK;
}

/* An equal origin means equal TLS options, so they are looked up first. */
static turbohttp_status tbh_submit_find_origin(tbh_request *request, const turbohttp_url *url,
                                               const turbohttp_request_desc *desc,
                                               turbohttp_error *error) {
    turbohttp_client *client = request->client;
    tbh_tls_config *tls = NULL;
    turbohttp_status status =
        url->is_tls ? tbh_secure_get(client, desc->tls, &tls, error) : TURBOHTTP_OK;
    if (status != TURBOHTTP_OK) return status;
    request->origin = tbh_origin_get(client, url, desc, tls);
    if (request->origin) return TURBOHTTP_OK;
    return tbh_submit_refuse(error, TURBOHTTP_ERR_OUT_OF_MEMORY, NULL);
}

static void tbh_submit_take_desc(tbh_request *request, const turbohttp_request_desc *desc) {
    request->body_desc = desc->body;
    request->on_body = desc->on_body;
    request->on_head = desc->on_head;
    request->on_progress = desc->on_progress;
    request->on_done = desc->on_done;
    request->user = request->done_user = desc->user;
    request->body_path = desc->body_path;
    request->disable_reuse = desc->disable_reuse || request->client->disable_keep_alive;
    request->upload = request->download = TBH_NO_FILE;
    request->started_us = request->client->io.now_us;
    request->phase = TURBOHTTP_PHASE_QUEUE;
    request->phase_deadline_us = UINT64_MAX;
    turbohttp_segments_init(&request->store, &request->client->heap->blocks,
                            request->client->limits.block_bytes);
    bool is_streaming = request->on_body || request->body_path;
    const turbohttp_limits *limits = &request->client->limits;
    request->body.limits.decoded_bytes = desc->body_limit ? desc->body_limit
                                         : is_streaming   ? limits->stream_bytes
                                                          : limits->body_bytes;
    request->body.limits.ratio = limits->inflate_ratio;
}

/* Everything that can fail; on failure the caller gives the request back. */
static turbohttp_status tbh_submit_prepare(tbh_request *request, const turbohttp_request_desc *desc,
                                           turbohttp_error *error) {
    turbohttp_client *client = request->client;
    turbohttp_url url;
    tbh_target target;
    turbohttp_status status = TURBOHTTP_OK;
    memset(&target, 0, sizeof target);
    if (desc->url) request->origin = tbh_origin_recall(client, desc, &target);
    if (!request->origin) {
        status = tbh_submit_parse_url(client, desc->url, &url, error);
        target.url = &url;
    }
    if (status == TURBOHTTP_OK) status = tbh_request_build(request, desc, &target, error);
    if (status == TURBOHTTP_OK && !request->origin)
        status = tbh_submit_find_origin(request, &url, desc, error);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_completion_issue(&client->completions, request, &request->handle.id);
    if (status != TURBOHTTP_OK) {
        tbh_origin_drop_if_unused(client, request->origin);
        return tbh_submit_refuse(error, status, NULL);
    }
    if (request->origin->is_dormant) client->dormant_count--;
    request->origin->is_dormant = false;
    request->origin->requests++;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_submit_unstarted(const turbohttp_request_desc *desc,
                                             turbohttp_status status, turbohttp_error *error) {
    if (desc->body.release) desc->body.release(desc->body.user);
    return tbh_submit_refuse(error, status, NULL);
}

TURBOHTTP_API turbohttp_status turbohttp_submit(turbohttp_client *client,
                                                const turbohttp_request_desc *desc,
                                                turbohttp_request *handle, turbohttp_error *error) {
    turbohttp_request unused;
    if (!handle) handle = &unused; /* who has on_done may not need it */
    handle->id = 0;
    tbh_client_check_birth(client);
    if (client->is_shut || client->is_doomed)
        return tbh_submit_unstarted(desc, TURBOHTTP_ERR_SHUTDOWN, error);
    tbh_request *request = (tbh_request *)turbohttp_object_pool_rent(&client->request_pool);
    if (!request) return tbh_submit_unstarted(desc, TURBOHTTP_ERR_OUT_OF_MEMORY, error);
    request->client = client;
    if (!client->is_polling) tbh_client_read_clock(client);
    tbh_submit_take_desc(request, desc);
    tbh_request_take_timeouts(request, &desc->timeouts);
    turbohttp_status status = tbh_submit_prepare(request, desc, error);
    if (status != TURBOHTTP_OK) {
        tbh_request_release_inputs(request);
        turbohttp_object_pool_return(&client->request_pool, request);
        return status;
    }
    request->total_deadline_us = tbh_request_limit_us(request, request->timeouts.total_ms);
    tbh_client_arm(client, request->total_deadline_us);
    request->ticket = client->tickets++;
    tbh_origin_queue(request->origin, request, false);
    *handle = request->handle;
    return TURBOHTTP_OK;
}
