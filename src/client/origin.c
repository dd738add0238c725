/* Origins: who waits for a connection, and which connection serves whom (SPEC E4).
 * Owns the origins: one while it has links or requests, so that their number is bounded by both.
 * Invariants: a link serves only requests of its origin; FIFO inside an origin; the caps per host
 * and in total are never exceeded; an idle link of another host makes room when the total is used.
 * Does not know: bytes, time limits. */
#include "internal.h"

/* Requests that may not be repeated do not trust a connection that was idle for longer
 * (RELIABILITY 3.3): the server may be closing it right now. */
#define TBH_IDLE_TRUST_US 3000000u
#define TBH_LINK_LIFETIME_US 600000000u

/* ------------------------------------------------------------ keys */
static bool tbh_span_equal(turbohttp_span a, turbohttp_span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static bool tbh_span_equal_any_case(turbohttp_span a, turbohttp_span b) {
    return a.length == b.length && tbh_equal_nocase(a.data, b.data, a.length);
}

/* `key` is as the user wrote it, `known` in lower case. */
static bool tbh_origin_matches(const tbh_origin_key *known, const tbh_origin_key *key) {
    return known->port == key->port && known->is_tls == key->is_tls &&
           known->connect_port == key->connect_port &&
           tbh_span_equal_any_case(known->host, key->host) &&
           tbh_span_equal(known->zone, key->zone) &&
           tbh_span_equal_any_case(known->connect_host, key->connect_host) &&
           tbh_span_equal(known->unix_path, key->unix_path);
}

static turbohttp_span tbh_origin_copy(char **at, turbohttp_span text, bool to_lower) {
    turbohttp_span copy = tbh_span(*at, text.length);
    for (size_t i = 0; i < text.length; i++)
        (*at)[i] = to_lower ? (char)tbh_lower((uint8_t)text.data[i]) : text.data[i];
    (*at)[text.length] = 0;
    *at += text.length + 1;
    return copy;
}

static tbh_origin *tbh_origin_create(turbohttp_client *client, const tbh_origin_key *key) {
    size_t texts = 4 + key->host.length + key->zone.length + key->connect_host.length +
                   key->unix_path.length;
    size_t bytes = sizeof(tbh_origin) + texts;
    tbh_origin *origin = (tbh_origin *)tbh_allocate(&client->allocator, bytes);
    if (!origin) return NULL;
    memset(origin, 0, sizeof *origin);
    char *at = (char *)(origin + 1);
    origin->bytes = bytes;
    origin->key = *key;
    origin->key.host = tbh_origin_copy(&at, key->host, true);
    if (key->zone.length) at[-1] = '%'; /* "fe80::1%2" is what is dialed */
    origin->key.zone = tbh_origin_copy(&at, key->zone, false);
    origin->key.connect_host = tbh_origin_copy(&at, key->connect_host, true);
    origin->key.unix_path = tbh_origin_copy(&at, key->unix_path, false);
    origin->next = client->origins;
    client->origins = origin;
    return origin;
}

TBH_FN tbh_origin *tbh_origin_get(turbohttp_client *client, const turbohttp_url *url,
                                  const turbohttp_request_desc *desc) {
    tbh_origin_key key;
    key.host = url->host;
    if (key.host.length && key.host.data[key.host.length - 1] == '.') key.host.length--;
    key.connect_host = tbh_span_of(desc->connect_host);
    key.unix_path = tbh_span_of(desc->unix_path);
    key.zone = url->zone;
    key.port = url->port;
    key.connect_port = desc->connect_port;
    key.is_tls = url->is_tls;
    for (tbh_origin *origin = client->origins; origin; origin = origin->next)
        if (tbh_origin_matches(&origin->key, &key)) return origin;
    return tbh_origin_create(client, &key);
}

TBH_FN void tbh_origin_drop_if_unused(turbohttp_client *client, tbh_origin *origin) {
    if (origin->links || origin->requests) return;
    tbh_origin **at = &client->origins;
    while (*at != origin) at = &(*at)->next;
    *at = origin->next;
    tbh_release(&client->allocator, origin, origin->bytes);
}

/* ------------------------------------------------------------ queue */
TBH_FN void tbh_origin_queue(tbh_origin *origin, tbh_request *request, bool at_front) {
    tbh_request **end = at_front ? &origin->waiting_first : &origin->waiting_last;
    request->state = TBH_REQUEST_WAITING;
    request->next = at_front ? origin->waiting_first : NULL;
    request->previous = at_front ? NULL : origin->waiting_last;
    if (request->next) request->next->previous = request;
    if (request->previous) request->previous->next = request;
    *end = request;
    if (!origin->waiting_first) origin->waiting_first = request;
    if (!origin->waiting_last) origin->waiting_last = request;
}

TBH_FN void tbh_origin_unqueue(tbh_origin *origin, tbh_request *request) {
    if (request->previous)
        request->previous->next = request->next;
    else
        origin->waiting_first = request->next;
    if (request->next)
        request->next->previous = request->previous;
    else
        origin->waiting_last = request->previous;
    request->next = request->previous = NULL;
}

/* ------------------------------------------------------------ idle links */
TBH_FN void tbh_origin_push_idle(tbh_origin *origin, tbh_link *link) {
    link->idle_previous = NULL;
    link->idle_next = origin->idle;
    if (origin->idle) origin->idle->idle_previous = link;
    origin->idle = link;
    link->client->idle_count++;
}

TBH_FN void tbh_origin_remove_idle(tbh_origin *origin, tbh_link *link) {
    if (link->idle_previous)
        link->idle_previous->idle_next = link->idle_next;
    else
        origin->idle = link->idle_next;
    if (link->idle_next) link->idle_next->idle_previous = link->idle_previous;
    link->idle_next = link->idle_previous = NULL;
    link->client->idle_count--;
}

/* The idle link that was not used for the longest time. */
static tbh_link *tbh_origins_oldest_idle(turbohttp_client *client) {
    tbh_link *oldest = NULL;
    for (tbh_link *link = client->links; link; link = link->next)
        if (link->state == TBH_LINK_IDLE && (!oldest || link->idle_since_us < oldest->idle_since_us))
            oldest = link;
    return oldest;
}

/* ------------------------------------------------------------ who gets what */
static bool tbh_origin_may_reuse(tbh_link *link, const tbh_request *request) {
    uint64_t now = link->client->io.now_us, idle = now - link->idle_since_us;
    return (request->is_idempotent || idle < TBH_IDLE_TRUST_US) &&
           now - link->opened_us < TBH_LINK_LIFETIME_US && tbh_link_is_fresh(link);
}

/* A live idle link for this request; those found dead are destroyed on the way. */
static tbh_link *tbh_origin_find_idle(tbh_origin *origin, const tbh_request *request) {
    if (request->was_replayed || request->disable_reuse) return NULL;
    while (origin->idle) {
        tbh_link *link = origin->idle;
        if (tbh_origin_may_reuse(link, request)) return link;
        tbh_link_destroy(link);
    }
    return NULL;
}

static bool tbh_origin_may_open(turbohttp_client *client, tbh_origin *origin) {
    if (origin->links >= client->limits.connections_per_host) {
        /* All in use, or idle ones that this request may not have. */
        if (!origin->idle) return false;
        tbh_link_destroy(origin->idle);
    }
    if (client->link_count < client->limits.connections) return true;
    tbh_link *oldest = tbh_origins_oldest_idle(client);
    if (!oldest) return false;
    tbh_link_destroy(oldest);
    return true;
}

/* False when the first request in the queue must go on waiting. */
static bool tbh_origin_dispatch_first(turbohttp_client *client, tbh_origin *origin) {
    tbh_request *request = origin->waiting_first;
    tbh_link *link = tbh_origin_find_idle(origin, request);
    if (!link && !tbh_origin_may_open(client, origin)) return false;
    tbh_origin_unqueue(origin, request);
    if (link)
        tbh_link_assign(link, request);
    else
        tbh_link_open(origin, request);
    return true;
}

/* Origins are only dropped when they have no request, so `next` of one that has some is safe to
 * read before, not after: links of the same client may vanish meanwhile, with their origins. */
TBH_FN void tbh_origins_dispatch(turbohttp_client *client) {
    tbh_origin *origin = client->origins;
    while (origin) {
        origin->requests++; /* keeps it alive */
        while (origin->waiting_first && tbh_origin_dispatch_first(client, origin)) {
        }
        origin->requests--;
        tbh_origin *next = origin->next;
        tbh_origin_drop_if_unused(client, origin);
        origin = next;
    }
}
