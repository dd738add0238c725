/* HTTP/2 connection: its life, and the frames that come in (RFC 9113 §3, §5, §6).
 *
 * Owns the receive block, the header tables of both directions and every deadline.
 * Invariants: the first frame is SETTINGS; streams are found by number, and a number that was given
 * back is remembered only by being below `next_id`; after a failure nothing that comes is looked at
 * (S-46).
 * Input: any bytes in any split. Does not know: sockets, clocks, what a response is for. */
#include "conn_h2.h"

/* Of the header tables: what both sides begin with (RFC 7541 §4.2), or nothing where memory is dear:
 * that is said in the first SETTINGS, so it is known before the first response. */
#define TBH_MUX_TABLE_BYTES (TBH_SMALL ? 0u : 4096u)

/* ------------------------------------------------------------ life */
static tbh_mux_options tbh_mux_with_defaults(const tbh_mux_options *given) {
    tbh_mux_options o;
    memset(&o, 0, sizeof o);
    if (given) o = *given;
    if (!o.stream_window) o.stream_window = TBH_SMALL ? 8192 : 1u << 20;
    if (!o.connection_window) o.connection_window = TBH_SMALL ? 65535 : 4u << 20;
    if (!o.streams) o.streams = TBH_SMALL ? 4 : 100;
    if (!o.settings_us) o.settings_us = 10000000;
    if (!o.ping_us) o.ping_us = 30000000;
    if (!o.ping_answer_us) o.ping_answer_us = 10000000;
    if (!o.trust_us) o.trust_us = 3000000;
    if (!o.trust_answer_us) o.trust_answer_us = 5000000;
    if (!o.first_id) o.first_id = 1;
    if (o.connection_window < 65535) o.connection_window = 65535; /* it cannot be made smaller */
    return o;
}

static bool tbh_mux_rent_tables(tbh_mux *h) {
    if (TBH_MUX_TABLE_BYTES == 0) return true;
    h->decoder_memory = turbohttp_byte_pool_rent(
        h->pool, TURBOHTTP_HPACK_DECODER_BYTES(TBH_MUX_TABLE_BYTES), &h->decoder_bytes);
    h->encoder_memory = turbohttp_byte_pool_rent(
        h->pool, TURBOHTTP_HPACK_ENCODER_BYTES(TBH_MUX_TABLE_BYTES), &h->encoder_bytes);
    return h->decoder_memory && h->encoder_memory;
}

/* They hold header values. */
static void tbh_mux_return_table(tbh_mux *h, void **memory, size_t bytes) {
    if (!*memory) return;
    tbh_wipe(*memory, bytes);
    turbohttp_byte_pool_return(h->pool, *memory, bytes);
    *memory = NULL;
}

/* Scratch is lent when blocks come; until then the decoder only needs to know that there is some. */
static turbohttp_status tbh_mux_init_tables(tbh_mux *h) {
    if (!tbh_mux_rent_tables(h)) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status = turbohttp_hpack_decoder_init(
        &h->decoder, h->decoder_memory, h->decoder_bytes, TBH_MUX_TABLE_BYTES, h,
        TBH_MUX_TABLE_BYTES + 1, h->limits->head_bytes);
    h->decoder.scratch = NULL;
    h->decoder.scratch_bytes = 0;
    if (status != TURBOHTTP_OK) return status;
    return turbohttp_hpack_encoder_init(&h->encoder, h->encoder_memory, h->encoder_bytes,
                                        TBH_MUX_TABLE_BYTES);
}

TBH_FN turbohttp_status tbh_mux_init(tbh_mux *h, turbohttp_byte_pool *pool,
                                     const turbohttp_limits *limits, const tbh_mux_options *options,
                                     bool is_tls, uint64_t now_us) {
    memset(h, 0, sizeof *h);
    h->pool = pool;
    h->limits = limits;
    h->options = tbh_mux_with_defaults(options);
    h->scheme = tbh_span_of(is_tls ? "https" : "http");
    h->now_us = h->last_receive_us = now_us;
    h->next_id = h->options.first_id;
    h->peer_streams = UINT32_MAX;
    h->goaway_last = UINT32_MAX;
    h->send_window = 65535; /* §6.9.2 */
    h->window = h->peer_window = 65535;
    h->settings_due_us = now_us + h->options.settings_us;
    h->ping_at_us = h->ping_due_us = UINT64_MAX;
    tbh_mux_bucket_init(&h->control, TBH_SMALL ? 100 : 1000, TBH_SMALL ? 10 : 100, now_us);
    tbh_mux_bucket_init(&h->resets, TBH_SMALL ? 20 : 100, TBH_SMALL ? 2 : 10, now_us);
    turbohttp_h2_reader_init(&h->reader, NULL);
    turbohttp_writer_init(&h->out, pool, 0);
    turbohttp_status status = tbh_mux_init_tables(h);
    return status == TURBOHTTP_OK ? tbh_mux_write_preface(h) : status;
}

