/* Origins: who waits for a connection, and which connection serves whom (SPEC E4).
 * Owns the origins: one while it has links or requests, so that their number is bounded by both,
 * and a few more that only remember a TLS session.
 * Invariants: a link serves only requests of its origin; FIFO inside a class of an origin, and nobody
 * starves, neither behind requests to the same host nor behind other hosts; the caps per host and in
 * total are never exceeded; an idle link of another host makes room when the total is used.
 * Does not know: bytes, time limits. */
#include "../format/url.h"
#include "internal.h"

#define TBH_LINK_LIFETIME_US 600000000u

/* Requests in a row that may start before a less urgent one (RELIABILITY 3.5). */
#define TBH_OVERTAKEN_MOST   8u

/* Origins without links and requests that are kept for their TLS session. */
#define TBH_DORMANT_ORIGINS  16u

/* ------------------------------------------------------------ keys */
static bool tbh_span_equal(turbohttp_span a, turbohttp_span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static bool tbh_span_equal_any_case(turbohttp_span a, turbohttp_span b) {
    return a.length == b.length && tbh_equal_nocase(a.data, b.data, a.length);
}

/* `key` is as the user wrote it, `known` in lower case. */
static bool tbh_origin_matches(const tbh_origin_key *known, const tbh_origin_key *key) {
    return known->port == key->port && known->tls == key->tls && known->policy == key->policy &&
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

/* Everything before the path, as the user wrote it: equal text means an equal origin, as long as
 * the request overrides nothing. */
static turbohttp_span tbh_origin_prefix(const turbohttp_url *url) {
    const char *end = url->authority.data + url->authority.length;
    return tbh_span(url->text.data, (size_t)(end - url->text.data));
}

/* The authority, if it is what turbohttp_url_put_host writes, but for upper case; else nothing. */
static turbohttp_span tbh_origin_host_field(const turbohttp_url *url) {
    turbohttp_span port = url->port_text;
    bool is_default = url->port == tbh_url_default_port(url);
    bool is_port_usual = !port.data || (port.length && port.data[0] != '0' && !is_default);
    bool is_usual = is_port_usual && !url->has_userinfo && !url->is_ipv6;
    return is_usual ? url->authority : tbh_span(NULL, 0);
}

#define TBH_ORIGIN_VERSION  " HTTP/1.1\r\nHost: "
#define TBH_ORIGIN_HEAD_END TBH_ORIGIN_VERSION "\r\n" TBH_DEFAULT_LINES

static void tbh_origin_put_head_end(tbh_origin *origin, char *to, turbohttp_span host_field) {
    char *at = to;
    tbh_origin_copy(&at, tbh_span_of(TBH_ORIGIN_VERSION), false);
    at--; /* the NUL */
    tbh_origin_copy(&at, host_field, true);
    memcpy(at - 1, "\r\n", 2);
    origin->line_end_bytes = (size_t)(at + 1 - to);
    memcpy(at + 1, TBH_DEFAULT_LINES, sizeof TBH_DEFAULT_LINES - 1);
    origin->head_end = tbh_span(to, origin->line_end_bytes + sizeof TBH_DEFAULT_LINES - 1);
}

static tbh_origin *tbh_origin_create(turbohttp_client *client, const tbh_origin_key *key,
                                     const turbohttp_url *url, bool has_own_tls) {
    turbohttp_span prefix = tbh_origin_prefix(url), host_field = tbh_origin_host_field(url);
    bool is_plain =
        !key->connect_host.length && !key->connect_port && !key->unix_path.length && !has_own_tls;
    size_t texts = 8 + 2 * key->host.length + key->zone.length + key->connect_host.length +
                   key->unix_path.length + prefix.length + host_field.length +
                   sizeof TBH_ORIGIN_HEAD_END;
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
    origin->absolute_host = tbh_origin_copy(&at, key->host, true);
    memcpy(at - 1, ".", 2);
    at++;
    origin->key.connect_host = tbh_origin_copy(&at, key->connect_host, true);
    origin->key.unix_path = tbh_origin_copy(&at, key->unix_path, false);
    if (is_plain && host_field.length) {
        origin->prefix = tbh_origin_copy(&at, prefix, false);
        tbh_origin_put_head_end(origin, at, host_field);
    }
    origin->next = client->origins;
    client->origins = origin;
    return origin;
}

/* Without room for tables and windows HTTP/2 is spoken only where it is asked for. */
static tbh_policy tbh_origin_policy(const turbohttp_client *client,
                                    const turbohttp_request_desc *desc, bool is_tls) {
    if (!TBH_HTTP2 || desc->use_http10 || desc->disable_http2) return TBH_POLICY_H1;
    if (desc->http2_prior_knowledge) return TBH_POLICY_H2;
    if (client->desc.disable_http2) return TBH_POLICY_H1;
    if (client->desc.http2_prior_knowledge) return TBH_POLICY_H2;
    return is_tls && !client->desc.memory ? TBH_POLICY_OFFER : TBH_POLICY_H1;
}

TBH_FN tbh_origin *tbh_origin_get(turbohttp_client *client, const turbohttp_url *url,
                                  const turbohttp_request_desc *desc, tbh_tls_config *tls) {
    tbh_origin_key key;
    key.host = url->host;
    bool is_absolute = key.host.length && key.host.data[key.host.length - 1] == '.';
    if (is_absolute) key.host.length--;
    key.connect_host = tbh_span_of(desc->connect_host);
    key.unix_path = tbh_span_of(desc->unix_path);
    key.zone = url->zone;
    key.port = url->port;
    key.connect_port = desc->connect_port;
    key.tls = tls;
    key.policy = tbh_origin_policy(client, desc, url->is_tls);
    tbh_origin *origin = client->origins;
    while (origin && !tbh_origin_matches(&origin->key, &key)) origin = origin->next;
    if (origin) tbh_secure_drop(tls); /* the origin holds it already */
    else origin = tbh_origin_create(client, &key, url, desc->tls != NULL);
    if (!origin) tbh_secure_drop(tls);
    if (origin && is_absolute) origin->is_absolute = true;
    return origin;
}

TBH_FN tbh_origin *tbh_origin_recall(turbohttp_client *client, const turbohttp_request_desc *desc,
                                     tbh_target *target) {
    bool is_special = desc->connect_host || desc->connect_port || desc->unix_path || desc->tls;
    for (tbh_origin *origin = client->origins; origin && !is_special; origin = origin->next) {
        size_t n = origin->prefix.length;
        if (n == 0 || strncmp(desc->url, origin->prefix.data, n) != 0) continue;
        if (origin->key.policy != tbh_origin_policy(client, desc, origin->key.tls != NULL))
            continue;
        size_t path = tbh_url_plain_target(desc->url + n);
        if (path == 0 || n + path > client->limits.url_bytes) continue;
        target->path = tbh_span(desc->url + n, path);
        target->origin = origin;
        return origin;
    }
    return NULL;
}

/* ------------------------------------------------------------ ends and TLS sessions */
TBH_FN bool tbh_origin_is_unverified(const tbh_origin *origin) {
    return origin->key.tls && origin->key.tls->options.INSECURE_skip_verification;
}

TBH_FN void tbh_origin_drop(turbohttp_client *client, tbh_origin *origin) {
    tbh_origin **at = &client->origins;
    while (*at != origin) at = &(*at)->next;
    *at = origin->next;
    if (origin->is_dormant) client->dormant_count--;
    tbh_origin_forget_session(origin);
    tbh_secure_drop(origin->key.tls);
    tbh_release(&client->allocator, origin, origin->bytes);
}

/* The list has the newest first, so the last dormant one is the oldest. */
static void tbh_origin_sleep(turbohttp_client *client, tbh_origin *origin) {
    tbh_origin *oldest = NULL;
    origin->is_dormant = true;
    if (++client->dormant_count <= TBH_DORMANT_ORIGINS) return;
    for (tbh_origin *at = client->origins; at; at = at->next)
        if (at->is_dormant && !at->requests && at != origin) oldest = at;
    if (oldest) tbh_origin_drop(client, oldest);
}

TBH_FN void tbh_origin_drop_if_unused(turbohttp_client *client, tbh_origin *origin) {
    if (origin->links || origin->requests || origin->is_dormant) return;
    if (origin->session_bytes && !client->is_shut) tbh_origin_sleep(client, origin);
    else tbh_origin_drop(client, origin);
}

TBH_FN void tbh_origin_keep_session(tbh_origin *origin, const tbh_stream *stream) {
    const tbh_tls *tls = &stream->tls;
    if (!tls->provider || origin->key.tls->options.disable_resumption ||
        tbh_origin_is_unverified(origin))
        return;
    size_t n = tls->provider->session_get(tls->session, origin->session, sizeof origin->session);
    origin->session_bytes = n <= sizeof origin->session ? n : 0;
}

TBH_FN void tbh_origin_forget_session(tbh_origin *origin) {
    tbh_wipe(origin->session, sizeof origin->session);
    origin->session_bytes = 0;
}

/* ------------------------------------------------------------ queue */
/* Behind all that are as urgent, or more; what waits again goes before its equals. */
TBH_FN void tbh_origin_queue(tbh_origin *origin, tbh_request *request, bool at_front) {
    int least = request->wire.priority + (at_front ? 1 : 0);
    tbh_request *before = origin->waiting_last;
    request->client->may_dispatch = true;
    while (before && before->wire.priority < least) before = before->previous;
    request->state = TBH_REQUEST_WAITING;
    request->previous = before;
    request->next = before ? before->next : origin->waiting_first;
    if (before) before->next = request;
    else origin->waiting_first = request;
    if (request->next) request->next->previous = request;
    else origin->waiting_last = request;
}

TBH_FN void tbh_origin_unqueue(tbh_origin *origin, tbh_request *request) {
    if (request->previous) request->previous->next = request->next;
    else origin->waiting_first = request->next;
    if (request->next) request->next->previous = request->previous;
    else origin->waiting_last = request->previous;
    request->next = request->previous = NULL;
}

/* ------------------------------------------------------------ idle links */
TBH_FN void tbh_origin_push_idle(tbh_origin *origin, tbh_link *link) {
    link->client->may_dispatch = true;
    link->idle_previous = NULL;
    link->idle_next = origin->idle;
    if (origin->idle) origin->idle->idle_previous = link;
    origin->idle = link;
    link->client->idle_count++;
}

TBH_FN void tbh_origin_remove_idle(tbh_origin *origin, tbh_link *link) {
    if (link->idle_previous) link->idle_previous->idle_next = link->idle_next;
    else origin->idle = link->idle_next;
    if (link->idle_next) link->idle_next->idle_previous = link->idle_previous;
    link->idle_next = link->idle_previous = NULL;
    link->client->idle_count--;
}

/* Shuts the idle link that was not used for the longest time, if there is one: it is worth less than a
 * request that needs its place or its descriptor (RELIABILITY 3.5). */
TBH_FN bool tbh_origins_shut_oldest_idle(turbohttp_client *client) {
    tbh_link *oldest = NULL;
    for (tbh_link *link = client->links; link; link = link->next)
        if (link->state == TBH_LINK_IDLE &&
            (!oldest || link->idle_since_us < oldest->idle_since_us))
            oldest = link;
    if (oldest) tbh_link_destroy(oldest);
    return oldest != NULL;
}

/* ------------------------------------------------------------ who gets what */
static bool tbh_origin_may_reuse(tbh_link *link, const tbh_request *request) {
    uint64_t age = link->client->io.now_us - link->opened_us;
    return (request->is_idempotent || !link->protocol->is_doubtful(link)) &&
           age < TBH_LINK_LIFETIME_US && tbh_link_is_fresh(link);
}

/* After a silence: what came meanwhile is read first, so that an end is seen. */
static tbh_link *tbh_origin_look_at_shared(tbh_origin *origin) {
    tbh_link *link = origin->shared;
    if (link->state == TBH_LINK_IDLE && link->protocol->is_doubtful(link))
        link->protocol->on_idle_ready(link);
    return origin->shared;
}

/* One connection of HTTP/2 for all (SPEC E4), until it has lived long enough: then it finishes what
 * it has. While its peer is asked for a sign of life, requests that may not be repeated wait. */
static bool tbh_origin_may_share(tbh_origin *origin, const tbh_request *request) {
    tbh_link *link = tbh_origin_look_at_shared(origin);
    if (!link) return false;
    bool is_old = link->client->io.now_us - link->opened_us >= TBH_LINK_LIFETIME_US;
    bool is_idle = link->state == TBH_LINK_IDLE;
    bool is_doubtful = !request->is_idempotent && link->protocol->is_doubtful(link);
    if (is_old || (is_doubtful && is_idle)) {
        origin->shared = NULL;
        link->is_private = true; /* nobody else, and closed when it is idle */
        if (is_idle) tbh_link_destroy(link);
        return false;
    }
    return !is_doubtful && link->protocol->has_room(link);
}

/* A request whose connection died is not given one that rested, but one that others use: that was
 * opened since, and a hundred of them need no more than one. */
static bool tbh_origin_is_trusted(const tbh_origin *origin, const tbh_request *request) {
    return !request->was_replayed || origin->shared->state == TBH_LINK_BUSY;
}

/* Is there a connection that this request should rather wait for than open one of its own? */
static bool tbh_origin_should_wait(const tbh_origin *origin, const tbh_request *request) {
    if (request->disable_reuse || origin->key.policy == TBH_POLICY_H1) return false;
    if (tbh_origin_is_unverified(origin)) return false;
    if (origin->shared && tbh_origin_is_trusted(origin, request)) return true; /* it is full */
    return origin->opening > 0 && !origin->speaks_h1;
}

/* A live idle link for this request; those found dead are destroyed on the way. */
static tbh_link *tbh_origin_find_idle(tbh_origin *origin, const tbh_request *request) {
    if (request->disable_reuse) return NULL;
    if (origin->shared && tbh_origin_is_trusted(origin, request))
        return tbh_origin_may_share(origin, request) ? origin->shared : NULL;
    if (request->was_replayed) return NULL;
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
    return client->link_count < client->limits.connections || tbh_origins_shut_oldest_idle(client);
}

/* The most urgent one; but now and then the one that has waited longest. */
static tbh_request *tbh_origin_next(const tbh_origin *origin) {
    tbh_request *oldest = origin->waiting_first;
    if (origin->overtaken < TBH_OVERTAKEN_MOST) return oldest;
    for (tbh_request *at = oldest; at; at = at->next)
        if (at->ticket < oldest->ticket) oldest = at;
    return oldest;
}

/* False when the next request in the queue must go on waiting. */
static bool tbh_origin_dispatch_first(turbohttp_client *client, tbh_origin *origin) {
    tbh_request *request = tbh_origin_next(origin);
    bool overtakes = request->wire.priority > origin->waiting_last->wire.priority;
    tbh_link *link = tbh_origin_find_idle(origin, request);
    if (!link && tbh_origin_should_wait(origin, request)) return false;
    if (!link && !tbh_origin_may_open(client, origin)) return false;
    bool is_turn = origin->overtaken >= TBH_OVERTAKEN_MOST;
    origin->overtaken = overtakes && !is_turn ? origin->overtaken + 1 : 0;
    if (client->link_count >= client->limits.connections) client->crowded_starts++;
    tbh_origin_unqueue(origin, request);
    if (link) tbh_link_assign(link, request);
    else tbh_link_open(origin, request);
    return true;
}

/* The first origin has the first choice of the connections that become free, and may take those of
 * others when the total is used up: now and then that is the one whose request has waited longest,
 * whatever the others submit meanwhile. */
static void tbh_origins_give_turn(turbohttp_client *client) {
    tbh_origin **longest = NULL;
    uint64_t ticket = UINT64_MAX;
    if (client->crowded_starts < TBH_OVERTAKEN_MOST) return;
    client->crowded_starts = 0;
    for (tbh_origin **at = &client->origins; *at; at = &(*at)->next)
        for (const tbh_request *r = (*at)->waiting_first; r; r = r->next)
            if (r->ticket < ticket) {
                ticket = r->ticket;
                longest = at;
            }
    if (!longest) return;
    tbh_origin *origin = *longest;
    *longest = origin->next;
    origin->next = client->origins;
    client->origins = origin;
}

/* Origins are only dropped when they have no request, so `next` of one that has some is safe to
 * read before, not after: links of the same client may vanish meanwhile, with their origins. */
TBH_FN void tbh_origins_dispatch(turbohttp_client *client) {
    tbh_origins_give_turn(client);
    tbh_origin *origin = client->origins;
    client->may_dispatch = false;
    while (origin) {
        origin->requests++; /* keeps it alive */
        while (origin->waiting_first && tbh_origin_dispatch_first(client, origin)) {
        }
        origin->requests--;
        tbh_origin *next = origin->next;
        if (next) next->requests++; /* going to sleep drops the oldest that sleeps */
        tbh_origin_drop_if_unused(client, origin);
        if (next) next->requests--;
        origin = next;
    }
}
