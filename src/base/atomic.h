/* Atomics: a spin lock and counters, for sections of a few instructions. Nothing sleeps, because
 * nothing before io/ can; a waiter may spin until the holder is scheduled again.
 * Without threads, or with a compiler that offers none of the builtins, they are plain accesses. */
#pragma once
#include "../api/core.h"
#include "config.h"

#if TBH_THREADS && (defined(__GNUC__) || defined(__clang__))
TBH_ALWAYS_INLINE uint32_t tbh_atomic_load32(const uint32_t *p) {
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

TBH_ALWAYS_INLINE void tbh_atomic_store32(uint32_t *p, uint32_t v) {
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_exchange32(uint32_t *p, uint32_t v) {
    return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

/* Returns the value after the addition; add UINT32_MAX to subtract one. */
TBH_ALWAYS_INLINE uint32_t tbh_atomic_add32(uint32_t *p, uint32_t n) {
    return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}
#elif TBH_THREADS && defined(_MSC_VER)
#include <intrin.h>
TBH_ALWAYS_INLINE uint32_t tbh_atomic_load32(const uint32_t *p) {
    return (uint32_t)_InterlockedOr((volatile long *)(uintptr_t)p, 0);
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_exchange32(uint32_t *p, uint32_t v) {
    return (uint32_t)_InterlockedExchange((volatile long *)p, (long)v);
}

TBH_ALWAYS_INLINE void tbh_atomic_store32(uint32_t *p, uint32_t v) {
    (void)tbh_atomic_exchange32(p, v);
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_add32(uint32_t *p, uint32_t n) {
    return (uint32_t)_InterlockedExchangeAdd((volatile long *)p, (long)n) + n;
}
#else
TBH_ALWAYS_INLINE uint32_t tbh_atomic_load32(const uint32_t *p) {
    return *p;
}

TBH_ALWAYS_INLINE void tbh_atomic_store32(uint32_t *p, uint32_t v) {
    *p = v;
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_exchange32(uint32_t *p, uint32_t v) {
    uint32_t old = *p;
    *p = v;
    return old;
}

TBH_ALWAYS_INLINE uint32_t tbh_atomic_add32(uint32_t *p, uint32_t n) {
    return *p += n;
}
#endif

/* Not recursive. The inner loop only loads, so that waiters leave the cache line alone. */
TBH_ALWAYS_INLINE void tbh_lock(uint32_t *lock) {
    if (!TBH_THREADS) return;
    while (TBH_UNLIKELY(tbh_atomic_exchange32(lock, 1) != 0))
        while (tbh_atomic_load32(lock) != 0) {
        }
}

TBH_ALWAYS_INLINE void tbh_unlock(uint32_t *lock) {
    if (TBH_THREADS) tbh_atomic_store32(lock, 0);
}
