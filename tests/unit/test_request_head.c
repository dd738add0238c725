/* S-30: every byte in every text of a description is either refused, or the wire image is exactly one
 * request that holds just that text. The reader here is its own: it knows only CR, LF and ':'. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "canned_server.h"
#include "check.h"

static char wire[8192];
static size_t wire_length;

static turbohttp_status record_send(void *user, void *connection, const void *data, size_t length,
                                    size_t *sent) {
    CHECK(wire_length + length < sizeof wire);
    memcpy(wire + wire_length, data, length);
    wire_length += length;
    return canned_send(user, connection, data, length, sent);
}

typedef enum place { METHOD, NAME, VALUE, HOST, AGENT, TRAILER_NAME, TRAILER_VALUE, CONTENT_TYPE, PLACES } place;

/* Sends one request with `text` at the place; false when it was refused. */
static bool send_with(place where, const char *text) {
    canned_server server = canned_server_make("", 0);
    turbohttp_transport transport = canned_transport(&server);
    turbohttp_client_desc desc;
    turbohttp_request_desc wanted;
    turbohttp_header_field field = {where == NAME ? text : "X-Test", where == VALUE ? text : "v"};
    turbohttp_header_field trailer = {where == TRAILER_NAME ? text : "X-Tail",
                                      where == TRAILER_VALUE ? text : "t"};
    turbohttp_request request;
    turbohttp_client *client;
    memset(&desc, 0, sizeof desc);
    memset(&wanted, 0, sizeof wanted);
    transport.io_send = record_send;
    server.is_silent = true;
    desc.transport = &transport;
    desc.clock.user = &server;
    desc.clock.now_us = canned_now;
    desc.user_agent = where == AGENT ? text : "agent";
    wanted.url = "http://server.test/";
    wanted.method = where == METHOD ? text : "POST";
    wanted.host = where == HOST ? text : NULL;
    wanted.headers = &field;
    wanted.header_count = 1;
    wanted.body.data = "body";
    wanted.body.length = 4;
    wanted.body.content_type = where == CONTENT_TYPE ? text : NULL;
    wanted.body.is_unknown = where == TRAILER_NAME || where == TRAILER_VALUE;
    wanted.body.trailers = &trailer;
    wanted.body.trailer_count = 1;
    wire_length = 0;
    CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
    bool is_taken = turbohttp_submit(client, &wanted, &request, NULL) == TURBOHTTP_OK;
    turbohttp_poll(client, 0);
    turbohttp_client_destroy(client);
    if (!is_taken) CHECK_INT(wire_length, 0);
    return is_taken;
}

static bool has_line(const char *from, const char *line) {
    const char *at = strstr(from, line);
    return at && (at == wire || at[-1] == '\n');
}

/* No CR or LF but in pairs, a fixed number of lines, the wanted one among them. */
static bool wire_is_one_request(place where, const char *text) {
    static const char *const lines[] = {"%s / HTTP/1.1\r\n", "%s: v\r\n", "X-Test: %s\r\n", "Host: %s\r\n",
                                        "User-Agent: %s\r\n", "%s: t\r\n", "X-Tail: %s\r\n", "Content-Type: %s\r\n"};
    char line[256];
    size_t pairs = 0, single = 0, nuls = 0;
    wire[wire_length] = 0;
    for (size_t i = 0; i < wire_length; i++) {
        bool is_pair = wire[i] == '\r' && wire[i + 1] == '\n';
        pairs += is_pair;
        single += !is_pair && (wire[i] == '\r' || (wire[i] == '\n' && (i == 0 || wire[i - 1] != '\r')));
        nuls += wire[i] == 0;
    }
    snprintf(line, sizeof line, lines[where], text);
    /* line, Host, X-Test, User-Agent, Accept, Accept-Encoding, length or coding, perhaps Trailer, the empty one */
    size_t expected = where == CONTENT_TYPE ? 9 : where == TRAILER_NAME || where == TRAILER_VALUE ? 14 : 8;
    return single == 0 && nuls == 0 && pairs == expected && has_line(wire, line);
}

