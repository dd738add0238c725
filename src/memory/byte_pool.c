/* Byte pool: retains returned blocks in power-of-two sizes, up to a cap for each size.
 * Owns: the retained blocks; rented ones belong to who rented them.
 * Invariants: bucket i holds blocks of 2^(first_class + 1 + i) bytes, room = cap − how many, changed under the lock;
 * a resting block is linked through its own first word, written after the wipe of CLEAR_ON_RETURN,
 * and is the only word of it that is not zero then. Blocks above the largest bucket are never
 * retained. The allocator is called outside the lock.
 * Input: sizes from anywhere, and blocks of this pool with their capacity, each returned once.
 * Does not know: what the bytes are. */
#include "allocator.h"
#include "guards.h"
#include "../base/atomic.h"

#define TBH_BYTE_POOL_DEFAULT_SMALLEST 256u
#define TBH_BYTE_POOL_DEFAULT_LARGEST  65536u

/* The number of the highest bit set; n ≥ 1. */
TBH_ALWAYS_INLINE uint32_t tbh_log2_floor(size_t n) {
#if defined(__GNUC__) || defined(__clang__)
    return sizeof n <= sizeof(unsigned long)
               ? (uint32_t)__builtin_clzl((unsigned long)n) ^ (uint32_t)(sizeof(long) * 8 - 1)
               : (uint32_t)__builtin_clzll((unsigned long long)n) ^ 63u;
#else
    uint32_t shift = 0;
    while ((n >>= 1) != 0) shift++;
    return shift;
#endif
}

static uint32_t tbh_log2_ceil(size_t n) {
    return n <= 1 ? 0 : tbh_log2_floor(n - 1) + 1;
}

TURBOHTTP_API void turbohttp_byte_pool_init(turbohttp_byte_pool *pool,
                                            const turbohttp_allocator *allocator, size_t smallest,
                                            size_t largest, uint32_t cap_per_bucket,
                                            turbohttp_clearing clearing, bool disable_pooling) {
    memset(pool, 0, sizeof *pool);
    if (smallest == 0) smallest = TBH_BYTE_POOL_DEFAULT_SMALLEST;
    if (largest == 0) largest = TBH_BYTE_POOL_DEFAULT_LARGEST;
    smallest = tbh_min_size(tbh_max_size(smallest, TBH_ALIGN_BYTES), SIZE_MAX / 4 + 1);
    largest = tbh_min_size(tbh_max_size(largest, smallest), SIZE_MAX / 4 + 1);
    uint32_t low = tbh_log2_ceil(smallest), high = tbh_log2_ceil(largest);
    if (high - low >= TURBOHTTP_BYTE_POOL_BUCKETS) high = low + TURBOHTTP_BYTE_POOL_BUCKETS - 1;
    pool->allocator = *allocator;
    pool->first_class = low - 1;
    pool->min_mask = ((size_t)1 << low) - 1;
    pool->max_bytes = (size_t)1 << high;
    pool->cap_per_bucket = disable_pooling ? 0 : cap_per_bucket;
    pool->clearing = clearing;
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS; i++)
        pool->buckets[i].room = pool->cap_per_bucket;
}

/* The class of sizes 1 … max_bytes: class c holds blocks of 2^(c+1) bytes. The or makes every small
 * size the smallest bucket's, without a branch. */
TBH_ALWAYS_INLINE uint32_t tbh_byte_pool_class(const turbohttp_byte_pool *pool, size_t size) {
    return tbh_log2_floor((size - 1) | pool->min_mask);
}

static tbh_guarded tbh_byte_pool_guarded(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    tbh_guarded what;
    what.guard = &pool->guard;
    what.allocator = &pool->allocator;
    what.block = (uint8_t *)block;
    what.bytes = capacity;
    what.link_bytes = sizeof(void *);
    return what;
}

static void tbh_byte_pool_release(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    TBH_UNPOISON(block, capacity);
    if (TBH_GUARDS) tbh_guard_leave(&what);
    tbh_release(&pool->allocator, block, capacity + TBH_GUARD_TAIL_BYTES);
}

/* ------------------------------------------------------------ rent */
static bool tbh_byte_pool_register(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                   tbh_site site) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    return tbh_guard_rent(&what, site);
}

/* Returns the block: the common case ends in a call of this, and so needs no stack frame. */
static TBH_NOINLINE void *tbh_byte_pool_wipe(turbohttp_byte_pool *pool, void *block,
                                             size_t capacity) {
    memset(block, 0, capacity);
    tbh_lock(&pool->lock);
    pool->stats.cleared++;
    tbh_unlock(&pool->lock);
    return block;
}

