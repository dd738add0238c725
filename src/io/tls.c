/* The TLS box: moves bytes between a stream's wire and a provider.
 * Owns the provider's session and two staging blocks, each rented only while bytes wait in it.
 * Wire bytes are received in blocks, not in records: a record would cost two system calls.
 * Invariants: all handshakes together do at most one public-key operation per poll, so that a frame
 * loop does not stall; the end of the wire
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
/* A flight of a handshake is several short records: they leave in one send, with the first request
 * behind them. True when something was gathered, so that the provider may have more to say. */
static bool tbh_tls_gather(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t length, before = tls->out_fill;
    const void *out;
    while ((out = tls->provider->wire_out_peek(tls->session, &length)) != NULL && length) {
        if (!tls->out_block)
            tls->out_block = (uint8_t *)turbohttp_byte_pool_rent(
                stream->io->blocks, stream->io->block_bytes, &tls->out_capacity);
        if (!tls->out_block || length > tls->out_capacity - tls->out_fill) break;
        memcpy(tls->out_block + tls->out_fill, out, length);
        tls->out_fill += length;
        tls->provider->wire_out_consume(tls->session, length);
    }
    return tls->out_fill > before;
}

static turbohttp_status tbh_tls_push_gathered(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t sent;
    while (tls->out_at < tls->out_fill) {
        turbohttp_status status =
            tbh_wire_send(stream, tls->out_block + tls->out_at, tls->out_fill - tls->out_at, &sent);
        if (status != TURBOHTTP_OK) return status;
        tls->out_at += sent;
    }
    turbohttp_byte_pool_return(stream->io->blocks, tls->out_block, tls->out_capacity);
    tls->out_block = NULL;
    tls->out_at = tls->out_fill = tls->out_capacity = 0;
    return TURBOHTTP_OK;
}

/* OK when the wire has taken everything. */
static turbohttp_status tbh_tls_push(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    size_t length, sent;
    const void *out;
    if (tls->out_block) tbh_tls_gather(stream);
    turbohttp_status status = tbh_tls_push_gathered(stream);
    while (status == TURBOHTTP_OK &&
           (out = tls->provider->wire_out_peek(tls->session, &length)) != NULL && length) {
        status = tbh_wire_send(stream, out, length, &sent);
        if (status == TURBOHTTP_OK) tls->provider->wire_out_consume(tls->session, sent);
    }
    return status;
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
    tbh_tls_unstage(stream);
    if (tls->block) return TURBOHTTP_PENDING; /* the provider takes none before it has sent */
    if (tls->is_ended) return TURBOHTTP_DONE;
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

/* Nothing is asked of the wire right behind a flight: the answer cannot be there yet. */
static turbohttp_status tbh_tls_handshake_bytes(tbh_stream *stream) {
    tbh_tls *tls = &stream->tls;
    if (tbh_tls_gather(stream) || tbh_tls_feed(stream)) return TURBOHTTP_OK;
    bool has_flight = tls->out_fill > tls->out_at;
    bool has_more = (tls->provider->wants(tls->session) & TURBOHTTP_TLS_WIRE_OUT) != 0;
    turbohttp_status status = tbh_tls_push(stream);
    if (status < 0) return TURBOHTTP_ERR_SEND;
    bool is_blocked = status == TURBOHTTP_PENDING;
    if (has_more && !is_blocked) return TURBOHTTP_OK;
    status = has_flight && !is_blocked ? TURBOHTTP_PENDING : tbh_tls_stage(stream, false);
    if (status == TURBOHTTP_PENDING)
        tbh_stream_wants(stream, (uint8_t)(TBH_WANT_RECEIVE | (is_blocked ? TBH_WANT_SEND : 0)));
    return status;
}

TBH_FN turbohttp_status tbh_tls_handshake(tbh_stream *stream, turbohttp_error *error) {
    tbh_tls *tls = &stream->tls;
    tls->has_work = false;
    for (int turn = 0; turn < TBH_TLS_TURNS && stream->io->hard_steps > 0; turn++) {
        if (error) error->code = TURBOHTTP_OK;
        turbohttp_status status = tls->provider->step(tls->session, error);
        if (status == TURBOHTTP_OK) {
            tls->is_up = true;
            return TURBOHTTP_OK;
        }
        if (status != TURBOHTTP_PENDING) return tbh_tls_handshake_failed(stream, status, error);
        if (tls->provider->wants(tls->session) & TURBOHTTP_TLS_STEP) {
            stream->io->hard_steps--;
            break;
        }
        status = tbh_tls_handshake_bytes(stream);
        if (status == TURBOHTTP_PENDING) return status;
        if (status != TURBOHTTP_OK) return tbh_tls_handshake_failed(stream, status, error);
    }
    tls->has_work = true;
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
    if (n == 0) { /* for ever, once the peer said close_notify: nothing would wake us but haste */
        status = tls->provider->step(tls->session, NULL);
        return status == TURBOHTTP_OK ? TURBOHTTP_PENDING : TURBOHTTP_ERR_SEND;
    }
    memcpy(place, data, n);
    tls->provider->plain_in_commit(tls->session, n);
    *sent = n;
    return TURBOHTTP_OK;
}

TBH_FN turbohttp_status tbh_tls_flush(tbh_stream *stream) {
    stream->tls.provider->flush(stream->tls.session);
    return tbh_tls_push(stream);
}

TBH_FN bool tbh_tls_can_send(const tbh_tls *tls) {
    const uint32_t either = TURBOHTTP_TLS_WIRE_OUT | TURBOHTTP_TLS_PLAIN_IN;
    return tls->out_at < tls->out_fill || (tls->provider->wants(tls->session) & either) != 0;
}

/* Copies what is decrypted. */
static void tbh_tls_copy_plain(tbh_tls *tls, uint8_t *to, size_t room, size_t *received) {
    size_t length;
    const void *plain;
    while (*received < room &&
           (plain = tls->provider->plain_out_peek(tls->session, &length)) != NULL && length) {
        size_t n = tbh_min_size(length, room - *received);
        memcpy(to + *received, plain, n);
        tls->provider->plain_out_consume(tls->session, n);
        *received += n;
    }
}

/* As long as steps decrypt more: a provider may hold records that came with the handshake's end.
 * DONE after close_notify, or the error that ended the session. */
static turbohttp_status tbh_tls_drain(tbh_tls *tls, uint8_t *to, size_t room, size_t *received) {
    turbohttp_status status = TURBOHTTP_OK;
    size_t before;
    do {
        before = *received;
        tbh_tls_copy_plain(tls, to, room, received);
        if (*received == room) return TURBOHTTP_OK;
        status = tls->provider->step(tls->session, NULL);
        if (status == TURBOHTTP_OK) tbh_tls_copy_plain(tls, to, room, received);
    } while (status == TURBOHTTP_OK && *received > before && *received < room);
    return status;
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
    if (tls->is_up && !tls->is_ended && tbh_stream_is_ours(stream)) {
        tls->provider->close(tls->session);
        tbh_tls_push(stream);
    }
    tls->provider->shut(tls->session);
    tls->at = tls->fill;
    tbh_tls_unstage(stream);
    turbohttp_byte_pool_return(stream->io->blocks, tls->out_block, tls->out_capacity);
    memset(tls, 0, sizeof *tls);
}
