/* The stub resolver in one process: its name server is a socket of this test, and time is a number
 * that the test turns, so that retries and delays are exact. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include "system.h"
#include <netinet/tcp.h>

typedef struct fixture {
    counting_allocator memory;
    turbohttp_allocator allocator;
    tbh_poller poller;
    turbohttp_client_desc desc;
    tbh_resolver *resolver;
    tbh_lookup lookup;
    turbohttp_error error;
    uint64_t now_us;
    int server, stream; /* UDP, and TCP on the same port */
    char servers[64];
    int descriptors; /* open before */
} fixture;

static void begin(fixture *f, const char *name) {
    f->now_us = 1000000;
    (void)tbh_lookup_begin(&f->lookup, f->resolver, name, 80, f->now_us, &f->error);
}

static void setup(fixture *f) {
    memset(f, 0, sizeof *f);
    f->descriptors = count_descriptors();
    do { /* a port that is free for both */
        unsigned port = 0;
        f->server = open_on_loopback(SOCK_DGRAM, &port);
        f->stream = open_on_loopback(SOCK_STREAM, &port);
        snprintf(f->servers, sizeof f->servers, "127.0.0.1:%u", port);
        if (f->stream < 0) close(f->server);
    } while (f->stream < 0);
    f->allocator = counting_allocator_hooks(&f->memory);
    f->desc.name_service = TURBOHTTP_NAMES_STUB;
    f->desc.stub.servers = f->servers;
    f->desc.stub.hosts_path = f->desc.stub.resolv_conf_path = "/nonexistent";
    tbh_poller_init(&f->poller, &f->allocator, TURBOHTTP_IO_DEFAULT);
    CHECK_INT(tbh_resolver_create(&f->resolver, &f->allocator, &f->poller, NULL, &f->desc), TURBOHTTP_OK);
}

static void teardown(fixture *f) {
    tbh_lookup_abandon(&f->lookup);
    tbh_resolver_destroy(f->resolver);
    CHECK_INT(f->poller.count, 0);
    tbh_poller_fini(&f->poller);
    close(f->server);
    close(f->stream);
    CHECK(counting_allocator_balanced(&f->memory));
    CHECK_INT(count_descriptors(), f->descriptors);
}

static turbohttp_status step_after(fixture *f, unsigned ms) {
    f->now_us += (uint64_t)ms * 1000;
    tbh_poller_wait(&f->poller, 0);
    return tbh_lookup_step(&f->lookup, f->now_us, &f->error);
}

/* ------------------------------------------------------------ the name server's side */
typedef struct question {
    uint8_t bytes[512];
    size_t length;
    struct sockaddr_in from;
    unsigned type;
    size_t end; /* of the question */
} question;

static void locate(question *q) {
    q->end = 12;
    while (q->bytes[q->end]) q->end += q->bytes[q->end] + 1u;
    q->end += 5;
    q->type = q->bytes[q->end - 3];
}

static bool next_question(fixture *f, question *q) {
    socklen_t length = sizeof q->from;
    if (!is_there(f->server)) return false;
    ssize_t n = recvfrom(f->server, q->bytes, sizeof q->bytes, 0, (struct sockaddr *)&q->from, &length);
    q->length = (size_t)n;
    locate(q);
    return true;
}

/* An answer with one address if `has_address`; flags as on the wire. */
static size_t make_reply(const question *q, unsigned flags, bool has_address, uint8_t *out) {
    size_t n = q->end;
    size_t bytes = q->type == 1 ? 4 : 16;
    memcpy(out, q->bytes, n);
    out[2] = (uint8_t)(flags >> 8), out[3] = (uint8_t)flags;
    out[7] = has_address, out[11] = 0;
    if (!has_address) return n;
    memcpy(out + n, "\xc0\x0c\0\0\0\1\0\0\0\x3c\0\0", 12);
    out[n + 3] = (uint8_t)q->type;
    out[n + 11] = (uint8_t)bytes;
    memset(out + n + 12, 7, bytes);
    return n + 12 + bytes;
}

/* The client's socket that asked `q`; -1: it is not open any more. */
static int asking_socket(const fixture *f, const question *q) {
    for (uint32_t i = 0; i < f->poller.count; i++) {
        struct sockaddr_in name;
        socklen_t length = sizeof name;
        int s = (int)f->poller.watches[i]->descriptor;
        memset(&name, 0, sizeof name);
        getsockname(s, (struct sockaddr *)&name, &length);
        if (name.sin_port == q->from.sin_port) return s;
    }
    return -1;
}

