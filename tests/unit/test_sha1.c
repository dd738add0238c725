/* SHA-1: published vectors, block edges, every split. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

#define DIGEST_BYTES TURBOHTTP_SHA1_BYTES
typedef turbohttp_sha1 sha;
#define sha_init   turbohttp_sha1_init
#define sha_update turbohttp_sha1_update
#define sha_finish turbohttp_sha1_finish

static void check_digest(const uint8_t *digest, const char *hex) {
    char text[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    CHECK_TEXT(text, 2 * DIGEST_BYTES, hex);
}

static void published_vectors(void) {
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    };
    uint8_t digest[DIGEST_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sha s;
        sha_init(&s);
        sha_update(&s, cases[i].text, strlen(cases[i].text));
        sha_finish(&s, digest);
        check_digest(digest, cases[i].hex);
    }
}

static void a_million_bytes_of_a(void) {
    static char block[1000];
    uint8_t digest[DIGEST_BYTES];
    sha s;
    memset(block, 'a', sizeof block);
    sha_init(&s);
    for (int i = 0; i < 1000; i++) sha_update(&s, block, sizeof block);
    sha_finish(&s, digest);
    check_digest(digest, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/* Lengths around the block and padding edges (computed with another implementation). */
static const struct {
    size_t length;
    const char *hex;
} lengths[] = {
    {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {1, "9842926af7ca0a8cca12604f945414f07b01e13d"},
    {3, "4201de9f98cb0a9b8cf52398be7802b55d45266a"},
    {55, "ddf57317ef34bfee3b6df83d359098930eb278bc"},
    {56, "a0d492bb0fc889d0eca3bc137066ab6f4f74f369"},
    {57, "11a02dcf95859677a62e75024067c22b165d890f"},
    {63, "c55856749bef509bdfe6bfebfc7bf4e793e82132"},
    {64, "bede92be29c3874e1b54ddc77988d606fc857a8e"},
    {65, "b05a80522b053d6dc7e0a517d0e70212c7dad11f"},
    {119, "504e27376a6e0f0dba8295b85cb25dc4dfa17d23"},
    {120, "82134b02fb3f702491be9bed581eeab59334acb2"},
    {127, "34d5e582029e9b9b85b2febe31da3db7cdabaaea"},
    {128, "a09133e6730ffe899efb70204cb5646cd5dc24ee"},
    {129, "808aea332ce367541d37adae7f94e59c5c1a934e"},
    {1000, "4231a8a50a10fa9758db8ec71fdef855b751048a"},
};

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
