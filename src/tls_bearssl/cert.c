/* Facts of one certificate, and the rules about names.
 * Owns nothing: everything points into the certificate's bytes. Invariant: what is malformed makes
 * a certificate unreadable or a name not match, never match. BearSSL verifies signatures and the
 * path; this file answers what it leaves open.
 * Does not know: chains, trust, time. */
#include "cert.h"

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
