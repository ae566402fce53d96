/* Reductions, softmax and layer norm. Sums are kept in double. */
#include "vm/ops.h"

#include <math.h>

/* ---------------------------------------------------------------- which element goes where */

typedef struct reduction {
    bool gone[WICK_MAX_RANK];          /* reduced dims */
    int64_t out_stride[WICK_MAX_RANK]; /* per dim of x; 0: reduced */
    uint64_t n_each;                   /* elements that meet in one result */
} reduction;

/* Resizes out for a reduction of x over n axes (none: over all). */
static wick_status reduction_init(wick_call *c, reduction *r, const wick_vt *x, const int64_t *axes, int n, bool keep, wick_vt *out) {
    int32_t dims[WICK_MAX_RANK];
    int rank = 0, axis;
    int64_t stride = 1;
    memset(r, 0, sizeof *r);
    r->n_each = 1;
    for (int i = 0; i < n; i++) {
        WICK_TRY(wick_vt_axis(x, axes[i], &axis, c->err));
        r->gone[axis] = true;
    }
    for (int i = 0; i < x->rank; i++) {
        if (!n) r->gone[i] = true;
        if (r->gone[i]) r->n_each *= (uint64_t)x->dims[i];
        if (!r->gone[i] || keep) dims[rank++] = r->gone[i] ? 1 : x->dims[i];
    }
    for (int i = x->rank - 1; i >= 0; i--) {
        if (r->gone[i]) continue;
        r->out_stride[i] = stride;
        stride *= x->dims[i];
    }
    return wick_vt_resize(out, rank, dims, c->err);
}

static uint64_t out_index(const reduction *r, const wick_walk *w) {
    int64_t at = 0;
    for (int i = 0; i < w->rank; i++) at += w->index[i] * r->out_stride[i];
    return (uint64_t)at;
}

/* mean (variant 1) and sum (variant 0): (self, dim?, keepdim, dtype?, out). */
wick_status wick_vm_mean(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 4);
    int64_t axes[WICK_MAX_RANK];
    int n;
    reduction r;
    wick_walk w;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, axes, &n));
    WICK_TRY(reduction_init(c, &r, x, axes, n, wick_call_bool(c, 2), out));
    uint64_t n_out = wick_vt_count(out);
    double *sum = wick_vm_scratch(c->vm, n_out * sizeof *sum);
    if (!sum) return wick_fail_nomem(c->err);
    memset(sum, 0, n_out * sizeof *sum);
    if (!c->variant && !wick_vt_is_real(x->type) && !wick_vt_is_real(out->type)) { /* exact sums of integers */
        int64_t *whole = (int64_t *)sum;
        for (bool more = wick_walk_begin(&w, x, NULL, 0); more; more = wick_walk_next(&w)) {
            int64_t *s = &whole[out_index(&r, &w)];
            *s = wick_binary_int(WICK_BIN_ADD, *s, wick_vt_int(x, w.i));
        }
        for (uint64_t i = 0; i < n_out; i++) wick_vt_set_int(out, i, whole[i]);
        return WICK_OK;
    }
    for (bool more = wick_walk_begin(&w, x, NULL, 0); more; more = wick_walk_next(&w)) sum[out_index(&r, &w)] += wick_vt_real(x, w.i);
    for (uint64_t i = 0; i < n_out; i++) wick_vt_set_real(out, i, c->variant ? sum[i] / (double)r.n_each : sum[i]);
    return WICK_OK;
}

/* var(self, dim?, unbiased, keepdim, out). */
wick_status wick_vm_var(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 4);
    int64_t axes[WICK_MAX_RANK];
    int n;
    reduction r;
    wick_walk w;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, axes, &n));
    WICK_TRY(reduction_init(c, &r, x, axes, n, wick_call_bool(c, 3), out));
    uint64_t n_out = wick_vt_count(out);
    double correction = wick_call_bool(c, 2);
    double *sum = wick_vm_scratch(c->vm, 2 * n_out * sizeof *sum), *square = sum + n_out;
    if (!sum) return wick_fail_nomem(c->err);
    memset(sum, 0, 2 * n_out * sizeof *sum);
    for (bool more = wick_walk_begin(&w, x, NULL, 0); more; more = wick_walk_next(&w)) sum[out_index(&r, &w)] += wick_vt_real(x, w.i);
    for (bool more = wick_walk_begin(&w, x, NULL, 0); more; more = wick_walk_next(&w)) {
        uint64_t o = out_index(&r, &w);
        double d = wick_vt_real(x, w.i) - sum[o] / (double)r.n_each;
        square[o] += d * d;
    }
    for (uint64_t i = 0; i < n_out; i++) wick_vt_set_real(out, i, square[i] / fmax(0, (double)r.n_each - correction));
    return WICK_OK;
}

