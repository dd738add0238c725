/* Byte pool: buckets, caps, bounds, clearing, counters, pooling off. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"

typedef struct bench {
    counting_allocator memory;
    turbohttp_allocator allocator;
    turbohttp_byte_pool pool;
} bench;

static void bench_open(bench *b, turbohttp_clearing clearing, bool disable_pooling) {
    memset(b, 0, sizeof *b);
    b->allocator = counting_allocator_hooks(&b->memory);
    turbohttp_byte_pool_init(&b->pool, &b->allocator, 64, 1024, 2, clearing, disable_pooling);
}

static void bench_shut(bench *b) {
    turbohttp_byte_pool_destroy(&b->pool);
    CHECK(counting_allocator_balanced(&b->memory));
}

static bool all_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static void every_size_gets_the_least_bucket_that_holds_it(void) {
    for (int off = 0; off < 2; off++) {
        bench b;
        bench_open(&b, TURBOHTTP_CLEAR_NONE, off);
        for (size_t size = 1; size <= 1024; size++) {
            size_t capacity, expected = 64;
            while (expected < size) expected *= 2;
            uint8_t *p = (uint8_t *)turbohttp_byte_pool_rent(&b.pool, size, &capacity);
            CHECK_INT(capacity, expected);
            memset(p, 0xee, capacity);
            turbohttp_byte_pool_return(&b.pool, p, capacity);
        }
        CHECK_INT(turbohttp_byte_pool_stats(&b.pool).missed, off ? 1024 : 5);
        CHECK_INT(turbohttp_byte_pool_count(&b.pool), off ? 0 : 5);
        bench_shut(&b);
    }
}

static void S_53_sizes_zero_and_overflowing_are_refused(void) {
    bench b;
    bench_open(&b, TURBOHTTP_CLEAR_NONE, false);
    static const size_t bad[] = {0, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2 + 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t capacity = 77;
        CHECK(turbohttp_byte_pool_rent(&b.pool, bad[i], &capacity) == NULL);
        CHECK_INT(capacity, 0);
    }
    CHECK_INT(b.memory.requests, 0);
    turbohttp_byte_pool_return(&b.pool, NULL, 64);
    CHECK_INT(turbohttp_byte_pool_stats(&b.pool).returned, 0);
    bench_shut(&b);
}

static void requests_above_the_largest_bucket_are_unpooled(void) {
    bench b;
    bench_open(&b, TURBOHTTP_CLEAR_NONE, false);
    size_t capacity;
    void *p = turbohttp_byte_pool_rent(&b.pool, 1025, &capacity);
    CHECK_INT(capacity, 1040);
    CHECK_INT(turbohttp_byte_pool_stats(&b.pool).unpooled, 1);
    CHECK_INT(turbohttp_byte_pool_stats(&b.pool).active, 1);
    turbohttp_byte_pool_return(&b.pool, p, capacity);
    CHECK_INT(turbohttp_byte_pool_count(&b.pool), 0);
    CHECK_INT(turbohttp_byte_pool_stats(&b.pool).active, 0);
    bench_shut(&b);
}

static void each_bucket_retains_up_to_its_cap(void) {
    bench b;
    bench_open(&b, TURBOHTTP_CLEAR_NONE, false);
    void *p[4], *q;
    size_t capacity, other;
    for (int i = 0; i < 4; i++) p[i] = turbohttp_byte_pool_rent(&b.pool, 64, &capacity);
    q = turbohttp_byte_pool_rent(&b.pool, 65, &other);
    for (int i = 0; i < 4; i++) turbohttp_byte_pool_return(&b.pool, p[i], capacity);
    turbohttp_byte_pool_return(&b.pool, q, other);
    CHECK_INT(turbohttp_byte_pool_count(&b.pool), 3);
    turbohttp_byte_pool_trim(&b.pool);
    CHECK_INT(turbohttp_byte_pool_count(&b.pool), 0);
    bench_shut(&b);
}

static void clear_on_rent_hands_out_zeros(void) {
    for (int off = 0; off < 2; off++) {
        bench b;
        bench_open(&b, TURBOHTTP_CLEAR_ON_RENT, off);
        static const size_t sizes[] = {100, 100, 5000};
        for (size_t i = 0; i < 3; i++) {
            size_t capacity;
            uint8_t *p = (uint8_t *)turbohttp_byte_pool_rent(&b.pool, sizes[i], &capacity);
            CHECK(all_zero(p, capacity));
            memset(p, 0x77, capacity);
            turbohttp_byte_pool_return(&b.pool, p, capacity);
        }
        CHECK_INT(turbohttp_byte_pool_stats(&b.pool).cleared, 3);
        bench_shut(&b);
    }
}

/* What the allocator gets back is looked at: secrets must be gone before. */
static bool secret_seen;

