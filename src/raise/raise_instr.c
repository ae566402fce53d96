/* Instructions over tensors: each becomes one fine node with the symbolic shape that the operator's rule gives, or a view. An
 * operator that is not in the table becomes f_other, if the shape of its result can be told. */
#include "raise/raise_int.h"

#include <string.h>

typedef struct call {
    wick_raiser *r;
    wick_instr_op op;
    const int32_t *args;
    uint32_t n_arg;
} call;

static wick_origin here(const wick_raiser *r) { return (wick_origin){r->instruction, -1}; }

static const wick_pte_value *arg(const call *c, int i) { return &c->r->method->pte->values[c->args[i]]; }

/* Whether the shape that the rule gives is one that the program's tensor can take. */
static bool fits(const wick_pte_tensor *t, int rank, const wick_dim *dims) {
    if (t->rank != rank) return false;
    for (int i = 0; i < rank; i++) {
        if (!wick_dim_is_const(dims[i]) ? t->dynamism == WICK_STATIC : t->dynamism == WICK_STATIC ? dims[i].c != t->dims[i] : dims[i].c < 0)
            return false;
    }
    return true;
}

/* Writes a value that was only moved. */
static wick_status give(call *c, int out, wick_value_id value) {
    if (value < 0) return wick_fail_nomem(c->r->err);
    const wick_value *v = &c->r->g->values[value];
    if (!fits(arg(c, out)->tensor, v->rank, v->dims))
        return wick_r_unsupported(c->r, "a result does not have the shape that its operator gives");
    return wick_r_write_tensor(c->r, c->args[out], value);
}

static wick_status emit(call *c, wick_op op, wick_attrs attrs, int n_in, const wick_value_id *in, int out, int rank, const wick_dim *dims) {
    wick_dtype dtype;
    if (!wick_r_dtype(arg(c, out)->tensor->scalar_type, &dtype))
        return wick_r_unsupported(c->r, "a result of a type that graphs do not have");
    return give(c, out, wick_graph_fine(c->r->g, op, attrs, in, n_in, dtype, rank, dims, here(c->r)));
}

static wick_status read_args(call *c, int first, int n, wick_value_id *out) {
    for (int i = 0; i < n; i++) {
        out[i] = -1;
        if (arg(c, first + i)->kind != WICK_EV_NULL) WICK_TRY(wick_r_read(c->r, c->args[first + i], &out[i]));
    }
    return WICK_OK;
}

static const wick_value *value(const call *c, wick_value_id v) { return &c->r->g->values[v]; }

/* ---------------------------------------------------------------- views */

/* The elements of x in another shape and place. A copy of state is taken: it keeps what the state holds now. */
static wick_status copied(call *c, int out, wick_value_id x, int rank, const wick_dim *dims) {
    if (value(c, wick_r_strip(c->r, x))->kind == WICK_VALUE_STATE)
        return emit(c, WICK_OP_f_copy, (wick_attrs){.fine = {0}}, 1, &x, out, rank, dims);
    return give(c, out, wick_r_view(c->r, x, rank, dims));
}

static wick_status do_view(call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK], n;
    int rank = 0;
    WICK_TRY(read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], dims, &rank) || !wick_r_numel(value(c, x)->dims, value(c, x)->rank, &n) ||
        !wick_r_infer(n, dims, rank))
        return wick_r_unsupported(c->r, "a view whose shape does not follow");
    if (!fits(arg(c, 2)->tensor, rank, dims)) return wick_r_unsupported(c->r, "a view that its result cannot take");
    return wick_r_alias(c->r, c->args[2], c->args[0], wick_r_view(c->r, x, rank, dims));
}

static wick_status do_squeeze(call *c) {
    wick_value_id x;
    wick_dim axes[WICK_MAX_RANK], dims[WICK_MAX_RANK];
    int n_axis = 0, rank = 0;
    bool drop[WICK_MAX_RANK] = {false};
    WICK_TRY(read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], axes, &n_axis)) return wick_r_unsupported(c->r, "squeeze over dimensions that do not follow");
    int in_rank = value(c, x)->rank;
    for (int i = 0; i < n_axis; i++) {
        int64_t a = axes[i].c < 0 ? axes[i].c + in_rank : axes[i].c;
        if (!wick_dim_is_const(axes[i]) || a < 0 || a >= in_rank)
            return wick_r_unsupported(c->r, "squeeze over a dimension that is not there");
        drop[a] = wick_dim_equal(value(c, x)->dims[a], wick_dim_const(1));
    }
    for (int i = 0; i < in_rank; i++)
        if (!drop[i]) dims[rank++] = value(c, x)->dims[i];
    return copied(c, 2, x, rank, dims);
}

