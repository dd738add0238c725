/* HTTP/2 header blocks that go out: the lines of HTTP/1.1 become fields (RFC 9113 §8.2, §8.3).
 *
 * Owns what requests have in common, as text and as it went over the wire.
 * Invariants: blocks are encoded in the order in which they leave; what speaks about a connection of
 * HTTP/1.1 is left out; names are in lower case.
 * Input: a head that request_head.c has written or trailers of its kind, so no line is malformed.
 * Does not know: what a request means, windows, states. */
#include "../memory/writer.h"
#include "conn_h2.h"

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
