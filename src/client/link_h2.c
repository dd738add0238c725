/* Links that speak HTTP/2: many requests on one stream of bytes, each with its own end.
 * Owns the mux; borrows the requests while they run.
 * Invariants: BUSY means at least one exchange, or bytes to move before the link is idle or gone; a
 * request is parted from its exchange exactly once, before it is completed or waits again; what a
 * consumer leaves behind stops only its own exchange, up to the connection's window.
 * Does not know: frames, what a body is for. */
#include "internal.h"

enum { TBH_LINK2_REFUSALS = 3 }; /* attempts that a server may refuse unseen (S-43) */

static tbh_mux_stream *tbh_link2_stream(const tbh_request *request) {
    return (tbh_mux_stream *)request->exchange;
}

static uint32_t tbh_link2_count(const tbh_link *link) {
    return link->mux->queues[TBH_MUX_LIVE].count;
}

/* ------------------------------------------------------------ the end of an exchange */
/* Tables leave the engine with the response. */
static void tbh_link2_detach(tbh_request *request, tbh_mux_stream *stream) {
    turbohttp_response *response = &request->response;
    if (!request->head_was_seen) return;
    response->owned.table = stream->head.table;
    response->owned.table_bytes = stream->head.bytes;
    response->owned.trailer_block = stream->trailer.table;
    response->owned.trailer_bytes = stream->trailer.bytes;
    response->trailers = stream->trailer.table;
    response->trailer_count = stream->trailer.count;
    stream->head.table = stream->trailer.table = NULL;
}

static void tbh_link2_part(tbh_link *link, tbh_request *request) {
    tbh_mux_stream *stream = tbh_link2_stream(request);
    if (stream) {
        request->sent_bytes = stream->sent_bytes;
        tbh_link2_detach(request, stream);
        tbh_mux_release(stream);
        turbohttp_object_pool_return(&link->client->stream_pool, stream);
    }
    request->exchange = NULL;
    request->link = NULL;
    tbh_link_mark_dirty(link);
}

static void tbh_link2_fail(tbh_link *link, tbh_request *request, turbohttp_status status) {
    tbh_deliver_record(request, link, status, 0);
    tbh_link2_part(link, request);
    tbh_request_complete_recorded(request);
}

/* No further requests; those that run go on. */
static void tbh_link2_retire(tbh_link *link) {
    if (link->origin->shared == link) link->origin->shared = NULL;
    link->is_private = true;
}

/* ------------------------------------------------------------ the start */
/* A small body went in one piece, not by its source. */
static void tbh_link2_is_sent(tbh_request *request) {
    request->source.taken += request->wire.small_bytes;
    request->response.timing.sent_us = request->client->io.now_us - request->started_us;
    tbh_request_set_phase(request, TURBOHTTP_PHASE_HEAD);
}

static void tbh_link2_start(tbh_link *link, tbh_request *request) {
    turbohttp_client *client = link->client;
    tbh_mux_stream *stream = (tbh_mux_stream *)turbohttp_object_pool_rent(&client->stream_pool);
    turbohttp_status status = TURBOHTTP_ERR_OUT_OF_MEMORY;
    link->served++;
    link->mux->now_us = client->io.now_us;
    if (stream) status = tbh_mux_start(link->mux, stream, &request->wire, request);
    if (status != TURBOHTTP_OK) {
        if (stream) turbohttp_object_pool_return(&client->stream_pool, stream);
        tbh_link2_fail(link, request, status);
        return;
    }
    request->exchange = stream;
    if (stream->state == TBH_MUX_SENT_HEAD) tbh_link2_is_sent(request);
    else link->uploads++;
}

/* ------------------------------------------------------------ what arrived */
static turbohttp_status tbh_link2_head(tbh_link *link, tbh_request *request,
                                       const tbh_mux_stream *stream) {
    if (stream->awaits_continue && tbh_request_drop_expectation(request, stream->status)) {
        tbh_link2_part(link, request);
        tbh_deliver_replay(request, true);
        return TURBOHTTP_OK;
    }
    turbohttp_h1_head head;
    memset(&head, 0, sizeof head);
    head.status = stream->status;
    head.framing = !stream->has_expected ? TURBOHTTP_FRAMING_UNTIL_CLOSE
                   : stream->expected    ? TURBOHTTP_FRAMING_LENGTH
                                         : TURBOHTTP_FRAMING_NONE;
    head.content_length = stream->expected;
    head.content_coding = stream->coding;
    head.headers = stream->head.table;
    head.header_count = stream->head.count;
    head.head_length = (uint32_t)stream->head_bytes;
    head.reason = tbh_span("", 0); /* §8.3.2: there is none */
    tbh_deliver_first_byte(request);
    return tbh_deliver_head(request, &head, 20);
}

