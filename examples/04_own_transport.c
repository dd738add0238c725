/* A transport of your own: here a loop of memory that answers by itself, on a device it would be
 * lwIP, a modem or a serial line. Two blocks of memory, no malloc, no socket, no thread.
 * Compiles with TURBOHTTP_NO_SOCKETS: the library then calls no system at all. */
#define TURBOHTTP_NO_SOCKETS
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>

typedef struct modem {
    size_t asked, answered;
    uint64_t ticks_us;
} modem;

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello modem!";

static turbohttp_status modem_open(void *user, const turbohttp_endpoint *to, void **connection,
                                   turbohttp_error *error) {
    (void)error;
    printf("dialing %s port %u\n", to->host, (unsigned)to->port);
    *connection = user;
    return TURBOHTTP_OK;
}

static turbohttp_status modem_send(void *user, void *connection, const void *data, size_t length,
                                   size_t *sent) {
    (void)user;
    (void)data;
    ((modem *)connection)->asked += length;
    *sent = length;
    return TURBOHTTP_OK;
}

static turbohttp_status modem_receive(void *user, void *connection, void *data, size_t room,
                                      size_t *received) {
    modem *m = (modem *)connection;
    size_t left = sizeof answer - 1 - m->answered;
    (void)user;
    if (m->asked == 0 || left == 0) return TURBOHTTP_PENDING;
    *received = left < 7 ? left : 7; /* a slow line */
    if (*received > room) *received = room;
    for (size_t i = 0; i < *received; i++) ((char *)data)[i] = answer[m->answered++];
    return TURBOHTTP_OK;
}

static void modem_shut(void *user, void *connection) {
    (void)user;
    (void)connection;
}

static uint64_t ticks(void *user) {
    return ((modem *)user)->ticks_us += 100; /* a timer register on a device */
}

int main(void) {
    static uint64_t memory[64 * 1024 / sizeof(uint64_t)]; /* all that the client ever uses */
    modem m = {0};
    turbohttp_transport transport = {0};
    turbohttp_client_desc desc = {0};
    turbohttp_client *client;
    turbohttp_response response;
    turbohttp_request_desc request = {0};

    transport.user = &m;
    transport.io_open = modem_open;
    transport.io_send = modem_send;
    transport.io_receive = modem_receive;
    transport.io_shut = modem_shut;
    desc.memory = memory;
    desc.memory_bytes = sizeof memory;
    desc.transport = &transport;
    desc.clock.user = &m;
    desc.clock.now_us = ticks;
    desc.limits.block_bytes = 2048;
    desc.limits.receive_bytes = 2048;
    desc.limits.requests = 2;
    desc.limits.connections = 1;
    desc.limits.header_count = 32;
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    request.url = "http://device.example/status";
    turbohttp_send(client, &request, &response);
    puts(response.error.code ? response.error.text : turbohttp_response_text(&response));
    int failed = response.error.code != 0;
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
    return failed;
}
