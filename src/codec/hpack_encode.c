/* HPACK encoder: one field at a time, to a writer (RFC 7541 §2, §6).
 *
 * Owns nothing; the table is the caller's. Entries are found through chains, one for each bucket of
 * name hashes, from the newest entry to the oldest. Entries are numbered, and a link to one that has
 * left the table ends its chain, so leaving costs nothing. Where size comes first each is looked at.
 * Invariants: room for the whole field is there before anything changes; table and announced sizes
 * are what the peer's decoder will have after reading what was written.
 * Does not know: frames, which fields a message needs, whether they are allowed. */
#include "hpack_huffman.h"
#include "hpack_table.h"

enum { /* first bits of a field, and the index that fits beside them (RFC 7541 §6) */
       TBH_HPACK_BITS_INDEXED = 0x80,
       TBH_HPACK_BITS_INCREMENTAL = 0x40,
       TBH_HPACK_BITS_UPDATE = 0x20,
       TBH_HPACK_BITS_NEVER = 0x10,
       TBH_HPACK_BITS_WITHOUT = 0x00
};

enum { TBH_HPACK_INTEGER_BYTES = 6, TBH_HPACK_SHORT_SECRET = 20 };

/* Two updates, an index, two lengths, and what Huffman may overwrite. */
#define TBH_HPACK_FIELD_EXTRA (5 * TBH_HPACK_INTEGER_BYTES + 8)

/* ------------------------------------------------------------ life */
TURBOHTTP_API turbohttp_status turbohttp_hpack_encoder_init(turbohttp_hpack_encoder *encoder,
                                                            void *memory, size_t memory_bytes,
                                                            uint32_t table_bytes) {
    uint8_t *from = (uint8_t *)memory;
    memset(encoder, 0, sizeof *encoder);
    if (table_bytes > 1u << 30 || memory_bytes < TURBOHTTP_HPACK_ENCODER_BYTES(table_bytes))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (table_bytes) {
        if (!from) return TURBOHTTP_ERR_INVALID_ARGUMENT;
        size_t link_bytes = table_bytes / TBH_HPACK_OVERHEAD * sizeof(turbohttp_hpack_link);
        encoder->links = (turbohttp_hpack_link *)memory;
        from += link_bytes;
        memory_bytes -= link_bytes;
    }
    if (!tbh_hpack_table_init(&encoder->table, &from, &memory_bytes, table_bytes))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    encoder->announced = encoder->smallest = TBH_HPACK_DEFAULT_SIZE;
    return TURBOHTTP_OK;
}

/* A table that is smaller than the peer's needs no words: indices count from the newest entry. */
TURBOHTTP_API void turbohttp_hpack_encoder_resize(turbohttp_hpack_encoder *encoder,
                                                  uint32_t setting) {
    turbohttp_hpack_table *table = &encoder->table;
    if (setting < encoder->smallest) encoder->smallest = setting;
    tbh_hpack_table_resize(table, setting < table->capacity ? setting : table->capacity);
}

/* ------------------------------------------------------------ primitives (RFC 7541 §5) */
static uint8_t *tbh_hpack_put_integer(uint8_t *out, uint8_t bits, uint8_t mask, uint32_t n) {
    if (n < mask) {
        *out++ = (uint8_t)(bits | n);
        return out;
    }
    *out++ = bits | mask;
    for (n -= mask; n >= 0x80; n >>= 7) *out++ = (uint8_t)(n | 0x80);
    *out++ = (uint8_t)n;
    return out;
}

/* Huffman where that is shorter; its length is known only afterwards, and is guessed to need one
 * byte less than the plain one's. */
static uint8_t *tbh_hpack_put_string(uint8_t *out, turbohttp_span text) {
    const uint8_t *in = (const uint8_t *)text.data;
    uint32_t plain = (uint32_t)text.length;
    size_t n = tbh_huffman_encode(out + 1, in, plain);
    if (n == 0) {
        out = tbh_hpack_put_integer(out, 0, 127, plain);
        if (plain) memcpy(out, in, plain);
        return out + plain;
    }
    uint8_t prefix[TBH_HPACK_INTEGER_BYTES];
    size_t length = (size_t)(tbh_hpack_put_integer(prefix, 0x80, 127, (uint32_t)n) - prefix);
    if (length > 1) memmove(out + length, out + 1, n);
    memcpy(out, prefix, length);
    return out + length + n;
}

/* §4.2: first the smallest setting since the last block, if it was below the size the peer knows,
 * then the size in use. */
static uint8_t *tbh_hpack_put_updates(turbohttp_hpack_encoder *e, uint8_t *out) {
    uint32_t limit = e->table.limit;
    if (e->smallest == e->announced && limit <= e->announced) return out; /* nothing to say */
    if (e->smallest < e->announced && e->smallest < limit)
        out = tbh_hpack_put_integer(out, TBH_HPACK_BITS_UPDATE, 31, e->smallest);
    if (e->smallest < e->announced || limit > e->announced) {
        out = tbh_hpack_put_integer(out, TBH_HPACK_BITS_UPDATE, 31, limit);
        e->announced = limit;
    }
    e->smallest = e->announced;
    return out;
}

