/* Wide scans over text: one lane of 8 or 16 bytes at a time, the same code for every width.
 *
 * A lane answers questions about its bytes with a mask; tbh_lane_first turns a mask into a byte's
 * index. A platform is a block below that defines the lane; what follows the blocks knows none.
 * No scan reads outside [begin, end): the last bytes are loaded together with bytes before them. */
#pragma once
#include "../base/bytes.h"

/* Index of the lowest set bit; v is not 0. */
TBH_ALWAYS_INLINE unsigned tbh_scan_lowest_bit(uint64_t v) {
#if defined(__GNUC__) || defined(__clang__)
    return (unsigned)__builtin_ctzll(v);
#else
    unsigned n = 0;
    for (unsigned step = 32; step; step >>= 1) {
        if ((v << (64 - step)) != 0) continue;
        v >>= step;
        n += step;
    }
    return n;
#endif
}

/* The four questions that each platform answers: which bytes are colons (`colons`), are control
 * bytes other than HTAB (`control`), are not letters, digits or '-' (`odd`), or differ from a word of
 * those in lower case by more than the case of letters (`differ`; control bytes must be excluded
 * before, since with bit 5 set CR is a dash). */
#if TBH_SSE2
#include <emmintrin.h>
#if TBH_AVX2
#include <immintrin.h>
#endif
#define TBH_LANE       16
#define TBH_LANE_SHIFT 0
typedef __m128i tbh_lane;

