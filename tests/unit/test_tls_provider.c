/* What the client makes of TLS providers: which one is chosen and which failure is final, the ports in
 * every size, ends with and without close_notify, slices, limits, memory; and that connections and
 * sessions are shared only between equal options (S-01, S-02). No TLS library is involved. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "fake_tls.h"

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
static const char closing[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
static const char until_close[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it";

static bool names_a_status(int code) {
    return strcmp(turbohttp_status_text((turbohttp_status)code), turbohttp_status_text((turbohttp_status)-9999)) != 0;
}

/* ------------------------------------------------------------ the choice */
static void D5_only_a_provider_that_cannot_is_passed_over(void) {
    int tried = 0;
    for (int stage = 0; stage < 3; stage++)
        for (int named = 0; named < 2; named++)
            for (int code = -1; code > -200; code--) {
                fake_fixture f;
                char text[256];
                if (!names_a_status(code)) continue;
                tried++;
                fake_describe(&f, plain);
                turbohttp_status failure = (turbohttp_status)code;
                if (stage == 0) fakes[0].create = failure;
                if (stage == 1) fakes[0].open = failure;
                if (stage == 2) fakes[0].handshake = failure;
                f.desc.tls.provider = named ? "first" : code % 2 ? "auto" : NULL;
                fake_start(&f);
                turbohttp_status status = fake_fetch(&f, text);
                bool may_fall_back = stage == 0 && failure == TURBOHTTP_ERR_UNSUPPORTED;
                if (may_fall_back && !named) CHECK_INT(status, TURBOHTTP_OK);
                else CHECK_INT(status, may_fall_back ? TURBOHTTP_ERR_TLS_CAPABILITY : failure);
                CHECK_INT(fakes[1].creates, may_fall_back && !named);
                CHECK_INT(fakes[1].opens, may_fall_back && !named);
                CHECK_INT(f.server.requests, may_fall_back && !named);
                if (status != TURBOHTTP_OK) CHECK(strlen(text) > 8);
                fake_end(&f);
            }
    CHECK(tried > 200);
}

