/* The chunked coding: grammar, bounds, every split, and writing chunk heads. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

typedef struct result {
    turbohttp_status status;
    size_t used; /* bytes of input */
    size_t length;
    char body[4096];
} result;

/* Decodes pieces of `first` bytes once and `step` bytes then, each at the end of a guard page. */
static turbohttp_status decode(const char *text, size_t length, size_t first, size_t step, result *r) {
    turbohttp_chunked c;
    turbohttp_chunked_init(&c);
    memset(r, 0, sizeof *r);
    r->status = TURBOHTTP_PENDING;
    for (size_t at = 0, n = first; r->status == TURBOHTTP_PENDING; at += n, n = step) {
        if (n > length - at) n = length - at;
        guard g = guard_copy(text + at, n);
        const uint8_t *in = g.data;
        size_t left = n;
        turbohttp_span data;
        while ((r->status = turbohttp_chunked_next(&c, &in, &left, &data)) == TURBOHTTP_OK) {
            CHECK(data.length > 0 && r->length + data.length <= sizeof r->body);
            memcpy(r->body + r->length, data.data, data.length);
            r->length += data.length;
        }
        CHECK(in == g.data + (n - left));
        if (r->status == TURBOHTTP_PENDING) CHECK_INT(left, 0);
        r->used = at + (n - left);
        guard_free(&g);
        if (at + n == length) break;
    }
    const uint8_t *in = (const uint8_t *)"5\r\n";
    size_t left = 3;
    turbohttp_span data;
    if (r->status != TURBOHTTP_PENDING) { /* ends are final */
        CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), r->status);
        CHECK_INT(left, 3);
    }
    return r->status;
}

static turbohttp_status decode_text(const char *text, result *r) {
    return decode(text, strlen(text), strlen(text), 1, r);
}

static void bodies_are_handed_out_without_framing(void) {
    result r;
    CHECK_INT(decode_text("5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n", &r), TURBOHTTP_DONE);
    CHECK_TEXT(r.body, r.length, "hello world");
    CHECK_INT(r.used, 28); /* right after the last chunk's line */
    CHECK_INT(decode_text("0\r\n\r\n", &r), TURBOHTTP_DONE);
    CHECK_INT(r.length, 0);
    CHECK_INT(decode_text("000a\r\n0123456789\r\n00\r\n\r\n", &r), TURBOHTTP_DONE);
    CHECK_TEXT(r.body, r.length, "0123456789");
    CHECK_INT(decode_text("A\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", &r), TURBOHTTP_DONE);
    CHECK_TEXT(r.body, r.length, "\r\n\r\n\r\n\r\n\r\n");
}

static void spans_lie_in_the_input(void) {
    const uint8_t text[] = "3\r\nabc\r\n0\r\n";
    const uint8_t *in = text;
    size_t left = sizeof text - 1;
    turbohttp_span data;
    turbohttp_chunked c;
    turbohttp_chunked_init(&c);
    CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_OK);
    CHECK(data.data == (const char *)text + 3 && data.length == 3);
    CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_DONE);
    CHECK_INT(left, 0);
    CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_DONE);
}

static void S_33_grammar_table(void) {
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"1\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"1;a\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"1;a=b\r\nx\r\n0;c=d\r\n", TURBOHTTP_DONE},
        {"1 ;a\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"1\t; a = b ; c\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"1;a=\"b c;=\\\"\\\\\xff\"\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"1;a=\"\";b=\"\"\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"1;a=\"b\" ;c\r\nx\r\n0\r\n", TURBOHTTP_DONE},
        {"7fffffffffffffff\r\nx", TURBOHTTP_PENDING},
        {"00000000000000000007fffffffffffffff\r\nx", TURBOHTTP_PENDING},
        {"8000000000000000\r\n", TURBOHTTP_ERR_CHUNK},
        {"ffffffffffffffff\r\n", TURBOHTTP_ERR_CHUNK},
        {"10000000000000000\r\n", TURBOHTTP_ERR_CHUNK},
        {"10000000000000005\r\nhello\r\n", TURBOHTTP_ERR_CHUNK},
        {"fffffffffffffffff1\r\n", TURBOHTTP_ERR_CHUNK},
        {"\r\n", TURBOHTTP_ERR_CHUNK},
        {"", TURBOHTTP_PENDING},
        {";a\r\n", TURBOHTTP_ERR_CHUNK},
        {" 1\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"\t1\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"1 \r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\t\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a \r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=b \r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\"b\" \r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1; \r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;;a\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;=b\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=b=c\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a b\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=b c\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\"b\"c\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\"b\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\"b\\\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\"\n\"\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a=\"\x01\"\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;a\rx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1;\xc3\xa9\r\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\nx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\rx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\r\nx\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\r\nx\r0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\r\nxx\r\n0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\r\nx0\r\n", TURBOHTTP_ERR_CHUNK},
        {"1\r\nx\r\n0\n", TURBOHTTP_ERR_CHUNK},
        {"1\r\nx\rX0\r\n.............", TURBOHTTP_ERR_CHUNK},
        {"1\r\nxX\n0\r\n.............", TURBOHTTP_ERR_CHUNK},
        {"1\rXx\r\n0\r\n.............", TURBOHTTP_ERR_CHUNK},
        {"-1\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"+1\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"0x1\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"1h\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"1_\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"1.\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"1,\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"g\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"\"1\"\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
        {"1 2\r\nx\r\n", TURBOHTTP_ERR_CHUNK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        result whole, split;
        decode_text(cases[i].text, &whole);
        if (whole.status != cases[i].status) printf("text \"%s\"\n", cases[i].text);
        CHECK_INT(whole.status, cases[i].status);
        size_t length = strlen(cases[i].text);
        for (size_t first = 0; first < length; first++)
            for (size_t step = 1; step < 30; step += 4) {
                decode(cases[i].text, length, first, step, &split);
                CHECK_INT(split.status, whole.status);
                CHECK_INT(split.used, whole.used);
                CHECK(split.length == whole.length && memcmp(split.body, whole.body, whole.length) == 0);
            }
    }
}

