/* Allocator helpers and the arena: alignment, exact-size recycling, running out. */
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

static void arena_stays_inside_its_block(void) {
    for (size_t skew = 0; skew < 17; skew++) {
        guard g = guard_alloc(256 + skew);
        turbohttp_arena arena;
        turbohttp_arena_init(&arena, g.data + skew, 256);
        turbohttp_allocator a = turbohttp_arena_allocator(&arena);
        size_t blocks = 0;
        for (uint8_t *p; (p = (uint8_t *)a.allocate(a.user, 15)) != NULL; blocks++) {
            CHECK_INT((uintptr_t)p % 16, 0);
            CHECK(p >= g.data + skew && p + 16 <= g.data + skew + 256);
            memset(p, 0xff, 16);
        }
        CHECK(blocks >= 15 && blocks <= 16);
        CHECK_INT(arena.used, blocks * 16);
        CHECK_INT(arena.peak, blocks * 16);
        guard_free(&g);
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

/* 16 sizes, returned in any order, cost no new memory however often they repeat. */
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
    CHECK_INT(arena.lost, 0);
}

static void topmost_block_is_taken_back_and_a_seventeenth_size_is_lost(void) {
    static uint8_t block[8192];
    turbohttp_arena arena;
    turbohttp_arena_init(&arena, block, sizeof block);
    turbohttp_allocator a = turbohttp_arena_allocator(&arena);
    void *p = a.allocate(a.user, 100);
    a.release(a.user, p, 100);
    CHECK_INT(arena.top, 0);
    void *blocks[17];
    for (size_t i = 0; i < 17; i++) blocks[i] = a.allocate(a.user, 16 * (i + 1));
    void *top = a.allocate(a.user, 16);
    for (size_t i = 0; i < 17; i++) a.release(a.user, blocks[i], 16 * (i + 1));
    CHECK_INT(arena.lost, 16 * 17);
    CHECK_INT(arena.used, 16);
    CHECK(a.allocate(a.user, 16 * 3) == blocks[2]);
    a.release(a.user, top, 16);
}

static const check_test tests[] = {
    CHECK_TEST(size_zero_and_missing_hooks_give_nothing),
    CHECK_TEST(sizes_that_do_not_fit_are_refused),
    CHECK_TEST(arena_stays_inside_its_block),
    CHECK_TEST(tiny_or_missing_arena_gives_nothing),
    CHECK_TEST(S_81_arena_never_fragments_while_sizes_repeat),
    CHECK_TEST(topmost_block_is_taken_back_and_a_seventeenth_size_is_lost),
};
CHECK_MAIN(tests)
