/* HPACK tables: 61 fixed entries, and a ring of those that a connection has taught.
 *
 * Owns nothing: rows and text lie in the caller's memory. Invariants: used = text of all entries +
 * 32 for each ≤ limit ≤ capacity, so capacity bytes of text and capacity / 32 rows are always
 * enough, and any piece of text may wrap at the ring's end.
 * Does not know: the wire, limits on lists, what is secret. */
#include "hpack_table.h"

/* ------------------------------------------------------------ static */
/* clang-format off */
/* Rows with the same name from this one on, name, value. */
#define TBH_HPACK_STATIC_ROWS(X) \
    X(1, ":authority", "") X(2, ":method", "GET") X(1, ":method", "POST") X(2, ":path", "/") \
    X(1, ":path", "/index.html") X(2, ":scheme", "http") X(1, ":scheme", "https") \
    X(7, ":status", "200") X(6, ":status", "204") X(5, ":status", "206") X(4, ":status", "304") \
    X(3, ":status", "400") X(2, ":status", "404") X(1, ":status", "500") \
    X(1, "accept-charset", "") X(1, "accept-encoding", "gzip, deflate") \
    X(1, "accept-language", "") X(1, "accept-ranges", "") X(1, "accept", "") \
    X(1, "access-control-allow-origin", "") X(1, "age", "") X(1, "allow", "") \
    X(1, "authorization", "") X(1, "cache-control", "") X(1, "content-disposition", "") \
    X(1, "content-encoding", "") X(1, "content-language", "") X(1, "content-length", "") \
    X(1, "content-location", "") X(1, "content-range", "") X(1, "content-type", "") \
    X(1, "cookie", "") X(1, "date", "") X(1, "etag", "") X(1, "expect", "") X(1, "expires", "") \
    X(1, "from", "") X(1, "host", "") X(1, "if-match", "") X(1, "if-modified-since", "") \
    X(1, "if-none-match", "") X(1, "if-range", "") X(1, "if-unmodified-since", "") \
    X(1, "last-modified", "") X(1, "link", "") X(1, "location", "") X(1, "max-forwards", "") \
    X(1, "proxy-authenticate", "") X(1, "proxy-authorization", "") X(1, "range", "") \
    X(1, "referer", "") X(1, "refresh", "") X(1, "retry-after", "") X(1, "server", "") \
    X(1, "set-cookie", "") X(1, "strict-transport-security", "") X(1, "transfer-encoding", "") \
    X(1, "user-agent", "") X(1, "vary", "") X(1, "via", "") X(1, "www-authenticate", "")

#if TBH_SMALL
#define TBH_HPACK_TEXT(left, name, value)    name "\0" value
#define TBH_HPACK_LENGTHS(left, name, value) {sizeof(name) - 1, (left) << 4 | (sizeof(value) - 1)},

/* One behind the other; a walk along the lengths finds them. */
static const char tbh_hpack_static[] = TBH_HPACK_STATIC_ROWS(TBH_HPACK_TEXT);

static const uint8_t tbh_hpack_lengths[TBH_HPACK_STATIC][2] = {
    TBH_HPACK_STATIC_ROWS(TBH_HPACK_LENGTHS)
};
#else
#define TBH_HPACK_ROW(left, name, value) {name, value, sizeof(name) - 1, sizeof(value) - 1, left},

static const tbh_hpack_static_row tbh_hpack_static[TBH_HPACK_STATIC + 1] = {
    {"", "", 0, 0, 1}, TBH_HPACK_STATIC_ROWS(TBH_HPACK_ROW)
};

/* A perfect hash of the length and of the first, middle and last character. */
#define TBH_HPACK_HASH 1065425835u
static const uint8_t tbh_hpack_slots[128] = {
    38, 50, 0, 0, 0, 0, 0, 61, 0, 0, 0, 25, 43, 55, 36, 0, 1, 0, 0, 16, 58, 0, 48, 0, 0, 0, 0,
    51, 42, 0, 0, 0, 0, 44, 40, 0, 0, 0, 0, 0, 26, 0, 0, 0, 0, 0, 54, 2, 0, 0, 0, 0, 8, 0, 6, 0,
    32, 0, 20, 17, 0, 0, 0, 0, 45, 59, 0, 46, 35, 19, 39, 0, 0, 0, 0, 23, 0, 29, 0, 0, 27, 0,
    53, 0, 30, 0, 0, 0, 52, 0, 0, 60, 0, 22, 37, 0, 0, 0, 0, 34, 56, 0, 0, 0, 49, 0, 0, 24, 28,
    0, 0, 18, 15, 4, 33, 0, 41, 0, 21, 0, 0, 0, 57, 0, 0, 47, 31, 0
};
#endif
/* clang-format on */

#if TBH_SMALL
TBH_FN tbh_hpack_static_row tbh_hpack_static_row_at(uint32_t index) {
    tbh_hpack_static_row row;
    const uint8_t *lengths = tbh_hpack_lengths[0];
    row.name = tbh_hpack_static;
    for (; index > 1; index--, lengths += 2) row.name += lengths[0] + 1 + (lengths[1] & 15);
    row.value = row.name + lengths[0] + 1;
    row.name_length = lengths[0];
    row.value_length = lengths[1] & 15;
    row.left = lengths[1] >> 4;
    return row;
}

