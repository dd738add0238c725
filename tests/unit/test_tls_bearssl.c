/* The BearSSL provider: certificates, names and files piece by piece, with guard pages; then whole
 * handshakes against BearSSL's own server, byte by byte in memory, without sockets. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include "check.h"
#include "counting_allocator.h"
#include "guard.h"
#include "unit_certificates.h"
#include <sys/socket.h>
#include <unistd.h>

#define BYTES(array) {array, sizeof array}

static const uint64_t in_2025 = 1750000000;

/* ------------------------------------------------------------ DER */
static void der_elements(void) {
    static const struct {
        const char *bytes;
        size_t length;
        bool is_good;
        size_t value;
    } rows[] = {
        {"\x30\x00", 2, true, 0},           {"\x30\x01\xff", 3, true, 1},
        {"\x30\x01", 2, false, 0},          {"\x30", 1, false, 0},
        {"", 0, false, 0},                  {"\x30\x80\x00\x00", 4, false, 0}, /* indefinite */
        {"\x30\x81\x01\x00", 4, false, 0},  {"\x30\x81\x7f\x00", 4, false, 0}, /* not minimal */
        {"\x30\x82\x00\x80\x00", 5, false, 0}, {"\x30\x84\x01\x00\x00\x00", 6, false, 0},
        {"\x1f\x01\x00", 3, false, 0},      {"\x30\x83\xff\xff\xff", 5, false, 0},
        {"\x30\x81", 2, false, 0},          {"\x30\x82\x01", 3, false, 0},
        {"\x30\xff", 2, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        guard g = guard_copy(rows[i].bytes, rows[i].length);
        tbh_der in = {g.data, g.length}, value = {NULL, 0}, whole;
        unsigned tag = 0;
        bool is_good = tbh_der_next(&in, &tag, &value, &whole);
        CHECK_INT(is_good, rows[i].is_good);
        if (is_good) CHECK_INT(value.length, rows[i].value);
        guard_free(&g);
    }
    static const unsigned char two[] = {2, 1, 5, 4, 1, 6};
    tbh_der in = BYTES(two), value = {NULL, 77};
    CHECK(!tbh_der_take(&in, 4, &value) && in.length == 6 && value.length == 77);
    CHECK(tbh_der_take(&in, 2, &value) && in.length == 3 && value.data[0] == 5);
}

static void dates(void) {
    static const struct {
        unsigned tag;
        const char *text;
        uint64_t seconds;
    } rows[] = {
        {0x17, "700101000000Z", 0},           {0x17, "700101000001Z", 1},
        {0x17, "491231235959Z", 2524607999u}, {0x17, "500101000000Z", 0},
        {0x17, "990101000000Z", 915148800},   {0x18, "20500101000000Z", 2524608000u},
        {0x18, "99991231235959Z", 253402300799u}, {0x18, "20240229120000Z", 1709208000},
        {0x18, "20000301000000Z", 951868800}, {0x18, "21000301000000Z", 4107542400u},
        {0x17, "2401020304Z", 0},             {0x17, "240102030405", 0},
        {0x17, "240102030405+0100", 0},       {0x17, "24010203040aZ", 0},
        {0x17, "", 0},                        {0x18, "20241301000000Z", 0},
        {0x18, "20240100000000Z", 0},         {0x18, "20240132000000Z", 0},
        {0x18, "19691231235959Z", 0},         {0x18, "00000101000000Z", 0},
        {0x18, "20240101240000Z", 0},         {0x18, "20240101006000Z", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        guard g = guard_copy(rows[i].text, strlen(rows[i].text));
        tbh_der text = {g.data, g.length};
        CHECK_INT(tbh_der_time(rows[i].tag, text), rows[i].seconds);
        guard_free(&g);
    }
}

/* ------------------------------------------------------------ certificates */
static void a_certificate_is_read_in_full_or_not_at_all(void) {
    static const tbh_der all[] = {BYTES(unit_root), BYTES(unit_middle), BYTES(unit_leaf), BYTES(unit_odd)};
    for (size_t i = 0; i < 4; i++)
        for (size_t n = 0; n <= all[i].length; n++) {
            guard g = guard_copy(all[i].data, n);
            tbh_der whole = {g.data, n};
            tbh_cert cert;
            br_x509_pkey key;
            bool is_whole = n == all[i].length;
            CHECK_INT(tbh_cert_read(&cert, whole), is_whole);
            if (is_whole) {
                CHECK(tbh_cert_key(&cert, &key) && key.key.ec.curve == BR_EC_secp256r1 && key.key.ec.qlen == 65);
                CHECK_INT(cert.is_ca, i != 2);
                CHECK(cert.not_after == 2524607999u && !tbh_cert_has_weak_signature(&cert));
            }
            guard_free(&g);
        }
    tbh_cert leaf;
    tbh_der whole = BYTES(unit_leaf);
    CHECK(tbh_cert_read(&leaf, whole));
    CHECK_INT(leaf.not_before, 1704164645);
    CHECK(tbh_cert_is_for_host(&leaf, "server.test") && tbh_cert_is_for_host(&leaf, "a.wild.test"));
    CHECK(!tbh_cert_is_for_host(&leaf, "127.0.0.1") && !tbh_cert_is_for_host(&leaf, "Leaf"));
}

/* Any byte may be anything: no read goes behind the end, and no loop goes on for ever. */
static void an_altered_certificate_is_harmless(void) {
    guard g = guard_copy(unit_leaf, sizeof unit_leaf);
    tbh_der whole = {g.data, g.length};
    turbohttp_address address = {4, {127, 0, 0, 1}, 0};
    for (size_t i = 0; i < sizeof unit_leaf; i++)
        for (unsigned value = 0; value < 256; value++) {
            tbh_cert cert;
            br_x509_pkey key;
            g.data[i] = (uint8_t)value;
            if (tbh_cert_read(&cert, whole)) {
                tbh_cert_key(&cert, &key);
                tbh_cert_is_for_host(&cert, "server.test");
                tbh_cert_is_for_address(&cert, &address);
                tbh_cert_is_for_servers(&cert);
                tbh_cert_permits(&cert, &cert);
            }
            g.data[i] = unit_leaf[i];
        }
    guard_free(&g);
}

/* A list of general names: "dNSName" in text form, or an address of 4 or 16 bytes. */
static size_t put_names(unsigned char *to, const char *const *names) {
    size_t n = 2;
    for (; *names; names++) {
        size_t length = strlen(*names);
        to[n++] = 0x82;
        to[n++] = (unsigned char)length;
        memcpy(to + n, *names, length);
        n += length;
    }
    to[0] = 0x30;
    to[1] = (unsigned char)(n - 2);
    return n;
}

static void wildcards(void) {
    static const struct {
        const char *name, *host;
        bool matches;
    } rows[] = {
        {"server.test", "server.test", true},   {"SERVER.test", "server.TEST", true},
        {"server.test", "server.tes", false},   {"server.tes", "server.test", false},
        {"*.wild.test", "a.wild.test", true},   {"*.WILD.test", "a.wild.test", true},
        {"*.wild.test", "a.b.wild.test", false}, {"*.wild.test", "wild.test", false},
        {"*.wild.test", ".wild.test", false},   {"*.test", "wild.test", false},
        {"*", "test", false},                   {"*.", "test.", false},
        {"*", "a.b", false},                    {"a*.wild.test", "ab.wild.test", false},
        {"*a.wild.test", "ba.wild.test", false}, {"a.*.test", "a.wild.test", false},
        {"*.*.test", "a.b.test", false},        {"**.wild.test", "a.wild.test", false},
        {"", "", false},                        {"", "a", false},
        {".wild.test", "a.wild.test", false},   {"*.wild.test", "*.wild.test", true},
        {"server.test.", "server.test", false}, {"xn--bcher-kva.test", "xn--bcher-kva.test", true},
        {"*.0.0.1", "127.0.0.1", true}, /* only names are asked this way, never addresses */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *names[] = {"first.invalid", rows[i].name, NULL};
        unsigned char list[200];
        guard g = guard_copy(list, put_names(list, names));
        put_names(g.data, names);
        tbh_cert cert;
        memset(&cert, 0, sizeof cert);
        cert.alt_names.data = g.data;
        cert.alt_names.length = g.length;
        bool matches = tbh_cert_is_for_host(&cert, rows[i].host);
        if (matches != rows[i].matches && *rows[i].name) printf("%s for %s\n", rows[i].name, rows[i].host);
        if (*rows[i].name) CHECK_INT(matches, rows[i].matches);
        guard_free(&g);
    }
    static const unsigned char nul[] = "\x30\x0d\x82\x0b" "a.test\0evil";
    tbh_cert cert;
    memset(&cert, 0, sizeof cert);
    cert.alt_names.data = nul;
    cert.alt_names.length = 15;
    CHECK(!tbh_cert_is_for_host(&cert, "a.test"));
}

static size_t put_constraint(unsigned char *to, unsigned char list, unsigned char kind, const void *base, size_t n) {
    unsigned char *at = to;
    *at++ = 0x30;
    *at++ = (unsigned char)(n + 6);
    *at++ = list;
    *at++ = (unsigned char)(n + 4);
    *at++ = 0x30;
    *at++ = (unsigned char)(n + 2);
    *at++ = kind;
    *at++ = (unsigned char)n;
    memcpy(at, base, n);
    return n + 8;
}

static void name_constraints(void) {
    static const struct {
        unsigned char list; /* 0xa0 permitted, 0xa1 excluded */
        const char *base, *name;
        bool allows;
    } rows[] = {
        {0xa0, "test", "server.test", true},      {0xa0, "server.test", "server.test", true},
        {0xa0, ".test", "server.test", true},     {0xa0, ".server.test", "server.test", false},
        {0xa0, "TEST", "server.test", true},      {0xa0, "erver.test", "server.test", false},
        {0xa0, "other", "server.test", false},    {0xa0, "", "server.test", true},
        {0xa0, "a.server.test", "server.test", false}, {0xa0, "wild.test", "*.wild.test", true},
        {0xa0, "a.wild.test", "*.wild.test", false},
        {0xa1, "test", "server.test", false},     {0xa1, "server.test", "server.test", false},
        {0xa1, ".test", "server.test", false},    {0xa1, "erver.test", "server.test", true},
        {0xa1, "", "server.test", false},         {0xa1, "other", "server.test", true},
        {0xa1, "a.wild.test", "*.wild.test", false}, {0xa1, ".a.wild.test", "*.wild.test", false},
        {0xa1, "a.else.test", "*.wild.test", true}, {0xa1, "wild.test", "*.wild.test", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char bytes[100], list[100];
        const char *names[] = {rows[i].name, NULL};
        tbh_cert ca, leaf;
        memset(&ca, 0, sizeof ca);
        memset(&leaf, 0, sizeof leaf);
        leaf.alt_names.data = list;
        leaf.alt_names.length = put_names(list, names);
        size_t n = put_constraint(bytes, rows[i].list, 0x82, rows[i].base, strlen(rows[i].base));
        guard g = guard_copy(bytes, n);
        ca.name_constraints.data = g.data;
        ca.name_constraints.length = n;
        bool allows = tbh_cert_permits(&ca, &leaf);
        if (allows != rows[i].allows) printf("%x %s for %s\n", rows[i].list, rows[i].base, rows[i].name);
        CHECK_INT(allows, rows[i].allows);
        guard_free(&g);
        for (size_t cut = 1; cut < n; cut++) { /* malformed: nobody is vouched for */
            g = guard_copy(bytes, cut);
            ca.name_constraints.data = g.data;
            ca.name_constraints.length = cut;
            CHECK(!tbh_cert_permits(&ca, &leaf));
            guard_free(&g);
        }
    }
    tbh_cert free_ca, leaf;
    memset(&free_ca, 0, sizeof free_ca);
    memset(&leaf, 0, sizeof leaf);
    CHECK(tbh_cert_permits(&free_ca, &leaf));
}

/* ------------------------------------------------------------ PEM */
static const char pem[] = "junk\n-----BEGIN A-----\nAQID\r\nBA==\n-----END A-----\n-----BEGIN B C-----\n/+8=\n-----END B C-----\n";

static void pem_blocks(void) {
    tbh_pem block;
    unsigned char out[100];
    for (size_t n = 0; n < sizeof pem; n++) {
        guard g = guard_copy(pem, n);
        tbh_der in = {g.data, n};
        size_t begin = 0, at = 0;
        int count = 0;
        while (at < n && tbh_pem_find(in, at, &block, &begin)) {
            CHECK(block.end <= n && block.end > at);
            at = block.end;
            count++;
            CHECK(tbh_pem_decode(&block, out) == (count == 1 ? 4u : 2u));
        }
        CHECK(begin <= n);
        CHECK_INT(count, (n >= 43) + (n >= 84));
        guard_free(&g);
    }
    tbh_der in = {(const unsigned char *)pem, sizeof pem - 1};
    size_t begin;
    CHECK(tbh_pem_find(in, 0, &block, &begin) && tbh_pem_is(&block, "A") && !tbh_pem_is(&block, ""));
    CHECK(tbh_pem_decode(&block, out) == 4 && memcmp(out, "\1\2\3\4", 4) == 0);
    CHECK(tbh_pem_find(in, block.end, &block, &begin) && tbh_pem_is(&block, "B C"));
    CHECK(tbh_pem_decode(&block, out) == 2 && memcmp(out, "\xff\xef", 2) == 0);
    static const char locked[] = "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END A-----";
    in.data = (const unsigned char *)locked;
    in.length = sizeof locked - 1;
    CHECK(tbh_pem_find(in, 0, &block, &begin) && tbh_pem_decode(&block, out) == 0);
    static const char shared_dashes[] = "-----BEGIN X-----END X-----";
    in.data = (const unsigned char *)shared_dashes;
    in.length = sizeof shared_dashes - 1;
    CHECK(!tbh_pem_find(in, 0, &block, &begin));
    in.data = unit_leaf;
    in.length = sizeof unit_leaf;
    CHECK(tbh_pem_find(in, 0, &block, &begin) && block.end == sizeof unit_leaf && block.label_length == 0);
}

static int count_certificates(const char *text, size_t n) {
    guard g = guard_copy(text, n);
    tbh_der in = {g.data, g.length};
    tbh_pem block;
    size_t at = 0, begin;
    int count = 0;
    while (at < n && tbh_pem_find(in, at, &block, &begin)) {
        count += block.label_length == 0 || tbh_pem_is(&block, "C");
        at = block.end;
        while (at < n && (g.data[at] == '\n' || g.data[at] == '\r')) at++;
    }
    guard_free(&g);
    return count;
}

/* '0' is the first byte of DER, too. */
static void text_between_blocks_is_no_der(void) {
    static const char block[] = "-----BEGIN C-----\nAQID\n-----END C-----\n";
    static const char *const texts[] = {
        "", "0", "0\n", "00", "0x10: an authority\n", "0 ", "01-02-2024\n", "0\x7f\n", "0~ short\n", "0\xc3\xa9\n",
        "0\xe2\x82\xac", "# 0\n", "00000000000000000000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[300];
        size_t n = (size_t)sprintf(text, "%s%s%s%s%s", texts[i], block, texts[i], block, texts[i]);
        CHECK_INT(count_certificates(text, n), 2);
    }
    char der[3 * sizeof unit_leaf + 100]; /* elements one after the other, and a short one: a key */
    size_t n = 0;
    for (int i = 0; i < 2; i++, n += sizeof unit_leaf) memcpy(der + n, unit_leaf, sizeof unit_leaf);
    memcpy(der + n, "\x30\x31\x02\x01\x01", 5);
    memset(der + n + 5, 7, 46);
    CHECK_INT(count_certificates(der, n + 51), 3);
    CHECK_INT(count_certificates(der, n + 50), 2);
    CHECK_INT(count_certificates(der, n - 1), 1);
    n += 51;
    memcpy(der + n, block, sizeof block);
    CHECK_INT(count_certificates(der, n + sizeof block - 1), 4);
}

static void folder_hashes_are_those_of_openssl(void) {
    tbh_cert cert;
    tbh_der root = BYTES(unit_root), odd = BYTES(unit_odd);
    CHECK(tbh_cert_read(&cert, root));
    CHECK_INT(tbh_roots_folder_hash(cert.subject), UNIT_ROOT_HASH);
    CHECK(tbh_cert_read(&cert, odd));
    CHECK_INT(tbh_roots_folder_hash(cert.subject), UNIT_ODD_HASH);
}

/* ------------------------------------------------------------ a conversation in memory */
/* Looks into every block that is given back: a key must not be in it. */
typedef struct watchful {
    counting_allocator memory;
    unsigned char secret[48];
    bool has_secret;
    int leaks;
} watchful;

static void *watchful_allocate(void *user, size_t size) {
    return counting_allocate(&((watchful *)user)->memory, size);
}

static bool holds(const void *block, size_t size, const unsigned char *secret, size_t n) {
    const unsigned char *at = (const unsigned char *)block;
    for (size_t i = 0; i + n <= size; i++)
        if (at[i] == secret[0] && memcmp(at + i, secret, n) == 0) return true;
    return false;
}

static void watchful_release(void *user, void *block, size_t size) {
    watchful *w = (watchful *)user;
    if (w->has_secret && holds(block, size, w->secret, sizeof w->secret)) w->leaks++;
    counting_release(&w->memory, block, size);
}

typedef struct loop {
    const turbohttp_tls_provider *provider;
    watchful memory;
    turbohttp_allocator allocator;
    turbohttp_tls_host host;
    turbohttp_tls_options options;
    turbohttp_tls_target target;
    void *context, *tls;
    turbohttp_error error;
    turbohttp_status status; /* of the last step */
    br_ssl_server_context server;
    br_x509_certificate chain[3];
    unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
    br_ssl_session_cache_lru cache;
    unsigned char store[2000];
    uint64_t now;
    size_t portion;   /* bytes moved at a time */
    size_t to_client; /* bytes so far */
    size_t flip_at;   /* 1 + offset in what the client gets */
    size_t cut_at;    /* 1 + offset from which on nothing arrives */
    int slices, busiest; /* steps that asked for another */
    char got[70000];
    size_t got_length;
    uint64_t seed;
    bool random_fails;
} loop;

static const br_ec_private_key unit_key = {BR_EC_secp256r1, (unsigned char *)(uintptr_t)unit_leaf_key, 32};
static const char *unit_protocols[] = {"http/1.1", "h2"};

static bool loop_random(void *user, void *data, size_t n) {
    loop *l = (loop *)user;
    unsigned char *to = (unsigned char *)data;
    for (size_t i = 0; i < n; i++) to[i] = (unsigned char)((l->seed = l->seed * 6364136223846793005u + 1442695040888963407u) >> 56);
    return !l->random_fails;
}

static uint64_t loop_time(void *user) {
    return ((loop *)user)->now;
}

static void loop_describe(loop *l) {
    memset(l, 0, sizeof *l);
    l->provider = turbohttp_tls_bearssl();
    l->allocator.user = &l->memory;
    l->allocator.allocate = watchful_allocate;
    l->allocator.release = watchful_release;
    l->host.allocator = &l->allocator;
    l->host.random.user = l;
    l->host.random.fill = loop_random;
    l->host.unix_seconds = loop_time;
    l->host.user = l;
    l->options.ca_data = unit_root;
    l->options.ca_bytes = sizeof unit_root;
    l->target.host = "server.test";
    l->target.protocols = unit_protocols;
    l->target.protocol_count = 1;
    l->now = in_2025;
    l->portion = 16384;
    l->chain[0].data = (unsigned char *)(uintptr_t)unit_leaf;
    l->chain[0].data_len = sizeof unit_leaf;
    l->chain[1].data = (unsigned char *)(uintptr_t)unit_middle;
    l->chain[1].data_len = sizeof unit_middle;
    br_ssl_server_init_full_ec(&l->server, l->chain, 2, BR_KEYTYPE_EC, &unit_key);
    br_ssl_session_cache_lru_init(&l->cache, l->store, sizeof l->store);
    br_ssl_server_set_cache(&l->server, &l->cache.vtable);
}

static void loop_listen(loop *l) {
    br_ssl_engine_set_buffer(&l->server.eng, l->buffer, sizeof l->buffer, 1);
    br_ssl_engine_inject_entropy(&l->server.eng, "entropy of the server", 21);
    br_ssl_server_reset(&l->server);
    l->to_client = l->got_length = 0;
    l->slices = 0;
}

static turbohttp_status loop_create(loop *l) {
    return l->provider->context_create(&l->host, &l->options, &l->context, &l->error);
}

static turbohttp_status loop_open(loop *l) {
    loop_listen(l);
    l->tls = NULL;
    l->status = TURBOHTTP_PENDING;
    return l->provider->open(l->context, &l->target, &l->tls, &l->error);
}

static bool loop_to_server(loop *l) {
    size_t n = 0, room = 0;
    const void *out = l->provider->wire_out_peek(l->tls, &n);
    unsigned char *in = br_ssl_engine_recvrec_buf(&l->server.eng, &room);
    if (out && n) CHECK(l->provider->wants(l->tls) & TURBOHTTP_TLS_WIRE_OUT);
    if (!out || !n || !in) return false;
    if (n > room) n = room;
    if (n > l->portion) n = l->portion;
    memcpy(in, out, n);
    l->provider->wire_out_consume(l->tls, n);
    br_ssl_engine_recvrec_ack(&l->server.eng, n);
    return true;
}

static const void *out_of(loop *l, size_t *n) {
    *n = 0;
    return l->provider->wire_out_peek(l->tls, n);
}

static bool loop_to_client(loop *l) {
    size_t n = 0, room = 0;
    unsigned char *out = br_ssl_engine_sendrec_buf(&l->server.eng, &n);
    if (!out || !n) return false;
    unsigned char *in = (unsigned char *)l->provider->wire_in_room(l->tls, &room);
    if (!in) return false;
    if (n > room) n = room;
    if (n > l->portion) n = l->portion;
    if (l->cut_at && l->to_client + n >= l->cut_at) n = l->cut_at - 1 - l->to_client;
    if (n == 0) return false;
    memcpy(in, out, n);
    if (l->flip_at > l->to_client && l->flip_at <= l->to_client + n) in[l->flip_at - 1 - l->to_client] ^= 0x10;
    l->provider->wire_in_commit(l->tls, n);
    br_ssl_engine_sendrec_ack(&l->server.eng, n);
    l->to_client += n;
    return true;
}

static bool loop_drain(loop *l) {
    size_t n;
    const void *plain = l->provider->plain_out_peek(l->tls, &n);
    if (!plain || !n || l->got_length + n > sizeof l->got) return false;
    memcpy(l->got + l->got_length, plain, n);
    l->got_length += n;
    l->provider->plain_out_consume(l->tls, n);
    return true;
}

/* Until nothing moves any more, or the client failed. */
static turbohttp_status loop_run(loop *l) {
    for (bool moves = true; moves;) {
        l->status = l->provider->step(l->tls, &l->error);
        bool wants_step = (l->provider->wants(l->tls) & TURBOHTTP_TLS_STEP) != 0;
        if (wants_step) l->slices++;
        moves = loop_to_server(l);
        if (l->status < 0) break;
        if (!wants_step && loop_to_client(l)) moves = true;
        if (l->status != TURBOHTTP_PENDING && loop_drain(l)) moves = true;
        if (wants_step) moves = true;
    }
    while (l->status < 0 && loop_to_server(l)) { /* the alert */
    }
    return l->status;
}

static void loop_server_says(loop *l, const void *data, size_t n) {
    const unsigned char *from = (const unsigned char *)data;
    while (n > 0) {
        size_t room;
        unsigned char *to = br_ssl_engine_sendapp_buf(&l->server.eng, &room);
        if (to) {
            if (room > n) room = n;
            memcpy(to, from, room);
            br_ssl_engine_sendapp_ack(&l->server.eng, room);
            br_ssl_engine_flush(&l->server.eng, 0);
            from += room;
            n -= room;
        }
        if (loop_run(l) < 0 || (!to && !l->to_client)) return;
    }
}

static bool loop_client_says(loop *l, const char *text) {
    size_t room, n = strlen(text);
    void *to = l->provider->plain_in_room(l->tls, &room);
    if (!to || room < n) return false;
    memcpy(to, text, n);
    l->provider->plain_in_commit(l->tls, n);
    l->provider->flush(l->tls);
    loop_run(l);
    unsigned char *got = br_ssl_engine_recvapp_buf(&l->server.eng, &room);
    if (!got || room != n || memcmp(got, text, n) != 0) return false;
    br_ssl_engine_recvapp_ack(&l->server.eng, n);
    return true;
}

static void loop_shut(loop *l) {
    if (l->tls) l->provider->shut(l->tls);
    l->tls = NULL;
}

static void loop_close(loop *l) {
    loop_shut(l);
    if (l->context) l->provider->context_destroy(l->context);
    l->context = NULL;
    CHECK(counting_allocator_balanced(&l->memory.memory));
    CHECK_INT(l->memory.leaks, 0);
}

/* Everything up to the end of the handshake. */
static turbohttp_status loop_shake(loop *l) {
    turbohttp_status status = loop_create(l);
    if (status == TURBOHTTP_OK) status = loop_open(l);
    return status == TURBOHTTP_OK ? loop_run(l) : status;
}

static loop shared; /* large */

/* ------------------------------------------------------------ handshakes */
static void a_handshake_and_data_in_every_portion(void) {
    static const size_t portions[] = {1, 2, 3, 4, 5, 6, 7, 13, 100, 511, 512, 513, 4096, 16384};
    static char big[50000];
    loop *l = &shared;
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof portions / sizeof portions[0]; i++) {
        turbohttp_tls_info info;
        loop_describe(l);
        l->portion = portions[i];
        CHECK_INT(loop_shake(l), TURBOHTTP_OK);
        l->provider->info(l->tls, &info);
        CHECK(strcmp(info.provider, "bearssl") == 0 && info.version == 0x0303 && !info.is_resumed);
        CHECK(strcmp(br_ssl_engine_get_server_name(&l->server.eng), "server.test") == 0);
        CHECK(l->slices >= 5); /* two messages, three certificates or verdicts */
        CHECK(loop_client_says(l, "GET"));
        loop_server_says(l, big, sizeof big);
        CHECK(l->got_length == sizeof big && memcmp(l->got, big, sizeof big) == 0);
        CHECK(loop_client_says(l, "again"));
        loop_close(l);
    }
}

static void S_02_resumption_continues_a_session(void) {
    loop *l = &shared;
    unsigned char session[TURBOHTTP_TLS_SESSION_BYTES];
    turbohttp_tls_info info;
    loop_describe(l);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    size_t n = l->provider->session_get(l->tls, session, sizeof session);
    CHECK(n > 48);
    CHECK_INT(l->provider->session_get(l->tls, session, 10), 0);
    loop_shut(l);
    l->target.session = session;
    l->target.session_bytes = n;
    CHECK_INT(loop_open(l), TURBOHTTP_OK);
    CHECK_INT(loop_run(l), TURBOHTTP_OK);
    l->provider->info(l->tls, &info);
    CHECK(info.is_resumed);
    CHECK(l->slices <= 1); /* no certificates, no public keys */
    CHECK(loop_client_says(l, "GET"));
    loop_shut(l);
    br_ssl_session_cache_lru_init(&l->cache, l->store, sizeof l->store); /* the server forgot */
    CHECK_INT(loop_open(l), TURBOHTTP_OK);
    CHECK_INT(loop_run(l), TURBOHTTP_OK);
    l->provider->info(l->tls, &info);
    CHECK(!info.is_resumed);
    loop_shut(l);
    memset(session, 0, sizeof session); /* nothing, or nonsense, is a full handshake */
    for (size_t bytes = 0; bytes <= sizeof session; bytes += 8) {
        l->target.session_bytes = bytes;
        CHECK_INT(loop_open(l), TURBOHTTP_OK);
        CHECK_INT(loop_run(l), TURBOHTTP_OK);
        loop_shut(l);
    }
    loop_close(l);
}

static void keys_are_wiped_and_the_handshake_is_freed(void) {
    loop *l = &shared;
    loop_describe(l);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    const tbh_bear *bear = (const tbh_bear *)l->tls;
    memcpy(l->memory.secret, l->server.eng.session.master_secret, 48);
    CHECK(holds(bear, bear->bytes, l->memory.secret, 48)); /* the watch sees it where it must be */
    l->memory.has_secret = true;
    CHECK(bear->handshake == NULL);
    uint64_t expected = sizeof(tbh_bear_context) + 32 * sizeof(tbh_root) + sizeof(tbh_bear) + BR_SSL_BUFSIZE_BIDI;
    CHECK_INT(l->memory.memory.live_bytes, expected);
    CHECK(l->memory.memory.peak_bytes <= expected + 24 * 1024 + 33 * 1024);
    CHECK(sizeof(tbh_bear) <= TURBOHTTP_TLS_BEARSSL_BYTES);
    loop_close(l); /* checks for leaks */
}

/* Whom we talk to is nobody's business either. */
static void the_block_of_a_handshake_is_wiped(void) {
    static const char host[] = "a-name-of-more-than-forty-eight-characters-0123456789.wild.test";
    loop *l = &shared;
    for (int ends_early = 0; ends_early < 2; ends_early++) {
        loop_describe(l);
        l->target.host = host;
        memcpy(l->memory.secret, host, 48);
        l->memory.has_secret = true;
        if (ends_early) l->cut_at = 100;
        CHECK_INT(loop_shake(l), ends_early ? TURBOHTTP_PENDING : TURBOHTTP_OK);
        loop_close(l); /* checks for leaks */
    }
}

static void small_buffers(void) {
    static char big[20000];
    loop *l = &shared;
    memset(big, 'x', sizeof big);
    for (uint32_t bytes = 837; bytes < 6000; bytes = bytes * 2 + 1) {
        loop_describe(l);
        l->options.buffer_bytes = bytes;
        CHECK_INT(loop_shake(l), TURBOHTTP_OK);
        CHECK(loop_client_says(l, "GET"));
        loop_server_says(l, big, sizeof big);
        CHECK_INT(l->got_length, sizeof big);
        uint64_t own = l->memory.memory.live_bytes - sizeof(tbh_bear_context) - 32 * sizeof(tbh_root);
        CHECK(own <= bytes + TURBOHTTP_TLS_BEARSSL_BYTES);
        if (bytes == 837) CHECK(own <= 8192);
        loop_close(l);
    }
    for (uint32_t bytes = 1; bytes < 837; bytes += 209) {
        loop_describe(l);
        l->options.buffer_bytes = bytes;
        CHECK_INT(loop_create(l), TURBOHTTP_ERR_INVALID_ARGUMENT);
        CHECK(strstr(l->error.text, "837") != NULL);
        CHECK_INT(l->memory.memory.live_bytes, 0);
    }
}

static void renegotiation_is_refused(void) {
    loop *l = &shared;
    loop_describe(l);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    CHECK(loop_client_says(l, "GET"));
    int slices = l->slices;
    br_ssl_engine_renegotiate(&l->server.eng);
    loop_run(l);
    CHECK_INT(l->slices, slices); /* no second handshake */
    CHECK(!(br_ssl_engine_current_state(&l->server.eng) & BR_SSL_SENDAPP) || loop_client_says(l, "more"));
    loop_close(l);
}

static void entropy_and_time_are_needed(void) {
    loop *l = &shared;
    for (int kind = 0; kind < 2; kind++) {
        loop_describe(l);
        if (kind) l->host.random.fill = NULL;
        l->random_fails = true;
        CHECK_INT(loop_shake(l), TURBOHTTP_ERR_RANDOM);
        CHECK(l->tls == NULL && strlen(l->error.text) > 10);
        loop_close(l);
    }
    for (int kind = 0; kind < 2; kind++) {
        loop_describe(l);
        l->now = 0;
        if (kind) l->host.unix_seconds = NULL;
        CHECK_INT(loop_shake(l), TURBOHTTP_ERR_TLS_CLOCK);
        loop_close(l);
        loop_describe(l);
        l->now = 0;
        if (kind) l->host.unix_seconds = NULL;
        l->options.ignore_certificate_dates = true;
        CHECK_INT(loop_shake(l), TURBOHTTP_OK);
        loop_close(l);
    }
}

static void dates_are_exact_to_the_second(void) {
    static const struct {
        uint64_t now;
        turbohttp_status status;
        const char *says;
    } rows[] = {
        {1704164644, TURBOHTTP_ERR_CERT_NOT_YET_VALID, "certificate is not valid before 2024-01-02"},
        {1704164645, TURBOHTTP_OK, ""},
        {2524607999u, TURBOHTTP_OK, ""},
        {2524608000u, TURBOHTTP_ERR_CERT_EXPIRED, "certificate expired on 2049-12-31"},
        {1, TURBOHTTP_ERR_CERT_NOT_YET_VALID, "2024-01-02"},
        {0xffffffffffu, TURBOHTTP_ERR_CERT_EXPIRED, "2049-12-31"},
    };
    loop *l = &shared;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        loop_describe(l);
        l->now = rows[i].now;
        CHECK_INT(loop_shake(l), rows[i].status);
        if (rows[i].status != TURBOHTTP_OK) CHECK(strstr(l->error.text, rows[i].says) != NULL);
        loop_close(l);
    }
}

/* ------------------------------------------------------------ whom */
static void who_the_server_must_be(void) {
    static const turbohttp_address v4 = {4, {127, 0, 0, 1}, 0}, other = {4, {127, 0, 0, 2}, 0},
                                   v6 = {6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0};
    static const struct {
        const char *host;
        const turbohttp_address *address;
        const char *sent;
        turbohttp_status status;
    } rows[] = {
        {"server.test", NULL, "server.test", TURBOHTTP_OK},
        {"server.test.", NULL, "server.test", TURBOHTTP_OK},
        {"x.wild.test", NULL, "x.wild.test", TURBOHTTP_OK},
        {"wild.test", NULL, "wild.test", TURBOHTTP_ERR_CERT_NAME},
        {"127.0.0.1", &v4, "", TURBOHTTP_OK},
        {"::1", &v6, "", TURBOHTTP_OK},
        {"127.0.0.2", &other, "", TURBOHTTP_ERR_CERT_NAME},
        {"unit leaf", NULL, NULL, TURBOHTTP_ERR_CERT_NAME},
    };
    loop *l = &shared;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int insecure = 0; insecure < 2; insecure++) {
            loop_describe(l);
            l->target.host = rows[i].host;
            l->target.address = rows[i].address;
            l->options.INSECURE_skip_verification = insecure;
            CHECK_INT(loop_shake(l), insecure ? TURBOHTTP_OK : rows[i].status);
            if (rows[i].sent) CHECK(strcmp(br_ssl_engine_get_server_name(&l->server.eng), rows[i].sent) == 0);
            if (!insecure && rows[i].status != TURBOHTTP_OK) { /* the server is told, too: bad_certificate */
                CHECK_INT(br_ssl_engine_last_error(&l->server.eng), BR_ERR_RECV_FATAL_ALERT + 42);
                CHECK_INT(l->provider->step(l->tls, &l->error), rows[i].status); /* and it stays so */
            }
            loop_close(l);
        }
}

