/* Debug guards: each misuse is reported once, with the sites. */
#ifndef TURBOHTTP_DEBUG_GUARDS
#define TURBOHTTP_DEBUG_GUARDS
#endif
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"

static counting_allocator memory;
static turbohttp_byte_pool pool;
static turbohttp_object_pool objects;
static char last[300];
static int reports;

static void on_violation(void *user, const char *text) {
    CHECK(user == &reports);
    reports++;
    snprintf(last, sizeof last, "%s", text);
}

static void open_pools(uint32_t cap) {
    memset(&memory, 0, sizeof memory);
    reports = 0;
    last[0] = 0;
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&pool, &a, 64, 1024, cap, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_byte_pool_on_violation(&pool, on_violation, &reports);
    turbohttp_object_pool_init(&objects, &a, 40, cap, NULL, NULL, false);
    turbohttp_object_pool_on_violation(&objects, on_violation, &reports);
}

static void shut_pools(void) {
    turbohttp_byte_pool_destroy(&pool);
    turbohttp_object_pool_destroy(&objects);
    CHECK(counting_allocator_balanced(&memory));
}

#if defined(__has_feature) && !defined(__SANITIZE_ADDRESS__)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static bool told(const char *what) {
    return strstr(last, what) != NULL;
}

/* Both while the block rests in the pool and after it went to the allocator. */
static void double_return_names_both_sites(void) {
    for (uint32_t cap = 0; cap < 2; cap++) {
        open_pools(cap);
        size_t c;
        void *p = turbohttp_byte_pool_rent_at(&pool, 10, &c, "rent.c", 11);
        turbohttp_byte_pool_return_at(&pool, p, c, "first.c", 22);
        CHECK_INT(reports, 0);
        turbohttp_byte_pool_return_at(&pool, p, c, "second.c", 33);
        CHECK_INT(reports, 1);
        CHECK(told("double return") && told("rent.c:11") && told("first.c:22") && told("second.c:33"));
        void *o = turbohttp_object_pool_rent_at(&objects, "rent.c", 1);
        turbohttp_object_pool_return_at(&objects, o, "first.c", 2);
        turbohttp_object_pool_return_at(&objects, o, "second.c", 3);
        CHECK_INT(reports, 2);
        CHECK(told("double return") && told("rent.c:1,") && told("first.c:2,") && told("second.c:3"));
        CHECK_INT(turbohttp_byte_pool_stats(&pool).violations, 1);
        CHECK_INT(turbohttp_object_pool_stats(&objects).violations, 1);
        CHECK_INT(turbohttp_object_pool_stats(&objects).returned, 1);
        shut_pools();
    }
}

static void foreign_blocks_are_refused(void) {
    open_pools(4);
    char mine[64];
    turbohttp_byte_pool_return(&pool, mine, 64);
    CHECK(told("not rented here") && told("test_guards.c"));
    CHECK_INT(turbohttp_byte_pool_count(&pool), 0);
    shut_pools();
}

static void writes_past_the_end_are_found_at_return(void) {
    open_pools(4);
    size_t c;
    char *p = (char *)turbohttp_byte_pool_rent(&pool, 64, &c);
    p[64] = 1;
    turbohttp_byte_pool_return(&pool, p, c);
    CHECK(told("write past the end") && told("test_guards.c"));
    char *o = (char *)turbohttp_object_pool_rent(&objects);
    o[40] = 1;
    turbohttp_object_pool_return(&objects, o);
    CHECK_INT(reports, 2);
    turbohttp_buffer b;
    turbohttp_buffer_rent(&b, &pool, 100);
    b.data[99] = 1;
    turbohttp_buffer_truncate(&b, 50);
    b.data[49] = 1;
    turbohttp_buffer_return(&b);
    CHECK_INT(reports, 2);
    turbohttp_buffer_rent_at(&b, &pool, 100, "rent.c", 7);
    b.data[100] = 1;
    turbohttp_buffer_return_at(&b, "return.c", 8);
    CHECK_INT(reports, 3);
    CHECK(told("logical length") && told("rent.c:7") && told("return.c:8"));
    shut_pools();
}

/* Under AddressSanitizer the write itself would stop the test: returned blocks are poisoned. */
static void writes_after_return_are_found_at_rent(void) {
#ifndef __SANITIZE_ADDRESS__
    open_pools(4);
    size_t c;
    char *p = (char *)turbohttp_byte_pool_rent_at(&pool, 64, &c, "rent.c", 1);
    turbohttp_byte_pool_return_at(&pool, p, c, "return.c", 2);
    p[20] = 'x';
    turbohttp_byte_pool_return(&pool, turbohttp_byte_pool_rent(&pool, 64, &c), c);
    CHECK(told("write after return") && told("rent.c:1,") && told("return.c:2"));
    CHECK_INT(reports, 1);
    char *o = (char *)turbohttp_object_pool_rent_at(&objects, "rent.c", 3);
    turbohttp_object_pool_return_at(&objects, o, "return.c", 4);
    o[0] = 'x';
    turbohttp_object_pool_trim(&objects);
    CHECK(told("write after return") && told("rent.c:3,") && told("return.c:4"));
    CHECK_INT(reports, 2);
    shut_pools();
#endif
}

