/* Object pool: cap, reset, counters, failing allocator, pooling off. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"

typedef struct thing {
    void *first_word;
    char text[37];
} thing;

static int resets;

static void reset_thing(void *user, void *element) {
    thing *t = (thing *)element;
    CHECK(user == &resets);
    resets++;
    t->first_word = &resets; /* state that the hook leaves must survive the rest */
    memset(t->text, 0, sizeof t->text);
}

typedef struct bench {
    counting_allocator memory;
    turbohttp_allocator allocator;
    turbohttp_object_pool pool;
} bench;

static void bench_open(bench *b, uint32_t cap, bool hook, bool disable_pooling) {
    memset(b, 0, sizeof *b);
    b->allocator = counting_allocator_hooks(&b->memory);
    resets = 0;
    turbohttp_object_pool_init(&b->pool, &b->allocator, sizeof(thing), cap, hook ? reset_thing : NULL,
                               &resets, disable_pooling);
}

static void bench_shut(bench *b) {
    turbohttp_object_pool_destroy(&b->pool);
    CHECK(counting_allocator_balanced(&b->memory));
}

static bool all_zero(const void *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)p)[i]) return false;
    return true;
}

static void fresh_objects_are_zero_and_returned_ones_are_reset(void) {
    bench b;
    bench_open(&b, 4, true, false);
    thing *t = (thing *)turbohttp_object_pool_rent(&b.pool);
    CHECK(all_zero(t, sizeof *t));
    memset(t, 0xff, sizeof *t);
    turbohttp_object_pool_return(&b.pool, t);
    CHECK_INT(resets, 1);
    thing *again = (thing *)turbohttp_object_pool_rent(&b.pool);
    CHECK(again == t);
    CHECK(again->first_word == &resets);
    CHECK(all_zero(again->text, sizeof again->text));
    turbohttp_object_pool_return(&b.pool, again);
    bench_shut(&b);
}

static void without_a_hook_objects_come_back_zeroed(void) {
    bench b;
    bench_open(&b, 4, false, false);
    thing *t = (thing *)turbohttp_object_pool_rent(&b.pool);
    memset(t, 0xff, sizeof *t);
    turbohttp_object_pool_return(&b.pool, t);
    CHECK(turbohttp_object_pool_rent(&b.pool) == t);
    CHECK(all_zero(t, sizeof *t));
    turbohttp_object_pool_return(&b.pool, t);
    bench_shut(&b);
}

static void cap_bounds_what_is_retained(void) {
    bench b;
    bench_open(&b, 3, true, false);
    void *p[5];
    for (int i = 0; i < 5; i++) p[i] = turbohttp_object_pool_rent(&b.pool);
    for (int i = 0; i < 5; i++) turbohttp_object_pool_return(&b.pool, p[i]);
    CHECK_INT(turbohttp_object_pool_count(&b.pool), 3);
    CHECK_INT(resets, 5);
    turbohttp_pool_stats s = turbohttp_object_pool_stats(&b.pool);
    CHECK_INT(s.rented, 5);
    CHECK_INT(s.returned, 5);
    CHECK_INT(s.missed, 5);
    CHECK_INT(s.active, 0);
    turbohttp_object_pool_trim(&b.pool);
    CHECK_INT(turbohttp_object_pool_count(&b.pool), 0);
    bench_shut(&b);
}

static void A1_counters_tell_rents_from_the_pool_and_from_the_allocator(void) {
    bench b;
    bench_open(&b, 2, true, false);
    for (int i = 0; i < 5; i++) {
        void *p = turbohttp_object_pool_rent(&b.pool), *q = turbohttp_object_pool_rent(&b.pool);
        CHECK_INT(turbohttp_object_pool_count(&b.pool), 0);
        CHECK_INT(turbohttp_object_pool_stats(&b.pool).active, 2);
        turbohttp_object_pool_return(&b.pool, p);
        CHECK_INT(turbohttp_object_pool_stats(&b.pool).active, 1);
        turbohttp_object_pool_return(&b.pool, q);
        CHECK_INT(turbohttp_object_pool_count(&b.pool), 2);
    }
    turbohttp_pool_stats s = turbohttp_object_pool_stats(&b.pool);
    CHECK_INT(s.rented, 10);
    CHECK_INT(s.returned, 10);
    CHECK_INT(s.missed, 2);
    CHECK_INT(s.active, 0);
    turbohttp_object_pool_stats_reset(&b.pool);
    s = turbohttp_object_pool_stats(&b.pool);
    CHECK_INT(s.rented + s.returned + s.missed + s.active, 0);
    bench_shut(&b);
}

