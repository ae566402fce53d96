/* The steps that thin out the candidates. */
#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>
#include <string.h>

/* ---- a heap with the worst candidate on top */

static bool worse(wick_candidate a, wick_candidate b) { return a.logit < b.logit || (a.logit == b.logit && a.id > b.id); }

static void sift_down(wick_candidate *h, size_t n, size_t i) {
    wick_candidate x = h[i];
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && worse(h[c + 1], h[c])) c++;
        if (!worse(h[c], x)) break;
        h[i] = h[c];
    }
    h[i] = x;
}

/* Best first. In place: libc's qsort may allocate. */
static void heap_sort(wick_candidate *h, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(h, n, i);
    while (n > 1) {
        wick_candidate worst = h[0];
        h[0] = h[--n];
        h[n] = worst;
        sift_down(h, n, 0);
    }
}

void wick_sampler_write_out(wick_sampler *s) {
    if (!s->whole) return;
    for (size_t i = 0; i < s->n_vocab; i++) s->candidates[i] = (wick_candidate){s->logits[i], (int32_t)i};
    s->whole = false;
}

void wick_sampler_sort(wick_sampler *s) {
    wick_sampler_write_out(s);
    if (!s->sorted) heap_sort(s->candidates, s->n);
    s->sorted = true;
}

/* Logit i of the candidates, written out or not. */
static inline float logit_at(const wick_sampler *s, size_t i) { return s->whole ? s->logits[i] : s->candidates[i].logit; }

static float highest(const wick_sampler *s) {
    float most = -INFINITY;
    if (s->whole) return wick_sampler_most(s->logits, s->n);
    for (size_t i = 0; i < s->n; i++) most = s->candidates[i].logit > most ? s->candidates[i].logit : most;
    return most;
}

/* exp(logit - max) to s->p; the sum, in blocks of sixteen lanes and then in double: an order that vectors and scalars share. */
static double exponentials(wick_sampler *s) {
    enum { LANES = 16, BLOCK = 4096 };
    float most = highest(s);
    if (!(most > -INFINITY)) most = 0;
    if (s->whole)
        for (size_t i = 0; i < s->n; i++) s->p[i] = wick_exp_f32(s->logits[i] - most);
    else
        for (size_t i = 0; i < s->n; i++) s->p[i] = wick_exp_f32(s->candidates[i].logit - most);
    double sum = 0;
    for (size_t from = 0; from < s->n; from += BLOCK) {
        size_t end = from + BLOCK < s->n ? from + BLOCK : s->n, i = from;
        float lane[LANES] = {0};
        for (; i + LANES <= end; i += LANES)
            for (int k = 0; k < LANES; k++) lane[k] += s->p[i + (size_t)k];
        for (int k = 0; i < end; i++, k++) lane[k] += s->p[i];
        for (int k = 0; k < LANES; k++) sum += lane[k];
    }
    return sum;
}

void wick_sampler_softmax(wick_sampler *s) {
    double sum = exponentials(s);
    float scale = sum > 0 ? (float)(1 / sum) : 0;
    for (size_t i = 0; i < s->n; i++) s->p[i] *= scale;
}

static size_t min_keep(const wick_sampler *s) { return s->options.min_keep > 1 ? (size_t)s->options.min_keep : 1; }

/* Keeps what is not below a logit, and at least min_keep. */
static void keep_from(wick_sampler *s, float least) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += logit_at(s, i) >= least;
    if (n < min_keep(s)) {
        wick_sampler_top_k(s, min_keep(s));
        return;
    }
    size_t to = 0;
    for (size_t i = 0; i < s->n; i++) {
        wick_candidate c = s->whole ? (wick_candidate){s->logits[i], (int32_t)i} : s->candidates[i];
        if (c.logit >= least) s->candidates[to++] = c;
    }
    s->whole = false;
    s->n = to;
}

void wick_sampler_top_k(wick_sampler *s, size_t k) {
    if (!k || k >= s->n) return;
    if (k > 4096 || s->sorted) {
        wick_sampler_sort(s);
        s->n = k;
        return;
    }
    bool whole = s->whole;
    wick_candidate *h = s->candidates;
    if (whole)
        for (size_t i = 0; i < k; i++) h[i] = (wick_candidate){s->logits[i], (int32_t)i};
    for (size_t i = k / 2; i-- > 0;) sift_down(h, k, i);
    for (size_t i = k; i < s->n; i++) {
        float x = whole ? s->logits[i] : s->candidates[i].logit;
        if (x < h[0].logit) continue;
        wick_candidate c = {x, whole ? (int32_t)i : s->candidates[i].id};
        if (!worse(h[0], c)) continue;
        h[0] = c;
        sift_down(h, k, 0);
    }
    s->whole = false;
    s->n = k;
    wick_sampler_sort(s);
}

/* ---- the others */

