/* TLS providers that encrypt nothing, and a server that speaks like them: what the client makes of a
 * provider, without a TLS library. On the wire a plain byte has its high bit set; the others are
 * control bytes, so that a byte that went around the provider is seen. */
#ifndef TEST_FAKE_TLS_H
#define TEST_FAKE_TLS_H
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include <stdlib.h>

enum { FAKE_CLOSE_NOTIFY = 4, FAKE_BROKEN = 5, FAKE_SERVER_HELLO = 6, FAKE_CLIENT_HELLO = 7, FAKE_ROOM = 4096 };

typedef struct fake {
    turbohttp_status create, open, handshake; /* what these answer, when not OK */
    int slices;       /* of the handshake that want to be called again */
    size_t room;      /* of each port; 0: FAKE_ROOM */
    int creates, destroys, opens, shuts, steps, slices_done, flushes, closes, offers;
    char host[256];   /* of the last connection */
    bool had_address;
} fake;

typedef struct fake_context {
    fake *f;
    turbohttp_tls_host hooks;
    const turbohttp_tls_options *options;
} fake_context;

typedef struct fake_tls {
    fake *f;
    fake_context *context;
    uint64_t identity;
    int slices;
    bool is_up, wants_step, has_hello, is_ended, is_broken;
    unsigned char plain[FAKE_ROOM], pending[FAKE_ROOM], out[FAKE_ROOM], in[FAKE_ROOM];
    size_t plain_at, plain_fill, pending_fill, out_at, out_fill;
} fake_tls;

static fake fakes[2];

static uint64_t fake_mix(uint64_t hash, const void *data, size_t n) {
    const unsigned char *bytes = (const unsigned char *)data;
    while (n-- > 0) hash = (hash ^ *bytes++) * 0x100000001b3u;
    return hash;
}

static uint64_t fake_mix_text(uint64_t hash, const char *text) {
    return text ? fake_mix(hash, text, strlen(text) + 1) : fake_mix(hash, "\1", 1);
}

/* Everything that two connections must share to share a session. */
static uint64_t fake_identity(const turbohttp_tls_options *o, const char *host) {
    uint64_t h = fake_mix_text(0xcbf29ce484222325u, host);
    h = fake_mix_text(fake_mix_text(fake_mix_text(h, o->provider), o->ca_file), o->ca_path);
    h = fake_mix_text(fake_mix_text(fake_mix_text(h, o->cert_file), o->key_file), o->pins);
    h = fake_mix(fake_mix_text(h, o->server_name), &o->ca_data, sizeof o->ca_data);
    h = fake_mix(fake_mix(h, &o->ca_bytes, sizeof o->ca_bytes), &o->min_version, sizeof o->min_version);
    h = fake_mix(fake_mix(h, &o->max_version, sizeof o->max_version), &o->buffer_bytes, sizeof o->buffer_bytes);
    h = fake_mix(h, &o->disable_resumption, sizeof(bool));
    h = fake_mix(h, &o->ignore_certificate_dates, sizeof(bool));
    return fake_mix(h, &o->INSECURE_skip_verification, sizeof(bool));
}

static turbohttp_status fake_create(fake *f, const turbohttp_tls_host *host, const turbohttp_tls_options *options,
                                    void **context, turbohttp_error *error) {
    f->creates++;
    (void)error;
    if (f->create != TURBOHTTP_OK) return f->create;
    fake_context *c = (fake_context *)host->allocator->allocate(host->allocator->user, sizeof *c);
    if (!c) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    c->f = f;
    c->hooks = *host;
    c->options = options;
    *context = c;
    return TURBOHTTP_OK;
}

static turbohttp_status fake_create_0(const turbohttp_tls_host *host, const turbohttp_tls_options *options,
                                      void **context, turbohttp_error *error) {
    return fake_create(&fakes[0], host, options, context, error);
}

static turbohttp_status fake_create_1(const turbohttp_tls_host *host, const turbohttp_tls_options *options,
                                      void **context, turbohttp_error *error) {
    return fake_create(&fakes[1], host, options, context, error);
}

static void fake_destroy(void *context) {
    fake_context *c = (fake_context *)context;
    turbohttp_allocator a = *c->hooks.allocator;
    c->f->destroys++;
    a.release(a.user, c, sizeof *c);
}