static void S_33_each_byte_in_each_place_of_a_plain_line(void) {
    for (size_t at = 0; at < 5; at++)
        for (int c = 0; c < 256; c++) {
            char text[] = "001\r\nx\r\n0\r\n.........";
            text[at] = (char)c;
            result r;
            decode(text, sizeof text - 1, sizeof text - 1, 1, &r);
            bool same = at < 3 ? c == (at < 2 ? '0' : '1') : c == (at == 3 ? '\r' : '\n');
            if (same) CHECK_INT(r.status, TURBOHTTP_DONE);
            if (at == 4 && !same) CHECK_INT(r.status, TURBOHTTP_ERR_CHUNK);
            if (at == 3 && !same) CHECK(r.status == TURBOHTTP_ERR_CHUNK);
        }
}

static void S_33_a_chunk_line_has_256_bytes_at_most(void) {
    char text[512];
    result r;
    for (int n = 250; n < 260; n++) {
        snprintf(text, sizeof text, "%0*d\r\nx\r\n0\r\n", n, 1);
        CHECK_INT(decode_text(text, &r), n <= 256 ? TURBOHTTP_DONE : TURBOHTTP_ERR_CHUNK_OVERHEAD);
        CHECK_INT(decode(text, strlen(text), 3, 11, &r), n <= 256 ? TURBOHTTP_DONE : TURBOHTTP_ERR_CHUNK_OVERHEAD);
        snprintf(text, sizeof text, "1;%0*d\r\nx\r\n0\r\n", n - 2, 1);
        CHECK_INT(decode_text(text, &r), n <= 256 ? TURBOHTTP_DONE : TURBOHTTP_ERR_CHUNK_OVERHEAD);
    }
}

/* Chunks of one byte with a long extension each, for ever. */
static void S_33_an_extension_flood_ends_at_the_overhead_cap(void) {
    char chunk[300];
    turbohttp_chunked c;
    turbohttp_status status = TURBOHTTP_PENDING;
    snprintf(chunk, sizeof chunk, "1;%0200d\r\nx\r\n", 0);
    turbohttp_chunked_init(&c);
    size_t chunks = 0, length = strlen(chunk);
    for (; status == TURBOHTTP_PENDING && chunks < 1000; chunks++) {
        const uint8_t *in = (const uint8_t *)chunk;
        size_t left = length;
        turbohttp_span data;
        while ((status = turbohttp_chunked_next(&c, &in, &left, &data)) == TURBOHTTP_OK) {}
    }
    CHECK_INT(status, TURBOHTTP_ERR_CHUNK_OVERHEAD);
    CHECK_INT(chunks, 16384 / (206 - 16) + 1); /* a chunk has 206 bytes of framing, and earns 16 */
}

static void S_33_plain_chunks_pay_for_their_framing_too(void) {
    for (int64_t budget = 10; budget < 18; budget++) {
        turbohttp_chunked c;
        turbohttp_span data;
        const uint8_t *in = (const uint8_t *)"0000000001\r\nx\r\n"; /* 14 bytes around one */
        size_t left = 15;
        turbohttp_chunked_init(&c);
        c.budget = budget;
        CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data),
                  budget < 14 ? TURBOHTTP_ERR_CHUNK_OVERHEAD : TURBOHTTP_OK);
        if (budget >= 14) CHECK_INT(c.budget, budget - 14 + 16);
    }
}

