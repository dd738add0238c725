/* Errors: names, sentences, and the record that carries one to the user.
 * Owns: nothing; the record is the caller's. Invariant: `text` is always terminated and printable.
 * Does not know: who reads it, nor how it is shown. */
#include "errors.h"

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
