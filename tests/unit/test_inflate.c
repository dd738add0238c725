/* Inflate: every form of stream, good and bad, at every split; random streams made here, whose
 * output is known without another decoder; the corners of the code sets; the window. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

/* ------------------------------------------------------------ writing deflate data */
typedef struct bit_writer {
    uint8_t bytes[400000];
    size_t bits;
} bit_writer;

static bit_writer w;

static void put(uint32_t value, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, w.bits++) {
        if (w.bits % 8 == 0) w.bytes[w.bits / 8] = 0;
        w.bytes[w.bits / 8] |= (uint8_t)(((i < 32 ? value >> i : 0) & 1) << (w.bits % 8));
    }
}

static void put_code(uint32_t code, uint32_t count) { /* Huffman codes: highest bit first */
    while (count-- > 0) put(code >> count & 1, 1);
}

static size_t written(void) {
    return (w.bits + 7) / 8;
}

static uint32_t seed;
static uint32_t pick(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

typedef struct code_set {
    uint8_t lengths[288];
    uint16_t codes[288];
    uint32_t symbols;
} code_set;

static code_set litlens, distances;

/* RFC 1951 section 3.2.2, one loop over the symbols: with a loop for each length around it, gcc 12 for
 * ARM takes the function for one without effect at -O1 and -Os, and leaves its calls out. */
static void number_codes(code_set *c) {
    uint32_t next[16] = {0}, count[16] = {0};
    for (uint32_t i = 0; i < c->symbols; i++) count[c->lengths[i]]++;
    for (uint32_t length = 2; length < 16; length++)
        next[length] = (next[length - 1] + count[length - 1]) << 1;
    for (uint32_t i = 0; i < c->symbols; i++) c->codes[i] = (uint16_t)next[c->lengths[i]]++;
}

/* A complete code set for `symbols` symbols: leaves of a tree are split at random, the deeper the
 * higher `depth`, and handed out at random. */
static void random_codes(code_set *c, uint32_t symbols, uint32_t depth) {
    uint8_t leaf[288] = {0};
    uint32_t leaves = 1;
    c->symbols = symbols;
    while (leaves < symbols) {
        uint32_t i = pick(leaves);
        for (uint32_t tries = 0; tries < depth; tries++) {
            uint32_t other = pick(leaves);
            if (leaf[other] > leaf[i] && leaf[other] < 15) i = other;
        }
        if (leaf[i] >= 15) continue;
        leaf[leaves++] = ++leaf[i];
    }
    for (uint32_t i = symbols; i > 0; i--) {
        uint32_t at = pick(i);
        c->lengths[i - 1] = leaf[at];
        leaf[at] = leaf[i - 1];
    }
    number_codes(c);
}

static void fixed_codes(void) {
    litlens.symbols = 288;
    for (uint32_t i = 0; i < 288; i++)
        litlens.lengths[i] = (uint8_t)(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
    distances.symbols = 30;
    memset(distances.lengths, 5, 30);
    number_codes(&litlens);
    number_codes(&distances);
}

/* Lengths 0 to 15 get four bits each, so that a length is its own code. */
static void put_dynamic_head(const uint8_t *lengths, uint32_t hlit, uint32_t hdist) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    put(hlit - 257, 5);
    put(hdist - 1, 5);
    put(15, 4);
    for (int i = 0; i < 19; i++) put(order[i] < 16 ? 4 : 0, 3);
    for (uint32_t i = 0; i < hlit + hdist; i++) put_code(lengths[i], 4);
}

static void put_symbol(const code_set *c, uint32_t symbol) {
    put_code(c->codes[symbol], c->lengths[symbol]);
}

static void put_match(uint32_t length, uint32_t distance) {
    uint32_t symbol = 284, extra, base;
    for (;; symbol--) { /* the highest whose base is not above the length */
        uint32_t s = symbol - 257;
        extra = s < 8 ? 0 : s / 4 - 1;
        base = s < 8 ? s + 3 : ((4 + s % 4) << extra) + 3;
        if (base <= length) break;
    }
    if (length == 258) put_symbol(&litlens, 285);
    else {
        put_symbol(&litlens, symbol);
        put(length - base, extra);
    }
    for (symbol = 29;; symbol--) {
        extra = symbol < 4 ? 0 : symbol / 2 - 1;
        base = symbol < 4 ? symbol + 1 : ((2 + symbol % 2) << extra) + 1;
        if (base <= distance) break;
    }
    put_symbol(&distances, symbol);
    put(distance - base, extra);
}

static uint8_t model[600000];
static size_t model_length;

static void random_tokens(size_t room) {
    for (uint32_t n = pick(4000); n > 0 && model_length + 258 < room; n--) {
        uint32_t far = (uint32_t)tbh_min_size(model_length, 32768);
        if (far == 0 || pick(3) == 0) {
            uint8_t byte = (uint8_t)pick(256);
            put_symbol(&litlens, byte);
            model[model_length++] = byte;
            continue;
        }
        uint32_t length = pick(4) ? 3 + pick(12) : 3 + pick(256);
        uint32_t kind = pick(6), reach = kind == 0 ? 20 : kind == 1 ? 300 : far;
        uint32_t distance = kind == 2 ? far : 1 + pick(reach < far ? reach : far);
        put_match(length, distance);
        for (uint32_t i = 0; i < length; i++, model_length++)
            model[model_length] = model[model_length - distance];
    }
    put_symbol(&litlens, 256);
}

static void random_stored(size_t room) {
    uint32_t n = (uint32_t)tbh_min_size(pick(3) ? pick(300) : pick(65536), room - model_length);
    put(0, (uint32_t)(8 - w.bits % 8) % 8);
    put(n | (~n & 0xffff) << 16, 32);
    for (uint32_t i = 0; i < n; i++) put(model[model_length++] = (uint8_t)pick(256), 8);
}

static void random_stream(uint32_t number, size_t room) {
    uint8_t lengths[320];
    seed = number * 77 + 1;
    w.bits = model_length = 0;
    for (uint32_t blocks = 1 + pick(4); blocks > 0; blocks--) {
        uint32_t type = pick(4);
        put(blocks == 1, 1);
        put(type > 2 ? 2 : type, 2);
        if (type == 0) {
            random_stored(room);
            continue;
        }
        fixed_codes();
        if (type > 1) {
            random_codes(&litlens, 286, pick(8));
            random_codes(&distances, 30, pick(8));
            memcpy(lengths, litlens.lengths, 286);
            memcpy(lengths + 286, distances.lengths, 30);
            put_dynamic_head(lengths, 286, 30);
        }
        random_tokens(room);
    }
}

/* ------------------------------------------------------------ decoding in pieces */
static turbohttp_inflate z;
static uint8_t result[700000];
static size_t result_length, result_used;

/* Each piece of input, and each of output, ends at an unmapped page. 0: as much as there is. */
static turbohttp_status decode(turbohttp_inflate_format format, const uint8_t *in, size_t length,
                               size_t in_most, size_t out_most) {
    guard source = guard_alloc(in_most ? in_most : length),
          target = guard_alloc(out_most ? out_most : sizeof result);
    turbohttp_status status = TURBOHTTP_PENDING;
    size_t room = 0;
    result_length = result_used = 0;
    turbohttp_inflate_init(&z, format);
    while (status == TURBOHTTP_PENDING && (result_used < length || room == 0)) {
        size_t given = tbh_min_size(source.length, length - result_used), left = given;
        uint8_t *start = source.data + source.length - given;
        const uint8_t *p = start;
        uint8_t *q = target.data;
        if (given) memcpy(start, in + result_used, given);
        room = target.length;
        status = turbohttp_inflate_run(&z, &p, &left, &q, &room);
        CHECK(p == start + (given - left) && q == target.data + (target.length - room));
        CHECK(status != TURBOHTTP_PENDING || left == 0 || room == 0);
        size_t n = tbh_min_size(target.length - room, sizeof result - result_length);
        memcpy(result + result_length, target.data, n);
        result_length += n;
        result_used += given - left;
    }
    guard_free(&source);
    guard_free(&target);
    return status;
}

static const size_t cuts[][2] = {{0, 0},    {1, 1},     {1, 0},     {0, 1},         {2, 3},
                                 {7, 300},  {300, 7},   {17, 330},  {1000, 320},    {4096, 1000},
                                 {0, 4096}, {255, 255}, {0, 16384}, {16384, 40000}, {9, 32768}};
#define CUTS (sizeof cuts / sizeof cuts[0])

static void random_streams_decode_to_their_model_at_any_cut(void) {
    for (uint32_t number = 0; number < 300; number++) {
        random_stream(number, 150000);
        for (size_t i = number % 3; i < CUTS; i += 3) {
            turbohttp_status status =
                decode(TURBOHTTP_INFLATE_RAW, w.bytes, written(), cuts[i][0], cuts[i][1]);
            CHECK_INT(status, TURBOHTTP_DONE);
            CHECK_INT(result_length, model_length);
            CHECK_INT(result_used, written());
            CHECK(memcmp(result, model, model_length) == 0);
        }
    }
}

static void S_61_corrupt_streams_end_alike_at_any_cut(void) {
    static uint8_t first[sizeof result];
    for (uint32_t number = 0; number < 400; number++) {
        random_stream(number, 30000);
        size_t length = written(), first_length = 0;
        turbohttp_status expected = TURBOHTTP_OK;
        for (int i = 0; i < 3; i++) w.bytes[pick((uint32_t)length)] ^= (uint8_t)(1u << pick(8));
        for (size_t i = 0; i < CUTS; i++) {
            turbohttp_status status =
                decode(TURBOHTTP_INFLATE_RAW, w.bytes, length, cuts[i][0], cuts[i][1]);
            if (i == 0) {
                expected = status;
                first_length = result_length;
                memcpy(first, result, result_length);
            }
            CHECK_INT(status, expected);
            CHECK_INT(result_length, first_length);
            CHECK(memcmp(first, result, first_length) == 0);
        }
    }
}

/* ------------------------------------------------------------ the table of wrappers */
typedef struct wrapper_row {
    const char *name;
    turbohttp_inflate_format format;
    const char *stream, *output;
    turbohttp_status status, finish;
} wrapper_row;

static const wrapper_row wrapper_rows[] = {
    {"gzip", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ffcb48cdc9c9070086a6103605000000", "hello",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"gzip of nothing", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ff03000000000000000000", "",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"no bytes at all", TURBOHTTP_INFLATE_GZIP, "", "", TURBOHTTP_PENDING,
     TURBOHTTP_ERR_BODY_TRUNCATED},
    {"two members", TURBOHTTP_INFLATE_GZIP,
     "1f8b08000000000000ffcb48cdc9c9070086a61036050000001f8b08000000000000ff53a8cc2f050026d15c18040"
     "00000",
     "hello you", TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"an empty member between", TURBOHTTP_INFLATE_GZIP,
     "1f8b08000000000000ffcb48cdc9c9070086a61036050000001f8b08000000000000ff030000000000000000001f8"
     "b08000000000000ffcb48cdc9c9070086a6103605000000",
     "hellohello", TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"second member cut", TURBOHTTP_INFLATE_GZIP,
     "1f8b08000000000000ffcb48cdc9c9070086a61036050000001f8b08000000000000", "hello",
     TURBOHTTP_PENDING, TURBOHTTP_ERR_BODY_TRUNCATED},
    {"second member one byte", TURBOHTTP_INFLATE_GZIP,
     "1f8b08000000000000ffcb48cdc9c9070086a61036050000001f", "hello", TURBOHTTP_PENDING,
     TURBOHTTP_ERR_BODY_TRUNCATED},
    {"garbage behind", TURBOHTTP_INFLATE_GZIP,
     "1f8b08000000000000ffcb48cdc9c9070086a610360500000078", "hello", TURBOHTTP_ERR_INFLATE_DATA,
     TURBOHTTP_ERR_INFLATE_DATA},
    {"zeros behind", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ffcb48cdc9c9070086a610360500000000",
     "hello", TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"FTEXT", TURBOHTTP_INFLATE_GZIP, "1f8b08010000000000ff4b040043beb7e801000000", "a",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"FHCRC", TURBOHTTP_INFLATE_GZIP, "1f8b08020000000000ff90c94b040043beb7e801000000", "a",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"FHCRC wrong", TURBOHTTP_INFLATE_GZIP, "1f8b08020000000000ff91c94b040043beb7e801000000", "",
     TURBOHTTP_ERR_INFLATE_CHECK, TURBOHTTP_ERR_INFLATE_CHECK},
    {"FEXTRA", TURBOHTTP_INFLATE_GZIP, "1f8b08040000000000ff030078797a4b040043beb7e801000000", "a",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"FEXTRA empty", TURBOHTTP_INFLATE_GZIP, "1f8b08040000000000ff00004b040043beb7e801000000", "a",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"FNAME", TURBOHTTP_INFLATE_GZIP, "1f8b08080000000000ff6e616d65004b040043beb7e801000000", "a",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"FCOMMENT", TURBOHTTP_INFLATE_GZIP, "1f8b08100000000000ff004b040043beb7e801000000", "a",
     TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"all fields", TURBOHTTP_INFLATE_GZIP,
     "1f8b081f0000000000ff020000006e00630030984b040043beb7e801000000", "a", TURBOHTTP_PENDING,
     TURBOHTTP_OK},
    {"all fields, twice", TURBOHTTP_INFLATE_GZIP,
     "1f8b081f0000000000ff020000006e00630030984b040043beb7e8010000001f8b081f0000000000ff020000006e0"
     "0630030984b040043beb7e801000000",
     "aa", TURBOHTTP_PENDING, TURBOHTTP_OK},
    {"reserved flag 32", TURBOHTTP_INFLATE_GZIP, "1f8b08200000000000ff4b040043beb7e801000000", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"reserved flag 64", TURBOHTTP_INFLATE_GZIP, "1f8b08400000000000ff4b040043beb7e801000000", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"reserved flag 128", TURBOHTTP_INFLATE_GZIP, "1f8b08800000000000ff4b040043beb7e801000000", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"wrong magic", TURBOHTTP_INFLATE_GZIP, "1f8c08000000000000ffcb48cdc9c9070086a6103605000000",
     "", TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"wrong method", TURBOHTTP_INFLATE_GZIP, "1f8b07000000000000ffcb48cdc9c9070086a6103605000000",
     "", TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"wrong CRC", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ffcb48cdc9c9070087a6103605000000",
     "hello", TURBOHTTP_ERR_INFLATE_CHECK, TURBOHTTP_ERR_INFLATE_CHECK},
    {"wrong ISIZE", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ffcb48cdc9c9070086a6103605000001",
     "hello", TURBOHTTP_ERR_INFLATE_CHECK, TURBOHTTP_ERR_INFLATE_CHECK},
    {"no trailer", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ffcb48cdc9c90700", "hello",
     TURBOHTTP_PENDING, TURBOHTTP_ERR_BODY_TRUNCATED},
    {"half a trailer", TURBOHTTP_INFLATE_GZIP, "1f8b08000000000000ffcb48cdc9c9070086a61036",
     "hello", TURBOHTTP_PENDING, TURBOHTTP_ERR_BODY_TRUNCATED},
    {"zlib", TURBOHTTP_INFLATE_ZLIB, "789ccb48cdc9c90700062c0215", "hello", TURBOHTTP_DONE,
     TURBOHTTP_OK},
    {"zlib, bytes behind stay", TURBOHTTP_INFLATE_ZLIB, "789ccb48cdc9c90700062c021578797a", "hello",
     TURBOHTTP_DONE, TURBOHTTP_OK},
    {"zlib cut", TURBOHTTP_INFLATE_ZLIB, "789ccb48cdc9c90700062c02", "hello", TURBOHTTP_PENDING,
     TURBOHTTP_ERR_BODY_TRUNCATED},
    {"wrong Adler", TURBOHTTP_INFLATE_ZLIB, "789ccb48cdc9c90700062c0214", "hello",
     TURBOHTTP_ERR_INFLATE_CHECK, TURBOHTTP_ERR_INFLATE_CHECK},
    {"zlib head check", TURBOHTTP_INFLATE_ZLIB, "789dcb48cdc9c90700062c0215", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"zlib window 64 KiB", TURBOHTTP_INFLATE_ZLIB, "881ccb48cdc9c90700062c0215", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"zlib window 256", TURBOHTTP_INFLATE_ZLIB, "081dcb48cdc9c90700062c0215", "hello",
     TURBOHTTP_DONE, TURBOHTTP_OK},
    {"zlib method", TURBOHTTP_INFLATE_ZLIB, "7785cb48cdc9c90700062c0215", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"preset dictionary", TURBOHTTP_INFLATE_ZLIB, "78bb00000001cb48cdc9c90700062c0215", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"preset dictionary, no id", TURBOHTTP_INFLATE_ZLIB, "78bbcb48cdc9c90700062c0215", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"raw", TURBOHTTP_INFLATE_RAW, "cb48cdc9c90700", "hello", TURBOHTTP_DONE, TURBOHTTP_OK},
    {"raw of nothing", TURBOHTTP_INFLATE_RAW, "0300", "", TURBOHTTP_DONE, TURBOHTTP_OK},
    {"raw, bytes behind stay", TURBOHTTP_INFLATE_RAW, "03007a7a7a7a7a7a7a7a7a7a7a7a", "",
     TURBOHTTP_DONE, TURBOHTTP_OK},
    {"raw of no bytes", TURBOHTTP_INFLATE_RAW, "", "", TURBOHTTP_PENDING,
     TURBOHTTP_ERR_BODY_TRUNCATED},
    {"stored", TURBOHTTP_INFLATE_RAW, "010300fcff616263", "abc", TURBOHTTP_DONE, TURBOHTTP_OK},
    {"stored, empty, not last", TURBOHTTP_INFLATE_RAW, "000000ffff0300", "", TURBOHTTP_DONE,
     TURBOHTTP_OK},
    {"stored, wrong complement", TURBOHTTP_INFLATE_RAW, "010300fcfe616263", "",
     TURBOHTTP_ERR_INFLATE_DATA, TURBOHTTP_ERR_INFLATE_DATA},
    {"stored, cut", TURBOHTTP_INFLATE_RAW, "010300fcff6162", "ab", TURBOHTTP_PENDING,
     TURBOHTTP_ERR_BODY_TRUNCATED},
    {"block type 3", TURBOHTTP_INFLATE_RAW, "07", "", TURBOHTTP_ERR_INFLATE_DATA,
     TURBOHTTP_ERR_INFLATE_DATA},
    {"deflate that is zlib", TURBOHTTP_INFLATE_DEFLATE_AUTO, "789ccb48cdc9c90700062c0215", "hello",
     TURBOHTTP_DONE, TURBOHTTP_OK},
    {"deflate that is raw", TURBOHTTP_INFLATE_DEFLATE_AUTO, "cb48cdc9c90700", "hello",
     TURBOHTTP_DONE, TURBOHTTP_OK},
    {"deflate that is raw, stored", TURBOHTTP_INFLATE_DEFLATE_AUTO, "010500faff68656c6c6f", "hello",
     TURBOHTTP_DONE, TURBOHTTP_OK},
    {"deflate of one byte", TURBOHTTP_INFLATE_DEFLATE_AUTO, "78", "", TURBOHTTP_PENDING,
     TURBOHTTP_ERR_BODY_TRUNCATED},
    {"deflate with a wrong Adler", TURBOHTTP_INFLATE_DEFLATE_AUTO, "789ccb48cdc9c90700062c0200",
     "hello", TURBOHTTP_ERR_INFLATE_CHECK, TURBOHTTP_ERR_INFLATE_CHECK},
};

static size_t from_hex(const char *hex, uint8_t *out) {
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(tbh_hex_value((uint8_t)hex[2 * i]) * 16 +
                           tbh_hex_value((uint8_t)hex[2 * i + 1]));
    return n;
}

static void S_62_wrappers_trailers_and_members(void) {
    uint8_t stream[400];
    for (size_t i = 0; i < sizeof wrapper_rows / sizeof wrapper_rows[0]; i++) {
        const wrapper_row *row = &wrapper_rows[i];
        size_t n = from_hex(row->stream, stream);
        for (size_t cut = 0; cut < CUTS; cut++) {
            int before = check_failed_here;
            CHECK_INT(decode(row->format, stream, n, cuts[cut][0], cuts[cut][1]), row->status);
            CHECK_INT(turbohttp_inflate_finish(&z), row->finish);
            CHECK_TEXT(result, result_length, row->output);
            if (check_failed_here > before) printf("  in row \"%s\"\n", row->name);
        }
    }
}

static void S_62_every_truncation_is_noticed(void) {
    uint8_t stream[400];
    for (size_t i = 0; i < sizeof wrapper_rows / sizeof wrapper_rows[0]; i++) {
        const wrapper_row *row = &wrapper_rows[i];
        if (row->finish != TURBOHTTP_OK || strstr(row->name, "stay")) continue;
        if (strstr(row->name, "two") || strstr(row->name, "twice") || strstr(row->name, "empty m"))
            continue;
        size_t n = from_hex(row->stream, stream);
        for (size_t length = 0; length < n; length++) {
            CHECK_INT(decode(row->format, stream, length, 0, 0), TURBOHTTP_PENDING);
            CHECK_INT(turbohttp_inflate_finish(&z), TURBOHTTP_ERR_BODY_TRUNCATED);
        }
    }
}

static void bytes_behind_the_end_stay_with_the_caller(void) {
    uint8_t stream[64] = {0x03, 0x00};
    for (size_t n = 2; n <= sizeof stream; n++)
        for (size_t in_most = 1; in_most <= n; in_most++) {
            CHECK_INT(decode(TURBOHTTP_INFLATE_RAW, stream, n, in_most, 0), TURBOHTTP_DONE);
            CHECK_INT(result_used, 2);
        }
}

static void done_and_errors_stick_until_init(void) {
    const uint8_t good[] = {0x03, 0x00, 0x55}, bad[] = {0x07, 0x03, 0x00};
    uint8_t out[8];
    for (int turn = 0; turn < 4; turn++) {
        const uint8_t *in = turn % 2 ? bad : good;
        uint8_t *to = out;
        size_t left = 3, room = 8;
        turbohttp_inflate_init(&z, TURBOHTTP_INFLATE_RAW);
        turbohttp_status first = turbohttp_inflate_run(&z, &in, &left, &to, &room);
        CHECK_INT(first, turn % 2 ? TURBOHTTP_ERR_INFLATE_DATA : TURBOHTTP_DONE);
        size_t before = left;
        CHECK_INT(turbohttp_inflate_run(&z, &in, &left, &to, &room), first);
        CHECK_INT(left, before);
        CHECK_INT(room, 8);
    }
}

static void empty_calls_are_harmless(void) {
    const uint8_t *in = NULL;
    uint8_t *out = NULL;
    size_t left = 0, room = 0;
    for (int format = 0; format < 4; format++) {
        turbohttp_inflate_init(&z, (turbohttp_inflate_format)format);
        CHECK_INT(turbohttp_inflate_run(&z, &in, &left, &out, &room), TURBOHTTP_PENDING);
        CHECK(in == NULL && out == NULL);
        CHECK_INT(turbohttp_inflate_finish(&z), TURBOHTTP_ERR_BODY_TRUNCATED);
    }
}

static void S_61_longest_header_fields_at_many_splits(void) {
    static uint8_t stream[200000];
    size_t n = 0;
    const uint8_t head[] = {0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3, 0xff, 0xff};
    memcpy(stream, head, n = sizeof head);
    memset(stream + n, 0, 65535);
    n += 65535;
    for (int field = 0; field < 2; field++) {
        memset(stream + n, 'n', 50000);
        stream[n += 50000] = 0;
        n++;
    }
    uint32_t crc = turbohttp_crc32(0, stream, n);
    stream[n++] = (uint8_t)crc;
    stream[n++] = (uint8_t)(crc >> 8);
    const uint8_t rest[] = {0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(stream + n, rest, sizeof rest);
    n += sizeof rest;
    for (size_t most = 1; most < 70000; most = most * 2 + 1) {
        CHECK_INT(decode(TURBOHTTP_INFLATE_GZIP, stream, n, most, 0), TURBOHTTP_PENDING);
        CHECK_INT(turbohttp_inflate_finish(&z), TURBOHTTP_OK);
    }
    stream[n - sizeof rest - 1] ^= 1;
    CHECK_INT(decode(TURBOHTTP_INFLATE_GZIP, stream, n, 1, 0), TURBOHTTP_ERR_INFLATE_CHECK);
}

/* ------------------------------------------------------------ the corners of the code sets */
/* Sets are given as pairs symbol, length; the block then holds the given bits. */
static turbohttp_status dynamic(const uint8_t (*set)[2], size_t pairs, uint32_t hlit,
                                uint32_t hdist, uint32_t body, uint32_t body_bits) {
    uint8_t lengths[320] = {0};
    for (size_t i = 0; i < pairs; i++)
        lengths[set[i][0] < 30   ? hlit + set[i][0]
                : set[i][0] < 99 ? set[i][0]
                                 : set[i][0] + 157u] = set[i][1];
    w.bits = 0;
    put(5, 3);
    put_dynamic_head(lengths, hlit, hdist);
    put(body, body_bits);
    put(0, 40);
    return decode(TURBOHTTP_INFLATE_RAW, w.bytes, written(), 0, 0);
}

/* In the sets, 0 to 29 are distances, 30 to 98 literals, and 99 + k is the symbol 256 + k. */
static void S_61_odd_code_sets_have_zlibs_answer(void) {
    const uint8_t lone_end[][2] = {{99, 1}};
    const uint8_t lone_end_long[][2] = {{99, 2}};
    const uint8_t no_end[][2] = {{65, 1}, {66, 1}};
    const uint8_t two[][2] = {{99, 1}, {100, 1}};
    const uint8_t two_and_distance[][2] = {{99, 1}, {100, 1}, {0, 1}};
    const uint8_t distance_of_two[][2] = {{99, 1}, {0, 2}};
    const uint8_t distances_lack_one[][2] = {{99, 1}, {0, 2}, {1, 2}, {2, 2}};
    const uint8_t too_many_distances[][2] = {{99, 1}, {0, 1}, {1, 1}, {2, 1}};
    const uint8_t too_many[][2] = {{99, 1}, {100, 1}, {101, 1}};
    const uint8_t lacking[][2] = {{99, 2}, {100, 2}, {101, 2}};
    const turbohttp_status bad = TURBOHTTP_ERR_INFLATE_DATA, done = TURBOHTTP_DONE;
    CHECK_INT(dynamic(lone_end, 1, 286, 30, 0, 1), done);
    CHECK_INT(dynamic(lone_end, 1, 286, 30, 1, 1), bad);
    CHECK_INT(dynamic(lone_end, 1, 257, 1, 0, 1), done);
    CHECK_INT(dynamic(lone_end_long, 1, 286, 30, 0, 2), bad);
    CHECK_INT(dynamic(no_end, 1, 286, 30, 0, 1), bad);
    CHECK_INT(dynamic(two, 2, 286, 30, 0, 1), done);
    CHECK_INT(dynamic(two, 2, 286, 30, 1, 2), bad); /* a length, but no distances */
    CHECK_INT(dynamic(two_and_distance, 3, 286, 30, 0, 1), done);
    CHECK_INT(dynamic(two_and_distance, 3, 286, 30, 1, 2), bad); /* before the stream's start */
    CHECK_INT(dynamic(distance_of_two, 2, 286, 30, 0, 1), bad);
    CHECK_INT(dynamic(distances_lack_one, 4, 286, 30, 0, 1), bad);
    CHECK_INT(dynamic(too_many_distances, 4, 286, 30, 0, 1), bad);
    CHECK_INT(dynamic(too_many, 3, 286, 30, 0, 1), bad);
    CHECK_INT(dynamic(lacking, 3, 286, 30, 0, 2), bad);
    CHECK_INT(dynamic(lone_end, 1, 287, 30, 0, 1), bad);
    CHECK_INT(dynamic(lone_end, 1, 286, 31, 0, 1), bad);
}

/* A repetition of the length before the first: precode symbols 0, 1, 16 and 18 of two bits each. */
static void S_61_nothing_to_repeat_is_refused(void) {
    static const uint8_t precode[18] = {2, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    for (int repeat = 0; repeat < 2; repeat++) {
        w.bits = 0;
        put(5, 3);
        put(0, 10);
        put(14, 4);
        for (int i = 0; i < 18; i++) put(precode[i], 3);
        put_code(repeat ? 2 : 0, 2); /* 16 for three lengths, or 0 three times */
        put(0, repeat ? 2 : 4);
        put_code(3, 2); /* zeros up to symbol 256: 138 and 115 */
        put(127, 7);
        put_code(3, 2);
        put(104, 7);
        put_code(1, 2);
        put_code(0, 2);
        put(0, 32);
        CHECK_INT(decode(TURBOHTTP_INFLATE_RAW, w.bytes, written(), 0, 0),
                  repeat ? TURBOHTTP_ERR_INFLATE_DATA : TURBOHTTP_DONE);
    }
}

static void fixed_symbols_without_meaning_are_refused(void) {
    for (uint32_t symbol = 286; symbol < 288; symbol++) {
        w.bits = 0;
        fixed_codes();
        put(3, 3);
        put_symbol(&litlens, 'a');
        put_symbol(&litlens, symbol);
        put(0, 200);
        CHECK_INT(decode(TURBOHTTP_INFLATE_RAW, w.bytes, written(), 0, 0),
                  TURBOHTTP_ERR_INFLATE_DATA);
        CHECK_TEXT(result, result_length, "a");
    }
    for (uint32_t code = 30; code < 32; code++) {
        w.bits = 0;
        put(3, 3);
        put_symbol(&litlens, 'a');
        for (int i = 0; i < 300; i++) put_match(258, 1); /* far enough for any distance */
        put_symbol(&litlens, 257);
        put_code(code, 5);
        put(0, 200);
        CHECK_INT(decode(TURBOHTTP_INFLATE_RAW, w.bytes, written(), 0, 0),
                  TURBOHTTP_ERR_INFLATE_DATA);
    }
}

/* A match of every short distance at the reach's very end, and one byte before it. */
static void distance_reaches_the_first_byte_and_no_further(void) {
    fixed_codes();
    for (uint32_t produced = 1; produced < 400; produced += produced < 40 ? 1 : 37)
        for (uint32_t beyond = 0; beyond < 2; beyond++)
            for (size_t i = 0; i < CUTS; i++) {
                w.bits = 0;
                put(3, 3);
                for (uint32_t k = 0; k < produced; k++) put_symbol(&litlens, k & 127);
                put_match(20, produced + beyond);
                put_symbol(&litlens, 256);
                put(0, 400);
                CHECK_INT(decode(TURBOHTTP_INFLATE_RAW, w.bytes, written(), cuts[i][0], cuts[i][1]),
                          beyond ? TURBOHTTP_ERR_INFLATE_DATA : TURBOHTTP_DONE);
                CHECK_INT(result_length, produced + (beyond ? 0 : 20));
            }
}

static void a_member_cannot_see_the_one_before_it(void) {
    const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    fixed_codes();
    w.bits = 0;
    for (int member = 0; member < 2; member++) {
        for (size_t i = 0; i < sizeof head; i++) put(head[i], 8);
        put(3, 3);
        if (member == 0)
            for (int i = 0; i < 3; i++) put_symbol(&litlens, 'a');
        else put_match(3, 1);
        put_symbol(&litlens, 256);
        put(0, (uint32_t)(8 - w.bits % 8) % 8);
        put(turbohttp_crc32(0, "aaa", 3), 32);
        put(3, 32);
    }
    for (size_t i = 0; i < CUTS; i++) {
        CHECK_INT(decode(TURBOHTTP_INFLATE_GZIP, w.bytes, written(), cuts[i][0], cuts[i][1]),
                  TURBOHTTP_ERR_INFLATE_DATA);
        CHECK_TEXT(result, result_length, "aaa");
    }
}

static void the_window_goes_on_after_a_sync_flush(void) {
    const uint8_t tail[] = {0, 0, 0xff, 0xff}; /* permessage-deflate, RFC 7692 section 7.2.2 */
    uint8_t out[64], *to = out;
    size_t room = sizeof out, left;
    turbohttp_inflate_init(&z, TURBOHTTP_INFLATE_RAW);
    fixed_codes();
    for (int message = 0; message < 3; message++) {
        const uint8_t *in = w.bytes;
        w.bits = 0;
        put(2, 3);
        if (message == 0)
            for (int i = 0; i < 5; i++) put_symbol(&litlens, (uint32_t) "hello"[i]);
        else put_match(5, 5);
        put_symbol(&litlens, 256);
        put(0, 3);
        left = written();
        CHECK_INT(turbohttp_inflate_run(&z, &in, &left, &to, &room), TURBOHTTP_PENDING);
        in = tail;
        left = 4;
        CHECK_INT(turbohttp_inflate_run(&z, &in, &left, &to, &room), TURBOHTTP_PENDING);
        CHECK_INT(left, 0);
    }
    CHECK_TEXT(out, sizeof out - room, "hellohellohello");
}

static void the_state_is_at_most_48_KiB(void) {
    CHECK(sizeof(turbohttp_inflate) <= 49152);
}

static const check_test tests[] = {
    CHECK_TEST(random_streams_decode_to_their_model_at_any_cut),
    CHECK_TEST(S_61_corrupt_streams_end_alike_at_any_cut),
    CHECK_TEST(S_62_wrappers_trailers_and_members),
    CHECK_TEST(S_62_every_truncation_is_noticed),
    CHECK_TEST(bytes_behind_the_end_stay_with_the_caller),
    CHECK_TEST(done_and_errors_stick_until_init),
    CHECK_TEST(empty_calls_are_harmless),
    CHECK_TEST(S_61_longest_header_fields_at_many_splits),
    CHECK_TEST(S_61_odd_code_sets_have_zlibs_answer),
    CHECK_TEST(S_61_nothing_to_repeat_is_refused),
    CHECK_TEST(fixed_symbols_without_meaning_are_refused),
    CHECK_TEST(distance_reaches_the_first_byte_and_no_further),
    CHECK_TEST(a_member_cannot_see_the_one_before_it),
    CHECK_TEST(the_window_goes_on_after_a_sync_flush),
    CHECK_TEST(the_state_is_at_most_48_KiB),
};
CHECK_MAIN(tests)
