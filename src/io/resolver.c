/* Resolver: everything about names that needs no service, and the choice of one.
 * Owns the cache and the services' state. Invariants: nothing here waits; a name that is not a
 * legal host never reaches a service; `.localhost` never leaves the machine (RFC 6761 §6.3).
 * Does not know: connections, what a name is for. */
#include "../format/address.h"
#include "resolver.h"

/* ------------------------------------------------------------ the user's table as a service */
static turbohttp_status tbh_user_names_check(tbh_lookup *lookup, uint64_t now_us,
                                             turbohttp_error *error) {
    const turbohttp_resolver *user = lookup->resolver->desc->resolver;
    size_t count = 0;
    uint32_t usable = 0;
    lookup->asked_us = now_us;
    turbohttp_status status =
        user->check(user->user, lookup->job, lookup->addresses, TURBOHTTP_MAX_ADDRESSES, &count);
    if (count > TURBOHTTP_MAX_ADDRESSES) count = TURBOHTTP_MAX_ADDRESSES;
    for (size_t i = 0; status == TURBOHTTP_OK && i < count; i++) {
        const turbohttp_address *address = &lookup->addresses[i];
        if (address->family == 4 || address->family == 6) lookup->addresses[usable++] = *address;
    }
    lookup->count = usable;
    if (status == TURBOHTTP_OK && usable == 0) status = TURBOHTTP_ERR_RESOLVE;
    return status < 0 ? tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE) : status;
}

static turbohttp_status tbh_user_names_start(tbh_lookup *lookup, uint64_t now_us,
                                             turbohttp_error *error) {
    const turbohttp_resolver *user = lookup->resolver->desc->resolver;
    turbohttp_status status = user->start(user->user, lookup->name, &lookup->job);
    if (status < 0) return tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE);
    return tbh_user_names_check(lookup, now_us, error);
}

static uint64_t tbh_user_names_deadline(const tbh_lookup *lookup) {
    return lookup->asked_us + TBH_ASK_AGAIN_US; /* the table has no way to tell */
}

static void tbh_user_names_cancel(tbh_lookup *lookup) {
    const turbohttp_resolver *user = lookup->resolver->desc->resolver;
    if (user->cancel) user->cancel(user->user, lookup->job);
}

static const tbh_name_service tbh_user_names = {tbh_user_names_start, tbh_user_names_check,
                                                tbh_user_names_deadline, tbh_user_names_cancel};

/* ------------------------------------------------------------ life */
static turbohttp_status tbh_resolver_choose(tbh_resolver *resolver) {
    turbohttp_name_service wanted = resolver->desc->name_service;
    if (resolver->desc->resolver) {
        resolver->service = &tbh_user_names;
        return TURBOHTTP_OK;
    }
    if (wanted == TURBOHTTP_NAMES_DEFAULT)
        wanted = TBH_THREADS ? TURBOHTTP_NAMES_PLATFORM : TURBOHTTP_NAMES_STUB;
#if TBH_THREADS
    if (wanted == TURBOHTTP_NAMES_PLATFORM) return tbh_platform_create(resolver);
#endif
#if TBH_DNS_STUB
    if (wanted == TURBOHTTP_NAMES_STUB) return tbh_stub_create(resolver);
#endif
    return TURBOHTTP_OK; /* literals and overrides still work */
}

TBH_FN turbohttp_status tbh_resolver_create(tbh_resolver **out,
                                            const turbohttp_allocator *allocator,
                                            tbh_poller *poller, const tbh_os_wake *wake,
                                            const turbohttp_client_desc *desc) {
    tbh_resolver *resolver = (tbh_resolver *)tbh_allocate(allocator, sizeof *resolver);
    *out = resolver;
    if (!resolver) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(resolver, 0, sizeof *resolver);
    resolver->allocator = allocator;
    resolver->poller = poller;
    resolver->wake = wake;
    resolver->desc = desc;
    turbohttp_status status = tbh_resolver_choose(resolver);
    if (status != TURBOHTTP_OK) {
        tbh_resolver_destroy(resolver);
        *out = NULL;
    }
    return status;
}

TBH_FN void tbh_resolver_destroy(tbh_resolver *resolver) {
    if (!resolver) return;
#if TBH_THREADS
    tbh_platform_destroy(resolver);
#endif
    tbh_release(resolver->allocator, resolver, sizeof *resolver);
}

TBH_FN void tbh_resolver_disown(tbh_resolver *resolver) {
#if TBH_THREADS
    tbh_platform_disown(resolver);
#else
    (void)resolver;
#endif
}

