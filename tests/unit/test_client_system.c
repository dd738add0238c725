/* What a client asks of the system: files, names, descriptors for other event loops, and the
 * one-liners. Servers run in this thread or in one of their own; the system chooses the ports. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "client_fixture.h"
#include "system.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
static const char broken[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";

/* ------------------------------------------------------------ a server in a thread */
typedef struct server {
    int listener;
    unsigned port;
    const char *answer;
    char request[4096];
    pthread_t thread;
    char url[64];
} server;

static void server_listen(server *s) {
    memset(s, 0, sizeof *s);
    s->listener = open_on_loopback(SOCK_STREAM, &s->port);
    CHECK(s->listener >= 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/p", s->port);
}

static bool is_whole(const char *request) {
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    return end && strlen(end + 4) >= (length ? strtoul(length + 16, NULL, 10) : 0);
}

/* One connection, one request, one answer, and the end, with nothing left that would make it a reset. */
static void *serve(void *user) {
    server *s = (server *)user;
    int peer = accept(s->listener, NULL, NULL);
    ssize_t got = peer < 0 ? 0 : 1;
    for (size_t n = 0; got > 0 && !is_whole(s->request); n += (size_t)got)
        got = read(peer, s->request + n, sizeof s->request - 1 - n);
    if (peer >= 0) {
        CHECK_INT(write(peer, s->answer, strlen(s->answer)), (long)strlen(s->answer));
        close(peer);
    }
    return NULL;
}

static void server_start(server *s, const char *answer) {
    server_listen(s);
    s->answer = answer;
    CHECK_INT(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_end(server *s) {
    pthread_join(s->thread, NULL);
    close(s->listener);
}

/* ------------------------------------------------------------ E1: one-liners */
static void E1_get_and_post_in_one_line(void) {
    server s;
    turbohttp_response response;
    server_start(&s, plain);
    CHECK_INT(turbohttp_get(s.url, &response), TURBOHTTP_OK);
    CHECK(strcmp(turbohttp_response_text(&response), "hello") == 0);
    turbohttp_response_free(&response);
    turbohttp_response_free(&response);
    server_end(&s);
    CHECK(strncmp(s.request, "GET /p HTTP/1.1\r\n", 17) == 0);
    server_start(&s, plain);
    CHECK_INT(turbohttp_post(s.url, "text/plain", "some", 4, &response), TURBOHTTP_OK);
    CHECK_INT(response.status, 200);
    turbohttp_response_free(&response);
    server_end(&s);
    CHECK(strstr(s.request, "POST /p HTTP/1.1\r\n") == s.request);
    CHECK(strstr(s.request, "Content-Type: text/plain\r\n") && strstr(s.request, "\r\n\r\nsome"));
    server_start(&s, plain);
    CHECK_INT(turbohttp_post(s.url, NULL, NULL, 0, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    server_end(&s);
    CHECK(strstr(s.request, "Content-Length: 0\r\n") && !strstr(s.request, "Content-Type"));
    CHECK_INT(turbohttp_get("nonsense", &response), TURBOHTTP_ERR_URL_SCHEME);
    CHECK(response.error.text[0] && strcmp(turbohttp_response_text(&response), "") == 0);
    turbohttp_response_free(&response);
}

static size_t read_file(const char *path, char *into, size_t room) {
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(into, 1, room, f) : 0;
    if (f) fclose(f);
    return n;
}

static void E1_download_in_one_line(void) {
    char path[] = "/tmp/turbohttp-XXXXXX", bytes[64];
    server s;
    turbohttp_response response;
    int f = mkstemp(path);
    CHECK_INT(write(f, "what was there before", 21), 21);
    close(f);
    server_start(&s, plain);
    CHECK_INT(turbohttp_download(s.url, path, &response), TURBOHTTP_OK);
    CHECK_INT(response.body.length, 0);
    CHECK_INT(response.body_bytes, 5);
    turbohttp_response_free(&response);
    server_end(&s);
    CHECK_INT(read_file(path, bytes, sizeof bytes), 5);
    CHECK(memcmp(bytes, "hello", 5) == 0);
    server_start(&s, broken);
    CHECK_INT(turbohttp_download(s.url, path, &response), TURBOHTTP_ERR_BODY_TRUNCATED);
    turbohttp_response_free(&response);
    server_end(&s);
    CHECK_INT(read_file(path, bytes, sizeof bytes), 3); /* what came is there, and is no success */
    unlink(path);
}

static turbohttp_status ignore_body(void *user, const void *data, size_t length) {
    (void)user, (void)data, (void)length;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ E3: a body to a file */
static turbohttp_error download_to(const char *path, size_t length) {
    static char answer[300000];
    fixture f;
    turbohttp_response response;
    int head = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", (unsigned long)length);
    memset(answer + head, 'x', length);
    fixture_describe(&f, answer, (size_t)head + length);
    fixture_create(&f);
    f.request.body_path = path;
    turbohttp_send(f.client, &f.request, &response);
    turbohttp_error error = response.error;
    turbohttp_response_free(&response);
    f.request.body_path = NULL; /* the next request works */
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
    CHECK_INT(response.body.length, length);
    turbohttp_response_free(&response);
    fixture_close(&f);
    return error;
}

static void E3_a_file_that_cannot_be_written_is_one_clear_error(void) {
    turbohttp_error error = download_to("/no/such/folder/file", 100);
    CHECK_INT(error.code, TURBOHTTP_ERR_FILE);
    CHECK_INT(error.system_code, ENOENT);
    CHECK(strstr(error.text, "check path") != NULL);
    if (access("/dev/full", W_OK) != 0) return;
    for (size_t length = 1; length < 300000 - 100; length = length * 7 + 1) {
        error = download_to("/dev/full", length);
        CHECK_INT(error.code, TURBOHTTP_ERR_FILE);
        CHECK_INT(error.system_code, ENOSPC);
        CHECK_INT(error.phase, TURBOHTTP_PHASE_BODY);
    }
}

/* ------------------------------------------------------------ D1: other event loops */
typedef struct loop {
    turbohttp_client *client;
    uint64_t now_us;
    int polls, waits;
} loop;

static uint64_t loop_now(void *user) {
    return ((loop *)user)->now_us;
}

static void loop_open(loop *l, const turbohttp_client_desc *given) {
    turbohttp_client_desc desc = *given;
    memset(l, 0, sizeof *l);
    l->now_us = 1000000;
    desc.clock.user = l;
    desc.clock.now_us = loop_now;
    CHECK_INT(turbohttp_client_create(&l->client, &desc), TURBOHTTP_OK);
}

/* One turn of somebody's loop: it waits for what it was told of, and polls when that is due. Time
 * passes only when nothing is ready. False: nothing will ever happen. */
static bool loop_turn(loop *l, int patience_ms) {
    turbohttp_watch watches[8];
    struct pollfd set[8];
    uint32_t timeout_ms;
    size_t n = turbohttp_watches(l->client, watches, 8, &timeout_ms);
    CHECK(n <= 8);
    for (size_t i = 0; i < n; i++) {
        set[i].fd = (int)watches[i].descriptor;
        set[i].events = (short)((watches[i].wants_receive ? POLLIN : 0) | (watches[i].wants_send ? POLLOUT : 0));
    }
    l->waits++;
    if (timeout_ms && poll(set, (nfds_t)n, patience_ms) == 0) {
        if (timeout_ms == TURBOHTTP_NO_TIMEOUT) return false;
        l->now_us += (uint64_t)timeout_ms * 1000;
    }
    l->polls++;
    turbohttp_poll(l->client, 0);
    return true;
}

static turbohttp_request submit_to(turbohttp_client *client, const char *url, uint32_t first_byte_ms) {
    turbohttp_request_desc desc;
    turbohttp_request request;
    memset(&desc, 0, sizeof desc);
    desc.url = url;
    desc.timeouts.first_byte_ms = first_byte_ms;
    CHECK_INT(turbohttp_submit(client, &desc, &request, NULL), TURBOHTTP_OK);
    return request;
}

static void D1_another_loop_needs_the_descriptors_and_the_deadline_alone(void) {
    static const turbohttp_client_desc defaults;
    server s;
    loop l;
    turbohttp_response response;
    turbohttp_status status;
    loop_open(&l, &defaults);
    CHECK(!loop_turn(&l, 0)); /* nothing to do: nothing to wait for */
    server_start(&s, plain);
    turbohttp_request request = submit_to(l.client, s.url, 0);
    while ((status = turbohttp_take(l.client, request, &response)) == TURBOHTTP_PENDING && l.waits < 100)
        CHECK(loop_turn(&l, PATIENCE_MS));
    CHECK_INT(status, TURBOHTTP_OK);
    CHECK_INT(response.error.code, TURBOHTTP_OK);
    CHECK(l.polls < 15); /* and does not spin */
    turbohttp_response_free(&response);
    server_end(&s);
    turbohttp_client_destroy(l.client);
}

static void D1_the_deadline_is_exported(void) {
    static const turbohttp_client_desc defaults;
    loop l;
    server silent;
    turbohttp_response response;
    server_listen(&silent);
    loop_open(&l, &defaults);
    uint64_t began = l.now_us;
    turbohttp_request request = submit_to(l.client, silent.url, 700);
    turbohttp_poll(l.client, 0);
    int peer = accept(silent.listener, NULL, NULL); /* from here on nothing comes */
    while (turbohttp_take(l.client, request, &response) == TURBOHTTP_PENDING && l.waits < 100) loop_turn(&l, 0);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_TIMEOUT);
    CHECK_INT(l.now_us - began, 700000);
    CHECK(l.polls < 15);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(l.client);
    close(peer);
    close(silent.listener);
}

/* A request over a connection that is kept: its other end. */
static int keep_connection(turbohttp_client *client, server *s) {
    turbohttp_response response;
    turbohttp_client_stats before, after;
    server_listen(s);
    turbohttp_client_stats_get(client, &before);
    turbohttp_request request = submit_to(client, s->url, 0);
    turbohttp_poll(client, 0);
    int peer = accept(s->listener, NULL, NULL);
    turbohttp_poll(client, 0);
    CHECK_INT(write(peer, plain, sizeof plain - 1), (long)sizeof plain - 1);
    CHECK_INT(turbohttp_wait(client, request, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    turbohttp_client_stats_get(client, &after);
    CHECK_INT(after.connections_idle, before.connections_idle + 1);
    return peer;
}

/* An idle client wakes nobody up, except to shut what it keeps when that is old. */
static void D1_an_idle_client_causes_no_wake_ups(void) {
    server s;
    loop l;
    turbohttp_client_desc desc;
    uint32_t timeout_ms;
    turbohttp_client_stats stats;
    memset(&desc, 0, sizeof desc);
    desc.timeouts.reuse_ms = 20000;
    loop_open(&l, &desc);
    int peer = keep_connection(l.client, &s);
    for (int i = 0; i < 10; i++) turbohttp_poll(l.client, 0);
    turbohttp_watches(l.client, NULL, 0, &timeout_ms);
    CHECK(timeout_ms > 0 && timeout_ms <= 20000);
    int before = l.waits, turns = 0;
    while (loop_turn(&l, 0) && turns < 100) turns++;
    CHECK(turns <= 4);
    CHECK(l.waits > before);
    turbohttp_client_stats_get(l.client, &stats);
    CHECK_INT(stats.connections_open, 0); /* it was shut in time, and then all is quiet */
    turbohttp_watches(l.client, NULL, 0, &timeout_ms);
    CHECK_INT(timeout_ms, TURBOHTTP_NO_TIMEOUT);
    turbohttp_client_destroy(l.client);
    close(peer);
    close(s.listener);
}

/* ------------------------------------------------------------ D2: a resolver of the user's */
typedef struct names {
    int started, checked, cancelled, answers_after;
    turbohttp_status verdict;
    char name[64];
    turbohttp_resolver table;
} names;

static turbohttp_status names_start(void *user, const char *name, void **query) {
    names *n = (names *)user;
    n->started++;
    n->checked = 0;
    snprintf(n->name, sizeof n->name, "%s", name);
    *query = n;
    return TURBOHTTP_OK;
}

static turbohttp_status names_check(void *user, void *query, turbohttp_address *addresses, size_t room, size_t *count) {
    names *n = (names *)user;
    CHECK(query == user && room == TURBOHTTP_MAX_ADDRESSES);
    if (n->checked++ < n->answers_after) return TURBOHTTP_PENDING;
    memset(addresses, 0, sizeof *addresses);
    addresses->family = 4;
    memcpy(addresses->bytes, "\x7f\0\0\1", 4);
    *count = 1;
    return n->verdict;
}

static void names_cancel(void *user, void *query) {
    CHECK(query == user);
    ((names *)user)->cancelled++;
}

/* A client that asks `n`. */
static turbohttp_client_desc names_desc(names *n) {
    turbohttp_client_desc desc;
    memset(n, 0, sizeof *n);
    n->table.user = n;
    n->table.start = names_start;
    n->table.check = names_check;
    n->table.cancel = names_cancel;
    memset(&desc, 0, sizeof desc);
    desc.resolver = &n->table;
    return desc;
}

static void D2_a_resolver_of_the_users_is_asked_and_not_in_a_hurry(void) {
    names n;
    loop l;
    server s;
    turbohttp_client_desc desc = names_desc(&n);
    turbohttp_response response;
    char url[64];
    loop_open(&l, &desc);
    server_start(&s, plain);
    snprintf(url, sizeof url, "http://Some.Name:%u/", s.port);
    n.answers_after = 5;
    turbohttp_request request = submit_to(l.client, url, 0);
    uint64_t began = l.now_us;
    while (turbohttp_take(l.client, request, &response) == TURBOHTTP_PENDING && l.waits < 100)
        loop_turn(&l, n.checked > n.answers_after ? PATIENCE_MS : 0);
    CHECK_INT(response.error.code, TURBOHTTP_OK);
    CHECK(strcmp(n.name, "some.name") == 0);
    CHECK(n.started == 1 && n.cancelled == 0);
    CHECK(l.now_us - began >= 20000); /* who polls without waiting asks oftener */
    turbohttp_response_free(&response);
    server_end(&s);
    n.verdict = TURBOHTTP_ERR_RESOLVE;
    n.answers_after = 0;
    CHECK_INT(turbohttp_wait(l.client, submit_to(l.client, "http://other.name/", 0), &response), TURBOHTTP_ERR_RESOLVE);
    CHECK(strstr(response.error.text, "other.name") != NULL);
    turbohttp_response_free(&response);
    CHECK_INT(n.cancelled, 0);
    turbohttp_client_destroy(l.client);
}

static void D2_a_query_that_nobody_wants_is_cancelled_once(void) {
    for (int how = 0; how < 4; how++) {
        names n;
        loop l;
        turbohttp_client_desc desc = names_desc(&n);
        turbohttp_response response;
        desc.timeouts.resolve_ms = 500;
        loop_open(&l, &desc);
        n.answers_after = 1000000;
        turbohttp_request request = submit_to(l.client, "http://some.name/", 0);
        turbohttp_poll(l.client, 0);
        CHECK_INT(n.started, 1);
        if (how == 0) turbohttp_cancel(l.client, request);
        if (how == 1) l.now_us += 500000;
        if (how == 2) turbohttp_client_shutdown(l.client);
        if (how < 3) {
            turbohttp_poll(l.client, 0);
            CHECK_INT(turbohttp_take(l.client, request, &response), TURBOHTTP_OK);
            CHECK_INT(response.error.code, how == 0   ? TURBOHTTP_ERR_CANCELLED
                                           : how == 1 ? TURBOHTTP_ERR_TIMEOUT
                                                      : TURBOHTTP_ERR_SHUTDOWN);
            CHECK_INT(response.error.phase, TURBOHTTP_PHASE_RESOLVE);
            if (how == 1) CHECK(strstr(response.error.text, "timeouts.resolve_ms - some.name") != NULL);
            turbohttp_response_free(&response);
        }
        turbohttp_client_destroy(l.client);
        CHECK_INT(n.cancelled, 1);
    }
}

static void D2_the_cache_keeps_names_within_bounds(void) {
    names n;
    loop l;
    turbohttp_client_desc desc = names_desc(&n);
    turbohttp_response response;
    static const int seconds[] = {0, 29, 31, 59, 62}, asked[] = {1, 1, 2, 2, 3}; /* 30 s where no time is given */
    loop_open(&l, &desc);
    uint64_t began = l.now_us;
    for (int i = 0; i < 5; i++) {
        l.now_us = began + (uint64_t)seconds[i] * 1000000;
        turbohttp_wait(l.client, submit_to(l.client, "http://some.name:1/", 0), &response);
        CHECK_INT(response.error.code, TURBOHTTP_ERR_CONNECT);
        CHECK_INT(n.started, asked[i]);
        turbohttp_response_free(&response);
    }
    turbohttp_client_destroy(l.client);
}

static void D2_a_star_overrides_every_name(void) {
    static const turbohttp_name_override fixed[] = {{"Known.NAME", 0, "127.0.0.1"}, {"*", 1, "127.0.0.2 127.0.0.3"}};
    names n;
    loop l;
    turbohttp_client_desc desc = names_desc(&n);
    turbohttp_response response;
    desc.names = fixed;
    desc.name_count = 2;
    loop_open(&l, &desc);
    turbohttp_wait(l.client, submit_to(l.client, "http://known.name:1/", 0), &response);
    CHECK(strstr(response.error.text, "127.0.0.1 port 1") != NULL);
    turbohttp_response_free(&response);
    turbohttp_wait(l.client, submit_to(l.client, "http://any.name:1/", 0), &response);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_CONNECT);
    CHECK_INT(n.started, 0);
    /* D3: each address that was tried, and what came of it */
    CHECK(strstr(response.error.text, "127.0.0.2 port 1: Connection refused; 127.0.0.3 port 1: Connection refused") != NULL);
    turbohttp_response_free(&response);
    n.verdict = TURBOHTTP_ERR_RESOLVE;
    turbohttp_wait(l.client, submit_to(l.client, "http://any.name:2/", 0), &response); /* another port */
    CHECK_INT(n.started, 1);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(l.client);
}

/* ------------------------------------------------------------ D9: Unix sockets */
static turbohttp_status fetch_by_path(turbohttp_client *client, const char *path, turbohttp_response *response) {
    turbohttp_request_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.url = "http://any.name/p";
    desc.unix_path = path;
    return turbohttp_send(client, &desc, response);
}

static void D9_a_request_goes_to_a_unix_socket(void) {
    static const turbohttp_client_desc defaults;
    char folder[] = "/tmp/turbohttp-XXXXXX", path[64], too_long[300];
    struct sockaddr_un name;
    turbohttp_response response;
    server s;
    loop l;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/socket", folder);
    memset(&name, 0, sizeof name);
    name.sun_family = AF_UNIX;
    memcpy(name.sun_path, path, strlen(path));
    memset(&s, 0, sizeof s);
    s.answer = plain;
    s.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(s.listener, (struct sockaddr *)&name, sizeof name), 0);
    CHECK_INT(listen(s.listener, 8), 0);
    CHECK_INT(pthread_create(&s.thread, NULL, serve, &s), 0);
    CHECK_INT(turbohttp_client_create(&l.client, &defaults), TURBOHTTP_OK);
    CHECK_INT(fetch_by_path(l.client, path, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    pthread_join(s.thread, NULL);
    CHECK(strstr(s.request, "GET /p HTTP/1.1\r\nHost: any.name\r\n") == s.request);
    close(s.listener);
    CHECK_INT(fetch_by_path(l.client, path, &response), TURBOHTTP_ERR_CONNECT); /* nobody listens */
    CHECK_INT(response.error.system_code, ECONNREFUSED);
    turbohttp_response_free(&response);
    unlink(path);
    CHECK_INT(fetch_by_path(l.client, path, &response), TURBOHTTP_ERR_CONNECT);
    CHECK_INT(response.error.system_code, ENOENT);
    CHECK(strstr(response.error.text, "No such file") != NULL);
    turbohttp_response_free(&response);
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/', too_long[sizeof too_long - 1] = 0;
    CHECK_INT(fetch_by_path(l.client, too_long, &response), TURBOHTTP_ERR_CONNECT); /* not cut short to another one */
    CHECK_INT(response.error.system_code, ENAMETOOLONG);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(l.client);
    rmdir(folder);
}

/* ------------------------------------------------------------ RELIABILITY 3.5: EMFILE */
/* The client has ended its side; what it had sent before is passed over. */
static bool has_ended(int peer, int patience_ms) {
    char bytes[4096];
    ssize_t n = 1;
    while (n > 0 && is_ready(peer, POLLIN, patience_ms)) n = recv(peer, bytes, sizeof bytes, 0);
    return n == 0;
}

/* A request to a name, whose server takes nobody, for which the system has no descriptor when the name is
 * found. Returns the connections that lie idle then. */
static uint32_t miss_a_descriptor_for_a_name(loop *l, names *n) {
    server other;
    turbohttp_client_stats stats;
    char url[64];
    server_listen(&other); /* accepts by itself, in its queue */
    snprintf(url, sizeof url, "http://some.name:%u/", other.port);
    n->answers_after = 2;
    submit_to(l->client, url, 0);
    turbohttp_poll(l->client, 0);
    struct rlimit limit = allow_no_more_descriptors();
    for (int i = 0; i < 10; i++) turbohttp_poll(l->client, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    turbohttp_client_stats_get(l->client, &stats);
    CHECK_INT(stats.requests_done, 0);
    CHECK_INT(stats.connections_open, 1 + stats.connections_idle);
    close(other.listener);
    return stats.connections_idle;
}

/* Also when the descriptor is missed only after a look-up, the oldest idle connection makes room, and no
 * other, whichever server it leads to. */
static void the_oldest_idle_connection_gives_its_descriptor_to_a_name(void) {
    for (uint32_t idle = 1; idle <= 3; idle++) {
        names n;
        loop l;
        server servers[3];
        turbohttp_client_desc desc = names_desc(&n);
        int peers[3];
        loop_open(&l, &desc);
        for (uint32_t i = 0; i < idle; i++) {
            peers[i] = keep_connection(l.client, &servers[i]);
            l.now_us += 1000;
        }
        CHECK_INT(miss_a_descriptor_for_a_name(&l, &n), idle - 1);
        CHECK(has_ended(peers[0], PATIENCE_MS));
        for (uint32_t i = 1; i < idle; i++) CHECK(!has_ended(peers[i], 0));
        turbohttp_client_destroy(l.client);
        for (uint32_t i = 0; i < idle; i++) {
            close(peers[i]);
            close(servers[i].listener);
        }
    }
}

/* A second address that gets no descriptor does not end an attempt that is under way. */
static void an_attempt_goes_on_when_the_next_gets_no_descriptor(void) {
    loop l;
    turbohttp_client_desc desc;
    turbohttp_name_override slow;
    turbohttp_response response;
    unsigned port = 0;
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int listener = open_on_loopback(SOCK_STREAM, &port), filler = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(listen(listener, 0), 0); /* one waits in the queue, and others are not answered */
    CHECK_INT(getsockname(listener, (struct sockaddr *)&name, &length), 0);
    CHECK_INT(connect(filler, (struct sockaddr *)&name, sizeof name), 0);
    memset(&desc, 0, sizeof desc);
    memset(&slow, 0, sizeof slow);
    slow.host = "slow.test";
    slow.addresses = "127.0.0.1 127.0.0.2";
    desc.names = &slow;
    desc.name_count = 1;
    loop_open(&l, &desc);
    char url[64];
    snprintf(url, sizeof url, "http://slow.test:%u/", port);
    turbohttp_request request = submit_to(l.client, url, 0);
    turbohttp_poll(l.client, 0);
    struct rlimit limit = allow_no_more_descriptors();
    l.now_us += 300000; /* the next address is due after 250 ms */
    for (int i = 0; i < 5; i++) turbohttp_poll(l.client, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_INT(turbohttp_take(l.client, request, &response), TURBOHTTP_PENDING);
    turbohttp_client_destroy(l.client);
    close(filler);
    close(listener);
}

/* ------------------------------------------------------------ RELIABILITY 3.1: what holds when nothing is said */
/* One request to a server that gives `answer` and then nothing; the clock jumps to `at_ms`. */
static turbohttp_status after(const char *answer, bool is_streamed, uint32_t silence_ms, uint64_t at_ms) {
    fixture f;
    turbohttp_response response;
    fixture_describe(&f, answer ? answer : "", answer ? strlen(answer) : 0);
    f.server.is_silent = !answer;
    fixture_create(&f);
    f.request.on_body = is_streamed ? ignore_body : NULL;
    f.request.timeouts.first_byte_ms = f.request.timeouts.idle_ms = silence_ms;
    turbohttp_request request = submit(&f);
    for (int i = 0; i < 3; i++) turbohttp_poll(f.client, 0);
    f.server.now_us += at_ms * 1000;
    turbohttp_poll(f.client, 0);
    turbohttp_status status = turbohttp_take(f.client, request, &response);
    if (status == TURBOHTTP_OK) {
        status = response.error.code;
        turbohttp_response_free(&response);
    }
    fixture_close(&f);
    return status;
}

static void E9_limits_of_time_when_nothing_is_said(void) {
    static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
    CHECK_INT(after(NULL, false, 0, 29999), TURBOHTTP_PENDING);
    CHECK_INT(after(NULL, false, 0, 30000), TURBOHTTP_ERR_TIMEOUT);
    CHECK_INT(after(half, false, 0, 29999), TURBOHTTP_PENDING);
    CHECK_INT(after(half, false, 0, 30000), TURBOHTTP_ERR_TIMEOUT);
    CHECK_INT(after(half, false, TURBOHTTP_NO_TIMEOUT, 119999), TURBOHTTP_PENDING);
    CHECK_INT(after(half, false, TURBOHTTP_NO_TIMEOUT, 120000), TURBOHTTP_ERR_TIMEOUT);
    CHECK_INT(after(half, true, TURBOHTTP_NO_TIMEOUT, 1000000000), TURBOHTTP_PENDING);
}

static void limits_of_size_when_nothing_is_said(void) {
    static const char most[] = "HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n";
    static const char more[] = "HTTP/1.1 200 OK\r\nContent-Length: 33554433\r\n\r\n";
    static const char huge[] = "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n";
    turbohttp_limits l;
    turbohttp_timeouts t;
    memset(&l, 0, sizeof l);
    memset(&t, 0, sizeof t);
    CHECK_INT(after(most, false, 0, 0), TURBOHTTP_PENDING);
    CHECK_INT(after(more, false, 0, 0), TURBOHTTP_ERR_BODY_TOO_LARGE);
    CHECK_INT(after(huge, true, 0, 0), TURBOHTTP_PENDING);
    l = tbh_limits_with_defaults(&l);
    CHECK(l.head_bytes == 65536 && l.line_bytes == 16384 && l.header_count == 128 && l.interim_count == 8);
    CHECK(l.url_bytes == 8192 && l.inflate_ratio == 256 && l.connections == 64 && l.connections_per_host == 6);
    CHECK(l.requests == 256 && l.block_bytes == 16384 && l.receive_bytes == 262144 && l.poll_bytes == 65536);
    t = tbh_timeouts_with_defaults(&t);
    CHECK(t.resolve_ms == 5000 && t.connect_ms == 10000 && t.tls_ms == 10000 && t.send_ms == 30000);
    CHECK(t.continue_ms == 1000 && t.reuse_ms == 30000 && t.first_byte_ms == 30000 && t.idle_ms == 30000);
}

static const check_test tests[] = {
    CHECK_TEST(E9_limits_of_time_when_nothing_is_said),
    CHECK_TEST(limits_of_size_when_nothing_is_said),
    CHECK_TEST(E1_get_and_post_in_one_line),
    CHECK_TEST(E1_download_in_one_line),
    CHECK_TEST(E3_a_file_that_cannot_be_written_is_one_clear_error),
    CHECK_TEST(D1_another_loop_needs_the_descriptors_and_the_deadline_alone),
    CHECK_TEST(D1_the_deadline_is_exported),
    CHECK_TEST(D1_an_idle_client_causes_no_wake_ups),
    CHECK_TEST(D2_a_resolver_of_the_users_is_asked_and_not_in_a_hurry),
    CHECK_TEST(D2_a_query_that_nobody_wants_is_cancelled_once),
    CHECK_TEST(D2_the_cache_keeps_names_within_bounds),
    CHECK_TEST(D2_a_star_overrides_every_name),
    CHECK_TEST(D9_a_request_goes_to_a_unix_socket),
    CHECK_TEST(the_oldest_idle_connection_gives_its_descriptor_to_a_name),
    CHECK_TEST(an_attempt_goes_on_when_the_next_gets_no_descriptor),
};
CHECK_MAIN(tests)
