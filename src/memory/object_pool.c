/* Object pool: retains returned objects of one size, up to a cap.
 * Owns: the retained objects; rented ones belong to who rented them.
 * Invariants: count = length of the list ≤ cap, checked and changed under the lock; the link lies
 * behind the object, so that a reset object rests untouched; the reset hook has run before an
 * object can be seen by the next renter, and never runs under the lock.
 * Input: objects of this pool, each returned once (debug guards check that).
 * Does not know: what the objects are. */
#include "allocator.h"
#include "guards.h"
#include "../base/atomic.h"

/* Layout: object, canary (guard builds), link aligned. False if the sum does not fit. */
static bool tbh_object_layout(size_t element_bytes, size_t *link_at, size_t *total) {
    return element_bytes > 0 && tbh_add_size(element_bytes, TBH_GUARD_TAIL_BYTES, link_at) &&
           tbh_align_size(*link_at, link_at) && tbh_add_size(*link_at, TBH_ALIGN_BYTES, total);
}

TBH_ALWAYS_INLINE void **tbh_object_link(const turbohttp_object_pool *pool, void *element) {
    return (void **)(void *)((uint8_t *)element + pool->link_at);
}

TURBOHTTP_API void turbohttp_object_pool_init(turbohttp_object_pool *pool,
                                              const turbohttp_allocator *allocator,
                                              size_t element_bytes, uint32_t cap,
                                              void (*reset)(void *user, void *element), void *user,
                                              bool disable_pooling) {
    memset(pool, 0, sizeof *pool);
    pool->allocator = *allocator;
    pool->element_bytes = element_bytes;
    pool->cap = disable_pooling ? 0 : cap;
    pool->reset = reset;
    pool->user = user;
    if (!tbh_object_layout(element_bytes, &pool->link_at, &pool->block_bytes))
        pool->block_bytes = 0;
}

static tbh_guarded tbh_object_guarded(turbohttp_object_pool *pool, void *element) {
    tbh_guarded what;
    what.guard = &pool->guard;
    what.allocator = &pool->allocator;
    what.block = (uint8_t *)element;
    what.bytes = pool->element_bytes;
    what.link_bytes = 0;
    return what;
}

static void tbh_object_release(turbohttp_object_pool *pool, void *element) {
    tbh_guarded what = tbh_object_guarded(pool, element);
    TBH_UNPOISON(element, pool->element_bytes);
    if (TBH_GUARDS) tbh_guard_leave(&what);
    tbh_release(&pool->allocator, element, pool->block_bytes);
}

static TBH_NOINLINE void *tbh_object_make(turbohttp_object_pool *pool) {
    void *element = tbh_allocate(&pool->allocator, pool->block_bytes);
    if (element) memset(element, 0, pool->block_bytes);
    return element;
}

/* Takes a fresh object back when the guards have no room to remember it. */
static bool tbh_object_register(turbohttp_object_pool *pool, void *element, tbh_site site) {
    tbh_guarded what = tbh_object_guarded(pool, element);
    return tbh_guard_rent(&what, site);
}

static TBH_NOINLINE void *tbh_object_rent_fresh(turbohttp_object_pool *pool, tbh_site site) {
    void *element = tbh_object_make(pool);
    if (!element) return NULL;
    if (TBH_GUARDS && !tbh_object_register(pool, element, site)) {
        tbh_object_release(pool, element);
        return NULL;
    }
    tbh_lock(&pool->lock);
    pool->stats.rented++;
    pool->stats.missed++;
    tbh_unlock(&pool->lock);
    return element;
}

TBH_ALWAYS_INLINE void *tbh_object_rent(turbohttp_object_pool *pool, tbh_site site) {
    tbh_lock(&pool->lock);
    void *element = pool->first;
    if (TBH_UNLIKELY(!element)) {
        tbh_unlock(&pool->lock);
        return tbh_object_rent_fresh(pool, site);
    }
    pool->first = *tbh_object_link(pool, element);
    pool->count--;
    pool->stats.rented++;
    tbh_unlock(&pool->lock);
    TBH_UNPOISON(element, pool->element_bytes);
    if (TBH_GUARDS) (void)tbh_object_register(pool, element, site);
    return element;
}

