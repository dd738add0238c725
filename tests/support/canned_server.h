/* A transport whose server answers every request with the same bytes: for tests of the client that
 * do not care about the conversation. Time stands still unless a test moves it. */
#ifndef TEST_CANNED_SERVER_H
#define TEST_CANNED_SERVER_H
#include "turbohttp.h"
#include <stdlib.h>
#include <string.h>

typedef struct canned_server {
    const char *answer;
    size_t answer_length;
    uint64_t now_us;
    int opened, shut;      /* connections */
    bool is_silent;        /* takes requests, never answers */
    bool refuses;          /* no connection comes up */
    size_t portion;        /* bytes given per receive; 0: all */
    size_t takes;          /* bytes taken per send; 0: all */
    int receives;          /* that gave something */
    char host[64];         /* of the last connection */
} canned_server;

typedef struct canned_connection {
    canned_server *server;
    size_t end, chunked;   /* bytes received of the empty line, and of the field that says chunked */
    size_t size, skip;     /* of a chunk: as its size is read, and what is left of it */
    bool is_in_chunks;
    bool is_behind;        /* the next empty line is the one behind the chunks */
    size_t left;           /* of the answer */
} canned_connection;

/* How much of `pattern` is there with one byte more. */
static size_t canned_match(const char *pattern, size_t matched, char byte) {
    return byte == pattern[matched] ? matched + 1 : byte == pattern[0];
}

/* Whether the last chunk has begun: each is a size, as many bytes, and a line end. */
static bool canned_chunks_end(canned_connection *c, char byte) {
    if (c->skip) c->skip--;
    else if (byte != '\r' && byte != '\n') c->size = c->size * 16 + (size_t)tbh_hex_value((uint8_t)byte);
    else if (byte == '\n' && c->size == 0) return true;
    else if (byte == '\n') {
        c->skip = c->size + 2;
        c->size = 0;
    }
    return false;
}

/* Whether a request ends here: with its head, or, if that says chunked, with what stands behind its chunks. */
static bool canned_request_ends(canned_connection *c, char byte) {
    static const char end[] = "\r\n\r\n", chunked[] = "\r\nTransfer-Encoding: chunked";
    if (c->is_in_chunks) {
        c->is_in_chunks = !canned_chunks_end(c, byte);
        return false;
    }
    if (chunked[c->chunked]) c->chunked = canned_match(chunked, c->chunked, byte);
    c->end = canned_match(end, c->end, byte);
    if (end[c->end]) return false;
    c->is_in_chunks = !chunked[c->chunked] && !c->is_behind;
    c->is_behind = c->is_in_chunks;
    c->end = c->is_behind ? 2 : 0; /* the line end of the last chunk's size may be the first of two */
    c->chunked = 0;
    return !c->is_behind;
}

static turbohttp_status canned_open(void *user, const turbohttp_endpoint *to, void **connection,
                                    turbohttp_error *error) {
    canned_server *server = (canned_server *)user;
    (void)error;
    strncpy(server->host, to->host, sizeof server->host - 1);
    if (server->refuses) return TURBOHTTP_ERR_CONNECT;
    canned_connection *c = (canned_connection *)calloc(1, sizeof *c);
    c->server = server;
    server->opened++;
    *connection = c;
    return TURBOHTTP_OK;
}

static turbohttp_status canned_send(void *user, void *connection, const void *data, size_t length,
                                    size_t *sent) {
    canned_connection *c = (canned_connection *)connection;
    const char *bytes = (const char *)data;
    (void)user;
    if (c->server->takes && length > c->server->takes) length = c->server->takes;
    for (size_t i = 0; i < length; i++)
        if (canned_request_ends(c, bytes[i]) && !c->server->is_silent) c->left += c->server->answer_length;
    *sent = length;
    return TURBOHTTP_OK;
}

static turbohttp_status canned_receive(void *user, void *connection, void *data, size_t room,
                                       size_t *received) {
    canned_connection *c = (canned_connection *)connection;
    canned_server *server = c->server;
    size_t n = c->left < room ? c->left : room;
    (void)user;
    if (server->portion && n > server->portion) n = server->portion;
    if (n == 0) return TURBOHTTP_PENDING;
    memcpy(data, server->answer + (server->answer_length - c->left), n);
    c->left -= n;
    server->receives++;
    *received = n;
    return TURBOHTTP_OK;
}

static void canned_shut(void *user, void *connection) {
    ((canned_server *)user)->shut++;
    free(connection);
}

static uint64_t canned_now(void *user) {
    return ((canned_server *)user)->now_us;
}

static inline turbohttp_transport canned_transport(canned_server *server) {
    turbohttp_transport t = {server, canned_open, NULL, canned_send, canned_receive, canned_shut, NULL};
    return t;
}

static inline canned_server canned_server_make(const char *answer, size_t length) {
    canned_server s;
    memset(&s, 0, sizeof s);
    s.answer = answer;
    s.answer_length = length;
    s.now_us = 1000000;
    return s;
}
#endif
