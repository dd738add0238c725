/* Writer: growth, limit, sticky errors, detach, text helpers. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"
#include "counting_allocator.h"

static counting_allocator memory;
static turbohttp_byte_pool pool;
static turbohttp_writer w;

static void open_writer(size_t max_bytes, bool disable_pooling) {
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&pool, &a, 16, 256, 4, TURBOHTTP_CLEAR_NONE, disable_pooling);
    turbohttp_writer_init(&w, &pool, max_bytes);
}

static void shut_writer(void) {
    turbohttp_writer_reset(&w);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).active, 0);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).violations, 0);
    turbohttp_byte_pool_destroy(&pool);
    CHECK(counting_allocator_balanced(&memory));
}

#define CHECK_WRITTEN(text)                                                                        \
    CHECK_TEXT(turbohttp_writer_written(&w).data, turbohttp_writer_written(&w).length, text)

static void nothing_is_lost_while_it_grows(void) {
    for (int off = 0; off < 2; off++) {
        open_writer(0, off);
        static char expected[4000];
        size_t n = 0;
        for (int i = 0; n < 3000; i++) {
            size_t part = (size_t)(i * 7 % 31);
            for (size_t k = 0; k < part; k++) expected[n + k] = (char)('a' + (i + (int)k) % 26);
            CHECK_INT(turbohttp_writer_put(&w, expected + n, part), TURBOHTTP_OK);
            n += part;
        }
        turbohttp_span s = turbohttp_writer_written(&w);
        CHECK(s.length == n && memcmp(s.data, expected, n) == 0);
        shut_writer();
    }
}

static void reserve_then_commit(void) {
    open_writer(0, false);
    char *p;
    CHECK_INT(turbohttp_writer_reserve(&w, 0, &p), TURBOHTTP_OK);
    CHECK_INT(memory.requests, 0);
    CHECK_INT(turbohttp_writer_reserve(&w, 10, &p), TURBOHTTP_OK);
    memcpy(p, "hello", 5);
    CHECK_INT(turbohttp_writer_commit(&w, 5), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_byte(&w, ' '), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_u64(&w, UINT64_MAX), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_text(&w, "!"), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_text(&w, NULL), TURBOHTTP_OK);
    CHECK_WRITTEN("hello 18446744073709551615!");
    CHECK_INT(turbohttp_writer_commit(&w, 1000), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_writer_put_byte(&w, 'x'), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_WRITTEN("hello 18446744073709551615!");
    shut_writer();
}

static void S_53_limit_holds_and_the_error_sticks(void) {
    open_writer(20, false);
    char *p;
    CHECK_INT(turbohttp_writer_put_text(&w, "0123456789"), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_text(&w, "0123456789"), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_commit(&w, 1), TURBOHTTP_ERR_INVALID_ARGUMENT);
    turbohttp_writer_clear(&w);
    CHECK_INT(turbohttp_writer_put_text(&w, "0123456789"), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_text(&w, "01234567890"), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_writer_put_byte(&w, 'x'), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_writer_commit(&w, 0), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_writer_reserve(&w, SIZE_MAX, &p), TURBOHTTP_ERR_OVERFLOW);
    CHECK(p == NULL);
    CHECK_WRITTEN("0123456789");
    turbohttp_buffer b;
    CHECK_INT(turbohttp_writer_detach(&w, &b), TURBOHTTP_ERR_OVERFLOW);
    CHECK(b.data == NULL);
    turbohttp_writer_reset(&w);
    CHECK_INT(turbohttp_writer_reserve(&w, 21, &p), TURBOHTTP_ERR_OVERFLOW);
    shut_writer();
}

static void A4_a_writer_takes_exactly_its_maximum(void) {
    for (size_t max = 1; max <= 70; max++) {
        char *p;
        open_writer(max, false);
        CHECK_INT(turbohttp_writer_reserve(&w, max, &p), TURBOHTTP_OK);
        memset(p, 'x', max);
        CHECK_INT(turbohttp_writer_commit(&w, max), TURBOHTTP_OK);
        CHECK_INT(turbohttp_writer_reserve(&w, 0, &p), TURBOHTTP_OK);
        CHECK_INT(turbohttp_writer_commit(&w, 0), TURBOHTTP_OK);
        CHECK_INT(turbohttp_writer_written(&w).length, max);
        CHECK_INT(turbohttp_writer_put_byte(&w, 'x'), TURBOHTTP_ERR_OVERFLOW);
        CHECK_INT(turbohttp_writer_written(&w).length, max);
        turbohttp_writer_clear(&w);
        for (size_t i = 0; i < max; i++) CHECK_INT(turbohttp_writer_put_byte(&w, 'y'), TURBOHTTP_OK);
        CHECK_INT(turbohttp_writer_put(&w, "", 0), TURBOHTTP_OK);
        CHECK_INT(turbohttp_writer_put(&w, "y", 1), TURBOHTTP_ERR_OVERFLOW);
        shut_writer();
    }
}

static void unlimited_writer_refuses_sizes_that_overflow(void) {
    open_writer(0, false);
    char *p;
    CHECK_INT(turbohttp_writer_put_text(&w, "x"), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_reserve(&w, SIZE_MAX, &p), TURBOHTTP_ERR_OVERFLOW);
    turbohttp_writer_clear(&w);
    CHECK_INT(turbohttp_writer_reserve(&w, SIZE_MAX / 2 + 1, &p), TURBOHTTP_ERR_OUT_OF_MEMORY);
    shut_writer();
}

static void detach_moves_the_block_and_ends_the_writer(void) {
    open_writer(0, false);
    turbohttp_buffer b;
    turbohttp_writer_put_text(&w, "kept");
    CHECK_INT(turbohttp_writer_detach(&w, &b), TURBOHTTP_OK);
    CHECK_TEXT(b.data, b.length, "kept");
    CHECK_INT(turbohttp_writer_put_text(&w, "more"), TURBOHTTP_ERR_STATE);
    CHECK_INT(turbohttp_writer_written(&w).length, 0);
    turbohttp_buffer second;
    CHECK_INT(turbohttp_writer_detach(&w, &second), TURBOHTTP_ERR_STATE);
    CHECK(second.data == NULL);
    turbohttp_writer_reset(&w);
    CHECK_INT(turbohttp_writer_detach(&w, &second), TURBOHTTP_OK);
    CHECK(second.data == NULL && second.length == 0);
    turbohttp_writer_reset(&w);
    CHECK_INT(turbohttp_writer_put_text(&w, "more"), TURBOHTTP_OK);
    turbohttp_buffer_return(&b);
    shut_writer();
    turbohttp_writer_reset(NULL);
}

static void S_81_each_failing_allocation_keeps_what_was_written(void) {
    for (uint64_t at = 1; at < 16; at++) {
        open_writer(0, false);
        memory.fail_at = at;
        size_t good = 0;
        turbohttp_status status = TURBOHTTP_OK;
        for (int i = 0; i < 100; i++) {
            turbohttp_status now = turbohttp_writer_put(&w, "0123456789", 10);
            if (now == TURBOHTTP_OK) CHECK_INT(status, TURBOHTTP_OK);
            if (now == TURBOHTTP_OK) good += 10;
            status = now;
        }
        CHECK(status == TURBOHTTP_OK || status == TURBOHTTP_ERR_OUT_OF_MEMORY);
        CHECK_INT(turbohttp_writer_written(&w).length, good);
        shut_writer();
    }
}

typedef struct text_case {
    const char *in;
    const char *latin1;
    const char *ascii;
} text_case;

/* Line breaks and NUL must never come out of malformed input (header injection). */
static void B4_text_becomes_latin1_or_question_marks(void) {
    static const text_case cases[] = {
        {"plain", "plain", "plain"},
        {"caf\xc3\xa9", "caf\xe9", "caf?"},
        {"\xc2\x80\xc3\xbf", "\x80\xff", "??"},
        {"\xc4\x80", "?", "?"},
        {"\xe2\x82\xac 5", "? 5", "? 5"},
        {"\xf0\x9f\x98\x80!", "?!", "?!"},
        {"\xc3", "?", "?"},
        {"\xc3\x41", "?A", "?A"},
        {"\xe2\x82", "?", "?"},
        {"\xe2\x82\x0a", "?\n", "?\n"},
        {"\xc0\x8a", "?", "?"},
        {"\xc1\xbf", "?", "?"},
        {"\x80\xbf", "??", "??"},
        {"\xff\xfe", "??", "??"},
        {"\xc3\xa9\xa9", "\xe9?", "??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        guard g = guard_copy(cases[i].in, strlen(cases[i].in));
        open_writer(0, false);
        CHECK_INT(turbohttp_writer_put_latin1(&w, (char *)g.data, g.length), TURBOHTTP_OK);
        CHECK_WRITTEN(cases[i].latin1);
        turbohttp_writer_clear(&w);
        CHECK_INT(turbohttp_writer_put_ascii(&w, (char *)g.data, g.length), TURBOHTTP_OK);
        CHECK_WRITTEN(cases[i].ascii);
        shut_writer();
        guard_free(&g);
    }
}

/* Only what is written counts, not what the UTF-8 took. */
static void B4_text_that_does_not_fit_is_not_begun(void) {
    open_writer(3, false);
    CHECK_INT(turbohttp_writer_put_latin1(&w, "\xc3\xa9\xe2\x82\xac!", 6), TURBOHTTP_OK);
    CHECK_WRITTEN("\xe9?!");
    turbohttp_writer_clear(&w);
    CHECK_INT(turbohttp_writer_put_ascii(&w, "\xf0\x9f\x98\x80" "ab", 6), TURBOHTTP_OK);
    CHECK_WRITTEN("?ab");
    CHECK_INT(turbohttp_writer_put_ascii(&w, "", 0), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_latin1(&w, "\xc3\xa9", 2), TURBOHTTP_ERR_OVERFLOW);
    CHECK_WRITTEN("?ab");
    CHECK_INT(turbohttp_writer_put_latin1(&w, "x", 1), TURBOHTTP_ERR_OVERFLOW);
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_trim(&pool);
    memory.fail_at = memory.requests + 1;
    CHECK_INT(turbohttp_writer_put_latin1(&w, "abc", 3), TURBOHTTP_ERR_OUT_OF_MEMORY);
    CHECK_INT(turbohttp_writer_put_ascii(&w, "a", 1), TURBOHTTP_ERR_OUT_OF_MEMORY);
    turbohttp_writer_reset(&w);
    turbohttp_buffer detached;
    CHECK_INT(turbohttp_writer_detach(&w, &detached), TURBOHTTP_OK);
    CHECK_INT(turbohttp_writer_put_latin1(&w, "a", 1), TURBOHTTP_ERR_STATE);
    shut_writer();
}

static const check_test tests[] = {
    CHECK_TEST(nothing_is_lost_while_it_grows),
    CHECK_TEST(reserve_then_commit),
    CHECK_TEST(S_53_limit_holds_and_the_error_sticks),
    CHECK_TEST(A4_a_writer_takes_exactly_its_maximum),
    CHECK_TEST(B4_text_that_does_not_fit_is_not_begun),
    CHECK_TEST(unlimited_writer_refuses_sizes_that_overflow),
    CHECK_TEST(detach_moves_the_block_and_ends_the_writer),
    CHECK_TEST(S_81_each_failing_allocation_keeps_what_was_written),
    CHECK_TEST(B4_text_becomes_latin1_or_question_marks),
};
CHECK_MAIN(tests)
