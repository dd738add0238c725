/* HPACK: the static table (RFC 7541 appendix A) and the dynamic one (§2.3.2, §4). */
#pragma once
#include "../api/h2.h"
#include "../base/bytes.h"

enum { TBH_HPACK_STATIC = 61, TBH_HPACK_OVERHEAD = 32, TBH_HPACK_DEFAULT_SIZE = 4096 };

/* Names are terminated, values perhaps not. */
typedef struct tbh_hpack_static_row {
    const char *name, *value;
    uint8_t name_length, value_length;
    uint8_t left; /* rows with the same name, from this one on */
} tbh_hpack_static_row;

/* The entry of a static index, 1 to 61. */
TBH_FN tbh_hpack_static_row tbh_hpack_static_row_at(uint32_t index);
/* The first static index with that name, or 0. */
TBH_FN uint32_t tbh_hpack_static_find(turbohttp_span name);

/* Names that somebody knows by their index. */
enum { TBH_HPACK_AUTHORITY = 1, TBH_HPACK_METHOD = 2, TBH_HPACK_PATH = 4, TBH_HPACK_SCHEME = 6 };

/* As turbohttp_hpack_encode, for a name whose first static index is known; 0: it has none. */
TBH_FN turbohttp_status tbh_hpack_encode_named(turbohttp_hpack_encoder *encoder,
                                               const turbohttp_hpack_field *field, uint32_t name,
                                               turbohttp_writer *writer);

/* Takes rows and text out of `memory` and moves it behind them; false when there is not enough. */
TBH_FN bool tbh_hpack_table_init(turbohttp_hpack_table *table, uint8_t **memory, size_t *bytes,
                                 uint32_t capacity);
/* Changes the size; entries that do not fit leave. */
TBH_FN void tbh_hpack_table_resize(turbohttp_hpack_table *table, uint32_t limit);
TBH_FN void tbh_hpack_table_clear(turbohttp_hpack_table *table);
/* Adds an entry, whose text is not in this table; false when it is larger than the table, which is
 * empty then (RFC 7541 §4.4). */
TBH_FN bool tbh_hpack_table_insert(turbohttp_hpack_table *table, turbohttp_span name,
                                   turbohttp_span value);
/* Are these the bytes at an offset of the ring? */
TBH_FN bool tbh_hpack_table_equals(const turbohttp_hpack_table *table, uint32_t offset,
                                   turbohttp_span text);

/* The row of entry `age`, 0 for the newest; age is below the count. */
TBH_ALWAYS_INLINE uint32_t tbh_hpack_table_row(const turbohttp_hpack_table *table, uint32_t age) {
    return table->newest >= age ? table->newest - age : table->newest + table->row_capacity - age;
}

/* Where an offset that ran past the ring's end really is. */
TBH_ALWAYS_INLINE uint32_t tbh_hpack_table_wrap(const turbohttp_hpack_table *table,
                                                uint32_t offset) {
    return offset >= table->capacity ? offset - table->capacity : offset;
}