static void stats_reset_keeps_active(void) {
    bench b;
    bench_open(&b, 3, true, false);
    void *p = turbohttp_object_pool_rent(&b.pool);
    turbohttp_object_pool_stats_reset(&b.pool);
    turbohttp_pool_stats s = turbohttp_object_pool_stats(&b.pool);
    CHECK_INT(s.rented, 0);
    CHECK_INT(s.active, 1);
    turbohttp_object_pool_return(&b.pool, p);
    s = turbohttp_object_pool_stats(&b.pool);
    CHECK_INT(s.returned, 1);
    CHECK_INT(s.active, 0);
    bench_shut(&b);
}

static void pooling_off_asks_the_allocator_each_time(void) {
    bench b;
    bench_open(&b, 8, true, true);
    uint64_t before = b.memory.releases;
    for (int i = 0; i < 6; i++) turbohttp_object_pool_return(&b.pool, turbohttp_object_pool_rent(&b.pool));
    CHECK_INT(b.memory.releases - before, 6);
    CHECK_INT(turbohttp_object_pool_stats(&b.pool).missed, 6);
    CHECK_INT(turbohttp_object_pool_count(&b.pool), 0);
    CHECK_INT(resets, 6);
    bench_shut(&b);
}

static void A11_no_allocation_after_warm_up(void) {
    bench b;
    bench_open(&b, 2, true, false);
    turbohttp_object_pool_return(&b.pool, turbohttp_object_pool_rent(&b.pool));
    uint64_t before = b.memory.requests;
    for (int i = 0; i < 100; i++) turbohttp_object_pool_return(&b.pool, turbohttp_object_pool_rent(&b.pool));
    CHECK_INT(b.memory.requests - before, 0);
    bench_shut(&b);
}

static void S_81_failed_allocation_changes_nothing(void) {
    bench b;
    bench_open(&b, 2, true, false);
    b.memory.fail_at = 1;
    CHECK(turbohttp_object_pool_rent(&b.pool) == NULL);
    CHECK_INT(turbohttp_object_pool_stats(&b.pool).active, 0);
    CHECK_INT(turbohttp_object_pool_stats(&b.pool).rented, 0);
    void *p = turbohttp_object_pool_rent(&b.pool);
    CHECK(p != NULL);
    turbohttp_object_pool_return(&b.pool, p);
    turbohttp_object_pool_return(&b.pool, NULL);
    bench_shut(&b);
    turbohttp_object_pool_destroy(NULL);
}

static void sizes_that_do_not_fit_give_nothing(void) {
    bench b;
    bench_open(&b, 2, true, false);
    turbohttp_object_pool_init(&b.pool, &b.allocator, SIZE_MAX - 8, 2, NULL, NULL, false);
    CHECK(turbohttp_object_pool_rent(&b.pool) == NULL);
    turbohttp_object_pool_init(&b.pool, &b.allocator, 0, 2, NULL, NULL, false);
    CHECK(turbohttp_object_pool_rent(&b.pool) == NULL);
    CHECK_INT(b.memory.requests, 0);
}

static const check_test tests[] = {
    CHECK_TEST(fresh_objects_are_zero_and_returned_ones_are_reset),
    CHECK_TEST(without_a_hook_objects_come_back_zeroed),
    CHECK_TEST(cap_bounds_what_is_retained),
    CHECK_TEST(A1_counters_tell_rents_from_the_pool_and_from_the_allocator),
    CHECK_TEST(stats_reset_keeps_active),
    CHECK_TEST(pooling_off_asks_the_allocator_each_time),
    CHECK_TEST(A11_no_allocation_after_warm_up),
    CHECK_TEST(S_81_failed_allocation_changes_nothing),
    CHECK_TEST(sizes_that_do_not_fit_give_nothing),
};
CHECK_MAIN(tests)
