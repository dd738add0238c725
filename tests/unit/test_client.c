/* The client over a canned server: handles, callbacks, cancel, shutdown, memory. What goes over the
 * wire is the scripts' business. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "client_fixture.h"
#include "guard.h"
#include "pool_scan.h"

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: value\r\n\r\nhello";
/* "hello hello hello hello\n", gzip -9 */
static const char zipped[] =
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n1d\r\n"
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\xb9\x00\x00\x88\x59\x0b\x18\x00\x00\x00"
    "\r\n0\r\n\r\n";

static void fixture_open(fixture *f, const char *answer, size_t length) {
    fixture_describe(f, answer, length);
    fixture_create(f);
}

/* ------------------------------------------------------------ one request */
static void a_response_has_everything(void) {
    fixture f;
    turbohttp_response response;
    fixture_open(&f, plain, sizeof plain - 1);
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
    CHECK_INT(response.status, 200);
    CHECK(strcmp(turbohttp_response_header(&response, "x-name"), "value") == 0);
    CHECK(turbohttp_response_header(&response, "X-Nothing") == NULL);
    CHECK(strcmp(turbohttp_response_text(&response), "hello") == 0);
    CHECK(turbohttp_response_text(&response) == turbohttp_response_text(&response));
    CHECK_TEXT(response.reason.data, response.reason.length, "OK");
    turbohttp_response_free(&response);
    turbohttp_response_free(&response);
    CHECK(turbohttp_response_header(&response, "x-name") == NULL);
    fixture_close(&f);
}

/* What the user holds is never given to anybody else, whatever runs meanwhile. */
static void C5_a_response_in_hand_is_not_touched_by_later_requests(void) {
    fixture f;
    turbohttp_response held[3], other;
    fixture_open(&f, plain, sizeof plain - 1);
    CHECK_INT(turbohttp_send(f.client, &f.request, &held[0]), TURBOHTTP_OK);
    f.server.answer = zipped;
    f.server.answer_length = sizeof zipped - 1;
    CHECK_INT(turbohttp_send(f.client, &f.request, &held[1]), TURBOHTTP_OK);
    f.server.answer = "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\nX-Tail: end\r\n\r\n";
    f.server.answer_length = strlen(f.server.answer);
    CHECK_INT(turbohttp_send(f.client, &f.request, &held[2]), TURBOHTTP_OK);
    for (int i = 0; i < 50; i++) {
        f.server.answer = i % 2 ? plain : zipped;
        f.server.answer_length = i % 2 ? sizeof plain - 1 : sizeof zipped - 1;
        CHECK_INT(turbohttp_send(f.client, &f.request, &other), TURBOHTTP_OK);
        turbohttp_response_free(&other);
    }
    CHECK(strcmp(turbohttp_response_header(&held[0], "X-Name"), "value") == 0);
    CHECK(strcmp(turbohttp_response_text(&held[0]), "hello") == 0);
    CHECK(strcmp(turbohttp_response_header(&held[1], "Content-Encoding"), "gzip") == 0);
    CHECK(strcmp(turbohttp_response_text(&held[1]), "hello hello hello hello\n") == 0);
    CHECK_INT(held[2].status, 404);
    CHECK_TEXT(held[2].reason.data, held[2].reason.length, "No");
    CHECK(strcmp(turbohttp_response_text(&held[2]), "xyz") == 0);
    CHECK_INT(held[2].trailer_count, 1);
    CHECK(strcmp(held[2].trailers[0].name, "X-Tail") == 0 && strcmp(held[2].trailers[0].value, "end") == 0);
    for (int i = 0; i < 3; i++) turbohttp_response_free(&held[i]);
    fixture_close(&f);
}

static void a_response_may_outlive_its_client(void) {
    fixture f;
    turbohttp_response response;
    fixture_open(&f, plain, sizeof plain - 1);
    turbohttp_send(f.client, &f.request, &response);
    turbohttp_client_destroy(f.client);
    CHECK(strcmp(turbohttp_response_text(&response), "hello") == 0);
    CHECK(!counting_allocator_balanced(&f.memory));
    turbohttp_response_free(&response);
    CHECK(counting_allocator_balanced(&f.memory));
}

