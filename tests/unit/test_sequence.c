/* Segments, segmented buffers and the views over them, at every split. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include "guard.h"

#define TEXT_BYTES 700

static counting_allocator memory;
static turbohttp_byte_pool pool;
static turbohttp_segments s;
static char text[TEXT_BYTES];

static void open_segments(bool disable_pooling) {
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&pool, &a, 128, 1024, 3, TURBOHTTP_CLEAR_NONE, disable_pooling);
    turbohttp_segments_init(&s, &pool, 128);
    for (int i = 0; i < TEXT_BYTES; i++) text[i] = (char)('!' + i * 7 % 90);
}

static void shut_segments(void) {
    turbohttp_segments_reset(&s);
    CHECK(s.first == NULL && s.length == 0 && s.end == 0);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).active, 0);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).violations, 0);
    turbohttp_byte_pool_destroy(&pool);
    CHECK(counting_allocator_balanced(&memory));
}

static void check_offsets(void) {
    uint64_t at = s.end - s.length;
    for (turbohttp_segment *p = s.first; p; p = p->next) {
        CHECK_INT(p->offset, at);
        at += p->length;
        if (!p->next) CHECK(p == s.last);
    }
    CHECK_INT(at, s.end);
}

static size_t at_change; /* some byte, another one each time */

static void appended_bytes_come_out_in_order(void) {
    for (int off = 0; off < 2; off++) {
        for (size_t step = 1; step < 300; step += 13) {
            open_segments(off);
            for (size_t at = 0; at < TEXT_BYTES; at += step) {
                size_t n = TEXT_BYTES - at < step ? TEXT_BYTES - at : step;
                CHECK_INT(turbohttp_segments_append(&s, text + at, n), TURBOHTTP_OK);
            }
            CHECK_INT(s.length, TEXT_BYTES);
            check_offsets();
            turbohttp_sequence q = turbohttp_segments_sequence(&s);
            CHECK(turbohttp_sequence_equals(&q, text, TEXT_BYTES));
            CHECK(!turbohttp_sequence_equals(&q, text, TEXT_BYTES - 1));
            text[at_change = (at_change + 97) % TEXT_BYTES] ^= 1;
            CHECK(!turbohttp_sequence_equals(&q, text, TEXT_BYTES));
            CHECK(!turbohttp_sequence_is_contiguous(&q));
            shut_segments();
        }
    }
}

static void room_and_commit_write_in_place(void) {
    open_segments(false);
    size_t n, at = 0;
    while (at < TEXT_BYTES) {
        uint8_t *room = turbohttp_segments_room(&s, &n);
        CHECK(room != NULL && n > 0);
        size_t part = n < TEXT_BYTES - at ? n : TEXT_BYTES - at;
        if (part > 50) part = 50;
        memcpy(room, text + at, part);
        CHECK_INT(turbohttp_segments_commit(&s, part), TURBOHTTP_OK);
        at += part;
    }
    size_t payload = tbh_segment_payload_bytes(s.first);
    CHECK_INT(turbohttp_byte_pool_stats(&pool).active, (TEXT_BYTES + payload - 1) / payload);
    turbohttp_segments_room(&s, &n);
    CHECK_INT(turbohttp_segments_commit(&s, n + 1), TURBOHTTP_ERR_INVALID_ARGUMENT);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    CHECK(turbohttp_sequence_equals(&q, text, TEXT_BYTES));
    shut_segments();
    open_segments(false);
    CHECK_INT(turbohttp_segments_commit(&s, 1), TURBOHTTP_ERR_INVALID_ARGUMENT);
    CHECK_INT(turbohttp_segments_commit(&s, 0), TURBOHTTP_OK);
    shut_segments();
}

static void consuming_returns_segments_and_keeps_offsets(void) {
    for (size_t step = 1; step < 200; step += 7) {
        open_segments(false);
        turbohttp_segments_append(&s, text, TEXT_BYTES);
        for (size_t at = 0; at < TEXT_BYTES;) {
            turbohttp_segments_consume(&s, step);
            at = at + step < TEXT_BYTES ? at + step : TEXT_BYTES;
            check_offsets();
            turbohttp_sequence q = turbohttp_segments_sequence(&s);
            CHECK_INT(q.offset, at);
            CHECK(turbohttp_sequence_equals(&q, text + at, TEXT_BYTES - at));
        }
        CHECK_INT(turbohttp_byte_pool_stats(&pool).active, 0);
        turbohttp_segments_append(&s, "x", 1);
        CHECK_INT(s.first->offset, TEXT_BYTES);
        shut_segments();
    }
}

