/* The sampler: options, the order of steps, and the draw. */
#include "base/cpu.h"
#include "base/mem.h"
#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>
#include <string.h>

/* ---- chance: xoshiro256**, seeded by SplitMix64 (Blackman and Vigna) */

static uint64_t split_mix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static uint64_t rotated(uint64_t x, int k) { return x << k | x >> (64 - k); }

double wick_sampler_uniform(wick_sampler *s) {
    uint64_t *r = s->rng, result = rotated(r[1] * 5, 7) * 9, t = r[1] << 17;
    r[2] ^= r[0], r[3] ^= r[1], r[1] ^= r[2], r[0] ^= r[3];
    r[2] ^= t;
    r[3] = rotated(r[3], 45);
    return (double)(result >> 11) * 0x1p-53;
}

/* ---- options */

static const char *const step_names[WICK_N_STEP] = {"penalties", "dry",   "top_n_sigma", "top_k",      "typical",
                                                    "top_p",     "min_p", "xtc",         "temperature"};

/* Names joined by ';', or one of two presets. */
static wick_status parse_order(wick_sampler *s, const char *order, wick_error *err) {
    if (!order || !strcmp(order, "llamacpp"))
        order = "penalties;dry;top_n_sigma;top_k;typical;top_p;min_p;xtc;temperature";
    else if (!strcmp(order, "hf"))
        order = "penalties;dry;temperature;top_k;top_p;min_p;typical;top_n_sigma;xtc";
    while (*order) {
        size_t n = strcspn(order, ";");
        int step = 0;
        while (step < WICK_N_STEP && (strlen(step_names[step]) != n || memcmp(step_names[step], order, n) != 0)) step++;
        if (step == WICK_N_STEP) return wick_fail(err, WICK_EINVAL, "sampler order: \"%.*s\" is no step", (int)(n < 60 ? n : 60), order);
        for (int i = 0; i < s->n_step; i++)
            if (s->order[i] == (wick_sampler_step)step)
                return wick_fail(err, WICK_EINVAL, "sampler order: %s occurs twice", step_names[step]);
        s->order[s->n_step++] = (wick_sampler_step)step;
        order += n + (order[n] == ';');
    }
    return WICK_OK;
}

static wick_status check(const wick_sampler_options *o, size_t n_vocab, wick_error *err) {
    WICK_TRY(wick_sampler_check(o, err));
    for (size_t i = 0; i < o->n_biases; i++)
        if (o->biases[i].token < 0 || (size_t)o->biases[i].token >= n_vocab)
            return wick_fail(err, WICK_EINVAL, "sampler: a bias is for token %d of %zu", o->biases[i].token, n_vocab);
    return n_vocab ? WICK_OK : wick_fail(err, WICK_EINVAL, "sampler: the vocabulary is empty");
}

wick_sampler_options wick_sampler_options_default(void) {
    return (wick_sampler_options){.temperature = 0.8f,
                                  .top_p = 1.0f,
                                  .repeat_penalty = 1.0f,
                                  .repeat_last_n = 64,
                                  .typical_p = 1.0f,
                                  .xtc_threshold = 0.1f,
                                  .dry_base = 1.75f,
                                  .dry_allowed_length = 2,
                                  .dry_last_n = -1,
                                  .mirostat_tau = 5.0f,
                                  .mirostat_eta = 0.1f,
                                  .dynatemp_exponent = 1.0f,
                                  .min_keep = 1};
}

/* ---- life */

