/* HTTP/1.1 connection: the framing of one exchange after the other (RFC 9112 §6–§9).
 * Owns the receive block until it belongs to the store, the fill block, and the header tables.
 * Invariants: at <= fill <= end of the block; body bytes are handed out once, in order; a
 * connection is reusable only when both sides are finished and not one byte is left over (S-04).
 * Input: any bytes in any split. Does not know: sockets, time, decompression, limits on bodies. */
#include "conn_h1.h"

enum { TBH_CONN_CHUNK_HEAD = 20, TBH_CONN_CHUNK_TAIL = 2 + 5 }; /* around one filled chunk */

/* ------------------------------------------------------------ life */
TBH_FN void tbh_conn_init(tbh_conn_h1 *h, turbohttp_byte_pool *pool, const turbohttp_limits *limits,
                          bool is_lenient) {
    memset(h, 0, sizeof *h);
    h->is_lenient = is_lenient;
    h->pool = pool;
    h->limits = limits;
}

static void tbh_conn_drop_block(tbh_conn_h1 *h) {
    if (h->block && !h->is_stored) tbh_segment_return(h->pool, h->block);
    h->block = NULL;
    h->is_stored = false;
    h->at = h->fill = NULL;
}

static void tbh_conn_drop_table(tbh_conn_h1 *h, turbohttp_header **table, size_t bytes) {
    if (*table) turbohttp_byte_pool_return(h->pool, *table, bytes);
    *table = NULL;
}

/* What an exchange starts with; the rest is written before it is read. */
static void tbh_conn_forget(tbh_conn_h1 *h) {
    h->tx = TBH_TX_IDLE;
    h->rx = TBH_RX_IDLE;
    h->body_ended = h->is_collecting = h->is_ended = h->keep_alive = false;
    h->full_receives = 0;
    h->filled = NULL;
    h->request.body = NULL;
    h->store = NULL;
    h->interims = h->head_total = 0;
    h->offset = 0;
    h->trailer_fill = 0;
    h->trailer_count = 0;
    h->status = TURBOHTTP_OK;
    turbohttp_h1_head_parser_init(&h->parser);
}

TBH_FN void tbh_conn_reset(tbh_conn_h1 *h) {
    tbh_conn_drop_block(h);
    tbh_conn_drop_table(h, &h->table, h->table_bytes);
    tbh_conn_drop_table(h, &h->trailer_table, h->trailer_bytes);
    if (h->filled) tbh_segment_return(h->pool, h->filled);
    tbh_conn_forget(h);
}

TBH_FN void tbh_conn_start(tbh_conn_h1 *h, const tbh_conn_request *request,
                           turbohttp_segments *store) {
    if (h->rx != TBH_RX_IDLE) tbh_conn_reset(h);
    h->request = *request;
    h->out = request->head;
    h->store = store;
    h->tx = TBH_TX_HEAD;
    h->rx = TBH_RX_HEAD;
}

static tbh_conn_event tbh_conn_fail(tbh_conn_h1 *h, turbohttp_status status, uint64_t offset) {
    h->rx = TBH_RX_FAILED;
    h->status = status;
    h->offset += offset;
    return TBH_CONN_FAILED;
}

/* ------------------------------------------------------------ sending */
/* Wraps n filled bytes at `data` as one chunk, and the end behind it when the body ended. */
static void tbh_conn_wrap_chunk(tbh_conn_h1 *h, uint8_t *data, size_t n) {
    char head[TBH_CONN_CHUNK_HEAD];
    size_t before = 0, after = n;
    if (n > 0) {
        before = tbh_chunk_head_write(head, n);
        memcpy(data - before, head, before);
        memcpy(data + after, "\r\n", 2);
        after += 2;
    }
    if (h->body_ended) {
        memcpy(data + after, "0\r\n", 3);
        after += 3;
    }
    h->out = tbh_span((const char *)data - before, before + after);
}