TBH_FN uint32_t tbh_hpack_static_find(turbohttp_span name) {
    const char *at = tbh_hpack_static;
    for (uint32_t i = 0; i < TBH_HPACK_STATIC; i++) {
        const uint8_t *lengths = tbh_hpack_lengths[i];
        if (lengths[0] == name.length && memcmp(at, name.data, name.length) == 0) return i + 1;
        at += lengths[0] + 1 + (lengths[1] & 15);
    }
    return 0;
}
#else
TBH_FN tbh_hpack_static_row tbh_hpack_static_row_at(uint32_t index) {
    return tbh_hpack_static[index];
}

TBH_FN uint32_t tbh_hpack_static_find(turbohttp_span name) {
    const uint8_t *p = (const uint8_t *)name.data;
    size_t n = name.length;
    if (n == 0) return 0;
    uint32_t key = p[0] | (uint32_t)p[n / 2] << 8 | (uint32_t)p[n - 1] << 16 | (uint32_t)n << 24;
    uint32_t index = tbh_hpack_slots[key * TBH_HPACK_HASH >> 25];
    const tbh_hpack_static_row *row = &tbh_hpack_static[index];
    return row->name_length == n && memcmp(row->name, p, n) == 0 ? index : 0;
}
#endif

/* ------------------------------------------------------------ dynamic */
TBH_FN bool tbh_hpack_table_init(turbohttp_hpack_table *table, uint8_t **memory, size_t *bytes,
                                 uint32_t capacity) {
    memset(table, 0, sizeof *table);
    if (capacity == 0) return true;
    size_t needed = TURBOHTTP_HPACK_DECODER_BYTES(capacity);
    if (capacity > 1u << 30 || !*memory || *bytes < needed) return false;
    if ((uintptr_t)*memory % sizeof(uint32_t) != 0) return false;
    table->row_capacity = capacity / TBH_HPACK_OVERHEAD;
    table->rows = (turbohttp_hpack_row *)(void *)*memory;
    table->text = *memory + table->row_capacity * sizeof(turbohttp_hpack_row);
    table->capacity = capacity;
    table->limit = (uint32_t)tbh_min_size(capacity, TBH_HPACK_DEFAULT_SIZE);
    *memory += needed;
    *bytes -= needed;
    return true;
}

/* RFC 7541 §4.3: the oldest leave until `limit` holds the rest. */
static void tbh_hpack_table_evict(turbohttp_hpack_table *table, uint32_t limit) {
    while (table->used > limit) {
        const turbohttp_hpack_row *oldest =
            &table->rows[tbh_hpack_table_row(table, --table->count)];
        table->used -= oldest->name_length + oldest->value_length + TBH_HPACK_OVERHEAD;
    }
}

TBH_FN void tbh_hpack_table_clear(turbohttp_hpack_table *table) {
    tbh_hpack_table_evict(table, 0);
}

TBH_FN void tbh_hpack_table_resize(turbohttp_hpack_table *table, uint32_t limit) {
    tbh_hpack_table_evict(table, limit);
    table->limit = limit;
}

/* Writes at the end of the text, in two pieces where the ring ends. */
static void tbh_hpack_table_put(turbohttp_hpack_table *table, turbohttp_span text) {
    size_t room = table->capacity - table->text_end, n = text.length;
    if (n >= room) {
        memcpy(table->text + table->text_end, text.data, room);
        text.data += room;
        n -= room;
        table->text_end = 0;
    }
    if (n) memcpy(table->text + table->text_end, text.data, n);
    table->text_end += (uint32_t)n;
}

TBH_FN bool tbh_hpack_table_insert(turbohttp_hpack_table *table, turbohttp_span name,
                                   turbohttp_span value) {
    size_t size = name.length + value.length + TBH_HPACK_OVERHEAD;
    bool fits = size <= table->limit;
    tbh_hpack_table_evict(table, fits ? table->limit - (uint32_t)size : 0);
    if (!fits) return false;
    table->newest = table->newest + 1 < table->row_capacity ? table->newest + 1 : 0;
    turbohttp_hpack_row *row = &table->rows[table->newest];
    row->offset = table->text_end;
    row->name_length = (uint32_t)name.length;
    row->value_length = (uint32_t)value.length;
    row->note = 0;
    table->used += (uint32_t)size;
    table->count++;
    tbh_hpack_table_put(table, name);
    tbh_hpack_table_put(table, value);
    return true;
}

TBH_FN bool tbh_hpack_table_equals(const turbohttp_hpack_table *table, uint32_t offset,
                                   turbohttp_span text) {
    size_t room = table->capacity - offset, n = tbh_min_size(room, text.length);
    if (n && memcmp(table->text + offset, text.data, n) != 0) return false;
    return n == text.length || memcmp(table->text, text.data + n, text.length - n) == 0;
}