/* Returns when the datagram is where the client looks. */
static void send_reply(fixture *f, const question *q, const uint8_t *out, size_t n) {
    int asking = asking_socket(f, q);
    sendto(f->server, out, n, 0, (const struct sockaddr *)&q->from, sizeof q->from);
    if (asking >= 0) CHECK(arrives(asking));
}

/* Something lies at one of the client's sockets, or (with `or_server`) at one of the server's. */
static bool arrives_somewhere(const fixture *f, bool or_server) {
    struct pollfd set[10];
    nfds_t n = 0;
    for (uint32_t i = 0; i < f->poller.count && i < 8; i++) set[n++].fd = (int)f->poller.watches[i]->descriptor;
    if (or_server) set[n++].fd = f->server;
    if (or_server) set[n++].fd = f->stream;
    for (nfds_t i = 0; i < n; i++) set[i].events = POLLIN;
    return poll(set, n, PATIENCE_MS) > 0;
}

static bool arrives_at_client(const fixture *f) {
    return arrives_somewhere(f, false);
}

static void reply(fixture *f, const question *q, unsigned flags, bool has_address) {
    uint8_t out[512];
    send_reply(f, q, out, make_reply(q, flags, has_address, out));
}

enum { GOOD = 0x8180, NO_NAME = 0x8183, BROKEN = 0x8182, CUT = 0x8380 };

/* Both questions of a try: [0] about IPv6, [1] about IPv4. */
static void take_both(fixture *f, question q[2]) {
    memset(q, 0, 2 * sizeof *q);
    for (int i = 0; i < 2; i++) CHECK(arrives(f->server) && next_question(f, &q[i]));
    if (q[0].type == 1) {
        question swap = q[0];
        q[0] = q[1];
        q[1] = swap;
    }
    CHECK(q[0].type == 28 && q[1].type == 1);
}

/* A look-up whose first questions are there. */
static void setup_asked(fixture *f, question q[2]) {
    setup(f);
    begin(f, "game.example");
    take_both(f, q);
}

static bool is_quiet(fixture *f) {
    return !is_there(f->server);
}

/* ------------------------------------------------------------ tests */
static void both_families_are_asked_and_ipv6_comes_first(void) {
    fixture f;
    question q[2];
    setup(&f);
    begin(&f, "game.example");
    CHECK_INT(f.poller.count, 2);
    take_both(&f, q);
    CHECK(q[0].from.sin_port != q[1].from.sin_port);
    reply(&f, &q[1], GOOD, true);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_PENDING);
    CHECK_INT(f.poller.count, 1);
    reply(&f, &q[0], GOOD, true);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_OK);
    CHECK_INT(f.lookup.count, 2);
    CHECK_INT(f.lookup.addresses[0].family, 6);
    CHECK_INT(f.lookup.addresses[1].family, 4);
    CHECK_INT(f.lookup.ttl_s, 60);
    CHECK_INT(f.poller.count, 0);
    teardown(&f);
}

static void the_other_family_is_waited_for_50_ms(void) {
    for (int first = 0; first < 2; first++) {
        fixture f;
        question q[2];
        setup_asked(&f, q);
        reply(&f, &q[first], GOOD, true);
        CHECK_INT(step_after(&f, 10), TURBOHTTP_PENDING);
        CHECK_INT(tbh_lookup_deadline(&f.lookup), f.now_us + 50000);
        CHECK_INT(step_after(&f, 49), TURBOHTTP_PENDING);
        CHECK_INT(step_after(&f, 1), TURBOHTTP_OK);
        CHECK_INT(f.lookup.count, 1);
        CHECK_INT(f.lookup.ttl_s, 1); /* half an answer is not kept */
        teardown(&f);
    }
}

