/* HPACK: the examples of RFC 7541 appendix C, every class of malformed input, limits that keep the
 * table in step, what the encoder must say and must not index. Blocks end at a guard page.
 * test_hpack_small.c builds it for size. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"
#include "plain_allocator.h"
#include "unhex.h"

static uint32_t memory[4][16384];
static guard scratch;

static void start(turbohttp_hpack_decoder *d, uint32_t table, size_t scratch_bytes, size_t list) {
    if (!scratch.data) scratch = guard_alloc(65536);
    CHECK_INT(turbohttp_hpack_decoder_init(d, memory[0], sizeof memory[0], table,
                                           scratch.data + scratch.length - scratch_bytes, scratch_bytes, list),
              TURBOHTTP_OK);
}

/* Decodes a block in pieces of `step` bytes; fields as "name: value\n", secrets as "name! value\n". */
static turbohttp_status decode(turbohttp_hpack_decoder *d, const uint8_t *block, size_t n, size_t step, char *text) {
    turbohttp_status status = TURBOHTTP_PENDING;
    turbohttp_hpack_field field;
    *text = 0;
    for (size_t at = 0; at < n && status >= 0; at += step) {
        size_t length = step < n - at ? step : n - at;
        guard piece = guard_copy(block + at, length);
        const uint8_t *in = piece.data;
        while ((status = turbohttp_hpack_decode(d, &in, &length, &field)) == TURBOHTTP_OK) {
            size_t end = strlen(text);
            sprintf(text + end, "%.*s%c %.*s\n", (int)field.name.length, field.name.data,
                    field.never_indexed ? '!' : ':', (int)field.value.length, field.value.data);
        }
        if (status >= 0 || status == TURBOHTTP_ERR_HEAD_TOO_LARGE) CHECK_INT(length, 0);
        guard_free(&piece);
        if (status == TURBOHTTP_ERR_HEAD_TOO_LARGE) status = TURBOHTTP_PENDING;
    }
    return status < 0 ? status : turbohttp_hpack_decode_end(d);
}

static turbohttp_status decode_hex(turbohttp_hpack_decoder *d, const char *hex, char *text) {
    uint8_t block[8192];
    return decode(d, block, unhex(hex, block), sizeof block, text);
}

/* ------------------------------------------------------------ RFC 7541 appendix C */
typedef struct example {
    const char *hex, *fields;
    uint32_t used; /* size of the table behind it */
} example;

static void run_examples(const example *rows, size_t count, uint32_t table) {
    uint8_t block[512];
    char text[4096];
    for (size_t step = 1; step < 70; step += step < 24 ? 1 : 45) {
        turbohttp_hpack_decoder d;
        start(&d, table, 4096, 0);
        for (size_t i = 0; i < count; i++) {
            CHECK_INT(decode(&d, block, unhex(rows[i].hex, block), step, text), TURBOHTTP_OK);
            CHECK_TEXT(text, strlen(text), rows[i].fields);
            CHECK_INT(d.table.used, rows[i].used);
        }
    }
}

#define EXAMPLES(rows, table) run_examples(rows, sizeof rows / sizeof rows[0], table)
#define REQUEST "\n:scheme: http\n:path: /\n:authority: www.example.com\n"

