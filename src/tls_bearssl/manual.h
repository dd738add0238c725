/* turbohttp_tls_bearssl.h - https:// for turbohttp.h, by BearSSL 0.6. MIT license, at the end.
 *
 *     #define TURBOHTTP_IMPLEMENTATION          in ONE .c or .cpp file
 *     #include "turbohttp_tls_bearssl.h"        includes turbohttp.h itself
 *
 * and https:// works: link with -lbearssl (Debian: libbearssl-dev). In C the two includes may stand
 * in any order; in C++ this one comes first, or alone.
 *
 * TLS 1.2 with six ECDHE AEAD suites; no SHA-1, no RSA below 2048 bits, no renegotiation. Every
 * certificate is verified: chain, dates, host name (subjectAltName only), usage, name constraints,
 * pins. Options: turbohttp_tls_options, in the client's or the request's description.
 *
 * Not here: TLS 1.3, OCSP and CRLs, RSA-PSS and Ed25519 certificates, encrypted private keys.
 */
#if defined(TURBOHTTP_NO_TLS)
#error "TURBOHTTP_NO_TLS leaves TLS out: remove it, or this include"
#endif
#if defined(TURBOHTTP_IMPLEMENTATION) && !defined(TURBOHTTP_IMPLEMENTED) &&                        \
    !defined(TURBOHTTP_TLS_BEARSSL_FIRST)
/** Private: the implementation of turbohttp.h follows, and needs to know that there is a provider.
 *  When it came before, C lets us fill in what it left open; C++ does not. */
#define TURBOHTTP_TLS_BEARSSL_FIRST 1
struct turbohttp_tls_provider;
static const struct turbohttp_tls_provider *turbohttp_tls_bearssl_first(void);
#elif defined(TURBOHTTP_IMPLEMENTED) && !defined(TURBOHTTP_TLS_BEARSSL_FIRST) &&                   \
    defined(__cplusplus)
#error "in C++ include turbohttp_tls_bearssl.h before turbohttp.h where TURBOHTTP_IMPLEMENTATION is"
#endif
