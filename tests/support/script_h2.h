/* The HTTP/2 words of scripts (tests/scripts/README.md): lines become a server's frames, and a
 * client's frames are held against lines. One h2_peer is the server's end of one connection.
 * Include it behind the implementation; script_player.c owns the bytes. */
#ifndef TEST_SCRIPT_H2_H
#define TEST_SCRIPT_H2_H
#include "plain_allocator.h"
#include <stdio.h>
#include <string.h>

enum { H2_WHY = 400 };
#define H2_MAGIC "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* A frame of the client. Its text lies in the peer's: the body, or lines `name: value`. */
typedef struct h2_seen {
    turbohttp_h2_frame frame;
    uint32_t number; /* error code or increment */
    uint32_t other;  /* last stream */
    size_t at, length;
} h2_seen;

typedef struct h2_peer {
    turbohttp_h2_reader reader;
    turbohttp_hpack_decoder decoder;
    turbohttp_hpack_encoder encoder;
    uint32_t decoder_memory[8192], encoder_memory[8192];
    uint8_t scratch[32768], ping[8];
    turbohttp_byte_pool pool;
    int64_t tables[64];   /* HEADER_TABLE_SIZE of each SETTINGS that was sent; -1: not said */
    size_t settings, acks;
    size_t fed;           /* bytes of the client that were read */
    h2_seen *seen;        /* its frames */
    size_t count, next;   /* of them; the first that no line was about */
    size_t used;          /* bytes of body of that one that lines were about */
    size_t block;         /* the HEADERS whose fields come in, CONTINUATION behind it too */
    char *text;
    size_t text_length;
    bool is_up, is_broken, had_preface;
    bool is_secured; /* `:scheme http` means https */
    char why[H2_WHY];
} h2_peer;

static void h2_peer_open(h2_peer *p) {
    turbohttp_h2_limits limits = {0, 64, 0, true};
    if (p->is_up) return;
    p->is_up = true;
    turbohttp_h2_reader_init(&p->reader, &limits);
    turbohttp_hpack_decoder_init(&p->decoder, p->decoder_memory, sizeof p->decoder_memory, 4096, p->scratch,
                                 sizeof p->scratch, 1 << 20);
    turbohttp_hpack_encoder_init(&p->encoder, p->encoder_memory, sizeof p->encoder_memory, 4096);
    turbohttp_byte_pool_init(&p->pool, &plain_allocator, 256, 65536, 4, (turbohttp_clearing)0, false);
}

static void h2_peer_close(h2_peer *p) {
    if (!p->is_up) return;
    turbohttp_byte_pool_destroy(&p->pool);
    free(p->seen);
    free(p->text);
}

static bool h2_fail(h2_peer *p, const char *what, const char *detail) {
    snprintf(p->why, sizeof p->why, "%s (%.200s)", what, detail);
    return false;
}

/* ------------------------------------------------------------ names */
static const char *const h2_types[] = {"DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                       "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION"};
static const char *const h2_codes[] = {
    "NO_ERROR",       "PROTOCOL_ERROR", "INTERNAL_ERROR",     "FLOW_CONTROL_ERROR",  "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",  "FRAME_SIZE_ERROR", "REFUSED_STREAM",   "CANCEL",              "COMPRESSION_ERROR",
    "CONNECT_ERROR",  "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"};
static const char *const h2_settings[] = {"",
                                          "HEADER_TABLE_SIZE",
                                          "ENABLE_PUSH",
                                          "MAX_CONCURRENT_STREAMS",
                                          "INITIAL_WINDOW_SIZE",
                                          "MAX_FRAME_SIZE",
                                          "MAX_HEADER_LIST_SIZE",
                                          "",
                                          "ENABLE_CONNECT_PROTOCOL",
                                          "NO_RFC7540_PRIORITIES"};

/* A name of the list, or a number. */
static uint32_t h2_number_of(const char *word, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], word)) return (uint32_t)i;
    return (uint32_t)strtoul(word, NULL, 0);
}

