/* What is behind the samplers: the selection against a sort, the loops of every instruction set against each other, and whole vocabularies
 * whose nucleus is known. */
#include "base/cpu.h"
#include "base/mem.h"
#include "support/support.h"
#include "text/sampler_impl.h"
#include "wick.h"

#include <math.h>

/* ---------------------------------------------------------------- the selection */

static int by_key(const void *a, const void *b) {
    const wick_candidate *x = a, *y = b;
    return x->key > y->key ? -1 : x->key < y->key ? 1 : x->id - y->id;
}

/* The definition: sort, add up, cut. Weights are small whole numbers, so that every order of adding gives the same sum. */
static size_t sorted_prefix(wick_candidate *c, size_t n, const float *weights, double target, bool beyond, size_t least) {
    double sum = 0;
    size_t kept = 0;
    qsort(c, n, sizeof *c, by_key);
    while (kept < n && !(kept && (beyond ? sum > target : sum >= target))) sum += weights ? (double)weights[c[kept].id] : 1, kept++;
    return kept < least ? (least < n ? least : n) : kept;
}

enum { MOST = 5000, N_SHAPE = 10 };

/* Keys by chance, with ties, all equal, in order, against it; zeros of both signs, impossible ones; and such as pivots from the ends and
 * the middle choose badly. */
static float key_of(int shape, size_t i, size_t n, test_rng *r) {
    float x = test_rng_float(r);
    switch (shape) {
    case 0: return x;
    case 1: return 50 * x;
    case 2: return floorf(3 * x);
    case 3: return 0.25f;
    case 4: return (float)i;
    case 5: return -(float)i;
    case 6: return test_rng_below(r, 3) ? (test_rng_below(r, 2) ? 0.0f : -0.0f) : x;
    case 7: return test_rng_below(r, 2) ? -INFINITY : x;
    case 8: return i % 2 ? (float)(i < n / 2 ? i : n - i) : (float)(n + i);
    default: return ldexpf(x, -(int)test_rng_below(r, 149)); /* down to denormals */
    }
}

static void check_prefix(int shape, size_t n, bool weighted, test_rng *r) {
    static wick_candidate c[MOST], want[MOST];
    static float weights[MOST];
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        want[i] = c[i] = (wick_candidate){key_of(shape, i, n, r), (int32_t)i};
        total += (double)(weights[i] = weighted ? (float)test_rng_below(r, 5) : 1);
    }
    double target = floor(total * (double)test_rng_below(r, 101) / 100) + (test_rng_below(r, 20) ? 0 : total);
    bool beyond = test_rng_below(r, 2) != 0;
    size_t least = test_rng_below(r, 4) ? 0 : test_rng_below(r, (uint32_t)n + 10);
    size_t n_want = sorted_prefix(want, n, weighted ? weights : NULL, target, beyond, least);
    size_t kept = wick_select_prefix(c, n, weighted ? weights : NULL, target, beyond, least);
    if (kept != n_want) fail_msg("shape %d, %zu keys: %zu are kept, it should be %zu", shape, n, kept, n_want);
    for (size_t i = 1; i < kept; i++) assert_true(c[i - 1].id < c[i].id); /* they keep their order */
    wick_select_sort(c, kept);
    for (size_t i = 0; i < kept; i++) assert_int_equal(c[i].id, want[i].id);
}

static void test_prefix(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 16, 17, 63, 64, 65, 66, 200, 1000, MOST};
    test_rng r = {11};
    for (int shape = 0; shape < N_SHAPE; shape++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int round = 0; round < 12; round++) check_prefix(shape, sizes[i], round % 2 != 0, &r);
    assert_int_equal(wick_select_prefix(NULL, 0, NULL, 1, false, 3), 0);
}

/* ---------------------------------------------------------------- the loops */

enum { N_MAX = 3000 };

static const wick_sampler_loops *loops_of(uint32_t flag) {
#if defined(__x86_64__)
    if (flag == WICK_CPU_AVX2) return &wick_sampler_loops_avx2;
    if (flag == WICK_CPU_AVX512VNNI) return &wick_sampler_loops_avx512vnni;
#endif
    (void)flag;
    return NULL;
}

