/* Links: the pump between one stream and one HTTP/1.1 connection: send, deliver, receive.
 * Owns the stream and the engine's state; borrows the request while it runs.
 * Invariants: BUSY means a request and an open stream, IDLE means neither bytes nor doubts (S-04);
 * nothing is received that the engine does not want (back-pressure); no call blocks unless
 * may_block says so. Does not know: what a body is for. */
#include "internal.h"

/* A connection that was used so recently is not asked whether it still lives: that would cost a
 * system call per request, and replaying covers the case. */
#define TBH_FRESH_US 2000u

/* ------------------------------------------------------------ lists */
TBH_FN void tbh_link_mark_dirty(tbh_link *link) {
    turbohttp_client *client = link->client;
    if (link->is_dirty) return;
    link->is_dirty = true;
    link->dirty_next = NULL;
    if (client->dirty_last) client->dirty_last->dirty_next = link;
    else client->dirty_first = link;
    client->dirty_last = link;
}

static void tbh_link_unmark_dirty(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_link *before = NULL, *at = client->dirty_first;
    if (!link->is_dirty) return;
    while (at != link) {
        before = at;
        at = at->dirty_next;
    }
    if (before) before->dirty_next = link->dirty_next;
    else client->dirty_first = link->dirty_next;
    if (client->dirty_last == link) client->dirty_last = before;
    link->is_dirty = false;
}

static void tbh_link_enlist(tbh_link *link) {
    turbohttp_client *client = link->client;
    link->next = client->links;
    if (client->links) client->links->previous = link;
    client->links = link;
    client->link_count++;
    client->opening_count++;
    link->origin->links++;
}

static void tbh_link_delist(tbh_link *link) {
    turbohttp_client *client = link->client;
    if (link->previous) link->previous->next = link->next;
    else client->links = link->next;
    if (link->next) link->next->previous = link->previous;
    client->link_count--;
    if (link->state == TBH_LINK_OPENING) client->opening_count--;
    link->origin->links--;
}

TBH_FN void tbh_link_destroy(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_origin *origin = link->origin;
    tbh_link_unmark_dirty(link);
    if (link->state == TBH_LINK_IDLE) tbh_origin_remove_idle(origin, link);
    tbh_link_delist(link);
    tbh_stream_shut(&link->stream);
    tbh_conn_reset(&link->h1);
    turbohttp_object_pool_return(&client->link_pool, link);
    tbh_origin_drop_if_unused(client, origin);
}

/* ------------------------------------------------------------ opening */
static tbh_dial_target tbh_link_target(const tbh_origin *origin, const tbh_request *request) {
    tbh_dial_target target;
    const tbh_origin_key *key = &origin->key;
    target.host = origin->is_absolute ? origin->absolute_host.data : key->host.data;
    if (key->connect_host.length) target.host = key->connect_host.data;
    target.port = key->connect_port ? key->connect_port : key->port;
    target.unix_path = key->unix_path.length ? key->unix_path.data : NULL;
    target.resolve_ms = request->timeouts.resolve_ms;
    target.connect_ms = request->timeouts.connect_ms;
    return target;
}

static void tbh_link_opened(tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_client *client = link->client;
    uint64_t now = client->io.now_us;
    link->state = TBH_LINK_BUSY;
    link->opened_us = now;
    client->opening_count--;
    client->connects++;
    request->response.connects++;
    if (link->origin->key.tls) request->response.timing.secured_us = now - request->started_us;
    tbh_origin_keep_session(link->origin, &link->stream);
    tbh_link_assign(link, request);
}

/* 0 stays what was there before the request, or is not reached. */
static void tbh_link_note_times(const tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_timing *timing = &request->response.timing;
    const tbh_stream *stream = &link->stream;
    if (stream->resolved_at_us > request->started_us)
        timing->resolved_us = stream->resolved_at_us - request->started_us;
    if (stream->connected_at_us > request->started_us)
        timing->connected_us = stream->connected_at_us - request->started_us;
}

static void tbh_link_opening_answer(tbh_link *link, turbohttp_status status) {
    tbh_request *request = link->request;
    tbh_link_note_times(link);
    if (status == TURBOHTTP_PENDING) {
        turbohttp_phase phase = tbh_stream_phase(&link->stream);
        if (request->phase != phase) tbh_request_set_phase(request, phase);
    } else if (status == TURBOHTTP_OK) {
        tbh_link_opened(link);
    } else {
        if (request->response.error.code != status)
            tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_CONNECT);
        tbh_origin_forget_session(link->origin); /* it may be why */
        request->link = NULL;
        tbh_link_destroy(link);
        tbh_request_complete_recorded(request);
    }
}

