/* Samplers: exact small cases, distributions, seeds, memory, hostile logits. */
#include "base/mem.h"
#include "support/support.h"
#include "text/sampler_math.h"
#include "wick.h"

#include <math.h>

#define N 5
/* probabilities 0.4 0.3 0.15 0.1 0.05, ids in another order */
static const float P[N] = {0.15f, 0.4f, 0.05f, 0.3f, 0.1f};

static void logits_of(const float *p, float *logits, int n) {
    for (int i = 0; i < n; i++) logits[i] = logf(p[i]) + 3;
}

static wick_sampler_options plain(void) {
    wick_sampler_options o = wick_sampler_options_default();
    o.temperature = 1;
    return o;
}

/* Draws many times: counts per id. */
static void histogram(const wick_sampler_options *o, const float *logits, int n, int draws, int *counts) {
    wick_sampler *s;
    assert_ok(wick_sampler_new(o, (size_t)n, &s, err));
    memset(counts, 0, (size_t)n * sizeof *counts);
    for (int i = 0; i < draws; i++) {
        int32_t id = wick_sampler_sample(s, logits);
        assert_in_range(id, 0, n - 1);
        counts[id]++;
    }
    wick_sampler_free(s);
}

/* Chi-squared against expected shares; 30 is beyond the 99.99 % point for up to 7 degrees of freedom. */
static void assert_shares(const wick_sampler_options *o, const float *logits, int n, const double *shares) {
    enum { DRAWS = 20000 };
    int counts[16];
    double chi = 0, total = 0;
    histogram(o, logits, n, DRAWS, counts);
    for (int i = 0; i < n; i++) total += shares[i];
    for (int i = 0; i < n; i++) {
        double want = shares[i] / total * DRAWS;
        if (want == 0)
            assert_int_equal(counts[i], 0);
        else
            chi += (counts[i] - want) * (counts[i] - want) / want;
    }
    assert_true(chi < 30);
}

static void test_greedy(void **state) {
    (void)state;
    wick_sampler *s;
    wick_sampler_options o = plain();
    o.temperature = 0;
    assert_ok(wick_sampler_new(&o, 4, &s, err));
    assert_int_equal(wick_sampler_sample(s, (float[]){1, 5, 5, 2}), 1);
    assert_int_equal(wick_sampler_sample(s, (float[]){NAN, -1, NAN, -2}), 1);
    assert_int_equal(wick_sampler_sample(s, (float[]){NAN, NAN, NAN, NAN}), 0);
    wick_sampler_free(s);
}

static void test_steps(void **state) {
    (void)state;
    float logits[N];
    logits_of(P, logits, N);
    wick_sampler_options o = plain();
    assert_shares(&o, logits, N, (double[]){0.15, 0.4, 0.05, 0.3, 0.1});
    o.temperature = 0.5f; /* squares */
    assert_shares(&o, logits, N, (double[]){0.0225, 0.16, 0.0025, 0.09, 0.01});
    o = plain(), o.top_k = 2;
    assert_shares(&o, logits, N, (double[]){0, 0.4, 0, 0.3, 0});
    o = plain(), o.top_p = 0.75f; /* 0.4 + 0.3 < 0.75: the third belongs to it */
    assert_shares(&o, logits, N, (double[]){0.15, 0.4, 0, 0.3, 0});
    o = plain(), o.top_p = 0.69f;
    assert_shares(&o, logits, N, (double[]){0, 0.4, 0, 0.3, 0});
    o = plain(), o.min_p = 0.3f; /* at least 0.12 */
    assert_shares(&o, logits, N, (double[]){0.15, 0.4, 0, 0.3, 0});
    o = plain(), o.xtc_probability = 1, o.xtc_threshold = 0.12f; /* of three above it, the least likely stays */
    assert_shares(&o, logits, N, (double[]){0.15, 0, 0.05, 0, 0.1});
    o = plain(), o.typical_p = 0.25f; /* entropy 1.392: a surprise of 1.204 is the nearest */
    assert_shares(&o, logits, N, (double[]){0, 0, 0, 1, 0});
    o = plain(), o.typical_p = 0.4f; /* then 0.916 */
    assert_shares(&o, logits, N, (double[]){0, 0.4, 0, 0.3, 0});
    o = plain(), o.typical_p = 0.75f; /* then 1.897 */
    assert_shares(&o, logits, N, (double[]){0.15, 0.4, 0, 0.3, 0});
    o = plain(), o.top_n_sigma = 0.5f; /* sigma 0.738 of the logs */
    assert_shares(&o, logits, N, (double[]){0, 0.4, 0, 0.3, 0});
    wick_logit_bias never = {1, -INFINITY};
    o = plain(), o.biases = &never, o.n_biases = 1;
    assert_shares(&o, logits, N, (double[]){0.15, 0, 0.05, 0.3, 0.1});
}