static wick_status do_unsqueeze(call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK];
    int64_t a;
    WICK_TRY(read_args(c, 0, 1, &x));
    int rank = value(c, x)->rank;
    if (!wick_r_const_arg(c->r, c->args[1], 0, &a) || rank >= WICK_MAX_RANK || a < -rank - 1 || a > rank)
        return wick_r_unsupported(c->r, "unsqueeze at a dimension that is not there");
    if (a < 0) a += rank + 1;
    for (int i = 0; i <= rank; i++) dims[i] = i < a ? value(c, x)->dims[i] : i == a ? wick_dim_const(1) : value(c, x)->dims[i - 1];
    return copied(c, 2, x, rank + 1, dims);
}

/* Copies are views of their operand here; one that changes state keeps its place (do_copy_inplace). */
static wick_status do_same(call *c) {
    wick_value_id x;
    WICK_TRY(read_args(c, 0, 1, &x));
    int out = (int)strcspn(wick_instr_op_args(c->op), "t");
    for (const char *l = wick_instr_op_args(c->op); *l != 't'; l++) out -= *l == '?';
    wick_dtype dtype;
    if (!wick_r_dtype(arg(c, out)->tensor->scalar_type, &dtype))
        return wick_r_unsupported(c->r, "a result of a type that graphs do not have");
    bool state = value(c, wick_r_strip(c->r, x))->kind == WICK_VALUE_STATE; /* what it holds now, not what it will hold later */
    if (dtype == value(c, x)->dtype && !state) return give(c, out, x);
    wick_value in = *value(c, x);
    return emit(c, dtype == in.dtype ? WICK_OP_f_copy : WICK_OP_f_cast, (wick_attrs){.fine = {0}}, 1, &x, out, in.rank, in.dims);
}

static wick_status do_view_copy(call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK], n;
    int rank = 0;
    WICK_TRY(read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], dims, &rank) || !wick_r_numel(value(c, x)->dims, value(c, x)->rank, &n) ||
        !wick_r_infer(n, dims, rank))
        return wick_r_unsupported(c->r, "a view whose shape does not follow");
    return copied(c, 2, x, rank, dims);
}

/* ---------------------------------------------------------------- structure */

static wick_status permute(call *c, wick_value_id x, const int *perm, int out) {
    wick_value in = *value(c, x);
    wick_attrs attrs = {.fine = {0}};
    wick_dim dims[WICK_MAX_RANK];
    for (int i = 0; i < in.rank; i++) {
        attrs.fine.perm[i] = perm[i];
        dims[i] = in.dims[perm[i]];
    }
    return emit(c, WICK_OP_f_permute, attrs, 1, &x, out, in.rank, dims);
}

static wick_status do_permute(call *c) {
    wick_value_id x;
    wick_dim order[WICK_MAX_RANK];
    int n = 0, perm[WICK_MAX_RANK];
    unsigned seen = 0;
    WICK_TRY(read_args(c, 0, 1, &x));
    int rank = value(c, x)->rank;
    bool ok = wick_r_list_arg(c->r, c->args[1], order, &n) && n == rank;
    for (int i = 0; ok && i < n; i++) {
        int64_t from = order[i].c < 0 ? order[i].c + rank : order[i].c;
        ok = wick_dim_is_const(order[i]) && from >= 0 && from < rank && !(seen & 1u << from);
        perm[i] = (int)from;
        seen |= ok ? 1u << from : 0;
    }
    return ok ? permute(c, x, perm, 2) : wick_r_unsupported(c->r, "a permutation that is none");
}

static bool axis_arg(const call *c, int i, int rank, int64_t *axis);

static wick_status do_transpose(call *c) {
    wick_value_id x;
    int64_t a, b;
    int perm[WICK_MAX_RANK];
    WICK_TRY(read_args(c, 0, 1, &x));
    int rank = value(c, x)->rank;
    if (!axis_arg(c, 1, rank, &a) || !axis_arg(c, 2, rank, &b))
        return wick_r_unsupported(c->r, "a transposition of dimensions that are not there");
    for (int i = 0; i < rank; i++) perm[i] = i == a ? (int)b : i == b ? (int)a : i;
    return permute(c, x, perm, 3);
}

/* To larger sizes where there was 1; -1 keeps a size. */
static wick_status do_expand(call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    bool ok = wick_r_list_arg(c->r, c->args[1], dims, &rank) && rank >= in.rank;
    for (int i = 0; ok && i < in.rank; i++) {
        wick_dim *to = &dims[rank - in.rank + i];
        if (wick_dim_equal(*to, wick_dim_const(-1))) *to = in.dims[i];
        ok = wick_dim_equal(in.dims[i], *to) || wick_dim_equal(in.dims[i], wick_dim_const(1));
    }
    if (!ok) return wick_r_unsupported(c->r, "an expansion that does not follow");
    wick_value wanted = {.rank = rank};
    memcpy(wanted.dims, dims, sizeof dims);
    if (wick_r_same_dims(&wanted, &in)) return give(c, 3, x);
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 1, &x, 3, rank, dims);
}

