/* A writer over a pool whose memory is counted: what tests of functions that write text begin and end with. */
#ifndef TEST_COUNTED_WRITER_H
#define TEST_COUNTED_WRITER_H
#include "check.h"
#include "counting_allocator.h"

static counting_allocator memory;
static turbohttp_byte_pool pool;
static turbohttp_writer w;

static void open_writer(size_t max_bytes) {
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&pool, &a, 16, 4096, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&w, &pool, max_bytes);
}

static void shut_writer(void) {
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_destroy(&pool);
    CHECK(counting_allocator_balanced(&memory));
}
#endif