static void tbh_mux_drop_block(tbh_mux *h) {
    if (h->block) { /* it may hold cookies (RELIABILITY 3.6) */
        tbh_wipe(h->block, h->block_used);
        turbohttp_byte_pool_return(h->pool, h->block, h->block_bytes);
    }
    h->block_used = 0;
    h->block = h->at = h->fill = NULL;
}

TBH_FN void tbh_mux_reset(tbh_mux *h) {
    tbh_mux_drop_block(h);
    tbh_mux_drop_common(h);
    tbh_mux_section_drop(h->pool, &h->head.section);
    h->is_in_block = false;
    tbh_mux_return_scratch(h);
    tbh_mux_return_table(h, &h->decoder_memory, h->decoder_bytes);
    tbh_mux_return_table(h, &h->encoder_memory, h->encoder_bytes);
    tbh_mux_wipe_out(h);
    turbohttp_writer_reset(&h->out);
}

TBH_FN bool tbh_mux_can_start(const tbh_mux *h) {
    uint32_t live = h->queues[TBH_MUX_LIVE].count;
    return !(h->is_failed | h->is_draining | h->is_ended) && live < h->options.streams &&
           live < h->peer_streams;
}

TBH_FN void tbh_mux_fail(tbh_mux *h, turbohttp_status status, uint32_t code) {
    if (h->is_failed) return;
    h->is_failed = h->is_draining = true;
    h->notices |= TBH_MUX_NOTICE_FAILED;
    h->status = status;
    h->code = code;
    h->at = h->fill;
    h->end_is_due = false;
    h->settings_due_us = h->ping_at_us = h->ping_due_us = UINT64_MAX;
    if (!h->is_ended) turbohttp_h2_write_goaway(&h->out, 0, code, tbh_span(NULL, 0));
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next)
        tbh_mux_lose_stream(stream, status, code, false);
}

/* ------------------------------------------------------------ the input port */
/* Two full receives in a row double the next one; a small one makes a step back. */
static size_t tbh_mux_wanted_bytes(const tbh_mux *h) {
    size_t bytes = h->limits->block_bytes;
    for (uint8_t i = 1; i < h->full_receives && bytes < h->limits->receive_bytes; i++) bytes *= 2;
    return bytes;
}

TBH_FN uint8_t *tbh_mux_in_room(tbh_mux *h, size_t *room) {
    size_t wanted = tbh_mux_wanted_bytes(h);
    *room = 0;
    if (h->at != h->fill || h->end_is_due) return NULL;
    tbh_mux_settle(h); /* what was offered lies in the block */
    if (h->block && h->block_bytes < wanted) tbh_mux_drop_block(h);
    if (!h->block) h->block = (uint8_t *)turbohttp_byte_pool_rent(h->pool, wanted, &h->block_bytes);
    if (!h->block) return NULL;
    h->at = h->fill = h->block;
    *room = h->block_bytes;
    return h->block;
}

TBH_FN void tbh_mux_in_commit(tbh_mux *h, size_t n) {
    h->fill += n;
    h->block_used = tbh_max_size(h->block_used, n);
    if (h->is_failed) h->at = h->fill;
    if (n == h->block_bytes && tbh_mux_wanted_bytes(h) < h->limits->receive_bytes)
        h->full_receives++;
    else if (n < h->block_bytes / 4 && h->full_receives > 0) h->full_receives--;
}

TBH_FN void tbh_mux_in_end(tbh_mux *h) {
    h->is_ended = true;
}

TBH_FN bool tbh_mux_in_wanted(const tbh_mux *h) {
    return h->at == h->fill && !(h->is_failed | h->is_ended | h->end_is_due);
}