#define H2_NUMBER(word, names) h2_number_of(word, names, sizeof names / sizeof *names)

static int h2_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *h2_name(const char *const *names, size_t count, uint32_t n) {
    static char number[4][24];
    static int next;
    if (n < count && *names[n]) return names[n];
    char *text = number[next++ % 4];
    snprintf(text, sizeof number[0], "%u", (unsigned)n);
    return text;
}

#define H2_NAME(names, n) h2_name(names, sizeof names / sizeof *names, n)

/* ------------------------------------------------------------ a line in parts */
/* "TYPE id word word=value | name: value | name: value", or "TYPE id word "bytes"". */
typedef struct h2_line {
    char words[24][64];
    size_t count;
    const char *fields, *end; /* behind the first " | "; NULL: none */
    const char *bytes;        /* between quotes; NULL: none */
    size_t length;
} h2_line;

static void h2_parse_words(h2_line *l, const char *at, const char *end) {
    while (at < end && l->count < 24) {
        const char *blank = (const char *)memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank ? blank : end;
        if (stop > at && stop - at < 64) memcpy(l->words[l->count++], at, (size_t)(stop - at));
        at = stop + 1;
    }
}

static const char *h2_find(const char *at, const char *end, const char *what) {
    size_t n = strlen(what);
    for (; at + n <= end; at++)
        if (!memcmp(at, what, n)) return at;
    return NULL;
}

static void h2_parse(h2_line *l, const char *text, size_t length) {
    const char *end = text + length, *bar = h2_find(text, end, " | ");
    const char *quote = (const char *)memchr(text, '"', length), *last = end;
    memset(l, 0, sizeof *l);
    if (bar && quote && quote > bar) quote = NULL;
    if (quote) {
        while (last > quote + 1 && last[-1] != '"') last--;
        l->bytes = quote + 1;
        l->length = last - 1 > quote ? (size_t)(last - 1 - l->bytes) : 0;
        end = quote;
    } else if (bar) {
        l->fields = bar + 3;
        l->end = end;
        end = bar;
    }
    h2_parse_words(l, text, end);
}

static bool h2_has(const h2_line *l, const char *word) {
    for (size_t i = 1; i < l->count; i++)
        if (!strcmp(l->words[i], word)) return true;
    return false;
}

/* What follows "name="; NULL: not there. */
static const char *h2_value(const h2_line *l, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 1; i < l->count; i++)
        if (!strncmp(l->words[i], name, n) && l->words[i][n] == '=') return l->words[i] + n + 1;
    return NULL;
}

static uint32_t h2_value_of(const h2_line *l, const char *name, uint32_t otherwise) {
    const char *value = h2_value(l, name);
    return value ? (uint32_t)strtoul(value, NULL, 0) : otherwise;
}

static uint32_t h2_word_number(const h2_line *l, size_t i) {
    return i < l->count ? (uint32_t)strtoul(l->words[i], NULL, 0) : 0;
}

/* ------------------------------------------------------------ words that do not exist */
static bool h2_is_name(const char *word, size_t n, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == n && n > 0 && !memcmp(names[i], word, n)) return true;
    return false;
}

#define H2_IS(word, n, names) h2_is_name(word, n, names, sizeof names / sizeof *names)

static bool h2_is_word(const char *word) {
    static const char *const flags[] = {"end_stream", "open", "priority", "reserved", "no_padding", "ack", "same"};
    static const char *const values[] = {"padded", "fill", "flags", "length", "on", "type", "bytes"};
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    if (h2_digit(*word) >= 0 && *word <= '9') return true;
    return equals ? H2_IS(word, n, values) || H2_IS(word, n, h2_settings)
                  : H2_IS(word, n, flags) || H2_IS(word, n, h2_codes);
}

static bool h2_check_words(h2_peer *p, const h2_line *l) {
    const char *type = l->words[0];
    bool is_known = H2_IS(type, strlen(type), h2_types) || !strcmp(type, "FRAME") || !strcmp(type, "nothing");
    if (!is_known) return h2_fail(p, "no such frame", type);
    for (size_t i = 1; i < l->count; i++)
        if (!h2_is_word(l->words[i])) return h2_fail(p, "no such word", l->words[i]);
    return true;
}

