/* Rules for fields of HTTP/2, for readers that have the decoder's table at hand. */
#pragma once
#include "h2_frame.h"
#include "hpack_table.h"

/* What is noted about an entry of the decoder's table when it was found to be a good regular field;
 * nothing where size comes first. */
#define TBH_H2_NOTE_GOOD     UINT32_C(0x80000000)
#define TBH_H2_NOTE_ID(note) ((uint16_t)((note)&0xffffu))
#define TBH_H2_NOTE_NAME(note)                                                                     \
    (TBH_SMALL ? 0u : (note) >> 16 & 0x7fu) /* static index of the name, or 0 */

/* As turbohttp_h2_fields_check; *note is what there is to know of a regular field, and 0 of others.
 * `row` is the field's entry in the decoder's table, or NULL. */
TBH_FN turbohttp_status tbh_h2_fields_check_new(turbohttp_h2_fields *f,
                                                const turbohttp_hpack_field *field,
                                                turbohttp_hpack_row *row, uint32_t *note);

/* The same for a field that may have been checked before. */
TBH_ALWAYS_INLINE turbohttp_status tbh_h2_fields_check_row(turbohttp_h2_fields *f,
                                                           const turbohttp_hpack_field *field,
                                                           turbohttp_hpack_row *row,
                                                           uint32_t *note) {
    if (TBH_SMALL || !row || !row->note) return tbh_h2_fields_check_new(f, field, row, note);
    f->has_regular = true;
    *note = row->note;
    return TURBOHTTP_OK;
}