static void check_scan(const wick_sampler_loops *a, const wick_sampler_loops *b, size_t n, test_rng *r) {
    static float x[N_MAX], most[2][N_MAX];
    bool hostile = test_rng_below(r, 2) != 0;
    for (size_t i = 0; i < n; i++) {
        static const float nasty[] = {NAN, INFINITY, -INFINITY, 3e38f};
        x[i] = hostile && !test_rng_below(r, 20) ? nasty[test_rng_below(r, 4)] : 20 * test_rng_float(r);
    }
    assert_int_equal(a->scan(x, n, most[0]), b->scan(x, n, most[1]));
    assert_memory_equal(most[0], most[1], (n + WICK_SAMPLER_BLOCK - 1) / WICK_SAMPLER_BLOCK * sizeof(float));
}

static void check_sums(const wick_sampler_loops *a, const wick_sampler_loops *b, size_t n, test_rng *r) {
    static float x[N_MAX], p[2][N_MAX];
    static double sums[2][N_MAX];
    static wick_candidate found[2][N_MAX];
    float most = -INFINITY, scale = test_rng_below(r, 2) ? 1 : 3 * test_rng_float(r) + 4;
    for (size_t i = 0; i < n; i++) x[i] = test_rng_below(r, 9) ? 20 * test_rng_float(r) : -INFINITY;
    x[n / 2] = 1;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, x[i]);
    double sum[2] = {a->exponentials(x, n, most, scale, p[0], sums[0]), b->exponentials(x, n, most, scale, p[1], sums[1])};
    assert_memory_equal(&sum[0], &sum[1], sizeof *sum);
    assert_memory_equal(p[0], p[1], n * sizeof **p);
    assert_memory_equal(sums[0], sums[1], (n + WICK_SAMPLER_BLOCK - 1) / WICK_SAMPLER_BLOCK * sizeof **sums);
    sum[0] = a->exponents(x, p[0], n, most, scale), sum[1] = b->exponents(x, p[0], n, most, scale);
    assert_memory_equal(&sum[0], &sum[1], sizeof *sum);
    for (int power = 0; power <= 2; power++) {
        sum[0] = a->moment(x, n, 1.5f, power), sum[1] = b->moment(x, n, 1.5f, power);
        assert_memory_equal(&sum[0], &sum[1], sizeof *sum);
    }
    size_t n_found = a->find(x, n, 1, NULL, 0, found[0]), n_true = 0;
    assert_int_equal(n_found, b->find(x, n, 1, NULL, 0, found[1]));
    assert_memory_equal(found[0], found[1], n_found * sizeof **found);
    for (size_t i = 0; i < n; i++)
        if (x[i] >= 1) assert_int_equal(found[0][n_true++].id, i);
    assert_int_equal(n_found, n_true);
}

/* Every set that this machine has gives the bits of the plain loops. */
static void test_loops(void **state) {
    (void)state;
    static const uint32_t flags[] = {0, WICK_CPU_AVX2, WICK_CPU_AVX512VNNI};
    test_rng r = {12};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const wick_sampler_loops *now = flags[i] ? loops_of(flags[i]) : &wick_sampler_loops_any;
        if (!now || (wick_cpu_detect() & flags[i]) != flags[i]) continue;
        for (size_t round = 0; round < 300; round++) {
            size_t n = round < 200 ? round + 1 : 1 + test_rng_below(&r, N_MAX);
            check_scan(&wick_sampler_loops_any, now, n, &r);
            check_sums(&wick_sampler_loops_any, now, n, &r);
        }
    }
}

/* ---------------------------------------------------------------- whole vocabularies */

enum { VOCAB = 40001 }; /* the best few are looked for first from 32768 on; the last block is not whole */

/* What is left after one draw: ids in rising order. */
static size_t left_by(const wick_sampler_options *o, const float *logits, int32_t *ids) {
    wick_sampler *s;
    assert_ok(wick_sampler_new(o, VOCAB, &s, err));
    wick_mem_stats before = wick_mem_stats_get();
    int32_t drawn = wick_sampler_sample(s, logits);
    assert_int_equal(wick_mem_stats_get().n_alloc, before.n_alloc);
    assert_false(s->whole);
    size_t n = s->n, where = n;
    qsort(s->candidates, n, sizeof *s->candidates, by_key); /* of equals: by id */
    for (size_t i = 0; i < n; i++) {
        ids[i] = s->candidates[i].id;
        if (ids[i] == drawn) where = i;
    }
    assert_in_range(where, 0, n - 1);
    wick_sampler_free(s);
    return n;
}

