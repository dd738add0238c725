/* HTTPS on a device: 64 KiB of memory in all, no malloc, no socket inside the library, a modem for a
 * transport. Here the modem is a socket of the example's own; entropy and time come from it, too.
 * Usage: 08_device_https HOST PORT CA_FILE */
#define _GNU_SOURCE
#define TURBOHTTP_NO_SOCKETS
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "turbohttp_tls_bearssl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- the modem: non-blocking bytes */
static turbohttp_status modem_open(void *user, const turbohttp_endpoint *to, void **connection,
                                   turbohttp_error *error) {
    struct sockaddr_in at = {0};
    int *modem = (int *)user;
    (void)error;
    at.sin_family = AF_INET;
    at.sin_port = htons(to->port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* a real one dials to->host */
    *modem = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*modem, (struct sockaddr *)&at, sizeof at) != 0) return close(*modem), TURBOHTTP_ERR_CONNECT;
    *connection = modem;
    return TURBOHTTP_OK;
}

static turbohttp_status modem_send(void *user, void *connection, const void *data, size_t length, size_t *sent) {
    ssize_t n = send(*(int *)connection, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)user;
    if (n < 0) return errno == EAGAIN ? TURBOHTTP_PENDING : TURBOHTTP_ERR_SEND;
    *sent = (size_t)n;
    return TURBOHTTP_OK;
}

static turbohttp_status modem_receive(void *user, void *connection, void *data, size_t room, size_t *received) {
    ssize_t n = recv(*(int *)connection, data, room < 200 ? room : 200, MSG_DONTWAIT); /* a slow line */
    (void)user;
    if (n == 0) return TURBOHTTP_DONE;
    if (n < 0) return errno == EAGAIN ? TURBOHTTP_PENDING : TURBOHTTP_ERR_RECEIVE;
    *received = (size_t)n;
    return TURBOHTTP_OK;
}

static void modem_shut(void *user, void *connection) {
    (void)user;
    close(*(int *)connection);
}

/* ---- what a device must have for TLS: ticks, the time of day, entropy */
static uint64_t ticks_us(void *user) {
    struct timespec t;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static uint64_t unix_seconds(void *user) {
    (void)user;
    return (uint64_t)time(NULL);
}

static bool entropy(void *user, void *bytes, size_t length) {
    (void)user;
    return getentropy(bytes, length) == 0;
}

static turbohttp_status print(void *user, const void *data, size_t length) {
    (void)user;
    return fwrite(data, 1, length, stdout) == length ? TURBOHTTP_OK : TURBOHTTP_ERR_BODY_SINK;
}

int main(int argc, char **argv) {
    static uint64_t memory[64 * 1024 / sizeof(uint64_t)]; /* all that the client ever uses */
    static char authority[8192], url[256];                /* in flash on a device */
    int modem = -1;
    turbohttp_transport transport = {&modem, modem_open, NULL, modem_send, modem_receive, modem_shut, NULL};
    turbohttp_client_desc desc = {0};
    turbohttp_request_desc request = {0};
    turbohttp_response response;
    turbohttp_client *client;
    FILE *file = argc > 3 ? fopen(argv[3], "rb") : NULL;
    if (!file) return fprintf(stderr, "usage: 08_device_https HOST PORT CA_FILE\n"), 2;
    desc.tls.ca_data = authority;
    desc.tls.ca_bytes = fread(authority, 1, sizeof authority, file);
    desc.tls.buffer_bytes = 837; /* asks the server for records of 512 bytes */
    fclose(file);
    desc.memory = memory;
    desc.memory_bytes = sizeof memory;
    desc.transport = &transport;
    desc.clock.now_us = ticks_us;
    desc.wall_clock.unix_seconds = unix_seconds;
    desc.random.fill = entropy;
    desc.limits.block_bytes = desc.limits.receive_bytes = 1024;
    desc.limits.requests = 2;
    desc.limits.connections = 1;
    desc.limits.header_count = 32;
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    snprintf(url, sizeof url, "https://%s:%s/hello.txt", argv[1], argv[2]);
    request.url = url;
    request.on_body = print; /* no response is ever larger than a block */
    turbohttp_send(client, &request, &response);
    if (response.error.code) puts(response.error.text);
    int failed = response.error.code != 0;
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
    return failed;
}
