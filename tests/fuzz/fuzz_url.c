/* Fuzzes URL parsing and resolution. The input is a URL, a line feed, and a reference.
 *
 * What must hold for each accepted URL: all slices lie inside the text and rebuild it; no control
 * byte, blank or backslash in it; target and Host value are clean; resolving the empty reference
 * gives a URL that means the same; resolving twice changes nothing. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include <stdlib.h>

static void *fuzz_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void fuzz_release(void *user, void *block, size_t size) {
    (void)user;
    (void)size;
    free(block);
}

static void must(bool holds) {
    if (!holds) abort();
}

static bool is_clean(turbohttp_span s) {
    for (size_t i = 0; i < s.length; i++)
        if ((uint8_t)s.data[i] <= 0x20 || (uint8_t)s.data[i] >= 0x7f || s.data[i] == '\\') return false;
    return true;
}

static void must_be_inside(turbohttp_span outer, turbohttp_span part) {
    if (part.length == 0) return;
    must(part.data >= outer.data && part.data + part.length <= outer.data + outer.length);
}

static void check_parts(const turbohttp_url *u) {
    const turbohttp_span parts[] = {u->scheme, u->authority, u->userinfo,  u->host,    u->zone,
                                    u->path,   u->query,     u->port_text, u->fragment};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) must_be_inside(u->text, parts[i]);
    must(u->port != 0 && u->host.length > 0 && is_clean(u->text));
    size_t total = u->scheme.length + 3 + u->authority.length + u->path.length;
    total += u->has_query ? u->query.length + 1 : 0;
    total += u->has_fragment ? u->fragment.length + 1 : 0;
    must(total == u->text.length);
}

static bool same_host(const turbohttp_url *a, const turbohttp_url *b) {
    return a->port == b->port && a->host.length == b->host.length && a->is_tls == b->is_tls &&
           memcmp(a->host.data, b->host.data, a->host.length) == 0;
}

static void check_outputs(turbohttp_byte_pool *pool, const turbohttp_url *u) {
    turbohttp_writer w;
    turbohttp_writer_init(&w, pool, 0);
    must(turbohttp_url_put_target(u, &w) == TURBOHTTP_OK);
    must(w.length > 0 && w.data[0] == '/' && is_clean(turbohttp_writer_written(&w)));
    must(memchr(w.data, '#', w.length) == NULL);
    turbohttp_writer_clear(&w);
    must(turbohttp_url_put_host(u, &w) == TURBOHTTP_OK && is_clean(turbohttp_writer_written(&w)));
    turbohttp_writer_reset(&w);
}

static void check_resolution(turbohttp_byte_pool *pool, const turbohttp_url *base, const char *r, size_t n) {
    turbohttp_writer w, again;
    turbohttp_url result;
    turbohttp_writer_init(&w, pool, 0);
    turbohttp_writer_init(&again, pool, 0);
    if (turbohttp_url_resolve(base, r, n, 1 << 20, &w) == TURBOHTTP_OK) {
        turbohttp_span s = turbohttp_writer_written(&w);
        must(turbohttp_url_parse(&result, s.data, s.length, 1 << 20, NULL) == TURBOHTTP_OK);
        check_parts(&result);
        if (n == 0) must(same_host(base, &result));
        must(turbohttp_url_resolve(base, s.data, s.length, 1 << 20, &again) == TURBOHTTP_OK);
        must(again.length == s.length && memcmp(again.data, s.data, s.length) == 0);
        check_outputs(pool, &result);
    } else
        must(w.length == 0);
    turbohttp_writer_reset(&w);
    turbohttp_writer_reset(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    turbohttp_allocator a = {NULL, fuzz_allocate, fuzz_release};
    turbohttp_byte_pool pool;
    turbohttp_url u;
    size_t n = 0, bad = 0;
    while (n < size && data[n] != '\n') n++;
    char *text = (char *)malloc(n ? n : 1); /* exact size, so that reading past the end is seen */
    memcpy(text, data, n);
    turbohttp_byte_pool_init(&pool, &a, 64, 4096, 4, TURBOHTTP_CLEAR_NONE, false);
    if (turbohttp_url_parse(&u, text, n, 1 << 20, &bad) == TURBOHTTP_OK) {
        check_parts(&u);
        check_outputs(&pool, &u);
        check_resolution(&pool, &u, "", 0);
        if (n < size) check_resolution(&pool, &u, (const char *)data + n + 1, size - n - 1);
    } else
        must(bad <= n);
    must(turbohttp_byte_pool_stats(&pool).active == 0);
    turbohttp_byte_pool_destroy(&pool);
    free(text);
    return 0;
}