static void suspicious_release(void *user, void *block, size_t size) {
    for (size_t i = 0; i + 6 <= size; i++)
        if (memcmp((char *)block + i, "SECRET", 6) == 0) secret_seen = true;
    counting_release(user, block, size);
}

static void clear_on_return_wipes_before_the_block_rests_or_leaves(void) {
    for (int off = 0; off < 2; off++) {
        bench b;
        memset(&b, 0, sizeof b);
        b.allocator = counting_allocator_hooks(&b.memory);
        b.allocator.release = suspicious_release;
        turbohttp_byte_pool_init(&b.pool, &b.allocator, 64, 1024, 1, TURBOHTTP_CLEAR_ON_RETURN, off);
        secret_seen = false;
        size_t c[3];
        char *p[3];
        for (int i = 0; i < 3; i++) {
            p[i] = (char *)turbohttp_byte_pool_rent(&b.pool, i == 2 ? 5000 : 100, &c[i]);
            memcpy(p[i], "SECRET", 6);
            memcpy(p[i] + c[i] - 6, "SECRET", 6);
        }
        for (int i = 0; i < 3; i++) turbohttp_byte_pool_return(&b.pool, p[i], c[i]);
        CHECK_INT(turbohttp_byte_pool_stats(&b.pool).cleared, 3);
        if (!off) {
            size_t capacity;
            uint8_t *again = (uint8_t *)turbohttp_byte_pool_rent(&b.pool, 100, &capacity);
            CHECK(all_zero(again + sizeof(void *), capacity - sizeof(void *)));
            turbohttp_byte_pool_return(&b.pool, again, capacity);
        }
        bench_shut(&b);
        CHECK(!secret_seen);
    }
}

