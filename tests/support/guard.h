/* Buffers whose last byte is the last byte before an unmapped page: reading or writing one byte
 * past the end stops the test at once. */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guard {
    uint8_t *data;
    size_t length, mapped;
    uint8_t *base;
} guard;

static inline guard guard_alloc(size_t length) {
    guard g;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (length + page - 1) / page * page;
    g.mapped = body + page;
    g.base = (uint8_t *)mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.base == (uint8_t *)MAP_FAILED || mprotect(g.base + body, page, PROT_NONE) != 0) abort();
    g.data = g.base + body - length;
    g.length = length;
    return g;
}

static inline guard guard_copy(const void *bytes, size_t length) {
    guard g = guard_alloc(length);
    if (length) memcpy(g.data, bytes, length);
    return g;
}

static inline void guard_free(guard *g) {
    munmap(g->base, g->mapped);
    g->data = NULL;
}
#endif
