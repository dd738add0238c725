/* Streams: opening, moving bytes, shutting.
 * Owns the socket or the transport's connection, and the dialer while it works.
 * Invariant: exactly one of `connection`, `dialer`, `watch.place` is in use between begin and shut.
 * Does not know: HTTP, requests, time limits other than those of dialing. */
#include "stream.h"

/* ------------------------------------------------------------ opening */
static turbohttp_status tbh_stream_opened(tbh_stream *stream) {
    tbh_socket s = tbh_dialer_take(stream->dialer, &stream->peer);
    stream->resolved_at_us = stream->dialer->resolved_at_us;
    tbh_release(stream->io->allocator, stream->dialer, sizeof *stream->dialer);
    stream->dialer = NULL;
    stream->is_open = true;
    turbohttp_status status =
        tbh_poller_add(&stream->io->poller, &stream->watch, s, TBH_WANT_RECEIVE, stream->owner);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

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
    stream->is_open = status == TURBOHTTP_OK;
    return status;
}

TBH_FN turbohttp_status tbh_stream_begin(tbh_stream *stream, tbh_io *io, void *owner,
                                         const tbh_dial_target *target, bool is_tls,
                                         turbohttp_error *error) {
    stream->io = io;
    stream->owner = owner;
    if (io->transport) return tbh_stream_open_own(stream, target, is_tls, error);
    stream->dialer = (tbh_dialer *)tbh_allocate(io->allocator, sizeof *stream->dialer);
    if (!stream->dialer)
        return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_CONNECT);
    memset(stream->dialer, 0, sizeof *stream->dialer);
    turbohttp_status status = tbh_dialer_begin(stream->dialer, &io->poller, io->resolver, target,
                                               owner, io->now_us, error);
    return status == TURBOHTTP_OK ? tbh_stream_opened(stream) : status;
}

TBH_FN turbohttp_status tbh_stream_step(tbh_stream *stream, turbohttp_error *error) {
    const turbohttp_transport *transport = stream->io->transport;
    if (transport) {
        if (!transport->io_ready) return TURBOHTTP_ERR_STATE;
        turbohttp_status status = transport->io_ready(transport->user, stream->connection, error);
        stream->is_open = status == TURBOHTTP_OK;
        return status;
    }
    turbohttp_status status = tbh_dialer_step(stream->dialer, stream->io->now_us, error);
    return status == TURBOHTTP_OK ? tbh_stream_opened(stream) : status;
}

TBH_FN uint64_t tbh_stream_deadline(const tbh_stream *stream) {
    return stream->dialer ? tbh_dialer_deadline(stream->dialer) : UINT64_MAX;
}

TBH_FN turbohttp_phase tbh_stream_phase(const tbh_stream *stream) {
    return stream->dialer ? stream->dialer->phase : TURBOHTTP_PHASE_CONNECT;
}

/* ------------------------------------------------------------ moving bytes */
TBH_FN turbohttp_status tbh_stream_send(tbh_stream *stream, const void *data, size_t length,
                                        size_t *sent) {
    const turbohttp_transport *transport = stream->io->transport;
    *sent = 0;
    if (!transport)
        return tbh_os_send(stream->watch.descriptor, data, length, sent, &stream->system_code);
    return transport->io_send(transport->user, stream->connection, data, length, sent);
}

TBH_FN turbohttp_status tbh_stream_receive(tbh_stream *stream, void *data, size_t room,
                                           size_t *received) {
    const turbohttp_transport *transport = stream->io->transport;
    *received = 0;
    if (!transport)
        return tbh_os_receive(stream->watch.descriptor, data, room, received,
                              &stream->system_code);
    return transport->io_receive(transport->user, stream->connection, data, room, received);
}

TBH_FN turbohttp_status tbh_stream_receive_wait(tbh_stream *stream, void *data, size_t room,
                                                size_t *received) {
    if (stream->io->transport) return TURBOHTTP_ERR_UNSUPPORTED;
    tbh_socket s = stream->watch.descriptor;
    if (!stream->can_block && !tbh_os_receive_wait_prepare(s)) return TURBOHTTP_ERR_UNSUPPORTED;
    stream->can_block = true;
    return tbh_os_receive_wait(s, data, room, received, &stream->system_code);
}

TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants) {
    if (!stream->io->transport) tbh_poller_change(&stream->io->poller, &stream->watch, wants);
}

TBH_FN uint8_t tbh_stream_take_ready(tbh_stream *stream) {
    if (stream->io->transport) return TBH_WANT_RECEIVE | TBH_WANT_SEND;
    uint8_t ready = stream->watch.ready;
    stream->watch.ready = 0;
    return ready;
}

TBH_FN bool tbh_stream_is_quiet(tbh_stream *stream) {
    uint8_t byte;
    size_t received;
    return tbh_stream_receive(stream, &byte, 1, &received) == TURBOHTTP_PENDING;
}

TBH_FN void tbh_stream_shut(tbh_stream *stream) {
    if (!stream->io) return;
    const turbohttp_transport *transport = stream->io->transport;
    if (transport && stream->connection) transport->io_shut(transport->user, stream->connection);
    if (stream->dialer) {
        tbh_dialer_abandon(stream->dialer);
        tbh_release(stream->io->allocator, stream->dialer, sizeof *stream->dialer);
    }
    if (stream->watch.place) {
        tbh_socket s = stream->watch.descriptor;
        tbh_poller_remove(&stream->io->poller, &stream->watch);
        tbh_os_socket_shut(s);
    }
    memset(stream, 0, sizeof *stream);
}
