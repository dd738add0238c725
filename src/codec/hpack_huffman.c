/* Huffman strings: bits to bytes and back, a whole symbol or two at each step.
 *
 * Owns nothing. The code is canonical: codes of one length are consecutive numbers, longer codes
 * are larger as fractions. So a row for each length says by comparison how long a code is and which
 * symbol it means, and the other way round. Where size comes first that is all there is. Elsewhere
 * whole strings take a table of the next 12 bits for codes of up to eight, which is nearly all text,
 * two of them in one step, and another table has the code of each byte.
 * Invariant: bits behind the counted ones are 0 or true input, so any look at the top is safe.
 * Input language: RFC 7541 §5.2: EOS never, padding shorter than a byte and all ones.
 * Does not know: how long a string is, what it means. */
#include "hpack_huffman.h"

/* ------------------------------------------------------------ tables (RFC 7541 appendix B) */
/* clang-format off */
/* The symbols with codes of 5, 6, 7 and 8 bits, in the order of their codes. */
#define TBH_HUFFMAN_FIRST(X5, X6, X7, X8) \
    X5('0') X5('1') X5('2') X5('a') X5('c') X5('e') X5('i') X5('o') X5('s') X5('t') X6(' ') \
    X6('%') X6('-') X6('.') X6('/') X6('3') X6('4') X6('5') X6('6') X6('7') X6('8') X6('9') \
    X6('=') X6('A') X6('_') X6('b') X6('d') X6('f') X6('g') X6('h') X6('l') X6('m') X6('n') \
    X6('p') X6('r') X6('u') X7(':') X7('B') X7('C') X7('D') X7('E') X7('F') X7('G') X7('H') \
    X7('I') X7('J') X7('K') X7('L') X7('M') X7('N') X7('O') X7('P') X7('Q') X7('R') X7('S') \
    X7('T') X7('U') X7('V') X7('W') X7('Y') X7('j') X7('k') X7('q') X7('v') X7('w') X7('x') \
    X7('y') X7('z') X8('&') X8('*') X8(',') X8(';') X8('X') X8('Z')

/* Codes by length: the first bits of the lowest one, and where its symbols begin. */
typedef struct tbh_huffman_row {
    uint32_t begin;
    uint8_t length, first;
} tbh_huffman_row;

static const tbh_huffman_row tbh_huffman_lengths[] = {
    {0x00000000u, 5, 0}, {0x50000000u, 6, 10}, {0xb8000000u, 7, 36}, {0xf8000000u, 8, 68},
    {0xfe000000u, 10, 74}, {0xff400000u, 11, 79}, {0xffa00000u, 12, 82}, {0xffc00000u, 13, 84},
    {0xfff00000u, 14, 90}, {0xfff80000u, 15, 92}, {0xfffe0000u, 19, 95}, {0xfffe6000u, 20, 98},
    {0xfffee000u, 21, 106}, {0xffff4800u, 22, 119}, {0xffffb000u, 23, 145}, {0xffffea00u, 24, 174},
    {0xfffff600u, 25, 186}, {0xfffff800u, 26, 190}, {0xfffffbc0u, 27, 205}, {0xfffffe20u, 28, 224},
    {0xfffffff0u, 30, 253},
};

enum { TBH_HUFFMAN_SHORT = 0, TBH_HUFFMAN_LONG = 4 }; /* rows: the first, and that of ten bits */

#define TBH_HUFFMAN_LAST (tbh_huffman_lengths + 20)
#define TBH_HUFFMAN_EOS  256 /* its place behind the symbols */
#define TBH_HUFFMAN_CHAR(a) a,

static const uint8_t tbh_huffman_symbols[TBH_HUFFMAN_EOS] = {
    TBH_HUFFMAN_FIRST(TBH_HUFFMAN_CHAR, TBH_HUFFMAN_CHAR, TBH_HUFFMAN_CHAR, TBH_HUFFMAN_CHAR)
    33, 34, 40, 41, 63, 39, 43, 124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195,
    208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161, 167, 172, 176, 177, 179, 209, 216, 217,
    227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181,
    185, 186, 187, 189, 190, 196, 198, 228, 232, 233, 1, 135, 137, 138, 139, 140, 141, 143, 147,
    149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231,
    239, 9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193,
    200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221,
    222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254, 2, 3, 4, 5, 6, 7, 8, 11, 12,
    14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10, 13, 22,
};