static turbohttp_status tbh_conn_accept_fill(tbh_conn_h1 *h, turbohttp_status status, uint8_t *data,
                                             size_t n) {
    tbh_source *body = h->request.body;
    body->taken += n;
    h->body_ended = status == TURBOHTTP_DONE || (!body->is_unknown && body->taken == body->length);
    if (!body->is_unknown && h->body_ended && body->taken != body->length)
        return TURBOHTTP_ERR_BODY_SOURCE;
    body->is_blocked = n == 0 && !h->body_ended;
    if (body->is_unknown) tbh_conn_wrap_chunk(h, data, n);
    else h->out = tbh_span((const char *)data, n);
    return body->is_blocked ? TURBOHTTP_PENDING : TURBOHTTP_OK;
}

/* Asks the source for the next piece. */
static turbohttp_status tbh_conn_fill(tbh_conn_h1 *h) {
    tbh_source *body = h->request.body;
    if (!h->filled) h->filled = tbh_segment_rent(h->pool, h->limits->block_bytes);
    if (!h->filled) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    uint8_t *data = tbh_segment_payload(h->filled) + TBH_CONN_CHUNK_HEAD;
    size_t room = tbh_segment_payload_bytes(h->filled) - TBH_CONN_CHUNK_HEAD - TBH_CONN_CHUNK_TAIL;
    size_t n = 0;
    if (!body->is_unknown) room = tbh_min_size(room, tbh_size_of_u64(body->length - body->taken));
    turbohttp_status status = body->fill(body->user, data, room, &n);
    if (status < 0) return status;
    if (n > room || (status == TURBOHTTP_PENDING && n > 0)) return TURBOHTTP_ERR_BODY_SOURCE;
    return tbh_conn_accept_fill(h, status, data, n);
}

static turbohttp_status tbh_conn_next_piece(tbh_conn_h1 *h) {
    tbh_source *body = h->request.body;
    if (body->is_blocked) return TURBOHTTP_PENDING; /* until somebody says that it has more */
    if (!body->data) return tbh_conn_fill(h);
    uint64_t left = body->length - body->taken;
    h->out = tbh_span((const char *)body->data + (size_t)body->taken, tbh_size_of_u64(left));
    body->taken = body->length;
    h->body_ended = true;
    return TURBOHTTP_OK;
}

/* What is sent when everything before it has gone: state × nothing left → state. */
static void tbh_conn_advance_tx(tbh_conn_h1 *h) {
    bool has_body = h->request.body != NULL;
    if (h->tx == TBH_TX_HEAD) {
        bool waits = has_body && h->request.expects_continue;
        h->tx = waits ? TBH_TX_AWAIT : has_body ? TBH_TX_BODY : TBH_TX_DONE;
        h->body_ended = has_body && !h->request.body->is_unknown && h->request.body->length == 0;
    }
    if (h->tx == TBH_TX_BODY && h->body_ended && h->out.length == 0) {
        h->tx = h->request.body->is_unknown ? TBH_TX_TAIL : TBH_TX_DONE;
        if (h->tx == TBH_TX_TAIL) h->out = h->request.trailers;
    } else if (h->tx == TBH_TX_TAIL && h->out.length == 0) {
        h->tx = TBH_TX_DONE;
    }
}

TBH_FN turbohttp_status tbh_conn_out_peek(tbh_conn_h1 *h, turbohttp_span *out) {
    if (h->out.length == 0 && h->tx == TBH_TX_BODY && !h->body_ended) {
        turbohttp_status status = tbh_conn_next_piece(h);
        if (status != TURBOHTTP_OK) return status;
        tbh_conn_advance_tx(h);
    }
    *out = h->out;
    if (h->tx >= TBH_TX_DONE) return TURBOHTTP_DONE;
    return h->out.length ? TURBOHTTP_OK : TURBOHTTP_PENDING;
}

TBH_FN void tbh_conn_out_consume(tbh_conn_h1 *h, size_t n) {
    h->out.data += n;
    h->out.length -= n;
    if (h->out.length == 0) tbh_conn_advance_tx(h);
}

