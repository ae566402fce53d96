/* Instructions that compute: arithmetic, products, lookups, caches and attention, logic. */
#include "raise/raise_call.h"

#include <string.h>

/* ---------------------------------------------------------------- arithmetic */

static wick_status binary(wick_r_call *c, wick_op op, double number, int out) {
    wick_value_id in[2];
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(wick_r_read_args(c, 0, 2, in));
    if (!wick_r_broadcast(wick_r_arg_value(c, in[0]), wick_r_arg_value(c, in[1]), dims, &rank))
        return wick_r_unsupported(c->r, "operands that do not broadcast");
    return wick_r_emit(c, op, (wick_attrs){.fine = {.number = number}}, 2, in, out, rank, dims);
}

static wick_status do_add(wick_r_call *c) {
    double alpha;
    if (!wick_r_number_arg(c->r, c->args[2], &alpha)) return wick_r_unsupported(c->r, "an alpha that is not known");
    return binary(c, c->op == WICK_I_SUB ? WICK_OP_f_sub : WICK_OP_f_add, alpha, 3);
}

/* A product or quotient with a number has one operand. */
static wick_status do_mul_scalar(wick_r_call *c) {
    double number;
    wick_value_id x;
    if (!wick_r_number_arg(c->r, c->args[1], &number) || number == 0) return wick_r_unsupported(c->r, "a factor that is not known, or 0");
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    wick_attrs attrs = {.fine = {.number = c->op == WICK_I_DIV_SCALAR ? 1 / number : number}};
    return wick_r_emit(c, WICK_OP_f_mul, attrs, 1, &x, 2, in.rank, in.dims);
}

static wick_status do_mul(wick_r_call *c) { return binary(c, WICK_OP_f_mul, 0, 2); }

static wick_status unary(wick_r_call *c, wick_op op, double number, int out) {
    wick_value_id x;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    return wick_r_emit(c, op, (wick_attrs){.fine = {.number = number}}, 1, &x, out, in.rank, in.dims);
}

/* With one operand, an addition adds its number. */
static wick_status do_add_scalar(wick_r_call *c) {
    double other, alpha;
    if (!wick_r_number_arg(c->r, c->args[1], &other) || !wick_r_number_arg(c->r, c->args[2], &alpha))
        return wick_r_unsupported(c->r, "a scalar that is not known");
    return unary(c, WICK_OP_f_add, other * alpha, 3);
}

static wick_status do_power(wick_r_call *c) {
    double number;
    if (!wick_r_number_arg(c->r, c->args[1], &number) || (number != 2 && number != -0.5)) return wick_r_other(c);
    return unary(c, number == 2 ? WICK_OP_f_square : WICK_OP_f_rsqrt, 0, 2);
}

static wick_status do_rsqrt(wick_r_call *c) { return unary(c, WICK_OP_f_rsqrt, 0, 1); }
static wick_status do_sigmoid(wick_r_call *c) { return unary(c, WICK_OP_f_sigmoid, 0, 1); }
static wick_status do_neg(wick_r_call *c) { return unary(c, WICK_OP_f_neg, 0, 1); }
static wick_status do_tanh(wick_r_call *c) { return unary(c, WICK_OP_f_tanh, 0, 1); }
static wick_status do_exp(wick_r_call *c) { return unary(c, WICK_OP_f_exp, 0, 1); }
static wick_status do_cos(wick_r_call *c) { return unary(c, WICK_OP_f_cos, 0, 1); }
static wick_status do_sin(wick_r_call *c) { return unary(c, WICK_OP_f_sin, 0, 1); }

static wick_status do_gelu(wick_r_call *c) {
    wick_value_id x;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    wick_attrs attrs = {.fine = {.flag = strcmp(wick_r_arg(c, 1)->s, "tanh") == 0}};
    return wick_r_emit(c, WICK_OP_f_gelu, attrs, 1, &x, 2, in.rank, in.dims);
}

static wick_status do_softmax(wick_r_call *c) {
    wick_value_id x;
    int64_t axis;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    if (!wick_r_axis_arg(c, 1, in.rank, &axis) || axis != in.rank - 1)
        return wick_r_unsupported(c->r, "a softmax over something other than the last dimension");
    return wick_r_emit(c, WICK_OP_f_softmax, (wick_attrs){.fine = {0}}, 1, &x, 3, in.rank, in.dims);
}

