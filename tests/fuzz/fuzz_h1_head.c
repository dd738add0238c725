/* Heads, strict and lenient, and trailers: every way of splitting the bytes must come to the same end
 * as the whole, and what is accepted strictly is accepted leniently with the same result.
 * The first bytes choose limits, mode and splits; the rest is the input.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_h1_head.c */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

#define CONTROL 6
#define ROWS    32

typedef struct outcome {
    turbohttp_status status;
    uint64_t offset;
    turbohttp_h1_head head;
    turbohttp_header rows[ROWS];
    uint32_t count;
    size_t consumed;
} outcome;

typedef struct input {
    char *text;
    size_t length;
    bool trailer, was_head;
    bool lenient, keeps; /* keeps: what a call changed is there in the next one */
    turbohttp_head_limits limits;
} input;

/* One call on a copy of exactly n bytes, so that the sanitizer sees reads behind it. */
static turbohttp_status call(const input *in, turbohttp_h1_head_parser *parser, size_t n, outcome *o) {
    char *copy = (char *)malloc(n ? n : 1);
    if (n) memcpy(copy, in->text, n);
    o->status = in->lenient ? turbohttp_h1_head_parse_lenient(parser, copy, n, in->was_head, &in->limits, o->rows, ROWS,
                                                              &o->head, &o->offset)
                : in->trailer ? turbohttp_h1_trailer_parse(parser, copy, n, &in->limits, o->rows, ROWS, &o->count,
                                                         &o->consumed, &o->offset)
                            : turbohttp_h1_head_parse(parser, copy, n, in->was_head, &in->limits, o->rows, ROWS,
                                                      &o->head, &o->offset);
    if (o->status == TURBOHTTP_OK && !in->trailer) {
        o->count = o->head.header_count;
        o->consumed = o->head.head_length;
    }
    for (uint32_t i = 0; o->status == TURBOHTTP_OK && i < o->count; i++) {
        const turbohttp_header *h = &o->rows[i];
        if (h->name < copy || h->value < h->name || h->value + h->value_length > copy + n) abort();
        if (!tbh_is_token(h->name, h->name_length) || !tbh_is_field_value(h->value, h->value_length)) abort();
        if (h->id != tbh_header_id(h->name, h->name_length)) abort();
        o->rows[i].name = (const char *)(uintptr_t)(h->name - copy);
        o->rows[i].value = (const char *)(uintptr_t)(h->value - copy);
    }
    if (in->keeps && n) memcpy(in->text, copy, n);
    free(copy);
    return o->status;
}

static void run(const input *in, unsigned seed, bool whole, outcome *o) {
    turbohttp_h1_head_parser parser;
    turbohttp_h1_head_parser_init(&parser);
    memset(o, 0, sizeof *o);
    size_t n = whole ? in->length : 0;
    while (call(in, &parser, n, o) == TURBOHTTP_PENDING && n < in->length) {
        seed = seed * 1103515245u + 12345u;
        size_t step = 1 + (seed >> 16) % (1u << (seed >> 28));
        n = n + step < in->length ? n + step : in->length;
    }
    if (parser.attempts > 40) abort(); /* work stays linear */
}

static void compare(const outcome *a, const outcome *b) {
    if (a->status != b->status) abort();
    if (a->status < TURBOHTTP_OK && a->offset != b->offset) abort();
    if (a->status != TURBOHTTP_OK) return;
    if (a->count != b->count || a->consumed != b->consumed) abort();
    if (a->head.framing != b->head.framing || a->head.status != b->head.status) abort();
    if (a->head.content_length != b->head.content_length || a->head.keep_alive != b->head.keep_alive) abort();
    if (memcmp(a->rows, b->rows, a->count * sizeof a->rows[0]) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < CONTROL) return 0;
    input in;
    memset(&in, 0, sizeof in);
    /* Made complete, so that the end is definite: until then a fault may or may not be seen. */
    char *text = (char *)malloc(size - CONTROL + 4);
    memcpy(text, data + CONTROL, size - CONTROL);
    memcpy(text + size - CONTROL, "\r\n\r\n", 4);
    in.text = text;
    in.length = size - CONTROL + 4;
    in.trailer = data[0] & 1;
    in.was_head = (data[0] & 2) != 0;
    in.limits.head_bytes = data[1];
    in.limits.line_bytes = data[2];
    in.limits.header_count = data[3];
    outcome whole, split;
    if (!in.trailer && (data[0] & 4)) {
        outcome strict;
        run(&in, 0, true, &strict);
        in.lenient = true;
        run(&in, 0, true, &whole);
        if (strict.status == TURBOHTTP_OK) compare(&strict, &whole);
        run(&in, data[5], false, &split);
        compare(&whole, &split);
    } else {
        run(&in, 0, true, &whole);
    }
    if (whole.status == TURBOHTTP_PENDING && !in.lenient) abort();
    in.keeps = in.lenient;
    run(&in, data[4], false, &split);
    compare(&whole, &split);
    run(&in, data[5] * 7919u, false, &split);
    compare(&whole, &split);
    free(text);
    return 0;
}
