/* Many requests at once: with HTTP/2 they share one connection, with HTTP/1.1 a few. Nothing here
 * says which; the server chooses, and `http_version` tells.
 *
 *     cc -O2 09_many_requests.c -lbearssl -pthread && ./a.out https://localhost:8443/ 200
 */
#define TURBOHTTP_IMPLEMENTATION
#include "../turbohttp.h"
#include "../turbohttp_tls_bearssl.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct tally {
    turbohttp_client *client;
    turbohttp_request_desc request;
    int left, good, bad;
    unsigned long long bytes;
    unsigned connections, version;
} tally;

static void done(void *user, turbohttp_request request, turbohttp_response *response);

/* Each request that ends begins the next: so many are always on their way. */
static void begin(tally *t) {
    turbohttp_request request;
    turbohttp_error error;
    if (t->left == 0) return;
    t->left--;
    if (turbohttp_submit(t->client, &t->request, &request, &error) == TURBOHTTP_OK) return;
    fprintf(stderr, "%s\n", error.text);
    t->bad++;
}

static void done(void *user, turbohttp_request request, turbohttp_response *response) {
    tally *t = (tally *)user;
    (void)request;
    if (response->error.code) {
        fprintf(stderr, "%s\n", response->error.text);
        t->bad++;
    } else {
        t->good++;
        t->bytes += response->body_bytes;
        t->connections += response->connects;
        t->version = response->http_version;
    }
    begin(t);
}

int main(int argc, char **argv) {
    static tally t;
    turbohttp_client_desc desc = {0};
    if (argc < 2) return fprintf(stderr, "usage: %s URL [requests [at once [CA file]]]\n", argv[0]), 2;
    int at_once = argc > 3 ? atoi(argv[3]) : 50;
    if (argc > 4) desc.tls.ca_file = argv[4];
    desc.http2_prior_knowledge = argv[1][4] == ':'; /* http: has nothing to choose with */
    if (turbohttp_client_create(&t.client, &desc) != TURBOHTTP_OK) return 1;
    t.left = argc > 2 ? atoi(argv[2]) : 200;
    t.request.url = argv[1];
    t.request.on_done = done;
    t.request.user = &t;
    for (int i = 0; i < at_once; i++) begin(&t);
    while (turbohttp_poll(t.client, 1000) == TURBOHTTP_PENDING) {
    }
    turbohttp_client_destroy(t.client);
    printf("%d requests, %d failed, %llu bytes, HTTP/%u.%u over %u connection%s\n", t.good, t.bad, t.bytes,
           t.version / 10, t.version % 10, t.connections, t.connections == 1 ? "" : "s");
    return t.bad != 0;
}
