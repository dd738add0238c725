/* Who we are and whom we pin: read once for all connections of a context. */
#pragma once
#include "cert.h"
#include "pem.h"

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
