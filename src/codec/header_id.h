/* Well-known header names as small numbers (turbohttp_header_id). */
#pragma once
#include "../api/h1.h"
#include "../base/bytes.h"

/* The id of a name in any case; TURBOHTTP_HEADER_OTHER for names that are not well known. A name
 * that has an id is a valid token. */
TBH_FN uint16_t tbh_header_id(const char *name, size_t n);
/* The name of an id in lower case; empty for 0 and for unknown ids. */
TBH_FN turbohttp_span tbh_header_id_name(uint16_t id);
/* The first of the rows with that id, or NULL: of repeated singletons the first one counts. */
TBH_FN const turbohttp_header *tbh_header_find(const turbohttp_header *rows, uint32_t count,
                                               uint16_t id);