/* a[B, M, K] times b[B, K, N] */
static wick_status do_bmm(wick_r_call *c) {
    wick_value_id in[2];
    WICK_TRY(wick_r_read_args(c, 0, 2, in));
    wick_value a = *wick_r_arg_value(c, in[0]), b = *wick_r_arg_value(c, in[1]);
    if (a.rank != 3 || b.rank != 3 || !wick_dim_equal(a.dims[0], b.dims[0]) || !wick_dim_equal(a.dims[2], b.dims[1]))
        return wick_r_unsupported(c->r, "a matrix product whose sizes do not match");
    a.dims[2] = b.dims[2];
    return wick_r_emit(c, WICK_OP_f_matmul, (wick_attrs){.fine = {0}}, 2, in, 2, 3, a.dims);
}

/* Over the last dimension only; a result that loses the dimension is a view of the one that keeps it. */
static wick_status do_mean(wick_r_call *c) {
    wick_value_id x;
    wick_dim axes[WICK_MAX_RANK];
    wick_dtype dtype;
    int n = 0;
    int64_t keep;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    bool last = wick_r_arg(c, 1)->kind == WICK_EV_INT_LIST && wick_r_list_arg(c->r, c->args[1], axes, &n) && n == 1 && in.rank > 0 &&
                wick_dim_is_const(axes[0]) && (axes[0].c == -1 || axes[0].c == in.rank - 1);
    if (!last || !wick_r_const_arg(c->r, c->args[2], 0, &keep) || !wick_r_dtype(wick_r_arg(c, 4)->tensor->scalar_type, &dtype))
        return wick_r_unsupported(c->r, "a mean over something other than the last dimension");
    in.dims[in.rank - 1] = wick_dim_const(1);
    wick_value_id y =
        wick_graph_fine(c->r->g, WICK_OP_f_mean, (wick_attrs){.fine = {0}}, &x, 1, dtype, in.rank, in.dims, wick_r_here(c->r));
    return wick_r_give(c, c->args[4], keep ? y : wick_r_view(c->r, y, in.rank - 1, in.dims));
}

/* Over the last dimension, with weight and bias or without. number: eps; axis: 0 the rows, 1 their means, 2 one over their deviations. */
static wick_status do_layer_norm(wick_r_call *c) {
    wick_value_id in[3];
    wick_dim shape[WICK_MAX_RANK];
    wick_attrs attrs = {.fine = {0}};
    int n = 0;
    WICK_TRY(wick_r_read_args(c, 0, 1, &in[0]));
    WICK_TRY(wick_r_read_args(c, 2, 2, &in[1]));
    wick_value x = *wick_r_arg_value(c, in[0]);
    if (x.rank < 1 || !wick_r_list_arg(c->r, c->args[1], shape, &n) || n != 1 || !wick_dim_equal(shape[0], x.dims[x.rank - 1]) ||
        !wick_r_number_arg(c->r, c->args[4], &attrs.fine.number))
        return wick_r_unsupported(c->r, "a norm over something other than the last dimension");
    for (; attrs.fine.axis < 3; attrs.fine.axis++) {
        WICK_TRY(wick_r_emit(c, WICK_OP_f_other, attrs, 3, in, 5 + (int)attrs.fine.axis, x.rank, x.dims));
        x.dims[x.rank - 1] = wick_dim_const(1);
    }
    return WICK_OK;
}

/* x[.., K] with w[N, K] (linear) or w[K, N] (mm). */
static wick_status do_linear(wick_r_call *c) {
    bool mm = c->op == WICK_I_MM;
    wick_value_id in[3] = {-1, -1, -1};
    WICK_TRY(wick_r_read_args(c, 0, mm ? 2 : 3, in));
    wick_value x = *wick_r_arg_value(c, in[0]);
    const wick_value *w = wick_r_arg_value(c, in[1]);
    if (x.rank < 1 || w->rank != 2 || !wick_dim_equal(x.dims[x.rank - 1], w->dims[mm ? 0 : 1]))
        return wick_r_unsupported(c->r, "a matrix product whose sizes do not match");
    x.dims[x.rank - 1] = w->dims[mm ? 1 : 0];
    return wick_r_emit(c, WICK_OP_f_linear, (wick_attrs){.fine = {.flag = mm}}, mm ? 2 : 3, in, mm ? 2 : 3, x.rank, x.dims);
}