/* ------------------------------------------------------------ what the server sends */
typedef struct h2_payload {
    uint8_t *bytes; /* to be freed, unless it is used again and again */
    size_t length, room;
} h2_payload;

static void h2_put(h2_payload *out, const void *bytes, size_t n) {
    if (n == 0) return;
    if (out->length + n > out->room)
        out->bytes = (uint8_t *)realloc(out->bytes, out->room = 2 * out->room + n + 64);
    memcpy(out->bytes + out->length, bytes, n);
    out->length += n;
}

static void h2_put32(h2_payload *out, uint32_t value) {
    uint8_t bytes[4];
    tbh_store32_be(bytes, value);
    h2_put(out, bytes, 4);
}

/* Blanks may stand anywhere between the digits. */
static void h2_put_hex(h2_payload *out, const char *at, const char *end) {
    int high = -1;
    for (; at < end; at++) {
        int digit = h2_digit(*at);
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
            continue;
        }
        uint8_t byte = (uint8_t)(high << 4 | digit);
        h2_put(out, &byte, 1);
        high = -1;
    }
}

/* "name: value", ":status value"; a leading "!" says never indexed. */
static bool h2_put_field(h2_peer *p, h2_payload *out, const char *at, const char *end) {
    turbohttp_hpack_field field;
    turbohttp_writer writer;
    field.never_indexed = *at == '!';
    if (field.never_indexed) at++;
    const char *gap = h2_find(at, end, *at == ':' ? " " : ": ");
    if (!gap) return h2_fail(p, "not `name: value`", at);
    field.name = tbh_span(at, (size_t)(gap - at));
    gap += *at == ':' ? 1 : 2;
    field.value = tbh_span(gap, (size_t)(end - gap));
    turbohttp_writer_init(&writer, &p->pool, 0);
    turbohttp_hpack_encode(&p->encoder, &field, &writer);
    h2_put(out, writer.data, writer.length);
    turbohttp_writer_reset(&writer);
    return true;
}

/* One entry of a block: a field, "#hex", or either of them "*n " times. */
static bool h2_put_entry(h2_peer *p, h2_payload *out, const char *at, const char *end) {
    unsigned long times = 1;
    if (at < end && *at == '*') {
        char *rest;
        times = strtoul(at + 1, &rest, 10);
        at = rest + 1;
    }
    for (; times && at < end; times--) {
        if (*at == '#') h2_put_hex(out, at + 1, end);
        else if (!h2_put_field(p, out, at, end)) return false;
    }
    return true;
}

static bool h2_put_block(h2_peer *p, h2_payload *out, const h2_line *l) {
    const char *at = l->fields;
    while (at && at < l->end) {
        const char *bar = h2_find(at, l->end, " | ");
        if (!h2_put_entry(p, out, at, bar ? bar : l->end)) return false;
        at = bar ? bar + 3 : l->end;
    }
    return true;
}

/* What the client must obey from its ACK on. */
static void h2_promise_table(h2_peer *p, const h2_line *l) {
    const char *value = h2_value(l, "HEADER_TABLE_SIZE");
    if (h2_has(l, "ack") || p->settings == sizeof p->tables / sizeof *p->tables) return;
    p->tables[p->settings++] = value ? (int64_t)strtoul(value, NULL, 0) : -1;
}

static void h2_put_settings(h2_payload *out, const h2_line *l) {
    for (size_t i = 1; i < l->count; i++) {
        char name[64];
        uint8_t id[2];
        const char *equals = strchr(l->words[i], '=');
        if (!equals || !strncmp(l->words[i], "length=", 7) || !strncmp(l->words[i], "flags=", 6) ||
            !strncmp(l->words[i], "on=", 3))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - l->words[i]), l->words[i]);
        uint32_t number = H2_NUMBER(name, h2_settings);
        id[0] = (uint8_t)(number >> 8);
        id[1] = (uint8_t)number;
        h2_put(out, id, 2);
        h2_put32(out, (uint32_t)strtoul(equals + 1, NULL, 0));
    }
}