/* ------------------------------------------------------------ C4: completions */
static void C4_a_handle_is_taken_once_and_then_stale(void) {
    fixture f;
    turbohttp_response response;
    turbohttp_request done;
    fixture_open(&f, plain, sizeof plain - 1);
    turbohttp_request first = submit(&f);
    CHECK_INT(turbohttp_take(f.client, first, &response), TURBOHTTP_PENDING);
    poll_often(&f);
    CHECK_INT(turbohttp_next_done(f.client, &done), TURBOHTTP_OK);
    CHECK(done.id == first.id);
    CHECK_INT(turbohttp_take(f.client, first, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    turbohttp_request second = submit(&f); /* the same slot, another generation */
    CHECK(second.id != first.id);
    CHECK_INT((uint32_t)second.id, (uint32_t)first.id);
    poll_often(&f);
    CHECK_INT(turbohttp_take(f.client, first, &response), TURBOHTTP_ERR_STALE);
    CHECK_INT(turbohttp_cancel(f.client, first), TURBOHTTP_ERR_STALE);
    CHECK_INT(turbohttp_resume(f.client, first), TURBOHTTP_ERR_STALE);
    CHECK_INT(turbohttp_take(f.client, second, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    CHECK_INT(turbohttp_next_done(f.client, &done), TURBOHTTP_PENDING);
    turbohttp_request zero = {0};
    CHECK_INT(turbohttp_take(f.client, zero, &response), TURBOHTTP_ERR_STALE);
    fixture_close(&f);
}

static void C4_every_step_of_a_slot_but_the_right_one_is_refused(void) {
    counting_allocator memory = {0};
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    tbh_completions c;
    uint64_t id, other;
    int object;
    void *taken;
    CHECK_INT(tbh_completions_init(&c, &a, 1), TURBOHTTP_OK);
    CHECK(!tbh_completion_set(&c, 1ull << 32 | 1)); /* free */
    CHECK_INT(tbh_completion_issue(&c, &object, &id), TURBOHTTP_OK);
    CHECK_INT(tbh_completion_issue(&c, &object, &other), TURBOHTTP_ERR_QUEUE_FULL);
    CHECK_INT(tbh_completion_take(&c, id, &taken), TURBOHTTP_PENDING);
    CHECK(tbh_completion_set(&c, id));
    CHECK(!tbh_completion_set(&c, id)); /* exactly once */
    CHECK(tbh_completion_cancelled_at(&c, 0) == NULL);
    CHECK_INT(tbh_completion_cancel(&c, id), TURBOHTTP_OK);
    CHECK(tbh_completion_cancelled_at(&c, 0) == NULL); /* too late: it is set */
    CHECK_INT(tbh_completion_take(&c, id, &taken), TURBOHTTP_OK);
    CHECK(taken == &object);
    CHECK_INT(tbh_completion_take(&c, id, &taken), TURBOHTTP_ERR_STALE);
    CHECK_INT(tbh_completion_issue(&c, &object, &other), TURBOHTTP_OK);
    CHECK(tbh_completion_cancelled_at(&c, 0) == NULL); /* the old cancel does not hit the new one */
    CHECK(tbh_completion_find(&c, id) == NULL);
    CHECK(tbh_completion_find(&c, other) == &object);
    tbh_completions_fini(&c, &a);
    CHECK(counting_allocator_balanced(&memory));
}

typedef struct done_note {
    int calls;
    turbohttp_status code;
    turbohttp_response kept;
} done_note;

static void keep_response(void *user, turbohttp_request request, turbohttp_response *response) {
    done_note *note = (done_note *)user;
    (void)request;
    note->calls++;
    note->code = response->error.code;
    turbohttp_response_detach(response, &note->kept);
}

static void C4_a_callback_may_be_set_after_the_end(void) {
    fixture f;
    done_note note = {0};
    fixture_open(&f, plain, sizeof plain - 1);
    turbohttp_request request = submit(&f);
    poll_often(&f);
    CHECK_INT(turbohttp_on_done(f.client, request, keep_response, &note), TURBOHTTP_OK);
    CHECK_INT(note.calls, 0); /* never from within the call */
    turbohttp_poll(f.client, 0);
    CHECK_INT(note.calls, 1);
    CHECK(strcmp(turbohttp_response_text(&note.kept), "hello") == 0);
    turbohttp_response_free(&note.kept);
    CHECK_INT(turbohttp_on_done(f.client, request, keep_response, &note), TURBOHTTP_ERR_STALE);
    fixture_close(&f);
}

static void count_done(void *user, turbohttp_request request, turbohttp_response *response) {
    (void)request;
    CHECK_INT(response->error.code, TURBOHTTP_OK);
    ++*(int *)user;
}

static void a_callback_needs_no_handle(void) {
    fixture f;
    int done = 0;
    fixture_open(&f, plain, sizeof plain - 1);
    f.request.on_done = count_done;
    f.request.user = &done;
    CHECK_INT(turbohttp_submit(f.client, &f.request, NULL, NULL), TURBOHTTP_OK);
    f.request.url = "nothing";
    CHECK_INT(turbohttp_submit(f.client, &f.request, NULL, NULL), TURBOHTTP_ERR_URL_SCHEME);
    poll_often(&f);
    CHECK_INT(done, 1);
    fixture_close(&f);
}

static void C4_the_number_of_requests_is_bounded(void) {
    fixture f;
    turbohttp_request request;
    turbohttp_error error;
    fixture_describe(&f, plain, sizeof plain - 1);
    f.desc.limits.requests = 2;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    submit(&f);
    submit(&f);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, &error), TURBOHTTP_ERR_QUEUE_FULL);
    CHECK(strstr(error.text, "limits.requests") != NULL);
    fixture_close(&f);
    fixture_open(&f, plain, sizeof plain - 1); /* 256 when nobody says anything else */
    turbohttp_request first = submit(&f);
    for (int i = 1; i < 256; i++) submit(&f);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, NULL), TURBOHTTP_ERR_QUEUE_FULL);
    CHECK_INT(request.id, 0);
    poll_often(&f);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, NULL), TURBOHTTP_ERR_QUEUE_FULL); /* not taken yet */
    turbohttp_response response;
    CHECK_INT(turbohttp_take(f.client, first, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, NULL), TURBOHTTP_OK);
    fixture_close(&f);
}

