/* F6: a whole HTTP/2 session. What the server sends is understood the same whole and in pieces; no
 * allocation is left over; memory stays within the windows; the bytes that we send are frames that a
 * server's reader accepts. Errors of flow control depend on what we sent when, and are left out of the
 * comparison.
 *
 * Input: a byte that chooses the pieces, one that chooses what consumers take, then frames. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

enum { STREAMS = 4 };

typedef struct session {
    turbohttp_allocator allocator;
    size_t live;
    tbh_heap *heap;
    turbohttp_limits limits;
    tbh_mux h;
    tbh_mux_stream s[STREAMS];
    char heads[STREAMS][128];
    tbh_source body;
    turbohttp_h2_reader reader;
    size_t preface;
    uint64_t digest[STREAMS + 1];
    uint64_t now;
    uint32_t steps;
    bool is_timed; /* a window was left: what was sent before, and when, decides about that */
} session;

static void must(bool condition) {
    if (!condition) abort();
}

static void *session_allocate(void *user, size_t size) {
    ((session *)user)->live += size;
    return malloc(size);
}

static void session_release(void *user, void *block, size_t size) {
    ((session *)user)->live -= size;
    free(block);
}

static void mix(session *x, int stream, uint64_t value) {
    x->digest[stream] = (x->digest[stream] ^ value) * UINT64_C(0x100000001b3);
}

static void send_all(session *x) {
    turbohttp_span out;
    turbohttp_h2_event e;
    while (tbh_mux_out_peek(&x->h, x->now, &out) == TURBOHTTP_OK) {
        const uint8_t *in = (const uint8_t *)out.data;
        size_t n = out.length, skipped = n < x->preface ? n : x->preface;
        turbohttp_status status;
        in += skipped;
        n -= skipped;
        x->preface -= skipped;
        while ((status = turbohttp_h2_read(&x->reader, &in, &n, &e)) == TURBOHTTP_OK) must(++x->steps < 1000000);
        must(status == TURBOHTTP_PENDING);
        tbh_mux_out_consume(&x->h, out.length);
    }
}

static void note_section(session *x, int i, const tbh_mux_section *section) {
    mix(x, i, section->count);
    for (uint32_t k = 0; k < section->count; k++) {
        const turbohttp_header *row = &section->table[k];
        must(row->name[row->name_length] == 0 && row->value[row->value_length] == 0);
        for (uint32_t n = 0; n < row->name_length; n++) mix(x, i, (uint8_t)row->name[n]);
        for (uint32_t n = 0; n < row->value_length; n++) {
            must((uint8_t)row->value[n] >= 0x20 || row->value[n] == '\t');
            mix(x, i, (uint8_t)row->value[n]);
        }
    }
}

static void handle(session *x, const tbh_mux_event *e, bool pauses) {
    int i = e->stream ? (int)(e->stream - x->s) : STREAMS;
    must(++x->steps < 1000000);
    if (e->kind != TBH_MUX_BODY) mix(x, i, (uint64_t)e->kind);
    if (e->kind == TBH_MUX_BODY) {
        size_t n = pauses && e->span.length > 1 ? e->span.length / 2 : e->span.length;
        for (size_t k = 0; k < n; k++) mix(x, i, (uint8_t)e->span.data[k]);
        tbh_mux_body_consume(e->stream, n);
        if (n < e->span.length) tbh_mux_resume(e->stream);
    }
    if (e->kind == TBH_MUX_HEAD) note_section(x, i, &e->stream->head);
    if (e->kind == TBH_MUX_HEAD) mix(x, i, e->stream->status);
    if (e->kind == TBH_MUX_TRAILERS) note_section(x, i, &e->stream->trailer);
    if (e->kind == TBH_MUX_RESET) mix(x, i, (uint64_t)(uint32_t)e->stream->reason << 32 | e->stream->code);
    if (e->kind == TBH_MUX_FAILED) mix(x, i, (uint64_t)(uint32_t)x->h.status << 32 | x->h.code);
    if (e->kind == TBH_MUX_RESET && e->stream->code == TURBOHTTP_H2_FLOW_CONTROL_ERROR) x->is_timed = true;
    if (e->kind == TBH_MUX_END || e->kind == TBH_MUX_RESET) tbh_mux_release(e->stream);
}

static void pump(session *x, bool pauses) {
    tbh_mux_event e;
    while (tbh_mux_next(&x->h, x->now, &e) != TBH_MUX_NOTHING) handle(x, &e, pauses);
}

static void start(session *x, int i) {
    tbh_conn_request request;
    memset(&request, 0, sizeof request);
    strcpy(x->heads[i], i == 1 ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                        : i == 2 ? "POST / HTTP/1.1\r\nHost: a\r\n\r\n"
                                 : "GET /x HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n");
    request.head = tbh_span_of(x->heads[i]);
    request.method_bytes = strcspn(x->heads[i], " ");
    request.target_bytes = strcspn(x->heads[i] + request.method_bytes + 1, " ");
    request.is_head = i == 1;
    if (i == 2) {
        static const uint8_t zeroes[70000] = {0};
        x->body.data = zeroes;
        x->body.length = sizeof zeroes;
        request.body = &x->body;
    }
    must(tbh_mux_start(&x->h, &x->s[i], &request, NULL) == TURBOHTTP_OK);
}

static void run(session *x, const uint8_t *data, size_t size, size_t piece, bool pauses) {
    memset(x, 0, sizeof *x);
    x->allocator.user = x;
    x->allocator.allocate = session_allocate;
    x->allocator.release = session_release;
    x->heap = tbh_heap_create(&x->allocator, 65536, 8, TURBOHTTP_CLEAR_NONE, false);
    x->limits.head_bytes = 8192;
    x->limits.line_bytes = 2048;
    x->limits.header_count = 16;
    x->limits.interim_count = 4;
    x->limits.block_bytes = 1024;
    x->limits.receive_bytes = 16384;
    x->now = 1000;
    x->preface = 24;
    turbohttp_h2_limits limits = {0, 0, 0, true};
    turbohttp_h2_reader_init(&x->reader, &limits);
    tbh_mux_options options;
    memset(&options, 0, sizeof options);
    options.stream_window = 40000;
    options.connection_window = 80000;
    must(tbh_mux_init(&x->h, &x->heap->blocks, &x->limits, &options, false, x->now) == TURBOHTTP_OK);
    for (int i = 0; i < STREAMS; i++) start(x, i);
    send_all(x);
    while (size > 0) {
        size_t room, n = piece && piece < size ? piece : size;
        uint8_t *place = tbh_mux_in_room(&x->h, &room);
        must(place != NULL);
        if (n > room) n = room;
        memcpy(place, data, n);
        tbh_mux_in_commit(&x->h, n);
        pump(x, pauses);
        send_all(x);
        data += n;
        size -= n;
    }
    tbh_mux_in_end(&x->h);
    pump(x, pauses);
    for (int i = 0; i < STREAMS; i++) must(x->s[i].mux == NULL); /* everyone was told an end */
    tbh_mux_reset(&x->h);
    tbh_heap_drop(x->heap);
    must(x->live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static session whole, pieces;
    if (size < 2) return 0;
    size_t piece = 1 + data[0] % 40;
    run(&whole, data + 2, size - 2, 0, data[1] & 1);
    run(&pieces, data + 2, size - 2, piece, data[1] & 2);
    if (whole.is_timed || pieces.is_timed) return 0;
    must(memcmp(whole.digest, pieces.digest, sizeof whole.digest) == 0);
    return 0;
}
