/* Writer: output that grows in one piece, over a byte pool.
 * Owns: one block, replaced by a larger one (next bucket, at least doubled) when it is full.
 * Invariants: length ≤ capacity, length ≤ max_bytes; the first error sticks until clear or reset
 * and leaves what was written as it was.
 * Input: any bytes; the text helpers take UTF-8, and malformed UTF-8 becomes '?'.
 * Does not know: what is being serialised. */
#include "allocator.h"
#include "guards.h"

TURBOHTTP_API void turbohttp_writer_init(turbohttp_writer *writer, turbohttp_byte_pool *pool,
                                         size_t max_bytes) {
    memset(writer, 0, sizeof *writer);
    writer->pool = pool;
    writer->max_bytes = max_bytes ? max_bytes : SIZE_MAX;
}

static turbohttp_status tbh_writer_fail(turbohttp_writer *writer, turbohttp_status status) {
    if (writer->status == TURBOHTTP_OK) writer->status = status;
    return writer->status;
}

/* Doubles, but asks for no more than the limit unless the pool's bucket is larger anyway. */
static TBH_NOINLINE turbohttp_status tbh_writer_grow(turbohttp_writer *writer, size_t needed) {
    size_t wanted = writer->capacity > SIZE_MAX / 2 ? needed : writer->capacity * 2;
    wanted = tbh_max_size(needed, tbh_min_size(wanted, writer->max_bytes));
    size_t capacity;
    char *data = (char *)turbohttp_byte_pool_rent(writer->pool, wanted, &capacity);
    if (!data) return tbh_writer_fail(writer, TURBOHTTP_ERR_OUT_OF_MEMORY);
    if (writer->length) {
        memcpy(data, writer->data, writer->length);
        tbh_wipe(writer->data, writer->length); /* it may be a head with credentials */
    }
    turbohttp_byte_pool_return(writer->pool, writer->data, writer->capacity);
    writer->data = data;
    writer->capacity = capacity;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_reserve(turbohttp_writer *writer, size_t n,
                                                        char **span) {
    *span = NULL;
    if (writer->status != TURBOHTTP_OK) return writer->status;
    if (n > writer->max_bytes - writer->length)
        return tbh_writer_fail(writer, TURBOHTTP_ERR_OVERFLOW);
    if (n > writer->capacity - writer->length) {
        turbohttp_status status = tbh_writer_grow(writer, writer->length + n);
        if (status != TURBOHTTP_OK) return status;
    }
    if (writer->data) *span = writer->data + writer->length;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_commit(turbohttp_writer *writer, size_t n) {
    if (writer->status != TURBOHTTP_OK) return writer->status;
    size_t limit = tbh_min_size(writer->capacity, writer->max_bytes);
    if (n > limit - writer->length) return tbh_writer_fail(writer, TURBOHTTP_ERR_INVALID_ARGUMENT);
    writer->length += n;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put(turbohttp_writer *writer, const void *bytes,
                                                    size_t n) {
    char *to;
    turbohttp_status status = turbohttp_writer_reserve(writer, n, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    memcpy(to, bytes, n);
    writer->length += n;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_byte(turbohttp_writer *writer, char byte) {
    return turbohttp_writer_put(writer, &byte, 1);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_text(turbohttp_writer *writer,
                                                         const char *text) {
    return turbohttp_writer_put(writer, text, text ? strlen(text) : 0);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_u64(turbohttp_writer *writer, uint64_t number) {
    char digits[20];
    return turbohttp_writer_put(writer, digits, tbh_format_u64(digits, number));
}

/* ------------------------------------------------------------ text (SPEC B4) */
/* Reads one character that is not ASCII at p: its code point if that is U+0080…U+00FF and well
 * formed, else 0. `*used` is the lead byte and the continuation bytes that belong to it. */
static uint8_t tbh_writer_latin1_of(const char *p, size_t n, size_t *used) {
    uint8_t lead = (uint8_t)p[0];
    size_t follow = lead >= 0xf0 ? 3u : lead >= 0xe0 ? 2u : lead >= 0xc0 ? 1u : 0u;
    size_t i = 1;
    while (i < n && i <= follow && ((uint8_t)p[i] & 0xc0) == 0x80) i++;
    *used = i;
    if ((lead & 0xfe) != 0xc2 || i != 2) return 0;
    return (uint8_t)(lead << 6 | ((uint8_t)p[1] & 0x3f));
}

/* Says how many bytes the text becomes, and writes them if `to` is given. */
static size_t tbh_writer_narrow(char *to, const char *utf8, size_t n, bool latin1) {
    size_t written = 0;
    for (size_t i = 0, used; i < n; i += used) {
        uint8_t c = (uint8_t)utf8[i];
        used = 1;
        if (c >= 0x80) {
            c = tbh_writer_latin1_of(utf8 + i, n - i, &used);
            if (c == 0 || !latin1) c = '?';
        }
        if (to) to[written] = (char)c;
        written++;
    }
    return written;
}

static turbohttp_status tbh_writer_put_narrow(turbohttp_writer *writer, const char *utf8, size_t n,
                                              bool latin1) {
    char *to;
    size_t length = tbh_writer_narrow(NULL, utf8, n, latin1);
    turbohttp_status status = turbohttp_writer_reserve(writer, length, &to);
    if (status != TURBOHTTP_OK || length == 0) return status;
    writer->length += tbh_writer_narrow(to, utf8, n, latin1);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_latin1(turbohttp_writer *writer,
                                                           const char *utf8, size_t n) {
    return tbh_writer_put_narrow(writer, utf8, n, true);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_ascii(turbohttp_writer *writer,
                                                          const char *utf8, size_t n) {
    return tbh_writer_put_narrow(writer, utf8, n, false);
}

/* ------------------------------------------------------------ taking it */
TURBOHTTP_API turbohttp_span turbohttp_writer_written(const turbohttp_writer *writer) {
    return tbh_span(writer->data, writer->length);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_detach(turbohttp_writer *writer,
                                                       turbohttp_buffer *buffer) {
    memset(buffer, 0, sizeof *buffer);
    if (writer->status != TURBOHTTP_OK) return writer->status;
    if (writer->data) {
        buffer->pool = writer->pool;
        buffer->data = writer->data;
        buffer->length = writer->length;
        buffer->capacity = writer->capacity;
        if (TBH_GUARDS) tbh_guard_seal(buffer->data, buffer->length, buffer->capacity);
    }
    writer->data = NULL;
    writer->length = writer->capacity = 0;
    writer->status = TURBOHTTP_ERR_STATE;
    return TURBOHTTP_OK;
}

TURBOHTTP_API void turbohttp_writer_clear(turbohttp_writer *writer) {
    writer->length = 0;
    writer->status = TURBOHTTP_OK;
}

TURBOHTTP_API void turbohttp_writer_reset(turbohttp_writer *writer) {
    if (!writer) return;
    if (writer->data) turbohttp_byte_pool_return(writer->pool, writer->data, writer->capacity);
    turbohttp_writer_init(writer, writer->pool, writer->max_bytes);
}
