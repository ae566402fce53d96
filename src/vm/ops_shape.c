/* Operators that move elements without computing. */
#include "vm/ops.h"

/* ---------------------------------------------------------------- movement */

void wick_vt_strides(const wick_vt *x, int64_t *stride) {
    int64_t s = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        stride[i] = s;
        s *= x->dims[i];
    }
}

/* Walks the shape; calls for each element in order with the strided offset. */
typedef struct odometer {
    const wick_vt *shape;
    const int64_t *stride;
    int32_t index[WICK_MAX_RANK];
    int64_t at;
    uint64_t i, n;
} odometer;

static void advance(odometer *o) {
    o->i++;
    for (int j = o->shape->rank - 1; j >= 0; j--) {
        o->at += o->stride[j];
        if (++o->index[j] < o->shape->dims[j]) return;
        o->at -= o->stride[j] * o->shape->dims[j];
        o->index[j] = 0;
    }
}

void wick_vt_strided(const wick_vt *x, int64_t offset, const int64_t *stride, wick_vt *out) {
    size_t size = wick_scalar_size(x->type);
    for (odometer o = {.shape = out, .stride = stride, .at = offset, .n = wick_vt_count(out)}; o.i < o.n; advance(&o)) {
        if (x->type == out->type)
            memcpy(out->data + o.i * size, x->data + (uint64_t)o.at * size, size);
        else
            wick_vt_copy_element(out, o.i, x, (uint64_t)o.at);
    }
}

void wick_vt_strided_into(wick_vt *out, int64_t offset, const int64_t *stride, const wick_vt *x) {
    for (odometer o = {.shape = x, .stride = stride, .at = offset, .n = wick_vt_count(x)}; o.i < o.n; advance(&o))
        wick_vt_copy_element(out, (uint64_t)o.at, x, o.i);
}

void wick_vt_copy_all(wick_vt *out, const wick_vt *x) {
    uint64_t n = wick_vt_count(x);
    if (out->type == x->type) {
        if (n) memmove(out->data, x->data, n * wick_scalar_size(x->type));
        return;
    }
    for (uint64_t i = 0; i < n; i++) wick_vt_copy_element(out, i, x, i);
}

wick_status wick_vt_infer(const wick_vt *x, const int64_t *sizes, int n, int64_t inferred, int32_t *dims, wick_error *err) {
    uint64_t count = wick_vt_count(x), product = 1;
    int unknown = -1;
    for (int i = 0; i < n; i++) {
        if (sizes[i] == inferred && unknown < 0 && (inferred < 0 || count)) {
            unknown = i;
            continue;
        }
        if (sizes[i] < 0 || sizes[i] > INT32_MAX || (sizes[i] && product > INT64_MAX / (uint64_t)sizes[i]))
            return wick_fail(err, WICK_EFORMAT, "a view with the size %lld", (long long)sizes[i]);
        dims[i] = (int32_t)sizes[i];
        product *= (uint64_t)sizes[i];
    }
    if (unknown >= 0) {
        uint64_t rest = product ? count / product : 0;
        dims[unknown] = rest <= INT32_MAX ? (int32_t)rest : 0;
        product *= (uint64_t)dims[unknown];
    }
    if (product != count)
        return wick_fail(err, WICK_EFORMAT, "a view of %s with %llu elements", wick_vt_shape(x->rank, x->dims).s,
                         (unsigned long long)product);
    return WICK_OK;
}

/* ---------------------------------------------------------------- copies; variant: position of the result */

wick_status wick_vm_copy_like(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, c->variant);
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_copy_all(out, x);
    return WICK_OK;
}

