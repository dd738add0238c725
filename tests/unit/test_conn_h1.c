/* The engine's tables, cell by cell: each state of receiving meets bytes and the peer's end, each
 * state of sending meets drained, continue and abandon. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"

typedef struct bench {
    counting_allocator memory;
    turbohttp_allocator allocator;
    tbh_heap *heap;
    turbohttp_limits limits;
    turbohttp_segments store;
    tbh_source source;
    tbh_conn_request request;
    tbh_conn_h1 h;
} bench;

static void bench_open(bench *b) {
    memset(b, 0, sizeof *b);
    b->allocator = counting_allocator_hooks(&b->memory);
    b->heap = tbh_heap_create(&b->allocator, 65536, 8, TURBOHTTP_CLEAR_NONE, false);
    b->limits.head_bytes = b->limits.line_bytes = 4096;
    b->limits.header_count = 16;
    b->limits.interim_count = 4;
    b->limits.block_bytes = 1024;
    b->limits.receive_bytes = 4096;
    turbohttp_segments_init(&b->store, &b->heap->blocks, 1024);
    tbh_conn_init(&b->h, &b->heap->blocks, &b->limits, false);
    b->request.head = tbh_span_of("HEAD");
}

static void bench_close(bench *b) {
    tbh_conn_reset(&b->h);
    turbohttp_segments_reset(&b->store);
    tbh_heap_drop(b->heap);
    CHECK(counting_allocator_balanced(&b->memory));
}

static void feed(bench *b, const char *text) {
    size_t room, n = strlen(text);
    uint8_t *place = tbh_conn_in_room(&b->h, &room);
    CHECK(place != NULL && room >= n);
    memcpy(place, text, n);
    tbh_conn_in_commit(&b->h, n);
}

static tbh_conn_event next(bench *b) {
    turbohttp_span span;
    return tbh_conn_next(&b->h, &span);
}

/* ------------------------------------------------------------ receiving */
typedef struct rx_row {
    tbh_conn_rx state;
    const char *before; /* received on the way there; NULL: nothing was started */
    int steps;          /* calls of next on the way there */
    const char *bytes;
    tbh_conn_event event_of_bytes;
    tbh_conn_rx after_bytes;
    tbh_conn_event event_of_end;
    tbh_conn_rx after_end;
    turbohttp_status status_of_end;
} rx_row;

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED_HEAD OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const rx_row rx_rows[] = {
    {TBH_RX_IDLE, NULL, 0, "x", TBH_CONN_NOTHING, TBH_RX_IDLE, TBH_CONN_NOTHING, TBH_RX_IDLE, TURBOHTTP_OK},
    {TBH_RX_HEAD, "", 0, OK_HEAD "Content-Length: 5\r\n\r\n", TBH_CONN_HEAD, TBH_RX_CHOOSE, TBH_CONN_FAILED,
     TBH_RX_FAILED, TURBOHTTP_ERR_NO_RESPONSE},
    {TBH_RX_CHOOSE, OK_HEAD "Content-Length: 5\r\n\r\n", 1, "hello", TBH_CONN_BODY, TBH_RX_LENGTH, TBH_CONN_FAILED,
     TBH_RX_FAILED, TURBOHTTP_ERR_BODY_TRUNCATED},
    {TBH_RX_LENGTH, OK_HEAD "Content-Length: 5\r\n\r\n", 2, "hello", TBH_CONN_BODY, TBH_RX_LENGTH, TBH_CONN_FAILED,
     TBH_RX_FAILED, TURBOHTTP_ERR_BODY_TRUNCATED},
    {TBH_RX_CHUNKED, CHUNKED_HEAD, 2, "5\r\nhello\r\n", TBH_CONN_BODY, TBH_RX_CHUNKED, TBH_CONN_FAILED,
     TBH_RX_FAILED, TURBOHTTP_ERR_BODY_TRUNCATED},
    {TBH_RX_UNTIL_CLOSE, OK_HEAD "\r\n", 2, "hello", TBH_CONN_BODY, TBH_RX_UNTIL_CLOSE, TBH_CONN_END, TBH_RX_END,
     TURBOHTTP_OK},
    {TBH_RX_TRAILERS, CHUNKED_HEAD "0\r\nX: ", 2, "y\r\n\r\n", TBH_CONN_END, TBH_RX_END, TBH_CONN_FAILED,
     TBH_RX_FAILED, TURBOHTTP_ERR_BODY_TRUNCATED},
    {TBH_RX_END, OK_HEAD "Content-Length: 0\r\n\r\n", 2, "x", TBH_CONN_NOTHING, TBH_RX_END, TBH_CONN_NOTHING,
     TBH_RX_END, TURBOHTTP_OK},
    {TBH_RX_UPGRADED, "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 1, "x",
     TBH_CONN_NOTHING, TBH_RX_UPGRADED, TBH_CONN_NOTHING, TBH_RX_UPGRADED, TURBOHTTP_OK},
    {TBH_RX_FAILED, "garbage\r\n\r\n", 1, "x", TBH_CONN_FAILED, TBH_RX_FAILED, TBH_CONN_FAILED, TBH_RX_FAILED,
     TURBOHTTP_ERR_NOT_HTTP},
};

