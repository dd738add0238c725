/* How fast is HPACK beside libnghttp2, and how small is what it writes?
 *
 *   cc -O2 -I. bench/bench_hpack.c -o build/bench_hpack -l:libnghttp2.a
 *   build/bench_hpack FILE       ratios (quickest.h)
 *   build/bench_hpack FILE ours-decode|peer-decode|ours-encode|peer-encode N   for an instruction counter
 * FILE has lines `R` (a new connection), `F hexname hexvalue`, `.` (end of a list) and `B hex` (the
 * list just ended as a block; without one libnghttp2 makes it). bench/run.py writes it. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "quickest.h"
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE  4096
#define LINE   (1 << 20)

/* Not in nghttp2's headers, but in its static library. */
typedef struct huff_buffer {
    uint8_t *begin, *end, *pos, *last, *mark;
} huff_buffer;
typedef struct huff_context {
    uint64_t state[2];
} huff_context;
void nghttp2_hd_huff_decode_context_init(huff_context *context);
ssize_t nghttp2_hd_huff_decode(huff_context *context, huff_buffer *buffer, const uint8_t *in, size_t n, int final);

typedef struct list {
    size_t first, count; /* fields */
    const uint8_t *block;
    size_t block_length;
    bool is_new;
} list;

typedef struct string {
    const uint8_t *coded;
    size_t length, plain_length;
} string;

static turbohttp_hpack_field *fields;
static nghttp2_nv *pairs;
static list *lists;
static string *strings;
static size_t field_count, list_count, string_count;
static uint64_t sink; /* keeps the work from being optimised away */

static void *bench_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void bench_release(void *user, void *block, size_t size) {
    (void)user, (void)size;
    free(block);
}

/* ------------------------------------------------------------ input */
static turbohttp_span unhex(const char **p) {
    char *out = (char *)malloc(strlen(*p) / 2 + 1);
    size_t n = 0;
    unsigned byte;
    for (; **p != ' ' && sscanf(*p, "%2x", &byte) == 1; *p += 2) out[n++] = (char)byte;
    while (**p == ' ' || **p == '-') ++*p;
    return tbh_span(out, n);
}

static void add_string(turbohttp_span text) {
    uint8_t *coded = (uint8_t *)malloc(text.length + 8);
    string *s = &strings[string_count];
    s->length = tbh_huffman_encode(coded, (const uint8_t *)text.data, text.length);
    s->coded = coded;
    s->plain_length = text.length;
    if (s->length) string_count++;
}

static void add_field(const char *p) {
    turbohttp_hpack_field *f = &fields[field_count];
    nghttp2_nv *nv = &pairs[field_count++];
    f->name = unhex(&p);
    f->value = unhex(&p);
    nv->name = (uint8_t *)(uintptr_t)f->name.data;
    nv->namelen = f->name.length;
    nv->value = (uint8_t *)(uintptr_t)f->value.data;
    nv->valuelen = f->value.length;
    add_string(f->value);
    lists[list_count].count++;
}

static void add_line(const char *line) {
    if (line[0] == 'R') lists[list_count].is_new = true;
    if (line[0] == 'F') add_field(line + 2);
    if (line[0] == 'B' && list_count) {
        const char *p = line + 2;
        turbohttp_span block = unhex(&p);
        lists[list_count - 1].block = (const uint8_t *)block.data;
        lists[list_count - 1].block_length = block.length;
    }
    if (line[0] == '.') lists[++list_count].first = field_count;
}

static void read_file(const char *path) {
    enum { MOST = 1 << 18 };
    FILE *file = fopen(path, "r");
    char *line = (char *)malloc(LINE);
    fields = (turbohttp_hpack_field *)calloc(MOST, sizeof *fields);
    pairs = (nghttp2_nv *)calloc(MOST, sizeof *pairs);
    lists = (list *)calloc(MOST, sizeof *lists);
    strings = (string *)calloc(MOST, sizeof *strings);
    if (!file || !line || !fields || !pairs || !lists || !strings) abort();
    while (fgets(line, LINE, file)) {
        if (field_count == MOST || list_count + 1 == MOST) abort();
        add_line(line);
    }
    fclose(file);
    free(line);
}

/* ------------------------------------------------------------ decoding */
static uint32_t ours_memory[TURBOHTTP_HPACK_ENCODER_BYTES(TABLE) / 4 + 1];

static void decode_ours(const void *unused) {
    (void)unused;
    static turbohttp_hpack_decoder d;
    static uint8_t scratch[65536];
    turbohttp_hpack_field field;
    for (const list *l = lists; l < lists + list_count; l++) {
        const uint8_t *in = l->block;
        size_t left = l->block_length, count = 0;
        turbohttp_status status;
        if (l->is_new)
            turbohttp_hpack_decoder_init(&d, ours_memory, sizeof ours_memory, TABLE, scratch, sizeof scratch, 0);
        while ((status = turbohttp_hpack_decode(&d, &in, &left, &field)) == TURBOHTTP_OK) {
            sink += field.name.length + field.value.length;
            count++;
        }
        if (turbohttp_hpack_decode_end(&d) != TURBOHTTP_OK || count != l->count) abort();
    }
}

