/* Readiness by poll(2): works with any number of descriptors (S-83), everywhere.
 * Owns two parallel arrays that grow by doubling; a removed entry is replaced by the last one.
 * Invariant: watches[i]->place == i + 1. Does not know what the sockets are for. */
#include "poller.h"
#include <poll.h>

TBH_FN void tbh_poller_init(tbh_poller *poller, const turbohttp_allocator *allocator) {
    memset(poller, 0, sizeof *poller);
    poller->allocator = allocator;
}

static struct pollfd *tbh_poller_entries(const tbh_poller *poller) {
    return (struct pollfd *)poller->entries;
}

TBH_FN void tbh_poller_fini(tbh_poller *poller) {
    size_t n = poller->capacity;
    if (poller->entries) tbh_release(poller->allocator, poller->entries, n * sizeof(struct pollfd));
    if (poller->watches) tbh_release(poller->allocator, poller->watches, n * sizeof(tbh_watch *));
    memset(poller, 0, sizeof *poller);
}

static turbohttp_status tbh_poller_grow(tbh_poller *poller) {
    size_t capacity = poller->capacity ? (size_t)poller->capacity * 2 : 16;
    tbh_poller bigger = *poller;
    bigger.capacity = (uint32_t)capacity;
    bigger.entries = tbh_allocate(poller->allocator, capacity * sizeof(struct pollfd));
    if (!bigger.entries) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    bigger.watches = (tbh_watch **)tbh_allocate(poller->allocator, capacity * sizeof(tbh_watch *));
    if (!bigger.watches) {
        tbh_release(poller->allocator, bigger.entries, capacity * sizeof(struct pollfd));
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    if (poller->count) {
        memcpy(bigger.entries, poller->entries, poller->count * sizeof(struct pollfd));
        memcpy(bigger.watches, poller->watches, poller->count * sizeof(tbh_watch *));
    }
    tbh_poller_fini(poller);
    *poller = bigger;
    return TURBOHTTP_OK;
}

static short tbh_poller_events(uint8_t wants) {
    int events = (wants & TBH_WANT_RECEIVE ? POLLIN : 0) | (wants & TBH_WANT_SEND ? POLLOUT : 0);
    return (short)events;
}

/* A hang-up is reported even to those who want nothing: poll(2) skips negative descriptors, so a
 * paused body whose peer is gone does not keep the loop awake. */
static int tbh_poller_descriptor(tbh_socket s, uint8_t wants) {
    return wants ? (int)s : -1;
}

TBH_FN turbohttp_status tbh_poller_add(tbh_poller *poller, tbh_watch *watch, tbh_socket s,
                                       uint8_t wants, void *owner) {
    if (poller->count == poller->capacity) {
        turbohttp_status grown = tbh_poller_grow(poller);
        if (grown != TURBOHTTP_OK) return grown;
    }
    struct pollfd *entry = &tbh_poller_entries(poller)[poller->count];
    entry->fd = tbh_poller_descriptor(s, wants);
    entry->events = tbh_poller_events(wants);
    entry->revents = 0;
    poller->watches[poller->count++] = watch;
    watch->descriptor = s;
    watch->owner = owner;
    watch->place = poller->count;
    watch->wants = wants;
    watch->ready = 0;
    return TURBOHTTP_OK;
}

TBH_FN void tbh_poller_change(tbh_poller *poller, tbh_watch *watch, uint8_t wants) {
    if (watch->wants == wants || !watch->place) return;
    watch->wants = wants;
    struct pollfd *entry = &tbh_poller_entries(poller)[watch->place - 1];
    entry->fd = tbh_poller_descriptor(watch->descriptor, wants);
    entry->events = tbh_poller_events(wants);
}

TBH_FN void tbh_poller_remove(tbh_poller *poller, tbh_watch *watch) {
    if (!watch->place) return;
    uint32_t hole = watch->place - 1, last = --poller->count;
    struct pollfd *entries = tbh_poller_entries(poller);
    entries[hole] = entries[last];
    poller->watches[hole] = poller->watches[last];
    poller->watches[hole]->place = hole + 1;
    watch->place = 0;
    watch->ready = 0;
}

/* Errors and hang-ups make both directions ready: the next send or receive tells what it was. */
static uint8_t tbh_poller_readiness(int revents) {
    int failed = revents & (POLLERR | POLLHUP | POLLNVAL);
    return (uint8_t)((revents & POLLIN || failed ? TBH_WANT_RECEIVE : 0) |
                     (revents & POLLOUT || failed ? TBH_WANT_SEND : 0));
}

TBH_FN uint32_t tbh_poller_wait(tbh_poller *poller, uint32_t timeout_ms) {
    struct pollfd *entries = tbh_poller_entries(poller);
    int timeout = timeout_ms > 0x7fffffffu ? -1 : (int)timeout_ms;
    int ready = poll(entries, poller->count, timeout);
    uint32_t left = ready > 0 ? (uint32_t)ready : 0;
    for (uint32_t i = 0; i < poller->count; i++) {
        int revents = left ? entries[i].revents : 0;
        poller->watches[i]->ready = revents ? tbh_poller_readiness(revents) : 0;
        if (revents) left--;
    }
    poller->rotation++;
    return ready > 0 ? (uint32_t)ready : 0;
}

TBH_FN tbh_watch *tbh_poller_next(tbh_poller *poller, uint32_t *cursor) {
    while (*cursor < poller->count) {
        uint32_t i = (poller->rotation + (*cursor)++) % poller->count;
        if (poller->watches[i]->ready) return poller->watches[i];
    }
    return NULL;
}