/* ------------------------------------------------------------ the rest of half an answer, RFC 8305 */
static void reply_loopback(fixture *f, const question *q) {
    uint8_t out[512];
    size_t n = make_reply(q, GOOD, true, out);
    if (q->type == 1) memcpy(out + n - 4, "\x7f\0\0\1", 4);
    else memcpy(out + n - 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    send_reply(f, q, out, n);
}

/* The other family's addresses are asked for until it is clear whether there are any. */
static void the_rest_of_an_answer_comes_later(void) {
    for (int first = 0; first < 2; first++)
        for (int has_rest = 0; has_rest < 2; has_rest++) {
            fixture f;
            question q[2];
            setup_asked(&f, q);
            reply(&f, &q[first], GOOD, true);
            CHECK_INT(step_after(&f, 10), TURBOHTTP_PENDING);
            CHECK_INT(step_after(&f, 50), TURBOHTTP_OK);
            CHECK(f.lookup.is_partial && f.poller.count == 1);
            CHECK_INT(tbh_lookup_deadline(&f.lookup), 1000000 + 1000000); /* the retry, not the delay */
            CHECK(!tbh_lookup_join(&f.lookup, f.now_us));
            reply(&f, &q[1 - first], GOOD, has_rest);
            tbh_poller_wait(&f.poller, 0);
            CHECK_INT(tbh_lookup_join(&f.lookup, f.now_us), has_rest);
            CHECK(!f.lookup.is_partial && f.poller.count == 0);
            CHECK(!tbh_lookup_join(&f.lookup, f.now_us));
            CHECK_INT(f.lookup.count, 1 + has_rest);
            CHECK_INT(f.lookup.addresses[0].family, first ? 4 : 6); /* what is in use stays where it is */
            if (has_rest) CHECK_INT(f.lookup.addresses[1].family, first ? 6 : 4);
            CHECK_INT(f.lookup.ttl_s, 60);
            tbh_lookup again;
            memset(&again, 0, sizeof again);
            f.now_us += 10000000;
            CHECK_INT(tbh_lookup_begin(&again, f.resolver, "game.example", 80, f.now_us, &f.error), TURBOHTTP_OK);
            CHECK_INT(again.count, 1 + has_rest); /* from the cache, IPv6 first */
            if (has_rest) CHECK(again.addresses[0].family == 6 && again.addresses[1].family == 4);
            teardown(&f);
        }
}

static void half_an_answer_may_stay_half(void) {
    fixture f;
    question q[2];
    setup_asked(&f, q);
    reply(&f, &q[1], GOOD, true);
    CHECK_INT(step_after(&f, 10), TURBOHTTP_PENDING);
    CHECK_INT(step_after(&f, 50), TURBOHTTP_OK);
    while (f.lookup.is_partial && f.now_us < 20000000) {
        f.now_us = tbh_lookup_deadline(&f.lookup);
        CHECK(!tbh_lookup_join(&f.lookup, f.now_us));
    }
    CHECK_INT(f.now_us, 4000000); /* two tries, the last one with twice the time */
    CHECK_INT(f.lookup.count, 1);
    CHECK_INT(f.lookup.ttl_s, 1);
    teardown(&f);
}

static turbohttp_status dial(fixture *f, tbh_dialer *d, uint16_t port, uint32_t resolve_ms) {
    tbh_dial_target target;
    memset(d, 0, sizeof *d);
    memset(&target, 0, sizeof target);
    target.host = "game.example";
    target.port = port;
    target.resolve_ms = resolve_ms;
    target.connect_ms = 10000;
    f->now_us = 1000000;
    return tbh_dialer_begin(d, &f->poller, f->resolver, &target, NULL, f->now_us, &f->error);
}

static turbohttp_status dial_after(fixture *f, tbh_dialer *d, unsigned ms) {
    f->now_us += (uint64_t)ms * 1000;
    tbh_poller_wait(&f->poller, 0);
    return tbh_dialer_step(d, f->now_us, &f->error);
}

/* The system knows what became of an attempt: it stands, or nobody listens, or there is no such family. */
static void await_attempt(const tbh_dial_attempt *attempt) {
    CHECK(attempt->failed || is_ready((int)attempt->watch.descriptor, POLLOUT, PATIENCE_MS));
}

static uint16_t stream_port(const fixture *f) {
    return (uint16_t)atoi(strchr(f->servers, ':') + 1);
}

/* IPv6 leads nowhere, and IPv4 is told only when everything has failed already. */
static void an_address_that_comes_late_joins_the_dial(void) {
    fixture f;
    question q[2];
    tbh_dialer d;
    turbohttp_address address;
    setup(&f);
    CHECK_INT(dial(&f, &d, stream_port(&f), 5000), TURBOHTTP_PENDING);
    take_both(&f, q);
    reply_loopback(&f, &q[0]);
    CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_PENDING);
    CHECK_INT(dial_after(&f, &d, 50), TURBOHTTP_PENDING); /* nobody listens at ::1 */
    await_attempt(&d.attempts[0]);
    CHECK_INT(dial_after(&f, &d, 100), TURBOHTTP_PENDING);
    CHECK_INT(d.started, 1);
    CHECK(d.attempts[0].failed && d.phase == TURBOHTTP_PHASE_CONNECT);
    CHECK(tbh_dialer_deadline(&d) > f.now_us); /* no haste */
    reply_loopback(&f, &q[1]);
    CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_PENDING);
    CHECK_INT(d.started, 2);
    await_attempt(&d.attempts[1]);
    CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_OK);
    close((int)tbh_dialer_take(&d, &address));
    CHECK_INT(address.family, 4);
    teardown(&f);
}

