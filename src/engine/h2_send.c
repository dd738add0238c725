/* HTTP/2 output: the preface, requests, bodies as DATA, and what control frames need.
 *
 * Owns the out block: everything is written there and leaves in one send, many frames at a time.
 * Invariants: bodies are added only when all before them has gone, so that control frames never wait
 * behind more than one filling; at most 256 control frames wait (RELIABILITY 3.1); blocks are encoded
 * in the order in which they leave.
 * Does not know: what a request means, whether the peer may still be sent to. */
#include "conn_h2.h"

enum { TBH_MUX_FILL = 65536, TBH_MUX_CONTROL_MOST = 256 };

/* Pieces in a row that may go before a less urgent one. */
enum { TBH_MUX_OVERTAKEN_MOST = 8 };

static const char tbh_mux_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* ------------------------------------------------------------ the start (§3.4) */
TBH_FN turbohttp_status tbh_mux_write_preface(tbh_mux *h) {
    turbohttp_h2_setting settings[4];
    settings[0].id = TURBOHTTP_H2_HEADER_TABLE_SIZE;
    settings[0].value = h->decoder.setting;
    settings[1].id = TURBOHTTP_H2_ENABLE_PUSH;
    settings[1].value = 0;
    settings[2].id = TURBOHTTP_H2_INITIAL_WINDOW_SIZE;
    settings[2].value = h->options.stream_window;
    settings[3].id = TURBOHTTP_H2_MAX_HEADER_LIST_SIZE;
    settings[3].value = h->limits->head_bytes;
    turbohttp_writer_put(&h->out, tbh_mux_preface, sizeof tbh_mux_preface - 1);
    turbohttp_h2_write_settings(&h->out, settings, 4);
    if (h->options.connection_window > h->window)
        turbohttp_h2_write_window_update(&h->out, 0, h->options.connection_window - h->window);
    h->window = h->options.connection_window;
    return h->out.status;
}

TBH_FN bool tbh_mux_may_control(tbh_mux *h) {
    if (h->control_frames++ < TBH_MUX_CONTROL_MOST) return true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_FLOOD, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
    return false;
}

/* ------------------------------------------------------------ requests */
TBH_FN turbohttp_status tbh_mux_write_request(tbh_mux_stream *stream,
                                              const tbh_conn_request *request) {
    tbh_source *body = request->body;
    const char *head_end = request->head.data + request->head.length - request->small_bytes;
    stream->small = tbh_span(head_end, request->small_bytes);
    bool has_body = (body && (body->is_unknown || body->length > 0)) || stream->small.length;
    stream->body = has_body ? body : NULL;
    if (has_body) stream->trailers = request->trailers;
    stream->awaits_continue = has_body && request->expects_continue;
    tbh_mux_put_block(stream, request, !has_body);
    tbh_mux_resume_source(stream);
    return stream->mux->out.status;
}

/* ------------------------------------------------------------ bodies */
/* The next n ≤ room bytes. OK · PENDING (nothing yet) · DONE with the last of them · an error. */
static turbohttp_status tbh_mux_pull(tbh_mux_stream *stream, uint8_t *to, size_t room, size_t *n) {
    tbh_source *body = stream->body;
    turbohttp_span small = stream->small;
    turbohttp_status status = TURBOHTTP_OK;
    if (!body) {
        *n = tbh_min_size(room, small.length);
        memcpy(to, small.data, *n);
        stream->small = tbh_span(small.data + *n, small.length - *n);
        return stream->small.length ? TURBOHTTP_OK : TURBOHTTP_DONE;
    }
    *n = 0;
    if (!body->is_unknown) room = tbh_min_size(room, tbh_size_of_u64(body->length - body->taken));
    if (body->data) {
        *n = room;
        memcpy(to, body->data + (size_t)body->taken, room);
    } else if (room) {
        status = body->fill(body->user, to, room, n);
    }
    if (status < 0) return status;
    if (*n > room || (status == TURBOHTTP_PENDING && *n > 0)) return TURBOHTTP_ERR_BODY_SOURCE;
    body->taken += *n;
    if (body->is_unknown) return *n || status == TURBOHTTP_DONE ? status : TURBOHTTP_PENDING;
    if (body->taken == body->length) return TURBOHTTP_DONE;
    if (status == TURBOHTTP_DONE) return TURBOHTTP_ERR_BODY_SOURCE;
    return *n ? TURBOHTTP_OK : TURBOHTTP_PENDING;
}

static bool tbh_mux_has_trailers(const tbh_mux_stream *stream) {
    return stream->trailers.length > 2;
}