TBH_FN void tbh_conn_out_abandon(tbh_conn_h1 *h) {
    if (h->tx == TBH_TX_DONE) return;
    h->tx = TBH_TX_ABANDONED;
    h->out.length = 0;
}

TBH_FN void tbh_conn_out_continue(tbh_conn_h1 *h) {
    if (h->tx != TBH_TX_AWAIT) return;
    h->tx = TBH_TX_BODY;
    tbh_conn_advance_tx(h);
}

/* ------------------------------------------------------------ receiving: room */
static size_t tbh_conn_block_room(const tbh_conn_h1 *h) {
    const uint8_t *end = tbh_segment_payload(h->block) + tbh_segment_payload_bytes(h->block);
    return (size_t)(end - h->fill);
}

static bool tbh_conn_rent_block(tbh_conn_h1 *h, size_t bytes) {
    h->block = tbh_segment_rent(h->pool, bytes);
    if (!h->block) return false;
    h->is_stored = false;
    h->at = h->fill = tbh_segment_payload(h->block);
    return true;
}

/* A head that does not fit: everything from `at` moves to a block twice as big. Bounded by the
 * limit on heads, which the parser enforces on what has arrived. */
static bool tbh_conn_grow_block(tbh_conn_h1 *h) {
    turbohttp_segment *old = h->block;
    uint8_t *from = h->at;
    size_t kept = (size_t)(h->fill - h->at);
    if (!tbh_conn_rent_block(h, kept + tbh_max_size(kept, h->limits->block_bytes))) {
        h->block = old;
        return false;
    }
    memcpy(h->at, from, kept);
    h->fill += kept;
    tbh_segment_return(h->pool, old);
    return true;
}

/* Blocks grow with what has arrived, never with what was announced: two full receives in a row
 * double the next one, and one that fills less than a quarter goes a step back. */
static size_t tbh_conn_next_block_bytes(const tbh_conn_h1 *h) {
    size_t bytes = h->limits->block_bytes;
    for (uint8_t i = 1; i < h->full_receives && bytes < h->limits->receive_bytes; i++) bytes *= 2;
    return bytes;
}

/* While collecting, the block is the store's last segment and grows in place; everything in it
 * is understood before more room is asked for. */
static bool tbh_conn_next_stored_block(tbh_conn_h1 *h) {
    if (!tbh_conn_rent_block(h, tbh_conn_next_block_bytes(h))) return false;
    turbohttp_segments_attach(h->store, h->block);
    h->is_stored = true;
    return true;
}

static bool tbh_conn_body_room(tbh_conn_h1 *h) {
    if (h->is_collecting) return tbh_conn_block_room(h) >= 64 || tbh_conn_next_stored_block(h);
    if (h->at != h->fill) return true; /* a span was not taken yet: no more room, no more bytes */
    size_t wanted = tbh_conn_next_block_bytes(h);
    if (h->is_stored || h->block->block_bytes < wanted) {
        tbh_conn_drop_block(h);
        return tbh_conn_rent_block(h, wanted);
    }
    h->at = h->fill = tbh_segment_payload(h->block);
    return true;
}

/* Nothing is received that no head could hold, but for one block that may be body (S-34). */
static size_t tbh_conn_head_room(const tbh_conn_h1 *h) {
    size_t kept = (size_t)(h->fill - h->at), left = h->limits->head_bytes - h->head_total;
    size_t most = left > kept ? left - kept : 0;
    return tbh_min_size(tbh_conn_block_room(h), most + h->limits->block_bytes);
}

