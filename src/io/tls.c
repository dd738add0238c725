/* The TLS box: moves bytes between a stream's wire and a provider.
 * Owns the provider's session and the staging block, which is rented only while bytes wait in it.
 * Wire bytes are received in blocks, not in records: a record would cost two system calls.
 * Invariants: a handshake does at most one public-key operation per call; the end of the wire
 * without close_notify is remembered as a truncation (RFC 8446 §6.1, S-36); a failed handshake is
 * never continued. Does not know: which library, HTTP, whom to trust. */
#include "stream.h"

#define TBH_TLS_TURNS 64 /* rounds of one call: a peer that streams for ever gets no more */

TBH_FN turbohttp_status tbh_tls_open(tbh_stream *stream, const tbh_tls_plan *plan,
                                     turbohttp_error *error) {
    tbh_error_set(error, TURBOHTTP_ERR_TLS_HANDSHAKE, TURBOHTTP_PHASE_TLS);
    void *session = NULL;
    turbohttp_status status = plan->provider->open(plan->context, &plan->target, &session, error);
    if (status != TURBOHTTP_OK) {
        if (error && error->code != status) tbh_error_set(error, status, TURBOHTTP_PHASE_TLS);
        return status < 0 ? status : TURBOHTTP_ERR_TLS_HANDSHAKE;
    }
    stream->tls.provider = plan->provider;
    stream->tls.session = session;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ wire out */
/* OK when the wire has taken everything. */
static turbohttp_status tbh_tls_push(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t length, sent;
    const void *out;
    while ((out = tls->provider->wire_out_peek(tls->session, &length)) != NULL && length) {
        turbohttp_status status = tbh_wire_send(stream, out, length, &sent);
        if (status != TURBOHTTP_OK) return status;
        tls->provider->wire_out_consume(tls->session, sent);
    }
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ wire in */
static void tbh_tls_unstage(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    if (tls->at < tls->fill) return;
    turbohttp_byte_pool_return(stream->io->blocks, tls->block, tls->capacity);
    tls->block = NULL;
    tls->at = tls->fill = tls->capacity = 0;
}

/* Gives staged bytes to the provider; false when there are none, or it takes none. */
static bool tbh_tls_feed(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t room = 0, n = tls->fill - tls->at;
    if (n == 0) return false;
    void *place = tls->provider->wire_in_room(tls->session, &room);
    n = tbh_min_size(n, place ? room : 0);
    if (n == 0) return false;
    memcpy(place, tls->block + tls->at, n);
    tls->at += n;
    tls->provider->wire_in_commit(tls->session, n);
    return true;
}

/* The block grows while receives fill it, as far as the client allows, and shrinks with the last. */
static turbohttp_status tbh_tls_stage(tbh_stream *stream, bool may_block) {
    tbh_tls *tls = &stream->tls;
    size_t received = 0, wanted = stream->io->block_bytes << tls->full_receives;
    if (tls->is_ended) return TURBOHTTP_DONE;
    tbh_tls_unstage(stream);
    tls->block = (uint8_t *)turbohttp_byte_pool_rent(stream->io->blocks, wanted, &tls->capacity);
    if (!tls->block) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    turbohttp_status status =
        may_block ? tbh_wire_receive_wait(stream, tls->block, tls->capacity, &received)
                  : tbh_wire_receive(stream, tls->block, tls->capacity, &received);
    tls->fill = status == TURBOHTTP_OK ? received : 0;
    tls->may_have_more = tls->fill == tls->capacity;
    bool may_grow = wanted * 2 <= stream->io->receive_bytes;
    if (!tls->may_have_more) tls->full_receives = 0;
    else if (may_grow) tls->full_receives++;
    if (status == TURBOHTTP_DONE) tls->is_ended = true;
    tbh_tls_unstage(stream);
    return status;
}

/* ------------------------------------------------------------ handshake */
static turbohttp_status tbh_tls_handshake_failed(tbh_stream *stream, turbohttp_status status,
                                                 turbohttp_error *error) {
    int32_t code = stream->system_code;
    tbh_tls_push(stream); /* the alert, as far as the wire takes it */
    if (status == TURBOHTTP_DONE || status == TURBOHTTP_OK) status = TURBOHTTP_ERR_TLS_HANDSHAKE;
    if (!error || error->code == status) return status; /* written where it was found */
    tbh_error_set(error, status, TURBOHTTP_PHASE_TLS);
    error->system_code = code;
    if (status == TURBOHTTP_ERR_SEND || status == TURBOHTTP_ERR_RECEIVE)
        tbh_error_text(error, "the connection broke inside the TLS handshake: "
                              "is this a TLS port, and does the server speak TLS 1.2?");
    if (status != TURBOHTTP_ERR_TLS_HANDSHAKE) return status;
    tbh_error_text(error, "the server closed the connection inside the TLS handshake: "
                          "is this a TLS port, and does the server speak TLS 1.2?");
    return status;
}

static turbohttp_status tbh_tls_handshake_bytes(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    bool had_out = (tls->provider->wants(tls->session) & TURBOHTTP_TLS_WIRE_OUT) != 0;
    turbohttp_status status = tbh_tls_push(stream);
    if (status < 0) return TURBOHTTP_ERR_SEND;
    bool is_blocked = status == TURBOHTTP_PENDING;
    if (had_out && !is_blocked) return TURBOHTTP_OK; /* that may have been all it waited for */
    if (stream->io->has_sliced) {                    /* what would come now may be hard work */
        tls->has_work = true;
        return TURBOHTTP_PENDING;
    }
    if (tbh_tls_feed(stream)) return TURBOHTTP_OK;
    status = tbh_tls_stage(stream, false);
    if (status == TURBOHTTP_PENDING)
        tbh_stream_wants(stream, (uint8_t)(TBH_WANT_RECEIVE | (is_blocked ? TBH_WANT_SEND : 0)));
    if (status == TURBOHTTP_OK && tls->fill > tls->at) tbh_tls_feed(stream);
    return status;
}

TBH_FN turbohttp_status tbh_tls_handshake(tbh_stream *stream, turbohttp_error *error) {
    tbh_tls *tls = &stream->tls;
    tls->has_work = false;
    for (int turn = 0; turn < TBH_TLS_TURNS; turn++) {
        if (error) error->code = TURBOHTTP_OK;
        turbohttp_status status = tls->provider->step(tls->session, error);
        if (status == TURBOHTTP_OK) {
            tls->is_up = true;
            return TURBOHTTP_OK;
        }
        if (status != TURBOHTTP_PENDING) return tbh_tls_handshake_failed(stream, status, error);
        if (tls->provider->wants(tls->session) & TURBOHTTP_TLS_STEP) break;
        status = tbh_tls_handshake_bytes(stream);
        if (status == TURBOHTTP_PENDING) return status;
        if (status != TURBOHTTP_OK) return tbh_tls_handshake_failed(stream, status, error);
    }
    tls->has_work = stream->io->has_sliced = true;
    return tbh_tls_push(stream) < 0 ? tbh_tls_handshake_failed(stream, TURBOHTTP_ERR_SEND, error)
                                    : TURBOHTTP_PENDING;
}

/* ------------------------------------------------------------ data */
TBH_FN turbohttp_status tbh_tls_send(tbh_stream *stream, const void *data, size_t length,
                                     size_t *sent) {
    tbh_tls *tls = &stream->tls;
    size_t room = 0;
    *sent = 0;
    turbohttp_status status = tbh_tls_push(stream);
    if (status != TURBOHTTP_OK) return status;
    void *place = tls->provider->plain_in_room(tls->session, &room);
    size_t n = tbh_min_size(length, place ? room : 0);
    if (n == 0) return TURBOHTTP_PENDING;
    memcpy(place, data, n);
    tls->provider->plain_in_commit(tls->session, n);
    *sent = n;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_tls_flush(tbh_stream *stream) {
    stream->tls.provider->flush(stream->tls.session);
    return tbh_tls_push(stream);
}

/* Copies what is decrypted; DONE after close_notify, or the error that ended the session. */
static turbohttp_status tbh_tls_drain(tbh_tls *tls, uint8_t *to, size_t room, size_t *received) {
    size_t length;
    const void *plain;
    while (*received < room &&
           (plain = tls->provider->plain_out_peek(tls->session, &length)) != NULL && length) {
        size_t n = tbh_min_size(length, room - *received);
        memcpy(to + *received, plain, n);
        tls->provider->plain_out_consume(tls->session, n);
        *received += n;
    }
    return *received == room ? TURBOHTTP_OK : tls->provider->step(tls->session, NULL);
}

/* More wire bytes into the provider. */
static turbohttp_status tbh_tls_refill(tbh_stream *stream, bool has_some, bool may_block) {
    tbh_tls *tls = &stream->tls;
    if (tbh_tls_feed(stream)) return TURBOHTTP_OK;
    if (has_some && !tls->may_have_more) return TURBOHTTP_PENDING;
    turbohttp_status status = tbh_tls_stage(stream, may_block && !has_some);
    if (status == TURBOHTTP_DONE) tls->is_truncated = true;
    return status;
}

TBH_FN turbohttp_status tbh_tls_receive(tbh_stream *stream, void *data, size_t room,
                                        size_t *received, bool may_block) {
    turbohttp_status status;
    *received = 0;
    for (;;) {
        status = tbh_tls_drain(&stream->tls, (uint8_t *)data, room, received);
        if (status < 0 || status == TURBOHTTP_DONE || *received == room) break;
        status = tbh_tls_refill(stream, *received > 0, may_block);
        if (status != TURBOHTTP_OK) break;
    }
    tbh_tls_unstage(stream);
    return *received ? TURBOHTTP_OK : status;
}

/* close_notify is a courtesy: sent if the wire takes it at once. */
TBH_FN void tbh_tls_shut(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    if (!tls->provider) return;
    if (tls->is_up && !tls->is_ended) {
        tls->provider->close(tls->session);
        tbh_tls_push(stream);
    }
    tls->provider->shut(tls->session);
    tls->at = tls->fill;
    tbh_tls_unstage(stream);
    memset(tls, 0, sizeof *tls);
}