/* A bound of a slice counted from the front. What depends on S or P is taken as it is: an end beyond the table would be a step
 * beyond the context, which the caller's contract excludes. */
static bool slice_bound(wick_dim bound, wick_dim size, wick_dim *out) {
    *out = bound;
    if (!wick_dim_is_const(bound)) return true;
    if (bound.c < 0) {
        *out = (wick_dim){size.c + bound.c, size.s, size.p};
        if (wick_dim_is_const(size) && out->c < 0) out->c = 0;
    } else if (wick_dim_is_const(size) ? bound.c > size.c : bound.c == INT64_MAX) {
        *out = size;
    } else if (!wick_dim_is_const(size) && bound.c > 0) {
        return false; /* whether it is beyond the end depends on S */
    }
    return true;
}

/* out_view: the result has lost the dimension (select). */
static wick_status slice(call *c, wick_value_id x, int64_t axis, wick_dim start, wick_dim end, int out, bool lose) {
    wick_raiser *r = c->r;
    wick_value in = *value(c, x);
    wick_attrs attrs = {.fine = {.axis = axis, .start = start, .end = end}};
    wick_dtype dtype;
    wick_dim whole = in.dims[axis];
    if (!wick_r_dtype(arg(c, out)->tensor->scalar_type, &dtype)) return wick_r_unsupported(r, "a result of a type that graphs do not have");
    if (!wick_r_dim_sub(end, start, &in.dims[axis]) || (wick_dim_is_const(in.dims[axis]) && in.dims[axis].c < 0))
        return wick_r_unsupported(r, "a slice that is empty");
    bool all = wick_dim_equal(start, wick_dim_const(0)) && wick_dim_equal(end, whole);
    wick_value_id y = all ? x : wick_graph_fine(r->g, WICK_OP_f_slice, attrs, &x, 1, dtype, in.rank, in.dims, here(r));
    if (lose) {
        memmove(&in.dims[axis], &in.dims[axis + 1], (size_t)(in.rank - 1 - axis) * sizeof *in.dims);
        y = wick_r_view(r, y, in.rank - 1, in.dims);
    }
    return give(c, out, y);
}

static bool axis_arg(const call *c, int i, int rank, int64_t *axis) {
    if (!wick_r_const_arg(c->r, c->args[i], 0, axis)) return false;
    if (*axis < 0) *axis += rank;
    return *axis >= 0 && *axis < rank;
}

static wick_status do_slice(call *c) {
    wick_value_id x;
    wick_dim start, end;
    int64_t axis, step;
    WICK_TRY(read_args(c, 0, 1, &x));
    const wick_value *in = value(c, x);
    bool ok = axis_arg(c, 1, in->rank, &axis) && wick_r_int_arg(c->r, c->args[2], wick_dim_const(0), &start) &&
              wick_r_int_arg(c->r, c->args[3], wick_dim_const(INT64_MAX), &end) && wick_r_const_arg(c->r, c->args[4], 1, &step) &&
              step == 1 && slice_bound(start, in->dims[axis], &start) && slice_bound(end, in->dims[axis], &end);
    return ok ? slice(c, x, axis, start, end, 5, false) : wick_r_unsupported(c->r, "a slice whose bounds do not follow");
}

static wick_status do_select(call *c) {
    wick_value_id x;
    wick_dim start, end;
    int64_t axis;
    WICK_TRY(read_args(c, 0, 1, &x));
    const wick_value *in = value(c, x);
    if (!axis_arg(c, 1, in->rank, &axis) || !wick_r_int_arg(c->r, c->args[2], wick_dim_const(0), &start) ||
        !slice_bound(start, in->dims[axis], &start) || !wick_r_dim_add(start, wick_dim_const(1), &end))
        return wick_r_unsupported(c->r, "a selection whose place does not follow");
    return slice(c, x, axis, start, end, 3, true);
}

/* table[position], or in general rows of a table: only the row of the position is understood. */
static wick_status do_index(call *c);

static wick_status do_cat(call *c) {
    const wick_pte_value *list = arg(c, 0);
    wick_value_id in[64];
    int64_t axis;
    if (list->n < 1 || list->n > 64) return wick_r_unsupported(c->r, "a concatenation of more tensors than Wick follows");
    for (uint32_t i = 0; i < list->n; i++) WICK_TRY(wick_r_read(c->r, (int32_t)list->items[i], &in[i]));
    wick_value sum = *value(c, in[0]);
    if (!axis_arg(c, 1, sum.rank, &axis)) return wick_r_unsupported(c->r, "a concatenation along a dimension that is not there");
    for (uint32_t i = 1; i < list->n; i++) {
        wick_value part = *value(c, in[i]);
        wick_dim d = part.dims[axis];
        part.dims[axis] = sum.dims[axis];
        if (!wick_r_same_dims(&part, &sum)) return wick_r_unsupported(c->r, "a concatenation of different shapes");
        if (!wick_r_dim_add(sum.dims[axis], d, &sum.dims[axis])) return wick_r_unsupported(c->r, "a concatenation larger than memory");
    }
    return emit(c, WICK_OP_f_cat, (wick_attrs){.fine = {.axis = axis}}, (int)list->n, in, 2, sum.rank, sum.dims);
}