static void h2_put_ping(h2_peer *p, h2_payload *out, const h2_line *l) {
    const char *word = l->count > 1 ? l->words[l->count - 1] : "";
    if (!strcmp(word, "same")) h2_put(out, p->ping, 8);
    else h2_put_hex(out, word, word + (h2_digit(*word) >= 0 && strlen(word) == 16 ? 16 : 0));
    if (out->length == 0) h2_put(out, "\1\2\3\4\5\6\7\10", 8);
}

static void h2_put_data(h2_payload *out, const h2_line *l) {
    static char xs[1 << 14];
    uint32_t fill = h2_value_of(l, "fill", 0);
    memset(xs, 'x', sizeof xs);
    h2_put(out, l->bytes, l->length);
    h2_put(out, xs, tbh_min_size(fill, sizeof xs));
}

/* The fixed fields and the body of each type. */
static bool h2_put_payload(h2_peer *p, h2_payload *out, const h2_line *l, uint8_t type) {
    switch (type) {
    case TURBOHTTP_H2_DATA: h2_put_data(out, l); return true;
    case TURBOHTTP_H2_PUSH_PROMISE: h2_put32(out, h2_word_number(l, 2)); return h2_put_block(p, out, l);
    case TURBOHTTP_H2_HEADERS:
        if (h2_has(l, "priority")) h2_put(out, "\0\0\0\0\17", 5);
        return h2_put_block(p, out, l);
    case TURBOHTTP_H2_CONTINUATION: return h2_put_block(p, out, l);
    case TURBOHTTP_H2_PRIORITY: h2_put(out, "\0\0\0\0\17", 5); return true;
    case TURBOHTTP_H2_RST_STREAM: h2_put32(out, H2_NUMBER(l->words[2], h2_codes)); return true;
    case TURBOHTTP_H2_SETTINGS:
        h2_promise_table(p, l);
        h2_put_settings(out, l);
        return true;
    case TURBOHTTP_H2_PING: h2_put_ping(p, out, l); return true;
    case TURBOHTTP_H2_WINDOW_UPDATE: h2_put32(out, h2_word_number(l, 2)); return true;
    case TURBOHTTP_H2_GOAWAY:
        h2_put32(out, h2_word_number(l, 1));
        h2_put32(out, H2_NUMBER(l->words[2], h2_codes));
        h2_put(out, l->bytes, l->length);
        return true;
    default: h2_put(out, l->bytes, l->length); return true;
    }
}

static uint8_t h2_flags_of(const h2_line *l, uint8_t type) {
    bool is_block = type == TURBOHTTP_H2_HEADERS || type == TURBOHTTP_H2_CONTINUATION ||
                    type == TURBOHTTP_H2_PUSH_PROMISE;
    unsigned flags = is_block && !h2_has(l, "open") ? TURBOHTTP_H2_END_HEADERS : 0u;
    if (h2_has(l, "end_stream") || h2_has(l, "ack")) flags |= 1u;
    if (h2_value(l, "padded")) flags |= TURBOHTTP_H2_PADDED;
    if (h2_has(l, "priority") && type == TURBOHTTP_H2_HEADERS) flags |= TURBOHTTP_H2_HAS_PRIORITY;
    return (uint8_t)h2_value_of(l, "flags", flags);
}

static uint8_t h2_type_of(const h2_line *l) {
    if (!strcmp(l->words[0], "FRAME")) return (uint8_t)h2_value_of(l, "type", 0xff);
    return (uint8_t)H2_NUMBER(l->words[0], h2_types);
}

static uint32_t h2_stream_of(const h2_line *l, uint8_t type) {
    bool is_connections = type == TURBOHTTP_H2_SETTINGS || type == TURBOHTTP_H2_PING || type == TURBOHTTP_H2_GOAWAY;
    return h2_value_of(l, "on", is_connections ? 0 : h2_word_number(l, 1));
}

