/* One HTTP/2 connection, sans I/O and sans clock: bytes in, bytes out, events of its streams
 * (RFC 9113). Ports as in conn_h1: out_peek/out_consume, in_room/in_commit, next for what it means.
 *
 *   conn_h2.c     life, frames that come in, the driver
 *   h2_stream.c   states of a stream, what is handed out, and in which order
 *   h2_flow.c     credit in both directions, guards against floods
 *   h2_send.c     what goes out: control frames, requests, bodies
 *   h2_block.c    header blocks that go out
 *   h2_head.c     header blocks that come in
 *
 * The connection is called mux here, for the codec has the prefix h2. Streams live in memory of the
 * caller, one for each request. */
#pragma once
#include "../codec/h1_head.h"
#include "../codec/h2_field.h"
#include "../codec/header_id.h"
#include "conn_h1.h"

typedef struct tbh_mux tbh_mux;
typedef struct tbh_mux_stream tbh_mux_stream;

/* What a connection may be told; zero means the default in the comment. */
typedef struct tbh_mux_options {
    uint32_t stream_window;     /* bytes that a stream may send ahead of its consumer; 1 MiB */
    uint32_t connection_window; /* all streams together; 4 MiB */
    uint32_t streams;           /* opened at once; 100, and what the peer allows */
    uint32_t settings_us;       /* for the ACK of our SETTINGS; 10 s */
    uint32_t ping_us;           /* silence before a PING, while streams are open; 30 s */
    uint32_t ping_answer_us;    /* for its answer; 10 s */
    uint32_t trust_us;          /* silence after which a request brings a PING along; 3 s */
    uint32_t trust_answer_us;   /* for its answer; 5 s */
    uint32_t first_id;          /* of the first stream; 1 */
} tbh_mux_options;

/* ------------------------------------------------------------ streams */
typedef enum tbh_mux_state {
    TBH_MUX_OPEN_HEAD, /* we send; no head came */
    TBH_MUX_OPEN_BODY, /* we send; the head came */
    TBH_MUX_SENT_HEAD, /* all is sent; no head came */
    TBH_MUX_SENT_BODY, /* all is sent; the head came */
    TBH_MUX_ENDED,     /* the peer has ended, we still send */
    TBH_MUX_CLOSED     /* nothing moves any more; also before the start */
} tbh_mux_state;

typedef enum tbh_mux_input {
    TBH_MUX_IN_HEAD,        /* a head, or the fields behind a body, that do not end the stream */
    TBH_MUX_IN_HEAD_END,    /* … that do */
    TBH_MUX_IN_INTERIM,     /* 1xx */
    TBH_MUX_IN_INTERIM_END, /* 1xx that ends the stream */
    TBH_MUX_IN_DATA,
    TBH_MUX_IN_DATA_END,
    TBH_MUX_IN_RESET,
    TBH_MUX_IN_WINDOW,
    TBH_MUX_SENT_END,
    TBH_MUX_SENT_RESET
} tbh_mux_input;

enum { TBH_MUX_STATES = TBH_MUX_CLOSED + 1, TBH_MUX_INPUTS = TBH_MUX_SENT_RESET + 1 };

/* Queues in which a stream can stand. */
enum {
    TBH_MUX_LIVE,   /* started and not released */
    TBH_MUX_SENDER, /* has a piece of body that may go; the most urgent ones first */
    TBH_MUX_READY,  /* has something to hand out that needs no further bytes */
    TBH_MUX_CREDIT, /* a WINDOW_UPDATE is due */
    TBH_MUX_QUEUES
};

typedef struct tbh_mux_node {
    tbh_mux_stream *next, *previous;
    bool is_in;
} tbh_mux_node;

typedef struct tbh_mux_queue {
    tbh_mux_stream *first, *last;
    uint32_t count;
} tbh_mux_queue;

/* Fields in one rented block: the table at its start, the texts behind it, each terminated. */
typedef struct tbh_mux_section {
    turbohttp_header *table;
    size_t bytes; /* of the block */
    char *text;   /* where the next one goes */
    size_t room;  /* bytes from there on */
    uint32_t count;
} tbh_mux_section;

struct tbh_mux_stream {
    tbh_mux *mux; /* NULL before the start and after the release */
    void *owner;
    tbh_mux_stream *bucket_next;
    tbh_mux_node nodes[TBH_MUX_QUEUES];
    uint32_t id;
    tbh_mux_state state;

    /* sending */
    int32_t send_window; /* negative after the peer has made its windows smaller (§6.9.2) */
    tbh_source *body;
    turbohttp_span small;    /* a body in the same block as the head */
    turbohttp_span trailers; /* field lines behind a body of unknown length */
    uint64_t sent_bytes;     /* of frames that hold the request */
    uint32_t queued_at;      /* pieces that were sent before it was put into SENDER */
    int8_t priority;
    bool awaits_continue;
    bool is_head;