/* While the first one is under way, the new family's turn comes after the usual delay. */
static void a_late_family_is_next(void) {
    fixture f;
    question q[2];
    tbh_dialer d;
    setup(&f);
    CHECK_INT(dial(&f, &d, stream_port(&f), 5000), TURBOHTTP_PENDING);
    take_both(&f, q);
    memset(&d.lookup.addresses, 0, sizeof d.lookup.addresses);
    reply_loopback(&f, &q[1]);
    CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_PENDING);
    f.now_us += 50000;
    CHECK_INT(tbh_dialer_step(&d, f.now_us, &f.error), TURBOHTTP_PENDING); /* connecting; not looked at */
    CHECK_INT(d.started, 1);
    d.lookup.addresses[1] = d.lookup.addresses[2] = d.lookup.addresses[0]; /* two more of IPv4 */
    d.lookup.count = 3;
    reply_loopback(&f, &q[0]);
    d.attempts[0].watch.ready = 0;
    for (uint32_t i = 0; i < f.poller.count; i++) /* only the resolver's socket */
        if (f.poller.watches[i] != &d.attempts[0].watch) f.poller.watches[i]->ready = TBH_WANT_RECEIVE;
    CHECK_INT(tbh_dialer_step(&d, f.now_us, &f.error), TURBOHTTP_PENDING);
    CHECK_INT(d.started, 1);
    CHECK_INT(d.lookup.count, 4);
    CHECK(d.lookup.addresses[0].family == 4 && d.lookup.addresses[1].family == 6 && d.lookup.addresses[2].family == 4);
    CHECK_INT(tbh_dialer_deadline(&d), f.now_us + 250000);
    tbh_dialer_abandon(&d);
    teardown(&f);
}

static void a_dial_does_not_wait_for_the_rest_for_ever(void) {
    fixture f;
    question q[2];
    tbh_dialer d;
    for (int tells = 0; tells < 2; tells++) {
        setup(&f);
        uint16_t port = stream_port(&f);
        CHECK_INT(dial(&f, &d, port, 500), TURBOHTTP_PENDING);
        take_both(&f, q);
        reply_loopback(&f, &q[0]);
        CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_PENDING);
        CHECK_INT(dial_after(&f, &d, 50), TURBOHTTP_PENDING);
        await_attempt(&d.attempts[0]);
        CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_PENDING);
        if (tells) {
            reply(&f, &q[1], GOOD, false);
            CHECK_INT(dial_after(&f, &d, 1), TURBOHTTP_ERR_CONNECT);
        } else {
            CHECK_INT(tbh_dialer_deadline(&d), 1000000 + 500000);
            f.now_us = tbh_dialer_deadline(&d);
            CHECK_INT(dial_after(&f, &d, 0), TURBOHTTP_ERR_CONNECT);
        }
        CHECK(strstr(f.error.text, "::1") != NULL);
        teardown(&f);
    }
}

static void a_retry_keeps_the_older_question_alive(void) {
    fixture f;
    question q[2], again[2];
    setup_asked(&f, q);
    CHECK_INT(tbh_lookup_deadline(&f.lookup), f.now_us + 1000000);
    CHECK_INT(step_after(&f, 999), TURBOHTTP_PENDING);
    CHECK(is_quiet(&f));
    CHECK_INT(step_after(&f, 1), TURBOHTTP_PENDING);
    take_both(&f, again);
    CHECK_INT(f.poller.count, 4);
    CHECK(memcmp(q[0].bytes, again[0].bytes, q[0].length) != 0);
    CHECK(q[0].from.sin_port != again[0].from.sin_port);
    reply(&f, &q[0], GOOD, true);
    reply(&f, &q[1], GOOD, true);
    CHECK_INT(step_after(&f, 500), TURBOHTTP_OK);
    CHECK_INT(f.lookup.count, 2);
    teardown(&f);
}

