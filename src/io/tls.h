/* The TLS box of a stream: plain bytes on one side, wire bytes on the other, a provider inside. */
#pragma once
#include "../api/tls.h"
#include "../base/errors.h"

typedef struct tbh_stream tbh_stream;

/* What securing one connection takes; lives until tbh_stream_begin returns. */
typedef struct tbh_tls_plan {
    const turbohttp_tls_provider *provider;
    void *context; /* of the provider, for these options */
    turbohttp_tls_target target;
} tbh_tls_plan;

typedef struct tbh_tls {
    const turbohttp_tls_provider *provider; /* NULL: the stream is not secured */
    void *session;                          /* the provider's, while the stream is open */
    uint8_t *block;                         /* staging: wire bytes [at, fill) wait in it */
    size_t at, fill, capacity;
    uint8_t *out_block; /* short records [out_at, out_fill) that leave in one send */
    size_t out_at, out_fill, out_capacity;
    uint8_t full_receives; /* steps by which the next block is larger */
    bool is_up;            /* the handshake is over */
    bool has_work;         /* a step is due, whatever the socket says */
    bool is_ended;         /* the peer closed the connection … */
    bool is_truncated;     /* … without saying close_notify */
    bool may_have_more;    /* the last receive was full */
} tbh_tls;

#if TBH_TLS
TBH_FN turbohttp_status tbh_tls_open(tbh_stream *stream, const tbh_tls_plan *plan,
                                     turbohttp_error *error);
/* One slice of the handshake: OK when it is over, PENDING, or an error. */
TBH_FN turbohttp_status tbh_tls_handshake(tbh_stream *stream, turbohttp_error *error);
TBH_FN turbohttp_status tbh_tls_send(tbh_stream *stream, const void *data, size_t length,
                                     size_t *sent);
TBH_FN turbohttp_status tbh_tls_flush(tbh_stream *stream);
/* Bytes wait to be sent, or would be taken: a wire that takes bytes is of use. */
TBH_FN bool tbh_tls_can_send(const tbh_tls *tls);
/* Gives less than `room` only when nothing is left that could be given without waiting. */
TBH_FN turbohttp_status tbh_tls_receive(tbh_stream *stream, void *data, size_t room,
                                        size_t *received, bool may_block);
TBH_FN void tbh_tls_shut(tbh_stream *stream);
#endif
