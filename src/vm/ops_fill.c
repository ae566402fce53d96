/* Operators that make tensors from numbers. */
#include "vm/ops.h"

#include <math.h>

static void fill(wick_vt *t, const wick_slot *value) {
    for (uint64_t i = 0, n = wick_vt_count(t); i < n; i++) {
        if (value->kind == WICK_EV_DOUBLE)
            wick_vt_set_real(t, i, value->d);
        else
            wick_vt_set_int(t, i, value->i);
    }
}

static wick_status resize_to_list(wick_call *c, wick_vt *out) {
    int64_t sizes[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    int n;
    WICK_TRY(wick_call_ints(c, 0, WICK_MAX_RANK, sizes, &n));
    for (int i = 0; i < n; i++) {
        if (sizes[i] < 0 || sizes[i] > INT32_MAX)
            return wick_fail(c->err, WICK_EFORMAT, "a tensor with the size %lld", (long long)sizes[i]);
        dims[i] = (int32_t)sizes[i];
    }
    return wick_vt_resize(out, n, dims, c->err);
}

/* full(size, value, out); zeros (variant 1) and ones (variant 2): (size, out). */
wick_status wick_vm_full(wick_call *c) {
    wick_vt *out = wick_call_tensor(c, c->variant ? 1 : 2);
    wick_slot constant = {.kind = WICK_EV_INT, .i = c->variant - 1};
    WICK_TRY(resize_to_list(c, out));
    fill(out, c->variant ? &constant : wick_call_slot(c, 1));
    return WICK_OK;
}

/* empty(size, memory_format?, out): the content is whatever was there. */
wick_status wick_vm_empty(wick_call *c) { return resize_to_list(c, wick_call_tensor(c, 2)); }

/* full_like(self, value, memory_format, out); fill(self, value, out) has variant 2, the position of its result. */
wick_status wick_vm_full_like(wick_call *c) {
    wick_vt *out = wick_call_tensor(c, c->variant);
    WICK_TRY(wick_vt_resize_like(out, wick_call_tensor(c, 0), c->err));
    fill(out, wick_call_slot(c, 1));
    return WICK_OK;
}

wick_status wick_vm_scalar_tensor(wick_call *c) {
    wick_vt *out = wick_call_tensor(c, 1);
    WICK_TRY(wick_vt_resize(out, 0, NULL, c->err));
    fill(out, wick_call_slot(c, 0));
    return WICK_OK;
}

/* arange(start, end, step, out); variant 1: arange(end, out). */
wick_status wick_vm_arange(wick_call *c) {
    static const wick_slot zero = {.kind = WICK_EV_INT}, one = {.kind = WICK_EV_INT, .i = 1};
    const wick_slot *start = c->variant ? &zero : wick_call_slot(c, 0), *end = wick_call_slot(c, c->variant ? 0 : 1);
    const wick_slot *step = c->variant ? &one : wick_call_slot(c, 2);
    wick_vt *out = wick_call_tensor(c, c->variant ? 1 : 3);
    double n = ceil((wick_slot_real(end) - wick_slot_real(start)) / wick_slot_real(step));
    if (!(n >= 0 && n <= INT32_MAX)) return wick_fail(c->err, WICK_EFORMAT, "a range of %g numbers", n);
    int32_t dims[1] = {(int32_t)n};
    WICK_TRY(wick_vt_resize(out, 1, dims, c->err));
    bool integral = start->kind != WICK_EV_DOUBLE && step->kind != WICK_EV_DOUBLE;
    for (int32_t i = 0; i < dims[0]; i++) {
        if (integral)
            wick_vt_set_int(out, (uint64_t)i, (int64_t)((uint64_t)start->i + (uint64_t)i * (uint64_t)step->i));
        else
            wick_vt_set_real(out, (uint64_t)i, wick_slot_real(start) + i * wick_slot_real(step));
    }
    return WICK_OK;
}

/* constant_pad_nd(self, pad, value, out): pad lists (before, after) from the last dim; negative cuts. */
wick_status wick_vm_pad(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int64_t pad[2 * WICK_MAX_RANK], before[WICK_MAX_RANK] = {0}, stride[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK], index[WICK_MAX_RANK] = {0};
    int n;
    WICK_TRY(wick_call_ints(c, 1, 2 * WICK_MAX_RANK, pad, &n));
    if (n % 2 || n / 2 > x->rank) return wick_fail(c->err, WICK_EFORMAT, "%d paddings for shape %s", n, wick_vt_shape(x->rank, x->dims).s);
    memcpy(dims, x->dims, sizeof dims);
    for (int k = 0; k < n / 2; k++) {
        int i = x->rank - 1 - k;
        if (pad[2 * k] > INT32_MAX || pad[2 * k] < -INT32_MAX || pad[2 * k + 1] > INT32_MAX || pad[2 * k + 1] < -INT32_MAX)
            return wick_fail(c->err, WICK_EFORMAT, "a padding of %lld", (long long)pad[2 * k]);
        int64_t size = x->dims[i] + pad[2 * k] + pad[2 * k + 1];
        if (size < 0 || size > INT32_MAX) return wick_fail(c->err, WICK_EFORMAT, "padding to a size of %lld", (long long)size);
        dims[i] = (int32_t)size;
        before[i] = pad[2 * k];
    }
    WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
    fill(out, wick_call_slot(c, 2));
    wick_vt_strides(out, stride);
    for (uint64_t e = 0, count = wick_vt_count(x); e < count; e++) {
        int64_t at = 0;
        bool inside = true;
        for (int i = 0; i < x->rank; i++) {
            int64_t j = index[i] + before[i];
            inside = inside && j >= 0 && j < dims[i];
            at += j * stride[i];
        }
        if (inside) wick_vt_copy_element(out, (uint64_t)at, x, e);
        for (int i = x->rank - 1; i >= 0 && ++index[i] == x->dims[i]; i--) index[i] = 0;
    }
    return WICK_OK;
}

/* tril (variant 0) and triu (variant 1) of the last two dims: what lies beyond the diagonal becomes 0. */
wick_status wick_vm_tril(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t diagonal = wick_call_int(c, 1);
    if (x->rank < 2) return wick_fail(c->err, WICK_EFORMAT, "a triangle of shape %s", wick_vt_shape(x->rank, x->dims).s);
    if (diagonal > INT32_MAX) diagonal = INT32_MAX;
    if (diagonal < -INT32_MAX) diagonal = -INT32_MAX;
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    int64_t cols = wick_vt_last(x), rows = x->dims[x->rank - 2];
    for (uint64_t i = 0, n = wick_vt_count(x); i < n; i++) {
        int64_t col = (int64_t)(i % (uint64_t)cols), row = (int64_t)(i / (uint64_t)cols) % rows;
        bool keep = c->variant ? col - row >= diagonal : col - row <= diagonal;
        if (keep)
            wick_vt_copy_element(out, i, x, i);
        else
            wick_vt_set_int(out, i, 0);
    }
    return WICK_OK;
}
