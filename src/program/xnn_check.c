/* What a delegate's graph must satisfy: ids, order, quantization parameters, and the shapes that nodes imply.
 *
 * Shapes are checked at their upper bounds, with XNNPACK's own rules; dimensions that depend on the number of tokens move
 * together, so a graph that fits at the bound fits below it. */
#include "base/checked.h"
#include "base/mem.h"
#include "base/scales.h"
#include "program/xnn.h"

typedef struct check {
    const wick_xnn *x;
    const char *name;
    wick_error *err;
} check;

/* ---------------------------------------------------------------- values */

static bool needs_quant(int dtype) {
    return dtype == WICK_XD_QINT8 || dtype == WICK_XD_QUINT8 || dtype == WICK_XD_QINT32 || dtype == WICK_XD_QCINT8 ||
           dtype == WICK_XD_QCINT32 || dtype == WICK_XD_QCINT4 || dtype == WICK_XD_QBINT4 || dtype == WICK_XD_QDINT8;
}

static bool quant_fits(const wick_xnn_value *v) {
    switch (v->quant) {
    case WICK_XQ_PER_TENSOR: return v->dtype == WICK_XD_QINT8 || v->dtype == WICK_XD_QUINT8 || v->dtype == WICK_XD_QINT32;
    case WICK_XQ_PER_CHANNEL: return v->dtype == WICK_XD_QCINT8 || v->dtype == WICK_XD_QCINT32 || v->dtype == WICK_XD_QCINT4;
    case WICK_XQ_PER_CHANNEL_GROUP: return v->dtype == WICK_XD_QBINT4;
    case WICK_XQ_PER_TOKEN_DYNAMIC: return v->dtype == WICK_XD_QDINT8;
    default: return false;
    }
}

static bool grouped(const wick_xnn_value *v) { return v->quant == WICK_XQ_PER_CHANNEL_GROUP; }

static wick_status fail_scales(const check *c, uint32_t i) {
    return wick_fail(c->err, WICK_EFORMAT, "%s: value %u has a scale that is not a positive normal number", c->name, i);
}

static wick_status check_scales(const check *c, uint32_t i, const wick_xnn_value *v) {
    if (v->channel_dim < 0 || v->channel_dim >= v->rank)
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: channel dimension %d of %d", c->name, i, v->channel_dim, v->rank);
    uint64_t want = v->dims[v->channel_dim];
    if (grouped(v)) {
        if (v->rank != 2 || v->channel_dim != 0 || v->group_size <= 0 || v->group_size % 32 || v->dims[1] % (uint32_t)v->group_size)
            return wick_fail(c->err, WICK_EFORMAT,
                             "%s: value %u: groups of %d along %u columns, expected a multiple of 32 that divides them", c->name, i,
                             v->group_size, v->rank == 2 ? v->dims[1] : 0);
        want *= v->dims[1] / (uint32_t)v->group_size;
    }
    if (v->n_scale != want)
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u has %u scales, its shape needs %llu", c->name, i, v->n_scale,
                         (unsigned long long)want);
    if (v->scale_constant) {
        if (v->scale_constant >= c->x->n_constant)
            return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: scales are constant %u of %u", c->name, i, v->scale_constant,
                             c->x->n_constant);
        const wick_xnn_constant *k = &c->x->constants[v->scale_constant];
        uint64_t size = want * (grouped(v) ? 2 : 4), have = k->bytes.data ? k->bytes.size : k->size;
        if (have < size)
            return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: its scales take %llu bytes, constant %u has %llu", c->name, i,
                             (unsigned long long)size, v->scale_constant, (unsigned long long)have);
        return WICK_OK; /* its contents: wick_xnn_check_scales */
    }
    if (v->scales && !wick_scales_normal_f32(v->scales, want)) return fail_scales(c, i);
    if (v->scales_bf16 && !wick_scales_normal_bf16(v->scales_bf16, want)) return fail_scales(c, i);
    return WICK_OK;
}

