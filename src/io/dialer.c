/* Dialing: a name becomes one connected socket.
 * Owns the sockets of all attempts until one wins; then shuts the others.
 * Invariants: at most TURBOHTTP_MAX_ADDRESSES attempts, each address once; families alternate,
 * starting with the one that the resolver put first; an attempt that fails starts the next at once.
 * Does not know: requests, TLS, what is sent afterwards. */
#include "dialer.h"

/* ------------------------------------------------------------ order of the attempts */
/* RFC 8305 §4: alternate families, keeping the resolver's order inside each. Those before `from`
 * were tried already. */
static void tbh_dialer_interleave(tbh_lookup *lookup, uint32_t from, uint8_t first) {
    turbohttp_address ordered[TURBOHTTP_MAX_ADDRESSES];
    uint32_t next[2] = {from, from}, count = lookup->count;
    uint8_t family[2];
    family[0] = first;
    family[1] = first == 6 ? 4 : 6;
    for (uint32_t n = from, side = 0; n < count; side ^= 1) {
        uint32_t *i = &next[side];
        while (*i < count && lookup->addresses[*i].family != family[side]) ++*i;
        if (*i < count) ordered[n++] = lookup->addresses[(*i)++];
    }
    for (uint32_t n = from; n < count; n++) lookup->addresses[n] = ordered[n];
}

/* ------------------------------------------------------------ attempts */
static void tbh_dialer_drop(tbh_dialer *dialer, tbh_dial_attempt *attempt) {
    if (!attempt->watch.place) return;
    tbh_socket s = attempt->watch.descriptor;
    tbh_poller_remove(dialer->poller, &attempt->watch);
    tbh_os_socket_shut(s);
}

static void tbh_dialer_fail_attempt(tbh_dialer *dialer, tbh_dial_attempt *attempt, int32_t code,
                                    uint64_t now_us) {
    tbh_dialer_drop(dialer, attempt);
    attempt->failed = true;
    attempt->system_code = code;
    dialer->next_us = now_us;
}

/* S-72: the address itself is judged, after the look-up: no other one takes its place. */
static bool tbh_dialer_may_try(const tbh_dialer *dialer, const tbh_peer *peer) {
    if (peer->unix_path) return true; /* named by the caller, no look-up */
    const turbohttp_client_desc *desc = dialer->lookup.resolver->desc;
    return !desc->allow_address ||
           desc->allow_address(desc->allow_user, &peer->address, peer->port);
}