#if !TBH_SMALL
/* A row: bits of the step, first symbol, second symbol, number of symbols.
 * Rows of zero stand where a code has ten bits or more. */
#define TBH_HUFFMAN_ONE(a, n)    ((uint32_t)(n) | (uint32_t)(a) << 8 | 1u << 28),
#define TBH_HUFFMAN_1(a, n)      TBH_HUFFMAN_ONE(a, n)
#define TBH_HUFFMAN_2(a, n)      TBH_HUFFMAN_1(a, n) TBH_HUFFMAN_1(a, n)
#define TBH_HUFFMAN_4(a, n)      TBH_HUFFMAN_2(a, n) TBH_HUFFMAN_2(a, n)
#define TBH_HUFFMAN_8(a, n)      TBH_HUFFMAN_4(a, n) TBH_HUFFMAN_4(a, n)
#define TBH_HUFFMAN_16(a, n)     TBH_HUFFMAN_8(a, n) TBH_HUFFMAN_8(a, n)

#define TBH_HUFFMAN_LOOK 12
/* Behind a code of n bits there are 12 - n more, and all second symbols that fit. */
#define TBH_HUFFMAN_TWO(a, n, m, b) \
    ((uint32_t)(n + m) | (uint32_t)(a) << 8 | (uint32_t)(b) << 16 | 2u << 28),
#define TBH_HUFFMAN_B5(a, n, b)  TBH_HUFFMAN_TWO(a, n, 5, b)
#define TBH_HUFFMAN_B55(a, n, b) TBH_HUFFMAN_B5(a, n, b) TBH_HUFFMAN_B5(a, n, b)
#define TBH_HUFFMAN_B5555(a, n, b) TBH_HUFFMAN_B55(a, n, b) TBH_HUFFMAN_B55(a, n, b)
#define TBH_HUFFMAN_B6(a, n, b)  TBH_HUFFMAN_TWO(a, n, 6, b)
#define TBH_HUFFMAN_B66(a, n, b) TBH_HUFFMAN_B6(a, n, b) TBH_HUFFMAN_B6(a, n, b)
#define TBH_HUFFMAN_B7(a, n, b)  TBH_HUFFMAN_TWO(a, n, 7, b)
#define TBH_HUFFMAN_SECOND_5(X, a, n) \
    X(a, n, '0') X(a, n, '1') X(a, n, '2') X(a, n, 'a') X(a, n, 'c') X(a, n, 'e') X(a, n, 'i') \
    X(a, n, 'o') X(a, n, 's') X(a, n, 't')
#define TBH_HUFFMAN_SECOND_6(X, a, n) \
    X(a, n, ' ') X(a, n, '%') X(a, n, '-') X(a, n, '.') X(a, n, '/') X(a, n, '3') X(a, n, '4') \
    X(a, n, '5') X(a, n, '6') X(a, n, '7') X(a, n, '8') X(a, n, '9') X(a, n, '=') X(a, n, 'A') \
    X(a, n, '_') X(a, n, 'b') X(a, n, 'd') X(a, n, 'f') X(a, n, 'g') X(a, n, 'h') X(a, n, 'l') \
    X(a, n, 'm') X(a, n, 'n') X(a, n, 'p') X(a, n, 'r') X(a, n, 'u')
#define TBH_HUFFMAN_SECOND_7(X, a, n) \
    X(a, n, ':') X(a, n, 'B') X(a, n, 'C') X(a, n, 'D') X(a, n, 'E') X(a, n, 'F') X(a, n, 'G') \
    X(a, n, 'H') X(a, n, 'I') X(a, n, 'J') X(a, n, 'K') X(a, n, 'L') X(a, n, 'M') X(a, n, 'N') \
    X(a, n, 'O') X(a, n, 'P') X(a, n, 'Q') X(a, n, 'R') X(a, n, 'S') X(a, n, 'T') X(a, n, 'U') \
    X(a, n, 'V') X(a, n, 'W') X(a, n, 'Y') X(a, n, 'j') X(a, n, 'k') X(a, n, 'q') X(a, n, 'v') \
    X(a, n, 'w') X(a, n, 'x') X(a, n, 'y') X(a, n, 'z')
