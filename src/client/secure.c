/* Which TLS provider secures a request, and with what (SPEC D5).
 * Owns the configs: one for each set of options in use, so that two requests share connections and
 * sessions exactly when everything about their TLS is equal (S-01, S-02).
 * Invariants: a config never changes; `auto` goes to the next provider only for a missing
 * capability, never after any other failure; what was chosen, and why, is logged once.
 * Does not know: records, certificates. */
#include "../format/address.h"
#include "internal.h"

#if TBH_TLS
#define TBH_SECURE_NAME_MOST 255 /* bytes: longer names no certificate can have */
#define TBH_UNUSED_CONFIGS   4   /* kept for the next request: loading roots and keys takes time */

/* A second header that is included later in the same file defines this (a tentative definition
 * until then). C++ has no such thing: there it must come first, and says so. */
#if defined(TURBOHTTP_TLS_BEARSSL_FIRST)
static const turbohttp_tls_provider *tbh_secure_included(void) {
    return turbohttp_tls_bearssl_first();
}
#elif defined(__cplusplus)
static const turbohttp_tls_provider *tbh_secure_included(void) {
    return NULL;
}
#else
static const turbohttp_tls_provider *(*const turbohttp_tls_included)(void);
static const turbohttp_tls_provider *tbh_secure_included(void) {
    return turbohttp_tls_included ? turbohttp_tls_included() : NULL;
}
#endif

/* Every field of the options is part of the identity: a new one belongs into one of these. */
#define TBH_TLS_TEXTS(X)                                                                           \
    X(provider) X(ca_file) X(ca_path) X(cert_file) X(key_file) X(pins) X(server_name)
/* clang-format off */
#define TBH_TLS_VALUES(X)                                                                          \
    X(ca_data) X(ca_bytes) X(min_version) X(max_version) X(buffer_bytes) X(disable_resumption)     \
    X(ignore_certificate_dates) X(INSECURE_skip_verification)
/* clang-format on */

static bool tbh_secure_same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool tbh_secure_equal(const turbohttp_tls_options *a, const turbohttp_tls_options *b) {
#define TBH_SAME_TEXT(field)                                                                       \
    if (!tbh_secure_same_text(a->field, b->field)) return false;
#define TBH_SAME_VALUE(field)                                                                      \
    if (a->field != b->field) return false;
    TBH_TLS_TEXTS(TBH_SAME_TEXT)
    TBH_TLS_VALUES(TBH_SAME_VALUE)
    return true;
}

static size_t tbh_secure_text_bytes(const turbohttp_tls_options *options) {
    size_t n = 0;
#define TBH_ADD_TEXT(field) n += options->field ? strlen(options->field) + 1 : 0;
    TBH_TLS_TEXTS(TBH_ADD_TEXT)
    return n;
}

static const char *tbh_secure_copy_text(char **at, const char *text) {
    char *copy = *at;
    if (!text) return NULL;
    memcpy(copy, text, strlen(text) + 1);
    *at += strlen(text) + 1;
    return copy;
}

static tbh_tls_config *tbh_secure_copy(turbohttp_client *client,
                                       const turbohttp_tls_options *options) {
    size_t bytes = sizeof(tbh_tls_config) + tbh_secure_text_bytes(options);
    tbh_tls_config *config = (tbh_tls_config *)tbh_allocate(&client->allocator, bytes);
    if (!config) return NULL;
    memset(config, 0, sizeof *config);
    config->bytes = bytes;
    config->options = *options;
    char *at = (char *)(config + 1);
#define TBH_COPY_TEXT(field) config->options.field = tbh_secure_copy_text(&at, options->field);
    TBH_TLS_TEXTS(TBH_COPY_TEXT)
    return config;
}

/* ------------------------------------------------------------ providers */
static const turbohttp_tls_provider *tbh_secure_provider_at(const turbohttp_client *client,
                                                            size_t i) {
    size_t own = client->desc.tls_provider_count;
    if (i < own) return client->desc.tls_providers[i];
    return i == own ? tbh_secure_included() : NULL;
}

static const struct {
    uint32_t bit;
    const char *name;
} tbh_secure_abilities[] = {
    {TURBOHTTP_TLS_HAS_1_2, "1.2"},
    {TURBOHTTP_TLS_HAS_1_3, "1.3"},
    {TURBOHTTP_TLS_HAS_ALPN, "alpn"},
    {TURBOHTTP_TLS_HAS_RESUMPTION, "resumption"},
    {TURBOHTTP_TLS_HAS_SYSTEM_ROOTS, "system-roots"},
    {TURBOHTTP_TLS_HAS_OWN_ROOTS, "own-roots"},
    {TURBOHTTP_TLS_HAS_PINS, "pins"},
    {TURBOHTTP_TLS_HAS_CLIENT_CERT, "client-certificates"},
    {TURBOHTTP_TLS_HAS_SMALL_BUFFERS, "small-buffers"},
};

