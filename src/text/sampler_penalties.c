/* Penalties on tokens that the text has already. */
#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>

/* CTRL's repetition penalty, OpenAI's frequency and presence penalties, over one window. */
void wick_sampler_penalties(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    if (!s->history_cap || (o->repeat_penalty == 1 && o->frequency_penalty == 0 && o->presence_penalty == 0)) return;
    size_t n = o->repeat_last_n < 0 || (size_t)o->repeat_last_n > s->n_history ? s->n_history : (size_t)o->repeat_last_n;
    for (size_t i = 0; i < n; i++) {
        int32_t id = wick_sampler_recent(s, i);
        if (id >= 0 && (size_t)id < s->n_vocab) s->counts[id]++;
    }
    for (size_t i = 0; i < n; i++) {
        int32_t id = wick_sampler_recent(s, i);
        if (id < 0 || (size_t)id >= s->n_vocab || !s->counts[id]) continue;
        float x = s->own_logits[id];
        x = x > 0 ? x / o->repeat_penalty : x * o->repeat_penalty;
        s->own_logits[id] = x - ((float)s->counts[id] * o->frequency_penalty + o->presence_penalty);
        s->counts[id] = 0;
    }
}

static bool is_breaker(const wick_sampler *s, int32_t id) { return s->breakers && id >= 0 && (size_t)id < s->n_vocab && s->breakers[id]; }

/* DRY: a token that would prolong a repeat of length k >= allowed loses multiplier * base^(k - allowed). The repeats are found by
 * the Z algorithm on the reversed text: z[i] = how far the text before position i agrees with the text before its end. */
void wick_sampler_dry(wick_sampler *s) {
    const wick_sampler_options *o = &s->options;
    if (o->dry_multiplier <= 0 || o->dry_base <= 0 || !s->z) return;
    size_t n = o->dry_last_n < 0 || (size_t)o->dry_last_n > s->n_history ? s->n_history : (size_t)o->dry_last_n;
    size_t most = 0; /* a repeat ends at the last breaker */
    while (most < n && !is_breaker(s, wick_sampler_recent(s, most))) most++;
    size_t left = 0, right = 0;
    for (size_t i = 1; i < n; i++) {
        size_t k = i < right ? ((size_t)s->z[i - left] < right - i ? (size_t)s->z[i - left] : right - i) : 0;
        while (i + k < n && wick_sampler_recent(s, k) == wick_sampler_recent(s, i + k)) k++;
        s->z[i] = (int32_t)k;
        if (i + k > right) left = i, right = i + k;
    }
    for (size_t i = 1; i < n; i++) { /* the token that followed the repeat stands before it in reversed order */
        int32_t next = wick_sampler_recent(s, i - 1);
        size_t k = (size_t)s->z[i] < most ? (size_t)s->z[i] : most;
        if (k < (size_t)o->dry_allowed_length || !k || next < 0 || (size_t)next >= s->n_vocab) continue;
        if (k > s->counts[next]) s->counts[next] = (uint32_t)k;
    }
    for (size_t i = 1; i < n; i++) {
        int32_t next = wick_sampler_recent(s, i - 1);
        if (next < 0 || (size_t)next >= s->n_vocab || !s->counts[next]) continue;
        double power = (double)(s->counts[next] - (uint32_t)o->dry_allowed_length) * wick_log_f64(o->dry_base);
        s->own_logits[next] -= (float)(o->dry_multiplier * wick_exp_f64(power < 80 ? power : 80));
        s->counts[next] = 0;
    }
}