static void bring_rx(bench *b, const rx_row *row) {
    bench_open(b);
    b->request.allows_upgrade = true;
    if (row->before) {
        tbh_conn_start(&b->h, &b->request, &b->store);
        tbh_conn_out_consume(&b->h, b->request.head.length);
        if (*row->before) feed(b, row->before);
    }
    for (int i = 0; i < row->steps; i++) next(b);
    CHECK_INT(b->h.rx, row->state);
}

static void every_receiving_state_meets_bytes_and_the_end(void) {
    bench b;
    for (size_t i = 0; i < sizeof rx_rows / sizeof rx_rows[0]; i++) {
        const rx_row *row = &rx_rows[i];
        CHECK_INT(row->state, (int)i); /* no state is missing */
        bring_rx(&b, row);
        feed(&b, row->bytes);
        CHECK_INT(next(&b), row->event_of_bytes);
        CHECK_INT(b.h.rx, row->after_bytes);
        if (row->state == TBH_RX_END) CHECK(!tbh_conn_is_reusable(&b.h)); /* S-04 */
        bench_close(&b);
        bring_rx(&b, row);
        if (row->state == TBH_RX_END) CHECK(tbh_conn_is_reusable(&b.h));
        tbh_conn_in_end(&b.h);
        CHECK_INT(next(&b), row->event_of_end);
        CHECK_INT(b.h.rx, row->after_end);
        CHECK_INT(b.h.status, row->status_of_end);
        CHECK(!tbh_conn_is_reusable(&b.h));
        CHECK(!tbh_conn_in_wanted(&b.h));
        bench_close(&b);
    }
}

/* ------------------------------------------------------------ sending */
typedef enum tx_input { DRAINED, CONTINUE, ABANDON } tx_input;

static turbohttp_status give_one(void *user, void *data, size_t room, size_t *length) {
    (void)user;
    CHECK(room > 0);
    *(char *)data = 'x';
    *length = 1;
    return TURBOHTTP_DONE;
}

static void drain(bench *b) {
    turbohttp_span out = tbh_span(NULL, 0);
    if (tbh_conn_out_peek(&b->h, &out) == TURBOHTTP_OK) tbh_conn_out_consume(&b->h, out.length);
}

static void bring_tx(bench *b, tbh_conn_tx state) {
    bench_open(b);
    if (state == TBH_TX_IDLE) return;
    bool has_body = state == TBH_TX_AWAIT || state == TBH_TX_BODY || state == TBH_TX_TAIL;
    b->source.data = state == TBH_TX_TAIL ? NULL : (const uint8_t *)"body";
    b->source.fill = give_one;
    b->source.length = 4;
    b->source.is_unknown = state == TBH_TX_TAIL;
    b->request.trailers = tbh_span_of("\r\n");
    b->request.body = has_body ? &b->source : NULL;
    b->request.expects_continue = state == TBH_TX_AWAIT;
    tbh_conn_start(&b->h, &b->request, &b->store);
    if (state == TBH_TX_ABANDONED) tbh_conn_out_abandon(&b->h);
    else if (state != TBH_TX_HEAD) drain(b);
    if (state == TBH_TX_TAIL) drain(b);
    CHECK_INT(b->h.tx, state);
}

static void every_sending_state_meets_every_input(void) {
    static const tbh_conn_tx after[][3] = {
        {TBH_TX_IDLE, TBH_TX_IDLE, TBH_TX_ABANDONED},
        {TBH_TX_DONE, TBH_TX_HEAD, TBH_TX_ABANDONED},
        {TBH_TX_AWAIT, TBH_TX_BODY, TBH_TX_ABANDONED},
        {TBH_TX_DONE, TBH_TX_BODY, TBH_TX_ABANDONED},
        {TBH_TX_DONE, TBH_TX_TAIL, TBH_TX_ABANDONED},
        {TBH_TX_DONE, TBH_TX_DONE, TBH_TX_DONE},
        {TBH_TX_ABANDONED, TBH_TX_ABANDONED, TBH_TX_ABANDONED},
    };
    bench b;
    for (int state = TBH_TX_IDLE; state <= TBH_TX_ABANDONED; state++) {
        for (int input = DRAINED; input <= ABANDON; input++) {
            bring_tx(&b, (tbh_conn_tx)state);
            if (input == DRAINED) drain(&b);
            if (input == CONTINUE) tbh_conn_out_continue(&b.h);
            if (input == ABANDON) tbh_conn_out_abandon(&b.h);
            CHECK_INT(b.h.tx, after[state][input]);
            bench_close(&b);
        }
    }
}

static const check_test tests[] = {
    CHECK_TEST(every_receiving_state_meets_bytes_and_the_end),
    CHECK_TEST(every_sending_state_meets_every_input),
};

CHECK_MAIN(tests)