/* A decoder may have taken all that came while its consumer refuses what it made: what comes then
 * stays in the mux. */
static turbohttp_status tbh_link2_put(tbh_link *link, tbh_request *request, turbohttp_span span) {
    size_t taken;
    if (request->is_paused) return TURBOHTTP_PENDING;
    turbohttp_status status = tbh_deliver_put(request, span, &taken);
    tbh_mux_body_consume(tbh_link2_stream(request), taken);
    if (status == TURBOHTTP_OK) tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    if (status != TURBOHTTP_PENDING || request->is_paused) return status;
    link->has_held = true; /* the budget is used up: in the next poll */
    tbh_link_mark_dirty(link);
    return status;
}

static turbohttp_status tbh_link2_end(tbh_link *link, tbh_request *request) {
    request->is_ended = true;
    if (request->is_paused) return TURBOHTTP_PENDING;
    turbohttp_status status = tbh_deliver_finish(request);
    if (status != TURBOHTTP_OK) return status;
    tbh_link2_part(link, request);
    tbh_request_complete(request, TURBOHTTP_OK);
    return status;
}

/* RELIABILITY 3.3: what the server did not look at may be repeated whatever it is, a few times; what
 * died on a kept connection once, if it is idempotent. */
static bool tbh_link2_may_replay(tbh_request *request, const tbh_mux_stream *stream) {
    bool needs_h1 = stream->code == TURBOHTTP_H2_HTTP_1_1_REQUIRED &&
                    request->origin->key.policy == TBH_POLICY_OFFER;
    bool is_death =
        stream->reason == TURBOHTTP_ERR_NO_RESPONSE || stream->reason == TURBOHTTP_ERR_RECEIVE ||
        stream->reason == TURBOHTTP_ERR_SEND || stream->reason == TURBOHTTP_ERR_H2_SILENCE;
    if (request->has_response_byte || !request->is_replayable) return false;
    if (needs_h1 || stream->is_safe) return request->refusals++ < TBH_LINK2_REFUSALS;
    return is_death && request->response.is_reused && request->is_idempotent &&
           !request->was_replayed;
}

static void tbh_link2_replay(tbh_link *link, tbh_request *request) {
    const tbh_mux_stream *stream = tbh_link2_stream(request);
    bool is_safe = stream->is_safe; /* this connection is as good as another */
    if (stream->code == TURBOHTTP_H2_HTTP_1_1_REQUIRED) {
        request->origin->needs_h1 = request->origin->speaks_h1 = is_safe = true;
        tbh_link2_retire(link);
    }
    tbh_link2_part(link, request);
    tbh_deliver_replay(request, is_safe);
}

static void tbh_link2_on_reset(tbh_link *link, tbh_request *request) {
    const tbh_mux_stream *stream = tbh_link2_stream(request);
    if (tbh_link2_may_replay(request, stream)) {
        tbh_link2_replay(link, request);
        return;
    }
    turbohttp_error *error = &request->response.error;
    uint32_t code = stream->code;
    bool is_told = stream->reason == TURBOHTTP_ERR_H2_RESET && error->code != stream->reason;
    turbohttp_status status = stream->reason;
    tbh_deliver_record(request, link, status, 0);
    if (is_told) {
        tbh_error_append(error, " (error code ");
        tbh_error_append_u64(error, code);
        tbh_error_append(error, ")");
    }
    tbh_link2_part(link, request);
    tbh_request_complete_recorded(request);
}

static void tbh_link2_event(tbh_link *link, const tbh_mux_event *event) {
    tbh_request *request = event->stream ? (tbh_request *)event->stream->owner : NULL;
    turbohttp_status status = TURBOHTTP_OK;
    switch (event->kind) {
    case TBH_MUX_INTERIM:
        tbh_deliver_first_byte(request);
        tbh_request_set_phase(request, request->phase);
        break;
    case TBH_MUX_HEAD: status = tbh_link2_head(link, request, event->stream); break;
    case TBH_MUX_BODY: status = tbh_link2_put(link, request, event->span); break;
    case TBH_MUX_END: status = tbh_link2_end(link, request); break;
    case TBH_MUX_RESET: tbh_link2_on_reset(link, request); break;
    case TBH_MUX_GOAWAY:
    case TBH_MUX_FAILED: tbh_link2_retire(link); break;
    case TBH_MUX_TRAILERS: /* they leave with the response */
    case TBH_MUX_SETTINGS_ACK:
    case TBH_MUX_NOTHING: break;
    }
    if (status < 0) tbh_link2_fail(link, request, status);
}

