/* Readiness of many sockets: a set that is kept, not rebuilt (DESIGN §3). */
#pragma once
#include "../memory/allocator.h"
#include "os.h"

enum { TBH_WANT_RECEIVE = 1, TBH_WANT_SEND = 2 };

/* Who is interested in a socket; embedded in its owner. */
typedef struct tbh_watch {
    tbh_socket descriptor;
    void *owner;    /* what the client should look at when the socket is ready */
    uint32_t place; /* 1 + index in the poller's arrays; 0: not watched */
    uint8_t wants;  /* TBH_WANT_… */
    uint8_t ready;  /* TBH_WANT_… seen by the last wait */
} tbh_watch;

typedef struct tbh_poller {
    const turbohttp_allocator *allocator;
    void *entries;       /* the system's array */
    tbh_watch **watches; /* parallel to it */
    uint32_t count, capacity;
    uint32_t rotation; /* where the next round of readiness starts: nobody is always last */
} tbh_poller;

#if TBH_SOCKETS
TBH_FN void tbh_poller_init(tbh_poller *poller, const turbohttp_allocator *allocator);
TBH_FN void tbh_poller_fini(tbh_poller *poller);
TBH_FN turbohttp_status tbh_poller_add(tbh_poller *poller, tbh_watch *watch, tbh_socket s,
                                       uint8_t wants, void *owner);
TBH_FN void tbh_poller_change(tbh_poller *poller, tbh_watch *watch, uint8_t wants);
TBH_FN void tbh_poller_remove(tbh_poller *poller, tbh_watch *watch);
/* Waits up to timeout_ms (TURBOHTTP_NO_TIMEOUT: for ever) and sets `ready` of every watch. */
TBH_FN uint32_t tbh_poller_wait(tbh_poller *poller, uint32_t timeout_ms);
/* The next ready watch of the last wait, NULL at the end; *cursor starts at 0. Watches may be
 * added and removed between calls: one that moves is then seen by the next wait. */
TBH_FN tbh_watch *tbh_poller_next(tbh_poller *poller, uint32_t *cursor);
#endif
