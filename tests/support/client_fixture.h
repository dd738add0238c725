/* A client on a canned server, with an allocator that counts: what the tests of the client begin and
 * end with. */
#ifndef TEST_CLIENT_FIXTURE_H
#define TEST_CLIENT_FIXTURE_H
#include "canned_server.h"
#include "check.h"
#include "counting_allocator.h"

typedef struct fixture {
    canned_server server;
    counting_allocator memory;
    turbohttp_transport transport;
    turbohttp_client_desc desc;
    turbohttp_client *client;
    turbohttp_request_desc request;
} fixture;

static void fixture_describe(fixture *f, const char *answer, size_t length) {
    memset(f, 0, sizeof *f);
    f->server = canned_server_make(answer, length);
    f->transport = canned_transport(&f->server);
    f->desc.allocator = counting_allocator_hooks(&f->memory);
    f->desc.transport = &f->transport;
    f->desc.clock.user = &f->server;
    f->desc.clock.now_us = canned_now;
    f->request.url = "http://server.test/path";
    f->request.user = f;
}

static void fixture_create(fixture *f) {
    CHECK_INT(turbohttp_client_create(&f->client, &f->desc), TURBOHTTP_OK);
}

static void fixture_close(fixture *f) {
    turbohttp_client_destroy(f->client);
    CHECK_INT(f->server.opened, f->server.shut);
    CHECK(counting_allocator_balanced(&f->memory));
}

static inline turbohttp_request submit(fixture *f) {
    turbohttp_request request;
    turbohttp_error error;
    CHECK_INT(turbohttp_submit(f->client, &f->request, &request, &error), TURBOHTTP_OK);
    return request;
}

/* Bounded, for requests that never end. */
static inline void poll_often(fixture *f) {
    for (int i = 0; i < 1000 && turbohttp_poll(f->client, 0) == TURBOHTTP_PENDING; i++) {
    }
}
#endif
