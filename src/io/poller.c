/* The set of watches, whatever the system's way to wait for them is.
 * Owns two parallel arrays that grow by doubling; a removed entry is replaced by the last one.
 * Invariant: watches[i]->place == i + 1. Does not know: what the sockets are for, how the backend
 * waits. */
#include "poller.h"

TBH_FN void tbh_poller_init(tbh_poller *poller, const turbohttp_allocator *allocator,
                            turbohttp_io wanted) {
    memset(poller, 0, sizeof *poller);
    poller->allocator = allocator;
    poller->set = TBH_NO_SOCKET;
#if TBH_EPOLL
    if (wanted == TURBOHTTP_IO_EPOLL && tbh_poller_use_epoll(poller)) return;
#endif
    poller->may_move = wanted == TURBOHTTP_IO_DEFAULT;
    tbh_poller_use_poll(poller);
}

#if TBH_EPOLL
/* Watches as epoll would; false: it cannot, and nothing is kept. */
static bool tbh_poller_copy_to_epoll(const tbh_poller *poller, tbh_poller *copy) {
    *copy = *poller;
    if (!tbh_poller_use_epoll(copy)) return false;
    size_t bytes = poller->capacity * copy->backend->entry_bytes;
    copy->entries = tbh_allocate(poller->allocator, bytes);
    bool is_good = copy->entries != NULL;
    if (is_good) memset(copy->entries, 0, bytes);
    for (uint32_t i = 0; i < poller->count && is_good; i++)
        is_good = copy->backend->add(copy, poller->watches[i]) == TURBOHTTP_OK;
    if (is_good) return true;
    if (copy->entries) tbh_release(poller->allocator, copy->entries, bytes);
    tbh_os_socket_shut(copy->set);
    return false;
}

/* Takes the whole set along, once; where that fails, poll goes on. */
static void tbh_poller_move_to_epoll(tbh_poller *poller) {
    tbh_poller moved;
    poller->may_move = false;
    if (!tbh_poller_copy_to_epoll(poller, &moved)) return;
    tbh_release(poller->allocator, poller->entries,
                poller->capacity * poller->backend->entry_bytes);
    *poller = moved;
    for (uint32_t i = 0; i < poller->count; i++) poller->watches[i]->ready = 0; /* told again */
}
#endif

static void tbh_poller_release(tbh_poller *poller) {
    size_t n = poller->capacity;
    if (!n) return;
    tbh_release(poller->allocator, poller->entries, n * poller->backend->entry_bytes);
    tbh_release(poller->allocator, poller->watches, n * sizeof(tbh_watch *));
}

TBH_FN void tbh_poller_fini(tbh_poller *poller) {
    if (!poller->backend) return; /* never begun */
    tbh_poller_release(poller);
    tbh_os_socket_shut(poller->set);
    memset(poller, 0, sizeof *poller);
}

static turbohttp_status tbh_poller_grow(tbh_poller *poller) {
    size_t old = poller->capacity, capacity = old ? old * 2 : 16;
    size_t entry_bytes = poller->backend->entry_bytes;
    tbh_poller bigger = *poller;
    bigger.capacity = (uint32_t)capacity;
    bigger.entries = tbh_allocate(poller->allocator, capacity * entry_bytes);
    if (!bigger.entries) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    bigger.watches = (tbh_watch **)tbh_allocate(poller->allocator, capacity * sizeof(tbh_watch *));
    if (!bigger.watches) {
        tbh_release(poller->allocator, bigger.entries, capacity * entry_bytes);
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    memset(bigger.entries, 0, capacity * entry_bytes);
    if (old) memcpy(bigger.entries, poller->entries, old * entry_bytes);
    if (old) memcpy(bigger.watches, poller->watches, poller->count * sizeof(tbh_watch *));
    tbh_poller_release(poller);
    *poller = bigger;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_poller_add(tbh_poller *poller, tbh_watch *watch, tbh_socket s,
                                       uint8_t wants, void *owner) {
#if TBH_EPOLL
    if (poller->may_move && poller->count >= TBH_EPOLL_FROM) tbh_poller_move_to_epoll(poller);
#endif
    if (poller->count == poller->capacity) {
        turbohttp_status grown = tbh_poller_grow(poller);
        if (grown != TURBOHTTP_OK) return grown;
    }
    memset(watch, 0, sizeof *watch);
    watch->descriptor = s;
    watch->owner = owner;
    watch->wants = wants;
    watch->place = poller->count + 1;
    turbohttp_status status = poller->backend->add(poller, watch);
    if (status == TURBOHTTP_OK) poller->watches[poller->count++] = watch;
    else watch->place = 0;
    return status;
}

TBH_FN void tbh_poller_change(tbh_poller *poller, tbh_watch *watch, uint8_t wants) {
    if (watch->wants == wants || !watch->place) return;
    watch->wants = wants;
    poller->backend->change(poller, watch);
}

TBH_FN void tbh_poller_remove(tbh_poller *poller, tbh_watch *watch) {
    if (!watch->place) return;
    poller->backend->remove(poller, watch);
    uint32_t hole = watch->place - 1, last = --poller->count;
    poller->watches[hole] = poller->watches[last];
    poller->watches[hole]->place = hole + 1;
    watch->place = 0;
    watch->ready = 0;
}

TBH_FN void tbh_poller_disown(tbh_poller *poller) {
    tbh_os_socket_shut(poller->set);
    poller->set = TBH_NO_SOCKET;
}

TBH_FN uint32_t tbh_poller_wait(tbh_poller *poller, uint32_t timeout_ms) {
    return poller->backend->wait(poller, timeout_ms);
}

TBH_FN tbh_watch *tbh_poller_next(tbh_poller *poller, uint32_t *cursor) {
    return poller->backend->next(poller, cursor);
}
