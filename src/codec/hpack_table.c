/* HPACK tables: 61 fixed entries, and a ring of those that a connection has taught.
 *
 * Owns nothing: rows and text lie in the caller's memory. Invariants: used = text of all entries +
 * 32 for each ≤ limit ≤ capacity, so capacity bytes of text and capacity / 32 rows are always
 * enough, and any piece of text may wrap at the ring's end.
 * Does not know: the wire, limits on lists, what is secret. */
#include "hpack_table.h"

/* ------------------------------------------------------------ static */
#define TBH_HPACK_ROWS(left, name, value)                                                          \
    { name, value, sizeof(name) - 1, sizeof(value) - 1, left }
#define TBH_HPACK_ROW(name, value) TBH_HPACK_ROWS(1, name, value)

static const tbh_hpack_static_row tbh_hpack_static[TBH_HPACK_STATIC + 1] = {
    TBH_HPACK_ROW("", ""),
    TBH_HPACK_ROW(":authority", ""),
    TBH_HPACK_ROWS(2, ":method", "GET"),
    TBH_HPACK_ROW(":method", "POST"),
    TBH_HPACK_ROWS(2, ":path", "/"),
    TBH_HPACK_ROW(":path", "/index.html"),
    TBH_HPACK_ROWS(2, ":scheme", "http"),
    TBH_HPACK_ROW(":scheme", "https"),
    TBH_HPACK_ROWS(7, ":status", "200"),
    TBH_HPACK_ROWS(6, ":status", "204"),
    TBH_HPACK_ROWS(5, ":status", "206"),
    TBH_HPACK_ROWS(4, ":status", "304"),
    TBH_HPACK_ROWS(3, ":status", "400"),
    TBH_HPACK_ROWS(2, ":status", "404"),
    TBH_HPACK_ROW(":status", "500"),
    TBH_HPACK_ROW("accept-charset", ""),
    TBH_HPACK_ROW("accept-encoding", "gzip, deflate"),
    TBH_HPACK_ROW("accept-language", ""),
    TBH_HPACK_ROW("accept-ranges", ""),
    TBH_HPACK_ROW("accept", ""),
    TBH_HPACK_ROW("access-control-allow-origin", ""),
    TBH_HPACK_ROW("age", ""),
    TBH_HPACK_ROW("allow", ""),
    TBH_HPACK_ROW("authorization", ""),
    TBH_HPACK_ROW("cache-control", ""),
    TBH_HPACK_ROW("content-disposition", ""),
    TBH_HPACK_ROW("content-encoding", ""),
    TBH_HPACK_ROW("content-language", ""),
    TBH_HPACK_ROW("content-length", ""),
    TBH_HPACK_ROW("content-location", ""),
    TBH_HPACK_ROW("content-range", ""),
    TBH_HPACK_ROW("content-type", ""),
    TBH_HPACK_ROW("cookie", ""),
    TBH_HPACK_ROW("date", ""),
    TBH_HPACK_ROW("etag", ""),
    TBH_HPACK_ROW("expect", ""),
    TBH_HPACK_ROW("expires", ""),
    TBH_HPACK_ROW("from", ""),
    TBH_HPACK_ROW("host", ""),
    TBH_HPACK_ROW("if-match", ""),
    TBH_HPACK_ROW("if-modified-since", ""),
    TBH_HPACK_ROW("if-none-match", ""),
    TBH_HPACK_ROW("if-range", ""),
    TBH_HPACK_ROW("if-unmodified-since", ""),
    TBH_HPACK_ROW("last-modified", ""),
    TBH_HPACK_ROW("link", ""),
    TBH_HPACK_ROW("location", ""),
    TBH_HPACK_ROW("max-forwards", ""),
    TBH_HPACK_ROW("proxy-authenticate", ""),
    TBH_HPACK_ROW("proxy-authorization", ""),
    TBH_HPACK_ROW("range", ""),
    TBH_HPACK_ROW("referer", ""),
    TBH_HPACK_ROW("refresh", ""),
    TBH_HPACK_ROW("retry-after", ""),
    TBH_HPACK_ROW("server", ""),
    TBH_HPACK_ROW("set-cookie", ""),
    TBH_HPACK_ROW("strict-transport-security", ""),
    TBH_HPACK_ROW("transfer-encoding", ""),
    TBH_HPACK_ROW("user-agent", ""),
    TBH_HPACK_ROW("vary", ""),
    TBH_HPACK_ROW("via", ""),
    TBH_HPACK_ROW("www-authenticate", ""),
};

/* A perfect hash of the length and of the first, middle and last character. */
#define TBH_HPACK_HASH 1065425835u
/* clang-format off */
static const uint8_t tbh_hpack_slots[128] = {
    38, 50, 0, 0, 0, 0, 0, 61, 0, 0, 0, 25, 43, 55, 36, 0, 1, 0, 0, 16, 58, 0, 48, 0, 0, 0, 0,
    51, 42, 0, 0, 0, 0, 44, 40, 0, 0, 0, 0, 0, 26, 0, 0, 0, 0, 0, 54, 2, 0, 0, 0, 0, 8, 0, 6, 0,
    32, 0, 20, 17, 0, 0, 0, 0, 45, 59, 0, 46, 35, 19, 39, 0, 0, 0, 0, 23, 0, 29, 0, 0, 27, 0,
    53, 0, 30, 0, 0, 0, 52, 0, 0, 60, 0, 22, 37, 0, 0, 0, 0, 34, 56, 0, 0, 0, 49, 0, 0, 24, 28,
    0, 0, 18, 15, 4, 33, 0, 41, 0, 21, 0, 0, 0, 57, 0, 0, 47, 31, 0
};
/* clang-format on */

TBH_FN const tbh_hpack_static_row *tbh_hpack_static_row_at(uint32_t index) {
    return &tbh_hpack_static[index];
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
