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
 * Checksums: the two that compressed bodies carry.
 * ------------------------------------------------------------------------ */

/**
 * Add bytes to a CRC-32, the one of gzip, PNG and zip (RFC 1952 section 8).
 *
 * Start with `crc` 0 and pass each result on; `data` may be NULL when `length`
 * is 0. It finds accidents, not attacks.
 *
 * Returns: the CRC of everything so far.
 * Thread: any. Blocks: never.
 */
TURBOHTTP_API uint32_t turbohttp_crc32(uint32_t crc, const void *data,
                                       size_t length);

#ifndef TURBOHTTP_NO_INFLATE
/* ------------------------------------------------------------------------
 * Inflate: gzip, zlib and raw deflate, streaming, in memory that you give.
 *
 *     turbohttp_inflate z;                              about 40 KiB
 *     turbohttp_inflate_init(&z, TURBOHTTP_INFLATE_GZIP);
 *     for each piece of input:
 *         do {
 *             take room for output;
 *             s = turbohttp_inflate_run(&z, &in, &in_length, &out, &room);
 *             use what was written before `out`;
 *         } while (s == TURBOHTTP_PENDING && room == 0);
 *     at the end of the input:
 *         s = turbohttp_inflate_finish(&z);
 *
 * A few bytes can expand to a thousand times their number: bound the output.
 * ------------------------------------------------------------------------ */

/** What surrounds the deflate data. */
typedef enum turbohttp_inflate_format {
    TURBOHTTP_INFLATE_GZIP = 0, /**< RFC 1952; one member after another */
    TURBOHTTP_INFLATE_ZLIB,     /**< RFC 1950; no preset dictionary */
    TURBOHTTP_INFLATE_RAW,      /**< RFC 1951, as permessage-deflate has it */
    /** HTTP's "deflate": zlib or raw, told apart by the first two bytes. */
    TURBOHTTP_INFLATE_DEFLATE_AUTO
} turbohttp_inflate_format;

/** Entries of the literal and length table: codes of up to 15 bits over 286
 *  symbols, the first 10 looked up at once, need no more. */
#define TURBOHTTP_INFLATE_LITLEN_ENTRIES 1334
/** Entries of the distance table: 30 symbols, the first 8 bits at once. */
#define TURBOHTTP_INFLATE_DISTANCE_ENTRIES 402
/** Bytes that a match can reach back (RFC 1951 section 2). */
#define TURBOHTTP_INFLATE_WINDOW_BYTES 32768

/**
 * The state of one stream: plain memory, no pointers, may be copied.
 *
 * Its size is the same with every switch. All members are private; they stand
 * here so that you can place it where you like.
 */
typedef struct turbohttp_inflate {
    uint64_t bits;           /**< private: input bits not yet used */
    uint32_t bit_count;      /**< private: how many of them */
    uint32_t state;          /**< private: what comes next */
    int32_t status;          /**< private: the answer that sticks */
    uint32_t check;          /**< private: running CRC-32 or Adler-32 */
    uint32_t total;          /**< private: output of this member, mod 2^32 */
    uint32_t index;          /**< private: position in what is being read */
    uint32_t remaining;      /**< private: bytes left of a run or a match */
    uint32_t distance;       /**< private: of the match being copied */
    uint32_t window_at;      /**< private: next byte of the window to write */
    uint32_t window_fill;    /**< private: bytes of the window in use */
    uint16_t litlen_count;   /**< private: lengths in the block's head */
    uint16_t distance_count; /**< private: distances in the block's head */
    uint8_t format;          /**< private: turbohttp_inflate_format */
    uint8_t flags;           /**< private: FLG of the gzip header */
    bool last_block;         /**< private: BFINAL */
    bool fixed_tables;       /**< private: the tables are the fixed ones */
    uint8_t lengths[320];    /**< private: code lengths of a block's head */
    uint32_t litlen_table[TURBOHTTP_INFLATE_LITLEN_ENTRIES]; /**< private */
    uint32_t distance_table[TURBOHTTP_INFLATE_DISTANCE_ENTRIES]; /**< private */
    /** private: a ring; the last bytes let wide copies read past its end */
    uint8_t window[TURBOHTTP_INFLATE_WINDOW_BYTES + 32];
} turbohttp_inflate;

/**
 * Begin a stream; also how to begin the next one in the same memory.
 *
 * Owner: the caller owns the memory; nothing is ever allocated and nothing
 * needs to be released. Only the first bytes are written: it is cheap.
 * Thread: one at a time. Blocks: never.
 */