static void D5_a_provider_without_an_ability_is_passed_over(void) {
    static const struct {
        uint32_t bit;
        turbohttp_tls_options options;
        const char *name;
    } needs[] = {
        {TURBOHTTP_TLS_HAS_SYSTEM_ROOTS, {0}, "system-roots"},
        {TURBOHTTP_TLS_HAS_OWN_ROOTS, {.ca_file = "x"}, "own-roots"},
        {TURBOHTTP_TLS_HAS_OWN_ROOTS, {.ca_path = "x"}, "own-roots"},
        {TURBOHTTP_TLS_HAS_OWN_ROOTS, {.ca_data = "x", .ca_bytes = 1}, "own-roots"},
        {TURBOHTTP_TLS_HAS_PINS, {.pins = "x"}, "pins"},
        {TURBOHTTP_TLS_HAS_CLIENT_CERT, {.cert_file = "x"}, "client-certificates"},
        {TURBOHTTP_TLS_HAS_SMALL_BUFFERS, {.buffer_bytes = 1024}, "small-buffers"},
        {TURBOHTTP_TLS_HAS_1_3, {.min_version = TURBOHTTP_TLS_1_3}, "1.3"},
        {TURBOHTTP_TLS_HAS_1_2, {.max_version = TURBOHTTP_TLS_1_2}, "1.2"},
        {TURBOHTTP_TLS_HAS_ALPN, {0}, "alpn"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        for (int named = 0; named < 2; named++) {
            fake_fixture f;
            char text[256];
            bool is_alpn = needs[i].bit == TURBOHTTP_TLS_HAS_ALPN;
            fake_describe(&f, plain);
            f.tables[0].capabilities &= ~needs[i].bit;
            f.desc.tls = needs[i].options;
            f.desc.tls.provider = named ? "first" : NULL;
            fake_start(&f);
            turbohttp_status status = fake_fetch(&f, text);
            /* Without ALPN there is still HTTP/1.1: the last resort. */
            CHECK_INT(status, named && !is_alpn ? TURBOHTTP_ERR_TLS_CAPABILITY : TURBOHTTP_OK);
            CHECK_INT(fakes[0].creates, named && is_alpn);
            CHECK_INT(fakes[1].creates, !named);
            if (status != TURBOHTTP_OK) CHECK(strstr(text, "first lacks") && strstr(text, needs[i].name));
            else if (!named) CHECK(strstr(f.log[0], "second chosen") && strstr(f.log[0], needs[i].name));
            CHECK_INT(f.log_count, status == TURBOHTTP_OK);
            fake_end(&f);
        }
}

static void D5_an_unknown_name_is_an_error(void) {
    fake_fixture f;
    char text[256];
    fake_describe(&f, plain);
    f.desc.tls.provider = "third";
    fake_start(&f);
    CHECK_INT(fake_fetch(&f, text), TURBOHTTP_ERR_TLS_CAPABILITY);
    CHECK(strstr(text, "third") != NULL);
    CHECK_INT(fakes[0].creates + fakes[1].creates + f.log_count, 0);
    fake_end(&f);
}

static void D5_without_any_provider_the_header_is_named(void) {
    fake_fixture f;
    char text[256];
    fake_describe(&f, plain);
    f.desc.tls_provider_count = 0;
    fake_start(&f);
    CHECK_INT(fake_fetch(&f, text), TURBOHTTP_ERR_TLS_MISSING);
    CHECK(strstr(text, "turbohttp_tls_bearssl.h") != NULL);
    CHECK(strcmp(turbohttp_tls_summary(f.client, text, sizeof text), "") == 0);
    fake_end(&f);
}

static void D5_the_choice_is_logged_once(void) {
    fake_fixture f;
    fake_describe(&f, closing);
    f.server.closes = f.server.notifies = true;
    f.tables[0].capabilities &= ~(uint32_t)TURBOHTTP_TLS_HAS_SYSTEM_ROOTS;
    fake_start(&f);
    for (int i = 0; i < 5; i++) CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    CHECK_INT(f.log_count, 1);
    CHECK(strcmp(f.log[0], "tls: second chosen (auto); first lacks system-roots") == 0);
    CHECK_INT(f.server.opened, 5);
    CHECK_INT(fakes[1].creates, 1);
    fake_end(&f);
}

static void D5_the_summary_is_one_call(void) {
    fake_fixture f;
    char text[256], small[8];
    fake_describe(&f, plain);
    f.tables[0].capabilities = TURBOHTTP_TLS_HAS_1_2 | TURBOHTTP_TLS_HAS_ALPN;
    f.tables[1].capabilities = TURBOHTTP_TLS_HAS_1_3 | TURBOHTTP_TLS_HAS_SYSTEM_ROOTS | TURBOHTTP_TLS_HAS_ALPN;
    fake_start(&f);
    CHECK(strcmp(turbohttp_tls_summary(f.client, text, sizeof text),
                 "first: 1.2 alpn; second*: 1.3 alpn system-roots") == 0);
    CHECK(strcmp(turbohttp_tls_summary(f.client, small, sizeof small), "first: ") == 0);
    small[0] = 'x';
    turbohttp_tls_summary(f.client, small, 0);
    CHECK_INT(small[0], 'x');
    fake_end(&f);
}

/* ------------------------------------------------------------ ports */
static turbohttp_status read_many(void *user, void *data, size_t room, size_t *length) {
    size_t *left = (size_t *)user, n = room < *left ? room : *left;
    memset(data, 'b', n);
    *left -= n;
    *length = n;
    return *left ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

static void D5_ports_of_every_size_carry_everything(void) {
    static const size_t rooms[] = {1, 2, 3, 7, 100, 4095, 0};
    static char big[60000];
    size_t head = (size_t)sprintf(big, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
    memset(big + head, 'x', 50000);
    big[head + 50000] = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        for (size_t portion = 0; portion < 3; portion++) {
            fake_fixture f;
            turbohttp_response response;
            size_t left = 20000;
            fake_describe(&f, big);
            fakes[0].room = rooms[i];
            f.server.portion = portion == 2 ? 1000 : portion;
            f.request.body.read = read_many;
            f.request.body.user = &left;
            f.request.body.length = left;
            fake_start(&f);
            for (int round = 0; round < 2; round++) {
                left = 20000;
                f.server.body_bytes = 0;
                CHECK_INT(turbohttp_send(f.client, &f.request, &response), TURBOHTTP_OK);
                CHECK_INT(response.body_bytes, 50000);
                const char *text = turbohttp_response_text(&response);
                CHECK(text && strlen(text) == 50000 && strspn(text, "x") == 50000);
                CHECK(f.server.body_bytes >= 20000);
                CHECK(response.tls.provider && strcmp(response.tls.provider, "first") == 0);
                turbohttp_response_free(&response);
            }
            CHECK_INT(f.server.opened, 1);
            fake_end(&f);
            CHECK_INT(f.server.client_notifies, 1); /* close_notify is said at the end */
        }
}

static void D5_a_blocked_wire_neither_spins_nor_loses_bytes(void) {
    for (size_t after = 0; after < 130; after++) {
        fake_fixture f;
        turbohttp_request request;
        turbohttp_response response;
        turbohttp_error error;
        fake_describe(&f, plain);
        f.server.block_after = after;
        f.server.blocked = 50;
        fake_start(&f);
        CHECK_INT(turbohttp_submit(f.client, &f.request, &request, &error), TURBOHTTP_OK);
        int polls = 0;
        while (turbohttp_take(f.client, request, &response) == TURBOHTTP_PENDING && polls < 1000) {
            turbohttp_poll(f.client, 0);
            polls++;
        }
        CHECK_INT(response.error.code, TURBOHTTP_OK);
        CHECK_INT(f.server.requests, 1);
        CHECK(f.server.sends <= 3 * polls + 8);
        CHECK(polls < 100);
        turbohttp_response_free(&response);
        fake_end(&f);
    }
}

/* ------------------------------------------------------------ ends: S-36 */
static void S_36_a_body_until_close_needs_close_notify(void) {
    for (int notifies = 0; notifies < 2; notifies++)
        for (size_t portion = 0; portion < 8; portion++) {
            fake_fixture f;
            turbohttp_response response;
            fake_describe(&f, until_close);
            f.server.closes = true;
            f.server.notifies = notifies;
            f.server.portion = portion;
            fake_start(&f);
            turbohttp_status status = turbohttp_send(f.client, &f.request, &response);
            CHECK_INT(status, notifies ? TURBOHTTP_OK : TURBOHTTP_ERR_TLS_TRUNCATED);
            CHECK_INT(response.body_bytes, 9); /* what came is there */
            turbohttp_response_free(&response);
            fake_end(&f);
        }
}

static void S_36_every_cut_of_every_framing_is_seen(void) {
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil close",
    };
    for (size_t i = 0; i < 3; i++)
        for (size_t n = 0; n <= strlen(answers[i]); n++)
            for (int notifies = 0; notifies < 2; notifies++) {
                fake_fixture f;
                size_t head = (size_t)(strstr(answers[i], "200 OK") - answers[i]);
                head = (size_t)(strstr(answers[i] + head, "\r\n\r\n") - answers[i]) + 4;
                bool is_complete = i == 2 ? n >= head && notifies : n == strlen(answers[i]);
                fake_describe(&f, answers[i]);
                f.server.answer_length = n;
                f.server.closes = true;
                f.server.notifies = notifies;
                fake_start(&f);
                CHECK((fake_fetch(&f, NULL) == TURBOHTTP_OK) == is_complete);
                fake_end(&f);
            }
}

static void D5_a_broken_record_ends_the_exchange(void) {
    static const char broken[] = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    fake_fixture f;
    turbohttp_request request;
    turbohttp_response response;
    turbohttp_error error;
    fake_describe(&f, broken);
    fake_start(&f);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, &error), TURBOHTTP_OK);
    for (int i = 0; i < 10; i++) turbohttp_poll(f.client, 0);
    CHECK_INT(turbohttp_take(f.client, request, &response), TURBOHTTP_PENDING);
    tbh_tls *tls = &f.client->links->stream.tls;
    ((fake_tls *)tls->session)->is_broken = true;
    for (int i = 0; i < 10; i++) turbohttp_poll(f.client, 0);
    CHECK_INT(turbohttp_take(f.client, request, &response), TURBOHTTP_OK);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_TLS_INTEGRITY);
    turbohttp_response_free(&response);
    CHECK_INT(f.server.shut, 1);
    fake_end(&f);
}

