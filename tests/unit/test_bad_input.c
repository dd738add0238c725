/* Hostile servers against the whole client: answers cut at every byte, answers without an end. After
 * each of them nothing is held any more, and the next request works. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "client_fixture.h"

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static turbohttp_status take_all(void *user, const void *data, size_t length) {
    (void)user, (void)data, (void)length;
    return TURBOHTTP_OK;
}

static uint64_t blocks_held(const fixture *f) {
    turbohttp_client_stats stats;
    turbohttp_client_stats_get(f->client, &stats);
    return stats.blocks.active;
}

/* ------------------------------------------------------------ S-36: cut at every byte */
typedef struct body_case {
    const char *lines, *body; /* header lines with CRLF, and what follows the empty line */
    size_t body_length;
    bool ends_anywhere; /* delimited by the end of the connection: whole at every byte */
    bool may_be_empty;  /* the same, but coded: whole with no byte at all, too */
} body_case;

#define BODY(lines, body) {lines, body, sizeof(body) - 1, false, false}
#define GZIP_HELLO                                                                                 \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\xb9\x00\x00\x88\x59\x0b\x18\x00\x00\x00"

static const body_case bodies[] = {
    BODY("Content-Length: 0\r\n", ""),
    BODY("Content-Length: 5\r\n", "hello"),
    BODY("Content-Length: 5, 5\r\nConnection: close\r\n", "hello"),
    BODY("Content-Length: 29\r\nContent-Encoding: gzip\r\n", GZIP_HELLO),
    BODY("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    BODY("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    BODY("Transfer-Encoding: chunked\r\n", "005;a=b;c=\"d\"\r\nhello\r\n0;e\r\nX-A: 1\r\nX-B: 2\r\n\r\n"),
    BODY("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", "1d\r\n" GZIP_HELLO "\r\n0\r\n\r\n"),
    {"Content-Encoding: gzip\r\n", GZIP_HELLO, 29, false, true},
    {"", "hello", 5, true, true},
};

static const char *const beginnings[] = {
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200\r\nServer: x\r\nX-Empty:\r\nX-Blanks: \t a b \t\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 \r\n\r\nHTTP/1.1 404 No\r\n",
};

static turbohttp_status receive_to_the_end(void *user, void *connection, void *data, size_t room,
                                           size_t *received) {
    turbohttp_status status = canned_receive(user, connection, data, room, received);
    return status == TURBOHTTP_PENDING ? TURBOHTTP_DONE : status;
}

static void cut_at(const char *answer, size_t cut, size_t portion, bool is_streamed, bool is_whole) {
    fixture f;
    turbohttp_response response;
    fixture_describe(&f, answer, cut);
    f.transport.io_receive = receive_to_the_end;
    f.server.portion = portion;
    fixture_create(&f);
    if (is_streamed) f.request.on_body = take_all;
    turbohttp_status status = turbohttp_send(f.client, &f.request, &response);
    if ((status == TURBOHTTP_OK) != is_whole)
        printf("%.*s, portion %zu: %s\n", (int)cut, answer, portion, turbohttp_status_name(status));
    CHECK((status == TURBOHTTP_OK) == is_whole);
    if (!is_whole) CHECK(response.error.code == status && response.error.phase >= TURBOHTTP_PHASE_HEAD && *response.error.text);
    turbohttp_response_free(&response);
    CHECK_INT(blocks_held(&f), 0);
    f.server.answer = plain;
    f.server.answer_length = sizeof plain - 1;
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    fixture_close(&f);
}

static void S_36_an_answer_cut_at_any_byte_is_no_success(void) {
    static char answer[1000];
    size_t transcripts = 0;
    for (size_t b = 0; b < sizeof beginnings / sizeof beginnings[0]; b++) {
        for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++, transcripts++) {
            size_t head = (size_t)snprintf(answer, sizeof answer, "%s%s\r\n", beginnings[b], bodies[i].lines);
            size_t length = head + bodies[i].body_length;
            memcpy(answer + head, bodies[i].body, bodies[i].body_length);
            for (size_t cut = 0; cut <= length; cut++) {
                bool is_whole = cut == length || (bodies[i].ends_anywhere && cut >= head) ||
                                (bodies[i].may_be_empty && cut == head);
                for (int way = 0; way < 4; way++) cut_at(answer, cut, way & 1, way & 2, is_whole);
            }
        }
    }
    CHECK(transcripts >= 40);
}

/* ------------------------------------------------------------ S-34: without an end */
typedef struct endless_case {
    const char *start, *unit; /* once, then for ever */
    turbohttp_status status;
    size_t bytes; /* after which it must have ended, by the limits of RELIABILITY 3.1 */
} endless_case;

typedef struct endless_server {
    const endless_case *what;
    uint64_t given;
} endless_server;

static endless_server endless;

static turbohttp_status receive_for_ever(void *user, void *connection, void *data, size_t room, size_t *received) {
    size_t start = strlen(endless.what->start), unit = strlen(endless.what->unit);
    (void)user, (void)connection;
    for (size_t i = 0; i < room; i++, endless.given++)
        ((char *)data)[i] = endless.given < start ? endless.what->start[endless.given]
                                                  : endless.what->unit[(endless.given - start) % unit];
    *received = room;
    return TURBOHTTP_OK;
}