static wick_status allocate(wick_sampler *s, wick_error *err) {
    const wick_sampler_options *o = &s->options;
    s->counts = WICK_NEW_ARRAY(uint32_t, s->n_vocab);
    s->own_logits = WICK_NEW_ARRAY(float, s->n_vocab);
    s->candidates = WICK_NEW_ARRAY(wick_candidate, s->n_vocab);
    s->p = WICK_NEW_ARRAY(float, s->n_vocab);
    bool ok = s->counts && s->own_logits && s->candidates && s->p;
    s->n_block = (s->n_vocab + WICK_SAMPLER_BLOCK - 1) / WICK_SAMPLER_BLOCK;
    s->block_most = WICK_NEW_ARRAY(float, s->n_block);
    s->block_sum = WICK_NEW_ARRAY(double, s->n_block);
    s->block_p = WICK_NEW_ARRAY(float, s->n_block);
    ok = ok && s->block_most && s->block_sum && s->block_p;
    if (o->typical_p < 1 || o->top_p < 1 || o->xtc_probability > 0) ok = (s->near = WICK_NEW_ARRAY(wick_candidate, s->n_vocab)) && ok;
    if (o->n_biases) ok = (s->biases = wick_memdup(o->biases, o->n_biases * sizeof *o->biases)) && ok;
    if (o->n_end_ids) ok = (s->end_ids = wick_memdup(o->end_ids, o->n_end_ids * sizeof *o->end_ids)) && ok;
    if (o->n_dry_breakers) ok = (s->breakers = WICK_NEW_ARRAY(uint8_t, s->n_vocab)) && ok;
    for (size_t i = 0; i < o->n_dry_breakers && s->breakers; i++)
        if (o->dry_breakers[i] >= 0 && (size_t)o->dry_breakers[i] < s->n_vocab) s->breakers[o->dry_breakers[i]] = 1;
    bool penal = o->repeat_penalty != 1 || o->frequency_penalty != 0 || o->presence_penalty != 0;
    int64_t window = penal ? (o->repeat_last_n < 0 ? 1 << 16 : o->repeat_last_n) : 0;
    int64_t dry = o->dry_multiplier > 0 ? (o->dry_last_n < 0 ? 1 << 16 : o->dry_last_n) : 0;
    s->history_cap = (size_t)(window > dry ? window : dry);
    if (s->history_cap) ok = (s->history = WICK_NEW_ARRAY(int32_t, s->history_cap)) && ok;
    if (dry) ok = (s->z = WICK_NEW_ARRAY(int32_t, s->history_cap)) && ok;
    return ok ? WICK_OK : wick_fail_nomem(err);
}

static const wick_sampler_loops *loops_of_machine(void) {
#if defined(__x86_64__)
    uint32_t flags = wick_cpu_detect();
    if (flags & WICK_CPU_AVX512VNNI) return &wick_sampler_loops_avx512vnni;
    if (flags & WICK_CPU_AVX2) return &wick_sampler_loops_avx2;
#endif
    return &wick_sampler_loops_any;
}

wick_status wick_sampler_new(const wick_sampler_options *options, size_t n_vocab, wick_sampler **out, wick_error *err) {
    *out = NULL;
    WICK_TRY(check(options, n_vocab, err));
    wick_sampler *s = WICK_NEW(wick_sampler);
    if (!s) return wick_fail_nomem(err);
    s->options = *options;
    s->loops = loops_of_machine();
    s->n_vocab = n_vocab;
    uint64_t x = options->seed;
    for (int i = 0; i < 4; i++) s->rng[i] = split_mix(&x);
    s->mu = 2 * (double)options->mirostat_tau;
    wick_status status = parse_order(s, options->order, err);
    if (status == WICK_OK) status = allocate(s, err);
    if (status == WICK_OK)
        *out = s;
    else
        wick_sampler_free(s);
    return status;
}

void wick_sampler_free(wick_sampler *s) {
    if (!s) return;
    wick_free(s->biases);
    wick_free(s->end_ids);
    wick_free(s->breakers);
    wick_free(s->history);
    wick_free(s->counts);
    wick_free(s->own_logits);
    wick_free(s->candidates);
    wick_free(s->p);
    wick_free(s->block_most);
    wick_free(s->block_sum);
    wick_free(s->block_p);
    wick_free(s->near);
    wick_free(s->z);
    wick_free(s);
}

int32_t wick_sampler_recent(const wick_sampler *s, size_t i) { return s->history[(s->n_accepted - 1 - i) % s->history_cap]; }

void wick_sampler_accept(wick_sampler *s, int32_t token) {
    s->n_new += s->drawn;
    s->drawn = false;
    if (!s->history_cap) return;
    s->history[s->n_accepted++ % s->history_cap] = token;
    if (s->n_history < s->history_cap) s->n_history++;
}

void wick_sampler_set_text(wick_sampler *s, const int32_t *tokens, size_t n, size_t n_drawn) {
    s->n_history = s->n_accepted = 0;
    s->drawn = false;
    for (size_t i = n > s->history_cap ? n - s->history_cap : 0; i < n; i++) wick_sampler_accept(s, tokens[i]);
    s->n_new = n_drawn;
}

/* ---- choosing */

static size_t block_size(size_t from, size_t n) { return n - from < WICK_SAMPLER_BLOCK ? n - from : WICK_SAMPLER_BLOCK; }

static int32_t most_likely(wick_sampler *s, const float *logits) {
    float most = -INFINITY;
    size_t best = 0;
    s->loops->scan(logits, s->n_vocab, s->block_most);
    for (size_t b = 0; b < s->n_block; b++)
        if (s->block_most[b] > most) most = s->block_most[b], best = b * WICK_SAMPLER_BLOCK;
    for (size_t i = best; i < s->n_vocab; i++)
        if (logits[i] == most) return (int32_t)i; /* the lowest id of equals */
    return 0;
}

