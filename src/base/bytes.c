/* Bytes: the helpers too long to be inline.
 * Owns nothing. Input: any bytes. Does not know: protocols, allocation, locales. */
#include "bytes.h"

TBH_FN bool tbh_equal_nocase(const void *a, const void *b, size_t n) {
    const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
    for (size_t i = 0; i < n; i++)
        if (tbh_lower(x[i]) != tbh_lower(y[i])) return false;
    return true;
}

TBH_FN bool tbh_span_equal_nocase(turbohttp_span a, const char *literal) {
    return a.length == strlen(literal) && tbh_equal_nocase(a.data, literal, a.length);
}

/* RFC 9110 §5.6.2: one bit per character, 128 and above are never tokens. */
static const uint32_t tbh_token_bits[4] = {0x00000000u, 0x03ff6cfau, 0xc7fffffeu, 0x57ffffffu};

TBH_FN bool tbh_is_token_char(uint8_t c) {
    return c < 128 && (tbh_token_bits[c >> 5] >> (c & 31) & 1);
}

TBH_FN bool tbh_is_token(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!tbh_is_token_char((uint8_t)p[i])) return false;
    return n > 0;
}

static bool tbh_has_control(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
    }
    return false;
}

#if TBH_SMALL
TBH_FN bool tbh_is_field_value(const char *p, size_t n) {
    return !tbh_has_control(p, n);
}
#else
/* The high bits of bytes that may be control characters, HTAB among them; bits behind the first such
 * byte are not exact. */
static uint64_t tbh_suspects(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t del = word ^ (ones * 0x7f);
    return (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high;
}

/* Every byte of 1 to 7, some of them twice. */
static uint64_t tbh_load_few(const char *p, size_t n) {
    if (n >= 4) return tbh_load32(p) | (uint64_t)tbh_load32(p + n - 4) << 32;
    uint32_t three = (uint8_t)p[0] | (uint32_t)(uint8_t)p[n / 2] << 8;
    return UINT64_C(0x2020202020) << 24 | three | (uint32_t)(uint8_t)p[n - 1] << 16;
}

TBH_FN bool tbh_is_field_value(const char *p, size_t n) {
    for (; n >= 8; p += 8, n -= 8)
        if (tbh_suspects(tbh_load64(p)) && tbh_has_control(p, 8)) return false;
    return n == 0 || !tbh_suspects(tbh_load_few(p, n)) || !tbh_has_control(p, n);
}
#endif

TBH_FN size_t tbh_format_u64(char *out, uint64_t n) {
    char reversed[20];
    size_t length = 0;
    do reversed[length++] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    for (size_t i = 0; i < length; i++) out[i] = reversed[length - 1 - i];
    return length;
}

TBH_FN bool tbh_parse_u64(const char *p, size_t n, uint64_t max, uint64_t *out) {
    uint64_t value;
    size_t few = tbh_min_size(n, TBH_FEW_DIGITS);
    *out = 0;
    if (!tbh_parse_few_digits(p, few, &value)) return false;
    for (size_t i = few; i < n; i++) {
        uint64_t digit = (uint8_t)p[i] - (uint64_t)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (value > max) return false;
    *out = value;
    return n > 0;
}

#if defined(__GNUC__) || defined(__clang__)
TBH_FN void tbh_wipe(void *p, size_t n) {
    if (n == 0) return;
    memset(p, 0, n);
    __asm__ volatile("" : : "r"(p) : "memory"); /* somebody might look: the store stays */
}
#else
TBH_FN void tbh_wipe(void *p, size_t n) {
    volatile uint8_t *bytes = (volatile uint8_t *)p;
    while (n--) *bytes++ = 0;
}
#endif
