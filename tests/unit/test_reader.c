/* Reader: read, skip, seek and peek over pieces. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include "guard.h"

#define TEXT_BYTES 500

static counting_allocator memory;
static turbohttp_byte_pool pool;
static turbohttp_segments s;
static char text[TEXT_BYTES];
static turbohttp_reader r;

static void open_reader(void) {
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&pool, &a, 128, 1024, 3, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_segments_init(&s, &pool, 128);
    for (int i = 0; i < TEXT_BYTES; i++) text[i] = (char)(i * 11 + 200);
    turbohttp_segments_append(&s, text, TEXT_BYTES);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    turbohttp_reader_init(&r, &q);
}

static void shut_reader(void) {
    turbohttp_segments_reset(&s);
    turbohttp_byte_pool_destroy(&pool);
    CHECK(counting_allocator_balanced(&memory));
}

static void reads_everything_in_any_steps(void) {
    for (size_t step = 1; step < 520; step += 17) {
        open_reader();
        char got[TEXT_BYTES + 1];
        size_t at = 0, n;
        while ((n = turbohttp_reader_read(&r, got + at, step)) > 0) {
            at += n;
            CHECK_INT(turbohttp_reader_tell(&r), at);
        }
        CHECK_INT(at, TEXT_BYTES);
        CHECK(memcmp(got, text, TEXT_BYTES) == 0);
        CHECK_INT(turbohttp_reader_peek(&r), -1);
        CHECK_INT(turbohttp_reader_next(&r), -1);
        CHECK_INT(turbohttp_reader_skip(&r, 1), 0);
        CHECK_INT(turbohttp_reader_piece(&r).length, 0);
        shut_reader();
    }
}

static void seeks_to_every_position_from_every_other(void) {
    open_reader();
    for (size_t i = 0; i < 2000; i++) {
        size_t to = i * 137 % (TEXT_BYTES + 1);
        CHECK_INT(turbohttp_reader_seek(&r, to), TURBOHTTP_OK);
        CHECK_INT(turbohttp_reader_tell(&r), to);
        CHECK_INT(turbohttp_reader_peek(&r), to < TEXT_BYTES ? (uint8_t)text[to] : -1);
    }
    CHECK_INT(turbohttp_reader_seek(&r, 7), TURBOHTTP_OK);
    CHECK_INT(turbohttp_reader_seek(&r, TEXT_BYTES + 1), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_reader_tell(&r), 7);
    CHECK_INT(turbohttp_reader_length(&r), TEXT_BYTES);
    shut_reader();
}

static void A6_a_read_gives_what_was_asked_for_and_no_byte_more(void) {
    for (size_t n = 0; n <= TEXT_BYTES; n += 7) {
        for (size_t from = 0; from <= TEXT_BYTES; from += 41) {
            size_t expected = TEXT_BYTES - from < n ? TEXT_BYTES - from : n;
            guard g = guard_alloc(n);
            open_reader();
            CHECK_INT(turbohttp_reader_seek(&r, from), TURBOHTTP_OK);
            CHECK_INT(turbohttp_reader_read(&r, g.data, n), expected);
            CHECK(memcmp(g.data, text + from, expected) == 0);
            CHECK_INT(turbohttp_reader_tell(&r), from + expected);
            CHECK_INT(turbohttp_reader_seek(&r, from), TURBOHTTP_OK);
            CHECK_INT(turbohttp_reader_skip(&r, n), expected);
            CHECK_INT(turbohttp_reader_tell(&r), from + expected);
            shut_reader();
            guard_free(&g);
        }
    }
}

static void A6_no_position_beyond_the_end_moves_the_reader(void) {
    static const size_t beyond[] = {TEXT_BYTES + 1, SIZE_MAX / 2 + 1, SIZE_MAX - 1, SIZE_MAX};
    open_reader();
    CHECK_INT(turbohttp_reader_skip(&r, SIZE_MAX), TEXT_BYTES);
    CHECK_INT(turbohttp_reader_seek(&r, TEXT_BYTES), TURBOHTTP_OK);
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(turbohttp_reader_seek(&r, beyond[i]), TURBOHTTP_ERR_INVALID_ARGUMENT);
        CHECK_INT(turbohttp_reader_tell(&r), TEXT_BYTES);
        CHECK_INT(turbohttp_reader_peek(&r), -1);
    }
    shut_reader();
}

static void bytes_and_pieces_agree(void) {
    open_reader();
    for (size_t i = 0; i < TEXT_BYTES; i++) CHECK_INT(turbohttp_reader_next(&r), (uint8_t)text[i]);
    turbohttp_reader_seek(&r, 0);
    size_t at = 0, pieces = 0;
    for (turbohttp_span p; (p = turbohttp_reader_piece(&r)).length > 0; pieces++) {
        CHECK(memcmp(p.data, text + at, p.length) == 0);
        at += turbohttp_reader_skip(&r, p.length);
    }
    CHECK_INT(at, TEXT_BYTES);
    CHECK(pieces > 3);
    shut_reader();
}

static void stops_at_the_end_of_a_slice(void) {
    open_reader();
    for (size_t from = 0; from < TEXT_BYTES; from += 23) {
        turbohttp_sequence q = turbohttp_segments_sequence(&s);
        turbohttp_sequence part = turbohttp_sequence_slice(&q, from, 100);
        char got[200];
        size_t expected = TEXT_BYTES - from < 100 ? TEXT_BYTES - from : 100;
        turbohttp_reader_init(&r, &part);
        CHECK_INT(turbohttp_reader_read(&r, got, 200), expected);
        CHECK(memcmp(got, text + from, expected) == 0);
    }
    turbohttp_sequence empty = turbohttp_sequence_of(NULL, 0);
    turbohttp_reader_init(&r, &empty);
    CHECK_INT(turbohttp_reader_next(&r), -1);
    shut_reader();
}

static const check_test tests[] = {
    CHECK_TEST(reads_everything_in_any_steps),
    CHECK_TEST(seeks_to_every_position_from_every_other),
    CHECK_TEST(A6_a_read_gives_what_was_asked_for_and_no_byte_more),
    CHECK_TEST(A6_no_position_beyond_the_end_moves_the_reader),
    CHECK_TEST(bytes_and_pieces_agree),
    CHECK_TEST(stops_at_the_end_of_a_slice),
};
CHECK_MAIN(tests)
