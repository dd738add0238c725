/* A GET in 12 KB: the codecs alone, static data, no client and no allocator. What a client does for
 * you is missing on purpose: time limits, retries, TLS, kept connections.
 * Usage: 10_small_get http://host[:port]/path        build with -Os, see "size" in bench/run.py */
#define _GNU_SOURCE
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096, HEADERS = 32 };
static char block[BLOCK_BYTES]; /* the head, then the body piece by piece */
static size_t filled;
static turbohttp_header table[HEADERS];

static int dial(const turbohttp_url *url) {
    static char host[256], port[6];
    struct addrinfo *list, wanted = {0};
    const char *digits = url->port_text.length ? url->port_text.data : "80";
    size_t n = url->port_text.length ? url->port_text.length : 2;
    if (url->host.length >= sizeof host || n >= sizeof port) return -1;
    memcpy(host, url->host.data, url->host.length);
    memcpy(port, digits, n);
    wanted.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &wanted, &list) != 0) return -1;
    int s = socket(list->ai_family, SOCK_STREAM, 0);
    if (s >= 0 && connect(s, list->ai_addr, list->ai_addrlen) != 0) close(s), s = -1;
    freeaddrinfo(list);
    return s;
}

static bool put(int to, const char *text, size_t n) {
    while (n) {
        ssize_t written = write(to, text, n);
        if (written <= 0) return false;
        text += written, n -= (size_t)written;
    }
    return true;
}

static int say(const char *text) {
    put(2, text, strlen(text));
    return 1;
}

/* The URL's grammar has neither blanks nor control characters: nothing can be smuggled in. */
static bool ask(int s, const turbohttp_url *url) {
    static const char get[] = "GET ", host[] = " HTTP/1.1\r\nHost: ", end[] = "\r\nConnection: close\r\n\r\n";
    size_t target = url->path.length + (url->has_query ? 1 + url->query.length : 0);
    return put(s, get, sizeof get - 1) && put(s, target ? url->path.data : "/", target ? target : 1) &&
           put(s, host, sizeof host - 1) && put(s, url->authority.data, url->authority.length) &&
           put(s, end, sizeof end - 1);
}

/* Positive: there is more; 0: the server has closed; negative: the connection broke. */
static ssize_t fill(int s) {
    ssize_t n = recv(s, block + filled, sizeof block - filled, 0);
    if (n > 0) filled += (size_t)n;
    return n;
}

/* The final head; what follows it moves to the front of the block. */
static turbohttp_status read_head(int s, turbohttp_h1_head *head) {
    turbohttp_h1_head_parser parser = {0};
    for (;;) {
        turbohttp_status status =
            turbohttp_h1_head_parse(&parser, block, filled, false, NULL, table, HEADERS, head, NULL);
        if (status == TURBOHTTP_PENDING && fill(s) <= 0) return TURBOHTTP_ERR_HEAD_TRUNCATED;
        if (status == TURBOHTTP_PENDING) continue;
        if (status != TURBOHTTP_OK) return status;
        filled -= head->head_length;
        memmove(block, block + head->head_length, filled);
        if (head->status >= 200) return TURBOHTTP_OK;
        turbohttp_h1_head_parser_init(&parser);
    }
}

/* One block of body. PENDING: go on. */
static turbohttp_status take(const turbohttp_h1_head *head, turbohttp_chunked *chunked, uint64_t *left) {
    const uint8_t *in = (const uint8_t *)block;
    turbohttp_status status = TURBOHTTP_OK;
    turbohttp_span data = {block, filled < *left ? filled : (size_t)*left};
    if (head->framing == TURBOHTTP_FRAMING_CHUNKED) {
        while ((status = turbohttp_chunked_next(chunked, &in, &filled, &data)) == TURBOHTTP_OK)
            if (!put(1, data.data, data.length)) return TURBOHTTP_ERR_BODY_SINK;
    } else {
        if (!put(1, data.data, data.length)) return TURBOHTTP_ERR_BODY_SINK;
        *left -= data.length;
        status = *left ? TURBOHTTP_PENDING : TURBOHTTP_DONE;
    }
    filled = 0;
    return status;
}

int main(int argc, char **argv) {
    turbohttp_url url;
    turbohttp_h1_head head;
    turbohttp_chunked chunked;
    if (argc < 2 || turbohttp_url_parse(&url, argv[1], strlen(argv[1]), 0, NULL) != TURBOHTTP_OK ||
        url.is_tls || url.has_userinfo)
        return say("usage: 10_small_get http://host[:port]/path\n");
    int s = dial(&url);
    if (s < 0) return say("cannot connect\n");
    if (!ask(s, &url) || read_head(s, &head) != TURBOHTTP_OK) return say("no answer, or not one of HTTP/1.1\n");
    uint64_t left = head.framing == TURBOHTTP_FRAMING_UNTIL_CLOSE ? UINT64_MAX : head.content_length;
    if (head.framing == TURBOHTTP_FRAMING_NONE) left = 0; /* 204, 304 */
    turbohttp_chunked_init(&chunked);
    turbohttp_status status = take(&head, &chunked, &left);
    ssize_t more = 0;
    while (status == TURBOHTTP_PENDING && (more = fill(s)) > 0) status = take(&head, &chunked, &left);
    bool is_closed = status == TURBOHTTP_PENDING && more == 0;
    if (is_closed && head.framing == TURBOHTTP_FRAMING_UNTIL_CLOSE) status = TURBOHTTP_DONE;
    return status == TURBOHTTP_DONE ? 0 : say("the body is cut short or malformed\n");
}
