/* Inflate: deflate data (RFC 1951) in gzip (RFC 1952), zlib (RFC 1950) or bare, any split.
 * Owns: nothing; the state is the caller's and holds no pointers. Input language: the three RFCs,
 * with zlib's answer wherever they leave one open (a lone distance code, unused symbols).
 * Invariants: an element (a symbol with its extra bits, a header field) is decoded whole or not at
 * all. When input runs out, the bits kept are a true prefix of the next element; when a run ends
 * for another reason, all whole bytes of this call go back to it. So bytes behind a stream's end
 * are always still in the caller's hands.
 * Output goes straight to the caller. Matches read it there; what lies before this call's first
 * byte is in the window, a ring that each call's output enters at the end of the call.
 * Does not know: limits on output, content codings, where bytes come from. */
#include "inflate.h"

/* A table entry: bits to drop in all (code and extra bits) in bits 0…7, bits of the code in 8…12,
 * flags, value in 16…30. A link's bits 8…12 count the bits that index its sub-table at `value`. */
#define TBH_INFLATE_LITERAL  0x80000000u
#define TBH_INFLATE_SPECIAL  0x8000u /* none of the rest: link, end of block, or invalid */
#define TBH_INFLATE_LINK     0x4000u
#define TBH_INFLATE_END      0x2000u
#define TBH_INFLATE_ONE_BIT  0x101u
#define TBH_INFLATE_LL_BITS  10
#define TBH_INFLATE_D_BITS   8
#define TBH_INFLATE_PRE_BITS 7

enum {
    TBH_INFLATE_GZIP_FIXED,
    TBH_INFLATE_GZIP_NEXT,
    TBH_INFLATE_GZIP_EXTRA_LENGTH,
    TBH_INFLATE_GZIP_EXTRA,
    TBH_INFLATE_GZIP_TEXT,
    TBH_INFLATE_GZIP_HCRC,
    TBH_INFLATE_ZLIB_HEAD,
    TBH_INFLATE_AUTO_HEAD,
    TBH_INFLATE_BLOCK_HEAD,
    TBH_INFLATE_STORED_HEAD,
    TBH_INFLATE_STORED,
    TBH_INFLATE_DYNAMIC_HEAD,
    TBH_INFLATE_PRECODE,
    TBH_INFLATE_LENGTHS,
    TBH_INFLATE_SYMBOLS,
    TBH_INFLATE_MATCH,
    TBH_INFLATE_GZIP_CRC,
    TBH_INFLATE_GZIP_SIZE,
    TBH_INFLATE_ZLIB_CHECK,
    TBH_INFLATE_FINISHED
};

/* One call's input and output. `fresh` is where this member's output begins that is neither in the
 * window nor in the check yet. */
typedef struct tbh_inflate_io {
    const uint8_t *in, *in_start, *in_end;
    uint8_t *out, *out_end, *fresh;
} tbh_inflate_io;

/* ------------------------------------------------------------ bits
 * Bits above bit_count may be set already by a wide load: they are the ones that follow in `in`,
 * so that loading them again changes nothing. */
static void tbh_inflate_refill(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (io->in_end - io->in >= 8) {
        s->bits |= tbh_load64_le(io->in) << s->bit_count;
        io->in += (63 - s->bit_count) >> 3;
        s->bit_count |= 56;
        return;
    }
    for (; s->bit_count < 56 && io->in < io->in_end; s->bit_count += 8)
        s->bits |= (uint64_t)*io->in++ << s->bit_count;
}

static bool tbh_inflate_need(turbohttp_inflate *s, tbh_inflate_io *io, uint32_t count) {
    if (s->bit_count < count) tbh_inflate_refill(s, io);
    return s->bit_count >= count;
}

static uint32_t tbh_inflate_take(turbohttp_inflate *s, uint32_t count) {
    uint32_t value = (uint32_t)(s->bits & (((uint64_t)1 << count) - 1));
    s->bits >>= count;
    s->bit_count -= count;
    return value;
}

/* Gives whole bytes back. Those of earlier calls stay: they are part of an element. */
static void tbh_inflate_unread(turbohttp_inflate *s, tbh_inflate_io *io) {
    size_t n = tbh_min_size(s->bit_count >> 3, (size_t)(io->in - io->in_start));
    io->in -= n;
    s->bit_count -= (uint32_t)n * 8;
    s->bits &= ((uint64_t)1 << s->bit_count) - 1;
}

static turbohttp_status tbh_inflate_wait_for_room(turbohttp_inflate *s, tbh_inflate_io *io) {
    tbh_inflate_unread(s, io);
    return TURBOHTTP_PENDING;
}

