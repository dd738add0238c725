/* Bytes written as hexadecimal digits, with blanks where they help. Include it behind the implementation. */
#ifndef TEST_UNHEX_H
#define TEST_UNHEX_H

static size_t unhex(const char *hex, uint8_t *out) {
    size_t n = 0;
    for (; *hex; hex++) {
        if (*hex == ' ') continue;
        out[n++] = (uint8_t)(tbh_hex_value((uint8_t)hex[0]) << 4 | tbh_hex_value((uint8_t)hex[1]));
        hex++;
    }
    return n;
}
#endif
