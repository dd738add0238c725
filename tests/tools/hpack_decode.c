/* The HPACK decoder, line by line. Reads `T n` (we sent SETTINGS_HEADER_TABLE_SIZE n, the peer has
 * acknowledged it), `B hex` (a header block) and `R` (a new connection), and answers a block with
 * `F hexname hexvalue` for each field (`-` where empty) and `.`, or with `E` if it is malformed; then
 * every block is, up to the next `R`. `-s` gives each byte of a block alone. See tests/e2e/test_hpack.py. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "../support/plain_allocator.h"
#include <stdio.h>

#define TABLE_BYTES (64u << 20)
#define LINE_BYTES  (8u << 20)

#define LIST_BYTES  (64u << 20) /* a longer list counts as malformed */

static void put_hex(turbohttp_writer *answer, turbohttp_span text) {
    char *out;
    if (text.length == 0) turbohttp_writer_put_byte(answer, '-');
    if (turbohttp_writer_reserve(answer, 2 * text.length, &out) != TURBOHTTP_OK) return;
    for (size_t i = 0; i < text.length; i++) {
        *out++ = "0123456789abcdef"[(uint8_t)text.data[i] >> 4];
        *out++ = "0123456789abcdef"[text.data[i] & 15];
    }
    turbohttp_writer_commit(answer, 2 * text.length);
}

static size_t unhex(const char *p, uint8_t *out) {
    size_t n = 0;
    for (; tbh_hex_value((uint8_t)p[0]) >= 0 && tbh_hex_value((uint8_t)p[1]) >= 0; p += 2)
        out[n++] = (uint8_t)(tbh_hex_value((uint8_t)p[0]) << 4 | tbh_hex_value((uint8_t)p[1]));
    return n;
}

static turbohttp_status decode_piece(turbohttp_hpack_decoder *d, const uint8_t *in, size_t n,
                                     turbohttp_writer *answer) {
    turbohttp_hpack_field field;
    turbohttp_status status;
    while ((status = turbohttp_hpack_decode(d, &in, &n, &field)) == TURBOHTTP_OK) {
        turbohttp_writer_put_text(answer, "F ");
        put_hex(answer, field.name);
        turbohttp_writer_put_byte(answer, ' ');
        put_hex(answer, field.value);
        turbohttp_writer_put_byte(answer, '\n');
    }
    return status;
}

static void decode_block(turbohttp_hpack_decoder *d, const uint8_t *in, size_t n, size_t piece,
                         turbohttp_writer *answer) {
    turbohttp_status status = TURBOHTTP_PENDING;
    for (size_t at = 0; at < n && status == TURBOHTTP_PENDING; at += piece)
        status = decode_piece(d, in + at, tbh_min_size(piece, n - at), answer);
    if (status == TURBOHTTP_PENDING) status = turbohttp_hpack_decode_end(d);
    if (status == TURBOHTTP_OK && answer->length) fwrite(answer->data, 1, answer->length, stdout);
    puts(status == TURBOHTTP_OK ? "." : "E");
    turbohttp_writer_clear(answer);
}

int main(int argc, char **argv) {
    size_t bytes = TURBOHTTP_HPACK_DECODER_BYTES(TABLE_BYTES);
    size_t piece = argc > 1 && strcmp(argv[1], "-s") == 0 ? 1 : LINE_BYTES;
    void *memory = malloc(bytes), *scratch = malloc(TABLE_BYTES);
    char *line = (char *)malloc(LINE_BYTES);
    uint8_t *block = (uint8_t *)malloc(LINE_BYTES / 2);
    turbohttp_byte_pool pool;
    turbohttp_writer answer;
    turbohttp_hpack_decoder d;
    if (!memory || !scratch || !line || !block) return 1;
    turbohttp_byte_pool_init(&pool, &plain_allocator, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&answer, &pool, 0);
    turbohttp_hpack_decoder_init(&d, memory, bytes, TABLE_BYTES, scratch, TABLE_BYTES, LIST_BYTES);
    while (fgets(line, LINE_BYTES, stdin)) {
        if (line[0] == 'R')
            turbohttp_hpack_decoder_init(&d, memory, bytes, TABLE_BYTES, scratch, TABLE_BYTES, LIST_BYTES);
        if (line[0] == 'T') turbohttp_hpack_decoder_resize(&d, (uint32_t)strtoul(line + 2, NULL, 10));
        if (line[0] == 'B') decode_block(&d, block, line[1] == ' ' ? unhex(line + 2, block) : 0, piece, &answer);
        fflush(stdout);
    }
    turbohttp_writer_reset(&answer);
    turbohttp_byte_pool_destroy(&pool);
    free(block);
    free(line);
    free(scratch);
    free(memory);
    return 0;
}
