/* HTTP/2 fields: RELIABILITY S-48 and the zero-length names of S-42 as a table. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"

typedef struct row {
    turbohttp_h2_section section;
    bool is_good;
    const char *text; /* lines "name|value" */
} row;

#define RESPONSE TURBOHTTP_H2_RESPONSE
#define REQUEST  TURBOHTTP_H2_REQUEST
#define TRAILERS TURBOHTTP_H2_TRAILERS
#define GET      ":method|GET\n:scheme|https\n:path|/\n"

/* Lines end with \n; \1 stands for a line feed, \2 for NUL in what is tried. */
static const row rows[] = {
    {RESPONSE, true, ":status|200\nserver|x\nx-empty|\n"},
    {RESPONSE, true, ":status|100\n"},
    {RESPONSE, false, ""},
    {RESPONSE, false, "server|x\n"},
    {RESPONSE, false, "server|x\n:status|200\n"},
    {RESPONSE, false, ":status|200\n:status|200\n"},
    {RESPONSE, false, ":status|\n"},
    {RESPONSE, false, ":status|20\n"},
    {RESPONSE, false, ":status|2000\n"},
    {RESPONSE, false, ":status|099\n"},
    {RESPONSE, false, ":status|101\n"},
    {RESPONSE, false, ":status|+20\n"},
    {RESPONSE, false, ":status|200\n:path|/\n"},
    {RESPONSE, false, ":status|200\n:other|x\n"},
    {RESPONSE, false, ":status|200\n:|x\n"},
    {RESPONSE, false, ":Status|200\n"},
    {RESPONSE, false, ":status|200\n|empty name\n"},
    {RESPONSE, false, ":status|200\nServer|x\n"},
    {RESPONSE, false, ":status|200\nserveR|x\n"},
    {RESPONSE, false, ":status|200\na b|x\n"},
    {RESPONSE, false, ":status|200\na:b|x\n"},
    {RESPONSE, false, ":status|200\na\1b|x\n"},
    {RESPONSE, false, ":status|200\na\2|x\n"},
    {RESPONSE, false, ":status|200\na\x80|x\n"},
    {RESPONSE, true, ":status|200\na|x y\tz\x80\xff\n"},
    {RESPONSE, false, ":status|200\na|x\1b: c\n"},
    {RESPONSE, false, ":status|200\na|x\rb\n"},
    {RESPONSE, false, ":status|200\na|x\2\n"},
    {RESPONSE, false, ":status|200\na|x\x7f\n"},
    {RESPONSE, false, ":status|200\na| x\n"},
    {RESPONSE, false, ":status|200\na|x\t\n"},
    {RESPONSE, false, ":status|200 \n"},
    {RESPONSE, false, ":status|200\nconnection|close\n"},
    {RESPONSE, false, ":status|200\nproxy-connection|close\n"},
    {RESPONSE, false, ":status|200\nkeep-alive|timeout=5\n"},
    {RESPONSE, false, ":status|200\ntransfer-encoding|chunked\n"},
    {RESPONSE, false, ":status|200\nupgrade|h2c\n"},
    {RESPONSE, false, ":status|200\nte|gzip\n"},
    {RESPONSE, true, ":status|200\nte|trailers\n"},
    {TRAILERS, true, ""},
    {TRAILERS, true, "x-sum|1\n"},
    {TRAILERS, false, ":status|200\n"},
    {TRAILERS, false, "x-sum|1\n:status|200\n"},
    {TRAILERS, false, "transfer-encoding|chunked\n"},
    {REQUEST, true, GET "accept|*/*\n"},
    {REQUEST, true, GET ":authority|a\n"},
    {REQUEST, false, ":method|GET\n:scheme|https\n"},
    {REQUEST, false, ":method|GET\n:path|/\n"},
    {REQUEST, false, ":scheme|https\n:path|/\n"},
    {REQUEST, false, ":method|GET\n:scheme|https\n:path|\n"},
    {REQUEST, false, ":method|G T\n:scheme|https\n:path|/\n"},
    {REQUEST, false, GET ":status|200\n"},
    {REQUEST, false, GET ":path|/\n"},
    {REQUEST, false, GET ":protocol|websocket\n"},
    {REQUEST, true, ":method|CONNECT\n:authority|a:443\n"},
    {REQUEST, false, ":method|CONNECT\n"},
    {REQUEST, false, ":method|CONNECT\n:authority|a:443\n:path|/\n"},
    {REQUEST, true, ":method|CONNECT\n:protocol|websocket\n:scheme|https\n:path|/\n:authority|a\n"},
    {REQUEST, false, ":method|CONNECT\n:protocol|websocket\n:authority|a\n"},
};

static turbohttp_status check_lines(const row *r) {
    char text[256];
    turbohttp_h2_fields fields;
    turbohttp_hpack_field field;
    turbohttp_h2_fields_init(&fields, r->section);
    strcpy(text, r->text);
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char *bar = strchr(line, '|');
        for (char *c = line; c < end; c++) *c = (char)(*c == 1 ? '\n' : *c == 2 ? 0 : *c);
        field.name = tbh_span(line, (size_t)(bar - line));
        field.value = tbh_span(bar + 1, (size_t)(end - bar - 1));
        field.never_indexed = false;
        if (turbohttp_h2_fields_check(&fields, &field) != TURBOHTTP_OK) return TURBOHTTP_ERR_H2_FIELD;
    }
    return turbohttp_h2_fields_end(&fields);
}

static void each_row(void) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        turbohttp_status status = check_lines(&rows[i]);
        if ((status == TURBOHTTP_OK) != rows[i].is_good) printf("section %d: %s", (int)rows[i].section, rows[i].text);
        CHECK_INT(status, rows[i].is_good ? TURBOHTTP_OK : TURBOHTTP_ERR_H2_FIELD);
    }
}

static void the_status_is_read(void) {
    turbohttp_h2_fields fields;
    turbohttp_hpack_field field;
    turbohttp_h2_fields_init(&fields, RESPONSE);
    field.name = tbh_span_of(":status");
    field.value = tbh_span_of("404");
    field.never_indexed = false;
    CHECK_INT(turbohttp_h2_fields_check(&fields, &field), TURBOHTTP_OK);
    CHECK_INT(fields.status, 404);
}

static void a_field_without_anything_is_refused(void) {
    turbohttp_h2_fields fields;
    turbohttp_hpack_field field;
    memset(&field, 0, sizeof field);
    turbohttp_h2_fields_init(&fields, TURBOHTTP_H2_TRAILERS);
    CHECK_INT(turbohttp_h2_fields_check(&fields, &field), TURBOHTTP_ERR_H2_FIELD);
}

static const check_test tests[] = {
    CHECK_TEST(a_field_without_anything_is_refused),
    CHECK_TEST(each_row),
    CHECK_TEST(the_status_is_read),
};
CHECK_MAIN(tests)
