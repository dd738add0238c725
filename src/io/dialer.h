/* One connection attempt to a name: look-up, then Happy Eyeballs (RFC 8305) over its addresses. */
#pragma once
#include "../format/address.h"
#include "resolver.h"

/* RFC 8305 §5: the recommended delay before the next address is tried beside the first. */
#define TBH_DIAL_DELAY_US 250000u

typedef struct tbh_dial_attempt {
    tbh_watch watch; /* placed while the connect is under way */
    uint64_t started_us;
    int32_t system_code;
    bool failed;
    bool refused; /* by allow_address: no socket was opened */
} tbh_dial_attempt;

typedef struct tbh_dialer {
    tbh_poller *poller;
    void *owner;       /* of the watches */
    tbh_lookup lookup; /* its addresses are put in the order of the attempts */
    tbh_dial_attempt attempts[TURBOHTTP_MAX_ADDRESSES];
    uint32_t started; /* attempts begun so far */
    uint32_t winner;
    bool resolved;
    uint16_t port;
    uint64_t next_us; /* when the next address may be tried */
    uint64_t resolve_deadline_us;
    uint32_t connect_ms;
    turbohttp_phase phase;
    uint64_t resolved_at_us;
} tbh_dialer;

typedef struct tbh_dial_target {
    const char *host;
    uint16_t port;
    const char *unix_path; /* instead of both */
    uint32_t resolve_ms, connect_ms;
} tbh_dial_target;

#if TBH_SOCKETS
/* The dialer is zero. OK/PENDING/error as step. */
TBH_FN turbohttp_status tbh_dialer_begin(tbh_dialer *dialer, tbh_poller *poller,
                                         tbh_resolver *resolver, const tbh_dial_target *target,
                                         void *owner, uint64_t now_us, turbohttp_error *error);
/* OK: take the socket with tbh_dialer_take. PENDING: again at the deadline or on an event. */
TBH_FN turbohttp_status tbh_dialer_step(tbh_dialer *dialer, uint64_t now_us,
                                        turbohttp_error *error);
TBH_FN uint64_t tbh_dialer_deadline(const tbh_dialer *dialer);
/* The connected socket (no longer watched), and whom it leads to; all others are shut (S-75). */
TBH_FN tbh_socket tbh_dialer_take(tbh_dialer *dialer, turbohttp_address *address);
TBH_FN void tbh_dialer_abandon(tbh_dialer *dialer);
/* Appends "192.0.2.1: Connection refused; …" (SPEC D3). */
TBH_FN void tbh_dialer_report(const tbh_dialer *dialer, turbohttp_error *error);
#endif
