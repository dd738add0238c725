/* HTTP/2 frames: headers, fixed fields and rules in; frames out (RFC 9113 §4, §6; RFC 9218 §7.1).
 *
 * Owns nothing. A frame is its header, fixed fields of at most eight bytes, a body that is handed out
 * as it comes, and padding. Headers and fixed fields that come in pieces wait in the carry; nothing
 * else is kept.
 * Invariants: `left` counts what is still to come of the payload, `padding` ≤ `left`; no rule is
 * looked at before its bytes are complete. Every rule that has a type of its own is in that type's
 * row or function.
 * Does not know: states of streams, flow control, what settings do, header compression. */
#include "h2_frame.h"

enum { /* what comes next */
       TBH_H2_HEADER,
       TBH_H2_FIXED,  /* fixed fields */
       TBH_H2_ENTRY,  /* a setting */
       TBH_H2_BODY,   /* pieces to hand out */
       TBH_H2_SKIP,   /* padding, and what is not looked at */
       TBH_H2_FINISH, /* END */
       TBH_H2_FAILED
};

enum { TBH_H2_MAX_LENGTH = 0xffffff, TBH_H2_ENTRY_BYTES = 6 };

#define TBH_H2_ID_MASK 0x7fffffffu

/* ------------------------------------------------------------ rules */
enum { TBH_H2_ANY, TBH_H2_CONNECTION, TBH_H2_STREAM }; /* where a type belongs */

/* What a type asks of its header. A payload of another length than `exact`, or shorter than the fixed
 * fields, is a connection error (but see PRIORITY). */
typedef struct tbh_h2_rule {
    uint8_t place;
    uint8_t fixed; /* bytes of fixed fields, without the padding's length and priority */
    bool is_exact; /* the payload is nothing else */
    bool can_pad;
    uint8_t then; /* the state behind the fixed fields */
} tbh_h2_rule;

static const tbh_h2_rule tbh_h2_rules[] = {
    /* DATA */ {TBH_H2_STREAM, 0, false, true, TBH_H2_BODY},
    /* HEADERS */ {TBH_H2_STREAM, 0, false, true, TBH_H2_BODY},
    /* PRIORITY */ {TBH_H2_STREAM, 5, true, false, TBH_H2_SKIP},
    /* RST_STREAM */ {TBH_H2_STREAM, 4, true, false, TBH_H2_SKIP},
    /* SETTINGS */ {TBH_H2_CONNECTION, 0, false, false, TBH_H2_ENTRY},
    /* PUSH_PROMISE */ {TBH_H2_STREAM, 4, false, true, TBH_H2_BODY},
    /* PING */ {TBH_H2_CONNECTION, 8, true, false, TBH_H2_SKIP},
    /* GOAWAY */ {TBH_H2_CONNECTION, 8, false, false, TBH_H2_BODY},
    /* WINDOW_UPDATE */ {TBH_H2_ANY, 4, true, false, TBH_H2_SKIP},
    /* CONTINUATION */ {TBH_H2_STREAM, 0, false, false, TBH_H2_BODY},
    /* unknown */ {TBH_H2_ANY, 0, false, false, TBH_H2_SKIP},
    /* PRIORITY_UPDATE */ {TBH_H2_CONNECTION, 4, false, false, TBH_H2_BODY},
};

static const tbh_h2_rule *tbh_h2_rule_of(const turbohttp_h2_frame *frame) {
    if (frame->type <= TURBOHTTP_H2_CONTINUATION) return &tbh_h2_rules[frame->type];
    return &tbh_h2_rules[frame->type == TURBOHTTP_H2_PRIORITY_UPDATE ? 11 : 10];
}

static bool tbh_h2_is(const turbohttp_h2_frame *frame, unsigned flag) {
    return (frame->flags & flag) != 0;
}

static bool tbh_h2_is_padded(const turbohttp_h2_frame *frame) {
    return tbh_h2_is(frame, TURBOHTTP_H2_PADDED) && tbh_h2_rule_of(frame)->can_pad;
}

static bool tbh_h2_has_priority(const turbohttp_h2_frame *frame) {
    return frame->type == TURBOHTTP_H2_HEADERS && tbh_h2_is(frame, TURBOHTTP_H2_HAS_PRIORITY);
}