static void S_71_a_long_name_is_not_cut_short(void) {
    char name[300];
    loop *l = &shared;
    memset(name, 'a', sizeof name);
    for (size_t n = 255; n < 258; n++) {
        name[n] = 0;
        loop_describe(l);
        l->target.host = name;
        CHECK_INT(loop_shake(l), n <= 255 ? TURBOHTTP_ERR_CERT_NAME : TURBOHTTP_ERR_INVALID_ARGUMENT);
        CHECK_INT(l->tls != NULL, n <= 255);
        loop_close(l);
        name[n] = 'a';
    }
}

static void whom_to_trust(void) {
    loop *l = &shared;
    loop_describe(l);
    l->options.ca_data = unit_odd; /* another root */
    l->options.ca_bytes = sizeof unit_odd;
    CHECK_INT(loop_shake(l), TURBOHTTP_ERR_CERT_UNTRUSTED);
    loop_close(l);
    for (size_t n = 0; n < sizeof unit_root; n += 37) { /* half a root is none */
        loop_describe(l);
        l->options.ca_bytes = n;
        CHECK_INT(loop_shake(l), TURBOHTTP_ERR_TLS_ROOTS);
        loop_close(l);
    }
    loop_describe(l);
    l->server.chain_handler.single_ec.chain_len = 1;
    CHECK_INT(loop_shake(l), TURBOHTTP_ERR_CERT_UNTRUSTED);
    loop_close(l);
    loop_describe(l);
    l->options.ca_data = unit_leaf; /* the server itself */
    l->options.ca_bytes = sizeof unit_leaf;
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    loop_close(l);
    loop_describe(l); /* its key is not the one in the certificate */
    unsigned char other_key[32];
    br_ec_private_key other = {BR_EC_secp256r1, other_key, 32};
    memset(other_key, 5, sizeof other_key);
    l->server.chain_handler.single_ec.sk = &other;
    CHECK_INT(loop_shake(l), TURBOHTTP_ERR_TLS_INTEGRITY);
    loop_close(l);
}