/* ------------------------------------------------------------ the handshake */
/* However many handshakes there are: a frame pays for one public-key operation. */
static void E9_a_poll_does_one_slice_of_a_handshake(void) {
    for (int count = 1; count < 4; count++) {
        fake_fixture f;
        turbohttp_request requests[3];
        turbohttp_response response;
        turbohttp_error error;
        fake_describe(&f, plain);
        fakes[0].slices = 7;
        fake_start(&f);
        for (int i = 0; i < count; i++)
            CHECK_INT(turbohttp_submit(f.client, &f.request, &requests[i], &error), TURBOHTTP_OK);
        int polls = 0;
        for (; polls < 100 && f.server.requests < count; polls++) {
            int before = fakes[0].slices_done;
            turbohttp_poll(f.client, 0);
            CHECK(fakes[0].slices_done - before <= 1);
        }
        CHECK_INT(fakes[0].slices_done, 7 * count);
        CHECK(polls >= 7 * count);
        for (int i = 0; i < 10; i++) turbohttp_poll(f.client, 0);
        for (int i = 0; i < count; i++) {
            CHECK_INT(turbohttp_take(f.client, requests[i], &response), TURBOHTTP_OK);
            CHECK_INT(response.error.code, TURBOHTTP_OK);
            turbohttp_response_free(&response);
        }
        fake_end(&f);
    }
}

