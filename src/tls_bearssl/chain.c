/* The peer's certificate chain.
 * Owns the bytes of the certificates and the anchors found for them. BearSSL hands the certificates
 * over as it reads them; nothing is judged then. When the message is complete they are put in
 * order, whatever the peer's order was, and given to BearSSL's own engine one at a time, so that no
 * call costs more than one signature. What that engine leaves open is checked last: the host by
 * subjectAltName alone, usage, name constraints, pins.
 * Invariants: the handshake gets no further byte before the verdict; no byte count of the wire
 * sizes an allocation. Does not know: records, sessions. */
#include "chain.h"

#define TBH_CHAIN_BYTES_MAX 65536u

/* ------------------------------------------------------------ collecting: BearSSL calls these */
static tbh_chain *tbh_chain_of(const br_x509_class **engine) {
    return (tbh_chain *)(void *)engine;
}

static void tbh_chain_start(const br_x509_class **engine, const char *server_name) {
    tbh_chain *chain = tbh_chain_of(engine);
    (void)server_name;
    chain->count = 0;
    chain->fill = 0;
}

static void tbh_chain_start_cert(const br_x509_class **engine, uint32_t length) {
    tbh_chain *chain = tbh_chain_of(engine);
    (void)length;
    if (chain->count >= TBH_CHAIN_CERTS) chain->is_too_large = true;
    else chain->starts[chain->count] = chain->fill;
}

static bool tbh_chain_grow(tbh_chain *chain, size_t wanted) {
    const turbohttp_tls_host *host = chain->rules->roots->host;
    size_t capacity = chain->capacity ? chain->capacity : 2048;
    if (wanted <= chain->capacity) return true;
    while (capacity < wanted) capacity *= 2;
    if (capacity > TBH_CHAIN_BYTES_MAX) return false;
    unsigned char *bytes = (unsigned char *)tbh_bear_allocate(host, capacity);
    chain->is_starved = !bytes;
    if (!bytes) return false;
    if (chain->fill) memcpy(bytes, chain->bytes, chain->fill);
    tbh_bear_release(host, chain->bytes, chain->capacity);
    chain->bytes = bytes;
    chain->capacity = capacity;
    return true;
}

static void tbh_chain_append(const br_x509_class **engine, const unsigned char *data, size_t n) {
    tbh_chain *chain = tbh_chain_of(engine);
    if (chain->is_too_large) return;
    if (!tbh_chain_grow(chain, chain->fill + n)) {
        chain->is_too_large = true;
        return;
    }
    memcpy(chain->bytes + chain->fill, data, n);
    chain->fill += n;
}

static void tbh_chain_end_cert(const br_x509_class **engine) {
    tbh_chain *chain = tbh_chain_of(engine);
    if (!chain->is_too_large) chain->starts[++chain->count] = chain->fill;
}

static tbh_der tbh_chain_cert(const tbh_chain *chain, unsigned i) {
    tbh_der der = {chain->bytes + chain->starts[i], chain->starts[i + 1] - chain->starts[i]};
    return der;
}

/* BearSSL only wants the kind of key here; the verdict follows in slices. */
static unsigned tbh_chain_end(const br_x509_class **engine) {
    tbh_chain *chain = tbh_chain_of(engine);
    if (chain->is_starved) return TBH_CHAIN_STARVED;
    if (chain->is_too_large) return BR_ERR_X509_LIMIT_EXCEEDED;
    if (chain->count == 0) return BR_ERR_X509_EMPTY_CHAIN;
    if (!tbh_cert_read(&chain->path[0], tbh_chain_cert(chain, 0))) return BR_ERR_X509_INVALID_VALUE;
    if (!tbh_cert_key(&chain->path[0], &chain->leaf_key)) return BR_ERR_X509_UNSUPPORTED;
    chain->state = TBH_CHAIN_VERIFYING;
    chain->path_length = 1;
    return 0;
}

/* Once verified, the key is the one that BearSSL's own engine found: one parser decides. */
static const br_x509_pkey *tbh_chain_get_pkey(const br_x509_class *const *engine,
                                              unsigned *usages) {
    const tbh_chain *chain = (const tbh_chain *)(const void *)engine;
    if (chain->state == TBH_CHAIN_DONE && !chain->rules->roots->options->INSECURE_skip_verification)
        return chain->minimal.vtable->get_pkey(&chain->minimal.vtable, usages);
    if (usages) *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    return &chain->leaf_key;
}

static const br_x509_class tbh_chain_class = {
    sizeof(tbh_chain),  tbh_chain_start, tbh_chain_start_cert, tbh_chain_append,
    tbh_chain_end_cert, tbh_chain_end,   tbh_chain_get_pkey,
};

