/* turbohttp.h - an HTTP client in one file (MIT license, at the end)
 *
 *     #define TURBOHTTP_IMPLEMENTATION    in ONE .c or .cpp file, before
 *     #include "turbohttp.h"
 */

#ifndef TURBOHTTP_H
#define TURBOHTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------
 * Core: version, linkage, and the small types that every chapter uses.
 * ------------------------------------------------------------------------ */

/** Version of this header: major, minor, patch; see CHANGELOG.md. */
#define TURBOHTTP_VERSION_MAJOR 0
#define TURBOHTTP_VERSION_MINOR 1 /**< Minor version. */
#define TURBOHTTP_VERSION_PATCH 0 /**< Patch version. */
/** The version as text, `"0.1.0"`. */
#define TURBOHTTP_VERSION "0.1.0"

/** Linkage of every public function: external, or private to the translation
 *  unit when `TURBOHTTP_STATIC` is defined before each include. */
#ifndef TURBOHTTP_API
#if defined(TURBOHTTP_STATIC) && (defined(__GNUC__) || defined(__clang__))
#define TURBOHTTP_API static __attribute__((unused))
#elif defined(TURBOHTTP_STATIC)
#define TURBOHTTP_API static
#else
#define TURBOHTTP_API extern
#endif
#endif

/** Read-only bytes that belong to somebody else: text is not terminated.
 *  Valid until: as the function that returns it says. */
typedef struct turbohttp_span {
    const char *data; /**< first byte; may be NULL when length is 0 */
    size_t length;    /**< bytes */
} turbohttp_span;

/* ------------------------------------------------------------------------
 * Errors: one code, and one record that says what happened and what to do.
 * ------------------------------------------------------------------------ */

/** What a call came to: 0 is success, positive values are answers that are
 *  not errors, negative values are errors in one range for each layer. */
