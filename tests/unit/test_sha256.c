/* SHA-256: published vectors, block edges, every split. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

#define DIGEST_BYTES TURBOHTTP_SHA256_BYTES
typedef turbohttp_sha256 sha;
#define sha_init   turbohttp_sha256_init
#define sha_update turbohttp_sha256_update
#define sha_finish turbohttp_sha256_finish

static void check_digest(const uint8_t *digest, const char *hex) {
    char text[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    CHECK_TEXT(text, 2 * DIGEST_BYTES, hex);
}

static void published_vectors(void) {
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
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
    check_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Lengths around the block and padding edges (computed with another implementation). */
static const struct {
    size_t length;
    const char *hex;
} lengths[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "084fed08b978af4d7d196a7446a86b58009e636b611db16211b65a9aadff29c5"},
    {3, "6ab0dba1f4f1dfbb37b4f9eeb092c09fca4900ad32bdcd147d8dde35d6c87c35"},
    {55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b"},
    {56, "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27"},
    {57, "35df609437dcfea3279283ab79fd554e2bf78f8f7ae2de532d8ee300b09e8f73"},
    {63, "81c80242132f230c3bd41b3e63bbcff16107339549214a99614ff26664625055"},
    {64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241"},
    {65, "aacca6ff74fdbb296d165a45cecfa04e5127bc008770fbbdd48006f2d2fae95e"},
    {119, "9ce7368e4daf32341631b492e80359dc9f594b48453cd0dd5bf0b19279cc177e"},
    {120, "7836b787757e95e58b3ca5aec90b1b004e8deba1e50e9675af9cabf1a13a04b5"},
    {127, "a8d23e75d936f303d248888d9b165ee543f4cbafcad3c9dd2a79bd84faa11d07"},
    {128, "d2742f1f4ac6bb7ca2b239ee18402ba8b3f9f8e652d2a72973c2b9ba11c08cf6"},
    {129, "307f8fc2c1622b92762e818d39a185d4d667ad49a4b07ceae1f4afa008a93ec4"},
    {1000, "1e9bc38cbf860b9ec31918b065f9b52476c549a782e0e7990bed8ce3868d2371"},
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
