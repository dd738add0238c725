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

/** How many different block sizes an arena can recycle. */
#define TURBOHTTP_ARENA_CLASSES 16

/** One recycled size of an arena. */
typedef struct turbohttp_arena_class {
    size_t size; /**< bytes of each block; 0: class not in use */
    void *first; /**< free blocks, linked through their first word */
} turbohttp_arena_class;

/** Fixed-memory mode: an allocator inside one block of yours. */
typedef struct turbohttp_arena {
    uint8_t *base; /**< first usable byte, aligned to 16 */
    size_t size;   /**< readable: usable bytes */
    size_t top;    /**< bytes below this were handed out at least once */
    size_t used;   /**< readable: bytes handed out now, rounded to 16 each */
    size_t peak;   /**< readable: highest `top`: what the block must hold */
    size_t lost;   /**< readable: bytes that cannot be recycled (17th size) */
    turbohttp_arena_class classes[TURBOHTTP_ARENA_CLASSES]; /**< free lists */
    uint32_t lock;                                          /**< spin lock */
} turbohttp_arena;

/**
 * Make an arena out of a block of memory.
 *
 * Sizes are rounded up to 16 bytes. A released block is kept for the next
 * request of exactly its size, so memory never fragments while sizes repeat;
 * up to 16 sizes are recycled (of a 17th only the most recent block).
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
    bool disable_pooling; /**< retain nothing */
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
    bool disable_pooling;        /**< retain nothing */
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
 * Arena invariants: base and every size are multiples of 16; used + free lists + lost = top;
 * a free block is linked through its first word, in the class of exactly its size, and classes
 * once taken stay. Releasing the topmost block lowers top again, so stack-like use needs no class.
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

/* The class of a size, or a new one if `create`; NULL when there is none. */
static turbohttp_arena_class *tbh_arena_class_of(turbohttp_arena *arena, size_t size, bool create) {
    for (size_t i = 0; i < TURBOHTTP_ARENA_CLASSES; i++) {
        turbohttp_arena_class *c = &arena->classes[i];
        if (c->size == 0 && create) c->size = size;
        if (c->size == size) return c;
        if (c->size == 0) return NULL;
    }
    return NULL;
}

static void *tbh_arena_take(turbohttp_arena *arena, size_t size) {
    turbohttp_arena_class *c = tbh_arena_class_of(arena, size, false);
    if (c && c->first) {
        void *block = c->first;
        memcpy(&c->first, block, sizeof c->first);
        return block;
    }
    if (size > arena->size - arena->top) return NULL;
    arena->top += size;
    arena->peak = tbh_max_size(arena->peak, arena->top);
    return arena->base + arena->top - size;
}

