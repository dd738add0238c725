/* A tour of the main job against a real server: a plain GET, a chunked gzip body, a POST that comes
 * back, a pair of requests on one connection, the same over HTTPS, and many at once over HTTP/2, each
 * with its timings. `make run` starts the server.
 * Usage: 06_tour BASE_URL [HTTPS_BASE_URL CA_FILE [HTTP2_BASE_URL HTTP2_HTTPS_BASE_URL]] */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <stdio.h>

static const char *framing(const turbohttp_response *r) {
    if (turbohttp_response_header(r, "Transfer-Encoding")) return "chunked";
    return turbohttp_response_header(r, "Content-Length") ? "Content-Length" : "until close";
}

static const char *coding(const turbohttp_response *r) {
    const char *value = turbohttp_response_header(r, "Content-Encoding");
    return value ? value : "identity";
}

static int show(const char *title, turbohttp_response *r) {
    const turbohttp_timing *t = &r->timing;
    printf("\n%s\n", title);
    if (r->error.code) {
        printf("  failed: %s\n", r->error.text);
        return 1;
    }
    printf("  HTTP/1.%d %d %.*s, framing %s, coding %s\n", r->minor_version, r->status, (int)r->reason.length,
           r->reason.data, framing(r), coding(r));
    printf("  %llu bytes on the wire, %llu decoded, over a %s connection\n", (unsigned long long)r->wire_bytes,
           (unsigned long long)r->body_bytes, r->is_reused ? "kept" : "new");
    if (r->tls.provider)
        printf("  TLS 1.%d by %s, suite 0x%04x, session %s, secured %llu us\n", (r->tls.version & 0xff) - 1,
               r->tls.provider, r->tls.cipher_suite, r->tls.is_resumed ? "continued" : "new",
               (unsigned long long)t->secured_us);
    printf("  connected %llu us, sent %llu us, first byte %llu us, complete %llu us\n",
           (unsigned long long)t->connected_us, (unsigned long long)t->sent_us,
           (unsigned long long)t->first_byte_us, (unsigned long long)t->total_us);
    printf("  \"%.60s%s\"\n", turbohttp_response_text(r), r->body_bytes > 60 ? "..." : "");
    return 0;
}

static int fetch(turbohttp_client *client, const char *title, const char *base, const char *path,
                 const char *posted, bool is_alone) {
    turbohttp_request_desc desc = {0};
    turbohttp_response response;
    char url[512];
    snprintf(url, sizeof url, "%s%s", base, path);
    desc.url = url;
    desc.disable_reuse = is_alone;
    desc.body.data = posted;
    desc.body.length = posted ? strlen(posted) : 0;
    desc.body.content_type = "text/plain";
    turbohttp_send(client, &desc, &response);
    int failed = show(title, &response);
    turbohttp_response_free(&response);
    return failed;
}

static int tour(turbohttp_client *client, const char *base) {
    return fetch(client, "GET, plain", base, "/hello.txt", NULL, false) |
           fetch(client, "GET, a gzip body in chunks", base, "/gzip/poem.txt", NULL, false) |
           fetch(client, "POST, echoed back", base, "/echo", "What goes out comes back.", false) |
           fetch(client, "keep-alive, first of a pair", base, "/hello.txt", NULL, false) |
           fetch(client, "keep-alive, second of a pair", base, "/hello.txt", NULL, false);
}

static int secure_tour(turbohttp_client *client, const char *base) {
    return fetch(client, "HTTPS, a full handshake, everything verified", base, "/hello.txt", NULL, true) |
           fetch(client, "HTTPS, a new connection that continues the session", base, "/hello.txt", NULL, false) |
           fetch(client, "HTTPS, the same connection, gzip in chunks", base, "/gzip/poem.txt", NULL, false);
}

/* All are on their way before the first is answered; the server answers in the order that it likes. */
static int together(turbohttp_client *client, const char *title, const char *base, bool is_cleartext) {
    static const char *const paths[] = {"/hello.txt", "/gzip/poem.txt", "/large.bin", "/hello.txt", "/gzip/poem.txt"};
    enum { COUNT = sizeof paths / sizeof paths[0] };
    turbohttp_request requests[COUNT];
    turbohttp_request_desc desc = {0};
    turbohttp_response r;
    int failed = 0;
    char url[512];
    printf("\n%s\n", title);
    desc.http2_prior_knowledge = is_cleartext; /* without TLS nothing says that the server speaks it */
    desc.url = url;                            /* copied by submit */
    for (int i = 0; i < COUNT; i++) {
        snprintf(url, sizeof url, "%s%s", base, paths[i]);
        if (turbohttp_submit(client, &desc, &requests[i], NULL) != TURBOHTTP_OK) return 1;
    }
    for (int i = 0; i < COUNT; i++) {
        failed |= turbohttp_wait(client, requests[i], &r) != TURBOHTTP_OK || r.http_version != 20;
        if (r.error.code) printf("  failed: %s\n", r.error.text);
        else
            printf("  %-15s HTTP/%d %d, %7llu bytes, %s connection, sent %llu us, first byte %llu us, complete %llu us\n",
                   paths[i], r.http_version / 10, r.status, (unsigned long long)r.body_bytes, r.connects ? "new" : "same",
                   (unsigned long long)r.timing.sent_us, (unsigned long long)r.timing.first_byte_us,
                   (unsigned long long)r.timing.total_us);
        turbohttp_response_free(&r);
    }
    return failed;
}

int main(int argc, char **argv) {
    turbohttp_client_desc desc = {0};
    turbohttp_client_stats stats;
    turbohttp_client *client;
    desc.tls.ca_file = argc > 3 ? argv[3] : NULL;
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    int failed = tour(client, argc > 1 ? argv[1] : "http://localhost");
    turbohttp_client_stats_get(client, &stats);
    printf("\n5 requests, %llu connection%s opened\n", (unsigned long long)stats.connects,
           stats.connects == 1 ? "" : "s");
    if (argc > 3) failed |= secure_tour(client, argv[2]);
    if (argc > 5)
        failed |= together(client, "HTTP/2, five requests at once over one cleartext connection", argv[4], true) |
                  together(client, "HTTP/2 over TLS, chosen by ALPN, the same five", argv[5], false);
    turbohttp_client_destroy(client);
    return failed || stats.connects != 1;
}