/* Bytes in front of the body. */
static uint8_t tbh_h2_fixed_bytes(const turbohttp_h2_frame *frame, const tbh_h2_rule *rule) {
    unsigned n = rule->fixed;
    if (tbh_h2_has_priority(frame)) n += 5;
    return (uint8_t)(tbh_h2_is_padded(frame) ? n + 1 : n);
}

/* RFC 9113 §6.2, §6.10: a header block is not interrupted by anything, and nothing continues without
 * one (S-40: nor for ever). */
static uint32_t tbh_h2_check_order(turbohttp_h2_reader *r) {
    const turbohttp_h2_frame *frame = &r->frame;
    bool is_continuation = frame->type == TURBOHTTP_H2_CONTINUATION;
    bool is_expected = r->block_stream && r->block_stream == frame->stream_id;
    if (is_continuation ? !is_expected : r->block_stream != 0) return TURBOHTTP_H2_PROTOCOL_ERROR;
    if (!is_continuation) r->continuations = 0;
    if (is_continuation && ++r->continuations > r->limits.continuations)
        return TURBOHTTP_H2_ENHANCE_YOUR_CALM;
    bool is_block = is_continuation || frame->type == TURBOHTTP_H2_HEADERS ||
                    frame->type == TURBOHTTP_H2_PUSH_PROMISE;
    if (is_block)
        r->block_stream = tbh_h2_is(frame, TURBOHTTP_H2_END_HEADERS) ? 0 : frame->stream_id;
    return 0;
}

/* §4.2, §6. */
static uint32_t tbh_h2_check_size(const turbohttp_h2_reader *r, const tbh_h2_rule *rule) {
    const turbohttp_h2_frame *frame = &r->frame;
    bool is_settings = frame->type == TURBOHTTP_H2_SETTINGS;
    if (frame->length > r->limits.frame_bytes) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (frame->type == TURBOHTTP_H2_PRIORITY) return 0; /* §6.3: an error of the stream */
    if (frame->length < r->fixed) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (rule->is_exact && frame->length != rule->fixed) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (!is_settings) return 0;
    if (tbh_h2_is(frame, TURBOHTTP_H2_ACK) && frame->length) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (frame->length % TBH_H2_ENTRY_BYTES) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    bool is_flood = frame->length / TBH_H2_ENTRY_BYTES > r->limits.settings;
    return is_flood ? (uint32_t)TURBOHTTP_H2_ENHANCE_YOUR_CALM : 0;
}

/* The code of the connection error that the header is, or 0. */
static uint32_t tbh_h2_check_header(turbohttp_h2_reader *r) {
    const turbohttp_h2_frame *frame = &r->frame;
    const tbh_h2_rule *rule = tbh_h2_rule_of(frame);
    uint8_t place = rule->place;
    r->fixed = tbh_h2_fixed_bytes(frame, rule);
    r->then = rule->then;
    if (place == TBH_H2_STREAM && frame->stream_id == 0) return TURBOHTTP_H2_PROTOCOL_ERROR;
    if (place == TBH_H2_CONNECTION && frame->stream_id) return TURBOHTTP_H2_PROTOCOL_ERROR;
    uint32_t error = tbh_h2_check_size(r, rule);
    return error ? error : tbh_h2_check_order(r);
}

/* §6.5.2, RFC 8441 §3, RFC 9218 §2.1: the code of the error that a value is, or 0. */
static uint32_t tbh_h2_check_setting(const turbohttp_h2_reader *r, turbohttp_h2_setting s) {
    switch (s.id) {
    case TURBOHTTP_H2_ENABLE_PUSH:
        return s.value > (r->limits.is_server ? 1u : 0u) ? TURBOHTTP_H2_PROTOCOL_ERROR : 0;
    case TURBOHTTP_H2_INITIAL_WINDOW_SIZE:
        return s.value > TBH_H2_ID_MASK ? TURBOHTTP_H2_FLOW_CONTROL_ERROR : 0;
    case TURBOHTTP_H2_MAX_FRAME_SIZE:
        return s.value < TBH_H2_LEAST_FRAME || s.value > TBH_H2_MAX_LENGTH
                   ? TURBOHTTP_H2_PROTOCOL_ERROR
                   : 0;
    case TURBOHTTP_H2_ENABLE_CONNECT_PROTOCOL:
    case TURBOHTTP_H2_NO_RFC7540_PRIORITIES: return s.value > 1 ? TURBOHTTP_H2_PROTOCOL_ERROR : 0;
    default: return 0;
    }
}