/* ---------------------------------------------------------------- arithmetic */

static wick_status binary(call *c, wick_op op, double number, int out) {
    wick_value_id in[2];
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(read_args(c, 0, 2, in));
    if (!wick_r_broadcast(value(c, in[0]), value(c, in[1]), dims, &rank)) return wick_r_unsupported(c->r, "operands that do not broadcast");
    return emit(c, op, (wick_attrs){.fine = {.number = number}}, 2, in, out, rank, dims);
}

static wick_status do_add(call *c) {
    double alpha;
    if (!wick_r_number_arg(c->r, c->args[2], &alpha)) return wick_r_unsupported(c->r, "an alpha that is not known");
    return binary(c, c->op == WICK_I_SUB ? WICK_OP_f_sub : WICK_OP_f_add, alpha, 3);
}

/* A product or quotient with a number has one operand. */
static wick_status do_mul_scalar(call *c) {
    double number;
    wick_value_id x;
    if (!wick_r_number_arg(c->r, c->args[1], &number) || number == 0) return wick_r_unsupported(c->r, "a factor that is not known, or 0");
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    wick_attrs attrs = {.fine = {.number = c->op == WICK_I_DIV_SCALAR ? 1 / number : number}};
    return emit(c, WICK_OP_f_mul, attrs, 1, &x, 2, in.rank, in.dims);
}

static wick_status do_mul(call *c) { return binary(c, WICK_OP_f_mul, 0, 2); }

static wick_status unary(call *c, wick_op op, double number, int out) {
    wick_value_id x;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    return emit(c, op, (wick_attrs){.fine = {.number = number}}, 1, &x, out, in.rank, in.dims);
}

/* With one operand, an addition adds its number. */
static wick_status do_add_scalar(call *c) {
    double other, alpha;
    if (!wick_r_number_arg(c->r, c->args[1], &other) || !wick_r_number_arg(c->r, c->args[2], &alpha))
        return wick_r_unsupported(c->r, "a scalar that is not known");
    return unary(c, WICK_OP_f_add, other * alpha, 3);
}

static wick_status do_rsqrt(call *c) { return unary(c, WICK_OP_f_rsqrt, 0, 1); }
static wick_status do_sigmoid(call *c) { return unary(c, WICK_OP_f_sigmoid, 0, 1); }
static wick_status do_neg(call *c) { return unary(c, WICK_OP_f_neg, 0, 1); }
static wick_status do_tanh(call *c) { return unary(c, WICK_OP_f_tanh, 0, 1); }
static wick_status do_exp(call *c) { return unary(c, WICK_OP_f_exp, 0, 1); }

static wick_status do_gelu(call *c) {
    wick_value_id x;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    wick_attrs attrs = {.fine = {.flag = strcmp(arg(c, 1)->s, "tanh") == 0}};
    return emit(c, WICK_OP_f_gelu, attrs, 1, &x, 2, in.rank, in.dims);
}

static wick_status do_softmax(call *c) {
    wick_value_id x;
    int64_t axis;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    if (!axis_arg(c, 1, in.rank, &axis) || axis != in.rank - 1)
        return wick_r_unsupported(c->r, "a softmax over something other than the last dimension");
    return emit(c, WICK_OP_f_softmax, (wick_attrs){.fine = {0}}, 1, &x, 3, in.rank, in.dims);
}

/* a[B, M, K] times b[B, K, N] */
static wick_status do_bmm(call *c) {
    wick_value_id in[2];
    WICK_TRY(read_args(c, 0, 2, in));
    wick_value a = *value(c, in[0]), b = *value(c, in[1]);
    if (a.rank != 3 || b.rank != 3 || !wick_dim_equal(a.dims[0], b.dims[0]) || !wick_dim_equal(a.dims[2], b.dims[1]))
        return wick_r_unsupported(c->r, "a matrix product whose sizes do not match");
    a.dims[2] = b.dims[2];
    return emit(c, WICK_OP_f_matmul, (wick_attrs){.fine = {0}}, 2, in, 2, 3, a.dims);
}