static void h2_put_header(h2_payload *out, const h2_line *l, uint8_t type, size_t length) {
    uint8_t header[TURBOHTTP_H2_HEADER_BYTES];
    turbohttp_h2_frame frame;
    frame.type = type;
    frame.flags = h2_flags_of(l, type);
    frame.stream_id = h2_stream_of(l, type);
    frame.length = (uint32_t)length;
    turbohttp_h2_write_frame_header(header, &frame);
    if (h2_has(l, "reserved")) header[5] |= 0x80;
    h2_put(out, header, sizeof header);
}

/* Turns the line's frame into bytes behind those in `out`. */
static bool h2_build(h2_peer *p, const h2_line *l, h2_payload *out) {
    static const uint8_t zeros[256];
    static h2_payload payload;
    payload.length = 0;
    uint32_t padding = h2_value_of(l, "padded", 0);
    uint8_t type = h2_type_of(l), padding_byte = (uint8_t)padding;
    if (h2_value(l, "padded")) h2_put(&payload, &padding_byte, 1);
    bool is_good = h2_put_payload(p, &payload, l, type);
    if (!h2_has(l, "no_padding")) h2_put(&payload, zeros, padding);
    uint32_t length = h2_value_of(l, "length", (uint32_t)payload.length);
    h2_put_header(out, l, type, length);
    h2_put(out, payload.bytes, tbh_min_size(payload.length, length));
    return is_good;
}

/* An "S:" line: its bytes come to `out`. False: see p->why. */
static bool h2_peer_say(h2_peer *p, const char *text, size_t length, h2_payload *out) {
    h2_line l;
    unsigned long times = 1;
    h2_peer_open(p);
    if (!strncmp(text, "repeat ", 7)) {
        char *rest;
        times = strtoul(text + 7, &rest, 10);
        length -= (size_t)(rest + 1 - text);
        text = rest + 1;
    }
    h2_parse(&l, text, length);
    if (!h2_check_words(p, &l)) return false;
    for (; times; times--)
        if (!h2_build(p, &l, out)) return false;
    return true;
}

/* ------------------------------------------------------------ what the client sent */
static void h2_note(h2_peer *p, const void *bytes, size_t n) {
    p->text = (char *)realloc(p->text, p->text_length + n + 1);
    memcpy(p->text + p->text_length, bytes, n);
    p->text_length += n;
    p->text[p->text_length] = 0;
}

static void h2_note_field(h2_peer *p, turbohttp_span name, turbohttp_span value) {
    size_t before = p->text_length;
    h2_note(p, name.data, name.length);
    h2_note(p, ": ", 2);
    h2_note(p, value.data, value.length);
    h2_note(p, "\n", 1);
    p->seen[p->block].length += p->text_length - before;
}

static h2_seen *h2_seen_last(h2_peer *p) {
    return &p->seen[p->count - 1];
}

static void h2_see_ack(h2_peer *p) {
    int64_t table = p->acks < p->settings ? p->tables[p->acks] : -1;
    p->acks++;
    if (table >= 0) turbohttp_hpack_decoder_resize(&p->decoder, table < 4096 ? (uint32_t)table : 4096u);
}

static void h2_see_frame(h2_peer *p, const turbohttp_h2_event *e) {
    p->seen = (h2_seen *)realloc(p->seen, (p->count + 1) * sizeof *p->seen);
    h2_seen *s = &p->seen[p->count++];
    memset(s, 0, sizeof *s);
    s->frame = e->frame;
    s->number = e->increment ? e->increment : e->error;
    s->other = e->other_id;
    s->at = p->text_length;
    if (e->frame.type == TURBOHTTP_H2_SETTINGS && (e->frame.flags & TURBOHTTP_H2_ACK)) h2_see_ack(p);
    if (e->frame.type == TURBOHTTP_H2_HEADERS) p->block = p->count - 1;
    if (e->frame.type == TURBOHTTP_H2_PING) {
        memcpy(p->ping, e->ping, 8);
        h2_note(p, e->ping, 8);
        s->length = 8;
    }
}

