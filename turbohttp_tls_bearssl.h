/* turbohttp_tls_bearssl.h - https:// for turbohttp.h, by BearSSL 0.6. MIT license, at the end.
 *
 *     #define TURBOHTTP_IMPLEMENTATION          in ONE .c or .cpp file
 *     #include "turbohttp_tls_bearssl.h"        includes turbohttp.h itself
 *
 * and https:// works: link with -lbearssl (Debian: libbearssl-dev). In C the two includes may stand
 * in any order; in C++ this one comes first, or alone.
 *
 * TLS 1.2 with six ECDHE AEAD suites; no SHA-1, no RSA below 2048 bits, no renegotiation. Every
 * certificate is verified: chain, dates, host name (subjectAltName only), usage, name constraints,
 * pins. Options: turbohttp_tls_options, in the client's or the request's description.
 *
 * Not here: TLS 1.3, OCSP and CRLs, RSA-PSS and Ed25519 certificates, encrypted private keys.
 */
#if defined(TURBOHTTP_NO_TLS)
#error "TURBOHTTP_NO_TLS leaves TLS out: remove it, or this include"
#endif
#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(TURBOHTTP_IMPLEMENTED) &&                        \
    !defined(TURBOHTTP_TLS_BEARSSL_FIRST)
/** Private: the implementation of turbohttp.h follows, and needs to know that there is a provider.
 *  When it came before, C lets us fill in what it left open; C++ does not. */
#define TURBOHTTP_TLS_BEARSSL_FIRST 1
struct turbohttp_tls_provider;
static const struct turbohttp_tls_provider *turbohttp_tls_bearssl_first(void);
#elif defined(TURBOHTTP_IMPLEMENTED) && !defined(TURBOHTTP_TLS_BEARSSL_FIRST) &&                   \
    defined(__cplusplus)
#error "in C++ include turbohttp_tls_bearssl.h before turbohttp.h where TURBOHTTP_IMPLEMENTATION is"
#endif

#ifndef TURBOHTTP_TLS_BEARSSL_H
#define TURBOHTTP_TLS_BEARSSL_H
#endif
#include "turbohttp.h"

#ifndef TURBOHTTP_TLS_BEARSSL_DECLARED
#define TURBOHTTP_TLS_BEARSSL_DECLARED
#ifdef __cplusplus
extern "C" {
#endif

/**
 * Name the provider: for `tls_providers` of a client that shall use it, and
 * nothing that is built in.
 *
 * Returns: a table that is valid for ever. Thread: any.
 */
TURBOHTTP_API const turbohttp_tls_provider *turbohttp_tls_bearssl(void);

/** Memory of one connection beyond `buffer_bytes` (or, when that is 0, two
 *  whole records), in bytes; a handshake takes up to 24 KiB more for a while.
 *  For TURBOHTTP_FIXED_BYTES in fixed-memory mode. */
#define TURBOHTTP_TLS_BEARSSL_BYTES 4096

#ifdef __cplusplus
}
#endif
#endif

#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(TURBOHTTP_TLS_BEARSSL_IMPLEMENTED)
#define TURBOHTTP_TLS_BEARSSL_IMPLEMENTED
#define TBH_BEAR_AMALGAM 1
/* ========================================================================
 * src/tls_bearssl/base.h
 * ======================================================================= */
/* Memory from the client's allocator, and the record of an error. */
#include <bearssl.h>
#include <string.h>

/* Private to the header; external when a file of src/ is compiled alone. */
#ifdef TBH_BEAR_AMALGAM
#define TBH_BEAR_FN static
#else
#define TBH_BEAR_FN extern
#endif

TBH_BEAR_FN void *tbh_bear_allocate(const turbohttp_tls_host *host, size_t size);
TBH_BEAR_FN void tbh_bear_release(const turbohttp_tls_host *host, void *block, size_t size);
/* Writes the record: the sentence is a, b and c. */
TBH_BEAR_FN void tbh_bear_say(turbohttp_error *error, turbohttp_status status, const char *a,
                              const char *b, const char *c);
TBH_BEAR_FN void tbh_bear_add(turbohttp_error *error, const char *text);
/* Overwrites in a way that the compiler keeps. */
TBH_BEAR_FN void tbh_bear_wipe(void *p, size_t n);

/* ========================================================================
 * src/tls_bearssl/base.c
 * ======================================================================= */
/* What every file here needs: memory and sentences.
 * Owns nothing. Does not know: TLS. */

TBH_BEAR_FN void *tbh_bear_allocate(const turbohttp_tls_host *host, size_t size) {
    return host->allocator->allocate(host->allocator->user, size);
}

TBH_BEAR_FN void tbh_bear_release(const turbohttp_tls_host *host, void *block, size_t size) {
    if (block) host->allocator->release(host->allocator->user, block, size);
}

TBH_BEAR_FN void tbh_bear_add(turbohttp_error *error, const char *text) {
    size_t n = error ? strlen(error->text) : 0;
    if (!error) return;
    for (; *text && n + 1 < sizeof error->text; text++)
        error->text[n++] = (unsigned char)*text >= 0x20 ? *text : '?';
    error->text[n] = 0;
}

TBH_BEAR_FN void tbh_bear_say(turbohttp_error *error, turbohttp_status status, const char *a,
                              const char *b, const char *c) {
    if (!error) return;
    memset(error, 0, sizeof *error);
    error->code = status;
    error->phase = TURBOHTTP_PHASE_TLS;
    tbh_bear_add(error, a);
    tbh_bear_add(error, b);
    tbh_bear_add(error, c);
}

TBH_BEAR_FN void tbh_bear_wipe(void *p, size_t n) {
    /* Which function it is, no compiler may know: so the call stays, at memset's speed. */
    static void *(*const volatile set)(void *, int, size_t) = memset;
    set(p, 0, n);
}

/* ========================================================================
 * src/tls_bearssl/der.h
 * ======================================================================= */
/* DER (X.690), as far as certificates use it. */

/* Read-only bytes of a certificate. */
typedef struct tbh_der {
    const unsigned char *data;
    size_t length;
} tbh_der;

enum {
    TBH_DER_BOOLEAN = 0x01,
    TBH_DER_INTEGER = 0x02,
    TBH_DER_BIT_STRING = 0x03,
    TBH_DER_OCTET_STRING = 0x04,
    TBH_DER_OID = 0x06,
    TBH_DER_UTC_TIME = 0x17,
    TBH_DER_TIME = 0x18,
    TBH_DER_SEQUENCE = 0x30,
    TBH_DER_SET = 0x31
};

/* Takes the first element off `in`. False at the end, and when it is malformed. `whole` (may be
 * NULL) includes the tag and the length. */
TBH_BEAR_FN bool tbh_der_next(tbh_der *in, unsigned *tag, tbh_der *value, tbh_der *whole);
/* As above, but only when the element has this tag; `in` and `value` are untouched otherwise. */
TBH_BEAR_FN bool tbh_der_take(tbh_der *in, unsigned tag, tbh_der *value);
TBH_BEAR_FN bool tbh_der_equal(tbh_der a, tbh_der b);
/* The value of an OID is these bytes. */
TBH_BEAR_FN bool tbh_der_is(tbh_der oid, const char *bytes, size_t length);
/* UTCTime or GeneralizedTime in UTC, as seconds since 1970; 0 before that, or malformed. */
TBH_BEAR_FN uint64_t tbh_der_time(unsigned tag, tbh_der text);

/* ========================================================================
 * src/tls_bearssl/der.c
 * ======================================================================= */
/* DER: elements one after the other, and dates.
 * Owns nothing. Invariant: no read beyond the span that was given; lengths are definite, minimal,
 * and at most 24 bits. Does not know: what the elements mean. */

/* Header of an element: its length in bytes, 0 when malformed. */
static size_t tbh_der_header(tbh_der in, size_t *length) {
    if (in.length < 2 || (in.data[0] & 0x1f) == 0x1f) return 0; /* high tags are not used */
    size_t first = in.data[1], n = first & 0x7f;
    *length = first;
    if (first < 0x80) return 2;
    if (n < 1 || n > 3 || in.length < 2 + n || in.data[2] == 0) return 0;
    *length = 0;
    for (size_t i = 0; i < n; i++) *length = *length << 8 | in.data[2 + i];
    return *length < 0x80 ? 0 : 2 + n;
}

TBH_BEAR_FN bool tbh_der_next(tbh_der *in, unsigned *tag, tbh_der *value, tbh_der *whole) {
    size_t length = 0, header = tbh_der_header(*in, &length);
    if (header == 0 || length > in->length - header) return false;
    *tag = in->data[0];
    value->data = in->data + header;
    value->length = length;
    if (whole) {
        whole->data = in->data;
        whole->length = header + length;
    }
    in->data += header + length;
    in->length -= header + length;
    return true;
}

