/* Header names: interned by a perfect hash of length, first and last character.
 * Owns nothing. Invariants: names stand in the order of turbohttp_header_id, in lower case; each
 * has a slot of its own (a test looks every one up; a new name may ask for new multipliers).
 * Input: any bytes. Does not know: what a header means. */
#include "header_id.h"

typedef struct tbh_header_name {
    const char *text;
    size_t length;
} tbh_header_name;

#define TBH_NAME(text)                                                                             \
    { text, sizeof(text) - 1 }

static const tbh_header_name tbh_header_names[] = {
    TBH_NAME(""),
    TBH_NAME("content-length"),
    TBH_NAME("transfer-encoding"),
    TBH_NAME("connection"),
    TBH_NAME("content-encoding"),
    TBH_NAME("location"),
    TBH_NAME("keep-alive"),
    TBH_NAME("content-type"),
    TBH_NAME("content-range"),
    TBH_NAME("set-cookie"),
    TBH_NAME("date"),
    TBH_NAME("etag"),
    TBH_NAME("last-modified"),
    TBH_NAME("cache-control"),
    TBH_NAME("expires"),
    TBH_NAME("age"),
    TBH_NAME("vary"),
    TBH_NAME("retry-after"),
    TBH_NAME("www-authenticate"),
    TBH_NAME("proxy-authenticate"),
    TBH_NAME("trailer"),
    TBH_NAME("upgrade"),
    TBH_NAME("server"),
    TBH_NAME("accept-ranges"),
    TBH_NAME("link"),
    TBH_NAME("allow"),
    TBH_NAME("alt-svc"),
    TBH_NAME("via"),
    TBH_NAME("pragma"),
    TBH_NAME("refresh"),
    TBH_NAME("content-disposition"),
    TBH_NAME("content-language"),
    TBH_NAME("content-location"),
    TBH_NAME("content-security-policy"),
    TBH_NAME("strict-transport-security"),
    TBH_NAME("access-control-allow-origin"),
    TBH_NAME("authentication-info"),
    TBH_NAME("proxy-authentication-info"),
    TBH_NAME("sec-websocket-accept"),
    TBH_NAME("sec-websocket-extensions"),
    TBH_NAME("sec-websocket-protocol"),
    TBH_NAME("sec-websocket-key"),
    TBH_NAME("sec-websocket-version"),
    TBH_NAME("host"),
    TBH_NAME("te"),
    TBH_NAME("cookie"),
    TBH_NAME("authorization"),
    TBH_NAME("proxy-authorization"),
    TBH_NAME("proxy-connection"),
    TBH_NAME("http2-settings"),
    TBH_NAME("user-agent"),
    TBH_NAME("accept"),
    TBH_NAME("accept-encoding"),
    TBH_NAME("accept-language"),
    TBH_NAME("expect"),
    TBH_NAME("range"),
    TBH_NAME("if-none-match"),
    TBH_NAME("if-modified-since"),
    TBH_NAME("origin"),
    TBH_NAME("referer"),
};

#define TBH_HEADER_NAMES (sizeof tbh_header_names / sizeof tbh_header_names[0])

/* clang-format off */
static const uint8_t tbh_header_slots[256] = {
    0, 0, 0, 0, 43, 0, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 26, 0, 0, 18, 0, 32,
    0, 0, 0, 0, 0, 0, 8, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 55, 0, 11, 0, 12, 24, 0, 48, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 30, 0, 0, 0, 0, 0, 0,
    31, 0, 0, 0, 0, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 47, 0, 0, 14, 0, 28, 59, 46, 54,
    0, 0, 0, 0, 44, 1, 34, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 4, 0, 50, 33, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 19, 29, 0, 0, 0, 0, 0, 0, 49, 22, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 27,
    0, 0, 0, 45, 25, 0, 0, 0, 0, 17, 0, 38, 0, 3, 0, 0, 5, 0, 0, 0, 13, 0, 0, 9, 0, 0, 0, 0,
    0, 0, 10, 0, 16, 0, 53, 0, 0, 0, 0, 0, 0, 0, 56, 0, 57, 0, 0, 6, 0, 0, 0, 0, 23, 0, 0, 0,
    0, 39, 0, 37, 0, 0, 0, 20, 0, 0, 36, 0, 0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0, 0, 0,
    0, 0, 15, 0
};
/* clang-format on */

/* 0 when the eight bytes are equal but for the case of letters: of the characters in names, letters
 * are those with bit 6, and only they may differ in bit 5. */
TBH_ALWAYS_INLINE uint64_t tbh_header_differ8(const char *p, const char *lower) {
    uint64_t expected = tbh_load64(lower);
    return (tbh_load64(p) | (expected & UINT64_C(0x4040404040404040)) >> 1) ^ expected;
}

TBH_ALWAYS_INLINE uint32_t tbh_header_differ4(const char *p, const char *lower) {
    uint32_t expected = tbh_load32(lower);
    return (tbh_load32(p) | (expected & 0x40404040u) >> 1) ^ expected;
}

TBH_ALWAYS_INLINE bool tbh_header_same(const char *p, const char *lower, size_t n) {
    if (n < 4) return tbh_equal_nocase(p, lower, n);
    if (n < 8)
        return (tbh_header_differ4(p, lower) | tbh_header_differ4(p + n - 4, lower + n - 4)) == 0;
    uint64_t differ = tbh_header_differ8(p + n - 8, lower + n - 8);
    for (size_t i = 0; i + 8 < n; i += 8) differ |= tbh_header_differ8(p + i, lower + i);
    return differ == 0;
}

TBH_FN uint16_t tbh_header_id(const char *name, size_t n) {
    if (n == 0) return TURBOHTTP_HEADER_OTHER;
    unsigned first = (uint8_t)name[0] | 0x20u, last = (uint8_t)name[n - 1] | 0x20u;
    unsigned id = tbh_header_slots[((unsigned)n * 17 + first * 61 + last * 22) & 255];
    if (tbh_header_names[id].length != n) return TURBOHTTP_HEADER_OTHER;
    return tbh_header_same(name, tbh_header_names[id].text, n) ? (uint16_t)id : 0;
}

TBH_FN turbohttp_span tbh_header_id_name(uint16_t id) {
    if (id >= TBH_HEADER_NAMES) id = 0;
    return tbh_span(tbh_header_names[id].text, tbh_header_names[id].length);
}

TBH_FN const turbohttp_header *tbh_header_find(const turbohttp_header *rows, uint32_t count,
                                               uint16_t id) {
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].id == id) return &rows[i];
    return NULL;
}