static void silence_ends_after_the_last_try(void) {
    fixture f;
    question q[2];
    setup_asked(&f, q);
    CHECK_INT(step_after(&f, 1000), TURBOHTTP_PENDING);
    take_both(&f, q);
    CHECK_INT(step_after(&f, 1999), TURBOHTTP_PENDING);
    CHECK(is_quiet(&f));
    CHECK_INT(step_after(&f, 1), TURBOHTTP_ERR_RESOLVE_TEMPORARY);
    CHECK_INT(f.error.phase, TURBOHTTP_PHASE_RESOLVE);
    CHECK(strstr(f.error.text, "game.example") != NULL);
    CHECK_INT(f.poller.count, 0);
    teardown(&f);
}

static void a_broken_server_is_asked_again_at_once_and_then_no_more(void) {
    fixture f;
    question q[2];
    setup_asked(&f, q);
    reply(&f, &q[0], BROKEN, false);
    reply(&f, &q[1], BROKEN, false);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_PENDING);
    take_both(&f, q);
    reply(&f, &q[0], BROKEN, false);
    reply(&f, &q[1], BROKEN, false);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_ERR_RESOLVE_TEMPORARY);
    CHECK(is_quiet(&f));
    teardown(&f);
}

static void no_such_name_is_decided_by_both_families(void) {
    fixture f;
    question q[2];
    setup_asked(&f, q);
    reply(&f, &q[0], NO_NAME, false);
    CHECK_INT(step_after(&f, 100), TURBOHTTP_PENDING);
    reply(&f, &q[1], NO_NAME, false);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_ERR_RESOLVE);
    teardown(&f);
}

static void a_flood_is_taken_in_portions(void) {
    fixture f;
    question q[2], forged;
    setup_asked(&f, q);
    forged = q[1];
    forged.bytes[0] ^= 1;
    for (int i = 0; i < TBH_STUB_DATAGRAMS; i++) reply(&f, &forged, GOOD, true);
    reply(&f, &q[1], GOOD, true);
    reply(&f, &q[0], GOOD, false);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_PENDING);
    turbohttp_status status = TURBOHTTP_PENDING;
    while (status == TURBOHTTP_PENDING && arrives_at_client(&f)) status = step_after(&f, 1);
    CHECK_INT(status, TURBOHTTP_OK);
    CHECK_INT(f.lookup.count, 1);
    teardown(&f);
}

/* The stream's side of one question; returns the connection, on which each byte leaves at once. */
static int accept_question(fixture *f, question *q) {
    uint8_t prefix[2];
    int yes = 1;
    CHECK(arrives(f->stream));
    int s = accept(f->stream, NULL, NULL);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (!is_there(s)) (void)step_after(f, 1);
    CHECK(arrives(s));
    CHECK_INT(recv(s, prefix, 2, MSG_WAITALL), 2);
    q->length = tbh_load16_be(prefix);
    CHECK_INT(recv(s, q->bytes, q->length, MSG_WAITALL), q->length);
    locate(q);
    return s;
}

static void a_cut_answer_is_asked_for_over_tcp_in_any_pieces(void) {
    fixture f;
    question q[2], over;
    uint8_t out[514];
    setup(&f);
    begin(&f, "Game.example");
    take_both(&f, q);
    reply(&f, &q[0], GOOD, false);
    reply(&f, &q[1], CUT, false);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_PENDING);
    int s = accept_question(&f, &over);
    CHECK_INT(over.type, 1);
    CHECK(memcmp(over.bytes + 12, "\4game\7example", 13) == 0); /* no turned letters over TCP */
    size_t n = make_reply(&over, GOOD, true, out + 2);
    tbh_store16_be(out, (uint16_t)n);
    for (size_t i = 0; i < n + 2; i++) {
        CHECK_INT(step_after(&f, 0), TURBOHTTP_PENDING);
        CHECK_INT(send(s, out + i, 1, 0), 1);
        CHECK(arrives_at_client(&f));
    }
    CHECK_INT(step_after(&f, 0), TURBOHTTP_OK);
    CHECK_INT(f.lookup.count, 1);
    close(s);
    teardown(&f);
}

