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

/* ------------------------------------------------------------------------
 * HTTP/1.1: the response head and the chunked coding, as codecs for those
 * who bring their own input and output. The client uses the same ones.
 * ------------------------------------------------------------------------ */

/** Well-known header names as small numbers, so that look-ups compare
 *  integers; the number of a name never changes. */
typedef enum turbohttp_header_id {
    TURBOHTTP_HEADER_OTHER = 0, /**< any name that is not in this list */
    TURBOHTTP_HEADER_CONTENT_LENGTH = 1,
    TURBOHTTP_HEADER_TRANSFER_ENCODING = 2,
    TURBOHTTP_HEADER_CONNECTION = 3,
    TURBOHTTP_HEADER_CONTENT_ENCODING = 4,
    TURBOHTTP_HEADER_LOCATION = 5,
    TURBOHTTP_HEADER_KEEP_ALIVE = 6,
    TURBOHTTP_HEADER_CONTENT_TYPE = 7,
    TURBOHTTP_HEADER_CONTENT_RANGE = 8,
    TURBOHTTP_HEADER_SET_COOKIE = 9,
    TURBOHTTP_HEADER_DATE = 10,
    TURBOHTTP_HEADER_ETAG = 11,
    TURBOHTTP_HEADER_LAST_MODIFIED = 12,
    TURBOHTTP_HEADER_CACHE_CONTROL = 13,
    TURBOHTTP_HEADER_EXPIRES = 14,
    TURBOHTTP_HEADER_AGE = 15,
    TURBOHTTP_HEADER_VARY = 16,
    TURBOHTTP_HEADER_RETRY_AFTER = 17,
    TURBOHTTP_HEADER_WWW_AUTHENTICATE = 18,
    TURBOHTTP_HEADER_PROXY_AUTHENTICATE = 19,
    TURBOHTTP_HEADER_TRAILER = 20,
    TURBOHTTP_HEADER_UPGRADE = 21,
    TURBOHTTP_HEADER_SERVER = 22,
    TURBOHTTP_HEADER_ACCEPT_RANGES = 23,
    TURBOHTTP_HEADER_LINK = 24,
    TURBOHTTP_HEADER_ALLOW = 25,
    TURBOHTTP_HEADER_ALT_SVC = 26,
    TURBOHTTP_HEADER_VIA = 27,
    TURBOHTTP_HEADER_PRAGMA = 28,
    TURBOHTTP_HEADER_REFRESH = 29,
    TURBOHTTP_HEADER_CONTENT_DISPOSITION = 30,
    TURBOHTTP_HEADER_CONTENT_LANGUAGE = 31,
    TURBOHTTP_HEADER_CONTENT_LOCATION = 32,
    TURBOHTTP_HEADER_CONTENT_SECURITY_POLICY = 33,
    TURBOHTTP_HEADER_STRICT_TRANSPORT_SECURITY = 34,
    TURBOHTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN = 35,
    TURBOHTTP_HEADER_AUTHENTICATION_INFO = 36,
    TURBOHTTP_HEADER_PROXY_AUTHENTICATION_INFO = 37,
    TURBOHTTP_HEADER_SEC_WEBSOCKET_ACCEPT = 38,
    TURBOHTTP_HEADER_SEC_WEBSOCKET_EXTENSIONS = 39,
    TURBOHTTP_HEADER_SEC_WEBSOCKET_PROTOCOL = 40,
    TURBOHTTP_HEADER_SEC_WEBSOCKET_KEY = 41,
    TURBOHTTP_HEADER_SEC_WEBSOCKET_VERSION = 42,
    TURBOHTTP_HEADER_HOST = 43,
    TURBOHTTP_HEADER_TE = 44,
    TURBOHTTP_HEADER_COOKIE = 45,
    TURBOHTTP_HEADER_AUTHORIZATION = 46,
    TURBOHTTP_HEADER_PROXY_AUTHORIZATION = 47,
    TURBOHTTP_HEADER_PROXY_CONNECTION = 48,
    TURBOHTTP_HEADER_HTTP2_SETTINGS = 49,
    TURBOHTTP_HEADER_USER_AGENT = 50,
    TURBOHTTP_HEADER_ACCEPT = 51,
    TURBOHTTP_HEADER_ACCEPT_ENCODING = 52,
    TURBOHTTP_HEADER_ACCEPT_LANGUAGE = 53,
    TURBOHTTP_HEADER_EXPECT = 54,
    TURBOHTTP_HEADER_RANGE = 55,
    TURBOHTTP_HEADER_IF_NONE_MATCH = 56,
    TURBOHTTP_HEADER_IF_MODIFIED_SINCE = 57,
    TURBOHTTP_HEADER_ORIGIN = 58,
    TURBOHTTP_HEADER_REFERER = 59
} turbohttp_header_id;

/** One header line as slices of the bytes it was parsed from. The name is in
 *  the sender's spelling; blanks around the value are not part of it. */
typedef struct turbohttp_header {
    const char *name;      /**< first byte of the name; not terminated */
    const char *value;     /**< first byte of the value; not terminated */
    uint32_t value_length; /**< bytes of the value; may be 0 */
    uint16_t name_length;  /**< bytes of the name; at least 1 */
    uint16_t id;           /**< a turbohttp_header_id; 0 for other names */
} turbohttp_header;

/** Bounds of one head or one trailer section; zero means the default. */
typedef struct turbohttp_head_limits {
    uint32_t head_bytes;   /**< all lines; 65,536; ERR_HEAD_TOO_LARGE */
    uint32_t line_bytes;   /**< one line without CRLF; 16,384, at most 65,535;
                                ERR_LINE_TOO_LONG */
    uint32_t header_count; /**< header lines; 128; ERR_TOO_MANY_HEADERS */
} turbohttp_head_limits;

/** How the end of the body is found (RFC 9112 section 6.3). */
typedef enum turbohttp_body_framing {
    TURBOHTTP_FRAMING_NONE = 0,   /**< no body: HEAD, 1xx, 204, 304 */
    TURBOHTTP_FRAMING_LENGTH,     /**< content_length bytes follow */
    TURBOHTTP_FRAMING_CHUNKED,    /**< the chunked coding says */
    TURBOHTTP_FRAMING_UNTIL_CLOSE /**< everything until the peer closes */
} turbohttp_body_framing;

/** The content coding of the body (RFC 9110 section 8.4). */
typedef enum turbohttp_content_coding {
    TURBOHTTP_CODING_IDENTITY = 0, /**< as it is */
    TURBOHTTP_CODING_GZIP,         /**< gzip, also spelt x-gzip */
    TURBOHTTP_CODING_DEFLATE,      /**< deflate: zlib, or raw in practice */
    TURBOHTTP_CODING_OTHER         /**< not known, or more than one layer */
} turbohttp_content_coding;

/** A complete response head with its framing decided. Its slices point into
 *  the parsed bytes and are valid as long as those stay in place. */
typedef struct turbohttp_h1_head {
    uint16_t status;           /**< 100 to 999 */
    uint8_t minor_version;     /**< 0 for HTTP/1.0, 1 for every later 1.x */
    bool keep_alive;           /**< may the connection serve another request? */
    bool connection_upgrade;   /**< Connection lists `upgrade` */
    bool has_content_length;   /**< the head has a Content-Length */
    turbohttp_body_framing framing;          /**< how the body ends */
    turbohttp_content_coding content_coding; /**< how the body is coded */
    uint64_t content_length;   /**< bytes; 0 without Content-Length */
    turbohttp_span reason;     /**< reason phrase, often empty */
    turbohttp_header *headers; /**< the caller's table, in order of arrival */
    uint32_t header_count;     /**< rows in use */
    uint32_t head_length;      /**< bytes of the head; the body follows */
} turbohttp_h1_head;

/** Where an incomplete head stands. All zero is the start. */
typedef struct turbohttp_h1_head_parser {
    uint32_t scanned;    /**< bytes searched for the end of the head */
    uint32_t line_start; /**< where the line being searched begins */
    uint32_t attempts;   /**< how often the head was parsed from its start */
} turbohttp_h1_head_parser;

/**
 * Bring a head parser to its start, for each head and each trailer section.
 *
 * Thread: one at a time. Blocks: never.
 */
TURBOHTTP_API void turbohttp_h1_head_parser_init(turbohttp_h1_head_parser *parser);

