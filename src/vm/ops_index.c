/* Rows and elements chosen by tensors of indices. Every index is checked, and used as it was read. */
#include "vm/ops.h"

/* One index in [0, n), negative counted from the end if `wrap`. */
static wick_status read_index(const wick_vt *t, uint64_t i, int64_t n, bool wrap, int64_t *out, wick_error *err) {
    int64_t v = wick_vt_int(t, i);
    if (v < (wrap ? -n : 0) || v >= n)
        return wick_fail(err, WICK_EFORMAT, "index %lld, but there are %lld rows", (long long)v, (long long)n);
    *out = v < 0 ? v + n : v;
    return WICK_OK;
}

static wick_status need_indices(const wick_vt *t, wick_error *err) {
    if (t->type == WICK_ST_LONG || t->type == WICK_ST_INT) return WICK_OK;
    return wick_fail(err, WICK_EUNSUPPORTED, "indices of type %s", wick_scalar_name(t->type));
}

/* embedding(weight [V, D], indices, padding_idx, scale_grad_by_freq, sparse, out). */
wick_status wick_vm_embedding(wick_call *c) {
    const wick_vt *weight = wick_call_tensor(c, 0), *indices = wick_call_tensor(c, 1);
    wick_vt *out = wick_call_tensor(c, 5);
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(need_indices(indices, c->err));
    if (weight->rank != 2 || indices->rank == WICK_MAX_RANK || weight->type != out->type)
        return wick_vt_mismatch(c->err, "an embedding", weight, out);
    memcpy(dims, indices->dims, sizeof dims);
    dims[indices->rank] = weight->dims[1];
    WICK_TRY(wick_vt_resize(out, indices->rank + 1, dims, c->err));
    size_t size = (size_t)weight->dims[1] * wick_scalar_size(weight->type);
    for (uint64_t i = 0, n = wick_vt_count(indices); i < n; i++) {
        int64_t row = 0;
        WICK_TRY(read_index(indices, i, weight->dims[0], false, &row, c->err));
        if (size) memmove(out->data + i * size, weight->data + (size_t)row * size, size);
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- index and index_put
 *
 * self[i0, :, i2]: the index tensors broadcast to one shape B. The result has B in place of the indexed dims if these are
 * neighbours, else B comes first; the dims without index follow in order. */
typedef struct selection {
    const wick_vt *self;
    int rank; /* of the result */
    int32_t dims[WICK_MAX_RANK];
    const wick_vt *index[WICK_MAX_RANK]; /* per dim of self, NULL: whole */
    int64_t self_stride[WICK_MAX_RANK];
    int64_t whole_stride[WICK_MAX_RANK];                /* per dim of the result: of self, 0 inside B */
    int64_t index_stride[WICK_MAX_RANK][WICK_MAX_RANK]; /* [dim of self][dim of the result] */
} selection;

static wick_status selection_init(wick_call *c, selection *s, const wick_vt *self) {
    const wick_vt *given[WICK_MAX_RANK];
    uint32_t n = wick_call_list_size(c, 1);
    int n_given = 0, first = -1, last = -1, b_rank;
    int32_t b_dims[WICK_MAX_RANK];
    memset(s, 0, sizeof *s);
    s->self = self;
    if (n > (uint32_t)self->rank)
        return wick_fail(c->err, WICK_EFORMAT, "%u indices into shape %s", n, wick_vt_shape(self->rank, self->dims).s);
    for (uint32_t j = 0; j < n; j++) {
        s->index[j] = wick_call_list_tensor(c, 1, j);
        if (!s->index[j]) continue;
        WICK_TRY(need_indices(s->index[j], c->err));
        given[n_given++] = s->index[j];
        if (first < 0) first = (int)j;
        last = (int)j;
    }
    if (!n_given) return wick_fail(c->err, WICK_EFORMAT, "an index without indices");
    WICK_TRY(wick_walk_shape(given, n_given, &b_rank, b_dims, c->err));
    s->rank = self->rank - n_given + b_rank;
    if (s->rank > WICK_MAX_RANK) return wick_fail(c->err, WICK_EUNSUPPORTED, "an indexed tensor of rank %d", s->rank);
    wick_vt_strides(self, s->self_stride);
    int b_at = last - first + 1 == n_given ? first : 0, at = b_at == 0 ? b_rank : 0;
    for (int i = 0; i < b_rank; i++) s->dims[b_at + i] = b_dims[i];
    for (int d = 0; d < self->rank; d++) {
        if (d == b_at && b_at > 0) at += b_rank;
        if (s->index[d]) continue;
        s->dims[at] = self->dims[d];
        s->whole_stride[at++] = s->self_stride[d];
    }
    for (int d = 0; d < self->rank; d++) {
        int64_t stride = 1;
        for (int i = s->index[d] ? s->index[d]->rank - 1 : -1, j = b_at + b_rank - 1; i >= 0; i--, j--) {
            s->index_stride[d][j] = s->index[d]->dims[i] == 1 ? 0 : stride;
            stride *= s->index[d]->dims[i];
        }
    }
    return WICK_OK;
}

/* The element of self that an element of the result means. */
static wick_status selection_at(const selection *s, const int32_t *index, int64_t *out, wick_error *err) {
    int64_t at = 0;
    for (int j = 0; j < s->rank; j++) at += index[j] * s->whole_stride[j];
    for (int d = 0; d < s->self->rank; d++) {
        if (!s->index[d]) continue;
        int64_t i = 0, row = 0;
        for (int j = 0; j < s->rank; j++) i += index[j] * s->index_stride[d][j];
        WICK_TRY(read_index(s->index[d], (uint64_t)i, s->self->dims[d], true, &row, err));
        at += row * s->self_stride[d];
    }
    *out = at;
    return WICK_OK;
}

wick_status wick_vm_index(wick_call *c) {
    const wick_vt *self = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    selection s;
    wick_walk w;
    WICK_TRY(selection_init(c, &s, self));
    WICK_TRY(wick_vt_resize(out, s.rank, s.dims, c->err));
    for (bool more = wick_walk_begin(&w, out, NULL, 0); more; more = wick_walk_next(&w)) {
        int64_t at;
        WICK_TRY(selection_at(&s, w.index, &at, c->err));
        wick_vt_copy_element(out, w.i, self, (uint64_t)at);
    }
    return WICK_OK;
}

/* index_put(self, indices, values, accumulate, out); variant: position of the result (in index_put_ it is 0). */
wick_status wick_vm_index_put(wick_call *c) {
    const wick_vt *self = wick_call_tensor(c, 0), *values = wick_call_tensor(c, 2);
    wick_vt *out = wick_call_tensor(c, c->variant);
    selection s;
    wick_walk w;
    bool add = wick_call_bool(c, 3);
    WICK_TRY(selection_init(c, &s, self));
    wick_vt shape = {.rank = s.rank};
    memcpy(shape.dims, s.dims, sizeof shape.dims);
    const wick_vt *both[2] = {&shape, values};
    int rank;
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(wick_walk_shape(both, 2, &rank, dims, c->err));
    if (rank != s.rank || memcmp(dims, s.dims, (size_t)rank * sizeof dims[0]))
        return wick_vt_mismatch(c->err, "values to put", values, &shape);
    WICK_TRY(wick_vt_resize_like(out, self, c->err));
    if (out != self) wick_vt_copy_all(out, self);
    for (bool more = wick_walk_begin(&w, &shape, &values, 1); more; more = wick_walk_next(&w)) {
        int64_t at;
        WICK_TRY(selection_at(&s, w.index, &at, c->err));
        if (!add)
            wick_vt_copy_element(out, (uint64_t)at, values, w.at[0]);
        else if (wick_vt_is_real(out->type))
            wick_vt_set_real(out, (uint64_t)at, wick_vt_real(out, (uint64_t)at) + wick_vt_real(values, w.at[0]));
        else
            wick_vt_set_int(out, (uint64_t)at, wick_binary_int(WICK_BIN_ADD, wick_vt_int(out, (uint64_t)at), wick_vt_int(values, w.at[0])));
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- along one axis */

/* Element of `x` that has the place of element i of `index`, with its coordinate along the axis replaced by the index. */
static wick_status along(const wick_vt *x, const wick_vt *index, const wick_walk *w, int axis, int64_t *out, wick_error *err) {
    int64_t stride[WICK_MAX_RANK], row = 0;
    WICK_TRY(read_index(index, w->i, x->rank ? x->dims[axis] : 1, false, &row, err));
    wick_vt_strides(x, stride);
    *out = x->rank ? row * stride[axis] : 0;
    for (int j = 0; j < x->rank; j++)
        if (j != axis) *out += w->index[j] * stride[j];
    return WICK_OK;
}

static wick_status check_along(const wick_vt *x, const wick_vt *index, int axis, wick_error *err) {
    WICK_TRY(need_indices(index, err));
    bool fits = x->rank == index->rank;
    for (int i = 0; i < x->rank && fits; i++) fits = i == axis || index->dims[i] <= x->dims[i];
    return fits ? WICK_OK : wick_vt_mismatch(err, "indices along a dimension", index, x);
}

/* gather(self, dim, index, sparse_grad, out). */
wick_status wick_vm_gather(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *index = wick_call_tensor(c, 2);
    wick_vt *out = wick_call_tensor(c, 4);
    int axis;
    wick_walk w;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &axis, c->err));
    WICK_TRY(check_along(x, index, axis, c->err));
    WICK_TRY(wick_vt_resize_like(out, index, c->err));
    for (bool more = wick_walk_begin(&w, index, NULL, 0); more; more = wick_walk_next(&w)) {
        int64_t at;
        WICK_TRY(along(x, index, &w, axis, &at, c->err));
        wick_vt_copy_element(out, w.i, x, (uint64_t)at);
    }
    return WICK_OK;
}

/* scatter(self, dim, index, src | value, out). variant 1: a number. */
wick_status wick_vm_scatter(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *index = wick_call_tensor(c, 2), *src = c->variant ? NULL : wick_call_tensor(c, 3);
    wick_vt *out = wick_call_tensor(c, 4);
    int64_t stride[WICK_MAX_RANK] = {0};
    int axis;
    wick_walk w;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &axis, c->err));
    WICK_TRY(check_along(x, index, axis, c->err));
    if (src) {
        bool fits = src->rank == index->rank;
        for (int i = 0; i < index->rank && fits; i++) fits = index->dims[i] <= src->dims[i];
        if (!fits) return wick_vt_mismatch(c->err, "what is scattered", src, index);
        wick_vt_strides(src, stride);
    }
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_copy_all(out, x);
    for (bool more = wick_walk_begin(&w, index, NULL, 0); more; more = wick_walk_next(&w)) {
        int64_t at, from = 0;
        WICK_TRY(along(x, index, &w, axis, &at, c->err));
        for (int j = 0; j < index->rank; j++) from += w.index[j] * stride[j];
        if (src)
            wick_vt_copy_element(out, (uint64_t)at, src, (uint64_t)from);
        else if (wick_call_slot(c, 3)->kind == WICK_EV_DOUBLE)
            wick_vt_set_real(out, (uint64_t)at, wick_call_real(c, 3));
        else
            wick_vt_set_int(out, (uint64_t)at, wick_call_int(c, 3));
    }
    return WICK_OK;
}

