/* HTTP/2 frames: every rule of RFC 9113 section 6 that the codec looks at, whole and byte by byte at a
 * guard page; every writer read back. Events are compared as text. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "guard.h"
#include "plain_allocator.h"
#include "unhex.h"

static char said[4096], body[1024];
static size_t body_length;

static void say(const char *format, unsigned a, unsigned b) {
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, format, a, b);
}

static void say_frame(const turbohttp_h2_event *e) {
    static const char *const names[] = {"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE",
                                        "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"};
    bool is_known = e->frame.type < 10;
    say(is_known ? names[e->frame.type] : e->frame.type == 16 ? "PRIORITY_UPDATE" : "UNKNOWN", 0, 0);
    if (e->frame.stream_id) say(" s%u", e->frame.stream_id, 0);
    if (e->frame.flags) say(" f%02x", e->frame.flags, 0);
    if (e->other_id) say(" id=%u", e->other_id, 0);
    if (e->error) say(" error=%u", e->error, 0);
    if (e->increment) say(" +%u", e->increment, 0);
    if (e->weight) say(" w%u", e->weight, 0);
    if (e->is_exclusive) say(" x", 0, 0);
    if (e->ping[0]) say(" ping=%u..%u", e->ping[0], e->ping[7]);
}

static void say_event(const turbohttp_h2_event *e) {
    switch (e->kind) {
    case TURBOHTTP_H2_EVENT_FRAME: say_frame(e); return;
    case TURBOHTTP_H2_EVENT_SETTING: say(" %u=%u", e->setting.id, e->setting.value); return;
    case TURBOHTTP_H2_EVENT_STREAM_ERROR: say("reset s%u %u", e->frame.stream_id, e->error); return;
    case TURBOHTTP_H2_EVENT_BYTES:
        CHECK(e->bytes.length > 0 && body_length + e->bytes.length < sizeof body);
        memcpy(body + body_length, e->bytes.data, e->bytes.length);
        body_length += e->bytes.length;
        return;
    case TURBOHTTP_H2_EVENT_END:
        body[body_length] = 0;
        if (body_length) say(" '", 0, 0), strcat(said, body), say("'", 0, 0);
        body_length = 0;
        say(".", 0, 0);
        return;
    }
    CHECK(false);
}

static void read_pieces(turbohttp_h2_reader *r, const uint8_t *p, size_t n, size_t step) {
    turbohttp_status status = TURBOHTTP_PENDING;
    turbohttp_h2_event e;
    said[0] = 0;
    body_length = 0;
    for (size_t at = 0; at < n && status >= 0; at += step) {
        size_t left = step < n - at ? step : n - at;
        guard piece = guard_copy(p + at, left);
        const uint8_t *in = piece.data;
        while ((status = turbohttp_h2_read(r, &in, &left, &e)) == TURBOHTTP_OK) say_event(&e);
        if (status == TURBOHTTP_PENDING) CHECK_INT(left, 0);
        guard_free(&piece);
    }
    if (status >= 0) return;
    CHECK_INT(status, TURBOHTTP_ERR_H2_FRAME);
    say("GOAWAY! %u", e.error, 0);
    const uint8_t *in = p;
    CHECK_INT(turbohttp_h2_read(r, &in, &n, &e), TURBOHTTP_ERR_H2_FRAME); /* final, and says so again */
    say(",%u", e.error, 0);
}

typedef struct row {
    const char *hex, *events;
} row;

static void run_rows(const row *rows, size_t count, bool is_server) {
    uint8_t bytes[1024];
    turbohttp_h2_limits limits;
    turbohttp_h2_reader r;
    memset(&limits, 0, sizeof limits);
    limits.is_server = is_server;
    for (size_t i = 0; i < count; i++) {
        size_t n = unhex(rows[i].hex, bytes);
        for (size_t step = 1; step <= sizeof bytes; step = step < 12 ? step + 1 : step * 2) {
            turbohttp_h2_reader_init(&r, &limits);
            read_pieces(&r, bytes, n, step);
            if (strcmp(said, rows[i].events) != 0) printf("frame %s in pieces of %u\n", rows[i].hex, (unsigned)step);
            CHECK_TEXT(said, strlen(said), rows[i].events);
        }
    }
}

