/* How big is a GET on a device? Own transport, one block of memory, no sockets; built for
 * Cortex-M4 by bench/run.py. `line_in` and `line_out` stand for a modem's registers. */
#define TURBOHTTP_NO_SOCKETS
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"

volatile uint8_t line_in, line_out;
volatile uint32_t line_ready, ticks;

static turbohttp_status line_open(void *user, const turbohttp_endpoint *to, void **connection,
                                  turbohttp_error *error) {
    (void)to, (void)error;
    *connection = user;
    return TURBOHTTP_OK;
}

static turbohttp_status line_send(void *user, void *connection, const void *data, size_t length,
                                  size_t *sent) {
    (void)user, (void)connection;
    for (*sent = 0; *sent < length; ++*sent) line_out = ((const uint8_t *)data)[*sent];
    return TURBOHTTP_OK;
}

static turbohttp_status line_receive(void *user, void *connection, void *data, size_t room,
                                     size_t *received) {
    (void)user, (void)connection;
    for (*received = 0; line_ready && *received < room; ++*received)
        ((uint8_t *)data)[*received] = line_in;
    return *received ? TURBOHTTP_OK : TURBOHTTP_PENDING;
}

static void line_shut(void *user, void *connection) {
    (void)user, (void)connection;
}

static uint64_t now_us(void *user) {
    (void)user;
    return ticks;
}

int main(void) {
    static uint64_t memory[4096];
    static const turbohttp_transport line = {(void *)memory, line_open, NULL, line_send,
                                             line_receive,   line_shut, NULL};
    turbohttp_client *client;
    turbohttp_client_desc desc = {0};
    turbohttp_request_desc request = {0};
    turbohttp_response response;
    desc.memory = memory;
    desc.memory_bytes = sizeof memory;
    desc.transport = &line;
    desc.clock.now_us = now_us;
    desc.limits.block_bytes = desc.limits.receive_bytes = 2048;
    desc.limits.requests = desc.limits.connections = 1;
    desc.limits.header_count = 32;
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    request.url = "http://device.example/status";
    if (turbohttp_send(client, &request, &response) == TURBOHTTP_OK)
        line_out = (uint8_t)*turbohttp_response_text(&response);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
    return 0;
}
