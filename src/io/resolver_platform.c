/* The platform's resolver: getaddrinfo, which cannot be made non-blocking, on helper threads that
 * are started lazily: one, and more (at most TBH_HELPERS) only while all are stuck in a look-up.
 * Owns the shared state, counted: the client's share and one per thread. Invariants: the client
 * never waits for a thread; an answer that nobody waits for any more is dropped; the wake-up pipe
 * is touched only while the client is there (both under the lock).
 * Memory comes from malloc: a thread may outlive the client and its allocator. */
#include "resolver.h"
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#ifndef AI_NUMERICHOST
#error "TurboHTTP needs POSIX, hidden here by -std=c99: define _GNU_SOURCE before the first include"
#endif

enum { TBH_HELPERS = 4, TBH_HELPER_STACK = 256 * 1024 };

typedef struct tbh_platform_job {
    struct tbh_platform_job *next; /* in the queue */
    bool is_done, is_abandoned;
    int failure; /* EAI_… */
    uint32_t count;
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    char name[TBH_NAME_BYTES];
} tbh_platform_job;

typedef struct tbh_platform {
    pthread_mutex_t lock;
    pthread_cond_t has_job;
    tbh_platform_job *first, *last;
    uint32_t owners, threads, idle;
    tbh_os_wake wake; /* a copy; valid until is_closed */
    bool is_closed;
} tbh_platform;

/* ------------------------------------------------------------ shared state */
/* Called with the lock held; gives it up. */
static void tbh_platform_drop(tbh_platform *p) {
    bool is_last = --p->owners == 0;
    pthread_mutex_unlock(&p->lock);
    if (!is_last) return;
    pthread_cond_destroy(&p->has_job);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static tbh_platform_job *tbh_platform_next_job(tbh_platform *p) {
    while (!p->first && !p->is_closed) {
        p->idle++;
        pthread_cond_wait(&p->has_job, &p->lock);
        p->idle--;
    }
    tbh_platform_job *job = p->is_closed ? NULL : p->first;
    if (!job) return NULL;
    p->first = job->next;
    if (!p->first) p->last = NULL;
    return job;
}

/* ------------------------------------------------------------ the blocking part */
static bool tbh_platform_convert(const struct sockaddr *from, turbohttp_address *to) {
    memset(to, 0, sizeof *to);
    if (from->sa_family == AF_INET) {
        to->family = 4;
        memcpy(to->bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
        to->family = 6;
        memcpy(to->bytes, &v6->sin6_addr, 16);
        to->scope = v6->sin6_scope_id;
    }
    return to->family != 0;
}

static void tbh_platform_look_up(tbh_platform_job *job) {
    struct addrinfo hints, *list = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    job->failure = getaddrinfo(job->name, NULL, &hints, &list);
    if (job->failure) return;
    for (struct addrinfo *i = list; i && job->count < TURBOHTTP_MAX_ADDRESSES; i = i->ai_next)
        if (tbh_platform_convert(i->ai_addr, &job->addresses[job->count])) job->count++;
    freeaddrinfo(list);
}

static void *tbh_platform_thread(void *argument) {
    tbh_platform *p = (tbh_platform *)argument;
    tbh_platform_job *job;
    pthread_mutex_lock(&p->lock);
    while ((job = tbh_platform_next_job(p)) != NULL) {
        pthread_mutex_unlock(&p->lock);
        tbh_platform_look_up(job);
        pthread_mutex_lock(&p->lock);
        job->is_done = true;
        if (job->is_abandoned) free(job);
        else if (!p->is_closed) tbh_os_wake_signal(&p->wake);
    }
    p->threads--;
    tbh_platform_drop(p);
    return NULL;
}

/* Signals stay with the threads of the program. Called with the lock held. */
static bool tbh_platform_start_thread(tbh_platform *p) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, TBH_HELPER_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, &attributes, tbh_platform_thread, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!is_started) return false;
    p->threads++;
    p->owners++;
    return true;
}

/* ------------------------------------------------------------ the service */
static bool tbh_platform_enqueue(tbh_platform *p, tbh_platform_job *job) {
    pthread_mutex_lock(&p->lock);
    bool has_helper = p->idle > 0 || p->threads == TBH_HELPERS || tbh_platform_start_thread(p);
    has_helper = has_helper || p->threads > 0;
    if (has_helper) {
        if (p->last) p->last->next = job;
        else p->first = job;
        p->last = job;
        pthread_cond_signal(&p->has_job);
    }
    pthread_mutex_unlock(&p->lock);
    return has_helper;
}