    /* receiving */
    uint32_t window; /* what the peer may still send */
    uint32_t taken;  /* credit that the peer does not know of */
    uint32_t interims;
    uint64_t received, expected; /* bytes of body */
    bool has_expected, has_head;
    bool is_paused; /* the consumer left bytes behind: they wait in `held` */
    bool is_whole;  /* the peer ended it by the rules */
    uint8_t due;    /* TBH_MUX_DUE_…: to be handed out behind `held` */
    turbohttp_segments held;

    /* results */
    uint16_t status;
    turbohttp_content_coding coding;
    tbh_mux_section head, trailer;
    uint32_t head_bytes;     /* of the head's texts */
    uint32_t field_bytes;    /* of all its blocks: interim heads, head and trailers share a limit */
    turbohttp_status reason; /* of a reset */
    uint32_t code;           /* the wire's */
    bool is_safe;            /* the peer did not process it: it may be repeated (§8.7) */
};

enum { TBH_MUX_DUE_TRAILERS = 1, TBH_MUX_DUE_END = 2, TBH_MUX_DUE_RESET = 4 };

/* ------------------------------------------------------------ events */
typedef enum tbh_mux_event_kind {
    TBH_MUX_NOTHING,      /* give it more bytes */
    TBH_MUX_INTERIM,      /* 1xx: see status */
    TBH_MUX_HEAD,         /* see status, head, coding, expected */
    TBH_MUX_BODY,         /* span of body: take it with body_consume; the rest pauses the stream */
    TBH_MUX_TRAILERS,     /* see trailer */
    TBH_MUX_END,          /* the response is complete: release the stream */
    TBH_MUX_RESET,        /* there will be no answer: reason, code, is_safe; release the stream */
    TBH_MUX_SETTINGS_ACK, /* the peer has applied our settings */
    TBH_MUX_GOAWAY,       /* start nothing more here */
    TBH_MUX_FAILED        /* the connection is over; every stream was told before */
} tbh_mux_event_kind;

typedef struct tbh_mux_event {
    tbh_mux_event_kind kind;
    tbh_mux_stream *stream; /* NULL for the last three */
    turbohttp_span span;
} tbh_mux_event;

/* ------------------------------------------------------------ connection */
/* A token bucket: it holds `burst`, and gets one back each `interval_us`. */
typedef struct tbh_mux_bucket {
    uint32_t level, burst;
    uint32_t interval_us;
    uint64_t filled_us;
} tbh_mux_bucket;

/* A header block on its way to a section. */
typedef struct tbh_mux_block {
    tbh_mux_section section;
    turbohttp_h2_fields fields;
    turbohttp_status status; /* the first fault in it */
    turbohttp_content_coding coding;
    uint64_t content_length;
    uint32_t text_bytes; /* of its fields */
    bool has_content_length;
    bool ends; /* END_STREAM */
} tbh_mux_block;

/* Method and field lines of the last request, and the parts of its block that they became. */
typedef struct tbh_mux_common {
    char *bytes; /* all four, one behind the other; NULL: none yet */
    size_t room, method_bytes, lines_bytes, before_path, behind_path;
    uint32_t inserted; /* entries that the encoder's table had seen */
} tbh_mux_common;

enum { TBH_MUX_NOTICE_ACK = 1, TBH_MUX_NOTICE_GOAWAY = 2, TBH_MUX_NOTICE_FAILED = 4 };
enum { TBH_MUX_BUCKETS = 64 }; /* of streams by number; a power of two */

struct tbh_mux {
    turbohttp_byte_pool *pool;
    const turbohttp_limits *limits;
    tbh_mux_options options; /* with defaults filled in */
    turbohttp_span scheme;
    uint64_t now_us;

    tbh_mux_queue queues[TBH_MUX_QUEUES];
    tbh_mux_stream *buckets[TBH_MUX_BUCKETS];
    uint32_t next_id;

    /* receiving: [at, fill) of the block is not yet understood */
    uint8_t *block, *at, *fill;
    size_t block_bytes, block_used; /* used: the most that a receive put there */
    uint8_t full_receives;
    bool end_is_due; /* of the present frame */
    turbohttp_h2_reader reader;
    turbohttp_hpack_decoder decoder;
    void *decoder_memory;
    size_t decoder_bytes, scratch_bytes;
    tbh_mux_stream *reading; /* of the present frame or block; NULL: it is ignored */
    uint32_t seen;           /* bytes of the present frame that were handed out */
    tbh_mux_block head;      /* the one that comes in: there is never a second (§4.3) */
    turbohttp_span offered;  /* of the last BODY: what was not taken */
    tbh_mux_stream *offered_to;
    bool is_held_offer; /* it lies in `held` */

