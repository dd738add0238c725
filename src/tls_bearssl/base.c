/* What every file here needs: memory and sentences.
 * Owns nothing. Does not know: TLS. */
#include "base.h"

TBH_BEAR_FN void *tbh_bear_allocate(const turbohttp_tls_host *host, size_t size) {
    return host->allocator->allocate(host->allocator->user, size);
}

TBH_BEAR_FN void tbh_bear_release(const turbohttp_tls_host *host, void *block, size_t size) {
    if (block) host->allocator->release(host->allocator->user, block, size);
}

TBH_BEAR_FN void tbh_bear_add(turbohttp_error *error, const char *text) {
    size_t n = error ? strlen(error->text) : 0;
    if (!error) return;
    for (; *text && n + 1 < sizeof error->text; text++)
        error->text[n++] = (unsigned char)*text >= 0x20 ? *text : '?';
    error->text[n] = 0;
}

TBH_BEAR_FN void tbh_bear_say(turbohttp_error *error, turbohttp_status status, const char *a,
                              const char *b, const char *c) {
    if (!error) return;
    memset(error, 0, sizeof *error);
    error->code = status;
    error->phase = TURBOHTTP_PHASE_TLS;
    tbh_bear_add(error, a);
    tbh_bear_add(error, b);
    tbh_bear_add(error, c);
}

TBH_BEAR_FN void tbh_bear_wipe(void *p, size_t n) {
    /* Which function it is, no compiler may know: so the call stays, at memset's speed. */
    static void *(*const volatile set)(void *, int, size_t) = memset;
    set(p, 0, n);
}