static turbohttp_status tbh_platform_start(tbh_lookup *lookup, uint64_t now_us,
                                           turbohttp_error *error) {
    tbh_platform *p = (tbh_platform *)lookup->resolver->platform;
    tbh_platform_job *job = (tbh_platform_job *)calloc(1, sizeof *job);
    (void)now_us;
    if (!job) return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_RESOLVE);
    memcpy(job->name, lookup->name, sizeof job->name);
    if (!tbh_platform_enqueue(p, job)) {
        free(job);
        tbh_error_set(error, TURBOHTTP_ERR_RESOLVE_TEMPORARY, TURBOHTTP_PHASE_RESOLVE);
        tbh_error_text(error, "cannot start the resolver's thread: allow one, or use the stub");
        return TURBOHTTP_ERR_RESOLVE_TEMPORARY;
    }
    lookup->job = job;
    return TURBOHTTP_PENDING;
}

static turbohttp_status tbh_platform_fail(int failure, turbohttp_error *error) {
    bool is_temporary = failure == EAI_AGAIN || failure == EAI_SYSTEM || failure == EAI_MEMORY;
    turbohttp_status status =
        is_temporary ? TURBOHTTP_ERR_RESOLVE_TEMPORARY : TURBOHTTP_ERR_RESOLVE;
    tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE);
    if (error) error->system_code = failure;
    return status;
}

static turbohttp_status tbh_platform_step(tbh_lookup *lookup, uint64_t now_us,
                                          turbohttp_error *error) {
    tbh_platform *p = (tbh_platform *)lookup->resolver->platform;
    tbh_platform_job *job = (tbh_platform_job *)lookup->job;
    (void)now_us;
    pthread_mutex_lock(&p->lock);
    bool is_done = job->is_done;
    pthread_mutex_unlock(&p->lock);
    if (!is_done) return TURBOHTTP_PENDING;
    int failure = job->failure;
    lookup->count = job->count;
    memcpy(lookup->addresses, job->addresses, sizeof lookup->addresses);
    free(job);
    if (!failure && lookup->count > 0) return TURBOHTTP_OK;
    return tbh_platform_fail(failure ? failure : EAI_NONAME, error);
}

static uint64_t tbh_platform_deadline(const tbh_lookup *lookup) {
    (void)lookup;
    return UINT64_MAX; /* the helper wakes us */
}

static bool tbh_platform_unqueue(tbh_platform *p, tbh_platform_job *job) {
    tbh_platform_job *before = NULL;
    for (tbh_platform_job *at = p->first; at; before = at, at = at->next) {
        if (at != job) continue;
        if (before) before->next = at->next;
        else p->first = at->next;
        if (p->last == at) p->last = before;
        return true;
    }
    return false;
}

static void tbh_platform_cancel(tbh_lookup *lookup) {
    tbh_platform *p = (tbh_platform *)lookup->resolver->platform;
    tbh_platform_job *job = (tbh_platform_job *)lookup->job;
    pthread_mutex_lock(&p->lock);
    bool is_ours = job->is_done || tbh_platform_unqueue(p, job);
    job->is_abandoned = true; /* a thread that works on it frees it */
    pthread_mutex_unlock(&p->lock);
    if (is_ours) free(job);
}

static const tbh_name_service tbh_platform_service = {tbh_platform_start, tbh_platform_step,
                                                      tbh_platform_deadline, tbh_platform_cancel};

/* A thread that held the lock is not here to give it up: it is made anew. What the threads had in
 * hand is lost to the child. */
TBH_FN void tbh_platform_disown(tbh_resolver *resolver) {
    tbh_platform *p = (tbh_platform *)resolver->platform;
    if (!p) return;
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->has_job, NULL);
    p->owners = 1;
    p->wake = *resolver->wake;
}

TBH_FN turbohttp_status tbh_platform_create(tbh_resolver *resolver) {
    tbh_platform *p = (tbh_platform *)calloc(1, sizeof *p);
    if (!p) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    resolver->platform = p;
    tbh_platform_disown(resolver); /* as good as new */
    resolver->service = &tbh_platform_service;
    return TURBOHTTP_OK;
}

/* Every lookup was abandoned before; threads that are stuck free their job and the rest later. */
TBH_FN void tbh_platform_destroy(tbh_resolver *resolver) {
    tbh_platform *p = (tbh_platform *)resolver->platform;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->is_closed = true;
    pthread_cond_broadcast(&p->has_job);
    tbh_platform_drop(p);
    resolver->platform = NULL;
}