#define TBH_HUFFMAN_X5(a) \
    TBH_HUFFMAN_SECOND_5(TBH_HUFFMAN_B5555, a, 5) TBH_HUFFMAN_SECOND_6(TBH_HUFFMAN_B66, a, 5) \
    TBH_HUFFMAN_SECOND_7(TBH_HUFFMAN_B7, a, 5) TBH_HUFFMAN_4(a, 5)
#define TBH_HUFFMAN_X6(a) \
    TBH_HUFFMAN_SECOND_5(TBH_HUFFMAN_B55, a, 6) TBH_HUFFMAN_SECOND_6(TBH_HUFFMAN_B6, a, 6) \
    TBH_HUFFMAN_16(a, 6) TBH_HUFFMAN_2(a, 6)
#define TBH_HUFFMAN_X7(a) \
    TBH_HUFFMAN_SECOND_5(TBH_HUFFMAN_B5, a, 7) \
    TBH_HUFFMAN_16(a, 7) TBH_HUFFMAN_4(a, 7) TBH_HUFFMAN_2(a, 7)
#define TBH_HUFFMAN_X8(a) TBH_HUFFMAN_16(a, 8)

static const uint32_t tbh_huffman_rows[1 << TBH_HUFFMAN_LOOK] = {
    TBH_HUFFMAN_FIRST(TBH_HUFFMAN_X5, TBH_HUFFMAN_X6, TBH_HUFFMAN_X7, TBH_HUFFMAN_X8)
};

