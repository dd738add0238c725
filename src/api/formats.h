/* ------------------------------------------------------------------------
 * Small formats: UTF-8, base64, SHA-1 and SHA-256, HTTP dates.
 * ------------------------------------------------------------------------ */
#pragma once
#include "memory.h"

/** UTF-8 validation of text that comes in pieces. Start with zeros. */
typedef struct turbohttp_utf8 {
    uint8_t need; /**< continuation bytes that must follow */
    uint8_t low;  /**< least value of the next one; 0: 0x80 */
    uint8_t high; /**< greatest value of it; 0: 0xBF */
    bool failed;  /**< malformed: nothing mends it */
} turbohttp_utf8;

/**
 * Check the next `n` bytes (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF); a character may be cut anywhere.
 *
 * `bad` (may be NULL) receives the offset in this piece of the byte that
 * cannot be right. Returns: OK, or ERR_ENCODING now and ever after.
 */
TURBOHTTP_API turbohttp_status turbohttp_utf8_feed(turbohttp_utf8 *state,
                                                   const void *bytes, size_t n,
                                                   size_t *bad);

/** Say whether the text may end here. Returns: OK, or ERR_ENCODING. */
TURBOHTTP_API turbohttp_status turbohttp_utf8_end(const turbohttp_utf8 *state);

/** Characters that `n` bytes become in base64, padding included. */
#define TURBOHTTP_BASE64_CHARS(n) (((n) + 2) / 3 * 4)

/** Append bytes in base64 (RFC 4648 section 4), padded.
 *  Returns: the writer's status; ERR_OVERFLOW if the size does not fit. */
TURBOHTTP_API turbohttp_status turbohttp_base64_encode(turbohttp_writer *writer,
                                                       const void *bytes,
                                                       size_t n);

/**
 * Append what base64 text stands for: padded, no blanks, unused bits zero.
 * Returns: OK; ERR_ENCODING, and then nothing is appended; the writer's status.
 */
TURBOHTTP_API turbohttp_status turbohttp_base64_decode(turbohttp_writer *writer,
                                                       const char *text,
                                                       size_t n);

/** Bytes of a SHA-1 digest. */
#define TURBOHTTP_SHA1_BYTES   20
/** Bytes of a SHA-256 digest. */
#define TURBOHTTP_SHA256_BYTES 32

/** A SHA-1 computation (FIPS 180-4). For the WebSocket handshake and old
 *  protocols only: it does not withstand collisions. */
typedef struct turbohttp_sha1 {
    uint64_t length;   /**< bytes fed */
    uint32_t state[5]; /**< chaining value */
    uint8_t block[64]; /**< the incomplete block */
} turbohttp_sha1;

/** Start a SHA-1 computation. */
TURBOHTTP_API void turbohttp_sha1_init(turbohttp_sha1 *sha);
/** Feed `n` bytes. */
TURBOHTTP_API void turbohttp_sha1_update(turbohttp_sha1 *sha, const void *bytes,
                                         size_t n);
/** Finish, and wipe the state. */
TURBOHTTP_API void turbohttp_sha1_finish(turbohttp_sha1 *sha,
                                         uint8_t digest[TURBOHTTP_SHA1_BYTES]);

/** A SHA-256 computation (FIPS 180-4). */
typedef struct turbohttp_sha256 {
    uint64_t length;   /**< bytes fed */
    uint32_t state[8]; /**< chaining value */
    uint8_t block[64]; /**< the incomplete block */
} turbohttp_sha256;

/** Start a SHA-256 computation. */
TURBOHTTP_API void turbohttp_sha256_init(turbohttp_sha256 *sha);
/** Feed `n` bytes. */
TURBOHTTP_API void turbohttp_sha256_update(turbohttp_sha256 *sha,
                                           const void *bytes, size_t n);
/** Finish, and wipe the state. */
TURBOHTTP_API void
turbohttp_sha256_finish(turbohttp_sha256 *sha,
                        uint8_t digest[TURBOHTTP_SHA256_BYTES]);

/**
 * Read an HTTP date in any of its three forms (RFC 9110 section 5.6.7).
 *
 * `seconds` receives seconds since 1970-01-01 00:00 UTC, negative before it.
 * `now`, in the same unit, decides what a two-digit year means: the year that
 * is at most 50 years ahead of it. The weekday is read, but not compared.
 * Returns: OK, or ERR_ENCODING. Thread: any. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_http_date_parse(const char *text,
                                                         size_t n, int64_t now,
                                                         int64_t *seconds);

/** Bytes of a formatted HTTP date, terminator included. */
#define TURBOHTTP_HTTP_DATE_BYTES 30

/**
 * Write a time as "Sun, 06 Nov 1994 08:49:37 GMT", terminated.
 * Returns: OK, or ERR_OVERFLOW outside the years 0 to 9999 (text is empty).
 */
TURBOHTTP_API turbohttp_status turbohttp_http_date_format(
    int64_t seconds, char text[TURBOHTTP_HTTP_DATE_BYTES]);