/* Out of descriptors: an idle connection is worth less than a request (RELIABILITY 3.5). */
static bool tbh_link_free_descriptor(turbohttp_client *client) {
    for (tbh_link *link = client->links; link; link = link->next) {
        if (link->state != TBH_LINK_IDLE) continue;
        tbh_link_destroy(link);
        return true;
    }
    return false;
}

TBH_FN void tbh_link_open(tbh_origin *origin, tbh_request *request) {
    turbohttp_client *client = request->client;
    tbh_link *link = (tbh_link *)turbohttp_object_pool_rent(&client->link_pool);
    request->state = TBH_REQUEST_RUNNING;
    if (!link) {
        tbh_request_complete(request, TURBOHTTP_ERR_OUT_OF_MEMORY);
        return;
    }
    memset(link, 0, sizeof *link);
    link->client = client;
    link->origin = origin;
    link->request = request;
    request->link = link;
    tbh_conn_init(&link->h1, &client->heap->blocks, &client->limits);
    tbh_link_enlist(link);
    tbh_tls_plan plan;
    turbohttp_address address;
    char host[256];
    tbh_dial_target target = tbh_link_target(origin, request);
    const tbh_tls_plan *tls = tbh_secure_plan(origin, host, &address, &plan);
    turbohttp_error *error = &request->response.error;
    turbohttp_status status =
        tbh_stream_begin(&link->stream, &client->io, link, &target, tls, error);
    if (status == TURBOHTTP_ERR_DESCRIPTORS && tbh_link_free_descriptor(client)) {
        tbh_stream_shut(&link->stream);
        status = tbh_stream_begin(&link->stream, &client->io, link, &target, tls, error);
    }
    if (status >= 0) memset(error, 0, sizeof *error);
    tbh_link_opening_answer(link, status);
}

TBH_FN void tbh_link_step_opening(tbh_link *link) {
    turbohttp_error *error = &link->request->response.error;
    turbohttp_status status = tbh_stream_step(&link->stream, error);
    if (status >= 0) memset(error, 0, sizeof *error);
    tbh_link_opening_answer(link, status);
}

/* ------------------------------------------------------------ between exchanges */
TBH_FN void tbh_link_assign(tbh_link *link, tbh_request *request) {
    if (link->state == TBH_LINK_IDLE) tbh_origin_remove_idle(link->origin, link);
    link->state = TBH_LINK_BUSY;
    link->request = request;
    link->is_send_blocked = link->may_receive = false;
    link->send_status = TURBOHTTP_OK;
    request->link = link;
    request->state = TBH_REQUEST_RUNNING;
    request->response.is_reused = link->served > 0;
    request->response.peer = link->stream.peer;
    request->response.peer_port =
        link->origin->key.connect_port ? link->origin->key.connect_port : link->origin->key.port;
    request->response.timing.ready_us = link->client->io.now_us - request->started_us;
    const tbh_tls *tls = &link->stream.tls;
    if (tls->provider) tls->provider->info(tls->session, &request->response.tls);
    tbh_request_set_phase(request, TURBOHTTP_PHASE_SEND);
    tbh_conn_start(&link->h1, &request->wire, &request->store);
    tbh_link_mark_dirty(link);
}

TBH_FN bool tbh_link_is_fresh(tbh_link *link) {
    bool is_socket = link->client->io.transport == NULL;
    if (is_socket && link->client->io.now_us - link->idle_since_us < TBH_FRESH_US) return true;
    return tbh_stream_is_quiet(&link->stream);
}

/* An idle connection became readable: closed, or something that nobody asked for (S-03). */
TBH_FN void tbh_link_on_idle_ready(tbh_link *link) {
    if (!tbh_stream_is_quiet(&link->stream)) tbh_link_destroy(link);
}

/* ------------------------------------------------------------ sending */
static void tbh_link_sent(tbh_link *link) {
    tbh_request *request = link->request;
    if (link->h1.tx == TBH_TX_DONE && request->phase == TURBOHTTP_PHASE_SEND) {
        request->response.timing.sent_us = link->client->io.now_us - request->started_us;
        tbh_request_set_phase(request, TURBOHTTP_PHASE_HEAD);
    } else if (link->h1.tx != TBH_TX_DONE) {
        tbh_request_set_phase(request, request->phase); /* the limit starts anew */
    }
}

/* The peer does not take any more. It may have answered why: that is read first. */
static void tbh_link_send_failed(tbh_link *link, turbohttp_status status) {
    link->send_status = status;
    tbh_conn_out_abandon(&link->h1);
    link->may_receive = true;
}