/* ------------------------------------------------------------ fixed fields, a function for each type
 * They return the code of an error, or 0; an error of a stream is said in the event. */
static void tbh_h2_stream_error(turbohttp_h2_event *event, uint32_t error) {
    event->kind = TURBOHTTP_H2_EVENT_STREAM_ERROR;
    event->error = error;
}

static uint32_t tbh_h2_id(const uint8_t *p) {
    return tbh_load32_be(p) & TBH_H2_ID_MASK;
}

static void tbh_h2_read_priority_fields(const uint8_t *p, turbohttp_h2_event *event) {
    event->is_exclusive = p[0] >= 0x80;
    event->other_id = tbh_h2_id(p);
    event->weight = p[4];
}

static uint32_t tbh_h2_read_headers(const turbohttp_h2_reader *r, const uint8_t *p,
                                    turbohttp_h2_event *event) {
    if (tbh_h2_has_priority(&r->frame)) tbh_h2_read_priority_fields(p, event);
    return 0;
}

static uint32_t tbh_h2_read_push_promise(const turbohttp_h2_reader *r, const uint8_t *p,
                                         turbohttp_h2_event *event) {
    event->other_id = tbh_h2_id(p);
    bool is_even = event->other_id && event->other_id % 2 == 0; /* §5.1.1 */
    return r->limits.is_server || !is_even ? TURBOHTTP_H2_PROTOCOL_ERROR : 0;
}

/* §6.9: no credit at all is an error. */
static uint32_t tbh_h2_read_window_update(const turbohttp_h2_reader *r, const uint8_t *p,
                                          turbohttp_h2_event *event) {
    event->increment = tbh_h2_id(p);
    if (event->increment) return 0;
    if (r->frame.stream_id == 0) return TURBOHTTP_H2_PROTOCOL_ERROR;
    tbh_h2_stream_error(event, TURBOHTTP_H2_PROTOCOL_ERROR);
    return 0;
}

/* RFC 9218 §7.1: only clients send it. */
static uint32_t tbh_h2_read_priority_update(const turbohttp_h2_reader *r, const uint8_t *p,
                                            turbohttp_h2_event *event) {
    event->other_id = tbh_h2_id(p);
    return r->limits.is_server && event->other_id ? 0 : TURBOHTTP_H2_PROTOCOL_ERROR;
}

static uint32_t tbh_h2_read_goaway(const uint8_t *p, turbohttp_h2_event *event) {
    event->other_id = tbh_h2_id(p);
    event->error = tbh_load32_be(p + 4);
    return 0;
}

static uint32_t tbh_h2_read_fields(const turbohttp_h2_reader *r, const uint8_t *p,
                                   turbohttp_h2_event *event) {
    switch (r->frame.type) {
    case TURBOHTTP_H2_HEADERS: return tbh_h2_read_headers(r, p, event);
    case TURBOHTTP_H2_PRIORITY: tbh_h2_read_priority_fields(p, event); return 0;
    case TURBOHTTP_H2_RST_STREAM: event->error = tbh_load32_be(p); return 0;
    case TURBOHTTP_H2_PUSH_PROMISE: return tbh_h2_read_push_promise(r, p, event);
    case TURBOHTTP_H2_PING: memcpy(event->ping, p, 8); return 0;
    case TURBOHTTP_H2_GOAWAY: return tbh_h2_read_goaway(p, event);
    case TURBOHTTP_H2_WINDOW_UPDATE: return tbh_h2_read_window_update(r, p, event);
    case TURBOHTTP_H2_PRIORITY_UPDATE: return tbh_h2_read_priority_update(r, p, event);
    default: return 0;
    }
}

/* ------------------------------------------------------------ reading */
typedef struct tbh_h2_input {
    const uint8_t *p, *end;
} tbh_h2_input;

