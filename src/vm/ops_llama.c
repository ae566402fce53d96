/* Caches and attention: the llama:: operators of the stock runtime. */
#include "vm/ops.h"

#include "base/checked.h"

#include <math.h>

/* ---------------------------------------------------------------- caches */

/* Copies value [B, S, ..] to the rows start.. of cache [B, C, ..], or to the rows that indices [B, S] name. */
static wick_status update(wick_call *c, const wick_vt *value, wick_vt *cache, int64_t start, const wick_vt *indices) {
    bool fits = value->rank == cache->rank && value->rank >= 2 && value->type == cache->type && value->dims[0] == cache->dims[0];
    for (int i = 2; i < value->rank && fits; i++) fits = value->dims[i] == cache->dims[i];
    if (!fits) return wick_vt_mismatch(c->err, "what goes into a cache", value, cache);
    int64_t n_batch = value->dims[0], n = value->dims[1], n_row = cache->dims[1];
    if (!indices && (start < 0 || start > n_row || n > n_row - start))
        return wick_fail(c->err, WICK_ELIMIT, "positions %lld to %lld of a cache of %lld positions", (long long)start,
                         (long long)wick_binary_int(WICK_BIN_ADD, start, n), (long long)n_row);
    if (indices && (indices->type != WICK_ST_LONG || wick_vt_count(indices) != (uint64_t)(n_batch * n)))
        return wick_vt_mismatch(c->err, "the rows of a cache", indices, value);
    size_t size = (size_t)wick_vt_span(value, 2, value->rank) * wick_scalar_size(value->type);
    for (int64_t b = 0; b < n_batch; b++)
        for (int64_t s = 0; s < n; s++) {
            int64_t row = indices ? wick_vt_int(indices, (uint64_t)(b * n + s)) : start + s;
            if (row < 0 || row >= n_row)
                return wick_fail(c->err, WICK_ELIMIT, "row %lld of a cache of %lld positions", (long long)row, (long long)n_row);
            if (size) memmove(cache->data + (size_t)(b * n_row + row) * size, value->data + (size_t)(b * n + s) * size, size);
        }
    return WICK_OK;
}

/* update_cache(value, cache, start_pos, out): out is a dummy that stays as it is. */
wick_status wick_vm_update_cache(wick_call *c) {
    return update(c, wick_call_tensor(c, 0), wick_call_tensor(c, 1), wick_call_int(c, 2), NULL);
}

/* update_cache_with_indices(value, cache, start_pos, indices, out). */
wick_status wick_vm_update_cache_indices(wick_call *c) {
    return update(c, wick_call_tensor(c, 0), wick_call_tensor(c, 1), wick_call_int(c, 2), wick_call_tensor(c, 3));
}

/* ---------------------------------------------------------------- attention
 *
 * q [B, S, H, D], k and v [B, C, Hk, D] (or sequence and heads exchanged): row i of a step at position p sees the keys up to p + i
 * if causal, else those that the mask [S, C] allows (it is added), else the first p + S. Heads share H / Hk to one. */
typedef struct attention {
    const wick_vt *q, *k, *v, *mask;
    const wick_vt *q_scale, *q_zero, *k_scale, *k_zero, *v_scale, *v_zero; /* int8: [.., 1], else NULL */
    int64_t start;
    bool causal, heads_first;
    double scale;
    wick_vt *out;
    int64_t n_batch, n_row, n_head, n_kv, n_kv_head, d;
} attention;

static int64_t n_seq(const attention *a, const wick_vt *t) { return t->dims[a->heads_first ? 2 : 1]; }
static int64_t n_heads(const attention *a, const wick_vt *t) { return t->dims[a->heads_first ? 1 : 2]; }

/* Index of the row of one head at one position, in rows of D. */
static int64_t row_at(const attention *a, const wick_vt *t, int64_t b, int64_t s, int64_t h) {
    return a->heads_first ? (b * t->dims[1] + h) * t->dims[2] + s : (b * t->dims[1] + s) * t->dims[2] + h;
}

