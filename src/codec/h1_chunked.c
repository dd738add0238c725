/* The chunked coding: hands out runs of body bytes inside the input, and writes chunk heads.
 *
 * Owns nothing. A chunk's line goes through a table (state x class of byte -> state), unless all of
 * it is there and is digits and CRLF, which is how nearly every line looks.
 * Input language: RFC 9112 §7.1 to the letter: a size of at least one digit below 2^63, well-formed
 * extensions (which mean nothing to us), blanks only where the grammar has BWS, never before CRLF.
 * Bounds: one line, and the sum of all framing in proportion to the body (Go CVE-2023-39326).
 * Does not know: trailers (h1_head.c), where the bytes come from, what the body means. */
#include "h1_chunked.h"

#define TBH_CHUNK_LINE_BYTES 256
#define TBH_CHUNK_OVERHEAD   16384
#define TBH_CHUNK_PER_BYTE   16
/* Credit stops growing here, so that it cannot overflow; a body is never that thin. */
#define TBH_CHUNK_CREDIT     ((int64_t)1 << 60)
#define TBH_CHUNK_FAST       12 /* bytes that a plain line of up to ten digits can have */

/* States of a line; those from CHUNK_DATA on are not in the table. */
enum {
    TBH_CHUNK_START,     /* before the first digit */
    TBH_CHUNK_SIZE,      /* after a digit */
    TBH_CHUNK_BLANK,     /* BWS that only ';' may end */
    TBH_CHUNK_SEMICOLON, /* after ';', BWS included */
    TBH_CHUNK_NAME,      /* in an extension's name */
    TBH_CHUNK_NAME_END,  /* BWS after the name */
    TBH_CHUNK_EQUALS,    /* after '=', BWS included */
    TBH_CHUNK_TOKEN,     /* in a value */
    TBH_CHUNK_QUOTED,    /* in a quoted value */
    TBH_CHUNK_ESCAPE,    /* after a backslash there */
    TBH_CHUNK_UNQUOTED,  /* after the closing quote */
    TBH_CHUNK_CR,        /* LF must follow */
    TBH_CHUNK_LINE_END,  /* the line is complete */
    TBH_CHUNK_ROWS = TBH_CHUNK_CR,
    TBH_CHUNK_DATA = 16,
    TBH_CHUNK_DATA_CR, /* CRLF must follow the data */
    TBH_CHUNK_DATA_LF,
    TBH_CHUNK_LAST,
    TBH_CHUNK_BAD_LINE, /* the two errors, kept */
    TBH_CHUNK_BAD_OVERHEAD
};

enum { /* classes of bytes */
       TBH_CHUNK_C_HEX,
       TBH_CHUNK_C_TCHAR,
       TBH_CHUNK_C_SEMICOLON,
       TBH_CHUNK_C_EQUALS,
       TBH_CHUNK_C_BLANK,
       TBH_CHUNK_C_QUOTE,
       TBH_CHUNK_C_BACKSLASH,
       TBH_CHUNK_C_CR,
       TBH_CHUNK_C_TEXT,
       TBH_CHUNK_C_BAD,
       TBH_CHUNK_CLASSES
};

#define TBH_CHUNK_NO TBH_CHUNK_BAD_LINE

