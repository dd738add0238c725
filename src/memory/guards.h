/* Guards: find misuse of pooled blocks and say where (TURBOHTTP_DEBUG_GUARDS), and tell
 * AddressSanitizer which blocks are at rest. Callers write `if (TBH_GUARDS && …)`: the compiler
 * removes all of it from other builds. */
#pragma once
#include "../api/memory.h"
#include "allocator.h"

#if defined(__SANITIZE_ADDRESS__)
#define TBH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TBH_ASAN 1
#endif
#endif

#ifdef TBH_ASAN
#ifdef __cplusplus
extern "C" {
#endif
void __asan_poison_memory_region(void const volatile *start, size_t size);
void __asan_unpoison_memory_region(void const volatile *start, size_t size);
#ifdef __cplusplus
}
#endif
#define TBH_POISON(p, n)   __asan_poison_memory_region((p), (n))
#define TBH_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define TBH_POISON(p, n)   ((void)(p), (void)(n))
#define TBH_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* Bytes that a guard build adds behind each block. */
#define TBH_GUARD_TAIL_BYTES (TBH_GUARDS ? 16u : 0u)

/* What resting bytes of a byte pool become in a guard build. */
#define TBH_GUARD_REST       0xDB

/* A call site, for reports. */
typedef struct tbh_site {
    const char *file;
    int line;
} tbh_site;

TBH_ALWAYS_INLINE tbh_site tbh_site_of(const char *file, int line) {
    tbh_site site;
    site.file = file;
    site.line = line;
    return site;
}

/* What the calls below are about: `block` has `bytes` bytes and the canary behind them; at rest
 * the first `link_bytes` belong to the pool's list and are not watched. */
typedef struct tbh_guarded {
    turbohttp_pool_guard *guard;
    const turbohttp_allocator *allocator;
    uint8_t *block;
    size_t bytes, link_bytes;
} tbh_guarded;

/* A block goes out: checks that nobody wrote to it at rest, and puts the canary behind it.
 * False: no memory to remember it; the rent must fail. */
TBH_FN bool tbh_guard_rent(const tbh_guarded *what, tbh_site site);
/* A block comes back, before anything is done to it. False: it is not out; ignore the return. */
TBH_FN bool tbh_guard_return(const tbh_guarded *what, tbh_site site);
/* The block is about to rest in the pool: its bytes are remembered. */
TBH_FN void tbh_guard_rest(const tbh_guarded *what);
/* The block is about to leave for the allocator. */
TBH_FN void tbh_guard_leave(const tbh_guarded *what);
/* The pool ends: reports what is still out and frees the table. */
TBH_FN void tbh_guard_end(turbohttp_pool_guard *guard, const turbohttp_allocator *allocator);
TBH_FN uint64_t tbh_guard_violations(turbohttp_pool_guard *guard);
TBH_FN void tbh_guard_violations_reset(turbohttp_pool_guard *guard);
/* Marks the unused end of a buffer, and reports if the mark was overwritten. */
TBH_FN void tbh_guard_seal(void *data, size_t length, size_t capacity);
TBH_FN void tbh_guard_check_seal(turbohttp_pool_guard *guard, const void *data, size_t length,
                                 size_t capacity, tbh_site site);
