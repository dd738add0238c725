/* How fast are chunked bodies decoded into spans, beside http-parser, for several chunk sizes?
 *
 *   cc -O2 -I. bench/bench_chunked.c -o build/bench_chunked -lhttp_parser
 *   build/bench_chunked                    ratios (quickest.h)
 *   build/bench_chunked ours|peer N SIZE   N bodies of 64 KiB, for an instruction counter
 * Both hand out each span once; nothing is copied. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "quickest.h"
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY   65536

static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
static char stream[BODY * 8];
static size_t stream_length, stream_chunks;
static uint64_t sink; /* keeps the work from being optimised away */

static void make_stream(size_t chunk) {
    size_t n = sizeof head - 1;
    memcpy(stream, head, n);
    stream_chunks = 0;
    for (size_t done = 0; done < BODY; done += chunk, stream_chunks++) {
        n += tbh_chunk_head_write(stream + n, chunk);
        memset(stream + n, 'x', chunk);
        memcpy(stream + n + chunk, "\r\n", 2);
        n += chunk + 2;
    }
    memcpy(stream + n, "0\r\n\r\n", 5);
    stream_length = n + 5;
}

static void decode_ours(const void *unused) {
    (void)unused;
    turbohttp_chunked c;
    turbohttp_span data;
    turbohttp_status status;
    const uint8_t *in = (const uint8_t *)stream + sizeof head - 1;
    size_t left = stream_length - (sizeof head - 1);
    turbohttp_chunked_init(&c);
    while ((status = turbohttp_chunked_next(&c, &in, &left, &data)) == TURBOHTTP_OK)
        sink += data.length + (uint8_t)data.data[0];
    if (status != TURBOHTTP_DONE || left != 2) abort();
}

static int on_body(http_parser *p, const char *at, size_t n) {
    (void)p;
    sink += n + (uint8_t)at[0];
    return 0;
}

static void decode_peer(const void *unused) {
    (void)unused;
    static http_parser_settings settings;
    http_parser parser;
    settings.on_body = on_body;
    http_parser_init(&parser, HTTP_RESPONSE);
    if (http_parser_execute(&parser, &settings, stream, stream_length) != stream_length) abort();
}

static void compare(size_t chunk) {
    make_stream(chunk);
    quickest q = quickest_of(decode_ours, decode_peer, NULL, (int)(300000 / stream_chunks) + 1);
    double n = (double)stream_chunks;
    printf("chunks of %5zu B  turbohttp %6.2f ns/chunk  http-parser %6.2f ns/chunk  ratio %5.2f\n", chunk,
           q.ours / n, q.peer / n, q.peer / q.ours);
}

int main(int argc, char **argv) {
    if (argc == 4) {
        make_stream((size_t)atol(argv[3]));
        for (long i = atol(argv[2]); i > 0; i--) argv[1][0] == 'o' ? decode_ours(NULL) : decode_peer(NULL);
        return sink == 0;
    }
    compare(16);
    compare(64);
    compare(1024);
    compare(16384);
    return sink == 0;
}
