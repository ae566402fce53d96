/* Delegate nodes: the subgraph of an XNNPACK delegate, written into the graph where it is called. */
#include "base/mem.h"
#include "raise/raise_int.h"

#include <math.h>
#include <string.h>

typedef struct inliner {
    wick_raiser *r;
    const wick_xnn *x;
    const int32_t *args;
    wick_value_id *values; /* [n_value] of the delegate */
    uint32_t i_node;
} inliner;

static const wick_value *shape_of(const inliner *in, wick_value_id v) { return &in->r->g->values[v]; }

static wick_status value(inliner *in, uint32_t id, wick_value_id *out) {
    const wick_xnn_value *v = &in->x->values[id];
    if (in->values[id] < 0 && v->external_id != WICK_XNN_NONE) WICK_TRY(wick_r_read(in->r, in->args[v->external_id], &in->values[id]));
    if (in->values[id] < 0 && v->constant) WICK_TRY(wick_r_const_xnn(in->r, in->x, id, &in->values[id]));
    *out = in->values[id];
    return *out < 0 ? wick_r_unsupported(in->r, "a delegate's value that nothing makes") : WICK_OK;
}

static wick_status inputs(inliner *in, const wick_xnn_node *n, wick_value_id *out) {
    for (int i = 0; i < n->n_in; i++) {
        out[i] = -1;
        if (n->in[i] != WICK_XNN_NONE) WICK_TRY(value(in, n->in[i], &out[i]));
    }
    return WICK_OK;
}

static wick_status keep(inliner *in, const wick_xnn_node *n, wick_value_id v) {
    if (v < 0) return wick_fail_nomem(in->r->err);
    in->values[n->out] = v;
    return WICK_OK;
}

/* The dtype of a dynamically quantized value is that of its codes. */
static wick_dtype dtype_of(const wick_xnn_value *v) {
    switch (v->dtype) {
    case WICK_XD_FP16: return WICK_F16;
    case WICK_XD_BF16: return WICK_BF16;
    case WICK_XD_QDINT8:
    case WICK_XD_QPINT8:
    case WICK_XD_QINT8: return WICK_I8;
    case WICK_XD_QUINT8: return WICK_U8;
    case WICK_XD_INT32: return WICK_I32;
    default: return WICK_F32;
    }
}

static wick_status emit(inliner *in, const wick_xnn_node *n, wick_op op, wick_attrs attrs, int n_in, const wick_value_id *ids, int rank,
                        const wick_dim *dims) {
    wick_origin origin = {in->r->instruction, (int32_t)in->i_node};
    wick_dtype dtype = dtype_of(&in->x->values[n->out]);
    return keep(in, n, wick_graph_fine(in->r->g, op, attrs, ids, n_in, dtype, rank, dims, origin));
}

static wick_status binary(inliner *in, const wick_xnn_node *n, wick_op op) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(inputs(in, n, ids));
    if (!wick_r_broadcast(shape_of(in, ids[0]), shape_of(in, ids[1]), dims, &rank))
        return wick_r_unsupported(in->r, "a delegate's operands do not broadcast");
    return emit(in, n, op, (wick_attrs){.fine = {.number = 1}}, 2, ids, rank, dims);
}

static wick_status unary(inliner *in, const wick_xnn_node *n, wick_op op) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    WICK_TRY(inputs(in, n, ids));
    wick_value x = *shape_of(in, ids[0]);
    return emit(in, n, op, (wick_attrs){.fine = {0}}, 1, ids, x.rank, x.dims);
}

