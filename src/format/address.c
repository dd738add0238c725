/* IP addresses: parsing and writing.
 * Owns nothing. Input: any text. Does not know: names, ports, sockets, URLs. */
#include "address.h"

/* ------------------------------------------------------------ parsing */
/* One decimal number up to 255, without leading zeros (which others read as octal). */
static size_t tbh_address_octet(const char *p, size_t n, uint8_t *octet) {
    unsigned value = 0;
    size_t i = 0;
    while (i < n && i < 3 && tbh_is_digit((uint8_t)p[i]))
        value = value * 10 + (unsigned)(p[i++] - '0');
    if (i == 0 || value > 255 || (i > 1 && p[0] == '0')) return 0;
    *octet = (uint8_t)value;
    return i;
}

TBH_FN bool tbh_address_parse_v4(turbohttp_span text, uint8_t bytes[4]) {
    const char *p = text.data;
    size_t left = text.length;
    for (int i = 0; i < 4; i++) {
        if (i && (left == 0 || *p != '.')) return false;
        if (i) p++, left--;
        size_t n = tbh_address_octet(p, left, &bytes[i]);
        if (n == 0) return false;
        p += n;
        left -= n;
    }
    return left == 0;
}

typedef struct tbh_v6_parser {
    const char *p;
    size_t left;
    uint8_t *bytes;
    int filled; /* bytes written */
    int gap;    /* where "::" stood, or -1 */
} tbh_v6_parser;

static bool tbh_v6_group(tbh_v6_parser *v) {
    unsigned value = 0;
    int digits = 0, digit;
    while (v->left && digits < 4 && (digit = tbh_hex_value((uint8_t)*v->p)) >= 0) {
        value = value << 4 | (unsigned)digit;
        v->p++, v->left--, digits++;
    }
    if (digits == 0 || v->filled > 14) return false;
    tbh_store16_be(v->bytes + v->filled, (uint16_t)value);
    v->filled += 2;
    return true;
}

/* The last 32 bits may be written as a.b.c.d. */
static bool tbh_v6_tail(tbh_v6_parser *v) {
    bool has_dot = v->left && memchr(v->p, '.', v->left) && !memchr(v->p, ':', v->left);
    if (!has_dot || v->filled > 12 || (v->filled == 0 && v->gap < 0)) return false;
    if (!tbh_address_parse_v4(tbh_span(v->p, v->left), v->bytes + v->filled)) return false;
    v->filled += 4;
    v->left = 0;
    return true;
}

static bool tbh_v6_gap(tbh_v6_parser *v) {
    if (v->left < 2 || v->p[0] != ':' || v->p[1] != ':') return false;
    v->gap = v->filled;
    v->p += 2;
    v->left -= 2;
    return true;
}

/* One step: a gap, or a separator where one belongs, then a group or the dotted tail. */
static bool tbh_v6_step(tbh_v6_parser *v) {
    bool is_gap = v->gap < 0 && tbh_v6_gap(v);
    if (is_gap && v->left == 0) return true;
    bool needs_colon = !is_gap && v->filled > 0 && v->filled != v->gap;
    if (needs_colon && (v->left < 2 || *v->p != ':')) return false;
    if (needs_colon) v->p++, v->left--;
    return tbh_v6_tail(v) || tbh_v6_group(v);
}

TBH_FN bool tbh_address_parse_v6(turbohttp_span text, uint8_t bytes[16]) {
    tbh_v6_parser v;
    v.p = text.data;
    v.left = text.length;
    v.bytes = bytes;
    v.filled = 0;
    v.gap = -1;
    while (v.left)
        if (!tbh_v6_step(&v)) return false;
    if (v.gap < 0) return v.filled == 16;
    if (v.filled > 14) return false;
    size_t after = (size_t)(v.filled - v.gap);
    memmove(bytes + 16 - after, bytes + v.gap, after);
    memset(bytes + v.gap, 0, (size_t)(16 - v.filled));
    return true;
}

TBH_FN bool tbh_address_parse(turbohttp_span text, turbohttp_address *address) {
    memset(address, 0, sizeof *address);
    address->family = 4;
    if (tbh_address_parse_v4(text, address->bytes)) return true;
    address->family = 6;
    return tbh_address_parse_v6(text, address->bytes);
}

/* ------------------------------------------------------------ writing */
static size_t tbh_address_put_hex(char *out, unsigned value) {
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (int shift = 12; shift >= 0; shift -= 4)
        if (n || shift == 0 || value >> shift) out[n++] = digits[value >> shift & 15];
    return n;
}

static size_t tbh_address_format_v4(const uint8_t *bytes, char *text) {
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        if (i) text[n++] = '.';
        n += tbh_format_u64(text + n, bytes[i]);
    }
    return n;
}

/* RFC 5952 §4.2: the longest run of two or more zero groups is shortened. */
static int tbh_address_longest_zeros(const uint8_t *bytes, int *length) {
    int best = -1;
    *length = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && tbh_load16_be(bytes + 2 * (i + n)) == 0) n++;
        if (n > *length) {
            *length = n;
            best = i;
        }
        i += n;
    }
    return best;
}