/* clang-format off */
static const uint8_t tbh_chunk_next[TBH_CHUNK_ROWS][TBH_CHUNK_CLASSES] = {
    /*               hex                 tchar               ;                    =                 blank               "                   backslash         CR            text              bad */
    /* START */     {TBH_CHUNK_SIZE,     TBH_CHUNK_NO,              TBH_CHUNK_NO,               TBH_CHUNK_NO,            TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* SIZE */      {TBH_CHUNK_SIZE,     TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* BLANK */     {TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* SEMICOLON */ {TBH_CHUNK_NAME,     TBH_CHUNK_NAME,     TBH_CHUNK_NO,               TBH_CHUNK_NO,            TBH_CHUNK_SEMICOLON,TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* NAME */      {TBH_CHUNK_NAME,     TBH_CHUNK_NAME,     TBH_CHUNK_SEMICOLON, TBH_CHUNK_EQUALS, TBH_CHUNK_NAME_END, TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* NAME_END */  {TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_EQUALS, TBH_CHUNK_NAME_END, TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* EQUALS */    {TBH_CHUNK_TOKEN,    TBH_CHUNK_TOKEN,    TBH_CHUNK_NO,               TBH_CHUNK_NO,            TBH_CHUNK_EQUALS,   TBH_CHUNK_QUOTED,   TBH_CHUNK_NO,            TBH_CHUNK_NO,        TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* TOKEN */     {TBH_CHUNK_TOKEN,    TBH_CHUNK_TOKEN,    TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
    /* QUOTED */    {TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,    TBH_CHUNK_QUOTED, TBH_CHUNK_QUOTED,   TBH_CHUNK_UNQUOTED, TBH_CHUNK_ESCAPE, TBH_CHUNK_NO,        TBH_CHUNK_QUOTED, TBH_CHUNK_NO},
    /* ESCAPE */    {TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,    TBH_CHUNK_QUOTED, TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED,   TBH_CHUNK_QUOTED, TBH_CHUNK_NO,        TBH_CHUNK_QUOTED, TBH_CHUNK_NO},
    /* UNQUOTED */  {TBH_CHUNK_NO,              TBH_CHUNK_NO,              TBH_CHUNK_SEMICOLON, TBH_CHUNK_NO,            TBH_CHUNK_BLANK,    TBH_CHUNK_NO,              TBH_CHUNK_NO,            TBH_CHUNK_CR, TBH_CHUNK_NO,            TBH_CHUNK_NO},
};
/* clang-format on */

static unsigned tbh_chunk_class(uint8_t c) {
    if (tbh_hex_value(c) >= 0) return TBH_CHUNK_C_HEX;
    if (tbh_is_token_char(c)) return TBH_CHUNK_C_TCHAR;
    switch (c) {
    case ';': return TBH_CHUNK_C_SEMICOLON;
    case '=': return TBH_CHUNK_C_EQUALS;
    case ' ':
    case '\t': return TBH_CHUNK_C_BLANK;
    case '"': return TBH_CHUNK_C_QUOTE;
    case '\\': return TBH_CHUNK_C_BACKSLASH;
    case '\r': return TBH_CHUNK_C_CR;
    default: return c < 0x20 || c == 0x7f ? TBH_CHUNK_C_BAD : TBH_CHUNK_C_TEXT;
    }
}

TURBOHTTP_API void turbohttp_chunked_init(turbohttp_chunked *chunked) {
    memset(chunked, 0, sizeof *chunked);
    chunked->budget = TBH_CHUNK_OVERHEAD;
    chunked->state = TBH_CHUNK_START;
}

/* ------------------------------------------------------------ the line of a chunk */
/* One byte of a line, one step; errors are states too. */
static uint8_t tbh_chunk_step(turbohttp_chunked *c, uint8_t byte) {
    if (c->state == TBH_CHUNK_CR) return byte == '\n' ? TBH_CHUNK_LINE_END : TBH_CHUNK_BAD_LINE;
    uint8_t to = tbh_chunk_next[c->state][tbh_chunk_class(byte)];
    if (to < TBH_CHUNK_CR && c->line_length == TBH_CHUNK_LINE_BYTES) return TBH_CHUNK_BAD_OVERHEAD;
    c->line_length++;
    if (to != TBH_CHUNK_SIZE) return to;
    if (c->remaining > (uint64_t)INT64_MAX >> 4) return TBH_CHUNK_BAD_LINE;
    c->remaining = c->remaining << 4 | (uint64_t)tbh_hex_value(byte);
    return to;
}

/* The line is complete; `bytes` is its length with CRLF. The CRLF after the data, which must come,
 * is paid here as well. */
static void tbh_chunk_line_done(turbohttp_chunked *c, unsigned bytes) {
    c->line_length = 0;
    c->budget -= (int64_t)bytes + (c->remaining ? 2 : 0);
    c->state = c->budget < 0  ? TBH_CHUNK_BAD_OVERHEAD
               : c->remaining ? TBH_CHUNK_DATA
                              : TBH_CHUNK_LAST;
}

static const uint8_t *tbh_chunk_line(turbohttp_chunked *c, const uint8_t *p, const uint8_t *end) {
    while (p < end && c->state < TBH_CHUNK_LINE_END) c->state = tbh_chunk_step(c, *p++);
    if (c->state == TBH_CHUNK_LINE_END) tbh_chunk_line_done(c, c->line_length + 1u);
    return p;
}

/* The bytes of a line of digits and CRLF, and its size; 0 for any other line. TBH_CHUNK_FAST bytes
 * are there. */
TBH_ALWAYS_INLINE unsigned tbh_chunk_plain_line(const uint8_t *p, uint64_t *size) {
    unsigned n = 0;
    *size = 0;
    for (int digit; n < TBH_CHUNK_FAST - 2 && (digit = tbh_hex_value(p[n])) >= 0; n++)
        *size = *size << 4 | (uint64_t)digit;
    return n && p[n] == '\r' && p[n + 1] == '\n' ? n + 2 : 0;
}

/* ------------------------------------------------------------ data */
static const uint8_t *tbh_chunk_data_end(turbohttp_chunked *c, const uint8_t *p,
                                         const uint8_t *end) {
    if (c->state == TBH_CHUNK_DATA_CR && p < end)
        c->state = *p++ == '\r' ? TBH_CHUNK_DATA_LF : TBH_CHUNK_BAD_LINE;
    if (c->state == TBH_CHUNK_DATA_LF && p < end)
        c->state = *p++ == '\n' ? TBH_CHUNK_START : TBH_CHUNK_BAD_LINE;
    return p;
}

/* Hands out what is there of the chunk, and takes the CRLF behind it at once if it is there. */
static const uint8_t *tbh_chunk_data(turbohttp_chunked *c, const uint8_t *p, const uint8_t *end,
                                     turbohttp_span *data) {
    size_t n = (size_t)(end - p);
    if (n > c->remaining) n = (size_t)c->remaining;
    *data = tbh_span((const char *)p, n);
    p += n;
    c->remaining -= n;
    if (c->budget < TBH_CHUNK_CREDIT) c->budget += (int64_t)n * TBH_CHUNK_PER_BYTE;
    if (c->remaining) return p;
    bool crlf = end - p >= 2 && p[0] == '\r' && p[1] == '\n';
    c->state = crlf ? TBH_CHUNK_START : TBH_CHUNK_DATA_CR;
    return crlf ? p + 2 : p;
}

/* A whole chunk at once, from its line to the CRLF behind its data; false, and nothing used, when it
 * is not all there or not plain. Most chunks of most bodies come this way. */
TBH_ALWAYS_INLINE bool tbh_chunk_whole(turbohttp_chunked *c, const uint8_t **in, size_t *in_length,
                                       turbohttp_span *data) {
    uint64_t size;
    const uint8_t *p = *in;
    if (*in_length < TBH_CHUNK_FAST) return false;
    unsigned line = tbh_chunk_plain_line(p, &size);
    if (line == 0 || size == 0 || *in_length - line < size || *in_length - line - size < 2)
        return false;
    const uint8_t *after = p + line + (size_t)size;
    int64_t budget = c->budget - (int64_t)line - 2;
    if (budget < 0 || after[0] != '\r' || after[1] != '\n') return false;
    c->budget = budget < TBH_CHUNK_CREDIT ? budget + (int64_t)size * TBH_CHUNK_PER_BYTE : budget;
    *data = tbh_span((const char *)p + line, (size_t)size);
    *in = after + 2;
    *in_length -= line + (size_t)size + 2;
    return true;
}

static turbohttp_status tbh_chunk_final(unsigned state) {
    switch (state) {
    case TBH_CHUNK_LAST: return TURBOHTTP_DONE;
    case TBH_CHUNK_BAD_LINE: return TURBOHTTP_ERR_CHUNK;
    case TBH_CHUNK_BAD_OVERHEAD: return TURBOHTTP_ERR_CHUNK_OVERHEAD;
    default: return TURBOHTTP_PENDING;
    }
}

/* The general way: any part of a chunk, byte by byte where there are not many. */
static TBH_NOINLINE turbohttp_status tbh_chunk_piece(turbohttp_chunked *c, const uint8_t **in,
                                                     size_t *in_length, turbohttp_span *data) {
    if (*in_length == 0) return tbh_chunk_final(c->state);
    const uint8_t *p = *in, *end = p + *in_length;
    if (c->state == TBH_CHUNK_DATA_CR || c->state == TBH_CHUNK_DATA_LF)
        p = tbh_chunk_data_end(c, p, end);
    if (c->state < TBH_CHUNK_LINE_END) p = tbh_chunk_line(c, p, end);
    bool has_data = c->state == TBH_CHUNK_DATA && p < end;
    if (has_data) p = tbh_chunk_data(c, p, end, data);
    *in = p;
    *in_length = (size_t)(end - p);
    return has_data ? TURBOHTTP_OK : tbh_chunk_final(c->state);
}

TURBOHTTP_API turbohttp_status turbohttp_chunked_next(turbohttp_chunked *chunked,
                                                      const uint8_t **in, size_t *in_length,
                                                      turbohttp_span *data) {
    if (chunked->state == TBH_CHUNK_START && tbh_chunk_whole(chunked, in, in_length, data))
        return TURBOHTTP_OK;
    return tbh_chunk_piece(chunked, in, in_length, data);
}

TBH_FN size_t tbh_chunk_head_write(char out[20], uint64_t size) {
    size_t digits = 1, n = 0;
    while (digits < 16 && size >> (4 * digits)) digits++;
    while (digits--) out[n++] = "0123456789abcdef"[size >> (4 * digits) & 15];
    out[n++] = '\r';
    out[n++] = '\n';
    return n;
}
