/* One TLS connection, and what all connections with equal options share. */
#pragma once
#include "chain.h"
#include "identity.h"
#include "splitter.h"

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
