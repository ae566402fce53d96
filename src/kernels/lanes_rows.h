/* lanes_rows.h: kernels over one row, sixteen lanes at a time. A template: see lanes.h. */
#ifndef WICK_KERNELS_LANES_ROWS_H
#define WICK_KERNELS_LANES_ROWS_H

/* ---------------------------------------------------------------- quantizer */

INLINE vf quant_codes(vf x, const wick_quant_row *q) {
    vf t = v_mul(v_ordered(x, x), v_set(q->s));
    return v_add(v_round(v_min(v_max(t, v_set(q->low)), v_set(q->high))), v_set(q->zero));
}

static wick_quant_row row_range(const float *x, int64_t k) {
    vf lo = v_set(0), hi = v_set(0);
    for (int64_t i = 0; i < k; i += 16) {
        vf v = v_load_upto(x + i, k - i);
        lo = v_min(v, lo);
        hi = v_max(v, hi);
    }
    return wick_quant_row_of(-v_top(v_neg(lo)), v_top(hi));
}

void LEVEL(wick_quantize_row)(const float *x, int64_t k, int64_t k_pad, int8_t *codes, int64_t code_stride, int32_t *starts,
                              int64_t start_stride, float *neg_zero, float *scale, int32_t *sum) {
    const wick_quant_row q = row_range(x, k);
    int32_t total = 0;
    for (int64_t i = 0; i < k_pad; i += WICK_GROUP) {
        vf a[2];
        for (int h = 0; h < 2; h++) {
            int64_t left = k - i - 16 * h;
            a[h] = left > 0 ? quant_codes(v_load_upto(x + i + 16 * h, left), &q) : v_set(0);
            if (left > 0 && left < 16) a[h] = v_keep((1u << left) - 1, a[h]);
            v_store_i8(codes + i / WICK_GROUP * code_stride + 16 * h, a[h]);
        }
        int32_t group = (int32_t)v_tree(v_add(a[0], a[1])); /* integers: exact */
        starts[i / WICK_GROUP * start_stride] = -8 * group;
        total += group;
    }
    *neg_zero = 0.0f - q.zero;
    *scale = 1.0f / q.s;
    *sum = total;
}

/* ---------------------------------------------------------------- norms */

void LEVEL(wick_rmsnorm)(const float *x, const float *w, float w_offset, float eps, int64_t n, float *y) {
    vf sum = v_set(0);
    for (int64_t i = 0; i < n; i += 16) {
        vf v = v_load_upto(x + i, n - i);
        sum = v_fma(v, v, sum);
    }
    vf r = v_set(1.0f / sqrtf(v_tree(sum) / (float)n + eps));
    for (int64_t i = 0; i < n; i += 16) {
        vf v = v_mul(v_load_upto(x + i, n - i), r);
        if (w) v = v_mul(v, v_add(v_load_upto(w + i, n - i), v_set(w_offset)));
        v_store_upto(y + i, v, n - i);
    }
}

void LEVEL(wick_layernorm)(const float *x, const float *w, const float *b, float eps, int64_t n, float *y) {
    vf sum = v_set(0);
    for (int64_t i = 0; i < n; i += 16) sum = v_add(sum, v_load_upto(x + i, n - i));
    vf mean = v_set(v_tree(sum) / (float)n);
    sum = v_set(0);
    for (int64_t i = 0; i < n; i += 16) {
        vf v = v_sub(v_load_upto(x + i, n - i), mean);
        if (n - i < 16) v = v_keep((1u << (n - i)) - 1, v);
        sum = v_fma(v, v, sum);
    }
    vf r = v_set(1.0f / sqrtf(v_tree(sum) / (float)n + eps));
    for (int64_t i = 0; i < n; i += 16) {
        vf v = v_mul(v_sub(v_load_upto(x + i, n - i), mean), r);
        if (w) v = v_mul(v, v_load_upto(w + i, n - i));
        if (b) v = v_add(v, v_load_upto(b + i, n - i));
        v_store_upto(y + i, v, n - i);
    }
}

/* ---------------------------------------------------------------- elementwise */