/* A network block: a parsed head first, and only the body part belongs to the chain. */
static void a_whole_segment_is_attached_and_detached(void) {
    open_segments(false);
    turbohttp_segments_append(&s, text, 10);
    turbohttp_segment *block = tbh_segment_rent(&pool, 256);
    size_t header = (size_t)(tbh_segment_payload(block) - (uint8_t *)block);
    CHECK(header >= sizeof(turbohttp_segment));
    CHECK_INT(tbh_segment_payload_bytes(block), 256 - header);
    CHECK_INT(header % 16, 0); /* as aligned as the block */
    memcpy(tbh_segment_payload(block), "HEAD", 4);
    memcpy(tbh_segment_payload(block) + 4, text + 10, 20);
    block->data = tbh_segment_payload(block) + 4;
    block->length = 20;
    size_t n;
    CHECK(tbh_segment_room(block, &n) == block->data + 20);
    CHECK_INT(n, 256 - header - 24);
    turbohttp_segments_attach(&s, block);
    turbohttp_segments_append(&s, text + 30, 20);
    CHECK(s.last == block);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    CHECK(turbohttp_sequence_equals(&q, text, 50));
    tbh_segment_return(&pool, turbohttp_segments_detach_first(&s));
    q = turbohttp_segments_sequence(&s);
    CHECK(turbohttp_sequence_equals(&q, text + 10, 40));
    CHECK_INT(q.offset, 10);
    tbh_segment_return(&pool, turbohttp_segments_detach_first(&s));
    CHECK(turbohttp_segments_detach_first(&s) == NULL);
    tbh_segment_return(&pool, NULL);
    shut_segments();
}

static void every_slice_equals_its_part(void) {
    open_segments(false);
    turbohttp_segments_append(&s, text, 300);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    for (size_t from = 0; from <= 301; from++) {
        for (size_t n = 0; n <= 301; n += from % 3 + 1) {
            size_t start = from < 300 ? from : 300, length = n < 300 - start ? n : 300 - start;
            turbohttp_sequence part = turbohttp_sequence_slice(&q, from, n);
            CHECK(turbohttp_sequence_equals(&part, text + start, length));
            CHECK_INT(part.offset, start);
            turbohttp_sequence half = turbohttp_sequence_slice(&part, length / 2, SIZE_MAX);
            CHECK(turbohttp_sequence_equals(&half, text + start + length / 2, length - length / 2));
        }
    }
    shut_segments();
}

/* The text behind a slice is equal to what lies behind it in the segments: only counting tells
 * whether its last piece was cut. */
static void A5_the_pieces_of_a_slice_end_with_it(void) {
    open_segments(false);
    turbohttp_segments_append(&s, text, 300);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    for (size_t from = 0; from <= 300; from += 3) {
        for (size_t n = 0; from + n <= 300; n += 7) {
            turbohttp_sequence part = turbohttp_sequence_slice(&q, from, n);
            turbohttp_sequence_iterator it;
            turbohttp_span piece;
            size_t at = from;
            memset(&it, 0, sizeof it);
            while (turbohttp_sequence_next(&part, &it, &piece)) {
                CHECK(piece.length > 0 && memcmp(piece.data, text + at, piece.length) == 0);
                at += piece.length;
            }
            CHECK_INT(at, from + n);
            CHECK_INT(it.taken, n);
            CHECK(piece.length == 0 && !turbohttp_sequence_next(&part, &it, &piece));
        }
    }
    shut_segments();
}

static void A5_copies_cross_pieces_and_stop_where_they_should(void) {
    open_segments(false);
    turbohttp_segments_append(&s, text, 300);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    for (size_t n = 0; n <= 310; n++) {
        guard g = guard_alloc(n);
        size_t expected = n < 300 ? n : 300;
        CHECK_INT(turbohttp_sequence_copy_to(&q, g.data, n), expected);
        CHECK(memcmp(g.data, text, expected) == 0);
        guard_free(&g);
    }
    shut_segments();
}