/* Temperature before top-p keeps more at a high temperature than after it. */
static void test_order(void **state) {
    (void)state;
    float logits[N];
    logits_of(P, logits, N);
    wick_sampler_options o = plain();
    o.temperature = 2, o.top_p = 0.69f;
    double a = sqrt(0.4), b = sqrt(0.3), c = sqrt(0.15);
    assert_shares(&o, logits, N, (double[]){0, a, 0, b, 0});
    o.order = "hf"; /* shares 0.298, 0.258, 0.183 ...: three */
    assert_shares(&o, logits, N, (double[]){c, a, 0, b, 0});
    o.order = "top_k;sorcery";
    wick_sampler *s;
    wick_error err;
    assert_int_equal(wick_sampler_new(&o, N, &s, &err), WICK_EINVAL);
    assert_string_equal(err.message, "sampler order: \"sorcery\" is no step");
    o.order = "top_k;top_k";
    assert_int_equal(wick_sampler_new(&o, N, &s, &err), WICK_EINVAL);
}

static int32_t choose(const wick_sampler_options *o, const int32_t *text, int n, const float *logits, int n_vocab) {
    wick_sampler *s;
    assert_ok(wick_sampler_new(o, (size_t)n_vocab, &s, err));
    for (int i = 0; i < n; i++) wick_sampler_accept(s, text[i]);
    int32_t id = wick_sampler_sample(s, logits);
    wick_sampler_free(s);
    return id;
}

static void test_penalties(void **state) {
    (void)state;
    const float logits[4] = {2, 1.9f, -1, -1.05f};
    const int32_t text[] = {0, 0, 2};
    wick_sampler_options o = plain();
    o.temperature = 0;
    assert_int_equal(choose(&o, text, 3, logits, 4), 0);
    o.repeat_penalty = 1.1f; /* 2 / 1.1 < 1.9 */
    assert_int_equal(choose(&o, text, 3, logits, 4), 1);
    o.repeat_last_n = 1; /* sees token 2 only: -1.1 */
    assert_int_equal(choose(&o, text, 3, logits, 4), 0);
    assert_int_equal(choose(&o, text, 3, (float[]){-9, -9, -1, -1.05f}, 4), 3);
    o = plain(), o.temperature = 0, o.frequency_penalty = 0.04f; /* twice 0.04 is not enough */
    assert_int_equal(choose(&o, text, 3, logits, 4), 0);
    o.frequency_penalty = 0.06f;
    assert_int_equal(choose(&o, text, 3, logits, 4), 1);
    o.frequency_penalty = 0, o.presence_penalty = 0.11f;
    assert_int_equal(choose(&o, text, 3, logits, 4), 1);
}

/* 0 1 2 3 0 1 2: 3 would prolong a repeat of three, and costs 1 * 2^(3 - 2). */
static void test_dry(void **state) {
    (void)state;
    const int32_t text[] = {0, 1, 2, 3, 0, 1, 2};
    wick_sampler_options o = plain();
    o.temperature = 0, o.dry_multiplier = 1, o.dry_base = 2;
    assert_int_equal(choose(&o, text, 7, (float[]){0, 0, 0, 2.1f, 0}, 5), 3);
    assert_int_equal(choose(&o, text, 7, (float[]){0, 0, 0, 1.9f, 0}, 5), 0);
    const int32_t breaker = 1; /* then the repeat is of one token only */
    o.dry_breakers = &breaker, o.n_dry_breakers = 1;
    assert_int_equal(choose(&o, text, 7, (float[]){0, 0, 0, 0.1f, 0}, 5), 3);
}

