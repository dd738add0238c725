/* Buffer: one owner, idempotent return, detach once. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"

static counting_allocator memory;
static turbohttp_byte_pool pool;

static void open_pool(bool disable_pooling) {
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&pool, &a, 64, 1024, 4, TURBOHTTP_CLEAR_NONE, disable_pooling);
}

static void shut_pool(void) {
    CHECK_INT(turbohttp_byte_pool_stats(&pool).active, 0);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).violations, 0);
    turbohttp_byte_pool_destroy(&pool);
    CHECK(counting_allocator_balanced(&memory));
}

static void length_is_what_was_asked_for(void) {
    for (int off = 0; off < 2; off++) {
        open_pool(off);
        turbohttp_buffer b;
        CHECK_INT(turbohttp_buffer_rent(&b, &pool, 100), TURBOHTTP_OK);
        CHECK_INT(b.length, 100);
        CHECK_INT(b.capacity, 128);
        memset(b.data, 'x', b.length);
        turbohttp_buffer_truncate(&b, 200);
        CHECK_INT(turbohttp_buffer_span(&b).length, 100);
        turbohttp_buffer_truncate(&b, 3);
        CHECK_TEXT(turbohttp_buffer_span(&b).data, turbohttp_buffer_span(&b).length, "xxx");
        turbohttp_buffer_return(&b);
        shut_pool();
    }
}

static void zero_bytes_allocate_nothing(void) {
    open_pool(false);
    turbohttp_buffer b;
    CHECK_INT(turbohttp_buffer_rent(&b, &pool, 0), TURBOHTTP_OK);
    CHECK(b.data == NULL && b.length == 0 && b.capacity == 0);
    CHECK_INT(memory.requests, 0);
    turbohttp_buffer_truncate(&b, 0);
    turbohttp_buffer_return(&b);
    CHECK(turbohttp_buffer_detach(&b, NULL) == NULL);
    shut_pool();
}

static void return_is_idempotent(void) {
    open_pool(false);
    turbohttp_buffer b;
    turbohttp_buffer_rent(&b, &pool, 100);
    turbohttp_buffer_return(&b);
    CHECK(b.data == NULL && b.length == 0 && b.capacity == 0);
    turbohttp_buffer_return(&b);
    turbohttp_buffer_return(NULL);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).returned, 1);
    shut_pool();
}

static void detach_hands_over_once(void) {
    open_pool(false);
    turbohttp_buffer b;
    size_t capacity = 0;
    turbohttp_buffer_rent(&b, &pool, 100);
    char *p = turbohttp_buffer_detach(&b, &capacity);
    CHECK(p != NULL);
    CHECK_INT(capacity, 128);
    CHECK(turbohttp_buffer_detach(&b, &capacity) == NULL);
    CHECK_INT(capacity, 0);
    turbohttp_buffer_return(&b);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).active, 1);
    turbohttp_byte_pool_return(&pool, p, 128);
    shut_pool();
}

static void S_81_out_of_memory_leaves_it_empty(void) {
    open_pool(false);
    turbohttp_buffer b;
    memory.fail_at = 1;
    CHECK_INT(turbohttp_buffer_rent(&b, &pool, 100), TURBOHTTP_ERR_OUT_OF_MEMORY);
    CHECK(b.data == NULL && b.length == 0 && b.capacity == 0);
    turbohttp_buffer_return(&b);
    shut_pool();
}

static const check_test tests[] = {
    CHECK_TEST(length_is_what_was_asked_for), CHECK_TEST(zero_bytes_allocate_nothing),
    CHECK_TEST(return_is_idempotent),         CHECK_TEST(detach_hands_over_once),
    CHECK_TEST(S_81_out_of_memory_leaves_it_empty),
};
CHECK_MAIN(tests)