static size_t tbh_address_format_v6(const uint8_t *bytes, char *text) {
    int run, at = tbh_address_longest_zeros(bytes, &run);
    size_t n = 0;
    for (int i = 0; i < 8; i++) {
        if (i == at) {
            text[n++] = ':';
            if (at + run == 8) text[n++] = ':';
            i += run - 1;
            continue;
        }
        if (i) text[n++] = ':';
        n += tbh_address_put_hex(text + n, tbh_load16_be(bytes + 2 * i));
    }
    return n;
}

TBH_FN size_t tbh_address_format(const turbohttp_address *address, char text[46]) {
    size_t n = address->family == 4 ? tbh_address_format_v4(address->bytes, text)
                                    : tbh_address_format_v6(address->bytes, text);
    text[n] = 0;
    return n;
}

/* ------------------------------------------------------------ what is not the open Internet (S-72) */
typedef struct tbh_address_block {
    uint8_t bits;
    uint8_t bytes[8];
} tbh_address_block;

/* IANA special-purpose registries: what is not globally reachable, and multicast. */
static const tbh_address_block tbh_private_v4[] = {
    {8, {0}},             /* this network */
    {8, {10}},            /* RFC 1918 */
    {10, {100, 64}},      /* carrier-grade NAT, RFC 6598 */
    {8, {127}},           /* loopback */
    {16, {169, 254}},     /* link-local, and clouds' metadata services */
    {12, {172, 16}},      /* RFC 1918 */
    {24, {192, 0, 0}},    /* protocol assignments */
    {24, {192, 0, 2}},    /* documentation */
    {24, {192, 88, 99}},  /* 6to4 relays, RFC 7526 */
    {16, {192, 168}},     /* RFC 1918 */
    {15, {198, 18}},      /* benchmarks */
    {24, {198, 51, 100}}, /* documentation */
    {24, {203, 0, 113}},  /* documentation */
    {4, {224}},           /* multicast */
    {4, {240}},           /* reserved, and broadcast */
};

static const tbh_address_block tbh_private_v6[] = {
    {48, {0, 0x64, 0xff, 0x9b, 0, 1}}, /* local translation, RFC 8215 */
    {64, {1}},                         /* discard */
    {32, {0x20, 0x01, 0, 0}},          /* Teredo: an IPv4 address in disguise */
    {28, {0x20, 0x01, 0, 0x10}},       /* ORCHID */
    {28, {0x20, 0x01, 0, 0x20}},       /* ORCHIDv2 */
    {32, {0x20, 0x01, 0x0d, 0xb8}},    /* documentation */
    {20, {0x3f, 0xff}},                /* documentation, RFC 9637 */
    {16, {0x5f, 0}},                   /* segment routing */
    {7, {0xfc}},                       /* unique local */
    {10, {0xfe, 0x80}},                /* link-local */
    {10, {0xfe, 0xc0}},                /* site-local, deprecated */
    {8, {0xff}},                       /* multicast */
};

static bool tbh_address_is_in(const uint8_t *bytes, const tbh_address_block *blocks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t whole = blocks[i].bits / 8;
        unsigned rest = blocks[i].bits % 8u, mask = 0xff00u >> rest & 0xffu;
        if (memcmp(bytes, blocks[i].bytes, whole) != 0) continue;
        if (rest == 0 || ((bytes[whole] ^ blocks[i].bytes[whole]) & mask) == 0) return true;
    }
    return false;
}

static bool tbh_address_is_private_v4(const uint8_t *bytes) {
    return tbh_address_is_in(bytes, tbh_private_v4, sizeof tbh_private_v4 / sizeof *tbh_private_v4);
}

/* Where an IPv6 address leads to an IPv4 one, that one counts: NULL if it does not. */
static const uint8_t *tbh_address_embedded_v4(const uint8_t *bytes) {
    static const uint8_t zeros[12] = {0}, nat64[12] = {0, 0x64, 0xff, 0x9b}; /* RFC 6052 */
    if (memcmp(bytes, nat64, 12) == 0) return bytes + 12;
    if (memcmp(bytes, zeros, 12) == 0) return bytes + 12; /* ::, ::1, and ::a.b.c.d */
    bool is_mapped = memcmp(bytes, zeros, 10) == 0 && bytes[10] == 0xff && bytes[11] == 0xff;
    bool is_translated = memcmp(bytes, zeros, 8) == 0 && bytes[8] == 0xff && bytes[9] == 0xff &&
                         bytes[10] == 0 && bytes[11] == 0; /* ::ffff:0:a.b.c.d, RFC 2765 */
    if (is_mapped || is_translated) return bytes + 12;
    return bytes[0] == 0x20 && bytes[1] == 0x02 ? bytes + 2 : NULL; /* 6to4 */
}

TURBOHTTP_API bool turbohttp_address_is_private(const turbohttp_address *address) {
    const uint8_t *bytes = address->bytes;
    if (address->family == 4) return tbh_address_is_private_v4(bytes);
    if (address->family != 6) return true; /* not an address: nothing to vouch for */
    const uint8_t *v4 = tbh_address_embedded_v4(bytes);
    if (v4) return tbh_address_is_private_v4(v4);
    return tbh_address_is_in(bytes, tbh_private_v6, sizeof tbh_private_v6 / sizeof *tbh_private_v6);
}
