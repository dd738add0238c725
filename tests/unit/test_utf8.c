/* UTF-8: every code point, every malformed pair, every split. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

static bool valid(const void *p, size_t n) {
    turbohttp_utf8 u;
    memset(&u, 0, sizeof u);
    return turbohttp_utf8_feed(&u, p, n, NULL) == TURBOHTTP_OK && turbohttp_utf8_end(&u) == TURBOHTTP_OK;
}

static bool valid_in_bytes(const uint8_t *p, size_t n) {
    turbohttp_utf8 u;
    memset(&u, 0, sizeof u);
    for (size_t i = 0; i < n; i++) (void)turbohttp_utf8_feed(&u, p + i, 1, NULL);
    return turbohttp_utf8_end(&u) == TURBOHTTP_OK;
}

static size_t encode(uint32_t c, uint8_t *p, size_t bytes) {
    static const uint8_t leads[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (bytes == 1) {
        p[0] = (uint8_t)c;
        return 1;
    }
    for (size_t i = bytes - 1; i > 0; i--, c >>= 6) p[i] = (uint8_t)(0x80 | (c & 0x3f));
    p[0] = (uint8_t)(leads[bytes] | c);
    return bytes;
}

static void every_code_point_and_no_surrogate_is_valid(void) {
    for (uint32_t c = 0; c < 0x200000; c++) {
        uint8_t p[4];
        size_t least = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        bool expected = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
        size_t n = encode(c, p, least);
        if (valid(p, n) != expected || valid_in_bytes(p, n) != expected) CHECK_INT(c, -1);
        for (size_t longer = least + 1; longer <= 4; longer++)
            if (valid(p, encode(c, p, longer))) CHECK_INT(c, -2);
    }
}

/* One byte inside a character replaced by, or preceded by, any other: what follows it cannot mend it. */
static void a_wrong_byte_inside_a_character_is_refused(void) {
    static const char *const texts[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(texts[i]);
        for (size_t at = 1; at < n; at++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[8];
                turbohttp_utf8 u;
                size_t bad = 99;
                if (byte >= 0x80 && byte < 0xc0) continue;
                memcpy(text, texts[i], at);
                text[at] = (char)byte;
                memcpy(text + at + 1, texts[i] + at, n - at);
                memset(&u, 0, sizeof u);
                CHECK_INT(turbohttp_utf8_feed(&u, text, n + 1, &bad), TURBOHTTP_ERR_ENCODING);
                CHECK_INT(bad, at);
                CHECK(!valid_in_bytes((uint8_t *)text, n + 1));
            }
        }
    }
}

static void every_cut_character_is_incomplete(void) {
    static const char *const texts[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                                        "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80", "\xf0\x90\x80\x80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t n = 1; n <= strlen(texts[i]); n++) {
            guard g = guard_copy(texts[i], n);
            CHECK(valid(g.data, n) == (n == strlen(texts[i])));
            guard_free(&g);
        }
    }
}

static void the_bad_byte_is_named_at_any_split_and_alignment(void) {
    uint8_t text[64];
    for (size_t at = 0; at < 40; at++) {
        for (size_t split = 0; split <= 40; split++) {
            guard g = guard_alloc(40);
            memset(text, 'x', sizeof text);
            memcpy(g.data, text, 40);
            g.data[at] = 0xff;
            turbohttp_utf8 u;
            size_t bad = 99;
            memset(&u, 0, sizeof u);
            turbohttp_status first = turbohttp_utf8_feed(&u, g.data, split, &bad);
            CHECK((first == TURBOHTTP_OK) == (split <= at));
            CHECK_INT(bad, split <= at ? split : at);
            turbohttp_status second = turbohttp_utf8_feed(&u, g.data + split, 40 - split, &bad);
            CHECK_INT(second, TURBOHTTP_ERR_ENCODING);
            CHECK_INT(bad, split <= at ? at - split : 0);
            CHECK_INT(turbohttp_utf8_end(&u), TURBOHTTP_ERR_ENCODING);
            guard_free(&g);
        }
    }
}

static void failure_is_for_ever(void) {
    turbohttp_utf8 u;
    memset(&u, 0, sizeof u);
    CHECK_INT(turbohttp_utf8_feed(&u, "\x80", 1, NULL), TURBOHTTP_ERR_ENCODING);
    CHECK_INT(turbohttp_utf8_feed(&u, "good", 4, NULL), TURBOHTTP_ERR_ENCODING);
    CHECK_INT(turbohttp_utf8_feed(&u, NULL, 0, NULL), TURBOHTTP_ERR_ENCODING);
}

static const check_test tests[] = {
    CHECK_TEST(every_code_point_and_no_surrogate_is_valid),
    CHECK_TEST(a_wrong_byte_inside_a_character_is_refused),
    CHECK_TEST(every_cut_character_is_incomplete),
    CHECK_TEST(the_bad_byte_is_named_at_any_split_and_alignment),
    CHECK_TEST(failure_is_for_ever),
};
CHECK_MAIN(tests)
