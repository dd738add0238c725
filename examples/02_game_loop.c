/* A game's loop: 60 frames a second, 20 requests in flight, and no call of turbohttp_poll that
 * anybody would notice. One host never answers, one name does not resolve, one server drips a byte
 * a second. Handshakes of https:// are spread over frames, one public-key operation in each.
 * Usage: 02_game_loop BASE_URL SILENT_URL DRIP_URL [FRAMES [CA_FILE]] */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

typedef struct game {
    int finished, succeeded;
    char last_error[TURBOHTTP_ERROR_TEXT_BYTES];
} game;

static void on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    game *g = (game *)user;
    (void)request;
    g->finished++;
    if (response->error.code == TURBOHTTP_OK)
        g->succeeded++;
    else
        printf("  %s\n", response->error.text);
}

static void start(turbohttp_client *client, game *g, const char *url) {
    turbohttp_request request;
    turbohttp_error error;
    turbohttp_request_desc desc = {0};
    desc.url = url;
    desc.on_done = on_done;
    desc.user = g;
    desc.timeouts.total_ms = 3000;
    if (turbohttp_submit(client, &desc, &request, &error) != TURBOHTTP_OK) printf("  %s\n", error.text);
}

static void print_histogram(const unsigned *buckets, uint64_t longest) {
    static const char *const names[] = {"< 50 us", "< 100 us", "< 250 us", "< 500 us",
                                        "< 1 ms",  "< 2 ms",   ">= 2 ms"};
    puts("time spent in turbohttp_poll, calls:");
    for (int i = 0; i < 7; i++) printf("  %-9s %u\n", names[i], buckets[i]);
    printf("longest call: %llu us\n", (unsigned long long)longest);
}

static int bucket_of(uint64_t us) {
    static const unsigned limits[] = {50, 100, 250, 500, 1000, 2000};
    int i = 0;
    while (i < 6 && us >= limits[i]) i++;
    return i;
}

int main(int argc, char **argv) {
    unsigned buckets[7] = {0};
    uint64_t longest = 0;
    turbohttp_client *client;
    game g = {0};
    turbohttp_client_desc desc = {0};
    if (argc < 4) return fprintf(stderr, "usage: %s BASE_URL SILENT_URL DRIP_URL [FRAMES [CA_FILE]]\n", argv[0]), 2;
    int frames = argc > 4 ? atoi(argv[4]) : 240;
    desc.tls.ca_file = argc > 5 ? argv[5] : NULL;
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    start(client, &g, argv[2]);
    start(client, &g, "http://no-such-name.invalid/");
    start(client, &g, argv[3]);
    for (int i = 0; i < 17; i++) start(client, &g, argv[1]);
    for (int frame = 0; frame < frames; frame++) {
        uint64_t before = now_us();
        turbohttp_poll(client, 0);
        uint64_t spent = now_us() - before;
        buckets[bucket_of(spent)]++;
        if (spent > longest) longest = spent;
        struct timespec rest = {0, 16666666};
        nanosleep(&rest, NULL); /* the rest of the frame: simulation and drawing */
    }
    turbohttp_client_destroy(client); /* whatever is still in flight is cancelled */
    printf("%d of 20 requests finished, %d with success\n", g.finished, g.succeeded);
    print_histogram(buckets, longest);
    return g.succeeded < 17;
}
