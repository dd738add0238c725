/* Base64: RFC 4648 §4, strict when reading.
 * Owns: nothing; writes into a writer. Invariants: what decode accepts, encode gives back byte for
 * byte; an error appends nothing.
 * Input: any bytes to encode; hostile text to decode. Does not know: line breaks, base64url. */
#include "../api/formats.h"
#include "../base/bytes.h"

static const char tbh_base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Three bytes to four characters; missing bytes are zero. */
static void tbh_base64_put_group(char *to, uint32_t bits) {
    for (int i = 0; i < 4; i++) to[i] = tbh_base64_alphabet[bits >> (18 - 6 * i) & 63];
}

TURBOHTTP_API turbohttp_status turbohttp_base64_encode(turbohttp_writer *writer, const void *bytes,
                                                       size_t n) {
    const uint8_t *p = (const uint8_t *)bytes;
    char *to;
    if (n > SIZE_MAX / 2) return TURBOHTTP_ERR_OVERFLOW;
    size_t chars = TURBOHTTP_BASE64_CHARS(n), i = 0;
    turbohttp_status status = turbohttp_writer_reserve(writer, chars, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    for (; n - i >= 3; i += 3, to += 4)
        tbh_base64_put_group(to, (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2]);
    if (n - i > 0) {
        uint32_t second = n - i == 2 ? p[i + 1] : 0u;
        tbh_base64_put_group(to, (uint32_t)p[i] << 16 | second << 8);
        to[3] = '=';
        if (n - i == 1) to[2] = '=';
    }
    return turbohttp_writer_commit(writer, chars);
}

/* 0…63, or -1. */
static int tbh_base64_value(char c) {
    uint8_t u = (uint8_t)c;
    if (tbh_is_alpha(u)) return u < 'a' ? u - 'A' : u - 'a' + 26;
    if (tbh_is_digit(u)) return u - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `pad` are '='; -1 if malformed. */
static int32_t tbh_base64_group(const char *p, size_t pad) {
    int32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i >= 4 - pad ? 0 : tbh_base64_value(p[i]);
        if (value < 0) return -1;
        bits = bits * 64 + value;
    }
    int32_t unused = pad == 0 ? 0 : pad == 1 ? 0xff : 0xffff;
    return (bits & unused) ? -1 : bits;
}

TURBOHTTP_API turbohttp_status turbohttp_base64_decode(turbohttp_writer *writer, const char *text,
                                                       size_t n) {
    char *to;
    if (n % 4 != 0) return TURBOHTTP_ERR_ENCODING;
    size_t pad = n == 0 || text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
    turbohttp_status status = turbohttp_writer_reserve(writer, n / 4 * 3 - pad, &to);
    if (status != TURBOHTTP_OK || n == 0) return status;
    for (size_t i = 0; i < n; i += 4) {
        size_t here = i + 4 == n ? pad : 0;
        int32_t bits = tbh_base64_group(text + i, here);
        if (bits < 0) return TURBOHTTP_ERR_ENCODING;
        *to++ = (char)(uint8_t)(bits >> 16);
        if (here < 2) *to++ = (char)(uint8_t)(bits >> 8 & 255);
        if (here < 1) *to++ = (char)(uint8_t)(bits & 255);
    }
    return turbohttp_writer_commit(writer, n / 4 * 3 - pad);
}
