/* The platform's resolver on its helper threads, with a getaddrinfo that answers when the test says
 * so: answers, failures, and answers that come when nobody waits for them any more. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>

static int test_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                            struct addrinfo **list);
static void test_freeaddrinfo(struct addrinfo *list);
#define getaddrinfo  test_getaddrinfo
#define freeaddrinfo test_freeaddrinfo
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include <poll.h>

static sem_t entered, may_answer, left;
static bool has_gates;

/* "fail…" fails for good, "later…" for now; every other name has one address of each family. */
static int test_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                            struct addrinfo **list) {
    (void)service, (void)hints;
    sem_post(&entered);
    while (sem_wait(&may_answer) != 0) {
    }
    sem_post(&left);
    if (strncmp(name, "fail", 4) == 0) return EAI_NONAME;
    if (strncmp(name, "later", 5) == 0) return EAI_AGAIN;
    struct addrinfo *both = (struct addrinfo *)calloc(2, sizeof *both);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)calloc(1, sizeof *v6);
    struct sockaddr_in *v4 = (struct sockaddr_in *)calloc(1, sizeof *v4);
    v6->sin6_family = AF_INET6;
    v6->sin6_addr.s6_addr[15] = 1;
    v6->sin6_scope_id = 5;
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    both[0].ai_addr = (struct sockaddr *)v6;
    both[0].ai_next = &both[1];
    both[1].ai_addr = (struct sockaddr *)v4;
    *list = both;
    return 0;
}

static void test_freeaddrinfo(struct addrinfo *list) {
    free(list[0].ai_addr);
    free(list[1].ai_addr);
    free(list);
}

typedef struct fixture {
    counting_allocator memory;
    turbohttp_allocator allocator;
    tbh_os_wake wake;
    turbohttp_client_desc desc;
    tbh_resolver *resolver;
    turbohttp_error error;
} fixture;

static void setup(fixture *f) {
    int32_t code;
    memset(f, 0, sizeof *f);
    if (!has_gates) { /* once: helpers of an earlier client may still stand at them */
        sem_init(&entered, 0, 0);
        sem_init(&may_answer, 0, 0);
        sem_init(&left, 0, 0);
        has_gates = true;
    }
    while (sem_trywait(&entered) == 0) {
    }
    while (sem_trywait(&left) == 0) {
    }
    f->allocator = counting_allocator_hooks(&f->memory);
    f->desc.name_service = TURBOHTTP_NAMES_PLATFORM;
    CHECK_INT(tbh_os_wake_open(&f->wake, &code), TURBOHTTP_OK);
    CHECK_INT(tbh_resolver_create(&f->resolver, &f->allocator, NULL, &f->wake, &f->desc), TURBOHTTP_OK);
}

static void teardown(fixture *f) {
    tbh_resolver_destroy(f->resolver);
    tbh_os_wake_shut(&f->wake);
    CHECK(counting_allocator_balanced(&f->memory));
}

static turbohttp_status begin(fixture *f, tbh_lookup *lookup, const char *name) {
    memset(lookup, 0, sizeof *lookup);
    return tbh_lookup_begin(lookup, f->resolver, name, 80, 1, &f->error);
}

static void wait_until(sem_t *s) {
    while (sem_wait(s) != 0) {
    }
}

/* The helper wakes the client when it is done. */
static turbohttp_status wait_for(fixture *f, tbh_lookup *lookup) {
    struct pollfd p;
    turbohttp_status status = TURBOHTTP_PENDING;
    while (status == TURBOHTTP_PENDING) {
        p.fd = (int)f->wake.listen_end;
        p.events = POLLIN;
        poll(&p, 1, -1);
        tbh_os_wake_drain(&f->wake);
        status = tbh_lookup_step(lookup, 1, &f->error);
    }
    return status;
}

static void an_answer_wakes_the_client(void) {
    fixture f;
    tbh_lookup lookup;
    setup(&f);
    CHECK_INT(begin(&f, &lookup, "game.example"), TURBOHTTP_PENDING);
    CHECK_INT(tbh_lookup_step(&lookup, 1, &f.error), TURBOHTTP_PENDING);
    CHECK(tbh_lookup_deadline(&lookup) == UINT64_MAX);
    sem_post(&may_answer);
    CHECK_INT(wait_for(&f, &lookup), TURBOHTTP_OK);
    CHECK_INT(lookup.count, 2);
    CHECK_INT(lookup.addresses[0].family, 6);
    CHECK_INT(lookup.addresses[0].scope, 5);
    CHECK_INT(lookup.addresses[1].family, 4);
    CHECK_INT(begin(&f, &lookup, "GAME.example"), TURBOHTTP_OK); /* from the cache */
    CHECK_INT(lookup.count, 2);
    teardown(&f);
}