static void S_30_every_byte_at_every_place(void) {
    static const char *const shapes[] = {"%cab", "a%cb", "ab%c", "%c"};
    int taken[PLACES] = {0};
    for (int where = METHOD; where < PLACES; where++) {
        for (int byte = 0; byte < 256; byte++) {
            for (size_t shape = 0; shape < 4; shape++) {
                char text[8];
                snprintf(text, sizeof text, shapes[shape], byte);
                if (where == AGENT && !*text) continue; /* "": no User-Agent at all */
                if (!send_with((place)where, text)) continue;
                taken[where]++;
                if (wire_is_one_request((place)where, text)) continue;
                printf("place %d, byte 0x%02x, shape %d: not one request\n", where, byte, (int)shape);
                CHECK(false);
            }
        }
        CHECK(taken[where] > 4 * 70); /* letters, digits and some marks always pass */
    }
}

/* ------------------------------------------------------------ headers that are ours */
static void reserved_names_are_refused_in_any_case_and_named(void) {
    static const char *const names[] = {
        "Host", "Content-Length", "Connection", "Transfer-Encoding", "Upgrade", "TE", "Keep-Alive", "Proxy-Connection",
        "Trailer", "Expect", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Key", "Sec-WebSocket-Version"};
    canned_server server = canned_server_make("", 0);
    turbohttp_transport transport = canned_transport(&server);
    turbohttp_client_desc desc;
    turbohttp_client *client;
    memset(&desc, 0, sizeof desc);
    desc.transport = &transport;
    desc.clock.user = &server;
    desc.clock.now_us = canned_now;
    CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
    for (size_t i = 0; i < 4 * sizeof names / sizeof names[0]; i++) {
        char name[32];
        turbohttp_header_field field = {name, i & 1 ? NULL : "x"};
        turbohttp_request_desc wanted;
        turbohttp_request request;
        turbohttp_error error;
        snprintf(name, sizeof name, "%s", names[i / 4]);
        for (char *p = name; *p && (i & 2); p++) *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p | 32);
        memset(&wanted, 0, sizeof wanted);
        wanted.url = "http://server.test/";
        wanted.headers = &field;
        wanted.header_count = 1;
        CHECK_INT(turbohttp_submit(client, &wanted, &request, &error), TURBOHTTP_ERR_HEADER_RESERVED);
        CHECK(strstr(error.text, name) != NULL);
    }
    turbohttp_client_destroy(client);
}

/* What the user says stands there once, and instead of what we would say. */
static void a_header_of_the_users_replaces_ours(void) {
    static const char *const names[] = {"Content-Type", "User-Agent", "Accept", "Accept-Encoding"};
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (size_t i = 0; i < 8; i++) {
        canned_server server = canned_server_make(answer, sizeof answer - 1);
        turbohttp_transport transport = canned_transport(&server);
        turbohttp_client_desc desc;
        turbohttp_client *client;
        turbohttp_header_field field = {names[i / 2], i & 1 ? NULL : "mine"};
        turbohttp_request_desc wanted;
        turbohttp_response response;
        char line[64];
        memset(&desc, 0, sizeof desc);
        transport.io_send = record_send;
        desc.transport = &transport;
        desc.clock.user = &server;
        desc.clock.now_us = canned_now;
        memset(&wanted, 0, sizeof wanted);
        wanted.url = "http://server.test/";
        wanted.body.data = "x";
        wanted.body.length = 1;
        wanted.body.content_type = "text/ours";
        wanted.headers = &field;
        wanted.header_count = 1;
        wire_length = 0;
        CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
        CHECK_INT(turbohttp_send(client, &wanted, &response), TURBOHTTP_OK);
        turbohttp_response_free(&response);
        turbohttp_client_destroy(client);
        wire[wire_length] = 0;
        snprintf(line, sizeof line, "\r\n%s:", names[i / 2]);
        const char *first = strstr(wire, line);
        CHECK((first != NULL) == (field.value != NULL));
        if (first) CHECK(strncmp(first + strlen(line), " mine\r\n", 7) == 0 && !strstr(first + 1, line));
    }
}

