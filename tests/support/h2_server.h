/* A transport with a server that speaks HTTP/2, in memory: what it does is chosen by the path of each
 * request. Include it behind the implementation.
 *
 *   /n/NUMBER   200 with NUMBER bytes        /slow    never an answer
 *   /refuse     REFUSED_STREAM each time     /once    REFUSED_STREAM, then 200
 *   /reset      INTERNAL_ERROR               /away    GOAWAY that does not include it, then the end
 *   /die        the connection ends          /echo    200 with as many bytes as were posted
 *   /bad        a head against the rules     /h1      HTTP_1_1_REQUIRED
 *   /trailers   200, a byte, a trailer       /early   103, 200 at once, whatever is posted
 *   /cookie     200 with a cookie            /baked   a cookie in a head against the rules
 *   /crumbs     200, a byte, a cookie behind it */
#ifndef TEST_H2_SERVER_H
#define TEST_H2_SERVER_H
#include "plain_allocator.h"

#define H2_SERVER_COOKIE "{{{{{{SECRET-COOKIE" /* shorter than in Huffman's code: it goes as it is */

enum { H2_SERVER_STREAMS = 128, H2_SERVER_OUT = 1 << 22 };

typedef struct h2_server {
    uint64_t now_us;
    int opened, shut, requests, resets, goaways;
    int refusals;      /* left for /once */
    uint32_t streams;  /* MAX_CONCURRENT_STREAMS; 0: not said */
    size_t portion;    /* bytes given per receive; 0: all */
    int most;          /* streams open at once */
    int dead;          /* connections up to this number give and take nothing any more */
    bool never_pongs, never_acks;
    int pings;
    bool is_closing;   /* every idle connection ends at its next receive */
    char log[4096];    /* path and priority of each request, in the order of their heads */
} h2_server;

typedef struct h2_server_stream {
    uint32_t id;
    char path[64], priority[32];
    size_t posted, left, window;
    bool is_answering;
} h2_server_stream;

typedef struct h2_server_connection {
    h2_server *server;
    turbohttp_h2_reader reader;
    turbohttp_hpack_decoder decoder;
    turbohttp_hpack_encoder encoder;
    uint32_t decoder_memory[4096], encoder_memory[4096];
    uint8_t scratch[8192];
    turbohttp_byte_pool pool;
    turbohttp_writer out;
    size_t out_at, magic;
    h2_server_stream streams[H2_SERVER_STREAMS], *reading;
    size_t window; /* of the connection, for bodies */
    uint32_t initial_window;
    bool is_over, is_stranger, ends_stream;
    int number;
} h2_server_connection;

static turbohttp_status h2_server_open(void *user, const turbohttp_endpoint *to, void **connection,
                                       turbohttp_error *error) {
    h2_server *server = (h2_server *)user;
    h2_server_connection *c = (h2_server_connection *)calloc(1, sizeof *c);
    turbohttp_h2_limits limits = {0, 0, 0, true};
    turbohttp_h2_setting setting = {TURBOHTTP_H2_MAX_CONCURRENT_STREAMS, server->streams};
    (void)to, (void)error;
    c->server = server;
    c->window = c->initial_window = 65535;
    turbohttp_h2_reader_init(&c->reader, &limits);
    turbohttp_hpack_decoder_init(&c->decoder, c->decoder_memory, sizeof c->decoder_memory, 4096, c->scratch,
                                 sizeof c->scratch, 65536);
    turbohttp_hpack_encoder_init(&c->encoder, c->encoder_memory, sizeof c->encoder_memory, 4096);
    turbohttp_byte_pool_init(&c->pool, &plain_allocator, 256, 65536, 4, (turbohttp_clearing)0, false);
    turbohttp_writer_init(&c->out, &c->pool, 0);
    turbohttp_h2_write_settings(&c->out, &setting, server->streams ? 1 : 0);
    c->number = ++server->opened;
    *connection = c;
    return TURBOHTTP_OK;
}

static h2_server_stream *h2_server_find(h2_server_connection *c, uint32_t id) {
    for (int i = 0; i < H2_SERVER_STREAMS; i++)
        if (c->streams[i].id == id) return &c->streams[i];
    return NULL;
}

