/* Walks the levels of this machine: each kernel of each level against the reference, the reference against double.
 *
 *     test_check_kernels [--filter TEXT] [--seed N] [--bench]
 *
 * --filter: only checks whose "level kernel" contains the text. --bench: timings of the same kernels instead of checks. */
#include "base/cpu.h"
#include "base/half.h"
#include "check_kernels.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---------------------------------------------------------------- memory and numbers */

enum { N_SLOT = 24, SLOT_SIZE = 16 << 20 };

void *check_memory(int slot, size_t size, size_t align, test_rng *rng) {
    static uint8_t *slots[N_SLOT];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (!slots[slot]) {
        uint8_t *m = mmap(NULL, SLOT_SIZE + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (m == MAP_FAILED || mprotect(m + page, SLOT_SIZE, PROT_READ | PROT_WRITE)) fail_msg("no memory for slot %d", slot);
        slots[slot] = m + page;
    }
    assert_true(size <= SLOT_SIZE);
    uint8_t *p = slots[slot];
    if (test_rng_below(rng, 4)) p += (SLOT_SIZE - size) / align * align;
    memset(p, 0xa5, size);
    return p;
}

void check_fill_floats(float *x, size_t n, check_fill fill, test_rng *rng) {
    float one = test_rng_float(rng) * 3;
    for (size_t i = 0; i < n; i++) {
        float v = test_rng_float(rng);
        bool rare = test_rng_below(rng, 16) == 0;
        switch (fill) {
        case FILL_SCALES: v = ldexpf(v, (int)test_rng_below(rng, 40) - 20); break;
        case FILL_ZERO: v = 0; break;
        case FILL_NEG_ZERO: v = rare ? 0.0f : -0.0f; break;
        case FILL_EQUAL: v = one; break;
        case FILL_HUGE: v = copysignf(FLT_MAX, v); break;
        case FILL_DENORMAL: v *= 0x1p-130f; break;
        case FILL_NAN: v = rare ? NAN : v; break;
        case FILL_INF: v = rare ? copysignf(INFINITY, v) : v; break;
        case FILL_BITS: v = wick_f32_from_bits((uint32_t)test_rng_next(rng)); break;
        default: break;
        }
        x[i] = v;
    }
}

check_fill check_any_fill(test_rng *rng) { return test_rng_below(rng, 3) ? FILL_RANDOM : (check_fill)test_rng_below(rng, N_FILL); }

void check_same(const char *what, const float *a, const float *b, size_t n) {
    if (memcmp(a, b, n * sizeof *a) == 0) return;
    for (size_t i = 0; i < n; i++)
        if (wick_bits_from_f32(a[i]) != wick_bits_from_f32(b[i]) && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s: element %zu of %zu is %a (%08x), the reference gives %a (%08x)", what, i, n, (double)b[i],
                     wick_bits_from_f32(b[i]), (double)a[i], wick_bits_from_f32(a[i]));
}

/* ---------------------------------------------------------------- the walk */

typedef struct task {
    char name[80];
    const check *check;
    bool missing, accuracy;
    wick_kernels now;
} task;

static uint64_t seed = 88172645463325252u;

static void run_task(void **state) {
    const task *t = *state;
    wick_kernels ref;
    test_rng rng = {seed};
    wick_kernels_init(&ref, WICK_CPU_REFERENCE);
    if (t->missing) skip();
    (t->accuracy ? t->check->accuracy : t->check->equal)(t->check, &ref, &t->now, &rng);
}

static bool same_kernel(const check *c, const wick_kernels *a, const wick_kernels *b) {
    return memcmp((const char *)a + c->field, (const char *)b + c->field, sizeof(void (*)(void))) == 0;
}

enum { MAX_TASK = 512 };
static task tasks[MAX_TASK];
static struct CMUnitTest tests[MAX_TASK];
static size_t n_task;

static void add_task(const check *c, const char *level, const char *filter, bool missing, bool accuracy, const wick_kernels *now) {
    task *t = tasks + n_task;
    snprintf(t->name, sizeof t->name, "%s %s%s", level, c->name, accuracy ? " (against double)" : "");
    if (filter && !strstr(t->name, filter)) return;
    assert_true(n_task < MAX_TASK);
    t->check = c;
    t->missing = missing;
    t->accuracy = accuracy;
    t->now = *now;
    tests[n_task++] = (struct CMUnitTest){t->name, run_task, NULL, NULL, t};
}

static void add_level(const char *level, const char *filter) {
    static const check *const lists[] = {check_gemm_list, check_rows_list, check_attend_list};
    static wick_kernels below, now;
    uint32_t mask = 0;
    wick_cpu_level(level, &mask);
    const bool missing = (mask & ~wick_cpu_detect()) != 0, first = mask == WICK_CPU_REFERENCE;
    wick_kernels_init(&now, mask);
    if (!first && strcmp(now.level, level) != 0) return; /* this build has nothing of its own at that level */
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const check *c = lists[i]; c->name; c++) {
            if (first && c->accuracy) add_task(c, level, filter, false, true, &now);
            if (!first && !same_kernel(c, &now, &below)) add_task(c, level, filter, missing, false, &now);
        }
    below = now;
}

int main(int argc, char **argv) {
    const char *filter = NULL;
    bool bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            filter = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0) | 1;
        else {
            fprintf(stderr, "usage: %s [--filter TEXT] [--seed N] [--bench]\n", argv[0]);
            return 2;
        }
    }
    if (bench) return check_bench(filter, argc, argv);
    for (const char *const *level = wick_cpu_level_names(); *level; level++) add_level(*level, filter);
    return _cmocka_run_group_tests("kernels", tests, n_task, NULL, NULL);
}
