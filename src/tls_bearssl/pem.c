/* PEM: finding blocks and decoding them.
 * Owns nothing. Input: text of any origin, or DER elements one after the other; everything outside
 * of blocks is skipped. Does not know: what a block is for. */
#include "pem.h"

static const char tbh_pem_opening[] = "-----BEGIN ";
static const char tbh_pem_closing[] = "-----END ";

/* Position of `text` in [from, in.length), or in.length. */
static size_t tbh_pem_search(tbh_der in, size_t from, const char *text) {
    size_t n = strlen(text);
    while (from + n <= in.length) {
        const void *at = memchr(in.data + from, text[0], in.length - from - n + 1);
        if (!at) break;
        from = (size_t)((const unsigned char *)at - in.data);
        if (memcmp(at, text, n) == 0) return from;
        from++;
    }
    return in.length;
}

/* '0' begins lines of text, too. In what comes here the length is long, as of any certificate, or a
 * number follows, as in any key; neither is text. Cut behind the first byte it may become one. */
static bool tbh_pem_is_der(tbh_der in, size_t from) {
    size_t left = in.length - from;
    const unsigned char *at = in.data + from;
    if (left == 0 || at[0] != TBH_DER_SEQUENCE) return false;
    if (left > 1 && at[1] >= 0x80) return at[1] > 0x80 && at[1] < 0x84;
    return left < 3 || at[2] == TBH_DER_INTEGER;
}

static bool tbh_pem_find_der(tbh_der in, size_t from, tbh_pem *pem) {
    tbh_der rest = {in.data + from, in.length - from}, value;
    unsigned tag;
    memset(pem, 0, sizeof *pem);
    pem->label = "";
    pem->begin = from;
    if (!tbh_der_next(&rest, &tag, &value, &pem->content)) return false;
    pem->end = from + pem->content.length;
    return true;
}

TBH_BEAR_FN bool tbh_pem_find(tbh_der in, size_t from, tbh_pem *pem, size_t *begin) {
    *begin = from;
    if (tbh_pem_is_der(in, from)) return tbh_pem_find_der(in, from, pem);
    size_t open = tbh_pem_search(in, from, tbh_pem_opening);
    size_t label = open + sizeof tbh_pem_opening - 1;
    *begin = open;
    if (open == in.length) {
        size_t kept = sizeof tbh_pem_opening - 2; /* of an opening that is cut */
        *begin = in.length > from + kept ? in.length - kept : from;
        return false;
    }
    size_t text = tbh_pem_search(in, label, "-----");
    size_t close = tbh_pem_search(in, text + 5, tbh_pem_closing); /* "-----" is not shared */
    if (close == in.length) return false;
    pem->begin = open;
    pem->end = close + sizeof tbh_pem_closing - 1;
    pem->label = (const char *)in.data + label;
    pem->label_length = text - label;
    pem->content.data = in.data + text + 5;
    pem->content.length = close - text - 5;
    return true;
}

TBH_BEAR_FN bool tbh_pem_is(const tbh_pem *pem, const char *label) {
    return pem->label_length == strlen(label) && memcmp(pem->label, label, pem->label_length) == 0;
}

static int tbh_pem_digit(unsigned char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

TBH_BEAR_FN size_t tbh_pem_decode(const tbh_pem *pem, unsigned char *to) {
    uint32_t bits = 0;
    unsigned count = 0;
    size_t n = 0;
    if (pem->label_length == 0) {
        memcpy(to, pem->content.data, pem->content.length);
        return pem->content.length;
    }
    for (size_t i = 0; i < pem->content.length; i++) {
        unsigned char c = pem->content.data[i];
        int digit = tbh_pem_digit(c);
        if (digit < 0 && c != '=' && c > ' ') return 0; /* "Proc-Type:" of an encrypted key */
        if (digit < 0) continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        to[n++] = (unsigned char)(bits >> count);
    }
    return n;
}
