/* HPACK: decoding whole and in pieces gives the same; what was decoded, encoded and decoded again is
 * the same list; Huffman alone, there and back.
 *
 * Input: a byte that chooses sizes and cuts, then blocks, each behind its length in one byte. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "plain_allocator.h"

enum { TABLE = 512, SCRATCH = 2048 };

typedef struct side {
    turbohttp_hpack_decoder d;
    uint32_t memory[TURBOHTTP_HPACK_DECODER_BYTES(TABLE) / 4];
    uint8_t scratch[SCRATCH];
    uint64_t digest, secrets; /* of the fields; of their flags, to which the encoder may add */
} side;

static void must(bool condition) {
    if (!condition) abort();
}

static void digest(side *s, const turbohttp_hpack_field *field) {
    for (size_t i = 0; i < field->name.length; i++) s->digest = s->digest * 31 + (uint8_t)field->name.data[i];
    s->digest = s->digest * 31 + 1000;
    for (size_t i = 0; i < field->value.length; i++) s->digest = s->digest * 31 + (uint8_t)field->value.data[i];
    s->digest = s->digest * 31 + 2000;
    s->secrets = s->secrets * 31 + 1 + field->never_indexed;
}

/* One block in pieces; every field also goes to the encoder if there is one. */
static turbohttp_status decode(side *s, const uint8_t *block, size_t n, size_t step, turbohttp_hpack_encoder *e,
                               turbohttp_writer *w) {
    turbohttp_status status = TURBOHTTP_PENDING;
    turbohttp_hpack_field field;
    for (size_t at = 0; at < n; at += step) {
        size_t length = step < n - at ? step : n - at;
        uint8_t *piece = (uint8_t *)malloc(length);
        const uint8_t *in = piece;
        memcpy(piece, block + at, length);
        while ((status = turbohttp_hpack_decode(&s->d, &in, &length, &field)) == TURBOHTTP_OK) {
            digest(s, &field);
            if (e) must(turbohttp_hpack_encode(e, &field, w) == TURBOHTTP_OK);
        }
        must(status == TURBOHTTP_ERR_HPACK || length == 0);
        free(piece);
        if (status == TURBOHTTP_ERR_HPACK) return status;
    }
    return turbohttp_hpack_decode_end(&s->d);
}

static void side_init(side *s, uint32_t table, size_t list) {
    s->digest = s->secrets = 0;
    must(turbohttp_hpack_decoder_init(&s->d, s->memory, sizeof s->memory, table, s->scratch, SCRATCH, list) == TURBOHTTP_OK);
}

static void huffman(const uint8_t *data, size_t n) {
    uint8_t *coded = (uint8_t *)malloc(n + 8), *plain = (uint8_t *)malloc(n / 5 * 8 + 10);
    uint8_t *slow = (uint8_t *)malloc(n * 2 + 8), *out = slow;
    const uint8_t *in = data;
    tbh_huffman h = {0, 0};
    bool is_good = tbh_huffman_decode(&h, &in, data + n, &out, slow + n * 2) == TBH_HUFFMAN_OK && tbh_huffman_is_end(&h);
    uint8_t *end = tbh_huffman_decode_whole(data, n, plain);
    must(is_good == (end != NULL));
    if (is_good) must(end - plain == out - slow && memcmp(plain, slow, (size_t)(end - plain)) == 0);
    size_t length = tbh_huffman_encode(coded, data, n);
    if (length) {
        end = tbh_huffman_decode_whole(coded, length, plain);
        must(end == plain + n && memcmp(plain, data, n) == 0);
    }
    free(slow);
    free(plain);
    free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static side whole, pieces, again;
    static uint32_t memory[TURBOHTTP_HPACK_ENCODER_BYTES(TABLE) / 4];
    turbohttp_byte_pool pool;
    turbohttp_writer w;
    turbohttp_hpack_encoder e;
    if (size < 1) return 0;
    uint32_t table = data[0] & 1 ? TABLE : 100;
    size_t list = data[0] & 2 ? 300 : 0, step = 1 + (data[0] >> 2) % 7;
    huffman(data + 1, size - 1);
    side_init(&whole, table, list);
    side_init(&pieces, table, list);
    side_init(&again, table, 0);
    turbohttp_byte_pool_init(&pool, &plain_allocator, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&w, &pool, 0);
    must(turbohttp_hpack_encoder_init(&e, memory, sizeof memory, table) == TURBOHTTP_OK);
    for (size_t at = 1; at < size;) {
        size_t n = data[at++];
        if (n > size - at) n = size - at;
        turbohttp_status status = decode(&whole, data + at, n, n + 1, &e, &w);
        must(decode(&pieces, data + at, n, step, NULL, NULL) == status);
        must(whole.digest == pieces.digest && whole.secrets == pieces.secrets);
        must(whole.d.table.used == pieces.d.table.used);
        must(decode(&again, (const uint8_t *)w.data, w.length, step + 3, NULL, NULL) == TURBOHTTP_OK);
        must(whole.digest == again.digest && again.d.table.used == e.table.used);
        turbohttp_writer_clear(&w);
        at += n;
        if (status == TURBOHTTP_ERR_HPACK) break;
    }
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_destroy(&pool);
    return 0;
}