/* ------------------------------------------------------------ what may be indexed */
/* The form of a literal. Secrets are never indexed, by anybody; values that hardly come twice
 * would only push others out. `name` is a static index or 0. */
static uint8_t tbh_hpack_choose(const turbohttp_hpack_encoder *e,
                                const turbohttp_hpack_field *field, uint32_t name) {
    enum {
        PATH = 4,
        AGE = 21,
        AUTHORIZATION = 23,
        CONTENT_LENGTH = 28,
        COOKIE = 32,
        ETAG = 34,
        IF_MODIFIED_SINCE = 40,
        IF_NONE_MATCH = 41,
        LOCATION = 46,
        PROXY_AUTHORIZATION = 49,
        SET_COOKIE = 55
    };
    if (field->never_indexed) return TBH_HPACK_BITS_NEVER;
    switch (name) {
    case COOKIE:
        if (field->value.length < TBH_HPACK_SHORT_SECRET) return TBH_HPACK_BITS_NEVER;
        break;
    case AUTHORIZATION:
    case PROXY_AUTHORIZATION:
    case SET_COOKIE: return TBH_HPACK_BITS_NEVER;
    case PATH:
    case AGE:
    case CONTENT_LENGTH:
    case ETAG:
    case IF_MODIFIED_SINCE:
    case IF_NONE_MATCH:
    case LOCATION: return TBH_HPACK_BITS_WITHOUT;
    default: break;
    }
    size_t size = field->name.length + field->value.length + TBH_HPACK_OVERHEAD;
    return size > e->table.limit * 3 / 4 ? TBH_HPACK_BITS_WITHOUT : TBH_HPACK_BITS_INCREMENTAL;
}

/* ------------------------------------------------------------ finding */
/* All bytes, the last ones perhaps twice. */
static uint32_t tbh_hpack_hash(turbohttp_span text) {
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    const char *p = text.data;
    size_t n = text.length;
    uint64_t h = n * odd;
    if (n >= 8) {
        for (; n > 8; p += 8, n -= tbh_min_size(n - 8, 8)) h = (h ^ tbh_load64(p)) * odd;
        h ^= tbh_load64(text.data + text.length - 8);
    } else if (n >= 4) {
        h ^= tbh_load32(p) | (uint64_t)tbh_load32(p + n - 4) << 32;
    } else if (n) {
        h ^= (uint8_t)p[0] | (uint32_t)(uint8_t)p[n / 2] << 8 | (uint32_t)(uint8_t)p[n - 1] << 16;
    }
    h *= odd;
    return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 47);
}

typedef struct tbh_hpack_match {
    uint32_t name;  /* an index with that name, or 0 */
    uint32_t field; /* an index with that name and value, or 0 */
} tbh_hpack_match;

static bool tbh_hpack_equal(turbohttp_span text, const char *p, size_t n) {
    return text.length == n && (n == 0 || memcmp(text.data, p, n) == 0);
}

/* `name` is the field's static index, or 0. */
static void tbh_hpack_match_static(const turbohttp_hpack_field *field, uint32_t name,
                                   tbh_hpack_match *match) {
    uint32_t index = match->name = name;
    if (index == 0) return;
    for (uint32_t left = 1; left > 0; index++) { /* at most seven */
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(index);
        left = row.left - 1u;
        if (!tbh_hpack_equal(field->value, row.value, row.value_length)) continue;
        match->field = index;
        return;
    }
}

/* The age of entry `number`; at least the count when it has left. */
static uint32_t tbh_hpack_age(const turbohttp_hpack_encoder *e, uint32_t number) {
    return e->inserted - number;
}

static bool tbh_hpack_same_value(const turbohttp_hpack_table *table, const turbohttp_hpack_row *row,
                                 turbohttp_span value) {
    uint32_t at = tbh_hpack_table_wrap(table, row->offset + row->name_length);
    return row->value_length == value.length && tbh_hpack_table_equals(table, at, value);
}

/* The first entry to look at, by age, and the one behind it in the chain. */
static uint32_t tbh_hpack_chain(const turbohttp_hpack_encoder *e,
                                const turbohttp_hpack_link *link) {
    if (TBH_SMALL) return 0;
    return tbh_hpack_age(e, e->buckets[link->name_hash % TURBOHTTP_HPACK_BUCKETS]);
}

static uint32_t tbh_hpack_following(const turbohttp_hpack_encoder *e, uint32_t age, uint32_t at) {
    return TBH_SMALL ? age + 1 : tbh_hpack_age(e, e->links[at].older);
}