static void h2_see_bytes(h2_peer *p, const turbohttp_h2_event *e) {
    bool is_block = e->frame.type == TURBOHTTP_H2_HEADERS || e->frame.type == TURBOHTTP_H2_CONTINUATION;
    const uint8_t *in = (const uint8_t *)e->bytes.data;
    size_t n = e->bytes.length;
    turbohttp_hpack_field field;
    turbohttp_status status = TURBOHTTP_OK;
    if (!is_block) {
        h2_note(p, in, n);
        h2_seen_last(p)->length += n;
        return;
    }
    while ((status = turbohttp_hpack_decode(&p->decoder, &in, &n, &field)) == TURBOHTTP_OK)
        h2_note_field(p, field.name, field.value);
    if (status < 0) p->is_broken = true;
}

static void h2_see_setting(h2_peer *p, turbohttp_h2_setting setting) {
    char line[64];
    int n = snprintf(line, sizeof line, "%s=%u\n", H2_NAME(h2_settings, setting.id), (unsigned)setting.value);
    h2_note(p, line, (size_t)n);
    h2_seen_last(p)->length += (size_t)n;
}

static void h2_see_end(h2_peer *p, const turbohttp_h2_frame *frame) {
    bool is_block = frame->type == TURBOHTTP_H2_HEADERS || frame->type == TURBOHTTP_H2_CONTINUATION;
    if (!is_block || !(frame->flags & TURBOHTTP_H2_END_HEADERS)) return;
    if (turbohttp_hpack_decode_end(&p->decoder) != TURBOHTTP_OK) p->is_broken = true;
}

/* Reads what is new in [0, length). */
static void h2_peer_hear(h2_peer *p, const char *sent, size_t length) {
    turbohttp_h2_event e;
    h2_peer_open(p);
    while (p->fed < sizeof H2_MAGIC - 1 && p->fed < length)
        if (sent[p->fed] != H2_MAGIC[p->fed]) {
            p->is_broken = true;
            return;
        } else p->fed++;
    const uint8_t *in = (const uint8_t *)sent + p->fed;
    size_t n = length - p->fed;
    turbohttp_status status = TURBOHTTP_PENDING;
    while (!p->is_broken && (status = turbohttp_h2_read(&p->reader, &in, &n, &e)) == TURBOHTTP_OK) {
        if (e.kind == TURBOHTTP_H2_EVENT_FRAME) h2_see_frame(p, &e);
        if (e.kind == TURBOHTTP_H2_EVENT_BYTES) h2_see_bytes(p, &e);
        if (e.kind == TURBOHTTP_H2_EVENT_SETTING) h2_see_setting(p, e.setting);
        if (e.kind == TURBOHTTP_H2_EVENT_END) h2_see_end(p, &e.frame);
    }
    if (status < 0 || (status == TURBOHTTP_OK && e.kind == TURBOHTTP_H2_EVENT_STREAM_ERROR)) p->is_broken = true;
    p->fed = length - n;
}

/* ------------------------------------------------------------ lines held against it */
static void h2_describe(const h2_peer *p, const h2_seen *s, char *out, size_t room) {
    snprintf(out, room, "%s %u flags %02x code %s other %u: %.*s", H2_NAME(h2_types, s->frame.type),
             (unsigned)s->frame.stream_id, (unsigned)s->frame.flags, H2_NAME(h2_codes, s->number),
             (unsigned)s->other, (int)(s->length > 100 ? 100 : s->length), p->text + s->at);
}

static bool h2_differs(h2_peer *p, const char *what, const h2_seen *s) {
    char text[300];
    h2_describe(p, s, text, sizeof text);
    return h2_fail(p, what, text);
}

static bool h2_text_has_line(const h2_peer *p, const h2_seen *s, const char *line, size_t n) {
    const char *at = p->text + s->at, *end = at + s->length;
    while (at < end) {
        const char *lf = (const char *)memchr(at, '\n', (size_t)(end - at));
        if ((size_t)(lf - at) == n && !memcmp(at, line, n)) return true;
        at = lf + 1;
    }
    return false;
}