TBH_FN uint8_t *tbh_conn_in_room(tbh_conn_h1 *h, size_t *room) {
    bool ok = true;
    *room = 0;
    if (!h->block) ok = tbh_conn_rent_block(h, h->limits->block_bytes);
    else if (h->rx == TBH_RX_HEAD) ok = tbh_conn_block_room(h) > 0 || tbh_conn_grow_block(h);
    else if (h->rx > TBH_RX_CHOOSE && h->rx < TBH_RX_END) ok = tbh_conn_body_room(h);
    if (!ok) return NULL;
    *room = h->rx == TBH_RX_HEAD ? tbh_conn_head_room(h) : tbh_conn_block_room(h);
    return h->fill;
}

TBH_FN void tbh_conn_in_commit(tbh_conn_h1 *h, size_t n) {
    size_t room = tbh_conn_block_room(h);
    h->fill += n;
    if (n == room && tbh_conn_next_block_bytes(h) < h->limits->receive_bytes) h->full_receives++;
    else if (n < room / 4 && h->full_receives > 0) h->full_receives--;
}

TBH_FN void tbh_conn_in_end(tbh_conn_h1 *h) {
    h->is_ended = true;
}

TBH_FN bool tbh_conn_in_wanted(const tbh_conn_h1 *h) {
    bool is_reading = h->rx > TBH_RX_IDLE && h->rx < TBH_RX_END;
    return is_reading && !h->is_ended &&
           (h->at == h->fill || h->rx == TBH_RX_HEAD || h->rx == TBH_RX_TRAILERS);
}

/* ------------------------------------------------------------ receiving: the head */
/* One bound for all heads and the trailers of a response (RELIABILITY 3.1): what is left of it, and
 * never 0, which would mean the default. */
static turbohttp_head_limits tbh_conn_head_limits(const tbh_conn_h1 *h) {
    turbohttp_head_limits limits;
    bool is_used_up = h->head_total >= h->limits->head_bytes;
    limits.head_bytes = is_used_up ? 1 : h->limits->head_bytes - h->head_total;
    limits.line_bytes = h->limits->line_bytes;
    limits.header_count = h->limits->header_count;
    return limits;
}

static turbohttp_header *tbh_conn_rent_table(tbh_conn_h1 *h, size_t extra, size_t *bytes) {
    size_t wanted = h->limits->header_count * sizeof(turbohttp_header) + extra;
    return (turbohttp_header *)turbohttp_byte_pool_rent(h->pool, wanted, bytes);
}

static const tbh_conn_rx tbh_conn_rx_of_framing[] = {TBH_RX_END, TBH_RX_LENGTH, TBH_RX_CHUNKED,
                                                     TBH_RX_UNTIL_CLOSE};

static tbh_conn_event tbh_conn_on_interim(tbh_conn_h1 *h) {
    if (h->head.status == 101 && h->request.allows_upgrade) {
        h->rx = TBH_RX_UPGRADED;
        return TBH_CONN_UPGRADED;
    }
    if (h->head.status == 101) return tbh_conn_fail(h, TURBOHTTP_ERR_UNEXPECTED_UPGRADE, 0);
    if (++h->interims > h->limits->interim_count)
        return tbh_conn_fail(h, TURBOHTTP_ERR_TOO_MANY_INTERIM, 0);
    if (h->head.status == 100) tbh_conn_out_continue(h);
    turbohttp_h1_head_parser_init(&h->parser);
    return TBH_CONN_INTERIM;
}

/* The block with the head becomes the first of the store: the response's slices live there. */
static tbh_conn_event tbh_conn_on_final(tbh_conn_h1 *h) {
    h->keep_alive = h->head.keep_alive;
    /* No room behind it: what follows the head is still to be understood. */
    h->block->data = tbh_segment_payload(h->block) + tbh_segment_payload_bytes(h->block);
    h->block->length = 0;
    turbohttp_segments_attach(h->store, h->block);
    h->is_stored = true;
    h->rx = TBH_RX_CHOOSE;
    h->remaining = h->head.content_length;
    turbohttp_chunked_init(&h->chunked);
    /* The server decided without the body: what is left of it is not wanted. */
    h->was_waiting = h->tx == TBH_TX_AWAIT;
    if (h->was_waiting || (h->head.status >= 300 && h->tx < TBH_TX_DONE)) tbh_conn_out_abandon(h);
    return TBH_CONN_HEAD;
}

