/* The plaintext part of a handshake, cut at its messages. */
#pragma once
#include "base.h"

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
