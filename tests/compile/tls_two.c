/* Declarations only, as every other file of a program has them; with TURBOHTTP_STATIC a whole copy. */
#ifdef TURBOHTTP_STATIC
#define TURBOHTTP_IMPLEMENTATION
#endif
#include "turbohttp_tls_bearssl.h"

const turbohttp_tls_provider *tls_of_the_other_file(void);

const turbohttp_tls_provider *tls_of_the_other_file(void) {
    return turbohttp_tls_bearssl();
}
