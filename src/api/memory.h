/* ------------------------------------------------------------------------
 * Memory: where every byte comes from, and who owns it.
 *
 * One allocator hook feeds everything. Objects and blocks are rented from
 * pools and returned to them; after warm-up no allocator call is made. The
 * members of these structs are private unless their comment says "readable":
 * use the functions.
 * ------------------------------------------------------------------------ */
#pragma once
#include "errors.h"

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
