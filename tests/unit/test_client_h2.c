/* The client over HTTP/2, on a server in memory: sharing, repeating, pausing, cancelling, counting. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include "h2_server.h"
#include "pool_scan.h"

#ifdef TURBOHTTP_SMALL
enum { AT_ONCE = 4 }; /* streams of a connection */
#else
enum { AT_ONCE = 100 };
#endif

typedef struct rig {
    h2_server server;
    counting_allocator memory;
    turbohttp_transport transport;
    turbohttp_client_desc desc;
    turbohttp_client *client;
    turbohttp_request_desc request;
    char url[128];
} rig;

static void rig_describe(rig *r) {
    memset(r, 0, sizeof *r);
    r->transport = h2_server_transport(&r->server);
    r->desc.allocator = counting_allocator_hooks(&r->memory);
    r->desc.transport = &r->transport;
    r->desc.clock.user = &r->server;
    r->desc.clock.now_us = h2_server_now;
    r->desc.http2_prior_knowledge = true;
    r->request.user = r;
    r->server.now_us = 1000000;
}

static void rig_create(rig *r) {
    CHECK_INT(turbohttp_client_create(&r->client, &r->desc), TURBOHTTP_OK);
}

static void rig_open(rig *r) {
    rig_describe(r);
    rig_create(r);
}

static void rig_close(rig *r) {
    turbohttp_client_destroy(r->client);
    CHECK_INT(r->server.opened, r->server.shut);
    CHECK(counting_allocator_balanced(&r->memory));
}

static turbohttp_request submit(rig *r, const char *path) {
    turbohttp_request request;
    turbohttp_error error;
    snprintf(r->url, sizeof r->url, "http://server.test%s", path);
    r->request.url = r->url;
    CHECK_INT(turbohttp_submit(r->client, &r->request, &request, &error), TURBOHTTP_OK);
    return request;
}

static void poll_often(rig *r) {
    for (int i = 0; i < 2000 && turbohttp_poll(r->client, 0) == TURBOHTTP_PENDING; i++) r->server.now_us += 10;
}

static turbohttp_response answer_of(rig *r, turbohttp_request request) {
    turbohttp_response response;
    memset(&response, 0, sizeof response);
    CHECK_INT(turbohttp_take(r->client, request, &response), TURBOHTTP_OK);
    return response;
}

/* One request to its end. */
static turbohttp_response fetch(rig *r, const char *path) {
    turbohttp_request request = submit(r, path);
    poll_often(r);
    return answer_of(r, request);
}

static void expect(rig *r, const char *path, int code, int status) {
    turbohttp_response response = fetch(r, path);
    CHECK_INT(response.error.code, code);
    CHECK_INT(response.status, status);
    turbohttp_response_free(&response);
}

