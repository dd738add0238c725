/* Trusted certificates: an index of what there is, and the few that a handshake needs. */
#pragma once
#include "cert.h"
#include "pem.h"

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