static turbohttp_status tbh_inflate_go(turbohttp_inflate *s, uint32_t state) {
    s->state = state;
    s->index = 0;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ tables */
typedef struct tbh_inflate_code {
    uint32_t *table;
    uint32_t capacity, bits, symbols; /* entries, bits looked up first, length of `lengths` */
    const uint8_t *lengths;
    uint32_t (*entry)(uint32_t symbol); /* value, flags, and extra bits in 0…7 */
    uint16_t count[16];                 /* codes of each length; later: those not yet placed */
    uint16_t sorted[288];               /* symbols by length, then by number */
    uint32_t longest;
} tbh_inflate_code;

static uint32_t tbh_inflate_precode_entry(uint32_t symbol) {
    return symbol << 16 | (symbol < 16 ? 0u : symbol == 16 ? 2u : symbol == 17 ? 3u : 7u);
}

/* RFC 1951 §3.2.5: from 265 on, four lengths share their number of extra bits. */
static uint32_t tbh_inflate_litlen_entry(uint32_t symbol) {
    if (symbol < 256) return TBH_INFLATE_LITERAL | symbol << 16;
    if (symbol == 256) return TBH_INFLATE_SPECIAL | TBH_INFLATE_END;
    if (symbol == 285) return 258u << 16;
    if (symbol > 285) return TBH_INFLATE_SPECIAL;
    symbol -= 257;
    uint32_t extra = symbol < 8 ? 0 : (symbol >> 2) - 1;
    uint32_t base = symbol < 8 ? symbol + 3 : ((4 + (symbol & 3)) << extra) + 3;
    return base << 16 | extra;
}

static uint32_t tbh_inflate_distance_entry(uint32_t symbol) {
    if (symbol > 29) return TBH_INFLATE_SPECIAL;
    uint32_t extra = symbol < 4 ? 0 : (symbol >> 1) - 1;
    uint32_t base = symbol < 4 ? symbol + 1 : ((2 + (symbol & 1)) << extra) + 1;
    return base << 16 | extra;
}

/* Counts and sorts; returns the codes left over, negative when there are too many. */
static int32_t tbh_inflate_sort(tbh_inflate_code *c) {
    uint16_t at[16];
    int32_t left = 1;
    memset(c->count, 0, sizeof c->count);
    for (uint32_t i = 0; i < c->symbols; i++) c->count[c->lengths[i]]++;
    c->count[0] = 0;
    c->longest = 0;
    at[0] = at[1] = 0;
    for (uint32_t length = 1; length < 16; length++) {
        left = left * 2 - c->count[length];
        if (left < 0) return left;
        if (c->count[length]) c->longest = length;
        if (length < 15) at[length + 1] = (uint16_t)(at[length] + c->count[length]);
    }
    for (uint32_t i = 0; i < c->symbols; i++)
        if (c->lengths[i]) c->sorted[at[c->lengths[i]]++] = (uint16_t)i;
    return left;
}

/* The next code of a length in canonical order. Codes are kept bit-reversed, as they are looked up,
 * so this is an addition of one that carries downwards. */
static uint32_t tbh_inflate_next_code(uint32_t code, uint32_t length) {
    uint32_t bit = 1u << (length - 1);
    while (code & bit) bit >>= 1;
    return bit ? (code & (bit - 1)) | bit : 0;
}

/* The bits of a sub-table whose first code has this length: enough to hold all that share its
 * prefix, which the counts of the codes still to come tell. */
static uint32_t tbh_inflate_sub_bits(const tbh_inflate_code *c, uint32_t length) {
    uint32_t bits = length - c->bits;
    int32_t left = (int32_t)1 << bits;
    while (c->bits + bits < c->longest) {
        left -= c->count[c->bits + bits];
        if (left <= 0) break;
        bits++;
        left *= 2;
    }
    return bits;
}

static bool tbh_inflate_fill_links(tbh_inflate_code *c, const uint16_t *next, uint32_t code) {
    uint32_t used = 1u << c->bits, mask = used - 1, prefix = ~(uint32_t)0, start = 0, bits = 0;
    for (uint32_t length = c->bits + 1; length <= c->longest; length++)
        for (; c->count[length] > 0; c->count[length]--) {
            if ((code & mask) != prefix) {
                prefix = code & mask;
                bits = tbh_inflate_sub_bits(c, length);
                start = used;
                used += 1u << bits;
                if (used > c->capacity) return false;
                c->table[prefix] = start << 16 | bits << 8 | TBH_INFLATE_SPECIAL | TBH_INFLATE_LINK;
            }
            uint32_t entry = c->entry(*next++) + length * TBH_INFLATE_ONE_BIT;
            for (uint32_t i = code >> c->bits; i < 1u << bits; i += 1u << (length - c->bits))
                c->table[start + i] = entry;
            code = tbh_inflate_next_code(code, length);
        }
    return true;
}

/* Doubling the table for each length places a short code once, and copies do the rest. */
static bool tbh_inflate_fill(tbh_inflate_code *c) {
    const uint16_t *next = c->sorted;
    uint32_t code = 0, size = 1;
    c->table[0] = 0;
    for (uint32_t length = 1; length <= c->bits; length++, size *= 2) {
        memcpy(c->table + size, c->table, size * sizeof c->table[0]);
        for (; c->count[length] > 0; c->count[length]--) {
            c->table[code] = c->entry(*next++) + length * TBH_INFLATE_ONE_BIT;
            code = tbh_inflate_next_code(code, length);
        }
    }
    return c->longest <= c->bits || tbh_inflate_fill_links(c, next, code);
}

/* A code must use all bit patterns. Excepted, as in zlib, are no code at all and a single one of
 * one bit; whoever meets the unused patterns then meets an error. */
static bool tbh_inflate_build(tbh_inflate_code *c) {
    int32_t left = tbh_inflate_sort(c);
    if (left == 0) return tbh_inflate_fill(c);
    if (left < 0 || c->longest > 1 || c->entry == tbh_inflate_precode_entry) return false;
    uint32_t invalid = TBH_INFLATE_SPECIAL + TBH_INFLATE_ONE_BIT;
    uint32_t even = c->longest ? c->entry(c->sorted[0]) + TBH_INFLATE_ONE_BIT : invalid;
    for (uint32_t i = 0; i < 1u << c->bits; i++) c->table[i] = i & 1 ? invalid : even;
    return true;
}

static bool tbh_inflate_build_precode(turbohttp_inflate *s) {
    tbh_inflate_code c;
    c.table = s->distance_table;
    c.capacity = 1u << TBH_INFLATE_PRE_BITS;
    c.bits = TBH_INFLATE_PRE_BITS;
    c.symbols = 19;
    c.lengths = s->lengths;
    c.entry = tbh_inflate_precode_entry;
    return tbh_inflate_build(&c);
}

static bool tbh_inflate_build_both(turbohttp_inflate *s, uint32_t litlens, uint32_t distances) {
    tbh_inflate_code c;
    c.table = s->litlen_table;
    c.capacity = TURBOHTTP_INFLATE_LITLEN_ENTRIES;
    c.bits = TBH_INFLATE_LL_BITS;
    c.symbols = litlens;
    c.lengths = s->lengths;
    c.entry = tbh_inflate_litlen_entry;
    if (!tbh_inflate_build(&c)) return false;
    c.table = s->distance_table;
    c.capacity = TURBOHTTP_INFLATE_DISTANCE_ENTRIES;
    c.bits = TBH_INFLATE_D_BITS;
    c.symbols = distances;
    c.lengths = s->lengths + litlens;
    c.entry = tbh_inflate_distance_entry;
    return tbh_inflate_build(&c);
}

/* RFC 1951 §3.2.6. */
static bool tbh_inflate_build_fixed(turbohttp_inflate *s) {
    if (s->fixed_tables) return true;
    memset(s->lengths, 8, 144);
    memset(s->lengths + 144, 9, 112);
    memset(s->lengths + 256, 7, 24);
    memset(s->lengths + 280, 8, 8);
    memset(s->lengths + 288, 5, 32);
    s->fixed_tables = true;
    return tbh_inflate_build_both(s, 288, 32);
}

/* ------------------------------------------------------------ window and checks */
static void tbh_inflate_save(turbohttp_inflate *s, const uint8_t *p, size_t n) {
    const uint32_t size = TURBOHTTP_INFLATE_WINDOW_BYTES;
    if (n >= size) {
        memcpy(s->window, p + (n - size), size);
        s->window_at = 0;
        s->window_fill = size;
        return;
    }
    size_t first = tbh_min_size(n, size - s->window_at);
    if (first) memcpy(s->window + s->window_at, p, first);
    if (n > first) memcpy(s->window, p + first, n - first);
    s->window_at = (s->window_at + (uint32_t)n) & (size - 1);
    s->window_fill = (uint32_t)tbh_min_size(s->window_fill + n, size);
}

static void tbh_inflate_add_check(turbohttp_inflate *s, const tbh_inflate_io *io) {
    size_t n = (size_t)(io->out - io->fresh);
    if (s->format == TURBOHTTP_INFLATE_GZIP) s->check = turbohttp_crc32(s->check, io->fresh, n);
    else if (s->format == TURBOHTTP_INFLATE_ZLIB) s->check = tbh_adler32(s->check, io->fresh, n);
    s->total += (uint32_t)n;
}

/* Copies a match that has room; the distance is known to be good. */
static void tbh_inflate_copy(const turbohttp_inflate *s, tbh_inflate_io *io, uint32_t length,
                             uint32_t distance) {
    while (length > 0) {
        size_t produced = (size_t)(io->out - io->fresh);
        uint32_t n = length;
        if (distance > produced) {
            uint32_t back = distance - (uint32_t)produced;
            uint32_t at = (s->window_at - back) & (TURBOHTTP_INFLATE_WINDOW_BYTES - 1);
            n = (uint32_t)tbh_min_size(n, tbh_min_size(back, TURBOHTTP_INFLATE_WINDOW_BYTES - at));
            memcpy(io->out, s->window + at, n);
        } else
            for (uint32_t i = 0; i < n; i++) io->out[i] = *(io->out + i - distance);
        io->out += n;
        length -= n;
    }
}

static bool tbh_inflate_reaches(const turbohttp_inflate *s, const tbh_inflate_io *io,
                                uint32_t distance) {
    size_t produced = (size_t)(io->out - io->fresh);
    return distance <= produced || distance - produced <= s->window_fill;
}

/* ------------------------------------------------------------ symbols */
static turbohttp_status tbh_inflate_end_block(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!s->last_block) return tbh_inflate_go(s, TBH_INFLATE_BLOCK_HEAD);
    tbh_inflate_take(s, s->bit_count & 7);
    tbh_inflate_add_check(s, io);
    io->fresh = io->out;
    s->window_fill = 0;
    if (s->format == TURBOHTTP_INFLATE_GZIP) return tbh_inflate_go(s, TBH_INFLATE_GZIP_CRC);
    if (s->format == TURBOHTTP_INFLATE_ZLIB) return tbh_inflate_go(s, TBH_INFLATE_ZLIB_CHECK);
    return tbh_inflate_go(s, TBH_INFLATE_FINISHED);
}

