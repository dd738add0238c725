/* HTTP/2 streams: their states (RFC 9113 §5.1), and what they hand out in which order.
 *
 * Owns the queues, the bytes that a consumer left behind, and the field sections until they are
 * taken. Invariants: one row of the table decides each step; what is handed out keeps its order:
 * held bytes, trailers, then the end or the reset, which comes exactly once; a stream that is not in
 * LIVE is in no queue.
 * Does not know: frames, windows. */
#include "conn_h2.h"

/* ------------------------------------------------------------ states */
enum { TBH_MUX_BAD = 0x40, TBH_MUX_LATE = 0x41 }; /* no states: PROTOCOL_ERROR, STREAM_CLOSED */

#define TBH_O_H TBH_MUX_OPEN_HEAD
#define TBH_O_B TBH_MUX_OPEN_BODY
#define TBH_S_H TBH_MUX_SENT_HEAD
#define TBH_S_B TBH_MUX_SENT_BODY
#define TBH_END TBH_MUX_ENDED
#define TBH_CLO TBH_MUX_CLOSED
#define TBH_BAD TBH_MUX_BAD
#define TBH_LAT TBH_MUX_LATE

/* clang-format off */
static const uint8_t tbh_mux_table[TBH_MUX_STATES][TBH_MUX_INPUTS] = {
    /*            head     head end interim  int. end data     data end reset    window   sent end sent reset */
    /* OPEN_HEAD */ {TBH_O_B, TBH_END, TBH_O_H, TBH_BAD, TBH_BAD, TBH_BAD, TBH_CLO, TBH_O_H, TBH_S_H, TBH_CLO},
    /* OPEN_BODY */ {TBH_BAD, TBH_END, TBH_BAD, TBH_BAD, TBH_O_B, TBH_END, TBH_CLO, TBH_O_B, TBH_S_B, TBH_CLO},
    /* SENT_HEAD */ {TBH_S_B, TBH_CLO, TBH_S_H, TBH_BAD, TBH_BAD, TBH_BAD, TBH_CLO, TBH_S_H, TBH_S_H, TBH_CLO},
    /* SENT_BODY */ {TBH_BAD, TBH_CLO, TBH_BAD, TBH_BAD, TBH_S_B, TBH_CLO, TBH_CLO, TBH_S_B, TBH_S_B, TBH_CLO},
    /* ENDED     */ {TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_CLO, TBH_END, TBH_CLO, TBH_CLO},
    /* CLOSED    */ {TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_CLO, TBH_CLO, TBH_CLO, TBH_CLO},
};
/* clang-format on */

#undef TBH_O_H
#undef TBH_O_B
#undef TBH_S_H
#undef TBH_S_B
#undef TBH_END
#undef TBH_CLO
#undef TBH_BAD
#undef TBH_LAT

TBH_FN uint32_t tbh_mux_step(tbh_mux_stream *stream, tbh_mux_input input) {
    uint8_t next = tbh_mux_table[stream->state][input];
    if (next == TBH_MUX_BAD) return TURBOHTTP_H2_PROTOCOL_ERROR;
    if (next == TBH_MUX_LATE) return TURBOHTTP_H2_STREAM_CLOSED;
    stream->state = (tbh_mux_state)next;
    return 0;
}

/* ------------------------------------------------------------ queues */
/* Behind everybody; among the senders behind those who are as urgent, or more. */
static tbh_mux_stream *tbh_mux_place(const tbh_mux_stream *stream, int queue) {
    tbh_mux_stream *before = stream->mux->queues[queue].last;
    while (queue == TBH_MUX_SENDER && before && before->priority < stream->priority)
        before = before->nodes[queue].previous;
    return before;
}

