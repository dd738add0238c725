/* Base64: round trips, the RFC's vectors, and strict refusal. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "counted_writer.h"
#include "guard.h"

static void vectors_of_rfc_4648(void) {
    static const struct {
        const char *plain, *coded;
    } cases[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_writer(0);
        guard plain = guard_copy(cases[i].plain, strlen(cases[i].plain));
        guard coded = guard_copy(cases[i].coded, strlen(cases[i].coded));
        CHECK_INT(turbohttp_base64_encode(&w, plain.data, plain.length), TURBOHTTP_OK);
        CHECK_TEXT(w.data, w.length, cases[i].coded);
        CHECK_INT(w.length, TURBOHTTP_BASE64_CHARS(plain.length));
        turbohttp_writer_clear(&w);
        CHECK_INT(turbohttp_base64_decode(&w, (char *)coded.data, coded.length), TURBOHTTP_OK);
        CHECK_TEXT(w.data, w.length, cases[i].plain);
        guard_free(&plain);
        guard_free(&coded);
        shut_writer();
    }
}

static void every_length_round_trips(void) {
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)(i * 73 + 11);
    for (size_t n = 0; n <= 256; n++) {
        turbohttp_buffer coded;
        open_writer(0);
        CHECK_INT(turbohttp_base64_encode(&w, bytes, n), TURBOHTTP_OK);
        turbohttp_writer_detach(&w, &coded);
        turbohttp_writer_reset(&w);
        CHECK_INT(turbohttp_base64_decode(&w, coded.data, coded.length), TURBOHTTP_OK);
        CHECK(w.length == n && (n == 0 || memcmp(w.data, bytes, n) == 0));
        turbohttp_buffer_return(&coded);
        shut_writer();
    }
}

/* Every triple of bytes of a few values, zeros among them. */
static void every_group_of_edge_values_round_trips(void) {
    static const uint8_t values[] = {0, 1, 15, 16, 63, 64, 127, 128, 255};
    for (size_t i = 0; i < 9 * 9 * 9; i++) {
        uint8_t bytes[6] = {values[i % 9], values[i / 9 % 9], values[i / 81], 0, 0, 0};
        char coded[8];
        open_writer(0);
        CHECK_INT(turbohttp_base64_encode(&w, bytes, 6), TURBOHTTP_OK);
        CHECK_INT(w.length, 8);
        memcpy(coded, w.data, 8);
        turbohttp_writer_clear(&w);
        CHECK_INT(turbohttp_base64_decode(&w, coded, 8), TURBOHTTP_OK);
        CHECK(w.length == 6 && memcmp(w.data, bytes, 6) == 0);
        shut_writer();
    }
}

static void malformed_text_is_refused_and_appends_nothing(void) {
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg=a", "Zg==Zg==",
                                      "Zm9v\n", "Zm 9", "Zm9-", "Zm9_", "Zh==", "Zm9=", "Zm9v====",
                                      "Z=9v", "=m9v", "Zm9\xc3", "Zm9v Zm9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        guard g = guard_copy(bad[i], strlen(bad[i]));
        open_writer(0);
        turbohttp_writer_put_text(&w, "kept");
        CHECK_INT(turbohttp_base64_decode(&w, (char *)g.data, g.length), TURBOHTTP_ERR_ENCODING);
        CHECK_TEXT(w.data, w.length, "kept");
        shut_writer();
        guard_free(&g);
    }
}

static void limits_are_the_writers(void) {
    open_writer(7);
    CHECK_INT(turbohttp_base64_encode(&w, "abcd", 4), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(w.length, 0);
    turbohttp_writer_clear(&w);
    CHECK_INT(turbohttp_base64_encode(&w, "", SIZE_MAX), TURBOHTTP_ERR_OVERFLOW);
    shut_writer();
    for (size_t n = 0; n <= 3; n++) { /* exactly what fits */
        static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v"};
        open_writer(n + 1);
        turbohttp_writer_put_byte(&w, '>');
        CHECK_INT(turbohttp_base64_decode(&w, coded[n], strlen(coded[n])), TURBOHTTP_OK);
        CHECK_INT(w.length, n + 1);
        CHECK_INT(turbohttp_base64_decode(&w, "Zg==", 4), TURBOHTTP_ERR_OVERFLOW);
        CHECK_INT(w.length, n + 1);
        shut_writer();
    }
}

static const check_test tests[] = {
    CHECK_TEST(vectors_of_rfc_4648),
    CHECK_TEST(every_length_round_trips),
    CHECK_TEST(every_group_of_edge_values_round_trips),
    CHECK_TEST(malformed_text_is_refused_and_appends_nothing),
    CHECK_TEST(limits_are_the_writers),
};
CHECK_MAIN(tests)