TURBOHTTP_API void turbohttp_inflate_init(turbohttp_inflate *inflate,
                                          turbohttp_inflate_format format);

/**
 * Decode as much as the input and the room for output allow.
 *
 * Advances `*in` and `*out` and lowers the two counts by what was used. How
 * input and output are cut makes no difference to the bytes, nor to the error
 * met in the end; nothing must stay in place between calls. Room of 16 KiB or
 * more is fastest. Bytes of `*out` behind those produced, within the room, may
 * be overwritten.
 *
 * Returns: TURBOHTTP_PENDING when it stopped for want of room (`*out_length`
 * is 0: call again with the rest of the input, even if there is none) or of
 * input (`*in_length` is 0). TURBOHTTP_DONE when a zlib or raw stream is
 * complete and its Adler-32 right; bytes behind it stay in `*in`. gzip is
 * never DONE: another member may follow the last, so that only
 * turbohttp_inflate_finish() can tell. TURBOHTTP_ERR_INFLATE_DATA for corrupt
 * data, a preset dictionary, or bytes behind a gzip member that begin no
 * other; TURBOHTTP_ERR_INFLATE_CHECK for a wrong CRC-32, Adler-32 or length:
 * what was written before is then not to be trusted. DONE and errors repeat
 * until turbohttp_inflate_init().
 * Thread: one at a time. Blocks: never.
 */
TURBOHTTP_API turbohttp_status
turbohttp_inflate_run(turbohttp_inflate *inflate, const uint8_t **in,
                      size_t *in_length, uint8_t **out, size_t *out_length);

/**
 * Ask, when the input has ended, whether the stream has ended too.
 *
 * Returns: TURBOHTTP_OK when it has (for gzip: at least one member, and the
 * last one complete), TURBOHTTP_ERR_BODY_TRUNCATED when bytes are missing, or
 * the error that turbohttp_inflate_run() returned.
 * Thread: one at a time. Blocks: never.
 */
TURBOHTTP_API turbohttp_status
turbohttp_inflate_finish(const turbohttp_inflate *inflate);
#endif /* TURBOHTTP_NO_INFLATE */

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

/* Size before speed: firmware is built with -Os. TURBOHTTP_SMALL asks for it at any level. */
#if defined(TURBOHTTP_SMALL) || defined(__OPTIMIZE_SIZE__)
#define TBH_SMALL 1
#else
#define TBH_SMALL 0
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

/* ========================================================================
 * src/format/checksum.h
 * ======================================================================= */
/* Checksums of the compressed formats; CRC-32 itself is public. */

/* RFC 1950 §8.2; begins with 1. */
TBH_FN uint32_t tbh_adler32(uint32_t adler, const uint8_t *p, size_t n);

/* ========================================================================
 * src/format/checksum.c
 * ======================================================================= */
/* Checksums: CRC-32 (reflected polynomial 0xedb88320) and Adler-32.
 * Owns: constant tables only. Input: any bytes, any alignment. Three ways to the same CRC: a table
 * of 16 where size counts, eight tables of 256 elsewhere, and carry-less multiplication on x86
 * processors that have it, asked at run time (no state: the answer is one load).
 * Inside, a CRC is kept inverted, as the polynomial division has it.
 * A CRC is linear: the table's entry of a byte is the exclusive or of its bits' entries. So the big
 * tables are written by the compiler from eight constants each, and take no space in this text.
 * Does not know: streams, formats. */

#if defined(__GNUC__) && TBH_SSE2 && !TBH_SMALL
#define TBH_CRC_CLMUL 1
#else
#define TBH_CRC_CLMUL 0
#endif

#if TBH_SMALL
static const uint32_t tbh_crc_nibbles[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu,
                                             0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
                                             0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                             0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};

static uint32_t tbh_crc_table(uint32_t crc, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ tbh_crc_nibbles[crc & 15];
        crc = crc >> 4 ^ tbh_crc_nibbles[crc & 15];
    }
    return crc;
}
#else
#define TBH_CRC_BIT(n, bit, value) ((n) >> (bit)&1 ? (value) : 0u)
#define TBH_CRC_E(n, b0, b1, b2, b3, b4, b5, b6, b7)                                               \
    (TBH_CRC_BIT(n, 0, b0) ^ TBH_CRC_BIT(n, 1, b1) ^ TBH_CRC_BIT(n, 2, b2) ^                       \
     TBH_CRC_BIT(n, 3, b3) ^ TBH_CRC_BIT(n, 4, b4) ^ TBH_CRC_BIT(n, 5, b5) ^                       \
     TBH_CRC_BIT(n, 6, b6) ^ TBH_CRC_BIT(n, 7, b7))
