/* Inflate against zlib, with a fixed seed: streams of every level, strategy, window and header, whole
 * and in pieces, then each of them damaged in several ways. The verdict is the same, and so is the
 * output: all of it when the stream is good, what both produced when it is not. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"
#include <zlib.h>

#define MOST 60000

static uint32_t seed;
static uint32_t pick(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

typedef enum verdict { COMPLETE, CUT_SHORT, CORRUPT } verdict;

typedef struct outcome {
    verdict verdict;
    size_t produced, left; /* bytes out; bytes behind a complete stream */
} outcome;

static uint8_t text[MOST], packed[2 * MOST], damaged[2 * MOST], by_zlib[MOST], by_us[MOST];
static uint8_t extra[300];

/* What deflate likes, and what it does not: words, runs, periods, noise, far repetitions. */
static size_t make_text(void) {
    size_t n = pick(8) ? pick(2000) : pick(MOST);
    uint32_t kind = pick(6), period = 1 + pick(300);
    for (size_t i = 0; i < n; i++) {
        uint32_t noise = pick(256);
        if (kind == 0) text[i] = (uint8_t)noise;
        else if (kind == 1) text[i] = (uint8_t)(noise < 3 ? noise : 'a');
        else if (kind == 2) text[i] = (uint8_t)(i < period ? noise : text[i - period]);
        else if (kind == 3) text[i] = (uint8_t)"etaoin shrdlu"[noise * noise / 5001];
        else if (kind == 4) text[i] = (uint8_t)(i > 40000 && i % 100 > 5 ? text[i - 32768 + i % 7] : noise);
        else text[i] = (uint8_t)(noise & pick(256) & pick(256)); /* few symbols often: long codes */
    }
    return n;
}

/* zlib's windowBits for our formats. */
static int window_of(turbohttp_inflate_format format, int bits) {
    return format == TURBOHTTP_INFLATE_GZIP ? bits + 16 : format == TURBOHTTP_INFLATE_RAW ? -bits : bits;
}

static size_t pack(turbohttp_inflate_format format, size_t n) {
    z_stream z;
    gz_header header;
    memset(&z, 0, sizeof z);
    memset(&header, 0, sizeof header);
    int bits = 9 + (int)pick(7), level = (int)pick(10), strategy = (int)pick(5);
    CHECK_INT(deflateInit2(&z, level, Z_DEFLATED, window_of(format, bits), 1 + (int)pick(9), strategy), Z_OK);
    header.text = (int)pick(2);
    header.extra = pick(2) ? extra : NULL;
    header.extra_len = pick(300);
    header.name = pick(2) ? (Bytef *)(uintptr_t)"a name" : NULL;
    header.comment = pick(2) ? (Bytef *)(uintptr_t)"" : NULL;
    header.hcrc = (int)pick(2);
    if (format == TURBOHTTP_INFLATE_GZIP) CHECK_INT(deflateSetHeader(&z, &header), Z_OK);
    z.next_in = text;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    for (size_t at = 0; at < n;) {
        size_t part = pick(3) ? n - at : 1 + pick((uint32_t)(n - at));
        static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK};
        z.avail_in = (uInt)part;
        CHECK_INT(deflate(&z, flushes[pick(5)]), Z_OK);
        at += part;
    }
    CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return (size_t)z.total_out;
}

static outcome ask_zlib(turbohttp_inflate_format format, const uint8_t *in, size_t n) {
    outcome o;
    z_stream z;
    memset(&z, 0, sizeof z);
    inflateInit2(&z, window_of(format, 15));
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = by_zlib;
    z.avail_out = sizeof by_zlib;
    int status = inflate(&z, Z_SYNC_FLUSH);
    o.verdict = status == Z_STREAM_END ? COMPLETE : status == Z_OK || status == Z_BUF_ERROR ? CUT_SHORT : CORRUPT;
    o.produced = (size_t)z.total_out;
    o.left = z.avail_in;
    inflateEnd(&z);
    return o;
}

/* Pieces of in_most and out_most bytes at most, the input at the end of a page. */
static outcome ask_us(turbohttp_inflate_format format, const uint8_t *in, size_t n, size_t in_most, size_t out_most) {
    static turbohttp_inflate z;
    outcome o = {CUT_SHORT, 0, 0};
    turbohttp_status status = TURBOHTTP_PENDING;
    guard g = guard_copy(in, n);
    const uint8_t *p = g.data;
    turbohttp_inflate_init(&z, format);
    do {
        size_t given = tbh_min_size(in_most, (size_t)(g.data + n - p)), left = given;
        size_t room = tbh_min_size(out_most, sizeof by_us - o.produced), had = room;
        uint8_t *out = by_us + o.produced;
        status = turbohttp_inflate_run(&z, &p, &left, &out, &room);
        o.produced += had - room;
        if (status == TURBOHTTP_PENDING && room > 0 && p == g.data + n) break;
    } while (status == TURBOHTTP_PENDING && o.produced < sizeof by_us);
    if (status >= 0) status = turbohttp_inflate_finish(&z);
    o.verdict = status == TURBOHTTP_OK ? COMPLETE : status == TURBOHTTP_ERR_BODY_TRUNCATED ? CUT_SHORT : CORRUPT;
    o.left = (size_t)(g.data + n - p);
    guard_free(&g);
    return o;
}

