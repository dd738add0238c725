/* An allocator over malloc that counts, fails on demand, and checks that each release names the
 * size of its allocation and that nothing was written outside the block.
 *
 *     counting_allocator memory = {0};
 *     memory.fail_at = 3;                     the third allocation fails (0: none)
 *     turbohttp_allocator a = counting_allocator_hooks(&memory);
 *     …
 *     CHECK(counting_allocator_balanced(&memory));
 */
#ifndef TEST_COUNTING_ALLOCATOR_H
#define TEST_COUNTING_ALLOCATOR_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct counting_allocator {
    uint64_t allocations, releases; /* calls that gave or took a block */
    uint64_t requests;              /* calls of allocate, failed ones too */
    uint64_t live_bytes, peak_bytes;
    uint64_t mistakes;    /* wrong size, overrun, or not one of ours */
    uint64_t fail_at;     /* the request with this number (from 1) gives NULL */
    bool fail_after;      /* … and all requests after it */
    uint64_t fail_each;   /* each request whose number is a multiple gives NULL */
    uint32_t lock;
} counting_allocator;

/* Under the memory sanitizer a new block counts as unwritten, whatever it is filled with. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define COUNTING_UNWRITTEN(block, size)     __msan_poison(block, size)
#define COUNTING_CHECK_WRITTEN(data, size)  __msan_check_mem_is_initialized(data, size)
#endif
#endif
#ifndef COUNTING_UNWRITTEN
#define COUNTING_UNWRITTEN(block, size)     ((void)0)
#define COUNTING_CHECK_WRITTEN(data, size)  ((void)0)
#endif

#define COUNTING_MAGIC 0x5ca1ab1e0ddba115u
#define COUNTING_TAIL  16

typedef struct counting_header {
    uint64_t magic;
    uint64_t size;
} counting_header;

static inline void counting_lock(counting_allocator *c) {
    while (__atomic_exchange_n(&c->lock, 1u, __ATOMIC_ACQUIRE)) {
    }
}

static inline void counting_unlock(counting_allocator *c) {
    __atomic_store_n(&c->lock, 0u, __ATOMIC_RELEASE);
}

static inline bool counting_must_fail(const counting_allocator *c) {
    if (c->fail_at && (c->requests == c->fail_at || (c->fail_after && c->requests > c->fail_at)))
        return true;
    return c->fail_each && c->requests % c->fail_each == 0;
}

static inline void *counting_allocate(void *user, size_t size) {
    counting_allocator *c = (counting_allocator *)user;
    counting_header *h = NULL;
    counting_lock(c);
    c->requests++;
    if (size == 0) c->mistakes++;
    if (!counting_must_fail(c) && size < SIZE_MAX / 2)
        h = (counting_header *)malloc(sizeof *h + size + COUNTING_TAIL);
    if (h) {
        c->allocations++;
        c->live_bytes += size;
        if (c->live_bytes > c->peak_bytes) c->peak_bytes = c->live_bytes;
        h->magic = COUNTING_MAGIC;
        h->size = size;
        memset(h + 1, 0xA5, size + COUNTING_TAIL);
        COUNTING_UNWRITTEN(h + 1, size);
    }
    counting_unlock(c);
    return h ? h + 1 : NULL;
}

static inline bool counting_intact(const counting_header *h, size_t size) {
    const uint8_t *tail = (const uint8_t *)(h + 1) + size;
    for (int i = 0; i < COUNTING_TAIL; i++)
        if (tail[i] != 0xA5) return false;
    return true;
}

static inline void counting_release(void *user, void *block, size_t size) {
    counting_allocator *c = (counting_allocator *)user;
    counting_header *h = (counting_header *)block - 1;
    counting_lock(c);
    c->releases++;
    c->live_bytes -= size;
    if (h->magic != COUNTING_MAGIC || h->size != size || !counting_intact(h, size)) {
        c->mistakes++;
        printf("counting_allocator: bad release of %zu bytes\n", size);
        counting_unlock(c);
        return;
    }
    h->magic = 0;
    memset(block, 0xDD, size);
    free(h);
    counting_unlock(c);
}

static inline turbohttp_allocator counting_allocator_hooks(counting_allocator *c) {
    turbohttp_allocator a;
    a.user = c;
    a.allocate = counting_allocate;
    a.release = counting_release;
    return a;
}

/* Everything came back, with the right sizes? */
static inline bool counting_allocator_balanced(const counting_allocator *c) {
    return c->allocations == c->releases && c->live_bytes == 0 && c->mistakes == 0;
}
#endif