static wick_status check_scales(const wick_vt *t, const wick_vt *scale, const wick_vt *zero, wick_error *err) {
    if (!scale) return t->type == WICK_ST_CHAR ? wick_fail(err, WICK_EFORMAT, "attention over int8 without scales") : WICK_OK;
    uint64_t rows = (uint64_t)wick_vt_span(t, 0, 3);
    if (!zero || wick_vt_count(scale) != rows || wick_vt_count(zero) != rows)
        return wick_vt_mismatch(err, "scales of int8 attention", scale, t);
    return WICK_OK;
}

static wick_status check_attention(attention *a, wick_error *err) {
    const wick_vt *q = a->q, *k = a->k, *v = a->v;
    if (q->rank != 4 || k->rank != 4 || !wick_vt_same_shape(k, v) || q->dims[0] != k->dims[0] || q->dims[3] != k->dims[3])
        return wick_vt_mismatch(err, "keys and values of attention", k, q);
    a->n_batch = q->dims[0], a->d = q->dims[3];
    a->n_row = n_seq(a, q), a->n_head = n_heads(a, q), a->n_kv = n_seq(a, k), a->n_kv_head = n_heads(a, k);
    if (!a->n_kv_head || a->n_head % a->n_kv_head) return wick_vt_mismatch(err, "heads of attention", k, q);
    if (a->start < 0 || a->start > a->n_kv || (!a->mask && a->n_row > a->n_kv - a->start))
        return wick_fail(err, WICK_ELIMIT, "%lld rows at position %lld of a cache of %lld positions", (long long)a->n_row,
                         (long long)a->start, (long long)a->n_kv);
    if (a->mask && a->causal) return wick_fail(err, WICK_EFORMAT, "attention that is causal and has a mask");
    if (a->mask && (a->mask->rank < 2 || wick_vt_last(a->mask) != a->n_kv || wick_vt_count(a->mask) != (uint64_t)(a->n_row * a->n_kv)))
        return wick_vt_mismatch(err, "the mask of attention", a->mask, k);
    WICK_TRY(check_scales(q, a->q_scale, a->q_zero, err));
    WICK_TRY(check_scales(k, a->k_scale, a->k_zero, err));
    return check_scales(v, a->v_scale, a->v_zero, err);
}

/* The rows of D as floats: in place, or in `space`. */
static const float *rows_of(const wick_vt *t, const wick_vt *scale, const wick_vt *zero, float *space) {
    if (!scale) return wick_vt_floats(t, space);
    uint64_t d = (uint64_t)t->dims[3];
    for (uint64_t i = 0, n = wick_vt_count(t); i < n; i++)
        space[i] = (float)((wick_vt_real(t, i) - wick_vt_real(zero, i / d)) * wick_vt_real(scale, i / d));
    return space;
}

static double mask_value(const wick_vt *mask, int64_t at) {
    if (!mask) return 0;
    if (mask->type == WICK_ST_BOOL) return wick_vt_int(mask, (uint64_t)at) ? 0 : -INFINITY;
    return wick_vt_real(mask, (uint64_t)at);
}

/* One row of one head: p [n_kv] and o [d] are scratch. */
static void attend(const attention *a, const float *q, const float *k, const float *v, int64_t b, int64_t s, int64_t h, double *p,
                   double *o) {
    int64_t n = a->causal ? a->start + s + 1 : a->mask ? a->n_kv : a->start + a->n_row, h_kv = h / (a->n_head / a->n_kv_head), d = a->d;
    int64_t to = row_at(a, a->q, b, s, h) * d;
    double top = -INFINITY, sum = 0;
    for (int64_t t = 0; t < n; t++) {
        p[t] = wick_dot(q + to, k + row_at(a, a->k, b, t, h_kv) * d, d) * a->scale + mask_value(a->mask, s * a->n_kv + t);
        if (p[t] > top) top = p[t];
    }
    for (int64_t i = 0; i < d; i++) o[i] = 0;
    for (int64_t t = 0; t < n; t++) {
        double e = top == -INFINITY ? 0 : exp(p[t] - top);
        const float *line = v + row_at(a, a->k, b, t, h_kv) * d;
        if (e == 0) continue; /* hidden keys may hold anything */
        sum += e;
        for (int64_t i = 0; i < d; i++) o[i] += e * (double)line[i];
    }
    for (int64_t i = 0; i < d; i++) wick_vt_set_real(a->out, (uint64_t)(to + i), sum == 0 ? 0 : o[i] / sum);
}