static wick_status check_quant(const check *c, uint32_t i, const wick_xnn_value *v) {
    if (!v->quantized) {
        if (!needs_quant(v->dtype)) return WICK_OK;
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u of type %s has no quantization parameters", c->name, i,
                         wick_xnn_dtype_name(v->dtype));
    }
    if (!quant_fits(v))
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u of type %s has quantization parameters of kind %d", c->name, i,
                         wick_xnn_dtype_name(v->dtype), v->quant);
    if (v->quant == WICK_XQ_PER_TOKEN_DYNAMIC) {
        if (v->num_nonbatch >= 1 && v->num_nonbatch <= v->rank) return WICK_OK;
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: rows of %d of its %d dimensions", c->name, i, v->num_nonbatch, v->rank);
    }
    if (v->quant != WICK_XQ_PER_TENSOR) return check_scales(c, i, v);
    int32_t low = v->dtype == WICK_XD_QUINT8  ? 0
                  : v->dtype == WICK_XD_QINT8 ? -128
                                              : 0,
            high = v->dtype == WICK_XD_QUINT8  ? 255
                   : v->dtype == WICK_XD_QINT8 ? 127
                                               : 0;
    if (v->zero_point < low || v->zero_point > high || !wick_scales_normal_f32(&v->scale, 1))
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: scale %g, zero point %d", c->name, i, (double)v->scale, v->zero_point);
    return WICK_OK;
}

static wick_status check_value(const check *c, uint32_t i) {
    const wick_xnn *x = c->x;
    const wick_xnn_value *v = &x->values[i];
    uint64_t size = 1;
    if (v->rank < 0 || v->rank > WICK_MAX_RANK || !wick_xnn_dtype_bits(v->dtype))
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u is of unknown type %d", c->name, i, v->dtype);
    for (int k = 0; k < v->rank; k++)
        if (v->dims[k] > INT32_MAX || !wick_mul_u64(size, v->dims[k], &size) || size > INT64_MAX / 8)
            return wick_fail(c->err, WICK_EFORMAT, "%s: the size of value %u overflows", c->name, i);
    if (v->flags > 2 || (v->flags == 0) != (v->external_id == WICK_XNN_NONE) ||
        (v->flags && (v->external_id >= x->n_extern || v->constant)))
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: flags %u, argument %u of %u, constant %u do not go together", c->name, i,
                         v->flags, v->external_id, x->n_extern, v->constant);
    if (v->flags && (v->flags == 1) != (v->external_id < x->n_input))
        return wick_fail(c->err, WICK_EFORMAT, "%s: value %u: argument %u comes after the first output", c->name, i, v->external_id);
    if (v->constant) {
        if (v->constant >= x->n_constant || !wick_xnn_value_size(v, &size))
            return wick_fail(c->err, WICK_EFORMAT, "%s: value %u of type %s is constant %u of %u", c->name, i,
                             wick_xnn_dtype_name(v->dtype), v->constant, x->n_constant);
        const wick_xnn_constant *k = &x->constants[v->constant];
        uint64_t have = k->bytes.data ? k->bytes.size : k->size;
        bool missing = k->key && !k->bytes.data && !k->key_named && !k->size;
        if (have < size && !missing)
            return wick_fail(c->err, WICK_EFORMAT, "%s: value %u takes %llu bytes, constant %u has %llu", c->name, i,
                             (unsigned long long)size, v->constant, (unsigned long long)have);
    }
    return check_quant(c, i, v);
}

/* ---------------------------------------------------------------- shapes */

typedef struct shape {
    int rank;
    uint32_t dims[WICK_MAX_RANK];
} shape;

static shape shape_of(const wick_xnn *x, uint32_t id) {
    shape s = {x->values[id].rank, {0}};
    memcpy(s.dims, x->values[id].dims, sizeof s.dims);
    return s;
}

static bool broadcast(shape a, shape b, shape *out) {
    out->rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 0; i < out->rank; i++) {
        uint32_t p = i < out->rank - a.rank ? 1 : a.dims[i - (out->rank - a.rank)],
                 q = i < out->rank - b.rank ? 1 : b.dims[i - (out->rank - b.rank)];
        if (p != q && p != 1 && q != 1) return false;
        out->dims[i] = p == 1 ? q : p;
    }
    return true;
}

static bool fully_connected(const wick_xnn *x, const wick_xnn_node *n, shape *out) {
    shape in = shape_of(x, n->in[0]), w = shape_of(x, n->in[1]);
    if (w.rank != 2 || in.rank < 1) return false;
    bool transposed = n->flags & 1;
    uint32_t n_col = w.dims[!transposed], n_row = w.dims[transposed];
    if (in.dims[in.rank - 1] != n_col) return false;
    if (n->in[2] != WICK_XNN_NONE) {
        shape bias = shape_of(x, n->in[2]);
        if (bias.rank < 1 || bias.dims[bias.rank - 1] != n_row) return false;
        for (int i = 0; i + 1 < bias.rank; i++)
            if (bias.dims[i] != 1) return false;
    }
    *out = in;
    out->dims[out->rank - 1] = n_row;
    return true;
}