/* Over the last dimension only; a result that loses the dimension is a view of the one that keeps it. */
static wick_status do_mean(call *c) {
    wick_value_id x;
    wick_dim axes[WICK_MAX_RANK];
    wick_dtype dtype;
    int n = 0;
    int64_t keep;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    bool last = arg(c, 1)->kind == WICK_EV_INT_LIST && wick_r_list_arg(c->r, c->args[1], axes, &n) && n == 1 && in.rank > 0 &&
                wick_dim_is_const(axes[0]) && (axes[0].c == -1 || axes[0].c == in.rank - 1);
    if (!last || !wick_r_const_arg(c->r, c->args[2], 0, &keep) || !wick_r_dtype(arg(c, 4)->tensor->scalar_type, &dtype))
        return wick_r_unsupported(c->r, "a mean over something other than the last dimension");
    in.dims[in.rank - 1] = wick_dim_const(1);
    wick_value_id y = wick_graph_fine(c->r->g, WICK_OP_f_mean, (wick_attrs){.fine = {0}}, &x, 1, dtype, in.rank, in.dims, here(c->r));
    return give(c, 4, keep ? y : wick_r_view(c->r, y, in.rank - 1, in.dims));
}

/* x[.., K] with w[N, K] (linear) or w[K, N] (mm). */
static wick_status do_linear(call *c) {
    bool mm = c->op == WICK_I_MM;
    wick_value_id in[3] = {-1, -1, -1};
    WICK_TRY(read_args(c, 0, mm ? 2 : 3, in));
    wick_value x = *value(c, in[0]);
    const wick_value *w = value(c, in[1]);
    if (x.rank < 1 || w->rank != 2 || !wick_dim_equal(x.dims[x.rank - 1], w->dims[mm ? 0 : 1]))
        return wick_r_unsupported(c->r, "a matrix product whose sizes do not match");
    x.dims[x.rank - 1] = w->dims[mm ? 1 : 0];
    return emit(c, WICK_OP_f_linear, (wick_attrs){.fine = {.flag = mm}}, mm ? 2 : 3, in, mm ? 2 : 3, x.rank, x.dims);
}

static bool all_are(const call *c, int i, int64_t number) {
    wick_dim items[WICK_MAX_RANK];
    int n = 0;
    bool ok = wick_r_list_arg(c->r, c->args[i], items, &n);
    for (int k = 0; ok && k < n; k++) ok = wick_dim_equal(items[k], wick_dim_const(number));
    return ok;
}

static wick_status do_other(call *c);

/* Depthwise over the last dimension: x[1, N, L] with w[N, 1, T], one filter per channel, nothing padded. */
static wick_status do_convolution(call *c) {
    wick_value_id in[3];
    int64_t transposed, groups;
    WICK_TRY(read_args(c, 0, 3, in));
    wick_value x = *value(c, in[0]);
    const wick_value *w = value(c, in[1]);
    bool plain = x.rank == 3 && w->rank == 3 && all_are(c, 3, 1) && all_are(c, 4, 0) && all_are(c, 5, 1) &&
                 wick_r_const_arg(c->r, c->args[6], 0, &transposed) && !transposed && wick_r_const_arg(c->r, c->args[8], 1, &groups) &&
                 x.dims[1].c == groups && w->dims[0].c == groups && w->dims[1].c == 1 && w->dims[2].c > 0 &&
                 wick_r_dim_sub(x.dims[2], wick_dim_const(w->dims[2].c - 1), &x.dims[2]);
    return plain ? emit(c, WICK_OP_f_conv, (wick_attrs){.fine = {0}}, 3, in, 9, 3, x.dims) : do_other(c);
}

/* ---------------------------------------------------------------- tables, caches, attention */

/* tokens [1, S] -> [1, S, K]; the table's width counts codes, not bytes. number: bits of a code, 0 for a plain table. */
static wick_status embedding(call *c, int i_tokens, int n_in, int out, int bits) {
    wick_value_id in[4];
    WICK_TRY(read_args(c, 0, n_in - 1, in));
    WICK_TRY(wick_r_read(c->r, c->args[i_tokens], &in[n_in - 1]));
    const wick_value *table = value(c, in[0]);
    wick_value x = *value(c, in[n_in - 1]);
    if (table->rank != 2 || x.rank >= WICK_MAX_RANK) return wick_r_unsupported(c->r, "a lookup in something other than a table");
    x.dims[x.rank] = wick_dim_const(table->dims[1].c * (bits == 4 ? 2 : 1));
    return emit(c, WICK_OP_f_embedding, (wick_attrs){.fine = {.number = bits}}, n_in, in, out, x.rank + 1, x.dims);
}

static wick_status do_embedding(call *c) { return embedding(c, 1, 2, 5, 0); }
static wick_status do_embedding_byte(call *c) { return embedding(c, 5, 4, 7, 8); }
static wick_status do_embedding_4bit(call *c) { return embedding(c, 5, 4, 7, 4); }