static bool all_are(const wick_r_call *c, int i, int64_t number) {
    wick_dim items[WICK_MAX_RANK];
    int n = 0;
    bool ok = wick_r_list_arg(c->r, c->args[i], items, &n);
    for (int k = 0; ok && k < n; k++) ok = wick_dim_equal(items[k], wick_dim_const(number));
    return ok;
}

/* Depthwise over the last dimension: x[1, N, L] with w[N, 1, T], one filter per channel, nothing padded. */
static wick_status do_convolution(wick_r_call *c) {
    wick_value_id in[3];
    int64_t transposed, groups;
    WICK_TRY(wick_r_read_args(c, 0, 3, in));
    wick_value x = *wick_r_arg_value(c, in[0]);
    const wick_value *w = wick_r_arg_value(c, in[1]);
    bool plain = x.rank == 3 && w->rank == 3 && all_are(c, 3, 1) && all_are(c, 4, 0) && all_are(c, 5, 1) &&
                 wick_r_const_arg(c->r, c->args[6], 0, &transposed) && !transposed && wick_r_const_arg(c->r, c->args[8], 1, &groups) &&
                 x.dims[1].c == groups && w->dims[0].c == groups && w->dims[1].c == 1 && w->dims[2].c > 0 &&
                 wick_r_dim_sub(x.dims[2], wick_dim_const(w->dims[2].c - 1), &x.dims[2]);
    return plain ? wick_r_emit(c, WICK_OP_f_conv, (wick_attrs){.fine = {0}}, 3, in, 9, 3, x.dims) : wick_r_other(c);
}

/* ---------------------------------------------------------------- tables, caches, attention */

/* tokens [1, S] -> [1, S, K]; the table's width counts codes, not bytes. number: bits of a code, 0 for a plain table. */
static wick_status embedding(wick_r_call *c, int i_tokens, int n_in, int out, int bits) {
    wick_value_id in[4];
    WICK_TRY(wick_r_read_args(c, 0, n_in - 1, in));
    WICK_TRY(wick_r_read(c->r, c->args[i_tokens], &in[n_in - 1]));
    const wick_value *table = wick_r_arg_value(c, in[0]);
    wick_value x = *wick_r_arg_value(c, in[n_in - 1]);
    if (table->rank != 2 || x.rank >= WICK_MAX_RANK) return wick_r_unsupported(c->r, "a lookup in something other than a table");
    x.dims[x.rank] = wick_dim_const(table->dims[1].c * (bits ? 8 / bits : 1));
    return wick_r_emit(c, WICK_OP_f_embedding, (wick_attrs){.fine = {.number = bits}}, n_in, in, out, x.rank + 1, x.dims);
}

static wick_status do_embedding(wick_r_call *c) { return embedding(c, 1, 2, 5, 0); }
static wick_status do_embedding_byte(wick_r_call *c) { return embedding(c, 5, 4, 7, 8); }
static wick_status do_embedding_4bit(wick_r_call *c) { return embedding(c, 5, 4, 7, 4); }
static wick_status do_embedding_2bit(wick_r_call *c) { return embedding(c, 5, 4, 7, 2); }
static wick_status do_embedding_byte_plain(wick_r_call *c) { return embedding(c, 5, 4, 6, 8); }
static wick_status do_embedding_4bit_plain(wick_r_call *c) { return embedding(c, 5, 4, 6, 4); }
static wick_status do_embedding_2bit_plain(wick_r_call *c) { return embedding(c, 5, 4, 6, 2); }

/* The cache is changed in place: its next version. The `out` argument is a dummy that nobody reads. */
static wick_status do_update_cache(wick_r_call *c) {
    wick_value_id in[2];
    wick_dim start;
    WICK_TRY(wick_r_read_args(c, 0, 2, in));
    if (!wick_r_int_arg(c->r, c->args[2], wick_dim_const(0), &start))
        return wick_r_unsupported(c->r, "a cache position that does not follow");
    wick_value cache = *wick_r_arg_value(c, in[1]);
    return wick_r_emit(c, WICK_OP_f_append, (wick_attrs){.fine = {.start = start}}, 2, in, 1, cache.rank, cache.dims);
}