/* ------------------------------------------------------------ answers without a service */
static bool tbh_lookup_copy_name(tbh_lookup *lookup, const char *host) {
    size_t n = strlen(host);
    lookup->is_absolute = n && host[n - 1] == '.';
    if (lookup->is_absolute) n--;
    if (n == 0 || n >= TBH_NAME_BYTES) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = tbh_lower((uint8_t)host[i]);
        if (c <= 0x20 || c >= 0x7f) return false;
        lookup->name[i] = (char)c;
    }
    lookup->name[n] = 0;
    return true;
}

static bool tbh_name_is_localhost(const char *name) {
    size_t n = strlen(name);
    return strcmp(name, "localhost") == 0 || (n > 10 && strcmp(name + n - 10, ".localhost") == 0);
}

static void tbh_lookup_answer_localhost(tbh_lookup *lookup) {
    memset(lookup->addresses, 0, 2 * sizeof lookup->addresses[0]);
    lookup->addresses[0].family = 6;
    lookup->addresses[0].bytes[15] = 1;
    lookup->addresses[1].family = 4;
    lookup->addresses[1].bytes[0] = 127;
    lookup->addresses[1].bytes[3] = 1;
    lookup->count = 2;
}

/* "fe80::1%eth0" is not looked into here: a zone must be a number. */
static bool tbh_lookup_answer_literal(tbh_lookup *lookup) {
    turbohttp_span text = tbh_span_of(lookup->name);
    const char *zone = (const char *)memchr(text.data, '%', text.length);
    uint64_t scope = 0;
    if (zone) {
        size_t head = (size_t)(zone - text.data);
        if (!tbh_parse_u64(zone + 1, text.length - head - 1, UINT32_MAX, &scope)) return false;
        text.length = head;
    }
    if (!tbh_address_parse(text, &lookup->addresses[0])) return false;
    lookup->addresses[0].scope = (uint32_t)scope;
    lookup->count = 1;
    return true;
}

static bool tbh_lookup_parse_list(tbh_lookup *lookup, const char *list) {
    lookup->count = 0;
    while (*list && lookup->count < TURBOHTTP_MAX_ADDRESSES) {
        size_t n = strcspn(list, " ,");
        if (n && !tbh_address_parse(tbh_span(list, n), &lookup->addresses[lookup->count]))
            return false;
        if (n) lookup->count++;
        list += n + (list[n] != 0);
    }
    return lookup->count > 0;
}

static const turbohttp_name_override *tbh_lookup_find_override(const tbh_lookup *lookup,
                                                               uint16_t port) {
    const turbohttp_client_desc *desc = lookup->resolver->desc;
    for (size_t i = 0; i < desc->name_count; i++) {
        const turbohttp_name_override *known = &desc->names[i];
        bool is_port = known->port == 0 || known->port == port;
        bool is_any = known->host[0] == '*' && !known->host[1];
        if (is_port && (is_any || tbh_span_equal_nocase(tbh_span_of(lookup->name), known->host)))
            return known;
    }
    return NULL;
}

/* ------------------------------------------------------------ cache */
static bool tbh_lookup_from_cache(tbh_lookup *lookup, uint64_t now_us) {
    for (uint32_t i = 0; i < TBH_CACHE_NAMES; i++) {
        const tbh_cached_name *known = &lookup->resolver->cache[i];
        if (known->until_us <= now_us || strcmp(known->name, lookup->name) != 0) continue;
        if (known->is_absolute != lookup->is_absolute) continue;
        memcpy(lookup->addresses, known->addresses, sizeof lookup->addresses);
        lookup->count = known->count;
        return true;
    }
    return false;
}

/* What came in two parts is not in the order of preference (RFC 6724 §2.1). */
static void tbh_cache_put_v6_first(tbh_cached_name *slot) {
    turbohttp_address ordered[TURBOHTTP_MAX_ADDRESSES];
    uint32_t n = 0;
    for (uint8_t family = 6; family >= 4; family = (uint8_t)(family - 2))
        for (uint32_t i = 0; i < slot->count; i++)
            if (slot->addresses[i].family == family) ordered[n++] = slot->addresses[i];
    if (n) memcpy(slot->addresses, ordered, n * sizeof ordered[0]);
}

