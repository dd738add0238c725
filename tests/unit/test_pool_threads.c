/* Pools under four threads: caps hold, counters add up, nobody shares a block. Clean under TSan:
 * gcc -fsanitize=thread -pthread. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include <pthread.h>

#define THREADS 4
#define ROUNDS  20000
#define CAP     3

static turbohttp_byte_pool bytes;
static turbohttp_object_pool objects;
static uint32_t faults;

static void fault_if(bool bad) {
    if (bad) __atomic_add_fetch(&faults, 1, __ATOMIC_RELAXED);
}

static void one_round(uint32_t id, uint32_t i) {
    size_t capacity;
    uint32_t *p = (uint32_t *)turbohttp_byte_pool_rent(&bytes, 40 + i % 100, &capacity);
    uint32_t *q = (uint32_t *)turbohttp_object_pool_rent(&objects);
    fault_if(q[0] != 0);
    p[8] = q[0] = id;
    fault_if(turbohttp_object_pool_count(&objects) > CAP);
    fault_if(p[8] != id || q[0] != id);
    turbohttp_byte_pool_return(&bytes, p, capacity);
    turbohttp_object_pool_return(&objects, q);
}

static void *work(void *argument) {
    for (uint32_t i = 0; i < ROUNDS; i++) one_round((uint32_t)(uintptr_t)argument, i);
    return NULL;
}

static void A1_caps_and_counters_hold_across_threads(void) {
    counting_allocator memory;
    memset(&memory, 0, sizeof memory);
    turbohttp_allocator a = counting_allocator_hooks(&memory);
    turbohttp_byte_pool_init(&bytes, &a, 64, 256, CAP, TURBOHTTP_CLEAR_NONE, false);
    turbohttp_object_pool_init(&objects, &a, 24, CAP, NULL, NULL, false);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK_INT(faults, 0);
    CHECK_INT(turbohttp_byte_pool_stats(&bytes).rented, THREADS * ROUNDS);
    CHECK_INT(turbohttp_byte_pool_stats(&bytes).active, 0);
    CHECK_INT(turbohttp_object_pool_stats(&objects).returned, THREADS * ROUNDS);
    CHECK_INT(turbohttp_object_pool_stats(&objects).active, 0);
    CHECK(turbohttp_object_pool_count(&objects) <= CAP);
    turbohttp_byte_pool_destroy(&bytes);
    turbohttp_object_pool_destroy(&objects);
    CHECK(counting_allocator_balanced(&memory));
}

static const check_test tests[] = {CHECK_TEST(A1_caps_and_counters_hold_across_threads)};
CHECK_MAIN(tests)