static void h2_server_field(h2_server_connection *c, turbohttp_writer *block, const char *name, const char *value) {
    turbohttp_hpack_field f;
    f.name = tbh_span_of(name);
    f.value = tbh_span_of(value);
    f.never_indexed = false;
    turbohttp_hpack_encode(&c->encoder, &f, block);
}

static void h2_server_head(h2_server_connection *c, uint32_t id, const char *name, const char *value,
                           const char *name2, const char *value2, bool ends) {
    turbohttp_writer block;
    turbohttp_writer_init(&block, &c->pool, 0);
    h2_server_field(c, &block, name, value);
    if (name2) h2_server_field(c, &block, name2, value2);
    turbohttp_h2_write_headers(&c->out, id, tbh_span(block.data, block.length), ends, NULL, 0, 0);
    turbohttp_writer_reset(&block);
}

static void h2_server_ok(h2_server_connection *c, h2_server_stream *s, size_t n) {
    char length[24];
    snprintf(length, sizeof length, "%u", (unsigned)n);
    h2_server_head(c, s->id, ":status", "200", "content-length", length, n == 0);
    s->left = n;
    s->is_answering = n > 0;
    if (n == 0) memset(s, 0, sizeof *s);
}

static void h2_server_give_up(h2_server_connection *c, h2_server_stream *s, uint32_t code) {
    turbohttp_h2_write_rst_stream(&c->out, s->id, code);
    memset(s, 0, sizeof *s);
}

static void h2_server_answer(h2_server_connection *c, h2_server_stream *s) {
    h2_server *server = c->server;
    const char *path = s->path;
    server->requests++;
    if (!strncmp(path, "/n/", 3)) h2_server_ok(c, s, (size_t)atoi(path + 3));
    else if (!strcmp(path, "/echo")) h2_server_ok(c, s, s->posted);
    else if (!strcmp(path, "/refuse")) h2_server_give_up(c, s, TURBOHTTP_H2_REFUSED_STREAM);
    else if (!strcmp(path, "/once") && server->refusals-- > 0) h2_server_give_up(c, s, TURBOHTTP_H2_REFUSED_STREAM);
    else if (!strcmp(path, "/once")) h2_server_ok(c, s, 1);
    else if (!strcmp(path, "/reset")) h2_server_give_up(c, s, TURBOHTTP_H2_INTERNAL_ERROR);
    else if (!strcmp(path, "/h1")) h2_server_give_up(c, s, TURBOHTTP_H2_HTTP_1_1_REQUIRED);
    else if (!strcmp(path, "/bad")) h2_server_head(c, s->id, ":status", "200", "Connection", "close", true);
    else if (!strcmp(path, "/server")) h2_server_head(c, s->id, ":status", "200", "server", "s", true), memset(s, 0, sizeof *s);
    else if (!strcmp(path, "/cookie")) h2_server_head(c, s->id, ":status", "200", "set-cookie", H2_SERVER_COOKIE, true), memset(s, 0, sizeof *s);
    else if (!strcmp(path, "/baked")) h2_server_head(c, s->id, "set-cookie", H2_SERVER_COOKIE, ":status", "200", true), memset(s, 0, sizeof *s);
    else if (!strcmp(path, "/own")) h2_server_head(c, s->id, ":status", "200", "x-own", "o", true), memset(s, 0, sizeof *s);
    else if (!strcmp(path, "/die")) c->is_over = true;
    else if (!strcmp(path, "/away") && server->refusals-- > 0) {
        turbohttp_h2_write_goaway(&c->out, s->id > 2 ? s->id - 2 : 0, 0, tbh_span(NULL, 0));
        c->is_over = true;
    } else if (!strcmp(path, "/away")) h2_server_ok(c, s, 1);
    else if (!strcmp(path, "/trailers") || !strcmp(path, "/crumbs")) {
        bool is_cookie = path[1] == 'c';
        h2_server_head(c, s->id, ":status", "200", NULL, NULL, false);
        turbohttp_h2_write_data(&c->out, s->id, tbh_span_of("x"), false, 0);
        h2_server_head(c, s->id, is_cookie ? "set-cookie" : "check", is_cookie ? H2_SERVER_COOKIE : "sum", NULL, NULL, true);
        memset(s, 0, sizeof *s);
    }
}

