/* malloc and free as an allocator: for what does not look at memory. Include it behind the implementation. */
#ifndef TEST_PLAIN_ALLOCATOR_H
#define TEST_PLAIN_ALLOCATOR_H
#include <stdlib.h>

static void *plain_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void plain_release(void *user, void *block, size_t size) {
    (void)user, (void)size;
    free(block);
}

static const turbohttp_allocator plain_allocator = {NULL, plain_allocate, plain_release};
#endif