/* ------------------------------------------------------------ which stream */
/* §5.1: numbers that were never used are nobody's; those below `next_id` had their time. */
static bool tbh_mux_is_idle(const tbh_mux *h, uint32_t id) {
    return id % 2 == 0 || id >= h->next_id || id < h->options.first_id;
}

static bool tbh_mux_select(tbh_mux *h, uint32_t id) {
    h->reading = tbh_mux_find(h, id);
    if (h->reading || !tbh_mux_is_idle(h, id)) return true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_PROTOCOL_ERROR);
    return false;
}

/* ------------------------------------------------------------ DATA (§6.1) */
/* More than the head said is refused before a byte of it is shown (§8.1.1). */
static uint32_t tbh_mux_count_body(tbh_mux_stream *stream, uint32_t n) {
    stream->received += n;
    bool is_too_much = stream->has_expected && stream->received > stream->expected;
    return is_too_much ? (uint32_t)TURBOHTTP_H2_PROTOCOL_ERROR : 0;
}

static void tbh_mux_on_data(tbh_mux *h, const turbohttp_h2_frame *frame) {
    bool is_connection, ends = (frame->flags & TURBOHTTP_H2_END_STREAM) != 0;
    if (!tbh_mux_select(h, frame->stream_id)) return;
    tbh_mux_stream *stream = h->reading;
    if (frame->length == 0 && !ends && !tbh_mux_count_control(h)) return;
    if (stream && stream->state == TBH_MUX_CLOSED) stream = h->reading = NULL;
    if (!stream && !tbh_mux_take_late(h, frame->length)) return;
    uint32_t code = tbh_mux_charge(h, stream, frame->length, &is_connection);
    if (code && is_connection) {
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, code);
        return;
    }
    /* END_STREAM is looked at when the bytes in front of it have come. */
    if (stream && !code && !stream->has_head) code = TURBOHTTP_H2_PROTOCOL_ERROR;
    if (stream && !code) code = tbh_mux_step(stream, TBH_MUX_IN_DATA);
    if (stream && !code) code = tbh_mux_count_body(stream, h->reader.left - h->reader.padding);
    if (!stream || !code) return;
    tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, code);
    h->reading = NULL;
}

/* Straight to the consumer, unless older bytes of the stream wait. */
static void tbh_mux_on_data_bytes(tbh_mux *h, turbohttp_span bytes, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    if (!stream || stream->state == TBH_MUX_CLOSED) return; /* given back with the frame's end */
    h->seen += (uint32_t)bytes.length;
    tbh_mux_offer(stream, bytes, event);
    if (!stream->held.length && !stream->is_paused) return;
    tbh_mux_settle(h);
    memset(event, 0, sizeof *event);
}

/* Padding, and bytes that nobody wants, are used up at once. */
static void tbh_mux_on_data_end(tbh_mux *h, const turbohttp_h2_frame *frame) {
    tbh_mux_stream *stream = h->reading;
    bool ends = (frame->flags & TURBOHTTP_H2_END_STREAM) != 0;
    if (stream && stream->state == TBH_MUX_CLOSED) stream = NULL;
    tbh_mux_credit(h, stream, frame->length - h->seen);
    h->reading = NULL;
    if (!stream || !ends) return;
    tbh_mux_step(stream, TBH_MUX_IN_DATA_END);
    tbh_mux_end_received(stream);
}

/* ------------------------------------------------------------ HEADERS, CONTINUATION (§6.2, §6.10) */
static void tbh_mux_on_headers(tbh_mux *h, const turbohttp_h2_frame *frame) {
    if (!tbh_mux_select(h, frame->stream_id)) return;
    tbh_mux_stream *stream = h->reading;
    if (stream && stream->state == TBH_MUX_CLOSED) stream = h->reading = NULL;
    if (!stream && !tbh_mux_count_control(h)) return;
    if (stream && stream->state == TBH_MUX_ENDED) { /* §5.1: the block is decoded all the same */
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_STREAM_CLOSED);
        h->reading = NULL;
    }
    tbh_mux_block_begin(h, (frame->flags & TURBOHTTP_H2_END_STREAM) != 0);
}