static turbohttp_status fake_open(void *context, const turbohttp_tls_target *target, void **tls,
                                  turbohttp_error *error) {
    fake_context *c = (fake_context *)context;
    fake *f = c->f;
    (void)error;
    f->opens++;
    if (f->open != TURBOHTTP_OK) return f->open;
    fake_tls *t = (fake_tls *)c->hooks.allocator->allocate(c->hooks.allocator->user, sizeof *t);
    if (!t) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(t, 0, sizeof *t);
    t->f = f;
    t->context = c;
    t->slices = f->slices;
    t->out[0] = FAKE_CLIENT_HELLO;
    t->out_fill = 1;
    strncpy(f->host, target->host, sizeof f->host - 1);
    f->had_address = target->address != NULL;
    t->identity = fake_identity(c->options, target->host);
    if (target->session_bytes) {
        uint64_t offered = 0;
        CHECK_INT(target->session_bytes, sizeof offered);
        memcpy(&offered, target->session, sizeof offered);
        CHECK(offered == t->identity); /* S-02 */
        f->offers++;
    }
    *tls = t;
    return TURBOHTTP_OK;
}

static void fake_shut(void *tls) {
    fake_tls *t = (fake_tls *)tls;
    turbohttp_allocator a = *t->context->hooks.allocator;
    t->f->shuts++;
    a.release(a.user, t, sizeof *t);
}

static turbohttp_status fake_step(void *tls, turbohttp_error *error) {
    fake_tls *t = (fake_tls *)tls;
    (void)error;
    t->f->steps++;
    t->wants_step = false;
    if (t->is_broken) return TURBOHTTP_ERR_TLS_INTEGRITY;
    if (!t->is_up) {
        if (t->f->handshake != TURBOHTTP_OK) return t->f->handshake;
        if (!t->has_hello || t->out_fill) return TURBOHTTP_PENDING;
        if (t->slices > 0) {
            t->slices--;
            t->f->slices_done++;
            t->wants_step = true;
            return TURBOHTTP_PENDING;
        }
        t->is_up = true;
    }
    return t->is_ended && t->plain_fill == 0 ? TURBOHTTP_DONE : TURBOHTTP_OK;
}

static size_t fake_room(const fake_tls *t) {
    return t->f->room ? t->f->room : FAKE_ROOM;
}

static uint32_t fake_wants(const void *tls) {
    const fake_tls *t = (const fake_tls *)tls;
    uint32_t wants = t->wants_step ? TURBOHTTP_TLS_STEP : 0u;
    if (t->out_fill) wants |= TURBOHTTP_TLS_WIRE_OUT;
    if (t->plain_fill) wants |= TURBOHTTP_TLS_PLAIN_OUT;
    else wants |= TURBOHTTP_TLS_WIRE_IN;
    if (t->is_up && !t->out_fill) wants |= TURBOHTTP_TLS_PLAIN_IN;
    return wants;
}

static void *fake_wire_in_room(void *tls, size_t *room) {
    fake_tls *t = (fake_tls *)tls;
    *room = fake_room(t);
    return t->plain_fill || t->is_ended || t->is_broken ? NULL : t->in;
}

static void fake_wire_in_commit(void *tls, size_t n) {
    fake_tls *t = (fake_tls *)tls;
    for (size_t i = 0; i < n; i++) {
        if (t->in[i] & 0x80) t->plain[t->plain_fill++] = t->in[i] & 0x7f;
        else if (t->in[i] == FAKE_SERVER_HELLO) t->has_hello = true;
        else if (t->in[i] == FAKE_CLOSE_NOTIFY) t->is_ended = true;
        else t->is_broken = true;
    }
    CHECK(t->is_up || t->plain_fill == 0);
}

static const void *fake_wire_out_peek(void *tls, size_t *n) {
    fake_tls *t = (fake_tls *)tls;
    *n = t->out_fill - t->out_at < fake_room(t) ? t->out_fill - t->out_at : fake_room(t);
    return *n ? t->out + t->out_at : NULL;
}

static void fake_wire_out_consume(void *tls, size_t n) {
    fake_tls *t = (fake_tls *)tls;
    t->out_at += n;
    CHECK(t->out_at <= t->out_fill);
    if (t->out_at == t->out_fill) t->out_at = t->out_fill = 0;
}

static void fake_seal(fake_tls *t) {
    if (t->out_fill) return;
    for (size_t i = 0; i < t->pending_fill; i++) t->out[i] = t->pending[i] | 0x80;
    t->out_fill = t->pending_fill;
    t->pending_fill = 0;
}

static void *fake_plain_in_room(void *tls, size_t *room) {
    fake_tls *t = (fake_tls *)tls;
    *room = t->is_up && !t->out_fill ? fake_room(t) - t->pending_fill : 0;
    return *room ? t->pending + t->pending_fill : NULL;
}

