/* UTF-8: validation that can stop and go on between any two bytes.
 * Owns: nothing; the state is the caller's. Invariants: need > 0 exactly inside a character, and
 * then low…high bound its next byte; failed never goes back.
 * Input: any bytes, any split. Does not know: what the text is for. */
#include "../api/formats.h"
#include "../base/bytes.h"

/* Bounds of the byte after a lead byte (Unicode, table 3-7): they rule out overlong forms,
 * surrogates and what lies above U+10FFFF. */
static bool tbh_utf8_lead(turbohttp_utf8 *state, uint8_t c) {
    if (c < 0xc2 || c > 0xf4) return false;
    state->need = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    state->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    state->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return true;
}

static bool tbh_utf8_step(turbohttp_utf8 *state, uint8_t c) {
    if (state->need == 0) return c < 0x80 || tbh_utf8_lead(state, c);
    if (c < state->low || c > state->high) return false;
    state->need--;
    state->low = 0x80;
    state->high = 0xbf;
    return true;
}

/* How many bytes from p are ASCII, in steps of eight. */
static size_t tbh_utf8_ascii(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (n - i >= 8 && (tbh_load64(p + i) & 0x8080808080808080u) == 0) i += 8;
    return i;
}

TURBOHTTP_API turbohttp_status turbohttp_utf8_feed(turbohttp_utf8 *state, const void *bytes,
                                                   size_t n, size_t *bad) {
    const uint8_t *p = (const uint8_t *)bytes;
    size_t i = 0;
    while (i < n && !state->failed) {
        if (state->need == 0) i += tbh_utf8_ascii(p + i, n - i);
        if (i == n) break;
        state->failed = !tbh_utf8_step(state, p[i]);
        if (!state->failed) i++;
    }
    if (bad) *bad = i;
    return state->failed ? TURBOHTTP_ERR_ENCODING : TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_utf8_end(const turbohttp_utf8 *state) {
    return state->failed || state->need > 0 ? TURBOHTTP_ERR_ENCODING : TURBOHTTP_OK;
}