static uint32_t tbh_inflate_lookup(const uint32_t *table, uint64_t bits, uint32_t table_bits) {
    uint32_t entry = table[bits & ((1u << table_bits) - 1)];
    if (!(entry & TBH_INFLATE_LINK)) return entry;
    bits >>= table_bits;
    return table[(entry >> 16) + ((uint32_t)bits & ((1u << (entry >> 8 & 31)) - 1))];
}

/* The value of an entry with its extra bits, taken from bits not yet shifted. */
TBH_ALWAYS_INLINE uint32_t tbh_inflate_value(uint32_t entry, uint64_t bits) {
    return (entry >> 16) + (((uint32_t)bits & ((1u << (entry & 31)) - 1)) >> (entry >> 8 & 31));
}

static turbohttp_status tbh_inflate_match(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint32_t n = (uint32_t)tbh_min_size(s->remaining, (size_t)(io->out_end - io->out));
    tbh_inflate_copy(s, io, n, s->distance);
    s->remaining -= n;
    s->state = TBH_INFLATE_SYMBOLS;
    if (s->remaining == 0) return TURBOHTTP_OK;
    s->state = TBH_INFLATE_MATCH;
    return tbh_inflate_wait_for_room(s, io);
}

/* A length is in; its distance follows. Together they take at most 48 bits, so both are there
 * after a refill, or the input has ended. */