/* With ephemeral keys the server signs in every handshake: its key must be for that. */
static void a_key_that_may_not_sign_is_refused(void) {
    loop *l = &shared;
    for (int insecure = 0; insecure < 2; insecure++) {
        loop_describe(l);
        l->options.ca_data = unit_mute_root;
        l->options.ca_bytes = sizeof unit_mute_root;
        l->options.INSECURE_skip_verification = insecure;
        l->chain[0].data = (unsigned char *)(uintptr_t)unit_mute_leaf;
        l->chain[0].data_len = sizeof unit_mute_leaf;
        l->server.chain_handler.single_ec.chain_len = 1;
        CHECK_INT(loop_shake(l), insecure ? TURBOHTTP_OK : TURBOHTTP_ERR_CERT_USAGE);
        if (!insecure) CHECK(strstr(l->error.text, "sign") != NULL);
        loop_close(l);
    }
}

static turbohttp_status get_large_file(void *user, const char *path, uint64_t offset, void *data, size_t room,
                                       size_t *got) {
    uint64_t length = *(const uint64_t *)(const void *)path, left = offset < length ? length - offset : 0;
    (void)user;
    *got = left < room ? (size_t)left : room;
    memset(data, '#', *got);
    for (size_t i = 0; i < *got; i++) /* the root lies at the beginning */
        if (offset + i < sizeof unit_root) ((unsigned char *)data)[i] = unit_root[offset + i];
    return *got ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

/* Whom half of the roots would have vouched for would be a riddle. */
static void roots_are_never_left_out_in_silence(void) {
    enum { MOST = 10000 };
    loop *l = &shared;
    unsigned char *many = (unsigned char *)malloc((MOST + 2) * sizeof unit_odd);
    for (size_t extra = 0; extra < 2; extra++) {
        loop_describe(l);
        for (size_t i = 0; i <= MOST; i++) memcpy(many + i * sizeof unit_odd, unit_odd, sizeof unit_odd);
        memcpy(many + (MOST + extra - 1) * sizeof unit_odd, unit_root, sizeof unit_root); /* the last one */
        l->options.ca_data = many;
        l->options.ca_bytes = (MOST + extra - 1) * sizeof unit_odd + sizeof unit_root;
        CHECK_INT(loop_shake(l), extra ? TURBOHTTP_ERR_TLS_ROOTS : TURBOHTTP_OK);
        if (extra) CHECK(strstr(l->error.text, "10000") != NULL);
        loop_close(l);
    }
    free(many);
    for (uint64_t length = (8 << 20) - 1; length <= (8 << 20) + 1; length++) {
        loop_describe(l);
        l->host.file_get = get_large_file;
        l->options.ca_data = NULL;
        l->options.ca_file = (const char *)&length;
        CHECK_INT(loop_shake(l), length > 8 << 20 ? TURBOHTTP_ERR_TLS_ROOTS : TURBOHTTP_OK);
        if (length > 8 << 20) CHECK(strstr(l->error.text, "8 MiB") != NULL);
        loop_close(l);
    }
}

static void protocols(void) {
    static const char *both[] = {"h2", "http/1.1"};
    turbohttp_tls_info info;
    loop *l = &shared;
    loop_describe(l);
    br_ssl_engine_set_protocol_names(&l->server.eng, both, 2);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    l->provider->info(l->tls, &info);
    CHECK(strcmp(info.protocol, "http/1.1") == 0);
    loop_close(l);
    loop_describe(l);
    br_ssl_engine_set_protocol_names(&l->server.eng, both, 1);
    br_ssl_engine_set_all_flags(&l->server.eng, BR_OPT_FAIL_ON_ALPN_MISMATCH);
    CHECK_INT(loop_shake(l), TURBOHTTP_ERR_TLS_ALPN);
    loop_close(l);
    loop_describe(l);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    l->provider->info(l->tls, &info);
    CHECK(strcmp(info.protocol, "") == 0);
    loop_close(l);
    loop_describe(l);
    br_ssl_engine_set_versions(&l->server.eng, BR_TLS10, BR_TLS11);
    CHECK_INT(loop_shake(l), TURBOHTTP_ERR_TLS_CIPHER); /* alert 40: the suites need TLS 1.2 */
    CHECK(strstr(l->error.text, "1.2") != NULL);
    loop_close(l);
}

/* ------------------------------------------------------------ ends and faults */
static void close_notify_goes_both_ways(void) {
    for (int with_data = 0; with_data < 2; with_data++) {
        loop *l = &shared;
        loop_describe(l);
        CHECK_INT(loop_shake(l), TURBOHTTP_OK);
        if (with_data) loop_server_says(l, "last words", 10);
        br_ssl_engine_close(&l->server.eng);
        CHECK_INT(loop_run(l), TURBOHTTP_DONE);
        CHECK_INT(l->got_length, with_data ? 10 : 0);
        loop_close(l);
        loop_describe(l);
        CHECK_INT(loop_shake(l), TURBOHTTP_OK);
        if (with_data) { /* unread bytes do not keep us from closing */
            size_t room;
            unsigned char *to = br_ssl_engine_sendapp_buf(&l->server.eng, &room);
            memcpy(to, "unread", 6);
            br_ssl_engine_sendapp_ack(&l->server.eng, 6);
            br_ssl_engine_flush(&l->server.eng, 0);
            while (loop_to_client(l)) l->provider->step(l->tls, NULL);
        }
        l->provider->close(l->tls);
        while (loop_to_server(l)) {
        }
        CHECK_INT(br_ssl_engine_last_error(&l->server.eng), BR_ERR_OK);
        CHECK(!(br_ssl_engine_current_state(&l->server.eng) & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)));
        loop_close(l);
    }
}

