/* One delegate node: which rule it is. */
#include "vm/xnn_vm.h"

#include <math.h>

typedef enum node_form { NO_FORM, UNARY, BINARY, MOVE, OTHER } node_form;

/* What each node is; the rule of elementwise ones. */
static const struct {
    node_form form;
    int rule;
} nodes[WICK_XNN_N_OP] = {
    [WICK_XNN_ADD] = {BINARY, WICK_BIN_ADD},
    [WICK_XNN_SUBTRACT] = {BINARY, WICK_BIN_SUB},
    [WICK_XNN_MULTIPLY] = {BINARY, WICK_BIN_MUL},
    [WICK_XNN_DIV] = {BINARY, WICK_BIN_DIV},
    [WICK_XNN_MINIMUM] = {BINARY, WICK_BIN_MINIMUM},
    [WICK_XNN_MAXIMUM] = {BINARY, WICK_BIN_MAXIMUM},
    [WICK_XNN_SIGMOID] = {UNARY, WICK_UN_SIGMOID},
    [WICK_XNN_CLAMP] = {UNARY, WICK_UN_COPY},
    [WICK_XNN_FLOOR] = {UNARY, WICK_UN_FLOOR},
    [WICK_XNN_CEILING] = {UNARY, WICK_UN_CEIL},
    [WICK_XNN_SQUARE_ROOT] = {UNARY, WICK_UN_SQRT},
    [WICK_XNN_RECIPROCAL_SQUARE_ROOT] = {UNARY, WICK_UN_RSQRT},
    [WICK_XNN_HARDSWISH] = {UNARY, WICK_UN_HARDSWISH},
    [WICK_XNN_NEGATE] = {UNARY, WICK_UN_NEG},
    [WICK_XNN_SQUARE] = {UNARY, WICK_UN_SQUARE},
    [WICK_XNN_ABS] = {UNARY, WICK_UN_ABS},
    [WICK_XNN_LOG] = {UNARY, WICK_UN_LOG},
    [WICK_XNN_GELU] = {UNARY, WICK_UN_GELU},
    [WICK_XNN_TANH] = {UNARY, WICK_UN_TANH},
    [WICK_XNN_EXP] = {UNARY, WICK_UN_EXP},
    [WICK_XNN_SIN] = {UNARY, WICK_UN_SIN},
    [WICK_XNN_COS] = {UNARY, WICK_UN_COS},
    [WICK_XNN_COPY] = {MOVE, 0},
    [WICK_XNN_RESHAPE] = {MOVE, 0},
    [WICK_XNN_TRANSPOSE] = {OTHER, 0},
    [WICK_XNN_SLICE] = {OTHER, 0},
    [WICK_XNN_CONSTANT_PAD] = {OTHER, 0},
    [WICK_XNN_CONCATENATE2] = {OTHER, 0},
    [WICK_XNN_CONCATENATE3] = {OTHER, 0},
    [WICK_XNN_CONCATENATE4] = {OTHER, 0},
    [WICK_XNN_CONCATENATE5] = {OTHER, 0},
    [WICK_XNN_CONVERT] = {OTHER, 0},
    [WICK_XNN_FULLY_CONNECTED] = {OTHER, 0},
    [WICK_XNN_BATCH_MATMUL] = {OTHER, 0},
    [WICK_XNN_CONV2D] = {OTHER, 0},
    [WICK_XNN_DEPTHWISE_CONV2D] = {OTHER, 0},
    [WICK_XNN_SOFTMAX] = {OTHER, 0},
    [WICK_XNN_LEAKY_RELU] = {OTHER, 0},
    [WICK_XNN_ELU] = {OTHER, 0},
    [WICK_XNN_PRELU] = {OTHER, 0},
};

static bool is_codes(int dtype) { return dtype == WICK_XD_QBINT4 || dtype == WICK_XD_QCINT4 || dtype == WICK_XD_QCINT8; }