/* copy.out(self, src, non_blocking, out), copy_(self, src, non_blocking): src repeated to the shape of self. */
wick_status wick_vm_copy_into(wick_call *c) {
    const wick_vt *self = wick_call_tensor(c, 0), *src = wick_call_tensor(c, 1);
    wick_vt *out = wick_call_tensor(c, c->variant);
    int rank;
    int32_t dims[WICK_MAX_RANK];
    const wick_vt *both[2] = {self, src};
    WICK_TRY(wick_vt_resize_like(out, self, c->err));
    WICK_TRY(wick_walk_shape(both, 2, &rank, dims, c->err));
    if (rank != self->rank || memcmp(dims, self->dims, (size_t)rank * sizeof dims[0])) return wick_vt_mismatch(c->err, "a copy", src, self);
    if (wick_vt_same_shape(self, src)) {
        wick_vt_copy_all(out, src);
        return WICK_OK;
    }
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, &src, 1); more; more = wick_walk_next(&w)) wick_vt_copy_element(out, w.i, src, w.at[0]);
    return WICK_OK;
}

wick_status wick_vm_view_copy(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t sizes[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    int n;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, sizes, &n));
    WICK_TRY(wick_vt_infer(x, sizes, n, -1, dims, c->err));
    WICK_TRY(wick_vt_resize(out, n, dims, c->err));
    wick_vt_copy_all(out, x);
    return WICK_OK;
}

/* ---------------------------------------------------------------- parts */

typedef struct range {
    int axis;
    int64_t start, count, step;
} range;

/* Python's rule: negative counts from the end, then clamped. */
static wick_status slice_range(wick_call *c, const wick_vt *x, int first_arg, range *r) {
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, first_arg), &r->axis, c->err));
    if (!x->rank) return wick_fail(c->err, WICK_EFORMAT, "a slice of a scalar");
    int64_t n = x->dims[r->axis];
    int64_t start = wick_call_none(c, first_arg + 1) ? 0 : wick_call_int(c, first_arg + 1);
    int64_t end = wick_call_none(c, first_arg + 2) ? n : wick_call_int(c, first_arg + 2);
    r->step = wick_call_int(c, first_arg + 3);
    if (r->step <= 0) return wick_fail(c->err, WICK_EFORMAT, "a slice with step %lld", (long long)r->step);
    if (start < 0) start = start < -n ? 0 : start + n;
    if (end < 0) end = end < -n ? 0 : end + n;
    if (end > n) end = n;
    r->start = start > n ? n : start;
    r->count = end > r->start ? (end - r->start - 1) / r->step + 1 : 0;
    if (r->count < 2) r->step = 1; /* whatever it was, it leads nowhere */
    return WICK_OK;
}

wick_status wick_vm_slice(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 5);
    range r;
    int32_t dims[WICK_MAX_RANK];
    int64_t stride[WICK_MAX_RANK];
    WICK_TRY(slice_range(c, x, 1, &r));
    memcpy(dims, x->dims, sizeof dims);
    dims[r.axis] = (int32_t)r.count;
    WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
    wick_vt_strides(x, stride);
    int64_t offset = r.start * stride[r.axis];
    stride[r.axis] *= r.step;
    wick_vt_strided(x, offset, stride, out);
    return WICK_OK;
}

static wick_status select_index(wick_call *c, const wick_vt *x, int first_arg, int *axis, int64_t *index) {
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, first_arg), axis, c->err));
    *index = wick_call_int(c, first_arg + 1);
    int64_t n = x->rank ? x->dims[*axis] : 0;
    if (*index < -n || *index >= n)
        return wick_fail(c->err, WICK_EFORMAT, "index %lld of dimension %d of a tensor of shape %s", (long long)*index, *axis,
                         wick_vt_shape(x->rank, x->dims).s);
    if (*index < 0) *index += n;
    return WICK_OK;
}

static void without_axis(const wick_vt *x, int axis, int32_t *dims, int64_t *stride) {
    int64_t all[WICK_MAX_RANK];
    wick_vt_strides(x, all);
    for (int i = 0, j = 0; i < x->rank; i++)
        if (i != axis) dims[j] = x->dims[i], stride[j++] = all[i];
}