static bool h2_text_has_name(const h2_peer *p, const h2_seen *s, const char *name, size_t n) {
    const char *at = p->text + s->at, *end = at + s->length;
    while (at < end) {
        if ((size_t)(end - at) > n && !memcmp(at, name, n) && at[n] == ':') return true;
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    }
    return false;
}

/* "name: value" is there, or with "!name" is not. */
static bool h2_match_field(h2_peer *p, const h2_seen *s, const char *at, const char *end) {
    char line[8192];
    size_t n = (size_t)(end - at);
    if (*at == '!') return !h2_text_has_name(p, s, at + 1, n - 1) || h2_differs(p, "a field too many", s);
    const char *gap = h2_find(at, end, *at == ':' ? " " : ": ");
    if (!gap || n + 4 > sizeof line) return h2_fail(p, "not `name: value`", at);
    size_t name = (size_t)(gap - at), skip = name + (*at == ':' ? 1 : 2);
    const char *secure = p->is_secured && name == 7 && !memcmp(at, ":scheme", 7) ? "s" : "";
    int length = snprintf(line, sizeof line, "%.*s: %.*s%s", (int)name, at, (int)(n - skip), at + skip, secure);
    return h2_text_has_line(p, s, line, (size_t)length) || h2_differs(p, "another field", s);
}

static bool h2_match_fields(h2_peer *p, const h2_line *l, const h2_seen *s) {
    const char *at = l->fields;
    while (at && at < l->end) {
        const char *bar = h2_find(at, l->end, " | ");
        if (!h2_match_field(p, s, at, bar ? bar : l->end)) return false;
        at = bar ? bar + 3 : l->end;
    }
    return true;
}

static bool h2_match_settings(h2_peer *p, const h2_line *l, const h2_seen *s) {
    for (size_t i = 1; i < l->count; i++)
        if (strchr(l->words[i], '=') && !h2_text_has_line(p, s, l->words[i], strlen(l->words[i])))
            return h2_differs(p, "another setting", s);
    return true;
}

static bool h2_match_numbers(h2_peer *p, const h2_line *l, const h2_seen *s) {
    bool is_code = s->frame.type == TURBOHTTP_H2_RST_STREAM || s->frame.type == TURBOHTTP_H2_GOAWAY;
    bool is_window = s->frame.type == TURBOHTTP_H2_WINDOW_UPDATE;
    if (is_code && l->count > 2 && H2_NUMBER(l->words[2], h2_codes) != s->number)
        return h2_differs(p, "another code", s);
    if (is_window && l->count > 2 && h2_word_number(l, 2) != s->number) return h2_differs(p, "another credit", s);
    if (s->frame.type == TURBOHTTP_H2_GOAWAY && h2_word_number(l, 1) != s->other)
        return h2_differs(p, "another last stream", s);
    return true;
}

static bool h2_match_ping(h2_peer *p, const h2_line *l, const h2_seen *s) {
    h2_payload bytes = {NULL, 0, 0};
    const char *word = l->words[l->count - 1];
    if (l->count < 2 || strlen(word) != 16) return true;
    h2_put_hex(&bytes, word, word + 16);
    bool is_same = bytes.length == 8 && !memcmp(bytes.bytes, p->text + s->at, 8);
    free(bytes.bytes);
    return is_same || h2_differs(p, "other bytes", s);
}

static bool h2_match_flags(h2_peer *p, const h2_line *l, const h2_seen *s) {
    uint8_t expected = h2_flags_of(l, s->frame.type);
    return expected == s->frame.flags || h2_differs(p, "other flags", s);
}

/* What no line needs to be about. */
static bool h2_is_passed_over(const h2_seen *s, uint8_t type) {
    bool is_ack = s->frame.type == TURBOHTTP_H2_SETTINGS && (s->frame.flags & TURBOHTTP_H2_ACK);
    bool is_credit = s->frame.type == TURBOHTTP_H2_WINDOW_UPDATE;
    return (is_ack && type != TURBOHTTP_H2_SETTINGS) || (is_credit && type != TURBOHTTP_H2_WINDOW_UPDATE);
}

