/* Sequence: segments, chains of them that grow (segmented buffer), and views of both.
 * Owns: a segmented buffer owns its segments; a sequence owns nothing.
 * Invariants of a segment: data … data+length lies inside its payload. Of a buffer: length is the
 * sum of the segments' lengths; each segment's offset is its predecessor's offset + length, and
 * last's end is `end`, which only reset lowers: offsets stay valid while the front is consumed.
 * Of a sequence: head is not empty unless the whole is; head and rest hold ≥ length bytes.
 * Input: any bytes. Does not know: what they mean. */
#include "sequence.h"

TBH_FN turbohttp_segment *tbh_segment_rent(turbohttp_byte_pool *pool, size_t block_bytes) {
    size_t capacity;
    block_bytes = tbh_max_size(block_bytes, TBH_SEGMENT_LEAST_BYTES);
    turbohttp_segment *s =
        (turbohttp_segment *)turbohttp_byte_pool_rent(pool, block_bytes, &capacity);
    if (!s) return NULL;
    s->next = NULL;
    s->data = tbh_segment_payload(s);
    s->length = 0;
    s->offset = 0;
    s->block_bytes = capacity;
    return s;
}

TBH_FN void tbh_segment_return(turbohttp_byte_pool *pool, turbohttp_segment *segment) {
    if (segment) turbohttp_byte_pool_return(pool, segment, segment->block_bytes);
}

TBH_FN uint8_t *tbh_segment_payload(turbohttp_segment *segment) {
    return (uint8_t *)segment + TBH_SEGMENT_HEADER_BYTES;
}

TBH_FN size_t tbh_segment_payload_bytes(const turbohttp_segment *segment) {
    return segment->block_bytes - TBH_SEGMENT_HEADER_BYTES;
}

TBH_FN uint8_t *tbh_segment_room(turbohttp_segment *segment, size_t *n) {
    uint8_t *room = segment->data + segment->length;
    *n = (size_t)((uint8_t *)segment + segment->block_bytes - room);
    return *n ? room : NULL;
}

/* ------------------------------------------------------------ segmented buffer */
TURBOHTTP_API void turbohttp_segments_init(turbohttp_segments *segments, turbohttp_byte_pool *pool,
                                           size_t block_bytes) {
    memset(segments, 0, sizeof *segments);
    segments->pool = pool;
    if (block_bytes == 0) block_bytes = TURBOHTTP_SEGMENT_BYTES;
    segments->block_bytes = tbh_max_size(block_bytes, TBH_SEGMENT_LEAST_BYTES);
}

TURBOHTTP_API void turbohttp_segments_attach(turbohttp_segments *segments,
                                             turbohttp_segment *segment) {
    segment->next = NULL;
    segment->offset = segments->end;
    if (segments->last) segments->last->next = segment;
    else segments->first = segment;
    segments->last = segment;
    segments->length += segment->length;
    segments->end += segment->length;
}

TURBOHTTP_API turbohttp_segment *turbohttp_segments_detach_first(turbohttp_segments *segments) {
    turbohttp_segment *s = segments->first;
    if (!s) return NULL;
    segments->first = s->next;
    if (!s->next) segments->last = NULL;
    segments->length -= s->length;
    s->next = NULL;
    return s;
}

TURBOHTTP_API uint8_t *turbohttp_segments_room(turbohttp_segments *segments, size_t *n) {
    uint8_t *room = NULL;
    *n = 0;
    if (segments->last) room = tbh_segment_room(segments->last, n);
    if (room) return room;
    turbohttp_segment *fresh = tbh_segment_rent(segments->pool, segments->block_bytes);
    if (!fresh) return NULL;
    turbohttp_segments_attach(segments, fresh);
    return tbh_segment_room(fresh, n);
}

TURBOHTTP_API turbohttp_status turbohttp_segments_commit(turbohttp_segments *segments, size_t n) {
    size_t room = 0;
    if (segments->last) (void)tbh_segment_room(segments->last, &room);
    if (n > room) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (n == 0) return TURBOHTTP_OK;
    segments->last->length += n;
    segments->length += n;
    segments->end += n;
    return TURBOHTTP_OK;
}

/* Rents what `n` bytes need beyond `have` before anything is written: all or nothing. */
static bool tbh_segments_rent_for(turbohttp_segments *segments, size_t n, size_t have,
                                  turbohttp_segment **chain) {
    turbohttp_segment **end = chain;
    *chain = NULL;
    while (have < n) {
        turbohttp_segment *s = tbh_segment_rent(segments->pool, segments->block_bytes);
        if (!s) return false;
        *end = s;
        end = &s->next;
        have += tbh_segment_payload_bytes(s);
    }
    return true;
}

static void tbh_segments_return_chain(turbohttp_byte_pool *pool, turbohttp_segment *s) {
    while (s) {
        turbohttp_segment *next = s->next;
        tbh_segment_return(pool, s);
        s = next;
    }
}

