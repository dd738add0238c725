/* ------------------------------------------------------------------------
 * HTTP/2: header compression and frames, as codecs for those who bring their
 * own input and output. Nothing here allocates or calls out.
 * ------------------------------------------------------------------------ */
#pragma once
#include "memory.h"

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
    uint8_t *scratch;            /**< where strings are put together */
    size_t scratch_bytes;        /**< room there */
    size_t scratch_used;         /**< bytes in use for the present field */
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
