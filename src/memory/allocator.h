/* Allocator: the two calls through which all memory comes and goes. */
#pragma once
#include "../api/memory.h"
#include "../base/bytes.h"

/* Every block of an arena, and every size that a pool rounds up itself, is a multiple of this. */
#define TBH_ALIGN_BYTES 16u

/* NULL for size 0, without hooks, and when the allocator gives nothing. */
TBH_FN void *tbh_allocate(const turbohttp_allocator *allocator, size_t size);
/* NULL is fine; `size` as given to tbh_allocate. */
TBH_FN void tbh_release(const turbohttp_allocator *allocator, void *block, size_t size);
/* Rounds up to TBH_ALIGN_BYTES; false if that does not fit. */
TBH_FN bool tbh_align_size(size_t size, size_t *rounded);