static wick_status run_attention(wick_call *c, attention *a) {
    WICK_TRY(check_attention(a, c->err));
    WICK_TRY(wick_vt_resize_like(a->out, a->q, c->err));
    uint64_t sizes[3] = {wick_vt_count(a->q), wick_vt_count(a->k), wick_vt_count(a->v)};
    const wick_vt *tensors[3] = {a->q, a->k, a->v}, *scales[3] = {a->q_scale, a->k_scale, a->v_scale},
                  *zeros[3] = {a->q_zero, a->k_zero, a->v_zero};
    const float *rows[3];
    double *space = wick_vm_scratch(c->vm, (sizes[0] + sizes[1] + sizes[2]) * sizeof(float) + (uint64_t)(a->n_kv + a->d) * sizeof(double));
    if (!space) return wick_fail_nomem(c->err);
    float *floats = (float *)(space + a->n_kv + a->d);
    for (int i = 0; i < 3; i++) {
        rows[i] = rows_of(tensors[i], scales[i], zeros[i], floats);
        floats += sizes[i];
    }
    for (int64_t b = 0; b < a->n_batch; b++)
        for (int64_t s = 0; s < a->n_row; s++)
            for (int64_t h = 0; h < a->n_head; h++) attend(a, rows[0], rows[1], rows[2], b, s, h, space, space + a->n_kv);
    return WICK_OK;
}

static double scale_of(wick_call *c, int arg, const wick_vt *q) {
    return wick_call_none(c, arg) ? 1 / sqrt((double)wick_vt_last(q)) : wick_call_real(c, arg);
}

/* custom_sdpa(q, k, v, start_pos, mask?, dropout, is_causal, scale?, out). */
wick_status wick_vm_custom_sdpa(wick_call *c) {
    attention a = {.q = wick_call_tensor(c, 0),
                   .k = wick_call_tensor(c, 1),
                   .v = wick_call_tensor(c, 2),
                   .start = wick_call_int(c, 3),
                   .mask = wick_call_tensor_or_null(c, 4),
                   .causal = wick_call_bool(c, 6),
                   .out = wick_call_tensor(c, 8)};
    a.scale = scale_of(c, 7, a.q);
    return run_attention(c, &a);
}

/* custom_quantized_sdpa(q, k, v, start_pos, mask?, dropout, is_causal, scale?, q_zero?, q_scale?, k_zero?, k_scale?, v_zero?, v_scale?,
 * is_seq_at_dim_2, out). */
wick_status wick_vm_quantized_sdpa(wick_call *c) {
    attention a = {.q = wick_call_tensor(c, 0),
                   .k = wick_call_tensor(c, 1),
                   .v = wick_call_tensor(c, 2),
                   .start = wick_call_int(c, 3),
                   .mask = wick_call_tensor_or_null(c, 4),
                   .causal = wick_call_bool(c, 6),
                   .q_zero = wick_call_tensor_or_null(c, 8),
                   .q_scale = wick_call_tensor_or_null(c, 9),
                   .k_zero = wick_call_tensor_or_null(c, 10),
                   .k_scale = wick_call_tensor_or_null(c, 11),
                   .v_zero = wick_call_tensor_or_null(c, 12),
                   .v_scale = wick_call_tensor_or_null(c, 13),
                   .heads_first = wick_call_bool(c, 14),
                   .out = wick_call_tensor(c, 15)};
    a.scale = scale_of(c, 7, a.q);
    return run_attention(c, &a);
}