static turbohttp_status tbh_inflate_length(turbohttp_inflate *s, tbh_inflate_io *io,
                                           uint32_t entry) {
    uint32_t used = entry & 63;
    uint64_t bits = s->bits >> used;
    uint32_t d = tbh_inflate_lookup(s->distance_table, bits, TBH_INFLATE_D_BITS);
    if (used + (d >> 8 & 31) > s->bit_count) return TURBOHTTP_PENDING;
    if (d & TBH_INFLATE_SPECIAL) return TURBOHTTP_ERR_INFLATE_DATA;
    if (used + (d & 63) > s->bit_count) return TURBOHTTP_PENDING;
    s->remaining = tbh_inflate_value(entry, s->bits);
    s->distance = tbh_inflate_value(d, bits);
    if (!tbh_inflate_reaches(s, io, s->distance)) return TURBOHTTP_ERR_INFLATE_DATA;
    s->bits = bits >> (d & 63);
    s->bit_count -= used + (d & 63);
    return tbh_inflate_match(s, io);
}

static turbohttp_status tbh_inflate_symbol(turbohttp_inflate *s, tbh_inflate_io *io) {
    tbh_inflate_refill(s, io);
    uint32_t entry = tbh_inflate_lookup(s->litlen_table, s->bits, TBH_INFLATE_LL_BITS);
    uint32_t code_bits = entry >> 8 & 31;
    if (code_bits > s->bit_count) return TURBOHTTP_PENDING;
    if (entry & TBH_INFLATE_LITERAL) {
        if (io->out == io->out_end) return tbh_inflate_wait_for_room(s, io);
        *io->out++ = (uint8_t)(entry >> 16);
    } else if (!(entry & TBH_INFLATE_SPECIAL)) return tbh_inflate_length(s, io, entry);
    else if (!(entry & TBH_INFLATE_END)) return TURBOHTTP_ERR_INFLATE_DATA;
    tbh_inflate_take(s, code_bits);
    return entry & TBH_INFLATE_END ? tbh_inflate_end_block(s, io) : TURBOHTTP_OK;
}

#if !TBH_SMALL
/* ------------------------------------------------------------ the fast loop
 * An iteration takes at most 15 bytes of input, in two refills that read 8 bytes each, and writes
 * at most 5 literals or 3 literals and a match, which may overshoot by 31. */
#define TBH_INFLATE_IN_MARGIN  16
#define TBH_INFLATE_OUT_MARGIN 320

typedef struct tbh_inflate_bits {
    uint64_t bits;
    uint32_t count; /* only its low 6 bits count: entries are subtracted whole */
    const uint8_t *in;
} tbh_inflate_bits;

TBH_ALWAYS_INLINE void tbh_inflate_bits_fill(tbh_inflate_bits *b) {
    b->bits |= tbh_load64_le(b->in) << (b->count & 63);
    b->in += 7 - (b->count >> 3 & 7);
    b->count |= 56;
}

TBH_ALWAYS_INLINE void tbh_inflate_bits_drop(tbh_inflate_bits *b, uint32_t entry) {
    b->bits >>= entry & 63;
    b->count -= entry;
}

/* Writes a literal and looks up what follows it. */
TBH_ALWAYS_INLINE uint32_t tbh_inflate_put(tbh_inflate_bits *b, const uint32_t *litlen,
                                           uint8_t **out, uint32_t entry) {
    tbh_inflate_bits_drop(b, entry);
    *(*out)++ = (uint8_t)(entry >> 16);
    return litlen[b->bits & ((1u << TBH_INFLATE_LL_BITS) - 1)];
}