/* ------------------------------------------------------------ cancel and shutdown */
static void a_cancelled_request_completes_once(void) {
    fixture f;
    done_note note = {0};
    fixture_open(&f, plain, sizeof plain - 1);
    f.server.is_silent = true;
    f.request.on_done = keep_response;
    f.request.user = &note;
    turbohttp_request request = submit(&f);
    turbohttp_poll(f.client, 0);
    CHECK_INT(turbohttp_cancel(f.client, request), TURBOHTTP_OK);
    CHECK_INT(turbohttp_cancel(f.client, request), TURBOHTTP_OK);
    CHECK_INT(turbohttp_poll(f.client, 0), TURBOHTTP_OK);
    CHECK_INT(note.calls, 1);
    CHECK_INT(note.code, TURBOHTTP_ERR_CANCELLED);
    CHECK_INT(f.server.shut, 1); /* HTTP/1.1: the connection is of no use any more */
    turbohttp_response_free(&note.kept);
    fixture_close(&f);
}

static void E17_shutdown_ends_everything_and_says_so(void) {
    fixture f;
    done_note notes[3] = {{0}, {0}, {0}};
    turbohttp_request request;
    turbohttp_error error;
    fixture_open(&f, plain, sizeof plain - 1);
    f.server.is_silent = true;
    f.request.on_done = keep_response;
    for (int i = 0; i < 3; i++) {
        f.request.user = &notes[i];
        submit(&f);
        if (i == 1) turbohttp_poll(f.client, 0); /* two are under way, one waits */
    }
    turbohttp_client_shutdown(f.client);
    turbohttp_client_shutdown(f.client);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, &error), TURBOHTTP_ERR_SHUTDOWN);
    turbohttp_poll(f.client, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(notes[i].calls, 1);
        CHECK_INT(notes[i].code, TURBOHTTP_ERR_SHUTDOWN);
        turbohttp_response_free(&notes[i].kept);
    }
    fixture_close(&f);
}

static void count_release(void *user) {
    ++*(int *)user;
}

static void a_body_is_released_exactly_once_in_every_end(void) {
    int released = 0;
    fixture f;
    turbohttp_request request;
    turbohttp_error error;
    turbohttp_response response;
    fixture_open(&f, plain, sizeof plain - 1);
    f.request.body.data = "x";
    f.request.body.length = 1;
    f.request.body.release = count_release;
    f.request.body.user = &released;
    turbohttp_send(f.client, &f.request, &response); /* success */
    turbohttp_response_free(&response);
    CHECK_INT(released, 1);
    f.request.url = "nonsense"; /* refused */
    CHECK(turbohttp_submit(f.client, &f.request, &request, &error) < 0);
    CHECK_INT(released, 2);
    f.request.url = "http://server.test/";
    request = submit(&f); /* cancelled before it started */
    turbohttp_cancel(f.client, request);
    turbohttp_poll(f.client, 0);
    CHECK_INT(released, 3);
    submit(&f); /* the client ends first */
    turbohttp_client_shutdown(f.client);
    CHECK_INT(released, 4);
    CHECK(turbohttp_submit(f.client, &f.request, &request, &error) < 0);
    CHECK_INT(released, 5);
    fixture_close(&f);
}

/* ------------------------------------------------------------ E3: progress of what is sent */
typedef struct uploads {
    uint64_t sent, total, received, got_total;
    int calls, steps; /* steps: calls that told of more than the one before */
} uploads;

static void uploads_on_progress(void *user, uint64_t sent, uint64_t send_total, uint64_t received, uint64_t total) {
    uploads *u = (uploads *)user;
    CHECK(sent >= u->sent && received >= u->received);
    u->steps += sent > u->sent;
    u->calls++;
    u->sent = sent;
    u->total = send_total;
    u->received = received;
    u->got_total = total;
}

