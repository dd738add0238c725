/* SHA-1: FIPS 180-4 §6.1, incremental.
 * Owns: nothing; the state is the caller's. Invariants: block holds length % 64 bytes.
 * Input: any bytes, any split. Does not know: what is hashed. */
#include "../api/formats.h"
#include "../base/bytes.h"

TBH_ALWAYS_INLINE uint32_t tbh_sha1_rotate(uint32_t x, uint32_t n) {
    return x << n | x >> (32 - n);
}

/* FIPS 180-4 §4.1.1 and §4.2.1 */
TBH_ALWAYS_INLINE uint32_t tbh_sha1_mix(int t, uint32_t b, uint32_t c, uint32_t d) {
    if (t < 20) return ((b & (c ^ d)) ^ d) + 0x5a827999u;
    if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1u;
    if (t < 60) return ((b & c) | (d & (b | c))) + 0x8f1bbcdcu;
    return (b ^ c ^ d) + 0xca62c1d6u;
}

/* The message schedule is a ring of 16 words: word t replaces word t - 16. */
static void tbh_sha1_block(uint32_t state[5], const uint8_t *block) {
    uint32_t w[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 16; t++) w[t] = tbh_load32_be(block + 4 * t);
    for (int t = 0; t < 80; t++) {
        if (t >= 16)
            w[t & 15] = tbh_sha1_rotate(
                w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
        uint32_t next = tbh_sha1_rotate(a, 5) + tbh_sha1_mix(t, b, c, d) + e + w[t & 15];
        e = d;
        d = c;
        c = tbh_sha1_rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

TURBOHTTP_API void turbohttp_sha1_init(turbohttp_sha1 *sha) {
    static const uint32_t start[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u,
                                      0xc3d2e1f0u};
    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

TURBOHTTP_API void turbohttp_sha1_update(turbohttp_sha1 *sha, const void *bytes, size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    while (n > 0) {
        size_t at = (size_t)(sha->length & 63), part = tbh_min_size(n, 64 - at);
        bool whole = part == 64;
        if (!whole) memcpy(sha->block + at, p, part);
        if (at + part == 64) tbh_sha1_block(sha->state, whole ? p : sha->block);
        sha->length += part;
        p += part;
        n -= part;
    }
}

TURBOHTTP_API void turbohttp_sha1_finish(turbohttp_sha1 *sha,
                                         uint8_t digest[TURBOHTTP_SHA1_BYTES]) {
    static const uint8_t padding[64] = {0x80};
    uint8_t bits[8];
    tbh_store32_be(bits, (uint32_t)(sha->length >> 29));
    tbh_store32_be(bits + 4, (uint32_t)(sha->length << 3));
    turbohttp_sha1_update(sha, padding, 1 + ((119 - (size_t)(sha->length & 63)) & 63));
    turbohttp_sha1_update(sha, bits, 8);
    for (int i = 0; i < 5; i++) tbh_store32_be(digest + 4 * i, sha->state[i]);
    tbh_wipe(sha, sizeof *sha);
}
