/* Response bodies: wire bytes in, decoded bytes to a sink or into the response's store.
 * Owns the inflater and the output block while a body is under way.
 * Invariants: decoded bytes are offered to the sink until it takes them, in order, once; the
 * limits are judged on decoded bytes (S-55, S-60), before they are handed on.
 * Does not know: framing, files, connections. */
#include "body.h"

/* Below this many decoded bytes no ratio is suspicious: deflate's headers and short runs. */
#define TBH_BODY_RATIO_FROM 1048576u

static turbohttp_status tbh_body_judge(const tbh_body *body) {
    if (body->decoded > body->limits.decoded_bytes) return TURBOHTTP_ERR_BODY_TOO_LARGE;
    if (body->decoded > TBH_BODY_RATIO_FROM && body->decoded / body->limits.ratio > body->wire)
        return TURBOHTTP_ERR_BODY_RATIO;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_body_sink(tbh_body *body, const void *data, size_t n) {
    if (n == 0) return TURBOHTTP_OK;
    turbohttp_status status = body->write(body->user, data, n);
    body->is_refused = status == TURBOHTTP_PENDING;
    if (status >= 0) return status == TURBOHTTP_PENDING ? status : TURBOHTTP_OK;
    return status == TURBOHTTP_ERR_FILE ? status : TURBOHTTP_ERR_BODY_SINK;
}

/* ------------------------------------------------------------ identity */
static turbohttp_status tbh_body_put_plain(tbh_body *body, turbohttp_span wire, size_t *taken) {
    body->wire += wire.length;
    body->decoded += wire.length;
    turbohttp_status status = tbh_body_judge(body);
    if (status == TURBOHTTP_OK)
        status = body->write ? tbh_body_sink(body, wire.data, wire.length)
                             : turbohttp_segments_append(body->store, wire.data, wire.length);
    if (status == TURBOHTTP_OK) {
        *taken = wire.length;
        return status;
    }
    body->wire -= wire.length;
    body->decoded -= wire.length;
    return status;
}

TBH_FN turbohttp_status tbh_body_stored(tbh_body *body, size_t n) {
    body->wire += n;
    body->decoded += n;
    return tbh_body_judge(body);
}

/* ------------------------------------------------------------ decoding */
#if TBH_INFLATE
/* Where decoded bytes go next: the store's own segments, or the output block. */
static uint8_t *tbh_body_room(tbh_body *body, size_t *room) {
    if (!body->write) return (uint8_t *)turbohttp_segments_room(body->store, room);
    if (!body->output) body->output = tbh_segment_rent(body->blocks, body->block_bytes);
    return body->output ? tbh_segment_room(body->output, room) : NULL;
}

static turbohttp_status tbh_body_commit(tbh_body *body, size_t n) {
    body->decoded += n;
    body->quota = body->quota > n ? body->quota - n : 0;
    if (body->write) body->output->length += n;
    else turbohttp_segments_commit(body->store, n);
    return tbh_body_judge(body);
}

/* Offers what is decoded; PENDING leaves it where it is for the next offer. */
static turbohttp_status tbh_body_flush(tbh_body *body) {
    turbohttp_segment *output = body->output;
    if (!output || output->length == 0) return TURBOHTTP_OK;
    turbohttp_status status = tbh_body_sink(body, output->data, output->length);
    if (status == TURBOHTTP_OK) output->length = 0;
    return status;
}

/* Decodes until the input or one block of output is used up. */
static turbohttp_status tbh_body_decode_some(tbh_body *body, const uint8_t **in, size_t *length,
                                             bool *is_full) {
    size_t room = 0, before = *length;
    uint8_t *out = tbh_body_room(body, &room), *start = out;
    if (!out) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status =
        turbohttp_inflate_run((turbohttp_inflate *)body->inflater, in, length, &out, &room);
    body->wire += before - *length;
    *is_full = room == 0;
    turbohttp_status judged = tbh_body_commit(body, (size_t)(out - start));
    if (judged < 0) return status < 0 ? status : judged;
    turbohttp_status flushed = tbh_body_flush(body); /* what came before a fault is there, too */
    bool is_stuck = !*is_full && *length > 0;        /* bytes after the end of the stream */
    if (status < 0 || is_stuck) return status < 0 ? status : TURBOHTTP_ERR_INFLATE_DATA;
    return flushed;
}

static turbohttp_status tbh_body_put_coded(tbh_body *body, turbohttp_span wire, size_t *taken) {
    const uint8_t *in = (const uint8_t *)wire.data;
    size_t length = wire.length;
    bool is_full = true;
    turbohttp_status status = tbh_body_flush(body);
    while (status == TURBOHTTP_OK && (length > 0 || is_full)) {
        if (body->quota == 0) status = TURBOHTTP_PENDING;
        if (status == TURBOHTTP_OK) status = tbh_body_decode_some(body, &in, &length, &is_full);
    }
    *taken = wire.length - length;
    body->has_more = status == TURBOHTTP_PENDING;
    return status;
}

static turbohttp_status tbh_body_begin_decoder(tbh_body *body, turbohttp_content_coding coding) {
    body->inflater = turbohttp_object_pool_rent(body->inflaters);
    if (!body->inflater) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_inflate_init((turbohttp_inflate *)body->inflater,
                           coding == TURBOHTTP_CODING_GZIP ? TURBOHTTP_INFLATE_GZIP
                                                           : TURBOHTTP_INFLATE_DEFLATE_AUTO);
    return TURBOHTTP_OK;
}

/* A coded body of no bytes at all is what some servers send for an empty one. */
TBH_FN turbohttp_status tbh_body_finish(tbh_body *body) {
    if (!body->inflater || body->wire == 0) return TURBOHTTP_OK;
    turbohttp_span nothing = tbh_span(NULL, 0);
    size_t taken;
    turbohttp_status status = tbh_body_put_coded(body, nothing, &taken);
    if (status != TURBOHTTP_OK) return status;
    status = turbohttp_inflate_finish((turbohttp_inflate *)body->inflater);
    /* The message is whole, the compressed data in it is not. */
    return status == TURBOHTTP_ERR_BODY_TRUNCATED ? TURBOHTTP_ERR_INFLATE_DATA : status;
}
#else
static turbohttp_status tbh_body_put_coded(tbh_body *body, turbohttp_span wire, size_t *taken) {
    (void)body, (void)wire, (void)taken;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

static turbohttp_status tbh_body_begin_decoder(tbh_body *body, turbohttp_content_coding coding) {
    (void)body, (void)coding;
    return TURBOHTTP_ERR_BODY_CODING;
}

TBH_FN turbohttp_status tbh_body_finish(tbh_body *body) {
    (void)body;
    return TURBOHTTP_OK;
}
#endif

/* ------------------------------------------------------------ the whole */
TBH_FN turbohttp_status tbh_body_begin(tbh_body *body, turbohttp_content_coding coding) {
    if (coding == TURBOHTTP_CODING_IDENTITY) return TURBOHTTP_OK;
    if (coding == TURBOHTTP_CODING_OTHER) return TURBOHTTP_ERR_BODY_CODING;
    return tbh_body_begin_decoder(body, coding);
}

TBH_FN turbohttp_status tbh_body_put(tbh_body *body, turbohttp_span wire, size_t *taken) {
    *taken = 0;
    return body->inflater ? tbh_body_put_coded(body, wire, taken)
                          : tbh_body_put_plain(body, wire, taken);
}

TBH_FN void tbh_body_release(tbh_body *body) {
    if (body->inflater) turbohttp_object_pool_return(body->inflaters, body->inflater);
    if (body->output) tbh_segment_return(body->blocks, body->output);
    body->inflater = NULL;
    body->output = NULL;
}
