/* The first header with its implementation, then the second: C fills in what was left open. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "tls_first.c"
