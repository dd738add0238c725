/* Reader: a place in a sequence. Owns: nothing. Invariants: `piece` is the unread rest of the
 * current piece, never longer than what the sequence has left, and empty only at the end;
 * position + unread bytes = length. Input: any sequence whose segments stay put meanwhile.
 * Does not know: what the bytes mean; never copies more than it is asked for. */
#include "sequence.h"

/* Goes on to the next piece that has bytes, cut at the sequence's end. */
static void tbh_reader_advance(turbohttp_reader *reader) {
    size_t left = reader->sequence.length - reader->position;
    while (reader->piece.length == 0 && left > 0 && reader->next) {
        reader->piece = tbh_span((const char *)reader->next->data, reader->next->length);
        reader->next = reader->next->next;
    }
    reader->piece.length = tbh_min_size(reader->piece.length, left);
}

static void tbh_reader_rewind(turbohttp_reader *reader) {
    reader->position = 0;
    reader->piece = reader->sequence.head;
    reader->next = reader->sequence.rest;
    tbh_reader_advance(reader);
}

TURBOHTTP_API void turbohttp_reader_init(turbohttp_reader *reader,
                                         const turbohttp_sequence *sequence) {
    reader->sequence = *sequence;
    tbh_reader_rewind(reader);
}

/* n ≤ piece.length */
static void tbh_reader_take(turbohttp_reader *reader, size_t n) {
    reader->piece.data += n;
    reader->piece.length -= n;
    reader->position += n;
    if (reader->piece.length == 0) tbh_reader_advance(reader);
}

TURBOHTTP_API size_t turbohttp_reader_read(turbohttp_reader *reader, void *destination, size_t n) {
    size_t copied = 0;
    while (copied < n && reader->piece.length > 0) {
        size_t part = tbh_min_size(reader->piece.length, n - copied);
        memcpy((uint8_t *)destination + copied, reader->piece.data, part);
        tbh_reader_take(reader, part);
        copied += part;
    }
    return copied;
}

TURBOHTTP_API size_t turbohttp_reader_skip(turbohttp_reader *reader, size_t n) {
    size_t skipped = 0;
    while (skipped < n && reader->piece.length > 0) {
        size_t part = tbh_min_size(reader->piece.length, n - skipped);
        tbh_reader_take(reader, part);
        skipped += part;
    }
    return skipped;
}

TURBOHTTP_API turbohttp_status turbohttp_reader_seek(turbohttp_reader *reader, size_t position) {
    if (position > reader->sequence.length) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (position < reader->position) tbh_reader_rewind(reader);
    (void)turbohttp_reader_skip(reader, position - reader->position);
    return TURBOHTTP_OK;
}

TURBOHTTP_API size_t turbohttp_reader_tell(const turbohttp_reader *reader) {
    return reader->position;
}

TURBOHTTP_API size_t turbohttp_reader_length(const turbohttp_reader *reader) {
    return reader->sequence.length;
}

TURBOHTTP_API int turbohttp_reader_peek(const turbohttp_reader *reader) {
    return reader->piece.length ? (uint8_t)reader->piece.data[0] : -1;
}

TURBOHTTP_API int turbohttp_reader_next(turbohttp_reader *reader) {
    if (reader->piece.length == 0) return -1;
    int byte = (uint8_t)reader->piece.data[0];
    tbh_reader_take(reader, 1);
    return byte;
}

TURBOHTTP_API turbohttp_span turbohttp_reader_piece(const turbohttp_reader *reader) {
    return reader->piece;
}