static uint32_t tbh_secure_needs(const turbohttp_tls_options *o) {
    uint32_t needs = 0;
    bool has_own = o->ca_file || o->ca_path || o->ca_data;
    if (has_own) needs |= TURBOHTTP_TLS_HAS_OWN_ROOTS;
    else if (!o->INSECURE_skip_verification) needs |= TURBOHTTP_TLS_HAS_SYSTEM_ROOTS;
    if (o->pins) needs |= TURBOHTTP_TLS_HAS_PINS;
    if (o->cert_file) needs |= TURBOHTTP_TLS_HAS_CLIENT_CERT;
    if (o->buffer_bytes) needs |= TURBOHTTP_TLS_HAS_SMALL_BUFFERS;
    if (o->min_version == TURBOHTTP_TLS_1_3) needs |= TURBOHTTP_TLS_HAS_1_3;
    if (o->max_version == TURBOHTTP_TLS_1_2) needs |= TURBOHTTP_TLS_HAS_1_2;
    return needs;
}

/* ------------------------------------------------------------ the choice, and its reasons */
typedef struct tbh_secure_choice {
    turbohttp_client *client;
    tbh_tls_config *config;
    uint32_t needs;
    turbohttp_error reasons; /* the text grows */
} tbh_secure_choice;

static void tbh_secure_say(turbohttp_error *to, const char *a, const char *b, const char *c) {
    tbh_error_append(to, a);
    tbh_error_append(to, b);
    tbh_error_append(to, c);
}

static void tbh_secure_say_lacks(turbohttp_error *to, const char *name, uint32_t lacks) {
    tbh_secure_say(to, "; ", name, " lacks");
    for (size_t i = 0; i < sizeof tbh_secure_abilities / sizeof tbh_secure_abilities[0]; i++)
        if (lacks & tbh_secure_abilities[i].bit)
            tbh_secure_say(to, " ", tbh_secure_abilities[i].name, "");
}

static turbohttp_tls_host tbh_secure_host(turbohttp_client *client) {
    turbohttp_tls_host host;
    memset(&host, 0, sizeof host);
    host.allocator = &client->allocator;
    host.random = client->io.random;
    host.unix_seconds = client->desc.wall_clock.unix_seconds;
    host.user = client->desc.wall_clock.user;
#if TBH_SOCKETS
    host.file_get = tbh_os_file_get_at;
#endif
    return host;
}

/* OK: chosen. UNSUPPORTED: the next one may try. Everything else is final: a provider that failed
 * is never replaced by one that might be less strict. */
static turbohttp_status tbh_secure_try(tbh_secure_choice *c, const turbohttp_tls_provider *p,
                                       uint32_t needs, turbohttp_error *error) {
    turbohttp_tls_host host = tbh_secure_host(c->client);
    uint32_t lacks = needs & ~p->capabilities;
    if (lacks) {
        tbh_secure_say_lacks(&c->reasons, p->name, lacks);
        return TURBOHTTP_ERR_UNSUPPORTED;
    }
    tbh_error_set(error, TURBOHTTP_ERR_TLS_CAPABILITY, TURBOHTTP_PHASE_TLS);
    turbohttp_status status =
        p->context_create(&host, &c->config->options, &c->config->context, error);
    if (status == TURBOHTTP_OK) c->config->provider = p;
    else if (status == TURBOHTTP_ERR_UNSUPPORTED)
        tbh_secure_say(&c->reasons, "; ", p->name, " is not usable here");
    else if (error && error->code != status) tbh_error_set(error, status, TURBOHTTP_PHASE_TLS);
    return status;
}

static bool tbh_secure_is_asked_for(const turbohttp_tls_options *o,
                                    const turbohttp_tls_provider *p) {
    return !o->provider || strcmp(o->provider, "auto") == 0 || strcmp(o->provider, p->name) == 0;
}

static turbohttp_status tbh_secure_walk(tbh_secure_choice *c, uint32_t needs,
                                        turbohttp_error *error) {
    const turbohttp_tls_provider *p;
    turbohttp_status status = TURBOHTTP_ERR_UNSUPPORTED;
    for (size_t i = 0; (p = tbh_secure_provider_at(c->client, i)) != NULL; i++) {
        if (!tbh_secure_is_asked_for(&c->config->options, p)) continue;
        status = tbh_secure_try(c, p, needs, error);
        if (status != TURBOHTTP_ERR_UNSUPPORTED) return status;
    }
    return status;
}

