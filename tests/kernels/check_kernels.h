/* check_kernels.h: the check program's parts. After dav1d's checkasm: every level of every kernel is called beside the
 * reference with random and hostile input, and must give the same bits; the same calls are timed with --bench. */
#ifndef WICK_TESTS_CHECK_KERNELS_H
#define WICK_TESTS_CHECK_KERNELS_H

#include "kernels/kernels.h"
#include "support/support.h"

typedef struct check check;
typedef void check_fn(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng);
struct check {
    const char *name;
    size_t field;       /* offset of the kernel in wick_kernels: a level that does not change it is not checked again */
    check_fn *equal;    /* a level against the reference, bit for bit */
    check_fn *accuracy; /* the reference against double; now = ref. NULL: exact by nature, checked in equal */
};
#define CHECK(kernel, equal, accuracy)                                                                                                     \
    { #kernel, offsetof(wick_kernels, kernel), equal, accuracy }
/* The kernel of a check in a table. */
#define KERNEL(table, c, type) (*(type *const *)(const void *)((const char *)(table) + (c)->field))

/* One list per part, each ending with a NULL name. */
extern const check check_gemm_list[], check_rows_list[], check_attend_list[];

/* Memory of `size` bytes that ends (or, now and then, begins) at a page that may not be touched; filled with a pattern. There
 * are 24 slots; a slot's memory is valid until it is asked for again. Ends are what overruns hit, so align > 1 always begins
 * or ends there only if size is a multiple of align. */
void *check_memory(int slot, size_t size, size_t align, test_rng *rng);

typedef enum check_fill {
    FILL_RANDOM,
    FILL_SCALES,
    FILL_ZERO,
    FILL_NEG_ZERO,
    FILL_EQUAL,
    FILL_HUGE,
    FILL_DENORMAL,
    FILL_NAN,
    FILL_INF,
    FILL_BITS,
    N_FILL
} check_fill;
void check_fill_floats(float *x, size_t n, check_fill fill, test_rng *rng);
/* Random most of the time. */
check_fill check_any_fill(test_rng *rng);

/* Fails unless a and b have the same bits; any NaN equals any NaN. */
void check_same(const char *what, const float *a, const float *b, size_t n);

int check_bench(const char *filter, int argc, char **argv);

#endif
