/* HTTP/1 response heads: what is accepted, what is refused and where, framing, limits, splits.
 * Each width of the scans has its own run: TURBOHTTP_NO_SIMD, SSE2, AVX2. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"

#define ROWS 128
#define NAMES TBH_HEADER_NAMES

typedef struct outcome {
    turbohttp_status status;
    uint64_t offset;
    turbohttp_h1_head head;
    turbohttp_header rows[ROWS];
    uint32_t attempts;
} outcome;

static turbohttp_head_limits no_limits;

/* Parses at the end of a guard page, so that the slices are gone afterwards: only numbers are kept. */
static turbohttp_status parse_bytes(const char *text, size_t length, bool was_head, outcome *o) {
    guard g = guard_copy(text, length);
    turbohttp_h1_head_parser parser;
    memset(o, 0, sizeof *o);
    turbohttp_h1_head_parser_init(&parser);
    o->status = turbohttp_h1_head_parse(&parser, (const char *)g.data, length, was_head, &no_limits, o->rows,
                                        ROWS, &o->head, &o->offset);
    guard_free(&g);
    return o->status;
}

static turbohttp_status parse_text(const char *text, outcome *o) {
    return parse_bytes(text, strlen(text), false, o);
}

static turbohttp_status status_of(const char *text) {
    outcome o;
    return parse_text(text, &o);
}

/* A line that is longer than what any lane needs behind the bytes that it looks at. */
#define FILLER "Filler: 0123456789012345678901234567890123456789012345678901234567890123456789"

/* A head of one header line after a status line of 17 bytes. */
static turbohttp_status status_of_line(const char *line, outcome *o) {
    char text[1024];
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", line);
    return parse_text(text, o);
}

/* ------------------------------------------------------------ what a head says */
static void rows_are_slices_with_blanks_trimmed_and_ids(void) {
    static const char text[] = "HTTP/1.1 404 Not Found\r\nServer:nginx\r\ncontent-TYPE: \t text/html \t\r\n"
                               "X-Empty:\r\nX-Blank:   \r\nCONTENT-LENGTH: 12\r\n\r\nbody";
    turbohttp_h1_head_parser parser = {0, 0, 0};
    turbohttp_header rows[8];
    turbohttp_h1_head h;
    CHECK_INT(turbohttp_h1_head_parse(&parser, text, sizeof text - 1, false, NULL, rows, 8, &h, NULL), 0);
    CHECK_INT(h.status, 404);
    CHECK_INT(h.minor_version, 1);
    CHECK_TEXT(h.reason.data, h.reason.length, "Not Found");
    CHECK_INT(h.header_count, 5);
    CHECK(h.headers == rows);
    CHECK_TEXT(rows[0].name, rows[0].name_length, "Server");
    CHECK_TEXT(rows[0].value, rows[0].value_length, "nginx");
    CHECK_INT(rows[0].id, TURBOHTTP_HEADER_SERVER);
    CHECK_TEXT(rows[1].name, rows[1].name_length, "content-TYPE");
    CHECK_TEXT(rows[1].value, rows[1].value_length, "text/html");
    CHECK_INT(rows[1].id, TURBOHTTP_HEADER_CONTENT_TYPE);
    CHECK_TEXT(rows[2].value, rows[2].value_length, "");
    CHECK_INT(rows[2].id, TURBOHTTP_HEADER_OTHER);
    CHECK_TEXT(rows[3].value, rows[3].value_length, "");
    CHECK_INT(rows[4].id, TURBOHTTP_HEADER_CONTENT_LENGTH);
    CHECK_INT(h.content_length, 12);
    CHECK(h.has_content_length && h.keep_alive && !h.connection_upgrade);
    CHECK_INT(h.framing, TURBOHTTP_FRAMING_LENGTH);
    CHECK_INT(h.head_length, sizeof text - 1 - 4);
}

static void every_well_known_name_has_its_id_in_any_case(void) {
    for (uint16_t id = 1; id < NAMES; id++) {
        turbohttp_span name = tbh_header_id_name(id);
        guard g = guard_copy(name.data, name.length);
        CHECK_INT(tbh_header_id((const char *)g.data, name.length), id);
        for (size_t i = 0; i < name.length; i++)
            if (tbh_is_alpha(g.data[i])) g.data[i] ^= 0x20;
        CHECK_INT(tbh_header_id((const char *)g.data, name.length), id);
        for (size_t i = 0; i < name.length; i++)
            for (int c = 0; c < 256; c++) {
                uint8_t old = g.data[i];
                g.data[i] = (uint8_t)c;
                if (tbh_lower((uint8_t)c) != tbh_lower(old) && tbh_header_id((const char *)g.data, name.length) == id)
                    CHECK_INT(c, old);
                g.data[i] = old;
            }
        guard_free(&g);
    }
    CHECK_INT(NAMES - 1, TURBOHTTP_HEADER_REFERER);
    CHECK(NAMES <= 64); /* ids are bits of a mask */
    CHECK_TEXT(tbh_header_id_name(TURBOHTTP_HEADER_SET_COOKIE).data, 10, "set-cookie");
    CHECK_TEXT(tbh_header_id_name(TURBOHTTP_HEADER_VIA).data, 3, "via");
    CHECK_TEXT(tbh_header_id_name(TURBOHTTP_HEADER_HOST).data, 4, "host");
    CHECK_INT(tbh_header_id_name(60).length, 0);
    CHECK_INT(tbh_header_id("", 0), 0);
    CHECK_INT(tbh_header_id("x", 1), 0);
    CHECK_INT(tbh_header_id("content-lengthx", 15), 0);
}

static void find_takes_the_first_of_several(void) {
    turbohttp_header rows[3];
    memset(rows, 0, sizeof rows);
    rows[0].id = TURBOHTTP_HEADER_DATE;
    rows[1].id = rows[2].id = TURBOHTTP_HEADER_CONTENT_TYPE;
    CHECK(tbh_header_find(rows, 3, TURBOHTTP_HEADER_CONTENT_TYPE) == &rows[1]);
    CHECK(tbh_header_find(rows, 3, TURBOHTTP_HEADER_AGE) == NULL);
}

typedef struct status_case {
    const char *text;
    int status;
    int offset;
} status_case;

