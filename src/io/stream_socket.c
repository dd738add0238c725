/* Streams over the system's sockets.
 * Owns the dialer while it works, then the connected socket and its watch.
 * Invariant: exactly one of `dialer` and `watch.place` is set between begin and shut.
 * Does not know: HTTP, requests, the user's transports. */
#include "stream.h"

static turbohttp_status tbh_stream_opened(tbh_stream *stream) {
    tbh_socket s = tbh_dialer_take(stream->dialer, &stream->peer);
    stream->resolved_at_us = stream->dialer->resolved_at_us;
    tbh_release(stream->io->allocator, stream->dialer, sizeof *stream->dialer);
    stream->dialer = NULL;
    turbohttp_status status =
        tbh_poller_add(&stream->io->poller, &stream->watch, s, TBH_WANT_RECEIVE, stream->owner);
    if (status != TURBOHTTP_OK) tbh_os_socket_shut(s);
    return status;
}

TBH_FN turbohttp_status tbh_stream_socket_begin(tbh_stream *stream, const tbh_dial_target *target,
                                                turbohttp_error *error) {
    tbh_io *io = stream->io;
    stream->dialer = (tbh_dialer *)tbh_allocate(io->allocator, sizeof *stream->dialer);
    if (!stream->dialer)
        return tbh_error_set(error, TURBOHTTP_ERR_OUT_OF_MEMORY, TURBOHTTP_PHASE_CONNECT);
    memset(stream->dialer, 0, sizeof *stream->dialer);
    turbohttp_status status = tbh_dialer_begin(stream->dialer, &io->poller, io->resolver, target,
                                               stream->owner, io->now_us, error);
    return status == TURBOHTTP_OK ? tbh_stream_opened(stream) : status;
}

TBH_FN turbohttp_status tbh_stream_socket_step(tbh_stream *stream, turbohttp_error *error) {
    turbohttp_status status = tbh_dialer_step(stream->dialer, stream->io->now_us, error);
    return status == TURBOHTTP_OK ? tbh_stream_opened(stream) : status;
}

TBH_FN turbohttp_status tbh_stream_socket_send(tbh_stream *stream, const void *data, size_t length,
                                               size_t *sent) {
    return tbh_os_send(stream->watch.descriptor, data, length, sent, &stream->system_code);
}

TBH_FN turbohttp_status tbh_stream_socket_receive(tbh_stream *stream, void *data, size_t room,
                                                  size_t *received) {
    return tbh_os_receive(stream->watch.descriptor, data, room, received, &stream->system_code);
}

TBH_FN turbohttp_status tbh_wire_receive_wait(tbh_stream *stream, void *data, size_t room,
                                              size_t *received) {
    tbh_socket s = stream->watch.descriptor;
    if (!stream->can_block && !tbh_os_receive_wait_prepare(s)) return TURBOHTTP_ERR_UNSUPPORTED;
    stream->can_block = true;
    return tbh_os_receive_wait(s, data, room, received, &stream->system_code);
}

TBH_FN uint64_t tbh_stream_socket_deadline(const tbh_stream *stream) {
    return tbh_dialer_deadline(stream->dialer);
}

TBH_FN void tbh_stream_wants(tbh_stream *stream, uint8_t wants) {
#if TBH_TLS
    if (wants & TBH_WANT_SEND && stream->tls.provider && !tbh_tls_can_send(&stream->tls))
        wants &= TBH_WANT_RECEIVE; /* what it waits for comes from the wire */
#endif
    tbh_poller_change(&stream->io->poller, &stream->watch, wants);
}

TBH_FN void tbh_stream_socket_shut(tbh_stream *stream) {
    if (stream->dialer) {
        tbh_dialer_abandon(stream->dialer);
        tbh_release(stream->io->allocator, stream->dialer, sizeof *stream->dialer);
    }
    if (stream->watch.place) {
        tbh_socket s = stream->watch.descriptor;
        tbh_poller_remove(&stream->io->poller, &stream->watch);
        tbh_os_socket_shut(s);
    }
}