/* ------------------------------------------------------------ RST_STREAM (§6.4), GOAWAY (§6.8) */
static void tbh_mux_on_rst_stream(tbh_mux *h, uint32_t id, uint32_t code) {
    if (!tbh_mux_select(h, id)) return;
    tbh_mux_stream *stream = h->reading;
    h->reading = NULL;
    if (!tbh_mux_bucket_take(&h->resets, h->now_us)) { /* S-43 */
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_FLOOD, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
        return;
    }
    if (stream)
        tbh_mux_lose_stream(stream, TURBOHTTP_ERR_H2_RESET, code,
                            code == TURBOHTTP_H2_REFUSED_STREAM);
}

/* What the peer will not look at any more can be repeated elsewhere. */
static void tbh_mux_on_goaway(tbh_mux *h, uint32_t last, uint32_t code) {
    if (!tbh_mux_count_control(h)) return;
    h->is_draining = true;
    h->notices |= TBH_MUX_NOTICE_GOAWAY;
    h->code = code;
    if (last < h->goaway_last) h->goaway_last = last;
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next)
        if (stream->id > h->goaway_last)
            tbh_mux_lose_stream(stream, TURBOHTTP_ERR_H2_GOAWAY, code, true);
}

/* ------------------------------------------------------------ SETTINGS (§6.5), PING (§6.7) */
static void tbh_mux_on_setting(tbh_mux *h, turbohttp_h2_setting setting) {
    switch (setting.id) {
    case TURBOHTTP_H2_HEADER_TABLE_SIZE:
        tbh_mux_forget_common(h);
        turbohttp_hpack_encoder_resize(&h->encoder, setting.value);
        break;
    case TURBOHTTP_H2_MAX_CONCURRENT_STREAMS: h->peer_streams = setting.value; break;
    case TURBOHTTP_H2_INITIAL_WINDOW_SIZE: tbh_mux_on_initial_window(h, setting.value); break;
    default: break; /* our frames and lists are smaller than any peer's limit may be */
    }
}

static void tbh_mux_on_settings_ack(tbh_mux *h) {
    if (h->settings_due_us == UINT64_MAX) return; /* one too many brings nothing, and was counted */
    h->settings_due_us = UINT64_MAX;
    h->notices |= TBH_MUX_NOTICE_ACK;
}

static void tbh_mux_on_settings_end(tbh_mux *h, const turbohttp_h2_frame *frame) {
    if (frame->flags & TURBOHTTP_H2_ACK) tbh_mux_on_settings_ack(h);
    else if (tbh_mux_may_control(h)) turbohttp_h2_write_settings_ack(&h->out);
}

static void tbh_mux_on_ping(tbh_mux *h, const turbohttp_h2_event *in) {
    if (!tbh_mux_count_control(h)) return;
    if (!(in->frame.flags & TURBOHTTP_H2_ACK)) {
        if (tbh_mux_may_control(h)) turbohttp_h2_write_ping(&h->out, in->ping, true);
    } else if (h->ping_due_us != UINT64_MAX && tbh_load32_be(in->ping + 4) == h->pings) {
        h->ping_due_us = UINT64_MAX;
    }
}

/* ------------------------------------------------------------ the driver */
/* §3.4: the preface of a server is SETTINGS. */
static bool tbh_mux_is_in_order(tbh_mux *h, const turbohttp_h2_frame *frame) {
    bool is_settings = frame->type == TURBOHTTP_H2_SETTINGS && !(frame->flags & TURBOHTTP_H2_ACK);
    if (h->settings_seen || is_settings) return h->settings_seen = true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_PROTOCOL_ERROR);
    return false;
}