static turbohttp_status uploads_read(void *user, void *data, size_t room, size_t *length) {
    static size_t left;
    (void)user;
    if (left == 0) left = 50000;
    *length = left < room ? left : room;
    memset(data, 'x', *length);
    left -= *length;
    return left ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

static uploads upload(turbohttp_body body, bool is_silent, int polls) {
    fixture f;
    uploads u;
    fixture_open(&f, plain, sizeof plain - 1);
    memset(&u, 0, sizeof u);
    f.server.is_silent = is_silent;
    f.server.takes = 10000;
    f.request.method = "POST";
    f.request.body = body;
    f.request.user = &u;
    f.request.on_progress = uploads_on_progress;
    submit(&f);
    for (int i = 0; i < polls; i++) turbohttp_poll(f.client, 0);
    fixture_close(&f);
    return u;
}

static void E3_progress_of_what_is_sent(void) {
    static const char bytes[200000];
    turbohttp_body body;
    memset(&body, 0, sizeof body);
    body.data = bytes;
    body.length = sizeof bytes;
    uploads u = upload(body, true, 2); /* a poll does 64 KiB of work */
    CHECK(u.sent > 100000 && u.sent < sizeof bytes && u.steps == 2);
    CHECK_INT(u.total, sizeof bytes);
    u = upload(body, true, 20);
    CHECK(u.sent == sizeof bytes && u.received == 0 && u.steps >= 3);
    body.length = 100; /* leaves with the head */
    u = upload(body, true, 20);
    CHECK(u.sent == 100 && u.total == 100 && u.calls == 1);
    u = upload(body, false, 20);
    CHECK(u.sent == 100 && u.received == sizeof "hello" - 1 && u.got_total == sizeof "hello" - 1);
    memset(&body, 0, sizeof body);
    body.read = uploads_read;
    body.is_unknown = true;
    u = upload(body, true, 20);
    CHECK(u.sent == 50000 && u.total == 0);
    body.is_unknown = false;
    body.length = 50000;
    u = upload(body, true, 20);
    CHECK(u.sent == 50000 && u.total == 50000);
}

/* ------------------------------------------------------------ S-80: callbacks × calls */
typedef struct matrix {
    fixture *f;
    turbohttp_request request, other;
    int call;    /* which API call the callback makes */
    int where;   /* in which callback */
    int done;
} matrix;

static void matrix_call(matrix *m) {
    turbohttp_client *client = m->f->client;
    turbohttp_request fresh;
    turbohttp_response response;
    turbohttp_request_desc desc = {0};
    desc.url = "http://other.test/";
    switch (m->call) {
    case 0: turbohttp_cancel(client, m->request); break;
    case 1: turbohttp_cancel(client, m->other); break;
    case 2: CHECK_INT(turbohttp_submit(client, &desc, &fresh, NULL), TURBOHTTP_OK); break;
    case 3: CHECK_INT(turbohttp_poll(client, 0), TURBOHTTP_ERR_STATE); break;
    case 4:
        if (turbohttp_take(client, m->other, &response) == TURBOHTTP_OK) turbohttp_response_free(&response);
        break;
    case 5: turbohttp_resume(client, m->request); break;
    case 6: turbohttp_client_shutdown(client); break;
    case 7: turbohttp_client_destroy(client); break;
    case 8: turbohttp_on_done(client, m->other, NULL, NULL); break;
    case 9: turbohttp_wake(client); break;
    case 10: CHECK_INT(turbohttp_send(client, &desc, &response), TURBOHTTP_ERR_STATE); break;
    }
}

enum { MATRIX_CALLS = 11, IN_HEAD = 0, IN_BODY, IN_PROGRESS, IN_UPLOAD, IN_DONE, IN_READ, MATRIX_PLACES };

static void matrix_at(matrix *m, int where) {
    if (m->where != where) return;
    m->where = -1; /* once */
    matrix_call(m);
}

static void matrix_on_head(void *user, const turbohttp_response *head) {
    (void)head;
    matrix_at((matrix *)user, IN_HEAD);
}

static turbohttp_status matrix_on_body(void *user, const void *data, size_t length) {
    (void)data, (void)length;
    matrix_at((matrix *)user, IN_BODY);
    return TURBOHTTP_OK;
}

static void matrix_on_progress(void *user, uint64_t sent, uint64_t send_total, uint64_t received, uint64_t total) {
    (void)sent, (void)send_total, (void)total;
    matrix_at((matrix *)user, received ? IN_PROGRESS : IN_UPLOAD);
}

static turbohttp_status matrix_on_read(void *user, void *data, size_t room, size_t *length) {
    matrix_at((matrix *)user, IN_READ);
    *length = room < 10 ? room : 10;
    memset(data, 'x', *length);
    return TURBOHTTP_DONE;
}

static void matrix_on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    (void)request, (void)response;
    ((matrix *)user)->done++;
    matrix_at((matrix *)user, IN_DONE);
}

static void matrix_run(int where, int call) {
    fixture f;
    matrix m;
    fixture_open(&f, plain, sizeof plain - 1);
    memset(&m, 0, sizeof m);
    m.f = &f;
    m.where = where;
    m.call = call;
    m.other = submit(&f);
    f.request.on_head = matrix_on_head;
    f.request.on_body = matrix_on_body;
    f.request.on_progress = matrix_on_progress;
    f.request.on_done = matrix_on_done;
    f.request.body.read = matrix_on_read;
    f.request.body.length = 10;
    f.request.body.user = f.request.user = &m;
    m.request = submit(&f);
    if (call == 7) { /* the poll that called back destroys the client */
        for (int i = 0; i < 20 && m.where >= 0; i++) turbohttp_poll(f.client, 0);
        CHECK_INT(m.done, 1);
        CHECK(counting_allocator_balanced(&f.memory));
        CHECK_INT(f.server.opened, f.server.shut);
        return;
    }
    for (int i = 0; i < 20; i++) turbohttp_poll(f.client, 0);
    CHECK_INT(m.where, -1);
    CHECK_INT(m.done, 1);
    fixture_close(&f);
}

static void S_80_every_call_from_every_callback(void) {
    for (int where = 0; where < MATRIX_PLACES; where++)
        for (int call = 0; call < MATRIX_CALLS; call++) matrix_run(where, call);
}

/* ------------------------------------------------------------ memory */
static uint64_t allocations_of(fixture *f, int requests) {
    uint64_t before = f->memory.requests;
    for (int i = 0; i < requests; i++) {
        turbohttp_response response;
        CHECK_INT(turbohttp_send(f->client, &f->request, &response), TURBOHTTP_OK);
        turbohttp_response_free(&response);
    }
    return f->memory.requests - before;
}

static void A11_no_allocation_after_warm_up(void) {
    fixture f;
    fixture_open(&f, plain, sizeof plain - 1);
    CHECK(allocations_of(&f, 10) > 0);
    CHECK_INT(allocations_of(&f, 1000), 0);
    fixture_close(&f);
}

static void A11_no_allocation_with_a_gzip_body(void) {
    fixture f;
    turbohttp_response response;
    fixture_open(&f, zipped, sizeof zipped - 1);
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
    CHECK(strcmp(turbohttp_response_text(&response), "hello hello hello hello\n") == 0);
    turbohttp_response_free(&response);
    CHECK(allocations_of(&f, 10) < 20);
    CHECK_INT(allocations_of(&f, 1000), 0);
    fixture_close(&f);
}