/* ------------------------------------------------------------ answers */
static void a_response_looks_like_any_other(void) {
    rig r;
    rig_open(&r);
    turbohttp_response response = fetch(&r, "/n/5000");
    CHECK_INT(response.error.code, 0);
    CHECK_INT(response.status, 200);
    CHECK_INT(response.http_version, 20);
    CHECK_INT(response.body.length, 5000);
    CHECK_INT(response.body_bytes, 5000);
    CHECK_INT(response.connects, 1);
    CHECK(!response.is_reused && response.sent_bytes > 0 && response.head_bytes > 0);
    CHECK_TEXT(turbohttp_response_header(&response, "Content-Length"), 4, "5000");
    CHECK(turbohttp_response_text(&response)[0] == 'b');
    turbohttp_response_free(&response);
    response = fetch(&r, "/n/0");
    CHECK(response.is_reused && response.connects == 0);
    turbohttp_response_free(&response);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

static void trailers_come_with_the_response(void) {
    rig r;
    rig_open(&r);
    turbohttp_response response = fetch(&r, "/trailers");
    CHECK_INT(response.trailer_count, 1);
    CHECK_TEXT(response.trailers[0].name, strlen(response.trailers[0].name), "check");
    CHECK_TEXT(response.trailers[0].value, strlen(response.trailers[0].value), "sum");
    turbohttp_response_free(&response);
    rig_close(&r);
}

/* Twice: the second time the field is in the peer's table, and known to be good. */
static void fields_may_come_from_tables(void) {
    static const char *const paths[] = {"/server", "/own", "/server", "/own"};
    static const char *const names[] = {"server", "x-own", "server", "x-own"};
    static const char *const values[] = {"s", "o", "s", "o"};
    rig r;
    rig_open(&r);
    for (int i = 0; i < 4; i++) {
        turbohttp_response response = fetch(&r, paths[i]);
        CHECK_INT(response.header_count, 1);
        CHECK_TEXT(response.headers[0].name, response.headers[0].name_length, names[i]);
        CHECK_TEXT(response.headers[0].value, response.headers[0].value_length, values[i]);
        CHECK_INT(response.headers[0].id, i % 2 ? TURBOHTTP_HEADER_OTHER : TURBOHTTP_HEADER_SERVER);
        CHECK(turbohttp_response_header(&response, names[i]) == response.headers[0].value);
        turbohttp_response_free(&response);
    }
    rig_close(&r);
}

/* The token leaves in one block with much else, alone, and in a head that outgrows its block. */
static void O14_secrets_do_not_rest_in_pools(void) {
    static const char *const paths[] = {"/cookie", "/cookie", "/baked", "/n/9000", "/crumbs", "/reset"};
    static char longer[600];
    turbohttp_header_field fields[] = {{"Authorization", "{{{{{{SECRET-TOKEN"}, {"X-Long", longer}};
    rig r;
    rig_open(&r);
    memset(longer, '~', sizeof longer - 1);
    r.request.headers = fields;
    for (int i = 0; i < 12; i++) {
        r.request.header_count = i < 6 ? 1 : 2;
        turbohttp_response response = fetch(&r, paths[i % 6]);
        CHECK(!pool_contains(&r.client->heap->blocks, "SECRET-TOKEN"));
        turbohttp_response_free(&response);
        CHECK(!pool_contains(&r.client->heap->blocks, "SECRET-COOKIE"));
    }
    rig_close(&r);
}

static void a_response_outlives_its_client(void) {
    rig r;
    rig_open(&r);
    turbohttp_response response = fetch(&r, "/n/100");
    turbohttp_client_destroy(r.client);
    CHECK_TEXT(turbohttp_response_header(&response, "content-length"), 3, "100");
    turbohttp_response_free(&response);
    CHECK(counting_allocator_balanced(&r.memory));
}

static void one_connection_serves_all(void) {
    rig r;
    turbohttp_request requests[120];
    rig_open(&r);
    for (int i = 0; i < 120; i++) requests[i] = submit(&r, i % 2 ? "/n/100" : "/n/40000");
    poll_often(&r);
    for (int i = 0; i < 120; i++) {
        turbohttp_response response = answer_of(&r, requests[i]);
        CHECK_INT(response.body.length, i % 2 ? 100 : 40000);
        turbohttp_response_free(&response);
    }
    CHECK_INT(r.server.opened, 1);
    CHECK(r.server.most > AT_ONCE * 9 / 10 && r.server.most <= AT_ONCE);
    rig_close(&r);
}

static void the_server_limits_the_streams(void) {
    rig r;
    turbohttp_request requests[50];
    rig_describe(&r);
    r.server.streams = 3;
    rig_create(&r);
    expect(&r, "/n/1", 0, 200); /* the limit is known from here on */
    r.server.most = 0;
    for (int i = 0; i < 50; i++) requests[i] = submit(&r, "/n/20000");
    poll_often(&r);
    for (int i = 0; i < 50; i++) {
        turbohttp_response response = answer_of(&r, requests[i]);
        CHECK_INT(response.error.code, 0);
        turbohttp_response_free(&response);
    }
    CHECK_INT(r.server.most, 3);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

static void requests_may_forbid_http2(void) {
    rig r;
    rig_open(&r);
    r.request.disable_http2 = true;
    turbohttp_request request = submit(&r, "/n/1");
    for (int i = 0; i < 5; i++) turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.requests, 0); /* what it got is no HTTP/2: another connection, another protocol */
    turbohttp_cancel(r.client, request);
    poll_often(&r);
    turbohttp_response response = answer_of(&r, request);
    turbohttp_response_free(&response);
    rig_close(&r);
}

/* ------------------------------------------------------------ urgency */
static void submit_as(rig *r, turbohttp_priority priority, const char *path) {
    r->request.priority = priority;
    submit(r, path);
    r->request.priority = TURBOHTTP_PRIORITY_NORMAL;
}

static void take_all(rig *r) {
    turbohttp_request request;
    turbohttp_response response;
    poll_often(r);
    while (turbohttp_next_done(r->client, &request) == TURBOHTTP_OK) {
        CHECK_INT(turbohttp_take(r->client, request, &response), TURBOHTTP_OK);
        CHECK_INT(response.error.code, 0);
        turbohttp_response_free(&response);
    }
}

static void the_server_is_told_how_urgent_a_request_is(void) { /* RFC 9218 */
    static const turbohttp_header_field own[] = {{"Priority", "u=7, i"}}, none[] = {{"PRIORITY", NULL}};
    rig r;
    rig_open(&r);
    submit_as(&r, TURBOHTTP_PRIORITY_CRITICAL, "/n/1");
    submit_as(&r, TURBOHTTP_PRIORITY_HIGH, "/n/2");
    submit_as(&r, TURBOHTTP_PRIORITY_NORMAL, "/n/3");
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/4");
    r.request.headers = own;
    r.request.header_count = 1;
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/5");
    submit_as(&r, TURBOHTTP_PRIORITY_NORMAL, "/n/6");
    r.request.headers = none;
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/7");
    take_all(&r);
    CHECK_TEXT(r.server.log, strlen(r.server.log),
               "/n/1?u=0 /n/2?u=2 /n/3 /n/6?u=7, i /n/4?u=5 /n/5?u=7, i /n/7 ");
    rig_close(&r);
}

static void streams_are_given_to_the_most_urgent(void) {
    rig r;
    rig_describe(&r);
    r.server.streams = 1;
    rig_create(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.log[0] = 0;
    submit_as(&r, TURBOHTTP_PRIORITY_NORMAL, "/n/10");
    turbohttp_poll(r.client, 0); /* has the stream */
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/11");
    submit_as(&r, TURBOHTTP_PRIORITY_HIGH, "/n/12");
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/13");
    submit_as(&r, TURBOHTTP_PRIORITY_NORMAL, "/n/14");
    submit_as(&r, TURBOHTTP_PRIORITY_CRITICAL, "/n/15");
    submit_as(&r, TURBOHTTP_PRIORITY_HIGH, "/n/16");
    take_all(&r);
    CHECK_TEXT(r.server.log, strlen(r.server.log),
               "/n/10 /n/15?u=0 /n/12?u=2 /n/16?u=2 /n/14 /n/11?u=5 /n/13?u=5 ");
    rig_close(&r);
}

static void nobody_waits_for_ever(void) { /* RELIABILITY 3.5: a bound on starvation */
    rig r;
    rig_describe(&r);
    r.server.streams = 1;
    rig_create(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.log[0] = 0;
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/10");
    submit_as(&r, TURBOHTTP_PRIORITY_LOW, "/n/11");
    for (int i = 0; i < 20; i++) submit_as(&r, TURBOHTTP_PRIORITY_CRITICAL, "/n/0");
    take_all(&r);
    int critical = 0;
    for (const char *at = strstr(r.server.log, "/n/10"), *c = r.server.log; (c = strstr(c, "/n/0?")) && c < at; c++) critical++;
    CHECK_INT(critical, 8);
    for (const char *at = strstr(r.server.log, "/n/11"), *c = r.server.log; (c = strstr(c, "/n/0?")) && c < at; c++) critical++;
    CHECK_INT(critical, 8 + 16);
    rig_close(&r);
}

static void a_class_that_there_is_not_is_refused(void) {
    rig r;
    turbohttp_request request;
    turbohttp_error error;
    rig_open(&r);
    r.request.url = "http://server.test/";
    r.request.priority = (turbohttp_priority)3;
    CHECK_INT(turbohttp_submit(r.client, &r.request, &request, &error), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK(strstr(error.text, "priority") != NULL);
    r.request.priority = (turbohttp_priority)-2;
    CHECK_INT(turbohttp_submit(r.client, &r.request, &request, &error), TURBOHTTP_ERR_INVALID_ARGUMENT);
    rig_close(&r);
}

/* ------------------------------------------------------------ posting */
static void bodies_are_sent_within_windows(void) {
    rig r;
    static char bytes[300000];
    rig_open(&r);
    r.request.body.data = bytes;
    r.request.body.length = sizeof bytes;
    turbohttp_response response = fetch(&r, "/echo");
    CHECK_INT(response.error.code, 0);
    CHECK_INT(response.body.length, 300000);
    CHECK(response.sent_bytes > 300000);
    turbohttp_response_free(&response);
    r.request.body.length = 100;
    response = fetch(&r, "/echo");
    CHECK_INT(response.body.length, 100);
    turbohttp_response_free(&response);
    r.request.body.is_unknown = true;
    r.request.body.length = 70000;
    response = fetch(&r, "/echo");
    CHECK_INT(response.body.length, 70000);
    turbohttp_response_free(&response);
    rig_close(&r);
}

typedef struct uploads {
    uint64_t sent, before_answer;
    int steps;
} uploads;

static void uploads_on_progress(void *user, uint64_t sent, uint64_t send_total, uint64_t received, uint64_t total) {
    uploads *u = (uploads *)user;
    (void)send_total, (void)total;
    u->steps += sent > u->sent;
    u->sent = sent;
    if (!received) u->before_answer = sent;
}

static void E3_progress_of_what_is_sent(void) {
    rig r;
    static char bytes[300000];
    static const size_t lengths[] = {300000, 100, 1};
    rig_open(&r);
    for (size_t i = 0; i < 3; i++) {
        uploads u = {0, 0, 0};
        r.request.body.data = bytes;
        r.request.body.length = lengths[i];
        r.request.on_progress = uploads_on_progress;
        r.request.user = &u;
        turbohttp_response response = fetch(&r, "/echo");
        CHECK_INT(u.sent, lengths[i]);
        CHECK_INT(u.before_answer, lengths[i]);
        CHECK(u.steps >= (i == 0 ? 4 : 1));
        turbohttp_response_free(&response);
    }
    rig_close(&r);
}

static void an_early_answer_ends_the_upload(void) {
    rig r;
    static char bytes[300000];
    rig_open(&r);
    r.request.body.data = bytes;
    r.request.body.length = sizeof bytes;
    expect(&r, "/early", 0, 200);
    memset(&r.request.body, 0, sizeof r.request.body);
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.opened, 1);
    CHECK_INT(r.server.resets, 1);
    rig_close(&r);
}

static turbohttp_status give_nothing(void *user, void *data, size_t room, size_t *length) {
    (void)user, (void)data, (void)room;
    *length = 0;
    return TURBOHTTP_PENDING;
}

static void a_source_that_waits_can_be_cancelled(void) {
    rig r;
    rig_open(&r);
    r.request.body.read = give_nothing;
    r.request.body.is_unknown = true;
    turbohttp_request request = submit(&r, "/echo");
    for (int i = 0; i < 10; i++) turbohttp_poll(r.client, 0);
    CHECK_INT(turbohttp_resume(r.client, request), TURBOHTTP_OK);
    for (int i = 0; i < 10; i++) turbohttp_poll(r.client, 0);
    turbohttp_cancel(r.client, request);
    poll_often(&r);
    turbohttp_response response = answer_of(&r, request);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_CANCELLED);
    CHECK(response.error.request_sent);
    turbohttp_response_free(&response);
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.resets, 1);
    rig_close(&r);
}

/* ------------------------------------------------------------ failures and repetition */
static void refused_streams_are_repeated_a_few_times(void) {
    rig r;
    rig_open(&r);
    r.server.refusals = 2;
    expect(&r, "/once", 0, 200);
    CHECK_INT(r.server.requests, 3);
    r.server.requests = 0;
    expect(&r, "/refuse", TURBOHTTP_ERR_H2_RESET, 0);
    CHECK_INT(r.server.requests, 4); /* S-43 */
    r.request.method = "POST"; /* not processed: any method (RFC 9113 section 8.7) */
    r.server.refusals = 1;
    expect(&r, "/once", 0, 200);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

static void what_goaway_leaves_out_is_repeated(void) {
    rig r;
    rig_open(&r);
    r.server.refusals = 1;
    r.request.method = "POST";
    expect(&r, "/away", 0, 200);
    CHECK_INT(r.server.opened, 2);
    rig_close(&r);
}

/* The 25th is the first that the server leaves out: those before it end where they are, it and those behind it
 * elsewhere, each once, whatever the method (RFC 9113 section 6.8). */
static void goaway_parts_what_is_in_flight(void) {
    rig r;
    turbohttp_request requests[50];
    turbohttp_client_stats stats;
    rig_open(&r);
    r.server.refusals = 1;
    r.request.method = "POST";
    for (int i = 0; i < 50; i++) requests[i] = submit(&r, i == 24 ? "/away" : "/n/40000");
    poll_often(&r);
    for (int i = 0; i < 50; i++) {
        turbohttp_response response = answer_of(&r, requests[i]);
        CHECK_INT(response.error.code, 0);
        CHECK_INT(response.status, 200);
        CHECK_INT(response.body.length, i == 24 ? 1 : 40000);
        turbohttp_response_free(&response);
    }
    turbohttp_client_stats_get(r.client, &stats);
    uint64_t repeated = AT_ONCE < 50 ? AT_ONCE : 26; /* what was not sent yet is not repeated */
    CHECK_INT(stats.replays, repeated);
    CHECK_INT(r.server.requests, 50 + repeated);
    CHECK_INT(r.server.opened, 2);
    CHECK_INT(stats.connections_open, 1);
    CHECK_INT(stats.connections_idle, 1);
    rig_close(&r);
}

static void resets_end_one_request(void) {
    rig r;
    rig_open(&r);
    turbohttp_request slow = submit(&r, "/n/500000");
    turbohttp_response response = fetch(&r, "/reset");
    CHECK_INT(response.error.code, TURBOHTTP_ERR_H2_RESET);
    CHECK(strstr(response.error.text, "error code 2") != NULL);
    turbohttp_response_free(&response);
    expect(&r, "/bad", TURBOHTTP_ERR_H2_FIELD, 0);
    response = answer_of(&r, slow);
    CHECK_INT(response.error.code, 0);
    turbohttp_response_free(&response);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

static void a_dead_connection_is_replaced_once(void) {
    rig r;
    rig_open(&r);
    expect(&r, "/die", TURBOHTTP_ERR_NO_RESPONSE, 0); /* the first request on a new connection */
    CHECK_INT(r.server.opened, 1);
    expect(&r, "/n/1", 0, 200);
    expect(&r, "/die", TURBOHTTP_ERR_NO_RESPONSE, 0); /* kept, so once more, on another */
    CHECK_INT(r.server.opened, 3);
    expect(&r, "/n/1", 0, 200);
    r.request.method = "POST";
    expect(&r, "/die", TURBOHTTP_ERR_NO_RESPONSE, 0); /* may not be repeated */
    CHECK_INT(r.server.opened, 4);
    rig_close(&r);
}

static void a_connection_that_ends_while_idle_is_noticed(void) {
    rig r;
    rig_open(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.is_closing = true;
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.shut, 1);
    r.server.is_closing = false;
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.opened, 2);
    rig_close(&r);
}

static void idle_connections_expire(void) { /* S-05 */
    rig r;
    rig_open(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.now_us += 31000000;
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.shut, 1);
    rig_close(&r);
}

/* ------------------------------------------------------------ signs of life */
static void settings_are_waited_for_while_idle(void) {
    rig r;
    rig_describe(&r);
    r.server.never_acks = true;
    rig_create(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.now_us += 9900000;
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.shut, 0);
    r.server.now_us += 200000;
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.goaways, 1);
    CHECK_INT(r.server.shut, 1);
    rig_close(&r);
}

/* The way to the server vanished without a word: packets are dropped, nobody says so. */
static void a_silent_death_costs_seconds_not_minutes(void) {
    rig r;
    rig_open(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.now_us += 20000000;
    r.server.dead = 1;
    turbohttp_request request = submit(&r, "/n/2");
    for (int i = 0; i < 5; i++) turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.opened, 1);
    r.server.now_us += 5000000;
    poll_often(&r);
    turbohttp_response response = answer_of(&r, request);
    CHECK_INT(response.status, 200);
    CHECK_INT(r.server.opened, 2);
    turbohttp_response_free(&response);
    rig_close(&r);
}

static void a_connection_that_lives_is_asked_once(void) {
    rig r;
    rig_open(&r);
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.pings, 0);
    r.server.now_us += 2000000;
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.pings, 0);
    r.server.now_us += 20000000;
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.pings, 1);
    CHECK(r.client->links->mux->ping_due_us == UINT64_MAX);
    r.server.now_us += 6000000;
    turbohttp_poll(r.client, 0);
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

