/* Segments: one pooled block each; the header lies at its start, the payload behind it. */
#pragma once
#include "../api/memory.h"
#include "allocator.h"

#define TBH_SEGMENT_HEADER_BYTES ((sizeof(turbohttp_segment) + 15u) & ~(size_t)15u)
#define TBH_SEGMENT_LEAST_BYTES  128u

/* A segment in a block of at least `block_bytes` bytes: empty, `data` at the payload's start, no
 * successor, offset 0. NULL if out of memory. */
TBH_FN turbohttp_segment *tbh_segment_rent(turbohttp_byte_pool *pool, size_t block_bytes);
/* NULL is fine; the successor is not touched. */
TBH_FN void tbh_segment_return(turbohttp_byte_pool *pool, turbohttp_segment *segment);
TBH_FN uint8_t *tbh_segment_payload(turbohttp_segment *segment);
TBH_FN size_t tbh_segment_payload_bytes(const turbohttp_segment *segment);
/* The free space behind data + length; NULL and 0 if there is none. */
TBH_FN uint8_t *tbh_segment_room(turbohttp_segment *segment, size_t *n);
