/* Scans: every lane width answers as the plain definition does, and never reads past the end.
 * Each width has its own run: TURBOHTTP_NO_SIMD, SSE2, AVX2. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

static bool plain_control(uint8_t c) {
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Each byte value at each place of a text of each length, before the unmapped page. */
static void control_scan_finds_exactly_the_control_bytes(void) {
    for (size_t length = 1; length <= 70; length++) {
        guard g = guard_alloc(length);
        for (size_t at = 0; at < length; at++)
            for (int c = 0; c < 256; c++) {
                memset(g.data, at & 1 ? 0xe9 : 'a', length);
                g.data[at] = (uint8_t)c;
                const char *p = (const char *)g.data;
                const char *found = tbh_scan_control(p, p, p + length);
                if (found - p != (ptrdiff_t)(plain_control((uint8_t)c) ? at : length)) CHECK_INT(found - p, at);
            }
        guard_free(&g);
    }
}

static void byte_scan_finds_the_first_one_only(void) {
    for (size_t length = 1; length <= 70; length++) {
        guard g = guard_alloc(length);
        const char *p = (const char *)g.data;
        for (size_t at = 0; at < length; at++) {
            memset(g.data, ':' + 1, length);
            for (size_t i = at; i < length; i += 3) g.data[i] = ':';
            CHECK_INT(tbh_scan_colon(p, p, p + length) - p, at);
            for (size_t from = 0; from <= at; from++)
                CHECK_INT(tbh_scan_colon(p, p + from, p + length) - p, at);
        }
        guard_free(&g);
    }
}

static void scans_from_the_middle_ignore_what_is_before(void) {
    for (size_t length = 1; length <= 70; length++) {
        guard g = guard_alloc(length);
        const char *p = (const char *)g.data;
        for (size_t from = 0; from <= length; from++) {
            memset(g.data, '\r', from);
            memset(g.data + from, 'x', length - from);
            CHECK_INT(tbh_scan_control(p, p + from, p + length) - p, length);
            CHECK_INT(tbh_scan_colon(p, p + from, p + length) - p, length);
        }
        guard_free(&g);
    }
}

static void token_scan_agrees_with_the_definition(void) {
    for (size_t length = 1; length <= 70; length++) {
        guard g = guard_alloc(length);
        const char *p = (const char *)g.data;
        for (size_t at = 0; at < length; at++)
            for (int c = 0; c < 256; c++) {
                memset(g.data, at & 1 ? '~' : 'Z', length);
                g.data[at] = (uint8_t)c;
                bool token = c > 0 && c < 128 && (tbh_is_alpha((uint8_t)c) || tbh_is_digit((uint8_t)c) ||
                                                  strchr("!#$%&'*+-.^_`|~", c) != NULL);
                const char *found = tbh_scan_token(p, p + length);
                if (found - p != (ptrdiff_t)(token ? length : at)) CHECK_INT(found - p, at);
                CHECK_INT(tbh_is_token(p, length), token);
            }
        guard_free(&g);
    }
}

static void empty_scans_answer_the_end(void) {
    const char *p = "x";
    CHECK(tbh_scan_control(p, p, p) == p);
    CHECK(tbh_scan_colon(p, p, p) == p);
    CHECK(tbh_scan_token(p, p) == p);
}

static const check_test tests[] = {
    CHECK_TEST(control_scan_finds_exactly_the_control_bytes),
    CHECK_TEST(byte_scan_finds_the_first_one_only),
    CHECK_TEST(scans_from_the_middle_ignore_what_is_before),
    CHECK_TEST(token_scan_agrees_with_the_definition),
    CHECK_TEST(empty_scans_answer_the_end),
};
CHECK_MAIN(tests)