/* any(self, dim, keepdim, out); variant 1: a list of dims. */
wick_status wick_vm_any(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int64_t axes[WICK_MAX_RANK];
    int n = 0;
    reduction r;
    wick_walk w;
    if (c->variant)
        WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, axes, &n));
    else
        axes[n++] = wick_call_int(c, 1);
    WICK_TRY(reduction_init(c, &r, x, axes, n, wick_call_bool(c, 2), out));
    for (uint64_t i = 0, m = wick_vt_count(out); i < m; i++) wick_vt_set_int(out, i, 0);
    for (bool more = wick_walk_begin(&w, x, NULL, 0); more; more = wick_walk_next(&w))
        if (wick_vt_real(x, w.i) != 0) wick_vt_set_int(out, out_index(&r, &w), 1);
    return WICK_OK;
}

/* amax (variant 0) and amin (variant 1): (self, dims, keepdim, out). */
wick_status wick_vm_extreme(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int64_t axes[WICK_MAX_RANK];
    int n;
    reduction r;
    wick_walk w;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, axes, &n));
    WICK_TRY(reduction_init(c, &r, x, axes, n, wick_call_bool(c, 2), out));
    if (!r.n_each) return wick_fail(c->err, WICK_EFORMAT, "the greatest of no elements");
    uint64_t n_out = wick_vt_count(out);
    double *best = wick_vm_scratch(c->vm, n_out * sizeof *best);
    if (!best) return wick_fail_nomem(c->err);
    for (uint64_t i = 0; i < n_out; i++) best[i] = c->variant ? INFINITY : -INFINITY;
    for (bool more = wick_walk_begin(&w, x, NULL, 0); more; more = wick_walk_next(&w)) {
        double *b = &best[out_index(&r, &w)];
        *b = wick_binary_real(c->variant ? WICK_BIN_MINIMUM : WICK_BIN_MAXIMUM, *b, wick_vt_real(x, w.i));
    }
    for (uint64_t i = 0; i < n_out; i++) wick_vt_set_real(out, i, best[i]);
    return WICK_OK;
}

/* argmax (variant 0) and argmin (variant 1): (self, dim?, keepdim, out). NaN wins, ties go to the first. */
wick_status wick_vm_arg_extreme(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    bool whole = wick_call_none(c, 1);
    int64_t axes[1] = {whole ? 0 : wick_call_int(c, 1)};
    int axis = 0;
    reduction r;
    WICK_TRY(reduction_init(c, &r, x, axes, !whole, wick_call_bool(c, 2), out));
    if (!whole) WICK_TRY(wick_vt_axis(x, axes[0], &axis, c->err));
    int64_t n = (int64_t)r.n_each, inner = whole || !x->rank ? 1 : wick_vt_span(x, axis + 1, x->rank);
    if (!n) return wick_fail(c->err, WICK_EFORMAT, "the greatest of no elements");
    for (uint64_t o = 0, n_out = wick_vt_count(out); o < n_out; o++) {
        uint64_t from = o / (uint64_t)inner * (uint64_t)(n * inner) + o % (uint64_t)inner;
        int64_t best = 0;
        for (int64_t i = 1; i < n; i++) {
            double v = wick_vt_real(x, from + (uint64_t)(i * inner)), b = wick_vt_real(x, from + (uint64_t)(best * inner));
            if (b == b && (v != v || (c->variant ? v < b : v > b))) best = i;
        }
        wick_vt_set_int(out, o, best);
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- along an axis */

void wick_vt_softmax(const wick_vt *x, int axis, bool log, wick_vt *out) {
    int64_t n = x->rank ? x->dims[axis] : 1, inner = x->rank ? wick_vt_span(x, axis + 1, x->rank) : 1;
    int64_t rows = n ? (int64_t)wick_vt_count(x) / n : 0;
    for (int64_t row = 0; row < rows; row++) {
        uint64_t at = (uint64_t)(row / inner * n * inner + row % inner);
        double top = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; i++) top = wick_binary_real(WICK_BIN_MAXIMUM, top, wick_vt_real(x, at + (uint64_t)(i * inner)));
        for (int64_t i = 0; i < n; i++) sum += exp(wick_vt_real(x, at + (uint64_t)(i * inner)) - top);
        double shift = log ? top + log1p(sum - 1) : 0;
        for (int64_t i = 0; i < n; i++) {
            double v = wick_vt_real(x, at + (uint64_t)(i * inner));
            wick_vt_set_real(out, at + (uint64_t)(i * inner), log ? v - shift : exp(v - top) / sum);
        }
    }
}

/* _softmax (variant 0), _log_softmax (variant 1): (self, dim, half_to_float, out). */
wick_status wick_vm_softmax(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int axis;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &axis, c->err));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_softmax(x, axis, c->variant == 1, out);
    return WICK_OK;
}