static void status_line_is_strict(void) {
    static const status_case cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", TURBOHTTP_OK, 0},
        {"HTTP/1.1 200 \r\n\r\n", TURBOHTTP_OK, 0},
        {"HTTP/1.1 200\r\n\r\n", TURBOHTTP_OK, 0},
        {"HTTP/1.0 999 a\tb\xff\r\n\r\n", TURBOHTTP_OK, 0},
        {"HTTP/1.7 100 x\r\n\r\n", TURBOHTTP_OK, 0},
        {"http/1.1 200 OK\r\n\r\n", TURBOHTTP_ERR_NOT_HTTP, 0},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", TURBOHTTP_ERR_NOT_HTTP, 0},
        {"SSH-2.0-x", TURBOHTTP_ERR_NOT_HTTP, 0},
        {"HX", TURBOHTTP_ERR_NOT_HTTP, 1},
        {"HTTP/2", TURBOHTTP_ERR_NOT_HTTP, 5},
        {"HTTP/2.0 200 OK\r\n\r\n", TURBOHTTP_ERR_NOT_HTTP, 5},
        {"HTTP/1 200 OK\r\n\r\n", TURBOHTTP_ERR_NOT_HTTP, 6},
        {"ICY 200 OK\r\n\r\n", TURBOHTTP_ERR_NOT_HTTP, 0},
        {"HTTP/1.x 200 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 7},
        {"HTTP/1.10 200 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 8},
        {"HTTP/1.1  200 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 9},
        {"HTTP/1.1\t200 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 8},
        {"HTTP/1.1 099 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 9},
        {"HTTP/1.1 000 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 9},
        {"HTTP/1.1 -20 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 9},
        {"HTTP/1.1 20 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 11},
        {"HTTP/1.1 2000 OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 12},
        {"HTTP/1.1 200\tOK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 12},
        {"HTTP/1.1 200OK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 12},
        {"HTTP/1.1 200 OK\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 15},
        {"HTTP/1.1 200 OK\rX\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 15},
        {"HTTP/1.1 200 O\x7fK\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 14},
        {"HTTP/1.1 200\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 12},
        {"HTTP/1.1 200\r\r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 12},
        {"HTTP/1.1 \r\n\r\n", TURBOHTTP_ERR_STATUS_LINE, 9},
        {"", TURBOHTTP_PENDING, 0},
        {"H", TURBOHTTP_PENDING, 0},
        {"HTTP/1.1 200", TURBOHTTP_PENDING, 0},
        {"HTTP/1.1 200 ", TURBOHTTP_PENDING, 0},
        {"HTTP/1.1 200\r", TURBOHTTP_PENDING, 0},
        {"HTTP/1.1 200 OK\r\n", TURBOHTTP_PENDING, 0},
        {"HTTP/1.1 200 OK\r\n\r", TURBOHTTP_PENDING, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o;
        parse_text(cases[i].text, &o);
        if (o.status != cases[i].status || (int)o.offset != cases[i].offset) printf("case \"%s\"\n", cases[i].text);
        CHECK_INT(o.status, cases[i].status);
        CHECK_INT(o.offset, cases[i].offset);
    }
    outcome o;
    CHECK_INT(parse_bytes("HTTP/1.1 200 O\0K\r\n\r\n", 20, false, &o), TURBOHTTP_ERR_STATUS_LINE);
}

static void header_lines_are_strict(void) {
    static const status_case cases[] = { /* offsets count from the line, which begins at byte 17 */
        {"X: y", TURBOHTTP_OK, -17},
        {"!#$%&'*+-.^_`|~09azAZ: y", TURBOHTTP_OK, -17},
        {"X: a\tb \xc3\xa9 \x80", TURBOHTTP_OK, -17},
        {"X:\"a:b\"", TURBOHTTP_OK, -17},
        {"X : y", TURBOHTTP_ERR_HEADER_LINE, 1},
        {"X\t: y", TURBOHTTP_ERR_HEADER_LINE, 1},
        {": y", TURBOHTTP_ERR_HEADER_LINE, 0},
        {" X: y", TURBOHTTP_ERR_HEADER_LINE, 0},
        {"\tX: y", TURBOHTTP_ERR_HEADER_LINE, 0},
        {"A: b\r\n c", TURBOHTTP_ERR_HEADER_LINE, 6},
        {"A: b\r\n\tc: d", TURBOHTTP_ERR_HEADER_LINE, 6},
        {"no colon here", TURBOHTTP_ERR_HEADER_LINE, 2},
        {"nocolon", TURBOHTTP_ERR_HEADER_LINE, 7},
        {"nocolon\r\nA: b", TURBOHTTP_ERR_HEADER_LINE, 7},
        {"a\nb: c", TURBOHTTP_ERR_HEADER_LINE, 1},
        {"A: b\nC: d", TURBOHTTP_ERR_HEADER_LINE, 4},
        {"A: b\rC: d", TURBOHTTP_ERR_HEADER_LINE, 4},
        {"A: b\r\r\nC: d", TURBOHTTP_ERR_HEADER_LINE, 4},
        {"A: \x01", TURBOHTTP_ERR_HEADER_LINE, 3},
        {"A: b\x1f", TURBOHTTP_ERR_HEADER_LINE, 4},
        {"A: \x7f", TURBOHTTP_ERR_HEADER_LINE, 3},
        {"A\x80: b", TURBOHTTP_ERR_HEADER_LINE, 1},
        {"Content\rLength: 5", TURBOHTTP_ERR_HEADER_LINE, 7},
        {"Content\x0dLength: 5", TURBOHTTP_ERR_HEADER_LINE, 7},
        {"A(b): c", TURBOHTTP_ERR_HEADER_LINE, 1},
        {"A;b: c", TURBOHTTP_ERR_HEADER_LINE, 1},
        {"A\"b: c", TURBOHTTP_ERR_HEADER_LINE, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int far = 0; far < 2; far++) { /* near the end of the bytes, and far from it */
            char text[256];
            outcome o;
            snprintf(text, sizeof text, "%s%s", cases[i].text, far ? "\r\n" FILLER : "");
            status_of_line(text, &o);
            if (o.status != cases[i].status) printf("case \"%s\"\n", text);
            CHECK_INT(o.status, cases[i].status);
            CHECK_INT(o.offset, (uint64_t)(cases[i].offset + 17));
        }
    }
}

/* S-30 on the receiving side: each byte at each place of a line, in a value and in a name. */
static void S_30_each_byte_at_each_place_of_a_line(void) {
    for (size_t at = 0; at < 40; at++)
        for (int c = 0; c < 256; c++) {
            char text[128];
            outcome o;
            int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nX: %040d\r\n\r\n", 0);
            text[20 + at] = (char)c;
            bool bad = (c < 0x20 && c != '\t') || c == 0x7f;
            parse_bytes(text, (size_t)n, false, &o);
            CHECK_INT(o.status, bad ? TURBOHTTP_ERR_HEADER_LINE : TURBOHTTP_OK);
            if (bad) CHECK_INT(o.offset, 20 + at);
            n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%040d: x\r\n\r\n", 0);
            text[17 + at] = (char)c;
            parse_bytes(text, (size_t)n, false, &o);
            bool colon = c == ':' && at > 0; /* a shorter name, and a value with a colon */
            CHECK_INT(o.status, tbh_is_token_char((uint8_t)c) || colon ? TURBOHTTP_OK : TURBOHTTP_ERR_HEADER_LINE);
            if (o.status != TURBOHTTP_OK) CHECK_INT(o.offset, 17 + at);
        }
}

/* Control bytes are looked for a block ahead: runs of them at every distance from a block's edge. */
static void S_30_runs_of_control_bytes_at_every_place(void) {
    static const char bytes[] = "a \t\r\n\x7f\x01~\xff";
    for (int before = 0; before < 150; before++)
        for (size_t i = 0; i < 81; i++) {
            char text[512];
            outcome o;
            int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nX: a%0*d__\r\nY: b\r\n\r\n%080d", before + 1, 0, 0);
            size_t at = 22 + (size_t)before, fault = 0, crlf = at + 2;
            text[at] = bytes[i / 9];
            text[at + 1] = bytes[i % 9];
            for (size_t k = at; k < crlf && !fault; k++)
                if ((text[k] > 0 && text[k] < ' ' && text[k] != '\t') || text[k] == 0x7f) fault = k;
            bool is_end = text[at] == '\r' && text[at + 1] == '\n'; /* then an empty line follows */
            if (is_end) fault = 0;
            parse_bytes(text, (size_t)n, false, &o);
            CHECK_INT(o.status, fault ? TURBOHTTP_ERR_HEADER_LINE : TURBOHTTP_OK);
            if (fault) CHECK_INT(o.offset, fault);
            else CHECK_INT(o.head.header_count, is_end ? 1 : 2);
        }
}

static void names_of_every_length_must_be_tokens(void) {
    for (int length = 1; length <= 40; length++)
        for (int at = 0; at < length; at++)
            for (int c = 1; c < 256; c++) {
                char text[256];
                outcome o;
                int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%0*d: x\r\n" FILLER "\r\n\r\n", length, 0);
                text[17 + at] = (char)c;
                turbohttp_h1_head_parser parser = {0, 0, 0};
                o.status = turbohttp_h1_head_parse(&parser, text, (size_t)n, false, NULL, o.rows, ROWS, &o.head, NULL);
                bool good = tbh_is_token_char((uint8_t)c) || (c == ':' && at > 0);
                if ((o.status == TURBOHTTP_OK) != good) CHECK_INT(c, -1);
            }
}

/* ------------------------------------------------------------ framing */
#define BIG "9223372036854775807"

static void S_31_content_length_table(void) {
    static const struct {
        const char *value;
        int64_t expected; /* -1: refused */
    } cases[] = {
        {"0", 0}, {"1", 1}, {"00", 0}, {"007", 7}, {"10", 10}, {"42", 42}, {"4294967295", 4294967295},
        {"4294967296", 4294967296}, {"4294967297", 4294967297}, {"9007199254740993", 9007199254740993},
        {"2147483648", 2147483648}, {BIG, INT64_MAX}, {"9223372036854775806", INT64_MAX - 1},
        {"000000000000000000000000000000" BIG, INT64_MAX}, {"999999999999999999", 999999999999999999},
        {"5, 5", 5}, {"5,5", 5}, {"5 ,5", 5}, {"5 , 5", 5}, {"5,\t5", 5}, {"5,5,5,5", 5}, {"05, 5", 5},
        {"5  ", 5}, {"  5", 5}, {"\t5\t", 5}, {BIG ", " BIG, INT64_MAX}, {"0, 0", 0}, {"0,00", 0},
        {"", -1}, {" ", -1}, {"-1", -1}, {"-0", -1}, {"+1", -1}, {"+0", -1}, {"--1", -1}, {"+-1", -1},
        {"1 2", -1}, {"1\t2", -1}, {"1 000", -1}, {"1_000", -1}, {"1'000", -1}, {"1,000", -1}, {"1.0", -1},
        {"1.", -1}, {".1", -1}, {"1e3", -1}, {"1E3", -1}, {"0x10", -1}, {"0X10", -1}, {"0b1", -1}, {"0o7", -1},
        {"10h", -1}, {"a", -1}, {"5a", -1}, {"a5", -1}, {"5;", -1}, {"5;a=b", -1}, {"\"5\"", -1}, {"'5'", -1},
        {"5/5", -1}, {"5:5", -1}, {"5;5", -1}, {"(5)", -1}, {"5%", -1}, {"%35", -1}, {"$5", -1}, {"#5", -1},
        {"9223372036854775808", -1}, {"9223372036854775817", -1}, {"18446744073709551615", -1},
        {"18446744073709551616", -1}, {"18446744073709551621", -1}, {"99999999999999999999", -1},
        {"340282366920938463463374607431768211461", -1}, {"92233720368547758070", -1}, {"5, 6", -1}, {"6, 5", -1},
        {"5, 5, 6", -1}, {"5,", -1}, {",5", -1}, {",", -1}, {",,", -1}, {"5,,5", -1}, {"5, ", -1}, {"5, -5", -1},
        {"5, +5", -1}, {"5, a", -1}, {"a, 5", -1}, {"5 5", -1}, {"5; 5", -1}, {"5, 05, 5x", -1}, {"\xb2", -1},
        {"\xd9\xa5", -1}, {"\xef\xbc\x95", -1}, {"inf", -1}, {"nan", -1}, {"chunked", -1}, {"identity", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int code = 0; code < 4; code++) { /* invalid is invalid, with or without a body */
            static const char *const codes[] = {"200", "204", "304", "200"};
            char text[256];
            outcome o;
            snprintf(text, sizeof text, "HTTP/1.1 %s X\r\nContent-Length:%s\r\n\r\n", codes[code], cases[i].value);
            parse_bytes(text, strlen(text), code == 3, &o);
            if ((o.status == TURBOHTTP_OK) != (cases[i].expected >= 0)) printf("value \"%s\"\n", cases[i].value);
            CHECK_INT(o.status, cases[i].expected < 0 ? TURBOHTTP_ERR_CONTENT_LENGTH : TURBOHTTP_OK);
            if (cases[i].expected < 0) continue;
            CHECK_INT(o.head.content_length, cases[i].expected);
            CHECK_INT(o.head.framing, code ? TURBOHTTP_FRAMING_NONE : TURBOHTTP_FRAMING_LENGTH);
            CHECK(o.head.has_content_length);
        }
    CHECK(sizeof cases / sizeof cases[0] >= 80);
}

static void S_31_duplicate_lines_must_be_equal(void) {
    outcome o;
    CHECK_INT(status_of_line("Content-Length: 5\r\nX: y\r\ncontent-length: 5", &o), TURBOHTTP_OK);
    CHECK_INT(o.head.content_length, 5);
    CHECK_INT(status_of_line("Content-Length: 5\r\nContent-Length: 6", &o), TURBOHTTP_ERR_CONTENT_LENGTH);
    CHECK_INT(status_of_line("Content-Length: 5\r\nContent-Length:", &o), TURBOHTTP_ERR_CONTENT_LENGTH);
    CHECK_INT(status_of_line("Content-Length: 0\r\nContent-Length: 4294967296", &o), TURBOHTTP_ERR_CONTENT_LENGTH);
}

static void S_32_transfer_encoding_table(void) {
    static const struct {
        const char *lines;
        int status;
    } cases[] = {
        {"Transfer-Encoding: chunked", 0},
        {"Transfer-Encoding:chunked", 0},
        {"transfer-encoding: \tCHUNKED\t ", 0},
        {"Transfer-Encoding: ChUnKeD", 0},
        {"Transfer-Encoding:", 1},
        {"Transfer-Encoding: identity", 1},
        {"Transfer-Encoding: gzip", 1},
        {"Transfer-Encoding: gzip, chunked", 1},
        {"Transfer-Encoding: chunked, gzip", 1},
        {"Transfer-Encoding: chunked, chunked", 1},
        {"Transfer-Encoding: chunked, identity", 1},
        {"Transfer-Encoding: identity, chunked", 1},
        {"Transfer-Encoding: chunked,", 1},
        {"Transfer-Encoding: ,chunked", 1},
        {"Transfer-Encoding: chunked;q=1", 1},
        {"Transfer-Encoding: chunked chunked", 1},
        {"Transfer-Encoding: \"chunked\"", 1},
        {"Transfer-Encoding: xchunked", 1},
        {"Transfer-Encoding: chunkedx", 1},
        {"Transfer-Encoding: chunke", 1},
        {"Transfer-Encoding: \xc2\xa0" "chunked", 1},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 1},
        {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 1},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 1},
        {"Transfer-Encoding: chunked\r\nContent-Length: 5", 1},
        {"Content-Length: 5\r\nTransfer-Encoding: chunked", 1},
        {"Content-Length: 0\r\nTransfer-Encoding: chunked", 1},
        {"Content-Length: 5\r\nTransfer-Encoding: identity", 1},
        {"Transfer_Encoding: gzip", 0}, /* another header */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o;
        status_of_line(cases[i].lines, &o);
        if ((o.status != 0) != cases[i].status) printf("lines \"%s\"\n", cases[i].lines);
        CHECK_INT(o.status, cases[i].status ? TURBOHTTP_ERR_TRANSFER_ENCODING : TURBOHTTP_OK);
        if (i < 4) CHECK_INT(o.head.framing, TURBOHTTP_FRAMING_CHUNKED);
    }
    CHECK_INT(status_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), TURBOHTTP_ERR_TRANSFER_ENCODING);
    CHECK_INT(status_of("HTTP/1.0 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), TURBOHTTP_ERR_TRANSFER_ENCODING);
    CHECK_INT(status_of("HTTP/1.1 304 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), TURBOHTTP_ERR_TRANSFER_ENCODING);
}

static void framing_follows_status_and_method(void) {
    static const char *const codes[] = {"100", "101", "103", "199", "204", "304"};
    outcome o;
    for (size_t i = 0; i < 6; i++) {
        char text[128];
        snprintf(text, sizeof text, "HTTP/1.1 %s X\r\nTransfer-Encoding: chunked\r\n\r\n", codes[i]);
        CHECK_INT(parse_text(text, &o), TURBOHTTP_OK);
        CHECK_INT(o.head.framing, TURBOHTTP_FRAMING_NONE);
        CHECK(o.head.keep_alive);
    }
    CHECK_INT(parse_bytes("HTTP/1.1 200 OK\r\n\r\n", 19, true, &o), TURBOHTTP_OK);
    CHECK_INT(o.head.framing, TURBOHTTP_FRAMING_NONE);
    CHECK(o.head.keep_alive);
    CHECK_INT(parse_text("HTTP/1.1 200 OK\r\n\r\n", &o), TURBOHTTP_OK);
    CHECK_INT(o.head.framing, TURBOHTTP_FRAMING_UNTIL_CLOSE);
    CHECK(!o.head.keep_alive && !o.head.has_content_length);
}

static void keep_alive_follows_version_and_connection(void) {
    static const struct {
        const char *text;
        bool keep_alive, upgrade;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, ClOsE ,y\r\n\r\n", false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: closed\r\n\r\n", true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: ,,\r\n\r\n", true, false},
        {"HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n", true, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close, keep-alive\r\n\r\n", false, false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", false, false},
        {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", false, false},
        {"HTTP/1.1 101 X\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o;
        CHECK_INT(parse_text(cases[i].text, &o), TURBOHTTP_OK);
        if (o.head.keep_alive != cases[i].keep_alive) printf("case %s\n", cases[i].text);
        CHECK_INT(o.head.keep_alive, cases[i].keep_alive);
        CHECK_INT(o.head.connection_upgrade, cases[i].upgrade);
    }
}

static void content_coding_is_one_layer_or_other(void) {
    static const struct {
        const char *lines;
        int coding;
    } cases[] = {
        {"X: y", TURBOHTTP_CODING_IDENTITY},
        {"Content-Encoding: identity", TURBOHTTP_CODING_IDENTITY},
        {"Content-Encoding:", TURBOHTTP_CODING_IDENTITY},
        {"Content-Encoding: GZip", TURBOHTTP_CODING_GZIP},
        {"Content-Encoding: x-gzip", TURBOHTTP_CODING_GZIP},
        {"Content-Encoding: deflate", TURBOHTTP_CODING_DEFLATE},
        {"Content-Encoding: br", TURBOHTTP_CODING_OTHER},
        {"Content-Encoding: gzip, gzip", TURBOHTTP_CODING_OTHER},
        {"Content-Encoding: gzip\r\nContent-Encoding: deflate", TURBOHTTP_CODING_OTHER},
        {"Content-Encoding: identity, gzip", TURBOHTTP_CODING_GZIP},
        {"Content-Encoding: gzip;q=1", TURBOHTTP_CODING_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o;
        CHECK_INT(status_of_line(cases[i].lines, &o), TURBOHTTP_OK);
        CHECK_INT(o.head.content_coding, cases[i].coding);
    }
}

static void S_35_several_different_locations_are_refused(void) {
    outcome o;
    CHECK_INT(status_of_line("Location: /a\r\nLocation: /a", &o), TURBOHTTP_OK);
    CHECK_INT(status_of_line("Location: /a\r\nLocation: /b", &o), TURBOHTTP_ERR_HEADER_LINE);
    CHECK_INT(o.offset, 17 + 14 + 10);
    CHECK_INT(status_of_line("Location: /a\r\nX: y\r\nlocation: /aa", &o), TURBOHTTP_ERR_HEADER_LINE);
    CHECK_INT(status_of_line("Location: /a\r\nLocation: /a\r\nLocation: /A", &o), TURBOHTTP_ERR_HEADER_LINE);
    CHECK_INT(status_of_line("Content-Type: a/b\r\nContent-Type: c/d", &o), TURBOHTTP_OK);
    CHECK(tbh_header_find(o.rows, o.head.header_count, TURBOHTTP_HEADER_CONTENT_TYPE) == &o.rows[0]);
}

/* ------------------------------------------------------------ splits */
/* Feeds the text in steps, each time to a new place that ends at an unmapped page. */
static void feed(const char *text, size_t length, size_t first, size_t step, bool trailer, outcome *o) {
    turbohttp_h1_head_parser parser;
    turbohttp_h1_head_parser_init(&parser);
    memset(o, 0, sizeof *o);
    o->status = TURBOHTTP_PENDING;
    for (size_t n = first; o->status == TURBOHTTP_PENDING; n = n + step < length ? n + step : length) {
        guard g = guard_copy(text, n);
        size_t consumed = 0;
        if (trailer)
            o->status = turbohttp_h1_trailer_parse(&parser, (const char *)g.data, n, &no_limits, o->rows, ROWS,
                                                   &o->head.header_count, &consumed, &o->offset);
        else
            o->status = turbohttp_h1_head_parse(&parser, (const char *)g.data, n, false, &no_limits, o->rows, ROWS,
                                                &o->head, &o->offset);
        if (trailer && o->status == TURBOHTTP_OK) o->head.head_length = (uint32_t)consumed;
        for (uint32_t i = 0; o->status == TURBOHTTP_OK && i < o->head.header_count; i++) {
            o->rows[i].name = (const char *)(uintptr_t)(o->rows[i].name - (const char *)g.data);
            o->rows[i].value = (const char *)(uintptr_t)(o->rows[i].value - (const char *)g.data);
        }
        guard_free(&g);
        if (n == length) break;
    }
    o->attempts = parser.attempts;
}

static void check_same(const outcome *a, const outcome *b) {
    CHECK_INT(a->status, b->status);
    if (a->status != TURBOHTTP_PENDING) CHECK_INT(a->offset, b->offset);
    if (a->status != TURBOHTTP_OK) return;
    CHECK_INT(a->head.header_count, b->head.header_count);
    CHECK_INT(a->head.head_length, b->head.head_length);
    CHECK_INT(a->head.status, b->head.status);
    CHECK_INT(a->head.framing, b->head.framing);
    CHECK_INT(a->head.content_length, b->head.content_length);
    for (uint32_t i = 0; i < a->head.header_count; i++) CHECK(memcmp(&a->rows[i], &b->rows[i], sizeof a->rows[i]) == 0);
}

static const char *const split_heads[] = {
    "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200\r\n\r\n",
    "HTTP/1.0 301 \r\nLocation: http://a/b?c=d:e\r\nConnection: close\r\n\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n4\r\n",
    "HTTP/1.1 200 A long reason phrase, longer than any lane is wide, really\r\nA:\r\nB: \r\nC:  c \t\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA-very-long-header-name-that-needs-several-lanes-to-be-scanned: 1\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d; Path=/; Secure; HttpOnly; SameSite=Strict\r\n\r\n",
    "HTTP/1.1 200 OK\nServer: x\n\n",
    "HTTP/1.1 200 OK\r\nServer: x\nDate: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: x\r\n folded\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer : x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: \x01\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: x\r\r\n\r\n",
    "HTTP/1.1 200 OK\r\nServer: x\r\n\rX\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3x\r\nBad\r\n\r\n",
    "HTTP/1.1 20x OK\r\n\r\n",
    "HTTP/3.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: y\r\n\r\n\x00\x01\xff",
    "HTTP/1.1 200 OK\r\nX: y\r\n",
};

static void every_split_comes_to_the_same_end(void) {
    for (size_t i = 0; i < sizeof split_heads / sizeof split_heads[0]; i++) {
        size_t length = strlen(split_heads[i]);
        outcome whole, split;
        feed(split_heads[i], length, length, 1, false, &whole);
        CHECK_INT(whole.status == TURBOHTTP_PENDING, i == 22);
        for (size_t first = 0; first < length; first++) {
            feed(split_heads[i], length, first, length, false, &split);
            check_same(&split, &whole);
            feed(split_heads[i], length, first, 1, false, &split);
            check_same(&split, &whole);
            feed(split_heads[i], length, first, 7, false, &split);
            check_same(&split, &whole);
        }
    }
}

static void every_split_comes_to_the_same_end_under_limits(void) {
    turbohttp_head_limits saved = no_limits;
    for (uint32_t bound = 1; bound < 80; bound++)
        for (size_t i = 0; i < sizeof split_heads / sizeof split_heads[0]; i++)
            for (int which = 0; which < 3; which++) {
                size_t length = strlen(split_heads[i]);
                outcome whole, split;
                no_limits.head_bytes = which == 0 ? bound : 0;
                no_limits.line_bytes = which == 1 ? bound : 0;
                no_limits.header_count = which == 2 ? bound & 3 : 0;
                feed(split_heads[i], length, length, 1, false, &whole);
                feed(split_heads[i], length, 1, 1, false, &split);
                check_same(&split, &whole);
                feed(split_heads[i], length, length / 2, 5, false, &split);
                check_same(&split, &whole);
            }
    no_limits = saved;
}

/* ------------------------------------------------------------ limits */
static void S_34_limits_are_exact(void) {
    static const char text[] = "HTTP/1.1 200 OK\r\nA: 123456789012345678901234567890\r\nB: c\r\n\r\n";
    turbohttp_head_limits saved = no_limits;
    outcome o;
    no_limits.head_bytes = sizeof text - 1;
    CHECK_INT(status_of(text), TURBOHTTP_OK);
    no_limits.head_bytes--;
    CHECK_INT(parse_text(text, &o), TURBOHTTP_ERR_HEAD_TOO_LARGE);
    CHECK_INT(o.offset, sizeof text - 2);
    no_limits = saved;
    no_limits.line_bytes = 33;
    CHECK_INT(status_of(text), TURBOHTTP_OK);
    no_limits.line_bytes = 32;
    CHECK_INT(parse_text(text, &o), TURBOHTTP_ERR_LINE_TOO_LONG);
    CHECK_INT(o.offset, 17 + 32);
    no_limits = saved;
    no_limits.header_count = 2;
    CHECK_INT(status_of(text), TURBOHTTP_OK);
    no_limits.header_count = 1;
    CHECK_INT(parse_text(text, &o), TURBOHTTP_ERR_TOO_MANY_HEADERS);
    CHECK_INT(o.offset, 52);
    no_limits = saved;
    turbohttp_h1_head_parser parser = {0, 0, 0};
    turbohttp_header row;
    CHECK_INT(turbohttp_h1_head_parse(&parser, text, sizeof text - 1, false, NULL, &row, 1, &o.head, NULL),
              TURBOHTTP_ERR_TOO_MANY_HEADERS);
}

/* Streams `unit` for ever after `start`; returns the status, and the bytes that it took. */
static turbohttp_status endless(const char *start, const char *unit, size_t step, size_t *taken, uint32_t *attempts) {
    static char text[200000];
    size_t n = strlen(start), unit_length = strlen(unit);
    memcpy(text, start, n);
    for (; n + unit_length <= sizeof text; n += unit_length) memcpy(text + n, unit, unit_length);
    turbohttp_h1_head_parser parser = {0, 0, 0};
    turbohttp_header rows[ROWS];
    turbohttp_h1_head head;
    turbohttp_status status = TURBOHTTP_PENDING;
    uint32_t scanned = 0;
    for (*taken = 0; status == TURBOHTTP_PENDING && *taken + step <= n;) {
        *taken += step;
        status = turbohttp_h1_head_parse(&parser, text, *taken, false, NULL, rows, ROWS, &head, NULL);
        CHECK(parser.scanned >= scanned); /* no byte is searched again */
        scanned = parser.scanned;
    }
    *attempts = parser.attempts;
    return status;
}

static void S_34_endless_input_ends_at_a_limit(void) {
    static const struct {
        const char *start, *unit;
        int status;
        size_t at_most;
    } cases[] = {
        {"HTTP/1.1 200 ", "x", TURBOHTTP_ERR_LINE_TOO_LONG, 16385},
        {"HTTP/1.1 200 OK\r\nX: ", "x", TURBOHTTP_ERR_LINE_TOO_LONG, 17 + 16385},
        {"HTTP/1.1 200 OK\r\n", "x", TURBOHTTP_ERR_LINE_TOO_LONG, 17 + 16385},
        {"HTTP/1.1 200 OK\r\nX:", " ", TURBOHTTP_ERR_LINE_TOO_LONG, 17 + 16385},
        {"HTTP/1.1 200 OK\r\n", "X: y\r\n", TURBOHTTP_ERR_TOO_MANY_HEADERS, 65536},
        {"HTTP/1.1 200 OK\r\n", "\n", TURBOHTTP_ERR_HEADER_LINE, 18},
        {"HTTP/1.1 200 OK\r\nX: y\r\n", " z\r\n", TURBOHTTP_ERR_HEADER_LINE, 65536},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 5000; step = step * 7 + 1) {
            size_t taken;
            uint32_t attempts;
            CHECK_INT(endless(cases[i].start, cases[i].unit, step, &taken, &attempts), cases[i].status);
            CHECK(taken < cases[i].at_most + step);
            CHECK(attempts <= 16 + 2);
        }
    char line[1100];
    size_t taken;
    uint32_t attempts;
    snprintf(line, sizeof line, "X: %01000d\r\n", 1);
    CHECK_INT(endless("HTTP/1.1 200 OK\r\n", line, 1, &taken, &attempts), TURBOHTTP_ERR_HEAD_TOO_LARGE);
    CHECK_INT(taken, 65536);
}

/* A head of 64 KiB byte by byte: parsed at most once after the search, which goes over it once. */
static void S_34_work_is_linear_byte_by_byte(void) {
    static char text[65536];
    size_t n = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 120; i++) n += (size_t)sprintf(text + n, "X-%d: %0530d\r\n", i, i);
    n += (size_t)sprintf(text + n, "\r\n");
    turbohttp_h1_head_parser parser = {0, 0, 0};
    turbohttp_header rows[ROWS];
    turbohttp_h1_head head;
    uint32_t scanned = 0;
    for (size_t i = 1; i < n; i++) {
        CHECK_INT(turbohttp_h1_head_parse(&parser, text, i, false, NULL, rows, ROWS, &head, NULL), TURBOHTTP_PENDING);
        CHECK(parser.scanned >= scanned && parser.scanned <= i);
        if (i > 16) CHECK(parser.scanned + 1 >= i);
        scanned = parser.scanned;
    }
    CHECK_INT(parser.attempts, 16);
    CHECK_INT(turbohttp_h1_head_parse(&parser, text, n, false, NULL, rows, ROWS, &head, NULL), TURBOHTTP_OK);
    CHECK_INT(parser.attempts, 17);
    CHECK_INT(head.header_count, 120);
}

/* ------------------------------------------------------------ lenient heads */
/* As feed; `keeps` what a call changed for the next one, which sees it as received. */
static void feed_lenient(const char *text, size_t length, size_t first, size_t step, bool keeps, outcome *o) {
    turbohttp_h1_head_parser parser;
    char *received = (char *)malloc(length + 1);
    memcpy(received, text, length);
    turbohttp_h1_head_parser_init(&parser);
    memset(o, 0, sizeof *o);
    o->status = TURBOHTTP_PENDING;
    for (size_t n = first; o->status == TURBOHTTP_PENDING; n = n + step < length ? n + step : length) {
        guard g = guard_copy(received, n);
        char *data = (char *)g.data;
        o->status = turbohttp_h1_head_parse_lenient(&parser, data, n, false, &no_limits, o->rows, ROWS, &o->head,
                                                    &o->offset);
        for (uint32_t i = 0; o->status == TURBOHTTP_OK && i < o->head.header_count; i++) {
            turbohttp_header *row = &o->rows[i];
            CHECK(tbh_is_token(row->name, row->name_length) && tbh_is_field_value(row->value, row->value_length));
            CHECK_INT(row->id, tbh_header_id(row->name, row->name_length));
            row->name = (const char *)(uintptr_t)(row->name - data);
            row->value = (const char *)(uintptr_t)(row->value - data);
        }
        if (keeps && n) memcpy(received, data, n);
        guard_free(&g);
        if (n == length) break;
    }
    free(received);
    o->attempts = parser.attempts;
}

typedef struct lenient_case {
    const char *text;
    turbohttp_status status;
    uint64_t offset;
} lenient_case;

#define START "HTTP/1.1 200 OK\r\n"
#define FAULT TURBOHTTP_ERR_HEADER_LINE

static const lenient_case lenient_cases[] = {
    {"HTTP/1.1 200 OK\n\n", TURBOHTTP_OK, 0},
    {"HTTP/1.1 200\n\n", TURBOHTTP_OK, 0},
    {"HTTP/1.1 200 \n\r\n", TURBOHTTP_OK, 0},
    {"HTTP/1.1 200\n", TURBOHTTP_PENDING, 0},
    {"HTTP/1.1 20\n", TURBOHTTP_ERR_STATUS_LINE, 11},
    {"HTTP/1.1 2000\n\n", TURBOHTTP_ERR_STATUS_LINE, 12},
    {"HTTP/1.1 200\t\n\n", TURBOHTTP_ERR_STATUS_LINE, 12},
    {"HTTP/1.1 200 O\rK\n\n", TURBOHTTP_ERR_STATUS_LINE, 14},
    {"HTTP/1.1 099 OK\n\n", TURBOHTTP_ERR_STATUS_LINE, 9},
    {"HTTP/2.0 200 OK\n\n", TURBOHTTP_ERR_NOT_HTTP, 5},
    {"\nHTTP/1.1 200 OK\n\n", TURBOHTTP_ERR_NOT_HTTP, 0},
    {START "\n", TURBOHTTP_OK, 0},
    {START "A: b\n", TURBOHTTP_PENDING, 0},
    {START "A: b\n\r", TURBOHTTP_PENDING, 0},
    {START "A: b\n\rx", FAULT, 22},
    {START "A: b\r\r\n\n", FAULT, 21},
    {START "A: b\r\n c\r\n\r\n", TURBOHTTP_OK, 0},
    {START "A:\n\t\n \nB: c\n\n", TURBOHTTP_OK, 0},
    {START "A: b\n c", TURBOHTTP_PENDING, 0},
    {START "A: b\n c\x01\n\n", FAULT, 24},
    {START " A: b\n\n", FAULT, 17},
    {START "A \t: b\n\n", TURBOHTTP_OK, 0},
    {START "A\n : b\n\n", FAULT, 18},
    {START "A b: c\n\n", FAULT, 19},
    {START ": c\n\n", FAULT, 17},
    {START "A \n\n", FAULT, 19},
    {START "A ", TURBOHTTP_PENDING, 0},
    {START "Content-Length: 3\n\nabc", TURBOHTTP_OK, 0},
    {START "Content-Length : 3\n\nabc", FAULT, 31},
    {START "Content-Length\t", FAULT, 31},
    {START "Content-Length:\n 3\n\nabc", FAULT, 33},
    {START "content-length: 3\r\n \r\n\r\nabc", FAULT, 36},
    {START "TRANSFER-ENCODING: chunked\n\t\n\n", FAULT, 44},
    {START "A: b\n Content-Length: 3\n\nabc", FAULT, 22},
    {START "A: b\n c\n\tTransfer-Encoding\n\n", FAULT, 25},
    {START "A: b\n Content-Lengths: 3\n\n", TURBOHTTP_OK, 0},
    {START "Content-Length: 3\nContent-Length: 3\n\nabc", TURBOHTTP_OK, 0},
    {START "Content-Length: 3\nContent-Length: 4\n\nabc", TURBOHTTP_ERR_CONTENT_LENGTH, 51},
    {START "Content-Length: 3\nTransfer-Encoding: chunked\n\n", TURBOHTTP_OK, 0},
    {START "Content-Length: x\nTransfer-Encoding: chunked\n\n", TURBOHTTP_ERR_CONTENT_LENGTH, 33},
    {START "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n", TURBOHTTP_ERR_TRANSFER_ENCODING, 63},
    {START "Transfer-Encoding: gzip\n\n", TURBOHTTP_ERR_TRANSFER_ENCODING, 36},
    {"HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n", TURBOHTTP_ERR_TRANSFER_ENCODING, 35},
    {"HTTP/1.1 100 OK\nTransfer-Encoding: chunked\nContent-Length: 3\n\n", TURBOHTTP_ERR_TRANSFER_ENCODING, 35},
    {START "Location: /a\n b\nLocation: /a\n b\n\n", TURBOHTTP_OK, 0},
    {START "Location: /a\n b\nLocation: /a\n\n", FAULT, 43},
};
#define LENIENT_CASES (sizeof lenient_cases / sizeof lenient_cases[0])

static void lenient_heads_are_forgiven_except_where_they_frame(void) {
    for (size_t i = 0; i < LENIENT_CASES; i++) {
        const lenient_case *c = &lenient_cases[i];
        outcome o;
        feed_lenient(c->text, strlen(c->text), strlen(c->text), 1, false, &o);
        if (o.status != c->status) fprintf(stderr, "case %zu: %s\n", i, c->text);
        CHECK_INT(o.status, c->status);
        if (c->status < TURBOHTTP_OK) CHECK_INT(o.offset, c->offset);
    }
}

static void lenient_rows_are_slices_of_one_line(void) {
    char text[] = "HTTP/1.1 200 Fine\nA \t: b\r\n\t c\n \nB:\n\nbody";
    turbohttp_h1_head_parser parser;
    turbohttp_header rows[4];
    turbohttp_h1_head h;
    turbohttp_h1_head_parser_init(&parser);
    CHECK_INT(turbohttp_h1_head_parse_lenient(&parser, text, sizeof text - 1, false, NULL, rows, 4, &h, NULL), 0);
    CHECK_TEXT(h.reason.data, h.reason.length, "Fine");
    CHECK_INT(h.header_count, 2);
    CHECK_TEXT(rows[0].name, rows[0].name_length, "A");
    CHECK_TEXT(rows[0].value, rows[0].value_length, "b    c");
    CHECK_TEXT(rows[1].name, rows[1].name_length, "B");
    CHECK_INT(rows[1].value_length, 0);
    CHECK_TEXT(text + h.head_length, 4, "body");
    CHECK_TEXT(text, 18, "HTTP/1.1 200 Fine\n"); /* nothing else has changed */
}

static void S_32_lenient_chunked_beside_length_ends_the_connection(void) {
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
                               "Connection: keep-alive\r\n\r\n";
    outcome o;
    feed_lenient(text, sizeof text - 1, sizeof text - 1, 1, false, &o);
    CHECK_INT(o.status, TURBOHTTP_OK);
    CHECK_INT(o.head.framing, TURBOHTTP_FRAMING_CHUNKED);
    CHECK(!o.head.keep_alive && !o.head.has_content_length);
    CHECK_INT(o.head.content_length, 0);
}

static void check_lenient_splits(const char *text, size_t length) {
    outcome whole, split;
    feed_lenient(text, length, length, 1, false, &whole);
    for (size_t first = 0; first < length; first++)
        for (size_t step = 1; step < 2 * length; step = step * 7)
            for (int keeps = 0; keeps < 2; keeps++) {
                feed_lenient(text, length, first, step, keeps, &split);
                check_same(&split, &whole);
                CHECK(split.attempts <= 20);
            }
}

static void every_split_of_a_lenient_head_comes_to_the_same_end(void) {
    turbohttp_head_limits saved = no_limits;
    for (size_t i = 0; i < LENIENT_CASES; i++) {
        char text[160]; /* with an end: until there a fault inside a line may or may not be seen */
        snprintf(text, sizeof text, "%s\n\n", lenient_cases[i].text);
        check_lenient_splits(text, strlen(text));
        for (uint32_t bound = 1; bound < 60; bound += 1) {
            outcome whole, split;
            for (int which = 0; which < 3; which++) {
                no_limits.head_bytes = which == 0 ? bound : 0;
                no_limits.line_bytes = which == 1 ? bound : 0;
                no_limits.header_count = which == 2 ? bound & 3 : 0;
                feed_lenient(text, strlen(text), strlen(text), 1, false, &whole);
                feed_lenient(text, strlen(text), 1, 1, true, &split);
                check_same(&split, &whole);
                feed_lenient(text, strlen(text), strlen(text) / 2, 5, true, &split);
                check_same(&split, &whole);
            }
            no_limits = saved;
        }
    }
}

static void what_strict_accepts_lenient_accepts_alike(void) {
    turbohttp_head_limits saved = no_limits;
    for (size_t i = 0; i < sizeof split_heads / sizeof split_heads[0]; i++)
        for (uint32_t bound = 0; bound < 80; bound++) {
            size_t length = strlen(split_heads[i]);
            outcome strict, lenient;
            no_limits.line_bytes = bound;
            feed(split_heads[i], length, length, 1, false, &strict);
            for (size_t first = 1; first <= length && strict.status == TURBOHTTP_OK; first++) {
                feed_lenient(split_heads[i], length, first, 3, true, &lenient);
                check_same(&lenient, &strict);
                CHECK_INT(lenient.head.keep_alive, strict.head.keep_alive);
                CHECK_INT(lenient.head.minor_version, strict.head.minor_version);
                CHECK_INT(lenient.head.reason.length, strict.head.reason.length);
                CHECK_INT(lenient.head.content_coding, strict.head.content_coding);
            }
        }
    no_limits = saved;
}

/* Folds count as one line, and are searched once. */
static void S_34_lenient_limits_are_exact(void) {
    static const char text[] = START "A: bcd\n efg\n\n";
    turbohttp_head_limits saved = no_limits;
    outcome o;
    no_limits.line_bytes = 15; /* the status line's */
    feed_lenient(text, sizeof text - 1, sizeof text - 1, 1, false, &o);
    CHECK_INT(o.status, TURBOHTTP_OK);
    no_limits.line_bytes = 10;
    feed_lenient("HTTP/1.1 200\n\n", 14, 14, 1, false, &o);
    CHECK_INT(o.status, TURBOHTTP_ERR_LINE_TOO_LONG);
    no_limits.line_bytes = 17;
    feed_lenient(START "A: bcd\n efghijklm\n\n", 36, 36, 1, false, &o);
    CHECK_INT(o.status, TURBOHTTP_OK);
    no_limits.line_bytes = 16;
    feed_lenient(START "A: bcd\n efghijklm\n\n", 36, 36, 1, false, &o);
    CHECK_INT(o.status, TURBOHTTP_ERR_LINE_TOO_LONG);
    CHECK_INT(o.offset, 17 + 16);
    no_limits = saved;
    no_limits.head_bytes = sizeof text - 1;
    feed_lenient(text, sizeof text - 1, 1, 1, true, &o);
    CHECK_INT(o.status, TURBOHTTP_OK);
    no_limits.head_bytes--;
    feed_lenient(text, sizeof text - 1, 1, 1, true, &o);
    CHECK_INT(o.status, TURBOHTTP_ERR_HEAD_TOO_LARGE);
    no_limits = saved;
}

static void S_34_lenient_work_is_linear_byte_by_byte(void) {
    static char text[65536];
    size_t n = (size_t)sprintf(text, "HTTP/1.1 200 OK\n");
    for (int i = 0; i < 120; i++) n += (size_t)sprintf(text + n, "X-%d :\n %0520d\n", i, i);
    n += (size_t)sprintf(text + n, "\n");
    turbohttp_h1_head_parser parser;
    turbohttp_header rows[ROWS];
    turbohttp_h1_head head;
    turbohttp_h1_head_parser_init(&parser);
    for (size_t i = 1; i < n; i++) {
        CHECK_INT(turbohttp_h1_head_parse_lenient(&parser, text, i, false, NULL, rows, ROWS, &head, NULL),
                  TURBOHTTP_PENDING);
        if (i > 16) CHECK(parser.scanned + 1 >= i && parser.scanned <= i);
    }
    CHECK_INT(turbohttp_h1_head_parse_lenient(&parser, text, n, false, NULL, rows, ROWS, &head, NULL), TURBOHTTP_OK);
    CHECK(parser.attempts <= 20);
    CHECK_INT(head.header_count, 120);
}

/* ------------------------------------------------------------ trailers */
static turbohttp_status trailer_of(const char *text, outcome *o) {
    feed(text, strlen(text), strlen(text), 1, true, o);
    return o->status;
}

static void trailers_are_header_lines_up_to_the_empty_one(void) {
    outcome o;
    CHECK_INT(trailer_of("\r\nHTTP", &o), TURBOHTTP_OK);
    CHECK_INT(o.head.header_count, 0);
    CHECK_INT(o.head.head_length, 2);
    CHECK_INT(trailer_of("X-Checksum: abc\r\nETag: \"x\"\r\n\r\nHTTP", &o), TURBOHTTP_OK);
    CHECK_INT(o.head.header_count, 2);
    CHECK_INT(o.rows[1].id, TURBOHTTP_HEADER_ETAG);
    CHECK_INT(o.head.head_length, 17 + 11 + 2);
    CHECK_INT(trailer_of("", &o), TURBOHTTP_PENDING);
    CHECK_INT(trailer_of("\r", &o), TURBOHTTP_PENDING);
    CHECK_INT(trailer_of("\n", &o), TURBOHTTP_ERR_HEADER_LINE);
    CHECK_INT(trailer_of("\rX", &o), TURBOHTTP_ERR_HEADER_LINE);
    CHECK_INT(trailer_of("X: y\n\r\n", &o), TURBOHTTP_ERR_HEADER_LINE);
    CHECK_INT(trailer_of("X: y\r\n", &o), TURBOHTTP_PENDING);
    uint32_t count = 9;
    size_t consumed = 9;
    turbohttp_header row;
    CHECK_INT(tbh_h1_fields_parse("A: b\r\n\r\nC", 9, NULL, &row, 1, &count, &consumed, NULL), TURBOHTTP_OK);
    CHECK_INT(count, 1);
    CHECK_INT(consumed, 8);
    CHECK_INT(tbh_h1_fields_parse("", 0, NULL, &row, 1, &count, &consumed, NULL), TURBOHTTP_PENDING);
}

static void S_33_framing_fields_in_trailers_are_refused(void) {
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Host", "Content-Encoding", "Connection",
                                        "Trailer", "Content-Type", "Content-Range", "Set-Cookie", "Location", "TE",
                                        "Upgrade", "Cache-Control", "Authorization", "WWW-Authenticate"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[64];
        outcome o;
        snprintf(text, sizeof text, "X: y\r\n%s: 1\r\n\r\n", names[i]);
        CHECK_INT(trailer_of(text, &o), TURBOHTTP_ERR_HEADER_LINE);
    }
}

static void every_split_of_a_trailer_comes_to_the_same_end(void) {
    static const char *const texts[] = {"\r\n", "A: b\r\n\r\nrest", "A: b\r\nCcccccccccccccccccccccccc: dddddddd\r\n\r\n",
                                        "A: b\r\n c\r\n\r\n", "A: b\r\nHost: c\r\n\r\n", "A\r\n\r\n", "A: b\n\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        outcome whole, split;
        trailer_of(texts[i], &whole);
        for (size_t first = 0; first < strlen(texts[i]); first++)
            for (size_t step = 1; step < 50; step += 6) {
                feed(texts[i], strlen(texts[i]), first, step, true, &split);
                check_same(&split, &whole);
            }
    }
}

static void lists_are_cut_at_commas(void) {
    turbohttp_span rest = tbh_span_of(" a ,,b\t"), element;
    CHECK(tbh_list_next(&rest, &element));
    CHECK_TEXT(element.data, element.length, "a");
    CHECK(tbh_list_next(&rest, &element));
    CHECK_INT(element.length, 0);
    CHECK(tbh_list_next(&rest, &element));
    CHECK_TEXT(element.data, element.length, "b");
    CHECK(!tbh_list_next(&rest, &element));
}

static const check_test tests[] = {
    CHECK_TEST(rows_are_slices_with_blanks_trimmed_and_ids),
    CHECK_TEST(every_well_known_name_has_its_id_in_any_case),
    CHECK_TEST(find_takes_the_first_of_several),
    CHECK_TEST(status_line_is_strict),
    CHECK_TEST(header_lines_are_strict),
    CHECK_TEST(S_30_each_byte_at_each_place_of_a_line),
    CHECK_TEST(S_30_runs_of_control_bytes_at_every_place),
    CHECK_TEST(names_of_every_length_must_be_tokens),
    CHECK_TEST(S_31_content_length_table),
    CHECK_TEST(S_31_duplicate_lines_must_be_equal),
    CHECK_TEST(S_32_transfer_encoding_table),
    CHECK_TEST(framing_follows_status_and_method),
    CHECK_TEST(keep_alive_follows_version_and_connection),
    CHECK_TEST(content_coding_is_one_layer_or_other),
    CHECK_TEST(S_35_several_different_locations_are_refused),
    CHECK_TEST(every_split_comes_to_the_same_end),
    CHECK_TEST(every_split_comes_to_the_same_end_under_limits),
    CHECK_TEST(S_34_limits_are_exact),
    CHECK_TEST(S_34_endless_input_ends_at_a_limit),
    CHECK_TEST(S_34_work_is_linear_byte_by_byte),
    CHECK_TEST(lenient_heads_are_forgiven_except_where_they_frame),
    CHECK_TEST(lenient_rows_are_slices_of_one_line),
    CHECK_TEST(S_32_lenient_chunked_beside_length_ends_the_connection),
    CHECK_TEST(every_split_of_a_lenient_head_comes_to_the_same_end),
    CHECK_TEST(what_strict_accepts_lenient_accepts_alike),
    CHECK_TEST(S_34_lenient_limits_are_exact),
    CHECK_TEST(S_34_lenient_work_is_linear_byte_by_byte),
    CHECK_TEST(trailers_are_header_lines_up_to_the_empty_one),
    CHECK_TEST(S_33_framing_fields_in_trailers_are_refused),
    CHECK_TEST(every_split_of_a_trailer_comes_to_the_same_end),
    CHECK_TEST(lists_are_cut_at_commas),
};
CHECK_MAIN(tests)
