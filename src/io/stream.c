/* Streams: opening, moving bytes, shutting; either the user's transport or a socket.
 * Owns the transport's connection; sockets are stream_socket.c's. Invariant: which of the two it
 * is never changes in the life of a client; counts of the user's transport are checked here, so
 * that nobody behind trusts them. Does not know: HTTP, requests, time limits. */
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

TBH_FN turbohttp_status tbh_stream_begin(tbh_stream *stream, tbh_io *io, void *owner,
                                         const tbh_dial_target *target, bool is_tls,
                                         turbohttp_error *error) {
    stream->io = io;
    stream->owner = owner;
    return io->transport ? tbh_stream_open_own(stream, target, is_tls, error)
                         : tbh_stream_socket_begin(stream, target, error);
}

TBH_FN turbohttp_status tbh_stream_step(tbh_stream *stream, turbohttp_error *error) {
    const turbohttp_transport *transport = stream->io->transport;
    if (!transport) return tbh_stream_socket_step(stream, error);
    if (!transport->io_ready) return TURBOHTTP_ERR_STATE;
    return transport->io_ready(transport->user, stream->connection, error);
}

TBH_FN turbohttp_phase tbh_stream_phase(const tbh_stream *stream) {
    return stream->dialer ? stream->dialer->phase : TURBOHTTP_PHASE_CONNECT;
}

TBH_FN turbohttp_status tbh_stream_send(tbh_stream *stream, const void *data, size_t length,
                                        size_t *sent) {
    const turbohttp_transport *transport = stream->io->transport;
    *sent = 0;
    if (!transport) return tbh_stream_socket_send(stream, data, length, sent);
    turbohttp_status status =
        transport->io_send(transport->user, stream->connection, data, length, sent);
    if (*sent > length) return TURBOHTTP_ERR_SEND;
    return status == TURBOHTTP_OK && *sent == 0 ? TURBOHTTP_PENDING : status;
}

TBH_FN turbohttp_status tbh_stream_receive(tbh_stream *stream, void *data, size_t room,
                                           size_t *received) {
    const turbohttp_transport *transport = stream->io->transport;
    *received = 0;
    if (!transport) return tbh_stream_socket_receive(stream, data, room, received);
    turbohttp_status status =
        transport->io_receive(transport->user, stream->connection, data, room, received);
    if (*received > room) return TURBOHTTP_ERR_RECEIVE;
    return status == TURBOHTTP_OK && *received == 0 ? TURBOHTTP_PENDING : status;
}

TBH_FN uint8_t tbh_stream_take_ready(tbh_stream *stream) {
    uint8_t ready = stream->watch.ready;
    stream->watch.ready = 0;
    return stream->io->transport ? TBH_WANT_RECEIVE | TBH_WANT_SEND : ready;
}

TBH_FN bool tbh_stream_is_quiet(tbh_stream *stream) {
    uint8_t byte;
    size_t received;
    return tbh_stream_receive(stream, &byte, 1, &received) == TURBOHTTP_PENDING;
}

TBH_FN void tbh_stream_shut(tbh_stream *stream) {
    const turbohttp_transport *transport = stream->io ? stream->io->transport : NULL;
    if (!stream->io) return;
    if (!transport) tbh_stream_socket_shut(stream);
    else if (stream->connection) transport->io_shut(transport->user, stream->connection);
    memset(stream, 0, sizeof *stream);
}