static wick_status linear(inliner *in, const wick_xnn_node *n) {
    enum { TRANSPOSE_WEIGHTS = 1 }; /* flag of the format */
    wick_value_id ids[WICK_XNN_MAX_IN];
    WICK_TRY(inputs(in, n, ids));
    bool transposed = n->flags & TRANSPOSE_WEIGHTS;
    wick_value x = *shape_of(in, ids[0]);
    const wick_value *w = shape_of(in, ids[1]);
    if (x.rank < 1 || w->rank != 2 || !wick_dim_equal(x.dims[x.rank - 1], w->dims[transposed ? 0 : 1]))
        return wick_r_unsupported(in->r, "a FullyConnected whose sizes do not match");
    x.dims[x.rank - 1] = w->dims[transposed ? 1 : 0];
    return emit(in, n, WICK_OP_f_linear, (wick_attrs){.fine = {.flag = transposed}}, 3, ids, x.rank, x.dims);
}

/* a[.., M, K] times b[.., K, N] */
static wick_status matmul(inliner *in, const wick_xnn_node *n) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    WICK_TRY(inputs(in, n, ids));
    wick_value a = *shape_of(in, ids[0]);
    const wick_value *b = shape_of(in, ids[1]);
    bool ok = a.rank >= 2 && a.rank == b->rank && !n->flags && wick_dim_equal(a.dims[a.rank - 1], b->dims[a.rank - 2]);
    for (int i = 0; ok && i < a.rank - 2; i++) ok = wick_dim_equal(a.dims[i], b->dims[i]);
    if (!ok) return wick_r_unsupported(in->r, "a BatchMatrixMultiply whose sizes do not match");
    a.dims[a.rank - 1] = b->dims[a.rank - 1];
    return emit(in, n, WICK_OP_f_matmul, (wick_attrs){.fine = {0}}, 2, ids, a.rank, a.dims);
}

/* One size may be 0: what is left. */
static wick_status reshape(inliner *in, const wick_xnn_node *n) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    wick_dim dims[WICK_MAX_RANK], numel;
    WICK_TRY(inputs(in, n, ids));
    const wick_value *x = shape_of(in, ids[0]);
    for (int i = 0; i < n->n_list; i++) dims[i] = wick_dim_const(n->list[i] ? (int64_t)n->list[i] : -1);
    if (!wick_r_numel(x->dims, x->rank, &numel) || !wick_r_infer(numel, dims, n->n_list))
        return wick_r_unsupported(in->r, "a StaticReshape whose sizes do not match");
    return keep(in, n, wick_r_view(in->r, ids[0], n->n_list, dims));
}

/* One axis at a time; size 0: the rest. */
static wick_status slice(inliner *in, const wick_xnn_node *n) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    int axis = -1;
    WICK_TRY(inputs(in, n, ids));
    wick_value x = *shape_of(in, ids[0]);
    if (n->n_list != x.rank) return wick_r_unsupported(in->r, "a StaticSlice of another rank");
    wick_attrs attrs = {.fine = {0}};
    for (int i = 0; i < x.rank; i++) {
        int64_t from = n->list[i], size = n->list2[i];
        wick_dim d = x.dims[i];
        if (from == 0 && (size == 0 || (wick_dim_is_const(d) && size == d.c))) continue;
        if (axis >= 0 || !wick_dim_is_const(d) || from + size > d.c || from >= d.c)
            return wick_r_unsupported(in->r, "a StaticSlice over several dimensions, or beyond one");
        axis = i;
        attrs.fine.axis = i;
        attrs.fine.start = wick_dim_const(from);
        attrs.fine.end = wick_dim_const(size ? from + size : d.c);
        x.dims[i] = wick_dim_const(attrs.fine.end.c - from);
    }
    if (axis < 0) return keep(in, n, ids[0]);
    return emit(in, n, WICK_OP_f_slice, attrs, 1, ids, x.rank, x.dims);
}

