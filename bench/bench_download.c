/* What does a large download to a sink cost the client? Ours streams to a callback.
 *
 *     bench_download MODE HOST PORT PATH
 *
 * MODE: ours (blocking) · ours-poll · raw (256 KiB recv calls in a row) · curl (easy).
 * Prints "cpu_ms N bytes N"; bench/run.py makes ratios of it. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *host, *path;
static int port;
static char url[512];
static uint64_t bytes;

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* ------------------------------------------------------------ ours */
static turbohttp_status on_body(void *user, const void *data, size_t length) {
    (void)user, (void)data;
    bytes += length;
    return TURBOHTTP_OK;
}

static void run_ours(bool polls) {
    turbohttp_client *client;
    turbohttp_request request;
    turbohttp_response response;
    turbohttp_request_desc desc = {0};
    if (turbohttp_client_create(&client, NULL)) die("client");
    desc.url = url;
    desc.on_body = on_body;
    if (turbohttp_submit(client, &desc, &request, NULL)) die("submit");
    while (polls && turbohttp_poll(client, 1000) == TURBOHTTP_PENDING) {
    }
    if (turbohttp_wait(client, request, &response)) die(response.error.text);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
}

static void run_ours_blocking(void) {
    run_ours(false);
}

static void run_ours_poll(void) {
    run_ours(true);
}

/* ------------------------------------------------------------ peers */
/* Reads until the server closes; the head counts as body, which is no matter in a gigabyte. */
static void run_raw(void) {
    static char in[262144], request[1024];
    struct sockaddr_in to = {0};
    ssize_t got;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    int n =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n", path, host, port);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, host, &to.sin_addr);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    if (send(s, request, (size_t)n, MSG_NOSIGNAL) != n) die("send");
    while ((got = recv(s, in, sizeof in, 0)) > 0) bytes += (uint64_t)got;
    close(s);
}

static size_t curl_sink(char *data, size_t size, size_t n, void *user) {
    (void)data, (void)user;
    bytes += size * n;
    return size * n;
}

static void run_curl(void) {
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, curl_sink);
    if (curl_easy_perform(curl) != CURLE_OK) die("curl");
    curl_easy_cleanup(curl);
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
    } modes[] = {{"ours", run_ours_blocking},
                 {"ours-poll", run_ours_poll},
                 {"raw", run_raw},
                 {"curl", run_curl}};
    if (argc < 5) return fprintf(stderr, "usage: bench_download MODE HOST PORT PATH\n"), 2;
    host = argv[2];
    port = atoi(argv[3]);
    path = argv[4];
    snprintf(url, sizeof url, "http://%s:%d%s", host, port, path);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* not what is asked here */
    double start = cpu_ms();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(modes[i].name, argv[1])) modes[i].run();
    printf("cpu_ms %.3f bytes %llu\n", cpu_ms() - start, (unsigned long long)bytes);
    return bytes == 0;
}
