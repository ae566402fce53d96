/* Every sampler against its definition: how often each token is drawn, for vocabularies, logits, settings and orders by chance (of fixed
 * seeds). The definitions stand here in double precision, sorted whole, as the papers have them. */
#include "support/support.h"
#include "wick.h"

#include <math.h>

enum { MAX_VOCAB = 2000, DRAWS = 20000 };

typedef struct token {
    int id;
    double logit, p;
} token;

typedef struct list {
    token t[MAX_VOCAB];
    int n;
} list;

static int by_logit(const void *a, const void *b) {
    const token *x = a, *y = b;
    return x->logit > y->logit ? -1 : x->logit < y->logit ? 1 : x->id - y->id;
}

static double middle; /* of surprise */

static int by_distance(const void *a, const void *b) {
    double x = fabs(-log(((const token *)a)->p) - middle), y = fabs(-log(((const token *)b)->p) - middle);
    return x < y ? -1 : x > y ? 1 : ((const token *)a)->id - ((const token *)b)->id;
}

static void softmax(list *l) {
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < l->n; i++) most = fmax(most, l->t[i].logit);
    for (int i = 0; i < l->n; i++) sum += l->t[i].p = exp(l->t[i].logit - most);
    for (int i = 0; i < l->n; i++) l->t[i].p /= sum;
}

static double entropy(const list *l) {
    double h = 0;
    for (int i = 0; i < l->n; i++)
        if (l->t[i].p > 0) h -= l->t[i].p * log(l->t[i].p);
    return h;
}

static void cut(list *l, int n, const wick_sampler_options *o) {
    if (n < o->min_keep) n = o->min_keep;
    if (n < 1) n = 1;
    if (n < l->n) l->n = n;
}

static void cut_below(list *l, double least, const wick_sampler_options *o) {
    int n = 0;
    while (n < l->n && l->t[n].logit >= least) n++;
    cut(l, n, o);
}

/* Of tokens in some order, the shortest beginning whose probability reaches p (or goes beyond it). */
static int beginning(const list *l, double p, bool beyond) {
    double sum = 0;
    for (int i = 0; i < l->n; i++) {
        sum += l->t[i].p;
        if (beyond ? sum > p : sum >= p) return i + 1;
    }
    return l->n;
}

static void top_n_sigma(list *l, const wick_sampler_options *o) {
    double sum = 0, squares = 0, n = l->n;
    for (int i = 0; i < l->n; i++) sum += l->t[i].logit;
    for (int i = 0; i < l->n; i++) squares += (l->t[i].logit - sum / n) * (l->t[i].logit - sum / n);
    cut_below(l, l->t[0].logit - (double)o->top_n_sigma * sqrt(squares / n), o);
}

static void typical(list *l, const wick_sampler_options *o) {
    if (l->n < 2) return;
    middle = entropy(l);
    qsort(l->t, (size_t)l->n, sizeof *l->t, by_distance);
    cut(l, beginning(l, (double)o->typical_p, true), o);
}

static void xtc(list *l, const wick_sampler_options *o) {
    int above = 0;
    while (above < l->n && l->t[above].p >= (double)o->xtc_threshold) above++;
    if (above < 2 || l->n - (above - 1) < o->min_keep) return;
    memmove(l->t, l->t + above - 1, (size_t)(l->n - above + 1) * sizeof *l->t);
    l->n -= above - 1;
}

static void temperature(list *l, const wick_sampler_options *o) {
    double t = (double)o->temperature, range = (double)o->dynatemp_range;
    if (range > 0 && l->n > 1) {
        double low = fmax(0, t - range), share = entropy(l) / log(l->n);
        t = fmax(1e-3, low + (t + range - low) * pow(share, (double)o->dynatemp_exponent));
    }
    for (int i = 0; i < l->n; i++) l->t[i].logit /= t;
}

/* One step by its name; with_xtc: whether chance lets that one act. */
static void run_step(list *l, const char *name, size_t n, const wick_sampler_options *o, bool with_xtc) {
    qsort(l->t, (size_t)l->n, sizeof *l->t, by_logit);
    softmax(l);
#define IS(text) (n == strlen(text) && !memcmp(name, text, n))
    if (IS("top_k") && o->top_k) cut(l, o->top_k, &(wick_sampler_options){0});
    if (IS("top_p") && o->top_p < 1) cut(l, beginning(l, (double)o->top_p, false), o);
    if (IS("min_p") && o->min_p > 0) cut_below(l, l->t[0].logit + log((double)o->min_p), o);
    if (IS("top_n_sigma") && o->top_n_sigma > 0) top_n_sigma(l, o);
    if (IS("typical") && o->typical_p < 1) typical(l, o);
    if (IS("xtc") && with_xtc) xtc(l, o);
    if (IS("temperature")) temperature(l, o);
#undef IS
}