wick_status wick_vm_select(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int axis;
    int64_t index, stride[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(select_index(c, x, 1, &axis, &index));
    without_axis(x, axis, dims, stride);
    WICK_TRY(wick_vt_resize(out, x->rank - 1, dims, c->err));
    wick_vt_strided(x, index * wick_vt_span(x, axis + 1, x->rank), stride, out);
    return WICK_OK;
}

/* slice_scatter(self, src, dim, start, end, step, out): self with a slice replaced. */
wick_status wick_vm_slice_scatter(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *src = wick_call_tensor(c, 1);
    wick_vt *out = wick_call_tensor(c, 6);
    range r;
    int64_t stride[WICK_MAX_RANK];
    WICK_TRY(slice_range(c, x, 2, &r));
    bool fits = src->rank == x->rank;
    for (int i = 0; i < x->rank && fits; i++) fits = src->dims[i] == (i == r.axis ? r.count : x->dims[i]);
    if (!fits) return wick_vt_mismatch(c->err, "what replaces a slice", src, x);
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_copy_all(out, x);
    wick_vt_strides(x, stride);
    int64_t offset = r.start * stride[r.axis];
    stride[r.axis] *= r.step;
    wick_vt_strided_into(out, offset, stride, src);
    return WICK_OK;
}

wick_status wick_vm_select_scatter(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *src = wick_call_tensor(c, 1);
    wick_vt *out = wick_call_tensor(c, 4);
    int axis;
    int64_t index, stride[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(select_index(c, x, 2, &axis, &index));
    without_axis(x, axis, dims, stride);
    if (src->rank != x->rank - 1 || memcmp(src->dims, dims, (size_t)src->rank * sizeof dims[0]))
        return wick_vt_mismatch(c->err, "what replaces a row", src, x);
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_copy_all(out, x);
    wick_vt_strided_into(out, index * wick_vt_span(x, axis + 1, x->rank), stride, src);
    return WICK_OK;
}

/* unbind(self, dim, out[]): a tensor per index. */
wick_status wick_vm_unbind(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    int axis;
    int64_t stride[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &axis, c->err));
    if (!x->rank || (int64_t)wick_call_list_size(c, 2) != x->dims[axis])
        return wick_fail(c->err, WICK_EFORMAT, "%u results for dimension %d of a tensor of shape %s", wick_call_list_size(c, 2), axis,
                         wick_vt_shape(x->rank, x->dims).s);
    without_axis(x, axis, dims, stride);
    for (uint32_t j = 0; j < wick_call_list_size(c, 2); j++) {
        wick_vt *out = wick_call_list_tensor(c, 2, j);
        WICK_TRY(wick_vt_resize(out, x->rank - 1, dims, c->err));
        wick_vt_strided(x, j * wick_vt_span(x, axis + 1, x->rank), stride, out);
    }
    return WICK_OK;
}

/* Consecutive parts along an axis; part j has sizes[j] (or, sizes NULL, `even` and the rest). */
static wick_status split(wick_call *c, const wick_vt *x, int axis, const int64_t *sizes, int64_t even, int list) {
    int64_t at = 0, stride[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    wick_vt_strides(x, stride);
    memcpy(dims, x->dims, sizeof dims);
    for (uint32_t j = 0; j < wick_call_list_size(c, list); j++) {
        wick_vt *out = wick_call_list_tensor(c, list, j);
        int64_t left = x->dims[axis] - at, size = sizes ? sizes[j] : even < left ? even : left;
        if (size < 0 || size > left)
            return wick_fail(c->err, WICK_EFORMAT, "part %u of %lld is longer than dimension %d of a tensor of shape %s", j,
                             (long long)size, axis, wick_vt_shape(x->rank, x->dims).s);
        dims[axis] = (int32_t)size;
        WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
        wick_vt_strided(x, at * stride[axis], stride, out);
        at += size;
    }
    if (at != x->dims[axis]) return wick_fail(c->err, WICK_EFORMAT, "the parts of a split do not add up to the whole");
    return WICK_OK;
}

wick_status wick_vm_split(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    int axis;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 2), &axis, c->err));
    if (!x->rank || wick_call_int(c, 1) <= 0)
        return wick_fail(c->err, WICK_EFORMAT, "a split into parts of %lld", (long long)wick_call_int(c, 1));
    return split(c, x, axis, NULL, wick_call_int(c, 1), 3);
}

