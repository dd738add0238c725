/* How turbohttp.h finds this provider without a list that could change: see client/secure.c.
 * Owns nothing. */
#include "connection.h"

#ifdef TURBOHTTP_TLS_BEARSSL_FIRST
static const turbohttp_tls_provider *turbohttp_tls_bearssl_first(void) {
    return turbohttp_tls_bearssl();
}
#elif defined(TBH_BEAR_AMALGAM)
static const turbohttp_tls_provider *(*const turbohttp_tls_included)(void) = turbohttp_tls_bearssl;
#endif
