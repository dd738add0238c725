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
#pragma once
#include "memory.h"

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