wick_status wick_vm_split_sizes(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    int64_t sizes[256];
    int axis, n;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 2), &axis, c->err));
    WICK_TRY(wick_call_ints(c, 1, 256, sizes, &n));
    if (!x->rank || (uint32_t)n != wick_call_list_size(c, 3))
        return wick_fail(c->err, WICK_EFORMAT, "%d parts, %u results", n, wick_call_list_size(c, 3));
    return split(c, x, axis, sizes, 0, 3);
}

/* ---------------------------------------------------------------- axes */

/* squeeze_copy: the listed dims (variant 1: one number) go if they are 1. */
wick_status wick_vm_squeeze(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t list[WICK_MAX_RANK];
    int n = 1, rank = 0, axis;
    bool drop[WICK_MAX_RANK] = {false};
    int32_t dims[WICK_MAX_RANK];
    if (c->variant)
        list[0] = wick_call_int(c, 1);
    else
        WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, list, &n));
    for (int i = 0; i < n; i++) {
        WICK_TRY(wick_vt_axis(x, list[i], &axis, c->err));
        drop[axis] = true;
    }
    for (int i = 0; i < x->rank; i++)
        if (!drop[i] || x->dims[i] != 1) dims[rank++] = x->dims[i];
    WICK_TRY(wick_vt_resize(out, rank, dims, c->err));
    wick_vt_copy_all(out, x);
    return WICK_OK;
}

wick_status wick_vm_unsqueeze(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t at = wick_call_int(c, 1);
    int32_t dims[WICK_MAX_RANK];
    if (at < 0) at += x->rank + 1;
    if (at < 0 || at > x->rank || x->rank == WICK_MAX_RANK)
        return wick_fail(c->err, WICK_EFORMAT, "a new dimension at %lld of shape %s", (long long)at, wick_vt_shape(x->rank, x->dims).s);
    for (int i = 0; i <= x->rank; i++) dims[i] = i < at ? x->dims[i] : i == at ? 1 : x->dims[i - 1];
    WICK_TRY(wick_vt_resize(out, x->rank + 1, dims, c->err));
    wick_vt_copy_all(out, x);
    return WICK_OK;
}

void wick_vt_permute(const wick_vt *x, const int *perm, wick_vt *out) {
    int64_t all[WICK_MAX_RANK], stride[WICK_MAX_RANK];
    wick_vt_strides(x, all);
    for (int i = 0; i < x->rank; i++) stride[i] = all[perm[i]];
    wick_vt_strided(x, 0, stride, out);
}

static wick_status permute(wick_call *c, const wick_vt *x, const int *perm, wick_vt *out) {
    int32_t dims[WICK_MAX_RANK];
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[perm[i]];
    WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
    wick_vt_permute(x, perm, out);
    return WICK_OK;
}

wick_status wick_vm_permute(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    int64_t list[WICK_MAX_RANK];
    int perm[WICK_MAX_RANK], n;
    unsigned seen = 0;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, list, &n));
    for (int i = 0; i < n && n == x->rank; i++) {
        WICK_TRY(wick_vt_axis(x, list[i], &perm[i], c->err));
        seen |= 1u << perm[i];
    }
    if (n != x->rank || seen != (1u << n) - 1)
        return wick_fail(c->err, WICK_EFORMAT, "a list of %d dimensions is no permutation of shape %s", n,
                         wick_vt_shape(x->rank, x->dims).s);
    return permute(c, x, perm, wick_call_tensor(c, 2));
}

/* transpose_copy.int(self, a, b, out); variant 1: t_copy(self, out). */
wick_status wick_vm_transpose(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    int perm[WICK_MAX_RANK], a = 0, b = x->rank > 1 ? 1 : 0;
    for (int i = 0; i < x->rank; i++) perm[i] = i;
    if (c->variant == 0) {
        WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &a, c->err));
        WICK_TRY(wick_vt_axis(x, wick_call_int(c, 2), &b, c->err));
    }
    if (x->rank) {
        perm[a] = b;
        perm[b] = a;
    }
    return permute(c, x, perm, wick_call_tensor(c, c->variant ? 1 : 3));
}

