/* Well-known header names as small numbers (turbohttp_header_id). */
#pragma once
#include "../api/h1.h"
#include "scan.h"

enum { TBH_HEADER_NAMES = TURBOHTTP_HEADER_REFERER + 1 };

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
#define TBH_HEADER_LIST(ROW)                                                                       \
    ROW(CONTENT_LENGTH, "content-length")                                                          \
    ROW(TRANSFER_ENCODING, "transfer-encoding")                                                    \
    ROW(CONNECTION, "connection")                                                                  \
    ROW(CONTENT_ENCODING, "content-encoding")                                                      \
    ROW(LOCATION, "location")                                                                      \
    ROW(KEEP_ALIVE, "keep-alive")                                                                  \
    ROW(CONTENT_TYPE, "content-type")                                                              \
    ROW(CONTENT_RANGE, "content-range")                                                            \
    ROW(SET_COOKIE, "set-cookie")                                                                  \
    ROW(DATE, "date")                                                                              \
    ROW(ETAG, "etag")                                                                              \
    ROW(LAST_MODIFIED, "last-modified")                                                            \
    ROW(CACHE_CONTROL, "cache-control")                                                            \
    ROW(EXPIRES, "expires")                                                                        \
    ROW(AGE, "age")                                                                                \
    ROW(VARY, "vary")                                                                              \
    ROW(RETRY_AFTER, "retry-after")                                                                \
    ROW(WWW_AUTHENTICATE, "www-authenticate")                                                      \
    ROW(PROXY_AUTHENTICATE, "proxy-authenticate")                                                  \
    ROW(TRAILER, "trailer")                                                                        \
    ROW(UPGRADE, "upgrade")                                                                        \
    ROW(SERVER, "server")                                                                          \
    ROW(ACCEPT_RANGES, "accept-ranges")                                                            \
    ROW(LINK, "link")                                                                              \
    ROW(ALLOW, "allow")                                                                            \
    ROW(ALT_SVC, "alt-svc")                                                                        \
    ROW(VIA, "via")                                                                                \
    ROW(PRAGMA, "pragma")                                                                          \
    ROW(REFRESH, "refresh")                                                                        \
    ROW(CONTENT_DISPOSITION, "content-disposition")                                                \
    ROW(CONTENT_LANGUAGE, "content-language")                                                      \
    ROW(CONTENT_LOCATION, "content-location")                                                      \
    ROW(CONTENT_SECURITY_POLICY, "content-security-policy")                                        \
    ROW(STRICT_TRANSPORT_SECURITY, "strict-transport-security")                                    \
    ROW(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin")                                \
    ROW(AUTHENTICATION_INFO, "authentication-info")                                                \
    ROW(PROXY_AUTHENTICATION_INFO, "proxy-authentication-info")                                    \
    ROW(SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept")                                              \
    ROW(SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions")                                      \
    ROW(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol")                                          \
    ROW(SEC_WEBSOCKET_KEY, "sec-websocket-key")                                                    \
    ROW(SEC_WEBSOCKET_VERSION, "sec-websocket-version")                                            \
    ROW(HOST, "host")                                                                              \
    ROW(TE, "te")                                                                                  \
    ROW(COOKIE, "cookie")                                                                          \
    ROW(AUTHORIZATION, "authorization")                                                            \
    ROW(PROXY_AUTHORIZATION, "proxy-authorization")                                                \
    ROW(PROXY_CONNECTION, "proxy-connection")                                                      \
    ROW(HTTP2_SETTINGS, "http2-settings")                                                          \
    ROW(USER_AGENT, "user-agent")                                                                  \
    ROW(ACCEPT, "accept")                                                                          \
    ROW(ACCEPT_ENCODING, "accept-encoding")                                                        \
    ROW(ACCEPT_LANGUAGE, "accept-language")                                                        \
    ROW(EXPECT, "expect")                                                                          \
    ROW(RANGE, "range")                                                                            \
    ROW(IF_NONE_MATCH, "if-none-match")                                                            \
    ROW(IF_MODIFIED_SINCE, "if-modified-since")                                                    \
    ROW(ORIGIN, "origin")                                                                          \
    ROW(REFERER, "referer")

/* The ids by their hash; where each name begins; and all names, in lower case with a colon and a NUL
 * behind. One object, so that one address is enough. Whole lanes can be read at any name. */
#define TBH_HEADER_MEMBER(id, text) char name_##id[sizeof(text ":")];
#define TBH_HEADER_TEXT(id, text)   text ":",
#define TBH_HEADER_OFFSET(id, text) offsetof(tbh_header_table, name_##id),

typedef struct tbh_header_table {
    uint8_t slots[128];
    uint16_t offsets[TBH_HEADER_NAMES + 1];
    char name_OTHER[2];
    TBH_HEADER_LIST(TBH_HEADER_MEMBER)
    char end[TBH_LANE];
} tbh_header_table;

/* clang-format off */
static TBH_UNUSED const tbh_header_table tbh_headers = {
    {
    0, 0, 38, 0, 0, 0, 49, 0, 0, 0, 0, 0, 0, 8, 17, 6, 0, 0, 0, 0, 2, 0, 0, 28, 0, 0, 0, 29,
    30, 22, 20, 33, 0, 13, 0, 32, 0, 0, 42, 5, 4, 25, 0, 0, 3, 56, 0, 0, 0, 14, 0, 26, 18, 0,
    0, 0, 0, 9, 0, 34, 57, 0, 0, 0, 10, 50, 0, 45, 47, 36, 52, 0, 0, 46, 48, 0, 43, 0, 0, 0,
    51, 0, 0, 23, 0, 40, 54, 0, 0, 0, 0, 0, 0, 0, 0, 35, 19, 0, 0, 0, 7, 59, 0, 11, 37, 21,
    53, 24, 0, 12, 58, 0, 0, 55, 0, 16, 0, 31, 0, 0, 39, 1, 41, 0, 0, 0, 0, 0},
    {offsetof(tbh_header_table, name_OTHER), TBH_HEADER_LIST(TBH_HEADER_OFFSET)
     offsetof(tbh_header_table, end)},
    ":", TBH_HEADER_LIST(TBH_HEADER_TEXT) ""};
/* clang-format on */

TBH_ALWAYS_INLINE const char *tbh_header_text(size_t id) {
    return (const char *)&tbh_headers + tbh_headers.offsets[id];
}

TBH_ALWAYS_INLINE size_t tbh_header_length(size_t id) {
    return (size_t)tbh_headers.offsets[id + 1] - tbh_headers.offsets[id] - 2;
}

/* tbh_header_id for names that are too short for the hash. */
TBH_FN uint16_t tbh_header_id_short(const char *name, size_t n);

/* tbh_header_id for a name without control bytes that has a colon behind it. */
TBH_FN uint16_t tbh_header_id_before_colon(const char *name, size_t n);

TBH_ALWAYS_INLINE size_t tbh_header_slot(uint32_t first, uint32_t last, size_t n) {
    uint32_t ends = (first ^ last) | 0x20202020u;
    return tbh_headers.slots[((ends + (uint32_t)n) * TBH_HEADER_HASH) >> 25];
}

/* The only id that a name of at least four bytes with a colon behind it can have. */
TBH_ALWAYS_INLINE size_t tbh_header_candidate(const char *name, size_t n) {
    return tbh_header_slot(tbh_load32_le(name), tbh_load32_le(name + n - 3), n);
}