static void h2_server_note(h2_server_connection *c) {
    int open = 0;
    for (int i = 0; i < H2_SERVER_STREAMS; i++) open += c->streams[i].id != 0;
    if (open > c->server->most) c->server->most = open;
}

static void h2_server_block(h2_server_connection *c, turbohttp_span bytes) {
    const uint8_t *in = (const uint8_t *)bytes.data;
    size_t n = bytes.length;
    turbohttp_hpack_field f;
    while (turbohttp_hpack_decode(&c->decoder, &in, &n, &f) == TURBOHTTP_OK) {
        if (c->reading && f.name.length == 5 && !memcmp(f.name.data, ":path", 5) && f.value.length < 64)
            memcpy(c->reading->path, f.value.data, f.value.length);
        if (c->reading && f.name.length == 8 && !memcmp(f.name.data, "priority", 8) && f.value.length < 32)
            memcpy(c->reading->priority, f.value.data, f.value.length);
    }
}

static void h2_server_log(h2_server *server, const h2_server_stream *s) {
    size_t n = strlen(server->log);
    if (n < 4000) snprintf(server->log + n, sizeof server->log - n, "%s%s%s ", s->path, *s->priority ? "?" : "", s->priority);
}

static void h2_server_frame(h2_server_connection *c, const turbohttp_h2_event *e) {
    const turbohttp_h2_frame *f = &e->frame;
    h2_server_stream *s = f->stream_id ? h2_server_find(c, f->stream_id) : NULL;
    c->reading = s;
    c->ends_stream = f->flags & TURBOHTTP_H2_END_STREAM;
    if (f->type == TURBOHTTP_H2_HEADERS && !s && (c->reading = h2_server_find(c, 0)) != NULL) {
        memset(c->reading, 0, sizeof *c->reading);
        c->reading->id = f->stream_id;
        c->reading->window = c->initial_window;
        h2_server_note(c);
    }
    if (f->type == TURBOHTTP_H2_DATA) {
        if (s) s->posted += f->length;
        if (f->length) turbohttp_h2_write_window_update(&c->out, 0, f->length);
        if (s && f->length) turbohttp_h2_write_window_update(&c->out, f->stream_id, f->length);
    }
    if (f->type == TURBOHTTP_H2_RST_STREAM) c->server->resets++;
    if (f->type == TURBOHTTP_H2_RST_STREAM && s) memset(s, 0, sizeof *s);
    if (f->type == TURBOHTTP_H2_GOAWAY) c->server->goaways++;
    if (f->type == TURBOHTTP_H2_WINDOW_UPDATE && s) s->window += e->increment;
    if (f->type == TURBOHTTP_H2_WINDOW_UPDATE && !f->stream_id) c->window += e->increment;
    if (f->type == TURBOHTTP_H2_SETTINGS && !(f->flags & TURBOHTTP_H2_ACK) && !c->server->never_acks)
        turbohttp_h2_write_settings_ack(&c->out);
    if (f->type == TURBOHTTP_H2_PING) c->server->pings++;
    if (f->type == TURBOHTTP_H2_PING && !c->server->never_pongs) turbohttp_h2_write_ping(&c->out, e->ping, true);
}

static void h2_server_end(h2_server_connection *c, const turbohttp_h2_frame *f) {
    bool is_block = f->type == TURBOHTTP_H2_HEADERS || f->type == TURBOHTTP_H2_CONTINUATION;
    h2_server_stream *s = c->reading;
    if (is_block && !(f->flags & TURBOHTTP_H2_END_HEADERS)) return;
    if (is_block) turbohttp_hpack_decode_end(&c->decoder);
    if (is_block && s) h2_server_log(c->server, s);
    if (s && is_block && !strcmp(s->path, "/early")) {
        h2_server_head(c, s->id, ":status", "103", NULL, NULL, false);
        c->server->requests++;
        h2_server_ok(c, s, 0);
        return;
    }
    if (s && (is_block || f->type == TURBOHTTP_H2_DATA) && c->ends_stream) h2_server_answer(c, s);
}

