/* Names to addresses, never blocking: literals, localhost and overrides at once, then the cache,
 * then a service: the user's table, the platform's resolver on its helper thread, or the stub. */
#pragma once
#include "../memory/allocator.h"
#include "poller.h"

typedef struct tbh_resolver tbh_resolver;
typedef struct tbh_name_service tbh_name_service;

/* The longest host name (RFC 1035 §2.3.4), with its terminator. */
enum { TBH_NAME_BYTES = 256 };

/* One name on its way; embedded in its owner, zero when unused. */
typedef struct tbh_lookup {
    tbh_resolver *resolver;
    const tbh_name_service *service; /* set while something is pending */
    void *job;                       /* the service's own state */
    char name[TBH_NAME_BYTES];       /* lower case, without a trailing dot */
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    uint32_t count;
    uint32_t ttl_s;    /* given by the service; 0: not known */
    uint64_t asked_us; /* when a resolver of the user's was asked last */
    bool is_partial;   /* there may be more: see tbh_lookup_join */
    bool is_absolute;  /* the name had a trailing dot: no search list */
} tbh_lookup;

/* What can find addresses. Functions get a lookup whose `name` is set. */
struct tbh_name_service {
    /* OK (addresses and ttl_s are filled in), PENDING (job is set), or an error. */
    turbohttp_status (*start)(tbh_lookup *lookup, uint64_t now_us, turbohttp_error *error);
    /* As start; after OK or an error the job is gone, unless OK came with is_partial: then it goes
     * on, and its last step adds to the addresses. */
    turbohttp_status (*step)(tbh_lookup *lookup, uint64_t now_us, turbohttp_error *error);
    uint64_t (*deadline)(const tbh_lookup *lookup);
    void (*cancel)(tbh_lookup *lookup); /* the job is gone afterwards */
};

/* A resolver of the user's cannot say when it is ready: it is asked so often. */
#define TBH_ASK_AGAIN_US 10000u

/* A few answers are kept: enough for a client's handful of servers. */
enum { TBH_CACHE_NAMES = 8 };
#define TBH_CACHE_LEAST_S   1u /* bounds of the time to live (SPEC D2) */
#define TBH_CACHE_MOST_S    300u
#define TBH_CACHE_DEFAULT_S 30u /* when the service does not say */

typedef struct tbh_cached_name {
    char name[TBH_NAME_BYTES];
    turbohttp_address addresses[TURBOHTTP_MAX_ADDRESSES];
    uint32_t count;
    bool is_absolute;
    uint64_t until_us;
} tbh_cached_name;

struct tbh_resolver {
    const turbohttp_allocator *allocator;
    tbh_poller *poller;      /* for sockets of the stub; watches with owner NULL */
    const tbh_os_wake *wake; /* signalled from the helper thread */
    const turbohttp_client_desc *desc;
    const tbh_name_service *service; /* NULL: nothing but literals and overrides */
    void *platform;                  /* state of resolver_platform.c */
    uint32_t next_cached;            /* the slot to reuse */
    tbh_cached_name cache[TBH_CACHE_NAMES];
};

#if TBH_SOCKETS
/* The resolver keeps pointers to all of these. */
TBH_FN turbohttp_status tbh_resolver_create(tbh_resolver **resolver,
                                            const turbohttp_allocator *allocator,
                                            tbh_poller *poller, const tbh_os_wake *wake,
                                            const turbohttp_client_desc *desc);
/* Late answers of the helper thread are dropped; does not wait for it. NULL is fine. */
TBH_FN void tbh_resolver_destroy(tbh_resolver *resolver);

/* In a child of fork: the helper threads are not there. Lookups under way must be abandoned. */
TBH_FN void tbh_resolver_disown(tbh_resolver *resolver);

/* Starts: OK with the addresses filled in, PENDING, or an error with its sentence. */
TBH_FN turbohttp_status tbh_lookup_begin(tbh_lookup *lookup, tbh_resolver *resolver,
                                         const char *host, uint16_t port, uint64_t now_us,
                                         turbohttp_error *error);
/* Goes on: as above. Must be called when a socket of it is ready, after a wake, and at its
 * deadline; it is cheap to call more often. */
TBH_FN turbohttp_status tbh_lookup_step(tbh_lookup *lookup, uint64_t now_us,
                                        turbohttp_error *error);
/* Half an answer is OK with is_partial: the rest is taken with this one, which must be called like
 * step. True when there are more addresses now, behind the others. */
TBH_FN bool tbh_lookup_join(tbh_lookup *lookup, uint64_t now_us);
/* When step must be called at the latest; UINT64_MAX: only after an event. */
TBH_FN uint64_t tbh_lookup_deadline(const tbh_lookup *lookup);
/* Gives up a pending lookup; harmless on any other. */
TBH_FN void tbh_lookup_abandon(tbh_lookup *lookup);

#endif

#if TBH_THREADS /* resolver_platform.c: getaddrinfo on helper threads */
TBH_FN turbohttp_status tbh_platform_create(tbh_resolver *resolver);
TBH_FN void tbh_platform_destroy(tbh_resolver *resolver);
TBH_FN void tbh_platform_disown(tbh_resolver *resolver);
#endif

#if TBH_SOCKETS && TBH_DNS_STUB /* resolver_stub.c: UDP and TCP, resolv.conf and hosts */
TBH_FN turbohttp_status tbh_stub_create(tbh_resolver *resolver); /* its state is in the jobs */
#endif
