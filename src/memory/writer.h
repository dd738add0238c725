/* Writers for those who write many small pieces. */
#pragma once
#include "allocator.h"

/* As turbohttp_writer_put, without a call while there is room. */
TBH_ALWAYS_INLINE void tbh_writer_add(turbohttp_writer *writer, const void *bytes, size_t n) {
    size_t capacity = tbh_min_size(writer->capacity, writer->max_bytes);
    if (writer->status == TURBOHTTP_OK && n && n <= capacity - writer->length) {
        memcpy(writer->data + writer->length, bytes, n);
        writer->length += n;
    } else turbohttp_writer_put(writer, bytes, n);
}
