/* The steps that thin out the candidates by their logits, and what all steps share.
 *
 * A vocabulary has 10^5 tokens and most distributions live on a hundred of them. So the logits are looked at in blocks of 64 whose highest
 * are known: the k-th highest of those is a bound below which no one of the k best tokens can be, and blocks below a bound are not
 * touched. */
#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>

enum { BLOCK = WICK_SAMPLER_BLOCK };

static void write_out(wick_sampler *s) {
    if (!s->whole) return;
    for (size_t i = 0; i < s->n_vocab; i++) s->candidates[i] = (wick_candidate){s->logits[i], (int32_t)i};
    s->whole = false;
}

void wick_sampler_sort(wick_sampler *s) {
    write_out(s);
    if (!s->sorted) wick_select_sort(s->candidates, s->n);
    s->sorted = true;
}

size_t wick_sampler_least_kept(const wick_sampler *s) { return s->options.min_keep > 1 ? (size_t)s->options.min_keep : 1; }

/* ---- probabilities */

static float highest(const wick_sampler *s) {
    float most = -INFINITY;
    if (s->whole)
        for (size_t b = 0; b < s->n_block; b++) most = s->block_most[b] > most ? s->block_most[b] : most;
    else
        for (size_t i = 0; i < s->n; i++) most = s->candidates[i].key > most ? s->candidates[i].key : most;
    return most;
}

static size_t block_end(const wick_sampler *s, size_t b) { return (b + 1) * BLOCK < s->n ? (b + 1) * BLOCK : s->n; }

/* The logits of a block of candidates that have been written out. */
static size_t keys_of(const wick_sampler *s, size_t b, float keys[BLOCK]) {
    size_t from = b * BLOCK, n = block_end(s, b) - from;
    for (size_t i = 0; i < n; i++) keys[i] = s->candidates[from + i].key;
    return n;
}

double wick_sampler_exponentials(wick_sampler *s) {
    float most = highest(s), keys[BLOCK];
    double sum = 0;
    if (!(most > -INFINITY)) most = 0;
    s->most = most;
    if (s->whole) return s->loops->exponentials(s->logits, s->n, most, s->inverse_t, s->p, s->block_sum);
    for (size_t b = 0; b * BLOCK < s->n; b++)
        sum += s->loops->exponentials(keys, keys_of(s, b, keys), most, s->inverse_t, s->p + b * BLOCK, s->block_sum + b);
    return sum;
}

double wick_sampler_exponents(wick_sampler *s) {
    float keys[BLOCK];
    double sum = 0;
    if (s->whole) return s->loops->exponents(s->logits, s->p, s->n, s->most, s->inverse_t);
    for (size_t b = 0; b * BLOCK < s->n; b++)
        sum += s->loops->exponents(keys, s->p + b * BLOCK, keys_of(s, b, keys), s->most, s->inverse_t);
    return sum;
}

/* Of all possible candidates. */
static double moment(const wick_sampler *s, float middle, int power) {
    float keys[BLOCK];
    double sum = 0;
    if (s->whole) return s->loops->moment(s->logits, s->n, middle, power);
    for (size_t b = 0; b * BLOCK < s->n; b++) sum += s->loops->moment(keys, keys_of(s, b, keys), middle, power);
    return sum;
}

/* ---- the best */

void wick_sampler_keep_above(wick_sampler *s, float least) {
    size_t to = 0;
    if (s->whole && least > -INFINITY) {
        to = s->loops->find(s->logits, s->n, least, s->block_most, least, s->candidates);
    } else {
        write_out(s);
        for (size_t i = 0; i < s->n; i++) {
            s->candidates[to] = s->candidates[i];
            to += s->candidates[i].key >= least;
        }
    }
    s->whole = false;
    s->n = to;
}