static void test_min_tokens(void **state) {
    (void)state;
    const int32_t end = 1;
    wick_sampler_options o = plain();
    o.temperature = 0, o.end_ids = &end, o.n_end_ids = 1, o.min_tokens = 2;
    wick_sampler *s;
    assert_ok(wick_sampler_new(&o, 3, &s, err));
    wick_sampler_accept(s, 0); /* a prompt's token does not count */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wick_sampler_sample(s, (float[]){1, 5, 2}), 2);
        wick_sampler_accept(s, 2);
    }
    assert_int_equal(wick_sampler_sample(s, (float[]){1, 5, 2}), 1);
    wick_sampler_free(s);
}

/* Mirostat steers the mean surprise to tau. */
static void test_mirostat(void **state) {
    (void)state;
    enum { VOCAB = 1000, DRAWS = 4000 };
    static float logits[VOCAB];
    double total = 0;
    for (int i = 0; i < VOCAB; i++) logits[i] = -1.1f * logf((float)i + 1), total += exp(logits[i]);
    for (int version = 1; version <= 2; version++) {
        wick_sampler_options o = plain();
        o.mirostat = version, o.mirostat_tau = 3;
        wick_sampler *s;
        assert_ok(wick_sampler_new(&o, VOCAB, &s, err));
        double surprise = 0;
        for (int i = 0; i < DRAWS; i++) {
            int32_t id = wick_sampler_sample(s, logits);
            surprise += -log2(exp(logits[id]) / total);
        }
        wick_sampler_free(s);
        /* surprise is measured after truncation, so that of the whole distribution is a little above tau */
        assert_true(surprise / DRAWS > 2.5 && surprise / DRAWS < 4.5);
    }
}

/* The numbers are part of the contract: a seed means the same text in every build. */
static void test_seed(void **state) {
    (void)state;
    enum { VOCAB = 300 };
    float logits[VOCAB];
    test_rng r = {7};
    for (int i = 0; i < VOCAB; i++) logits[i] = 4 * test_rng_float(&r);
    static const int32_t want[] = {75, 267, 97, 255, 123, 235, 8, 167, 106, 297, 238, 275};
    wick_sampler_options o = plain();
    o.seed = 42, o.top_p = 0.95f, o.top_k = 100, o.temperature = 0.8f;
    wick_sampler *s;
    assert_ok(wick_sampler_new(&o, VOCAB, &s, err));
    wick_mem_stats before = wick_mem_stats_get();
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        int32_t id = wick_sampler_sample(s, logits);
        wick_sampler_accept(s, id);
        assert_int_equal(id, want[i]);
    }
    assert_int_equal(wick_mem_stats_get().n_alloc, before.n_alloc);
    wick_sampler_free(s);
}

static void test_math(void **state) {
    (void)state;
    for (int i = 0; i < 100000; i++) {
        float x = -87.0f * (float)i / 100000;
        assert_true(fabs(wick_exp_f32(x) - exp(x)) <= 3e-7 * exp(x));
        double y = exp(-20.0 + 40.0 * i / 100000);
        assert_true(fabs(wick_log_f64(y) - log(y)) <= 4e-16 * (1 + fabs(log(y))));
        double z = -600 + 1200.0 * i / 100000;
        assert_true(fabs(wick_exp_f64(z) - exp(z)) <= 2e-15 * exp(z));
    }
    assert_true(wick_exp_f32(-INFINITY) == 0 && wick_exp_f32(0) == 1);
}

static void test_logprobs(void **state) {
    (void)state;
    float logits[N], logprob;
    wick_logprob top[3];
    logits_of(P, logits, N);
    assert_int_equal(wick_logprobs(logits, N, 4, &logprob, top, 3), 3);
    assert_true(fabsf(logprob - logf(0.1f)) < 1e-5f);
    assert_int_equal(top[0].token, 1);
    assert_int_equal(top[1].token, 3);
    assert_int_equal(top[2].token, 0);
    assert_true(fabsf(top[1].logprob - logf(0.3f)) < 1e-5f);
}