/* Adds share times the distribution to want[]. */
static void define(const wick_sampler_options *o, const float *logits, int n, bool with_xtc, double share, double *want) {
    static list l;
    static const char *const presets[] = {"top_n_sigma;top_k;typical;top_p;min_p;xtc;temperature",
                                          "temperature;top_k;top_p;min_p;typical;top_n_sigma;xtc"};
    const char *order = !o->order ? presets[0] : !strcmp(o->order, "hf") ? presets[1] : o->order;
    l.n = n;
    for (int i = 0; i < n; i++) l.t[i] = (token){i, (double)logits[i], 0};
    for (size_t k; *order; order += k + (order[k] == ';')) run_step(&l, order, k = strcspn(order, ";"), o, with_xtc);
    softmax(&l);
    for (int i = 0; i < l.n; i++) want[l.t[i].id] += share * l.t[i].p;
}

/* Chi-squared as a standard normal (Wilson and Hilferty): how surprising the counts are. Rare tokens are judged together. */
static double surprise(const int *counts, const double *want, int n, int draws) {
    double chi = 0, rest = 0, rest_count = 0;
    int bins = 0;
    for (int i = 0; i < n; i++) {
        double expected = want[i] * draws;
        if (want[i] == 0 && counts[i]) return INFINITY; /* impossible */
        if (expected < 10) {
            rest += expected, rest_count += counts[i];
        } else {
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
            bins++;
        }
    }
    if (rest >= 10) chi += (rest_count - rest) * (rest_count - rest) / rest, bins++;
    if (bins < 2) return fabs(rest_count - rest) > 60 ? INFINITY : 0;
    double df = bins - 1, v = 2 / (9 * df);
    return (cbrt(chi / df) - (1 - v)) / sqrt(v);
}

static void check(const wick_sampler_options *o, const float *logits, int n, const char *what) {
    static double want[MAX_VOCAB];
    static int counts[MAX_VOCAB];
    wick_sampler *s;
    double x = (double)o->xtc_probability;
    memset(want, 0, sizeof want);
    memset(counts, 0, sizeof counts);
    if (x > 0) define(o, logits, n, true, x, want);
    if (x < 1) define(o, logits, n, false, 1 - x, want);
    assert_ok(wick_sampler_new(o, (size_t)n, &s, err));
    for (int i = 0; i < DRAWS; i++) counts[wick_sampler_sample(s, logits)]++;
    wick_sampler_free(s);
    double z = surprise(counts, want, n, DRAWS);
    if (!(z < 4.5)) fail_msg("%s: %d tokens, order %s: %.1f standard deviations off", what, n, o->order ? o->order : "default", z);
}

static float bell(test_rng *r) { return test_rng_float(r) + test_rng_float(r) + test_rng_float(r) + test_rng_float(r); }

/* Flat, peaked, with ties, with impossible tokens. */
static int make_logits(test_rng *r, float *logits) {
    static const int sizes[] = {2, 5, 63, 64, 65, 700, 1024, MAX_VOCAB};
    int n = sizes[test_rng_below(r, 8)];
    float width = 0.2f + 4 * (float)test_rng_below(r, 100) / 100;
    for (int i = 0; i < n; i++) logits[i] = width * bell(r) + (test_rng_below(r, 50) ? 0 : 6);
    if (!test_rng_below(r, 3))
        for (int i = 0; i < n; i += 3) logits[i] = logits[(i * 7) % n];
    return n;
}

static wick_sampler_options plain(uint64_t seed) {
    wick_sampler_options o = wick_sampler_options_default();
    o.temperature = 1;
    o.seed = seed;
    return o;
}

static float part(test_rng *r) { return (float)(1 + test_rng_below(r, 998)) / 1000; }

/* Each step alone, over many shapes of distribution. */
static void test_each(void **state) {
    (void)state;
    static float logits[MAX_VOCAB];
    test_rng r = {2};
    for (int round = 0; round < 12; round++) {
        int n = make_logits(&r, logits);
        wick_sampler_options o = plain((uint64_t)round);
        check(&o, logits, n, "nothing");
        o.temperature = 0.3f + 2 * part(&r);
        check(&o, logits, n, "temperature");
        o = plain((uint64_t)round), o.top_k = 1 + (int)test_rng_below(&r, 100);
        check(&o, logits, n, "top_k");
        o = plain((uint64_t)round), o.top_p = part(&r);
        check(&o, logits, n, "top_p");
        o = plain((uint64_t)round), o.min_p = part(&r);
        check(&o, logits, n, "min_p");
        o = plain((uint64_t)round), o.typical_p = part(&r);
        check(&o, logits, n, "typical_p");
        o = plain((uint64_t)round), o.top_n_sigma = 2 * part(&r);
        check(&o, logits, n, "top_n_sigma");
        o = plain((uint64_t)round), o.xtc_probability = part(&r), o.xtc_threshold = part(&r) / 4;
        check(&o, logits, n, "xtc");
        o = plain((uint64_t)round), o.temperature = 1 + part(&r), o.dynatemp_range = part(&r), o.dynatemp_exponent = 0.5f + part(&r);
        check(&o, logits, n, "dynatemp");
    }
}

