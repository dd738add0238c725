/* The client over real sockets of the loopback: descriptors, signals, children. The server runs in
 * the same thread, between two polls. The system's getaddrinfo is replaced: no question leaves the
 * machine, and a fork finds each helper at rest. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <netdb.h>
#include <semaphore.h>

static sem_t is_looked_up;

static int look_up(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list);
#define getaddrinfo look_up
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "system.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* Nobody answers for "silent…", and no other name is known. */
static int look_up(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    (void)service, (void)hints, (void)list;
    sem_post(&is_looked_up);
    while (strncmp(name, "silent", 6) == 0) pause();
    return EAI_NONAME;
}

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

typedef struct server {
    int listener, peer;
    char url[64];
} server;

static server server_open(void) {
    server s;
    unsigned port = 0;
    s.listener = open_on_loopback(SOCK_STREAM, &port);
    s.peer = -1;
    CHECK(s.listener >= 0);
    snprintf(s.url, sizeof s.url, "http://127.0.0.1:%u/", port);
    return s;
}

static void server_close(server *s) {
    if (s->peer >= 0) close(s->peer);
    close(s->listener);
}

static turbohttp_client *client_create(void) {
    turbohttp_client *client = NULL;
    CHECK_INT(turbohttp_client_create(&client, NULL), TURBOHTTP_OK);
    return client;
}

static turbohttp_request submit(turbohttp_client *client, const char *url, const void *body, size_t n) {
    turbohttp_request_desc desc;
    turbohttp_request request;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    desc.body.data = body;
    desc.body.length = n;
    CHECK_INT(turbohttp_submit(client, &desc, &request, NULL), TURBOHTTP_OK);
    return request;
}

/* Connects, and takes the connection on the server's side. */
static void meet(turbohttp_client *client, server *s) {
    turbohttp_poll(client, 0);
    s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(s->peer >= 0);
    turbohttp_poll(client, 0);
}

static turbohttp_status finish(turbohttp_client *client, turbohttp_request request) {
    turbohttp_response response;
    turbohttp_status status = turbohttp_wait(client, request, &response);
    turbohttp_response_free(&response);
    return status;
}