/* Bias, and the ends of an answer that may not come yet. */
static void apply_bias(wick_sampler *s) {
    for (size_t i = 0; i < s->options.n_biases; i++) s->own_logits[s->biases[i].token] += s->biases[i].bias;
    if ((int64_t)s->n_new >= s->options.min_tokens) return;
    for (size_t i = 0; i < s->options.n_end_ids; i++)
        if (s->end_ids[i] >= 0 && (size_t)s->end_ids[i] < s->n_vocab) s->own_logits[s->end_ids[i]] = -INFINITY;
}

/* NaN and +infinity would poison every sum: the first is impossible, the second merely very likely. */
static void copy_logits(wick_sampler *s, const float *logits) {
    for (size_t i = 0; i < s->n_vocab; i++) {
        float x = logits[i];
        x = x < WICK_HUGE_LOGIT ? x : x >= WICK_HUGE_LOGIT ? WICK_HUGE_LOGIT : -INFINITY;
        s->own_logits[i] = x;
    }
}

/* Makes the whole vocabulary the candidates; false: there are logits among them that copy_logits would change. */
static bool begin(wick_sampler *s, const float *logits) {
    s->logits = logits;
    s->n = s->n_vocab;
    s->whole = true;
    s->sorted = false;
    s->inverse_t = 1;
    return s->loops->scan(logits, s->n_vocab, s->block_most);
}

/* Draws among the candidates, block by block; *probability of what was drawn. */
static int32_t draw(wick_sampler *s, double *probability) {
    double total = wick_sampler_exponentials(s), at = wick_sampler_uniform(s) * total, sum = 0;
    size_t b = 0, last = 0;
    for (; (b + 1) * WICK_SAMPLER_BLOCK < s->n && sum + s->block_sum[b] <= at; b++) sum += s->block_sum[b];
    for (size_t i = b * WICK_SAMPLER_BLOCK; i < s->n; i++) {
        if (s->p[i] <= 0) continue;
        last = i;
        sum += (double)s->p[i];
        if (at < sum) break;
    }
    *probability = total > 0 ? (double)s->p[last] / total : 1;
    return s->whole ? (int32_t)last : s->candidates[last].id;
}

/* Sums of what the blocks could hold at most, if every token were as likely as the likeliest of its block; returns the highest logit. */
static float sum_bounds(wick_sampler *s) {
    float most = -INFINITY;
    double sum = 0;
    for (size_t b = 0; b < s->n_block; b++) most = s->block_most[b] > most ? s->block_most[b] : most;
    if (!(most > -INFINITY)) most = 0;
    for (size_t b = 0; b < s->n_block; b++) {
        float bound = wick_exp_f32((s->block_most[b] - most) * s->inverse_t);
        s->block_p[b] = bound;
        s->block_sum[b] = sum += (double)bound * (double)block_size(b * WICK_SAMPLER_BLOCK, s->n_vocab);
    }
    return most;
}

/* Draws from the whole vocabulary without looking at all of it: a block by its bound, a token of it by chance, and that token is taken with
 * the probability that it has beside the bound; else once more. Exactly the distribution, and at most 64 tries are expected. */
static int32_t draw_from_all(wick_sampler *s) {
    float most = sum_bounds(s);
    double total = s->block_sum[s->n_block - 1];
    for (int tries = 0; tries < 10000 && total > 0; tries++) {
        double at = wick_sampler_uniform(s) * total;
        size_t low = 0, high = s->n_block - 1;
        while (low < high) { /* the first block whose sum is beyond */
            size_t middle = low + (high - low) / 2;
            if (s->block_sum[middle] > at)
                high = middle;
            else
                low = middle + 1;
        }
        size_t from = low * WICK_SAMPLER_BLOCK, n = block_size(from, s->n_vocab);
        size_t i = from + (size_t)(wick_sampler_uniform(s) * (double)n);
        float p = wick_exp_f32((s->logits[i] - most) * s->inverse_t);
        if (wick_sampler_uniform(s) * (double)s->block_p[low] < (double)p) return (int32_t)i;
    }
    double ignored; /* no logit is possible, or chance is broken */
    return draw(s, &ignored);
}

#define LN2 0.69314718055994531

static int32_t draw_and_steer(wick_sampler *s) {
    double p;
    int32_t id = draw(s, &p);
    s->mu -= (double)s->options.mirostat_eta * (-wick_log_f64(p) / LN2 - (double)s->options.mirostat_tau);
    return id;
}