static void decode_peer(const void *unused) {
    (void)unused;
    nghttp2_hd_inflater *d = NULL;
    for (const list *l = lists; l < lists + list_count; l++) {
        const uint8_t *in = l->block;
        size_t left = l->block_length, count = 0;
        if (l->is_new) {
            if (d) nghttp2_hd_inflate_del(d);
            nghttp2_hd_inflate_new(&d);
        }
        for (;;) {
            nghttp2_nv nv;
            int flags = 0;
            ssize_t used = nghttp2_hd_inflate_hd2(d, &nv, &flags, in, left, 1);
            if (used < 0) abort();
            in += used;
            left -= (size_t)used;
            if (flags & NGHTTP2_HD_INFLATE_EMIT) {
                sink += nv.namelen + nv.valuelen;
                count++;
            }
            if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
            if (left == 0 && !(flags & NGHTTP2_HD_INFLATE_EMIT)) break;
        }
        nghttp2_hd_inflate_end_headers(d);
        if (count != l->count) abort();
    }
    nghttp2_hd_inflate_del(d);
}

static uint8_t text[LINE];

static void huffman_ours(const void *unused) {
    (void)unused;
    for (const string *s = strings; s < strings + string_count; s++) {
        uint8_t *end = tbh_huffman_decode_whole(s->coded, s->length, text);
        if (!end || (size_t)(end - text) != s->plain_length) abort();
        sink += text[0];
    }
}

static void huffman_peer(const void *unused) {
    (void)unused;
    for (const string *s = strings; s < strings + string_count; s++) {
        huff_buffer buffer = {text, text + sizeof text, text, text, text};
        huff_context context;
        nghttp2_hd_huff_decode_context_init(&context);
        if (nghttp2_hd_huff_decode(&context, &buffer, s->coded, s->length, 1) < 0) abort();
        if ((size_t)(buffer.last - text) != s->plain_length) abort();
        sink += text[0];
    }
}

/* ------------------------------------------------------------ encoding */
static turbohttp_writer writer;
static size_t ours_bytes, peer_bytes;

static void encode_ours(const void *unused) {
    (void)unused;
    static turbohttp_hpack_encoder e;
    ours_bytes = 0;
    for (const list *l = lists; l < lists + list_count; l++) {
        if (l->is_new) turbohttp_hpack_encoder_init(&e, ours_memory, sizeof ours_memory, TABLE);
        turbohttp_writer_clear(&writer);
        for (size_t i = 0; i < l->count; i++) turbohttp_hpack_encode(&e, &fields[l->first + i], &writer);
        ours_bytes += writer.length;
    }
    if (writer.status != TURBOHTTP_OK) abort();
}

static void encode_peer_to(bool keep) {
    nghttp2_hd_deflater *e = NULL;
    peer_bytes = 0;
    for (list *l = lists; l < lists + list_count; l++) {
        if (l->is_new) {
            if (e) nghttp2_hd_deflate_del(e);
            nghttp2_hd_deflate_new(&e, TABLE);
        }
        ssize_t n = nghttp2_hd_deflate_hd(e, text, sizeof text, pairs + l->first, l->count);
        if (n < 0) abort();
        peer_bytes += (size_t)n;
        if (!keep || l->block) continue;
        l->block = (const uint8_t *)memcpy(malloc((size_t)n + 1), text, (size_t)n);
        l->block_length = (size_t)n;
    }
    nghttp2_hd_deflate_del(e);
}

static void encode_peer(const void *unused) {
    (void)unused;
    encode_peer_to(false);
}

/* ------------------------------------------------------------ comparing */
static void compare(const char *name, quickest_work ours, quickest_work peer, size_t items) {
    quickest q = quickest_of(ours, peer, NULL, (int)(60000 / items) + 1);
    double n = (double)items;
    printf("%-8s turbohttp %7.2f ns  nghttp2 %7.2f ns  ratio %5.2f\n", name, q.ours / n, q.peer / n, q.peer / q.ours);
}

static quickest_work work_of(const char *name) {
    if (strcmp(name, "ours-decode") == 0) return decode_ours;
    if (strcmp(name, "peer-decode") == 0) return decode_peer;
    if (strcmp(name, "ours-encode") == 0) return encode_ours;
    return encode_peer;
}

int main(int argc, char **argv) {
    turbohttp_allocator a = {NULL, bench_allocate, bench_release};
    turbohttp_byte_pool pool;
    if (argc < 2) return 2;
    turbohttp_byte_pool_init(&pool, &a, 0, 1 << 20, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&writer, &pool, 0);
    read_file(argv[1]);
    encode_peer_to(true);
    encode_ours(NULL);
    if (argc == 4) {
        for (long i = atol(argv[3]); i > 0; i--) work_of(argv[2])(NULL);
        return 0;
    }
    compare("decode", decode_ours, decode_peer, field_count);
    compare("huffman", huffman_ours, huffman_peer, string_count);
    compare("encode", encode_ours, encode_peer, field_count);
    printf("size     turbohttp %zu  nghttp2 %zu  ratio %.4f\n", ours_bytes, peer_bytes,
           (double)ours_bytes / (double)peer_bytes);
    turbohttp_writer_reset(&writer);
    turbohttp_byte_pool_destroy(&pool);
    return sink == 0;
}
