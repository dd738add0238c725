/* The HTTP/2 connection, rule by rule: a server made of the frame writers on one side, the events as
 * words on the other. Every conversation runs whole and byte by byte. test_conn_h2_small.c builds it for
 * size. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include <stdarg.h>

#ifdef TURBOHTTP_SMALL
enum { IS_SMALL = 1, TABLE_BYTES = 0, FRAMES_AT_ONCE = 100, RESETS_AT_ONCE = 20 };
#else
enum { IS_SMALL = 0, TABLE_BYTES = 4096, FRAMES_AT_ONCE = 1000, RESETS_AT_ONCE = 100 };
#endif
enum { STREAMS = 8, PAUSE_US = 10000000 / FRAMES_AT_ONCE, RESET_PAUSE_US = 10000000 / RESETS_AT_ONCE };

typedef struct rig {
    counting_allocator memory;
    turbohttp_allocator allocator;
    tbh_heap *heap;
    turbohttp_limits limits;
    tbh_mux h;
    tbh_mux_stream s[STREAMS];
    char heads[STREAMS][512], trailers[STREAMS][64];
    turbohttp_writer server;
    turbohttp_hpack_encoder encoder;
    turbohttp_hpack_decoder decoder;
    uint32_t encoder_memory[4096], decoder_memory[4096];
    uint8_t scratch[8192];
    turbohttp_h2_reader reader; /* of what the client sends */
    char said[8192], events[8192];
    size_t step;      /* bytes of one delivery; 0: all */
    size_t take;      /* bytes of body taken from each span */
    bool keeps_ended; /* streams are not released at their end */
    uint64_t now;
} rig;

static void say(char *log, const char *format, ...) {
    va_list args;
    size_t n = strlen(log);
    va_start(args, format);
    if (n < 8000) vsnprintf(log + n, 8192 - n, format, args);
    va_end(args);
}

static int index_of(const rig *r, const tbh_mux_stream *stream) {
    return (int)(stream - r->s);
}

/* ------------------------------------------------------------ what the client sends */
static void note_frame(rig *r, const turbohttp_h2_event *e) {
    static const char *const names[] = {"DATA", "HEADERS", "PRIORITY", "RST", "SETTINGS",
                                        "PUSH", "PING", "GOAWAY", "WINDOW", "MORE"};
    const turbohttp_h2_frame *f = &e->frame;
    say(r->said, "%s%u", names[f->type], f->stream_id);
    if (f->type == TURBOHTTP_H2_DATA || f->type == TURBOHTTP_H2_HEADERS) {
        if (f->type == TURBOHTTP_H2_DATA) say(r->said, ":%u", f->length);
        if (f->flags & TURBOHTTP_H2_END_STREAM) say(r->said, "!");
    } else if (f->flags & TURBOHTTP_H2_ACK && (f->type == TURBOHTTP_H2_SETTINGS || f->type == TURBOHTTP_H2_PING)) {
        say(r->said, "+");
    }
    if (e->error || f->type == TURBOHTTP_H2_GOAWAY) say(r->said, "=%u", e->error);
    if (e->increment) say(r->said, "=%u", e->increment);
    say(r->said, " ");
}

static void note_block(rig *r, turbohttp_span bytes) {
    const uint8_t *in = (const uint8_t *)bytes.data;
    size_t n = bytes.length;
    turbohttp_hpack_field f;
    while (turbohttp_hpack_decode(&r->decoder, &in, &n, &f) == TURBOHTTP_OK)
        say(r->said, "[%.*s=%.*s] ", (int)f.name.length, f.name.data, (int)f.value.length, f.value.data);
}

static void listen_to(rig *r, const uint8_t *in, size_t n) {
    turbohttp_h2_event e;
    turbohttp_status status;
    while ((status = turbohttp_h2_read(&r->reader, &in, &n, &e)) == TURBOHTTP_OK) {
        bool is_block = e.frame.type == TURBOHTTP_H2_HEADERS || e.frame.type == TURBOHTTP_H2_CONTINUATION;
        if (e.kind == TURBOHTTP_H2_EVENT_FRAME) note_frame(r, &e);
        if (e.kind == TURBOHTTP_H2_EVENT_BYTES && is_block) note_block(r, e.bytes);
        if (e.kind == TURBOHTTP_H2_EVENT_END && is_block && (e.frame.flags & TURBOHTTP_H2_END_HEADERS))
            CHECK_INT(turbohttp_hpack_decode_end(&r->decoder), TURBOHTTP_OK);
    }
    CHECK_INT(status, TURBOHTTP_PENDING);
}

/* Everything that may go now; returns what was said since the last time. */
static const char *hear(rig *r) {
    turbohttp_span out;
    r->said[0] = 0;
    while (tbh_mux_out_peek(&r->h, r->now, &out) == TURBOHTTP_OK) {
        size_t n = out.length;
        listen_to(r, (const uint8_t *)out.data, n);
        tbh_mux_out_consume(&r->h, n);
    }
    return r->said;
}

/* ------------------------------------------------------------ what the client understands */
static void note_section(rig *r, const tbh_mux_section *section) {
    for (uint32_t i = 0; i < section->count; i++) {
        const turbohttp_header *row = &section->table[i];
        CHECK_INT(strlen(row->name), row->name_length);
        CHECK_INT(strlen(row->value), row->value_length);
        say(r->events, "[%s=%s] ", row->name, row->value);
    }
}

static void take_body(rig *r, const tbh_mux_event *e) {
    size_t n = e->span.length < r->take ? e->span.length : r->take;
    if (e->span.length <= 32) say(r->events, "body%d(%.*s) ", index_of(r, e->stream), (int)n, e->span.data);
    tbh_mux_body_consume(e->stream, n);
}

static void note_event(rig *r, const tbh_mux_event *e) {
    int i = e->stream ? index_of(r, e->stream) : 0;
    switch (e->kind) {
    case TBH_MUX_INTERIM: say(r->events, "interim%d=%u ", i, e->stream->status); break;
    case TBH_MUX_HEAD:
        say(r->events, "head%d=%u ", i, e->stream->status);
        note_section(r, &e->stream->head);
        break;
    case TBH_MUX_BODY: take_body(r, e); break;
    case TBH_MUX_TRAILERS:
        say(r->events, "trailers%d ", i);
        note_section(r, &e->stream->trailer);
        break;
    case TBH_MUX_END:
        say(r->events, "end%d ", i);
        if (!r->keeps_ended) tbh_mux_release(e->stream);
        break;
    case TBH_MUX_RESET:
        say(r->events, "reset%d:%d=%u%s ", i, e->stream->reason, e->stream->code, e->stream->is_safe ? "?" : "");
        tbh_mux_release(e->stream);
        break;
    case TBH_MUX_SETTINGS_ACK: say(r->events, "ack "); break;
    case TBH_MUX_GOAWAY: say(r->events, "goaway "); break;
    case TBH_MUX_FAILED: say(r->events, "failed:%d=%u ", r->h.status, r->h.code); break;
    case TBH_MUX_NOTHING: break;
    }
}

static void pump(rig *r) {
    tbh_mux_event e;
    while (tbh_mux_next(&r->h, r->now, &e) != TBH_MUX_NOTHING) note_event(r, &e);
}

static void feed(rig *r, const uint8_t *data, size_t n) {
    while (n > 0) {
        size_t room, piece = r->step && r->step < n ? r->step : n;
        uint8_t *place = tbh_mux_in_room(&r->h, &room);
        if (!place) {
            CHECK(0);
            return;
        }
        if (piece > room) piece = room;
        memcpy(place, data, piece);
        tbh_mux_in_commit(&r->h, piece);
        pump(r);
        data += piece;
        n -= piece;
    }
}

/* What the server wrote arrives; returns what was understood. */
static const char *arrive(rig *r) {
    r->events[0] = 0;
    feed(r, (const uint8_t *)r->server.data, r->server.length);
    pump(r);
    turbohttp_writer_clear(&r->server);
    return r->events;
}

/* ------------------------------------------------------------ the server */
/* Fields as "name: value\n". */
static void server_head(rig *r, uint32_t id, const char *text, bool ends) {
    turbohttp_writer block;
    turbohttp_writer_init(&block, &r->heap->blocks, 0);
    while (*text) {
        turbohttp_hpack_field f;
        const char *colon = strstr(text, ": "), *lf = strchr(text, '\n');
        f.name = tbh_span(text, (size_t)(colon - text));
        f.value = tbh_span(colon + 2, (size_t)(lf - colon - 2));
        f.never_indexed = false;
        turbohttp_hpack_encode(&r->encoder, &f, &block);
        text = lf + 1;
    }
    turbohttp_h2_write_headers(&r->server, id, tbh_span(block.data, block.length), ends, NULL, 0, 0);
    turbohttp_writer_reset(&block);
}