typedef enum turbohttp_status {
    TURBOHTTP_OK = 0,
    TURBOHTTP_PENDING = 1, /**< not finished: call again later */
    TURBOHTTP_DONE = 2,    /**< the end was reached; nothing follows */

    /* any layer */
    TURBOHTTP_ERR_INVALID_ARGUMENT = -1, /**< a parameter breaks the contract */
    TURBOHTTP_ERR_OUT_OF_MEMORY = -2,    /**< the allocator gave nothing */
    TURBOHTTP_ERR_OVERFLOW = -3,         /**< a size does not fit */
    TURBOHTTP_ERR_STATE = -4,            /**< not allowed in this state */
    TURBOHTTP_ERR_STALE = -5,            /**< the handle's object is gone */
    TURBOHTTP_ERR_UNSUPPORTED = -6,      /**< left out of this build */
    TURBOHTTP_ERR_CANCELLED = -7,        /**< the caller cancelled it */
    TURBOHTTP_ERR_SHUTDOWN = -8,         /**< the client is shut down */
    TURBOHTTP_ERR_POOL_EMPTY = -9,       /**< a pool's cap is reached */

    /* formats */
    TURBOHTTP_ERR_URL = -20,           /**< not an acceptable URL */
    TURBOHTTP_ERR_URL_SCHEME = -21,    /**< scheme other than http(s), ws(s) */
    TURBOHTTP_ERR_URL_HOST = -22,      /**< empty or malformed host */
    TURBOHTTP_ERR_URL_PORT = -23,      /**< port not in 1…65535 */
    TURBOHTTP_ERR_URL_TOO_LONG = -24,  /**< longer than the limit */
    TURBOHTTP_ERR_INFLATE_DATA = -30,  /**< the compressed data is corrupt */
    TURBOHTTP_ERR_INFLATE_CHECK = -31, /**< CRC, Adler or length differs */
    TURBOHTTP_ERR_ENCODING = -35,      /**< bad UTF-8, base64 or date */

    /* codecs */
    TURBOHTTP_ERR_HEADER_NAME = -40,     /**< a header name is not a token */
    TURBOHTTP_ERR_HEADER_VALUE = -41,    /**< control bytes in a value */
    TURBOHTTP_ERR_HEADER_RESERVED = -42, /**< a header that the library sets */
    TURBOHTTP_ERR_METHOD = -43,          /**< the method is not a token */
    TURBOHTTP_ERR_NOT_HTTP = -50,        /**< the answer is not HTTP/1.x */
    TURBOHTTP_ERR_STATUS_LINE = -51,     /**< malformed status line */
    TURBOHTTP_ERR_HEADER_LINE = -52,     /**< malformed header line */
    TURBOHTTP_ERR_HEAD_TOO_LARGE = -53,  /**< limit on head bytes */
    TURBOHTTP_ERR_LINE_TOO_LONG = -54,   /**< limit on one line */
    TURBOHTTP_ERR_TOO_MANY_HEADERS = -55, /**< limit on header count */
    TURBOHTTP_ERR_CONTENT_LENGTH = -56,  /**< invalid or conflicting */
    TURBOHTTP_ERR_TRANSFER_ENCODING = -57, /**< unknown, doubled, with CL */
    TURBOHTTP_ERR_CHUNK = -58,           /**< malformed chunk framing */
    TURBOHTTP_ERR_CHUNK_OVERHEAD = -59,  /**< limit on chunk framing bytes */

    /* engines */
    TURBOHTTP_ERR_NO_RESPONSE = -70,     /**< closed before any byte came */
    TURBOHTTP_ERR_HEAD_TRUNCATED = -71,  /**< closed inside the head */
    TURBOHTTP_ERR_BODY_TRUNCATED = -72,  /**< closed inside the body */
    TURBOHTTP_ERR_BODY_TOO_LARGE = -73,  /**< limit on body bytes */
    TURBOHTTP_ERR_BODY_RATIO = -74,      /**< decompression bomb guard */
    TURBOHTTP_ERR_BODY_CODING = -75,     /**< content coding not understood */
    TURBOHTTP_ERR_BODY_SOURCE = -76,     /**< the request body's source failed */
    TURBOHTTP_ERR_BODY_SINK = -77,       /**< the response body's sink failed */
    TURBOHTTP_ERR_TOO_MANY_INTERIM = -78, /**< limit on 1xx responses */
    TURBOHTTP_ERR_UNEXPECTED_UPGRADE = -79, /**< 101 that nobody asked for */

    /* input and output */
    TURBOHTTP_ERR_RESOLVE = -100,       /**< the name does not resolve */
    TURBOHTTP_ERR_RESOLVE_TEMPORARY = -101, /**< no name server answered */
    TURBOHTTP_ERR_CONNECT = -102,       /**< no address accepted */
    TURBOHTTP_ERR_SEND = -103,          /**< sending failed */
    TURBOHTTP_ERR_RECEIVE = -104,       /**< receiving failed */
    TURBOHTTP_ERR_DESCRIPTORS = -105,   /**< out of file descriptors */
    TURBOHTTP_ERR_FILE = -106,          /**< a file could not be used */
    TURBOHTTP_ERR_TIMEOUT = -107,       /**< a time limit; see the phase */
    TURBOHTTP_ERR_RANDOM = -108,        /**< no entropy from the system */

    /* client */
    TURBOHTTP_ERR_QUEUE_FULL = -120,    /**< limit on waiting requests */
    TURBOHTTP_ERR_TLS_MISSING = -121    /**< https:// without a TLS header */
} turbohttp_status;

/** The part of an exchange in which something happened. */
typedef enum turbohttp_phase {
    TURBOHTTP_PHASE_NONE = 0, /**< outside an exchange */
    TURBOHTTP_PHASE_QUEUE,    /**< waiting for a connection */
    TURBOHTTP_PHASE_RESOLVE,  /**< looking the name up */
    TURBOHTTP_PHASE_CONNECT,  /**< connecting */
    TURBOHTTP_PHASE_TLS,      /**< TLS handshake */
    TURBOHTTP_PHASE_SEND,     /**< sending the request */
    TURBOHTTP_PHASE_HEAD,     /**< waiting for, or reading, the head */
    TURBOHTTP_PHASE_BODY,     /**< reading the body */
    TURBOHTTP_PHASE_DONE      /**< finished */
} turbohttp_phase;