/* The code of each byte with a 1 before it, which tells its length. */
static const uint32_t tbh_huffman_codes[256] = {
    0x00003ff8, 0x00ffffd8, 0x1fffffe2, 0x1fffffe3, 0x1fffffe4, 0x1fffffe5, 0x1fffffe6, 0x1fffffe7,
    0x1fffffe8, 0x01ffffea, 0x7ffffffc, 0x1fffffe9, 0x1fffffea, 0x7ffffffd, 0x1fffffeb, 0x1fffffec,
    0x1fffffed, 0x1fffffee, 0x1fffffef, 0x1ffffff0, 0x1ffffff1, 0x1ffffff2, 0x7ffffffe, 0x1ffffff3,
    0x1ffffff4, 0x1ffffff5, 0x1ffffff6, 0x1ffffff7, 0x1ffffff8, 0x1ffffff9, 0x1ffffffa, 0x1ffffffb,
    0x00000054, 0x000007f8, 0x000007f9, 0x00001ffa, 0x00003ff9, 0x00000055, 0x000001f8, 0x00000ffa,
    0x000007fa, 0x000007fb, 0x000001f9, 0x00000ffb, 0x000001fa, 0x00000056, 0x00000057, 0x00000058,
    0x00000020, 0x00000021, 0x00000022, 0x00000059, 0x0000005a, 0x0000005b, 0x0000005c, 0x0000005d,
    0x0000005e, 0x0000005f, 0x000000dc, 0x000001fb, 0x0000fffc, 0x00000060, 0x00001ffb, 0x000007fc,
    0x00003ffa, 0x00000061, 0x000000dd, 0x000000de, 0x000000df, 0x000000e0, 0x000000e1, 0x000000e2,
    0x000000e3, 0x000000e4, 0x000000e5, 0x000000e6, 0x000000e7, 0x000000e8, 0x000000e9, 0x000000ea,
    0x000000eb, 0x000000ec, 0x000000ed, 0x000000ee, 0x000000ef, 0x000000f0, 0x000000f1, 0x000000f2,
    0x000001fc, 0x000000f3, 0x000001fd, 0x00003ffb, 0x000ffff0, 0x00003ffc, 0x00007ffc, 0x00000062,
    0x0000fffd, 0x00000023, 0x00000063, 0x00000024, 0x00000064, 0x00000025, 0x00000065, 0x00000066,
    0x00000067, 0x00000026, 0x000000f4, 0x000000f5, 0x00000068, 0x00000069, 0x0000006a, 0x00000027,
    0x0000006b, 0x000000f6, 0x0000006c, 0x00000028, 0x00000029, 0x0000006d, 0x000000f7, 0x000000f8,
    0x000000f9, 0x000000fa, 0x000000fb, 0x0000fffe, 0x00000ffc, 0x00007ffd, 0x00003ffd, 0x1ffffffc,
    0x001fffe6, 0x007fffd2, 0x001fffe7, 0x001fffe8, 0x007fffd3, 0x007fffd4, 0x007fffd5, 0x00ffffd9,
    0x007fffd6, 0x00ffffda, 0x00ffffdb, 0x00ffffdc, 0x00ffffdd, 0x00ffffde, 0x01ffffeb, 0x00ffffdf,
    0x01ffffec, 0x01ffffed, 0x007fffd7, 0x00ffffe0, 0x01ffffee, 0x00ffffe1, 0x00ffffe2, 0x00ffffe3,
    0x00ffffe4, 0x003fffdc, 0x007fffd8, 0x00ffffe5, 0x007fffd9, 0x00ffffe6, 0x00ffffe7, 0x01ffffef,
    0x007fffda, 0x003fffdd, 0x001fffe9, 0x007fffdb, 0x007fffdc, 0x00ffffe8, 0x00ffffe9, 0x003fffde,
    0x00ffffea, 0x007fffdd, 0x007fffde, 0x01fffff0, 0x003fffdf, 0x007fffdf, 0x00ffffeb, 0x00ffffec,
    0x003fffe0, 0x003fffe1, 0x007fffe0, 0x003fffe2, 0x00ffffed, 0x007fffe1, 0x00ffffee, 0x00ffffef,
    0x001fffea, 0x007fffe2, 0x007fffe3, 0x007fffe4, 0x00fffff0, 0x007fffe5, 0x007fffe6, 0x00fffff1,
    0x07ffffe0, 0x07ffffe1, 0x001fffeb, 0x000ffff1, 0x007fffe7, 0x00fffff2, 0x007fffe8, 0x03ffffec,
    0x07ffffe2, 0x07ffffe3, 0x07ffffe4, 0x0fffffde, 0x0fffffdf, 0x07ffffe5, 0x01fffff1, 0x03ffffed,
    0x000ffff2, 0x003fffe3, 0x07ffffe6, 0x0fffffe0, 0x0fffffe1, 0x07ffffe7, 0x0fffffe2, 0x01fffff2,
    0x003fffe4, 0x003fffe5, 0x07ffffe8, 0x07ffffe9, 0x1ffffffd, 0x0fffffe3, 0x0fffffe4, 0x0fffffe5,
    0x001fffec, 0x01fffff3, 0x001fffed, 0x003fffe6, 0x007fffe9, 0x003fffe7, 0x003fffe8, 0x00fffff3,
    0x007fffea, 0x007fffeb, 0x03ffffee, 0x03ffffef, 0x01fffff4, 0x01fffff5, 0x07ffffea, 0x00fffff4,
    0x07ffffeb, 0x0fffffe6, 0x07ffffec, 0x07ffffed, 0x0fffffe7, 0x0fffffe8, 0x0fffffe9, 0x0fffffea,
    0x0fffffeb, 0x1ffffffe, 0x0fffffec, 0x0fffffed, 0x0fffffee, 0x0fffffef, 0x0ffffff0, 0x07ffffee,
};
#endif
/* clang-format on */

/* ------------------------------------------------------------ decoding */
typedef struct tbh_huffman_code {
    unsigned index, length;
} tbh_huffman_code;

/* The code at the top of the bits; it is in no row before this one. */
static tbh_huffman_code tbh_huffman_find(uint32_t top, unsigned from) {
    tbh_huffman_code code;
    const tbh_huffman_row *row = tbh_huffman_lengths + from;
    while (row < TBH_HUFFMAN_LAST && top >= row[1].begin) row++;
    code.index = row->first + ((top - row->begin) >> (32 - row->length));
    code.length = row->length;
    return code;
}

TBH_FN tbh_huffman_result tbh_huffman_decode(tbh_huffman *h, const uint8_t **in,
                                             const uint8_t *in_end, uint8_t **out,
                                             uint8_t *out_end) {
    for (;;) { /* ends: each round takes at least five bits */
        for (; h->count <= 56 && *in < in_end; h->count += 8)
            h->bits |= (uint64_t) * (*in)++ << (56 - h->count);
        tbh_huffman_code code = tbh_huffman_find((uint32_t)(h->bits >> 32), TBH_HUFFMAN_SHORT);
        if (code.length > h->count) return TBH_HUFFMAN_OK;
        if (code.index >= TBH_HUFFMAN_EOS) return TBH_HUFFMAN_BAD;
        if (*out == out_end) return TBH_HUFFMAN_FULL;
        *(*out)++ = tbh_huffman_symbols[code.index];
        h->bits <<= code.length;
        h->count -= code.length;
    }
}