/* Copies in blocks and may write up to 31 bytes more than the length. */
TBH_ALWAYS_INLINE void tbh_inflate_copy_wide(uint8_t *out, const uint8_t *from, uint32_t length) {
    const uint8_t *end = out + length;
    do {
        memcpy(out, from, 16);
        memcpy(out + 16, from + 16, 16);
        out += 32;
        from += 32;
    } while (out < end);
}

/* The same for distances below 16. Each step doubles the pattern until 8 bytes at a time are right;
 * what a step writes too much the next one overwrites. */
TBH_ALWAYS_INLINE void tbh_inflate_copy_near(uint8_t *out, uint32_t distance, uint32_t length) {
    const uint8_t *from = out - distance, *end = out + length;
    while (distance < 8) {
        uint64_t eight = tbh_load64(from);
        memcpy(out, &eight, 8);
        out += distance;
        distance *= 2;
    }
    while (out < end) {
        memcpy(out, from, 8);
        out += 8;
        from += 8;
    }
}

/* A match that begins before this call's output. False when it begins before the stream. */
static bool tbh_inflate_copy_window(const turbohttp_inflate *s, tbh_inflate_io *io, uint8_t *out,
                                    uint32_t length, uint32_t distance) {
    uint32_t back = distance - (uint32_t)(out - io->fresh);
    uint32_t at = (s->window_at - back) & (TURBOHTTP_INFLATE_WINDOW_BYTES - 1);
    if (back > s->window_fill) return false;
    if (length <= back && at + length <= TURBOHTTP_INFLATE_WINDOW_BYTES) {
        tbh_inflate_copy_wide(out, s->window + at, length);
        return true;
    }
    io->out = out;
    tbh_inflate_copy(s, io, length, distance);
    return true;
}

TBH_ALWAYS_INLINE bool tbh_inflate_copy_fast(const turbohttp_inflate *s, tbh_inflate_io *io,
                                             uint8_t *out, uint32_t length, uint32_t distance) {
    if (TBH_UNLIKELY(distance > (size_t)(out - io->fresh)))
        return tbh_inflate_copy_window(s, io, out, length, distance);
    if (TBH_LIKELY(distance >= 16)) tbh_inflate_copy_wide(out, out - distance, length);
    else tbh_inflate_copy_near(out, distance, length);
    return true;
}

/* Decodes while the margins last. After a refill there are 56 bits: three literals of at most
 * 10 and 10 to look up the next entry, or a length of 20, a distance of 28 and 8 to spare. */
static turbohttp_status tbh_inflate_fast(turbohttp_inflate *s, tbh_inflate_io *io) {
    const uint32_t *litlen = s->litlen_table, *distances = s->distance_table;
    const uint32_t mask = (1u << TBH_INFLATE_LL_BITS) - 1, d_mask = (1u << TBH_INFLATE_D_BITS) - 1;
    const uint8_t *in_stop = io->in_end - TBH_INFLATE_IN_MARGIN;
    uint8_t *out = io->out, *out_stop = io->out_end - TBH_INFLATE_OUT_MARGIN;
    turbohttp_status status = TURBOHTTP_OK;
    tbh_inflate_bits b;
    b.bits = s->bits, b.count = s->bit_count, b.in = io->in;
    tbh_inflate_bits_fill(&b);
    uint32_t entry = litlen[b.bits & mask];
    while (b.in <= in_stop && out <= out_stop) {
        if (entry & TBH_INFLATE_LITERAL) {
            entry = tbh_inflate_put(&b, litlen, &out, entry);
            if (entry & TBH_INFLATE_LITERAL) {
                entry = tbh_inflate_put(&b, litlen, &out, entry);
                if (entry & TBH_INFLATE_LITERAL) entry = tbh_inflate_put(&b, litlen, &out, entry);
            }
            tbh_inflate_bits_fill(&b);
            if (entry & TBH_INFLATE_LITERAL) continue;
        }
        if (TBH_UNLIKELY(entry & TBH_INFLATE_SPECIAL)) {
            entry = tbh_inflate_lookup(litlen, b.bits, TBH_INFLATE_LL_BITS);
            if (entry & TBH_INFLATE_SPECIAL) break;
            if (entry & TBH_INFLATE_LITERAL) {
                entry = tbh_inflate_put(&b, litlen, &out, entry);
                tbh_inflate_bits_fill(&b);
                continue;
            }
        }
        uint32_t length = tbh_inflate_value(entry, b.bits);
        tbh_inflate_bits_drop(&b, entry);
        entry = distances[b.bits & d_mask];
        if (TBH_UNLIKELY(entry & TBH_INFLATE_SPECIAL)) {
            entry = tbh_inflate_lookup(distances, b.bits, TBH_INFLATE_D_BITS);
            status = TURBOHTTP_ERR_INFLATE_DATA;
            if (entry & TBH_INFLATE_SPECIAL) break;
            status = TURBOHTTP_OK;
        }
        uint32_t distance = tbh_inflate_value(entry, b.bits);
        tbh_inflate_bits_drop(&b, entry);
        tbh_inflate_bits_fill(&b);
        entry = litlen[b.bits & mask];
        if (!tbh_inflate_copy_fast(s, io, out, length, distance)) {
            status = TURBOHTTP_ERR_INFLATE_DATA;
            break;
        }
        out += length;
    }
    s->bits = b.bits;
    s->bit_count = b.count & 63;
    io->in = b.in;
    io->out = out;
    return status;
}

