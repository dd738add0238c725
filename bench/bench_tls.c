/* What TLS costs the client, beside a hand-written loop on BearSSL's engine, and libcurl.
 *
 *     bench_tls MODE PORT CA_FILE PATH COUNT
 *
 * MODE: requests, raw-requests, curl-requests (one kept connection) · download, raw-download,
 * curl-download · full, resumed (handshakes) · memory · roots (loading the system's). The host is
 * "localhost". Prints "cpu_us N" for each of COUNT; bench/run.py makes ratios of it. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp_tls_bearssl.h"
#include "counting_allocator.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *ca_file, *path;
static int port;
static long total;
static char url[512];
static uint64_t bytes;

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static double cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void report(double start) {
    printf("cpu_us %.3f bytes %llu\n", (cpu_us() - start) / (double)total, (unsigned long long)bytes);
}

/* ------------------------------------------------------------ ours */
static turbohttp_status on_body(void *user, const void *data, size_t length) {
    (void)user, (void)data;
    bytes += length;
    return TURBOHTTP_OK;
}

static turbohttp_client *create(const turbohttp_allocator *allocator, bool resumes,
                                uint32_t buffer_bytes) {
    static const turbohttp_name_override name = {"localhost", 0, "127.0.0.1"};
    turbohttp_client *client;
    turbohttp_client_desc desc = {0};
    if (allocator) desc.allocator = *allocator;
    desc.tls.ca_file = ca_file;
    desc.tls.disable_resumption = !resumes;
    desc.tls.buffer_bytes = buffer_bytes;
    desc.names = &name;
    desc.name_count = 1;
    if (turbohttp_client_create(&client, &desc)) die("client");
    return client;
}

static void get(turbohttp_client *client, bool is_fresh, bool must_resume) {
    turbohttp_response response;
    turbohttp_request_desc desc = {0};
    desc.url = url;
    desc.on_body = on_body;
    desc.disable_reuse = is_fresh;
    if (turbohttp_send(client, &desc, &response)) die(response.error.text);
    if (must_resume && !response.tls.is_resumed) die("not resumed");
    turbohttp_response_free(&response);
}

static void run_download(void) {
    turbohttp_client *client = create(NULL, true, 0);
    double start = cpu_us();
    for (long i = 0; i < total; i++) get(client, false, false);
    report(start);
    turbohttp_client_destroy(client);
}

static void run_requests(void) {
    turbohttp_client *client = create(NULL, true, 0);
    get(client, false, false);
    double start = cpu_us();
    for (long i = 0; i < total; i++) get(client, false, false);
    report(start);
    turbohttp_client_destroy(client);
}

static void run_handshakes(bool resumes) {
    turbohttp_client *client = create(NULL, resumes, 0);
    get(client, true, false); /* roots, warm-up */
    double start = cpu_us();
    for (long i = 0; i < total; i++) get(client, true, resumes);
    report(start);
    turbohttp_client_destroy(client);
}

static void run_full(void) {
    run_handshakes(false);
}

static void run_resumed(void) {
    run_handshakes(true);
}

/* What an idle connection holds: with one, and after it was shut; and the peak of a handshake. */
static void measure_connection(uint32_t buffer_bytes, const char *name) {
    counting_allocator counter = {0};
    turbohttp_allocator allocator = counting_allocator_hooks(&counter);
    turbohttp_client *client = create(&allocator, true, buffer_bytes);
    get(client, true, false);
    get(client, true, false);
    uint64_t without = counter.live_bytes;
    counter.peak_bytes = without;
    get(client, false, false);
    printf("%s %llu %s_own %zu\n", name, (unsigned long long)(counter.live_bytes - without), name,
           sizeof(br_ssl_client_context) + sizeof(br_x509_minimal_context) +
               (buffer_bytes ? buffer_bytes : BR_SSL_BUFSIZE_BIDI));
    turbohttp_client_destroy(client);
}

