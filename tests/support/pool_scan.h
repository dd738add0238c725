/* O14: what rests in the pools holds no secret of the last request. Resting blocks are poisoned, so
 * this looks at them byte by byte, unseen by the sanitizer. Include it behind the implementation. */
#ifndef TEST_POOL_SCAN_H
#define TEST_POOL_SCAN_H

#if defined(__GNUC__) || defined(__clang__)
#define UNSEEN __attribute__((no_sanitize("address"), noinline))
#else
#define UNSEEN
#endif
UNSEEN static char *block_next(char *const volatile *block) {
    return *block; /* pools link what rests through its first word */
}

UNSEEN static bool block_contains(const volatile char *block, size_t size, const char *secret) {
    for (size_t k = sizeof(void *); k < size; k++) {
        size_t n = 0;
        while (secret[n] && k + n < size && block[k + n] == secret[n]) n++;
        if (!secret[n]) return true;
    }
    return false;
}

static bool pool_contains(turbohttp_byte_pool *pool, const char *secret) {
    size_t size = 256;
    for (int i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS; i++, size *= 2)
        for (char *block = (char *)pool->buckets[i].first; block; block = block_next((char **)(void *)block))
            if (block_contains(block, size, secret)) return true;
    return false;
}
#endif
