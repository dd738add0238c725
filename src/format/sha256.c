/* SHA-256: FIPS 180-4 §6.2, incremental.
 * Owns: nothing; the state is the caller's. Invariants: block holds length % 64 bytes.
 * Input: any bytes, any split. Does not know: what is hashed. */
#include "../api/formats.h"
#include "../base/bytes.h"

/* FIPS 180-4 §4.2.2: cube roots of the first 64 primes. */
static const uint32_t tbh_sha256_k[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
    0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
    0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
    0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
    0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
    0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
    0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
    0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
    0xc67178f2u,
};

TBH_ALWAYS_INLINE uint32_t tbh_sha256_rotate(uint32_t x, uint32_t n) {
    return x >> n | x << (32 - n);
}

/* The three terms of each Σ and σ of §4.1.2: the last is a shift for σ. */
TBH_ALWAYS_INLINE uint32_t tbh_sha256_big(uint32_t x, uint32_t a, uint32_t b, uint32_t c) {
    return tbh_sha256_rotate(x, a) ^ tbh_sha256_rotate(x, b) ^ tbh_sha256_rotate(x, c);
}

TBH_ALWAYS_INLINE uint32_t tbh_sha256_small(uint32_t x, uint32_t a, uint32_t b, uint32_t shift) {
    return tbh_sha256_rotate(x, a) ^ tbh_sha256_rotate(x, b) ^ x >> shift;
}

/* The message schedule is a ring of 16 words: word t replaces word t - 16. */
TBH_ALWAYS_INLINE uint32_t tbh_sha256_word(uint32_t w[16], int t) {
    if (t >= 16)
        w[t & 15] += tbh_sha256_small(w[(t + 14) & 15], 17, 19, 10) + w[(t + 9) & 15] +
                     tbh_sha256_small(w[(t + 1) & 15], 7, 18, 3);
    return w[t & 15];
}

static void tbh_sha256_block(uint32_t state[8], const uint8_t *block) {
    uint32_t w[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 16; t++) w[t] = tbh_load32_be(block + 4 * t);
    for (int t = 0; t < 64; t++) {
        uint32_t one = h + tbh_sha256_big(e, 6, 11, 25) + ((e & (f ^ g)) ^ g) + tbh_sha256_k[t] +
                       tbh_sha256_word(w, t);
        uint32_t two = tbh_sha256_big(a, 2, 13, 22) + ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d + one;
        d = c;
        c = b;
        b = a;
        a = one + two;
    }
    const uint32_t sum[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) state[i] += sum[i];
}

TURBOHTTP_API void turbohttp_sha256_init(turbohttp_sha256 *sha) {
    static const uint32_t start[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

TURBOHTTP_API void turbohttp_sha256_update(turbohttp_sha256 *sha, const void *bytes, size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    while (n > 0) {
        size_t at = (size_t)(sha->length & 63), part = tbh_min_size(n, 64 - at);
        bool whole = part == 64;
        if (!whole) memcpy(sha->block + at, p, part);
        if (at + part == 64) tbh_sha256_block(sha->state, whole ? p : sha->block);
        sha->length += part;
        p += part;
        n -= part;
    }
}

TURBOHTTP_API void turbohttp_sha256_finish(turbohttp_sha256 *sha,
                                           uint8_t digest[TURBOHTTP_SHA256_BYTES]) {
    static const uint8_t padding[64] = {0x80};
    uint8_t bits[8];
    tbh_store32_be(bits, (uint32_t)(sha->length >> 29));
    tbh_store32_be(bits + 4, (uint32_t)(sha->length << 3));
    turbohttp_sha256_update(sha, padding, 1 + ((119 - (size_t)(sha->length & 63)) & 63));
    turbohttp_sha256_update(sha, bits, 8);
    for (int i = 0; i < 8; i++) tbh_store32_be(digest + 4 * i, sha->state[i]);
    tbh_wipe(sha, sizeof *sha);
}
