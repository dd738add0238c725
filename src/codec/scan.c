/* Scans: the parts that are not worth inlining.
 * Owns nothing. Invariant: never reads outside the bytes it is given, so that input may end at the
 * last byte of a page. Input: any bytes. Does not know: lines, names, or why somebody looks. */
#include "scan.h"

TBH_FN bool tbh_scan_is_control(char c) {
    return ((uint8_t)c < 0x20 && c != '\t') || c == 0x7f;
}

TBH_FN const char *tbh_scan_control_tail(const char *begin, const char *p, const char *end) {
    size_t left = (size_t)(end - p);
    if (left == 0) return end;
    if ((size_t)(end - begin) >= TBH_LANE) {
        uint64_t mask = tbh_lane_control(tbh_lane_load(end - TBH_LANE));
        mask = tbh_lane_skip(mask, TBH_LANE - left);
        return mask ? p + tbh_lane_first(mask) : end;
    }
    while (p < end && !tbh_scan_is_control(*p)) p++;
    return p;
}

TBH_FN uint64_t tbh_marks_of_few(const char *p, size_t n) {
    uint64_t mask = 0;
    for (size_t i = 0; i < n; i++)
        if (tbh_scan_is_control(p[i])) mask |= (uint64_t)1 << (i << TBH_BLOCK_SHIFT);
    return mask;
}

TBH_FN const char *tbh_scan_colon_tail(const char *begin, const char *p, const char *end) {
    size_t left = (size_t)(end - p);
    if (left == 0) return end;
    if ((size_t)(end - begin) >= TBH_LANE) {
        uint64_t mask = tbh_lane_colons(tbh_lane_load(end - TBH_LANE));
        mask = tbh_lane_skip(mask, TBH_LANE - left);
        return mask ? p + tbh_lane_first(mask) : end;
    }
    while (p < end && *p != ':') p++;
    return p;
}

TBH_FN const char *tbh_scan_token(const char *p, const char *end) {
    while (p < end) {
        if ((size_t)(end - p) >= TBH_LANE && !tbh_lane_odd(tbh_lane_load(p))) {
            p += TBH_LANE;
            continue;
        }
        const char *stop = p + tbh_min_size((size_t)(end - p), TBH_LANE);
        for (; p < stop; p++)
            if (!tbh_is_token_char((uint8_t)*p)) return p;
    }
    return p;
}
