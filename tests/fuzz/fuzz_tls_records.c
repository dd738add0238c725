/* The BearSSL provider against a server whose bytes are altered, cut, repeated and split as the input
 * says: never a success of a handshake that was altered, never a plain byte that the server did not
 * say, no memory kept. The input: pairs of an operation and a place.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -Itests/support tests/fuzz/fuzz_tls_records.c -lbearssl */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include "counting_allocator.h"
#include "unit_certificates.h"

static const uint8_t *input;
static size_t left;

static unsigned take(void) {
    return left ? (left--, *input++) : 0;
}

static bool fill(void *user, void *data, size_t n) {
    (void)user;
    memset(data, 0x5a, n);
    return true;
}

static uint64_t now(void *user) {
    (void)user;
    return 1750000000;
}

static const br_ec_private_key key = {BR_EC_secp256r1, (unsigned char *)(uintptr_t)unit_leaf_key, 32};
static br_ssl_server_context server;
static unsigned char buffer[BR_SSL_BUFSIZE_BIDI];

/* What comes from the server, perhaps not as it was. False: nothing more can be given. */
static bool give(const turbohttp_tls_provider *p, void *tls, unsigned plan, bool *is_altered) {
    size_t n = 0, room = 0;
    unsigned char *out = br_ssl_engine_sendrec_buf(&server.eng, &n);
    unsigned char *in = (unsigned char *)p->wire_in_room(tls, &room);
    if (!in || !room) return false;
    unsigned char what = (unsigned char)(plan & 7);
    if (what == 7) { /* a byte of the input's own */
        in[0] = (unsigned char)take();
        *is_altered = true;
        p->wire_in_commit(tls, 1);
        return true;
    }
    if (!out || !n) return false;
    if (n > room) n = room;
    if (what && n > 1 + plan / 8) n = 1 + plan / 8;
    memcpy(in, out, n);
    if (what == 5) { /* a bit */
        in[n - 1] = (unsigned char)(in[n - 1] ^ 1u << (take() & 7));
        *is_altered = true;
    }
    p->wire_in_commit(tls, n);
    if (what == 6) *is_altered = true; /* again */
    else br_ssl_engine_sendrec_ack(&server.eng, n);
    return true;
}

static bool deliver_to_server(const turbohttp_tls_provider *p, void *tls) {
    size_t n = 0, room = 0;
    const void *out = p->wire_out_peek(tls, &n);
    unsigned char *in = br_ssl_engine_recvrec_buf(&server.eng, &room);
    if (!out || !n || !in) return false;
    if (n > room) n = room;
    memcpy(in, out, n);
    p->wire_out_consume(tls, n);
    br_ssl_engine_recvrec_ack(&server.eng, n);
    return true;
}

static void drain(const turbohttp_tls_provider *p, void *tls, size_t *got) {
    size_t n;
    const char *plain = (const char *)p->plain_out_peek(tls, &n);
    if (!plain || !n) return;
    for (size_t i = 0; i < n; i++)
        if (*got + i >= 5 || plain[i] != "hello"[*got + i]) abort();
    *got += n;
    p->plain_out_consume(tls, n);
}

static void converse(const turbohttp_tls_provider *p, void *tls) {
    bool is_altered = false, is_up = false, has_said = false;
    size_t got = 0;
    for (int turn = 0; turn < 4000; turn++) {
        turbohttp_error error;
        memset(&error, 0, sizeof error);
        turbohttp_status status = p->step(tls, &error);
        if (status < 0 && (error.code != status || !error.text[0])) abort();
        if (status < 0 || status == TURBOHTTP_DONE) return;
        is_up = is_up || status == TURBOHTTP_OK;
        if (is_up) drain(p, tls, &got);
        bool moved = deliver_to_server(p, tls);
        size_t room;
        unsigned char *to = has_said ? NULL : br_ssl_engine_sendapp_buf(&server.eng, &room);
        if (to) {
            memcpy(to, "hello", 5);
            br_ssl_engine_sendapp_ack(&server.eng, 5);
            br_ssl_engine_flush(&server.eng, 0);
            has_said = true;
        }
        if (p->wants(tls) & TURBOHTTP_TLS_STEP) continue;
        if (!give(p, tls, take(), &is_altered) && !moved && !left) return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const protocols[] = {"http/1.1"};
    const turbohttp_tls_provider *p = turbohttp_tls_bearssl();
    br_x509_certificate chain[2] = {{(unsigned char *)(uintptr_t)unit_leaf, sizeof unit_leaf},
                                    {(unsigned char *)(uintptr_t)unit_middle, sizeof unit_middle}};
    counting_allocator memory;
    turbohttp_tls_host host;
    turbohttp_tls_options options;
    turbohttp_tls_target target;
    turbohttp_error error;
    void *context = NULL, *tls = NULL;
    memset(&memory, 0, sizeof memory);
    memset(&host, 0, sizeof host);
    memset(&options, 0, sizeof options);
    memset(&target, 0, sizeof target);
    input = data;
    left = size;
    unsigned mode = take();
    turbohttp_allocator allocator = counting_allocator_hooks(&memory);
    host.allocator = &allocator;
    host.random.fill = fill;
    host.unix_seconds = now;
    options.ca_data = unit_root;
    options.ca_bytes = sizeof unit_root;
    options.buffer_bytes = mode & 1 ? 837 : 0;
    options.INSECURE_skip_verification = (mode & 2) != 0; /* the rest of the engine, without its guard */
    if (mode & 4) memory.fail_at = 1 + (mode >> 3);
    target.host = "server.test";
    target.protocols = protocols;
    target.protocol_count = 1;
    br_ssl_server_init_full_ec(&server, chain, 2, BR_KEYTYPE_EC, &key);
    br_ssl_engine_set_buffer(&server.eng, buffer, sizeof buffer, 1);
    br_ssl_engine_inject_entropy(&server.eng, "entropy", 7);
    br_ssl_server_reset(&server);
    if (p->context_create(&host, &options, &context, &error) == TURBOHTTP_OK) {
        if (p->open(context, &target, &tls, &error) == TURBOHTTP_OK) {
            converse(p, tls);
            p->close(tls);
            while (deliver_to_server(p, tls)) {
            }
            p->shut(tls);
        }
        p->context_destroy(context);
    }
    if (!counting_allocator_balanced(&memory)) abort();
    return 0;
}
