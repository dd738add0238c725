/* The same as test_conn_h2.c, built for size: what a peer sees is the same. */
#define TURBOHTTP_SMALL
#include "test_conn_h2.c"