static turbohttp_status tbh_inflate_hurry(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (io->in_end - io->in < TBH_INFLATE_IN_MARGIN) return TURBOHTTP_OK;
    if (io->out_end - io->out < TBH_INFLATE_OUT_MARGIN) return TURBOHTTP_OK;
    return tbh_inflate_fast(s, io);
}
#else
static turbohttp_status tbh_inflate_hurry(turbohttp_inflate *s, tbh_inflate_io *io) {
    (void)s, (void)io;
    return TURBOHTTP_OK;
}
#endif

static turbohttp_status tbh_inflate_symbols(turbohttp_inflate *s, tbh_inflate_io *io) {
    turbohttp_status status = tbh_inflate_hurry(s, io);
    while (status == TURBOHTTP_OK && s->state == TBH_INFLATE_SYMBOLS)
        status = tbh_inflate_symbol(s, io);
    return status;
}

/* ------------------------------------------------------------ blocks */
static turbohttp_status tbh_inflate_block_head(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 3)) return TURBOHTTP_PENDING;
    s->last_block = tbh_inflate_take(s, 1) != 0;
    uint32_t type = tbh_inflate_take(s, 2);
    if (type == 3) return TURBOHTTP_ERR_INFLATE_DATA;
    if (type == 2) return tbh_inflate_go(s, TBH_INFLATE_DYNAMIC_HEAD);
    if (type == 1) {
        if (!tbh_inflate_build_fixed(s)) return TURBOHTTP_ERR_INFLATE_DATA;
        return tbh_inflate_go(s, TBH_INFLATE_SYMBOLS);
    }
    tbh_inflate_take(s, s->bit_count & 7);
    return tbh_inflate_go(s, TBH_INFLATE_STORED_HEAD);
}

static turbohttp_status tbh_inflate_stored_head(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 32)) return TURBOHTTP_PENDING;
    s->remaining = tbh_inflate_take(s, 16);
    if ((s->remaining ^ tbh_inflate_take(s, 16)) != 0xffff) return TURBOHTTP_ERR_INFLATE_DATA;
    tbh_inflate_unread(s, io);
    return tbh_inflate_go(s, TBH_INFLATE_STORED);
}

static turbohttp_status tbh_inflate_stored(turbohttp_inflate *s, tbh_inflate_io *io) {
    size_t n = tbh_min_size(s->remaining, (size_t)(io->in_end - io->in));
    n = tbh_min_size(n, (size_t)(io->out_end - io->out));
    if (n) memcpy(io->out, io->in, n);
    io->in += n;
    io->out += n;
    s->remaining -= (uint32_t)n;
    return s->remaining ? TURBOHTTP_PENDING : tbh_inflate_end_block(s, io);
}

static turbohttp_status tbh_inflate_dynamic_head(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 14)) return TURBOHTTP_PENDING;
    s->litlen_count = (uint16_t)(257 + tbh_inflate_take(s, 5));
    s->distance_count = (uint16_t)(1 + tbh_inflate_take(s, 5));
    s->remaining = 4 + tbh_inflate_take(s, 4);
    if (s->litlen_count > 286 || s->distance_count > 30) return TURBOHTTP_ERR_INFLATE_DATA;
    s->fixed_tables = false;
    memset(s->lengths, 0, 19);
    return tbh_inflate_go(s, TBH_INFLATE_PRECODE);
}

static turbohttp_status tbh_inflate_precode(turbohttp_inflate *s, tbh_inflate_io *io) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    for (; s->index < s->remaining; s->index++) {
        if (!tbh_inflate_need(s, io, 3)) return TURBOHTTP_PENDING;
        s->lengths[order[s->index]] = (uint8_t)tbh_inflate_take(s, 3);
    }
    if (!tbh_inflate_build_precode(s)) return TURBOHTTP_ERR_INFLATE_DATA;
    return tbh_inflate_go(s, TBH_INFLATE_LENGTHS);
}

/* RFC 1951 §3.2.7: 16 repeats the length before it, 17 and 18 repeat zero; a run may go from the
 * lengths into the distances, but not beyond. */
static bool tbh_inflate_put_lengths(turbohttp_inflate *s, uint32_t symbol, uint32_t extra) {
    uint32_t total = (uint32_t)s->litlen_count + s->distance_count;
    uint32_t run = symbol < 16 ? 1 : extra + (symbol == 18 ? 11 : 3);
    if (run > total - s->index || (symbol == 16 && s->index == 0)) return false;
    uint32_t length = symbol < 16 ? symbol : symbol == 16 ? s->lengths[s->index - 1] : 0;
    memset(s->lengths + s->index, (int)length, run);
    s->index += run;
    return true;
}