TURBOHTTP_API void turbohttp_h2_reader_init(turbohttp_h2_reader *reader,
                                            const turbohttp_h2_limits *limits) {
    memset(reader, 0, sizeof *reader);
    if (limits) reader->limits = *limits;
    turbohttp_h2_limits *l = &reader->limits;
    if (l->frame_bytes == 0) l->frame_bytes = TBH_H2_LEAST_FRAME;
    if (l->continuations == 0) l->continuations = 8;
    if (l->settings == 0) l->settings = 32;
}

/* n bytes in one piece, or NULL while some are missing; those that are there wait in the carry. */
TBH_ALWAYS_INLINE const uint8_t *tbh_h2_take(turbohttp_h2_reader *r, tbh_h2_input *in, uint32_t n) {
    size_t there = (size_t)(in->end - in->p);
    const uint8_t *p = in->p;
    if (r->carried == 0 && there >= n) {
        in->p += n;
        return p;
    }
    there = tbh_min_size(there, n - r->carried);
    if (there) memcpy(r->carry + r->carried, p, there);
    r->carried = (uint8_t)(r->carried + there);
    in->p += there;
    if (r->carried < n) return NULL;
    r->carried = 0;
    return r->carry;
}

static turbohttp_status tbh_h2_fail(turbohttp_h2_reader *r, turbohttp_h2_event *event,
                                    uint32_t error) {
    r->state = TBH_H2_FAILED;
    r->error = event->error = error;
    return TURBOHTTP_ERR_H2_FRAME;
}