/* Starts one attempt; ERR_… only for failures that no other address can mend. */
static turbohttp_status tbh_dialer_try(tbh_dialer *dialer, const char *unix_path, uint64_t now_us) {
    tbh_dial_attempt *attempt = &dialer->attempts[dialer->started];
    tbh_peer peer;
    tbh_socket s;
    peer.address = dialer->lookup.addresses[dialer->started++];
    peer.port = dialer->port;
    peer.unix_path = unix_path;
    attempt->started_us = now_us;
    attempt->refused = !tbh_dialer_may_try(dialer, &peer);
    if (attempt->refused) {
        tbh_dialer_fail_attempt(dialer, attempt, 0, now_us);
        return TURBOHTTP_OK;
    }
    turbohttp_status status = tbh_os_stream_open(&peer, &s, &attempt->system_code);
    dialer->next_us = now_us + TBH_DIAL_DELAY_US;
    if (status < 0) {
        tbh_dialer_fail_attempt(dialer, attempt, attempt->system_code, now_us);
        return status == TURBOHTTP_ERR_DESCRIPTORS ? status : TURBOHTTP_OK;
    }
    status = tbh_poller_add(dialer->poller, &attempt->watch, s, TBH_WANT_SEND, dialer->owner);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

static bool tbh_dialer_check(tbh_dialer *dialer, uint32_t i, uint64_t now_us) {
    tbh_dial_attempt *attempt = &dialer->attempts[i];
    uint64_t limit_us = (uint64_t)dialer->connect_ms * 1000;
    if (!attempt->watch.place) return false;
    if (attempt->watch.ready) {
        int32_t code;
        attempt->watch.ready = 0;
        if (tbh_os_stream_ready(attempt->watch.descriptor, &code) == TURBOHTTP_OK) return true;
        tbh_dialer_fail_attempt(dialer, attempt, code, now_us);
    } else if (dialer->connect_ms != TURBOHTTP_NO_TIMEOUT &&
               now_us - attempt->started_us >= limit_us) {
        tbh_dialer_fail_attempt(dialer, attempt, 0, now_us);
    }
    return false;
}

static bool tbh_dialer_any_under_way(const tbh_dialer *dialer) {
    for (uint32_t i = 0; i < dialer->started; i++)
        if (dialer->attempts[i].watch.place) return true;
    return false;
}

/* What to call it when all attempts came to nothing. */
static turbohttp_status tbh_dialer_verdict(const tbh_dialer *dialer) {
    uint32_t refused = 0, late = 0, count = dialer->started;
    for (uint32_t i = 0; i < count; i++) {
        const tbh_dial_attempt *attempt = &dialer->attempts[i];
        refused += attempt->refused;
        late += !attempt->refused && attempt->system_code == 0;
    }
    if (count && refused == count) return TURBOHTTP_ERR_ADDRESS_REFUSED;
    return late && late + refused == count ? TURBOHTTP_ERR_TIMEOUT : TURBOHTTP_ERR_CONNECT;
}

static turbohttp_status tbh_dialer_fail(tbh_dialer *dialer, turbohttp_status code,
                                        turbohttp_error *error) {
    tbh_error_set(error, code, dialer->phase);
    if (code == TURBOHTTP_ERR_TIMEOUT)
        tbh_error_text(error, "timed out in phase connect: raise timeouts.connect_ms");
    if (error && dialer->started)
        error->system_code = dialer->attempts[dialer->started - 1].system_code;
    tbh_dialer_report(dialer, error);
    tbh_dialer_abandon(dialer);
    return code;
}

TBH_FN void tbh_dialer_report(const tbh_dialer *dialer, turbohttp_error *error) {
    char text[64];
    for (uint32_t i = 0; i < dialer->started; i++) {
        const tbh_dial_attempt *attempt = &dialer->attempts[i];
        if (!attempt->failed) continue;
        tbh_error_append(error, i ? "; " : " - ");
        if (dialer->lookup.addresses[i].family) {
            tbh_address_format(&dialer->lookup.addresses[i], text);
            tbh_error_append(error, text);
            tbh_error_append(error, " port ");
            tbh_error_append_u64(error, dialer->port);
            tbh_error_append(error, ": ");
        }
        if (attempt->system_code) tbh_os_describe(attempt->system_code, text, sizeof text);
        tbh_error_append(error, attempt->refused       ? "refused by allow_address"
                                : attempt->system_code ? text
                                                       : "no answer in time");
    }
}

/* ------------------------------------------------------------ driving */
static turbohttp_status tbh_dialer_resolved(tbh_dialer *dialer, uint64_t now_us) {
    tbh_dialer_interleave(&dialer->lookup, 0, dialer->lookup.addresses[0].family);
    dialer->resolved = true;
    dialer->resolved_at_us = now_us;
    dialer->phase = TURBOHTTP_PHASE_CONNECT;
    dialer->next_us = now_us;
    return TURBOHTTP_OK;
}

/* RFC 8305 §3: the other family's addresses join a dial under way, and are next. */
static void tbh_dialer_join(tbh_dialer *dialer, uint64_t now_us) {
    tbh_lookup *lookup = &dialer->lookup;
    if (!lookup->is_partial) return;
    if (tbh_lookup_join(lookup, now_us) && dialer->started) {
        uint8_t last = lookup->addresses[dialer->started - 1].family;
        tbh_dialer_interleave(lookup, dialer->started, last == 6 ? 4 : 6);
    }
    if (now_us >= dialer->resolve_deadline_us) tbh_lookup_abandon(lookup);
}

static turbohttp_status tbh_dialer_resolve(tbh_dialer *dialer, turbohttp_status status,
                                           uint64_t now_us, turbohttp_error *error) {
    if (status == TURBOHTTP_OK) return tbh_dialer_resolved(dialer, now_us);
    if (status == TURBOHTTP_PENDING && now_us >= dialer->resolve_deadline_us) {
        tbh_lookup_abandon(&dialer->lookup);
        tbh_error_set(error, TURBOHTTP_ERR_TIMEOUT, TURBOHTTP_PHASE_RESOLVE);
        tbh_error_text(error, "timed out in phase resolve: raise timeouts.resolve_ms - ");
        tbh_error_append(error, dialer->lookup.name);
        return TURBOHTTP_ERR_TIMEOUT;
    }
    return status;
}

TBH_FN turbohttp_status tbh_dialer_begin(tbh_dialer *dialer, tbh_poller *poller,
                                         tbh_resolver *resolver, const tbh_dial_target *target,
                                         void *owner, uint64_t now_us, turbohttp_error *error) {
    dialer->poller = poller;
    dialer->owner = owner;
    dialer->port = target->port;
    dialer->connect_ms = target->connect_ms;
    dialer->phase = TURBOHTTP_PHASE_RESOLVE;
    dialer->resolve_deadline_us = target->resolve_ms == TURBOHTTP_NO_TIMEOUT
                                      ? UINT64_MAX
                                      : now_us + (uint64_t)target->resolve_ms * 1000;
    if (target->unix_path) {
        dialer->lookup.count = 1;
        tbh_dialer_resolved(dialer, now_us);
        turbohttp_status status = tbh_dialer_try(dialer, target->unix_path, now_us);
        if (status < 0) return tbh_dialer_fail(dialer, status, error);
        return tbh_dialer_step(dialer, now_us, error);
    }
    turbohttp_status status =
        tbh_lookup_begin(&dialer->lookup, resolver, target->host, target->port, now_us, error);
    status = tbh_dialer_resolve(dialer, status, now_us, error);
    return status == TURBOHTTP_OK ? tbh_dialer_step(dialer, now_us, error) : status;
}

/* Starts as many attempts as are due: one per delay, the next at once after a failure. */
static turbohttp_status tbh_dialer_start_due(tbh_dialer *dialer, uint64_t now_us) {
    while (dialer->started < dialer->lookup.count && now_us >= dialer->next_us) {
        turbohttp_status status = tbh_dialer_try(dialer, NULL, now_us);
        if (status != TURBOHTTP_OK) return status;
    }
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_dialer_step(tbh_dialer *dialer, uint64_t now_us,
                                        turbohttp_error *error) {
    if (!dialer->resolved) {
        turbohttp_status status = tbh_lookup_step(&dialer->lookup, now_us, error);
        status = tbh_dialer_resolve(dialer, status, now_us, error);
        if (status != TURBOHTTP_OK) return status;
    }
    for (uint32_t i = 0; i < dialer->started; i++) {
        if (!tbh_dialer_check(dialer, i, now_us)) continue;
        dialer->winner = i;
        return TURBOHTTP_OK;
    }
    tbh_dialer_join(dialer, now_us);
    turbohttp_status status = tbh_dialer_start_due(dialer, now_us);
    if (tbh_dialer_any_under_way(dialer)) return TURBOHTTP_PENDING;
    if (status == TURBOHTTP_OK && dialer->lookup.is_partial) return TURBOHTTP_PENDING;
    return tbh_dialer_fail(dialer, status ? status : tbh_dialer_verdict(dialer), error);
}

static uint64_t tbh_dialer_lookup_deadline(const tbh_dialer *dialer) {
    uint64_t lookup_us = tbh_lookup_deadline(&dialer->lookup);
    return lookup_us < dialer->resolve_deadline_us ? lookup_us : dialer->resolve_deadline_us;
}

TBH_FN uint64_t tbh_dialer_deadline(const tbh_dialer *dialer) {
    if (!dialer->resolved) return tbh_dialer_lookup_deadline(dialer);
    uint64_t due = dialer->lookup.is_partial ? tbh_dialer_lookup_deadline(dialer) : UINT64_MAX;
    if (dialer->started < dialer->lookup.count && dialer->next_us < due) due = dialer->next_us;
    if (dialer->connect_ms == TURBOHTTP_NO_TIMEOUT) return due;
    for (uint32_t i = 0; i < dialer->started; i++) {
        uint64_t end = dialer->attempts[i].started_us + (uint64_t)dialer->connect_ms * 1000;
        if (dialer->attempts[i].watch.place && end < due) due = end;
    }
    return due;
}

TBH_FN tbh_socket tbh_dialer_take(tbh_dialer *dialer, turbohttp_address *address) {
    tbh_dial_attempt *attempt = &dialer->attempts[dialer->winner];
    tbh_socket s = attempt->watch.descriptor;
    *address = dialer->lookup.addresses[dialer->winner];
    tbh_poller_remove(dialer->poller, &attempt->watch);
    tbh_dialer_abandon(dialer);
    return s;
}

TBH_FN void tbh_dialer_abandon(tbh_dialer *dialer) {
    tbh_lookup_abandon(&dialer->lookup);
    for (uint32_t i = 0; i < dialer->started; i++) tbh_dialer_drop(dialer, &dialer->attempts[i]);
}