/* One run per byte of what the server says, altered or cut off there. */
static void S_36_no_altered_or_cut_handshake_succeeds(void) {
    loop *l = &shared;
    loop_describe(l);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    size_t length = l->to_client;
    loop_close(l);
    for (int cuts = 0; cuts < 2; cuts++)
        for (size_t at = 1; at <= length; at += cuts ? 3 : 2) {
            loop_describe(l);
            if (cuts) l->cut_at = at;
            else l->flip_at = at;
            turbohttp_status status = loop_shake(l);
            /* ECDSA signatures differ in length: a success must not have come as far as the fault. */
            if (status == TURBOHTTP_OK) CHECK(at > l->to_client && at + 8 > length);
            else if (cuts) CHECK_INT(status, TURBOHTTP_PENDING);
            if (status < 0) CHECK(strlen(l->error.text) > 15 && l->error.code == status);
            loop_close(l);
        }
}

static void an_altered_record_is_an_error(void) {
    loop *l = &shared;
    for (size_t at = 0; at < 5 + 8 + 5 + 16; at++) {
        loop_describe(l);
        CHECK_INT(loop_shake(l), TURBOHTTP_OK);
        l->flip_at = l->to_client + at + 1;
        loop_server_says(l, "hello", 5);
        br_ssl_engine_close(&l->server.eng); /* an altered length may wait for more */
        loop_run(l);
        CHECK(l->status < 0 || l->status == TURBOHTTP_OK);
        CHECK_INT(l->got_length, 0);
        loop_close(l);
    }
}