static void run_memory(void) {
    counting_allocator counter = {0};
    turbohttp_allocator allocator = counting_allocator_hooks(&counter);
    turbohttp_client *client = create(&allocator, true, 0);
    for (int i = 0; i < 3; i++) get(client, false, false);
    uint64_t calls = counter.requests + counter.releases;
    for (long i = 0; i < total; i++) get(client, false, false);
    calls = counter.requests + counter.releases - calls;
    printf("calls_per_request %.3f\n", (double)calls / (double)total);
    turbohttp_client_destroy(client);
    measure_connection(0, "connection_bytes");
    measure_connection(837, "small_bytes");
}

/* ------------------------------------------------------------ a loop on BearSSL's engine */
static int raw_connect(void) {
    struct sockaddr_in to = {0};
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    return s;
}

static int raw_read(void *context, unsigned char *data, size_t length) {
    ssize_t n = recv(*(int *)context, data, length, 0);
    return n <= 0 ? -1 : (int)n;
}

static int raw_write(void *context, const unsigned char *data, size_t length) {
    ssize_t n = send(*(int *)context, data, length, MSG_NOSIGNAL);
    return n <= 0 ? -1 : (int)n;
}

typedef struct raw_link {
    int s;
    br_ssl_client_context client;
    br_x509_minimal_context verifier;
    const br_x509_class *anyone; /* a benchmark of records, not of trust */
    br_x509_pkey key;
    br_x509_decoder_context decoder;
    unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
    br_sslio_context io;
} raw_link;

static raw_link raw;

static void any_start(const br_x509_class **c, const char *name) {
    (void)c, (void)name;
}
static void any_start_cert(const br_x509_class **c, uint32_t length) {
    (void)c, (void)length;
    if (!br_x509_decoder_get_pkey(&raw.decoder)) br_x509_decoder_init(&raw.decoder, NULL, NULL);
}
static void any_append(const br_x509_class **c, const unsigned char *data, size_t length) {
    (void)c;
    br_x509_decoder_push(&raw.decoder, data, length);
}
static void any_end_cert(const br_x509_class **c) {
    (void)c;
}
static unsigned any_end(const br_x509_class **c) {
    (void)c;
    return 0;
}
static const br_x509_pkey *any_key(const br_x509_class *const *c, unsigned *usages) {
    (void)c;
    if (usages) *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    return br_x509_decoder_get_pkey(&raw.decoder);
}
static const br_x509_class any_class = {0, any_start, any_start_cert, any_append, any_end_cert, any_end, any_key};

static void raw_open(void) {
    static const uint16_t suites[] = {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                      BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256};
    raw.s = raw_connect();
    br_ssl_client_init_full(&raw.client, &raw.verifier, NULL, 0);
    raw.anyone = &any_class;
    memset(&raw.decoder, 0, sizeof raw.decoder);
    br_x509_decoder_init(&raw.decoder, NULL, NULL);
    br_ssl_engine_set_x509(&raw.client.eng, &raw.anyone);
    br_ssl_engine_set_suites(&raw.client.eng, suites, 2);
    br_ssl_engine_set_buffer(&raw.client.eng, raw.buffer, sizeof raw.buffer, 1);
    br_ssl_client_reset(&raw.client, "localhost", 0);
    br_sslio_init(&raw.io, &raw.client.eng, raw_read, &raw.s, raw_write, &raw.s);
}

static void raw_ask(const char *more) {
    char request[1024];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n%s\r\n", path, more);
    if (br_sslio_write_all(&raw.io, request, (size_t)n) != 0 || br_sslio_flush(&raw.io) != 0) die("write");
}

static void raw_answer(void) {
    static char in[8192];
    size_t got = 0;
    for (;;) {
        int n = br_sslio_read(&raw.io, in + got, sizeof in - 1 - got);
        if (n <= 0) die("read");
        got += (size_t)n;
        in[got] = 0;
        char *end = strstr(in, "\r\n\r\n"), *length = strstr(in, "Content-Length: ");
        if (end && length && got == (size_t)(end + 4 - in) + strtoul(length + 16, NULL, 10)) return;
    }
}

