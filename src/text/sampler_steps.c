/* The steps that thin out the candidates.
 *
 * A vocabulary has 10^5 tokens and most distributions live on a hundred of them. So the logits are looked at in blocks of 64 whose highest
 * are known: the k-th highest of those is a bound below which no one of the k best tokens can be, and blocks below a bound are not
 * touched. Only a nucleus wider than that is selected among all, still without sorting it. */
#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>
#include <string.h>

enum { BLOCK = WICK_SAMPLER_BLOCK, LANES = 16, NUCLEUS_GUESS = 256, FEW = 8 };

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

static size_t least_kept(const wick_sampler *s) { return s->options.min_keep > 1 ? (size_t)s->options.min_keep : 1; }

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

/* The sum of some numbers, in sixteen lanes: an order that vectors and scalars share. */
static double sum_of(const float *x, size_t n) {
    float lane[LANES] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += x[i + (size_t)k];
    for (int k = 0; i < n; i++, k++) lane[k] += x[i];
    for (int k = 0; k < LANES; k++) sum += (double)lane[k];
    return sum;
}

double wick_sampler_exponentials(wick_sampler *s) {
    float most = highest(s), scale = s->inverse_t;
    double sum = 0;
    if (!(most > -INFINITY)) most = 0;
    s->most = most;
    for (size_t b = 0; b * BLOCK < s->n; b++) {
        size_t from = b * BLOCK, end = block_end(s, b);
        if (s->whole)
            for (size_t i = from; i < end; i++) s->p[i] = wick_exp_f32((s->logits[i] - most) * scale);
        else
            for (size_t i = from; i < end; i++) s->p[i] = wick_exp_f32((s->candidates[i].key - most) * scale);
        s->block_sum[b] = sum_of(s->p + from, end - from);
        sum += s->block_sum[b];
    }
    return sum;
}

/* The exponent of p[i], as wick_sampler_exponentials had it. */
static float exponent(const wick_sampler *s, size_t i) {
    return ((s->whole ? s->logits[i] : s->candidates[i].key) - s->most) * s->inverse_t;
}

/* In nats, from exponentials and their sum. */
static double entropy(const wick_sampler *s, double sum) {
    double dot = 0;
    for (size_t b = 0; b * BLOCK < s->n; b++) {
        float part[BLOCK];
        size_t from = b * BLOCK, n = block_end(s, b) - from;
        for (size_t i = 0; i < n; i++) part[i] = s->p[from + i] > 0 ? s->p[from + i] * exponent(s, from + i) : 0;
        dot += sum_of(part, n);
    }
    return wick_log_f64(sum) - dot / sum;
}

/* ---- the best */

