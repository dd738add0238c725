/* The test core: a list of named functions, CHECK that goes on after a failure, one closing line
 * `N passed, N failed`. Needs only <stdio.h>, so that it also runs bare-metal and under wine. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H
#include <stdio.h>
#include <string.h>

static int check_failed_here; /* failures inside the running test */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition);                   \
            check_failed_here++;                                                                   \
        }                                                                                          \
    } while (0)

#define CHECK_INT(actual, expected)                                                                \
    do {                                                                                           \
        long long check_a = (long long)(actual), check_e = (long long)(expected);                  \
        if (check_a != check_e) {                                                                  \
            printf("%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, check_a,     \
                   check_e);                                                                       \
            check_failed_here++;                                                                   \
        }                                                                                          \
    } while (0)

/* Compares n bytes at p with a C string. */
#define CHECK_TEXT(p, n, text)                                                                     \
    do {                                                                                           \
        size_t check_n = (size_t)(n);                                                              \
        if (check_n != strlen(text) || (check_n && memcmp((p), (text), check_n) != 0)) {           \
            printf("%s:%d: %s is \"%.*s\", expected \"%s\"\n", __FILE__, __LINE__, #p,             \
                   (int)check_n, (const char *)(p), (text));                                       \
            check_failed_here++;                                                                   \
        }                                                                                          \
    } while (0)

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

#define CHECK_TEST(function) {#function, function}

/* Runs the tests; with an argument only those whose name contains it. Returns main's exit code. */
static int check_main(const check_test *tests, size_t count, int argc, char **argv) {
    int passed = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1])) continue;
        check_failed_here = 0;
        tests[i].run();
        if (check_failed_here) {
            failed++;
            printf("FAILED %s\n", tests[i].name);
        } else
            passed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

#define CHECK_MAIN(tests)                                                                          \
    int main(int argc, char **argv) {                                                              \
        return check_main(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv);                  \
    }
#endif
