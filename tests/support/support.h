/* support.h: what every test includes: cmocka with its prerequisites, and helpers for files and errors. */
#ifndef WICK_TESTS_SUPPORT_H
#define WICK_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* Fails the test with the error's own sentence. */
#define assert_ok(expression)                                                                                                              \
    do {                                                                                                                                   \
        wick_error ok_err_ = {0};                                                                                                          \
        wick_error *err = &ok_err_;                                                                                                        \
        wick_status ok_status_ = (expression);                                                                                             \
        (void)err;                                                                                                                         \
        if (ok_status_ != WICK_OK) fail_msg("%s: %s", #expression, ok_err_.message);                                                       \
    } while (0)

/* Path of a file under tests/data, in static memory (a ring of eight). */
const char *test_data(const char *name);
/* A fresh folder of this process, removed at exit; and a path inside it (a ring of eight). */
const char *test_tmp(const char *name);
/* Whole file, terminated, to be freed with free(); fails the test if it cannot be read. */
uint8_t *test_read(const char *path, size_t *size);

/* xorshift64*: the same numbers on every machine. */
typedef struct test_rng {
    uint64_t state;
} test_rng;
uint64_t test_rng_next(test_rng *r);
uint32_t test_rng_below(test_rng *r, uint32_t n);
float test_rng_float(test_rng *r); /* -1 .. 1 */

#endif