TBH_FN bool tbh_huffman_is_end(const tbh_huffman *h) {
    if (h->count == 0) return true;
    return h->count < 8 && h->bits >> (64 - h->count) == (1u << h->count) - 1;
}

#if !TBH_SMALL
#define TBH_HUFFMAN_STEP_BITS(row) ((row)&63)
#define TBH_HUFFMAN_SYMBOLS(row)   ((row) >> 28)

/* One or two short codes; false at a long one or the end. May write one byte too many. */
TBH_ALWAYS_INLINE bool tbh_huffman_step(uint64_t *bits, uint8_t **out, unsigned *used) {
    uint32_t row = tbh_huffman_rows[*bits >> (64 - TBH_HUFFMAN_LOOK)];
    if (TBH_UNLIKELY(row == 0)) return false;
    tbh_store16_le(*out, (uint16_t)(row >> 8));
    *out += TBH_HUFFMAN_SYMBOLS(row);
    *bits <<= TBH_HUFFMAN_STEP_BITS(row);
    *used += TBH_HUFFMAN_STEP_BITS(row);
    return true;
}

/* Up to four of them, and their bits. */
TBH_ALWAYS_INLINE unsigned tbh_huffman_steps(uint64_t *bits, uint8_t **out, bool *is_short) {
    unsigned used = 0;
    *is_short = tbh_huffman_step(bits, out, &used) && tbh_huffman_step(bits, out, &used) &&
                tbh_huffman_step(bits, out, &used) && tbh_huffman_step(bits, out, &used);
    return used;
}

/* The last left bytes, fewer than eight, at the top; ones behind them. */
TBH_ALWAYS_INLINE uint64_t tbh_huffman_last(const uint8_t *begin, const uint8_t *p,
                                            const uint8_t *end) {
    uint64_t bits = 0;
    unsigned left = (unsigned)(end - p) * 8;
    if (left == 0) return ~UINT64_C(0);
    if (end - begin >= 8) bits = tbh_load64_be(end - 8) << (64 - left);
    else
        for (unsigned at = 64; p < end; p++) bits |= (uint64_t)*p << (at -= 8);
    return bits | ~UINT64_C(0) >> left;
}

/* Moves n < 64 bits from the top of `more` to the places that became free in `bits`. */
TBH_ALWAYS_INLINE void tbh_huffman_shift(uint64_t *bits, uint64_t *more, unsigned n) {
    *bits |= *more >> 1 >> (63 - n);
    *more = ~(~*more << n);
}

/* The end of a string: `count` bits and the last bytes, ones behind them. */
TBH_ALWAYS_INLINE uint8_t *tbh_huffman_finish(uint64_t bits, unsigned count, uint64_t last,
                                              unsigned last_bits, uint8_t *out) {
    int left = (int)(count + last_bits);
    bool is_short;
    uint64_t more = ~(~last << 1 << (63 - count));
    bits |= last >> count;
    for (;;) { /* ends: a round takes bits or returns */
        unsigned used = tbh_huffman_steps(&bits, &out, &is_short);
        left -= (int)used;
        tbh_huffman_shift(&bits, &more, used);
        if (is_short) continue;
        if (left < 8) return left >= 0 ? out : NULL; /* seven ones at most (RFC 7541 §5.2) */
        tbh_huffman_code code = tbh_huffman_find((uint32_t)(bits >> 32), TBH_HUFFMAN_LONG);
        if (code.index >= TBH_HUFFMAN_EOS || (int)code.length > left) return NULL;
        *out++ = tbh_huffman_symbols[code.index];
        left -= (int)code.length;
        bits <<= code.length;
        tbh_huffman_shift(&bits, &more, code.length);
    }
}