static void tbh_mux_on_frame(tbh_mux *h, const turbohttp_h2_event *in) {
    const turbohttp_h2_frame *frame = &in->frame;
    h->seen = 0;
    if (!tbh_mux_is_in_order(h, frame)) return;
    switch (frame->type) {
    case TURBOHTTP_H2_DATA: tbh_mux_on_data(h, frame); break;
    case TURBOHTTP_H2_HEADERS: tbh_mux_on_headers(h, frame); break;
    case TURBOHTTP_H2_RST_STREAM: tbh_mux_on_rst_stream(h, frame->stream_id, in->error); break;
    case TURBOHTTP_H2_PUSH_PROMISE: /* ENABLE_PUSH is 0 (§8.4, S-44) */
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_PROTOCOL_ERROR);
        break;
    case TURBOHTTP_H2_PING: tbh_mux_on_ping(h, in); break;
    case TURBOHTTP_H2_GOAWAY: tbh_mux_on_goaway(h, in->other_id, in->error); break;
    case TURBOHTTP_H2_WINDOW_UPDATE:
        if (frame->stream_id == 0 || tbh_mux_select(h, frame->stream_id))
            tbh_mux_on_window_update(h, frame->stream_id, in->increment);
        h->reading = NULL;
        break;
    case TURBOHTTP_H2_CONTINUATION: break;
    default: tbh_mux_count_control(h); break; /* SETTINGS, PRIORITY and what we do not know */
    }
}

static void tbh_mux_on_bytes(tbh_mux *h, const turbohttp_h2_frame *frame, turbohttp_span bytes,
                             tbh_mux_event *event) {
    bool is_block = frame->type == TURBOHTTP_H2_HEADERS || frame->type == TURBOHTTP_H2_CONTINUATION;
    if (frame->type == TURBOHTTP_H2_DATA) tbh_mux_on_data_bytes(h, bytes, event);
    else if (is_block) tbh_mux_block_bytes(h, bytes);
}

static void tbh_mux_on_end(tbh_mux *h, const turbohttp_h2_frame *frame, tbh_mux_event *event) {
    bool is_block = frame->type == TURBOHTTP_H2_HEADERS || frame->type == TURBOHTTP_H2_CONTINUATION;
    if (frame->type == TURBOHTTP_H2_DATA) tbh_mux_on_data_end(h, frame);
    else if (is_block && (frame->flags & TURBOHTTP_H2_END_HEADERS)) tbh_mux_block_end(h, event);
    else if (frame->type == TURBOHTTP_H2_SETTINGS) tbh_mux_on_settings_end(h, frame);
}

/* Most frames come whole: their body needs no further words of the reader. What ends with the frame
 * waits until the body is settled. */
static void tbh_mux_on_whole_body(tbh_mux *h, const turbohttp_h2_frame *frame,
                                  tbh_mux_event *event) {
    turbohttp_span body;
    if (TBH_SMALL || h->is_failed) return;
    if (!tbh_h2_read_body(&h->reader, h->at, h->fill, &body)) return;
    h->at += body.length;
    if (body.length) tbh_mux_on_bytes(h, frame, body, event);
    if (event->kind != TBH_MUX_NOTHING) h->end_is_due = true;
    else if (!h->is_failed) tbh_mux_on_end(h, frame, event);
}

static void tbh_mux_on_stream_error(tbh_mux *h, const turbohttp_h2_event *in) {
    if (!tbh_mux_is_in_order(h, &in->frame) || !tbh_mux_count_control(h)) return;
    tbh_mux_stream *stream = tbh_mux_find(h, in->frame.stream_id);
    if (stream) tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, in->error);
}

static void tbh_mux_on_event(tbh_mux *h, const turbohttp_h2_event *in, tbh_mux_event *event) {
    switch (in->kind) {
    case TURBOHTTP_H2_EVENT_FRAME:
        tbh_mux_on_frame(h, in);
        tbh_mux_on_whole_body(h, &in->frame, event);
        break;
    case TURBOHTTP_H2_EVENT_SETTING: tbh_mux_on_setting(h, in->setting); break;
    case TURBOHTTP_H2_EVENT_BYTES: tbh_mux_on_bytes(h, &in->frame, in->bytes, event); break;
    case TURBOHTTP_H2_EVENT_STREAM_ERROR: tbh_mux_on_stream_error(h, in); break;
    case TURBOHTTP_H2_EVENT_END: tbh_mux_on_end(h, &in->frame, event); break;
    }
}

static bool tbh_mux_next_notice(tbh_mux *h, tbh_mux_event *event) {
    static const uint8_t kinds[] = {TBH_MUX_SETTINGS_ACK, TBH_MUX_GOAWAY, TBH_MUX_FAILED};
    if (!h->notices) return false;
    unsigned first = h->notices & 1 ? 0 : h->notices & 2 ? 1 : 2;
    h->notices = (uint8_t)(h->notices & ~(1u << first));
    event->kind = (tbh_mux_event_kind)kinds[first];
    return true;
}