/** Bytes of `turbohttp_error.text`, terminator included. */
#define TURBOHTTP_ERROR_TEXT_BYTES 240

/** The record of one failure: written once, where the fault is found.
 *  It never contains secrets, and no byte below 0x20. */
typedef struct turbohttp_error {
    turbohttp_status code;  /**< TURBOHTTP_OK when nothing failed */
    turbohttp_phase phase;  /**< where in the exchange */
    int32_t system_code;    /**< errno or the platform's code; 0 if none */
    bool request_sent;      /**< was any byte of the request handed over? */
    uint64_t offset;        /**< byte of the response at fault, if it has one */
    char text[TURBOHTTP_ERROR_TEXT_BYTES]; /**< what happened, what to do */
} turbohttp_error;

/**
 * Name the constant of a status: "TURBOHTTP_ERR_TIMEOUT".
 *
 * Returns: static text, never NULL; "TURBOHTTP_UNKNOWN" for other numbers.
 * Thread: any. Blocks: never.
 */
TURBOHTTP_API const char *turbohttp_status_name(turbohttp_status status);

/**
 * Say what a status means and what mends it, in one sentence.
 *
 * Returns: static text, never NULL.
 * Thread: any. Blocks: never. See: turbohttp_error.text for the full story.
 */
TURBOHTTP_API const char *turbohttp_status_text(turbohttp_status status);

/**
 * Name a phase in lower case: "resolve", "connect", "body".
 *
 * Returns: static text, never NULL. Thread: any. Blocks: never.
 */
TURBOHTTP_API const char *turbohttp_phase_name(turbohttp_phase phase);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TURBOHTTP_H */

#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(TURBOHTTP_IMPLEMENTED)
#define TURBOHTTP_IMPLEMENTED
#define TBH_AMALGAM 1
/* ========================================================================
 * src/base/config.h
 * ======================================================================= */
/* Switches, normalised to 0 or 1, and what the compiler offers. Everything after this file tests
 * `#if TBH_X`, never `#ifdef TURBOHTTP_X`, so that a misspelt switch is an error and not a silence. */

#ifdef TURBOHTTP_NO_SOCKETS
#define TBH_SOCKETS 0
#else
#define TBH_SOCKETS 1
#endif

#if defined(TURBOHTTP_NO_THREADS) || defined(TURBOHTTP_NO_SOCKETS)
#define TBH_THREADS 0
#else
#define TBH_THREADS 1
#endif

#ifdef TURBOHTTP_NO_INFLATE
#define TBH_INFLATE 0
#else
#define TBH_INFLATE 1
#endif

#ifdef TURBOHTTP_NO_DNS_STUB
#define TBH_DNS_STUB 0
#else
#define TBH_DNS_STUB 1
#endif

#ifdef TURBOHTTP_DEBUG_GUARDS
#define TBH_GUARDS 1
#else
#define TBH_GUARDS 0
#endif

/* Vector paths. TURBOHTTP_NO_SIMD forces the portable one, which is tested as hard. */
#if defined(TURBOHTTP_NO_SIMD)
#define TBH_SSE2 0
#define TBH_AVX2 0
#define TBH_NEON 0
#else
#if defined(__AVX2__)
#define TBH_AVX2 1
#else
#define TBH_AVX2 0
#endif
#if defined(__SSE2__) || (defined(_M_X64) && !defined(_M_ARM64EC))
#define TBH_SSE2 1
#else
#define TBH_SSE2 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define TBH_NEON 1
#else
#define TBH_NEON 0
#endif
#endif

#if defined(__GNUC__) || defined(__clang__)
#define TBH_UNUSED    __attribute__((unused))
#define TBH_LIKELY(x) __builtin_expect(!!(x), 1)
#define TBH_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TBH_NOINLINE  __attribute__((noinline))
#define TBH_ALWAYS_INLINE static inline __attribute__((always_inline, unused))
#else
#define TBH_UNUSED
#define TBH_LIKELY(x)   (x)
#define TBH_UNLIKELY(x) (x)
#define TBH_NOINLINE
#define TBH_ALWAYS_INLINE static inline
#endif