static void tbh_link2_deliver(tbh_link *link) {
    tbh_mux_event event;
    while (tbh_mux_next(link->mux, link->client->io.now_us, &event) != TBH_MUX_NOTHING)
        tbh_link2_event(link, &event);
}

/* ------------------------------------------------------------ what was held back */
static void tbh_link2_go_on(tbh_link *link, tbh_request *request) {
    turbohttp_status status = TURBOHTTP_OK;
    if (request->is_ended) status = tbh_link2_end(link, request);
    else if (request->body.has_more) status = tbh_link2_put(link, request, tbh_span(NULL, 0));
    if (status < 0) tbh_link2_fail(link, request, status);
    else if (status == TURBOHTTP_OK && request->exchange) tbh_mux_resume(tbh_link2_stream(request));
}

static void tbh_link2_go_on_all(tbh_link *link) {
    tbh_mux_stream *next, *stream = link->mux->queues[TBH_MUX_LIVE].first;
    if (!link->has_held) return;
    link->has_held = false;
    for (; stream; stream = next) {
        tbh_request *request = (tbh_request *)stream->owner;
        next = stream->nodes[TBH_MUX_LIVE].next;
        bool is_held = stream->is_paused || request->is_ended || request->body.has_more;
        if (is_held && !request->is_paused) tbh_link2_go_on(link, request);
    }
}

/* ------------------------------------------------------------ sending */
/* Who has sent everything, and who has sent anything: their limits of time begin anew. */
static void tbh_link2_note_uploads(tbh_link *link) {
    tbh_mux_stream *stream = link->mux->queues[TBH_MUX_LIVE].first;
    link->uploads = 0;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next) {
        tbh_request *request = (tbh_request *)stream->owner;
        bool is_sending = stream->state <= TBH_MUX_OPEN_BODY;
        bool has_moved = request->sent_bytes != stream->sent_bytes || request->source.is_blocked;
        link->uploads += is_sending;
        request->sent_bytes = stream->sent_bytes;
        if (request->phase == TURBOHTTP_PHASE_SEND && !is_sending) tbh_link2_is_sent(request);
        if (request->phase == TURBOHTTP_PHASE_SEND && has_moved)
            tbh_request_set_phase(request, TURBOHTTP_PHASE_SEND);
        if (request->on_progress) tbh_deliver_upload(request, request->source.taken);
    }
}

/* The peer does not take any more. It may have said why: that is read first. */
static void tbh_link2_send_failed(tbh_link *link, turbohttp_status status) {
    link->send_status = status;
    link->may_receive = true;
}

static turbohttp_status tbh_link2_send_once(tbh_link *link) {
    turbohttp_span out;
    size_t sent = 0;
    turbohttp_status status = tbh_mux_out_peek(link->mux, link->client->io.now_us, &out);
    if (status < 0) tbh_mux_fail(link->mux, status, TURBOHTTP_H2_INTERNAL_ERROR);
    if (status != TURBOHTTP_OK) return TURBOHTTP_PENDING;
    status = tbh_stream_send(&link->stream, out.data, out.length, &sent);
    if (status == TURBOHTTP_OK) tbh_mux_out_consume(link->mux, sent);
    if (status == TURBOHTTP_OK) tbh_client_spend(link->client, sent);
    else link->is_send_blocked = true;
    return status;
}

static void tbh_link2_send(tbh_link *link) {
    turbohttp_status status = TURBOHTTP_OK;
    if (link->send_status != TURBOHTTP_OK) return;
    while (status == TURBOHTTP_OK && !link->is_send_blocked && link->client->budget > 0)
        status = tbh_link2_send_once(link);
    if (status >= 0 && !link->is_send_blocked) {
        status = tbh_stream_flush(&link->stream);
        link->is_send_blocked = status == TURBOHTTP_PENDING;
    }
    if (status < 0) tbh_link2_send_failed(link, status);
    if (link->uploads) tbh_link2_note_uploads(link);
}