static void failures_are_for_good_or_for_now(void) {
    fixture f;
    tbh_lookup lookup;
    setup(&f);
    sem_post(&may_answer);
    sem_post(&may_answer);
    CHECK_INT(begin(&f, &lookup, "fail.example"), TURBOHTTP_PENDING);
    CHECK_INT(wait_for(&f, &lookup), TURBOHTTP_ERR_RESOLVE);
    CHECK_INT(f.error.system_code, EAI_NONAME);
    CHECK(strstr(f.error.text, "fail.example") != NULL);
    CHECK_INT(begin(&f, &lookup, "later.example"), TURBOHTTP_PENDING);
    CHECK_INT(wait_for(&f, &lookup), TURBOHTTP_ERR_RESOLVE_TEMPORARY);
    teardown(&f);
}

static void a_late_answer_is_dropped(void) {
    fixture f;
    tbh_lookup first, second;
    setup(&f);
    CHECK_INT(begin(&f, &first, "one.example"), TURBOHTTP_PENDING);
    wait_until(&entered);
    tbh_lookup_abandon(&first);
    CHECK_INT(begin(&f, &second, "two.example"), TURBOHTTP_PENDING);
    sem_post(&may_answer);
    sem_post(&may_answer);
    CHECK_INT(wait_for(&f, &second), TURBOHTTP_OK);
    for (int i = 0; i < 2; i++) wait_until(&left); /* nobody takes an answer of the next test */
    teardown(&f);
}

/* The threads are left in getaddrinfo; they find everything they touch still there. */
static void a_client_does_not_wait_for_its_helpers(void) {
    fixture f;
    tbh_lookup lookups[TBH_HELPERS + 2];
    setup(&f);
    for (int i = 0; i < TBH_HELPERS + 2; i++)
        CHECK_INT(begin(&f, &lookups[i], "game.example"), TURBOHTTP_PENDING);
    for (int i = 0; i < TBH_HELPERS; i++) wait_until(&entered);
    for (int i = 0; i < TBH_HELPERS + 2; i++) tbh_lookup_abandon(&lookups[i]);
    teardown(&f);
    for (int i = 0; i < TBH_HELPERS; i++) sem_post(&may_answer);
    for (int i = 0; i < TBH_HELPERS; i++) wait_until(&left);
    setup(&f); /* and another client starts */
    teardown(&f);
}

static void no_more_than_a_few_helpers_run(void) {
    fixture f;
    tbh_lookup lookups[TBH_HELPERS + 2];
    int value = -1;
    setup(&f);
    for (int i = 0; i < TBH_HELPERS + 2; i++) (void)begin(&f, &lookups[i], "game.example");
    for (int i = 0; i < TBH_HELPERS; i++) wait_until(&entered);
    sem_getvalue(&entered, &value);
    CHECK_INT(value, 0);
    for (int i = 0; i < TBH_HELPERS + 2; i++) sem_post(&may_answer);
    for (int i = 0; i < TBH_HELPERS + 2; i++) {
        turbohttp_status status = tbh_lookup_step(&lookups[i], 1, &f.error);
        CHECK_INT(status == TURBOHTTP_PENDING ? wait_for(&f, &lookups[i]) : status, TURBOHTTP_OK);
    }
    teardown(&f);
}

static void names_that_need_nobody_start_no_helper(void) {
    static const char *const names[] = {"127.0.0.1", "::1", "localhost", "game.localhost", "LOCALHOST."};
    fixture f;
    tbh_lookup lookup;
    int value = -1;
    setup(&f);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_INT(begin(&f, &lookup, names[i]), TURBOHTTP_OK);
    CHECK_INT(begin(&f, &lookup, "fe80::1%7"), TURBOHTTP_OK); /* a zone, as a number */
    CHECK_INT(lookup.addresses[0].scope, 7);
    CHECK_INT(lookup.count, 1);
    sem_getvalue(&entered, &value);
    CHECK_INT(value, 0);
    teardown(&f);
}

static const check_test tests[] = {
    CHECK_TEST(an_answer_wakes_the_client),
    CHECK_TEST(failures_are_for_good_or_for_now),
    CHECK_TEST(a_late_answer_is_dropped),
    CHECK_TEST(no_more_than_a_few_helpers_run),
    CHECK_TEST(names_that_need_nobody_start_no_helper),
    CHECK_TEST(a_client_does_not_wait_for_its_helpers), /* last: its threads end when they like */
};
CHECK_MAIN(tests)