void wick_sampler_keep_from(wick_sampler *s, float least) {
    size_t n = 0;
    if (wick_sampler_least_kept(s) > 1) {
        for (size_t i = 0; i < s->n && n < wick_sampler_least_kept(s); i++) n += (s->whole ? s->logits[i] : s->candidates[i].key) >= least;
        if (n < wick_sampler_least_kept(s)) {
            wick_sampler_top_k(s, wick_sampler_least_kept(s));
            return;
        }
    } else if (!(least <= highest(s))) { /* by rounding, or because nothing is possible */
        wick_sampler_top_k(s, 1);
        return;
    }
    wick_sampler_keep_above(s, least);
}

float wick_sampler_bound(wick_sampler *s, size_t k) {
    wick_candidate *c = s->candidates; /* nothing is written there yet */
    for (size_t b = 0; b < s->n_block; b++) c[b] = (wick_candidate){s->block_most[b], (int32_t)b};
    wick_select_prefix(c, s->n_block, NULL, (double)k, false, 0);
    float bound = c[0].key;
    for (size_t i = 1; i < k; i++) bound = c[i].key < bound ? c[i].key : bound;
    return bound;
}

void wick_sampler_top_k(wick_sampler *s, size_t k) {
    if (!k || k >= s->n) return;
    if (s->whole && k <= s->n_block / 2)
        wick_sampler_keep_above(s, wick_sampler_bound(s, k));
    else
        write_out(s);
    if (!s->sorted && s->n > k) s->n = wick_select_prefix(s->candidates, s->n, NULL, (double)k, false, 0);
    wick_sampler_sort(s);
    s->n = k < s->n ? k : s->n;
}

/* ---- the steps */

static void min_p(wick_sampler *s, float p) {
    if (p > 0) wick_sampler_keep_from(s, highest(s) + (float)wick_log_f64((double)p) / s->inverse_t);
}

static void top_n_sigma(wick_sampler *s, float n) {
    if (n <= 0) return;
    float most = highest(s); /* near the logits in question: small differences lose nothing */
    double count = moment(s, most, 0), mean = count > 0 ? (double)most + moment(s, most, 1) / count : 0;
    if (count > 0) wick_sampler_keep_from(s, (float)((double)most - (double)n * sqrt(moment(s, (float)mean, 2) / count)));
}

/* Dynamic temperature: between t - range and t + range, by how much of the greatest entropy the candidates have. The logits stay as they
 * are: what comes later divides by the temperature. */
static void temperature(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    float t = o->temperature;
    if (o->dynatemp_range > 0 && s->n > 1) {
        double sum = wick_sampler_exponentials(s);
        double entropy = wick_log_f64(sum) - wick_sampler_exponents(s) / sum, share = entropy / wick_log_f64((double)s->n),
               low = t > o->dynatemp_range ? (double)(t - o->dynatemp_range) : 0;
        share = share > 1e-12 ? wick_exp_f64((double)o->dynatemp_exponent * wick_log_f64(share)) : 0;
        t = (float)(low + ((double)(t + o->dynatemp_range) - low) * share);
        if (t < 1e-3f) t = 1e-3f;
    }
    s->inverse_t = t > 1e-30f ? 1 / t : 1e30f;
}

void wick_sampler_run_step(wick_sampler *s, wick_sampler_step step) {
    const wick_sampler_options *o = &s->options;
    switch (step) {
    case WICK_STEP_PENALTIES: wick_sampler_penalties(s); break;
    case WICK_STEP_DRY: wick_sampler_dry(s); break;
    case WICK_STEP_TOP_N_SIGMA: top_n_sigma(s, o->top_n_sigma); break;
    case WICK_STEP_TOP_K: wick_sampler_top_k(s, (size_t)o->top_k); break;
    case WICK_STEP_TYPICAL: wick_sampler_typical(s, o->typical_p); break;
    case WICK_STEP_TOP_P: wick_sampler_top_p(s, o->top_p); break;
    case WICK_STEP_MIN_P: min_p(s, o->min_p); break;
    case WICK_STEP_XTC: wick_sampler_xtc(s); break;
    case WICK_STEP_TEMPERATURE: temperature(s); break;
    default: break;
    }
}