/* Linkage of private functions: static in the shipped header, external when a file of src/ is
 * compiled alone. A switch may leave one without a caller, hence `unused`. */
#ifdef TBH_AMALGAM
#define TBH_FN static TBH_UNUSED
#else
#define TBH_FN extern
#endif

/* Byte order of the target; used only to choose a faster load. */
#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TBH_LITTLE_ENDIAN 1
#else
#define TBH_LITTLE_ENDIAN 0
#endif
#elif defined(_WIN32)
#define TBH_LITTLE_ENDIAN 1
#else
#define TBH_LITTLE_ENDIAN 0
#endif

/* ========================================================================
 * src/base/bytes.h
 * ======================================================================= */
/* Bytes: unaligned loads, ASCII, checked sizes. Nothing here allocates or knows a protocol. */
#include <string.h>

/* ------------------------------------------------------------ unaligned access
 * memcpy is the only access to unaligned data that is defined; compilers make it one instruction. */
TBH_ALWAYS_INLINE uint64_t tbh_load64(const void *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

TBH_ALWAYS_INLINE uint32_t tbh_load32(const void *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

TBH_ALWAYS_INLINE uint32_t tbh_load32_le(const void *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

TBH_ALWAYS_INLINE uint64_t tbh_load64_le(const void *p) {
#if TBH_LITTLE_ENDIAN
    return tbh_load64(p);
#else
    return (uint64_t)tbh_load32_le(p) | (uint64_t)tbh_load32_le((const uint8_t *)p + 4) << 32;
#endif
}

TBH_ALWAYS_INLINE uint32_t tbh_load32_be(const void *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

TBH_ALWAYS_INLINE uint16_t tbh_load16_be(const void *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint16_t)((uint32_t)b[0] << 8 | b[1]);
}

TBH_ALWAYS_INLINE void tbh_store32_be(void *p, uint32_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

TBH_ALWAYS_INLINE void tbh_store16_be(void *p, uint16_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

/* ------------------------------------------------------------ ASCII (locale never matters) */
TBH_ALWAYS_INLINE bool tbh_is_digit(uint8_t c) {
    return (uint8_t)(c - '0') < 10;
}

TBH_ALWAYS_INLINE bool tbh_is_alpha(uint8_t c) {
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

TBH_ALWAYS_INLINE uint8_t tbh_lower(uint8_t c) {
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

/* Value of a hexadecimal digit, or -1. */
TBH_ALWAYS_INLINE int tbh_hex_value(uint8_t c) {
    if (tbh_is_digit(c)) return c - '0';
    c |= 0x20;
    return (uint8_t)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

TBH_FN bool tbh_equal_nocase(const void *a, const void *b, size_t n);
TBH_FN bool tbh_span_equal_nocase(turbohttp_span a, const char *literal);
/* RFC 9110 §5.6.2 token characters. */
TBH_FN bool tbh_is_token_char(uint8_t c);
TBH_FN bool tbh_is_token(const char *p, size_t n);
/* Field content that may be sent: no control characters but HTAB (RFC 9110 §5.5). */
TBH_FN bool tbh_is_field_value(const char *p, size_t n);
/* Writes n in decimal, returns how many bytes (at most 20); no terminator. */
TBH_FN size_t tbh_format_u64(char *out, uint64_t n);
/* Digits only, no sign, no blanks, at most `max`: false otherwise. */
TBH_FN bool tbh_parse_u64(const char *p, size_t n, uint64_t max, uint64_t *out);
/* Overwrites secrets in a way that the optimiser cannot drop. */
TBH_FN void tbh_wipe(void *p, size_t n);

TBH_ALWAYS_INLINE turbohttp_span tbh_span(const char *p, size_t n) {
    turbohttp_span s;
    s.data = p;
    s.length = n;
    return s;
}

TBH_ALWAYS_INLINE turbohttp_span tbh_span_of(const char *text) {
    return tbh_span(text, text ? strlen(text) : 0);
}

/* ------------------------------------------------------------ checked sizes */
TBH_ALWAYS_INLINE bool tbh_add_size(size_t a, size_t b, size_t *sum) {
    *sum = a + b;
    return *sum >= a;
}

TBH_ALWAYS_INLINE bool tbh_mul_size(size_t a, size_t b, size_t *product) {
    *product = a * b;
    return a == 0 || *product / a == b;
}

TBH_ALWAYS_INLINE size_t tbh_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

TBH_ALWAYS_INLINE size_t tbh_max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* A wire quantity as a size: what does not fit saturates, and the limit that follows refuses it. */
TBH_ALWAYS_INLINE size_t tbh_size_of_u64(uint64_t v) {
    return v > (uint64_t)SIZE_MAX ? SIZE_MAX : (size_t)v;
}

/* ========================================================================
 * src/base/bytes.c
 * ======================================================================= */
/* Bytes: the helpers too long to be inline.
 * Owns nothing. Input: any bytes. Does not know: protocols, allocation, locales. */

TBH_FN bool tbh_equal_nocase(const void *a, const void *b, size_t n) {
    const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
    for (size_t i = 0; i < n; i++)
        if (tbh_lower(x[i]) != tbh_lower(y[i])) return false;
    return true;
}

TBH_FN bool tbh_span_equal_nocase(turbohttp_span a, const char *literal) {
    return a.length == strlen(literal) && tbh_equal_nocase(a.data, literal, a.length);
}

/* RFC 9110 §5.6.2: one bit per character, 128 and above are never tokens. */
static const uint32_t tbh_token_bits[4] = {0x00000000u, 0x03ff6cfau, 0xc7fffffeu, 0x57ffffffu};

TBH_FN bool tbh_is_token_char(uint8_t c) {
    return c < 128 && (tbh_token_bits[c >> 5] >> (c & 31) & 1);
}

TBH_FN bool tbh_is_token(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!tbh_is_token_char((uint8_t)p[i])) return false;
    return n > 0;
}

TBH_FN bool tbh_is_field_value(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

TBH_FN size_t tbh_format_u64(char *out, uint64_t n) {
    char reversed[20];
    size_t length = 0;
    do reversed[length++] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    for (size_t i = 0; i < length; i++) out[i] = reversed[length - 1 - i];
    return length;
}

TBH_FN bool tbh_parse_u64(const char *p, size_t n, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (!tbh_is_digit((uint8_t)p[i])) return false;
        uint64_t digit = (uint64_t)(p[i] - '0');
        if (value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return n > 0;
}

TBH_FN void tbh_wipe(void *p, size_t n) {
    volatile uint8_t *bytes = (volatile uint8_t *)p;
    while (n--) *bytes++ = 0;
}

/* ========================================================================
 * src/base/errors.h
 * ======================================================================= */
/* Building the error record: fixed size, no printf, control bytes never get in. */

/* Starts a record: code, phase, and the code's own sentence as text. NULL is fine everywhere here. */
TBH_FN turbohttp_status tbh_error_set(turbohttp_error *error, turbohttp_status code,
                                      turbohttp_phase phase);
/* Replaces the sentence; pieces are appended after it, cut at the record's size. */
TBH_FN void tbh_error_text(turbohttp_error *error, const char *text);
TBH_FN void tbh_error_append(turbohttp_error *error, const char *text);
TBH_FN void tbh_error_append_span(turbohttp_error *error, turbohttp_span text);
TBH_FN void tbh_error_append_u64(turbohttp_error *error, uint64_t n);

/* ========================================================================
 * src/base/errors.c
 * ======================================================================= */
/* Errors: names, sentences, and the record that carries one to the user.
 * Owns: nothing; the record is the caller's. Invariant: `text` is always terminated and printable.
 * Does not know: who reads it, nor how it is shown. */

typedef struct tbh_status_row {
    int code;
    const char *name;
    const char *text;
} tbh_status_row;

#define TBH_ROW(name, text) {TURBOHTTP_##name, "TURBOHTTP_" #name, text}

static const tbh_status_row tbh_status_rows[] = {
    TBH_ROW(OK, "success"),
    TBH_ROW(PENDING, "not finished: call again later"),
    TBH_ROW(DONE, "finished: nothing follows"),
    TBH_ROW(ERR_INVALID_ARGUMENT, "invalid argument: see the function's description"),
    TBH_ROW(ERR_OUT_OF_MEMORY, "out of memory: raise the allocator's limit or the fixed block"),
    TBH_ROW(ERR_OVERFLOW, "a size does not fit in memory"),
    TBH_ROW(ERR_STATE, "not allowed in this state"),
    TBH_ROW(ERR_STALE, "stale handle: the request was taken or cancelled before"),
    TBH_ROW(ERR_UNSUPPORTED, "left out of this build by a TURBOHTTP_NO_... switch"),
    TBH_ROW(ERR_CANCELLED, "cancelled by the caller"),
    TBH_ROW(ERR_SHUTDOWN, "the client is shut down: create a new one"),
    TBH_ROW(ERR_POOL_EMPTY, "a pool's cap is reached: return elements or raise the cap"),
    TBH_ROW(ERR_URL, "malformed URL: write it as http://host[:port]/path"),
    TBH_ROW(ERR_URL_SCHEME, "URL scheme not supported: use http:// or https://"),
    TBH_ROW(ERR_URL_HOST, "malformed host in the URL: use a name, a.b.c.d or [IPv6]"),
    TBH_ROW(ERR_URL_PORT, "malformed port in the URL: use 1 to 65535"),
    TBH_ROW(ERR_URL_TOO_LONG, "URL longer than limits.url_bytes"),
    TBH_ROW(ERR_INFLATE_DATA, "corrupt compressed data"),
    TBH_ROW(ERR_INFLATE_CHECK, "compressed data fails its checksum"),
    TBH_ROW(ERR_ENCODING, "malformed text encoding"),
    TBH_ROW(ERR_HEADER_NAME, "header name is not a token (RFC 9110 section 5.1)"),
    TBH_ROW(ERR_HEADER_VALUE, "header value contains control characters"),
    TBH_ROW(ERR_HEADER_RESERVED, "this header is set by the library: use the option for it"),
    TBH_ROW(ERR_METHOD, "method is not a token (RFC 9110 section 9.1)"),
    TBH_ROW(ERR_NOT_HTTP, "the server did not answer with HTTP/1.x: check the port and scheme"),
    TBH_ROW(ERR_STATUS_LINE, "malformed status line from the server"),
    TBH_ROW(ERR_HEADER_LINE, "malformed header line from the server"),
    TBH_ROW(ERR_HEAD_TOO_LARGE, "response head larger than limits.head_bytes"),
    TBH_ROW(ERR_LINE_TOO_LONG, "response header line longer than limits.line_bytes"),
    TBH_ROW(ERR_TOO_MANY_HEADERS, "more response headers than limits.header_count"),
    TBH_ROW(ERR_CONTENT_LENGTH, "invalid or conflicting Content-Length from the server"),
    TBH_ROW(ERR_TRANSFER_ENCODING, "invalid Transfer-Encoding from the server"),
    TBH_ROW(ERR_CHUNK, "malformed chunked framing from the server"),
    TBH_ROW(ERR_CHUNK_OVERHEAD, "too much chunk framing for too little data"),
    TBH_ROW(ERR_NO_RESPONSE, "the server closed the connection without an answer: try again"),
    TBH_ROW(ERR_HEAD_TRUNCATED, "the server closed the connection inside the response head"),
    TBH_ROW(ERR_BODY_TRUNCATED, "the response body ended early: it is incomplete, try again"),
    TBH_ROW(ERR_BODY_TOO_LARGE, "response body larger than limits.body_bytes: raise it or stream"),
    TBH_ROW(ERR_BODY_RATIO, "response body expands beyond limits.inflate_ratio"),
    TBH_ROW(ERR_BODY_CODING, "response has a content coding that was not asked for"),
    TBH_ROW(ERR_BODY_SOURCE, "the source of the request body failed"),
    TBH_ROW(ERR_BODY_SINK, "the sink of the response body refused it"),
    TBH_ROW(ERR_TOO_MANY_INTERIM, "more 1xx responses than limits.interim_count"),
    TBH_ROW(ERR_UNEXPECTED_UPGRADE, "the server switched protocols without being asked"),
    TBH_ROW(ERR_RESOLVE, "host name does not resolve: check the spelling"),
    TBH_ROW(ERR_RESOLVE_TEMPORARY, "no name server answered: check the network, then try again"),
    TBH_ROW(ERR_CONNECT, "could not connect: check that the server runs and the port is open"),
    TBH_ROW(ERR_SEND, "sending failed: the connection broke"),
    TBH_ROW(ERR_RECEIVE, "receiving failed: the connection broke"),
    TBH_ROW(ERR_DESCRIPTORS, "out of file descriptors: close some or raise ulimit -n"),
    TBH_ROW(ERR_FILE, "file error: check path, permissions and free space"),
    TBH_ROW(ERR_TIMEOUT, "timed out: raise the phase's limit in timeouts"),
    TBH_ROW(ERR_RANDOM, "no random bytes from the system: set the random hook"),
    TBH_ROW(ERR_QUEUE_FULL, "too many requests in flight: take results or raise limits.requests"),
    TBH_ROW(ERR_TLS_MISSING, "https:// needs a TLS header: include turbohttp_tls_bearssl.h"),
};

static const tbh_status_row *tbh_status_find(int code) {
    for (size_t i = 0; i < sizeof tbh_status_rows / sizeof tbh_status_rows[0]; i++)
        if (tbh_status_rows[i].code == code) return &tbh_status_rows[i];
    return NULL;
}

TURBOHTTP_API const char *turbohttp_status_name(turbohttp_status status) {
    const tbh_status_row *row = tbh_status_find((int)status);
    return row ? row->name : "TURBOHTTP_UNKNOWN";
}

TURBOHTTP_API const char *turbohttp_status_text(turbohttp_status status) {
    const tbh_status_row *row = tbh_status_find((int)status);
    return row ? row->text : "unknown status";
}

TURBOHTTP_API const char *turbohttp_phase_name(turbohttp_phase phase) {
    static const char *const names[] = {"none", "queue", "resolve", "connect", "tls",
                                        "send", "head",  "body",    "done"};
    return (unsigned)phase < sizeof names / sizeof names[0] ? names[phase] : "none";
}

TBH_FN turbohttp_status tbh_error_set(turbohttp_error *error, turbohttp_status code,
                                      turbohttp_phase phase) {
    if (!error) return code;
    memset(error, 0, sizeof *error);
    error->code = code;
    error->phase = phase;
    tbh_error_append(error, turbohttp_status_text(code));
    return code;
}

TBH_FN void tbh_error_text(turbohttp_error *error, const char *text) {
    if (!error) return;
    error->text[0] = 0;
    tbh_error_append(error, text);
}

TBH_FN void tbh_error_append(turbohttp_error *error, const char *text) {
    tbh_error_append_span(error, tbh_span_of(text));
}

/* Text may come from the wire (S-17): control bytes become '?'. */
TBH_FN void tbh_error_append_span(turbohttp_error *error, turbohttp_span text) {
    if (!error) return;
    size_t at = strlen(error->text);
    size_t room = TURBOHTTP_ERROR_TEXT_BYTES - 1 - at;
    size_t n = tbh_min_size(text.length, room);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)text.data[i];
        error->text[at + i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    error->text[at + n] = 0;
}

TBH_FN void tbh_error_append_u64(turbohttp_error *error, uint64_t n) {
    char digits[20];
    tbh_error_append_span(error, tbh_span(digits, tbh_format_u64(digits, n)));
}

#undef TBH_ALWAYS_INLINE
#undef TBH_AVX2
#undef TBH_DNS_STUB
#undef TBH_FN
#undef TBH_GUARDS
#undef TBH_INFLATE
#undef TBH_LIKELY
#undef TBH_LITTLE_ENDIAN
#undef TBH_NEON
#undef TBH_NOINLINE
#undef TBH_ROW
#undef TBH_SOCKETS
#undef TBH_SSE2
#undef TBH_THREADS
#undef TBH_UNLIKELY
#undef TBH_UNUSED
#undef TBH_AMALGAM
#endif /* TURBOHTTP_IMPLEMENTATION */
