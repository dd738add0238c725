/* How fast is a response head parsed and its framing decided, beside http-parser?
 *
 *   cc -O2 -I. bench/bench_h1_head.c -o build/bench_h1_head -lhttp_parser
 *   build/bench_h1_head                 ratios (quickest.h)
 *   build/bench_h1_head ours|peer N [small]   N heads, for an instruction counter
 * Both record name and value slices, status, framing, length and keep-alive. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "quickest.h"
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>


static const char browser_head[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Tue, 03 Mar 2026 10:21:33 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: private, no-cache, no-store, max-age=0, must-revalidate\r\n"
    "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "Vary: Accept-Encoding, Cookie, Origin\r\n"
    "Set-Cookie: session=2f6c1f5b9d0e47ac8c1d7e9b; Path=/; HttpOnly; Secure; SameSite=Lax\r\n"
    "Set-Cookie: theme=dark; Max-Age=31536000; Path=/; Secure\r\n"
    "X-Request-Id: 7b0f2d1c-6d0a-4f7a-9a55-0c3c2a7f9e11\r\n"
    "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: SAMEORIGIN\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\n"
    "Content-Security-Policy: default-src 'self'; img-src 'self' data: https:; object-src 'none'; "
    "frame-ancestors 'self'; script-src 'self' 'nonce-9f86d081884c7d65' https://static.example.com; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' https://api.example.com "
    "wss://live.example.com; report-uri /csp\r\n"
    "Content-Encoding: gzip\r\n"
    "Server: nginx/1.24.0\r\n"
    "ETag: W/\"5f3c9e-1a2b3c4d5e6f\"\r\n"
    "Alt-Svc: h3=\":443\"; ma=86400, h3-29=\":443\"; ma=86400\r\n"
    "Access-Control-Allow-Origin: https://www.example.com\r\n"
    "\r\n";

static const char small_head[] = "HTTP/1.1 200 OK\r\n"
                                 "Server: nginx/1.24.0\r\n"
                                 "Date: Tue, 03 Mar 2026 10:21:33 GMT\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: 1534\r\n"
                                 "Connection: keep-alive\r\n"
                                 "Cache-Control: no-cache\r\n"
                                 "ETag: \"65e44f3d-5fe\"\r\n"
                                 "Accept-Ranges: bytes\r\n"
                                 "\r\n";

typedef struct sample {
    const char *text;
    size_t length;
} sample;

static uint64_t sink; /* keeps the work from being optimised away */

static void parse_ours(const void *of) {
    const sample *s = (const sample *)of;
    turbohttp_header table[64];
    turbohttp_h1_head_parser parser = {0, 0, 0};
    turbohttp_h1_head head;
    if (turbohttp_h1_head_parse(&parser, s->text, s->length, false, NULL, table, 64, &head, NULL)) abort();
    sink += head.header_count + head.status + head.framing + head.keep_alive;
}

typedef struct peer_row {
    const char *name, *value;
    size_t name_length, value_length;
} peer_row;

typedef struct peer_head {
    peer_row rows[64];
    unsigned count;
    int in_value;
    const char *reason;
    size_t reason_length;
} peer_head;

static int on_reason(http_parser *p, const char *at, size_t n) {
    peer_head *h = (peer_head *)p->data;
    h->reason = at;
    h->reason_length = n;
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t n) {
    peer_head *h = (peer_head *)p->data;
    h->rows[h->count].name = at;
    h->rows[h->count].name_length = n;
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n) {
    peer_head *h = (peer_head *)p->data;
    h->rows[h->count].value = at;
    h->rows[h->count++].value_length = n;
    return 0;
}

static int on_done(http_parser *p) {
    peer_head *h = (peer_head *)p->data;
    sink += h->count + p->status_code + (p->flags & F_CHUNKED) + (p->content_length & 1);
    sink += (uint64_t)http_should_keep_alive(p);
    http_parser_pause(p, 1);
    return 0;
}

static void parse_peer(const void *of) {
    const sample *s = (const sample *)of;
    static http_parser_settings settings;
    http_parser parser;
    peer_head head;
    settings.on_status = on_reason;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_done;
    head.count = 0;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &head;
    http_parser_execute(&parser, &settings, s->text, s->length);
    if (head.count == 0) abort();
}

static const char *vectors(void) {
#if defined(TURBOHTTP_NO_SIMD)
    return "portable";
#elif defined(__AVX2__)
    return "AVX2    ";
#else
    return "baseline";
#endif
}

static void compare(const char *name, const sample *s) {
    quickest q = quickest_of(parse_ours, parse_peer, s, 10000);
    printf("%-22s %4zu B  %s  turbohttp %7.1f ns  http-parser %7.1f ns  ratio %5.2f\n", name,
           s->length, vectors(), q.ours, q.peer, q.peer / q.ours);
}

int main(int argc, char **argv) {
    sample browser = {browser_head, sizeof browser_head - 1};
    sample small = {small_head, sizeof small_head - 1};
    if (argc >= 3) {
        quickest_work parse = argv[1][0] == 'o' ? parse_ours : parse_peer;
        for (long i = atol(argv[2]); i > 0; i--) parse(argc > 3 ? &small : &browser);
        return sink == 0;
    }
    compare("head, 20 headers", &browser);
    compare("head, 8 headers", &small);
    return sink == 0;
}