static void server_data(rig *r, uint32_t id, const char *text, bool ends) {
    turbohttp_h2_write_data(&r->server, id, tbh_span_of(text), ends, 0);
}

static void server_bytes(rig *r, uint32_t id, size_t n, bool ends) {
    static const char bytes[16384] = {0};
    turbohttp_h2_write_data(&r->server, id, tbh_span(bytes, n), ends, 0);
}

static void server_setting(rig *r, uint16_t id, uint32_t value) {
    turbohttp_h2_setting setting = {id, value};
    turbohttp_h2_write_settings(&r->server, &setting, id ? 1 : 0);
}

/* ------------------------------------------------------------ life */
/* What the conversations count on, also where the defaults are smaller. */
static const tbh_mux_options usual = {1u << 20, 4u << 20, 100, 0, 0, 0, 0, 0, 0};

static void rig_open_bare(rig *r, const tbh_mux_options *options, size_t step) {
    memset(r, 0, sizeof *r);
    r->allocator = counting_allocator_hooks(&r->memory);
    r->heap = tbh_heap_create(&r->allocator, 262144, 8, TURBOHTTP_CLEAR_NONE, false);
    r->limits.head_bytes = 4096;
    r->limits.line_bytes = 2048;
    r->limits.header_count = 16;
    r->limits.interim_count = 4;
    r->limits.block_bytes = 1024;
    r->limits.receive_bytes = 4096;
    r->step = step;
    r->take = SIZE_MAX;
    r->now = 1000;
    turbohttp_writer_init(&r->server, &r->heap->blocks, 0);
    turbohttp_hpack_encoder_init(&r->encoder, r->encoder_memory, sizeof r->encoder_memory, TABLE_BYTES);
    turbohttp_hpack_decoder_init(&r->decoder, r->decoder_memory, sizeof r->decoder_memory, 4096, r->scratch,
                                 sizeof r->scratch, 65536);
    turbohttp_h2_limits limits = {0, 0, 0, true};
    turbohttp_h2_reader_init(&r->reader, &limits);
    if (IS_SMALL && !options) options = &usual;
    CHECK_INT(tbh_mux_init(&r->h, &r->heap->blocks, &r->limits, options, true, r->now), TURBOHTTP_OK);
}

static void skip_magic(rig *r) {
    turbohttp_span out;
    CHECK_INT(tbh_mux_out_peek(&r->h, r->now, &out), TURBOHTTP_OK);
    CHECK(out.length > 24 && memcmp(out.data, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) == 0);
    tbh_mux_out_consume(&r->h, 24);
}

/* A connection behind both prefaces. */
static void rig_open_with(rig *r, const tbh_mux_options *options, size_t step) {
    rig_open_bare(r, options, step);
    skip_magic(r);
    hear(r);
    server_setting(r, 0, 0);
    turbohttp_h2_write_settings_ack(&r->server);
    CHECK(strcmp(arrive(r), "ack ") == 0);
    CHECK(strcmp(hear(r), "SETTINGS0+ ") == 0);
}

static void rig_open(rig *r, size_t step) {
    rig_open_with(r, NULL, step);
}

static void rig_close(rig *r) {
    for (int i = 0; i < STREAMS; i++) tbh_mux_release(&r->s[i]);
    for (int q = 0; q < TBH_MUX_QUEUES; q++) CHECK_INT(r->h.queues[q].count, 0);
    tbh_mux_reset(&r->h);
    turbohttp_writer_reset(&r->server);
    tbh_heap_drop(r->heap);
    CHECK(counting_allocator_balanced(&r->memory));
}

/* A head as the client writes it, with a small body behind. */
static void set_head(tbh_conn_request *request, const char *head) {
    request->head = tbh_span_of(head);
    request->method_bytes = strcspn(head, " ");
    request->target_bytes = strcspn(head + request->method_bytes + 1, " ");
    request->small_bytes = strlen(strstr(head, "\r\n\r\n") + 4);
}

static turbohttp_status start_with(rig *r, int i, const char *head, tbh_source *body, const char *trailers) {
    tbh_conn_request request;
    memset(&request, 0, sizeof request);
    memset(&r->s[i], 0, sizeof r->s[i]);
    snprintf(r->heads[i], sizeof r->heads[i], "%s", head);
    set_head(&request, r->heads[i]);
    request.body = body;
    snprintf(r->trailers[i], sizeof r->trailers[i], "%s", trailers ? trailers : "");
    request.trailers = tbh_span_of(r->trailers[i]);
    request.is_head = strncmp(head, "HEAD ", 5) == 0;
    request.expects_continue = strstr(head, "Expect:") != NULL;
    return tbh_mux_start(&r->h, &r->s[i], &request, r);
}

#define GET_HEAD "GET /a HTTP/1.1\r\nHost: x.test\r\nAccept: */*\r\n\r\n"
#define POST_HEAD "POST /a HTTP/1.1\r\nHost: x.test\r\n\r\n"

static void start_get(rig *r, int i) {
    CHECK_INT(start_with(r, i, GET_HEAD, NULL, NULL), TURBOHTTP_OK);
}

static void start_urgent_post(rig *r, int i, tbh_source *body, const char *bytes, uint64_t length, int priority) {
    tbh_conn_request request;
    memset(&request, 0, sizeof request);
    memset(&r->s[i], 0, sizeof r->s[i]);
    memset(body, 0, sizeof *body);
    body->data = (const uint8_t *)bytes;
    body->length = length;
    snprintf(r->heads[i], sizeof r->heads[i], "%s", POST_HEAD);
    set_head(&request, r->heads[i]);
    request.body = body;
    request.priority = (int8_t)priority;
    CHECK_INT(tbh_mux_start(&r->h, &r->s[i], &request, r), TURBOHTTP_OK);
}

static void start_post(rig *r, int i, tbh_source *body, const char *bytes, uint64_t length) {
    memset(body, 0, sizeof *body);
    body->data = (const uint8_t *)bytes;
    body->length = length;
    CHECK_INT(start_with(r, i, POST_HEAD, body, NULL), TURBOHTTP_OK);
}

/* ------------------------------------------------------------ the table of states */
static void every_cell_of_the_table(void) {
    /* a letter for each state: what it becomes; P and C are errors */
    static const char letters[] = "abcdef"; /* OPEN_HEAD … CLOSED */
    static const char *const cells[TBH_MUX_STATES] = {
        /* head, head end, interim, interim end, data, data end, reset, window, sent end, sent reset */
        "beaPPPfacf", "PePPbefbdf", "dfcPPPfccf", "PfPPdffddf", "CCCCCCfeff", "CCCCCCffff"};
    for (int state = 0; state < TBH_MUX_STATES; state++)
        for (int input = 0; input < TBH_MUX_INPUTS; input++) {
            tbh_mux_stream s;
            char expected = cells[state][input];
            memset(&s, 0, sizeof s);
            s.state = (tbh_mux_state)state;
            uint32_t code = tbh_mux_step(&s, (tbh_mux_input)input);
            uint32_t error = expected == 'P' ? TURBOHTTP_H2_PROTOCOL_ERROR : expected == 'C' ? TURBOHTTP_H2_STREAM_CLOSED : 0;
            CHECK_INT(code, error);
            CHECK_INT(letters[s.state], error ? letters[state] : expected);
        }
}

static void slots_and_connections_are_small(void) {
    CHECK(sizeof(tbh_mux_stream) <= 512);
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    size_t tables = r->h.decoder_bytes + r->h.encoder_bytes;
    size_t others = sizeof r->h + (r->h.block ? r->h.block_bytes : 0) + r->h.out.capacity;
    CHECK(others <= 8192);
    CHECK(tables <= 16384 + 8192);
    CHECK(r->h.decoder.scratch == NULL);
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ conversations, in two deliveries */
typedef void (*conversation)(rig *r);

static void in_pieces(conversation talk) {
    static const size_t steps[] = {0, 1, 7};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rig *r = (rig *)calloc(1, sizeof *r);
        rig_open(r, steps[i]);
        talk(r);
        rig_close(r);
        free(r);
    }
}

#define UNDERSTANDS(r, text) understands(r, text, __LINE__)
#define HEARS(r, text) hears(r, text, __LINE__)

