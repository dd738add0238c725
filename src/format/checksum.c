/* Checksums: CRC-32 (reflected polynomial 0xedb88320) and Adler-32.
 * Owns: constant tables only. Input: any bytes, any alignment. Three ways to the same CRC: a table
 * of 16 where size counts, eight tables of 256 elsewhere, and carry-less multiplication on x86
 * processors that have it, asked at run time (no state: the answer is one load).
 * Inside, a CRC is kept inverted, as the polynomial division has it.
 * A CRC is linear: the table's entry of a byte is the exclusive or of its bits' entries. So the big
 * tables are written by the compiler from eight constants each, and take no space in this text.
 * Does not know: streams, formats. */
#include "checksum.h"

#if defined(__GNUC__) && TBH_SSE2 && !TBH_SMALL
#define TBH_CRC_CLMUL 1
#else
#define TBH_CRC_CLMUL 0
#endif

#if TBH_SMALL
static const uint32_t tbh_crc_nibbles[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu,
                                             0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
                                             0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                             0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};

static uint32_t tbh_crc_table(uint32_t crc, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ tbh_crc_nibbles[crc & 15];
        crc = crc >> 4 ^ tbh_crc_nibbles[crc & 15];
    }
    return crc;
}
#else
#define TBH_CRC_BIT(n, bit, value) ((n) >> (bit)&1 ? (value) : 0u)
#define TBH_CRC_E(n, b0, b1, b2, b3, b4, b5, b6, b7)                                               \
    (TBH_CRC_BIT(n, 0, b0) ^ TBH_CRC_BIT(n, 1, b1) ^ TBH_CRC_BIT(n, 2, b2) ^                       \
     TBH_CRC_BIT(n, 3, b3) ^ TBH_CRC_BIT(n, 4, b4) ^ TBH_CRC_BIT(n, 5, b5) ^                       \
     TBH_CRC_BIT(n, 6, b6) ^ TBH_CRC_BIT(n, 7, b7))
#define TBH_CRC_4(k, n) k(n), k((n) + 1), k((n) + 2), k((n) + 3)
#define TBH_CRC_16(k, n)                                                                           \
    TBH_CRC_4(k, n), TBH_CRC_4(k, (n) + 4), TBH_CRC_4(k, (n) + 8), TBH_CRC_4(k, (n) + 12)
#define TBH_CRC_64(k, n)                                                                           \
    TBH_CRC_16(k, n), TBH_CRC_16(k, (n) + 16), TBH_CRC_16(k, (n) + 32), TBH_CRC_16(k, (n) + 48)
#define TBH_CRC_256(k)                                                                             \
    { TBH_CRC_64(k, 0), TBH_CRC_64(k, 64), TBH_CRC_64(k, 128), TBH_CRC_64(k, 192) }
/* Entries of the bytes 1, 2, 4 … 128, when k zero bytes follow. */
#define TBH_CRC_K0(n)                                                                              \
    TBH_CRC_E(n, 0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u, 0x1db71064u, 0x3b6e20c8u,     \
              0x76dc4190u, 0xedb88320u)
#define TBH_CRC_K1(n)                                                                              \
    TBH_CRC_E(n, 0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u, 0x4ac21251u, 0x958424a2u,     \
              0xf0794f05u, 0x3b83984bu)
#define TBH_CRC_K2(n)                                                                              \
    TBH_CRC_E(n, 0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u, 0x1c26a370u, 0x384d46e0u,     \
              0x709a8dc0u, 0xe1351b80u)
#define TBH_CRC_K3(n)                                                                              \
    TBH_CRC_E(n, 0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu, 0x5019579fu, 0xa032af3eu,     \
              0x9b14583du, 0xed59b63bu)
#define TBH_CRC_K4(n)                                                                              \
    TBH_CRC_E(n, 0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u, 0x60e09782u, 0xc1c12f04u,     \
              0x58f35849u, 0xb1e6b092u)
#define TBH_CRC_K5(n)                                                                              \
    TBH_CRC_E(n, 0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du, 0x03d6029bu, 0x07ac0536u,     \
              0x0f580a6cu, 0x1eb014d8u)
#define TBH_CRC_K6(n)                                                                              \
    TBH_CRC_E(n, 0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u, 0x67de9cceu, 0xcfbd399cu,     \
              0x440b7579u, 0x8816eaf2u)
