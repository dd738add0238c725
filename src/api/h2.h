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
