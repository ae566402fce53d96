/* The steps that keep or drop a part of the probability: top-p, typical, XTC.
 *
 * Each needs the exponentials of all candidates, for their sum. What it keeps is then selected among few: the highest of each block of 64
 * are known, so blocks below a bound are not touched. Bounds come from those highest themselves, and fall until what is above them holds
 * the part that is asked for. Only a nucleus that is spread over a good part of the vocabulary is selected among all, and never by sorting
 * it. */
#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>
#include <string.h>

enum { BLOCK = WICK_SAMPLER_BLOCK, NUCLEUS_GUESS = 256 };

static size_t block_end(const wick_sampler *s, size_t b) { return (b + 1) * BLOCK < s->n ? (b + 1) * BLOCK : s->n; }

/* The exponent of s->p[i]. */
static float exponent(const wick_sampler *s, size_t i) {
    return ((s->whole ? s->logits[i] : s->candidates[i].key) - s->most) * s->inverse_t;
}

static float block_exponent(const wick_sampler *s, size_t b) { return (s->block_most[b] - s->most) * s->inverse_t; }

/* ---- the few that matter */

/* The exponentials of the blocks' highest to s->block_p and s->near; returns their sum. */
static double weigh_tops(wick_sampler *s) {
    double sum = 0;
    for (size_t b = 0; b < s->n_block; b++) {
        s->block_p[b] = wick_exp_f32(block_exponent(s, b));
        s->near[b] = (wick_candidate){s->block_p[b], (int32_t)b};
        sum += (double)s->block_p[b];
    }
    return sum;
}

/* The least key of the tops in s->near whose exponentials reach a target (or go beyond it). */
static float bound_of_tops(wick_sampler *s, double target, bool beyond) {
    size_t n = wick_select_prefix(s->near, s->n_block, s->block_p, target, beyond, 0);
    float bound = INFINITY;
    for (size_t i = 0; i < n; i++) bound = s->near[i].key < bound ? s->near[i].key : bound;
    return bound;
}

/* The candidates whose exponentials are not below a bound to s->near; returns how many. Blocks are judged by their highest logits, with
 * room for what wick_exp_f32 and floats may be off. */
static size_t worth_a_look(wick_sampler *s, float least) {
    if (!s->whole || least < 1e-37f) return s->loops->find(s->p, s->n, least, NULL, 0, s->near);
    double logit = (double)s->most + (wick_log_f64((double)least) - 1e-4) / (double)s->inverse_t;
    return s->loops->find(s->p, s->n, least, s->block_most, (float)(logit - 1e-6 * fabs(logit)), s->near);
}

/* The exponentials of s->near [n] together. */
static double weight_of_near(const wick_sampler *s, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)s->p[s->near[i].id];
    return sum;
}

/* Keeps of s->near [n] (key and index of candidates) the best whose exponentials reach a target (or go beyond it), in the order in which
 * they stand. */
static void keep_prefix(wick_sampler *s, size_t n, double target, bool beyond) {
    s->n = wick_select_prefix(s->near, n, s->p, target, beyond, wick_sampler_least_kept(s));
    for (size_t i = 0; i < s->n; i++) {
        size_t at = (size_t)s->near[i].id;
        s->candidates[i] = s->whole ? (wick_candidate){s->logits[at], (int32_t)at} : s->candidates[at];
    }
    s->whole = false;
}

/* ---- top-p */

/* Of sorted candidates, the first that hold a part of a sum of exponentials; 0: they do not. */
static size_t nucleus(const wick_sampler *s, double part) {
    double total = 0;
    for (size_t i = 0; i < s->n; i++) {
        total += (double)wick_exp_f32((s->candidates[i].key - s->most) * s->inverse_t);
        if (total >= part && i + 1 >= wick_sampler_least_kept(s)) return i + 1;
    }
    return 0;
}

/* What tokens not below a logit weigh at most: all of their blocks. */
static double weight_at_most(const wick_sampler *s, float least) {
    double sum = 0;
    for (size_t b = 0; b < s->n_block; b++) sum += s->block_most[b] >= least ? s->block_sum[b] : 0;
    return sum;
}

/* The candidates that hold a part of a sum of exponentials to s->near, and few more: those above one of falling bounds. Nothing in a
 * nucleus is below (1 - p) / n, because all such together are less than what may be left out. */
static size_t nucleus_and_more(wick_sampler *s, double sum, double part, float first) {
    float least = (float)((sum - part) / (double)s->n * 0.999);
    for (float bound = first; bound > least; bound *= 0.125f) {
        size_t n = worth_a_look(s, bound);
        if (weight_of_near(s, n) >= part && n >= wick_sampler_least_kept(s)) return n;
    }
    size_t n = worth_a_look(s, least);
    return n < wick_sampler_least_kept(s) ? worth_a_look(s, 0) : n;
}