static void A11_no_allocation_with_16_requests_in_flight(void) {
    fixture f;
    turbohttp_request requests[16];
    fixture_describe(&f, plain, sizeof plain - 1);
    f.desc.limits.connections_per_host = 16;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    uint64_t before = 0;
    for (int round = 0; round < 50; round++) {
        turbohttp_response response;
        if (round == 3) before = f.memory.requests;
        for (int i = 0; i < 16; i++) requests[i] = submit(&f);
        poll_often(&f);
        for (int i = 0; i < 16; i++) {
            CHECK_INT(turbohttp_take(f.client, requests[i], &response), TURBOHTTP_OK);
            turbohttp_response_free(&response);
        }
    }
    CHECK_INT(f.memory.requests - before, 0);
    fixture_close(&f);
}

static void A9_without_pools_everything_goes_to_the_allocator(void) {
    fixture f;
    fixture_describe(&f, plain, sizeof plain - 1);
    f.desc.disable_pooling = true;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    CHECK(allocations_of(&f, 100) >= 300);
    fixture_close(&f);
}

/* A client in fixed memory: `bytes` bytes that begin at an odd address and end at a page nobody may
 * touch. */
static guard fixture_fixed(fixture *f, size_t bytes, uint32_t requests, uint32_t connections,
                           uint32_t block_bytes, uint32_t header_count) {
    guard g = guard_alloc(bytes | 1);
    memset(&f->desc.allocator, 0, sizeof f->desc.allocator);
    f->desc.memory = g.data;
    f->desc.memory_bytes = g.length;
    f->desc.limits.requests = requests;
    f->desc.limits.connections = f->desc.limits.connections_per_host = connections;
    f->desc.limits.block_bytes = f->desc.limits.receive_bytes = block_bytes;
    f->desc.limits.header_count = header_count;
    CHECK_INT(turbohttp_client_create(&f->client, &f->desc), TURBOHTTP_OK);
    return g;
}

static void fixed_rounds(fixture *f, uint32_t requests, int rounds) {
    turbohttp_response response[16];
    turbohttp_request handles[16];
    for (int i = 0; i < rounds; i++) {
        for (uint32_t k = 0; k < requests; k++) handles[k] = submit(f);
        poll_often(f);
        for (uint32_t k = 0; k < requests; k++) { /* all of them are held at once */
            CHECK_INT(turbohttp_take(f->client, handles[k], &response[k]), TURBOHTTP_OK);
            CHECK_INT(response[k].error.code, TURBOHTTP_OK);
        }
        for (uint32_t k = 0; k < requests; k++) turbohttp_response_free(&response[k]);
    }
}

static void A10_a_client_lives_in_one_block(void) {
    static const uint32_t requests[] = {1, 2, 4, 16}, connections[] = {1, 2, 8};
    static const uint32_t blocks[] = {512, 2048, 16384}, headers[] = {2, 32, 128};
    for (size_t i = 0; i < 4 * 3 * 3 * 3; i++) {
        uint32_t r = requests[i % 4], c = connections[i / 4 % 3], b = blocks[i / 12 % 3], h = headers[i / 36];
        for (int with_gzip = 0; with_gzip < 2; with_gzip++) {
            fixture f;
            if (with_gzip) fixture_describe(&f, zipped, sizeof zipped - 1);
            else fixture_describe(&f, plain, sizeof plain - 1);
            guard g = fixture_fixed(&f, TURBOHTTP_FIXED_BYTES(r, c, b, h), r, c, b, h);
            fixed_rounds(&f, r, 5);
            if (check_failed_here) printf("%u requests, %u connections, blocks of %u, %u headers\n", r, c, b, h);
            CHECK_INT(f.memory.requests, 0);
            turbohttp_client_destroy(f.client);
            guard_free(&g);
        }
    }
}

/* Each host takes another number of bytes while it is known. */
static void A10_hosts_of_any_length_come_and_go(void) {
    fixture f;
    char url[300];
    fixture_describe(&f, plain, sizeof plain - 1);
    guard g = fixture_fixed(&f, TURBOHTTP_FIXED_BYTES(4, 2, 2048, 32), 4, 2, 2048, 32);
    f.request.url = url;
    for (size_t i = 0; i < 1000; i++) {
        size_t length = 1 + i * 37 % 240;
        memset(url, 'a', sizeof url);
        memcpy(url, "http://", 7);
        for (size_t k = 50; k < length; k += 50) url[7 + k] = '.';
        memcpy(url + 7 + length, "b/", 3);
        fixed_rounds(&f, 1 + (uint32_t)i % 4, 1);
    }
    turbohttp_client_destroy(f.client);
    guard_free(&g);
}

/* All that fits at once, until memory runs out; then one alone. */
static turbohttp_status one_after_many(size_t bytes, uint32_t requests) {
    static char url[6000];
    fixture f;
    turbohttp_response response;
    turbohttp_request handle;
    turbohttp_error error;
    fixture_describe(&f, plain, sizeof plain - 1);
    guard g = fixture_fixed(&f, bytes, 24, 1, 2048, 16);
    for (uint32_t i = 0; i < requests; i++) turbohttp_submit(f.client, &f.request, &handle, &error);
    poll_often(&f);
    while (turbohttp_next_done(f.client, &handle) == TURBOHTTP_OK) {
        turbohttp_take(f.client, handle, &response);
        turbohttp_response_free(&response);
    }
    memset(url, 'a', sizeof url); /* needs a block of another size */
    memcpy(url, "http://server.test/", 19);
    url[sizeof url - 1] = 0;
    f.request.url = url;
    turbohttp_status status = turbohttp_send(f.client, &f.request, &response);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(f.client);
    guard_free(&g);
    return status;
}

