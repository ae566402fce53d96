/* Shapes whose dimensions are expressions: at most one dimension of a tensor depends on S or P. */
#include "base/checked.h"
#include "raise/raise_int.h"

bool wick_r_dim_add(wick_dim a, wick_dim b, wick_dim *out) {
    return wick_add_i64(a.c, b.c, &out->c) && wick_add_i64(a.s, b.s, &out->s) && wick_add_i64(a.p, b.p, &out->p);
}

bool wick_r_dim_sub(wick_dim a, wick_dim b, wick_dim *out) {
    return wick_sub_i64(a.c, b.c, &out->c) && wick_sub_i64(a.s, b.s, &out->s) && wick_sub_i64(a.p, b.p, &out->p);
}

bool wick_r_numel(const wick_dim *dims, int rank, wick_dim *out) {
    wick_dim n = wick_dim_const(1);
    for (int i = 0; i < rank; i++) {
        wick_dim d = dims[i];
        if (!wick_dim_is_const(d)) {
            if (!wick_dim_is_const(n)) return false;
            wick_dim t = n;
            n = d;
            d = t;
        }
        if (!wick_mul_i64(n.c, d.c, &n.c) || !wick_mul_i64(n.s, d.c, &n.s) || !wick_mul_i64(n.p, d.c, &n.p)) return false;
    }
    *out = n;
    return true;
}

bool wick_r_same_dims(const wick_value *a, const wick_value *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!wick_dim_equal(a->dims[i], b->dims[i])) return false;
    return true;
}

bool wick_r_broadcast(const wick_value *a, const wick_value *b, wick_dim *dims, int *rank) {
    const wick_dim one = wick_dim_const(1);
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 1; i <= *rank; i++) {
        wick_dim x = i <= a->rank ? a->dims[a->rank - i] : one, y = i <= b->rank ? b->dims[b->rank - i] : one;
        if (wick_dim_equal(x, one)) x = y;
        if (!wick_dim_equal(x, y) && !wick_dim_equal(y, one)) return false;
        dims[*rank - i] = x;
    }
    return true;
}

bool wick_r_infer(wick_dim numel, wick_dim *dims, int rank) {
    int open = -1;
    wick_dim rest;
    for (int i = 0; i < rank; i++) {
        if (!wick_dim_is_const(dims[i]) || dims[i].c != -1) continue;
        if (open >= 0) return false;
        open = i;
        dims[i] = wick_dim_const(1);
    }
    if (!wick_r_numel(dims, rank, &rest)) return false;
    if (open < 0) return wick_dim_equal(rest, numel);
    if (wick_dim_is_const(rest)) {
        if (rest.c <= 0 || numel.c % rest.c || numel.s % rest.c || numel.p % rest.c) return false;
        dims[open] = (wick_dim){numel.c / rest.c, numel.s / rest.c, numel.p / rest.c};
        return true;
    }
    /* the known part depends on S: the open one is the constant factor between them */
    int64_t k = rest.s ? numel.s / rest.s : numel.p / rest.p;
    wick_dim back;
    wick_dim both[2] = {rest, wick_dim_const(k)};
    dims[open] = wick_dim_const(k);
    return wick_r_numel(both, 2, &back) && wick_dim_equal(back, numel);
}

bool wick_r_reshape(const wick_value *from, wick_dim *dims, int rank) {
    const wick_dim one = wick_dim_const(1);
    wick_dim numel;
    int i = 0, k = 0;
    if (wick_r_numel(from->dims, from->rank, &numel)) return wick_r_infer(numel, dims, rank);
    while (i < from->rank || k < rank) {
        if (i < from->rank && wick_dim_equal(from->dims[i], one)) {
            i++;
        } else if (k < rank && wick_dim_equal(dims[k], one)) {
            k++;
        } else if (i == from->rank || k == rank || !wick_dim_equal(from->dims[i++], dims[k++])) {
            return false;
        }
    }
    return true;
}

int wick_r_inner(const wick_value *v) {
    for (int i = v->rank - 1; i >= 0; i--)
        if (!wick_dim_is_const(v->dims[i])) return i + 1;
    int i = 0;
    while (i < 2 && i < v->rank - 1 && v->dims[i].c == 1) i++;
    return i;
}

bool wick_r_rows(const wick_value *v, wick_dim *n_row, int64_t *width) {
    int inner = wick_r_inner(v);
    *n_row = wick_dim_const(1);
    *width = 1;
    if (v->rank < 1) return false;
    for (int i = 0; i < inner; i++) {
        if (wick_dim_is_const(v->dims[i])) {
            if (v->dims[i].c != 1) return false;
        } else if (wick_dim_is_const(*n_row)) {
            *n_row = v->dims[i];
        } else {
            return false; /* two dimensions count tokens */
        }
    }
    if (!wick_dim_is_const(*n_row) && !wick_dim_equal(*n_row, wick_dim_s())) return false;
    for (int i = inner; i < v->rank; i++)
        if (v->dims[i].c <= 0 || !wick_mul_i64(*width, v->dims[i].c, width)) return false;
    return true;
}
