/* The peer's certificates: collected while BearSSL reads them, verified in slices. */
#pragma once
#include "roots.h"

#define TBH_CHAIN_CERTS 16 /* that a peer may send */
#define TBH_CHAIN_PATH  10 /* from the leaf to the last intermediate */

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
    bool is_too_large, is_out_of_memory;
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
