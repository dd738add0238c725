/* Completions: the slots behind request handles (SPEC C4). A result is set exactly once and taken
 * exactly once; a stale handle never reaches another request's answer. */
#pragma once
#include "../api/client.h"
#include "../base/atomic.h"
#include "../memory/allocator.h"

typedef enum tbh_completion_state {
    TBH_COMPLETION_FREE,
    TBH_COMPLETION_PENDING,
    TBH_COMPLETION_SET
} tbh_completion_state;

typedef struct tbh_completion {
    void *object;
    uint32_t generation; /* of the current or next use; never 0 */
    uint32_t cancelled;  /* generation that somebody wants cancelled; atomic */
    uint32_t next;       /* free list, or order of completion: 1 + index */
    uint8_t state;
} tbh_completion;

typedef struct tbh_completions {
    tbh_completion *slots;
    uint32_t capacity;
    uint32_t free_first;            /* 1 + index; 0: none */
    uint32_t done_first, done_last; /* 1 + index: completed, in order */
    uint32_t pending, done;         /* counts */
    uint32_t any_cancelled;         /* atomic */
} tbh_completions;

TBH_FN turbohttp_status tbh_completions_init(tbh_completions *c, const turbohttp_allocator *a,
                                             uint32_t capacity);
TBH_FN void tbh_completions_fini(tbh_completions *c, const turbohttp_allocator *a);
/* OK, or QUEUE_FULL. `object` must not be NULL. */
TBH_FN turbohttp_status tbh_completion_issue(tbh_completions *c, void *object, uint64_t *id);
/* The object of a live handle, NULL when it is stale. */
TBH_FN void *tbh_completion_find(const tbh_completions *c, uint64_t id);
/* False when it was set before, or the handle is stale. */
TBH_FN bool tbh_completion_set(tbh_completions *c, uint64_t id);
/* OK: the object is the caller's and the handle stale. PENDING or STALE otherwise. */
TBH_FN turbohttp_status tbh_completion_take(tbh_completions *c, uint64_t id, void **object);
/* The oldest completed object that was not taken, or NULL. */
TBH_FN void *tbh_completion_first_done(const tbh_completions *c);
/* The object behind slot `index`, whatever its state; NULL when free. For walks. */
TBH_FN void *tbh_completion_at(const tbh_completions *c, uint32_t index);
/* Any thread: OK or STALE. */
TBH_FN turbohttp_status tbh_completion_cancel(tbh_completions *c, uint64_t id);
/* Was a cancel asked for since the last call? Then walk with tbh_completion_take_cancel. */
TBH_FN bool tbh_completions_take_cancelled(tbh_completions *c);
TBH_FN void *tbh_completion_cancelled_at(tbh_completions *c, uint32_t index);
