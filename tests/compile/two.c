/* A second translation unit: declarations only (or a copy of its own with TURBOHTTP_STATIC). */
#ifdef TURBOHTTP_STATIC
#define TURBOHTTP_IMPLEMENTATION
#endif
#include "turbohttp.h"

int declared_only(void);

int declared_only(void) {
    return turbohttp_status_name(TURBOHTTP_OK)[0] == 'T' ? 0 : 1;
}