/* sdpa_with_kv_cache(q, k, v, k_cache, v_cache, start_pos, seq_len, mask?, dropout, is_causal, scale?, out): programs of before 2025. */
wick_status wick_vm_sdpa_kv_cache(wick_call *c) {
    attention a = {.q = wick_call_tensor(c, 0),
                   .k = wick_call_tensor(c, 3),
                   .v = wick_call_tensor(c, 4),
                   .start = wick_call_int(c, 5),
                   .mask = wick_call_tensor_or_null(c, 7),
                   .causal = wick_call_bool(c, 9),
                   .out = wick_call_tensor(c, 11)};
    WICK_TRY(update(c, wick_call_tensor(c, 1), wick_call_tensor(c, 3), a.start, NULL));
    WICK_TRY(update(c, wick_call_tensor(c, 2), wick_call_tensor(c, 4), a.start, NULL));
    a.scale = scale_of(c, 10, a.q);
    return run_attention(c, &a);
}

/* ---------------------------------------------------------------- Hadamard */

/* A Hadamard matrix of order 28 in blocks of seven, each of them circulant: its first rows. It is the one that stock has, from N. J. A.
 * Sloane's library of Hadamard matrices (had.28.will); element (column, row), as it is multiplied from the left. */
static double sign28(int64_t row, int64_t column) {
    static const char blocks[4][4][8] = {{"+------", "--++++-", "-+-++-+", "-++--++"},
                                         {"++----+", "+------", "+--++--", "-+-++-+"},
                                         {"+-+--+-", "-++--++", "+------", "++----+"},
                                         {"+--++--", "+-+--+-", "--++++-", "+------"}};
    return blocks[column / 7][row / 7][(row % 7 - column % 7 + 7) % 7] == '+' ? 1 : -1;
}

/* 28 rows of n numbers times the matrix from the left, which is not scaled. */
static void multiply28(double *rows, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double column[28];
        for (int64_t k = 0; k < 28; k++) column[k] = rows[k * n + i];
        for (int64_t j = 0; j < 28; j++) {
            double sum = 0;
            for (int64_t k = 0; k < 28; k++) sum += sign28(j, k) * column[k];
            rows[j * n + i] = sum;
        }
    }
}

/* row[n] in blocks of `size`, a power of two: y[i] = sum of (-1)^popcount(i & j) x[j] / sqrt(size). */
static void walsh(double *row, int64_t n, int64_t size) {
    for (int64_t half = 1; half < size; half *= 2)
        for (int64_t i = 0; i < n; i++) {
            if (i & half) continue;
            double a = row[i], b = row[i + half];
            row[i] = a + b, row[i + half] = a - b;
        }
    for (int64_t i = 0; i < n; i++) row[i] /= sqrt((double)size);
}

/* fast_hadamard_transform(x [.., n], out), n a power of two, or 28 times one. */
wick_status wick_vm_hadamard(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 1);
    int64_t n = wick_vt_last(x), size = n > 0 && n & (n - 1) && n % 28 == 0 ? n / 28 : n;
    if (!x->rank || size <= 0 || (size & (size - 1)))
        return wick_fail(c->err, WICK_EUNSUPPORTED, "a Hadamard transform of length %lld, expected a power of two or 28 times one",
                         (long long)n);
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    double *row = wick_vm_scratch(c->vm, (uint64_t)n * sizeof *row);
    if (!row) return wick_fail_nomem(c->err);
    for (uint64_t at = 0, count = wick_vt_count(x); at < count; at += (uint64_t)n) {
        for (int64_t i = 0; i < n; i++) row[i] = wick_vt_real(x, at + (uint64_t)i);
        walsh(row, n, size);
        if (size != n) multiply28(row, size);
        for (int64_t i = 0; i < n; i++) wick_vt_set_real(out, at + (uint64_t)i, row[i]);
    }
    return WICK_OK;
}