static void A10_what_pools_keep_is_not_missing_elsewhere(void) {
    size_t all = TURBOHTTP_FIXED_BYTES(24, 1, 2048, 16);
    for (size_t bytes = all / 6; bytes < all; bytes += 512)
        if (one_after_many(bytes, 0) == TURBOHTTP_OK) CHECK_INT(one_after_many(bytes, 24), TURBOHTTP_OK);
}

static void A10_running_out_is_an_error_of_that_request_only(void) {
    static uint64_t block[4096];
    static char large[70000];
    fixture f;
    turbohttp_response response;
    int n = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
    memset(large + n, 'x', 60000);
    fixture_describe(&f, large, (size_t)n + 60000);
    memset(&f.desc.allocator, 0, sizeof f.desc.allocator);
    f.desc.memory = block;
    f.desc.memory_bytes = sizeof block;
    f.desc.limits.requests = 2;
    f.desc.limits.connections = 1;
    f.desc.limits.block_bytes = f.desc.limits.receive_bytes = 1024;
    f.desc.limits.header_count = 16;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_ERR_OUT_OF_MEMORY);
    turbohttp_response_free(&response);
    f.server.answer = plain;
    f.server.answer_length = sizeof plain - 1;
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(f.client);
}

/* O14 */
static void O14_secrets_do_not_rest_in_pools(void) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nSet-Cookie: id=SECRET-COOKIE\r\nContent-Length: 2\r\n\r\nok";
    turbohttp_header_field header = {"Authorization", "Bearer SECRET-TOKEN"};
    fixture f;
    turbohttp_response response;
    fixture_open(&f, answer, sizeof answer - 1);
    f.request.headers = &header;
    f.request.header_count = 1;
    turbohttp_send(f.client, &f.request, &response);
    CHECK(strcmp(turbohttp_response_header(&response, "set-cookie"), "id=SECRET-COOKIE") == 0);
    CHECK(!pool_contains(&f.client->heap->blocks, "SECRET-TOKEN"));
    turbohttp_response_free(&response);
    CHECK(!pool_contains(&f.client->heap->blocks, "SECRET-COOKIE"));
    fixture_close(&f);
}

/* The body of a response, and the window of its inflater: wiped where the client's description says so. */
static void O14_bodies_do_not_rest_in_pools_when_asked(void) {
    static const char answer[] = /* gzip with a stored block: the text is there as it is */
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 36\r\n\r\n"
        "\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x0d\0\xf2\xff" "SECRET-BODY!!" "\x79\xac\x62\x25\x0d\0\0\0";
    for (int clears = 0; clears < 2; clears++) {
        fixture f;
        turbohttp_response response;
        fixture_describe(&f, answer, sizeof answer - 1);
        f.desc.clear_on_return = clears;
        f.server.portion = sizeof answer - 1 - 10; /* the last !! come later: the window is filled */
        CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
        CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
        CHECK(strcmp(turbohttp_response_text(&response), "SECRET-BODY!!") == 0);
        turbohttp_response_free(&response);
        CHECK_INT(pool_contains(&f.client->heap->blocks, "SECRET-BODY"), !clears);
        void *inflater = turbohttp_object_pool_rent(&f.client->inflaters);
        CHECK_INT(block_contains((char *)inflater, sizeof(turbohttp_inflate), "SECRET-BODY"), !clears);
        turbohttp_object_pool_return(&f.client->inflaters, inflater);
        fixture_close(&f);
    }
}

/* A head that outgrows its first block, and one that is refused behind its token. */
static void O14_heads_leave_nothing_on_their_way(void) {
    static char longer[2000];
    turbohttp_header_field fields[] = {{"Authorization", "Bearer SECRET-TOKEN"}, {"X-Long", longer}, {"X bad", "1"}};
    fixture f;
    turbohttp_request request;
    turbohttp_response response;
    fixture_open(&f, plain, sizeof plain - 1);
    memset(longer, 'x', sizeof longer - 1);
    f.request.headers = fields;
    f.request.header_count = 2;
    CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
    CHECK(!pool_contains(&f.client->heap->blocks, "SECRET-TOKEN"));
    turbohttp_response_free(&response);
    f.request.header_count = 3;
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, NULL), TURBOHTTP_ERR_HEADER_NAME);
    CHECK(!pool_contains(&f.client->heap->blocks, "SECRET-TOKEN"));
    fixture_close(&f);
}

/* ------------------------------------------------------------ connections */
static void E4_idle_connections_are_shut_when_they_are_old(void) {
    fixture f;
    turbohttp_response response;
    turbohttp_client_stats stats;
    fixture_open(&f, plain, sizeof plain - 1);
    turbohttp_send(f.client, &f.request, &response);
    turbohttp_response_free(&response);
    turbohttp_client_stats_get(f.client, &stats);
    CHECK_INT(stats.connections_idle, 1);
    f.server.now_us += 31000000; /* S-05 */
    turbohttp_poll(f.client, 0);
    turbohttp_client_stats_get(f.client, &stats);
    CHECK_INT(stats.connections_open, 0);
    CHECK_INT(f.server.shut, 1);
    fixture_close(&f);
}

