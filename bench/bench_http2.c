/* HTTP/2 against a real server: what a request and a gigabyte cost the client, and what it holds.
 *
 *     bench_http2 MODE HOST PORT PATH REQUESTS IN_FLIGHT
 *
 * MODE: ours · curl (multi): requests over one cleartext connection, "cpu_us_per_request N" · download ·
 * download-1.1 · download-curl: PATH once to a sink, "cpu_ms N bytes N" · memory: allocator calls per request
 * after warm-up, and bytes that streams and a connection hold while nothing runs. bench/run.py makes ratios of
 * it, with h2load as another peer. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "counting_allocator.h"
#include <curl/curl.h>
#include <sys/resource.h>

static char url[512];
static long total, width, done, started;
static uint64_t bytes;

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* ------------------------------------------------------------ ours */
static turbohttp_client *client;
static turbohttp_request_desc desc;

static void open_client(const turbohttp_allocator *allocator, bool is_http2) {
    turbohttp_client_desc options;
    memset(&options, 0, sizeof options);
    if (allocator) options.allocator = *allocator;
    options.http2_prior_knowledge = is_http2;
    if (turbohttp_client_create(&client, &options)) die("client");
    desc.url = url;
}

static void start_one(void) {
    turbohttp_request request;
    started++;
    if (turbohttp_submit(client, &desc, &request, NULL)) die("submit");
}

static void on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    (void)user, (void)request;
    if (response->error.code) die(response->error.text);
    done++;
    if (started < total) start_one();
}

/* Each that ends begins the next. Above 100, and above what the server allows, requests wait in the client. */
static void run_many(long count, long at_once) {
    done = started = 0;
    total = count;
    desc.on_done = on_done;
    while (started < at_once && started < total) start_one();
    while (turbohttp_poll(client, 1000) == TURBOHTTP_PENDING) {
    }
}

static void run_ours(void) {
    open_client(NULL, true);
    run_many(total, width);
    turbohttp_client_destroy(client);
}

static turbohttp_status on_body(void *user, const void *data, size_t length) {
    (void)user, (void)data;
    bytes += length;
    return TURBOHTTP_OK;
}

static void download(bool is_http2) {
    turbohttp_response response;
    open_client(NULL, is_http2);
    desc.on_body = on_body;
    if (turbohttp_send(client, &desc, &response)) die(response.error.text);
    if (response.http_version != (is_http2 ? 20 : 11)) die("another protocol");
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
}

static void run_download(void) {
    download(true);
}

static void run_download_h1(void) {
    download(false);
}

/* ------------------------------------------------------------ libcurl */
static size_t curl_sink(char *data, size_t size, size_t n, void *user) {
    (void)data, (void)user;
    bytes += size * n;
    return size * n;
}

static CURL *curl_handle(long version) {
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, curl_sink);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    return curl;
}

static void run_download_curl(void) {
    CURL *curl = curl_handle(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    if (curl_easy_perform(curl) != CURLE_OK) die("curl");
    curl_easy_cleanup(curl);
}

static void curl_next(CURLM *multi, CURL *curl) {
    if (started++ < total) curl_multi_add_handle(multi, curl);
    else curl_easy_cleanup(curl);
}

/* Those that end: how many are counted, and each begins anew while there is more to do. */
static void curl_reap(CURLM *multi) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURL *curl = message->easy_handle;
        if (message->data.result != CURLE_OK) die(curl_easy_strerror(message->data.result));
        done++;
        curl_multi_remove_handle(multi, curl);
        curl_next(multi, curl);
    }
}

/* libcurl 7.88 fails when a request with prior knowledge meets a connection that speaks HTTP/2 already
 * (curl pull request 10643). So one request opens the connection, and all others ask for HTTP/2 in a way
 * that uses it as it is. */
static void run_curl(void) {
    CURLM *multi = curl_multi_init();
    int running = 1;
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
    curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, width);
    CURL *first = curl_handle(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    curl_multi_add_handle(multi, first);
    while (running) {
        curl_multi_perform(multi, &running);
        if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    curl_multi_remove_handle(multi, first);
    for (long i = 0; i < width; i++) curl_next(multi, curl_handle(CURL_HTTP_VERSION_2TLS));
    while (done < total) {
        curl_multi_perform(multi, &running);
        curl_reap(multi);
        if (done < total) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    curl_easy_cleanup(first);
    curl_multi_cleanup(multi);
}

/* ------------------------------------------------------------ memory */
/* What is left when the pools give back what they merely retain. */
static uint64_t trimmed_bytes(const counting_allocator *memory) {
    turbohttp_byte_pool_trim(&client->heap->blocks);
    turbohttp_object_pool_trim(&client->request_pool);
    turbohttp_object_pool_trim(&client->stream_pool);
    turbohttp_object_pool_trim(&client->link_pool);
    return memory->live_bytes;
}

static void run_memory(void) {
    static counting_allocator memory;
    turbohttp_allocator hooks = counting_allocator_hooks(&memory);
    open_client(&hooks, true);
    uint64_t before = trimmed_bytes(&memory);
    long count = total;
    run_many(40 * width, width);
    uint64_t calls = memory.requests + memory.releases;
    run_many(count, width);
    printf("calls_per_request %.4f\n", (double)(memory.requests + memory.releases - calls) / (double)count);
    uint64_t retained = memory.live_bytes;
    uint32_t streams = client->stream_pool.count;
    turbohttp_object_pool_trim(&client->stream_pool);
    printf("bytes_per_stream %.0f\n", (double)(retained - memory.live_bytes) / streams);
    printf("connection_bytes %llu\n", (unsigned long long)(trimmed_bytes(&memory) - before));
    printf("table_bytes %u\n", (unsigned)(TURBOHTTP_HPACK_DECODER_BYTES(4096) + TURBOHTTP_HPACK_ENCODER_BYTES(4096)));
    turbohttp_client_destroy(client);
    if (!counting_allocator_balanced(&memory)) die("memory was lost");
}

static double cpu_ms(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"ours", run_ours},
                 {"curl", run_curl},
                 {"download", run_download},
                 {"download-1.1", run_download_h1},
                 {"download-curl", run_download_curl},
                 {"memory", run_memory}};
    if (argc < 7) return fprintf(stderr, "usage: bench_http2 MODE HOST PORT PATH REQUESTS IN_FLIGHT\n"), 2;
    snprintf(url, sizeof url, "http://%s:%s%s", argv[2], argv[3], argv[4]);
    total = atol(argv[5]);
    width = atol(argv[6]);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* what a process costs is not asked here */
    double start = cpu_ms();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(modes[i].name, argv[1])) modes[i].run();
    double used = cpu_ms() - start;
    printf("cpu_us_per_request %.3f cpu_ms %.3f bytes %llu\n", used * 1e3 / (double)(done ? done : 1), used,
           (unsigned long long)bytes);
    return done < total && bytes == 0;
}