#define ROWS(rows, is_server) run_rows(rows, sizeof rows / sizeof rows[0], is_server)

static void data(void) {
    static const row rows[] = {
        {"000003 00 00 00000001 616263", "DATA s1 'abc'."},
        {"000003 00 01 80000003 616263", "DATA s3 f01 'abc'."}, /* the reserved bit means nothing */
        {"000000 00 01 00000001", "DATA s1 f01."},
        {"000006 00 09 00000001 02 616263 0000", "DATA s1 f09 'abc'."},
        {"000001 00 08 00000001 00", "DATA s1 f08."},
        {"000003 00 08 00000001 02 0000", "DATA s1 f08."},
        {"000003 00 08 00000001 03 0000", "GOAWAY! 1,1"}, /* padding of the whole payload */
        {"000000 00 08 00000001", "GOAWAY! 6,6"},         /* no room for its length */
        {"000001 00 00 00000000 61", "GOAWAY! 1,1"},      /* stream 0 */
    };
    ROWS(rows, false);
}

static void headers_and_continuation(void) {
    static const row rows[] = {
        {"000001 01 05 00000001 82", "HEADERS s1 f05 '\x82'."},
        {"000006 01 24 00000001 80000003 0f 82", "HEADERS s1 f24 id=3 w15 x '\x82'."},
        {"000009 01 2c 00000001 02 00000003 10 82 0000", "HEADERS s1 f2c id=3 w16 '\x82'."},
        {"000008 01 2c 00000001 03 00000003 10 82 00", "GOAWAY! 1,1"}, /* padding beyond the block */
        {"000004 01 24 00000001 00000003", "GOAWAY! 6,6"},
        {"000000 01 04 00000000", "GOAWAY! 1,1"},
        {"000001 01 00 00000001 82 000001 09 00 00000001 84 000000 09 04 00000001 000000 00 01 00000001",
         "HEADERS s1 '\x82'.CONTINUATION s1 '\x84'.CONTINUATION s1 f04.DATA s1 f01."},
        {"000001 01 00 00000001 82 000000 09 04 00000003", "HEADERS s1 '\x82'.GOAWAY! 1,1"},
        {"000001 01 00 00000001 82 000000 00 01 00000001", "HEADERS s1 '\x82'.GOAWAY! 1,1"},
        {"000001 01 00 00000001 82 000000 bb 00 00000000", "HEADERS s1 '\x82'.GOAWAY! 1,1"}, /* even unknown ones */
        {"000000 09 04 00000001", "GOAWAY! 1,1"},
        {"000000 01 04 00000001 000000 09 04 00000001", "HEADERS s1 f04.GOAWAY! 1,1"},
        {"000000 09 04 00000000", "GOAWAY! 1,1"},
    };
    ROWS(rows, false);
}

static void small_frames(void) {
    static const row rows[] = {
        {"000005 02 00 00000005 80000003 ff", "PRIORITY s5 id=3 w255 x."},
        {"000004 02 00 00000005 00000003 000000 00 01 00000001", "reset s5 6.DATA s1 f01."}, /* the stream's error */
        {"000006 02 00 00000005 00000003 0000", "reset s5 6."},
        {"000005 02 00 00000000 00000003 ff", "GOAWAY! 1,1"},
        {"000004 03 00 00000001 00000008", "RST_STREAM s1 error=8."},
        {"000003 03 00 00000001 000000", "GOAWAY! 6,6"},
        {"000005 03 00 00000001 0000000000", "GOAWAY! 6,6"},
        {"000004 03 00 00000000 00000008", "GOAWAY! 1,1"},
        {"000008 06 00 00000000 0102030405060708", "PING ping=1..8."},
        {"000008 06 01 00000000 0102030405060708", "PING f01 ping=1..8."},
        {"000007 06 00 00000000 01020304050607", "GOAWAY! 6,6"},
        {"000009 06 00 00000000 010203040506070809", "GOAWAY! 6,6"},
        {"000008 06 00 00000001 0102030405060708", "GOAWAY! 1,1"},
        {"000008 07 00 00000000 80000007 0000000b", "GOAWAY id=7 error=11."},
        {"00000a 07 00 00000000 00000007 00000002 6162", "GOAWAY id=7 error=2 'ab'."},
        {"000007 07 00 00000000 00000007 000000", "GOAWAY! 6,6"},
        {"000008 07 00 00000001 00000007 00000000", "GOAWAY! 1,1"},
        {"000004 08 00 00000000 00000001", "WINDOW_UPDATE +1."},
        {"000004 08 00 00000003 ffffffff", "WINDOW_UPDATE s3 +2147483647."},
        {"000004 08 00 00000003 80000000 000000 00 01 00000001", "reset s3 1.DATA s1 f01."},
        {"000004 08 00 00000000 00000000", "GOAWAY! 1,1"},
        {"000003 08 00 00000003 000001", "GOAWAY! 6,6"},
        {"000005 08 00 00000003 0000000100", "GOAWAY! 6,6"},
        {"000003 bb ff 00000003 616263 000000 bb 00 00000000", "UNKNOWN s3 fff.UNKNOWN."},
    };
    ROWS(rows, false);
}