/* The frame in front of n bytes of body that are in place, with END_STREAM if they are the last. */
static void tbh_mux_put_data(tbh_mux_stream *stream, size_t n, bool is_last) {
    turbohttp_writer *out = &stream->mux->out;
    bool ends = is_last && !tbh_mux_has_trailers(stream);
    turbohttp_h2_frame frame;
    frame.length = (uint32_t)n;
    frame.type = TURBOHTTP_H2_DATA;
    frame.flags = ends ? TURBOHTTP_H2_END_STREAM : 0;
    frame.stream_id = stream->id;
    if (n || ends) {
        turbohttp_h2_write_frame_header((uint8_t *)out->data + out->length, &frame);
        turbohttp_writer_commit(out, TURBOHTTP_H2_HEADER_BYTES + n);
        stream->sent_bytes += TURBOHTTP_H2_HEADER_BYTES + n;
        tbh_mux_spend_window(stream, n);
    }
    if (!is_last) return;
    tbh_mux_dequeue(stream, TBH_MUX_SENDER);
    stream->body = NULL;
    if (ends) tbh_mux_step(stream, TBH_MUX_SENT_END);
    else tbh_mux_put_block(stream, NULL, true);
}

/* One frame of a stream's body; it then stands last in the queue, or in none. */
static void tbh_mux_send_piece(tbh_mux_stream *stream) {
    tbh_mux *h = stream->mux;
    char *frame;
    size_t n = 0, room = tbh_mux_allowance(stream);
    h->pieces++;
    tbh_mux_dequeue(stream, TBH_MUX_SENDER);
    if (room == 0) return; /* a WINDOW_UPDATE puts it back */
    if (turbohttp_writer_reserve(&h->out, TURBOHTTP_H2_HEADER_BYTES + room, &frame) != TURBOHTTP_OK)
        return;
    turbohttp_status status =
        tbh_mux_pull(stream, (uint8_t *)frame + TURBOHTTP_H2_HEADER_BYTES, room, &n);
    if (status < 0) {
        tbh_mux_reset_stream(stream, status, TURBOHTTP_H2_CANCEL);
        return;
    }
    if (stream->body) stream->body->is_blocked = status == TURBOHTTP_PENDING;
    if (status == TURBOHTTP_PENDING) return;
    if (status == TURBOHTTP_OK) tbh_mux_enqueue(stream, TBH_MUX_SENDER);
    tbh_mux_put_data(stream, n, status == TURBOHTTP_DONE);
}

/* The most urgent one; but now and then the one that has waited longest, or a long upload would make
 * others time out. */
static tbh_mux_stream *tbh_mux_next_sender(tbh_mux *h) {
    const tbh_mux_queue *q = &h->queues[TBH_MUX_SENDER];
    tbh_mux_stream *oldest = q->first;
    bool is_mixed = oldest && oldest->priority > q->last->priority;
    h->overtaken = is_mixed ? h->overtaken + 1 : 0;
    if (h->overtaken <= TBH_MUX_OVERTAKEN_MOST) return oldest;
    h->overtaken = 0;
    for (tbh_mux_stream *at = oldest; at; at = at->nodes[TBH_MUX_SENDER].next)
        if (h->pieces - at->queued_at > h->pieces - oldest->queued_at) oldest = at;
    return oldest;
}

/* ------------------------------------------------------------ the port */
TBH_FN void tbh_mux_wipe_out(tbh_mux *h) {
    if (h->out_secret) tbh_wipe(h->out.data, h->out_secret);
    h->out_secret = 0;
}

static void tbh_mux_refill_out(tbh_mux *h) {
    tbh_mux_wipe_out(h);
    if (h->queues[TBH_MUX_LIVE].count) turbohttp_writer_clear(&h->out);
    else turbohttp_writer_reset(&h->out); /* an idle connection keeps no block */
    h->out_at = 0;
    h->control_frames = 0;
    tbh_mux_write_credit(h);
    tbh_mux_stream *stream;
    while (!h->is_failed && h->send_window > 0 && h->out.length < TBH_MUX_FILL &&
           (stream = tbh_mux_next_sender(h)) != NULL)
        tbh_mux_send_piece(stream);
}

TBH_FN turbohttp_status tbh_mux_out_peek(tbh_mux *h, uint64_t now_us, turbohttp_span *out) {
    h->now_us = now_us;
    if (h->out.status == TURBOHTTP_OK && h->out_at == h->out.length) tbh_mux_refill_out(h);
    *out = tbh_span(NULL, 0);
    if (h->out.status != TURBOHTTP_OK) return h->out.status;
    if (h->out_at == h->out.length) return TURBOHTTP_PENDING;
    *out = tbh_span(h->out.data + h->out_at, h->out.length - h->out_at);
    return TURBOHTTP_OK;
}

TBH_FN void tbh_mux_out_consume(tbh_mux *h, size_t n) {
    h->out_at += n;
}