static void E9_the_handshake_has_its_own_limit(void) {
    fake_fixture f;
    turbohttp_request request;
    turbohttp_response response;
    turbohttp_error error;
    fake_describe(&f, plain);
    f.server.is_silent = true;
    f.desc.timeouts.tls_ms = 700;
    fake_start(&f);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &request, &error), TURBOHTTP_OK);
    turbohttp_poll(f.client, 0);
    f.server.now_us += 690000;
    turbohttp_poll(f.client, 0);
    CHECK_INT(turbohttp_take(f.client, request, &response), TURBOHTTP_PENDING);
    f.server.now_us += 20000;
    turbohttp_poll(f.client, 0);
    CHECK_INT(turbohttp_take(f.client, request, &response), TURBOHTTP_OK);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_TIMEOUT);
    CHECK_INT(response.error.phase, TURBOHTTP_PHASE_TLS);
    CHECK(strstr(response.error.text, "tls_ms") != NULL);
    turbohttp_response_free(&response);
    CHECK_INT(fakes[0].shuts, 1);
    fake_end(&f);
}

static void E9_a_handshake_may_be_cancelled_or_destroyed(void) {
    for (int how = 0; how < 3; how++)
        for (int polls = 0; polls < 6; polls++) {
            fake_fixture f;
            turbohttp_request request;
            turbohttp_response response;
            turbohttp_error error;
            fake_describe(&f, plain);
            f.server.is_silent = polls < 3;
            fakes[0].slices = 30;
            fake_start(&f);
            CHECK_INT(turbohttp_submit(f.client, &f.request, &request, &error), TURBOHTTP_OK);
            for (int i = 0; i < polls; i++) turbohttp_poll(f.client, 0);
            if (how == 0) turbohttp_cancel(f.client, request);
            if (how == 1) turbohttp_client_shutdown(f.client);
            if (how < 2) {
                for (int i = 0; i < 5; i++) turbohttp_poll(f.client, 0);
                CHECK_INT(turbohttp_take(f.client, request, &response), TURBOHTTP_OK);
                CHECK_INT(response.error.code, how ? TURBOHTTP_ERR_SHUTDOWN : TURBOHTTP_ERR_CANCELLED);
                turbohttp_response_free(&response);
                CHECK_INT(fakes[0].shuts, fakes[0].opens);
            }
            fake_end(&f);
            CHECK_INT(fakes[0].shuts, fakes[0].opens);
            CHECK_INT(fakes[0].destroys, fakes[0].creates);
        }
}

