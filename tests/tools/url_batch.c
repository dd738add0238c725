/* Reads lines `HEX(url)` or `HEX(base) HEX(reference)` and prints for each what the library makes of
 * it: `OK <host> <port> <target>` (of the resolved URL, if there are two), or `ERR <status>`.
 * Hexadecimal, so that any byte can be asked about. See tests/e2e/test_urls.py. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 65536

static void *batch_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void batch_release(void *user, void *block, size_t size) {
    (void)user;
    (void)size;
    free(block);
}

/* Decodes in place, from *p to the next character that is not a digit. */
static size_t unhex(char **p, char *out) {
    size_t n = 0;
    unsigned byte;
    while (sscanf(*p, "%2x", &byte) == 1 && **p != ' ' && **p != '\n') {
        out[n++] = (char)byte;
        *p += 2;
    }
    return n;
}

static turbohttp_status answer(turbohttp_writer *w, char *line, turbohttp_url *url) {
    static char first[LINE_BYTES], second[LINE_BYTES];
    size_t n = unhex(&line, first);
    turbohttp_status status = turbohttp_url_parse(url, first, n, LINE_BYTES, NULL);
    if (status != TURBOHTTP_OK || *line != ' ') return status;
    line++;
    n = unhex(&line, second);
    status = turbohttp_url_resolve(url, second, n, LINE_BYTES, w);
    if (status != TURBOHTTP_OK) return status;
    memcpy(first, w->data, w->length);
    return turbohttp_url_parse(url, first, w->length, LINE_BYTES, NULL);
}

int main(void) {
    static char line[2 * LINE_BYTES];
    turbohttp_allocator a = {NULL, batch_allocate, batch_release};
    turbohttp_byte_pool pool;
    turbohttp_writer w;
    turbohttp_byte_pool_init(&pool, &a, 0, 0, 4, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_writer_init(&w, &pool, 0);
    while (fgets(line, sizeof line, stdin)) {
        turbohttp_url url;
        turbohttp_writer_clear(&w);
        turbohttp_status status = answer(&w, line, &url);
        turbohttp_writer_clear(&w);
        if (status != TURBOHTTP_OK) {
            printf("ERR %s\n", turbohttp_status_name(status));
            continue;
        }
        turbohttp_url_put_target(&url, &w);
        printf("OK %.*s %u %.*s\n", (int)url.host.length, url.host.data, url.port, (int)w.length, w.data);
    }
    turbohttp_writer_reset(&w);
    turbohttp_byte_pool_destroy(&pool);
    return 0;
}