static void run_raw_requests(void) {
    raw_open();
    raw_ask("");
    raw_answer();
    double start = cpu_us();
    for (long i = 0; i < total; i++) {
        raw_ask("");
        raw_answer();
    }
    bytes = 1;
    report(start);
}

/* Reads until close_notify, out of the engine's own buffer: no copy at all. */
static void run_raw_download(void) {
    raw_open();
    double start = cpu_us();
    raw_ask("Connection: close\r\n");
    br_ssl_engine_context *engine = &raw.client.eng;
    for (;;) {
        size_t n;
        unsigned state = br_ssl_engine_current_state(engine);
        if (state == BR_SSL_CLOSED) break;
        if (state & BR_SSL_RECVAPP) {
            br_ssl_engine_recvapp_buf(engine, &n);
            bytes += n;
            br_ssl_engine_recvapp_ack(engine, n);
        } else if (state & BR_SSL_SENDREC) {
            unsigned char *out = br_ssl_engine_sendrec_buf(engine, &n);
            int sent = raw_write(&raw.s, out, n);
            if (sent < 0) break;
            br_ssl_engine_sendrec_ack(engine, (size_t)sent);
        } else {
            unsigned char *in = br_ssl_engine_recvrec_buf(engine, &n);
            int got = raw_read(&raw.s, in, n);
            if (got < 0) break;
            br_ssl_engine_recvrec_ack(engine, (size_t)got);
        }
    }
    report(start);
}

/* ------------------------------------------------------------ libcurl with OpenSSL */
static size_t curl_sink(char *data, size_t size, size_t n, void *user) {
    (void)data, (void)user;
    bytes += size * n;
    return size * n;
}

static void run_curl(void) {
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_MAX_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, curl_sink);
    if (total > 1 && curl_easy_perform(curl) != CURLE_OK) die("curl");
    double start = cpu_us();
    for (long i = 0; i < total; i++)
        if (curl_easy_perform(curl) != CURLE_OK) die("curl");
    report(start);
    curl_easy_cleanup(curl);
}

/* The index of the system's roots alone; kept_bytes is what stays until an anchor is needed. */
static void run_roots(void) {
    counting_allocator counter = {0};
    turbohttp_allocator allocator = counting_allocator_hooks(&counter);
    turbohttp_tls_options options = {0};
    turbohttp_tls_host host = {0};
    turbohttp_error error;
    host.allocator = &allocator;
    host.file_get = tbh_os_file_get_at;
    double start = cpu_us();
    for (long i = 0; i < total; i++) {
        tbh_roots roots = {0};
        roots.host = &host;
        roots.options = &options;
        if (tbh_roots_load(&roots, &error)) die(error.text);
        if (i == 0) printf("kept_bytes %llu count %u\n", (unsigned long long)counter.live_bytes, roots.count);
        tbh_roots_free(&roots);
    }
    bytes = 1;
    report(start);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"requests", run_requests},         {"raw-requests", run_raw_requests},
                 {"curl-requests", run_curl},        {"download", run_download},
                 {"raw-download", run_raw_download}, {"curl-download", run_curl},
                 {"full", run_full},                 {"resumed", run_resumed},
                 {"memory", run_memory},             {"roots", run_roots}};
    if (argc < 6) return fprintf(stderr, "usage: bench_tls MODE PORT CA_FILE PATH COUNT\n"), 2;
    port = atoi(argv[2]);
    ca_file = argv[3];
    path = argv[4];
    total = atol(argv[5]);
    snprintf(url, sizeof url, "https://localhost:%d%s", port, path);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(modes[i].name, argv[1])) return modes[i].run(), bytes == 0 && strcmp(argv[1], "memory");
    return 2;
}