#define DEFINE_BINARY(op)                                                                                                                  \
    void LEVEL(wick_##op)(const float *a, const float *b, int64_t n, float *y) {                                                           \
        for (int64_t i = 0; i < n; i += 16) v_store_upto(y + i, v_##op(v_load_upto(a + i, n - i), v_load_upto(b + i, n - i)), n - i);      \
    }
DEFINE_BINARY(add)
DEFINE_BINARY(mul)
#undef DEFINE_BINARY

#define DEFINE_GLU(act)                                                                                                                    \
    void LEVEL(wick_##act##_glu)(const float *gate, const float *up, int64_t n, float *y) {                                                \
        for (int64_t i = 0; i < n; i += 16) {                                                                                              \
            vf g = v_##act(v_load_upto(gate + i, n - i));                                                                                  \
            v_store_upto(y + i, v_mul(g, v_load_upto(up + i, n - i)), n - i);                                                              \
        }                                                                                                                                  \
    }
DEFINE_GLU(silu)
DEFINE_GLU(gelu)
DEFINE_GLU(gelu_tanh)
#undef DEFINE_GLU

#define DEFINE_UNARY(act)                                                                                                                  \
    void LEVEL(wick_##act)(const float *x, int64_t n, float *y) {                                                                          \
        for (int64_t i = 0; i < n; i += 16) v_store_upto(y + i, v_##act(v_load_upto(x + i, n - i)), n - i);                                \
    }
DEFINE_UNARY(silu)
DEFINE_UNARY(gelu)
DEFINE_UNARY(gelu_tanh)
DEFINE_UNARY(sigmoid)
DEFINE_UNARY(tanh)
DEFINE_UNARY(relu)
#undef DEFINE_UNARY

/* ---------------------------------------------------------------- rope */

void LEVEL(wick_rope_half)(float *x, int64_t n_head, int64_t d, int64_t n_rotary, const float *cos, const float *sin) {
    const int64_t half = n_rotary / 2;
    for (int64_t h = 0; h < n_head; h++, x += d)
        for (int64_t i = 0; i < half; i += 16) {
            const int64_t left = half - i;
            vf c = v_load_upto(cos + i, left), s = v_load_upto(sin + i, left);
            vf a = v_load_upto(x + i, left), b = v_load_upto(x + half + i, left);
            v_store_upto(x + i, v_sub(v_mul(a, c), v_mul(b, s)), left);
            v_store_upto(x + half + i, v_add(v_mul(b, c), v_mul(a, s)), left);
        }
}

void LEVEL(wick_rope_interleaved)(float *x, int64_t n_head, int64_t d, int64_t n_rotary, const float *cos, const float *sin) {
    for (int64_t h = 0; h < n_head; h++, x += d) {
        int64_t i = 0;
        for (; i + 16 <= n_rotary; i += 16) {
            vf v = v_load(x + i), across = v_mul(v_swap_pairs(v), v_load_twice(sin + i / 2));
            v_store(x + i, v_add(v_mul(v, v_load_twice(cos + i / 2)), v_neg_even(across)));
        }
        if (i < n_rotary) wick_rope_interleaved_ref(x + i, 1, d, n_rotary - i, cos + i / 2, sin + i / 2);
    }
}

/* ---------------------------------------------------------------- embedding rows */

void LEVEL(wick_dequant_row)(const int8_t *codes, float scale, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v_store(y + i, v_mul(v_load_i8(codes + i), v_set(scale)));
    wick_dequant_row_ref(codes + i, scale, n - i, y + i);
}

void LEVEL(wick_dequant_row4)(const uint8_t *codes, float scale, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v_store(y + i, v_mul(v_load_i4(codes + i / 2), v_set(scale)));
    wick_dequant_row4_ref(codes + i / 2, scale, n - i, y + i);
}

void LEVEL(wick_widen_f16)(const uint16_t *x, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v_store(y + i, v_load_f16(x + i));
    wick_widen_f16_ref(x + i, n - i, y + i);
}

void LEVEL(wick_widen_bf16)(const uint16_t *x, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v_store(y + i, v_load_bf16(x + i));
    wick_widen_bf16_ref(x + i, n - i, y + i);
}

#endif