static wick_sampler_options plain(void) {
    wick_sampler_options o = wick_sampler_options_default();
    o.temperature = 1;
    return o;
}

/* All alike: as many of the lowest ids as hold the part. */
static void test_equal_logits(void **state) {
    (void)state;
    static float logits[VOCAB];
    static int32_t ids[VOCAB];
    for (int i = 0; i < VOCAB; i++) logits[i] = -3;
    static const double parts[] = {0.001, 0.25, 0.5, 0.875};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        wick_sampler_options o = plain();
        o.top_p = (float)parts[k];
        size_t want = (size_t)ceil((double)o.top_p * VOCAB), n = left_by(&o, logits, ids);
        assert_int_equal(n, want);
        for (size_t i = 0; i < n; i++) assert_int_equal(ids[i], i);
        o = plain(), o.typical_p = (float)parts[k]; /* all surprise alike */
        n = left_by(&o, logits, ids);
        assert_int_equal(n, (size_t)floor((double)o.typical_p * VOCAB) + 1);
        for (size_t i = 0; i < n; i++) assert_int_equal(ids[i], i);
    }
}

/* 4000 tokens of exponential 1 and 36001 of 1/4, together 13000.25: a cut goes through equals. */
static void test_ties_at_the_cut(void **state) {
    (void)state;
    static float logits[VOCAB];
    static int32_t ids[VOCAB];
    for (int i = 0; i < VOCAB; i++) logits[i] = i % 10 == 3 ? 0 : -1.38629436f;
    wick_sampler_options o = plain();
    o.top_p = 0.25f; /* 3250.06: likely ones only */
    size_t n = left_by(&o, logits, ids);
    assert_int_equal(n, 3251);
    for (size_t i = 0; i < n; i++) assert_int_equal(ids[i], 10 * i + 3);
    o.top_p = 0.5f; /* 6500.125: all 4000, and 2500.125 : 0.25 of the others, give or take the rounding of the logit */
    n = left_by(&o, logits, ids);
    assert_in_range(n, 4000 + 10000, 4000 + 10002);
    assert_int_equal(ids[3999], 39993);
    for (size_t i = 4000, id = 0; i < n; i++, id++) {
        id += id % 10 == 3;
        assert_int_equal(ids[i], id);
    }
    o.min_keep = 20000; /* more than the part needs */
    assert_int_equal(left_by(&o, logits, ids), 20000);
    o = plain(), o.top_k = 5000;
    assert_int_equal(left_by(&o, logits, ids), 5000);
    assert_int_equal(ids[4999], 1110);
}

/* Only a few tokens are possible, and they stand in the block that is not whole and in the first. */
static void test_impossible_tokens(void **state) {
    (void)state;
    static float logits[VOCAB];
    static int32_t ids[VOCAB];
    for (int i = 0; i < VOCAB; i++) logits[i] = -INFINITY;
    logits[VOCAB - 1] = logits[7] = 1, logits[9] = 0.5f;
    wick_sampler_options o = plain();
    o.top_p = 0.6f; /* e, e, e^0.5: 0.384, 0.384, 0.233 */
    assert_int_equal(left_by(&o, logits, ids), 2);
    assert_true(ids[0] == 7 && ids[1] == VOCAB - 1);
    o.top_p = 0.3f;
    assert_int_equal(left_by(&o, logits, ids), 1);
    assert_int_equal(ids[0], 7);
    o = plain(), o.typical_p = 0.5f; /* surprises 0.958, 0.958, 1.458; expected 1.074 */
    assert_int_equal(left_by(&o, logits, ids), 2);
    assert_true(ids[0] == 7 && ids[1] == VOCAB - 1);
    o = plain(), o.top_n_sigma = 1; /* of the possible ones: sigma 0.236 */
    assert_int_equal(left_by(&o, logits, ids), 2);
    o = plain(), o.top_k = 1000;
    left_by(&o, logits, ids);
    assert_true(ids[0] == 7 && ids[1] == VOCAB - 1 && ids[2] == 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_equal_logits),
        cmocka_unit_test(test_ties_at_the_cut),
        cmocka_unit_test(test_impossible_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