/* Walks the chain of the name. `link` has the hashes of the field. */
static void tbh_hpack_match_dynamic(const turbohttp_hpack_encoder *e,
                                    const turbohttp_hpack_field *field,
                                    const turbohttp_hpack_link *link, tbh_hpack_match *match) {
    const turbohttp_hpack_table *table = &e->table;
    uint32_t age = tbh_hpack_chain(e, link);
    for (uint32_t next = 0; age < table->count && age >= next;) { /* ends: it grows */
        uint32_t at = tbh_hpack_table_row(table, age), index = TBH_HPACK_STATIC + 1 + age;
        next = age + 1;
        const turbohttp_hpack_row *row = &table->rows[at];
        const turbohttp_hpack_link *found = &e->links[at];
        age = tbh_hpack_following(e, age, at);
        if (!TBH_SMALL && found->name_hash != link->name_hash) continue;
        if (row->name_length != field->name.length) continue;
        bool is_value = (TBH_SMALL || found->value_hash == link->value_hash) &&
                        tbh_hpack_same_value(table, row, field->value);
        if (!is_value && match->name) continue;
        if (!tbh_hpack_table_equals(table, row->offset, field->name)) continue;
        if (match->name == 0) match->name = index;
        if (is_value) match->field = index;
        if (is_value) return;
    }
}

static void tbh_hpack_remember(turbohttp_hpack_encoder *e, const turbohttp_hpack_field *field,
                               turbohttp_hpack_link *link) {
    if (!tbh_hpack_table_insert(&e->table, field->name, field->value)) return;
    e->inserted++;
    if (TBH_SMALL) return;
    uint32_t *bucket = &e->buckets[link->name_hash % TURBOHTTP_HPACK_BUCKETS];
    link->older = *bucket;
    *bucket = e->inserted;
    e->links[e->table.newest] = *link;
}

/* ------------------------------------------------------------ fields */
/* A static name is not looked for in the dynamic table, only the whole field is: so its entries are
 * spread over the buckets by value. */
static void tbh_hpack_link_of(const turbohttp_hpack_field *field, uint32_t name,
                              turbohttp_hpack_link *link) {
    if (TBH_SMALL) return;
    link->value_hash = tbh_hpack_hash(field->value);
    link->name_hash = name ? link->value_hash + name : tbh_hpack_hash(field->name);
    link->older = 0;
}

static uint8_t *tbh_hpack_put_literal(uint8_t *out, const turbohttp_hpack_field *field,
                                      uint8_t bits, uint32_t name) {
    uint8_t mask = bits == TBH_HPACK_BITS_INCREMENTAL ? 63 : 15;
    out = tbh_hpack_put_integer(out, bits, mask, name);
    if (name == 0) out = tbh_hpack_put_string(out, field->name);
    return tbh_hpack_put_string(out, field->value);
}

static uint8_t *tbh_hpack_put_field(turbohttp_hpack_encoder *e, uint8_t *out,
                                    const turbohttp_hpack_field *field, uint32_t name) {
    tbh_hpack_match match = {0, 0};
    turbohttp_hpack_link link = {0, 0, 0};
    tbh_hpack_match_static(field, name, &match);
    uint8_t bits = tbh_hpack_choose(e, field, match.name);
    bool is_indexed = bits == TBH_HPACK_BITS_INCREMENTAL;
    if (bits == TBH_HPACK_BITS_NEVER) match.field = 0;
    if (!match.field && (is_indexed || !match.name)) {
        tbh_hpack_link_of(field, match.name, &link);
        tbh_hpack_match_dynamic(e, field, &link, &match);
        if (bits == TBH_HPACK_BITS_NEVER) match.field = 0;
    }
    if (match.field) return tbh_hpack_put_integer(out, TBH_HPACK_BITS_INDEXED, 127, match.field);
    out = tbh_hpack_put_literal(out, field, bits, match.name);
    if (is_indexed) tbh_hpack_remember(e, field, &link);
    return out;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_encode_begin(turbohttp_hpack_encoder *encoder,
                                                            turbohttp_writer *writer) {
    char *start;
    turbohttp_status status = turbohttp_writer_reserve(writer, TBH_HPACK_FIELD_EXTRA, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = tbh_hpack_put_updates(encoder, (uint8_t *)start);
    return turbohttp_writer_commit(writer, (size_t)(out - (uint8_t *)start));
}

TBH_FN turbohttp_status tbh_hpack_encode_named(turbohttp_hpack_encoder *encoder,
                                               const turbohttp_hpack_field *field, uint32_t name,
                                               turbohttp_writer *writer) {
    char *start;
    if (field->name.length > 1u << 30 || field->value.length > 1u << 30)
        return TURBOHTTP_ERR_OVERFLOW;
    size_t most = field->name.length + field->value.length + TBH_HPACK_FIELD_EXTRA;
    turbohttp_status status = turbohttp_writer_reserve(writer, most, &start);
    if (status != TURBOHTTP_OK) return status;
    uint8_t *out = tbh_hpack_put_updates(encoder, (uint8_t *)start);
    out = tbh_hpack_put_field(encoder, out, field, name);
    writer->length += (size_t)(out - (uint8_t *)start);
    return TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_hpack_encode(turbohttp_hpack_encoder *encoder,
                                                      const turbohttp_hpack_field *field,
                                                      turbohttp_writer *writer) {
    return tbh_hpack_encode_named(encoder, field, tbh_hpack_static_find(field->name), writer);
}
