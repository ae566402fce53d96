/* Shapes of delegate nodes, from the dims that this step has. */
#include "vm/xnn_vm.h"

#include "base/checked.h"

/* No single result may have more elements; keeps products of dims far from overflow. */
static const uint64_t MAX_ELEMENTS = (uint64_t)1 << 40;

static wick_status fully_connected(const wick_vt *x, const wick_vt *w, const wick_vt *bias, bool transposed, wick_vt *out,
                                   wick_error *err) {
    if (!x->rank || w->rank != 2 || !wick_vt_last(x) || wick_vt_last(x) != w->dims[!transposed])
        return wick_vt_mismatch(err, "the filter", w, x);
    int32_t n = w->dims[transposed];
    if (bias && wick_vt_count(bias) != (uint64_t)n) return wick_vt_mismatch(err, "the bias", bias, w);
    memcpy(out->dims, x->dims, sizeof out->dims);
    out->rank = x->rank;
    out->dims[x->rank - 1] = n;
    return WICK_OK;
}

static wick_status reshape(const wick_vt *x, const wick_xnn_node *n, wick_vt *out, wick_error *err) {
    int64_t sizes[WICK_MAX_RANK];
    for (int i = 0; i < n->n_list; i++) sizes[i] = n->list[i];
    out->rank = n->n_list;
    return wick_vt_infer(x, sizes, n->n_list, 0, out->dims, err);
}

static wick_status transpose(const wick_vt *x, const wick_xnn_node *n, wick_vt *out, wick_error *err) {
    unsigned seen = 0;
    out->rank = n->n_list;
    for (int i = 0; i < n->n_list && n->n_list == x->rank; i++) {
        if (n->list[i] >= (uint32_t)x->rank) break;
        seen |= 1u << n->list[i];
        out->dims[i] = x->dims[n->list[i]];
    }
    if (n->n_list == x->rank && seen == (1u << x->rank) - 1) return WICK_OK;
    return wick_fail(err, WICK_EFORMAT, "a list of %d dimensions is no permutation of shape %s", n->n_list,
                     wick_vt_shape(x->rank, x->dims).s);
}

static wick_status slice(const wick_vt *x, const wick_xnn_node *n, wick_vt *out, wick_error *err) {
    if (n->n_list != x->rank)
        return wick_fail(err, WICK_EFORMAT, "a slice of %d dimensions of shape %s", n->n_list, wick_vt_shape(x->rank, x->dims).s);
    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        if (!wick_in_range(n->list[i], n->list2[i], (uint64_t)x->dims[i]))
            return wick_fail(err, WICK_EFORMAT, "a slice of %u from %u of shape %s", n->list2[i], n->list[i],
                             wick_vt_shape(x->rank, x->dims).s);
        out->dims[i] = n->list2[i] ? (int32_t)n->list2[i] : x->dims[i] - (int32_t)n->list[i];
    }
    return WICK_OK;
}

static wick_status pad(const wick_vt *x, const wick_xnn_node *n, wick_vt *out, wick_error *err) {
    if (n->n_list != x->rank)
        return wick_fail(err, WICK_EFORMAT, "padding of %d dimensions of shape %s", n->n_list, wick_vt_shape(x->rank, x->dims).s);
    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        uint64_t size = (uint64_t)x->dims[i] + n->list[i] + n->list2[i];
        if (size > INT32_MAX) return wick_fail(err, WICK_EFORMAT, "padding to %llu", (unsigned long long)size);
        out->dims[i] = (int32_t)size;
    }
    return WICK_OK;
}

static wick_status concatenate(const wick_vx *d, const wick_xnn_node *n, wick_vt *out, wick_error *err) {
    const wick_vt *first = &d->values[n->in[0]];
    int axis;
    int64_t length = 0;
    WICK_TRY(wick_vt_axis(first, n->axis, &axis, err));
    for (int k = 0; k < n->n_in; k++) {
        const wick_vt *t = &d->values[n->in[k]];
        for (int i = 0; i < first->rank; i++)
            if (t->rank != first->rank || t->type != first->type || (i != axis && t->dims[i] != first->dims[i]))
                return wick_vt_mismatch(err, "a tensor to join", t, first);
        length += t->dims[axis];
    }
    if (length > INT32_MAX) return wick_fail(err, WICK_EFORMAT, "joined tensors of %lld rows", (long long)length);
    memcpy(out->dims, first->dims, sizeof out->dims);
    out->rank = first->rank;
    out->dims[axis] = (int32_t)length;
    return WICK_OK;
}

