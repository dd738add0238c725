/* Readiness by epoll(7), Linux: the cost of a wait grows with what is ready, not with what is open.
 * Owns the system's set; its entries are the events of the last wait, room for every watch.
 * Invariants: the system is told only when more is wanted than it knows (`armed`); what it reports
 * and nobody wants any more is corrected at that moment, so a watch that goes back and forth between
 * two wants costs no call; an event whose watch was removed points nowhere.
 * Does not know: what the sockets are for. */
#include "poller.h"
#if TBH_EPOLL
#include <sys/epoll.h>

static struct epoll_event *tbh_epoll_events(const tbh_poller *poller) {
    return (struct epoll_event *)poller->entries;
}

/* Level-triggered. A hang-up is reported even to those who want nothing: once, for them. */
static bool tbh_epoll_tell(tbh_poller *poller, tbh_watch *watch, int operation) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    if (watch->wants & TBH_WANT_RECEIVE) event.events |= EPOLLIN;
    if (watch->wants & TBH_WANT_SEND) event.events |= EPOLLOUT;
    if (!watch->wants) event.events = EPOLLONESHOT;
    event.data.ptr = watch;
    watch->armed = watch->wants;
    return epoll_ctl((int)poller->set, operation, (int)watch->descriptor, &event) == 0;
}

static turbohttp_status tbh_epoll_add(tbh_poller *poller, tbh_watch *watch) {
    /* Fails when the kernel has no memory, or fs.epoll.max_user_watches are in use. */
    return tbh_epoll_tell(poller, watch, EPOLL_CTL_ADD) ? TURBOHTTP_OK : TURBOHTTP_ERR_DESCRIPTORS;
}

static void tbh_epoll_change(tbh_poller *poller, tbh_watch *watch) {
    if (watch->wants & ~watch->armed) tbh_epoll_tell(poller, watch, EPOLL_CTL_MOD);
}

static void tbh_epoll_remove(tbh_poller *poller, tbh_watch *watch) {
    struct epoll_event unused;
    memset(&unused, 0, sizeof unused);
    epoll_ctl((int)poller->set, EPOLL_CTL_DEL, (int)watch->descriptor, &unused);
    if (watch->event) tbh_epoll_events(poller)[watch->event - 1].data.ptr = NULL;
    watch->event = 0;
}

/* Errors and hang-ups make both directions ready: the next send or receive tells what it was. */
static uint8_t tbh_epoll_readiness(uint32_t events) {
    uint32_t failed = events & (EPOLLERR | EPOLLHUP);
    return (uint8_t)((events & EPOLLIN || failed ? TBH_WANT_RECEIVE : 0) |
                     (events & EPOLLOUT || failed ? TBH_WANT_SEND : 0));
}

static void tbh_epoll_forget_events(tbh_poller *poller) {
    const struct epoll_event *events = tbh_epoll_events(poller);
    for (uint32_t i = 0; i < poller->events; i++) {
        tbh_watch *watch = (tbh_watch *)events[i].data.ptr;
        if (watch) watch->ready = 0, watch->event = 0;
    }
    poller->events = 0;
}

/* False: nobody wants to hear of this one. */
static bool tbh_epoll_note(tbh_poller *poller, uint32_t i) {
    const struct epoll_event *event = &tbh_epoll_events(poller)[i];
    tbh_watch *watch = (tbh_watch *)event->data.ptr;
    uint8_t ready = tbh_epoll_readiness(event->events);
    watch->event = i + 1;
    if (ready & ~watch->wants && watch->armed != watch->wants)
        tbh_epoll_tell(poller, watch, EPOLL_CTL_MOD);
    watch->ready = ready & watch->wants ? ready : 0;
    return watch->ready != 0;
}

static uint32_t tbh_epoll_wait(tbh_poller *poller, uint32_t timeout_ms) {
    int timeout = timeout_ms > 0x7fffffffu ? -1 : (int)timeout_ms;
    uint32_t ready = 0;
    struct epoll_event none; /* an empty set: there is no room, and it must not be zero */
    struct epoll_event *room = poller->capacity ? tbh_epoll_events(poller) : &none;
    tbh_epoll_forget_events(poller);
    int found =
        epoll_wait((int)poller->set, room, (int)(poller->capacity + !poller->capacity), timeout);
    poller->events = found > 0 ? (uint32_t)found : 0;
    for (uint32_t i = 0; i < poller->events; i++) ready += tbh_epoll_note(poller, i);
    return ready;
}

/* The system reports those first that waited longest: nobody is always last. */
static tbh_watch *tbh_epoll_next(tbh_poller *poller, uint32_t *cursor) {
    const struct epoll_event *events = tbh_epoll_events(poller);
    while (*cursor < poller->events) {
        tbh_watch *watch = (tbh_watch *)events[(*cursor)++].data.ptr;
        if (watch && watch->ready) return watch;
    }
    return NULL;
}

static const tbh_poller_backend tbh_epoll_backend = {TURBOHTTP_IO_EPOLL, sizeof(struct epoll_event),
                                                     tbh_epoll_add,      tbh_epoll_change,
                                                     tbh_epoll_remove,   tbh_epoll_wait,
                                                     tbh_epoll_next};

TBH_FN bool tbh_poller_use_epoll(tbh_poller *poller) {
    poller->set = epoll_create1(EPOLL_CLOEXEC);
    if (poller->set == TBH_NO_SOCKET) return false;
    poller->backend = &tbh_epoll_backend;
    return true;
}
#endif
