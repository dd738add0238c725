/* Guards: a table of blocks with the sites of their rent and return, for debug builds.
 * Owns: the table, allocated through the pool's allocator; one record for each address seen.
 * Invariants: a record is OUT (rented), RESTING (in the pool's list, its bytes hashed) or GONE
 * (given to the allocator; kept so that a late second return can still be named, and recycled when
 * the table is full). Lookups are linear: this is a debugging aid.
 * A return is looked up before the block is touched, so a block that is gone is never read.
 * Input: any pointers. Reports go to the pool's hook, outside the lock.
 * Does not know: what kind of pool asks. */
#include "guards.h"
#include "../base/atomic.h"
#include "../base/errors.h"

#define TBH_GUARD_FIRST_RECORDS 64u
#define TBH_GUARD_SEAL_BYTES    64u
#define TBH_GUARD_CANARY        0xCA

typedef enum tbh_guard_state { TBH_GUARD_OUT, TBH_GUARD_RESTING, TBH_GUARD_GONE } tbh_guard_state;

typedef struct tbh_guard_record {
    const uint8_t *block;
    tbh_site rented, returned;
    uint64_t hash, age;
    tbh_guard_state state;
} tbh_guard_record;

typedef struct tbh_guard_table {
    size_t count, capacity, bytes;
    uint64_t clock;
    tbh_guard_record *records;
} tbh_guard_table;

/* ------------------------------------------------------------ reports */
static void tbh_guard_say_site(turbohttp_error *note, const char *what, tbh_site site) {
    tbh_error_append(note, what);
    tbh_error_append(note, site.file ? site.file : "(unknown)");
    tbh_error_append(note, ":");
    tbh_error_append_u64(note, (uint64_t)(site.line > 0 ? site.line : 0));
}

static void tbh_guard_report(turbohttp_pool_guard *guard, const char *what,
                             const tbh_guard_record *record, const tbh_site *now) {
    turbohttp_error note;
    tbh_error_text(&note, what);
    if (record) tbh_guard_say_site(&note, ": rented at ", record->rented);
    if (record && record->state != TBH_GUARD_OUT)
        tbh_guard_say_site(&note, ", returned at ", record->returned);
    if (now) tbh_guard_say_site(&note, ", found at ", *now);
    tbh_lock(&guard->lock);
    guard->violations++;
    tbh_unlock(&guard->lock);
    if (guard->on_violation) guard->on_violation(guard->user, note.text);
}

TBH_FN uint64_t tbh_guard_violations(turbohttp_pool_guard *guard) {
    tbh_lock(&guard->lock);
    uint64_t n = guard->violations;
    tbh_unlock(&guard->lock);
    return n;
}

TBH_FN void tbh_guard_violations_reset(turbohttp_pool_guard *guard) {
    tbh_lock(&guard->lock);
    guard->violations = 0;
    tbh_unlock(&guard->lock);
}

/* ------------------------------------------------------------ table (callers hold the lock) */
static tbh_guard_record *tbh_guard_find(tbh_guard_table *table, const uint8_t *block) {
    for (size_t i = 0; table && i < table->count; i++)
        if (table->records[i].block == block) return &table->records[i];
    return NULL;
}

static tbh_guard_record *tbh_guard_oldest_gone(tbh_guard_table *table) {
    tbh_guard_record *oldest = NULL;
    for (size_t i = 0; i < table->count; i++) {
        tbh_guard_record *r = &table->records[i];
        if (r->state == TBH_GUARD_GONE && (!oldest || r->age < oldest->age)) oldest = r;
    }
    return oldest;
}

static tbh_guard_table *tbh_guard_table_create(const turbohttp_allocator *allocator,
                                               size_t capacity, const tbh_guard_table *old) {
    size_t bytes;
    if (!tbh_mul_size(capacity, sizeof(tbh_guard_record), &bytes)) return NULL;
    if (!tbh_add_size(bytes, sizeof(tbh_guard_table), &bytes)) return NULL;
    tbh_guard_table *table = (tbh_guard_table *)tbh_allocate(allocator, bytes);
    if (!table) return NULL;
    memset(table, 0, sizeof *table);
    table->capacity = capacity;
    table->bytes = bytes;
    table->records = (tbh_guard_record *)(void *)(table + 1);
    if (!old) return table;
    table->count = old->count;
    table->clock = old->clock;
    memcpy(table->records, old->records, old->count * sizeof *old->records);
    return table;
}

static bool tbh_guard_grow(const tbh_guarded *what) {
    tbh_guard_table *old = (tbh_guard_table *)what->guard->table;
    size_t capacity = old ? old->capacity * 2 : TBH_GUARD_FIRST_RECORDS;
    tbh_guard_table *table = tbh_guard_table_create(what->allocator, capacity, old);
    if (!table) return false;
    if (old) tbh_release(what->allocator, old, old->bytes);
    what->guard->table = table;
    return true;
}

