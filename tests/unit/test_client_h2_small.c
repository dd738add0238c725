/* The same as test_client_h2.c, built for size: four streams, small windows, no short ways. */
#define TURBOHTTP_SMALL
#include "test_client_h2.c"