    /* sending: [out_at, out.length) is to be sent */
    turbohttp_writer out;
    size_t out_at;
    size_t out_secret;       /* where the last header block in there ends */
    uint32_t control_frames; /* in there */
    turbohttp_hpack_encoder encoder;
    void *encoder_memory;
    size_t encoder_bytes;
    tbh_mux_common common;
    int32_t send_window;
    uint32_t window, taken;
    uint64_t late;      /* bytes that may still come for streams that we ended */
    uint32_t pieces;    /* of bodies, sent */
    uint32_t overtaken; /* of these, in a row before somebody less urgent */

    /* what the peer said */
    uint32_t peer_streams, peer_window, goaway_last;
    tbh_mux_bucket control, resets;
    bool settings_seen; /* its first frame */
    bool is_in_block;   /* a header block has begun */
    bool is_draining;   /* no new streams */
    bool is_ended;      /* it closed its side */

    /* deadlines; UINT64_MAX: none */
    uint64_t settings_due_us, ping_at_us, ping_due_us, last_receive_us, ping_sent_us;
    uint32_t pings;

    uint8_t notices; /* TBH_MUX_NOTICE_…: to be said */
    bool is_failed;
    turbohttp_status status; /* of TBH_MUX_FAILED */
    uint32_t code;           /* of the wire, ours or the peer's */
};

/* ------------------------------------------------------------ conn_h2.c */
/* Writes the preface. ERR_OUT_OF_MEMORY: reset it. `limits` must stay. */
TBH_FN turbohttp_status tbh_mux_init(tbh_mux *h, turbohttp_byte_pool *pool,
                                     const turbohttp_limits *limits, const tbh_mux_options *options,
                                     bool is_tls, uint64_t now_us);
/* Returns everything rented. No stream may be left. */
TBH_FN void tbh_mux_reset(tbh_mux *h);
/* NULL: no memory, or what was received is not understood yet. */
TBH_FN uint8_t *tbh_mux_in_room(tbh_mux *h, size_t *room);
TBH_FN void tbh_mux_in_commit(tbh_mux *h, size_t n);
TBH_FN void tbh_mux_in_end(tbh_mux *h);
TBH_FN bool tbh_mux_in_wanted(const tbh_mux *h);
TBH_FN tbh_mux_event_kind tbh_mux_next(tbh_mux *h, uint64_t now_us, tbh_mux_event *event);
/* The time passes: deadlines, and the PING that keeps the connection. */
TBH_FN void tbh_mux_tick(tbh_mux *h, uint64_t now_us);
TBH_FN uint64_t tbh_mux_deadline(const tbh_mux *h);
/* Asks whether the peer is still there: fails after answer_us of silence. Once at a time. */
TBH_FN void tbh_mux_ask(tbh_mux *h, uint64_t answer_us);
/* Ends the connection: GOAWAY with `code`, and every stream that is not whole is told `status`.
 * After the first time nothing. */
TBH_FN void tbh_mux_fail(tbh_mux *h, turbohttp_status status, uint32_t code);
TBH_FN bool tbh_mux_can_start(const tbh_mux *h);

/* ------------------------------------------------------------ h2_stream.c */
/* Begins an exchange. `stream` is zeroed memory; `request` has the head as HTTP/1.1 writes it, whose
 * names become lower case where they stand. The texts live until the release. ERR_STATE: see
 * can_start. */
TBH_FN turbohttp_status tbh_mux_start(tbh_mux *h, tbh_mux_stream *stream,
                                      const tbh_conn_request *request, void *owner);
/* Takes the stream out of the connection, with RST_STREAM CANCEL if it still moves. Idempotent. */
TBH_FN void tbh_mux_release(tbh_mux_stream *stream);
TBH_FN void tbh_mux_body_consume(tbh_mux_stream *stream, size_t n);
/* The consumer takes bytes again. */
TBH_FN void tbh_mux_resume(tbh_mux_stream *stream);
/* The source has bytes again. */
TBH_FN void tbh_mux_resume_source(tbh_mux_stream *stream);
/* Nobody answered 100 (Continue) in time. */
TBH_FN void tbh_mux_continue(tbh_mux_stream *stream);
TBH_FN tbh_mux_stream *tbh_mux_find(const tbh_mux *h, uint32_t id);
/* Ends a stream from our side: the wire hears `code`, the consumer `status`. */
TBH_FN void tbh_mux_reset_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code);
/* There will be no answer; nothing is sent. */
TBH_FN void tbh_mux_lose_stream(tbh_mux_stream *stream, turbohttp_status status, uint32_t code,
                                bool is_safe);