static void S_74_a_server_with_bad_datagrams_is_asked_over_tcp(void) {
    fixture f;
    question q[2], forged, over;
    setup_asked(&f, q);
    forged = q[1];
    forged.bytes[1] ^= 0x80;
    reply(&f, &forged, GOOD, true);
    reply(&f, &q[0], GOOD, false);
    CHECK_INT(step_after(&f, 1), TURBOHTTP_PENDING);
    CHECK_INT(step_after(&f, 1000), TURBOHTTP_PENDING);
    CHECK(is_quiet(&f));
    int s = accept_question(&f, &over);
    reply(&f, &q[1], GOOD, true); /* the true answer is still welcome */
    CHECK_INT(step_after(&f, 1), TURBOHTTP_OK);
    close(s);
    teardown(&f);
}

static void an_absolute_name_is_not_searched_for(void) {
    for (int is_absolute = 0; is_absolute < 2; is_absolute++) {
        fixture f;
        question q[2];
        static const char text[] = "search one.test two.test\n";
        char path[] = "/tmp/resolv-conf-XXXXXX";
        int conf = mkstemp(path);
        CHECK(conf >= 0 && write(conf, text, sizeof text - 1) == sizeof text - 1);
        close(conf);
        setup(&f);
        f.desc.stub.resolv_conf_path = path;
        begin(&f, is_absolute ? "host." : "host");
        static const char *const asked[] = {"\4host\3one\4test", "\4host\3two\4test", "\4host"};
        for (int i = is_absolute ? 2 : 0; i < 3; i++) {
            take_both(&f, q);
            CHECK(tbh_equal_nocase(q[0].bytes + 12, asked[i], strlen(asked[i]) + 1));
            reply(&f, &q[0], NO_NAME, false);
            reply(&f, &q[1], GOOD, false);
            CHECK_INT(step_after(&f, 1), i < 2 ? TURBOHTTP_PENDING : TURBOHTTP_ERR_RESOLVE);
        }
        CHECK(is_quiet(&f));
        teardown(&f);
        remove(path);
    }
}

static void names_with_bad_bytes_are_not_sent(void) {
    static const char *const names[] = {"a..b", "a_b.c*", "a/b", ".a", "a:b"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture f;
        setup(&f);
        begin(&f, names[i]);
        CHECK_INT(f.error.code, TURBOHTTP_ERR_URL_HOST);
        CHECK(is_quiet(&f));
        teardown(&f);
    }
}

static void cancelling_shuts_every_socket(void) {
    for (int steps = 0; steps < 3; steps++) {
        fixture f;
        setup(&f);
        begin(&f, "game.example");
        for (int i = 0; i < steps; i++) (void)step_after(&f, 1000);
        CHECK(f.poller.count > 0);
        tbh_lookup_abandon(&f.lookup);
        CHECK_INT(f.poller.count, 0);
        teardown(&f);
    }
}

/* Answers whatever was asked: IPv6 at once, IPv4 over TCP. */
static turbohttp_status play(fixture *f) {
    question q;
    turbohttp_status status = TURBOHTTP_PENDING;
    begin(f, "game.example");
    for (int i = 0; i < 20 && f->lookup.service; i++) {
        CHECK(arrives_somewhere(f, true));
        while (next_question(f, &q)) reply(f, &q, q.type == 1 ? CUT : GOOD, q.type != 1);
        while (is_there(f->stream)) {
            uint8_t out[514];
            question over;
            int s = accept_question(f, &over);
            size_t n = make_reply(&over, GOOD, true, out + 2);
            tbh_store16_be(out, (uint16_t)n);
            CHECK_INT(send(s, out, n + 2, 0), n + 2);
            CHECK(arrives_at_client(f));
            (void)step_after(f, 0);
            close(s);
        }
        if (f->lookup.service) status = step_after(f, 1);
    }
    return f->error.code ? f->error.code : status;
}