/* The cache is changed in place: its next version. The `out` argument is a dummy that nobody reads. */
static wick_status do_update_cache(call *c) {
    wick_value_id in[2];
    wick_dim start;
    WICK_TRY(read_args(c, 0, 2, in));
    if (!wick_r_int_arg(c->r, c->args[2], wick_dim_const(0), &start))
        return wick_r_unsupported(c->r, "a cache position that does not follow");
    wick_value cache = *value(c, in[1]);
    return emit(c, WICK_OP_f_append, (wick_attrs){.fine = {.start = start}}, 2, in, 1, cache.rank, cache.dims);
}

/* number: the scale, 0 for 1/sqrt(D). start: position of the first query row. flag: causal. */
static wick_status do_sdpa(call *c) {
    wick_value_id in[4];
    wick_dim start;
    double dropout = 0, scale = 0;
    int64_t causal = 0;
    WICK_TRY(read_args(c, 0, 3, in));
    WICK_TRY(read_args(c, 4, 1, &in[3]));
    bool ok = wick_r_int_arg(c->r, c->args[3], wick_dim_const(0), &start) && wick_r_number_arg(c->r, c->args[5], &dropout) &&
              dropout == 0 && wick_r_const_arg(c->r, c->args[6], 0, &causal) &&
              (arg(c, 7)->kind == WICK_EV_NULL || wick_r_number_arg(c->r, c->args[7], &scale));
    if (!ok) return wick_r_unsupported(c->r, "an attention whose arguments do not follow");
    wick_value q = *value(c, in[0]);
    return emit(c, WICK_OP_f_sdpa, (wick_attrs){.fine = {.start = start, .number = scale, .flag = causal != 0}}, 4, in, 8, q.rank, q.dims);
}

static wick_status do_index(call *c) {
    const wick_pte_value *list = arg(c, 1);
    wick_value_id table, index = -1;
    WICK_TRY(read_args(c, 0, 1, &table));
    if (list->n == 1 && list->items[0] >= 0) WICK_TRY(wick_r_read(c->r, (int32_t)list->items[0], &index));
    bool row = index >= 0 && c->r->g->position >= 0 && wick_r_strip(c->r, index) == c->r->g->position && value(c, index)->rank == 1;
    if (!row || value(c, table)->rank < 1) return do_other(c);
    return slice(c, table, 0, (wick_dim){0, 0, 1}, (wick_dim){1, 0, 1}, 2, false);
}

/* Numbers start, start + 1, ... below end. */
static wick_status do_arange(call *c) {
    wick_dim start, end, n;
    int64_t step;
    if (!wick_r_int_arg(c->r, c->args[0], wick_dim_const(0), &start) || !wick_r_int_arg(c->r, c->args[1], wick_dim_const(0), &end) ||
        !wick_r_const_arg(c->r, c->args[2], 1, &step) || step != 1 || !wick_r_dim_sub(end, start, &n))
        return wick_r_unsupported(c->r, "a range whose bounds do not follow");
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.start = start, .end = end}}, 0, NULL, 3, 1, &n);
}

/* An integer as a tensor. start: the integer, where it is one; else number. */
static wick_status do_scalar_tensor(call *c) {
    wick_attrs attrs = {.fine = {0}};
    if (!wick_r_int_arg(c->r, c->args[0], wick_dim_const(0), &attrs.fine.start) && !wick_r_number_arg(c->r, c->args[0], &attrs.fine.number))
        return wick_r_unsupported(c->r, "a number that is not known");
    return emit(c, WICK_OP_f_other, attrs, 0, NULL, 1, 0, NULL);
}

/* Element by element, with the shape of the first operand. number: the scalar operand. */
static wick_status do_like_first(call *c) {
    wick_value_id in[4];
    const char *letters = wick_instr_op_args(c->op);
    double number = 0;
    int n = 0, n_in = 0;
    for (; letters[n] != 't'; n++) {
        if (letters[n] == '?') return do_other(c);
        if (letters[n] == 'T') WICK_TRY(read_args(c, n, 1, &in[n_in++]));
        if (letters[n] == 'n' && !wick_r_number_arg(c->r, c->args[n], &number)) return do_other(c);
    }
    wick_value x = *value(c, in[0]);
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.number = number}}, n_in, in, n, x.rank, x.dims);
}

/* A tensor of one number, of a known shape. */
static wick_status do_full(call *c) {
    wick_dim dims[WICK_MAX_RANK];
    double number;
    int rank = 0;
    if (!wick_r_list_arg(c->r, c->args[0], dims, &rank) || !wick_r_number_arg(c->r, c->args[1], &number)) return do_other(c);
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.number = number}}, 0, NULL, 2, rank, dims);
}