/* Is the stream corrupt for zlib, too, as soon as more of it comes? Where a block's code for code
 * lengths is empty, zlib reads all lengths before it says so. */
static bool is_corrupt_in_the_end(turbohttp_inflate_format format, const uint8_t *in, size_t n) {
    static uint8_t longer[2 * MOST + 100];
    memcpy(longer, in, n);
    for (int fill = 0; fill < 256; fill += 255) {
        memset(longer + n, fill, 100);
        if (ask_zlib(format, longer, n + 100).verdict != CORRUPT) return false;
    }
    return true;
}

static void compare(turbohttp_inflate_format format, const uint8_t *in, size_t n, const char *what) {
    static const size_t cuts[][2] = {{MOST * 2, MOST}, {1, MOST}, {MOST * 2, 1}, {1, 1}, {7, 500}, {1000, 333}, {16384, 16384}};
    outcome theirs = ask_zlib(format, in, n);
    if (theirs.produced == sizeof by_zlib) return; /* more than fits here */
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        if (i > 0 && i < 4 && n > 1000 && pick(10)) continue; /* byte by byte takes its time */
        outcome ours = ask_us(format, in, n, cuts[i][0], cuts[i][1]);
        /* Behind a gzip member another may follow; what does not begin one is an error, unlike in zlib. */
        bool is_followed = format == TURBOHTTP_INFLATE_GZIP && theirs.verdict == COMPLETE && theirs.left > 0;
        size_t both = tbh_min_size(ours.produced, theirs.produced);
        bool good = is_followed || ours.verdict == theirs.verdict ||
                    (ours.verdict == CORRUPT && theirs.verdict == CUT_SHORT && is_corrupt_in_the_end(format, in, n));
        if (theirs.verdict == COMPLETE && !is_followed)
            good = good && ours.produced == theirs.produced && ours.left == theirs.left;
        if (ours.verdict != theirs.verdict) (void)ask_zlib(format, in, n); /* its output again */
        if (!good || memcmp(by_us, by_zlib, both) != 0)
            printf("%s, format %d, %zu bytes, cut %zu: %d/%d, %zu/%zu out, %zu/%zu left\n", what, (int)format, n, i,
                   (int)ours.verdict, (int)theirs.verdict, ours.produced, theirs.produced, ours.left, theirs.left);
        CHECK(good && memcmp(by_us, by_zlib, both) == 0);
    }
}

static size_t damage(size_t n) {
    memcpy(damaged, packed, n);
    uint32_t where = pick(2) ? (uint32_t)n : (uint32_t)tbh_min_size(n, 120); /* heads are dense */
    switch (pick(6)) {
    case 0: return pick(where + 1);
    case 1: damaged[pick(where)] = (uint8_t)pick(256); return n;
    case 2:
        for (uint32_t i = pick(4) + 1; i > 0; i--) damaged[pick(where)] ^= (uint8_t)(1u << pick(8));
        return n;
    case 3: {
        uint32_t at = pick(where);
        memmove(damaged + at, damaged + at + 1, n - at - 1);
        return n - 1;
    }
    case 4: {
        uint32_t at = pick(where);
        memmove(damaged + at + 1, damaged + at, n - at);
        damaged[at] = (uint8_t)pick(256);
        return n + 1;
    }
    default:
        for (uint32_t i = 0; i < 5; i++) damaged[n + i] = (uint8_t)pick(256);
        return n + 5;
    }
}

static void S_62_good_and_damaged_streams_have_zlibs_verdict(void) {
    static const turbohttp_inflate_format formats[] = {TURBOHTTP_INFLATE_GZIP, TURBOHTTP_INFLATE_ZLIB, TURBOHTTP_INFLATE_RAW};
    seed = 20261121;
    for (int round = 0; round < 400; round++) {
        turbohttp_inflate_format format = formats[round % 3];
        size_t length = make_text(), n = pack(format, length);
        if (length == MOST) continue;
        compare(format, packed, n, "good");
        CHECK(memcmp(by_us, text, length) == 0);
        for (int k = 0; k < 8; k++) {
            size_t m = damage(n);
            compare(format, damaged, m, "damaged");
        }
    }
}

/* A preset dictionary is something that HTTP never has. */
static void S_62_a_preset_dictionary_is_refused(void) {
    z_stream z;
    memset(&z, 0, sizeof z);
    deflateInit(&z, 9);
    deflateSetDictionary(&z, (const Bytef *)"hello", 5);
    z.next_in = (Bytef *)(uintptr_t)"hello hello";
    z.avail_in = 11;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
    for (size_t most = 1; most < 20; most++) {
        outcome o = ask_us(TURBOHTTP_INFLATE_ZLIB, packed, (size_t)z.total_out, most, 100);
        CHECK(o.verdict == CORRUPT && o.produced == 0);
    }
    deflateEnd(&z);
}

static const check_test tests[] = {
    CHECK_TEST(S_62_good_and_damaged_streams_have_zlibs_verdict),
    CHECK_TEST(S_62_a_preset_dictionary_is_refused),
};
CHECK_MAIN(tests)