/* Bytes that come are life enough: an answer to PING may be late, or never come. */
static void a_peer_that_sends_is_not_silent(void) {
    rig r;
    rig_open(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.never_pongs = true;
    r.server.now_us += 10000000;
    expect(&r, "/n/1", 0, 200);
    r.server.now_us += 5000000;
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.shut, 0);
    expect(&r, "/n/1", 0, 200);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

/* A POST beside a GET on a connection in doubt: were it dead, the POST could not be repeated. */
static void what_may_not_be_repeated_waits_for_a_sign_of_life(void) {
    for (int is_dead = 0; is_dead < 2; is_dead++) {
        rig r;
        rig_open(&r);
        expect(&r, "/n/1", 0, 200);
        r.server.now_us += 20000000;
        r.server.dead = is_dead;
        r.server.log[0] = 0;
        turbohttp_request get = submit(&r, "/n/2");
        r.request.method = "POST";
        turbohttp_request post = submit(&r, "/n/3");
        for (int i = 0; i < 5; i++) turbohttp_poll(r.client, 0);
        if (is_dead) {
            turbohttp_response response;
            CHECK_INT(turbohttp_take(r.client, post, &response), TURBOHTTP_PENDING);
            r.server.now_us += 5000000;
        }
        poll_often(&r);
        turbohttp_response response = answer_of(&r, get);
        CHECK_INT(response.status, 200);
        turbohttp_response_free(&response);
        response = answer_of(&r, post);
        CHECK_INT(response.status, 200);
        turbohttp_response_free(&response);
        CHECK_INT(r.server.opened, 1 + is_dead);
        rig_close(&r);
    }
}

static void a_post_does_not_follow_a_request_that_timed_out(void) {
    rig r;
    rig_open(&r);
    expect(&r, "/n/1", 0, 200);
    r.server.dead = 1;
    r.request.timeouts.first_byte_ms = 4000;
    turbohttp_request request = submit(&r, "/n/2");
    for (int i = 0; i < 5; i++) turbohttp_poll(r.client, 0);
    r.server.now_us += 4000000;
    poll_often(&r);
    turbohttp_response response = answer_of(&r, request);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_TIMEOUT);
    turbohttp_response_free(&response);
    r.request.method = "POST";
    expect(&r, "/n/3", 0, 200);
    CHECK_INT(r.server.opened, 2);
    rig_close(&r);
}