/* Old bytes are recognisable, and secrets are zeroed in a guard build too. */
static void resting_bytes_are_marked_or_wiped(void) {
    for (int secret = 0; secret < 2; secret++) {
        open_pools(4);
        pool.clearing = secret ? TURBOHTTP_CLEAR_ON_RETURN : TURBOHTTP_CLEAR_NONE;
        size_t c;
        uint8_t *p = (uint8_t *)turbohttp_byte_pool_rent(&pool, 64, &c);
        memset(p, 'x', c);
        turbohttp_byte_pool_return(&pool, p, c);
        p = (uint8_t *)turbohttp_byte_pool_rent(&pool, 64, &c);
        for (size_t i = sizeof(void *); i < c; i++) CHECK_INT(p[i], secret ? 0 : 0xdb);
        turbohttp_byte_pool_return(&pool, p, c);
        CHECK_INT(reports, 0);
        shut_pools();
    }
}

static void reports_are_counted_without_a_hook_until_reset(void) {
    open_pools(4);
    turbohttp_byte_pool_on_violation(&pool, NULL, NULL);
    char mine[64];
    turbohttp_byte_pool_return(&pool, mine, 64);
    turbohttp_object_pool_return(&objects, mine);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).violations, 1);
    CHECK_INT(turbohttp_object_pool_stats(&objects).violations, 1);
    turbohttp_byte_pool_stats_reset(&pool);
    turbohttp_object_pool_stats_reset(&objects);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).violations, 0);
    CHECK_INT(turbohttp_object_pool_stats(&objects).violations, 0);
    shut_pools();
}

static void forgotten_blocks_are_named_at_the_end(void) {
    open_pools(4);
    size_t c;
    void *p = turbohttp_byte_pool_rent_at(&pool, 64, &c, "rent.c", 5);
    turbohttp_allocator a = pool.allocator;
    turbohttp_byte_pool_destroy(&pool);
    CHECK(told("never returned") && told("rent.c:5"));
    a.release(a.user, p, c + 16);
    turbohttp_object_pool_destroy(&objects);
    CHECK(counting_allocator_balanced(&memory));
}

static void proper_use_of_many_blocks_is_silent(void) {
    for (uint32_t cap = 0; cap < 40; cap += 13) {
        open_pools(cap);
        void *p[200];
        size_t c[200];
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 200; i++) {
                p[i] = turbohttp_byte_pool_rent(&pool, (size_t)(i * 9 + 1), &c[i]);
                memset(p[i], i, c[i]);
            }
            for (int i = 199; i >= 0; i--) turbohttp_byte_pool_return(&pool, p[i], c[i]);
            for (int i = 0; i < 200; i++) p[i] = memset(turbohttp_object_pool_rent(&objects), i, 40);
            for (int i = 0; i < 200; i++) turbohttp_object_pool_return(&objects, p[i]);
        }
        CHECK_INT(reports, 0);
        shut_pools();
    }
}

static void S_81_no_memory_to_remember_a_block_fails_the_rent(void) {
    for (uint64_t at = 1; at < 5; at++) {
        open_pools(4);
        memory.fail_at = at;
        size_t c;
        void *p = turbohttp_byte_pool_rent(&pool, 64, &c);
        void *o = turbohttp_object_pool_rent(&objects);
        CHECK(p == NULL || o == NULL);
        CHECK((p == NULL) == (c == 0));
        turbohttp_byte_pool_return(&pool, p, c);
        turbohttp_object_pool_return(&objects, o);
        CHECK_INT(turbohttp_byte_pool_stats(&pool).active, 0);
        CHECK_INT(reports, 0);
        shut_pools();
    }
}

static const check_test tests[] = {
    CHECK_TEST(double_return_names_both_sites),
    CHECK_TEST(foreign_blocks_are_refused),
    CHECK_TEST(writes_past_the_end_are_found_at_return),
    CHECK_TEST(writes_after_return_are_found_at_rent),
    CHECK_TEST(resting_bytes_are_marked_or_wiped),
    CHECK_TEST(reports_are_counted_without_a_hook_until_reset),
    CHECK_TEST(forgotten_blocks_are_named_at_the_end),
    CHECK_TEST(proper_use_of_many_blocks_is_silent),
    CHECK_TEST(S_81_no_memory_to_remember_a_block_fails_the_rent),
};
CHECK_MAIN(tests)
