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
#pragma once
#include "errors.h"

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