TBH_FN void tbh_mux_enqueue(tbh_mux_stream *stream, int queue) {
    tbh_mux_queue *q = &stream->mux->queues[queue];
    tbh_mux_node *node = &stream->nodes[queue];
    if (node->is_in) return;
    if (queue == TBH_MUX_SENDER) stream->queued_at = stream->mux->pieces;
    tbh_mux_stream *before = tbh_mux_place(stream, queue);
    node->is_in = true;
    node->previous = before;
    node->next = before ? before->nodes[queue].next : q->first;
    if (before) before->nodes[queue].next = stream;
    else q->first = stream;
    if (node->next) node->next->nodes[queue].previous = stream;
    else q->last = stream;
    q->count++;
}

TBH_FN void tbh_mux_dequeue(tbh_mux_stream *stream, int queue) {
    tbh_mux_queue *q = &stream->mux->queues[queue];
    tbh_mux_node *node = &stream->nodes[queue];
    if (!node->is_in) return;
    if (node->previous) node->previous->nodes[queue].next = node->next;
    else q->first = node->next;
    if (node->next) node->next->nodes[queue].previous = node->previous;
    else q->last = node->previous;
    node->next = node->previous = NULL;
    node->is_in = false;
    q->count--;
}

/* ------------------------------------------------------------ numbers */
static tbh_mux_stream **tbh_mux_bucket_of(tbh_mux *h, uint32_t id) {
    return &h->buckets[id / 2 % TBH_MUX_BUCKETS];
}

TBH_FN tbh_mux_stream *tbh_mux_find(const tbh_mux *h, uint32_t id) {
    tbh_mux_stream *stream = h->buckets[id / 2 % TBH_MUX_BUCKETS];
    while (stream && stream->id != id) stream = stream->bucket_next;
    return stream;
}

static void tbh_mux_forget(tbh_mux_stream *stream) {
    tbh_mux_stream **at = tbh_mux_bucket_of(stream->mux, stream->id);
    while (*at != stream) at = &(*at)->bucket_next;
    *at = stream->bucket_next;
}

/* ------------------------------------------------------------ life */
TBH_FN void tbh_mux_section_drop(turbohttp_byte_pool *pool, tbh_mux_section *section) {
    if (section->table && section->count) { /* they may be cookies (RELIABILITY 3.6) */
        char *values = (char *)(uintptr_t)section->table[0].value;
        tbh_wipe(values, (size_t)(section->text - values));
    }
    if (section->table) turbohttp_byte_pool_return(pool, section->table, section->bytes);
    memset(section, 0, sizeof *section);
}

/* §5.1.1: numbers are odd, grow, and run out (S-47). */
static void tbh_mux_number(tbh_mux *h, tbh_mux_stream *stream) {
    tbh_mux_stream **bucket = tbh_mux_bucket_of(h, h->next_id);
    stream->id = h->next_id;
    stream->bucket_next = *bucket;
    *bucket = stream;
    h->next_id += 2;
    if (h->next_id > 0x7fffffffu) h->is_draining = true;
}

TBH_FN turbohttp_status tbh_mux_start(tbh_mux *h, tbh_mux_stream *stream,
                                      const tbh_conn_request *request, void *owner) {
    if (!tbh_mux_can_start(h)) return TURBOHTTP_ERR_STATE;
    stream->mux = h;
    stream->owner = owner;
    stream->state = TBH_MUX_OPEN_HEAD;
    stream->send_window = (int32_t)h->peer_window;
    stream->window = h->options.stream_window;
    stream->is_head = request->is_head;
    stream->priority = request->priority;
    turbohttp_segments_init(&stream->held, h->pool, h->limits->block_bytes);
    tbh_mux_number(h, stream);
    tbh_mux_enqueue(stream, TBH_MUX_LIVE);
    if (h->queues[TBH_MUX_LIVE].count == 1) h->ping_at_us = h->now_us + h->options.ping_us;
    tbh_mux_bucket_give(&h->control, 4);
    turbohttp_status status = tbh_mux_write_request(stream, request);
    bool is_doubtful = h->now_us - h->last_receive_us >= h->options.trust_us;
    if (status == TURBOHTTP_OK && is_doubtful) tbh_mux_ask(h, h->options.trust_answer_us);
    if (status == TURBOHTTP_OK) return status;
    tbh_mux_fail(h, status, TURBOHTTP_H2_INTERNAL_ERROR); /* the table of the peer is behind ours */
    tbh_mux_release(stream);
    return status;
}