static void settings(void) {
    static const row rows[] = {
        {"00000c 04 00 00000000 0003 00000064 0004 7fffffff", "SETTINGS 3=100 4=2147483647."},
        {"000000 04 00 00000000", "SETTINGS."},
        {"000000 04 01 00000000", "SETTINGS f01."},
        {"000006 04 01 00000000 0003 00000064", "GOAWAY! 6,6"},
        {"000005 04 00 00000000 0003 000000", "GOAWAY! 6,6"},
        {"000000 04 00 00000001", "GOAWAY! 1,1"},
        {"000006 04 00 00000000 0002 00000000", "SETTINGS 2=0."},
        {"000006 04 00 00000000 0002 00000001", "SETTINGSGOAWAY! 1,1"}, /* a server may not */
        {"000006 04 00 00000000 0004 80000000", "SETTINGSGOAWAY! 3,3"},
        {"000006 04 00 00000000 0005 00003fff", "SETTINGSGOAWAY! 1,1"},
        {"000006 04 00 00000000 0005 00004000", "SETTINGS 5=16384."},
        {"000006 04 00 00000000 0005 00ffffff", "SETTINGS 5=16777215."},
        {"000006 04 00 00000000 0005 01000000", "SETTINGSGOAWAY! 1,1"},
        {"000006 04 00 00000000 0008 00000002", "SETTINGSGOAWAY! 1,1"},
        {"000006 04 00 00000000 0009 00000002", "SETTINGSGOAWAY! 1,1"},
        {"000012 04 00 00000000 0001 ffffffff 0006 ffffffff ff00 00000005", "SETTINGS 1=4294967295 6=4294967295 65280=5."},
    };
    static const row from_client[] = {{"000006 04 00 00000000 0002 00000001", "SETTINGS 2=1."},
                                      {"000006 04 00 00000000 0002 00000002", "SETTINGSGOAWAY! 1,1"}};
    ROWS(rows, false);
    ROWS(from_client, true);
}

static void only_one_side_may_send(void) {
    static const row from_server[] = {
        {"000005 05 04 00000001 00000002 82", "PUSH_PROMISE s1 f04 id=2 '\x82'."},
        {"000007 05 0c 00000001 01 00000002 82 00", "PUSH_PROMISE s1 f0c id=2 '\x82'."},
        {"000005 05 04 00000001 00000003 82", "GOAWAY! 1,1"}, /* a stream of ours */
        {"000005 05 04 00000001 00000000 82", "GOAWAY! 1,1"},
        {"000005 05 04 00000000 00000002 82", "GOAWAY! 1,1"},
        {"000003 05 04 00000001 000000", "GOAWAY! 6,6"},
        {"000005 05 0c 00000001 01 00000002", "GOAWAY! 1,1"},
        {"000007 10 00 00000000 00000001 753d31", "GOAWAY! 1,1"},
    };
    static const row from_client[] = {
        {"000007 10 00 00000000 00000001 753d31", "PRIORITY_UPDATE id=1 'u=1'."},
        {"000004 10 00 00000000 00000001", "PRIORITY_UPDATE id=1."},
        {"000004 10 00 00000000 00000000", "GOAWAY! 1,1"},
        {"000003 10 00 00000000 000000", "GOAWAY! 6,6"},
        {"000004 10 00 00000001 00000001", "GOAWAY! 1,1"},
        {"000005 05 04 00000001 00000002 82", "GOAWAY! 1,1"},
    };
    ROWS(from_server, false);
    ROWS(from_client, true);
}