/* Several at once, in either preset's order or one's own. */
static void test_together(void **state) {
    (void)state;
    static float logits[MAX_VOCAB];
    static const char *const orders[] = {NULL, "hf", "top_p;temperature;top_k;min_p", "min_p;xtc;typical;temperature;top_p"};
    test_rng r = {3};
    for (int round = 0; round < 40; round++) {
        int n = make_logits(&r, logits);
        wick_sampler_options o = plain((uint64_t)round);
        o.order = orders[round % 4];
        o.temperature = 0.5f + part(&r);
        if (test_rng_below(&r, 2)) o.top_k = 1 + (int)test_rng_below(&r, 60);
        if (test_rng_below(&r, 2)) o.top_p = 0.5f + part(&r) / 2;
        if (test_rng_below(&r, 2)) o.min_p = part(&r) / 5;
        if (test_rng_below(&r, 4) == 0) o.typical_p = 0.3f + part(&r) / 2;
        if (test_rng_below(&r, 4) == 0) o.xtc_probability = 0.5f;
        if (test_rng_below(&r, 4) == 0) o.min_keep = 5;
        check(&o, logits, n, "together");
    }
}

/* Mirostat's state changes with every draw, so each draw here is a first one: this is also how different seeds differ. */
static void test_first_draws(void **state) {
    (void)state;
    enum { N = 60 };
    float logits[N];
    test_rng r = {4};
    for (int i = 0; i < N; i++) logits[i] = 2 * bell(&r);
    for (int version = 0; version <= 2; version++) {
        static list l;
        double want[N] = {0};
        int counts[N] = {0};
        wick_sampler_options o = plain(0);
        o.mirostat = version, o.mirostat_tau = 2;
        l.n = N;
        for (int i = 0; i < N; i++) l.t[i] = (token){i, (double)logits[i], 0};
        qsort(l.t, N, sizeof *l.t, by_logit);
        softmax(&l);
        double top = 0, bottom = 0, mu = 4;
        if (version == 2) {
            int n = 1;
            while (n < N && -log2(l.t[n].p) <= mu) n++;
            l.n = n;
        } else if (version == 1) {
            for (int i = 0; i + 1 < N; i++) {
                double t = log((i + 2.0) / (i + 1.0)), b = log(l.t[i].p / l.t[i + 1].p);
                top += t * b, bottom += t * t;
            }
            double shape = top / bottom, e = shape - 1;
            l.n = (int)pow(e * pow(2, mu) / (1 - pow(N, -e)), 1 / shape);
        }
        assert_in_range(l.n, 1, N);
        if (version) assert_in_range(l.n, 2, N - 5);
        softmax(&l);
        for (int i = 0; i < l.n; i++) want[l.t[i].id] = l.t[i].p;
        for (int i = 0; i < DRAWS; i++) {
            wick_sampler *s;
            o.seed = (uint64_t)i;
            assert_ok(wick_sampler_new(&o, N, &s, err));
            counts[wick_sampler_sample(s, logits)]++;
            wick_sampler_free(s);
        }
        double z = surprise(counts, want, N, DRAWS);
        if (!(z < 4.5)) fail_msg("mirostat %d: %.1f standard deviations off", version, z);
    }
}

/* Draws are independent of each other: pairs are as often as their parts say. */
static void test_pairs(void **state) {
    (void)state;
    enum { N = 8 };
    static const float logits[N] = {0, 1, 0.5f, -1, 0.2f, 1.5f, -0.3f, 0.9f};
    static list l;
    double want[N * N];
    int counts[N * N] = {0};
    wick_sampler *s;
    wick_sampler_options o = plain(9);
    l.n = N;
    for (int i = 0; i < N; i++) l.t[i] = (token){i, (double)logits[i], 0};
    softmax(&l);
    for (int i = 0; i < N * N; i++) want[i] = l.t[i / N].p * l.t[i % N].p;
    assert_ok(wick_sampler_new(&o, N, &s, err));
    for (int i = 0, before = wick_sampler_sample(s, logits); i < 4 * DRAWS; i++) {
        int now = wick_sampler_sample(s, logits);
        counts[before * N + now]++;
        before = now;
    }
    wick_sampler_free(s);
    assert_true(surprise(counts, want, N * N, 4 * DRAWS) < 4.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each), cmocka_unit_test(test_together), cmocka_unit_test(test_first_draws),
                                       cmocka_unit_test(test_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
