/* HTTP/2 on real sockets, whose readiness decides when an idle connection gets a turn. The server is
 * in this thread: it reads and writes what it can between two polls. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "system.h"
#include <fcntl.h>
#include <stdlib.h>

enum { FRAME_BYTES = 16000, MOST_FRAMES = 14 };
static const char ping[] = "PINGPING";

typedef struct peer {
    int listener, connection;
    unsigned port;
    char in[4096];
    size_t in_fill;
    char out[(MOST_FRAMES + 1) * (FRAME_BYTES + 9) + 128];
    size_t out_at, out_fill;
    bool was_answered;
} peer;

static void peer_put(peer *p, uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t n) {
    turbohttp_h2_frame frame = {(uint32_t)n, id, type, flags};
    turbohttp_h2_write_frame_header((uint8_t *)p->out + p->out_fill, &frame);
    if (payload) memcpy(p->out + p->out_fill + 9, payload, n);
    else memset(p->out + p->out_fill + 9, 'x', n);
    p->out_fill += 9 + n;
}

static void peer_open(peer *p, int frames) {
    p->port = 0;
    p->connection = -1;
    p->listener = open_on_loopback(SOCK_STREAM, &p->port);
    CHECK(p->listener >= 0);
    fcntl(p->listener, F_SETFL, O_NONBLOCK);
    p->in_fill = p->out_at = p->out_fill = 0;
    p->was_answered = false;
    peer_put(p, TURBOHTTP_H2_SETTINGS, 0, 0, "", 0);
    peer_put(p, TURBOHTTP_H2_SETTINGS, TURBOHTTP_H2_ACK, 0, "", 0);
    peer_put(p, TURBOHTTP_H2_HEADERS, TURBOHTTP_H2_END_HEADERS, 1, "\x88", 1); /* :status 200 */
    for (int i = 0; i < frames; i++) peer_put(p, TURBOHTTP_H2_DATA, 0, 1, NULL, FRAME_BYTES);
    peer_put(p, TURBOHTTP_H2_DATA, TURBOHTTP_H2_END_STREAM, 1, NULL, 100);
    peer_put(p, TURBOHTTP_H2_PING, 0, 0, ping, 8);
}

static void peer_turn(peer *p) {
    if (p->connection < 0) p->connection = accept(p->listener, NULL, NULL);
    if (p->connection < 0) return;
    fcntl(p->connection, F_SETFL, O_NONBLOCK);
    ssize_t n = read(p->connection, p->in + p->in_fill, sizeof p->in - p->in_fill);
    if (n > 0) p->in_fill += (size_t)n;
    for (size_t i = 0; i + 8 <= p->in_fill; i++)
        if (memcmp(p->in + i, ping, 8) == 0) p->was_answered = true;
    if (p->in_fill < 80) return; /* the request is not here yet */
    n = write(p->connection, p->out + p->out_at, p->out_fill - p->out_at);
    if (n > 0) p->out_at += (size_t)n;
}

static void answer_of_a_body(int frames) {
    static peer p;
    char url[64];
    turbohttp_client_desc desc;
    turbohttp_client *client;
    turbohttp_request_desc request;
    turbohttp_request handle;
    turbohttp_error error;
    memset(&desc, 0, sizeof desc);
    memset(&request, 0, sizeof request);
    peer_open(&p, frames);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", p.port);
    desc.http2_prior_knowledge = true;
    request.url = url;
    CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
    CHECK_INT(turbohttp_submit(client, &request, &handle, &error), TURBOHTTP_OK);
    for (int i = 0; i < PATIENCE_MS && !p.was_answered; i++) {
        turbohttp_poll(client, 1);
        peer_turn(&p);
    }
    CHECK(p.was_answered);
    turbohttp_client_destroy(client);
    close(p.connection);
    close(p.listener);
}

/* Whatever the budget of a poll leaves when the last request ends. */
static void a_ping_behind_a_body_is_answered(void) {
    for (int frames = 0; frames <= MOST_FRAMES && !check_failed_here; frames++) answer_of_a_body(frames);
}

static const check_test tests[] = {CHECK_TEST(a_ping_behind_a_body_is_answered)};

CHECK_MAIN(tests)