/* A block from the allocator; counts only when there is one. */
static TBH_NOINLINE void *tbh_byte_pool_fresh(turbohttp_byte_pool *pool, size_t capacity,
                                              bool unpooled, tbh_site site) {
    void *block = tbh_allocate(&pool->allocator, capacity + TBH_GUARD_TAIL_BYTES);
    if (!block) return NULL;
    if (TBH_GUARDS && !tbh_byte_pool_register(pool, block, capacity, site)) {
        tbh_byte_pool_release(pool, block, capacity);
        return NULL;
    }
    tbh_lock(&pool->lock);
    pool->stats.rented++;
    pool->stats.missed++;
    pool->stats.unpooled += unpooled;
    tbh_unlock(&pool->lock);
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RENT) (void)tbh_byte_pool_wipe(pool, block, capacity);
    return block;
}

static TBH_NOINLINE void *tbh_byte_pool_rent_large(turbohttp_byte_pool *pool, size_t size,
                                                   size_t *capacity, tbh_site site) {
    *capacity = 0;
    if (size == 0 || size > SIZE_MAX / 2 || !tbh_align_size(size, &size)) return NULL;
    void *block = tbh_byte_pool_fresh(pool, size, true, site);
    if (block) *capacity = size;
    return block;
}

static TBH_NOINLINE void *tbh_byte_pool_rent_missed(turbohttp_byte_pool *pool, size_t bytes,
                                                    size_t *capacity, tbh_site site) {
    void *block = tbh_byte_pool_fresh(pool, bytes, false, site);
    *capacity = block ? bytes : 0;
    return block;
}

TBH_ALWAYS_INLINE void *tbh_byte_pool_rent(turbohttp_byte_pool *pool, size_t size, size_t *capacity,
                                           tbh_site site) {
    if (TBH_UNLIKELY(size - 1 >= pool->max_bytes)) /* 0 wraps around */
        return tbh_byte_pool_rent_large(pool, size, capacity, site);
    uint32_t size_class = tbh_byte_pool_class(pool, size);
    size_t bytes = (size_t)2 << size_class;
    turbohttp_byte_bucket *bucket = &pool->buckets[size_class - pool->first_class];
    tbh_lock(&pool->lock);
    void *block = bucket->first;
    if (TBH_UNLIKELY(!block)) {
        tbh_unlock(&pool->lock);
        return tbh_byte_pool_rent_missed(pool, bytes, capacity, site);
    }
    TBH_UNPOISON(block, bytes);
    memcpy(&bucket->first, block, sizeof bucket->first);
    bucket->room++;
    pool->stats.rented++;
    tbh_unlock(&pool->lock);
    *capacity = bytes;
    if (TBH_GUARDS) (void)tbh_byte_pool_register(pool, block, bytes, site);
    if (TBH_UNLIKELY(pool->clearing == TURBOHTTP_CLEAR_ON_RENT))
        return tbh_byte_pool_wipe(pool, block, bytes);
    return block;
}

TURBOHTTP_API void *turbohttp_byte_pool_rent_at(turbohttp_byte_pool *pool, size_t size,
                                                size_t *capacity, const char *file, int line) {
    return tbh_byte_pool_rent(pool, size, capacity, tbh_site_of(file, line));
}

TURBOHTTP_API void *(turbohttp_byte_pool_rent)(turbohttp_byte_pool *pool, size_t size,
                                               size_t *capacity) {
    return tbh_byte_pool_rent(pool, size, capacity, tbh_site_of(NULL, 0));
}

/* ------------------------------------------------------------ return */
static bool tbh_byte_pool_accept(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                 tbh_site site) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    return tbh_guard_return(&what, site);
}

/* Guard builds: old bytes become recognisable, and changes to them detectable. */
static void tbh_byte_pool_rest(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    tbh_guarded what = tbh_byte_pool_guarded(pool, block, capacity);
    if (pool->clearing != TURBOHTTP_CLEAR_ON_RETURN) memset(block, TBH_GUARD_REST, capacity);
    tbh_guard_rest(&what);
}

static TBH_NOINLINE void tbh_byte_pool_let_go(turbohttp_byte_pool *pool, void *block,
                                              size_t capacity) {
    tbh_lock(&pool->lock);
    pool->stats.returned++;
    tbh_unlock(&pool->lock);
    tbh_byte_pool_release(pool, block, capacity);
}