static void views_of_nothing_and_of_plain_memory(void) {
    open_segments(false);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    turbohttp_sequence_iterator it;
    turbohttp_span piece;
    memset(&it, 0, sizeof it);
    CHECK(!turbohttp_sequence_next(&q, &it, &piece) && piece.length == 0);
    CHECK(turbohttp_sequence_equals(&q, "", 0) && turbohttp_sequence_is_contiguous(&q));
    size_t n;
    turbohttp_segments_room(&s, &n); /* an empty segment must not disturb the views */
    turbohttp_segments_attach(&s, tbh_segment_rent(&pool, 128));
    turbohttp_segments_append(&s, "ab", 2);
    q = turbohttp_segments_sequence(&s);
    CHECK(turbohttp_sequence_equals(&q, "ab", 2) && turbohttp_sequence_is_contiguous(&q));
    q = turbohttp_sequence_of("hello", 5);
    CHECK(q.offset == 0 && q.length == 5);
    CHECK_TEXT(q.head.data, q.head.length, "hello");
    q = turbohttp_sequence_slice(&q, 1, 3);
    char copy[8];
    CHECK_INT(turbohttp_sequence_copy_to(&q, copy, 8), 3);
    CHECK_TEXT(copy, 3, "ell");
    CHECK_INT(turbohttp_sequence_copy_to(&q, copy, 2), 2);
    shut_segments();
}

static void block_sizes_have_a_default_and_a_least(void) {
    static const size_t asked[] = {0, 1, 127, 128, 129}, given[] = {16384, 128, 128, 128, 129};
    for (size_t i = 0; i < 5; i++) {
        turbohttp_segments_init(&s, &pool, asked[i]);
        CHECK_INT(s.block_bytes, given[i]);
    }
}

static void a_view_does_not_grow_with_its_buffer(void) {
    open_segments(false);
    turbohttp_segments_append(&s, text, 10);
    turbohttp_sequence q = turbohttp_segments_sequence(&s);
    turbohttp_segments_append(&s, text, 200);
    CHECK(turbohttp_sequence_equals(&q, text, 10));
    shut_segments();
}

static void S_81_append_is_all_or_nothing(void) {
    for (uint64_t at = 1; at < 14; at++) {
        open_segments(false);
        turbohttp_segments_append(&s, text, 3);
        memory.requests = 0;
        memory.fail_at = at;
        turbohttp_status status = turbohttp_segments_append(&s, text + 3, 600);
        turbohttp_sequence q = turbohttp_segments_sequence(&s);
        CHECK(status == TURBOHTTP_OK || status == TURBOHTTP_ERR_OUT_OF_MEMORY);
        CHECK(turbohttp_sequence_equals(&q, text, status == TURBOHTTP_OK ? 603 : 3));
        check_offsets();
        shut_segments();
    }
    open_segments(false);
    size_t n = 5;
    memory.fail_at = 1;
    CHECK(turbohttp_segments_room(&s, &n) == NULL && n == 0);
    shut_segments();
    turbohttp_segments_reset(NULL);
}

static const check_test tests[] = {
    CHECK_TEST(appended_bytes_come_out_in_order),
    CHECK_TEST(room_and_commit_write_in_place),
    CHECK_TEST(consuming_returns_segments_and_keeps_offsets),
    CHECK_TEST(a_whole_segment_is_attached_and_detached),
    CHECK_TEST(every_slice_equals_its_part),
    CHECK_TEST(A5_the_pieces_of_a_slice_end_with_it),
    CHECK_TEST(A5_copies_cross_pieces_and_stop_where_they_should),
    CHECK_TEST(views_of_nothing_and_of_plain_memory),
    CHECK_TEST(block_sizes_have_a_default_and_a_least),
    CHECK_TEST(a_view_does_not_grow_with_its_buffer),
    CHECK_TEST(S_81_append_is_all_or_nothing),
};
CHECK_MAIN(tests)
