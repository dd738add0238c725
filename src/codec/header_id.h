/* Well-known header names as small numbers (turbohttp_header_id). */
#pragma once
#include "../api/h1.h"
#include "scan.h"

#define TBH_HEADER_NAMES (TURBOHTTP_HEADER_REFERER + 1)

/* Whole lanes can be read at the text. */
typedef struct tbh_header_name {
    char text[31]; /* lower case, a colon and zeros behind */
    uint8_t length;
} tbh_header_name;

/* The id of a name in any case; TURBOHTTP_HEADER_OTHER for names that are not well known. A name
 * that has an id is a valid token. */
TBH_FN uint16_t tbh_header_id(const char *name, size_t n);
/* The same for a name that has no upper case; one that has some gets no id. */
TBH_FN uint16_t tbh_header_id_lower(const char *name, size_t n);
/* The name of an id in lower case; empty for 0 and for unknown ids. */
TBH_FN turbohttp_span tbh_header_id_name(uint16_t id);
/* The first of the rows with that id, or NULL: of repeated singletons the first one counts. */
TBH_FN const turbohttp_header *tbh_header_find(const turbohttp_header *rows, uint32_t count,
                                               uint16_t id);

/* A perfect hash of the length, the first four characters, and the last three with the colon. Names
 * stand in the order of turbohttp_header_id; a test looks every one up, and a new one may ask for a
 * new multiplier (any odd number that gives each name its own slot). */
#define TBH_HEADER_HASH 2786401065u
#define TBH_NAME(text)                                                                             \
    { text ":", sizeof(text) - 1 }

static TBH_UNUSED const tbh_header_name tbh_header_names[TBH_HEADER_NAMES] = {
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

/* clang-format off */
static TBH_UNUSED const uint8_t tbh_header_slots[128] = {
    0, 0, 38, 0, 0, 0, 49, 0, 0, 0, 0, 0, 0, 8, 17, 6, 0, 0, 0, 0, 2, 0, 0, 28, 0, 0, 0, 29,
    30, 22, 20, 33, 0, 13, 0, 32, 0, 0, 42, 5, 4, 25, 0, 0, 3, 56, 0, 0, 0, 14, 0, 26, 18, 0,
    0, 0, 0, 9, 0, 34, 57, 0, 0, 0, 10, 50, 0, 45, 47, 36, 52, 0, 0, 46, 48, 0, 43, 0, 0, 0,
    51, 0, 0, 23, 0, 40, 54, 0, 0, 0, 0, 0, 0, 0, 0, 35, 19, 0, 0, 0, 7, 59, 0, 11, 37, 21,
    53, 24, 0, 12, 58, 0, 0, 55, 0, 16, 0, 31, 0, 0, 39, 1, 41, 0, 0, 0, 0, 0
};
/* clang-format on */

/* tbh_header_id for names that are too short for the hash. */
TBH_FN uint16_t tbh_header_id_short(const char *name, size_t n);

/* tbh_header_id for a name without control bytes that has a colon behind it. */
TBH_FN uint16_t tbh_header_id_before_colon(const char *name, size_t n);

TBH_ALWAYS_INLINE size_t tbh_header_slot(uint32_t first, uint32_t last, size_t n) {
    uint32_t ends = (first ^ last) | 0x20202020u;
    return tbh_header_slots[((ends + (uint32_t)n) * TBH_HEADER_HASH) >> 25];
}

/* The only id that a name of at least four bytes with a colon behind it can have. */
TBH_ALWAYS_INLINE size_t tbh_header_candidate(const char *name, size_t n) {
    return tbh_header_slot(tbh_load32_le(name), tbh_load32_le(name + n - 3), n);
}