static void tbh_mux_drop_held(tbh_mux_stream *stream) {
    tbh_mux *h = stream->mux;
    if (h->offered_to == stream && !h->is_held_offer) tbh_mux_credit(h, NULL, h->offered.length);
    if (h->offered_to == stream) h->offered_to = NULL;
    if (!stream->held.first) return;
    tbh_mux_credit(h, NULL, stream->held.length);
    turbohttp_segments_reset(&stream->held);
}

static void tbh_mux_send_reset(tbh_mux_stream *stream, uint32_t code) {
    tbh_mux *h = stream->mux;
    bool is_moving = stream->state != TBH_MUX_CLOSED && !h->is_failed;
    tbh_mux_step(stream, TBH_MUX_SENT_RESET);
    if (is_moving) h->late += stream->window;
    if (is_moving && tbh_mux_may_control(h))
        turbohttp_h2_write_rst_stream(&h->out, stream->id, code);
}

TBH_FN void tbh_mux_release(tbh_mux_stream *stream) {
    tbh_mux *h = stream->mux;
    if (!h) return;
    tbh_mux_drop_held(stream);
    if (h->reading == stream) h->reading = NULL;
    if (stream->state != TBH_MUX_CLOSED) tbh_mux_send_reset(stream, TURBOHTTP_H2_CANCEL);
    if (stream->head.table) tbh_mux_section_drop(h->pool, &stream->head);
    if (stream->trailer.table) tbh_mux_section_drop(h->pool, &stream->trailer);
    for (int queue = 0; queue < TBH_MUX_QUEUES; queue++)
        if (stream->nodes[queue].is_in) tbh_mux_dequeue(stream, queue);
    tbh_mux_forget(stream);
    stream->mux = NULL;
    if (h->queues[TBH_MUX_LIVE].count) return;
    h->ping_at_us = UINT64_MAX; /* an idle connection is not asked */
}

/* ------------------------------------------------------------ ends */
static void tbh_mux_make_due(tbh_mux_stream *stream, uint8_t due) {
    stream->due = (uint8_t)(stream->due | due);
    tbh_mux_enqueue(stream, TBH_MUX_READY);
}

/* What came whole is handed out, whatever happens to the stream or the connection afterwards. */
TBH_FN void tbh_mux_lose_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code,
                                bool is_safe) {
    tbh_mux_step(stream, TBH_MUX_IN_RESET);
    tbh_mux_dequeue(stream, TBH_MUX_SENDER);
    stream->body = NULL;
    stream->small.length = 0;
    if (stream->is_whole || (stream->due & TBH_MUX_DUE_RESET)) return;
    stream->reason = status;
    stream->code = code;
    stream->is_safe = is_safe && !stream->has_head;
    tbh_mux_drop_held(stream);
    stream->due = 0;
    tbh_mux_make_due(stream, TBH_MUX_DUE_RESET);
}

TBH_FN void tbh_mux_reset_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code) {
    tbh_mux_send_reset(stream, code);
    tbh_mux_lose_stream(stream, status, code, false);
}

/* §8.1.1: the bytes of the body are as many as the head said. */
TBH_FN void tbh_mux_end_received(tbh_mux_stream *stream) {
    if (stream->has_expected && stream->received != stream->expected) {
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_BODY_TRUNCATED, TURBOHTTP_H2_PROTOCOL_ERROR);
        return;
    }
    stream->is_whole = true;
    tbh_mux_make_due(stream, stream->trailer.table ? TBH_MUX_DUE_TRAILERS | TBH_MUX_DUE_END
                                                   : TBH_MUX_DUE_END);
}

