/* Inflate against zlib: the same verdict, and the same output when the stream is good; and against
 * itself in small pieces: the same output, verdict and rest, good or bad.
 *
 * Input: one byte that chooses the format and the cuts, then the stream. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST = 1 << 18 };

typedef struct outcome {
    turbohttp_status status;
    size_t produced, used;
} outcome;

static size_t cut(uint32_t *seed, size_t most, size_t left) {
    *seed = *seed * 1664525u + 1013904223u;
    size_t n = most ? 1 + (*seed >> 8) % most : left;
    return n < left ? n : left;
}

/* Input and output in exact heap blocks, so that the sanitizer sees every byte too far. */
static outcome by_us(int format, const uint8_t *in, size_t length, uint8_t *out, size_t in_most,
                     size_t out_most) {
    static turbohttp_inflate z;
    outcome o = {TURBOHTTP_PENDING, 0, 0};
    uint32_t seed = (uint32_t)length;
    turbohttp_inflate_init(&z, (turbohttp_inflate_format)format);
    while (o.status == TURBOHTTP_PENDING && o.produced < MOST) {
        size_t given = cut(&seed, in_most, length - o.used), left = given;
        size_t room = cut(&seed, out_most, MOST - o.produced), free_room = room;
        uint8_t *block = (uint8_t *)malloc(given ? given : 1), *target = (uint8_t *)malloc(room);
        memcpy(block, in + o.used, given);
        const uint8_t *p = block;
        uint8_t *q = target;
        o.status = turbohttp_inflate_run(&z, &p, &left, &q, &free_room);
        if (p != block + (given - left) || q != target + (room - free_room)) abort();
        if (o.status == TURBOHTTP_PENDING && left > 0 && free_room > 0) abort();
        memcpy(out + o.produced, target, room - free_room);
        o.produced += room - free_room;
        o.used += given - left;
        free(block);
        free(target);
        if (o.status == TURBOHTTP_PENDING && o.used == length && free_room > 0) break;
    }
    if (o.status >= 0 && o.produced < MOST) o.status = turbohttp_inflate_finish(&z);
    return o;
}

/* 0: complete, 1: corrupt, 2: truncated, 3: too long for this test. Unlike us, it is asked again
 * for each gzip member. */
static int by_zlib(int format, const uint8_t *in, size_t length, uint8_t *out, outcome *o) {
    static const int bits[] = {31, 15, -15};
    int status;
    o->produced = o->used = 0;
    do {
        z_stream z;
        memset(&z, 0, sizeof z);
        if (inflateInit2(&z, bits[format]) != Z_OK) abort();
        z.next_in = (Bytef *)(uintptr_t)(in + o->used);
        z.avail_in = (uInt)(length - o->used);
        z.next_out = out + o->produced;
        z.avail_out = (uInt)(MOST - o->produced);
        status = inflate(&z, Z_SYNC_FLUSH);
        o->produced = MOST - z.avail_out;
        o->used = length - z.avail_in;
        inflateEnd(&z);
        if (z.avail_out == 0) return 3;
        if (status == Z_DATA_ERROR || status == Z_NEED_DICT) return 1;
        if (status != Z_STREAM_END) return 2;
    } while (format == TURBOHTTP_INFLATE_GZIP && o->used < length);
    return 0;
}

static void must(bool condition) {
    if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t whole[MOST], pieces[MOST], theirs[MOST];
    if (size < 1 || size > 60000) return 0;
    int format = data[0] & 3;
    size_t in_most = data[0] & 4 ? 1 : data[0] & 8 ? 9 : 400;
    size_t out_most = data[0] & 16 ? 1 : data[0] & 32 ? 40 : 3000;
    data++;
    size--;
    outcome o = by_us(format, data, size, whole, 0, 0), expected;
    outcome p = by_us(format, data, size, pieces, in_most, out_most);
    must(o.produced == p.produced && memcmp(whole, pieces, o.produced) == 0);
    if (o.produced == MOST) return 0;
    must(o.status == p.status);
    must(o.status < 0 || o.used == p.used);
    if (format == TURBOHTTP_INFLATE_DEFLATE_AUTO) return 0;
    int verdict = by_zlib(format, data, size, theirs, &expected);
    must(verdict == 3 || (verdict == 0) == (o.status == TURBOHTTP_OK));
    if (verdict == 0) must(o.produced == expected.produced && o.used == expected.used);
    if (verdict == 0 || verdict == 2) must(memcmp(whole, theirs, o.produced) == 0);
    return 0;
}