static wick_status batch_matmul(const wick_vt *a, const wick_vt *b, wick_vt *out, wick_error *err) {
    if (a->rank < 2 || b->rank < 2 || a->dims[a->rank - 1] != b->dims[b->rank - 2])
        return wick_vt_mismatch(err, "the right side of a product", b, a);
    wick_vt heads[2] = {*a, *b};
    const wick_vt *both[2] = {&heads[0], &heads[1]};
    heads[0].rank -= 2, heads[1].rank -= 2;
    WICK_TRY(wick_walk_shape(both, 2, &out->rank, out->dims, err));
    out->dims[out->rank++] = a->dims[a->rank - 2];
    out->dims[out->rank++] = b->dims[b->rank - 1];
    return WICK_OK;
}

static bool window(int64_t in, const wick_xnn_node *n, int before, int after, int kernel, int32_t *out) {
    uint64_t span = (uint64_t)n->conv[kernel + 4] * (n->conv[kernel] - 1) + 1, room = (uint64_t)in + n->conv[before] + n->conv[after];
    if (!n->conv[kernel] || !n->conv[kernel + 2] || !n->conv[kernel + 4] || span > room || room > INT32_MAX) return false;
    *out = (int32_t)((room - span) / n->conv[kernel + 2] + 1);
    return true;
}

/* NHWC; see xnn_check.c for the order of the numbers. */
static wick_status convolution(const wick_vt *x, const wick_vt *w, const wick_vt *bias, const wick_xnn_node *n, wick_vt *out,
                               wick_error *err) {
    bool depthwise = n->op == WICK_XNN_DEPTHWISE_CONV2D;
    uint64_t channels = (uint64_t)n->conv[10] * n->conv[12], produced = (uint64_t)n->conv[11] * n->conv[12];
    bool fits = x->rank == 4 && w->rank == 4 && n->conv[10] && n->conv[11] && n->conv[12] && (uint64_t)x->dims[3] == channels &&
                (uint32_t)w->dims[1] == n->conv[4] && (uint32_t)w->dims[2] == n->conv[5] &&
                (depthwise ? w->dims[0] == 1 && n->conv[10] == 1 && (uint64_t)w->dims[3] == produced
                           : (uint64_t)w->dims[0] == produced && (uint32_t)w->dims[3] == n->conv[10]) &&
                (!bias || wick_vt_count(bias) == produced);
    out->rank = 4;
    if (!fits || !window(x->dims[1], n, 0, 2, 4, &out->dims[1]) || !window(x->dims[2], n, 3, 1, 5, &out->dims[2]))
        return wick_vt_mismatch(err, "the filter", w, x);
    out->dims[0] = x->dims[0], out->dims[3] = (int32_t)produced;
    return WICK_OK;
}

static wick_status infer(wick_vx *d, const wick_xnn_node *n, wick_vt *out, wick_error *err) {
    const wick_vt *a = &d->values[n->in[0]], *b = n->n_in > 1 ? &d->values[n->in[1]] : NULL;
    const wick_vt *c = n->n_in > 2 && n->in[2] != WICK_XNN_NONE ? &d->values[n->in[2]] : NULL;
    const wick_vt *both[2] = {a, b};
    switch (n->op) {
    case WICK_XNN_FULLY_CONNECTED: return fully_connected(a, b, c, n->flags & 1, out, err);
    case WICK_XNN_RESHAPE: return reshape(a, n, out, err);
    case WICK_XNN_TRANSPOSE: return transpose(a, n, out, err);
    case WICK_XNN_SLICE: return slice(a, n, out, err);
    case WICK_XNN_CONSTANT_PAD: return pad(a, n, out, err);
    case WICK_XNN_CONCATENATE2:
    case WICK_XNN_CONCATENATE3:
    case WICK_XNN_CONCATENATE4:
    case WICK_XNN_CONCATENATE5: return concatenate(d, n, out, err);
    case WICK_XNN_BATCH_MATMUL: return batch_matmul(a, b, out, err);
    case WICK_XNN_CONV2D:
    case WICK_XNN_DEPTHWISE_CONV2D: return convolution(a, b, c, n, out, err);
    case WICK_XNN_ADD:
    case WICK_XNN_SUBTRACT:
    case WICK_XNN_MULTIPLY:
    case WICK_XNN_DIV:
    case WICK_XNN_MINIMUM:
    case WICK_XNN_MAXIMUM:
    case WICK_XNN_PRELU: return wick_walk_shape(both, 2, &out->rank, out->dims, err);
    default:
        out->rank = a->rank;
        memcpy(out->dims, a->dims, sizeof out->dims);
        return WICK_OK;
    }
}

wick_status wick_vx_infer(wick_vx *d, const wick_xnn_node *n, wick_error *err) {
    wick_vt *out = &d->values[n->out];
    uint64_t count = 1;
    WICK_TRY(infer(d, n, out, err));
    for (int i = 0; i < out->rank; i++)
        if (!wick_mul_u64(count, (uint64_t)out->dims[i], &count) || count > MAX_ELEMENTS)
            return wick_fail(err, WICK_ELIMIT, "a result of shape %s", wick_vt_shape(out->rank, out->dims).s);
    return WICK_OK;
}