/* Retains the block or gives it to the allocator. */
TBH_ALWAYS_INLINE void tbh_byte_pool_give(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    if (TBH_UNLIKELY(capacity > pool->max_bytes)) {
        tbh_byte_pool_let_go(pool, block, capacity);
        return;
    }
    uint32_t size_class = tbh_byte_pool_class(pool, capacity);
    turbohttp_byte_bucket *bucket = &pool->buckets[size_class - pool->first_class];
    tbh_lock(&pool->lock);
    if (TBH_UNLIKELY(bucket->room == 0)) {
        tbh_unlock(&pool->lock);
        tbh_byte_pool_let_go(pool, block, capacity);
        return;
    }
    bucket->room--;
    pool->stats.returned++;
    memcpy(block, &bucket->first, sizeof bucket->first);
    bucket->first = block;
    TBH_POISON(block, capacity);
    tbh_unlock(&pool->lock);
}

static TBH_NOINLINE void tbh_byte_pool_return_careful(turbohttp_byte_pool *pool, void *block,
                                                      size_t capacity, tbh_site site) {
    if (TBH_GUARDS && !tbh_byte_pool_accept(pool, block, capacity, site)) return;
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RETURN)
        (void)tbh_byte_pool_wipe(pool, block, capacity);
    if (TBH_GUARDS) tbh_byte_pool_rest(pool, block, capacity);
    tbh_byte_pool_give(pool, block, capacity);
}

TBH_ALWAYS_INLINE void tbh_byte_pool_return(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                            tbh_site site) {
    if (!block) return;
    if (TBH_GUARDS || TBH_UNLIKELY(pool->clearing == TURBOHTTP_CLEAR_ON_RETURN))
        tbh_byte_pool_return_careful(pool, block, capacity, site);
    else tbh_byte_pool_give(pool, block, capacity);
}

TURBOHTTP_API void turbohttp_byte_pool_return_at(turbohttp_byte_pool *pool, void *block,
                                                 size_t capacity, const char *file, int line) {
    tbh_byte_pool_return(pool, block, capacity, tbh_site_of(file, line));
}

TURBOHTTP_API void(turbohttp_byte_pool_return)(turbohttp_byte_pool *pool, void *block,
                                               size_t capacity) {
    tbh_byte_pool_return(pool, block, capacity, tbh_site_of(NULL, 0));
}

/* ------------------------------------------------------------ questions */
TURBOHTTP_API uint32_t turbohttp_byte_pool_count(turbohttp_byte_pool *pool) {
    uint32_t count = 0;
    tbh_lock(&pool->lock);
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS; i++)
        count += pool->cap_per_bucket - pool->buckets[i].room;
    tbh_unlock(&pool->lock);
    return count;
}

TURBOHTTP_API turbohttp_pool_stats turbohttp_byte_pool_stats(turbohttp_byte_pool *pool) {
    tbh_lock(&pool->lock);
    turbohttp_pool_stats stats = pool->stats;
    tbh_unlock(&pool->lock);
    stats.active += stats.rented - stats.returned;
    stats.violations = tbh_guard_violations(&pool->guard);
    return stats;
}

TURBOHTTP_API void turbohttp_byte_pool_stats_reset(turbohttp_byte_pool *pool) {
    tbh_lock(&pool->lock);
    uint64_t active = pool->stats.active + pool->stats.rented - pool->stats.returned;
    memset(&pool->stats, 0, sizeof pool->stats);
    pool->stats.active = active;
    tbh_unlock(&pool->lock);
    tbh_guard_violations_reset(&pool->guard);
}

TURBOHTTP_API void turbohttp_byte_pool_on_violation(turbohttp_byte_pool *pool,
                                                    void (*hook)(void *user, const char *text),
                                                    void *user) {
    pool->guard.on_violation = hook;
    pool->guard.user = user;
}

/* ------------------------------------------------------------ end */
static void tbh_byte_pool_trim_bucket(turbohttp_byte_pool *pool, turbohttp_byte_bucket *bucket,
                                      size_t bytes) {
    tbh_lock(&pool->lock);
    void *block = bucket->first;
    bucket->first = NULL;
    bucket->room = pool->cap_per_bucket;
    tbh_unlock(&pool->lock);
    while (block) {
        void *next;
        TBH_UNPOISON(block, bytes);
        memcpy(&next, block, sizeof next);
        tbh_byte_pool_release(pool, block, bytes);
        block = next;
    }
}

TURBOHTTP_API void turbohttp_byte_pool_trim(turbohttp_byte_pool *pool) {
    size_t bytes = pool->min_mask + 1;
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS && bytes <= pool->max_bytes; i++, bytes *= 2)
        tbh_byte_pool_trim_bucket(pool, &pool->buckets[i], bytes);
}

TURBOHTTP_API void turbohttp_byte_pool_destroy(turbohttp_byte_pool *pool) {
    if (!pool) return;
    turbohttp_byte_pool_trim(pool);
    tbh_guard_end(&pool->guard, &pool->allocator);
}