/* The peer has gone: what is not whole now will never be. */
static void tbh_mux_on_peer_end(tbh_mux *h) {
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next)
        if (stream->has_head) tbh_mux_lose_stream(stream, TURBOHTTP_ERR_BODY_TRUNCATED, 0, false);
    tbh_mux_fail(h, TURBOHTTP_ERR_NO_RESPONSE, TURBOHTTP_H2_NO_ERROR);
}

/* False: bytes are missing. The end of a frame is said without any. */
static bool tbh_mux_read(tbh_mux *h, tbh_mux_event *event) {
    turbohttp_h2_event in;
    const uint8_t *at = h->at;
    size_t left = (size_t)(h->fill - h->at);
    if (h->end_is_due) {
        h->end_is_due = false;
        tbh_mux_on_end(h, &h->reader.frame, event);
        return true;
    }
    if (!h->block) return false;
    if (left) h->last_receive_us = h->now_us;
    turbohttp_status status = turbohttp_h2_read(&h->reader, &at, &left, &in);
    h->at += at - h->at;
    if (status == TURBOHTTP_OK) tbh_mux_on_event(h, &in, event);
    else if (status < 0) tbh_mux_fail(h, status, in.error);
    return status != TURBOHTTP_PENDING;
}

/* Each turn takes something off a queue, or bytes off the input. */
TBH_FN tbh_mux_event_kind tbh_mux_next(tbh_mux *h, uint64_t now_us, tbh_mux_event *event) {
    h->now_us = now_us;
    if (h->offered_to) tbh_mux_settle(h);
    memset(event, 0, sizeof *event);
    for (;;) {
        if (tbh_mux_next_ready(h, event)) return event->kind;
        if (tbh_mux_next_notice(h, event)) return event->kind;
        if (h->is_failed) return TBH_MUX_NOTHING;
        if (tbh_mux_read(h, event)) {
            if (event->kind != TBH_MUX_NOTHING) return event->kind;
        } else if (h->is_ended) {
            tbh_mux_on_peer_end(h);
        } else {
            tbh_mux_return_scratch(h);
            if (h->queues[TBH_MUX_LIVE].count == 0) tbh_mux_drop_block(h);
            return TBH_MUX_NOTHING;
        }
    }
}

/* ------------------------------------------------------------ time */
TBH_FN void tbh_mux_ask(tbh_mux *h, uint64_t answer_us) {
    uint8_t bytes[8] = {'t', 'u', 'r', 'b', 0, 0, 0, 0};
    if (h->ping_due_us != UINT64_MAX || h->is_failed) return;
    tbh_store32_be(bytes + 4, ++h->pings);
    h->ping_sent_us = h->now_us;
    h->ping_due_us = h->now_us + answer_us;
    if (tbh_mux_may_control(h)) turbohttp_h2_write_ping(&h->out, bytes, false);
}

/* The answer may stand behind many bytes: as long as there are any, the peer is not silent. */
static void tbh_mux_miss_answer(tbh_mux *h) {
    h->ping_due_us = UINT64_MAX;
    if (h->last_receive_us <= h->ping_sent_us)
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_SILENCE, TURBOHTTP_H2_NO_ERROR);
}

TBH_FN void tbh_mux_tick(tbh_mux *h, uint64_t now_us) {
    h->now_us = now_us;
    if (now_us >= h->settings_due_us)
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_SILENCE, TURBOHTTP_H2_SETTINGS_TIMEOUT);
    if (now_us >= h->ping_due_us) tbh_mux_miss_answer(h);
    if (h->is_failed || now_us < h->ping_at_us) return;
    uint64_t quiet_until_us = h->last_receive_us + h->options.ping_us;
    bool is_silent = now_us >= quiet_until_us;
    h->ping_at_us = is_silent ? now_us + h->options.ping_us : quiet_until_us;
    if (is_silent) tbh_mux_ask(h, h->options.ping_answer_us);
}

TBH_FN uint64_t tbh_mux_deadline(const tbh_mux *h) {
    uint64_t due = h->settings_due_us;
    if (h->ping_at_us < due) due = h->ping_at_us;
    return h->ping_due_us < due ? h->ping_due_us : due;
}