void wick_sampler_top_p(wick_sampler *s, float p) {
    if (p >= 1 || s->n < 2) return;
    double sum = wick_sampler_exponentials(s), part = sum * (double)p;
    size_t n = 0;
    float first = 0;
    if (s->whole && NUCLEUS_GUESS <= s->n_block / 2) { /* is it among the best few? */
        float bound = wick_sampler_bound(s, NUCLEUS_GUESS);
        first = 0.125f * wick_exp_f32((bound - s->most) * s->inverse_t);
        if (weight_at_most(s, bound) >= part) {
            wick_sampler_keep_above(s, bound);
            wick_sampler_sort(s);
            n = nucleus(s, part);
            if (!n) s->whole = true, s->sorted = false, s->n = s->n_vocab;
        }
    } else if (s->sorted) {
        n = nucleus(s, part);
    }
    if (n)
        s->n = n;
    else
        keep_prefix(s, nucleus_and_more(s, sum, part, first), part, false);
}

/* ---- typical */

/* How near the surprise of an exponent is to the expected one: 0 is best. */
static float nearness(double middle, float e) { return (float)-fabs(middle - (double)e); }

/* The candidates that are as near as a bound to s->near; returns how many. Below the middle, what has a lower logit is farther. */
static size_t near_enough(wick_sampler *s, double middle, float bound) {
    size_t n = 0;
    for (size_t from = 0; from < s->n; from += BLOCK) {
        float top = s->whole ? block_exponent(s, from / BLOCK) : INFINITY;
        if ((double)top < middle && nearness(middle, top) < bound) continue;
        for (size_t i = from; i < s->n && i < from + BLOCK; i++) {
            float key = s->p[i] > 0 ? nearness(middle, exponent(s, i)) : -INFINITY;
            s->near[n] = (wick_candidate){key, (int32_t)i};
            n += key >= bound;
        }
    }
    return n;
}

/* Locally typical sampling (Meister and others, 2022): those whose surprise is nearest to the entropy. */
void wick_sampler_typical(wick_sampler *s, float p) {
    if (p >= 1 || s->n < 2) return;
    double sum = wick_sampler_exponentials(s), part = (double)p * sum;
    double log_sum = wick_log_f64(sum), entropy = log_sum - wick_sampler_exponents(s) / sum, middle = log_sum - entropy;
    float bound = -INFINITY;
    if (s->whole && weigh_tops(s) > part) {
        for (size_t b = 0; b < s->n_block; b++) s->near[b].key = s->block_p[b] > 0 ? nearness(middle, block_exponent(s, b)) : -INFINITY;
        bound = bound_of_tops(s, part, true);
    }
    size_t n = near_enough(s, middle, bound);
    if (n < wick_sampler_least_kept(s)) n = near_enough(s, middle, -INFINITY);
    keep_prefix(s, n, part, true);
}

/* ---- XTC */

/* Leaves out some of the candidates for good: those in s->near, but for one. */
static void make_impossible(wick_sampler *s, size_t n, size_t stays) {
    if (s->whole && s->logits != s->own_logits) {
        memcpy(s->own_logits, s->logits, s->n_vocab * sizeof *s->logits);
        s->logits = s->own_logits;
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)s->near[i].id;
        if (i == stays) continue;
        if (!s->whole)
            s->candidates[at].key = -INFINITY;
        else
            s->own_logits[at] = s->block_most[at / BLOCK] = -INFINITY;
    }
    for (size_t i = 0; i < n && s->whole; i++) {
        size_t b = (size_t)s->near[i].id / BLOCK;
        if (i && (size_t)s->near[i - 1].id / BLOCK == b) continue;
        for (size_t k = b * BLOCK; k < block_end(s, b); k++)
            s->block_most[b] = s->logits[k] > s->block_most[b] ? s->logits[k] : s->block_most[b];
    }
}

/* Exclude top choices: with some probability, of the tokens above a threshold only the least likely stays. */
void wick_sampler_xtc(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    if (o->xtc_probability <= 0 || o->xtc_threshold > 0.5f || s->n < 2) return;
    if (wick_sampler_uniform(s) > (double)o->xtc_probability) return;
    double sum = wick_sampler_exponentials(s);
    size_t above = worth_a_look(s, (float)((double)o->xtc_threshold * sum)), stays = 0;
    if (above < 2 || s->n - (above - 1) < wick_sampler_least_kept(s)) return;
    for (size_t i = 1; i < above; i++)
        if (s->near[i].key <= s->near[stays].key) stays = i;
    make_impossible(s, above, stays);
    s->sorted = false;
}