#define TEN(text) text text text text text text text text text text
#define LONG_LINE "X: " TEN(TEN("yyyyyyy")) "\r\n" /* 93 of them exceed the bytes before the count */
#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void S_34_an_answer_without_an_end_costs_a_bounded_amount(void) {
    static const endless_case cases[] = {
        {"", "x", TURBOHTTP_ERR_NOT_HTTP, 1},
        {"", "\r\n", TURBOHTTP_ERR_NOT_HTTP, 1},
        {"HTTP/1.1 200 ", "x", TURBOHTTP_ERR_LINE_TOO_LONG, 16385},
        {OK_HEAD, "x", TURBOHTTP_ERR_LINE_TOO_LONG, 16385 + 17},
        {OK_HEAD "X:", " ", TURBOHTTP_ERR_LINE_TOO_LONG, 16385 + 17},
        {OK_HEAD "X: ", "\xff", TURBOHTTP_ERR_LINE_TOO_LONG, 16385 + 17},
        {OK_HEAD, "X: y\r\n", TURBOHTTP_ERR_TOO_MANY_HEADERS, 65536},
        {OK_HEAD, LONG_LINE,
         TURBOHTTP_ERR_HEAD_TOO_LARGE, 65536},
        {OK_HEAD "X: y\r\n", " folded\r\n", TURBOHTTP_ERR_HEADER_LINE, 24},
        {"", "HTTP/1.1 100 Continue\r\n\r\n", TURBOHTTP_ERR_TOO_MANY_INTERIM, 9 * 25},
        {"", "HTTP/1.1 103 Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", TURBOHTTP_ERR_TOO_MANY_INTERIM, 9 * 54},
        {CHUNKED, "0", TURBOHTTP_ERR_CHUNK_OVERHEAD, 47 + 257},
        {CHUNKED "5;a=\"", "x", TURBOHTTP_ERR_CHUNK_OVERHEAD, 47 + 257},
        {CHUNKED, "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n", TURBOHTTP_ERR_CHUNK_OVERHEAD, 65536},
        {CHUNKED "0\r\n", "x", TURBOHTTP_ERR_LINE_TOO_LONG, 47 + 3 + 16385},
        {CHUNKED "0\r\n", "X: y\r\n", TURBOHTTP_ERR_TOO_MANY_HEADERS, 65536},
        {OK_HEAD "\r\n", "x", TURBOHTTP_ERR_BODY_TOO_LARGE, 300000},
        {CHUNKED, "5\r\nhello\r\n", TURBOHTTP_ERR_BODY_TOO_LARGE, 600000},
    };
    const size_t buffer = 16384;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        turbohttp_response response;
        fixture_describe(&f, plain, sizeof plain - 1);
        f.desc.limits.body_bytes = 262144;
        f.desc.limits.receive_bytes = (uint32_t)buffer;
        f.desc.disable_keep_alive = true; /* nothing is read from a connection at rest */
        fixture_create(&f);
        CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
        turbohttp_response_free(&response);
        uint64_t before = f.memory.live_bytes;
        f.memory.peak_bytes = before;
        endless.what = &cases[i];
        endless.given = 0;
        f.transport.io_receive = receive_for_ever;
        CHECK_INT(turbohttp_send(f.client, &f.request, &response), cases[i].status);
        turbohttp_response_free(&response);
        CHECK(endless.given <= cases[i].bytes + buffer);
        /* A head that grows is in two blocks for a moment, and blocks are powers of two. */
        CHECK(f.memory.peak_bytes - before <= (i == 7 ? 3 * 65536 : cases[i].bytes + 65536));
        CHECK_INT(blocks_held(&f), 0);
        f.transport.io_receive = canned_receive;
        CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
        turbohttp_response_free(&response);
        fixture_close(&f);
    }
}

/* ------------------------------------------------------------ S-81: no memory while it grows */
static void S_81_no_memory_for_what_grows_is_a_clean_failure(void) {
    static const char *const starts[] = {OK_HEAD, CHUNKED "5\r\nhello\r\n0\r\n", OK_HEAD "Content-Length: 42300\r\n\r\n"};
    static const char *const ends[] = {"Content-Length: 5\r\n\r\nhello", "\r\n", ""};
    static char answer[45000];
    for (size_t i = 0; i < 3; i++) { /* 42 KB of head, of trailers, of body */
        size_t length = (size_t)snprintf(answer, sizeof answer, "%s", starts[i]);
        for (int line = 0; line < 60; line++, length += strlen(LONG_LINE)) memcpy(answer + length, LONG_LINE, strlen(LONG_LINE));
        length += (size_t)snprintf(answer + length, 100, "%s", ends[i]);
        for (size_t portion = 0; portion <= 3000; portion += 3000) {
            uint32_t failures = 0;
            for (uint64_t at = 1; at <= 16; at++) {
                fixture f;
                turbohttp_response response;
                fixture_describe(&f, answer, length);
                f.server.portion = portion;
                f.desc.limits.block_bytes = f.desc.limits.receive_bytes = 1024;
                fixture_create(&f);
                f.memory.fail_at = f.memory.requests + at;
                turbohttp_status status = turbohttp_send(f.client, &f.request, &response);
                CHECK(status == TURBOHTTP_OK || status == TURBOHTTP_ERR_OUT_OF_MEMORY);
                failures += status != TURBOHTTP_OK;
                turbohttp_response_free(&response);
                CHECK_INT(blocks_held(&f), 0);
                f.memory.fail_at = 0;
                f.server.answer = plain;
                f.server.answer_length = sizeof plain - 1;
                CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
                turbohttp_response_free(&response);
                fixture_close(&f);
            }
            CHECK(failures >= 8);
        }
    }
}

static const check_test tests[] = {
    CHECK_TEST(S_36_an_answer_cut_at_any_byte_is_no_success),
    CHECK_TEST(S_81_no_memory_for_what_grows_is_a_clean_failure),
    CHECK_TEST(S_34_an_answer_without_an_end_costs_a_bounded_amount),
};
CHECK_MAIN(tests)
