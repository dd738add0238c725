/* The blocks that a client and its responses share: counted, because a response may outlive its
 * client. */
#pragma once
#include "../base/atomic.h"
#include "allocator.h"

typedef struct tbh_heap {
    turbohttp_allocator allocator;
    turbohttp_byte_pool blocks;
    uint32_t owners; /* atomic */
} tbh_heap;

TBH_FN tbh_heap *tbh_heap_create(const turbohttp_allocator *allocator, size_t largest,
                                 uint32_t cap_per_bucket, turbohttp_clearing clearing,
                                 bool disable_pooling);
TBH_FN void tbh_heap_hold(tbh_heap *heap);
TBH_FN void tbh_heap_drop(tbh_heap *heap); /* the last drop frees it */