static void tbh_arena_give(turbohttp_arena *arena, void *block, size_t size) {
    if ((uint8_t *)block + size == arena->base + arena->top) {
        arena->top -= size;
        return;
    }
    turbohttp_arena_class *c = tbh_arena_class_of(arena, size, true);
    if (!c) {
        arena->lost += size;
        return;
    }
    memcpy(block, &c->first, sizeof c->first);
    c->first = block;
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
    tbh_arena_give(arena, block, size);
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
    pool->disable_pooling = disable_pooling;
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
    pool->disable_pooling = disable_pooling;
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
    if (writer->length) memcpy(data, writer->data, writer->length);
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

static turbohttp_status tbh_writer_put_narrow(turbohttp_writer *writer, const char *utf8, size_t n,
                                              bool latin1) {
    char *to;
    turbohttp_status status = turbohttp_writer_reserve(writer, n, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    size_t written = 0;
    for (size_t i = 0, used = 1; i < n; i += used) {
        uint8_t c = (uint8_t)utf8[i];
        used = 1;
        if (c >= 0x80) {
            c = tbh_writer_latin1_of(utf8 + i, n - i, &used);
            if (c == 0 || !latin1) c = '?';
        }
        to[written++] = (char)c;
    }
    writer->length += written;
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
 * src/format/url.h
 * ======================================================================= */
/* URL: what other layers ask about hosts. */

/* Dotted quad, decimal, no leading zeros. */
TBH_FN bool tbh_is_ipv4(const char *p, size_t n);
/* RFC 4291 §2.2 text without brackets and zone. */
TBH_FN bool tbh_is_ipv6(const char *p, size_t n);
/* A name that may be looked up: labels of letters, digits, '-' and '_'; not a number. */
TBH_FN bool tbh_is_host_name(const char *p, size_t n);
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
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        uint64_t value;
        size_t digits = tbh_url_index(p + at, n - at, '.');
        if (digits > 3 || !tbh_parse_u64(p + at, digits, 255, &value)) return false;
        if (digits > 1 && p[at] == '0') return false;
        at += digits;
        if (part < 3 && at++ >= n) return false;
    }
    return at == n;
}

static size_t tbh_url_hex_digits(const char *p, size_t n) {
    size_t i = 0;
    while (i < n && i < 5 && tbh_hex_value((uint8_t)p[i]) >= 0) i++;
    return i;
}

/* Groups of 1…4 digits, at most one "::" for one group or more, an IPv4 address as last two. */
TBH_FN bool tbh_is_ipv6(const char *p, size_t n) {
    size_t at = 0, groups = 0;
    bool gap = n >= 2 && p[0] == ':' && p[1] == ':';
    if (gap) at = 2;
    while (at < n) {
        if ((groups == 6 || gap) && tbh_is_ipv4(p + at, n - at))
            return gap ? groups < 6 : groups == 6;
        size_t digits = tbh_url_hex_digits(p + at, n - at);
        if (digits == 0 || digits > 4 || ++groups > 8) return false;
        at += digits;
        if (at == n) break;
        if (p[at++] != ':' || at == n) return false;
        if (p[at] != ':') continue;
        if (gap) return false;
        gap = true;
        at++;
    }
    return gap ? groups < 8 : groups == 8;
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
    const char *name;
    uint16_t port;
    bool is_tls, is_websocket;
} tbh_url_scheme_row;

static const tbh_url_scheme_row tbh_url_schemes[] = {
    {"http", 80, false, false},
    {"https", 443, true, false},
    {"ws", 80, false, true},
    {"wss", 443, true, true},
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
        s->url->port = row->port;
        s->url->is_tls = row->is_tls;
        s->url->is_websocket = row->is_websocket;
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

TURBOHTTP_API turbohttp_status turbohttp_percent_decode(turbohttp_writer *writer, const char *text,
                                                        size_t n) {
    char *to;
    size_t written = 0;
    turbohttp_status status = turbohttp_writer_reserve(writer, n, &to);
    if (status != TURBOHTTP_OK) return status;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '%') {
            if (!tbh_url_is_escape(text + i, n - i)) return TURBOHTTP_ERR_ENCODING;
            c = (char)(tbh_hex_value((uint8_t)text[i + 1]) * 16 +
                       tbh_hex_value((uint8_t)text[i + 2]));
            i += 2;
        }
        to[written++] = c;
    }
    return turbohttp_writer_commit(writer, written);
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
    turbohttp_status status = turbohttp_writer_reserve(writer, n / 4 * 3, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    size_t pad = text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
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

#undef TBH_ALIGN_BYTES
#undef TBH_ALWAYS_INLINE
#undef TBH_ASAN
#undef TBH_AVX2
#undef TBH_BYTE_POOL_DEFAULT_LARGEST
#undef TBH_BYTE_POOL_DEFAULT_SMALLEST
#undef TBH_DATE_DAY_SECONDS
#undef TBH_DNS_STUB
#undef TBH_FN
#undef TBH_GUARDS
#undef TBH_GUARD_CANARY
#undef TBH_GUARD_FIRST_RECORDS
#undef TBH_GUARD_REST
#undef TBH_GUARD_SEAL_BYTES
#undef TBH_GUARD_TAIL_BYTES
#undef TBH_INFLATE
#undef TBH_LIKELY
#undef TBH_LITTLE_ENDIAN
#undef TBH_NEON
#undef TBH_NOINLINE
#undef TBH_POISON
#undef TBH_ROW
#undef TBH_SEGMENT_HEADER_BYTES
#undef TBH_SEGMENT_LEAST_BYTES
#undef TBH_SOCKETS
#undef TBH_SSE2
#undef TBH_THREADS
#undef TBH_UNLIKELY
#undef TBH_UNPOISON
#undef TBH_UNUSED
#undef TBH_AMALGAM
#endif /* TURBOHTTP_IMPLEMENTATION */
