/* Allocator: the helpers over the user's hooks, and the arena (fixed-memory mode).
 * Owns: nothing; the arena hands out parts of the user's block.
 * Arena invariants: base and every size are multiples of 16; blocks handed out and free blocks fill
 * everything below top; free blocks are linked by address, each with its size at its start, which 16
 * bytes hold. Releasing the topmost block lowers top again, so stack-like use needs no list.
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

/* What lies at the start of a free block. */
typedef struct tbh_arena_free {
    uint8_t *next;
    size_t size;
} tbh_arena_free;

static tbh_arena_free tbh_arena_look(const uint8_t *block) {
    tbh_arena_free it;
    memcpy(&it, block, sizeof it);
    return it;
}

static void tbh_arena_mark(uint8_t *block, uint8_t *next, size_t size) {
    tbh_arena_free it;
    it.next = next;
    it.size = size;
    memcpy(block, &it, sizeof it);
}

/* `before` NULL: the list begins with `next`. */
static void tbh_arena_link(turbohttp_arena *arena, uint8_t *before, uint8_t *next) {
    if (before) tbh_arena_mark(before, next, tbh_arena_look(before).size);
    else arena->first = next;
}

/* Takes a free block of exactly that size out, or the front of the smallest that is larger. */
static uint8_t *tbh_arena_reuse(turbohttp_arena *arena, size_t size, bool or_larger) {
    uint8_t *before = NULL, *best = NULL, *best_before = NULL, *next = arena->first;
    size_t best_size = or_larger ? SIZE_MAX : size + 1;
    for (uint8_t *at = next; at && best_size != size; before = at, at = next) {
        tbh_arena_free it = tbh_arena_look(at);
        next = it.next;
        if (it.size < size || it.size >= best_size) continue;
        best = at, best_before = before, best_size = it.size;
    }
    if (!best) return NULL;
    next = tbh_arena_look(best).next;
    if (best_size > size) {
        tbh_arena_mark(best + size, next, best_size - size);
        next = best + size;
    }
    tbh_arena_link(arena, best_before, next);
    return best;
}

/* Joins free neighbours; what then touches top lowers it. */
static void tbh_arena_join(turbohttp_arena *arena) {
    uint8_t *before = NULL, *at = arena->first;
    while (at) {
        tbh_arena_free it = tbh_arena_look(at);
        if (at + it.size == arena->base + arena->top) {
            arena->top -= it.size;
            tbh_arena_link(arena, before, NULL);
            return;
        }
        if (it.next == at + it.size) {
            tbh_arena_free next = tbh_arena_look(it.next);
            tbh_arena_mark(at, next.next, it.size + next.size);
            continue;
        }
        before = at;
        at = it.next;
    }
}

/* The next bytes that were not handed out yet. */
static uint8_t *tbh_arena_extend(turbohttp_arena *arena, size_t size) {
    if (size > arena->size - arena->top) return NULL;
    arena->top += size;
    arena->peak = tbh_max_size(arena->peak, arena->top);
    return arena->base + arena->top - size;
}

static uint8_t *tbh_arena_take(turbohttp_arena *arena, size_t size) {
    uint8_t *block = tbh_arena_reuse(arena, size, false);
    if (!block) block = tbh_arena_extend(arena, size);
    if (block) return block;
    tbh_arena_join(arena);
    block = tbh_arena_reuse(arena, size, true);
    return block ? block : tbh_arena_extend(arena, size);
}

static void tbh_arena_give(turbohttp_arena *arena, uint8_t *block, size_t size) {
    uint8_t *before = NULL, *at = arena->first;
    if (block + size == arena->base + arena->top) {
        arena->top -= size;
        return;
    }
    while (at && at < block) {
        before = at;
        at = tbh_arena_look(at).next;
    }
    tbh_arena_mark(block, at, size);
    tbh_arena_link(arena, before, block);
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
    tbh_arena_give(arena, (uint8_t *)block, size);
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