static turbohttp_status tbh_inflate_lengths(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint32_t total = (uint32_t)s->litlen_count + s->distance_count;
    while (s->index < total) {
        tbh_inflate_need(s, io, 14);
        uint32_t entry = s->distance_table[s->bits & ((1u << TBH_INFLATE_PRE_BITS) - 1)];
        uint32_t used = entry & 63, symbol = entry >> 16;
        if (used > s->bit_count) return TURBOHTTP_PENDING;
        uint32_t extra = tbh_inflate_value(entry, s->bits) - symbol;
        tbh_inflate_take(s, used);
        if (!tbh_inflate_put_lengths(s, symbol, extra)) return TURBOHTTP_ERR_INFLATE_DATA;
    }
    if (s->lengths[256] == 0) return TURBOHTTP_ERR_INFLATE_DATA; /* the block could never end */
    if (!tbh_inflate_build_both(s, s->litlen_count, s->distance_count))
        return TURBOHTTP_ERR_INFLATE_DATA;
    return tbh_inflate_go(s, TBH_INFLATE_SYMBOLS);
}

/* ------------------------------------------------------------ zlib, RFC 1950 */
static bool tbh_inflate_is_zlib(uint64_t bits) {
    uint32_t cmf = (uint32_t)bits & 255, flg = (uint32_t)(bits >> 8) & 255;
    return (cmf & 15) == 8 && cmf >> 4 <= 7 && (cmf << 8 | flg) % 31 == 0;
}

static turbohttp_status tbh_inflate_zlib_head(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 16)) return TURBOHTTP_PENDING;
    if (!tbh_inflate_is_zlib(s->bits)) return TURBOHTTP_ERR_INFLATE_DATA;
    if (tbh_inflate_take(s, 16) & 0x2000) return TURBOHTTP_ERR_INFLATE_DATA; /* FDICT */
    s->check = 1;
    return tbh_inflate_go(s, TBH_INFLATE_BLOCK_HEAD);
}

/* RFC 9110 §8.4.1.2 means zlib; many servers send raw. A raw stream begins like zlib only with a
 * stored block whose padding is not zero, which no compressor writes. */
static turbohttp_status tbh_inflate_auto_head(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 16)) return TURBOHTTP_PENDING;
    bool zlib = tbh_inflate_is_zlib(s->bits);
    s->format = (uint8_t)(zlib ? TURBOHTTP_INFLATE_ZLIB : TURBOHTTP_INFLATE_RAW);
    return tbh_inflate_go(s, zlib ? TBH_INFLATE_ZLIB_HEAD : TBH_INFLATE_BLOCK_HEAD);
}

static turbohttp_status tbh_inflate_zlib_check(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint8_t sent[4];
    if (!tbh_inflate_need(s, io, 32)) return TURBOHTTP_PENDING;
    tbh_store32_be(sent, tbh_inflate_take(s, 32));
    if (tbh_load32_le(sent) != s->check) return TURBOHTTP_ERR_INFLATE_CHECK;
    return tbh_inflate_go(s, TBH_INFLATE_FINISHED);
}

/* ------------------------------------------------------------ gzip, RFC 1952 */
static bool tbh_inflate_header_byte(turbohttp_inflate *s, tbh_inflate_io *io, uint8_t *byte) {
    if (!tbh_inflate_need(s, io, 8)) return false;
    *byte = (uint8_t)tbh_inflate_take(s, 8);
    s->check = turbohttp_crc32(s->check, byte, 1);
    return true;
}

static bool tbh_inflate_gzip_accepts(uint32_t index, uint8_t byte) {
    static const uint8_t magic[3] = {0x1f, 0x8b, 8};
    if (index < 3) return byte == magic[index];
    return index != 3 || (byte & 0xe0) == 0; /* §2.3.1.2: reserved flags must be zero */
}

static turbohttp_status tbh_inflate_gzip_fixed(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint8_t byte;
    for (; s->index < 10; s->index++) {
        if (s->index == 0) s->check = 0;
        if (!tbh_inflate_header_byte(s, io, &byte)) return TURBOHTTP_PENDING;
        if (!tbh_inflate_gzip_accepts(s->index, byte)) return TURBOHTTP_ERR_INFLATE_DATA;
        if (s->index == 3) s->flags = byte;
    }
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_NEXT);
}

/* The optional fields in their order; a flag is cleared when its field begins. */
static turbohttp_status tbh_inflate_gzip_next(turbohttp_inflate *s, tbh_inflate_io *io) {
    static const uint8_t rows[4][2] = {{4, TBH_INFLATE_GZIP_EXTRA_LENGTH},
                                       {8, TBH_INFLATE_GZIP_TEXT},
                                       {16, TBH_INFLATE_GZIP_TEXT},
                                       {2, TBH_INFLATE_GZIP_HCRC}};
    (void)io;
    for (int i = 0; i < 4; i++)
        if (s->flags & rows[i][0]) {
            s->flags = (uint8_t)(s->flags & ~rows[i][0]);
            return tbh_inflate_go(s, rows[i][1]);
        }
    s->check = 0;
    s->total = 0;
    return tbh_inflate_go(s, TBH_INFLATE_BLOCK_HEAD);
}

static turbohttp_status tbh_inflate_gzip_extra_length(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint8_t byte;
    for (; s->index < 2; s->index++) {
        if (!tbh_inflate_header_byte(s, io, &byte)) return TURBOHTTP_PENDING;
        s->remaining = s->index ? s->remaining | (uint32_t)byte << 8 : byte;
    }
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_EXTRA);
}

static turbohttp_status tbh_inflate_gzip_extra(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint8_t byte;
    for (; s->remaining > 0; s->remaining--)
        if (!tbh_inflate_header_byte(s, io, &byte)) return TURBOHTTP_PENDING;
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_NEXT);
}