static wick_status do_full_like(call *c) {
    wick_value_id x;
    double number;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    if (!wick_r_number_arg(c->r, c->args[1], &number)) return do_other(c);
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.number = number}}, 1, &x, 3, in.rank, in.dims);
}

/* Whether anything along the last dimension is true; the dimension stays. */
static wick_status do_any(call *c) {
    wick_value_id x;
    int64_t axis, keep;
    WICK_TRY(read_args(c, 0, 1, &x));
    wick_value in = *value(c, x);
    if (!axis_arg(c, 1, in.rank, &axis) || axis != in.rank - 1 || !wick_r_const_arg(c->r, c->args[2], 0, &keep) || !keep)
        return do_other(c);
    in.dims[axis] = wick_dim_const(1);
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 1, &x, 3, in.rank, in.dims);
}

/* condition ? a : b */
static wick_status do_where(call *c) {
    wick_value_id in[3];
    wick_value part = {0}, whole = {0};
    WICK_TRY(read_args(c, 0, 3, in));
    if (!wick_r_broadcast(value(c, in[0]), value(c, in[1]), part.dims, &part.rank) ||
        !wick_r_broadcast(&part, value(c, in[2]), whole.dims, &whole.rank))
        return wick_r_unsupported(c->r, "operands that do not broadcast");
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 3, in, 3, whole.rank, whole.dims);
}

/* flag: adds to what is there instead of replacing it. */
static wick_status do_index_put(call *c) {
    wick_value_id in[2 + WICK_MAX_RANK] = {0};
    const wick_pte_value *list = arg(c, 1);
    int n = 0;
    int64_t accumulate;
    if (list->n > WICK_MAX_RANK || !wick_r_const_arg(c->r, c->args[3], 0, &accumulate)) return do_other(c);
    WICK_TRY(read_args(c, 0, 1, &in[n++]));
    for (uint32_t i = 0; i < list->n; i++, n++) {
        in[n] = -1;
        if (list->items[i] >= 0) WICK_TRY(wick_r_read(c->r, (int32_t)list->items[i], &in[n]));
    }
    WICK_TRY(read_args(c, 2, 1, &in[n++]));
    wick_value x = *value(c, in[0]);
    return emit(c, WICK_OP_f_other, (wick_attrs){.fine = {.flag = accumulate != 0}}, n, in, 4, x.rank, x.dims);
}

/* self.copy_(source): the place itself is written. */
static wick_status do_copy_inplace(call *c) {
    wick_value_id x;
    wick_dtype dtype;
    wick_dim dims[WICK_MAX_RANK];
    const wick_pte_tensor *t = arg(c, 0)->tensor;
    WICK_TRY(read_args(c, 1, 1, &x));
    bool same = wick_r_dtype(t->scalar_type, &dtype) && value(c, x)->rank == t->rank && dtype == value(c, x)->dtype;
    for (int i = 0; same && i < t->rank; i++) dims[i] = value(c, x)->dims[i];
    return same ? emit(c, WICK_OP_f_copy, (wick_attrs){.fine = {0}}, 1, &x, 0, t->rank, dims) : do_other(c);
}

/* ---------------------------------------------------------------- anything else */

/* The shape of a result that no rule tells: static, or that of an operand with the same bounds. */
static bool guess_dims(const call *c, const wick_pte_tensor *t, int n_in, const wick_value_id *in, wick_dim *dims) {
    for (int i = 0; i < t->rank; i++) dims[i] = wick_dim_const(t->dims[i]);
    if (t->dynamism == WICK_STATIC) return true;
    for (int k = 0; k < n_in; k++) {
        if (in[k] < 0 || value(c, in[k])->origin < 0) continue;
        const wick_pte_value *from = &c->r->method->pte->values[value(c, in[k])->origin];
        const wick_value *v = value(c, in[k]);
        if (from->kind != WICK_EV_TENSOR || v->rank != t->rank || from->tensor->rank != t->rank) continue;
        if (memcmp(from->tensor->dims, t->dims, (size_t)t->rank * sizeof *t->dims)) continue;
        memcpy(dims, v->dims, (size_t)t->rank * sizeof *dims);
        return true;
    }
    return false;
}

enum { OTHER_IN = 64 };

/* Whether only results follow: a `t` there is written, not changed in place. */
static bool only_results(const char *letters) { return letters[strspn(letters, "t=*?")] == 0; }