/* ------------------------------------------------------------ origins that are recalled */
static void submit_and_send(turbohttp_client *client, const char *url, unsigned options, bool is_head) {
    static const turbohttp_header_field fields[] = {{"X-A", "1"}, {"Accept", NULL}};
    turbohttp_request_desc wanted;
    turbohttp_request request;
    memset(&wanted, 0, sizeof wanted);
    wanted.url = url;
    if (options & 1) wanted.host = "other.test";
    if (options & 2) wanted.use_http10 = true;
    if (options & 4) wanted.disable_decompression = true;
    if (options & 8) wanted.disable_reuse = true;
    if (options & 16) wanted.headers = fields, wanted.header_count = 2;
    if (options & 32) wanted.body.data = "abc", wanted.body.length = 3;
    if (options & 64) wanted.accept_trailers = true;
    if (is_head) wanted.method = "HEAD";
    wire_length = 0;
    CHECK_INT(turbohttp_submit(client, &wanted, &request, NULL), TURBOHTTP_OK);
    for (int i = 0; i < 4; i++) turbohttp_poll(client, 0);
    CHECK(wire_length > 0 && wire_length < sizeof wire);
    wire[wire_length] = 0;
}

/* What a client says that has parsed this URL before, and what one says that has not. */
static void one_url(const char *url, unsigned options, bool has_agent) {
    static char first[sizeof wire];
    canned_server server = canned_server_make("", 0);
    turbohttp_transport transport = canned_transport(&server);
    turbohttp_client_desc desc;
    turbohttp_client *client;
    memset(&desc, 0, sizeof desc);
    transport.io_send = record_send;
    server.is_silent = true;
    desc.transport = &transport;
    desc.clock.user = &server;
    desc.clock.now_us = canned_now;
    desc.user_agent = has_agent ? "agent" : NULL;
    CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
    submit_and_send(client, url, options, false);
    strcpy(first, wire);
    submit_and_send(client, url, 0, true); /* in between, so that nothing but the origin stays */
    submit_and_send(client, url, options, false);
    if (strcmp(first, wire) != 0) printf("%s (%u): \"%s\" became \"%s\"\n", url, options, first, wire);
    CHECK(strcmp(first, wire) == 0);
    turbohttp_client_destroy(client);
}

