/* Buffer: the owner of one pooled block, with its logical length.
 * Owns: the block, until return or detach. Invariants: data NULL ⇔ pool NULL ⇔ capacity 0;
 * length ≤ capacity; in a guard build the bytes right behind `length` carry a mark.
 * Input: sizes from the library or its user. Does not know: what the bytes are. */
#include "allocator.h"
#include "guards.h"

TURBOHTTP_API turbohttp_status turbohttp_buffer_rent_at(turbohttp_buffer *buffer,
                                                        turbohttp_byte_pool *pool, size_t size,
                                                        const char *file, int line) {
    memset(buffer, 0, sizeof *buffer);
    if (size == 0) return TURBOHTTP_OK;
    size_t capacity;
    char *data = (char *)turbohttp_byte_pool_rent_at(pool, size, &capacity, file, line);
    if (!data) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    buffer->pool = pool;
    buffer->data = data;
    buffer->length = size;
    buffer->capacity = capacity;
    if (TBH_GUARDS) tbh_guard_seal(data, size, capacity);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status(turbohttp_buffer_rent)(turbohttp_buffer *buffer,
                                                      turbohttp_byte_pool *pool, size_t size) {
    return turbohttp_buffer_rent_at(buffer, pool, size, NULL, 0);
}

TURBOHTTP_API void turbohttp_buffer_return_at(turbohttp_buffer *buffer, const char *file,
                                              int line) {
    if (!buffer || !buffer->data) return;
    turbohttp_buffer held = *buffer;
    memset(buffer, 0, sizeof *buffer);
    if (TBH_GUARDS)
        tbh_guard_check_seal(&held.pool->guard, held.data, held.length, held.capacity,
                             tbh_site_of(file, line));
    turbohttp_byte_pool_return_at(held.pool, held.data, held.capacity, file, line);
}

TURBOHTTP_API void(turbohttp_buffer_return)(turbohttp_buffer *buffer) {
    turbohttp_buffer_return_at(buffer, NULL, 0);
}

TURBOHTTP_API char *turbohttp_buffer_detach(turbohttp_buffer *buffer, size_t *capacity) {
    char *data = buffer->data;
    if (capacity) *capacity = buffer->capacity;
    memset(buffer, 0, sizeof *buffer);
    return data;
}

TURBOHTTP_API void turbohttp_buffer_truncate(turbohttp_buffer *buffer, size_t length) {
    if (length >= buffer->length) return;
    buffer->length = length;
    if (TBH_GUARDS) tbh_guard_seal(buffer->data, length, buffer->capacity);
}

TURBOHTTP_API turbohttp_span turbohttp_buffer_span(const turbohttp_buffer *buffer) {
    return tbh_span(buffer->data, buffer->length);
}