static void E4_caps_per_host_and_in_total_hold(void) {
    fixture f;
    turbohttp_client_stats stats;
    char url[64];
    fixture_describe(&f, plain, sizeof plain - 1);
    f.desc.limits.connections = 5;
    f.desc.limits.connections_per_host = 2;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    f.server.is_silent = true;
    for (int i = 0; i < 12; i++) {
        snprintf(url, sizeof url, "http://host%d.test/", i % 4);
        f.request.url = url;
        submit(&f);
    }
    turbohttp_poll(f.client, 0);
    turbohttp_client_stats_get(f.client, &stats);
    CHECK_INT(stats.connections_open, 5);
    CHECK_INT(stats.requests_waiting, 7);
    f.server.is_silent = false;
    fixture_close(&f);
}

static void E4_an_idle_connection_of_another_host_makes_room(void) {
    fixture f;
    turbohttp_response response;
    fixture_describe(&f, plain, sizeof plain - 1);
    f.desc.limits.connections = 1;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    for (int i = 0; i < 4; i++) {
        f.request.url = i % 2 ? "http://one.test/" : "http://two.test/";
        CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
        turbohttp_response_free(&response);
    }
    CHECK_INT(f.server.opened, 4);
    CHECK_INT(f.server.shut, 3);
    fixture_close(&f);
}

/* S-01: each field of the key, changed alone, is another connection. */
static void S_01_another_key_is_another_connection(void) {
    fixture f;
    turbohttp_response response;
    turbohttp_request_desc variants[7];
    fixture_open(&f, plain, sizeof plain - 1);
    for (int i = 0; i < 7; i++) {
        memset(&variants[i], 0, sizeof variants[i]);
        variants[i].url = "http://server.test/path";
    }
    variants[1].url = "http://server2.test/path";
    variants[2].url = "http://server.test:81/path";
    variants[3].connect_host = "elsewhere.test";
    variants[4].connect_port = 8080;
    variants[5].unix_path = "/socket";
    variants[6].unix_path = "/Socket";
    for (int i = 0; i < 7; i++) {
        turbohttp_send(f.client, &variants[i], &response);
        CHECK(!response.is_reused);
        turbohttp_response_free(&response);
        CHECK_INT(f.server.opened, i + 1);
    }
    for (int i = 0; i < 7; i++) {
        turbohttp_send(f.client, &variants[i], &response);
        CHECK(response.is_reused);
        turbohttp_response_free(&response);
    }
    CHECK_INT(f.server.opened, 7);
    fixture_close(&f);
}

static void D2_a_trailing_dot_reaches_the_resolver(void) {
    fixture f;
    turbohttp_response response;
    fixture_open(&f, plain, sizeof plain - 1);
    f.request.disable_reuse = true;
    f.request.url = "http://Server.test/";
    turbohttp_send(f.client, &f.request, &response);
    turbohttp_response_free(&response);
    CHECK(strcmp(f.server.host, "server.test") == 0);
    f.request.url = "http://Server.test./";
    turbohttp_send(f.client, &f.request, &response);
    turbohttp_response_free(&response);
    CHECK(strcmp(f.server.host, "server.test.") == 0);
    fixture_close(&f);
}

static void S_01_hosts_differ_in_case_and_trailing_dot_only(void) {
    fixture f;
    turbohttp_response response;
    static const char *const urls[] = {"http://server.test/", "http://SERVER.test/", "http://server.test./",
                                       "http://server.test:80/"};
    fixture_open(&f, plain, sizeof plain - 1);
    for (int i = 0; i < 4; i++) {
        f.request.url = urls[i];
        turbohttp_send(f.client, &f.request, &response);
        turbohttp_response_free(&response);
    }
    CHECK_INT(f.server.opened, 1);
    fixture_close(&f);
}

/* ------------------------------------------------------------ work budget */
static size_t streamed;

static turbohttp_status count_body(void *user, const void *data, size_t length) {
    (void)user, (void)data;
    streamed += length;
    return TURBOHTTP_OK;
}

static void D1_one_poll_does_a_bounded_amount_of_work(void) {
    static char large[1000100];
    fixture f;
    int n = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    memset(large + n, 'x', 1000000);
    fixture_describe(&f, large, (size_t)n + 1000000);
    f.desc.limits.poll_bytes = 10000;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    f.request.on_body = count_body;
    streamed = 0;
    submit(&f);
    size_t before = 0;
    for (int i = 0; i < 1000 && turbohttp_poll(f.client, 0) == TURBOHTTP_PENDING; i++) {
        CHECK(streamed - before <= 10000);
        before = streamed;
    }
    CHECK_INT(streamed, 1000000);
    fixture_close(&f);
}

/* A request that waits for another one's connection is ready when it gets it, not when that was made. */
static void a_request_is_ready_when_it_gets_its_connection(void) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    fixture f;
    turbohttp_request first, second;
    turbohttp_response responses[2];
    fixture_describe(&f, answer, sizeof answer - 1);
    f.desc.limits.connections_per_host = 1;
    f.server.portion = 1;
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &first, NULL), TURBOHTTP_OK);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &second, NULL), TURBOHTTP_OK);
    turbohttp_poll(f.client, 0);
    f.server.now_us += 5000;
    poll_often(&f);
    CHECK_INT(turbohttp_take(f.client, first, &responses[0]), TURBOHTTP_OK);
    CHECK_INT(turbohttp_take(f.client, second, &responses[1]), TURBOHTTP_OK);
    CHECK_INT(responses[0].timing.ready_us, 0);
    CHECK_INT(responses[1].timing.ready_us, 5000);
    CHECK_INT(responses[1].timing.connected_us, 0);
    turbohttp_response_free(&responses[0]);
    turbohttp_response_free(&responses[1]);
    fixture_close(&f);
}