/* ------------------------------------------------------------ one stream and the others */
static void time_limits_are_each_requests_own(void) {
    rig r;
    rig_open(&r);
    r.request.timeouts.first_byte_ms = 100;
    turbohttp_request slow = submit(&r, "/slow");
    r.request.timeouts.first_byte_ms = 0;
    turbohttp_request other = submit(&r, "/slow");
    for (int i = 0; i < 5; i++) turbohttp_poll(r.client, 0);
    r.server.now_us += 100000;
    turbohttp_poll(r.client, 0);
    turbohttp_response response = answer_of(&r, slow);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_TIMEOUT);
    CHECK_INT(response.error.phase, TURBOHTTP_PHASE_HEAD);
    turbohttp_response_free(&response);
    CHECK_INT(turbohttp_take(r.client, other, &response), TURBOHTTP_PENDING);
    turbohttp_poll(r.client, 0);
    CHECK_INT(r.server.resets, 1);
    expect(&r, "/n/10", 0, 200);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

static int paused_calls;
static size_t paused_bytes;

static turbohttp_status pause_once(void *user, const void *data, size_t length) {
    (void)user, (void)data;
    if (paused_calls++ == 1) return TURBOHTTP_PENDING;
    paused_bytes += length;
    return TURBOHTTP_OK;
}