#define TBH_CRC_K7(n)                                                                              \
    TBH_CRC_E(n, 0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u, 0x7cbb312bu, 0xf9766256u,     \
              0x299dc2edu, 0x533b85dau)

static const uint32_t tbh_crc_tables[8][256] = {TBH_CRC_256(TBH_CRC_K0), TBH_CRC_256(TBH_CRC_K1),
                                                TBH_CRC_256(TBH_CRC_K2), TBH_CRC_256(TBH_CRC_K3),
                                                TBH_CRC_256(TBH_CRC_K4), TBH_CRC_256(TBH_CRC_K5),
                                                TBH_CRC_256(TBH_CRC_K6), TBH_CRC_256(TBH_CRC_K7)};

static uint32_t tbh_crc_table(uint32_t crc, const uint8_t *p, size_t n) {
    const uint32_t(*t)[256] = tbh_crc_tables;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = tbh_load32_le(p) ^ crc, b = tbh_load32_le(p + 4);
        crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^ t[4][a >> 24] ^
              t[3][b & 255] ^ t[2][b >> 8 & 255] ^ t[1][b >> 16 & 255] ^ t[0][b >> 24];
    }
    for (size_t i = 0; i < n; i++) crc = crc >> 8 ^ t[0][(crc ^ p[i]) & 255];
    return crc;
}
#endif

#if TBH_CRC_CLMUL
typedef long long tbh_crc_lane __attribute__((vector_size(16)));

/* Moves a remainder past the bytes between it and `next`; k holds the two powers of x. */
__attribute__((target("pclmul"))) static inline tbh_crc_lane
tbh_crc_fold(tbh_crc_lane x, tbh_crc_lane k, const uint8_t *next) {
    tbh_crc_lane data;
    memcpy(&data, next, 16);
    return (tbh_crc_lane)__builtin_ia32_pclmulqdq128(x, k, 0x00) ^
           (tbh_crc_lane)__builtin_ia32_pclmulqdq128(x, k, 0x11) ^ data;
}

/* Folding (Gopal et al., Intel 2009) in four lanes, then one; the last 16 bytes and the rest go
 * through the table, which spares the reduction. n >= 64. */
__attribute__((target("pclmul"))) static uint32_t tbh_crc_clmul(uint32_t crc, const uint8_t *p,
                                                                size_t n) {
    const tbh_crc_lane by4 = {0x0154442bd4LL, 0x01c6e41596LL};
    const tbh_crc_lane by1 = {0x01751997d0LL, 0x00ccaa009eLL};
    tbh_crc_lane x[4], start = {(long long)crc, 0};
    uint8_t rest[16];
    memcpy(x, p, 64);
    x[0] ^= start;
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        x[0] = tbh_crc_fold(x[0], by4, p);
        x[1] = tbh_crc_fold(x[1], by4, p + 16);
        x[2] = tbh_crc_fold(x[2], by4, p + 32);
        x[3] = tbh_crc_fold(x[3], by4, p + 48);
    }
    for (int i = 1; i < 4; i++) x[0] = tbh_crc_fold(x[0], by1, (const uint8_t *)&x[i]);
    for (; n >= 16; p += 16, n -= 16) x[0] = tbh_crc_fold(x[0], by1, p);
    memcpy(rest, x, 16);
    return tbh_crc_table(tbh_crc_table(0, rest, 16), p, n);
}
#endif

TURBOHTTP_API uint32_t turbohttp_crc32(uint32_t crc, const void *data, size_t length) {
    const uint8_t *p = (const uint8_t *)data;
#if TBH_CRC_CLMUL
    if (length >= 64 && __builtin_cpu_supports("pclmul")) return ~tbh_crc_clmul(~crc, p, length);
#endif
    return ~tbh_crc_table(~crc, p, length);
}

/* 5552 is the most bytes after which the second sum still fits in 32 bits (RFC 1950 §9). */
TBH_FN uint32_t tbh_adler32(uint32_t adler, const uint8_t *p, size_t n) {
    uint32_t a = adler & 0xffff, b = adler >> 16;
    while (n > 0) {
        size_t run = tbh_min_size(n, 5552);
        n -= run;
        for (; run > 0; run--) {
            a += *p++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}
