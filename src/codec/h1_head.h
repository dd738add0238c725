/* HTTP/1.1 heads and trailer sections: what the engines use beside the public calls in api/h1.h. */
#pragma once
#include "../api/h1.h"
#include "header_id.h"
#include "scan.h"

/* Parses a whole trailer section once, from its first byte to the CRLF after its last line.
 * PENDING when bytes are missing: for input in pieces use turbohttp_h1_trailer_parse, which keeps
 * the work linear. */
TBH_FN turbohttp_status tbh_h1_fields_parse(const char *data, size_t length,
                                            const turbohttp_head_limits *limits,
                                            turbohttp_header *table, uint32_t capacity,
                                            uint32_t *count, size_t *consumed,
                                            uint64_t *error_offset);
/* Takes the next element of a comma list (RFC 9110 §5.6.1), blanks trimmed, perhaps empty; false
 * after the last one. `rest` begins as the whole value. */
TBH_FN bool tbh_list_next(turbohttp_span *rest, turbohttp_span *element);
/* The content coding that the list names (RFC 9110 §8.4.1), behind those of earlier lines: identity
 * means none so far, and more than one are not for us to undo. */
TBH_FN turbohttp_content_coding tbh_content_coding(turbohttp_content_coding so_far,
                                                   turbohttp_span rest);