/* The table: 0, or the code of the stream error that the input is in this state. */
TBH_FN uint32_t tbh_mux_step(tbh_mux_stream *stream, tbh_mux_input input);
TBH_FN void tbh_mux_enqueue(tbh_mux_stream *stream, int queue);
TBH_FN void tbh_mux_dequeue(tbh_mux_stream *stream, int queue);
TBH_FN void tbh_mux_end_received(tbh_mux_stream *stream);
/* What some stream has to say without further bytes. */
TBH_FN bool tbh_mux_next_ready(tbh_mux *h, tbh_mux_event *event);
/* What the consumer of the last BODY left behind is kept. */
TBH_FN void tbh_mux_settle(tbh_mux *h);
TBH_FN void tbh_mux_offer(tbh_mux_stream *stream, turbohttp_span span, tbh_mux_event *event);
TBH_FN void tbh_mux_section_drop(turbohttp_byte_pool *pool, tbh_mux_section *section);

/* ------------------------------------------------------------ h2_flow.c */
TBH_FN void tbh_mux_bucket_init(tbh_mux_bucket *bucket, uint32_t burst, uint32_t per_second,
                                uint64_t now_us);
TBH_FN bool tbh_mux_bucket_take(tbh_mux_bucket *bucket, uint64_t now_us);
TBH_FN void tbh_mux_bucket_give(tbh_mux_bucket *bucket, uint32_t n);
/* A frame that brings nothing: false when that was one too many, and the connection failed. */
TBH_FN bool tbh_mux_count_control(tbh_mux *h);
/* n bytes of DATA arrive: 0, or a code; *is_connection says whose error it is. */
TBH_FN uint32_t tbh_mux_charge(tbh_mux *h, tbh_mux_stream *stream, uint32_t n, bool *is_connection);
/* n bytes of DATA for a stream that is gone: false when that was one too many, as above. */
TBH_FN bool tbh_mux_take_late(tbh_mux *h, uint32_t n);
/* n bytes were used up; stream NULL: it is gone. */
TBH_FN void tbh_mux_credit(tbh_mux *h, tbh_mux_stream *stream, size_t n);
TBH_FN void tbh_mux_write_credit(tbh_mux *h);
TBH_FN void tbh_mux_on_window_update(tbh_mux *h, uint32_t stream_id, uint32_t increment);
TBH_FN void tbh_mux_on_initial_window(tbh_mux *h, uint32_t window);
/* Bytes of body that may go now. */
TBH_FN size_t tbh_mux_allowance(const tbh_mux_stream *stream);
TBH_FN void tbh_mux_spend_window(tbh_mux_stream *stream, size_t n);

/* ------------------------------------------------------------ h2_head.c */
TBH_FN void tbh_mux_block_begin(tbh_mux *h, bool ends);
TBH_FN void tbh_mux_block_bytes(tbh_mux *h, turbohttp_span bytes);
/* The block is complete: a head, trailers, or a fault. */
TBH_FN void tbh_mux_block_end(tbh_mux *h, tbh_mux_event *event);
/* Nothing more has come for now: scratch that no open block needs goes back. */
TBH_FN void tbh_mux_return_scratch(tbh_mux *h);

/* ------------------------------------------------------------ h2_block.c */
/* A request's head becomes a block; NULL: the stream's trailers do. */
TBH_FN void tbh_mux_put_block(tbh_mux_stream *stream, const tbh_conn_request *request, bool ends);
/* The encoder's table changes otherwise than by an insertion. */
TBH_FN void tbh_mux_forget_common(tbh_mux *h);
TBH_FN void tbh_mux_drop_common(tbh_mux *h);

/* ------------------------------------------------------------ h2_send.c */
/* Before the out block is filled again or given back. */
TBH_FN void tbh_mux_wipe_out(tbh_mux *h);
TBH_FN turbohttp_status tbh_mux_write_preface(tbh_mux *h);
TBH_FN turbohttp_status tbh_mux_write_request(tbh_mux_stream *stream,
                                              const tbh_conn_request *request);
/* Around each control frame: false when the queue is full, and the connection failed. */
TBH_FN bool tbh_mux_may_control(tbh_mux *h);
/* OK with bytes · PENDING · ERR_OUT_OF_MEMORY. */
TBH_FN turbohttp_status tbh_mux_out_peek(tbh_mux *h, uint64_t now_us, turbohttp_span *out);
TBH_FN void tbh_mux_out_consume(tbh_mux *h, size_t n);
