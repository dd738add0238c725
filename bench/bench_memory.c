/* What does a client ask of the allocator, and what does an idle connection hold?
 *
 *     bench_memory HOST PORT PATH GZIP_PATH
 *
 * Real sockets, a counting allocator under the client. Prints calls per request after warm-up
 * (plain body, gzip body, 16 connections busy), and bytes per idle connection with the pools
 * trimmed, so that what they merely retain is not counted. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "counting_allocator.h"

enum { WARM_UP = 64, REQUESTS = 1000, WIDTH = 16, IDLE = 100 };

typedef struct bench {
    counting_allocator memory;
    turbohttp_client *client;
    turbohttp_request_desc desc;
    int started, wanted;
} bench;

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void open_client(bench *b, uint32_t connections) {
    turbohttp_client_desc desc;
    memset(b, 0, sizeof *b);
    memset(&desc, 0, sizeof desc);
    desc.allocator = counting_allocator_hooks(&b->memory);
    desc.limits.connections = desc.limits.connections_per_host = connections;
    if (turbohttp_client_create(&b->client, &desc)) die("client");
}

static void shut_client(bench *b) {
    turbohttp_client_destroy(b->client);
    if (!counting_allocator_balanced(&b->memory)) die("memory was lost");
}

static uint64_t calls(const bench *b) {
    return b->memory.requests + b->memory.releases;
}

/* ------------------------------------------------------------ calls per request */
static void send_many(bench *b, int count) {
    turbohttp_response response;
    for (; count > 0; count--) {
        if (turbohttp_send(b->client, &b->desc, &response)) die(response.error.text);
        turbohttp_response_free(&response);
    }
}

static void audit_blocking(const char *what, const char *url) {
    bench b;
    open_client(&b, 4);
    b.desc.url = url;
    send_many(&b, WARM_UP);
    uint64_t before = calls(&b);
    send_many(&b, REQUESTS);
    printf("calls_per_request %s %.4f\n", what, (double)(calls(&b) - before) / REQUESTS);
    shut_client(&b);
}

static void start_one(bench *b) {
    turbohttp_request request;
    b->started++;
    if (turbohttp_submit(b->client, &b->desc, &request, NULL)) die("submit");
}

static void on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    bench *b = (bench *)user;
    (void)request;
    if (response->error.code) die(response->error.text);
    if (b->started < b->wanted) start_one(b);
}

static void run_wide(bench *b, int width, int count) {
    b->started = 0;
    b->wanted = count;
    b->desc.on_done = on_done;
    b->desc.user = b;
    for (int i = 0; i < width; i++) start_one(b);
    while (turbohttp_poll(b->client, 1000) == TURBOHTTP_PENDING) {
    }
}

/* The pools must have seen the most that can be out at once, not what chance made of it: all
 * responses are complete before the first is freed. */
static void hold_many(bench *b, int count) {
    turbohttp_request request;
    turbohttp_response held[WIDTH + 1];
    for (int i = 0; i < count; i++)
        if (turbohttp_submit(b->client, &b->desc, &request, NULL)) die("submit");
    while (turbohttp_poll(b->client, 1000) == TURBOHTTP_PENDING) {
    }
    for (int i = 0; i < count; i++)
        if (turbohttp_next_done(b->client, &request) ||
            turbohttp_take(b->client, request, &held[i]))
            die("take");
    for (int i = 0; i < count; i++) turbohttp_response_free(&held[i]);
}

static void audit_wide(const char *url) {
    bench b;
    open_client(&b, WIDTH);
    b.desc.url = url;
    hold_many(&b, WIDTH + 1);
    run_wide(&b, WIDTH, WARM_UP * WIDTH);
    uint64_t before = calls(&b);
    run_wide(&b, WIDTH, REQUESTS * WIDTH);
    printf("calls_per_request wide %.4f\n", (double)(calls(&b) - before) / (REQUESTS * WIDTH));
    shut_client(&b);
}

/* ------------------------------------------------------------ idle connections */
static uint64_t trimmed_bytes(bench *b) {
    turbohttp_byte_pool_trim(&b->client->heap->blocks);
    turbohttp_object_pool_trim(&b->client->request_pool);
    turbohttp_object_pool_trim(&b->client->link_pool);
    turbohttp_object_pool_trim(&b->client->inflaters);
    return b->memory.live_bytes;
}

static void measure_idle(const char *url) {
    bench b;
    turbohttp_client_stats stats;
    open_client(&b, IDLE);
    b.desc.url = url;
    uint64_t before = trimmed_bytes(&b);
    run_wide(&b, IDLE, IDLE);
    turbohttp_client_stats_get(b.client, &stats);
    if (stats.connections_idle != IDLE) die("not every connection became idle");
    printf("bytes_per_idle_connection %.0f\n", (double)(trimmed_bytes(&b) - before) / IDLE);
    printf("sizeof_link %zu\n", sizeof(tbh_link));
    shut_client(&b);
}

int main(int argc, char **argv) {
    static char plain[512], gzip[512];
    if (argc < 5) return fprintf(stderr, "usage: bench_memory HOST PORT PATH GZIP_PATH\n"), 2;
    snprintf(plain, sizeof plain, "http://%s:%s%s", argv[1], argv[2], argv[3]);
    snprintf(gzip, sizeof gzip, "http://%s:%s%s", argv[1], argv[2], argv[4]);
    audit_blocking("plain", plain);
    audit_blocking("gzip", gzip);
    audit_wide(plain);
    measure_idle(plain);
    return 0;
}
