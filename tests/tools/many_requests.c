/* Repeats one GET over kept connections, for programs that count what a request costs.
 *
 *     many_requests URL REQUESTS WIDTH blocking|poll|epoll [http2]
 *
 * WIDTH requests are in flight at a time (blocking: one); over HTTP/2 they share one connection. Exit code 0: all were answered 200. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct many {
    turbohttp_client *client;
    turbohttp_request_desc desc;
    long started, good, total;
} many;

static void start_one(many *m) {
    turbohttp_request request;
    m->started++;
    if (turbohttp_submit(m->client, &m->desc, &request, NULL)) m->started = m->total;
}

static void on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    many *m = (many *)user;
    (void)request;
    m->good += response->status == 200 && !response->error.code;
    if (m->started < m->total) start_one(m);
}

static void run_poll(many *m, long width) {
    m->desc.on_done = on_done;
    m->desc.user = m;
    for (long i = 0; i < width && i < m->total; i++) start_one(m);
    while (turbohttp_poll(m->client, 1000) == TURBOHTTP_PENDING) {
    }
}

static void run_blocking(many *m) {
    turbohttp_response response;
    for (; m->started < m->total; m->started++) {
        turbohttp_send(m->client, &m->desc, &response);
        m->good += response.status == 200 && !response.error.code;
        turbohttp_response_free(&response);
    }
}

int main(int argc, char **argv) {
    many m = {0};
    turbohttp_client_desc desc = {0};
    if (argc < 5)
        return fprintf(stderr, "usage: %s URL REQUESTS WIDTH blocking|poll|epoll [http2]\n", argv[0]), 2;
    m.desc.url = argv[1];
    m.total = atol(argv[2]);
    desc.limits.connections = desc.limits.connections_per_host = (uint32_t)atol(argv[3]);
    desc.http2_prior_knowledge = argc > 5;
    desc.io = argv[4][0] == 'e' ? TURBOHTTP_IO_EPOLL : TURBOHTTP_IO_POLL;
    if (turbohttp_client_create(&m.client, &desc) != TURBOHTTP_OK) return 1;
    if (argv[4][0] == 'b') run_blocking(&m);
    else run_poll(&m, atol(argv[3]));
    turbohttp_client_destroy(m.client);
    return m.good != m.total;
}