/* RELIABILITY S-40, S-42: sizes and counts have limits. */
static void floods(void) {
    static uint8_t bytes[512];
    turbohttp_h2_limits limits;
    turbohttp_h2_reader r;
    memset(&limits, 0, sizeof limits);
    turbohttp_h2_reader_init(&r, NULL);
    size_t n = unhex("004001 00 00 00000001", bytes); /* 16,385 bytes */
    read_pieces(&r, bytes, n, n);
    CHECK_TEXT(said, strlen(said), "GOAWAY! 6,6");
    limits.frame_bytes = 16385;
    turbohttp_h2_reader_init(&r, &limits);
    read_pieces(&r, bytes, n, n);
    CHECK_TEXT(said, strlen(said), "DATA s1");
    n = unhex("000000 01 00 00000001", bytes);
    for (int i = 0; i < 9; i++, n += 9) unhex("000000 09 00 00000001", bytes + n);
    turbohttp_h2_reader_init(&r, NULL);
    read_pieces(&r, bytes, n - 9, 7);
    CHECK(strstr(said, "GOAWAY") == NULL);
    turbohttp_h2_reader_init(&r, NULL);
    read_pieces(&r, bytes, n, 7);
    CHECK(strstr(said, "GOAWAY! 11,11") != NULL);
    unhex("000000 09 04 00000001", bytes + n - 27); /* seven of one block, then eight of the next */
    unhex("000000 01 00 00000003", bytes + n - 18);
    for (int i = 0; i < 8; i++) unhex("000000 09 00 00000003", bytes + n - 9 + 9 * i);
    turbohttp_h2_reader_init(&r, NULL);
    read_pieces(&r, bytes, n + 63, 7);
    CHECK(strstr(said, "GOAWAY") == NULL);
    memset(bytes, 0, sizeof bytes);
    unhex("0000c6 04 00 00000000", bytes); /* 33 settings */
    turbohttp_h2_reader_init(&r, NULL);
    read_pieces(&r, bytes, 9 + 198, 9 + 198);
    CHECK_TEXT(said, strlen(said), "GOAWAY! 11,11");
    unhex("0000c0 04 00 00000000", bytes); /* 32 */
    turbohttp_h2_reader_init(&r, NULL);
    read_pieces(&r, bytes, 9 + 192, 9 + 192);
    CHECK(strstr(said, "GOAWAY") == NULL);
}

