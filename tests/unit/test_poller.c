/* The set of watches, in each of its modes: every test here runs with poll, with epoll, and with a
 * set that moves from one to the other when its third watch comes. */
#define TURBOHTTP_IMPLEMENTATION
#define TBH_EPOLL_FROM 2u
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include "system.h"

#ifdef __linux__
#define HAS_EPOLL 1
#else
#define HAS_EPOLL 0
#endif

enum { PAIRS = 100 };

typedef struct fixture {
    counting_allocator memory;
    turbohttp_allocator allocator;
    tbh_poller poller;
    tbh_watch watches[PAIRS];
    int peers[PAIRS]; /* the other ends */
    int count;
} fixture;

static void setup(fixture *f, turbohttp_io io) {
    memset(f, 0, sizeof *f);
    f->allocator = counting_allocator_hooks(&f->memory);
    tbh_poller_init(&f->poller, &f->allocator, io);
}

static tbh_watch *add(fixture *f, uint8_t wants) {
    int ends[2];
    tbh_watch *watch = &f->watches[f->count];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    CHECK_INT(tbh_poller_add(&f->poller, watch, ends[0], wants, f), TURBOHTTP_OK);
    f->peers[f->count++] = ends[1];
    return watch;
}

static void drop(fixture *f, tbh_watch *watch) {
    int s = (int)watch->descriptor;
    if (!watch->place) return;
    tbh_poller_remove(&f->poller, watch);
    memset(watch, 0xff, sizeof *watch); /* its owner may be gone: nobody looks here again */
    watch->place = 0;
    close(s);
}

static void hang_up(fixture *f, int i) {
    if (f->peers[i] >= 0) close(f->peers[i]);
    f->peers[i] = -1;
}

static void teardown(fixture *f) {
    for (int i = 0; i < f->count; i++) {
        drop(f, &f->watches[i]);
        hang_up(f, i);
    }
    CHECK_INT(f->poller.count, 0);
    tbh_poller_fini(&f->poller);
    CHECK(counting_allocator_balanced(&f->memory));
}

static void say(fixture *f, int i) {
    CHECK_INT(send(f->peers[i], "x", 1, MSG_NOSIGNAL), 1);
}

static void listen_to(fixture *f, int i) {
    char byte;
    CHECK_INT(recv((int)f->watches[i].descriptor, &byte, 1, 0), 1);
}

static uint32_t wait_now(fixture *f) {
    return tbh_poller_wait(&f->poller, 0);
}

/* How many watches `next` gives, with each of them ready. */
static int count_next(fixture *f) {
    uint32_t cursor = 0;
    int count = 0;
    tbh_watch *watch;
    while ((watch = tbh_poller_next(&f->poller, &cursor)) != NULL) {
        CHECK(watch->ready != 0);
        count++;
    }
    return count;
}