/* Operands by the letters of instr.def: everything read, and what is changed in place. */
static wick_status other_inputs(call *c, const char *letters, wick_value_id *in, int *n_in) {
    for (uint32_t i = 0; *letters && i < c->n_arg; i++, letters++) {
        const wick_pte_value *v = arg(c, (int)i);
        bool list = *letters == 'X' || *letters == 'Y', tensor = *letters == 'T' || (*letters == 't' && !only_results(letters));
        if ((list && *n_in + (int64_t)v->n > OTHER_IN) || *n_in >= OTHER_IN)
            return wick_r_unsupported(c->r, "an operator with too many operands");
        for (uint32_t k = 0; list && v->kind != WICK_EV_NULL && k < v->n; k++) {
            in[*n_in] = -1;
            if (v->items[k] >= 0) WICK_TRY(wick_r_read(c->r, (int32_t)v->items[k], &in[*n_in]));
            ++*n_in;
        }
        if (tensor) WICK_TRY(read_args(c, (int)i, 1, &in[(*n_in)++]));
        if (letters[1] == '?') letters++;
    }
    return WICK_OK;
}

static wick_status other_output(call *c, int32_t evalue, int index, int n_in, const wick_value_id *in) {
    const wick_pte_tensor *t = c->r->method->pte->values[evalue].tensor;
    wick_dim dims[WICK_MAX_RANK];
    wick_dtype dtype;
    if (!wick_r_dtype(t->scalar_type, &dtype)) return wick_r_unsupported(c->r, "a result of a type that graphs do not have");
    if (!guess_dims(c, t, n_in, in, dims)) return wick_r_unsupported(c->r, "a result whose shape does not follow");
    wick_attrs attrs = {.fine = {.axis = index}};
    return wick_r_write_tensor(c->r, evalue, wick_graph_fine(c->r->g, WICK_OP_f_other, attrs, in, n_in, dtype, t->rank, dims, here(c->r)));
}

static wick_status do_other(call *c) {
    wick_value_id in[OTHER_IN];
    int n_in = 0, index = 0;
    const char *letters = wick_instr_op_args(c->op);
    WICK_TRY(other_inputs(c, letters, in, &n_in));
    for (uint32_t i = 0; *letters && i < c->n_arg; i++, letters++) {
        if (*letters == 't') WICK_TRY(other_output(c, c->args[i], index++, n_in, in));
        for (uint32_t k = 0; *letters == 'y' && k < arg(c, (int)i)->n; k++)
            WICK_TRY(other_output(c, (int32_t)arg(c, (int)i)->items[k], index++, n_in, in));
        if (letters[1] == '?') letters++;
    }
    return WICK_OK;
}

wick_status wick_r_instr(wick_raiser *r, wick_instr_op op, const int32_t *args, uint32_t n_arg) {
    static wick_status (*const handlers[WICK_N_INSTR])(call *) = {
        [WICK_I_ET_VIEW] = do_view,
        [WICK_I_SQUEEZE_COPY_DIMS] = do_squeeze,
        [WICK_I_UNSQUEEZE_COPY] = do_unsqueeze,
        [WICK_I_SLICE_COPY] = do_slice,
        [WICK_I_SELECT_COPY] = do_select,
        [WICK_I_CAT] = do_cat,
        [WICK_I_ADD] = do_add,
        [WICK_I_SUB] = do_add,
        [WICK_I_ADD_SCALAR] = do_add_scalar,
        [WICK_I_MUL] = do_mul,
        [WICK_I_RSQRT] = do_rsqrt,
        [WICK_I_SIGMOID] = do_sigmoid,
        [WICK_I_MEAN] = do_mean,
        [WICK_I_MM] = do_linear,
        [WICK_I_LINEAR] = do_linear,
        [WICK_I_EMBEDDING_OUT] = do_embedding,
        [WICK_I_EMBEDDING_BYTE] = do_embedding_byte,
        [WICK_I_EMBEDDING_4BIT] = do_embedding_4bit,
        [WICK_I_UPDATE_CACHE] = do_update_cache,
        [WICK_I_CUSTOM_SDPA] = do_sdpa,
        [WICK_I_VIEW_COPY] = do_view_copy,
        [WICK_I_CLONE] = do_same,
        [WICK_I_ALIAS_COPY] = do_same,
        [WICK_I_DETACH_COPY] = do_same,
        [WICK_I_LIFT_FRESH_COPY] = do_same,
        [WICK_I_TO_COPY] = do_same,
        [WICK_I_TO_DIM_ORDER_COPY] = do_same,
        [WICK_I_CLONE_DIM_ORDER] = do_same,
        [WICK_I_COPY_INPLACE] = do_copy_inplace,
        [WICK_I_PERMUTE_COPY] = do_permute,
        [WICK_I_TRANSPOSE_COPY] = do_transpose,
        [WICK_I_EXPAND_COPY] = do_expand,
        [WICK_I_INDEX_TENSOR] = do_index,
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
        [WICK_I_LOGICAL_NOT] = do_like_first,
        [WICK_I_BITWISE_NOT] = do_like_first,
        [WICK_I_REMAINDER_SCALAR] = do_like_first,
    };
    call c = {r, op, args, n_arg};
    return handlers[op] ? handlers[op](&c) : do_other(&c);
}