static void every_allocation_may_fail(void) {
    loop *l = &shared;
    turbohttp_status status = TURBOHTTP_ERR_OUT_OF_MEMORY;
    uint64_t n = 1;
    for (; status != TURBOHTTP_OK && n < 100; n++) {
        loop_describe(l);
        l->memory.memory.fail_at = n;
        status = loop_shake(l);
        CHECK(status == TURBOHTTP_OK || status == TURBOHTTP_ERR_OUT_OF_MEMORY);
        loop_close(l);
    }
    CHECK(n > 5 && n < 100);
}

static void pins(void) {
    /* The SHA-256 of the key's SubjectPublicKeyInfo, computed here. */
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char good[60] = "sha256//", bad[60], both[200];
    unsigned char hash[33] = {0};
    tbh_cert leaf;
    tbh_der whole = BYTES(unit_leaf);
    br_sha256_context sha;
    tbh_cert_read(&leaf, whole);
    br_sha256_init(&sha);
    br_sha256_update(&sha, leaf.spki.data, leaf.spki.length);
    br_sha256_out(&sha, hash);
    for (size_t i = 0; i < 43; i++) {
        unsigned pair = (unsigned)hash[i * 6 / 8] << 8 | (i * 6 / 8 + 1 < 33 ? hash[i * 6 / 8 + 1] : 0u);
        good[8 + i] = digits[pair >> (10 - i * 6 % 8) & 63];
    }
    good[51] = '=';
    memcpy(bad, good, sizeof bad);
    bad[20] = bad[20] == 'A' ? 'B' : 'A';
    sprintf(both, "%s;%s", bad, good);
    const struct {
        const char *pins;
        turbohttp_status status;
    } rows[] = {
        {good, TURBOHTTP_OK},           {both, TURBOHTTP_OK},
        {bad, TURBOHTTP_ERR_CERT_PIN},  {"sha256//", TURBOHTTP_ERR_INVALID_ARGUMENT},
        {"x", TURBOHTTP_ERR_INVALID_ARGUMENT},
        {";", TURBOHTTP_ERR_INVALID_ARGUMENT},
    };
    loop *l = &shared;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int insecure = 0; insecure < 2; insecure++) {
            loop_describe(l);
            l->options.pins = rows[i].pins;
            l->options.INSECURE_skip_verification = insecure;
            CHECK_INT(loop_shake(l), rows[i].status);
            loop_close(l);
        }
}

