/* Rules for fields of HTTP/2, for readers that have the decoder's table at hand. */
#pragma once
#include "h2_frame.h"

/* As turbohttp_h2_fields_check; *id is the header's. `row` is the field's entry in the decoder's
 * table, or NULL: that a regular field is good is noted there, as its id + 1. */
TBH_FN turbohttp_status tbh_h2_fields_check_new(turbohttp_h2_fields *f,
                                                const turbohttp_hpack_field *field,
                                                turbohttp_hpack_row *row, uint16_t *id);

/* The same for a field that may have been checked before. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h2_fields_check_row(turbohttp_h2_fields *f,
                                                           const turbohttp_hpack_field *field,
                                                           turbohttp_hpack_row *row, uint16_t *id) {
    if (!row || !row->note) return tbh_h2_fields_check_new(f, field, row, id);
    f->has_regular = true;
    *id = (uint16_t)(row->note - 1);
    return TURBOHTTP_OK;
}