/* Nothing but ids of the vocabulary comes out, whatever goes in and whatever is switched on. */
static void test_hostile(void **state) {
    (void)state;
    test_rng r = {3};
    static const float nasty[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0, 1, -1};
    for (int round = 0; round < 3000; round++) {
        float logits[16];
        wick_sampler_options o = plain();
        o.seed = (uint64_t)round;
        o.temperature = (float)test_rng_below(&r, 4) / 2;
        o.top_k = (int)test_rng_below(&r, 20), o.top_p = (float)test_rng_below(&r, 11) / 10, o.min_p = (float)test_rng_below(&r, 11) / 10;
        o.typical_p = (float)test_rng_below(&r, 11) / 10, o.top_n_sigma = (float)test_rng_below(&r, 3);
        o.xtc_probability = (float)test_rng_below(&r, 3) / 2, o.mirostat = (int)test_rng_below(&r, 3);
        o.dynatemp_range = (float)test_rng_below(&r, 3), o.dry_multiplier = (float)test_rng_below(&r, 2), o.repeat_penalty = 1.5f;
        o.order = test_rng_below(&r, 2) ? "hf" : NULL, o.min_keep = (int)test_rng_below(&r, 4);
        wick_sampler *s;
        assert_ok(wick_sampler_new(&o, 16, &s, err));
        for (int k = 0; k < 4; k++) {
            for (int i = 0; i < 16; i++) logits[i] = test_rng_below(&r, 3) ? 5 * test_rng_float(&r) : nasty[test_rng_below(&r, 8)];
            int32_t id = wick_sampler_sample(s, logits);
            assert_in_range(id, 0, 15);
            wick_sampler_accept(s, id);
        }
        wick_sampler_free(s);
    }
}

/* The table names numbers of the struct; each can be set within its range, and nowhere else. */
static void test_fields(void **state) {
    (void)state;
    wick_sampler_options o = wick_sampler_options_default(), initial = o;
    wick_error err;
    const wick_sampler_field *f;
    size_t n = 0;
    for (; (f = wick_sampler_field_get(n)); n++) {
        double before = wick_sampler_option(&o, n), middle = f->whole ? 2 : 0.25;
        assert_true(before >= f->least && before <= f->most);
        assert_int_equal(wick_sampler_option_set(&o, n, middle, &err), WICK_OK);
        assert_true(wick_sampler_option(&o, n) == middle);
        assert_int_equal(wick_sampler_option_set(&o, n, f->most * 2 + 1, &err), WICK_EINVAL);
        assert_int_equal(wick_sampler_option_set(&o, n, NAN, &err), WICK_EINVAL);
        if (f->whole) assert_int_equal(wick_sampler_option_set(&o, n, 1.5, &err), WICK_EINVAL);
        assert_true(wick_sampler_option(&o, n) == middle);
        for (size_t k = 0; k < n; k++) assert_string_not_equal(wick_sampler_field_get(k)->name, f->name);
    }
    assert_true(n > 20);
    assert_int_equal(wick_sampler_option_set(&o, n, 1, &err), WICK_EINVAL);
    assert_true(o.temperature == 0.25f && o.top_k == 2 && o.min_tokens == 2 && o.dynatemp_exponent == 0.25f && o.min_keep == 2);
    assert_true(o.seed == initial.seed && o.order == initial.order);
    wick_sampler *s;
    o = initial, o.top_p = 1.5f;
    assert_int_equal(wick_sampler_new(&o, 5, &s, &err), WICK_EINVAL);
    assert_string_equal(err.message, "sampler: top_p is 1.5, it should be between 0 and 1");
}

static void test_allocation_failure(void **state) {
    (void)state;
    uint64_t live = wick_mem_stats_get().n_live;
    wick_sampler_options o = plain();
    o.typical_p = 0.5f, o.dry_multiplier = 1, o.repeat_penalty = 1.1f;
    for (uint64_t i = 1; i < 12; i++) {
        wick_sampler *s;
        wick_mem_fail_at(i);
        wick_status status = wick_sampler_new(&o, 100, &s, NULL);
        wick_mem_fail_at(0);
        if (status == WICK_OK)
            wick_sampler_free(s);
        else
            assert_int_equal(status, WICK_ENOMEM);
        assert_int_equal(wick_mem_stats_get().n_live, live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_dry),
        cmocka_unit_test(test_min_tokens),
        cmocka_unit_test(test_mirostat),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_math),
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
