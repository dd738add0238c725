/* Delivery: what an engine understood becomes a response, whatever the protocol.
 * Owns nothing; it is where events meet the request: head, body, end, failure.
 * Invariants: each event is handled once; callbacks of the user are called here and in call_done
 * only. Does not know: connections, framing, sockets. */
#include "internal.h"

/* ------------------------------------------------------------ head */
TBH_FN void tbh_deliver_first_byte(tbh_request *request) {
    if (request->has_response_byte) return;
    request->has_response_byte = true;
    request->response.timing.first_byte_us = request->client->io.now_us - request->started_us;
}

static void tbh_deliver_fill_response(tbh_request *request, const turbohttp_h1_head *head,
                                      uint8_t http_version) {
    turbohttp_response *response = &request->response;
    response->status = head->status;
    response->http_version = http_version;
    response->minor_version = head->minor_version;
    response->reason = head->reason;
    response->headers = head->headers;
    response->header_count = head->header_count;
    response->head_bytes = head->head_length;
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

static bool tbh_deliver_is_announced_too_large(const tbh_request *request,
                                               const turbohttp_h1_head *head) {
    return head->framing == TURBOHTTP_FRAMING_LENGTH && !request->body.inflater &&
           head->content_length > request->body.limits.decoded_bytes;
}

TBH_FN turbohttp_status tbh_deliver_head(tbh_request *request, const turbohttp_h1_head *head,
                                         uint8_t http_version) {
    turbohttp_client *client = request->client;
    bool has_body = head->framing != TURBOHTTP_FRAMING_NONE;
    request->head_was_seen = true;
    tbh_deliver_fill_response(request, head, http_version);
    tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    request->body.blocks = &client->heap->blocks;
    request->body.inflaters = &client->inflaters;
    request->body.store = &request->store;
    request->body.block_bytes = client->limits.block_bytes;
    turbohttp_status status = tbh_deliver_open_sink(request);
    if (status == TURBOHTTP_OK && has_body && request->decode)
        status = tbh_body_begin(&request->body, head->content_coding);
    if (status != TURBOHTTP_OK) return status;
    if (tbh_deliver_is_announced_too_large(request, head)) return TURBOHTTP_ERR_BODY_TOO_LARGE;
    request->body_total = request->body.inflater ? 0 : head->content_length;
    if (request->on_head) request->on_head(request->user, &request->response);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ body */
TBH_FN void tbh_deliver_progress(tbh_request *request) {
    request->response.wire_bytes = request->body.wire;
    request->response.body_bytes = request->body.decoded;
    if (!request->on_progress) return;
    request->on_progress(request->user, request->uploaded, request->source.length,
                         request->body.decoded, request->body_total);
}

TBH_FN TBH_NOINLINE void tbh_deliver_upload(tbh_request *request, uint64_t uploaded) {
    if (uploaded == request->uploaded) return;
    request->uploaded = uploaded;
    tbh_deliver_progress(request);
}

TBH_FN turbohttp_status tbh_deliver_put(tbh_request *request, turbohttp_span span, size_t *taken) {
    turbohttp_client *client = request->client;
    uint64_t before = request->body.decoded;
    *taken = 0;
    request->body.quota = client->budget;
    request->body.is_refused = false;
    turbohttp_status status = tbh_body_put(&request->body, span, taken);
    uint64_t made = request->body.decoded - before;
    tbh_client_spend(client, made);
    if (status >= 0) tbh_deliver_progress(request);
    request->is_paused = status == TURBOHTTP_PENDING && request->body.is_refused;
    if (request->is_paused) tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    return status;
}

TBH_FN turbohttp_status tbh_deliver_stored(tbh_request *request, size_t n) {
    turbohttp_status status = tbh_body_stored(&request->body, n);
    tbh_deliver_progress(request);
    return status;
}

TBH_FN turbohttp_status tbh_deliver_finish(tbh_request *request) {
    request->body.quota = SIZE_MAX;
    turbohttp_status status = tbh_body_finish(&request->body);
    request->is_paused = status == TURBOHTTP_PENDING;
    if (status == TURBOHTTP_OK) tbh_deliver_progress(request);
    return status;
}

/* ------------------------------------------------------------ failures */
TBH_FN void tbh_deliver_replay(tbh_request *request, bool is_safe) {
    request->client->replays++;
    if (!is_safe) request->was_replayed = true;
    request->link = NULL;
    tbh_request_rewind(request);
    tbh_origin_queue(request->origin, request, true);
}

TBH_FN void tbh_deliver_record(tbh_request *request, const tbh_link *link, turbohttp_status status,
                               uint64_t offset) {
    turbohttp_error *error = &request->response.error;
    if (error->code == status) return; /* written where it was found */
    tbh_error_set(error, status, request->phase);
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