/* ------------------------------------------------------------ receiving */
static void tbh_link2_broke(tbh_link *link, turbohttp_status status) {
    bool is_silence = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE;
    if (is_silence && link->send_status != TURBOHTTP_OK) status = link->send_status;
    link->mux->is_ended = true; /* nobody listens: no GOAWAY */
    tbh_mux_fail(link->mux, status, TURBOHTTP_H2_NO_ERROR);
}

/* False: nothing more for now. */
static bool tbh_link2_receive_once(tbh_link *link, bool may_block) {
    size_t room, n = 0;
    bool waits = TBH_SOCKETS && may_block && !link->may_receive;
    uint8_t *place = tbh_mux_in_room(link->mux, &room);
    if (!place) {
        tbh_mux_fail(link->mux, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_H2_INTERNAL_ERROR);
        return false;
    }
    room = tbh_min_size(room, link->client->budget);
    turbohttp_status status = waits ? tbh_stream_receive_wait(&link->stream, place, room, &n)
                                    : tbh_stream_receive(&link->stream, place, room, &n);
    if (waits) tbh_client_read_clock(link->client);
    link->may_receive = status == TURBOHTTP_OK && n == room;
    if (status == TURBOHTTP_PENDING) return false;
    if (status == TURBOHTTP_OK) {
        tbh_mux_in_commit(link->mux, n);
        tbh_client_spend(link->client, n);
    } else if (status == TURBOHTTP_DONE && link->send_status == TURBOHTTP_OK) {
        tbh_mux_in_end(link->mux);
    } else {
        tbh_link2_broke(link, status == TURBOHTTP_DONE ? TURBOHTTP_ERR_NO_RESPONSE : status);
    }
    return true;
}

/* At most one wait: what came may have to be answered before the next one. */
static void tbh_link2_receive(tbh_link *link, bool may_block) {
    while (tbh_mux_in_wanted(link->mux) && (link->may_receive || may_block) &&
           link->client->budget > 0 && tbh_link2_receive_once(link, may_block)) {
        tbh_link2_deliver(link);
        may_block = false;
    }
}

/* ------------------------------------------------------------ the pump */
/* Nobody is served: the link rests, or goes. False: it is gone. */
static bool tbh_link2_settle(tbh_link *link) {
    if (tbh_link2_count(link)) return true;
    bool may_rest = tbh_link_may_rest(link) && tbh_mux_can_start(link->mux);
    if (!may_rest) tbh_link_destroy(link);
    else if (link->state == TBH_LINK_BUSY)
        tbh_link_rest(link, (uint64_t)link->client->timeouts.reuse_ms * 1000);
    return may_rest;
}

/* An idle link has no turn of its own: what the budget of its last one left behind, the answer to a
 * PING perhaps, goes when the socket says that it may. */
static bool tbh_link2_wants_send(const tbh_link *link) {
    bool is_owing = link->mux->out_at < link->mux->out.length;
    return link->is_send_blocked || (is_owing && link->state == TBH_LINK_IDLE);
}

static void tbh_link2_update_wants(tbh_link *link) {
    bool wants_in = tbh_mux_in_wanted(link->mux);
    int wants =
        (wants_in ? TBH_WANT_RECEIVE : 0) | (tbh_link2_wants_send(link) ? TBH_WANT_SEND : 0);
    tbh_stream_wants(&link->stream, (uint8_t)wants);
    tbh_client_arm(link->client, tbh_mux_deadline(link->mux));
    bool is_cut_short = link->client->budget == 0;
    bool has_work = (wants_in && link->may_receive) || !link->is_send_blocked;
    if (is_cut_short && has_work && link->state == TBH_LINK_BUSY) tbh_link_mark_dirty(link);
}

static void tbh_link2_pump(tbh_link *link, bool may_block) {
    tbh_link2_go_on_all(link);
    tbh_link2_deliver(link);
    tbh_link2_receive(link, may_block);
    tbh_link2_send(link);
    if (link->send_status != TURBOHTTP_OK) tbh_link2_receive(link, false); /* why it failed */
    tbh_link2_deliver(link); /* a source that failed */
    if (tbh_link2_settle(link)) tbh_link2_update_wants(link);
}

/* ------------------------------------------------------------ the seam */
static void tbh_link2_resume(tbh_link *link, tbh_request *request) {
    link->has_held = true;
    if (request->exchange) tbh_mux_resume_source(tbh_link2_stream(request));
}

