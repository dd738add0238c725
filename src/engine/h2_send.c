/* HTTP/2 output: the preface, heads as header blocks, bodies as DATA, and what control frames need.
 *
 * Owns the out block: everything is written there and leaves in one send, many frames at a time.
 * Invariants: bodies are added only when all before them has gone, so that control frames never wait
 * behind more than one filling; at most 256 control frames wait (RELIABILITY 3.1); blocks are encoded
 * in the order in which they leave.
 * Does not know: what a request means, whether the peer may still be sent to. */
#include "conn_h2.h"

enum { TBH_MUX_FILL = 65536, TBH_MUX_CONTROL_MOST = 256, TBH_MUX_FRAME = 16384 };

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

/* ------------------------------------------------------------ header blocks */
/* The line up to its CRLF; `rest` moves behind it. */
static turbohttp_span tbh_mux_line(turbohttp_span *rest) {
    const char *lf = (const char *)memchr(rest->data, '\n', rest->length);
    size_t n = lf ? (size_t)(lf - rest->data) + 1 : rest->length;
    turbohttp_span line = tbh_span(rest->data, n >= 2 ? n - 2 : 0);
    *rest = tbh_span(rest->data + n, rest->length - n);
    return line;
}

static turbohttp_span tbh_mux_word(turbohttp_span *rest) {
    const char *blank = (const char *)memchr(rest->data, ' ', rest->length);
    size_t n = blank ? (size_t)(blank - rest->data) : rest->length, step = blank ? n + 1 : n;
    turbohttp_span word = tbh_span(rest->data, n);
    *rest = tbh_span(rest->data + step, rest->length - step);
    return word;
}

static void tbh_mux_put_field(tbh_mux *h, turbohttp_span name, turbohttp_span value) {
    turbohttp_hpack_field field;
    field.name = name;
    field.value = value;
    field.never_indexed = false; /* the encoder knows the secrets by their names */
    turbohttp_hpack_encode(&h->encoder, &field, &h->out);
}

/* §8.2.2: what speaks about an HTTP/1.1 connection. Host is `:authority`. */
static bool tbh_mux_is_dropped(turbohttp_span name) {
    switch (tbh_header_id(name.data, name.length)) {
    case TURBOHTTP_HEADER_HOST:
    case TURBOHTTP_HEADER_CONNECTION:
    case TURBOHTTP_HEADER_PROXY_CONNECTION:
    case TURBOHTTP_HEADER_KEEP_ALIVE:
    case TURBOHTTP_HEADER_TRANSFER_ENCODING:
    case TURBOHTTP_HEADER_UPGRADE:
    case TURBOHTTP_HEADER_HTTP2_SETTINGS: return true;
    default: return false;
    }
}

/* Name and value of a line. The name becomes lower case where it stands (§8.2): HTTP/1.1, which may
 * send the same text after all, does not mind. */
static turbohttp_span tbh_mux_split(turbohttp_span line, turbohttp_span *value) {
    char *name = (char *)(uintptr_t)line.data;
    size_t n = 0, at;
    for (; n < line.length && name[n] != ':'; n++)
        if ((uint8_t)(name[n] - 'A') < 26) name[n] = (char)(name[n] | 0x20);
    at = n + 1;
    while (at < line.length && (name[at] == ' ' || name[at] == '\t')) at++;
    *value = at < line.length ? tbh_span(name + at, line.length - at) : tbh_span(NULL, 0);
    while (value->length &&
           (value->data[value->length - 1] == ' ' || value->data[value->length - 1] == '\t'))
        value->length--;
    return tbh_span(name, n);
}

/* Field lines up to the empty one; `rest` moves behind it. */
static void tbh_mux_put_lines(tbh_mux *h, turbohttp_span *rest) {
    for (;;) { /* each turn takes a line */
        turbohttp_span value, line = tbh_mux_line(rest);
        if (line.length == 0) return;
        turbohttp_span name = tbh_mux_split(line, &value);
        if (!tbh_mux_is_dropped(name)) tbh_mux_put_field(h, name, value);
    }
}

/* §8.3.1: all pseudo-headers first. The Host line is the one behind the request line. */
static void tbh_mux_put_request_fields(tbh_mux *h, turbohttp_span *rest) {
    turbohttp_span authority, line = tbh_mux_line(rest), host = tbh_mux_line(rest);
    turbohttp_span method = tbh_mux_word(&line), path = tbh_mux_word(&line);
    tbh_mux_split(host, &authority);
    tbh_mux_put_field(h, tbh_span_of(":method"), method);
    tbh_mux_put_field(h, tbh_span_of(":scheme"), h->scheme);
    tbh_mux_put_field(h, tbh_span_of(":authority"), authority);
    tbh_mux_put_field(h, tbh_span_of(":path"), path);
    tbh_mux_put_lines(h, rest);
}

