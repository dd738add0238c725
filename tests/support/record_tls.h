/* A TLS provider that secures nothing: records of a type, two bytes of length, and plain bytes. It has
 * what matters to the code around a provider: a handshake in steps, records of any split, small
 * rooms, a close_notify. And the other end of it, for an in-memory server. */
#ifndef TEST_RECORD_TLS_H
#define TEST_RECORD_TLS_H
#include <stdlib.h>
#include <string.h>

enum { RECORD_HELLO = 1, RECORD_DATA = 2, RECORD_CLOSE = 3, RECORD_ROOM = 200, RECORD_HEADER = 3 };

/* ------------------------------------------------------------ one direction of records */
typedef struct record_reader {
    unsigned char header[RECORD_HEADER];
    size_t header_fill, left;
} record_reader;

/* Takes one byte of the wire: the type of a record without data that ended here, RECORD_DATA when the
 * byte is plain, or 0. */
static inline int record_take(record_reader *r, unsigned char byte) {
    if (r->header_fill < RECORD_HEADER) {
        r->header[r->header_fill++] = byte;
        if (r->header_fill < RECORD_HEADER) return 0;
        r->left = (size_t)r->header[1] << 8 | r->header[2];
        if (r->left) return 0;
        r->header_fill = 0;
        return r->header[0];
    }
    if (--r->left == 0) r->header_fill = 0;
    return RECORD_DATA;
}

static inline size_t record_wrap(unsigned char *to, int type, const void *data, size_t n) {
    to[0] = (unsigned char)type;
    to[1] = (unsigned char)(n >> 8);
    to[2] = (unsigned char)n;
    if (n) memcpy(to + RECORD_HEADER, data, n);
    return RECORD_HEADER + n;
}

/* ------------------------------------------------------------ the provider */
typedef struct record_tls {
    const turbohttp_allocator *allocator;
    record_reader reader;
    unsigned char out[2 * (RECORD_ROOM + RECORD_HEADER)]; /* wire, to be sent: [out_at, out_fill) */
    size_t out_at, out_fill;
    unsigned char plain[RECORD_ROOM]; /* to be made a record */
    size_t plain_fill;
    unsigned char in[7];              /* wire, received: small on purpose */
    size_t in_fill;
    unsigned char ready[RECORD_ROOM]; /* decrypted: [ready_at, ready_fill) */
    size_t ready_at, ready_fill;
    char protocol[14]; /* ALPN */
    int steps; /* of the handshake, still to do after the answer */
    bool has_answer, is_up, is_closed, wants_step;
} record_tls;

static turbohttp_status record_context_create(const turbohttp_tls_host *host,
                                              const turbohttp_tls_options *options, void **context,
                                              turbohttp_error *error) {
    (void)options, (void)error;
    *context = (void *)(uintptr_t)host->allocator;
    return TURBOHTTP_OK;
}

static void record_context_destroy(void *context) {
    (void)context;
}

/* What the server would like to speak; NULL: it knows no ALPN. */
static const char *record_alpn;

static void record_choose(record_tls *t, const turbohttp_tls_target *target) {
    for (size_t i = 0; i < target->protocol_count && record_alpn; i++) {
        const char *offered = target->protocols[i];
        bool is_liked = !strcmp(offered, record_alpn);
        if (is_liked || !strcmp(offered, "http/1.1")) memcpy(t->protocol, offered, strlen(offered) + 1);
        if (is_liked) return;
    }
}

static turbohttp_status record_open(void *context, const turbohttp_tls_target *target, void **tls,
                                    turbohttp_error *error) {
    const turbohttp_allocator *allocator = (const turbohttp_allocator *)context;
    record_tls *t = (record_tls *)allocator->allocate(allocator->user, sizeof *t);
    (void)error;
    if (!t) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(t, 0, sizeof *t);
    t->allocator = allocator;
    t->out_fill = record_wrap(t->out, RECORD_HELLO, NULL, 0);
    t->steps = 3;
    record_choose(t, target);
    *tls = t;
    return TURBOHTTP_OK;
}

static void record_shut(void *tls) {
    record_tls *t = (record_tls *)tls;
    t->allocator->release(t->allocator->user, t, sizeof *t);
}

static void record_digest(record_tls *t) {
    size_t i = 0;
    for (; i < t->in_fill && t->ready_fill < RECORD_ROOM && !t->is_closed; i++) {
        int type = record_take(&t->reader, t->in[i]);
        if (type == RECORD_HELLO) t->has_answer = true;
        if (type == RECORD_CLOSE) t->is_closed = true;
        if (type == RECORD_DATA) t->ready[t->ready_fill++] = t->in[i];
    }
    memmove(t->in, t->in + i, t->in_fill - i);
    t->in_fill -= i;
}

static turbohttp_status record_step(void *tls, turbohttp_error *error) {
    record_tls *t = (record_tls *)tls;
    (void)error;
    t->wants_step = false;
    record_digest(t);
    if (t->is_closed && t->ready_at == t->ready_fill) return TURBOHTTP_DONE;
    if (t->is_up) return TURBOHTTP_OK;
    if (!t->has_answer) return TURBOHTTP_PENDING;
    t->is_up = --t->steps == 0;
    t->wants_step = !t->is_up;
    return t->is_up ? TURBOHTTP_OK : TURBOHTTP_PENDING;
}