static void same(const char *what, const char *actual, const char *expected, int line) {
    if (strcmp(actual, expected) == 0) return;
    printf("%s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, line, what, actual, expected);
    check_failed_here++;
}

static void understands(rig *r, const char *text, int line) {
    same("events", arrive(r), text, line);
}

static void hears(rig *r, const char *text, int line) {
    same("said", hear(r), text, line);
}

static void talk_get(rig *r) {
    start_get(r, 0);
    HEARS(r, "HEADERS1! [:method=GET] [:scheme=https] [:authority=x.test] [:path=/a] [accept=*/*] ");
    server_head(r, 1, ":status: 200\ncontent-type: text/plain\ncontent-length: 5\n", false);
    server_data(r, 1, "hello", true);
    arrive(r);
    if (r->step == 0)
        same("events", r->events, "head0=200 [content-type=text/plain] [content-length=5] body0(hello) end0 ", __LINE__);
    if (r->step == 1)
        same("events", r->events,
             "head0=200 [content-type=text/plain] [content-length=5] "
             "body0(h) body0(e) body0(l) body0(l) body0(o) end0 ", __LINE__);
    CHECK(r->s[0].mux == NULL);
    HEARS(r, "");
}

static void a_get(void) {
    in_pieces(talk_get);
}

static void the_preface_comes_first(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open_bare(r, NULL, 0);
    start_get(r, 0); /* does not wait for the peer's settings */
    skip_magic(r);
    CHECK(strncmp(hear(r), "SETTINGS0 WINDOW0=4128769 HEADERS1! ", 36) == 0);
    rig_close(r);
    free(r);
}

static void talk_two(rig *r) {
    start_get(r, 0);
    start_get(r, 1);
    hear(r);
    server_head(r, 3, ":status: 404\n", true);
    server_head(r, 1, ":status: 204\n", true);
    UNDERSTANDS(r, "head1=404 end1 head0=204 end0 ");
}

static void streams_end_in_any_order(void) {
    in_pieces(talk_two);
}

static void talk_trailers(rig *r) {
    start_get(r, 0);
    hear(r);
    server_head(r, 1, ":status: 200\n", false);
    server_data(r, 1, "x", false);
    server_head(r, 1, "check: 7\n", true);
    UNDERSTANDS(r, "head0=200 body0(x) trailers0 [check=7] end0 ");
}

static void trailers_come_behind_the_body(void) {
    in_pieces(talk_trailers);
}

static void talk_interim(rig *r) {
    start_get(r, 0);
    hear(r);
    server_head(r, 1, ":status: 103\nlink: </a>\n", false);
    server_head(r, 1, ":status: 200\n", true);
    UNDERSTANDS(r, "interim0=103 head0=200 end0 ");
}

static void interim_heads_are_told(void) {
    in_pieces(talk_interim);
}

static void talk_interims(rig *r) {
    start_get(r, 0);
    hear(r);
    for (int i = 0; i < 5; i++) server_head(r, 1, ":status: 102\n", false);
    UNDERSTANDS(r, "interim0=102 interim0=102 interim0=102 interim0=102 reset0:-78=11 ");
    HEARS(r, "RST1=11 ");
}

static void interim_heads_are_limited(void) {
    in_pieces(talk_interims);
}

static void talk_head(rig *r) {
    CHECK_INT(start_with(r, 0, "HEAD / HTTP/1.1\r\nHost: x.test\r\n\r\n", NULL, NULL), TURBOHTTP_OK);
    hear(r);
    server_head(r, 1, ":status: 200\ncontent-length: 500\n", true);
    UNDERSTANDS(r, "head0=200 [content-length=500] end0 ");
}

static void a_head_request_has_no_body(void) {
    in_pieces(talk_head);
}

static void talk_continuation(rig *r) {
    uint8_t block[] = {0x88, 0x00, 1, 'a', 1, 'b', 0x00, 1, 'c', 1, 'd'};
    uint8_t head[9];
    turbohttp_h2_frame f = {4, 1, TURBOHTTP_H2_HEADERS, TURBOHTTP_H2_END_STREAM};
    start_get(r, 0);
    hear(r);
    turbohttp_h2_write_frame_header(head, &f);
    turbohttp_writer_put(&r->server, head, 9);
    turbohttp_writer_put(&r->server, block, 4);
    f.type = TURBOHTTP_H2_CONTINUATION;
    f.flags = 0;
    f.length = 0;
    turbohttp_h2_write_frame_header(head, &f);
    turbohttp_writer_put(&r->server, head, 9);
    f.flags = TURBOHTTP_H2_END_HEADERS;
    f.length = 7;
    turbohttp_h2_write_frame_header(head, &f);
    turbohttp_writer_put(&r->server, head, 9);
    turbohttp_writer_put(&r->server, block + 4, 7);
    UNDERSTANDS(r, "head0=200 [a=b] [c=d] end0 ");
}

static void blocks_come_in_pieces(void) {
    in_pieces(talk_continuation);
}

/* ------------------------------------------------------------ sending */
/* The most urgent body first; but each ninth piece belongs to whoever has waited longest. */
static void talk_urgent(rig *r) {
    static const char bytes[300000] = {0};
    tbh_source body[3];
    server_setting(r, TURBOHTTP_H2_INITIAL_WINDOW_SIZE, 1 << 20);
    turbohttp_h2_write_window_update(&r->server, 0, 1 << 20);
    arrive(r);
    hear(r);
    start_urgent_post(r, 0, &body[0], bytes, 20000, -1);
    start_urgent_post(r, 1, &body[1], bytes, 12 * 16384, 2);
    start_urgent_post(r, 2, &body[2], bytes, 20000, 0);
    char order[64] = "";
    for (const char *at = hear(r); (at = strstr(at, "DATA")) != NULL; at++) strncat(order, at + 4, 1);
    CHECK_TEXT(order, strlen(order), "3333333353333511");
}

static void urgent_bodies_go_first(void) {
    in_pieces(talk_urgent);
}

static void talk_small_post(rig *r) {
    CHECK_INT(start_with(r, 0, "POST /p HTTP/1.1\r\nHost: x.test\r\nContent-Length: 3\r\nTransfer-Encoding: q\r\n\r\nabc", NULL, NULL), TURBOHTTP_OK);
    HEARS(r, "HEADERS1 [:method=POST] [:scheme=https] [:authority=x.test] [:path=/p] [content-length=3] DATA1:3! ");
    CHECK_INT(r->s[0].state, TBH_MUX_SENT_HEAD);
    server_head(r, 1, ":status: 200\n", true);
    UNDERSTANDS(r, "head0=200 end0 ");
}

static void a_small_body_leaves_with_its_head(void) {
    in_pieces(talk_small_post);
}

static char big[200000];

static void bodies_obey_both_windows(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    rig_open(r, 0);
    start_post(r, 0, &body, big, 70000);
    hear(r);
    CHECK(strstr(r->said, "DATA1:16384 DATA1:16384 DATA1:16384 DATA1:16383 ") != NULL); /* 65,535 */
    turbohttp_h2_write_window_update(&r->server, 1, 10000);
    UNDERSTANDS(r, "");
    HEARS(r, ""); /* the connection's window is empty, too */
    turbohttp_h2_write_window_update(&r->server, 0, 4000);
    UNDERSTANDS(r, "");
    HEARS(r, "DATA1:4000 ");
    turbohttp_h2_write_window_update(&r->server, 0, 4000);
    UNDERSTANDS(r, "");
    HEARS(r, "DATA1:465! ");
    rig_close(r);
    free(r);
}

static void windows_may_become_negative(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    rig_open(r, 0);
    turbohttp_h2_write_window_update(&r->server, 0, 1000000);
    arrive(r);
    start_post(r, 0, &body, big, 100000);
    hear(r); /* 65,535 are gone */
    server_setting(r, TURBOHTTP_H2_INITIAL_WINDOW_SIZE, 100);
    arrive(r);
    CHECK_INT(r->s[0].send_window, 100 - 65535);
    HEARS(r, "SETTINGS0+ ");
    turbohttp_h2_write_window_update(&r->server, 1, 65435);
    arrive(r);
    HEARS(r, ""); /* just 0 */
    turbohttp_h2_write_window_update(&r->server, 1, 5);
    arrive(r);
    HEARS(r, "DATA1:5 ");
    server_setting(r, TURBOHTTP_H2_INITIAL_WINDOW_SIZE, 110);
    arrive(r);
    HEARS(r, "SETTINGS0+ DATA1:10 ");
    rig_close(r);
    free(r);
}

static turbohttp_status give_in_turns(void *user, void *data, size_t room, size_t *length) {
    int *turn = (int *)user;
    (void)room;
    if (*turn == 0) return TURBOHTTP_PENDING;
    memcpy(data, "chunk", 5);
    *length = *turn < 3 ? 5 : 0;
    return (*turn)++ < 3 ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

static void sources_may_pause_and_have_trailers(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    int turn = 0;
    rig_open(r, 0);
    memset(&body, 0, sizeof body);
    body.fill = give_in_turns;
    body.user = &turn;
    body.is_unknown = true;
    CHECK_INT(start_with(r, 0, POST_HEAD, &body, "Sum: 9\r\n\r\n"), TURBOHTTP_OK);
    HEARS(r, "HEADERS1 [:method=POST] [:scheme=https] [:authority=x.test] [:path=/a] ");
    CHECK(body.is_blocked);
    turn = 1;
    HEARS(r, "");
    tbh_mux_resume_source(&r->s[0]);
    HEARS(r, "DATA1:5 DATA1:5 HEADERS1! [sum=9] ");
    CHECK_INT(r->s[0].state, TBH_MUX_SENT_HEAD);
    rig_close(r);
    free(r);
}

static void an_empty_end_closes_a_body_of_unknown_length(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    int turn = 3;
    rig_open(r, 0);
    memset(&body, 0, sizeof body);
    body.fill = give_in_turns;
    body.user = &turn;
    body.is_unknown = true;
    CHECK_INT(start_with(r, 0, POST_HEAD, &body, "\r\n"), TURBOHTTP_OK);
    hear(r);
    CHECK(strstr(r->said, "DATA1:0! ") != NULL);
    rig_close(r);
    free(r);
}

static turbohttp_status give_error(void *user, void *data, size_t room, size_t *length) {
    (void)user, (void)data, (void)room, (void)length;
    return TURBOHTTP_ERR_FILE;
}

static void a_failing_source_ends_its_stream_only(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    rig_open(r, 0);
    memset(&body, 0, sizeof body);
    body.fill = give_error;
    body.length = 10;
    start_get(r, 0);
    CHECK_INT(start_with(r, 1, POST_HEAD, &body, NULL), TURBOHTTP_OK);
    hear(r);
    CHECK(strstr(r->said, "RST3=8 ") != NULL);
    UNDERSTANDS(r, "reset1:-106=8 ");
    server_head(r, 1, ":status: 200\n", true);
    UNDERSTANDS(r, "head0=200 end0 ");
    rig_close(r);
    free(r);
}

static void a_body_waits_for_100(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    rig_open(r, 0);
    memset(&body, 0, sizeof body);
    body.data = (const uint8_t *)"abc";
    body.length = 3;
    CHECK_INT(start_with(r, 0, "PUT / HTTP/1.1\r\nHost: x.test\r\nExpect: 100-continue\r\n\r\n", &body, NULL), TURBOHTTP_OK);
    hear(r);
    CHECK(strstr(r->said, "DATA") == NULL);
    server_head(r, 1, ":status: 100\n", false);
    UNDERSTANDS(r, "interim0=100 ");
    HEARS(r, "DATA1:3! ");
    rig_close(r);
    free(r);
}

static void an_early_answer_ends_the_upload(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_source body;
    rig_open(r, 0);
    start_post(r, 0, &body, big, 200000);
    hear(r);
    server_head(r, 1, ":status: 413\n", true);
    UNDERSTANDS(r, "head0=413 end0 ");
    HEARS(r, "RST1=8 ");
    rig_close(r);
    free(r);
}

static void a_head_too_long_for_a_frame_is_parted(void) {
    static char head[60000];
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_conn_request request;
    turbohttp_span out;
    size_t n;
    rig_open(r, 0);
    memset(&request, 0, sizeof request);
    n = (size_t)snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: x.test\r\nA: ");
    for (size_t i = 0; i < 40000; i++) head[n++] = (char)(1 + i % 31 == 9 ? '!' : "<>{}[]"[i % 6]);
    memcpy(head + n, "\r\n\r\n", 5);
    set_head(&request, head);
    memset(&r->s[0], 0, sizeof r->s[0]);
    CHECK_INT(tbh_mux_start(&r->h, &r->s[0], &request, r), TURBOHTTP_OK);
    CHECK_INT(tbh_mux_out_peek(&r->h, r->now, &out), TURBOHTTP_OK);
    const uint8_t *p = (const uint8_t *)out.data;
    CHECK_INT(p[3], TURBOHTTP_H2_HEADERS);
    CHECK_INT(p[4], TURBOHTTP_H2_END_STREAM);
    CHECK_INT(p[9 + 16384 + 3], TURBOHTTP_H2_CONTINUATION);
    /* as the server puts it together again */
    turbohttp_hpack_decoder decoder;
    static uint32_t memory[4096];
    static uint8_t scratch[65536], block[65536];
    size_t at = 0, length = 0;
    while (at + 9 <= out.length) {
        size_t piece = (size_t)p[at] << 16 | (size_t)p[at + 1] << 8 | p[at + 2];
        CHECK_INT((p[at + 4] & TURBOHTTP_H2_END_HEADERS) != 0, at + 9 + piece == out.length);
        memcpy(block + length, p + at + 9, piece);
        length += piece;
        at += 9 + piece;
    }
    CHECK_INT(at, out.length);
    turbohttp_hpack_decoder_init(&decoder, memory, sizeof memory, 4096, scratch, sizeof scratch, 100000);
    const uint8_t *in = block;
    turbohttp_hpack_field f;
    int fields = 0;
    while (turbohttp_hpack_decode(&decoder, &in, &length, &f) == TURBOHTTP_OK) fields++;
    CHECK_INT(fields, 5);
    CHECK_INT(f.value.length, 40000);
    CHECK(memcmp(f.value.data, head + n - 40000, 40000) == 0);
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ back-pressure */
static void talk_pause(rig *r) {
    start_get(r, 0);
    start_get(r, 1);
    hear(r);
    r->take = 0;
    server_head(r, 1, ":status: 200\n", false);
    server_data(r, 1, "abc", false);
    server_data(r, 1, "def", true);
    server_head(r, 3, ":status: 200\n", true);
    arrive(r);
    CHECK(strstr(r->events, "head1=200 end1 ") != NULL); /* others go on */
    CHECK(strstr(r->events, "end0") == NULL);
    CHECK_INT(r->s[0].held.length, 6);
    r->take = 4;
    r->events[0] = 0;
    tbh_mux_resume(&r->s[0]);
    pump(r);
    same("events", r->events, "body0(abcd) ", __LINE__);
    tbh_mux_resume(&r->s[0]);
    r->events[0] = 0;
    pump(r);
    same("events", r->events, "body0(ef) end0 ", __LINE__);
}

static void a_paused_stream_keeps_its_bytes(void) {
    in_pieces(talk_pause);
}

static void credit_follows_the_consumer(void) {
    tbh_mux_options options;
    rig *r = (rig *)calloc(1, sizeof *r);
    memset(&options, 0, sizeof options);
    options.stream_window = 20000;
    options.connection_window = 70000;
    rig_open_with(r, &options, 0);
    start_get(r, 0);
    hear(r);
    r->take = 0;
    server_head(r, 1, ":status: 200\n", false);
    server_bytes(r, 1, 10000, false);
    arrive(r);
    HEARS(r, "");
    r->take = SIZE_MAX;
    tbh_mux_resume(&r->s[0]);
    pump(r);
    HEARS(r, "WINDOW1=10000 ");
    for (int i = 0; i < 3; i++) {
        server_bytes(r, 1, 10000, false);
        arrive(r);
        hear(r);
    }
    CHECK(strstr(r->said, "WINDOW0=40000 WINDOW1=10000 ") != NULL);
    rig_close(r);
    free(r);
}

static void a_reset_gives_its_credit_back(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    start_get(r, 0);
    hear(r);
    r->take = 0;
    server_head(r, 1, ":status: 200\n", false);
    server_bytes(r, 1, 5000, false);
    arrive(r);
    tbh_mux_release(&r->s[0]);
    HEARS(r, "RST1=8 ");
    CHECK_INT(r->h.taken, 5000);
    server_bytes(r, 1, 700, false); /* was on its way */
    UNDERSTANDS(r, "");
    CHECK_INT(r->h.taken, 5700);
    turbohttp_h2_write_data(&r->server, 1, tbh_span_of("x"), true, 200);
    UNDERSTANDS(r, "");
    CHECK_INT(r->h.taken, 5901);
    rig_close(r);
    free(r);
}

/* A server that sends on what nobody wants any more must not use up the window of the others. */
static void late_bytes_do_not_starve_the_others(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    tbh_mux_options options;
    memset(&options, 0, sizeof options);
    options.stream_window = options.connection_window = 65535;
    rig_open_with(r, &options, 0);
    for (uint32_t id = 1; id < 200; id += 2) {
        start_get(r, 0);
        server_head(r, id, ":status: 200\n", false);
        arrive(r);
        tbh_mux_release(&r->s[0]);
        hear(r);
        for (int i = 0; i < 3; i++) server_bytes(r, id, 16384, false);
        server_bytes(r, id, 16383, false); /* a whole window */
        UNDERSTANDS(r, "");
        HEARS(r, "WINDOW0=65535 ");
    }
    CHECK_INT(r->h.late, 0);
    CHECK_INT(r->h.control.level, FRAMES_AT_ONCE);
    server_bytes(r, 199, 1, false); /* more than the stream's window: counted */
    arrive(r);
    CHECK_INT(r->h.control.level, FRAMES_AT_ONCE - 1);
    start_get(r, 1);
    server_head(r, 201, ":status: 200\ncontent-length: 20000\n", false);
    server_bytes(r, 201, 16384, false);
    server_bytes(r, 201, 3616, true);
    UNDERSTANDS(r, "head1=200 [content-length=20000] end1 ");
    rig_close(r);
    free(r);
}

static void padding_counts_and_is_given_back(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 3);
    start_get(r, 0);
    hear(r);
    server_head(r, 1, ":status: 200\n", false);
    turbohttp_h2_write_data(&r->server, 1, tbh_span_of("xy"), false, 100);
    arrive(r);
    CHECK_INT(r->h.taken, 102);
    CHECK_INT(r->s[0].taken, 102);
    CHECK_INT(r->s[0].window, (1 << 20) - 102);
    rig_close(r);
    free(r);
}

static void more_than_the_window_is_an_error(void) {
    tbh_mux_options options;
    rig *r = (rig *)calloc(1, sizeof *r);
    memset(&options, 0, sizeof options);
    options.stream_window = 10;
    rig_open_with(r, &options, 0);
    start_get(r, 0);
    hear(r);
    r->take = 0;
    server_head(r, 1, ":status: 200\n", false);
    server_data(r, 1, "0123456789", false);
    server_data(r, 1, "x", false);
    UNDERSTANDS(r, "head0=200 body0() reset0:-80=3 ");
    HEARS(r, "RST1=3 ");
    CHECK(!r->h.is_failed);
    r->h.window = 3;
    server_data(r, 1, "four", false);
    UNDERSTANDS(r, "failed:-80=3 ");
    HEARS(r, "GOAWAY0=3 ");
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ one reason for each end of a stream */
typedef struct stream_row {
    const char *name;
    const char *first; /* fields of the first head; NULL: none */
    bool first_ends;
    const char *data; /* NULL: none */
    bool data_ends;
    const char *second; /* fields behind the body */
    bool second_ends;
    const char *events, *said;
} stream_row;

static const stream_row stream_rows[] = {
    {"length too large", ":status: 200\ncontent-length: 9\n", false, "abc", true, NULL, false,
     "head0=200 [content-length=9] body0(abc) reset0:-72=1 ", ""},
    {"length too small", ":status: 200\ncontent-length: 2\n", false, "abc", true, NULL, false,
     "head0=200 [content-length=2] reset0:-80=1 ", "RST1=1 "},
    {"length without body", ":status: 200\ncontent-length: 2\n", true, NULL, false, NULL, false,
     "head0=200 [content-length=2] reset0:-72=1 ", ""},
    {"body behind 204", ":status: 204\n", false, "abc", true, NULL, false, "head0=204 reset0:-80=1 ", "RST1=1 "},
    {"equal lengths", ":status: 200\ncontent-length: 3\ncontent-length: 3\n", false, "abc", true, NULL, false,
     "head0=200 [content-length=3] [content-length=3] body0(abc) end0 ", ""},
    {"two lengths", ":status: 200\ncontent-length: 3\ncontent-length: 4\n", false, NULL, false, NULL, false,
     "reset0:-56=1 ", "RST1=1 "},
    {"sign in a length", ":status: 200\ncontent-length: +3\n", false, NULL, false, NULL, false, "reset0:-56=1 ", "RST1=1 "},
    {"data first", NULL, false, "abc", false, NULL, false, "reset0:-80=1 ", "RST1=1 "},
    {"no status", "a: b\n", false, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"S_48 upper case", ":status: 200\nA: b\n", true, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"S_48 connection", ":status: 200\nconnection: close\n", true, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"S_48 control byte", ":status: 200\na: b\x01\n", true, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"S_48 carriage return", ":status: 200\na: b\rc\n", true, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"S_48 late status", "a: b\n:status: 200\n", true, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"101", ":status: 101\n", false, NULL, false, NULL, false, "reset0:-62=1 ", "RST1=1 "},
    {"1xx at the end", ":status: 103\n", true, NULL, false, NULL, false, "reset0:-80=1 ", "RST1=1 "},
    {"trailers without the end", ":status: 200\n", false, "x", false, "a: b\n", false,
     "head0=200 body0(x) reset0:-80=1 ", "RST1=1 "},
    {"status in trailers", ":status: 200\n", false, "x", false, ":status: 200\n", true,
     "head0=200 body0(x) reset0:-62=1 ", "RST1=1 "},
    {"length and trailers", ":status: 200\ncontent-length: 1\n", false, "x", false, "a: b\n", true,
     "head0=200 [content-length=1] body0(x) trailers0 [a=b] end0 ", ""},
    {"short body, trailers", ":status: 200\ncontent-length: 2\n", false, "x", false, "a: b\n", true,
     "head0=200 [content-length=2] body0(x) reset0:-72=1 ", ""},
};

static void faults_of_a_stream_end_it_alone(void) {
    for (size_t i = 0; i < sizeof stream_rows / sizeof stream_rows[0]; i++) {
        const stream_row *row = &stream_rows[i];
        rig *r = (rig *)calloc(1, sizeof *r);
        int before = check_failed_here;
        rig_open(r, 0);
        start_get(r, 0);
        hear(r);
        if (row->first) server_head(r, 1, row->first, row->first_ends);
        if (row->data) server_data(r, 1, row->data, row->data_ends);
        if (row->second) server_head(r, 1, row->second, row->second_ends);
        UNDERSTANDS(r, row->events);
        HEARS(r, row->said);
        start_get(r, 1); /* the connection lives, and the header table is in step */
        server_head(r, 3, ":status: 200\na: b\n", true);
        UNDERSTANDS(r, "head1=200 [a=b] end1 ");
        if (check_failed_here != before) printf("in \"%s\"\n", row->name);
        rig_close(r);
        free(r);
    }
}

static void limits_on_heads(void) {
    char text[6000];
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    start_get(r, 0);
    start_get(r, 1);
    start_get(r, 2);
    strcpy(text, ":status: 200\n");
    for (int i = 0; i < 17; i++) sprintf(text + strlen(text), "a%d: b\n", i);
    server_head(r, 1, text, true);
    UNDERSTANDS(r, "reset0:-55=8 ");
    strcpy(text, ":status: 200\na: ");
    memset(text + strlen(text), 0, sizeof text - strlen(text));
    memset(text + strlen(text), 'x', 3000);
    strcat(text, "\n");
    server_head(r, 3, text, true);
    UNDERSTANDS(r, IS_SMALL ? "reset1:-53=8 " : "reset1:-54=8 "); /* without a table there is room for a line alone */
    strcpy(text, ":status: 200\n");
    for (int i = 0; i < 4; i++) sprintf(text + strlen(text), "a%d: %01200d\n", i, i);
    server_head(r, 5, text, true);
    UNDERSTANDS(r, "reset2:-53=8 ");
    start_get(r, 3);
    server_head(r, 7, ":status: 200\n", true);
    UNDERSTANDS(r, "head3=200 end3 ");
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ ends of the connection */
static void peer_resets_a_stream(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    start_get(r, 0);
    start_get(r, 1);
    start_get(r, 2);
    hear(r);
    server_head(r, 3, ":status: 200\n", false);
    turbohttp_h2_write_rst_stream(&r->server, 1, TURBOHTTP_H2_REFUSED_STREAM);
    turbohttp_h2_write_rst_stream(&r->server, 3, TURBOHTTP_H2_REFUSED_STREAM);
    turbohttp_h2_write_rst_stream(&r->server, 5, TURBOHTTP_H2_INTERNAL_ERROR);
    UNDERSTANDS(r, "head1=200 reset0:-81=7? reset1:-81=7 reset2:-81=2 ");
    HEARS(r, "");
    rig_close(r);
    free(r);
}

static void a_reset_behind_a_whole_answer_does_no_harm(void) {
    tbh_source body;
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    start_post(r, 0, &body, big, 200000);
    hear(r);
    r->take = 0;
    server_head(r, 1, ":status: 200\n", false);
    server_data(r, 1, "ok", true);
    turbohttp_h2_write_rst_stream(&r->server, 1, TURBOHTTP_H2_NO_ERROR); /* §8.1 */
    UNDERSTANDS(r, "head0=200 body0() ");
    r->take = SIZE_MAX;
    tbh_mux_resume(&r->s[0]);
    UNDERSTANDS(r, "body0(ok) end0 ");
    HEARS(r, "");
    rig_close(r);
    free(r);
}

static void goaway_spares_what_was_seen(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    for (int i = 0; i < 3; i++) start_get(r, i);
    hear(r);
    turbohttp_h2_write_goaway(&r->server, 0x7fffffff, 0, tbh_span_of("soon"));
    UNDERSTANDS(r, "goaway ");
    CHECK(!tbh_mux_can_start(&r->h));
    turbohttp_h2_write_goaway(&r->server, 1, 0, tbh_span(NULL, 0));
    UNDERSTANDS(r, "reset1:-82=0? reset2:-82=0? goaway ");
    server_head(r, 1, ":status: 200\n", true);
    UNDERSTANDS(r, "head0=200 end0 ");
    CHECK_INT(start_with(r, 3, GET_HEAD, NULL, NULL), TURBOHTTP_ERR_STATE);
    tbh_mux_in_end(&r->h);
    UNDERSTANDS(r, "failed:-70=0 ");
    rig_close(r);
    free(r);
}

static void the_end_of_the_input_ends_everything(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    for (int i = 0; i < 2; i++) start_get(r, i);
    hear(r);
    server_head(r, 1, ":status: 200\n", false);
    arrive(r);
    tbh_mux_in_end(&r->h);
    UNDERSTANDS(r, "reset0:-72=0 reset1:-70=0 failed:-70=0 ");
    rig_close(r);
    free(r);
}

typedef struct wire_row {
    const char *name;
    const char *bytes;
    size_t length;
    const char *events, *said;
} wire_row;

#define WIRE(text) text, sizeof(text) - 1

static const wire_row wire_rows[] = {
    {"S_44 push", WIRE("\0\0\5\5\4\0\0\0\1\0\0\0\2\x88"), "reset0:-80=1 failed:-80=1 ", "GOAWAY0=1 "},
    {"headers of an idle stream", WIRE("\0\0\1\1\5\0\0\0\7\x88"), "reset0:-80=1 failed:-80=1 ", "GOAWAY0=1 "},
    {"headers of an even stream", WIRE("\0\0\1\1\5\0\0\0\2\x88"), "reset0:-80=1 failed:-80=1 ", "GOAWAY0=1 "},
    {"data of an idle stream", WIRE("\0\0\1\0\0\0\0\0\7x"), "reset0:-80=1 failed:-80=1 ", "GOAWAY0=1 "},
    {"reset of an idle stream", WIRE("\0\0\4\3\0\0\0\0\7\0\0\0\0"), "reset0:-80=1 failed:-80=1 ", "GOAWAY0=1 "},
    {"credit of an idle stream", WIRE("\0\0\4\x08\0\0\0\0\7\0\0\0\1"), "reset0:-80=1 failed:-80=1 ", "GOAWAY0=1 "},
    {"S_41 bad index", WIRE("\0\0\1\1\5\0\0\0\1\xff"), "reset0:-60=9 failed:-60=9 ", "GOAWAY0=9 "},
    {"S_41 bad index in an ignored block", WIRE("\0\0\4\3\0\0\0\0\1\0\0\0\0\0\0\2\1\5\0\0\0\1\xff\x7f"),
     "reset0:-81=0 failed:-60=9 ", "GOAWAY0=9 "},
    {"S_47 connection window", WIRE("\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff"), "reset0:-80=3 failed:-80=3 ", "GOAWAY0=3 "},
    {"S_47 stream window", WIRE("\0\0\4\x08\0\0\0\0\1\x7f\xff\xff\xff"), "reset0:-80=3 ", "RST1=3 "},
    {"S_47 initial window", WIRE("\0\0\4\x08\0\0\0\0\1\0\0\0\x09\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"),
     "reset0:-80=3 failed:-80=3 ", "GOAWAY0=3 "},
    {"no credit at all", WIRE("\0\0\4\x08\0\0\0\0\1\0\0\0\0"), "reset0:-80=1 ", "RST1=1 "},
    {"frame too large", WIRE("\0\x40\1\0\0\0\0\0\1"), "reset0:-61=6 failed:-61=6 ", "GOAWAY0=6 "},
    {"settings on a stream", WIRE("\0\0\0\4\0\0\0\0\1"), "reset0:-61=1 failed:-61=1 ", "GOAWAY0=1 "},
    {"block cut by a ping", WIRE("\0\0\1\1\0\0\0\0\1\x88\0\0\x08\6\0\0\0\0\0"), "reset0:-61=1 failed:-61=1 ", "GOAWAY0=1 "},
    {"ping", WIRE("\0\0\x08\6\0\0\0\0\0abcdefgh"), "", "PING0+ "},
    {"answer to no ping", WIRE("\0\0\x08\6\1\0\0\0\0abcdefgh"), "", ""},
    {"ACK of nothing", WIRE("\0\0\0\4\1\0\0\0\0"), "", ""},
    {"priority", WIRE("\0\0\5\2\0\0\0\0\1\0\0\0\0\1"), "", ""},
    {"priority of an idle stream", WIRE("\0\0\5\2\0\0\0\0\x0b\0\0\0\0\1"), "", ""},
    {"short priority", WIRE("\0\0\4\2\0\0\0\0\1\0\0\0\0"), "reset0:-80=6 ", "RST1=6 "},
    {"unknown type", WIRE("\0\0\3\x2a\xff\0\0\0\1abc"), "", ""},
    {"S_42 empty name", WIRE("\0\0\4\1\5\0\0\0\1\x88\0\0\0"), "reset0:-62=1 ", "RST1=1 "},
};

static void frames_against_the_rules(void) {
    for (size_t i = 0; i < sizeof wire_rows / sizeof wire_rows[0]; i++)
        for (size_t step = 0; step < 3; step++) {
            const wire_row *row = &wire_rows[i];
            rig *r = (rig *)calloc(1, sizeof *r);
            int before = check_failed_here;
            rig_open(r, step);
            start_get(r, 0);
            hear(r);
            turbohttp_writer_put(&r->server, row->bytes, row->length);
            UNDERSTANDS(r, row->events);
            HEARS(r, row->said);
            if (check_failed_here != before) printf("in \"%s\", step %d\n", row->name, (int)step);
            rig_close(r);
            free(r);
        }
}

static void settings_must_come_first(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    uint8_t ping[8] = {0};
    rig_open_bare(r, NULL, 0);
    skip_magic(r);
    hear(r);
    turbohttp_h2_write_ping(&r->server, ping, false);
    UNDERSTANDS(r, "failed:-80=1 ");
    HEARS(r, "GOAWAY0=1 ");
    rig_close(r);
    free(r);
}

static void S_46_nothing_counts_after_a_failure(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    uint32_t seed = 7;
    rig_open(r, 0);
    start_get(r, 0);
    hear(r);
    turbohttp_writer_put(&r->server, "\0\0\5\5\4\0\0\0\1\0\0\0\2\x88", 14);
    server_head(r, 1, ":status: 200\n", true);
    UNDERSTANDS(r, "reset0:-80=1 failed:-80=1 ");
    tbh_mux before = r->h;
    for (size_t i = 0; i < 65536; i++) {
        size_t room;
        uint8_t *place = tbh_mux_in_room(&r->h, &room);
        if (!place) break;
        seed = seed * 1664525 + 1013904223;
        *place = (uint8_t)(seed >> 24);
        tbh_mux_in_commit(&r->h, 1);
        pump(r);
    }
    CHECK(memcmp(&before.queues, &r->h.queues, sizeof before.queues) == 0);
    CHECK_INT(r->h.next_id, before.next_id);
    CHECK(memcmp(&before.decoder, &r->h.decoder, sizeof before.decoder) == 0);
    HEARS(r, "GOAWAY0=1 ");
    HEARS(r, "");
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ floods */
typedef void (*flood)(rig *r, uint32_t i);

static void flood_ping(rig *r, uint32_t i) {
    uint8_t bytes[8] = {0};
    turbohttp_h2_write_ping(&r->server, bytes, i % 2);
}
static void flood_settings(rig *r, uint32_t i) {
    (void)i;
    server_setting(r, 99, 1);
}
static void flood_empty_data(rig *r, uint32_t i) {
    if (i == 0) server_head(r, 1, ":status: 200\n", false);
    server_data(r, 1, "", false);
}
static void flood_window(rig *r, uint32_t i) {
    (void)i;
    turbohttp_h2_write_window_update(&r->server, 0, 1);
}
static void flood_window_of_stream(rig *r, uint32_t i) {
    (void)i;
    turbohttp_h2_write_window_update(&r->server, 1, 1);
}
static void flood_priority(rig *r, uint32_t i) {
    turbohttp_h2_priority p = {0, 1, false};
    turbohttp_h2_write_priority(&r->server, 2 * i + 1, &p);
}
static void flood_unknown(rig *r, uint32_t i) {
    (void)i;
    turbohttp_writer_put(&r->server, "\0\0\0\x63\0\0\0\0\0", 9);
}
static void flood_resets(rig *r, uint32_t i) {
    (void)i;
    turbohttp_h2_write_rst_stream(&r->server, 1, 0);
}
static void flood_late_heads(rig *r, uint32_t i) {
    if (i == 0) turbohttp_h2_write_rst_stream(&r->server, 1, 0);
    server_head(r, 1, "a: b\n", true);
}
static void flood_late_data(rig *r, uint32_t i) {
    if (i == 0) tbh_mux_release(&r->s[0]);
    server_bytes(r, 1, 16384, false);
}
static void flood_late_ends(rig *r, uint32_t i) {
    if (i == 0) tbh_mux_release(&r->s[0]);
    server_data(r, 1, "", true);
}
static void flood_goaway(rig *r, uint32_t i) {
    (void)i;
    turbohttp_h2_write_goaway(&r->server, 1, 0, tbh_span(NULL, 0));
}

/* Frames until the connection ends; 0: it did not within 2,000. */
static uint32_t frames_until_calm(flood write, bool drains, uint64_t step_us) {
    rig *r = (rig *)calloc(1, sizeof *r);
    uint32_t i;
    rig_open(r, 0);
    start_get(r, 0);
    hear(r);
    for (i = 0; i < 2000 && !r->h.is_failed; i++) {
        write(r, i);
        arrive(r);
        r->now += step_us;
        if (drains) hear(r);
    }
    if (r->h.is_failed) CHECK_INT(r->h.code, TURBOHTTP_H2_ENHANCE_YOUR_CALM);
    if (r->h.is_failed) CHECK_INT(r->h.status, TURBOHTTP_ERR_H2_FLOOD);
    if (r->h.is_failed && !drains) CHECK(strstr(hear(r), "GOAWAY0=11 ") != NULL);
    i = r->h.is_failed ? i : 0;
    rig_close(r);
    free(r);
    return i;
}

static void S_42_floods_are_ended(void) {
    CHECK_INT(frames_until_calm(flood_ping, true, 0), FRAMES_AT_ONCE + 1);
    CHECK(frames_until_calm(flood_settings, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_empty_data, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_window, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_window_of_stream, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_priority, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_unknown, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_late_heads, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_goaway, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_late_ends, true, 0) > FRAMES_AT_ONCE * 9 / 10);
    CHECK(frames_until_calm(flood_late_data, true, 0) > FRAMES_AT_ONCE * 9 / 10); /* S-46: a window of it is free */
    CHECK_INT(frames_until_calm(flood_unknown, true, PAUSE_US), 0); /* a tenth of them each second is welcome */
}

static void S_42_the_queue_of_answers_is_bounded(void) {
    CHECK_INT(frames_until_calm(flood_settings, false, 0), IS_SMALL ? FRAMES_AT_ONCE + 1 : 257);
}

static void S_43_reset_storms_are_ended(void) {
    CHECK_INT(frames_until_calm(flood_resets, true, 0), RESETS_AT_ONCE + 1);
    CHECK_INT(frames_until_calm(flood_resets, true, RESET_PAUSE_US), 0);
}

static void S_40_continuation_floods_are_ended(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    start_get(r, 0);
    hear(r);
    turbohttp_writer_put(&r->server, "\0\0\1\1\1\0\0\0\1\x88", 10);
    for (int i = 0; i < 8; i++) turbohttp_writer_put(&r->server, "\0\0\0\x09\0\0\0\0\1", 9);
    UNDERSTANDS(r, "");
    turbohttp_writer_put(&r->server, "\0\0\0\x09\0\0\0\0\1", 9);
    UNDERSTANDS(r, "reset0:-61=11 failed:-61=11 ");
    HEARS(r, "GOAWAY0=11 ");
    rig_close(r);
    free(r);
}

static void S_41_references_to_a_large_entry_stop_at_the_limit(void) {
    if (TABLE_BYTES == 0) return;
    rig *r = (rig *)calloc(1, sizeof *r);
    char head[3000];
    rig_open(r, 0);
    r->limits.line_bytes = 4096;
    start_get(r, 0);
    start_get(r, 1);
    hear(r);
    int n = sprintf(head, ":status: 200\na: ");
    memset(head + n, 'x', 1500);
    strcpy(head + n + 1500, "\n");
    server_head(r, 1, head, false);
    arrive(r);
    uint8_t frame[9 + 1001];
    turbohttp_h2_frame f = {1001, 3, TURBOHTTP_H2_HEADERS, TURBOHTTP_H2_END_HEADERS};
    turbohttp_h2_write_frame_header(frame, &f);
    frame[9] = 0x88;
    memset(frame + 10, 0xbe, 1000); /* index 62: the newest entry */
    turbohttp_writer_put(&r->server, frame, sizeof frame);
    UNDERSTANDS(r, "reset1:-53=8 ");
    CHECK(r->memory.peak_bytes < 300000);
    rig_close(r);
    free(r);
}

static void S_45_any_setting_is_survived(void) {
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0xffffffff};
    for (size_t v = 0; v < 4; v++) {
        rig *r = (rig *)calloc(1, sizeof *r);
        rig_open(r, 0);
        for (uint32_t id = 0; id < (v % 2 ? 16u : 65536u); id++) {
            r->now += 10000; /* no flood */
            if (r->h.is_failed) {
                rig_close(r);
                memset(r, 0, sizeof *r);
                rig_open(r, 0);
            }
            server_setting(r, (uint16_t)id, values[v]);
            if (!r->h.is_failed) arrive(r);
            else turbohttp_writer_clear(&r->server);
            hear(r);
        }
        rig_close(r);
        free(r);
    }
}

static void S_47_stream_numbers_run_out(void) {
    tbh_mux_options options;
    rig *r = (rig *)calloc(1, sizeof *r);
    memset(&options, 0, sizeof options);
    options.first_id = 0x7ffffff9u; /* 2^31-7 */
    rig_open_with(r, &options, 0);
    for (int i = 0; i < 4; i++) start_get(r, i);
    CHECK_INT(r->s[3].id, 0x7fffffff);
    CHECK_INT(start_with(r, 4, GET_HEAD, NULL, NULL), TURBOHTTP_ERR_STATE);
    server_head(r, 0x7fffffff, ":status: 200\n", true);
    UNDERSTANDS(r, "head3=200 end3 ");
    rig_close(r);
    free(r);
}

static void the_peer_limits_the_streams(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    server_setting(r, TURBOHTTP_H2_MAX_CONCURRENT_STREAMS, 2);
    arrive(r);
    start_get(r, 0);
    start_get(r, 1);
    CHECK(!tbh_mux_can_start(&r->h));
    hear(r);
    server_head(r, 1, ":status: 200\n", true);
    arrive(r);
    CHECK(tbh_mux_can_start(&r->h));
    rig_close(r);
    free(r);
}

static void the_peers_header_table_may_vanish(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    server_setting(r, TURBOHTTP_H2_HEADER_TABLE_SIZE, 0);
    arrive(r);
    hear(r);
    start_get(r, 0);
    start_get(r, 1);
    turbohttp_hpack_decoder_resize(&r->decoder, 0);
    hear(r);
    CHECK(strstr(r->said, "HEADERS3! [:method=GET] [:scheme=https] [:authority=x.test]") != NULL);
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ what requests have in common */
static void one_of_many(rig *r, const char *head, const char *expected) {
    CHECK_INT(start_with(r, 0, head, NULL, NULL), TURBOHTTP_OK);
    hear(r);
    const char *fields = strchr(r->said, '[');
    CHECK(fields != NULL);
    if (fields) CHECK_TEXT(fields, strlen(fields), expected);
    tbh_mux_release(&r->s[0]); /* the number is used up: the next one has another */
    hear(r);
}

#define COMMON(path, rest) "[:method=GET] [:scheme=https] [:authority=x.test] [:path=" path "] " rest
#define LINES(path, rest) "GET " path " HTTP/1.1\r\nHost: x.test\r\nAccept: */*\r\n" rest "\r\n"

static void requests_alike_say_the_same(rig *r) {
    one_of_many(r, LINES("/1", "User-Agent: me\r\n"), COMMON("/1", "[accept=*/*] [user-agent=me] "));
    one_of_many(r, LINES("/2", "User-Agent: me\r\n"), COMMON("/2", "[accept=*/*] [user-agent=me] "));
    uint64_t first = r->s[0].sent_bytes;
    one_of_many(r, LINES("/3", "User-Agent: me\r\n"), COMMON("/3", "[accept=*/*] [user-agent=me] "));
    CHECK_INT(r->s[0].sent_bytes, first);
    one_of_many(r, LINES("/", "User-Agent: me\r\n"), COMMON("/", "[accept=*/*] [user-agent=me] "));
}

static void requests_may_have_their_fields_in_common(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    requests_alike_say_the_same(r);
    CHECK(IS_SMALL || r->h.common.lines_bytes > 0);
    /* others in between, of the same length too, and entries that move the indices */
    one_of_many(r, LINES("/4", "User-Agent: us\r\n"), COMMON("/4", "[accept=*/*] [user-agent=us] "));
    one_of_many(r, LINES("/5", "X: 1\r\n"), COMMON("/5", "[accept=*/*] [x=1] "));
    requests_alike_say_the_same(r);
    one_of_many(r, "PUT /6 HTTP/1.1\r\nHost: x.test\r\nAccept: */*\r\nUser-Agent: me\r\n\r\n",
                "[:method=PUT] [:scheme=https] [:authority=x.test] [:path=/6] [accept=*/*] [user-agent=me] ");
    requests_alike_say_the_same(r);
    rig_close(r);
    free(r);
}

static void a_smaller_table_ends_what_is_common(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open(r, 0);
    requests_alike_say_the_same(r);
    for (uint32_t size = 0; size <= 4096; size += 2048) {
        server_setting(r, TURBOHTTP_H2_HEADER_TABLE_SIZE, size);
        arrive(r);
        hear(r);
        turbohttp_hpack_decoder_resize(&r->decoder, size);
        one_of_many(r, LINES("/0", ""), COMMON("/0", "[accept=*/*] "));
        uint64_t first = r->s[0].sent_bytes;
        one_of_many(r, LINES("/0", ""), COMMON("/0", "[accept=*/*] "));
        CHECK(IS_SMALL || r->s[0].sent_bytes < first); /* the size is said once */
        requests_alike_say_the_same(r);
    }
    rig_close(r);
    free(r);
}

static void trailers_change_what_is_common(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    char trailer[64], expected[200];
    rig_open(r, 0);
    for (unsigned i = 0; i < 4; i++) {
        tbh_source body;
        int turn = 3; /* the end at once */
        memset(&body, 0, sizeof body);
        body.fill = give_in_turns;
        body.user = &turn;
        body.is_unknown = true;
        snprintf(trailer, sizeof trailer, "X-%u: 1\r\n\r\n", i);
        snprintf(expected, sizeof expected,
                 "[:method=POST] [:scheme=https] [:authority=x.test] [:path=/a] HEADERS%u! [x-%u=1] ", 2 * i + 1, i);
        CHECK_INT(start_with(r, 0, POST_HEAD, &body, trailer), TURBOHTTP_OK);
        hear(r);
        const char *fields = strchr(r->said, '[');
        CHECK(fields != NULL);
        if (fields) CHECK_TEXT(fields, strlen(fields), expected);
        tbh_mux_release(&r->s[0]);
        hear(r);
    }
    rig_close(r);
    free(r);
}

static void long_heads_have_nothing_in_common(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    static char head[2400];
    rig_open(r, 0);
    int n = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: x.test\r\nA: ");
    memset(head + n, 'a', 2000);
    memcpy(head + n + 2000, "\r\n\r\n", 5);
    for (int i = 0; i < 3; i++) {
        tbh_conn_request request;
        memset(&request, 0, sizeof request);
        memset(&r->s[0], 0, sizeof r->s[0]);
        set_head(&request, head);
        CHECK_INT(tbh_mux_start(&r->h, &r->s[0], &request, r), TURBOHTTP_OK);
        CHECK_INT(r->h.common.lines_bytes, 0);
        tbh_mux_release(&r->s[0]);
        turbohttp_writer_clear(&r->h.out);
    }
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ time */
static void settings_must_be_acknowledged_in_time(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    rig_open_bare(r, NULL, 0);
    skip_magic(r);
    server_setting(r, 0, 0);
    arrive(r);
    start_get(r, 0);
    hear(r);
    CHECK_INT(tbh_mux_deadline(&r->h), 1000 + 10000000);
    tbh_mux_tick(&r->h, 10000999);
    UNDERSTANDS(r, "");
    tbh_mux_tick(&r->h, 10001000);
    UNDERSTANDS(r, "reset0:-84=4 failed:-84=4 ");
    HEARS(r, "GOAWAY0=4 ");
    CHECK(tbh_mux_deadline(&r->h) == UINT64_MAX);
    rig_close(r);
    free(r);
}

static void a_silent_peer_is_asked_and_given_up(void) {
    rig *r = (rig *)calloc(1, sizeof *r);
    uint8_t pong[8] = {'t', 'u', 'r', 'b', 0, 0, 0, 1};
    rig_open(r, 0);
    CHECK(tbh_mux_deadline(&r->h) == UINT64_MAX); /* nobody waits for anything */
    start_get(r, 0);
    hear(r);
    r->now = tbh_mux_deadline(&r->h);
    tbh_mux_tick(&r->h, r->now);
    HEARS(r, "PING0 ");
    turbohttp_h2_write_ping(&r->server, pong, true);
    UNDERSTANDS(r, "");
    CHECK(r->h.ping_due_us == UINT64_MAX);
    r->now += 30000000;
    tbh_mux_tick(&r->h, r->now);
    HEARS(r, "PING0 ");
    r->now = tbh_mux_deadline(&r->h);
    tbh_mux_tick(&r->h, r->now);
    UNDERSTANDS(r, "reset0:-84=0 failed:-84=0 ");
    rig_close(r);
    free(r);
}

/* ------------------------------------------------------------ memory */
static void every_allocation_may_fail(void) {
    for (uint64_t k = 1; k < 60; k++) {
        rig *r = (rig *)calloc(1, sizeof *r);
        char head[600];
        rig_open(r, 0);
        r->memory.fail_at = r->memory.requests + k;
        if (start_with(r, 0, GET_HEAD, NULL, NULL) == TURBOHTTP_OK) {
            hear(r);
            r->take = 2;
            r->memory.fail_at = 0; /* the server's own memory does not count */
            int n = sprintf(head, ":status: 200\na: ");
            memset(head + n, 'x', 400);
            strcpy(head + n + 400, "\n");
            server_head(r, 1, head, false);
            server_bytes(r, 1, 3000, true);
            r->memory.fail_at = r->memory.requests + k;
            r->events[0] = 0;
            const uint8_t *at = (const uint8_t *)r->server.data, *end = at + r->server.length;
            while (at < end) {
                size_t room, n_now;
                uint8_t *place = tbh_mux_in_room(&r->h, &room);
                if (!place) break;
                n_now = (size_t)(end - at) < room ? (size_t)(end - at) : room;
                memcpy(place, at, n_now);
                tbh_mux_in_commit(&r->h, n_now);
                pump(r);
                at += n_now;
            }
        }
        rig_close(r);
        free(r);
    }
}

static const check_test tests[] = {
    CHECK_TEST(every_cell_of_the_table),
    CHECK_TEST(slots_and_connections_are_small),
    CHECK_TEST(a_get),
    CHECK_TEST(the_preface_comes_first),
    CHECK_TEST(streams_end_in_any_order),
    CHECK_TEST(trailers_come_behind_the_body),
    CHECK_TEST(interim_heads_are_told),
    CHECK_TEST(interim_heads_are_limited),
    CHECK_TEST(a_head_request_has_no_body),
    CHECK_TEST(blocks_come_in_pieces),
    CHECK_TEST(a_small_body_leaves_with_its_head),
    CHECK_TEST(bodies_obey_both_windows),
    CHECK_TEST(windows_may_become_negative),
    CHECK_TEST(sources_may_pause_and_have_trailers),
    CHECK_TEST(urgent_bodies_go_first),
    CHECK_TEST(an_empty_end_closes_a_body_of_unknown_length),
    CHECK_TEST(a_failing_source_ends_its_stream_only),
    CHECK_TEST(a_body_waits_for_100),
    CHECK_TEST(an_early_answer_ends_the_upload),
    CHECK_TEST(a_head_too_long_for_a_frame_is_parted),
    CHECK_TEST(a_paused_stream_keeps_its_bytes),
    CHECK_TEST(credit_follows_the_consumer),
    CHECK_TEST(a_reset_gives_its_credit_back),
    CHECK_TEST(late_bytes_do_not_starve_the_others),
    CHECK_TEST(padding_counts_and_is_given_back),
    CHECK_TEST(more_than_the_window_is_an_error),
    CHECK_TEST(faults_of_a_stream_end_it_alone),
    CHECK_TEST(limits_on_heads),
    CHECK_TEST(peer_resets_a_stream),
    CHECK_TEST(a_reset_behind_a_whole_answer_does_no_harm),
    CHECK_TEST(goaway_spares_what_was_seen),
    CHECK_TEST(the_end_of_the_input_ends_everything),
    CHECK_TEST(frames_against_the_rules),
    CHECK_TEST(settings_must_come_first),
    CHECK_TEST(S_40_continuation_floods_are_ended),
    CHECK_TEST(S_41_references_to_a_large_entry_stop_at_the_limit),
    CHECK_TEST(S_42_floods_are_ended),
    CHECK_TEST(S_42_the_queue_of_answers_is_bounded),
    CHECK_TEST(S_43_reset_storms_are_ended),
    CHECK_TEST(S_45_any_setting_is_survived),
    CHECK_TEST(S_46_nothing_counts_after_a_failure),
    CHECK_TEST(S_47_stream_numbers_run_out),
    CHECK_TEST(the_peer_limits_the_streams),
    CHECK_TEST(the_peers_header_table_may_vanish),
    CHECK_TEST(requests_may_have_their_fields_in_common),
    CHECK_TEST(a_smaller_table_ends_what_is_common),
    CHECK_TEST(trailers_change_what_is_common),
    CHECK_TEST(long_heads_have_nothing_in_common),
    CHECK_TEST(settings_must_be_acknowledged_in_time),
    CHECK_TEST(a_silent_peer_is_asked_and_given_up),
    CHECK_TEST(every_allocation_may_fail),
};

CHECK_MAIN(tests)