/* ------------------------------------------------------------ what a second reading found */
static void an_empty_usage_or_constraint_is_malformed(void) {
    tbh_cert cert, leaf;
    memset(&cert, 0, sizeof cert);
    memset(&leaf, 0, sizeof leaf);
    CHECK(tbh_cert_is_for_servers(&cert) && tbh_cert_permits(&cert, &leaf));
    cert.extended_usage.data = cert.name_constraints.data = unit_leaf;
    CHECK(!tbh_cert_is_for_servers(&cert) && !tbh_cert_permits(&cert, &leaf));
}

static void an_issuer_for_mail_vouches_for_no_server(void) {
    static const unsigned char mail[] = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x04";
    static const unsigned char web[] = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
    static tbh_chain chain; /* large */
    static tbh_chain_rules rules;
    tbh_der leaf = BYTES(unit_leaf), middle = BYTES(unit_middle);
    memcpy(rules.host, "server.test", 12);
    chain.rules = &rules;
    chain.path_length = 2;
    CHECK(tbh_cert_read(&chain.path[0], leaf) && tbh_cert_read(&chain.path[1], middle));
    CHECK_INT(tbh_chain_check_rest(&chain, NULL), TURBOHTTP_OK);
    chain.path[1].extended_usage.length = 12;
    chain.path[1].extended_usage.data = mail;
    CHECK_INT(tbh_chain_check_rest(&chain, NULL), TURBOHTTP_ERR_CERT_USAGE);
    chain.path[1].extended_usage.data = web;
    CHECK_INT(tbh_chain_check_rest(&chain, NULL), TURBOHTTP_OK);
}

