/* Certificates, names, dates and PEM from anywhere: what is accepted lies inside the input, and what
 * two readers can tell, they tell alike.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_x509.c -lbearssl */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <stdlib.h>

static bool is_inside(tbh_der part, tbh_der whole) {
    return part.length == 0 ||
           (part.data >= whole.data && part.length <= whole.length && part.data - whole.data <= (ptrdiff_t)(whole.length - part.length));
}

static void ignore_dn(void *context, const void *data, size_t n) {
    (void)context, (void)data, (void)n;
}

/* BearSSL's decoder is stricter about some things and laxer about others; on a key both found, they
 * must agree: a pin and a signature are about the same key. */
static void compare_keys(tbh_der whole, const br_x509_pkey *key) {
    br_x509_decoder_context decoder;
    br_x509_decoder_init(&decoder, ignore_dn, NULL);
    br_x509_decoder_push(&decoder, whole.data, whole.length);
    const br_x509_pkey *theirs = br_x509_decoder_get_pkey(&decoder);
    if (!theirs) return;
    if (theirs->key_type != key->key_type) abort();
    if (key->key_type != BR_KEYTYPE_EC) return;
    if (theirs->key.ec.curve != key->key.ec.curve || theirs->key.ec.qlen != key->key.ec.qlen ||
        memcmp(theirs->key.ec.q, key->key.ec.q, key->key.ec.qlen) != 0)
        abort();
}

static void certificate(tbh_der whole) {
    static const char *const hosts[] = {"server.test", "a.wild.test", "127.0.0.1", "", "."};
    turbohttp_address address = {4, {127, 0, 0, 1}, 0};
    tbh_cert cert;
    br_x509_pkey key;
    if (!tbh_cert_read(&cert, whole)) return;
    const tbh_der parts[] = {cert.issuer, cert.subject, cert.spki, cert.algorithm, cert.alt_names,
                             cert.extended_usage, cert.name_constraints};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!is_inside(parts[i], whole)) abort();
    if (tbh_cert_key(&cert, &key)) compare_keys(whole, &key);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (tbh_cert_is_for_host(&cert, hosts[i]) && (!*hosts[i] || !cert.alt_names.length)) abort();
    tbh_cert_is_for_address(&cert, &address);
    tbh_cert_is_for_servers(&cert);
    tbh_cert_has_weak_signature(&cert);
    tbh_cert_permits(&cert, &cert);
    tbh_roots_folder_hash(cert.subject);
}

/* A cut in front of any block must not change what is found behind it. */
static void text(tbh_der in) {
    unsigned char *out = (unsigned char *)malloc(in.length + 1);
    size_t at = 0, begin = 0;
    tbh_pem pem;
    while (at < in.length && tbh_pem_find(in, at, &pem, &begin)) {
        if (pem.end <= at || pem.end > in.length || pem.begin < at || !is_inside(pem.content, in)) abort();
        size_t n = tbh_pem_decode(&pem, out);
        if (n > pem.content.length) abort();
        tbh_der der = {out, n};
        certificate(der);
        at = pem.end;
    }
    if (begin > in.length) abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = (uint8_t *)malloc(size ? size : 1);
    if (size) memcpy(copy, data, size);
    tbh_der whole = {copy, size};
    certificate(whole);
    text(whole);
    if (size) {
        tbh_der date = {copy + 1, size - 1};
        tbh_der_time(copy[0], date);
    }
    free(copy);
    return 0;
}