/* number: the scale, 0 for 1/sqrt(D). start: position of the first query row. flag: causal. */
static wick_status do_sdpa(wick_r_call *c) {
    wick_value_id in[4];
    wick_dim start;
    double dropout = 0, scale = 0;
    int64_t causal = 0;
    WICK_TRY(wick_r_read_args(c, 0, 3, in));
    WICK_TRY(wick_r_read_args(c, 4, 1, &in[3]));
    bool ok = wick_r_int_arg(c->r, c->args[3], wick_dim_const(0), &start) && wick_r_number_arg(c->r, c->args[5], &dropout) &&
              dropout == 0 && wick_r_const_arg(c->r, c->args[6], 0, &causal) &&
              (wick_r_arg(c, 7)->kind == WICK_EV_NULL || wick_r_number_arg(c->r, c->args[7], &scale));
    if (!ok) return wick_r_unsupported(c->r, "an attention whose arguments do not follow");
    wick_value q = *wick_r_arg_value(c, in[0]);
    return wick_r_emit(c, WICK_OP_f_sdpa, (wick_attrs){.fine = {.start = start, .number = scale, .flag = causal != 0}}, 4, in, 8, q.rank,
                       q.dims);
}

/* A scale (axis: 0) and a zero point (axis: 1) for every row. */
static wick_status do_choose_qparams(wick_r_call *c) {
    wick_value_id x;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    if (in.rank < 1) return wick_r_unsupported(c->r, "quantization of a scalar by rows");
    in.dims[in.rank - 1] = wick_dim_const(1);
    WICK_TRY(wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.axis = 0}}, 1, &x, 2, in.rank, in.dims));
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.axis = 1}}, 1, &x, 3, in.rank, in.dims);
}

/* flag: codes from -128 to 127 */
static wick_status do_quantize_rows(wick_r_call *c) {
    wick_value_id in[3];
    int64_t least, most;
    WICK_TRY(wick_r_read_args(c, 0, 3, in));
    wick_value x = *wick_r_arg_value(c, in[0]);
    bool int8 =
        wick_r_const_arg(c->r, c->args[3], 0, &least) && wick_r_const_arg(c->r, c->args[4], 0, &most) && least == -128 && most == 127;
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.flag = int8}}, 3, in, 6, x.rank, x.dims);
}

/* Attributes as those of f_sdpa; tensors in the order of the arguments. */
static wick_status do_quantized_sdpa(wick_r_call *c) {
    wick_value_id in[10];
    wick_dim start;
    double dropout = 0, scale = 0;
    int64_t causal, heads_first;
    WICK_TRY(wick_r_read_args(c, 0, 3, in));
    WICK_TRY(wick_r_read_args(c, 4, 1, &in[3]));
    WICK_TRY(wick_r_read_args(c, 8, 6, &in[4]));
    bool ok = wick_r_int_arg(c->r, c->args[3], wick_dim_const(0), &start) && wick_r_number_arg(c->r, c->args[5], &dropout) &&
              dropout == 0 && wick_r_const_arg(c->r, c->args[6], 0, &causal) && wick_r_const_arg(c->r, c->args[14], 0, &heads_first) &&
              !heads_first && (wick_r_arg(c, 7)->kind == WICK_EV_NULL || wick_r_number_arg(c->r, c->args[7], &scale));
    if (!ok) return wick_r_other(c);
    wick_value q = *wick_r_arg_value(c, in[0]);
    wick_attrs attrs = {.fine = {.start = start, .number = scale, .flag = causal != 0}};
    return wick_r_emit(c, WICK_OP_f_other, attrs, 10, in, 15, q.rank, q.dims);
}

/* Numbers start, start + 1, ... below end. */
static wick_status do_arange(wick_r_call *c) {
    wick_dim start, end, n;
    int64_t step;
    if (!wick_r_int_arg(c->r, c->args[0], wick_dim_const(0), &start) || !wick_r_int_arg(c->r, c->args[1], wick_dim_const(0), &end) ||
        !wick_r_const_arg(c->r, c->args[2], 1, &step) || step != 1 || !wick_r_dim_sub(end, start, &n))
        return wick_r_unsupported(c->r, "a range whose bounds do not follow");
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.start = start, .end = end}}, 0, NULL, 3, 1, &n);
}