/* cumsum(self, dim, dtype?, out). */
wick_status wick_vm_cumsum(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int axis;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &axis, c->err));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    int64_t n = x->rank ? x->dims[axis] : 1, inner = x->rank ? wick_vt_span(x, axis + 1, x->rank) : 1;
    int64_t rows = n ? (int64_t)wick_vt_count(x) / n : 0;
    bool integral = !wick_vt_is_real(out->type);
    for (int64_t row = 0; row < rows; row++) {
        uint64_t at = (uint64_t)(row / inner * n * inner + row % inner);
        double real = 0;
        int64_t whole = 0;
        for (int64_t i = 0; i < n; i++, at += (uint64_t)inner) {
            if (integral)
                wick_vt_set_int(out, at, whole = wick_binary_int(WICK_BIN_ADD, whole, wick_vt_int(x, at)));
            else
                wick_vt_set_real(out, at, real += wick_vt_real(x, at));
        }
    }
    return WICK_OK;
}

/* native_layer_norm(input, normalized_shape, weight?, bias?, eps, out, mean, rstd). */
wick_status wick_vm_layer_norm(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *weight = wick_call_tensor_or_null(c, 2), *bias = wick_call_tensor_or_null(c, 3);
    wick_vt *out = wick_call_tensor(c, 5), *means = wick_call_tensor(c, 6), *rstds = wick_call_tensor(c, 7);
    int64_t shape[WICK_MAX_RANK], n = 1;
    int32_t dims[WICK_MAX_RANK];
    int n_axis;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, shape, &n_axis));
    bool fits = n_axis <= x->rank;
    for (int i = 0; i < n_axis && fits; i++) {
        fits = x->dims[x->rank - n_axis + i] == shape[i];
        n *= fits ? shape[i] : 1;
    }
    if (!fits || (weight && wick_vt_count(weight) != (uint64_t)n) || (bias && wick_vt_count(bias) != (uint64_t)n))
        return wick_fail(c->err, WICK_EFORMAT, "a layer norm over %d dimensions of shape %s", n_axis, wick_vt_shape(x->rank, x->dims).s);
    for (int i = 0; i < x->rank; i++) dims[i] = i < x->rank - n_axis ? x->dims[i] : 1;
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    WICK_TRY(wick_vt_resize(means, x->rank, dims, c->err));
    WICK_TRY(wick_vt_resize(rstds, x->rank, dims, c->err));
    double eps = wick_call_real(c, 4);
    for (uint64_t row = 0, rows = wick_vt_count(means); row < rows; row++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) sum += wick_vt_real(x, row * (uint64_t)n + (uint64_t)i);
        double mean = sum / (double)n;
        for (int64_t i = 0; i < n; i++) {
            double d = wick_vt_real(x, row * (uint64_t)n + (uint64_t)i) - mean;
            square += d * d;
        }
        double rstd = 1 / sqrt(square / (double)n + eps);
        for (int64_t i = 0; i < n; i++) {
            double v = (wick_vt_real(x, row * (uint64_t)n + (uint64_t)i) - mean) * rstd;
            v = v * (weight ? wick_vt_real(weight, (uint64_t)i) : 1) + (bias ? wick_vt_real(bias, (uint64_t)i) : 0);
            wick_vt_set_real(out, row * (uint64_t)n + (uint64_t)i, v);
        }
        wick_vt_set_real(means, row, mean);
        wick_vt_set_real(rstds, row, rstd);
    }
    return WICK_OK;
}