static void requests_of_c3_and_c4(void) {
    static const example plain[] = {
        {"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", ":method: GET" REQUEST, 57},
        {"8286 84be 5808 6e6f 2d63 6163 6865", ":method: GET" REQUEST "cache-control: no-cache\n", 110},
        {"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
         ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n", 164}};
    static const example coded[] = {
        {"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", ":method: GET" REQUEST, 57},
        {"8286 84be 5886 a8eb 1064 9cbf", ":method: GET" REQUEST "cache-control: no-cache\n", 110},
        {"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
         ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n", 164}};
    EXAMPLES(plain, 4096);
    EXAMPLES(coded, 4096);
}

#define DATE1 "date: Mon, 21 Oct 2013 20:13:21 GMT\n"
#define DATE2 "date: Mon, 21 Oct 2013 20:13:22 GMT\n"
#define WHERE "location: https://www.example.com\n"

static void responses_of_c6_with_eviction(void) {
    static const example rows[] = {
        {"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 "
         "8f0b 97c8 e9ae 82ae 43d3",
         ":status: 302\ncache-control: private\n" DATE1 WHERE, 222},
        {"4883 640e ffc1 c0bf", ":status: 307\ncache-control: private\n" DATE1 WHERE, 222},
        {"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 "
         "dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
         ":status: 200\ncache-control: private\n" DATE2 WHERE
         "content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n", 215}};
    EXAMPLES(rows, 256);
}

static void literals_of_c2(void) {
    static const example rows[] = {
        {"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header\n", 55},
        {"040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 55},
        {"1008 7061 7373 776f 7264 0673 6563 7265 74", "password! secret\n", 55},
        {"82", ":method: GET\n", 55}};
    EXAMPLES(rows, 4096);
}

/* ------------------------------------------------------------ malformed input */
static void malformed_blocks_end_the_connection(void) {
    static const char *const rows[] = {
        "80",                       /* index 0 */
        "be",                       /* index 62 of an empty table */
        "ff80808080 80",            /* an integer that does not end */
        "ffffffffff 0f",            /* one of 2^32 and more */
        "ff8080808010",             /* the same */
        "ff808080808000",           /* one of seven bytes */
        "7f808080808000",           /* as a name's index */
        "3f808080808000 82",        /* as a size update, of 31 */
        "7e",                       /* a name's index out of range */
        "4101",                     /* a value cut short */
        "41",                       /* no value */
        "40",                       /* no name */
        "4003 6162",                /* a name cut short */
        "4181 00",                  /* padding of zeros */
        "4182 1fff",                /* padding of eleven ones behind 'a' */
        "4181 ff",                  /* eight ones of padding */
        "4184 ffffffff",            /* EOS */
        "4185 1fffffffff",          /* EOS behind a symbol */
        "418a ffffffffffff ffffffff", /* EOS where bytes are plenty */
        "8220",                     /* a size update behind a field */
        "3fe21f",                   /* one above the setting: 4097 */
        "82 3fe11f",                /* a legal size, but late */
    };
    static const char *const tolerated[] = {"3fe11f 82", "20 20 3f e1 1f 82", "4181 1f", "4181 07", "0000 00", ""};
    turbohttp_hpack_decoder d;
    uint8_t block[64];
    char text[256];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t step = 1; step <= 64; step += 63) {
            start(&d, 4096, 4096, 0);
            turbohttp_status status = decode(&d, block, unhex(rows[i], block), step, text);
            if (status != TURBOHTTP_ERR_HPACK) printf("block %s\n", rows[i]);
            CHECK_INT(status, TURBOHTTP_ERR_HPACK);
            CHECK_INT(decode_hex(&d, "82", text), TURBOHTTP_ERR_HPACK); /* final */
            CHECK_INT(turbohttp_hpack_decode_end(&d), TURBOHTTP_ERR_HPACK);
        }
    }
    for (size_t i = 0; i < sizeof tolerated / sizeof tolerated[0]; i++) {
        start(&d, 4096, 4096, 0);
        CHECK_INT(decode_hex(&d, tolerated[i], text), TURBOHTTP_OK);
    }
}

/* RFC 7541 §4.2: a smaller table must be confirmed first thing, by the smallest size that there was. */
static void reductions_must_be_confirmed(void) {
    turbohttp_hpack_decoder d;
    char text[256];
    start(&d, 4096, 4096, 0);
    CHECK_INT(turbohttp_hpack_decoder_resize(&d, 4097), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_decoder_resize(&d, 100), TURBOHTTP_OK);
    CHECK_INT(decode_hex(&d, "82", text), TURBOHTTP_ERR_HPACK);
    start(&d, 4096, 4096, 0);
    CHECK_INT(decode_hex(&d, "400161 0162", text), TURBOHTTP_OK);
    turbohttp_hpack_decoder_resize(&d, 33);
    turbohttp_hpack_decoder_resize(&d, 4096);
    CHECK_INT(d.table.count, 0);
    CHECK_INT(decode_hex(&d, "3f03 82", text), TURBOHTTP_ERR_HPACK); /* 34 > 33 */
    start(&d, 4096, 4096, 0);
    turbohttp_hpack_decoder_resize(&d, 33);
    turbohttp_hpack_decoder_resize(&d, 4096);
    CHECK_INT(decode_hex(&d, "3f02 3fe11f 82", text), TURBOHTTP_OK); /* 33, then 4096 */
    CHECK_INT(d.table.limit, 4096);
    turbohttp_hpack_decoder_resize(&d, 0);
    CHECK_INT(decode_hex(&d, "", text), TURBOHTTP_ERR_HPACK); /* not even an empty block */
}

/* ------------------------------------------------------------ limits (S-40, S-41) */
static void a_list_beyond_its_limit_keeps_the_table_in_step(void) {
    turbohttp_hpack_decoder d;
    char text[4096];
    for (int i = 0; i < 2; i++) {
        start(&d, 4096, 4096, 80); /* two fields of 34 bytes, not three */
        CHECK_INT(decode_hex(&d, i ? "400161 0162 400163 0164 400165 0166" : "400161 0162 400163 0164", text),
                  i ? TURBOHTTP_ERR_HEAD_TOO_LARGE : TURBOHTTP_OK);
        CHECK_TEXT(text, strlen(text), "a: b\nc: d\n");
        CHECK_INT(decode_hex(&d, "be", text), TURBOHTTP_OK);
        CHECK_TEXT(text, strlen(text), i ? "e: f\n" : "c: d\n");
    }
}

static void a_bomb_stops_at_the_limit(void) {
    static uint8_t block[4200];
    static char text[1 << 18];
    turbohttp_hpack_decoder d;
    size_t n = unhex("40 01 78 7f 80 1e", block); /* x: 3967 bytes */
    memset(block + n, 'v', 3967);
    start(&d, 4096, 4096, 65536);
    CHECK_INT(decode(&d, block, n + 3967, 4200, text), TURBOHTTP_OK);
    memset(block, 0xbe, 1000);
    CHECK_INT(decode(&d, block, 1000, 1000, text), TURBOHTTP_ERR_HEAD_TOO_LARGE);
    CHECK_INT(strlen(text), 16 * (3967 + 4));
    CHECK_INT(decode_hex(&d, "be", text), TURBOHTTP_OK);
}

/* A field that the scratch cannot hold is larger than the table, which it empties. */
static void a_field_beyond_the_scratch_empties_the_table(void) {
    static uint8_t block[400];
    char text[1024];
    for (size_t step = 1; step < 500; step += 499) {
        turbohttp_hpack_decoder d;
        start(&d, 64, 64, 0);
        CHECK_INT(decode_hex(&d, "400161 0162", text), TURBOHTTP_OK);
        size_t n = unhex("40 81 1f ff 21", block); /* a: 160 bytes, 256 digits */
        memset(block + n, 0, 160);
        CHECK_INT(decode(&d, block, n + 160, step, text), TURBOHTTP_ERR_HEAD_TOO_LARGE);
        CHECK_INT(d.table.count, 0);
        CHECK_INT(decode_hex(&d, "400163 0164 be", text), TURBOHTTP_OK);
        CHECK_TEXT(text, strlen(text), "c: d\nc: d\n");
    }
}

static void no_table_at_all(void) {
    turbohttp_hpack_decoder d;
    uint8_t room[64];
    char text[256];
    CHECK_INT(turbohttp_hpack_decoder_init(&d, NULL, 0, 0, room, sizeof room, 0), TURBOHTTP_OK);
    CHECK_INT(decode_hex(&d, "400161 0162 82", text), TURBOHTTP_OK);
    CHECK_TEXT(text, strlen(text), "a: b\n:method: GET\n");
    CHECK_INT(decode_hex(&d, "be", text), TURBOHTTP_ERR_HPACK);
}

static void bad_memory_is_refused(void) {
    turbohttp_hpack_decoder d;
    turbohttp_hpack_encoder e;
    uint8_t room[4096];
    size_t enough = TURBOHTTP_HPACK_DECODER_BYTES(4096);
    CHECK_INT(turbohttp_hpack_decoder_init(&d, memory, enough - 1, 4096, room, sizeof room, 0), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_decoder_init(&d, (char *)memory + 1, enough, 4096, room, sizeof room, 0), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_decoder_init(&d, NULL, enough, 4096, room, sizeof room, 0), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_decoder_init(&d, memory, enough, 4096, room, 4095, 0), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_decoder_init(&d, memory, enough, 4096, NULL, 4096, 0), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_decoder_init(&d, memory, enough, 4096, room, 4096, 0), TURBOHTTP_OK);
    enough = TURBOHTTP_HPACK_ENCODER_BYTES(4096);
    CHECK_INT(turbohttp_hpack_encoder_init(&e, memory, enough - 1, 4096), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_encoder_init(&e, NULL, enough, 4096), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_hpack_encoder_init(&e, memory, enough, 4096), TURBOHTTP_OK);
    CHECK_INT(turbohttp_hpack_encoder_init(&e, NULL, 0, 0), TURBOHTTP_OK);
}

/* ------------------------------------------------------------ encoding */
typedef struct sender {
    turbohttp_hpack_encoder e;
    turbohttp_byte_pool pool;
    turbohttp_writer w;
} sender;

static void sender_init(sender *s, uint32_t table, size_t most) {
    turbohttp_byte_pool_init(&s->pool, &plain_allocator, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&s->w, &s->pool, most);
    CHECK_INT(turbohttp_hpack_encoder_init(&s->e, memory[1], sizeof memory[1], table), TURBOHTTP_OK);
}

static void sender_end(sender *s) {
    turbohttp_writer_reset(&s->w);
    turbohttp_byte_pool_destroy(&s->pool);
}

static turbohttp_status put(sender *s, const char *name, const char *value, bool is_secret) {
    turbohttp_hpack_field f;
    f.name = tbh_span_of(name);
    f.value = tbh_span_of(value);
    f.never_indexed = is_secret;
    return turbohttp_hpack_encode(&s->e, &f, &s->w);
}

static void check_sent(sender *s, const char *hex) {
    uint8_t wanted[512];
    size_t n = unhex(hex, wanted);
    CHECK(s->w.length == n && memcmp(s->w.data, wanted, n) == 0);
    if (s->w.length != n || memcmp(s->w.data, wanted, n) != 0) {
        for (size_t i = 0; i < s->w.length; i++) printf("%02x", (uint8_t)s->w.data[i]);
        printf(", expected %s\n", hex);
    }
    turbohttp_writer_clear(&s->w);
}

static void encodes_as_c4_does(void) {
    sender s;
    sender_init(&s, 4096, 0);
    put(&s, ":method", "GET", false);
    put(&s, ":scheme", "http", false);
    put(&s, ":path", "/", false);
    put(&s, ":authority", "www.example.com", false);
    check_sent(&s, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff");
    put(&s, ":authority", "www.example.com", false);
    put(&s, "cache-control", "no-cache", false);
    check_sent(&s, "be 5886 a8eb 1064 9cbf");
    put(&s, "custom-key", "custom-value", false);
    put(&s, "custom-key", "other", false); /* the name is found in the table */
    put(&s, "custom-key", "custom-value", false);
    check_sent(&s, "4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf 7e84 3a67 2d9f bf");
    sender_end(&s);
}

static void secrets_are_never_indexed(void) {
    sender s;
    sender_init(&s, 4096, 0);
    put(&s, "authorization", "&&", false);
    check_sent(&s, "1f08 02 2626");
    put(&s, "cookie", "&&", false);
    check_sent(&s, "1f11 02 2626");
    put(&s, "proxy-authorization", "&&", false);
    check_sent(&s, "1f22 02 2626");
    put(&s, "set-cookie", "&&", false);
    check_sent(&s, "1f28 02 2626");
    put(&s, "&", "&&", true);
    check_sent(&s, "10 01 26 02 2626");
    put(&s, ":method", "GET", true);
    check_sent(&s, "12 03 474554");
    CHECK_INT(s.e.table.count, 0);
    put(&s, "cookie", "&&&&&&&&&&&&&&&&&&&&", false);
    CHECK_INT(s.e.table.count, 1);
    sender_end(&s);
}

static void size_changes_are_announced(void) {
    sender s;
    sender_init(&s, 4096, 0);
    turbohttp_hpack_encoder_resize(&s.e, 4096);
    put(&s, ":method", "GET", false);
    check_sent(&s, "82"); /* nothing changed */
    put(&s, "&", "&", false);
    turbohttp_writer_clear(&s.w);
    turbohttp_hpack_encoder_resize(&s.e, 20);
    turbohttp_hpack_encoder_resize(&s.e, 100);
    CHECK_INT(s.e.table.count, 0);
    put(&s, ":method", "GET", false);
    check_sent(&s, "34 3f45 82"); /* the smallest, then the last */
    turbohttp_hpack_encoder_resize(&s.e, 1 << 20);
    turbohttp_hpack_encode_begin(&s.e, &s.w);
    turbohttp_hpack_encode_begin(&s.e, &s.w);
    check_sent(&s, "3fe11f"); /* our memory's limit, once */
    sender_end(&s);
    sender_init(&s, 64, 0);
    put(&s, ":method", "GET", false);
    check_sent(&s, "82"); /* a smaller table of ours is nobody's business */
    turbohttp_hpack_encoder_resize(&s.e, 3000);
    put(&s, ":method", "GET", false);
    check_sent(&s, "3f21 82"); /* but a reduction must be confirmed */
    sender_end(&s);
}

static void a_failing_writer_changes_nothing(void) {
    sender s;
    sender_init(&s, 4096, 10);
    turbohttp_hpack_encoder_resize(&s.e, 0);
    CHECK_INT(put(&s, "&", "&&", false), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(s.e.announced, 4096);
    CHECK_INT(s.e.smallest, 0);
    sender_end(&s);
}

/* ------------------------------------------------------------ there and back */
static uint32_t seed = 1;

static uint32_t draw(uint32_t below) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static size_t draw_text(char *out, size_t most) {
    size_t n = draw((uint32_t)most + 1);
    uint32_t kind = draw(3);
    for (size_t i = 0; i < n; i++) out[i] = (char)(kind == 0 ? draw(256) : kind == 1 ? '0' + draw(10) : 'a' + draw(26));
    return n;
}

static void every_string_survives_huffman(void) {
    static uint8_t coded[1024], plain[4096];
    char text[512];
    for (int i = 0; i < 20000; i++) {
        size_t n = draw_text(text, 300);
        size_t length = tbh_huffman_encode(coded, (const uint8_t *)text, n);
        if (length == 0) continue;
        CHECK(length < n);
        guard in = guard_copy(coded, length), out = guard_alloc(n);
        tbh_huffman h = {0, 0};
        const uint8_t *p = in.data;
        uint8_t *q = out.data;
        CHECK_INT(tbh_huffman_decode(&h, &p, in.data + length, &q, out.data + n), TBH_HUFFMAN_OK);
        CHECK(q == out.data + n && tbh_huffman_is_end(&h) && memcmp(out.data, text, n) == 0);
#ifndef TURBOHTTP_SMALL
        uint8_t *end = tbh_huffman_decode_whole(in.data, length, plain);
        CHECK(end == plain + n && memcmp(plain, text, n) == 0);
#else
        (void)plain;
#endif
        guard_free(&in);
        guard_free(&out);
    }
}

/* Few names and values in a small table: it wraps and evicts all the time. */
static void lists_survive_both_ways(void) {
    char names[6][40], values[12][120];
    size_t name_lengths[6], value_lengths[12];
    turbohttp_hpack_decoder d;
    turbohttp_hpack_field sent, got;
    sender s;
    sender_init(&s, 500, 0);
    start(&d, 500, 65536, 0);
    for (int i = 0; i < 6; i++) name_lengths[i] = draw_text(names[i], 39);
    for (int i = 0; i < 12; i++) value_lengths[i] = draw_text(values[i], 119);
    for (int i = 0; i < 20000; i++) {
        uint32_t name = draw(6), value = draw(12);
        sent.name = tbh_span(names[name], name_lengths[name]);
        sent.value = tbh_span(values[value], value_lengths[value]);
        sent.never_indexed = draw(20) == 0;
        CHECK_INT(turbohttp_hpack_encode(&s.e, &sent, &s.w), TURBOHTTP_OK);
        size_t cut = draw((uint32_t)s.w.length + 1), left = cut;
        const uint8_t *in = (const uint8_t *)s.w.data;
        turbohttp_status status = turbohttp_hpack_decode(&d, &in, &left, &got);
        if (status == TURBOHTTP_PENDING) {
            left = s.w.length - cut;
            status = turbohttp_hpack_decode(&d, &in, &left, &got);
        }
        CHECK_INT(status, TURBOHTTP_OK);
        CHECK(got.name.length == sent.name.length && memcmp(got.name.data, sent.name.data, sent.name.length) == 0);
        CHECK(got.value.length == sent.value.length && memcmp(got.value.data, sent.value.data, sent.value.length) == 0);
        CHECK_INT(got.never_indexed, sent.never_indexed);
        CHECK_INT(turbohttp_hpack_decode_end(&d), TURBOHTTP_OK);
        CHECK_INT(d.table.used, s.e.table.used);
        turbohttp_writer_clear(&s.w);
        if (check_failed_here) break;
        if (draw(50)) continue;
        uint32_t size = draw(501);
        turbohttp_hpack_encoder_resize(&s.e, size);
        turbohttp_hpack_decoder_resize(&d, size);
    }
    sender_end(&s);
}

static void each_static_name_is_found(void) {
    uint32_t found = 0;
    for (uint32_t i = 1; i <= TBH_HPACK_STATIC; i++) {
        const tbh_hpack_static_row row = tbh_hpack_static_row_at(i);
        uint32_t index = tbh_hpack_static_find(tbh_span(row.name, row.name_length));
        const tbh_hpack_static_row first = tbh_hpack_static_row_at(index);
        CHECK(index && index <= i && index + first.left == i + row.left);
        CHECK(first.name_length == row.name_length && memcmp(first.name, row.name, row.name_length) == 0);
        found += index == i;
    }
    CHECK_INT(found, 52);
    CHECK_TEXT(tbh_hpack_static_row_at(5).value, tbh_hpack_static_row_at(5).value_length, "/index.html");
    CHECK_TEXT(tbh_hpack_static_row_at(16).value, tbh_hpack_static_row_at(16).value_length, "gzip, deflate");
    CHECK_TEXT(tbh_hpack_static_row_at(61).name, tbh_hpack_static_row_at(61).name_length, "www-authenticate");
    CHECK_INT(tbh_hpack_static_find(tbh_span("x-cookie", 8)), 0);
    CHECK_INT(tbh_hpack_static_find(tbh_span("", 0)), 0);
}

static const check_test tests[] = {
    CHECK_TEST(requests_of_c3_and_c4),
    CHECK_TEST(responses_of_c6_with_eviction),
    CHECK_TEST(literals_of_c2),
    CHECK_TEST(malformed_blocks_end_the_connection),
    CHECK_TEST(reductions_must_be_confirmed),
    CHECK_TEST(a_list_beyond_its_limit_keeps_the_table_in_step),
    CHECK_TEST(a_bomb_stops_at_the_limit),
    CHECK_TEST(a_field_beyond_the_scratch_empties_the_table),
    CHECK_TEST(no_table_at_all),
    CHECK_TEST(bad_memory_is_refused),
    CHECK_TEST(encodes_as_c4_does),
    CHECK_TEST(secrets_are_never_indexed),
    CHECK_TEST(size_changes_are_announced),
    CHECK_TEST(a_failing_writer_changes_nothing),
    CHECK_TEST(every_string_survives_huffman),
    CHECK_TEST(lists_survive_both_ways),
    CHECK_TEST(each_static_name_is_found),
};
CHECK_MAIN(tests)