static tbh_guard_record *tbh_guard_record_for(const tbh_guarded *what) {
    tbh_guard_table *table = (tbh_guard_table *)what->guard->table;
    tbh_guard_record *record = tbh_guard_find(table, what->block);
    if (record) return record;
    if (table && table->count == table->capacity) record = tbh_guard_oldest_gone(table);
    if (!record) {
        if ((!table || table->count == table->capacity) && !tbh_guard_grow(what)) return NULL;
        table = (tbh_guard_table *)what->guard->table;
        record = &table->records[table->count++];
    }
    memset(record, 0, sizeof *record);
    record->block = what->block;
    record->state = TBH_GUARD_GONE;
    return record;
}

/* ------------------------------------------------------------ content */
/* FNV-1a over the bytes that nobody may touch while the block rests. */
static uint64_t tbh_guard_hash(const tbh_guarded *what) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = what->link_bytes; i < what->bytes; i++)
        hash = (hash ^ what->block[i]) * 1099511628211u;
    return hash;
}

static bool tbh_guard_intact(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != TBH_GUARD_CANARY) return false;
    return true;
}

/* ------------------------------------------------------------ the life of a block */
TBH_FN bool tbh_guard_rent(const tbh_guarded *what, tbh_site site) {
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_record_for(what);
    tbh_guard_record before;
    memset(&before, 0, sizeof before);
    bool written = false;
    if (record) {
        before = *record;
        written = record->state == TBH_GUARD_RESTING && record->hash != tbh_guard_hash(what);
        record->state = TBH_GUARD_OUT;
        record->rented = site;
    }
    tbh_unlock(&what->guard->lock);
    if (written) tbh_guard_report(what->guard, "write after return", &before, &site);
    if (record) memset(what->block + what->bytes, TBH_GUARD_CANARY, TBH_GUARD_TAIL_BYTES);
    return record != NULL;
}

TBH_FN bool tbh_guard_return(const tbh_guarded *what, tbh_site site) {
    tbh_guard_record before;
    memset(&before, 0, sizeof before);
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_find((tbh_guard_table *)what->guard->table, what->block);
    bool known = record != NULL;
    if (known) before = *record;
    bool out = known && record->state == TBH_GUARD_OUT;
    if (out) {
        record->returned = site;
        record->state = TBH_GUARD_GONE;
        record->age = ++((tbh_guard_table *)what->guard->table)->clock;
    }
    tbh_unlock(&what->guard->lock);
    if (!known) tbh_guard_report(what->guard, "return of a block not rented here", NULL, &site);
    else if (!out) tbh_guard_report(what->guard, "double return", &before, &site);
    else if (!tbh_guard_intact(what->block + what->bytes, TBH_GUARD_TAIL_BYTES))
        tbh_guard_report(what->guard, "write past the end", &before, &site);
    return out;
}

TBH_FN void tbh_guard_rest(const tbh_guarded *what) {
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_find((tbh_guard_table *)what->guard->table, what->block);
    if (record) {
        record->hash = tbh_guard_hash(what);
        record->state = TBH_GUARD_RESTING;
    }
    tbh_unlock(&what->guard->lock);
}

TBH_FN void tbh_guard_leave(const tbh_guarded *what) {
    tbh_guard_record before;
    memset(&before, 0, sizeof before);
    tbh_lock(&what->guard->lock);
    tbh_guard_record *record = tbh_guard_find((tbh_guard_table *)what->guard->table, what->block);
    bool written = false;
    if (record) {
        before = *record;
        written = record->state == TBH_GUARD_RESTING && record->hash != tbh_guard_hash(what);
        record->state = TBH_GUARD_GONE;
    }
    tbh_unlock(&what->guard->lock);
    if (written) tbh_guard_report(what->guard, "write after return", &before, NULL);
}

TBH_FN void tbh_guard_end(turbohttp_pool_guard *guard, const turbohttp_allocator *allocator) {
    tbh_guard_table *table = (tbh_guard_table *)guard->table;
    for (size_t i = 0; table && i < table->count; i++)
        if (table->records[i].state == TBH_GUARD_OUT)
            tbh_guard_report(guard, "never returned", &table->records[i], NULL);
    if (table) tbh_release(allocator, table, table->bytes);
    guard->table = NULL;
}

/* ------------------------------------------------------------ logical length of a buffer */
TBH_FN void tbh_guard_seal(void *data, size_t length, size_t capacity) {
    if (data)
        memset((uint8_t *)data + length, TBH_GUARD_CANARY,
               tbh_min_size(capacity - length, TBH_GUARD_SEAL_BYTES));
}

TBH_FN void tbh_guard_check_seal(turbohttp_pool_guard *guard, const void *data, size_t length,
                                 size_t capacity, tbh_site site) {
    size_t n = tbh_min_size(capacity - length, TBH_GUARD_SEAL_BYTES);
    if (!data || tbh_guard_intact((const uint8_t *)data + length, n)) return;
    tbh_lock(&guard->lock);
    tbh_guard_record *record =
        tbh_guard_find((tbh_guard_table *)guard->table, (const uint8_t *)data);
    tbh_guard_record copy;
    memset(&copy, 0, sizeof copy);
    if (record) copy = *record;
    tbh_unlock(&guard->lock);
    tbh_guard_report(guard, "write past the logical length", record ? &copy : NULL, &site);
}