TBH_FN uint8_t *tbh_huffman_decode_whole(const uint8_t *in, size_t n, uint8_t *out) {
    uint64_t bits = 0;
    unsigned count = 0;
    bool is_short;
    const uint8_t *p = in, *end = in + n;
    while (end - p >= 8) {
        bits |= tbh_load64_be(p) >> count;
        p += (63 - count) >> 3;
        count |= 56;
        count -= tbh_huffman_steps(&bits, &out, &is_short);
        if (is_short) continue;
        tbh_huffman_code code = tbh_huffman_find((uint32_t)(bits >> 32), TBH_HUFFMAN_LONG);
        if (code.length > count) continue; /* there are more bits in the next round */
        if (code.index >= TBH_HUFFMAN_EOS) return NULL;
        *out++ = tbh_huffman_symbols[code.index];
        bits <<= code.length;
        count -= code.length;
    }
    return tbh_huffman_finish(bits, count, tbh_huffman_last(in, p, end), (unsigned)(end - p) * 8,
                              out);
}
#endif

/* ------------------------------------------------------------ encoding */
typedef struct tbh_huffman_word {
    uint64_t bits; /* at the right */
    unsigned length;
} tbh_huffman_word;

#if TBH_SMALL
/* Text is found early among the symbols. */
static tbh_huffman_word tbh_huffman_word_of(uint8_t byte) {
    tbh_huffman_word word;
    const tbh_huffman_row *row = tbh_huffman_lengths;
    const uint8_t *at = (const uint8_t *)memchr(tbh_huffman_symbols, byte, TBH_HUFFMAN_EOS);
    unsigned index = (unsigned)(at - tbh_huffman_symbols);
    while (row < TBH_HUFFMAN_LAST && index >= row[1].first) row++;
    word.bits = (row->begin >> (32 - row->length)) + (index - row->first);
    word.length = row->length;
    return word;
}
#else
TBH_ALWAYS_INLINE unsigned tbh_huffman_length(uint32_t code) {
#if defined(__GNUC__) || defined(__clang__)
    return 31u - (unsigned)__builtin_clz(code);
#else
    unsigned n = 0;
    for (unsigned step = 16; step; step >>= 1)
        if (code >> (n + step)) n += step;
    return n;
#endif
}

TBH_ALWAYS_INLINE tbh_huffman_word tbh_huffman_word_of(uint8_t byte) {
    tbh_huffman_word word;
    uint32_t code = tbh_huffman_codes[byte];
    word.length = tbh_huffman_length(code);
    word.bits = code ^ 1u << word.length;
    return word;
}
#endif

TBH_ALWAYS_INLINE tbh_huffman_word tbh_huffman_join(tbh_huffman_word a, tbh_huffman_word b) {
    a.bits = a.bits << b.length | b.bits;
    a.length += b.length;
    return a;
}

/* Adds at most 56 bits behind the count < 8 that wait at the top, and stores what is whole. */
TBH_ALWAYS_INLINE uint8_t *tbh_huffman_put(uint8_t *out, uint64_t *bits, unsigned *count,
                                           tbh_huffman_word word) {
    unsigned n = *count + word.length;
    *bits |= word.bits << (64 - n);
    tbh_store64_be(out, *bits);
    *bits <<= n & 56;
    *count = n & 7;
    return out + (n >> 3);
}

TBH_FN size_t tbh_huffman_encode(uint8_t *out, const uint8_t *in, size_t n) {
    uint64_t bits = 0;
    unsigned count = 0;
    uint8_t *q = out, *end = out + n;
    const uint8_t *in_end = in + n;
    while (in < in_end && q < end) {
        tbh_huffman_word word = tbh_huffman_word_of(*in++);
#if !TBH_SMALL
        if (in_end - in >= 3) {
            tbh_huffman_word third = tbh_huffman_word_of(in[1]);
            word = tbh_huffman_join(word, tbh_huffman_word_of(in[0]));
            third = tbh_huffman_join(third, tbh_huffman_word_of(in[2]));
            if (TBH_LIKELY(word.length + third.length <= 56)) {
                q = tbh_huffman_put(q, &bits, &count, tbh_huffman_join(word, third));
                in += 3;
                continue;
            }
            word = tbh_huffman_word_of(in[-1]);
        }
#endif
        q = tbh_huffman_put(q, &bits, &count, word);
    }
    if (count) *q++ = (uint8_t)(bits >> 56 | 0xffu >> count);
    return in == in_end && q < end ? (size_t)(q - out) : 0;
}
