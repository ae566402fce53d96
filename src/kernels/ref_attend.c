/* The KV cache of one head and attention over one chunk of it: the definition. One row at a time. */
#include "kernels/kernel_math.h"
#include "kernels/levels.h"

/* ---------------------------------------------------------------- the cache */

static int64_t k_index(int64_t position, int64_t d, int64_t i) { return (position / 16 * d + i) * 16 + position % 16; }

void wick_kv_store_f16_ref(const float *k, const float *v, int64_t position, int64_t d, void *k_cache, void *v_cache) {
    for (int64_t i = 0; i < d; i++) {
        ((uint16_t *)k_cache)[k_index(position, d, i)] = wick_f32_to_f16(k[i]);
        ((uint16_t *)v_cache)[position * d + i] = wick_f32_to_f16(v[i]);
    }
}

void wick_kv_store_f32_ref(const float *k, const float *v, int64_t position, int64_t d, void *k_cache, void *v_cache) {
    for (int64_t i = 0; i < d; i++) {
        ((float *)k_cache)[k_index(position, d, i)] = k[i];
        ((float *)v_cache)[position * d + i] = v[i];
    }
}

/* ---------------------------------------------------------------- attention */

typedef float load_fn(const void *cache, int64_t i);
static float load_f32(const void *cache, int64_t i) { return ((const float *)cache)[i]; }
static float load_f16(const void *cache, int64_t i) { return wick_f16_to_f32(((const uint16_t *)cache)[i]); }

/* The block of 64 keys from `block` on, of which row r sees [from, to). */
static inline void attend_block(load_fn *load, const wick_attend_args *a, int r, int64_t block, int64_t from, int64_t to) {
    const float *q = a->q + r * a->q_stride;
    float *o = a->o + r * a->o_stride;
    float p[WICK_KEY_BLOCK] = {0}, m = a->m[r], lane[16];
    for (int64_t j = from; j < to; j++) {
        float s = 0;
        for (int64_t i = 0; i < a->d; i++) s = fmaf(q[i], load(a->k, k_index(j, a->d, i)), s);
        p[j - block] = s * a->scale;
        m = wick_max(p[j - block], m);
    }
    m += 0.0f;
    float c = wick_exp(a->m[r] - m);
    for (int64_t j = from; j < to; j++) p[j - block] = wick_exp(p[j - block] - m);
    for (int i = 0; i < 16; i++) lane[i] = (p[i] + p[i + 16]) + (p[i + 32] + p[i + 48]);
    a->l[r] = fmaf(a->l[r], c, wick_tree16(lane));
    a->m[r] = m;
    for (int64_t i = 0; i < a->d; i++) {
        float acc = o[i] * c;
        for (int64_t j = from; j < to; j++) acc = fmaf(p[j - block], load(a->v, j * a->d + i), acc);
        o[i] = acc;
    }
}

static inline void attend(load_fn *load, const wick_attend_args *a) {
    for (int r = 0; r < a->n_row; r++) {
        a->m[r] = -INFINITY;
        a->l[r] = 0;
        for (int64_t i = 0; i < a->d; i++) a->o[r * a->o_stride + i] = 0;
        for (int64_t block = a->key_from; block < a->key_to; block += WICK_KEY_BLOCK) {
            int64_t from = a->first[r] > block ? a->first[r] : block, to = block + WICK_KEY_BLOCK;
            if (to > a->key_to) to = a->key_to;
            if (to > a->limit[r]) to = a->limit[r];
            if (from < to) attend_block(load, a, r, block, from, to);
        }
    }
}

void wick_attend_f32_ref(const wick_attend_args *args, void *scratch) {
    (void)scratch;
    attend(load_f32, args);
}

void wick_attend_f16_ref(const wick_attend_args *args, void *scratch) {
    (void)scratch;
    attend(load_f16, args);
}

/* One block of K and of V in fp32. */
size_t wick_attend_scratch_size(int64_t d) { return 2 * WICK_KEY_BLOCK * (size_t)d * sizeof(float); }

void wick_attend_merge(int n, const float *m, const float *l, int64_t ml_stride, const float *o, int64_t o_stride, int64_t d, float *out) {
    float top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) top = wick_max(m[i * ml_stride], top);
    for (int64_t j = 0; j < d; j++) out[j] = 0;
    bool any = false;
    for (int i = 0; i < n; i++) {
        float mi = m[i * ml_stride];
        if (mi == -INFINITY && l[i * ml_stride] == 0) continue;
        any = true;
        float w = wick_exp(mi - top);
        sum = fmaf(l[i * ml_stride], w, sum);
        if (w == 1) /* always so for one chunk: fmaf would give the same, a call at a time */
            for (int64_t j = 0; j < d; j++) out[j] += o[i * o_stride + j];
        else
            for (int64_t j = 0; j < d; j++) out[j] = fmaf(o[i * o_stride + j], w, out[j]);
    }
    if (any)
        for (int64_t j = 0; j < d; j++) out[j] = out[j] / sum;
}
