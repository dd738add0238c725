/* Cuts the records of a handshake so that BearSSL gets one message at a time.
 * Records do not matter to the handshake (RFC 5246 §6.2.1): a record with three messages becomes
 * three records. So a frame loop pays for one public-key operation per call, not for all that a
 * server packed into one record, and the certificates can be judged before the next message.
 * Owns at most 512 bytes in hand. Invariant: bytes keep their order, and none is added or lost but
 * record headers. Does not know: what the messages say. */
#include "splitter.h"

enum { TBH_RECORD_HANDSHAKE = 22, TBH_RECORD_CHANGE_CIPHER = 20 };

/* All or nothing: the engine has room for a record while it reads one in the clear. */
static bool tbh_splitter_give(br_ssl_engine_context *engine, const unsigned char *data, size_t n) {
    while (n > 0) {
        size_t room = 0;
        unsigned char *place = br_ssl_engine_recvrec_buf(engine, &room);
        if (!place) return false;
        if (room > n) room = n;
        memcpy(place, data, room);
        br_ssl_engine_recvrec_ack(engine, room);
        data += room;
        n -= room;
    }
    return true;
}

static size_t tbh_splitter_gather(tbh_splitter *s, unsigned char *to, unsigned *fill,
                                  unsigned wanted) {
    while (*fill < wanted && s->at < s->fill) to[(*fill)++] = s->hold[s->at++];
    return *fill == wanted;
}

static void tbh_splitter_give_record(br_ssl_engine_context *engine, const unsigned char *header,
                                     const unsigned char *data, size_t n) {
    unsigned char own[5] = {header[0], header[1], header[2], (unsigned char)(n >> 8),
                            (unsigned char)n};
    if (tbh_splitter_give(engine, own, 5)) tbh_splitter_give(engine, data, n);
}

/* A record that holds no handshake messages goes on as it came, a part at a time. */
static tbh_split tbh_splitter_pass(tbh_splitter *s, br_ssl_engine_context *engine) {
    size_t n = s->fill - s->at;
    if (n > s->record_left) n = s->record_left;
    tbh_splitter_give(engine, s->hold + s->at, n);
    s->at += n;
    s->record_left -= n;
    if (s->record_left) return n ? TBH_SPLIT_PIECE : TBH_SPLIT_EMPTY;
    bool is_empty = s->record[3] == 0 && s->record[4] == 0; /* the engine skips it */
    s->is_over = s->record[0] == TBH_RECORD_CHANGE_CIPHER && !is_empty;
    s->record_fill = 0;
    return TBH_SPLIT_PIECE;
}

static bool tbh_splitter_begin_record(tbh_splitter *s, br_ssl_engine_context *engine) {
    if (s->record_fill == 5) return true;
    if (!tbh_splitter_gather(s, s->record, &s->record_fill, 5)) return false;
    s->record_left = (size_t)s->record[3] << 8 | s->record[4];
    bool is_split =
        s->record[0] == TBH_RECORD_HANDSHAKE && s->record_left && s->record_left <= 16384;
    if (is_split) return true;
    s->record[0] |= s->record[0] == TBH_RECORD_HANDSHAKE ? 0x80 : 0; /* the engine refuses it */
    tbh_splitter_give(engine, s->record, 5);
    return true;
}

/* Bytes of the message in hand that are here, its header included; 0: its header is incomplete. */
static size_t tbh_splitter_measure(tbh_splitter *s) {
    size_t here = s->fill - s->at, from = s->at;
    if (here > s->record_left) here = s->record_left;
    size_t end = from + here;
    while (s->message_fill < 4 && from < end) s->message[s->message_fill++] = s->hold[from++];
    if (s->message_fill == 4 && s->message_left == 0)
        s->message_left =
            ((size_t)s->message[1] << 16 | (size_t)s->message[2] << 8 | s->message[3]) + 1;
    size_t header = from - s->at, body = here - header;
    size_t left = s->message_left ? s->message_left - 1 : 0;
    return header + (body < left ? body : left);
}

/* What is encrypted goes on unseen, as far as the engine takes it. */
static tbh_split tbh_splitter_rest(tbh_splitter *s, br_ssl_engine_context *engine) {
    size_t room;
    unsigned char *place;
    while (s->at < s->fill && (place = br_ssl_engine_recvrec_buf(engine, &room)) != NULL) {
        if (room > s->fill - s->at) room = s->fill - s->at;
        memcpy(place, s->hold + s->at, room);
        s->at += room;
        br_ssl_engine_recvrec_ack(engine, room);
    }
    return TBH_SPLIT_EMPTY;
}

TBH_BEAR_FN tbh_split tbh_splitter_next(tbh_splitter *s, br_ssl_engine_context *engine) {
    size_t room;
    if (s->is_over) return tbh_splitter_rest(s, engine);
    if (s->at == s->fill) s->at = s->fill = 0;
    if (!br_ssl_engine_recvrec_buf(engine, &room)) return TBH_SPLIT_EMPTY;
    if (!tbh_splitter_begin_record(s, engine)) return TBH_SPLIT_EMPTY;
    if (s->record[0] != TBH_RECORD_HANDSHAKE) return tbh_splitter_pass(s, engine);
    unsigned header_before = s->message_fill;
    size_t n = tbh_splitter_measure(s);
    if (n == 0) return TBH_SPLIT_EMPTY;
    size_t body = n - (s->message_fill - header_before);
    tbh_splitter_give_record(engine, s->record, s->hold + s->at, n);
    s->at += n;
    s->record_left -= n;
    if (s->record_left == 0) s->record_fill = 0;
    if (s->message_fill < 4) return TBH_SPLIT_PIECE;
    s->message_left -= body;
    if (s->message_left > 1) return TBH_SPLIT_PIECE;
    s->message_left = 0;
    s->message_fill = 0;
    bool is_hard =
        s->message[0] == TBH_MESSAGE_KEY_EXCHANGE || s->message[0] == TBH_MESSAGE_HELLO_DONE;
    return is_hard ? TBH_SPLIT_MESSAGE : TBH_SPLIT_PIECE;
}
