/* HPACK decoder: header blocks in any pieces, one field at a time (RFC 7541 §3, §6).
 *
 * Owns nothing; table and scratch are the caller's. A string that is whole in the input stays there
 * if it is plain; Huffman and interrupted strings are put together in the scratch.
 * Invariants: sizes from the wire only bound loops over input that is there; the scratch holds any
 * field that the table can hold, so a field too long for the scratch empties the table without
 * having been seen whole; the table is in step whatever the limits say, until an error.
 * Input language: RFC 7541 with integers below 2^32 in at most six bytes.
 * Does not know: frames, what a field means, when a block ends. */
#include "hpack_huffman.h"
#include "hpack_table.h"

enum {                      /* what comes next */
       TBH_HPACK_FIRST,     /* a field or a size update */
       TBH_HPACK_INDEX,     /* more bytes of its index */
       TBH_HPACK_NAME,      /* the first byte of a name */
       TBH_HPACK_NAME_SIZE, /* more bytes of its length */
       TBH_HPACK_NAME_TEXT, /* its bytes */
       TBH_HPACK_VALUE,     /* the same for the value */
       TBH_HPACK_VALUE_SIZE,
       TBH_HPACK_VALUE_TEXT,
       TBH_HPACK_FAILED
};

enum { /* RFC 7541 §6 */
       TBH_HPACK_INDEXED,
       TBH_HPACK_INCREMENTAL,
       TBH_HPACK_UPDATE,
       TBH_HPACK_NEVER,
       TBH_HPACK_WITHOUT
};

enum { TBH_HPACK_HOME_FIXED, TBH_HPACK_HOME_INPUT, TBH_HPACK_HOME_TABLE };

typedef struct tbh_hpack_cursor {
    const uint8_t *p, *end;
} tbh_hpack_cursor;

