/* lib_alloc.h: fails the n-th allocation wherever it is made, inside libraries too (jansson, libyaml), by standing in front of
 * malloc. For one source file per test program; glibc only, and not under sanitizers, which stand there themselves. */
#ifndef WICK_TESTS_LIB_ALLOC_H
#define WICK_TESTS_LIB_ALLOC_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TEST_HAS_LIB_ALLOC 1

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static uint64_t test_lib_countdown; /* 0: off; 1: fail from now on */
static uint64_t test_lib_n_failed;

static int test_lib_fails(void) {
    if (!test_lib_countdown) return 0;
    if (test_lib_countdown > 1) {
        test_lib_countdown--;
        return 0;
    }
    test_lib_n_failed++;
    errno = ENOMEM;
    return 1;
}

/* The n-th allocation from now fails (1 = the next), and so do all after it; 0: none. */
static inline void test_lib_fail_at(uint64_t n) { test_lib_countdown = n; }

void *malloc(size_t n) { return test_lib_fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return test_lib_fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return test_lib_fails() ? NULL : __libc_realloc(p, n); }
#endif

#endif
