/* The chunked decoder beside a reference that is written from the grammar and reads whole input.
 * The first byte seeds the splits; the rest is the input.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_chunked.c */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

typedef struct result {
    turbohttp_status status;
    size_t used, length;
    char *body;
} result;

/* ---- the reference: recursive descent over a string, as RFC 9112 §7.1 is written */
typedef struct text {
    const char *p, *end;
} text;

static size_t skip_blanks(text *t) {
    size_t n = 0;
    for (; t->p < t->end && (*t->p == ' ' || *t->p == '\t'); t->p++) n++;
    return n;
}

static bool take(text *t, char c) {
    if (t->p == t->end || *t->p != c) return false;
    t->p++;
    return true;
}

static bool token(text *t) {
    const char *start = t->p;
    while (t->p < t->end && tbh_is_token_char((uint8_t)*t->p)) t->p++;
    return t->p > start;
}

static bool quoted(text *t) {
    if (!take(t, '"')) return false;
    for (; t->p < t->end; t->p++) {
        if (*t->p == '"') return take(t, '"');
        if (*t->p == '\\' && ++t->p == t->end) return false;
        if (!tbh_is_field_value(t->p, 1)) return false;
    }
    return false;
}

static bool extensions(text *t) {
    while (t->p < t->end) {
        skip_blanks(t);
        if (!take(t, ';')) return false;
        skip_blanks(t);
        if (!token(t)) return false;
        const char *mark = t->p;
        skip_blanks(t);
        if (!take(t, '=')) {
            t->p = mark;
            continue;
        }
        skip_blanks(t);
        if (!token(t) && !quoted(t)) return false;
    }
    return true;
}

/* A line without its CRLF. */
static bool line(const char *p, size_t n, uint64_t *size) {
    text t = {p, p + n};
    *size = 0;
    for (; t.p < t.end && tbh_hex_value((uint8_t)*t.p) >= 0; t.p++) {
        if (*size >> 59) return false;
        *size = *size * 16 + (uint64_t)tbh_hex_value((uint8_t)*t.p);
    }
    return t.p > p && extensions(&t);
}

static turbohttp_status reference(const char *p, size_t n, result *r) {
    size_t at = 0;
    uint64_t overhead = 0, size;
    for (;;) {
        size_t cr = at;
        while (cr < n && p[cr] != '\r' && p[cr] != '\n' && cr - at <= 256) cr++;
        if (cr - at > 256) return TURBOHTTP_ERR_CHUNK_OVERHEAD;
        if (cr == n) return TURBOHTTP_PENDING; /* or an error inside: the caller compares loosely */
        if (p[cr] == '\n' || !line(p + at, cr - at, &size)) return TURBOHTTP_ERR_CHUNK;
        if (cr + 1 == n) return TURBOHTTP_PENDING;
        if (p[cr + 1] != '\n') return TURBOHTTP_ERR_CHUNK;
        overhead += cr + 2 - at + (size ? 2 : 0);
        if (overhead > 16384 + 16 * (uint64_t)r->length) return TURBOHTTP_ERR_CHUNK_OVERHEAD;
        at = cr + 2;
        r->used = at;
        if (size == 0) return TURBOHTTP_DONE;
        size_t take_now = size < n - at ? (size_t)size : n - at;
        memcpy(r->body + r->length, p + at, take_now);
        r->length += take_now;
        at += take_now;
        if (take_now < size || at == n) return TURBOHTTP_PENDING;
        if (p[at] != '\r') return TURBOHTTP_ERR_CHUNK;
        if (at + 1 == n) return TURBOHTTP_PENDING;
        if (p[at + 1] != '\n') return TURBOHTTP_ERR_CHUNK;
        at += 2;
    }
}

/* ---- the decoder, in pieces */
static turbohttp_status decode(const char *p, size_t n, unsigned seed, result *r) {
    turbohttp_chunked c;
    turbohttp_chunked_init(&c);
    turbohttp_status status = TURBOHTTP_PENDING;
    for (size_t at = 0; at < n && status == TURBOHTTP_PENDING;) {
        seed = seed * 1103515245u + 12345u;
        size_t piece = seed >> 31 ? n - at : 1 + (seed >> 16) % 64;
        if (piece > n - at) piece = n - at;
        uint8_t *copy = (uint8_t *)malloc(piece);
        memcpy(copy, p + at, piece);
        const uint8_t *in = copy;
        size_t left = piece;
        turbohttp_span data;
        while ((status = turbohttp_chunked_next(&c, &in, &left, &data)) == TURBOHTTP_OK) {
            if (data.length == 0) abort();
            memcpy(r->body + r->length, data.data, data.length);
            r->length += data.length;
        }
        at += piece - left;
        r->used = at;
        free(copy);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    const char *p = (const char *)data + 1;
    size_t n = size - 1;
    result expected = {TURBOHTTP_OK, 0, 0, (char *)malloc(size)}, got = {TURBOHTTP_OK, 0, 0, (char *)malloc(size)};
    expected.status = reference(p, n, &expected);
    got.status = decode(p, n, data[0], &got);
    /* In an unfinished line the decoder may already know what the reference sees at the line's end,
     * and a line that is both bad and too long is refused for what comes first. */
    bool early = expected.status == TURBOHTTP_PENDING && got.status == TURBOHTTP_ERR_CHUNK;
    bool both = expected.status == TURBOHTTP_ERR_CHUNK_OVERHEAD && got.status == TURBOHTTP_ERR_CHUNK;
    if (got.status != expected.status && !early && !both) abort();
    if (got.length != expected.length || memcmp(got.body, expected.body, got.length) != 0) abort();
    if (got.status == TURBOHTTP_DONE && got.used != expected.used) abort();
    free(expected.body);
    free(got.body);
    return 0;
}