static void E9_every_allocation_may_fail(void) {
    turbohttp_status status = TURBOHTTP_ERR_OUT_OF_MEMORY;
    uint64_t n = 1;
    for (; status != TURBOHTTP_OK && n < 200; n++) {
        fake_fixture f;
        fake_describe(&f, plain);
        f.memory.fail_at = n;
        status = turbohttp_client_create(&f.client, &f.desc);
        if (status == TURBOHTTP_OK) {
            status = fake_fetch(&f, NULL);
            CHECK(status == TURBOHTTP_OK || status == TURBOHTTP_ERR_OUT_OF_MEMORY);
            CHECK_INT(fakes[1].creates, 0);
            fake_end(&f);
        }
        CHECK(counting_allocator_balanced(&f.memory));
        CHECK_INT(fakes[0].shuts <= fakes[0].opens, 1);
    }
    CHECK(n > 5 && n < 200);
}

static void count_waits(void *user, uint32_t timeout_ms) {
    fake_server *server = (fake_server *)user;
    server->waited_ms += timeout_ms;
}

/* What ended before the wait of a round is not waited for. */
static void E9_a_failed_handshake_is_told_at_once(void) {
    fake_fixture f;
    fake_describe(&f, plain);
    f.transport.io_wait = count_waits;
    fakes[0].handshake = TURBOHTTP_ERR_TLS_ALERT;
    fake_start(&f);
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_ERR_TLS_ALERT);
    CHECK_INT(f.server.waited_ms, 0);
    fake_end(&f);
}

/* ------------------------------------------------------------ S-01 and S-02: what is shared */
typedef void change(turbohttp_tls_options *options);
#define CHANGE(field, value)                                                                       \
    static void change_##field(turbohttp_tls_options *options) {                                   \
        options->field = value;                                                                    \
    }
CHANGE(provider, "first")
CHANGE(ca_file, "other")
CHANGE(ca_path, "other")
CHANGE(ca_data, "other")
CHANGE(ca_bytes, 3)
CHANGE(cert_file, "other")
CHANGE(key_file, "other")
CHANGE(pins, "other")
CHANGE(server_name, "other.test")
CHANGE(min_version, TURBOHTTP_TLS_1_2)
CHANGE(max_version, TURBOHTTP_TLS_1_3)
CHANGE(buffer_bytes, 2048)
CHANGE(disable_resumption, true)
CHANGE(ignore_certificate_dates, true)
CHANGE(INSECURE_skip_verification, true)

static change *const changes[] = {
    change_provider, change_ca_file, change_ca_path, change_ca_data, change_ca_bytes,
    change_cert_file, change_key_file, change_pins, change_server_name, change_min_version,
    change_max_version, change_buffer_bytes, change_disable_resumption,
    change_ignore_certificate_dates, change_INSECURE_skip_verification,
};
enum { CHANGES = sizeof changes / sizeof changes[0] };

/* Two kinds of a starting point: nothing set but what a key needs, and everything. */
static turbohttp_tls_options start_of(int kind) {
    turbohttp_tls_options o;
    memset(&o, 0, sizeof o);
    o.cert_file = "one";
    if (!kind) return o;
    o.ca_file = o.ca_path = o.key_file = o.pins = "one";
    o.ca_data = "data";
    o.ca_bytes = 4;
    o.server_name = "one.test";
    o.buffer_bytes = 1024;
    return o;
}

static void S_01_the_table_above_knows_every_field(void) {
    /* A field that was added belongs into `changes`, fake_identity, and the key of client/secure.c. */
    if (sizeof(void *) != 8) return;
    CHECK_INT(sizeof(turbohttp_tls_options), 7 * sizeof(char *) + sizeof(void *) + sizeof(size_t) + 3 * 4 + 4);
    CHECK_INT(CHANGES, 15);
}

