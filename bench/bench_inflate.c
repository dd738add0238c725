/* How fast is inflate? gzip level 6, CRC verified, 16 KiB of input at a time, 64 KiB of room.
 *
 *     bench_inflate [file ...]        otherwise: generated data, and files that Debian usually has
 *     bench_inflate --once file       one decoding by us alone, for callgrind and perf
 *
 * Peers in the same run: zlib, streaming in the same manner, and libdeflate, which needs the whole
 * stream in memory. Rotating order, median of the rounds, processor time. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum { IN_PIECE = 16384, OUT_PIECE = 65536, ROUNDS = 11, PEERS = 3 };

typedef struct sample {
    char name[64];
    uint8_t *plain, *packed, *room;
    size_t plain_length, packed_length;
} sample;

static uint8_t piece[OUT_PIECE];
static double log_zlib, log_libdeflate;
static int samples_seen;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t by_us(const sample *s) {
    static turbohttp_inflate z;
    turbohttp_inflate_init(&z, TURBOHTTP_INFLATE_GZIP);
    size_t total = 0;
    for (size_t at = 0; at < s->packed_length;) {
        const uint8_t *in = s->packed + at;
        size_t given = s->packed_length - at < IN_PIECE ? s->packed_length - at : IN_PIECE;
        size_t left = given, room;
        do {
            uint8_t *out = piece;
            room = OUT_PIECE;
            if (turbohttp_inflate_run(&z, &in, &left, &out, &room) < 0) exit(1);
            total += OUT_PIECE - room;
        } while (room == 0);
        at += given - left;
    }
    return turbohttp_inflate_finish(&z) == TURBOHTTP_OK ? total : 0;
}

static size_t by_zlib(const sample *s) {
    static z_stream z;
    int status = Z_OK;
    if (z.state ? inflateReset(&z) : inflateInit2(&z, 31)) exit(1);
    for (size_t at = 0; at < s->packed_length;) {
        size_t given = s->packed_length - at < IN_PIECE ? s->packed_length - at : IN_PIECE;
        z.next_in = s->packed + at;
        z.avail_in = (uInt)given;
        do {
            z.next_out = piece;
            z.avail_out = OUT_PIECE;
            status = inflate(&z, Z_NO_FLUSH);
        } while (z.avail_out == 0);
        at += given;
    }
    return status == Z_STREAM_END ? z.total_out : 0;
}

static size_t by_libdeflate(const sample *s) {
    static struct libdeflate_decompressor *d;
    size_t n = 0;
    if (!d) d = libdeflate_alloc_decompressor();
    libdeflate_gzip_decompress(d, s->packed, s->packed_length, s->room, s->plain_length, &n);
    return n;
}

static size_t (*const peers[PEERS])(const sample *) = {by_us, by_zlib, by_libdeflate};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const sample *s) {
    double times[PEERS][ROUNDS];
    size_t repeats = 1 + 8000000 / (s->plain_length + 1);
    for (int round = -1; round < ROUNDS; round++)
        for (int turn = 0; turn < PEERS; turn++) {
            int peer = (turn + round + PEERS) % PEERS;
            double start = now();
            for (size_t i = 0; i < repeats; i++)
                if (peers[peer](s) != s->plain_length) {
                    printf("%s: peer %d decodes it wrongly\n", s->name, peer);
                    exit(1);
                }
            if (round >= 0) times[peer][round] = now() - start;
        }
    double speed[PEERS];
    for (int peer = 0; peer < PEERS; peer++) {
        qsort(times[peer], ROUNDS, sizeof times[peer][0], by_value);
        speed[peer] = (double)(repeats * s->plain_length) / times[peer][ROUNDS / 2] / 1e6;
    }
    printf("%-24s %9zu %5.1f%%  %7.0f %7.0f %7.0f   %5.2f %5.2f\n", s->name, s->plain_length,
           100.0 * (double)s->packed_length / (double)s->plain_length, speed[0], speed[1], speed[2],
           speed[0] / speed[1], speed[0] / speed[2]);
    log_zlib += speed[0] / speed[1];
    log_libdeflate += speed[0] / speed[2];
    samples_seen++;
}

static void pack(sample *s) {
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY)) exit(1);
    size_t bound = deflateBound(&z, s->plain_length);
    s->packed = (uint8_t *)malloc(bound);
    s->room = (uint8_t *)malloc(s->plain_length + 1);
    z.next_in = s->plain;
    z.avail_in = (uInt)s->plain_length;
    z.next_out = s->packed;
    z.avail_out = (uInt)bound;
    if (!s->packed || !s->room || deflate(&z, Z_FINISH) != Z_STREAM_END) exit(1);
    s->packed_length = z.total_out;
    deflateEnd(&z);
}

static void bench_bytes(const char *name, uint8_t *plain, size_t length, bool once) {
    sample s;
    snprintf(s.name, sizeof s.name, "%s", name);
    s.plain = plain;
    s.plain_length = length;
    pack(&s);
    if (once) printf("%s: %zu bytes\n", name, by_us(&s));
    else measure(&s);
    free(s.packed);
    free(s.room);
}

static bool bench_file(const char *path, bool once) {
    enum { MOST = 8000000 };
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    uint8_t *plain = (uint8_t *)malloc(MOST);
    size_t length = plain ? fread(plain, 1, MOST, f) : 0;
    fclose(f);
    const char *name = strrchr(path, '/');
    if (length) bench_bytes(name ? name + 1 : path, plain, length, once);
    free(plain);
    return length > 0;
}

/* ------------------------------------------------------------ generated inputs */
static uint32_t seed = 1;
static uint32_t pick(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* Few words often, many seldom. */
static const char *word(void) {
    static const char *const syllables[] = {"ta", "ren", "mo", "li", "ker", "an", "sto", "e",
                                            "vi", "dun", "or", "pe", "cha", "ul", "in",  "s"};
    static char words[600][20];
    if (!words[0][0])
        for (int i = 0; i < 600; i++)
            for (uint32_t n = 1 + pick(4); n > 0; n--) strcat(words[i], syllables[pick(16)]);
    return words[pick(1 + pick(600))];
}

static int line_of(char *at, size_t room, int kind) {
    if (kind == 0)
        return snprintf(at, room,
                        "{\"id\":%u,\"name\":\"%s %s\",\"price\":%u.%02u,\"tags\":[\"%s\","
                        "\"%s\"],\"active\":%s},\n",
                        pick(1000000), word(), word(), pick(900), pick(100), word(), word(),
                        pick(2) ? "true" : "false");
    if (kind == 1)
        return snprintf(at, room,
                        "<tr class=\"%s\"><td><a href=\"/%s/%u\">%s %s</a></td><td>%s %s "
                        "%s</td></tr>\n",
                        word(), word(), pick(5000), word(), word(), word(), word(), word());
    if (kind == 2)
        return snprintf(at, room, "    function %s(%s, %s) { return this.%s[%s] || %s.%s(%u); }\n",
                        word(), word(), word(), word(), word(), word(), word(), pick(64));
    return snprintf(at, room, "%s %s %s, %s %s %s %s. ", word(), word(), word(), word(), word(),
                    word(), word());
}

static void bench_generated(const char *name, int kind, size_t size) {
    char *plain = (char *)malloc(size + 512);
    size_t length = 0;
    if (!plain) exit(1);
    while (length < size) length += (size_t)line_of(plain + length, 512, kind);
    bench_bytes(name, (uint8_t *)plain, length, false);
    free(plain);
}

int main(int argc, char **argv) {
    static const char *const known[] = {"/usr/share/common-licenses/GPL-3",
                                        "/usr/share/perl/5.36.0/perl5db.pl",
                                        "/usr/share/nodejs/acorn/dist/acorn.js",
                                        "/usr/share/nodejs/npm/package.json",
                                        "/usr/share/iso-codes/json/iso_639-3.json",
                                        "/usr/lib/python3.11/pydoc_data/topics.py",
                                        "/usr/share/doc/libpng-dev/examples/libpng-manual.txt.gz",
                                        "/usr/include/sqlite3.h",
                                        "/usr/lib/python3.11/_pydecimal.py",
                                        "/usr/share/mime/packages/freedesktop.org.xml"};
    if (argc == 3 && strcmp(argv[1], "--once") == 0) return !bench_file(argv[2], true);
    printf("sizeof(turbohttp_inflate) = %zu\n", sizeof(turbohttp_inflate));
    printf("%-24s %9s %6s  %7s %7s %7s   %5s %5s\n", "gzip -6, MB/s", "bytes", "packed", "ours",
           "zlib", "libdefl", "/zlib", "/libd");
    for (int i = 1; i < argc; i++)
        if (!bench_file(argv[i], false)) printf("%s: cannot be read\n", argv[i]);
    if (argc == 1) {
        bench_generated("generated json", 0, 2000000);
        bench_generated("generated html", 1, 500000);
        bench_generated("generated js", 2, 150000);
        bench_generated("generated text", 3, 1000000);
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) bench_file(known[i], false);
    }
    if (samples_seen)
        printf("mean of %d: %.2f x zlib, %.2f x libdeflate\n", samples_seen,
               log_zlib / samples_seen, log_libdeflate / samples_seen);
    return 0;
}
