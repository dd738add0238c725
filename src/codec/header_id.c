/* Header names: the look-ups that are not worth inlining; the tables stand in header_id.h.
 * Owns nothing. Input: any bytes. Does not know: what a header means. */
#include "header_id.h"

TBH_FN uint16_t tbh_header_id_short(const char *name, size_t n) {
    static const uint8_t ids[] = {TURBOHTTP_HEADER_AGE, TURBOHTTP_HEADER_VIA, TURBOHTTP_HEADER_TE};
    for (size_t i = 0; i < sizeof ids; i++) {
        bool is_it = tbh_header_length(ids[i]) == n;
        if (is_it && tbh_equal_nocase(name, tbh_header_text(ids[i]), n)) return ids[i];
    }
    return TURBOHTTP_HEADER_OTHER;
}

/* The only row that a name of at least four bytes can have. */
static size_t tbh_header_row(const char *name, size_t n) {
    uint32_t last = tbh_load32_le(name + n - 4) >> 8 | (uint32_t)':' << 24;
    return tbh_header_slot(tbh_load32_le(name), last, n);
}

TBH_FN uint16_t tbh_header_id(const char *name, size_t n) {
    if (n < 4) return tbh_header_id_short(name, n);
    size_t id = tbh_header_row(name, n);
    if (tbh_header_length(id) != n) return TURBOHTTP_HEADER_OTHER;
    return tbh_equal_nocase(name, tbh_header_text(id), n) ? (uint16_t)id : 0;
}

TBH_FN uint16_t tbh_header_id_lower(const char *name, size_t n) {
    size_t id = n < 4 ? tbh_header_id_short(name, n) : tbh_header_row(name, n);
    if (n == 0 || tbh_header_length(id) != n) return TURBOHTTP_HEADER_OTHER;
    return memcmp(name, tbh_header_text(id), n) == 0 ? (uint16_t)id : 0;
}

TBH_FN uint16_t tbh_header_id_before_colon(const char *name, size_t n) {
    if (n < 4) return tbh_header_id_short(name, n);
    size_t id = tbh_header_candidate(name, n);
    if (tbh_header_length(id) != n) return TURBOHTTP_HEADER_OTHER;
    return tbh_scan_is_word(name, tbh_header_text(id), n) ? (uint16_t)id : 0;
}

TBH_FN turbohttp_span tbh_header_id_name(uint16_t id) {
    if (id >= TBH_HEADER_NAMES) id = 0;
    return tbh_span(tbh_header_text(id), tbh_header_length(id));
}

TBH_FN const turbohttp_header *tbh_header_find(const turbohttp_header *rows, uint32_t count,
                                               uint16_t id) {
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].id == id) return &rows[i];
    return NULL;
}
