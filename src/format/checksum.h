/* Checksums of the compressed formats; CRC-32 itself is public. */
#pragma once
#include "../api/checksum.h"
#include "../base/bytes.h"

/* RFC 1950 §8.2; begins with 1. */
TBH_FN uint32_t tbh_adler32(uint32_t adler, const uint8_t *p, size_t n);