/* ------------------------------------------------------------ writing */
static void every_writer_is_read_back(void) {
    turbohttp_byte_pool pool;
    turbohttp_writer w;
    turbohttp_h2_reader r;
    turbohttp_h2_limits limits;
    turbohttp_h2_priority priority = {3, 15, true};
    static const turbohttp_h2_setting entries[2] = {{TURBOHTTP_H2_ENABLE_PUSH, 0}, {TURBOHTTP_H2_INITIAL_WINDOW_SIZE, 99}};
    static const uint8_t ping[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    memset(&limits, 0, sizeof limits);
    limits.is_server = true;
    turbohttp_byte_pool_init(&pool, &plain_allocator, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&w, &pool, 0);
    CHECK_INT(turbohttp_h2_write_data(&w, 1, tbh_span_of("abc"), true, 0), 0);
    CHECK_INT(turbohttp_h2_write_data(&w, 0x80000001u, tbh_span_of("abc"), false, 256), 0);
    CHECK_INT(turbohttp_h2_write_headers(&w, 3, tbh_span_of("hh"), false, &priority, 1, 0), 0);
    CHECK_INT(turbohttp_h2_write_headers(&w, 3, tbh_span_of(NULL), true, NULL, 0, 0), 0);
    CHECK_INT(turbohttp_h2_write_priority(&w, 5, &priority), 0);
    CHECK_INT(turbohttp_h2_write_rst_stream(&w, 3, TURBOHTTP_H2_CANCEL), 0);
    CHECK_INT(turbohttp_h2_write_settings(&w, entries, 2), 0);
    CHECK_INT(turbohttp_h2_write_settings_ack(&w), 0);
    CHECK_INT(turbohttp_h2_write_ping(&w, ping, true), 0);
    CHECK_INT(turbohttp_h2_write_goaway(&w, 7, TURBOHTTP_H2_ENHANCE_YOUR_CALM, tbh_span_of("calm")), 0);
    CHECK_INT(turbohttp_h2_write_window_update(&w, 3, 0x7fffffff), 0);
    CHECK_INT(turbohttp_h2_write_priority_update(&w, 3, tbh_span_of("u=1, i")), 0);
    turbohttp_h2_reader_init(&r, &limits);
    read_pieces(&r, (const uint8_t *)w.data, w.length, 5);
    static const char wanted[] =
        "DATA s1 f01 'abc'.DATA s1 f08 'abc'.HEADERS s3 f2c id=3 w15 x 'hh'.HEADERS s3 f05.PRIORITY s5 id=3 w15 x."
        "RST_STREAM s3 error=8.SETTINGS 2=0 4=99.SETTINGS f01.PING f01 ping=1..8.GOAWAY id=7 error=11 'calm'."
        "WINDOW_UPDATE s3 +2147483647.PRIORITY_UPDATE id=3 'u=1, i'.";
    CHECK_TEXT(said, strlen(said), wanted);
    turbohttp_writer_clear(&w);
    CHECK_INT(turbohttp_h2_write_push_promise(&w, 1, 4, tbh_span_of("pp"), 3, 0), 0);
    turbohttp_h2_reader_init(&r, NULL);
    read_pieces(&r, (const uint8_t *)w.data, w.length, 5);
    CHECK_TEXT(said, strlen(said), "PUSH_PROMISE s1 f0c id=4 'pp'.");
    turbohttp_writer_clear(&w);
    CHECK_INT(turbohttp_h2_write_window_update(&w, 3, 0), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_h2_write_window_update(&w, 3, 0x80000000u), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_h2_write_data(&w, 1, tbh_span(NULL, 0), true, 257), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_h2_write_headers(&w, 1, tbh_span(NULL, 0), true, NULL, 0, 16383), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_h2_write_settings(&w, entries, 2731), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(turbohttp_h2_write_goaway(&w, 0, 0, tbh_span("", 0xfffff8)), TURBOHTTP_ERR_OVERFLOW);
    CHECK_INT(w.length, 0);
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_destroy(&pool);
}

/* A block larger than a frame goes on in CONTINUATION frames. */
static void long_blocks_are_split(void) {
    static char block[40000];
    turbohttp_byte_pool pool;
    turbohttp_writer w;
    turbohttp_h2_reader r;
    turbohttp_h2_event e;
    turbohttp_status status;
    size_t got = 0, frames = 0;
    for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i * 7);
    turbohttp_byte_pool_init(&pool, &plain_allocator, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&w, &pool, 0);
    CHECK_INT(turbohttp_h2_write_headers(&w, 1, tbh_span(block, sizeof block), true, NULL, 10, 0), 0);
    turbohttp_h2_reader_init(&r, NULL);
    const uint8_t *in = (const uint8_t *)w.data;
    size_t left = w.length;
    while ((status = turbohttp_h2_read(&r, &in, &left, &e)) == TURBOHTTP_OK) {
        frames += e.kind == TURBOHTTP_H2_EVENT_FRAME;
        if (e.kind == TURBOHTTP_H2_EVENT_FRAME)
            CHECK_INT(e.frame.flags, frames == 1 ? 9 : frames == 3 ? 4 : 0);
        if (e.kind != TURBOHTTP_H2_EVENT_BYTES) continue;
        CHECK(memcmp(e.bytes.data, block + got, e.bytes.length) == 0);
        got += e.bytes.length;
    }
    CHECK_INT(status, TURBOHTTP_PENDING);
    CHECK_INT(got, sizeof block);
    CHECK_INT(frames, 3);
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_destroy(&pool);
}

static const check_test tests[] = {
    CHECK_TEST(data),
    CHECK_TEST(headers_and_continuation),
    CHECK_TEST(small_frames),
    CHECK_TEST(settings),
    CHECK_TEST(only_one_side_may_send),
    CHECK_TEST(floods),
    CHECK_TEST(every_writer_is_read_back),
    CHECK_TEST(long_blocks_are_split),
};
CHECK_MAIN(tests)