/* The same bound for lines that come in pieces, and for the last one, which has no data to pay for. */
static void S_33_the_cap_is_exact_at_any_split(void) {
    static const struct {
        const char *text;
        int64_t needed;
    } cases[] = {{"0000000001\r\nx\r\n", 14}, {"1;a=\"b\"\r\nx\r\n", 11}, {"0\r\n", 3}, {"00;a\r\n", 6}};
    for (size_t i = 0; i < 4; i++) {
        for (int64_t budget = 0; budget < 18; budget++) {
            for (size_t step = 1; step <= strlen(cases[i].text); step++) {
                turbohttp_chunked c;
                turbohttp_span data;
                turbohttp_status status = TURBOHTTP_PENDING;
                turbohttp_chunked_init(&c);
                c.budget = budget;
                for (size_t at = 0; at < strlen(cases[i].text) && status >= 0; at += step) {
                    const uint8_t *in = (const uint8_t *)cases[i].text + at;
                    size_t left = strlen(cases[i].text) - at < step ? strlen(cases[i].text) - at : step;
                    while ((status = turbohttp_chunked_next(&c, &in, &left, &data)) == TURBOHTTP_OK) {}
                }
                CHECK_INT(status < 0 ? status : 0, budget < cases[i].needed ? TURBOHTTP_ERR_CHUNK_OVERHEAD : 0);
            }
        }
    }
}

static void honest_small_chunks_never_reach_the_cap(void) {
    turbohttp_chunked c;
    turbohttp_chunked_init(&c);
    for (int i = 0; i < 100000; i++) {
        const uint8_t *in = (const uint8_t *)"1\r\nx\r\n";
        size_t left = 6;
        turbohttp_span data;
        CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_OK);
        CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_PENDING);
    }
}

static void S_36_a_cut_body_is_never_done(void) {
    static const char text[] = "5\r\nhello\r\n10;x=\"y\"\r\n0123456789abcdef\r\n0\r\n";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        result r;
        CHECK_INT(decode(text, n, n, 1, &r), TURBOHTTP_PENDING);
        CHECK_INT(decode(text, n, 0, 1, &r), TURBOHTTP_PENDING);
    }
}

static void chunk_heads_are_hexadecimal(void) {
    static const struct {
        uint64_t size;
        const char *text;
    } cases[] = {{0, "0\r\n"},       {1, "1\r\n"},           {15, "f\r\n"},
                 {16, "10\r\n"},     {4096, "1000\r\n"},     {0xdeadbeef, "deadbeef\r\n"},
                 {65535, "ffff\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[20];
        size_t n = tbh_chunk_head_write(out, cases[i].size);
        CHECK_TEXT(out, n, cases[i].text);
    }
}

static void what_is_written_is_read_back(void) {
    static char text[70000];
    for (size_t size = 1; size < 66000; size = size * 3 + 1) {
        char head[20];
        size_t n = tbh_chunk_head_write(head, size);
        memcpy(text, head, n);
        memset(text + n, 'z', size);
        memcpy(text + n + size, "\r\n0\r\n", 5);
        turbohttp_chunked c;
        turbohttp_chunked_init(&c);
        const uint8_t *in = (const uint8_t *)text;
        size_t left = n + size + 5;
        turbohttp_span data;
        CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_OK);
        CHECK_INT(data.length, size);
        CHECK_INT(turbohttp_chunked_next(&c, &in, &left, &data), TURBOHTTP_DONE);
    }
}

static const check_test tests[] = {
    CHECK_TEST(bodies_are_handed_out_without_framing),
    CHECK_TEST(spans_lie_in_the_input),
    CHECK_TEST(S_33_grammar_table),
    CHECK_TEST(S_33_each_byte_in_each_place_of_a_plain_line),
    CHECK_TEST(S_33_a_chunk_line_has_256_bytes_at_most),
    CHECK_TEST(S_33_an_extension_flood_ends_at_the_overhead_cap),
    CHECK_TEST(S_33_plain_chunks_pay_for_their_framing_too),
    CHECK_TEST(S_33_the_cap_is_exact_at_any_split),
    CHECK_TEST(honest_small_chunks_never_reach_the_cap),
    CHECK_TEST(S_36_a_cut_body_is_never_done),
    CHECK_TEST(chunk_heads_are_hexadecimal),
    CHECK_TEST(what_is_written_is_read_back),
};
CHECK_MAIN(tests)