/* §3.4: SETTINGS come first; a script that says nothing about them means these. */
static void h2_pass_preface(h2_peer *p, uint8_t type) {
    if (p->had_preface || p->count == 0) return;
    p->had_preface = true;
    if (type == TURBOHTTP_H2_SETTINGS) return;
    if (p->seen[0].frame.type == TURBOHTTP_H2_SETTINGS && !p->seen[0].frame.flags) p->next = 1;
}

static h2_seen *h2_next_seen(h2_peer *p, uint8_t type) {
    h2_pass_preface(p, type);
    while (p->next < p->count && h2_is_passed_over(&p->seen[p->next], type)) p->next++;
    return p->next < p->count ? &p->seen[p->next] : NULL;
}

/* A body may come in any number of frames: the line is about their bytes, and about the end behind
 * them. "bytes=n" does not mind which. */
static bool h2_match_body(h2_peer *p, const h2_line *l, uint32_t id) {
    size_t wanted = h2_value_of(l, "bytes", (uint32_t)l->length), got = 0;
    bool ends = h2_has(l, "end_stream"), has_ended = false;
    while (got < wanted || (ends && !has_ended) || (wanted == 0 && !ends && got == 0)) {
        h2_seen *s = h2_next_seen(p, TURBOHTTP_H2_DATA);
        if (!s) return h2_fail(p, "the client sent too little", "of a body");
        if (s->frame.type != TURBOHTTP_H2_DATA || s->frame.stream_id != id)
            return h2_differs(p, "the client sent something else", s);
        size_t n = tbh_min_size(s->length - p->used, wanted - got);
        if (l->bytes && memcmp(p->text + s->at + p->used, l->bytes + got, n) != 0)
            return h2_differs(p, "another body", s);
        got += n;
        p->used += n;
        has_ended = s->frame.flags & TURBOHTTP_H2_END_STREAM;
        if (p->used < s->length) break;
        p->used = 0;
        p->next++;
        if (has_ended && (got < wanted || !ends)) return h2_differs(p, "the body ends here", s);
        if (wanted == 0 && !ends) break;
    }
    if (ends && !(has_ended && p->used == 0)) return h2_fail(p, "the body does not end", "");
    return true;
}

static bool h2_match_nothing(h2_peer *p) {
    h2_seen *s = h2_next_seen(p, 0xff);
    return !s || h2_differs(p, "the client sent more", s);
}

static bool h2_match_frame(h2_peer *p, const h2_line *l, uint8_t type) {
    h2_seen *s = h2_next_seen(p, type);
    if (!s) return h2_fail(p, "the client sent too little", l->words[0]);
    bool is_asked_for = s->frame.type == type && s->frame.stream_id == h2_stream_of(l, type) && p->used == 0;
    if (!is_asked_for) return h2_differs(p, "the client sent something else", s);
    p->next++;
    if (!h2_match_flags(p, l, s) || !h2_match_numbers(p, l, s)) return false;
    if (type == TURBOHTTP_H2_SETTINGS) return h2_match_settings(p, l, s);
    if (type == TURBOHTTP_H2_PING) return h2_match_ping(p, l, s);
    return h2_match_fields(p, l, s);
}

/* A "C:" line. `is_cut`: the connection is gone, perhaps before all of it was sent. */
static bool h2_peer_expect(h2_peer *p, const char *text, size_t length, bool is_cut) {
    h2_line l;
    h2_parse(&l, text, length);
    if (!h2_check_words(p, &l)) return false;
    uint8_t type = h2_type_of(&l);
    if (p->is_broken) return h2_fail(p, "the client broke the protocol", text);
    if (!strcmp(l.words[0], "nothing")) return h2_match_nothing(p);
    if (is_cut && !h2_next_seen(p, type)) return true;
    if (type == TURBOHTTP_H2_DATA) return h2_match_body(p, &l, h2_stream_of(&l, type));
    return h2_match_frame(p, &l, type);
}
#endif
