/* Memory from the client's allocator, and the record of an error. */
#pragma once
#include <bearssl.h>
#include <string.h>
#include "provider.h"

/* Private to the header; external when a file of src/ is compiled alone. */
#ifdef TBH_BEAR_AMALGAM
#define TBH_BEAR_FN static
#else
#define TBH_BEAR_FN extern
#endif

TBH_BEAR_FN void *tbh_bear_allocate(const turbohttp_tls_host *host, size_t size);
TBH_BEAR_FN void tbh_bear_release(const turbohttp_tls_host *host, void *block, size_t size);
/* Writes the record: the sentence is a, b and c. */
TBH_BEAR_FN void tbh_bear_say(turbohttp_error *error, turbohttp_status status, const char *a,
                              const char *b, const char *c);
TBH_BEAR_FN void tbh_bear_add(turbohttp_error *error, const char *text);
/* Overwrites in a way that the compiler keeps. */
TBH_BEAR_FN void tbh_bear_wipe(void *p, size_t n);