/* A name or a comment: skipped up to its zero, however long. */
static turbohttp_status tbh_inflate_gzip_text(turbohttp_inflate *s, tbh_inflate_io *io) {
    uint8_t byte;
    do
        if (!tbh_inflate_header_byte(s, io, &byte)) return TURBOHTTP_PENDING;
    while (byte != 0);
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_NEXT);
}

static turbohttp_status tbh_inflate_gzip_hcrc(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 16)) return TURBOHTTP_PENDING;
    if (tbh_inflate_take(s, 16) != (s->check & 0xffff)) return TURBOHTTP_ERR_INFLATE_CHECK;
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_NEXT);
}

static turbohttp_status tbh_inflate_gzip_crc(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 32)) return TURBOHTTP_PENDING;
    if (tbh_inflate_take(s, 32) != s->check) return TURBOHTTP_ERR_INFLATE_CHECK;
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_SIZE);
}

/* Between members, GZIP_FIXED at index 0, the stream is complete: `remaining` tells it from the
 * very beginning. */
static turbohttp_status tbh_inflate_gzip_size(turbohttp_inflate *s, tbh_inflate_io *io) {
    if (!tbh_inflate_need(s, io, 32)) return TURBOHTTP_PENDING;
    if (tbh_inflate_take(s, 32) != s->total) return TURBOHTTP_ERR_INFLATE_CHECK;
    s->remaining = 1;
    return tbh_inflate_go(s, TBH_INFLATE_GZIP_FIXED);
}

/* ------------------------------------------------------------ the public face */
static turbohttp_status tbh_inflate_finished(turbohttp_inflate *s, tbh_inflate_io *io) {
    tbh_inflate_unread(s, io);
    return TURBOHTTP_DONE;
}

typedef turbohttp_status (*tbh_inflate_step)(turbohttp_inflate *s, tbh_inflate_io *io);

/* In the order of the states. Each step uses input, makes output, changes the state, or stops. */
static const tbh_inflate_step tbh_inflate_steps[] = {
    tbh_inflate_gzip_fixed,  tbh_inflate_gzip_next, tbh_inflate_gzip_extra_length,
    tbh_inflate_gzip_extra,  tbh_inflate_gzip_text, tbh_inflate_gzip_hcrc,
    tbh_inflate_zlib_head,   tbh_inflate_auto_head, tbh_inflate_block_head,
    tbh_inflate_stored_head, tbh_inflate_stored,    tbh_inflate_dynamic_head,
    tbh_inflate_precode,     tbh_inflate_lengths,   tbh_inflate_symbols,
    tbh_inflate_match,       tbh_inflate_gzip_crc,  tbh_inflate_gzip_size,
    tbh_inflate_zlib_check,  tbh_inflate_finished,
};

TURBOHTTP_API void turbohttp_inflate_init(turbohttp_inflate *inflate,
                                          turbohttp_inflate_format format) {
    static const uint8_t first[] = {TBH_INFLATE_GZIP_FIXED, TBH_INFLATE_ZLIB_HEAD,
                                    TBH_INFLATE_BLOCK_HEAD, TBH_INFLATE_AUTO_HEAD};
    memset(inflate, 0, offsetof(turbohttp_inflate, lengths));
    inflate->format = (uint8_t)format;
    inflate->state = first[(unsigned)format & 3];
}

TURBOHTTP_API turbohttp_status turbohttp_inflate_run(turbohttp_inflate *inflate, const uint8_t **in,
                                                     size_t *in_length, uint8_t **out,
                                                     size_t *out_length) {
    turbohttp_inflate *s = inflate;
    if (s->status != TURBOHTTP_OK) return (turbohttp_status)s->status;
    tbh_inflate_io io;
    io.in = io.in_start = *in_length ? *in : s->window; /* NULL is fine when empty */
    io.in_end = io.in + *in_length;
    io.out = io.fresh = *out_length ? *out : s->window;
    io.out_end = io.out + *out_length;
    const uint8_t *out_start = io.out;
    turbohttp_status status;
    do status = tbh_inflate_steps[s->state](s, &io);
    while (status == TURBOHTTP_OK);
    if (status != TURBOHTTP_PENDING) s->status = status;
    if (status == TURBOHTTP_PENDING && io.out > io.fresh) {
        tbh_inflate_add_check(s, &io);
        tbh_inflate_save(s, io.fresh, (size_t)(io.out - io.fresh));
    }
    if (*in_length) *in += io.in - io.in_start;
    if (*out_length) *out += io.out - out_start;
    *in_length = (size_t)(io.in_end - io.in);
    *out_length = (size_t)(io.out_end - io.out);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_inflate_finish(const turbohttp_inflate *inflate) {
    if (inflate->status < 0) return (turbohttp_status)inflate->status;
    if (inflate->status == TURBOHTTP_DONE) return TURBOHTTP_OK;
    bool between_members = inflate->format == TURBOHTTP_INFLATE_GZIP &&
                           inflate->state == TBH_INFLATE_GZIP_FIXED && inflate->index == 0 &&
                           inflate->remaining == 1;
    return between_members ? TURBOHTTP_OK : TURBOHTTP_ERR_BODY_TRUNCATED;
}
