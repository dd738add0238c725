/* DER: elements one after the other, and dates.
 * Owns nothing. Invariant: no read beyond the span that was given; lengths are definite, minimal,
 * and at most 24 bits. Does not know: what the elements mean. */
#include "der.h"

/* Header of an element: its length in bytes, 0 when malformed. */
static size_t tbh_der_header(tbh_der in, size_t *length) {
    if (in.length < 2 || (in.data[0] & 0x1f) == 0x1f) return 0; /* high tags are not used */
    size_t first = in.data[1], n = first & 0x7f;
    *length = first;
    if (first < 0x80) return 2;
    if (n < 1 || n > 3 || in.length < 2 + n || in.data[2] == 0) return 0;
    *length = 0;
    for (size_t i = 0; i < n; i++) *length = *length << 8 | in.data[2 + i];
    return *length < 0x80 ? 0 : 2 + n;
}

TBH_BEAR_FN bool tbh_der_next(tbh_der *in, unsigned *tag, tbh_der *value, tbh_der *whole) {
    size_t length = 0, header = tbh_der_header(*in, &length);
    if (header == 0 || length > in->length - header) return false;
    *tag = in->data[0];
    value->data = in->data + header;
    value->length = length;
    if (whole) {
        whole->data = in->data;
        whole->length = header + length;
    }
    in->data += header + length;
    in->length -= header + length;
    return true;
}

TBH_BEAR_FN bool tbh_der_take(tbh_der *in, unsigned tag, tbh_der *value) {
    unsigned found;
    tbh_der rest = *in, content;
    if (!tbh_der_next(&rest, &found, &content, NULL) || found != tag) return false;
    *in = rest;
    *value = content;
    return true;
}

TBH_BEAR_FN bool tbh_der_equal(tbh_der a, tbh_der b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

TBH_BEAR_FN bool tbh_der_is(tbh_der oid, const char *bytes, size_t length) {
    return oid.length == length && memcmp(oid.data, bytes, length) == 0;
}

static bool tbh_der_digits(tbh_der *text, size_t n, unsigned *value) {
    *value = 0;
    if (text->length < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') return false;
        *value = *value * 10 + (unsigned)(text->data[i] - '0');
    }
    text->data += n;
    text->length -= n;
    return true;
}

static uint64_t tbh_der_days_before(unsigned year) { /* since year 0, Gregorian */
    uint64_t y = year - 1;
    return 366 + y * 365 + y / 4 - y / 100 + y / 400;
}

TBH_BEAR_FN uint64_t tbh_der_time(unsigned tag, tbh_der text) {
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned year, month, day, hour, minute, second;
    if (!tbh_der_digits(&text, tag == TBH_DER_TIME ? 4 : 2, &year)) return 0;
    if (tag != TBH_DER_TIME) year += year < 50 ? 2000 : 1900; /* RFC 5280 §4.1.2.5.1 */
    if (!tbh_der_digits(&text, 2, &month) || !tbh_der_digits(&text, 2, &day) ||
        !tbh_der_digits(&text, 2, &hour) || !tbh_der_digits(&text, 2, &minute) ||
        !tbh_der_digits(&text, 2, &second) || text.length != 1 || text.data[0] != 'Z')
        return 0;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return 0;
    if (hour > 23 || minute > 59 || second > 59) return 0;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    uint64_t days = tbh_der_days_before(year) - 719528u + before[month - 1] + day - 1;
    if (is_leap && month > 2) days++;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}