static wick_status concatenate(inliner *in, const wick_xnn_node *n) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    WICK_TRY(inputs(in, n, ids));
    wick_value sum = *shape_of(in, ids[0]);
    int axis = n->axis < 0 ? n->axis + sum.rank : n->axis;
    if (axis < 0 || axis >= sum.rank) return wick_r_unsupported(in->r, "a Concatenate along a dimension that is not there");
    for (int i = 1; i < n->n_in; i++) {
        wick_value part = *shape_of(in, ids[i]);
        wick_dim d = part.dims[axis];
        part.dims[axis] = sum.dims[axis];
        if (!wick_r_same_dims(&part, &sum)) return wick_r_unsupported(in->r, "a Concatenate of different shapes");
        if (!wick_r_dim_add(sum.dims[axis], d, &sum.dims[axis])) return wick_r_unsupported(in->r, "a Concatenate larger than memory");
    }
    return emit(in, n, WICK_OP_f_cat, (wick_attrs){.fine = {.axis = axis}}, n->n_in, ids, sum.rank, sum.dims);
}

static wick_status transpose(inliner *in, const wick_xnn_node *n) {
    wick_value_id ids[WICK_XNN_MAX_IN];
    wick_attrs attrs = {.fine = {0}};
    wick_dim dims[WICK_MAX_RANK];
    WICK_TRY(inputs(in, n, ids));
    const wick_value *x = shape_of(in, ids[0]);
    if (n->n_list != x->rank) return wick_r_unsupported(in->r, "a StaticTranspose of another rank");
    for (int i = 0; i < n->n_list; i++) {
        attrs.fine.perm[i] = (int)n->list[i];
        dims[i] = x->dims[n->list[i]];
    }
    return emit(in, n, WICK_OP_f_permute, attrs, 1, ids, n->n_list, dims);
}

/* Depthwise along one dimension: x[1, L, 1, N] with w[1, T, 1, N], one filter per channel, nothing padded. */
static wick_status convolution(inliner *in, const wick_xnn_node *n) {
    enum {
        PAD = 0,
        HEIGHT = 4,
        WIDTH,
        STEP_Y,
        STEP_X,
        DILATION_Y,
        DILATION_X,
        IN_CHANNELS,
        OUT_CHANNELS,
        GROUPS
    }; /* numbers of the table */
    wick_value_id ids[WICK_XNN_MAX_IN];
    const uint32_t *k = n->conv;
    WICK_TRY(inputs(in, n, ids));
    wick_value x = *shape_of(in, ids[0]);
    const wick_value *w = shape_of(in, ids[1]);
    bool plain = !k[PAD] && !k[PAD + 1] && !k[PAD + 2] && !k[PAD + 3] && k[STEP_Y] == 1 && k[STEP_X] == 1 && k[DILATION_Y] == 1 &&
                 k[WIDTH] == 1 && k[IN_CHANNELS] == 1 && k[OUT_CHANNELS] == 1 && x.rank == 4 && w->rank == 4 && x.dims[2].c == 1 &&
                 w->dims[0].c == 1 && w->dims[1].c == k[HEIGHT] && w->dims[2].c == 1 && w->dims[3].c == x.dims[3].c &&
                 x.dims[3].c == k[GROUPS] && k[HEIGHT] > 0;
    if (!plain || !wick_r_dim_sub(x.dims[1], wick_dim_const((int64_t)k[HEIGHT] - 1), &x.dims[1]))
        return wick_r_unsupported(in->r, "a convolution that is not depthwise along one dimension");
    return emit(in, n, WICK_OP_f_conv, (wick_attrs){.fine = {0}}, 3, ids, 4, x.dims);
}

static bool clamps(const wick_xnn_node *n) { return n->has_min_max && !(isinf(n->out_min) && isinf(n->out_max)); }