static void fake_plain_in_commit(void *tls, size_t n) {
    fake_tls *t = (fake_tls *)tls;
    t->pending_fill += n;
    CHECK(t->pending_fill <= fake_room(t));
    if (t->pending_fill == fake_room(t)) fake_seal(t);
}

static const void *fake_plain_out_peek(void *tls, size_t *n) {
    fake_tls *t = (fake_tls *)tls;
    *n = t->plain_fill - t->plain_at < fake_room(t) ? t->plain_fill - t->plain_at : fake_room(t);
    return *n ? t->plain + t->plain_at : NULL;
}

static void fake_plain_out_consume(void *tls, size_t n) {
    fake_tls *t = (fake_tls *)tls;
    t->plain_at += n;
    CHECK(t->plain_at <= t->plain_fill);
    if (t->plain_at == t->plain_fill) t->plain_at = t->plain_fill = 0;
}

static void fake_flush(void *tls) {
    fake_tls *t = (fake_tls *)tls;
    t->f->flushes++;
    fake_seal(t);
}

static void fake_close(void *tls) {
    fake_tls *t = (fake_tls *)tls;
    t->f->closes++;
    if (t->out_fill < FAKE_ROOM) t->out[t->out_fill++] = FAKE_CLOSE_NOTIFY;
}

static void fake_info(const void *tls, turbohttp_tls_info *info) {
    memset(info, 0, sizeof *info);
    info->provider = ((const fake_tls *)tls)->f == &fakes[0] ? "first" : "second";
    info->version = 0x0303;
}

static size_t fake_session_get(const void *tls, void *session, size_t room) {
    const fake_tls *t = (const fake_tls *)tls;
    CHECK(room >= sizeof t->identity);
    memcpy(session, &t->identity, sizeof t->identity);
    return sizeof t->identity;
}

#define FAKE_ALL 0x1ffu
#define FAKE_TABLE(name, capabilities, create)                                                            \
    {name, capabilities, create, fake_destroy, fake_open, fake_shut, fake_step, fake_wants, fake_wire_in_room, \
     fake_wire_in_commit, fake_wire_out_peek, fake_wire_out_consume, fake_plain_in_room, fake_plain_in_commit, \
     fake_plain_out_peek, fake_plain_out_consume, fake_flush, fake_close, fake_info, fake_session_get}

/* ------------------------------------------------------------ the server at the other end */
typedef struct fake_server {
    const char *answer;
    size_t answer_length;
    bool is_silent;   /* no ServerHello */
    bool closes;      /* after its answer … */
    bool notifies;    /* … with close_notify */
    size_t portion;   /* bytes per receive and send; 0: all */
    int blocked;      /* sends that answer PENDING, from now on */
    size_t block_after; /* … after so many bytes of a connection */
    uint64_t now_us;
    int opened, shut, requests, sends, receives;
    int client_notifies; /* close_notify received */
    size_t body_bytes;   /* received behind the heads */
    uint64_t waited_ms;
} fake_server;

typedef struct fake_link {
    fake_server *server;
    size_t tail, left, received;
    bool owes_hello, owes_notify, was_asked;
    bool in_body;
} fake_link;

static turbohttp_status fake_server_open(void *user, const turbohttp_endpoint *to, void **connection,
                                         turbohttp_error *error) {
    fake_server *s = (fake_server *)user;
    (void)error;
    CHECK(to->is_tls);
    fake_link *c = (fake_link *)calloc(1, sizeof *c);
    c->server = s;
    s->opened++;
    *connection = c;
    return TURBOHTTP_OK;
}

static void fake_server_take(fake_link *c, unsigned char byte) {
    fake_server *s = c->server;
    if (byte == FAKE_CLIENT_HELLO) c->owes_hello = !s->is_silent;
    if (byte == FAKE_CLOSE_NOTIFY) s->client_notifies++;
    if (!(byte & 0x80)) return;
    char plain = (char)(byte & 0x7f);
    if (c->in_body) s->body_bytes++;
    c->tail = plain == "\r\n\r\n"[c->tail] ? c->tail + 1 : plain == '\r';
    if (c->tail < 4) return;
    c->tail = 0;
    s->requests++;
    c->was_asked = c->in_body = true;
    c->left += s->answer_length;
    c->owes_notify = s->notifies;
}

