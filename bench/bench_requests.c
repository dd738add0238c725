/* Requests against a real server: what one costs the client, beside hand-written loops and libcurl.
 *
 *     bench_requests MODE HOST PORT PATH REQUESTS CONNECTIONS
 *
 * MODE: ours (blocking, one connection) · ours-poll · ours-epoll · ours-auto (the
 * default) · raw (send and recv in turn) · raw-epoll · curl (easy) · curl-multi. Prints "cpu_us_per_request N"; run under strace -c or callgrind for
 * system calls and instructions. bench/run.py makes ratios of it. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *host, *path;
static int port, total, width;
static char url[512];
static long done;

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* ------------------------------------------------------------ ours */
static void run_ours(void) {
    turbohttp_client *client;
    turbohttp_response response;
    turbohttp_request_desc desc = {0};
    if (turbohttp_client_create(&client, NULL)) die("client");
    desc.url = url;
    for (; done < total; done++) {
        if (turbohttp_send(client, &desc, &response)) die(response.error.text);
        turbohttp_response_free(&response);
    }
    turbohttp_client_destroy(client);
}

typedef struct poll_run {
    turbohttp_client *client;
    turbohttp_request_desc desc;
    long started;
} poll_run;

static void start_one(poll_run *run) {
    turbohttp_request request;
    run->started++;
    if (turbohttp_submit(run->client, &run->desc, &request, NULL)) die("submit");
}

static void on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    poll_run *run = (poll_run *)user;
    (void)request;
    if (response->error.code) die(response->error.text);
    done++;
    if (run->started < total) start_one(run);
}

static void run_ours_wide(turbohttp_io io) {
    poll_run run;
    turbohttp_client_desc desc = {0};
    memset(&run, 0, sizeof run);
    desc.limits.connections = desc.limits.connections_per_host = (uint32_t)width;
    desc.io = io;
    if (turbohttp_client_create(&run.client, &desc)) die("client");
    run.desc.url = url;
    run.desc.on_done = on_done;
    run.desc.user = &run;
    for (int i = 0; i < width && i < total; i++) start_one(&run);
    while (turbohttp_poll(run.client, 1000) == TURBOHTTP_PENDING) {
    }
    turbohttp_client_destroy(run.client);
}

static void run_ours_poll(void) {
    run_ours_wide(TURBOHTTP_IO_POLL);
}

static void run_ours_auto(void) {
    run_ours_wide(TURBOHTTP_IO_DEFAULT);
}

static void run_ours_epoll(void) {
    run_ours_wide(TURBOHTTP_IO_EPOLL);
}

/* ------------------------------------------------------------ raw loops: what anybody would write */
static int raw_connect(void) {
    struct sockaddr_in to = {0};
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, host, &to.sin_addr);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    return s;
}

static size_t raw_request(char *out, size_t room) {
    return (size_t)snprintf(out, room,
                            "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: raw\r\nAccept: */*\r\n"
                            "Accept-Encoding: gzip, deflate\r\n\r\n", path, host, port);
}

typedef struct raw_link {
    int s;
    size_t got;
    char in[8192];
} raw_link;

/* Complete when head and Content-Length bytes are there: the least that a client must look at. */
static bool raw_is_complete(raw_link *link) {
    link->in[link->got] = 0;
    char *end = strstr(link->in, "\r\n\r\n"), *length = strstr(link->in, "Content-Length: ");
    if (!end || !length) return false;
    return link->got == (size_t)(end + 4 - link->in) + strtoul(length + 16, NULL, 10);
}

static void run_raw(void) {
    static raw_link link;
    char request[1024];
    size_t n = raw_request(request, sizeof request);
    link.s = raw_connect();
    for (; done < total; done++) {
        if (send(link.s, request, n, MSG_NOSIGNAL) != (ssize_t)n) die("send");
        for (link.got = 0; link.got == 0 || !raw_is_complete(&link);) {
            ssize_t got = recv(link.s, link.in + link.got, sizeof link.in - link.got - 1, 0);
            if (got <= 0) die("recv");
            link.got += (size_t)got;
        }
    }
    close(link.s);
}

static void raw_send(raw_link *link, const char *request, size_t n) {
    link->got = 0;
    if (send(link->s, request, n, MSG_NOSIGNAL) != (ssize_t)n) die("send");
}

static void run_raw_epoll(void) {
    raw_link *links = (raw_link *)calloc((size_t)width, sizeof *links);
    struct epoll_event events[256];
    char request[1024];
    size_t n = raw_request(request, sizeof request);
    int poller = epoll_create1(0);
    long started = 0;
    for (int i = 0; i < width; i++, started++) {
        struct epoll_event event = {EPOLLIN, {.ptr = &links[i]}};
        links[i].s = raw_connect();
        epoll_ctl(poller, EPOLL_CTL_ADD, links[i].s, &event);
        raw_send(&links[i], request, n);
    }
    while (done < total) {
        int ready = epoll_wait(poller, events, 256, 1000);
        for (int i = 0; i < ready; i++) {
            raw_link *link = (raw_link *)events[i].data.ptr;
            ssize_t got = recv(link->s, link->in + link->got, sizeof link->in - link->got - 1, MSG_DONTWAIT);
            if (got <= 0) die("recv");
            link->got += (size_t)got;
            if (!raw_is_complete(link)) continue;
            done++;
            if (started++ < total) raw_send(link, request, n);
        }
    }
    for (int i = 0; i < width; i++) close(links[i].s);
    free(links);
}

/* ------------------------------------------------------------ libcurl */
static size_t curl_sink(char *data, size_t size, size_t n, void *user) {
    (void)data, (void)user;
    return size * n;
}

static CURL *curl_handle(void) {
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, curl_sink);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    return curl;
}

static void run_curl(void) {
    CURL *curl = curl_handle();
    for (; done < total; done++)
        if (curl_easy_perform(curl) != CURLE_OK) die("curl");
    curl_easy_cleanup(curl);
}

static void run_curl_multi(void) {
    CURLM *multi = curl_multi_init();
    CURLMsg *message;
    long started = 0;
    int running = 1, left;
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)width);
    for (; started < width; started++) curl_multi_add_handle(multi, curl_handle());
    while (done < total && running) {
        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left)) != NULL) {
            CURL *curl = message->easy_handle;
            done++;
            curl_multi_remove_handle(multi, curl);
            if (started++ < total) {
                curl_multi_add_handle(multi, curl);
                running++;
            } else
                curl_easy_cleanup(curl);
        }
        if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    curl_multi_cleanup(multi);
}

static double cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"ours", run_ours}, {"ours-poll", run_ours_poll}, {"ours-epoll", run_ours_epoll},
                 {"ours-auto", run_ours_auto},
                 {"raw", run_raw}, {"raw-epoll", run_raw_epoll}, {"curl", run_curl}, {"curl-multi", run_curl_multi}};
    if (argc < 7) return fprintf(stderr, "usage: bench_requests MODE HOST PORT PATH REQUESTS CONNECTIONS\n"), 2;
    host = argv[2];
    port = atoi(argv[3]);
    path = argv[4];
    total = atoi(argv[5]);
    width = atoi(argv[6]);
    snprintf(url, sizeof url, "http://%s:%d%s", host, port, path);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* what a process costs is not asked here */
    double start = cpu_us();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(modes[i].name, argv[1])) modes[i].run();
    printf("cpu_us_per_request %.3f\n", (cpu_us() - start) / (double)(done ? done : 1));
    return done < total;
}
