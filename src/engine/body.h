/* The way of a response body after its framing: content decoding, limits, and where it goes. */
#pragma once
#include "../api/client.h"
#include "../base/errors.h"
#include "../memory/sequence.h"
#if TBH_INFLATE
#include "../api/inflate.h"
#endif

/* What one response may grow to. */
typedef struct tbh_body_limits {
    uint64_t decoded_bytes; /* UINT64_MAX: none */
    uint32_t ratio;         /* decoded : wire, judged from 1 MiB on */
} tbh_body_limits;

typedef struct tbh_body {
    turbohttp_byte_pool *blocks;
    turbohttp_object_pool *inflaters;
    tbh_body_limits limits;
    turbohttp_body_write write; /* NULL: into the store */
    void *user;
    turbohttp_segments *store;
    void *inflater;            /* rented; NULL: not decoded */
    turbohttp_segment *output; /* decoded bytes for `write` */
    uint32_t block_bytes;
    uint64_t wire, decoded; /* bytes in, bytes out */
    size_t quota;           /* decoded bytes that may still be made in this poll */
    bool is_refused;        /* the last offer to the sink was answered with PENDING */
    bool has_more;          /* put an empty span to go on: output was held back */
} tbh_body;

/* The body is zero, `blocks`…`block_bytes` set. ERR_BODY_CODING when the coding is not known. */
TBH_FN turbohttp_status tbh_body_begin(tbh_body *body, turbohttp_content_coding coding);
/* Takes bytes from the wire: *taken says how many. OK · PENDING: the sink pauses · an error. */
TBH_FN turbohttp_status tbh_body_put(tbh_body *body, turbohttp_span wire, size_t *taken);
/* n bytes went into the store by themselves: only the limits are looked at. */
TBH_FN turbohttp_status tbh_body_stored(tbh_body *body, size_t n);
/* The framing says that the body is complete: is the decoder's stream complete, too? */
TBH_FN turbohttp_status tbh_body_finish(tbh_body *body);
TBH_FN void tbh_body_release(tbh_body *body);