/* BearSSL skips empty records, whatever their type: this one changes no cipher. */
static void an_empty_change_of_ciphers_is_none(void) {
    static const unsigned char empty[] = {20, 3, 3, 0, 0};
    loop *l = &shared;
    loop_describe(l);
    CHECK_INT(loop_create(l), TURBOHTTP_OK);
    CHECK_INT(loop_open(l), TURBOHTTP_OK);
    size_t room = 0;
    void *place = l->provider->wire_in_room(l->tls, &room);
    CHECK(place && room >= sizeof empty);
    memcpy(place, empty, sizeof empty);
    l->provider->wire_in_commit(l->tls, sizeof empty);
    CHECK_INT(l->provider->step(l->tls, &l->error), TURBOHTTP_PENDING);
    CHECK(!((const tbh_bear *)l->tls)->handshake->splitter.is_over);
    loop_close(l);
}

/* What is allowed any number of times in a handshake, and means nothing. */
static void S_42_a_handshake_is_no_place_for_floods(void) {
    static const struct {
        const char *record;
        size_t length;
    } rows[] = {
        {"\x16\3\3\0\4\0\0\0\0", 9}, /* HelloRequest */
        {"\x15\3\3\0\2\1\x5a", 7},     /* a warning */
        {"\x15\3\3\0\0", 5},            /* empty */
    };
    loop *l = &shared;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t sent = 0;
        turbohttp_status status = TURBOHTTP_PENDING;
        loop_describe(l);
        CHECK_INT(loop_create(l), TURBOHTTP_OK);
        CHECK_INT(loop_open(l), TURBOHTTP_OK);
        status = l->provider->step(l->tls, &l->error);
        for (size_t n; (out_of(l, &n), n) > 0;) l->provider->wire_out_consume(l->tls, n);
        while (status == TURBOHTTP_PENDING && sent < 1 << 20) {
            size_t room = 0;
            unsigned char *in = (unsigned char *)l->provider->wire_in_room(l->tls, &room);
            if (in && room > rows[i].length) {
                memcpy(in, rows[i].record, rows[i].length);
                l->provider->wire_in_commit(l->tls, rows[i].length);
                sent += rows[i].length;
            }
            status = l->provider->step(l->tls, &l->error);
        }
        CHECK_INT(status, TURBOHTTP_ERR_TLS_HANDSHAKE);
        CHECK(sent > 200000 && sent < 300000);
        CHECK(strstr(l->error.text, "256 KiB") != NULL);
        size_t n;
        const unsigned char *alert = (const unsigned char *)out_of(l, &n);
        CHECK(alert && n == 7 && alert[0] == 21 && alert[6] == 10); /* unexpected_message */
        CHECK_INT(l->provider->step(l->tls, &l->error), TURBOHTTP_ERR_TLS_HANDSHAKE);
        loop_close(l);
    }
}

static size_t take_all_of_server(loop *l, unsigned char *to, size_t room) {
    size_t n, fill = 0;
    const unsigned char *out;
    while ((out = br_ssl_engine_sendrec_buf(&l->server.eng, &n)) != NULL && n <= room - fill) {
        memcpy(to + fill, out, n);
        fill += n;
        br_ssl_engine_sendrec_ack(&l->server.eng, n);
    }
    return fill;
}

static void step_on(loop *l) {
    do l->status = l->provider->step(l->tls, &l->error);
    while (l->provider->wants(l->tls) & TURBOHTTP_TLS_STEP);
}

/* A server that speaks right behind its Finished, in the same segment: what lies in the hold of the
 * handshake then must come out behind it. */
static void records_behind_finished_are_not_lost(void) {
    static unsigned char queue[8192];
    loop *l = &shared;
    for (uint32_t bytes = 0; bytes <= 2048; bytes += 2048) {
        bool has_spoken = false;
        loop_describe(l);
        l->options.buffer_bytes = bytes;
        CHECK_INT(loop_create(l), TURBOHTTP_OK);
        CHECK_INT(loop_open(l), TURBOHTTP_OK);
        for (int turn = 0; turn < 20 && !l->got_length; turn++) {
            step_on(l);
            while (loop_to_server(l)) {
            }
            size_t at = 0, fill = take_all_of_server(l, queue, sizeof queue), room;
            bool may_speak = br_ssl_engine_sendapp_buf(&l->server.eng, &room) != NULL && !has_spoken;
            for (int record = 0; record < 2 && may_speak; record++) { /* the second one waits in the hold */
                CHECK(fill > 40); /* Finished has not been delivered */
                CHECK(((const tbh_bear *)l->tls)->handshake != NULL);
                memcpy(br_ssl_engine_sendapp_buf(&l->server.eng, &room), record ? "words" : "early ", 6);
                br_ssl_engine_sendapp_ack(&l->server.eng, record ? 5 : 6);
                br_ssl_engine_flush(&l->server.eng, 0);
                fill += take_all_of_server(l, queue + fill, sizeof queue - fill);
                CHECK(fill < 512); /* all of it fits there */
                has_spoken = true;
            }
            while (at < fill) {
                void *in = l->provider->wire_in_room(l->tls, &room);
                if (!in) break;
                if (room > fill - at) room = fill - at;
                memcpy(in, queue + at, room);
                l->provider->wire_in_commit(l->tls, room);
                at += room;
                step_on(l);
                while (l->status == TURBOHTTP_OK && loop_drain(l)) step_on(l);
            }
            CHECK_INT(at, fill);
        }
        CHECK_INT(l->status, TURBOHTTP_OK);
        CHECK_TEXT(l->got, l->got_length, "early words");
        step_on(l);
        CHECK(((const tbh_bear *)l->tls)->handshake == NULL);
        CHECK(loop_client_says(l, "GET"));
        loop_server_says(l, "later", 5);
        CHECK_TEXT(l->got, l->got_length, "early wordslater");
        loop_close(l);
    }
}

static char both_files[4096];

static void put_pem(const char *label, const unsigned char *data, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = both_files + strlen(both_files);
    at += sprintf(at, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i * 6 < n * 8; i++) {
        size_t byte = i * 6 / 8;
        unsigned pair = (unsigned)data[byte] << 8 | (byte + 1 < n ? data[byte + 1] : 0u);
        *at++ = digits[pair >> (10 - i * 6 % 8) & 63];
    }
    sprintf(at, "\n-----END %s-----\n", label);
}

static turbohttp_status get_both_files(void *user, const char *path, uint64_t offset, void *data, size_t room,
                                       size_t *got) {
    size_t length = strlen(both_files), left = offset < length ? length - (size_t)offset : 0;
    (void)user, (void)path;
    *got = left < room ? left : room;
    memcpy(data, both_files + offset, *got);
    return *got ? TURBOHTTP_OK : TURBOHTTP_DONE;
}

