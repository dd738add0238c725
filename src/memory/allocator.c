/* Allocator: the helpers over the user's hooks, and the arena (fixed-memory mode).
 * Owns: nothing; the arena hands out parts of the user's block.
 * Arena invariants: base and every size are multiples of 16; used + free lists + lost = top;
 * a free block is linked through its first word, in the class of exactly its size, and classes
 * once taken stay. Releasing the topmost block lowers top again, so stack-like use needs no class.
 * Input: sizes from the library, trusted on release because they are what was asked for.
 * Does not know: pools, and what the blocks are for. */
#include "allocator.h"
#include "../base/atomic.h"

TBH_FN void *tbh_allocate(const turbohttp_allocator *allocator, size_t size) {
    if (size == 0 || !allocator->allocate) return NULL;
    return allocator->allocate(allocator->user, size);
}

TBH_FN void tbh_release(const turbohttp_allocator *allocator, void *block, size_t size) {
    if (block && allocator->release) allocator->release(allocator->user, block, size);
}

TBH_FN bool tbh_align_size(size_t size, size_t *rounded) {
    bool fits = tbh_add_size(size, TBH_ALIGN_BYTES - 1, rounded);
    *rounded &= ~(size_t)(TBH_ALIGN_BYTES - 1);
    return fits;
}

/* ------------------------------------------------------------ arena */
TURBOHTTP_API void turbohttp_arena_init(turbohttp_arena *arena, void *block, size_t size) {
    memset(arena, 0, sizeof *arena);
    size_t skip = (size_t)(0 - (uintptr_t)block) & (TBH_ALIGN_BYTES - 1);
    if (!block || size <= skip) return;
    arena->base = (uint8_t *)block + skip;
    arena->size = (size - skip) & ~(size_t)(TBH_ALIGN_BYTES - 1);
}

/* The class of a size, or a new one if `create`; NULL when there is none. */
static turbohttp_arena_class *tbh_arena_class_of(turbohttp_arena *arena, size_t size, bool create) {
    for (size_t i = 0; i < TURBOHTTP_ARENA_CLASSES; i++) {
        turbohttp_arena_class *c = &arena->classes[i];
        if (c->size == 0 && create) c->size = size;
        if (c->size == size) return c;
        if (c->size == 0) return NULL;
    }
    return NULL;
}

static void *tbh_arena_take(turbohttp_arena *arena, size_t size) {
    turbohttp_arena_class *c = tbh_arena_class_of(arena, size, false);
    if (c && c->first) {
        void *block = c->first;
        memcpy(&c->first, block, sizeof c->first);
        return block;
    }
    if (size > arena->size - arena->top) return NULL;
    arena->top += size;
    arena->peak = tbh_max_size(arena->peak, arena->top);
    return arena->base + arena->top - size;
}

static void tbh_arena_give(turbohttp_arena *arena, void *block, size_t size) {
    if ((uint8_t *)block + size == arena->base + arena->top) {
        arena->top -= size;
        return;
    }
    turbohttp_arena_class *c = tbh_arena_class_of(arena, size, true);
    if (!c) {
        arena->lost += size;
        return;
    }
    memcpy(block, &c->first, sizeof c->first);
    c->first = block;
}

static void *tbh_arena_allocate(void *user, size_t size) {
    turbohttp_arena *arena = (turbohttp_arena *)user;
    if (size == 0 || !tbh_align_size(size, &size)) return NULL;
    tbh_lock(&arena->lock);
    void *block = tbh_arena_take(arena, size);
    if (block) arena->used += size;
    tbh_unlock(&arena->lock);
    return block;
}

static void tbh_arena_release(void *user, void *block, size_t size) {
    turbohttp_arena *arena = (turbohttp_arena *)user;
    if (!block || !tbh_align_size(size, &size)) return;
    tbh_lock(&arena->lock);
    tbh_arena_give(arena, block, size);
    arena->used -= size;
    tbh_unlock(&arena->lock);
}

TURBOHTTP_API turbohttp_allocator turbohttp_arena_allocator(turbohttp_arena *arena) {
    turbohttp_allocator allocator;
    allocator.user = arena;
    allocator.allocate = tbh_arena_allocate;
    allocator.release = tbh_arena_release;
    return allocator;
}