static void S_01_other_options_use_another_connection(void) {
    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; i < CHANGES; i++) {
            fake_fixture f;
            turbohttp_tls_options one = start_of(kind), other = one;
            changes[i](&other);
            fake_describe(&f, plain);
            fake_start(&f);
            f.request.tls = &one;
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(f.server.opened, 1);
            f.request.tls = &other;
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(f.server.opened, 2);
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(f.server.opened, other.INSECURE_skip_verification ? 3 : 2); /* never pooled */
            f.request.tls = &one;
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(f.server.opened, other.INSECURE_skip_verification ? 3 : 2);
            fake_end(&f);
        }
}

/* They will not share the first one's connection, so they need not wait for it. */
static void E4_unverified_requests_do_not_wait_for_each_other(void) {
    fake_fixture f;
    turbohttp_request requests[3];
    turbohttp_error error;
    fake_describe(&f, plain);
    f.desc.tls.INSECURE_skip_verification = true;
    f.server.is_silent = true;
    fake_start(&f);
    for (int i = 0; i < 3; i++) CHECK_INT(turbohttp_submit(f.client, &f.request, &requests[i], &error), TURBOHTTP_OK);
    turbohttp_poll(f.client, 0);
    CHECK_INT(f.server.opened, 3);
    fake_end(&f);
}

static void S_01_equal_options_at_another_place_are_equal(void) {
    fake_fixture f;
    char a[] = "ca", b[] = "ca";
    turbohttp_tls_options one = start_of(0), other = one;
    one.ca_file = a;
    other.ca_file = b;
    fake_describe(&f, plain);
    fake_start(&f);
    f.request.tls = &one;
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    a[0] = 'x'; /* they were copied */
    f.request.tls = &other;
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    CHECK_INT(f.server.opened, 1);
    f.desc.tls = other;
    fake_end(&f);
}

static void S_01_another_host_or_port_uses_another_connection(void) {
    static const char *const urls[] = {"https://server.test/path", "https://other.test/path",
                                       "https://server.test:444/path"};
    for (int i = 1; i < 3; i++) {
        fake_fixture f;
        fake_describe(&f, plain);
        fake_start(&f);
        f.request.url = urls[0];
        CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
        f.request.url = urls[i];
        CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
        CHECK_INT(f.server.opened, 2);
        CHECK_INT(fakes[0].offers, 0);
        fake_end(&f);
    }
}

/* fake_open checks that what is offered was saved under an equal identity. */
static void S_02_a_session_is_offered_only_to_its_equal(void) {
    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; i < CHANGES; i++) {
            fake_fixture f;
            turbohttp_tls_options one = start_of(kind), other = one;
            changes[i](&other);
            bool has_none = other.disable_resumption || other.INSECURE_skip_verification;
            fake_describe(&f, closing);
            f.server.closes = f.server.notifies = true;
            fake_start(&f);
            f.request.tls = &one;
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(fakes[0].offers, 0);
            f.request.tls = &other;
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(fakes[0].offers, 0);
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(fakes[0].offers, !has_none);
            f.request.tls = &one;
            CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
            CHECK_INT(fakes[0].offers, has_none ? 1 : 2);
            CHECK_INT(f.server.opened, 4);
            fake_end(&f);
        }
}

static void S_02_a_session_is_for_its_host(void) {
    fake_fixture f;
    fake_describe(&f, closing);
    f.server.closes = f.server.notifies = true;
    fake_start(&f);
    static const char *const urls[] = {"https://a.test/", "https://b.test/", "https://a.test:444/", "https://127.0.0.1/"};
    for (int i = 0; i < 4; i++) {
        f.request.url = urls[i];
        CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
        CHECK_INT(fakes[0].offers, 0);
    }
    f.request.url = urls[0];
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    CHECK_INT(fakes[0].offers, 1);
    fake_end(&f);
}

static void S_02_a_failed_handshake_forgets_the_session(void) {
    fake_fixture f;
    fake_describe(&f, closing);
    f.server.closes = f.server.notifies = true;
    fake_start(&f);
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    fakes[0].handshake = TURBOHTTP_ERR_TLS_ALERT;
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_ERR_TLS_ALERT);
    CHECK_INT(fakes[0].offers, 1);
    fakes[0].handshake = TURBOHTTP_OK;
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    CHECK_INT(fakes[0].offers, 1);
    fake_end(&f);
}

