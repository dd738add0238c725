/* Completions: slots with generations.
 * Owns the slot array, not the objects. A handle is generation << 32 | index + 1.
 * Life of a slot: FREE -issue-> PENDING -set-> SET -take-> FREE with the next generation; every
 * other step is refused. Only `generation` and `cancelled` are touched by other threads.
 * Does not know what a request is. */
#include "completion.h"

TBH_FN turbohttp_status tbh_completions_init(tbh_completions *c, const turbohttp_allocator *a,
                                             uint32_t capacity) {
    size_t bytes;
    memset(c, 0, sizeof *c);
    if (!tbh_mul_size(capacity, sizeof *c->slots, &bytes)) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    c->slots = (tbh_completion *)tbh_allocate(a, bytes);
    if (!c->slots) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(c->slots, 0, bytes);
    c->capacity = capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        c->slots[i].generation = 1;
        c->slots[i].next = i + 1 < capacity ? i + 2 : 0;
    }
    c->free_first = capacity ? 1 : 0;
    return TURBOHTTP_OK;
}

TBH_FN void tbh_completions_fini(tbh_completions *c, const turbohttp_allocator *a) {
    if (c->slots) tbh_release(a, c->slots, c->capacity * sizeof *c->slots);
    memset(c, 0, sizeof *c);
}

static tbh_completion *tbh_completion_slot(const tbh_completions *c, uint64_t id) {
    uint32_t index = (uint32_t)id - 1;
    if (index >= c->capacity) return NULL;
    tbh_completion *slot = &c->slots[index];
    return tbh_atomic_load32(&slot->generation) == (uint32_t)(id >> 32) ? slot : NULL;
}

TBH_FN turbohttp_status tbh_completion_issue(tbh_completions *c, void *object, uint64_t *id) {
    uint32_t place = c->free_first;
    *id = 0;
    if (!place) return TURBOHTTP_ERR_QUEUE_FULL;
    tbh_completion *slot = &c->slots[place - 1];
    c->free_first = slot->next;
    slot->next = 0;
    slot->object = object;
    slot->state = TBH_COMPLETION_PENDING;
    c->pending++;
    *id = (uint64_t)slot->generation << 32 | place;
    return TURBOHTTP_OK;
}

TBH_FN void *tbh_completion_find(const tbh_completions *c, uint64_t id) {
    const tbh_completion *slot = tbh_completion_slot(c, id);
    return slot && slot->state != TBH_COMPLETION_FREE ? slot->object : NULL;
}

TBH_FN bool tbh_completion_set(tbh_completions *c, uint64_t id) {
    tbh_completion *slot = tbh_completion_slot(c, id);
    uint32_t place = (uint32_t)id;
    if (!slot || slot->state != TBH_COMPLETION_PENDING) return false;
    slot->state = TBH_COMPLETION_SET;
    c->pending--;
    c->done++;
    if (c->done_last) c->slots[c->done_last - 1].next = place;
    else c->done_first = place;
    c->done_last = place;
    return true;
}

/* Usually the first in the list; bounded by the number of slots. */
static void tbh_completion_unlink(tbh_completions *c, uint32_t place) {
    uint32_t before = 0, at = c->done_first;
    while (at != place) {
        before = at;
        at = c->slots[at - 1].next;
    }
    uint32_t next = c->slots[place - 1].next;
    if (before) c->slots[before - 1].next = next;
    else c->done_first = next;
    if (c->done_last == place) c->done_last = before;
    c->done--;
}

TBH_FN turbohttp_status tbh_completion_take(tbh_completions *c, uint64_t id, void **object) {
    tbh_completion *slot = tbh_completion_slot(c, id);
    *object = NULL;
    if (!slot || slot->state == TBH_COMPLETION_FREE) return TURBOHTTP_ERR_STALE;
    if (slot->state == TBH_COMPLETION_PENDING) return TURBOHTTP_PENDING;
    uint32_t place = (uint32_t)id, next = slot->generation + 1;
    tbh_completion_unlink(c, place);
    *object = slot->object;
    slot->object = NULL;
    slot->state = TBH_COMPLETION_FREE;
    slot->next = c->free_first;
    c->free_first = place;
    tbh_atomic_store32(&slot->generation, next ? next : 1);
    return TURBOHTTP_OK;
}

TBH_FN void *tbh_completion_first_done(const tbh_completions *c) {
    return c->done_first ? c->slots[c->done_first - 1].object : NULL;
}

TBH_FN void *tbh_completion_at(const tbh_completions *c, uint32_t index) {
    return index < c->capacity ? c->slots[index].object : NULL;
}

TBH_FN turbohttp_status tbh_completion_cancel(tbh_completions *c, uint64_t id) {
    tbh_completion *slot = tbh_completion_slot(c, id);
    if (!slot || id >> 32 == 0) return TURBOHTTP_ERR_STALE;
    /* The generation travels along: a slot that is reissued meanwhile is not hit. */
    tbh_atomic_store32(&slot->cancelled, (uint32_t)(id >> 32));
    tbh_atomic_store32(&c->any_cancelled, 1);
    return TURBOHTTP_OK;
}

TBH_FN bool tbh_completions_take_cancelled(tbh_completions *c) {
    if (!tbh_atomic_load32(&c->any_cancelled)) return false;
    tbh_atomic_store32(&c->any_cancelled, 0);
    return true;
}

TBH_FN void *tbh_completion_cancelled_at(tbh_completions *c, uint32_t index) {
    tbh_completion *slot = &c->slots[index];
    bool is_asked = tbh_atomic_load32(&slot->cancelled) == slot->generation;
    return is_asked && slot->state == TBH_COMPLETION_PENDING ? slot->object : NULL;
}