/* ------------------------------------------------------------ handing out */
TBH_FN void tbh_mux_offer(tbh_mux_stream *stream, turbohttp_span span, tbh_mux_event *event) {
    tbh_mux *h = stream->mux;
    h->offered = event->span = span;
    h->offered_to = event->stream = stream;
    h->is_held_offer = false;
    event->kind = TBH_MUX_BODY;
}

TBH_FN void tbh_mux_body_consume(tbh_mux_stream *stream, size_t n) {
    tbh_mux *h = stream->mux;
    if (h->offered_to != stream || n > h->offered.length) return;
    h->offered.data += n;
    h->offered.length -= n;
    tbh_mux_credit(h, stream, n);
    if (h->is_held_offer) turbohttp_segments_consume(&stream->held, n);
}

TBH_FN void tbh_mux_settle(tbh_mux *h) {
    tbh_mux_stream *stream = h->offered_to;
    h->offered_to = NULL;
    if (!stream || h->offered.length == 0) return;
    stream->is_paused = true;
    if (h->is_held_offer) return;
    turbohttp_status status =
        turbohttp_segments_append(&stream->held, h->offered.data, h->offered.length);
    if (status == TURBOHTTP_OK) return;
    tbh_mux_credit(h, NULL, h->offered.length);
    tbh_mux_reset_stream(stream, status, TURBOHTTP_H2_INTERNAL_ERROR);
}

TBH_FN void tbh_mux_resume(tbh_mux_stream *stream) {
    if (!stream->mux) return;
    tbh_mux_settle(stream->mux);
    stream->is_paused = false;
    if (stream->held.length || stream->due) tbh_mux_enqueue(stream, TBH_MUX_READY);
}

static tbh_mux_event_kind tbh_mux_take_due(tbh_mux_stream *stream) {
    static const uint8_t kinds[] = {TBH_MUX_TRAILERS, TBH_MUX_END, TBH_MUX_RESET};
    for (uint8_t bit = 0; bit < 3; bit++) {
        if (!(stream->due & 1 << bit)) continue;
        stream->due = (uint8_t)(stream->due & ~(1 << bit));
        return (tbh_mux_event_kind)kinds[bit];
    }
    return TBH_MUX_NOTHING;
}

static bool tbh_mux_give(tbh_mux_stream *stream, tbh_mux_event *event) {
    turbohttp_sequence held;
    if (stream->is_paused && stream->held.length) {
        tbh_mux_dequeue(stream, TBH_MUX_READY);
        return false;
    }
    if (stream->held.length) {
        held = turbohttp_segments_sequence(&stream->held);
        tbh_mux_offer(stream, held.head, event);
        stream->mux->is_held_offer = true;
        return true;
    }
    event->kind = tbh_mux_take_due(stream);
    event->stream = stream;
    if (!stream->due) tbh_mux_dequeue(stream, TBH_MUX_READY);
    return event->kind != TBH_MUX_NOTHING;
}

/* Each turn hands something out or takes a stream off the queue. */
TBH_FN bool tbh_mux_next_ready(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream;
    while ((stream = h->queues[TBH_MUX_READY].first) != NULL)
        if (tbh_mux_give(stream, event)) return true;
    return false;
}

/* ------------------------------------------------------------ sending again */
TBH_FN void tbh_mux_resume_source(tbh_mux_stream *stream) {
    bool has_more = stream->body || stream->small.length;
    if (!stream->mux || !has_more || stream->awaits_continue) return;
    if (stream->state == TBH_MUX_OPEN_HEAD || stream->state == TBH_MUX_OPEN_BODY ||
        stream->state == TBH_MUX_ENDED)
        tbh_mux_enqueue(stream, TBH_MUX_SENDER);
}

TBH_FN void tbh_mux_continue(tbh_mux_stream *stream) {
    stream->awaits_continue = false;
    tbh_mux_resume_source(stream);
}
