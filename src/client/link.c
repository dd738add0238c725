/* Links: connections from their opening to their end, and who uses them.
 * Owns the stream; what is spoken on it is link_h1.c's or link_h2.c's.
 * Invariants: BUSY means requests and an open stream, IDLE means no request; a protocol is chosen
 * once, when the stream is up. Does not know: bytes. */
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
    link->origin->opening++;
    link->origin->links++;
}

static void tbh_link_leave_opening(tbh_link *link) {
    link->client->opening_count--;
    link->origin->opening--;
}

static void tbh_link_delist(tbh_link *link) {
    turbohttp_client *client = link->client;
    if (link->previous) link->previous->next = link->next;
    else client->links = link->next;
    if (link->next) link->next->previous = link->previous;
    client->link_count--;
    if (link->state == TBH_LINK_OPENING) tbh_link_leave_opening(link);
    if (link->origin->shared == link) link->origin->shared = NULL;
    link->origin->links--;
}

TBH_FN void tbh_link_destroy(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_origin *origin = link->origin;
    client->may_dispatch = true;
    tbh_link_unmark_dirty(link);
    if (link->state == TBH_LINK_IDLE) tbh_origin_remove_idle(origin, link);
    tbh_link_delist(link);
    if (link->protocol) link->protocol->shut(link);
    tbh_stream_shut(&link->stream);
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

/* What the server chose, or what we know without asking. */
static turbohttp_status tbh_link_choose_protocol(tbh_link *link) {
    tbh_origin *origin = link->origin;
#if TBH_HTTP2
    turbohttp_tls_info info;
    const tbh_tls *tls = &link->stream.tls;
    memset(&info, 0, sizeof info);
    if (tls->provider) tls->provider->info(tls->session, &info);
    bool is_chosen = strcmp(info.protocol, "h2") == 0 && origin->key.policy != TBH_POLICY_H1;
    if (is_chosen || origin->key.policy == TBH_POLICY_H2) return tbh_link_speak_h2(link);
#endif
    origin->speaks_h1 = true;
    tbh_link_speak_h1(link);
    return TURBOHTTP_OK;
}

static void tbh_link_opened(tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_client *client = link->client;
    uint64_t now = client->io.now_us;
    link->state = TBH_LINK_BUSY;
    link->opened_us = now;
    tbh_link_leave_opening(link);
    client->connects++;
    request->response.connects++;
    if (link->origin->key.tls) request->response.timing.secured_us = now - request->started_us;
    tbh_origin_keep_session(link->origin, &link->stream);
    link->request = NULL;
    link->is_private = request->disable_reuse;
    turbohttp_status status = tbh_link_choose_protocol(link);
    if (status == TURBOHTTP_OK) {
        tbh_link_assign(link, request);
        return;
    }
    request->link = NULL;
    tbh_link_destroy(link);
    tbh_request_complete(request, status);
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

static turbohttp_status tbh_link_begin(tbh_link *link) {
    tbh_tls_plan plan;
    turbohttp_address address;
    char host[256];
    tbh_dial_target target = tbh_link_target(link->origin, link->request);
    const tbh_tls_plan *tls = tbh_secure_plan(link->origin, host, &address, &plan);
    return tbh_stream_begin(&link->stream, &link->client->io, link, &target, tls,
                            &link->request->response.error);
}

static void tbh_link_go_on_opening(tbh_link *link, turbohttp_status status) {
    if (status == TURBOHTTP_ERR_DESCRIPTORS && tbh_origins_shut_oldest_idle(link->client)) {
        tbh_stream_shut(&link->stream);
        status = tbh_link_begin(link); /* a name that was looked up is known by now */
    }
    if (status >= 0)
        memset(&link->request->response.error, 0, sizeof link->request->response.error);
    tbh_link_opening_answer(link, status);
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
    tbh_link_enlist(link);
    tbh_link_go_on_opening(link, tbh_link_begin(link));
}

TBH_FN void tbh_link_step_opening(tbh_link *link) {
    turbohttp_error *error = &link->request->response.error;
    tbh_link_go_on_opening(link, tbh_stream_step(&link->stream, error));
}

/* ------------------------------------------------------------ between exchanges */
TBH_FN void tbh_link_assign(tbh_link *link, tbh_request *request) {
    if (link->state == TBH_LINK_IDLE) tbh_origin_remove_idle(link->origin, link);
    link->state = TBH_LINK_BUSY;
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
    tbh_link_mark_dirty(link);
    link->protocol->start(link, request);
}

TBH_FN bool tbh_link_may_rest(const tbh_link *link) {
    const turbohttp_client *client = link->client;
    if (tbh_origin_is_unverified(link->origin)) return false;
    return !client->is_shut && !client->disable_keep_alive && !link->is_private;
}

TBH_FN void tbh_link_rest(tbh_link *link, uint64_t reuse_us) {
    turbohttp_client *client = link->client;
    link->state = TBH_LINK_IDLE;
    link->idle_since_us = client->io.now_us;
    link->idle_until_us = client->io.now_us + reuse_us;
    tbh_client_arm(client, link->idle_until_us);
    tbh_stream_wants(&link->stream, TBH_WANT_RECEIVE);
    tbh_origin_push_idle(link->origin, link);
}

TBH_FN bool tbh_link_is_fresh(tbh_link *link) {
    bool is_socket = link->client->io.transport == NULL;
    if (is_socket && link->client->io.now_us - link->idle_since_us < TBH_FRESH_US) return true;
    return tbh_stream_is_quiet(&link->stream);
}
