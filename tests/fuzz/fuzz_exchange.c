/* F3: a whole exchange. The first bytes choose options and sizes of pieces, the rest is what the
 * server sends before it closes. Delivered whole and in pieces, the result must be the same: status,
 * error code, body; and no allocation may be left over. */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

typedef struct peer {
    const uint8_t *data;
    size_t left, piece;
    bool has_request;
    uint64_t now_us;
    size_t live;
} peer;

static turbohttp_status peer_open(void *user, const turbohttp_endpoint *to, void **connection,
                                  turbohttp_error *error) {
    (void)to, (void)error;
    *connection = user;
    return TURBOHTTP_OK;
}

static turbohttp_status peer_send(void *user, void *connection, const void *data, size_t length,
                                  size_t *sent) {
    (void)connection, (void)data;
    ((peer *)user)->has_request = true;
    *sent = length;
    return TURBOHTTP_OK;
}

static turbohttp_status peer_receive(void *user, void *connection, void *data, size_t room, size_t *received) {
    peer *p = (peer *)user;
    size_t n = p->left < room ? p->left : room;
    (void)connection;
    if (!p->has_request) return TURBOHTTP_PENDING;
    if (n == 0) return TURBOHTTP_DONE;
    if (p->piece && n > p->piece) n = p->piece;
    memcpy(data, p->data, n);
    p->data += n;
    p->left -= n;
    *received = n;
    return TURBOHTTP_OK;
}

static void peer_shut(void *user, void *connection) {
    (void)user, (void)connection;
}

static uint64_t peer_now(void *user) {
    return ((peer *)user)->now_us += 10;
}

static void *peer_allocate(void *user, size_t size) {
    ((peer *)user)->live += size;
    return malloc(size);
}

static void peer_release(void *user, void *block, size_t size) {
    ((peer *)user)->live -= size;
    free(block);
}

typedef struct outcome {
    int status, code;
    size_t length;
    uint32_t sum;
} outcome;

static outcome run(const uint8_t *data, size_t size, uint8_t options, size_t piece) {
    peer p = {data, size, piece, false, 1000, 0};
    outcome o = {0, 0, 0, 0};
    turbohttp_transport transport = {&p, peer_open, NULL, peer_send, peer_receive, peer_shut, NULL};
    turbohttp_client_desc desc;
    turbohttp_request_desc request;
    turbohttp_response response;
    turbohttp_client *client;
    memset(&desc, 0, sizeof desc);
    memset(&request, 0, sizeof request);
    desc.allocator.user = desc.clock.user = &p;
    desc.allocator.allocate = peer_allocate;
    desc.allocator.release = peer_release;
    desc.clock.now_us = peer_now;
    desc.transport = &transport;
    desc.limits.body_bytes = 1 << 20;
    desc.limits.head_bytes = 4096;
    desc.limits.line_bytes = 1024;
    desc.limits.block_bytes = options & 1 ? 512 : 16384;
    if (turbohttp_client_create(&client, &desc)) abort();
    request.url = "http://fuzz.test/";
    request.method = options & 2 ? "HEAD" : "GET";
    request.disable_decompression = (options & 4) != 0;
    turbohttp_send(client, &request, &response);
    o.status = response.status;
    o.code = response.error.code;
    o.length = response.body.length;
    turbohttp_sequence_iterator at = {NULL, 0};
    turbohttp_span span;
    while (turbohttp_sequence_next(&response.body, &at, &span)) o.sum = turbohttp_crc32(o.sum, span.data, span.length);
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
    if (p.live != 0) abort();
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    outcome whole = run(data + 2, size - 2, data[0], 0);
    outcome split = run(data + 2, size - 2, data[0], 1u + data[1] % 64u);
    if (whole.status != split.status || whole.code != split.code) abort();
    if (whole.code == 0 && (whole.length != split.length || whole.sum != split.sum)) abort();
    return 0;
}