static void a_paused_body_stops_only_itself(void) {
    rig r;
    rig_open(&r);
    paused_calls = 0;
    paused_bytes = 0;
    r.request.on_body = pause_once;
    turbohttp_request paused = submit(&r, "/n/3000000");
    for (int i = 0; i < 200; i++) turbohttp_poll(r.client, 0);
    CHECK_INT(paused_calls, 2);
    r.request.on_body = NULL;
    turbohttp_request other = submit(&r, "/n/2000000");
    for (int i = 0; i < 400; i++) turbohttp_poll(r.client, 0);
    turbohttp_response response = answer_of(&r, other);
    CHECK_INT(response.body.length, 2000000);
    turbohttp_response_free(&response);
    turbohttp_client_stats stats;
    turbohttp_client_stats_get(r.client, &stats);
    CHECK(stats.blocks.active < 100); /* what was held is bounded by the windows of the stream */
    r.server.now_us += 3600000000u; /* the user's own time */
    CHECK_INT(turbohttp_resume(r.client, paused), TURBOHTTP_OK);
    poll_often(&r);
    response = answer_of(&r, paused);
    CHECK_INT(response.error.code, 0);
    CHECK_INT(paused_bytes, 3000000);
    turbohttp_response_free(&response);
    rig_close(&r);
}

