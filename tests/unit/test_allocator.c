/* Allocator helpers and the arena: alignment, recycling, joining, running out. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"
#include "counting_allocator.h"

static void size_zero_and_missing_hooks_give_nothing(void) {
    counting_allocator memory;
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory), none;
    memset(&none, 0, sizeof none);
    CHECK(tbh_allocate(&a, 0) == NULL);
    CHECK(tbh_allocate(&none, 16) == NULL);
    tbh_release(&a, NULL, 5);
    tbh_release(&none, &memory, 5);
    void *p = tbh_allocate(&a, 5);
    CHECK(p != NULL);
    tbh_release(&a, p, 5);
    CHECK(counting_allocator_balanced(&memory));
    CHECK_INT(memory.requests, 1);
}

static void sizes_that_do_not_fit_are_refused(void) {
    size_t n;
    CHECK(tbh_align_size(SIZE_MAX - 15, &n) && n == SIZE_MAX - 15);
    CHECK(!tbh_align_size(SIZE_MAX - 14, &n));
    CHECK(tbh_align_size(1, &n) && n == 16);
    CHECK(tbh_align_size(16, &n) && n == 16);
    uint8_t block[64];
    turbohttp_arena arena;
    turbohttp_arena_init(&arena, block, sizeof block);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    CHECK(a.allocate(a.user, SIZE_MAX) == NULL);
    CHECK(a.allocate(a.user, SIZE_MAX - 15) == NULL);
    CHECK_INT(arena.used, 0);
}

/* The block may begin and end anywhere; what comes out of it is aligned all the same. */
static void A10_an_arena_stays_inside_its_block_at_any_alignment(void) {
    for (size_t skew = 0; skew < 17; skew++) {
        for (size_t size = 250; size < 275; size++) {
            guard g = guard_alloc(320 - (size + skew) % 16); /* ends at the page, begins anywhere */
            uint8_t *block = g.data + g.length - size;
            turbohttp_arena arena;
            turbohttp_arena_init(&arena, block, size);
            turbohttp_allocator a = turbohttp_arena_allocator(&arena);
            size_t blocks = 0, skip = (16 - (uintptr_t)block % 16) % 16;
            for (uint8_t *p; (p = (uint8_t *)a.allocate(a.user, 15)) != NULL; blocks++) {
                CHECK_INT((uintptr_t)p % 16, 0);
                CHECK(p >= block && p + 16 <= block + size);
                memset(p, 0xff, 16);
            }
            CHECK_INT(blocks, (size - skip) / 16);
            CHECK_INT(arena.used, blocks * 16);
            CHECK_INT(arena.peak, blocks * 16);
            guard_free(&g);
        }
    }
}

static void tiny_or_missing_arena_gives_nothing(void) {
    uint8_t block[40];
    turbohttp_arena arena;
    for (size_t size = 0; size < 16; size++) {
        turbohttp_arena_init(&arena, block, size);
        turbohttp_allocator a = turbohttp_arena_allocator(&arena);
        CHECK(a.allocate(a.user, 1) == NULL);
    }
    turbohttp_arena_init(&arena, NULL, 100);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    CHECK(a.allocate(a.user, 1) == NULL);
}

/* Sizes that repeat, returned in any order, cost no new memory. */
static void S_81_arena_never_fragments_while_sizes_repeat(void) {
    static uint8_t block[16 * 17 * 16 / 2 * 4];
    turbohttp_arena arena;
    turbohttp_arena_init(&arena, block, sizeof block);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    size_t peak = 0;
    for (size_t round = 0; round < 200; round++) {
        void *p[32];
        for (size_t i = 0; i < 32; i++) {
            size_t k = (i * 7 + round) % 32;
            p[k] = a.allocate(a.user, (k / 2 + 1) * 16);
            CHECK(p[k] != NULL);
        }
        for (size_t i = 0; i < 32; i++) {
            size_t k = (i * 5 + round * 3) % 32;
            a.release(a.user, p[k], (k / 2 + 1) * 16);
        }
        CHECK_INT(arena.used, 0);
        if (round == 0) peak = arena.peak;
    }
    CHECK_INT(arena.peak, peak);
}

