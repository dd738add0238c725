/* Heap: allocator and byte pool with a count of owners.
 * Owns both; frees itself when the last owner lets go, from whatever thread.
 * Does not know who the owners are. */
#include "heap.h"

enum { TBH_HEAP_SMALLEST = 256 };

TBH_FN tbh_heap *tbh_heap_create(const turbohttp_allocator *allocator, size_t largest,
                                 uint32_t cap_per_bucket, turbohttp_clearing clearing,
                                 bool disable_pooling) {
    tbh_heap *heap = (tbh_heap *)tbh_allocate(allocator, sizeof *heap);
    if (!heap) return NULL;
    memset(heap, 0, sizeof *heap);
    heap->allocator = *allocator;
    heap->owners = 1;
    turbohttp_byte_pool_init(&heap->blocks, &heap->allocator, TBH_HEAP_SMALLEST, largest,
                             cap_per_bucket, clearing, disable_pooling);
    return heap;
}

TBH_FN void tbh_heap_hold(tbh_heap *heap) {
    tbh_atomic_add32(&heap->owners, 1);
}

TBH_FN void tbh_heap_drop(tbh_heap *heap) {
    if (!heap || tbh_atomic_add32(&heap->owners, UINT32_MAX) != 0) return;
    turbohttp_allocator allocator = heap->allocator;
    turbohttp_byte_pool_destroy(&heap->blocks);
    tbh_release(&allocator, heap, sizeof *heap);
}