/* ------------------------------------------------------------ life */
TURBOHTTP_API turbohttp_status turbohttp_hpack_decoder_init(turbohttp_hpack_decoder *decoder,
                                                            void *memory, size_t memory_bytes,
                                                            uint32_t table_bytes, void *scratch,
                                                            size_t scratch_bytes,
                                                            size_t list_limit) {
    uint8_t *from = (uint8_t *)memory;
    memset(decoder, 0, sizeof *decoder);
    if (!tbh_hpack_table_init(&decoder->table, &from, &memory_bytes, table_bytes))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (!scratch || scratch_bytes == 0 || scratch_bytes < table_bytes)
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    decoder->scratch = (uint8_t *)scratch;
    decoder->scratch_bytes = scratch_bytes;
    decoder->list_limit = list_limit ? list_limit : 65536;
    decoder->setting = decoder->table.limit;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_decoder_resize(turbohttp_hpack_decoder *decoder,
                                                              uint32_t table_bytes) {
    if (table_bytes > decoder->table.capacity) return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (decoder->state != TBH_HPACK_FIRST || decoder->has_fields) return TURBOHTTP_ERR_STATE;
    decoder->setting = table_bytes;
    if (table_bytes >= decoder->table.limit) return TURBOHTTP_OK;
    decoder->needs_update = true; /* §4.2: to the lowest setting that there was in between */
    decoder->update_most = table_bytes;
    tbh_hpack_table_resize(&decoder->table, table_bytes);
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_hpack_fail(turbohttp_hpack_decoder *d) {
    d->state = TBH_HPACK_FAILED;
    return TURBOHTTP_ERR_HPACK;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_decode_end(turbohttp_hpack_decoder *decoder) {
    bool is_too_large = decoder->is_too_large;
    if (decoder->state != TBH_HPACK_FIRST || decoder->needs_update) return tbh_hpack_fail(decoder);
    decoder->list_bytes = 0;
    decoder->has_fields = false;
    decoder->is_too_large = false;
    return is_too_large ? TURBOHTTP_ERR_HEAD_TOO_LARGE : TURBOHTTP_OK;
}

/* ------------------------------------------------------------ integers (§5.1) */
/* Begins one in the low bits of a byte; true when it ends there. */
static bool tbh_hpack_integer(turbohttp_hpack_decoder *d, uint8_t byte, uint8_t mask) {
    d->number = byte & mask;
    d->shift = 0;
    return d->number < mask;
}

static turbohttp_status tbh_hpack_integer_more(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    while (c->p < c->end) {
        uint8_t byte = *c->p++;
        uint32_t low = byte & 0x7fu;
        if (d->shift > 28 || low > UINT32_MAX >> d->shift) return tbh_hpack_fail(d);
        if (low << d->shift > UINT32_MAX - d->number) return tbh_hpack_fail(d);
        d->number += low << d->shift;
        d->shift = (uint8_t)(d->shift + 7);
        if (byte < 0x80) return TURBOHTTP_OK;
    }
    return TURBOHTTP_PENDING;
}

/* ------------------------------------------------------------ scratch */
static void tbh_hpack_keep(turbohttp_hpack_decoder *d, const uint8_t *p, size_t n) {
    if (n > d->scratch_bytes - d->scratch_used) d->is_too_long = true;
    if (d->is_too_long || n == 0) return;
    memcpy(d->scratch + d->scratch_used, p, n);
    d->scratch_used += n;
}

/* What was put into the scratch from an offset on. */
static turbohttp_span tbh_hpack_kept(const turbohttp_hpack_decoder *d, size_t from) {
    return tbh_span((const char *)d->scratch + from, d->scratch_used - from);
}

/* Moves the name to where nothing can happen to it before its field is complete. */
static void tbh_hpack_keep_name(turbohttp_hpack_decoder *d) {
    size_t from = d->scratch_used;
    tbh_hpack_keep(d, (const uint8_t *)d->name.data, d->name.length);
    d->name = tbh_hpack_kept(d, from);
    d->name_home = TBH_HPACK_HOME_FIXED;
}

/* ------------------------------------------------------------ entries */
/* Text of the ring; in the scratch if it wraps. */
static TBH_NOINLINE turbohttp_span tbh_hpack_wrapped(turbohttp_hpack_decoder *d, uint32_t offset,
                                                     uint32_t n) {
    size_t room = d->table.capacity - offset, from = d->scratch_used;
    tbh_hpack_keep(d, d->table.text + offset, room);
    tbh_hpack_keep(d, d->table.text, n - room);
    return tbh_hpack_kept(d, from);
}

TBH_ALWAYS_INLINE turbohttp_span tbh_hpack_text(turbohttp_hpack_decoder *d, uint32_t offset,
                                                uint32_t n) {
    if (TBH_UNLIKELY(n > d->table.capacity - offset)) return tbh_hpack_wrapped(d, offset, n);
    return tbh_span((const char *)d->table.text + offset, n);
}

/* Looks d->number up: the name, and the value unless that is NULL. False: there is no such entry. */
TBH_ALWAYS_INLINE bool tbh_hpack_find(turbohttp_hpack_decoder *d, turbohttp_span *value) {
    turbohttp_hpack_table *table = &d->table;
    if (d->number - 1 < TBH_HPACK_STATIC) {
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(d->number);
        d->name = tbh_span(row.name, row.name_length);
        d->name_home = TBH_HPACK_HOME_FIXED;
        if (value) *value = tbh_span(row.value, row.value_length);
        return true;
    }
    uint32_t age = d->number - TBH_HPACK_STATIC - 1;
    if (d->number == 0 || age >= table->count) return false;
    turbohttp_hpack_row *row = &table->rows[tbh_hpack_table_row(table, age)];
    d->name = tbh_hpack_text(d, row->offset, row->name_length);
    d->name_home = d->scratch_used ? TBH_HPACK_HOME_FIXED : TBH_HPACK_HOME_TABLE;
    if (!value) return true;
    d->row = row;
    *value = tbh_hpack_text(d, tbh_hpack_table_wrap(table, row->offset + row->name_length),
                            row->value_length);
    return true;
}

/* ------------------------------------------------------------ fields */
/* OK hands a field out, PENDING leaves it out. */
TBH_ALWAYS_INLINE turbohttp_status tbh_hpack_emit(turbohttp_hpack_decoder *d, turbohttp_span value,
                                                  turbohttp_hpack_field *field) {
    size_t size = d->name.length + value.length + TBH_HPACK_OVERHEAD;
    d->state = TBH_HPACK_FIRST;
    if (d->is_too_long || size > d->list_limit - d->list_bytes) d->is_too_large = true;
    if (TBH_UNLIKELY(d->is_too_large)) return TURBOHTTP_PENDING;
    d->list_bytes += size;
    field->name = d->name;
    field->value = value;
    field->never_indexed = d->kind == TBH_HPACK_NEVER;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_hpack_emit_literal(turbohttp_hpack_decoder *d, turbohttp_span value,
                                               turbohttp_hpack_field *field) {
    bool is_indexed = d->kind == TBH_HPACK_INCREMENTAL;
    if (is_indexed && d->name_home == TBH_HPACK_HOME_TABLE) tbh_hpack_keep_name(d);
    if (is_indexed && d->is_too_long) tbh_hpack_table_clear(&d->table);
    else if (is_indexed && tbh_hpack_table_insert(&d->table, d->name, value))
        d->row = &d->table.rows[d->table.newest];
    return tbh_hpack_emit(d, value, field);
}

/* §6.3 and §4.2. */
static turbohttp_status tbh_hpack_update(turbohttp_hpack_decoder *d) {
    if (d->number > d->setting) return tbh_hpack_fail(d);
    if (d->needs_update && d->number > d->update_most) return tbh_hpack_fail(d);
    d->needs_update = false;
    d->state = TBH_HPACK_FIRST;
    tbh_hpack_table_resize(&d->table, d->number);
    return TURBOHTTP_PENDING;
}

/* The index is complete. */
static turbohttp_status tbh_hpack_indexed(turbohttp_hpack_decoder *d,
                                          turbohttp_hpack_field *field) {
    turbohttp_span value;
    if (d->kind == TBH_HPACK_UPDATE) return tbh_hpack_update(d);
    if (d->kind == TBH_HPACK_INDEXED) {
        if (!tbh_hpack_find(d, &value)) return tbh_hpack_fail(d);
        return tbh_hpack_emit(d, value, field);
    }
    d->state = d->number ? TBH_HPACK_VALUE : TBH_HPACK_NAME;
    if (d->number && !tbh_hpack_find(d, NULL)) return tbh_hpack_fail(d);
    return TURBOHTTP_PENDING;
}

typedef struct tbh_hpack_form {
    uint8_t kind, mask;
} tbh_hpack_form;

/* By the high four bits of a field's first byte. */
static tbh_hpack_form tbh_hpack_form_of(uint8_t byte) {
    static const tbh_hpack_form forms[16] = {
        {TBH_HPACK_WITHOUT, 15},     {TBH_HPACK_NEVER, 15},       {TBH_HPACK_UPDATE, 31},
        {TBH_HPACK_UPDATE, 31},      {TBH_HPACK_INCREMENTAL, 63}, {TBH_HPACK_INCREMENTAL, 63},
        {TBH_HPACK_INCREMENTAL, 63}, {TBH_HPACK_INCREMENTAL, 63}, {TBH_HPACK_INDEXED, 127},
        {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},
        {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},    {TBH_HPACK_INDEXED, 127},
        {TBH_HPACK_INDEXED, 127}};
    return forms[byte >> 4];
}

static turbohttp_status tbh_hpack_first(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                        turbohttp_hpack_field *field) {
    uint8_t byte = *c->p++;
    tbh_hpack_form form = tbh_hpack_form_of(byte);
    if (form.kind == TBH_HPACK_UPDATE ? d->has_fields : d->needs_update) return tbh_hpack_fail(d);
    d->kind = form.kind;
    d->has_fields = form.kind != TBH_HPACK_UPDATE;
    d->state = TBH_HPACK_INDEX;
    return tbh_hpack_integer(d, byte, form.mask) ? tbh_hpack_indexed(d, field) : TURBOHTTP_PENDING;
}

/* Before a field. */
static void tbh_hpack_clear(turbohttp_hpack_decoder *d) {
    d->scratch_most = tbh_max_size(d->scratch_most, d->scratch_used);
    d->scratch_used = 0;
    d->is_too_long = false;
    d->row = NULL;
}

/* ------------------------------------------------------------ strings (§5.2) */
/* Some of d->number bytes of a plain string. */
static void tbh_hpack_plain_part(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    size_t n = tbh_min_size(d->number, (size_t)(c->end - c->p));
    tbh_hpack_keep(d, c->p, n);
    c->p += n;
    d->number -= (uint32_t)n;
}

/* The same of a Huffman string; false when it is malformed. Of a string that is too long, what does
 * not fit is not looked at. */
static bool tbh_hpack_huffman_part(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    size_t n = tbh_min_size(d->number, (size_t)(c->end - c->p));
    const uint8_t *in = c->p, *end = c->p + n;
    uint8_t *out = d->scratch + d->scratch_used;
    tbh_huffman h;
    c->p = end;
    d->number -= (uint32_t)n;
    if (d->is_too_long) return true;
    h.bits = d->huffman_bits;
    h.count = d->huffman_count;
    tbh_huffman_result result =
        tbh_huffman_decode(&h, &in, end, &out, d->scratch + d->scratch_bytes);
    d->huffman_bits = h.bits;
    d->huffman_count = h.count;
    d->scratch_used = (size_t)(out - d->scratch);
    d->is_too_long = result == TBH_HUFFMAN_FULL;
    if (result == TBH_HUFFMAN_BAD) return false;
    return d->is_too_long || d->number || tbh_huffman_is_end(&h);
}

/* A string that is whole in the input and needs no care about room. */
static bool tbh_hpack_whole(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c, turbohttp_span *text,
                            turbohttp_status *status) {
    size_t n = d->number;
    if (d->is_partial || n > (size_t)(c->end - c->p)) return false;
    *status = TURBOHTTP_OK;
    if (!d->is_huffman) {
        *text = tbh_span((const char *)c->p, n);
        c->p += n;
        return true;
    }
#if TBH_SMALL
    return false;
#else
    uint8_t *out = d->scratch + d->scratch_used;
    if (TBH_HUFFMAN_ROOM(n) + 2 > d->scratch_bytes - d->scratch_used) return false;
    uint8_t *end = tbh_huffman_decode_whole(c->p, n, out);
    c->p += n;
    if (!end) *status = tbh_hpack_fail(d);
    if (!end) return true;
    *text = tbh_span((const char *)out, (size_t)(end - out));
    d->scratch_used = (size_t)(end - d->scratch);
    return true;
#endif
}

/* Any string, as much of it as there is. */
static turbohttp_status tbh_hpack_part(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                       turbohttp_span *text) {
    if (!d->is_partial) {
        if (d->name_home == TBH_HPACK_HOME_INPUT) tbh_hpack_keep_name(d);
        d->string_at = d->scratch_used;
        d->is_partial = true;
        d->huffman_bits = d->huffman_count = 0;
    }
    if (!d->is_huffman) tbh_hpack_plain_part(d, c);
    else if (!tbh_hpack_huffman_part(d, c)) return tbh_hpack_fail(d);
    if (d->number) return TURBOHTTP_PENDING;
    *text = tbh_hpack_kept(d, d->string_at);
    return TURBOHTTP_OK;
}

/* OK when the string is complete. */
static turbohttp_status tbh_hpack_string(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                         turbohttp_span *text) {
    turbohttp_status status;
    if (tbh_hpack_whole(d, c, text, &status)) return status;
    return tbh_hpack_part(d, c, text);
}

/* The string's length: states NAME and NAME_SIZE, or VALUE and VALUE_SIZE. Moves on to its text. */
static turbohttp_status tbh_hpack_length(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                         uint8_t first) {
    turbohttp_status status = TURBOHTTP_OK;
    if (c->p == c->end) return TURBOHTTP_PENDING;
    if (d->state == first) {
        uint8_t byte = *c->p++;
        d->is_huffman = byte >= 0x80;
        d->is_partial = false;
        d->state = (uint8_t)(first + 2);
        if (tbh_hpack_integer(d, byte, 127)) return TURBOHTTP_OK;
        d->state = (uint8_t)(first + 1);
    }
    status = tbh_hpack_integer_more(d, c);
    if (status == TURBOHTTP_OK) d->state = (uint8_t)(first + 2);
    return status;
}

static turbohttp_status tbh_hpack_name(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c) {
    turbohttp_status status = TURBOHTTP_OK;
    if (d->state < TBH_HPACK_NAME_TEXT) status = tbh_hpack_length(d, c, TBH_HPACK_NAME);
    if (status != TURBOHTTP_OK) return status;
    d->name_home = TBH_HPACK_HOME_FIXED;
    status = tbh_hpack_string(d, c, &d->name);
    if (status != TURBOHTTP_OK) return status;
    if (!d->is_huffman && !d->is_partial) d->name_home = TBH_HPACK_HOME_INPUT;
    d->state = TBH_HPACK_VALUE;
    return TURBOHTTP_OK;
}

static turbohttp_status tbh_hpack_value(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                        turbohttp_hpack_field *field) {
    turbohttp_span value;
    turbohttp_status status = TURBOHTTP_OK;
    if (d->state < TBH_HPACK_VALUE_TEXT) status = tbh_hpack_length(d, c, TBH_HPACK_VALUE);
    if (status != TURBOHTTP_OK) return status;
    status = tbh_hpack_string(d, c, &value);
    return status == TURBOHTTP_OK ? tbh_hpack_emit_literal(d, value, field) : status;
}

/* ------------------------------------------------------------ blocks */
/* Takes some input. OK: a field; PENDING: none yet. */
static turbohttp_status tbh_hpack_step(turbohttp_hpack_decoder *d, tbh_hpack_cursor *c,
                                       turbohttp_hpack_field *field) {
    turbohttp_status status = TURBOHTTP_PENDING;
    if (d->state == TBH_HPACK_FAILED) return TURBOHTTP_ERR_HPACK;
    if (d->state == TBH_HPACK_FIRST) {
        tbh_hpack_clear(d);
        status = tbh_hpack_first(d, c, field);
        if (status != TURBOHTTP_PENDING || d->state == TBH_HPACK_FIRST) return status;
    }
    if (d->state == TBH_HPACK_INDEX) {
        status = tbh_hpack_integer_more(d, c);
        if (status != TURBOHTTP_OK) return status;
        status = tbh_hpack_indexed(d, field);
        if (status != TURBOHTTP_PENDING || d->state == TBH_HPACK_FIRST) return status;
    }
    if (d->state < TBH_HPACK_VALUE) {
        status = tbh_hpack_name(d, c);
        if (status != TURBOHTTP_OK) return status;
    }
    return tbh_hpack_value(d, c, field);
}

static TBH_NOINLINE turbohttp_status tbh_hpack_decode_any(turbohttp_hpack_decoder *decoder,
                                                          const uint8_t **in, size_t *in_length,
                                                          turbohttp_hpack_field *field) {
    tbh_hpack_cursor c;
    turbohttp_status status = TURBOHTTP_PENDING;
    if (decoder->state == TBH_HPACK_FAILED) return TURBOHTTP_ERR_HPACK;
    c.p = *in;
    c.end = c.p + *in_length;
    while (status == TURBOHTTP_PENDING && c.p < c.end) status = tbh_hpack_step(decoder, &c, field);
    *in = c.p;
    *in_length = (size_t)(c.end - c.p);
    if (status != TURBOHTTP_PENDING) return status;
    bool has_name = decoder->state >= TBH_HPACK_VALUE && decoder->state <= TBH_HPACK_VALUE_TEXT;
    if (has_name && decoder->name_home == TBH_HPACK_HOME_INPUT) tbh_hpack_keep_name(decoder);
    return decoder->is_too_large ? TURBOHTTP_ERR_HEAD_TOO_LARGE : TURBOHTTP_PENDING;
}

/* Most fields are an index of one byte, of an entry that does not wrap. */
TBH_ALWAYS_INLINE bool tbh_hpack_find_short(turbohttp_hpack_decoder *d, uint32_t index,
                                            turbohttp_hpack_field *field) {
    if (index <= TBH_HPACK_STATIC) {
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(index);
        d->row = NULL;
        field->name = tbh_span(row.name, row.name_length);
        field->value = tbh_span(row.value, row.value_length);
        return index != 0;
    }
    uint32_t age = index - TBH_HPACK_STATIC - 1;
    if (age >= d->table.count) return false;
    turbohttp_hpack_row *row = &d->table.rows[tbh_hpack_table_row(&d->table, age)];
    const char *text = (const char *)d->table.text + row->offset;
    if (row->name_length + row->value_length > d->table.capacity - row->offset) return false;
    d->row = row;
    field->name = tbh_span(text, row->name_length);
    field->value = tbh_span(text + row->name_length, row->value_length);
    return true;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_decode(turbohttp_hpack_decoder *decoder,
                                                      const uint8_t **in, size_t *in_length,
                                                      turbohttp_hpack_field *field) {
    turbohttp_hpack_decoder *d = decoder;
    if (TBH_SMALL) return tbh_hpack_decode_any(d, in, in_length, field);
    bool is_between = d->state == TBH_HPACK_FIRST && !d->is_too_large;
    if (*in_length == 0 && is_between) return TURBOHTTP_PENDING;
    uint8_t byte = *in_length ? **in : 0;
    if (!is_between || byte < 0x80 || byte == 0xff || d->needs_update ||
        !tbh_hpack_find_short(d, byte & 0x7fu, field))
        return tbh_hpack_decode_any(d, in, in_length, field);
    size_t size = field->name.length + field->value.length + TBH_HPACK_OVERHEAD;
    if (TBH_UNLIKELY(size > d->list_limit - d->list_bytes))
        return tbh_hpack_decode_any(d, in, in_length, field);
    d->list_bytes += size;
    d->has_fields = true;
    field->never_indexed = false;
    ++*in;
    --*in_length;
    return TURBOHTTP_OK;
}
