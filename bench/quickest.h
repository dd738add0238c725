/* Times of our work and of a peer's, in one process: of many short rounds in rotating order the quickest of
 * each counts. A busy neighbour slows dense code more than sparse code, and makes nothing quicker. */
#ifndef BENCH_QUICKEST_H
#define BENCH_QUICKEST_H
#include <time.h>

enum { QUICKEST_ROUNDS = 60 };

typedef void (*quickest_work)(const void *of);

typedef struct quickest {
    double ours, peer; /* ns of CPU for each time */
} quickest;

static double quickest_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void quickest_round(quickest_work work, const void *of, int times, double *least) {
    double start = quickest_seconds();
    for (int i = 0; i < times; i++) work(of);
    double ns = (quickest_seconds() - start) / times * 1e9;
    if (ns < *least) *least = ns;
}

/* `times`: how often each is done in a round. */
static quickest quickest_of(quickest_work ours, quickest_work peer, const void *of, int times) {
    quickest q = {1e18, 1e18};
    for (int i = 0; i < QUICKEST_ROUNDS; i++) {
        if (i & 1) quickest_round(ours, of, times, &q.ours);
        quickest_round(peer, of, times, &q.peer);
        if (!(i & 1)) quickest_round(ours, of, times, &q.ours);
    }
    return q;
}
#endif
