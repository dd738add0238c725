/* HTTP/2 frames, for readers that have whole ones in one piece. */
#pragma once
#include "../api/h2.h"
#include "../base/bytes.h"

#define TBH_H2_LEAST_FRAME 16384 /* every peer takes frames of this size (RFC 9113 §4.2) */

/* Takes the body of a frame whose FRAME was handed out, when all of it is there and has no padding;
 * its END is then not said. False: go on with turbohttp_h2_read. */
TBH_FN bool tbh_h2_read_body(turbohttp_h2_reader *r, const uint8_t *at, const uint8_t *end,
                             turbohttp_span *body);