static void tbh_secure_log(tbh_secure_choice *c) {
    turbohttp_error line;
    const char *asked = c->config->options.provider;
    if (!c->client->desc.log) return;
    memset(&line, 0, sizeof line);
    tbh_secure_say(&line, "tls: ", c->config->provider->name, " chosen (");
    tbh_secure_say(&line, asked ? asked : "auto", ")", c->reasons.text);
    c->client->desc.log(c->client->desc.log_user, line.text);
}

/* Without ALPN there is still HTTP/1.1: that is the last resort, not a reason to fail. */
static turbohttp_status tbh_secure_choose(tbh_secure_choice *c, turbohttp_error *error) {
    if (!tbh_secure_provider_at(c->client, 0))
        return tbh_error_set(error, TURBOHTTP_ERR_TLS_MISSING, TURBOHTTP_PHASE_NONE);
    turbohttp_status status = tbh_secure_walk(c, c->needs | TURBOHTTP_TLS_HAS_ALPN, error);
    if (status == TURBOHTTP_ERR_UNSUPPORTED) {
        memset(&c->reasons, 0, sizeof c->reasons);
        status = tbh_secure_walk(c, c->needs, error);
    }
    if (status == TURBOHTTP_OK) tbh_secure_log(c);
    if (status != TURBOHTTP_ERR_UNSUPPORTED) return status;
    tbh_error_set(error, TURBOHTTP_ERR_TLS_CAPABILITY, TURBOHTTP_PHASE_TLS);
    if (!c->reasons.text[0])
        tbh_secure_say(&c->reasons, "; there is none named ", c->config->options.provider, "");
    if (error) tbh_error_append(error, c->reasons.text);
    return TURBOHTTP_ERR_TLS_CAPABILITY;
}

/* ------------------------------------------------------------ what no provider could mend */
/* A host name without the dots at its end ("127.0.0.1."). */
static turbohttp_span tbh_secure_trim(turbohttp_span name) {
    while (name.length && name.data[name.length - 1] == '.') name.length--;
    return name;
}

static turbohttp_status tbh_secure_check(const turbohttp_tls_options *o, turbohttp_error *error) {
    turbohttp_status status = TURBOHTTP_OK;
    const char *text = NULL;
    if (o->key_file && !o->cert_file) {
        status = TURBOHTTP_ERR_TLS_CLIENT_CERT;
        text = "tls.key_file is set, but not the certificate that it belongs to: set tls.cert_file";
    } else if (o->server_name &&
               tbh_secure_trim(tbh_span_of(o->server_name)).length > TBH_SECURE_NAME_MOST) {
        status = TURBOHTTP_ERR_INVALID_ARGUMENT;
        text = "tls.server_name is longer than the 255 characters that a host name can have";
    }
    if (!text) return TURBOHTTP_OK;
    tbh_error_set(error, status, TURBOHTTP_PHASE_NONE);
    tbh_error_text(error, text);
    return status;
}

/* ------------------------------------------------------------ configs */
static void tbh_secure_free(turbohttp_client *client, tbh_tls_config *config) {
    if (config->provider) config->provider->context_destroy(config->context);
    tbh_release(&client->allocator, config, config->bytes);
}

static void tbh_secure_prune(turbohttp_client *client, uint32_t kept) {
    tbh_tls_config **at = &client->tls_configs;
    for (uint32_t count = 0; *at;) {
        tbh_tls_config *config = *at;
        if (config->holders || count++ < kept) {
            at = &config->next;
            continue;
        }
        *at = config->next;
        tbh_secure_free(client, config);
    }
}

TBH_FN turbohttp_status tbh_secure_get(turbohttp_client *client,
                                       const turbohttp_tls_options *options, tbh_tls_config **out,
                                       turbohttp_error *error) {
    tbh_secure_choice choice;
    if (!options) options = &client->desc.tls;
    tbh_tls_config *config = client->tls_configs;
    while (config && !tbh_secure_equal(&config->options, options)) config = config->next;
    *out = config;
    if (config) {
        config->holders++;
        return TURBOHTTP_OK;
    }
    turbohttp_status status = tbh_secure_check(options, error);
    if (status != TURBOHTTP_OK) return status;
    config = tbh_secure_copy(client, options);
    if (!config) return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_NONE);
    memset(&choice, 0, sizeof choice);
    choice.client = client;
    choice.config = config;
    choice.needs = tbh_secure_needs(options);
    status = tbh_secure_choose(&choice, error);
    if (status != TURBOHTTP_OK) {
        tbh_secure_free(client, config);
        return status;
    }
    tbh_secure_prune(client, TBH_UNUSED_CONFIGS);
    config->holders = 1;
    config->next = client->tls_configs;
    client->tls_configs = config;
    *out = config;
    return TURBOHTTP_OK;
}

