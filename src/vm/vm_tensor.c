#include "vm/vm_state.h"

#include "base/checked.h"
#include "base/half.h"

#include <math.h>
#include <stdio.h>

bool wick_vt_is_real(int type) {
    return type == WICK_ST_FLOAT || type == WICK_ST_HALF || type == WICK_ST_BFLOAT16 || type == WICK_ST_DOUBLE;
}

bool wick_vt_has_arithmetic(int type) {
    switch (type) {
    case WICK_ST_LONG:
    case WICK_ST_INT:
    case WICK_ST_SHORT:
    case WICK_ST_CHAR:
    case WICK_ST_BYTE:
    case WICK_ST_UINT16:
    case WICK_ST_BOOL: return true;
    default: return wick_vt_is_real(type);
    }
}

bool wick_vt_same_shape(const wick_vt *a, const wick_vt *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

wick_vt_text wick_vt_shape(int rank, const int32_t *dims) {
    wick_vt_text text = {"["};
    size_t at = 1;
    for (int i = 0; i < rank; i++) at += (size_t)snprintf(text.s + at, sizeof text.s - at, "%s%d", i ? ", " : "", (int)dims[i]);
    snprintf(text.s + at, sizeof text.s - at, "]");
    return text;
}

wick_status wick_vt_mismatch(wick_error *err, const char *what, const wick_vt *found, const wick_vt *expected) {
    return wick_fail(err, WICK_EFORMAT, "%s: found %s, expected %s", what, wick_vt_shape(found->rank, found->dims).s,
                     wick_vt_shape(expected->rank, expected->dims).s);
}

wick_status wick_vt_resize(wick_vt *t, int rank, const int32_t *dims, wick_error *err) {
    uint64_t n = 1, size = 0;
    bool fits = rank == t->rank;
    for (int i = 0; i < rank && fits; i++) fits = dims[i] >= 0 && wick_mul_u64(n, (uint64_t)dims[i], &n);
    if (fits && !t->dynamic && rank) fits = memcmp(dims, t->dims, (size_t)rank * sizeof dims[0]) == 0;
    if (!fits || n > t->n_max)
        return wick_fail(err, WICK_EFORMAT, "the result has shape %s, but its tensor is %s of shape %s with room for %llu elements",
                         wick_vt_shape(rank, dims).s, t->dynamic ? "dynamic" : "static", wick_vt_shape(t->rank, t->dims).s,
                         (unsigned long long)t->n_max);
    if (t->data && (!wick_mul_u64(n, wick_scalar_size(t->type), &size) || size > t->cap))
        return wick_fail(err, WICK_EFORMAT, "a tensor of shape %s does not fit into the %llu bytes that it is a view of",
                         wick_vt_shape(rank, dims).s, (unsigned long long)t->cap);
    if (rank) memcpy(t->dims, dims, (size_t)rank * sizeof dims[0]);
    return WICK_OK;
}

wick_status wick_vt_axis(const wick_vt *t, int64_t axis, int *out, wick_error *err) {
    int rank = t->rank ? t->rank : 1;
    if (axis < -rank || axis >= rank)
        return wick_fail(err, WICK_EFORMAT, "dimension %lld of a tensor of shape %s", (long long)axis, wick_vt_shape(t->rank, t->dims).s);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return WICK_OK;
}

/* ---------------------------------------------------------------- elements */

int64_t wick_saturate(double v) {
    if (v != v) return 0;
    if (v >= 0x1p63) return INT64_MAX;
    if (v <= -0x1p63) return INT64_MIN;
    return (int64_t)v;
}

double wick_vt_real(const wick_vt *t, uint64_t i) {
    switch (t->type) {
    case WICK_ST_FLOAT: return ((const float *)t->data)[i];
    case WICK_ST_DOUBLE: return ((const double *)t->data)[i];
    case WICK_ST_HALF: return wick_f16_to_f32(((const uint16_t *)t->data)[i]);
    case WICK_ST_BFLOAT16: return wick_bf16_to_f32(((const uint16_t *)t->data)[i]);
    default: return (double)wick_vt_int(t, i);
    }
}

int64_t wick_vt_int(const wick_vt *t, uint64_t i) {
    switch (t->type) {
    case WICK_ST_LONG: return ((const int64_t *)t->data)[i];
    case WICK_ST_INT: return ((const int32_t *)t->data)[i];
    case WICK_ST_SHORT: return ((const int16_t *)t->data)[i];
    case WICK_ST_CHAR: return ((const int8_t *)t->data)[i];
    case WICK_ST_BYTE: return t->data[i];
    case WICK_ST_UINT16: return ((const uint16_t *)t->data)[i];
    case WICK_ST_BOOL: return t->data[i] != 0;
    default: return wick_saturate(wick_vt_real(t, i));
    }
}

void wick_vt_set_real(wick_vt *t, uint64_t i, double v) {
    switch (t->type) {
    case WICK_ST_FLOAT: ((float *)t->data)[i] = (float)v; break;
    case WICK_ST_DOUBLE: ((double *)t->data)[i] = v; break;
    case WICK_ST_HALF: ((uint16_t *)t->data)[i] = wick_f32_to_f16((float)v); break;
    case WICK_ST_BFLOAT16: ((uint16_t *)t->data)[i] = wick_f32_to_bf16((float)v); break;
    case WICK_ST_BOOL: t->data[i] = v != 0; break;
    default: wick_vt_set_int(t, i, wick_saturate(v)); break;
    }
}

void wick_vt_set_int(wick_vt *t, uint64_t i, int64_t v) {
    switch (t->type) {
    case WICK_ST_LONG: ((int64_t *)t->data)[i] = v; break;
    case WICK_ST_INT: ((int32_t *)t->data)[i] = (int32_t)v; break;
    case WICK_ST_SHORT:
    case WICK_ST_UINT16: ((uint16_t *)t->data)[i] = (uint16_t)v; break;
    case WICK_ST_CHAR:
    case WICK_ST_BYTE: t->data[i] = (uint8_t)v; break;
    case WICK_ST_BOOL: t->data[i] = v != 0; break;
    default: wick_vt_set_real(t, i, (double)v); break;
    }
}

void wick_vt_copy_element(wick_vt *to, uint64_t i, const wick_vt *from, uint64_t j) {
    if (wick_vt_is_real(from->type))
        wick_vt_set_real(to, i, wick_vt_real(from, j));
    else
        wick_vt_set_int(to, i, wick_vt_int(from, j));
}

/* ---------------------------------------------------------------- walking */

wick_status wick_walk_shape(const wick_vt *const *operands, int n, int *rank, int32_t *dims, wick_error *err) {
    *rank = 0;
    for (int k = 0; k < n; k++) *rank = operands[k]->rank > *rank ? operands[k]->rank : *rank;
    for (int i = 0; i < *rank; i++) dims[i] = 1;
    for (int k = 0; k < n; k++) {
        const wick_vt *t = operands[k];
        for (int i = 0; i < t->rank; i++) {
            int32_t *d = &dims[*rank - t->rank + i];
            if (*d == 1)
                *d = t->dims[i];
            else if (t->dims[i] != 1 && t->dims[i] != *d)
                return wick_fail(err, WICK_EFORMAT, "operands of shapes %s and %s do not broadcast",
                                 wick_vt_shape(operands[0]->rank, operands[0]->dims).s, wick_vt_shape(t->rank, t->dims).s);
        }
    }
    return WICK_OK;
}

bool wick_walk_begin(wick_walk *w, const wick_vt *shape, const wick_vt *const *operands, int n) {
    assert(n <= WICK_WALK_MAX);
    memset(w, 0, sizeof *w);
    w->rank = shape->rank, w->n = n;
    memcpy(w->dims, shape->dims, sizeof w->dims);
    for (int k = 0; k < n; k++) {
        const wick_vt *t = operands[k];
        int64_t stride = 1;
        for (int i = t->rank - 1, j = shape->rank - 1; i >= 0 && j >= 0; i--, j--) {
            w->stride[k][j] = t->dims[i] == 1 ? 0 : stride;
            stride *= t->dims[i];
        }
    }
    return wick_vt_count(shape) > 0;
}

bool wick_walk_next(wick_walk *w) {
    w->i++;
    for (int j = w->rank - 1; j >= 0; j--) {
        for (int k = 0; k < w->n; k++) w->at[k] += (uint64_t)w->stride[k][j];
        if (++w->index[j] < w->dims[j]) return true;
        for (int k = 0; k < w->n; k++) w->at[k] -= (uint64_t)(w->stride[k][j] * w->dims[j]);
        w->index[j] = 0;
    }
    return false;
}
