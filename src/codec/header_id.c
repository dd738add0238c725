/* Header names: the look-ups that are not worth inlining; the tables stand in header_id.h.
 * Owns nothing. Input: any bytes. Does not know: what a header means. */
#include "header_id.h"

TBH_FN uint16_t tbh_header_id(const char *name, size_t n) {
    return tbh_header_id_within(name, n, name + n);
}

TBH_FN turbohttp_span tbh_header_id_name(uint16_t id) {
    if (id >= TBH_HEADER_NAMES) id = 0;
    return tbh_span(tbh_header_names[id].text, tbh_header_names[id].length);
}

TBH_FN const turbohttp_header *tbh_header_find(const turbohttp_header *rows, uint32_t count,
                                               uint16_t id) {
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].id == id) return &rows[i];
    return NULL;
}