/* An integer as a tensor. start: the integer, where it is one; else number. */
static wick_status do_scalar_tensor(wick_r_call *c) {
    wick_attrs attrs = {.fine = {0}};
    if (!wick_r_int_arg(c->r, c->args[0], wick_dim_const(0), &attrs.fine.start) && !wick_r_number_arg(c->r, c->args[0], &attrs.fine.number))
        return wick_r_unsupported(c->r, "a number that is not known");
    return wick_r_emit(c, WICK_OP_f_other, attrs, 0, NULL, 1, 0, NULL);
}

/* Element by element, with the shape of the first operand. flag: there is a scalar operand and it is known. number: what it is, where it
 * is a number; start: where it is an integer. */
static wick_status do_like_first(wick_r_call *c) {
    wick_value_id in[4];
    const char *letters = wick_instr_op_args(c->op);
    wick_attrs attrs = {.fine = {0}};
    int n = 0, n_in = 0;
    for (; letters[n] != 't'; n++) {
        if (letters[n] == '?') return wick_r_other(c);
        if (letters[n] == 'T') WICK_TRY(wick_r_read_args(c, n, 1, &in[n_in++]));
        if (letters[n] == 'n') {
            bool whole = wick_r_int_arg(c->r, c->args[n], wick_dim_const(0), &attrs.fine.start);
            if (!wick_r_number_arg(c->r, c->args[n], &attrs.fine.number) && !whole) return wick_r_other(c);
            attrs.fine.flag = true;
        }
    }
    wick_value x = *wick_r_arg_value(c, in[0]);
    return wick_r_emit(c, WICK_OP_f_other, attrs, n_in, in, n, x.rank, x.dims);
}

/* A tensor of one number, of a known shape. */
static wick_status do_full(wick_r_call *c) {
    wick_dim dims[WICK_MAX_RANK];
    double number;
    int rank = 0;
    if (!wick_r_list_arg(c->r, c->args[0], dims, &rank) || !wick_r_number_arg(c->r, c->args[1], &number)) return wick_r_other(c);
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.number = number}}, 0, NULL, 2, rank, dims);
}

static wick_status do_full_like(wick_r_call *c) {
    wick_value_id x;
    double number;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    if (!wick_r_number_arg(c->r, c->args[1], &number)) return wick_r_other(c);
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.number = number}}, 1, &x, 3, in.rank, in.dims);
}

/* Whether anything along the last dimension is true; the dimension stays. */
static wick_status do_any(wick_r_call *c) {
    wick_value_id x;
    int64_t axis, keep;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    if (!wick_r_axis_arg(c, 1, in.rank, &axis) || axis != in.rank - 1 || !wick_r_const_arg(c->r, c->args[2], 0, &keep) || !keep)
        return wick_r_other(c);
    in.dims[axis] = wick_dim_const(1);
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 1, &x, 3, in.rank, in.dims);
}

/* Two tensors, element by element. */
static wick_status do_both(wick_r_call *c) {
    wick_value_id in[2];
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(wick_r_read_args(c, 0, 2, in));
    if (!wick_r_broadcast(wick_r_arg_value(c, in[0]), wick_r_arg_value(c, in[1]), dims, &rank)) return wick_r_other(c);
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 2, in, 2, rank, dims);
}

/* condition ? a : b */
static wick_status do_where(wick_r_call *c) {
    wick_value_id in[3];
    wick_value part = {0}, whole = {0};
    WICK_TRY(wick_r_read_args(c, 0, 3, in));
    if (!wick_r_broadcast(wick_r_arg_value(c, in[0]), wick_r_arg_value(c, in[1]), part.dims, &part.rank) ||
        !wick_r_broadcast(&part, wick_r_arg_value(c, in[2]), whole.dims, &whole.rank))
        return wick_r_unsupported(c->r, "operands that do not broadcast");
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 3, in, 3, whole.rank, whole.dims);
}

/* flag: adds to what is there instead of replacing it. */
static wick_status do_index_put(wick_r_call *c) {
    wick_value_id in[2 + WICK_MAX_RANK] = {0};
    const wick_pte_value *list = wick_r_arg(c, 1);
    int n = 0;
    int64_t accumulate;
    if (list->n > WICK_MAX_RANK || !wick_r_const_arg(c->r, c->args[3], 0, &accumulate)) return wick_r_other(c);
    WICK_TRY(wick_r_read_args(c, 0, 1, &in[n++]));
    for (uint32_t i = 0; i < list->n; i++, n++) {
        in[n] = -1;
        if (list->items[i] >= 0) WICK_TRY(wick_r_read(c->r, (int32_t)list->items[i], &in[n]));
    }
    WICK_TRY(wick_r_read_args(c, 2, 1, &in[n++]));
    wick_value x = *wick_r_arg_value(c, in[0]);
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.flag = accumulate != 0}}, n, in, 4, x.rank, x.dims);
}

