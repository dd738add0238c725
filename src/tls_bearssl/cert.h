/* What BearSSL's X.509 engine does not tell, or does not check (RFC 5280, RFC 6125). */
#pragma once
#include "der.h"

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