static wick_status node(inliner *in, const wick_xnn_node *n) {
    if (clamps(n)) return wick_r_unsupported(in->r, "a delegate's node that clamps its result");
    switch (n->op) {
    case WICK_XNN_ADD: return binary(in, n, WICK_OP_f_add);
    case WICK_XNN_SUBTRACT: return binary(in, n, WICK_OP_f_sub);
    case WICK_XNN_MULTIPLY: return binary(in, n, WICK_OP_f_mul);
    case WICK_XNN_DIV: return binary(in, n, WICK_OP_f_div);
    case WICK_XNN_SQUARE: return unary(in, n, WICK_OP_f_square);
    case WICK_XNN_RECIPROCAL_SQUARE_ROOT: return unary(in, n, WICK_OP_f_rsqrt);
    case WICK_XNN_SIGMOID: return unary(in, n, WICK_OP_f_sigmoid);
    case WICK_XNN_GELU: return unary(in, n, WICK_OP_f_gelu);
    case WICK_XNN_TANH: return unary(in, n, WICK_OP_f_tanh);
    case WICK_XNN_EXP: return unary(in, n, WICK_OP_f_exp);
    case WICK_XNN_COS: return unary(in, n, WICK_OP_f_cos);
    case WICK_XNN_SIN: return unary(in, n, WICK_OP_f_sin);
    case WICK_XNN_NEGATE: return unary(in, n, WICK_OP_f_neg);
    case WICK_XNN_SOFTMAX: return unary(in, n, WICK_OP_f_softmax);
    case WICK_XNN_CONVERT: return unary(in, n, in->x->values[n->out].dtype == WICK_XD_QDINT8 ? WICK_OP_f_quantize : WICK_OP_f_cast);
    case WICK_XNN_COPY: return unary(in, n, WICK_OP_f_copy);
    case WICK_XNN_FULLY_CONNECTED: return linear(in, n);
    case WICK_XNN_BATCH_MATMUL: return matmul(in, n);
    case WICK_XNN_RESHAPE: return reshape(in, n);
    case WICK_XNN_SLICE: return slice(in, n);
    case WICK_XNN_TRANSPOSE: return transpose(in, n);
    case WICK_XNN_DEPTHWISE_CONV2D: return convolution(in, n);
    case WICK_XNN_CONCATENATE2:
    case WICK_XNN_CONCATENATE3:
    case WICK_XNN_CONCATENATE4:
    case WICK_XNN_CONCATENATE5: return concatenate(in, n);
    default: return wick_r_unsupported(in->r, "a delegate's node that has no rule");
    }
}

/* A result takes the rank of the program's tensor; its elements are the same. */
static wick_status give(inliner *in, uint32_t id) {
    const wick_xnn_value *v = &in->x->values[id];
    int32_t evalue = in->args[v->external_id];
    const wick_pte_tensor *t = in->r->method->pte->values[evalue].tensor;
    wick_value_id made = in->values[id];
    if (made < 0 || shape_of(in, made)->rank != t->rank)
        return wick_r_unsupported(in->r, "a delegate's result of another rank than the program's tensor");
    return wick_r_write_tensor(in->r, evalue, made);
}

wick_status wick_r_delegate(wick_raiser *r, const wick_xnn *x, const int32_t *args) {
    wick_status status = WICK_OK;
    inliner in = {r, x, args, WICK_NEW_ARRAY(wick_value_id, x->n_value), 0};
    if (!in.values) return wick_fail_nomem(r->err);
    for (uint32_t i = 0; i < x->n_value; i++) in.values[i] = -1;
    for (uint32_t i = 0; i < x->n_value; i++) {
        wick_value_id v;
        if (x->values[i].external_id != WICK_XNN_NONE && x->values[i].external_id < x->n_input) WICK_CHECK_GOTO(value(&in, i, &v));
    }
    for (in.i_node = 0; in.i_node < x->n_node; in.i_node++) WICK_CHECK_GOTO(node(&in, &x->nodes[in.i_node]));
    for (uint32_t i = 0; i < x->n_value; i++)
        if (x->values[i].external_id != WICK_XNN_NONE && x->values[i].external_id >= x->n_input) WICK_CHECK_GOTO(give(&in, i));
out:
    wick_free(in.values);
    return status;
}
