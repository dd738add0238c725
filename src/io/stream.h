/* One byte stream to a server: a socket that was dialed, or the user's transport, secured by TLS
 * or not. Nobody above this file knows which. */
#pragma once
#include "dialer.h"
#include "tls.h"

/* What all streams of a client share. */
typedef struct tbh_io {
    const turbohttp_allocator *allocator;
    turbohttp_byte_pool *blocks;
    size_t block_bytes, receive_bytes;    /* of a staging block: first, at most */
    const turbohttp_transport *transport; /* NULL: sockets */
    turbohttp_clock clock;
    turbohttp_random random;
    tbh_poller poller;
    tbh_resolver *resolver; /* NULL with a transport of the user's */
    tbh_os_wake wake;
    tbh_watch wake_watch;
    tbh_os_birth birth;  /* elsewhere: streams are shut without a goodbye (S-85) */
    uint64_t now_us;     /* read once per wait, not per call */
    uint32_t hard_steps; /* public-key operations that this poll may still do, over all streams */
} tbh_io;

struct tbh_stream {
    tbh_io *io;
    void *owner;
    void *connection;   /* of the user's transport */
    tbh_dialer *dialer; /* while opening a socket */
    tbh_watch watch;    /* of the connected socket */
    bool can_block;     /* tbh_stream_receive_wait is prepared */
    int32_t system_code;
    uint64_t resolved_at_us, connected_at_us;
    turbohttp_address peer;
    bool is_connected; /* the wire is up; a handshake may follow */
    tbh_tls tls;
};

/* The stream is zero; plan NULL: no TLS. OK when it is up at once, PENDING, or an error. */
TBH_FN turbohttp_status tbh_stream_begin(tbh_stream *stream, tbh_io *io, void *owner,
                                         const tbh_dial_target *target, const tbh_tls_plan *plan,
                                         turbohttp_error *error);
TBH_FN turbohttp_status tbh_stream_step(tbh_stream *stream, turbohttp_error *error);
TBH_FN uint64_t tbh_stream_deadline(const tbh_stream *stream); /* while opening */
TBH_FN turbohttp_phase tbh_stream_phase(const tbh_stream *stream);
/* OK · PENDING · DONE (receive) · an error with stream->system_code set. */
TBH_FN turbohttp_status tbh_stream_send(tbh_stream *stream, const void *data, size_t length,
                                        size_t *sent);
/* Sends what was taken and is still here: OK when nothing is, PENDING, or an error. */
TBH_FN turbohttp_status tbh_stream_flush(tbh_stream *stream);
TBH_FN turbohttp_status tbh_stream_receive(tbh_stream *stream, void *data, size_t room,
                                           size_t *received);
/* Blocks for at most TBH_RECEIVE_WAIT_MS where the system can (saves the wait before a receive);
 * ERR_UNSUPPORTED where it cannot. */
TBH_FN turbohttp_status tbh_stream_receive_wait(tbh_stream *stream, void *data, size_t room,
                                                size_t *received);
TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants);
/* What may be moved without waiting, as far as is known; clears it. */
TBH_FN uint8_t tbh_stream_take_ready(tbh_stream *stream);
/* False when the peer closed, failed, or sent something that nobody asked for (S-03). */
TBH_FN bool tbh_stream_is_quiet(tbh_stream *stream);
/* False in a child of fork: goodbyes would end the parent's connection (S-85). */
TBH_FN bool tbh_stream_is_ours(const tbh_stream *stream);
TBH_FN void tbh_stream_shut(tbh_stream *stream);

/* The wire under a secured stream, or the stream itself. */
TBH_FN turbohttp_status tbh_wire_send(tbh_stream *stream, const void *data, size_t length,
                                      size_t *sent);
TBH_FN turbohttp_status tbh_wire_receive(tbh_stream *stream, void *data, size_t room,
                                         size_t *received);
TBH_FN turbohttp_status tbh_wire_receive_wait(tbh_stream *stream, void *data, size_t room,
                                              size_t *received);

/* stream_socket.c; os_none.c without sockets */
TBH_FN turbohttp_status tbh_stream_socket_begin(tbh_stream *stream, const tbh_dial_target *target,
                                                turbohttp_error *error);
TBH_FN turbohttp_status tbh_stream_socket_step(tbh_stream *stream, turbohttp_error *error);
TBH_FN turbohttp_status tbh_stream_socket_send(tbh_stream *stream, const void *data, size_t length,
                                               size_t *sent);
TBH_FN turbohttp_status tbh_stream_socket_receive(tbh_stream *stream, void *data, size_t room,
                                                  size_t *received);
TBH_FN uint64_t tbh_stream_socket_deadline(const tbh_stream *stream); /* while dialing */
TBH_FN void tbh_stream_socket_shut(tbh_stream *stream);
