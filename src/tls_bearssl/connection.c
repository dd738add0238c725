/* One connection over BearSSL's engine.
 * Owns BearSSL's context, its buffers, and the handshake's part until that is over; all wiped when
 * the connection is shut. Invariants: TLS 1.2, ephemeral keys and AEAD suites only; no byte after
 * the certificates reaches the engine before they are trusted; entropy comes from the client's
 * source, and its failure is an error. Does not know: sockets, HTTP. */
#include "connection.h"

/* Of BearSSL: a record's header, nonce, MAC and padding; and the least that RFC 6066 lets us ask. */
#define TBH_BEAR_IN_OVERHEAD    325u
#define TBH_BEAR_LEAST          (512u + TBH_BEAR_IN_OVERHEAD)

/* Received in one handshake: two lists of the largest size, certificates and authorities, in records
 * of any sensible size. HelloRequest and warnings may come for ever otherwise. */
#define TBH_BEAR_HANDSHAKE_MOST (256u * 1024u)

static const char tbh_bear_name[] = "bearssl";

/* ------------------------------------------------------------ hardened settings */
static const uint16_t tbh_bear_suites_aes[] = {
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};
static const uint16_t tbh_bear_suites_chacha[] = {
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

/* Without instructions for AES it is five times slower than ChaCha20. */
static void tbh_bear_set_suites(br_ssl_engine_context *engine) {
    bool has_aes = br_aes_x86ni_ctr_get_vtable() != NULL || br_aes_pwr8_ctr_get_vtable() != NULL;
    br_ssl_engine_set_suites(engine, has_aes ? tbh_bear_suites_aes : tbh_bear_suites_chacha, 6);
}

static void tbh_bear_set_up(tbh_bear *bear) {
    br_ssl_client_context *client = &bear->client;
    br_ssl_engine_context *engine = &client->eng;
    br_ssl_client_zero(client);
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    tbh_bear_set_suites(engine);
    br_ssl_client_set_default_rsapub(client);
    br_ssl_engine_set_default_rsavrfy(engine);
    br_ssl_engine_set_default_ecdsa(engine);
    br_ssl_engine_set_default_aes_gcm(engine);
    br_ssl_engine_set_default_chapol(engine);
    br_ssl_engine_set_hash(engine, br_sha224_ID, &br_sha224_vtable);
    br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(engine, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
    br_ssl_engine_set_x509(engine, &bear->handshake->chain.vtable);
    br_ssl_engine_set_all_flags(engine, BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH);
}

/* ------------------------------------------------------------ opening */
static size_t tbh_bear_buffer_bytes(const turbohttp_tls_options *options) {
    size_t wanted = options->buffer_bytes;
    if (wanted == 0) return BR_SSL_BUFSIZE_BIDI;
    return wanted > BR_SSL_BUFSIZE_MONO ? BR_SSL_BUFSIZE_MONO : wanted;
}

static tbh_bear *tbh_bear_allocate_all(tbh_bear_context *context) {
    size_t bytes = sizeof(tbh_bear) + tbh_bear_buffer_bytes(context->options);
    tbh_bear *bear = (tbh_bear *)tbh_bear_allocate(&context->host, bytes);
    tbh_bear_handshake *handshake =
        (tbh_bear_handshake *)tbh_bear_allocate(&context->host, sizeof *handshake);
    if (!bear || !handshake) {
        tbh_bear_release(&context->host, bear, bytes);
        tbh_bear_release(&context->host, handshake, sizeof *handshake);
        return NULL;
    }
    memset(bear, 0, sizeof *bear);
    memset(handshake, 0, sizeof *handshake);
    bear->bytes = bytes;
    bear->buffer = (unsigned char *)(bear + 1);
    bear->context = context;
    bear->handshake = handshake;
    return bear;
}

/* A name that were cut short would be verified as another one. */
static turbohttp_status tbh_bear_check_host(const turbohttp_tls_target *target,
                                            turbohttp_error *error) {
    const tbh_chain_rules *rules = NULL;
    if (strlen(target->host) < sizeof rules->host) return TURBOHTTP_OK;
    tbh_bear_say(error, TURBOHTTP_ERR_INVALID_ARGUMENT,
                 "the host name is longer than 255 characters", "", "");
    return TURBOHTTP_ERR_INVALID_ARGUMENT;
}

static void tbh_bear_set_rules(tbh_bear *bear, const turbohttp_tls_target *target) {
    tbh_chain_rules *rules = &bear->handshake->rules;
    tbh_bear_context *context = bear->context;
    size_t n = strlen(target->host);
    rules->roots = &context->roots;
    rules->pins = (const unsigned char(*)[32])context->identity.pins;
    rules->pin_count = context->identity.pin_count;
    memcpy(rules->host, target->host, n);
    while (n > 0 && rules->host[n - 1] == '.') rules->host[--n] = 0; /* "example.com." */
    rules->is_address = target->address != NULL;
    if (target->address) rules->address = *target->address;
    tbh_chain_init(&bear->handshake->chain, rules);
}

static void tbh_bear_set_protocols(tbh_bear *bear, const turbohttp_tls_target *target) {
    size_t count = target->protocol_count < 2 ? target->protocol_count : 2;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(target->protocols[i]);
        if (n >= sizeof bear->protocols[i]) n = sizeof bear->protocols[i] - 1;
        memcpy(bear->protocols[i], target->protocols[i], n);
        bear->protocol_names[i] = bear->protocols[i];
    }
    if (count) br_ssl_engine_set_protocol_names(&bear->client.eng, bear->protocol_names, count);
}

static bool tbh_bear_set_session(tbh_bear *bear, const turbohttp_tls_target *target) {
    br_ssl_session_parameters session;
    if (target->session_bytes != sizeof session) return false;
    memcpy(&session, target->session, sizeof session);
    br_ssl_engine_set_session_parameters(&bear->client.eng, &session);
    bear->offered_length = session.session_id_len;
    memcpy(bear->offered_id, session.session_id, sizeof bear->offered_id);
    tbh_bear_wipe(&session, sizeof session);
    return bear->offered_length > 0;
}

/* BearSSL's own seed may be one instruction of the CPU: the system's entropy goes in first. */
static bool tbh_bear_seed(tbh_bear *bear) {
    const turbohttp_random *random = &bear->context->host.random;
    unsigned char seed[48];
    if (!random->fill || !random->fill(random->user, seed, sizeof seed)) return false;
    br_ssl_engine_inject_entropy(&bear->client.eng, seed, sizeof seed);
    tbh_bear_wipe(seed, sizeof seed);
    return true;
}

static turbohttp_status tbh_bear_start(tbh_bear *bear, const turbohttp_tls_target *target,
                                       turbohttp_error *error) {
    br_ssl_engine_context *engine = &bear->client.eng;
    const turbohttp_tls_options *options = bear->context->options;
    tbh_bear_set_rules(bear, target);
    tbh_bear_set_up(bear);
    tbh_bear_set_protocols(bear, target);
    tbh_identity_use(&bear->context->identity, &bear->client);
    br_ssl_engine_set_buffer(engine, bear->buffer, tbh_bear_buffer_bytes(options),
                             options->buffer_bytes == 0);
    bool resumes = tbh_bear_set_session(bear, target);
    if (!tbh_bear_seed(bear)) return tbh_bear_map(BR_ERR_NO_RANDOM, true, error);
    /* RFC 6066 §3: an address is not sent as a server name. */
    const char *name = target->address ? NULL : bear->handshake->rules.host;
    if (!br_ssl_client_reset(&bear->client, name, resumes))
        return tbh_bear_map(br_ssl_engine_last_error(engine), true, error);
    return TURBOHTTP_OK;
}

static void tbh_bear_end_handshake(tbh_bear *bear) {
    tbh_bear_handshake *handshake = bear->handshake;
    if (!handshake) return;
    tbh_chain_free(&handshake->chain);
    tbh_bear_wipe(handshake, sizeof *handshake); /* names, and what was said in the clear */
    tbh_bear_release(&bear->context->host, handshake, sizeof *handshake);
    bear->handshake = NULL;
}

static void tbh_bear_shut(void *tls) {
    tbh_bear *bear = (tbh_bear *)tls;
    const turbohttp_tls_host *host = &bear->context->host;
    size_t bytes = bear->bytes;
    tbh_bear_end_handshake(bear);
    tbh_bear_wipe(bear, bytes);
    tbh_bear_release(host, bear, bytes);
}

static turbohttp_status tbh_bear_open(void *context, const turbohttp_tls_target *target, void **tls,
                                      turbohttp_error *error) {
    turbohttp_status status = tbh_bear_check_host(target, error);
    if (status != TURBOHTTP_OK) return status;
    tbh_bear *bear = tbh_bear_allocate_all((tbh_bear_context *)context);
    if (!bear) {
        tbh_bear_say(error, TURBOHTTP_ERR_OUT_OF_MEMORY,
                     turbohttp_status_text(TURBOHTTP_ERR_OUT_OF_MEMORY), "", "");
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    status = tbh_bear_start(bear, target, error);
    if (status == TURBOHTTP_OK) *tls = bear;
    else tbh_bear_shut(bear);
    return status;
}

/* ------------------------------------------------------------ handshake, in slices */
enum { TBH_ALERT_UNEXPECTED = 10, TBH_ALERT_BAD_CERTIFICATE = 42 };

static turbohttp_status tbh_bear_fail(tbh_bear *bear, turbohttp_status status,
                                      unsigned char alert) {
    static const unsigned char fatal[7] = {21, 3, 3, 0, 2, 2, 0};
    memcpy(bear->alert, fatal, sizeof bear->alert);
    bear->alert[6] = alert;
    bear->alert_left = sizeof bear->alert;
    bear->failure = status;
    return status;
}

static turbohttp_status tbh_bear_judge(tbh_bear *bear, turbohttp_error *error) {
    turbohttp_status status = tbh_chain_step(&bear->handshake->chain, error);
    bear->wants_step = true;
    return status < 0 ? tbh_bear_fail(bear, status, TBH_ALERT_BAD_CERTIFICATE) : TURBOHTTP_PENDING;
}

static turbohttp_status tbh_bear_flooded(tbh_bear *bear, turbohttp_error *error) {
    tbh_bear_say(error, TURBOHTTP_ERR_TLS_HANDSHAKE,
                 "the server sent 256 KiB without an end to the TLS handshake", "", "");
    return tbh_bear_fail(bear, TURBOHTTP_ERR_TLS_HANDSHAKE, TBH_ALERT_UNEXPECTED);
}

static void tbh_bear_feed(tbh_bear *bear) {
    tbh_bear_handshake *h = bear->handshake;
    tbh_split split = TBH_SPLIT_PIECE;
    while (split == TBH_SPLIT_PIECE && h->chain.state != TBH_CHAIN_VERIFYING)
        split = tbh_splitter_next(&h->splitter, &bear->client.eng);
    bear->wants_step = split == TBH_SPLIT_MESSAGE || h->chain.state == TBH_CHAIN_VERIFYING;
}

/* What BearSSL takes for a strange version is no TLS at all when the record does not look like it. */
static int tbh_bear_cause(const tbh_bear *bear, int code) {
    const tbh_splitter *s = bear->handshake ? &bear->handshake->splitter : NULL;
    bool is_version = code == BR_ERR_UNSUPPORTED_VERSION || code == BR_ERR_BAD_VERSION;
    return s && is_version && s->record_fill == 5 && s->record[1] != 3 ? TBH_BEAR_NOT_TLS : code;
}

static turbohttp_status tbh_bear_step(void *tls, turbohttp_error *error) {
    tbh_bear *bear = (tbh_bear *)tls;
    br_ssl_engine_context *engine = &bear->client.eng;
    bear->wants_step = false;
    if (bear->failure) return bear->failure;
    if (bear->handshake) {
        if (bear->handshake->chain.state == TBH_CHAIN_VERIFYING) return tbh_bear_judge(bear, error);
        tbh_bear_feed(bear);
        if (!bear->is_up && bear->handshake->received > TBH_BEAR_HANDSHAKE_MOST)
            return tbh_bear_flooded(bear, error);
    }
    unsigned state = br_ssl_engine_current_state(engine);
    if (state == BR_SSL_CLOSED) {
        int code = br_ssl_engine_last_error(engine);
        if (code == BR_ERR_OK && bear->is_up) return TURBOHTTP_DONE;
        return tbh_bear_map(tbh_bear_cause(bear, code), !bear->is_up, error);
    }
    bear->is_up = bear->is_up || (state & (BR_SSL_SENDAPP | BR_SSL_RECVAPP));
    if (!bear->is_up) return TURBOHTTP_PENDING;
    if (bear->handshake && bear->handshake->splitter.at == bear->handshake->splitter.fill)
        tbh_bear_end_handshake(bear);
    return TURBOHTTP_OK;
}

static uint32_t tbh_bear_wants(const void *tls) {
    const tbh_bear *bear = (const tbh_bear *)tls;
    unsigned state = br_ssl_engine_current_state(&bear->client.eng);
    uint32_t wants = bear->wants_step ? (uint32_t)TURBOHTTP_TLS_STEP : 0u;
    if (state & BR_SSL_SENDREC || bear->alert_left) wants |= TURBOHTTP_TLS_WIRE_OUT;
    if (state & BR_SSL_RECVREC) wants |= TURBOHTTP_TLS_WIRE_IN;
    if (state & BR_SSL_SENDAPP && bear->is_up) wants |= TURBOHTTP_TLS_PLAIN_IN;
    if (state & BR_SSL_RECVAPP && bear->is_up) wants |= TURBOHTTP_TLS_PLAIN_OUT;
    return wants;
}

/* ------------------------------------------------------------ ports */
static void *tbh_bear_wire_in_room(void *tls, size_t *room) {
    tbh_bear *bear = (tbh_bear *)tls;
    tbh_splitter *s = bear->handshake ? &bear->handshake->splitter : NULL;
    if (!s || (s->is_over && s->at == s->fill))
        return br_ssl_engine_recvrec_buf(&bear->client.eng, room);
    if (s->at == s->fill) s->at = s->fill = 0;
    *room = sizeof s->hold - s->fill;
    return *room ? s->hold + s->fill : NULL;
}

static void tbh_bear_wire_in_commit(void *tls, size_t n) {
    tbh_bear *bear = (tbh_bear *)tls;
    tbh_splitter *s = bear->handshake ? &bear->handshake->splitter : NULL;
    if (!s || (s->is_over && s->at == s->fill)) br_ssl_engine_recvrec_ack(&bear->client.eng, n);
    else s->fill += n;
    if (s) bear->handshake->received += n;
}

static const void *tbh_bear_wire_out_peek(void *tls, size_t *n) {
    tbh_bear *bear = (tbh_bear *)tls;
    const void *out = br_ssl_engine_sendrec_buf(&bear->client.eng, n);
    if (out || !bear->alert_left) return out;
    *n = bear->alert_left;
    return bear->alert + sizeof bear->alert - bear->alert_left;
}

static void tbh_bear_wire_out_consume(void *tls, size_t n) {
    tbh_bear *bear = (tbh_bear *)tls;
    size_t left;
    if (br_ssl_engine_sendrec_buf(&bear->client.eng, &left))
        br_ssl_engine_sendrec_ack(&bear->client.eng, n);
    else bear->alert_left -= (unsigned)n;
}

static void *tbh_bear_plain_in_room(void *tls, size_t *room) {
    return br_ssl_engine_sendapp_buf(&((tbh_bear *)tls)->client.eng, room);
}

static void tbh_bear_plain_in_commit(void *tls, size_t n) {
    br_ssl_engine_sendapp_ack(&((tbh_bear *)tls)->client.eng, n);
}

static const void *tbh_bear_plain_out_peek(void *tls, size_t *n) {
    return br_ssl_engine_recvapp_buf(&((tbh_bear *)tls)->client.eng, n);
}

static void tbh_bear_plain_out_consume(void *tls, size_t n) {
    br_ssl_engine_recvapp_ack(&((tbh_bear *)tls)->client.eng, n);
}

static void tbh_bear_flush(void *tls) {
    br_ssl_engine_flush(&((tbh_bear *)tls)->client.eng, 0);
}

/* BearSSL 0.6 does not close while plain bytes wait: they are not wanted any more. */
static void tbh_bear_close(void *tls) {
    br_ssl_engine_context *engine = &((tbh_bear *)tls)->client.eng;
    size_t n;
    if (br_ssl_engine_recvapp_buf(engine, &n)) br_ssl_engine_recvapp_ack(engine, n);
    br_ssl_engine_close(engine);
}

/* ------------------------------------------------------------ results */
static void tbh_bear_info(const void *tls, turbohttp_tls_info *info) {
    const tbh_bear *bear = (const tbh_bear *)tls;
    const br_ssl_session_parameters *session = &bear->client.eng.session;
    const char *protocol =
        br_ssl_engine_get_selected_protocol((br_ssl_engine_context *)(uintptr_t)&bear->client.eng);
    memset(info, 0, sizeof *info);
    info->provider = tbh_bear_name;
    info->version = session->version;
    info->cipher_suite = session->cipher_suite;
    info->is_resumed = bear->offered_length && session->session_id_len == bear->offered_length &&
                       memcmp(session->session_id, bear->offered_id, bear->offered_length) == 0;
    if (protocol) memcpy(info->protocol, protocol, strlen(protocol) + 1);
}

static size_t tbh_bear_session_get(const void *tls, void *to, size_t room) {
    const tbh_bear *bear = (const tbh_bear *)tls;
    const br_ssl_session_parameters *session = &bear->client.eng.session;
    if (session->session_id_len == 0 || room < sizeof *session) return 0;
    memcpy(to, session, sizeof *session);
    return sizeof *session;
}

/* ------------------------------------------------------------ contexts */
static void tbh_bear_context_destroy(void *pointer) {
    tbh_bear_context *context = (tbh_bear_context *)pointer;
    if (!context) return;
    turbohttp_tls_host host = context->host;
    tbh_identity_free(&context->identity, &host);
    tbh_roots_free(&context->roots);
    tbh_bear_release(&host, context, sizeof *context);
}

static turbohttp_status tbh_bear_check_options(const turbohttp_tls_options *options,
                                               turbohttp_error *error) {
    if (!options->buffer_bytes || options->buffer_bytes >= TBH_BEAR_LEAST) return TURBOHTTP_OK;
    tbh_bear_say(error, TURBOHTTP_ERR_INVALID_ARGUMENT,
                 "tls.buffer_bytes is too small: ", "give at least 837", "");
    return TURBOHTTP_ERR_INVALID_ARGUMENT;
}

static turbohttp_status tbh_bear_context_create(const turbohttp_tls_host *host,
                                                const turbohttp_tls_options *options, void **out,
                                                turbohttp_error *error) {
    turbohttp_status status = tbh_bear_check_options(options, error);
    if (status != TURBOHTTP_OK) return status;
    tbh_bear_context *context = (tbh_bear_context *)tbh_bear_allocate(host, sizeof *context);
    if (!context) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(context, 0, sizeof *context);
    context->host = *host;
    context->options = options;
    context->roots.host = &context->host;
    context->roots.options = options;
    status = tbh_identity_read(&context->identity, host, options, error);
    if (status == TURBOHTTP_OK) *out = context;
    else tbh_bear_context_destroy(context);
    return status;
}

static const turbohttp_tls_provider tbh_bear_provider = {
    tbh_bear_name,
    TURBOHTTP_TLS_HAS_1_2 | TURBOHTTP_TLS_HAS_ALPN | TURBOHTTP_TLS_HAS_RESUMPTION |
        TURBOHTTP_TLS_HAS_SYSTEM_ROOTS | TURBOHTTP_TLS_HAS_OWN_ROOTS | TURBOHTTP_TLS_HAS_PINS |
        TURBOHTTP_TLS_HAS_CLIENT_CERT | TURBOHTTP_TLS_HAS_SMALL_BUFFERS,
    tbh_bear_context_create,
    tbh_bear_context_destroy,
    tbh_bear_open,
    tbh_bear_shut,
    tbh_bear_step,
    tbh_bear_wants,
    tbh_bear_wire_in_room,
    tbh_bear_wire_in_commit,
    tbh_bear_wire_out_peek,
    tbh_bear_wire_out_consume,
    tbh_bear_plain_in_room,
    tbh_bear_plain_in_commit,
    tbh_bear_plain_out_peek,
    tbh_bear_plain_out_consume,
    tbh_bear_flush,
    tbh_bear_close,
    tbh_bear_info,
    tbh_bear_session_get,
};

TURBOHTTP_API const turbohttp_tls_provider *turbohttp_tls_bearssl(void) {
    return &tbh_bear_provider;
}