/* RFC 9218 §4.1; 3 is what is assumed. */
static void tbh_mux_put_priority(tbh_mux *h, int8_t priority) {
    const char *urgency = priority < 0                          ? "u=5"
                          : priority == TURBOHTTP_PRIORITY_HIGH ? "u=2"
                                                                : "u=0";
    if (priority) tbh_mux_put_field(h, tbh_span_of("priority"), tbh_span_of(urgency));
}

/* A block that does not fit into one frame is moved apart, from its end, for the headers of
 * CONTINUATION (§6.10). */
static void tbh_mux_part_block(tbh_mux *h, size_t start, turbohttp_h2_frame frame) {
    char *unused;
    size_t block = start + TURBOHTTP_H2_HEADER_BYTES, n = h->out.length - block;
    size_t parts = n ? (n - 1) / TBH_MUX_FRAME : 0, extra = parts * TURBOHTTP_H2_HEADER_BYTES;
    if (turbohttp_writer_reserve(&h->out, extra, &unused) != TURBOHTTP_OK) return;
    turbohttp_writer_commit(&h->out, extra);
    uint8_t *base = (uint8_t *)h->out.data + block;
    for (size_t i = parts; i > 0; i--) {
        size_t from = i * TBH_MUX_FRAME, to = from + i * TURBOHTTP_H2_HEADER_BYTES;
        turbohttp_h2_frame more = frame;
        more.type = TURBOHTTP_H2_CONTINUATION;
        more.flags = i == parts ? TURBOHTTP_H2_END_HEADERS : 0;
        more.length = (uint32_t)(i == parts ? n - from : (size_t)TBH_MUX_FRAME);
        memmove(base + to, base + from, more.length);
        turbohttp_h2_write_frame_header(base + to - TURBOHTTP_H2_HEADER_BYTES, &more);
    }
    frame.length = (uint32_t)(parts ? (size_t)TBH_MUX_FRAME : n);
    if (parts) frame.flags = (uint8_t)(frame.flags & ~TURBOHTTP_H2_END_HEADERS);
    turbohttp_h2_write_frame_header((uint8_t *)h->out.data + start, &frame);
}

/* Lines become one block; `request`: the first two are the request line and Host. */
static void tbh_mux_put_block(tbh_mux_stream *stream, turbohttp_span *lines,
                              const tbh_conn_request *request, bool ends) {
    static const char empty[TURBOHTTP_H2_HEADER_BYTES] = {0};
    tbh_mux *h = stream->mux;
    size_t start = h->out.length;
    turbohttp_h2_frame frame;
    frame.length = 0;
    frame.type = TURBOHTTP_H2_HEADERS;
    frame.flags = (uint8_t)(TURBOHTTP_H2_END_HEADERS | (ends ? TURBOHTTP_H2_END_STREAM : 0));
    frame.stream_id = stream->id;
    turbohttp_writer_put(&h->out, empty, sizeof empty);
    if (request) tbh_mux_put_request_fields(h, lines);
    else tbh_mux_put_lines(h, lines);
    if (request && !request->tells_priority) tbh_mux_put_priority(h, request->priority);
    if (h->out.status == TURBOHTTP_OK) tbh_mux_part_block(h, start, frame);
    stream->sent_bytes += h->out.length - start;
    if (ends) tbh_mux_step(stream, TBH_MUX_SENT_END);
}

TBH_FN turbohttp_status tbh_mux_write_request(tbh_mux_stream *stream,
                                              const tbh_conn_request *request) {
    turbohttp_span text = request->head;
    const tbh_source *body = request->body;
    size_t head = text.length;
    if (!body) { /* where the head ends, a small body begins */
        for (head = 0; head + 4 <= text.length; head++)
            if (memcmp(text.data + head, "\r\n\r\n", 4) == 0) break;
        head += 4;
    }
    if (!body && head < text.length) stream->small = tbh_span(text.data + head, text.length - head);
    bool has_body = (body && (body->is_unknown || body->length > 0)) || stream->small.length;
    stream->body = has_body ? request->body : NULL;
    if (has_body) stream->trailers = request->trailers;
    stream->awaits_continue = has_body && request->expects_continue;
    tbh_mux_put_block(stream, &text, request, !has_body);
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
    else tbh_mux_put_block(stream, &stream->trailers, NULL, true);
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
static void tbh_mux_refill_out(tbh_mux *h) {
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