TURBOHTTP_API turbohttp_status turbohttp_segments_append(turbohttp_segments *segments,
                                                         const void *bytes, size_t n) {
    const uint8_t *from = (const uint8_t *)bytes;
    size_t have = 0;
    turbohttp_segment *chain;
    if (segments->last) (void)tbh_segment_room(segments->last, &have);
    if (!tbh_segments_rent_for(segments, n, have, &chain)) {
        tbh_segments_return_chain(segments->pool, chain);
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    while (n > 0) {
        if (have == 0) {
            turbohttp_segment *next = chain;
            chain = chain->next;
            turbohttp_segments_attach(segments, next);
        }
        uint8_t *room = tbh_segment_room(segments->last, &have);
        size_t part = tbh_min_size(n, have);
        memcpy(room, from, part);
        (void)turbohttp_segments_commit(segments, part);
        from += part;
        n -= part;
        have = 0;
    }
    return TURBOHTTP_OK;
}

TURBOHTTP_API void turbohttp_segments_consume(turbohttp_segments *segments, size_t n) {
    turbohttp_segment *s;
    while ((s = segments->first) != NULL && n >= s->length) {
        n -= s->length;
        tbh_segment_return(segments->pool, turbohttp_segments_detach_first(segments));
    }
    if (!s || n == 0) return;
    s->data += n;
    s->length -= n;
    s->offset += n;
    segments->length -= n;
}

TURBOHTTP_API void turbohttp_segments_reset(turbohttp_segments *segments) {
    if (!segments) return;
    tbh_segments_return_chain(segments->pool, segments->first);
    turbohttp_segments_init(segments, segments->pool, segments->block_bytes);
}

/* ------------------------------------------------------------ views */
TURBOHTTP_API turbohttp_sequence turbohttp_sequence_of(const void *bytes, size_t n) {
    turbohttp_sequence sequence;
    sequence.head = tbh_span((const char *)bytes, n);
    sequence.rest = NULL;
    sequence.length = n;
    sequence.offset = 0;
    return sequence;
}

TURBOHTTP_API turbohttp_sequence turbohttp_segments_sequence(const turbohttp_segments *segments) {
    turbohttp_sequence sequence = turbohttp_sequence_of(NULL, 0);
    const turbohttp_segment *s = segments->first;
    while (s && s->length == 0) s = s->next;
    sequence.length = segments->length;
    sequence.offset = segments->end - segments->length;
    if (!s) return sequence;
    sequence.head = tbh_span((const char *)s->data, s->length);
    sequence.rest = s->next;
    return sequence;
}

TURBOHTTP_API bool turbohttp_sequence_next(const turbohttp_sequence *sequence,
                                           turbohttp_sequence_iterator *iterator,
                                           turbohttp_span *piece) {
    size_t left = sequence->length - iterator->taken;
    *piece = tbh_span(NULL, 0);
    if (left == 0) return false;
    if (iterator->taken == 0) {
        *piece = sequence->head;
        iterator->next = sequence->rest;
    }
    while (piece->length == 0 && iterator->next) {
        *piece = tbh_span((const char *)iterator->next->data, iterator->next->length);
        iterator->next = iterator->next->next;
    }
    piece->length = tbh_min_size(piece->length, left);
    iterator->taken += piece->length;
    return piece->length > 0;
}

TURBOHTTP_API turbohttp_sequence turbohttp_sequence_slice(const turbohttp_sequence *sequence,
                                                          size_t offset, size_t length) {
    turbohttp_sequence slice = turbohttp_sequence_of(NULL, 0);
    turbohttp_sequence_iterator at;
    turbohttp_span piece;
    memset(&at, 0, sizeof at);
    offset = tbh_min_size(offset, sequence->length);
    slice.length = tbh_min_size(length, sequence->length - offset);
    slice.offset = sequence->offset + offset;
    if (slice.length == 0) return slice;
    while (turbohttp_sequence_next(sequence, &at, &piece) && at.taken <= offset) {
    }
    size_t skip = offset - (at.taken - piece.length);
    slice.head = tbh_span(piece.data + skip, tbh_min_size(piece.length - skip, slice.length));
    slice.rest = at.next;
    return slice;
}

TURBOHTTP_API size_t turbohttp_sequence_copy_to(const turbohttp_sequence *sequence,
                                                void *destination, size_t n) {
    turbohttp_sequence_iterator at;
    turbohttp_span piece;
    size_t copied = 0;
    memset(&at, 0, sizeof at);
    while (copied < n && turbohttp_sequence_next(sequence, &at, &piece)) {
        size_t part = tbh_min_size(piece.length, n - copied);
        memcpy((uint8_t *)destination + copied, piece.data, part);
        copied += part;
    }
    return copied;
}

TURBOHTTP_API bool turbohttp_sequence_equals(const turbohttp_sequence *sequence, const void *bytes,
                                             size_t n) {
    turbohttp_sequence_iterator at;
    turbohttp_span piece;
    size_t seen = 0;
    memset(&at, 0, sizeof at);
    if (sequence->length != n) return false;
    while (turbohttp_sequence_next(sequence, &at, &piece)) {
        if (memcmp((const uint8_t *)bytes + seen, piece.data, piece.length) != 0) return false;
        seen += piece.length;
    }
    return true;
}

TURBOHTTP_API bool turbohttp_sequence_is_contiguous(const turbohttp_sequence *sequence) {
    return sequence->head.length >= sequence->length;
}