static turbohttp_status fake_server_send(void *user, void *connection, const void *data, size_t length,
                                         size_t *sent) {
    fake_link *c = (fake_link *)connection;
    fake_server *s = (fake_server *)user;
    s->sends++;
    if (s->blocked > 0 && c->received >= s->block_after) {
        s->blocked--;
        return TURBOHTTP_PENDING;
    }
    size_t n = s->portion && s->portion < length ? s->portion : length;
    if (c->received < s->block_after && n > s->block_after - c->received) n = s->block_after - c->received;
    for (size_t i = 0; i < n; i++) fake_server_take(c, ((const unsigned char *)data)[i]);
    c->received += n;
    *sent = n;
    return TURBOHTTP_OK;
}

static turbohttp_status fake_server_receive(void *user, void *connection, void *data, size_t room,
                                            size_t *received) {
    fake_link *c = (fake_link *)connection;
    fake_server *s = (fake_server *)user;
    unsigned char *to = (unsigned char *)data;
    size_t n = 0;
    s->receives++;
    if (s->portion && room > s->portion) room = s->portion;
    if (c->owes_hello && n < room) {
        to[n++] = FAKE_SERVER_HELLO;
        c->owes_hello = false;
    }
    for (; c->left && n < room; c->left--)
        to[n++] = (unsigned char)(s->answer[s->answer_length - c->left] | 0x80);
    if (!c->left && c->owes_notify && n < room) {
        to[n++] = FAKE_CLOSE_NOTIFY;
        c->owes_notify = false;
    }
    *received = n;
    if (n) return TURBOHTTP_OK;
    return s->closes && c->was_asked ? TURBOHTTP_DONE : TURBOHTTP_PENDING;
}

static void fake_server_shut(void *user, void *connection) {
    ((fake_server *)user)->shut++;
    free(connection);
}

static uint64_t fake_server_now(void *user) {
    return ((fake_server *)user)->now_us;
}

/* ------------------------------------------------------------ a client in front of it */
typedef struct fake_fixture {
    fake_server server;
    counting_allocator memory;
    turbohttp_transport transport;
    turbohttp_tls_provider tables[2];
    const turbohttp_tls_provider *list[2];
    turbohttp_client_desc desc;
    turbohttp_client *client;
    turbohttp_tls_options options;
    turbohttp_request_desc request;
    char log[4][256];
    int log_count;
} fake_fixture;

static void fake_log(void *user, const char *line) {
    fake_fixture *f = (fake_fixture *)user;
    strncpy(f->log[f->log_count % 4], line, 255);
    f->log_count++;
    CHECK(!strchr(line, '\n'));
}

static void fake_describe(fake_fixture *f, const char *answer) {
    static const turbohttp_tls_provider first = FAKE_TABLE("first", FAKE_ALL, fake_create_0);
    static const turbohttp_tls_provider second = FAKE_TABLE("second", FAKE_ALL, fake_create_1);
    memset(f, 0, sizeof *f);
    memset(fakes, 0, sizeof fakes);
    f->server.answer = answer;
    f->server.answer_length = strlen(answer);
    f->server.now_us = 1000000;
    f->transport.user = &f->server;
    f->transport.io_open = fake_server_open;
    f->transport.io_send = fake_server_send;
    f->transport.io_receive = fake_server_receive;
    f->transport.io_shut = fake_server_shut;
    f->tables[0] = first;
    f->tables[1] = second;
    f->list[0] = &f->tables[0];
    f->list[1] = &f->tables[1];
    f->desc.allocator = counting_allocator_hooks(&f->memory);
    f->desc.transport = &f->transport;
    f->desc.clock.user = &f->server;
    f->desc.clock.now_us = fake_server_now;
    f->desc.tls_providers = f->list;
    f->desc.tls_provider_count = 2;
    f->desc.log = fake_log;
    f->desc.log_user = f;
    f->request.url = "https://server.test/path";
}

static void fake_start(fake_fixture *f) {
    CHECK_INT(turbohttp_client_create(&f->client, &f->desc), TURBOHTTP_OK);
}

static void fake_end(fake_fixture *f) {
    turbohttp_client_destroy(f->client);
    CHECK_INT(f->server.opened, f->server.shut);
    for (int i = 0; i < 2; i++) {
        CHECK(fakes[i].destroys <= fakes[i].creates);
        CHECK(fakes[i].shuts <= fakes[i].opens);
    }
    CHECK(counting_allocator_balanced(&f->memory));
}

/* Sends, frees, and gives the code; the sentence goes to `text` (may be NULL). */
static turbohttp_status fake_fetch(fake_fixture *f, char *text) {
    turbohttp_response response;
    turbohttp_status status = turbohttp_send(f->client, &f->request, &response);
    CHECK_INT(status, response.error.code);
    if (text) strcpy(text, response.error.text);
    turbohttp_response_free(&response);
    return status;
}
#endif