static bool reshape(shape in, const wick_xnn_node *n, shape *out) {
    uint64_t have = 1, known = 1;
    int hole = -1;
    for (int i = 0; i < in.rank; i++) have *= in.dims[i];
    out->rank = n->n_list;
    for (int i = 0; i < n->n_list; i++) {
        out->dims[i] = n->list[i];
        if (n->list[i] == 0) {
            if (hole >= 0) return false;
            hole = i;
        } else if (!wick_mul_u64(known, n->list[i], &known))
            return false;
    }
    if (hole < 0) return known == have;
    if (have % known || have / known > INT32_MAX) return false;
    out->dims[hole] = (uint32_t)(have / known);
    return true;
}

static bool transpose(shape in, const wick_xnn_node *n, shape *out) {
    unsigned seen = 0;
    if (n->n_list != in.rank) return false;
    out->rank = in.rank;
    for (int i = 0; i < in.rank; i++) {
        if (n->list[i] >= (uint32_t)in.rank) return false;
        seen |= 1u << n->list[i];
        out->dims[i] = in.dims[n->list[i]];
    }
    return seen == (1u << in.rank) - 1;
}

static bool slice(shape in, const wick_xnn_node *n, shape *out) {
    if (n->n_list != in.rank) return false;
    out->rank = in.rank;
    for (int i = 0; i < in.rank; i++) {
        if (!wick_in_range(n->list[i], n->list2[i], in.dims[i])) return false;
        out->dims[i] = n->list2[i] ? n->list2[i] : in.dims[i] - n->list[i];
    }
    return true;
}

static bool concatenate(const wick_xnn *x, const wick_xnn_node *n, shape *out) {
    *out = shape_of(x, n->in[0]);
    int axis = n->axis < 0 ? n->axis + out->rank : n->axis;
    if (axis < 0 || axis >= out->rank) return false;
    for (int k = 1; k < n->n_in; k++) {
        shape s = shape_of(x, n->in[k]);
        if (s.rank != out->rank) return false;
        for (int i = 0; i < s.rank; i++)
            if (i != axis && s.dims[i] != out->dims[i]) return false;
        if (__builtin_add_overflow(out->dims[axis], s.dims[axis], &out->dims[axis])) return false;
    }
    return true;
}

static bool pad(shape in, const wick_xnn_node *n, shape *out) {
    if (n->n_list != in.rank) return false;
    out->rank = in.rank;
    for (int i = 0; i < in.rank; i++) {
        uint64_t d = (uint64_t)in.dims[i] + n->list[i] + n->list2[i];
        if (d > INT32_MAX) return false;
        out->dims[i] = (uint32_t)d;
    }
    return true;
}

static bool matmul(const wick_xnn *x, const wick_xnn_node *n, shape *out) {
    shape a = shape_of(x, n->in[0]), b = shape_of(x, n->in[1]);
    if (a.rank < 2 || b.rank < 2 || a.dims[a.rank - 1] != b.dims[b.rank - 2]) return false;
    shape ha = a, hb = b;
    ha.rank -= 2, hb.rank -= 2;
    if (!broadcast(ha, hb, out)) return false;
    out->dims[out->rank] = a.dims[a.rank - 2];
    out->dims[out->rank + 1] = b.dims[b.rank - 1];
    out->rank += 2;
    return true;
}

/* NHWC; filters are [N, h, w, C] (Conv2d) or [1, h, w, C * multiplier] (DepthwiseConv2d). conv: padding t r b l, kernel h w,
 * subsampling h w, dilation h w, channels in and out of a group, groups, adjustment h w. */
static bool window(uint32_t in, uint64_t before, uint64_t after, uint32_t kernel, uint32_t step, uint32_t dilation, uint32_t *out) {
    uint64_t span = (uint64_t)dilation * (kernel - 1) + 1, room = in + before + after;
    if (!kernel || !step || !dilation || span > room || (room - span) / step >= INT32_MAX) return false;
    *out = (uint32_t)((room - span) / step + 1);
    return true;
}

static bool convolve(const wick_xnn *x, const wick_xnn_node *n, shape *out) {
    shape in = shape_of(x, n->in[0]), w = shape_of(x, n->in[1]);
    const uint32_t *c = n->conv;
    bool depthwise = n->op == WICK_XNN_DEPTHWISE_CONV2D;
    if (in.rank != 4 || w.rank != 4) return false;
    uint64_t channels = (uint64_t)c[10] * c[12], produced = (uint64_t)c[11] * c[12];
    if (!c[10] || !c[11] || !c[12] || in.dims[3] != channels || produced > INT32_MAX) return false;
    bool filter = depthwise ? w.dims[0] == 1 && c[10] == 1 && w.dims[3] == produced : w.dims[0] == produced && w.dims[3] == c[10];
    if (!filter || w.dims[1] != c[4] || w.dims[2] != c[5]) return false;
    if (n->in[2] != WICK_XNN_NONE) {
        shape bias = shape_of(x, n->in[2]);
        if (bias.rank != 1 || bias.dims[0] != produced) return false;
    }
    *out = (shape){4, {in.dims[0], 0, 0, (uint32_t)produced}};
    return window(in.dims[1], c[0], c[2], c[4], c[6], c[8], &out->dims[1]) &&
           window(in.dims[2], c[3], c[1], c[5], c[7], c[9], &out->dims[2]);
}

