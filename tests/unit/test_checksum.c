/* Checksums: known values, any split, any alignment, and every path against one bit at a time. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

static uint32_t crc_by_bits(uint32_t crc, const uint8_t *p, size_t n) {
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static uint32_t adler_by_bytes(uint32_t adler, const uint8_t *p, size_t n) {
    uint32_t a = adler & 0xffff, b = adler >> 16;
    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void fill(uint8_t *p, size_t n) {
    uint32_t seed = 12345;
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
}

static void crc32_of_known_texts(void) {
    CHECK_INT(turbohttp_crc32(0, "123456789", 9), 0xcbf43926);
    CHECK_INT(turbohttp_crc32(0, "", 0), 0);
    CHECK_INT(turbohttp_crc32(77, NULL, 0), 77);
    CHECK_INT(turbohttp_crc32(0, "a", 1), 0xe8b7be43);
}

static void crc32_of_every_length_ends_at_the_guard_page(void) {
    for (size_t n = 0; n <= 700; n++) {
        guard g = guard_alloc(n);
        fill(g.data, n);
        CHECK_INT(turbohttp_crc32((uint32_t)n * 99, g.data, n),
                  crc_by_bits((uint32_t)n * 99, g.data, n));
        guard_free(&g);
    }
}

static void crc32_goes_on_where_it_stopped(void) {
    static uint8_t data[3000];
    fill(data, sizeof data);
    uint32_t whole = crc_by_bits(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut += 7)
        CHECK_INT(turbohttp_crc32(turbohttp_crc32(0, data, cut), data + cut, sizeof data - cut),
                  whole);
}

static void crc32_by_table_agrees_too(void) {
    static uint8_t data[1100];
    fill(data, sizeof data);
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; n <= 1000; n += 37)
            CHECK_INT(~tbh_crc_table(~(uint32_t)5, data + from, n), crc_by_bits(5, data + from, n));
}

static void adler32_of_known_texts_and_long_extremes(void) {
    static uint8_t data[70000];
    CHECK_INT(tbh_adler32(1, (const uint8_t *)"Wikipedia", 9), 0x11e60398);
    CHECK_INT(tbh_adler32(1, data, 0), 1);
    memset(data, 255, sizeof data); /* the sums grow fastest */
    for (size_t n = 0; n <= sizeof data; n += 1 + n / 3)
        CHECK_INT(tbh_adler32(0xfff0fff0u, data, n), adler_by_bytes(0xfff0fff0u, data, n));
    fill(data, sizeof data);
    for (size_t n = 0; n <= 200; n++)
        CHECK_INT(tbh_adler32(1, data + n % 9, n), adler_by_bytes(1, data + n % 9, n));
    CHECK_INT(tbh_adler32(1, data, sizeof data), adler_by_bytes(1, data, sizeof data));
}

static const check_test tests[] = {
    CHECK_TEST(crc32_of_known_texts),
    CHECK_TEST(crc32_of_every_length_ends_at_the_guard_page),
    CHECK_TEST(crc32_goes_on_where_it_stopped),
    CHECK_TEST(crc32_by_table_agrees_too),
    CHECK_TEST(adler32_of_known_texts_and_long_extremes),
};
CHECK_MAIN(tests)