TBH_BEAR_FN bool tbh_der_take(tbh_der *in, unsigned tag, tbh_der *value) {
    unsigned found;
    tbh_der rest = *in, content;
    if (!tbh_der_next(&rest, &found, &content, NULL) || found != tag) return false;
    *in = rest;
    *value = content;
    return true;
}

TBH_BEAR_FN bool tbh_der_equal(tbh_der a, tbh_der b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

TBH_BEAR_FN bool tbh_der_is(tbh_der oid, const char *bytes, size_t length) {
    return oid.length == length && memcmp(oid.data, bytes, length) == 0;
}

static bool tbh_der_digits(tbh_der *text, size_t n, unsigned *value) {
    *value = 0;
    if (text->length < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') return false;
        *value = *value * 10 + (unsigned)(text->data[i] - '0');
    }
    text->data += n;
    text->length -= n;
    return true;
}

static uint64_t tbh_der_days_before(unsigned year) { /* since year 0, Gregorian */
    uint64_t y = year - 1;
    return 366 + y * 365 + y / 4 - y / 100 + y / 400;
}

TBH_BEAR_FN uint64_t tbh_der_time(unsigned tag, tbh_der text) {
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned year, month, day, hour, minute, second;
    if (!tbh_der_digits(&text, tag == TBH_DER_TIME ? 4 : 2, &year)) return 0;
    if (tag != TBH_DER_TIME) year += year < 50 ? 2000 : 1900; /* RFC 5280 §4.1.2.5.1 */
    if (!tbh_der_digits(&text, 2, &month) || !tbh_der_digits(&text, 2, &day) ||
        !tbh_der_digits(&text, 2, &hour) || !tbh_der_digits(&text, 2, &minute) ||
        !tbh_der_digits(&text, 2, &second) || text.length != 1 || text.data[0] != 'Z')
        return 0;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return 0;
    if (hour > 23 || minute > 59 || second > 59) return 0;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    uint64_t days = tbh_der_days_before(year) - 719528u + before[month - 1] + day - 1;
    if (is_leap && month > 2) days++;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

/* ========================================================================
 * src/tls_bearssl/cert.h
 * ======================================================================= */
/* What BearSSL's X.509 engine does not tell, or does not check (RFC 5280, RFC 6125). */

typedef struct tbh_cert {
    tbh_der whole;
    tbh_der issuer, subject; /* the names, with tag and length */
    tbh_der spki;            /* the public key, with tag and length: what pins hash */
    tbh_der algorithm;       /* OID of its signature */
    tbh_der alt_names;       /* values of extensions; empty: absent */
    tbh_der extended_usage;
    tbh_der name_constraints;
    uint64_t not_before, not_after; /* seconds since 1970 */
    bool is_ca;
} tbh_cert;

TBH_BEAR_FN bool tbh_cert_read(tbh_cert *cert, tbh_der whole);
/* Its key for BearSSL; points into the certificate. */
TBH_BEAR_FN bool tbh_cert_key(const tbh_cert *cert, br_x509_pkey *key);
TBH_BEAR_FN bool tbh_cert_is_for_host(const tbh_cert *cert, const char *host);
TBH_BEAR_FN bool tbh_cert_is_for_address(const tbh_cert *cert, const turbohttp_address *address);
/* It may identify a TLS server, or says nothing about it. */
TBH_BEAR_FN bool tbh_cert_is_for_servers(const tbh_cert *cert);
/* This CA may vouch for every name in the leaf. */
TBH_BEAR_FN bool tbh_cert_permits(const tbh_cert *ca, const tbh_cert *leaf);
TBH_BEAR_FN bool tbh_cert_has_weak_signature(const tbh_cert *cert);

/* ========================================================================
 * src/tls_bearssl/cert.c
 * ======================================================================= */
/* Facts of one certificate, and the rules about names.
 * Owns nothing: everything points into the certificate's bytes. Invariant: what is malformed makes
 * a certificate unreadable or a name not match, never match. BearSSL verifies signatures and the
 * path; this file answers what it leaves open.
 * Does not know: chains, trust, time. */

#define TBH_OID(name, bytes) tbh_der_is(name, bytes, sizeof bytes - 1)

/* ------------------------------------------------------------ reading */
static void tbh_cert_read_ca(tbh_cert *cert, tbh_der value) {
    tbh_der body, flag;
    if (tbh_der_take(&value, TBH_DER_SEQUENCE, &body) &&
        tbh_der_take(&body, TBH_DER_BOOLEAN, &flag))
        cert->is_ca = flag.length == 1 && flag.data[0] != 0;
}

static bool tbh_cert_read_extension(tbh_cert *cert, tbh_der extension) {
    tbh_der oid, critical, value;
    if (!tbh_der_take(&extension, TBH_DER_OID, &oid)) return false;
    tbh_der_take(&extension, TBH_DER_BOOLEAN, &critical);
    if (!tbh_der_take(&extension, TBH_DER_OCTET_STRING, &value)) return false;
    if (TBH_OID(oid, "\x55\x1d\x11")) cert->alt_names = value;
    else if (TBH_OID(oid, "\x55\x1d\x25")) cert->extended_usage = value;
    else if (TBH_OID(oid, "\x55\x1d\x1e")) cert->name_constraints = value;
    else if (TBH_OID(oid, "\x55\x1d\x13")) tbh_cert_read_ca(cert, value);
    return true;
}

static bool tbh_cert_read_extensions(tbh_cert *cert, tbh_der tbs) {
    tbh_der value, list, extension;
    unsigned tag;
    while (tbh_der_next(&tbs, &tag, &value, NULL)) { /* [1] and [2] are unique identifiers */
        if (tag != 0xa3) continue;
        if (!tbh_der_take(&value, TBH_DER_SEQUENCE, &list)) return false;
        while (tbh_der_take(&list, TBH_DER_SEQUENCE, &extension))
            if (!tbh_cert_read_extension(cert, extension)) return false;
        if (list.length) return false;
    }
    return tbs.length == 0;
}

static bool tbh_cert_read_validity(tbh_cert *cert, tbh_der *tbs) {
    tbh_der validity, from, to;
    unsigned from_tag, to_tag;
    if (!tbh_der_take(tbs, TBH_DER_SEQUENCE, &validity) ||
        !tbh_der_next(&validity, &from_tag, &from, NULL) ||
        !tbh_der_next(&validity, &to_tag, &to, NULL))
        return false;
    cert->not_before = tbh_der_time(from_tag, from);
    cert->not_after = tbh_der_time(to_tag, to);
    return true;
}

TBH_BEAR_FN bool tbh_cert_read(tbh_cert *cert, tbh_der whole) {
    tbh_der in = whole, body, tbs, value;
    unsigned tag;
    memset(cert, 0, sizeof *cert);
    cert->whole = whole;
    if (!tbh_der_take(&in, TBH_DER_SEQUENCE, &body) || !tbh_der_take(&body, TBH_DER_SEQUENCE, &tbs))
        return false;
    tbh_der_take(&tbs, 0xa0, &value); /* version */
    if (!tbh_der_take(&tbs, TBH_DER_INTEGER, &value) ||
        !tbh_der_take(&tbs, TBH_DER_SEQUENCE, &value) ||
        !tbh_der_take(&value, TBH_DER_OID, &cert->algorithm) ||
        !tbh_der_next(&tbs, &tag, &value, &cert->issuer) || tag != TBH_DER_SEQUENCE ||
        !tbh_cert_read_validity(cert, &tbs) || !tbh_der_next(&tbs, &tag, &value, &cert->subject) ||
        tag != TBH_DER_SEQUENCE || !tbh_der_next(&tbs, &tag, &value, &cert->spki) ||
        tag != TBH_DER_SEQUENCE)
        return false;
    return tbh_cert_read_extensions(cert, tbs);
}

/* ------------------------------------------------------------ key */
static tbh_der tbh_cert_unsigned(tbh_der number) { /* without leading zeros */
    while (number.length > 1 && number.data[0] == 0) {
        number.data++;
        number.length--;
    }
    return number;
}

static bool tbh_cert_rsa_key(tbh_der bits, br_x509_pkey *key) {
    tbh_der body, n, e;
    if (!tbh_der_take(&bits, TBH_DER_SEQUENCE, &body) ||
        !tbh_der_take(&body, TBH_DER_INTEGER, &n) || !tbh_der_take(&body, TBH_DER_INTEGER, &e))
        return false;
    n = tbh_cert_unsigned(n);
    e = tbh_cert_unsigned(e);
    key->key_type = BR_KEYTYPE_RSA;
    key->key.rsa.n = (unsigned char *)(uintptr_t)n.data; /* BearSSL lacks the const */
    key->key.rsa.nlen = n.length;
    key->key.rsa.e = (unsigned char *)(uintptr_t)e.data;
    key->key.rsa.elen = e.length;
    return true;
}

static bool tbh_cert_ec_key(tbh_der curve, tbh_der bits, br_x509_pkey *key) {
    key->key_type = BR_KEYTYPE_EC;
    if (TBH_OID(curve, "\x2a\x86\x48\xce\x3d\x03\x01\x07")) key->key.ec.curve = BR_EC_secp256r1;
    else if (TBH_OID(curve, "\x2b\x81\x04\x00\x22")) key->key.ec.curve = BR_EC_secp384r1;
    else if (TBH_OID(curve, "\x2b\x81\x04\x00\x23")) key->key.ec.curve = BR_EC_secp521r1;
    else return false;
    key->key.ec.q = (unsigned char *)(uintptr_t)bits.data;
    key->key.ec.qlen = bits.length;
    return true;
}

TBH_BEAR_FN bool tbh_cert_key(const tbh_cert *cert, br_x509_pkey *key) {
    tbh_der in = cert->spki, body, algorithm, oid, bits, curve;
    if (!tbh_der_take(&in, TBH_DER_SEQUENCE, &body) ||
        !tbh_der_take(&body, TBH_DER_SEQUENCE, &algorithm) ||
        !tbh_der_take(&algorithm, TBH_DER_OID, &oid) ||
        !tbh_der_take(&body, TBH_DER_BIT_STRING, &bits) || bits.length < 2 || bits.data[0] != 0)
        return false;
    bits.data++; /* number of unused bits */
    bits.length--;
    if (TBH_OID(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")) return tbh_cert_rsa_key(bits, key);
    return TBH_OID(oid, "\x2a\x86\x48\xce\x3d\x02\x01") &&
           tbh_der_take(&algorithm, TBH_DER_OID, &curve) && tbh_cert_ec_key(curve, bits, key);
}

/* ------------------------------------------------------------ names */
static bool tbh_cert_same_text(const unsigned char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned x = a[i], y = (unsigned char)b[i];
        if (x >= 'A' && x <= 'Z') x += 32;
        if (y >= 'A' && y <= 'Z') y += 32;
        if (x != y || x == 0) return false;
    }
    return true;
}

/* RFC 6125 §6.4.3: a wildcard is the whole left-most label, stands for exactly one, and is never
 * directly before the last label ("*.com"). */
static bool tbh_cert_name_matches(tbh_der name, const char *host) {
    size_t n = strlen(host);
    if (n == 0) return false;
    if (name.length < 2 || name.data[0] != '*' || name.data[1] != '.')
        return name.length == n && tbh_cert_same_text(name.data, host, n);
    const char *dot = strchr(host, '.');
    if (!dot || dot == host || !memchr(name.data + 2, '.', name.length - 2)) return false;
    n = strlen(dot);
    return name.length - 1 == n && tbh_cert_same_text(name.data + 1, dot, n);
}

/* The next general name (RFC 5280 §4.2.1.6). */
static bool tbh_cert_next_name(tbh_der *names, unsigned *tag, tbh_der *name) {
    return tbh_der_next(names, tag, name, NULL);
}

static tbh_der tbh_cert_names(const tbh_cert *cert) {
    tbh_der in = cert->alt_names, names = {NULL, 0};
    if (in.length) tbh_der_take(&in, TBH_DER_SEQUENCE, &names);
    return names;
}

TBH_BEAR_FN bool tbh_cert_is_for_host(const tbh_cert *cert, const char *host) {
    tbh_der names = tbh_cert_names(cert), name;
    unsigned tag;
    while (tbh_cert_next_name(&names, &tag, &name))
        if (tag == 0x82 && tbh_cert_name_matches(name, host)) return true;
    return false;
}

TBH_BEAR_FN bool tbh_cert_is_for_address(const tbh_cert *cert, const turbohttp_address *address) {
    tbh_der names = tbh_cert_names(cert), name;
    tbh_der wanted = {address->bytes, address->family == 4 ? 4u : 16u};
    unsigned tag;
    while (tbh_cert_next_name(&names, &tag, &name))
        if (tag == 0x87 && tbh_der_equal(name, wanted)) return true;
    return false;
}

/* ------------------------------------------------------------ usage */
TBH_BEAR_FN bool tbh_cert_is_for_servers(const tbh_cert *cert) {
    tbh_der in = cert->extended_usage, list, oid;
    if (!in.data) return true;
    if (!tbh_der_take(&in, TBH_DER_SEQUENCE, &list)) return false;
    while (tbh_der_take(&list, TBH_DER_OID, &oid))
        if (TBH_OID(oid, "\x2b\x06\x01\x05\x05\x07\x03\x01") || /* serverAuth */
            TBH_OID(oid, "\x55\x1d\x25\x00"))                   /* any */
            return true;
    return false;
}

TBH_BEAR_FN bool tbh_cert_has_weak_signature(const tbh_cert *cert) {
    tbh_der a = cert->algorithm;
    return TBH_OID(a, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05") || /* SHA-1 with RSA */
           TBH_OID(a, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04") || /* MD5 with RSA */
           TBH_OID(a, "\x2a\x86\x48\xce\x3d\x04\x01");           /* SHA-1 with ECDSA */
}

/* ------------------------------------------------------------ name constraints, RFC 5280 §4.2.1.10 */
/* "example.com" covers itself and everything below; so does ".example.com" except itself. */
static bool tbh_cert_name_below(tbh_der name, tbh_der base) {
    if (base.length == 0) return true;
    if (name.length < base.length) return false;
    size_t before = name.length - base.length;
    if (!tbh_cert_same_text(name.data + before, (const char *)base.data, base.length)) return false;
    return before == 0 || base.data[0] == '.' || name.data[before - 1] == '.';
}

/* "*.example.com" stands for names below example.com, and so for some below bad.example.com. */
static bool tbh_cert_name_reaches(tbh_der name, tbh_der base) {
    if (tbh_cert_name_below(name, base)) return true;
    if (name.length < 3 || name.data[0] != '*' || name.data[1] != '.') return false;
    tbh_der parent = {name.data + 2, name.length - 2};
    if (base.length && base.data[0] == '.') {
        base.data++;
        base.length--;
    }
    return tbh_cert_name_below(base, parent);
}

static bool tbh_cert_address_below(tbh_der address, tbh_der base) { /* base: network, then mask */
    if (base.length != 2 * address.length) return false;
    for (size_t i = 0; i < address.length; i++)
        if ((address.data[i] ^ base.data[i]) & base.data[address.length + i]) return false;
    return true;
}

/* The subject begins with the same parts, byte by byte. */
static bool tbh_cert_subject_below(tbh_der subject, tbh_der base) {
    tbh_der parts, first;
    if (!tbh_der_take(&subject, TBH_DER_SEQUENCE, &parts) ||
        !tbh_der_take(&base, TBH_DER_SEQUENCE, &first) || parts.length < first.length)
        return false;
    parts.length = first.length;
    return tbh_der_equal(parts, first);
}

enum { TBH_NAME_DNS = 0x82, TBH_NAME_DIRECTORY = 0xa4, TBH_NAME_ADDRESS = 0x87 };
enum { TBH_SPEAKS = 1, TBH_COVERS = 2, TBH_REACHES = 4 };

static unsigned tbh_cert_subtree(unsigned kind, tbh_der name, tbh_der base) {
    bool is_below = kind == TBH_NAME_DNS       ? tbh_cert_name_below(name, base)
                    : kind == TBH_NAME_ADDRESS ? tbh_cert_address_below(name, base)
                                               : tbh_cert_subject_below(name, base);
    if (is_below) return TBH_SPEAKS | TBH_COVERS | TBH_REACHES;
    bool reaches = kind == TBH_NAME_DNS && tbh_cert_name_reaches(name, base);
    return reaches ? TBH_SPEAKS | TBH_REACHES : TBH_SPEAKS;
}

/* How a list of subtrees speaks about one name; what is malformed reaches everything and covers
 * nothing. */
static unsigned tbh_cert_subtrees(tbh_der list, unsigned kind, tbh_der name) {
    tbh_der subtree, base;
    unsigned tag, found = 0;
    while (tbh_der_take(&list, TBH_DER_SEQUENCE, &subtree)) {
        if (!tbh_der_next(&subtree, &tag, &base, NULL)) return TBH_SPEAKS | TBH_REACHES;
        if (tag == kind) found |= tbh_cert_subtree(kind, name, base);
    }
    return list.length ? TBH_SPEAKS | TBH_REACHES : found;
}

static bool tbh_cert_allows(tbh_der permitted, tbh_der excluded, unsigned kind, tbh_der name) {
    unsigned wanted = tbh_cert_subtrees(permitted, kind, name);
    if (wanted & TBH_SPEAKS && !(wanted & TBH_COVERS)) return false;
    return !(tbh_cert_subtrees(excluded, kind, name) & TBH_REACHES);
}

TBH_BEAR_FN bool tbh_cert_permits(const tbh_cert *ca, const tbh_cert *leaf) {
    tbh_der in = ca->name_constraints, body, permitted = {NULL, 0}, excluded = {NULL, 0}, name;
    tbh_der names = tbh_cert_names(leaf), subject = leaf->subject;
    unsigned tag;
    if (!in.data) return true;
    if (!tbh_der_take(&in, TBH_DER_SEQUENCE, &body)) return false;
    tbh_der_take(&body, 0xa0, &permitted);
    tbh_der_take(&body, 0xa1, &excluded);
    if (body.length) return false;
    bool has_subject = subject.length > 2; /* an empty SEQUENCE names nobody */
    if (has_subject && !tbh_cert_allows(permitted, excluded, TBH_NAME_DIRECTORY, subject))
        return false;
    while (tbh_cert_next_name(&names, &tag, &name))
        if ((tag == TBH_NAME_DNS || tag == TBH_NAME_ADDRESS) &&
            !tbh_cert_allows(permitted, excluded, tag, name))
            return false;
    return true;
}

/* ========================================================================
 * src/tls_bearssl/pem.h
 * ======================================================================= */
/* PEM (RFC 7468): labelled base64 between two lines. */

/* One block of a text, or one DER element where there is no text. */
typedef struct tbh_pem {
    size_t begin, end; /* of the whole block in what was searched */
    const char *label; /* behind "-----BEGIN "; "" for DER */
    size_t label_length;
    tbh_der content; /* base64, or DER itself */
} tbh_pem;

/* Finds the first block at or after `from`. False: none is complete; *begin is then where one
 * starts that more bytes could complete, or the length. */
TBH_BEAR_FN bool tbh_pem_find(tbh_der in, size_t from, tbh_pem *pem, size_t *begin);
TBH_BEAR_FN bool tbh_pem_is(const tbh_pem *pem, const char *label);
/* Decodes the content into `to`, which has room for as many bytes as the content has. Its length;
 * 0 when malformed. */
TBH_BEAR_FN size_t tbh_pem_decode(const tbh_pem *pem, unsigned char *to);

/* ========================================================================
 * src/tls_bearssl/pem.c
 * ======================================================================= */
/* PEM: finding blocks and decoding them.
 * Owns nothing. Input: text of any origin, or DER elements one after the other; everything outside
 * of blocks is skipped. Does not know: what a block is for. */

static const char tbh_pem_opening[] = "-----BEGIN ";
static const char tbh_pem_closing[] = "-----END ";

/* Position of `text` in [from, in.length), or in.length. */
static size_t tbh_pem_search(tbh_der in, size_t from, const char *text) {
    size_t n = strlen(text);
    while (from + n <= in.length) {
        const void *at = memchr(in.data + from, text[0], in.length - from - n + 1);
        if (!at) break;
        from = (size_t)((const unsigned char *)at - in.data);
        if (memcmp(at, text, n) == 0) return from;
        from++;
    }
    return in.length;
}

/* '0' begins lines of text, too. In what comes here the length is long, as of any certificate, or a
 * number follows, as in any key; neither is text. Cut behind the first byte it may become one. */
static bool tbh_pem_is_der(tbh_der in, size_t from) {
    size_t left = in.length - from;
    const unsigned char *at = in.data + from;
    if (left == 0 || at[0] != TBH_DER_SEQUENCE) return false;
    if (left > 1 && at[1] >= 0x80) return at[1] > 0x80 && at[1] < 0x84;
    return left < 3 || at[2] == TBH_DER_INTEGER;
}

static bool tbh_pem_find_der(tbh_der in, size_t from, tbh_pem *pem) {
    tbh_der rest = {in.data + from, in.length - from}, value;
    unsigned tag;
    memset(pem, 0, sizeof *pem);
    pem->label = "";
    pem->begin = from;
    if (!tbh_der_next(&rest, &tag, &value, &pem->content)) return false;
    pem->end = from + pem->content.length;
    return true;
}

TBH_BEAR_FN bool tbh_pem_find(tbh_der in, size_t from, tbh_pem *pem, size_t *begin) {
    *begin = from;
    if (tbh_pem_is_der(in, from)) return tbh_pem_find_der(in, from, pem);
    size_t open = tbh_pem_search(in, from, tbh_pem_opening);
    size_t label = open + sizeof tbh_pem_opening - 1;
    *begin = open;
    if (open == in.length) {
        size_t kept = sizeof tbh_pem_opening - 2; /* of an opening that is cut */
        *begin = in.length > from + kept ? in.length - kept : from;
        return false;
    }
    size_t text = tbh_pem_search(in, label, "-----");
    size_t close = tbh_pem_search(in, text + 5, tbh_pem_closing); /* "-----" is not shared */
    if (close == in.length) return false;
    pem->begin = open;
    pem->end = close + sizeof tbh_pem_closing - 1;
    pem->label = (const char *)in.data + label;
    pem->label_length = text - label;
    pem->content.data = in.data + text + 5;
    pem->content.length = close - text - 5;
    return true;
}

TBH_BEAR_FN bool tbh_pem_is(const tbh_pem *pem, const char *label) {
    return pem->label_length == strlen(label) && memcmp(pem->label, label, pem->label_length) == 0;
}

static int tbh_pem_digit(unsigned char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

TBH_BEAR_FN size_t tbh_pem_decode(const tbh_pem *pem, unsigned char *to) {
    uint32_t bits = 0;
    unsigned count = 0;
    size_t n = 0;
    if (pem->label_length == 0) {
        memcpy(to, pem->content.data, pem->content.length);
        return pem->content.length;
    }
    for (size_t i = 0; i < pem->content.length; i++) {
        unsigned char c = pem->content.data[i];
        int digit = tbh_pem_digit(c);
        if (digit < 0 && c != '=' && c > ' ') return 0; /* "Proc-Type:" of an encrypted key */
        if (digit < 0) continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        to[n++] = (unsigned char)(bits >> count);
    }
    return n;
}

/* ========================================================================
 * src/tls_bearssl/roots.h
 * ======================================================================= */
/* Trusted certificates: an index of what there is, and the few that a handshake needs. */

typedef struct tbh_root { /* one certificate in the source */
    unsigned char subject_hash[8];
    uint32_t offset, length;
} tbh_root;

/* Shared by all connections of a context. */
typedef struct tbh_roots {
    const turbohttp_tls_host *host;
    const turbohttp_tls_options *options;
    const char *path; /* of the file in use; NULL: ca_data, or only ca_path */
    tbh_root *index;
    uint32_t count, capacity;
    bool is_loaded, is_starved;
    bool is_too_large; /* more certificates than the index takes, or a file that is too long */
} tbh_roots;

#define TBH_ANCHORS_MAX 8

typedef struct tbh_anchor { /* a decoded root; its bytes lie behind it */
    struct tbh_anchor *next;
    size_t bytes;
} tbh_anchor;

typedef struct tbh_anchors { /* those of one handshake */
    tbh_anchor *first;
    br_x509_trust_anchor table[TBH_ANCHORS_MAX];
    unsigned count;
    bool is_starved; /* one was not loaded for want of memory */
} tbh_anchors;

/* Reads the index, once; ERR_TLS_ROOTS with a sentence when there is nothing to trust. */
TBH_BEAR_FN turbohttp_status tbh_roots_load(tbh_roots *roots, turbohttp_error *error);
TBH_BEAR_FN void tbh_roots_free(tbh_roots *roots);
/* Adds all roots with this subject to the anchors. */
TBH_BEAR_FN void tbh_roots_find(const tbh_roots *roots, tbh_der subject, tbh_anchors *anchors);
TBH_BEAR_FN void tbh_anchors_free(const tbh_roots *roots, tbh_anchors *anchors);

/* ========================================================================
 * src/tls_bearssl/roots.c
 * ======================================================================= */
/* Trusted certificates, read when they are needed.
 * Owns the index: eight bytes of a hash and a place for each certificate, 16 bytes in all, so that
 * a bundle of 150 costs 2.4 KB and a fraction of a millisecond. Decoded are only those that a chain
 * asks for by name. Sources: a file, a folder, memory; the system's bundle when none is given.
 * Invariant: what cannot be read is not trusted. Does not know: signatures, hosts. */

#define TBH_ROOTS_WINDOW    16384u /* bytes of the source seen at once: the longest block */
#define TBH_ROOTS_MAX       10000u
#define TBH_ROOTS_FILE_MAX  (8u << 20)
#define TBH_ROOTS_PATH_ROOM 512

/* ------------------------------------------------------------ sources */
static const char *const tbh_roots_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
    "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    "/etc/ssl/cert.pem",                  /* macOS, BSD */
};

/* Bytes [offset, offset + room) of the source, as far as there are any. */
static size_t tbh_roots_get(const tbh_roots *roots, const char *path, uint64_t offset,
                            unsigned char *to, size_t room) {
    size_t got = 0, n = 0;
    const turbohttp_tls_options *o = roots->options;
    if (!path) {
        size_t left = offset < o->ca_bytes ? o->ca_bytes - (size_t)offset : 0;
        n = left < room ? left : room;
        if (n) memcpy(to, (const unsigned char *)o->ca_data + offset, n);
        return n;
    }
    if (!roots->host->file_get) return 0;
    while (n < room && roots->host->file_get(roots->host->user, path, offset + n, to + n, room - n,
                                             &got) == TURBOHTTP_OK)
        n += got;
    return n;
}

static void tbh_roots_hash(tbh_der subject, unsigned char hash[8]) {
    br_sha256_context sha;
    unsigned char whole[br_sha256_SIZE];
    br_sha256_init(&sha);
    br_sha256_update(&sha, subject.data, subject.length);
    br_sha256_out(&sha, whole);
    memcpy(hash, whole, 8);
}

/* ------------------------------------------------------------ the index */
static bool tbh_roots_grow(tbh_roots *roots) {
    uint32_t capacity = roots->capacity ? roots->capacity * 2 : 32;
    if (roots->count >= TBH_ROOTS_MAX) roots->is_too_large = true;
    if (roots->is_too_large) return false;
    if (roots->count < roots->capacity) return true;
    tbh_root *index = (tbh_root *)tbh_bear_allocate(roots->host, capacity * sizeof *index);
    if (!index) roots->is_starved = true;
    if (!index) return false;
    if (roots->count) memcpy(index, roots->index, roots->count * sizeof *index);
    tbh_bear_release(roots->host, roots->index, roots->capacity * sizeof *index);
    roots->index = index;
    roots->capacity = capacity;
    return true;
}

static bool tbh_roots_is_certificate(const tbh_pem *pem) {
    return pem->label_length == 0 || tbh_pem_is(pem, "CERTIFICATE") ||
           tbh_pem_is(pem, "X509 CERTIFICATE");
}

static void tbh_roots_add(tbh_roots *roots, const tbh_pem *pem, uint64_t base) {
    tbh_cert cert;
    size_t room = pem->content.length;
    if (!tbh_roots_is_certificate(pem) || room == 0) return;
    unsigned char *scratch = (unsigned char *)tbh_bear_allocate(roots->host, room);
    if (!scratch) roots->is_starved = true;
    if (!scratch) return;
    tbh_der der = {scratch, tbh_pem_decode(pem, scratch)};
    if (tbh_cert_read(&cert, der) && tbh_roots_grow(roots)) {
        tbh_root *root = &roots->index[roots->count++];
        tbh_roots_hash(cert.subject, root->subject_hash);
        root->offset = (uint32_t)(base + pem->begin);
        root->length = (uint32_t)(pem->end - pem->begin);
    }
    tbh_bear_release(roots->host, scratch, room);
}

/* Where the first block begins that is not whole, for the next look. */
static size_t tbh_roots_add_all(tbh_roots *roots, tbh_der in, uint64_t base) {
    tbh_pem pem;
    size_t at = 0, begin = 0;
    while (at < in.length && tbh_pem_find(in, at, &pem, &begin)) {
        tbh_roots_add(roots, &pem, base);
        begin = at = pem.end;
        while (at < in.length && (in.data[at] == '\n' || in.data[at] == '\r')) at++;
    }
    return begin;
}

/* Slides a window over the file; a block that does not fit into it is skipped. */
static turbohttp_status tbh_roots_scan_file(tbh_roots *roots, const char *path) {
    uint64_t base = 0;
    tbh_der in = {NULL, TBH_ROOTS_WINDOW};
    unsigned char *window = (unsigned char *)tbh_bear_allocate(roots->host, TBH_ROOTS_WINDOW);
    if (!window) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    in.data = window;
    if (tbh_roots_get(roots, path, TBH_ROOTS_FILE_MAX, window, 1)) roots->is_too_large = true;
    while (base < TBH_ROOTS_FILE_MAX && in.length == TBH_ROOTS_WINDOW) {
        in.length = tbh_roots_get(roots, path, base, window, TBH_ROOTS_WINDOW);
        size_t begin = tbh_roots_add_all(roots, in, base);
        base += begin > 0 ? begin : in.length;
    }
    tbh_bear_release(roots->host, window, TBH_ROOTS_WINDOW);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_roots_scan(tbh_roots *roots) {
    const turbohttp_tls_options *o = roots->options;
    turbohttp_status status = TURBOHTTP_OK;
    tbh_der memory = {(const unsigned char *)o->ca_data, o->ca_bytes};
    roots->path = o->ca_file;
    if (o->ca_file) return tbh_roots_scan_file(roots, o->ca_file);
    if (o->ca_data) tbh_roots_add_all(roots, memory, 0);
    if (o->ca_data || o->ca_path) return TURBOHTTP_OK;
    for (size_t i = 0; i < sizeof tbh_roots_bundles / sizeof tbh_roots_bundles[0]; i++) {
        roots->path = tbh_roots_bundles[i];
        status = tbh_roots_scan_file(roots, roots->path);
        if (status != TURBOHTTP_OK || roots->count) break;
    }
    return status;
}

/* Half of the roots would be a riddle: all, or an error. */
static turbohttp_status tbh_roots_refuse(tbh_roots *roots, turbohttp_error *error) {
    roots->count = 0;
    tbh_bear_say(error, TURBOHTTP_ERR_TLS_ROOTS,
                 "more than 10000 trusted certificates, or 8 MiB of them, in ",
                 roots->path ? roots->path : "tls.ca_data",
                 ": give a folder, tls.ca_path, or those that you need");
    return TURBOHTTP_ERR_TLS_ROOTS;
}

TBH_BEAR_FN turbohttp_status tbh_roots_load(tbh_roots *roots, turbohttp_error *error) {
    if (roots->is_loaded) return TURBOHTTP_OK;
    roots->is_starved = roots->is_too_large = false;
    turbohttp_status status = tbh_roots_scan(roots);
    if (roots->is_starved) {
        roots->count = 0;
        return TURBOHTTP_ERR_OUT_OF_MEMORY;
    }
    if (status != TURBOHTTP_OK) return status;
    if (roots->is_too_large) return tbh_roots_refuse(roots, error);
    roots->is_loaded = roots->count > 0 || roots->options->ca_path;
    if (roots->is_loaded) return TURBOHTTP_OK;
    if (roots->options->ca_file)
        tbh_bear_say(error, TURBOHTTP_ERR_TLS_ROOTS, "no certificate could be read from ",
                     roots->options->ca_file, ": tls.ca_file must be PEM or DER");
    else
        tbh_bear_say(error, TURBOHTTP_ERR_TLS_ROOTS, "no trusted certificates were found: ",
                     "install the package ca-certificates, or set tls.ca_file", "");
    return TURBOHTTP_ERR_TLS_ROOTS;
}

TBH_BEAR_FN void tbh_roots_free(tbh_roots *roots) {
    tbh_bear_release(roots->host, roots->index, roots->capacity * sizeof *roots->index);
}

/* ------------------------------------------------------------ anchors */
static void tbh_anchors_add(tbh_anchors *anchors, const tbh_cert *cert) {
    br_x509_trust_anchor *anchor = &anchors->table[anchors->count];
    memset(anchor, 0, sizeof *anchor);
    if (!tbh_cert_key(cert, &anchor->pkey)) return;
    anchor->dn.data = (unsigned char *)(uintptr_t)cert->subject.data;
    anchor->dn.len = cert->subject.length;
    anchor->flags = cert->is_ca ? BR_X509_TA_CA : 0; /* else it is trusted as the server itself */
    anchors->count++;
}

/* Decodes the certificate that lies in a part of a source, and keeps it when it is the one. */
static void tbh_anchors_load(const tbh_roots *roots, const char *path, uint32_t offset,
                             uint32_t length, tbh_der subject, tbh_anchors *anchors) {
    tbh_pem pem;
    tbh_cert cert;
    size_t begin, bytes = sizeof(tbh_anchor) + 2 * (size_t)length;
    if (anchors->count >= TBH_ANCHORS_MAX) return;
    tbh_anchor *anchor = (tbh_anchor *)tbh_bear_allocate(roots->host, bytes);
    anchors->is_starved = anchors->is_starved || !anchor;
    if (!anchor) return;
    anchor->bytes = bytes;
    unsigned char *der_bytes = (unsigned char *)(anchor + 1);
    tbh_der in = {der_bytes + length, 0}, der = {der_bytes, 0};
    in.length = tbh_roots_get(roots, path, offset, der_bytes + length, length);
    if (tbh_pem_find(in, 0, &pem, &begin)) der.length = tbh_pem_decode(&pem, der_bytes);
    if (!tbh_cert_read(&cert, der) || !tbh_der_equal(cert.subject, subject)) {
        tbh_bear_release(roots->host, anchor, bytes);
        return;
    }
    tbh_anchors_add(anchors, &cert);
    anchor->next = anchors->first;
    anchors->first = anchor;
}

/* ------------------------------------------------------------ a folder, by OpenSSL's hash */
/* The hash is SHA-1 over the name with its strings in UTF-8, lower case, and without needless
 * blanks; the file is "<hash>.<number>". */
static size_t tbh_roots_canonical(tbh_der text, unsigned char canonical[128]) {
    size_t n = 2, from = 0, to = text.length;
    while (from < to && text.data[from] == ' ') from++;
    while (to > from && text.data[to - 1] == ' ') to--;
    for (; from < to && n < 128; from++) {
        unsigned char c = text.data[from];
        if (c == ' ' && text.data[from - 1] == ' ') continue;
        canonical[n++] = (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    canonical[0] = 0x0c; /* UTF8String */
    canonical[1] = (unsigned char)(n - 2);
    return n;
}

static void tbh_roots_hash_set(br_sha1_context *sha, tbh_der set) {
    tbh_der attribute, oid, value, whole_oid;
    unsigned tag;
    while (tbh_der_take(&set, TBH_DER_SEQUENCE, &attribute)) {
        if (!tbh_der_next(&attribute, &tag, &oid, &whole_oid)) return;
        if (!tbh_der_next(&attribute, &tag, &value, NULL) || value.length > 120) return;
        unsigned char canonical[128];
        size_t n = tbh_roots_canonical(value, canonical), inner = whole_oid.length + n;
        if (inner + 2 > 127) return;
        unsigned char head[4] = {TBH_DER_SET, (unsigned char)(inner + 2), TBH_DER_SEQUENCE,
                                 (unsigned char)inner};
        br_sha1_update(sha, head, 4);
        br_sha1_update(sha, whole_oid.data, whole_oid.length);
        br_sha1_update(sha, canonical, n);
    }
}

static uint32_t tbh_roots_folder_hash(tbh_der subject) {
    br_sha1_context sha;
    unsigned char out[br_sha1_SIZE];
    tbh_der names, set;
    br_sha1_init(&sha);
    if (!tbh_der_take(&subject, TBH_DER_SEQUENCE, &names)) return 0;
    while (tbh_der_take(&names, TBH_DER_SET, &set)) tbh_roots_hash_set(&sha, set);
    br_sha1_out(&sha, out);
    return (uint32_t)out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16 |
           (uint32_t)out[3] << 24;
}

static void tbh_roots_find_in_folder(const tbh_roots *roots, tbh_der subject,
                                     tbh_anchors *anchors) {
    char path[TBH_ROOTS_PATH_ROOM];
    size_t n = strlen(roots->options->ca_path);
    uint32_t hash = tbh_roots_folder_hash(subject);
    unsigned before;
    if (n + 12 > sizeof path) return;
    memcpy(path, roots->options->ca_path, n);
    path[n++] = '/';
    for (int i = 0; i < 8; i++) path[n++] = "0123456789abcdef"[hash >> (28 - 4 * i) & 15];
    path[n++] = '.';
    path[n + 1] = 0;
    for (char number = '0'; number <= '9'; number++) {
        path[n] = number;
        before = anchors->count;
        tbh_anchors_load(roots, path, 0, TBH_ROOTS_WINDOW, subject, anchors);
        if (anchors->count == before) return;
    }
}

TBH_BEAR_FN void tbh_roots_find(const tbh_roots *roots, tbh_der subject, tbh_anchors *anchors) {
    unsigned char hash[8];
    tbh_roots_hash(subject, hash);
    for (uint32_t i = 0; i < roots->count; i++) {
        const tbh_root *root = &roots->index[i];
        if (memcmp(root->subject_hash, hash, 8) == 0)
            tbh_anchors_load(roots, roots->path, root->offset, root->length, subject, anchors);
    }
    if (roots->options->ca_path) tbh_roots_find_in_folder(roots, subject, anchors);
}

TBH_BEAR_FN void tbh_anchors_free(const tbh_roots *roots, tbh_anchors *anchors) {
    while (anchors->first) {
        tbh_anchor *anchor = anchors->first;
        anchors->first = anchor->next;
        tbh_bear_release(roots->host, anchor, anchor->bytes);
    }
    anchors->count = 0;
}

/* ========================================================================
 * src/tls_bearssl/chain.h
 * ======================================================================= */
/* The peer's certificates: collected while BearSSL reads them, verified in slices. */

#define TBH_CHAIN_CERTS   16 /* that a peer may send */
#define TBH_CHAIN_PATH    10 /* from the leaf to the last intermediate */

/* Beside BearSSL's numbers: the allocator gave nothing. */
#define TBH_CHAIN_STARVED 1001

typedef enum tbh_chain_state {
    TBH_CHAIN_COLLECTING,
    TBH_CHAIN_VERIFYING,
    TBH_CHAIN_DONE
} tbh_chain_state;

/* What a chain is verified against. */
typedef struct tbh_chain_rules {
    tbh_roots *roots;
    const unsigned char (*pins)[32];
    unsigned pin_count;
    char host[256];
    bool is_address;
    turbohttp_address address;
} tbh_chain_rules;

typedef struct tbh_chain {
    const br_x509_class *vtable; /* first: BearSSL sees this struct as its X.509 engine */
    const tbh_chain_rules *rules;
    tbh_chain_state state;
    turbohttp_status status; /* of TBH_CHAIN_DONE */
    unsigned char *bytes;    /* all certificates, one behind the other */
    size_t fill, capacity;
    size_t starts[TBH_CHAIN_CERTS + 1];
    unsigned count;
    bool is_too_large, is_starved;
    tbh_cert path[TBH_CHAIN_PATH]; /* leaf first */
    unsigned path_length, next;    /* the certificate that the next slice verifies */
    br_x509_pkey leaf_key;
    tbh_anchors anchors;
    br_x509_minimal_context minimal;
} tbh_chain;

TBH_BEAR_FN void tbh_chain_init(tbh_chain *chain, const tbh_chain_rules *rules);
TBH_BEAR_FN void tbh_chain_free(tbh_chain *chain);
/* At most one signature. PENDING: again; OK: trusted; else why not. */
TBH_BEAR_FN turbohttp_status tbh_chain_step(tbh_chain *chain, turbohttp_error *error);

/* ========================================================================
 * src/tls_bearssl/chain.c
 * ======================================================================= */
/* The peer's certificate chain.
 * Owns the bytes of the certificates and the anchors found for them. BearSSL hands the certificates
 * over as it reads them; nothing is judged then. When the message is complete they are put in
 * order, whatever the peer's order was, and given to BearSSL's own engine one at a time, so that no
 * call costs more than one signature. What that engine leaves open is checked last: the host by
 * subjectAltName alone, usage, name constraints, pins.
 * Invariants: the handshake gets no further byte before the verdict; no byte count of the wire
 * sizes an allocation. Does not know: records, sessions. */

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

/* ========================================================================
 * src/tls_bearssl/identity.h
 * ======================================================================= */
/* Who we are and whom we pin: read once for all connections of a context. */

#define TBH_IDENTITY_CERTS 10
#define TBH_IDENTITY_PINS  16

typedef struct tbh_identity {
    unsigned char *bytes; /* the files, decoded in place */
    size_t capacity;
    br_x509_certificate chain[TBH_IDENTITY_CERTS];
    unsigned count; /* 0: no client certificate */
    br_skey_decoder_context key;
    unsigned char pins[TBH_IDENTITY_PINS][32];
    unsigned pin_count;
} tbh_identity;

TBH_BEAR_FN turbohttp_status tbh_identity_read(tbh_identity *identity,
                                               const turbohttp_tls_host *host,
                                               const turbohttp_tls_options *options,
                                               turbohttp_error *error);
TBH_BEAR_FN void tbh_identity_free(tbh_identity *identity, const turbohttp_tls_host *host);
TBH_BEAR_FN void tbh_identity_use(const tbh_identity *identity, br_ssl_client_context *client);

/* ========================================================================
 * src/tls_bearssl/identity.c
 * ======================================================================= */
/* The client's certificate and key, and the pins.
 * Owns the bytes of both files, wiped when they are given back. Invariants: a file that cannot be
 * used is an error, never silence; a key is never shown in one.
 * Does not know: connections. */

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

/* ========================================================================
 * src/tls_bearssl/splitter.h
 * ======================================================================= */
/* The plaintext part of a handshake, cut at its messages. */

#define TBH_SPLITTER_ROOM 512

/* What a message costs the client, by its type (RFC 5246 §7.4). */
enum { TBH_MESSAGE_KEY_EXCHANGE = 12, TBH_MESSAGE_HELLO_DONE = 14 };

typedef struct tbh_splitter {
    unsigned char hold[TBH_SPLITTER_ROOM]; /* received and not yet given on: [at, fill) */
    size_t at, fill;
    unsigned char record[5]; /* header of the record in hand */
    unsigned record_fill;
    size_t record_left;       /* bytes of the record still to come */
    unsigned char message[4]; /* header of the handshake message in hand */
    unsigned message_fill;
    size_t message_left;
    bool is_over; /* ChangeCipherSpec was seen: what follows is encrypted */
} tbh_splitter;

typedef enum tbh_split {
    TBH_SPLIT_EMPTY,  /* it needs bytes, or the engine takes none */
    TBH_SPLIT_PIECE,  /* something was given on */
    TBH_SPLIT_MESSAGE /* and with it a message that made the engine work hard */
} tbh_split;

/* Gives the next piece, never beyond the end of a message, to the engine. */
TBH_BEAR_FN tbh_split tbh_splitter_next(tbh_splitter *s, br_ssl_engine_context *engine);

/* ========================================================================
 * src/tls_bearssl/splitter.c
 * ======================================================================= */
/* Cuts the records of a handshake so that BearSSL gets one message at a time.
 * Records do not matter to the handshake (RFC 5246 §6.2.1): a record with three messages becomes
 * three records. So a frame loop pays for one public-key operation per call, not for all that a
 * server packed into one record, and the certificates can be judged before the next message.
 * Owns at most 512 bytes in hand. Invariant: bytes keep their order, and none is added or lost but
 * record headers. Does not know: what the messages say. */

enum { TBH_RECORD_HANDSHAKE = 22, TBH_RECORD_CHANGE_CIPHER = 20 };

/* All or nothing: the engine has room for a record while it reads one in the clear. */
static bool tbh_splitter_give(br_ssl_engine_context *engine, const unsigned char *data, size_t n) {
    while (n > 0) {
        size_t room = 0;
        unsigned char *place = br_ssl_engine_recvrec_buf(engine, &room);
        if (!place) return false;
        if (room > n) room = n;
        memcpy(place, data, room);
        br_ssl_engine_recvrec_ack(engine, room);
        data += room;
        n -= room;
    }
    return true;
}

static size_t tbh_splitter_gather(tbh_splitter *s, unsigned char *to, unsigned *fill,
                                  unsigned wanted) {
    while (*fill < wanted && s->at < s->fill) to[(*fill)++] = s->hold[s->at++];
    return *fill == wanted;
}

static void tbh_splitter_give_record(br_ssl_engine_context *engine, const unsigned char *header,
                                     const unsigned char *data, size_t n) {
    unsigned char own[5] = {header[0], header[1], header[2], (unsigned char)(n >> 8),
                            (unsigned char)n};
    if (tbh_splitter_give(engine, own, 5)) tbh_splitter_give(engine, data, n);
}

/* A record that holds no handshake messages goes on as it came, a part at a time. */
static tbh_split tbh_splitter_pass(tbh_splitter *s, br_ssl_engine_context *engine) {
    size_t n = s->fill - s->at;
    if (n > s->record_left) n = s->record_left;
    tbh_splitter_give(engine, s->hold + s->at, n);
    s->at += n;
    s->record_left -= n;
    if (s->record_left) return n ? TBH_SPLIT_PIECE : TBH_SPLIT_EMPTY;
    bool is_empty = s->record[3] == 0 && s->record[4] == 0; /* the engine skips it */
    s->is_over = s->record[0] == TBH_RECORD_CHANGE_CIPHER && !is_empty;
    s->record_fill = 0;
    return TBH_SPLIT_PIECE;
}

static bool tbh_splitter_begin_record(tbh_splitter *s, br_ssl_engine_context *engine) {
    if (s->record_fill == 5) return true;
    if (!tbh_splitter_gather(s, s->record, &s->record_fill, 5)) return false;
    s->record_left = (size_t)s->record[3] << 8 | s->record[4];
    bool is_split =
        s->record[0] == TBH_RECORD_HANDSHAKE && s->record_left && s->record_left <= 16384;
    if (is_split) return true;
    s->record[0] |= s->record[0] == TBH_RECORD_HANDSHAKE ? 0x80 : 0; /* the engine refuses it */
    tbh_splitter_give(engine, s->record, 5);
    return true;
}

/* Bytes of the message in hand that are here, its header included; 0: its header is incomplete. */
static size_t tbh_splitter_measure(tbh_splitter *s) {
    size_t here = s->fill - s->at, from = s->at;
    if (here > s->record_left) here = s->record_left;
    size_t end = from + here;
    while (s->message_fill < 4 && from < end) s->message[s->message_fill++] = s->hold[from++];
    if (s->message_fill == 4 && s->message_left == 0)
        s->message_left =
            ((size_t)s->message[1] << 16 | (size_t)s->message[2] << 8 | s->message[3]) + 1;
    size_t header = from - s->at, body = here - header;
    size_t left = s->message_left ? s->message_left - 1 : 0;
    return header + (body < left ? body : left);
}

/* What is encrypted goes on unseen, as far as the engine takes it. */
static tbh_split tbh_splitter_rest(tbh_splitter *s, br_ssl_engine_context *engine) {
    size_t room;
    unsigned char *place;
    while (s->at < s->fill && (place = br_ssl_engine_recvrec_buf(engine, &room)) != NULL) {
        if (room > s->fill - s->at) room = s->fill - s->at;
        memcpy(place, s->hold + s->at, room);
        s->at += room;
        br_ssl_engine_recvrec_ack(engine, room);
    }
    return TBH_SPLIT_EMPTY;
}

TBH_BEAR_FN tbh_split tbh_splitter_next(tbh_splitter *s, br_ssl_engine_context *engine) {
    size_t room;
    if (s->is_over) return tbh_splitter_rest(s, engine);
    if (s->at == s->fill) s->at = s->fill = 0;
    if (!br_ssl_engine_recvrec_buf(engine, &room)) return TBH_SPLIT_EMPTY;
    if (!tbh_splitter_begin_record(s, engine)) return TBH_SPLIT_EMPTY;
    if (s->record[0] != TBH_RECORD_HANDSHAKE) return tbh_splitter_pass(s, engine);
    unsigned header_before = s->message_fill;
    size_t n = tbh_splitter_measure(s);
    if (n == 0) return TBH_SPLIT_EMPTY;
    size_t body = n - (s->message_fill - header_before);
    tbh_splitter_give_record(engine, s->record, s->hold + s->at, n);
    s->at += n;
    s->record_left -= n;
    if (s->record_left == 0) s->record_fill = 0;
    if (s->message_fill < 4) return TBH_SPLIT_PIECE;
    s->message_left -= body;
    if (s->message_left > 1) return TBH_SPLIT_PIECE;
    s->message_left = 0;
    s->message_fill = 0;
    bool is_hard =
        s->message[0] == TBH_MESSAGE_KEY_EXCHANGE || s->message[0] == TBH_MESSAGE_HELLO_DONE;
    return is_hard ? TBH_SPLIT_MESSAGE : TBH_SPLIT_PIECE;
}

/* ========================================================================
 * src/tls_bearssl/connection.h
 * ======================================================================= */
/* One TLS connection, and what all connections with equal options share. */

typedef struct tbh_bear_context {
    turbohttp_tls_host host;
    const turbohttp_tls_options *options;
    tbh_roots roots;
    tbh_identity identity;
} tbh_bear_context;

/* Needed until the handshake is over. */
typedef struct tbh_bear_handshake {
    size_t received; /* bytes */
    tbh_splitter splitter;
    tbh_chain_rules rules;
    tbh_chain chain;
} tbh_bear_handshake;

typedef struct tbh_bear {
    br_ssl_client_context client; /* BearSSL's, its engine first */
    tbh_bear_context *context;
    tbh_bear_handshake *handshake; /* NULL once it is over and its bytes are given on */
    unsigned char *buffer;         /* behind this struct */
    size_t bytes;                  /* of the whole allocation */
    unsigned char offered_id[32];  /* session that was offered */
    unsigned char offered_length;
    unsigned char alert[7]; /* our own verdict, as a record in the clear */
    unsigned alert_left;
    bool wants_step;
    bool is_up; /* the handshake is over */
    turbohttp_status failure;
    char protocols[2][14]; /* ALPN, terminated: BearSSL keeps pointers */
    const char *protocol_names[2];
} tbh_bear;

/* failure.c */
/* Beside BearSSL's numbers: the first record is none. */
#define TBH_BEAR_NOT_TLS 1000
TBH_BEAR_FN turbohttp_status tbh_bear_map(int code, bool in_handshake, turbohttp_error *error);

/* ========================================================================
 * src/tls_bearssl/failure.c
 * ======================================================================= */
/* BearSSL's error numbers as statuses and sentences.
 * Owns nothing. Does not know: connections. */

typedef struct tbh_bear_row {
    int code;
    turbohttp_status status;
    const char *text; /* NULL: the status says it */
} tbh_bear_row;

#define TBH_ALERT_RECEIVED(n) (BR_ERR_RECV_FATAL_ALERT + (n))

static const tbh_bear_row tbh_bear_rows[] = {
    {BR_ERR_UNSUPPORTED_VERSION, TURBOHTTP_ERR_TLS_VERSION,
     "the server speaks no TLS 1.2, only an older version: it must be updated"},
    {TBH_BEAR_NOT_TLS, TURBOHTTP_ERR_TLS_HANDSHAKE,
     "the server did not answer with TLS: is this a plain HTTP port? try http://"},
    {TBH_ALERT_RECEIVED(70), TURBOHTTP_ERR_TLS_VERSION,
     "the server refuses TLS 1.2, it probably requires TLS 1.3, which BearSSL lacks: allow TLS 1.2 "
     "on the server"},
    {TBH_ALERT_RECEIVED(40), TURBOHTTP_ERR_TLS_CIPHER,
     "the server refused the handshake: it has no TLS 1.2 or no cipher suite in common, or wants a "
     "client certificate (tls.cert_file)"},
    {BR_ERR_BAD_CIPHER_SUITE, TURBOHTTP_ERR_TLS_CIPHER, NULL},
    {TBH_ALERT_RECEIVED(120), TURBOHTTP_ERR_TLS_ALPN, NULL},
    {BR_ERR_UNEXPECTED, TURBOHTTP_ERR_TLS_HANDSHAKE,
     "the server broke the TLS protocol: is this a TLS port?"},
    {TBH_ALERT_RECEIVED(112), TURBOHTTP_ERR_TLS_UNKNOWN_HOST, NULL},
    {TBH_ALERT_RECEIVED(116), TURBOHTTP_ERR_TLS_CERT_REQUIRED, NULL},
    {TBH_ALERT_RECEIVED(42), TURBOHTTP_ERR_TLS_ALERT,
     "the server refused the client certificate: check tls.cert_file"},
    {TBH_ALERT_RECEIVED(43), TURBOHTTP_ERR_TLS_ALERT,
     "the server does not support this kind of client certificate"},
    {TBH_ALERT_RECEIVED(45), TURBOHTTP_ERR_TLS_ALERT, "the client certificate expired: renew it"},
    {TBH_ALERT_RECEIVED(48), TURBOHTTP_ERR_TLS_ALERT,
     "the server does not trust the client certificate's issuer"},
    {BR_ERR_NO_CLIENT_AUTH, TURBOHTTP_ERR_TLS_CERT_REQUIRED, NULL},
    {BR_ERR_NO_RANDOM, TURBOHTTP_ERR_RANDOM, NULL},
    {BR_ERR_BAD_MAC, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_BAD_FINISHED, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_BAD_SIGNATURE, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_X509_BAD_SIGNATURE, TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {TBH_ALERT_RECEIVED(20), TURBOHTTP_ERR_TLS_INTEGRITY, NULL},
    {BR_ERR_TOO_LARGE, TURBOHTTP_ERR_TLS_HANDSHAKE,
     "the server sent a record larger than the buffer: raise tls.buffer_bytes"},
    {BR_ERR_WRONG_KEY_USAGE, TURBOHTTP_ERR_CERT_USAGE, NULL},
    {BR_ERR_X509_LIMIT_EXCEEDED, TURBOHTTP_ERR_CERT_CHAIN,
     "certificate chain is too long: at most 16 certificates and 64 KiB"},
    {TBH_CHAIN_STARVED, TURBOHTTP_ERR_OUT_OF_MEMORY, NULL},
    {BR_ERR_X509_EMPTY_CHAIN, TURBOHTTP_ERR_CERT_CHAIN, "the server sent no certificate"},
    {BR_ERR_X509_INVALID_VALUE, TURBOHTTP_ERR_CERT_CHAIN, "the server's certificate is malformed"},
    {BR_ERR_X509_UNSUPPORTED, TURBOHTTP_ERR_CERT_UNSUPPORTED, NULL},
};

static void tbh_bear_add_number(turbohttp_error *error, unsigned n) {
    char text[8];
    unsigned at = sizeof text - 1;
    text[at] = 0;
    do text[--at] = (char)('0' + n % 10);
    while ((n /= 10) != 0 && at > 0);
    tbh_bear_add(error, text + at);
}

static turbohttp_status tbh_bear_map_other(int code, bool in_handshake, turbohttp_error *error) {
    bool is_alert = code >= BR_ERR_RECV_FATAL_ALERT && code < BR_ERR_SEND_FATAL_ALERT;
    turbohttp_status status = is_alert ? TURBOHTTP_ERR_TLS_ALERT : TURBOHTTP_ERR_TLS_HANDSHAKE;
    if (!is_alert && !in_handshake) status = TURBOHTTP_ERR_TLS_INTEGRITY;
    tbh_bear_say(error, status,
                 is_alert ? "the server sent TLS alert " : "TLS failed, BearSSL error ", "", "");
    tbh_bear_add_number(error, (unsigned)(is_alert ? code - BR_ERR_RECV_FATAL_ALERT : code));
    if (!is_alert && in_handshake) tbh_bear_add(error, ": is this a TLS port?");
    return status;
}

TBH_BEAR_FN turbohttp_status tbh_bear_map(int code, bool in_handshake, turbohttp_error *error) {
    turbohttp_status status = TURBOHTTP_OK;
    for (size_t i = 0; i < sizeof tbh_bear_rows / sizeof tbh_bear_rows[0] && !status; i++) {
        const tbh_bear_row *row = &tbh_bear_rows[i];
        if (row->code != code) continue;
        status = row->status;
        tbh_bear_say(error, status, row->text ? row->text : turbohttp_status_text(status), "", "");
    }
    if (status == TURBOHTTP_OK) status = tbh_bear_map_other(code, in_handshake, error);
    if (error) error->system_code = code;
    return status;
}

/* ========================================================================
 * src/tls_bearssl/connection.c
 * ======================================================================= */
/* One connection over BearSSL's engine.
 * Owns BearSSL's context, its buffers, and the handshake's part until that is over; all wiped when
 * the connection is shut. Invariants: TLS 1.2, ephemeral keys and AEAD suites only; no byte after
 * the certificates reaches the engine before they are trusted; entropy comes from the client's
 * source, and its failure is an error. Does not know: sockets, HTTP. */

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

/* ========================================================================
 * src/tls_bearssl/included.c
 * ======================================================================= */
/* How turbohttp.h finds this provider without a list that could change: see client/secure.c.
 * Owns nothing. */

#ifdef TURBOHTTP_TLS_BEARSSL_FIRST
static const turbohttp_tls_provider *turbohttp_tls_bearssl_first(void) {
    return turbohttp_tls_bearssl();
}
#elif defined(TBH_BEAR_AMALGAM)
static const turbohttp_tls_provider *(*const turbohttp_tls_included)(void) = turbohttp_tls_bearssl;
#endif

#undef TBH_ALERT_RECEIVED
#undef TBH_ANCHORS_MAX
#undef TBH_BEAR_FN
#undef TBH_BEAR_HANDSHAKE_MOST
#undef TBH_BEAR_IN_OVERHEAD
#undef TBH_BEAR_LEAST
#undef TBH_BEAR_NOT_TLS
#undef TBH_CHAIN_BYTES_MAX
#undef TBH_CHAIN_CERTS
#undef TBH_CHAIN_PATH
#undef TBH_CHAIN_STARVED
#undef TBH_IDENTITY_CERTS
#undef TBH_IDENTITY_FILE_MAX
#undef TBH_IDENTITY_PINS
#undef TBH_OID
#undef TBH_ROOTS_FILE_MAX
#undef TBH_ROOTS_MAX
#undef TBH_ROOTS_PATH_ROOM
#undef TBH_ROOTS_WINDOW
#undef TBH_SPLITTER_ROOM
#undef TBH_BEAR_AMALGAM
#endif /* TURBOHTTP_IMPLEMENTATION */

/*
 * MIT License
 *
 * Copyright (c) 2026 The TurboHTTP authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