/**
 * Parse a response head, and decide where its body ends.
 *
 * `data` holds every byte of the response received so far: each call sees the
 * same bytes as the one before and more behind them, but they may have moved.
 * Bytes after the head are not part of the answer. `limits` may be NULL for defaults;
 * the table's capacity also limits the number of headers. Work is linear in
 * the bytes of the head, however they are split.
 *
 * Strict as RFC 9112 allows: no bare CR or LF, no folded lines, no blank
 * before the colon, no control bytes, no doubtful framing. The first fault in
 * the order of the bytes is the one reported, whatever the split; a fault
 * inside a line may be reported as late as the end of the head if the bytes
 * come in pieces, that the peer does not speak HTTP/1 at its first wrong byte.
 *
 * Returns: TURBOHTTP_OK with `out` filled; TURBOHTTP_PENDING when bytes are
 *   missing; or ERR_NOT_HTTP, ERR_STATUS_LINE, ERR_HEADER_LINE,
 *   ERR_HEAD_TOO_LARGE, ERR_LINE_TOO_LONG, ERR_TOO_MANY_HEADERS,
 *   ERR_CONTENT_LENGTH, ERR_TRANSFER_ENCODING with the place in
 *   `error_offset` (may be NULL). Without success `out` means nothing.
 * Valid until: the bytes of `data` or the table move or change.
 * Thread: one at a time for each parser. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_head_parse(
    turbohttp_h1_head_parser *parser, const char *data, size_t length, bool request_was_head,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    turbohttp_h1_head *out, uint64_t *error_offset);

/**
 * Parse the trailer section that follows the last chunk, final CRLF included.
 *
 * Called like turbohttp_h1_head_parse, with the bytes after the last chunk's
 * line and a parser at its start. Fields that frame, route or decode the
 * message (Content-Length, Transfer-Encoding, Host, Content-Encoding …) are
 * refused in trailers (RFC 9110 section 6.5.1) with ERR_HEADER_LINE.
 *
 * Returns: TURBOHTTP_OK with the number of fields and of bytes used;
 *   TURBOHTTP_PENDING when bytes are missing; or ERR_HEADER_LINE,
 *   ERR_HEAD_TOO_LARGE, ERR_LINE_TOO_LONG, ERR_TOO_MANY_HEADERS.
 * Valid until: the bytes of `data` or the table move or change.
 * Thread: one at a time for each parser. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_trailer_parse(
    turbohttp_h1_head_parser *parser, const char *data, size_t length,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    uint32_t *field_count, size_t *consumed, uint64_t *error_offset);

/** A body in the chunked coding, as far as it was decoded. */
typedef struct turbohttp_chunked {
    uint64_t remaining;   /**< size read so far, then bytes left in the chunk */
    int64_t budget;       /**< framing bytes that may still come */
    uint16_t line_length; /**< bytes of the chunk line so far */
    uint8_t state;        /**< the decoder's own */
} turbohttp_chunked;

/**
 * Bring a chunked decoder to the start of a body.
 *
 * A chunk's line may have 256 bytes, and all framing together 16 KiB plus 16
 * bytes for each byte of body.
 *
 * Thread: one at a time. Blocks: never.
 */
TURBOHTTP_API void turbohttp_chunked_init(turbohttp_chunked *chunked);

/**
 * Hand out the next run of body bytes inside the input, without copying.
 *
 * Moves `*in` and `*in_length` past what was used. Extensions are checked and
 * skipped. At the end `*in` stands right after the last chunk's line: parse
 * the trailer section, at least a CRLF, with turbohttp_h1_trailer_parse.
 *
 * Returns: TURBOHTTP_OK with a non-empty `*data`; TURBOHTTP_PENDING when the
 *   input is used up; TURBOHTTP_DONE after the last chunk, also when called
 *   again; ERR_CHUNK for malformed framing and sizes above 2^63-1;
 *   ERR_CHUNK_OVERHEAD when a limit is passed. Errors are final.
 * Valid until: `*data` as long as the input.
 * Thread: one at a time for each decoder. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_chunked_next(turbohttp_chunked *chunked,
                                                      const uint8_t **in, size_t *in_length,
                                                      turbohttp_span *data);

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
#if TBH_LITTLE_ENDIAN
    return tbh_load32(p);
#else
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
#endif
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

/* ========================================================================
 * src/codec/scan.h
 * ======================================================================= */
/* Wide scans over text: one lane of 8 or 16 bytes at a time, the same code for every width.
 *
 * A lane answers questions about its bytes with a mask; tbh_lane_first turns a mask into a byte's
 * index. A platform is a block below that defines the lane; what follows the blocks knows none.
 * No scan reads outside [begin, end): the last bytes are loaded together with bytes before them. */

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

/* The four questions that each platform answers: which bytes equal a given one (`equal`), are control
 * bytes other than HTAB (`control`), are not letters, digits or '-' (`odd`), or differ from a word of
 * those in lower case by more than the case of letters (`differ`; control bytes must be excluded
 * before, since with bit 5 set CR is a dash). */
#if TBH_SSE2
#include <emmintrin.h>
#define TBH_LANE       16
#define TBH_LANE_SHIFT 0
typedef __m128i tbh_lane;

TBH_ALWAYS_INLINE tbh_lane tbh_lane_load(const char *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_mask(tbh_lane v) {
    return (uint32_t)_mm_movemask_epi8(v);
}

TBH_ALWAYS_INLINE uint64_t tbh_lane_equal(tbh_lane v, char c) {
    return tbh_lane_mask(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
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
    return tbh_lane_mask(_mm_cmpeq_epi8(v, lower)) ^ 0xffffu;
}

#define TBH_BLOCK       64 /* bytes that share a mask of marks */
#define TBH_BLOCK_SHIFT 0
#if TBH_AVX2 /* names are too short to gain by it, whole blocks are not */
#include <immintrin.h>
TBH_ALWAYS_INLINE uint64_t tbh_lane_suspect(const char *p) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v);
    __m256i del = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f));
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(low, del));
}

TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    return tbh_lane_suspect(p) | tbh_lane_suspect(p + 32) << 32;
}
#else
TBH_ALWAYS_INLINE uint64_t tbh_lane_suspect(const char *p) {
    tbh_lane v = tbh_lane_load(p);
    tbh_lane del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    return tbh_lane_mask(_mm_or_si128(tbh_lane_range(v, 0, 0x1f), del));
}