static bool tbh_link_source_failed(tbh_link *link, turbohttp_status status) {
    bool is_known = status == TURBOHTTP_ERR_FILE || status == TURBOHTTP_ERR_OUT_OF_MEMORY;
    tbh_link_fail(link, is_known ? status : TURBOHTTP_ERR_BODY_SOURCE, 0);
    return false;
}

/* False: the link is gone. */
static bool tbh_link_send_some(tbh_link *link) {
    turbohttp_span out;
    turbohttp_status status = TURBOHTTP_PENDING;
    bool has_sent = false;
    while (!link->is_send_blocked && link->client->budget > 0) {
        size_t sent = 0;
        status = tbh_conn_out_peek(&link->h1, &out);
        if (status < 0) return tbh_link_source_failed(link, status);
        if (status != TURBOHTTP_OK) has_sent |= link->request->source.is_blocked;
        if (status != TURBOHTTP_OK) break;
        status = tbh_stream_send(&link->stream, out.data, out.length, &sent);
        if (status < 0) {
            tbh_link_send_failed(link, status);
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
        if (status < 0) tbh_link_send_failed(link, status);
    }
    if (has_sent) tbh_link_sent(link);
    return true;
}

/* ------------------------------------------------------------ receiving */
static void tbh_link_received(tbh_link *link, size_t n) {
    tbh_request *request = link->request;
    tbh_conn_in_commit(&link->h1, n);
    tbh_client_spend(link->client, n);
    if (!request->has_response_byte) {
        request->has_response_byte = true;
        request->response.timing.first_byte_us = link->client->io.now_us - request->started_us;
    }
}

static turbohttp_status tbh_link_receive_once(tbh_link *link, bool may_block) {
    size_t room, n = 0;
    uint8_t *place = tbh_conn_in_room(&link->h1, &room);
    if (!place) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    room = tbh_min_size(room, link->client->budget);
    bool waits = may_block && !link->may_receive;
    turbohttp_status status = waits ? tbh_stream_receive_wait(&link->stream, place, room, &n)
                                    : tbh_stream_receive(&link->stream, place, room, &n);
    if (waits) tbh_client_read_clock(link->client);
    link->may_receive = status == TURBOHTTP_OK && n == room;
    if (status == TURBOHTTP_OK) tbh_link_received(link, n);
    if (status != TURBOHTTP_DONE) return status;
    /* A body without a length is whole only if the end was announced by the peer itself (S-36). */
    if (link->stream.tls.is_truncated && link->h1.rx == TBH_RX_UNTIL_CLOSE)
        return TURBOHTTP_ERR_TLS_TRUNCATED;
    tbh_conn_in_end(&link->h1);
    return status;
}

/* False: the link is gone, or has been given back. */
static bool tbh_link_receive_some(tbh_link *link, bool may_block) {
    while (tbh_conn_in_wanted(&link->h1) && (link->may_receive || may_block) &&
           link->client->budget > 0 && !link->request->is_paused) {
        turbohttp_status status = tbh_link_receive_once(link, may_block);
        if (status == TURBOHTTP_PENDING || status == TURBOHTTP_ERR_UNSUPPORTED) break;
        if (status < 0) {
            tbh_link_fail(link, status, 0);
            return false;
        }
        if (!tbh_link_deliver(link)) return false;
        turbohttp_phase phase = link->request->phase;
        if (status == TURBOHTTP_OK && phase > TURBOHTTP_PHASE_SEND)
            tbh_request_set_phase(link->request, phase); /* the limit starts anew */
        may_block = false;
    }
    return true;
}

/* ------------------------------------------------------------ the pump */
static void tbh_link_update_wants(tbh_link *link) {
    bool wants_in = tbh_conn_in_wanted(&link->h1) && !link->request->is_paused;
    int wants = (wants_in ? TBH_WANT_RECEIVE : 0) | (link->is_send_blocked ? TBH_WANT_SEND : 0);
    tbh_stream_wants(&link->stream, (uint8_t)wants);
    bool is_cut_short = link->client->budget == 0;
    bool has_work = (wants_in && link->may_receive) || !link->is_send_blocked;
    if (is_cut_short && has_work) tbh_link_mark_dirty(link);
}

TBH_FN void tbh_link_pump(tbh_link *link, bool may_block) {
    if (!tbh_link_send_some(link)) return;
    bool has_kept = !link->request->is_paused && link->h1.rx > TBH_RX_CHOOSE;
    if (has_kept && !tbh_link_deliver(link)) return;
    if (!tbh_link_receive_some(link, may_block && !link->is_send_blocked)) return;
    tbh_link_update_wants(link);
}