static tbh_conn_event tbh_conn_head_ended_early(tbh_conn_h1 *h) {
    size_t n = (size_t)(h->fill - h->at);
    bool is_empty = n == 0 && h->interims == 0;
    return tbh_conn_fail(h, is_empty ? TURBOHTTP_ERR_NO_RESPONSE : TURBOHTTP_ERR_HEAD_TRUNCATED, n);
}

/* When nothing more will come, a parser at its start looks at every line of what there is: the
 * fault that it names is then the same for every split. */
static turbohttp_status tbh_conn_parse_head(tbh_conn_h1 *h, uint64_t *offset) {
    turbohttp_head_limits limits = tbh_conn_head_limits(h);
    size_t n = (size_t)(h->fill - h->at);
    if (n == 0) return TURBOHTTP_PENDING;
    if (h->head_total >= h->limits->head_bytes) return TURBOHTTP_ERR_HEAD_TOO_LARGE;
    if (h->is_ended) turbohttp_h1_head_parser_init(&h->parser);
    if (TBH_LENIENT && h->is_lenient)
        return turbohttp_h1_head_parse_lenient(&h->parser, (char *)h->at, n, h->request.is_head,
                                               &limits, h->table, h->limits->header_count, &h->head,
                                               offset);
    return turbohttp_h1_head_parse(&h->parser, (const char *)h->at, n, h->request.is_head, &limits,
                                   h->table, h->limits->header_count, &h->head, offset);
}

/* What was refused is tried once more, for the sentence that names the remedy. */
static tbh_conn_event tbh_conn_head_refused(tbh_conn_h1 *h, turbohttp_status status,
                                            uint64_t offset) {
    uint64_t unused;
    if (TBH_LENIENT && !h->is_lenient) {
        h->is_lenient = true;
        turbohttp_h1_head_parser_init(&h->parser);
        h->lenient_helps = tbh_conn_parse_head(h, &unused) >= TURBOHTTP_OK;
        h->is_lenient = false;
    }
    return tbh_conn_fail(h, status, offset);
}

static tbh_conn_event tbh_conn_next_head(tbh_conn_h1 *h) {
    uint64_t offset = 0;
    if (!h->table) h->table = tbh_conn_rent_table(h, 0, &h->table_bytes);
    if (!h->table) return tbh_conn_fail(h, TURBOHTTP_ERR_OUT_OF_MEMORY, 0);
    turbohttp_status status = tbh_conn_parse_head(h, &offset);
    if (status == TURBOHTTP_PENDING)
        return h->is_ended ? tbh_conn_head_ended_early(h) : TBH_CONN_NOTHING;
    if (status < 0) return tbh_conn_head_refused(h, status, offset);
    h->at += h->head.head_length;
    h->offset += h->head.head_length;
    h->head_total += h->head.head_length;
    return h->head.status < 200 ? tbh_conn_on_interim(h) : tbh_conn_on_final(h);
}

TBH_FN void tbh_conn_collect(tbh_conn_h1 *h) {
    h->is_collecting = h->head.framing != TURBOHTTP_FRAMING_NONE;
    if (h->is_collecting) h->block->data = h->at; /* the body grows where it is received */
}

/* ------------------------------------------------------------ receiving: trailers */
static tbh_conn_event tbh_conn_end(tbh_conn_h1 *h) {
    h->rx = TBH_RX_END;
    return TBH_CONN_END;
}