/* ---------------------------------------------------------------- putting together */

void wick_vt_concat(const wick_vt *const *items, uint32_t n, int axis, wick_vt *out) {
    int64_t stride[WICK_MAX_RANK], at = 0;
    wick_vt_strides(out, stride);
    for (uint32_t j = 0; j < n; j++) {
        if (!wick_vt_count(items[j])) continue; /* an empty one may have any rank */
        wick_vt_strided_into(out, at * stride[axis], stride, items[j]);
        at += items[j]->dims[axis];
    }
}

enum { MAX_ITEMS = 64 };

/* cat (variant 0) along an axis; stack (variant 1) along a new one. */
static wick_status join(wick_call *c, bool stack) {
    const wick_vt *items[MAX_ITEMS], *like = NULL;
    wick_vt lifted[MAX_ITEMS];
    wick_vt *out = wick_call_tensor(c, 2);
    uint32_t n = wick_call_list_size(c, 0);
    int32_t dims[WICK_MAX_RANK] = {0};
    int axis;
    if (!n || n > MAX_ITEMS) return wick_fail(c->err, WICK_EUNSUPPORTED, "%u tensors to join, 1 to %d are possible", n, MAX_ITEMS);
    WICK_TRY(wick_vt_axis(out, wick_call_int(c, 1), &axis, c->err));
    for (uint32_t j = 0; j < n; j++) {
        items[j] = wick_call_list_tensor(c, 0, j);
        if (stack && items[j]->rank + 1 == out->rank) {
            lifted[j] = *items[j];
            for (int i = out->rank - 1; i > axis; i--) lifted[j].dims[i] = items[j]->dims[i - 1];
            lifted[j].dims[axis] = 1;
            lifted[j].rank = out->rank;
            items[j] = &lifted[j];
        }
        bool empty = items[j]->rank == 1 && items[j]->dims[0] == 0; /* joins with anything */
        if (!like && !empty) like = items[j];
    }
    if (!like) like = items[0];
    if (like->rank != out->rank || !out->rank) return wick_vt_mismatch(c->err, "tensors to join", like, out);
    memcpy(dims, like->dims, sizeof dims);
    int64_t length = 0;
    for (uint32_t j = 0; j < n; j++) {
        if (items[j]->rank == 1 && items[j]->dims[0] == 0) continue;
        for (int i = 0; i < out->rank; i++)
            if (items[j]->rank != out->rank || (i != axis && items[j]->dims[i] != dims[i]))
                return wick_vt_mismatch(c->err, "a tensor to join", items[j], like);
        length += items[j]->dims[axis];
    }
    if (length > INT32_MAX) return wick_fail(c->err, WICK_EFORMAT, "joined tensors of %lld rows", (long long)length);
    dims[axis] = (int32_t)length;
    WICK_TRY(wick_vt_resize(out, out->rank, dims, c->err));
    wick_vt_concat(items, n, axis, out);
    return WICK_OK;
}

wick_status wick_vm_cat(wick_call *c) { return join(c, false); }
wick_status wick_vm_stack(wick_call *c) { return join(c, true); }

/* expand_copy(self, size, implicit, out): -1 keeps a dim. */
wick_status wick_vm_expand(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int64_t sizes[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    int n;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, sizes, &n));
    if (n < x->rank) return wick_vt_mismatch(c->err, "an expansion to fewer dimensions", out, x);
    for (int i = 0; i < n; i++) {
        int j = i - (n - x->rank);
        int64_t size = sizes[i] == -1 && j >= 0 ? x->dims[j] : sizes[i];
        if (size < 0 || size > INT32_MAX || (j >= 0 && x->dims[j] != 1 && x->dims[j] != size))
            return wick_fail(c->err, WICK_EFORMAT, "shape %s cannot become %lld in dimension %d", wick_vt_shape(x->rank, x->dims).s,
                             (long long)size, i);
        dims[i] = (int32_t)size;
    }
    WICK_TRY(wick_vt_resize(out, n, dims, c->err));
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, &x, 1); more; more = wick_walk_next(&w)) wick_vt_copy_element(out, w.i, x, w.at[0]);
    return WICK_OK;
}