#define TBH_CRC_4(k, n) k(n), k((n) + 1), k((n) + 2), k((n) + 3)
#define TBH_CRC_16(k, n)                                                                           \
    TBH_CRC_4(k, n), TBH_CRC_4(k, (n) + 4), TBH_CRC_4(k, (n) + 8), TBH_CRC_4(k, (n) + 12)
#define TBH_CRC_64(k, n)                                                                           \
    TBH_CRC_16(k, n), TBH_CRC_16(k, (n) + 16), TBH_CRC_16(k, (n) + 32), TBH_CRC_16(k, (n) + 48)
#define TBH_CRC_256(k)                                                                             \
    { TBH_CRC_64(k, 0), TBH_CRC_64(k, 64), TBH_CRC_64(k, 128), TBH_CRC_64(k, 192) }
/* Entries of the bytes 1, 2, 4 … 128, when k zero bytes follow. */
#define TBH_CRC_K0(n)                                                                              \
    TBH_CRC_E(n, 0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u, 0x1db71064u, 0x3b6e20c8u,     \
              0x76dc4190u, 0xedb88320u)
#define TBH_CRC_K1(n)                                                                              \
    TBH_CRC_E(n, 0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u, 0x4ac21251u, 0x958424a2u,     \
              0xf0794f05u, 0x3b83984bu)
#define TBH_CRC_K2(n)                                                                              \
    TBH_CRC_E(n, 0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u, 0x1c26a370u, 0x384d46e0u,     \
              0x709a8dc0u, 0xe1351b80u)
#define TBH_CRC_K3(n)                                                                              \
    TBH_CRC_E(n, 0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu, 0x5019579fu, 0xa032af3eu,     \
              0x9b14583du, 0xed59b63bu)
#define TBH_CRC_K4(n)                                                                              \
    TBH_CRC_E(n, 0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u, 0x60e09782u, 0xc1c12f04u,     \
              0x58f35849u, 0xb1e6b092u)
#define TBH_CRC_K5(n)                                                                              \
    TBH_CRC_E(n, 0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du, 0x03d6029bu, 0x07ac0536u,     \
              0x0f580a6cu, 0x1eb014d8u)
#define TBH_CRC_K6(n)                                                                              \
    TBH_CRC_E(n, 0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u, 0x67de9cceu, 0xcfbd399cu,     \
              0x440b7579u, 0x8816eaf2u)
#define TBH_CRC_K7(n)                                                                              \
    TBH_CRC_E(n, 0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u, 0x7cbb312bu, 0xf9766256u,     \
              0x299dc2edu, 0x533b85dau)

static const uint32_t tbh_crc_tables[8][256] = {TBH_CRC_256(TBH_CRC_K0), TBH_CRC_256(TBH_CRC_K1),
                                                TBH_CRC_256(TBH_CRC_K2), TBH_CRC_256(TBH_CRC_K3),
                                                TBH_CRC_256(TBH_CRC_K4), TBH_CRC_256(TBH_CRC_K5),
                                                TBH_CRC_256(TBH_CRC_K6), TBH_CRC_256(TBH_CRC_K7)};

static uint32_t tbh_crc_table(uint32_t crc, const uint8_t *p, size_t n) {
    const uint32_t(*t)[256] = tbh_crc_tables;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = tbh_load32_le(p) ^ crc, b = tbh_load32_le(p + 4);
        crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^ t[4][a >> 24] ^
              t[3][b & 255] ^ t[2][b >> 8 & 255] ^ t[1][b >> 16 & 255] ^ t[0][b >> 24];
    }
    for (size_t i = 0; i < n; i++) crc = crc >> 8 ^ t[0][(crc ^ p[i]) & 255];
    return crc;
}
#endif

#if TBH_CRC_CLMUL
typedef long long tbh_crc_lane __attribute__((vector_size(16)));

/* Moves a remainder past the bytes between it and `next`; k holds the two powers of x. */
__attribute__((target("pclmul"))) static inline tbh_crc_lane
tbh_crc_fold(tbh_crc_lane x, tbh_crc_lane k, const uint8_t *next) {
    tbh_crc_lane data;
    memcpy(&data, next, 16);
    return (tbh_crc_lane)__builtin_ia32_pclmulqdq128(x, k, 0x00) ^
           (tbh_crc_lane)__builtin_ia32_pclmulqdq128(x, k, 0x11) ^ data;
}

