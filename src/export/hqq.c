#include "export/hqq.h"

#include <math.h>
#include <string.h>

enum { LANES = 8, ACC = 4, WIDTH = LANES * ACC, LEVELS = 4, CASCADE = 16 * WIDTH };

static const float eps = 0x1p-23f, tolerance = 1e-5f;

/* Partial sums of w*q and q*q, side by side. */
typedef struct sums {
    float wq[WIDTH], qq[WIDTH];
} sums;

/* round half to even for |x| < 2^22, by pushing the fraction out of the mantissa: exact, and four instructions everywhere.
 * Values that far outside the range of codes are clamped first, which cannot change the clamped result. */
static inline float round_clamped(float x, float lo, float hi) {
    const float magic = 0x1.8p23f;
    x = x < lo - 1 ? lo - 1 : x;
    x = x > hi + 1 ? hi + 1 : x;
    x = (x + magic) - magic;
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}

/* Codes of n weights, and their products added to n accumulators: n is WIDTH or LANES. */
static inline void accumulate(const float *restrict w, int n, float s, float lo, float hi, float *restrict q, sums *restrict a) {
    for (int l = 0; l < n; l++) {
        q[l] = round_clamped(w[l] / s, lo, hi);
        a->wq[l] += w[l] * q[l];
        a->qq[l] += q[l] * q[l];
    }
}

static inline void add_to(sums *restrict a, sums *restrict from) {
    for (int l = 0; l < WIDTH; l++) a->wq[l] += from->wq[l], a->qq[l] += from->qq[l];
    memset(from, 0, sizeof *from);
}

/* log2 of the length of a cascade step: at least 16 additions before a sum moves up a level. */
static int level_power(int64_t size) {
    int log2 = 0;
    while ((int64_t)1 << log2 < size) log2++;
    return log2 / LEVELS > 4 ? log2 / LEVELS : 4;
}

/* One iteration over a group: codes, num = sum(w q), den = sum(q q). */
static void iterate(const float *w, int64_t n, float s, float lo, float hi, float *q, float *num, float *den) {
    sums level[LEVELS];
    memset(level, 0, n >= CASCADE ? sizeof level : sizeof *level);
    int64_t n_vector = n / LANES, size = n_vector / ACC, i = 0;
    const int power = level_power(size);
    const int64_t step = (int64_t)1 << power;
    while (i + step <= size) {
        for (int64_t end = i + step; i < end; i++) accumulate(w + i * WIDTH, WIDTH, s, lo, hi, q + i * WIDTH, &level[0]);
        for (int j = 1; j < LEVELS; j++) {
            add_to(&level[j], &level[j - 1]);
            if (i & (step - 1) << j * power) break;
        }
    }
    for (; i < size; i++) accumulate(w + i * WIDTH, WIDTH, s, lo, hi, q + i * WIDTH, &level[0]);
    if (n >= CASCADE) /* shorter groups never left level 0 */
        for (int j = 1; j < LEVELS; j++) add_to(&level[0], &level[j]);
    sums *a = &level[0];
    for (int64_t v = size * ACC; v < n_vector; v++) accumulate(w + v * LANES, LANES, s, lo, hi, q + v * LANES, a);
    for (int k = 1; k < ACC; k++)
        for (int l = 0; l < LANES; l++) a->wq[l] += a->wq[k * LANES + l], a->qq[l] += a->qq[k * LANES + l];
    float x = 0, y = 0;
    for (int64_t k = n_vector * LANES; k < n; k++) {
        q[k] = round_clamped(w[k] / s, lo, hi);
        x += w[k] * q[k];
        y += q[k] * q[k];
    }
    for (int l = 0; l < LANES; l++) x += a->wq[l], y += a->qq[l];
    *num = x, *den = y;
}

static float first_scale(const wick_hqq *h, const float *w) {
    float top = 0;
    for (int64_t k = 0; k < h->group; k++) {
        float a = fabsf(w[k]);
        top = a > top ? a : top;
    }
    top /= (float)(-h->lo > h->hi ? -h->lo : h->hi);
    return top > eps ? top : eps;
}

static float next_scale(float s, float num, float den) {
    float t = den > 0 ? num / den : s;
    return t > eps ? t : eps;
}

static void round_group(const wick_hqq *h, const float *w, float s, int8_t *codes) {
    for (int64_t k = 0; k < h->group; k++) codes[k] = (int8_t)round_clamped(w[k] / s, (float)h->lo, (float)h->hi);
}

void wick_hqq_group(wick_hqq *h, const float *w, int8_t *codes, wick_hqq_state *state) {
    float s = first_scale(h, w), num, den;
    for (int it = 1; it <= WICK_HQQ_MAX_ITERATIONS; it++) {
        iterate(w, h->group, s, (float)h->lo, (float)h->hi, h->scratch, &num, &den);
        float t = next_scale(s, num, den);
        if (t == s) {
            for (int64_t k = 0; k < h->group; k++) codes[k] = (int8_t)h->scratch[k];
            *state = (wick_hqq_state){s, (uint8_t)(it - 1)};
            return;
        }
        float change = fabsf(t - s) / s;
        if (change > h->change[it]) h->change[it] = change;
        s = t;
    }
    round_group(h, w, s, codes);
    *state = (wick_hqq_state){s, WICK_HQQ_MAX_ITERATIONS};
}

int wick_hqq_iterations(const wick_hqq *h) {
    int n = 1;
    while (n < WICK_HQQ_MAX_ITERATIONS && !(h->change[n] < tolerance)) n++;
    return n;
}

void wick_hqq_group_again(const wick_hqq *h, int n, const float *w, int8_t *codes, wick_hqq_state *state) {
    float s = first_scale(h, w), num, den;
    for (int it = 1; it <= n; it++) {
        iterate(w, h->group, s, (float)h->lo, (float)h->hi, h->scratch, &num, &den);
        s = next_scale(s, num, den);
    }
    round_group(h, w, s, codes);
    *state = (wick_hqq_state){s, (uint8_t)n};
}