static void tbh_lookup_to_cache(const tbh_lookup *lookup, bool prefers_v6, uint64_t now_us) {
    tbh_resolver *resolver = lookup->resolver;
    uint32_t ttl_s = lookup->ttl_s ? lookup->ttl_s : TBH_CACHE_DEFAULT_S;
    tbh_cached_name *slot = &resolver->cache[resolver->next_cached++ % TBH_CACHE_NAMES];
    if (ttl_s > TBH_CACHE_MOST_S) ttl_s = TBH_CACHE_MOST_S;
    if (ttl_s < TBH_CACHE_LEAST_S) ttl_s = TBH_CACHE_LEAST_S;
    memcpy(slot->name, lookup->name, sizeof slot->name);
    memcpy(slot->addresses, lookup->addresses, sizeof slot->addresses);
    slot->count = lookup->count;
    if (prefers_v6) tbh_cache_put_v6_first(slot);
    slot->is_absolute = lookup->is_absolute;
    slot->until_us = now_us + (uint64_t)ttl_s * 1000000;
}

/* ------------------------------------------------------------ driving */
/* What a service answered: ended lookups are remembered, or say which name it was. */
static turbohttp_status tbh_lookup_settle(tbh_lookup *lookup, turbohttp_status status,
                                          uint64_t now_us, turbohttp_error *error) {
    if (status == TURBOHTTP_PENDING) return status;
    if (!lookup->is_partial) {
        lookup->service = NULL;
        lookup->job = NULL;
    }
    if (status == TURBOHTTP_OK) {
        tbh_lookup_to_cache(lookup, false, now_us);
        return status;
    }
    tbh_error_append(error, " - ");
    tbh_error_append(error, lookup->name);
    return status;
}

TBH_FN turbohttp_status tbh_lookup_begin(tbh_lookup *lookup, tbh_resolver *resolver,
                                         const char *host, uint16_t port, uint64_t now_us,
                                         turbohttp_error *error) {
    lookup->resolver = resolver;
    if (!tbh_lookup_copy_name(lookup, host))
        return tbh_error_set(error, TURBOHTTP_ERR_URL_HOST, TURBOHTTP_PHASE_RESOLVE);
    const turbohttp_name_override *fixed = tbh_lookup_find_override(lookup, port);
    if (fixed && tbh_lookup_parse_list(lookup, fixed->addresses)) return TURBOHTTP_OK;
    if (fixed) return tbh_error_set(error, TURBOHTTP_ERR_RESOLVE, TURBOHTTP_PHASE_RESOLVE);
    if (tbh_lookup_answer_literal(lookup)) return TURBOHTTP_OK;
    if (tbh_name_is_localhost(lookup->name)) {
        tbh_lookup_answer_localhost(lookup);
        return TURBOHTTP_OK;
    }
    if (tbh_lookup_from_cache(lookup, now_us)) return TURBOHTTP_OK;
    lookup->service = resolver->service;
    turbohttp_status status = TURBOHTTP_ERR_UNSUPPORTED;
    if (lookup->service) status = lookup->service->start(lookup, now_us, error);
    else tbh_error_set(error, status, TURBOHTTP_PHASE_RESOLVE);
    return tbh_lookup_settle(lookup, status, now_us, error);
}

TBH_FN turbohttp_status tbh_lookup_step(tbh_lookup *lookup, uint64_t now_us,
                                        turbohttp_error *error) {
    if (!lookup->service || lookup->is_partial)
        return lookup->count ? TURBOHTTP_OK : TURBOHTTP_ERR_STATE;
    return tbh_lookup_settle(lookup, lookup->service->step(lookup, now_us, error), now_us, error);
}

TBH_FN bool tbh_lookup_join(tbh_lookup *lookup, uint64_t now_us) {
    uint32_t before = lookup->count;
    if (!lookup->is_partial) return false;
    turbohttp_status status = lookup->service->step(lookup, now_us, NULL);
    if (status == TURBOHTTP_PENDING) return false;
    lookup->is_partial = false;
    lookup->service = NULL;
    lookup->job = NULL;
    if (status == TURBOHTTP_OK) tbh_lookup_to_cache(lookup, true, now_us);
    return lookup->count > before;
}

TBH_FN uint64_t tbh_lookup_deadline(const tbh_lookup *lookup) {
    return lookup->service ? lookup->service->deadline(lookup) : UINT64_MAX;
}

TBH_FN void tbh_lookup_abandon(tbh_lookup *lookup) {
    if (lookup->service) lookup->service->cancel(lookup);
    lookup->is_partial = false;
    lookup->service = NULL;
    lookup->job = NULL;
}
