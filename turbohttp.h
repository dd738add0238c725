/* turbohttp.h - an HTTP client in one file. MIT license, at the end.
 *
 *     #define TURBOHTTP_IMPLEMENTATION      in ONE .c or .cpp file
 *     #include "turbohttp.h"
 *
 *     int main(void) {
 *         turbohttp_response response;
 *         turbohttp_get("http://example.com/", &response);
 *         puts(response.error.code ? response.error.text
 *                                  : turbohttp_response_text(&response));
 *         turbohttp_response_free(&response);
 *     }
 *
 * HTTPS: also #include "turbohttp_tls_bearssl.h" there, and link -lbearssl.
 *
 * LIMITS (all in turbohttp_limits, all can be changed): response head 64 KiB,
 * 128 headers, buffered body 32 MiB, 256 requests in flight, 64 connections,
 * 6 for each host; decompression at most 256:1. Streamed bodies have no limit.
 *
 * ------------------------------------------------------------------------
 * MANUAL
 *
 * Three shapes of use, one engine:
 *  1. One-liners: turbohttp_get, turbohttp_post, turbohttp_download. Each
 *     blocks, and makes a client of its own.
 *  2. A client: turbohttp_client_create, then turbohttp_send for each request
 *     (blocks; connections are kept), or turbohttp_submit and turbohttp_poll
 *     once a frame (never blocks with a timeout of 0), and turbohttp_take or
 *     an on_done callback for the result.
 *  3. The codecs alone: turbohttp_h1_head_parse, turbohttp_chunked_next,
 *     turbohttp_inflate_run, turbohttp_url_parse, turbohttp_hpack_decode,
 *     turbohttp_h2_read and their neighbours do no input or output and
 *     allocate nothing.
 *
 * Errors: every failure is a turbohttp_error: a code, the phase, the system's
 * code, and a sentence that names the remedy. A response that ends early is
 * an error, never a short success.
 *
 * Memory: everything is rented from pools over one allocator. After warm-up a
 * request makes no allocator call. A response owns its buffers until
 * turbohttp_response_free. With `desc.memory` the client lives in one block.
 *
 * Threads: a client belongs to one thread at a time; turbohttp_cancel,
 * turbohttp_wake and turbohttp_response_free may be called from any. The
 * library starts at most four helper threads, for names, on first need. Link
 * with -pthread where the system wants it.
 *
 * Security: header injection is refused when the request is submitted; heads,
 * framing and compressed data are parsed strictly and within limits; a
 * connection about which there is any doubt is never used again. For servers
 * that write careless heads there is one flag, `desc.lenient`, off by default;
 * the framing of bodies stays strict with it. An error that it would have
 * prevented says so. Certificates are verified; the only way off has INSECURE
 * in its name. The library reads no environment variable and writes no file
 * that it was not told to.
 *
 * SWITCHES, defined before the include in the file with the implementation
 * (and before every include where marked *):
 *   TURBOHTTP_STATIC *       all functions static
 *   TURBOHTTP_NO_SOCKETS *   no system at all: bring transport and clock, and
 *                            call everything from one thread
 *   TURBOHTTP_NO_THREADS     one thread alone: names go to the stub resolver
 *   TURBOHTTP_NO_DNS_STUB    no stub resolver
 *   TURBOHTTP_NO_EPOLL       Linux: poll(2) alone
 *   TURBOHTTP_NO_INFLATE *   no gzip and deflate
 *   TURBOHTTP_NO_TLS         no https://, whatever is included
 *   TURBOHTTP_NO_HTTP2 *     HTTP/1.1 only
 *   TURBOHTTP_NO_SIMD        portable code only
 *   TURBOHTTP_NO_LENIENT     clients have no `desc.lenient`: 1 KB less of flash
 *   TURBOHTTP_NO_SENTENCES   an error's text is its name: 5 KB less of flash
 *   TURBOHTTP_DEBUG_GUARDS   find misuse of pooled memory, and say where
 */
#if defined(TURBOHTTP_IMPLEMENT) || defined(TURBOHTTP_IMPL) ||                                     \
    defined(TURBO_HTTP_IMPLEMENTATION) || defined(TURBOHTTP_IMPLEMENTAION)
#error "misspelt: the macro is TURBOHTTP_IMPLEMENTATION"
#endif
/* POSIX names are hidden by -std=c99 unless this comes before the first system header. */
#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(_GNU_SOURCE) && !defined(_WIN32)
#define _GNU_SOURCE
#endif

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
    TURBOHTTP_ERR_HPACK = -60,           /**< malformed header compression */
    TURBOHTTP_ERR_H2_FRAME = -61,        /**< a frame breaks a rule */
    TURBOHTTP_ERR_H2_FIELD = -62,        /**< a field that HTTP/2 forbids */

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
    TURBOHTTP_ERR_H2_PROTOCOL = -80,     /**< HTTP/2: a rule was broken */
    TURBOHTTP_ERR_H2_RESET = -81,        /**< HTTP/2: the server gave it up */
    TURBOHTTP_ERR_H2_GOAWAY = -82,       /**< HTTP/2: not processed any more */
    TURBOHTTP_ERR_H2_FLOOD = -83,        /**< HTTP/2: limit on idle frames */
    TURBOHTTP_ERR_H2_SILENCE = -84,      /**< HTTP/2: no ACK, or no PING back */

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
    TURBOHTTP_ERR_ADDRESS_REFUSED = -109, /**< by `allow_address` */

    /* client */
    TURBOHTTP_ERR_QUEUE_FULL = -120,    /**< limit on waiting requests */
    TURBOHTTP_ERR_TLS_MISSING = -121,   /**< https:// without a TLS header */

    /* TLS: the connection */
    TURBOHTTP_ERR_TLS_CAPABILITY = -130, /**< no provider can do what is asked */
    TURBOHTTP_ERR_TLS_HANDSHAKE = -131,  /**< the peer broke the protocol */
    TURBOHTTP_ERR_TLS_VERSION = -132,    /**< no protocol version in common */
    TURBOHTTP_ERR_TLS_CIPHER = -133,     /**< no cipher suite in common */
    TURBOHTTP_ERR_TLS_ALPN = -134,       /**< no protocol in common (ALPN) */
    TURBOHTTP_ERR_TLS_UNKNOWN_HOST = -135, /**< server does not know the name */
    TURBOHTTP_ERR_TLS_CERT_REQUIRED = -136, /**< wants a client certificate */
    TURBOHTTP_ERR_TLS_INTEGRITY = -137,  /**< a record or signature is wrong */
    TURBOHTTP_ERR_TLS_ALERT = -138,      /**< the peer sent another alert */
    TURBOHTTP_ERR_TLS_TRUNCATED = -139,  /**< end without close_notify */
    TURBOHTTP_ERR_TLS_CLOCK = -140,      /**< the time of day is unknown */
    TURBOHTTP_ERR_TLS_ROOTS = -141,      /**< no usable trusted certificates */
    TURBOHTTP_ERR_TLS_CLIENT_CERT = -142, /**< own certificate or key unusable */

    /* TLS: whom the peer is */
    TURBOHTTP_ERR_CERT_EXPIRED = -150,   /**< its validity has ended */
    TURBOHTTP_ERR_CERT_NOT_YET_VALID = -151, /**< its validity has not begun */
    TURBOHTTP_ERR_CERT_NAME = -152,      /**< issued to another host */
    TURBOHTTP_ERR_CERT_UNTRUSTED = -153, /**< no trusted issuer */
    TURBOHTTP_ERR_CERT_CHAIN = -154,     /**< malformed, or does not connect */
    TURBOHTTP_ERR_CERT_UNSUPPORTED = -155, /**< uses what is not understood */
    TURBOHTTP_ERR_CERT_USAGE = -156,     /**< not meant for servers */
    TURBOHTTP_ERR_CERT_WEAK = -157,      /**< key or signature too weak */
    TURBOHTTP_ERR_CERT_PIN = -158        /**< key is none of the pinned ones */
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
    uint64_t offset;        /**< byte at fault, or where it ended: of the
                                 response with all its framing, or the URL */
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
 * Returns: static text, never NULL; with TURBOHTTP_NO_SENTENCES the name.
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
 * Memory: where every byte comes from, and who owns it.
 *
 * One allocator hook feeds everything. Objects and blocks are rented from
 * pools and returned to them; after warm-up no allocator call is made. The
 * members of these structs are private unless their comment says "readable":
 * use the functions.
 * ------------------------------------------------------------------------ */

/** The source of all memory. There is no realloc: nothing here needs one.
 *  Both hooks may be called from several threads at once if the pools on top
 *  of them are used so. A zeroed allocator gives nothing. */
typedef struct turbohttp_allocator {
    void *user; /**< passed to both hooks */
    /** Gives `size` (> 0) bytes aligned for any object, as malloc does, or
     *  NULL when there are none. The bytes need not be zero. */
    void *(*allocate)(void *user, size_t size);
    /** Takes a block back; `size` is what was asked for. Never NULL. */
    void (*release)(void *user, void *block, size_t size);
} turbohttp_allocator;

/** Fixed-memory mode: an allocator inside one block of yours. */
typedef struct turbohttp_arena {
    uint8_t *base; /**< first usable byte, aligned to 16 */
    size_t size;   /**< readable: usable bytes */
    size_t top;    /**< bytes from here on are all free */
    size_t used;   /**< readable: bytes handed out now, rounded to 16 each */
    size_t peak;   /**< readable: highest `top` so far */
    uint8_t *first; /**< free blocks below `top`, by address */
    uint32_t lock;  /**< spin lock */
} turbohttp_arena;

/**
 * Make an arena out of a block of memory.
 *
 * Sizes are rounded up to 16 bytes. A released block is kept for the next
 * request of exactly its size, so memory never fragments while sizes repeat.
 * Only when the rest of the memory is used up are free neighbours joined, and
 * larger blocks divided. Cost: at most one step for each free block.
 * Owner: the block stays yours. Valid until: you reuse the block.
 * Thread: any, once made. Blocks: never.
 */
TURBOHTTP_API void turbohttp_arena_init(turbohttp_arena *arena, void *block,
                                        size_t size);

/**
 * Give the allocator that serves from an arena.
 *
 * Returns: hooks whose `allocate` answers NULL when the block is used up.
 * Valid until: the arena is. Thread: any. Blocks: never.
 */
TURBOHTTP_API turbohttp_allocator
turbohttp_arena_allocator(turbohttp_arena *arena);

/** What a pool did so far; every counter is a total since the last reset. */
typedef struct turbohttp_pool_stats {
    uint64_t rented;     /**< successful rents */
    uint64_t returned;   /**< returns */
    uint64_t missed;     /**< rents that had to ask the allocator */
    uint64_t active;     /**< rented and not returned yet (never reset) */
    uint64_t cleared;    /**< byte pool: blocks overwritten by the policy */
    uint64_t unpooled;   /**< byte pool: rents above the largest bucket */
    uint64_t violations; /**< misuse found by TURBOHTTP_DEBUG_GUARDS */
} turbohttp_pool_stats;

/** The debug guards' part of a pool; unused without TURBOHTTP_DEBUG_GUARDS. */
typedef struct turbohttp_pool_guard {
    void (*on_violation)(void *user, const char *text); /**< NULL: count only */
    void *user;                                         /**< passed to it */
    void *table;         /**< who rented and returned what, and where */
    uint64_t violations; /**< reports so far */
    uint32_t lock;       /**< spin lock */
} turbohttp_pool_guard;

/** A pool of objects of one size. */
typedef struct turbohttp_object_pool {
    turbohttp_allocator allocator;            /**< a copy of yours */
    turbohttp_pool_guard guard;               /**< debug guards */
    turbohttp_pool_stats stats;               /**< counters */
    void (*reset)(void *user, void *element); /**< hook, or NULL */
    void *user;                               /**< passed to it */
    void *first;                              /**< retained objects */
    size_t element_bytes;                     /**< bytes of one object */
    size_t link_at;       /**< where the link lies in its block */
    size_t block_bytes;   /**< bytes of the block; 0: the size does not fit */
    uint32_t cap;         /**< retained at most */
    uint32_t count;       /**< retained now */
    uint32_t lock;        /**< spin lock */
} turbohttp_object_pool;

/**
 * Prepare a pool of objects of `element_bytes` bytes each. Allocates nothing.
 *
 * At most `cap` returned objects are retained; what comes back beyond that
 * goes to the allocator. `reset` runs on each return, before the object can be
 * rented again, outside any lock; it must give back all that the object owns.
 * With a NULL `reset` the whole object is zeroed instead. With
 * `disable_pooling` every rent goes to the allocator.
 * Owner: the pool is yours; it must not move, and the allocator's user pointer
 * must outlive it. Thread: one, before the pool is shared. Blocks: never.
 * See: turbohttp_object_pool_destroy.
 */
TURBOHTTP_API void turbohttp_object_pool_init(
    turbohttp_object_pool *pool, const turbohttp_allocator *allocator,
    size_t element_bytes, uint32_t cap,
    void (*reset)(void *user, void *element), void *user, bool disable_pooling);

/**
 * Rent an object.
 *
 * Returns: a fresh object (all bytes zero), or a returned one as the reset
 * hook left it; NULL when the allocator gives nothing.
 * Owner: you, until turbohttp_object_pool_return. Thread: any. Blocks: never.
 */
TURBOHTTP_API void *turbohttp_object_pool_rent(turbohttp_object_pool *pool);

/**
 * Return an object to the pool that it came from, once. NULL is fine.
 *
 * Thread: any. Blocks: never; the reset hook runs inside this call.
 */
TURBOHTTP_API void turbohttp_object_pool_return(turbohttp_object_pool *pool,
                                                void *element);

/**
 * Count the objects retained right now: approximate by the time you look, if
 * other threads use the pool. Thread: any. Blocks: never.
 */
TURBOHTTP_API uint32_t turbohttp_object_pool_count(turbohttp_object_pool *pool);

/** Read the counters. Thread: any. Blocks: never. */
TURBOHTTP_API turbohttp_pool_stats
turbohttp_object_pool_stats(turbohttp_object_pool *pool);

/** Zero the counters, except `active`. Thread: any. Blocks: never. */
TURBOHTTP_API void
turbohttp_object_pool_stats_reset(turbohttp_object_pool *pool);

/** Give all retained objects to the allocator. Thread: any. Blocks: never. */
TURBOHTTP_API void turbohttp_object_pool_trim(turbohttp_object_pool *pool);

/**
 * Trim, and end the pool's life. Every object must be back. NULL is fine.
 * Thread: one. Blocks: never.
 */
TURBOHTTP_API void turbohttp_object_pool_destroy(turbohttp_object_pool *pool);

/** When a byte pool overwrites blocks with zeros. */
typedef enum turbohttp_clearing {
    TURBOHTTP_CLEAR_NONE = 0, /**< never: blocks hold old bytes */
    TURBOHTTP_CLEAR_ON_RENT,  /**< before a block is handed out */
    TURBOHTTP_CLEAR_ON_RETURN /**< as soon as it comes back: secrets */
} turbohttp_clearing;

/** Most buckets a byte pool can have: largest / smallest size ≤ 2^19. */
#define TURBOHTTP_BYTE_POOL_BUCKETS 20

/** The retained blocks of one size. */
typedef struct turbohttp_byte_bucket {
    void *first;   /**< linked through the first word of each block */
    uint32_t room; /**< how many more may be retained */
} turbohttp_byte_bucket;

/** A pool of blocks in power-of-two sizes. */
typedef struct turbohttp_byte_pool {
    turbohttp_allocator allocator; /**< a copy of yours */
    turbohttp_pool_guard guard;    /**< debug guards */
    turbohttp_pool_stats stats; /**< counters; `active` as of the last reset */
    turbohttp_byte_bucket buckets[TURBOHTTP_BYTE_POOL_BUCKETS]; /**< by size */
    size_t max_bytes;            /**< readable: largest pooled size */
    size_t min_mask;             /**< smallest size − 1 */
    uint32_t first_class;        /**< log2 of the smallest size, less 1 */
    uint32_t cap_per_bucket;     /**< retained at most, each size */
    uint32_t lock;               /**< spin lock */
    turbohttp_clearing clearing; /**< policy */
} turbohttp_byte_pool;

/**
 * Prepare a pool of byte blocks. Allocates nothing, never fails.
 *
 * Sizes: `smallest` and `largest` are rounded up to powers of two; 0 means
 * 256 bytes and 64 KiB; smallest ≥ 16, largest ≤ smallest × 2^19.
 * Each bucket retains at most `cap_per_bucket` returned blocks, what comes
 * back beyond that goes to the allocator. With `disable_pooling` every rent
 * goes to the allocator; sizes and clearing stay the same.
 * Owner: the pool is yours; it must not move. Thread: one, before the pool is
 * shared. Blocks: never. See: turbohttp_byte_pool_destroy.
 */
TURBOHTTP_API void
turbohttp_byte_pool_init(turbohttp_byte_pool *pool,
                         const turbohttp_allocator *allocator, size_t smallest,
                         size_t largest, uint32_t cap_per_bucket,
                         turbohttp_clearing clearing, bool disable_pooling);

/**
 * Rent a block of at least `size` bytes.
 *
 * `capacity` receives the usable bytes: the bucket's size, or for a request
 * above the largest bucket, which is served by the allocator alone and counted
 * as `unpooled`, the size rounded up to 16.
 * Returns: the block, aligned as the allocator aligns; NULL (and capacity 0)
 * when size is 0 or above SIZE_MAX / 2, or the allocator gives nothing.
 * Owner: you, until turbohttp_byte_pool_return. Thread: any. Blocks: never.
 */
TURBOHTTP_API void *turbohttp_byte_pool_rent(turbohttp_byte_pool *pool,
                                             size_t size, size_t *capacity);

/**
 * Return a block, once, with the capacity that the rent gave. NULL is fine.
 * Thread: any. Blocks: never.
 */
TURBOHTTP_API void turbohttp_byte_pool_return(turbohttp_byte_pool *pool,
                                              void *block, size_t capacity);

/**
 * Count the blocks retained in all buckets right now: approximate by the time
 * you look, if other threads use the pool. Thread: any. Blocks: never.
 */
TURBOHTTP_API uint32_t turbohttp_byte_pool_count(turbohttp_byte_pool *pool);

/** Read the counters. Thread: any. Blocks: never. */
TURBOHTTP_API turbohttp_pool_stats
turbohttp_byte_pool_stats(turbohttp_byte_pool *pool);

/** Zero the counters, except `active`. Thread: any. Blocks: never. */
TURBOHTTP_API void turbohttp_byte_pool_stats_reset(turbohttp_byte_pool *pool);

/** Give all retained blocks to the allocator. Thread: any. Blocks: never. */
TURBOHTTP_API void turbohttp_byte_pool_trim(turbohttp_byte_pool *pool);

/**
 * Trim, and end the pool's life. Every block must be back. NULL is fine.
 * Thread: one. Blocks: never.
 */
TURBOHTTP_API void turbohttp_byte_pool_destroy(turbohttp_byte_pool *pool);

/** Owns one block of a byte pool and knows how much of it counts. A zeroed
 *  buffer is empty and owns nothing. */
typedef struct turbohttp_buffer {
    turbohttp_byte_pool *pool; /**< where the block goes back to */
    char *data;                /**< readable: the bytes; NULL when empty */
    size_t length;             /**< readable: logical length */
    size_t capacity;           /**< readable: bytes of the block */
} turbohttp_buffer;

/**
 * Rent a buffer of `size` bytes; 0 bytes allocate nothing and succeed.
 *
 * What `buffer` held before is overwritten, not returned.
 * Returns: OK, or ERR_OUT_OF_MEMORY and an empty buffer.
 * Owner: you, until turbohttp_buffer_return or _detach. Thread: one at a time.
 */
TURBOHTTP_API turbohttp_status turbohttp_buffer_rent(turbohttp_buffer *buffer,
                                                     turbohttp_byte_pool *pool,
                                                     size_t size);

/** Return the block; the buffer is empty then. Again, or NULL: no-op. */
TURBOHTTP_API void turbohttp_buffer_return(turbohttp_buffer *buffer);

/**
 * Take the block out; the buffer is empty then.
 *
 * Returns: the block, or NULL if there is none; `capacity` (may be NULL) is
 * what turbohttp_byte_pool_return needs later. Owner: you.
 */
TURBOHTTP_API char *turbohttp_buffer_detach(turbohttp_buffer *buffer,
                                            size_t *capacity);

/** Shorten the logical length to `length`; longer than it is: no-op. */
TURBOHTTP_API void turbohttp_buffer_truncate(turbohttp_buffer *buffer,
                                             size_t length);

/** View the bytes. Valid until: the buffer is returned or detached. */
TURBOHTTP_API turbohttp_span
turbohttp_buffer_span(const turbohttp_buffer *buffer);

/** Output that grows in one piece. Errors stick: after the first one every
 *  call answers with it and writes nothing more, so a serialiser may look at
 *  the status once, at the end; what was written before stays readable. */
typedef struct turbohttp_writer {
    turbohttp_byte_pool *pool; /**< where blocks come from */
    char *data;                /**< block, or NULL */
    size_t length;             /**< readable: bytes written */
    size_t capacity;           /**< bytes of the block */
    size_t max_bytes;          /**< most bytes that may be written */
    turbohttp_status status;   /**< readable: first error, or OK */
} turbohttp_writer;

/**
 * Prepare a writer of at most `max_bytes` bytes (0: no limit). Allocates
 * nothing. Owner: the writer is yours. Thread: one at a time.
 * See: turbohttp_writer_reset gives the memory back.
 */
TURBOHTTP_API void turbohttp_writer_init(turbohttp_writer *writer,
                                         turbohttp_byte_pool *pool,
                                         size_t max_bytes);

/**
 * Make room for `n` more bytes and show where they go.
 *
 * Returns: OK; ERR_OVERFLOW beyond max_bytes; ERR_OUT_OF_MEMORY; ERR_STATE
 * after a detach; `span` is NULL on errors. Nothing written is ever lost.
 * Valid until: the next call on the writer.
 */
TURBOHTTP_API turbohttp_status
turbohttp_writer_reserve(turbohttp_writer *writer, size_t n, char **span);

/** Say how many of the reserved bytes were written.
 *  Returns: OK, or ERR_INVALID_ARGUMENT if there is no room for `n`. */
TURBOHTTP_API turbohttp_status turbohttp_writer_commit(turbohttp_writer *writer,
                                                       size_t n);

/** Append `n` bytes, all or none. Returns: as turbohttp_writer_reserve. */
TURBOHTTP_API turbohttp_status turbohttp_writer_put(turbohttp_writer *writer,
                                                    const void *bytes,
                                                    size_t n);

/** Append one byte. Returns: as turbohttp_writer_reserve. */
TURBOHTTP_API turbohttp_status
turbohttp_writer_put_byte(turbohttp_writer *writer, char byte);

/** Append a terminated string, without its terminator. */
TURBOHTTP_API turbohttp_status
turbohttp_writer_put_text(turbohttp_writer *writer, const char *text);

/** Append a number in decimal. */
TURBOHTTP_API turbohttp_status
turbohttp_writer_put_u64(turbohttp_writer *writer, uint64_t number);

/**
 * Append UTF-8 text as Latin-1 (ISO 8859-1). A character above U+00FF, and
 * each malformed sequence, becomes one `?`.
 */
TURBOHTTP_API turbohttp_status turbohttp_writer_put_latin1(
    turbohttp_writer *writer, const char *utf8, size_t n);

/** Append UTF-8 text as ASCII: each other character becomes one `?`. */
TURBOHTTP_API turbohttp_status turbohttp_writer_put_ascii(
    turbohttp_writer *writer, const char *utf8, size_t n);

/** View what was written. Valid until: the next call on the writer. */
TURBOHTTP_API turbohttp_span
turbohttp_writer_written(const turbohttp_writer *writer);

/**
 * Move what was written into `buffer`. The writer answers ERR_STATE then,
 * until its reset.
 *
 * Returns: OK, or the writer's error and an empty buffer. Owner: you.
 */
TURBOHTTP_API turbohttp_status
turbohttp_writer_detach(turbohttp_writer *writer, turbohttp_buffer *buffer);

/** Forget what was written, and any error, but keep the block for reuse. */
TURBOHTTP_API void turbohttp_writer_clear(turbohttp_writer *writer);

/** Return the block and be as new. NULL is fine. */
TURBOHTTP_API void turbohttp_writer_reset(turbohttp_writer *writer);

/** One pooled block in a chain; the payload room follows in the same block.
 *  `data` and `length` may describe any part of it. */
typedef struct turbohttp_segment {
    struct turbohttp_segment *next; /**< next in the chain, or NULL */
    uint8_t *data;                  /**< first byte that counts */
    size_t length;                  /**< bytes that count */
    uint64_t offset;    /**< running offset of data[0] in its buffer */
    size_t block_bytes; /**< bytes of the whole block, header included */
} turbohttp_segment;

/** A growing chain of pooled segments: append at the end, consume from the
 *  front; bytes never move. */
typedef struct turbohttp_segments {
    turbohttp_byte_pool *pool; /**< where segments come from */
    turbohttp_segment *first;  /**< oldest segment, or NULL */
    turbohttp_segment *last;   /**< newest segment, or NULL */
    size_t length;             /**< readable: bytes held */
    uint64_t end;              /**< readable: bytes ever appended */
    size_t block_bytes;        /**< block size of new segments */
} turbohttp_segments;

/** Block size of a segment when 0 is given. */
#define TURBOHTTP_SEGMENT_BYTES 16384

/** Prepare an empty segmented buffer; `block_bytes` 0 means 16 KiB blocks,
 *  below 128 is raised to it. Allocates nothing. Thread: one at a time. */
TURBOHTTP_API void turbohttp_segments_init(turbohttp_segments *segments,
                                           turbohttp_byte_pool *pool,
                                           size_t block_bytes);

/**
 * Copy `n` bytes to the end. Returns: OK, or ERR_OUT_OF_MEMORY and then
 * nothing was appended.
 */
TURBOHTTP_API turbohttp_status turbohttp_segments_append(
    turbohttp_segments *segments, const void *bytes, size_t n);

/**
 * Give writable space at the end, renting a segment when the last is full.
 *
 * Returns: the space, `n` (> 0) bytes; NULL and 0 if out of memory.
 * Valid until: the next call on the buffer. See: turbohttp_segments_commit.
 */
TURBOHTTP_API uint8_t *turbohttp_segments_room(turbohttp_segments *segments,
                                               size_t *n);

/** Say how many bytes were written to the room.
 *  Returns: OK, or ERR_INVALID_ARGUMENT if that room has fewer than `n`. */
TURBOHTTP_API turbohttp_status
turbohttp_segments_commit(turbohttp_segments *segments, size_t n);

/** Hang a segment of the same pool at the end. Owner: the buffer now. */
TURBOHTTP_API void turbohttp_segments_attach(turbohttp_segments *segments,
                                             turbohttp_segment *segment);

/** Take the first segment out. Returns: it, or NULL when empty.
 *  Owner: you; it goes to another chain or back to the pool. */
TURBOHTTP_API turbohttp_segment *
turbohttp_segments_detach_first(turbohttp_segments *segments);

/** Drop `n` bytes from the front (at most all) and return the segments that
 *  became empty. Running offsets of the rest stay. */
TURBOHTTP_API void turbohttp_segments_consume(turbohttp_segments *segments,
                                              size_t n);

/** Return every segment; the buffer is as new. NULL is fine. */
TURBOHTTP_API void turbohttp_segments_reset(turbohttp_segments *segments);

/** Read-only bytes that may lie in several pieces. A zeroed one is empty.
 *  Valid until: its segments are consumed or returned. Appending is fine. */
typedef struct turbohttp_sequence {
    turbohttp_span head;           /**< readable: the first piece */
    const turbohttp_segment *rest; /**< segments after it */
    size_t length;                 /**< readable: bytes in all pieces */
    uint64_t offset;               /**< readable: running offset of byte 0 */
} turbohttp_sequence;

/** View all that a segmented buffer holds now. */
TURBOHTTP_API turbohttp_sequence
turbohttp_segments_sequence(const turbohttp_segments *segments);

/** View plain memory as a sequence of one piece. */
TURBOHTTP_API turbohttp_sequence turbohttp_sequence_of(const void *bytes,
                                                       size_t n);

/** View a part; what reaches beyond the end is cut off. */
TURBOHTTP_API turbohttp_sequence turbohttp_sequence_slice(
    const turbohttp_sequence *sequence, size_t offset, size_t length);

/** A place in a sequence, for turbohttp_sequence_next. Start with zeros. */
typedef struct turbohttp_sequence_iterator {
    const turbohttp_segment *next; /**< segment of the next piece */
    size_t taken;                  /**< bytes given so far */
} turbohttp_sequence_iterator;

/** Give the next piece. Returns: true and a piece that is not empty, or false
 *  and an empty one at the end. */
TURBOHTTP_API bool
turbohttp_sequence_next(const turbohttp_sequence *sequence,
                        turbohttp_sequence_iterator *iterator,
                        turbohttp_span *piece);

/** Copy at most `n` bytes from the start. Returns: bytes copied. */
TURBOHTTP_API size_t turbohttp_sequence_copy_to(
    const turbohttp_sequence *sequence, void *destination, size_t n);

/** Compare with `n` bytes: same length and content? */
TURBOHTTP_API bool turbohttp_sequence_equals(const turbohttp_sequence *sequence,
                                             const void *bytes, size_t n);

/** Does it lie in one piece? Then `head` is all of it. */
TURBOHTTP_API bool
turbohttp_sequence_is_contiguous(const turbohttp_sequence *sequence);

/** A place that moves through a sequence. Owns nothing, never flattens. */
typedef struct turbohttp_reader {
    turbohttp_sequence sequence;   /**< what is read */
    const turbohttp_segment *next; /**< segment after `piece` */
    turbohttp_span piece;          /**< rest of the current piece */
    size_t position;               /**< bytes before the place */
} turbohttp_reader;

/** Start at the first byte of a sequence (copied; the bytes are not). */
TURBOHTTP_API void turbohttp_reader_init(turbohttp_reader *reader,
                                         const turbohttp_sequence *sequence);

/** Copy up to `n` bytes and move on. Returns: bytes copied. */
TURBOHTTP_API size_t turbohttp_reader_read(turbohttp_reader *reader,
                                           void *destination, size_t n);

/** Move on by up to `n` bytes. Returns: bytes skipped. */
TURBOHTTP_API size_t turbohttp_reader_skip(turbohttp_reader *reader, size_t n);

/** Move to a position. Returns: OK, or ERR_INVALID_ARGUMENT beyond the end
 *  (and nothing moves). Cost: one step for each segment passed. */
TURBOHTTP_API turbohttp_status turbohttp_reader_seek(turbohttp_reader *reader,
                                                     size_t position);

/** Say where the reader is: bytes from the sequence's start. */
TURBOHTTP_API size_t turbohttp_reader_tell(const turbohttp_reader *reader);

/** Say how long the sequence is. */
TURBOHTTP_API size_t turbohttp_reader_length(const turbohttp_reader *reader);

/** Look at the next byte. Returns: 0…255, or −1 at the end. */
TURBOHTTP_API int turbohttp_reader_peek(const turbohttp_reader *reader);

/** Take the next byte. Returns: 0…255, or −1 at the end. */
TURBOHTTP_API int turbohttp_reader_next(turbohttp_reader *reader);

/** Look at the rest of the current piece: empty only at the end.
 *  Use it, then turbohttp_reader_skip what was used: no copying. */
TURBOHTTP_API turbohttp_span
turbohttp_reader_piece(const turbohttp_reader *reader);

/**
 * Set who hears about misuse of an object pool (double return, write after
 * return, write past the end), with the file:line of rent and return.
 *
 * Only a build with TURBOHTTP_DEBUG_GUARDS ever calls it; without a hook the
 * reports are only counted in turbohttp_pool_stats.violations.
 * Thread: one, before the pool is shared. `text` is valid during the call.
 */
TURBOHTTP_API void
turbohttp_object_pool_on_violation(turbohttp_object_pool *pool,
                                   void (*hook)(void *user, const char *text),
                                   void *user);

/** The same for a byte pool. See: turbohttp_object_pool_on_violation. */
TURBOHTTP_API void
turbohttp_byte_pool_on_violation(turbohttp_byte_pool *pool,
                                 void (*hook)(void *user, const char *text),
                                 void *user);

/** Rent, with the site that guard reports name. See: the call without _at. */
TURBOHTTP_API void *turbohttp_object_pool_rent_at(turbohttp_object_pool *pool,
                                                  const char *file, int line);
/** Return, with the site that guard reports name. */
TURBOHTTP_API void turbohttp_object_pool_return_at(turbohttp_object_pool *pool,
                                                   void *element,
                                                   const char *file, int line);
/** Rent, with the site that guard reports name. */
TURBOHTTP_API void *turbohttp_byte_pool_rent_at(turbohttp_byte_pool *pool,
                                                size_t size, size_t *capacity,
                                                const char *file, int line);
/** Return, with the site that guard reports name. */
TURBOHTTP_API void turbohttp_byte_pool_return_at(turbohttp_byte_pool *pool,
                                                 void *block, size_t capacity,
                                                 const char *file, int line);
/** Rent, with the site that guard reports name. */
TURBOHTTP_API turbohttp_status
turbohttp_buffer_rent_at(turbohttp_buffer *buffer, turbohttp_byte_pool *pool,
                         size_t size, const char *file, int line);
/** Return, with the site that guard reports name. */
TURBOHTTP_API void turbohttp_buffer_return_at(turbohttp_buffer *buffer,
                                              const char *file, int line);

/* A guard build records the caller's file and line; the types and the plain
 * functions are the same in every build. */
#ifdef TURBOHTTP_DEBUG_GUARDS
#define turbohttp_object_pool_rent(pool)                                       \
    turbohttp_object_pool_rent_at(pool, __FILE__, __LINE__)
#define turbohttp_object_pool_return(pool, element)                            \
    turbohttp_object_pool_return_at(pool, element, __FILE__, __LINE__)
#define turbohttp_byte_pool_rent(pool, size, capacity)                         \
    turbohttp_byte_pool_rent_at(pool, size, capacity, __FILE__, __LINE__)
#define turbohttp_byte_pool_return(pool, block, capacity)                      \
    turbohttp_byte_pool_return_at(pool, block, capacity, __FILE__, __LINE__)
#define turbohttp_buffer_rent(buffer, pool, size)                              \
    turbohttp_buffer_rent_at(buffer, pool, size, __FILE__, __LINE__)
#define turbohttp_buffer_return(buffer)                                        \
    turbohttp_buffer_return_at(buffer, __FILE__, __LINE__)
#endif

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

/* ------------------------------------------------------------------------
 * Small formats: UTF-8, base64, SHA-1 and SHA-256, HTTP dates.
 * ------------------------------------------------------------------------ */

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

/* ------------------------------------------------------------------------
 * URLs: one strict grammar, no allocation, and what is sent made from it.
 *
 * RFC 3986 restricted to http, https, ws and wss with an authority. Refused
 * everywhere: control characters, blanks, backslashes, bytes above 0x7E, and
 * `%` without two hexadecimal digits. What browsers send encoded is accepted
 * raw in path, query and fragment - " < > ^ ` { | } - and percent-encoded by
 * turbohttp_url_put_target; [ and ] are accepted and sent as they are.
 * Hosts: names of letters, digits, - . _ (an international name must come in
 * its xn-- form), dotted-quad IPv4, or IPv6 in brackets. A name whose last
 * label is a number (127.1, 0x7f.1, 017700000001) is refused.
 * ------------------------------------------------------------------------ */

/** Longest URL in bytes when no limit is given. */
#define TURBOHTTP_URL_BYTES 8192

/** The parts of a URL, as slices of the text it was parsed from.
 *  Valid until: that text goes. All members are readable. */
typedef struct turbohttp_url {
    turbohttp_span text;      /**< the whole URL */
    turbohttp_span scheme;    /**< as written, in any case */
    turbohttp_span authority; /**< userinfo, host and port, as written */
    turbohttp_span userinfo;  /**< before the @, percent-encoded */
    turbohttp_span host;      /**< as written; without brackets and zone */
    turbohttp_span zone;      /**< IPv6 zone, without the %25 */
    turbohttp_span port_text; /**< digits after the colon; may be empty */
    turbohttp_span path;      /**< empty, or begins with a slash */
    turbohttp_span query;     /**< without the question mark */
    turbohttp_span fragment;  /**< without the hash */
    uint16_t port;            /**< given, or the scheme's default */
    bool is_tls;              /**< https or wss */
    bool is_websocket;        /**< ws or wss */
    bool is_ipv4;             /**< host is a dotted quad */
    bool is_ipv6;             /**< host is an IPv6 address */
    bool has_userinfo;        /**< there is an @, even if nothing before it */
    bool has_query;           /**< there is a ?, even if nothing follows */
    bool has_fragment;        /**< there is a #, even if nothing follows */
} turbohttp_url;

/**
 * Parse an absolute URL of `n` bytes, at most `max_bytes` (0: 8192).
 *
 * `bad` (may be NULL) receives the offset of the first byte at fault.
 * Returns: OK; ERR_URL (malformed), ERR_URL_SCHEME (none, or another one),
 * ERR_URL_HOST, ERR_URL_PORT (0 or above 65535), ERR_URL_TOO_LONG; on errors
 * `url` is zeroed.
 * Thread: any. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_url_parse(turbohttp_url *url,
                                                   const char *text, size_t n,
                                                   size_t max_bytes,
                                                   size_t *bad);

/**
 * Append the absolute URL that `reference` means on a page at `base`
 * (RFC 3986 section 5), without dot segments.
 *
 * The reference follows the same strict grammar, and may be empty. The
 * fragment is the reference's; the authority, with its userinfo, is the
 * base's unless the reference names one.
 * Returns: OK, an error of turbohttp_url_parse for reference or result, or
 * the writer's; on errors nothing is appended.
 */
TURBOHTTP_API turbohttp_status turbohttp_url_resolve(const turbohttp_url *base,
                                                     const char *reference,
                                                     size_t n, size_t max_bytes,
                                                     turbohttp_writer *writer);

/**
 * Append the request target in origin form: path and query, "/" for an empty
 * path, dot segments removed, no fragment. Returns: the writer's status.
 */
TURBOHTTP_API turbohttp_status
turbohttp_url_put_target(const turbohttp_url *url, turbohttp_writer *writer);

/**
 * Append the value of the Host field: the host in lower case, IPv6 in
 * brackets and without its zone, the port unless it is the scheme's default.
 * Returns: the writer's status.
 */
TURBOHTTP_API turbohttp_status turbohttp_url_put_host(const turbohttp_url *url,
                                                      turbohttp_writer *writer);

/** Append bytes percent-encoded: all but letters, digits, - . _ and ~. */
TURBOHTTP_API turbohttp_status
turbohttp_percent_encode(turbohttp_writer *writer, const void *bytes, size_t n);

/**
 * Append text with its percent-encoding undone; the bytes may be anything.
 * Returns: OK; ERR_ENCODING for a % without two hexadecimal digits, and then
 * nothing is appended; or the writer's status.
 */
TURBOHTTP_API turbohttp_status
turbohttp_percent_decode(turbohttp_writer *writer, const char *text, size_t n);

/** Builds name=value pairs joined by & into a writer. */
typedef struct turbohttp_query {
    turbohttp_writer *writer; /**< where the pairs go */
    char separator;           /**< before the next pair; 0: none */
    bool is_form;             /**< a blank becomes + */
} turbohttp_query;

/** Start a URL query: the first pair is preceded by `first`, which is '?',
 *  '&' behind a query that exists, or 0 for nothing. */
TURBOHTTP_API void turbohttp_query_init(turbohttp_query *query,
                                        turbohttp_writer *writer, char first);

/** Start a body of type application/x-www-form-urlencoded. */
TURBOHTTP_API void turbohttp_form_init(turbohttp_query *query,
                                       turbohttp_writer *writer);

/** Append a pair of terminated strings, encoded. Returns: writer's status. */
TURBOHTTP_API turbohttp_status turbohttp_query_add(turbohttp_query *query,
                                                   const char *name,
                                                   const char *value);

/** Append a pair, encoded, all or nothing. Returns: the writer's status. */
TURBOHTTP_API turbohttp_status turbohttp_query_add_span(turbohttp_query *query,
                                                        turbohttp_span name,
                                                        turbohttp_span value);

#if !defined(TURBOHTTP_NO_INFLATE)
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
#endif /* !defined(TURBOHTTP_NO_INFLATE) */

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
 * before the colon, no control bytes, no doubtful framing (for what can be
 * forgiven see turbohttp_h1_head_parse_lenient). The first fault in
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
 * Parse a response head as turbohttp_h1_head_parse does, and forgive what old
 * or careless servers send. What that one accepts gives the same answer here;
 * besides, a head may have
 *
 *  - lines that end with a bare LF (RFC 9112 section 2.2);
 *  - blanks between a name and its colon: they are left out (section 5.1);
 *  - values that are folded over several lines: the folds are replaced by
 *    blanks in `data`, so that a value is one slice (section 5.2). All lines
 *    of such a field together count as one for `line_bytes`;
 *  - Transfer-Encoding beside Content-Length: the chunked coding counts,
 *    keep_alive is false, and there is no content_length (section 6.3).
 *
 * Never forgiven is what could hide the framing: a blank behind or a fold in
 * Content-Length or Transfer-Encoding, a fold that reads like one of these,
 * lengths that differ, codings that are unknown or doubled, Transfer-Encoding
 * in HTTP/1.0 or in a 1xx beside a length; nor control bytes and a bare CR.
 * Chunk lines and trailers have no lenient form.
 *
 * Returns: as turbohttp_h1_head_parse; a fault may be found later than there.
 * Owner: `data` is changed in place, by what this call found alone.
 * Valid until: the bytes of `data` or the table move or change.
 * Thread: one at a time for each parser. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_head_parse_lenient(
    turbohttp_h1_head_parser *parser, char *data, size_t length, bool request_was_head,
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

/* ------------------------------------------------------------------------
 * HTTP/1.1: writing a request head. Injection is impossible: every name and
 * value is checked before a byte of it is written (RFC 9110 §5, RFC 9112 §3).
 * ------------------------------------------------------------------------ */

/**
 * Write "METHOD target HTTP/1.x" and CRLF.
 *
 * Returns: OK, ERR_METHOD when the method is not a token, ERR_URL when the
 * target is empty or has blanks, control or non-ASCII bytes, or the writer's
 * error. Nothing is written then.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_write_request_line(
    turbohttp_writer *writer, turbohttp_span method, turbohttp_span target,
    int minor_version);

/**
 * Write one "name: value" line.
 *
 * Returns: OK, ERR_HEADER_NAME when the name is not a token,
 * ERR_HEADER_VALUE for control characters other than HTAB, or the writer's
 * error. Nothing is written then.
 */
TURBOHTTP_API turbohttp_status turbohttp_h1_write_field(
    turbohttp_writer *writer, turbohttp_span name, turbohttp_span value);

#if !defined(TURBOHTTP_NO_HTTP2)
/* ------------------------------------------------------------------------
 * HTTP/2: header compression and frames, as codecs for those who bring their
 * own input and output. Nothing here allocates or calls out.
 * ------------------------------------------------------------------------ */

/** One header field of a block. */
typedef struct turbohttp_hpack_field {
    turbohttp_span name;  /**< as sent; HTTP/2 wants lower case */
    turbohttp_span value; /**< any bytes */
    bool never_indexed;   /**< a secret: no table may hold it, on any hop */
} turbohttp_hpack_field;

/** Where an entry of a dynamic table lies. Private. */
typedef struct turbohttp_hpack_row {
    uint32_t offset;       /**< of the name in the ring; the value follows */
    uint32_t name_length;  /**< bytes */
    uint32_t value_length; /**< bytes */
    uint32_t note;         /**< what a reader found out about it; 0: nothing */
} turbohttp_hpack_row;

/** A dynamic table (RFC 7541 section 2.3.2) in memory of the caller.
 *  Private. */
typedef struct turbohttp_hpack_table {
    turbohttp_hpack_row *rows; /**< ring of descriptors */
    uint8_t *text;             /**< ring of names and values */
    uint32_t row_capacity;     /**< descriptors that there is room for */
    uint32_t capacity;         /**< bytes of text, and the largest size */
    uint32_t limit;            /**< the size at present */
    uint32_t used;             /**< bytes, 32 for each entry included */
    uint32_t count;            /**< entries */
    uint32_t newest;           /**< row of the newest entry */
    uint32_t text_end;         /**< where the next text goes */
} turbohttp_hpack_table;

/** Bytes of memory that a decoder needs for a table of `size` bytes. */
#define TURBOHTTP_HPACK_DECODER_BYTES(size) \
    ((size_t)(size) + (size_t)(size) / 32 * sizeof(turbohttp_hpack_row))

/** Decodes the header blocks of one connection. Members are private. */
typedef struct turbohttp_hpack_decoder {
    turbohttp_hpack_table table; /**< what was indexed so far */
    turbohttp_hpack_row *row;    /**< of the present field; NULL: none */
    uint8_t *scratch;            /**< where strings are put together */
    size_t scratch_bytes;        /**< room there */
    size_t scratch_used;         /**< bytes in use for the present field */
    size_t scratch_most;         /**< most that a field before it used */
    size_t string_at;            /**< where the present string begins there */
    size_t list_bytes;           /**< size of the present block's list */
    size_t list_limit;           /**< most that is handed out of a block */
    uint64_t huffman_bits;       /**< of a string that was interrupted */
    uint32_t huffman_count;      /**< how many of them count */
    uint32_t setting;            /**< SETTINGS_HEADER_TABLE_SIZE in force */
    uint32_t update_most;        /**< most that the next update may say */
    uint32_t number;             /**< of an integer: as far as it was read */
    turbohttp_span name;         /**< of the present field */
    uint8_t shift;               /**< of an integer */
    uint8_t state;               /**< what comes next */
    uint8_t kind;                /**< of the present field */
    uint8_t name_home;           /**< whose memory holds the name */
    bool is_huffman;             /**< the present string is */
    bool is_partial;             /**< a part of it lies in the scratch */
    bool has_fields;             /**< size updates may not come any more */
    bool needs_update;           /**< a size update must come first */
    bool is_too_long;            /**< the present field exceeds the scratch */
    bool is_too_large;           /**< the list exceeds its limit */
} turbohttp_hpack_decoder;

/**
 * Prepare a decoder for a new connection.
 *
 * `memory` holds the dynamic table: TURBOHTTP_HPACK_DECODER_BYTES of
 * `table_bytes`, aligned for uint32_t. `table_bytes` is the largest
 * SETTINGS_HEADER_TABLE_SIZE that you will ever announce; 0 needs no memory.
 * The peer begins with 4,096 or, if that is less, with `table_bytes`: then
 * announce it in your first SETTINGS. `scratch` holds a field while it is put
 * together and bounds its size: at least `table_bytes`.
 * A block hands out fields of at most `list_limit` bytes, counted as RFC 9113
 * section 6.5.2 does, with 32 more for each; 0 means 65,536.
 *
 * Returns: OK, or ERR_INVALID_ARGUMENT for memory that is misaligned, missing
 *   or too small, and for tables above 2^30 bytes.
 * Owner: both blocks stay yours. Valid until: you reuse them.
 * Thread: one at a time for each decoder. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_hpack_decoder_init(
    turbohttp_hpack_decoder *decoder, void *memory, size_t memory_bytes,
    uint32_t table_bytes, void *scratch, size_t scratch_bytes,
    size_t list_limit);

/**
 * Apply a SETTINGS_HEADER_TABLE_SIZE of ours that the peer has acknowledged.
 *
 * If it is below the table's size, the next block must begin with a size
 * update that obeys it (RFC 7541 section 4.2).
 * Returns: OK; ERR_INVALID_ARGUMENT above `table_bytes` of init; ERR_STATE
 *   inside a block.
 */
TURBOHTTP_API turbohttp_status turbohttp_hpack_decoder_resize(
    turbohttp_hpack_decoder *decoder, uint32_t table_bytes);

/**
 * Hand out the next field of a block.
 *
 * The bytes may come in any pieces, as frames bring them. Moves `*in` and
 * `*in_length` past what was used; call again with the rest after each field.
 *
 * Returns: OK with a field; PENDING when the input is used up;
 *   ERR_HEAD_TOO_LARGE when the list has exceeded its limit, or a field the
 *   scratch: the input is used up, go on with the block's other pieces, which
 *   keeps the table in step, and refuse the message; ERR_HPACK for malformed
 *   input: final, the connection must end with COMPRESSION_ERROR.
 * Valid until: the field's slices, the next call with this decoder, or until
 *   the input moves.
 * See: turbohttp_hpack_decode_end, which each block needs.
 */
TURBOHTTP_API turbohttp_status turbohttp_hpack_decode(
    turbohttp_hpack_decoder *decoder, const uint8_t **in, size_t *in_length,
    turbohttp_hpack_field *field);

/**
 * Close a block, and get ready for the next one.
 *
 * Returns: OK; ERR_HEAD_TOO_LARGE when fields were left out; ERR_HPACK when
 *   the block ends inside a field or lacks a size update.
 */
TURBOHTTP_API turbohttp_status
turbohttp_hpack_decode_end(turbohttp_hpack_decoder *decoder);

/** What the encoder remembers of an entry to find it again. Private. */
typedef struct turbohttp_hpack_link {
    uint32_t name_hash;  /**< of the name; of the field if that is static */
    uint32_t value_hash; /**< of the value */
    uint32_t older;      /**< number of the next entry in this bucket */
} turbohttp_hpack_link;

/** Buckets of the encoder's index. */
#define TURBOHTTP_HPACK_BUCKETS 64

/** Bytes of memory that an encoder needs for a table of `size` bytes. */
#define TURBOHTTP_HPACK_ENCODER_BYTES(size)    \
    (TURBOHTTP_HPACK_DECODER_BYTES(size) + \
     (size_t)(size) / 32 * sizeof(turbohttp_hpack_link))

/** Encodes the header blocks of one connection. Members are private. */
typedef struct turbohttp_hpack_encoder {
    turbohttp_hpack_table table;  /**< what was indexed so far */
    turbohttp_hpack_link *links;  /**< beside the table's rows */
    uint32_t buckets[TURBOHTTP_HPACK_BUCKETS]; /**< newest entry of each */
    uint32_t inserted;            /**< number of the newest entry */
    uint32_t announced;           /**< size that the peer knows */
    uint32_t smallest;            /**< smallest setting since then */
} turbohttp_hpack_encoder;

/**
 * Prepare an encoder for a new connection.
 *
 * `memory` holds the dynamic table: TURBOHTTP_HPACK_ENCODER_BYTES of
 * `table_bytes`, aligned for uint32_t; no more than `table_bytes` is used,
 * whatever the peer allows; 0 needs no memory.
 *
 * Returns: OK, or ERR_INVALID_ARGUMENT for memory that is misaligned, missing
 *   or too small, and for tables above 2^30 bytes.
 * Owner: the block stays yours. Valid until: you reuse it.
 * Thread: one at a time for each encoder. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_hpack_encoder_init(
    turbohttp_hpack_encoder *encoder, void *memory, size_t memory_bytes,
    uint32_t table_bytes);

/**
 * Apply the peer's SETTINGS_HEADER_TABLE_SIZE, between two blocks. What the
 * peer must be told about it goes before the next field.
 */
TURBOHTTP_API void
turbohttp_hpack_encoder_resize(turbohttp_hpack_encoder *encoder,
                               uint32_t setting);

/**
 * Write the size updates that must stand at the start of a block.
 *
 * turbohttp_hpack_encode does that by itself; only a block without fields
 * needs this call. Returns: OK, or the writer's error.
 */
TURBOHTTP_API turbohttp_status turbohttp_hpack_encode_begin(
    turbohttp_hpack_encoder *encoder, turbohttp_writer *writer);

/**
 * Write one field of a block.
 *
 * Fields marked `never_indexed`, authorization, proxy-authorization,
 * set-cookie and short cookies are never indexed. The name goes as it is.
 * Returns: OK; ERR_OVERFLOW for names or values above 2^30 bytes; or the
 *   writer's error: then nothing changed.
 */
TURBOHTTP_API turbohttp_status
turbohttp_hpack_encode(turbohttp_hpack_encoder *encoder,
                       const turbohttp_hpack_field *field,
                       turbohttp_writer *writer);

/** Bytes of a frame's header. */
#define TURBOHTTP_H2_HEADER_BYTES 9

/** Frame types (RFC 9113 section 6, RFC 9218 section 7.1). */
typedef enum turbohttp_h2_type {
    TURBOHTTP_H2_DATA = 0,             /**< a part of a body */
    TURBOHTTP_H2_HEADERS = 1,          /**< a header block, or its start */
    TURBOHTTP_H2_PRIORITY = 2,         /**< deprecated */
    TURBOHTTP_H2_RST_STREAM = 3,       /**< the stream ends now */
    TURBOHTTP_H2_SETTINGS = 4,         /**< settings of the sender, or ACK */
    TURBOHTTP_H2_PUSH_PROMISE = 5,     /**< a response nobody asked for */
    TURBOHTTP_H2_PING = 6,             /**< eight bytes, or their echo */
    TURBOHTTP_H2_GOAWAY = 7,           /**< no new streams */
    TURBOHTTP_H2_WINDOW_UPDATE = 8,    /**< credit */
    TURBOHTTP_H2_CONTINUATION = 9,     /**< more of a header block */
    TURBOHTTP_H2_PRIORITY_UPDATE = 16  /**< RFC 9218 */
} turbohttp_h2_type;

/** Flags of frames; others mean nothing. */
typedef enum turbohttp_h2_flag {
    TURBOHTTP_H2_ACK = 0x01,         /**< SETTINGS, PING */
    TURBOHTTP_H2_END_STREAM = 0x01,  /**< DATA, HEADERS */
    TURBOHTTP_H2_END_HEADERS = 0x04, /**< HEADERS, PUSH_PROMISE, CONTINUATION */
    TURBOHTTP_H2_PADDED = 0x08,      /**< DATA, HEADERS, PUSH_PROMISE */
    TURBOHTTP_H2_HAS_PRIORITY = 0x20 /**< HEADERS */
} turbohttp_h2_flag;

/** Error codes on the wire (RFC 9113 section 7). */
typedef enum turbohttp_h2_error {
    TURBOHTTP_H2_NO_ERROR = 0,            /**< a graceful end */
    TURBOHTTP_H2_PROTOCOL_ERROR = 1,      /**< a rule was broken */
    TURBOHTTP_H2_INTERNAL_ERROR = 2,      /**< the sender's own trouble */
    TURBOHTTP_H2_FLOW_CONTROL_ERROR = 3,  /**< more than the credit */
    TURBOHTTP_H2_SETTINGS_TIMEOUT = 4,    /**< no ACK came */
    TURBOHTTP_H2_STREAM_CLOSED = 5,       /**< a frame on a closed stream */
    TURBOHTTP_H2_FRAME_SIZE_ERROR = 6,    /**< a length that is not allowed */
    TURBOHTTP_H2_REFUSED_STREAM = 7,      /**< not processed at all */
    TURBOHTTP_H2_CANCEL = 8,              /**< not wanted any more */
    TURBOHTTP_H2_COMPRESSION_ERROR = 9,   /**< ERR_HPACK */
    TURBOHTTP_H2_CONNECT_ERROR = 10,      /**< a tunnel broke */
    TURBOHTTP_H2_ENHANCE_YOUR_CALM = 11,  /**< too much of something */
    TURBOHTTP_H2_INADEQUATE_SECURITY = 12, /**< TLS is too weak */
    TURBOHTTP_H2_HTTP_1_1_REQUIRED = 13   /**< try HTTP/1.1 */
} turbohttp_h2_error;

/** Settings (RFC 9113 section 6.5.2, RFC 8441, RFC 9218). */
typedef enum turbohttp_h2_setting_id {
    TURBOHTTP_H2_HEADER_TABLE_SIZE = 1,        /**< 4,096 at first */
    TURBOHTTP_H2_ENABLE_PUSH = 2,              /**< 1 at first */
    TURBOHTTP_H2_MAX_CONCURRENT_STREAMS = 3,   /**< no limit at first */
    TURBOHTTP_H2_INITIAL_WINDOW_SIZE = 4,      /**< 65,535 at first */
    TURBOHTTP_H2_MAX_FRAME_SIZE = 5,           /**< 16,384 at first */
    TURBOHTTP_H2_MAX_HEADER_LIST_SIZE = 6,     /**< no limit at first */
    TURBOHTTP_H2_ENABLE_CONNECT_PROTOCOL = 8,  /**< 0 at first */
    TURBOHTTP_H2_NO_RFC7540_PRIORITIES = 9     /**< 0 at first */
} turbohttp_h2_setting_id;

/** One entry of a SETTINGS frame. */
typedef struct turbohttp_h2_setting {
    uint16_t id;    /**< a turbohttp_h2_setting_id, or a number to ignore */
    uint32_t value; /**< its value */
} turbohttp_h2_setting;

/** The header of a frame. */
typedef struct turbohttp_h2_frame {
    uint32_t length;    /**< bytes of payload, padding included */
    uint32_t stream_id; /**< 0 for the connection */
    uint8_t type;       /**< a turbohttp_h2_type, or a number to ignore */
    uint8_t flags;      /**< turbohttp_h2_flag, and bits to ignore */
} turbohttp_h2_frame;

/** What a reader hands out: for each frame one FRAME, its SETTINGs or BYTES
 *  as they come, and one END. */
typedef enum turbohttp_h2_event_kind {
    TURBOHTTP_H2_EVENT_FRAME = 1,    /**< its header and fixed fields */
    TURBOHTTP_H2_EVENT_SETTING,      /**< one setting; the value is allowed */
    TURBOHTTP_H2_EVENT_BYTES,        /**< some of its body, header block, debug
                                          data or priority; never empty */
    TURBOHTTP_H2_EVENT_STREAM_ERROR, /**< instead of FRAME: reset the stream
                                          with `error`; only END follows */
    TURBOHTTP_H2_EVENT_END           /**< the frame is complete */
} turbohttp_h2_event_kind;

/** One event. Fields that its frame type does not have are 0. */
typedef struct turbohttp_h2_event {
    turbohttp_h2_event_kind kind; /**< what happened */
    turbohttp_h2_frame frame;     /**< to which frame */
    turbohttp_span bytes;         /**< BYTES: inside the input */
    turbohttp_h2_setting setting; /**< SETTING */
    uint32_t error;      /**< STREAM_ERROR, errors, RST_STREAM, GOAWAY: code */
    uint32_t other_id;   /**< promised, last, prioritised or parent stream */
    uint32_t increment;  /**< WINDOW_UPDATE: 1 to 2^31-1 */
    uint8_t ping[8];     /**< PING: its bytes */
    uint8_t weight;      /**< PRIORITY, HEADERS: 0 to 255 for 1 to 256 */
    bool is_exclusive;   /**< PRIORITY, HEADERS */
} turbohttp_h2_event;

/** Bounds of a reader; zero means the default. */
typedef struct turbohttp_h2_limits {
    uint32_t frame_bytes;   /**< SETTINGS_MAX_FRAME_SIZE of ours; 16,384 */
    uint32_t continuations; /**< CONTINUATION frames of one block; 8 */
    uint32_t settings;      /**< entries of one SETTINGS frame; 32 */
    bool is_server;         /**< read what a client sends */
} turbohttp_h2_limits;

/** Reads frames from any pieces of input. Members are private. */
typedef struct turbohttp_h2_reader {
    turbohttp_h2_limits limits; /**< with defaults filled in */
    turbohttp_h2_frame frame;   /**< the present one */
    uint32_t left;              /**< bytes of its payload to come */
    uint32_t padding;           /**< of them, padding at the end */
    uint32_t block_stream;      /**< whose header block is unfinished; or 0 */
    uint32_t continuations;     /**< of that block so far */
    uint32_t error;             /**< after a connection error */
    uint8_t carry[12];          /**< fixed fields that came in pieces */
    uint8_t carried;            /**< bytes there */
    uint8_t fixed;              /**< bytes in front of the body */
    uint8_t then;               /**< what comes behind them */
    uint8_t state;              /**< what comes next */
} turbohttp_h2_reader;

/**
 * Prepare a reader for a new connection, behind the preface. `limits` may be
 * NULL. Thread: one at a time for each reader. Blocks: never.
 */
TURBOHTTP_API void turbohttp_h2_reader_init(turbohttp_h2_reader *reader,
                                            const turbohttp_h2_limits *limits);

/**
 * Hand out the next event.
 *
 * The input may come in any pieces. Moves `*in` and `*in_length` past what was
 * used; no payload is kept, so a frame of any size needs no buffer. Padding is
 * skipped, as is the payload of unknown types. Sizes, stream numbers, values
 * and the order of CONTINUATION are checked as RFC 9113 asks; the states of
 * streams and flow control are yours.
 *
 * Returns: OK with an event; PENDING when the input is used up; ERR_H2_FRAME
 *   for a connection error, final, with the code for GOAWAY in
 *   `event->error`. Frames above the limit are one too.
 * Valid until: the bytes of an event as long as the input.
 */
TURBOHTTP_API turbohttp_status
turbohttp_h2_read(turbohttp_h2_reader *reader, const uint8_t **in,
                  size_t *in_length, turbohttp_h2_event *event);

/** Write the header of a frame to `out`. The length must be below 2^24; the
 *  reserved bit of the stream number is written as 0. */
TURBOHTTP_API void
turbohttp_h2_write_frame_header(uint8_t out[TURBOHTTP_H2_HEADER_BYTES],
                                const turbohttp_h2_frame *frame);

/**
 * Write a DATA frame; `padding` is 0 for none, or the bytes that padding adds,
 * 1 to 256. Returns: OK; ERR_OVERFLOW above 2^24-1 bytes; or the writer's.
 */
TURBOHTTP_API turbohttp_status
turbohttp_h2_write_data(turbohttp_writer *writer, uint32_t stream_id,
                        turbohttp_span data, bool end_stream,
                        uint32_t padding);

/** Priority in HEADERS and PRIORITY frames, deprecated by RFC 9113. */
typedef struct turbohttp_h2_priority {
    uint32_t parent;   /**< stream on which this one depends */
    uint8_t weight;    /**< 0 to 255 for 1 to 256 */
    bool is_exclusive; /**< the parent's only child */
} turbohttp_h2_priority;

/**
 * Write a header block as HEADERS and as many CONTINUATION as frames of
 * `frame_bytes` (the peer's SETTINGS_MAX_FRAME_SIZE; 0: 16,384) need.
 * `priority` may be NULL; `padding` as in turbohttp_h2_write_data, in HEADERS.
 * Returns: OK; ERR_INVALID_ARGUMENT when `frame_bytes` is below 16,384 or
 *   above 2^24-1, or the padding above 256; or the writer's error.
 */
TURBOHTTP_API turbohttp_status turbohttp_h2_write_headers(
    turbohttp_writer *writer, uint32_t stream_id, turbohttp_span block,
    bool end_stream, const turbohttp_h2_priority *priority, uint32_t padding,
    uint32_t frame_bytes);

/** Write a PUSH_PROMISE and its CONTINUATION frames; returns as
 *  turbohttp_h2_write_headers. Only servers send it. */
TURBOHTTP_API turbohttp_status turbohttp_h2_write_push_promise(
    turbohttp_writer *writer, uint32_t stream_id, uint32_t promised_id,
    turbohttp_span block, uint32_t padding, uint32_t frame_bytes);

/** Write a PRIORITY frame. Returns: OK or the writer's error. */
TURBOHTTP_API turbohttp_status
turbohttp_h2_write_priority(turbohttp_writer *writer, uint32_t stream_id,
                            const turbohttp_h2_priority *priority);

/** Write a RST_STREAM frame. Returns: OK or the writer's error. */
TURBOHTTP_API turbohttp_status turbohttp_h2_write_rst_stream(
    turbohttp_writer *writer, uint32_t stream_id, uint32_t error);

/** Write a SETTINGS frame with `count` entries. Returns: OK, ERR_OVERFLOW
 *  above 2,730 entries, or the writer's error. */
TURBOHTTP_API turbohttp_status
turbohttp_h2_write_settings(turbohttp_writer *writer,
                            const turbohttp_h2_setting *settings,
                            size_t count);

/** Write the acknowledgement of SETTINGS. Returns: OK or the writer's
 *  error. */
TURBOHTTP_API turbohttp_status
turbohttp_h2_write_settings_ack(turbohttp_writer *writer);

/** Write a PING frame, or its answer. Returns: OK or the writer's error. */
TURBOHTTP_API turbohttp_status turbohttp_h2_write_ping(
    turbohttp_writer *writer, const uint8_t bytes[8], bool is_ack);

/** Write a GOAWAY frame; `debug` may be empty. Returns: OK, ERR_OVERFLOW above
 *  2^24-9 bytes of it, or the writer's error. */
TURBOHTTP_API turbohttp_status
turbohttp_h2_write_goaway(turbohttp_writer *writer, uint32_t last_stream_id,
                          uint32_t error, turbohttp_span debug);

/** Write a WINDOW_UPDATE frame, for stream 0 for the connection.
 *  Returns: OK, ERR_INVALID_ARGUMENT unless 0 < increment < 2^31, or the
 *  writer's error. */
TURBOHTTP_API turbohttp_status turbohttp_h2_write_window_update(
    turbohttp_writer *writer, uint32_t stream_id, uint32_t increment);

/** Write a PRIORITY_UPDATE frame (RFC 9218 section 7.1): `value` such as
 *  "u=1, i". Returns: OK, ERR_OVERFLOW above 2^24-5 bytes, or the writer's
 *  error. */
TURBOHTTP_API turbohttp_status
turbohttp_h2_write_priority_update(turbohttp_writer *writer,
                                   uint32_t stream_id, turbohttp_span value);

/** Which message's fields are checked. */
typedef enum turbohttp_h2_section {
    TURBOHTTP_H2_RESPONSE = 0, /**< the head of a response, interim ones too */
    TURBOHTTP_H2_TRAILERS,     /**< the fields behind a body */
    TURBOHTTP_H2_REQUEST       /**< the head of a request */
} turbohttp_h2_section;

/** Checks one field section. Zeroed memory is the start of a response. */
typedef struct turbohttp_h2_fields {
    turbohttp_h2_section section; /**< which one */
    uint16_t status;              /**< readable: `:status`, 0 before it came */
    uint8_t pseudo;               /**< private: pseudo-headers that came */
    bool has_regular;             /**< private: no more of them may come */
    bool is_connect;              /**< private: the method is CONNECT */
} turbohttp_h2_fields;

/** Begin a section. Thread: one at a time. Blocks: never. */
TURBOHTTP_API void turbohttp_h2_fields_init(turbohttp_h2_fields *fields,
                                            turbohttp_h2_section section);

/**
 * Check the next field of a section as RFC 9113 section 8.2 and 8.3 ask.
 *
 * Refused: names that are empty, no tokens or have upper case; values with
 * control characters or blanks at an end; connection, proxy-connection,
 * keep-alive, transfer-encoding, upgrade, te other than trailers;
 * pseudo-headers that are unknown, doubled, late, or not of this section;
 * statuses other than three digits, and 101.
 * Returns: OK, or ERR_H2_FIELD: the message is malformed; reset the stream
 *   with TURBOHTTP_H2_PROTOCOL_ERROR.
 */
TURBOHTTP_API turbohttp_status turbohttp_h2_fields_check(
    turbohttp_h2_fields *fields, const turbohttp_hpack_field *field);

/** Say whether a section may end here. Returns: OK, or ERR_H2_FIELD when a
 *  pseudo-header that it must have has not come. */
TURBOHTTP_API turbohttp_status
turbohttp_h2_fields_end(const turbohttp_h2_fields *fields);
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

/* ------------------------------------------------------------------------
 * Hooks: transport, names, clock and entropy, each a small table.
 * All optional: a zero-initialised table means the built-in one.
 * ------------------------------------------------------------------------ */

/** Where a connection leads. The texts are valid during the call only. */
typedef struct turbohttp_endpoint {
    const char *host; /**< name or address literal, without brackets */
    uint16_t port;    /**< TCP port */
    bool is_tls;      /**< the scheme was https or wss */
    const char *unix_path; /**< Unix socket to use instead, or NULL */
} turbohttp_endpoint;

/** Your own byte stream: lwIP, a modem, a test. No call may block, but
 *  `io_wait`. Calls come only from the thread that drives the client. */
typedef struct turbohttp_transport {
    void *user; /**< handed to each function */
    /** Start a connection. Returns OK or PENDING with *connection set, or an
     *  error with nothing to shut. PENDING: ask `io_ready` from then on. */
    turbohttp_status (*io_open)(void *user, const turbohttp_endpoint *to,
                                void **connection, turbohttp_error *error);
    /** Say whether the connection is up: OK, PENDING or an error. May be
     *  NULL when `io_open` never answers PENDING. */
    turbohttp_status (*io_ready)(void *user, void *connection,
                                 turbohttp_error *error);
    /** Take up to `length` bytes: OK with *sent > 0, PENDING, or an error. */
    turbohttp_status (*io_send)(void *user, void *connection, const void *data,
                                size_t length, size_t *sent);
    /** Give up to `room` bytes: OK with *received > 0, PENDING, DONE when the
     *  peer closed its side, or an error. */
    turbohttp_status (*io_receive)(void *user, void *connection, void *data,
                                   size_t room, size_t *received);
    /** Shut the connection and free what belongs to it. Called once. */
    void (*io_shut)(void *user, void *connection);
    /** Sleep until something may have changed, at most `timeout_ms`. NULL:
     *  `turbohttp_poll` returns at once and blocking calls spin. */
    void (*io_wait)(void *user, uint32_t timeout_ms);
} turbohttp_transport;

/** An IPv4 or IPv6 address in network byte order. */
typedef struct turbohttp_address {
    uint8_t family;    /**< 4 or 6 */
    uint8_t bytes[16]; /**< the first 4 count for IPv4 */
    uint32_t scope;    /**< IPv6 zone index, 0 if none */
} turbohttp_address;

/**
 * Say whether an address is not on the open Internet: loopback, private,
 * link-local (clouds' metadata), unique local, shared, documentation,
 * multicast, reserved; or an IPv6 form that leads to such an IPv4 address.
 *
 * Returns: true also for what is no address. Thread: any. Blocks: never.
 * See: `allow_address` of the client, where it guards against requests that
 * others make you send to your own network.
 */
TURBOHTTP_API bool
turbohttp_address_is_private(const turbohttp_address *address);

/** Addresses that one name may lead to; more are ignored. */
#define TURBOHTTP_MAX_ADDRESSES 16

/** Your own name look-up: never blocks. */
typedef struct turbohttp_resolver {
    void *user; /**< handed to each function */
    /** Begin looking `name` up; *query is yours. OK, or an error. */
    turbohttp_status (*start)(void *user, const char *name, void **query);
    /** Ask for the result: PENDING, an error, or OK with up to `room`
     *  addresses, best first. After OK or an error the query is over. Asked in
     *  each poll, which waits 10 ms at most; `turbohttp_wake` ends the wait. */
    turbohttp_status (*check)(void *user, void *query,
                              turbohttp_address *addresses, size_t room,
                              size_t *count);
    /** Forget a query that is still pending. */
    void (*cancel)(void *user, void *query);
} turbohttp_resolver;

/** Which built-in look-up serves names (SPEC: platform where threads exist). */
typedef enum turbohttp_name_service {
    TURBOHTTP_NAMES_DEFAULT = 0, /**< platform; stub without threads */
    TURBOHTTP_NAMES_PLATFORM,    /**< the system's, on a helper thread */
    TURBOHTTP_NAMES_STUB         /**< our own over UDP and TCP */
} turbohttp_name_service;

/** Settings of the stub resolver; zero means what the comment says. */
typedef struct turbohttp_stub_options {
    const char *servers; /**< "127.0.0.1:53 [::1]:53", up to 3; resolv.conf's */
    const char *resolv_conf_path; /**< "/etc/resolv.conf" */
    const char *hosts_path;       /**< "/etc/hosts" */
    uint32_t attempt_ms; /**< wait before asking again; resolv.conf's, 1000 */
    uint32_t attempts;   /**< tries per server, up to 10; resolv.conf's, 2 */
} turbohttp_stub_options;

/** One name whose addresses are fixed: no look-up is made for it. */
typedef struct turbohttp_name_override {
    const char *host;      /**< compared without case; "*": any host */
    uint16_t port;         /**< 0: any port */
    const char *addresses; /**< "192.0.2.1 2001:db8::1", blanks between */
} turbohttp_name_override;

/** How a client waits for its sockets; the stats say which way is in use.
 *  All behave alike, and `turbohttp_watches` serves each of them. */
typedef enum turbohttp_io {
    TURBOHTTP_IO_DEFAULT = 0, /**< poll; epoll from 16 sockets on */
    TURBOHTTP_IO_POLL,        /**< poll(2): everywhere, any number */
    TURBOHTTP_IO_EPOLL /**< epoll(7), Linux; poll where it cannot be had */
} turbohttp_io;

/** A monotonic clock. */
typedef struct turbohttp_clock {
    void *user; /**< handed to the function */
    /** Microseconds since any fixed point; never goes back. */
    uint64_t (*now_us)(void *user);
} turbohttp_clock;

/** The time of day: certificates are valid from one date to another. */
typedef struct turbohttp_wall_clock {
    void *user; /**< handed to the function */
    /** Seconds since 1970, UTC; 0 when unknown. */
    uint64_t (*unix_seconds)(void *user);
} turbohttp_wall_clock;

/** A source of unpredictable bytes. */
typedef struct turbohttp_random {
    void *user; /**< handed to the function */
    /** Fill `length` bytes. False: the operation that needs them fails. */
    bool (*fill)(void *user, void *bytes, size_t length);
} turbohttp_random;

/* ------------------------------------------------------------------------
 * TLS: options of https://, and the table that a TLS library fills.
 * Most programs only include turbohttp_tls_bearssl.h and set nothing here.
 * ------------------------------------------------------------------------ */

typedef struct turbohttp_tls_provider turbohttp_tls_provider; /**< see below */

/** TLS protocol versions, as on the wire. */
typedef enum turbohttp_tls_version {
    TURBOHTTP_TLS_DEFAULT = 0, /**< 1.2, and newer where a provider can */
    TURBOHTTP_TLS_1_2 = 0x0303, /**< RFC 5246 */
    TURBOHTTP_TLS_1_3 = 0x0304  /**< RFC 8446 */
} turbohttp_tls_version;

/** Whom to trust and who we are. Zero: the system's roots, everything
 *  verified. All but ca_data is copied when first used; two requests share connections and
 *  sessions only when all of it is equal. */
typedef struct turbohttp_tls_options {
    const char *provider;  /**< a provider's name; NULL or "auto": first fit */
    const char *ca_file;   /**< PEM or DER to trust instead of the system's */
    const char *ca_path;   /**< folder of such files, named by OpenSSL's hash */
    /** The same in memory, used without ca_file. Not copied: it must stay as it
     *  is until the client is destroyed, and is told apart by its address. */
    const void *ca_data;
    size_t ca_bytes;       /**< its length */
    const char *cert_file; /**< client certificate chain, PEM or DER */
    const char *key_file;  /**< its key, PEM or DER; NULL: in cert_file */
    const char *pins;      /**< "sha256//BASE64;sha256//…": keys to accept */
    const char *server_name; /**< verify and send this name, not the URL's */
    turbohttp_tls_version min_version; /**< at least this */
    turbohttp_tls_version max_version; /**< at most this */
    uint32_t buffer_bytes; /**< per connection; 0: whole records. 837…16384:
                            *   asks the server for short records, RFC 6066 */
    bool disable_resumption; /**< every handshake in full */
    bool ignore_certificate_dates; /**< for devices without a clock */
    /** Accept anybody. One connection per request, HTTP/2 or not, and no kept
     *  sessions: what nobody verified is never shared. For a server of your
     *  own, verify it: `ca_file`, `ca_data` or `pins`. */
    bool INSECURE_skip_verification;
} turbohttp_tls_options;

/** What a handshake came to. */
typedef struct turbohttp_tls_info {
    const char *provider;  /**< name of the provider; NULL: no TLS */
    uint16_t version;      /**< 0x0303 is TLS 1.2 */
    uint16_t cipher_suite; /**< IANA number */
    bool is_resumed;       /**< continued an earlier session */
    char protocol[14];     /**< ALPN: "http/1.1", or "" */
} turbohttp_tls_info;

/** What a provider can do; options that need more skip it. */
typedef enum turbohttp_tls_capability {
    TURBOHTTP_TLS_HAS_1_2 = 1,           /**< TLS 1.2 */
    TURBOHTTP_TLS_HAS_1_3 = 2,           /**< TLS 1.3 */
    TURBOHTTP_TLS_HAS_ALPN = 4,          /**< protocol negotiation */
    TURBOHTTP_TLS_HAS_RESUMPTION = 8,    /**< sessions continued */
    TURBOHTTP_TLS_HAS_SYSTEM_ROOTS = 16, /**< trusts what the system trusts */
    TURBOHTTP_TLS_HAS_OWN_ROOTS = 32,    /**< ca_file, ca_path, ca_data */
    TURBOHTTP_TLS_HAS_PINS = 64,         /**< pins */
    TURBOHTTP_TLS_HAS_CLIENT_CERT = 128, /**< cert_file */
    TURBOHTTP_TLS_HAS_SMALL_BUFFERS = 256 /**< buffer_bytes */
} turbohttp_tls_capability;

/** What a provider gets from the client: everything it needs of a system. */
typedef struct turbohttp_tls_host {
    const turbohttp_allocator *allocator; /**< all memory comes from here */
    turbohttp_random random;              /**< entropy; failing is an error */
    /** Seconds since 1970, UTC; 0 when unknown. */
    uint64_t (*unix_seconds)(void *user);
    /** Read up to `room` bytes of a file from `offset` on: OK with *got > 0,
     *  DONE at its end, or an error. NULL where there are no files. */
    turbohttp_status (*file_get)(void *user, const char *path, uint64_t offset,
                                 void *data, size_t room, size_t *got);
    void *user; /**< for the two above */
} turbohttp_tls_host;

/** One connection to secure. Texts are valid during the call only. */
typedef struct turbohttp_tls_target {
    const char *host; /**< to verify, lower case; an address has no brackets */
    const turbohttp_address *address; /**< `host` is this address, or NULL */
    const char *const *protocols; /**< ALPN to offer, best first */
    size_t protocol_count;        /**< 0: no ALPN */
    const void *session;          /**< saved by an earlier connection */
    size_t session_bytes;         /**< 0: none */
} turbohttp_tls_target;

/** What a connection can use now. */
typedef enum turbohttp_tls_wants {
    TURBOHTTP_TLS_WIRE_IN = 1,   /**< bytes from the peer */
    TURBOHTTP_TLS_WIRE_OUT = 2,  /**< bytes for the peer are ready */
    TURBOHTTP_TLS_PLAIN_IN = 4,  /**< bytes to encrypt */
    TURBOHTTP_TLS_PLAIN_OUT = 8, /**< decrypted bytes are ready */
    TURBOHTTP_TLS_STEP = 16      /**< `step` again, without any bytes */
} turbohttp_tls_wants;

/** A TLS library, sans I/O: bytes in, bytes out; it never blocks and never
 *  sees a socket. A table may be shared by all threads. */
struct turbohttp_tls_provider {
    const char *name;      /**< lower case, such as "bearssl" */
    uint32_t capabilities; /**< turbohttp_tls_capability, added up */
    /** Prepare what all connections with these options share. UNSUPPORTED
     *  lets `auto` try the next provider; every other error is final. The
     *  options stay valid until `context_destroy`. */
    turbohttp_status (*context_create)(const turbohttp_tls_host *host,
                                       const turbohttp_tls_options *options,
                                       void **context, turbohttp_error *error);
    /** Free it; its connections are gone. */
    void (*context_destroy)(void *context);
    /** Begin a connection. OK with *tls set, or an error, which is final. */
    turbohttp_status (*open)(void *context, const turbohttp_tls_target *target,
                             void **tls, turbohttp_error *error);
    /** Free it and wipe its keys. */
    void (*shut)(void *tls);
    /** Work until bytes are needed, or one public-key operation is done:
     *  PENDING in the handshake, OK when it is over, DONE when the peer said
     *  close_notify, or an error (an alert may then be in WIRE_OUT). */
    turbohttp_status (*step)(void *tls, turbohttp_error *error);
    /** turbohttp_tls_wants, added up. */
    uint32_t (*wants)(const void *tls);
    void *(*wire_in_room)(void *tls, size_t *room);     /**< NULL: not now */
    void (*wire_in_commit)(void *tls, size_t n);        /**< n were written */
    const void *(*wire_out_peek)(void *tls, size_t *n); /**< NULL: nothing */
    void (*wire_out_consume)(void *tls, size_t n);      /**< n were sent */
    void *(*plain_in_room)(void *tls, size_t *room);    /**< NULL: not now */
    void (*plain_in_commit)(void *tls, size_t n);       /**< n were written */
    const void *(*plain_out_peek)(void *tls, size_t *n); /**< NULL: nothing */
    void (*plain_out_consume)(void *tls, size_t n);     /**< n were used */
    /** Make a record of what was committed so far. */
    void (*flush)(void *tls);
    /** Put close_notify into WIRE_OUT, if that is possible now. */
    void (*close)(void *tls);
    /** Describe the finished handshake. */
    void (*info)(const void *tls, turbohttp_tls_info *info);
    /** Save what `open` can continue: its length, 0 if there is nothing. */
    size_t (*session_get)(const void *tls, void *session, size_t room);
};

/** The longest session that a client keeps, in bytes. */
#define TURBOHTTP_TLS_SESSION_BYTES 128

/* ------------------------------------------------------------------------
 * Client: many requests over few connections, by poll or blocking.
 * ------------------------------------------------------------------------ */
#ifndef TURBOHTTP_NO_INFLATE
#endif

/** Requests, connections and what they share. One thread at a time, except
 *  for `turbohttp_cancel` and `turbohttp_wake`. */
typedef struct turbohttp_client turbohttp_client;

/** A request in flight. Zero is never live; a stale one is always told. */
typedef struct turbohttp_request {
    uint64_t id; /**< private: index and generation */
} turbohttp_request;

/** Limits; zero means the default in the comment. Nothing that a peer
 *  announces sizes an allocation. */
typedef struct turbohttp_limits {
    uint32_t head_bytes;       /**< all heads and trailers of a response; 65536 */
    uint32_t line_bytes;       /**< one header line; 16384 */
    uint32_t header_count;     /**< headers in one response; 128 */
    uint32_t interim_count;    /**< 1xx responses; 8 */
    uint32_t url_bytes;        /**< URL; 8192 */
    uint64_t body_bytes;       /**< buffered, decoded body; 32 MiB */
    uint64_t stream_bytes;     /**< streamed, decoded body; no limit */
    uint32_t inflate_ratio;    /**< decoded : wire; 256, from 1 MiB on */
    uint32_t requests;         /**< in flight or not yet taken; 256 */
    uint32_t connections;      /**< open, in total; 64 */
    uint32_t connections_per_host; /**< open, to one origin; 6 */
    uint32_t block_bytes;      /**< one network block, power of two; 16 KiB */
    uint32_t receive_bytes;    /**< largest single receive; 256 KiB */
    uint32_t poll_bytes;       /**< work of one `turbohttp_poll`; 64 KiB */
} turbohttp_limits;

/** Time limits in milliseconds; zero means the default in the comment,
 *  `TURBOHTTP_NO_TIMEOUT` means none. */
typedef struct turbohttp_timeouts {
    uint32_t resolve_ms;    /**< name look-up; 5,000 */
    uint32_t connect_ms;    /**< one connection attempt; 10,000 */
    uint32_t tls_ms;        /**< TLS handshake; 10,000 */
    uint32_t send_ms;       /**< no byte of the request accepted; 30,000 */
    uint32_t first_byte_ms; /**< request sent, nothing received; 30,000 */
    uint32_t idle_ms;       /**< between bytes of the response; 30,000 */
    uint32_t total_ms;      /**< everything; 120,000, none when streaming */
    uint32_t continue_ms;   /**< wait for 100 (Continue); 1,000 */
    uint32_t reuse_ms;      /**< idle age of a kept connection; 30,000 */
} turbohttp_timeouts;

/** Value of a time limit that never fires. */
#define TURBOHTTP_NO_TIMEOUT 0xffffffffu

/** Everything a client can be told; zero-initialise, then set what differs.
 *  Texts and tables must stay valid until the client is destroyed. In a child
 *  of `fork` a client begins anew: requests complete with CANCELLED there and
 *  go on in the parent, connections are not shared. */
typedef struct turbohttp_client_desc {
    turbohttp_allocator allocator; /**< malloc and free */
    void *memory;        /**< fixed-memory mode: the one block to live in */
    size_t memory_bytes; /**< its size; see TURBOHTTP_FIXED_BYTES */
    const turbohttp_transport *transport; /**< the system's sockets */
    turbohttp_io io;                      /**< how to wait for sockets */
    const turbohttp_resolver *resolver;   /**< `name_service` */
    turbohttp_name_service name_service;  /**< which built-in look-up */
    turbohttp_stub_options stub;          /**< settings of the stub */
    const turbohttp_name_override *names; /**< fixed names */
    size_t name_count;                    /**< how many */
    /** Asked before each connection attempt, with the address that it goes
     *  to (after the look-up, so that no second answer can replace it); false
     *  refuses, and the next address is tried. Not asked for Unix sockets.
     *  Must not call the client. NULL: all are allowed. */
    bool (*allow_address)(void *user, const turbohttp_address *address,
                          uint16_t port);
    void *allow_user;                     /**< for `allow_address` */
    turbohttp_clock clock;                /**< the system's monotonic one */
    turbohttp_random random;              /**< the system's */
    turbohttp_wall_clock wall_clock;      /**< the system's */
    turbohttp_tls_options tls; /**< for all requests without their own */
    /** Providers to try before the built-in ones, best first. */
    const turbohttp_tls_provider *const *tls_providers;
    size_t tls_provider_count; /**< how many */
    /** Told once what was chosen and why; never a secret, never a line feed. */
    void (*log)(void *user, const char *line);
    void *log_user; /**< for `log` */
    turbohttp_limits limits;              /**< see there */
    turbohttp_timeouts timeouts;          /**< see there */
    const char *user_agent; /**< "turbohttp/<version>"; "" sends none */
    bool disable_http2;     /**< HTTP/1.1 only; always so with `memory` */
    bool http2_prior_knowledge; /**< HTTP/2 only, also over cleartext */
    bool disable_pooling;   /**< each block from the allocator */
    bool clear_on_return;   /**< wipe bodies, too, before their memory is used
                             *   again: heads and credentials always are */
    bool disable_keep_alive; /**< one connection per request */
    bool lenient; /**< forgive bare LF, folds, blanks before a colon, and
                       Transfer-Encoding beside Content-Length in HTTP/1
                       heads, as `turbohttp_h1_head_parse_lenient` says */
} turbohttp_client_desc;

/** One request header. A NULL value removes a header that the library would
 *  add (`Accept`, `User-Agent`, `Accept-Encoding`). */
typedef struct turbohttp_header_field {
    const char *name;  /**< token, RFC 9110 §5.1 */
    const char *value; /**< no control characters; may be "" */
} turbohttp_header_field;

/** What a `body_read` callback gives when it has nothing yet: PENDING; it is
 *  asked again after `turbohttp_resume`. DONE ends the body (with *length
 *  bytes given along), an error aborts the request. */
typedef turbohttp_status (*turbohttp_body_read)(void *user, void *data,
                                                size_t room, size_t *length);

/** Receives the next bytes of a response body. OK: all taken. PENDING:
 *  nothing taken, the same bytes come again after `turbohttp_resume`.
 *  An error aborts the request with TURBOHTTP_ERR_BODY_SINK. */
typedef turbohttp_status (*turbohttp_body_write)(void *user, const void *data,
                                                 size_t length);

/** Reports progress, in bytes of body; totals are 0 when unknown. */
typedef void (*turbohttp_progress)(void *user, uint64_t sent,
                                   uint64_t send_total, uint64_t received,
                                   uint64_t receive_total);

/** Body of a request: give exactly one of `data`, `path`, `read`. */
typedef struct turbohttp_body {
    const void *data; /**< bytes, borrowed until the request is complete */
    uint64_t length;  /**< of data or read; 0 with `read`: see is_unknown */
    const char *path; /**< file to send; its length is taken at submit, a
                           pipe or device is sent chunked up to its end */
    turbohttp_body_read read; /**< callback; chunked when is_unknown */
    bool is_unknown;  /**< length is not known: chunked (HTTP/1.1) */
    void *user;       /**< for `read` and `release` */
    void (*release)(void *user); /**< called exactly once, in every end */
    const char *content_type;    /**< adds Content-Type; may be NULL */
    const turbohttp_header_field *trailers; /**< sent after a chunked body;
                           their names are announced before it, in Trailer */
    size_t trailer_count;                   /**< how many */
} turbohttp_body;

typedef struct turbohttp_response turbohttp_response; /**< see below */

/** How urgent a request is among those to the same server: which of them gets
 *  the next free connection or HTTP/2 stream, and whose body is sent first.
 *  First come, first served inside a class. Nobody starves: when eight in a
 *  row went before a less urgent one, the one that has waited longest is next.
 *  Over HTTP/2 the server is told (RFC 9218), unless the request has a header
 *  `priority` of its own. */
typedef enum turbohttp_priority {
    TURBOHTTP_PRIORITY_LOW = -1,    /**< prefetching; "priority: u=5" */
    TURBOHTTP_PRIORITY_NORMAL = 0,  /**< not told: it is what servers assume */
    TURBOHTTP_PRIORITY_HIGH = 1,    /**< "priority: u=2" */
    TURBOHTTP_PRIORITY_CRITICAL = 2 /**< the player waits; "priority: u=0" */
} turbohttp_priority;

/** Everything a request can be told; zero-initialise, then set what differs.
 *  Texts are copied by `turbohttp_submit`; `body` says what is borrowed. */
typedef struct turbohttp_request_desc {
    const char *url;    /**< absolute; http:// or https:// */
    const char *method; /**< "GET", or "POST" when there is a body */
    const turbohttp_header_field *headers; /**< extra headers */
    size_t header_count;                   /**< how many */
    turbohttp_body body;                   /**< none */
    const char *host;          /**< value of Host instead of the URL's */
    const char *unix_path;     /**< Unix socket to connect to */
    const char *connect_host;  /**< connect here instead; Host stays */
    uint16_t connect_port;     /**< 0: the URL's */
    turbohttp_body_write on_body; /**< stream the body instead of keeping it */
    const char *body_path;        /**< write the body to this file instead */
    void (*on_head)(void *user, const turbohttp_response *head); /**< or NULL */
    turbohttp_progress on_progress; /**< or NULL */
    /** Called once with the result, which is freed afterwards unless
     *  `turbohttp_response_detach` took it. NULL: `turbohttp_take` it. */
    void (*on_done)(void *user, turbohttp_request request,
                    turbohttp_response *response);
    void *user;                  /**< for the callbacks above */
    turbohttp_timeouts timeouts; /**< what is 0 comes from the client */
    const turbohttp_tls_options *tls; /**< NULL: the client's */
    uint64_t body_limit; /**< overrides limits.body_bytes or stream_bytes */
    turbohttp_priority priority; /**< TURBOHTTP_PRIORITY_NORMAL */
    bool expect_continue;       /**< wait for 100 before sending the body; if
                                     417 comes instead, the request is sent
                                     once more without the expectation */
    bool accept_trailers;       /**< tell the server that trailers are read:
                                     `TE: trailers` (not in HTTP/1.0). They
                                     are also there if it sends them unasked */
    bool use_http10;            /**< speak HTTP/1.0 */
    bool disable_http2;         /**< HTTP/1.1, whatever the server offers */
    bool http2_prior_knowledge; /**< HTTP/2, without asking the server */
    bool disable_decompression; /**< ask for, and decode, no coding; the same
                                     with a Range header of yours */
    bool disable_reuse;         /**< own connection, closed afterwards */
    bool is_idempotent;         /**< may be repeated whatever the method */
} turbohttp_request_desc;

/** Points in time of a request, microseconds after its submission; 0 means
 *  not reached (or at once, for the first four). */
typedef struct turbohttp_timing {
    uint64_t resolved_us;   /**< name known */
    uint64_t connected_us;  /**< connection up (0 when reused) */
    uint64_t secured_us;    /**< TLS handshake over (0 without, or reused) */
    uint64_t ready_us;      /**< has a connection, sending begins */
    uint64_t sent_us;       /**< request handed over in full */
    uint64_t first_byte_us; /**< first byte of the response */
    uint64_t total_us;      /**< complete */
} turbohttp_timing;

/** A response, or why there is none. The storage is yours; its buffers are
 *  rented: give them back with `turbohttp_response_free`. It may outlive the
 *  client. */
struct turbohttp_response {
    turbohttp_error error;   /**< error.code is 0 on success */
    uint16_t status;         /**< 200, 404, …; 0 if no head came */
    uint8_t http_version;    /**< 10, 11 or 20; 0 if no head came */
    uint8_t minor_version;   /**< HTTP/1.minor_version; 0 with HTTP/2 */
    bool is_reused;          /**< went over a kept connection */
    uint32_t header_count;   /**< headers */
    uint32_t trailer_count;  /**< trailers */
    const turbohttp_header *headers;  /**< in the order received */
    const turbohttp_header *trailers; /**< of a chunked body */
    turbohttp_span reason;   /**< reason phrase, may be empty */
    turbohttp_sequence body; /**< buffered body, decoded */
    uint64_t body_bytes;     /**< decoded body bytes, streamed ones too */
    uint64_t wire_bytes;     /**< body bytes before decoding */
    uint64_t sent_bytes;     /**< bytes of the request that were sent */
    uint32_t head_bytes;     /**< bytes of the final head */
    uint32_t connects;       /**< connections opened for it */
    turbohttp_address peer;  /**< whom it was connected to */
    uint16_t peer_port;      /**< and the port */
    turbohttp_tls_info tls;  /**< how it was secured */
    turbohttp_timing timing; /**< when what happened */
    struct {
        void *heap, *first, *table, *trailer_block, *text;
        size_t table_bytes, trailer_bytes, text_bytes;
    } owned; /**< private: what `turbohttp_response_free` returns */
};

#ifdef TURBOHTTP_NO_INFLATE
#define TURBOHTTP_FIXED_INFLATER_BYTES 0 /**< nothing is decoded */
#else
/** What decoding one response takes, in bytes. */
#define TURBOHTTP_FIXED_INFLATER_BYTES sizeof(turbohttp_inflate)
#endif

/** Memory for a client in fixed-memory mode (`desc.memory`), in bytes, for
 *  these limits and `limits.receive_bytes` equal to `block_bytes`: all
 *  requests and connections at work at once, each response one block, or two
 *  when it is decoded. Larger buffered responses need `block_bytes` more for
 *  each block that they fill. */
#define TURBOHTTP_FIXED_BYTES(requests, connections, block_bytes, header_count) \
    (4096 + (requests) * (2560 + 3 * (size_t)(block_bytes) +                    \
                          48 * (size_t)(header_count)) +                        \
     (connections) * (2048 + TURBOHTTP_FIXED_INFLATER_BYTES + 2 * (size_t)(block_bytes)))

/**
 * Create a client.
 *
 * Returns: OK with *client set, or INVALID_ARGUMENT, OUT_OF_MEMORY,
 * DESCRIPTORS, UNSUPPORTED (`lenient`, when a switch leaves it out) with
 * *client NULL. `desc` may be NULL: all defaults.
 * Owner: the caller; `turbohttp_client_destroy`. Blocks: never.
 */
TURBOHTTP_API turbohttp_status
turbohttp_client_create(turbohttp_client **client,
                        const turbohttp_client_desc *desc);

/**
 * Cancel everything, complete each request with SHUTDOWN, free the client.
 * NULL is fine. Responses already taken stay valid. Inside a callback it
 * takes effect when the poll that called back returns. Blocks: never.
 */
TURBOHTTP_API void turbohttp_client_destroy(turbohttp_client *client);

/**
 * Stop: complete every request with SHUTDOWN and shut all connections; later
 * submits say SHUTDOWN. Idempotent. Never waits for the network. Inside a
 * callback it takes effect when the poll that called back returns.
 */
TURBOHTTP_API void turbohttp_client_shutdown(turbohttp_client *client);

/**
 * Start a request. Nothing is sent before the next poll.
 *
 * Returns: OK with *request (may be NULL) live; or an error that is the whole
 * story: no callback follows, and `body.release` has been called. *error (may
 * be NULL) then has the sentence.
 */
TURBOHTTP_API turbohttp_status
turbohttp_submit(turbohttp_client *client, const turbohttp_request_desc *desc,
                 turbohttp_request *request, turbohttp_error *error);

/**
 * Move all requests on, and wait at most `timeout_ms` (0: never) if there is
 * nothing to do. Does at most `limits.poll_bytes` of work. Callbacks are
 * called from here, and what is left of them from shutdown and destroy.
 *
 * Returns: PENDING while requests are in flight, OK when none is.
 * Blocks: at most `timeout_ms`; names, connects and closes never do.
 */
TURBOHTTP_API turbohttp_status turbohttp_poll(turbohttp_client *client,
                                              uint32_t timeout_ms);

/**
 * Take a finished request's response; the handle is stale afterwards.
 *
 * Returns: OK with *response filled (look at response->error), PENDING, or
 * STALE. Owner: the caller, `turbohttp_response_free`. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_take(turbohttp_client *client,
                                              turbohttp_request request,
                                              turbohttp_response *response);

/**
 * Find the oldest finished request that nobody took.
 *
 * Returns: OK with *request set, or PENDING when there is none.
 */
TURBOHTTP_API turbohttp_status turbohttp_next_done(turbohttp_client *client,
                                                   turbohttp_request *request);

/**
 * Set or replace a request's `on_done`, also after it finished: then the call
 * comes from the next poll.
 *
 * Returns: OK or STALE.
 */
TURBOHTTP_API turbohttp_status turbohttp_on_done(
    turbohttp_client *client, turbohttp_request request,
    void (*on_done)(void *user, turbohttp_request request,
                    turbohttp_response *response),
    void *user);

/**
 * Cancel a request: it completes with CANCELLED at the next poll, unless it
 * is complete already. O(1).
 *
 * Returns: OK or STALE. Thread: any. Blocks: never.
 */
TURBOHTTP_API turbohttp_status turbohttp_cancel(turbohttp_client *client,
                                                turbohttp_request request);

/**
 * Go on with a body that a callback answered with PENDING.
 *
 * Returns: OK or STALE.
 */
TURBOHTTP_API turbohttp_status turbohttp_resume(turbohttp_client *client,
                                                turbohttp_request request);

/**
 * Make a `turbohttp_poll` that waits return at once. Thread: any.
 */
TURBOHTTP_API void turbohttp_wake(turbohttp_client *client);

/**
 * Block until the request is complete and take its response.
 *
 * Returns: response->error.code, or STALE. Blocks: within its time limits.
 */
TURBOHTTP_API turbohttp_status turbohttp_wait(turbohttp_client *client,
                                              turbohttp_request request,
                                              turbohttp_response *response);

/**
 * Submit and wait, in one call.
 *
 * Returns: response->error.code. The response must be freed in any case.
 */
TURBOHTTP_API turbohttp_status turbohttp_send(
    turbohttp_client *client, const turbohttp_request_desc *desc,
    turbohttp_response *response);

/** What to watch for a client in somebody else's event loop. */
typedef struct turbohttp_watch {
    intptr_t descriptor; /**< socket */
    bool wants_receive;  /**< wake when it can be read */
    bool wants_send;     /**< wake when it can be written */
} turbohttp_watch;

/**
 * Export the descriptors to watch and the time until the next deadline.
 *
 * Returns: how many there are (more than `room`: call again with more).
 * *timeout_ms (may be NULL): when to poll at the latest; TURBOHTTP_NO_TIMEOUT
 * when nothing is due.
 */
TURBOHTTP_API size_t turbohttp_watches(turbohttp_client *client,
                                       turbohttp_watch *watches, size_t room,
                                       uint32_t *timeout_ms);

/** Counters of a client, for tests, gates and a health report. */
typedef struct turbohttp_client_stats {
    uint32_t requests_active;    /**< submitted, not complete */
    uint32_t requests_waiting;   /**< of these, without a connection */
    uint32_t requests_done;      /**< complete, not taken */
    uint32_t connections_open;   /**< including idle ones */
    uint32_t connections_idle;   /**< kept for reuse */
    uint64_t connects;           /**< connections opened so far */
    uint64_t replays;            /**< requests sent again */
    turbohttp_pool_stats blocks; /**< of the byte pool */
    turbohttp_io io;             /**< the mode in use; DEFAULT: no sockets */
} turbohttp_client_stats;

/** Fill *stats. Thread: the client's. Blocks: never. */
TURBOHTTP_API void turbohttp_client_stats_get(turbohttp_client *client,
                                              turbohttp_client_stats *stats);

/**
 * Say which TLS providers there are, what each can do, and which one the
 * client's options choose: "bearssl*: 1.2 alpn resumption …; …", the chosen
 * one with a star.
 *
 * Returns: `text`, terminated, cut when longer than `room`. Blocks: never.
 */
TURBOHTTP_API const char *turbohttp_tls_summary(turbohttp_client *client,
                                                char *text, size_t room);

/**
 * Find a header of the response, without case; the first one if repeated.
 *
 * Returns: its value, terminated, or NULL. Valid until: the response is freed.
 */
TURBOHTTP_API const char *
turbohttp_response_header(const turbohttp_response *response, const char *name);

/**
 * Make the body contiguous and terminated (the cold path; done once, kept).
 *
 * Returns: the text, "" if there is no body or no memory for it.
 * Valid until: the response is freed.
 */
TURBOHTTP_API const char *
turbohttp_response_text(turbohttp_response *response);

/** Give the response's buffers back. Idempotent; NULL is fine. Thread: any. */
TURBOHTTP_API void turbohttp_response_free(turbohttp_response *response);

/** Move a response out of an `on_done` callback into the caller's storage. */
TURBOHTTP_API void turbohttp_response_detach(turbohttp_response *response,
                                             turbohttp_response *into);

#ifndef TURBOHTTP_NO_SOCKETS
/* ---- one-liners: a client of their own for one blocking request ---- */

/**
 * Fetch a URL.
 *
 * Returns: response->error.code; the response must be freed in any case.
 * Blocks: within the default time limits.
 */
TURBOHTTP_API turbohttp_status turbohttp_get(const char *url,
                                             turbohttp_response *response);

/**
 * Post bytes. `content_type` may be NULL.
 *
 * Returns: response->error.code; the response must be freed in any case.
 */
TURBOHTTP_API turbohttp_status
turbohttp_post(const char *url, const char *content_type, const void *data,
               size_t length, turbohttp_response *response);

/**
 * Fetch a URL into a file, which is created or truncated when the head came.
 *
 * Returns: response->error.code; the response must be freed in any case.
 */
TURBOHTTP_API turbohttp_status
turbohttp_download(const char *url, const char *path,
                   turbohttp_response *response);
#endif

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

#if defined(__linux__) && !defined(TURBOHTTP_NO_EPOLL) && !defined(TURBOHTTP_NO_SOCKETS)
#define TBH_EPOLL 1
#else
#define TBH_EPOLL 0
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

#ifdef TURBOHTTP_NO_TLS
#define TBH_TLS 0
#else
#define TBH_TLS 1
#endif

#ifdef TURBOHTTP_NO_HTTP2
#define TBH_HTTP2 0
#else
#define TBH_HTTP2 1
#endif

#ifdef TURBOHTTP_NO_LENIENT
#define TBH_LENIENT 0
#else
#define TBH_LENIENT 1
#endif

#ifdef TURBOHTTP_NO_SENTENCES
#define TBH_SENTENCES 0
#else
#define TBH_SENTENCES 1
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
#define TBH_UNUSED      __attribute__((unused))
#define TBH_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TBH_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TBH_NOINLINE    __attribute__((noinline))
#if TBH_SMALL
#define TBH_ALWAYS_INLINE static inline TBH_UNUSED /* the compiler knows what is smaller */
#else
#define TBH_ALWAYS_INLINE static inline __attribute__((always_inline, unused))
#endif
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

TBH_ALWAYS_INLINE uint64_t tbh_load64_be(const void *p) {
#if TBH_LITTLE_ENDIAN && defined(__GNUC__)
    return __builtin_bswap64(tbh_load64(p));
#else
    return (uint64_t)tbh_load32_be(p) << 32 | tbh_load32_be((const uint8_t *)p + 4);
#endif
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

TBH_ALWAYS_INLINE void tbh_store64_be(void *p, uint64_t v) {
#if TBH_LITTLE_ENDIAN && defined(__GNUC__)
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
#else
    tbh_store32_be(p, (uint32_t)(v >> 32));
    tbh_store32_be((uint8_t *)p + 4, (uint32_t)v);
#endif
}

TBH_ALWAYS_INLINE void tbh_store16_be(void *p, uint16_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

TBH_ALWAYS_INLINE void tbh_store16_le(void *p, uint16_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
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
/* So many digits always fit into 64 bits. */
#define TBH_FEW_DIGITS 18

/* The value of n <= TBH_FEW_DIGITS digits; 0 for none. */
TBH_ALWAYS_INLINE bool tbh_parse_few_digits(const char *p, size_t n, uint64_t *out) {
    uint64_t value = 0;
    for (const char *end = p + n; p < end; p++) {
        const unsigned digit = (unsigned)(uint8_t)*p - '0';
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

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

static bool tbh_has_control(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
    }
    return false;
}

#if TBH_SMALL
TBH_FN bool tbh_is_field_value(const char *p, size_t n) {
    return !tbh_has_control(p, n);
}
#else
/* The high bits of bytes that may be control characters, HTAB among them; bits behind the first such
 * byte are not exact. */
static uint64_t tbh_suspects(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t del = word ^ (ones * 0x7f);
    return (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high;
}

/* Every byte of 1 to 7, some of them twice. */
static uint64_t tbh_load_few(const char *p, size_t n) {
    if (n >= 4) return tbh_load32(p) | (uint64_t)tbh_load32(p + n - 4) << 32;
    uint32_t three = (uint8_t)p[0] | (uint32_t)(uint8_t)p[n / 2] << 8;
    return UINT64_C(0x2020202020) << 24 | three | (uint32_t)(uint8_t)p[n - 1] << 16;
}

TBH_FN bool tbh_is_field_value(const char *p, size_t n) {
    for (; n >= 8; p += 8, n -= 8)
        if (tbh_suspects(tbh_load64(p)) && tbh_has_control(p, 8)) return false;
    return n == 0 || !tbh_suspects(tbh_load_few(p, n)) || !tbh_has_control(p, n);
}
#endif

TBH_FN size_t tbh_format_u64(char *out, uint64_t n) {
    char reversed[20];
    size_t length = 0;
    do reversed[length++] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    for (size_t i = 0; i < length; i++) out[i] = reversed[length - 1 - i];
    return length;
}

TBH_FN bool tbh_parse_u64(const char *p, size_t n, uint64_t max, uint64_t *out) {
    uint64_t value;
    size_t few = tbh_min_size(n, TBH_FEW_DIGITS);
    *out = 0;
    if (!tbh_parse_few_digits(p, few, &value)) return false;
    for (size_t i = few; i < n; i++) {
        uint64_t digit = (uint8_t)p[i] - (uint64_t)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (value > max) return false;
    *out = value;
    return n > 0;
}

#if defined(__GNUC__) || defined(__clang__)
TBH_FN void tbh_wipe(void *p, size_t n) {
    if (n == 0) return;
    memset(p, 0, n);
    __asm__ volatile("" : : "r"(p) : "memory"); /* somebody might look: the store stays */
}
#else
TBH_FN void tbh_wipe(void *p, size_t n) {
    volatile uint8_t *bytes = (volatile uint8_t *)p;
    while (n--) *bytes++ = 0;
}
#endif

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

/* Every status: its name and its sentence. */
#define TBH_STATUSES(ROW)                                                                          \
    ROW(OK, "success")                                                                             \
    ROW(PENDING, "not finished: call again later")                                                 \
    ROW(DONE, "finished: nothing follows")                                                         \
    ROW(ERR_INVALID_ARGUMENT, "invalid argument: see the function's description")                  \
    ROW(ERR_OUT_OF_MEMORY, "out of memory: raise the allocator's limit or the fixed block")        \
    ROW(ERR_OVERFLOW, "a size does not fit in memory: make it smaller")                            \
    ROW(ERR_STATE, "not allowed in this state: see the function's description")                    \
    ROW(ERR_STALE, "stale handle: the request was taken or cancelled before")                      \
    ROW(ERR_UNSUPPORTED, "left out of this build: remove its TURBOHTTP_NO_... switch")             \
    ROW(ERR_CANCELLED, "cancelled by the caller")                                                  \
    ROW(ERR_SHUTDOWN, "the client is shut down: create a new one")                                 \
    ROW(ERR_POOL_EMPTY, "a pool's cap is reached: return elements or raise the cap")               \
    ROW(ERR_URL, "malformed URL: write it as http://host[:port]/path")                             \
    ROW(ERR_URL_SCHEME, "URL scheme not supported: use http:// or https://")                       \
    ROW(ERR_URL_HOST, "malformed host in the URL: use a name (international ones as xn--...), "    \
                      "a.b.c.d or [IPv6]")                                                         \
    ROW(ERR_URL_PORT, "malformed port in the URL: use 1 to 65535")                                 \
    ROW(ERR_URL_TOO_LONG, "URL longer than limits.url_bytes: shorten it or raise the limit")       \
    ROW(ERR_INFLATE_DATA, "corrupt compressed data: try again, or set disable_decompression")      \
    ROW(ERR_INFLATE_CHECK, "compressed data fails its checksum: try again")                        \
    ROW(ERR_ENCODING, "malformed text encoding: check the input")                                  \
    ROW(ERR_HEADER_NAME,                                                                           \
        "header name is not a token (RFC 9110 section 5.1): use letters, digits and -")            \
    ROW(ERR_HEADER_VALUE, "header value contains control characters: remove or encode them")       \
    ROW(ERR_HEADER_RESERVED, "this header is set by the library: use the option for it")           \
    ROW(ERR_METHOD, "method is not a token (RFC 9110 section 9.1): use letters")                   \
    ROW(ERR_NOT_HTTP, "the server did not answer with HTTP/1.x: check the port and scheme")        \
    ROW(ERR_STATUS_LINE, "malformed status line from the server: check that it speaks HTTP")       \
    ROW(ERR_HEADER_LINE, "malformed header line from the server: tell its owner")                  \
    ROW(ERR_HEAD_TOO_LARGE, "response head larger than limits.head_bytes: raise it")               \
    ROW(ERR_LINE_TOO_LONG, "response header line longer than limits.line_bytes: raise it")         \
    ROW(ERR_TOO_MANY_HEADERS, "more response headers than limits.header_count: raise it")          \
    ROW(ERR_CONTENT_LENGTH,                                                                        \
        "invalid or conflicting Content-Length from the server: tell its owner")                   \
    ROW(ERR_TRANSFER_ENCODING, "invalid Transfer-Encoding from the server: tell its owner")        \
    ROW(ERR_CHUNK, "malformed chunked framing from the server: tell its owner")                    \
    ROW(ERR_CHUNK_OVERHEAD,                                                                        \
        "too much chunk framing for too little data: the server must send larger chunks")          \
    ROW(ERR_HPACK, "malformed HTTP/2 header compression from the server: try disable_http2")       \
    ROW(ERR_H2_FRAME, "malformed HTTP/2 frame from the server: try disable_http2")                 \
    ROW(ERR_H2_FIELD, "a header field that HTTP/2 forbids from the server: try disable_http2")     \
    ROW(ERR_NO_RESPONSE, "the server closed the connection without an answer: try again")          \
    ROW(ERR_HEAD_TRUNCATED,                                                                        \
        "the server closed the connection inside the response head: try again")                    \
    ROW(ERR_BODY_TRUNCATED, "the response body ended early: it is incomplete, try again")          \
    ROW(ERR_BODY_TOO_LARGE, "response body larger than its limit: raise body_limit, "              \
                            "limits.body_bytes or limits.stream_bytes")                            \
    ROW(ERR_BODY_RATIO,                                                                            \
        "response body expands beyond limits.inflate_ratio: raise it if you trust the server")     \
    ROW(ERR_BODY_CODING, "response has a content coding that was not asked for: set "              \
                         "disable_decompression to get it as it is")                               \
    ROW(ERR_BODY_SOURCE, "the source of the request body failed: see body.read or body.path")      \
    ROW(ERR_BODY_SINK, "the sink of the response body refused it: see on_body or body_path")       \
    ROW(ERR_TOO_MANY_INTERIM, "more 1xx responses than limits.interim_count: raise it")            \
    ROW(ERR_UNEXPECTED_UPGRADE,                                                                    \
        "the server switched protocols without being asked: check the port")                       \
    ROW(ERR_H2_PROTOCOL, "the server broke a rule of HTTP/2: try disable_http2")                   \
    ROW(ERR_H2_RESET, "the server gave this HTTP/2 stream up: try again")                          \
    ROW(ERR_H2_GOAWAY, "the server ends its HTTP/2 connection before this request: try again")     \
    ROW(ERR_H2_FLOOD, "too many HTTP/2 frames that bring nothing: try disable_http2")              \
    ROW(ERR_H2_SILENCE,                                                                            \
        "the server acknowledged neither HTTP/2 settings nor a ping in time: try again")           \
    ROW(ERR_RESOLVE, "host name does not resolve: check the spelling")                             \
    ROW(ERR_RESOLVE_TEMPORARY, "no name server answered: check the network, then try again")       \
    ROW(ERR_CONNECT, "could not connect: check that the server runs and the port is open")         \
    ROW(ERR_SEND, "sending failed, the connection broke: try again")                               \
    ROW(ERR_RECEIVE, "receiving failed, the connection broke: try again")                          \
    ROW(ERR_DESCRIPTORS, "out of file descriptors: close some or raise ulimit -n")                 \
    ROW(ERR_FILE, "file error: check path, permissions and free space")                            \
    ROW(ERR_TIMEOUT, "timed out: raise the phase's limit in timeouts")                             \
    ROW(ERR_RANDOM, "no random bytes from the system: set the random hook")                        \
    ROW(ERR_ADDRESS_REFUSED, "allow_address refused every address of the host: let it allow one")  \
    ROW(ERR_QUEUE_FULL, "too many requests in flight: take results or raise limits.requests")      \
    ROW(ERR_TLS_MISSING, "https:// needs TLS: include turbohttp_tls_bearssl.h where "              \
                         "TURBOHTTP_IMPLEMENTATION is defined")                                    \
    ROW(ERR_TLS_CAPABILITY, "no TLS provider can do what the options ask for")                     \
    ROW(ERR_TLS_HANDSHAKE, "TLS handshake failed: is this a TLS port?")                            \
    ROW(ERR_TLS_VERSION, "no TLS version in common with the server")                               \
    ROW(ERR_TLS_CIPHER, "no TLS cipher suite in common with the server")                           \
    ROW(ERR_TLS_ALPN, "the server speaks none of the protocols offered (ALPN)")                    \
    ROW(ERR_TLS_UNKNOWN_HOST, "the TLS server does not know this host name: check the URL")        \
    ROW(ERR_TLS_CERT_REQUIRED, "the server asks for a client certificate: set tls.cert_file")      \
    ROW(ERR_TLS_INTEGRITY, "TLS data was altered on its way: try another network")                 \
    ROW(ERR_TLS_ALERT, "the server refused the TLS handshake")                                     \
    ROW(ERR_TLS_TRUNCATED, "the connection ended without close_notify: the body may be cut")       \
    ROW(ERR_TLS_CLOCK, "the time of day is unknown: set wall_clock in the client's options")       \
    ROW(ERR_TLS_ROOTS, "no trusted certificates: install ca-certificates or set tls.ca_file")      \
    ROW(ERR_TLS_CLIENT_CERT, "the client certificate or its key cannot be used")                   \
    ROW(ERR_CERT_EXPIRED, "certificate expired")                                                   \
    ROW(ERR_CERT_NOT_YET_VALID, "certificate not yet valid")                                       \
    ROW(ERR_CERT_NAME, "certificate was issued to another host: check the host in the URL")        \
    ROW(ERR_CERT_UNTRUSTED, "certificate's issuer is not trusted: set tls.ca_file to its CA")      \
    ROW(ERR_CERT_CHAIN, "certificate chain is malformed: the server must send it in full")         \
    ROW(ERR_CERT_UNSUPPORTED, "certificate uses an algorithm or extension not supported")          \
    ROW(ERR_CERT_USAGE, "certificate is not meant to identify a server")                           \
    ROW(ERR_CERT_WEAK, "certificate's key or signature is too weak (RSA needs 2048 bits)")         \
    ROW(ERR_CERT_PIN, "the server's key is none of the pinned ones (tls.pins)")

/* All texts are members of one constant, and are found by their offset: a pointer for each would cost
 * as much again, and three times that in a program that is loaded anywhere. */
#if TBH_SENTENCES
#define TBH_STATUS_MEMBERS(name, sentence)                                                         \
    char name_##name[sizeof("TURBOHTTP_" #name)], text_##name[sizeof(sentence)];
#define TBH_STATUS_TEXTS(name, sentence) "TURBOHTTP_" #name, sentence,
#define TBH_STATUS_ROW(name, sentence)                                                             \
    {TURBOHTTP_##name, offsetof(tbh_status_strings, name_##name),                                  \
     offsetof(tbh_status_strings, text_##name)},
#else /* a name stands for its sentence */
#define TBH_STATUS_MEMBERS(name, sentence) char name_##name[sizeof("TURBOHTTP_" #name)];
#define TBH_STATUS_TEXTS(name, sentence)   "TURBOHTTP_" #name,
#define TBH_STATUS_ROW(name, sentence)                                                             \
    {TURBOHTTP_##name, offsetof(tbh_status_strings, name_##name),                                  \
     offsetof(tbh_status_strings, name_##name)},
#endif

typedef struct tbh_status_strings {
    TBH_STATUSES(TBH_STATUS_MEMBERS)
} tbh_status_strings;

typedef struct tbh_status_row {
    int16_t code;
    uint16_t name, text; /* offsets */
} tbh_status_row;

static const tbh_status_strings tbh_status_constant = {TBH_STATUSES(TBH_STATUS_TEXTS)};
static const tbh_status_row tbh_status_rows[] = {TBH_STATUSES(TBH_STATUS_ROW)};

static const tbh_status_row *tbh_status_find(int code) {
    for (size_t i = 0; i < sizeof tbh_status_rows / sizeof tbh_status_rows[0]; i++)
        if (tbh_status_rows[i].code == code) return &tbh_status_rows[i];
    return NULL;
}

static const char *tbh_status_string(uint16_t offset) {
    return (const char *)&tbh_status_constant + offset;
}

TURBOHTTP_API const char *turbohttp_status_name(turbohttp_status status) {
    const tbh_status_row *row = tbh_status_find((int)status);
    return row ? tbh_status_string(row->name) : "TURBOHTTP_UNKNOWN";
}

TURBOHTTP_API const char *turbohttp_status_text(turbohttp_status status) {
    const tbh_status_row *row = tbh_status_find((int)status);
    return row ? tbh_status_string(row->text) : "unknown status";
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
 * src/base/atomic.h
 * ======================================================================= */
/* Atomics: a spin lock and counters, for sections of a few instructions. Nothing sleeps, because
 * nothing before io/ can; a waiter may spin until the holder is scheduled again.
 * Without threads, or with a compiler that offers none of the builtins, they are plain accesses. */

#if TBH_THREADS && (defined(__GNUC__) || defined(__clang__))
TBH_ALWAYS_INLINE uint32_t tbh_atomic_load32(const uint32_t *p) {
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

TBH_ALWAYS_INLINE void tbh_atomic_store32(uint32_t *p, uint32_t v) {
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_exchange32(uint32_t *p, uint32_t v) {
    return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

/* Returns the value after the addition; add UINT32_MAX to subtract one. */
TBH_ALWAYS_INLINE uint32_t tbh_atomic_add32(uint32_t *p, uint32_t n) {
    return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}
#elif TBH_THREADS && defined(_MSC_VER)
#include <intrin.h>
TBH_ALWAYS_INLINE uint32_t tbh_atomic_load32(const uint32_t *p) {
    return (uint32_t)_InterlockedOr((volatile long *)(uintptr_t)p, 0);
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_exchange32(uint32_t *p, uint32_t v) {
    return (uint32_t)_InterlockedExchange((volatile long *)p, (long)v);
}

TBH_ALWAYS_INLINE void tbh_atomic_store32(uint32_t *p, uint32_t v) {
    (void)tbh_atomic_exchange32(p, v);
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_add32(uint32_t *p, uint32_t n) {
    return (uint32_t)_InterlockedExchangeAdd((volatile long *)p, (long)n) + n;
}
#else
TBH_ALWAYS_INLINE uint32_t tbh_atomic_load32(const uint32_t *p) {
    return *p;
}

TBH_ALWAYS_INLINE void tbh_atomic_store32(uint32_t *p, uint32_t v) {
    *p = v;
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_exchange32(uint32_t *p, uint32_t v) {
    uint32_t old = *p;
    *p = v;
    return old;
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_add32(uint32_t *p, uint32_t n) {
    return *p += n;
}
#endif

/* Not recursive. The inner loop only loads, so that waiters leave the cache line alone. */
TBH_ALWAYS_INLINE void tbh_lock(uint32_t *lock) {
    if (!TBH_THREADS) return;
    while (TBH_UNLIKELY(tbh_atomic_exchange32(lock, 1) != 0))
        while (tbh_atomic_load32(lock) != 0) {
        }
}

TBH_ALWAYS_INLINE void tbh_unlock(uint32_t *lock) {
    if (TBH_THREADS) tbh_atomic_store32(lock, 0);
}

/* ========================================================================
 * src/memory/allocator.h
 * ======================================================================= */
/* Allocator: the two calls through which all memory comes and goes. */

/* Every block of an arena, and every size that a pool rounds up itself, is a multiple of this. */
#define TBH_ALIGN_BYTES 16u

/* NULL for size 0, without hooks, and when the allocator gives nothing. */
TBH_FN void *tbh_allocate(const turbohttp_allocator *allocator, size_t size);
/* NULL is fine; `size` as given to tbh_allocate. */
TBH_FN void tbh_release(const turbohttp_allocator *allocator, void *block, size_t size);
/* Rounds up to TBH_ALIGN_BYTES; false if that does not fit. */
TBH_FN bool tbh_align_size(size_t size, size_t *rounded);

/* ========================================================================
 * src/memory/allocator.c
 * ======================================================================= */
/* Allocator: the helpers over the user's hooks, and the arena (fixed-memory mode).
 * Owns: nothing; the arena hands out parts of the user's block.
 * Arena invariants: base and every size are multiples of 16; blocks handed out and free blocks fill
 * everything below top; free blocks are linked by address, each with its size at its start, which 16
 * bytes hold. Releasing the topmost block lowers top again, so stack-like use needs no list.
 * Input: sizes from the library, trusted on release because they are what was asked for.
 * Does not know: pools, and what the blocks are for. */

TBH_FN void *tbh_allocate(const turbohttp_allocator *allocator, size_t size) {
    if (size == 0 || !allocator->allocate) return NULL;
    return allocator->allocate(allocator->user, size);
}

TBH_FN void tbh_release(const turbohttp_allocator *allocator, void *block, size_t size) {
    if (block && allocator->release) allocator->release(allocator->user, block, size);
}

TBH_FN bool tbh_align_size(size_t size, size_t *rounded) {
    bool fits = tbh_add_size(size, TBH_ALIGN_BYTES - 1, rounded);
    *rounded &= ~(size_t)(TBH_ALIGN_BYTES - 1);
    return fits;
}

/* ------------------------------------------------------------ arena */
TURBOHTTP_API void turbohttp_arena_init(turbohttp_arena *arena, void *block, size_t size) {
    memset(arena, 0, sizeof *arena);
    size_t skip = (size_t)(0 - (uintptr_t)block) & (TBH_ALIGN_BYTES - 1);
    if (!block || size <= skip) return;
    arena->base = (uint8_t *)block + skip;
    arena->size = (size - skip) & ~(size_t)(TBH_ALIGN_BYTES - 1);
}

/* What lies at the start of a free block. */
typedef struct tbh_arena_free {
    uint8_t *next;
    size_t size;
} tbh_arena_free;

static tbh_arena_free tbh_arena_look(const uint8_t *block) {
    tbh_arena_free it;
    memcpy(&it, block, sizeof it);
    return it;
}

static void tbh_arena_mark(uint8_t *block, uint8_t *next, size_t size) {
    tbh_arena_free it;
    it.next = next;
    it.size = size;
    memcpy(block, &it, sizeof it);
}

/* `before` NULL: the list begins with `next`. */
static void tbh_arena_link(turbohttp_arena *arena, uint8_t *before, uint8_t *next) {
    if (before) tbh_arena_mark(before, next, tbh_arena_look(before).size);
    else arena->first = next;
}

/* Takes a free block of exactly that size out, or the front of the smallest that is larger. */
static uint8_t *tbh_arena_reuse(turbohttp_arena *arena, size_t size, bool or_larger) {
    uint8_t *before = NULL, *best = NULL, *best_before = NULL, *next = arena->first;
    size_t best_size = or_larger ? SIZE_MAX : size + 1;
    for (uint8_t *at = next; at && best_size != size; before = at, at = next) {
        tbh_arena_free it = tbh_arena_look(at);
        next = it.next;
        if (it.size < size || it.size >= best_size) continue;
        best = at, best_before = before, best_size = it.size;
    }
    if (!best) return NULL;
    next = tbh_arena_look(best).next;
    if (best_size > size) {
        tbh_arena_mark(best + size, next, best_size - size);
        next = best + size;
    }
    tbh_arena_link(arena, best_before, next);
    return best;
}

/* Joins free neighbours; what then touches top lowers it. */
static void tbh_arena_join(turbohttp_arena *arena) {
    uint8_t *before = NULL, *at = arena->first;
    while (at) {
        tbh_arena_free it = tbh_arena_look(at);
        if (at + it.size == arena->base + arena->top) {
            arena->top -= it.size;
            tbh_arena_link(arena, before, NULL);
            return;
        }
        if (it.next == at + it.size) {
            tbh_arena_free next = tbh_arena_look(it.next);
            tbh_arena_mark(at, next.next, it.size + next.size);
            continue;
        }
        before = at;
        at = it.next;
    }
}

/* The next bytes that were not handed out yet. */
static uint8_t *tbh_arena_extend(turbohttp_arena *arena, size_t size) {
    if (size > arena->size - arena->top) return NULL;
    arena->top += size;
    arena->peak = tbh_max_size(arena->peak, arena->top);
    return arena->base + arena->top - size;
}

static uint8_t *tbh_arena_take(turbohttp_arena *arena, size_t size) {
    uint8_t *block = tbh_arena_reuse(arena, size, false);
    if (!block) block = tbh_arena_extend(arena, size);
    if (block) return block;
    tbh_arena_join(arena);
    block = tbh_arena_reuse(arena, size, true);
    return block ? block : tbh_arena_extend(arena, size);
}

static void tbh_arena_give(turbohttp_arena *arena, uint8_t *block, size_t size) {
    uint8_t *before = NULL, *at = arena->first;
    if (block + size == arena->base + arena->top) {
        arena->top -= size;
        return;
    }
    while (at && at < block) {
        before = at;
        at = tbh_arena_look(at).next;
    }
    tbh_arena_mark(block, at, size);
    tbh_arena_link(arena, before, block);
}

static void *tbh_arena_allocate(void *user, size_t size) {
    turbohttp_arena *arena = (turbohttp_arena *)user;
    if (size == 0 || !tbh_align_size(size, &size)) return NULL;
    tbh_lock(&arena->lock);
    void *block = tbh_arena_take(arena, size);
    if (block) arena->used += size;
    tbh_unlock(&arena->lock);
    return block;
}

static void tbh_arena_release(void *user, void *block, size_t size) {
    turbohttp_arena *arena = (turbohttp_arena *)user;
    if (!block || !tbh_align_size(size, &size)) return;
    tbh_lock(&arena->lock);
    tbh_arena_give(arena, (uint8_t *)block, size);
    arena->used -= size;
    tbh_unlock(&arena->lock);
}

TURBOHTTP_API turbohttp_allocator turbohttp_arena_allocator(turbohttp_arena *arena) {
    turbohttp_allocator allocator;
    allocator.user = arena;
    allocator.allocate = tbh_arena_allocate;
    allocator.release = tbh_arena_release;
    return allocator;
}

/* ========================================================================
 * src/memory/guards.h
 * ======================================================================= */
/* Guards: find misuse of pooled blocks and say where (TURBOHTTP_DEBUG_GUARDS), and tell
 * AddressSanitizer which blocks are at rest. Callers write `if (TBH_GUARDS && …)`: the compiler
 * removes all of it from other builds. */

#if defined(__SANITIZE_ADDRESS__)
#define TBH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TBH_ASAN 1
#endif
#endif

#ifdef TBH_ASAN
#ifdef __cplusplus
extern "C" {
#endif
void __asan_poison_memory_region(void const volatile *start, size_t size);
void __asan_unpoison_memory_region(void const volatile *start, size_t size);
#ifdef __cplusplus
}
#endif
#define TBH_POISON(p, n)   __asan_poison_memory_region((p), (n))
#define TBH_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define TBH_POISON(p, n)   ((void)(p), (void)(n))
#define TBH_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* Bytes that a guard build adds behind each block. */
#define TBH_GUARD_TAIL_BYTES (TBH_GUARDS ? 16u : 0u)

/* What resting bytes of a byte pool become in a guard build. */
#define TBH_GUARD_REST       0xDB

/* A call site, for reports. */
typedef struct tbh_site {
    const char *file;
    int line;
} tbh_site;

TBH_ALWAYS_INLINE tbh_site tbh_site_of(const char *file, int line) {
    tbh_site site;
    site.file = file;
    site.line = line;
    return site;
}

/* What the calls below are about: `block` has `bytes` bytes and the canary behind them; at rest
 * the first `link_bytes` belong to the pool's list and are not watched. */
typedef struct tbh_guarded {
    turbohttp_pool_guard *guard;
    const turbohttp_allocator *allocator;
    uint8_t *block;
    size_t bytes, link_bytes;
} tbh_guarded;

/* A block goes out: checks that nobody wrote to it at rest, and puts the canary behind it.
 * False: no memory to remember it; the rent must fail. */
TBH_FN bool tbh_guard_rent(const tbh_guarded *what, tbh_site site);
/* A block comes back, before anything is done to it. False: it is not out; ignore the return. */
TBH_FN bool tbh_guard_return(const tbh_guarded *what, tbh_site site);
/* The block is about to rest in the pool: its bytes are remembered. */
TBH_FN void tbh_guard_rest(const tbh_guarded *what);
/* The block is about to leave for the allocator. */
TBH_FN void tbh_guard_leave(const tbh_guarded *what);
/* The pool ends: reports what is still out and frees the table. */
TBH_FN void tbh_guard_end(turbohttp_pool_guard *guard, const turbohttp_allocator *allocator);
TBH_FN uint64_t tbh_guard_violations(turbohttp_pool_guard *guard);
TBH_FN void tbh_guard_violations_reset(turbohttp_pool_guard *guard);
/* Marks the unused end of a buffer, and reports if the mark was overwritten. */
TBH_FN void tbh_guard_seal(void *data, size_t length, size_t capacity);
TBH_FN void tbh_guard_check_seal(turbohttp_pool_guard *guard, const void *data, size_t length,
                                 size_t capacity, tbh_site site);

/* ========================================================================
 * src/memory/guards.c
 * ======================================================================= */
/* Guards: a table of blocks with the sites of their rent and return, for debug builds.
 * Owns: the table, allocated through the pool's allocator; one record for each address seen.
 * Invariants: a record is OUT (rented), RESTING (in the pool's list, its bytes hashed) or GONE
 * (given to the allocator; kept so that a late second return can still be named, and recycled when
 * the table is full). Lookups are linear: this is a debugging aid.
 * A return is looked up before the block is touched, so a block that is gone is never read.
 * Input: any pointers. Reports go to the pool's hook, outside the lock.
 * Does not know: what kind of pool asks. */

#define TBH_GUARD_FIRST_RECORDS 64u
#define TBH_GUARD_SEAL_BYTES    64u
#define TBH_GUARD_CANARY        0xCA

typedef enum tbh_guard_state { TBH_GUARD_OUT, TBH_GUARD_RESTING, TBH_GUARD_GONE } tbh_guard_state;

typedef struct tbh_guard_record {
    const uint8_t *block;
    tbh_site rented, returned;
    uint64_t hash, age;
    tbh_guard_state state;
} tbh_guard_record;

typedef struct tbh_guard_table {
    size_t count, capacity, bytes;
    uint64_t clock;
    tbh_guard_record *records;
} tbh_guard_table;

/* ------------------------------------------------------------ reports */
static void tbh_guard_say_site(turbohttp_error *note, const char *what, tbh_site site) {
    tbh_error_append(note, what);
    tbh_error_append(note, site.file ? site.file : "(unknown)");
    tbh_error_append(note, ":");
    tbh_error_append_u64(note, (uint64_t)(site.line > 0 ? site.line : 0));
}

static void tbh_guard_report(turbohttp_pool_guard *guard, const char *what,
                             const tbh_guard_record *record, const tbh_site *now) {
    turbohttp_error note;
    tbh_error_text(&note, what);
    if (record) tbh_guard_say_site(&note, ": rented at ", record->rented);
    if (record && record->state != TBH_GUARD_OUT)
        tbh_guard_say_site(&note, ", returned at ", record->returned);
    if (now) tbh_guard_say_site(&note, ", found at ", *now);
    tbh_lock(&guard->lock);
    guard->violations++;
    tbh_unlock(&guard->lock);
    if (guard->on_violation) guard->on_violation(guard->user, note.text);
}

TBH_FN uint64_t tbh_guard_violations(turbohttp_pool_guard *guard) {
    tbh_lock(&guard->lock);
    uint64_t n = guard->violations;
    tbh_unlock(&guard->lock);
    return n;
}

TBH_FN void tbh_guard_violations_reset(turbohttp_pool_guard *guard) {
    tbh_lock(&guard->lock);
    guard->violations = 0;
    tbh_unlock(&guard->lock);
}

/* ------------------------------------------------------------ table (callers hold the lock) */
static tbh_guard_record *tbh_guard_find(tbh_guard_table *table, const uint8_t *block) {
    for (size_t i = 0; table && i < table->count; i++)
        if (table->records[i].block == block) return &table->records[i];
    return NULL;
}

static tbh_guard_record *tbh_guard_oldest_gone(tbh_guard_table *table) {
    tbh_guard_record *oldest = NULL;
    for (size_t i = 0; i < table->count; i++) {
        tbh_guard_record *r = &table->records[i];
        if (r->state == TBH_GUARD_GONE && (!oldest || r->age < oldest->age)) oldest = r;
    }
    return oldest;
}

static tbh_guard_table *tbh_guard_table_create(const turbohttp_allocator *allocator,
                                               size_t capacity, const tbh_guard_table *old) {
    size_t bytes;
    if (!tbh_mul_size(capacity, sizeof(tbh_guard_record), &bytes)) return NULL;
    if (!tbh_add_size(bytes, sizeof(tbh_guard_table), &bytes)) return NULL;
    tbh_guard_table *table = (tbh_guard_table *)tbh_allocate(allocator, bytes);
    if (!table) return NULL;
    memset(table, 0, sizeof *table);
    table->capacity = capacity;
    table->bytes = bytes;
    table->records = (tbh_guard_record *)(void *)(table + 1);
    if (!old) return table;
    table->count = old->count;
    table->clock = old->clock;
    memcpy(table->records, old->records, old->count * sizeof *old->records);
    return table;
}

static bool tbh_guard_grow(const tbh_guarded *what) {
    tbh_guard_table *old = (tbh_guard_table *)what->guard->table;
    size_t capacity = old ? old->capacity * 2 : TBH_GUARD_FIRST_RECORDS;
    tbh_guard_table *table = tbh_guard_table_create(what->allocator, capacity, old);
    if (!table) return false;
    if (old) tbh_release(what->allocator, old, old->bytes);
    what->guard->table = table;
    return true;
}

static tbh_guard_record *tbh_guard_record_for(const tbh_guarded *what) {
    tbh_guard_table *table = (tbh_guard_table *)what->guard->table;
    tbh_guard_record *record = tbh_guard_find(table, what->block);
    if (record) return record;
    if (table && table->count == table->capacity) record = tbh_guard_oldest_gone(table);
    if (!record) {
        if ((!table || table->count == table->capacity) && !tbh_guard_grow(what)) return NULL;
        table = (tbh_guard_table *)what->guard->table;
        record = &table->records[table->count++];
    }
    memset(record, 0, sizeof *record);
    record->block = what->block;
    record->state = TBH_GUARD_GONE;
    return record;
}

/* ------------------------------------------------------------ content */
/* FNV-1a over the bytes that nobody may touch while the block rests. */
static uint64_t tbh_guard_hash(const tbh_guarded *what) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = what->link_bytes; i < what->bytes; i++)
        hash = (hash ^ what->block[i]) * 1099511628211u;
    return hash;
}

static bool tbh_guard_intact(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != TBH_GUARD_CANARY) return false;
    return true;
}

/* ------------------------------------------------------------ the life of a block */
TBH_FN bool tbh_guard_rent(const tbh_guarded *what, tbh_site site) {
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_record_for(what);
    tbh_guard_record before;
    memset(&before, 0, sizeof before);
    bool written = false;
    if (record) {
        before = *record;
        written = record->state == TBH_GUARD_RESTING && record->hash != tbh_guard_hash(what);
        record->state = TBH_GUARD_OUT;
        record->rented = site;
    }
    tbh_unlock(&what->guard->lock);
    if (written) tbh_guard_report(what->guard, "write after return", &before, &site);
    if (record) memset(what->block + what->bytes, TBH_GUARD_CANARY, TBH_GUARD_TAIL_BYTES);
    return record != NULL;
}

TBH_FN bool tbh_guard_return(const tbh_guarded *what, tbh_site site) {
    tbh_guard_record before;
    memset(&before, 0, sizeof before);
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_find((tbh_guard_table *)what->guard->table, what->block);
    bool known = record != NULL;
    if (known) before = *record;
    bool out = known && record->state == TBH_GUARD_OUT;
    if (out) {
        record->returned = site;
        record->state = TBH_GUARD_GONE;
        record->age = ++((tbh_guard_table *)what->guard->table)->clock;
    }
    tbh_unlock(&what->guard->lock);
    if (!known) tbh_guard_report(what->guard, "return of a block not rented here", NULL, &site);
    else if (!out) tbh_guard_report(what->guard, "double return", &before, &site);
    else if (!tbh_guard_intact(what->block + what->bytes, TBH_GUARD_TAIL_BYTES))
        tbh_guard_report(what->guard, "write past the end", &before, &site);
    return out;
}

TBH_FN void tbh_guard_rest(const tbh_guarded *what) {
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_find((tbh_guard_table *)what->guard->table, what->block);
    if (record) {
        record->hash = tbh_guard_hash(what);
        record->state = TBH_GUARD_RESTING;
    }
    tbh_unlock(&what->guard->lock);
}

TBH_FN void tbh_guard_leave(const tbh_guarded *what) {
    tbh_guard_record before;
    memset(&before, 0, sizeof before);
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_find((tbh_guard_table *)what->guard->table, what->block);
    bool written = false;
    if (record) {
        before = *record;
        written = record->state == TBH_GUARD_RESTING && record->hash != tbh_guard_hash(what);
        record->state = TBH_GUARD_GONE;
    }
    tbh_unlock(&what->guard->lock);
    if (written) tbh_guard_report(what->guard, "write after return", &before, NULL);
}

TBH_FN void tbh_guard_end(turbohttp_pool_guard *guard, const turbohttp_allocator *allocator) {
    tbh_guard_table *table = (tbh_guard_table *)guard->table;
    for (size_t i = 0; table && i < table->count; i++)
        if (table->records[i].state == TBH_GUARD_OUT)
            tbh_guard_report(guard, "never returned", &table->records[i], NULL);
    if (table) tbh_release(allocator, table, table->bytes);
    guard->table = NULL;
}

/* ------------------------------------------------------------ logical length of a buffer */
TBH_FN void tbh_guard_seal(void *data, size_t length, size_t capacity) {
    if (data)
        memset((uint8_t *)data + length, TBH_GUARD_CANARY,
               tbh_min_size(capacity - length, TBH_GUARD_SEAL_BYTES));
}

TBH_FN void tbh_guard_check_seal(turbohttp_pool_guard *guard, const void *data, size_t length,
                                 size_t capacity, tbh_site site) {
    size_t n = tbh_min_size(capacity - length, TBH_GUARD_SEAL_BYTES);
    if (!data || tbh_guard_intact((const uint8_t *)data + length, n)) return;
    tbh_lock(&guard->lock);
    tbh_guard_record *record =
        tbh_guard_find((tbh_guard_table *)guard->table, (const uint8_t *)data);
    tbh_guard_record copy;
    memset(&copy, 0, sizeof copy);
    if (record) copy = *record;
    tbh_unlock(&guard->lock);
    tbh_guard_report(guard, "write past the logical length", record ? &copy : NULL, &site);
}

/* ========================================================================
 * src/memory/object_pool.c
 * ======================================================================= */
/* Object pool: retains returned objects of one size, up to a cap.
 * Owns: the retained objects; rented ones belong to who rented them.
 * Invariants: count = length of the list ≤ cap, checked and changed under the lock; the link lies
 * behind the object, so that a reset object rests untouched; the reset hook has run before an
 * object can be seen by the next renter, and never runs under the lock.
 * Input: objects of this pool, each returned once (debug guards check that).
 * Does not know: what the objects are. */

/* Layout: object, canary (guard builds), link aligned. False if the sum does not fit. */
static bool tbh_object_layout(size_t element_bytes, size_t *link_at, size_t *total) {
    return element_bytes > 0 && tbh_add_size(element_bytes, TBH_GUARD_TAIL_BYTES, link_at) &&
           tbh_align_size(*link_at, link_at) && tbh_add_size(*link_at, TBH_ALIGN_BYTES, total);
}

TBH_ALWAYS_INLINE void **tbh_object_link(const turbohttp_object_pool *pool, void *element) {
    return (void **)(void *)((uint8_t *)element + pool->link_at);
}

TURBOHTTP_API void turbohttp_object_pool_init(turbohttp_object_pool *pool,
                                              const turbohttp_allocator *allocator,
                                              size_t element_bytes, uint32_t cap,
                                              void (*reset)(void *user, void *element), void *user,
                                              bool disable_pooling) {
    memset(pool, 0, sizeof *pool);
    pool->allocator = *allocator;
    pool->element_bytes = element_bytes;
    pool->cap = disable_pooling ? 0 : cap;
    pool->reset = reset;
    pool->user = user;
    if (!tbh_object_layout(element_bytes, &pool->link_at, &pool->block_bytes))
        pool->block_bytes = 0;
}

static tbh_guarded tbh_object_guarded(turbohttp_object_pool *pool, void *element) {
    tbh_guarded what;
    what.guard = &pool->guard;
    what.allocator = &pool->allocator;
    what.block = (uint8_t *)element;
    what.bytes = pool->element_bytes;
    what.link_bytes = 0;
    return what;
}

static void tbh_object_release(turbohttp_object_pool *pool, void *element) {
    tbh_guarded what = tbh_object_guarded(pool, element);
    TBH_UNPOISON(element, pool->element_bytes);
    if (TBH_GUARDS) tbh_guard_leave(&what);
    tbh_release(&pool->allocator, element, pool->block_bytes);
}

static TBH_NOINLINE void *tbh_object_make(turbohttp_object_pool *pool) {
    void *element = tbh_allocate(&pool->allocator, pool->block_bytes);
    if (element) memset(element, 0, pool->block_bytes);
    return element;
}

/* Takes a fresh object back when the guards have no room to remember it. */
static bool tbh_object_register(turbohttp_object_pool *pool, void *element, tbh_site site) {
    tbh_guarded what = tbh_object_guarded(pool, element);
    return tbh_guard_rent(&what, site);
}

static TBH_NOINLINE void *tbh_object_rent_fresh(turbohttp_object_pool *pool, tbh_site site) {
    void *element = tbh_object_make(pool);
    if (!element) return NULL;
    if (TBH_GUARDS && !tbh_object_register(pool, element, site)) {
        tbh_object_release(pool, element);
        return NULL;
    }
    tbh_lock(&pool->lock);
    pool->stats.rented++;
    pool->stats.missed++;
    tbh_unlock(&pool->lock);
    return element;
}

TBH_ALWAYS_INLINE void *tbh_object_rent(turbohttp_object_pool *pool, tbh_site site) {
    tbh_lock(&pool->lock);
    void *element = pool->first;
    if (TBH_UNLIKELY(!element)) {
        tbh_unlock(&pool->lock);
        return tbh_object_rent_fresh(pool, site);
    }
    pool->first = *tbh_object_link(pool, element);
    pool->count--;
    pool->stats.rented++;
    tbh_unlock(&pool->lock);
    TBH_UNPOISON(element, pool->element_bytes);
    if (TBH_GUARDS) (void)tbh_object_register(pool, element, site);
    return element;
}

TURBOHTTP_API void *turbohttp_object_pool_rent_at(turbohttp_object_pool *pool, const char *file,
                                                  int line) {
    return tbh_object_rent(pool, tbh_site_of(file, line));
}

TURBOHTTP_API void *(turbohttp_object_pool_rent)(turbohttp_object_pool *pool) {
    return tbh_object_rent(pool, tbh_site_of(NULL, 0));
}

static bool tbh_object_accept(turbohttp_object_pool *pool, void *element, tbh_site site) {
    tbh_guarded what = tbh_object_guarded(pool, element);
    return tbh_guard_return(&what, site);
}

static void tbh_object_reset(turbohttp_object_pool *pool, void *element) {
    if (pool->reset) pool->reset(pool->user, element);
    else memset(element, 0, pool->element_bytes);
}

TBH_ALWAYS_INLINE void tbh_object_return(turbohttp_object_pool *pool, void *element,
                                         tbh_site site) {
    if (!element || (TBH_GUARDS && !tbh_object_accept(pool, element, site))) return;
    tbh_object_reset(pool, element);
    if (TBH_GUARDS) {
        tbh_guarded what = tbh_object_guarded(pool, element);
        tbh_guard_rest(&what);
    }
    tbh_lock(&pool->lock);
    pool->stats.returned++;
    bool keep = pool->count < pool->cap;
    if (keep) {
        TBH_POISON(element, pool->element_bytes);
        *tbh_object_link(pool, element) = pool->first;
        pool->first = element;
        pool->count++;
    }
    tbh_unlock(&pool->lock);
    if (!keep) tbh_object_release(pool, element);
}

TURBOHTTP_API void turbohttp_object_pool_return_at(turbohttp_object_pool *pool, void *element,
                                                   const char *file, int line) {
    tbh_object_return(pool, element, tbh_site_of(file, line));
}

TURBOHTTP_API void(turbohttp_object_pool_return)(turbohttp_object_pool *pool, void *element) {
    tbh_object_return(pool, element, tbh_site_of(NULL, 0));
}

/* ------------------------------------------------------------ questions */
TURBOHTTP_API uint32_t turbohttp_object_pool_count(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    uint32_t count = pool->count;
    tbh_unlock(&pool->lock);
    return count;
}

TURBOHTTP_API turbohttp_pool_stats turbohttp_object_pool_stats(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    turbohttp_pool_stats stats = pool->stats;
    tbh_unlock(&pool->lock);
    stats.active += stats.rented - stats.returned;
    stats.violations = tbh_guard_violations(&pool->guard);
    return stats;
}

TURBOHTTP_API void turbohttp_object_pool_stats_reset(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    uint64_t active = pool->stats.active + pool->stats.rented - pool->stats.returned;
    memset(&pool->stats, 0, sizeof pool->stats);
    pool->stats.active = active;
    tbh_unlock(&pool->lock);
    tbh_guard_violations_reset(&pool->guard);
}

TURBOHTTP_API void turbohttp_object_pool_on_violation(turbohttp_object_pool *pool,
                                                      void (*hook)(void *user, const char *text),
                                                      void *user) {
    pool->guard.on_violation = hook;
    pool->guard.user = user;
}

/* ------------------------------------------------------------ end */
TURBOHTTP_API void turbohttp_object_pool_trim(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    void *element = pool->first;
    pool->first = NULL;
    pool->count = 0;
    tbh_unlock(&pool->lock);
    while (element) {
        void *next = *tbh_object_link(pool, element);
        tbh_object_release(pool, element);
        element = next;
    }
}

TURBOHTTP_API void turbohttp_object_pool_destroy(turbohttp_object_pool *pool) {
    if (!pool) return;
    turbohttp_object_pool_trim(pool);
    tbh_guard_end(&pool->guard, &pool->allocator);
}

/* ========================================================================
 * src/memory/byte_pool.c
 * ======================================================================= */
/* Byte pool: retains returned blocks in power-of-two sizes, up to a cap for each size.
 * Owns: the retained blocks; rented ones belong to who rented them.
 * Invariants: bucket i holds blocks of 2^(first_class + 1 + i) bytes, room = cap − how many, changed under the lock;
 * a resting block is linked through its own first word, written after the wipe of CLEAR_ON_RETURN,
 * and is the only word of it that is not zero then. Blocks above the largest bucket are never
 * retained. The allocator is called outside the lock.
 * Input: sizes from anywhere, and blocks of this pool with their capacity, each returned once.
 * Does not know: what the bytes are. */

#define TBH_BYTE_POOL_DEFAULT_SMALLEST 256u
#define TBH_BYTE_POOL_DEFAULT_LARGEST  65536u

/* The number of the highest bit set; n ≥ 1. */
TBH_ALWAYS_INLINE uint32_t tbh_log2_floor(size_t n) {
#if defined(__GNUC__) || defined(__clang__)
    return sizeof n <= sizeof(unsigned long)
               ? (uint32_t)__builtin_clzl((unsigned long)n) ^ (uint32_t)(sizeof(long) * 8 - 1)
               : (uint32_t)__builtin_clzll((unsigned long long)n) ^ 63u;
#else
    uint32_t shift = 0;
    while ((n >>= 1) != 0) shift++;
    return shift;
#endif
}

static uint32_t tbh_log2_ceil(size_t n) {
    return n <= 1 ? 0 : tbh_log2_floor(n - 1) + 1;
}

TURBOHTTP_API void turbohttp_byte_pool_init(turbohttp_byte_pool *pool,
                                            const turbohttp_allocator *allocator, size_t smallest,
                                            size_t largest, uint32_t cap_per_bucket,
                                            turbohttp_clearing clearing, bool disable_pooling) {
    memset(pool, 0, sizeof *pool);
    if (smallest == 0) smallest = TBH_BYTE_POOL_DEFAULT_SMALLEST;
    if (largest == 0) largest = TBH_BYTE_POOL_DEFAULT_LARGEST;
    smallest = tbh_min_size(tbh_max_size(smallest, TBH_ALIGN_BYTES), SIZE_MAX / 4 + 1);
    largest = tbh_min_size(tbh_max_size(largest, smallest), SIZE_MAX / 4 + 1);
    uint32_t low = tbh_log2_ceil(smallest), high = tbh_log2_ceil(largest);
    if (high - low >= TURBOHTTP_BYTE_POOL_BUCKETS) high = low + TURBOHTTP_BYTE_POOL_BUCKETS - 1;
    pool->allocator = *allocator;
    pool->first_class = low - 1;
    pool->min_mask = ((size_t)1 << low) - 1;
    pool->max_bytes = (size_t)1 << high;
    pool->cap_per_bucket = disable_pooling ? 0 : cap_per_bucket;
    pool->clearing = clearing;
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS; i++)
        pool->buckets[i].room = pool->cap_per_bucket;
}

/* The class of sizes 1 … max_bytes: class c holds blocks of 2^(c+1) bytes. The or makes every small
 * size the smallest bucket's, without a branch. */
TBH_ALWAYS_INLINE uint32_t tbh_byte_pool_class(const turbohttp_byte_pool *pool, size_t size) {
    return tbh_log2_floor((size - 1) | pool->min_mask);
}

static tbh_guarded tbh_byte_pool_guarded(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    tbh_guarded what;
    what.guard = &pool->guard;
    what.allocator = &pool->allocator;
    what.block = (uint8_t *)block;
    what.bytes = capacity;
    what.link_bytes = sizeof(void *);
    return what;
}

static void tbh_byte_pool_release(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    TBH_UNPOISON(block, capacity);
    if (TBH_GUARDS) tbh_guard_leave(&what);
    tbh_release(&pool->allocator, block, capacity + TBH_GUARD_TAIL_BYTES);
}

/* ------------------------------------------------------------ rent */
static bool tbh_byte_pool_register(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                   tbh_site site) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    return tbh_guard_rent(&what, site);
}

/* Returns the block: the common case ends in a call of this, and so needs no stack frame. */
static TBH_NOINLINE void *tbh_byte_pool_wipe(turbohttp_byte_pool *pool, void *block,
                                             size_t capacity) {
    memset(block, 0, capacity);
    tbh_lock(&pool->lock);
    pool->stats.cleared++;
    tbh_unlock(&pool->lock);
    return block;
}

/* A block from the allocator; counts only when there is one. */
static TBH_NOINLINE void *tbh_byte_pool_fresh(turbohttp_byte_pool *pool, size_t capacity,
                                              bool unpooled, tbh_site site) {
    void *block = tbh_allocate(&pool->allocator, capacity + TBH_GUARD_TAIL_BYTES);
    if (!block) return NULL;
    if (TBH_GUARDS && !tbh_byte_pool_register(pool, block, capacity, site)) {
        tbh_byte_pool_release(pool, block, capacity);
        return NULL;
    }
    tbh_lock(&pool->lock);
    pool->stats.rented++;
    pool->stats.missed++;
    pool->stats.unpooled += unpooled;
    tbh_unlock(&pool->lock);
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RENT) (void)tbh_byte_pool_wipe(pool, block, capacity);
    return block;
}

static TBH_NOINLINE void *tbh_byte_pool_rent_large(turbohttp_byte_pool *pool, size_t size,
                                                   size_t *capacity, tbh_site site) {
    *capacity = 0;
    if (size == 0 || size > SIZE_MAX / 2 || !tbh_align_size(size, &size)) return NULL;
    void *block = tbh_byte_pool_fresh(pool, size, true, site);
    if (block) *capacity = size;
    return block;
}

static TBH_NOINLINE void *tbh_byte_pool_rent_missed(turbohttp_byte_pool *pool, size_t bytes,
                                                    size_t *capacity, tbh_site site) {
    void *block = tbh_byte_pool_fresh(pool, bytes, false, site);
    *capacity = block ? bytes : 0;
    return block;
}

TBH_ALWAYS_INLINE void *tbh_byte_pool_rent(turbohttp_byte_pool *pool, size_t size, size_t *capacity,
                                           tbh_site site) {
    if (TBH_UNLIKELY(size - 1 >= pool->max_bytes)) /* 0 wraps around */
        return tbh_byte_pool_rent_large(pool, size, capacity, site);
    uint32_t size_class = tbh_byte_pool_class(pool, size);
    size_t bytes = (size_t)2 << size_class;
    turbohttp_byte_bucket *bucket = &pool->buckets[size_class - pool->first_class];
    tbh_lock(&pool->lock);
    void *block = bucket->first;
    if (TBH_UNLIKELY(!block)) {
        tbh_unlock(&pool->lock);
        return tbh_byte_pool_rent_missed(pool, bytes, capacity, site);
    }
    TBH_UNPOISON(block, bytes);
    memcpy(&bucket->first, block, sizeof bucket->first);
    bucket->room++;
    pool->stats.rented++;
    tbh_unlock(&pool->lock);
    *capacity = bytes;
    if (TBH_GUARDS) (void)tbh_byte_pool_register(pool, block, bytes, site);
    if (TBH_UNLIKELY(pool->clearing == TURBOHTTP_CLEAR_ON_RENT))
        return tbh_byte_pool_wipe(pool, block, bytes);
    return block;
}

TURBOHTTP_API void *turbohttp_byte_pool_rent_at(turbohttp_byte_pool *pool, size_t size,
                                                size_t *capacity, const char *file, int line) {
    return tbh_byte_pool_rent(pool, size, capacity, tbh_site_of(file, line));
}

TURBOHTTP_API void *(turbohttp_byte_pool_rent)(turbohttp_byte_pool *pool, size_t size,
                                               size_t *capacity) {
    return tbh_byte_pool_rent(pool, size, capacity, tbh_site_of(NULL, 0));
}

/* ------------------------------------------------------------ return */
static bool tbh_byte_pool_accept(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                 tbh_site site) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    return tbh_guard_return(&what, site);
}

/* Guard builds: old bytes become recognisable, and changes to them detectable. */
static void tbh_byte_pool_rest(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    if (pool->clearing != TURBOHTTP_CLEAR_ON_RETURN) memset(block, TBH_GUARD_REST, capacity);
    tbh_guard_rest(&what);
}

static TBH_NOINLINE void tbh_byte_pool_let_go(turbohttp_byte_pool *pool, void *block,
                                              size_t capacity) {
    tbh_lock(&pool->lock);
    pool->stats.returned++;
    tbh_unlock(&pool->lock);
    tbh_byte_pool_release(pool, block, capacity);
}

/* Retains the block or gives it to the allocator. */
TBH_ALWAYS_INLINE void tbh_byte_pool_give(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    if (TBH_UNLIKELY(capacity > pool->max_bytes)) {
        tbh_byte_pool_let_go(pool, block, capacity);
        return;
    }
    uint32_t size_class = tbh_byte_pool_class(pool, capacity);
    turbohttp_byte_bucket *bucket = &pool->buckets[size_class - pool->first_class];
    tbh_lock(&pool->lock);
    if (TBH_UNLIKELY(bucket->room == 0)) {
        tbh_unlock(&pool->lock);
        tbh_byte_pool_let_go(pool, block, capacity);
        return;
    }
    bucket->room--;
    pool->stats.returned++;
    memcpy(block, &bucket->first, sizeof bucket->first);
    bucket->first = block;
    TBH_POISON(block, capacity);
    tbh_unlock(&pool->lock);
}

static TBH_NOINLINE void tbh_byte_pool_return_careful(turbohttp_byte_pool *pool, void *block,
                                                      size_t capacity, tbh_site site) {
    if (TBH_GUARDS && !tbh_byte_pool_accept(pool, block, capacity, site)) return;
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RETURN)
        (void)tbh_byte_pool_wipe(pool, block, capacity);
    if (TBH_GUARDS) tbh_byte_pool_rest(pool, block, capacity);
    tbh_byte_pool_give(pool, block, capacity);
}

TBH_ALWAYS_INLINE void tbh_byte_pool_return(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                            tbh_site site) {
    if (!block) return;
    if (TBH_GUARDS || TBH_UNLIKELY(pool->clearing == TURBOHTTP_CLEAR_ON_RETURN))
        tbh_byte_pool_return_careful(pool, block, capacity, site);
    else tbh_byte_pool_give(pool, block, capacity);
}

TURBOHTTP_API void turbohttp_byte_pool_return_at(turbohttp_byte_pool *pool, void *block,
                                                 size_t capacity, const char *file, int line) {
    tbh_byte_pool_return(pool, block, capacity, tbh_site_of(file, line));
}

TURBOHTTP_API void(turbohttp_byte_pool_return)(turbohttp_byte_pool *pool, void *block,
                                               size_t capacity) {
    tbh_byte_pool_return(pool, block, capacity, tbh_site_of(NULL, 0));
}

/* ------------------------------------------------------------ questions */
TURBOHTTP_API uint32_t turbohttp_byte_pool_count(turbohttp_byte_pool *pool) {
    uint32_t count = 0;
    tbh_lock(&pool->lock);
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS; i++)
        count += pool->cap_per_bucket - pool->buckets[i].room;
    tbh_unlock(&pool->lock);
    return count;
}

TURBOHTTP_API turbohttp_pool_stats turbohttp_byte_pool_stats(turbohttp_byte_pool *pool) {
    tbh_lock(&pool->lock);
    turbohttp_pool_stats stats = pool->stats;
    tbh_unlock(&pool->lock);
    stats.active += stats.rented - stats.returned;
    stats.violations = tbh_guard_violations(&pool->guard);
    return stats;
}

TURBOHTTP_API void turbohttp_byte_pool_stats_reset(turbohttp_byte_pool *pool) {
    tbh_lock(&pool->lock);
    uint64_t active = pool->stats.active + pool->stats.rented - pool->stats.returned;
    memset(&pool->stats, 0, sizeof pool->stats);
    pool->stats.active = active;
    tbh_unlock(&pool->lock);
    tbh_guard_violations_reset(&pool->guard);
}

TURBOHTTP_API void turbohttp_byte_pool_on_violation(turbohttp_byte_pool *pool,
                                                    void (*hook)(void *user, const char *text),
                                                    void *user) {
    pool->guard.on_violation = hook;
    pool->guard.user = user;
}

/* ------------------------------------------------------------ end */
static void tbh_byte_pool_trim_bucket(turbohttp_byte_pool *pool, turbohttp_byte_bucket *bucket,
                                      size_t bytes) {
    tbh_lock(&pool->lock);
    void *block = bucket->first;
    bucket->first = NULL;
    bucket->room = pool->cap_per_bucket;
    tbh_unlock(&pool->lock);
    while (block) {
        void *next;
        TBH_UNPOISON(block, bytes);
        memcpy(&next, block, sizeof next);
        tbh_byte_pool_release(pool, block, bytes);
        block = next;
    }
}

TURBOHTTP_API void turbohttp_byte_pool_trim(turbohttp_byte_pool *pool) {
    size_t bytes = pool->min_mask + 1;
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS && bytes <= pool->max_bytes; i++, bytes *= 2)
        tbh_byte_pool_trim_bucket(pool, &pool->buckets[i], bytes);
}

TURBOHTTP_API void turbohttp_byte_pool_destroy(turbohttp_byte_pool *pool) {
    if (!pool) return;
    turbohttp_byte_pool_trim(pool);
    tbh_guard_end(&pool->guard, &pool->allocator);
}

/* ========================================================================
 * src/memory/buffer.c
 * ======================================================================= */
/* Buffer: the owner of one pooled block, with its logical length.
 * Owns: the block, until return or detach. Invariants: data NULL ⇔ pool NULL ⇔ capacity 0;
 * length ≤ capacity; in a guard build the bytes right behind `length` carry a mark.
 * Input: sizes from the library or its user. Does not know: what the bytes are. */

TURBOHTTP_API turbohttp_status turbohttp_buffer_rent_at(turbohttp_buffer *buffer,
                                                        turbohttp_byte_pool *pool, size_t size,
                                                        const char *file, int line) {
    memset(buffer, 0, sizeof *buffer);
    if (size == 0) return TURBOHTTP_OK;
    size_t capacity;
    char *data = (char *)turbohttp_byte_pool_rent_at(pool, size, &capacity, file, line);
    if (!data) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    buffer->pool = pool;
    buffer->data = data;
    buffer->length = size;
    buffer->capacity = capacity;
    if (TBH_GUARDS) tbh_guard_seal(data, size, capacity);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status(turbohttp_buffer_rent)(turbohttp_buffer *buffer,
                                                      turbohttp_byte_pool *pool, size_t size) {
    return turbohttp_buffer_rent_at(buffer, pool, size, NULL, 0);
}

TURBOHTTP_API void turbohttp_buffer_return_at(turbohttp_buffer *buffer, const char *file,
                                              int line) {
    if (!buffer || !buffer->data) return;
    turbohttp_buffer held = *buffer;
    memset(buffer, 0, sizeof *buffer);
    if (TBH_GUARDS)
        tbh_guard_check_seal(&held.pool->guard, held.data, held.length, held.capacity,
                             tbh_site_of(file, line));
    turbohttp_byte_pool_return_at(held.pool, held.data, held.capacity, file, line);
}

TURBOHTTP_API void(turbohttp_buffer_return)(turbohttp_buffer *buffer) {
    turbohttp_buffer_return_at(buffer, NULL, 0);
}

TURBOHTTP_API char *turbohttp_buffer_detach(turbohttp_buffer *buffer, size_t *capacity) {
    char *data = buffer->data;
    if (capacity) *capacity = buffer->capacity;
    memset(buffer, 0, sizeof *buffer);
    return data;
}

TURBOHTTP_API void turbohttp_buffer_truncate(turbohttp_buffer *buffer, size_t length) {
    if (length >= buffer->length) return;
    buffer->length = length;
    if (TBH_GUARDS) tbh_guard_seal(buffer->data, length, buffer->capacity);
}

TURBOHTTP_API turbohttp_span turbohttp_buffer_span(const turbohttp_buffer *buffer) {
    return tbh_span(buffer->data, buffer->length);
}

/* ========================================================================
 * src/memory/writer.h
 * ======================================================================= */
/* Writers for those who write many small pieces. */

/* As turbohttp_writer_put, without a call while there is room. */
TBH_ALWAYS_INLINE void tbh_writer_add(turbohttp_writer *writer, const void *bytes, size_t n) {
    size_t capacity = tbh_min_size(writer->capacity, writer->max_bytes);
    if (writer->status == TURBOHTTP_OK && n && n <= capacity - writer->length) {
        memcpy(writer->data + writer->length, bytes, n);
        writer->length += n;
    } else turbohttp_writer_put(writer, bytes, n);
}

/* ========================================================================
 * src/memory/writer.c
 * ======================================================================= */
/* Writer: output that grows in one piece, over a byte pool.
 * Owns: one block, replaced by a larger one (next bucket, at least doubled) when it is full.
 * Invariants: length ≤ capacity, length ≤ max_bytes; the first error sticks until clear or reset
 * and leaves what was written as it was.
 * Input: any bytes; the text helpers take UTF-8, and malformed UTF-8 becomes '?'.
 * Does not know: what is being serialised. */

TURBOHTTP_API void turbohttp_writer_init(turbohttp_writer *writer, turbohttp_byte_pool *pool,
                                         size_t max_bytes) {
    memset(writer, 0, sizeof *writer);
    writer->pool = pool;
    writer->max_bytes = max_bytes ? max_bytes : SIZE_MAX;
}

static turbohttp_status tbh_writer_fail(turbohttp_writer *writer, turbohttp_status status) {
    if (writer->status == TURBOHTTP_OK) writer->status = status;
    return writer->status;
}

/* Doubles, but asks for no more than the limit unless the pool's bucket is larger anyway. */
static TBH_NOINLINE turbohttp_status tbh_writer_grow(turbohttp_writer *writer, size_t needed) {
    size_t wanted = writer->capacity > SIZE_MAX / 2 ? needed : writer->capacity * 2;
    wanted = tbh_max_size(needed, tbh_min_size(wanted, writer->max_bytes));
    size_t capacity;
    char *data = (char *)turbohttp_byte_pool_rent(writer->pool, wanted, &capacity);
    if (!data) return tbh_writer_fail(writer, TURBOHTTP_ERR_OUT_OF_MEMORY);
    if (writer->length) {
        memcpy(data, writer->data, writer->length);
        tbh_wipe(writer->data, writer->length); /* it may be a head with credentials */
    }
    turbohttp_byte_pool_return(writer->pool, writer->data, writer->capacity);
    writer->data = data;
    writer->capacity = capacity;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_reserve(turbohttp_writer *writer, size_t n,
                                                        char **span) {
    *span = NULL;
    if (writer->status != TURBOHTTP_OK) return writer->status;
    if (n > writer->max_bytes - writer->length)
        return tbh_writer_fail(writer, TURBOHTTP_ERR_OVERFLOW);
    if (n > writer->capacity - writer->length) {
        turbohttp_status status = tbh_writer_grow(writer, writer->length + n);
        if (status != TURBOHTTP_OK) return status;
    }
    if (writer->data) *span = writer->data + writer->length;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_commit(turbohttp_writer *writer, size_t n) {
    if (writer->status != TURBOHTTP_OK) return writer->status;
    size_t limit = tbh_min_size(writer->capacity, writer->max_bytes);
    if (n > limit - writer->length) return tbh_writer_fail(writer, TURBOHTTP_ERR_INVALID_ARGUMENT);
    writer->length += n;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put(turbohttp_writer *writer, const void *bytes,
                                                    size_t n) {
    char *to;
    turbohttp_status status = turbohttp_writer_reserve(writer, n, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    memcpy(to, bytes, n);
    writer->length += n;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_byte(turbohttp_writer *writer, char byte) {
    return turbohttp_writer_put(writer, &byte, 1);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_text(turbohttp_writer *writer,
                                                         const char *text) {
    return turbohttp_writer_put(writer, text, text ? strlen(text) : 0);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_u64(turbohttp_writer *writer, uint64_t number) {
    char digits[20];
    return turbohttp_writer_put(writer, digits, tbh_format_u64(digits, number));
}

/* ------------------------------------------------------------ text (SPEC B4) */
/* Reads one character that is not ASCII at p: its code point if that is U+0080…U+00FF and well
 * formed, else 0. `*used` is the lead byte and the continuation bytes that belong to it. */
static uint8_t tbh_writer_latin1_of(const char *p, size_t n, size_t *used) {
    uint8_t lead = (uint8_t)p[0];
    size_t follow = lead >= 0xf0 ? 3u : lead >= 0xe0 ? 2u : lead >= 0xc0 ? 1u : 0u;
    size_t i = 1;
    while (i < n && i <= follow && ((uint8_t)p[i] & 0xc0) == 0x80) i++;
    *used = i;
    if ((lead & 0xfe) != 0xc2 || i != 2) return 0;
    return (uint8_t)(lead << 6 | ((uint8_t)p[1] & 0x3f));
}

/* Says how many bytes the text becomes, and writes them if `to` is given. */
static size_t tbh_writer_narrow(char *to, const char *utf8, size_t n, bool latin1) {
    size_t written = 0;
    for (size_t i = 0, used; i < n; i += used) {
        uint8_t c = (uint8_t)utf8[i];
        used = 1;
        if (c >= 0x80) {
            c = tbh_writer_latin1_of(utf8 + i, n - i, &used);
            if (c == 0 || !latin1) c = '?';
        }
        if (to) to[written] = (char)c;
        written++;
    }
    return written;
}

static turbohttp_status tbh_writer_put_narrow(turbohttp_writer *writer, const char *utf8, size_t n,
                                              bool latin1) {
    char *to;
    size_t length = tbh_writer_narrow(NULL, utf8, n, latin1);
    turbohttp_status status = turbohttp_writer_reserve(writer, length, &to);
    if (status != TURBOHTTP_OK || length == 0) return status;
    writer->length += tbh_writer_narrow(to, utf8, n, latin1);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_latin1(turbohttp_writer *writer,
                                                           const char *utf8, size_t n) {
    return tbh_writer_put_narrow(writer, utf8, n, true);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_put_ascii(turbohttp_writer *writer,
                                                          const char *utf8, size_t n) {
    return tbh_writer_put_narrow(writer, utf8, n, false);
}

/* ------------------------------------------------------------ taking it */
TURBOHTTP_API turbohttp_span turbohttp_writer_written(const turbohttp_writer *writer) {
    return tbh_span(writer->data, writer->length);
}

TURBOHTTP_API turbohttp_status turbohttp_writer_detach(turbohttp_writer *writer,
                                                       turbohttp_buffer *buffer) {
    memset(buffer, 0, sizeof *buffer);
    if (writer->status != TURBOHTTP_OK) return writer->status;
    if (writer->data) {
        buffer->pool = writer->pool;
        buffer->data = writer->data;
        buffer->length = writer->length;
        buffer->capacity = writer->capacity;
        if (TBH_GUARDS) tbh_guard_seal(buffer->data, buffer->length, buffer->capacity);
    }
    writer->data = NULL;
    writer->length = writer->capacity = 0;
    writer->status = TURBOHTTP_ERR_STATE;
    return TURBOHTTP_OK;
}

TURBOHTTP_API void turbohttp_writer_clear(turbohttp_writer *writer) {
    writer->length = 0;
    writer->status = TURBOHTTP_OK;
}

TURBOHTTP_API void turbohttp_writer_reset(turbohttp_writer *writer) {
    if (!writer) return;
    if (writer->data) turbohttp_byte_pool_return(writer->pool, writer->data, writer->capacity);
    turbohttp_writer_init(writer, writer->pool, writer->max_bytes);
}

/* ========================================================================
 * src/memory/sequence.h
 * ======================================================================= */
/* Segments: one pooled block each; the header lies at its start, the payload behind it. */

#define TBH_SEGMENT_HEADER_BYTES ((sizeof(turbohttp_segment) + 15u) & ~(size_t)15u)
#define TBH_SEGMENT_LEAST_BYTES  128u

/* A segment in a block of at least `block_bytes` bytes: empty, `data` at the payload's start, no
 * successor, offset 0. NULL if out of memory. */
TBH_FN turbohttp_segment *tbh_segment_rent(turbohttp_byte_pool *pool, size_t block_bytes);
/* NULL is fine; the successor is not touched. */
TBH_FN void tbh_segment_return(turbohttp_byte_pool *pool, turbohttp_segment *segment);
TBH_FN uint8_t *tbh_segment_payload(turbohttp_segment *segment);
TBH_FN size_t tbh_segment_payload_bytes(const turbohttp_segment *segment);
/* The free space behind data + length; NULL and 0 if there is none. */
TBH_FN uint8_t *tbh_segment_room(turbohttp_segment *segment, size_t *n);

/* ========================================================================
 * src/memory/sequence.c
 * ======================================================================= */
/* Sequence: segments, chains of them that grow (segmented buffer), and views of both.
 * Owns: a segmented buffer owns its segments; a sequence owns nothing.
 * Invariants of a segment: data … data+length lies inside its payload. Of a buffer: length is the
 * sum of the segments' lengths; each segment's offset is its predecessor's offset + length, and
 * last's end is `end`, which only reset lowers: offsets stay valid while the front is consumed.
 * Of a sequence: head is not empty unless the whole is; head and rest hold ≥ length bytes.
 * Input: any bytes. Does not know: what they mean. */

TBH_FN turbohttp_segment *tbh_segment_rent(turbohttp_byte_pool *pool, size_t block_bytes) {
    size_t capacity;
    block_bytes = tbh_max_size(block_bytes, TBH_SEGMENT_LEAST_BYTES);
    turbohttp_segment *s =
        (turbohttp_segment *)turbohttp_byte_pool_rent(pool, block_bytes, &capacity);
    if (!s) return NULL;
    s->next = NULL;
    s->data = tbh_segment_payload(s);
    s->length = 0;
    s->offset = 0;
    s->block_bytes = capacity;
    return s;
}

TBH_FN void tbh_segment_return(turbohttp_byte_pool *pool, turbohttp_segment *segment) {
    if (segment) turbohttp_byte_pool_return(pool, segment, segment->block_bytes);
}

TBH_FN uint8_t *tbh_segment_payload(turbohttp_segment *segment) {
    return (uint8_t *)segment + TBH_SEGMENT_HEADER_BYTES;
}

TBH_FN size_t tbh_segment_payload_bytes(const turbohttp_segment *segment) {
    return segment->block_bytes - TBH_SEGMENT_HEADER_BYTES;
}

TBH_FN uint8_t *tbh_segment_room(turbohttp_segment *segment, size_t *n) {
    uint8_t *room = segment->data + segment->length;
    *n = (size_t)((uint8_t *)segment + segment->block_bytes - room);
    return *n ? room : NULL;
}

/* ------------------------------------------------------------ segmented buffer */
TURBOHTTP_API void turbohttp_segments_init(turbohttp_segments *segments, turbohttp_byte_pool *pool,
                                           size_t block_bytes) {
    memset(segments, 0, sizeof *segments);
    segments->pool = pool;
    if (block_bytes == 0) block_bytes = TURBOHTTP_SEGMENT_BYTES;
    segments->block_bytes = tbh_max_size(block_bytes, TBH_SEGMENT_LEAST_BYTES);
}

TURBOHTTP_API void turbohttp_segments_attach(turbohttp_segments *segments,
                                             turbohttp_segment *segment) {
    segment->next = NULL;
    segment->offset = segments->end;
    if (segments->last) segments->last->next = segment;
    else segments->first = segment;
    segments->last = segment;
    segments->length += segment->length;
    segments->end += segment->length;
}

TURBOHTTP_API turbohttp_segment *turbohttp_segments_detach_first(turbohttp_segments *segments) {
    turbohttp_segment *s = segments->first;
    if (!s) return NULL;
    segments->first = s->next;
    if (!s->next) segments->last = NULL;
    segments->length -= s->length;
    s->next = NULL;
    return s;
}

TURBOHTTP_API uint8_t *turbohttp_segments_room(turbohttp_segments *segments, size_t *n) {
    uint8_t *room = NULL;
    *n = 0;
    if (segments->last) room = tbh_segment_room(segments->last, n);
    if (room) return room;
    turbohttp_segment *fresh = tbh_segment_rent(segments->pool, segments->block_bytes);
    if (!fresh) return NULL;
    turbohttp_segments_attach(segments, fresh);
    return tbh_segment_room(fresh, n);
}

TURBOHTTP_API turbohttp_status turbohttp_segments_commit(turbohttp_segments *segments, size_t n) {
    size_t room = 0;
    if (segments->last) (void)tbh_segment_room(segments->last, &room);
    if (n > room) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (n == 0) return TURBOHTTP_OK;
    segments->last->length += n;
    segments->length += n;
    segments->end += n;
    return TURBOHTTP_OK;
}

/* Rents what `n` bytes need beyond `have` before anything is written: all or nothing. */
static bool tbh_segments_rent_for(turbohttp_segments *segments, size_t n, size_t have,
                                  turbohttp_segment **chain) {
    turbohttp_segment **end = chain;
    *chain = NULL;
    while (have < n) {
        turbohttp_segment *s = tbh_segment_rent(segments->pool, segments->block_bytes);
        if (!s) return false;
        *end = s;
        end = &s->next;
        have += tbh_segment_payload_bytes(s);
    }
    return true;
}

static void tbh_segments_return_chain(turbohttp_byte_pool *pool, turbohttp_segment *s) {
    while (s) {
        turbohttp_segment *next = s->next;
        tbh_segment_return(pool, s);
        s = next;
    }
}

TURBOHTTP_API turbohttp_status turbohttp_segments_append(turbohttp_segments *segments,
                                                         const void *bytes, size_t n) {
    const uint8_t *from = (const uint8_t *)bytes;
    size_t have = 0;
    turbohttp_segment *chain;
    if (segments->last) (void)tbh_segment_room(segments->last, &have);
    if (!tbh_segments_rent_for(segments, n, have, &chain)) {
        tbh_segments_return_chain(segments->pool, chain);
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    while (n > 0) {
        if (have == 0) {
            turbohttp_segment *next = chain;
            chain = chain->next;
            turbohttp_segments_attach(segments, next);
        }
        uint8_t *room = tbh_segment_room(segments->last, &have);
        size_t part = tbh_min_size(n, have);
        memcpy(room, from, part);
        (void)turbohttp_segments_commit(segments, part);
        from += part;
        n -= part;
        have = 0;
    }
    return TURBOHTTP_OK;
}

TURBOHTTP_API void turbohttp_segments_consume(turbohttp_segments *segments, size_t n) {
    turbohttp_segment *s;
    while ((s = segments->first) != NULL && n >= s->length) {
        n -= s->length;
        tbh_segment_return(segments->pool, turbohttp_segments_detach_first(segments));
    }
    if (!s || n == 0) return;
    s->data += n;
    s->length -= n;
    s->offset += n;
    segments->length -= n;
}

TURBOHTTP_API void turbohttp_segments_reset(turbohttp_segments *segments) {
    if (!segments) return;
    tbh_segments_return_chain(segments->pool, segments->first);
    turbohttp_segments_init(segments, segments->pool, segments->block_bytes);
}

/* ------------------------------------------------------------ views */
TURBOHTTP_API turbohttp_sequence turbohttp_sequence_of(const void *bytes, size_t n) {
    turbohttp_sequence sequence;
    sequence.head = tbh_span((const char *)bytes, n);
    sequence.rest = NULL;
    sequence.length = n;
    sequence.offset = 0;
    return sequence;
}

TURBOHTTP_API turbohttp_sequence turbohttp_segments_sequence(const turbohttp_segments *segments) {
    turbohttp_sequence sequence = turbohttp_sequence_of(NULL, 0);
    const turbohttp_segment *s = segments->first;
    while (s && s->length == 0) s = s->next;
    sequence.length = segments->length;
    sequence.offset = segments->end - segments->length;
    if (!s) return sequence;
    sequence.head = tbh_span((const char *)s->data, s->length);
    sequence.rest = s->next;
    return sequence;
}

TURBOHTTP_API bool turbohttp_sequence_next(const turbohttp_sequence *sequence,
                                           turbohttp_sequence_iterator *iterator,
                                           turbohttp_span *piece) {
    size_t left = sequence->length - iterator->taken;
    *piece = tbh_span(NULL, 0);
    if (left == 0) return false;
    if (iterator->taken == 0) {
        *piece = sequence->head;
        iterator->next = sequence->rest;
    }
    while (piece->length == 0 && iterator->next) {
        *piece = tbh_span((const char *)iterator->next->data, iterator->next->length);
        iterator->next = iterator->next->next;
    }
    piece->length = tbh_min_size(piece->length, left);
    iterator->taken += piece->length;
    return piece->length > 0;
}

TURBOHTTP_API turbohttp_sequence turbohttp_sequence_slice(const turbohttp_sequence *sequence,
                                                          size_t offset, size_t length) {
    turbohttp_sequence slice = turbohttp_sequence_of(NULL, 0);
    turbohttp_sequence_iterator at;
    turbohttp_span piece;
    memset(&at, 0, sizeof at);
    offset = tbh_min_size(offset, sequence->length);
    slice.length = tbh_min_size(length, sequence->length - offset);
    slice.offset = sequence->offset + offset;
    if (slice.length == 0) return slice;
    while (turbohttp_sequence_next(sequence, &at, &piece) && at.taken <= offset) {
    }
    size_t skip = offset - (at.taken - piece.length);
    slice.head = tbh_span(piece.data + skip, tbh_min_size(piece.length - skip, slice.length));
    slice.rest = at.next;
    return slice;
}

TURBOHTTP_API size_t turbohttp_sequence_copy_to(const turbohttp_sequence *sequence,
                                                void *destination, size_t n) {
    turbohttp_sequence_iterator at;
    turbohttp_span piece;
    size_t copied = 0;
    memset(&at, 0, sizeof at);
    while (copied < n && turbohttp_sequence_next(sequence, &at, &piece)) {
        size_t part = tbh_min_size(piece.length, n - copied);
        memcpy((uint8_t *)destination + copied, piece.data, part);
        copied += part;
    }
    return copied;
}

TURBOHTTP_API bool turbohttp_sequence_equals(const turbohttp_sequence *sequence, const void *bytes,
                                             size_t n) {
    turbohttp_sequence_iterator at;
    turbohttp_span piece;
    size_t seen = 0;
    memset(&at, 0, sizeof at);
    if (sequence->length != n) return false;
    while (turbohttp_sequence_next(sequence, &at, &piece)) {
        if (memcmp((const uint8_t *)bytes + seen, piece.data, piece.length) != 0) return false;
        seen += piece.length;
    }
    return true;
}

TURBOHTTP_API bool turbohttp_sequence_is_contiguous(const turbohttp_sequence *sequence) {
    return sequence->head.length >= sequence->length;
}

/* ========================================================================
 * src/memory/reader.c
 * ======================================================================= */
/* Reader: a place in a sequence. Owns: nothing. Invariants: `piece` is the unread rest of the
 * current piece, never longer than what the sequence has left, and empty only at the end;
 * position + unread bytes = length. Input: any sequence whose segments stay put meanwhile.
 * Does not know: what the bytes mean; never copies more than it is asked for. */

/* Goes on to the next piece that has bytes, cut at the sequence's end. */
static void tbh_reader_advance(turbohttp_reader *reader) {
    size_t left = reader->sequence.length - reader->position;
    while (reader->piece.length == 0 && left > 0 && reader->next) {
        reader->piece = tbh_span((const char *)reader->next->data, reader->next->length);
        reader->next = reader->next->next;
    }
    reader->piece.length = tbh_min_size(reader->piece.length, left);
}

static void tbh_reader_rewind(turbohttp_reader *reader) {
    reader->position = 0;
    reader->piece = reader->sequence.head;
    reader->next = reader->sequence.rest;
    tbh_reader_advance(reader);
}

TURBOHTTP_API void turbohttp_reader_init(turbohttp_reader *reader,
                                         const turbohttp_sequence *sequence) {
    reader->sequence = *sequence;
    tbh_reader_rewind(reader);
}

/* n ≤ piece.length */
static void tbh_reader_take(turbohttp_reader *reader, size_t n) {
    reader->piece.data += n;
    reader->piece.length -= n;
    reader->position += n;
    if (reader->piece.length == 0) tbh_reader_advance(reader);
}

TURBOHTTP_API size_t turbohttp_reader_read(turbohttp_reader *reader, void *destination, size_t n) {
    size_t copied = 0;
    while (copied < n && reader->piece.length > 0) {
        size_t part = tbh_min_size(reader->piece.length, n - copied);
        memcpy((uint8_t *)destination + copied, reader->piece.data, part);
        tbh_reader_take(reader, part);
        copied += part;
    }
    return copied;
}

TURBOHTTP_API size_t turbohttp_reader_skip(turbohttp_reader *reader, size_t n) {
    size_t skipped = 0;
    while (skipped < n && reader->piece.length > 0) {
        size_t part = tbh_min_size(reader->piece.length, n - skipped);
        tbh_reader_take(reader, part);
        skipped += part;
    }
    return skipped;
}

TURBOHTTP_API turbohttp_status turbohttp_reader_seek(turbohttp_reader *reader, size_t position) {
    if (position > reader->sequence.length) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (position < reader->position) tbh_reader_rewind(reader);
    (void)turbohttp_reader_skip(reader, position - reader->position);
    return TURBOHTTP_OK;
}

TURBOHTTP_API size_t turbohttp_reader_tell(const turbohttp_reader *reader) {
    return reader->position;
}

TURBOHTTP_API size_t turbohttp_reader_length(const turbohttp_reader *reader) {
    return reader->sequence.length;
}

TURBOHTTP_API int turbohttp_reader_peek(const turbohttp_reader *reader) {
    return reader->piece.length ? (uint8_t)reader->piece.data[0] : -1;
}

TURBOHTTP_API int turbohttp_reader_next(turbohttp_reader *reader) {
    if (reader->piece.length == 0) return -1;
    int byte = (uint8_t)reader->piece.data[0];
    tbh_reader_take(reader, 1);
    return byte;
}

TURBOHTTP_API turbohttp_span turbohttp_reader_piece(const turbohttp_reader *reader) {
    return reader->piece;
}

/* ========================================================================
 * src/memory/heap.h
 * ======================================================================= */
/* The blocks that a client and its responses share: counted, because a response may outlive its
 * client. */

typedef struct tbh_heap {
    turbohttp_allocator allocator;
    turbohttp_byte_pool blocks;
    uint32_t owners; /* atomic */
} tbh_heap;

TBH_FN tbh_heap *tbh_heap_create(const turbohttp_allocator *allocator, size_t largest,
                                 uint32_t cap_per_bucket, turbohttp_clearing clearing,
                                 bool disable_pooling);
TBH_FN void tbh_heap_hold(tbh_heap *heap);
TBH_FN void tbh_heap_drop(tbh_heap *heap); /* the last drop frees it */

/* ========================================================================
 * src/memory/heap.c
 * ======================================================================= */
/* Heap: allocator and byte pool with a count of owners.
 * Owns both; frees itself when the last owner lets go, from whatever thread.
 * Does not know who the owners are. */

enum { TBH_HEAP_SMALLEST = 256 };

TBH_FN tbh_heap *tbh_heap_create(const turbohttp_allocator *allocator, size_t largest,
                                 uint32_t cap_per_bucket, turbohttp_clearing clearing,
                                 bool disable_pooling) {
    tbh_heap *heap = (tbh_heap *)tbh_allocate(allocator, sizeof *heap);
    if (!heap) return NULL;
    memset(heap, 0, sizeof *heap);
    heap->allocator = *allocator;
    heap->owners = 1;
    turbohttp_byte_pool_init(&heap->blocks, &heap->allocator, TBH_HEAP_SMALLEST, largest,
                             cap_per_bucket, clearing, disable_pooling);
    return heap;
}

TBH_FN void tbh_heap_hold(tbh_heap *heap) {
    tbh_atomic_add32(&heap->owners, 1);
}

TBH_FN void tbh_heap_drop(tbh_heap *heap) {
    if (!heap || tbh_atomic_add32(&heap->owners, UINT32_MAX) != 0) return;
    turbohttp_allocator allocator = heap->allocator;
    turbohttp_byte_pool_destroy(&heap->blocks);
    tbh_release(&allocator, heap, sizeof *heap);
}

/* ========================================================================
 * src/format/address.h
 * ======================================================================= */
/* IP addresses as text and as bytes. Numbers in hosts are dotted-quad decimal or IPv6, nothing
 * else (S-71). */

/* Exactly four decimal numbers without leading zeros. */
TBH_FN bool tbh_address_parse_v4(turbohttp_span text, uint8_t bytes[4]);
/* RFC 4291 §2.2, all three forms; no zone, no brackets. */
TBH_FN bool tbh_address_parse_v6(turbohttp_span text, uint8_t bytes[16]);
/* Either of them. */
TBH_FN bool tbh_address_parse(turbohttp_span text, turbohttp_address *address);
/* Writes the address as text (RFC 5952), terminated; returns its length (at most 45). */
TBH_FN size_t tbh_address_format(const turbohttp_address *address, char text[46]);

/* ========================================================================
 * src/format/address.c
 * ======================================================================= */
/* IP addresses: parsing and writing.
 * Owns nothing. Input: any text. Does not know: names, ports, sockets, URLs. */

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

/* ========================================================================
 * src/format/url.h
 * ======================================================================= */
/* URL: what other layers ask about hosts. */

/* Dotted quad, decimal, no leading zeros. */
TBH_FN bool tbh_is_ipv4(const char *p, size_t n);
/* RFC 4291 §2.2 text without brackets and zone. */
TBH_FN bool tbh_is_ipv6(const char *p, size_t n);
/* A name that may be looked up: labels of letters, digits, '-' and '_'; not a number. */
TBH_FN bool tbh_is_host_name(const char *p, size_t n);
/* Bytes of the terminated text if it is a request target that can be sent as it stands, without a
 * fragment; 0 if it must be parsed. */
TBH_FN size_t tbh_url_plain_target(const char *p);
TBH_FN uint16_t tbh_url_default_port(const turbohttp_url *url);

/* ========================================================================
 * src/format/url.c
 * ======================================================================= */
/* URL: parse, resolve, and write what a request needs of it.
 * Owns: nothing; a parsed URL is slices of the caller's text.
 * Invariants: text that parses holds only printable ASCII without blank and backslash, so CR, LF
 * and NUL cannot reach a request; what resolve appends parses again; an error leaves the writer's
 * content as it was.
 * Input: hostile text of any length. The grammar is narrower than RFC 3986 wherever its readers
 * are known to disagree about the host (RELIABILITY S-70, S-71, S-73): rather refuse than guess.
 * Does not know: name resolution, IDNA, and which addresses are private. */

/* Character sets: one bit for each ASCII character. */
typedef struct tbh_url_set {
    uint32_t bits[4];
} tbh_url_set;

/* RFC 3986 §2.3 unreserved */
static const tbh_url_set tbh_url_unreserved = {{0, 0x03ff6000u, 0x87fffffeu, 0x47fffffeu}};
static const tbh_url_set tbh_url_host_chars = {{0, 0x03ff6000u, 0x87fffffeu, 0x07fffffeu}};
static const tbh_url_set tbh_url_userinfo = {{0, 0x2fff7fd2u, 0x87fffffeu, 0x47fffffeu}};
/* pchar, "/", [ ] and what browsers encode: " < > ^ ` { | } */
static const tbh_url_set tbh_url_path = {{0, 0x7fffffd6u, 0xefffffffu, 0x7fffffffu}};
static const tbh_url_set tbh_url_query = {{0, 0xffffffd6u, 0xefffffffu, 0x7fffffffu}};
/* What may stand in a request target; everything else is encoded there. */
static const tbh_url_set tbh_url_sent = {{0, 0xaffffff2u, 0xafffffffu, 0x47fffffeu}};
/* The WHATWG URL standard's application/x-www-form-urlencoded set, without the blank. */
static const tbh_url_set tbh_url_form = {{0, 0x03ff6400u, 0x87fffffeu, 0x07fffffeu}};

TBH_ALWAYS_INLINE bool tbh_url_in(const tbh_url_set *set, char c) {
    uint8_t u = (uint8_t)c;
    return u < 128 && (set->bits[u >> 5] >> (u & 31) & 1);
}

static bool tbh_url_is_escape(const char *p, size_t n) {
    return n >= 3 && p[0] == '%' && tbh_hex_value((uint8_t)p[1]) >= 0 &&
           tbh_hex_value((uint8_t)p[2]) >= 0;
}

/* How many characters from the start belong to the set or are %XX. */
static size_t tbh_url_span(const tbh_url_set *set, const char *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        if (tbh_url_in(set, p[i])) i++;
        else if (tbh_url_is_escape(p + i, n - i)) i += 3;
        else break;
    }
    return i;
}

static size_t tbh_url_index(const char *p, size_t n, char c) {
    const void *at = n ? memchr(p, c, n) : NULL;
    return at ? (size_t)((const char *)at - p) : n;
}

/* ------------------------------------------------------------ hosts */
TBH_FN bool tbh_is_ipv4(const char *p, size_t n) {
    uint8_t bytes[4];
    return tbh_address_parse_v4(tbh_span(p, n), bytes);
}

TBH_FN bool tbh_is_ipv6(const char *p, size_t n) {
    uint8_t bytes[16];
    return tbh_address_parse_v6(tbh_span(p, n), bytes);
}

/* A target that may be sent as it stands: nothing to encode or to refuse, no dot segment, no fragment,
 * not empty. */
TBH_FN size_t tbh_url_plain_target(const char *p) {
    size_t n = 1;
    if (p[0] != '/') return 0;
    for (;; n++) { /* ends at the NUL at the latest */
        if ((uint8_t)((p[n] | 0x20) - 'a') < 26) continue;
        bool may_be_dots = p[n] == '.' || p[n] == '%'; /* also written %2e */
        if (may_be_dots && p[n - 1] == '/') return 0;
        if (p[n] == '%' && !tbh_url_is_escape(p + n, 3)) return 0;
        if (!tbh_url_in(&tbh_url_sent, p[n])) break;
    }
    return p[n] == 0 ? n : 0;
}

/* A label that other parsers read as a number: decimal, octal or 0x. */
static bool tbh_url_is_number(const char *p, size_t n) {
    bool hex = n >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x';
    for (size_t i = hex ? 2 : 0; i < n; i++)
        if (hex ? tbh_hex_value((uint8_t)p[i]) < 0 : !tbh_is_digit((uint8_t)p[i])) return false;
    return n > 0;
}

TBH_FN bool tbh_is_host_name(const char *p, size_t n) {
    size_t at = 0;
    if (n > 0 && p[n - 1] == '.') n--;
    if (n == 0 || n > 253) return false;
    for (size_t i = 0; i < n; i++)
        if (!tbh_url_in(&tbh_url_host_chars, p[i])) return false;
    for (;;) { /* n labels at most */
        size_t label = tbh_url_index(p + at, n - at, '.');
        if (label == 0 || label > 63) return false;
        if (at + label == n) return !tbh_url_is_number(p + at, label);
        at += label + 1;
    }
}

/* ------------------------------------------------------------ parse */
typedef struct tbh_url_scheme_row {
    char name[6];
    bool is_tls, is_websocket;
} tbh_url_scheme_row;

static const tbh_url_scheme_row tbh_url_schemes[] = {
    {"http", false, false},
    {"https", true, false},
    {"ws", false, true},
    {"wss", true, true},
};

TBH_FN uint16_t tbh_url_default_port(const turbohttp_url *url) {
    return url->is_tls ? 443 : 80;
}

/* The parser's position in the text; `at` is where the fault is when a step fails. */
typedef struct tbh_url_parser {
    turbohttp_url *url;
    const char *text;
    size_t length, at;
} tbh_url_parser;

/* RFC 3986 §3.1: length of "scheme:" without the colon, or 0 when there is none. */
static size_t tbh_url_scheme_length(const char *p, size_t n) {
    size_t i = 0;
    if (n == 0 || !tbh_is_alpha((uint8_t)p[0])) return 0;
    while (i < n && (tbh_is_alpha((uint8_t)p[i]) || tbh_is_digit((uint8_t)p[i]) || p[i] == '+' ||
                     p[i] == '-' || p[i] == '.'))
        i++;
    return i < n && p[i] == ':' ? i : 0;
}

static turbohttp_status tbh_url_parse_scheme(tbh_url_parser *s) {
    size_t n = tbh_url_scheme_length(s->text, s->length);
    s->url->scheme = tbh_span(s->text, n);
    for (size_t i = 0; i < sizeof tbh_url_schemes / sizeof tbh_url_schemes[0]; i++) {
        const tbh_url_scheme_row *row = &tbh_url_schemes[i];
        if (!tbh_span_equal_nocase(s->url->scheme, row->name)) continue;
        s->url->is_tls = row->is_tls;
        s->url->is_websocket = row->is_websocket;
        s->url->port = tbh_url_default_port(s->url);
        s->at = n + 1;
        for (int slash = 0; slash < 2; slash++, s->at++)
            if (s->at >= s->length || s->text[s->at] != '/') return TURBOHTTP_ERR_URL;
        return TURBOHTTP_OK;
    }
    return TURBOHTTP_ERR_URL_SCHEME;
}

/* "[" address [ "%25" zone ] "]"; RFC 6874. Leaves `at` behind the bracket. */
static turbohttp_status tbh_url_parse_bracket(tbh_url_parser *s, size_t end) {
    const char *p = s->text + s->at + 1;
    size_t n = tbh_url_index(p, end - s->at - 1, ']');
    if (s->at + 1 + n >= end) return TURBOHTTP_ERR_URL_HOST;
    size_t address = tbh_url_index(p, n, '%');
    s->at++;
    if (!tbh_is_ipv6(p, address)) return TURBOHTTP_ERR_URL_HOST;
    s->url->host = tbh_span(p, address);
    s->url->is_ipv6 = true;
    if (address < n) {
        size_t zone = address + 3;
        s->at += address;
        if (n <= zone || memcmp(p + address, "%25", 3) != 0) return TURBOHTTP_ERR_URL_HOST;
        s->at += 3;
        for (size_t i = zone; i < n; i++, s->at++)
            if (!tbh_url_in(&tbh_url_unreserved, p[i])) return TURBOHTTP_ERR_URL_HOST;
        s->url->zone = tbh_span(p + zone, n - zone);
    }
    s->at = (size_t)(p - s->text) + n + 1;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_url_parse_name(tbh_url_parser *s, size_t end) {
    const char *p = s->text + s->at;
    size_t n = tbh_url_index(p, end - s->at, ':'), bad = 0;
    while (bad < n && tbh_url_in(&tbh_url_host_chars, p[bad])) bad++;
    s->url->host = tbh_span(p, n);
    s->url->is_ipv4 = tbh_is_ipv4(p, n);
    if (bad < n) s->at += bad;
    if (!s->url->is_ipv4 && !tbh_is_host_name(p, n)) return TURBOHTTP_ERR_URL_HOST;
    s->at += n;
    return TURBOHTTP_OK;
}

/* RFC 3986 §3.2.3: the digits may be missing; the default is meant then. */
static turbohttp_status tbh_url_parse_port(tbh_url_parser *s, size_t end) {
    uint64_t port;
    if (s->at == end) return TURBOHTTP_OK;
    if (s->text[s->at] != ':') return TURBOHTTP_ERR_URL_HOST;
    s->at++;
    size_t n = end - s->at;
    s->url->port_text = tbh_span(s->text + s->at, n);
    if (n == 0) return TURBOHTTP_OK;
    if (n > 5 || !tbh_parse_u64(s->text + s->at, n, 65535, &port) || port == 0)
        return TURBOHTTP_ERR_URL_PORT;
    s->url->port = (uint16_t)port;
    s->at = end;
    return TURBOHTTP_OK;
}

/* A second '@' is not a character of a host, and so is refused there. */
static turbohttp_status tbh_url_parse_authority(tbh_url_parser *s, size_t end) {
    const char *p = s->text + s->at;
    size_t n = end - s->at, user = tbh_url_index(p, n, '@');
    s->url->authority = tbh_span(p, n);
    if (user < n) {
        size_t good = tbh_url_span(&tbh_url_userinfo, p, user);
        s->url->userinfo = tbh_span(p, user);
        s->url->has_userinfo = true;
        s->at += good;
        if (good < user) return TURBOHTTP_ERR_URL;
        s->at++;
    }
    bool bracket = s->at < end && s->text[s->at] == '[';
    turbohttp_status status = bracket ? tbh_url_parse_bracket(s, end) : tbh_url_parse_name(s, end);
    return status == TURBOHTTP_OK ? tbh_url_parse_port(s, end) : status;
}

/* Takes what belongs to the set. */
static turbohttp_span tbh_url_take(tbh_url_parser *s, const tbh_url_set *set) {
    size_t n = tbh_url_span(set, s->text + s->at, s->length - s->at);
    turbohttp_span part = tbh_span(s->text + s->at, n);
    s->at += n;
    return part;
}

/* Skips the character that begins a part, if it comes next. */
static bool tbh_url_mark(tbh_url_parser *s, char mark) {
    if (s->at == s->length || s->text[s->at] != mark) return false;
    s->at++;
    return true;
}

/* path [ "?" query ] [ "#" fragment ], to the end of the text */
static turbohttp_status tbh_url_parse_tail(tbh_url_parser *s) {
    turbohttp_url *url = s->url;
    url->path = tbh_url_take(s, &tbh_url_path);
    url->has_query = tbh_url_mark(s, '?');
    if (url->has_query) url->query = tbh_url_take(s, &tbh_url_query);
    url->has_fragment = tbh_url_mark(s, '#');
    if (url->has_fragment) url->fragment = tbh_url_take(s, &tbh_url_query);
    return s->at == s->length ? TURBOHTTP_OK : TURBOHTTP_ERR_URL;
}

/* Where the authority that starts at `at` ends. */
static size_t tbh_url_authority_end(const tbh_url_parser *s, size_t at) {
    while (at < s->length && s->text[at] != '/' && s->text[at] != '?' && s->text[at] != '#') at++;
    return at;
}

static turbohttp_status tbh_url_parse_all(tbh_url_parser *s) {
    turbohttp_status status = tbh_url_parse_scheme(s);
    if (status == TURBOHTTP_OK)
        status = tbh_url_parse_authority(s, tbh_url_authority_end(s, s->at));
    return status == TURBOHTTP_OK ? tbh_url_parse_tail(s) : status;
}

TURBOHTTP_API turbohttp_status turbohttp_url_parse(turbohttp_url *url, const char *text, size_t n,
                                                   size_t max_bytes, size_t *bad) {
    tbh_url_parser s;
    memset(url, 0, sizeof *url);
    s.url = url;
    s.text = text;
    s.length = n;
    s.at = 0;
    if (max_bytes == 0) max_bytes = TURBOHTTP_URL_BYTES;
    if (n > max_bytes) s.at = max_bytes;
    turbohttp_status status = n > max_bytes ? TURBOHTTP_ERR_URL_TOO_LONG : tbh_url_parse_all(&s);
    if (bad) *bad = status == TURBOHTTP_OK ? 0 : s.at;
    if (status != TURBOHTTP_OK) memset(url, 0, sizeof *url);
    else url->text = tbh_span(text, n);
    return status;
}

/* ------------------------------------------------------------ encoding */
/* Takes back what was appended since `start`. */
static turbohttp_status tbh_url_undo(turbohttp_writer *writer, size_t start,
                                     turbohttp_status status) {
    writer->length = start;
    return status;
}

static turbohttp_status tbh_url_put_encoded(turbohttp_writer *writer, const tbh_url_set *plain,
                                            bool plus, const char *p, size_t n) {
    static const char digits[] = "0123456789ABCDEF";
    size_t start = writer->length, at = 0;
    while (at < n && writer->status == TURBOHTTP_OK) {
        size_t run = at;
        while (run < n && tbh_url_in(plain, p[run])) run++;
        (void)turbohttp_writer_put(writer, p + at, run - at);
        at = run + 1;
        if (run == n) break;
        uint8_t c = (uint8_t)p[run];
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (plus && c == ' ') (void)turbohttp_writer_put_byte(writer, '+');
        else (void)turbohttp_writer_put(writer, escape, 3);
    }
    return writer->status == TURBOHTTP_OK ? TURBOHTTP_OK
                                          : tbh_url_undo(writer, start, writer->status);
}

TURBOHTTP_API turbohttp_status turbohttp_percent_encode(turbohttp_writer *writer, const void *bytes,
                                                        size_t n) {
    return tbh_url_put_encoded(writer, &tbh_url_unreserved, false, (const char *)bytes, n);
}

/* The bytes that the text stands for; false for a '%' without two digits. */
static bool tbh_url_decoded_length(const char *text, size_t n, size_t *length) {
    *length = 0;
    for (size_t i = 0; i < n; i++, ++*length) {
        if (text[i] != '%') continue;
        if (!tbh_url_is_escape(text + i, n - i)) return false;
        i += 2;
    }
    return true;
}

TURBOHTTP_API turbohttp_status turbohttp_percent_decode(turbohttp_writer *writer, const char *text,
                                                        size_t n) {
    char *to;
    size_t length;
    if (!tbh_url_decoded_length(text, n, &length)) return TURBOHTTP_ERR_ENCODING;
    turbohttp_status status = turbohttp_writer_reserve(writer, length, &to);
    if (status != TURBOHTTP_OK) return status;
    for (size_t i = 0, written = 0; i < n; i++) {
        char c = text[i];
        if (c == '%') {
            c = (char)(tbh_hex_value((uint8_t)text[i + 1]) * 16 +
                       tbh_hex_value((uint8_t)text[i + 2]));
            i += 2;
        }
        to[written++] = c;
    }
    return turbohttp_writer_commit(writer, length);
}

/* ------------------------------------------------------------ dot segments */
/* 1 or 2 for a segment that means "." or "..", also when written %2e; else 0. */
static size_t tbh_url_dots(const char *p, size_t n) {
    size_t dots = 0, i = 0;
    while (i < n && dots < 3) {
        if (p[i] == '.') i++;
        else if (n - i >= 3 && tbh_equal_nocase(p + i, "%2e", 3)) i += 3;
        else return 0;
        dots++;
    }
    return dots < 3 ? dots : 0;
}

/* Appends "/" and each segment of p (no leading slash), resolving dots against what was appended
 * since `floor` (RFC 3986 §5.2.4). `is_end`: the last segment is the path's last. */
static void tbh_url_put_segments(turbohttp_writer *writer, size_t floor, const char *p, size_t n,
                                 bool is_end) {
    for (size_t at = 0; at <= n;) {
        size_t length = tbh_url_index(p + at, n - at, '/');
        size_t dots = tbh_url_dots(p + at, length);
        bool is_last = is_end && at + length == n;
        if (dots == 2)
            while (writer->length > floor && writer->data[--writer->length] != '/') {
            }
        if (dots == 0 || is_last) (void)turbohttp_writer_put_byte(writer, '/');
        if (dots == 0) (void)tbh_url_put_encoded(writer, &tbh_url_sent, false, p + at, length);
        at += length + 1;
    }
}

/* A whole path that is empty or begins with a slash. */
static void tbh_url_put_path(turbohttp_writer *writer, turbohttp_span path) {
    if (path.length == 0) (void)turbohttp_writer_put_byte(writer, '/');
    else tbh_url_put_segments(writer, writer->length, path.data + 1, path.length - 1, true);
}

static void tbh_url_put_part(turbohttp_writer *writer, bool has, char mark, turbohttp_span part) {
    if (!has) return;
    (void)turbohttp_writer_put_byte(writer, mark);
    (void)tbh_url_put_encoded(writer, &tbh_url_sent, false, part.data, part.length);
}

/* ------------------------------------------------------------ what a request needs */
TURBOHTTP_API turbohttp_status turbohttp_url_put_target(const turbohttp_url *url,
                                                        turbohttp_writer *writer) {
    size_t start = writer->length;
    tbh_url_put_path(writer, url->path);
    tbh_url_put_part(writer, url->has_query, '?', url->query);
    if (writer->status != TURBOHTTP_OK) return tbh_url_undo(writer, start, writer->status);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_url_put_host(const turbohttp_url *url,
                                                      turbohttp_writer *writer) {
    size_t start = writer->length;
    if (url->is_ipv6) (void)turbohttp_writer_put_byte(writer, '[');
    for (size_t i = 0; i < url->host.length; i++)
        (void)turbohttp_writer_put_byte(writer, (char)tbh_lower((uint8_t)url->host.data[i]));
    if (url->is_ipv6) (void)turbohttp_writer_put_byte(writer, ']');
    if (url->port != tbh_url_default_port(url)) {
        (void)turbohttp_writer_put_byte(writer, ':');
        (void)turbohttp_writer_put_u64(writer, url->port);
    }
    if (writer->status != TURBOHTTP_OK) return tbh_url_undo(writer, start, writer->status);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ resolve (RFC 3986 §5.2.2) */
/* Appends the directory of the base's path without its last slash. A last segment of dots is part of
 * it, because such a base was requested without dots. */
static void tbh_url_put_directory(turbohttp_writer *writer, turbohttp_span path) {
    size_t last = path.length;
    while (last > 0 && path.data[last - 1] != '/') last--;
    bool is_directory = tbh_url_dots(path.data + last, path.length - last) > 0;
    size_t n = is_directory ? path.length + 1 : last;
    if (n > 1) tbh_url_put_segments(writer, writer->length, path.data + 1, n - 2, false);
}

/* A reference without scheme and authority, against the base. */
static turbohttp_status tbh_url_merge(const turbohttp_url *base, const turbohttp_url *r,
                                      turbohttp_writer *writer) {
    if (r->path.length > 0 && r->path.data[0] == '/') {
        tbh_url_put_path(writer, r->path);
    } else if (r->path.length > 0) {
        size_t floor = writer->length;
        tbh_url_put_directory(writer, base->path);
        tbh_url_put_segments(writer, floor, r->path.data, r->path.length, true);
    } else {
        tbh_url_put_path(writer, base->path);
    }
    bool inherits = r->path.length == 0 && !r->has_query;
    if (inherits) tbh_url_put_part(writer, base->has_query, '?', base->query);
    else tbh_url_put_part(writer, r->has_query, '?', r->query);
    tbh_url_put_part(writer, r->has_fragment, '#', r->fragment);
    return writer->status;
}

/* What an absolute URL becomes: the same without dot segments. */
static turbohttp_status tbh_url_put_absolute(const turbohttp_url *url, turbohttp_writer *writer) {
    tbh_url_put_path(writer, url->path);
    tbh_url_put_part(writer, url->has_query, '?', url->query);
    tbh_url_put_part(writer, url->has_fragment, '#', url->fragment);
    return writer->status;
}

static void tbh_url_put_origin(const turbohttp_url *from, turbohttp_span authority,
                               turbohttp_writer *writer) {
    (void)turbohttp_writer_put(writer, from->scheme.data, from->scheme.length);
    (void)turbohttp_writer_put_text(writer, "://");
    (void)turbohttp_writer_put(writer, authority.data, authority.length);
}

static turbohttp_status tbh_url_resolve_into(const turbohttp_url *base, tbh_url_parser *s,
                                             turbohttp_writer *writer) {
    turbohttp_url *r = s->url;
    if (tbh_url_scheme_length(s->text, s->length) > 0) {
        turbohttp_status status = tbh_url_parse_all(s);
        if (status != TURBOHTTP_OK) return status;
        tbh_url_put_origin(r, r->authority, writer);
        return tbh_url_put_absolute(r, writer);
    }
    if (s->length >= 2 && s->text[0] == '/' && s->text[1] == '/') {
        s->at = 2;
        turbohttp_status status = tbh_url_parse_authority(s, tbh_url_authority_end(s, 2));
        if (status == TURBOHTTP_OK) status = tbh_url_parse_tail(s);
        if (status != TURBOHTTP_OK) return status;
        tbh_url_put_origin(base, r->authority, writer);
        return tbh_url_put_absolute(r, writer);
    }
    turbohttp_status status = tbh_url_parse_tail(s);
    if (status != TURBOHTTP_OK) return status;
    tbh_url_put_origin(base, base->authority, writer);
    return tbh_url_merge(base, r, writer);
}

TURBOHTTP_API turbohttp_status turbohttp_url_resolve(const turbohttp_url *base,
                                                     const char *reference, size_t n,
                                                     size_t max_bytes, turbohttp_writer *writer) {
    turbohttp_url parsed;
    tbh_url_parser s;
    size_t start = writer->length;
    if (max_bytes == 0) max_bytes = TURBOHTTP_URL_BYTES;
    if (n > max_bytes) return TURBOHTTP_ERR_URL_TOO_LONG;
    memset(&parsed, 0, sizeof parsed);
    s.url = &parsed;
    s.text = reference;
    s.length = n;
    s.at = 0;
    turbohttp_status status = tbh_url_resolve_into(base, &s, writer);
    if (status == TURBOHTTP_OK)
        status = turbohttp_url_parse(&parsed, writer->data + start, writer->length - start,
                                     max_bytes, NULL);
    return status == TURBOHTTP_OK ? status : tbh_url_undo(writer, start, status);
}

/* ------------------------------------------------------------ queries and forms */
TURBOHTTP_API void turbohttp_query_init(turbohttp_query *query, turbohttp_writer *writer,
                                        char first) {
    query->writer = writer;
    query->separator = first;
    query->is_form = false;
}

TURBOHTTP_API void turbohttp_form_init(turbohttp_query *query, turbohttp_writer *writer) {
    turbohttp_query_init(query, writer, 0);
    query->is_form = true;
}

TURBOHTTP_API turbohttp_status turbohttp_query_add_span(turbohttp_query *query, turbohttp_span name,
                                                        turbohttp_span value) {
    turbohttp_writer *writer = query->writer;
    const tbh_url_set *plain = query->is_form ? &tbh_url_form : &tbh_url_unreserved;
    size_t start = writer->length;
    if (query->separator) (void)turbohttp_writer_put_byte(writer, query->separator);
    (void)tbh_url_put_encoded(writer, plain, query->is_form, name.data, name.length);
    (void)turbohttp_writer_put_byte(writer, '=');
    (void)tbh_url_put_encoded(writer, plain, query->is_form, value.data, value.length);
    if (writer->status != TURBOHTTP_OK) return tbh_url_undo(writer, start, writer->status);
    query->separator = '&';
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_query_add(turbohttp_query *query, const char *name,
                                                   const char *value) {
    return turbohttp_query_add_span(query, tbh_span_of(name), tbh_span_of(value));
}

/* ========================================================================
 * src/format/utf8.c
 * ======================================================================= */
/* UTF-8: validation that can stop and go on between any two bytes.
 * Owns: nothing; the state is the caller's. Invariants: need > 0 exactly inside a character, and
 * then low…high bound its next byte; failed never goes back.
 * Input: any bytes, any split. Does not know: what the text is for. */

/* Bounds of the byte after a lead byte (Unicode, table 3-7): they rule out overlong forms,
 * surrogates and what lies above U+10FFFF. */
static bool tbh_utf8_lead(turbohttp_utf8 *state, uint8_t c) {
    if (c < 0xc2 || c > 0xf4) return false;
    state->need = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    state->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    state->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return true;
}

static bool tbh_utf8_step(turbohttp_utf8 *state, uint8_t c) {
    if (state->need == 0) return c < 0x80 || tbh_utf8_lead(state, c);
    if (c < state->low || c > state->high) return false;
    state->need--;
    state->low = 0x80;
    state->high = 0xbf;
    return true;
}

/* How many bytes from p are ASCII, in steps of eight. */
static size_t tbh_utf8_ascii(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (n - i >= 8 && (tbh_load64(p + i) & 0x8080808080808080u) == 0) i += 8;
    return i;
}

TURBOHTTP_API turbohttp_status turbohttp_utf8_feed(turbohttp_utf8 *state, const void *bytes,
                                                   size_t n, size_t *bad) {
    const uint8_t *p = (const uint8_t *)bytes;
    size_t i = 0;
    while (i < n && !state->failed) {
        if (state->need == 0) i += tbh_utf8_ascii(p + i, n - i);
        if (i == n) break;
        state->failed = !tbh_utf8_step(state, p[i]);
        if (!state->failed) i++;
    }
    if (bad) *bad = i;
    return state->failed ? TURBOHTTP_ERR_ENCODING : TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_utf8_end(const turbohttp_utf8 *state) {
    return state->failed || state->need > 0 ? TURBOHTTP_ERR_ENCODING : TURBOHTTP_OK;
}

/* ========================================================================
 * src/format/base64.c
 * ======================================================================= */
/* Base64: RFC 4648 §4, strict when reading.
 * Owns: nothing; writes into a writer. Invariants: what decode accepts, encode gives back byte for
 * byte; an error appends nothing.
 * Input: any bytes to encode; hostile text to decode. Does not know: line breaks, base64url. */

static const char tbh_base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Three bytes to four characters; missing bytes are zero. */
static void tbh_base64_put_group(char *to, uint32_t bits) {
    for (int i = 0; i < 4; i++) to[i] = tbh_base64_alphabet[bits >> (18 - 6 * i) & 63];
}

TURBOHTTP_API turbohttp_status turbohttp_base64_encode(turbohttp_writer *writer, const void *bytes,
                                                       size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    char *to;
    if (n > SIZE_MAX / 2) return TURBOHTTP_ERR_OVERFLOW;
    size_t chars = TURBOHTTP_BASE64_CHARS(n), i = 0;
    turbohttp_status status = turbohttp_writer_reserve(writer, chars, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    for (; n - i >= 3; i += 3, to += 4)
        tbh_base64_put_group(to, (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2]);
    if (n - i > 0) {
        uint32_t second = n - i == 2 ? p[i + 1] : 0u;
        tbh_base64_put_group(to, (uint32_t)p[i] << 16 | second << 8);
        to[3] = '=';
        if (n - i == 1) to[2] = '=';
    }
    return turbohttp_writer_commit(writer, chars);
}

/* 0…63, or -1. */
static int tbh_base64_value(char c) {
    uint8_t u = (uint8_t)c;
    if (tbh_is_alpha(u)) return u < 'a' ? u - 'A' : u - 'a' + 26;
    if (tbh_is_digit(u)) return u - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `pad` are '='; -1 if malformed. */
static int32_t tbh_base64_group(const char *p, size_t pad) {
    int32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i >= 4 - pad ? 0 : tbh_base64_value(p[i]);
        if (value < 0) return -1;
        bits = bits * 64 + value;
    }
    int32_t unused = pad == 0 ? 0 : pad == 1 ? 0xff : 0xffff;
    return (bits & unused) ? -1 : bits;
}

TURBOHTTP_API turbohttp_status turbohttp_base64_decode(turbohttp_writer *writer, const char *text,
                                                       size_t n) {
    char *to;
    if (n % 4 != 0) return TURBOHTTP_ERR_ENCODING;
    size_t pad = n == 0 || text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
    turbohttp_status status = turbohttp_writer_reserve(writer, n / 4 * 3 - pad, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    for (size_t i = 0; i < n; i += 4) {
        size_t here = i + 4 == n ? pad : 0;
        int32_t bits = tbh_base64_group(text + i, here);
        if (bits < 0) return TURBOHTTP_ERR_ENCODING;
        *to++ = (char)(uint8_t)(bits >> 16);
        if (here < 2) *to++ = (char)(uint8_t)(bits >> 8 & 255);
        if (here < 1) *to++ = (char)(uint8_t)(bits & 255);
    }
    return turbohttp_writer_commit(writer, n / 4 * 3 - pad);
}

/* ========================================================================
 * src/format/sha1.c
 * ======================================================================= */
/* SHA-1: FIPS 180-4 §6.1, incremental.
 * Owns: nothing; the state is the caller's. Invariants: block holds length % 64 bytes.
 * Input: any bytes, any split. Does not know: what is hashed. */

TBH_ALWAYS_INLINE uint32_t tbh_sha1_rotate(uint32_t x, uint32_t n) {
    return x << n | x >> (32 - n);
}

/* FIPS 180-4 §4.1.1 and §4.2.1 */
TBH_ALWAYS_INLINE uint32_t tbh_sha1_mix(int t, uint32_t b, uint32_t c, uint32_t d) {
    if (t < 20) return ((b & (c ^ d)) ^ d) + 0x5a827999u;
    if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1u;
    if (t < 60) return ((b & c) | (d & (b | c))) + 0x8f1bbcdcu;
    return (b ^ c ^ d) + 0xca62c1d6u;
}

/* The message schedule is a ring of 16 words: word t replaces word t - 16. */
static void tbh_sha1_block(uint32_t state[5], const uint8_t *block) {
    uint32_t w[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 16; t++) w[t] = tbh_load32_be(block + 4 * t);
    for (int t = 0; t < 80; t++) {
        if (t >= 16)
            w[t & 15] = tbh_sha1_rotate(
                w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
        uint32_t next = tbh_sha1_rotate(a, 5) + tbh_sha1_mix(t, b, c, d) + e + w[t & 15];
        e = d;
        d = c;
        c = tbh_sha1_rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

TURBOHTTP_API void turbohttp_sha1_init(turbohttp_sha1 *sha) {
    static const uint32_t start[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u,
                                      0xc3d2e1f0u};
    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

TURBOHTTP_API void turbohttp_sha1_update(turbohttp_sha1 *sha, const void *bytes, size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    while (n > 0) {
        size_t at = (size_t)(sha->length & 63), part = tbh_min_size(n, 64 - at);
        bool whole = part == 64;
        if (!whole) memcpy(sha->block + at, p, part);
        if (at + part == 64) tbh_sha1_block(sha->state, whole ? p : sha->block);
        sha->length += part;
        p += part;
        n -= part;
    }
}

TURBOHTTP_API void turbohttp_sha1_finish(turbohttp_sha1 *sha,
                                         uint8_t digest[TURBOHTTP_SHA1_BYTES]) {
    static const uint8_t padding[64] = {0x80};
    uint8_t bits[8];
    tbh_store32_be(bits, (uint32_t)(sha->length >> 29));
    tbh_store32_be(bits + 4, (uint32_t)(sha->length << 3));
    turbohttp_sha1_update(sha, padding, 1 + ((119 - (size_t)(sha->length & 63)) & 63));
    turbohttp_sha1_update(sha, bits, 8);
    for (int i = 0; i < 5; i++) tbh_store32_be(digest + 4 * i, sha->state[i]);
    tbh_wipe(sha, sizeof *sha);
}

/* ========================================================================
 * src/format/sha256.c
 * ======================================================================= */
/* SHA-256: FIPS 180-4 §6.2, incremental.
 * Owns: nothing; the state is the caller's. Invariants: block holds length % 64 bytes.
 * Input: any bytes, any split. Does not know: what is hashed. */

/* FIPS 180-4 §4.2.2: cube roots of the first 64 primes. */
static const uint32_t tbh_sha256_k[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
    0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
    0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
    0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
    0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
    0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
    0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
    0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
    0xc67178f2u,
};

TBH_ALWAYS_INLINE uint32_t tbh_sha256_rotate(uint32_t x, uint32_t n) {
    return x >> n | x << (32 - n);
}

/* The three terms of each Σ and σ of §4.1.2: the last is a shift for σ. */
TBH_ALWAYS_INLINE uint32_t tbh_sha256_big(uint32_t x, uint32_t a, uint32_t b, uint32_t c) {
    return tbh_sha256_rotate(x, a) ^ tbh_sha256_rotate(x, b) ^ tbh_sha256_rotate(x, c);
}

TBH_ALWAYS_INLINE uint32_t tbh_sha256_small(uint32_t x, uint32_t a, uint32_t b, uint32_t shift) {
    return tbh_sha256_rotate(x, a) ^ tbh_sha256_rotate(x, b) ^ x >> shift;
}

/* The message schedule is a ring of 16 words: word t replaces word t - 16. */
TBH_ALWAYS_INLINE uint32_t tbh_sha256_word(uint32_t w[16], int t) {
    if (t >= 16)
        w[t & 15] += tbh_sha256_small(w[(t + 14) & 15], 17, 19, 10) + w[(t + 9) & 15] +
                     tbh_sha256_small(w[(t + 1) & 15], 7, 18, 3);
    return w[t & 15];
}

static void tbh_sha256_block(uint32_t state[8], const uint8_t *block) {
    uint32_t w[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 16; t++) w[t] = tbh_load32_be(block + 4 * t);
    for (int t = 0; t < 64; t++) {
        uint32_t one = h + tbh_sha256_big(e, 6, 11, 25) + ((e & (f ^ g)) ^ g) + tbh_sha256_k[t] +
                       tbh_sha256_word(w, t);
        uint32_t two = tbh_sha256_big(a, 2, 13, 22) + ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d + one;
        d = c;
        c = b;
        b = a;
        a = one + two;
    }
    const uint32_t sum[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) state[i] += sum[i];
}

TURBOHTTP_API void turbohttp_sha256_init(turbohttp_sha256 *sha) {
    static const uint32_t start[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

TURBOHTTP_API void turbohttp_sha256_update(turbohttp_sha256 *sha, const void *bytes, size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    while (n > 0) {
        size_t at = (size_t)(sha->length & 63), part = tbh_min_size(n, 64 - at);
        bool whole = part == 64;
        if (!whole) memcpy(sha->block + at, p, part);
        if (at + part == 64) tbh_sha256_block(sha->state, whole ? p : sha->block);
        sha->length += part;
        p += part;
        n -= part;
    }
}

TURBOHTTP_API void turbohttp_sha256_finish(turbohttp_sha256 *sha,
                                           uint8_t digest[TURBOHTTP_SHA256_BYTES]) {
    static const uint8_t padding[64] = {0x80};
    uint8_t bits[8];
    tbh_store32_be(bits, (uint32_t)(sha->length >> 29));
    tbh_store32_be(bits + 4, (uint32_t)(sha->length << 3));
    turbohttp_sha256_update(sha, padding, 1 + ((119 - (size_t)(sha->length & 63)) & 63));
    turbohttp_sha256_update(sha, bits, 8);
    for (int i = 0; i < 8; i++) tbh_store32_be(digest + 4 * i, sha->state[i]);
    tbh_wipe(sha, sizeof *sha);
}

/* ========================================================================
 * src/format/http_date.c
 * ======================================================================= */
/* HTTP dates: the three forms of RFC 9110 §5.6.7 in, the preferred one out.
 * Owns: nothing. Invariants: what format writes, parse reads back; calendar arithmetic is the
 * proleptic Gregorian calendar in 64 bits.
 * Input: hostile text. Does not know: the clock ("now" is a parameter), time zones other than GMT. */

static const char tbh_date_months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char tbh_date_days[] = "SunMonTueWedThuFriSat";
static const char *const tbh_date_long_days[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                  "Thursday", "Friday", "Saturday"};

#define TBH_DATE_DAY_SECONDS 86400

typedef struct tbh_date {
    int64_t year;
    int month, day, hour, minute, second; /* month from 0, day from 1 */
    bool short_year;
} tbh_date;

/* ------------------------------------------------------------ calendar */
/* Days from 1970-01-01; years begin in March here, so that a leap day is a year's last. */
static int64_t tbh_date_days_of(int64_t year, int month, int day) {
    if (month < 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)(month < 2 ? month + 10 : month - 2) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void tbh_date_of_days(int64_t days, tbh_date *date) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    date->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    date->month = (int)(month < 10 ? month + 2 : month - 10);
    date->year = year + era * 400 + (date->month < 2);
}

static int tbh_date_month_days(int64_t year, int month) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 1) return leap ? 29 : 28;
    return month == 3 || month == 5 || month == 8 || month == 10 ? 30 : 31;
}

/* ------------------------------------------------------------ parse */
typedef struct tbh_date_text {
    const char *p;
    size_t n;
} tbh_date_text;

static bool tbh_date_take(tbh_date_text *text, const char *word, size_t n) {
    if (text->n < n || memcmp(text->p, word, n) != 0) return false;
    text->p += n;
    text->n -= n;
    return true;
}

/* The index of the three-letter name that comes next, or -1. */
static int tbh_date_name(tbh_date_text *text, const char *names, int count) {
    for (int i = 0; i < count; i++)
        if (tbh_date_take(text, names + 3 * i, 3)) return i;
    return -1;
}

static int tbh_date_long_day(tbh_date_text *text) {
    for (int i = 0; i < 7; i++)
        if (tbh_date_take(text, tbh_date_long_days[i], strlen(tbh_date_long_days[i]))) return i;
    return -1;
}

static int tbh_date_digits(tbh_date_text *text, size_t n) {
    uint64_t value;
    if (text->n < n || !tbh_parse_u64(text->p, n, 9999, &value)) return -1;
    text->p += n;
    text->n -= n;
    return (int)value;
}

/* asctime pads the day with a blank */
static int tbh_date_padded(tbh_date_text *text) {
    return tbh_date_take(text, " ", 1) ? tbh_date_digits(text, 1) : tbh_date_digits(text, 2);
}

/* One letter of a pattern; false if the text does not fit it. */
static bool tbh_date_field(tbh_date_text *text, char field, tbh_date *date) {
    switch (field) {
    case 'w': return tbh_date_name(text, tbh_date_days, 7) >= 0;
    case 'l': return tbh_date_long_day(text) >= 0;
    case 'm': return (date->month = tbh_date_name(text, tbh_date_months, 12)) >= 0;
    case 'd': return (date->day = tbh_date_digits(text, 2)) >= 0;
    case 'e': return (date->day = tbh_date_padded(text)) >= 0;
    case 'h': return (date->hour = tbh_date_digits(text, 2)) >= 0;
    case 'i': return (date->minute = tbh_date_digits(text, 2)) >= 0;
    case 's': return (date->second = tbh_date_digits(text, 2)) >= 0;
    case 'c': return (date->year = tbh_date_digits(text, 4)) >= 0;
    case 'y': date->short_year = true; return (date->year = tbh_date_digits(text, 2)) >= 0;
    default: return tbh_date_take(text, &field, 1);
    }
}

static bool tbh_date_matches(const char *p, size_t n, const char *pattern, tbh_date *date) {
    tbh_date_text text;
    text.p = p;
    text.n = n;
    memset(date, 0, sizeof *date);
    for (; *pattern; pattern++)
        if (!tbh_date_field(&text, *pattern, date)) return false;
    return text.n == 0;
}

/* A second of 60 is a leap second. */
static bool tbh_date_is_valid(const tbh_date *date) {
    return date->day >= 1 && date->day <= tbh_date_month_days(date->year, date->month) &&
           date->hour < 24 && date->minute < 60 && date->second <= 60;
}

static int64_t tbh_date_seconds(const tbh_date *date) {
    return tbh_date_days_of(date->year, date->month, date->day) * TBH_DATE_DAY_SECONDS +
           (int64_t)date->hour * 3600 + (int64_t)date->minute * 60 + date->second;
}

/* Days since 1970, rounded down. */
static int64_t tbh_date_day_number(int64_t seconds) {
    int64_t days = seconds / TBH_DATE_DAY_SECONDS;
    return seconds % TBH_DATE_DAY_SECONDS < 0 ? days - 1 : days;
}

/* RFC 9110 §5.6.7: more than 50 years ahead means the last such year in the past. */
static int64_t tbh_date_full_year(int64_t two_digits, int64_t now) {
    tbh_date today;
    tbh_date_of_days(tbh_date_day_number(now), &today);
    int64_t year = today.year - today.year % 100 + two_digits;
    if (year > today.year + 50) year -= 100;
    else if (year <= today.year - 50) year += 100;
    return year;
}

TURBOHTTP_API turbohttp_status turbohttp_http_date_parse(const char *text, size_t n, int64_t now,
                                                         int64_t *seconds) {
    static const char *const patterns[3] = {"w, d m c h:i:s GMT", "l, d-m-y h:i:s GMT",
                                            "w m e h:i:s c"};
    tbh_date date;
    *seconds = 0;
    for (int i = 0; i < 3; i++) {
        if (!tbh_date_matches(text, n, patterns[i], &date)) continue;
        if (date.short_year) date.year = tbh_date_full_year(date.year, now);
        if (!tbh_date_is_valid(&date)) return TURBOHTTP_ERR_ENCODING;
        *seconds = tbh_date_seconds(&date);
        return TURBOHTTP_OK;
    }
    return TURBOHTTP_ERR_ENCODING;
}

/* ------------------------------------------------------------ format */
static char *tbh_date_put_digits(char *to, int64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--, value /= 10) to[i] = (char)('0' + value % 10);
    return to + digits;
}

static char *tbh_date_put(char *to, const char *text, size_t n) {
    memcpy(to, text, n);
    return to + n;
}

TURBOHTTP_API turbohttp_status turbohttp_http_date_format(int64_t seconds,
                                                          char text[TURBOHTTP_HTTP_DATE_BYTES]) {
    tbh_date date;
    int64_t days = tbh_date_day_number(seconds);
    text[0] = 0;
    if (days < -719528 || days >= 2932897) return TURBOHTTP_ERR_OVERFLOW;
    int64_t rest = seconds - days * TBH_DATE_DAY_SECONDS;
    tbh_date_of_days(days, &date);
    char *to = tbh_date_put(text, tbh_date_days + (days + 719534) % 7 * 3, 3);
    to = tbh_date_put_digits(tbh_date_put(to, ", ", 2), date.day, 2);
    to = tbh_date_put(tbh_date_put(to, " ", 1), tbh_date_months + 3 * date.month, 3);
    to = tbh_date_put_digits(tbh_date_put(to, " ", 1), date.year, 4);
    to = tbh_date_put_digits(tbh_date_put(to, " ", 1), rest / 3600, 2);
    to = tbh_date_put_digits(tbh_date_put(to, ":", 1), rest / 60 % 60, 2);
    to = tbh_date_put_digits(tbh_date_put(to, ":", 1), rest % 60, 2);
    memcpy(to, " GMT", 5);
    return TURBOHTTP_OK;
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

#if !defined(TURBOHTTP_NO_INFLATE)
/* ========================================================================
 * src/format/inflate.h
 * ======================================================================= */
/* Inflate has only its public face; this file gives its users in later layers one name to include. */
#endif /* !defined(TURBOHTTP_NO_INFLATE) */

#if !defined(TURBOHTTP_NO_INFLATE)
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
#endif /* !defined(TURBOHTTP_NO_INFLATE) */

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

TBH_FN uint64_t tbh_marks_of_few(const char *p, size_t n) {
    uint64_t mask = 0;
    for (size_t i = 0; i < n; i++)
        if (tbh_scan_is_control(p[i])) mask |= (uint64_t)1 << (i << TBH_BLOCK_SHIFT);
    return mask;
}

TBH_FN const char *tbh_scan_colon_tail(const char *begin, const char *p, const char *end) {
    size_t left = (size_t)(end - p);
    if (left == 0) return end;
    if ((size_t)(end - begin) >= TBH_LANE) {
        uint64_t mask = tbh_lane_colons(tbh_lane_load(end - TBH_LANE));
        mask = tbh_lane_skip(mask, TBH_LANE - left);
        return mask ? p + tbh_lane_first(mask) : end;
    }
    while (p < end && *p != ':') p++;
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

/* ========================================================================
 * src/codec/header_id.h
 * ======================================================================= */
/* Well-known header names as small numbers (turbohttp_header_id). */

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

/* ========================================================================
 * src/codec/header_id.c
 * ======================================================================= */
/* Header names: the look-ups that are not worth inlining; the tables stand in header_id.h.
 * Owns nothing. Input: any bytes. Does not know: what a header means. */

TBH_FN uint16_t tbh_header_id_short(const char *name, size_t n) {
    static const uint8_t ids[] = {TURBOHTTP_HEADER_AGE, TURBOHTTP_HEADER_VIA, TURBOHTTP_HEADER_TE};
    for (size_t i = 0; i < sizeof ids; i++) {
        bool is_it = tbh_header_length(ids[i]) == n;
        if (is_it && tbh_equal_nocase(name, tbh_header_text(ids[i]), n)) return ids[i];
    }
    return TURBOHTTP_HEADER_OTHER;
}

/* The only row that a name of at least four bytes can have. */
static size_t tbh_header_row(const char *name, size_t n) {
    uint32_t last = tbh_load32_le(name + n - 4) >> 8 | (uint32_t)':' << 24;
    return tbh_header_slot(tbh_load32_le(name), last, n);
}

TBH_FN uint16_t tbh_header_id(const char *name, size_t n) {
    if (n < 4) return tbh_header_id_short(name, n);
    size_t id = tbh_header_row(name, n);
    if (tbh_header_length(id) != n) return TURBOHTTP_HEADER_OTHER;
    return tbh_equal_nocase(name, tbh_header_text(id), n) ? (uint16_t)id : 0;
}

TBH_FN uint16_t tbh_header_id_lower(const char *name, size_t n) {
    size_t id = n < 4 ? tbh_header_id_short(name, n) : tbh_header_row(name, n);
    if (n == 0 || tbh_header_length(id) != n) return TURBOHTTP_HEADER_OTHER;
    return memcmp(name, tbh_header_text(id), n) == 0 ? (uint16_t)id : 0;
}

TBH_FN uint16_t tbh_header_id_before_colon(const char *name, size_t n) {
    if (n < 4) return tbh_header_id_short(name, n);
    size_t id = tbh_header_candidate(name, n);
    if (tbh_header_length(id) != n) return TURBOHTTP_HEADER_OTHER;
    return tbh_scan_is_word(name, tbh_header_text(id), n) ? (uint16_t)id : 0;
}

TBH_FN turbohttp_span tbh_header_id_name(uint16_t id) {
    if (id >= TBH_HEADER_NAMES) id = 0;
    return tbh_span(tbh_header_text(id), tbh_header_length(id));
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
/* The content coding that the list names (RFC 9110 §8.4.1), behind those of earlier lines: identity
 * means none so far, and more than one are not for us to undo. */
TBH_FN turbohttp_content_coding tbh_content_coding(turbohttp_content_coding so_far,
                                                   turbohttp_span rest);

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
 * Input language: RFC 9112 §4, §5, §6 with none of the leniencies it permits; those that a user may
 * ask for have a section of their own, which strict heads never enter.
 * Does not know: connections, bodies, requests (but whether it was HEAD). */

#define TBH_H1_HEAD_BYTES        65536u
#define TBH_H1_LINE_BYTES        16384u
#define TBH_H1_LINE_MAX          65535u /* name_length has 16 bits */
#define TBH_H1_HEADER_COUNT      128u
/* So few bytes are parsed at each call, so that the first wrong one is seen at once. */
#define TBH_H1_EAGER_BYTES       16u

#define TBH_H1_BIT(name)         ((uint64_t)1 << TURBOHTTP_HEADER_##name)

/* Headers with a meaning for the head itself have the first numbers, up to this one. */
#define TBH_H1_LAST_WITH_MEANING ((unsigned)TURBOHTTP_HEADER_LOCATION)
/* RFC 9110 §6.5.1: framing, routing, authentication, response control and content format. */
#define TBH_H1_REFUSED_IN_TRAILER                                                                  \
    (TBH_H1_BIT(CONTENT_LENGTH) | TBH_H1_BIT(TRANSFER_ENCODING) | TBH_H1_BIT(CONNECTION) |         \
     TBH_H1_BIT(CONTENT_ENCODING) | TBH_H1_BIT(LOCATION) | TBH_H1_BIT(KEEP_ALIVE) |                \
     TBH_H1_BIT(CONTENT_TYPE) | TBH_H1_BIT(CONTENT_RANGE) | TBH_H1_BIT(SET_COOKIE) |               \
     TBH_H1_BIT(CACHE_CONTROL) | TBH_H1_BIT(EXPIRES) | TBH_H1_BIT(AGE) | TBH_H1_BIT(VARY) |        \
     TBH_H1_BIT(RETRY_AFTER) | TBH_H1_BIT(WWW_AUTHENTICATE) | TBH_H1_BIT(PROXY_AUTHENTICATE) |     \
     TBH_H1_BIT(TRAILER) | TBH_H1_BIT(UPGRADE) | TBH_H1_BIT(HOST) | TBH_H1_BIT(TE) |               \
     TBH_H1_BIT(AUTHORIZATION) | TBH_H1_BIT(PROXY_AUTHORIZATION) | TBH_H1_BIT(PROXY_CONNECTION))

/* One run over the bytes, and what the watched headers said so far. */
typedef struct tbh_h1_run {
    const char *begin, *end; /* the bytes, cut at the limit on the head */
    const char *fault;       /* the byte at fault */
    turbohttp_header *table;
    uint32_t count, capacity;
    uint32_t line_bytes, head_bytes;
    turbohttp_status status; /* why a function returned NULL */

    bool has_content_length, says_close, says_keep_alive, says_upgrade;
    turbohttp_content_coding coding;
    uint64_t content_length;
    const char *chunked; /* the value of Transfer-Encoding */
    const turbohttp_header *location;
} tbh_h1_run;

static uint32_t tbh_h1_limit(uint32_t wanted, uint32_t standard) {
    return wanted ? wanted : standard;
}

TBH_ALWAYS_INLINE void tbh_h1_run_init(tbh_h1_run *r, const char *data, size_t length,
                                       const turbohttp_head_limits *limits, turbohttp_header *table,
                                       uint32_t capacity) {
    static const turbohttp_head_limits standard = {0, 0, 0};
    if (!limits) limits = &standard;
    uint32_t header_count = tbh_h1_limit(limits->header_count, TBH_H1_HEADER_COUNT);
    uint32_t line_bytes = tbh_h1_limit(limits->line_bytes, TBH_H1_LINE_BYTES);
    r->head_bytes = tbh_h1_limit(limits->head_bytes, TBH_H1_HEAD_BYTES);
    if (r->head_bytes < 2) r->head_bytes = 2; /* an empty trailer section always fits */
    r->line_bytes = line_bytes < TBH_H1_LINE_MAX ? line_bytes : TBH_H1_LINE_MAX;
    r->capacity = header_count < capacity ? header_count : capacity;
    r->count = 0;
    r->table = table;
    r->begin = data;
    r->end = data + tbh_min_size(length, r->head_bytes);
    r->fault = data;
    r->status = TURBOHTTP_OK;
    r->has_content_length = r->says_close = r->says_keep_alive = r->says_upgrade = false;
    r->coding = TURBOHTTP_CODING_IDENTITY;
    r->content_length = 0;
    r->chunked = NULL;
    r->location = NULL;
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
    const char *lane_end; /* from before it, a lane can be read */
    size_t line_most;     /* bytes of a line before its last one and CRLF */
} tbh_h1_bounds;

static tbh_h1_bounds tbh_h1_bounds_of(const tbh_h1_run *r) {
    tbh_h1_bounds b;
    b.begin = r->begin;
    b.end = r->end;
    b.lane_end = r->end - r->begin >= TBH_LANE ? r->end - TBH_LANE + 1 : r->begin;
    b.line_most = (size_t)r->line_bytes - 1;
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

/* Does the line end at `lf`, and has at least one byte? Too few wrap around, and are too many. */
TBH_ALWAYS_INLINE bool tbh_h1_ends_line(const tbh_h1_bounds *b, const char *line, const char *lf) {
    return TBH_LIKELY((size_t)(lf - line) - 2 <= b->line_most) &&
           TBH_LIKELY(tbh_h1_is_crlf(lf - 1));
}

/* One blank is how nearly every line looks. Two bytes can be read even at the end, the CRLF. */
TBH_ALWAYS_INLINE const char *tbh_h1_skip_blanks(const char *p, const char *end) {
    if (TBH_LIKELY(p[0] == ' ' && (uint8_t)p[1] > ' ')) return p + 1;
    while (p < end && tbh_h1_is_blank(*p)) p++;
    return p;
}

typedef struct tbh_h1_place {
    const char *at;
    bool is_end;
    tbh_marks marks; /* those behind it */
} tbh_h1_place;

/* No line ends at its first mark: is there an end behind bytes that were only marked? Otherwise `at`
 * is the first control byte. By value, so that the caller can keep its marks in registers. */
static TBH_NOINLINE tbh_h1_place tbh_h1_line_goes_on(const tbh_h1_run *r, const char *line) {
    tbh_h1_place place;
    const char *at = tbh_scan_control(r->begin, line, r->end);
    place.is_end = r->end - at >= 2 && tbh_h1_is_crlf(at) && (size_t)(at - line) <= r->line_bytes;
    place.at = place.is_end ? at + 1 : at;
    place.marks = tbh_marks_start(r->begin, place.is_end ? at + 2 : r->end, r->end);
    return place;
}

#define TBH_H1_NO_NAME SIZE_MAX /* not a token before a colon */

typedef struct tbh_h1_name {
    size_t length;
    size_t id; /* turbohttp_header_id, or TBH_H1_NO_NAME */
} tbh_h1_name;

TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_named(size_t length, size_t id) {
    tbh_h1_name name;
    name.length = length;
    name.id = id;
    return name;
}

/* The name of any line that ends at `at`: for those that are short, near the end, or malformed. */
static TBH_NOINLINE tbh_h1_name tbh_h1_any_name(const char *line, const char *at) {
    const char *colon = tbh_scan_token(line, at);
    const size_t n = (size_t)(colon - line);
    if (n == 0 || colon == at || *colon != ':') return tbh_h1_named(0, TBH_H1_NO_NAME);
    return tbh_h1_named(n, tbh_header_id_before_colon(line, n));
}

/* A name that does not end in the first lane of the line. */
TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_long_name(const char *begin, const char *line,
                                               const char *at) {
    if (at - line <= TBH_LANE) return tbh_h1_any_name(line, at);
    const char *colon = tbh_scan_colon(begin, line + TBH_LANE, at);
    const size_t n = (size_t)(colon - line);
    if (colon == at || (TBH_LANE < 4 && n < 4)) return tbh_h1_any_name(line, at);
    const size_t id = tbh_header_candidate(line, n);
    if (tbh_header_length(id) == n && tbh_scan_is_name(line, n, tbh_header_text(id)))
        return tbh_h1_named(n, id);
    return tbh_scan_is_common(line, n) ? tbh_h1_named(n, 0) : tbh_h1_any_name(line, at);
}

/* The name of the line that ends at `at`. A colon behind that makes no name: CR and LF are odd, and
 * differ from all that names have. Nor does one behind a colon among the first four bytes, which are
 * what the hash needs: that is odd, too. */
TBH_ALWAYS_INLINE tbh_h1_name tbh_h1_name_of(const tbh_h1_bounds *b, const char *line,
                                             const char *at) {
    if (TBH_LANE > 1 && TBH_UNLIKELY(line >= b->lane_end)) return tbh_h1_any_name(line, at);
    const tbh_lane lane = tbh_lane_load(line);
    const uint64_t colons = tbh_lane_from(tbh_lane_colons(lane), 4);
    if (TBH_UNLIKELY(colons == 0)) return tbh_h1_long_name(b->begin, line, at);
    const size_t n = tbh_lane_first(colons);
    const size_t id = tbh_header_candidate(line, n); /* with the colon it can only be as long */
    const uint64_t differ = tbh_lane_differ(lane, tbh_lane_load(tbh_header_text(id)));
    if (TBH_LIKELY(tbh_lane_none_up_to(differ, colons))) return tbh_h1_named(n, id);
    return tbh_lane_none(tbh_lane_odd(lane), n) ? tbh_h1_named(n, 0) : tbh_h1_any_name(line, at);
}

TBH_ALWAYS_INLINE void tbh_h1_row_fill(turbohttp_header *row, const char *line, tbh_h1_name name,
                                       const char *at) {
    const char *value = tbh_h1_skip_blanks(line + name.length + 1, at), *value_end = at;
    if (TBH_UNLIKELY((uint8_t)at[-1] <= ' '))
        while (value_end > value && (uint8_t)value_end[-1] <= ' ') value_end--;
    row->name = line;
    row->value = value;
    row->value_length = (uint32_t)(value_end - value);
    row->name_length = (uint16_t)name.length;
    row->id = (uint16_t)name.id;
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
TBH_ALWAYS_INLINE bool tbh_h1_is(turbohttp_span a, const char *word, size_t n) {
    return a.length == n && tbh_scan_is_word(a.data, word, n);
}

static bool tbh_h1_number(turbohttp_span text, uint64_t *n) {
    return tbh_parse_u64(text.data, text.length, INT64_MAX, n);
}

static turbohttp_status tbh_h1_one_length(tbh_h1_run *r, uint64_t n) {
    if (r->has_content_length && n != r->content_length) return TURBOHTTP_ERR_CONTENT_LENGTH;
    r->has_content_length = true;
    r->content_length = n;
    return TURBOHTTP_OK;
}

/* RFC 9112 §6.3: a list of equal values counts as one; anything else that is not digits is refused. */
static TBH_NOINLINE turbohttp_status tbh_h1_length_list(tbh_h1_run *r, turbohttp_span rest) {
    uint64_t n = 0;
    turbohttp_span element;
    while (tbh_list_next(&rest, &element)) {
        if (!tbh_h1_number(element, &n)) return TURBOHTTP_ERR_CONTENT_LENGTH;
        if (tbh_h1_one_length(r, n) != TURBOHTTP_OK) return TURBOHTTP_ERR_CONTENT_LENGTH;
    }
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_content_length(tbh_h1_run *r, turbohttp_span value) {
    uint64_t n;
    if (value.length > 0 && value.length <= TBH_FEW_DIGITS &&
        TBH_LIKELY(tbh_parse_few_digits(value.data, value.length, &n)))
        return tbh_h1_one_length(r, n);
    return tbh_h1_length_list(r, value);
}

/* One `chunked` and nothing else: every other list is either unknown to us or ambiguous. */
static TBH_NOINLINE turbohttp_status tbh_h1_transfer_encoding(tbh_h1_run *r, turbohttp_span value) {
    if (r->chunked || !tbh_h1_is(value, "chunked", 7)) return TURBOHTTP_ERR_TRANSFER_ENCODING;
    r->chunked = value.data;
    return TURBOHTTP_OK;
}

TBH_ALWAYS_INLINE bool tbh_h1_option(tbh_h1_run *r, turbohttp_span option) {
    if (tbh_h1_is(option, "keep-alive", 10)) return r->says_keep_alive = true;
    if (tbh_h1_is(option, "close", 5)) return r->says_close = true;
    if (tbh_h1_is(option, "upgrade", 7)) return r->says_upgrade = true;
    return false;
}

static TBH_NOINLINE turbohttp_status tbh_h1_options(tbh_h1_run *r, turbohttp_span rest) {
    turbohttp_span option;
    while (tbh_list_next(&rest, &option)) tbh_h1_option(r, option);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_connection(tbh_h1_run *r, turbohttp_span value) {
    if (TBH_LIKELY(tbh_h1_option(r, value))) return TURBOHTTP_OK;
    return tbh_h1_options(r, value);
}

static turbohttp_content_coding tbh_h1_coding_of(turbohttp_span name) {
    if (tbh_h1_is(name, "gzip", 4)) return TURBOHTTP_CODING_GZIP;
    if (tbh_span_equal_nocase(name, "x-gzip")) return TURBOHTTP_CODING_GZIP;
    if (tbh_h1_is(name, "deflate", 7)) return TURBOHTTP_CODING_DEFLATE;
    return TURBOHTTP_CODING_OTHER;
}

TBH_FN TBH_NOINLINE turbohttp_content_coding tbh_content_coding(turbohttp_content_coding so_far,
                                                                turbohttp_span rest) {
    turbohttp_span layer;
    while (tbh_list_next(&rest, &layer)) {
        if (layer.length == 0 || tbh_span_equal_nocase(layer, "identity")) continue;
        bool is_first = so_far == TURBOHTTP_CODING_IDENTITY;
        so_far = is_first ? tbh_h1_coding_of(layer) : TURBOHTTP_CODING_OTHER;
    }
    return so_far;
}

/* Two targets are no target: whoever picks one may pick the attacker's. */
static TBH_NOINLINE turbohttp_status tbh_h1_location(tbh_h1_run *r, const turbohttp_header *row) {
    const turbohttp_header *first = r->location;
    r->location = row;
    if (!first) return TURBOHTTP_OK;
    bool same = first->value_length == row->value_length &&
                memcmp(first->value, row->value, row->value_length) == 0;
    return same ? TURBOHTTP_OK : TURBOHTTP_ERR_HEADER_LINE;
}

static TBH_NOINLINE turbohttp_status tbh_h1_meaning(tbh_h1_run *r, const turbohttp_header *row) {
    turbohttp_span value = tbh_span(row->value, row->value_length);
    switch (row->id) {
    case TURBOHTTP_HEADER_CONTENT_LENGTH: return tbh_h1_content_length(r, value);
    case TURBOHTTP_HEADER_TRANSFER_ENCODING: return tbh_h1_transfer_encoding(r, value);
    case TURBOHTTP_HEADER_CONNECTION: return tbh_h1_connection(r, value);
    case TURBOHTTP_HEADER_CONTENT_ENCODING:
        r->coding = tbh_content_coding(r->coding, value);
        return TURBOHTTP_OK;
    default: return tbh_h1_location(r, row);
    }
}

static turbohttp_status tbh_h1_meaning_in_trailer(const turbohttp_header *row) {
    return TBH_H1_REFUSED_IN_TRAILER >> row->id & 1 ? TURBOHTTP_ERR_HEADER_LINE : TURBOHTTP_OK;
}

/* ------------------------------------------------------------ sections */
static turbohttp_status tbh_h1_fail(tbh_h1_run *r, const char *at, turbohttp_status status) {
    r->fault = at;
    return status;
}

/* The line at p has a mark among its first two bytes, but is not the empty line that ends the section:
 * a bad one, or nothing is there yet. */
static TBH_NOINLINE turbohttp_status tbh_h1_no_last_line(tbh_h1_run *r, const char *p) {
    if (p == r->end || (*p == '\r' && p + 1 == r->end)) return TURBOHTTP_PENDING;
    if (*p != '\r' && r->count == r->capacity)
        return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
    tbh_h1_stop_in_field(r, p, tbh_scan_control(r->begin, p, r->end));
    return r->status;
}

/* Header lines up to the empty one. Each turn takes one line and at most `capacity` are taken.
 * The headers with the ids 1 … watched mean something here. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h1_fields(tbh_h1_run *r, bool in_trailer, tbh_marks marks,
                                                 const char *p, const char **after) {
    const tbh_h1_bounds bounds = tbh_h1_bounds_of(r);
    const size_t watched = in_trailer ? TBH_HEADER_NAMES - 1 : TBH_H1_LAST_WITH_MEANING;
    turbohttp_header *row = r->table, *const table_end = row + r->capacity;
    for (;; row++) {
        const char *lf = tbh_marks_next(&marks, bounds.begin, bounds.end);
        if (TBH_UNLIKELY(!tbh_h1_ends_line(&bounds, p, lf))) {
            if (lf - p < 2) break;
            if (row == table_end) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
            tbh_h1_place place = tbh_h1_line_goes_on(r, p);
            lf = place.at;
            marks = place.marks;
            if (!place.is_end) return tbh_h1_stop_in_field(r, p, lf), r->status;
        }
        if (row == table_end) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
        const tbh_h1_name name = tbh_h1_name_of(&bounds, p, lf - 1);
        if (TBH_UNLIKELY(name.id == TBH_H1_NO_NAME))
            return tbh_h1_stop_in_field(r, p, lf - 1), r->status;
        tbh_h1_row_fill(row, p, name, lf - 1);
        p = lf + 1;
        if (TBH_LIKELY(name.id - 1 >= watched)) continue;
        turbohttp_status status =
            in_trailer ? tbh_h1_meaning_in_trailer(row) : tbh_h1_meaning(r, row);
        if (status != TURBOHTTP_OK) return tbh_h1_fail(r, row->value, status);
    }
    r->count = (uint32_t)(row - r->table);
    if (TBH_UNLIKELY(bounds.end - p < 2 || !tbh_h1_is_crlf(p))) return tbh_h1_no_last_line(r, p);
    *after = p + 2;
    return TURBOHTTP_OK;
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

/* A byte XOR '0' is below 10 for a digit and for nothing else. The status in three digits behind
 * `HTTP/1.`, a digit and a blank; 0 where that is not what stands there. */
static uint32_t tbh_h1_status_code(const tbh_h1_run *r) {
    const char *p = r->begin;
    if (r->end - p < 14 || (p[12] != ' ' && p[12] != '\r')) return 0;
    const uint64_t version = tbh_load64_le(p) ^ tbh_load64_le("HTTP/1.0");
    const uint32_t code = tbh_load32_le(p + 8) ^ tbh_load32_le(" 000");
    if ((version << 8 | version >> 56) > 9) return 0;
    if (((code + 0x76767600u) | code) & 0x808080ffu) return 0;
    return (code >> 8 & 15) * 100 + (code >> 16 & 15) * 10 + (code >> 24);
}

/* The blank before an absent reason phrase is often left out, and means nothing. */
static const char *tbh_h1_status_line(tbh_h1_run *r, tbh_marks *marks, turbohttp_h1_head *out) {
    const char *p = r->begin;
    const uint32_t status = tbh_h1_status_code(r);
    if (status < 100) return tbh_h1_stop_at_status(r);
    const char *reason = p + (p[12] == ' ' ? 13 : 12);
    const tbh_h1_bounds bounds = tbh_h1_bounds_of(r);
    const char *lf = tbh_marks_next(marks, p, r->end);
    if (TBH_UNLIKELY(!tbh_h1_ends_line(&bounds, p, lf))) {
        tbh_h1_place place = tbh_h1_line_goes_on(r, p);
        lf = place.at;
        *marks = place.marks;
        if (!place.is_end) return tbh_h1_stop_at_end(r, p, lf, TURBOHTTP_ERR_STATUS_LINE);
    }
    out->minor_version = p[7] != '0';
    out->status = (uint16_t)status;
    out->reason = tbh_span(reason, (size_t)(lf - 1 - reason));
    return lf + 1;
}

TBH_ALWAYS_INLINE bool tbh_h1_may_have_body(uint16_t status) {
    return status == 200 || (status > 200 && status != 204 && status != 304);
}

TBH_ALWAYS_INLINE turbohttp_body_framing tbh_h1_framing(const tbh_h1_run *r, bool request_was_head,
                                                        uint16_t status) {
    if (request_was_head || !tbh_h1_may_have_body(status)) return TURBOHTTP_FRAMING_NONE;
    if (r->chunked) return TURBOHTTP_FRAMING_CHUNKED;
    return r->has_content_length ? TURBOHTTP_FRAMING_LENGTH : TURBOHTTP_FRAMING_UNTIL_CLOSE;
}

/* RFC 9112 §6.3, in its order; both lengths at once is the classic smuggling and refused. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h1_decide(tbh_h1_run *r, bool request_was_head,
                                                 turbohttp_h1_head *out) {
    if (r->chunked && (r->has_content_length || out->minor_version == 0))
        return tbh_h1_fail(r, r->chunked, TURBOHTTP_ERR_TRANSFER_ENCODING);
    out->framing = tbh_h1_framing(r, request_was_head, out->status);
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
static TBH_NOINLINE bool tbh_h1_seek(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
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
    bool eager = (size_t)(r->end - r->begin) <= TBH_H1_EAGER_BYTES;
    if (s->attempts > 0 && !eager && !tbh_h1_seek(s, r)) return true;
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
    tbh_marks marks = tbh_marks_start(r.begin, r.begin, r.end);
    const char *after = NULL, *fields = tbh_h1_status_line(&r, &marks, out);
    turbohttp_status status = fields ? tbh_h1_fields(&r, false, marks, fields, &after) : r.status;
    if (status == TURBOHTTP_OK) status = tbh_h1_decide(&r, request_was_head, out);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(&r, status, error_offset);
    out->head_length = (uint32_t)(after - data);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h1_trailer_run(tbh_h1_run *r, uint32_t *count, size_t *consumed,
                                           uint64_t *error_offset) {
    const char *after = NULL;
    tbh_marks marks = tbh_marks_start(r->begin, r->begin, r->end);
    turbohttp_status status = tbh_h1_fields(r, true, marks, r->begin, &after);
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

/* ------------------------------------------------------------ lenient heads */
/* Lines may end with a bare LF, blanks may stand before the colon, values may be folded, and of two
 * lengths the chunked coding counts. A run goes line by line, without haste. */

/* The line that begins at `line` goes up to the byte returned, and `*next` is behind its end. */
static const char *tbh_h1_loose_end(tbh_h1_run *r, const char *line, const char *from,
                                    turbohttp_status status, const char **next) {
    const char *at = tbh_scan_control(r->begin, from, r->end);
    const char *lf = at < r->end && *at == '\r' ? at + 1 : at;
    if (lf == r->end || *lf != '\n' || (size_t)(at - line) > r->line_bytes)
        return tbh_h1_stop_at_end(r, line, at, status);
    *next = lf + 1; /* RFC 9112 §2.2 */
    return at;
}

/* The shape is as strict as ever: what fails behind it may be the end of the line. */
static const char *tbh_h1_loose_status_line(tbh_h1_run *r, turbohttp_h1_head *out) {
    const char *p = r->begin, *next = NULL;
    tbh_h1_stop_at_status(r);
    if (r->fault - p < 12 || r->end - p == 12) return NULL;
    const char *reason = p + 12;
    if (*reason != ' ' && *reason != '\r' && *reason != '\n') return NULL;
    const char *at = tbh_h1_loose_end(r, p, reason, TURBOHTTP_ERR_STATUS_LINE, &next);
    if (!at) return NULL;
    if (*reason == ' ') reason++;
    out->minor_version = p[7] != '0';
    out->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    out->reason = tbh_span(reason, (size_t)(at - reason));
    return next;
}

/* Who reads the lines in another way must not find another end of the body. */
static bool tbh_h1_is_framing(const char *name, size_t n) {
    const uint16_t id = tbh_header_id(name, n);
    return id == TURBOHTTP_HEADER_CONTENT_LENGTH || id == TURBOHTTP_HEADER_TRANSFER_ENCODING;
}

/* The colon; blanks before it are no part of the name (RFC 9112 §5.1). */
static const char *tbh_h1_loose_name(tbh_h1_run *r, const char *line, turbohttp_header *row) {
    const char *name_end = tbh_scan_token(line, r->end), *colon = name_end;
    const size_t n = (size_t)(name_end - line);
    while (colon < r->end && tbh_h1_is_blank(*colon)) colon++;
    if (n == 0 || (colon > name_end && tbh_h1_is_framing(line, n)))
        return tbh_h1_stop(r, line, name_end, TURBOHTTP_ERR_HEADER_LINE);
    if (colon == r->end) return tbh_h1_stop(r, line, colon, TURBOHTTP_PENDING);
    if (*colon != ':') return tbh_h1_stop(r, line, colon, TURBOHTTP_ERR_HEADER_LINE);
    row->name = line;
    row->name_length = (uint16_t)n; /* if it does not fit, the line is too long */
    row->id = tbh_header_id(line, n);
    return colon;
}

/* The end of a value with all its folds, which count as one line. A fold of a field that frames the
 * body, or one that reads like such a field, is refused. */
static const char *tbh_h1_loose_value(tbh_h1_run *r, const char *line, const char *value,
                                      const char **next) {
    const char *at = tbh_h1_loose_end(r, line, value, TURBOHTTP_ERR_HEADER_LINE, next);
    const bool is_framing = tbh_h1_is_framing(line, (size_t)(tbh_scan_token(line, value) - line));
    while (at && *next < r->end && tbh_h1_is_blank(**next)) {
        const char *fold = *next, *text = fold;
        at = tbh_h1_loose_end(r, line, fold, TURBOHTTP_ERR_HEADER_LINE, next);
        if (!at) return NULL;
        while (text < at && tbh_h1_is_blank(*text)) text++;
        const size_t n = (size_t)(tbh_scan_token(text, at) - text);
        if (is_framing || tbh_h1_is_framing(text, n))
            return tbh_h1_stop(r, line, fold, TURBOHTTP_ERR_HEADER_LINE);
    }
    /* The next line may be one more fold. */
    return at && *next == r->end ? tbh_h1_stop(r, line, at, TURBOHTTP_PENDING) : at;
}

/* RFC 9112 §5.2: the end of a line and the blanks behind it become blanks. */
static void tbh_h1_unfold(char *p, const char *end) {
    bool is_fold = false;
    for (; p < end; p++) {
        is_fold = *p == '\r' || *p == '\n' || (is_fold && tbh_h1_is_blank(*p));
        if (is_fold) *p = ' ';
    }
}

/* Returns where the next line begins. Bytes change only when no more bytes can change what they mean:
 * who comes to them again finds the same. */
static const char *tbh_h1_loose_field(tbh_h1_run *r, const char *line, turbohttp_header *row) {
    const char *next = NULL, *colon = tbh_h1_loose_name(r, line, row);
    const char *value = colon ? colon + 1 : NULL;
    const char *at = colon ? tbh_h1_loose_value(r, line, value, &next) : NULL;
    if (!at) return NULL;
    tbh_h1_unfold((char *)(uintptr_t)value, at);
    while (value < at && tbh_h1_is_blank(*value)) value++;
    while (at > value && tbh_h1_is_blank(at[-1])) at--;
    row->value = value;
    row->value_length = (uint32_t)(at - value);
    return next;
}

/* Each turn takes one line and at most `capacity` are taken. */
static turbohttp_status tbh_h1_loose_fields(tbh_h1_run *r, const char *p, const char **after) {
    for (turbohttp_header *row = r->table;; row++, r->count++) {
        if (p == r->end) return TURBOHTTP_PENDING;
        if (*p == '\r' || *p == '\n') break;
        if (r->count == r->capacity) return tbh_h1_fail(r, p, TURBOHTTP_ERR_TOO_MANY_HEADERS);
        p = tbh_h1_loose_field(r, p, row);
        if (!p) return r->status;
        if ((size_t)row->id - 1 >= TBH_H1_LAST_WITH_MEANING) continue;
        turbohttp_status status = tbh_h1_meaning(r, row);
        if (status != TURBOHTTP_OK) return tbh_h1_fail(r, row->value, status);
    }
    return tbh_h1_loose_end(r, p, p, TURBOHTTP_ERR_HEADER_LINE, after) ? TURBOHTTP_OK : r->status;
}

/* RFC 9112 §6.3: chunked overrides the length, and who sends both is not trusted with a second
 * exchange. An interim head has neither (RFC 9110 §6.4.1). */
static turbohttp_status tbh_h1_loose_decide(tbh_h1_run *r, bool request_was_head,
                                            turbohttp_h1_head *out) {
    if (r->chunked && r->has_content_length && out->status >= 200) {
        r->has_content_length = false;
        r->content_length = 0;
        r->says_close = true;
    }
    return tbh_h1_decide(r, request_was_head, out);
}

/* As tbh_h1_seek: true when a run will come to an end. */
static bool tbh_h1_loose_seek(turbohttp_h1_head_parser *s, const tbh_h1_run *r) {
    const char *p = r->begin + s->scanned, *line = r->begin + s->line_start;
    while ((p = tbh_scan_control(r->begin, p, r->end)) < r->end) {
        const char *lf = *p == '\r' ? p + 1 : p;
        if (lf == r->end) break;
        if (*lf != '\n' || p == line || (size_t)(p - line) > r->line_bytes) return true;
        p = line = lf + 1;
    }
    s->scanned = (uint32_t)(p - r->begin);
    s->line_start = (uint32_t)(line - r->begin);
    return (size_t)(r->end - line) > r->line_bytes || (size_t)(r->end - r->begin) == r->head_bytes;
}

static turbohttp_status tbh_h1_loose_run(tbh_h1_run *r, bool request_was_head,
                                         turbohttp_h1_head *out, uint64_t *error_offset) {
    const char *after = NULL, *fields = tbh_h1_loose_status_line(r, out);
    turbohttp_status status = fields ? tbh_h1_loose_fields(r, fields, &after) : r->status;
    if (status == TURBOHTTP_OK) status = tbh_h1_loose_decide(r, request_was_head, out);
    if (status != TURBOHTTP_OK) return tbh_h1_finish(r, status, error_offset);
    out->head_length = (uint32_t)(after - r->begin);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_h1_head_parse_lenient(
    turbohttp_h1_head_parser *parser, char *data, size_t length, bool request_was_head,
    const turbohttp_head_limits *limits, turbohttp_header *table, uint32_t table_capacity,
    turbohttp_h1_head *out, uint64_t *error_offset) {
    tbh_h1_run r;
    bool is_first = parser->attempts == 0;
    if (is_first) { /* nearly all heads are as they should be, and here in one piece */
        turbohttp_status status = turbohttp_h1_head_parse(parser, data, length, request_was_head,
                                                          limits, table, table_capacity, out, NULL);
        if (status >= TURBOHTTP_OK) return status;
    }
    tbh_h1_run_init(&r, data, length, limits, table, table_capacity);
    bool is_eager = is_first || (size_t)(r.end - r.begin) <= TBH_H1_EAGER_BYTES;
    if (!is_eager && !tbh_h1_loose_seek(parser, &r)) return TURBOHTTP_PENDING;
    parser->attempts++;
    return tbh_h1_loose_run(&r, request_was_head, out, error_offset);
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

/* ========================================================================
 * src/codec/h1_request.c
 * ======================================================================= */
/* HTTP/1.1 request head: checked text into a writer (SPEC B4, S-30).
 * Owns nothing. Invariant: a line is written whole or not at all.
 * Does not know: which headers a request needs. */

static bool tbh_h1_is_target(turbohttp_span target) {
    for (size_t i = 0; i < target.length; i++) {
        uint8_t c = (uint8_t)target.data[i];
        if (c <= 0x20 || c >= 0x7f) return false;
    }
    return target.length > 0;
}

static char *tbh_h1_copy(char *at, turbohttp_span text) {
    if (text.length) memcpy(at, text.data, text.length);
    return at + text.length;
}

TURBOHTTP_API turbohttp_status turbohttp_h1_write_request_line(turbohttp_writer *writer,
                                                               turbohttp_span method,
                                                               turbohttp_span target,
                                                               int minor_version) {
    char *start;
    if (!tbh_is_token(method.data, method.length)) return TURBOHTTP_ERR_METHOD;
    if (!tbh_h1_is_target(target)) return TURBOHTTP_ERR_URL;
    turbohttp_status status =
        turbohttp_writer_reserve(writer, method.length + target.length + 12, &start);
    if (status != TURBOHTTP_OK) return status;
    char *at = tbh_h1_copy(start, method);
    *at++ = ' ';
    at = tbh_h1_copy(at, target);
    memcpy(at, " HTTP/1.1\r\n", 11);
    if (minor_version == 0) at[8] = '0';
    return turbohttp_writer_commit(writer, method.length + target.length + 12);
}

TURBOHTTP_API turbohttp_status turbohttp_h1_write_field(turbohttp_writer *writer,
                                                        turbohttp_span name, turbohttp_span value) {
    char *start;
    if (!tbh_is_token(name.data, name.length)) return TURBOHTTP_ERR_HEADER_NAME;
    if (!tbh_is_field_value(value.data, value.length)) return TURBOHTTP_ERR_HEADER_VALUE;
    turbohttp_status status =
        turbohttp_writer_reserve(writer, name.length + value.length + 4, &start);
    if (status != TURBOHTTP_OK) return status;
    char *at = tbh_h1_copy(start, name);
    *at++ = ':';
    *at++ = ' ';
    at = tbh_h1_copy(at, value);
    memcpy(at, "\r\n", 2);
    return turbohttp_writer_commit(writer, name.length + value.length + 4);
}

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/hpack_huffman.h
 * ======================================================================= */
/* The Huffman code of HPACK (RFC 7541 §5.2, appendix B). */

/* Bits taken from the input but not decoded yet: the first is the highest. All zero is the start of
 * a string; between two pieces there are at most 29. */
typedef struct tbh_huffman {
    uint64_t bits;
    uint32_t count;
} tbh_huffman;

typedef enum tbh_huffman_result {
    TBH_HUFFMAN_OK,   /* the input is used up */
    TBH_HUFFMAN_FULL, /* the output is; there is at least one more byte */
    TBH_HUFFMAN_BAD   /* EOS in the text */
} tbh_huffman_result;

/* Decodes [*in, in_end) to [*out, out_end) and moves both. */
TBH_FN tbh_huffman_result tbh_huffman_decode(tbh_huffman *h, const uint8_t **in,
                                             const uint8_t *in_end, uint8_t **out,
                                             uint8_t *out_end);
/* May a string end here? Only behind fewer than eight bits, all of them 1. */
TBH_FN bool tbh_huffman_is_end(const tbh_huffman *h);

#if !TBH_SMALL
/* Decodes a whole string of n bytes; returns where the text ends, or NULL if it is malformed. There is
 * room for TBH_HUFFMAN_ROOM(n) bytes, and two more. */
TBH_FN uint8_t *tbh_huffman_decode_whole(const uint8_t *in, size_t n, uint8_t *out);
#define TBH_HUFFMAN_ROOM(n) ((n) / 5 * 8 + 8)
#endif

/* Encodes n bytes if that is shorter than n bytes; returns the length, or 0 when it is not. Up to
 * n + 8 bytes at `out` may be overwritten. */
TBH_FN size_t tbh_huffman_encode(uint8_t *out, const uint8_t *in, size_t n);
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/hpack_huffman.c
 * ======================================================================= */
/* Huffman strings: bits to bytes and back, a whole symbol or two at each step.
 *
 * Owns nothing. The code is canonical: codes of one length are consecutive numbers, longer codes
 * are larger as fractions. So a row for each length says by comparison how long a code is and which
 * symbol it means, and the other way round. Where size comes first that is all there is. Elsewhere
 * whole strings take a table of the next 12 bits for codes of up to eight, which is nearly all text,
 * two of them in one step, and another table has the code of each byte.
 * Invariant: bits behind the counted ones are 0 or true input, so any look at the top is safe.
 * Input language: RFC 7541 §5.2: EOS never, padding shorter than a byte and all ones.
 * Does not know: how long a string is, what it means. */

/* ------------------------------------------------------------ tables (RFC 7541 appendix B) */
/* clang-format off */
/* The symbols with codes of 5, 6, 7 and 8 bits, in the order of their codes. */
#define TBH_HUFFMAN_FIRST(X5, X6, X7, X8) \
    X5('0') X5('1') X5('2') X5('a') X5('c') X5('e') X5('i') X5('o') X5('s') X5('t') X6(' ') \
    X6('%') X6('-') X6('.') X6('/') X6('3') X6('4') X6('5') X6('6') X6('7') X6('8') X6('9') \
    X6('=') X6('A') X6('_') X6('b') X6('d') X6('f') X6('g') X6('h') X6('l') X6('m') X6('n') \
    X6('p') X6('r') X6('u') X7(':') X7('B') X7('C') X7('D') X7('E') X7('F') X7('G') X7('H') \
    X7('I') X7('J') X7('K') X7('L') X7('M') X7('N') X7('O') X7('P') X7('Q') X7('R') X7('S') \
    X7('T') X7('U') X7('V') X7('W') X7('Y') X7('j') X7('k') X7('q') X7('v') X7('w') X7('x') \
    X7('y') X7('z') X8('&') X8('*') X8(',') X8(';') X8('X') X8('Z')

/* Codes by length: the first bits of the lowest one, and where its symbols begin. */
typedef struct tbh_huffman_row {
    uint32_t begin;
    uint8_t length, first;
} tbh_huffman_row;

static const tbh_huffman_row tbh_huffman_lengths[] = {
    {0x00000000u, 5, 0}, {0x50000000u, 6, 10}, {0xb8000000u, 7, 36}, {0xf8000000u, 8, 68},
    {0xfe000000u, 10, 74}, {0xff400000u, 11, 79}, {0xffa00000u, 12, 82}, {0xffc00000u, 13, 84},
    {0xfff00000u, 14, 90}, {0xfff80000u, 15, 92}, {0xfffe0000u, 19, 95}, {0xfffe6000u, 20, 98},
    {0xfffee000u, 21, 106}, {0xffff4800u, 22, 119}, {0xffffb000u, 23, 145}, {0xffffea00u, 24, 174},
    {0xfffff600u, 25, 186}, {0xfffff800u, 26, 190}, {0xfffffbc0u, 27, 205}, {0xfffffe20u, 28, 224},
    {0xfffffff0u, 30, 253},
};

enum { TBH_HUFFMAN_SHORT = 0, TBH_HUFFMAN_LONG = 4 }; /* rows: the first, and that of ten bits */

#define TBH_HUFFMAN_LAST (tbh_huffman_lengths + 20)
#define TBH_HUFFMAN_EOS  256 /* its place behind the symbols */
#define TBH_HUFFMAN_CHAR(a) a,

static const uint8_t tbh_huffman_symbols[TBH_HUFFMAN_EOS] = {
    TBH_HUFFMAN_FIRST(TBH_HUFFMAN_CHAR, TBH_HUFFMAN_CHAR, TBH_HUFFMAN_CHAR, TBH_HUFFMAN_CHAR)
    33, 34, 40, 41, 63, 39, 43, 124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195,
    208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161, 167, 172, 176, 177, 179, 209, 216, 217,
    227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181,
    185, 186, 187, 189, 190, 196, 198, 228, 232, 233, 1, 135, 137, 138, 139, 140, 141, 143, 147,
    149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231,
    239, 9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193,
    200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221,
    222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254, 2, 3, 4, 5, 6, 7, 8, 11, 12,
    14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10, 13, 22,
};

#if !TBH_SMALL
/* A row: bits of the step, first symbol, second symbol, number of symbols.
 * Rows of zero stand where a code has ten bits or more. */
#define TBH_HUFFMAN_ONE(a, n)    ((uint32_t)(n) | (uint32_t)(a) << 8 | 1u << 28),
#define TBH_HUFFMAN_1(a, n)      TBH_HUFFMAN_ONE(a, n)
#define TBH_HUFFMAN_2(a, n)      TBH_HUFFMAN_1(a, n) TBH_HUFFMAN_1(a, n)
#define TBH_HUFFMAN_4(a, n)      TBH_HUFFMAN_2(a, n) TBH_HUFFMAN_2(a, n)
#define TBH_HUFFMAN_8(a, n)      TBH_HUFFMAN_4(a, n) TBH_HUFFMAN_4(a, n)
#define TBH_HUFFMAN_16(a, n)     TBH_HUFFMAN_8(a, n) TBH_HUFFMAN_8(a, n)

#define TBH_HUFFMAN_LOOK 12
/* Behind a code of n bits there are 12 - n more, and all second symbols that fit. */
#define TBH_HUFFMAN_TWO(a, n, m, b) \
    ((uint32_t)(n + m) | (uint32_t)(a) << 8 | (uint32_t)(b) << 16 | 2u << 28),
#define TBH_HUFFMAN_B5(a, n, b)  TBH_HUFFMAN_TWO(a, n, 5, b)
#define TBH_HUFFMAN_B55(a, n, b) TBH_HUFFMAN_B5(a, n, b) TBH_HUFFMAN_B5(a, n, b)
#define TBH_HUFFMAN_B5555(a, n, b) TBH_HUFFMAN_B55(a, n, b) TBH_HUFFMAN_B55(a, n, b)
#define TBH_HUFFMAN_B6(a, n, b)  TBH_HUFFMAN_TWO(a, n, 6, b)
#define TBH_HUFFMAN_B66(a, n, b) TBH_HUFFMAN_B6(a, n, b) TBH_HUFFMAN_B6(a, n, b)
#define TBH_HUFFMAN_B7(a, n, b)  TBH_HUFFMAN_TWO(a, n, 7, b)
#define TBH_HUFFMAN_SECOND_5(X, a, n) \
    X(a, n, '0') X(a, n, '1') X(a, n, '2') X(a, n, 'a') X(a, n, 'c') X(a, n, 'e') X(a, n, 'i') \
    X(a, n, 'o') X(a, n, 's') X(a, n, 't')
#define TBH_HUFFMAN_SECOND_6(X, a, n) \
    X(a, n, ' ') X(a, n, '%') X(a, n, '-') X(a, n, '.') X(a, n, '/') X(a, n, '3') X(a, n, '4') \
    X(a, n, '5') X(a, n, '6') X(a, n, '7') X(a, n, '8') X(a, n, '9') X(a, n, '=') X(a, n, 'A') \
    X(a, n, '_') X(a, n, 'b') X(a, n, 'd') X(a, n, 'f') X(a, n, 'g') X(a, n, 'h') X(a, n, 'l') \
    X(a, n, 'm') X(a, n, 'n') X(a, n, 'p') X(a, n, 'r') X(a, n, 'u')
#define TBH_HUFFMAN_SECOND_7(X, a, n) \
    X(a, n, ':') X(a, n, 'B') X(a, n, 'C') X(a, n, 'D') X(a, n, 'E') X(a, n, 'F') X(a, n, 'G') \
    X(a, n, 'H') X(a, n, 'I') X(a, n, 'J') X(a, n, 'K') X(a, n, 'L') X(a, n, 'M') X(a, n, 'N') \
    X(a, n, 'O') X(a, n, 'P') X(a, n, 'Q') X(a, n, 'R') X(a, n, 'S') X(a, n, 'T') X(a, n, 'U') \
    X(a, n, 'V') X(a, n, 'W') X(a, n, 'Y') X(a, n, 'j') X(a, n, 'k') X(a, n, 'q') X(a, n, 'v') \
    X(a, n, 'w') X(a, n, 'x') X(a, n, 'y') X(a, n, 'z')
#define TBH_HUFFMAN_X5(a) \
    TBH_HUFFMAN_SECOND_5(TBH_HUFFMAN_B5555, a, 5) TBH_HUFFMAN_SECOND_6(TBH_HUFFMAN_B66, a, 5) \
    TBH_HUFFMAN_SECOND_7(TBH_HUFFMAN_B7, a, 5) TBH_HUFFMAN_4(a, 5)
#define TBH_HUFFMAN_X6(a) \
    TBH_HUFFMAN_SECOND_5(TBH_HUFFMAN_B55, a, 6) TBH_HUFFMAN_SECOND_6(TBH_HUFFMAN_B6, a, 6) \
    TBH_HUFFMAN_16(a, 6) TBH_HUFFMAN_2(a, 6)
#define TBH_HUFFMAN_X7(a) \
    TBH_HUFFMAN_SECOND_5(TBH_HUFFMAN_B5, a, 7) \
    TBH_HUFFMAN_16(a, 7) TBH_HUFFMAN_4(a, 7) TBH_HUFFMAN_2(a, 7)
#define TBH_HUFFMAN_X8(a) TBH_HUFFMAN_16(a, 8)

static const uint32_t tbh_huffman_rows[1 << TBH_HUFFMAN_LOOK] = {
    TBH_HUFFMAN_FIRST(TBH_HUFFMAN_X5, TBH_HUFFMAN_X6, TBH_HUFFMAN_X7, TBH_HUFFMAN_X8)
};

/* The code of each byte with a 1 before it, which tells its length. */
static const uint32_t tbh_huffman_codes[256] = {
    0x00003ff8, 0x00ffffd8, 0x1fffffe2, 0x1fffffe3, 0x1fffffe4, 0x1fffffe5, 0x1fffffe6, 0x1fffffe7,
    0x1fffffe8, 0x01ffffea, 0x7ffffffc, 0x1fffffe9, 0x1fffffea, 0x7ffffffd, 0x1fffffeb, 0x1fffffec,
    0x1fffffed, 0x1fffffee, 0x1fffffef, 0x1ffffff0, 0x1ffffff1, 0x1ffffff2, 0x7ffffffe, 0x1ffffff3,
    0x1ffffff4, 0x1ffffff5, 0x1ffffff6, 0x1ffffff7, 0x1ffffff8, 0x1ffffff9, 0x1ffffffa, 0x1ffffffb,
    0x00000054, 0x000007f8, 0x000007f9, 0x00001ffa, 0x00003ff9, 0x00000055, 0x000001f8, 0x00000ffa,
    0x000007fa, 0x000007fb, 0x000001f9, 0x00000ffb, 0x000001fa, 0x00000056, 0x00000057, 0x00000058,
    0x00000020, 0x00000021, 0x00000022, 0x00000059, 0x0000005a, 0x0000005b, 0x0000005c, 0x0000005d,
    0x0000005e, 0x0000005f, 0x000000dc, 0x000001fb, 0x0000fffc, 0x00000060, 0x00001ffb, 0x000007fc,
    0x00003ffa, 0x00000061, 0x000000dd, 0x000000de, 0x000000df, 0x000000e0, 0x000000e1, 0x000000e2,
    0x000000e3, 0x000000e4, 0x000000e5, 0x000000e6, 0x000000e7, 0x000000e8, 0x000000e9, 0x000000ea,
    0x000000eb, 0x000000ec, 0x000000ed, 0x000000ee, 0x000000ef, 0x000000f0, 0x000000f1, 0x000000f2,
    0x000001fc, 0x000000f3, 0x000001fd, 0x00003ffb, 0x000ffff0, 0x00003ffc, 0x00007ffc, 0x00000062,
    0x0000fffd, 0x00000023, 0x00000063, 0x00000024, 0x00000064, 0x00000025, 0x00000065, 0x00000066,
    0x00000067, 0x00000026, 0x000000f4, 0x000000f5, 0x00000068, 0x00000069, 0x0000006a, 0x00000027,
    0x0000006b, 0x000000f6, 0x0000006c, 0x00000028, 0x00000029, 0x0000006d, 0x000000f7, 0x000000f8,
    0x000000f9, 0x000000fa, 0x000000fb, 0x0000fffe, 0x00000ffc, 0x00007ffd, 0x00003ffd, 0x1ffffffc,
    0x001fffe6, 0x007fffd2, 0x001fffe7, 0x001fffe8, 0x007fffd3, 0x007fffd4, 0x007fffd5, 0x00ffffd9,
    0x007fffd6, 0x00ffffda, 0x00ffffdb, 0x00ffffdc, 0x00ffffdd, 0x00ffffde, 0x01ffffeb, 0x00ffffdf,
    0x01ffffec, 0x01ffffed, 0x007fffd7, 0x00ffffe0, 0x01ffffee, 0x00ffffe1, 0x00ffffe2, 0x00ffffe3,
    0x00ffffe4, 0x003fffdc, 0x007fffd8, 0x00ffffe5, 0x007fffd9, 0x00ffffe6, 0x00ffffe7, 0x01ffffef,
    0x007fffda, 0x003fffdd, 0x001fffe9, 0x007fffdb, 0x007fffdc, 0x00ffffe8, 0x00ffffe9, 0x003fffde,
    0x00ffffea, 0x007fffdd, 0x007fffde, 0x01fffff0, 0x003fffdf, 0x007fffdf, 0x00ffffeb, 0x00ffffec,
    0x003fffe0, 0x003fffe1, 0x007fffe0, 0x003fffe2, 0x00ffffed, 0x007fffe1, 0x00ffffee, 0x00ffffef,
    0x001fffea, 0x007fffe2, 0x007fffe3, 0x007fffe4, 0x00fffff0, 0x007fffe5, 0x007fffe6, 0x00fffff1,
    0x07ffffe0, 0x07ffffe1, 0x001fffeb, 0x000ffff1, 0x007fffe7, 0x00fffff2, 0x007fffe8, 0x03ffffec,
    0x07ffffe2, 0x07ffffe3, 0x07ffffe4, 0x0fffffde, 0x0fffffdf, 0x07ffffe5, 0x01fffff1, 0x03ffffed,
    0x000ffff2, 0x003fffe3, 0x07ffffe6, 0x0fffffe0, 0x0fffffe1, 0x07ffffe7, 0x0fffffe2, 0x01fffff2,
    0x003fffe4, 0x003fffe5, 0x07ffffe8, 0x07ffffe9, 0x1ffffffd, 0x0fffffe3, 0x0fffffe4, 0x0fffffe5,
    0x001fffec, 0x01fffff3, 0x001fffed, 0x003fffe6, 0x007fffe9, 0x003fffe7, 0x003fffe8, 0x00fffff3,
    0x007fffea, 0x007fffeb, 0x03ffffee, 0x03ffffef, 0x01fffff4, 0x01fffff5, 0x07ffffea, 0x00fffff4,
    0x07ffffeb, 0x0fffffe6, 0x07ffffec, 0x07ffffed, 0x0fffffe7, 0x0fffffe8, 0x0fffffe9, 0x0fffffea,
    0x0fffffeb, 0x1ffffffe, 0x0fffffec, 0x0fffffed, 0x0fffffee, 0x0fffffef, 0x0ffffff0, 0x07ffffee,
};
#endif
/* clang-format on */

/* ------------------------------------------------------------ decoding */
typedef struct tbh_huffman_code {
    unsigned index, length;
} tbh_huffman_code;

/* The code at the top of the bits; it is in no row before this one. */
static tbh_huffman_code tbh_huffman_find(uint32_t top, unsigned from) {
    tbh_huffman_code code;
    const tbh_huffman_row *row = tbh_huffman_lengths + from;
    while (row < TBH_HUFFMAN_LAST && top >= row[1].begin) row++;
    code.index = row->first + ((top - row->begin) >> (32 - row->length));
    code.length = row->length;
    return code;
}

TBH_FN tbh_huffman_result tbh_huffman_decode(tbh_huffman *h, const uint8_t **in,
                                             const uint8_t *in_end, uint8_t **out,
                                             uint8_t *out_end) {
    for (;;) { /* ends: each round takes at least five bits */
        for (; h->count <= 56 && *in < in_end; h->count += 8)
            h->bits |= (uint64_t) * (*in)++ << (56 - h->count);
        tbh_huffman_code code = tbh_huffman_find((uint32_t)(h->bits >> 32), TBH_HUFFMAN_SHORT);
        if (code.length > h->count) return TBH_HUFFMAN_OK;
        if (code.index >= TBH_HUFFMAN_EOS) return TBH_HUFFMAN_BAD;
        if (*out == out_end) return TBH_HUFFMAN_FULL;
        *(*out)++ = tbh_huffman_symbols[code.index];
        h->bits <<= code.length;
        h->count -= code.length;
    }
}

TBH_FN bool tbh_huffman_is_end(const tbh_huffman *h) {
    if (h->count == 0) return true;
    return h->count < 8 && h->bits >> (64 - h->count) == (1u << h->count) - 1;
}

#if !TBH_SMALL
#define TBH_HUFFMAN_STEP_BITS(row) ((row)&63)
#define TBH_HUFFMAN_SYMBOLS(row)   ((row) >> 28)

/* One or two short codes; false at a long one or the end. May write one byte too many. */
TBH_ALWAYS_INLINE bool tbh_huffman_step(uint64_t *bits, uint8_t **out, unsigned *used) {
    uint32_t row = tbh_huffman_rows[*bits >> (64 - TBH_HUFFMAN_LOOK)];
    if (TBH_UNLIKELY(row == 0)) return false;
    tbh_store16_le(*out, (uint16_t)(row >> 8));
    *out += TBH_HUFFMAN_SYMBOLS(row);
    *bits <<= TBH_HUFFMAN_STEP_BITS(row);
    *used += TBH_HUFFMAN_STEP_BITS(row);
    return true;
}

/* Up to four of them, and their bits. */
TBH_ALWAYS_INLINE unsigned tbh_huffman_steps(uint64_t *bits, uint8_t **out, bool *is_short) {
    unsigned used = 0;
    *is_short = tbh_huffman_step(bits, out, &used) && tbh_huffman_step(bits, out, &used) &&
                tbh_huffman_step(bits, out, &used) && tbh_huffman_step(bits, out, &used);
    return used;
}

/* The last left bytes, fewer than eight, at the top; ones behind them. */
TBH_ALWAYS_INLINE uint64_t tbh_huffman_last(const uint8_t *begin, const uint8_t *p,
                                            const uint8_t *end) {
    uint64_t bits = 0;
    unsigned left = (unsigned)(end - p) * 8;
    if (left == 0) return ~UINT64_C(0);
    if (end - begin >= 8) bits = tbh_load64_be(end - 8) << (64 - left);
    else
        for (unsigned at = 64; p < end; p++) bits |= (uint64_t)*p << (at -= 8);
    return bits | ~UINT64_C(0) >> left;
}

/* Moves n < 64 bits from the top of `more` to the places that became free in `bits`. */
TBH_ALWAYS_INLINE void tbh_huffman_shift(uint64_t *bits, uint64_t *more, unsigned n) {
    *bits |= *more >> 1 >> (63 - n);
    *more = ~(~*more << n);
}

/* The end of a string: `count` bits and the last bytes, ones behind them. */
TBH_ALWAYS_INLINE uint8_t *tbh_huffman_finish(uint64_t bits, unsigned count, uint64_t last,
                                              unsigned last_bits, uint8_t *out) {
    int left = (int)(count + last_bits);
    bool is_short;
    uint64_t more = ~(~last << 1 << (63 - count));
    bits |= last >> count;
    for (;;) { /* ends: a round takes bits or returns */
        unsigned used = tbh_huffman_steps(&bits, &out, &is_short);
        left -= (int)used;
        tbh_huffman_shift(&bits, &more, used);
        if (is_short) continue;
        if (left < 8) return left >= 0 ? out : NULL; /* seven ones at most (RFC 7541 §5.2) */
        tbh_huffman_code code = tbh_huffman_find((uint32_t)(bits >> 32), TBH_HUFFMAN_LONG);
        if (code.index >= TBH_HUFFMAN_EOS || (int)code.length > left) return NULL;
        *out++ = tbh_huffman_symbols[code.index];
        left -= (int)code.length;
        bits <<= code.length;
        tbh_huffman_shift(&bits, &more, code.length);
    }
}

TBH_FN uint8_t *tbh_huffman_decode_whole(const uint8_t *in, size_t n, uint8_t *out) {
    uint64_t bits = 0;
    unsigned count = 0;
    bool is_short;
    const uint8_t *p = in, *end = in + n;
    while (end - p >= 8) {
        bits |= tbh_load64_be(p) >> count;
        p += (63 - count) >> 3;
        count |= 56;
        count -= tbh_huffman_steps(&bits, &out, &is_short);
        if (is_short) continue;
        tbh_huffman_code code = tbh_huffman_find((uint32_t)(bits >> 32), TBH_HUFFMAN_LONG);
        if (code.length > count) continue; /* there are more bits in the next round */
        if (code.index >= TBH_HUFFMAN_EOS) return NULL;
        *out++ = tbh_huffman_symbols[code.index];
        bits <<= code.length;
        count -= code.length;
    }
    return tbh_huffman_finish(bits, count, tbh_huffman_last(in, p, end), (unsigned)(end - p) * 8,
                              out);
}
#endif

/* ------------------------------------------------------------ encoding */
typedef struct tbh_huffman_word {
    uint64_t bits; /* at the right */
    unsigned length;
} tbh_huffman_word;

#if TBH_SMALL
/* Text is found early among the symbols. */
static tbh_huffman_word tbh_huffman_word_of(uint8_t byte) {
    tbh_huffman_word word;
    const tbh_huffman_row *row = tbh_huffman_lengths;
    const uint8_t *at = (const uint8_t *)memchr(tbh_huffman_symbols, byte, TBH_HUFFMAN_EOS);
    unsigned index = (unsigned)(at - tbh_huffman_symbols);
    while (row < TBH_HUFFMAN_LAST && index >= row[1].first) row++;
    word.bits = (row->begin >> (32 - row->length)) + (index - row->first);
    word.length = row->length;
    return word;
}
#else
TBH_ALWAYS_INLINE unsigned tbh_huffman_length(uint32_t code) {
#if defined(__GNUC__) || defined(__clang__)
    return 31u - (unsigned)__builtin_clz(code);
#else
    unsigned n = 0;
    for (unsigned step = 16; step; step >>= 1)
        if (code >> (n + step)) n += step;
    return n;
#endif
}

TBH_ALWAYS_INLINE tbh_huffman_word tbh_huffman_word_of(uint8_t byte) {
    tbh_huffman_word word;
    uint32_t code = tbh_huffman_codes[byte];
    word.length = tbh_huffman_length(code);
    word.bits = code ^ 1u << word.length;
    return word;
}
#endif

TBH_ALWAYS_INLINE tbh_huffman_word tbh_huffman_join(tbh_huffman_word a, tbh_huffman_word b) {
    a.bits = a.bits << b.length | b.bits;
    a.length += b.length;
    return a;
}

/* Adds at most 56 bits behind the count < 8 that wait at the top, and stores what is whole. */
TBH_ALWAYS_INLINE uint8_t *tbh_huffman_put(uint8_t *out, uint64_t *bits, unsigned *count,
                                           tbh_huffman_word word) {
    unsigned n = *count + word.length;
    *bits |= word.bits << (64 - n);
    tbh_store64_be(out, *bits);
    *bits <<= n & 56;
    *count = n & 7;
    return out + (n >> 3);
}

TBH_FN size_t tbh_huffman_encode(uint8_t *out, const uint8_t *in, size_t n) {
    uint64_t bits = 0;
    unsigned count = 0;
    uint8_t *q = out, *end = out + n;
    const uint8_t *in_end = in + n;
    while (in < in_end && q < end) {
        tbh_huffman_word word = tbh_huffman_word_of(*in++);
#if !TBH_SMALL
        if (in_end - in >= 3) {
            tbh_huffman_word third = tbh_huffman_word_of(in[1]);
            word = tbh_huffman_join(word, tbh_huffman_word_of(in[0]));
            third = tbh_huffman_join(third, tbh_huffman_word_of(in[2]));
            if (TBH_LIKELY(word.length + third.length <= 56)) {
                q = tbh_huffman_put(q, &bits, &count, tbh_huffman_join(word, third));
                in += 3;
                continue;
            }
            word = tbh_huffman_word_of(in[-1]);
        }
#endif
        q = tbh_huffman_put(q, &bits, &count, word);
    }
    if (count) *q++ = (uint8_t)(bits >> 56 | 0xffu >> count);
    return in == in_end && q < end ? (size_t)(q - out) : 0;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/hpack_table.h
 * ======================================================================= */
/* HPACK: the static table (RFC 7541 appendix A) and the dynamic one (§2.3.2, §4). */

enum { TBH_HPACK_STATIC = 61, TBH_HPACK_OVERHEAD = 32, TBH_HPACK_DEFAULT_SIZE = 4096 };

/* Names are terminated, values perhaps not. */
typedef struct tbh_hpack_static_row {
    const char *name, *value;
    uint8_t name_length, value_length;
    uint8_t left; /* rows with the same name, from this one on */
} tbh_hpack_static_row;

/* The entry of a static index, 1 to 61. */
TBH_FN tbh_hpack_static_row tbh_hpack_static_row_at(uint32_t index);
/* The first static index with that name, or 0. */
TBH_FN uint32_t tbh_hpack_static_find(turbohttp_span name);

/* Names that somebody knows by their index. */
enum { TBH_HPACK_AUTHORITY = 1, TBH_HPACK_METHOD = 2, TBH_HPACK_PATH = 4, TBH_HPACK_SCHEME = 6 };

/* As turbohttp_hpack_encode, for a name whose first static index is known; 0: it has none. */
TBH_FN turbohttp_status tbh_hpack_encode_named(turbohttp_hpack_encoder *encoder,
                                               const turbohttp_hpack_field *field, uint32_t name,
                                               turbohttp_writer *writer);

/* Takes rows and text out of `memory` and moves it behind them; false when there is not enough. */
TBH_FN bool tbh_hpack_table_init(turbohttp_hpack_table *table, uint8_t **memory, size_t *bytes,
                                 uint32_t capacity);
/* Changes the size; entries that do not fit leave. */
TBH_FN void tbh_hpack_table_resize(turbohttp_hpack_table *table, uint32_t limit);
TBH_FN void tbh_hpack_table_clear(turbohttp_hpack_table *table);
/* Adds an entry, whose text is not in this table; false when it is larger than the table, which is
 * empty then (RFC 7541 §4.4). */
TBH_FN bool tbh_hpack_table_insert(turbohttp_hpack_table *table, turbohttp_span name,
                                   turbohttp_span value);
/* Are these the bytes at an offset of the ring? */
TBH_FN bool tbh_hpack_table_equals(const turbohttp_hpack_table *table, uint32_t offset,
                                   turbohttp_span text);

/* The row of entry `age`, 0 for the newest; age is below the count. */
TBH_ALWAYS_INLINE uint32_t tbh_hpack_table_row(const turbohttp_hpack_table *table, uint32_t age) {
    return table->newest >= age ? table->newest - age : table->newest + table->row_capacity - age;
}

/* Where an offset that ran past the ring's end really is. */
TBH_ALWAYS_INLINE uint32_t tbh_hpack_table_wrap(const turbohttp_hpack_table *table,
                                                uint32_t offset) {
    return offset >= table->capacity ? offset - table->capacity : offset;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/hpack_table.c
 * ======================================================================= */
/* HPACK tables: 61 fixed entries, and a ring of those that a connection has taught.
 *
 * Owns nothing: rows and text lie in the caller's memory. Invariants: used = text of all entries +
 * 32 for each ≤ limit ≤ capacity, so capacity bytes of text and capacity / 32 rows are always
 * enough, and any piece of text may wrap at the ring's end.
 * Does not know: the wire, limits on lists, what is secret. */

/* ------------------------------------------------------------ static */
/* clang-format off */
/* Rows with the same name from this one on, name, value. */
#define TBH_HPACK_STATIC_ROWS(X) \
    X(1, ":authority", "") X(2, ":method", "GET") X(1, ":method", "POST") X(2, ":path", "/") \
    X(1, ":path", "/index.html") X(2, ":scheme", "http") X(1, ":scheme", "https") \
    X(7, ":status", "200") X(6, ":status", "204") X(5, ":status", "206") X(4, ":status", "304") \
    X(3, ":status", "400") X(2, ":status", "404") X(1, ":status", "500") \
    X(1, "accept-charset", "") X(1, "accept-encoding", "gzip, deflate") \
    X(1, "accept-language", "") X(1, "accept-ranges", "") X(1, "accept", "") \
    X(1, "access-control-allow-origin", "") X(1, "age", "") X(1, "allow", "") \
    X(1, "authorization", "") X(1, "cache-control", "") X(1, "content-disposition", "") \
    X(1, "content-encoding", "") X(1, "content-language", "") X(1, "content-length", "") \
    X(1, "content-location", "") X(1, "content-range", "") X(1, "content-type", "") \
    X(1, "cookie", "") X(1, "date", "") X(1, "etag", "") X(1, "expect", "") X(1, "expires", "") \
    X(1, "from", "") X(1, "host", "") X(1, "if-match", "") X(1, "if-modified-since", "") \
    X(1, "if-none-match", "") X(1, "if-range", "") X(1, "if-unmodified-since", "") \
    X(1, "last-modified", "") X(1, "link", "") X(1, "location", "") X(1, "max-forwards", "") \
    X(1, "proxy-authenticate", "") X(1, "proxy-authorization", "") X(1, "range", "") \
    X(1, "referer", "") X(1, "refresh", "") X(1, "retry-after", "") X(1, "server", "") \
    X(1, "set-cookie", "") X(1, "strict-transport-security", "") X(1, "transfer-encoding", "") \
    X(1, "user-agent", "") X(1, "vary", "") X(1, "via", "") X(1, "www-authenticate", "")

#if TBH_SMALL
#define TBH_HPACK_TEXT(left, name, value)    name "\0" value
#define TBH_HPACK_LENGTHS(left, name, value) {sizeof(name) - 1, (left) << 4 | (sizeof(value) - 1)},

/* One behind the other; a walk along the lengths finds them. */
static const char tbh_hpack_static[] = TBH_HPACK_STATIC_ROWS(TBH_HPACK_TEXT);

static const uint8_t tbh_hpack_lengths[TBH_HPACK_STATIC][2] = {
    TBH_HPACK_STATIC_ROWS(TBH_HPACK_LENGTHS)
};
#else
#define TBH_HPACK_ROW(left, name, value) {name, value, sizeof(name) - 1, sizeof(value) - 1, left},

static const tbh_hpack_static_row tbh_hpack_static[TBH_HPACK_STATIC + 1] = {
    {"", "", 0, 0, 1}, TBH_HPACK_STATIC_ROWS(TBH_HPACK_ROW)
};

/* A perfect hash of the length and of the first, middle and last character. */
#define TBH_HPACK_HASH 1065425835u
static const uint8_t tbh_hpack_slots[128] = {
    38, 50, 0, 0, 0, 0, 0, 61, 0, 0, 0, 25, 43, 55, 36, 0, 1, 0, 0, 16, 58, 0, 48, 0, 0, 0, 0,
    51, 42, 0, 0, 0, 0, 44, 40, 0, 0, 0, 0, 0, 26, 0, 0, 0, 0, 0, 54, 2, 0, 0, 0, 0, 8, 0, 6, 0,
    32, 0, 20, 17, 0, 0, 0, 0, 45, 59, 0, 46, 35, 19, 39, 0, 0, 0, 0, 23, 0, 29, 0, 0, 27, 0,
    53, 0, 30, 0, 0, 0, 52, 0, 0, 60, 0, 22, 37, 0, 0, 0, 0, 34, 56, 0, 0, 0, 49, 0, 0, 24, 28,
    0, 0, 18, 15, 4, 33, 0, 41, 0, 21, 0, 0, 0, 57, 0, 0, 47, 31, 0
};
#endif
/* clang-format on */

#if TBH_SMALL
TBH_FN tbh_hpack_static_row tbh_hpack_static_row_at(uint32_t index) {
    tbh_hpack_static_row row;
    const uint8_t *lengths = tbh_hpack_lengths[0];
    row.name = tbh_hpack_static;
    for (; index > 1; index--, lengths += 2) row.name += lengths[0] + 1 + (lengths[1] & 15);
    row.value = row.name + lengths[0] + 1;
    row.name_length = lengths[0];
    row.value_length = lengths[1] & 15;
    row.left = lengths[1] >> 4;
    return row;
}

TBH_FN uint32_t tbh_hpack_static_find(turbohttp_span name) {
    const char *at = tbh_hpack_static;
    for (uint32_t i = 0; i < TBH_HPACK_STATIC; i++) {
        const uint8_t *lengths = tbh_hpack_lengths[i];
        if (lengths[0] == name.length && memcmp(at, name.data, name.length) == 0) return i + 1;
        at += lengths[0] + 1 + (lengths[1] & 15);
    }
    return 0;
}
#else
TBH_FN tbh_hpack_static_row tbh_hpack_static_row_at(uint32_t index) {
    return tbh_hpack_static[index];
}

TBH_FN uint32_t tbh_hpack_static_find(turbohttp_span name) {
    const uint8_t *p = (const uint8_t *)name.data;
    size_t n = name.length;
    if (n == 0) return 0;
    uint32_t key = p[0] | (uint32_t)p[n / 2] << 8 | (uint32_t)p[n - 1] << 16 | (uint32_t)n << 24;
    uint32_t index = tbh_hpack_slots[key * TBH_HPACK_HASH >> 25];
    const tbh_hpack_static_row *row = &tbh_hpack_static[index];
    return row->name_length == n && memcmp(row->name, p, n) == 0 ? index : 0;
}
#endif

/* ------------------------------------------------------------ dynamic */
TBH_FN bool tbh_hpack_table_init(turbohttp_hpack_table *table, uint8_t **memory, size_t *bytes,
                                 uint32_t capacity) {
    memset(table, 0, sizeof *table);
    if (capacity == 0) return true;
    size_t needed = TURBOHTTP_HPACK_DECODER_BYTES(capacity);
    if (capacity > 1u << 30 || !*memory || *bytes < needed) return false;
    if ((uintptr_t)*memory % sizeof(uint32_t) != 0) return false;
    table->row_capacity = capacity / TBH_HPACK_OVERHEAD;
    table->rows = (turbohttp_hpack_row *)(void *)*memory;
    table->text = *memory + table->row_capacity * sizeof(turbohttp_hpack_row);
    table->capacity = capacity;
    table->limit = (uint32_t)tbh_min_size(capacity, TBH_HPACK_DEFAULT_SIZE);
    *memory += needed;
    *bytes -= needed;
    return true;
}

/* RFC 7541 §4.3: the oldest leave until `limit` holds the rest. */
static void tbh_hpack_table_evict(turbohttp_hpack_table *table, uint32_t limit) {
    while (table->used > limit) {
        const turbohttp_hpack_row *oldest =
            &table->rows[tbh_hpack_table_row(table, --table->count)];
        table->used -= oldest->name_length + oldest->value_length + TBH_HPACK_OVERHEAD;
    }
}

TBH_FN void tbh_hpack_table_clear(turbohttp_hpack_table *table) {
    tbh_hpack_table_evict(table, 0);
}

TBH_FN void tbh_hpack_table_resize(turbohttp_hpack_table *table, uint32_t limit) {
    tbh_hpack_table_evict(table, limit);
    table->limit = limit;
}

/* Writes at the end of the text, in two pieces where the ring ends. */
static void tbh_hpack_table_put(turbohttp_hpack_table *table, turbohttp_span text) {
    size_t room = table->capacity - table->text_end, n = text.length;
    if (n >= room) {
        memcpy(table->text + table->text_end, text.data, room);
        text.data += room;
        n -= room;
        table->text_end = 0;
    }
    if (n) memcpy(table->text + table->text_end, text.data, n);
    table->text_end += (uint32_t)n;
}

TBH_FN bool tbh_hpack_table_insert(turbohttp_hpack_table *table, turbohttp_span name,
                                   turbohttp_span value) {
    size_t size = name.length + value.length + TBH_HPACK_OVERHEAD;
    bool fits = size <= table->limit;
    tbh_hpack_table_evict(table, fits ? table->limit - (uint32_t)size : 0);
    if (!fits) return false;
    table->newest = table->newest + 1 < table->row_capacity ? table->newest + 1 : 0;
    turbohttp_hpack_row *row = &table->rows[table->newest];
    row->offset = table->text_end;
    row->name_length = (uint32_t)name.length;
    row->value_length = (uint32_t)value.length;
    row->note = 0;
    table->used += (uint32_t)size;
    table->count++;
    tbh_hpack_table_put(table, name);
    tbh_hpack_table_put(table, value);
    return true;
}

TBH_FN bool tbh_hpack_table_equals(const turbohttp_hpack_table *table, uint32_t offset,
                                   turbohttp_span text) {
    size_t room = table->capacity - offset, n = tbh_min_size(room, text.length);
    if (n && memcmp(table->text + offset, text.data, n) != 0) return false;
    return n == text.length || memcmp(table->text, text.data + n, text.length - n) == 0;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/hpack_decode.c
 * ======================================================================= */
/* HPACK decoder: header blocks in any pieces, one field at a time (RFC 7541 §3, §6).
 *
 * Owns nothing; table and scratch are the caller's. A string that is whole in the input stays there
 * if it is plain; Huffman and interrupted strings are put together in the scratch.
 * Invariants: sizes from the wire only bound loops over input that is there; the scratch holds any
 * field that the table can hold, so a field too long for the scratch empties the table without
 * having been seen whole; the table is in step whatever the limits say, until an error.
 * Input language: RFC 7541 with integers below 2^32 in at most six bytes.
 * Does not know: frames, what a field means, when a block ends. */

enum {                      /* what comes next */
       TBH_HPACK_FIRST,     /* a field or a size update */
       TBH_HPACK_INDEX,     /* more bytes of its index */
       TBH_HPACK_NAME,      /* the first byte of a name */
       TBH_HPACK_NAME_SIZE, /* more bytes of its length */
       TBH_HPACK_NAME_TEXT, /* its bytes */
       TBH_HPACK_VALUE,     /* the same for the value */
       TBH_HPACK_VALUE_SIZE,
       TBH_HPACK_VALUE_TEXT,
       TBH_HPACK_FAILED
};

enum { /* RFC 7541 §6 */
       TBH_HPACK_INDEXED,
       TBH_HPACK_INCREMENTAL,
       TBH_HPACK_UPDATE,
       TBH_HPACK_NEVER,
       TBH_HPACK_WITHOUT
};

enum { TBH_HPACK_HOME_FIXED, TBH_HPACK_HOME_INPUT, TBH_HPACK_HOME_TABLE };

typedef struct tbh_hpack_cursor {
    const uint8_t *p, *end;
} tbh_hpack_cursor;

/* ------------------------------------------------------------ life */
TURBOHTTP_API turbohttp_status turbohttp_hpack_decoder_init(turbohttp_hpack_decoder *decoder,
                                                            void *memory, size_t memory_bytes,
                                                            uint32_t table_bytes, void *scratch,
                                                            size_t scratch_bytes,
                                                            size_t list_limit) {
    uint8_t *from = (uint8_t *)memory;
    memset(decoder, 0, sizeof *decoder);
    if (!tbh_hpack_table_init(&decoder->table, &from, &memory_bytes, table_bytes))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (!scratch || scratch_bytes == 0 || scratch_bytes < table_bytes)
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    decoder->scratch = (uint8_t *)scratch;
    decoder->scratch_bytes = scratch_bytes;
    decoder->list_limit = list_limit ? list_limit : 65536;
    decoder->setting = decoder->table.limit;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_decoder_resize(turbohttp_hpack_decoder *decoder,
                                                              uint32_t table_bytes) {
    if (table_bytes > decoder->table.capacity) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (decoder->state != TBH_HPACK_FIRST || decoder->has_fields) return TURBOHTTP_ERR_STATE;
    decoder->setting = table_bytes;
    if (table_bytes >= decoder->table.limit) return TURBOHTTP_OK;
    decoder->needs_update = true; /* §4.2: to the lowest setting that there was in between */
    decoder->update_most = table_bytes;
    tbh_hpack_table_resize(&decoder->table, table_bytes);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_hpack_fail(turbohttp_hpack_decoder *d) {
    d->state = TBH_HPACK_FAILED;
    return TURBOHTTP_ERR_HPACK;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_decode_end(turbohttp_hpack_decoder *decoder) {
    bool is_too_large = decoder->is_too_large;
    if (decoder->state != TBH_HPACK_FIRST || decoder->needs_update) return tbh_hpack_fail(decoder);
    decoder->list_bytes = 0;
    decoder->has_fields = false;
    decoder->is_too_large = false;
    return is_too_large ? TURBOHTTP_ERR_HEAD_TOO_LARGE : TURBOHTTP_OK;
}

/* ------------------------------------------------------------ integers (§5.1) */
/* Begins one in the low bits of a byte; true when it ends there. */
static bool tbh_hpack_integer(turbohttp_hpack_decoder *d, uint8_t byte, uint8_t mask) {
    d->number = byte & mask;
    d->shift = 0;
    return d->number < mask;
}

static turbohttp_status tbh_hpack_integer_more(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    while (c->p < c->end) {
        uint8_t byte = *c->p++;
        uint32_t low = byte & 0x7fu;
        if (d->shift > 28 || low > UINT32_MAX >> d->shift) return tbh_hpack_fail(d);
        if (low << d->shift > UINT32_MAX - d->number) return tbh_hpack_fail(d);
        d->number += low << d->shift;
        d->shift = (uint8_t)(d->shift + 7);
        if (byte < 0x80) return TURBOHTTP_OK;
    }
    return TURBOHTTP_PENDING;
}

/* ------------------------------------------------------------ scratch */
static void tbh_hpack_keep(turbohttp_hpack_decoder *d, const uint8_t *p, size_t n) {
    if (n > d->scratch_bytes - d->scratch_used) d->is_too_long = true;
    if (d->is_too_long || n == 0) return;
    memcpy(d->scratch + d->scratch_used, p, n);
    d->scratch_used += n;
}

/* What was put into the scratch from an offset on. */
static turbohttp_span tbh_hpack_kept(const turbohttp_hpack_decoder *d, size_t from) {
    return tbh_span((const char *)d->scratch + from, d->scratch_used - from);
}

/* Moves the name to where nothing can happen to it before its field is complete. */
static void tbh_hpack_keep_name(turbohttp_hpack_decoder *d) {
    size_t from = d->scratch_used;
    tbh_hpack_keep(d, (const uint8_t *)d->name.data, d->name.length);
    d->name = tbh_hpack_kept(d, from);
    d->name_home = TBH_HPACK_HOME_FIXED;
}

/* ------------------------------------------------------------ entries */
/* Text of the ring; in the scratch if it wraps. */
static TBH_NOINLINE turbohttp_span tbh_hpack_wrapped(turbohttp_hpack_decoder *d, uint32_t offset,
                                                     uint32_t n) {
    size_t room = d->table.capacity - offset, from = d->scratch_used;
    tbh_hpack_keep(d, d->table.text + offset, room);
    tbh_hpack_keep(d, d->table.text, n - room);
    return tbh_hpack_kept(d, from);
}

TBH_ALWAYS_INLINE turbohttp_span tbh_hpack_text(turbohttp_hpack_decoder *d, uint32_t offset,
                                                uint32_t n) {
    if (TBH_UNLIKELY(n > d->table.capacity - offset)) return tbh_hpack_wrapped(d, offset, n);
    return tbh_span((const char *)d->table.text + offset, n);
}

/* Looks d->number up: the name, and the value unless that is NULL. False: there is no such entry. */
TBH_ALWAYS_INLINE bool tbh_hpack_find(turbohttp_hpack_decoder *d, turbohttp_span *value) {
    turbohttp_hpack_table *table = &d->table;
    if (d->number - 1 < TBH_HPACK_STATIC) {
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(d->number);
        d->name = tbh_span(row.name, row.name_length);
        d->name_home = TBH_HPACK_HOME_FIXED;
        if (value) *value = tbh_span(row.value, row.value_length);
        return true;
    }
    uint32_t age = d->number - TBH_HPACK_STATIC - 1;
    if (d->number == 0 || age >= table->count) return false;
    turbohttp_hpack_row *row = &table->rows[tbh_hpack_table_row(table, age)];
    d->name = tbh_hpack_text(d, row->offset, row->name_length);
    d->name_home = d->scratch_used ? TBH_HPACK_HOME_FIXED : TBH_HPACK_HOME_TABLE;
    if (!value) return true;
    d->row = row;
    *value = tbh_hpack_text(d, tbh_hpack_table_wrap(table, row->offset + row->name_length),
                            row->value_length);
    return true;
}

/* ------------------------------------------------------------ fields */
/* OK hands a field out, PENDING leaves it out. */
TBH_ALWAYS_INLINE turbohttp_status tbh_hpack_emit(turbohttp_hpack_decoder *d, turbohttp_span value,
                                                  turbohttp_hpack_field *field) {
    size_t size = d->name.length + value.length + TBH_HPACK_OVERHEAD;
    d->state = TBH_HPACK_FIRST;
    if (d->is_too_long || size > d->list_limit - d->list_bytes) d->is_too_large = true;
    if (TBH_UNLIKELY(d->is_too_large)) return TURBOHTTP_PENDING;
    d->list_bytes += size;
    field->name = d->name;
    field->value = value;
    field->never_indexed = d->kind == TBH_HPACK_NEVER;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_hpack_emit_literal(turbohttp_hpack_decoder *d, turbohttp_span value,
                                               turbohttp_hpack_field *field) {
    bool is_indexed = d->kind == TBH_HPACK_INCREMENTAL;
    if (is_indexed && d->name_home == TBH_HPACK_HOME_TABLE) tbh_hpack_keep_name(d);
    if (is_indexed && d->is_too_long) tbh_hpack_table_clear(&d->table);
    else if (is_indexed && tbh_hpack_table_insert(&d->table, d->name, value))
        d->row = &d->table.rows[d->table.newest];
    return tbh_hpack_emit(d, value, field);
}

/* §6.3 and §4.2. */
static turbohttp_status tbh_hpack_update(turbohttp_hpack_decoder *d) {
    if (d->number > d->setting) return tbh_hpack_fail(d);
    if (d->needs_update && d->number > d->update_most) return tbh_hpack_fail(d);
    d->needs_update = false;
    d->state = TBH_HPACK_FIRST;
    tbh_hpack_table_resize(&d->table, d->number);
    return TURBOHTTP_PENDING;
}

/* The index is complete. */
static turbohttp_status tbh_hpack_indexed(turbohttp_hpack_decoder *d,
                                          turbohttp_hpack_field *field) {
    turbohttp_span value;
    if (d->kind == TBH_HPACK_UPDATE) return tbh_hpack_update(d);
    if (d->kind == TBH_HPACK_INDEXED) {
        if (!tbh_hpack_find(d, &value)) return tbh_hpack_fail(d);
        return tbh_hpack_emit(d, value, field);
    }
    d->state = d->number ? TBH_HPACK_VALUE : TBH_HPACK_NAME;
    if (d->number && !tbh_hpack_find(d, NULL)) return tbh_hpack_fail(d);
    return TURBOHTTP_PENDING;
}

typedef struct tbh_hpack_form {
    uint8_t kind, mask;
} tbh_hpack_form;

/* By the high four bits of a field's first byte. */
static tbh_hpack_form tbh_hpack_form_of(uint8_t byte) {
    static const tbh_hpack_form forms[16] = {
        {TBH_HPACK_WITHOUT, 15},     {TBH_HPACK_NEVER, 15},       {TBH_HPACK_UPDATE, 31},
        {TBH_HPACK_UPDATE, 31},      {TBH_HPACK_INCREMENTAL, 63}, {TBH_HPACK_INCREMENTAL, 63},
        {TBH_HPACK_INCREMENTAL, 63}, {TBH_HPACK_INCREMENTAL, 63}, {TBH_HPACK_INDEXED, 127},
        {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},
        {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},
        {TBH_HPACK_INDEXED, 127}};
    return forms[byte >> 4];
}

static turbohttp_status tbh_hpack_first(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                        turbohttp_hpack_field *field) {
    uint8_t byte = *c->p++;
    tbh_hpack_form form = tbh_hpack_form_of(byte);
    if (form.kind == TBH_HPACK_UPDATE ? d->has_fields : d->needs_update) return tbh_hpack_fail(d);
    d->kind = form.kind;
    d->has_fields = form.kind != TBH_HPACK_UPDATE;
    d->state = TBH_HPACK_INDEX;
    return tbh_hpack_integer(d, byte, form.mask) ? tbh_hpack_indexed(d, field) : TURBOHTTP_PENDING;
}

/* Before a field. */
static void tbh_hpack_clear(turbohttp_hpack_decoder *d) {
    d->scratch_most = tbh_max_size(d->scratch_most, d->scratch_used);
    d->scratch_used = 0;
    d->is_too_long = false;
    d->row = NULL;
}

/* ------------------------------------------------------------ strings (§5.2) */
/* Some of d->number bytes of a plain string. */
static void tbh_hpack_plain_part(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    size_t n = tbh_min_size(d->number, (size_t)(c->end - c->p));
    tbh_hpack_keep(d, c->p, n);
    c->p += n;
    d->number -= (uint32_t)n;
}

/* The same of a Huffman string; false when it is malformed. Of a string that is too long, what does
 * not fit is not looked at. */
static bool tbh_hpack_huffman_part(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    size_t n = tbh_min_size(d->number, (size_t)(c->end - c->p));
    const uint8_t *in = c->p, *end = c->p + n;
    uint8_t *out = d->scratch + d->scratch_used;
    tbh_huffman h;
    c->p = end;
    d->number -= (uint32_t)n;
    if (d->is_too_long) return true;
    h.bits = d->huffman_bits;
    h.count = d->huffman_count;
    tbh_huffman_result result =
        tbh_huffman_decode(&h, &in, end, &out, d->scratch + d->scratch_bytes);
    d->huffman_bits = h.bits;
    d->huffman_count = h.count;
    d->scratch_used = (size_t)(out - d->scratch);
    d->is_too_long = result == TBH_HUFFMAN_FULL;
    if (result == TBH_HUFFMAN_BAD) return false;
    return d->is_too_long || d->number || tbh_huffman_is_end(&h);
}

/* A string that is whole in the input and needs no care about room. */
static bool tbh_hpack_whole(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c, turbohttp_span *text,
                            turbohttp_status *status) {
    size_t n = d->number;
    if (d->is_partial || n > (size_t)(c->end - c->p)) return false;
    *status = TURBOHTTP_OK;
    if (!d->is_huffman) {
        *text = tbh_span((const char *)c->p, n);
        c->p += n;
        return true;
    }
#if TBH_SMALL
    return false;
#else
    uint8_t *out = d->scratch + d->scratch_used;
    if (TBH_HUFFMAN_ROOM(n) + 2 > d->scratch_bytes - d->scratch_used) return false;
    uint8_t *end = tbh_huffman_decode_whole(c->p, n, out);
    c->p += n;
    if (!end) *status = tbh_hpack_fail(d);
    if (!end) return true;
    *text = tbh_span((const char *)out, (size_t)(end - out));
    d->scratch_used = (size_t)(end - d->scratch);
    return true;
#endif
}

/* Any string, as much of it as there is. */
static turbohttp_status tbh_hpack_part(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                       turbohttp_span *text) {
    if (!d->is_partial) {
        if (d->name_home == TBH_HPACK_HOME_INPUT) tbh_hpack_keep_name(d);
        d->string_at = d->scratch_used;
        d->is_partial = true;
        d->huffman_bits = d->huffman_count = 0;
    }
    if (!d->is_huffman) tbh_hpack_plain_part(d, c);
    else if (!tbh_hpack_huffman_part(d, c)) return tbh_hpack_fail(d);
    if (d->number) return TURBOHTTP_PENDING;
    *text = tbh_hpack_kept(d, d->string_at);
    return TURBOHTTP_OK;
}

/* OK when the string is complete. */
static turbohttp_status tbh_hpack_string(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                         turbohttp_span *text) {
    turbohttp_status status;
    if (tbh_hpack_whole(d, c, text, &status)) return status;
    return tbh_hpack_part(d, c, text);
}

/* The string's length: states NAME and NAME_SIZE, or VALUE and VALUE_SIZE. Moves on to its text. */
static turbohttp_status tbh_hpack_length(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                         uint8_t first) {
    turbohttp_status status = TURBOHTTP_OK;
    if (c->p == c->end) return TURBOHTTP_PENDING;
    if (d->state == first) {
        uint8_t byte = *c->p++;
        d->is_huffman = byte >= 0x80;
        d->is_partial = false;
        d->state = (uint8_t)(first + 2);
        if (tbh_hpack_integer(d, byte, 127)) return TURBOHTTP_OK;
        d->state = (uint8_t)(first + 1);
    }
    status = tbh_hpack_integer_more(d, c);
    if (status == TURBOHTTP_OK) d->state = (uint8_t)(first + 2);
    return status;
}

static turbohttp_status tbh_hpack_name(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    turbohttp_status status = TURBOHTTP_OK;
    if (d->state < TBH_HPACK_NAME_TEXT) status = tbh_hpack_length(d, c, TBH_HPACK_NAME);
    if (status != TURBOHTTP_OK) return status;
    d->name_home = TBH_HPACK_HOME_FIXED;
    status = tbh_hpack_string(d, c, &d->name);
    if (status != TURBOHTTP_OK) return status;
    if (!d->is_huffman && !d->is_partial) d->name_home = TBH_HPACK_HOME_INPUT;
    d->state = TBH_HPACK_VALUE;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_hpack_value(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                        turbohttp_hpack_field *field) {
    turbohttp_span value;
    turbohttp_status status = TURBOHTTP_OK;
    if (d->state < TBH_HPACK_VALUE_TEXT) status = tbh_hpack_length(d, c, TBH_HPACK_VALUE);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_hpack_string(d, c, &value);
    return status == TURBOHTTP_OK ? tbh_hpack_emit_literal(d, value, field) : status;
}

/* ------------------------------------------------------------ blocks */
/* Takes some input. OK: a field; PENDING: none yet. */
static turbohttp_status tbh_hpack_step(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                       turbohttp_hpack_field *field) {
    turbohttp_status status = TURBOHTTP_PENDING;
    if (d->state == TBH_HPACK_FAILED) return TURBOHTTP_ERR_HPACK;
    if (d->state == TBH_HPACK_FIRST) {
        tbh_hpack_clear(d);
        status = tbh_hpack_first(d, c, field);
        if (status != TURBOHTTP_PENDING || d->state == TBH_HPACK_FIRST) return status;
    }
    if (d->state == TBH_HPACK_INDEX) {
        status = tbh_hpack_integer_more(d, c);
        if (status != TURBOHTTP_OK) return status;
        status = tbh_hpack_indexed(d, field);
        if (status != TURBOHTTP_PENDING || d->state == TBH_HPACK_FIRST) return status;
    }
    if (d->state < TBH_HPACK_VALUE) {
        status = tbh_hpack_name(d, c);
        if (status != TURBOHTTP_OK) return status;
    }
    return tbh_hpack_value(d, c, field);
}

static TBH_NOINLINE turbohttp_status tbh_hpack_decode_any(turbohttp_hpack_decoder *decoder,
                                                          const uint8_t **in, size_t *in_length,
                                                          turbohttp_hpack_field *field) {
    tbh_hpack_cursor c;
    turbohttp_status status = TURBOHTTP_PENDING;
    if (decoder->state == TBH_HPACK_FAILED) return TURBOHTTP_ERR_HPACK;
    c.p = *in;
    c.end = c.p + *in_length;
    while (status == TURBOHTTP_PENDING && c.p < c.end) status = tbh_hpack_step(decoder, &c, field);
    *in = c.p;
    *in_length = (size_t)(c.end - c.p);
    if (status != TURBOHTTP_PENDING) return status;
    bool has_name = decoder->state >= TBH_HPACK_VALUE && decoder->state <= TBH_HPACK_VALUE_TEXT;
    if (has_name && decoder->name_home == TBH_HPACK_HOME_INPUT) tbh_hpack_keep_name(decoder);
    return decoder->is_too_large ? TURBOHTTP_ERR_HEAD_TOO_LARGE : TURBOHTTP_PENDING;
}

/* Most fields are an index of one byte, of an entry that does not wrap. */
TBH_ALWAYS_INLINE bool tbh_hpack_find_short(turbohttp_hpack_decoder *d, uint32_t index,
                                            turbohttp_hpack_field *field) {
    if (index <= TBH_HPACK_STATIC) {
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(index);
        d->row = NULL;
        field->name = tbh_span(row.name, row.name_length);
        field->value = tbh_span(row.value, row.value_length);
        return index != 0;
    }
    uint32_t age = index - TBH_HPACK_STATIC - 1;
    if (age >= d->table.count) return false;
    turbohttp_hpack_row *row = &d->table.rows[tbh_hpack_table_row(&d->table, age)];
    const char *text = (const char *)d->table.text + row->offset;
    if (row->name_length + row->value_length > d->table.capacity - row->offset) return false;
    d->row = row;
    field->name = tbh_span(text, row->name_length);
    field->value = tbh_span(text + row->name_length, row->value_length);
    return true;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_decode(turbohttp_hpack_decoder *decoder,
                                                      const uint8_t **in, size_t *in_length,
                                                      turbohttp_hpack_field *field) {
    turbohttp_hpack_decoder *d = decoder;
    if (TBH_SMALL) return tbh_hpack_decode_any(d, in, in_length, field);
    bool is_between = d->state == TBH_HPACK_FIRST && !d->is_too_large;
    if (*in_length == 0 && is_between) return TURBOHTTP_PENDING;
    uint8_t byte = *in_length ? **in : 0;
    if (!is_between || byte < 0x80 || byte == 0xff || d->needs_update ||
        !tbh_hpack_find_short(d, byte & 0x7fu, field))
        return tbh_hpack_decode_any(d, in, in_length, field);
    size_t size = field->name.length + field->value.length + TBH_HPACK_OVERHEAD;
    if (TBH_UNLIKELY(size > d->list_limit - d->list_bytes))
        return tbh_hpack_decode_any(d, in, in_length, field);
    d->list_bytes += size;
    d->has_fields = true;
    field->never_indexed = false;
    ++*in;
    --*in_length;
    return TURBOHTTP_OK;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/hpack_encode.c
 * ======================================================================= */
/* HPACK encoder: one field at a time, to a writer (RFC 7541 §2, §6).
 *
 * Owns nothing; the table is the caller's. Entries are found through chains, one for each bucket of
 * name hashes, from the newest entry to the oldest. Entries are numbered, and a link to one that has
 * left the table ends its chain, so leaving costs nothing. Where size comes first each is looked at.
 * Invariants: room for the whole field is there before anything changes; table and announced sizes
 * are what the peer's decoder will have after reading what was written.
 * Does not know: frames, which fields a message needs, whether they are allowed. */

enum { /* first bits of a field, and the index that fits beside them (RFC 7541 §6) */
       TBH_HPACK_BITS_INDEXED = 0x80,
       TBH_HPACK_BITS_INCREMENTAL = 0x40,
       TBH_HPACK_BITS_UPDATE = 0x20,
       TBH_HPACK_BITS_NEVER = 0x10,
       TBH_HPACK_BITS_WITHOUT = 0x00
};

enum { TBH_HPACK_INTEGER_BYTES = 6, TBH_HPACK_SHORT_SECRET = 20 };

/* Two updates, an index, two lengths, and what Huffman may overwrite. */
#define TBH_HPACK_FIELD_EXTRA (5 * TBH_HPACK_INTEGER_BYTES + 8)

/* ------------------------------------------------------------ life */
TURBOHTTP_API turbohttp_status turbohttp_hpack_encoder_init(turbohttp_hpack_encoder *encoder,
                                                            void *memory, size_t memory_bytes,
                                                            uint32_t table_bytes) {
    uint8_t *from = (uint8_t *)memory;
    memset(encoder, 0, sizeof *encoder);
    if (table_bytes > 1u << 30 || memory_bytes < TURBOHTTP_HPACK_ENCODER_BYTES(table_bytes))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (table_bytes) {
        if (!from) return TURBOHTTP_ERR_INVALID_ARGUMENT;
        size_t link_bytes = table_bytes / TBH_HPACK_OVERHEAD * sizeof(turbohttp_hpack_link);
        encoder->links = (turbohttp_hpack_link *)memory;
        from += link_bytes;
        memory_bytes -= link_bytes;
    }
    if (!tbh_hpack_table_init(&encoder->table, &from, &memory_bytes, table_bytes))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    encoder->announced = encoder->smallest = TBH_HPACK_DEFAULT_SIZE;
    return TURBOHTTP_OK;
}

/* A table that is smaller than the peer's needs no words: indices count from the newest entry. */
TURBOHTTP_API void turbohttp_hpack_encoder_resize(turbohttp_hpack_encoder *encoder,
                                                  uint32_t setting) {
    turbohttp_hpack_table *table = &encoder->table;
    if (setting < encoder->smallest) encoder->smallest = setting;
    tbh_hpack_table_resize(table, setting < table->capacity ? setting : table->capacity);
}

/* ------------------------------------------------------------ primitives (RFC 7541 §5) */
static uint8_t *tbh_hpack_put_integer(uint8_t *out, uint8_t bits, uint8_t mask, uint32_t n) {
    if (n < mask) {
        *out++ = (uint8_t)(bits | n);
        return out;
    }
    *out++ = bits | mask;
    for (n -= mask; n >= 0x80; n >>= 7) *out++ = (uint8_t)(n | 0x80);
    *out++ = (uint8_t)n;
    return out;
}

/* Huffman where that is shorter; its length is known only afterwards, and is guessed to need one
 * byte less than the plain one's. */
static uint8_t *tbh_hpack_put_string(uint8_t *out, turbohttp_span text) {
    const uint8_t *in = (const uint8_t *)text.data;
    uint32_t plain = (uint32_t)text.length;
    size_t n = tbh_huffman_encode(out + 1, in, plain);
    if (n == 0) {
        out = tbh_hpack_put_integer(out, 0, 127, plain);
        if (plain) memcpy(out, in, plain);
        return out + plain;
    }
    uint8_t prefix[TBH_HPACK_INTEGER_BYTES];
    size_t length = (size_t)(tbh_hpack_put_integer(prefix, 0x80, 127, (uint32_t)n) - prefix);
    if (length > 1) memmove(out + length, out + 1, n);
    memcpy(out, prefix, length);
    return out + length + n;
}

/* §4.2: first the smallest setting since the last block, if it was below the size the peer knows,
 * then the size in use. */
static uint8_t *tbh_hpack_put_updates(turbohttp_hpack_encoder *e, uint8_t *out) {
    uint32_t limit = e->table.limit;
    if (e->smallest == e->announced && limit <= e->announced) return out; /* nothing to say */
    if (e->smallest < e->announced && e->smallest < limit)
        out = tbh_hpack_put_integer(out, TBH_HPACK_BITS_UPDATE, 31, e->smallest);
    if (e->smallest < e->announced || limit > e->announced) {
        out = tbh_hpack_put_integer(out, TBH_HPACK_BITS_UPDATE, 31, limit);
        e->announced = limit;
    }
    e->smallest = e->announced;
    return out;
}

/* ------------------------------------------------------------ what may be indexed */
/* Static names by their index: authorization, proxy-authorization, set-cookie; and :path, age,
 * content-length, etag, if-modified-since, if-none-match, location. */
#define TBH_HPACK_SECRETS (UINT64_C(1) << 23 | UINT64_C(1) << 49 | UINT64_C(1) << 55)
#define TBH_HPACK_ONCE                                                                             \
    (UINT64_C(1) << 4 | UINT64_C(1) << 21 | UINT64_C(1) << 28 | UINT64_C(1) << 34 |                \
     UINT64_C(1) << 40 | UINT64_C(1) << 41 | UINT64_C(1) << 46)

/* The form of a literal. Secrets are never indexed, by anybody; values that hardly come twice
 * would only push others out. `name` is a static index or 0. */
static uint8_t tbh_hpack_choose(const turbohttp_hpack_encoder *e,
                                const turbohttp_hpack_field *field, uint32_t name) {
    enum { COOKIE = 32 };
    bool is_short = name == COOKIE && field->value.length < TBH_HPACK_SHORT_SECRET;
    if (field->never_indexed || is_short || TBH_HPACK_SECRETS >> name & 1)
        return TBH_HPACK_BITS_NEVER;
    size_t size = field->name.length + field->value.length + TBH_HPACK_OVERHEAD;
    bool is_large = size > e->table.limit * 3 / 4;
    return is_large || TBH_HPACK_ONCE >> name & 1 ? TBH_HPACK_BITS_WITHOUT
                                                  : TBH_HPACK_BITS_INCREMENTAL;
}

/* ------------------------------------------------------------ finding */
/* All bytes, the last ones perhaps twice. */
static uint32_t tbh_hpack_hash(turbohttp_span text) {
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    const char *p = text.data;
    size_t n = text.length;
    uint64_t h = n * odd;
    if (n >= 8) {
        for (; n > 8; p += 8, n -= tbh_min_size(n - 8, 8)) h = (h ^ tbh_load64(p)) * odd;
        h ^= tbh_load64(text.data + text.length - 8);
    } else if (n >= 4) {
        h ^= tbh_load32(p) | (uint64_t)tbh_load32(p + n - 4) << 32;
    } else if (n) {
        h ^= (uint8_t)p[0] | (uint32_t)(uint8_t)p[n / 2] << 8 | (uint32_t)(uint8_t)p[n - 1] << 16;
    }
    h *= odd;
    return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 47);
}

typedef struct tbh_hpack_match {
    uint32_t name;  /* an index with that name, or 0 */
    uint32_t field; /* an index with that name and value, or 0 */
} tbh_hpack_match;

static bool tbh_hpack_equal(turbohttp_span text, const char *p, size_t n) {
    return text.length == n && (n == 0 || memcmp(text.data, p, n) == 0);
}

/* `name` is the field's static index, or 0. */
static void tbh_hpack_match_static(const turbohttp_hpack_field *field, uint32_t name,
                                   tbh_hpack_match *match) {
    uint32_t index = match->name = name;
    if (index == 0) return;
    for (uint32_t left = 1; left > 0; index++) { /* at most seven */
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(index);
        left = row.left - 1u;
        if (!tbh_hpack_equal(field->value, row.value, row.value_length)) continue;
        match->field = index;
        return;
    }
}

/* The age of entry `number`; at least the count when it has left. */
static uint32_t tbh_hpack_age(const turbohttp_hpack_encoder *e, uint32_t number) {
    return e->inserted - number;
}

static bool tbh_hpack_same_value(const turbohttp_hpack_table *table, const turbohttp_hpack_row *row,
                                 turbohttp_span value) {
    uint32_t at = tbh_hpack_table_wrap(table, row->offset + row->name_length);
    return row->value_length == value.length && tbh_hpack_table_equals(table, at, value);
}

/* The first entry to look at, by age, and the one behind it in the chain. */
static uint32_t tbh_hpack_chain(const turbohttp_hpack_encoder *e,
                                const turbohttp_hpack_link *link) {
    if (TBH_SMALL) return 0;
    return tbh_hpack_age(e, e->buckets[link->name_hash % TURBOHTTP_HPACK_BUCKETS]);
}

static uint32_t tbh_hpack_following(const turbohttp_hpack_encoder *e, uint32_t age, uint32_t at) {
    return TBH_SMALL ? age + 1 : tbh_hpack_age(e, e->links[at].older);
}

/* Walks the chain of the name. `link` has the hashes of the field. */
static void tbh_hpack_match_dynamic(const turbohttp_hpack_encoder *e,
                                    const turbohttp_hpack_field *field,
                                    const turbohttp_hpack_link *link, tbh_hpack_match *match) {
    const turbohttp_hpack_table *table = &e->table;
    uint32_t age = tbh_hpack_chain(e, link);
    for (uint32_t next = 0; age < table->count && age >= next;) { /* ends: it grows */
        uint32_t at = tbh_hpack_table_row(table, age), index = TBH_HPACK_STATIC + 1 + age;
        next = age + 1;
        const turbohttp_hpack_row *row = &table->rows[at];
        const turbohttp_hpack_link *found = &e->links[at];
        age = tbh_hpack_following(e, age, at);
        if (!TBH_SMALL && found->name_hash != link->name_hash) continue;
        if (row->name_length != field->name.length) continue;
        bool is_value = (TBH_SMALL || found->value_hash == link->value_hash) &&
                        tbh_hpack_same_value(table, row, field->value);
        if (!is_value && match->name) continue;
        if (!tbh_hpack_table_equals(table, row->offset, field->name)) continue;
        if (match->name == 0) match->name = index;
        if (is_value) match->field = index;
        if (is_value) return;
    }
}

static void tbh_hpack_remember(turbohttp_hpack_encoder *e, const turbohttp_hpack_field *field,
                               turbohttp_hpack_link *link) {
    if (!tbh_hpack_table_insert(&e->table, field->name, field->value)) return;
    e->inserted++;
    if (TBH_SMALL) return;
    uint32_t *bucket = &e->buckets[link->name_hash % TURBOHTTP_HPACK_BUCKETS];
    link->older = *bucket;
    *bucket = e->inserted;
    e->links[e->table.newest] = *link;
}

/* ------------------------------------------------------------ fields */
/* A static name is not looked for in the dynamic table, only the whole field is: so its entries are
 * spread over the buckets by value. */
static void tbh_hpack_link_of(const turbohttp_hpack_field *field, uint32_t name,
                              turbohttp_hpack_link *link) {
    if (TBH_SMALL) return;
    link->value_hash = tbh_hpack_hash(field->value);
    link->name_hash = name ? link->value_hash + name : tbh_hpack_hash(field->name);
    link->older = 0;
}

static uint8_t *tbh_hpack_put_literal(uint8_t *out, const turbohttp_hpack_field *field,
                                      uint8_t bits, uint32_t name) {
    uint8_t mask = bits == TBH_HPACK_BITS_INCREMENTAL ? 63 : 15;
    out = tbh_hpack_put_integer(out, bits, mask, name);
    if (name == 0) out = tbh_hpack_put_string(out, field->name);
    return tbh_hpack_put_string(out, field->value);
}

static uint8_t *tbh_hpack_put_field(turbohttp_hpack_encoder *e, uint8_t *out,
                                    const turbohttp_hpack_field *field, uint32_t name) {
    tbh_hpack_match match = {0, 0};
    turbohttp_hpack_link link = {0, 0, 0};
    tbh_hpack_match_static(field, name, &match);
    uint8_t bits = tbh_hpack_choose(e, field, match.name);
    bool is_indexed = bits == TBH_HPACK_BITS_INCREMENTAL;
    if (bits == TBH_HPACK_BITS_NEVER) match.field = 0;
    if (!match.field && (is_indexed || !match.name)) {
        tbh_hpack_link_of(field, match.name, &link);
        tbh_hpack_match_dynamic(e, field, &link, &match);
        if (bits == TBH_HPACK_BITS_NEVER) match.field = 0;
    }
    if (match.field) return tbh_hpack_put_integer(out, TBH_HPACK_BITS_INDEXED, 127, match.field);
    out = tbh_hpack_put_literal(out, field, bits, match.name);
    if (is_indexed) tbh_hpack_remember(e, field, &link);
    return out;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_encode_begin(turbohttp_hpack_encoder *encoder,
                                                            turbohttp_writer *writer) {
    char *start;
    turbohttp_status status = turbohttp_writer_reserve(writer, TBH_HPACK_FIELD_EXTRA, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = tbh_hpack_put_updates(encoder, (uint8_t *)start);
    return turbohttp_writer_commit(writer, (size_t)(out - (uint8_t *)start));
}

TBH_FN turbohttp_status tbh_hpack_encode_named(turbohttp_hpack_encoder *encoder,
                                               const turbohttp_hpack_field *field, uint32_t name,
                                               turbohttp_writer *writer) {
    char *start;
    if (field->name.length > 1u << 30 || field->value.length > 1u << 30)
        return TURBOHTTP_ERR_OVERFLOW;
    size_t most = field->name.length + field->value.length + TBH_HPACK_FIELD_EXTRA;
    turbohttp_status status = turbohttp_writer_reserve(writer, most, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = tbh_hpack_put_updates(encoder, (uint8_t *)start);
    out = tbh_hpack_put_field(encoder, out, field, name);
    writer->length += (size_t)(out - (uint8_t *)start);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_encode(turbohttp_hpack_encoder *encoder,
                                                      const turbohttp_hpack_field *field,
                                                      turbohttp_writer *writer) {
    return tbh_hpack_encode_named(encoder, field, tbh_hpack_static_find(field->name), writer);
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/h2_frame.h
 * ======================================================================= */
/* HTTP/2 frames, for readers that have whole ones in one piece. */

#define TBH_H2_LEAST_FRAME 16384 /* every peer takes frames of this size (RFC 9113 §4.2) */

/* Takes the body of a frame whose FRAME was handed out, when all of it is there and has no padding;
 * its END is then not said. False: go on with turbohttp_h2_read. */
TBH_FN bool tbh_h2_read_body(turbohttp_h2_reader *r, const uint8_t *at, const uint8_t *end,
                             turbohttp_span *body);
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/h2_frame.c
 * ======================================================================= */
/* HTTP/2 frames: headers, fixed fields and rules in; frames out (RFC 9113 §4, §6; RFC 9218 §7.1).
 *
 * Owns nothing. A frame is its header, fixed fields of at most eight bytes, a body that is handed out
 * as it comes, and padding. Headers and fixed fields that come in pieces wait in the carry; nothing
 * else is kept.
 * Invariants: `left` counts what is still to come of the payload, `padding` ≤ `left`; no rule is
 * looked at before its bytes are complete. Every rule that has a type of its own is in that type's
 * row or function.
 * Does not know: states of streams, flow control, what settings do, header compression. */

enum { /* what comes next */
       TBH_H2_HEADER,
       TBH_H2_FIXED,  /* fixed fields */
       TBH_H2_ENTRY,  /* a setting */
       TBH_H2_BODY,   /* pieces to hand out */
       TBH_H2_SKIP,   /* padding, and what is not looked at */
       TBH_H2_FINISH, /* END */
       TBH_H2_FAILED
};

enum { TBH_H2_MAX_LENGTH = 0xffffff, TBH_H2_ENTRY_BYTES = 6 };

#define TBH_H2_ID_MASK 0x7fffffffu

/* ------------------------------------------------------------ rules */
enum { TBH_H2_ANY, TBH_H2_CONNECTION, TBH_H2_STREAM }; /* where a type belongs */

/* What a type asks of its header. A payload of another length than `exact`, or shorter than the fixed
 * fields, is a connection error (but see PRIORITY). */
typedef struct tbh_h2_rule {
    uint8_t place;
    uint8_t fixed; /* bytes of fixed fields, without the padding's length and priority */
    bool is_exact; /* the payload is nothing else */
    bool can_pad;
    uint8_t then; /* the state behind the fixed fields */
} tbh_h2_rule;

static const tbh_h2_rule tbh_h2_rules[] = {
    /* DATA */ {TBH_H2_STREAM, 0, false, true, TBH_H2_BODY},
    /* HEADERS */ {TBH_H2_STREAM, 0, false, true, TBH_H2_BODY},
    /* PRIORITY */ {TBH_H2_STREAM, 5, true, false, TBH_H2_SKIP},
    /* RST_STREAM */ {TBH_H2_STREAM, 4, true, false, TBH_H2_SKIP},
    /* SETTINGS */ {TBH_H2_CONNECTION, 0, false, false, TBH_H2_ENTRY},
    /* PUSH_PROMISE */ {TBH_H2_STREAM, 4, false, true, TBH_H2_BODY},
    /* PING */ {TBH_H2_CONNECTION, 8, true, false, TBH_H2_SKIP},
    /* GOAWAY */ {TBH_H2_CONNECTION, 8, false, false, TBH_H2_BODY},
    /* WINDOW_UPDATE */ {TBH_H2_ANY, 4, true, false, TBH_H2_SKIP},
    /* CONTINUATION */ {TBH_H2_STREAM, 0, false, false, TBH_H2_BODY},
    /* unknown */ {TBH_H2_ANY, 0, false, false, TBH_H2_SKIP},
    /* PRIORITY_UPDATE */ {TBH_H2_CONNECTION, 4, false, false, TBH_H2_BODY},
};

static const tbh_h2_rule *tbh_h2_rule_of(const turbohttp_h2_frame *frame) {
    if (frame->type <= TURBOHTTP_H2_CONTINUATION) return &tbh_h2_rules[frame->type];
    return &tbh_h2_rules[frame->type == TURBOHTTP_H2_PRIORITY_UPDATE ? 11 : 10];
}

static bool tbh_h2_is(const turbohttp_h2_frame *frame, unsigned flag) {
    return (frame->flags & flag) != 0;
}

static bool tbh_h2_is_padded(const turbohttp_h2_frame *frame) {
    return tbh_h2_is(frame, TURBOHTTP_H2_PADDED) && tbh_h2_rule_of(frame)->can_pad;
}

static bool tbh_h2_has_priority(const turbohttp_h2_frame *frame) {
    return frame->type == TURBOHTTP_H2_HEADERS && tbh_h2_is(frame, TURBOHTTP_H2_HAS_PRIORITY);
}

/* Bytes in front of the body. */
static uint8_t tbh_h2_fixed_bytes(const turbohttp_h2_frame *frame, const tbh_h2_rule *rule) {
    unsigned n = rule->fixed;
    if (tbh_h2_has_priority(frame)) n += 5;
    return (uint8_t)(tbh_h2_is_padded(frame) ? n + 1 : n);
}

/* RFC 9113 §6.2, §6.10: a header block is not interrupted by anything, and nothing continues without
 * one (S-40: nor for ever). */
static uint32_t tbh_h2_check_order(turbohttp_h2_reader *r) {
    const turbohttp_h2_frame *frame = &r->frame;
    bool is_continuation = frame->type == TURBOHTTP_H2_CONTINUATION;
    bool is_expected = r->block_stream && r->block_stream == frame->stream_id;
    if (is_continuation ? !is_expected : r->block_stream != 0) return TURBOHTTP_H2_PROTOCOL_ERROR;
    if (!is_continuation) r->continuations = 0;
    if (is_continuation && ++r->continuations > r->limits.continuations)
        return TURBOHTTP_H2_ENHANCE_YOUR_CALM;
    bool is_block = is_continuation || frame->type == TURBOHTTP_H2_HEADERS ||
                    frame->type == TURBOHTTP_H2_PUSH_PROMISE;
    if (is_block)
        r->block_stream = tbh_h2_is(frame, TURBOHTTP_H2_END_HEADERS) ? 0 : frame->stream_id;
    return 0;
}

/* §4.2, §6. */
static uint32_t tbh_h2_check_size(const turbohttp_h2_reader *r, const tbh_h2_rule *rule) {
    const turbohttp_h2_frame *frame = &r->frame;
    bool is_settings = frame->type == TURBOHTTP_H2_SETTINGS;
    if (frame->length > r->limits.frame_bytes) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (frame->type == TURBOHTTP_H2_PRIORITY) return 0; /* §6.3: an error of the stream */
    if (frame->length < r->fixed) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (rule->is_exact && frame->length != rule->fixed) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (!is_settings) return 0;
    if (tbh_h2_is(frame, TURBOHTTP_H2_ACK) && frame->length) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    if (frame->length % TBH_H2_ENTRY_BYTES) return TURBOHTTP_H2_FRAME_SIZE_ERROR;
    bool is_flood = frame->length / TBH_H2_ENTRY_BYTES > r->limits.settings;
    return is_flood ? (uint32_t)TURBOHTTP_H2_ENHANCE_YOUR_CALM : 0;
}

/* The code of the connection error that the header is, or 0. */
static uint32_t tbh_h2_check_header(turbohttp_h2_reader *r) {
    const turbohttp_h2_frame *frame = &r->frame;
    const tbh_h2_rule *rule = tbh_h2_rule_of(frame);
    uint8_t place = rule->place;
    r->fixed = tbh_h2_fixed_bytes(frame, rule);
    r->then = rule->then;
    if (place == TBH_H2_STREAM && frame->stream_id == 0) return TURBOHTTP_H2_PROTOCOL_ERROR;
    if (place == TBH_H2_CONNECTION && frame->stream_id) return TURBOHTTP_H2_PROTOCOL_ERROR;
    uint32_t error = tbh_h2_check_size(r, rule);
    return error ? error : tbh_h2_check_order(r);
}

/* §6.5.2, RFC 8441 §3, RFC 9218 §2.1: the code of the error that a value is, or 0. */
static uint32_t tbh_h2_check_setting(const turbohttp_h2_reader *r, turbohttp_h2_setting s) {
    switch (s.id) {
    case TURBOHTTP_H2_ENABLE_PUSH:
        return s.value > (r->limits.is_server ? 1u : 0u) ? TURBOHTTP_H2_PROTOCOL_ERROR : 0;
    case TURBOHTTP_H2_INITIAL_WINDOW_SIZE:
        return s.value > TBH_H2_ID_MASK ? TURBOHTTP_H2_FLOW_CONTROL_ERROR : 0;
    case TURBOHTTP_H2_MAX_FRAME_SIZE:
        return s.value < TBH_H2_LEAST_FRAME || s.value > TBH_H2_MAX_LENGTH
                   ? TURBOHTTP_H2_PROTOCOL_ERROR
                   : 0;
    case TURBOHTTP_H2_ENABLE_CONNECT_PROTOCOL:
    case TURBOHTTP_H2_NO_RFC7540_PRIORITIES: return s.value > 1 ? TURBOHTTP_H2_PROTOCOL_ERROR : 0;
    default: return 0;
    }
}

/* ------------------------------------------------------------ fixed fields, a function for each type
 * They return the code of an error, or 0; an error of a stream is said in the event. */
static void tbh_h2_stream_error(turbohttp_h2_event *event, uint32_t error) {
    event->kind = TURBOHTTP_H2_EVENT_STREAM_ERROR;
    event->error = error;
}

static uint32_t tbh_h2_id(const uint8_t *p) {
    return tbh_load32_be(p) & TBH_H2_ID_MASK;
}

static void tbh_h2_read_priority_fields(const uint8_t *p, turbohttp_h2_event *event) {
    event->is_exclusive = p[0] >= 0x80;
    event->other_id = tbh_h2_id(p);
    event->weight = p[4];
}

static uint32_t tbh_h2_read_headers(const turbohttp_h2_reader *r, const uint8_t *p,
                                    turbohttp_h2_event *event) {
    if (tbh_h2_has_priority(&r->frame)) tbh_h2_read_priority_fields(p, event);
    return 0;
}

static uint32_t tbh_h2_read_push_promise(const turbohttp_h2_reader *r, const uint8_t *p,
                                         turbohttp_h2_event *event) {
    event->other_id = tbh_h2_id(p);
    bool is_even = event->other_id && event->other_id % 2 == 0; /* §5.1.1 */
    return r->limits.is_server || !is_even ? TURBOHTTP_H2_PROTOCOL_ERROR : 0;
}

/* §6.9: no credit at all is an error. */
static uint32_t tbh_h2_read_window_update(const turbohttp_h2_reader *r, const uint8_t *p,
                                          turbohttp_h2_event *event) {
    event->increment = tbh_h2_id(p);
    if (event->increment) return 0;
    if (r->frame.stream_id == 0) return TURBOHTTP_H2_PROTOCOL_ERROR;
    tbh_h2_stream_error(event, TURBOHTTP_H2_PROTOCOL_ERROR);
    return 0;
}

/* RFC 9218 §7.1: only clients send it. */
static uint32_t tbh_h2_read_priority_update(const turbohttp_h2_reader *r, const uint8_t *p,
                                            turbohttp_h2_event *event) {
    event->other_id = tbh_h2_id(p);
    return r->limits.is_server && event->other_id ? 0 : TURBOHTTP_H2_PROTOCOL_ERROR;
}

static uint32_t tbh_h2_read_goaway(const uint8_t *p, turbohttp_h2_event *event) {
    event->other_id = tbh_h2_id(p);
    event->error = tbh_load32_be(p + 4);
    return 0;
}

static uint32_t tbh_h2_read_fields(const turbohttp_h2_reader *r, const uint8_t *p,
                                   turbohttp_h2_event *event) {
    switch (r->frame.type) {
    case TURBOHTTP_H2_HEADERS: return tbh_h2_read_headers(r, p, event);
    case TURBOHTTP_H2_PRIORITY: tbh_h2_read_priority_fields(p, event); return 0;
    case TURBOHTTP_H2_RST_STREAM: event->error = tbh_load32_be(p); return 0;
    case TURBOHTTP_H2_PUSH_PROMISE: return tbh_h2_read_push_promise(r, p, event);
    case TURBOHTTP_H2_PING: memcpy(event->ping, p, 8); return 0;
    case TURBOHTTP_H2_GOAWAY: return tbh_h2_read_goaway(p, event);
    case TURBOHTTP_H2_WINDOW_UPDATE: return tbh_h2_read_window_update(r, p, event);
    case TURBOHTTP_H2_PRIORITY_UPDATE: return tbh_h2_read_priority_update(r, p, event);
    default: return 0;
    }
}

/* ------------------------------------------------------------ reading */
typedef struct tbh_h2_input {
    const uint8_t *p, *end;
} tbh_h2_input;

TURBOHTTP_API void turbohttp_h2_reader_init(turbohttp_h2_reader *reader,
                                            const turbohttp_h2_limits *limits) {
    memset(reader, 0, sizeof *reader);
    if (limits) reader->limits = *limits;
    turbohttp_h2_limits *l = &reader->limits;
    if (l->frame_bytes == 0) l->frame_bytes = TBH_H2_LEAST_FRAME;
    if (l->continuations == 0) l->continuations = 8;
    if (l->settings == 0) l->settings = 32;
}

/* n bytes in one piece, or NULL while some are missing; those that are there wait in the carry. */
TBH_ALWAYS_INLINE const uint8_t *tbh_h2_take(turbohttp_h2_reader *r, tbh_h2_input *in, uint32_t n) {
    size_t there = (size_t)(in->end - in->p);
    const uint8_t *p = in->p;
    if (r->carried == 0 && there >= n) {
        in->p += n;
        return p;
    }
    there = tbh_min_size(there, n - r->carried);
    if (there) memcpy(r->carry + r->carried, p, there);
    r->carried = (uint8_t)(r->carried + there);
    in->p += there;
    if (r->carried < n) return NULL;
    r->carried = 0;
    return r->carry;
}

static turbohttp_status tbh_h2_fail(turbohttp_h2_reader *r, turbohttp_h2_event *event,
                                    uint32_t error) {
    r->state = TBH_H2_FAILED;
    r->error = event->error = error;
    return TURBOHTTP_ERR_H2_FRAME;
}

static turbohttp_status tbh_h2_step_header(turbohttp_h2_reader *r, tbh_h2_input *in,
                                           turbohttp_h2_event *event) {
    const uint8_t *p = tbh_h2_take(r, in, TURBOHTTP_H2_HEADER_BYTES);
    if (!p) return TURBOHTTP_PENDING;
    r->frame.length = tbh_load32_be(p) >> 8;
    r->frame.type = p[3];
    r->frame.flags = p[4];
    r->frame.stream_id = tbh_h2_id(p + 5);
    r->left = r->frame.length;
    r->padding = 0;
    event->frame = r->frame;
    uint32_t error = tbh_h2_check_header(r);
    if (error) return tbh_h2_fail(r, event, error);
    r->state = TBH_H2_FIXED;
    if (r->frame.type != TURBOHTTP_H2_PRIORITY || r->left == 5) return TURBOHTTP_PENDING;
    r->state = TBH_H2_SKIP;
    tbh_h2_stream_error(event, TURBOHTTP_H2_FRAME_SIZE_ERROR); /* §6.3 */
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_fixed(turbohttp_h2_reader *r, tbh_h2_input *in,
                                          turbohttp_h2_event *event) {
    uint32_t error;
    const uint8_t *p = r->fixed ? tbh_h2_take(r, in, r->fixed) : NULL;
    if (!p && r->fixed) return TURBOHTTP_PENDING;
    r->left -= r->fixed;
    event->kind = TURBOHTTP_H2_EVENT_FRAME;
    if (tbh_h2_is_padded(&r->frame)) {
        r->padding = *p++;
        if (r->padding > r->left) return tbh_h2_fail(r, event, TURBOHTTP_H2_PROTOCOL_ERROR);
    }
    error = p ? tbh_h2_read_fields(r, p, event) : 0;
    if (error) return tbh_h2_fail(r, event, error);
    bool is_good = event->kind == TURBOHTTP_H2_EVENT_FRAME;
    r->state = is_good ? r->then : (uint8_t)TBH_H2_SKIP;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_entry(turbohttp_h2_reader *r, tbh_h2_input *in,
                                          turbohttp_h2_event *event) {
    r->state = TBH_H2_FINISH;
    if (r->left == 0) return TURBOHTTP_PENDING;
    r->state = TBH_H2_ENTRY;
    const uint8_t *p = tbh_h2_take(r, in, TBH_H2_ENTRY_BYTES);
    if (!p) return TURBOHTTP_PENDING;
    r->left -= TBH_H2_ENTRY_BYTES;
    event->kind = TURBOHTTP_H2_EVENT_SETTING;
    event->setting.id = tbh_load16_be(p);
    event->setting.value = tbh_load32_be(p + 2);
    uint32_t error = tbh_h2_check_setting(r, event->setting);
    return error ? tbh_h2_fail(r, event, error) : TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_body(turbohttp_h2_reader *r, tbh_h2_input *in,
                                         turbohttp_h2_event *event) {
    size_t n = tbh_min_size((size_t)(in->end - in->p), r->left - r->padding);
    if (r->left == r->padding) r->state = TBH_H2_SKIP;
    if (n == 0) return TURBOHTTP_PENDING;
    event->kind = TURBOHTTP_H2_EVENT_BYTES;
    event->bytes = tbh_span((const char *)in->p, n);
    in->p += n;
    r->left -= (uint32_t)n;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_h2_step_skip(turbohttp_h2_reader *r, tbh_h2_input *in) {
    size_t n = tbh_min_size((size_t)(in->end - in->p), r->left);
    in->p += n;
    r->left -= (uint32_t)n;
    if (r->left == 0) r->state = TBH_H2_FINISH;
    return TURBOHTTP_PENDING;
}

static turbohttp_status tbh_h2_step_finish(turbohttp_h2_reader *r, turbohttp_h2_event *event) {
    event->kind = TURBOHTTP_H2_EVENT_END;
    r->state = TBH_H2_HEADER;
    return TURBOHTTP_OK;
}

/* PENDING: go on if the state changed or there is input; the event is untouched. */
static turbohttp_status tbh_h2_step(turbohttp_h2_reader *r, tbh_h2_input *in,
                                    turbohttp_h2_event *event) {
    switch (r->state) {
    case TBH_H2_HEADER: return tbh_h2_step_header(r, in, event);
    case TBH_H2_FIXED: return tbh_h2_step_fixed(r, in, event);
    case TBH_H2_ENTRY: return tbh_h2_step_entry(r, in, event);
    case TBH_H2_BODY: return tbh_h2_step_body(r, in, event);
    case TBH_H2_SKIP: return tbh_h2_step_skip(r, in);
    case TBH_H2_FINISH: return tbh_h2_step_finish(r, event);
    default: return tbh_h2_fail(r, event, r->error);
    }
}

TURBOHTTP_API turbohttp_status turbohttp_h2_read(turbohttp_h2_reader *reader, const uint8_t **in,
                                                 size_t *in_length, turbohttp_h2_event *event) {
    tbh_h2_input input;
    turbohttp_status status;
    uint8_t state;
    input.p = *in;
    input.end = input.p + *in_length;
    memset(event, 0, sizeof *event);
    event->frame = reader->frame;
    do { /* ends: states only go forward within a frame, and FINISH hands out END */
        state = reader->state;
        status = tbh_h2_step(reader, &input, event);
    } while (status == TURBOHTTP_PENDING && reader->state != state);
    *in = input.p;
    *in_length = (size_t)(input.end - input.p);
    return status;
}

TBH_FN bool tbh_h2_read_body(turbohttp_h2_reader *r, const uint8_t *at, const uint8_t *end,
                             turbohttp_span *body) {
    if (r->state != TBH_H2_BODY || r->padding || r->left > (size_t)(end - at)) return false;
    *body = tbh_span((const char *)at, r->left);
    r->left = 0;
    r->state = TBH_H2_HEADER;
    return true;
}

/* ------------------------------------------------------------ writing */
TURBOHTTP_API void turbohttp_h2_write_frame_header(uint8_t out[TURBOHTTP_H2_HEADER_BYTES],
                                                   const turbohttp_h2_frame *frame) {
    tbh_store32_be(out, frame->length << 8 | frame->type);
    out[4] = frame->flags;
    tbh_store32_be(out + 5, frame->stream_id & TBH_H2_ID_MASK);
}

static turbohttp_h2_frame tbh_h2_frame(turbohttp_h2_type type, unsigned flags, uint32_t stream_id) {
    turbohttp_h2_frame frame;
    frame.length = 0;
    frame.type = (uint8_t)type;
    frame.flags = (uint8_t)flags;
    frame.stream_id = stream_id;
    return frame;
}

/* A frame of fixed fields, a body, and `padding` bytes with their length's own; whole or not at all. */
static turbohttp_status tbh_h2_put(turbohttp_writer *writer, turbohttp_h2_frame frame,
                                   turbohttp_span fixed, turbohttp_span body, uint32_t padding) {
    char *start;
    if (padding > 256) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (body.length > TBH_H2_MAX_LENGTH - fixed.length - padding) return TURBOHTTP_ERR_OVERFLOW;
    frame.length = (uint32_t)(fixed.length + body.length + padding);
    if (padding) frame.flags = (uint8_t)(frame.flags | TURBOHTTP_H2_PADDED);
    size_t total = TURBOHTTP_H2_HEADER_BYTES + frame.length;
    turbohttp_status status = turbohttp_writer_reserve(writer, total, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = (uint8_t *)start;
    turbohttp_h2_write_frame_header(out, &frame);
    out += TURBOHTTP_H2_HEADER_BYTES;
    if (padding) *out++ = (uint8_t)(padding - 1);
    if (fixed.length) memcpy(out, fixed.data, fixed.length);
    if (body.length) memcpy(out + fixed.length, body.data, body.length);
    if (padding) memset(out + fixed.length + body.length, 0, padding - 1);
    return turbohttp_writer_commit(writer, total);
}

static turbohttp_span tbh_h2_bytes(const uint8_t *p, size_t n) {
    return tbh_span((const char *)p, n);
}

static void tbh_h2_put_priority_fields(uint8_t out[5], const turbohttp_h2_priority *priority) {
    uint32_t exclusive = priority->is_exclusive ? ~TBH_H2_ID_MASK : 0;
    tbh_store32_be(out, (priority->parent & TBH_H2_ID_MASK) | exclusive);
    out[4] = priority->weight;
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_data(turbohttp_writer *writer, uint32_t stream_id,
                                                       turbohttp_span data, bool end_stream,
                                                       uint32_t padding) {
    turbohttp_h2_frame frame =
        tbh_h2_frame(TURBOHTTP_H2_DATA, end_stream ? TURBOHTTP_H2_END_STREAM : 0, stream_id);
    return tbh_h2_put(writer, frame, tbh_span(NULL, 0), data, padding);
}

/* HEADERS or PUSH_PROMISE with the start of a block, and the rest behind it. */
static turbohttp_status tbh_h2_put_block(turbohttp_writer *writer, turbohttp_h2_frame frame,
                                         turbohttp_span fixed, turbohttp_span block,
                                         uint32_t padding, uint32_t frame_bytes) {
    if (frame_bytes == 0) frame_bytes = TBH_H2_LEAST_FRAME;
    if (frame_bytes < TBH_H2_LEAST_FRAME || frame_bytes > TBH_H2_MAX_LENGTH || padding > 256)
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    size_t room = frame_bytes - fixed.length - padding;
    turbohttp_status status;
    do { /* ends: room > 0 */
        size_t n = tbh_min_size(block.length, room);
        if (n == block.length) frame.flags = (uint8_t)(frame.flags | TURBOHTTP_H2_END_HEADERS);
        status = tbh_h2_put(writer, frame, fixed, tbh_span(block.data, n), padding);
        block = tbh_span(n ? block.data + n : NULL, block.length - n);
        frame = tbh_h2_frame(TURBOHTTP_H2_CONTINUATION, 0, frame.stream_id);
        fixed = tbh_span(NULL, 0);
        padding = 0;
        room = frame_bytes;
    } while (status == TURBOHTTP_OK && block.length);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_headers(turbohttp_writer *writer,
                                                          uint32_t stream_id, turbohttp_span block,
                                                          bool end_stream,
                                                          const turbohttp_h2_priority *priority,
                                                          uint32_t padding, uint32_t frame_bytes) {
    uint8_t fixed[5];
    unsigned flags = end_stream ? TURBOHTTP_H2_END_STREAM : 0;
    if (priority) flags |= TURBOHTTP_H2_HAS_PRIORITY;
    if (priority) tbh_h2_put_priority_fields(fixed, priority);
    return tbh_h2_put_block(writer, tbh_h2_frame(TURBOHTTP_H2_HEADERS, flags, stream_id),
                            tbh_h2_bytes(fixed, priority ? 5 : 0), block, padding, frame_bytes);
}

TURBOHTTP_API turbohttp_status
turbohttp_h2_write_push_promise(turbohttp_writer *writer, uint32_t stream_id, uint32_t promised_id,
                                turbohttp_span block, uint32_t padding, uint32_t frame_bytes) {
    uint8_t fixed[4];
    tbh_store32_be(fixed, promised_id & TBH_H2_ID_MASK);
    return tbh_h2_put_block(writer, tbh_h2_frame(TURBOHTTP_H2_PUSH_PROMISE, 0, stream_id),
                            tbh_h2_bytes(fixed, 4), block, padding, frame_bytes);
}

/* A frame of at most eight fixed bytes and perhaps text. */
static turbohttp_status tbh_h2_put_small(turbohttp_writer *writer, turbohttp_h2_type type,
                                         unsigned flags, uint32_t stream_id, turbohttp_span fixed,
                                         turbohttp_span text) {
    return tbh_h2_put(writer, tbh_h2_frame(type, flags, stream_id), fixed, text, 0);
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_priority(turbohttp_writer *writer,
                                                           uint32_t stream_id,
                                                           const turbohttp_h2_priority *priority) {
    uint8_t fixed[5];
    tbh_h2_put_priority_fields(fixed, priority);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_PRIORITY, 0, stream_id, tbh_h2_bytes(fixed, 5),
                            tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_rst_stream(turbohttp_writer *writer,
                                                             uint32_t stream_id, uint32_t error) {
    uint8_t fixed[4];
    tbh_store32_be(fixed, error);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_RST_STREAM, 0, stream_id, tbh_h2_bytes(fixed, 4),
                            tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_settings(turbohttp_writer *writer,
                                                           const turbohttp_h2_setting *settings,
                                                           size_t count) {
    char *start;
    turbohttp_h2_frame frame = tbh_h2_frame(TURBOHTTP_H2_SETTINGS, 0, 0);
    if (count > TBH_H2_LEAST_FRAME / TBH_H2_ENTRY_BYTES) return TURBOHTTP_ERR_OVERFLOW;
    frame.length = (uint32_t)count * TBH_H2_ENTRY_BYTES;
    size_t total = TURBOHTTP_H2_HEADER_BYTES + frame.length;
    turbohttp_status status = turbohttp_writer_reserve(writer, total, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = (uint8_t *)start;
    turbohttp_h2_write_frame_header(out, &frame);
    out += TURBOHTTP_H2_HEADER_BYTES;
    for (size_t i = 0; i < count; i++, out += TBH_H2_ENTRY_BYTES) {
        tbh_store16_be(out, settings[i].id);
        tbh_store32_be(out + 2, settings[i].value);
    }
    return turbohttp_writer_commit(writer, total);
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_settings_ack(turbohttp_writer *writer) {
    return tbh_h2_put_small(writer, TURBOHTTP_H2_SETTINGS, TURBOHTTP_H2_ACK, 0, tbh_span(NULL, 0),
                            tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_ping(turbohttp_writer *writer,
                                                       const uint8_t bytes[8], bool is_ack) {
    return tbh_h2_put_small(writer, TURBOHTTP_H2_PING, is_ack ? TURBOHTTP_H2_ACK : 0, 0,
                            tbh_h2_bytes(bytes, 8), tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_goaway(turbohttp_writer *writer,
                                                         uint32_t last_stream_id, uint32_t error,
                                                         turbohttp_span debug) {
    uint8_t fixed[8];
    tbh_store32_be(fixed, last_stream_id & TBH_H2_ID_MASK);
    tbh_store32_be(fixed + 4, error);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_GOAWAY, 0, 0, tbh_h2_bytes(fixed, 8), debug);
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_window_update(turbohttp_writer *writer,
                                                                uint32_t stream_id,
                                                                uint32_t increment) {
    uint8_t fixed[4];
    if (increment == 0 || increment > TBH_H2_ID_MASK) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    tbh_store32_be(fixed, increment);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_WINDOW_UPDATE, 0, stream_id,
                            tbh_h2_bytes(fixed, 4), tbh_span(NULL, 0));
}

TURBOHTTP_API turbohttp_status turbohttp_h2_write_priority_update(turbohttp_writer *writer,
                                                                  uint32_t stream_id,
                                                                  turbohttp_span value) {
    uint8_t fixed[4];
    tbh_store32_be(fixed, stream_id & TBH_H2_ID_MASK);
    return tbh_h2_put_small(writer, TURBOHTTP_H2_PRIORITY_UPDATE, 0, 0, tbh_h2_bytes(fixed, 4),
                            value);
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/h2_field.h
 * ======================================================================= */
/* Rules for fields of HTTP/2, for readers that have the decoder's table at hand. */

/* What is noted about an entry of the decoder's table when it was found to be a good regular field;
 * nothing where size comes first. */
#define TBH_H2_NOTE_GOOD     UINT32_C(0x80000000)
#define TBH_H2_NOTE_ID(note) ((uint16_t)((note)&0xffffu))
#define TBH_H2_NOTE_NAME(note)                                                                     \
    (TBH_SMALL ? 0u : (note) >> 16 & 0x7fu) /* static index of the name, or 0 */

/* As turbohttp_h2_fields_check; *note is what there is to know of a regular field, and 0 of others.
 * `row` is the field's entry in the decoder's table, or NULL. */
TBH_FN turbohttp_status tbh_h2_fields_check_new(turbohttp_h2_fields *f,
                                                const turbohttp_hpack_field *field,
                                                turbohttp_hpack_row *row, uint32_t *note);

/* The same for a field that may have been checked before. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h2_fields_check_row(turbohttp_h2_fields *f,
                                                           const turbohttp_hpack_field *field,
                                                           turbohttp_hpack_row *row,
                                                           uint32_t *note) {
    if (TBH_SMALL || !row || !row->note) return tbh_h2_fields_check_new(f, field, row, note);
    f->has_regular = true;
    *note = row->note;
    return TURBOHTTP_OK;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/codec/h2_field.c
 * ======================================================================= */
/* HTTP/2 fields: what a head or trailer section may contain (RFC 9113 §8.2, §8.3; S-42, S-48).
 *
 * Owns nothing. What HTTP/1.1 would read as two lines, or as framing, never passes.
 * What is known about an entry of the peer's table stays with it, for it is said again and again.
 * Input language: §8.2.1 with the grammar of RFC 9110 §5: names are tokens without upper case.
 * Does not know: what other fields mean, sizes, the states of streams. */

enum { /* pseudo-headers, as bits */
       TBH_H2_STATUS = 1,
       TBH_H2_METHOD = 2,
       TBH_H2_SCHEME = 4,
       TBH_H2_PATH = 8,
       TBH_H2_AUTHORITY = 16,
       TBH_H2_PROTOCOL = 32 /* RFC 8441 */
};

typedef struct tbh_h2_pseudo {
    const char *name;
    uint8_t length, bit, section;
} tbh_h2_pseudo;

static const tbh_h2_pseudo tbh_h2_pseudos[] = {
    {":status", 7, TBH_H2_STATUS, TURBOHTTP_H2_RESPONSE},
    {":method", 7, TBH_H2_METHOD, TURBOHTTP_H2_REQUEST},
    {":scheme", 7, TBH_H2_SCHEME, TURBOHTTP_H2_REQUEST},
    {":path", 5, TBH_H2_PATH, TURBOHTTP_H2_REQUEST},
    {":authority", 10, TBH_H2_AUTHORITY, TURBOHTTP_H2_REQUEST},
    {":protocol", 9, TBH_H2_PROTOCOL, TURBOHTTP_H2_REQUEST},
};

static bool tbh_h2_equals(turbohttp_span text, const char *word, size_t n) {
    return text.length == n && memcmp(text.data, word, n) == 0;
}

static bool tbh_h2_is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool tbh_h2_is_value(turbohttp_span value) {
    if (!tbh_is_field_value(value.data, value.length)) return false;
    if (value.length == 0) return true;
    return !tbh_h2_is_blank(value.data[0]) && !tbh_h2_is_blank(value.data[value.length - 1]);
}

static bool tbh_h2_is_name(turbohttp_span name) {
    for (size_t i = 0; i < name.length; i++)
        if ((uint8_t)(name.data[i] - 'A') < 26) return false;
    return tbh_is_token(name.data, name.length);
}

/* Three digits; 101 does not exist here (§8.6). */
static bool tbh_h2_read_status(turbohttp_span value, uint16_t *status) {
    unsigned n = 0;
    if (value.length != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        unsigned digit = (uint8_t)value.data[i] - (unsigned)'0';
        if (digit > 9) return false;
        n = n * 10 + digit;
    }
    *status = (uint16_t)n;
    return n >= 100 && n != 101;
}

/* §8.3: known, in its section, once, before all others. */
static bool tbh_h2_check_pseudo(turbohttp_h2_fields *f, const turbohttp_hpack_field *field) {
    const tbh_h2_pseudo *row = tbh_h2_pseudos;
    const tbh_h2_pseudo *end = row + sizeof tbh_h2_pseudos / sizeof *row;
    while (row < end && !tbh_h2_equals(field->name, row->name, row->length)) row++;
    if (row == end || row->section != (uint8_t)f->section) return false;
    if (f->has_regular || (f->pseudo & row->bit)) return false;
    f->pseudo = (uint8_t)(f->pseudo | row->bit);
    if (row->bit == TBH_H2_STATUS) return tbh_h2_read_status(field->value, &f->status);
    if (!tbh_h2_is_value(field->value)) return false;
    if (row->bit == TBH_H2_METHOD) f->is_connect = tbh_h2_equals(field->value, "CONNECT", 7);
    if (row->bit == TBH_H2_METHOD) return tbh_is_token(field->value.data, field->value.length);
    return row->bit == TBH_H2_AUTHORITY || field->value.length > 0;
}

/* §8.2.2: fields that speak about a connection of HTTP/1.1. */
static bool tbh_h2_check_regular(const turbohttp_hpack_field *field, uint16_t *id) {
    turbohttp_span name = field->name;
    *id = tbh_header_id_lower(name.data, name.length);
    if (!*id) return tbh_h2_is_name(name);
    switch (*id) {
    case TURBOHTTP_HEADER_CONNECTION:
    case TURBOHTTP_HEADER_PROXY_CONNECTION:
    case TURBOHTTP_HEADER_KEEP_ALIVE:
    case TURBOHTTP_HEADER_TRANSFER_ENCODING:
    case TURBOHTTP_HEADER_UPGRADE: return false;
    case TURBOHTTP_HEADER_TE: return tbh_span_equal_nocase(field->value, "trailers");
    default: return true;
    }
}

TURBOHTTP_API void turbohttp_h2_fields_init(turbohttp_h2_fields *fields,
                                            turbohttp_h2_section section) {
    memset(fields, 0, sizeof *fields);
    fields->section = section;
}

TBH_FN turbohttp_status tbh_h2_fields_check_new(turbohttp_h2_fields *f,
                                                const turbohttp_hpack_field *field,
                                                turbohttp_hpack_row *row, uint32_t *note) {
    bool is_pseudo = field->name.length && field->name.data[0] == ':';
    uint16_t id;
    *note = 0;
    if (is_pseudo) return tbh_h2_check_pseudo(f, field) ? TURBOHTTP_OK : TURBOHTTP_ERR_H2_FIELD;
    f->has_regular = true;
    if (!tbh_h2_is_value(field->value) || !tbh_h2_check_regular(field, &id))
        return TURBOHTTP_ERR_H2_FIELD;
    *note = TBH_H2_NOTE_GOOD | id;
    if (!TBH_SMALL && row) row->note = *note |= tbh_hpack_static_find(field->name) << 16;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_h2_fields_check(turbohttp_h2_fields *fields,
                                                         const turbohttp_hpack_field *field) {
    uint32_t note;
    return tbh_h2_fields_check_new(fields, field, NULL, &note);
}

/* §8.3.1, §8.3.2, §8.5; extended CONNECT (RFC 8441 §4) has all of them. */
TURBOHTTP_API turbohttp_status turbohttp_h2_fields_end(const turbohttp_h2_fields *fields) {
    unsigned all = TBH_H2_METHOD | TBH_H2_SCHEME | TBH_H2_PATH, seen = fields->pseudo;
    bool is_good = true;
    if (fields->section == TURBOHTTP_H2_RESPONSE) is_good = seen == TBH_H2_STATUS;
    if (fields->section == TURBOHTTP_H2_REQUEST) {
        is_good = (seen & all) == all && (!(seen & TBH_H2_PROTOCOL) || fields->is_connect);
        if (fields->is_connect && !(seen & TBH_H2_PROTOCOL))
            is_good = seen == (TBH_H2_METHOD | TBH_H2_AUTHORITY);
    }
    return is_good ? TURBOHTTP_OK : TURBOHTTP_ERR_H2_FIELD;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_DNS_STUB)
/* ========================================================================
 * src/codec/dns_message.h
 * ======================================================================= */
/* DNS messages (RFC 1035, RFC 6891): one question out, its answer in. Nothing here waits. */

enum { TBH_DNS_A = 1, TBH_DNS_AAAA = 28 };

enum {
    TBH_DNS_UDP_BYTES = 1232,      /* what we announce: fits every path without fragments */
    TBH_DNS_RANDOM_BYTES = 2 + 32, /* the id, and one bit for each byte of a name */
    TBH_DNS_PREFIX_BYTES = 2,      /* the length that goes before a message over TCP */
    TBH_DNS_QUERY_BYTES = 2 + 12 + 255 + 4 + 11,
    TBH_DNS_MOST_RECORDS = 64, /* answers that are looked at */
    TBH_DNS_MOST_ALIASES = 8   /* CNAMEs on the way to the addresses */
};

/* A question as it is sent; kept to compare the answer with it. */
typedef struct tbh_dns_query {
    uint16_t type;                      /* TBH_DNS_A or TBH_DNS_AAAA */
    uint16_t length;                    /* of the message, without the prefix */
    uint16_t question_end;              /* in the message */
    uint8_t bytes[TBH_DNS_QUERY_BYTES]; /* the prefix, then the message */
} tbh_dns_query;

typedef enum tbh_dns_verdict {
    TBH_DNS_IGNORED,      /* malformed, or no answer to this question: it may be forged */
    TBH_DNS_ADDRESSES,    /* at least one */
    TBH_DNS_NO_DATA,      /* the name exists, without such an address */
    TBH_DNS_NO_NAME,      /* the name does not exist */
    TBH_DNS_TRUNCATED,    /* ask over TCP */
    TBH_DNS_FORMAT_ERROR, /* the server does not know EDNS0 */
    TBH_DNS_FAILED        /* this server cannot tell */
} tbh_dns_verdict;

typedef struct tbh_dns_answer {
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    uint32_t count;
    uint32_t ttl_s; /* the least of the records that led to the addresses */
} tbh_dns_answer;

/* Labels of 1 to 63 letters, digits, '-' and '_', at most 253 bytes, no dot at the end. */
TBH_FN bool tbh_dns_is_name(turbohttp_span name);
/* `name` must be one. The first two random bytes are the id, a set bit in the others turns the
 * case of a letter; `has_edns` announces TBH_DNS_UDP_BYTES. */
TBH_FN void tbh_dns_query_build(tbh_dns_query *query, turbohttp_span name, uint16_t type,
                                const uint8_t random[TBH_DNS_RANDOM_BYTES], bool has_edns);
/* Fills *answer in when it says ADDRESSES; *answer is undefined otherwise. */
TBH_FN tbh_dns_verdict tbh_dns_answer_parse(const tbh_dns_query *query, const uint8_t *data,
                                            size_t length, tbh_dns_answer *answer);
#endif /* !defined(TURBOHTTP_NO_DNS_STUB) */

#if !defined(TURBOHTTP_NO_DNS_STUB)
/* ========================================================================
 * src/codec/dns_message.c
 * ======================================================================= */
/* DNS messages: builds queries and reads answers.
 * Input: any bytes. An answer counts only if it repeats the id and the question byte for byte, case
 * included (the "0x20" bits), so that who did not see the query must guess all of it (S-74).
 * Invariants: compression pointers lead strictly backwards and are counted; only the answer section
 * is read, and of it only what the question's name leads to through CNAMEs; records and aliases
 * are counted. No name is copied: names are compared where they stand.
 * Does not know: sockets, servers, retries. */

enum { TBH_DNS_HEADER_BYTES = 12, TBH_DNS_RECORD_BYTES = 10, TBH_DNS_MOST_JUMPS = 32 };
enum { TBH_DNS_CNAME = 5, TBH_DNS_OPT = 41, TBH_DNS_IN = 1 };
enum { TBH_DNS_MOST_TTL = 0x7fffffff };

/* ------------------------------------------------------------ queries */
static bool tbh_dns_is_name_byte(uint8_t c) {
    return tbh_is_alpha(c) || tbh_is_digit(c) || c == '-' || c == '_';
}

TBH_FN bool tbh_dns_is_name(turbohttp_span name) {
    size_t label = 0; /* where the current one starts */
    if (name.length == 0 || name.length > 253) return false;
    for (size_t i = 0; i <= name.length; i++) {
        if (i < name.length && name.data[i] != '.') {
            if (!tbh_dns_is_name_byte((uint8_t)name.data[i])) return false;
            continue;
        }
        if (i == label || i - label > 63) return false;
        label = i + 1;
    }
    return true;
}

/* Each dot makes room for the length of the label behind it. */
static size_t tbh_dns_put_name(uint8_t *out, turbohttp_span name, const uint8_t *bits) {
    size_t label = 0;
    for (size_t i = 0; i <= name.length; i++) {
        if (i == name.length || name.data[i] == '.') {
            out[label] = (uint8_t)(i - label);
            label = i + 1;
            continue;
        }
        uint8_t c = (uint8_t)name.data[i];
        bool is_turned = tbh_is_alpha(c) && (bits[i >> 3] >> (i & 7) & 1);
        out[i + 1] = is_turned ? (uint8_t)(c ^ 0x20) : c;
    }
    out[label] = 0;
    return label + 1;
}

/* RFC 6891 §6.1.2: the root's name, OPT, our size, no flags, no options. */
static size_t tbh_dns_put_edns(uint8_t *out) {
    memset(out, 0, 11);
    tbh_store16_be(out + 1, TBH_DNS_OPT);
    tbh_store16_be(out + 3, TBH_DNS_UDP_BYTES);
    return 11;
}

TBH_FN void tbh_dns_query_build(tbh_dns_query *query, turbohttp_span name, uint16_t type,
                                const uint8_t random[TBH_DNS_RANDOM_BYTES], bool has_edns) {
    uint8_t *message = query->bytes + TBH_DNS_PREFIX_BYTES;
    size_t at = TBH_DNS_HEADER_BYTES;
    memset(message, 0, TBH_DNS_HEADER_BYTES);
    memcpy(message, random, 2);
    message[2] = 1; /* recursion desired */
    message[5] = 1; /* one question */
    message[11] = has_edns ? 1 : 0;
    at += tbh_dns_put_name(message + at, name, random + 2);
    tbh_store16_be(message + at, type);
    tbh_store16_be(message + at + 2, TBH_DNS_IN);
    at += 4;
    query->type = type;
    query->question_end = (uint16_t)at;
    if (has_edns) at += tbh_dns_put_edns(message + at);
    query->length = (uint16_t)at;
    tbh_store16_be(query->bytes, query->length);
}

/* ------------------------------------------------------------ names where they stand */
typedef struct tbh_dns_message {
    const uint8_t *data;
    size_t length;
} tbh_dns_message;

typedef struct tbh_dns_cursor {
    size_t at;
    size_t floor; /* pointers must lead before this: strictly backwards */
    size_t end;   /* behind the name's first pointer; 0 before there was one */
    size_t total; /* bytes of the name so far */
    uint32_t jumps;
} tbh_dns_cursor;

static tbh_dns_cursor tbh_dns_cursor_at(size_t at) {
    tbh_dns_cursor c;
    c.at = c.floor = at;
    c.end = c.total = 0;
    c.jumps = 0;
    return c;
}

static bool tbh_dns_follow(const tbh_dns_message *m, tbh_dns_cursor *c) {
    if (c->at + 2 > m->length || ++c->jumps > TBH_DNS_MOST_JUMPS) return false;
    size_t target = tbh_load16_be(m->data + c->at) & 0x3fffu;
    if (target >= c->floor || target < TBH_DNS_HEADER_BYTES) return false;
    if (c->end == 0) c->end = c->at + 2;
    c->at = c->floor = target;
    return true;
}

/* Moves over the next label: its length (0: the name ends), or -1 when the name is malformed. */
static int tbh_dns_next_label(const tbh_dns_message *m, tbh_dns_cursor *c) {
    while (c->at < m->length && m->data[c->at] >= 0xc0) /* ends: jumps are counted */
        if (!tbh_dns_follow(m, c)) return -1;
    if (c->at >= m->length || m->data[c->at] > 63) return -1;
    size_t n = m->data[c->at];
    c->total += n + 1;
    if (c->total > 255 || m->length - c->at - 1 < n) return -1;
    c->at += n + 1;
    return (int)n;
}

/* Returns where the name ends, 0 when it is malformed. */
static size_t tbh_dns_skip_name(const tbh_dns_message *m, size_t at) {
    tbh_dns_cursor c = tbh_dns_cursor_at(at);
    int n;
    while ((n = tbh_dns_next_label(m, &c)) > 0) { /* ends: at most 255 bytes */
    }
    if (n < 0) return 0;
    return c.end ? c.end : c.at;
}

/* Both names are well-formed. Case does not count (RFC 4343). */
static bool tbh_dns_names_equal(const tbh_dns_message *m, size_t at_a, size_t at_b) {
    tbh_dns_cursor a = tbh_dns_cursor_at(at_a), b = tbh_dns_cursor_at(at_b);
    int n;
    do {
        n = tbh_dns_next_label(m, &a);
        if (tbh_dns_next_label(m, &b) != n || n < 0) return false;
        if (!tbh_equal_nocase(m->data + a.at - n, m->data + b.at - n, (size_t)n)) return false;
    } while (n > 0);
    return true;
}

/* ------------------------------------------------------------ records */
typedef struct tbh_dns_record {
    size_t owner, data; /* offsets */
    size_t data_length, end;
    uint16_t type, class_code;
    uint32_t ttl_s;
} tbh_dns_record;

static bool tbh_dns_record_is_sound(const tbh_dns_message *m, const tbh_dns_record *r) {
    if (r->class_code != TBH_DNS_IN) return true; /* not looked at any further */
    if (r->type == TBH_DNS_A) return r->data_length == 4;
    if (r->type == TBH_DNS_AAAA) return r->data_length == 16;
    return r->type != TBH_DNS_CNAME || tbh_dns_skip_name(m, r->data) == r->end;
}

static bool tbh_dns_record_read(const tbh_dns_message *m, size_t at, tbh_dns_record *r) {
    r->owner = at;
    at = tbh_dns_skip_name(m, at);
    if (at == 0 || m->length - at < TBH_DNS_RECORD_BYTES) return false;
    r->type = tbh_load16_be(m->data + at);
    r->class_code = tbh_load16_be(m->data + at + 2);
    r->ttl_s = tbh_load32_be(m->data + at + 4);
    if (r->ttl_s > TBH_DNS_MOST_TTL) r->ttl_s = 0; /* RFC 2181 §8 */
    r->data_length = tbh_load16_be(m->data + at + 8);
    r->data = at + TBH_DNS_RECORD_BYTES;
    if (m->length - r->data < r->data_length) return false;
    r->end = r->data + r->data_length;
    return tbh_dns_record_is_sound(m, r);
}

typedef struct tbh_dns_answers {
    tbh_dns_message message;
    uint16_t type;
    size_t first; /* where they start */
    uint32_t count;
    size_t name;    /* whose addresses are wanted: the question's, then its aliases' */
    uint32_t ttl_s; /* least of the aliases so far */
} tbh_dns_answers;

static bool tbh_dns_all_sound(const tbh_dns_answers *a) {
    tbh_dns_record r;
    size_t at = a->first;
    for (uint32_t i = 0; i < a->count; i++, at = r.end)
        if (!tbh_dns_record_read(&a->message, at, &r)) return false;
    return true;
}

static void tbh_dns_add_address(const tbh_dns_answers *a, const tbh_dns_record *r,
                                tbh_dns_answer *answer) {
    if (answer->count == TURBOHTTP_MAX_ADDRESSES) return;
    turbohttp_address *address = &answer->addresses[answer->count++];
    memset(address, 0, sizeof *address);
    address->family = r->type == TBH_DNS_A ? 4 : 6;
    memcpy(address->bytes, a->message.data + r->data, r->data_length);
    if (r->ttl_s < answer->ttl_s) answer->ttl_s = r->ttl_s;
}

/* One pass: the wanted addresses of a->name, and where its alias leads (0: it has none). */
static size_t tbh_dns_collect(const tbh_dns_answers *a, tbh_dns_answer *answer,
                              uint32_t *alias_ttl_s) {
    tbh_dns_record r;
    size_t alias = 0, at = a->first;
    for (uint32_t i = 0; i < a->count; i++, at = r.end) {
        if (!tbh_dns_record_read(&a->message, at, &r)) return 0;
        bool is_wanted = r.type == a->type || r.type == TBH_DNS_CNAME;
        if (!is_wanted || r.class_code != TBH_DNS_IN) continue;
        if (!tbh_dns_names_equal(&a->message, r.owner, a->name)) continue;
        if (r.type == a->type) {
            tbh_dns_add_address(a, &r, answer);
        } else if (alias == 0) {
            alias = r.data;
            *alias_ttl_s = r.ttl_s;
        }
    }
    return alias;
}

/* The order of the records does not matter: each alias is looked for from the start. */
static tbh_dns_verdict tbh_dns_chase(tbh_dns_answers *a, tbh_dns_answer *answer) {
    uint32_t alias_ttl_s = 0;
    for (int i = 0; i <= TBH_DNS_MOST_ALIASES; i++) {
        answer->count = 0;
        answer->ttl_s = a->ttl_s;
        size_t alias = tbh_dns_collect(a, answer, &alias_ttl_s);
        if (answer->count) return TBH_DNS_ADDRESSES;
        if (alias == 0) return TBH_DNS_NO_DATA;
        a->name = alias;
        if (alias_ttl_s < a->ttl_s) a->ttl_s = alias_ttl_s;
    }
    return TBH_DNS_FAILED;
}

/* ------------------------------------------------------------ answers */
/* The id, "response", "standard query", and exactly our question. */
static bool tbh_dns_is_answer_to(const tbh_dns_query *query, const uint8_t *data, size_t length) {
    const uint8_t *asked = query->bytes + TBH_DNS_PREFIX_BYTES;
    size_t n = query->question_end;
    if (length < n || memcmp(data, asked, 2) != 0) return false;
    if ((data[2] & 0xf8) != 0x80 || tbh_load16_be(data + 4) != 1) return false;
    return memcmp(data + TBH_DNS_HEADER_BYTES, asked + TBH_DNS_HEADER_BYTES,
                  n - TBH_DNS_HEADER_BYTES) == 0;
}

/* A server that neither is in charge (AA) nor asks others (RA) and has nothing: a referral. */
static bool tbh_dns_is_referral(const uint8_t *data) {
    return (data[2] & 0x04) == 0 && (data[3] & 0x80) == 0 && tbh_load16_be(data + 6) == 0;
}

TBH_FN tbh_dns_verdict tbh_dns_answer_parse(const tbh_dns_query *query, const uint8_t *data,
                                            size_t length, tbh_dns_answer *answer) {
    tbh_dns_answers a;
    if (!tbh_dns_is_answer_to(query, data, length)) return TBH_DNS_IGNORED;
    unsigned code = data[3] & 15u;
    if (code == 1) return TBH_DNS_FORMAT_ERROR;
    if (code != 0 && code != 3) return TBH_DNS_FAILED;
    if (data[2] & 0x02) return TBH_DNS_TRUNCATED;
    if (code == 3) return TBH_DNS_NO_NAME;
    if (tbh_dns_is_referral(data)) return TBH_DNS_FAILED;
    a.message.data = data;
    a.message.length = length;
    a.type = query->type;
    a.first = query->question_end;
    a.count = tbh_load16_be(data + 6);
    if (a.count > TBH_DNS_MOST_RECORDS) a.count = TBH_DNS_MOST_RECORDS;
    a.name = TBH_DNS_HEADER_BYTES;
    a.ttl_s = TBH_DNS_MOST_TTL;
    if (!tbh_dns_all_sound(&a)) return TBH_DNS_IGNORED;
    return tbh_dns_chase(&a, answer);
}
#endif /* !defined(TURBOHTTP_NO_DNS_STUB) */

/* ========================================================================
 * src/engine/completion.h
 * ======================================================================= */
/* Completions: the slots behind request handles (SPEC C4). A result is set exactly once and taken
 * exactly once; a stale handle never reaches another request's answer. */

typedef enum tbh_completion_state {
    TBH_COMPLETION_FREE,
    TBH_COMPLETION_PENDING,
    TBH_COMPLETION_SET
} tbh_completion_state;

typedef struct tbh_completion {
    void *object;
    uint32_t generation; /* of the current or next use; never 0 */
    uint32_t cancelled;  /* generation that somebody wants cancelled; atomic */
    uint32_t next;       /* free list, or order of completion: 1 + index */
    uint8_t state;
} tbh_completion;

typedef struct tbh_completions {
    tbh_completion *slots;
    uint32_t capacity;
    uint32_t free_first;            /* 1 + index; 0: none */
    uint32_t done_first, done_last; /* 1 + index: completed, in order */
    uint32_t pending, done;         /* counts */
    uint32_t any_cancelled;         /* atomic */
} tbh_completions;

TBH_FN turbohttp_status tbh_completions_init(tbh_completions *c, const turbohttp_allocator *a,
                                             uint32_t capacity);
TBH_FN void tbh_completions_fini(tbh_completions *c, const turbohttp_allocator *a);
/* OK, or QUEUE_FULL. `object` must not be NULL. */
TBH_FN turbohttp_status tbh_completion_issue(tbh_completions *c, void *object, uint64_t *id);
/* The object of a live handle, NULL when it is stale. */
TBH_FN void *tbh_completion_find(const tbh_completions *c, uint64_t id);
/* False when it was set before, or the handle is stale. */
TBH_FN bool tbh_completion_set(tbh_completions *c, uint64_t id);
/* OK: the object is the caller's and the handle stale. PENDING or STALE otherwise. */
TBH_FN turbohttp_status tbh_completion_take(tbh_completions *c, uint64_t id, void **object);
/* The oldest completed object that was not taken, or NULL. */
TBH_FN void *tbh_completion_first_done(const tbh_completions *c);
/* The object behind slot `index`, whatever its state; NULL when free. For walks. */
TBH_FN void *tbh_completion_at(const tbh_completions *c, uint32_t index);
/* Any thread: OK or STALE. */
TBH_FN turbohttp_status tbh_completion_cancel(tbh_completions *c, uint64_t id);
/* Was a cancel asked for since the last call? Then walk with tbh_completion_take_cancel. */
TBH_FN bool tbh_completions_take_cancelled(tbh_completions *c);
TBH_FN void *tbh_completion_cancelled_at(tbh_completions *c, uint32_t index);

/* ========================================================================
 * src/engine/completion.c
 * ======================================================================= */
/* Completions: slots with generations.
 * Owns the slot array, not the objects. A handle is generation << 32 | index + 1.
 * Life of a slot: FREE -issue-> PENDING -set-> SET -take-> FREE with the next generation; every
 * other step is refused. Only `generation` and `cancelled` are touched by other threads.
 * Does not know what a request is. */

TBH_FN turbohttp_status tbh_completions_init(tbh_completions *c, const turbohttp_allocator *a,
                                             uint32_t capacity) {
    size_t bytes;
    memset(c, 0, sizeof *c);
    if (!tbh_mul_size(capacity, sizeof *c->slots, &bytes)) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    c->slots = (tbh_completion *)tbh_allocate(a, bytes);
    if (!c->slots) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(c->slots, 0, bytes);
    c->capacity = capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        c->slots[i].generation = 1;
        c->slots[i].next = i + 1 < capacity ? i + 2 : 0;
    }
    c->free_first = capacity ? 1 : 0;
    return TURBOHTTP_OK;
}

TBH_FN void tbh_completions_fini(tbh_completions *c, const turbohttp_allocator *a) {
    if (c->slots) tbh_release(a, c->slots, c->capacity * sizeof *c->slots);
    memset(c, 0, sizeof *c);
}

static tbh_completion *tbh_completion_slot(const tbh_completions *c, uint64_t id) {
    uint32_t index = (uint32_t)id - 1;
    if (index >= c->capacity) return NULL;
    tbh_completion *slot = &c->slots[index];
    return tbh_atomic_load32(&slot->generation) == (uint32_t)(id >> 32) ? slot : NULL;
}

TBH_FN turbohttp_status tbh_completion_issue(tbh_completions *c, void *object, uint64_t *id) {
    uint32_t place = c->free_first;
    *id = 0;
    if (!place) return TURBOHTTP_ERR_QUEUE_FULL;
    tbh_completion *slot = &c->slots[place - 1];
    c->free_first = slot->next;
    slot->next = 0;
    slot->object = object;
    slot->state = TBH_COMPLETION_PENDING;
    c->pending++;
    *id = (uint64_t)slot->generation << 32 | place;
    return TURBOHTTP_OK;
}

TBH_FN void *tbh_completion_find(const tbh_completions *c, uint64_t id) {
    const tbh_completion *slot = tbh_completion_slot(c, id);
    return slot && slot->state != TBH_COMPLETION_FREE ? slot->object : NULL;
}

TBH_FN bool tbh_completion_set(tbh_completions *c, uint64_t id) {
    tbh_completion *slot = tbh_completion_slot(c, id);
    uint32_t place = (uint32_t)id;
    if (!slot || slot->state != TBH_COMPLETION_PENDING) return false;
    slot->state = TBH_COMPLETION_SET;
    c->pending--;
    c->done++;
    if (c->done_last) c->slots[c->done_last - 1].next = place;
    else c->done_first = place;
    c->done_last = place;
    return true;
}

/* Usually the first in the list; bounded by the number of slots. */
static void tbh_completion_unlink(tbh_completions *c, uint32_t place) {
    uint32_t before = 0, at = c->done_first;
    while (at != place) {
        before = at;
        at = c->slots[at - 1].next;
    }
    uint32_t next = c->slots[place - 1].next;
    if (before) c->slots[before - 1].next = next;
    else c->done_first = next;
    if (c->done_last == place) c->done_last = before;
    c->done--;
}

TBH_FN turbohttp_status tbh_completion_take(tbh_completions *c, uint64_t id, void **object) {
    tbh_completion *slot = tbh_completion_slot(c, id);
    *object = NULL;
    if (!slot || slot->state == TBH_COMPLETION_FREE) return TURBOHTTP_ERR_STALE;
    if (slot->state == TBH_COMPLETION_PENDING) return TURBOHTTP_PENDING;
    uint32_t place = (uint32_t)id, next = slot->generation + 1;
    tbh_completion_unlink(c, place);
    *object = slot->object;
    slot->object = NULL;
    slot->state = TBH_COMPLETION_FREE;
    slot->next = c->free_first;
    c->free_first = place;
    tbh_atomic_store32(&slot->generation, next ? next : 1);
    return TURBOHTTP_OK;
}

TBH_FN void *tbh_completion_first_done(const tbh_completions *c) {
    return c->done_first ? c->slots[c->done_first - 1].object : NULL;
}

TBH_FN void *tbh_completion_at(const tbh_completions *c, uint32_t index) {
    return index < c->capacity ? c->slots[index].object : NULL;
}

TBH_FN turbohttp_status tbh_completion_cancel(tbh_completions *c, uint64_t id) {
    tbh_completion *slot = tbh_completion_slot(c, id);
    if (!slot || id >> 32 == 0) return TURBOHTTP_ERR_STALE;
    /* The generation travels along: a slot that is reissued meanwhile is not hit. */
    tbh_atomic_store32(&slot->cancelled, (uint32_t)(id >> 32));
    tbh_atomic_store32(&c->any_cancelled, 1);
    return TURBOHTTP_OK;
}

TBH_FN bool tbh_completions_take_cancelled(tbh_completions *c) {
    if (!tbh_atomic_load32(&c->any_cancelled)) return false;
    tbh_atomic_store32(&c->any_cancelled, 0);
    return true;
}

TBH_FN void *tbh_completion_cancelled_at(tbh_completions *c, uint32_t index) {
    tbh_completion *slot = &c->slots[index];
    bool is_asked = tbh_atomic_load32(&slot->cancelled) == slot->generation;
    return is_asked && slot->state == TBH_COMPLETION_PENDING ? slot->object : NULL;
}

/* ========================================================================
 * src/engine/conn_h1.h
 * ======================================================================= */
/* One HTTP/1.1 connection, sans I/O and sans clock: bytes in, bytes out, events (RFC 9112).
 * Ports: out_peek/out_consume for what must be sent, in_room/in_commit for what was received,
 * next for what it means. One exchange at a time; no pipelining. */

/* Where a request body comes from. The engine pulls; it knows nothing of files. */
typedef struct tbh_source {
    const uint8_t *data; /* bytes in memory, or NULL: `fill` gives them */
    turbohttp_body_read fill;
    void *user;
    uint64_t length; /* in all; meaningless when is_unknown */
    uint64_t taken;  /* handed to the connection so far */
    bool is_unknown; /* sent in the chunked coding */
    bool is_blocked; /* fill answered PENDING */
} tbh_source;

/* What the engine needs to know of a request; the texts live until the exchange is over. */
typedef struct tbh_conn_request {
    turbohttp_span head;     /* the request's head on the wire, with a small body right behind */
    size_t method_bytes;     /* of `head`; then a blank */
    size_t target_bytes;     /* and a blank */
    size_t small_bytes;      /* of that body */
    turbohttp_span trailers; /* field lines for the end of a chunked body, or empty */
    tbh_source *body;        /* what is not in `head`; NULL: nothing */
    bool is_head;            /* the method is HEAD */
    bool expects_continue;
    bool allows_upgrade; /* 101 is an answer, not an error */
    bool is_last;        /* the connection is not to be kept */
    bool tells_priority; /* a header of the head does */
    int8_t priority;     /* turbohttp_priority; HTTP/1.1 has no use for it */
} tbh_conn_request;

typedef enum tbh_conn_event {
    TBH_CONN_NOTHING,  /* give it more bytes */
    TBH_CONN_INTERIM,  /* 1xx: see head */
    TBH_CONN_HEAD,     /* final head: see head; then choose collect or spans */
    TBH_CONN_BODY,     /* span of body: take it with body_consume */
    TBH_CONN_STORED,   /* `span.length` more bytes of body are in the store */
    TBH_CONN_END,      /* the response is complete */
    TBH_CONN_UPGRADED, /* 101: the bytes that follow are another protocol's */
    TBH_CONN_FAILED    /* see status and offset */
} tbh_conn_event;

typedef enum tbh_conn_tx {
    TBH_TX_IDLE,
    TBH_TX_HEAD,
    TBH_TX_AWAIT,
    TBH_TX_BODY,
    TBH_TX_TAIL,
    TBH_TX_DONE,
    TBH_TX_ABANDONED
} tbh_conn_tx;

typedef enum tbh_conn_rx {
    TBH_RX_IDLE,
    TBH_RX_HEAD,
    TBH_RX_CHOOSE,
    TBH_RX_LENGTH,
    TBH_RX_CHUNKED,
    TBH_RX_UNTIL_CLOSE,
    TBH_RX_TRAILERS,
    TBH_RX_END,
    TBH_RX_UPGRADED,
    TBH_RX_FAILED
} tbh_conn_rx;

typedef struct tbh_conn_h1 {
    turbohttp_byte_pool *pool;
    const turbohttp_limits *limits;
    tbh_conn_request request;

    /* sending */
    tbh_conn_tx tx;
    bool body_ended;           /* the source has nothing more */
    turbohttp_span out;        /* to be sent now */
    turbohttp_segment *filled; /* block that `fill` writes to */

    /* receiving: [at, fill) of the block is received and not yet understood */
    tbh_conn_rx rx;
    bool is_collecting; /* body bytes stay in the store's segments */
    bool is_stored;     /* the block belongs to the store */
    bool is_ended;      /* the peer closed its side */
    bool keep_alive;
    bool was_waiting;      /* the answer came instead of 100: nothing of the body was asked for */
    bool is_lenient;       /* with heads: see turbohttp_h1_head_parse_lenient */
    bool lenient_helps;    /* the head was refused, and would not have been */
    uint8_t full_receives; /* steps by which the next block is larger */
    turbohttp_segment *block;
    uint8_t *at, *fill;
    turbohttp_segments *store; /* head, then collected body: goes to the response */
    uint64_t remaining;        /* of a body with a length */
    turbohttp_chunked chunked;
    turbohttp_h1_head_parser parser;
    uint32_t interims, head_total; /* 1xx seen; head bytes of all of them */
    uint64_t offset; /* of `at` in the response, framing included; in the end of the fault */

    /* results */
    turbohttp_h1_head head;
    turbohttp_header *table; /* rented; tbh_conn_detach_tables moves it out */
    size_t table_bytes;
    turbohttp_header *trailer_table; /* table and bytes of the trailer section in one block */
    size_t trailer_bytes, trailer_fill;
    uint32_t trailer_count;
    turbohttp_status status; /* of TBH_CONN_FAILED */
} tbh_conn_h1;

TBH_FN void tbh_conn_init(tbh_conn_h1 *h, turbohttp_byte_pool *pool, const turbohttp_limits *limits,
                          bool is_lenient);
/* Returns everything rented; the connection is then as after init. */
TBH_FN void tbh_conn_reset(tbh_conn_h1 *h);
/* Begins an exchange; the previous one must have ended and be reusable. */
TBH_FN void tbh_conn_start(tbh_conn_h1 *h, const tbh_conn_request *request,
                           turbohttp_segments *store);

/* OK with bytes · PENDING (waiting for 100 or for the source) · DONE · an error of the source. */
TBH_FN turbohttp_status tbh_conn_out_peek(tbh_conn_h1 *h, turbohttp_span *out);
TBH_FN void tbh_conn_out_consume(tbh_conn_h1 *h, size_t n);
/* The peer does not take any more; a response may still come (RELIABILITY 3.5). */
TBH_FN void tbh_conn_out_abandon(tbh_conn_h1 *h);
/* Nobody answered 100 (Continue) in time: send the body all the same (RFC 9110 §10.1.1). */
TBH_FN void tbh_conn_out_continue(tbh_conn_h1 *h);

/* NULL: no memory. `*room` may be smaller than asked for by the block size. */
TBH_FN uint8_t *tbh_conn_in_room(tbh_conn_h1 *h, size_t *room);
TBH_FN void tbh_conn_in_commit(tbh_conn_h1 *h, size_t n);
TBH_FN void tbh_conn_in_end(tbh_conn_h1 *h);
TBH_FN bool tbh_conn_in_wanted(const tbh_conn_h1 *h);

TBH_FN tbh_conn_event tbh_conn_next(tbh_conn_h1 *h, turbohttp_span *span);
/* After TBH_CONN_HEAD: keep the body in the store, without copying where the framing allows. */
TBH_FN void tbh_conn_collect(tbh_conn_h1 *h);
TBH_FN void tbh_conn_body_consume(tbh_conn_h1 *h, size_t n);
TBH_FN bool tbh_conn_is_reusable(const tbh_conn_h1 *h);
/* Bytes that follow an upgrade; valid until reset. */
TBH_FN turbohttp_span tbh_conn_leftover(const tbh_conn_h1 *h);

/* ========================================================================
 * src/engine/conn_h1.c
 * ======================================================================= */
/* HTTP/1.1 connection: the framing of one exchange after the other (RFC 9112 §6–§9).
 * Owns the receive block until it belongs to the store, the fill block, and the header tables.
 * Invariants: at <= fill <= end of the block; body bytes are handed out once, in order; a
 * connection is reusable only when both sides are finished and not one byte is left over (S-04).
 * Input: any bytes in any split. Does not know: sockets, time, decompression, limits on bodies. */

enum { TBH_CONN_CHUNK_HEAD = 20, TBH_CONN_CHUNK_TAIL = 2 + 5 }; /* around one filled chunk */

/* ------------------------------------------------------------ life */
TBH_FN void tbh_conn_init(tbh_conn_h1 *h, turbohttp_byte_pool *pool, const turbohttp_limits *limits,
                          bool is_lenient) {
    memset(h, 0, sizeof *h);
    h->is_lenient = is_lenient;
    h->pool = pool;
    h->limits = limits;
}

static void tbh_conn_drop_block(tbh_conn_h1 *h) {
    if (h->block && !h->is_stored) tbh_segment_return(h->pool, h->block);
    h->block = NULL;
    h->is_stored = false;
    h->at = h->fill = NULL;
}

static void tbh_conn_drop_table(tbh_conn_h1 *h, turbohttp_header **table, size_t bytes) {
    if (*table) turbohttp_byte_pool_return(h->pool, *table, bytes);
    *table = NULL;
}

/* What an exchange starts with; the rest is written before it is read. */
static void tbh_conn_forget(tbh_conn_h1 *h) {
    h->tx = TBH_TX_IDLE;
    h->rx = TBH_RX_IDLE;
    h->body_ended = h->is_collecting = h->is_ended = h->keep_alive = false;
    h->full_receives = 0;
    h->filled = NULL;
    h->request.body = NULL;
    h->store = NULL;
    h->interims = h->head_total = 0;
    h->offset = 0;
    h->trailer_fill = 0;
    h->trailer_count = 0;
    h->status = TURBOHTTP_OK;
    turbohttp_h1_head_parser_init(&h->parser);
}

TBH_FN void tbh_conn_reset(tbh_conn_h1 *h) {
    tbh_conn_drop_block(h);
    tbh_conn_drop_table(h, &h->table, h->table_bytes);
    tbh_conn_drop_table(h, &h->trailer_table, h->trailer_bytes);
    if (h->filled) tbh_segment_return(h->pool, h->filled);
    tbh_conn_forget(h);
}

TBH_FN void tbh_conn_start(tbh_conn_h1 *h, const tbh_conn_request *request,
                           turbohttp_segments *store) {
    if (h->rx != TBH_RX_IDLE) tbh_conn_reset(h);
    h->request = *request;
    h->out = request->head;
    h->store = store;
    h->tx = TBH_TX_HEAD;
    h->rx = TBH_RX_HEAD;
}

static tbh_conn_event tbh_conn_fail(tbh_conn_h1 *h, turbohttp_status status, uint64_t offset) {
    h->rx = TBH_RX_FAILED;
    h->status = status;
    h->offset += offset;
    return TBH_CONN_FAILED;
}

/* ------------------------------------------------------------ sending */
/* Wraps n filled bytes at `data` as one chunk, and the end behind it when the body ended. */
static void tbh_conn_wrap_chunk(tbh_conn_h1 *h, uint8_t *data, size_t n) {
    char head[TBH_CONN_CHUNK_HEAD];
    size_t before = 0, after = n;
    if (n > 0) {
        before = tbh_chunk_head_write(head, n);
        memcpy(data - before, head, before);
        memcpy(data + after, "\r\n", 2);
        after += 2;
    }
    if (h->body_ended) {
        memcpy(data + after, "0\r\n", 3);
        after += 3;
    }
    h->out = tbh_span((const char *)data - before, before + after);
}

static turbohttp_status tbh_conn_accept_fill(tbh_conn_h1 *h, turbohttp_status status, uint8_t *data,
                                             size_t n) {
    tbh_source *body = h->request.body;
    body->taken += n;
    h->body_ended = status == TURBOHTTP_DONE || (!body->is_unknown && body->taken == body->length);
    if (!body->is_unknown && h->body_ended && body->taken != body->length)
        return TURBOHTTP_ERR_BODY_SOURCE;
    body->is_blocked = n == 0 && !h->body_ended;
    if (body->is_unknown) tbh_conn_wrap_chunk(h, data, n);
    else h->out = tbh_span((const char *)data, n);
    return body->is_blocked ? TURBOHTTP_PENDING : TURBOHTTP_OK;
}

/* Asks the source for the next piece. */
static turbohttp_status tbh_conn_fill(tbh_conn_h1 *h) {
    tbh_source *body = h->request.body;
    if (!h->filled) h->filled = tbh_segment_rent(h->pool, h->limits->block_bytes);
    if (!h->filled) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    uint8_t *data = tbh_segment_payload(h->filled) + TBH_CONN_CHUNK_HEAD;
    size_t room = tbh_segment_payload_bytes(h->filled) - TBH_CONN_CHUNK_HEAD - TBH_CONN_CHUNK_TAIL;
    size_t n = 0;
    if (!body->is_unknown) room = tbh_min_size(room, tbh_size_of_u64(body->length - body->taken));
    turbohttp_status status = body->fill(body->user, data, room, &n);
    if (status < 0) return status;
    if (n > room || (status == TURBOHTTP_PENDING && n > 0)) return TURBOHTTP_ERR_BODY_SOURCE;
    return tbh_conn_accept_fill(h, status, data, n);
}

static turbohttp_status tbh_conn_next_piece(tbh_conn_h1 *h) {
    tbh_source *body = h->request.body;
    if (body->is_blocked) return TURBOHTTP_PENDING; /* until somebody says that it has more */
    if (!body->data) return tbh_conn_fill(h);
    uint64_t left = body->length - body->taken;
    h->out = tbh_span((const char *)body->data + (size_t)body->taken, tbh_size_of_u64(left));
    body->taken = body->length;
    h->body_ended = true;
    return TURBOHTTP_OK;
}

/* What is sent when everything before it has gone: state × nothing left → state. */
static void tbh_conn_advance_tx(tbh_conn_h1 *h) {
    bool has_body = h->request.body != NULL;
    if (h->tx == TBH_TX_HEAD) {
        bool waits = has_body && h->request.expects_continue;
        h->tx = waits ? TBH_TX_AWAIT : has_body ? TBH_TX_BODY : TBH_TX_DONE;
        h->body_ended = has_body && !h->request.body->is_unknown && h->request.body->length == 0;
    }
    if (h->tx == TBH_TX_BODY && h->body_ended && h->out.length == 0) {
        h->tx = h->request.body->is_unknown ? TBH_TX_TAIL : TBH_TX_DONE;
        if (h->tx == TBH_TX_TAIL) h->out = h->request.trailers;
    } else if (h->tx == TBH_TX_TAIL && h->out.length == 0) {
        h->tx = TBH_TX_DONE;
    }
}

TBH_FN turbohttp_status tbh_conn_out_peek(tbh_conn_h1 *h, turbohttp_span *out) {
    if (h->out.length == 0 && h->tx == TBH_TX_BODY && !h->body_ended) {
        turbohttp_status status = tbh_conn_next_piece(h);
        if (status != TURBOHTTP_OK) return status;
        tbh_conn_advance_tx(h);
    }
    *out = h->out;
    if (h->tx >= TBH_TX_DONE) return TURBOHTTP_DONE;
    return h->out.length ? TURBOHTTP_OK : TURBOHTTP_PENDING;
}

TBH_FN void tbh_conn_out_consume(tbh_conn_h1 *h, size_t n) {
    h->out.data += n;
    h->out.length -= n;
    if (h->out.length == 0) tbh_conn_advance_tx(h);
}

TBH_FN void tbh_conn_out_abandon(tbh_conn_h1 *h) {
    if (h->tx == TBH_TX_DONE) return;
    h->tx = TBH_TX_ABANDONED;
    h->out.length = 0;
}

TBH_FN void tbh_conn_out_continue(tbh_conn_h1 *h) {
    if (h->tx != TBH_TX_AWAIT) return;
    h->tx = TBH_TX_BODY;
    tbh_conn_advance_tx(h);
}

/* ------------------------------------------------------------ receiving: room */
static size_t tbh_conn_block_room(const tbh_conn_h1 *h) {
    const uint8_t *end = tbh_segment_payload(h->block) + tbh_segment_payload_bytes(h->block);
    return (size_t)(end - h->fill);
}

static bool tbh_conn_rent_block(tbh_conn_h1 *h, size_t bytes) {
    h->block = tbh_segment_rent(h->pool, bytes);
    if (!h->block) return false;
    h->is_stored = false;
    h->at = h->fill = tbh_segment_payload(h->block);
    return true;
}

/* A head that does not fit: everything from `at` moves to a block twice as big. Bounded by the
 * limit on heads, which the parser enforces on what has arrived. */
static bool tbh_conn_grow_block(tbh_conn_h1 *h) {
    turbohttp_segment *old = h->block;
    uint8_t *from = h->at;
    size_t kept = (size_t)(h->fill - h->at);
    if (!tbh_conn_rent_block(h, kept + tbh_max_size(kept, h->limits->block_bytes))) {
        h->block = old;
        return false;
    }
    memcpy(h->at, from, kept);
    h->fill += kept;
    tbh_segment_return(h->pool, old);
    return true;
}

/* Blocks grow with what has arrived, never with what was announced: two full receives in a row
 * double the next one, and one that fills less than a quarter goes a step back. */
static size_t tbh_conn_next_block_bytes(const tbh_conn_h1 *h) {
    size_t bytes = h->limits->block_bytes;
    for (uint8_t i = 1; i < h->full_receives && bytes < h->limits->receive_bytes; i++) bytes *= 2;
    return bytes;
}

/* While collecting, the block is the store's last segment and grows in place; everything in it
 * is understood before more room is asked for. */
static bool tbh_conn_next_stored_block(tbh_conn_h1 *h) {
    if (!tbh_conn_rent_block(h, tbh_conn_next_block_bytes(h))) return false;
    turbohttp_segments_attach(h->store, h->block);
    h->is_stored = true;
    return true;
}

static bool tbh_conn_body_room(tbh_conn_h1 *h) {
    if (h->is_collecting) return tbh_conn_block_room(h) >= 64 || tbh_conn_next_stored_block(h);
    if (h->at != h->fill) return true; /* a span was not taken yet: no more room, no more bytes */
    size_t wanted = tbh_conn_next_block_bytes(h);
    if (h->is_stored || h->block->block_bytes < wanted) {
        tbh_conn_drop_block(h);
        return tbh_conn_rent_block(h, wanted);
    }
    h->at = h->fill = tbh_segment_payload(h->block);
    return true;
}

/* Nothing is received that no head could hold, but for one block that may be body (S-34). */
static size_t tbh_conn_head_room(const tbh_conn_h1 *h) {
    size_t kept = (size_t)(h->fill - h->at), left = h->limits->head_bytes - h->head_total;
    size_t most = left > kept ? left - kept : 0;
    return tbh_min_size(tbh_conn_block_room(h), most + h->limits->block_bytes);
}

TBH_FN uint8_t *tbh_conn_in_room(tbh_conn_h1 *h, size_t *room) {
    bool ok = true;
    *room = 0;
    if (!h->block) ok = tbh_conn_rent_block(h, h->limits->block_bytes);
    else if (h->rx == TBH_RX_HEAD) ok = tbh_conn_block_room(h) > 0 || tbh_conn_grow_block(h);
    else if (h->rx > TBH_RX_CHOOSE && h->rx < TBH_RX_END) ok = tbh_conn_body_room(h);
    if (!ok) return NULL;
    *room = h->rx == TBH_RX_HEAD ? tbh_conn_head_room(h) : tbh_conn_block_room(h);
    return h->fill;
}

TBH_FN void tbh_conn_in_commit(tbh_conn_h1 *h, size_t n) {
    size_t room = tbh_conn_block_room(h);
    h->fill += n;
    if (n == room && tbh_conn_next_block_bytes(h) < h->limits->receive_bytes) h->full_receives++;
    else if (n < room / 4 && h->full_receives > 0) h->full_receives--;
}

TBH_FN void tbh_conn_in_end(tbh_conn_h1 *h) {
    h->is_ended = true;
}

TBH_FN bool tbh_conn_in_wanted(const tbh_conn_h1 *h) {
    bool is_reading = h->rx > TBH_RX_IDLE && h->rx < TBH_RX_END;
    return is_reading && !h->is_ended &&
           (h->at == h->fill || h->rx == TBH_RX_HEAD || h->rx == TBH_RX_TRAILERS);
}

/* ------------------------------------------------------------ receiving: the head */
/* One bound for all heads and the trailers of a response (RELIABILITY 3.1): what is left of it, and
 * never 0, which would mean the default. */
static turbohttp_head_limits tbh_conn_head_limits(const tbh_conn_h1 *h) {
    turbohttp_head_limits limits;
    bool is_used_up = h->head_total >= h->limits->head_bytes;
    limits.head_bytes = is_used_up ? 1 : h->limits->head_bytes - h->head_total;
    limits.line_bytes = h->limits->line_bytes;
    limits.header_count = h->limits->header_count;
    return limits;
}

static turbohttp_header *tbh_conn_rent_table(tbh_conn_h1 *h, size_t extra, size_t *bytes) {
    size_t wanted = h->limits->header_count * sizeof(turbohttp_header) + extra;
    return (turbohttp_header *)turbohttp_byte_pool_rent(h->pool, wanted, bytes);
}

static const tbh_conn_rx tbh_conn_rx_of_framing[] = {TBH_RX_END, TBH_RX_LENGTH, TBH_RX_CHUNKED,
                                                     TBH_RX_UNTIL_CLOSE};

static tbh_conn_event tbh_conn_on_interim(tbh_conn_h1 *h) {
    if (h->head.status == 101 && h->request.allows_upgrade) {
        h->rx = TBH_RX_UPGRADED;
        return TBH_CONN_UPGRADED;
    }
    if (h->head.status == 101) return tbh_conn_fail(h, TURBOHTTP_ERR_UNEXPECTED_UPGRADE, 0);
    if (++h->interims > h->limits->interim_count)
        return tbh_conn_fail(h, TURBOHTTP_ERR_TOO_MANY_INTERIM, 0);
    if (h->head.status == 100) tbh_conn_out_continue(h);
    turbohttp_h1_head_parser_init(&h->parser);
    return TBH_CONN_INTERIM;
}

/* The block with the head becomes the first of the store: the response's slices live there. */
static tbh_conn_event tbh_conn_on_final(tbh_conn_h1 *h) {
    h->keep_alive = h->head.keep_alive;
    /* No room behind it: what follows the head is still to be understood. */
    h->block->data = tbh_segment_payload(h->block) + tbh_segment_payload_bytes(h->block);
    h->block->length = 0;
    turbohttp_segments_attach(h->store, h->block);
    h->is_stored = true;
    h->rx = TBH_RX_CHOOSE;
    h->remaining = h->head.content_length;
    turbohttp_chunked_init(&h->chunked);
    /* The server decided without the body: what is left of it is not wanted. */
    h->was_waiting = h->tx == TBH_TX_AWAIT;
    if (h->was_waiting || (h->head.status >= 300 && h->tx < TBH_TX_DONE)) tbh_conn_out_abandon(h);
    return TBH_CONN_HEAD;
}

static tbh_conn_event tbh_conn_head_ended_early(tbh_conn_h1 *h) {
    size_t n = (size_t)(h->fill - h->at);
    bool is_empty = n == 0 && h->interims == 0;
    return tbh_conn_fail(h, is_empty ? TURBOHTTP_ERR_NO_RESPONSE : TURBOHTTP_ERR_HEAD_TRUNCATED, n);
}

/* When nothing more will come, a parser at its start looks at every line of what there is: the
 * fault that it names is then the same for every split. */
static turbohttp_status tbh_conn_parse_head(tbh_conn_h1 *h, uint64_t *offset) {
    turbohttp_head_limits limits = tbh_conn_head_limits(h);
    size_t n = (size_t)(h->fill - h->at);
    if (n == 0) return TURBOHTTP_PENDING;
    if (h->head_total >= h->limits->head_bytes) return TURBOHTTP_ERR_HEAD_TOO_LARGE;
    if (h->is_ended) turbohttp_h1_head_parser_init(&h->parser);
    if (TBH_LENIENT && h->is_lenient)
        return turbohttp_h1_head_parse_lenient(&h->parser, (char *)h->at, n, h->request.is_head,
                                               &limits, h->table, h->limits->header_count, &h->head,
                                               offset);
    return turbohttp_h1_head_parse(&h->parser, (const char *)h->at, n, h->request.is_head, &limits,
                                   h->table, h->limits->header_count, &h->head, offset);
}

/* What was refused is tried once more, for the sentence that names the remedy. */
static tbh_conn_event tbh_conn_head_refused(tbh_conn_h1 *h, turbohttp_status status,
                                            uint64_t offset) {
    uint64_t unused;
    if (TBH_LENIENT && !h->is_lenient) {
        h->is_lenient = true;
        turbohttp_h1_head_parser_init(&h->parser);
        h->lenient_helps = tbh_conn_parse_head(h, &unused) >= TURBOHTTP_OK;
        h->is_lenient = false;
    }
    return tbh_conn_fail(h, status, offset);
}

static tbh_conn_event tbh_conn_next_head(tbh_conn_h1 *h) {
    uint64_t offset = 0;
    if (!h->table) h->table = tbh_conn_rent_table(h, 0, &h->table_bytes);
    if (!h->table) return tbh_conn_fail(h, TURBOHTTP_ERR_OUT_OF_MEMORY, 0);
    turbohttp_status status = tbh_conn_parse_head(h, &offset);
    if (status == TURBOHTTP_PENDING)
        return h->is_ended ? tbh_conn_head_ended_early(h) : TBH_CONN_NOTHING;
    if (status < 0) return tbh_conn_head_refused(h, status, offset);
    h->at += h->head.head_length;
    h->offset += h->head.head_length;
    h->head_total += h->head.head_length;
    return h->head.status < 200 ? tbh_conn_on_interim(h) : tbh_conn_on_final(h);
}

TBH_FN void tbh_conn_collect(tbh_conn_h1 *h) {
    h->is_collecting = h->head.framing != TURBOHTTP_FRAMING_NONE;
    if (h->is_collecting) h->block->data = h->at; /* the body grows where it is received */
}

/* ------------------------------------------------------------ receiving: trailers */
static tbh_conn_event tbh_conn_end(tbh_conn_h1 *h) {
    h->rx = TBH_RX_END;
    return TBH_CONN_END;
}

/* Trailers are rare and may be split anywhere: they are gathered behind their table. */
static bool tbh_conn_gather_trailers(tbh_conn_h1 *h) {
    size_t n = (size_t)(h->fill - h->at),
           table = h->limits->header_count * sizeof(turbohttp_header);
    size_t needed = h->trailer_fill + n;
    if (!h->trailer_table || needed > h->trailer_bytes - table) {
        size_t bytes;
        turbohttp_header *bigger = tbh_conn_rent_table(h, needed * 2, &bytes);
        if (!bigger) return false;
        if (h->trailer_fill)
            memcpy((char *)bigger + table, (char *)h->trailer_table + table, h->trailer_fill);
        tbh_conn_drop_table(h, &h->trailer_table, h->trailer_bytes);
        h->trailer_table = bigger;
        h->trailer_bytes = bytes;
    }
    if (n) memcpy((char *)h->trailer_table + table + h->trailer_fill, h->at, n);
    h->trailer_fill += n;
    h->at = h->fill;
    return true;
}

static tbh_conn_event tbh_conn_next_trailers(tbh_conn_h1 *h) {
    turbohttp_head_limits limits = tbh_conn_head_limits(h);
    size_t n = (size_t)(h->fill - h->at), consumed = 0;
    uint64_t offset = 0;
    if (h->trailer_fill == 0 && n >= 2 && h->at[0] == '\r' && h->at[1] == '\n') {
        h->at += 2;
        return tbh_conn_end(h);
    }
    if (!tbh_conn_gather_trailers(h)) return tbh_conn_fail(h, TURBOHTTP_ERR_OUT_OF_MEMORY, 0);
    if (h->is_collecting) h->at = h->fill = h->block->data + h->block->length;
    char *bytes = (char *)h->trailer_table + h->limits->header_count * sizeof(turbohttp_header);
    if (h->is_ended) turbohttp_h1_head_parser_init(&h->parser); /* as for heads */
    turbohttp_status status =
        turbohttp_h1_trailer_parse(&h->parser, bytes, h->trailer_fill, &limits, h->trailer_table,
                                   h->limits->header_count, &h->trailer_count, &consumed, &offset);
    if (status < 0) return tbh_conn_fail(h, status, offset);
    if (status == TURBOHTTP_PENDING)
        return h->is_ended ? tbh_conn_fail(h, TURBOHTTP_ERR_BODY_TRUNCATED, h->trailer_fill)
                           : TBH_CONN_NOTHING;
    /* What follows the trailers belongs to no response (S-04): there is no way back from it. */
    if (consumed != h->trailer_fill) h->keep_alive = false;
    return tbh_conn_end(h);
}

/* ------------------------------------------------------------ receiving: bodies */
/* Hands out n bytes at `data`, or keeps them in the store. */
static tbh_conn_event tbh_conn_give(tbh_conn_h1 *h, const uint8_t *data, size_t n,
                                    turbohttp_span *span) {
    *span = tbh_span((const char *)data, n);
    if (!h->is_collecting) return TBH_CONN_BODY;
    uint8_t *place = h->block->data + h->block->length;
    if (place != data) memmove(place, data, n);
    h->block->length += n;
    h->store->length += n;
    h->store->end += n;
    return TBH_CONN_STORED;
}

static tbh_conn_event tbh_conn_next_plain(tbh_conn_h1 *h, turbohttp_span *span) {
    size_t n = (size_t)(h->fill - h->at);
    bool has_length = h->rx == TBH_RX_LENGTH;
    if (has_length && h->remaining == 0) return tbh_conn_end(h);
    if (has_length && n > h->remaining) n = (size_t)h->remaining;
    if (n == 0 && !h->is_ended) return TBH_CONN_NOTHING;
    if (n == 0)
        return has_length ? tbh_conn_fail(h, TURBOHTTP_ERR_BODY_TRUNCATED, 0) : tbh_conn_end(h);
    if (!h->is_collecting) { /* taken by body_consume */
        *span = tbh_span((const char *)h->at, n);
        return TBH_CONN_BODY;
    }
    const uint8_t *data = h->at;
    h->at += n;
    h->offset += n;
    h->remaining -= has_length ? n : 0;
    return tbh_conn_give(h, data, n, span);
}

static tbh_conn_event tbh_conn_next_chunk(tbh_conn_h1 *h, turbohttp_span *span) {
    const uint8_t *in = h->at;
    size_t length = (size_t)(h->fill - h->at);
    turbohttp_chunked before = h->chunked;
    turbohttp_status status = turbohttp_chunked_next(&h->chunked, &in, &length, span);
    size_t used = (size_t)(in - h->at);
    if (status < 0) return tbh_conn_fail(h, status, used - 1); /* the last byte is the bad one */
    if (status == TURBOHTTP_OK && !h->is_collecting) {
        /* Not taken yet: body_consume decodes it again, as far as it was taken. */
        h->chunked = before;
        return TBH_CONN_BODY;
    }
    h->at += used;
    h->offset += used;
    if (status == TURBOHTTP_OK)
        return tbh_conn_give(h, (const uint8_t *)span->data, span->length, span);
    if (status == TURBOHTTP_DONE) {
        h->rx = TBH_RX_TRAILERS;
        turbohttp_h1_head_parser_init(&h->parser);
        return tbh_conn_next_trailers(h);
    }
    if (h->is_collecting) h->at = h->fill = h->block->data + h->block->length;
    return h->is_ended ? tbh_conn_fail(h, TURBOHTTP_ERR_BODY_TRUNCATED, 0) : TBH_CONN_NOTHING;
}

/* Taking part of a chunk: decoding just that part brings the decoder where it must be. */
static void tbh_conn_consume_chunk(tbh_conn_h1 *h, size_t n) {
    turbohttp_span span;
    const uint8_t *in = h->at;
    size_t length = (size_t)(h->fill - h->at);
    turbohttp_chunked probe = h->chunked;
    turbohttp_chunked_next(&probe, &in, &length, &span);
    size_t skipped = (size_t)((const uint8_t *)span.data - h->at);
    in = h->at;
    length = skipped + n;
    turbohttp_chunked_next(&h->chunked, &in, &length, &span);
    h->offset += (size_t)(in - h->at);
    h->at += in - h->at;
}

TBH_FN void tbh_conn_body_consume(tbh_conn_h1 *h, size_t n) {
    if (n == 0) return;
    if (h->rx == TBH_RX_CHUNKED) {
        tbh_conn_consume_chunk(h, n);
        return;
    }
    h->at += n;
    h->offset += n;
    if (h->rx == TBH_RX_LENGTH) h->remaining -= n;
}

/* ------------------------------------------------------------ driver */
TBH_FN tbh_conn_event tbh_conn_next(tbh_conn_h1 *h, turbohttp_span *span) {
    if (h->rx == TBH_RX_CHOOSE) {
        h->rx = tbh_conn_rx_of_framing[h->head.framing];
        if (h->rx == TBH_RX_END) return TBH_CONN_END;
    }
    switch (h->rx) {
    case TBH_RX_HEAD: return tbh_conn_next_head(h);
    case TBH_RX_LENGTH:
    case TBH_RX_UNTIL_CLOSE: return tbh_conn_next_plain(h, span);
    case TBH_RX_CHUNKED: return tbh_conn_next_chunk(h, span);
    case TBH_RX_TRAILERS: return tbh_conn_next_trailers(h);
    case TBH_RX_FAILED: return TBH_CONN_FAILED;
    case TBH_RX_IDLE:
    case TBH_RX_CHOOSE:
    case TBH_RX_END:
    case TBH_RX_UPGRADED: break;
    }
    return TBH_CONN_NOTHING;
}

TBH_FN bool tbh_conn_is_reusable(const tbh_conn_h1 *h) {
    return h->rx == TBH_RX_END && h->tx == TBH_TX_DONE && h->keep_alive && !h->request.is_last &&
           !h->is_ended && h->at == h->fill;
}

TBH_FN turbohttp_span tbh_conn_leftover(const tbh_conn_h1 *h) {
    return tbh_span((const char *)h->at, (size_t)(h->fill - h->at));
}

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/conn_h2.h
 * ======================================================================= */
/* One HTTP/2 connection, sans I/O and sans clock: bytes in, bytes out, events of its streams
 * (RFC 9113). Ports as in conn_h1: out_peek/out_consume, in_room/in_commit, next for what it means.
 *
 *   conn_h2.c     life, frames that come in, the driver
 *   h2_stream.c   states of a stream, what is handed out, and in which order
 *   h2_flow.c     credit in both directions, guards against floods
 *   h2_send.c     what goes out: control frames, requests, bodies
 *   h2_block.c    header blocks that go out
 *   h2_head.c     header blocks that come in
 *
 * The connection is called mux here, for the codec has the prefix h2. Streams live in memory of the
 * caller, one for each request. */

typedef struct tbh_mux tbh_mux;
typedef struct tbh_mux_stream tbh_mux_stream;

/* What a connection may be told; zero means the default in the comment. */
typedef struct tbh_mux_options {
    uint32_t stream_window;     /* bytes that a stream may send ahead of its consumer; 1 MiB */
    uint32_t connection_window; /* all streams together; 4 MiB */
    uint32_t streams;           /* opened at once; 100, and what the peer allows */
    uint32_t settings_us;       /* for the ACK of our SETTINGS; 10 s */
    uint32_t ping_us;           /* silence before a PING, while streams are open; 30 s */
    uint32_t ping_answer_us;    /* for its answer; 10 s */
    uint32_t trust_us;          /* silence after which a request brings a PING along; 3 s */
    uint32_t trust_answer_us;   /* for its answer; 5 s */
    uint32_t first_id;          /* of the first stream; 1 */
} tbh_mux_options;

/* ------------------------------------------------------------ streams */
typedef enum tbh_mux_state {
    TBH_MUX_OPEN_HEAD, /* we send; no head came */
    TBH_MUX_OPEN_BODY, /* we send; the head came */
    TBH_MUX_SENT_HEAD, /* all is sent; no head came */
    TBH_MUX_SENT_BODY, /* all is sent; the head came */
    TBH_MUX_ENDED,     /* the peer has ended, we still send */
    TBH_MUX_CLOSED     /* nothing moves any more; also before the start */
} tbh_mux_state;

typedef enum tbh_mux_input {
    TBH_MUX_IN_HEAD,        /* a head, or the fields behind a body, that do not end the stream */
    TBH_MUX_IN_HEAD_END,    /* … that do */
    TBH_MUX_IN_INTERIM,     /* 1xx */
    TBH_MUX_IN_INTERIM_END, /* 1xx that ends the stream */
    TBH_MUX_IN_DATA,
    TBH_MUX_IN_DATA_END,
    TBH_MUX_IN_RESET,
    TBH_MUX_IN_WINDOW,
    TBH_MUX_SENT_END,
    TBH_MUX_SENT_RESET
} tbh_mux_input;

enum { TBH_MUX_STATES = TBH_MUX_CLOSED + 1, TBH_MUX_INPUTS = TBH_MUX_SENT_RESET + 1 };

/* Queues in which a stream can stand. */
enum {
    TBH_MUX_LIVE,   /* started and not released */
    TBH_MUX_SENDER, /* has a piece of body that may go; the most urgent ones first */
    TBH_MUX_READY,  /* has something to hand out that needs no further bytes */
    TBH_MUX_CREDIT, /* a WINDOW_UPDATE is due */
    TBH_MUX_QUEUES
};

typedef struct tbh_mux_node {
    tbh_mux_stream *next, *previous;
    bool is_in;
} tbh_mux_node;

typedef struct tbh_mux_queue {
    tbh_mux_stream *first, *last;
    uint32_t count;
} tbh_mux_queue;

/* Fields in one rented block: the table at its start, the texts behind it, each terminated. */
typedef struct tbh_mux_section {
    turbohttp_header *table;
    size_t bytes; /* of the block */
    char *text;   /* where the next one goes */
    size_t room;  /* bytes from there on */
    uint32_t count;
} tbh_mux_section;

struct tbh_mux_stream {
    tbh_mux *mux; /* NULL before the start and after the release */
    void *owner;
    tbh_mux_stream *bucket_next;
    tbh_mux_node nodes[TBH_MUX_QUEUES];
    uint32_t id;
    tbh_mux_state state;

    /* sending */
    int32_t send_window; /* negative after the peer has made its windows smaller (§6.9.2) */
    tbh_source *body;
    turbohttp_span small;    /* a body in the same block as the head */
    turbohttp_span trailers; /* field lines behind a body of unknown length */
    uint64_t sent_bytes;     /* of frames that hold the request */
    uint32_t queued_at;      /* pieces that were sent before it was put into SENDER */
    int8_t priority;
    bool awaits_continue;
    bool is_head;

    /* receiving */
    uint32_t window; /* what the peer may still send */
    uint32_t taken;  /* credit that the peer does not know of */
    uint32_t interims;
    uint64_t received, expected; /* bytes of body */
    bool has_expected, has_head;
    bool is_paused; /* the consumer left bytes behind: they wait in `held` */
    bool is_whole;  /* the peer ended it by the rules */
    uint8_t due;    /* TBH_MUX_DUE_…: to be handed out behind `held` */
    turbohttp_segments held;

    /* results */
    uint16_t status;
    turbohttp_content_coding coding;
    tbh_mux_section head, trailer;
    uint32_t head_bytes;     /* of the head's texts */
    uint32_t field_bytes;    /* of all its blocks: interim heads, head and trailers share a limit */
    turbohttp_status reason; /* of a reset */
    uint32_t code;           /* the wire's */
    bool is_safe;            /* the peer did not process it: it may be repeated (§8.7) */
};

enum { TBH_MUX_DUE_TRAILERS = 1, TBH_MUX_DUE_END = 2, TBH_MUX_DUE_RESET = 4 };

/* ------------------------------------------------------------ events */
typedef enum tbh_mux_event_kind {
    TBH_MUX_NOTHING,      /* give it more bytes */
    TBH_MUX_INTERIM,      /* 1xx: see status */
    TBH_MUX_HEAD,         /* see status, head, coding, expected */
    TBH_MUX_BODY,         /* span of body: take it with body_consume; the rest pauses the stream */
    TBH_MUX_TRAILERS,     /* see trailer */
    TBH_MUX_END,          /* the response is complete: release the stream */
    TBH_MUX_RESET,        /* there will be no answer: reason, code, is_safe; release the stream */
    TBH_MUX_SETTINGS_ACK, /* the peer has applied our settings */
    TBH_MUX_GOAWAY,       /* start nothing more here */
    TBH_MUX_FAILED        /* the connection is over; every stream was told before */
} tbh_mux_event_kind;

typedef struct tbh_mux_event {
    tbh_mux_event_kind kind;
    tbh_mux_stream *stream; /* NULL for the last three */
    turbohttp_span span;
} tbh_mux_event;

/* ------------------------------------------------------------ connection */
/* A token bucket: it holds `burst`, and gets one back each `interval_us`. */
typedef struct tbh_mux_bucket {
    uint32_t level, burst;
    uint32_t interval_us;
    uint64_t filled_us;
} tbh_mux_bucket;

/* A header block on its way to a section. */
typedef struct tbh_mux_block {
    tbh_mux_section section;
    turbohttp_h2_fields fields;
    turbohttp_status status; /* the first fault in it */
    turbohttp_content_coding coding;
    uint64_t content_length;
    uint32_t text_bytes; /* of its fields */
    bool has_content_length;
    bool ends; /* END_STREAM */
} tbh_mux_block;

/* Method and field lines of the last request, and the parts of its block that they became. */
typedef struct tbh_mux_common {
    char *bytes; /* all four, one behind the other; NULL: none yet */
    size_t room, method_bytes, lines_bytes, before_path, behind_path;
    uint32_t inserted; /* entries that the encoder's table had seen */
} tbh_mux_common;

enum { TBH_MUX_NOTICE_ACK = 1, TBH_MUX_NOTICE_GOAWAY = 2, TBH_MUX_NOTICE_FAILED = 4 };
enum { TBH_MUX_BUCKETS = 64 }; /* of streams by number; a power of two */

struct tbh_mux {
    turbohttp_byte_pool *pool;
    const turbohttp_limits *limits;
    tbh_mux_options options; /* with defaults filled in */
    turbohttp_span scheme;
    uint64_t now_us;

    tbh_mux_queue queues[TBH_MUX_QUEUES];
    tbh_mux_stream *buckets[TBH_MUX_BUCKETS];
    uint32_t next_id;

    /* receiving: [at, fill) of the block is not yet understood */
    uint8_t *block, *at, *fill;
    size_t block_bytes, block_used; /* used: the most that a receive put there */
    uint8_t full_receives;
    bool end_is_due; /* of the present frame */
    turbohttp_h2_reader reader;
    turbohttp_hpack_decoder decoder;
    void *decoder_memory;
    size_t decoder_bytes, scratch_bytes;
    tbh_mux_stream *reading; /* of the present frame or block; NULL: it is ignored */
    uint32_t seen;           /* bytes of the present frame that were handed out */
    tbh_mux_block head;      /* the one that comes in: there is never a second (§4.3) */
    turbohttp_span offered;  /* of the last BODY: what was not taken */
    tbh_mux_stream *offered_to;
    bool is_held_offer; /* it lies in `held` */

    /* sending: [out_at, out.length) is to be sent */
    turbohttp_writer out;
    size_t out_at;
    size_t out_secret;       /* where the last header block in there ends */
    uint32_t control_frames; /* in there */
    turbohttp_hpack_encoder encoder;
    void *encoder_memory;
    size_t encoder_bytes;
    tbh_mux_common common;
    int32_t send_window;
    uint32_t window, taken;
    uint64_t late;      /* bytes that may still come for streams that we ended */
    uint32_t pieces;    /* of bodies, sent */
    uint32_t overtaken; /* of these, in a row before somebody less urgent */

    /* what the peer said */
    uint32_t peer_streams, peer_window, goaway_last;
    tbh_mux_bucket control, resets;
    bool settings_seen; /* its first frame */
    bool is_in_block;   /* a header block has begun */
    bool is_draining;   /* no new streams */
    bool is_ended;      /* it closed its side */

    /* deadlines; UINT64_MAX: none */
    uint64_t settings_due_us, ping_at_us, ping_due_us, last_receive_us, ping_sent_us;
    uint32_t pings;

    uint8_t notices; /* TBH_MUX_NOTICE_…: to be said */
    bool is_failed;
    turbohttp_status status; /* of TBH_MUX_FAILED */
    uint32_t code;           /* of the wire, ours or the peer's */
};

/* ------------------------------------------------------------ conn_h2.c */
/* Writes the preface. ERR_OUT_OF_MEMORY: reset it. `limits` must stay. */
TBH_FN turbohttp_status tbh_mux_init(tbh_mux *h, turbohttp_byte_pool *pool,
                                     const turbohttp_limits *limits, const tbh_mux_options *options,
                                     bool is_tls, uint64_t now_us);
/* Returns everything rented. No stream may be left. */
TBH_FN void tbh_mux_reset(tbh_mux *h);
/* NULL: no memory, or what was received is not understood yet. */
TBH_FN uint8_t *tbh_mux_in_room(tbh_mux *h, size_t *room);
TBH_FN void tbh_mux_in_commit(tbh_mux *h, size_t n);
TBH_FN void tbh_mux_in_end(tbh_mux *h);
TBH_FN bool tbh_mux_in_wanted(const tbh_mux *h);
TBH_FN tbh_mux_event_kind tbh_mux_next(tbh_mux *h, uint64_t now_us, tbh_mux_event *event);
/* The time passes: deadlines, and the PING that keeps the connection. */
TBH_FN void tbh_mux_tick(tbh_mux *h, uint64_t now_us);
TBH_FN uint64_t tbh_mux_deadline(const tbh_mux *h);
/* Asks whether the peer is still there: fails after answer_us of silence. Once at a time. */
TBH_FN void tbh_mux_ask(tbh_mux *h, uint64_t answer_us);
/* Ends the connection: GOAWAY with `code`, and every stream that is not whole is told `status`.
 * After the first time nothing. */
TBH_FN void tbh_mux_fail(tbh_mux *h, turbohttp_status status, uint32_t code);
TBH_FN bool tbh_mux_can_start(const tbh_mux *h);

/* ------------------------------------------------------------ h2_stream.c */
/* Begins an exchange. `stream` is zeroed memory; `request` has the head as HTTP/1.1 writes it, whose
 * names become lower case where they stand. The texts live until the release. ERR_STATE: see
 * can_start. */
TBH_FN turbohttp_status tbh_mux_start(tbh_mux *h, tbh_mux_stream *stream,
                                      const tbh_conn_request *request, void *owner);
/* Takes the stream out of the connection, with RST_STREAM CANCEL if it still moves. Idempotent. */
TBH_FN void tbh_mux_release(tbh_mux_stream *stream);
TBH_FN void tbh_mux_body_consume(tbh_mux_stream *stream, size_t n);
/* The consumer takes bytes again. */
TBH_FN void tbh_mux_resume(tbh_mux_stream *stream);
/* The source has bytes again. */
TBH_FN void tbh_mux_resume_source(tbh_mux_stream *stream);
/* Nobody answered 100 (Continue) in time. */
TBH_FN void tbh_mux_continue(tbh_mux_stream *stream);
TBH_FN tbh_mux_stream *tbh_mux_find(const tbh_mux *h, uint32_t id);
/* Ends a stream from our side: the wire hears `code`, the consumer `status`. */
TBH_FN void tbh_mux_reset_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code);
/* There will be no answer; nothing is sent. */
TBH_FN void tbh_mux_lose_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code,
                                bool is_safe);
/* The table: 0, or the code of the stream error that the input is in this state. */
TBH_FN uint32_t tbh_mux_step(tbh_mux_stream *stream, tbh_mux_input input);
TBH_FN void tbh_mux_enqueue(tbh_mux_stream *stream, int queue);
TBH_FN void tbh_mux_dequeue(tbh_mux_stream *stream, int queue);
TBH_FN void tbh_mux_end_received(tbh_mux_stream *stream);
/* What some stream has to say without further bytes. */
TBH_FN bool tbh_mux_next_ready(tbh_mux *h, tbh_mux_event *event);
/* What the consumer of the last BODY left behind is kept. */
TBH_FN void tbh_mux_settle(tbh_mux *h);
TBH_FN void tbh_mux_offer(tbh_mux_stream *stream, turbohttp_span span, tbh_mux_event *event);
TBH_FN void tbh_mux_section_drop(turbohttp_byte_pool *pool, tbh_mux_section *section);

/* ------------------------------------------------------------ h2_flow.c */
TBH_FN void tbh_mux_bucket_init(tbh_mux_bucket *bucket, uint32_t burst, uint32_t per_second,
                                uint64_t now_us);
TBH_FN bool tbh_mux_bucket_take(tbh_mux_bucket *bucket, uint64_t now_us);
TBH_FN void tbh_mux_bucket_give(tbh_mux_bucket *bucket, uint32_t n);
/* A frame that brings nothing: false when that was one too many, and the connection failed. */
TBH_FN bool tbh_mux_count_control(tbh_mux *h);
/* n bytes of DATA arrive: 0, or a code; *is_connection says whose error it is. */
TBH_FN uint32_t tbh_mux_charge(tbh_mux *h, tbh_mux_stream *stream, uint32_t n, bool *is_connection);
/* n bytes of DATA for a stream that is gone: false when that was one too many, as above. */
TBH_FN bool tbh_mux_take_late(tbh_mux *h, uint32_t n);
/* n bytes were used up; stream NULL: it is gone. */
TBH_FN void tbh_mux_credit(tbh_mux *h, tbh_mux_stream *stream, size_t n);
TBH_FN void tbh_mux_write_credit(tbh_mux *h);
TBH_FN void tbh_mux_on_window_update(tbh_mux *h, uint32_t stream_id, uint32_t increment);
TBH_FN void tbh_mux_on_initial_window(tbh_mux *h, uint32_t window);
/* Bytes of body that may go now. */
TBH_FN size_t tbh_mux_allowance(const tbh_mux_stream *stream);
TBH_FN void tbh_mux_spend_window(tbh_mux_stream *stream, size_t n);

/* ------------------------------------------------------------ h2_head.c */
TBH_FN void tbh_mux_block_begin(tbh_mux *h, bool ends);
TBH_FN void tbh_mux_block_bytes(tbh_mux *h, turbohttp_span bytes);
/* The block is complete: a head, trailers, or a fault. */
TBH_FN void tbh_mux_block_end(tbh_mux *h, tbh_mux_event *event);
/* Nothing more has come for now: scratch that no open block needs goes back. */
TBH_FN void tbh_mux_return_scratch(tbh_mux *h);

/* ------------------------------------------------------------ h2_block.c */
/* A request's head becomes a block; NULL: the stream's trailers do. */
TBH_FN void tbh_mux_put_block(tbh_mux_stream *stream, const tbh_conn_request *request, bool ends);
/* The encoder's table changes otherwise than by an insertion. */
TBH_FN void tbh_mux_forget_common(tbh_mux *h);
TBH_FN void tbh_mux_drop_common(tbh_mux *h);

/* ------------------------------------------------------------ h2_send.c */
/* Before the out block is filled again or given back. */
TBH_FN void tbh_mux_wipe_out(tbh_mux *h);
TBH_FN turbohttp_status tbh_mux_write_preface(tbh_mux *h);
TBH_FN turbohttp_status tbh_mux_write_request(tbh_mux_stream *stream,
                                              const tbh_conn_request *request);
/* Around each control frame: false when the queue is full, and the connection failed. */
TBH_FN bool tbh_mux_may_control(tbh_mux *h);
/* OK with bytes · PENDING · ERR_OUT_OF_MEMORY. */
TBH_FN turbohttp_status tbh_mux_out_peek(tbh_mux *h, uint64_t now_us, turbohttp_span *out);
TBH_FN void tbh_mux_out_consume(tbh_mux *h, size_t n);
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/h2_flow.c
 * ======================================================================= */
/* HTTP/2 flow control (RFC 9113 §5.2, §6.9) and guards against floods (RELIABILITY 3.1, S-42, S-43).
 *
 * Owns the windows of both directions and the token buckets.
 * Invariants: what we announce grows only with what a consumer took, so that memory for a peer is
 * bounded by the window; windows that the peer gives may become negative, ours never; no window is
 * ever above 2^31-1.
 * Does not know: frames, who consumes. */

#define TBH_MUX_LARGEST_WINDOW INT32_C(0x7fffffff)

/* ------------------------------------------------------------ token buckets */
TBH_FN void tbh_mux_bucket_init(tbh_mux_bucket *bucket, uint32_t burst, uint32_t per_second,
                                uint64_t now_us) {
    bucket->level = bucket->burst = burst;
    bucket->interval_us = 1000000u / per_second;
    bucket->filled_us = now_us;
}

TBH_FN void tbh_mux_bucket_give(tbh_mux_bucket *bucket, uint32_t n) {
    uint32_t missing = bucket->burst - bucket->level;
    bucket->level += n < missing ? n : missing;
}

/* Filling takes seconds, so more time than fits into 32 bits makes no difference. */
static void tbh_mux_bucket_refill(tbh_mux_bucket *bucket, uint64_t now_us) {
    uint64_t elapsed = now_us > bucket->filled_us ? now_us - bucket->filled_us : 0;
    uint32_t n = (elapsed < UINT32_MAX ? (uint32_t)elapsed : UINT32_MAX) / bucket->interval_us;
    if (n == 0) return;
    bucket->filled_us += (uint64_t)n * bucket->interval_us;
    tbh_mux_bucket_give(bucket, n);
}

TBH_FN bool tbh_mux_bucket_take(tbh_mux_bucket *bucket, uint64_t now_us) {
    if (bucket->level == 0) tbh_mux_bucket_refill(bucket, now_us);
    if (bucket->level == 0) return false;
    bucket->level--;
    return true;
}

TBH_FN bool tbh_mux_count_control(tbh_mux *h) {
    if (tbh_mux_bucket_take(&h->control, h->now_us)) return true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_FLOOD, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
    return false;
}

/* ------------------------------------------------------------ what the peer sends */
TBH_FN uint32_t tbh_mux_charge(tbh_mux *h, tbh_mux_stream *stream, uint32_t n,
                               bool *is_connection) {
    *is_connection = n > h->window;
    if (*is_connection) return TURBOHTTP_H2_FLOW_CONTROL_ERROR;
    h->window -= n;
    if (!stream) return 0;
    if (n > stream->window) return TURBOHTTP_H2_FLOW_CONTROL_ERROR;
    stream->window -= n;
    return 0;
}

/* What was on its way when we ended a stream comes all the same, up to what its window held; more is
 * an offence (§5.2), and counted like one. */
TBH_FN bool tbh_mux_take_late(tbh_mux *h, uint32_t n) {
    if (n == 0 || n > h->late) return tbh_mux_count_control(h);
    h->late -= n;
    return true;
}

/* Credit is worth a frame when it is half a window. */
TBH_FN void tbh_mux_credit(tbh_mux *h, tbh_mux_stream *stream, size_t n) {
    h->taken += (uint32_t)n;
    if (!stream) return;
    stream->taken += (uint32_t)n;
    bool is_receiving = stream->state < TBH_MUX_ENDED;
    if (is_receiving && stream->taken >= h->options.stream_window / 2)
        tbh_mux_enqueue(stream, TBH_MUX_CREDIT);
}

TBH_FN void tbh_mux_write_credit(tbh_mux *h) {
    tbh_mux_stream *stream;
    if (h->is_failed) return;
    if (h->taken >= h->options.connection_window / 2) {
        turbohttp_h2_write_window_update(&h->out, 0, h->taken);
        h->window += h->taken;
        h->taken = 0;
    }
    while ((stream = h->queues[TBH_MUX_CREDIT].first) != NULL) {
        tbh_mux_dequeue(stream, TBH_MUX_CREDIT);
        if (stream->state >= TBH_MUX_ENDED) continue;
        turbohttp_h2_write_window_update(&h->out, stream->id, stream->taken);
        stream->window += stream->taken;
        stream->taken = 0;
    }
}

/* ------------------------------------------------------------ what we send */
/* False: the sum would be no window any more (§6.9.1). What was sent was once allowed, so a window is
 * never below -(2^31-1). */
static bool tbh_mux_widen(int32_t *window, int32_t n) {
    if (n > 0 && *window > TBH_MUX_LARGEST_WINDOW - n) return false;
    *window += n;
    return true;
}

static void tbh_mux_may_send(tbh_mux_stream *stream) {
    bool has_more = stream->body || stream->small.length;
    if (has_more && stream->send_window > 0) tbh_mux_resume_source(stream);
}

/* An increment may be for a stream that has just ended; for one that never began it is an error.
 * Credit that nothing was sent for is what a flood is made of: it is paid with what we send. */
TBH_FN void tbh_mux_on_window_update(tbh_mux *h, uint32_t stream_id, uint32_t increment) {
    tbh_mux_stream *stream = stream_id ? tbh_mux_find(h, stream_id) : NULL;
    if (!tbh_mux_count_control(h)) return;
    if (stream_id == 0) {
        if (!tbh_mux_widen(&h->send_window, (int32_t)increment))
            tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_FLOW_CONTROL_ERROR);
        return;
    }
    if (!stream || stream->state == TBH_MUX_CLOSED) return;
    tbh_mux_step(stream, TBH_MUX_IN_WINDOW);
    if (tbh_mux_widen(&stream->send_window, (int32_t)increment)) tbh_mux_may_send(stream);
    else tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_FLOW_CONTROL_ERROR);
}

/* §6.9.2: the difference goes to every stream, and may make its window negative. */
TBH_FN void tbh_mux_on_initial_window(tbh_mux *h, uint32_t window) {
    int32_t difference = (int32_t)window - (int32_t)h->peer_window;
    h->peer_window = window;
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next) {
        if (!tbh_mux_widen(&stream->send_window, difference)) {
            tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_FLOW_CONTROL_ERROR);
            return;
        }
        tbh_mux_may_send(stream);
    }
}

TBH_FN size_t tbh_mux_allowance(const tbh_mux_stream *stream) {
    int32_t n = stream->send_window;
    if (stream->mux->send_window < n) n = stream->mux->send_window;
    if (n > TBH_H2_LEAST_FRAME) n = TBH_H2_LEAST_FRAME;
    return n > 0 ? (size_t)n : 0;
}

/* Each frame of body earns the peer the updates that answer it. */
TBH_FN void tbh_mux_spend_window(tbh_mux_stream *stream, size_t n) {
    stream->send_window -= (int32_t)n;
    stream->mux->send_window -= (int32_t)n;
    tbh_mux_bucket_give(&stream->mux->control, 4);
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/h2_stream.c
 * ======================================================================= */
/* HTTP/2 streams: their states (RFC 9113 §5.1), and what they hand out in which order.
 *
 * Owns the queues, the bytes that a consumer left behind, and the field sections until they are
 * taken. Invariants: one row of the table decides each step; what is handed out keeps its order:
 * held bytes, trailers, then the end or the reset, which comes exactly once; a stream that is not in
 * LIVE is in no queue.
 * Does not know: frames, windows. */

/* ------------------------------------------------------------ states */
enum { TBH_MUX_BAD = 0x40, TBH_MUX_LATE = 0x41 }; /* no states: PROTOCOL_ERROR, STREAM_CLOSED */

#define TBH_O_H TBH_MUX_OPEN_HEAD
#define TBH_O_B TBH_MUX_OPEN_BODY
#define TBH_S_H TBH_MUX_SENT_HEAD
#define TBH_S_B TBH_MUX_SENT_BODY
#define TBH_END TBH_MUX_ENDED
#define TBH_CLO TBH_MUX_CLOSED
#define TBH_BAD TBH_MUX_BAD
#define TBH_LAT TBH_MUX_LATE

/* clang-format off */
static const uint8_t tbh_mux_table[TBH_MUX_STATES][TBH_MUX_INPUTS] = {
    /*            head     head end interim  int. end data     data end reset    window   sent end sent reset */
    /* OPEN_HEAD */ {TBH_O_B, TBH_END, TBH_O_H, TBH_BAD, TBH_BAD, TBH_BAD, TBH_CLO, TBH_O_H, TBH_S_H, TBH_CLO},
    /* OPEN_BODY */ {TBH_BAD, TBH_END, TBH_BAD, TBH_BAD, TBH_O_B, TBH_END, TBH_CLO, TBH_O_B, TBH_S_B, TBH_CLO},
    /* SENT_HEAD */ {TBH_S_B, TBH_CLO, TBH_S_H, TBH_BAD, TBH_BAD, TBH_BAD, TBH_CLO, TBH_S_H, TBH_S_H, TBH_CLO},
    /* SENT_BODY */ {TBH_BAD, TBH_CLO, TBH_BAD, TBH_BAD, TBH_S_B, TBH_CLO, TBH_CLO, TBH_S_B, TBH_S_B, TBH_CLO},
    /* ENDED     */ {TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_CLO, TBH_END, TBH_CLO, TBH_CLO},
    /* CLOSED    */ {TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_LAT, TBH_CLO, TBH_CLO, TBH_CLO, TBH_CLO},
};
/* clang-format on */

#undef TBH_O_H
#undef TBH_O_B
#undef TBH_S_H
#undef TBH_S_B
#undef TBH_END
#undef TBH_CLO
#undef TBH_BAD
#undef TBH_LAT

TBH_FN uint32_t tbh_mux_step(tbh_mux_stream *stream, tbh_mux_input input) {
    uint8_t next = tbh_mux_table[stream->state][input];
    if (next == TBH_MUX_BAD) return TURBOHTTP_H2_PROTOCOL_ERROR;
    if (next == TBH_MUX_LATE) return TURBOHTTP_H2_STREAM_CLOSED;
    stream->state = (tbh_mux_state)next;
    return 0;
}

/* ------------------------------------------------------------ queues */
/* Behind everybody; among the senders behind those who are as urgent, or more. */
static tbh_mux_stream *tbh_mux_place(const tbh_mux_stream *stream, int queue) {
    tbh_mux_stream *before = stream->mux->queues[queue].last;
    while (queue == TBH_MUX_SENDER && before && before->priority < stream->priority)
        before = before->nodes[queue].previous;
    return before;
}

TBH_FN void tbh_mux_enqueue(tbh_mux_stream *stream, int queue) {
    tbh_mux_queue *q = &stream->mux->queues[queue];
    tbh_mux_node *node = &stream->nodes[queue];
    if (node->is_in) return;
    if (queue == TBH_MUX_SENDER) stream->queued_at = stream->mux->pieces;
    tbh_mux_stream *before = tbh_mux_place(stream, queue);
    node->is_in = true;
    node->previous = before;
    node->next = before ? before->nodes[queue].next : q->first;
    if (before) before->nodes[queue].next = stream;
    else q->first = stream;
    if (node->next) node->next->nodes[queue].previous = stream;
    else q->last = stream;
    q->count++;
}

TBH_FN void tbh_mux_dequeue(tbh_mux_stream *stream, int queue) {
    tbh_mux_queue *q = &stream->mux->queues[queue];
    tbh_mux_node *node = &stream->nodes[queue];
    if (!node->is_in) return;
    if (node->previous) node->previous->nodes[queue].next = node->next;
    else q->first = node->next;
    if (node->next) node->next->nodes[queue].previous = node->previous;
    else q->last = node->previous;
    node->next = node->previous = NULL;
    node->is_in = false;
    q->count--;
}

/* ------------------------------------------------------------ numbers */
static tbh_mux_stream **tbh_mux_bucket_of(tbh_mux *h, uint32_t id) {
    return &h->buckets[id / 2 % TBH_MUX_BUCKETS];
}

TBH_FN tbh_mux_stream *tbh_mux_find(const tbh_mux *h, uint32_t id) {
    tbh_mux_stream *stream = h->buckets[id / 2 % TBH_MUX_BUCKETS];
    while (stream && stream->id != id) stream = stream->bucket_next;
    return stream;
}

static void tbh_mux_forget(tbh_mux_stream *stream) {
    tbh_mux_stream **at = tbh_mux_bucket_of(stream->mux, stream->id);
    while (*at != stream) at = &(*at)->bucket_next;
    *at = stream->bucket_next;
}

/* ------------------------------------------------------------ life */
TBH_FN void tbh_mux_section_drop(turbohttp_byte_pool *pool, tbh_mux_section *section) {
    if (section->table && section->count) { /* they may be cookies (RELIABILITY 3.6) */
        char *values = (char *)(uintptr_t)section->table[0].value;
        tbh_wipe(values, (size_t)(section->text - values));
    }
    if (section->table) turbohttp_byte_pool_return(pool, section->table, section->bytes);
    memset(section, 0, sizeof *section);
}

/* §5.1.1: numbers are odd, grow, and run out (S-47). */
static void tbh_mux_number(tbh_mux *h, tbh_mux_stream *stream) {
    tbh_mux_stream **bucket = tbh_mux_bucket_of(h, h->next_id);
    stream->id = h->next_id;
    stream->bucket_next = *bucket;
    *bucket = stream;
    h->next_id += 2;
    if (h->next_id > 0x7fffffffu) h->is_draining = true;
}

TBH_FN turbohttp_status tbh_mux_start(tbh_mux *h, tbh_mux_stream *stream,
                                      const tbh_conn_request *request, void *owner) {
    if (!tbh_mux_can_start(h)) return TURBOHTTP_ERR_STATE;
    stream->mux = h;
    stream->owner = owner;
    stream->state = TBH_MUX_OPEN_HEAD;
    stream->send_window = (int32_t)h->peer_window;
    stream->window = h->options.stream_window;
    stream->is_head = request->is_head;
    stream->priority = request->priority;
    turbohttp_segments_init(&stream->held, h->pool, h->limits->block_bytes);
    tbh_mux_number(h, stream);
    tbh_mux_enqueue(stream, TBH_MUX_LIVE);
    if (h->queues[TBH_MUX_LIVE].count == 1) h->ping_at_us = h->now_us + h->options.ping_us;
    tbh_mux_bucket_give(&h->control, 4);
    turbohttp_status status = tbh_mux_write_request(stream, request);
    bool is_doubtful = h->now_us - h->last_receive_us >= h->options.trust_us;
    if (status == TURBOHTTP_OK && is_doubtful) tbh_mux_ask(h, h->options.trust_answer_us);
    if (status == TURBOHTTP_OK) return status;
    tbh_mux_fail(h, status, TURBOHTTP_H2_INTERNAL_ERROR); /* the table of the peer is behind ours */
    tbh_mux_release(stream);
    return status;
}

static void tbh_mux_drop_held(tbh_mux_stream *stream) {
    tbh_mux *h = stream->mux;
    if (h->offered_to == stream && !h->is_held_offer) tbh_mux_credit(h, NULL, h->offered.length);
    if (h->offered_to == stream) h->offered_to = NULL;
    if (!stream->held.first) return;
    tbh_mux_credit(h, NULL, stream->held.length);
    turbohttp_segments_reset(&stream->held);
}

static void tbh_mux_send_reset(tbh_mux_stream *stream, uint32_t code) {
    tbh_mux *h = stream->mux;
    bool is_moving = stream->state != TBH_MUX_CLOSED && !h->is_failed;
    tbh_mux_step(stream, TBH_MUX_SENT_RESET);
    if (is_moving) h->late += stream->window;
    if (is_moving && tbh_mux_may_control(h))
        turbohttp_h2_write_rst_stream(&h->out, stream->id, code);
}

TBH_FN void tbh_mux_release(tbh_mux_stream *stream) {
    tbh_mux *h = stream->mux;
    if (!h) return;
    tbh_mux_drop_held(stream);
    if (h->reading == stream) h->reading = NULL;
    if (stream->state != TBH_MUX_CLOSED) tbh_mux_send_reset(stream, TURBOHTTP_H2_CANCEL);
    if (stream->head.table) tbh_mux_section_drop(h->pool, &stream->head);
    if (stream->trailer.table) tbh_mux_section_drop(h->pool, &stream->trailer);
    for (int queue = 0; queue < TBH_MUX_QUEUES; queue++)
        if (stream->nodes[queue].is_in) tbh_mux_dequeue(stream, queue);
    tbh_mux_forget(stream);
    stream->mux = NULL;
    if (h->queues[TBH_MUX_LIVE].count) return;
    h->ping_at_us = UINT64_MAX; /* an idle connection is not asked */
}

/* ------------------------------------------------------------ ends */
static void tbh_mux_make_due(tbh_mux_stream *stream, uint8_t due) {
    stream->due = (uint8_t)(stream->due | due);
    tbh_mux_enqueue(stream, TBH_MUX_READY);
}

/* What came whole is handed out, whatever happens to the stream or the connection afterwards. */
TBH_FN void tbh_mux_lose_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code,
                                bool is_safe) {
    tbh_mux_step(stream, TBH_MUX_IN_RESET);
    tbh_mux_dequeue(stream, TBH_MUX_SENDER);
    stream->body = NULL;
    stream->small.length = 0;
    if (stream->is_whole || (stream->due & TBH_MUX_DUE_RESET)) return;
    stream->reason = status;
    stream->code = code;
    stream->is_safe = is_safe && !stream->has_head;
    tbh_mux_drop_held(stream);
    stream->due = 0;
    tbh_mux_make_due(stream, TBH_MUX_DUE_RESET);
}

TBH_FN void tbh_mux_reset_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code) {
    tbh_mux_send_reset(stream, code);
    tbh_mux_lose_stream(stream, status, code, false);
}

/* §8.1.1: the bytes of the body are as many as the head said. */
TBH_FN void tbh_mux_end_received(tbh_mux_stream *stream) {
    if (stream->has_expected && stream->received != stream->expected) {
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_BODY_TRUNCATED, TURBOHTTP_H2_PROTOCOL_ERROR);
        return;
    }
    stream->is_whole = true;
    tbh_mux_make_due(stream, stream->trailer.table ? TBH_MUX_DUE_TRAILERS | TBH_MUX_DUE_END
                                                   : TBH_MUX_DUE_END);
}

/* ------------------------------------------------------------ handing out */
TBH_FN void tbh_mux_offer(tbh_mux_stream *stream, turbohttp_span span, tbh_mux_event *event) {
    tbh_mux *h = stream->mux;
    h->offered = event->span = span;
    h->offered_to = event->stream = stream;
    h->is_held_offer = false;
    event->kind = TBH_MUX_BODY;
}

TBH_FN void tbh_mux_body_consume(tbh_mux_stream *stream, size_t n) {
    tbh_mux *h = stream->mux;
    if (h->offered_to != stream || n > h->offered.length) return;
    h->offered.data += n;
    h->offered.length -= n;
    tbh_mux_credit(h, stream, n);
    if (h->is_held_offer) turbohttp_segments_consume(&stream->held, n);
}

TBH_FN void tbh_mux_settle(tbh_mux *h) {
    tbh_mux_stream *stream = h->offered_to;
    h->offered_to = NULL;
    if (!stream || h->offered.length == 0) return;
    stream->is_paused = true;
    if (h->is_held_offer) return;
    turbohttp_status status =
        turbohttp_segments_append(&stream->held, h->offered.data, h->offered.length);
    if (status == TURBOHTTP_OK) return;
    tbh_mux_credit(h, NULL, h->offered.length);
    tbh_mux_reset_stream(stream, status, TURBOHTTP_H2_INTERNAL_ERROR);
}

TBH_FN void tbh_mux_resume(tbh_mux_stream *stream) {
    if (!stream->mux) return;
    tbh_mux_settle(stream->mux);
    stream->is_paused = false;
    if (stream->held.length || stream->due) tbh_mux_enqueue(stream, TBH_MUX_READY);
}

static tbh_mux_event_kind tbh_mux_take_due(tbh_mux_stream *stream) {
    static const uint8_t kinds[] = {TBH_MUX_TRAILERS, TBH_MUX_END, TBH_MUX_RESET};
    for (uint8_t bit = 0; bit < 3; bit++) {
        if (!(stream->due & 1 << bit)) continue;
        stream->due = (uint8_t)(stream->due & ~(1 << bit));
        return (tbh_mux_event_kind)kinds[bit];
    }
    return TBH_MUX_NOTHING;
}

static bool tbh_mux_give(tbh_mux_stream *stream, tbh_mux_event *event) {
    turbohttp_sequence held;
    if (stream->is_paused && stream->held.length) {
        tbh_mux_dequeue(stream, TBH_MUX_READY);
        return false;
    }
    if (stream->held.length) {
        held = turbohttp_segments_sequence(&stream->held);
        tbh_mux_offer(stream, held.head, event);
        stream->mux->is_held_offer = true;
        return true;
    }
    event->kind = tbh_mux_take_due(stream);
    event->stream = stream;
    if (!stream->due) tbh_mux_dequeue(stream, TBH_MUX_READY);
    return event->kind != TBH_MUX_NOTHING;
}

/* Each turn hands something out or takes a stream off the queue. */
TBH_FN bool tbh_mux_next_ready(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream;
    while ((stream = h->queues[TBH_MUX_READY].first) != NULL)
        if (tbh_mux_give(stream, event)) return true;
    return false;
}

/* ------------------------------------------------------------ sending again */
TBH_FN void tbh_mux_resume_source(tbh_mux_stream *stream) {
    bool has_more = stream->body || stream->small.length;
    if (!stream->mux || !has_more || stream->awaits_continue) return;
    if (stream->state == TBH_MUX_OPEN_HEAD || stream->state == TBH_MUX_OPEN_BODY ||
        stream->state == TBH_MUX_ENDED)
        tbh_mux_enqueue(stream, TBH_MUX_SENDER);
}

TBH_FN void tbh_mux_continue(tbh_mux_stream *stream) {
    stream->awaits_continue = false;
    tbh_mux_resume_source(stream);
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/h2_block.c
 * ======================================================================= */
/* HTTP/2 header blocks that go out: the lines of HTTP/1.1 become fields (RFC 9113 §8.2, §8.3).
 *
 * Owns what requests have in common, as text and as it went over the wire.
 * Invariants: blocks are encoded in the order in which they leave; what speaks about a connection of
 * HTTP/1.1 is left out; names are in lower case.
 * Input: a head that request_head.c has written or trailers of its kind, so no line is malformed.
 * Does not know: what a request means, windows, states. */

enum { TBH_MUX_COMMON = 1000 };

/* ------------------------------------------------------------ lines */
/* The line up to its CRLF; `rest` moves behind it. */
static turbohttp_span tbh_mux_line(turbohttp_span *rest) {
    const char *lf = (const char *)memchr(rest->data, '\n', rest->length);
    size_t n = lf ? (size_t)(lf - rest->data) + 1 : rest->length;
    turbohttp_span line = tbh_span(rest->data, n >= 2 ? n - 2 : 0);
    *rest = tbh_span(rest->data + n, rest->length - n);
    return line;
}

/* `index` is the name's in the static table. */
static void tbh_mux_put_pseudo(tbh_mux *h, uint32_t index, turbohttp_span name,
                               turbohttp_span value) {
    turbohttp_hpack_field field;
    field.name = name;
    field.value = value;
    field.never_indexed = false;
    tbh_hpack_encode_named(&h->encoder, &field, index, &h->out);
}

static void tbh_mux_put_field(tbh_mux *h, turbohttp_span name, turbohttp_span value) {
    turbohttp_hpack_field field;
    field.name = name;
    field.value = value;
    field.never_indexed = false; /* the encoder knows the secrets by their names */
    turbohttp_hpack_encode(&h->encoder, &field, &h->out);
}

/* §8.2.2: what speaks about an HTTP/1.1 connection. Users may set the last of these and none of the
 * others, which request_head.c refuses. */
static bool tbh_mux_is_dropped(turbohttp_span name) {
    uint16_t id = tbh_header_id(name.data, name.length);
    return id == TURBOHTTP_HEADER_CONNECTION || id == TURBOHTTP_HEADER_TRANSFER_ENCODING ||
           id == TURBOHTTP_HEADER_HTTP2_SETTINGS;
}

/* Name and value of a line. The name becomes lower case where it stands (§8.2): HTTP/1.1, which may
 * send the same text after all, does not mind. */
static turbohttp_span tbh_mux_split(turbohttp_span line, turbohttp_span *value) {
    char *name = (char *)(uintptr_t)line.data;
    size_t n = 0, at;
    for (; n < line.length && name[n] != ':'; n++)
        if ((uint8_t)(name[n] - 'A') < 26) name[n] = (char)(name[n] | 0x20);
    at = n + 1;
    while (at < line.length && (name[at] == ' ' || name[at] == '\t')) at++;
    *value = at < line.length ? tbh_span(name + at, line.length - at) : tbh_span(NULL, 0);
    while (value->length &&
           (value->data[value->length - 1] == ' ' || value->data[value->length - 1] == '\t'))
        value->length--;
    return tbh_span(name, n);
}

/* Field lines up to the empty one. */
static void tbh_mux_put_lines(tbh_mux *h, turbohttp_span lines) {
    for (;;) { /* each turn takes a line */
        turbohttp_span value, line = tbh_mux_line(&lines);
        if (line.length == 0) return;
        turbohttp_span name = tbh_mux_split(line, &value);
        if (!tbh_mux_is_dropped(name)) tbh_mux_put_field(h, name, value);
    }
}

/* ------------------------------------------------------------ what is said again and again
 * Requests of one client to one origin mostly differ in their path. Everything else is kept together
 * with its bytes on the wire: they stay the same for as long as nothing enters or leaves the
 * encoder's table. Paths never enter it; what these lines enter themselves ends it, too. Where size
 * comes first nothing is kept. */
TBH_FN void tbh_mux_forget_common(tbh_mux *h) {
    if (!TBH_SMALL) h->common.lines_bytes = 0;
}

TBH_FN void tbh_mux_drop_common(tbh_mux *h) {
    tbh_mux_common *common = &h->common;
    if (TBH_SMALL) return;
    if (common->bytes) { /* it may hold credentials (RELIABILITY 3.6) */
        tbh_wipe(common->bytes, common->room);
        turbohttp_byte_pool_return(h->pool, common->bytes, common->room);
    }
    memset(common, 0, sizeof *common);
}

static bool tbh_mux_is_common(const tbh_mux *h, turbohttp_span method, turbohttp_span lines) {
    const tbh_mux_common *common = &h->common;
    return !TBH_SMALL && method.length == common->method_bytes &&
           lines.length == common->lines_bytes && common->inserted == h->encoder.inserted &&
           memcmp(common->bytes, method.data, method.length) == 0 &&
           memcmp(common->bytes + method.length, lines.data, lines.length) == 0;
}

/* The texts, as they are before names become lower case. False: they are too long to be kept. */
static bool tbh_mux_keep_texts(tbh_mux *h, turbohttp_span method, turbohttp_span lines) {
    tbh_mux_common *common = &h->common;
    if (TBH_SMALL) return false;
    if (!common->bytes)
        common->bytes = (char *)turbohttp_byte_pool_rent(h->pool, TBH_MUX_COMMON, &common->room);
    if (!common->bytes || method.length + lines.length > common->room) return false;
    memcpy(common->bytes, method.data, method.length);
    memcpy(common->bytes + method.length, lines.data, lines.length);
    common->method_bytes = method.length;
    common->lines_bytes = lines.length;
    common->inserted = h->encoder.inserted;
    return true;
}

/* What they became: `before` bytes of the out block from `start` on, then the path, then the rest
 * from `after` on. */
static void tbh_mux_keep_wire(tbh_mux *h, size_t start, size_t before, size_t after) {
    tbh_mux_common *common = &h->common;
    size_t texts = common->method_bytes + common->lines_bytes, behind = h->out.length - after;
    if (h->out.status != TURBOHTTP_OK || before + behind > common->room - texts) {
        tbh_mux_forget_common(h);
        return;
    }
    memcpy(common->bytes + texts, h->out.data + start, before);
    memcpy(common->bytes + texts + before, h->out.data + after, behind);
    common->before_path = before;
    common->behind_path = behind;
}

static void tbh_mux_put_known(tbh_mux *h, turbohttp_span path) {
    const tbh_mux_common *common = &h->common;
    const char *wire = common->bytes + common->method_bytes + common->lines_bytes;
    tbh_writer_add(&h->out, wire, common->before_path);
    tbh_mux_put_pseudo(h, TBH_HPACK_PATH, tbh_span_of(":path"), path);
    tbh_writer_add(&h->out, wire + common->before_path, common->behind_path);
}

/* ------------------------------------------------------------ blocks */
/* §8.3.1: all pseudo-headers first. The Host line is the one behind the request line. */
static void tbh_mux_put_request_fields(tbh_mux *h, const tbh_conn_request *request) {
    static const char version[] = " HTTP/1.1\r\n";
    turbohttp_span method = tbh_span(request->head.data, request->method_bytes), authority;
    turbohttp_span path = tbh_span(method.data + method.length + 1, request->target_bytes);
    const char *behind = path.data + path.length + sizeof version - 1;
    const char *end = request->head.data + request->head.length - request->small_bytes;
    turbohttp_span lines = tbh_span(behind, (size_t)(end - behind));
    if (tbh_mux_is_common(h, method, lines)) {
        tbh_mux_put_known(h, path);
        return;
    }
    if (!TBH_SMALL) /* what is said once is not kept */
        turbohttp_hpack_encode_begin(&h->encoder, &h->out);
    size_t start = h->out.length;
    bool is_kept = tbh_mux_keep_texts(h, method, lines);
    turbohttp_span host = tbh_mux_line(&lines);
    tbh_mux_split(host, &authority);
    tbh_mux_put_pseudo(h, TBH_HPACK_METHOD, tbh_span_of(":method"), method);
    tbh_mux_put_pseudo(h, TBH_HPACK_SCHEME, tbh_span_of(":scheme"), h->scheme);
    tbh_mux_put_pseudo(h, TBH_HPACK_AUTHORITY, tbh_span_of(":authority"), authority);
    size_t before = h->out.length - start;
    tbh_mux_put_pseudo(h, TBH_HPACK_PATH, tbh_span_of(":path"), path);
    size_t after = h->out.length;
    tbh_mux_put_lines(h, lines);
    if (is_kept) tbh_mux_keep_wire(h, start, before, after);
    else tbh_mux_forget_common(h);
}

/* RFC 9218 §4.1; 3 is what is assumed. */
static void tbh_mux_put_priority(tbh_mux *h, const tbh_conn_request *request) {
    static const char urgencies[] = "u=5\0u=3\0u=2\0u=0"; /* from LOW on */
    const char *urgency = urgencies + 4 * (request->priority - TURBOHTTP_PRIORITY_LOW);
    if (request->priority && !request->tells_priority)
        tbh_mux_put_field(h, tbh_span_of("priority"), tbh_span(urgency, 3));
}

/* A block that does not fit into one frame is moved apart, from its end, for the headers of
 * CONTINUATION (§6.10). */
static void tbh_mux_part_block(tbh_mux *h, size_t start, turbohttp_h2_frame frame) {
    char *unused;
    size_t block = start + TURBOHTTP_H2_HEADER_BYTES, n = h->out.length - block;
    size_t parts = n ? (n - 1) / TBH_H2_LEAST_FRAME : 0, extra = parts * TURBOHTTP_H2_HEADER_BYTES;
    if (extra && turbohttp_writer_reserve(&h->out, extra, &unused) != TURBOHTTP_OK) return;
    h->out.length += extra;
    uint8_t *base = (uint8_t *)h->out.data + block;
    for (size_t i = parts; i > 0; i--) {
        size_t from = i * TBH_H2_LEAST_FRAME, to = from + i * TURBOHTTP_H2_HEADER_BYTES;
        turbohttp_h2_frame more = frame;
        more.type = TURBOHTTP_H2_CONTINUATION;
        more.flags = i == parts ? TURBOHTTP_H2_END_HEADERS : 0;
        more.length = (uint32_t)(i == parts ? n - from : (size_t)TBH_H2_LEAST_FRAME);
        memmove(base + to, base + from, more.length);
        turbohttp_h2_write_frame_header(base + to - TURBOHTTP_H2_HEADER_BYTES, &more);
    }
    frame.length = (uint32_t)(parts ? (size_t)TBH_H2_LEAST_FRAME : n);
    if (parts) frame.flags = (uint8_t)(frame.flags & ~TURBOHTTP_H2_END_HEADERS);
    turbohttp_h2_write_frame_header((uint8_t *)h->out.data + start, &frame);
}

TBH_FN void tbh_mux_put_block(tbh_mux_stream *stream, const tbh_conn_request *request, bool ends) {
    static const char empty[TURBOHTTP_H2_HEADER_BYTES] = {0};
    tbh_mux *h = stream->mux;
    size_t start = h->out.length;
    turbohttp_h2_frame frame;
    frame.length = 0;
    frame.type = TURBOHTTP_H2_HEADERS;
    frame.flags = (uint8_t)(TURBOHTTP_H2_END_HEADERS | (ends ? TURBOHTTP_H2_END_STREAM : 0));
    frame.stream_id = stream->id;
    tbh_writer_add(&h->out, empty, sizeof empty);
    if (request) tbh_mux_put_request_fields(h, request);
    else tbh_mux_put_lines(h, stream->trailers);
    if (request) tbh_mux_put_priority(h, request);
    if (h->out.status == TURBOHTTP_OK) tbh_mux_part_block(h, start, frame);
    stream->sent_bytes += h->out.length - start;
    h->out_secret = h->out.length;
    if (ends) tbh_mux_step(stream, TBH_MUX_SENT_END);
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/h2_send.c
 * ======================================================================= */
/* HTTP/2 output: the preface, requests, bodies as DATA, and what control frames need.
 *
 * Owns the out block: everything is written there and leaves in one send, many frames at a time.
 * Invariants: bodies are added only when all before them has gone, so that control frames never wait
 * behind more than one filling; at most 256 control frames wait (RELIABILITY 3.1); blocks are encoded
 * in the order in which they leave.
 * Does not know: what a request means, whether the peer may still be sent to. */

enum { TBH_MUX_FILL = 65536, TBH_MUX_CONTROL_MOST = 256 };

/* Pieces in a row that may go before a less urgent one. */
enum { TBH_MUX_OVERTAKEN_MOST = 8 };

static const char tbh_mux_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* ------------------------------------------------------------ the start (§3.4) */
TBH_FN turbohttp_status tbh_mux_write_preface(tbh_mux *h) {
    turbohttp_h2_setting settings[4];
    settings[0].id = TURBOHTTP_H2_HEADER_TABLE_SIZE;
    settings[0].value = h->decoder.setting;
    settings[1].id = TURBOHTTP_H2_ENABLE_PUSH;
    settings[1].value = 0;
    settings[2].id = TURBOHTTP_H2_INITIAL_WINDOW_SIZE;
    settings[2].value = h->options.stream_window;
    settings[3].id = TURBOHTTP_H2_MAX_HEADER_LIST_SIZE;
    settings[3].value = h->limits->head_bytes;
    turbohttp_writer_put(&h->out, tbh_mux_preface, sizeof tbh_mux_preface - 1);
    turbohttp_h2_write_settings(&h->out, settings, 4);
    if (h->options.connection_window > h->window)
        turbohttp_h2_write_window_update(&h->out, 0, h->options.connection_window - h->window);
    h->window = h->options.connection_window;
    return h->out.status;
}

TBH_FN bool tbh_mux_may_control(tbh_mux *h) {
    if (h->control_frames++ < TBH_MUX_CONTROL_MOST) return true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_FLOOD, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
    return false;
}

/* ------------------------------------------------------------ requests */
TBH_FN turbohttp_status tbh_mux_write_request(tbh_mux_stream *stream,
                                              const tbh_conn_request *request) {
    tbh_source *body = request->body;
    const char *head_end = request->head.data + request->head.length - request->small_bytes;
    stream->small = tbh_span(head_end, request->small_bytes);
    bool has_body = (body && (body->is_unknown || body->length > 0)) || stream->small.length;
    stream->body = has_body ? body : NULL;
    if (has_body) stream->trailers = request->trailers;
    stream->awaits_continue = has_body && request->expects_continue;
    tbh_mux_put_block(stream, request, !has_body);
    tbh_mux_resume_source(stream);
    return stream->mux->out.status;
}

/* ------------------------------------------------------------ bodies */
/* The next n ≤ room bytes. OK · PENDING (nothing yet) · DONE with the last of them · an error. */
static turbohttp_status tbh_mux_pull(tbh_mux_stream *stream, uint8_t *to, size_t room, size_t *n) {
    tbh_source *body = stream->body;
    turbohttp_span small = stream->small;
    turbohttp_status status = TURBOHTTP_OK;
    if (!body) {
        *n = tbh_min_size(room, small.length);
        memcpy(to, small.data, *n);
        stream->small = tbh_span(small.data + *n, small.length - *n);
        return stream->small.length ? TURBOHTTP_OK : TURBOHTTP_DONE;
    }
    *n = 0;
    if (!body->is_unknown) room = tbh_min_size(room, tbh_size_of_u64(body->length - body->taken));
    if (body->data) {
        *n = room;
        memcpy(to, body->data + (size_t)body->taken, room);
    } else if (room) {
        status = body->fill(body->user, to, room, n);
    }
    if (status < 0) return status;
    if (*n > room || (status == TURBOHTTP_PENDING && *n > 0)) return TURBOHTTP_ERR_BODY_SOURCE;
    body->taken += *n;
    if (body->is_unknown) return *n || status == TURBOHTTP_DONE ? status : TURBOHTTP_PENDING;
    if (body->taken == body->length) return TURBOHTTP_DONE;
    if (status == TURBOHTTP_DONE) return TURBOHTTP_ERR_BODY_SOURCE;
    return *n ? TURBOHTTP_OK : TURBOHTTP_PENDING;
}

static bool tbh_mux_has_trailers(const tbh_mux_stream *stream) {
    return stream->trailers.length > 2;
}

/* The frame in front of n bytes of body that are in place, with END_STREAM if they are the last. */
static void tbh_mux_put_data(tbh_mux_stream *stream, size_t n, bool is_last) {
    turbohttp_writer *out = &stream->mux->out;
    bool ends = is_last && !tbh_mux_has_trailers(stream);
    turbohttp_h2_frame frame;
    frame.length = (uint32_t)n;
    frame.type = TURBOHTTP_H2_DATA;
    frame.flags = ends ? TURBOHTTP_H2_END_STREAM : 0;
    frame.stream_id = stream->id;
    if (n || ends) {
        turbohttp_h2_write_frame_header((uint8_t *)out->data + out->length, &frame);
        turbohttp_writer_commit(out, TURBOHTTP_H2_HEADER_BYTES + n);
        stream->sent_bytes += TURBOHTTP_H2_HEADER_BYTES + n;
        tbh_mux_spend_window(stream, n);
    }
    if (!is_last) return;
    tbh_mux_dequeue(stream, TBH_MUX_SENDER);
    stream->body = NULL;
    if (ends) tbh_mux_step(stream, TBH_MUX_SENT_END);
    else tbh_mux_put_block(stream, NULL, true);
}

/* One frame of a stream's body; it then stands last in the queue, or in none. */
static void tbh_mux_send_piece(tbh_mux_stream *stream) {
    tbh_mux *h = stream->mux;
    char *frame;
    size_t n = 0, room = tbh_mux_allowance(stream);
    h->pieces++;
    tbh_mux_dequeue(stream, TBH_MUX_SENDER);
    if (room == 0) return; /* a WINDOW_UPDATE puts it back */
    if (turbohttp_writer_reserve(&h->out, TURBOHTTP_H2_HEADER_BYTES + room, &frame) != TURBOHTTP_OK)
        return;
    turbohttp_status status =
        tbh_mux_pull(stream, (uint8_t *)frame + TURBOHTTP_H2_HEADER_BYTES, room, &n);
    if (status < 0) {
        tbh_mux_reset_stream(stream, status, TURBOHTTP_H2_CANCEL);
        return;
    }
    if (stream->body) stream->body->is_blocked = status == TURBOHTTP_PENDING;
    if (status == TURBOHTTP_PENDING) return;
    if (status == TURBOHTTP_OK) tbh_mux_enqueue(stream, TBH_MUX_SENDER);
    tbh_mux_put_data(stream, n, status == TURBOHTTP_DONE);
}

/* The most urgent one; but now and then the one that has waited longest, or a long upload would make
 * others time out. */
static tbh_mux_stream *tbh_mux_next_sender(tbh_mux *h) {
    const tbh_mux_queue *q = &h->queues[TBH_MUX_SENDER];
    tbh_mux_stream *oldest = q->first;
    bool is_mixed = oldest && oldest->priority > q->last->priority;
    h->overtaken = is_mixed ? h->overtaken + 1 : 0;
    if (h->overtaken <= TBH_MUX_OVERTAKEN_MOST) return oldest;
    h->overtaken = 0;
    for (tbh_mux_stream *at = oldest; at; at = at->nodes[TBH_MUX_SENDER].next)
        if (h->pieces - at->queued_at > h->pieces - oldest->queued_at) oldest = at;
    return oldest;
}

/* ------------------------------------------------------------ the port */
TBH_FN void tbh_mux_wipe_out(tbh_mux *h) {
    if (h->out_secret) tbh_wipe(h->out.data, h->out_secret);
    h->out_secret = 0;
}

static void tbh_mux_refill_out(tbh_mux *h) {
    tbh_mux_wipe_out(h);
    if (h->queues[TBH_MUX_LIVE].count) turbohttp_writer_clear(&h->out);
    else turbohttp_writer_reset(&h->out); /* an idle connection keeps no block */
    h->out_at = 0;
    h->control_frames = 0;
    tbh_mux_write_credit(h);
    tbh_mux_stream *stream;
    while (!h->is_failed && h->send_window > 0 && h->out.length < TBH_MUX_FILL &&
           (stream = tbh_mux_next_sender(h)) != NULL)
        tbh_mux_send_piece(stream);
}

TBH_FN turbohttp_status tbh_mux_out_peek(tbh_mux *h, uint64_t now_us, turbohttp_span *out) {
    h->now_us = now_us;
    if (h->out.status == TURBOHTTP_OK && h->out_at == h->out.length) tbh_mux_refill_out(h);
    *out = tbh_span(NULL, 0);
    if (h->out.status != TURBOHTTP_OK) return h->out.status;
    if (h->out_at == h->out.length) return TURBOHTTP_PENDING;
    *out = tbh_span(h->out.data + h->out_at, h->out.length - h->out_at);
    return TURBOHTTP_OK;
}

TBH_FN void tbh_mux_out_consume(tbh_mux *h, size_t n) {
    h->out_at += n;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/h2_head.c
 * ======================================================================= */
/* HTTP/2 header blocks that come in: fields become a table of C strings (RFC 9113 §8, RFC 7541).
 *
 * Owns the block's section until a stream gets it, and the decoder's scratch while it is lent.
 * Invariants: every block is decoded to its end, also one that nobody wants, for the peer's table
 * goes on with it (§4.3); what breaks a rule never reaches the user (S-48); texts grow with what was
 * decoded, up to limits.head_bytes.
 * Does not know: frames, states. */

enum { TBH_MUX_TEXT_GUESS = 1000 };

/* ------------------------------------------------------------ the section */
static size_t tbh_mux_table_bytes(const tbh_mux *h) {
    return h->limits->header_count * sizeof(turbohttp_header);
}

static const char *tbh_mux_texts(const tbh_mux *h, const tbh_mux_section *section) {
    return (const char *)section->table + tbh_mux_table_bytes(h);
}

/* Moves the texts to a block with room for `wanted` of them; the rows follow. */
static bool tbh_mux_section_grow(tbh_mux *h, tbh_mux_section *section, size_t wanted) {
    tbh_mux_section old = *section;
    size_t table = tbh_mux_table_bytes(h), used = 0;
    section->table =
        (turbohttp_header *)turbohttp_byte_pool_rent(h->pool, table + wanted, &section->bytes);
    if (!section->table) {
        *section = old;
        return false;
    }
    section->text = (char *)section->table + table;
    if (old.table) {
        const char *from = tbh_mux_texts(h, &old);
        used = (size_t)(old.text - from);
        memcpy(section->text, from, used);
        for (uint32_t i = 0; i < section->count; i++) {
            turbohttp_header *row = &section->table[i];
            *row = old.table[i];
            bool is_ours = (uintptr_t)row->name - (uintptr_t)from < used; /* or static */
            if (is_ours) row->name = section->text + (row->name - from);
            row->value = section->text + (row->value - from);
        }
        tbh_wipe(old.table, old.bytes); /* it may hold cookies (RELIABILITY 3.6) */
        turbohttp_byte_pool_return(h->pool, old.table, old.bytes);
    }
    section->text += used;
    section->room = section->bytes - table - used;
    return true;
}

static TBH_NOINLINE bool tbh_mux_section_widen(tbh_mux *h, tbh_mux_section *section, size_t n) {
    size_t used = section->table ? (size_t)(section->text - tbh_mux_texts(h, section)) : 0;
    size_t wanted = section->table ? (used + n) * 2 : tbh_max_size(n, TBH_MUX_TEXT_GUESS);
    return tbh_mux_section_grow(h, section, wanted);
}

static char *tbh_mux_put_text(char *to, turbohttp_span text) {
    if (text.length) memcpy(to, text.data, text.length);
    to[text.length] = 0;
    return to + text.length + 1;
}

/* Adds a row; there is room for it and its texts. Names of the static table need none. */
static turbohttp_header *tbh_mux_section_add(tbh_mux_section *section,
                                             const turbohttp_hpack_field *field, uint32_t note) {
    uint32_t index = TBH_H2_NOTE_NAME(note);
    turbohttp_header *row = &section->table[section->count++];
    char *text = section->text;
    row->name = index ? tbh_hpack_static_row_at(index).name : text;
    row->name_length = (uint16_t)field->name.length;
    row->value_length = (uint32_t)field->value.length;
    row->id = TBH_H2_NOTE_ID(note);
    if (!index) text = tbh_mux_put_text(text, field->name);
    row->value = text;
    text = tbh_mux_put_text(text, field->value);
    section->room -= (size_t)(text - section->text);
    section->text = text;
    return row;
}

/* ------------------------------------------------------------ fields that frame the message */
/* Equal values count as one (RFC 9110 §8.6). */
static turbohttp_status tbh_mux_content_length(tbh_mux_block *block, turbohttp_span value) {
    uint64_t n;
    if (!tbh_parse_u64(value.data, value.length, INT64_MAX, &n))
        return TURBOHTTP_ERR_CONTENT_LENGTH;
    if (block->has_content_length && n != block->content_length)
        return TURBOHTTP_ERR_CONTENT_LENGTH;
    block->has_content_length = true;
    block->content_length = n;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_mux_note(tbh_mux_block *block, const turbohttp_header *row) {
    bool is_length = row->id == TURBOHTTP_HEADER_CONTENT_LENGTH;
    if (!is_length && row->id != TURBOHTTP_HEADER_CONTENT_ENCODING) return TURBOHTTP_OK;
    if (block->fields.section != TURBOHTTP_H2_RESPONSE) return TURBOHTTP_OK;
    turbohttp_span value = tbh_span(row->value, row->value_length);
    if (is_length) return tbh_mux_content_length(block, value);
    block->coding = tbh_content_coding(block->coding, value);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_mux_keep_field(tbh_mux *h, const turbohttp_hpack_field *field) {
    tbh_mux_block *block = &h->head;
    tbh_mux_section *section = &block->section;
    size_t n = field->name.length + field->value.length + 2;
    uint32_t note;
    turbohttp_status status = tbh_h2_fields_check_row(&block->fields, field, h->decoder.row, &note);
    if (status != TURBOHTTP_OK || !note) return status;
    if (section->count == h->limits->header_count) return TURBOHTTP_ERR_TOO_MANY_HEADERS;
    if (field->name.length > UINT16_MAX || n > h->limits->line_bytes)
        return TURBOHTTP_ERR_LINE_TOO_LONG;
    if (n > section->room && !tbh_mux_section_widen(h, section, n))
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    block->text_bytes += (uint32_t)n;
    return tbh_mux_note(block, tbh_mux_section_add(section, field, note));
}

/* ------------------------------------------------------------ the block */
/* Scratch is lent while there is something to read: an idle connection needs none. */
static void tbh_mux_lend_scratch(tbh_mux *h) {
    turbohttp_hpack_decoder *decoder = &h->decoder;
    if (decoder->scratch) return;
    decoder->scratch = (uint8_t *)turbohttp_byte_pool_rent(
        h->pool, tbh_max_size(h->limits->line_bytes, decoder->table.capacity), &h->scratch_bytes);
    decoder->scratch_bytes = decoder->scratch ? h->scratch_bytes : 0;
    if (!decoder->scratch)
        tbh_mux_fail(h, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_H2_INTERNAL_ERROR);
}

TBH_FN void tbh_mux_return_scratch(tbh_mux *h) {
    turbohttp_hpack_decoder *decoder = &h->decoder;
    if (!decoder->scratch || h->is_in_block) return;
    tbh_wipe(decoder->scratch, tbh_max_size(decoder->scratch_most, decoder->scratch_used));
    turbohttp_byte_pool_return(h->pool, decoder->scratch, h->scratch_bytes);
    decoder->scratch = NULL;
    decoder->scratch_bytes = decoder->scratch_most = decoder->scratch_used = 0;
}

TBH_FN void tbh_mux_block_begin(tbh_mux *h, bool ends) {
    tbh_mux_block *block = &h->head;
    bool has_head = h->reading && h->reading->has_head;
    block->ends = ends;
    block->status = h->reading ? TURBOHTTP_OK : TURBOHTTP_DONE; /* nobody wants it */
    block->coding = TURBOHTTP_CODING_IDENTITY;
    block->has_content_length = false;
    block->text_bytes = 0;
    turbohttp_h2_fields_init(&block->fields,
                             has_head ? TURBOHTTP_H2_TRAILERS : TURBOHTTP_H2_RESPONSE);
    tbh_mux_lend_scratch(h);
    h->is_in_block = true;
}

TBH_FN void tbh_mux_block_bytes(tbh_mux *h, turbohttp_span bytes) {
    const uint8_t *in = (const uint8_t *)bytes.data;
    size_t n = bytes.length;
    turbohttp_hpack_field field;
    turbohttp_status status;
    while ((status = turbohttp_hpack_decode(&h->decoder, &in, &n, &field)) == TURBOHTTP_OK)
        if (h->head.status == TURBOHTTP_OK) h->head.status = tbh_mux_keep_field(h, &field);
    if (status == TURBOHTTP_ERR_HPACK) tbh_mux_fail(h, status, TURBOHTTP_H2_COMPRESSION_ERROR);
    else if (status < 0 && h->head.status == TURBOHTTP_OK) h->head.status = status;
}

/* §8.3.2, §8.6: interim heads are told and forgotten; their number is limited. */
static void tbh_mux_on_interim(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    if (++stream->interims > h->limits->interim_count) {
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_TOO_MANY_INTERIM,
                             TURBOHTTP_H2_ENHANCE_YOUR_CALM);
        return;
    }
    if (h->head.fields.status == 100) tbh_mux_continue(stream);
    stream->status = h->head.fields.status;
    event->kind = TBH_MUX_INTERIM;
    event->stream = stream;
}

static void tbh_mux_on_final(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    const tbh_mux_block *block = &h->head;
    uint16_t status = block->fields.status;
    bool is_bodiless = stream->is_head || status == 204 || status == 304; /* RFC 9110 §6.4.1 */
    stream->has_head = true;
    stream->status = status;
    stream->coding = block->coding;
    stream->has_expected = is_bodiless || block->has_content_length;
    stream->expected = is_bodiless ? 0 : block->content_length;
    stream->head = block->section;
    stream->head_bytes = block->text_bytes;
    memset(&h->head.section, 0, sizeof h->head.section);
    event->kind = TBH_MUX_HEAD;
    event->stream = stream;
}

static void tbh_mux_on_trailers(tbh_mux *h) {
    h->reading->trailer = h->head.section;
    memset(&h->head.section, 0, sizeof h->head.section);
}

static tbh_mux_input tbh_mux_classify(const tbh_mux_block *block) {
    bool is_interim = block->fields.status >= 100 && block->fields.status < 200;
    if (is_interim) return block->ends ? TBH_MUX_IN_INTERIM_END : TBH_MUX_IN_INTERIM;
    return block->ends ? TBH_MUX_IN_HEAD_END : TBH_MUX_IN_HEAD;
}

/* Which code a fault is told with: sizes are ours to limit, the rest is against the rules. */
static uint32_t tbh_mux_code_of(turbohttp_status status) {
    bool is_limit = status == TURBOHTTP_ERR_HEAD_TOO_LARGE ||
                    status == TURBOHTTP_ERR_TOO_MANY_HEADERS ||
                    status == TURBOHTTP_ERR_LINE_TOO_LONG;
    if (status == TURBOHTTP_ERR_OUT_OF_MEMORY) return TURBOHTTP_H2_INTERNAL_ERROR;
    return is_limit ? TURBOHTTP_H2_CANCEL : TURBOHTTP_H2_PROTOCOL_ERROR;
}

static void tbh_mux_take_block(tbh_mux *h, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    tbh_mux_block *block = &h->head;
    bool had_head = stream->has_head;
    stream->field_bytes += block->text_bytes;
    if (stream->field_bytes > h->limits->head_bytes) block->status = TURBOHTTP_ERR_HEAD_TOO_LARGE;
    if (block->status == TURBOHTTP_OK) block->status = turbohttp_h2_fields_end(&block->fields);
    if (block->status != TURBOHTTP_OK) {
        tbh_mux_reset_stream(stream, block->status, tbh_mux_code_of(block->status));
        return;
    }
    tbh_mux_input input = tbh_mux_classify(block);
    uint32_t code = tbh_mux_step(stream, input);
    if (code) {
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, code);
        return;
    }
    if (input == TBH_MUX_IN_INTERIM) tbh_mux_on_interim(h, event);
    else if (had_head) tbh_mux_on_trailers(h);
    else tbh_mux_on_final(h, event);
    if (input == TBH_MUX_IN_HEAD_END) tbh_mux_end_received(stream);
}

TBH_FN void tbh_mux_block_end(tbh_mux *h, tbh_mux_event *event) {
    turbohttp_status status = turbohttp_hpack_decode_end(&h->decoder);
    h->is_in_block = false;
    if (status == TURBOHTTP_ERR_HPACK) {
        tbh_mux_fail(h, status, TURBOHTTP_H2_COMPRESSION_ERROR);
        return;
    }
    if (status < 0 && h->head.status == TURBOHTTP_OK) h->head.status = status;
    if (h->reading && h->reading->state != TBH_MUX_CLOSED) tbh_mux_take_block(h, event);
    h->reading = NULL;
    if (h->head.section.table) tbh_mux_section_drop(h->pool, &h->head.section);
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/engine/conn_h2.c
 * ======================================================================= */
/* HTTP/2 connection: its life, and the frames that come in (RFC 9113 §3, §5, §6).
 *
 * Owns the receive block, the header tables of both directions and every deadline.
 * Invariants: the first frame is SETTINGS; streams are found by number, and a number that was given
 * back is remembered only by being below `next_id`; after a failure nothing that comes is looked at
 * (S-46).
 * Input: any bytes in any split. Does not know: sockets, clocks, what a response is for. */

/* Of the header tables: what both sides begin with (RFC 7541 §4.2), or nothing where memory is dear:
 * that is said in the first SETTINGS, so it is known before the first response. */
#define TBH_MUX_TABLE_BYTES (TBH_SMALL ? 0u : 4096u)

/* ------------------------------------------------------------ life */
static tbh_mux_options tbh_mux_with_defaults(const tbh_mux_options *given) {
    tbh_mux_options o;
    memset(&o, 0, sizeof o);
    if (given) o = *given;
    if (!o.stream_window) o.stream_window = TBH_SMALL ? 8192 : 1u << 20;
    if (!o.connection_window) o.connection_window = TBH_SMALL ? 65535 : 4u << 20;
    if (!o.streams) o.streams = TBH_SMALL ? 4 : 100;
    if (!o.settings_us) o.settings_us = 10000000;
    if (!o.ping_us) o.ping_us = 30000000;
    if (!o.ping_answer_us) o.ping_answer_us = 10000000;
    if (!o.trust_us) o.trust_us = 3000000;
    if (!o.trust_answer_us) o.trust_answer_us = 5000000;
    if (!o.first_id) o.first_id = 1;
    if (o.connection_window < 65535) o.connection_window = 65535; /* it cannot be made smaller */
    return o;
}

static bool tbh_mux_rent_tables(tbh_mux *h) {
    if (TBH_MUX_TABLE_BYTES == 0) return true;
    h->decoder_memory = turbohttp_byte_pool_rent(
        h->pool, TURBOHTTP_HPACK_DECODER_BYTES(TBH_MUX_TABLE_BYTES), &h->decoder_bytes);
    h->encoder_memory = turbohttp_byte_pool_rent(
        h->pool, TURBOHTTP_HPACK_ENCODER_BYTES(TBH_MUX_TABLE_BYTES), &h->encoder_bytes);
    return h->decoder_memory && h->encoder_memory;
}

/* They hold header values. */
static void tbh_mux_return_table(tbh_mux *h, void **memory, size_t bytes) {
    if (!*memory) return;
    tbh_wipe(*memory, bytes);
    turbohttp_byte_pool_return(h->pool, *memory, bytes);
    *memory = NULL;
}

/* Scratch is lent when blocks come; until then the decoder only needs to know that there is some. */
static turbohttp_status tbh_mux_init_tables(tbh_mux *h) {
    if (!tbh_mux_rent_tables(h)) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status = turbohttp_hpack_decoder_init(
        &h->decoder, h->decoder_memory, h->decoder_bytes, TBH_MUX_TABLE_BYTES, h,
        TBH_MUX_TABLE_BYTES + 1, h->limits->head_bytes);
    h->decoder.scratch = NULL;
    h->decoder.scratch_bytes = 0;
    if (status != TURBOHTTP_OK) return status;
    return turbohttp_hpack_encoder_init(&h->encoder, h->encoder_memory, h->encoder_bytes,
                                        TBH_MUX_TABLE_BYTES);
}

TBH_FN turbohttp_status tbh_mux_init(tbh_mux *h, turbohttp_byte_pool *pool,
                                     const turbohttp_limits *limits, const tbh_mux_options *options,
                                     bool is_tls, uint64_t now_us) {
    memset(h, 0, sizeof *h);
    h->pool = pool;
    h->limits = limits;
    h->options = tbh_mux_with_defaults(options);
    h->scheme = tbh_span_of(is_tls ? "https" : "http");
    h->now_us = h->last_receive_us = now_us;
    h->next_id = h->options.first_id;
    h->peer_streams = UINT32_MAX;
    h->goaway_last = UINT32_MAX;
    h->send_window = 65535; /* §6.9.2 */
    h->window = h->peer_window = 65535;
    h->settings_due_us = now_us + h->options.settings_us;
    h->ping_at_us = h->ping_due_us = UINT64_MAX;
    tbh_mux_bucket_init(&h->control, TBH_SMALL ? 100 : 1000, TBH_SMALL ? 10 : 100, now_us);
    tbh_mux_bucket_init(&h->resets, TBH_SMALL ? 20 : 100, TBH_SMALL ? 2 : 10, now_us);
    turbohttp_h2_reader_init(&h->reader, NULL);
    turbohttp_writer_init(&h->out, pool, 0);
    turbohttp_status status = tbh_mux_init_tables(h);
    return status == TURBOHTTP_OK ? tbh_mux_write_preface(h) : status;
}

static void tbh_mux_drop_block(tbh_mux *h) {
    if (h->block) { /* it may hold cookies (RELIABILITY 3.6) */
        tbh_wipe(h->block, h->block_used);
        turbohttp_byte_pool_return(h->pool, h->block, h->block_bytes);
    }
    h->block_used = 0;
    h->block = h->at = h->fill = NULL;
}

TBH_FN void tbh_mux_reset(tbh_mux *h) {
    tbh_mux_drop_block(h);
    tbh_mux_drop_common(h);
    tbh_mux_section_drop(h->pool, &h->head.section);
    h->is_in_block = false;
    tbh_mux_return_scratch(h);
    tbh_mux_return_table(h, &h->decoder_memory, h->decoder_bytes);
    tbh_mux_return_table(h, &h->encoder_memory, h->encoder_bytes);
    tbh_mux_wipe_out(h);
    turbohttp_writer_reset(&h->out);
}

TBH_FN bool tbh_mux_can_start(const tbh_mux *h) {
    uint32_t live = h->queues[TBH_MUX_LIVE].count;
    return !(h->is_failed | h->is_draining | h->is_ended) && live < h->options.streams &&
           live < h->peer_streams;
}

TBH_FN void tbh_mux_fail(tbh_mux *h, turbohttp_status status, uint32_t code) {
    if (h->is_failed) return;
    h->is_failed = h->is_draining = true;
    h->notices |= TBH_MUX_NOTICE_FAILED;
    h->status = status;
    h->code = code;
    h->at = h->fill;
    h->end_is_due = false;
    h->settings_due_us = h->ping_at_us = h->ping_due_us = UINT64_MAX;
    if (!h->is_ended) turbohttp_h2_write_goaway(&h->out, 0, code, tbh_span(NULL, 0));
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next)
        tbh_mux_lose_stream(stream, status, code, false);
}

/* ------------------------------------------------------------ the input port */
/* Two full receives in a row double the next one; a small one makes a step back. */
static size_t tbh_mux_wanted_bytes(const tbh_mux *h) {
    size_t bytes = h->limits->block_bytes;
    for (uint8_t i = 1; i < h->full_receives && bytes < h->limits->receive_bytes; i++) bytes *= 2;
    return bytes;
}

TBH_FN uint8_t *tbh_mux_in_room(tbh_mux *h, size_t *room) {
    size_t wanted = tbh_mux_wanted_bytes(h);
    *room = 0;
    if (h->at != h->fill || h->end_is_due) return NULL;
    tbh_mux_settle(h); /* what was offered lies in the block */
    if (h->block && h->block_bytes < wanted) tbh_mux_drop_block(h);
    if (!h->block) h->block = (uint8_t *)turbohttp_byte_pool_rent(h->pool, wanted, &h->block_bytes);
    if (!h->block) return NULL;
    h->at = h->fill = h->block;
    *room = h->block_bytes;
    return h->block;
}

TBH_FN void tbh_mux_in_commit(tbh_mux *h, size_t n) {
    h->fill += n;
    h->block_used = tbh_max_size(h->block_used, n);
    if (h->is_failed) h->at = h->fill;
    if (n == h->block_bytes && tbh_mux_wanted_bytes(h) < h->limits->receive_bytes)
        h->full_receives++;
    else if (n < h->block_bytes / 4 && h->full_receives > 0) h->full_receives--;
}

TBH_FN void tbh_mux_in_end(tbh_mux *h) {
    h->is_ended = true;
}

TBH_FN bool tbh_mux_in_wanted(const tbh_mux *h) {
    return h->at == h->fill && !(h->is_failed | h->is_ended | h->end_is_due);
}

/* ------------------------------------------------------------ which stream */
/* §5.1: numbers that were never used are nobody's; those below `next_id` had their time. */
static bool tbh_mux_is_idle(const tbh_mux *h, uint32_t id) {
    return id % 2 == 0 || id >= h->next_id || id < h->options.first_id;
}

static bool tbh_mux_select(tbh_mux *h, uint32_t id) {
    h->reading = tbh_mux_find(h, id);
    if (h->reading || !tbh_mux_is_idle(h, id)) return true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_PROTOCOL_ERROR);
    return false;
}

/* ------------------------------------------------------------ DATA (§6.1) */
/* More than the head said is refused before a byte of it is shown (§8.1.1). */
static uint32_t tbh_mux_count_body(tbh_mux_stream *stream, uint32_t n) {
    stream->received += n;
    bool is_too_much = stream->has_expected && stream->received > stream->expected;
    return is_too_much ? (uint32_t)TURBOHTTP_H2_PROTOCOL_ERROR : 0;
}

static void tbh_mux_on_data(tbh_mux *h, const turbohttp_h2_frame *frame) {
    bool is_connection, ends = (frame->flags & TURBOHTTP_H2_END_STREAM) != 0;
    if (!tbh_mux_select(h, frame->stream_id)) return;
    tbh_mux_stream *stream = h->reading;
    if (frame->length == 0 && !ends && !tbh_mux_count_control(h)) return;
    if (stream && stream->state == TBH_MUX_CLOSED) stream = h->reading = NULL;
    if (!stream && !tbh_mux_take_late(h, frame->length)) return;
    uint32_t code = tbh_mux_charge(h, stream, frame->length, &is_connection);
    if (code && is_connection) {
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, code);
        return;
    }
    /* END_STREAM is looked at when the bytes in front of it have come. */
    if (stream && !code && !stream->has_head) code = TURBOHTTP_H2_PROTOCOL_ERROR;
    if (stream && !code) code = tbh_mux_step(stream, TBH_MUX_IN_DATA);
    if (stream && !code) code = tbh_mux_count_body(stream, h->reader.left - h->reader.padding);
    if (!stream || !code) return;
    tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, code);
    h->reading = NULL;
}

/* Straight to the consumer, unless older bytes of the stream wait. */
static void tbh_mux_on_data_bytes(tbh_mux *h, turbohttp_span bytes, tbh_mux_event *event) {
    tbh_mux_stream *stream = h->reading;
    if (!stream || stream->state == TBH_MUX_CLOSED) return; /* given back with the frame's end */
    h->seen += (uint32_t)bytes.length;
    tbh_mux_offer(stream, bytes, event);
    if (!stream->held.length && !stream->is_paused) return;
    tbh_mux_settle(h);
    memset(event, 0, sizeof *event);
}

/* Padding, and bytes that nobody wants, are used up at once. */
static void tbh_mux_on_data_end(tbh_mux *h, const turbohttp_h2_frame *frame) {
    tbh_mux_stream *stream = h->reading;
    bool ends = (frame->flags & TURBOHTTP_H2_END_STREAM) != 0;
    if (stream && stream->state == TBH_MUX_CLOSED) stream = NULL;
    tbh_mux_credit(h, stream, frame->length - h->seen);
    h->reading = NULL;
    if (!stream || !ends) return;
    tbh_mux_step(stream, TBH_MUX_IN_DATA_END);
    tbh_mux_end_received(stream);
}

/* ------------------------------------------------------------ HEADERS, CONTINUATION (§6.2, §6.10) */
static void tbh_mux_on_headers(tbh_mux *h, const turbohttp_h2_frame *frame) {
    if (!tbh_mux_select(h, frame->stream_id)) return;
    tbh_mux_stream *stream = h->reading;
    if (stream && stream->state == TBH_MUX_CLOSED) stream = h->reading = NULL;
    if (!stream && !tbh_mux_count_control(h)) return;
    if (stream && stream->state == TBH_MUX_ENDED) { /* §5.1: the block is decoded all the same */
        tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_STREAM_CLOSED);
        h->reading = NULL;
    }
    tbh_mux_block_begin(h, (frame->flags & TURBOHTTP_H2_END_STREAM) != 0);
}

/* ------------------------------------------------------------ RST_STREAM (§6.4), GOAWAY (§6.8) */
static void tbh_mux_on_rst_stream(tbh_mux *h, uint32_t id, uint32_t code) {
    if (!tbh_mux_select(h, id)) return;
    tbh_mux_stream *stream = h->reading;
    h->reading = NULL;
    if (!tbh_mux_bucket_take(&h->resets, h->now_us)) { /* S-43 */
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_FLOOD, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
        return;
    }
    if (stream)
        tbh_mux_lose_stream(stream, TURBOHTTP_ERR_H2_RESET, code,
                            code == TURBOHTTP_H2_REFUSED_STREAM);
}

/* What the peer will not look at any more can be repeated elsewhere. */
static void tbh_mux_on_goaway(tbh_mux *h, uint32_t last, uint32_t code) {
    if (!tbh_mux_count_control(h)) return;
    h->is_draining = true;
    h->notices |= TBH_MUX_NOTICE_GOAWAY;
    h->code = code;
    if (last < h->goaway_last) h->goaway_last = last;
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next)
        if (stream->id > h->goaway_last)
            tbh_mux_lose_stream(stream, TURBOHTTP_ERR_H2_GOAWAY, code, true);
}

/* ------------------------------------------------------------ SETTINGS (§6.5), PING (§6.7) */
static void tbh_mux_on_setting(tbh_mux *h, turbohttp_h2_setting setting) {
    switch (setting.id) {
    case TURBOHTTP_H2_HEADER_TABLE_SIZE:
        tbh_mux_forget_common(h);
        turbohttp_hpack_encoder_resize(&h->encoder, setting.value);
        break;
    case TURBOHTTP_H2_MAX_CONCURRENT_STREAMS: h->peer_streams = setting.value; break;
    case TURBOHTTP_H2_INITIAL_WINDOW_SIZE: tbh_mux_on_initial_window(h, setting.value); break;
    default: break; /* our frames and lists are smaller than any peer's limit may be */
    }
}

static void tbh_mux_on_settings_ack(tbh_mux *h) {
    if (h->settings_due_us == UINT64_MAX) return; /* one too many brings nothing, and was counted */
    h->settings_due_us = UINT64_MAX;
    h->notices |= TBH_MUX_NOTICE_ACK;
}

static void tbh_mux_on_settings_end(tbh_mux *h, const turbohttp_h2_frame *frame) {
    if (frame->flags & TURBOHTTP_H2_ACK) tbh_mux_on_settings_ack(h);
    else if (tbh_mux_may_control(h)) turbohttp_h2_write_settings_ack(&h->out);
}

static void tbh_mux_on_ping(tbh_mux *h, const turbohttp_h2_event *in) {
    if (!tbh_mux_count_control(h)) return;
    if (!(in->frame.flags & TURBOHTTP_H2_ACK)) {
        if (tbh_mux_may_control(h)) turbohttp_h2_write_ping(&h->out, in->ping, true);
    } else if (h->ping_due_us != UINT64_MAX && tbh_load32_be(in->ping + 4) == h->pings) {
        h->ping_due_us = UINT64_MAX;
    }
}

/* ------------------------------------------------------------ the driver */
/* §3.4: the preface of a server is SETTINGS. */
static bool tbh_mux_is_in_order(tbh_mux *h, const turbohttp_h2_frame *frame) {
    bool is_settings = frame->type == TURBOHTTP_H2_SETTINGS && !(frame->flags & TURBOHTTP_H2_ACK);
    if (h->settings_seen || is_settings) return h->settings_seen = true;
    tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_PROTOCOL_ERROR);
    return false;
}

static void tbh_mux_on_frame(tbh_mux *h, const turbohttp_h2_event *in) {
    const turbohttp_h2_frame *frame = &in->frame;
    h->seen = 0;
    if (!tbh_mux_is_in_order(h, frame)) return;
    switch (frame->type) {
    case TURBOHTTP_H2_DATA: tbh_mux_on_data(h, frame); break;
    case TURBOHTTP_H2_HEADERS: tbh_mux_on_headers(h, frame); break;
    case TURBOHTTP_H2_RST_STREAM: tbh_mux_on_rst_stream(h, frame->stream_id, in->error); break;
    case TURBOHTTP_H2_PUSH_PROMISE: /* ENABLE_PUSH is 0 (§8.4, S-44) */
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_PROTOCOL, TURBOHTTP_H2_PROTOCOL_ERROR);
        break;
    case TURBOHTTP_H2_PING: tbh_mux_on_ping(h, in); break;
    case TURBOHTTP_H2_GOAWAY: tbh_mux_on_goaway(h, in->other_id, in->error); break;
    case TURBOHTTP_H2_WINDOW_UPDATE:
        if (frame->stream_id == 0 || tbh_mux_select(h, frame->stream_id))
            tbh_mux_on_window_update(h, frame->stream_id, in->increment);
        h->reading = NULL;
        break;
    case TURBOHTTP_H2_CONTINUATION: break;
    default: tbh_mux_count_control(h); break; /* SETTINGS, PRIORITY and what we do not know */
    }
}

static void tbh_mux_on_bytes(tbh_mux *h, const turbohttp_h2_frame *frame, turbohttp_span bytes,
                             tbh_mux_event *event) {
    bool is_block = frame->type == TURBOHTTP_H2_HEADERS || frame->type == TURBOHTTP_H2_CONTINUATION;
    if (frame->type == TURBOHTTP_H2_DATA) tbh_mux_on_data_bytes(h, bytes, event);
    else if (is_block) tbh_mux_block_bytes(h, bytes);
}

static void tbh_mux_on_end(tbh_mux *h, const turbohttp_h2_frame *frame, tbh_mux_event *event) {
    bool is_block = frame->type == TURBOHTTP_H2_HEADERS || frame->type == TURBOHTTP_H2_CONTINUATION;
    if (frame->type == TURBOHTTP_H2_DATA) tbh_mux_on_data_end(h, frame);
    else if (is_block && (frame->flags & TURBOHTTP_H2_END_HEADERS)) tbh_mux_block_end(h, event);
    else if (frame->type == TURBOHTTP_H2_SETTINGS) tbh_mux_on_settings_end(h, frame);
}

/* Most frames come whole: their body needs no further words of the reader. What ends with the frame
 * waits until the body is settled. */
static void tbh_mux_on_whole_body(tbh_mux *h, const turbohttp_h2_frame *frame,
                                  tbh_mux_event *event) {
    turbohttp_span body;
    if (TBH_SMALL || h->is_failed) return;
    if (!tbh_h2_read_body(&h->reader, h->at, h->fill, &body)) return;
    h->at += body.length;
    if (body.length) tbh_mux_on_bytes(h, frame, body, event);
    if (event->kind != TBH_MUX_NOTHING) h->end_is_due = true;
    else if (!h->is_failed) tbh_mux_on_end(h, frame, event);
}

static void tbh_mux_on_stream_error(tbh_mux *h, const turbohttp_h2_event *in) {
    if (!tbh_mux_is_in_order(h, &in->frame) || !tbh_mux_count_control(h)) return;
    tbh_mux_stream *stream = tbh_mux_find(h, in->frame.stream_id);
    if (stream) tbh_mux_reset_stream(stream, TURBOHTTP_ERR_H2_PROTOCOL, in->error);
}

static void tbh_mux_on_event(tbh_mux *h, const turbohttp_h2_event *in, tbh_mux_event *event) {
    switch (in->kind) {
    case TURBOHTTP_H2_EVENT_FRAME:
        tbh_mux_on_frame(h, in);
        tbh_mux_on_whole_body(h, &in->frame, event);
        break;
    case TURBOHTTP_H2_EVENT_SETTING: tbh_mux_on_setting(h, in->setting); break;
    case TURBOHTTP_H2_EVENT_BYTES: tbh_mux_on_bytes(h, &in->frame, in->bytes, event); break;
    case TURBOHTTP_H2_EVENT_STREAM_ERROR: tbh_mux_on_stream_error(h, in); break;
    case TURBOHTTP_H2_EVENT_END: tbh_mux_on_end(h, &in->frame, event); break;
    }
}

static bool tbh_mux_next_notice(tbh_mux *h, tbh_mux_event *event) {
    static const uint8_t kinds[] = {TBH_MUX_SETTINGS_ACK, TBH_MUX_GOAWAY, TBH_MUX_FAILED};
    if (!h->notices) return false;
    unsigned first = h->notices & 1 ? 0 : h->notices & 2 ? 1 : 2;
    h->notices = (uint8_t)(h->notices & ~(1u << first));
    event->kind = (tbh_mux_event_kind)kinds[first];
    return true;
}

/* The peer has gone: what is not whole now will never be. */
static void tbh_mux_on_peer_end(tbh_mux *h) {
    tbh_mux_stream *stream = h->queues[TBH_MUX_LIVE].first;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next)
        if (stream->has_head) tbh_mux_lose_stream(stream, TURBOHTTP_ERR_BODY_TRUNCATED, 0, false);
    tbh_mux_fail(h, TURBOHTTP_ERR_NO_RESPONSE, TURBOHTTP_H2_NO_ERROR);
}

/* False: bytes are missing. The end of a frame is said without any. */
static bool tbh_mux_read(tbh_mux *h, tbh_mux_event *event) {
    turbohttp_h2_event in;
    const uint8_t *at = h->at;
    size_t left = (size_t)(h->fill - h->at);
    if (h->end_is_due) {
        h->end_is_due = false;
        tbh_mux_on_end(h, &h->reader.frame, event);
        return true;
    }
    if (!h->block) return false;
    if (left) h->last_receive_us = h->now_us;
    turbohttp_status status = turbohttp_h2_read(&h->reader, &at, &left, &in);
    h->at += at - h->at;
    if (status == TURBOHTTP_OK) tbh_mux_on_event(h, &in, event);
    else if (status < 0) tbh_mux_fail(h, status, in.error);
    return status != TURBOHTTP_PENDING;
}

/* Each turn takes something off a queue, or bytes off the input. */
TBH_FN tbh_mux_event_kind tbh_mux_next(tbh_mux *h, uint64_t now_us, tbh_mux_event *event) {
    h->now_us = now_us;
    if (h->offered_to) tbh_mux_settle(h);
    memset(event, 0, sizeof *event);
    for (;;) {
        if (tbh_mux_next_ready(h, event)) return event->kind;
        if (tbh_mux_next_notice(h, event)) return event->kind;
        if (h->is_failed) return TBH_MUX_NOTHING;
        if (tbh_mux_read(h, event)) {
            if (event->kind != TBH_MUX_NOTHING) return event->kind;
        } else if (h->is_ended) {
            tbh_mux_on_peer_end(h);
        } else {
            tbh_mux_return_scratch(h);
            if (h->queues[TBH_MUX_LIVE].count == 0) tbh_mux_drop_block(h);
            return TBH_MUX_NOTHING;
        }
    }
}

/* ------------------------------------------------------------ time */
TBH_FN void tbh_mux_ask(tbh_mux *h, uint64_t answer_us) {
    uint8_t bytes[8] = {'t', 'u', 'r', 'b', 0, 0, 0, 0};
    if (h->ping_due_us != UINT64_MAX || h->is_failed) return;
    tbh_store32_be(bytes + 4, ++h->pings);
    h->ping_sent_us = h->now_us;
    h->ping_due_us = h->now_us + answer_us;
    if (tbh_mux_may_control(h)) turbohttp_h2_write_ping(&h->out, bytes, false);
}

/* The answer may stand behind many bytes: as long as there are any, the peer is not silent. */
static void tbh_mux_miss_answer(tbh_mux *h) {
    h->ping_due_us = UINT64_MAX;
    if (h->last_receive_us <= h->ping_sent_us)
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_SILENCE, TURBOHTTP_H2_NO_ERROR);
}

TBH_FN void tbh_mux_tick(tbh_mux *h, uint64_t now_us) {
    h->now_us = now_us;
    if (now_us >= h->settings_due_us)
        tbh_mux_fail(h, TURBOHTTP_ERR_H2_SILENCE, TURBOHTTP_H2_SETTINGS_TIMEOUT);
    if (now_us >= h->ping_due_us) tbh_mux_miss_answer(h);
    if (h->is_failed || now_us < h->ping_at_us) return;
    uint64_t quiet_until_us = h->last_receive_us + h->options.ping_us;
    bool is_silent = now_us >= quiet_until_us;
    h->ping_at_us = is_silent ? now_us + h->options.ping_us : quiet_until_us;
    if (is_silent) tbh_mux_ask(h, h->options.ping_answer_us);
}

TBH_FN uint64_t tbh_mux_deadline(const tbh_mux *h) {
    uint64_t due = h->settings_due_us;
    if (h->ping_at_us < due) due = h->ping_at_us;
    return h->ping_due_us < due ? h->ping_due_us : due;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

/* ========================================================================
 * src/engine/body.h
 * ======================================================================= */
/* The way of a response body after its framing: content decoding, limits, and where it goes. */
#if TBH_INFLATE
#endif

/* What one response may grow to. */
typedef struct tbh_body_limits {
    uint64_t decoded_bytes; /* UINT64_MAX: none */
    uint32_t ratio;         /* decoded : wire, judged from 1 MiB on */
} tbh_body_limits;

typedef struct tbh_body {
    turbohttp_byte_pool *blocks;
    turbohttp_object_pool *inflaters;
    tbh_body_limits limits;
    turbohttp_body_write write; /* NULL: into the store */
    void *user;
    turbohttp_segments *store;
    void *inflater;            /* rented; NULL: not decoded */
    turbohttp_segment *output; /* decoded bytes for `write` */
    uint32_t block_bytes;
    uint64_t wire, decoded; /* bytes in, bytes out */
    size_t quota;           /* decoded bytes that may still be made in this poll */
    bool is_refused;        /* the last offer to the sink was answered with PENDING */
    bool has_more;          /* put an empty span to go on: output was held back */
} tbh_body;

/* The body is zero, `blocks`…`block_bytes` set. ERR_BODY_CODING when the coding is not known. */
TBH_FN turbohttp_status tbh_body_begin(tbh_body *body, turbohttp_content_coding coding);
/* Takes bytes from the wire: *taken says how many. OK · PENDING: the sink pauses · an error. */
TBH_FN turbohttp_status tbh_body_put(tbh_body *body, turbohttp_span wire, size_t *taken);
/* n bytes went into the store by themselves: only the limits are looked at. */
TBH_FN turbohttp_status tbh_body_stored(tbh_body *body, size_t n);
/* The framing says that the body is complete: is the decoder's stream complete, too? */
TBH_FN turbohttp_status tbh_body_finish(tbh_body *body);
TBH_FN void tbh_body_release(tbh_body *body);

/* ========================================================================
 * src/engine/body.c
 * ======================================================================= */
/* Response bodies: wire bytes in, decoded bytes to a sink or into the response's store.
 * Owns the inflater and the output block while a body is under way.
 * Invariants: decoded bytes are offered to the sink until it takes them, in order, once; the
 * limits are judged on decoded bytes (S-55, S-60), before they are handed on.
 * Does not know: framing, files, connections. */

/* Below this many decoded bytes no ratio is suspicious: deflate's headers and short runs. */
#define TBH_BODY_RATIO_FROM 1048576u

static turbohttp_status tbh_body_judge(const tbh_body *body) {
    if (body->decoded > body->limits.decoded_bytes) return TURBOHTTP_ERR_BODY_TOO_LARGE;
    if (body->decoded > TBH_BODY_RATIO_FROM && body->decoded / body->limits.ratio > body->wire)
        return TURBOHTTP_ERR_BODY_RATIO;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_body_sink(tbh_body *body, const void *data, size_t n) {
    if (n == 0) return TURBOHTTP_OK;
    turbohttp_status status = body->write(body->user, data, n);
    body->is_refused = status == TURBOHTTP_PENDING;
    if (status >= 0) return status == TURBOHTTP_PENDING ? status : TURBOHTTP_OK;
    return status == TURBOHTTP_ERR_FILE ? status : TURBOHTTP_ERR_BODY_SINK;
}

/* ------------------------------------------------------------ identity */
static turbohttp_status tbh_body_put_plain(tbh_body *body, turbohttp_span wire, size_t *taken) {
    body->wire += wire.length;
    body->decoded += wire.length;
    turbohttp_status status = tbh_body_judge(body);
    if (status == TURBOHTTP_OK)
        status = body->write ? tbh_body_sink(body, wire.data, wire.length)
                             : turbohttp_segments_append(body->store, wire.data, wire.length);
    if (status == TURBOHTTP_OK) {
        *taken = wire.length;
        return status;
    }
    body->wire -= wire.length;
    body->decoded -= wire.length;
    return status;
}

TBH_FN turbohttp_status tbh_body_stored(tbh_body *body, size_t n) {
    body->wire += n;
    body->decoded += n;
    return tbh_body_judge(body);
}

/* ------------------------------------------------------------ decoding */
#if TBH_INFLATE
/* Where decoded bytes go next: the store's own segments, or the output block. */
static uint8_t *tbh_body_room(tbh_body *body, size_t *room) {
    if (!body->write) return (uint8_t *)turbohttp_segments_room(body->store, room);
    if (!body->output) body->output = tbh_segment_rent(body->blocks, body->block_bytes);
    return body->output ? tbh_segment_room(body->output, room) : NULL;
}

static turbohttp_status tbh_body_commit(tbh_body *body, size_t n) {
    body->decoded += n;
    body->quota = body->quota > n ? body->quota - n : 0;
    if (body->write) body->output->length += n;
    else turbohttp_segments_commit(body->store, n);
    return tbh_body_judge(body);
}

/* Offers what is decoded; PENDING leaves it where it is for the next offer. */
static turbohttp_status tbh_body_flush(tbh_body *body) {
    turbohttp_segment *output = body->output;
    if (!output || output->length == 0) return TURBOHTTP_OK;
    turbohttp_status status = tbh_body_sink(body, output->data, output->length);
    if (status == TURBOHTTP_OK) output->length = 0;
    return status;
}

/* Decodes until the input or one block of output is used up. */
static turbohttp_status tbh_body_decode_some(tbh_body *body, const uint8_t **in, size_t *length,
                                             bool *is_full) {
    size_t room = 0, before = *length;
    uint8_t *out = tbh_body_room(body, &room), *start = out;
    if (!out) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status =
        turbohttp_inflate_run((turbohttp_inflate *)body->inflater, in, length, &out, &room);
    body->wire += before - *length;
    *is_full = room == 0;
    turbohttp_status judged = tbh_body_commit(body, (size_t)(out - start));
    if (judged < 0) return status < 0 ? status : judged;
    turbohttp_status flushed = tbh_body_flush(body); /* what came before a fault is there, too */
    bool is_stuck = !*is_full && *length > 0;        /* bytes after the end of the stream */
    if (status < 0 || is_stuck) return status < 0 ? status : TURBOHTTP_ERR_INFLATE_DATA;
    return flushed;
}

static turbohttp_status tbh_body_put_coded(tbh_body *body, turbohttp_span wire, size_t *taken) {
    const uint8_t *in = (const uint8_t *)wire.data;
    size_t length = wire.length;
    bool is_full = true;
    turbohttp_status status = tbh_body_flush(body);
    while (status == TURBOHTTP_OK && (length > 0 || is_full)) {
        if (body->quota == 0) status = TURBOHTTP_PENDING;
        if (status == TURBOHTTP_OK) status = tbh_body_decode_some(body, &in, &length, &is_full);
    }
    *taken = wire.length - length;
    body->has_more = status == TURBOHTTP_PENDING;
    return status;
}

static turbohttp_status tbh_body_begin_decoder(tbh_body *body, turbohttp_content_coding coding) {
    body->inflater = turbohttp_object_pool_rent(body->inflaters);
    if (!body->inflater) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_inflate_init((turbohttp_inflate *)body->inflater,
                           coding == TURBOHTTP_CODING_GZIP ? TURBOHTTP_INFLATE_GZIP
                                                           : TURBOHTTP_INFLATE_DEFLATE_AUTO);
    return TURBOHTTP_OK;
}

/* A coded body of no bytes at all is what some servers send for an empty one. */
TBH_FN turbohttp_status tbh_body_finish(tbh_body *body) {
    if (!body->inflater || body->wire == 0) return TURBOHTTP_OK;
    turbohttp_span nothing = tbh_span(NULL, 0);
    size_t taken;
    turbohttp_status status = tbh_body_put_coded(body, nothing, &taken);
    if (status != TURBOHTTP_OK) return status;
    status = turbohttp_inflate_finish((turbohttp_inflate *)body->inflater);
    /* The message is whole, the compressed data in it is not. */
    return status == TURBOHTTP_ERR_BODY_TRUNCATED ? TURBOHTTP_ERR_INFLATE_DATA : status;
}
#else
static turbohttp_status tbh_body_put_coded(tbh_body *body, turbohttp_span wire, size_t *taken) {
    (void)body, (void)wire, (void)taken;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

static turbohttp_status tbh_body_begin_decoder(tbh_body *body, turbohttp_content_coding coding) {
    (void)body, (void)coding;
    return TURBOHTTP_ERR_BODY_CODING;
}

TBH_FN turbohttp_status tbh_body_finish(tbh_body *body) {
    (void)body;
    return TURBOHTTP_OK;
}
#endif

/* ------------------------------------------------------------ the whole */
TBH_FN turbohttp_status tbh_body_begin(tbh_body *body, turbohttp_content_coding coding) {
    if (coding == TURBOHTTP_CODING_IDENTITY) return TURBOHTTP_OK;
    if (coding == TURBOHTTP_CODING_OTHER) return TURBOHTTP_ERR_BODY_CODING;
    return tbh_body_begin_decoder(body, coding);
}

TBH_FN turbohttp_status tbh_body_put(tbh_body *body, turbohttp_span wire, size_t *taken) {
    *taken = 0;
    return body->inflater ? tbh_body_put_coded(body, wire, taken)
                          : tbh_body_put_plain(body, wire, taken);
}

TBH_FN void tbh_body_release(tbh_body *body) {
    if (body->inflater) turbohttp_object_pool_return(body->inflaters, body->inflater);
    if (body->output) tbh_segment_return(body->blocks, body->output);
    body->inflater = NULL;
    body->output = NULL;
}

/* ========================================================================
 * src/io/os.h
 * ======================================================================= */
/* The system, as seen by the rest of io/ and by client/: no OS header, no OS type, nothing blocks
 * unless its name says wait. Each function stands in exactly one os_<platform>.c. */

typedef intptr_t tbh_socket; /* descriptor or SOCKET */
#define TBH_NO_SOCKET ((tbh_socket)-1)

/* Whom to connect to: an address and port, or a Unix path when that is set. */
typedef struct tbh_peer {
    turbohttp_address address;
    uint16_t port;
    const char *unix_path;
} tbh_peer;

#define TBH_RECEIVE_WAIT_MS 50 /* the longest that tbh_os_receive_wait blocks */

typedef struct tbh_os_wake {
    tbh_socket listen_end, signal_end;
} tbh_os_wake;

/* The process that something was made in. Zero: nothing noted. */
typedef struct tbh_os_birth {
    volatile uint32_t *page; /* 1 in that process, 0 in its children; NULL: see process */
    int64_t process;
} tbh_os_birth;

#if TBH_SOCKETS
/* ------------------------------------------------------------ heap, clock, entropy */
TBH_FN turbohttp_allocator tbh_os_allocator(void);
TBH_FN uint64_t tbh_os_now_us(void *user);
TBH_FN bool tbh_os_random(void *user, void *bytes, size_t length);
TBH_FN uint64_t tbh_os_unix_seconds(void *user);

/* ------------------------------------------------------------ sockets
 * Non-blocking, close-on-exec, without signals. *system_code gets errno on errors. */

/* Starts a TCP or Unix connection: OK when it is up at once, PENDING while it is under way,
 * ERR_CONNECT, ERR_DESCRIPTORS or ERR_UNSUPPORTED with *out TBH_NO_SOCKET. */
TBH_FN turbohttp_status tbh_os_stream_open(const tbh_peer *peer, tbh_socket *out,
                                           int32_t *system_code);
/* A UDP socket connected to the peer, bound to a port that the system chose. */
TBH_FN turbohttp_status tbh_os_datagram_open(const tbh_peer *peer, tbh_socket *out,
                                             int32_t *system_code);
/* After the socket was reported writable: OK when the connection is up, else ERR_CONNECT. */
TBH_FN turbohttp_status tbh_os_stream_ready(tbh_socket s, int32_t *system_code);
TBH_FN turbohttp_status tbh_os_send(tbh_socket s, const void *data, size_t length, size_t *sent,
                                    int32_t *system_code);
/* OK with *received > 0 · PENDING · DONE at the peer's end (never for datagrams) · ERR_RECEIVE. */
TBH_FN turbohttp_status tbh_os_receive(tbh_socket s, void *data, size_t room, size_t *received,
                                       int32_t *system_code);
/* Lets tbh_os_receive_wait block on this socket: up to TBH_RECEIVE_WAIT_MS at a time. False: it
 * cannot on this system. tbh_os_receive stays non-blocking. */
TBH_FN bool tbh_os_receive_wait_prepare(tbh_socket s);
TBH_FN turbohttp_status tbh_os_receive_wait(tbh_socket s, void *data, size_t room, size_t *received,
                                            int32_t *system_code);
TBH_FN void tbh_os_socket_shut(tbh_socket s);

/* ------------------------------------------------------------ fork (S-85) */
TBH_FN void tbh_os_birth_note(tbh_os_birth *birth);
TBH_FN bool tbh_os_birth_is_elsewhere(const tbh_os_birth *birth);
TBH_FN void tbh_os_birth_forget(tbh_os_birth *birth);

/* ------------------------------------------------------------ wake-up between threads */
TBH_FN turbohttp_status tbh_os_wake_open(tbh_os_wake *wake, int32_t *system_code);
TBH_FN void tbh_os_wake_signal(const tbh_os_wake *wake); /* any thread */
TBH_FN void tbh_os_wake_drain(const tbh_os_wake *wake);
TBH_FN void tbh_os_wake_shut(tbh_os_wake *wake);
#endif

/* The system's sentence for an errno. */
TBH_FN void tbh_os_describe(int32_t system_code, char *text, size_t room);

/* ------------------------------------------------------------ files (these may block) */
typedef intptr_t tbh_file;
#define TBH_NO_FILE ((tbh_file)-1)
/* *length: of what is read; UINT64_MAX when only its end tells (a pipe, a terminal, a device). */
TBH_FN turbohttp_status tbh_os_file_open(const char *path, bool for_writing, tbh_file *out,
                                         uint64_t *length, int32_t *system_code);
/* OK with *got > 0, DONE at the end, ERR_FILE. */
TBH_FN turbohttp_status tbh_os_file_get(tbh_file f, void *data, size_t room, size_t *got,
                                        int32_t *system_code);
/* All of it, or ERR_FILE. */
TBH_FN turbohttp_status tbh_os_file_put(tbh_file f, const void *data, size_t length,
                                        int32_t *system_code);
/* Shuts the file; ERR_FILE when the last bytes could not be kept. */
TBH_FN turbohttp_status tbh_os_file_shut(tbh_file f, int32_t *system_code);
#if TBH_SOCKETS
/* Opens, reads once from `offset` on, and shuts: as turbohttp_tls_host.file_get. */
TBH_FN turbohttp_status tbh_os_file_get_at(void *user, const char *path, uint64_t offset,
                                           void *data, size_t room, size_t *got);
#endif

#if !defined(TURBOHTTP_NO_SOCKETS)
/* ========================================================================
 * src/io/os_posix.c
 * ======================================================================= */
/* The system: POSIX (Linux, BSD, macOS). The only file that calls the kernel and libc's heap for
 * the default configuration; `poll` itself stands in poller_poll.c, threads and getaddrinfo in
 * resolver_platform.c.
 * Invariants: every descriptor is close-on-exec; sends never raise SIGPIPE (S-84, S-86); every
 * receive and send says MSG_DONTWAIT, so a socket may be made blocking for tbh_os_receive_wait.
 * Does not know: HTTP, clients, requests. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#endif
#ifndef O_CLOEXEC
#error "TurboHTTP needs POSIX, hidden here by -std=c99: define _GNU_SOURCE before the first include"
#endif

#ifdef MSG_NOSIGNAL
#define TBH_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define TBH_SEND_FLAGS MSG_DONTWAIT /* SO_NOSIGPIPE is set on the socket */
#endif

/* ------------------------------------------------------------ heap, clock, entropy */
static void *tbh_posix_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void tbh_posix_release(void *user, void *block, size_t size) {
    (void)user;
    (void)size;
    free(block);
}

TBH_FN turbohttp_allocator tbh_os_allocator(void) {
    turbohttp_allocator a;
    a.user = NULL;
    a.allocate = tbh_posix_allocate;
    a.release = tbh_posix_release;
    return a;
}

TBH_FN uint64_t tbh_os_now_us(void *user) {
    struct timespec now;
    (void)user;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

TBH_FN uint64_t tbh_os_unix_seconds(void *user) {
    struct timespec now;
    (void)user;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0) return 0;
    return (uint64_t)now.tv_sec;
}

#if defined(__linux__)
static bool tbh_posix_entropy(void *bytes, size_t length) {
    return getrandom(bytes, length, 0) == (ssize_t)length;
}
#else
static bool tbh_posix_entropy(void *bytes, size_t length) {
    return getentropy(bytes, length) == 0;
}
#endif

/* Both sources give up to 256 bytes without interruption. */
TBH_FN bool tbh_os_random(void *user, void *bytes, size_t length) {
    uint8_t *at = (uint8_t *)bytes;
    (void)user;
    while (length > 0) {
        size_t n = tbh_min_size(length, 256);
        if (!tbh_posix_entropy(at, n)) return false;
        at += n;
        length -= n;
    }
    return true;
}

/* ------------------------------------------------------------ addresses */
typedef union tbh_posix_name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} tbh_posix_name;

static socklen_t tbh_posix_unix_name(const char *path, tbh_posix_name *name) {
    size_t n = strlen(path);
    if (n >= sizeof name->local.sun_path) return 0;
    name->local.sun_family = AF_UNIX;
    memcpy(name->local.sun_path, path, n + 1);
    return (socklen_t)sizeof name->local;
}

/* Returns the length, 0 when the peer cannot be expressed. */
static socklen_t tbh_posix_fill_name(const tbh_peer *peer, tbh_posix_name *name) {
    memset(name, 0, sizeof *name);
    if (peer->unix_path) return tbh_posix_unix_name(peer->unix_path, name);
    if (peer->address.family == 4) {
        name->v4.sin_family = AF_INET;
        name->v4.sin_port = htons(peer->port);
        memcpy(&name->v4.sin_addr, peer->address.bytes, 4);
        return (socklen_t)sizeof name->v4;
    }
    name->v6.sin6_family = AF_INET6;
    name->v6.sin6_port = htons(peer->port);
    name->v6.sin6_scope_id = peer->address.scope;
    memcpy(&name->v6.sin6_addr, peer->address.bytes, 16);
    return (socklen_t)sizeof name->v6;
}

/* ------------------------------------------------------------ sockets */
static turbohttp_status tbh_posix_failed(turbohttp_status status, int32_t *system_code) {
    *system_code = errno;
    return status;
}

#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
static int tbh_posix_socket(int family, int type) {
    return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}
#else
static int tbh_posix_socket(int family, int type) {
    int s = socket(family, type, 0), one = 1;
    if (s < 0) return s;
    fcntl(s, F_SETFD, FD_CLOEXEC);
    fcntl(s, F_SETFL, O_NONBLOCK);
#ifdef SO_NOSIGPIPE
    setsockopt(s, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
    (void)one;
    return s;
}
#endif

static turbohttp_status tbh_posix_open(const tbh_peer *peer, int type, tbh_socket *out,
                                       int32_t *system_code) {
    tbh_posix_name name;
    socklen_t length = tbh_posix_fill_name(peer, &name);
    int one = 1;
    *out = TBH_NO_SOCKET;
    *system_code = ENAMETOOLONG;
    if (length == 0) return TURBOHTTP_ERR_CONNECT;
    int s = tbh_posix_socket(name.any.sa_family, type);
    if (s < 0) {
        bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS;
        return tbh_posix_failed(exhausted ? TURBOHTTP_ERR_DESCRIPTORS : TURBOHTTP_ERR_CONNECT,
                                system_code);
    }
    /* Requests leave in one send: waiting for more (Nagle) only adds latency. */
    if (type == SOCK_STREAM && !peer->unix_path)
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *out = s;
    *system_code = 0;
    if (connect(s, &name.any, length) == 0) return TURBOHTTP_OK;
    if (errno == EINPROGRESS || errno == EINTR) return TURBOHTTP_PENDING;
    *system_code = errno;
    close(s);
    *out = TBH_NO_SOCKET;
    return TURBOHTTP_ERR_CONNECT;
}

TBH_FN turbohttp_status tbh_os_stream_open(const tbh_peer *peer, tbh_socket *out,
                                           int32_t *system_code) {
    return tbh_posix_open(peer, SOCK_STREAM, out, system_code);
}

TBH_FN turbohttp_status tbh_os_datagram_open(const tbh_peer *peer, tbh_socket *out,
                                             int32_t *system_code) {
    return tbh_posix_open(peer, SOCK_DGRAM, out, system_code);
}

TBH_FN turbohttp_status tbh_os_stream_ready(tbh_socket s, int32_t *system_code) {
    int failure = 0;
    socklen_t length = sizeof failure;
    if (getsockopt((int)s, SOL_SOCKET, SO_ERROR, &failure, &length) != 0) failure = errno;
    *system_code = failure;
    return failure ? TURBOHTTP_ERR_CONNECT : TURBOHTTP_OK;
}

static bool tbh_posix_would_block(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS;
}

TBH_FN turbohttp_status tbh_os_send(tbh_socket s, const void *data, size_t length, size_t *sent,
                                    int32_t *system_code) {
    ssize_t n = send((int)s, data, length, TBH_SEND_FLAGS);
    *sent = n > 0 ? (size_t)n : 0;
    if (n > 0) return TURBOHTTP_OK;
    if (n == 0 || tbh_posix_would_block()) return TURBOHTTP_PENDING;
    return tbh_posix_failed(TURBOHTTP_ERR_SEND, system_code);
}

static turbohttp_status tbh_posix_receive(tbh_socket s, void *data, size_t room, int flags,
                                          size_t *received, int32_t *system_code) {
    ssize_t n = recv((int)s, data, room, flags);
    *received = n > 0 ? (size_t)n : 0;
    if (n > 0) return TURBOHTTP_OK;
    if (n == 0) return TURBOHTTP_DONE;
    if (tbh_posix_would_block()) return TURBOHTTP_PENDING;
    return tbh_posix_failed(TURBOHTTP_ERR_RECEIVE, system_code);
}

TBH_FN turbohttp_status tbh_os_receive(tbh_socket s, void *data, size_t room, size_t *received,
                                       int32_t *system_code) {
    return tbh_posix_receive(s, data, room, MSG_DONTWAIT, received, system_code);
}

TBH_FN bool tbh_os_receive_wait_prepare(tbh_socket s) {
    struct timeval limit;
    limit.tv_sec = 0;
    limit.tv_usec = TBH_RECEIVE_WAIT_MS * 1000;
    int flags = fcntl((int)s, F_GETFL);
    return flags >= 0 && setsockopt((int)s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
           fcntl((int)s, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

TBH_FN turbohttp_status tbh_os_receive_wait(tbh_socket s, void *data, size_t room, size_t *received,
                                            int32_t *system_code) {
    return tbh_posix_receive(s, data, room, 0, received, system_code);
}

TBH_FN void tbh_os_socket_shut(tbh_socket s) {
    if (s != TBH_NO_SOCKET) close((int)s);
}

TBH_FN void tbh_os_describe(int32_t system_code, char *text, size_t room) {
    const char *sentence = strerror(system_code);
    size_t n = tbh_min_size(strlen(sentence), room - 1);
    memcpy(text, sentence, n);
    text[n] = 0;
}

/* ------------------------------------------------------------ wake-up */
/* Between pipe and fcntl another thread may fork and leave both ends to its child (S-86): an
 * eventfd is close-on-exec from the start, and one descriptor instead of two. */
#if defined(__linux__)
static bool tbh_posix_wake_ends(int ends[2]) {
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] >= 0;
}
#else
static bool tbh_posix_wake_ends(int ends[2]) {
    if (pipe(ends) != 0) return false;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}
#endif

TBH_FN turbohttp_status tbh_os_wake_open(tbh_os_wake *wake, int32_t *system_code) {
    int ends[2];
    wake->listen_end = wake->signal_end = TBH_NO_SOCKET;
    if (!tbh_posix_wake_ends(ends)) return tbh_posix_failed(TURBOHTTP_ERR_DESCRIPTORS, system_code);
    wake->listen_end = ends[0];
    wake->signal_end = ends[1];
    return TURBOHTTP_OK;
}

/* An eventfd takes eight bytes, a pipe any number; a full one wakes its reader all the same. */
TBH_FN void tbh_os_wake_signal(const tbh_os_wake *wake) {
    uint64_t one = 1;
    if (wake->signal_end == TBH_NO_SOCKET) return;
    ssize_t written = write((int)wake->signal_end, &one, sizeof one);
    (void)written;
}

TBH_FN void tbh_os_wake_drain(const tbh_os_wake *wake) {
    char bytes[64];
    ssize_t n = read((int)wake->listen_end, bytes, sizeof bytes);
    (void)n;
}

TBH_FN void tbh_os_wake_shut(tbh_os_wake *wake) {
    tbh_os_socket_shut(wake->listen_end);
    if (wake->signal_end != wake->listen_end) tbh_os_socket_shut(wake->signal_end);
    wake->listen_end = wake->signal_end = TBH_NO_SOCKET;
}

/* ------------------------------------------------------------ fork */
/* A page that the system empties in a child tells them apart for one load; where there is none, a
 * process is asked for its number. */
#if defined(MADV_WIPEONFORK) && defined(MAP_ANONYMOUS)
static void *tbh_posix_wiped_page(void) {
    void *page =
        mmap(NULL, sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return NULL;
    if (madvise(page, sizeof(uint32_t), MADV_WIPEONFORK) == 0) return page;
    munmap(page, sizeof(uint32_t));
    return NULL;
}

static void tbh_posix_drop_page(void *page) {
    munmap(page, sizeof(uint32_t));
}
#else
static void *tbh_posix_wiped_page(void) {
    return NULL;
}

static void tbh_posix_drop_page(void *page) {
    (void)page;
}
#endif

TBH_FN void tbh_os_birth_note(tbh_os_birth *birth) {
    if (!birth->page) birth->page = (volatile uint32_t *)tbh_posix_wiped_page();
    if (birth->page) *birth->page = 1;
    birth->process = (int64_t)getpid();
}

TBH_FN bool tbh_os_birth_is_elsewhere(const tbh_os_birth *birth) {
    if (birth->page) return *birth->page == 0;
    return birth->process != 0 && birth->process != (int64_t)getpid();
}

TBH_FN void tbh_os_birth_forget(tbh_os_birth *birth) {
    if (birth->page) tbh_posix_drop_page((void *)(uintptr_t)birth->page);
    birth->page = NULL;
}

/* ------------------------------------------------------------ files */
TBH_FN turbohttp_status tbh_os_file_open(const char *path, bool for_writing, tbh_file *out,
                                         uint64_t *length, int32_t *system_code) {
    struct stat about;
    int flags = for_writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
    int f = open(path, flags | O_CLOEXEC, 0666);
    *out = TBH_NO_FILE;
    *length = 0;
    if (f < 0) return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
    bool is_known = fstat(f, &about) == 0 && S_ISREG(about.st_mode);
    if (is_known && about.st_size > 0) *length = (uint64_t)about.st_size;
    if (!is_known) *length = UINT64_MAX;
    *out = f;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_os_file_get(tbh_file f, void *data, size_t room, size_t *got,
                                        int32_t *system_code) {
    ssize_t n;
    do n = read((int)f, data, room);
    while (n < 0 && errno == EINTR);
    *got = n > 0 ? (size_t)n : 0;
    if (n < 0) return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
    return n > 0 ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

TBH_FN turbohttp_status tbh_os_file_get_at(void *user, const char *path, uint64_t offset,
                                           void *data, size_t room, size_t *got) {
    tbh_file f;
    uint64_t length;
    int32_t code;
    (void)user;
    *got = 0;
    turbohttp_status status = tbh_os_file_open(path, false, &f, &length, &code);
    if (status != TURBOHTTP_OK) return status;
    bool is_there = lseek((int)f, (off_t)offset, SEEK_SET) >= 0;
    status = is_there ? tbh_os_file_get(f, data, room, got, &code) : TURBOHTTP_ERR_FILE;
    tbh_os_file_shut(f, &code);
    return status;
}

TBH_FN turbohttp_status tbh_os_file_put(tbh_file f, const void *data, size_t length,
                                        int32_t *system_code) {
    const uint8_t *at = (const uint8_t *)data;
    while (length > 0) {
        ssize_t n = write((int)f, at, length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
        at += n;
        length -= (size_t)n;
    }
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_os_file_shut(tbh_file f, int32_t *system_code) {
    if (f == TBH_NO_FILE || close((int)f) == 0) return TURBOHTTP_OK;
    return tbh_posix_failed(TURBOHTTP_ERR_FILE, system_code);
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) */

/* ========================================================================
 * src/io/poller.h
 * ======================================================================= */
/* Readiness of many sockets: a set that is kept, not rebuilt (DESIGN §3). */

enum { TBH_WANT_RECEIVE = 1, TBH_WANT_SEND = 2 };

/* From here on epoll pays for its descriptor and for the calls that enter and leave its set: with
 * a handful of sockets poll(2) is as fast, with 16 it takes 1.15 times as long per request. */
#ifndef TBH_EPOLL_FROM
#define TBH_EPOLL_FROM 16u
#endif

/* Who is interested in a socket; embedded in its owner. */
typedef struct tbh_watch {
    tbh_socket descriptor;
    void *owner;    /* what the client should look at when the socket is ready */
    uint32_t place; /* 1 + index in the poller's arrays; 0: not watched */
    uint32_t event; /* epoll: 1 + index in what the last wait reported; 0: not in it */
    uint8_t wants;  /* TBH_WANT_… */
    uint8_t ready;  /* TBH_WANT_… seen by the last wait */
    uint8_t armed;  /* epoll: TBH_WANT_… that the system was told */
} tbh_watch;

typedef struct tbh_poller tbh_poller;

/* A way to wait. `entries` has entry_bytes for each place of the set. */
typedef struct tbh_poller_backend {
    turbohttp_io io;
    size_t entry_bytes;
    /* The watch has its place, descriptor and wants. */
    turbohttp_status (*add)(tbh_poller *poller, tbh_watch *watch);
    void (*change)(tbh_poller *poller, tbh_watch *watch);
    /* Before the last watch takes the place of this one. */
    void (*remove)(tbh_poller *poller, tbh_watch *watch);
    uint32_t (*wait)(tbh_poller *poller, uint32_t timeout_ms);
    tbh_watch *(*next)(tbh_poller *poller, uint32_t *cursor);
} tbh_poller_backend;

struct tbh_poller {
    const turbohttp_allocator *allocator;
    const tbh_poller_backend *backend;
    void *entries;       /* the backend's array */
    tbh_watch **watches; /* parallel to it */
    uint32_t count, capacity;
    uint32_t rotation; /* poll: where the next round starts, so that nobody is always last */
    uint32_t events;   /* epoll: reported by the last wait */
    tbh_socket set;    /* epoll: the system's set */
    bool may_move;     /* poll, until TBH_EPOLL_FROM sockets are watched */
};

#if TBH_SOCKETS
/* What cannot be had is replaced by poll: see poller->backend->io. */
TBH_FN void tbh_poller_init(tbh_poller *poller, const turbohttp_allocator *allocator,
                            turbohttp_io wanted);
TBH_FN void tbh_poller_fini(tbh_poller *poller);
TBH_FN turbohttp_status tbh_poller_add(tbh_poller *poller, tbh_watch *watch, tbh_socket s,
                                       uint8_t wants, void *owner);
TBH_FN void tbh_poller_change(tbh_poller *poller, tbh_watch *watch, uint8_t wants);
/* The socket must still be open. */
TBH_FN void tbh_poller_remove(tbh_poller *poller, tbh_watch *watch);
/* In a child of fork the system's set is the parent's too: what is changed and removed from now on
 * does not reach it. Nothing is reported any more; tbh_poller_fini must follow. */
TBH_FN void tbh_poller_disown(tbh_poller *poller);
/* Waits up to timeout_ms (TURBOHTTP_NO_TIMEOUT: for ever) and sets `ready` of every watch. */
TBH_FN uint32_t tbh_poller_wait(tbh_poller *poller, uint32_t timeout_ms);
/* The next ready watch of the last wait, NULL at the end; *cursor starts at 0. Watches may be
 * added and removed between calls: one that moves is then seen by the next wait. */
TBH_FN tbh_watch *tbh_poller_next(tbh_poller *poller, uint32_t *cursor);

/* poller_poll.c, poller_epoll.c */
TBH_FN void tbh_poller_use_poll(tbh_poller *poller);
#endif

#if TBH_EPOLL
/* False: no descriptor left for the set, or not allowed to have one. */
TBH_FN bool tbh_poller_use_epoll(tbh_poller *poller);
#endif

#if !defined(TURBOHTTP_NO_SOCKETS)
/* ========================================================================
 * src/io/poller.c
 * ======================================================================= */
/* The set of watches, whatever the system's way to wait for them is.
 * Owns two parallel arrays that grow by doubling; a removed entry is replaced by the last one.
 * Invariant: watches[i]->place == i + 1. Does not know: what the sockets are for, how the backend
 * waits. */

TBH_FN void tbh_poller_init(tbh_poller *poller, const turbohttp_allocator *allocator,
                            turbohttp_io wanted) {
    memset(poller, 0, sizeof *poller);
    poller->allocator = allocator;
    poller->set = TBH_NO_SOCKET;
#if TBH_EPOLL
    if (wanted == TURBOHTTP_IO_EPOLL && tbh_poller_use_epoll(poller)) return;
#endif
    poller->may_move = wanted == TURBOHTTP_IO_DEFAULT;
    tbh_poller_use_poll(poller);
}

#if TBH_EPOLL
/* Watches as epoll would; false: it cannot, and nothing is kept. */
static bool tbh_poller_copy_to_epoll(const tbh_poller *poller, tbh_poller *copy) {
    *copy = *poller;
    if (!tbh_poller_use_epoll(copy)) return false;
    size_t bytes = poller->capacity * copy->backend->entry_bytes;
    copy->entries = tbh_allocate(poller->allocator, bytes);
    bool is_good = copy->entries != NULL;
    if (is_good) memset(copy->entries, 0, bytes);
    for (uint32_t i = 0; i < poller->count && is_good; i++)
        is_good = copy->backend->add(copy, poller->watches[i]) == TURBOHTTP_OK;
    if (is_good) return true;
    if (copy->entries) tbh_release(poller->allocator, copy->entries, bytes);
    tbh_os_socket_shut(copy->set);
    return false;
}

/* Takes the whole set along, once; where that fails, poll goes on. */
static void tbh_poller_move_to_epoll(tbh_poller *poller) {
    tbh_poller moved;
    poller->may_move = false;
    if (!tbh_poller_copy_to_epoll(poller, &moved)) return;
    tbh_release(poller->allocator, poller->entries,
                poller->capacity * poller->backend->entry_bytes);
    *poller = moved;
    for (uint32_t i = 0; i < poller->count; i++) poller->watches[i]->ready = 0; /* told again */
}
#endif

static void tbh_poller_release(tbh_poller *poller) {
    size_t n = poller->capacity;
    if (!n) return;
    tbh_release(poller->allocator, poller->entries, n * poller->backend->entry_bytes);
    tbh_release(poller->allocator, poller->watches, n * sizeof(tbh_watch *));
}

TBH_FN void tbh_poller_fini(tbh_poller *poller) {
    if (!poller->backend) return; /* never begun */
    tbh_poller_release(poller);
    tbh_os_socket_shut(poller->set);
    memset(poller, 0, sizeof *poller);
}

static turbohttp_status tbh_poller_grow(tbh_poller *poller) {
    size_t old = poller->capacity, capacity = old ? old * 2 : 16;
    size_t entry_bytes = poller->backend->entry_bytes;
    tbh_poller bigger = *poller;
    bigger.capacity = (uint32_t)capacity;
    bigger.entries = tbh_allocate(poller->allocator, capacity * entry_bytes);
    if (!bigger.entries) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    bigger.watches = (tbh_watch **)tbh_allocate(poller->allocator, capacity * sizeof(tbh_watch *));
    if (!bigger.watches) {
        tbh_release(poller->allocator, bigger.entries, capacity * entry_bytes);
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    memset(bigger.entries, 0, capacity * entry_bytes);
    if (old) memcpy(bigger.entries, poller->entries, old * entry_bytes);
    if (old) memcpy(bigger.watches, poller->watches, poller->count * sizeof(tbh_watch *));
    tbh_poller_release(poller);
    *poller = bigger;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_poller_add(tbh_poller *poller, tbh_watch *watch, tbh_socket s,
                                       uint8_t wants, void *owner) {
#if TBH_EPOLL
    if (poller->may_move && poller->count >= TBH_EPOLL_FROM) tbh_poller_move_to_epoll(poller);
#endif
    if (poller->count == poller->capacity) {
        turbohttp_status grown = tbh_poller_grow(poller);
        if (grown != TURBOHTTP_OK) return grown;
    }
    memset(watch, 0, sizeof *watch);
    watch->descriptor = s;
    watch->owner = owner;
    watch->wants = wants;
    watch->place = poller->count + 1;
    turbohttp_status status = poller->backend->add(poller, watch);
    if (status == TURBOHTTP_OK) poller->watches[poller->count++] = watch;
    else watch->place = 0;
    return status;
}

TBH_FN void tbh_poller_change(tbh_poller *poller, tbh_watch *watch, uint8_t wants) {
    if (watch->wants == wants || !watch->place) return;
    watch->wants = wants;
    poller->backend->change(poller, watch);
}

TBH_FN void tbh_poller_remove(tbh_poller *poller, tbh_watch *watch) {
    if (!watch->place) return;
    poller->backend->remove(poller, watch);
    uint32_t hole = watch->place - 1, last = --poller->count;
    poller->watches[hole] = poller->watches[last];
    poller->watches[hole]->place = hole + 1;
    watch->place = 0;
    watch->ready = 0;
}

TBH_FN void tbh_poller_disown(tbh_poller *poller) {
    tbh_os_socket_shut(poller->set);
    poller->set = TBH_NO_SOCKET;
}

TBH_FN uint32_t tbh_poller_wait(tbh_poller *poller, uint32_t timeout_ms) {
    return poller->backend->wait(poller, timeout_ms);
}

TBH_FN tbh_watch *tbh_poller_next(tbh_poller *poller, uint32_t *cursor) {
    return poller->backend->next(poller, cursor);
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) */

#if !defined(TURBOHTTP_NO_SOCKETS)
/* ========================================================================
 * src/io/poller_poll.c
 * ======================================================================= */
/* Readiness by poll(2): works with any number of descriptors (S-83), everywhere.
 * Its entries are the array that poll(2) takes. Does not know what the sockets are for. */
#include <poll.h>

static struct pollfd *tbh_poll_entries(const tbh_poller *poller) {
    return (struct pollfd *)poller->entries;
}

static short tbh_poll_events(uint8_t wants) {
    int events = (wants & TBH_WANT_RECEIVE ? POLLIN : 0) | (wants & TBH_WANT_SEND ? POLLOUT : 0);
    return (short)events;
}

/* A hang-up is reported even to those who want nothing: poll(2) skips negative descriptors, so a
 * paused body whose peer is gone does not keep the loop awake. */
static void tbh_poll_change(tbh_poller *poller, tbh_watch *watch) {
    struct pollfd *entry = &tbh_poll_entries(poller)[watch->place - 1];
    entry->fd = watch->wants ? (int)watch->descriptor : -1;
    entry->events = tbh_poll_events(watch->wants);
}

static turbohttp_status tbh_poll_add(tbh_poller *poller, tbh_watch *watch) {
    tbh_poll_entries(poller)[watch->place - 1].revents = 0;
    tbh_poll_change(poller, watch);
    return TURBOHTTP_OK;
}

static void tbh_poll_remove(tbh_poller *poller, tbh_watch *watch) {
    struct pollfd *entries = tbh_poll_entries(poller);
    entries[watch->place - 1] = entries[poller->count - 1];
}

/* Errors and hang-ups make both directions ready: the next send or receive tells what it was. */
static uint8_t tbh_poll_readiness(int revents) {
    int failed = revents & (POLLERR | POLLHUP | POLLNVAL);
    return (uint8_t)((revents & POLLIN || failed ? TBH_WANT_RECEIVE : 0) |
                     (revents & POLLOUT || failed ? TBH_WANT_SEND : 0));
}

static uint32_t tbh_poll_wait(tbh_poller *poller, uint32_t timeout_ms) {
    struct pollfd *entries = tbh_poll_entries(poller);
    int timeout = timeout_ms > 0x7fffffffu ? -1 : (int)timeout_ms;
    int ready = poll(entries, poller->count, timeout);
    uint32_t left = ready > 0 ? (uint32_t)ready : 0;
    for (uint32_t i = 0; i < poller->count; i++) {
        int revents = left ? entries[i].revents : 0;
        poller->watches[i]->ready = revents ? tbh_poll_readiness(revents) : 0;
        if (revents) left--;
    }
    poller->rotation++;
    return ready > 0 ? (uint32_t)ready : 0;
}

static tbh_watch *tbh_poll_next(tbh_poller *poller, uint32_t *cursor) {
    while (*cursor < poller->count) {
        uint32_t i = (poller->rotation + (*cursor)++) % poller->count;
        if (poller->watches[i]->ready) return poller->watches[i];
    }
    return NULL;
}

static const tbh_poller_backend tbh_poll_backend = {
    TURBOHTTP_IO_POLL, sizeof(struct pollfd), tbh_poll_add, tbh_poll_change,
    tbh_poll_remove,   tbh_poll_wait,         tbh_poll_next};

TBH_FN void tbh_poller_use_poll(tbh_poller *poller) {
    poller->backend = &tbh_poll_backend;
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) */

#if !defined(TURBOHTTP_NO_SOCKETS) && !defined(TURBOHTTP_NO_EPOLL)
/* ========================================================================
 * src/io/poller_epoll.c
 * ======================================================================= */
/* Readiness by epoll(7), Linux: the cost of a wait grows with what is ready, not with what is open.
 * Owns the system's set; its entries are the events of the last wait, room for every watch.
 * Invariants: the system is told only when more is wanted than it knows (`armed`); what it reports
 * and nobody wants any more is corrected at that moment, so a watch that goes back and forth between
 * two wants costs no call; an event whose watch was removed points nowhere.
 * Does not know: what the sockets are for. */
#if TBH_EPOLL
#include <sys/epoll.h>

static struct epoll_event *tbh_epoll_events(const tbh_poller *poller) {
    return (struct epoll_event *)poller->entries;
}

/* Level-triggered. A hang-up is reported even to those who want nothing: once, for them. */
static bool tbh_epoll_tell(tbh_poller *poller, tbh_watch *watch, int operation) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    if (watch->wants & TBH_WANT_RECEIVE) event.events |= EPOLLIN;
    if (watch->wants & TBH_WANT_SEND) event.events |= EPOLLOUT;
    if (!watch->wants) event.events = EPOLLONESHOT;
    event.data.ptr = watch;
    watch->armed = watch->wants;
    return epoll_ctl((int)poller->set, operation, (int)watch->descriptor, &event) == 0;
}

static turbohttp_status tbh_epoll_add(tbh_poller *poller, tbh_watch *watch) {
    /* Fails when the kernel has no memory, or fs.epoll.max_user_watches are in use. */
    return tbh_epoll_tell(poller, watch, EPOLL_CTL_ADD) ? TURBOHTTP_OK : TURBOHTTP_ERR_DESCRIPTORS;
}

static void tbh_epoll_change(tbh_poller *poller, tbh_watch *watch) {
    if (watch->wants & ~watch->armed) tbh_epoll_tell(poller, watch, EPOLL_CTL_MOD);
}

static void tbh_epoll_remove(tbh_poller *poller, tbh_watch *watch) {
    struct epoll_event unused;
    memset(&unused, 0, sizeof unused);
    epoll_ctl((int)poller->set, EPOLL_CTL_DEL, (int)watch->descriptor, &unused);
    if (watch->event) tbh_epoll_events(poller)[watch->event - 1].data.ptr = NULL;
    watch->event = 0;
}

/* Errors and hang-ups make both directions ready: the next send or receive tells what it was. */
static uint8_t tbh_epoll_readiness(uint32_t events) {
    uint32_t failed = events & (EPOLLERR | EPOLLHUP);
    return (uint8_t)((events & EPOLLIN || failed ? TBH_WANT_RECEIVE : 0) |
                     (events & EPOLLOUT || failed ? TBH_WANT_SEND : 0));
}

static void tbh_epoll_forget_events(tbh_poller *poller) {
    const struct epoll_event *events = tbh_epoll_events(poller);
    for (uint32_t i = 0; i < poller->events; i++) {
        tbh_watch *watch = (tbh_watch *)events[i].data.ptr;
        if (watch) watch->ready = 0, watch->event = 0;
    }
    poller->events = 0;
}

/* False: nobody wants to hear of this one. */
static bool tbh_epoll_note(tbh_poller *poller, uint32_t i) {
    const struct epoll_event *event = &tbh_epoll_events(poller)[i];
    tbh_watch *watch = (tbh_watch *)event->data.ptr;
    uint8_t ready = tbh_epoll_readiness(event->events);
    watch->event = i + 1;
    if (ready & ~watch->wants && watch->armed != watch->wants)
        tbh_epoll_tell(poller, watch, EPOLL_CTL_MOD);
    watch->ready = ready & watch->wants ? ready : 0;
    return watch->ready != 0;
}

static uint32_t tbh_epoll_wait(tbh_poller *poller, uint32_t timeout_ms) {
    int timeout = timeout_ms > 0x7fffffffu ? -1 : (int)timeout_ms;
    uint32_t ready = 0;
    struct epoll_event none; /* an empty set: there is no room, and it must not be zero */
    struct epoll_event *room = poller->capacity ? tbh_epoll_events(poller) : &none;
    tbh_epoll_forget_events(poller);
    int found =
        epoll_wait((int)poller->set, room, (int)(poller->capacity + !poller->capacity), timeout);
    poller->events = found > 0 ? (uint32_t)found : 0;
    for (uint32_t i = 0; i < poller->events; i++) ready += tbh_epoll_note(poller, i);
    return ready;
}

/* The system reports those first that waited longest: nobody is always last. */
static tbh_watch *tbh_epoll_next(tbh_poller *poller, uint32_t *cursor) {
    const struct epoll_event *events = tbh_epoll_events(poller);
    while (*cursor < poller->events) {
        tbh_watch *watch = (tbh_watch *)events[(*cursor)++].data.ptr;
        if (watch && watch->ready) return watch;
    }
    return NULL;
}

static const tbh_poller_backend tbh_epoll_backend = {TURBOHTTP_IO_EPOLL, sizeof(struct epoll_event),
                                                     tbh_epoll_add,      tbh_epoll_change,
                                                     tbh_epoll_remove,   tbh_epoll_wait,
                                                     tbh_epoll_next};

TBH_FN bool tbh_poller_use_epoll(tbh_poller *poller) {
    poller->set = epoll_create1(EPOLL_CLOEXEC);
    if (poller->set == TBH_NO_SOCKET) return false;
    poller->backend = &tbh_epoll_backend;
    return true;
}
#endif
#endif /* !defined(TURBOHTTP_NO_SOCKETS) && !defined(TURBOHTTP_NO_EPOLL) */

/* ========================================================================
 * src/io/resolver.h
 * ======================================================================= */
/* Names to addresses, never blocking: literals, localhost and overrides at once, then the cache,
 * then a service: the user's table, the platform's resolver on its helper thread, or the stub. */

typedef struct tbh_resolver tbh_resolver;
typedef struct tbh_name_service tbh_name_service;

/* The longest host name (RFC 1035 §2.3.4), with its terminator. */
enum { TBH_NAME_BYTES = 256 };

/* One name on its way; embedded in its owner, zero when unused. */
typedef struct tbh_lookup {
    tbh_resolver *resolver;
    const tbh_name_service *service; /* set while something is pending */
    void *job;                       /* the service's own state */
    char name[TBH_NAME_BYTES];       /* lower case, without a trailing dot */
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    uint32_t count;
    uint32_t ttl_s;    /* given by the service; 0: not known */
    uint64_t asked_us; /* when a resolver of the user's was asked last */
    bool is_partial;   /* there may be more: see tbh_lookup_join */
    bool is_absolute;  /* the name had a trailing dot: no search list */
} tbh_lookup;

/* What can find addresses. Functions get a lookup whose `name` is set. */
struct tbh_name_service {
    /* OK (addresses and ttl_s are filled in), PENDING (job is set), or an error. */
    turbohttp_status (*start)(tbh_lookup *lookup, uint64_t now_us, turbohttp_error *error);
    /* As start; after OK or an error the job is gone, unless OK came with is_partial: then it goes
     * on, and its last step adds to the addresses. */
    turbohttp_status (*step)(tbh_lookup *lookup, uint64_t now_us, turbohttp_error *error);
    uint64_t (*deadline)(const tbh_lookup *lookup);
    void (*cancel)(tbh_lookup *lookup); /* the job is gone afterwards */
};

/* A resolver of the user's cannot say when it is ready: it is asked so often. */
#define TBH_ASK_AGAIN_US 10000u

/* A few answers are kept: enough for a client's handful of servers. */
enum { TBH_CACHE_NAMES = 8 };
#define TBH_CACHE_LEAST_S   1u /* bounds of the time to live (SPEC D2) */
#define TBH_CACHE_MOST_S    300u
#define TBH_CACHE_DEFAULT_S 30u /* when the service does not say */

typedef struct tbh_cached_name {
    char name[TBH_NAME_BYTES];
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    uint32_t count;
    bool is_absolute;
    uint64_t until_us;
} tbh_cached_name;

struct tbh_resolver {
    const turbohttp_allocator *allocator;
    tbh_poller *poller;      /* for sockets of the stub; watches with owner NULL */
    const tbh_os_wake *wake; /* signalled from the helper thread */
    const turbohttp_client_desc *desc;
    const tbh_name_service *service; /* NULL: nothing but literals and overrides */
    void *platform;                  /* state of resolver_platform.c */
    uint32_t next_cached;            /* the slot to reuse */
    tbh_cached_name cache[TBH_CACHE_NAMES];
};

#if TBH_SOCKETS
/* The resolver keeps pointers to all of these. */
TBH_FN turbohttp_status tbh_resolver_create(tbh_resolver **resolver,
                                            const turbohttp_allocator *allocator,
                                            tbh_poller *poller, const tbh_os_wake *wake,
                                            const turbohttp_client_desc *desc);
/* Late answers of the helper thread are dropped; does not wait for it. NULL is fine. */
TBH_FN void tbh_resolver_destroy(tbh_resolver *resolver);

/* In a child of fork: the helper threads are not there. Lookups under way must be abandoned. */
TBH_FN void tbh_resolver_disown(tbh_resolver *resolver);

/* Starts: OK with the addresses filled in, PENDING, or an error with its sentence. */
TBH_FN turbohttp_status tbh_lookup_begin(tbh_lookup *lookup, tbh_resolver *resolver,
                                         const char *host, uint16_t port, uint64_t now_us,
                                         turbohttp_error *error);
/* Goes on: as above. Must be called when a socket of it is ready, after a wake, and at its
 * deadline; it is cheap to call more often. */
TBH_FN turbohttp_status tbh_lookup_step(tbh_lookup *lookup, uint64_t now_us,
                                        turbohttp_error *error);
/* Half an answer is OK with is_partial: the rest is taken with this one, which must be called like
 * step. True when there are more addresses now, behind the others. */
TBH_FN bool tbh_lookup_join(tbh_lookup *lookup, uint64_t now_us);
/* When step must be called at the latest; UINT64_MAX: only after an event. */
TBH_FN uint64_t tbh_lookup_deadline(const tbh_lookup *lookup);
/* Gives up a pending lookup; harmless on any other. */
TBH_FN void tbh_lookup_abandon(tbh_lookup *lookup);

#endif

#if TBH_THREADS /* resolver_platform.c: getaddrinfo on helper threads */
TBH_FN turbohttp_status tbh_platform_create(tbh_resolver *resolver);
TBH_FN void tbh_platform_destroy(tbh_resolver *resolver);
TBH_FN void tbh_platform_disown(tbh_resolver *resolver);
#endif

#if TBH_SOCKETS && TBH_DNS_STUB /* resolver_stub.c: UDP and TCP, resolv.conf and hosts */
TBH_FN turbohttp_status tbh_stub_create(tbh_resolver *resolver); /* its state is in the jobs */
#endif

#if !defined(TURBOHTTP_NO_SOCKETS)
/* ========================================================================
 * src/io/resolver.c
 * ======================================================================= */
/* Resolver: everything about names that needs no service, and the choice of one.
 * Owns the cache and the services' state. Invariants: nothing here waits; a name that is not a
 * legal host never reaches a service; `.localhost` never leaves the machine (RFC 6761 §6.3).
 * Does not know: connections, what a name is for. */

/* ------------------------------------------------------------ the user's table as a service */
static turbohttp_status tbh_user_names_check(tbh_lookup *lookup, uint64_t now_us,
                                             turbohttp_error *error) {
    const turbohttp_resolver *user = lookup->resolver->desc->resolver;
    size_t count = 0;
    uint32_t usable = 0;
    lookup->asked_us = now_us;
    turbohttp_status status =
        user->check(user->user, lookup->job, lookup->addresses, TURBOHTTP_MAX_ADDRESSES, &count);
    if (count > TURBOHTTP_MAX_ADDRESSES) count = TURBOHTTP_MAX_ADDRESSES;
    for (size_t i = 0; status == TURBOHTTP_OK && i < count; i++) {
        const turbohttp_address *address = &lookup->addresses[i];
        if (address->family == 4 || address->family == 6) lookup->addresses[usable++] = *address;
    }
    lookup->count = usable;
    if (status == TURBOHTTP_OK && usable == 0) status = TURBOHTTP_ERR_RESOLVE;
    return status < 0 ? tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE) : status;
}

static turbohttp_status tbh_user_names_start(tbh_lookup *lookup, uint64_t now_us,
                                             turbohttp_error *error) {
    const turbohttp_resolver *user = lookup->resolver->desc->resolver;
    turbohttp_status status = user->start(user->user, lookup->name, &lookup->job);
    if (status < 0) return tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE);
    return tbh_user_names_check(lookup, now_us, error);
}

static uint64_t tbh_user_names_deadline(const tbh_lookup *lookup) {
    return lookup->asked_us + TBH_ASK_AGAIN_US; /* the table has no way to tell */
}

static void tbh_user_names_cancel(tbh_lookup *lookup) {
    const turbohttp_resolver *user = lookup->resolver->desc->resolver;
    if (user->cancel) user->cancel(user->user, lookup->job);
}

static const tbh_name_service tbh_user_names = {tbh_user_names_start, tbh_user_names_check,
                                                tbh_user_names_deadline, tbh_user_names_cancel};

/* ------------------------------------------------------------ life */
static turbohttp_status tbh_resolver_choose(tbh_resolver *resolver) {
    turbohttp_name_service wanted = resolver->desc->name_service;
    if (resolver->desc->resolver) {
        resolver->service = &tbh_user_names;
        return TURBOHTTP_OK;
    }
    if (wanted == TURBOHTTP_NAMES_DEFAULT)
        wanted = TBH_THREADS ? TURBOHTTP_NAMES_PLATFORM : TURBOHTTP_NAMES_STUB;
#if TBH_THREADS
    if (wanted == TURBOHTTP_NAMES_PLATFORM) return tbh_platform_create(resolver);
#endif
#if TBH_DNS_STUB
    if (wanted == TURBOHTTP_NAMES_STUB) return tbh_stub_create(resolver);
#endif
    return TURBOHTTP_OK; /* literals and overrides still work */
}

TBH_FN turbohttp_status tbh_resolver_create(tbh_resolver **out,
                                            const turbohttp_allocator *allocator,
                                            tbh_poller *poller, const tbh_os_wake *wake,
                                            const turbohttp_client_desc *desc) {
    tbh_resolver *resolver = (tbh_resolver *)tbh_allocate(allocator, sizeof *resolver);
    *out = resolver;
    if (!resolver) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(resolver, 0, sizeof *resolver);
    resolver->allocator = allocator;
    resolver->poller = poller;
    resolver->wake = wake;
    resolver->desc = desc;
    turbohttp_status status = tbh_resolver_choose(resolver);
    if (status != TURBOHTTP_OK) {
        tbh_resolver_destroy(resolver);
        *out = NULL;
    }
    return status;
}

TBH_FN void tbh_resolver_destroy(tbh_resolver *resolver) {
    if (!resolver) return;
#if TBH_THREADS
    tbh_platform_destroy(resolver);
#endif
    tbh_release(resolver->allocator, resolver, sizeof *resolver);
}

TBH_FN void tbh_resolver_disown(tbh_resolver *resolver) {
#if TBH_THREADS
    tbh_platform_disown(resolver);
#else
    (void)resolver;
#endif
}

/* ------------------------------------------------------------ answers without a service */
static bool tbh_lookup_copy_name(tbh_lookup *lookup, const char *host) {
    size_t n = strlen(host);
    lookup->is_absolute = n && host[n - 1] == '.';
    if (lookup->is_absolute) n--;
    if (n == 0 || n >= TBH_NAME_BYTES) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = tbh_lower((uint8_t)host[i]);
        if (c <= 0x20 || c >= 0x7f) return false;
        lookup->name[i] = (char)c;
    }
    lookup->name[n] = 0;
    return true;
}

static bool tbh_name_is_localhost(const char *name) {
    size_t n = strlen(name);
    return strcmp(name, "localhost") == 0 || (n > 10 && strcmp(name + n - 10, ".localhost") == 0);
}

static void tbh_lookup_answer_localhost(tbh_lookup *lookup) {
    memset(lookup->addresses, 0, 2 * sizeof lookup->addresses[0]);
    lookup->addresses[0].family = 6;
    lookup->addresses[0].bytes[15] = 1;
    lookup->addresses[1].family = 4;
    lookup->addresses[1].bytes[0] = 127;
    lookup->addresses[1].bytes[3] = 1;
    lookup->count = 2;
}

/* "fe80::1%eth0" is not looked into here: a zone must be a number. */
static bool tbh_lookup_answer_literal(tbh_lookup *lookup) {
    turbohttp_span text = tbh_span_of(lookup->name);
    const char *zone = (const char *)memchr(text.data, '%', text.length);
    uint64_t scope = 0;
    if (zone) {
        size_t head = (size_t)(zone - text.data);
        if (!tbh_parse_u64(zone + 1, text.length - head - 1, UINT32_MAX, &scope)) return false;
        text.length = head;
    }
    if (!tbh_address_parse(text, &lookup->addresses[0])) return false;
    lookup->addresses[0].scope = (uint32_t)scope;
    lookup->count = 1;
    return true;
}

static bool tbh_lookup_parse_list(tbh_lookup *lookup, const char *list) {
    lookup->count = 0;
    while (*list && lookup->count < TURBOHTTP_MAX_ADDRESSES) {
        size_t n = strcspn(list, " ,");
        if (n && !tbh_address_parse(tbh_span(list, n), &lookup->addresses[lookup->count]))
            return false;
        if (n) lookup->count++;
        list += n + (list[n] != 0);
    }
    return lookup->count > 0;
}

static const turbohttp_name_override *tbh_lookup_find_override(const tbh_lookup *lookup,
                                                               uint16_t port) {
    const turbohttp_client_desc *desc = lookup->resolver->desc;
    for (size_t i = 0; i < desc->name_count; i++) {
        const turbohttp_name_override *known = &desc->names[i];
        bool is_port = known->port == 0 || known->port == port;
        bool is_any = known->host[0] == '*' && !known->host[1];
        if (is_port && (is_any || tbh_span_equal_nocase(tbh_span_of(lookup->name), known->host)))
            return known;
    }
    return NULL;
}

/* ------------------------------------------------------------ cache */
static bool tbh_lookup_from_cache(tbh_lookup *lookup, uint64_t now_us) {
    for (uint32_t i = 0; i < TBH_CACHE_NAMES; i++) {
        const tbh_cached_name *known = &lookup->resolver->cache[i];
        if (known->until_us <= now_us || strcmp(known->name, lookup->name) != 0) continue;
        if (known->is_absolute != lookup->is_absolute) continue;
        memcpy(lookup->addresses, known->addresses, sizeof lookup->addresses);
        lookup->count = known->count;
        return true;
    }
    return false;
}

/* What came in two parts is not in the order of preference (RFC 6724 §2.1). */
static void tbh_cache_put_v6_first(tbh_cached_name *slot) {
    turbohttp_address ordered[TURBOHTTP_MAX_ADDRESSES];
    uint32_t n = 0;
    for (uint8_t family = 6; family >= 4; family = (uint8_t)(family - 2))
        for (uint32_t i = 0; i < slot->count; i++)
            if (slot->addresses[i].family == family) ordered[n++] = slot->addresses[i];
    if (n) memcpy(slot->addresses, ordered, n * sizeof ordered[0]);
}

static void tbh_lookup_to_cache(const tbh_lookup *lookup, bool prefers_v6, uint64_t now_us) {
    tbh_resolver *resolver = lookup->resolver;
    uint32_t ttl_s = lookup->ttl_s ? lookup->ttl_s : TBH_CACHE_DEFAULT_S;
    tbh_cached_name *slot = &resolver->cache[resolver->next_cached++ % TBH_CACHE_NAMES];
    if (ttl_s > TBH_CACHE_MOST_S) ttl_s = TBH_CACHE_MOST_S;
    if (ttl_s < TBH_CACHE_LEAST_S) ttl_s = TBH_CACHE_LEAST_S;
    memcpy(slot->name, lookup->name, sizeof slot->name);
    memcpy(slot->addresses, lookup->addresses, sizeof slot->addresses);
    slot->count = lookup->count;
    if (prefers_v6) tbh_cache_put_v6_first(slot);
    slot->is_absolute = lookup->is_absolute;
    slot->until_us = now_us + (uint64_t)ttl_s * 1000000;
}

/* ------------------------------------------------------------ driving */
/* What a service answered: ended lookups are remembered, or say which name it was. */
static turbohttp_status tbh_lookup_settle(tbh_lookup *lookup, turbohttp_status status,
                                          uint64_t now_us, turbohttp_error *error) {
    if (status == TURBOHTTP_PENDING) return status;
    if (!lookup->is_partial) {
        lookup->service = NULL;
        lookup->job = NULL;
    }
    if (status == TURBOHTTP_OK) {
        tbh_lookup_to_cache(lookup, false, now_us);
        return status;
    }
    tbh_error_append(error, " - ");
    tbh_error_append(error, lookup->name);
    return status;
}

TBH_FN turbohttp_status tbh_lookup_begin(tbh_lookup *lookup, tbh_resolver *resolver,
                                         const char *host, uint16_t port, uint64_t now_us,
                                         turbohttp_error *error) {
    lookup->resolver = resolver;
    if (!tbh_lookup_copy_name(lookup, host))
        return tbh_error_set(error, TURBOHTTP_ERR_URL_HOST, TURBOHTTP_PHASE_RESOLVE);
    const turbohttp_name_override *fixed = tbh_lookup_find_override(lookup, port);
    if (fixed && tbh_lookup_parse_list(lookup, fixed->addresses)) return TURBOHTTP_OK;
    if (fixed) return tbh_error_set(error, TURBOHTTP_ERR_RESOLVE, TURBOHTTP_PHASE_RESOLVE);
    if (tbh_lookup_answer_literal(lookup)) return TURBOHTTP_OK;
    if (tbh_name_is_localhost(lookup->name)) {
        tbh_lookup_answer_localhost(lookup);
        return TURBOHTTP_OK;
    }
    if (tbh_lookup_from_cache(lookup, now_us)) return TURBOHTTP_OK;
    lookup->service = resolver->service;
    turbohttp_status status = TURBOHTTP_ERR_UNSUPPORTED;
    if (lookup->service) status = lookup->service->start(lookup, now_us, error);
    else tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE);
    return tbh_lookup_settle(lookup, status, now_us, error);
}

TBH_FN turbohttp_status tbh_lookup_step(tbh_lookup *lookup, uint64_t now_us,
                                        turbohttp_error *error) {
    if (!lookup->service || lookup->is_partial)
        return lookup->count ? TURBOHTTP_OK : TURBOHTTP_ERR_STATE;
    return tbh_lookup_settle(lookup, lookup->service->step(lookup, now_us, error), now_us, error);
}

TBH_FN bool tbh_lookup_join(tbh_lookup *lookup, uint64_t now_us) {
    uint32_t before = lookup->count;
    if (!lookup->is_partial) return false;
    turbohttp_status status = lookup->service->step(lookup, now_us, NULL);
    if (status == TURBOHTTP_PENDING) return false;
    lookup->is_partial = false;
    lookup->service = NULL;
    lookup->job = NULL;
    if (status == TURBOHTTP_OK) tbh_lookup_to_cache(lookup, true, now_us);
    return lookup->count > before;
}

TBH_FN uint64_t tbh_lookup_deadline(const tbh_lookup *lookup) {
    return lookup->service ? lookup->service->deadline(lookup) : UINT64_MAX;
}

TBH_FN void tbh_lookup_abandon(tbh_lookup *lookup) {
    if (lookup->service) lookup->service->cancel(lookup);
    lookup->is_partial = false;
    lookup->service = NULL;
    lookup->job = NULL;
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) */

#if !defined(TURBOHTTP_NO_SOCKETS) && !defined(TURBOHTTP_NO_THREADS)
/* ========================================================================
 * src/io/resolver_platform.c
 * ======================================================================= */
/* The platform's resolver: getaddrinfo, which cannot be made non-blocking, on helper threads that
 * are started lazily: one, and more (at most TBH_HELPERS) only while all are stuck in a look-up.
 * Owns the shared state, counted: the client's share and one per thread. Invariants: the client
 * never waits for a thread; an answer that nobody waits for any more is dropped; the wake-up pipe
 * is touched only while the client is there (both under the lock).
 * Memory comes from malloc: a thread may outlive the client and its allocator. */
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#ifndef AI_NUMERICHOST
#error "TurboHTTP needs POSIX, hidden here by -std=c99: define _GNU_SOURCE before the first include"
#endif

enum { TBH_HELPERS = 4, TBH_HELPER_STACK = 256 * 1024 };

typedef struct tbh_platform_job {
    struct tbh_platform_job *next; /* in the queue */
    bool is_done, is_abandoned;
    int failure; /* EAI_… */
    uint32_t count;
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    char name[TBH_NAME_BYTES];
} tbh_platform_job;

typedef struct tbh_platform {
    pthread_mutex_t lock;
    pthread_cond_t has_job;
    tbh_platform_job *first, *last;
    uint32_t owners, threads, idle;
    tbh_os_wake wake; /* a copy; valid until is_closed */
    bool is_closed;
} tbh_platform;

/* ------------------------------------------------------------ shared state */
/* Called with the lock held; gives it up. */
static void tbh_platform_drop(tbh_platform *p) {
    bool is_last = --p->owners == 0;
    pthread_mutex_unlock(&p->lock);
    if (!is_last) return;
    pthread_cond_destroy(&p->has_job);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static tbh_platform_job *tbh_platform_next_job(tbh_platform *p) {
    while (!p->first && !p->is_closed) {
        p->idle++;
        pthread_cond_wait(&p->has_job, &p->lock);
        p->idle--;
    }
    tbh_platform_job *job = p->is_closed ? NULL : p->first;
    if (!job) return NULL;
    p->first = job->next;
    if (!p->first) p->last = NULL;
    return job;
}

/* ------------------------------------------------------------ the blocking part */
static bool tbh_platform_convert(const struct sockaddr *from, turbohttp_address *to) {
    memset(to, 0, sizeof *to);
    if (from->sa_family == AF_INET) {
        to->family = 4;
        memcpy(to->bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
        to->family = 6;
        memcpy(to->bytes, &v6->sin6_addr, 16);
        to->scope = v6->sin6_scope_id;
    }
    return to->family != 0;
}

static void tbh_platform_look_up(tbh_platform_job *job) {
    struct addrinfo hints, *list = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    job->failure = getaddrinfo(job->name, NULL, &hints, &list);
    if (job->failure) return;
    for (struct addrinfo *i = list; i && job->count < TURBOHTTP_MAX_ADDRESSES; i = i->ai_next)
        if (tbh_platform_convert(i->ai_addr, &job->addresses[job->count])) job->count++;
    freeaddrinfo(list);
}

static void *tbh_platform_thread(void *argument) {
    tbh_platform *p = (tbh_platform *)argument;
    tbh_platform_job *job;
    pthread_mutex_lock(&p->lock);
    while ((job = tbh_platform_next_job(p)) != NULL) {
        pthread_mutex_unlock(&p->lock);
        tbh_platform_look_up(job);
        pthread_mutex_lock(&p->lock);
        job->is_done = true;
        if (job->is_abandoned) free(job);
        else if (!p->is_closed) tbh_os_wake_signal(&p->wake);
    }
    p->threads--;
    tbh_platform_drop(p);
    return NULL;
}

/* Signals stay with the threads of the program. Called with the lock held. */
static bool tbh_platform_start_thread(tbh_platform *p) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, TBH_HELPER_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, &attributes, tbh_platform_thread, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!is_started) return false;
    p->threads++;
    p->owners++;
    return true;
}

/* ------------------------------------------------------------ the service */
static bool tbh_platform_enqueue(tbh_platform *p, tbh_platform_job *job) {
    pthread_mutex_lock(&p->lock);
    bool has_helper = p->idle > 0 || p->threads == TBH_HELPERS || tbh_platform_start_thread(p);
    has_helper = has_helper || p->threads > 0;
    if (has_helper) {
        if (p->last) p->last->next = job;
        else p->first = job;
        p->last = job;
        pthread_cond_signal(&p->has_job);
    }
    pthread_mutex_unlock(&p->lock);
    return has_helper;
}

static turbohttp_status tbh_platform_start(tbh_lookup *lookup, uint64_t now_us,
                                           turbohttp_error *error) {
    tbh_platform *p = (tbh_platform *)lookup->resolver->platform;
    tbh_platform_job *job = (tbh_platform_job *)calloc(1, sizeof *job);
    (void)now_us;
    if (!job) return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_RESOLVE);
    memcpy(job->name, lookup->name, sizeof job->name);
    if (!tbh_platform_enqueue(p, job)) {
        free(job);
        tbh_error_set(error, TURBOHTTP_ERR_RESOLVE_TEMPORARY, TURBOHTTP_PHASE_RESOLVE);
        tbh_error_text(error, "cannot start the resolver's thread: allow one, or use the stub");
        return TURBOHTTP_ERR_RESOLVE_TEMPORARY;
    }
    lookup->job = job;
    return TURBOHTTP_PENDING;
}

static turbohttp_status tbh_platform_fail(int failure, turbohttp_error *error) {
    bool is_temporary = failure == EAI_AGAIN || failure == EAI_SYSTEM || failure == EAI_MEMORY;
    turbohttp_status status =
        is_temporary ? TURBOHTTP_ERR_RESOLVE_TEMPORARY : TURBOHTTP_ERR_RESOLVE;
    tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE);
    if (error) error->system_code = failure;
    return status;
}

static turbohttp_status tbh_platform_step(tbh_lookup *lookup, uint64_t now_us,
                                          turbohttp_error *error) {
    tbh_platform *p = (tbh_platform *)lookup->resolver->platform;
    tbh_platform_job *job = (tbh_platform_job *)lookup->job;
    (void)now_us;
    pthread_mutex_lock(&p->lock);
    bool is_done = job->is_done;
    pthread_mutex_unlock(&p->lock);
    if (!is_done) return TURBOHTTP_PENDING;
    int failure = job->failure;
    lookup->count = job->count;
    memcpy(lookup->addresses, job->addresses, sizeof lookup->addresses);
    free(job);
    if (!failure && lookup->count > 0) return TURBOHTTP_OK;
    return tbh_platform_fail(failure ? failure : EAI_NONAME, error);
}

static uint64_t tbh_platform_deadline(const tbh_lookup *lookup) {
    (void)lookup;
    return UINT64_MAX; /* the helper wakes us */
}

static bool tbh_platform_unqueue(tbh_platform *p, tbh_platform_job *job) {
    tbh_platform_job *before = NULL;
    for (tbh_platform_job *at = p->first; at; before = at, at = at->next) {
        if (at != job) continue;
        if (before) before->next = at->next;
        else p->first = at->next;
        if (p->last == at) p->last = before;
        return true;
    }
    return false;
}

static void tbh_platform_cancel(tbh_lookup *lookup) {
    tbh_platform *p = (tbh_platform *)lookup->resolver->platform;
    tbh_platform_job *job = (tbh_platform_job *)lookup->job;
    pthread_mutex_lock(&p->lock);
    bool is_ours = job->is_done || tbh_platform_unqueue(p, job);
    job->is_abandoned = true; /* a thread that works on it frees it */
    pthread_mutex_unlock(&p->lock);
    if (is_ours) free(job);
}

static const tbh_name_service tbh_platform_service = {tbh_platform_start, tbh_platform_step,
                                                      tbh_platform_deadline, tbh_platform_cancel};

/* A thread that held the lock is not here to give it up: it is made anew. What the threads had in
 * hand is lost to the child. */
TBH_FN void tbh_platform_disown(tbh_resolver *resolver) {
    tbh_platform *p = (tbh_platform *)resolver->platform;
    if (!p) return;
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->has_job, NULL);
    p->owners = 1;
    p->wake = *resolver->wake;
}

TBH_FN turbohttp_status tbh_platform_create(tbh_resolver *resolver) {
    tbh_platform *p = (tbh_platform *)calloc(1, sizeof *p);
    if (!p) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    resolver->platform = p;
    tbh_platform_disown(resolver); /* as good as new */
    resolver->service = &tbh_platform_service;
    return TURBOHTTP_OK;
}

/* Every lookup was abandoned before; threads that are stuck free their job and the rest later. */
TBH_FN void tbh_platform_destroy(tbh_resolver *resolver) {
    tbh_platform *p = (tbh_platform *)resolver->platform;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->is_closed = true;
    pthread_cond_broadcast(&p->has_job);
    tbh_platform_drop(p);
    resolver->platform = NULL;
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) && !defined(TURBOHTTP_NO_THREADS) */

#if !defined(TURBOHTTP_NO_SOCKETS) && !defined(TURBOHTTP_NO_DNS_STUB)
/* ========================================================================
 * src/io/resolver_stub.c
 * ======================================================================= */
/* The stub resolver: asks the name servers of resolv.conf over UDP, and over TCP when an answer does
 * not fit; the hosts file comes first. Addresses of both families are asked for at the same time.
 * Owns, for each lookup, one job with its exchanges: one socket, id and question each. A retry opens
 * a new exchange and keeps the old ones, so a slow server is still heard; a socket of its own for
 * each exchange makes the system choose an unpredictable port (RFC 5452 §9.2, S-74).
 * Input: both files and all datagrams may be garbage; what makes no sense is passed over.
 * Invariants: nothing waits; tries are counted over all servers; a fault that another server cannot
 * mend (memory, descriptors, entropy) ends the lookup at once.
 * Does not know: the cache, literals, overrides, what a name is for. */

enum {
    TBH_STUB_SERVERS = 3,
    TBH_STUB_DOMAINS = 6,         /* of the search list */
    TBH_STUB_SEARCH_BYTES = 256,  /* of the search list, in all */
    TBH_STUB_STREAM_BYTES = 4096, /* largest answer over TCP: room for 64 records and more */
    TBH_STUB_DATAGRAMS = 8        /* received per socket and step: a flood does not hold us up */
};
#define TBH_STUB_CONF_BYTES  65536u          /* looked at in resolv.conf */
#define TBH_STUB_HOSTS_BYTES (1024u * 1024u) /* looked at in hosts */
#define TBH_STUB_DELAY_US    UINT64_C(50000) /* wait for the other family: RFC 8305 §3 */

/* One question to one server. */
typedef struct tbh_stub_exchange {
    struct tbh_stub_exchange *next;
    tbh_watch watch;
    uint32_t family, server; /* indices in the job */
    bool is_over;            /* its socket is shut; the next sweep frees it */
    bool is_connected;       /* TCP */
    uint8_t *stream;         /* what came over TCP; NULL: UDP */
    size_t sent, received;   /* TCP: bytes, with the prefix */
    tbh_dns_query query;
} tbh_stub_exchange;

typedef enum tbh_stub_state {
    TBH_STUB_ASKING,
    TBH_STUB_FOUND,
    TBH_STUB_NONE,  /* a server said so */
    TBH_STUB_SILENT /* no server could tell */
} tbh_stub_state;

typedef struct tbh_stub_family {
    tbh_stub_state state;
    uint32_t tries;   /* made, over all servers */
    uint64_t next_us; /* when to try the next one, or to give up */
    tbh_dns_answer answer;
} tbh_stub_family;

enum { TBH_STUB_V6, TBH_STUB_V4, TBH_STUB_FAMILIES };

typedef struct tbh_stub_job {
    tbh_resolver *resolver;
    tbh_lookup *lookup; /* while hosts is read: takes its addresses */
    tbh_stub_exchange *exchanges;
    tbh_stub_family families[TBH_STUB_FAMILIES];
    tbh_peer servers[TBH_STUB_SERVERS];
    uint32_t server_count, suspicious; /* bits: servers whose datagrams made no sense */
    uint32_t dots_least, attempts;
    uint64_t attempt_us, delay_us; /* delay_us: 0, or when not to wait for the other family */
    uint32_t late;                 /* the family that is missing in half an answer */
    uint32_t candidate;            /* the next of the names that the search list makes */
    bool is_plain;                 /* a server did not understand EDNS0 */
    bool is_line_long;             /* the rest of a line that did not fit is passed over */
    char search[TBH_STUB_SEARCH_BYTES];
    char name[TBH_NAME_BYTES];          /* the candidate */
    uint8_t scratch[TBH_DNS_UDP_BYTES]; /* lines of files, then datagrams */
} tbh_stub_job;

/* ------------------------------------------------------------ lines of files */
typedef void (*tbh_stub_line_taker)(tbh_stub_job *job, turbohttp_span line);

/* Hands the complete lines over and moves the rest to the front; returns its length. */
static size_t tbh_stub_take_lines(tbh_stub_job *job, size_t length, tbh_stub_line_taker take) {
    const char *text = (const char *)job->scratch, *end;
    size_t at = 0;
    while ((end = (const char *)memchr(text + at, '\n', length - at)) != NULL) {
        size_t n = (size_t)(end - text) - at;
        if (!job->is_line_long) take(job, tbh_span(text + at, n));
        job->is_line_long = false;
        at += n + 1;
    }
    size_t rest = length - at;
    memmove(job->scratch, job->scratch + at, rest);
    if (rest < sizeof job->scratch) return rest;
    if (!job->is_line_long) take(job, tbh_span(text, rest));
    job->is_line_long = true;
    return 0;
}

/* A file that is not there, or cannot be read, is an empty one. */
static void tbh_stub_read_file(tbh_stub_job *job, const char *path, size_t limit,
                               tbh_stub_line_taker take) {
    tbh_file file;
    uint64_t length;
    int32_t code;
    size_t rest = 0, got = 0;
    job->is_line_long = false;
    if (tbh_os_file_open(path, false, &file, &length, &code) != TURBOHTTP_OK) return;
    for (size_t total = 0; total < limit; total += got) {
        if (tbh_os_file_get(file, job->scratch + rest, sizeof job->scratch - rest, &got, &code) !=
            TURBOHTTP_OK)
            break;
        rest = tbh_stub_take_lines(job, rest + got, take);
    }
    if (rest && !job->is_line_long) take(job, tbh_span((const char *)job->scratch, rest));
    tbh_os_file_shut(file, &code);
}

static bool tbh_stub_is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

/* Takes the next word off the text; empty at its end, where a comment starts too. */
static turbohttp_span tbh_stub_word(turbohttp_span *text) {
    size_t from = 0, to;
    while (from < text->length && tbh_stub_is_blank(text->data[from])) from++;
    for (to = from; to < text->length && !tbh_stub_is_blank(text->data[to]); to++)
        if (text->data[to] == '#' || text->data[to] == ';') break;
    turbohttp_span word = tbh_span(text->data + from, to - from);
    *text = tbh_span(text->data + to, text->length - to);
    return word;
}

/* ------------------------------------------------------------ servers */
/* "192.0.2.1", "2001:db8::1" or "fe80::1%2"; a zone must be a number. */
static bool tbh_stub_parse_address(turbohttp_span text, turbohttp_address *address) {
    const char *zone = text.length ? (const char *)memchr(text.data, '%', text.length) : NULL;
    uint64_t scope = 0;
    if (zone) {
        size_t head = (size_t)(zone - text.data);
        if (!tbh_parse_u64(zone + 1, text.length - head - 1, UINT32_MAX, &scope)) return false;
        text.length = head;
    }
    if (!tbh_address_parse(text, address)) return false;
    address->scope = (uint32_t)scope;
    return true;
}

/* An address alone, or "192.0.2.1:5353", "[::1]:5353", "[::1]". */
static bool tbh_stub_parse_server(turbohttp_span text, tbh_peer *server) {
    uint64_t port = 53;
    memset(server, 0, sizeof *server);
    server->port = 53;
    if (tbh_stub_parse_address(text, &server->address)) return true;
    size_t host = text.length;
    while (host && text.data[host - 1] != ':' && text.data[host - 1] != ']') host--;
    if (host && text.data[host - 1] == ':') {
        if (!tbh_parse_u64(text.data + host, text.length - host, 65535, &port) || !port)
            return false;
        text.length = host - 1;
    }
    if (text.length >= 2 && text.data[0] == '[' && text.data[text.length - 1] == ']')
        text = tbh_span(text.data + 1, text.length - 2);
    else if (text.length && memchr(text.data, ':', text.length)) return false;
    server->port = (uint16_t)port;
    return tbh_stub_parse_address(text, &server->address);
}

static uint32_t tbh_stub_parse_servers(const char *list, tbh_peer *servers) {
    turbohttp_span text = tbh_span_of(list), word;
    uint32_t count = 0;
    while (count < TBH_STUB_SERVERS && (word = tbh_stub_word(&text)).length)
        if (tbh_stub_parse_server(word, &servers[count])) count++;
    return count;
}

/* ------------------------------------------------------------ resolv.conf */
static void tbh_stub_take_option(tbh_stub_job *job, turbohttp_span word) {
    static const char *const names[] = {"ndots:", "timeout:", "attempts:"};
    static const uint8_t most[] = {15, 30, 5};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);
        uint64_t value;
        if (word.length <= n || memcmp(word.data, names[i], n) != 0) continue;
        if (!tbh_parse_u64(word.data + n, word.length - n, UINT32_MAX, &value)) continue;
        if (value > most[i]) value = most[i];
        if (i == 0) job->dots_least = (uint32_t)value;
        if (i == 1 && value) job->attempt_us = value * 1000000;
        if (i == 2 && value) job->attempts = (uint32_t)value;
    }
}

/* The last line of this kind counts; the list is kept as text with single blanks. */
static void tbh_stub_take_search(tbh_stub_job *job, turbohttp_span line) {
    turbohttp_span word;
    size_t at = 0;
    for (int i = 0; i < TBH_STUB_DOMAINS && (word = tbh_stub_word(&line)).length; i++) {
        if (word.data[word.length - 1] == '.') word.length--;
        if (!tbh_dns_is_name(word) || word.length + 1 >= sizeof job->search - at) continue;
        memcpy(job->search + at, word.data, word.length);
        at += word.length;
        job->search[at++] = ' ';
    }
    job->search[at] = 0;
}

static void tbh_stub_take_conf_line(tbh_stub_job *job, turbohttp_span line) {
    turbohttp_span key = tbh_stub_word(&line), word;
    if (tbh_span_equal_nocase(key, "search") || tbh_span_equal_nocase(key, "domain")) {
        tbh_stub_take_search(job, line);
    } else if (tbh_span_equal_nocase(key, "options")) {
        while ((word = tbh_stub_word(&line)).length) tbh_stub_take_option(job, word);
    } else if (tbh_span_equal_nocase(key, "nameserver") && job->server_count < TBH_STUB_SERVERS) {
        tbh_peer *server = &job->servers[job->server_count];
        memset(server, 0, sizeof *server);
        server->port = 53;
        if (tbh_stub_parse_address(tbh_stub_word(&line), &server->address)) job->server_count++;
    }
}

/* Read again for each lookup: a laptop moves from network to network. */
static void tbh_stub_configure(tbh_stub_job *job) {
    const turbohttp_stub_options *o = &job->resolver->desc->stub;
    job->dots_least = 1;
    job->attempts = 2;
    job->attempt_us = 1000000;
    tbh_stub_read_file(job, o->resolv_conf_path ? o->resolv_conf_path : "/etc/resolv.conf",
                       TBH_STUB_CONF_BYTES, tbh_stub_take_conf_line);
    if (o->servers) job->server_count = tbh_stub_parse_servers(o->servers, job->servers);
    if (job->server_count == 0)
        job->server_count = tbh_stub_parse_servers("127.0.0.1", job->servers);
    if (o->attempt_ms) job->attempt_us = (uint64_t)o->attempt_ms * 1000;
    if (o->attempts) job->attempts = o->attempts;
    if (job->attempts > 10) job->attempts = 10;
}

/* ------------------------------------------------------------ hosts */
static void tbh_stub_take_hosts_line(tbh_stub_job *job, turbohttp_span line) {
    turbohttp_span first = tbh_stub_word(&line), word;
    tbh_lookup *lookup = job->lookup;
    while ((word = tbh_stub_word(&line)).length) {
        if (word.data[word.length - 1] == '.') word.length--;
        if (!tbh_span_equal_nocase(word, lookup->name)) continue;
        if (lookup->count == TURBOHTTP_MAX_ADDRESSES) return;
        if (tbh_stub_parse_address(first, &lookup->addresses[lookup->count])) lookup->count++;
        return;
    }
}

static bool tbh_stub_find_in_hosts(tbh_stub_job *job) {
    const char *path = job->resolver->desc->stub.hosts_path;
    job->lookup->count = 0;
    job->lookup->ttl_s = 1; /* an edit counts at once */
    tbh_stub_read_file(job, path ? path : "/etc/hosts", TBH_STUB_HOSTS_BYTES,
                       tbh_stub_take_hosts_line);
    return job->lookup->count > 0;
}

/* ------------------------------------------------------------ names to ask for */
static bool tbh_stub_join(tbh_stub_job *job, const char *name, turbohttp_span domain) {
    size_t n = strlen(name), dot = domain.length ? 1 : 0;
    if (n + dot + domain.length >= sizeof job->name) return false;
    memcpy(job->name, name, n);
    if (dot) {
        job->name[n] = '.';
        memcpy(job->name + n + 1, domain.data, domain.length);
    }
    job->name[n + dot + domain.length] = 0;
    return tbh_dns_is_name(tbh_span_of(job->name));
}

static turbohttp_span tbh_stub_domain(const tbh_stub_job *job, uint32_t index) {
    turbohttp_span text = tbh_span_of(job->search), word = tbh_stub_word(&text);
    for (uint32_t i = 0; i < index; i++) word = tbh_stub_word(&text);
    return word;
}

static uint32_t tbh_stub_count(const char *text, char c) {
    uint32_t count = 0;
    for (; *text; text++) count += *text == c;
    return count;
}

/* resolv.conf(5): a name with `ndots` dots is tried as it is first, any other one last. */
static bool tbh_stub_next_name(tbh_stub_job *job, const tbh_lookup *lookup) {
    uint32_t domains = lookup->is_absolute ? 0 : tbh_stub_count(job->search, ' ');
    bool is_first = tbh_stub_count(lookup->name, '.') >= job->dots_least;
    turbohttp_span none = tbh_span("", 0);
    while (job->candidate <= domains) {
        uint32_t i = job->candidate++;
        bool is_alone = i == (is_first ? 0 : domains);
        turbohttp_span domain = is_alone ? none : tbh_stub_domain(job, is_first ? i - 1 : i);
        if (!tbh_stub_join(job, lookup->name, domain)) continue;
        memset(job->families, 0, sizeof job->families);
        job->delay_us = 0;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------ exchanges */
static void tbh_stub_shut(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_socket s = x->watch.descriptor;
    x->is_over = true;
    if (!x->watch.place) return;
    tbh_poller_remove(job->resolver->poller, &x->watch);
    tbh_os_socket_shut(s);
}

static void tbh_stub_free(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_stub_shut(job, x);
    tbh_release(job->resolver->allocator, x->stream, TBH_STUB_STREAM_BYTES);
    tbh_release(job->resolver->allocator, x, sizeof *x);
}

/* Frees what is over, and what nobody waits for any more. */
static void tbh_stub_sweep(tbh_stub_job *job) {
    tbh_stub_exchange **link = &job->exchanges, *x;
    while ((x = *link) != NULL) {
        bool is_awaited = !x->is_over && job->families[x->family].state == TBH_STUB_ASKING;
        if (is_awaited) {
            link = &x->next;
            continue;
        }
        *link = x->next;
        tbh_stub_free(job, x);
    }
}

static void tbh_stub_free_job(tbh_stub_job *job) {
    tbh_stub_exchange *next;
    for (tbh_stub_exchange *x = job->exchanges; x; x = next) {
        next = x->next;
        tbh_stub_free(job, x);
    }
    tbh_release(job->resolver->allocator, job, sizeof *job);
}

static turbohttp_status tbh_stub_watch(tbh_stub_job *job, tbh_stub_exchange *x, tbh_socket s,
                                       uint8_t wants) {
    turbohttp_status status = tbh_poller_add(job->resolver->poller, &x->watch, s, wants, NULL);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

/* What no other server can mend. */
static bool tbh_stub_is_fatal(turbohttp_status status) {
    return status == TURBOHTTP_ERR_OUT_OF_MEMORY || status == TURBOHTTP_ERR_DESCRIPTORS ||
           status == TURBOHTTP_ERR_RANDOM;
}

/* A new id each time. TCP needs no help against forgery by turning letters, and servers that do
 * not keep the case of a question can be understood that way. */
static turbohttp_status tbh_stub_build_query(tbh_stub_job *job, tbh_stub_exchange *x) {
    const turbohttp_random *source = &job->resolver->desc->random;
    uint8_t random[TBH_DNS_RANDOM_BYTES];
    bool is_filled = source->fill ? source->fill(source->user, random, sizeof random)
                                  : tbh_os_random(NULL, random, sizeof random);
    if (!is_filled) return TURBOHTTP_ERR_RANDOM;
    if (x->stream) memset(random + 2, 0, sizeof random - 2);
    tbh_dns_query_build(&x->query, tbh_span_of(job->name),
                        x->family == TBH_STUB_V6 ? TBH_DNS_AAAA : TBH_DNS_A, random,
                        !job->is_plain);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_stub_open_datagram(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_socket s;
    int32_t code;
    size_t sent;
    turbohttp_status status = tbh_stub_build_query(job, x);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_os_datagram_open(&job->servers[x->server], &s, &code);
    if (status < 0) return status;
    status = tbh_stub_watch(job, x, s, TBH_WANT_RECEIVE);
    if (status != TURBOHTTP_OK) return status;
    /* A full queue is a lost datagram: the retry mends it. */
    status = tbh_os_send(s, x->query.bytes + TBH_DNS_PREFIX_BYTES, x->query.length, &sent, &code);
    return status < 0 ? status : TURBOHTTP_OK;
}

static turbohttp_status tbh_stub_open_stream(tbh_stub_job *job, tbh_stub_exchange *x) {
    tbh_socket s;
    int32_t code;
    x->stream = (uint8_t *)tbh_allocate(job->resolver->allocator, TBH_STUB_STREAM_BYTES);
    if (!x->stream) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status = tbh_stub_build_query(job, x);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_os_stream_open(&job->servers[x->server], &s, &code);
    return status < 0 ? status : tbh_stub_watch(job, x, s, TBH_WANT_SEND);
}

/* RFC 5452 §9.3 and S-74: a server whose datagrams made no sense is asked over TCP from then on. */
static turbohttp_status tbh_stub_open(tbh_stub_job *job, uint32_t family, uint32_t server) {
    tbh_stub_exchange *x = (tbh_stub_exchange *)tbh_allocate(job->resolver->allocator, sizeof *x);
    if (!x) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(x, 0, sizeof *x);
    x->family = family;
    x->server = server;
    x->next = job->exchanges;
    job->exchanges = x;
    bool is_stream = (job->suspicious >> server & 1) != 0;
    turbohttp_status status =
        is_stream ? tbh_stub_open_stream(job, x) : tbh_stub_open_datagram(job, x);
    if (status != TURBOHTTP_OK) tbh_stub_shut(job, x);
    return status;
}

/* ------------------------------------------------------------ tries */
static bool tbh_stub_is_awaited(const tbh_stub_job *job, uint32_t family) {
    for (const tbh_stub_exchange *x = job->exchanges; x; x = x->next)
        if (x->family == family && !x->is_over) return true;
    return false;
}

static uint32_t tbh_stub_most_tries(const tbh_stub_job *job) {
    return job->attempts * job->server_count;
}

/* Asks the next server that can be asked; an error is one that none can mend. The last one gets
 * twice the time. */
static turbohttp_status tbh_stub_ask(tbh_stub_job *job, uint32_t family, uint64_t now_us) {
    tbh_stub_family *f = &job->families[family];
    turbohttp_status status = TURBOHTTP_ERR_CONNECT;
    while (status != TURBOHTTP_OK && f->tries < tbh_stub_most_tries(job)) {
        status = tbh_stub_open(job, family, f->tries++ % job->server_count);
        if (tbh_stub_is_fatal(status)) return status;
    }
    bool is_last = f->tries == tbh_stub_most_tries(job);
    f->next_us = now_us + job->attempt_us * (is_last ? 2 : 1);
    if (!tbh_stub_is_awaited(job, family)) f->state = TBH_STUB_SILENT;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_stub_ask_due(tbh_stub_job *job, uint64_t now_us) {
    for (uint32_t family = 0; family < TBH_STUB_FAMILIES; family++) {
        tbh_stub_family *f = &job->families[family];
        if (f->state != TBH_STUB_ASKING || now_us < f->next_us) continue;
        if (f->tries == tbh_stub_most_tries(job)) {
            f->state = TBH_STUB_SILENT;
            continue;
        }
        turbohttp_status status = tbh_stub_ask(job, family, now_us);
        if (status != TURBOHTTP_OK) return status;
    }
    return TURBOHTTP_OK;
}

/* The next server is asked at once; older exchanges may still answer. */
static void tbh_stub_fail_exchange(tbh_stub_job *job, tbh_stub_exchange *x, uint64_t now_us) {
    tbh_stub_family *f = &job->families[x->family];
    tbh_stub_shut(job, x);
    if (f->tries < tbh_stub_most_tries(job)) f->next_us = now_us;
    else if (!tbh_stub_is_awaited(job, x->family)) f->state = TBH_STUB_SILENT;
}

/* ------------------------------------------------------------ answers */
static turbohttp_status tbh_stub_go_to_stream(tbh_stub_job *job, tbh_stub_exchange *x,
                                              uint64_t now_us) {
    tbh_stub_family *f = &job->families[x->family];
    tbh_stub_shut(job, x);
    turbohttp_status status = tbh_stub_open_stream(job, x);
    x->is_over = status != TURBOHTTP_OK;
    if (tbh_stub_is_fatal(status)) return status;
    if (x->is_over) tbh_stub_fail_exchange(job, x, now_us);
    else if (f->next_us < now_us + job->attempt_us) f->next_us = now_us + job->attempt_us;
    return TURBOHTTP_OK;
}

/* One message that is not simply passed over ends the exchange, or moves it to TCP. */
static turbohttp_status tbh_stub_take_message(tbh_stub_job *job, tbh_stub_exchange *x,
                                              const uint8_t *data, size_t length, uint64_t now_us) {
    tbh_stub_family *f = &job->families[x->family];
    tbh_dns_verdict verdict = tbh_dns_answer_parse(&x->query, data, length, &f->answer);
    bool is_stream = x->stream != NULL;
    if (verdict == TBH_DNS_IGNORED && !is_stream) {
        job->suspicious |= 1u << x->server;
        return TURBOHTTP_OK;
    }
    if (verdict == TBH_DNS_TRUNCATED && !is_stream) return tbh_stub_go_to_stream(job, x, now_us);
    if (verdict == TBH_DNS_FORMAT_ERROR) job->is_plain = true;
    if (verdict == TBH_DNS_ADDRESSES) f->state = TBH_STUB_FOUND;
    else if (verdict == TBH_DNS_NO_DATA || verdict == TBH_DNS_NO_NAME) f->state = TBH_STUB_NONE;
    else tbh_stub_fail_exchange(job, x, now_us);
    return TURBOHTTP_OK;
}

static bool tbh_stub_is_settled(const tbh_stub_job *job, const tbh_stub_exchange *x) {
    return x->is_over || job->families[x->family].state != TBH_STUB_ASKING;
}

static turbohttp_status tbh_stub_step_datagram(tbh_stub_job *job, tbh_stub_exchange *x,
                                               uint64_t now_us) {
    for (int i = 0; i < TBH_STUB_DATAGRAMS; i++) {
        size_t n;
        int32_t code;
        turbohttp_status status =
            tbh_os_receive(x->watch.descriptor, job->scratch, sizeof job->scratch, &n, &code);
        if (status == TURBOHTTP_PENDING) return TURBOHTTP_OK;
        if (status < 0) { /* "port unreachable" */
            tbh_stub_fail_exchange(job, x, now_us);
            return TURBOHTTP_OK;
        }
        status = tbh_stub_take_message(job, x, job->scratch, n, now_us);
        if (status != TURBOHTTP_OK || x->stream || tbh_stub_is_settled(job, x)) return status;
    }
    return TURBOHTTP_OK;
}

/* OK when all of it is sent. */
static turbohttp_status tbh_stub_send_stream(tbh_stub_job *job, tbh_stub_exchange *x) {
    size_t length = (size_t)x->query.length + TBH_DNS_PREFIX_BYTES, n = 0;
    int32_t code;
    turbohttp_status status = TURBOHTTP_OK;
    if (!x->is_connected) status = tbh_os_stream_ready(x->watch.descriptor, &code);
    if (status != TURBOHTTP_OK) return status;
    x->is_connected = true;
    status =
        tbh_os_send(x->watch.descriptor, x->query.bytes + x->sent, length - x->sent, &n, &code);
    if (status != TURBOHTTP_OK) return status;
    x->sent += n;
    if (x->sent < length) return TURBOHTTP_PENDING;
    tbh_poller_change(job->resolver->poller, &x->watch, TBH_WANT_RECEIVE);
    return TURBOHTTP_OK;
}

/* How many bytes the message has, as far as is known, with the prefix; 0: too many. */
static size_t tbh_stub_stream_length(const tbh_stub_exchange *x) {
    if (x->received < TBH_DNS_PREFIX_BYTES) return TBH_DNS_PREFIX_BYTES;
    size_t n = (size_t)tbh_load16_be(x->stream) + TBH_DNS_PREFIX_BYTES;
    return n > TBH_STUB_STREAM_BYTES ? 0 : n;
}

/* OK when all of it is there. */
static turbohttp_status tbh_stub_receive_stream(tbh_stub_exchange *x) {
    size_t length, n;
    int32_t code;
    while ((length = tbh_stub_stream_length(x)) > x->received) { /* ends: at most 4096 bytes */
        turbohttp_status status = tbh_os_receive(x->watch.descriptor, x->stream + x->received,
                                                 length - x->received, &n, &code);
        if (status != TURBOHTTP_OK) return status;
        x->received += n;
    }
    return length ? TURBOHTTP_OK : TURBOHTTP_ERR_OVERFLOW;
}

static turbohttp_status tbh_stub_step_stream(tbh_stub_job *job, tbh_stub_exchange *x,
                                             uint64_t now_us) {
    bool is_sending = (x->watch.wants & TBH_WANT_SEND) != 0;
    turbohttp_status status =
        is_sending ? tbh_stub_send_stream(job, x) : tbh_stub_receive_stream(x);
    if (status == TURBOHTTP_PENDING || (is_sending && status == TURBOHTTP_OK)) return TURBOHTTP_OK;
    if (status == TURBOHTTP_OK)
        return tbh_stub_take_message(job, x, x->stream + TBH_DNS_PREFIX_BYTES,
                                     x->received - TBH_DNS_PREFIX_BYTES, now_us);
    tbh_stub_fail_exchange(job, x, now_us);
    return TURBOHTTP_OK;
}

/* The poller looks again before the next step, so what is left over is not forgotten. */
static turbohttp_status tbh_stub_receive(tbh_stub_job *job, uint64_t now_us) {
    turbohttp_status status = TURBOHTTP_OK;
    for (tbh_stub_exchange *x = job->exchanges; x && status == TURBOHTTP_OK; x = x->next) {
        bool is_ready = x->watch.ready != 0;
        x->watch.ready = 0;
        if (!is_ready || tbh_stub_is_settled(job, x)) continue;
        status = x->stream ? tbh_stub_step_stream(job, x, now_us)
                           : tbh_stub_step_datagram(job, x, now_us);
    }
    return status;
}

/* ------------------------------------------------------------ the lookup */
static bool tbh_stub_any(const tbh_stub_job *job, tbh_stub_state state) {
    return job->families[TBH_STUB_V6].state == state || job->families[TBH_STUB_V4].state == state;
}

static void tbh_stub_append(tbh_lookup *lookup, const tbh_stub_family *f, uint32_t most) {
    uint32_t count = f->state == TBH_STUB_FOUND ? f->answer.count : 0;
    if (count > most) count = most;
    memcpy(lookup->addresses + lookup->count, f->answer.addresses,
           count * sizeof lookup->addresses[0]);
    lookup->count += count;
}

/* Half of the room for what is not known yet. */
static uint32_t tbh_stub_reserve(const tbh_stub_family *f) {
    const uint32_t half = TURBOHTTP_MAX_ADDRESSES / 2;
    if (f->state == TBH_STUB_ASKING) return half;
    if (f->state != TBH_STUB_FOUND) return 0;
    return f->answer.count < half ? f->answer.count : half;
}

/* An answer with one family missing is not kept. */
static uint32_t tbh_stub_ttl(const tbh_stub_job *job) {
    uint32_t ttl_s = TBH_CACHE_MOST_S;
    for (int i = 0; i < TBH_STUB_FAMILIES; i++) {
        const tbh_stub_family *f = &job->families[i];
        if (f->state == TBH_STUB_ASKING || f->state == TBH_STUB_SILENT) return 1;
        if (f->state == TBH_STUB_FOUND && f->answer.count && f->answer.ttl_s < ttl_s)
            ttl_s = f->answer.ttl_s;
    }
    return ttl_s ? ttl_s : 1;
}

/* IPv6 first (RFC 6724 §2.1), with room for IPv4. */
static void tbh_stub_fill(tbh_lookup *lookup, tbh_stub_job *job) {
    const tbh_stub_family *v6 = &job->families[TBH_STUB_V6], *v4 = &job->families[TBH_STUB_V4];
    lookup->count = 0;
    tbh_stub_append(lookup, v6, TURBOHTTP_MAX_ADDRESSES - tbh_stub_reserve(v4));
    uint32_t kept = v6->state == TBH_STUB_ASKING ? tbh_stub_reserve(v6) : 0;
    tbh_stub_append(lookup, v4, TURBOHTTP_MAX_ADDRESSES - lookup->count - kept);
    lookup->ttl_s = tbh_stub_ttl(job);
    lookup->is_partial = tbh_stub_any(job, TBH_STUB_ASKING);
    job->late = v6->state == TBH_STUB_ASKING ? TBH_STUB_V6 : TBH_STUB_V4;
}

/* The addresses that are there are in use: they stay where they are (RFC 8305 §3). */
static void tbh_stub_fill_rest(tbh_lookup *lookup, const tbh_stub_job *job) {
    tbh_stub_append(lookup, &job->families[job->late], TURBOHTTP_MAX_ADDRESSES - lookup->count);
    lookup->ttl_s = tbh_stub_ttl(job);
}

/* OK, PENDING, an error, or DONE: nobody knows this name, the search list may go on. OK with
 * is_partial: one family is still being asked for. */
static turbohttp_status tbh_stub_decide(tbh_lookup *lookup, tbh_stub_job *job, uint64_t now_us) {
    bool is_found = tbh_stub_any(job, TBH_STUB_FOUND),
         is_asking = tbh_stub_any(job, TBH_STUB_ASKING);
    if (is_found && is_asking && !job->delay_us) job->delay_us = now_us + TBH_STUB_DELAY_US;
    bool may_begin = is_found && now_us >= job->delay_us && !lookup->is_partial;
    if (is_asking && !may_begin) return TURBOHTTP_PENDING;
    if (is_found) {
        if (lookup->is_partial) tbh_stub_fill_rest(lookup, job);
        else tbh_stub_fill(lookup, job);
        return TURBOHTTP_OK;
    }
    if (tbh_stub_any(job, TBH_STUB_SILENT)) return TURBOHTTP_ERR_RESOLVE_TEMPORARY;
    return TURBOHTTP_DONE;
}

static turbohttp_status tbh_stub_round(tbh_lookup *lookup, tbh_stub_job *job, uint64_t now_us) {
    turbohttp_status status = tbh_stub_receive(job, now_us);
    if (status == TURBOHTTP_OK) status = tbh_stub_ask_due(job, now_us);
    tbh_stub_sweep(job);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_stub_decide(lookup, job, now_us);
    if (status != TURBOHTTP_DONE) return status;
    tbh_stub_sweep(job);
    return tbh_stub_next_name(job, lookup) ? TURBOHTTP_DONE : TURBOHTTP_ERR_RESOLVE;
}

static turbohttp_status tbh_stub_end(tbh_lookup *lookup, tbh_stub_job *job, turbohttp_status status,
                                     turbohttp_error *error) {
    tbh_stub_free_job(job);
    lookup->job = NULL;
    return status < 0 ? tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE) : status;
}

static turbohttp_status tbh_stub_step(tbh_lookup *lookup, uint64_t now_us, turbohttp_error *error) {
    tbh_stub_job *job = (tbh_stub_job *)lookup->job;
    bool was_partial = lookup->is_partial;
    turbohttp_status status;
    do status = tbh_stub_round(lookup, job, now_us); /* ends: names are counted */
    while (status == TURBOHTTP_DONE);
    bool goes_on = status == TURBOHTTP_OK && lookup->is_partial && !was_partial;
    if (status == TURBOHTTP_PENDING || goes_on) return status;
    return tbh_stub_end(lookup, job, status, error);
}

static turbohttp_status tbh_stub_start(tbh_lookup *lookup, uint64_t now_us,
                                       turbohttp_error *error) {
    tbh_resolver *resolver = lookup->resolver;
    tbh_stub_job *job = (tbh_stub_job *)tbh_allocate(resolver->allocator, sizeof *job);
    if (!job) return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_RESOLVE);
    memset(job, 0, sizeof *job);
    job->resolver = resolver;
    job->lookup = lookup;
    lookup->job = job;
    if (tbh_stub_find_in_hosts(job)) return tbh_stub_end(lookup, job, TURBOHTTP_OK, error);
    tbh_stub_configure(job);
    if (!tbh_stub_next_name(job, lookup))
        return tbh_stub_end(lookup, job, TURBOHTTP_ERR_URL_HOST, error);
    return tbh_stub_step(lookup, now_us, error);
}

static uint64_t tbh_stub_deadline(const tbh_lookup *lookup) {
    const tbh_stub_job *job = (const tbh_stub_job *)lookup->job;
    uint64_t due = job->delay_us && !lookup->is_partial ? job->delay_us : UINT64_MAX;
    for (int i = 0; i < TBH_STUB_FAMILIES; i++) {
        const tbh_stub_family *f = &job->families[i];
        if (f->state == TBH_STUB_ASKING && f->next_us < due) due = f->next_us;
    }
    return due;
}

static void tbh_stub_cancel(tbh_lookup *lookup) {
    tbh_stub_free_job((tbh_stub_job *)lookup->job);
}

static const tbh_name_service tbh_stub_service = {tbh_stub_start, tbh_stub_step, tbh_stub_deadline,
                                                  tbh_stub_cancel};

TBH_FN turbohttp_status tbh_stub_create(tbh_resolver *resolver) {
    tbh_peer servers[TBH_STUB_SERVERS];
    const char *list = resolver->desc->stub.servers;
    if (list && tbh_stub_parse_servers(list, servers) == 0) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    resolver->service = &tbh_stub_service;
    return TURBOHTTP_OK;
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) && !defined(TURBOHTTP_NO_DNS_STUB) */

/* ========================================================================
 * src/io/dialer.h
 * ======================================================================= */
/* One connection attempt to a name: look-up, then Happy Eyeballs (RFC 8305) over its addresses. */

/* RFC 8305 §5: the recommended delay before the next address is tried beside the first. */
#define TBH_DIAL_DELAY_US 250000u

typedef struct tbh_dial_attempt {
    tbh_watch watch; /* placed while the connect is under way */
    uint64_t started_us;
    int32_t system_code;
    bool failed;
    bool refused; /* by allow_address: no socket was opened */
} tbh_dial_attempt;

typedef struct tbh_dialer {
    tbh_poller *poller;
    void *owner;       /* of the watches */
    tbh_lookup lookup; /* its addresses are put in the order of the attempts */
    tbh_dial_attempt attempts[TURBOHTTP_MAX_ADDRESSES];
    uint32_t started; /* attempts begun so far */
    uint32_t winner;
    bool resolved;
    uint16_t port;
    uint64_t next_us; /* when the next address may be tried */
    uint64_t resolve_deadline_us;
    uint32_t connect_ms;
    turbohttp_phase phase;
    uint64_t resolved_at_us;
} tbh_dialer;

typedef struct tbh_dial_target {
    const char *host;
    uint16_t port;
    const char *unix_path; /* instead of both */
    uint32_t resolve_ms, connect_ms;
} tbh_dial_target;

#if TBH_SOCKETS
/* The dialer is zero. OK/PENDING/error as step. */
TBH_FN turbohttp_status tbh_dialer_begin(tbh_dialer *dialer, tbh_poller *poller,
                                         tbh_resolver *resolver, const tbh_dial_target *target,
                                         void *owner, uint64_t now_us, turbohttp_error *error);
/* OK: take the socket with tbh_dialer_take. PENDING: again at the deadline or on an event. */
TBH_FN turbohttp_status tbh_dialer_step(tbh_dialer *dialer, uint64_t now_us,
                                        turbohttp_error *error);
TBH_FN uint64_t tbh_dialer_deadline(const tbh_dialer *dialer);
/* The connected socket (no longer watched), and whom it leads to; all others are shut (S-75). */
TBH_FN tbh_socket tbh_dialer_take(tbh_dialer *dialer, turbohttp_address *address);
TBH_FN void tbh_dialer_abandon(tbh_dialer *dialer);
/* Appends "192.0.2.1: Connection refused; …" (SPEC D3). */
TBH_FN void tbh_dialer_report(const tbh_dialer *dialer, turbohttp_error *error);
#endif

#if !defined(TURBOHTTP_NO_SOCKETS)
/* ========================================================================
 * src/io/dialer.c
 * ======================================================================= */
/* Dialing: a name becomes one connected socket.
 * Owns the sockets of all attempts until one wins; then shuts the others.
 * Invariants: at most TURBOHTTP_MAX_ADDRESSES attempts, each address once; families alternate,
 * starting with the one that the resolver put first; an attempt that fails starts the next at once.
 * Does not know: requests, TLS, what is sent afterwards. */

/* ------------------------------------------------------------ order of the attempts */
/* RFC 8305 §4: alternate families, keeping the resolver's order inside each. Those before `from`
 * were tried already. */
static void tbh_dialer_interleave(tbh_lookup *lookup, uint32_t from, uint8_t first) {
    turbohttp_address ordered[TURBOHTTP_MAX_ADDRESSES];
    uint32_t next[2] = {from, from}, count = lookup->count;
    uint8_t family[2];
    family[0] = first;
    family[1] = first == 6 ? 4 : 6;
    for (uint32_t n = from, side = 0; n < count; side ^= 1) {
        uint32_t *i = &next[side];
        while (*i < count && lookup->addresses[*i].family != family[side]) ++*i;
        if (*i < count) ordered[n++] = lookup->addresses[(*i)++];
    }
    for (uint32_t n = from; n < count; n++) lookup->addresses[n] = ordered[n];
}

/* ------------------------------------------------------------ attempts */
static void tbh_dialer_drop(tbh_dialer *dialer, tbh_dial_attempt *attempt) {
    if (!attempt->watch.place) return;
    tbh_socket s = attempt->watch.descriptor;
    tbh_poller_remove(dialer->poller, &attempt->watch);
    tbh_os_socket_shut(s);
}

static void tbh_dialer_fail_attempt(tbh_dialer *dialer, tbh_dial_attempt *attempt, int32_t code,
                                    uint64_t now_us) {
    tbh_dialer_drop(dialer, attempt);
    attempt->failed = true;
    attempt->system_code = code;
    dialer->next_us = now_us;
}

/* S-72: the address itself is judged, after the look-up: no other one takes its place. */
static bool tbh_dialer_may_try(const tbh_dialer *dialer, const tbh_peer *peer) {
    if (peer->unix_path) return true; /* named by the caller, no look-up */
    const turbohttp_client_desc *desc = dialer->lookup.resolver->desc;
    return !desc->allow_address ||
           desc->allow_address(desc->allow_user, &peer->address, peer->port);
}

/* Starts one attempt; ERR_… only for failures that no other address can mend. */
static turbohttp_status tbh_dialer_try(tbh_dialer *dialer, const char *unix_path, uint64_t now_us) {
    tbh_dial_attempt *attempt = &dialer->attempts[dialer->started];
    tbh_peer peer;
    tbh_socket s;
    peer.address = dialer->lookup.addresses[dialer->started++];
    peer.port = dialer->port;
    peer.unix_path = unix_path;
    attempt->started_us = now_us;
    attempt->refused = !tbh_dialer_may_try(dialer, &peer);
    if (attempt->refused) {
        tbh_dialer_fail_attempt(dialer, attempt, 0, now_us);
        return TURBOHTTP_OK;
    }
    turbohttp_status status = tbh_os_stream_open(&peer, &s, &attempt->system_code);
    dialer->next_us = now_us + TBH_DIAL_DELAY_US;
    if (status < 0) {
        tbh_dialer_fail_attempt(dialer, attempt, attempt->system_code, now_us);
        return status == TURBOHTTP_ERR_DESCRIPTORS ? status : TURBOHTTP_OK;
    }
    status = tbh_poller_add(dialer->poller, &attempt->watch, s, TBH_WANT_SEND, dialer->owner);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

static bool tbh_dialer_check(tbh_dialer *dialer, uint32_t i, uint64_t now_us) {
    tbh_dial_attempt *attempt = &dialer->attempts[i];
    uint64_t limit_us = (uint64_t)dialer->connect_ms * 1000;
    if (!attempt->watch.place) return false;
    if (attempt->watch.ready) {
        int32_t code;
        attempt->watch.ready = 0;
        if (tbh_os_stream_ready(attempt->watch.descriptor, &code) == TURBOHTTP_OK) return true;
        tbh_dialer_fail_attempt(dialer, attempt, code, now_us);
    } else if (dialer->connect_ms != TURBOHTTP_NO_TIMEOUT &&
               now_us - attempt->started_us >= limit_us) {
        tbh_dialer_fail_attempt(dialer, attempt, 0, now_us);
    }
    return false;
}

static bool tbh_dialer_any_under_way(const tbh_dialer *dialer) {
    for (uint32_t i = 0; i < dialer->started; i++)
        if (dialer->attempts[i].watch.place) return true;
    return false;
}

/* What to call it when all attempts came to nothing. */
static turbohttp_status tbh_dialer_verdict(const tbh_dialer *dialer) {
    uint32_t refused = 0, late = 0, count = dialer->started;
    for (uint32_t i = 0; i < count; i++) {
        const tbh_dial_attempt *attempt = &dialer->attempts[i];
        refused += attempt->refused;
        late += !attempt->refused && attempt->system_code == 0;
    }
    if (count && refused == count) return TURBOHTTP_ERR_ADDRESS_REFUSED;
    return late && late + refused == count ? TURBOHTTP_ERR_TIMEOUT : TURBOHTTP_ERR_CONNECT;
}

static turbohttp_status tbh_dialer_fail(tbh_dialer *dialer, turbohttp_status code,
                                        turbohttp_error *error) {
    tbh_error_set(error, code, dialer->phase);
    if (code == TURBOHTTP_ERR_TIMEOUT)
        tbh_error_text(error, "timed out in phase connect: raise timeouts.connect_ms");
    if (error && dialer->started)
        error->system_code = dialer->attempts[dialer->started - 1].system_code;
    tbh_dialer_report(dialer, error);
    tbh_dialer_abandon(dialer);
    return code;
}

TBH_FN void tbh_dialer_report(const tbh_dialer *dialer, turbohttp_error *error) {
    char text[64];
    for (uint32_t i = 0; i < dialer->started; i++) {
        const tbh_dial_attempt *attempt = &dialer->attempts[i];
        if (!attempt->failed) continue;
        tbh_error_append(error, i ? "; " : " - ");
        if (dialer->lookup.addresses[i].family) {
            tbh_address_format(&dialer->lookup.addresses[i], text);
            tbh_error_append(error, text);
            tbh_error_append(error, " port ");
            tbh_error_append_u64(error, dialer->port);
            tbh_error_append(error, ": ");
        }
        if (attempt->system_code) tbh_os_describe(attempt->system_code, text, sizeof text);
        tbh_error_append(error, attempt->refused       ? "refused by allow_address"
                                : attempt->system_code ? text
                                                       : "no answer in time");
    }
}

/* ------------------------------------------------------------ driving */
static turbohttp_status tbh_dialer_resolved(tbh_dialer *dialer, uint64_t now_us) {
    tbh_dialer_interleave(&dialer->lookup, 0, dialer->lookup.addresses[0].family);
    dialer->resolved = true;
    dialer->resolved_at_us = now_us;
    dialer->phase = TURBOHTTP_PHASE_CONNECT;
    dialer->next_us = now_us;
    return TURBOHTTP_OK;
}

/* RFC 8305 §3: the other family's addresses join a dial under way, and are next. */
static void tbh_dialer_join(tbh_dialer *dialer, uint64_t now_us) {
    tbh_lookup *lookup = &dialer->lookup;
    if (!lookup->is_partial) return;
    if (tbh_lookup_join(lookup, now_us) && dialer->started) {
        uint8_t last = lookup->addresses[dialer->started - 1].family;
        tbh_dialer_interleave(lookup, dialer->started, last == 6 ? 4 : 6);
    }
    if (now_us >= dialer->resolve_deadline_us) tbh_lookup_abandon(lookup);
}

static turbohttp_status tbh_dialer_resolve(tbh_dialer *dialer, turbohttp_status status,
                                           uint64_t now_us, turbohttp_error *error) {
    if (status == TURBOHTTP_OK) return tbh_dialer_resolved(dialer, now_us);
    if (status == TURBOHTTP_PENDING && now_us >= dialer->resolve_deadline_us) {
        tbh_lookup_abandon(&dialer->lookup);
        tbh_error_set(error, TURBOHTTP_ERR_TIMEOUT, TURBOHTTP_PHASE_RESOLVE);
        tbh_error_text(error, "timed out in phase resolve: raise timeouts.resolve_ms - ");
        tbh_error_append(error, dialer->lookup.name);
        return TURBOHTTP_ERR_TIMEOUT;
    }
    return status;
}

TBH_FN turbohttp_status tbh_dialer_begin(tbh_dialer *dialer, tbh_poller *poller,
                                         tbh_resolver *resolver, const tbh_dial_target *target,
                                         void *owner, uint64_t now_us, turbohttp_error *error) {
    dialer->poller = poller;
    dialer->owner = owner;
    dialer->port = target->port;
    dialer->connect_ms = target->connect_ms;
    dialer->phase = TURBOHTTP_PHASE_RESOLVE;
    dialer->resolve_deadline_us = target->resolve_ms == TURBOHTTP_NO_TIMEOUT
                                      ? UINT64_MAX
                                      : now_us + (uint64_t)target->resolve_ms * 1000;
    if (target->unix_path) {
        dialer->lookup.count = 1;
        tbh_dialer_resolved(dialer, now_us);
        turbohttp_status status = tbh_dialer_try(dialer, target->unix_path, now_us);
        if (status < 0) return tbh_dialer_fail(dialer, status, error);
        return tbh_dialer_step(dialer, now_us, error);
    }
    turbohttp_status status =
        tbh_lookup_begin(&dialer->lookup, resolver, target->host, target->port, now_us, error);
    status = tbh_dialer_resolve(dialer, status, now_us, error);
    return status == TURBOHTTP_OK ? tbh_dialer_step(dialer, now_us, error) : status;
}

/* Starts as many attempts as are due: one per delay, the next at once after a failure. */
static turbohttp_status tbh_dialer_start_due(tbh_dialer *dialer, uint64_t now_us) {
    while (dialer->started < dialer->lookup.count && now_us >= dialer->next_us) {
        turbohttp_status status = tbh_dialer_try(dialer, NULL, now_us);
        if (status != TURBOHTTP_OK) return status;
    }
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_dialer_step(tbh_dialer *dialer, uint64_t now_us,
                                        turbohttp_error *error) {
    if (!dialer->resolved) {
        turbohttp_status status = tbh_lookup_step(&dialer->lookup, now_us, error);
        status = tbh_dialer_resolve(dialer, status, now_us, error);
        if (status != TURBOHTTP_OK) return status;
    }
    for (uint32_t i = 0; i < dialer->started; i++) {
        if (!tbh_dialer_check(dialer, i, now_us)) continue;
        dialer->winner = i;
        return TURBOHTTP_OK;
    }
    tbh_dialer_join(dialer, now_us);
    turbohttp_status status = tbh_dialer_start_due(dialer, now_us);
    if (tbh_dialer_any_under_way(dialer)) return TURBOHTTP_PENDING;
    if (status == TURBOHTTP_OK && dialer->lookup.is_partial) return TURBOHTTP_PENDING;
    return tbh_dialer_fail(dialer, status ? status : tbh_dialer_verdict(dialer), error);
}

static uint64_t tbh_dialer_lookup_deadline(const tbh_dialer *dialer) {
    uint64_t lookup_us = tbh_lookup_deadline(&dialer->lookup);
    return lookup_us < dialer->resolve_deadline_us ? lookup_us : dialer->resolve_deadline_us;
}

TBH_FN uint64_t tbh_dialer_deadline(const tbh_dialer *dialer) {
    if (!dialer->resolved) return tbh_dialer_lookup_deadline(dialer);
    uint64_t due = dialer->lookup.is_partial ? tbh_dialer_lookup_deadline(dialer) : UINT64_MAX;
    if (dialer->started < dialer->lookup.count && dialer->next_us < due) due = dialer->next_us;
    if (dialer->connect_ms == TURBOHTTP_NO_TIMEOUT) return due;
    for (uint32_t i = 0; i < dialer->started; i++) {
        uint64_t end = dialer->attempts[i].started_us + (uint64_t)dialer->connect_ms * 1000;
        if (dialer->attempts[i].watch.place && end < due) due = end;
    }
    return due;
}

TBH_FN tbh_socket tbh_dialer_take(tbh_dialer *dialer, turbohttp_address *address) {
    tbh_dial_attempt *attempt = &dialer->attempts[dialer->winner];
    tbh_socket s = attempt->watch.descriptor;
    *address = dialer->lookup.addresses[dialer->winner];
    tbh_poller_remove(dialer->poller, &attempt->watch);
    tbh_dialer_abandon(dialer);
    return s;
}

TBH_FN void tbh_dialer_abandon(tbh_dialer *dialer) {
    tbh_lookup_abandon(&dialer->lookup);
    for (uint32_t i = 0; i < dialer->started; i++) tbh_dialer_drop(dialer, &dialer->attempts[i]);
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) */

/* ========================================================================
 * src/io/tls.h
 * ======================================================================= */
/* The TLS box of a stream: plain bytes on one side, wire bytes on the other, a provider inside. */

typedef struct tbh_stream tbh_stream;

/* What securing one connection takes; lives until tbh_stream_begin returns. */
typedef struct tbh_tls_plan {
    const turbohttp_tls_provider *provider;
    void *context; /* of the provider, for these options */
    turbohttp_tls_target target;
} tbh_tls_plan;

typedef struct tbh_tls {
    const turbohttp_tls_provider *provider; /* NULL: the stream is not secured */
    void *session;                          /* the provider's, while the stream is open */
    uint8_t *block;                         /* staging: wire bytes [at, fill) wait in it */
    size_t at, fill, capacity;
    uint8_t *out_block; /* short records [out_at, out_fill) that leave in one send */
    size_t out_at, out_fill, out_capacity;
    uint8_t full_receives; /* steps by which the next block is larger */
    bool is_up;            /* the handshake is over */
    bool has_work;         /* a step is due, whatever the socket says */
    bool is_ended;         /* the peer closed the connection … */
    bool is_truncated;     /* … without saying close_notify */
    bool may_have_more;    /* the last receive was full */
} tbh_tls;

#if TBH_TLS
TBH_FN turbohttp_status tbh_tls_open(tbh_stream *stream, const tbh_tls_plan *plan,
                                     turbohttp_error *error);
/* One slice of the handshake: OK when it is over, PENDING, or an error. */
TBH_FN turbohttp_status tbh_tls_handshake(tbh_stream *stream, turbohttp_error *error);
TBH_FN turbohttp_status tbh_tls_send(tbh_stream *stream, const void *data, size_t length,
                                     size_t *sent);
TBH_FN turbohttp_status tbh_tls_flush(tbh_stream *stream);
/* Bytes wait to be sent, or would be taken: a wire that takes bytes is of use. */
TBH_FN bool tbh_tls_can_send(const tbh_tls *tls);
/* Gives less than `room` only when nothing is left that could be given without waiting. */
TBH_FN turbohttp_status tbh_tls_receive(tbh_stream *stream, void *data, size_t room,
                                        size_t *received, bool may_block);
TBH_FN void tbh_tls_shut(tbh_stream *stream);
#endif

/* ========================================================================
 * src/io/stream.h
 * ======================================================================= */
/* One byte stream to a server: a socket that was dialed, or the user's transport, secured by TLS
 * or not. Nobody above this file knows which. */

/* What all streams of a client share. */
typedef struct tbh_io {
    const turbohttp_allocator *allocator;
    turbohttp_byte_pool *blocks;
    size_t block_bytes, receive_bytes;    /* of a staging block: first, at most */
    const turbohttp_transport *transport; /* NULL: sockets */
    turbohttp_clock clock;
    turbohttp_random random;
    tbh_poller poller;
    tbh_resolver *resolver; /* NULL with a transport of the user's */
    tbh_os_wake wake;
    tbh_watch wake_watch;
    tbh_os_birth birth;  /* elsewhere: streams are shut without a goodbye (S-85) */
    uint64_t now_us;     /* read once per wait, not per call */
    uint32_t hard_steps; /* public-key operations that this poll may still do, over all streams */
} tbh_io;

struct tbh_stream {
    tbh_io *io;
    void *owner;
    void *connection;   /* of the user's transport */
    tbh_dialer *dialer; /* while opening a socket */
    tbh_watch watch;    /* of the connected socket */
    bool can_block;     /* tbh_stream_receive_wait is prepared */
    int32_t system_code;
    uint64_t resolved_at_us, connected_at_us;
    turbohttp_address peer;
    bool is_connected; /* the wire is up; a handshake may follow */
    tbh_tls tls;
};

/* The stream is zero; plan NULL: no TLS. OK when it is up at once, PENDING, or an error. */
TBH_FN turbohttp_status tbh_stream_begin(tbh_stream *stream, tbh_io *io, void *owner,
                                         const tbh_dial_target *target, const tbh_tls_plan *plan,
                                         turbohttp_error *error);
TBH_FN turbohttp_status tbh_stream_step(tbh_stream *stream, turbohttp_error *error);
TBH_FN uint64_t tbh_stream_deadline(const tbh_stream *stream); /* while opening */
TBH_FN turbohttp_phase tbh_stream_phase(const tbh_stream *stream);
/* OK · PENDING · DONE (receive) · an error with stream->system_code set. */
TBH_FN turbohttp_status tbh_stream_send(tbh_stream *stream, const void *data, size_t length,
                                        size_t *sent);
/* Sends what was taken and is still here: OK when nothing is, PENDING, or an error. */
TBH_FN turbohttp_status tbh_stream_flush(tbh_stream *stream);
TBH_FN turbohttp_status tbh_stream_receive(tbh_stream *stream, void *data, size_t room,
                                           size_t *received);
/* Blocks for at most TBH_RECEIVE_WAIT_MS where the system can (saves the wait before a receive);
 * ERR_UNSUPPORTED where it cannot. */
TBH_FN turbohttp_status tbh_stream_receive_wait(tbh_stream *stream, void *data, size_t room,
                                                size_t *received);
TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants);
/* What may be moved without waiting, as far as is known; clears it. */
TBH_FN uint8_t tbh_stream_take_ready(tbh_stream *stream);
/* False when the peer closed, failed, or sent something that nobody asked for (S-03). */
TBH_FN bool tbh_stream_is_quiet(tbh_stream *stream);
/* False in a child of fork: goodbyes would end the parent's connection (S-85). */
TBH_FN bool tbh_stream_is_ours(const tbh_stream *stream);
TBH_FN void tbh_stream_shut(tbh_stream *stream);

/* The wire under a secured stream, or the stream itself. */
TBH_FN turbohttp_status tbh_wire_send(tbh_stream *stream, const void *data, size_t length,
                                      size_t *sent);
TBH_FN turbohttp_status tbh_wire_receive(tbh_stream *stream, void *data, size_t room,
                                         size_t *received);
TBH_FN turbohttp_status tbh_wire_receive_wait(tbh_stream *stream, void *data, size_t room,
                                              size_t *received);

/* stream_socket.c; os_none.c without sockets */
TBH_FN turbohttp_status tbh_stream_socket_begin(tbh_stream *stream, const tbh_dial_target *target,
                                                turbohttp_error *error);
TBH_FN turbohttp_status tbh_stream_socket_step(tbh_stream *stream, turbohttp_error *error);
TBH_FN turbohttp_status tbh_stream_socket_send(tbh_stream *stream, const void *data, size_t length,
                                               size_t *sent);
TBH_FN turbohttp_status tbh_stream_socket_receive(tbh_stream *stream, void *data, size_t room,
                                                  size_t *received);
TBH_FN uint64_t tbh_stream_socket_deadline(const tbh_stream *stream); /* while dialing */
TBH_FN void tbh_stream_socket_shut(tbh_stream *stream);

/* ========================================================================
 * src/io/stream.c
 * ======================================================================= */
/* Streams: opening, moving bytes, shutting; either the user's transport or a socket, and TLS over
 * both. Owns the transport's connection; sockets are stream_socket.c's, sessions tls.c's.
 * Invariants: which of the two it is never changes in the life of a client; counts of the user's
 * transport are checked here, so that nobody behind trusts them.
 * Does not know: HTTP, requests, time limits. */

static turbohttp_status tbh_stream_open_own(tbh_stream *stream, const tbh_dial_target *target,
                                            bool is_tls, turbohttp_error *error) {
    const turbohttp_transport *transport = stream->io->transport;
    turbohttp_endpoint to;
    to.host = target->host;
    to.port = target->port;
    to.is_tls = is_tls;
    to.unix_path = target->unix_path;
    tbh_error_set(error, TURBOHTTP_ERR_CONNECT, TURBOHTTP_PHASE_CONNECT);
    turbohttp_status status = transport->io_open(transport->user, &to, &stream->connection, error);
    if (status < 0) stream->connection = NULL;
    return status;
}

static turbohttp_status tbh_stream_connected(tbh_stream *stream, turbohttp_error *error) {
    stream->is_connected = true;
    stream->connected_at_us = stream->io->now_us;
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_handshake(stream, error);
#endif
    (void)error;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_stream_begin(tbh_stream *stream, tbh_io *io, void *owner,
                                         const tbh_dial_target *target, const tbh_tls_plan *plan,
                                         turbohttp_error *error) {
    stream->io = io;
    stream->owner = owner;
    turbohttp_status status = io->transport
                                  ? tbh_stream_open_own(stream, target, plan != NULL, error)
                                  : tbh_stream_socket_begin(stream, target, error);
#if TBH_TLS
    turbohttp_status opened = status >= 0 && plan ? tbh_tls_open(stream, plan, error) : status;
    if (opened < 0) return opened;
#endif
    return status == TURBOHTTP_OK ? tbh_stream_connected(stream, error) : status;
}

static turbohttp_status tbh_stream_step_own(tbh_stream *stream, turbohttp_error *error) {
    const turbohttp_transport *transport = stream->io->transport;
    if (!transport->io_ready) return TURBOHTTP_ERR_STATE;
    return transport->io_ready(transport->user, stream->connection, error);
}

TBH_FN turbohttp_status tbh_stream_step(tbh_stream *stream, turbohttp_error *error) {
#if TBH_TLS
    if (stream->is_connected) {
        bool is_due = stream->tls.has_work || tbh_stream_take_ready(stream) != 0;
        return is_due ? tbh_tls_handshake(stream, error) : TURBOHTTP_PENDING;
    }
#endif
    turbohttp_status status = stream->io->transport ? tbh_stream_step_own(stream, error)
                                                    : tbh_stream_socket_step(stream, error);
    return status == TURBOHTTP_OK ? tbh_stream_connected(stream, error) : status;
}

TBH_FN turbohttp_phase tbh_stream_phase(const tbh_stream *stream) {
    if (stream->is_connected) return TURBOHTTP_PHASE_TLS;
    return stream->dialer ? stream->dialer->phase : TURBOHTTP_PHASE_CONNECT;
}

TBH_FN uint64_t tbh_stream_deadline(const tbh_stream *stream) {
    if (stream->tls.has_work) return 0;
    return stream->dialer ? tbh_stream_socket_deadline(stream) : UINT64_MAX;
}

/* ------------------------------------------------------------ the wire */
TBH_FN turbohttp_status tbh_wire_send(tbh_stream *stream, const void *data, size_t length,
                                      size_t *sent) {
    const turbohttp_transport *transport = stream->io->transport;
    *sent = 0;
    if (!transport) return tbh_stream_socket_send(stream, data, length, sent);
    turbohttp_status status =
        transport->io_send(transport->user, stream->connection, data, length, sent);
    if (*sent > length) return TURBOHTTP_ERR_SEND;
    return status == TURBOHTTP_OK && *sent == 0 ? TURBOHTTP_PENDING : status;
}

TBH_FN turbohttp_status tbh_wire_receive(tbh_stream *stream, void *data, size_t room,
                                         size_t *received) {
    const turbohttp_transport *transport = stream->io->transport;
    *received = 0;
    if (!transport) return tbh_stream_socket_receive(stream, data, room, received);
    turbohttp_status status =
        transport->io_receive(transport->user, stream->connection, data, room, received);
    if (*received > room) return TURBOHTTP_ERR_RECEIVE;
    return status == TURBOHTTP_OK && *received == 0 ? TURBOHTTP_PENDING : status;
}

/* ------------------------------------------------------------ plain bytes */
TBH_FN turbohttp_status tbh_stream_send(tbh_stream *stream, const void *data, size_t length,
                                        size_t *sent) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_send(stream, data, length, sent);
#endif
    return tbh_wire_send(stream, data, length, sent);
}

TBH_FN turbohttp_status tbh_stream_flush(tbh_stream *stream) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_flush(stream);
#endif
    (void)stream;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_stream_receive(tbh_stream *stream, void *data, size_t room,
                                           size_t *received) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_receive(stream, data, room, received, false);
#endif
    return tbh_wire_receive(stream, data, room, received);
}

TBH_FN turbohttp_status tbh_stream_receive_wait(tbh_stream *stream, void *data, size_t room,
                                                size_t *received) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_receive(stream, data, room, received, true);
#endif
    return tbh_wire_receive_wait(stream, data, room, received);
}

TBH_FN uint8_t tbh_stream_take_ready(tbh_stream *stream) {
    uint8_t ready = stream->watch.ready;
    stream->watch.ready = 0;
    /* Whether a TLS session can send may depend on what it receives. */
    bool is_either = stream->io->transport || (stream->tls.provider && ready);
    return is_either ? TBH_WANT_RECEIVE | TBH_WANT_SEND : ready;
}

TBH_FN bool tbh_stream_is_quiet(tbh_stream *stream) {
    uint8_t byte;
    size_t received;
    return tbh_stream_receive(stream, &byte, 1, &received) == TURBOHTTP_PENDING;
}

TBH_FN bool tbh_stream_is_ours(const tbh_stream *stream) {
#if TBH_SOCKETS
    return !tbh_os_birth_is_elsewhere(&stream->io->birth);
#else
    (void)stream;
    return true;
#endif
}

TBH_FN void tbh_stream_shut(tbh_stream *stream) {
    const turbohttp_transport *transport = stream->io ? stream->io->transport : NULL;
    if (!stream->io) return;
#if TBH_TLS
    tbh_tls_shut(stream);
#endif
    if (!transport) tbh_stream_socket_shut(stream);
    else if (stream->connection) transport->io_shut(transport->user, stream->connection);
    memset(stream, 0, sizeof *stream);
}

#if !defined(TURBOHTTP_NO_TLS)
/* ========================================================================
 * src/io/tls.c
 * ======================================================================= */
/* The TLS box: moves bytes between a stream's wire and a provider.
 * Owns the provider's session and two staging blocks, each rented only while bytes wait in it.
 * Wire bytes are received in blocks, not in records: a record would cost two system calls.
 * Invariants: all handshakes together do at most one public-key operation per poll, so that a frame
 * loop does not stall; the end of the wire
 * without close_notify is remembered as a truncation (RFC 8446 §6.1, S-36); a failed handshake is
 * never continued. Does not know: which library, HTTP, whom to trust. */

#define TBH_TLS_TURNS 64 /* rounds of one call: a peer that streams for ever gets no more */

TBH_FN turbohttp_status tbh_tls_open(tbh_stream *stream, const tbh_tls_plan *plan,
                                     turbohttp_error *error) {
    tbh_error_set(error, TURBOHTTP_ERR_TLS_HANDSHAKE, TURBOHTTP_PHASE_TLS);
    void *session = NULL;
    turbohttp_status status = plan->provider->open(plan->context, &plan->target, &session, error);
    if (status != TURBOHTTP_OK) {
        if (error && error->code != status) tbh_error_set(error, status, TURBOHTTP_PHASE_TLS);
        return status < 0 ? status : TURBOHTTP_ERR_TLS_HANDSHAKE;
    }
    stream->tls.provider = plan->provider;
    stream->tls.session = session;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ wire out */
/* A flight of a handshake is several short records: they leave in one send, with the first request
 * behind them. True when something was gathered, so that the provider may have more to say. */
static bool tbh_tls_gather(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t length, before = tls->out_fill;
    const void *out;
    while ((out = tls->provider->wire_out_peek(tls->session, &length)) != NULL && length) {
        if (!tls->out_block)
            tls->out_block = (uint8_t *)turbohttp_byte_pool_rent(
                stream->io->blocks, stream->io->block_bytes, &tls->out_capacity);
        if (!tls->out_block || length > tls->out_capacity - tls->out_fill) break;
        memcpy(tls->out_block + tls->out_fill, out, length);
        tls->out_fill += length;
        tls->provider->wire_out_consume(tls->session, length);
    }
    return tls->out_fill > before;
}

static turbohttp_status tbh_tls_push_gathered(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t sent;
    while (tls->out_at < tls->out_fill) {
        turbohttp_status status =
            tbh_wire_send(stream, tls->out_block + tls->out_at, tls->out_fill - tls->out_at, &sent);
        if (status != TURBOHTTP_OK) return status;
        tls->out_at += sent;
    }
    turbohttp_byte_pool_return(stream->io->blocks, tls->out_block, tls->out_capacity);
    tls->out_block = NULL;
    tls->out_at = tls->out_fill = tls->out_capacity = 0;
    return TURBOHTTP_OK;
}

/* OK when the wire has taken everything. */
static turbohttp_status tbh_tls_push(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t length, sent;
    const void *out;
    if (tls->out_block) tbh_tls_gather(stream);
    turbohttp_status status = tbh_tls_push_gathered(stream);
    while (status == TURBOHTTP_OK &&
           (out = tls->provider->wire_out_peek(tls->session, &length)) != NULL && length) {
        status = tbh_wire_send(stream, out, length, &sent);
        if (status == TURBOHTTP_OK) tls->provider->wire_out_consume(tls->session, sent);
    }
    return status;
}

/* ------------------------------------------------------------ wire in */
static void tbh_tls_unstage(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    if (tls->at < tls->fill) return;
    turbohttp_byte_pool_return(stream->io->blocks, tls->block, tls->capacity);
    tls->block = NULL;
    tls->at = tls->fill = tls->capacity = 0;
}

/* Gives staged bytes to the provider; false when there are none, or it takes none. */
static bool tbh_tls_feed(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t room = 0, n = tls->fill - tls->at;
    if (n == 0) return false;
    void *place = tls->provider->wire_in_room(tls->session, &room);
    n = tbh_min_size(n, place ? room : 0);
    if (n == 0) return false;
    memcpy(place, tls->block + tls->at, n);
    tls->at += n;
    tls->provider->wire_in_commit(tls->session, n);
    return true;
}

/* The block grows while receives fill it, as far as the client allows, and shrinks with the last. */
static turbohttp_status tbh_tls_stage(tbh_stream *stream, bool may_block) {
    tbh_tls *tls = &stream->tls;
    size_t received = 0, wanted = stream->io->block_bytes << tls->full_receives;
    tbh_tls_unstage(stream);
    if (tls->block) return TURBOHTTP_PENDING; /* the provider takes none before it has sent */
    if (tls->is_ended) return TURBOHTTP_DONE;
    tls->block = (uint8_t *)turbohttp_byte_pool_rent(stream->io->blocks, wanted, &tls->capacity);
    if (!tls->block) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status =
        may_block ? tbh_wire_receive_wait(stream, tls->block, tls->capacity, &received)
                  : tbh_wire_receive(stream, tls->block, tls->capacity, &received);
    tls->fill = status == TURBOHTTP_OK ? received : 0;
    tls->may_have_more = tls->fill == tls->capacity;
    bool may_grow = wanted * 2 <= stream->io->receive_bytes;
    if (!tls->may_have_more) tls->full_receives = 0;
    else if (may_grow) tls->full_receives++;
    if (status == TURBOHTTP_DONE) tls->is_ended = true;
    tbh_tls_unstage(stream);
    return status;
}

/* ------------------------------------------------------------ handshake */
static turbohttp_status tbh_tls_handshake_failed(tbh_stream *stream, turbohttp_status status,
                                                 turbohttp_error *error) {
    int32_t code = stream->system_code;
    tbh_tls_push(stream); /* the alert, as far as the wire takes it */
    if (status == TURBOHTTP_DONE || status == TURBOHTTP_OK) status = TURBOHTTP_ERR_TLS_HANDSHAKE;
    if (!error || error->code == status) return status; /* written where it was found */
    tbh_error_set(error, status, TURBOHTTP_PHASE_TLS);
    error->system_code = code;
    if (status == TURBOHTTP_ERR_SEND || status == TURBOHTTP_ERR_RECEIVE)
        tbh_error_text(error, "the connection broke inside the TLS handshake: "
                              "is this a TLS port, and does the server speak TLS 1.2?");
    if (status != TURBOHTTP_ERR_TLS_HANDSHAKE) return status;
    tbh_error_text(error, "the server closed the connection inside the TLS handshake: "
                          "is this a TLS port, and does the server speak TLS 1.2?");
    return status;
}

/* Nothing is asked of the wire right behind a flight: the answer cannot be there yet. */
static turbohttp_status tbh_tls_handshake_bytes(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    if (tbh_tls_gather(stream) || tbh_tls_feed(stream)) return TURBOHTTP_OK;
    bool has_flight = tls->out_fill > tls->out_at;
    bool has_more = (tls->provider->wants(tls->session) & TURBOHTTP_TLS_WIRE_OUT) != 0;
    turbohttp_status status = tbh_tls_push(stream);
    if (status < 0) return TURBOHTTP_ERR_SEND;
    bool is_blocked = status == TURBOHTTP_PENDING;
    if (has_more && !is_blocked) return TURBOHTTP_OK;
    status = has_flight && !is_blocked ? TURBOHTTP_PENDING : tbh_tls_stage(stream, false);
    if (status == TURBOHTTP_PENDING)
        tbh_stream_wants(stream, (uint8_t)(TBH_WANT_RECEIVE | (is_blocked ? TBH_WANT_SEND : 0)));
    return status;
}

TBH_FN turbohttp_status tbh_tls_handshake(tbh_stream *stream, turbohttp_error *error) {
    tbh_tls *tls = &stream->tls;
    tls->has_work = false;
    for (int turn = 0; turn < TBH_TLS_TURNS && stream->io->hard_steps > 0; turn++) {
        if (error) error->code = TURBOHTTP_OK;
        turbohttp_status status = tls->provider->step(tls->session, error);
        if (status == TURBOHTTP_OK) {
            tls->is_up = true;
            return TURBOHTTP_OK;
        }
        if (status != TURBOHTTP_PENDING) return tbh_tls_handshake_failed(stream, status, error);
        if (tls->provider->wants(tls->session) & TURBOHTTP_TLS_STEP) {
            stream->io->hard_steps--;
            break;
        }
        status = tbh_tls_handshake_bytes(stream);
        if (status == TURBOHTTP_PENDING) return status;
        if (status != TURBOHTTP_OK) return tbh_tls_handshake_failed(stream, status, error);
    }
    tls->has_work = true;
    return tbh_tls_push(stream) < 0 ? tbh_tls_handshake_failed(stream, TURBOHTTP_ERR_SEND, error)
                                    : TURBOHTTP_PENDING;
}

/* ------------------------------------------------------------ data */
TBH_FN turbohttp_status tbh_tls_send(tbh_stream *stream, const void *data, size_t length,
                                     size_t *sent) {
    tbh_tls *tls = &stream->tls;
    size_t room = 0;
    *sent = 0;
    turbohttp_status status = tbh_tls_push(stream);
    if (status != TURBOHTTP_OK) return status;
    void *place = tls->provider->plain_in_room(tls->session, &room);
    size_t n = tbh_min_size(length, place ? room : 0);
    if (n == 0) { /* for ever, once the peer said close_notify: nothing would wake us but haste */
        status = tls->provider->step(tls->session, NULL);
        return status == TURBOHTTP_OK ? TURBOHTTP_PENDING : TURBOHTTP_ERR_SEND;
    }
    memcpy(place, data, n);
    tls->provider->plain_in_commit(tls->session, n);
    *sent = n;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_tls_flush(tbh_stream *stream) {
    stream->tls.provider->flush(stream->tls.session);
    return tbh_tls_push(stream);
}

TBH_FN bool tbh_tls_can_send(const tbh_tls *tls) {
    const uint32_t either = TURBOHTTP_TLS_WIRE_OUT | TURBOHTTP_TLS_PLAIN_IN;
    return tls->out_at < tls->out_fill || (tls->provider->wants(tls->session) & either) != 0;
}

/* Copies what is decrypted. */
static void tbh_tls_copy_plain(tbh_tls *tls, uint8_t *to, size_t room, size_t *received) {
    size_t length;
    const void *plain;
    while (*received < room &&
           (plain = tls->provider->plain_out_peek(tls->session, &length)) != NULL && length) {
        size_t n = tbh_min_size(length, room - *received);
        memcpy(to + *received, plain, n);
        tls->provider->plain_out_consume(tls->session, n);
        *received += n;
    }
}

/* As long as steps decrypt more: a provider may hold records that came with the handshake's end.
 * DONE after close_notify, or the error that ended the session. */
static turbohttp_status tbh_tls_drain(tbh_tls *tls, uint8_t *to, size_t room, size_t *received) {
    turbohttp_status status = TURBOHTTP_OK;
    size_t before;
    do {
        before = *received;
        tbh_tls_copy_plain(tls, to, room, received);
        if (*received == room) return TURBOHTTP_OK;
        status = tls->provider->step(tls->session, NULL);
        if (status == TURBOHTTP_OK) tbh_tls_copy_plain(tls, to, room, received);
    } while (status == TURBOHTTP_OK && *received > before && *received < room);
    return status;
}

/* More wire bytes into the provider. */
static turbohttp_status tbh_tls_refill(tbh_stream *stream, bool has_some, bool may_block) {
    tbh_tls *tls = &stream->tls;
    if (tbh_tls_feed(stream)) return TURBOHTTP_OK;
    if (has_some && !tls->may_have_more) return TURBOHTTP_PENDING;
    turbohttp_status status = tbh_tls_stage(stream, may_block && !has_some);
    if (status == TURBOHTTP_DONE) tls->is_truncated = true;
    return status;
}

TBH_FN turbohttp_status tbh_tls_receive(tbh_stream *stream, void *data, size_t room,
                                        size_t *received, bool may_block) {
    turbohttp_status status;
    *received = 0;
    for (;;) {
        status = tbh_tls_drain(&stream->tls, (uint8_t *)data, room, received);
        if (status < 0 || status == TURBOHTTP_DONE || *received == room) break;
        status = tbh_tls_refill(stream, *received > 0, may_block);
        if (status != TURBOHTTP_OK) break;
    }
    tbh_tls_unstage(stream);
    return *received ? TURBOHTTP_OK : status;
}

/* close_notify is a courtesy: sent if the wire takes it at once. */
TBH_FN void tbh_tls_shut(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    if (!tls->provider) return;
    if (tls->is_up && !tls->is_ended && tbh_stream_is_ours(stream)) {
        tls->provider->close(tls->session);
        tbh_tls_push(stream);
    }
    tls->provider->shut(tls->session);
    tls->at = tls->fill;
    tbh_tls_unstage(stream);
    turbohttp_byte_pool_return(stream->io->blocks, tls->out_block, tls->out_capacity);
    memset(tls, 0, sizeof *tls);
}
#endif /* !defined(TURBOHTTP_NO_TLS) */

#if !defined(TURBOHTTP_NO_SOCKETS)
/* ========================================================================
 * src/io/stream_socket.c
 * ======================================================================= */
/* Streams over the system's sockets.
 * Owns the dialer while it works, then the connected socket and its watch.
 * Invariant: exactly one of `dialer` and `watch.place` is set between begin and shut.
 * Does not know: HTTP, requests, the user's transports. */

static turbohttp_status tbh_stream_opened(tbh_stream *stream) {
    tbh_socket s = tbh_dialer_take(stream->dialer, &stream->peer);
    stream->resolved_at_us = stream->dialer->resolved_at_us;
    tbh_release(stream->io->allocator, stream->dialer, sizeof *stream->dialer);
    stream->dialer = NULL;
    turbohttp_status status =
        tbh_poller_add(&stream->io->poller, &stream->watch, s, TBH_WANT_RECEIVE, stream->owner);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

TBH_FN turbohttp_status tbh_stream_socket_begin(tbh_stream *stream, const tbh_dial_target *target,
                                                turbohttp_error *error) {
    tbh_io *io = stream->io;
    stream->dialer = (tbh_dialer *)tbh_allocate(io->allocator, sizeof *stream->dialer);
    if (!stream->dialer)
        return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_CONNECT);
    memset(stream->dialer, 0, sizeof *stream->dialer);
    turbohttp_status status = tbh_dialer_begin(stream->dialer, &io->poller, io->resolver, target,
                                               stream->owner, io->now_us, error);
    return status == TURBOHTTP_OK ? tbh_stream_opened(stream) : status;
}

TBH_FN turbohttp_status tbh_stream_socket_step(tbh_stream *stream, turbohttp_error *error) {
    turbohttp_status status = tbh_dialer_step(stream->dialer, stream->io->now_us, error);
    return status == TURBOHTTP_OK ? tbh_stream_opened(stream) : status;
}

TBH_FN turbohttp_status tbh_stream_socket_send(tbh_stream *stream, const void *data, size_t length,
                                               size_t *sent) {
    return tbh_os_send(stream->watch.descriptor, data, length, sent, &stream->system_code);
}

TBH_FN turbohttp_status tbh_stream_socket_receive(tbh_stream *stream, void *data, size_t room,
                                                  size_t *received) {
    return tbh_os_receive(stream->watch.descriptor, data, room, received, &stream->system_code);
}

TBH_FN turbohttp_status tbh_wire_receive_wait(tbh_stream *stream, void *data, size_t room,
                                              size_t *received) {
    tbh_socket s = stream->watch.descriptor;
    if (!stream->can_block && !tbh_os_receive_wait_prepare(s)) return TURBOHTTP_ERR_UNSUPPORTED;
    stream->can_block = true;
    return tbh_os_receive_wait(s, data, room, received, &stream->system_code);
}

TBH_FN uint64_t tbh_stream_socket_deadline(const tbh_stream *stream) {
    return tbh_dialer_deadline(stream->dialer);
}

TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants) {
#if TBH_TLS
    if (wants & TBH_WANT_SEND && stream->tls.provider && !tbh_tls_can_send(&stream->tls))
        wants &= TBH_WANT_RECEIVE; /* what it waits for comes from the wire */
#endif
    tbh_poller_change(&stream->io->poller, &stream->watch, wants);
}

TBH_FN void tbh_stream_socket_shut(tbh_stream *stream) {
    if (stream->dialer) {
        tbh_dialer_abandon(stream->dialer);
        tbh_release(stream->io->allocator, stream->dialer, sizeof *stream->dialer);
    }
    if (stream->watch.place) {
        tbh_socket s = stream->watch.descriptor;
        tbh_poller_remove(&stream->io->poller, &stream->watch);
        tbh_os_socket_shut(s);
    }
}
#endif /* !defined(TURBOHTTP_NO_SOCKETS) */

/* ========================================================================
 * src/io/os_none.c
 * ======================================================================= */
/* No system at all: firmware with a transport, a clock and memory of its own. What needs a system
 * answers ERR_UNSUPPORTED; nothing here is reached when the client has a transport.
 * Owns nothing. */

#if !TBH_SOCKETS
TBH_FN turbohttp_status tbh_os_file_open(const char *path, bool for_writing, tbh_file *out,
                                         uint64_t *length, int32_t *system_code) {
    (void)path, (void)for_writing;
    *out = TBH_NO_FILE;
    *length = 0;
    *system_code = 0;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_os_file_get(tbh_file f, void *data, size_t room, size_t *got,
                                        int32_t *system_code) {
    (void)f, (void)data, (void)room, (void)got, (void)system_code;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_os_file_put(tbh_file f, const void *data, size_t length,
                                        int32_t *system_code) {
    (void)f, (void)data, (void)length, (void)system_code;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_os_file_shut(tbh_file f, int32_t *system_code) {
    (void)f, (void)system_code;
    return TURBOHTTP_OK;
}

TBH_FN void tbh_os_describe(int32_t system_code, char *text, size_t room) {
    size_t n = room > 20 ? tbh_format_u64(text, (uint32_t)system_code) : 0;
    if (room) text[n] = 0;
}

TBH_FN turbohttp_status tbh_stream_socket_begin(tbh_stream *stream, const tbh_dial_target *target,
                                                turbohttp_error *error) {
    (void)stream, (void)target;
    return tbh_error_set(error, TURBOHTTP_ERR_UNSUPPORTED, TURBOHTTP_PHASE_CONNECT);
}

TBH_FN turbohttp_status tbh_stream_socket_step(tbh_stream *stream, turbohttp_error *error) {
    (void)stream, (void)error;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_stream_socket_send(tbh_stream *stream, const void *data, size_t length,
                                               size_t *sent) {
    (void)stream, (void)data, (void)length, (void)sent;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_stream_socket_receive(tbh_stream *stream, void *data, size_t room,
                                                  size_t *received) {
    (void)stream, (void)data, (void)room, (void)received;
    return TURBOHTTP_ERR_UNSUPPORTED;
}

TBH_FN turbohttp_status tbh_wire_receive_wait(tbh_stream *stream, void *data, size_t room,
                                              size_t *received) {
    return tbh_stream_socket_receive(stream, data, room, received);
}

TBH_FN uint64_t tbh_stream_socket_deadline(const tbh_stream *stream) {
    (void)stream;
    return UINT64_MAX;
}

TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants) {
    (void)stream, (void)wants;
}

TBH_FN void tbh_stream_socket_shut(tbh_stream *stream) {
    (void)stream;
}
#endif

/* ========================================================================
 * src/client/internal.h
 * ======================================================================= */
/* The client's objects and who may do what with them.
 *
 *   client ── origins ── links ── stream + h1 (one exchange at a time)
 *          │                   └─ stream + mux (HTTP/2: many)
 *          └─ completions ── requests ── body, store, response
 *
 * A request waits at its origin, runs on one link, and ends in its completion. Files here:
 * client.c (life, poll, timers) · request.c (submit, complete, take) · request_head.c (what is
 * sent) · origin.c (who waits, which link) · link.c (life of connections) · link_h1.c, link_h2.c
 * (moving bytes, as the protocol wants it) · deliver.c (what arrived) ·
 * response.c · secure.c (which TLS, with what) · blocking.c. */
#if TBH_HTTP2
#endif

typedef struct tbh_origin tbh_origin;
typedef struct tbh_tls_config tbh_tls_config;
typedef struct tbh_link tbh_link;
typedef struct tbh_request tbh_request;

/* ------------------------------------------------------------ request */
typedef enum tbh_request_state {
    TBH_REQUEST_WAITING, /* in its origin's queue */
    TBH_REQUEST_RUNNING, /* on a link */
    TBH_REQUEST_DONE     /* its completion is set */
} tbh_request_state;

struct tbh_request {
    turbohttp_client *client;
    turbohttp_request handle;
    tbh_request_state state;
    tbh_request *next, *previous; /* origin's queue */
    tbh_origin *origin;
    tbh_link *link; /* while running */
    void *exchange; /* of the link's protocol, while running: a tbh_mux_stream; HTTP/1.1 has none */

    /* what to send */
    turbohttp_buffer text; /* the head on the wire, and a small body */
    tbh_conn_request wire;
    size_t expect_at; /* offset of that line in `text` */
    tbh_source source;
    turbohttp_body body_desc;
    tbh_file upload;

    /* where the answer goes */
    turbohttp_body_write on_body;
    void (*on_head)(void *user, const turbohttp_response *head);
    turbohttp_progress on_progress;
    void (*on_done)(void *user, turbohttp_request request, turbohttp_response *response);
    void *user;
    void *done_user;
    const char *body_path; /* inside `text`'s tail: copied at submit */
    tbh_file download;
    tbh_body body;
    turbohttp_segments store;
    turbohttp_response response;

    /* rules */
    turbohttp_timeouts timeouts; /* every field set */
    uint64_t started_us, total_deadline_us, phase_deadline_us;
    uint64_t sent_bytes;
    uint64_t uploaded;   /* bytes of the body among them */
    uint64_t body_total; /* as announced; 0: not known */
    uint64_t ticket;     /* grows with each submit of the client */
    uint32_t refusals;   /* attempts that the server did not look at (RELIABILITY 3.3) */
    turbohttp_phase phase;
    bool is_idempotent, is_replayable, disable_reuse, decode;
    bool was_sent; /* in an attempt that was given up */
    bool was_replayed, has_response_byte, is_paused, head_was_seen;
    bool is_ended;    /* the answer is here, the sink has not taken all of it */
    bool is_call_due; /* in the client's list of callbacks to make */
};

/* ------------------------------------------------------------ origin: everything that must be
 * equal for two requests to share a connection (RELIABILITY 3.4), compared field by field. */
/* Which protocols a connection may speak. */
typedef enum tbh_policy {
    TBH_POLICY_H1,    /* HTTP/1.1 */
    TBH_POLICY_OFFER, /* TLS: HTTP/2 or HTTP/1.1, as the server likes */
    TBH_POLICY_H2     /* HTTP/2 without asking */
} tbh_policy;

typedef struct tbh_origin_key {
    turbohttp_span host; /* lower case, without the trailing dot */
    turbohttp_span zone; /* of an IPv6 address */
    turbohttp_span connect_host;
    turbohttp_span unix_path;
    uint16_t port, connect_port;
    tbh_policy policy;
    tbh_tls_config *tls; /* interned: equal options are one object; NULL: no TLS */
} tbh_origin_key;

struct tbh_origin {
    tbh_origin *next;
    tbh_origin_key key;           /* its texts lie behind this struct, each terminated */
    turbohttp_span absolute_host; /* key.host with a trailing dot: looked up without search list */
    bool is_absolute;             /* a URL wrote the dot; the key does not tell the two apart */
    turbohttp_span prefix;        /* a URL that begins so, and asks for nothing special, is ours */
    turbohttp_span head_end;      /* what is behind the target of such a URL in a plain GET */
    size_t line_end_bytes;        /* of it: the rest of the request line, and Host */
    size_t bytes;
    tbh_request *waiting_first, *waiting_last; /* the most urgent ones first */
    uint32_t overtaken;                        /* starts in a row before somebody less urgent */
    tbh_link *idle;                            /* last used first */
    tbh_link *shared; /* speaks HTTP/2 and takes requests; perhaps idle, too */
    uint32_t links, requests, opening;
    bool speaks_h1; /* the last answer to an offer of both */
    bool needs_h1;  /* it said so (HTTP_1_1_REQUIRED) */
    /* The last TLS session, for as long as the origin is remembered: equal keys alone may continue
     * it (S-02). An origin with one outlives its links and requests for a while: it is dormant. */
    uint8_t session[TURBOHTTP_TLS_SESSION_BYTES];
    size_t session_bytes;
    bool is_dormant;
};

/* ------------------------------------------------------------ tls: options in use */
struct tbh_tls_config {
    tbh_tls_config *next;
    turbohttp_tls_options options; /* its texts lie behind this struct */
    size_t bytes;
    uint32_t holders; /* origins, and submits under way */
    const turbohttp_tls_provider *provider;
    void *context; /* the provider's */
};

/* ------------------------------------------------------------ link: one connection */
typedef enum tbh_link_state { TBH_LINK_OPENING, TBH_LINK_BUSY, TBH_LINK_IDLE } tbh_link_state;

/* Requests that may not be repeated do not trust a connection that was idle for longer
 * (RELIABILITY 3.3): the server may be closing it right now, or the way to it is gone. */
#define TBH_IDLE_TRUST_US 3000000u

/* The seam between links and protocols. */
typedef struct tbh_protocol {
    void (*start)(tbh_link *link, tbh_request *request); /* an exchange */
    void (*pump)(tbh_link *link, bool may_block);        /* move bytes, as far as they go */
    void (*leave)(tbh_link *link, tbh_request *request); /* the request ends before its answer */
    void (*resume)(tbh_link *link, tbh_request *request);
    bool (*awaits_continue)(const tbh_request *request);
    void (*go_on)(tbh_request *request);       /* without 100 (Continue) */
    bool (*only_waits)(const tbh_link *link);  /* for bytes of the only exchange */
    bool (*has_room)(const tbh_link *link);    /* for one more exchange while it is busy */
    bool (*is_doubtful)(const tbh_link *link); /* nobody knows whether the peer is still there */
    void (*on_idle_ready)(tbh_link *link);     /* idle, look what there is; the link may be gone */
    void (*tick)(tbh_link *link);              /* deadlines of its own; an idle link may be gone */
    void (*shut)(tbh_link *link);              /* says goodbye, returns what it holds */
} tbh_protocol;

struct tbh_link {
    turbohttp_client *client;
    tbh_origin *origin;
    tbh_link *next, *previous;           /* all links of the client */
    tbh_link *idle_next, *idle_previous; /* idle links of the origin */
    tbh_link *dirty_next;
    tbh_request *request; /* while opening, and with HTTP/1.1 while busy */
    tbh_stream stream;
    const tbh_protocol *protocol; /* NULL while opening */
    tbh_conn_h1 h1;
#if TBH_HTTP2
    tbh_mux *mux; /* rented when it turns out that the connection speaks HTTP/2 */
    size_t mux_bytes;
    uint32_t uploads; /* requests that are not sent in full */
    bool has_held;    /* some request goes on with bytes that were held back */
#endif
    tbh_link_state state;
    bool is_dirty;        /* in the list of links to pump */
    bool is_send_blocked; /* the stream took less than offered */
    bool may_receive;     /* bytes may be there without another wait */
    bool is_private;      /* never shared, closed when its request is complete */
    uint32_t served;      /* exchanges completed; with HTTP/2 begun */
    uint64_t idle_since_us, idle_until_us, opened_us;
    uint64_t reuse_us;            /* how long it may be idle after this exchange */
    turbohttp_status send_status; /* why sending ended early */
};

/* ------------------------------------------------------------ client */
struct turbohttp_client {
    turbohttp_allocator allocator;
    turbohttp_arena arena; /* fixed-memory mode */
    tbh_heap *heap;
    turbohttp_limits limits;     /* every field set */
    turbohttp_timeouts timeouts; /* every field set */
    turbohttp_client_desc desc;
    tbh_io io;
    tbh_completions completions;
    turbohttp_object_pool request_pool, link_pool, inflaters;
#if TBH_HTTP2
    turbohttp_object_pool stream_pool;
#endif
    tbh_origin *origins;
    uint32_t dormant_count;
    tbh_tls_config *tls_configs;
    tbh_link *links, *dirty_first, *dirty_last;
    tbh_request *done_first, *done_last; /* on_done is due */
    uint32_t link_count, idle_count, opening_count;
    uint32_t crowded_starts; /* in a row, with every connection in use */
    uint64_t deadline_us;    /* no timer is due before; may be too early, never too late */
    size_t budget;           /* bytes of work left in this poll */
    uint64_t connects, replays, tickets;
    bool may_dispatch; /* since the last dispatch a request came to wait, or a link was set free */
    bool is_polling, is_shut, is_doomed, must_tear_down, disable_keep_alive;
};

/* client.c */
TBH_FN void tbh_client_read_clock(turbohttp_client *client);
/* In a child of fork, once: everything that moves is the parent's (S-85). Called before anything
 * that could touch it. */
TBH_FN void tbh_client_check_birth(turbohttp_client *client);
/* Takes n bytes of work off what is left for this poll. */
TBH_FN void tbh_client_spend(turbohttp_client *client, uint64_t n);
TBH_FN void tbh_client_arm(turbohttp_client *client, uint64_t deadline_us);
/* One round of poll; may_block: nothing else runs in this thread until the request is complete. */
TBH_FN turbohttp_status tbh_client_round(turbohttp_client *client, uint32_t timeout_ms,
                                         bool may_block);

/* request.c */
TBH_FN void tbh_request_complete(tbh_request *request, turbohttp_status status);
/* As above, with the record already in request->response.error. */
TBH_FN void tbh_request_complete_recorded(tbh_request *request);
TBH_FN void tbh_request_set_phase(tbh_request *request, turbohttp_phase phase);
TBH_FN uint64_t tbh_request_deadline(const tbh_request *request);
TBH_FN void tbh_request_time_out(tbh_request *request);
TBH_FN void tbh_request_call_done(turbohttp_client *client);
/* Makes a request that was sent as good as new. */
TBH_FN void tbh_request_rewind(tbh_request *request);

/* request_head.c */
#define TBH_USER_AGENT_LINE "User-Agent: turbohttp/" TURBOHTTP_VERSION "\r\n"
#define TBH_ACCEPT_LINE     "Accept: */*\r\n"
#define TBH_CODINGS_LINE    "Accept-Encoding: gzip, deflate\r\n"
/* The lines that a request has if nobody says anything else, and the end of the head. */
#if TBH_INFLATE
#define TBH_DEFAULT_LINES TBH_USER_AGENT_LINE TBH_ACCEPT_LINE TBH_CODINGS_LINE "\r\n"
#else
#define TBH_DEFAULT_LINES TBH_USER_AGENT_LINE TBH_ACCEPT_LINE "\r\n"
#endif
/* Where a request goes: slices that live until it is built. */
typedef struct tbh_target {
    const turbohttp_url *url; /* NULL: it is `path`, and `origin` knows what comes behind it */
    turbohttp_span path;      /* request target */
    const tbh_origin *origin;
} tbh_target;
TBH_FN turbohttp_status tbh_request_build(tbh_request *request, const turbohttp_request_desc *desc,
                                          const tbh_target *target, turbohttp_error *error);
/* Was the expectation refused (RFC 9110 §15.5.18)? Then the request has none any more; true once. */
TBH_FN bool tbh_request_drop_expectation(tbh_request *request, uint16_t status);

/* secure.c */
/* The config of these options (NULL: the client's), held for the caller. */
TBH_FN turbohttp_status tbh_secure_get(turbohttp_client *client,
                                       const turbohttp_tls_options *options,
                                       tbh_tls_config **config, turbohttp_error *error);
TBH_FN void tbh_secure_drop(tbh_tls_config *config);
TBH_FN void tbh_secure_free_all(turbohttp_client *client);
/* What a new connection of the origin needs; `host` backs it. NULL: no TLS. */
TBH_FN const tbh_tls_plan *tbh_secure_plan(const tbh_origin *origin, char host[256],
                                           turbohttp_address *address, tbh_tls_plan *plan);

/* origin.c */
/* Nobody shares its connections or sessions (RELIABILITY 3.2): who is at the other end, nobody knows. */
TBH_FN bool tbh_origin_is_unverified(const tbh_origin *origin);
/* Takes over the hold on `tls`. */
TBH_FN tbh_origin *tbh_origin_get(turbohttp_client *client, const turbohttp_url *url,
                                  const turbohttp_request_desc *desc, tbh_tls_config *tls);
/* The origin of a URL that was seen before, without parsing it again; NULL: parse it. */
TBH_FN tbh_origin *tbh_origin_recall(turbohttp_client *client, const turbohttp_request_desc *desc,
                                     tbh_target *target);
TBH_FN void tbh_origin_drop_if_unused(turbohttp_client *client, tbh_origin *origin);
TBH_FN void tbh_origin_drop(turbohttp_client *client, tbh_origin *origin);
TBH_FN void tbh_origin_keep_session(tbh_origin *origin, const tbh_stream *stream);
TBH_FN void tbh_origin_forget_session(tbh_origin *origin);
TBH_FN void tbh_origin_queue(tbh_origin *origin, tbh_request *request, bool at_front);
TBH_FN void tbh_origin_unqueue(tbh_origin *origin, tbh_request *request);
/* Gives waiting requests to idle links, or opens links, as far as the caps allow. */
TBH_FN void tbh_origins_dispatch(turbohttp_client *client);
TBH_FN bool tbh_origins_shut_oldest_idle(turbohttp_client *client);
TBH_FN void tbh_origin_push_idle(tbh_origin *origin, tbh_link *link);
TBH_FN void tbh_origin_remove_idle(tbh_origin *origin, tbh_link *link);

/* link.c */
TBH_FN void tbh_link_open(tbh_origin *origin, tbh_request *request);
TBH_FN void tbh_link_assign(tbh_link *link, tbh_request *request);
TBH_FN void tbh_link_mark_dirty(tbh_link *link);
TBH_FN void tbh_link_step_opening(tbh_link *link);
TBH_FN void tbh_link_destroy(tbh_link *link);
TBH_FN bool tbh_link_is_fresh(tbh_link *link);
/* May it be kept for further requests? Then it becomes idle, for at most `reuse_us`. */
TBH_FN bool tbh_link_may_rest(const tbh_link *link);
TBH_FN void tbh_link_rest(tbh_link *link, uint64_t reuse_us);

/* link_h1.c, link_h2.c */
TBH_FN void tbh_link_speak_h1(tbh_link *link);
#if TBH_HTTP2
TBH_FN turbohttp_status tbh_link_speak_h2(tbh_link *link);
#endif

/* deliver.c */
TBH_FN void tbh_deliver_first_byte(tbh_request *request);
TBH_FN turbohttp_status tbh_deliver_head(tbh_request *request, const turbohttp_h1_head *head,
                                         uint8_t http_version);
/* Hands wire bytes on; PENDING when the sink pauses (is_paused) or the budget of this poll is used up. */
TBH_FN turbohttp_status tbh_deliver_put(tbh_request *request, turbohttp_span span, size_t *taken);
TBH_FN turbohttp_status tbh_deliver_stored(tbh_request *request, size_t n);
TBH_FN void tbh_deliver_progress(tbh_request *request);
/* So many bytes of the request's body are sent by now. */
TBH_FN void tbh_deliver_upload(tbh_request *request, uint64_t uploaded);
/* The framing says that all is here. PENDING: the sink pauses. */
TBH_FN turbohttp_status tbh_deliver_finish(tbh_request *request);
/* The request waits again, in front of the others; its link is left already. `is_safe`: the server
 * did not act on it, so that it does not count. */
TBH_FN void tbh_deliver_replay(tbh_request *request, bool is_safe);
TBH_FN void tbh_deliver_record(tbh_request *request, const tbh_link *link, turbohttp_status status,
                               uint64_t offset);

/* ========================================================================
 * src/client/secure.c
 * ======================================================================= */
/* Which TLS provider secures a request, and with what (SPEC D5).
 * Owns the configs: one for each set of options in use, so that two requests share connections and
 * sessions exactly when everything about their TLS is equal (S-01, S-02).
 * Invariants: a config never changes; `auto` goes to the next provider only for a missing
 * capability, never after any other failure; what was chosen, and why, is logged once.
 * Does not know: records, certificates. */

#if TBH_TLS
#define TBH_SECURE_NAME_MOST 255 /* bytes: longer names no certificate can have */
#define TBH_UNUSED_CONFIGS   4   /* kept for the next request: loading roots and keys takes time */

/* A second header that is included later in the same file defines this (a tentative definition
 * until then). C++ has no such thing: there it must come first, and says so. */
#if defined(TURBOHTTP_TLS_BEARSSL_FIRST)
static const turbohttp_tls_provider *tbh_secure_included(void) {
    return turbohttp_tls_bearssl_first();
}
#elif defined(__cplusplus)
static const turbohttp_tls_provider *tbh_secure_included(void) {
    return NULL;
}
#else
static const turbohttp_tls_provider *(*const turbohttp_tls_included)(void);
static const turbohttp_tls_provider *tbh_secure_included(void) {
    return turbohttp_tls_included ? turbohttp_tls_included() : NULL;
}
#endif

/* Every field of the options is part of the identity: a new one belongs into one of these. */
#define TBH_TLS_TEXTS(X)                                                                           \
    X(provider) X(ca_file) X(ca_path) X(cert_file) X(key_file) X(pins) X(server_name)
/* clang-format off */
#define TBH_TLS_VALUES(X)                                                                          \
    X(ca_data) X(ca_bytes) X(min_version) X(max_version) X(buffer_bytes) X(disable_resumption)     \
    X(ignore_certificate_dates) X(INSECURE_skip_verification)
/* clang-format on */

static bool tbh_secure_same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool tbh_secure_equal(const turbohttp_tls_options *a, const turbohttp_tls_options *b) {
#define TBH_SAME_TEXT(field)                                                                       \
    if (!tbh_secure_same_text(a->field, b->field)) return false;
#define TBH_SAME_VALUE(field)                                                                      \
    if (a->field != b->field) return false;
    TBH_TLS_TEXTS(TBH_SAME_TEXT)
    TBH_TLS_VALUES(TBH_SAME_VALUE)
    return true;
}

static size_t tbh_secure_text_bytes(const turbohttp_tls_options *options) {
    size_t n = 0;
#define TBH_ADD_TEXT(field) n += options->field ? strlen(options->field) + 1 : 0;
    TBH_TLS_TEXTS(TBH_ADD_TEXT)
    return n;
}

static const char *tbh_secure_copy_text(char **at, const char *text) {
    char *copy = *at;
    if (!text) return NULL;
    memcpy(copy, text, strlen(text) + 1);
    *at += strlen(text) + 1;
    return copy;
}

static tbh_tls_config *tbh_secure_copy(turbohttp_client *client,
                                       const turbohttp_tls_options *options) {
    size_t bytes = sizeof(tbh_tls_config) + tbh_secure_text_bytes(options);
    tbh_tls_config *config = (tbh_tls_config *)tbh_allocate(&client->allocator, bytes);
    if (!config) return NULL;
    memset(config, 0, sizeof *config);
    config->bytes = bytes;
    config->options = *options;
    char *at = (char *)(config + 1);
#define TBH_COPY_TEXT(field) config->options.field = tbh_secure_copy_text(&at, options->field);
    TBH_TLS_TEXTS(TBH_COPY_TEXT)
    return config;
}

/* ------------------------------------------------------------ providers */
static const turbohttp_tls_provider *tbh_secure_provider_at(const turbohttp_client *client,
                                                            size_t i) {
    size_t own = client->desc.tls_provider_count;
    if (i < own) return client->desc.tls_providers[i];
    return i == own ? tbh_secure_included() : NULL;
}

static const struct {
    uint32_t bit;
    const char *name;
} tbh_secure_abilities[] = {
    {TURBOHTTP_TLS_HAS_1_2, "1.2"},
    {TURBOHTTP_TLS_HAS_1_3, "1.3"},
    {TURBOHTTP_TLS_HAS_ALPN, "alpn"},
    {TURBOHTTP_TLS_HAS_RESUMPTION, "resumption"},
    {TURBOHTTP_TLS_HAS_SYSTEM_ROOTS, "system-roots"},
    {TURBOHTTP_TLS_HAS_OWN_ROOTS, "own-roots"},
    {TURBOHTTP_TLS_HAS_PINS, "pins"},
    {TURBOHTTP_TLS_HAS_CLIENT_CERT, "client-certificates"},
    {TURBOHTTP_TLS_HAS_SMALL_BUFFERS, "small-buffers"},
};

static uint32_t tbh_secure_needs(const turbohttp_tls_options *o) {
    uint32_t needs = 0;
    bool has_own = o->ca_file || o->ca_path || o->ca_data;
    if (has_own) needs |= TURBOHTTP_TLS_HAS_OWN_ROOTS;
    else if (!o->INSECURE_skip_verification) needs |= TURBOHTTP_TLS_HAS_SYSTEM_ROOTS;
    if (o->pins) needs |= TURBOHTTP_TLS_HAS_PINS;
    if (o->cert_file) needs |= TURBOHTTP_TLS_HAS_CLIENT_CERT;
    if (o->buffer_bytes) needs |= TURBOHTTP_TLS_HAS_SMALL_BUFFERS;
    if (o->min_version == TURBOHTTP_TLS_1_3) needs |= TURBOHTTP_TLS_HAS_1_3;
    if (o->max_version == TURBOHTTP_TLS_1_2) needs |= TURBOHTTP_TLS_HAS_1_2;
    return needs;
}

/* ------------------------------------------------------------ the choice, and its reasons */
typedef struct tbh_secure_choice {
    turbohttp_client *client;
    tbh_tls_config *config;
    uint32_t needs;
    turbohttp_error reasons; /* the text grows */
} tbh_secure_choice;

static void tbh_secure_say(turbohttp_error *to, const char *a, const char *b, const char *c) {
    tbh_error_append(to, a);
    tbh_error_append(to, b);
    tbh_error_append(to, c);
}

static void tbh_secure_say_lacks(turbohttp_error *to, const char *name, uint32_t lacks) {
    tbh_secure_say(to, "; ", name, " lacks");
    for (size_t i = 0; i < sizeof tbh_secure_abilities / sizeof tbh_secure_abilities[0]; i++)
        if (lacks & tbh_secure_abilities[i].bit)
            tbh_secure_say(to, " ", tbh_secure_abilities[i].name, "");
}

static turbohttp_tls_host tbh_secure_host(turbohttp_client *client) {
    turbohttp_tls_host host;
    memset(&host, 0, sizeof host);
    host.allocator = &client->allocator;
    host.random = client->io.random;
    host.unix_seconds = client->desc.wall_clock.unix_seconds;
    host.user = client->desc.wall_clock.user;
#if TBH_SOCKETS
    host.file_get = tbh_os_file_get_at;
#endif
    return host;
}

/* OK: chosen. UNSUPPORTED: the next one may try. Everything else is final: a provider that failed
 * is never replaced by one that might be less strict. */
static turbohttp_status tbh_secure_try(tbh_secure_choice *c, const turbohttp_tls_provider *p,
                                       uint32_t needs, turbohttp_error *error) {
    turbohttp_tls_host host = tbh_secure_host(c->client);
    uint32_t lacks = needs & ~p->capabilities;
    if (lacks) {
        tbh_secure_say_lacks(&c->reasons, p->name, lacks);
        return TURBOHTTP_ERR_UNSUPPORTED;
    }
    tbh_error_set(error, TURBOHTTP_ERR_TLS_CAPABILITY, TURBOHTTP_PHASE_TLS);
    turbohttp_status status =
        p->context_create(&host, &c->config->options, &c->config->context, error);
    if (status == TURBOHTTP_OK) c->config->provider = p;
    else if (status == TURBOHTTP_ERR_UNSUPPORTED)
        tbh_secure_say(&c->reasons, "; ", p->name, " is not usable here");
    else if (error && error->code != status) tbh_error_set(error, status, TURBOHTTP_PHASE_TLS);
    return status;
}

static bool tbh_secure_is_asked_for(const turbohttp_tls_options *o,
                                    const turbohttp_tls_provider *p) {
    return !o->provider || strcmp(o->provider, "auto") == 0 || strcmp(o->provider, p->name) == 0;
}

static turbohttp_status tbh_secure_walk(tbh_secure_choice *c, uint32_t needs,
                                        turbohttp_error *error) {
    const turbohttp_tls_provider *p;
    turbohttp_status status = TURBOHTTP_ERR_UNSUPPORTED;
    for (size_t i = 0; (p = tbh_secure_provider_at(c->client, i)) != NULL; i++) {
        if (!tbh_secure_is_asked_for(&c->config->options, p)) continue;
        status = tbh_secure_try(c, p, needs, error);
        if (status != TURBOHTTP_ERR_UNSUPPORTED) return status;
    }
    return status;
}

static void tbh_secure_log(tbh_secure_choice *c) {
    turbohttp_error line;
    const char *asked = c->config->options.provider;
    if (!c->client->desc.log) return;
    memset(&line, 0, sizeof line);
    tbh_secure_say(&line, "tls: ", c->config->provider->name, " chosen (");
    tbh_secure_say(&line, asked ? asked : "auto", ")", c->reasons.text);
    c->client->desc.log(c->client->desc.log_user, line.text);
}

/* Without ALPN there is still HTTP/1.1: that is the last resort, not a reason to fail. */
static turbohttp_status tbh_secure_choose(tbh_secure_choice *c, turbohttp_error *error) {
    if (!tbh_secure_provider_at(c->client, 0))
        return tbh_error_set(error, TURBOHTTP_ERR_TLS_MISSING, TURBOHTTP_PHASE_NONE);
    turbohttp_status status = tbh_secure_walk(c, c->needs | TURBOHTTP_TLS_HAS_ALPN, error);
    if (status == TURBOHTTP_ERR_UNSUPPORTED) {
        memset(&c->reasons, 0, sizeof c->reasons);
        status = tbh_secure_walk(c, c->needs, error);
    }
    if (status == TURBOHTTP_OK) tbh_secure_log(c);
    if (status != TURBOHTTP_ERR_UNSUPPORTED) return status;
    tbh_error_set(error, TURBOHTTP_ERR_TLS_CAPABILITY, TURBOHTTP_PHASE_TLS);
    if (!c->reasons.text[0])
        tbh_secure_say(&c->reasons, "; there is none named ", c->config->options.provider, "");
    if (error) tbh_error_append(error, c->reasons.text);
    return TURBOHTTP_ERR_TLS_CAPABILITY;
}

/* ------------------------------------------------------------ what no provider could mend */
/* A host name without the dots at its end ("127.0.0.1."). */
static turbohttp_span tbh_secure_trim(turbohttp_span name) {
    while (name.length && name.data[name.length - 1] == '.') name.length--;
    return name;
}

static turbohttp_status tbh_secure_check(const turbohttp_tls_options *o, turbohttp_error *error) {
    turbohttp_status status = TURBOHTTP_OK;
    const char *text = NULL;
    if (o->key_file && !o->cert_file) {
        status = TURBOHTTP_ERR_TLS_CLIENT_CERT;
        text = "tls.key_file is set, but not the certificate that it belongs to: set tls.cert_file";
    } else if (o->server_name &&
               tbh_secure_trim(tbh_span_of(o->server_name)).length > TBH_SECURE_NAME_MOST) {
        status = TURBOHTTP_ERR_INVALID_ARGUMENT;
        text = "tls.server_name is longer than the 255 characters that a host name can have";
    }
    if (!text) return TURBOHTTP_OK;
    tbh_error_set(error, status, TURBOHTTP_PHASE_NONE);
    tbh_error_text(error, text);
    return status;
}

/* ------------------------------------------------------------ configs */
static void tbh_secure_free(turbohttp_client *client, tbh_tls_config *config) {
    if (config->provider) config->provider->context_destroy(config->context);
    tbh_release(&client->allocator, config, config->bytes);
}

static void tbh_secure_prune(turbohttp_client *client, uint32_t kept) {
    tbh_tls_config **at = &client->tls_configs;
    for (uint32_t count = 0; *at;) {
        tbh_tls_config *config = *at;
        if (config->holders || count++ < kept) {
            at = &config->next;
            continue;
        }
        *at = config->next;
        tbh_secure_free(client, config);
    }
}

TBH_FN turbohttp_status tbh_secure_get(turbohttp_client *client,
                                       const turbohttp_tls_options *options, tbh_tls_config **out,
                                       turbohttp_error *error) {
    tbh_secure_choice choice;
    if (!options) options = &client->desc.tls;
    tbh_tls_config *config = client->tls_configs;
    while (config && !tbh_secure_equal(&config->options, options)) config = config->next;
    *out = config;
    if (config) {
        config->holders++;
        return TURBOHTTP_OK;
    }
    turbohttp_status status = tbh_secure_check(options, error);
    if (status != TURBOHTTP_OK) return status;
    config = tbh_secure_copy(client, options);
    if (!config) return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_NONE);
    memset(&choice, 0, sizeof choice);
    choice.client = client;
    choice.config = config;
    choice.needs = tbh_secure_needs(options);
    status = tbh_secure_choose(&choice, error);
    if (status != TURBOHTTP_OK) {
        tbh_secure_free(client, config);
        return status;
    }
    tbh_secure_prune(client, TBH_UNUSED_CONFIGS);
    config->holders = 1;
    config->next = client->tls_configs;
    client->tls_configs = config;
    *out = config;
    return TURBOHTTP_OK;
}

/* A config without holders stays a while: the next request probably wants it again. */
TBH_FN void tbh_secure_drop(tbh_tls_config *config) {
    if (config) config->holders--;
}

TBH_FN void tbh_secure_free_all(turbohttp_client *client) {
    tbh_secure_prune(client, 0);
}

/* ------------------------------------------------------------ plans */
static const char *const tbh_secure_protocols[] = {"h2", "http/1.1"};

/* A part of the row above, as the policy wants it. */
static void tbh_secure_offer(const tbh_origin *origin, turbohttp_tls_target *target) {
    bool offers_h2 = TBH_HTTP2 && origin->key.policy != TBH_POLICY_H1 && !origin->needs_h1;
    bool offers_h1 = !offers_h2 || origin->key.policy == TBH_POLICY_OFFER;
    target->protocols = offers_h2 ? tbh_secure_protocols : tbh_secure_protocols + 1;
    target->protocol_count = (size_t)offers_h2 + offers_h1;
}

TBH_FN const tbh_tls_plan *tbh_secure_plan(const tbh_origin *origin, char host[256],
                                           turbohttp_address *address, tbh_tls_plan *plan) {
    const tbh_tls_config *config = origin->key.tls;
    if (!config) return NULL;
    turbohttp_span name = origin->key.host;
    if (config->options.server_name) name = tbh_span_of(config->options.server_name);
    name = tbh_secure_trim(name);
    size_t n = tbh_min_size(name.length, TBH_SECURE_NAME_MOST); /* it is never longer */
    memcpy(host, name.data, n);
    host[n] = 0;
    memset(plan, 0, sizeof *plan);
    plan->provider = config->provider;
    plan->context = config->context;
    plan->target.host = host;
    plan->target.address = tbh_address_parse(name, address) ? address : NULL;
    tbh_secure_offer(origin, &plan->target);
    if (!config->options.disable_resumption) {
        plan->target.session = origin->session;
        plan->target.session_bytes = origin->session_bytes;
    }
    return plan;
}

/* ------------------------------------------------------------ summary */
TURBOHTTP_API const char *turbohttp_tls_summary(turbohttp_client *client, char *text, size_t room) {
    turbohttp_error line;
    const turbohttp_tls_provider *p;
    tbh_tls_config *chosen = NULL;
    memset(&line, 0, sizeof line);
    tbh_secure_get(client, NULL, &chosen, NULL);
    for (size_t i = 0; (p = tbh_secure_provider_at(client, i)) != NULL; i++) {
        tbh_secure_say(&line, i ? "; " : "", p->name, chosen && chosen->provider == p ? "*:" : ":");
        for (size_t k = 0; k < sizeof tbh_secure_abilities / sizeof tbh_secure_abilities[0]; k++)
            if (p->capabilities & tbh_secure_abilities[k].bit)
                tbh_secure_say(&line, " ", tbh_secure_abilities[k].name, "");
    }
    tbh_secure_drop(chosen);
    size_t n = tbh_min_size(strlen(line.text), room ? room - 1 : 0);
    if (room) {
        memcpy(text, line.text, n);
        text[n] = 0;
    }
    return text;
}

#else
TBH_FN turbohttp_status tbh_secure_get(turbohttp_client *client,
                                       const turbohttp_tls_options *options,
                                       tbh_tls_config **config, turbohttp_error *error) {
    (void)client, (void)options;
    *config = NULL;
    return tbh_error_set(error, TURBOHTTP_ERR_TLS_MISSING, TURBOHTTP_PHASE_NONE);
}

TBH_FN void tbh_secure_drop(tbh_tls_config *config) {
    (void)config;
}

TBH_FN void tbh_secure_free_all(turbohttp_client *client) {
    (void)client;
}

TBH_FN const tbh_tls_plan *tbh_secure_plan(const tbh_origin *origin, char host[256],
                                           turbohttp_address *address, tbh_tls_plan *plan) {
    (void)origin, (void)host, (void)address, (void)plan;
    return NULL;
}

TURBOHTTP_API const char *turbohttp_tls_summary(turbohttp_client *client, char *text, size_t room) {
    (void)client;
    if (room) text[0] = 0;
    return text;
}
#endif

/* ========================================================================
 * src/client/origin.c
 * ======================================================================= */
/* Origins: who waits for a connection, and which connection serves whom (SPEC E4).
 * Owns the origins: one while it has links or requests, so that their number is bounded by both,
 * and a few more that only remember a TLS session.
 * Invariants: a link serves only requests of its origin; FIFO inside a class of an origin, and nobody
 * starves, neither behind requests to the same host nor behind other hosts; the caps per host and in
 * total are never exceeded; an idle link of another host makes room when the total is used.
 * Does not know: bytes, time limits. */

#define TBH_LINK_LIFETIME_US 600000000u

/* Requests in a row that may start before a less urgent one (RELIABILITY 3.5). */
#define TBH_OVERTAKEN_MOST   8u

/* Origins without links and requests that are kept for their TLS session. */
#define TBH_DORMANT_ORIGINS  16u

/* ------------------------------------------------------------ keys */
static bool tbh_span_equal(turbohttp_span a, turbohttp_span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static bool tbh_span_equal_any_case(turbohttp_span a, turbohttp_span b) {
    return a.length == b.length && tbh_equal_nocase(a.data, b.data, a.length);
}

/* `key` is as the user wrote it, `known` in lower case. */
static bool tbh_origin_matches(const tbh_origin_key *known, const tbh_origin_key *key) {
    return known->port == key->port && known->tls == key->tls && known->policy == key->policy &&
           known->connect_port == key->connect_port &&
           tbh_span_equal_any_case(known->host, key->host) &&
           tbh_span_equal(known->zone, key->zone) &&
           tbh_span_equal_any_case(known->connect_host, key->connect_host) &&
           tbh_span_equal(known->unix_path, key->unix_path);
}

static turbohttp_span tbh_origin_copy(char **at, turbohttp_span text, bool to_lower) {
    turbohttp_span copy = tbh_span(*at, text.length);
    for (size_t i = 0; i < text.length; i++)
        (*at)[i] = to_lower ? (char)tbh_lower((uint8_t)text.data[i]) : text.data[i];
    (*at)[text.length] = 0;
    *at += text.length + 1;
    return copy;
}

/* Everything before the path, as the user wrote it: equal text means an equal origin, as long as
 * the request overrides nothing. */
static turbohttp_span tbh_origin_prefix(const turbohttp_url *url) {
    const char *end = url->authority.data + url->authority.length;
    return tbh_span(url->text.data, (size_t)(end - url->text.data));
}

/* The authority, if it is what turbohttp_url_put_host writes, but for upper case; else nothing. */
static turbohttp_span tbh_origin_host_field(const turbohttp_url *url) {
    turbohttp_span port = url->port_text;
    bool is_default = url->port == tbh_url_default_port(url);
    bool is_port_usual = !port.data || (port.length && port.data[0] != '0' && !is_default);
    bool is_usual = is_port_usual && !url->has_userinfo && !url->is_ipv6;
    return is_usual ? url->authority : tbh_span(NULL, 0);
}

#define TBH_ORIGIN_VERSION  " HTTP/1.1\r\nHost: "
#define TBH_ORIGIN_HEAD_END TBH_ORIGIN_VERSION "\r\n" TBH_DEFAULT_LINES

static void tbh_origin_put_head_end(tbh_origin *origin, char *to, turbohttp_span host_field) {
    char *at = to;
    tbh_origin_copy(&at, tbh_span_of(TBH_ORIGIN_VERSION), false);
    at--; /* the NUL */
    tbh_origin_copy(&at, host_field, true);
    memcpy(at - 1, "\r\n", 2);
    origin->line_end_bytes = (size_t)(at + 1 - to);
    memcpy(at + 1, TBH_DEFAULT_LINES, sizeof TBH_DEFAULT_LINES - 1);
    origin->head_end = tbh_span(to, origin->line_end_bytes + sizeof TBH_DEFAULT_LINES - 1);
}

static tbh_origin *tbh_origin_create(turbohttp_client *client, const tbh_origin_key *key,
                                     const turbohttp_url *url, bool has_own_tls) {
    turbohttp_span prefix = tbh_origin_prefix(url), host_field = tbh_origin_host_field(url);
    bool is_plain =
        !key->connect_host.length && !key->connect_port && !key->unix_path.length && !has_own_tls;
    size_t texts = 8 + 2 * key->host.length + key->zone.length + key->connect_host.length +
                   key->unix_path.length + prefix.length + host_field.length +
                   sizeof TBH_ORIGIN_HEAD_END;
    size_t bytes = sizeof(tbh_origin) + texts;
    tbh_origin *origin = (tbh_origin *)tbh_allocate(&client->allocator, bytes);
    if (!origin) return NULL;
    memset(origin, 0, sizeof *origin);
    char *at = (char *)(origin + 1);
    origin->bytes = bytes;
    origin->key = *key;
    origin->key.host = tbh_origin_copy(&at, key->host, true);
    if (key->zone.length) at[-1] = '%'; /* "fe80::1%2" is what is dialed */
    origin->key.zone = tbh_origin_copy(&at, key->zone, false);
    origin->absolute_host = tbh_origin_copy(&at, key->host, true);
    memcpy(at - 1, ".", 2);
    at++;
    origin->key.connect_host = tbh_origin_copy(&at, key->connect_host, true);
    origin->key.unix_path = tbh_origin_copy(&at, key->unix_path, false);
    if (is_plain && host_field.length) {
        origin->prefix = tbh_origin_copy(&at, prefix, false);
        tbh_origin_put_head_end(origin, at, host_field);
    }
    origin->next = client->origins;
    client->origins = origin;
    return origin;
}

/* Without room for tables and windows HTTP/2 is spoken only where it is asked for. */
static tbh_policy tbh_origin_policy(const turbohttp_client *client,
                                    const turbohttp_request_desc *desc, bool is_tls) {
    if (!TBH_HTTP2 || desc->use_http10 || desc->disable_http2) return TBH_POLICY_H1;
    if (desc->http2_prior_knowledge) return TBH_POLICY_H2;
    if (client->desc.disable_http2) return TBH_POLICY_H1;
    if (client->desc.http2_prior_knowledge) return TBH_POLICY_H2;
    return is_tls && !client->desc.memory ? TBH_POLICY_OFFER : TBH_POLICY_H1;
}

TBH_FN tbh_origin *tbh_origin_get(turbohttp_client *client, const turbohttp_url *url,
                                  const turbohttp_request_desc *desc, tbh_tls_config *tls) {
    tbh_origin_key key;
    key.host = url->host;
    bool is_absolute = key.host.length && key.host.data[key.host.length - 1] == '.';
    if (is_absolute) key.host.length--;
    key.connect_host = tbh_span_of(desc->connect_host);
    key.unix_path = tbh_span_of(desc->unix_path);
    key.zone = url->zone;
    key.port = url->port;
    key.connect_port = desc->connect_port;
    key.tls = tls;
    key.policy = tbh_origin_policy(client, desc, url->is_tls);
    tbh_origin *origin = client->origins;
    while (origin && !tbh_origin_matches(&origin->key, &key)) origin = origin->next;
    if (origin) tbh_secure_drop(tls); /* the origin holds it already */
    else origin = tbh_origin_create(client, &key, url, desc->tls != NULL);
    if (!origin) tbh_secure_drop(tls);
    if (origin && is_absolute) origin->is_absolute = true;
    return origin;
}

TBH_FN tbh_origin *tbh_origin_recall(turbohttp_client *client, const turbohttp_request_desc *desc,
                                     tbh_target *target) {
    bool is_special = desc->connect_host || desc->connect_port || desc->unix_path || desc->tls;
    for (tbh_origin *origin = client->origins; origin && !is_special; origin = origin->next) {
        size_t n = origin->prefix.length;
        if (n == 0 || strncmp(desc->url, origin->prefix.data, n) != 0) continue;
        if (origin->key.policy != tbh_origin_policy(client, desc, origin->key.tls != NULL))
            continue;
        size_t path = tbh_url_plain_target(desc->url + n);
        if (path == 0 || n + path > client->limits.url_bytes) continue;
        target->path = tbh_span(desc->url + n, path);
        target->origin = origin;
        return origin;
    }
    return NULL;
}

/* ------------------------------------------------------------ ends and TLS sessions */
TBH_FN bool tbh_origin_is_unverified(const tbh_origin *origin) {
    return origin->key.tls && origin->key.tls->options.INSECURE_skip_verification;
}

TBH_FN void tbh_origin_drop(turbohttp_client *client, tbh_origin *origin) {
    tbh_origin **at = &client->origins;
    while (*at != origin) at = &(*at)->next;
    *at = origin->next;
    if (origin->is_dormant) client->dormant_count--;
    tbh_origin_forget_session(origin);
    tbh_secure_drop(origin->key.tls);
    tbh_release(&client->allocator, origin, origin->bytes);
}

/* The list has the newest first, so the last dormant one is the oldest. */
static void tbh_origin_sleep(turbohttp_client *client, tbh_origin *origin) {
    tbh_origin *oldest = NULL;
    origin->is_dormant = true;
    if (++client->dormant_count <= TBH_DORMANT_ORIGINS) return;
    for (tbh_origin *at = client->origins; at; at = at->next)
        if (at->is_dormant && !at->requests && at != origin) oldest = at;
    if (oldest) tbh_origin_drop(client, oldest);
}

TBH_FN void tbh_origin_drop_if_unused(turbohttp_client *client, tbh_origin *origin) {
    if (origin->links || origin->requests || origin->is_dormant) return;
    if (origin->session_bytes && !client->is_shut) tbh_origin_sleep(client, origin);
    else tbh_origin_drop(client, origin);
}

TBH_FN void tbh_origin_keep_session(tbh_origin *origin, const tbh_stream *stream) {
    const tbh_tls *tls = &stream->tls;
    if (!tls->provider || origin->key.tls->options.disable_resumption ||
        tbh_origin_is_unverified(origin))
        return;
    size_t n = tls->provider->session_get(tls->session, origin->session, sizeof origin->session);
    origin->session_bytes = n <= sizeof origin->session ? n : 0;
}

TBH_FN void tbh_origin_forget_session(tbh_origin *origin) {
    tbh_wipe(origin->session, sizeof origin->session);
    origin->session_bytes = 0;
}

/* ------------------------------------------------------------ queue */
/* Behind all that are as urgent, or more; what waits again goes before its equals. */
TBH_FN void tbh_origin_queue(tbh_origin *origin, tbh_request *request, bool at_front) {
    int least = request->wire.priority + (at_front ? 1 : 0);
    tbh_request *before = origin->waiting_last;
    request->client->may_dispatch = true;
    while (before && before->wire.priority < least) before = before->previous;
    request->state = TBH_REQUEST_WAITING;
    request->previous = before;
    request->next = before ? before->next : origin->waiting_first;
    if (before) before->next = request;
    else origin->waiting_first = request;
    if (request->next) request->next->previous = request;
    else origin->waiting_last = request;
}

TBH_FN void tbh_origin_unqueue(tbh_origin *origin, tbh_request *request) {
    if (request->previous) request->previous->next = request->next;
    else origin->waiting_first = request->next;
    if (request->next) request->next->previous = request->previous;
    else origin->waiting_last = request->previous;
    request->next = request->previous = NULL;
}

/* ------------------------------------------------------------ idle links */
TBH_FN void tbh_origin_push_idle(tbh_origin *origin, tbh_link *link) {
    link->client->may_dispatch = true;
    link->idle_previous = NULL;
    link->idle_next = origin->idle;
    if (origin->idle) origin->idle->idle_previous = link;
    origin->idle = link;
    link->client->idle_count++;
}

TBH_FN void tbh_origin_remove_idle(tbh_origin *origin, tbh_link *link) {
    if (link->idle_previous) link->idle_previous->idle_next = link->idle_next;
    else origin->idle = link->idle_next;
    if (link->idle_next) link->idle_next->idle_previous = link->idle_previous;
    link->idle_next = link->idle_previous = NULL;
    link->client->idle_count--;
}

/* Shuts the idle link that was not used for the longest time, if there is one: it is worth less than a
 * request that needs its place or its descriptor (RELIABILITY 3.5). */
TBH_FN bool tbh_origins_shut_oldest_idle(turbohttp_client *client) {
    tbh_link *oldest = NULL;
    for (tbh_link *link = client->links; link; link = link->next)
        if (link->state == TBH_LINK_IDLE &&
            (!oldest || link->idle_since_us < oldest->idle_since_us))
            oldest = link;
    if (oldest) tbh_link_destroy(oldest);
    return oldest != NULL;
}

/* ------------------------------------------------------------ who gets what */
static bool tbh_origin_may_reuse(tbh_link *link, const tbh_request *request) {
    uint64_t age = link->client->io.now_us - link->opened_us;
    return (request->is_idempotent || !link->protocol->is_doubtful(link)) &&
           age < TBH_LINK_LIFETIME_US && tbh_link_is_fresh(link);
}

/* After a silence: what came meanwhile is read first, so that an end is seen. */
static tbh_link *tbh_origin_look_at_shared(tbh_origin *origin) {
    tbh_link *link = origin->shared;
    if (link->state == TBH_LINK_IDLE && link->protocol->is_doubtful(link))
        link->protocol->on_idle_ready(link);
    return origin->shared;
}

/* One connection of HTTP/2 for all (SPEC E4), until it has lived long enough: then it finishes what
 * it has. While its peer is asked for a sign of life, requests that may not be repeated wait. */
static bool tbh_origin_may_share(tbh_origin *origin, const tbh_request *request) {
    tbh_link *link = tbh_origin_look_at_shared(origin);
    if (!link) return false;
    bool is_old = link->client->io.now_us - link->opened_us >= TBH_LINK_LIFETIME_US;
    bool is_idle = link->state == TBH_LINK_IDLE;
    bool is_doubtful = !request->is_idempotent && link->protocol->is_doubtful(link);
    if (is_old || (is_doubtful && is_idle)) {
        origin->shared = NULL;
        link->is_private = true; /* nobody else, and closed when it is idle */
        if (is_idle) tbh_link_destroy(link);
        return false;
    }
    return !is_doubtful && link->protocol->has_room(link);
}

/* A request whose connection died is not given one that rested, but one that others use: that was
 * opened since, and a hundred of them need no more than one. */
static bool tbh_origin_is_trusted(const tbh_origin *origin, const tbh_request *request) {
    return !request->was_replayed || origin->shared->state == TBH_LINK_BUSY;
}

/* Is there a connection that this request should rather wait for than open one of its own? */
static bool tbh_origin_should_wait(const tbh_origin *origin, const tbh_request *request) {
    if (request->disable_reuse || origin->key.policy == TBH_POLICY_H1) return false;
    if (tbh_origin_is_unverified(origin)) return false;
    if (origin->shared && tbh_origin_is_trusted(origin, request)) return true; /* it is full */
    return origin->opening > 0 && !origin->speaks_h1;
}

/* A live idle link for this request; those found dead are destroyed on the way. */
static tbh_link *tbh_origin_find_idle(tbh_origin *origin, const tbh_request *request) {
    if (request->disable_reuse) return NULL;
    if (origin->shared && tbh_origin_is_trusted(origin, request))
        return tbh_origin_may_share(origin, request) ? origin->shared : NULL;
    if (request->was_replayed) return NULL;
    while (origin->idle) {
        tbh_link *link = origin->idle;
        if (tbh_origin_may_reuse(link, request)) return link;
        tbh_link_destroy(link);
    }
    return NULL;
}

static bool tbh_origin_may_open(turbohttp_client *client, tbh_origin *origin) {
    if (origin->links >= client->limits.connections_per_host) {
        /* All in use, or idle ones that this request may not have. */
        if (!origin->idle) return false;
        tbh_link_destroy(origin->idle);
    }
    return client->link_count < client->limits.connections || tbh_origins_shut_oldest_idle(client);
}

/* The most urgent one; but now and then the one that has waited longest. */
static tbh_request *tbh_origin_next(const tbh_origin *origin) {
    tbh_request *oldest = origin->waiting_first;
    if (origin->overtaken < TBH_OVERTAKEN_MOST) return oldest;
    for (tbh_request *at = oldest; at; at = at->next)
        if (at->ticket < oldest->ticket) oldest = at;
    return oldest;
}

/* False when the next request in the queue must go on waiting. */
static bool tbh_origin_dispatch_first(turbohttp_client *client, tbh_origin *origin) {
    tbh_request *request = tbh_origin_next(origin);
    bool overtakes = request->wire.priority > origin->waiting_last->wire.priority;
    tbh_link *link = tbh_origin_find_idle(origin, request);
    if (!link && tbh_origin_should_wait(origin, request)) return false;
    if (!link && !tbh_origin_may_open(client, origin)) return false;
    bool is_turn = origin->overtaken >= TBH_OVERTAKEN_MOST;
    origin->overtaken = overtakes && !is_turn ? origin->overtaken + 1 : 0;
    if (client->link_count >= client->limits.connections) client->crowded_starts++;
    tbh_origin_unqueue(origin, request);
    if (link) tbh_link_assign(link, request);
    else tbh_link_open(origin, request);
    return true;
}

/* The first origin has the first choice of the connections that become free, and may take those of
 * others when the total is used up: now and then that is the one whose request has waited longest,
 * whatever the others submit meanwhile. */
static void tbh_origins_give_turn(turbohttp_client *client) {
    tbh_origin **longest = NULL;
    uint64_t ticket = UINT64_MAX;
    if (client->crowded_starts < TBH_OVERTAKEN_MOST) return;
    client->crowded_starts = 0;
    for (tbh_origin **at = &client->origins; *at; at = &(*at)->next)
        for (const tbh_request *r = (*at)->waiting_first; r; r = r->next)
            if (r->ticket < ticket) {
                ticket = r->ticket;
                longest = at;
            }
    if (!longest) return;
    tbh_origin *origin = *longest;
    *longest = origin->next;
    origin->next = client->origins;
    client->origins = origin;
}

/* Origins are only dropped when they have no request, so `next` of one that has some is safe to
 * read before, not after: links of the same client may vanish meanwhile, with their origins. */
TBH_FN void tbh_origins_dispatch(turbohttp_client *client) {
    tbh_origins_give_turn(client);
    tbh_origin *origin = client->origins;
    client->may_dispatch = false;
    while (origin) {
        origin->requests++; /* keeps it alive */
        while (origin->waiting_first && tbh_origin_dispatch_first(client, origin)) {
        }
        origin->requests--;
        tbh_origin *next = origin->next;
        if (next) next->requests++; /* going to sleep drops the oldest that sleeps */
        tbh_origin_drop_if_unused(client, origin);
        if (next) next->requests--;
        origin = next;
    }
}

/* ========================================================================
 * src/client/deliver.c
 * ======================================================================= */
/* Delivery: what an engine understood becomes a response, whatever the protocol.
 * Owns nothing; it is where events meet the request: head, body, end, failure.
 * Invariants: each event is handled once; callbacks of the user are called here and in call_done
 * only. Does not know: connections, framing, sockets. */

/* ------------------------------------------------------------ head */
TBH_FN void tbh_deliver_first_byte(tbh_request *request) {
    if (request->has_response_byte) return;
    request->has_response_byte = true;
    request->response.timing.first_byte_us = request->client->io.now_us - request->started_us;
}

static void tbh_deliver_fill_response(tbh_request *request, const turbohttp_h1_head *head,
                                      uint8_t http_version) {
    turbohttp_response *response = &request->response;
    response->status = head->status;
    response->http_version = http_version;
    response->minor_version = head->minor_version;
    response->reason = head->reason;
    response->headers = head->headers;
    response->header_count = head->header_count;
    response->head_bytes = head->head_length;
}

static turbohttp_status tbh_deliver_to_file(void *user, const void *data, size_t n) {
    tbh_request *request = (tbh_request *)user;
    int32_t code = 0;
    turbohttp_status status = tbh_os_file_put(request->download, data, n, &code);
    if (status == TURBOHTTP_OK) return status;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_BODY);
    request->response.error.system_code = code;
    return status;
}

static turbohttp_status tbh_deliver_open_sink(tbh_request *request) {
    tbh_body *body = &request->body;
    uint64_t length;
    int32_t code = 0;
    body->write = request->on_body;
    body->user = request->user;
    if (!request->body_path) return TURBOHTTP_OK;
    body->write = tbh_deliver_to_file;
    body->user = request;
    turbohttp_status status =
        tbh_os_file_open(request->body_path, true, &request->download, &length, &code);
    if (status == TURBOHTTP_OK) return status;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_HEAD);
    request->response.error.system_code = code;
    return status;
}

static bool tbh_deliver_is_announced_too_large(const tbh_request *request,
                                               const turbohttp_h1_head *head) {
    return head->framing == TURBOHTTP_FRAMING_LENGTH && !request->body.inflater &&
           head->content_length > request->body.limits.decoded_bytes;
}

TBH_FN turbohttp_status tbh_deliver_head(tbh_request *request, const turbohttp_h1_head *head,
                                         uint8_t http_version) {
    turbohttp_client *client = request->client;
    bool has_body = head->framing != TURBOHTTP_FRAMING_NONE;
    request->head_was_seen = true;
    tbh_deliver_fill_response(request, head, http_version);
    tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    request->body.blocks = &client->heap->blocks;
    request->body.inflaters = &client->inflaters;
    request->body.store = &request->store;
    request->body.block_bytes = client->limits.block_bytes;
    turbohttp_status status = tbh_deliver_open_sink(request);
    if (status == TURBOHTTP_OK && has_body && request->decode)
        status = tbh_body_begin(&request->body, head->content_coding);
    if (status != TURBOHTTP_OK) return status;
    if (tbh_deliver_is_announced_too_large(request, head)) return TURBOHTTP_ERR_BODY_TOO_LARGE;
    request->body_total = request->body.inflater ? 0 : head->content_length;
    if (request->on_head) request->on_head(request->user, &request->response);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ body */
TBH_FN void tbh_deliver_progress(tbh_request *request) {
    request->response.wire_bytes = request->body.wire;
    request->response.body_bytes = request->body.decoded;
    if (!request->on_progress) return;
    request->on_progress(request->user, request->uploaded, request->source.length,
                         request->body.decoded, request->body_total);
}

TBH_FN TBH_NOINLINE void tbh_deliver_upload(tbh_request *request, uint64_t uploaded) {
    if (uploaded == request->uploaded) return;
    request->uploaded = uploaded;
    tbh_deliver_progress(request);
}

TBH_FN turbohttp_status tbh_deliver_put(tbh_request *request, turbohttp_span span, size_t *taken) {
    turbohttp_client *client = request->client;
    uint64_t before = request->body.decoded;
    *taken = 0;
    request->body.quota = client->budget;
    request->body.is_refused = false;
    turbohttp_status status = tbh_body_put(&request->body, span, taken);
    uint64_t made = request->body.decoded - before;
    tbh_client_spend(client, made);
    if (status >= 0) tbh_deliver_progress(request);
    request->is_paused = status == TURBOHTTP_PENDING && request->body.is_refused;
    if (request->is_paused) tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    return status;
}

TBH_FN turbohttp_status tbh_deliver_stored(tbh_request *request, size_t n) {
    turbohttp_status status = tbh_body_stored(&request->body, n);
    tbh_deliver_progress(request);
    return status;
}

TBH_FN turbohttp_status tbh_deliver_finish(tbh_request *request) {
    request->body.quota = SIZE_MAX;
    turbohttp_status status = tbh_body_finish(&request->body);
    request->is_paused = status == TURBOHTTP_PENDING;
    if (status == TURBOHTTP_OK) tbh_deliver_progress(request);
    return status;
}

/* ------------------------------------------------------------ failures */
TBH_FN void tbh_deliver_replay(tbh_request *request, bool is_safe) {
    request->client->replays++;
    if (!is_safe) request->was_replayed = true;
    request->link = NULL;
    tbh_request_rewind(request);
    tbh_origin_queue(request->origin, request, true);
}

TBH_FN void tbh_deliver_record(tbh_request *request, const tbh_link *link, turbohttp_status status,
                               uint64_t offset) {
    turbohttp_error *error = &request->response.error;
    if (error->code == status) return; /* written where it was found */
    tbh_error_set(error, status, request->phase);
    error->offset = offset;
    bool is_system = status == TURBOHTTP_ERR_SEND || status == TURBOHTTP_ERR_RECEIVE;
    if (!is_system || !link->stream.system_code) return;
    char text[64];
    error->system_code = link->stream.system_code;
    tbh_os_describe(error->system_code, text, sizeof text);
    tbh_error_append(error, " (");
    tbh_error_append(error, text);
    tbh_error_append(error, ")");
}

/* ========================================================================
 * src/client/link.c
 * ======================================================================= */
/* Links: connections from their opening to their end, and who uses them.
 * Owns the stream; what is spoken on it is link_h1.c's or link_h2.c's.
 * Invariants: BUSY means requests and an open stream, IDLE means no request; a protocol is chosen
 * once, when the stream is up. Does not know: bytes. */

/* A connection that was used so recently is not asked whether it still lives: that would cost a
 * system call per request, and replaying covers the case. */
#define TBH_FRESH_US 2000u

/* ------------------------------------------------------------ lists */
TBH_FN void tbh_link_mark_dirty(tbh_link *link) {
    turbohttp_client *client = link->client;
    if (link->is_dirty) return;
    link->is_dirty = true;
    link->dirty_next = NULL;
    if (client->dirty_last) client->dirty_last->dirty_next = link;
    else client->dirty_first = link;
    client->dirty_last = link;
}

static void tbh_link_unmark_dirty(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_link *before = NULL, *at = client->dirty_first;
    if (!link->is_dirty) return;
    while (at != link) {
        before = at;
        at = at->dirty_next;
    }
    if (before) before->dirty_next = link->dirty_next;
    else client->dirty_first = link->dirty_next;
    if (client->dirty_last == link) client->dirty_last = before;
    link->is_dirty = false;
}

static void tbh_link_enlist(tbh_link *link) {
    turbohttp_client *client = link->client;
    link->next = client->links;
    if (client->links) client->links->previous = link;
    client->links = link;
    client->link_count++;
    client->opening_count++;
    link->origin->opening++;
    link->origin->links++;
}

static void tbh_link_leave_opening(tbh_link *link) {
    link->client->opening_count--;
    link->origin->opening--;
}

static void tbh_link_delist(tbh_link *link) {
    turbohttp_client *client = link->client;
    if (link->previous) link->previous->next = link->next;
    else client->links = link->next;
    if (link->next) link->next->previous = link->previous;
    client->link_count--;
    if (link->state == TBH_LINK_OPENING) tbh_link_leave_opening(link);
    if (link->origin->shared == link) link->origin->shared = NULL;
    link->origin->links--;
}

TBH_FN void tbh_link_destroy(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_origin *origin = link->origin;
    client->may_dispatch = true;
    tbh_link_unmark_dirty(link);
    if (link->state == TBH_LINK_IDLE) tbh_origin_remove_idle(origin, link);
    tbh_link_delist(link);
    if (link->protocol) link->protocol->shut(link);
    tbh_stream_shut(&link->stream);
    turbohttp_object_pool_return(&client->link_pool, link);
    tbh_origin_drop_if_unused(client, origin);
}

/* ------------------------------------------------------------ opening */
static tbh_dial_target tbh_link_target(const tbh_origin *origin, const tbh_request *request) {
    tbh_dial_target target;
    const tbh_origin_key *key = &origin->key;
    target.host = origin->is_absolute ? origin->absolute_host.data : key->host.data;
    if (key->connect_host.length) target.host = key->connect_host.data;
    target.port = key->connect_port ? key->connect_port : key->port;
    target.unix_path = key->unix_path.length ? key->unix_path.data : NULL;
    target.resolve_ms = request->timeouts.resolve_ms;
    target.connect_ms = request->timeouts.connect_ms;
    return target;
}

/* What the server chose, or what we know without asking. */
static turbohttp_status tbh_link_choose_protocol(tbh_link *link) {
    tbh_origin *origin = link->origin;
#if TBH_HTTP2
    turbohttp_tls_info info;
    const tbh_tls *tls = &link->stream.tls;
    memset(&info, 0, sizeof info);
    if (tls->provider) tls->provider->info(tls->session, &info);
    bool is_chosen = strcmp(info.protocol, "h2") == 0 && origin->key.policy != TBH_POLICY_H1;
    if (is_chosen || origin->key.policy == TBH_POLICY_H2) return tbh_link_speak_h2(link);
#endif
    origin->speaks_h1 = true;
    tbh_link_speak_h1(link);
    return TURBOHTTP_OK;
}

static void tbh_link_opened(tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_client *client = link->client;
    uint64_t now = client->io.now_us;
    link->state = TBH_LINK_BUSY;
    link->opened_us = now;
    tbh_link_leave_opening(link);
    client->connects++;
    request->response.connects++;
    if (link->origin->key.tls) request->response.timing.secured_us = now - request->started_us;
    tbh_origin_keep_session(link->origin, &link->stream);
    link->request = NULL;
    link->is_private = request->disable_reuse;
    turbohttp_status status = tbh_link_choose_protocol(link);
    if (status == TURBOHTTP_OK) {
        tbh_link_assign(link, request);
        return;
    }
    request->link = NULL;
    tbh_link_destroy(link);
    tbh_request_complete(request, status);
}

/* 0 stays what was there before the request, or is not reached. */
static void tbh_link_note_times(const tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_timing *timing = &request->response.timing;
    const tbh_stream *stream = &link->stream;
    if (stream->resolved_at_us > request->started_us)
        timing->resolved_us = stream->resolved_at_us - request->started_us;
    if (stream->connected_at_us > request->started_us)
        timing->connected_us = stream->connected_at_us - request->started_us;
}

static void tbh_link_opening_answer(tbh_link *link, turbohttp_status status) {
    tbh_request *request = link->request;
    tbh_link_note_times(link);
    if (status == TURBOHTTP_PENDING) {
        turbohttp_phase phase = tbh_stream_phase(&link->stream);
        if (request->phase != phase) tbh_request_set_phase(request, phase);
    } else if (status == TURBOHTTP_OK) {
        tbh_link_opened(link);
    } else {
        if (request->response.error.code != status)
            tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_CONNECT);
        tbh_origin_forget_session(link->origin); /* it may be why */
        request->link = NULL;
        tbh_link_destroy(link);
        tbh_request_complete_recorded(request);
    }
}

static turbohttp_status tbh_link_begin(tbh_link *link) {
    tbh_tls_plan plan;
    turbohttp_address address;
    char host[256];
    tbh_dial_target target = tbh_link_target(link->origin, link->request);
    const tbh_tls_plan *tls = tbh_secure_plan(link->origin, host, &address, &plan);
    return tbh_stream_begin(&link->stream, &link->client->io, link, &target, tls,
                            &link->request->response.error);
}

static void tbh_link_go_on_opening(tbh_link *link, turbohttp_status status) {
    if (status == TURBOHTTP_ERR_DESCRIPTORS && tbh_origins_shut_oldest_idle(link->client)) {
        tbh_stream_shut(&link->stream);
        status = tbh_link_begin(link); /* a name that was looked up is known by now */
    }
    if (status >= 0)
        memset(&link->request->response.error, 0, sizeof link->request->response.error);
    tbh_link_opening_answer(link, status);
}

TBH_FN void tbh_link_open(tbh_origin *origin, tbh_request *request) {
    turbohttp_client *client = request->client;
    tbh_link *link = (tbh_link *)turbohttp_object_pool_rent(&client->link_pool);
    request->state = TBH_REQUEST_RUNNING;
    if (!link) {
        tbh_request_complete(request, TURBOHTTP_ERR_OUT_OF_MEMORY);
        return;
    }
    memset(link, 0, sizeof *link);
    link->client = client;
    link->origin = origin;
    link->request = request;
    request->link = link;
    tbh_link_enlist(link);
    tbh_link_go_on_opening(link, tbh_link_begin(link));
}

TBH_FN void tbh_link_step_opening(tbh_link *link) {
    turbohttp_error *error = &link->request->response.error;
    tbh_link_go_on_opening(link, tbh_stream_step(&link->stream, error));
}

/* ------------------------------------------------------------ between exchanges */
TBH_FN void tbh_link_assign(tbh_link *link, tbh_request *request) {
    if (link->state == TBH_LINK_IDLE) tbh_origin_remove_idle(link->origin, link);
    link->state = TBH_LINK_BUSY;
    request->link = link;
    request->state = TBH_REQUEST_RUNNING;
    request->response.is_reused = link->served > 0;
    request->response.peer = link->stream.peer;
    request->response.peer_port =
        link->origin->key.connect_port ? link->origin->key.connect_port : link->origin->key.port;
    request->response.timing.ready_us = link->client->io.now_us - request->started_us;
    const tbh_tls *tls = &link->stream.tls;
    if (tls->provider) tls->provider->info(tls->session, &request->response.tls);
    tbh_request_set_phase(request, TURBOHTTP_PHASE_SEND);
    tbh_link_mark_dirty(link);
    link->protocol->start(link, request);
}

TBH_FN bool tbh_link_may_rest(const tbh_link *link) {
    const turbohttp_client *client = link->client;
    if (tbh_origin_is_unverified(link->origin)) return false;
    return !client->is_shut && !client->disable_keep_alive && !link->is_private;
}

TBH_FN void tbh_link_rest(tbh_link *link, uint64_t reuse_us) {
    turbohttp_client *client = link->client;
    link->state = TBH_LINK_IDLE;
    link->idle_since_us = client->io.now_us;
    link->idle_until_us = client->io.now_us + reuse_us;
    tbh_client_arm(client, link->idle_until_us);
    tbh_stream_wants(&link->stream, TBH_WANT_RECEIVE);
    tbh_origin_push_idle(link->origin, link);
}

TBH_FN bool tbh_link_is_fresh(tbh_link *link) {
    bool is_socket = link->client->io.transport == NULL;
    if (is_socket && link->client->io.now_us - link->idle_since_us < TBH_FRESH_US) return true;
    return tbh_stream_is_quiet(&link->stream);
}

/* ========================================================================
 * src/client/link_h1.c
 * ======================================================================= */
/* Links that speak HTTP/1.1: the pump between one stream and one exchange: send, deliver, receive.
 * Owns the engine's state; borrows the request while it runs.
 * Invariants: BUSY means a request and an open stream, IDLE means neither bytes nor doubts (S-04);
 * nothing is received that the engine does not want (back-pressure); no call blocks unless
 * may_block says so; after the end or a failure the request is complete and the link idle or gone.
 * Does not know: what a body is for. */

static bool tbh_link1_deliver(tbh_link *link);
static void tbh_link1_fail(tbh_link *link, turbohttp_status status, uint64_t offset);

static void tbh_link1_start(tbh_link *link, tbh_request *request) {
    link->request = request;
    link->is_send_blocked = link->may_receive = false;
    link->send_status = TURBOHTTP_OK;
    tbh_conn_start(&link->h1, &request->wire, &request->store);
}

/* ------------------------------------------------------------ sending */
/* Bytes of the body among those sent; in the chunked coding those that were wrapped for it. */
static uint64_t tbh_link1_uploaded(const tbh_request *request) {
    size_t head = request->wire.head.length - request->wire.small_bytes;
    if (request->source.is_unknown) return request->source.taken;
    return request->sent_bytes > head ? request->sent_bytes - head : 0;
}

/* All is sent when TLS, too, holds nothing back. */
static void tbh_link1_sent(tbh_link *link, bool has_moved) {
    tbh_request *request = link->request;
    bool is_all = link->h1.tx == TBH_TX_DONE && !link->is_send_blocked;
    if (has_moved && request->on_progress) tbh_deliver_upload(request, tbh_link1_uploaded(request));
    if (is_all && request->phase == TURBOHTTP_PHASE_SEND) {
        request->response.timing.sent_us = link->client->io.now_us - request->started_us;
        tbh_request_set_phase(request, TURBOHTTP_PHASE_HEAD);
    } else if (has_moved && !is_all) {
        tbh_request_set_phase(request, request->phase); /* the limit starts anew */
    }
}

/* The peer does not take any more. It may have answered why: that is read first. */
static void tbh_link1_send_failed(tbh_link *link, turbohttp_status status) {
    link->send_status = status;
    tbh_conn_out_abandon(&link->h1);
    link->may_receive = true;
}

static bool tbh_link1_source_failed(tbh_link *link, turbohttp_status status) {
    bool is_known = status == TURBOHTTP_ERR_FILE || status == TURBOHTTP_ERR_OUT_OF_MEMORY;
    tbh_link1_fail(link, is_known ? status : TURBOHTTP_ERR_BODY_SOURCE, 0);
    return false;
}

/* False: the link is gone. */
static bool tbh_link1_send_some(tbh_link *link) {
    turbohttp_span out;
    turbohttp_status status = TURBOHTTP_PENDING;
    bool has_sent = false;
    while (!link->is_send_blocked && link->client->budget > 0) {
        size_t sent = 0;
        status = tbh_conn_out_peek(&link->h1, &out);
        if (status < 0) return tbh_link1_source_failed(link, status);
        if (status != TURBOHTTP_OK) has_sent |= link->request->source.is_blocked;
        if (status != TURBOHTTP_OK) break;
        status = tbh_stream_send(&link->stream, out.data, out.length, &sent);
        if (status < 0) {
            tbh_link1_send_failed(link, status);
            break;
        }
        link->is_send_blocked = status != TURBOHTTP_OK;
        if (link->is_send_blocked) break;
        tbh_conn_out_consume(&link->h1, sent);
        link->request->sent_bytes += sent;
        tbh_client_spend(link->client, sent);
        has_sent = true;
    }
    if (status >= 0 && !link->is_send_blocked) {
        status = tbh_stream_flush(&link->stream);
        link->is_send_blocked = status == TURBOHTTP_PENDING;
        if (status < 0) tbh_link1_send_failed(link, status);
    }
    tbh_link1_sent(link, has_sent);
    return true;
}

/* ------------------------------------------------------------ receiving */
static void tbh_link1_received(tbh_link *link, size_t n) {
    tbh_conn_in_commit(&link->h1, n);
    tbh_client_spend(link->client, n);
    tbh_deliver_first_byte(link->request);
}

static turbohttp_status tbh_link1_receive_once(tbh_link *link, bool may_block) {
    size_t room, n = 0;
    uint8_t *place = tbh_conn_in_room(&link->h1, &room);
    if (!place) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    room = tbh_min_size(room, link->client->budget);
    bool waits = may_block && !link->may_receive;
    turbohttp_status status = waits ? tbh_stream_receive_wait(&link->stream, place, room, &n)
                                    : tbh_stream_receive(&link->stream, place, room, &n);
    if (waits) tbh_client_read_clock(link->client);
    link->may_receive = status == TURBOHTTP_OK && n == room;
    if (status == TURBOHTTP_OK) tbh_link1_received(link, n);
    if (status != TURBOHTTP_DONE) return status;
    /* A body without a length is whole only if the end was announced by the peer itself (S-36). */
    if (link->stream.tls.is_truncated && link->h1.rx == TBH_RX_UNTIL_CLOSE)
        return TURBOHTTP_ERR_TLS_TRUNCATED;
    tbh_conn_in_end(&link->h1);
    return status;
}

/* False: the link is gone, or has been given back. */
static bool tbh_link1_receive_some(tbh_link *link, bool may_block) {
    while (tbh_conn_in_wanted(&link->h1) && (link->may_receive || may_block) &&
           link->client->budget > 0 && !link->request->is_paused) {
        turbohttp_status status = tbh_link1_receive_once(link, may_block);
        if (status == TURBOHTTP_PENDING || status == TURBOHTTP_ERR_UNSUPPORTED) break;
        if (status < 0) {
            tbh_link1_fail(link, status, 0);
            return false;
        }
        if (!tbh_link1_deliver(link)) return false;
        turbohttp_phase phase = link->request->phase;
        if (status == TURBOHTTP_OK && phase > TURBOHTTP_PHASE_SEND)
            tbh_request_set_phase(link->request, phase); /* the limit starts anew */
        may_block = false;
    }
    return true;
}

/* ------------------------------------------------------------ the pump */
static void tbh_link1_update_wants(tbh_link *link) {
    bool wants_in = tbh_conn_in_wanted(&link->h1) && !link->request->is_paused;
    int wants = (wants_in ? TBH_WANT_RECEIVE : 0) | (link->is_send_blocked ? TBH_WANT_SEND : 0);
    tbh_stream_wants(&link->stream, (uint8_t)wants);
    bool is_cut_short = link->client->budget == 0;
    bool has_work = (wants_in && link->may_receive) || !link->is_send_blocked;
    if (is_cut_short && has_work) tbh_link_mark_dirty(link);
}

static void tbh_link1_pump(tbh_link *link, bool may_block) {
    if (!tbh_link1_send_some(link)) return;
    bool has_kept = !link->request->is_paused && link->h1.rx > TBH_RX_CHOOSE;
    if (has_kept && !tbh_link1_deliver(link)) return;
    if (!tbh_link1_receive_some(link, may_block && !link->is_send_blocked)) return;
    tbh_link1_update_wants(link);
}

/* ------------------------------------------------------------ what arrived */
/* A 100 may have set the body free: it is sent in the next turn. */
static turbohttp_status tbh_link1_interim(tbh_link *link) {
    if (link->h1.tx != TBH_TX_BODY) return TURBOHTTP_OK;
    tbh_request_set_phase(link->request, TURBOHTTP_PHASE_SEND);
    tbh_link_mark_dirty(link);
    return TURBOHTTP_OK;
}

/* Users get C strings: the byte behind a name is ':' and the one behind a value CR or blank. */
TBH_ALWAYS_INLINE void tbh_link1_terminate(const turbohttp_header *header) {
    ((char *)(uintptr_t)header->name)[header->name_length] = 0;
    ((char *)(uintptr_t)header->value)[header->value_length] = 0;
}

/* "Keep-Alive: max=9, timeout=5": the server closes then, so we stop a second earlier. */
static void tbh_link1_keep_alive(tbh_link *link, const turbohttp_header *header) {
    turbohttp_span rest = tbh_span(header->value, header->value_length), part;
    uint64_t seconds;
    while (tbh_list_next(&rest, &part)) {
        if (part.length < 9 || !tbh_equal_nocase(part.data, "timeout=", 8)) continue;
        if (!tbh_parse_u64(part.data + 8, part.length - 8, 86400, &seconds)) continue;
        uint64_t limit_us = seconds ? (seconds - 1) * 1000000 : 0;
        if (limit_us < link->reuse_us) link->reuse_us = limit_us;
    }
}

static void tbh_link1_headers(tbh_link *link) {
    const turbohttp_header *header = link->h1.head.headers;
    const turbohttp_header *end = header + link->h1.head.header_count;
    link->reuse_us = (uint64_t)link->client->timeouts.reuse_ms * 1000;
    for (; header < end; header++) {
        tbh_link1_terminate(header);
        if (header->id == TURBOHTTP_HEADER_KEEP_ALIVE) tbh_link1_keep_alive(link, header);
    }
}

/* The server may still take what comes next for the body that was announced: nobody uses this
 * connection again (S-04). */
static turbohttp_status tbh_link1_repeat(tbh_link *link) {
    tbh_request *request = link->request;
    request->link = NULL;
    link->request = NULL;
    tbh_link_destroy(link);
    turbohttp_segments_reset(&request->store); /* with the head */
    tbh_deliver_replay(request, true);
    return TURBOHTTP_DONE;
}

static turbohttp_status tbh_link1_head(tbh_link *link) {
    tbh_request *request = link->request;
    if (link->h1.was_waiting && tbh_request_drop_expectation(request, link->h1.head.status))
        return tbh_link1_repeat(link);
    tbh_link1_headers(link);
    turbohttp_status status =
        tbh_deliver_head(request, &link->h1.head, (uint8_t)(10 + link->h1.head.minor_version));
    bool is_stored = status == TURBOHTTP_OK && !request->body.write && !request->body.inflater;
    if (is_stored) tbh_conn_collect(&link->h1);
    return status;
}

/* PENDING when the sink pauses or the budget of this poll is used up. */
static turbohttp_status tbh_link1_put(tbh_link *link, turbohttp_span span) {
    size_t taken;
    turbohttp_status status = tbh_deliver_put(link->request, span, &taken);
    tbh_conn_body_consume(&link->h1, taken);
    if (status == TURBOHTTP_PENDING && !link->request->is_paused) tbh_link_mark_dirty(link);
    return status;
}

/* ------------------------------------------------------------ the end */
static void tbh_link1_recycle(tbh_link *link, bool is_reusable) {
    link->request = NULL;
    link->served++;
    if (!is_reusable || link->reuse_us == 0 || !tbh_link_may_rest(link)) {
        tbh_link_destroy(link);
        return;
    }
    tbh_conn_reset(&link->h1);
    tbh_link_rest(link, link->reuse_us);
}

/* Tables and trailers leave the engine with the response. */
static void tbh_link1_detach(tbh_link *link) {
    turbohttp_response *response = &link->request->response;
    tbh_conn_h1 *h = &link->h1;
    response->owned.table = link->request->head_was_seen ? h->table : NULL;
    response->owned.table_bytes = h->table_bytes;
    if (response->owned.table) h->table = NULL;
    response->owned.trailer_block = h->trailer_table;
    response->owned.trailer_bytes = h->trailer_bytes;
    response->trailers = h->trailer_table;
    response->trailer_count = h->trailer_count;
    for (uint32_t i = 0; i < h->trailer_count; i++) tbh_link1_terminate(&h->trailer_table[i]);
    h->trailer_table = NULL;
}

static turbohttp_status tbh_link1_end(tbh_link *link) {
    tbh_request *request = link->request;
    turbohttp_status status = tbh_deliver_finish(request);
    if (status != TURBOHTTP_OK) return status;
    bool is_reusable = tbh_conn_is_reusable(&link->h1);
    tbh_link1_detach(link);
    request->link = NULL;
    tbh_link1_recycle(link, is_reusable);
    tbh_request_complete(request, TURBOHTTP_OK);
    return TURBOHTTP_DONE;
}

/* ------------------------------------------------------------ failures */
/* RELIABILITY 3.3: only on a kept connection, before any byte of an answer, once, and only what
 * may be repeated; anything if not a byte of it has left: its source was not asked yet. */
static bool tbh_link1_may_replay(const tbh_link *link, turbohttp_status status) {
    const tbh_request *request = link->request;
    bool is_death = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE ||
                    status == TURBOHTTP_ERR_SEND;
    bool may_go_twice = request->is_replayable && request->is_idempotent;
    return is_death && link->served > 0 && !request->has_response_byte &&
           (may_go_twice || request->sent_bytes == 0);
}

static void tbh_link1_fail(tbh_link *link, turbohttp_status status, uint64_t offset) {
    tbh_request *request = link->request;
    bool is_silence = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE;
    if (is_silence && link->send_status != TURBOHTTP_OK) status = link->send_status;
    bool may_replay = tbh_link1_may_replay(link, status);
    if (!may_replay) {
        tbh_deliver_record(request, link, status, offset);
        if (link->h1.lenient_helps)
            tbh_error_append(&request->response.error, ", or set lenient to accept it");
        tbh_link1_detach(link);
    }
    request->link = NULL;
    link->request = NULL;
    tbh_link_destroy(link); /* the request keeps the origin alive */
    if (may_replay) tbh_deliver_replay(request, false);
    else tbh_request_complete_recorded(request);
}

/* ------------------------------------------------------------ driver */
/* One event. OK: go on; PENDING: nothing more for now; DONE: complete; or an error. */
static turbohttp_status tbh_link1_event(tbh_link *link, tbh_conn_event event, turbohttp_span span) {
    switch (event) {
    case TBH_CONN_INTERIM: return tbh_link1_interim(link);
    case TBH_CONN_HEAD: return tbh_link1_head(link);
    case TBH_CONN_BODY: return tbh_link1_put(link, span);
    case TBH_CONN_STORED: return tbh_deliver_stored(link->request, span.length);
    case TBH_CONN_END: return tbh_link1_end(link);
    case TBH_CONN_FAILED: return link->h1.status;
    case TBH_CONN_NOTHING:
    case TBH_CONN_UPGRADED: break;
    }
    return TURBOHTTP_PENDING;
}

/* Decoded bytes that were held back by a pause or a budget go first. */
static turbohttp_status tbh_link1_held(tbh_link *link) {
    if (!link->request->body.has_more) return TURBOHTTP_OK;
    return tbh_link1_put(link, tbh_span(NULL, 0));
}

static bool tbh_link1_deliver(tbh_link *link) {
    turbohttp_status status = tbh_link1_held(link);
    while (status == TURBOHTTP_OK) {
        turbohttp_span span = tbh_span(NULL, 0);
        tbh_conn_event event =
            link->h1.rx == TBH_RX_END ? TBH_CONN_END : tbh_conn_next(&link->h1, &span);
        status = tbh_link1_event(link, event, span);
    }
    if (status == TURBOHTTP_DONE) return false;
    if (status == TURBOHTTP_PENDING) return true;
    tbh_link1_fail(link, status, link->h1.offset);
    return false;
}

/* ------------------------------------------------------------ the seam */
/* The slices of the response live in the engine's table. */
static void tbh_link1_leave(tbh_link *link, tbh_request *request) {
    link->request = NULL;
    if (request->head_was_seen) {
        request->response.owned.table = link->h1.table;
        request->response.owned.table_bytes = link->h1.table_bytes;
        link->h1.table = NULL;
    }
    tbh_link_destroy(link);
}

static void tbh_link1_resume(tbh_link *link, tbh_request *request) {
    if (request->is_paused) link->may_receive = true;
}

static bool tbh_link1_awaits_continue(const tbh_request *request) {
    return request->link->h1.tx == TBH_TX_AWAIT;
}

static void tbh_link1_go_on(tbh_request *request) {
    tbh_conn_out_continue(&request->link->h1);
}

static bool tbh_link1_only_waits(const tbh_link *link) {
    return !link->is_send_blocked && link->h1.tx >= TBH_TX_DONE && !link->request->is_paused &&
           tbh_conn_in_wanted(&link->h1);
}

static bool tbh_link1_has_room(const tbh_link *link) {
    (void)link;
    return false;
}

static bool tbh_link1_is_doubtful(const tbh_link *link) {
    return link->client->io.now_us - link->idle_since_us >= TBH_IDLE_TRUST_US;
}

/* An idle connection became readable: closed, or something that nobody asked for (S-03). */
static void tbh_link1_on_idle_ready(tbh_link *link) {
    if (!tbh_stream_is_quiet(&link->stream)) tbh_link_destroy(link);
}

static void tbh_link1_shut(tbh_link *link) {
    tbh_conn_reset(&link->h1);
}

static void tbh_link1_tick(tbh_link *link) {
    (void)link; /* its requests have the deadlines */
}

static const tbh_protocol tbh_protocol_h1 = {
    tbh_link1_start,           tbh_link1_pump,          tbh_link1_leave,      tbh_link1_resume,
    tbh_link1_awaits_continue, tbh_link1_go_on,         tbh_link1_only_waits, tbh_link1_has_room,
    tbh_link1_is_doubtful,     tbh_link1_on_idle_ready, tbh_link1_tick,       tbh_link1_shut};

TBH_FN void tbh_link_speak_h1(tbh_link *link) {
    link->protocol = &tbh_protocol_h1;
    turbohttp_client *client = link->client;
    tbh_conn_init(&link->h1, &client->heap->blocks, &client->limits, client->desc.lenient);
}

#if !defined(TURBOHTTP_NO_HTTP2)
/* ========================================================================
 * src/client/link_h2.c
 * ======================================================================= */
/* Links that speak HTTP/2: many requests on one stream of bytes, each with its own end.
 * Owns the mux; borrows the requests while they run.
 * Invariants: BUSY means at least one exchange, or bytes to move before the link is idle or gone; a
 * request is parted from its exchange exactly once, before it is completed or waits again; what a
 * consumer leaves behind stops only its own exchange, up to the connection's window.
 * Does not know: frames, what a body is for. */

enum { TBH_LINK2_REFUSALS = 3 }; /* attempts that a server may refuse unseen (S-43) */

static tbh_mux_stream *tbh_link2_stream(const tbh_request *request) {
    return (tbh_mux_stream *)request->exchange;
}

static uint32_t tbh_link2_count(const tbh_link *link) {
    return link->mux->queues[TBH_MUX_LIVE].count;
}

/* ------------------------------------------------------------ the end of an exchange */
/* Tables leave the engine with the response. */
static void tbh_link2_detach(tbh_request *request, tbh_mux_stream *stream) {
    turbohttp_response *response = &request->response;
    if (!request->head_was_seen) return;
    response->owned.table = stream->head.table;
    response->owned.table_bytes = stream->head.bytes;
    response->owned.trailer_block = stream->trailer.table;
    response->owned.trailer_bytes = stream->trailer.bytes;
    response->trailers = stream->trailer.table;
    response->trailer_count = stream->trailer.count;
    stream->head.table = stream->trailer.table = NULL;
}

static void tbh_link2_part(tbh_link *link, tbh_request *request) {
    tbh_mux_stream *stream = tbh_link2_stream(request);
    if (stream) {
        request->sent_bytes = stream->sent_bytes;
        tbh_link2_detach(request, stream);
        tbh_mux_release(stream);
        turbohttp_object_pool_return(&link->client->stream_pool, stream);
    }
    request->exchange = NULL;
    request->link = NULL;
    tbh_link_mark_dirty(link);
}

static void tbh_link2_fail(tbh_link *link, tbh_request *request, turbohttp_status status) {
    tbh_deliver_record(request, link, status, 0);
    tbh_link2_part(link, request);
    tbh_request_complete_recorded(request);
}

/* No further requests; those that run go on. */
static void tbh_link2_retire(tbh_link *link) {
    if (link->origin->shared == link) link->origin->shared = NULL;
    link->is_private = true;
}

/* ------------------------------------------------------------ the start */
/* A small body went in one piece, not by its source. */
static void tbh_link2_is_sent(tbh_request *request) {
    request->source.taken += request->wire.small_bytes;
    request->response.timing.sent_us = request->client->io.now_us - request->started_us;
    tbh_request_set_phase(request, TURBOHTTP_PHASE_HEAD);
}

static void tbh_link2_start(tbh_link *link, tbh_request *request) {
    turbohttp_client *client = link->client;
    tbh_mux_stream *stream = (tbh_mux_stream *)turbohttp_object_pool_rent(&client->stream_pool);
    turbohttp_status status = TURBOHTTP_ERR_OUT_OF_MEMORY;
    link->served++;
    link->mux->now_us = client->io.now_us;
    if (stream) status = tbh_mux_start(link->mux, stream, &request->wire, request);
    if (status != TURBOHTTP_OK) {
        if (stream) turbohttp_object_pool_return(&client->stream_pool, stream);
        tbh_link2_fail(link, request, status);
        return;
    }
    request->exchange = stream;
    if (stream->state == TBH_MUX_SENT_HEAD) tbh_link2_is_sent(request);
    else link->uploads++;
}

/* ------------------------------------------------------------ what arrived */
static turbohttp_status tbh_link2_head(tbh_link *link, tbh_request *request,
                                       const tbh_mux_stream *stream) {
    if (stream->awaits_continue && tbh_request_drop_expectation(request, stream->status)) {
        tbh_link2_part(link, request);
        tbh_deliver_replay(request, true);
        return TURBOHTTP_OK;
    }
    turbohttp_h1_head head;
    memset(&head, 0, sizeof head);
    head.status = stream->status;
    head.framing = !stream->has_expected ? TURBOHTTP_FRAMING_UNTIL_CLOSE
                   : stream->expected    ? TURBOHTTP_FRAMING_LENGTH
                                         : TURBOHTTP_FRAMING_NONE;
    head.content_length = stream->expected;
    head.content_coding = stream->coding;
    head.headers = stream->head.table;
    head.header_count = stream->head.count;
    head.head_length = (uint32_t)stream->head_bytes;
    head.reason = tbh_span("", 0); /* §8.3.2: there is none */
    tbh_deliver_first_byte(request);
    return tbh_deliver_head(request, &head, 20);
}

/* A decoder may have taken all that came while its consumer refuses what it made: what comes then
 * stays in the mux. */
static turbohttp_status tbh_link2_put(tbh_link *link, tbh_request *request, turbohttp_span span) {
    size_t taken;
    if (request->is_paused) return TURBOHTTP_PENDING;
    turbohttp_status status = tbh_deliver_put(request, span, &taken);
    tbh_mux_body_consume(tbh_link2_stream(request), taken);
    if (status == TURBOHTTP_OK) tbh_request_set_phase(request, TURBOHTTP_PHASE_BODY);
    if (status != TURBOHTTP_PENDING || request->is_paused) return status;
    link->has_held = true; /* the budget is used up: in the next poll */
    tbh_link_mark_dirty(link);
    return status;
}

static turbohttp_status tbh_link2_end(tbh_link *link, tbh_request *request) {
    request->is_ended = true;
    if (request->is_paused) return TURBOHTTP_PENDING;
    turbohttp_status status = tbh_deliver_finish(request);
    if (status != TURBOHTTP_OK) return status;
    tbh_link2_part(link, request);
    tbh_request_complete(request, TURBOHTTP_OK);
    return status;
}

/* RELIABILITY 3.3: what the server did not look at may be repeated whatever it is, a few times; what
 * died on a kept connection once, if it is idempotent. */
static bool tbh_link2_may_replay(tbh_request *request, const tbh_mux_stream *stream) {
    bool needs_h1 = stream->code == TURBOHTTP_H2_HTTP_1_1_REQUIRED &&
                    request->origin->key.policy == TBH_POLICY_OFFER;
    bool is_death =
        stream->reason == TURBOHTTP_ERR_NO_RESPONSE || stream->reason == TURBOHTTP_ERR_RECEIVE ||
        stream->reason == TURBOHTTP_ERR_SEND || stream->reason == TURBOHTTP_ERR_H2_SILENCE;
    if (request->has_response_byte || !request->is_replayable) return false;
    if (needs_h1 || stream->is_safe) return request->refusals++ < TBH_LINK2_REFUSALS;
    return is_death && request->response.is_reused && request->is_idempotent &&
           !request->was_replayed;
}

static void tbh_link2_replay(tbh_link *link, tbh_request *request) {
    const tbh_mux_stream *stream = tbh_link2_stream(request);
    bool is_safe = stream->is_safe; /* this connection is as good as another */
    if (stream->code == TURBOHTTP_H2_HTTP_1_1_REQUIRED) {
        request->origin->needs_h1 = request->origin->speaks_h1 = is_safe = true;
        tbh_link2_retire(link);
    }
    tbh_link2_part(link, request);
    tbh_deliver_replay(request, is_safe);
}

static void tbh_link2_on_reset(tbh_link *link, tbh_request *request) {
    const tbh_mux_stream *stream = tbh_link2_stream(request);
    if (tbh_link2_may_replay(request, stream)) {
        tbh_link2_replay(link, request);
        return;
    }
    turbohttp_error *error = &request->response.error;
    uint32_t code = stream->code;
    bool is_told = stream->reason == TURBOHTTP_ERR_H2_RESET && error->code != stream->reason;
    turbohttp_status status = stream->reason;
    tbh_deliver_record(request, link, status, 0);
    if (is_told) {
        tbh_error_append(error, " (error code ");
        tbh_error_append_u64(error, code);
        tbh_error_append(error, ")");
    }
    tbh_link2_part(link, request);
    tbh_request_complete_recorded(request);
}

static void tbh_link2_event(tbh_link *link, const tbh_mux_event *event) {
    tbh_request *request = event->stream ? (tbh_request *)event->stream->owner : NULL;
    turbohttp_status status = TURBOHTTP_OK;
    switch (event->kind) {
    case TBH_MUX_INTERIM:
        tbh_deliver_first_byte(request);
        tbh_request_set_phase(request, request->phase);
        break;
    case TBH_MUX_HEAD: status = tbh_link2_head(link, request, event->stream); break;
    case TBH_MUX_BODY: status = tbh_link2_put(link, request, event->span); break;
    case TBH_MUX_END: status = tbh_link2_end(link, request); break;
    case TBH_MUX_RESET: tbh_link2_on_reset(link, request); break;
    case TBH_MUX_GOAWAY:
    case TBH_MUX_FAILED: tbh_link2_retire(link); break;
    case TBH_MUX_TRAILERS: /* they leave with the response */
    case TBH_MUX_SETTINGS_ACK:
    case TBH_MUX_NOTHING: break;
    }
    if (status < 0) tbh_link2_fail(link, request, status);
}

static void tbh_link2_deliver(tbh_link *link) {
    tbh_mux_event event;
    while (tbh_mux_next(link->mux, link->client->io.now_us, &event) != TBH_MUX_NOTHING)
        tbh_link2_event(link, &event);
}

/* ------------------------------------------------------------ what was held back */
static void tbh_link2_go_on(tbh_link *link, tbh_request *request) {
    turbohttp_status status = TURBOHTTP_OK;
    if (request->is_ended) status = tbh_link2_end(link, request);
    else if (request->body.has_more) status = tbh_link2_put(link, request, tbh_span(NULL, 0));
    if (status < 0) tbh_link2_fail(link, request, status);
    else if (status == TURBOHTTP_OK && request->exchange) tbh_mux_resume(tbh_link2_stream(request));
}

static void tbh_link2_go_on_all(tbh_link *link) {
    tbh_mux_stream *next, *stream = link->mux->queues[TBH_MUX_LIVE].first;
    if (!link->has_held) return;
    link->has_held = false;
    for (; stream; stream = next) {
        tbh_request *request = (tbh_request *)stream->owner;
        next = stream->nodes[TBH_MUX_LIVE].next;
        bool is_held = stream->is_paused || request->is_ended || request->body.has_more;
        if (is_held && !request->is_paused) tbh_link2_go_on(link, request);
    }
}

/* ------------------------------------------------------------ sending */
/* Who has sent everything, and who has sent anything: their limits of time begin anew. */
static void tbh_link2_note_uploads(tbh_link *link) {
    tbh_mux_stream *stream = link->mux->queues[TBH_MUX_LIVE].first;
    link->uploads = 0;
    for (; stream; stream = stream->nodes[TBH_MUX_LIVE].next) {
        tbh_request *request = (tbh_request *)stream->owner;
        bool is_sending = stream->state <= TBH_MUX_OPEN_BODY;
        bool has_moved = request->sent_bytes != stream->sent_bytes || request->source.is_blocked;
        link->uploads += is_sending;
        request->sent_bytes = stream->sent_bytes;
        if (request->phase == TURBOHTTP_PHASE_SEND && !is_sending) tbh_link2_is_sent(request);
        if (request->phase == TURBOHTTP_PHASE_SEND && has_moved)
            tbh_request_set_phase(request, TURBOHTTP_PHASE_SEND);
        if (request->on_progress) tbh_deliver_upload(request, request->source.taken);
    }
}

/* The peer does not take any more. It may have said why: that is read first. */
static void tbh_link2_send_failed(tbh_link *link, turbohttp_status status) {
    link->send_status = status;
    link->may_receive = true;
}

static turbohttp_status tbh_link2_send_once(tbh_link *link) {
    turbohttp_span out;
    size_t sent = 0;
    turbohttp_status status = tbh_mux_out_peek(link->mux, link->client->io.now_us, &out);
    if (status < 0) tbh_mux_fail(link->mux, status, TURBOHTTP_H2_INTERNAL_ERROR);
    if (status != TURBOHTTP_OK) return TURBOHTTP_PENDING;
    status = tbh_stream_send(&link->stream, out.data, out.length, &sent);
    if (status == TURBOHTTP_OK) tbh_mux_out_consume(link->mux, sent);
    if (status == TURBOHTTP_OK) tbh_client_spend(link->client, sent);
    else link->is_send_blocked = true;
    return status;
}

static void tbh_link2_send(tbh_link *link) {
    turbohttp_status status = TURBOHTTP_OK;
    if (link->send_status != TURBOHTTP_OK) return;
    while (status == TURBOHTTP_OK && !link->is_send_blocked && link->client->budget > 0)
        status = tbh_link2_send_once(link);
    if (status >= 0 && !link->is_send_blocked) {
        status = tbh_stream_flush(&link->stream);
        link->is_send_blocked = status == TURBOHTTP_PENDING;
    }
    if (status < 0) tbh_link2_send_failed(link, status);
    if (link->uploads) tbh_link2_note_uploads(link);
}

/* ------------------------------------------------------------ receiving */
static void tbh_link2_broke(tbh_link *link, turbohttp_status status) {
    bool is_silence = status == TURBOHTTP_ERR_NO_RESPONSE || status == TURBOHTTP_ERR_RECEIVE;
    if (is_silence && link->send_status != TURBOHTTP_OK) status = link->send_status;
    link->mux->is_ended = true; /* nobody listens: no GOAWAY */
    tbh_mux_fail(link->mux, status, TURBOHTTP_H2_NO_ERROR);
}

/* False: nothing more for now. */
static bool tbh_link2_receive_once(tbh_link *link, bool may_block) {
    size_t room, n = 0;
    bool waits = TBH_SOCKETS && may_block && !link->may_receive;
    uint8_t *place = tbh_mux_in_room(link->mux, &room);
    if (!place) {
        tbh_mux_fail(link->mux, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_H2_INTERNAL_ERROR);
        return false;
    }
    room = tbh_min_size(room, link->client->budget);
    turbohttp_status status = waits ? tbh_stream_receive_wait(&link->stream, place, room, &n)
                                    : tbh_stream_receive(&link->stream, place, room, &n);
    if (waits) tbh_client_read_clock(link->client);
    link->may_receive = status == TURBOHTTP_OK && n == room;
    if (status == TURBOHTTP_PENDING) return false;
    if (status == TURBOHTTP_OK) {
        tbh_mux_in_commit(link->mux, n);
        tbh_client_spend(link->client, n);
    } else if (status == TURBOHTTP_DONE && link->send_status == TURBOHTTP_OK) {
        tbh_mux_in_end(link->mux);
    } else {
        tbh_link2_broke(link, status == TURBOHTTP_DONE ? TURBOHTTP_ERR_NO_RESPONSE : status);
    }
    return true;
}

/* At most one wait: what came may have to be answered before the next one. */
static void tbh_link2_receive(tbh_link *link, bool may_block) {
    while (tbh_mux_in_wanted(link->mux) && (link->may_receive || may_block) &&
           link->client->budget > 0 && tbh_link2_receive_once(link, may_block)) {
        tbh_link2_deliver(link);
        may_block = false;
    }
}

/* ------------------------------------------------------------ the pump */
/* Nobody is served: the link rests, or goes. False: it is gone. */
static bool tbh_link2_settle(tbh_link *link) {
    if (tbh_link2_count(link)) return true;
    bool may_rest = tbh_link_may_rest(link) && tbh_mux_can_start(link->mux);
    if (!may_rest) tbh_link_destroy(link);
    else if (link->state == TBH_LINK_BUSY)
        tbh_link_rest(link, (uint64_t)link->client->timeouts.reuse_ms * 1000);
    return may_rest;
}

/* An idle link has no turn of its own: what the budget of its last one left behind, the answer to a
 * PING perhaps, goes when the socket says that it may. */
static bool tbh_link2_wants_send(const tbh_link *link) {
    bool is_owing = link->mux->out_at < link->mux->out.length;
    return link->is_send_blocked || (is_owing && link->state == TBH_LINK_IDLE);
}

static void tbh_link2_update_wants(tbh_link *link) {
    bool wants_in = tbh_mux_in_wanted(link->mux);
    int wants =
        (wants_in ? TBH_WANT_RECEIVE : 0) | (tbh_link2_wants_send(link) ? TBH_WANT_SEND : 0);
    tbh_stream_wants(&link->stream, (uint8_t)wants);
    tbh_client_arm(link->client, tbh_mux_deadline(link->mux));
    bool is_cut_short = link->client->budget == 0;
    bool has_work = (wants_in && link->may_receive) || !link->is_send_blocked;
    if (is_cut_short && has_work && link->state == TBH_LINK_BUSY) tbh_link_mark_dirty(link);
}

static void tbh_link2_pump(tbh_link *link, bool may_block) {
    tbh_link2_go_on_all(link);
    tbh_link2_deliver(link);
    tbh_link2_receive(link, may_block);
    tbh_link2_send(link);
    if (link->send_status != TURBOHTTP_OK) tbh_link2_receive(link, false); /* why it failed */
    tbh_link2_deliver(link); /* a source that failed */
    if (tbh_link2_settle(link)) tbh_link2_update_wants(link);
}

/* ------------------------------------------------------------ the seam */
static void tbh_link2_resume(tbh_link *link, tbh_request *request) {
    link->has_held = true;
    if (request->exchange) tbh_mux_resume_source(tbh_link2_stream(request));
}

static bool tbh_link2_awaits_continue(const tbh_request *request) {
    return request->exchange && tbh_link2_stream(request)->awaits_continue;
}

static void tbh_link2_continue(tbh_request *request) {
    tbh_mux_continue(tbh_link2_stream(request));
}

/* Everything is sent; credit and answers to PINGs are owed only for what comes. */
static bool tbh_link2_only_waits(const tbh_link *link) {
    const tbh_mux *mux = link->mux;
    if (!TBH_SOCKETS || tbh_link2_count(link) != 1) return false;
    const tbh_request *request = (const tbh_request *)mux->queues[TBH_MUX_LIVE].first->owner;
    bool is_sent = !link->uploads && !link->is_send_blocked && mux->out_at == mux->out.length;
    return is_sent && !link->has_held && !request->is_paused && tbh_mux_in_wanted(mux);
}

static bool tbh_link2_has_room(const tbh_link *link) {
    return tbh_mux_can_start(link->mux);
}

/* Silence counts, not idleness: a request may have timed out on it just now. */
static bool tbh_link2_is_doubtful(const tbh_link *link) {
    const tbh_mux *h = link->mux;
    uint64_t silence_us = link->client->io.now_us - h->last_receive_us;
    bool is_silent = link->state == TBH_LINK_IDLE && silence_us >= TBH_IDLE_TRUST_US;
    return is_silent || h->ping_due_us != UINT64_MAX;
}

/* SETTINGS, PING, GOAWAY and the end may come at any time, and the last frames of an exchange may
 * still have to leave. */
static void tbh_link2_on_idle_ready(tbh_link *link) {
    link->may_receive = true;
    link->is_send_blocked = false;
    tbh_link2_pump(link, false);
}

static void tbh_link2_tick(tbh_link *link) {
    tbh_mux_tick(link->mux, link->client->io.now_us);
    tbh_client_arm(link->client, tbh_mux_deadline(link->mux));
    if (link->state == TBH_LINK_BUSY) tbh_link_mark_dirty(link);
    else if (link->mux->is_failed) tbh_link2_pump(link, false); /* nobody else would */
}

/* §5.4.1: a courtesy, said if the wire takes it at once. */
static void tbh_link2_say_goodbye(tbh_link *link) {
    tbh_mux *mux = link->mux;
    bool is_over = mux->is_failed || mux->is_ended || link->send_status != TURBOHTTP_OK;
    if (is_over || !tbh_stream_is_ours(&link->stream)) return;
    turbohttp_h2_write_goaway(&mux->out, 0, TURBOHTTP_H2_NO_ERROR, tbh_span(NULL, 0));
    if (tbh_link2_send_once(link) == TURBOHTTP_OK) tbh_stream_flush(&link->stream);
}

static void tbh_link2_shut(tbh_link *link) {
    tbh_link2_say_goodbye(link);
    tbh_mux_reset(link->mux);
    turbohttp_byte_pool_return(&link->client->heap->blocks, link->mux, link->mux_bytes);
    link->mux = NULL;
}

static const tbh_protocol tbh_protocol_h2 = {
    tbh_link2_start,           tbh_link2_pump,          tbh_link2_part,       tbh_link2_resume,
    tbh_link2_awaits_continue, tbh_link2_continue,      tbh_link2_only_waits, tbh_link2_has_room,
    tbh_link2_is_doubtful,     tbh_link2_on_idle_ready, tbh_link2_tick,       tbh_link2_shut};

TBH_FN turbohttp_status tbh_link_speak_h2(tbh_link *link) {
    turbohttp_client *client = link->client;
    tbh_origin *origin = link->origin;
    turbohttp_byte_pool *blocks = &client->heap->blocks;
    link->mux = (tbh_mux *)turbohttp_byte_pool_rent(blocks, sizeof(tbh_mux), &link->mux_bytes);
    if (!link->mux) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    link->protocol = &tbh_protocol_h2;
    turbohttp_status status = tbh_mux_init(link->mux, blocks, &client->limits, NULL,
                                           origin->key.tls != NULL, client->io.now_us);
    bool is_unverified = tbh_origin_is_unverified(origin);
    link->send_status = status; /* without a preface nothing is sent */
    origin->speaks_h1 = false;
    if (status == TURBOHTTP_OK && !link->is_private && !is_unverified) origin->shared = link;
    return status;
}
#endif /* !defined(TURBOHTTP_NO_HTTP2) */

/* ========================================================================
 * src/client/request_head.c
 * ======================================================================= */
/* What a request sends: its description becomes one checked block of text, head and small body in
 * one piece, so that both leave in one send.
 * Owns nothing; the block is the request's. Invariants: headers that frame or route the message are
 * ours alone (RELIABILITY 3.2); a refused header names itself in the error.
 * Does not know: connections, time. */

/* Bodies up to this size travel behind the head; larger ones are sent from where they lie. */
enum { TBH_SMALL_BODY = 2048, TBH_HEAD_GUESS = 512 };

typedef struct tbh_head_writer {
    turbohttp_writer out;
    const turbohttp_request_desc *desc;
    turbohttp_error *error;
    bool has_body;
    bool has_user_agent, has_accept, has_accept_encoding, has_content_type, has_range;
} tbh_head_writer;

static turbohttp_status tbh_head_refuse(tbh_head_writer *w, turbohttp_status status,
                                        turbohttp_span what) {
    tbh_error_set(w->error, status, TURBOHTTP_PHASE_NONE);
    if (what.length) {
        tbh_error_append(w->error, ": ");
        tbh_error_append_span(w->error, what);
    }
    return status;
}

/* Text that is known to be clean. The room was reserved in one go; the writer copes if it was not. */
TBH_ALWAYS_INLINE void tbh_head_put(tbh_head_writer *w, const char *text, size_t n) {
    tbh_writer_add(&w->out, text, n);
}

static turbohttp_status tbh_head_field(tbh_head_writer *w, const char *name, turbohttp_span value) {
    turbohttp_span key = tbh_span_of(name);
    turbohttp_status status = turbohttp_h1_write_field(&w->out, key, value);
    return status == TURBOHTTP_OK ? status : tbh_head_refuse(w, status, key);
}

/* ------------------------------------------------------------ headers of the user */
static bool tbh_head_is_reserved(uint16_t id) {
    static const uint16_t reserved[] = {
        TURBOHTTP_HEADER_HOST,       TURBOHTTP_HEADER_CONTENT_LENGTH,
        TURBOHTTP_HEADER_CONNECTION, TURBOHTTP_HEADER_TRANSFER_ENCODING,
        TURBOHTTP_HEADER_UPGRADE,    TURBOHTTP_HEADER_TE,
        TURBOHTTP_HEADER_KEEP_ALIVE, TURBOHTTP_HEADER_PROXY_CONNECTION,
        TURBOHTTP_HEADER_TRAILER,    TURBOHTTP_HEADER_EXPECT,
    };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (reserved[i] == id) return true;
    return id >= TURBOHTTP_HEADER_SEC_WEBSOCKET_ACCEPT &&
           id <= TURBOHTTP_HEADER_SEC_WEBSOCKET_VERSION;
}

static void tbh_head_note(tbh_head_writer *w, uint16_t id) {
    if (id == TURBOHTTP_HEADER_USER_AGENT) w->has_user_agent = true;
    if (id == TURBOHTTP_HEADER_ACCEPT) w->has_accept = true;
    if (id == TURBOHTTP_HEADER_ACCEPT_ENCODING) w->has_accept_encoding = true;
    if (id == TURBOHTTP_HEADER_CONTENT_TYPE) w->has_content_type = true;
    if (id == TURBOHTTP_HEADER_RANGE) w->has_range = true;
}

static turbohttp_status tbh_head_user_field(tbh_head_writer *w, const turbohttp_header_field *f) {
    turbohttp_span name = tbh_span_of(f->name);
    uint16_t id = tbh_header_id(name.data, name.length);
    if (tbh_head_is_reserved(id)) return tbh_head_refuse(w, TURBOHTTP_ERR_HEADER_RESERVED, name);
    tbh_head_note(w, id);
    return f->value ? tbh_head_field(w, f->name, tbh_span_of(f->value)) : TURBOHTTP_OK;
}

static turbohttp_status tbh_head_user_fields(tbh_head_writer *w) {
    turbohttp_status status = TURBOHTTP_OK;
    for (size_t i = 0; i < w->desc->header_count && status == TURBOHTTP_OK; i++)
        status = tbh_head_user_field(w, &w->desc->headers[i]);
    return status;
}

/* ------------------------------------------------------------ headers of ours */
/* " HTTP/1.1" and the Host line. */
static turbohttp_status tbh_head_line_end(tbh_head_writer *w, const tbh_target *target) {
    const char *host = w->desc->host;
    size_t start = w->out.length, host_length = host ? strlen(host) : 0;
    if (host && !tbh_is_field_value(host, host_length))
        return tbh_head_refuse(w, TURBOHTTP_ERR_HEADER_VALUE, tbh_span_of("Host"));
    if (!host && !target->url) {
        tbh_head_put(w, target->origin->head_end.data, target->origin->line_end_bytes);
    } else {
        tbh_head_put(w, " HTTP/1.1\r\nHost: ", 17);
        if (host) tbh_head_put(w, host, host_length);
        else turbohttp_url_put_host(target->url, &w->out);
        tbh_head_put(w, "\r\n", 2);
    }
    if (w->desc->use_http10 && w->out.status == TURBOHTTP_OK) w->out.data[start + 8] = '0';
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_head_line(tbh_head_writer *w, const tbh_target *target,
                                      tbh_conn_request *wire) {
    const turbohttp_request_desc *desc = w->desc;
    const char *method = desc->method ? desc->method : w->has_body ? "POST" : "GET";
    size_t method_length = strlen(method);
    char *unused;
    turbohttp_status status = turbohttp_writer_reserve(&w->out, TBH_HEAD_GUESS, &unused);
    if (status != TURBOHTTP_OK) return tbh_head_refuse(w, status, tbh_span(NULL, 0));
    if (desc->method && !tbh_is_token(method, method_length))
        return tbh_head_refuse(w, TURBOHTTP_ERR_METHOD, tbh_span_of(method));
    tbh_head_put(w, method, method_length);
    tbh_head_put(w, " ", 1);
    if (target->url) turbohttp_url_put_target(target->url, &w->out);
    else tbh_head_put(w, target->path.data, target->path.length);
    wire->method_bytes = method_length;
    wire->target_bytes = w->out.length - method_length - 1;
    return TURBOHTTP_OK;
}

/* A literal in one go. */
#define TBH_HEAD_TEXT(w, text) tbh_head_put(w, text, sizeof(text) - 1)

static turbohttp_status tbh_head_defaults(tbh_head_writer *w, tbh_request *request) {
    const char *agent = request->client->desc.user_agent;
    turbohttp_status status = TURBOHTTP_OK;
    /* A coding that the user asked for by hand is the user's to decode, and a range of a coded body
     * cannot be decoded: ranges count coded bytes (RFC 9110 §14.1.2). */
    request->decode =
        TBH_INFLATE && !w->desc->disable_decompression && !w->has_accept_encoding && !w->has_range;
    if (!w->has_user_agent && !agent) TBH_HEAD_TEXT(w, TBH_USER_AGENT_LINE);
    else if (!w->has_user_agent && *agent)
        status = tbh_head_field(w, "User-Agent", tbh_span_of(agent));
    if (!w->has_accept) TBH_HEAD_TEXT(w, TBH_ACCEPT_LINE);
    if (request->decode) TBH_HEAD_TEXT(w, TBH_CODINGS_LINE);
    return status;
}

static void tbh_head_length(tbh_head_writer *w, uint64_t length) {
    turbohttp_writer_put_text(&w->out, "Content-Length: ");
    turbohttp_writer_put_u64(&w->out, length);
    turbohttp_writer_put(&w->out, "\r\n", 2);
}

static bool tbh_head_method_expects_body(const char *method) {
    return method && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                      strcmp(method, "PATCH") == 0);
}

/* RFC 9110 §6.6.2: the names of what comes behind the body. They are checked with their lines. */
static void tbh_head_announce(tbh_head_writer *w) {
    const turbohttp_body *body = &w->desc->body;
    for (size_t i = 0; i < body->trailer_count; i++) {
        turbohttp_writer_put_text(&w->out, i ? ", " : "Trailer: ");
        turbohttp_writer_put_text(&w->out, body->trailers[i].name);
    }
    if (body->trailer_count) TBH_HEAD_TEXT(w, "\r\n");
}

/* What is about this connection alone goes into one line (RFC 9110 §7.6.1, §10.1.4). HTTP/2 keeps
 * only TE of it. */
static void tbh_head_connection(tbh_head_writer *w, const tbh_request *request) {
    bool accepts = w->desc->accept_trailers, closes = request->disable_reuse;
    if (w->desc->use_http10) return;
    if (accepts) TBH_HEAD_TEXT(w, "TE: trailers\r\n");
    if (!accepts && !closes) return;
    TBH_HEAD_TEXT(w, "Connection: ");
    if (closes) turbohttp_writer_put_text(&w->out, accepts ? "close, " : "close");
    if (accepts) TBH_HEAD_TEXT(w, "TE");
    TBH_HEAD_TEXT(w, "\r\n");
}

#define TBH_EXPECT_LINE "Expect: 100-continue\r\n"

static turbohttp_status tbh_head_framing(tbh_head_writer *w, tbh_request *request) {
    const turbohttp_request_desc *desc = w->desc;
    turbohttp_status status = TURBOHTTP_OK;
    if (w->has_body && desc->body.content_type && !w->has_content_type)
        status = tbh_head_field(w, "Content-Type", tbh_span_of(desc->body.content_type));
    if (w->has_body && request->source.is_unknown)
        turbohttp_writer_put_text(&w->out, "Transfer-Encoding: chunked\r\n");
    else if (w->has_body || tbh_head_method_expects_body(desc->method))
        tbh_head_length(w, request->source.length);
    if (request->source.is_unknown) tbh_head_announce(w);
    request->expect_at = w->out.length;
    if (request->wire.expects_continue) TBH_HEAD_TEXT(w, TBH_EXPECT_LINE);
    tbh_head_connection(w, request);
    tbh_head_put(w, "\r\n", 2);
    return status;
}

/* ------------------------------------------------------------ the body's source */
static turbohttp_status tbh_source_read_file(void *user, void *data, size_t room, size_t *length) {
    tbh_request *request = (tbh_request *)user;
    int32_t code = 0;
    turbohttp_status status = tbh_os_file_get(request->upload, data, room, length, &code);
    if (status != TURBOHTTP_ERR_FILE) return status;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_SEND);
    request->response.error.system_code = code;
    return status;
}

/* Bytes in memory that are to be sent in the chunked coding. */
static turbohttp_status tbh_source_read_bytes(void *user, void *data, size_t room, size_t *length) {
    tbh_request *request = (tbh_request *)user;
    uint64_t left = request->body_desc.length - request->source.taken;
    *length = tbh_min_size(room, tbh_size_of_u64(left));
    if (*length)
        memcpy(data, (const uint8_t *)request->body_desc.data + (size_t)request->source.taken,
               *length);
    return *length == left ? TURBOHTTP_DONE : TURBOHTTP_OK;
}

static turbohttp_status tbh_source_open_file(tbh_request *request, const char *path,
                                             turbohttp_error *error) {
    int32_t code = 0;
    uint64_t length;
    turbohttp_status status = tbh_os_file_open(path, false, &request->upload, &length, &code);
    request->source.fill = tbh_source_read_file;
    request->source.user = request;
    if (length == UINT64_MAX) request->source.is_unknown = true; /* sent as it comes, chunked */
    if (!request->source.is_unknown) request->source.length = length;
    if (status == TURBOHTTP_OK) return status;
    tbh_error_set(error, status, TURBOHTTP_PHASE_NONE);
    if (error) error->system_code = code;
    tbh_error_append(error, ": ");
    tbh_error_append(error, path);
    return status;
}

static turbohttp_status tbh_source_open(tbh_request *request, turbohttp_error *error) {
    const turbohttp_body *body = &request->body_desc;
    tbh_source *source = &request->source;
    source->length = body->length;
    source->is_unknown = body->is_unknown;
    if (body->path) return tbh_source_open_file(request, body->path, error);
    source->fill = body->read;
    source->user = body->user;
    if (body->read) return TURBOHTTP_OK;
    source->data = (const uint8_t *)body->data;
    if (body->data && source->is_unknown) {
        source->data = NULL;
        source->fill = tbh_source_read_bytes;
        source->user = request;
    }
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ trailers */
/* RFC 9110 §6.5.1: what frames or routes a message must not come after it. */
static turbohttp_status tbh_head_trailer(tbh_head_writer *w, const turbohttp_header_field *f) {
    turbohttp_span name = tbh_span_of(f->name);
    if (tbh_head_is_reserved(tbh_header_id(name.data, name.length)))
        return tbh_head_refuse(w, TURBOHTTP_ERR_HEADER_RESERVED, name);
    return tbh_head_field(w, f->name, tbh_span_of(f->value));
}

static turbohttp_status tbh_head_trailers(tbh_head_writer *w, size_t *start) {
    const turbohttp_body *body = &w->desc->body;
    *start = w->out.length;
    for (size_t i = 0; i < body->trailer_count; i++) {
        turbohttp_status status = tbh_head_trailer(w, &body->trailers[i]);
        if (status != TURBOHTTP_OK) return status;
    }
    return turbohttp_writer_put(&w->out, "\r\n", 2);
}

/* ------------------------------------------------------------ the whole */
typedef struct tbh_head_layout {
    size_t head_end, trailers, trailers_end, path;
} tbh_head_layout;

static turbohttp_status tbh_head_lines(tbh_head_writer *w, tbh_request *request,
                                       const tbh_target *target) {
    turbohttp_status status = tbh_head_line_end(w, target);
    if (status == TURBOHTTP_OK) status = tbh_head_user_fields(w);
    if (status == TURBOHTTP_OK) status = tbh_head_defaults(w, request);
    return status == TURBOHTTP_OK ? tbh_head_framing(w, request) : status;
}

static turbohttp_status tbh_head_write(tbh_head_writer *w, tbh_request *request,
                                       const tbh_target *target, tbh_head_layout *layout) {
    const turbohttp_body *body = &request->body_desc;
    /* RFC 9110 §10.1.1: no expectation without content, which nobody would wait for. */
    request->wire.expects_continue = w->desc->expect_continue && !w->desc->use_http10 &&
                                     w->has_body &&
                                     (request->source.is_unknown || request->source.length > 0);
    bool is_small = body->data && !body->is_unknown && body->length <= TBH_SMALL_BODY &&
                    !request->wire.expects_continue;
    turbohttp_status status = tbh_head_line(w, target, &request->wire);
    if (status == TURBOHTTP_OK) status = tbh_head_lines(w, request, target);
    if (status != TURBOHTTP_OK) return status;
    if (is_small) turbohttp_writer_put(&w->out, body->data, (size_t)body->length);
    request->wire.small_bytes = is_small ? (size_t)body->length : 0;
    request->wire.body = w->has_body && !is_small ? &request->source : NULL;
    layout->head_end = w->out.length;
    if (request->source.is_unknown) status = tbh_head_trailers(w, &layout->trailers);
    layout->trailers_end = layout->path = w->out.length;
    if (w->desc->body_path)
        turbohttp_writer_put(&w->out, w->desc->body_path, strlen(w->desc->body_path) + 1);
    return status;
}

static void tbh_head_place(tbh_request *request, const turbohttp_request_desc *desc,
                           const tbh_head_layout *layout) {
    const char *text = request->text.data;
    tbh_conn_request *wire = &request->wire;
    wire->head = tbh_span(text, layout->head_end);
    if (request->source.is_unknown)
        wire->trailers = tbh_span(text + layout->trailers, layout->trailers_end - layout->trailers);
    wire->is_head = desc->method && strcmp(desc->method, "HEAD") == 0;
    wire->is_last = request->disable_reuse;
    if (desc->body_path) request->body_path = text + layout->path;
}

/* The class; a header of the user's own, or one taken away, stands for itself (RFC 9218 §5). */
static turbohttp_status tbh_head_prioritise(tbh_head_writer *w, tbh_request *request) {
    const turbohttp_request_desc *desc = w->desc;
    if (desc->priority < TURBOHTTP_PRIORITY_LOW || desc->priority > TURBOHTTP_PRIORITY_CRITICAL)
        return tbh_head_refuse(w, TURBOHTTP_ERR_INVALID_ARGUMENT, tbh_span_of("priority"));
    request->wire.priority = (int8_t)desc->priority;
    for (size_t i = 0; desc->priority && i < desc->header_count; i++)
        if (tbh_span_equal_nocase(tbh_span_of(desc->headers[i].name), "priority"))
            request->wire.tells_priority = true;
    return TURBOHTTP_OK;
}

/* RFC 9110 §9.2.2, and bodies that can be sent a second time. */
static void tbh_head_judge_replay(tbh_request *request, const turbohttp_request_desc *desc,
                                  bool has_body) {
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    request->is_idempotent = desc->is_idempotent || (!desc->method && !has_body);
    for (size_t i = 0; desc->method && i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(desc->method, methods[i]) == 0) request->is_idempotent = true;
    request->is_replayable = !desc->body.path && !desc->body.read;
}

/* Is it a GET that asks for nothing but what its origin has in store? Nearly all are. */
static bool tbh_head_is_plain(const tbh_request *request, const turbohttp_request_desc *desc,
                              const tbh_target *target) {
    const turbohttp_body *body = &desc->body;
    bool has_body = body->data || body->path || body->read || body->length || body->is_unknown;
    return !target->url && !desc->method && !has_body && !desc->header_count && !desc->host &&
           !desc->use_http10 && !desc->disable_decompression && !desc->priority &&
           !desc->accept_trailers && !desc->body_path && !request->disable_reuse &&
           !request->client->desc.user_agent;
}

/* Its text is the origin's but for the target, so that its length is known before. */
static turbohttp_status tbh_request_build_plain(tbh_request *request, const tbh_target *target,
                                                turbohttp_error *error) {
    turbohttp_span path = target->path, rest = target->origin->head_end;
    turbohttp_status status = turbohttp_buffer_rent(&request->text, &request->client->heap->blocks,
                                                    4 + path.length + rest.length);
    if (status != TURBOHTTP_OK) return tbh_error_set(error, status, TURBOHTTP_PHASE_NONE);
    char *text = request->text.data;
    memcpy(text, "GET ", 4);
    memcpy(text + 4, path.data, path.length);
    memcpy(text + 4 + path.length, rest.data, rest.length);
    request->wire.head = turbohttp_buffer_span(&request->text);
    request->wire.method_bytes = 3;
    request->wire.target_bytes = path.length;
    request->decode = TBH_INFLATE;
    request->is_idempotent = request->is_replayable = true;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_request_build(tbh_request *request, const turbohttp_request_desc *desc,
                                          const tbh_target *target, turbohttp_error *error) {
    tbh_head_writer w;
    tbh_head_layout layout;
    /* A small build does without the short way. */
    if (!TBH_SMALL && tbh_head_is_plain(request, desc, target))
        return tbh_request_build_plain(request, target, error);
    memset(&w, 0, sizeof w);
    memset(&layout, 0, sizeof layout);
    w.desc = desc;
    w.error = error;
    w.has_body = desc->body.data || desc->body.path || desc->body.read;
    if (!w.has_body && desc->body.length > 0) /* the server would wait for ever (S-04) */
        return tbh_head_refuse(&w, TURBOHTTP_ERR_INVALID_ARGUMENT,
                               tbh_span_of("body.length without bytes"));
    turbohttp_status status = tbh_head_prioritise(&w, request);
    if (status == TURBOHTTP_OK) status = tbh_source_open(request, error);
    if (status != TURBOHTTP_OK) return status;
    if (desc->use_http10 && request->source.is_unknown)
        return tbh_head_refuse(&w, TURBOHTTP_ERR_UNSUPPORTED,
                               tbh_span_of("HTTP/1.0 needs the length of the body"));
    turbohttp_writer_init(&w.out, &request->client->heap->blocks, 0);
    status = tbh_head_write(&w, request, target, &layout);
    if (status == TURBOHTTP_OK && w.out.status != TURBOHTTP_OK)
        status = tbh_head_refuse(&w, w.out.status, tbh_span(NULL, 0));
    if (status == TURBOHTTP_OK) status = turbohttp_writer_detach(&w.out, &request->text);
    if (w.out.data) tbh_wipe(w.out.data, w.out.length); /* refused: it may hold credentials */
    turbohttp_writer_reset(&w.out);
    if (status != TURBOHTTP_OK) return status;
    tbh_head_place(request, desc, &layout);
    tbh_head_judge_replay(request, desc, w.has_body);
    return TURBOHTTP_OK;
}

/* What stands before the line moves over it: all that is behind stays in its place. */
TBH_FN bool tbh_request_drop_expectation(tbh_request *request, uint16_t status) {
    const size_t n = sizeof(TBH_EXPECT_LINE) - 1;
    tbh_conn_request *wire = &request->wire;
    if (status != 417 || !wire->expects_continue) return false;
    memmove(request->text.data + n, request->text.data, request->expect_at);
    wire->head = tbh_span(wire->head.data + n, wire->head.length - n);
    wire->expects_continue = false;
    return true;
}

/* ========================================================================
 * src/client/request.c
 * ======================================================================= */
/* Requests: from submit to the completion that is taken.
 * Owns the request object, its text, its body's source and its response until somebody takes it.
 * Invariants: completed exactly once; `body.release` called exactly once in every end; nothing of
 * one request is left in the object when the next one gets it (S-06).
 * Does not know: connections, framing. */

/* ------------------------------------------------------------ time limits */
static uint64_t tbh_request_limit_us(const tbh_request *request, uint32_t limit_ms) {
    if (limit_ms == TURBOHTTP_NO_TIMEOUT) return UINT64_MAX;
    return request->client->io.now_us + (uint64_t)limit_ms * 1000;
}

static void tbh_request_override_timeouts(turbohttp_timeouts *t, const turbohttp_timeouts *given) {
    if (given->resolve_ms) t->resolve_ms = given->resolve_ms;
    if (given->connect_ms) t->connect_ms = given->connect_ms;
    if (given->tls_ms) t->tls_ms = given->tls_ms;
    if (given->send_ms) t->send_ms = given->send_ms;
    if (given->first_byte_ms) t->first_byte_ms = given->first_byte_ms;
    if (given->idle_ms) t->idle_ms = given->idle_ms;
    if (given->continue_ms) t->continue_ms = given->continue_ms;
    if (given->total_ms) t->total_ms = given->total_ms;
}

/* What the request leaves at 0 is the client's; mostly that is everything. */
static void tbh_request_take_timeouts(tbh_request *request, const turbohttp_timeouts *given) {
    uint32_t any = given->resolve_ms | given->connect_ms | given->tls_ms | given->send_ms |
                   given->first_byte_ms | given->idle_ms | given->continue_ms | given->total_ms;
    turbohttp_timeouts *t = &request->timeouts;
    bool is_streaming = request->on_body || request->body_path;
    *t = request->client->timeouts;
    if (any) tbh_request_override_timeouts(t, given);
    if (!t->total_ms) t->total_ms = is_streaming ? TURBOHTTP_NO_TIMEOUT : 120000;
}

static bool tbh_request_awaits_continue(const tbh_request *request) {
    const tbh_link *link = request->link;
    return link && link->state == TBH_LINK_BUSY && link->protocol->awaits_continue(request);
}

static uint32_t tbh_request_phase_limit_ms(const tbh_request *request, turbohttp_phase phase) {
    const turbohttp_timeouts *t = &request->timeouts;
    bool is_own = request->client->io.transport != NULL; /* else the dialer watches both */
    switch (phase) {
    case TURBOHTTP_PHASE_TLS: return t->tls_ms;
    case TURBOHTTP_PHASE_CONNECT: return is_own ? t->connect_ms : TURBOHTTP_NO_TIMEOUT;
    case TURBOHTTP_PHASE_SEND: {
        if (request->source.is_blocked) return TURBOHTTP_NO_TIMEOUT; /* the user's own time */
        return tbh_request_awaits_continue(request) ? t->continue_ms : t->send_ms;
    }
    case TURBOHTTP_PHASE_HEAD: return request->has_response_byte ? t->idle_ms : t->first_byte_ms;
    case TURBOHTTP_PHASE_BODY: return request->is_paused ? TURBOHTTP_NO_TIMEOUT : t->idle_ms;
    default: return TURBOHTTP_NO_TIMEOUT;
    }
}

TBH_FN void tbh_request_set_phase(tbh_request *request, turbohttp_phase phase) {
    request->phase = phase;
    request->phase_deadline_us =
        tbh_request_limit_us(request, tbh_request_phase_limit_ms(request, phase));
    tbh_client_arm(request->client, request->phase_deadline_us);
}

TBH_FN uint64_t tbh_request_deadline(const tbh_request *request) {
    return request->phase_deadline_us < request->total_deadline_us ? request->phase_deadline_us
                                                                   : request->total_deadline_us;
}

static void tbh_request_record_timeout(tbh_request *request) {
    static const char *const settings[] = {"total_ms",      "total_ms", "resolve_ms",
                                           "connect_ms",    "tls_ms",   "send_ms",
                                           "first_byte_ms", "idle_ms",  "total_ms"};
    turbohttp_error *error = &request->response.error;
    uint64_t now = request->client->io.now_us;
    bool is_total = now >= request->total_deadline_us;
    bool is_idle = request->phase == TURBOHTTP_PHASE_HEAD && request->has_response_byte;
    tbh_error_set(error, TURBOHTTP_ERR_TIMEOUT, request->phase);
    tbh_error_text(error, "timed out after ");
    tbh_error_append_u64(error, (now - request->started_us) / 1000);
    tbh_error_append(error, " ms in phase ");
    tbh_error_append(error, turbohttp_phase_name(request->phase));
    tbh_error_append(error, ": raise timeouts.");
    tbh_error_append(error, is_total ? "total_ms" : is_idle ? "idle_ms" : settings[request->phase]);
}

TBH_FN void tbh_request_time_out(tbh_request *request) {
    bool is_total = request->client->io.now_us >= request->total_deadline_us;
    if (!is_total && tbh_request_awaits_continue(request)) {
        request->link->protocol->go_on(request);
        tbh_request_set_phase(request, TURBOHTTP_PHASE_SEND);
        tbh_link_mark_dirty(request->link);
        return;
    }
    tbh_request_record_timeout(request);
    tbh_request_complete_recorded(request);
}

/* ------------------------------------------------------------ completion */
static void tbh_request_release_inputs(tbh_request *request) {
    void (*release)(void *user) = request->body_desc.release;
    int32_t code;
    tbh_body_release(&request->body);
    tbh_os_file_shut(request->upload, &code);
    request->upload = TBH_NO_FILE;
    request->body_desc.release = NULL;
    if (release) release(request->body_desc.user);
    /* The head may hold credentials (RELIABILITY 3.6). */
    if (request->text.data) tbh_wipe(request->text.data, request->text.length);
    turbohttp_buffer_return(&request->text);
}

static void tbh_request_shut_download(tbh_request *request) {
    int32_t code = 0;
    turbohttp_status status = tbh_os_file_shut(request->download, &code);
    request->download = TBH_NO_FILE;
    if (status == TURBOHTTP_OK || request->response.error.code) return;
    tbh_error_set(&request->response.error, status, TURBOHTTP_PHASE_BODY);
    request->response.error.system_code = code;
}

static void tbh_request_leave(tbh_request *request) {
    tbh_link *link = request->link;
    if (request->state == TBH_REQUEST_WAITING) tbh_origin_unqueue(request->origin, request);
    request->link = NULL;
    if (!link) return;
    if (link->protocol) {
        link->protocol->leave(link, request);
        return;
    }
    link->request = NULL;
    tbh_link_destroy(link);
}

static void tbh_request_fill_response(tbh_request *request) {
    turbohttp_response *response = &request->response;
    tbh_heap *heap = request->client->heap;
    response->error.request_sent = request->was_sent || request->sent_bytes > 0;
    response->sent_bytes = request->sent_bytes;
    response->body_bytes = request->body.decoded;
    response->wire_bytes = request->body.wire;
    response->timing.total_us = request->client->io.now_us - request->started_us;
    response->body = turbohttp_segments_sequence(&request->store);
    response->owned.first = request->store.first;
    response->owned.heap = heap;
    tbh_heap_hold(heap);
}

static void tbh_request_queue_call(tbh_request *request) {
    turbohttp_client *client = request->client;
    request->next = NULL;
    request->previous = client->done_last;
    if (client->done_last) client->done_last->next = request;
    else client->done_first = request;
    client->done_last = request;
    request->is_call_due = true;
}

static void tbh_request_unqueue_call(tbh_request *request) {
    turbohttp_client *client = request->client;
    if (!request->is_call_due) return;
    if (request->previous) request->previous->next = request->next;
    else client->done_first = request->next;
    if (request->next) request->next->previous = request->previous;
    else client->done_last = request->previous;
    request->is_call_due = false;
}

TBH_FN void tbh_request_complete_recorded(tbh_request *request) {
    turbohttp_client *client = request->client;
    tbh_origin *origin = request->origin;
    tbh_request_leave(request);
    tbh_request_shut_download(request);
    tbh_request_fill_response(request);
    tbh_request_release_inputs(request);
    request->state = TBH_REQUEST_DONE;
    request->origin = NULL;
    origin->requests--;
    tbh_origin_drop_if_unused(client, origin);
    tbh_completion_set(&client->completions, request->handle.id);
    if (request->on_done) tbh_request_queue_call(request);
}

TBH_FN void tbh_request_complete(tbh_request *request, turbohttp_status status) {
    if (status != TURBOHTTP_OK) tbh_error_set(&request->response.error, status, request->phase);
    tbh_request_complete_recorded(request);
}

TBH_FN void tbh_request_rewind(tbh_request *request) {
    request->was_sent = request->was_sent || request->sent_bytes > 0;
    request->source.taken = 0;
    request->source.is_blocked = false;
    request->sent_bytes = request->uploaded = 0;
    request->is_paused = request->has_response_byte = false;
    tbh_request_set_phase(request, TURBOHTTP_PHASE_QUEUE);
}

/* ------------------------------------------------------------ taking */
TURBOHTTP_API turbohttp_status turbohttp_take(turbohttp_client *client, turbohttp_request handle,
                                              turbohttp_response *response) {
    void *object;
    turbohttp_status status = tbh_completion_take(&client->completions, handle.id, &object);
    if (status != TURBOHTTP_OK) return status;
    tbh_request *request = (tbh_request *)object;
    tbh_request_unqueue_call(request);
    *response = request->response;
    turbohttp_object_pool_return(&client->request_pool, request);
    return TURBOHTTP_OK;
}

/* Each request leaves the list before its callback: whatever that one submits, cancels or takes,
 * the list is whole. */
TBH_FN void tbh_request_call_done(turbohttp_client *client) {
    while (client->done_first) {
        tbh_request *request = client->done_first;
        void *object;
        tbh_request_unqueue_call(request);
        tbh_completion_take(&client->completions, request->handle.id, &object);
        request->on_done(request->done_user, request->handle, &request->response);
        turbohttp_response_free(&request->response);
        turbohttp_object_pool_return(&client->request_pool, request);
    }
}

TURBOHTTP_API turbohttp_status turbohttp_next_done(turbohttp_client *client,
                                                   turbohttp_request *handle) {
    tbh_request *request = (tbh_request *)tbh_completion_first_done(&client->completions);
    handle->id = 0;
    if (!request) return TURBOHTTP_PENDING;
    *handle = request->handle;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_on_done(turbohttp_client *client, turbohttp_request handle,
                                                 void (*on_done)(void *user,
                                                                 turbohttp_request request,
                                                                 turbohttp_response *response),
                                                 void *user) {
    tbh_request *request = (tbh_request *)tbh_completion_find(&client->completions, handle.id);
    if (!request) return TURBOHTTP_ERR_STALE;
    request->on_done = on_done;
    request->done_user = user;
    tbh_request_unqueue_call(request);
    if (on_done && request->state == TBH_REQUEST_DONE) tbh_request_queue_call(request);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_cancel(turbohttp_client *client,
                                                turbohttp_request handle) {
    turbohttp_status status = tbh_completion_cancel(&client->completions, handle.id);
    if (status == TURBOHTTP_OK) turbohttp_wake(client);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_resume(turbohttp_client *client,
                                                turbohttp_request handle) {
    tbh_request *request = (tbh_request *)tbh_completion_find(&client->completions, handle.id);
    if (!request) return TURBOHTTP_ERR_STALE;
    request->source.is_blocked = false;
    if (!request->link || request->link->state != TBH_LINK_BUSY) return TURBOHTTP_OK;
    request->link->protocol->resume(request->link, request);
    request->is_paused = false;
    tbh_client_read_clock(client); /* the pause may have been long: its time is not counted */
    tbh_request_set_phase(request, request->phase);
    tbh_link_mark_dirty(request->link);
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ submit */
static turbohttp_status tbh_submit_refuse(turbohttp_error *error, turbohttp_status status,
                                          const char *detail) {
    tbh_error_set(error, status, TURBOHTTP_PHASE_NONE);
    if (!detail) return status;
    tbh_error_append(error, ": ");
    tbh_error_append(error, detail);
    return status;
}

static turbohttp_status tbh_submit_parse_url(const turbohttp_client *client, const char *text,
                                             turbohttp_url *url, turbohttp_error *error) {
    size_t offset = 0;
    if (!text) return tbh_submit_refuse(error, TURBOHTTP_ERR_URL, "url is NULL");
    turbohttp_status status =
        turbohttp_url_parse(url, text, strlen(text), client->limits.url_bytes, &offset);
    if (status != TURBOHTTP_OK) {
        tbh_submit_refuse(error, status, NULL);
        if (error) error->offset = offset;
        return status;
    }
    if (url->is_websocket) return tbh_submit_refuse(error, TURBOHTTP_ERR_URL_SCHEME, NULL);
    return TURBOHTTP_OK;
}

/* An equal origin means equal TLS options, so they are looked up first. */
static turbohttp_status tbh_submit_find_origin(tbh_request *request, const turbohttp_url *url,
                                               const turbohttp_request_desc *desc,
                                               turbohttp_error *error) {
    turbohttp_client *client = request->client;
    tbh_tls_config *tls = NULL;
    turbohttp_status status =
        url->is_tls ? tbh_secure_get(client, desc->tls, &tls, error) : TURBOHTTP_OK;
    if (status != TURBOHTTP_OK) return status;
    request->origin = tbh_origin_get(client, url, desc, tls);
    if (request->origin) return TURBOHTTP_OK;
    return tbh_submit_refuse(error, TURBOHTTP_ERR_OUT_OF_MEMORY, NULL);
}

static void tbh_submit_take_desc(tbh_request *request, const turbohttp_request_desc *desc) {
    request->body_desc = desc->body;
    request->on_body = desc->on_body;
    request->on_head = desc->on_head;
    request->on_progress = desc->on_progress;
    request->on_done = desc->on_done;
    request->user = request->done_user = desc->user;
    request->body_path = desc->body_path;
    request->disable_reuse = desc->disable_reuse || request->client->disable_keep_alive;
    request->upload = request->download = TBH_NO_FILE;
    request->started_us = request->client->io.now_us;
    request->phase = TURBOHTTP_PHASE_QUEUE;
    request->phase_deadline_us = UINT64_MAX;
    turbohttp_segments_init(&request->store, &request->client->heap->blocks,
                            request->client->limits.block_bytes);
    bool is_streaming = request->on_body || request->body_path;
    const turbohttp_limits *limits = &request->client->limits;
    request->body.limits.decoded_bytes = desc->body_limit ? desc->body_limit
                                         : is_streaming   ? limits->stream_bytes
                                                          : limits->body_bytes;
    request->body.limits.ratio = limits->inflate_ratio;
}

/* Everything that can fail; on failure the caller gives the request back. */
static turbohttp_status tbh_submit_prepare(tbh_request *request, const turbohttp_request_desc *desc,
                                           turbohttp_error *error) {
    turbohttp_client *client = request->client;
    turbohttp_url url;
    tbh_target target;
    turbohttp_status status = TURBOHTTP_OK;
    memset(&target, 0, sizeof target);
    if (desc->url) request->origin = tbh_origin_recall(client, desc, &target);
    if (!request->origin) {
        status = tbh_submit_parse_url(client, desc->url, &url, error);
        target.url = &url;
    }
    if (status == TURBOHTTP_OK) status = tbh_request_build(request, desc, &target, error);
    if (status == TURBOHTTP_OK && !request->origin)
        status = tbh_submit_find_origin(request, &url, desc, error);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_completion_issue(&client->completions, request, &request->handle.id);
    if (status != TURBOHTTP_OK) {
        tbh_origin_drop_if_unused(client, request->origin);
        return tbh_submit_refuse(error, status, NULL);
    }
    if (request->origin->is_dormant) client->dormant_count--;
    request->origin->is_dormant = false;
    request->origin->requests++;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_submit_unstarted(const turbohttp_request_desc *desc,
                                             turbohttp_status status, turbohttp_error *error) {
    if (desc->body.release) desc->body.release(desc->body.user);
    return tbh_submit_refuse(error, status, NULL);
}

TURBOHTTP_API turbohttp_status turbohttp_submit(turbohttp_client *client,
                                                const turbohttp_request_desc *desc,
                                                turbohttp_request *handle, turbohttp_error *error) {
    turbohttp_request unused;
    if (!handle) handle = &unused; /* who has on_done may not need it */
    handle->id = 0;
    tbh_client_check_birth(client);
    if (client->is_shut || client->is_doomed)
        return tbh_submit_unstarted(desc, TURBOHTTP_ERR_SHUTDOWN, error);
    tbh_request *request = (tbh_request *)turbohttp_object_pool_rent(&client->request_pool);
    if (!request) return tbh_submit_unstarted(desc, TURBOHTTP_ERR_OUT_OF_MEMORY, error);
    request->client = client;
    if (!client->is_polling) tbh_client_read_clock(client);
    tbh_submit_take_desc(request, desc);
    tbh_request_take_timeouts(request, &desc->timeouts);
    turbohttp_status status = tbh_submit_prepare(request, desc, error);
    if (status != TURBOHTTP_OK) {
        tbh_request_release_inputs(request);
        turbohttp_object_pool_return(&client->request_pool, request);
        return status;
    }
    request->total_deadline_us = tbh_request_limit_us(request, request->timeouts.total_ms);
    tbh_client_arm(client, request->total_deadline_us);
    request->ticket = client->tickets++;
    tbh_origin_queue(request->origin, request, false);
    *handle = request->handle;
    return TURBOHTTP_OK;
}

/* ========================================================================
 * src/client/client.c
 * ======================================================================= */
/* The client: its life, and the poll that moves everything.
 * Owns all other objects of client/. Invariants: callbacks are called only from tbh_client_round;
 * `deadline_us` is never later than the earliest timer; a round does at most `limits.poll_bytes`
 * of work and waits at most once.
 * Does not know: framing, names, how a request is built. */

/* What is left of a poll's budget below this is not worth a system call. */
#define TBH_CRUMBS_BYTES 1024u

/* Blocks of one size that are kept for a hundred streams and their responses. */
#define TBH_KEPT_BLOCKS  144u

/* ------------------------------------------------------------ defaults: the one place */
static uint32_t tbh_or(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

static turbohttp_limits tbh_limits_with_defaults(const turbohttp_limits *given) {
    turbohttp_limits l = *given;
    l.head_bytes = tbh_or(l.head_bytes, 65536);
    l.line_bytes = tbh_or(l.line_bytes, 16384);
    l.header_count = tbh_or(l.header_count, 128);
    l.interim_count = tbh_or(l.interim_count, 8);
    l.url_bytes = tbh_or(l.url_bytes, 8192);
    if (!l.body_bytes) l.body_bytes = 32u << 20;
    if (!l.stream_bytes) l.stream_bytes = UINT64_MAX;
    l.inflate_ratio = tbh_or(l.inflate_ratio, 256);
    l.requests = tbh_or(l.requests, 256);
    l.connections = tbh_or(l.connections, 64);
    l.connections_per_host = tbh_or(l.connections_per_host, 6);
    l.block_bytes = tbh_or(l.block_bytes, 16384);
    l.receive_bytes = tbh_or(l.receive_bytes, 262144);
    l.poll_bytes = tbh_or(l.poll_bytes, 65536);
    return l;
}

static turbohttp_timeouts tbh_timeouts_with_defaults(const turbohttp_timeouts *given) {
    turbohttp_timeouts t = *given;
    t.resolve_ms = tbh_or(t.resolve_ms, 5000);
    t.connect_ms = tbh_or(t.connect_ms, 10000);
    t.tls_ms = tbh_or(t.tls_ms, 10000);
    t.send_ms = tbh_or(t.send_ms, 30000);
    t.first_byte_ms = tbh_or(t.first_byte_ms, 30000);
    t.idle_ms = tbh_or(t.idle_ms, 30000);
    t.continue_ms = tbh_or(t.continue_ms, 1000);
    t.reuse_ms = tbh_or(t.reuse_ms, 30000);
    return t; /* total_ms: see tbh_request_take_timeouts */
}

/* ------------------------------------------------------------ fixed memory */
static void tbh_client_trim(turbohttp_client *client) {
    turbohttp_object_pool_trim(&client->request_pool);
    turbohttp_object_pool_trim(&client->link_pool);
    turbohttp_object_pool_trim(&client->inflaters);
#if TBH_HTTP2
    turbohttp_object_pool_trim(&client->stream_pool);
#endif
    turbohttp_byte_pool_trim(&client->heap->blocks);
}

/* What pools keep for later is worth less than what is needed now: else a client that once ran out
 * could be left with nothing but blocks of sizes that nobody asks for. */
static void *tbh_client_fixed_allocate(void *user, size_t size) {
    turbohttp_client *client = (turbohttp_client *)user;
    turbohttp_allocator arena = turbohttp_arena_allocator(&client->arena);
    void *block = arena.allocate(arena.user, size);
    if (block || !client->heap) return block;
    tbh_client_trim(client);
    return arena.allocate(arena.user, size);
}

static void tbh_client_fixed_release(void *user, void *block, size_t size) {
    turbohttp_client *client = (turbohttp_client *)user;
    turbohttp_allocator arena = turbohttp_arena_allocator(&client->arena);
    arena.release(arena.user, block, size);
}

/* ------------------------------------------------------------ creation */
static bool tbh_client_limits_are_sane(const turbohttp_limits *l) {
    bool is_power = (l->block_bytes & (l->block_bytes - 1)) == 0;
    return is_power && l->block_bytes >= 512 && l->receive_bytes >= l->block_bytes &&
           l->requests < 0x10000000u && l->connections < 0x10000000u && l->header_count < 65536;
}

static void tbh_client_choose_allocator(turbohttp_client_desc *desc, turbohttp_arena *arena) {
    if (desc->memory) {
        turbohttp_arena_init(arena, desc->memory, desc->memory_bytes);
        desc->allocator = turbohttp_arena_allocator(arena);
    }
#if TBH_SOCKETS
    if (!desc->allocator.allocate) desc->allocator = tbh_os_allocator();
#endif
}

#if TBH_SOCKETS
static turbohttp_status tbh_client_init_poller(turbohttp_client *client) {
    tbh_io *io = &client->io;
    int32_t code;
    tbh_poller_init(&io->poller, io->allocator,
                    io->transport ? TURBOHTTP_IO_POLL : client->desc.io);
    turbohttp_status status = tbh_os_wake_open(&io->wake, &code);
    if (status == TURBOHTTP_OK)
        status = tbh_poller_add(&io->poller, &io->wake_watch, io->wake.listen_end, TBH_WANT_RECEIVE,
                                NULL);
    return status;
}

static turbohttp_status tbh_client_init_sockets(turbohttp_client *client) {
    tbh_io *io = &client->io;
    turbohttp_status status = tbh_client_init_poller(client);
    if (status != TURBOHTTP_OK || io->transport) return status;
    tbh_os_birth_note(&io->birth);
    return tbh_resolver_create(&io->resolver, io->allocator, &io->poller, &io->wake, &client->desc);
}

static void tbh_client_fini_sockets(turbohttp_client *client) {
    tbh_io *io = &client->io;
    tbh_resolver_destroy(io->resolver);
    tbh_poller_remove(&io->poller, &io->wake_watch);
    tbh_os_wake_shut(&io->wake);
    tbh_poller_fini(&io->poller);
    tbh_os_birth_forget(&io->birth);
}
#endif

static turbohttp_status tbh_client_init_io(turbohttp_client *client) {
    tbh_io *io = &client->io;
    io->allocator = &client->allocator;
    io->blocks = &client->heap->blocks;
    io->block_bytes = client->limits.block_bytes;
    io->receive_bytes = client->limits.receive_bytes;
    io->transport = client->desc.transport;
    io->clock = client->desc.clock;
    io->random = client->desc.random;
#if TBH_SOCKETS
    if (!io->clock.now_us) io->clock.now_us = tbh_os_now_us;
    if (!io->random.fill) io->random.fill = tbh_os_random;
    if (!client->desc.wall_clock.unix_seconds)
        client->desc.wall_clock.unix_seconds = tbh_os_unix_seconds;
    turbohttp_status status = tbh_client_init_sockets(client);
#else
    turbohttp_status status =
        io->transport && io->clock.now_us ? TURBOHTTP_OK : TURBOHTTP_ERR_INVALID_ARGUMENT;
#endif
    if (status == TURBOHTTP_OK) io->now_us = io->clock.now_us(io->clock.user);
    return status;
}

#if TBH_INFLATE
static void tbh_client_keep_as_is(void *user, void *element) {
    (void)user;
    (void)element;
}
#endif

static turbohttp_status tbh_client_init_pools(turbohttp_client *client) {
    const turbohttp_limits *l = &client->limits;
    const turbohttp_allocator *a = &client->allocator;
    bool off = client->desc.disable_pooling, clears = client->desc.clear_on_return;
    uint32_t kept = l->connections + 16; /* blocks of a size; HTTP/2 uses more on one connection */
    if (TBH_HTTP2 && !client->desc.disable_http2 && kept < TBH_KEPT_BLOCKS) kept = TBH_KEPT_BLOCKS;
    client->heap = tbh_heap_create(a, l->receive_bytes, kept,
                                   clears ? TURBOHTTP_CLEAR_ON_RETURN : TURBOHTTP_CLEAR_NONE, off);
    if (!client->heap) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    /* Without a hook the pool zeroes what comes back: nothing crosses requests (S-06). */
    turbohttp_object_pool_init(&client->request_pool, a, sizeof(tbh_request), l->requests, NULL,
                               NULL, off);
    turbohttp_object_pool_init(&client->link_pool, a, sizeof(tbh_link), l->connections, NULL, NULL,
                               off);
#if TBH_HTTP2
    turbohttp_object_pool_init(&client->stream_pool, a, sizeof(tbh_mux_stream), l->requests, NULL,
                               NULL, off);
#endif
#if TBH_INFLATE
    /* An inflater is initialised when it is rented: zeroing 40 KiB on return would cost more. */
    turbohttp_object_pool_init(&client->inflaters, a, sizeof(turbohttp_inflate), l->connections,
                               clears ? NULL : tbh_client_keep_as_is, NULL, off);
#endif
    return tbh_completions_init(&client->completions, a, l->requests);
}

static turbohttp_status tbh_client_init(turbohttp_client *client) {
    turbohttp_status status = tbh_client_init_pools(client);
    if (status == TURBOHTTP_OK) status = tbh_client_init_io(client);
    client->deadline_us = UINT64_MAX;
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_client_create(turbohttp_client **out,
                                                       const turbohttp_client_desc *given) {
    turbohttp_client_desc desc;
    turbohttp_arena arena;
    *out = NULL;
    memset(&desc, 0, sizeof desc);
    memset(&arena, 0, sizeof arena);
    if (given) desc = *given;
    turbohttp_limits limits = tbh_limits_with_defaults(&desc.limits);
    tbh_client_choose_allocator(&desc, &arena);
    if (!desc.allocator.allocate || !desc.allocator.release || !tbh_client_limits_are_sane(&limits))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (!TBH_LENIENT && desc.lenient) return TURBOHTTP_ERR_UNSUPPORTED;
    turbohttp_client *client = (turbohttp_client *)tbh_allocate(&desc.allocator, sizeof *client);
    if (!client) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(client, 0, sizeof *client);
#if TBH_SOCKETS
    client->io.wake.listen_end = client->io.wake.signal_end = TBH_NO_SOCKET; /* 0 is stdin */
#endif
    client->allocator = desc.allocator;
    if (desc.memory) { /* the arena moves into the client, and its allocator with it */
        client->arena = arena;
        client->allocator.user = client;
        client->allocator.allocate = tbh_client_fixed_allocate;
        client->allocator.release = tbh_client_fixed_release;
    }
    client->desc = desc;
    client->limits = limits;
    client->timeouts = tbh_timeouts_with_defaults(&desc.timeouts);
    client->disable_keep_alive = desc.disable_keep_alive;
    turbohttp_status status = tbh_client_init(client);
    if (status == TURBOHTTP_OK) *out = client;
    else turbohttp_client_destroy(client);
    return status;
}

/* ------------------------------------------------------------ shutdown */
/* `why` may be NULL: the status says it. */
static void tbh_client_end_all(turbohttp_client *client, turbohttp_status status, const char *why) {
    for (uint32_t i = 0; i < client->completions.capacity; i++) {
        tbh_request *request = (tbh_request *)tbh_completion_at(&client->completions, i);
        if (!request || request->state == TBH_REQUEST_DONE) continue;
        tbh_error_set(&request->response.error, status, request->phase);
        if (why) tbh_error_text(&request->response.error, why);
        tbh_request_complete_recorded(request);
    }
    while (client->links) tbh_link_destroy(client->links);
}

static void tbh_client_tear_down(turbohttp_client *client) {
    client->is_shut = true;
    client->must_tear_down = false;
    tbh_client_end_all(client, TURBOHTTP_ERR_SHUTDOWN, NULL);
}

#if TBH_SOCKETS
/* The sockets, the set of them and the wake-up are shared with the parent, the helper threads are
 * not here: all are given up quietly, and made anew. */
static void tbh_client_leave_parent(turbohttp_client *client) {
    tbh_io *io = &client->io;
    client->is_polling = true; /* releasing a body calls out: the client must not go meanwhile */
    tbh_poller_disown(&io->poller);
    tbh_resolver_disown(io->resolver);
    tbh_client_end_all(client, TURBOHTTP_ERR_CANCELLED,
                       "the process was forked: this request goes on in the parent");
    tbh_poller_remove(&io->poller, &io->wake_watch);
    tbh_os_wake_shut(&io->wake);
    tbh_poller_fini(&io->poller);
    if (tbh_client_init_poller(client) != TURBOHTTP_OK) client->is_shut = true;
    tbh_resolver_disown(io->resolver); /* with the new wake-up */
    tbh_os_birth_note(&io->birth);
    client->is_polling = false;
}
#endif

TBH_FN void tbh_client_check_birth(turbohttp_client *client) {
#if TBH_SOCKETS
    if (!client->is_polling && tbh_os_birth_is_elsewhere(&client->io.birth))
        tbh_client_leave_parent(client);
#else
    (void)client;
#endif
}

/* Inside a callback the objects that called are still in use (S-80): the round tears them down. */
TURBOHTTP_API void turbohttp_client_shutdown(turbohttp_client *client) {
    if (!client || client->is_shut) return;
    tbh_client_check_birth(client);
    client->is_shut = client->must_tear_down = true;
    if (client->is_polling) return;
    client->is_polling = true; /* releasing a body calls out: the client must not go meanwhile */
    tbh_client_tear_down(client);
    client->is_polling = false;
    if (client->is_doomed) turbohttp_client_destroy(client);
}

static void tbh_client_drop_requests(turbohttp_client *client) {
    void *request;
    while ((request = tbh_completion_first_done(&client->completions)) != NULL) {
        turbohttp_response response;
        turbohttp_take(client, ((tbh_request *)request)->handle, &response);
        turbohttp_response_free(&response);
    }
}

static void tbh_client_free(turbohttp_client *client) {
    turbohttp_allocator allocator = client->allocator;
    while (client->origins) tbh_origin_drop(client, client->origins); /* the dormant ones */
    tbh_secure_free_all(client);
#if TBH_SOCKETS
    tbh_client_fini_sockets(client);
#endif
    turbohttp_object_pool_destroy(&client->request_pool);
    turbohttp_object_pool_destroy(&client->link_pool);
    turbohttp_object_pool_destroy(&client->inflaters);
#if TBH_HTTP2
    turbohttp_object_pool_destroy(&client->stream_pool);
#endif
    tbh_completions_fini(&client->completions, &client->allocator);
    tbh_heap_drop(client->heap);
    /* In fixed-memory mode the block belongs to the user: there is nothing to give back. */
    if (!client->desc.memory) tbh_release(&allocator, client, sizeof *client);
}

TURBOHTTP_API void turbohttp_client_destroy(turbohttp_client *client) {
    if (!client) return;
    if (client->is_polling) { /* from a callback: the round finishes it */
        client->is_doomed = true;
        return;
    }
    tbh_client_check_birth(client);
    client->is_polling = client->is_doomed = true; /* the callbacks below may ask for it again */
    if (!client->is_shut || client->must_tear_down) tbh_client_tear_down(client);
    tbh_request_call_done(client);
    tbh_client_drop_requests(client);
    tbh_client_free(client);
}

/* ------------------------------------------------------------ timers and cancels */
TBH_FN void tbh_client_read_clock(turbohttp_client *client) {
    uint64_t now = client->io.clock.now_us(client->io.clock.user);
    if (now > client->io.now_us) client->io.now_us = now; /* never back (RELIABILITY 3.5) */
}

TBH_FN void tbh_client_spend(turbohttp_client *client, uint64_t n) {
    bool is_worth_it = client->budget > TBH_CRUMBS_BYTES && n < client->budget - TBH_CRUMBS_BYTES;
    client->budget = is_worth_it ? client->budget - (size_t)n : 0;
}

TBH_FN void tbh_client_arm(turbohttp_client *client, uint64_t deadline_us) {
    if (deadline_us < client->deadline_us) client->deadline_us = deadline_us;
}

static void tbh_client_expire_requests(turbohttp_client *client, uint64_t now) {
    for (uint32_t i = 0; i < client->completions.capacity; i++) {
        tbh_request *request = (tbh_request *)tbh_completion_at(&client->completions, i);
        if (!request || request->state == TBH_REQUEST_DONE) continue;
        if (now >= tbh_request_deadline(request)) tbh_request_time_out(request);
        if (request->state != TBH_REQUEST_DONE)
            tbh_client_arm(client, tbh_request_deadline(request));
    }
}

static void tbh_client_expire_links(turbohttp_client *client, uint64_t now) {
    tbh_link *next;
    for (tbh_link *link = client->links; link; link = next) {
        next = link->next;
        bool is_idle = link->state == TBH_LINK_IDLE;
        if (is_idle && now >= link->idle_until_us) {
            tbh_link_destroy(link);
            continue;
        }
        if (is_idle) tbh_client_arm(client, link->idle_until_us);
        if (link->protocol) link->protocol->tick(link);
    }
}

static void tbh_client_expire(turbohttp_client *client) {
    uint64_t now = client->io.now_us;
    if (now < client->deadline_us) return;
    client->deadline_us = UINT64_MAX;
    tbh_client_expire_requests(client, now);
    tbh_client_expire_links(client, now);
}

static void tbh_client_take_cancels(turbohttp_client *client) {
    if (!tbh_completions_take_cancelled(&client->completions)) return;
    for (uint32_t i = 0; i < client->completions.capacity; i++) {
        tbh_request *request = (tbh_request *)tbh_completion_cancelled_at(&client->completions, i);
        if (request) tbh_request_complete(request, TURBOHTTP_ERR_CANCELLED);
    }
}

/* ------------------------------------------------------------ one round */
static tbh_link *tbh_client_opening_from(tbh_link *link) {
    while (link && link->state != TBH_LINK_OPENING) link = link->next;
    return link;
}

/* Idle links may vanish meanwhile, to make room; those that open vanish only in their own turn. */
static void tbh_client_step_opening(turbohttp_client *client) {
    if (client->opening_count == 0) return;
    tbh_link *link = tbh_client_opening_from(client->links);
    while (link) {
        tbh_link *next = tbh_client_opening_from(link->next);
        tbh_link_step_opening(link);
        link = next;
    }
}

/* Callbacks are made between two links, never while one is in hand. What they submit is sent at
 * once, so that the server works while we go on: its links come last in the list, and have nothing
 * to receive yet. */
static void tbh_client_after_link(turbohttp_client *client) {
    if (!client->done_first || client->must_tear_down) return;
    tbh_request_call_done(client);
    tbh_origins_dispatch(client);
}

/* Each dirty link gets its turn, within the budget; the bound is for links that are marked again. */
static void tbh_client_pump(turbohttp_client *client, bool may_block) {
    uint32_t turns = 2 * client->limits.connections + 16;
    while (client->dirty_first && client->budget > 0 && turns-- > 0) {
        tbh_link *link = client->dirty_first;
        client->dirty_first = link->dirty_next;
        if (!client->dirty_first) client->dirty_last = NULL;
        link->is_dirty = false;
        if (link->state == TBH_LINK_BUSY) link->protocol->pump(link, may_block);
        may_block = false;
        tbh_client_after_link(client);
    }
}

static uint64_t tbh_client_next_deadline(const turbohttp_client *client) {
    uint64_t due = client->deadline_us;
    for (const tbh_link *link = client->links; link && client->opening_count; link = link->next) {
        if (link->state != TBH_LINK_OPENING) continue;
        uint64_t opening = tbh_stream_deadline(&link->stream);
        if (opening < due) due = opening;
    }
    return due;
}

static bool tbh_client_has_work(const turbohttp_client *client) {
    return client->dirty_first != NULL || client->done_first != NULL ||
           tbh_atomic_load32(&client->completions.any_cancelled) != 0;
}

static uint32_t tbh_client_wait_ms(const turbohttp_client *client, uint32_t timeout_ms) {
    uint64_t due = tbh_client_next_deadline(client), now = client->io.now_us;
    if (tbh_client_has_work(client) || due <= now) return 0;
    uint64_t left_ms = due == UINT64_MAX ? UINT64_MAX : (due - now + 999) / 1000;
    return left_ms < timeout_ms ? (uint32_t)left_ms : timeout_ms;
}

#if TBH_SOCKETS
static void tbh_client_note_ready(turbohttp_client *client) {
    uint32_t cursor = 0;
    tbh_watch *watch;
    while ((watch = tbh_poller_next(&client->io.poller, &cursor)) != NULL) {
        tbh_link *link = (tbh_link *)watch->owner;
        if (watch == &client->io.wake_watch) {
            tbh_os_wake_drain(&client->io.wake);
            watch->ready = 0;
        } else if (link && link->state == TBH_LINK_BUSY && watch == &link->stream.watch) {
            uint8_t ready = tbh_stream_take_ready(&link->stream);
            if (ready & TBH_WANT_RECEIVE) link->may_receive = true;
            if (ready & TBH_WANT_SEND) link->is_send_blocked = false;
            tbh_link_mark_dirty(link);
        } else if (link && link->state == TBH_LINK_IDLE) {
            link->protocol->on_idle_ready(link);
        } /* else: a dialer's or the resolver's; the next step looks at it */
    }
}
#endif

static void tbh_client_ask(tbh_link *link) {
    link->may_receive = true;
    link->is_send_blocked = false;
    tbh_link_mark_dirty(link);
}

/* A transport of the user's has no readiness: every link is asked in every round. */
static void tbh_client_ask_all(turbohttp_client *client) {
    tbh_link *next;
    for (tbh_link *link = client->links; link; link = next) {
        next = link->next;
        if (link->state == TBH_LINK_IDLE) link->protocol->on_idle_ready(link);
        else if (link->state == TBH_LINK_BUSY) tbh_client_ask(link);
    }
}

static void tbh_client_wait(turbohttp_client *client, uint32_t timeout_ms) {
    const turbohttp_transport *transport = client->io.transport;
    uint32_t wait_ms = timeout_ms ? tbh_client_wait_ms(client, timeout_ms) : 0;
    if (transport) {
        if (transport->io_wait && wait_ms) transport->io_wait(transport->user, wait_ms);
        tbh_client_ask_all(client);
        return;
    }
#if TBH_SOCKETS
    tbh_poller_wait(&client->io.poller, wait_ms);
    tbh_client_note_ready(client);
#endif
}

/* With exactly one exchange whose answer is awaited, a receive that blocks is the wait: one system
 * call less per request. */
static tbh_link *tbh_client_only_link(turbohttp_client *client) {
    uint64_t margin_us = client->io.now_us + 2 * 1000 * 50;
    if (client->io.transport || client->completions.pending != 1 || client->opening_count ||
        tbh_client_has_work(client) || client->deadline_us < margin_us)
        return NULL;
    for (tbh_link *link = client->links; link; link = link->next)
        if (link->state == TBH_LINK_BUSY) return link->protocol->only_waits(link) ? link : NULL;
    return NULL;
}

static void tbh_client_start_things(turbohttp_client *client, bool may_block) {
    tbh_client_take_cancels(client);
    tbh_client_expire(client);
    tbh_client_step_opening(client);
    tbh_origins_dispatch(client);
    tbh_client_pump(client, may_block);
}

/* A callback of this round may have: before the round returns it takes effect. */
static void tbh_client_shut_if_asked(turbohttp_client *client) {
    if (!client->must_tear_down) return;
    tbh_client_tear_down(client);
    tbh_request_call_done(client);
}

TBH_FN turbohttp_status tbh_client_round(turbohttp_client *client, uint32_t timeout_ms,
                                         bool may_block) {
    if (client->is_polling) return TURBOHTTP_ERR_STATE;
    tbh_client_check_birth(client);
    client->is_polling = true;
    client->budget = may_block ? SIZE_MAX : client->limits.poll_bytes;
    client->io.hard_steps = may_block ? UINT32_MAX : 1;
    uint32_t done_before = client->completions.done;
    tbh_client_read_clock(client);
    tbh_client_start_things(client, false);
    bool is_done =
        client->completions.done != done_before; /* somebody waits for that, not for more */
    tbh_link *only = may_block && !is_done ? tbh_client_only_link(client) : NULL;
    if (only) {
        tbh_link_mark_dirty(only);
        tbh_client_pump(client, true);
    } else if (!(tbh_client_has_work(client) || is_done) || !may_block) {
        tbh_client_wait(client, is_done ? 0 : timeout_ms);
        tbh_client_read_clock(client);
        tbh_client_start_things(client, false);
    }
    tbh_request_call_done(client);
    tbh_client_shut_if_asked(client);
    tbh_origins_dispatch(client); /* what callbacks submitted leaves now, not one frame later */
    tbh_client_pump(client, false);
    tbh_client_shut_if_asked(client);
    /* What failed just now has its callback in the next poll: until then nobody may stop polling. */
    bool is_busy = client->completions.pending > 0 || client->done_first;
    bool is_doomed = client->is_doomed;
    client->is_polling = false;
    if (is_doomed) {
        turbohttp_client_destroy(client);
        return may_block ? TURBOHTTP_ERR_SHUTDOWN : TURBOHTTP_OK;
    }
    return is_busy ? TURBOHTTP_PENDING : TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_poll(turbohttp_client *client, uint32_t timeout_ms) {
    return tbh_client_round(client, timeout_ms, false);
}

/* ------------------------------------------------------------ questions */
TURBOHTTP_API void turbohttp_wake(turbohttp_client *client) {
#if TBH_SOCKETS
    tbh_os_wake_signal(&client->io.wake);
#else
    (void)client;
#endif
}

/* Is there a request that the next poll may find a connection for? */
static bool tbh_client_may_start(const turbohttp_client *client) {
    const tbh_origin *origin = client->may_dispatch ? client->origins : NULL;
    while (origin && !origin->waiting_first) origin = origin->next;
    return origin != NULL;
}

TURBOHTTP_API size_t turbohttp_watches(turbohttp_client *client, turbohttp_watch *watches,
                                       size_t room, uint32_t *timeout_ms) {
    size_t count = 0;
    tbh_client_check_birth(client);
    tbh_client_read_clock(client);
    if (timeout_ms) *timeout_ms = tbh_client_wait_ms(client, TURBOHTTP_NO_TIMEOUT);
    if (timeout_ms && tbh_client_may_start(client)) *timeout_ms = 0;
#if TBH_SOCKETS
    for (; count < client->io.poller.count; count++) {
        const tbh_watch *watch = client->io.poller.watches[count];
        if (count >= room) continue;
        watches[count].descriptor = watch->descriptor;
        watches[count].wants_receive = (watch->wants & TBH_WANT_RECEIVE) != 0;
        watches[count].wants_send = (watch->wants & TBH_WANT_SEND) != 0;
    }
#else
    (void)watches, (void)room;
#endif
    return count;
}

TURBOHTTP_API void turbohttp_client_stats_get(turbohttp_client *client,
                                              turbohttp_client_stats *stats) {
    memset(stats, 0, sizeof *stats);
    stats->requests_active = client->completions.pending;
    stats->requests_done = client->completions.done;
    stats->connections_open = client->link_count;
    stats->connections_idle = client->idle_count;
    stats->connects = client->connects;
    stats->replays = client->replays;
    stats->blocks = turbohttp_byte_pool_stats(&client->heap->blocks);
#if TBH_SOCKETS
    if (!client->io.transport) stats->io = client->io.poller.backend->io;
#endif
    for (const tbh_origin *origin = client->origins; origin; origin = origin->next)
        for (const tbh_request *r = origin->waiting_first; r; r = r->next)
            stats->requests_waiting++;
}

/* ========================================================================
 * src/client/response.c
 * ======================================================================= */
/* Responses in the user's hands: look-ups, the contiguous text, giving everything back.
 * Owns nothing itself; each response owns its segments, tables and one share of the heap.
 * Does not know: the client, which may be gone. */

TURBOHTTP_API const char *turbohttp_response_header(const turbohttp_response *response,
                                                    const char *name) {
    size_t length = strlen(name);
    uint16_t id = tbh_header_id(name, length);
    for (uint32_t i = 0; i < response->header_count; i++) {
        const turbohttp_header *header = &response->headers[i];
        if (header->id != id || header->name_length != length) continue;
        if (id != TURBOHTTP_HEADER_OTHER || tbh_equal_nocase(header->name, name, length))
            return header->value;
    }
    return NULL;
}

TURBOHTTP_API const char *turbohttp_response_text(turbohttp_response *response) {
    tbh_heap *heap = (tbh_heap *)response->owned.heap;
    size_t n = response->body.length;
    if (response->owned.text) return (const char *)response->owned.text;
    if (!heap || n == 0 || n == SIZE_MAX) return "";
    char *text =
        (char *)turbohttp_byte_pool_rent(&heap->blocks, n + 1, &response->owned.text_bytes);
    if (!text) return "";
    turbohttp_sequence_copy_to(&response->body, text, n);
    text[n] = 0;
    response->owned.text = text;
    return text;
}

/* Values of a section lie one behind the other, with names between them. */
static void tbh_response_wipe_values(const turbohttp_header *rows, uint32_t count) {
    if (!count) return;
    const turbohttp_header *last = &rows[count - 1];
    char *first = (char *)(uintptr_t)rows[0].value;
    tbh_wipe(first, (size_t)(last->value + last->value_length - first));
}

/* The first segment holds the head, with whatever cookies it set. */
static void tbh_response_return_segments(tbh_heap *heap, turbohttp_response *response) {
    turbohttp_segment *segment = (turbohttp_segment *)response->owned.first;
    bool has_head = response->head_bytes && response->http_version < 20;
    if (segment && has_head && segment->data)
        tbh_wipe(tbh_segment_payload(segment),
                 (size_t)(segment->data - tbh_segment_payload(segment)));
    while (segment) {
        turbohttp_segment *next = segment->next;
        tbh_segment_return(&heap->blocks, segment);
        segment = next;
    }
}

TURBOHTTP_API void turbohttp_response_free(turbohttp_response *response) {
    tbh_heap *heap = response ? (tbh_heap *)response->owned.heap : NULL;
    if (!heap) return;
    if (response->http_version == 20)
        tbh_response_wipe_values(response->headers, response->header_count);
    tbh_response_wipe_values(response->trailers, response->trailer_count);
    tbh_response_return_segments(heap, response);
    turbohttp_byte_pool_return(&heap->blocks, response->owned.table, response->owned.table_bytes);
    turbohttp_byte_pool_return(&heap->blocks, response->owned.trailer_block,
                               response->owned.trailer_bytes);
    turbohttp_byte_pool_return(&heap->blocks, response->owned.text, response->owned.text_bytes);
    memset(&response->owned, 0, sizeof response->owned);
    memset(&response->body, 0, sizeof response->body);
    response->headers = response->trailers = NULL;
    response->header_count = response->trailer_count = 0;
    response->reason = tbh_span(NULL, 0);
    tbh_heap_drop(heap);
}

TURBOHTTP_API void turbohttp_response_detach(turbohttp_response *response,
                                             turbohttp_response *into) {
    *into = *response;
    memset(&response->owned, 0, sizeof response->owned);
    turbohttp_response_free(response);
}

/* ========================================================================
 * src/client/blocking.c
 * ======================================================================= */
/* Blocking shapes: the same poll in a loop, and clients that live for one request.
 * Owns the client of a one-liner. Invariant: a response is always filled, so that it can always be
 * looked at and freed. Does not know: anything that the public API does not say. */

TURBOHTTP_API turbohttp_status turbohttp_wait(turbohttp_client *client, turbohttp_request request,
                                              turbohttp_response *response) {
    turbohttp_status status;
    memset(response, 0, sizeof *response);
    while ((status = turbohttp_take(client, request, response)) == TURBOHTTP_PENDING) {
        status = tbh_client_round(client, 1000, true);
        if (status < 0) return tbh_error_set(&response->error, status, TURBOHTTP_PHASE_NONE);
    }
    if (status != TURBOHTTP_OK) tbh_error_set(&response->error, status, TURBOHTTP_PHASE_NONE);
    return response->error.code;
}

TURBOHTTP_API turbohttp_status turbohttp_send(turbohttp_client *client,
                                              const turbohttp_request_desc *desc,
                                              turbohttp_response *response) {
    turbohttp_request request;
    memset(response, 0, sizeof *response);
    if (client->is_polling) { /* inside a callback nobody could wait for it */
        if (desc->body.release) desc->body.release(desc->body.user);
        return tbh_error_set(&response->error, TURBOHTTP_ERR_STATE, TURBOHTTP_PHASE_NONE);
    }
    turbohttp_status status = turbohttp_submit(client, desc, &request, &response->error);
    return status == TURBOHTTP_OK ? turbohttp_wait(client, request, response) : status;
}

#if TBH_SOCKETS
static turbohttp_status tbh_send_once(const turbohttp_request_desc *desc,
                                      turbohttp_response *response) {
    turbohttp_client *client;
    memset(response, 0, sizeof *response);
    turbohttp_status status = turbohttp_client_create(&client, NULL);
    if (status != TURBOHTTP_OK)
        return tbh_error_set(&response->error, status, TURBOHTTP_PHASE_NONE);
    status = turbohttp_send(client, desc, response);
    turbohttp_client_destroy(client);
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_get(const char *url, turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    return tbh_send_once(&desc, response);
}

TURBOHTTP_API turbohttp_status turbohttp_post(const char *url, const char *content_type,
                                              const void *data, size_t length,
                                              turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    desc.method = "POST";
    desc.body.data = length ? data : NULL;
    desc.body.length = length;
    desc.body.content_type = content_type;
    return tbh_send_once(&desc, response);
}

TURBOHTTP_API turbohttp_status turbohttp_download(const char *url, const char *path,
                                                  turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    desc.body_path = path;
    return tbh_send_once(&desc, response);
}
#endif

#undef TBH_ACCEPT_LINE
#undef TBH_ADD_TEXT
#undef TBH_ALIGN_BYTES
#undef TBH_ALWAYS_INLINE
#undef TBH_ASAN
#undef TBH_ASK_AGAIN_US
#undef TBH_AVX2
#undef TBH_BAD
#undef TBH_BLOCK
#undef TBH_BLOCK_SHIFT
#undef TBH_BODY_RATIO_FROM
#undef TBH_BYTE_POOL_DEFAULT_LARGEST
#undef TBH_BYTE_POOL_DEFAULT_SMALLEST
#undef TBH_CACHE_DEFAULT_S
#undef TBH_CACHE_LEAST_S
#undef TBH_CACHE_MOST_S
#undef TBH_CHUNK_CREDIT
#undef TBH_CHUNK_FAST
#undef TBH_CHUNK_LINE_BYTES
#undef TBH_CHUNK_NO
#undef TBH_CHUNK_OVERHEAD
#undef TBH_CHUNK_PER_BYTE
#undef TBH_CLO
#undef TBH_CODINGS_LINE
#undef TBH_COPY_TEXT
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
#undef TBH_CRUMBS_BYTES
#undef TBH_DATE_DAY_SECONDS
#undef TBH_DEFAULT_LINES
#undef TBH_DIAL_DELAY_US
#undef TBH_DNS_STUB
#undef TBH_DORMANT_ORIGINS
#undef TBH_END
#undef TBH_EPOLL
#undef TBH_EPOLL_FROM
#undef TBH_EXPECT_LINE
#undef TBH_FEW_DIGITS
#undef TBH_FN
#undef TBH_FRESH_US
#undef TBH_GUARDS
#undef TBH_GUARD_CANARY
#undef TBH_GUARD_FIRST_RECORDS
#undef TBH_GUARD_REST
#undef TBH_GUARD_SEAL_BYTES
#undef TBH_GUARD_TAIL_BYTES
#undef TBH_H1_BIT
#undef TBH_H1_EAGER_BYTES
#undef TBH_H1_HEADER_COUNT
#undef TBH_H1_HEAD_BYTES
#undef TBH_H1_LAST_WITH_MEANING
#undef TBH_H1_LINE_BYTES
#undef TBH_H1_LINE_MAX
#undef TBH_H1_NO_NAME
#undef TBH_H1_REFUSED_IN_TRAILER
#undef TBH_H2_ID_MASK
#undef TBH_H2_LEAST_FRAME
#undef TBH_H2_NOTE_GOOD
#undef TBH_H2_NOTE_ID
#undef TBH_H2_NOTE_NAME
#undef TBH_HEADER_HASH
#undef TBH_HEADER_LIST
#undef TBH_HEADER_MEMBER
#undef TBH_HEADER_OFFSET
#undef TBH_HEADER_TEXT
#undef TBH_HEAD_TEXT
#undef TBH_HPACK_FIELD_EXTRA
#undef TBH_HPACK_HASH
#undef TBH_HPACK_LENGTHS
#undef TBH_HPACK_ONCE
#undef TBH_HPACK_ROW
#undef TBH_HPACK_SECRETS
#undef TBH_HPACK_STATIC_ROWS
#undef TBH_HPACK_TEXT
#undef TBH_HTTP2
#undef TBH_HUFFMAN_1
#undef TBH_HUFFMAN_16
#undef TBH_HUFFMAN_2
#undef TBH_HUFFMAN_4
#undef TBH_HUFFMAN_8
#undef TBH_HUFFMAN_B5
#undef TBH_HUFFMAN_B55
#undef TBH_HUFFMAN_B5555
#undef TBH_HUFFMAN_B6
#undef TBH_HUFFMAN_B66
#undef TBH_HUFFMAN_B7
#undef TBH_HUFFMAN_CHAR
#undef TBH_HUFFMAN_EOS
#undef TBH_HUFFMAN_FIRST
#undef TBH_HUFFMAN_LAST
#undef TBH_HUFFMAN_LOOK
#undef TBH_HUFFMAN_ONE
#undef TBH_HUFFMAN_ROOM
#undef TBH_HUFFMAN_SECOND_5
#undef TBH_HUFFMAN_SECOND_6
#undef TBH_HUFFMAN_SECOND_7
#undef TBH_HUFFMAN_STEP_BITS
#undef TBH_HUFFMAN_SYMBOLS
#undef TBH_HUFFMAN_TWO
#undef TBH_HUFFMAN_X5
#undef TBH_HUFFMAN_X6
#undef TBH_HUFFMAN_X7
#undef TBH_HUFFMAN_X8
#undef TBH_IDLE_TRUST_US
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
#undef TBH_KEPT_BLOCKS
#undef TBH_LANE
#undef TBH_LANE_SHIFT
#undef TBH_LAT
#undef TBH_LENIENT
#undef TBH_LIKELY
#undef TBH_LINK_LIFETIME_US
#undef TBH_LITTLE_ENDIAN
#undef TBH_MUX_LARGEST_WINDOW
#undef TBH_MUX_TABLE_BYTES
#undef TBH_NEON
#undef TBH_NOINLINE
#undef TBH_NO_FILE
#undef TBH_NO_SOCKET
#undef TBH_ORIGIN_HEAD_END
#undef TBH_ORIGIN_VERSION
#undef TBH_OVERTAKEN_MOST
#undef TBH_O_B
#undef TBH_O_H
#undef TBH_POISON
#undef TBH_RECEIVE_WAIT_MS
#undef TBH_SAME_TEXT
#undef TBH_SAME_VALUE
#undef TBH_SECURE_NAME_MOST
#undef TBH_SEGMENT_HEADER_BYTES
#undef TBH_SEGMENT_LEAST_BYTES
#undef TBH_SEND_FLAGS
#undef TBH_SENTENCES
#undef TBH_SMALL
#undef TBH_SOCKETS
#undef TBH_SSE2
#undef TBH_STATUSES
#undef TBH_STATUS_MEMBERS
#undef TBH_STATUS_ROW
#undef TBH_STATUS_TEXTS
#undef TBH_STUB_CONF_BYTES
#undef TBH_STUB_DELAY_US
#undef TBH_STUB_HOSTS_BYTES
#undef TBH_S_B
#undef TBH_S_H
#undef TBH_THREADS
#undef TBH_TLS
#undef TBH_TLS_TEXTS
#undef TBH_TLS_TURNS
#undef TBH_TLS_VALUES
#undef TBH_UNLIKELY
#undef TBH_UNPOISON
#undef TBH_UNUSED
#undef TBH_UNUSED_CONFIGS
#undef TBH_USER_AGENT_LINE
#undef TBH_AMALGAM
#endif /* TURBOHTTP_IMPLEMENTATION */

/*
 * MIT License
 *
 * Copyright (c) 2026 The TurboHTTP authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