/* Folding (Gopal et al., Intel 2009) in four lanes, then one; the last 16 bytes and the rest go
 * through the table, which spares the reduction. n >= 64. */
__attribute__((target("pclmul"))) static uint32_t tbh_crc_clmul(uint32_t crc, const uint8_t *p,
                                                                size_t n) {
    const tbh_crc_lane by4 = {0x0154442bd4LL, 0x01c6e41596LL};
    const tbh_crc_lane by1 = {0x01751997d0LL, 0x00ccaa009eLL};
    tbh_crc_lane x[4], start = {(long long)crc, 0};
    uint8_t rest[16];
    memcpy(x, p, 64);
    x[0] ^= start;
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        x[0] = tbh_crc_fold(x[0], by4, p);
        x[1] = tbh_crc_fold(x[1], by4, p + 16);
        x[2] = tbh_crc_fold(x[2], by4, p + 32);
        x[3] = tbh_crc_fold(x[3], by4, p + 48);
    }
    for (int i = 1; i < 4; i++) x[0] = tbh_crc_fold(x[0], by1, (const uint8_t *)&x[i]);
    for (; n >= 16; p += 16, n -= 16) x[0] = tbh_crc_fold(x[0], by1, p);
    memcpy(rest, x, 16);
    return tbh_crc_table(tbh_crc_table(0, rest, 16), p, n);
}
#endif

TURBOHTTP_API uint32_t turbohttp_crc32(uint32_t crc, const void *data, size_t length) {
    const uint8_t *p = (const uint8_t *)data;
#if TBH_CRC_CLMUL
    if (length >= 64 && __builtin_cpu_supports("pclmul")) return ~tbh_crc_clmul(~crc, p, length);
#endif
    return ~tbh_crc_table(~crc, p, length);
}

/* 5552 is the most bytes after which the second sum still fits in 32 bits (RFC 1950 §9). */
TBH_FN uint32_t tbh_adler32(uint32_t adler, const uint8_t *p, size_t n) {
    uint32_t a = adler & 0xffff, b = adler >> 16;
    while (n > 0) {
        size_t run = tbh_min_size(n, 5552);
        n -= run;
        for (; run > 0; run--) {
            a += *p++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

#ifndef TURBOHTTP_NO_INFLATE
/* ========================================================================
 * src/format/inflate.h
 * ======================================================================= */
/* Inflate has only its public face; this file gives its users in later layers one name to include. */
#endif /* TURBOHTTP_NO_INFLATE */

#ifndef TURBOHTTP_NO_INFLATE
/* ========================================================================
 * src/format/inflate.c
 * ======================================================================= */
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
#endif /* TURBOHTTP_NO_INFLATE */

#undef TBH_ALWAYS_INLINE
#undef TBH_AVX2
#undef TBH_CRC_16
#undef TBH_CRC_256
#undef TBH_CRC_4
#undef TBH_CRC_64
#undef TBH_CRC_BIT
#undef TBH_CRC_CLMUL
#undef TBH_CRC_E
#undef TBH_CRC_K0
#undef TBH_CRC_K1
#undef TBH_CRC_K2
#undef TBH_CRC_K3
#undef TBH_CRC_K4
#undef TBH_CRC_K5
#undef TBH_CRC_K6
#undef TBH_CRC_K7
#undef TBH_DNS_STUB
#undef TBH_FN
#undef TBH_GUARDS
#undef TBH_INFLATE
#undef TBH_INFLATE_D_BITS
#undef TBH_INFLATE_END
#undef TBH_INFLATE_IN_MARGIN
#undef TBH_INFLATE_LINK
#undef TBH_INFLATE_LITERAL
#undef TBH_INFLATE_LL_BITS
#undef TBH_INFLATE_ONE_BIT
#undef TBH_INFLATE_OUT_MARGIN
#undef TBH_INFLATE_PRE_BITS
#undef TBH_INFLATE_SPECIAL
#undef TBH_LIKELY
#undef TBH_LITTLE_ENDIAN
#undef TBH_NEON
#undef TBH_NOINLINE
#undef TBH_ROW
#undef TBH_SMALL
#undef TBH_SOCKETS
#undef TBH_SSE2
#undef TBH_THREADS
#undef TBH_UNLIKELY
#undef TBH_UNUSED
#undef TBH_AMALGAM
#endif /* TURBOHTTP_IMPLEMENTATION */