static void without_memory_the_lookup_fails_and_leaks_nothing(void) {
    int failed = 0;
    for (uint64_t at = 1; at < 20; at++) {
        fixture f;
        setup(&f);
        f.memory.fail_at = f.memory.requests + at;
        turbohttp_status status = play(&f);
        if (f.error.code) CHECK_INT(status, TURBOHTTP_ERR_OUT_OF_MEMORY);
        if (f.error.code) failed++;
        teardown(&f);
    }
    CHECK(failed >= 5); /* the job, two exchanges, the poller's arrays, the stream */
}

static bool no_random(void *user, void *bytes, size_t length) {
    (void)user, (void)bytes, (void)length;
    return false;
}

static void without_entropy_nothing_is_asked(void) {
    fixture f;
    setup(&f);
    f.desc.random.fill = no_random;
    begin(&f, "game.example");
    CHECK_INT(f.error.code, TURBOHTTP_ERR_RANDOM);
    CHECK(is_quiet(&f));
    teardown(&f);
}

/* ------------------------------------------------------------ lists of servers */
static void servers_are_read_with_and_without_ports(void) {
    static const struct {
        const char *text, *address;
        uint16_t port;
    } rows[] = {{"192.0.2.1", "192.0.2.1", 53},     {"192.0.2.1:5353", "192.0.2.1", 5353},
                {"::1", "::1", 53},                 {"[::1]", "::1", 53},
                {"[::1]:5353", "::1", 5353},        {"fe80::1%2", "fe80::1", 53},
                {"[fe80::1%2]:99", "fe80::1", 99},  {"x 192.0.2.1:1", "192.0.2.1", 1},
                {"2001:db8::1:53", "2001:db8::1:53", 53}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tbh_peer servers[TBH_STUB_SERVERS];
        char text[46];
        CHECK_INT(tbh_stub_parse_servers(rows[i].text, servers), 1);
        CHECK_TEXT(text, tbh_address_format(&servers[0].address, text), rows[i].address);
        CHECK_INT(servers[0].port, rows[i].port);
        CHECK_INT(servers[0].address.scope, strchr(rows[i].text, '%') ? 2 : 0);
    }
}

static void servers_that_make_no_sense_are_left_out(void) {
    static const char *const texts[] = {"",           "x",      "192.0.2.1:",   "192.0.2.1:0", "192.0.2.1:65536",
                                        "[::1]:",     "[::1",   "::1]",         "[]:53",       "fe80::1%eth0",
                                        "[::1]53",    ":53",    "192.0.2:53",   "[192.0.2.1",  "localhost"};
    tbh_peer servers[TBH_STUB_SERVERS];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK_INT(tbh_stub_parse_servers(texts[i], servers), 0);
    CHECK_INT(tbh_stub_parse_servers("1.1.1.1, 2.2.2.2\t3.3.3.3 4.4.4.4", servers), 3);
}

static const check_test tests[] = {
    CHECK_TEST(both_families_are_asked_and_ipv6_comes_first),
    CHECK_TEST(the_other_family_is_waited_for_50_ms),
    CHECK_TEST(the_rest_of_an_answer_comes_later),
    CHECK_TEST(half_an_answer_may_stay_half),
    CHECK_TEST(an_address_that_comes_late_joins_the_dial),
    CHECK_TEST(a_late_family_is_next),
    CHECK_TEST(a_dial_does_not_wait_for_the_rest_for_ever),
    CHECK_TEST(a_retry_keeps_the_older_question_alive),
    CHECK_TEST(silence_ends_after_the_last_try),
    CHECK_TEST(a_broken_server_is_asked_again_at_once_and_then_no_more),
    CHECK_TEST(no_such_name_is_decided_by_both_families),
    CHECK_TEST(a_flood_is_taken_in_portions),
    CHECK_TEST(a_cut_answer_is_asked_for_over_tcp_in_any_pieces),
    CHECK_TEST(S_74_a_server_with_bad_datagrams_is_asked_over_tcp),
    CHECK_TEST(an_absolute_name_is_not_searched_for),
    CHECK_TEST(names_with_bad_bytes_are_not_sent),
    CHECK_TEST(cancelling_shuts_every_socket),
    CHECK_TEST(without_memory_the_lookup_fails_and_leaks_nothing),
    CHECK_TEST(without_entropy_nothing_is_asked),
    CHECK_TEST(servers_are_read_with_and_without_ports),
    CHECK_TEST(servers_that_make_no_sense_are_left_out),
};
CHECK_MAIN(tests)