/* Keeps what is not below a logit, in its order. */
static void keep_from(wick_sampler *s, float least) {
    size_t to = 0;
    if (s->whole) {
        for (size_t b = 0; b < s->n_block; b++) {
            if (s->block_most[b] < least) continue;
            for (size_t i = b * BLOCK; i < block_end(s, b); i++) {
                s->candidates[to] = (wick_candidate){s->logits[i], (int32_t)i};
                to += s->logits[i] >= least;
            }
        }
    } else {
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
    if (least_kept(s) > 1) {
        for (size_t i = 0; i < s->n && n < least_kept(s); i++) n += (s->whole ? s->logits[i] : s->candidates[i].key) >= least;
        if (n < least_kept(s)) {
            wick_sampler_top_k(s, least_kept(s));
            return;
        }
    } else if (!(least <= highest(s))) { /* by rounding, or because nothing is possible */
        wick_sampler_top_k(s, 1);
        return;
    }
    keep_from(s, least);
}

/* A logit that at least k tokens reach: the k-th highest of the blocks' highest. Uses the place for candidates. */
static float bound_of_best(wick_sampler *s, size_t k) {
    wick_candidate *c = s->candidates;
    for (size_t b = 0; b < s->n_block; b++) c[b] = (wick_candidate){s->block_most[b], (int32_t)b};
    wick_select_prefix(c, s->n_block, NULL, (double)k, false);
    float bound = c[0].key;
    for (size_t i = 1; i < k; i++) bound = c[i].key < bound ? c[i].key : bound;
    return bound;
}

void wick_sampler_top_k(wick_sampler *s, size_t k) {
    if (!k || k >= s->n) return;
    if (s->whole && k <= s->n_block / 2)
        keep_from(s, bound_of_best(s, k));
    else
        write_out(s);
    if (!s->sorted && s->n > k) s->n = wick_select_prefix(s->candidates, s->n, NULL, (double)k, false);
    wick_sampler_sort(s);
    s->n = k < s->n ? k : s->n;
}

/* Keeps of s->near [n] (key and index of candidates) the best whose exponentials reach a target (or go beyond it), in no order. */
static void keep_prefix(wick_sampler *s, size_t n, double target, bool beyond) {
    size_t kept = wick_select_prefix(s->near, n, s->p, target, beyond);
    if (kept < least_kept(s)) kept = wick_select_prefix(s->near, n, NULL, (double)least_kept(s), false);
    for (size_t i = 0; i < kept; i++) {
        size_t at = (size_t)s->near[i].id;
        s->near[i] = s->whole ? (wick_candidate){s->logits[at], (int32_t)at} : s->candidates[at];
    }
    memcpy(s->candidates, s->near, kept * sizeof *s->near);
    s->whole = s->sorted = false;
    s->n = kept;
}

/* ---- the steps */

/* Of sorted candidates, the first that hold a part of a sum of exponentials; 0: they do not. */
static size_t nucleus(const wick_sampler *s, double part) {
    double total = 0;
    for (size_t i = 0; i < s->n; i++) {
        total += (double)wick_exp_f32((s->candidates[i].key - s->most) * s->inverse_t);
        if (total >= part && i + 1 >= least_kept(s)) return i + 1;
    }
    return 0;
}

/* The candidates to s->near, but for those whose exponentials are below a bound; returns how many. */
static size_t worth_a_look(wick_sampler *s, float least) {
    size_t n = 0;
    for (size_t from = 0; from < s->n; from += FEW) {
        int any = 0;
        size_t end = from + FEW < s->n ? from + FEW : s->n;
        for (size_t i = from; i < end; i++) any |= s->p[i] >= least;
        for (size_t i = from; any && i < end; i++) {
            s->near[n] = (wick_candidate){s->p[i], (int32_t)i};
            n += s->p[i] >= least;
        }
    }
    return n;
}

/* A nucleus holds nothing below (1 - p) / n: all such together are less than what may be left out. */
static void top_p(wick_sampler *s, float p) {
    if (p >= 1 || s->n < 2) return;
    double sum = wick_sampler_exponentials(s), part = sum * (double)p;
    size_t n = 0;
    if (s->whole && NUCLEUS_GUESS <= s->n_block / 2) { /* is it among the best few? */
        keep_from(s, bound_of_best(s, NUCLEUS_GUESS));
        wick_sampler_sort(s);
        n = nucleus(s, part);
        if (!n) s->whole = true, s->sorted = false, s->n = s->n_vocab;
    } else if (s->sorted) {
        n = nucleus(s, part);
    }
    if (n) {
        s->n = n;
        return;
    }
    float least = least_kept(s) > 1 ? 0 : (float)((sum - part) / (double)s->n * 0.999);
    keep_prefix(s, worth_a_look(s, least), part, false);
}

static void min_p(wick_sampler *s, float p) {
    if (p > 0) wick_sampler_keep_from(s, highest(s) + (float)wick_log_f64((double)p) / s->inverse_t);
}

/* The sum over all possible tokens of (logit - middle) to a power of 0, 1 or 2. */
static double moment(const wick_sampler *s, float middle, int power) {
    double sum = 0;
    for (size_t b = 0; b * BLOCK < s->n; b++) {
        float part[BLOCK];
        size_t from = b * BLOCK, n = block_end(s, b) - from;
        for (size_t i = 0; i < n; i++) {
            float key = s->whole ? s->logits[from + i] : s->candidates[from + i].key, x = key - middle;
            part[i] = key > -INFINITY ? (power == 0 ? 1 : power == 1 ? x : x * x) : 0;
        }
        sum += sum_of(part, n);
    }
    return sum;
}

static void top_n_sigma(wick_sampler *s, float n) {
    if (n <= 0) return;
    float most = highest(s); /* near the logits in question: small differences lose nothing */
    double count = moment(s, most, 0), mean = count > 0 ? (double)most + moment(s, most, 1) / count : 0;
    if (count > 0) wick_sampler_keep_from(s, (float)((double)most - (double)n * sqrt(moment(s, (float)mean, 2) / count)));
}

/* Locally typical sampling (Meister and others, 2022): those whose surprise is nearest to the entropy. */
static void typical(wick_sampler *s, float p) {
    if (p >= 1 || s->n < 2) return;
    double sum = wick_sampler_exponentials(s), middle = wick_log_f64(sum) - entropy(s, sum);
    for (size_t i = 0; i < s->n; i++) {
        double distance = s->p[i] > 0 ? fabs(middle - (double)exponent(s, i)) : INFINITY;
        s->near[i] = (wick_candidate){(float)-distance, (int32_t)i};
    }
    keep_prefix(s, s->n, (double)p * sum, true);
}

/* Leaves out candidate i for good. */
static void make_impossible(wick_sampler *s, size_t i) {
    if (!s->whole) {
        s->candidates[i].key = -INFINITY;
        return;
    }
    if (s->logits != s->own_logits) memcpy(s->own_logits, s->logits, s->n_vocab * sizeof *s->logits);
    s->logits = s->own_logits;
    s->own_logits[i] = -INFINITY;
    size_t b = i / BLOCK;
    s->block_most[b] = -INFINITY;
    for (size_t k = b * BLOCK; k < block_end(s, b); k++)
        s->block_most[b] = s->logits[k] > s->block_most[b] ? s->logits[k] : s->block_most[b];
}

/* Exclude top choices: with some probability, of the tokens above a threshold only the least likely stays. */
static void xtc(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    if (o->xtc_probability <= 0 || o->xtc_threshold > 0.5f || s->n < 2) return;
    if (wick_sampler_uniform(s) > (double)o->xtc_probability) return;
    double sum = wick_sampler_exponentials(s);
    size_t above = worth_a_look(s, (float)((double)o->xtc_threshold * sum));
    if (above < 2 || s->n - (above - 1) < least_kept(s)) return;
    wick_select_sort(s->near, above);
    for (size_t i = 0; i + 1 < above; i++) make_impossible(s, (size_t)s->near[i].id);
    s->sorted = false;
}

/* Dynamic temperature: between t - range and t + range, by how much of the greatest entropy the candidates have. The logits stay as they
 * are: what comes later divides by the temperature. */
static void temperature(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    float t = o->temperature;
    if (o->dynatemp_range > 0 && s->n > 1) {
        double sum = wick_sampler_exponentials(s);
        double share = entropy(s, sum) / wick_log_f64((double)s->n), low = t > o->dynatemp_range ? (double)(t - o->dynatemp_range) : 0;
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
    case WICK_STEP_TYPICAL: typical(s, o->typical_p); break;
    case WICK_STEP_TOP_P: top_p(s, o->top_p); break;
    case WICK_STEP_MIN_P: min_p(s, o->min_p); break;
    case WICK_STEP_XTC: xtc(s); break;
    case WICK_STEP_TEMPERATURE: temperature(s); break;
    default: break;
    }
}