TBH_BEAR_FN void tbh_chain_init(tbh_chain *chain, const tbh_chain_rules *rules) {
    memset(chain, 0, sizeof *chain);
    chain->vtable = &tbh_chain_class;
    chain->rules = rules;
}

TBH_BEAR_FN void tbh_chain_free(tbh_chain *chain) {
    const tbh_roots *roots = chain->rules->roots;
    tbh_anchors_free(roots, &chain->anchors);
    tbh_bear_release(roots->host, chain->bytes, chain->capacity);
    chain->bytes = NULL;
    chain->capacity = 0;
}

/* ------------------------------------------------------------ order */
/* Leaf, its issuer, and so on; strangers, copies and the root itself fall out. */
static void tbh_chain_sort(tbh_chain *chain) {
    uint32_t used = 1;
    while (chain->path_length < TBH_CHAIN_PATH) {
        const tbh_cert *last = &chain->path[chain->path_length - 1];
        tbh_cert *place = &chain->path[chain->path_length];
        unsigned i = 1;
        if (tbh_der_equal(last->issuer, last->subject)) return;
        for (; i < chain->count; i++) {
            if (used >> i & 1 || !tbh_cert_read(place, tbh_chain_cert(chain, i))) continue;
            if (tbh_der_equal(place->subject, last->issuer)) break;
        }
        if (i == chain->count) return;
        used |= 1u << i;
        chain->path_length++;
    }
}

static void tbh_chain_find_anchors(tbh_chain *chain) {
    tbh_roots_find(chain->rules->roots, chain->path[0].subject, &chain->anchors);
    for (unsigned i = 0; i < chain->path_length; i++)
        if (!tbh_der_equal(chain->path[i].issuer, chain->path[0].subject))
            tbh_roots_find(chain->rules->roots, chain->path[i].issuer, &chain->anchors);
}

