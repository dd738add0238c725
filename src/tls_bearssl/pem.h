/* PEM (RFC 7468): labelled base64 between two lines. */
#pragma once
#include "der.h"

/* One block of a text, or one DER element where there is no text. */
typedef struct tbh_pem {
    size_t begin, end; /* of the whole block in what was searched */
    const char *label; /* behind "-----BEGIN "; "" for DER */
    size_t label_length;
    tbh_der content; /* base64, or DER itself */
} tbh_pem;

/* Finds the first block at or after `from`. False: none is complete; *begin is then where one
 * starts that more bytes could complete, or the length. */
TBH_BEAR_FN bool tbh_pem_find(tbh_der in, size_t from, tbh_pem *pem, size_t *begin);
TBH_BEAR_FN bool tbh_pem_is(const tbh_pem *pem, const char *label);
/* Decodes the content into `to`, which has room for as many bytes as the content has. Its length;
 * 0 when malformed. */
TBH_BEAR_FN size_t tbh_pem_decode(const tbh_pem *pem, unsigned char *to);