static turbohttp_status refuse_bytes(void *user, const void *data, size_t length) {
    (void)user, (void)data, (void)length;
    return TURBOHTTP_ERR_STATE;
}

static void a_sink_that_fails_ends_its_request(void) {
    rig r;
    rig_open(&r);
    r.request.on_body = refuse_bytes;
    expect(&r, "/n/100000", TURBOHTTP_ERR_BODY_SINK, 200);
    r.request.on_body = NULL;
    expect(&r, "/n/10", 0, 200);
    r.request.body_limit = 100;
    expect(&r, "/n/1000", TURBOHTTP_ERR_BODY_TOO_LARGE, 200);
    r.request.body_limit = 0;
    expect(&r, "/n/1000", 0, 200);
    CHECK_INT(r.server.opened, 1);
    rig_close(&r);
}

static void shut_down(void *user, const turbohttp_response *head) {
    (void)head;
    turbohttp_client_shutdown(((rig *)user)->client);
}

static void shutdown_inside_a_callback_completes_all(void) { /* S-80 */
    rig r;
    turbohttp_request requests[20];
    rig_open(&r);
    for (int i = 0; i < 20; i++) {
        r.request.on_head = i == 5 ? shut_down : NULL;
        requests[i] = submit(&r, "/n/100000");
    }
    for (int i = 0; i < 50; i++) turbohttp_poll(r.client, 0);
    for (int i = 0; i < 20; i++) {
        turbohttp_response response = answer_of(&r, requests[i]);
        turbohttp_response_free(&response);
    }
    rig_close(&r);
}