wick_r_handler *wick_r_compute_handler(wick_instr_op op) {
    static wick_r_handler *const handlers[WICK_N_INSTR] = {
        [WICK_I_ADD] = do_add,
        [WICK_I_SUB] = do_add,
        [WICK_I_ADD_SCALAR] = do_add_scalar,
        [WICK_I_MUL] = do_mul,
        [WICK_I_POW_TENSOR_SCALAR] = do_power,
        [WICK_I_RSQRT] = do_rsqrt,
        [WICK_I_SIGMOID] = do_sigmoid,
        [WICK_I_MEAN] = do_mean,
        [WICK_I_NATIVE_LAYER_NORM] = do_layer_norm,
        [WICK_I_MM] = do_linear,
        [WICK_I_LINEAR] = do_linear,
        [WICK_I_EMBEDDING_OUT] = do_embedding,
        [WICK_I_EMBEDDING_BYTE] = do_embedding_byte,
        [WICK_I_EMBEDDING_4BIT] = do_embedding_4bit,
        [WICK_I_EMBEDDING_2BIT] = do_embedding_2bit,
        [WICK_I_EMBEDDING_BYTE_PLAIN] = do_embedding_byte_plain,
        [WICK_I_EMBEDDING_4BIT_PLAIN] = do_embedding_4bit_plain,
        [WICK_I_EMBEDDING_2BIT_PLAIN] = do_embedding_2bit_plain,
        [WICK_I_UPDATE_CACHE] = do_update_cache,
        [WICK_I_CUSTOM_SDPA] = do_sdpa,
        [WICK_I_CUSTOM_QUANTIZED_SDPA] = do_quantized_sdpa,
        [WICK_I_CHOOSE_QPARAMS_PER_TOKEN] = do_choose_qparams,
        [WICK_I_QUANTIZE_PER_TOKEN] = do_quantize_rows,
        [WICK_I_INDEX_PUT] = do_index_put,
        [WICK_I_ARANGE_START] = do_arange,
        [WICK_I_SCALAR_TENSOR] = do_scalar_tensor,
        [WICK_I_FULL] = do_full,
        [WICK_I_FULL_LIKE] = do_full_like,
        [WICK_I_WHERE] = do_where,
        [WICK_I_ANY] = do_any,
        [WICK_I_MUL_SCALAR] = do_mul_scalar,
        [WICK_I_DIV_SCALAR] = do_mul_scalar,
        [WICK_I_NEG] = do_neg,
        [WICK_I_TANH] = do_tanh,
        [WICK_I_EXP] = do_exp,
        [WICK_I_COS] = do_cos,
        [WICK_I_SIN] = do_sin,
        [WICK_I_GELU] = do_gelu,
        [WICK_I_SOFTMAX] = do_softmax,
        [WICK_I_BMM] = do_bmm,
        [WICK_I_CONVOLUTION] = do_convolution,
        [WICK_I_EQ_SCALAR] = do_like_first,
        [WICK_I_NE_SCALAR] = do_like_first,
        [WICK_I_LT_SCALAR] = do_like_first,
        [WICK_I_LE_SCALAR] = do_like_first,
        [WICK_I_GT_SCALAR] = do_like_first,
        [WICK_I_GE_SCALAR] = do_like_first,
        [WICK_I_FAST_HADAMARD] = do_like_first,
        [WICK_I_EQ] = do_both,
        [WICK_I_NE] = do_both,
        [WICK_I_LT] = do_both,
        [WICK_I_LE] = do_both,
        [WICK_I_GT] = do_both,
        [WICK_I_GE] = do_both,
        [WICK_I_LOGICAL_AND] = do_both,
        [WICK_I_LOGICAL_OR] = do_both,
        [WICK_I_BITWISE_AND] = do_both,
        [WICK_I_BITWISE_OR] = do_both,
        [WICK_I_LOGICAL_NOT] = do_like_first,
        [WICK_I_BITWISE_NOT] = do_like_first,
        [WICK_I_REMAINDER_SCALAR] = do_like_first,
    };
    return handlers[op];
}
