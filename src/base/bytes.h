/* Bytes: unaligned loads, ASCII, checked sizes. Nothing here allocates or knows a protocol. */
#pragma once
#include "../api/core.h"
#include "config.h"
#include <string.h>

/* ------------------------------------------------------------ unaligned access
 * memcpy is the only access to unaligned data that is defined; compilers make it one instruction. */
TBH_ALWAYS_INLINE uint64_t tbh_load64(const void *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

TBH_ALWAYS_INLINE uint32_t tbh_load32(const void *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

TBH_ALWAYS_INLINE uint32_t tbh_load32_le(const void *p) {
#if TBH_LITTLE_ENDIAN
    return tbh_load32(p);
#else
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
#endif
}

TBH_ALWAYS_INLINE uint64_t tbh_load64_le(const void *p) {
#if TBH_LITTLE_ENDIAN
    return tbh_load64(p);
#else
    return (uint64_t)tbh_load32_le(p) | (uint64_t)tbh_load32_le((const uint8_t *)p + 4) << 32;
#endif
}

TBH_ALWAYS_INLINE uint32_t tbh_load32_be(const void *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

TBH_ALWAYS_INLINE uint64_t tbh_load64_be(const void *p) {
#if TBH_LITTLE_ENDIAN && defined(__GNUC__)
    return __builtin_bswap64(tbh_load64(p));
#else
    return (uint64_t)tbh_load32_be(p) << 32 | tbh_load32_be((const uint8_t *)p + 4);
#endif
}

TBH_ALWAYS_INLINE uint16_t tbh_load16_be(const void *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint16_t)((uint32_t)b[0] << 8 | b[1]);
}

TBH_ALWAYS_INLINE void tbh_store32_be(void *p, uint32_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

TBH_ALWAYS_INLINE void tbh_store64_be(void *p, uint64_t v) {
#if TBH_LITTLE_ENDIAN && defined(__GNUC__)
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
#else
    tbh_store32_be(p, (uint32_t)(v >> 32));
    tbh_store32_be((uint8_t *)p + 4, (uint32_t)v);
#endif
}

TBH_ALWAYS_INLINE void tbh_store16_be(void *p, uint16_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

TBH_ALWAYS_INLINE void tbh_store16_le(void *p, uint16_t v) {
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

/* ------------------------------------------------------------ ASCII (locale never matters) */
TBH_ALWAYS_INLINE bool tbh_is_digit(uint8_t c) {
    return (uint8_t)(c - '0') < 10;
}

TBH_ALWAYS_INLINE bool tbh_is_alpha(uint8_t c) {
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

TBH_ALWAYS_INLINE uint8_t tbh_lower(uint8_t c) {
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

/* Value of a hexadecimal digit, or -1. */
TBH_ALWAYS_INLINE int tbh_hex_value(uint8_t c) {
    if (tbh_is_digit(c)) return c - '0';
    c |= 0x20;
    return (uint8_t)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

TBH_FN bool tbh_equal_nocase(const void *a, const void *b, size_t n);
TBH_FN bool tbh_span_equal_nocase(turbohttp_span a, const char *literal);
/* RFC 9110 §5.6.2 token characters. */
TBH_FN bool tbh_is_token_char(uint8_t c);
TBH_FN bool tbh_is_token(const char *p, size_t n);
/* Field content that may be sent: no control characters but HTAB (RFC 9110 §5.5). */
TBH_FN bool tbh_is_field_value(const char *p, size_t n);
/* Writes n in decimal, returns how many bytes (at most 20); no terminator. */
TBH_FN size_t tbh_format_u64(char *out, uint64_t n);
/* So many digits always fit into 64 bits. */
#define TBH_FEW_DIGITS 18

/* The value of n <= TBH_FEW_DIGITS digits; 0 for none. */
TBH_ALWAYS_INLINE bool tbh_parse_few_digits(const char *p, size_t n, uint64_t *out) {
    uint64_t value = 0;
    for (const char *end = p + n; p < end; p++) {
        const unsigned digit = (unsigned)(uint8_t)*p - '0';
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* Digits only, no sign, no blanks, at most `max`: false otherwise. */
TBH_FN bool tbh_parse_u64(const char *p, size_t n, uint64_t max, uint64_t *out);
/* Overwrites secrets in a way that the optimiser cannot drop. */
TBH_FN void tbh_wipe(void *p, size_t n);

TBH_ALWAYS_INLINE turbohttp_span tbh_span(const char *p, size_t n) {
    turbohttp_span s;
    s.data = p;
    s.length = n;
    return s;
}

TBH_ALWAYS_INLINE turbohttp_span tbh_span_of(const char *text) {
    return tbh_span(text, text ? strlen(text) : 0);
}

/* ------------------------------------------------------------ checked sizes */
TBH_ALWAYS_INLINE bool tbh_add_size(size_t a, size_t b, size_t *sum) {
    *sum = a + b;
    return *sum >= a;
}

TBH_ALWAYS_INLINE bool tbh_mul_size(size_t a, size_t b, size_t *product) {
    *product = a * b;
    return a == 0 || *product / a == b;
}

TBH_ALWAYS_INLINE size_t tbh_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

TBH_ALWAYS_INLINE size_t tbh_max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* A wire quantity as a size: what does not fit saturates, and the limit that follows refuses it. */
TBH_ALWAYS_INLINE size_t tbh_size_of_u64(uint64_t v) {
    return v > (uint64_t)SIZE_MAX ? SIZE_MAX : (size_t)v;
}