/* ------------------------------------------------------------ counting */
/* What is out of each pool, and what the client holds when all of them are empty. */
typedef struct baseline {
    uint64_t requests, streams, links, inflaters, blocks, bytes;
} baseline;

static baseline baseline_of(rig *r) {
    turbohttp_client *client = r->client;
    baseline b;
    b.requests = turbohttp_object_pool_stats(&client->request_pool).active;
    b.streams = turbohttp_object_pool_stats(&client->stream_pool).active;
    b.links = turbohttp_object_pool_stats(&client->link_pool).active;
    b.inflaters = turbohttp_object_pool_stats(&client->inflaters).active;
    b.blocks = turbohttp_byte_pool_stats(&client->heap->blocks).active;
    turbohttp_object_pool_trim(&client->request_pool);
    turbohttp_object_pool_trim(&client->stream_pool);
    turbohttp_object_pool_trim(&client->link_pool);
    turbohttp_object_pool_trim(&client->inflaters);
    turbohttp_byte_pool_trim(&client->heap->blocks);
    b.bytes = r->memory.live_bytes;
    return b;
}

typedef struct stress {
    rig *r;
    uint32_t seed, left, done, cancelled, odd;
    turbohttp_request running[100];
} stress;

static uint32_t dice(stress *s) {
    s->seed = s->seed * 1664525 + 1013904223;
    return s->seed >> 8;
}

static void stress_done(void *user, turbohttp_request request, turbohttp_response *response);

static void stress_submit(stress *s, uint32_t slot) {
    static const char *const paths[] = {"/n/100", "/n/0", "/n/3000", "/echo", "/reset", "/once", "/trailers", "/bad"};
    turbohttp_error error;
    rig *r = s->r;
    uint32_t n = dice(s) % 1024;
    if (s->left == 0) return;
    s->left--;
    snprintf(r->url, sizeof r->url, "http://server.test%s", paths[n < 8 ? n : 0]);
    r->request.url = r->url;
    r->request.user = s;
    r->request.on_done = stress_done;
    memset(&r->request.body, 0, sizeof r->request.body);
    if (n == 3) {
        r->request.body.data = "0123456789";
        r->request.body.length = 10;
    }
    if (dice(s) % 50 == 0) r->server.refusals = 1;
    CHECK_INT(turbohttp_submit(r->client, &r->request, &s->running[slot], &error), TURBOHTTP_OK);
}

static void stress_done(void *user, turbohttp_request request, turbohttp_response *response) {
    stress *s = (stress *)user;
    bool is_known = response->error.code == 0 || response->error.code == TURBOHTTP_ERR_CANCELLED ||
                    response->error.code == TURBOHTTP_ERR_H2_RESET || response->error.code == TURBOHTTP_ERR_H2_FIELD;
    s->done++;
    s->cancelled += response->error.code == TURBOHTTP_ERR_CANCELLED;
    if (!is_known) s->odd++;
    for (uint32_t i = 0; i < 100; i++)
        if (s->running[i].id == request.id) {
            stress_submit(s, i);
            return;
        }
    s->odd++;
}

static void stress_cancel(stress *s) {
    for (uint32_t n = dice(s) % 8; n > 0; n--) turbohttp_cancel(s->r->client, s->running[dice(s) % 100]);
}

/* The connection idles before and after: whatever a request took in between is back, in every pool, and the
 * client holds not a byte more. */
static void run_stress(uint32_t requests) {
    rig r;
    stress s;
    turbohttp_client_stats stats;
    memset(&s, 0, sizeof s);
    rig_open(&r);
    expect(&r, "/n/100", 0, 200);
    baseline before = baseline_of(&r);
    s.r = &r;
    s.seed = 99;
    s.left = requests;
    for (uint32_t i = 0; i < 100; i++) stress_submit(&s, i);
    for (uint32_t turn = 0; s.done < requests && turn < requests; turn++) {
        turbohttp_poll(r.client, 0);
        r.server.now_us += 5000; /* resets are no storm, and the connection does not grow too old */
        stress_cancel(&s);
    }
    poll_often(&r);
    turbohttp_client_stats_get(r.client, &stats);
    CHECK_INT(s.done, requests);
    CHECK_INT(s.odd, 0);
    CHECK(s.cancelled > requests / 100);
    CHECK_INT(stats.requests_active + stats.requests_waiting + stats.requests_done, 0);
    CHECK_INT(stats.connections_idle, 1);
    CHECK_INT(r.server.opened, 1);
    baseline after = baseline_of(&r);
    CHECK_INT(after.requests, before.requests);
    CHECK_INT(after.streams, before.streams);
    CHECK_INT(after.links, before.links);
    CHECK_INT(after.inflaters, before.inflaters);
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.bytes, before.bytes);
    rig_close(&r);
}

