#include "../api/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Name the provider: for `tls_providers` of a client that shall use it, and
 * nothing that is built in.
 *
 * Returns: a table that is valid for ever. Thread: any.
 */
TURBOHTTP_API const turbohttp_tls_provider *turbohttp_tls_bearssl(void);

/** Memory of one connection beyond `buffer_bytes` (or, when that is 0, two
 *  whole records), in bytes; a handshake takes up to 24 KiB more for a while.
 *  For TURBOHTTP_FIXED_BYTES in fixed-memory mode. */
#define TURBOHTTP_TLS_BEARSSL_BYTES 4096

#ifdef __cplusplus
}
#endif