TURBOHTTP_API void *turbohttp_object_pool_rent_at(turbohttp_object_pool *pool, const char *file,
                                                  int line) {
    return tbh_object_rent(pool, tbh_site_of(file, line));
}

TURBOHTTP_API void *(turbohttp_object_pool_rent)(turbohttp_object_pool *pool) {
    return tbh_object_rent(pool, tbh_site_of(NULL, 0));
}

static bool tbh_object_accept(turbohttp_object_pool *pool, void *element, tbh_site site) {
    tbh_guarded what = tbh_object_guarded(pool, element);
    return tbh_guard_return(&what, site);
}

static void tbh_object_reset(turbohttp_object_pool *pool, void *element) {
    if (pool->reset) pool->reset(pool->user, element);
    else memset(element, 0, pool->element_bytes);
}

TBH_ALWAYS_INLINE void tbh_object_return(turbohttp_object_pool *pool, void *element,
                                         tbh_site site) {
    if (!element || (TBH_GUARDS && !tbh_object_accept(pool, element, site))) return;
    tbh_object_reset(pool, element);
    if (TBH_GUARDS) {
        tbh_guarded what = tbh_object_guarded(pool, element);
        tbh_guard_rest(&what);
    }
    tbh_lock(&pool->lock);
    pool->stats.returned++;
    bool keep = pool->count < pool->cap;
    if (keep) {
        TBH_POISON(element, pool->element_bytes);
        *tbh_object_link(pool, element) = pool->first;
        pool->first = element;
        pool->count++;
    }
    tbh_unlock(&pool->lock);
    if (!keep) tbh_object_release(pool, element);
}

TURBOHTTP_API void turbohttp_object_pool_return_at(turbohttp_object_pool *pool, void *element,
                                                   const char *file, int line) {
    tbh_object_return(pool, element, tbh_site_of(file, line));
}

TURBOHTTP_API void(turbohttp_object_pool_return)(turbohttp_object_pool *pool, void *element) {
    tbh_object_return(pool, element, tbh_site_of(NULL, 0));
}

/* ------------------------------------------------------------ questions */
TURBOHTTP_API uint32_t turbohttp_object_pool_count(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    uint32_t count = pool->count;
    tbh_unlock(&pool->lock);
    return count;
}

TURBOHTTP_API turbohttp_pool_stats turbohttp_object_pool_stats(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    turbohttp_pool_stats stats = pool->stats;
    tbh_unlock(&pool->lock);
    stats.active += stats.rented - stats.returned;
    stats.violations = tbh_guard_violations(&pool->guard);
    return stats;
}

TURBOHTTP_API void turbohttp_object_pool_stats_reset(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    uint64_t active = pool->stats.active + pool->stats.rented - pool->stats.returned;
    memset(&pool->stats, 0, sizeof pool->stats);
    pool->stats.active = active;
    tbh_unlock(&pool->lock);
    tbh_guard_violations_reset(&pool->guard);
}

TURBOHTTP_API void turbohttp_object_pool_on_violation(turbohttp_object_pool *pool,
                                                      void (*hook)(void *user, const char *text),
                                                      void *user) {
    pool->guard.on_violation = hook;
    pool->guard.user = user;
}

/* ------------------------------------------------------------ end */
TURBOHTTP_API void turbohttp_object_pool_trim(turbohttp_object_pool *pool) {
    tbh_lock(&pool->lock);
    void *element = pool->first;
    pool->first = NULL;
    pool->count = 0;
    tbh_unlock(&pool->lock);
    while (element) {
        void *next = *tbh_object_link(pool, element);
        tbh_object_release(pool, element);
        element = next;
    }
}

TURBOHTTP_API void turbohttp_object_pool_destroy(turbohttp_object_pool *pool) {
    if (!pool) return;
    turbohttp_object_pool_trim(pool);
    tbh_guard_end(&pool->guard, &pool->allocator);
}