wick_status wick_vx_check(const wick_xnn *x, wick_error *err) {
    for (uint32_t i = 0; i < x->n_value; i++) {
        int t = x->values[i].dtype;
        bool known =
            t == WICK_XD_FP32 || t == WICK_XD_FP16 || t == WICK_XD_BF16 || t == WICK_XD_INT32 || t == WICK_XD_QDINT8 || is_codes(t);
        if (!known || (is_codes(t) && !x->values[i].constant) || (t == WICK_XD_QDINT8 && (x->values[i].flags || x->values[i].constant)))
            return wick_fail(err, WICK_EUNSUPPORTED, "value %u of type %s, which Wick does not execute", i, wick_xnn_dtype_name(t));
        uint32_t needed[2] = {x->values[i].constant, x->values[i].scale_constant};
        for (int k = 0; k < 2; k++)
            if (needed[k] && !x->constants[needed[k]].bytes.data)
                return wick_fail(err, WICK_ENOTFOUND, "constant %u is missing", needed[k]);
    }
    for (uint32_t i = 0; i < x->n_node; i++) {
        const wick_xnn_node *n = &x->nodes[i];
        bool supported = nodes[n->op].form != NO_FORM;
        for (int k = 0; k < n->n_in && supported; k++) {
            if (n->in[k] == WICK_XNN_NONE) continue;
            int t = x->values[n->in[k]].dtype;
            if (is_codes(t)) supported = n->op == WICK_XNN_FULLY_CONNECTED && k == 1 && !n->flags;
            if (t == WICK_XD_QDINT8) supported = n->op == WICK_XNN_FULLY_CONNECTED && k == 0 && is_codes(x->values[n->in[1]].dtype);
        }
        if (x->values[n->out].dtype == WICK_XD_QDINT8)
            supported = supported && n->op == WICK_XNN_CONVERT && x->values[n->in[0]].dtype == WICK_XD_FP32;
        if (!supported) return wick_fail(err, WICK_EUNSUPPORTED, "node %u is a %s that Wick does not execute", i, wick_xnn_op_name(n->op));
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- nodes with a few lines of their own */

static void transpose(const wick_vt *x, const wick_xnn_node *n, wick_vt *out) {
    int perm[WICK_MAX_RANK];
    for (int i = 0; i < n->n_list; i++) perm[i] = (int)n->list[i];
    wick_vt_permute(x, perm, out);
}

static void slice(const wick_vt *x, const wick_xnn_node *n, wick_vt *out) {
    int64_t stride[WICK_MAX_RANK], offset = 0;
    wick_vt_strides(x, stride);
    for (int i = 0; i < x->rank; i++) offset += n->list[i] * stride[i];
    wick_vt_strided(x, offset, stride, out);
}

static void pad(const wick_vt *x, const wick_xnn_node *n, wick_vt *out) {
    int64_t stride[WICK_MAX_RANK], offset = 0;
    for (uint64_t i = 0, count = wick_vt_count(out); i < count; i++) wick_vt_set_real(out, i, (double)n->alpha);
    wick_vt_strides(out, stride);
    for (int i = 0; i < x->rank; i++) offset += n->list[i] * stride[i];
    wick_vt_strided_into(out, offset, stride, x);
}

static void concatenate(const wick_vx *d, const wick_xnn_node *n, wick_vt *out) {
    const wick_vt *items[WICK_XNN_MAX_IN];
    for (int k = 0; k < n->n_in; k++) items[k] = &d->values[n->in[k]];
    wick_vt_concat(items, (uint32_t)n->n_in, n->axis < 0 ? n->axis + out->rank : n->axis, out);
}

/* Below zero: times alpha (LeakyReLU), expm1 times alpha (ELU), times the slope of the channel (PReLU). */
static void below_zero(const wick_vx *d, const wick_xnn_node *n, wick_vt *out) {
    const wick_vt *both[2] = {&d->values[n->in[0]], &d->values[n->in[n->n_in - 1]]};
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, both, 2); more; more = wick_walk_next(&w)) {
        double v = wick_vt_real(both[0], w.at[0]), slope = n->op == WICK_XNN_PRELU ? wick_vt_real(both[1], w.at[1]) : (double)n->alpha;
        wick_vt_set_real(out, w.i, v >= 0 ? v : n->op == WICK_XNN_ELU ? slope * expm1(v) : slope * v);
    }
}

static void convert(const wick_vx *d, const wick_xnn_node *n, wick_vt *out) {
    const wick_vt *x = &d->values[n->in[0]];
    if (d->x->values[n->out].dtype == WICK_XD_QDINT8)
        wick_vx_quantize(x, wick_vx_row_length(&d->x->values[n->out], out), out);
    else
        wick_vt_copy_all(out, x);
}

static wick_status other(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err) {
    const wick_vt *x = &d->values[n->in[0]];
    wick_vt *out = &d->values[n->out];
    switch (n->op) {
    case WICK_XNN_TRANSPOSE: transpose(x, n, out); break;
    case WICK_XNN_SLICE: slice(x, n, out); break;
    case WICK_XNN_CONSTANT_PAD: pad(x, n, out); break;
    case WICK_XNN_CONVERT: convert(d, n, out); break;
    case WICK_XNN_FULLY_CONNECTED: return wick_vx_fully_connected(vm, d, n, err);
    case WICK_XNN_BATCH_MATMUL: return wick_vx_batch_matmul(vm, d, n, err);
    case WICK_XNN_CONV2D:
    case WICK_XNN_DEPTHWISE_CONV2D: wick_vx_convolution(d, n); break;
    case WICK_XNN_SOFTMAX: wick_vt_softmax(x, x->rank ? x->rank - 1 : 0, false, out); break;
    case WICK_XNN_LEAKY_RELU:
    case WICK_XNN_ELU:
    case WICK_XNN_PRELU: below_zero(d, n, out); break;
    default: concatenate(d, n, out); break;
    }
    return WICK_OK;
}

static void clamp(wick_vt *out, double lo, double hi) {
    for (uint64_t i = 0, n = wick_vt_count(out); i < n; i++) {
        double v = wick_vt_real(out, i);
        if (v < lo || v > hi) wick_vt_set_real(out, i, v < lo ? lo : hi);
    }
}

wick_status wick_vx_node(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err) {
    const wick_vt *x = &d->values[n->in[0]];
    wick_vt *out = &d->values[n->out];
    switch (nodes[n->op].form) {
    case UNARY: wick_vt_unary((wick_unary)nodes[n->op].rule, x, out); break;
    case BINARY: wick_vt_binary((wick_binary)nodes[n->op].rule, x, &d->values[n->in[1]], 1, out); break;
    case MOVE: wick_vt_copy_all(out, x); break;
    default: WICK_TRY(other(vm, d, n, err)); break;
    }
    if (n->has_min_max && wick_vt_is_real(out->type)) clamp(out, (double)n->out_min, (double)n->out_max);
    return WICK_OK;
}