static void h2_server_setting(h2_server_connection *c, turbohttp_h2_setting setting) {
    if (setting.id == TURBOHTTP_H2_INITIAL_WINDOW_SIZE) c->initial_window = setting.value;
    if (setting.id == TURBOHTTP_H2_HEADER_TABLE_SIZE) turbohttp_hpack_encoder_resize(&c->encoder, setting.value);
}

static turbohttp_status h2_server_send(void *user, void *connection, const void *data, size_t length, size_t *sent) {
    h2_server_connection *c = (h2_server_connection *)connection;
    const uint8_t *in = (const uint8_t *)data;
    size_t n = length, skipped = 24 - c->magic < n ? 24 - c->magic : n;
    turbohttp_h2_event e;
    turbohttp_status status;
    (void)user;
    if (memcmp(in, &"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[c->magic], skipped) != 0) c->is_stranger = true;
    c->magic += skipped;
    in += skipped;
    n -= skipped;
    *sent = length;
    if (c->is_over || c->is_stranger || c->number <= c->server->dead) return TURBOHTTP_OK; /* as a socket does at first */
    while ((status = turbohttp_h2_read(&c->reader, &in, &n, &e)) == TURBOHTTP_OK) {
        bool is_block = e.frame.type == TURBOHTTP_H2_HEADERS || e.frame.type == TURBOHTTP_H2_CONTINUATION;
        if (e.kind == TURBOHTTP_H2_EVENT_FRAME) h2_server_frame(c, &e);
        if (e.kind == TURBOHTTP_H2_EVENT_BYTES && is_block) h2_server_block(c, e.bytes);
        if (e.kind == TURBOHTTP_H2_EVENT_SETTING) h2_server_setting(c, e.setting);
        if (e.kind == TURBOHTTP_H2_EVENT_END) h2_server_end(c, &e.frame);
    }
    if (status != TURBOHTTP_PENDING) abort(); /* what we send is always right */
    return TURBOHTTP_OK;
}

/* One frame of each body that may go on. */
static void h2_server_continue(h2_server_connection *c) {
    static const char bytes[16384] = {'b'};
    for (int i = 0; i < H2_SERVER_STREAMS; i++) {
        h2_server_stream *s = &c->streams[i];
        size_t n = s->left < 16384 ? s->left : 16384;
        if (!s->is_answering) continue;
        if (n > s->window) n = s->window;
        if (n > c->window) n = c->window;
        if (n == 0) continue;
        s->left -= n;
        s->window -= n;
        c->window -= n;
        turbohttp_h2_write_data(&c->out, s->id, tbh_span(bytes, n), s->left == 0, 0);
        if (s->left == 0) memset(s, 0, sizeof *s);
    }
}

static turbohttp_status h2_server_receive(void *user, void *connection, void *data, size_t room, size_t *received) {
    h2_server_connection *c = (h2_server_connection *)connection;
    h2_server *server = (h2_server *)user;
    if (c->number <= server->dead) return TURBOHTTP_PENDING;
    if (c->out_at == c->out.length) {
        turbohttp_writer_clear(&c->out);
        c->out_at = 0;
        h2_server_continue(c);
    }
    size_t n = c->out.length - c->out_at;
    if (n > room) n = room;
    if (server->portion && n > server->portion) n = server->portion;
    if (n == 0) return c->is_over || server->is_closing ? TURBOHTTP_DONE : TURBOHTTP_PENDING;
    memcpy(data, c->out.data + c->out_at, n);
    c->out_at += n;
    *received = n;
    return TURBOHTTP_OK;
}

static void h2_server_shut(void *user, void *connection) {
    h2_server_connection *c = (h2_server_connection *)connection;
    ((h2_server *)user)->shut++;
    turbohttp_writer_reset(&c->out);
    turbohttp_byte_pool_destroy(&c->pool);
    free(c);
}

static uint64_t h2_server_now(void *user) {
    return ((h2_server *)user)->now_us;
}

static turbohttp_transport h2_server_transport(h2_server *server) {
    turbohttp_transport t = {server, h2_server_open, NULL, h2_server_send, h2_server_receive, h2_server_shut, NULL};
    return t;
}
#endif