/* Trailers are rare and may be split anywhere: they are gathered behind their table. */
static bool tbh_conn_gather_trailers(tbh_conn_h1 *h) {
    size_t n = (size_t)(h->fill - h->at),
           table = h->limits->header_count * sizeof(turbohttp_header);
    size_t needed = h->trailer_fill + n;
    if (!h->trailer_table || needed > h->trailer_bytes - table) {
        size_t bytes;
        turbohttp_header *bigger = tbh_conn_rent_table(h, needed * 2, &bytes);
        if (!bigger) return false;
        if (h->trailer_fill)
            memcpy((char *)bigger + table, (char *)h->trailer_table + table, h->trailer_fill);
        tbh_conn_drop_table(h, &h->trailer_table, h->trailer_bytes);
        h->trailer_table = bigger;
        h->trailer_bytes = bytes;
    }
    if (n) memcpy((char *)h->trailer_table + table + h->trailer_fill, h->at, n);
    h->trailer_fill += n;
    h->at = h->fill;
    return true;
}

static tbh_conn_event tbh_conn_next_trailers(tbh_conn_h1 *h) {
    turbohttp_head_limits limits = tbh_conn_head_limits(h);
    size_t n = (size_t)(h->fill - h->at), consumed = 0;
    uint64_t offset = 0;
    if (h->trailer_fill == 0 && n >= 2 && h->at[0] == '\r' && h->at[1] == '\n') {
        h->at += 2;
        return tbh_conn_end(h);
    }
    if (!tbh_conn_gather_trailers(h)) return tbh_conn_fail(h, TURBOHTTP_ERR_OUT_OF_MEMORY, 0);
    if (h->is_collecting) h->at = h->fill = h->block->data + h->block->length;
    char *bytes = (char *)h->trailer_table + h->limits->header_count * sizeof(turbohttp_header);
    if (h->is_ended) turbohttp_h1_head_parser_init(&h->parser); /* as for heads */
    turbohttp_status status =
        turbohttp_h1_trailer_parse(&h->parser, bytes, h->trailer_fill, &limits, h->trailer_table,
                                   h->limits->header_count, &h->trailer_count, &consumed, &offset);
    if (status < 0) return tbh_conn_fail(h, status, offset);
    if (status == TURBOHTTP_PENDING)
        return h->is_ended ? tbh_conn_fail(h, TURBOHTTP_ERR_BODY_TRUNCATED, h->trailer_fill)
                           : TBH_CONN_NOTHING;
    /* What follows the trailers belongs to no response (S-04): there is no way back from it. */
    if (consumed != h->trailer_fill) h->keep_alive = false;
    return tbh_conn_end(h);
}

/* ------------------------------------------------------------ receiving: bodies */
/* Hands out n bytes at `data`, or keeps them in the store. */
static tbh_conn_event tbh_conn_give(tbh_conn_h1 *h, const uint8_t *data, size_t n,
                                    turbohttp_span *span) {
    *span = tbh_span((const char *)data, n);
    if (!h->is_collecting) return TBH_CONN_BODY;
    uint8_t *place = h->block->data + h->block->length;
    if (place != data) memmove(place, data, n);
    h->block->length += n;
    h->store->length += n;
    h->store->end += n;
    return TBH_CONN_STORED;
}

static tbh_conn_event tbh_conn_next_plain(tbh_conn_h1 *h, turbohttp_span *span) {
    size_t n = (size_t)(h->fill - h->at);
    bool has_length = h->rx == TBH_RX_LENGTH;
    if (has_length && h->remaining == 0) return tbh_conn_end(h);
    if (has_length && n > h->remaining) n = (size_t)h->remaining;
    if (n == 0 && !h->is_ended) return TBH_CONN_NOTHING;
    if (n == 0)
        return has_length ? tbh_conn_fail(h, TURBOHTTP_ERR_BODY_TRUNCATED, 0) : tbh_conn_end(h);
    if (!h->is_collecting) { /* taken by body_consume */
        *span = tbh_span((const char *)h->at, n);
        return TBH_CONN_BODY;
    }
    const uint8_t *data = h->at;
    h->at += n;
    h->offset += n;
    h->remaining -= has_length ? n : 0;
    return tbh_conn_give(h, data, n, span);
}

