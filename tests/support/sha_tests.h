/* What SHA-1 and SHA-256 have in common: published vectors, block edges, every split. Before it stand the
 * names of the function in hand and the digests that others computed. */
#include "check.h"
#include "guard.h"

static void check_digest(const uint8_t *digest, const char *hex) {
    char text[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    CHECK_TEXT(text, 2 * DIGEST_BYTES, hex);
}

static void digest_of_text(const char *text, uint8_t *digest) {
    sha s;
    sha_init(&s);
    sha_update(&s, text, strlen(text));
    sha_finish(&s, digest);
}

static void published_vectors(void) {
    uint8_t digest[DIGEST_BYTES];
    digest_of_text("abc", digest);
    check_digest(digest, of_abc);
    digest_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", digest);
    check_digest(digest, of_two_blocks);
}

static void a_million_bytes_of_a(void) {
    static char block[1000];
    uint8_t digest[DIGEST_BYTES];
    sha s;
    memset(block, 'a', sizeof block);
    sha_init(&s);
    for (int i = 0; i < 1000; i++) sha_update(&s, block, sizeof block);
    sha_finish(&s, digest);
    check_digest(digest, of_a_million);
}

static void every_length_and_split_gives_the_same_digest(void) {
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = lengths[i].length;
        guard g = guard_alloc(n);
        for (size_t k = 0; k < n; k++) g.data[k] = (uint8_t)(k * 7 + 3);
        for (size_t step = 1; step <= n + 1; step += n / 70 + 1) {
            uint8_t digest[DIGEST_BYTES];
            sha s;
            sha_init(&s);
            for (size_t at = 0; at < n; at += step)
                sha_update(&s, g.data + at, n - at < step ? n - at : step);
            sha_update(&s, g.data, 0);
            sha_finish(&s, digest);
            check_digest(digest, lengths[i].hex);
            CHECK(s.length == 0 && s.state[0] == 0);
        }
        guard_free(&g);
    }
}

/* The bit count is 64 bits wide: FIPS 180-4 section 5.1. */
static void length_field_counts_beyond_four_gigabits(void) {
    uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES];
    sha s;
    sha_init(&s);
    s.length = (uint64_t)1 << 32;
    sha_finish(&s, a);
    sha_init(&s);
    sha_finish(&s, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

static const check_test tests[] = {
    CHECK_TEST(published_vectors),
    CHECK_TEST(a_million_bytes_of_a),
    CHECK_TEST(every_length_and_split_gives_the_same_digest),
    CHECK_TEST(length_field_counts_beyond_four_gigabits),
};
CHECK_MAIN(tests)
