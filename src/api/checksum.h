/* ------------------------------------------------------------------------
 * Checksums: the two that compressed bodies carry.
 * ------------------------------------------------------------------------ */
#pragma once
#include "core.h"

/**
 * Add bytes to a CRC-32, the one of gzip, PNG and zip (RFC 1952 section 8).
 *
 * Start with `crc` 0 and pass each result on; `data` may be NULL when `length`
 * is 0. It finds accidents, not attacks.
 *
 * Returns: the CRC of everything so far.
 * Thread: any. Blocks: never.
 */
TURBOHTTP_API uint32_t turbohttp_crc32(uint32_t crc, const void *data,
                                       size_t length);
