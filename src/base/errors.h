/* Building the error record: fixed size, no printf, control bytes never get in. */
#pragma once
#include "../api/errors.h"
#include "bytes.h"

/* Starts a record: code, phase, and the code's own sentence as text. NULL is fine everywhere here. */
TBH_FN turbohttp_status tbh_error_set(turbohttp_error *error, turbohttp_status code,
                                      turbohttp_phase phase);
/* Replaces the sentence; pieces are appended after it, cut at the record's size. */
TBH_FN void tbh_error_text(turbohttp_error *error, const char *text);
TBH_FN void tbh_error_append(turbohttp_error *error, const char *text);
TBH_FN void tbh_error_append_span(turbohttp_error *error, turbohttp_span text);
TBH_FN void tbh_error_append_u64(turbohttp_error *error, uint64_t n);