static turbohttp_status tbh_h2_step_header(turbohttp_h2_reader *r, tbh_h2_input *in,
                                           turbohttp_h2_event *event) {
    const uint8_t *p = tbh_h2_take(r, in, TURBOHTTP_H2_HEADER_BYTES);
    if (!p) return TURBOHTTP_PENDING;
    r->frame.length = tbh_load32_be(p) >> 8;
    r->frame.type = p[3];
    r->frame.flags = p[4];
    r->frame.stream_id = tbh_h2_id(p + 5);
    r->left = r->frame.length;
    r->padding = 0;
    event->frame = r->frame;
    uint32_t error = tbh_h2_check_header(r);
    if (error) return tbh_h2_fail(r, event, error);
    r->state = TBH_H2_FIXED;
    if (r->frame.type != TURBOHTTP_H2_PRIORITY || r->left == 5) return TURBOHTTP_PENDING;
    r->state = TBH_H2_SKIP;
    tbh_h2_stream_error(event, TURBOHTTP_H2_FRAME_SIZE_ERROR); /* §6.3 */
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_fixed(turbohttp_h2_reader *r, tbh_h2_input *in,
                                          turbohttp_h2_event *event) {
    uint32_t error;
    const uint8_t *p = r->fixed ? tbh_h2_take(r, in, r->fixed) : NULL;
    if (!p && r->fixed) return TURBOHTTP_PENDING;
    r->left -= r->fixed;
    event->kind = TURBOHTTP_H2_EVENT_FRAME;
    if (tbh_h2_is_padded(&r->frame)) {
        r->padding = *p++;
        if (r->padding > r->left) return tbh_h2_fail(r, event, TURBOHTTP_H2_PROTOCOL_ERROR);
    }
    error = p ? tbh_h2_read_fields(r, p, event) : 0;
    if (error) return tbh_h2_fail(r, event, error);
    bool is_good = event->kind == TURBOHTTP_H2_EVENT_FRAME;
    r->state = is_good ? r->then : (uint8_t)TBH_H2_SKIP;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_entry(turbohttp_h2_reader *r, tbh_h2_input *in,
                                          turbohttp_h2_event *event) {
    r->state = TBH_H2_FINISH;
    if (r->left == 0) return TURBOHTTP_PENDING;
    r->state = TBH_H2_ENTRY;
    const uint8_t *p = tbh_h2_take(r, in, TBH_H2_ENTRY_BYTES);
    if (!p) return TURBOHTTP_PENDING;
    r->left -= TBH_H2_ENTRY_BYTES;
    event->kind = TURBOHTTP_H2_EVENT_SETTING;
    event->setting.id = tbh_load16_be(p);
    event->setting.value = tbh_load32_be(p + 2);
    uint32_t error = tbh_h2_check_setting(r, event->setting);
    return error ? tbh_h2_fail(r, event, error) : TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_body(turbohttp_h2_reader *r, tbh_h2_input *in,
                                         turbohttp_h2_event *event) {
    size_t n = tbh_min_size((size_t)(in->end - in->p), r->left - r->padding);
    if (r->left == r->padding) r->state = TBH_H2_SKIP;
    if (n == 0) return TURBOHTTP_PENDING;
    event->kind = TURBOHTTP_H2_EVENT_BYTES;
    event->bytes = tbh_span((const char *)in->p, n);
    in->p += n;
    r->left -= (uint32_t)n;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_skip(turbohttp_h2_reader *r, tbh_h2_input *in) {
    size_t n = tbh_min_size((size_t)(in->end - in->p), r->left);
    in->p += n;
    r->left -= (uint32_t)n;
    if (r->left == 0) r->state = TBH_H2_FINISH;
    return TURBOHTTP_PENDING;
}

static turbohttp_status tbh_h2_step_finish(turbohttp_h2_reader *r, turbohttp_h2_event *event) {
    event->kind = TURBOHTTP_H2_EVENT_END;
    r->state = TBH_H2_HEADER;
    return TURBOHTTP_OK;
}

/* PENDING: go on if the state changed or there is input; the event is untouched. */
static turbohttp_status tbh_h2_step(turbohttp_h2_reader *r, tbh_h2_input *in,
                                    turbohttp_h2_event *event) {
    switch (r->state) {
    case TBH_H2_HEADER: return tbh_h2_step_header(r, in, event);
    case TBH_H2_FIXED: return tbh_h2_step_fixed(r, in, event);
    case TBH_H2_ENTRY: return tbh_h2_step_entry(r, in, event);
    case TBH_H2_BODY: return tbh_h2_step_body(r, in, event);
    case TBH_H2_SKIP: return tbh_h2_step_skip(r, in);
    case TBH_H2_FINISH: return tbh_h2_step_finish(r, event);
    default: return tbh_h2_fail(r, event, r->error);
    }
}

TURBOHTTP_API turbohttp_status turbohttp_h2_read(turbohttp_h2_reader *reader, const uint8_t **in,
                                                 size_t *in_length, turbohttp_h2_event *event) {
    tbh_h2_input input;
    turbohttp_status status;
    uint8_t state;
    input.p = *in;
    input.end = input.p + *in_length;
    memset(event, 0, sizeof *event);
    event->frame = reader->frame;
    do { /* ends: states only go forward within a frame, and FINISH hands out END */
        state = reader->state;
        status = tbh_h2_step(reader, &input, event);
    } while (status == TURBOHTTP_PENDING && reader->state != state);
    *in = input.p;
    *in_length = (size_t)(input.end - input.p);
    return status;
}

TBH_FN bool tbh_h2_read_body(turbohttp_h2_reader *r, const uint8_t *at, const uint8_t *end,
                             turbohttp_span *body) {
    if (r->state != TBH_H2_BODY || r->padding || r->left > (size_t)(end - at)) return false;
    *body = tbh_span((const char *)at, r->left);
    r->left = 0;
    r->state = TBH_H2_HEADER;
    return true;
}

/* ------------------------------------------------------------ writing */
TURBOHTTP_API void turbohttp_h2_write_frame_header(uint8_t out[TURBOHTTP_H2_HEADER_BYTES],
                                                   const turbohttp_h2_frame *frame) {
    tbh_store32_be(out, frame->length << 8 | frame->type);
    out[4] = frame->flags;
    tbh_store32_be(out + 5, frame->stream_id & TBH_H2_ID_MASK);
}

static turbohttp_h2_frame tbh_h2_frame(turbohttp_h2_type type, unsigned flags, uint32_t stream_id) {
    turbohttp_h2_frame frame;
    frame.length = 0;
    frame.type = (uint8_t)type;
    frame.flags = (uint8_t)flags;
    frame.stream_id = stream_id;
    return frame;
}

/* A frame of fixed fields, a body, and `padding` bytes with their length's own; whole or not at all. */
static turbohttp_status tbh_h2_put(turbohttp_writer *writer, turbohttp_h2_frame frame,
                                   turbohttp_span fixed, turbohttp_span body, uint32_t padding) {
    char *start;
    if (padding > 256) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (body.length > TBH_H2_MAX_LENGTH - fixed.length - padding) return TURBOHTTP_ERR_OVERFLOW;
    frame.length = (uint32_t)(fixed.length + body.length + padding);
    if (padding) frame.flags = (uint8_t)(frame.flags | TURBOHTTP_H2_PADDED);
    size_t total = TURBOHTTP_H2_HEADER_BYTES + frame.length;
    turbohttp_status status = turbohttp_writer_reserve(writer, total, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = (uint8_t *)start;
    turbohttp_h2_write_frame_header(out, &frame);
    out += TURBOHTTP_H2_HEADER_BYTES;
    if (padding) *out++ = (uint8_t)(padding - 1);
    if (fixed.length) memcpy(out, fixed.data, fixed.length);
    if (body.length) memcpy(out + fixed.length, body.data, body.length);
    if (padding) memset(out + fixed.length + body.length, 0, padding - 1);
    return turbohttp_writer_commit(writer, total);
}

static turbohttp_span tbh_h2_bytes(const uint8_t *p, size_t n) {
    return tbh_span((const char *)p, n);
}

static void tbh_h2_put_priority_fields(uint8_t out[5], const turbohttp_h2_priority *priority) {
    uint32_t exclusive = priority->is_exclusive ? ~TBH_H2_ID_MASK : 0;
    tbh_store32_be(out, (priority->parent & TBH_H2_ID_MASK) | exclusive);
    out[4] = priority->weight;
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_data(turbohttp_writer *writer, uint32_t stream_id,
                                                       turbohttp_span data, bool end_stream,
                                                       uint32_t padding) {
    turbohttp_h2_frame frame =
        tbh_h2_frame(TURBOHTTP_H2_DATA, end_stream ? TURBOHTTP_H2_END_STREAM : 0, stream_id);
    return tbh_h2_put(writer, frame, tbh_span(NULL, 0), data, padding);
}

/* HEADERS or PUSH_PROMISE with the start of a block, and the rest behind it. */
static turbohttp_status tbh_h2_put_block(turbohttp_writer *writer, turbohttp_h2_frame frame,
                                         turbohttp_span fixed, turbohttp_span block,
                                         uint32_t padding, uint32_t frame_bytes) {
    if (frame_bytes == 0) frame_bytes = TBH_H2_LEAST_FRAME;
    if (frame_bytes < TBH_H2_LEAST_FRAME || frame_bytes > TBH_H2_MAX_LENGTH || padding > 256)
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    size_t room = frame_bytes - fixed.length - padding;
    turbohttp_status status;
    do { /* ends: room > 0 */
        size_t n = tbh_min_size(block.length, room);
        if (n == block.length) frame.flags = (uint8_t)(frame.flags | TURBOHTTP_H2_END_HEADERS);
        status = tbh_h2_put(writer, frame, fixed, tbh_span(block.data, n), padding);
        block = tbh_span(n ? block.data + n : NULL, block.length - n);
        frame = tbh_h2_frame(TURBOHTTP_H2_CONTINUATION, 0, frame.stream_id);
        fixed = tbh_span(NULL, 0);
        padding = 0;
        room = frame_bytes;
    } while (status == TURBOHTTP_OK && block.length);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_headers(turbohttp_writer *writer,
                                                          uint32_t stream_id, turbohttp_span block,
                                                          bool end_stream,
                                                          const turbohttp_h2_priority *priority,
                                                          uint32_t padding, uint32_t frame_bytes) {
    uint8_t fixed[5];
    unsigned flags = end_stream ? TURBOHTTP_H2_END_STREAM : 0;
    if (priority) flags |= TURBOHTTP_H2_HAS_PRIORITY;
    if (priority) tbh_h2_put_priority_fields(fixed, priority);
    return tbh_h2_put_block(writer, tbh_h2_frame(TURBOHTTP_H2_HEADERS, flags, stream_id),
                            tbh_h2_bytes(fixed, priority ? 5 : 0), block, padding, frame_bytes);
}

TURBOHTTP_API turbohttp_status
turbohttp_h2_write_push_promise(turbohttp_writer *writer, uint32_t stream_id, uint32_t promised_id,
                                turbohttp_span block, uint32_t padding, uint32_t frame_bytes) {
    uint8_t fixed[4];
    tbh_store32_be(fixed, promised_id & TBH_H2_ID_MASK);
    return tbh_h2_put_block(writer, tbh_h2_frame(TURBOHTTP_H2_PUSH_PROMISE, 0, stream_id),
                            tbh_h2_bytes(fixed, 4), block, padding, frame_bytes);
}

/* A frame of at most eight fixed bytes and perhaps text. */
static turbohttp_status tbh_h2_put_small(turbohttp_writer *writer, turbohttp_h2_type type,
                                         unsigned flags, uint32_t stream_id, turbohttp_span fixed,
                                         turbohttp_span text) {
    return tbh_h2_put(writer, tbh_h2_frame(type, flags, stream_id), fixed, text, 0);
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_priority(turbohttp_writer *writer,
                                                           uint32_t stream_id,
                                                           const turbohttp_h2_priority *priority) {
    uint8_t fixed[5];
    tbh_h2_put_priority_fields(fixed, priority);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_PRIORITY, 0, stream_id, tbh_h2_bytes(fixed, 5),
                            tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_rst_stream(turbohttp_writer *writer,
                                                             uint32_t stream_id, uint32_t error) {
    uint8_t fixed[4];
    tbh_store32_be(fixed, error);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_RST_STREAM, 0, stream_id, tbh_h2_bytes(fixed, 4),
                            tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_settings(turbohttp_writer *writer,
                                                           const turbohttp_h2_setting *settings,
                                                           size_t count) {
    char *start;
    turbohttp_h2_frame frame = tbh_h2_frame(TURBOHTTP_H2_SETTINGS, 0, 0);
    if (count > TBH_H2_LEAST_FRAME / TBH_H2_ENTRY_BYTES) return TURBOHTTP_ERR_OVERFLOW;
    frame.length = (uint32_t)count * TBH_H2_ENTRY_BYTES;
    size_t total = TURBOHTTP_H2_HEADER_BYTES + frame.length;
    turbohttp_status status = turbohttp_writer_reserve(writer, total, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = (uint8_t *)start;
    turbohttp_h2_write_frame_header(out, &frame);
    out += TURBOHTTP_H2_HEADER_BYTES;
    for (size_t i = 0; i < count; i++, out += TBH_H2_ENTRY_BYTES) {
        tbh_store16_be(out, settings[i].id);
        tbh_store32_be(out + 2, settings[i].value);
    }
    return turbohttp_writer_commit(writer, total);
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_settings_ack(turbohttp_writer *writer) {
    return tbh_h2_put_small(writer, TURBOHTTP_H2_SETTINGS, TURBOHTTP_H2_ACK, 0, tbh_span(NULL, 0),
                            tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_ping(turbohttp_writer *writer,
                                                       const uint8_t bytes[8], bool is_ack) {
    return tbh_h2_put_small(writer, TURBOHTTP_H2_PING, is_ack ? TURBOHTTP_H2_ACK : 0, 0,
                            tbh_h2_bytes(bytes, 8), tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_goaway(turbohttp_writer *writer,
                                                         uint32_t last_stream_id, uint32_t error,
                                                         turbohttp_span debug) {
    uint8_t fixed[8];
    tbh_store32_be(fixed, last_stream_id & TBH_H2_ID_MASK);
    tbh_store32_be(fixed + 4, error);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_GOAWAY, 0, 0, tbh_h2_bytes(fixed, 8), debug);
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_window_update(turbohttp_writer *writer,
                                                                uint32_t stream_id,
                                                                uint32_t increment) {
    uint8_t fixed[4];
    if (increment == 0 || increment > TBH_H2_ID_MASK) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    tbh_store32_be(fixed, increment);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_WINDOW_UPDATE, 0, stream_id,
                            tbh_h2_bytes(fixed, 4), tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_priority_update(turbohttp_writer *writer,
                                                                  uint32_t stream_id,
                                                                  turbohttp_span value) {
    uint8_t fixed[4];
    tbh_store32_be(fixed, stream_id & TBH_H2_ID_MASK);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_PRIORITY_UPDATE, 0, 0, tbh_h2_bytes(fixed, 4),
                            value);
}