static turbohttp_status swallow(void *user, const void *data, size_t length) {
    (void)data;
    *(size_t *)user += length;
    return TURBOHTTP_OK;
}

/* What a poll's budget leaves over is not received in crumbs: a system call each, and small blocks
 * for ever after. */
static void D1_a_polled_download_is_received_in_large_pieces(void) {
    enum { LENGTH = 4 << 20 };
    static char answer[LENGTH + 64];
    fixture f;
    size_t got = 0, head = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LENGTH);
    fixture_describe(&f, answer, head + LENGTH);
    CHECK_INT(turbohttp_client_create(&f.client, &f.desc), TURBOHTTP_OK);
    turbohttp_request_desc desc;
    turbohttp_request request;
    memset(&desc, 0, sizeof desc);
    desc.url = "http://a.test/";
    desc.on_body = swallow;
    desc.user = &got;
    CHECK_INT(turbohttp_submit(f.client, &desc, &request, NULL), TURBOHTTP_OK);
    poll_often(&f);
    CHECK_INT(got, LENGTH);
    CHECK(f.server.receives <= LENGTH / 65536 + 16);
    fixture_close(&f);
}

/* ------------------------------------------------------------ urgency */
typedef struct ranking {
    char order[64];
    fixture *f;
} ranking;

static ranking *ranks;

static void note_rank(void *user, turbohttp_request request, turbohttp_response *response) {
    (void)request, (void)response;
    strncat(ranks->order, (const char *)user, 1);
}

static void submit_ranked(fixture *f, const char *name, turbohttp_priority priority) {
    f->request.on_done = note_rank;
    f->request.user = (void *)(uintptr_t)name;
    f->request.priority = priority;
    submit(f);
}

static void the_most_urgent_gets_the_next_connection(void) {
    fixture f;
    ranking r;
    memset(&r, 0, sizeof r);
    ranks = &r;
    fixture_describe(&f, plain, sizeof plain - 1);
    f.desc.limits.connections_per_host = 1;
    fixture_create(&f);
    submit_ranked(&f, "n", TURBOHTTP_PRIORITY_NORMAL);
    submit_ranked(&f, "l", TURBOHTTP_PRIORITY_LOW);
    submit_ranked(&f, "h", TURBOHTTP_PRIORITY_HIGH);
    submit_ranked(&f, "c", TURBOHTTP_PRIORITY_CRITICAL);
    submit_ranked(&f, "m", TURBOHTTP_PRIORITY_NORMAL);
    submit_ranked(&f, "i", TURBOHTTP_PRIORITY_HIGH);
    poll_often(&f);
    CHECK_TEXT(r.order, strlen(r.order), "chinml");
    fixture_close(&f);
}

static const check_test tests[] = {
    CHECK_TEST(the_most_urgent_gets_the_next_connection),
    CHECK_TEST(a_response_has_everything),
    CHECK_TEST(C5_a_response_in_hand_is_not_touched_by_later_requests),
    CHECK_TEST(a_response_may_outlive_its_client),
    CHECK_TEST(C4_a_handle_is_taken_once_and_then_stale),
    CHECK_TEST(C4_every_step_of_a_slot_but_the_right_one_is_refused),
    CHECK_TEST(C4_a_callback_may_be_set_after_the_end),
    CHECK_TEST(a_callback_needs_no_handle),
    CHECK_TEST(C4_the_number_of_requests_is_bounded),
    CHECK_TEST(a_cancelled_request_completes_once),
    CHECK_TEST(E17_shutdown_ends_everything_and_says_so),
    CHECK_TEST(a_body_is_released_exactly_once_in_every_end),
    CHECK_TEST(E3_progress_of_what_is_sent),
    CHECK_TEST(S_80_every_call_from_every_callback),
    CHECK_TEST(A11_no_allocation_after_warm_up),
    CHECK_TEST(A11_no_allocation_with_a_gzip_body),
    CHECK_TEST(A11_no_allocation_with_16_requests_in_flight),
    CHECK_TEST(A9_without_pools_everything_goes_to_the_allocator),
    CHECK_TEST(A10_a_client_lives_in_one_block),
    CHECK_TEST(A10_hosts_of_any_length_come_and_go),
    CHECK_TEST(A10_what_pools_keep_is_not_missing_elsewhere),
    CHECK_TEST(A10_running_out_is_an_error_of_that_request_only),
    CHECK_TEST(O14_secrets_do_not_rest_in_pools),
    CHECK_TEST(O14_bodies_do_not_rest_in_pools_when_asked),
    CHECK_TEST(O14_heads_leave_nothing_on_their_way),
    CHECK_TEST(E4_idle_connections_are_shut_when_they_are_old),
    CHECK_TEST(E4_caps_per_host_and_in_total_hold),
    CHECK_TEST(E4_an_idle_connection_of_another_host_makes_room),
    CHECK_TEST(S_01_another_key_is_another_connection),
    CHECK_TEST(D2_a_trailing_dot_reaches_the_resolver),
    CHECK_TEST(S_01_hosts_differ_in_case_and_trailing_dot_only),
    CHECK_TEST(D1_one_poll_does_a_bounded_amount_of_work),
    CHECK_TEST(D1_a_polled_download_is_received_in_large_pieces),
    CHECK_TEST(a_request_is_ready_when_it_gets_its_connection),
};
CHECK_MAIN(tests)
