/* The chunked coding (RFC 9112 §7.1): what the engines use beside the decoder in api/h1.h. */
#pragma once
#include "../api/h1.h"
#include "../base/bytes.h"

/* Writes the line before a chunk of `size` bytes, hexadecimal and CRLF; returns its bytes, at most
 * 18. Size 0 writes the last chunk's line; the trailer section's CRLF is the caller's. */
TBH_FN size_t tbh_chunk_head_write(char out[20], uint64_t size);