/* index_select(self, dim, index [n], out). */
wick_status wick_vm_index_select(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *index = wick_call_tensor(c, 2);
    wick_vt *out = wick_call_tensor(c, 3);
    int32_t dims[WICK_MAX_RANK];
    int axis;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 1), &axis, c->err));
    WICK_TRY(need_indices(index, c->err));
    if (!x->rank || index->rank > 1 || x->type != out->type) return wick_vt_mismatch(c->err, "rows to select", index, x);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = (int32_t)wick_vt_count(index);
    WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
    int64_t outer = wick_vt_span(x, 0, axis);
    size_t size = (size_t)wick_vt_span(x, axis + 1, x->rank) * wick_scalar_size(x->type);
    for (int32_t i = 0; i < dims[axis]; i++) {
        int64_t row = 0;
        WICK_TRY(read_index(index, (uint64_t)i, x->dims[axis], false, &row, c->err));
        for (int64_t o = 0; o < outer && size; o++)
            memmove(out->data + (size_t)(o * dims[axis] + i) * size, x->data + (size_t)(o * x->dims[axis] + row) * size, size);
    }
    return WICK_OK;
}

/* topk(self, k, dim, largest, sorted, values, indices): repeated selection; ties go to the first. */
wick_status wick_vm_topk(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *values = wick_call_tensor(c, 5), *indices = wick_call_tensor(c, 6);
    int64_t k = wick_call_int(c, 1);
    bool largest = wick_call_bool(c, 3);
    int32_t dims[WICK_MAX_RANK];
    int axis;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 2), &axis, c->err));
    int64_t n = x->rank ? x->dims[axis] : 1;
    if (k < 0 || k > n) return wick_fail(c->err, WICK_EFORMAT, "the first %lld of %lld", (long long)k, (long long)n);
    memcpy(dims, x->dims, sizeof dims);
    if (x->rank) dims[axis] = (int32_t)k;
    WICK_TRY(wick_vt_resize(values, x->rank, dims, c->err));
    WICK_TRY(wick_vt_resize(indices, x->rank, dims, c->err));
    int64_t inner = x->rank ? wick_vt_span(x, axis + 1, x->rank) : 1, outer = x->rank ? wick_vt_span(x, 0, axis) : 1;
    uint8_t *taken = wick_vm_scratch(c->vm, (uint64_t)n);
    if (!taken) return wick_fail_nomem(c->err);
    for (int64_t row = 0; row < outer * inner; row++) {
        uint64_t at = (uint64_t)(row / inner * n * inner + row % inner), to = (uint64_t)(row / inner * k * inner + row % inner);
        memset(taken, 0, (size_t)n);
        for (int64_t j = 0; j < k; j++) {
            int64_t best = -1;
            for (int64_t i = 0; i < n; i++) {
                double v = wick_vt_real(x, at + (uint64_t)(i * inner));
                double b = best < 0 ? 0 : wick_vt_real(x, at + (uint64_t)(best * inner));
                if (!taken[i] && (best < 0 || (largest ? v > b || (v != v && b == b) : v < b))) best = i;
            }
            taken[best] = 1;
            wick_vt_copy_element(values, to + (uint64_t)(j * inner), x, at + (uint64_t)(best * inner));
            wick_vt_set_int(indices, to + (uint64_t)(j * inner), best);
        }
    }
    return WICK_OK;
}