/* Mirostat keeps the surprise of the text near tau (Basu and others, 2020): the second version by leaving out what surprises more than
 * mu bits. */
static int32_t mirostat_2(wick_sampler *s) {
    double log_sum = wick_log_f64(wick_sampler_exponentials(s)), least = log_sum - s->mu * LN2;
    wick_sampler_keep_from(s, (float)((double)s->most + least / (double)s->inverse_t));
    return draw_and_steer(s);
}

/* The first version by keeping as many as a Zipf distribution would need, whose shape the best hundred tell. */
static int32_t mirostat_1(wick_sampler *s) {
    enum { N_BEST = 101 };
    double top = 0, bottom = 0, n = (double)s->n_vocab;
    wick_sampler_top_k(s, N_BEST);
    wick_sampler_sort(s);
    for (size_t i = 0; i + 1 < s->n && i + 1 < N_BEST && s->candidates[i + 1].key > -INFINITY; i++) {
        double t = wick_log_f64((double)(i + 2) / (double)(i + 1));
        top += t * (double)((s->candidates[i].key - s->candidates[i + 1].key) * s->inverse_t);
        bottom += t * t;
    }
    double shape = bottom > 0 ? top / bottom : 1, epsilon = shape - 1;
    if (shape < 1e-3) shape = 1e-3;
    double scale = epsilon != 0 ? epsilon / (1 - wick_exp_f64(-epsilon * wick_log_f64(n))) : 1 / wick_log_f64(n);
    double k = (wick_log_f64(scale > 1e-300 ? scale : 1e-300) + s->mu * LN2) / shape; /* log of k */
    size_t keep = k > 30 ? s->n_vocab : k < 0 ? 1 : (size_t)wick_exp_f64(k);
    if (keep > s->n) s->whole = true, s->sorted = false, s->n = s->n_vocab; /* more than were looked at */
    wick_sampler_top_k(s, keep < 1 ? 1 : keep);
    return draw_and_steer(s);
}

static bool changes_logits(const wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    return o->n_biases || (o->n_end_ids && (int64_t)s->n_new < o->min_tokens) || s->history_cap;
}

static bool changes_first(wick_sampler_step step) { return step == WICK_STEP_PENALTIES || step == WICK_STEP_DRY; }

int32_t wick_sampler_sample(wick_sampler *s, const float *logits) {
    double p;
    s->drawn = true;
    if (s->options.temperature <= 0 && !changes_logits(s)) return most_likely(s, logits);
    if (changes_logits(s) || !begin(s, logits)) {
        copy_logits(s, logits);
        apply_bias(s);
        /* Penalties act on all logits, so they come before any step that drops candidates, wherever the order names them. */
        for (int i = 0; i < s->n_step; i++)
            if (changes_first(s->order[i])) wick_sampler_run_step(s, s->order[i]);
        if (s->options.temperature <= 0) return most_likely(s, s->own_logits);
        begin(s, s->own_logits);
    }
    for (int i = 0; i < s->n_step; i++) {
        bool thins = s->order[i] != WICK_STEP_TEMPERATURE;
        if (!changes_first(s->order[i]) && !(s->options.mirostat && thins)) wick_sampler_run_step(s, s->order[i]);
    }
    if (s->options.mirostat) return s->options.mirostat == 1 ? mirostat_1(s) : mirostat_2(s);
    return s->whole ? draw_from_all(s) : draw(s, &p);
}

/* ---- log probabilities */

size_t wick_logprobs(const float *logits, size_t n_vocab, int32_t token, float *logprob, wick_logprob *top, size_t n_top) {
    float most = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < n_vocab; i++)
        if (logits[i] > most) most = logits[i];
    for (size_t i = 0; i < n_vocab; i++)
        if (logits[i] > -INFINITY) sum += wick_exp_f64((double)logits[i] - most < -700 ? -700 : (double)logits[i] - most);
    double base = most + (sum > 0 ? wick_log_f64(sum) : 0);
    if (logprob) *logprob = token >= 0 && (size_t)token < n_vocab ? (float)(logits[token] - base) : -INFINITY;
    size_t n = 0;
    for (size_t i = 0; i < n_vocab && n_top; i++) { /* insertion: n_top is small */
        if (!(logits[i] > -INFINITY) || (n == n_top && !((float)(logits[i] - base) > top[n - 1].logprob))) continue;
        size_t at = n < n_top ? n++ : n - 1;
        for (; at && (float)(logits[i] - base) > top[at - 1].logprob; at--) top[at] = top[at - 1];
        top[at] = (wick_logprob){(int32_t)i, (float)(logits[i] - base)};
    }
    return n;
}
