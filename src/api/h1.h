/* ------------------------------------------------------------------------
 * HTTP/1.1: the response head and the chunked coding, as codecs for those
 * who bring their own input and output. The client uses the same ones.
 * ------------------------------------------------------------------------ */
#pragma once
#include "errors.h"

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