TBH_ALWAYS_INLINE tbh_lane tbh_lane_load(const char *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_mask(tbh_lane v) {
    return (uint32_t)_mm_movemask_epi8(v);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_colons(tbh_lane v) {
    return tbh_lane_mask(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
}

TBH_ALWAYS_INLINE tbh_lane tbh_lane_range(tbh_lane v, char low, char span) {
    v = _mm_sub_epi8(v, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(span)), v);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_control(tbh_lane v) {
    tbh_lane low = tbh_lane_range(v, 0, 0x1f);
    tbh_lane tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
    tbh_lane del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    return tbh_lane_mask(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_odd(tbh_lane v) {
    tbh_lane alpha = tbh_lane_range(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 25);
    tbh_lane digit = tbh_lane_range(v, '0', 9);
    tbh_lane dash = _mm_cmpeq_epi8(v, _mm_set1_epi8('-'));
    return tbh_lane_mask(_mm_or_si128(_mm_or_si128(alpha, digit), dash)) ^ 0xffffu;
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_differ(tbh_lane v, tbh_lane lower) {
    v = _mm_or_si128(v, _mm_set1_epi8(0x20));
    return ~tbh_lane_mask(_mm_cmpeq_epi8(v, lower));
}

#define TBH_BLOCK       64 /* bytes that share a mask of marks */
#define TBH_BLOCK_SHIFT 0
/* Names fit into 16 bytes, and wider lanes would only meet the end earlier; blocks gain. */
#if TBH_AVX2
TBH_ALWAYS_INLINE uint64_t tbh_half_text(const char *p) {
    __m256i next = _mm256_loadu_si256((const __m256i *)(const void *)p);
    next = _mm256_add_epi8(next, _mm256_set1_epi8(1)); /* DEL turns negative */
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(next, _mm256_set1_epi8(0x20)));
}

TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    return ~(tbh_half_text(p) | tbh_half_text(p + 32) << 32);
}
#else
TBH_ALWAYS_INLINE uint64_t tbh_lane_text(const char *p) {
    tbh_lane next = _mm_add_epi8(tbh_lane_load(p), _mm_set1_epi8(1)); /* DEL turns negative */
    return tbh_lane_mask(_mm_cmpgt_epi8(next, _mm_set1_epi8(0x20)));
}

TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    uint64_t low = tbh_lane_text(p) | tbh_lane_text(p + 16) << 16;
    uint64_t high = tbh_lane_text(p + 32) | tbh_lane_text(p + 48) << 16;
    return ~(low | high << 32);
}
#endif
#elif TBH_NEON
#include <arm_neon.h>
#define TBH_LANE        16
#define TBH_LANE_SHIFT  2
typedef uint8x16_t tbh_lane;

TBH_ALWAYS_INLINE tbh_lane tbh_lane_load(const char *p) {
    return vld1q_u8((const uint8_t *)p);
}

/* Four bits for each byte: narrowing by shift is NEON's cheapest way to a mask. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_mask(tbh_lane v) {
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(v), 4)), 0);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_colons(tbh_lane v) {
    return tbh_lane_mask(vceqq_u8(v, vdupq_n_u8(':')));
}

TBH_ALWAYS_INLINE tbh_lane tbh_lane_range(tbh_lane v, uint8_t low, uint8_t span) {
    return vcleq_u8(vsubq_u8(v, vdupq_n_u8(low)), vdupq_n_u8(span));
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_control(tbh_lane v) {
    tbh_lane low = vcltq_u8(v, vdupq_n_u8(0x20));
    tbh_lane tab = vceqq_u8(v, vdupq_n_u8('\t'));
    return tbh_lane_mask(vorrq_u8(vbicq_u8(low, tab), vceqq_u8(v, vdupq_n_u8(0x7f))));
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_odd(tbh_lane v) {
    tbh_lane alpha = tbh_lane_range(vorrq_u8(v, vdupq_n_u8(0x20)), 'a', 25);
    tbh_lane digit = tbh_lane_range(v, '0', 9);
    tbh_lane dash = vceqq_u8(v, vdupq_n_u8('-'));
    return ~tbh_lane_mask(vorrq_u8(vorrq_u8(alpha, digit), dash));
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_differ(tbh_lane v, tbh_lane lower) {
    return ~tbh_lane_mask(vceqq_u8(vorrq_u8(v, vdupq_n_u8(0x20)), lower));
}

#define TBH_BLOCK       16
#define TBH_BLOCK_SHIFT 2
TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    return tbh_lane_control(tbh_lane_load(p)) & UINT64_C(0x1111111111111111);
}
#elif TBH_SMALL /* a byte at a time */
#define TBH_LANE        1
#define TBH_LANE_SHIFT  0
typedef uint8_t tbh_lane;

TBH_ALWAYS_INLINE tbh_lane tbh_lane_load(const char *p) {
    return (uint8_t)*p;
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_colons(tbh_lane v) {
    return v == ':';
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_control(tbh_lane v) {
    return (v < 0x20 && v != '\t') || v == 0x7f;
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_odd(tbh_lane v) {
    bool is_common = (uint8_t)((v | 0x20) - 'a') < 26 || (uint8_t)(v - '0') < 10 || v == '-';
    return !is_common;
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_differ(tbh_lane v, tbh_lane lower) {
    return (v | 0x20) != lower;
}

#define TBH_BLOCK       64
#define TBH_BLOCK_SHIFT 0
TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    uint64_t marks = 0;
    for (unsigned i = 0; i < TBH_BLOCK; i++)
        if ((uint8_t)p[i] < 0x20 || (uint8_t)p[i] == 0x7f) marks |= (uint64_t)1 << i;
    return marks;
}
#else
#define TBH_LANE        8
#define TBH_LANE_SHIFT  3
typedef uint64_t tbh_lane; /* little-endian, so that the first byte is the lowest */

TBH_ALWAYS_INLINE uint64_t tbh_lane_fill(uint8_t c) {
    return c * UINT64_C(0x0101010101010101);
}

TBH_ALWAYS_INLINE tbh_lane tbh_lane_load(const char *p) {
    return tbh_load64_le(p);
}

/* The sums stay below 256 in each byte, so no byte disturbs its neighbour: all masks are exact. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_colons(tbh_lane v) {
    uint64_t x = v ^ tbh_lane_fill(':');
    return ~(((x & tbh_lane_fill(0x7f)) + tbh_lane_fill(0x7f)) | x) & tbh_lane_fill(0x80);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_control(tbh_lane v) {
    uint64_t x = v & tbh_lane_fill(0x7f);
    uint64_t low = ~(x + tbh_lane_fill(0x60));
    uint64_t not_tab = (x ^ tbh_lane_fill('\t')) + tbh_lane_fill(0x7f);
    uint64_t del = x + tbh_lane_fill(1);
    return ((low & not_tab) | del) & ~v & tbh_lane_fill(0x80);
}

/* High bit where low <= byte <= high, for bytes below 128. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_range(uint64_t x, uint8_t low, uint8_t high) {
    return (x + tbh_lane_fill((uint8_t)(0x80 - low))) &
           ~(x + tbh_lane_fill((uint8_t)(0x7f - high)));
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_odd(tbh_lane v) {
    uint64_t x = v & tbh_lane_fill(0x7f);
    uint64_t common = tbh_lane_range(x | tbh_lane_fill(0x20), 'a', 'z') |
                      tbh_lane_range(x, '0', '9') |
                      ~((x ^ tbh_lane_fill('-')) + tbh_lane_fill(0x7f));
    return (~common | v) & tbh_lane_fill(0x80);
}

/* Not one bit but any bits of a byte that differs. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_differ(tbh_lane v, tbh_lane lower) {
    return (v | tbh_lane_fill(0x20)) ^ lower;
}

#define TBH_BLOCK       64
#define TBH_BLOCK_SHIFT 0
/* Bytes above 127 come out marked, and borrows and carries may mark one byte too many, never one too
 * few. The product gathers the high
 * bits of all bytes in its highest byte. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_suspect(const char *p) {
    uint64_t v = tbh_lane_load(p);
    uint64_t low = v - tbh_lane_fill(0x20), del = v + tbh_lane_fill(1);
    return ((low | del) & tbh_lane_fill(0x80)) * UINT64_C(0x0002040810204081) >> 56;
}

TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    uint64_t low = tbh_lane_suspect(p) | tbh_lane_suspect(p + 8) << 8 |
                   tbh_lane_suspect(p + 16) << 16 | tbh_lane_suspect(p + 24) << 24;
    uint64_t high = tbh_lane_suspect(p + 32) | tbh_lane_suspect(p + 40) << 8 |
                    tbh_lane_suspect(p + 48) << 16 | tbh_lane_suspect(p + 56) << 24;
    return low | high << 32;
}
#endif

/* Index of the first byte that a mask marks; the mask is not 0. */
TBH_ALWAYS_INLINE size_t tbh_lane_first(uint64_t mask) {
    return tbh_scan_lowest_bit(mask) >> TBH_LANE_SHIFT;
}

/* The marks behind the first n bytes, where a lane has so many. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_from(uint64_t mask, unsigned n) {
    return n < TBH_LANE ? mask >> (n << TBH_LANE_SHIFT) << (n << TBH_LANE_SHIFT) : 0;
}

/* Drops the marks of the first n bytes, n < TBH_LANE; the next byte becomes the first. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_skip(uint64_t mask, size_t n) {
    return mask >> (n << TBH_LANE_SHIFT);
}

/* Are there no marks at the first n bytes, 0 < n <= TBH_LANE? */
TBH_ALWAYS_INLINE bool tbh_lane_none(uint64_t mask, size_t n) {
    return mask << (64 - (n << TBH_LANE_SHIFT)) == 0;
}

/* Are there no marks at any byte up to the first that `stop` marks, and at that one? */
TBH_ALWAYS_INLINE bool tbh_lane_none_up_to(uint64_t mask, uint64_t stop) {
    return (mask & (stop ^ (stop - 1))) == 0;
}

/* ------------------------------------------------------------ marks
 * The places of control bytes in order, found a block ahead of whoever asks for them: masks of
 * neighbouring blocks do not wait for each other, and that is most of the speed. The first of a run
 * of control bytes is left out if another follows, so that a line that ends with CRLF has one mark,
 * its LF: who finds anything else there looks at the bytes and goes on behind them with
 * new marks. HTAB is marked too, bytes above 127 and a CR at the end of a block may be, and the
 * portable lane may mark a byte that follows a marked one or 0xff. */
typedef struct tbh_marks {
    const char *block; /* TBH_BLOCK bytes, fewer at the end */
    uint64_t mask;     /* the marks in it that were not asked for yet */
} tbh_marks;

/* The control bytes of fewer bytes than a block, byte by byte. */
TBH_FN uint64_t tbh_marks_of_few(const char *p, size_t n);

/* The control bytes of a block that ends early, looked at together with bytes before it. */
TBH_ALWAYS_INLINE uint64_t tbh_marks_of_tail(const char *begin, const char *block, size_t left) {
    const size_t beyond = TBH_BLOCK - left;
    if ((size_t)(block - begin) < beyond || left == 0) return tbh_marks_of_few(block, left);
    return tbh_block_marks(block - beyond) >> (beyond << TBH_BLOCK_SHIFT);
}

/* The marks of a block; `follows` is 1 when the byte before it may be a control byte. */
TBH_ALWAYS_INLINE uint64_t tbh_marks_of(const char *begin, const char *block, size_t left,
                                        uint64_t follows) {
    const unsigned one = 1u << TBH_BLOCK_SHIFT, last = 64 - one;
    uint64_t control, followed;
    if (TBH_UNLIKELY(left < TBH_BLOCK)) control = tbh_marks_of_tail(begin, block, left);
    else control = tbh_block_marks(block);
    followed = control >> one;
    if (TBH_UNLIKELY(control >> last) && left > TBH_BLOCK) /* CRLF across two blocks? */
        followed |= (uint64_t)(block[TBH_BLOCK - 1] == '\r' && block[TBH_BLOCK] == '\n') << last;
    return control & (~followed | control << one | follows);
}

TBH_ALWAYS_INLINE tbh_marks tbh_marks_start(const char *begin, const char *p, const char *end) {
    tbh_marks m;
    m.block = p;
    m.mask = tbh_marks_of(begin, p, (size_t)(end - p), 0);
    return m;
}

/* Goes on to the next block with marks. False when there is none. */
TBH_ALWAYS_INLINE bool tbh_marks_refill(tbh_marks *m, const char *begin, const char *end) {
    do {
        const size_t left = (size_t)(end - m->block);
        if (left <= TBH_BLOCK) return false;
        m->block += TBH_BLOCK;
        m->mask = tbh_marks_of(begin, m->block, left - TBH_BLOCK, (uint8_t)m->block[-1] < ' ');
    } while (m->mask == 0);
    return true;
}

/* The next marked byte, or the last byte of all. */
TBH_ALWAYS_INLINE const char *tbh_marks_next(tbh_marks *m, const char *begin, const char *end) {
    if (TBH_UNLIKELY(m->mask == 0) && !tbh_marks_refill(m, begin, end)) return end - 1;
    const char *at = m->block + (tbh_scan_lowest_bit(m->mask) >> TBH_BLOCK_SHIFT);
    m->mask &= m->mask - 1;
    return at;
}

/* The last stretch of a scan, shorter than a lane. */
TBH_FN const char *tbh_scan_control_tail(const char *begin, const char *p, const char *end);
TBH_FN bool tbh_scan_is_control(char c);
TBH_FN const char *tbh_scan_colon_tail(const char *begin, const char *p, const char *end);

/* First control byte other than HTAB in [p, end), or end. Bytes from begin on may be read. */
TBH_ALWAYS_INLINE const char *tbh_scan_control(const char *begin, const char *p, const char *end) {
    while ((size_t)(end - p) >= TBH_LANE) {
        uint64_t mask = tbh_lane_control(tbh_lane_load(p));
        if (mask) return p + tbh_lane_first(mask);
        p += TBH_LANE;
    }
    return tbh_scan_control_tail(begin, p, end);
}

/* First colon in [p, end), or end. Bytes from begin on may be read. */
TBH_ALWAYS_INLINE const char *tbh_scan_colon(const char *begin, const char *p, const char *end) {
    while ((size_t)(end - p) >= TBH_LANE) {
        uint64_t mask = tbh_lane_colons(tbh_lane_load(p));
        if (mask) return p + tbh_lane_first(mask);
        p += TBH_LANE;
    }
    return tbh_scan_colon_tail(begin, p, end);
}

TBH_ALWAYS_INLINE uint64_t tbh_scan_differ8(const char *p, const char *lower) {
    return (tbh_load64(p) | UINT64_C(0x2020202020202020)) ^ tbh_load64(lower);
}

TBH_ALWAYS_INLINE uint32_t tbh_scan_differ4(const char *p, const char *lower) {
    return (tbh_load32(p) | 0x20202020u) ^ tbh_load32(lower);
}

/* The rule of tbh_lane_differ without a byte behind the name: two halves that overlap, and for long
 * names the words between them. For a name of constant length little of this is left. */
TBH_ALWAYS_INLINE bool tbh_scan_is_word(const char *p, const char *lower, size_t n) {
    if (TBH_SMALL || n < 4) return tbh_equal_nocase(p, lower, n);
    if (n < 8)
        return (tbh_scan_differ4(p, lower) | tbh_scan_differ4(p + n - 4, lower + n - 4)) == 0;
    uint64_t differ = tbh_scan_differ8(p + n - 8, lower + n - 8);
    for (size_t i = 0; i + 8 < n; i += 8) differ |= tbh_scan_differ8(p + i, lower + i);
    return differ == 0;
}

/* Is the name at p, n >= TBH_LANE bytes, equal to one in lower case, whatever the case of its letters? */
TBH_ALWAYS_INLINE bool tbh_scan_is_name(const char *p, size_t n, const char *lower) {
    const size_t last = n - TBH_LANE;
    uint64_t differ = tbh_lane_differ(tbh_lane_load(p + last), tbh_lane_load(lower + last));
    for (size_t i = 0; i < last; i += TBH_LANE)
        differ |= tbh_lane_differ(tbh_lane_load(p + i), tbh_lane_load(lower + i));
    return tbh_lane_none(differ, TBH_LANE);
}

/* Are all n >= TBH_LANE bytes at p letters, digits or '-'? False says nothing: ask tbh_scan_token. */
TBH_ALWAYS_INLINE bool tbh_scan_is_common(const char *p, size_t n) {
    uint64_t odd = tbh_lane_odd(tbh_lane_load(p + n - TBH_LANE));
    for (size_t i = 0; i < n - TBH_LANE; i += TBH_LANE) odd |= tbh_lane_odd(tbh_lane_load(p + i));
    return odd == 0;
}

/* First byte in [p, end) that is no token character (RFC 9110 §5.6.2), or end. */
TBH_FN const char *tbh_scan_token(const char *p, const char *end);
