/* DER (X.690), as far as certificates use it. */
#pragma once
#include "base.h"

/* Read-only bytes of a certificate. */
typedef struct tbh_der {
    const unsigned char *data;
    size_t length;
} tbh_der;

enum {
    TBH_DER_BOOLEAN = 0x01,
    TBH_DER_INTEGER = 0x02,
    TBH_DER_BIT_STRING = 0x03,
    TBH_DER_OCTET_STRING = 0x04,
    TBH_DER_OID = 0x06,
    TBH_DER_UTC_TIME = 0x17,
    TBH_DER_TIME = 0x18,
    TBH_DER_SEQUENCE = 0x30,
    TBH_DER_SET = 0x31
};

/* Takes the first element off `in`. False at the end, and when it is malformed. `whole` (may be
 * NULL) includes the tag and the length. */
TBH_BEAR_FN bool tbh_der_next(tbh_der *in, unsigned *tag, tbh_der *value, tbh_der *whole);
/* As above, but only when the element has this tag; `in` and `value` are untouched otherwise. */
TBH_BEAR_FN bool tbh_der_take(tbh_der *in, unsigned tag, tbh_der *value);
TBH_BEAR_FN bool tbh_der_equal(tbh_der a, tbh_der b);
/* The value of an OID is these bytes. */
TBH_BEAR_FN bool tbh_der_is(tbh_der oid, const char *bytes, size_t length);
/* UTCTime or GeneralizedTime in UTC, as seconds since 1970; 0 before that, or malformed. */
TBH_BEAR_FN uint64_t tbh_der_time(unsigned tag, tbh_der text);