/* A million where it takes seconds; sanitizers watch fewer, and so do four streams, which take many polls. */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(TURBOHTTP_SMALL)
enum { STRESS_REQUESTS = 1000000 };
#else
enum { STRESS_REQUESTS = 100000 };
#endif

static void many_requests_with_random_cancels(void) {
    run_stress(STRESS_REQUESTS);
}

static void warm_requests_allocate_nothing(void) {
    rig r;
    turbohttp_request requests[100];
    rig_open(&r);
    uint64_t before = 0;
    for (int round = 0; round < 30; round++) {
        if (round == 10) before = r.memory.requests;
        for (int i = 0; i < 100; i++) requests[i] = submit(&r, "/n/100");
        poll_often(&r);
        for (int i = 0; i < 100; i++) {
            turbohttp_response response = answer_of(&r, requests[i]);
            CHECK_INT(response.error.code, 0);
            turbohttp_response_free(&response);
        }
    }
    CHECK_INT(r.memory.requests, before);
    rig_close(&r);
}

static void every_allocation_may_fail(void) { /* S-81 */
    for (uint64_t k = 1; k < 120; k++) {
        rig r;
        turbohttp_request requests[3];
        turbohttp_error error;
        static char bytes[100000];
        rig_describe(&r);
        r.memory.fail_at = k;
        if (turbohttp_client_create(&r.client, &r.desc) == TURBOHTTP_OK) {
            for (int i = 0; i < 3; i++) {
                r.request.url = i == 1 ? "http://server.test/trailers" : "http://server.test/echo";
                r.request.body.data = i == 2 ? bytes : NULL;
                r.request.body.length = i == 2 ? sizeof bytes : 0;
                turbohttp_submit(r.client, &r.request, &requests[i], &error);
            }
            poll_often(&r);
            for (int i = 0; i < 3; i++) {
                turbohttp_response response;
                if (turbohttp_take(r.client, requests[i], &response) == TURBOHTTP_OK) turbohttp_response_free(&response);
            }
        }
        rig_close(&r);
    }
}

static const check_test tests[] = {
    CHECK_TEST(a_response_looks_like_any_other),
    CHECK_TEST(trailers_come_with_the_response),
    CHECK_TEST(fields_may_come_from_tables),
    CHECK_TEST(O14_secrets_do_not_rest_in_pools),
    CHECK_TEST(a_response_outlives_its_client),
    CHECK_TEST(one_connection_serves_all),
    CHECK_TEST(the_server_limits_the_streams),
    CHECK_TEST(requests_may_forbid_http2),
    CHECK_TEST(the_server_is_told_how_urgent_a_request_is),
    CHECK_TEST(streams_are_given_to_the_most_urgent),
    CHECK_TEST(nobody_waits_for_ever),
    CHECK_TEST(a_class_that_there_is_not_is_refused),
    CHECK_TEST(bodies_are_sent_within_windows),
    CHECK_TEST(E3_progress_of_what_is_sent),
    CHECK_TEST(an_early_answer_ends_the_upload),
    CHECK_TEST(a_source_that_waits_can_be_cancelled),
    CHECK_TEST(refused_streams_are_repeated_a_few_times),
    CHECK_TEST(what_goaway_leaves_out_is_repeated),
    CHECK_TEST(goaway_parts_what_is_in_flight),
    CHECK_TEST(resets_end_one_request),
    CHECK_TEST(a_dead_connection_is_replaced_once),
    CHECK_TEST(a_connection_that_ends_while_idle_is_noticed),
    CHECK_TEST(idle_connections_expire),
    CHECK_TEST(settings_are_waited_for_while_idle),
    CHECK_TEST(a_silent_death_costs_seconds_not_minutes),
    CHECK_TEST(a_connection_that_lives_is_asked_once),
    CHECK_TEST(a_peer_that_sends_is_not_silent),
    CHECK_TEST(what_may_not_be_repeated_waits_for_a_sign_of_life),
    CHECK_TEST(a_post_does_not_follow_a_request_that_timed_out),
    CHECK_TEST(time_limits_are_each_requests_own),
    CHECK_TEST(a_paused_body_stops_only_itself),
    CHECK_TEST(a_sink_that_fails_ends_its_request),
    CHECK_TEST(shutdown_inside_a_callback_completes_all),
    CHECK_TEST(many_requests_with_random_cancels),
    CHECK_TEST(warm_requests_allocate_nothing),
    CHECK_TEST(every_allocation_may_fail),
};

CHECK_MAIN(tests)
