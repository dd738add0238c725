/* What a request sends: its description becomes one checked block of text, head and small body in
 * one piece, so that both leave in one send.
 * Owns nothing; the block is the request's. Invariants: headers that frame or route the message are
 * ours alone (RELIABILITY 3.2); a refused header names itself in the error.
 * Does not know: connections, time. */
#include "../api/h1_request.h"
#include "../memory/writer.h"
#include "internal.h"

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