TBH_ALWAYS_INLINE uint64_t tbh_block_marks(const char *p) {
    uint64_t low = tbh_lane_suspect(p) | tbh_lane_suspect(p + 16) << 16;
    uint64_t high = tbh_lane_suspect(p + 32) | tbh_lane_suspect(p + 48) << 16;
    return low | high << 32;
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

TBH_ALWAYS_INLINE uint64_t tbh_lane_equal(tbh_lane v, char c) {
    return tbh_lane_mask(vceqq_u8(v, vdupq_n_u8((uint8_t)c)));
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
TBH_ALWAYS_INLINE uint64_t tbh_lane_equal(tbh_lane v, char c) {
    uint64_t x = v ^ tbh_lane_fill((uint8_t)c);
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
/* Borrows and carries may mark one byte too many, never one too few. The product gathers the high
 * bits of all bytes in its highest byte. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_suspect(const char *p) {
    uint64_t v = tbh_lane_load(p);
    uint64_t low = v - tbh_lane_fill(0x20), del = v + tbh_lane_fill(1);
    return ((low | del) & ~v & tbh_lane_fill(0x80)) * UINT64_C(0x0002040810204081) >> 56;
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

/* Drops the marks of the first n bytes, n < TBH_LANE; the next byte becomes the first. */
TBH_ALWAYS_INLINE uint64_t tbh_lane_skip(uint64_t mask, size_t n) {
    return mask >> (n << TBH_LANE_SHIFT);
}

/* Are there no marks at the first n bytes, 0 < n < TBH_LANE? */
TBH_ALWAYS_INLINE bool tbh_lane_none(uint64_t mask, size_t n) {
    return mask << (64 - (n << TBH_LANE_SHIFT)) == 0;
}

/* ------------------------------------------------------------ marks
 * The places of control bytes in order, found a block ahead of whoever asks for them: masks of
 * neighbouring blocks do not wait for each other, and that is most of the speed. HTAB is marked too,
 * and the portable lane may mark a byte that follows a marked one or 0xff: look at what you get. */
typedef struct tbh_marks {
    const char *block; /* TBH_BLOCK bytes, fewer at the end */
    uint64_t mask;     /* the marks in it that were not asked for yet */
} tbh_marks;

/* The mask of a block that may end early. */
TBH_FN uint64_t tbh_marks_of_tail(const char *begin, const char *block, const char *end);

TBH_ALWAYS_INLINE uint64_t tbh_marks_of(const char *begin, const char *block, const char *end) {
    if (TBH_UNLIKELY(end - block < TBH_BLOCK)) return tbh_marks_of_tail(begin, block, end);
    return tbh_block_marks(block);
}

TBH_ALWAYS_INLINE tbh_marks tbh_marks_start(const char *begin, const char *end) {
    tbh_marks m;
    m.block = begin;
    m.mask = tbh_marks_of(begin, begin, end);
    return m;
}

/* The next marked byte, or end. */
TBH_ALWAYS_INLINE const char *tbh_marks_next(tbh_marks *m, const char *begin, const char *end) {
    while (m->mask == 0) {
        if (end - m->block <= TBH_BLOCK) return end;
        m->block += TBH_BLOCK;
        m->mask = tbh_marks_of(begin, m->block, end);
    }
    const char *at = m->block + (tbh_scan_lowest_bit(m->mask) >> TBH_BLOCK_SHIFT);
    m->mask &= m->mask - 1;
    return at;
}

/* Drops the next mark, which is known to be at the byte after the one before. */
TBH_ALWAYS_INLINE void tbh_marks_drop(tbh_marks *m, const char *begin, const char *end) {
    if (TBH_UNLIKELY(m->mask == 0)) {
        m->block += TBH_BLOCK;
        m->mask = tbh_marks_of_tail(begin, m->block, end);
    }
    m->mask &= m->mask - 1;
}

/* The last stretch of a scan, shorter than a lane. */
TBH_FN const char *tbh_scan_control_tail(const char *begin, const char *p, const char *end);
TBH_FN bool tbh_scan_is_control(char c);
TBH_FN const char *tbh_scan_byte_tail(const char *begin, const char *p, const char *end, char c);

/* First control byte other than HTAB in [p, end), or end. Bytes from begin on may be read. */
TBH_ALWAYS_INLINE const char *tbh_scan_control(const char *begin, const char *p, const char *end) {
    while ((size_t)(end - p) >= TBH_LANE) {
        uint64_t mask = tbh_lane_control(tbh_lane_load(p));
        if (mask) return p + tbh_lane_first(mask);
        p += TBH_LANE;
    }
    return tbh_scan_control_tail(begin, p, end);
}

/* First byte c in [p, end), or end. Bytes from begin on may be read. */
TBH_ALWAYS_INLINE const char *tbh_scan_byte(const char *begin, const char *p, const char *end,
                                            char c) {
    while ((size_t)(end - p) >= TBH_LANE) {
        uint64_t mask = tbh_lane_equal(tbh_lane_load(p), c);
        if (mask) return p + tbh_lane_first(mask);
        p += TBH_LANE;
    }
    return tbh_scan_byte_tail(begin, p, end, c);
}

/* The rule of tbh_lane_differ without a byte behind the name: two halves that overlap, and for long
 * names the words between them. */
TBH_FN bool tbh_scan_is_word(const char *p, const char *lower, size_t n);

/* Is the name at p, n > 0 bytes, equal to one in lower case, whatever the case of its letters? A whole
 * lane can be read at `lower` and, if n is less, at p. */
TBH_ALWAYS_INLINE bool tbh_scan_is_name(const char *p, size_t n, const char *lower) {
    if (TBH_LIKELY(n < TBH_LANE))
        return tbh_lane_none(tbh_lane_differ(tbh_lane_load(p), tbh_lane_load(lower)), n);
    const size_t last = n - TBH_LANE;
    uint64_t differ = tbh_lane_differ(tbh_lane_load(p + last), tbh_lane_load(lower + last));
    for (size_t i = 0; i < last; i += TBH_LANE)
        differ |= tbh_lane_differ(tbh_lane_load(p + i), tbh_lane_load(lower + i));
    return differ == 0;
}

/* Are all n > 0 bytes at p letters, digits or '-'? False says nothing: ask tbh_scan_token then. A
 * whole lane can be read. */
TBH_ALWAYS_INLINE bool tbh_scan_is_common(const char *p, size_t n) {
    if (n < TBH_LANE) return tbh_lane_none(tbh_lane_odd(tbh_lane_load(p)), n);
    uint64_t odd = tbh_lane_odd(tbh_lane_load(p + n - TBH_LANE));
    for (size_t i = 0; i < n - TBH_LANE; i += TBH_LANE) odd |= tbh_lane_odd(tbh_lane_load(p + i));
    return odd == 0;
}

/* First byte in [p, end) that is no token character (RFC 9110 §5.6.2), or end. */
TBH_FN const char *tbh_scan_token(const char *p, const char *end);

/* ========================================================================
 * src/codec/scan.c
 * ======================================================================= */
/* Scans: the parts that are not worth inlining.
 * Owns nothing. Invariant: never reads outside the bytes it is given, so that input may end at the
 * last byte of a page. Input: any bytes. Does not know: lines, names, or why somebody looks. */

TBH_FN bool tbh_scan_is_control(char c) {
    return ((uint8_t)c < 0x20 && c != '\t') || c == 0x7f;
}

TBH_FN const char *tbh_scan_control_tail(const char *begin, const char *p, const char *end) {
    size_t left = (size_t)(end - p);
    if (left == 0) return end;
    if ((size_t)(end - begin) >= TBH_LANE) {
        uint64_t mask = tbh_lane_control(tbh_lane_load(end - TBH_LANE));
        mask = tbh_lane_skip(mask, TBH_LANE - left);
        return mask ? p + tbh_lane_first(mask) : end;
    }
    while (p < end && !tbh_scan_is_control(*p)) p++;
    return p;
}

TBH_FN uint64_t tbh_marks_of_tail(const char *begin, const char *block, const char *end) {
    size_t left = (size_t)(end - block);
    if (left >= TBH_BLOCK) return tbh_block_marks(block);
    if (left == 0) return 0;
    if ((size_t)(end - begin) >= TBH_BLOCK)
        return tbh_block_marks(end - TBH_BLOCK) >> ((TBH_BLOCK - left) << TBH_BLOCK_SHIFT);
    uint64_t mask = 0;
    for (size_t i = 0; i < left; i++)
        if (tbh_scan_is_control(block[i])) mask |= (uint64_t)1 << (i << TBH_BLOCK_SHIFT);
    return mask;
}

TBH_FN const char *tbh_scan_byte_tail(const char *begin, const char *p, const char *end, char c) {
    size_t left = (size_t)(end - p);
    if (left == 0) return end;
    if ((size_t)(end - begin) >= TBH_LANE) {
        uint64_t mask = tbh_lane_equal(tbh_lane_load(end - TBH_LANE), c);
        mask = tbh_lane_skip(mask, TBH_LANE - left);
        return mask ? p + tbh_lane_first(mask) : end;
    }
    while (p < end && *p != c) p++;
    return p;
}

TBH_FN const char *tbh_scan_token(const char *p, const char *end) {
    while (p < end) {
        if ((size_t)(end - p) >= TBH_LANE && !tbh_lane_odd(tbh_lane_load(p))) {
            p += TBH_LANE;
            continue;
        }
        const char *stop = p + tbh_min_size((size_t)(end - p), TBH_LANE);
        for (; p < stop; p++)
            if (!tbh_is_token_char((uint8_t)*p)) return p;
    }
    return p;
}

static uint64_t tbh_scan_differ8(const char *p, const char *lower) {
    return (tbh_load64(p) | UINT64_C(0x2020202020202020)) ^ tbh_load64(lower);
}

static uint32_t tbh_scan_differ4(const char *p, const char *lower) {
    return (tbh_load32(p) | 0x20202020u) ^ tbh_load32(lower);
}

TBH_FN bool tbh_scan_is_word(const char *p, const char *lower, size_t n) {
    if (n < 4) return tbh_equal_nocase(p, lower, n);
    if (n < 8)
        return (tbh_scan_differ4(p, lower) | tbh_scan_differ4(p + n - 4, lower + n - 4)) == 0;
    uint64_t differ = tbh_scan_differ8(p + n - 8, lower + n - 8);
    for (size_t i = 0; i + 8 < n; i += 8) differ |= tbh_scan_differ8(p + i, lower + i);
    return differ == 0;
}

/* ========================================================================
 * src/codec/header_id.h
 * ======================================================================= */
/* Well-known header names as small numbers (turbohttp_header_id). */

#define TBH_HEADER_NAMES (TURBOHTTP_HEADER_REFERER + 1)

/* Whole lanes can be read at the text. */
typedef struct tbh_header_name {
    char text[31]; /* lower case, zero behind */
    uint8_t length;
} tbh_header_name;

/* The id of a name in any case; TURBOHTTP_HEADER_OTHER for names that are not well known. A name
 * that has an id is a valid token. */
TBH_FN uint16_t tbh_header_id(const char *name, size_t n);
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
    { text, sizeof(text) - 1 }

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

/* The only id that a name of at least four bytes with a colon behind it can have, if it is as long;
 * otherwise 0. */
TBH_ALWAYS_INLINE unsigned tbh_header_candidate(const char *name, size_t n) {
    uint32_t ends = (tbh_load32_le(name) ^ tbh_load32_le(name + n - 3)) | 0x20202020u;
    unsigned id = tbh_header_slots[((ends + (uint32_t)n) * TBH_HEADER_HASH) >> 25];
    return tbh_header_names[id].length == n ? id : 0;
}

/* ========================================================================
 * src/codec/header_id.c
 * ======================================================================= */
/* Header names: the look-ups that are not worth inlining; the tables stand in header_id.h.
 * Owns nothing. Input: any bytes. Does not know: what a header means. */

TBH_FN uint16_t tbh_header_id_short(const char *name, size_t n) {
    static const uint8_t ids[] = {TURBOHTTP_HEADER_AGE, TURBOHTTP_HEADER_VIA, TURBOHTTP_HEADER_TE};
    for (size_t i = 0; i < sizeof ids; i++) {
        const tbh_header_name *row = &tbh_header_names[ids[i]];
        if (row->length == n && tbh_equal_nocase(name, row->text, n)) return ids[i];
    }
    return TURBOHTTP_HEADER_OTHER;
}

TBH_FN uint16_t tbh_header_id(const char *name, size_t n) {
    char line[sizeof(tbh_header_name)];
    if (n < 4) return tbh_header_id_short(name, n);
    if (n >= sizeof line || !tbh_is_token(name, n)) return TURBOHTTP_HEADER_OTHER;
    memcpy(line, name, n);
    line[n] = ':';
    return tbh_header_id_before_colon(line, n);
}

TBH_FN uint16_t tbh_header_id_before_colon(const char *name, size_t n) {
    if (n < 4) return tbh_header_id_short(name, n);
    unsigned id = tbh_header_candidate(name, n);
    if (!id) return TURBOHTTP_HEADER_OTHER;
    return tbh_scan_is_word(name, tbh_header_names[id].text, n) ? (uint16_t)id : 0;
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

/* ========================================================================
 * src/codec/h1_head.h
 * ======================================================================= */
/* HTTP/1.1 heads and trailer sections: what the engines use beside the public calls in api/h1.h. */

/* Parses a whole trailer section once, from its first byte to the CRLF after its last line.
 * PENDING when bytes are missing: for input in pieces use turbohttp_h1_trailer_parse, which keeps
 * the work linear. */
TBH_FN turbohttp_status tbh_h1_fields_parse(const char *data, size_t length,
                                            const turbohttp_head_limits *limits,
                                            turbohttp_header *table, uint32_t capacity,
                                            uint32_t *count, size_t *consumed,
                                            uint64_t *error_offset);
/* Takes the next element of a comma list (RFC 9110 §5.6.1), blanks trimmed, perhaps empty; false
 * after the last one. `rest` begins as the whole value. */
TBH_FN bool tbh_list_next(turbohttp_span *rest, turbohttp_span *element);

/* ========================================================================
 * src/codec/h1_head.c
 * ======================================================================= */
/* Response heads of HTTP/1.x: status line, header lines, and the framing that follows from them.
 *
 * Owns nothing: rows go to the caller's table and are slices of the caller's bytes.
 * One run goes once over the bytes, line by line, and stops at the first fault in their order.
 * What a run says depends on the bytes alone, and a fault stays the same fault when bytes follow;
 * that is what makes every split come to the same end. A head that is not complete at the first
 * call is from then on only searched for its end (each byte once), and then parsed once more.
 * Input language: RFC 9112 §4, §5, §6 with none of the leniencies it permits.
 * Does not know: connections, bodies, requests (but whether it was HEAD). */

#define TBH_H1_HEAD_BYTES   65536u
#define TBH_H1_LINE_BYTES   16384u
#define TBH_H1_LINE_MAX     65535u /* name_length has 16 bits */
#define TBH_H1_HEADER_COUNT 128u
/* So few bytes are parsed at each call, so that the first wrong one is seen at once. */
#define TBH_H1_EAGER_BYTES  16u

#define TBH_H1_BIT(name)    ((uint64_t)1 << TURBOHTTP_HEADER_##name)

/* Headers with a meaning for the head itself. */
#define TBH_H1_WATCHED_IN_HEAD                                                                     \
    (TBH_H1_BIT(CONTENT_LENGTH) | TBH_H1_BIT(TRANSFER_ENCODING) | TBH_H1_BIT(CONNECTION) |         \
     TBH_H1_BIT(CONTENT_ENCODING) | TBH_H1_BIT(LOCATION))
/* RFC 9110 §6.5.1: framing, routing, authentication, response control and content format. */
#define TBH_H1_REFUSED_IN_TRAILER                                                                  \
    (TBH_H1_WATCHED_IN_HEAD | TBH_H1_BIT(KEEP_ALIVE) | TBH_H1_BIT(CONTENT_TYPE) |                  \
     TBH_H1_BIT(CONTENT_RANGE) | TBH_H1_BIT(SET_COOKIE) | TBH_H1_BIT(CACHE_CONTROL) |              \
     TBH_H1_BIT(EXPIRES) | TBH_H1_BIT(AGE) | TBH_H1_BIT(VARY) | TBH_H1_BIT(RETRY_AFTER) |          \
     TBH_H1_BIT(WWW_AUTHENTICATE) | TBH_H1_BIT(PROXY_AUTHENTICATE) | TBH_H1_BIT(TRAILER) |         \
     TBH_H1_BIT(UPGRADE) | TBH_H1_BIT(HOST) | TBH_H1_BIT(TE) | TBH_H1_BIT(AUTHORIZATION) |         \
     TBH_H1_BIT(PROXY_AUTHORIZATION) | TBH_H1_BIT(PROXY_CONNECTION))

/* One run over the bytes, and what the watched headers said so far. */
typedef struct tbh_h1_run {
    const char *begin, *end; /* the bytes, cut at the limit on the head */
    const char *fault;       /* the byte at fault */
    turbohttp_header *table;
    uint64_t watched; /* one bit for each id that tbh_h1_meaning must see */
    uint32_t count, capacity;
    uint32_t line_bytes, head_bytes;
    turbohttp_status status; /* why a function returned NULL */
    bool in_trailer;
    tbh_marks marks; /* where lines may end */

    bool has_content_length, says_close, says_keep_alive, says_upgrade;
    uint8_t coding_layers;
    turbohttp_content_coding coding;
    uint64_t content_length;
    const char *chunked; /* the value of Transfer-Encoding */
    const turbohttp_header *location;
} tbh_h1_run;

static uint32_t tbh_h1_limit(uint32_t wanted, uint32_t standard) {
    return wanted ? wanted : standard;
}

static void tbh_h1_run_init(tbh_h1_run *r, const char *data, size_t length,
                            const turbohttp_head_limits *limits, turbohttp_header *table,
                            uint32_t capacity) {
    static const turbohttp_head_limits standard = {0, 0, 0};
    if (!limits) limits = &standard;
    memset(r, 0, sizeof *r);
    uint32_t header_count = tbh_h1_limit(limits->header_count, TBH_H1_HEADER_COUNT);
    uint32_t line_bytes = tbh_h1_limit(limits->line_bytes, TBH_H1_LINE_BYTES);
    r->head_bytes = tbh_h1_limit(limits->head_bytes, TBH_H1_HEAD_BYTES);
    if (r->head_bytes < 2) r->head_bytes = 2; /* an empty trailer section always fits */
    r->line_bytes = line_bytes < TBH_H1_LINE_MAX ? line_bytes : TBH_H1_LINE_MAX;
    r->capacity = header_count < capacity ? header_count : capacity;
    r->table = table;
    r->begin = data;
    r->end = data + tbh_min_size(length, r->head_bytes);
    r->watched = TBH_H1_WATCHED_IN_HEAD;
    r->marks = tbh_marks_start(r->begin, r->end);
}

/* ------------------------------------------------------------ lines */
/* Ends the run at a byte of a line. Beyond the limit it is a long line before it is a bad one. */
static const char *tbh_h1_stop(tbh_h1_run *r, const char *line, const char *at,
                               turbohttp_status status) {
    bool too_long = (size_t)(at - line) > r->line_bytes;
    r->fault = too_long ? line + r->line_bytes : at;
    r->status = too_long ? TURBOHTTP_ERR_LINE_TOO_LONG : status;
    return NULL;
}

/* The line does not end with CRLF at `at`: more bytes may mend it, or nothing can. */
static TBH_NOINLINE const char *tbh_h1_stop_at_end(tbh_h1_run *r, const char *line, const char *at,
                                                   turbohttp_status status) {
    bool cut = at == r->end || (*at == '\r' && at + 1 == r->end);
    return tbh_h1_stop(r, line, at, cut ? TURBOHTTP_PENDING : status);
}

/* A header line without a good name, or without its CRLF at `at`: which byte is the first wrong one?
 * Blanks before the colon, a folded line and an empty name are bytes that no token has. */
static TBH_NOINLINE const char *tbh_h1_stop_in_field(tbh_h1_run *r, const char *line,
                                                     const char *at) {
    const char *token_end = tbh_scan_token(line, at);
    bool named = token_end == at || (token_end > line && *token_end == ':');
    if (!named) return tbh_h1_stop(r, line, token_end, TURBOHTTP_ERR_HEADER_LINE);
    return tbh_h1_stop_at_end(r, line, at, TURBOHTTP_ERR_HEADER_LINE);
}

/* What the loop over lines looks at all the time: a copy that nothing else points to stays in
 * registers. */
typedef struct tbh_h1_bounds {
    const char *begin, *end;
    const char *last;     /* the last byte */
    const char *lane_end; /* from before it, a lane can be read */
    size_t line_bytes;
} tbh_h1_bounds;

static tbh_h1_bounds tbh_h1_bounds_of(const tbh_h1_run *r) {
    tbh_h1_bounds b;
    b.begin = r->begin;
    b.end = r->end;
    b.last = r->end - 1;
    b.lane_end = r->end - r->begin >= TBH_LANE ? r->end - TBH_LANE + 1 : r->begin;
    b.line_bytes = r->line_bytes;
    return b;
}

TBH_ALWAYS_INLINE bool tbh_h1_is_blank(char c) {
    return c == ' ' || c == '\t';
}

TBH_ALWAYS_INLINE bool tbh_h1_is_crlf(const char *p) {
    uint16_t found, crlf;
    memcpy(&found, p, 2);
    memcpy(&crlf, "\r\n", 2);
    return found == crlf;
}

TBH_ALWAYS_INLINE bool tbh_h1_ends_line(const tbh_h1_bounds *b, const char *line, const char *at) {
    return at < b->last && tbh_h1_is_crlf(at) && (size_t)(at - line) <= b->line_bytes;
}

/* One blank is how nearly every line looks. Two bytes can be read even at the end, the CRLF. */
TBH_ALWAYS_INLINE const char *tbh_h1_skip_blanks(const char *p, const char *end) {
    if (TBH_LIKELY(p[0] == ' ' && (uint8_t)p[1] > ' ')) return p + 1;
    while (p < end && tbh_h1_is_blank(*p)) p++;
    return p;
}

typedef struct tbh_h1_place {
    const char *at;
    tbh_marks marks; /* those behind it */
} tbh_h1_place;

/* `at` is marked, but no line ends there: on to the next byte that is a control byte in earnest.
 * By value, so that the caller can keep its marks in registers. */
static TBH_NOINLINE tbh_h1_place tbh_h1_line_goes_on(const tbh_h1_run *r, const char *at,
                                                     tbh_marks marks) {
    tbh_h1_place place;
    while (at < r->end && !tbh_scan_is_control(*at)) at = tbh_marks_next(&marks, r->begin, r->end);
    place.at = at;
    place.marks = marks;
    return place;
}

typedef struct tbh_h1_name {
    const char *colon;
    int id; /* -1: not a token before a colon */
} tbh_h1_name;

TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_named(const char *colon, int id) {
    tbh_h1_name name;
    name.colon = colon;
    name.id = id;
    return name;
}

/* Names that are short, rare, or so near the end that no lane can be read. */
static TBH_NOINLINE tbh_h1_name tbh_h1_odd_name(const char *line, const char *colon) {
    bool token = colon > line && tbh_scan_token(line, colon) == colon;
    if (!token) return tbh_h1_named(colon, -1);
    return tbh_h1_named(colon, tbh_header_id_before_colon(line, (size_t)(colon - line)));
}

/* The name of a line from which a lane can be read. */
TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_name_of(const tbh_h1_bounds *b, const char *line) {
    const char *colon;
    uint64_t mask = tbh_lane_equal(tbh_lane_load(line), ':');
    if (TBH_LIKELY(mask)) {
        colon = line + tbh_lane_first(mask);
    } else {
        colon = tbh_scan_byte(b->begin, line + TBH_LANE, b->end, ':');
        if (colon == b->end) return tbh_h1_named(b->end, -1);
    }
    size_t n = (size_t)(colon - line);
    if (TBH_UNLIKELY(n < 4)) return tbh_h1_odd_name(line, colon);
    unsigned id = tbh_header_candidate(line, n);
    if (id && tbh_scan_is_name(line, n, tbh_header_names[id].text))
        return tbh_h1_named(colon, (int)id);
    if (tbh_scan_is_common(line, n)) return tbh_h1_named(colon, 0);
    return tbh_h1_odd_name(line, colon);
}

/* The same for the last lines, where a lane would reach beyond the end. */
static TBH_NOINLINE tbh_h1_name tbh_h1_name_near_end(const char *begin, const char *end,
                                                     const char *line) {
    const char *colon = tbh_scan_byte(begin, line, end, ':');
    if (colon == end) return tbh_h1_named(colon, -1);
    uint16_t id = tbh_header_id_before_colon(line, (size_t)(colon - line));
    return id ? tbh_h1_named(colon, id) : tbh_h1_odd_name(line, colon);
}

TBH_ALWAYS_INLINE void tbh_h1_row_fill(turbohttp_header *row, const char *line, tbh_h1_name name,
                                       const char *at) {
    const char *value = tbh_h1_skip_blanks(name.colon + 1, at), *value_end = at;
    while ((uint8_t)value_end[-1] <= ' ' && value_end > value) value_end--;
    row->name = line;
    row->value = value;
    row->value_length = (uint32_t)(value_end - value);
    row->name_length = (uint16_t)(name.colon - line);
    row->id = (uint16_t)name.id;
}

/* Parses the header line from `line` to `at`, the next marked byte, into a row; returns the next line,
 * or NULL with the status. */
TBH_ALWAYS_INLINE const char *tbh_h1_field_line(tbh_h1_run *r, const tbh_h1_bounds *b,
                                                tbh_marks *marks, const char *line, const char *at,
                                                turbohttp_header *row) {
    if (TBH_UNLIKELY(!tbh_h1_ends_line(b, line, at))) {
        tbh_h1_place place = tbh_h1_line_goes_on(r, at, *marks);
        at = place.at;
        *marks = place.marks;
        if (!tbh_h1_ends_line(b, line, at)) return tbh_h1_stop_in_field(r, line, at);
    }
    tbh_marks_drop(marks, b->begin, b->end);
    tbh_h1_name name = TBH_LIKELY(line < b->lane_end)
                           ? tbh_h1_name_of(b, line)
                           : tbh_h1_name_near_end(b->begin, b->end, line);
    if (TBH_UNLIKELY(name.colon >= at || name.id < 0)) return tbh_h1_stop_in_field(r, line, at);
    tbh_h1_row_fill(row, line, name, at);
    return at + 2;
}

/* ------------------------------------------------------------ headers with a meaning */
TBH_FN bool tbh_list_next(turbohttp_span *rest, turbohttp_span *element) {
    if (!rest->data) return false;
    const char *p = rest->data, *end = p + rest->length;
    const char *comma = p;
    while (comma < end && *comma != ',') comma++;
    const char *stop = comma;
    while (p < stop && tbh_h1_is_blank(*p)) p++;
    while (stop > p && tbh_h1_is_blank(stop[-1])) stop--;
    *element = tbh_span(p, (size_t)(stop - p));
    bool last = comma == end;
    *rest = last ? tbh_span(NULL, 0) : tbh_span(comma + 1, (size_t)(end - comma - 1));
    return true;
}

/* Is it that word, in any case? */
static bool tbh_h1_is(turbohttp_span a, const char *word, size_t n) {
    return a.length == n && tbh_scan_is_word(a.data, word, n);
}

/* Up to 18 digits cannot overflow; anything else is for the careful function. */
static bool tbh_h1_number(turbohttp_span text, uint64_t *n) {
    uint64_t value = 0;
    if (text.length > 18) return tbh_parse_u64(text.data, text.length, INT64_MAX, n);
    for (size_t i = 0; i < text.length; i++) {
        if (!tbh_is_digit((uint8_t)text.data[i])) return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *n = value;
    return text.length > 0;
}

static turbohttp_status tbh_h1_one_length(tbh_h1_run *r, uint64_t n) {
    if (r->has_content_length && n != r->content_length) return TURBOHTTP_ERR_CONTENT_LENGTH;
    r->has_content_length = true;
    r->content_length = n;
    return TURBOHTTP_OK;
}

/* RFC 9112 §6.3: a list of equal values counts as one; anything else that is not digits is refused. */
static turbohttp_status tbh_h1_content_length(tbh_h1_run *r, turbohttp_span rest) {
    uint64_t n = 0;
    turbohttp_span element;
    if (TBH_LIKELY(tbh_h1_number(rest, &n))) return tbh_h1_one_length(r, n);
    while (tbh_list_next(&rest, &element)) {
        if (!tbh_h1_number(element, &n)) return TURBOHTTP_ERR_CONTENT_LENGTH;
        if (tbh_h1_one_length(r, n) != TURBOHTTP_OK) return TURBOHTTP_ERR_CONTENT_LENGTH;
    }
    return TURBOHTTP_OK;
}

/* One `chunked` and nothing else: every other list is either unknown to us or ambiguous. */
static turbohttp_status tbh_h1_transfer_encoding(tbh_h1_run *r, turbohttp_span value) {
    if (r->chunked || !tbh_h1_is(value, "chunked", 7)) return TURBOHTTP_ERR_TRANSFER_ENCODING;
    r->chunked = value.data;
    return TURBOHTTP_OK;
}

static bool tbh_h1_option(tbh_h1_run *r, turbohttp_span option) {
    if (tbh_h1_is(option, "keep-alive", 10)) return r->says_keep_alive = true;
    if (tbh_h1_is(option, "close", 5)) return r->says_close = true;
    if (tbh_h1_is(option, "upgrade", 7)) return r->says_upgrade = true;
    return false;
}

static turbohttp_status tbh_h1_connection(tbh_h1_run *r, turbohttp_span rest) {
    turbohttp_span option;
    if (tbh_h1_option(r, rest)) return TURBOHTTP_OK;
    while (tbh_list_next(&rest, &option)) tbh_h1_option(r, option);
    return TURBOHTTP_OK;
}

static turbohttp_content_coding tbh_h1_coding_of(turbohttp_span name) {
    if (tbh_h1_is(name, "gzip", 4)) return TURBOHTTP_CODING_GZIP;
    if (tbh_span_equal_nocase(name, "x-gzip")) return TURBOHTTP_CODING_GZIP;
    if (tbh_h1_is(name, "deflate", 7)) return TURBOHTTP_CODING_DEFLATE;
    return TURBOHTTP_CODING_OTHER;
}

static turbohttp_status tbh_h1_content_encoding(tbh_h1_run *r, turbohttp_span rest) {
    turbohttp_span layer;
    while (tbh_list_next(&rest, &layer)) {
        if (layer.length == 0 || tbh_span_equal_nocase(layer, "identity")) continue;
        r->coding = r->coding_layers ? TURBOHTTP_CODING_OTHER : tbh_h1_coding_of(layer);
        r->coding_layers = 1;
    }
    return TURBOHTTP_OK;
}

/* Two targets are no target: whoever picks one may pick the attacker's. */
static turbohttp_status tbh_h1_location(tbh_h1_run *r, const turbohttp_header *row) {
    const turbohttp_header *first = r->location;
    r->location = row;
    if (!first) return TURBOHTTP_OK;
    bool same = first->value_length == row->value_length &&
                memcmp(first->value, row->value, row->value_length) == 0;
    return same ? TURBOHTTP_OK : TURBOHTTP_ERR_HEADER_LINE;
}

static TBH_NOINLINE turbohttp_status tbh_h1_meaning(tbh_h1_run *r, const turbohttp_header *row) {
    turbohttp_span value = tbh_span(row->value, row->value_length);
    if (r->in_trailer) return TURBOHTTP_ERR_HEADER_LINE;
    switch (row->id) {
    case TURBOHTTP_HEADER_CONTENT_LENGTH: return tbh_h1_content_length(r, value);
    case TURBOHTTP_HEADER_TRANSFER_ENCODING: return tbh_h1_transfer_encoding(r, value);
    case TURBOHTTP_HEADER_CONNECTION: return tbh_h1_connection(r, value);
    case TURBOHTTP_HEADER_CONTENT_ENCODING: return tbh_h1_content_encoding(r, value);
    default: return tbh_h1_location(r, row);
    }
}

/* ------------------------------------------------------------ sections */
static turbohttp_status tbh_h1_fail(tbh_h1_run *r, const char *at, turbohttp_status status) {
    r->fault = at;
    return status;
}

/* The line at p is marked at its first byte: the empty line that ends the section, or a bad one. */
static turbohttp_status tbh_h1_last_line(tbh_h1_run *r, const char *p, const char **after) {
    if (p == r->end || (*p == '\r' && p + 1 == r->end)) return TURBOHTTP_PENDING;
    if (*p != '\r' && r->count == r->capacity)
        return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
    if (*p != '\r' || p[1] != '\n') return tbh_h1_fail(r, p, TURBOHTTP_ERR_HEADER_LINE);
    *after = p + 2;
    return TURBOHTTP_OK;
}

/* Header lines up to the empty one. Each turn takes one line and at most `capacity` are taken. */
static turbohttp_status tbh_h1_fields(tbh_h1_run *r, const char *p, const char **after) {
    const tbh_h1_bounds bounds = tbh_h1_bounds_of(r);
    const uint64_t watched = r->watched;
    tbh_marks marks = r->marks;
    turbohttp_header *row = r->table, *const table_end = row + r->capacity;
    for (;; row++) {
        const char *at = tbh_marks_next(&marks, bounds.begin, bounds.end);
        if (at == p) break;
        if (row == table_end) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
        p = tbh_h1_field_line(r, &bounds, &marks, p, at, row);
        if (!p) return r->status;
        if (TBH_LIKELY(!(watched >> row->id & 1))) continue;
        turbohttp_status status = tbh_h1_meaning(r, row);
        if (status != TURBOHTTP_OK) return tbh_h1_fail(r, row->value, status);
    }
    r->count = (uint32_t)(row - r->table);
    return tbh_h1_last_line(r, p, after);
}

/* Finds the first byte that is not as RFC 9112 §4 says: '0' stands for any digit, '1' for 1 to 9. */
static TBH_NOINLINE const char *tbh_h1_stop_at_status(tbh_h1_run *r) {
    static const char shape[] = "HTTP/1.0 100";
    const char *p = r->begin;
    for (size_t i = 0; i < sizeof shape - 1; i++, p++) {
        if (p == r->end) return tbh_h1_stop(r, r->begin, p, TURBOHTTP_PENDING);
        bool digit = i >= 7 && i != 8;
        bool good =
            digit ? tbh_is_digit((uint8_t)*p) && (*p != '0' || shape[i] == '0') : *p == shape[i];
        if (good) continue;
        return tbh_h1_stop(r, r->begin, p,
                           i < 7 ? TURBOHTTP_ERR_NOT_HTTP : TURBOHTTP_ERR_STATUS_LINE);
    }
    if (p < r->end && *p == ' ') p = tbh_scan_control(r->begin, p, r->end);
    return tbh_h1_stop_at_end(r, r->begin, p, TURBOHTTP_ERR_STATUS_LINE);
}

static bool tbh_h1_has_status(const tbh_h1_run *r) {
    const char *p = r->begin;
    return r->end - p >= 14 && memcmp(p, "HTTP/1.", 7) == 0 && tbh_is_digit((uint8_t)p[7]) &&
           p[8] == ' ' && (uint8_t)(p[9] - '1') < 9 && tbh_is_digit((uint8_t)p[10]) &&
           tbh_is_digit((uint8_t)p[11]) && (p[12] == ' ' || p[12] == '\r');
}

/* The blank before an absent reason phrase is often left out, and means nothing. */
static const char *tbh_h1_status_line(tbh_h1_run *r, turbohttp_h1_head *out) {
    const char *p = r->begin;
    if (!tbh_h1_has_status(r)) return tbh_h1_stop_at_status(r);
    const char *reason = p + (p[12] == ' ' ? 13 : 12);
    const tbh_h1_bounds bounds = tbh_h1_bounds_of(r);
    tbh_h1_place place;
    place.at = tbh_marks_next(&r->marks, r->begin, r->end);
    if (TBH_UNLIKELY(!tbh_h1_ends_line(&bounds, p, place.at))) {
        place = tbh_h1_line_goes_on(r, place.at, r->marks);
        r->marks = place.marks;
    }
    const char *at = place.at;
    if (!tbh_h1_ends_line(&bounds, p, at))
        return tbh_h1_stop_at_end(r, p, at, TURBOHTTP_ERR_STATUS_LINE);
    tbh_marks_drop(&r->marks, r->begin, r->end);
    out->minor_version = p[7] != '0';
    out->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    out->reason = tbh_span(reason, (size_t)(at - reason));
    return at + 2;
}

/* RFC 9112 §6.3, in its order; both lengths at once is the classic smuggling and refused. */
static turbohttp_status tbh_h1_decide(tbh_h1_run *r, bool request_was_head,
                                      turbohttp_h1_head *out) {
    bool bodiless =
        request_was_head || out->status < 200 || out->status == 204 || out->status == 304;
    if (r->chunked && (r->has_content_length || out->minor_version == 0))
        return tbh_h1_fail(r, r->chunked, TURBOHTTP_ERR_TRANSFER_ENCODING);
    out->framing = bodiless                ? TURBOHTTP_FRAMING_NONE
                   : r->chunked            ? TURBOHTTP_FRAMING_CHUNKED
                   : r->has_content_length ? TURBOHTTP_FRAMING_LENGTH
                                           : TURBOHTTP_FRAMING_UNTIL_CLOSE;
    out->keep_alive = !r->says_close && (out->minor_version || r->says_keep_alive) &&
                      out->framing != TURBOHTTP_FRAMING_UNTIL_CLOSE;
    out->connection_upgrade = r->says_upgrade;
    out->has_content_length = r->has_content_length;
    out->content_length = r->content_length;
    out->content_coding = r->coding;
    out->headers = r->table;
    out->header_count = r->count;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ input in pieces */
/* Goes on searching for something that a run must look at: the empty line, a limit, or a control
 * byte that no head may have. False while there is none. */
static bool tbh_h1_seek(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
    const char *p = r->begin + s->scanned, *line = r->begin + s->line_start;
    while (p < r->end) {
        p = tbh_scan_control(r->begin, p, r->end);
        if (r->end - p < 2) break;
        if (p[0] != '\r' || p[1] != '\n' || p == line) return true;
        if ((size_t)(p - line) > r->line_bytes) return true;
        p += 2;
        line = p;
    }
    if (p < r->end && *p != '\r') return true;
    s->scanned = (uint32_t)(p - r->begin);
    s->line_start = (uint32_t)(line - r->begin);
    return (size_t)(r->end - line) > r->line_bytes || (size_t)(r->end - r->begin) == r->head_bytes;
}

/* Is a run worth its work? At the first call, on the first bytes, and when the search has found. */
static bool tbh_h1_must_wait(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
    bool eager = s->attempts == 0 || (size_t)(r->end - r->begin) <= TBH_H1_EAGER_BYTES;
    if (!eager && !tbh_h1_seek(s, r)) return true;
    s->attempts++;
    return false;
}

static turbohttp_status tbh_h1_finish(const tbh_h1_run *r, turbohttp_status status,
                                      uint64_t *error_offset) {
    const char *fault = r->fault;
    if (status == TURBOHTTP_PENDING && (size_t)(r->end - r->begin) == r->head_bytes) {
        status = TURBOHTTP_ERR_HEAD_TOO_LARGE;
        fault = r->end;
    }
    if (error_offset && status < TURBOHTTP_OK) *error_offset = (uint64_t)(fault - r->begin);
    return status;
}

TURBOHTTP_API void turbohttp_h1_head_parser_init(turbohttp_h1_head_parser *parser) {
    memset(parser, 0, sizeof *parser);
}

TURBOHTTP_API turbohttp_status turbohttp_h1_head_parse(
    turbohttp_h1_head_parser *parser, const char *data, size_t length, bool request_was_head,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    turbohttp_h1_head *out, uint64_t *error_offset) {
    tbh_h1_run r;
    if (length == 0) return TURBOHTTP_PENDING;
    tbh_h1_run_init(&r, data, length, limits, table, table_capacity);
    if (tbh_h1_must_wait(parser, &r)) return TURBOHTTP_PENDING;
    const char *after = NULL, *fields = tbh_h1_status_line(&r, out);
    turbohttp_status status = fields ? tbh_h1_fields(&r, fields, &after) : r.status;
    if (status == TURBOHTTP_OK) status = tbh_h1_decide(&r, request_was_head, out);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(&r, status, error_offset);
    out->head_length = (uint32_t)(after - data);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_trailer_run(tbh_h1_run *r, uint32_t *count, size_t *consumed,
                                           uint64_t *error_offset) {
    const char *after = NULL;
    r->in_trailer = true;
    r->watched = TBH_H1_REFUSED_IN_TRAILER;
    turbohttp_status status = tbh_h1_fields(r, r->begin, &after);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(r, status, error_offset);
    *count = r->count;
    *consumed = (size_t)(after - r->begin);
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_h1_fields_parse(const char *data, size_t length,
                                            const turbohttp_head_limits *limits,
                                            turbohttp_header *table, uint32_t capacity,
                                            uint32_t *count, size_t *consumed,
                                            uint64_t *error_offset) {
    tbh_h1_run r;
    if (length == 0) return TURBOHTTP_PENDING;
    tbh_h1_run_init(&r, data, length, limits, table, capacity);
    return tbh_h1_trailer_run(&r, count, consumed, error_offset);
}

TURBOHTTP_API turbohttp_status turbohttp_h1_trailer_parse(
    turbohttp_h1_head_parser *parser, const char *data, size_t length,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    uint32_t *field_count, size_t *consumed, uint64_t *error_offset) {
    tbh_h1_run r;
    if (length == 0) return TURBOHTTP_PENDING;
    if (length >= 2 && data[0] == '\r' && data[1] == '\n') { /* nearly always */
        *field_count = 0;
        *consumed = 2;
        return TURBOHTTP_OK;
    }
    tbh_h1_run_init(&r, data, length, limits, table, table_capacity);
    if (tbh_h1_must_wait(parser, &r)) return TURBOHTTP_PENDING;
    return tbh_h1_trailer_run(&r, field_count, consumed, error_offset);
}

/* ========================================================================
 * src/codec/h1_chunked.h
 * ======================================================================= */
/* The chunked coding (RFC 9112 §7.1): what the engines use beside the decoder in api/h1.h. */

/* Writes the line before a chunk of `size` bytes, hexadecimal and CRLF; returns its bytes, at most
 * 18. Size 0 writes the last chunk's line; the trailer section's CRLF is the caller's. */
TBH_FN size_t tbh_chunk_head_write(char out[20], uint64_t size);

/* ========================================================================
 * src/codec/h1_chunked.c
 * ======================================================================= */
/* The chunked coding: hands out runs of body bytes inside the input, and writes chunk heads.
 *
 * Owns nothing. A chunk's line goes through a table (state x class of byte -> state), unless all of
 * it is there and is digits and CRLF, which is how nearly every line looks.
 * Input language: RFC 9112 §7.1 to the letter: a size of at least one digit below 2^63, well-formed
 * extensions (which mean nothing to us), blanks only where the grammar has BWS, never before CRLF.
 * Bounds: one line, and the sum of all framing in proportion to the body (Go CVE-2023-39326).
 * Does not know: trailers (h1_head.c), where the bytes come from, what the body means. */

#define TBH_CHUNK_LINE_BYTES 256
#define TBH_CHUNK_OVERHEAD   16384
#define TBH_CHUNK_PER_BYTE   16
/* Credit stops growing here, so that it cannot overflow; a body is never that thin. */
#define TBH_CHUNK_CREDIT     ((int64_t)1 << 60)
#define TBH_CHUNK_FAST       12 /* bytes that a plain line of up to ten digits can have */

/* States of a line; those from CHUNK_DATA on are not in the table. */
enum {
    TBH_CHUNK_START,     /* before the first digit */
    TBH_CHUNK_SIZE,      /* after a digit */
    TBH_CHUNK_BLANK,     /* BWS that only ';' may end */
    TBH_CHUNK_SEMICOLON, /* after ';', BWS included */
    TBH_CHUNK_NAME,      /* in an extension's name */
    TBH_CHUNK_NAME_END,  /* BWS after the name */
    TBH_CHUNK_EQUALS,    /* after '=', BWS included */
    TBH_CHUNK_TOKEN,     /* in a value */
    TBH_CHUNK_QUOTED,    /* in a quoted value */
    TBH_CHUNK_ESCAPE,    /* after a backslash there */
    TBH_CHUNK_UNQUOTED,  /* after the closing quote */
    TBH_CHUNK_CR,        /* LF must follow */
    TBH_CHUNK_LINE_END,  /* the line is complete */
    TBH_CHUNK_ROWS = TBH_CHUNK_CR,
    TBH_CHUNK_DATA = 16,
    TBH_CHUNK_DATA_CR, /* CRLF must follow the data */
    TBH_CHUNK_DATA_LF,
    TBH_CHUNK_LAST,
    TBH_CHUNK_BAD_LINE, /* the two errors, kept */
    TBH_CHUNK_BAD_OVERHEAD
};

enum { /* classes of bytes */
       TBH_CHUNK_C_HEX,
       TBH_CHUNK_C_TCHAR,
       TBH_CHUNK_C_SEMICOLON,
       TBH_CHUNK_C_EQUALS,
       TBH_CHUNK_C_BLANK,
       TBH_CHUNK_C_QUOTE,
       TBH_CHUNK_C_BACKSLASH,
       TBH_CHUNK_C_CR,
       TBH_CHUNK_C_TEXT,
       TBH_CHUNK_C_BAD,
       TBH_CHUNK_CLASSES
};

#define TBH_CHUNK_NO TBH_CHUNK_BAD_LINE

/* clang-format off */
static const uint8_t tbh_chunk_next[TBH_CHUNK_ROWS][TBH_CHUNK_CLASSES] = {
    /*               hex                 tchar               ;                    =                 blank               "                   backslash         CR            text              bad */
    /* START */     {TBH_CHUNK_SIZE,     TBH_CHUNK_NO,              TBH_CHUNK_NO,               TBH_CHUNK_NO,            TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* SIZE */      {TBH_CHUNK_SIZE,     TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* BLANK */     {TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* SEMICOLON */ {TBH_CHUNK_NAME,     TBH_CHUNK_NAME,     TBH_CHUNK_NO,               TBH_CHUNK_NO,            TBH_CHUNK_SEMICOLON,TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* NAME */      {TBH_CHUNK_NAME,     TBH_CHUNK_NAME,     TBH_CHUNK_SEMICOLON, TBH_CHUNK_EQUALS, TBH_CHUNK_NAME_END, TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* NAME_END */  {TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_EQUALS, TBH_CHUNK_NAME_END, TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* EQUALS */    {TBH_CHUNK_TOKEN,    TBH_CHUNK_TOKEN,    TBH_CHUNK_NO,               TBH_CHUNK_NO,            TBH_CHUNK_EQUALS,   TBH_CHUNK_QUOTED,   TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* TOKEN */     {TBH_CHUNK_TOKEN,    TBH_CHUNK_TOKEN,    TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* QUOTED */    {TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,    TBH_CHUNK_QUOTED, TBH_CHUNK_QUOTED,   TBH_CHUNK_UNQUOTED, TBH_CHUNK_ESCAPE, TBH_CHUNK_NO,        TBH_CHUNK_QUOTED, TBH_CHUNK_NO},
    /* ESCAPE */    {TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,    TBH_CHUNK_QUOTED, TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED, TBH_CHUNK_NO,        TBH_CHUNK_QUOTED, TBH_CHUNK_NO},
    /* UNQUOTED */  {TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
};
/* clang-format on */

static unsigned tbh_chunk_class(uint8_t c) {
    if (tbh_hex_value(c) >= 0) return TBH_CHUNK_C_HEX;
    if (tbh_is_token_char(c)) return TBH_CHUNK_C_TCHAR;
    switch (c) {
    case ';': return TBH_CHUNK_C_SEMICOLON;
    case '=': return TBH_CHUNK_C_EQUALS;
    case ' ':
    case '\t': return TBH_CHUNK_C_BLANK;
    case '"': return TBH_CHUNK_C_QUOTE;
    case '\\': return TBH_CHUNK_C_BACKSLASH;
    case '\r': return TBH_CHUNK_C_CR;
    default: return c < 0x20 || c == 0x7f ? TBH_CHUNK_C_BAD : TBH_CHUNK_C_TEXT;
    }
}

TURBOHTTP_API void turbohttp_chunked_init(turbohttp_chunked *chunked) {
    memset(chunked, 0, sizeof *chunked);
    chunked->budget = TBH_CHUNK_OVERHEAD;
    chunked->state = TBH_CHUNK_START;
}

/* ------------------------------------------------------------ the line of a chunk */
/* One byte of a line, one step; errors are states too. */
static uint8_t tbh_chunk_step(turbohttp_chunked *c, uint8_t byte) {
    if (c->state == TBH_CHUNK_CR) return byte == '\n' ? TBH_CHUNK_LINE_END : TBH_CHUNK_BAD_LINE;
    uint8_t to = tbh_chunk_next[c->state][tbh_chunk_class(byte)];
    if (to < TBH_CHUNK_CR && c->line_length == TBH_CHUNK_LINE_BYTES) return TBH_CHUNK_BAD_OVERHEAD;
    c->line_length++;
    if (to != TBH_CHUNK_SIZE) return to;
    if (c->remaining > (uint64_t)INT64_MAX >> 4) return TBH_CHUNK_BAD_LINE;
    c->remaining = c->remaining << 4 | (uint64_t)tbh_hex_value(byte);
    return to;
}

/* The line is complete; `bytes` is its length with CRLF. The CRLF after the data, which must come,
 * is paid here as well. */
static void tbh_chunk_line_done(turbohttp_chunked *c, unsigned bytes) {
    c->line_length = 0;
    c->budget -= (int64_t)bytes + (c->remaining ? 2 : 0);
    c->state = c->budget < 0  ? TBH_CHUNK_BAD_OVERHEAD
               : c->remaining ? TBH_CHUNK_DATA
                              : TBH_CHUNK_LAST;
}

static const uint8_t *tbh_chunk_line(turbohttp_chunked *c, const uint8_t *p, const uint8_t *end) {
    while (p < end && c->state < TBH_CHUNK_LINE_END) c->state = tbh_chunk_step(c, *p++);
    if (c->state == TBH_CHUNK_LINE_END) tbh_chunk_line_done(c, c->line_length + 1u);
    return p;
}

/* The bytes of a line of digits and CRLF, and its size; 0 for any other line. TBH_CHUNK_FAST bytes
 * are there. */
TBH_ALWAYS_INLINE unsigned tbh_chunk_plain_line(const uint8_t *p, uint64_t *size) {
    unsigned n = 0;
    *size = 0;
    for (int digit; n < TBH_CHUNK_FAST - 2 && (digit = tbh_hex_value(p[n])) >= 0; n++)
        *size = *size << 4 | (uint64_t)digit;
    return n && p[n] == '\r' && p[n + 1] == '\n' ? n + 2 : 0;
}

/* ------------------------------------------------------------ data */
static const uint8_t *tbh_chunk_data_end(turbohttp_chunked *c, const uint8_t *p,
                                         const uint8_t *end) {
    if (c->state == TBH_CHUNK_DATA_CR && p < end)
        c->state = *p++ == '\r' ? TBH_CHUNK_DATA_LF : TBH_CHUNK_BAD_LINE;
    if (c->state == TBH_CHUNK_DATA_LF && p < end)
        c->state = *p++ == '\n' ? TBH_CHUNK_START : TBH_CHUNK_BAD_LINE;
    return p;
}

/* Hands out what is there of the chunk, and takes the CRLF behind it at once if it is there. */
static const uint8_t *tbh_chunk_data(turbohttp_chunked *c, const uint8_t *p, const uint8_t *end,
                                     turbohttp_span *data) {
    size_t n = (size_t)(end - p);
    if (n > c->remaining) n = (size_t)c->remaining;
    *data = tbh_span((const char *)p, n);
    p += n;
    c->remaining -= n;
    if (c->budget < TBH_CHUNK_CREDIT) c->budget += (int64_t)n * TBH_CHUNK_PER_BYTE;
    if (c->remaining) return p;
    bool crlf = end - p >= 2 && p[0] == '\r' && p[1] == '\n';
    c->state = crlf ? TBH_CHUNK_START : TBH_CHUNK_DATA_CR;
    return crlf ? p + 2 : p;
}

/* A whole chunk at once, from its line to the CRLF behind its data; false, and nothing used, when it
 * is not all there or not plain. Most chunks of most bodies come this way. */
TBH_ALWAYS_INLINE bool tbh_chunk_whole(turbohttp_chunked *c, const uint8_t **in, size_t *in_length,
                                       turbohttp_span *data) {
    uint64_t size;
    const uint8_t *p = *in;
    if (*in_length < TBH_CHUNK_FAST) return false;
    unsigned line = tbh_chunk_plain_line(p, &size);
    if (line == 0 || size == 0 || *in_length - line < size || *in_length - line - size < 2)
        return false;
    const uint8_t *after = p + line + (size_t)size;
    int64_t budget = c->budget - (int64_t)line - 2;
    if (budget < 0 || after[0] != '\r' || after[1] != '\n') return false;
    c->budget = budget < TBH_CHUNK_CREDIT ? budget + (int64_t)size * TBH_CHUNK_PER_BYTE : budget;
    *data = tbh_span((const char *)p + line, (size_t)size);
    *in = after + 2;
    *in_length -= line + (size_t)size + 2;
    return true;
}

static turbohttp_status tbh_chunk_final(unsigned state) {
    switch (state) {
    case TBH_CHUNK_LAST: return TURBOHTTP_DONE;
    case TBH_CHUNK_BAD_LINE: return TURBOHTTP_ERR_CHUNK;
    case TBH_CHUNK_BAD_OVERHEAD: return TURBOHTTP_ERR_CHUNK_OVERHEAD;
    default: return TURBOHTTP_PENDING;
    }
}

/* The general way: any part of a chunk, byte by byte where there are not many. */
static TBH_NOINLINE turbohttp_status tbh_chunk_piece(turbohttp_chunked *c, const uint8_t **in,
                                                     size_t *in_length, turbohttp_span *data) {
    if (*in_length == 0) return tbh_chunk_final(c->state);
    const uint8_t *p = *in, *end = p + *in_length;
    if (c->state == TBH_CHUNK_DATA_CR || c->state == TBH_CHUNK_DATA_LF)
        p = tbh_chunk_data_end(c, p, end);
    if (c->state < TBH_CHUNK_LINE_END) p = tbh_chunk_line(c, p, end);
    bool has_data = c->state == TBH_CHUNK_DATA && p < end;
    if (has_data) p = tbh_chunk_data(c, p, end, data);
    *in = p;
    *in_length = (size_t)(end - p);
    return has_data ? TURBOHTTP_OK : tbh_chunk_final(c->state);
}

TURBOHTTP_API turbohttp_status turbohttp_chunked_next(turbohttp_chunked *chunked,
                                                      const uint8_t **in, size_t *in_length,
                                                      turbohttp_span *data) {
    if (chunked->state == TBH_CHUNK_START && tbh_chunk_whole(chunked, in, in_length, data))
        return TURBOHTTP_OK;
    return tbh_chunk_piece(chunked, in, in_length, data);
}

TBH_FN size_t tbh_chunk_head_write(char out[20], uint64_t size) {
    size_t digits = 1, n = 0;
    while (digits < 16 && size >> (4 * digits)) digits++;
    while (digits--) out[n++] = "0123456789abcdef"[size >> (4 * digits) & 15];
    out[n++] = '\r';
    out[n++] = '\n';
    return n;
}

#undef TBH_ALWAYS_INLINE
#undef TBH_AVX2
#undef TBH_BLOCK
#undef TBH_BLOCK_SHIFT
#undef TBH_CHUNK_CREDIT
#undef TBH_CHUNK_FAST
#undef TBH_CHUNK_LINE_BYTES
#undef TBH_CHUNK_NO
#undef TBH_CHUNK_OVERHEAD
#undef TBH_CHUNK_PER_BYTE
#undef TBH_DNS_STUB
#undef TBH_FN
#undef TBH_GUARDS
#undef TBH_H1_BIT
#undef TBH_H1_EAGER_BYTES
#undef TBH_H1_HEADER_COUNT
#undef TBH_H1_HEAD_BYTES
#undef TBH_H1_LINE_BYTES
#undef TBH_H1_LINE_MAX
#undef TBH_H1_REFUSED_IN_TRAILER
#undef TBH_H1_WATCHED_IN_HEAD
#undef TBH_HEADER_HASH
#undef TBH_HEADER_NAMES
#undef TBH_INFLATE
#undef TBH_LANE
#undef TBH_LANE_SHIFT
#undef TBH_LIKELY
#undef TBH_LITTLE_ENDIAN
#undef TBH_NAME
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
