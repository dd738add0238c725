/* The HPACK encoder, line by line. Reads `T n` (the peer sent SETTINGS_HEADER_TABLE_SIZE n),
 * `F hexname hexvalue` (a field, `-` where empty), `.` (the block's end) and `R` (a new connection),
 * and answers each `.` with `B hex`. See tests/e2e/test_hpack.py. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "../support/plain_allocator.h"
#include <stdio.h>

#define TABLE_BYTES (1u << 20)
#define LINE_BYTES  (8u << 20)

/* Decodes in place. */
static turbohttp_span unhex(char **p) {
    char *start = *p, *out = *p, *in = *p;
    for (; tbh_hex_value((uint8_t)in[0]) >= 0 && tbh_hex_value((uint8_t)in[1]) >= 0; in += 2)
        *out++ = (char)(tbh_hex_value((uint8_t)in[0]) << 4 | tbh_hex_value((uint8_t)in[1]));
    if (*in == '-') in++;
    *p = *in == ' ' ? in + 1 : in;
    return tbh_span(start, (size_t)(out - start));
}

static bool encode_field(turbohttp_hpack_encoder *e, char *p, turbohttp_writer *w) {
    turbohttp_hpack_field field;
    field.name = unhex(&p);
    field.value = unhex(&p);
    field.never_indexed = false;
    return turbohttp_hpack_encode(e, &field, w) == TURBOHTTP_OK;
}

static void end_block(turbohttp_hpack_encoder *e, turbohttp_writer *w) {
    if (w->length == 0) turbohttp_hpack_encode_begin(e, w);
    fputs("B ", stdout);
    for (size_t i = 0; i < w->length; i++) {
        putchar("0123456789abcdef"[(uint8_t)w->data[i] >> 4]);
        putchar("0123456789abcdef"[w->data[i] & 15]);
    }
    putchar('\n');
    fflush(stdout);
    turbohttp_writer_clear(w);
}

int main(void) {
    size_t bytes = TURBOHTTP_HPACK_ENCODER_BYTES(TABLE_BYTES);
    void *memory = malloc(bytes);
    char *line = (char *)malloc(LINE_BYTES);
    turbohttp_byte_pool pool;
    turbohttp_writer w;
    turbohttp_hpack_encoder e;
    if (!memory || !line) return 1;
    turbohttp_byte_pool_init(&pool, &plain_allocator, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&w, &pool, 0);
    turbohttp_hpack_encoder_init(&e, memory, bytes, TABLE_BYTES);
    while (fgets(line, LINE_BYTES, stdin)) {
        if (line[0] == 'R') turbohttp_hpack_encoder_init(&e, memory, bytes, TABLE_BYTES);
        if (line[0] == 'R') turbohttp_writer_clear(&w);
        if (line[0] == 'T') turbohttp_hpack_encoder_resize(&e, (uint32_t)strtoul(line + 2, NULL, 10));
        if (line[0] == 'F' && !encode_field(&e, line + 2, &w)) return 2;
        if (line[0] == '.') end_block(&e, &w);
    }
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_destroy(&pool);
    free(line);
    free(memory);
    return 0;
}
