/* HTTP/2 fields: what a head or trailer section may contain (RFC 9113 §8.2, §8.3; S-42, S-48).
 *
 * Owns nothing. What HTTP/1.1 would read as two lines, or as framing, never passes.
 * What is known about an entry of the peer's table stays with it, for it is said again and again.
 * Input language: §8.2.1 with the grammar of RFC 9110 §5: names are tokens without upper case.
 * Does not know: what other fields mean, sizes, the states of streams. */
#include "h2_field.h"
#include "header_id.h"

enum { /* pseudo-headers, as bits */
       TBH_H2_STATUS = 1,
       TBH_H2_METHOD = 2,
       TBH_H2_SCHEME = 4,
       TBH_H2_PATH = 8,
       TBH_H2_AUTHORITY = 16,
       TBH_H2_PROTOCOL = 32 /* RFC 8441 */
};

typedef struct tbh_h2_pseudo {
    const char *name;
    uint8_t length, bit, section;
} tbh_h2_pseudo;

static const tbh_h2_pseudo tbh_h2_pseudos[] = {
    {":status", 7, TBH_H2_STATUS, TURBOHTTP_H2_RESPONSE},
    {":method", 7, TBH_H2_METHOD, TURBOHTTP_H2_REQUEST},
    {":scheme", 7, TBH_H2_SCHEME, TURBOHTTP_H2_REQUEST},
    {":path", 5, TBH_H2_PATH, TURBOHTTP_H2_REQUEST},
    {":authority", 10, TBH_H2_AUTHORITY, TURBOHTTP_H2_REQUEST},
    {":protocol", 9, TBH_H2_PROTOCOL, TURBOHTTP_H2_REQUEST},
};

static bool tbh_h2_equals(turbohttp_span text, const char *word, size_t n) {
    return text.length == n && memcmp(text.data, word, n) == 0;
}

static bool tbh_h2_is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool tbh_h2_is_value(turbohttp_span value) {
    if (!tbh_is_field_value(value.data, value.length)) return false;
    if (value.length == 0) return true;
    return !tbh_h2_is_blank(value.data[0]) && !tbh_h2_is_blank(value.data[value.length - 1]);
}

static bool tbh_h2_is_name(turbohttp_span name) {
    for (size_t i = 0; i < name.length; i++)
        if ((uint8_t)(name.data[i] - 'A') < 26) return false;
    return tbh_is_token(name.data, name.length);
}

/* Three digits; 101 does not exist here (§8.6). */
static bool tbh_h2_read_status(turbohttp_span value, uint16_t *status) {
    unsigned n = 0;
    if (value.length != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        unsigned digit = (uint8_t)value.data[i] - (unsigned)'0';
        if (digit > 9) return false;
        n = n * 10 + digit;
    }
    *status = (uint16_t)n;
    return n >= 100 && n != 101;
}

/* §8.3: known, in its section, once, before all others. */
static bool tbh_h2_check_pseudo(turbohttp_h2_fields *f, const turbohttp_hpack_field *field) {
    const tbh_h2_pseudo *row = tbh_h2_pseudos;
    const tbh_h2_pseudo *end = row + sizeof tbh_h2_pseudos / sizeof *row;
    while (row < end && !tbh_h2_equals(field->name, row->name, row->length)) row++;
    if (row == end || row->section != (uint8_t)f->section) return false;
    if (f->has_regular || (f->pseudo & row->bit)) return false;
    f->pseudo = (uint8_t)(f->pseudo | row->bit);
    if (row->bit == TBH_H2_STATUS) return tbh_h2_read_status(field->value, &f->status);
    if (!tbh_h2_is_value(field->value)) return false;
    if (row->bit == TBH_H2_METHOD) f->is_connect = tbh_h2_equals(field->value, "CONNECT", 7);
    if (row->bit == TBH_H2_METHOD) return tbh_is_token(field->value.data, field->value.length);
    return row->bit == TBH_H2_AUTHORITY || field->value.length > 0;
}

/* §8.2.2: fields that speak about a connection of HTTP/1.1. */
static bool tbh_h2_check_regular(const turbohttp_hpack_field *field, uint16_t *id) {
    turbohttp_span name = field->name;
    *id = tbh_header_id_lower(name.data, name.length);
    if (!*id) return tbh_h2_is_name(name);
    switch (*id) {
    case TURBOHTTP_HEADER_CONNECTION:
    case TURBOHTTP_HEADER_PROXY_CONNECTION:
    case TURBOHTTP_HEADER_KEEP_ALIVE:
    case TURBOHTTP_HEADER_TRANSFER_ENCODING:
    case TURBOHTTP_HEADER_UPGRADE: return false;
    case TURBOHTTP_HEADER_TE: return tbh_span_equal_nocase(field->value, "trailers");
    default: return true;
    }
}

TURBOHTTP_API void turbohttp_h2_fields_init(turbohttp_h2_fields *fields,
                                            turbohttp_h2_section section) {
    memset(fields, 0, sizeof *fields);
    fields->section = section;
}

TBH_FN turbohttp_status tbh_h2_fields_check_new(turbohttp_h2_fields *f,
                                                const turbohttp_hpack_field *field,
                                                turbohttp_hpack_row *row, uint32_t *note) {
    bool is_pseudo = field->name.length && field->name.data[0] == ':';
    uint16_t id;
    *note = 0;
    if (is_pseudo) return tbh_h2_check_pseudo(f, field) ? TURBOHTTP_OK : TURBOHTTP_ERR_H2_FIELD;
    f->has_regular = true;
    if (!tbh_h2_is_value(field->value) || !tbh_h2_check_regular(field, &id))
        return TURBOHTTP_ERR_H2_FIELD;
    *note = TBH_H2_NOTE_GOOD | id;
    if (!TBH_SMALL && row) row->note = *note |= tbh_hpack_static_find(field->name) << 16;
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_h2_fields_check(turbohttp_h2_fields *fields,
                                                         const turbohttp_hpack_field *field) {
    uint32_t note;
    return tbh_h2_fields_check_new(fields, field, NULL, &note);
}

/* §8.3.1, §8.3.2, §8.5; extended CONNECT (RFC 8441 §4) has all of them. */
TURBOHTTP_API turbohttp_status turbohttp_h2_fields_end(const turbohttp_h2_fields *fields) {
    unsigned all = TBH_H2_METHOD | TBH_H2_SCHEME | TBH_H2_PATH, seen = fields->pseudo;
    bool is_good = true;
    if (fields->section == TURBOHTTP_H2_RESPONSE) is_good = seen == TBH_H2_STATUS;
    if (fields->section == TURBOHTTP_H2_REQUEST) {
        is_good = (seen & all) == all && (!(seen & TBH_H2_PROTOCOL) || fields->is_connect);
        if (fields->is_connect && !(seen & TBH_H2_PROTOCOL))
            is_good = seen == (TBH_H2_METHOD | TBH_H2_AUTHORITY);
    }
    return is_good ? TURBOHTTP_OK : TURBOHTTP_ERR_H2_FIELD;
}