static void a_url_that_was_seen_before_says_the_same(void) {
    static const char *const urls[] = {
        "http://a.test/x",         "http://A.Test/x?y=1#z",  "HTTP://a.test/x",     "http://a.test:80/x",
        "http://a.test:/x",        "http://a.test:8080/x",   "http://a.test:08080/x", "http://a.test:00080/x",
        "http://a.test./x",        "http://a.test.:81/x",    "http://u:p@a.test/x", "http://10.0.0.1:5/x",
        "http://[2001:DB8::1]/x",  "http://[::1]:81/x",      "http://a.test",       "http://a.test?q",
        "http://a.test/a/../b",    "http://a.test/%7Eb",     "http://a.test:443/x", "http://a.test/",
        "http://a.test/%2e%2E/x",  "http://a.test/a/%2e/b",  "http://a.test/a/%2E.", "http://a.test/.%2e/x",
        "http://a.test/a%2e/b",    "http://a.test/?a=/%2e/b", "http://a.test/a/%2eb",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        for (unsigned options = 0; options < 128; options++) one_url(urls[i], options, options % 3 == 0);
}

/* ------------------------------------------------------------ requests one after the other */
static turbohttp_status ignore_body(void *user, const void *data, size_t length) {
    (void)user, (void)data, (void)length;
    return TURBOHTTP_OK;
}

static void send_and_take(turbohttp_client *client, unsigned options) {
    static const turbohttp_header_field fields[] = {{"X-Secret", "1"}, {"Accept", NULL}, {"User-Agent", "other"}};
    turbohttp_request_desc wanted;
    turbohttp_response response;
    memset(&wanted, 0, sizeof wanted);
    wanted.url = options ? "http://u:p@server.test/other?x" : "http://server.test/";
    wanted.method = options & 1 ? "PUT" : NULL;
    wanted.host = options & 2 ? "other.test" : NULL;
    wanted.use_http10 = options & 4;
    wanted.disable_decompression = options & 8;
    wanted.headers = fields;
    wanted.header_count = options & 16 ? 3 : 0;
    wanted.body.data = options & 32 ? "secret" : NULL;
    wanted.body.length = options & 32 ? 6 : 0;
    wanted.body.content_type = "text/secret";
    wanted.expect_continue = options & 64;
    wanted.on_body = options & 128 ? ignore_body : NULL;
    wanted.priority = options & 256 ? TURBOHTTP_PRIORITY_HIGH : TURBOHTTP_PRIORITY_NORMAL;
    wanted.is_idempotent = options & 512;
    wire_length = 0;
    CHECK_INT(turbohttp_send(client, &wanted, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    wire[wire_length] = 0;
}

/* C5: request objects, connections and blocks come from pools; none of what they held comes along. */
static void S_06_a_used_client_says_what_a_fresh_one_says(void) {
    static char fresh[sizeof wire];
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    canned_server server = canned_server_make(answer, sizeof answer - 1);
    turbohttp_transport transport = canned_transport(&server);
    turbohttp_client_desc desc;
    turbohttp_client *client;
    memset(&desc, 0, sizeof desc);
    transport.io_send = record_send;
    desc.transport = &transport;
    desc.clock.user = &server;
    desc.clock.now_us = canned_now;
    for (unsigned options = 1; options < 1024; options++) {
        CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
        send_and_take(client, 0);
        memcpy(fresh, wire, sizeof wire);
        send_and_take(client, options);
        send_and_take(client, 0);
        if (strcmp(wire, fresh) != 0) printf("after %u: \"%s\" instead of \"%s\"\n", options, wire, fresh);
        CHECK(strcmp(wire, fresh) == 0);
        turbohttp_client_destroy(client);
    }
}

static turbohttp_status try_url(turbohttp_client *client, const char *url) {
    turbohttp_request_desc wanted;
    turbohttp_request request;
    memset(&wanted, 0, sizeof wanted);
    wanted.url = url;
    return turbohttp_submit(client, &wanted, &request, NULL);
}

/* Every byte, at places where a parser has something to say about it. */
static void what_a_new_origin_refuses_a_known_one_refuses(void) {
    static const char *const shapes[] = {
        "http://a.test%c",     "http://a.test%cx",     "http://a.test/%c",      "http://a.test/?a%cb",
        "http://a.test/#%c",   "http://a.test/%%%c1",  "http://a.test/?%%4%c",  "http://a.test/a%c./b",
        "http://a.test@%c/",   "http://a.test/x#%%%c",
    };
    canned_server server = canned_server_make("", 0);
    turbohttp_transport transport = canned_transport(&server);
    turbohttp_client_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.transport = &transport;
    desc.clock.user = &server;
    desc.clock.now_us = canned_now;
    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++)
        for (int byte = 1; byte < 256; byte++) {
            char url[64];
            turbohttp_status status[2];
            snprintf(url, sizeof url, shapes[shape], byte);
            for (int is_known = 0; is_known < 2; is_known++) {
                turbohttp_client *client;
                CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
                if (is_known) CHECK_INT(try_url(client, "http://a.test/"), TURBOHTTP_OK);
                status[is_known] = try_url(client, url);
                turbohttp_client_destroy(client);
            }
            if (status[0] != status[1]) printf("%s\n", url);
            CHECK_INT(status[1], status[0]);
        }
}

static const check_test tests[] = {
    CHECK_TEST(what_a_new_origin_refuses_a_known_one_refuses),
    CHECK_TEST(reserved_names_are_refused_in_any_case_and_named),
    CHECK_TEST(a_header_of_the_users_replaces_ours),
    CHECK_TEST(S_06_a_used_client_says_what_a_fresh_one_says),
    CHECK_TEST(S_30_every_byte_at_every_place),
    CHECK_TEST(a_url_that_was_seen_before_says_the_same),
};

CHECK_MAIN(tests)
