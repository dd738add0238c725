/* One HTTP/1.1 connection, sans I/O and sans clock: bytes in, bytes out, events (RFC 9112).
 * Ports: out_peek/out_consume for what must be sent, in_room/in_commit for what was received,
 * next for what it means. One exchange at a time; no pipelining. */
#pragma once
#include "../api/client.h"
#include "../base/errors.h"
#include "../codec/h1_chunked.h"
#include "../codec/h1_head.h"
#include "../memory/sequence.h"

/* Where a request body comes from. The engine pulls; it knows nothing of files. */
typedef struct tbh_source {
    const uint8_t *data; /* bytes in memory, or NULL: `fill` gives them */
    turbohttp_body_read fill;
    void *user;
    uint64_t length; /* in all; meaningless when is_unknown */
    uint64_t taken;  /* handed to the connection so far */
    bool is_unknown; /* sent in the chunked coding */
    bool is_blocked; /* fill answered PENDING */
} tbh_source;

/* What the engine needs to know of a request; the texts live until the exchange is over. */
typedef struct tbh_conn_request {
    turbohttp_span head;     /* the request's head on the wire, with a small body right behind */
    size_t method_bytes;     /* of `head`; then a blank */
    size_t target_bytes;     /* and a blank */
    size_t small_bytes;      /* of that body */
    turbohttp_span trailers; /* field lines for the end of a chunked body, or empty */
    tbh_source *body;        /* what is not in `head`; NULL: nothing */
    bool is_head;            /* the method is HEAD */
    bool expects_continue;
    bool allows_upgrade; /* 101 is an answer, not an error */
    bool is_last;        /* the connection is not to be kept */
    bool tells_priority; /* a header of the head does */
    int8_t priority;     /* turbohttp_priority; HTTP/1.1 has no use for it */
} tbh_conn_request;

typedef enum tbh_conn_event {
    TBH_CONN_NOTHING,  /* give it more bytes */
    TBH_CONN_INTERIM,  /* 1xx: see head */
    TBH_CONN_HEAD,     /* final head: see head; then choose collect or spans */
    TBH_CONN_BODY,     /* span of body: take it with body_consume */
    TBH_CONN_STORED,   /* `span.length` more bytes of body are in the store */
    TBH_CONN_END,      /* the response is complete */
    TBH_CONN_UPGRADED, /* 101: the bytes that follow are another protocol's */
    TBH_CONN_FAILED    /* see status and offset */
} tbh_conn_event;

typedef enum tbh_conn_tx {
    TBH_TX_IDLE,
    TBH_TX_HEAD,
    TBH_TX_AWAIT,
    TBH_TX_BODY,
    TBH_TX_TAIL,
    TBH_TX_DONE,
    TBH_TX_ABANDONED
} tbh_conn_tx;

typedef enum tbh_conn_rx {
    TBH_RX_IDLE,
    TBH_RX_HEAD,
    TBH_RX_CHOOSE,
    TBH_RX_LENGTH,
    TBH_RX_CHUNKED,
    TBH_RX_UNTIL_CLOSE,
    TBH_RX_TRAILERS,
    TBH_RX_END,
    TBH_RX_UPGRADED,
    TBH_RX_FAILED
} tbh_conn_rx;

typedef struct tbh_conn_h1 {
    turbohttp_byte_pool *pool;
    const turbohttp_limits *limits;
    tbh_conn_request request;

    /* sending */
    tbh_conn_tx tx;
    bool body_ended;           /* the source has nothing more */
    turbohttp_span out;        /* to be sent now */
    turbohttp_segment *filled; /* block that `fill` writes to */

    /* receiving: [at, fill) of the block is received and not yet understood */
    tbh_conn_rx rx;
    bool is_collecting; /* body bytes stay in the store's segments */
    bool is_stored;     /* the block belongs to the store */
    bool is_ended;      /* the peer closed its side */
    bool keep_alive;
    bool was_waiting;      /* the answer came instead of 100: nothing of the body was asked for */
    bool is_lenient;       /* with heads: see turbohttp_h1_head_parse_lenient */
    bool lenient_helps;    /* the head was refused, and would not have been */
    uint8_t full_receives; /* steps by which the next block is larger */
    turbohttp_segment *block;
    uint8_t *at, *fill;
    turbohttp_segments *store; /* head, then collected body: goes to the response */
    uint64_t remaining;        /* of a body with a length */
    turbohttp_chunked chunked;
    turbohttp_h1_head_parser parser;
    uint32_t interims, head_total; /* 1xx seen; head bytes of all of them */
    uint64_t offset; /* of `at` in the response, framing included; in the end of the fault */

    /* results */
    turbohttp_h1_head head;
    turbohttp_header *table; /* rented; tbh_conn_detach_tables moves it out */
    size_t table_bytes;
    turbohttp_header *trailer_table; /* table and bytes of the trailer section in one block */
    size_t trailer_bytes, trailer_fill;
    uint32_t trailer_count;
    turbohttp_status status; /* of TBH_CONN_FAILED */
} tbh_conn_h1;

TBH_FN void tbh_conn_init(tbh_conn_h1 *h, turbohttp_byte_pool *pool, const turbohttp_limits *limits,
                          bool is_lenient);
/* Returns everything rented; the connection is then as after init. */
TBH_FN void tbh_conn_reset(tbh_conn_h1 *h);
/* Begins an exchange; the previous one must have ended and be reusable. */
TBH_FN void tbh_conn_start(tbh_conn_h1 *h, const tbh_conn_request *request,
                           turbohttp_segments *store);

/* OK with bytes · PENDING (waiting for 100 or for the source) · DONE · an error of the source. */
TBH_FN turbohttp_status tbh_conn_out_peek(tbh_conn_h1 *h, turbohttp_span *out);
TBH_FN void tbh_conn_out_consume(tbh_conn_h1 *h, size_t n);
/* The peer does not take any more; a response may still come (RELIABILITY 3.5). */
TBH_FN void tbh_conn_out_abandon(tbh_conn_h1 *h);
/* Nobody answered 100 (Continue) in time: send the body all the same (RFC 9110 §10.1.1). */
TBH_FN void tbh_conn_out_continue(tbh_conn_h1 *h);

/* NULL: no memory. `*room` may be smaller than asked for by the block size. */
TBH_FN uint8_t *tbh_conn_in_room(tbh_conn_h1 *h, size_t *room);
TBH_FN void tbh_conn_in_commit(tbh_conn_h1 *h, size_t n);
TBH_FN void tbh_conn_in_end(tbh_conn_h1 *h);
TBH_FN bool tbh_conn_in_wanted(const tbh_conn_h1 *h);

TBH_FN tbh_conn_event tbh_conn_next(tbh_conn_h1 *h, turbohttp_span *span);
/* After TBH_CONN_HEAD: keep the body in the store, without copying where the framing allows. */
TBH_FN void tbh_conn_collect(tbh_conn_h1 *h);
TBH_FN void tbh_conn_body_consume(tbh_conn_h1 *h, size_t n);
TBH_FN bool tbh_conn_is_reusable(const tbh_conn_h1 *h);
/* Bytes that follow an upgrade; valid until reset. */
TBH_FN turbohttp_span tbh_conn_leftover(const tbh_conn_h1 *h);
