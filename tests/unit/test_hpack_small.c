/* The same as test_hpack.c, built for size: no pairs of symbols, no whole strings at once. */
#define TURBOHTTP_SMALL
#include "test_hpack.c"
