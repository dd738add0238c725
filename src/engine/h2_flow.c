/* HTTP/2 flow control (RFC 9113 §5.2, §6.9) and guards against floods (RELIABILITY 3.1, S-42, S-43).
 *
 * Owns the windows of both directions and the token buckets.
 * Invariants: what we announce grows only with what a consumer took, so that memory for a peer is
 * bounded by the window; windows that the peer gives may become negative, ours never; no window is
 * ever above 2^31-1.
 * Does not know: frames, who consumes. */
#include "conn_h2.h"

#define TBH_MUX_LARGEST_WINDOW INT32_C(0x7fffffff)

/* ------------------------------------------------------------ token buckets */
TBH_FN void tbh_mux_bucket_init(tbh_mux_bucket *bucket, uint32_t burst, uint32_t per_second,
                                uint64_t now_us) {
    bucket->level = bucket->burst = burst;
    bucket->interval_us = 1000000u / per_second;
    bucket->filled_us = now_us;
}

TBH_FN void tbh_mux_bucket_give(tbh_mux_bucket *bucket, uint32_t n) {
    uint32_t missing = bucket->burst - bucket->level;
    bucket->level += n < missing ? n : missing;
}

/* Filling takes seconds, so more time than fits into 32 bits makes no difference. */
static void tbh_mux_bucket_refill(tbh_mux_bucket *bucket, uint64_t now_us) {
    uint64_t elapsed = now_us > bucket->filled_us ? now_us - bucket->filled_us : 0;
    uint32_t n = (elapsed < UINT32_MAX ? (uint32_t)elapsed : UINT32_MAX) / bucket->interval_us;
    if (n == 0) return;
    bucket->filled_us += (uint64_t)n * bucket->interval_us;
    tbh_mux_bucket_give(bucket, n);
}

TBH_FN bool tbh_mux_bucket_take(tbh_mux_bucket *bucket, uint64_t now_us) {
    if (bucket->level == 0) tbh_mux_bucket_refill(bucket, now_us);
    if (bucket->level == 0) return false;
    bucket->level--;
    return true;
}

TBH_FN bool tbh_mux_count_control(tbh_mux *h) {
    if (tbh_mux_bucket_take(&h->control, h->now_us)) return true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_FLOOD, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
    return false;
}

/* ------------------------------------------------------------ what the peer sends */
TBH_FN uint32_t tbh_mux_charge(tbh_mux *h, tbh_mux_stream *stream, uint32_t n,
                               bool *is_connection) {
    *is_connection = n > h->window;
    if (*is_connection) return TURBOHTTP_H2_FLOW_CONTROL_ERROR;
    h->window -= n;
    if (!stream) return 0;
    if (n > stream->window) return TURBOHTTP_H2_FLOW_CONTROL_ERROR;
    stream->window -= n;
    return 0;
}

/* What was on its way when we ended a stream comes all the same, up to what its window held; more is
 * an offence (§5.2), and counted like one. */
TBH_FN bool tbh_mux_take_late(tbh_mux *h, uint32_t n) {
    if (n == 0 || n > h->late) return tbh_mux_count_control(h);
    h->late -= n;
    return true;
}

/* Credit is worth a frame when it is half a window. */
TBH_FN void tbh_mux_credit(tbh_mux *h, tbh_mux_stream *stream, size_t n) {
    h->taken += (uint32_t)n;
    if (!stream) return;
    stream->taken += (uint32_t)n;
    bool is_receiving = stream->state < TBH_MUX_ENDED;
    if (is_receiving && stream->taken >= h->options.stream_window / 2)
        tbh_mux_enqueue(stream, TBH_MUX_CREDIT);
}

TBH_FN void tbh_mux_write_credit(tbh_mux *h) {
    tbh_mux_stream *stream;
    if (h->is_failed) return;
    if (h->taken >= h->options.connection_window / 2) {
        turbohttp_h2_write_window_update(&h->out, 0, h->taken);
        h->window += h->taken;
        h->taken = 0;
    }
    while ((stream = h->queues[TBH_MUX_CREDIT].first) != NULL) {
        tbh_mux_dequeue(stream, TBH_MUX_CREDIT);
        if (stream->state >= TBH_MUX_ENDED) continue;
        turbohttp_h2_write_window_update(&h->out, stream->id, stream->taken);
        stream->window += stream->taken;
        stream->taken = 0;
    }
}

/* ------------------------------------------------------------ what we send */
/* False: the sum would be no window any more (§6.9.1). What was sent was once allowed, so a window is
 * never below -(2^31-1). */
static bool tbh_mux_widen(int32_t *window, int32_t n) {
    if (n > 0 && *window > TBH_MUX_LARGEST_WINDOW - n) return false;
    *window += n;
    return true;
}

static void tbh_mux_may_send(tbh_mux_stream *stream) {
    bool has_more = stream->body || stream->small.length;
    if (has_more && stream->send_window > 0) tbh_mux_resume_source(stream);
}

/* An increment may be for a stream that has just ended; for one that never began it is an error.
 * Credit that nothing was sent for is what a flood is made of: it is paid with what we send. */
TBH_FN void tbh_mux_on_window_update(tbh_mux *h, uint32_t stream_id, uint32_t increment) {
    tbh_mux_stream *stream = stream_id ? tbh_mux_find(h, stream_id) : NULL;
    if (!tbh_mux_count_control(h)) return;
    if (stream_id == 0) {
        if (!tbh_mux_widen(&h->send_window, (int32_t)increment))
            tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_FLOW_CONTROL_ERROR);
        return;
    }
    if (!stream || stream->state == TBH_MUX_CLOSED) return;
    tbh_mux_step(stream, TBH_MUX_IN_WINDOW);
    if (tbh_mux_widen(&stream->send_window, (int32_t)increment)) tbh_mux_may_send(stream);
    else tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_FLOW_CONTROL_ERROR);
}

/* §6.9.2: the difference goes to every stream, and may make its window negative. */
TBH_FN void tbh_mux_on_initial_window(tbh_mux *h, uint32_t window) {
    int32_t difference = (int32_t)window - (int32_t)h->peer_window;
    h->peer_window = window;
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next) {
        if (!tbh_mux_widen(&stream->send_window, difference)) {
            tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_FLOW_CONTROL_ERROR);
            return;
        }
        tbh_mux_may_send(stream);
    }
}

TBH_FN size_t tbh_mux_allowance(const tbh_mux_stream *stream) {
    int32_t n = stream->send_window;
    if (stream->mux->send_window < n) n = stream->mux->send_window;
    if (n > TBH_H2_LEAST_FRAME) n = TBH_H2_LEAST_FRAME;
    return n > 0 ? (size_t)n : 0;
}

/* Each frame of body earns the peer the updates that answer it. */
TBH_FN void tbh_mux_spend_window(tbh_mux_stream *stream, size_t n) {
    stream->send_window -= (int32_t)n;
    stream->mux->send_window -= (int32_t)n;
    tbh_mux_bucket_give(&stream->mux->control, 4);
}