static tbh_conn_event tbh_conn_next_chunk(tbh_conn_h1 *h, turbohttp_span *span) {
    const uint8_t *in = h->at;
    size_t length = (size_t)(h->fill - h->at);
    turbohttp_chunked before = h->chunked;
    turbohttp_status status = turbohttp_chunked_next(&h->chunked, &in, &length, span);
    size_t used = (size_t)(in - h->at);
    if (status < 0) return tbh_conn_fail(h, status, used - 1); /* the last byte is the bad one */
    if (status == TURBOHTTP_OK && !h->is_collecting) {
        /* Not taken yet: body_consume decodes it again, as far as it was taken. */
        h->chunked = before;
        return TBH_CONN_BODY;
    }
    h->at += used;
    h->offset += used;
    if (status == TURBOHTTP_OK)
        return tbh_conn_give(h, (const uint8_t *)span->data, span->length, span);
    if (status == TURBOHTTP_DONE) {
        h->rx = TBH_RX_TRAILERS;
        turbohttp_h1_head_parser_init(&h->parser);
        return tbh_conn_next_trailers(h);
    }
    if (h->is_collecting) h->at = h->fill = h->block->data + h->block->length;
    return h->is_ended ? tbh_conn_fail(h, TURBOHTTP_ERR_BODY_TRUNCATED, 0) : TBH_CONN_NOTHING;
}

/* Taking part of a chunk: decoding just that part brings the decoder where it must be. */
static void tbh_conn_consume_chunk(tbh_conn_h1 *h, size_t n) {
    turbohttp_span span;
    const uint8_t *in = h->at;
    size_t length = (size_t)(h->fill - h->at);
    turbohttp_chunked probe = h->chunked;
    turbohttp_chunked_next(&probe, &in, &length, &span);
    size_t skipped = (size_t)((const uint8_t *)span.data - h->at);
    in = h->at;
    length = skipped + n;
    turbohttp_chunked_next(&h->chunked, &in, &length, &span);
    h->offset += (size_t)(in - h->at);
    h->at += in - h->at;
}

TBH_FN void tbh_conn_body_consume(tbh_conn_h1 *h, size_t n) {
    if (n == 0) return;
    if (h->rx == TBH_RX_CHUNKED) {
        tbh_conn_consume_chunk(h, n);
        return;
    }
    h->at += n;
    h->offset += n;
    if (h->rx == TBH_RX_LENGTH) h->remaining -= n;
}

/* ------------------------------------------------------------ driver */
TBH_FN tbh_conn_event tbh_conn_next(tbh_conn_h1 *h, turbohttp_span *span) {
    if (h->rx == TBH_RX_CHOOSE) {
        h->rx = tbh_conn_rx_of_framing[h->head.framing];
        if (h->rx == TBH_RX_END) return TBH_CONN_END;
    }
    switch (h->rx) {
    case TBH_RX_HEAD: return tbh_conn_next_head(h);
    case TBH_RX_LENGTH:
    case TBH_RX_UNTIL_CLOSE: return tbh_conn_next_plain(h, span);
    case TBH_RX_CHUNKED: return tbh_conn_next_chunk(h, span);
    case TBH_RX_TRAILERS: return tbh_conn_next_trailers(h);
    case TBH_RX_FAILED: return TBH_CONN_FAILED;
    case TBH_RX_IDLE:
    case TBH_RX_CHOOSE:
    case TBH_RX_END:
    case TBH_RX_UPGRADED: break;
    }
    return TBH_CONN_NOTHING;
}

TBH_FN bool tbh_conn_is_reusable(const tbh_conn_h1 *h) {
    return h->rx == TBH_RX_END && h->tx == TBH_TX_DONE && h->keep_alive && !h->request.is_last &&
           !h->is_ended && h->at == h->fill;
}

TBH_FN turbohttp_span tbh_conn_leftover(const tbh_conn_h1 *h) {
    return tbh_span((const char *)h->at, (size_t)(h->fill - h->at));
}