/* ------------------------------------------------------------ what each mode does */
static void readiness(fixture *f) {
    add(f, TBH_WANT_RECEIVE);
    add(f, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    add(f, TBH_WANT_RECEIVE);
    CHECK_INT(wait_now(f), 1); /* the second can be written to */
    CHECK_INT(f->watches[0].ready, 0);
    CHECK_INT(f->watches[1].ready, TBH_WANT_SEND);
    say(f, 0);
    say(f, 1);
    CHECK_INT(wait_now(f), 2);
    CHECK_INT(f->watches[0].ready, TBH_WANT_RECEIVE);
    CHECK_INT(f->watches[1].ready, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    CHECK_INT(count_next(f), 2);
    CHECK_INT(wait_now(f), 2); /* level: told until it is read */
    listen_to(f, 0);
    listen_to(f, 1);
    CHECK_INT(wait_now(f), 1);
    CHECK_INT(f->watches[0].ready, 0); /* not left over from before */
}

/* Interest that comes and goes: what is not wanted is not told, what is wanted again is. */
static void changes(fixture *f) {
    for (int i = 0; i < 3; i++) add(f, TBH_WANT_RECEIVE);
    tbh_watch *watch = &f->watches[2];
    say(f, 2);
    tbh_poller_change(&f->poller, watch, 0);
    CHECK_INT(wait_now(f), 0);
    CHECK_INT(count_next(f), 0);
    tbh_poller_change(&f->poller, watch, TBH_WANT_RECEIVE);
    CHECK_INT(wait_now(f), 1);
    tbh_poller_change(&f->poller, watch, TBH_WANT_SEND);
    CHECK_INT(wait_now(f), 1);
    CHECK(watch->ready & TBH_WANT_SEND);
    tbh_poller_change(&f->poller, watch, TBH_WANT_RECEIVE);
    listen_to(f, 2);
    CHECK_INT(wait_now(f), 0);
    CHECK_INT(wait_now(f), 0);
}

/* A paused body whose peer is gone must not keep the loop awake. */
static void hang_ups(fixture *f) {
    for (int i = 0; i < 3; i++) add(f, i == 1 ? 0 : TBH_WANT_RECEIVE);
    hang_up(f, 1);
    CHECK_INT(wait_now(f), 0);
    CHECK_INT(wait_now(f), 0);
    CHECK_INT(count_next(f), 0);
    tbh_poller_change(&f->poller, &f->watches[0], 0);
    hang_up(f, 0);
    for (int i = 0; i < 2; i++) CHECK_INT(wait_now(f), 0); /* the system may tell it once */
    uint64_t before = tbh_os_now_us(NULL);
    CHECK_INT(tbh_poller_wait(&f->poller, 30), 0);
    CHECK(tbh_os_now_us(NULL) - before >= 25000);
    tbh_poller_change(&f->poller, &f->watches[1], TBH_WANT_RECEIVE);
    CHECK_INT(wait_now(f), 1);
    CHECK(f->watches[1].ready & TBH_WANT_RECEIVE);
}

/* A watch that goes while the ready ones are gone through is not met again. */
static void removal_between(fixture *f) {
    uint32_t cursor = 0;
    for (int i = 0; i < 20; i++) add(f, TBH_WANT_RECEIVE);
    for (int i = 0; i < 20; i++) say(f, i);
    CHECK_INT(wait_now(f), 20);
    tbh_watch *first = tbh_poller_next(&f->poller, &cursor), *watch;
    for (int i = 0; i < 20; i++)
        if (&f->watches[i] != first && i % 2) drop(f, &f->watches[i]);
    drop(f, first);
    while ((watch = tbh_poller_next(&f->poller, &cursor)) != NULL) CHECK(watch->place != 0);
    CHECK_INT(wait_now(f), f->poller.count);
}

/* The arrays grow with events in them; each watch keeps its own. */
static void growth(fixture *f) {
    for (int i = 0; i < 10; i++) add(f, TBH_WANT_RECEIVE);
    for (int i = 0; i < 10; i++) say(f, i);
    CHECK_INT(wait_now(f), 10);
    while (f->count < PAIRS) add(f, TBH_WANT_RECEIVE);
    drop(f, &f->watches[3]);
    CHECK(wait_now(f) == 9);
    CHECK_INT(count_next(f), 9);
    for (int i = 10; i < PAIRS; i++) say(f, i);
    CHECK_INT(wait_now(f), PAIRS - 1);
    CHECK_INT(count_next(f), PAIRS - 1);
    for (int i = 0; i < PAIRS; i++) drop(f, &f->watches[i]);
    CHECK_INT(wait_now(f), 0);
}

/* No memory for one more watch: the others stay. */
static void out_of_memory(fixture *f) {
    tbh_watch extra;
    for (int i = 0; i < 16; i++) add(f, TBH_WANT_RECEIVE);
    say(f, 5);
    for (uint64_t n = 0; n < 2; n++) {
        memset(&extra, 0, sizeof extra);
        f->memory.fail_at = f->memory.requests + n + 1;
        CHECK_INT(tbh_poller_add(&f->poller, &extra, f->peers[0], TBH_WANT_RECEIVE, f),
                  TURBOHTTP_ERR_OUT_OF_MEMORY);
        CHECK_INT(extra.place, 0);
    }
    f->memory.fail_at = 0;
    CHECK_INT(wait_now(f), 1);
}

static void in_each_mode(void (*test)(fixture *f)) {
    static const turbohttp_io modes[] = {TURBOHTTP_IO_POLL, TURBOHTTP_IO_EPOLL, TURBOHTTP_IO_DEFAULT};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        static fixture f;
        setup(&f, modes[i]);
        test(&f);
        CHECK_INT(f.poller.backend->io, HAS_EPOLL && i ? TURBOHTTP_IO_EPOLL : TURBOHTTP_IO_POLL);
        teardown(&f);
    }
}

static void test_readiness(void) {
    in_each_mode(readiness);
}

static void test_changes(void) {
    in_each_mode(changes);
}

static void test_hang_ups(void) {
    in_each_mode(hang_ups);
}

static void test_removal_between(void) {
    in_each_mode(removal_between);
}

static void test_growth(void) {
    in_each_mode(growth);
}

static void test_out_of_memory(void) {
    in_each_mode(out_of_memory);
}

/* ------------------------------------------------------------ epoll alone */
#if HAS_EPOLL
/* Back and forth between "receive" and "nothing" costs no call as long as nothing comes. */
static void test_told_only_when_more_is_wanted(void) {
    static fixture f;
    setup(&f, TURBOHTTP_IO_EPOLL);
    tbh_watch *watch = add(&f, TBH_WANT_RECEIVE);
    tbh_poller_change(&f.poller, watch, 0);
    CHECK_INT(watch->armed, TBH_WANT_RECEIVE);
    tbh_poller_change(&f.poller, watch, TBH_WANT_RECEIVE);
    CHECK_INT(watch->armed, TBH_WANT_RECEIVE);
    tbh_poller_change(&f.poller, watch, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    CHECK_INT(watch->armed, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    tbh_poller_change(&f.poller, watch, TBH_WANT_RECEIVE);
    CHECK_INT(watch->armed, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    CHECK_INT(wait_now(&f), 0); /* it could be written to, and nobody wants that: corrected here */
    CHECK_INT(watch->armed, TBH_WANT_RECEIVE);
    teardown(&f);
}

/* No descriptor left for a set: poll serves. */
static void test_no_descriptor_left(void) {
    static fixture f;
    int before = count_descriptors();
    setup(&f, TURBOHTTP_IO_DEFAULT);
    for (int i = 0; i < 2; i++) add(&f, TBH_WANT_RECEIVE);
    int spare = dup(0);
    struct rlimit limit = allow_no_more_descriptors();
    f.count = 3;
    f.peers[2] = -1;
    CHECK_INT(tbh_poller_add(&f.poller, &f.watches[2], spare, TBH_WANT_RECEIVE, &f), TURBOHTTP_OK);
    CHECK_INT(f.poller.backend->io, TURBOHTTP_IO_POLL);
    tbh_poller other;
    tbh_poller_init(&other, &f.allocator, TURBOHTTP_IO_EPOLL);
    CHECK_INT(other.backend->io, TURBOHTTP_IO_POLL);
    tbh_poller_fini(&other);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    teardown(&f);
    CHECK_INT(count_descriptors(), before);
}

/* No memory for the set's events: poll serves, and is not asked to move again. */
static void test_no_memory_to_move(void) {
    static fixture f;
    setup(&f, TURBOHTTP_IO_DEFAULT);
    int before = count_descriptors();
    for (int i = 0; i < 2; i++) add(&f, TBH_WANT_RECEIVE);
    f.memory.fail_at = f.memory.requests + 1;
    add(&f, TBH_WANT_RECEIVE);
    f.memory.fail_at = 0;
    add(&f, TBH_WANT_RECEIVE);
    CHECK_INT(f.poller.backend->io, TURBOHTTP_IO_POLL);
    say(&f, 0);
    CHECK_INT(wait_now(&f), 1);
    CHECK_INT(count_descriptors(), before + 8);
    teardown(&f);
}

/* A client says which mode it is in. */
static void test_reported(void) {
    static const turbohttp_io modes[] = {TURBOHTTP_IO_DEFAULT, TURBOHTTP_IO_POLL, TURBOHTTP_IO_EPOLL};
    for (int i = 0; i < 3; i++) {
        turbohttp_client *client;
        turbohttp_client_desc desc;
        turbohttp_client_stats stats;
        turbohttp_watch watches[4];
        memset(&desc, 0, sizeof desc);
        desc.io = modes[i];
        CHECK_INT(turbohttp_client_create(&client, &desc), TURBOHTTP_OK);
        turbohttp_client_stats_get(client, &stats);
        CHECK_INT(stats.io, i == 2 ? TURBOHTTP_IO_EPOLL : TURBOHTTP_IO_POLL);
        CHECK_INT(turbohttp_watches(client, watches, 4, NULL), 1);
        CHECK(watches[0].wants_receive && !watches[0].wants_send);
        turbohttp_client_destroy(client);
    }
}
#endif

static const check_test tests[] = {
    CHECK_TEST(test_readiness),
    CHECK_TEST(test_changes),
    CHECK_TEST(test_hang_ups),
    CHECK_TEST(test_removal_between),
    CHECK_TEST(test_growth),
    CHECK_TEST(test_out_of_memory),
#if HAS_EPOLL
    CHECK_TEST(test_told_only_when_more_is_wanted),
    CHECK_TEST(test_no_descriptor_left),
    CHECK_TEST(test_no_memory_to_move),
    CHECK_TEST(test_reported),
#endif
};

CHECK_MAIN(tests)
