/* Streams: opening, moving bytes, shutting; either the user's transport or a socket, and TLS over
 * both. Owns the transport's connection; sockets are stream_socket.c's, sessions tls.c's.
 * Invariants: which of the two it is never changes in the life of a client; counts of the user's
 * transport are checked here, so that nobody behind trusts them.
 * Does not know: HTTP, requests, time limits. */
#include "stream.h"

static turbohttp_status tbh_stream_open_own(tbh_stream *stream, const tbh_dial_target *target,
                                            bool is_tls, turbohttp_error *error) {
    const turbohttp_transport *transport = stream->io->transport;
    turbohttp_endpoint to;
    to.host = target->host;
    to.port = target->port;
    to.is_tls = is_tls;
    to.unix_path = target->unix_path;
    tbh_error_set(error, TURBOHTTP_ERR_CONNECT, TURBOHTTP_PHASE_CONNECT);
    turbohttp_status status = transport->io_open(transport->user, &to, &stream->connection, error);
    if (status < 0) stream->connection = NULL;
    return status;
}

static turbohttp_status tbh_stream_connected(tbh_stream *stream, turbohttp_error *error) {
    stream->is_connected = true;
    stream->connected_at_us = stream->io->now_us;
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_handshake(stream, error);
#endif
    (void)error;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_stream_begin(tbh_stream *stream, tbh_io *io, void *owner,
                                         const tbh_dial_target *target, const tbh_tls_plan *plan,
                                         turbohttp_error *error) {
    stream->io = io;
    stream->owner = owner;
    turbohttp_status status = io->transport
                                  ? tbh_stream_open_own(stream, target, plan != NULL, error)
                                  : tbh_stream_socket_begin(stream, target, error);
#if TBH_TLS
    turbohttp_status opened = status >= 0 && plan ? tbh_tls_open(stream, plan, error) : status;
    if (opened < 0) return opened;
#endif
    return status == TURBOHTTP_OK ? tbh_stream_connected(stream, error) : status;
}

static turbohttp_status tbh_stream_step_own(tbh_stream *stream, turbohttp_error *error) {
    const turbohttp_transport *transport = stream->io->transport;
    if (!transport->io_ready) return TURBOHTTP_ERR_STATE;
    return transport->io_ready(transport->user, stream->connection, error);
}

TBH_FN turbohttp_status tbh_stream_step(tbh_stream *stream, turbohttp_error *error) {
#if TBH_TLS
    if (stream->is_connected) {
        bool is_due = stream->tls.has_work || tbh_stream_take_ready(stream) != 0;
        return is_due ? tbh_tls_handshake(stream, error) : TURBOHTTP_PENDING;
    }
#endif
    turbohttp_status status = stream->io->transport ? tbh_stream_step_own(stream, error)
                                                    : tbh_stream_socket_step(stream, error);
    return status == TURBOHTTP_OK ? tbh_stream_connected(stream, error) : status;
}

TBH_FN turbohttp_phase tbh_stream_phase(const tbh_stream *stream) {
    if (stream->is_connected) return TURBOHTTP_PHASE_TLS;
    return stream->dialer ? stream->dialer->phase : TURBOHTTP_PHASE_CONNECT;
}

TBH_FN uint64_t tbh_stream_deadline(const tbh_stream *stream) {
    if (stream->tls.has_work) return 0;
    return stream->dialer ? tbh_stream_socket_deadline(stream) : UINT64_MAX;
}

/* ------------------------------------------------------------ the wire */
TBH_FN turbohttp_status tbh_wire_send(tbh_stream *stream, const void *data, size_t length,
                                      size_t *sent) {
    const turbohttp_transport *transport = stream->io->transport;
    *sent = 0;
    if (!transport) return tbh_stream_socket_send(stream, data, length, sent);
    turbohttp_status status =
        transport->io_send(transport->user, stream->connection, data, length, sent);
    if (*sent > length) return TURBOHTTP_ERR_SEND;
    return status == TURBOHTTP_OK && *sent == 0 ? TURBOHTTP_PENDING : status;
}

TBH_FN turbohttp_status tbh_wire_receive(tbh_stream *stream, void *data, size_t room,
                                         size_t *received) {
    const turbohttp_transport *transport = stream->io->transport;
    *received = 0;
    if (!transport) return tbh_stream_socket_receive(stream, data, room, received);
    turbohttp_status status =
        transport->io_receive(transport->user, stream->connection, data, room, received);
    if (*received > room) return TURBOHTTP_ERR_RECEIVE;
    return status == TURBOHTTP_OK && *received == 0 ? TURBOHTTP_PENDING : status;
}

/* ------------------------------------------------------------ plain bytes */
TBH_FN turbohttp_status tbh_stream_send(tbh_stream *stream, const void *data, size_t length,
                                        size_t *sent) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_send(stream, data, length, sent);
#endif
    return tbh_wire_send(stream, data, length, sent);
}

TBH_FN turbohttp_status tbh_stream_flush(tbh_stream *stream) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_flush(stream);
#endif
    (void)stream;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_stream_receive(tbh_stream *stream, void *data, size_t room,
                                           size_t *received) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_receive(stream, data, room, received, false);
#endif
    return tbh_wire_receive(stream, data, room, received);
}

TBH_FN turbohttp_status tbh_stream_receive_wait(tbh_stream *stream, void *data, size_t room,
                                                size_t *received) {
#if TBH_TLS
    if (stream->tls.provider) return tbh_tls_receive(stream, data, room, received, true);
#endif
    return tbh_wire_receive_wait(stream, data, room, received);
}

TBH_FN uint8_t tbh_stream_take_ready(tbh_stream *stream) {
    uint8_t ready = stream->watch.ready;
    stream->watch.ready = 0;
    /* Whether a TLS session can send may depend on what it receives. */
    bool is_either = stream->io->transport || (stream->tls.provider && ready);
    return is_either ? TBH_WANT_RECEIVE | TBH_WANT_SEND : ready;
}

TBH_FN bool tbh_stream_is_quiet(tbh_stream *stream) {
    uint8_t byte;
    size_t received;
    return tbh_stream_receive(stream, &byte, 1, &received) == TURBOHTTP_PENDING;
}

TBH_FN bool tbh_stream_is_ours(const tbh_stream *stream) {
#if TBH_SOCKETS
    return !tbh_os_birth_is_elsewhere(&stream->io->birth);
#else
    (void)stream;
    return true;
#endif
}

TBH_FN void tbh_stream_shut(tbh_stream *stream) {
    const turbohttp_transport *transport = stream->io ? stream->io->transport : NULL;
    if (!stream->io) return;
#if TBH_TLS
    tbh_tls_shut(stream);
#endif
    if (!transport) tbh_stream_socket_shut(stream);
    else if (stream->connection) transport->io_shut(transport->user, stream->connection);
    memset(stream, 0, sizeof *stream);
}
