/* Byte pool: retains returned blocks in power-of-two sizes, up to a cap for each size.
 * Owns: the retained blocks; rented ones belong to who rented them.
 * Invariants: bucket i holds blocks of 2^(min_shift + i) bytes, count ≤ cap, changed under the lock;
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

/* The least s with 2^s ≥ size; size ≥ 1. */
TBH_ALWAYS_INLINE uint32_t tbh_log2_ceil(size_t size) {
#if defined(__GNUC__) || defined(__clang__)
    return size <= 1 ? 0 : 64u - (uint32_t)__builtin_clzll((unsigned long long)(size - 1));
#else
    uint32_t shift = 0;
    while (shift < sizeof size * 8 - 1 && ((size_t)1 << shift) < size) shift++;
    return shift;
#endif
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
    pool->min_shift = low;
    pool->max_bytes = (size_t)1 << high;
    pool->cap_per_bucket = disable_pooling ? 0 : cap_per_bucket;
    pool->clearing = clearing;
    pool->disable_pooling = disable_pooling;
}

/* For sizes up to max_bytes. */
TBH_ALWAYS_INLINE uint32_t tbh_byte_pool_bucket(const turbohttp_byte_pool *pool, size_t size) {
    uint32_t shift = tbh_log2_ceil(size);
    return shift <= pool->min_shift ? 0 : shift - pool->min_shift;
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

static TBH_NOINLINE void tbh_byte_pool_wipe(turbohttp_byte_pool *pool, void *block,
                                            size_t capacity) {
    memset(block, 0, capacity);
    tbh_lock(&pool->lock);
    pool->stats.cleared++;
    tbh_unlock(&pool->lock);
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
    pool->stats.active++;
    pool->stats.unpooled += unpooled;
    tbh_unlock(&pool->lock);
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RENT) tbh_byte_pool_wipe(pool, block, capacity);
    return block;
}

static TBH_NOINLINE void *tbh_byte_pool_rent_large(turbohttp_byte_pool *pool, size_t size,
                                                   size_t *capacity, tbh_site site) {
    if (size > SIZE_MAX / 2 || !tbh_align_size(size, &size)) return NULL;
    void *block = tbh_byte_pool_fresh(pool, size, true, site);
    if (block) *capacity = size;
    return block;
}

static TBH_NOINLINE void *tbh_byte_pool_rent_missed(turbohttp_byte_pool *pool, size_t bytes,
                                                    size_t *capacity, tbh_site site) {
    void *block = tbh_byte_pool_fresh(pool, bytes, false, site);
    if (block) *capacity = bytes;
    return block;
}

TBH_ALWAYS_INLINE void *tbh_byte_pool_rent(turbohttp_byte_pool *pool, size_t size, size_t *capacity,
                                           tbh_site site) {
    *capacity = 0;
    if (TBH_UNLIKELY(size == 0)) return NULL;
    if (TBH_UNLIKELY(size > pool->max_bytes))
        return tbh_byte_pool_rent_large(pool, size, capacity, site);
    uint32_t index = tbh_byte_pool_bucket(pool, size);
    size_t bytes = (size_t)1 << (pool->min_shift + index);
    turbohttp_byte_bucket *bucket = &pool->buckets[index];
    tbh_lock(&pool->lock);
    void *block = bucket->first;
    if (TBH_UNLIKELY(!block)) {
        tbh_unlock(&pool->lock);
        return tbh_byte_pool_rent_missed(pool, bytes, capacity, site);
    }
    TBH_UNPOISON(block, bytes);
    memcpy(&bucket->first, block, sizeof bucket->first);
    bucket->count--;
    pool->stats.rented++;
    pool->stats.active++;
    tbh_unlock(&pool->lock);
    *capacity = bytes;
    if (TBH_GUARDS) (void)tbh_byte_pool_register(pool, block, bytes, site);
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RENT) tbh_byte_pool_wipe(pool, block, bytes);
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

/* True if the block was retained. */
TBH_ALWAYS_INLINE bool tbh_byte_pool_keep(turbohttp_byte_pool *pool, void *block, size_t capacity) {
    if (TBH_UNLIKELY(capacity > pool->max_bytes)) return false;
    turbohttp_byte_bucket *bucket = &pool->buckets[tbh_byte_pool_bucket(pool, capacity)];
    if (bucket->count >= pool->cap_per_bucket) return false;
    memcpy(block, &bucket->first, sizeof bucket->first);
    bucket->first = block;
    bucket->count++;
    TBH_POISON(block, capacity);
    return true;
}

TBH_ALWAYS_INLINE void tbh_byte_pool_return(turbohttp_byte_pool *pool, void *block, size_t capacity,
                                            tbh_site site) {
    if (!block || (TBH_GUARDS && !tbh_byte_pool_accept(pool, block, capacity, site))) return;
    if (pool->clearing == TURBOHTTP_CLEAR_ON_RETURN) tbh_byte_pool_wipe(pool, block, capacity);
    if (TBH_GUARDS) tbh_byte_pool_rest(pool, block, capacity);
    tbh_lock(&pool->lock);
    pool->stats.returned++;
    pool->stats.active--;
    bool kept = tbh_byte_pool_keep(pool, block, capacity);
    tbh_unlock(&pool->lock);
    if (TBH_UNLIKELY(!kept)) tbh_byte_pool_release(pool, block, capacity);
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
    for (size_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS; i++) count += pool->buckets[i].count;
    tbh_unlock(&pool->lock);
    return count;
}

TURBOHTTP_API turbohttp_pool_stats turbohttp_byte_pool_stats(turbohttp_byte_pool *pool) {
    tbh_lock(&pool->lock);
    turbohttp_pool_stats stats = pool->stats;
    tbh_unlock(&pool->lock);
    stats.violations = tbh_guard_violations(&pool->guard);
    return stats;
}

TURBOHTTP_API void turbohttp_byte_pool_stats_reset(turbohttp_byte_pool *pool) {
    tbh_lock(&pool->lock);
    uint64_t active = pool->stats.active;
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
static void tbh_byte_pool_trim_bucket(turbohttp_byte_pool *pool, uint32_t index) {
    turbohttp_byte_bucket *bucket = &pool->buckets[index];
    size_t bytes = (size_t)1 << (pool->min_shift + index);
    tbh_lock(&pool->lock);
    void *block = bucket->first;
    bucket->first = NULL;
    bucket->count = 0;
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
    for (uint32_t i = 0; i < TURBOHTTP_BYTE_POOL_BUCKETS && pool->max_bytes >> pool->min_shift >> i;
         i++)
        tbh_byte_pool_trim_bucket(pool, i);
}

TURBOHTTP_API void turbohttp_byte_pool_destroy(turbohttp_byte_pool *pool) {
    if (!pool) return;
    turbohttp_byte_pool_trim(pool);
    tbh_guard_end(&pool->guard, &pool->allocator);
}