/* The shape that a node's inputs imply; false: they do not fit. *known stays false for nodes of picture models whose rules are
 * checked by whoever runs them. */
static bool infer(const wick_xnn *x, const wick_xnn_node *n, shape *out, bool *known) {
    shape in = shape_of(x, n->in[0]);
    *known = true;
    switch (n->op) {
    case WICK_XNN_FULLY_CONNECTED: return fully_connected(x, n, out);
    case WICK_XNN_RESHAPE: return reshape(in, n, out);
    case WICK_XNN_TRANSPOSE: return transpose(in, n, out);
    case WICK_XNN_SLICE: return slice(in, n, out);
    case WICK_XNN_CONSTANT_PAD: return pad(in, n, out);
    case WICK_XNN_CONCATENATE2:
    case WICK_XNN_CONCATENATE3:
    case WICK_XNN_CONCATENATE4:
    case WICK_XNN_CONCATENATE5: return concatenate(x, n, out);
    case WICK_XNN_BATCH_MATMUL: return matmul(x, n, out);
    case WICK_XNN_CONV2D:
    case WICK_XNN_DEPTHWISE_CONV2D: return convolve(x, n, out);
    case WICK_XNN_ADD:
    case WICK_XNN_SUBTRACT:
    case WICK_XNN_MULTIPLY:
    case WICK_XNN_DIV:
    case WICK_XNN_MINIMUM:
    case WICK_XNN_MAXIMUM:
    case WICK_XNN_PRELU: return broadcast(in, shape_of(x, n->in[1]), out);
    case WICK_XNN_RESIZE_BILINEAR:
    case WICK_XNN_AVG_POOL2D:
    case WICK_XNN_MAX_POOL2D:
    case WICK_XNN_ARGMAX_POOL2D:
    case WICK_XNN_GLOBAL_AVG_POOL2D:
    case WICK_XNN_CONV_TRANSPOSE2D:
    case WICK_XNN_SDPA: *known = false; return true;
    default: *out = in; return true; /* one input, elementwise or row by row */
    }
}

/* ---------------------------------------------------------------- nodes */

static wick_status check_order(const check *c, uint32_t i, const wick_xnn_node *n, uint8_t *ready) {
    const wick_xnn_format *f = wick_xnn_format_get(n->op);
    const wick_xnn *x = c->x;
    if (!f || n->n_in != f->n_in || n->n_list < 0 || n->n_list > WICK_MAX_RANK)
        return wick_fail(c->err, WICK_EFORMAT, "%s: node %u is of unknown kind %d", c->name, i, n->op);
    if (n->flags & ~f->known_flags)
        return wick_fail(c->err, WICK_EUNSUPPORTED, "%s: node %u (%s) has flags 0x%x, Wick knows 0x%x", c->name, i, f->name, n->flags,
                         f->known_flags);
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] == WICK_XNN_NONE && f->last_optional && k == n->n_in - 1) continue;
        if (n->in[k] >= x->n_value || !ready[n->in[k]])
            return wick_fail(c->err, WICK_EFORMAT, "%s: node %u (%s): input %d is value %u, which has no content at that point", c->name, i,
                             f->name, k, n->in[k]);
    }
    for (int k = 0; k < 2; k++) {
        uint32_t out = k ? n->out2 : n->out;
        if (k && out == WICK_XNN_NONE) break;
        if (out >= x->n_value || ready[out])
            return wick_fail(c->err, WICK_EFORMAT, "%s: node %u (%s) writes value %u, which %s", c->name, i, f->name, out,
                             out >= x->n_value ? "does not exist" : "has content already");
        ready[out] = 1;
    }
    return WICK_OK;
}