static void S_02_sessions_and_configs_are_bounded(void) {
    fake_fixture f;
    fake_describe(&f, closing);
    f.server.closes = f.server.notifies = true;
    fake_start(&f);
    uint64_t after_some = 0;
    for (int i = 0; i < 300; i++) {
        char url[64], ca[16];
        turbohttp_tls_options own = start_of(0);
        sprintf(url, "https://host-%d.test/", i);
        sprintf(ca, "%d", i);
        own.ca_file = ca;
        f.request.url = url;
        f.request.tls = &own;
        CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
        if (i == 100) after_some = f.memory.live_bytes;
    }
    CHECK(f.memory.live_bytes <= after_some + 1024);
    fake_end(&f);
    CHECK_INT(fakes[0].destroys, 300);
}

/* A name that is cut short is another server's. */
static void S_71_a_name_that_no_certificate_can_have_is_refused(void) {
    for (size_t n = 253; n < 600; n += n < 258 ? 1 : 100)
        for (int dots = 0; dots < 2; dots++) {
            fake_fixture f;
            char name[700], text[256] = "";
            memset(name, 'a', sizeof name);
            for (size_t i = 40; i < n; i += 51) name[i] = '.';
            name[n] = '.';
            name[n + (size_t)dots] = 0;
            fake_describe(&f, plain);
            f.desc.tls.server_name = name;
            fake_start(&f);
            CHECK_INT(fake_fetch(&f, text), n <= 255 ? TURBOHTTP_OK : TURBOHTTP_ERR_INVALID_ARGUMENT);
            if (n <= 255) CHECK_INT(strlen(fakes[0].host), n);
            else CHECK(strstr(text, "tls.server_name") && strstr(text, "255"));
            fake_end(&f);
        }
    fake_fixture f; /* a URL has no such name at all */
    char url[400] = "https://";
    memset(url + 8, 'a', 300);
    for (size_t i = 50; i < 300; i += 51) url[i] = '.';
    fake_describe(&f, plain);
    f.request.url = url;
    f.request.connect_host = "server.test";
    fake_start(&f);
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_ERR_URL_HOST);
    fake_end(&f);
}

/* The seventeenth falls asleep while its requests are handed out, and drops the oldest that sleeps:
 * the next one in the list, which is being looked at. */
static void S_02_an_origin_may_fall_asleep_in_the_middle(void) {
    fake_fixture f;
    turbohttp_request running, waiting;
    turbohttp_error error;
    turbohttp_response response;
    char url[64];
    fake_describe(&f, closing);
    f.desc.disable_pooling = true; /* each link is an allocation, which may fail */
    f.desc.limits.connections_per_host = 1;
    fake_start(&f);
    for (int i = 0; i < 16; i++) {
        sprintf(url, "https://host-%d.test/", i);
        f.request.url = url;
        CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    }
    CHECK_INT(f.client->dormant_count, 16);
    f.server.answer_length = 0; /* host-1 stays busy … */
    f.request.url = "https://host-1.test/";
    CHECK_INT(turbohttp_submit(f.client, &f.request, &running, &error), TURBOHTTP_OK);
    for (int i = 0; i < 5; i++) turbohttp_poll(f.client, 0);
    CHECK_INT(turbohttp_submit(f.client, &f.request, &waiting, &error), TURBOHTTP_OK);
    f.server.answer_length = strlen(closing); /* … while another one takes its place */
    f.request.url = "https://host-16.test/";
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    CHECK_INT(f.client->dormant_count, 16);
    CHECK_INT(turbohttp_cancel(f.client, running), TURBOHTTP_OK);
    f.memory.fail_at = f.memory.requests + 1;
    turbohttp_poll(f.client, 0);
    f.memory.fail_at = 0;
    CHECK_INT(turbohttp_take(f.client, waiting, &response), TURBOHTTP_OK);
    CHECK_INT(response.error.code, TURBOHTTP_ERR_OUT_OF_MEMORY);
    turbohttp_response_free(&response);
    CHECK_INT(f.client->dormant_count, 16);
    f.request.url = "https://host-0.test/";
    CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
    fake_end(&f);
}

