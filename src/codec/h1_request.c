/* HTTP/1.1 request head: checked text into a writer (SPEC B4, S-30).
 * Owns nothing. Invariant: a line is written whole or not at all.
 * Does not know: which headers a request needs. */
#include "../api/h1_request.h"
#include "../base/bytes.h"

static bool tbh_h1_is_target(turbohttp_span target) {
    for (size_t i = 0; i < target.length; i++) {
        uint8_t c = (uint8_t)target.data[i];
        if (c <= 0x20 || c >= 0x7f) return false;
    }
    return target.length > 0;
}

static char *tbh_h1_copy(char *at, turbohttp_span text) {
    if (text.length) memcpy(at, text.data, text.length);
    return at + text.length;
}

TURBOHTTP_API turbohttp_status turbohttp_h1_write_request_line(turbohttp_writer *writer,
                                                               turbohttp_span method,
                                                               turbohttp_span target,
                                                               int minor_version) {
    char *start;
    if (!tbh_is_token(method.data, method.length)) return TURBOHTTP_ERR_METHOD;
    if (!tbh_h1_is_target(target)) return TURBOHTTP_ERR_URL;
    turbohttp_status status =
        turbohttp_writer_reserve(writer, method.length + target.length + 12, &start);
    if (status != TURBOHTTP_OK) return status;
    char *at = tbh_h1_copy(start, method);
    *at++ = ' ';
    at = tbh_h1_copy(at, target);
    memcpy(at, " HTTP/1.1\r\n", 11);
    if (minor_version == 0) at[8] = '0';
    return turbohttp_writer_commit(writer, method.length + target.length + 12);
}

TURBOHTTP_API turbohttp_status turbohttp_h1_write_field(turbohttp_writer *writer,
                                                        turbohttp_span name, turbohttp_span value) {
    char *start;
    if (!tbh_is_token(name.data, name.length)) return TURBOHTTP_ERR_HEADER_NAME;
    if (!tbh_is_field_value(value.data, value.length)) return TURBOHTTP_ERR_HEADER_VALUE;
    turbohttp_status status =
        turbohttp_writer_reserve(writer, name.length + value.length + 4, &start);
    if (status != TURBOHTTP_OK) return status;
    char *at = tbh_h1_copy(start, name);
    *at++ = ':';
    *at++ = ' ';
    at = tbh_h1_copy(at, value);
    memcpy(at, "\r\n", 2);
    return turbohttp_writer_commit(writer, name.length + value.length + 4);
}
