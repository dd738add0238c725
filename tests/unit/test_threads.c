/* S-89: cancel and wake from another thread while the client's thread polls (run with TSan). */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "canned_server.h"
#include "check.h"
#include <pthread.h>

enum { ROUNDS = 2000 };

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

typedef struct shared {
    turbohttp_client *client;
    uint64_t handle; /* atomic: what the other thread may cancel */
    uint32_t is_over;
} shared;

static void *cancel_and_wake(void *user) {
    shared *s = (shared *)user;
    while (!__atomic_load_n(&s->is_over, __ATOMIC_ACQUIRE)) {
        turbohttp_request request;
        request.id = __atomic_load_n(&s->handle, __ATOMIC_ACQUIRE);
        turbohttp_cancel(s->client, request);
        turbohttp_wake(s->client);
    }
    return NULL;
}

static void run_rounds(canned_server *server, bool use_transport, const char *url) {
    turbohttp_transport transport = canned_transport(server);
    turbohttp_client_desc desc;
    turbohttp_request_desc wanted;
    shared s;
    pthread_t other;
    memset(&desc, 0, sizeof desc);
    memset(&wanted, 0, sizeof wanted);
    memset(&s, 0, sizeof s);
    if (use_transport) {
        desc.transport = &transport;
        desc.clock.user = server;
        desc.clock.now_us = canned_now;
    }
    wanted.url = url;
    CHECK_INT(turbohttp_client_create(&s.client, &desc), TURBOHTTP_OK);
    CHECK_INT(pthread_create(&other, NULL, cancel_and_wake, &s), 0);
    int others = 0;
    for (int i = 0; i < ROUNDS; i++) {
        turbohttp_request request;
        turbohttp_response response;
        CHECK_INT(turbohttp_submit(s.client, &wanted, &request, NULL), TURBOHTTP_OK);
        __atomic_store_n(&s.handle, request.id, __ATOMIC_RELEASE);
        while (turbohttp_take(s.client, request, &response) == TURBOHTTP_PENDING)
            turbohttp_poll(s.client, 1000);
        turbohttp_status code = response.error.code;
        others += code != TURBOHTTP_OK && code != TURBOHTTP_ERR_CANCELLED &&
                  code != TURBOHTTP_ERR_CONNECT;
        turbohttp_response_free(&response);
    }
    CHECK_INT(others, 0);
    __atomic_store_n(&s.is_over, 1u, __ATOMIC_RELEASE);
    pthread_join(other, NULL);
    turbohttp_client_destroy(s.client);
}

static void S_89_cancel_and_wake_from_another_thread(void) {
    canned_server server = canned_server_make(plain, sizeof plain - 1);
    run_rounds(&server, true, "http://server.test/");
}

static void S_89_a_silent_server_is_left_by_a_cancel(void) {
    canned_server server = canned_server_make(plain, sizeof plain - 1);
    server.is_silent = true;
    run_rounds(&server, true, "http://server.test/");
}

static void S_89_cancel_meets_a_connection_that_is_refused(void) {
    canned_server server = canned_server_make(plain, sizeof plain - 1);
    run_rounds(&server, false, "http://127.0.0.1:1/");
}

static const check_test tests[] = {
    CHECK_TEST(S_89_cancel_and_wake_from_another_thread),
    CHECK_TEST(S_89_a_silent_server_is_left_by_a_cancel),
    CHECK_TEST(S_89_cancel_meets_a_connection_that_is_refused),
};

CHECK_MAIN(tests)