static void record_compact(record_tls *t) {
    memmove(t->out, t->out + t->out_at, t->out_fill - t->out_at);
    t->out_fill -= t->out_at;
    t->out_at = 0;
}

static void *record_wire_in_room(void *tls, size_t *room) {
    record_tls *t = (record_tls *)tls;
    *room = sizeof t->in - t->in_fill;
    return *room ? t->in + t->in_fill : NULL;
}

static void record_wire_in_commit(void *tls, size_t n) {
    record_tls *t = (record_tls *)tls;
    t->in_fill += n;
    record_digest(t);
}

static const void *record_wire_out_peek(void *tls, size_t *n) {
    record_tls *t = (record_tls *)tls;
    *n = t->out_fill - t->out_at;
    return *n ? t->out + t->out_at : NULL;
}

static void record_wire_out_consume(void *tls, size_t n) {
    ((record_tls *)tls)->out_at += n;
}

static void record_flush(void *tls) {
    record_tls *t = (record_tls *)tls;
    record_compact(t);
    if (t->plain_fill == 0 || sizeof t->out - t->out_fill < RECORD_HEADER + t->plain_fill) return;
    t->out_fill += record_wrap(t->out + t->out_fill, RECORD_DATA, t->plain, t->plain_fill);
    t->plain_fill = 0;
}

static void *record_plain_in_room(void *tls, size_t *room) {
    record_tls *t = (record_tls *)tls;
    if (t->plain_fill == RECORD_ROOM) record_flush(t);
    *room = RECORD_ROOM - t->plain_fill;
    return *room && t->is_up ? t->plain + t->plain_fill : NULL;
}

static void record_plain_in_commit(void *tls, size_t n) {
    record_tls *t = (record_tls *)tls;
    t->plain_fill += n;
    if (t->plain_fill == RECORD_ROOM) record_flush(t);
}

static const void *record_plain_out_peek(void *tls, size_t *n) {
    record_tls *t = (record_tls *)tls;
    *n = t->ready_fill - t->ready_at;
    return *n ? t->ready + t->ready_at : NULL;
}

static void record_plain_out_consume(void *tls, size_t n) {
    record_tls *t = (record_tls *)tls;
    t->ready_at += n;
    if (t->ready_at == t->ready_fill) t->ready_at = t->ready_fill = 0;
    record_digest(t);
}

static uint32_t record_wants(const void *tls) {
    const record_tls *t = (const record_tls *)tls;
    return (t->wants_step ? (uint32_t)TURBOHTTP_TLS_STEP : 0u) |
           (t->out_fill > t->out_at ? (uint32_t)TURBOHTTP_TLS_WIRE_OUT : 0u) | TURBOHTTP_TLS_WIRE_IN;
}

static void record_close(void *tls) {
    record_tls *t = (record_tls *)tls;
    record_compact(t);
    if (sizeof t->out - t->out_fill >= RECORD_HEADER)
        t->out_fill += record_wrap(t->out + t->out_fill, RECORD_CLOSE, NULL, 0);
}

static void record_info(const void *tls, turbohttp_tls_info *info) {
    memset(info, 0, sizeof *info);
    memcpy(info->protocol, ((const record_tls *)tls)->protocol, sizeof info->protocol);
    info->provider = "record";
}

static size_t record_session_get(const void *tls, void *session, size_t room) {
    (void)tls, (void)session, (void)room;
    return 0;
}

static const turbohttp_tls_provider record_provider = {
    "record", 0xffffffffu, record_context_create, record_context_destroy, record_open, record_shut,
    record_step, record_wants, record_wire_in_room, record_wire_in_commit, record_wire_out_peek,
    record_wire_out_consume, record_plain_in_room, record_plain_in_commit, record_plain_out_peek,
    record_plain_out_consume, record_flush, record_close, record_info, record_session_get};

/* ------------------------------------------------------------ the other end, on a wire */
typedef struct record_server {
    record_reader reader;
    unsigned char out[RECORD_ROOM + RECORD_HEADER]; /* to the client: [at, fill) */
    size_t at, fill;
    bool has_hello, has_answered, has_closed, was_closed;
    size_t moved; /* bytes of the wire, both ways */
} record_server;

/* What the client sent; plain bytes go to `plain`. Returns how many. */
static inline size_t record_server_put(record_server *s, const void *data, size_t n, char *plain) {
    size_t made = 0;
    for (size_t i = 0; i < n; i++) {
        int type = record_take(&s->reader, ((const unsigned char *)data)[i]);
        if (type == RECORD_HELLO) s->has_hello = true;
        if (type == RECORD_CLOSE) s->was_closed = true;
        if (type == RECORD_DATA) plain[made++] = ((const char *)data)[i];
    }
    s->moved += n;
    return made;
}
#endif