static void the_topmost_block_is_taken_back(void) {
    static uint64_t block[64];
    turbohttp_arena arena;
    turbohttp_arena_init(&arena, block, sizeof block);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    void *p = a.allocate(a.user, 100), *q = a.allocate(a.user, 16);
    CHECK_INT(arena.top, 128);
    a.release(a.user, q, 16);
    CHECK_INT(arena.top, 112);
    a.release(a.user, p, 100);
    CHECK_INT(arena.top, 0);
    CHECK_INT(arena.used, 0);
    a.release(a.user, NULL, 100);
    CHECK_INT(arena.used, 0);
}

/* A client lives for years: sizes that come once must not take memory away from those after them. */
static void A10_no_memory_is_lost_to_sizes_that_do_not_come_again(void) {
    static uint64_t block[4096 / 8];
    turbohttp_arena arena;
    turbohttp_arena_init(&arena, block, sizeof block);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    for (size_t round = 0; round < 100; round++) {
        void *p[30];
        for (size_t i = 0; i < 30; i++) {
            p[i] = a.allocate(a.user, 16 * (1 + (i * 7 + round) % 7));
            CHECK(p[i] != NULL);
        }
        for (size_t i = 0; i < 30; i++) {
            size_t k = (i * 11 + round) % 30;
            a.release(a.user, p[k], 16 * (1 + (k * 7 + round) % 7));
        }
        void *all = a.allocate(a.user, arena.size); /* joined again, in whatever order they came */
        CHECK(all != NULL);
        if (all) a.release(a.user, all, arena.size);
        CHECK_INT(arena.used, 0);
    }
}

typedef struct live_block {
    uint8_t *at;
    size_t size;
} live_block;

static bool overlaps(const live_block *blocks, size_t count, const live_block *one) {
    for (size_t i = 0; i < count; i++)
        if (blocks[i].at && &blocks[i] != one && blocks[i].at < one->at + one->size &&
            one->at < blocks[i].at + blocks[i].size)
            return true;
    return false;
}

/* Any order of calls: blocks are aligned, inside, apart, and keep what was written to them. */
static void A10_any_order_of_calls_keeps_blocks_apart(void) {
    static uint64_t memory[3000 / 8];
    live_block live[24];
    turbohttp_arena arena;
    uint32_t seed = 7, refused = 0;
    size_t used = 0;
    memset(live, 0, sizeof live);
    turbohttp_arena_init(&arena, (uint8_t *)memory + 5, sizeof memory - 5);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    for (int turn = 0; turn < 20000; turn++) {
        seed = seed * 1664525u + 1013904223u;
        live_block *one = &live[(seed >> 8) % 24];
        if (one->at) {
            for (size_t i = 0; i < one->size; i++) CHECK_INT(one->at[i], (uint8_t)one->size);
            a.release(a.user, one->at, one->size);
            used -= (one->size + 15) / 16 * 16;
            one->at = NULL;
        } else {
            one->size = 1 + (seed >> 16) % 300;
            one->at = (uint8_t *)a.allocate(a.user, one->size);
            refused += !one->at;
            if (!one->at) continue;
            used += (one->size + 15) / 16 * 16;
            CHECK_INT((uintptr_t)one->at % 16, 0);
            CHECK(one->at >= arena.base && one->at + one->size <= arena.base + arena.size);
            CHECK(!overlaps(live, 24, one));
            memset(one->at, (int)one->size, one->size);
        }
        CHECK_INT(arena.used, used);
        CHECK(arena.used <= arena.top && arena.top <= arena.peak && arena.peak <= arena.size);
    }
    CHECK(refused > 100 && refused < 6000);
    for (size_t i = 0; i < 24; i++)
        if (live[i].at) a.release(a.user, live[i].at, live[i].size);
    CHECK(a.allocate(a.user, arena.size) != NULL);
}

static const check_test tests[] = {
    CHECK_TEST(size_zero_and_missing_hooks_give_nothing),
    CHECK_TEST(sizes_that_do_not_fit_are_refused),
    CHECK_TEST(A10_an_arena_stays_inside_its_block_at_any_alignment),
    CHECK_TEST(tiny_or_missing_arena_gives_nothing),
    CHECK_TEST(S_81_arena_never_fragments_while_sizes_repeat),
    CHECK_TEST(the_topmost_block_is_taken_back),
    CHECK_TEST(A10_no_memory_is_lost_to_sizes_that_do_not_come_again),
    CHECK_TEST(A10_any_order_of_calls_keeps_blocks_apart),
};
CHECK_MAIN(tests)