static wick_status check_shape(const check *c, uint32_t i, const wick_xnn_node *n) {
    shape want = {0};
    bool known;
    const wick_xnn_value *out = &c->x->values[n->out];
    bool ok = infer(c->x, n, &want, &known);
    if (!known) return WICK_OK;
    bool same = ok && want.rank == out->rank && memcmp(want.dims, out->dims, (size_t)want.rank * sizeof want.dims[0]) == 0;
    if (!same)
        return wick_fail(c->err, WICK_EFORMAT, "%s: node %u (%s): the shapes of its inputs %s", c->name, i, wick_xnn_op_name(n->op),
                         ok ? "do not give that of its output" : "do not go together");
    return WICK_OK;
}

static wick_status check_dtypes(const check *c, uint32_t i, const wick_xnn_node *n) {
    const wick_xnn_value *v = c->x->values;
    int in = v[n->in[0]].dtype, out = v[n->out].dtype;
    bool ok = true;
    if (n->op == WICK_XNN_FULLY_CONNECTED) {
        int w = v[n->in[1]].dtype;
        bool codes = w == WICK_XD_QBINT4 || w == WICK_XD_QCINT4 || w == WICK_XD_QCINT8;
        if (in == WICK_XD_QDINT8)
            ok = codes && v[n->in[1]].constant && v[n->in[0]].num_nonbatch == 1;
        else if (codes)
            ok = in == WICK_XD_FP32 || in == WICK_XD_FP16 || in == WICK_XD_QINT8;
    } else if (n->op != WICK_XNN_CONVERT && n->op != WICK_XNN_COPY) {
        for (int k = 0; k < n->n_in; k++) ok = ok && (n->in[k] == WICK_XNN_NONE || v[n->in[k]].dtype != WICK_XD_QDINT8);
    }
    if (n->op != WICK_XNN_CONVERT) ok = ok && out != WICK_XD_QDINT8;
    if (ok) return WICK_OK;
    return wick_fail(c->err, WICK_EFORMAT, "%s: node %u (%s) cannot take %s and give %s", c->name, i, wick_xnn_op_name(n->op),
                     wick_xnn_dtype_name(in), wick_xnn_dtype_name(out));
}

/* ---------------------------------------------------------------- the graph */

/* ready: one byte per value and per argument, zeroed. */
static wick_status check_graph(const check *c, uint8_t *ready, uint8_t *seen) {
    const wick_xnn *x = c->x;
    for (uint32_t i = 0; i < x->n_value; i++) {
        const wick_xnn_value *v = &x->values[i];
        WICK_TRY(check_value(c, i));
        ready[i] = v->constant || v->flags == 1;
        if (!v->flags) continue;
        if (seen[v->external_id]) return wick_fail(c->err, WICK_EFORMAT, "%s: two values are argument %u", c->name, v->external_id);
        seen[v->external_id] = 1;
    }
    for (uint32_t i = 0; i < x->n_node; i++) {
        const wick_xnn_node *n = &x->nodes[i];
        WICK_TRY(check_order(c, i, n, ready));
        WICK_TRY(check_shape(c, i, n));
        WICK_TRY(check_dtypes(c, i, n));
    }
    for (uint32_t i = 0; i < x->n_value; i++)
        if (x->values[i].flags == 2 && !ready[i])
            return wick_fail(c->err, WICK_EFORMAT, "%s: no node writes value %u, which is output %u", c->name, i, x->values[i].external_id);
    return WICK_OK;
}

wick_status wick_xnn_check(const wick_xnn *x, const char *name, wick_error *err) {
    check c = {x, name, err};
    if (x->n_extern > WICK_MAX_XNN_EXTERNS || x->n_value > WICK_MAX_XNN_VALUES)
        return wick_fail(err, WICK_ELIMIT, "%s: %u arguments and %u values are more than a delegate may have", name, x->n_extern,
                         x->n_value);
    uint8_t *ready = wick_calloc((size_t)x->n_value + x->n_extern, 1);
    if (!ready) return wick_fail_nomem(err);
    wick_status status = check_graph(&c, ready, ready + x->n_value);
    wick_free(ready);
    return status;
}

wick_status wick_xnn_check_scales(const wick_xnn *x, const char *name, wick_error *err) {
    check c = {x, name, err};
    for (uint32_t i = 0; i < x->n_value; i++) {
        const wick_xnn_value *v = &x->values[i];
        const void *scales = v->quantized && v->scale_constant ? x->constants[v->scale_constant].bytes.data : NULL;
        if (!scales || v->quant == WICK_XQ_PER_TENSOR || v->quant == WICK_XQ_PER_TOKEN_DYNAMIC) continue;
        if (!(grouped(v) ? wick_scales_normal_bf16 : wick_scales_normal_f32)(scales, v->n_scale)) return fail_scales(&c, i);
    }
    return WICK_OK;
}