/* repeat(self, repeats, out): whole copies side by side. */
wick_status wick_vm_repeat(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t times[WICK_MAX_RANK], stride[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK], index[WICK_MAX_RANK] = {0};
    int n;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, times, &n));
    if (n < x->rank) return wick_vt_mismatch(c->err, "a repetition in fewer dimensions", out, x);
    for (int i = 0; i < n; i++) {
        int64_t d = i < n - x->rank ? 1 : x->dims[i - (n - x->rank)];
        if (times[i] < 0 || times[i] > INT32_MAX || times[i] * d > INT32_MAX)
            return wick_fail(c->err, WICK_EFORMAT, "%lld repetitions", (long long)times[i]);
        dims[i] = (int32_t)(times[i] * d);
    }
    WICK_TRY(wick_vt_resize(out, n, dims, c->err));
    wick_vt_strides(x, stride);
    for (uint64_t e = 0, count = wick_vt_count(out); e < count; e++) {
        int64_t at = 0;
        for (int i = n - x->rank, j = 0; j < x->rank; i++, j++) at += index[i] % x->dims[j] * stride[j];
        wick_vt_copy_element(out, e, x, (uint64_t)at);
        for (int i = n - 1; i >= 0 && ++index[i] == dims[i]; i--) index[i] = 0;
    }
    return WICK_OK;
}

/* flip(self, dims, out). */
wick_status wick_vm_flip(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t list[WICK_MAX_RANK], stride[WICK_MAX_RANK], offset = 0;
    bool turned[WICK_MAX_RANK] = {false};
    int n, axis;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, list, &n));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_strides(x, stride);
    for (int i = 0; i < n; i++) {
        WICK_TRY(wick_vt_axis(x, list[i], &axis, c->err));
        turned[axis] = true;
    }
    for (int i = 0; i < x->rank; i++) {
        if (!turned[i]) continue;
        offset += (x->dims[i] - 1) * stride[i];
        stride[i] = -stride[i];
    }
    wick_vt_strided(x, offset, stride, out);
    return WICK_OK;
}

/* roll(self, shifts, dims, out); without dims over the flat tensor. */
wick_status wick_vm_roll(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    int64_t shifts[WICK_MAX_RANK], list[WICK_MAX_RANK], by[WICK_MAX_RANK] = {0}, stride[WICK_MAX_RANK];
    int n, n_dim, axis;
    wick_vt flat = *x;
    wick_walk w;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, shifts, &n));
    WICK_TRY(wick_call_ints(c, 2, WICK_MAX_RANK, list, &n_dim));
    if (n_dim ? n != n_dim : n != 1 || wick_vt_count(x) > INT32_MAX)
        return wick_fail(c->err, WICK_EFORMAT, "%d shifts of %d dimensions", n, n_dim);
    if (!n_dim) flat.rank = 1, flat.dims[0] = (int32_t)wick_vt_count(x), list[0] = 0;
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    for (int i = 0; i < n; i++) {
        WICK_TRY(wick_vt_axis(&flat, list[i], &axis, c->err));
        int64_t size = flat.rank ? flat.dims[axis] : 1;
        if (size) by[axis] = (by[axis] + shifts[i] % size + size) % size;
    }
    wick_vt_strides(&flat, stride);
    for (bool more = wick_walk_begin(&w, &flat, NULL, 0); more; more = wick_walk_next(&w)) {
        int64_t to = 0;
        for (int i = 0; i < flat.rank; i++) to += (w.index[i] + by[i]) % flat.dims[i] * stride[i];
        wick_vt_copy_element(out, (uint64_t)to, x, w.i);
    }
    return WICK_OK;
}