/* ------------------------------------------------------------ BearSSL's engine */
static void tbh_chain_prepare_minimal(tbh_chain *chain) {
    br_x509_minimal_context *m = &chain->minimal;
    br_x509_minimal_init(m, &br_sha256_vtable, chain->anchors.table, chain->anchors.count);
    br_x509_minimal_set_hash(m, br_sha224_ID, &br_sha224_vtable);
    br_x509_minimal_set_hash(m, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(m, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(m, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_rsa(m, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(m, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
    br_x509_minimal_set_minrsa(m, 256); /* bytes: 2048 bits */
}

static void tbh_chain_set_time(tbh_chain *chain, const tbh_cert *cert, uint64_t now) {
    if (chain->rules->roots->options->ignore_certificate_dates) now = cert->not_before;
    br_x509_minimal_set_time(&chain->minimal, (uint32_t)(now / 86400 + 719528),
                             (uint32_t)(now % 86400));
}

static uint64_t tbh_chain_now(const tbh_chain *chain) {
    const turbohttp_tls_host *host = chain->rules->roots->host;
    return host->unix_seconds ? host->unix_seconds(host->user) : 0;
}

static void tbh_chain_feed(tbh_chain *chain, const tbh_cert *cert) {
    const br_x509_class **engine = &chain->minimal.vtable;
    (*engine)->start_cert(engine, (uint32_t)cert->whole.length);
    (*engine)->append(engine, cert->whole.data, cert->whole.length);
    (*engine)->end_cert(engine);
}

/* ------------------------------------------------------------ verdicts */
static void tbh_chain_date(uint64_t seconds, char text[11]) {
    uint64_t days = seconds / 86400 + 719468, era = days / 146097; /* days since March 1, year 0 */
    unsigned day = (unsigned)(days % 146097);
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    unsigned m = (5 * day + 2) / 153, month = m < 10 ? m + 3 : m - 9;
    year += (unsigned)era * 400 + (month <= 2);
    day = day - (153 * m + 2) / 5 + 1;
    unsigned digits[8] = {year / 1000, year / 100, year / 10, year,
                          month / 10,  month,      day / 10,  day};
    for (int i = 0, at = 0; i < 8; i++) {
        if (i == 4 || i == 6) text[at++] = '-';
        text[at++] = (char)('0' + digits[i] % 10);
    }
    text[10] = 0;
}

static turbohttp_status tbh_chain_bad_date(const tbh_chain *chain, turbohttp_error *error) {
    uint64_t now = tbh_chain_now(chain);
    char date[11];
    for (unsigned i = 0; i < chain->path_length; i++) {
        const tbh_cert *cert = &chain->path[i];
        const char *whose = i ? "an issuer's certificate " : "certificate ";
        if (now < cert->not_before) {
            tbh_chain_date(cert->not_before, date);
            tbh_bear_say(error, TURBOHTTP_ERR_CERT_NOT_YET_VALID, whose, "is not valid before ",
                         date);
            tbh_bear_add(error, ": check this machine's clock");
            return TURBOHTTP_ERR_CERT_NOT_YET_VALID;
        }
        if (now <= cert->not_after) continue;
        tbh_chain_date(cert->not_after, date);
        tbh_bear_say(error, TURBOHTTP_ERR_CERT_EXPIRED, whose, "expired on ", date);
        tbh_bear_add(error, ": check the server, or this machine's clock");
        return TURBOHTTP_ERR_CERT_EXPIRED;
    }
    return TURBOHTTP_ERR_CERT_EXPIRED;
}

static turbohttp_status tbh_chain_say_name(const tbh_chain *chain, turbohttp_error *error) {
    bool has_names = chain->path[0].alt_names.length > 0;
    tbh_bear_say(error, TURBOHTTP_ERR_CERT_NAME,
                 has_names ? "certificate was not issued to "
                           : "certificate names no host, so not ",
                 chain->rules->host,
                 has_names ? ": check the host in the URL"
                           : ": it needs a subjectAltName (a common name does not count)");
    return TURBOHTTP_ERR_CERT_NAME;
}

static turbohttp_status tbh_chain_untrusted(const tbh_chain *chain, turbohttp_error *error) {
    const tbh_cert *last = &chain->path[chain->path_length - 1];
    bool is_self = tbh_der_equal(last->issuer, last->subject);
    tbh_bear_say(error, TURBOHTTP_ERR_CERT_UNTRUSTED,
                 is_self && chain->path_length == 1 ? "certificate is self-signed"
                 : is_self ? "certificate chain ends at a root that is not trusted"
                           : "certificate's issuer is unknown, or the server left it out",
                 ": set tls.ca_file to its CA",
                 is_self ? "" : ", or let the server send the whole chain");
    return TURBOHTTP_ERR_CERT_UNTRUSTED;
}

static bool tbh_chain_is_weak(const tbh_chain *chain) {
    for (unsigned i = 0; i < chain->path_length; i++)
        if (tbh_cert_has_weak_signature(&chain->path[i])) return true;
    return false;
}

static turbohttp_status tbh_chain_verdict(const tbh_chain *chain, unsigned code,
                                          turbohttp_error *error) {
    turbohttp_status status = TURBOHTTP_ERR_CERT_CHAIN;
    switch (code) {
    case 0: return TURBOHTTP_OK;
    case BR_ERR_X509_EXPIRED: return tbh_chain_bad_date(chain, error);
    case BR_ERR_X509_BAD_SERVER_NAME: return tbh_chain_say_name(chain, error);
    case BR_ERR_X509_NOT_TRUSTED: return tbh_chain_untrusted(chain, error);
    case BR_ERR_X509_TIME_UNKNOWN: status = TURBOHTTP_ERR_TLS_CLOCK; break;
    case BR_ERR_X509_UNSUPPORTED:
    case BR_ERR_X509_CRITICAL_EXTENSION: status = TURBOHTTP_ERR_CERT_UNSUPPORTED; break;
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
    case BR_ERR_X509_NOT_CA: status = TURBOHTTP_ERR_CERT_USAGE; break;
    case BR_ERR_X509_WEAK_PUBLIC_KEY: status = TURBOHTTP_ERR_CERT_WEAK; break;
    default: break;
    }
    if (status == TURBOHTTP_ERR_CERT_UNSUPPORTED && tbh_chain_is_weak(chain))
        status = TURBOHTTP_ERR_CERT_WEAK;
    tbh_bear_say(error, status,
                 code == BR_ERR_X509_BAD_SIGNATURE
                     ? "certificate was not signed by the issuer that it names"
                     : turbohttp_status_text(status),
                 "", "");
    if (error) error->system_code = (int32_t)code;
    return status;
}

/* ------------------------------------------------------------ what BearSSL's engine leaves open */
static bool tbh_chain_is_pinned(const tbh_chain *chain) {
    br_sha256_context sha;
    unsigned char hash[32];
    const tbh_cert *leaf = &chain->path[0];
    br_sha256_init(&sha);
    br_sha256_update(&sha, leaf->spki.data, leaf->spki.length);
    br_sha256_out(&sha, hash);
    for (unsigned i = 0; i < chain->rules->pin_count; i++)
        if (memcmp(chain->rules->pins[i], hash, sizeof hash) == 0) return true;
    return false;
}

static bool tbh_chain_names_us(const tbh_chain *chain) {
    const tbh_chain_rules *rules = chain->rules;
    return rules->is_address ? tbh_cert_is_for_address(&chain->path[0], &rules->address)
                             : tbh_cert_is_for_host(&chain->path[0], rules->host);
}

static turbohttp_status tbh_chain_fail(turbohttp_error *error, turbohttp_status status) {
    tbh_bear_say(error, status, turbohttp_status_text(status), "", "");
    return status;
}

static turbohttp_status tbh_chain_check_rest(const tbh_chain *chain, turbohttp_error *error) {
    if (!tbh_chain_names_us(chain)) return tbh_chain_say_name(chain, error);
    /* An issuer's list binds those below it as well: a CA for mail vouches for no server. */
    for (unsigned i = 0; i < chain->path_length; i++)
        if (!tbh_cert_is_for_servers(&chain->path[i]))
            return tbh_chain_fail(error, TURBOHTTP_ERR_CERT_USAGE);
    for (unsigned i = 1; i < chain->path_length; i++)
        if (!tbh_cert_permits(&chain->path[i], &chain->path[0]))
            return tbh_chain_fail(error, TURBOHTTP_ERR_CERT_USAGE);
    return TURBOHTTP_OK;
}

/* All suites are ephemeral: the server's key signs (RFC 8422 §2). No key usage allows all. */
static turbohttp_status tbh_chain_check_key(const tbh_chain *chain, turbohttp_error *error) {
    unsigned usages = 0;
    chain->minimal.vtable->get_pkey(&chain->minimal.vtable, &usages);
    if (usages & BR_KEYTYPE_SIGN) return TURBOHTTP_OK;
    tbh_bear_say(error, TURBOHTTP_ERR_CERT_USAGE,
                 "certificate's key usage does not let it sign a handshake", "", "");
    return TURBOHTTP_ERR_CERT_USAGE;
}

static turbohttp_status tbh_chain_check_pins(const tbh_chain *chain, turbohttp_error *error) {
    bool is_bad = chain->rules->pin_count && !tbh_chain_is_pinned(chain);
    return is_bad ? tbh_chain_fail(error, TURBOHTTP_ERR_CERT_PIN) : TURBOHTTP_OK;
}

/* ------------------------------------------------------------ slices */
static turbohttp_status tbh_chain_begin(tbh_chain *chain, turbohttp_error *error) {
    const tbh_chain_rules *rules = chain->rules;
    bool ignores_dates = rules->roots->options->ignore_certificate_dates;
    if (!ignores_dates && tbh_chain_now(chain) == 0)
        return tbh_chain_fail(error, TURBOHTTP_ERR_TLS_CLOCK);
    turbohttp_status status = tbh_roots_load(rules->roots, error);
    if (status == TURBOHTTP_ERR_OUT_OF_MEMORY) return tbh_chain_fail(error, status);
    if (status != TURBOHTTP_OK) return status;
    tbh_chain_sort(chain);
    tbh_chain_find_anchors(chain);
    if (chain->anchors.is_starved) return tbh_chain_fail(error, TURBOHTTP_ERR_OUT_OF_MEMORY);
    tbh_chain_prepare_minimal(chain);
    /* An address is never given as a name: "127.0.0.1" would match a dNSName (S-71). */
    chain->minimal.vtable->start_chain(&chain->minimal.vtable,
                                       rules->is_address ? NULL : rules->host);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_chain_slice(tbh_chain *chain, turbohttp_error *error) {
    if (chain->next == 0) {
        turbohttp_status status = tbh_chain_begin(chain, error);
        if (status != TURBOHTTP_OK) return status;
    }
    const tbh_cert *cert = &chain->path[chain->next++];
    tbh_chain_set_time(chain, cert, tbh_chain_now(chain));
    tbh_chain_feed(chain, cert);
    if (chain->next < chain->path_length) return TURBOHTTP_PENDING;
    unsigned code = chain->minimal.vtable->end_chain(&chain->minimal.vtable);
    turbohttp_status status = tbh_chain_verdict(chain, code, error);
    if (status == TURBOHTTP_OK) status = tbh_chain_check_key(chain, error);
    return status == TURBOHTTP_OK ? tbh_chain_check_rest(chain, error) : status;
}

TBH_BEAR_FN turbohttp_status tbh_chain_step(tbh_chain *chain, turbohttp_error *error) {
    bool skips = chain->rules->roots->options->INSECURE_skip_verification;
    turbohttp_status status = skips ? TURBOHTTP_OK : tbh_chain_slice(chain, error);
    if (status == TURBOHTTP_PENDING) return status;
    if (status == TURBOHTTP_OK) status = tbh_chain_check_pins(chain, error);
    chain->state = TBH_CHAIN_DONE;
    chain->status = status;
    return status;
}