static void D5_a_key_without_its_certificate_is_an_error(void) {
    fake_fixture f;
    char text[256];
    fake_describe(&f, plain);
    f.desc.tls.key_file = "key.pem";
    fake_start(&f);
    CHECK_INT(fake_fetch(&f, text), TURBOHTTP_ERR_TLS_CLIENT_CERT);
    CHECK(strstr(text, "tls.cert_file") != NULL);
    CHECK_INT(fakes[0].creates, 0);
    fake_end(&f);
}

static void D5_the_target_is_what_the_url_says(void) {
    static const struct {
        const char *url, *server_name, *host;
        bool is_address;
    } rows[] = {
        {"https://Server.TEST/", NULL, "server.test", false},
        {"https://server.test./", NULL, "server.test", false},
        {"https://127.0.0.1/", NULL, "127.0.0.1", true},
        {"https://[::1]:8443/", NULL, "::1", true},
        {"https://127.0.0.1/", "real.test", "real.test", false},
        {"https://server.test/", "10.0.0.1", "10.0.0.1", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_fixture f;
        fake_describe(&f, plain);
        f.request.url = rows[i].url;
        f.desc.tls.server_name = rows[i].server_name;
        fake_start(&f);
        CHECK_INT(fake_fetch(&f, NULL), TURBOHTTP_OK);
        CHECK_TEXT(fakes[0].host, strlen(fakes[0].host), rows[i].host);
        CHECK_INT(fakes[0].had_address, rows[i].is_address);
        fake_end(&f);
    }
}

static const check_test tests[] = {
    CHECK_TEST(D5_only_a_provider_that_cannot_is_passed_over),
    CHECK_TEST(D5_a_provider_without_an_ability_is_passed_over),
    CHECK_TEST(D5_an_unknown_name_is_an_error),
    CHECK_TEST(D5_without_any_provider_the_header_is_named),
    CHECK_TEST(D5_the_choice_is_logged_once),
    CHECK_TEST(D5_the_summary_is_one_call),
    CHECK_TEST(D5_ports_of_every_size_carry_everything),
    CHECK_TEST(D5_a_blocked_wire_neither_spins_nor_loses_bytes),
    CHECK_TEST(S_36_a_body_until_close_needs_close_notify),
    CHECK_TEST(S_36_every_cut_of_every_framing_is_seen),
    CHECK_TEST(D5_a_broken_record_ends_the_exchange),
    CHECK_TEST(E9_a_poll_does_one_slice_of_a_handshake),
    CHECK_TEST(E9_a_failed_handshake_is_told_at_once),
    CHECK_TEST(E9_the_handshake_has_its_own_limit),
    CHECK_TEST(E9_a_handshake_may_be_cancelled_or_destroyed),
    CHECK_TEST(E9_every_allocation_may_fail),
    CHECK_TEST(S_01_the_table_above_knows_every_field),
    CHECK_TEST(S_01_other_options_use_another_connection),
    CHECK_TEST(E4_unverified_requests_do_not_wait_for_each_other),
    CHECK_TEST(S_01_equal_options_at_another_place_are_equal),
    CHECK_TEST(S_01_another_host_or_port_uses_another_connection),
    CHECK_TEST(S_02_a_session_is_offered_only_to_its_equal),
    CHECK_TEST(S_02_a_session_is_for_its_host),
    CHECK_TEST(S_02_a_failed_handshake_forgets_the_session),
    CHECK_TEST(S_02_sessions_and_configs_are_bounded),
    CHECK_TEST(S_71_a_name_that_no_certificate_can_have_is_refused),
    CHECK_TEST(S_02_an_origin_may_fall_asleep_in_the_middle),
    CHECK_TEST(D5_a_key_without_its_certificate_is_an_error),
    CHECK_TEST(D5_the_target_is_what_the_url_says),
};
CHECK_MAIN(tests)