static void a_key_in_the_certificate_file_is_wiped(void) {
    unsigned char key[51] = "\x30\x31\x02\x01\x01\x04\x20";
    loop *l = &shared;
    memcpy(key + 7, unit_leaf_key, 32);
    memcpy(key + 39, "\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 12);
    both_files[0] = 0;
    put_pem("CERTIFICATE", unit_leaf, sizeof unit_leaf);
    put_pem("EC PRIVATE KEY", key, sizeof key);
    loop_describe(l);
    l->host.file_get = get_both_files;
    l->options.cert_file = "both.pem";
    memcpy(l->memory.secret, key, 48); /* files are decoded in place */
    l->memory.has_secret = true;
    CHECK_INT(loop_create(l), TURBOHTTP_OK);
    const tbh_bear_context *context = (const tbh_bear_context *)l->context;
    CHECK(!holds(context->identity.bytes, context->identity.capacity, l->memory.secret, 48));
    l->provider->context_destroy(l->context);
    l->context = NULL;
    CHECK_INT(l->memory.leaks, 0);
    CHECK_INT(l->memory.memory.live_bytes, 0);
}

/* In one buffer for both directions nothing is taken while a record waits to be sent. */
static void staged_bytes_are_never_received_over(void) {
    static uint8_t block[16];
    tbh_stream stream;
    memset(&stream, 0, sizeof stream);
    tbh_io io;
    memset(&io, 0, sizeof io);
    stream.io = &io;
    stream.tls.block = block;
    stream.tls.fill = stream.tls.capacity = sizeof block;
    stream.tls.is_ended = true;
    CHECK_INT(tbh_tls_stage(&stream, false), TURBOHTTP_PENDING);
    CHECK(stream.tls.block == block && stream.tls.fill == sizeof block);
}

/* Pending would be asked again at once, as the wire is writable. */
static void nothing_is_sent_behind_close_notify(void) {
    loop *l = &shared;
    tbh_stream stream;
    tbh_io io;
    size_t sent = 7;
    memset(&io, 0, sizeof io);
    memset(&stream, 0, sizeof stream);
    stream.io = &io;
    loop_describe(l);
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    br_ssl_engine_close(&l->server.eng);
    CHECK_INT(loop_run(l), TURBOHTTP_DONE);
    stream.tls.provider = l->provider;
    stream.tls.session = l->tls;
    CHECK_INT(tbh_tls_send(&stream, "x", 1, &sent), TURBOHTTP_ERR_SEND);
    CHECK_INT(sent, 0);
    loop_close(l);
}

/* In one buffer for both directions nothing can be sent while half a record is in it: a socket that
 * can be written then wakes nobody, or the wait would end at once for ever. */
static void half_a_record_is_waited_for_without_haste(void) {
    loop *l = &shared;
    tbh_stream stream;
    tbh_io io;
    int ends[2];
    size_t sent = 7;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    memset(&io, 0, sizeof io);
    memset(&stream, 0, sizeof stream);
    stream.io = &io;
    loop_describe(l);
    l->options.buffer_bytes = 2048;
    CHECK_INT(loop_shake(l), TURBOHTTP_OK);
    stream.tls.provider = l->provider;
    stream.tls.session = l->tls;
    tbh_poller_init(&io.poller, &l->allocator, TURBOHTTP_IO_POLL);
    CHECK_INT(tbh_poller_add(&io.poller, &stream.watch, ends[0], TBH_WANT_RECEIVE, NULL), TURBOHTTP_OK);
    l->cut_at = l->to_client + 20;
    loop_server_says(l, "a record that comes in two halves", 33);
    CHECK_INT(tbh_tls_send(&stream, "upload", 6, &sent), TURBOHTTP_PENDING);
    CHECK_INT(sent, 0);
    tbh_stream_wants(&stream, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    CHECK_INT(stream.watch.wants, TBH_WANT_RECEIVE);
    l->cut_at = 0;
    loop_run(l);
    CHECK_INT(l->got_length, 33);
    CHECK(l->provider->plain_in_room(l->tls, &sent) != NULL);
    tbh_stream_wants(&stream, TBH_WANT_RECEIVE | TBH_WANT_SEND); /* it is whole: the upload goes on */
    CHECK_INT(stream.watch.wants, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    memcpy(l->provider->plain_in_room(l->tls, &sent), "upload", 6);
    l->provider->plain_in_commit(l->tls, 6);
    l->provider->flush(l->tls);
    tbh_stream_wants(&stream, TBH_WANT_RECEIVE | TBH_WANT_SEND); /* a record waits for the wire */
    CHECK_INT(stream.watch.wants, TBH_WANT_RECEIVE | TBH_WANT_SEND);
    tbh_poller_remove(&io.poller, &stream.watch);
    tbh_poller_fini(&io.poller);
    close(ends[0]);
    close(ends[1]);
    loop_close(l);
}

static void S_71_an_address_with_a_dot_is_an_address(void) {
    tbh_origin origin;
    tbh_tls_config config;
    tbh_tls_plan plan;
    turbohttp_address address;
    char host[256];
    memset(&origin, 0, sizeof origin);
    memset(&config, 0, sizeof config);
    config.options.server_name = "127.0.0.1.";
    origin.key.tls = &config;
    CHECK(tbh_secure_plan(&origin, host, &address, &plan) != NULL);
    CHECK(plan.target.address != NULL && strcmp(host, "127.0.0.1") == 0);
}

static const check_test tests[] = {
    CHECK_TEST(an_empty_usage_or_constraint_is_malformed),
    CHECK_TEST(an_issuer_for_mail_vouches_for_no_server),
    CHECK_TEST(an_empty_change_of_ciphers_is_none),
    CHECK_TEST(S_42_a_handshake_is_no_place_for_floods),
    CHECK_TEST(records_behind_finished_are_not_lost),
    CHECK_TEST(a_key_in_the_certificate_file_is_wiped),
    CHECK_TEST(staged_bytes_are_never_received_over),
    CHECK_TEST(nothing_is_sent_behind_close_notify),
    CHECK_TEST(half_a_record_is_waited_for_without_haste),
    CHECK_TEST(S_71_an_address_with_a_dot_is_an_address),
    CHECK_TEST(der_elements),
    CHECK_TEST(dates),
    CHECK_TEST(a_certificate_is_read_in_full_or_not_at_all),
    CHECK_TEST(an_altered_certificate_is_harmless),
    CHECK_TEST(wildcards),
    CHECK_TEST(name_constraints),
    CHECK_TEST(pem_blocks),
    CHECK_TEST(text_between_blocks_is_no_der),
    CHECK_TEST(folder_hashes_are_those_of_openssl),
    CHECK_TEST(a_handshake_and_data_in_every_portion),
    CHECK_TEST(S_02_resumption_continues_a_session),
    CHECK_TEST(keys_are_wiped_and_the_handshake_is_freed),
    CHECK_TEST(the_block_of_a_handshake_is_wiped),
    CHECK_TEST(small_buffers),
    CHECK_TEST(renegotiation_is_refused),
    CHECK_TEST(entropy_and_time_are_needed),
    CHECK_TEST(dates_are_exact_to_the_second),
    CHECK_TEST(who_the_server_must_be),
    CHECK_TEST(S_71_a_long_name_is_not_cut_short),
    CHECK_TEST(whom_to_trust),
    CHECK_TEST(a_key_that_may_not_sign_is_refused),
    CHECK_TEST(roots_are_never_left_out_in_silence),
    CHECK_TEST(protocols),
    CHECK_TEST(close_notify_goes_both_ways),
    CHECK_TEST(S_36_no_altered_or_cut_handshake_succeeds),
    CHECK_TEST(an_altered_record_is_an_error),
    CHECK_TEST(every_allocation_may_fail),
    CHECK_TEST(pins),
};
CHECK_MAIN(tests)