static bool tbh_link2_awaits_continue(const tbh_request *request) {
    return request->exchange && tbh_link2_stream(request)->awaits_continue;
}

static void tbh_link2_continue(tbh_request *request) {
    tbh_mux_continue(tbh_link2_stream(request));
}

/* Everything is sent; credit and answers to PINGs are owed only for what comes. */
static bool tbh_link2_only_waits(const tbh_link *link) {
    const tbh_mux *mux = link->mux;
    if (!TBH_SOCKETS || tbh_link2_count(link) != 1) return false;
    const tbh_request *request = (const tbh_request *)mux->queues[TBH_MUX_LIVE].first->owner;
    bool is_sent = !link->uploads && !link->is_send_blocked && mux->out_at == mux->out.length;
    return is_sent && !link->has_held && !request->is_paused && tbh_mux_in_wanted(mux);
}

static bool tbh_link2_has_room(const tbh_link *link) {
    return tbh_mux_can_start(link->mux);
}

/* Silence counts, not idleness: a request may have timed out on it just now. */
static bool tbh_link2_is_doubtful(const tbh_link *link) {
    const tbh_mux *h = link->mux;
    uint64_t silence_us = link->client->io.now_us - h->last_receive_us;
    bool is_silent = link->state == TBH_LINK_IDLE && silence_us >= TBH_IDLE_TRUST_US;
    return is_silent || h->ping_due_us != UINT64_MAX;
}

/* SETTINGS, PING, GOAWAY and the end may come at any time, and the last frames of an exchange may
 * still have to leave. */
static void tbh_link2_on_idle_ready(tbh_link *link) {
    link->may_receive = true;
    link->is_send_blocked = false;
    tbh_link2_pump(link, false);
}

static void tbh_link2_tick(tbh_link *link) {
    tbh_mux_tick(link->mux, link->client->io.now_us);
    tbh_client_arm(link->client, tbh_mux_deadline(link->mux));
    if (link->state == TBH_LINK_BUSY) tbh_link_mark_dirty(link);
    else if (link->mux->is_failed) tbh_link2_pump(link, false); /* nobody else would */
}

/* §5.4.1: a courtesy, said if the wire takes it at once. */
static void tbh_link2_say_goodbye(tbh_link *link) {
    tbh_mux *mux = link->mux;
    bool is_over = mux->is_failed || mux->is_ended || link->send_status != TURBOHTTP_OK;
    if (is_over || !tbh_stream_is_ours(&link->stream)) return;
    turbohttp_h2_write_goaway(&mux->out, 0, TURBOHTTP_H2_NO_ERROR, tbh_span(NULL, 0));
    if (tbh_link2_send_once(link) == TURBOHTTP_OK) tbh_stream_flush(&link->stream);
}

static void tbh_link2_shut(tbh_link *link) {
    tbh_link2_say_goodbye(link);
    tbh_mux_reset(link->mux);
    turbohttp_byte_pool_return(&link->client->heap->blocks, link->mux, link->mux_bytes);
    link->mux = NULL;
}

static const tbh_protocol tbh_protocol_h2 = {
    tbh_link2_start,           tbh_link2_pump,          tbh_link2_part,       tbh_link2_resume,
    tbh_link2_awaits_continue, tbh_link2_continue,      tbh_link2_only_waits, tbh_link2_has_room,
    tbh_link2_is_doubtful,     tbh_link2_on_idle_ready, tbh_link2_tick,       tbh_link2_shut};

TBH_FN turbohttp_status tbh_link_speak_h2(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_origin *origin = link->origin;
    turbohttp_byte_pool *blocks = &client->heap->blocks;
    link->mux = (tbh_mux *)turbohttp_byte_pool_rent(blocks, sizeof(tbh_mux), &link->mux_bytes);
    if (!link->mux) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    link->protocol = &tbh_protocol_h2;
    turbohttp_status status = tbh_mux_init(link->mux, blocks, &client->limits, NULL,
                                           origin->key.tls != NULL, client->io.now_us);
    bool is_unverified = tbh_origin_is_unverified(origin);
    link->send_status = status; /* without a preface nothing is sent */
    origin->speaks_h1 = false;
    if (status == TURBOHTTP_OK && !link->is_private && !is_unverified) origin->shared = link;
    return status;
}
