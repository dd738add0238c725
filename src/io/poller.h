/* Readiness of many sockets: a set that is kept, not rebuilt (DESIGN §3). */
#pragma once
#include "../memory/allocator.h"
#include "os.h"

enum { TBH_WANT_RECEIVE = 1, TBH_WANT_SEND = 2 };

/* From here on epoll pays for its descriptor and for the calls that enter and leave its set: with
 * a handful of sockets poll(2) is as fast, with 16 it takes 1.15 times as long per request. */
#ifndef TBH_EPOLL_FROM
#define TBH_EPOLL_FROM 16u
#endif

/* Who is interested in a socket; embedded in its owner. */
typedef struct tbh_watch {
    tbh_socket descriptor;
    void *owner;    /* what the client should look at when the socket is ready */
    uint32_t place; /* 1 + index in the poller's arrays; 0: not watched */
    uint32_t event; /* epoll: 1 + index in what the last wait reported; 0: not in it */
    uint8_t wants;  /* TBH_WANT_… */
    uint8_t ready;  /* TBH_WANT_… seen by the last wait */
    uint8_t armed;  /* epoll: TBH_WANT_… that the system was told */
} tbh_watch;

typedef struct tbh_poller tbh_poller;

/* A way to wait. `entries` has entry_bytes for each place of the set. */
typedef struct tbh_poller_backend {
    turbohttp_io io;
    size_t entry_bytes;
    /* The watch has its place, descriptor and wants. */
    turbohttp_status (*add)(tbh_poller *poller, tbh_watch *watch);
    void (*change)(tbh_poller *poller, tbh_watch *watch);
    /* Before the last watch takes the place of this one. */
    void (*remove)(tbh_poller *poller, tbh_watch *watch);
    uint32_t (*wait)(tbh_poller *poller, uint32_t timeout_ms);
    tbh_watch *(*next)(tbh_poller *poller, uint32_t *cursor);
} tbh_poller_backend;

struct tbh_poller {
    const turbohttp_allocator *allocator;
    const tbh_poller_backend *backend;
    void *entries;       /* the backend's array */
    tbh_watch **watches; /* parallel to it */
    uint32_t count, capacity;
    uint32_t rotation; /* poll: where the next round starts, so that nobody is always last */
    uint32_t events;   /* epoll: reported by the last wait */
    tbh_socket set;    /* epoll: the system's set */
    bool may_move;     /* poll, until TBH_EPOLL_FROM sockets are watched */
};

#if TBH_SOCKETS
/* What cannot be had is replaced by poll: see poller->backend->io. */
TBH_FN void tbh_poller_init(tbh_poller *poller, const turbohttp_allocator *allocator,
                            turbohttp_io wanted);
TBH_FN void tbh_poller_fini(tbh_poller *poller);
TBH_FN turbohttp_status tbh_poller_add(tbh_poller *poller, tbh_watch *watch, tbh_socket s,
                                       uint8_t wants, void *owner);
TBH_FN void tbh_poller_change(tbh_poller *poller, tbh_watch *watch, uint8_t wants);
/* The socket must still be open. */
TBH_FN void tbh_poller_remove(tbh_poller *poller, tbh_watch *watch);
/* In a child of fork the system's set is the parent's too: what is changed and removed from now on
 * does not reach it. Nothing is reported any more; tbh_poller_fini must follow. */
TBH_FN void tbh_poller_disown(tbh_poller *poller);
/* Waits up to timeout_ms (TURBOHTTP_NO_TIMEOUT: for ever) and sets `ready` of every watch. */
TBH_FN uint32_t tbh_poller_wait(tbh_poller *poller, uint32_t timeout_ms);
/* The next ready watch of the last wait, NULL at the end; *cursor starts at 0. Watches may be
 * added and removed between calls: one that moves is then seen by the next wait. */
TBH_FN tbh_watch *tbh_poller_next(tbh_poller *poller, uint32_t *cursor);

/* poller_poll.c, poller_epoll.c */
TBH_FN void tbh_poller_use_poll(tbh_poller *poller);
#endif

#if TBH_EPOLL
/* False: no descriptor left for the set, or not allowed to have one. */
TBH_FN bool tbh_poller_use_epoll(tbh_poller *poller);
#endif