/* A config without holders stays a while: the next request probably wants it again. */
TBH_FN void tbh_secure_drop(tbh_tls_config *config) {
    if (config) config->holders--;
}

TBH_FN void tbh_secure_free_all(turbohttp_client *client) {
    tbh_secure_prune(client, 0);
}

/* ------------------------------------------------------------ plans */
static const char *const tbh_secure_protocols[] = {"h2", "http/1.1"};

/* A part of the row above, as the policy wants it. */
static void tbh_secure_offer(const tbh_origin *origin, turbohttp_tls_target *target) {
    bool offers_h2 = TBH_HTTP2 && origin->key.policy != TBH_POLICY_H1 && !origin->needs_h1;
    bool offers_h1 = !offers_h2 || origin->key.policy == TBH_POLICY_OFFER;
    target->protocols = offers_h2 ? tbh_secure_protocols : tbh_secure_protocols + 1;
    target->protocol_count = (size_t)offers_h2 + offers_h1;
}

TBH_FN const tbh_tls_plan *tbh_secure_plan(const tbh_origin *origin, char host[256],
                                           turbohttp_address *address, tbh_tls_plan *plan) {
    const tbh_tls_config *config = origin->key.tls;
    if (!config) return NULL;
    turbohttp_span name = origin->key.host;
    if (config->options.server_name) name = tbh_span_of(config->options.server_name);
    name = tbh_secure_trim(name);
    size_t n = tbh_min_size(name.length, TBH_SECURE_NAME_MOST); /* it is never longer */
    memcpy(host, name.data, n);
    host[n] = 0;
    memset(plan, 0, sizeof *plan);
    plan->provider = config->provider;
    plan->context = config->context;
    plan->target.host = host;
    plan->target.address = tbh_address_parse(name, address) ? address : NULL;
    tbh_secure_offer(origin, &plan->target);
    if (!config->options.disable_resumption) {
        plan->target.session = origin->session;
        plan->target.session_bytes = origin->session_bytes;
    }
    return plan;
}

/* ------------------------------------------------------------ summary */
TURBOHTTP_API const char *turbohttp_tls_summary(turbohttp_client *client, char *text, size_t room) {
    turbohttp_error line;
    const turbohttp_tls_provider *p;
    tbh_tls_config *chosen = NULL;
    memset(&line, 0, sizeof line);
    tbh_secure_get(client, NULL, &chosen, NULL);
    for (size_t i = 0; (p = tbh_secure_provider_at(client, i)) != NULL; i++) {
        tbh_secure_say(&line, i ? "; " : "", p->name, chosen && chosen->provider == p ? "*:" : ":");
        for (size_t k = 0; k < sizeof tbh_secure_abilities / sizeof tbh_secure_abilities[0]; k++)
            if (p->capabilities & tbh_secure_abilities[k].bit)
                tbh_secure_say(&line, " ", tbh_secure_abilities[k].name, "");
    }
    tbh_secure_drop(chosen);
    size_t n = tbh_min_size(strlen(line.text), room ? room - 1 : 0);
    if (room) {
        memcpy(text, line.text, n);
        text[n] = 0;
    }
    return text;
}

#else
TBH_FN turbohttp_status tbh_secure_get(turbohttp_client *client,
                                       const turbohttp_tls_options *options,
                                       tbh_tls_config **config, turbohttp_error *error) {
    (void)client, (void)options;
    *config = NULL;
    return tbh_error_set(error, TURBOHTTP_ERR_TLS_MISSING, TURBOHTTP_PHASE_NONE);
}

TBH_FN void tbh_secure_drop(tbh_tls_config *config) {
    (void)config;
}

TBH_FN void tbh_secure_free_all(turbohttp_client *client) {
    (void)client;
}

TBH_FN const tbh_tls_plan *tbh_secure_plan(const tbh_origin *origin, char host[256],
                                           turbohttp_address *address, tbh_tls_plan *plan) {
    (void)origin, (void)host, (void)address, (void)plan;
    return NULL;
}

TURBOHTTP_API const char *turbohttp_tls_summary(turbohttp_client *client, char *text, size_t room) {
    (void)client;
    if (room) text[0] = 0;
    return text;
}
#endif
