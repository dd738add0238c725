/* The client's certificate and key, and the pins.
 * Owns the bytes of both files, wiped when they are given back. Invariants: a file that cannot be
 * used is an error, never silence; a key is never shown in one.
 * Does not know: connections. */
#include "identity.h"

#define TBH_IDENTITY_FILE_MAX 32768u

/* ------------------------------------------------------------ pins */
static bool tbh_identity_read_pin(tbh_identity *identity, const char *text, size_t n) {
    unsigned char hash[48];
    tbh_pem pem;
    memset(&pem, 0, sizeof pem);
    if (identity->pin_count == TBH_IDENTITY_PINS || n != 8 + 44 || memcmp(text, "sha256//", 8) != 0)
        return false;
    pem.label_length = 1; /* base64 */
    pem.content.data = (const unsigned char *)text + 8;
    pem.content.length = 44;
    if (tbh_pem_decode(&pem, hash) != 32) return false;
    memcpy(identity->pins[identity->pin_count++], hash, 32);
    return true;
}

static turbohttp_status tbh_identity_read_pins(tbh_identity *identity, const char *text,
                                               turbohttp_error *error) {
    while (text && *text) {
        const char *end = strchr(text, ';');
        size_t n = end ? (size_t)(end - text) : strlen(text);
        if (!tbh_identity_read_pin(identity, text, n)) {
            tbh_bear_say(error, TURBOHTTP_ERR_INVALID_ARGUMENT, "tls.pins is malformed: ",
                         "write sha256//BASE64 of the key's SHA-256, up to 16, with ';' between",
                         "");
            return TURBOHTTP_ERR_INVALID_ARGUMENT;
        }
        text += n + (end ? 1 : 0);
    }
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ files */
static turbohttp_status tbh_identity_fail(turbohttp_error *error, const char *what,
                                          const char *path, const char *remedy) {
    tbh_bear_say(error, TURBOHTTP_ERR_TLS_CLIENT_CERT, what, path, remedy);
    return TURBOHTTP_ERR_TLS_CLIENT_CERT;
}

/* The whole file behind what is there already; 0 when it cannot be read or is too long. */
static size_t tbh_identity_load(const turbohttp_tls_host *host, const char *path,
                                unsigned char *to) {
    size_t n = 0, got = 0;
    while (host->file_get && n < TBH_IDENTITY_FILE_MAX &&
           host->file_get(host->user, path, n, to + n, TBH_IDENTITY_FILE_MAX - n, &got) ==
               TURBOHTTP_OK)
        n += got;
    return n < TBH_IDENTITY_FILE_MAX ? n : 0;
}

static bool tbh_identity_is_key(const tbh_pem *pem) {
    return tbh_pem_is(pem, "PRIVATE KEY") || tbh_pem_is(pem, "RSA PRIVATE KEY") ||
           tbh_pem_is(pem, "EC PRIVATE KEY");
}

/* A DER file is one certificate, or a key: which one, the caller knows. */
static void tbh_identity_take(tbh_identity *identity, const tbh_pem *pem, unsigned char *content,
                              bool wants_key) {
    bool is_der = pem->label_length == 0;
    bool is_key = is_der ? wants_key : tbh_identity_is_key(pem);
    size_t n = tbh_pem_decode(pem, content); /* base64 shrinks: decoding in place is safe */
    if (is_key && wants_key && br_skey_decoder_key_type(&identity->key) == 0) {
        br_skey_decoder_init(&identity->key);
        br_skey_decoder_push(&identity->key, content, n);
    } else if (!wants_key && (is_der || tbh_pem_is(pem, "CERTIFICATE")) && n &&
               identity->count < TBH_IDENTITY_CERTS) {
        identity->chain[identity->count].data = content;
        identity->chain[identity->count++].data_len = n;
    }
    if (is_key) tbh_bear_wipe(content, pem->content.length); /* also in a certificate's file */
}

static void tbh_identity_parse(tbh_identity *identity, unsigned char *bytes, size_t length,
                               bool wants_key) {
    tbh_der in = {bytes, length};
    tbh_pem pem;
    size_t at = 0, begin;
    while (at < length && tbh_pem_find(in, at, &pem, &begin)) {
        at = pem.end;
        while (at < length && (bytes[at] == '\n' || bytes[at] == '\r')) at++;
        tbh_identity_take(identity, &pem, (unsigned char *)(uintptr_t)pem.content.data, wants_key);
    }
}

/* ------------------------------------------------------------ a key and its certificate */
static bool tbh_identity_is_rsa_pair(const br_rsa_private_key *own,
                                     const br_rsa_public_key *shown) {
    unsigned char modulus[512];
    if ((own->n_bitlen + 7) / 8 != shown->nlen || shown->nlen > sizeof modulus) return false;
    size_t n = br_rsa_compute_modulus_get_default()(modulus, own);
    return n == shown->nlen && memcmp(modulus, shown->n, n) == 0;
}

static bool tbh_identity_is_ec_pair(const br_ec_private_key *own, const br_ec_public_key *shown) {
    const br_ec_impl *ec = br_ec_get_default();
    unsigned char point[133]; /* of P-521 */
    if (own->curve != shown->curve || !(ec->supported_curves >> own->curve & 1)) return false;
    size_t n = ec->mulgen(point, own->x, own->xlen, own->curve);
    return n == shown->qlen && memcmp(point, shown->q, n) == 0;
}

static bool tbh_identity_is_pair(const tbh_identity *identity) {
    tbh_der whole = {identity->chain[0].data, identity->chain[0].data_len};
    tbh_cert cert;
    br_x509_pkey shown;
    int type = br_skey_decoder_key_type(&identity->key);
    if (!tbh_cert_read(&cert, whole) || !tbh_cert_key(&cert, &shown) || shown.key_type != type)
        return false;
    return type == BR_KEYTYPE_RSA ? tbh_identity_is_rsa_pair(&identity->key.key.rsa, &shown.key.rsa)
                                  : tbh_identity_is_ec_pair(&identity->key.key.ec, &shown.key.ec);
}

static turbohttp_status tbh_identity_read_files(tbh_identity *identity,
                                                const turbohttp_tls_host *host,
                                                const turbohttp_tls_options *o,
                                                turbohttp_error *error) {
    const char *key_file = o->key_file ? o->key_file : o->cert_file;
    unsigned char *second = identity->bytes + TBH_IDENTITY_FILE_MAX;
    size_t n = tbh_identity_load(host, o->cert_file, identity->bytes);
    if (n == 0)
        return tbh_identity_fail(error, "cannot read the certificate ", o->cert_file,
                                 ": check tls.cert_file and its permissions");
    tbh_identity_parse(identity, identity->bytes, n, false);
    if (!identity->count)
        return tbh_identity_fail(error, "there is no certificate in ", o->cert_file,
                                 ": it must be PEM or DER");
    n = tbh_identity_load(host, key_file, second);
    if (n == 0)
        return tbh_identity_fail(error, "cannot read the key ", key_file,
                                 ": check tls.key_file and its permissions");
    tbh_identity_parse(identity, second, n, true);
    tbh_bear_wipe(second, n);
    if (br_skey_decoder_key_type(&identity->key) == 0)
        return tbh_identity_fail(error, "there is no usable private key in ", key_file,
                                 ": it must be RSA or EC, and not encrypted");
    if (!tbh_identity_is_pair(identity))
        return tbh_identity_fail(error, "the key in ", key_file,
                                 " does not belong to the certificate in tls.cert_file");
    return TURBOHTTP_OK;
}

TBH_BEAR_FN turbohttp_status tbh_identity_read(tbh_identity *identity,
                                               const turbohttp_tls_host *host,
                                               const turbohttp_tls_options *options,
                                               turbohttp_error *error) {
    turbohttp_status status = tbh_identity_read_pins(identity, options->pins, error);
    if (status != TURBOHTTP_OK || !options->cert_file) return status;
    br_skey_decoder_init(&identity->key);
    identity->capacity = 2 * (size_t)TBH_IDENTITY_FILE_MAX;
    identity->bytes = (unsigned char *)tbh_bear_allocate(host, identity->capacity);
    if (!identity->bytes) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    return tbh_identity_read_files(identity, host, options, error);
}

TBH_BEAR_FN void tbh_identity_free(tbh_identity *identity, const turbohttp_tls_host *host) {
    tbh_bear_wipe(&identity->key, sizeof identity->key);
    if (identity->bytes) tbh_bear_wipe(identity->bytes, identity->capacity);
    tbh_bear_release(host, identity->bytes, identity->capacity);
}

TBH_BEAR_FN void tbh_identity_use(const tbh_identity *identity, br_ssl_client_context *client) {
    const br_skey_decoder_context *key = &identity->key;
    if (!identity->count) return;
    if (br_skey_decoder_key_type(key) == BR_KEYTYPE_RSA)
        br_ssl_client_set_single_rsa(client, identity->chain, identity->count,
                                     br_skey_decoder_get_rsa(key), br_rsa_pkcs1_sign_get_default());
    else
        br_ssl_client_set_single_ec(client, identity->chain, identity->count,
                                    br_skey_decoder_get_ec(key), BR_KEYTYPE_SIGN, 0,
                                    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
}
