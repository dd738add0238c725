/* Inflates many streams in one process, for drivers in other languages.
 *
 * stdin, until its end: 4 bytes big-endian length of the stream, 1 byte format (`g` gzip, `z` zlib,
 * `r` raw), 1 byte chunk (0: all at once; else input is fed and output taken so many bytes at a
 * time), then the stream.
 * stdout, for each: 1 byte status (0 ok, 1 error), 4 bytes big-endian length, the output; after an
 * error, what was decoded before it. A truncated stream is an error, and so are bytes behind the
 * stream's end, in every format. The output is flushed before stdin is read again. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct grown {
    uint8_t *data;
    size_t length, capacity;
} grown;

static void grown_reserve(grown *g, size_t capacity) {
    if (capacity <= g->capacity) return;
    while (g->capacity < capacity) g->capacity = g->capacity ? g->capacity * 2 : 65536;
    g->data = (uint8_t *)realloc(g->data, g->capacity);
    if (!g->data) abort();
}

static turbohttp_status inflate_piece(turbohttp_inflate *z, const uint8_t **in, size_t *left,
                                      size_t chunk, grown *out) {
    turbohttp_status status;
    size_t room;
    do {
        room = chunk ? chunk : 65536;
        grown_reserve(out, out->length + room);
        uint8_t *at = out->data + out->length;
        status = turbohttp_inflate_run(z, in, left, &at, &room);
        out->length = (size_t)(at - out->data);
    } while (status == TURBOHTTP_PENDING && room == 0);
    return status;
}

static bool inflate_stream(turbohttp_inflate_format format, const uint8_t *in, size_t length,
                           size_t chunk, grown *out) {
    static turbohttp_inflate z;
    turbohttp_status status = TURBOHTTP_PENDING;
    turbohttp_inflate_init(&z, format);
    out->length = 0;
    while (length > 0 && status == TURBOHTTP_PENDING) {
        size_t given = chunk && chunk < length ? chunk : length, left = given;
        status = inflate_piece(&z, &in, &left, chunk, out);
        length -= given - left;
    }
    return status >= 0 && length == 0 && turbohttp_inflate_finish(&z) == TURBOHTTP_OK;
}

int main(void) {
    static grown in, out;
    uint8_t head[6];
    while (fread(head, 1, 6, stdin) == 6) {
        in.length = tbh_load32_be(head);
        grown_reserve(&in, in.length + 1);
        if (fread(in.data, 1, in.length, stdin) != in.length) return 1;
        turbohttp_inflate_format format = head[4] == 'g'   ? TURBOHTTP_INFLATE_GZIP
                                          : head[4] == 'z' ? TURBOHTTP_INFLATE_ZLIB
                                                           : TURBOHTTP_INFLATE_RAW;
        uint8_t answer[5];
        answer[0] = !inflate_stream(format, in.data, in.length, head[5], &out);
        tbh_store32_be(answer + 1, (uint32_t)out.length);
        fwrite(answer, 1, 5, stdout);
        if (out.length) fwrite(out.data, 1, out.length, stdout);
        if (fflush(stdout) != 0) return 1;
    }
    return 0;
}