static void bounds_are_rounded_and_limited(void) {
    bench b;
    bench_open(&b, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_byte_pool *p = &b.pool;
    turbohttp_byte_pool_init(p, &b.allocator, 0, 0, 1, TURBOHTTP_CLEAR_NONE, false);
    CHECK_INT(p->first_class, 7);
    CHECK_INT(p->max_bytes, 65536);
    turbohttp_byte_pool_init(p, &b.allocator, 1, 100, 1, TURBOHTTP_CLEAR_NONE, false);
    CHECK_INT(p->first_class, 3);
    CHECK_INT(p->max_bytes, 128);
    turbohttp_byte_pool_init(p, &b.allocator, 16, SIZE_MAX, 1, TURBOHTTP_CLEAR_NONE, false);
    CHECK_INT(p->max_bytes, (size_t)16 << 19);
    turbohttp_byte_pool_init(p, &b.allocator, 16, (size_t)16 << 20, 1, TURBOHTTP_CLEAR_NONE, false);
    CHECK_INT(p->max_bytes, (size_t)16 << 19);
    turbohttp_byte_pool_init(p, &b.allocator, SIZE_MAX, 1, 1, TURBOHTTP_CLEAR_NONE, false);
    CHECK_INT(p->max_bytes, SIZE_MAX / 4 + 1);
    turbohttp_byte_pool_destroy(p);
    turbohttp_byte_pool_destroy(NULL);
}

static void counters_add_up_and_reset_keeps_active(void) {
    bench b;
    bench_open(&b, TURBOHTTP_CLEAR_NONE, false);
    size_t c;
    for (int i = 0; i < 3; i++)
        turbohttp_byte_pool_return(&b.pool, turbohttp_byte_pool_rent(&b.pool, 64, &c), 64);
    void *p = turbohttp_byte_pool_rent(&b.pool, 64, &c);
    turbohttp_pool_stats s = turbohttp_byte_pool_stats(&b.pool);
    CHECK_INT(s.rented, 4);
    CHECK_INT(s.returned, 3);
    CHECK_INT(s.missed, 1);
    CHECK_INT(s.active, 1);
    CHECK_INT(s.cleared + s.unpooled + s.violations, 0);
    turbohttp_byte_pool_stats_reset(&b.pool);
    s = turbohttp_byte_pool_stats(&b.pool);
    CHECK_INT(s.rented + s.returned + s.missed, 0);
    CHECK_INT(s.active, 1);
    turbohttp_byte_pool_return(&b.pool, p, c);
    s = turbohttp_byte_pool_stats(&b.pool);
    CHECK_INT(s.returned, 1);
    CHECK_INT(s.active, 0);
    bench_shut(&b);
}

static void A11_no_allocation_after_warm_up(void) {
    bench b;
    bench_open(&b, TURBOHTTP_CLEAR_ON_RENT, false);
    size_t c;
    turbohttp_byte_pool_return(&b.pool, turbohttp_byte_pool_rent(&b.pool, 200, &c), 256);
    uint64_t before = b.memory.requests;
    for (size_t i = 129; i <= 256; i++) {
        void *p = turbohttp_byte_pool_rent(&b.pool, i, &c);
        turbohttp_byte_pool_return(&b.pool, p, c);
    }
    CHECK_INT(b.memory.requests - before, 0);
    bench_shut(&b);
}

static void S_81_failed_allocation_changes_nothing(void) {
    for (uint64_t at = 1; at <= 2; at++) {
        bench b;
        bench_open(&b, TURBOHTTP_CLEAR_ON_RENT, false);
        b.memory.fail_at = at;
        size_t c, d;
        void *p = turbohttp_byte_pool_rent(&b.pool, 100, &c);
        void *q = turbohttp_byte_pool_rent(&b.pool, 5000, &d);
        CHECK((p == NULL) == (c == 0));
        CHECK((q == NULL) == (d == 0));
        CHECK(p == NULL || q == NULL);
        CHECK_INT(turbohttp_byte_pool_stats(&b.pool).active, (p != NULL) + (q != NULL));
        turbohttp_byte_pool_return(&b.pool, p, c);
        turbohttp_byte_pool_return(&b.pool, q, d);
        CHECK_INT(turbohttp_byte_pool_stats(&b.pool).active, 0);
        bench_shut(&b);
    }
}

static void A10_runs_in_a_fixed_block(void) {
    static uint8_t block[8192];
    turbohttp_arena arena;
    turbohttp_arena_init(&arena, block, sizeof block);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    turbohttp_byte_pool pool;
    turbohttp_byte_pool_init(&pool, &a, 64, 1024, 2, TURBOHTTP_CLEAR_NONE, false);
    size_t c[16], n = 0;
    void *p[16];
    while (n < 16 && (p[n] = turbohttp_byte_pool_rent(&pool, 1000, &c[n])) != NULL) n++;
    CHECK(n >= 1 && n <= 8);
    for (size_t i = 0; i < n; i++) turbohttp_byte_pool_return(&pool, p[i], c[i]);
    CHECK((p[0] = turbohttp_byte_pool_rent(&pool, 1000, &c[0])) != NULL);
    turbohttp_byte_pool_return(&pool, p[0], c[0]);
    turbohttp_byte_pool_destroy(&pool);
    CHECK_INT(arena.used, 0);
}

static const check_test tests[] = {
    CHECK_TEST(every_size_gets_the_least_bucket_that_holds_it),
    CHECK_TEST(S_53_sizes_zero_and_overflowing_are_refused),
    CHECK_TEST(requests_above_the_largest_bucket_are_unpooled),
    CHECK_TEST(each_bucket_retains_up_to_its_cap),
    CHECK_TEST(clear_on_rent_hands_out_zeros),
    CHECK_TEST(clear_on_return_wipes_before_the_block_rests_or_leaves),
    CHECK_TEST(bounds_are_rounded_and_limited),
    CHECK_TEST(counters_add_up_and_reset_keeps_active),
    CHECK_TEST(A11_no_allocation_after_warm_up),
    CHECK_TEST(S_81_failed_allocation_changes_nothing),
    CHECK_TEST(A10_runs_in_a_fixed_block),
};
CHECK_MAIN(tests)
