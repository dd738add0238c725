/* HTTP/2 frames: whole input and pieces give the same events; what a frame hands out adds up to its
 * length; a reference that is written from RFC 9113's table of lengths agrees about the first error.
 *
 * Input: a byte that chooses the side and the cuts, then frames. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

typedef struct tally {
    uint64_t digest;
    uint32_t frames, error;
    turbohttp_status status;
} tally;

static void must(bool condition) {
    if (!condition) abort();
}

static void mix(tally *t, uint64_t value) {
    t->digest = (t->digest ^ value) * UINT64_C(0x100000001b3);
}

static void add(tally *t, const turbohttp_h2_event *e) {
    t->frames += e->kind == TURBOHTTP_H2_EVENT_END;
    for (size_t i = 0; i < e->bytes.length; i++) mix(t, (uint8_t)e->bytes.data[i]);
    if (e->kind == TURBOHTTP_H2_EVENT_BYTES) must(e->bytes.length > 0 && e->bytes.length <= e->frame.length);
    if (e->kind == TURBOHTTP_H2_EVENT_BYTES) return;
    mix(t, (uint64_t)e->kind << 32 | e->frame.length);
    mix(t, (uint64_t)e->frame.stream_id << 16 | (uint64_t)e->frame.type << 8 | e->frame.flags);
    mix(t, (uint64_t)e->setting.id << 32 | e->setting.value);
    mix(t, (uint64_t)e->other_id << 32 | e->increment);
    mix(t, (uint64_t)e->error << 32 | (uint64_t)e->weight << 8 | e->is_exclusive);
    for (int i = 0; i < 8; i++) mix(t, e->ping[i]);
}

static tally read_all(const uint8_t *data, size_t size, bool is_server, size_t step) {
    turbohttp_h2_reader r;
    turbohttp_h2_limits limits = {0, 0, 0, false};
    turbohttp_h2_event e;
    tally t = {0, 0, 0, TURBOHTTP_PENDING};
    memset(&e, 0, sizeof e);
    limits.is_server = is_server;
    turbohttp_h2_reader_init(&r, &limits);
    for (size_t at = 0; at < size && t.status == TURBOHTTP_PENDING; at += step) {
        size_t n = step < size - at ? step : size - at, left = n;
        uint8_t *piece = (uint8_t *)malloc(n);
        const uint8_t *in = piece;
        memcpy(piece, data + at, n);
        while ((t.status = turbohttp_h2_read(&r, &in, &left, &e)) == TURBOHTTP_OK) add(&t, &e);
        must(t.status != TURBOHTTP_PENDING || left == 0);
        free(piece);
    }
    t.error = e.error;
    return t;
}

/* How many frames are complete before the first that has a forbidden length or place; SIZE_MAX in
 * `frames` when none has. Values and order are not looked at. */
static size_t bad_header(const uint8_t *p, size_t n) {
    static const uint32_t exact[] = {0, 0, 0, 4, 0, 0, 8, 0, 4, 0};
    size_t frames = 0;
    for (size_t at = 0; n - at >= 9; frames++) {
        uint32_t length = (uint32_t)p[at] << 16 | (uint32_t)p[at + 1] << 8 | p[at + 2], type = p[at + 3];
        bool on_stream = ((p[at + 5] & 0x7f) | p[at + 6] | p[at + 7] | p[at + 8]) != 0;
        if (length > 16384) return frames;
        if (type < 10 && type != 8 && (type == 4 || type == 6 || type == 7) == on_stream) return frames;
        if (type < 10 && exact[type] && length != exact[type]) return frames;
        if (type == 7 && length < 8) return frames;
        if (type == 4 && length % 6) return frames;
        if (n - at - 9 < length) return SIZE_MAX;
        at += 9 + length;
    }
    return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    bool is_server = data[0] & 1;
    tally whole = read_all(data + 1, size - 1, is_server, size);
    tally pieces = read_all(data + 1, size - 1, is_server, 1 + data[0] / 2 % 13);
    must(whole.status == pieces.status && whole.frames == pieces.frames && whole.digest == pieces.digest);
    must(whole.status != TURBOHTTP_ERR_H2_FRAME || (whole.error && whole.error == pieces.error));
    size_t bad = bad_header(data + 1, size - 1);
    if (bad != SIZE_MAX) must(whole.status == TURBOHTTP_ERR_H2_FRAME && whole.frames <= bad);
    return 0;
}
