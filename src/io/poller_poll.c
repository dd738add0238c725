/* Readiness by poll(2): works with any number of descriptors (S-83), everywhere.
 * Its entries are the array that poll(2) takes. Does not know what the sockets are for. */
#include "poller.h"
#include <poll.h>

static struct pollfd *tbh_poll_entries(const tbh_poller *poller) {
    return (struct pollfd *)poller->entries;
}

static short tbh_poll_events(uint8_t wants) {
    int events = (wants & TBH_WANT_RECEIVE ? POLLIN : 0) | (wants & TBH_WANT_SEND ? POLLOUT : 0);
    return (short)events;
}

/* A hang-up is reported even to those who want nothing: poll(2) skips negative descriptors, so a
 * paused body whose peer is gone does not keep the loop awake. */
static void tbh_poll_change(tbh_poller *poller, tbh_watch *watch) {
    struct pollfd *entry = &tbh_poll_entries(poller)[watch->place - 1];
    entry->fd = watch->wants ? (int)watch->descriptor : -1;
    entry->events = tbh_poll_events(watch->wants);
}

static turbohttp_status tbh_poll_add(tbh_poller *poller, tbh_watch *watch) {
    tbh_poll_entries(poller)[watch->place - 1].revents = 0;
    tbh_poll_change(poller, watch);
    return TURBOHTTP_OK;
}

static void tbh_poll_remove(tbh_poller *poller, tbh_watch *watch) {
    struct pollfd *entries = tbh_poll_entries(poller);
    entries[watch->place - 1] = entries[poller->count - 1];
}

/* Errors and hang-ups make both directions ready: the next send or receive tells what it was. */
static uint8_t tbh_poll_readiness(int revents) {
    int failed = revents & (POLLERR | POLLHUP | POLLNVAL);
    return (uint8_t)((revents & POLLIN || failed ? TBH_WANT_RECEIVE : 0) |
                     (revents & POLLOUT || failed ? TBH_WANT_SEND : 0));
}

static uint32_t tbh_poll_wait(tbh_poller *poller, uint32_t timeout_ms) {
    struct pollfd *entries = tbh_poll_entries(poller);
    int timeout = timeout_ms > 0x7fffffffu ? -1 : (int)timeout_ms;
    int ready = poll(entries, poller->count, timeout);
    uint32_t left = ready > 0 ? (uint32_t)ready : 0;
    for (uint32_t i = 0; i < poller->count; i++) {
        int revents = left ? entries[i].revents : 0;
        poller->watches[i]->ready = revents ? tbh_poll_readiness(revents) : 0;
        if (revents) left--;
    }
    poller->rotation++;
    return ready > 0 ? (uint32_t)ready : 0;
}

static tbh_watch *tbh_poll_next(tbh_poller *poller, uint32_t *cursor) {
    while (*cursor < poller->count) {
        uint32_t i = (poller->rotation + (*cursor)++) % poller->count;
        if (poller->watches[i]->ready) return poller->watches[i];
    }
    return NULL;
}

static const tbh_poller_backend tbh_poll_backend = {
    TURBOHTTP_IO_POLL, sizeof(struct pollfd), tbh_poll_add, tbh_poll_change,
    tbh_poll_remove,   tbh_poll_wait,         tbh_poll_next};

TBH_FN void tbh_poller_use_poll(tbh_poller *poller) {
    poller->backend = &tbh_poll_backend;
}