/* A nucleus holds nothing below (1 - p) / (n - 1): the rest together could not be that much. Only what is above is sorted. */
static void top_p(wick_sampler *s, float p) {
    if (p >= 1 || s->n < 2) return;
    double sum = exponentials(s), cut = (1 - (double)p) / (double)(s->n - 1) * sum;
    if (!s->sorted && cut > 0) {
        size_t n = 0, kept = 0;
        for (size_t i = 0; i < s->n; i++) n += s->p[i] >= cut;
        if (n >= min_keep(s)) {
            for (size_t i = 0; i < s->n; i++) {
                wick_candidate c = s->whole ? (wick_candidate){s->logits[i], (int32_t)i} : s->candidates[i];
                if (s->p[i] >= cut) s->candidates[kept++] = c;
            }
            s->whole = false;
            s->n = kept;
        }
    }
    wick_sampler_sort(s);
    float most = s->candidates[0].logit;
    double total = 0;
    for (size_t i = 0; i < s->n; i++) {
        total += wick_exp_f32(s->candidates[i].logit - most);
        if (total >= p * sum && i + 1 >= min_keep(s)) s->n = i + 1;
    }
}

static void min_p(wick_sampler *s, float p) {
    if (p > 0) keep_from(s, highest(s) + (float)wick_log_f64(p));
}

static void top_n_sigma(wick_sampler *s, float n) {
    if (n <= 0) return;
    double sum = 0, squares = 0, count = 0;
    for (size_t i = 0; i < s->n; i++) {
        double x = logit_at(s, i);
        if (x > -INFINITY) sum += x, count++;
    }
    double mean = count > 0 ? sum / count : 0;
    for (size_t i = 0; i < s->n; i++) {
        double x = logit_at(s, i);
        if (x > -INFINITY) squares += (x - mean) * (x - mean);
    }
    if (count > 0) keep_from(s, (float)(highest(s) - n * sqrt(squares / count)));
}

/* Locally typical sampling (Meister and others, 2022): those whose surprise is nearest to the entropy. */
static void typical(wick_sampler *s, float p) {
    if (p >= 1 || s->n < 2) return;
    wick_sampler_write_out(s);
    wick_sampler_softmax(s);
    double entropy = 0, sum = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->p[i] > 0) entropy -= s->p[i] * wick_log_f64(s->p[i]);
    wick_candidate *near = s->near; /* by falling nearness; the id is the index */
    for (size_t i = 0; i < s->n; i++) {
        double distance = s->p[i] > 0 ? fabs(-wick_log_f64(s->p[i]) - entropy) : INFINITY;
        near[i] = (wick_candidate){(float)-distance, (int32_t)i};
    }
    heap_sort(near, s->n);
    size_t n = 0, kept = 0;
    while (n < s->n) {
        sum += s->p[near[n].id];
        if (++n >= min_keep(s) && sum > p) break;
    }
    for (size_t i = 0; i < n; i++) s->p[near[i].id] = -1; /* marks what stays */
    for (size_t i = 0; i < s->n; i++)
        if (s->p[i] < 0) s->candidates[kept++] = s->candidates[i];
    s->n = kept;
}

/* Exclude top choices: with some probability, of the tokens above a threshold only the least likely stays. */
static void xtc(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    if (o->xtc_probability <= 0 || o->xtc_threshold > 0.5f || s->n < 2) return;
    if (wick_sampler_uniform(s) > o->xtc_probability) return;
    wick_sampler_sort(s);
    wick_sampler_softmax(s);
    size_t above = 0;
    while (above < s->n && s->p[above] >= o->xtc_threshold) above++;
    if (above < 2 || s->n - (above - 1) < min_keep(s)) return;
    memmove(s->candidates, s->candidates + above - 1, (s->n - above + 1) * sizeof *s->candidates);
    s->n -= above - 1;
}

static void scale(wick_sampler *s, float t) {
    if (s->whole)
        for (size_t i = 0; i < s->n; i++) s->logits[i] /= t;
    else
        for (size_t i = 0; i < s->n; i++) s->candidates[i].logit /= t;
}

/* Dynamic temperature: between t - range and t + range, by how much of the greatest entropy the candidates have. */
static void temperature(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    float t = o->temperature;
    if (o->dynatemp_range > 0 && s->n > 1) {
        double entropy = 0;
        wick_sampler_softmax(s);
        for (size_t i = 0; i < s->n; i++)
            if (s->p[i] > 0) entropy -= s->p[i] * wick_log_f64(s->p[i]);
        double share = entropy / wick_log_f64((double)s->n), low = t > o->dynatemp_range ? t - o->dynatemp_range : 0;
        share = share > 1e-12 ? wick_exp_f64(o->dynatemp_exponent * wick_log_f64(share)) : 0;
        t = (float)(low + (t + o->dynatemp_range - low) * share);
        if (t < 1e-3f) t = 1e-3f;
    }
    if (t != 1) scale(s, t);
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