/* Returns when a helper is in the midst of it. */
static turbohttp_request submit_name(turbohttp_client *client, const char *url) {
    struct timespec until;
    turbohttp_request request = submit(client, url, NULL, 0);
    turbohttp_poll(client, 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    CHECK_INT(sem_timedwait(&is_looked_up, &until), 0);
    return request;
}

static turbohttp_status exchange(turbohttp_client *client, server *s) {
    char bytes[4096];
    turbohttp_request request = submit(client, s->url, NULL, 0);
    meet(client, s);
    CHECK(read(s->peer, bytes, sizeof bytes) > 0);
    CHECK_INT(write(s->peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    return finish(client, request);
}

static void S_75_descriptors_return_to_the_baseline(void) {
    int before = count_descriptors();
    server s = server_open();
    turbohttp_client *client = client_create();
    CHECK_INT(exchange(client, &s), TURBOHTTP_OK);
    server_close(&s);
    CHECK_INT(finish(client, submit(client, s.url, NULL, 0)), TURBOHTTP_ERR_CONNECT);
    submit(client, "http://localhost:1/", NULL, 0); /* two families under way, never polled again */
    turbohttp_poll(client, 0);
    turbohttp_client_destroy(client);
    CHECK_INT(count_descriptors(), before);
}

static void S_83_descriptors_beyond_1024_work(void) {
    enum { MANY = 1100 };
    static int held[MANY];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < MANY + 100) return;
    for (int i = 0; i < MANY; i++) held[i] = dup(1);
    CHECK(held[MANY - 1] >= 1024);
    server s = server_open();
    turbohttp_client *client = client_create();
    CHECK_INT(exchange(client, &s), TURBOHTTP_OK);
    turbohttp_client_destroy(client);
    server_close(&s);
    for (int i = 0; i < MANY; i++) close(held[i]);
}

static void out_of_descriptors_is_an_error_of_that_request_only(void) {
    server s = server_open();
    turbohttp_client *client = client_create();
    struct rlimit limit = allow_no_more_descriptors();
    CHECK_INT(finish(client, submit(client, s.url, NULL, 0)), TURBOHTTP_ERR_DESCRIPTORS);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_INT(exchange(client, &s), TURBOHTTP_OK);
    turbohttp_client_destroy(client);
    server_close(&s);
}

static void S_84_a_peer_that_closes_while_we_write_is_an_error_not_a_signal(void) {
    enum { BIG = 8 << 20 };
    void *body = calloc(1, BIG);
    server s = server_open();
    turbohttp_client *client = client_create();
    struct linger at_once = {1, 0};
    signal(SIGPIPE, SIG_DFL);
    turbohttp_request request = submit(client, s.url, body, BIG);
    meet(client, &s);
    setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* a reset, not an end */
    close(s.peer);
    s.peer = -1;
    turbohttp_status status = finish(client, request);
    CHECK(status == TURBOHTTP_ERR_SEND || status == TURBOHTTP_ERR_RECEIVE);
    turbohttp_client_destroy(client);
    server_close(&s);
    free(body);
}

/* A child that lists its descriptors; ours are those that it has beyond 0, 1, 2 and its own. */
static int count_in_child(void) {
    char line[32] = "";
    FILE *child = popen("ls /proc/self/fd | wc -l", "re");
    CHECK(child != NULL && fgets(line, sizeof line, child) != NULL);
    if (child) pclose(child);
    return atoi(line);
}

static void S_86_a_child_sees_no_descriptor_of_ours(void) {
    int before = count_in_child();
    char bytes[4096];
    server s = server_open();
    turbohttp_client *client = client_create();
    turbohttp_request request = submit(client, s.url, NULL, 0);
    turbohttp_request named = submit_name(client, "http://silent.test/");
    meet(client, &s);
    CHECK_INT(count_in_child(), before);
    CHECK(read(s.peer, bytes, sizeof bytes) > 0);
    CHECK_INT(write(s.peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    CHECK_INT(finish(client, request), TURBOHTTP_OK);
    CHECK_INT(count_in_child(), before); /* idle */
    turbohttp_cancel(client, named);
    finish(client, named);
    turbohttp_client_destroy(client);
    server_close(&s);
}

/* Waits for one answer with turbohttp_poll alone, in the mode that the client is in. */
static turbohttp_status finish_by_poll(turbohttp_client *client, turbohttp_request request, char *said) {
    turbohttp_response response;
    memset(&response, 0, sizeof response);
    for (int i = 0; i < PATIENCE_MS / 100; i++) {
        if (turbohttp_take(client, request, &response) != TURBOHTTP_PENDING) break;
        turbohttp_poll(client, 100);
    }
    if (said) snprintf(said, TURBOHTTP_ERROR_TEXT_BYTES, "%s", response.error.text);
    turbohttp_status status = response.status == 200 ? response.error.code : TURBOHTTP_ERR_STATE;
    if (response.error.code) status = response.error.code;
    turbohttp_response_free(&response);
    return status;
}

/* What the child of S_85 does: the parent's request is over here, a new one goes its own way. */
static int be_the_child(turbohttp_client *client, server *s, turbohttp_request inherited) {
    char said[TURBOHTTP_ERROR_TEXT_BYTES], bytes[4096];
    check_failed_here = 0;
    turbohttp_request request = submit(client, s->url, NULL, 0);
    CHECK_INT(finish_by_poll(client, inherited, said), TURBOHTTP_ERR_CANCELLED);
    CHECK(strstr(said, "forked") != NULL);
    int of_the_parent = s->peer;
    meet(client, s);
    CHECK(read(s->peer, bytes, sizeof bytes) > 0);
    CHECK_INT(write(s->peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    CHECK_INT(finish_by_poll(client, request, NULL), TURBOHTTP_OK);
    turbohttp_cancel(client, submit_name(client, "http://silent.test/")); /* a helper of its own */
    turbohttp_poll(client, 0);
    turbohttp_client_destroy(client);
    close(of_the_parent);
    return check_failed_here;
}

static void S_85_a_child_leaves_the_connections_of_its_parent_alone(void) {
    char bytes[4096];
    int status = -1;
    server s = server_open(), idle = server_open();
    turbohttp_client *client = client_create();
    CHECK_INT(exchange(client, &idle), TURBOHTTP_OK);
    turbohttp_request named = submit_name(client, "http://silent.test/");
    CHECK_INT(finish(client, submit_name(client, "http://unknown.test/")), TURBOHTTP_ERR_RESOLVE); /* its helper is idle */
    turbohttp_request request = submit(client, s.url, NULL, 0);
    meet(client, &s);
    CHECK(read(s.peer, bytes, sizeof bytes) > 0);
    CHECK_INT(write(s.peer, plain, sizeof plain - 3), (long)sizeof plain - 3);
    turbohttp_poll(client, 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(be_the_child(client, &s, request) != 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(recv(s.peer, bytes, sizeof bytes, MSG_DONTWAIT), -1); /* nothing said, not closed */
    CHECK_INT(recv(idle.peer, bytes, sizeof bytes, MSG_DONTWAIT), -1);
    CHECK_INT(write(s.peer, plain + sizeof plain - 3, 2), 2);
    CHECK_INT(finish_by_poll(client, request, NULL), TURBOHTTP_OK);
    turbohttp_request again = submit(client, s.url, NULL, 0);
    turbohttp_poll(client, 0);
    CHECK(read(s.peer, bytes, sizeof bytes) > 0); /* over the same connection */
    CHECK_INT(write(s.peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    CHECK_INT(finish_by_poll(client, again, NULL), TURBOHTTP_OK);
    turbohttp_cancel(client, named);
    finish(client, named);
    turbohttp_client_destroy(client);
    server_close(&s);
    server_close(&idle);
}

/* From the start close-on-exec: an eventfd, not a pipe that is told afterwards. */
static void S_86_a_client_at_rest_has_one_descriptor(void) {
    int before = count_descriptors();
    turbohttp_client *client = client_create();
#ifdef __linux__
    CHECK_INT(count_descriptors(), before + 1);
#endif
    turbohttp_wake(client);
    turbohttp_wake(client);
    CHECK_INT(tbh_poller_wait(&client->io.poller, 0), 1);
    turbohttp_poll(client, 0);
    CHECK_INT(tbh_poller_wait(&client->io.poller, 0), 0);
    turbohttp_client_destroy(client);
    CHECK_INT(count_descriptors(), before);
}

/* What the client sends, which goes on meanwhile, until `end` is among it. */
static void read_until(turbohttp_client *client, server *s, const char *end, char *text, size_t room) {
    size_t n = 0;
    ssize_t got = 1;
    for (text[0] = 0; got > 0 && !strstr(text, end) && arrives(s->peer); turbohttp_poll(client, 0)) {
        got = recv(s->peer, text + n, room - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        text[n] = 0;
    }
}

static void E3_what_has_no_length_is_sent_chunked(void) {
    char folder[] = "/tmp/turbohttp-XXXXXX", path[64], bytes[4096];
    server s = server_open();
    turbohttp_client *client = client_create();
    turbohttp_request_desc desc;
    turbohttp_request request;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/pipe", folder);
    CHECK_INT(mkfifo(path, 0600), 0);
    int writer = open(path, O_RDWR); /* both, so that nobody waits for the other end */
    CHECK_INT(write(writer, "piped", 5), 5);
    memset(&desc, 0, sizeof desc);
    desc.url = s.url;
    desc.body.path = path;
    CHECK_INT(turbohttp_submit(client, &desc, &request, NULL), TURBOHTTP_OK);
    close(writer);
    meet(client, &s);
    read_until(client, &s, "\r\n0\r\n\r\n", bytes, sizeof bytes);
    CHECK(strstr(bytes, "Transfer-Encoding: chunked\r\n") != NULL);
    CHECK(strstr(bytes, "Content-Length") == NULL);
    CHECK(strstr(bytes, "5\r\npiped\r\n") != NULL && strstr(bytes, "\r\n0\r\n\r\n") != NULL);
    CHECK_INT(write(s.peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    CHECK_INT(finish(client, request), TURBOHTTP_OK);
    turbohttp_client_destroy(client);
    server_close(&s);
    unlink(path);
    rmdir(folder);
}

typedef struct gate {
    int asked;
    turbohttp_address seen[8];
    uint16_t port;
    int refuse_family; /* 0: whatever is private */
} gate;

static bool gate_allows(void *user, const turbohttp_address *address, uint16_t port) {
    gate *g = (gate *)user;
    g->seen[g->asked++ % 8] = *address;
    g->port = port;
    return g->refuse_family ? address->family != g->refuse_family : !turbohttp_address_is_private(address);
}

static turbohttp_client *gated_client(gate *g, const turbohttp_name_override *name) {
    turbohttp_client *client = NULL;
    turbohttp_client_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.allow_address = gate_allows;
    desc.allow_user = g;
    desc.names = name;
    desc.name_count = 1;
    CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
    return client;
}

static void S_72_every_attempt_is_asked_for_with_its_address(void) {
    char said[TURBOHTTP_ERROR_TEXT_BYTES];
    const turbohttp_name_override name = {"name.test", 0, "127.0.0.1 ::1 ::ffff:127.0.0.1"};
    gate g;
    server s = server_open();
    memset(&g, 0, sizeof g);
    turbohttp_client *client = gated_client(&g, &name);
    CHECK_INT(finish_by_poll(client, submit(client, s.url, NULL, 0), said), TURBOHTTP_ERR_ADDRESS_REFUSED);
    CHECK(strstr(said, "127.0.0.1 port") != NULL && strstr(said, "refused by allow_address") != NULL);
    CHECK_INT(g.asked, 1);
    CHECK_INT(g.seen[0].family, 4);
    CHECK_INT(g.seen[0].bytes[0], 127);
    CHECK_INT(g.port, atoi(strrchr(s.url, ':') + 1));
    CHECK_INT(finish_by_poll(client, submit(client, "http://name.test/", NULL, 0), said),
              TURBOHTTP_ERR_ADDRESS_REFUSED);
    CHECK_INT(g.asked, 4); /* each of the three */
    struct pollfd listener = {s.listener, POLLIN, 0};
    CHECK_INT(poll(&listener, 1, 0), 0); /* nobody came */
    turbohttp_client_destroy(client);
    server_close(&s);
}

static void S_72_the_next_address_is_tried_and_a_kept_connection_is_not_asked_for(void) {
    const turbohttp_name_override name = {"name.test", 0, "::1 127.0.0.1"};
    char url[64], bytes[4096];
    gate g;
    server s = server_open();
    memset(&g, 0, sizeof g);
    g.refuse_family = 6;
    turbohttp_client *client = gated_client(&g, &name);
    snprintf(url, sizeof url, "http://name.test:%s", strrchr(s.url, ':') + 1);
    for (int i = 0; i < 2; i++) {
        turbohttp_request request = submit(client, url, NULL, 0);
        if (i == 0) meet(client, &s);
        else turbohttp_poll(client, 0);
        CHECK(read(s.peer, bytes, sizeof bytes) > 0);
        CHECK_INT(write(s.peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
        CHECK_INT(finish_by_poll(client, request, NULL), TURBOHTTP_OK);
        CHECK_INT(g.asked, 2);
    }
    turbohttp_client_destroy(client);
    server_close(&s);
}

static turbohttp_status pause_always(void *user, const void *data, size_t length) {
    (void)user, (void)data, (void)length;
    return TURBOHTTP_PENDING;
}

static void a_paused_body_whose_peer_is_gone_does_not_keep_the_loop_awake(void) {
    char bytes[4096];
    server s = server_open();
    turbohttp_client *client = client_create();
    turbohttp_request_desc desc;
    turbohttp_request request;
    struct linger at_once = {1, 0};
    memset(&desc, 0, sizeof desc);
    desc.url = s.url;
    desc.on_body = pause_always;
    CHECK_INT(turbohttp_submit(client, &desc, &request, NULL), TURBOHTTP_OK);
    meet(client, &s);
    CHECK(read(s.peer, bytes, sizeof bytes) > 0);
    CHECK_INT(write(s.peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    for (int i = 0; i < 100; i++) turbohttp_poll(client, 0);
    setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(s.peer);
    s.peer = -1;
    for (int i = 0; i < 100; i++) turbohttp_poll(client, 0);
    CHECK_INT(tbh_poller_wait(&client->io.poller, 0), 0);
    turbohttp_client_destroy(client);
    server_close(&s);
}

static const check_test tests[] = {
    CHECK_TEST(S_86_a_client_at_rest_has_one_descriptor), /* first: no helper thread opens others */
    CHECK_TEST(S_75_descriptors_return_to_the_baseline),
    CHECK_TEST(S_83_descriptors_beyond_1024_work),
    CHECK_TEST(out_of_descriptors_is_an_error_of_that_request_only),
    CHECK_TEST(S_84_a_peer_that_closes_while_we_write_is_an_error_not_a_signal),
    CHECK_TEST(S_86_a_child_sees_no_descriptor_of_ours),
    CHECK_TEST(S_85_a_child_leaves_the_connections_of_its_parent_alone),
    CHECK_TEST(S_72_every_attempt_is_asked_for_with_its_address),
    CHECK_TEST(S_72_the_next_address_is_tried_and_a_kept_connection_is_not_asked_for),
    CHECK_TEST(E3_what_has_no_length_is_sent_chunked),
    CHECK_TEST(a_paused_body_whose_peer_is_gone_does_not_keep_the_loop_awake),
};

int main(int argc, char **argv) {
    sem_init(&is_looked_up, 0, 0);
    return check_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
