/* Instructions that move elements: views, copies, slices, concatenations, rows of tables. */
#include "raise/raise_call.h"

#include <string.h>

/* ---------------------------------------------------------------- views */

/* The elements of x in another shape and place. A copy of state is taken: it keeps what the state holds now. */
static wick_status copied(wick_r_call *c, int out, wick_value_id x, int rank, const wick_dim *dims) {
    if (wick_r_arg_value(c, wick_r_strip(c->r, x))->kind == WICK_VALUE_STATE)
        return wick_r_emit(c, WICK_OP_f_copy, (wick_attrs){.fine = {0}}, 1, &x, out, rank, dims);
    return wick_r_give(c, c->args[out], wick_r_view(c->r, x, rank, dims));
}

static wick_status do_view(wick_r_call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], dims, &rank) || !wick_r_reshape(wick_r_arg_value(c, x), dims, rank))
        return wick_r_unsupported(c->r, "a view whose shape does not follow");
    if (!wick_r_fits(wick_r_arg(c, 2)->tensor, rank, dims)) return wick_r_unsupported(c->r, "a view that its result cannot take");
    return wick_r_alias(c->r, c->args[2], c->args[0], wick_r_view(c->r, x, rank, dims));
}

static wick_status do_squeeze(wick_r_call *c) {
    wick_value_id x;
    wick_dim axes[WICK_MAX_RANK], dims[WICK_MAX_RANK];
    int n_axis = 0, rank = 0;
    bool drop[WICK_MAX_RANK] = {false};
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], axes, &n_axis)) return wick_r_unsupported(c->r, "squeeze over dimensions that do not follow");
    int in_rank = wick_r_arg_value(c, x)->rank;
    for (int i = 0; i < n_axis; i++) {
        int64_t a = axes[i].c < 0 ? axes[i].c + in_rank : axes[i].c;
        if (!wick_dim_is_const(axes[i]) || a < 0 || a >= in_rank)
            return wick_r_unsupported(c->r, "squeeze over a dimension that is not there");
        drop[a] = wick_dim_equal(wick_r_arg_value(c, x)->dims[a], wick_dim_const(1));
    }
    for (int i = 0; i < in_rank; i++)
        if (!drop[i]) dims[rank++] = wick_r_arg_value(c, x)->dims[i];
    return copied(c, 2, x, rank, dims);
}

static wick_status do_unsqueeze(wick_r_call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK];
    int64_t a;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    int rank = wick_r_arg_value(c, x)->rank;
    if (!wick_r_const_arg(c->r, c->args[1], 0, &a) || rank >= WICK_MAX_RANK || a < -rank - 1 || a > rank)
        return wick_r_unsupported(c->r, "unsqueeze at a dimension that is not there");
    if (a < 0) a += rank + 1;
    for (int i = 0; i <= rank; i++)
        dims[i] = i < a ? wick_r_arg_value(c, x)->dims[i] : i == a ? wick_dim_const(1) : wick_r_arg_value(c, x)->dims[i - 1];
    return copied(c, 2, x, rank + 1, dims);
}

/* Copies are views of their operand here; one that changes state keeps its place (do_copy_inplace). */
static wick_status do_same(wick_r_call *c) {
    wick_value_id x;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    int out = (int)strcspn(wick_instr_op_args(c->op), "t");
    for (const char *l = wick_instr_op_args(c->op); *l != 't'; l++) out -= *l == '?';
    wick_dtype dtype;
    if (!wick_r_dtype(wick_r_arg(c, out)->tensor->scalar_type, &dtype))
        return wick_r_unsupported(c->r, "a result of a type that graphs do not have");
    bool state = wick_r_arg_value(c, wick_r_strip(c->r, x))->kind == WICK_VALUE_STATE; /* what it holds now, not what it will hold later */
    if (dtype == wick_r_arg_value(c, x)->dtype && !state) return wick_r_give(c, c->args[out], x);
    wick_value in = *wick_r_arg_value(c, x);
    return wick_r_emit(c, dtype == in.dtype ? WICK_OP_f_copy : WICK_OP_f_cast, (wick_attrs){.fine = {0}}, 1, &x, out, in.rank, in.dims);
}

static wick_status do_view_copy(wick_r_call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], dims, &rank) || !wick_r_reshape(wick_r_arg_value(c, x), dims, rank))
        return wick_r_unsupported(c->r, "a view whose shape does not follow");
    return copied(c, 2, x, rank, dims);
}

/* ---------------------------------------------------------------- structure */

static wick_status permute(wick_r_call *c, wick_value_id x, const int *perm, int out) {
    wick_value in = *wick_r_arg_value(c, x);
    wick_attrs attrs = {.fine = {0}};
    wick_dim dims[WICK_MAX_RANK];
    for (int i = 0; i < in.rank; i++) {
        attrs.fine.perm[i] = perm[i];
        dims[i] = in.dims[perm[i]];
    }
    return wick_r_emit(c, WICK_OP_f_permute, attrs, 1, &x, out, in.rank, dims);
}

static wick_status do_permute(wick_r_call *c) {
    wick_value_id x;
    wick_dim order[WICK_MAX_RANK];
    int n = 0, perm[WICK_MAX_RANK];
    unsigned seen = 0;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    int rank = wick_r_arg_value(c, x)->rank;
    bool ok = wick_r_list_arg(c->r, c->args[1], order, &n) && n == rank;
    for (int i = 0; ok && i < n; i++) {
        int64_t from = order[i].c < 0 ? order[i].c + rank : order[i].c;
        ok = wick_dim_is_const(order[i]) && from >= 0 && from < rank && !(seen & 1u << from);
        perm[i] = (int)from;
        seen |= ok ? 1u << from : 0;
    }
    return ok ? permute(c, x, perm, 2) : wick_r_unsupported(c->r, "a permutation that is none");
}

static wick_status do_transpose(wick_r_call *c) {
    wick_value_id x;
    int64_t a, b;
    int perm[WICK_MAX_RANK];
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    int rank = wick_r_arg_value(c, x)->rank;
    if (!wick_r_axis_arg(c, 1, rank, &a) || !wick_r_axis_arg(c, 2, rank, &b))
        return wick_r_unsupported(c->r, "a transposition of dimensions that are not there");
    for (int i = 0; i < rank; i++) perm[i] = i == a ? (int)b : i == b ? (int)a : i;
    return permute(c, x, perm, 3);
}

/* To larger sizes where there was 1; -1 keeps a size. */
static wick_status do_expand(wick_r_call *c) {
    wick_value_id x;
    wick_dim dims[WICK_MAX_RANK];
    int rank = 0;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    wick_value in = *wick_r_arg_value(c, x);
    bool ok = wick_r_list_arg(c->r, c->args[1], dims, &rank) && rank >= in.rank;
    for (int i = 0; ok && i < in.rank; i++) {
        wick_dim *to = &dims[rank - in.rank + i];
        if (wick_dim_equal(*to, wick_dim_const(-1))) *to = in.dims[i];
        ok = wick_dim_equal(in.dims[i], *to) || wick_dim_equal(in.dims[i], wick_dim_const(1));
    }
    if (!ok) return wick_r_unsupported(c->r, "an expansion that does not follow");
    wick_value wanted = {.rank = rank};
    memcpy(wanted.dims, dims, sizeof dims);
    if (wick_r_same_dims(&wanted, &in)) return wick_r_give(c, c->args[3], x);
    return wick_r_emit(c, WICK_OP_f_other, (wick_attrs){.fine = {0}}, 1, &x, 3, rank, dims);
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

/* lose: the result has lost the dimension (select). */
static wick_status slice(wick_r_call *c, wick_value_id x, int64_t axis, wick_dim start, wick_dim end, int32_t out, bool lose) {
    wick_raiser *r = c->r;
    wick_value in = *wick_r_arg_value(c, x);
    wick_attrs attrs = {.fine = {.axis = axis, .start = start, .end = end}};
    wick_dtype dtype;
    wick_dim whole = in.dims[axis];
    if (!wick_r_dtype(r->method->pte->values[out].tensor->scalar_type, &dtype))
        return wick_r_unsupported(r, "a result of a type that graphs do not have");
    if (!wick_r_dim_sub(end, start, &in.dims[axis]) || (wick_dim_is_const(in.dims[axis]) && in.dims[axis].c < 0))
        return wick_r_unsupported(r, "a slice that is empty");
    bool all = wick_dim_equal(start, wick_dim_const(0)) && wick_dim_equal(end, whole);
    wick_value_id y = all ? x : wick_graph_fine(r->g, WICK_OP_f_slice, attrs, &x, 1, dtype, in.rank, in.dims, wick_r_here(r));
    if (lose) {
        memmove(&in.dims[axis], &in.dims[axis + 1], (size_t)(in.rank - 1 - axis) * sizeof *in.dims);
        y = wick_r_view(r, y, in.rank - 1, in.dims);
    }
    return wick_r_give(c, out, y);
}

static wick_status do_slice(wick_r_call *c) {
    wick_value_id x;
    wick_dim start, end;
    int64_t axis, step;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    const wick_value *in = wick_r_arg_value(c, x);
    bool ok = wick_r_axis_arg(c, 1, in->rank, &axis) && wick_r_int_arg(c->r, c->args[2], wick_dim_const(0), &start) &&
              wick_r_int_arg(c->r, c->args[3], wick_dim_const(INT64_MAX), &end) && wick_r_const_arg(c->r, c->args[4], 1, &step) &&
              step == 1 && slice_bound(start, in->dims[axis], &start) && slice_bound(end, in->dims[axis], &end);
    return ok ? slice(c, x, axis, start, end, c->args[5], false) : wick_r_unsupported(c->r, "a slice whose bounds do not follow");
}

static wick_status do_select(wick_r_call *c) {
    wick_value_id x;
    wick_dim start, end;
    int64_t axis;
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    const wick_value *in = wick_r_arg_value(c, x);
    if (!wick_r_axis_arg(c, 1, in->rank, &axis) || !wick_r_int_arg(c->r, c->args[2], wick_dim_const(0), &start) ||
        !slice_bound(start, in->dims[axis], &start) || !wick_r_dim_add(start, wick_dim_const(1), &end))
        return wick_r_unsupported(c->r, "a selection whose place does not follow");
    return slice(c, x, axis, start, end, c->args[3], true);
}

/* One slice behind the other, as many as there are sizes. */
static wick_status do_split_sizes(wick_r_call *c) {
    wick_value_id x;
    wick_dim sizes[WICK_MAX_RANK], start = wick_dim_const(0), end;
    int64_t axis;
    int n = 0;
    const wick_pte_value *out = wick_r_arg(c, 3);
    WICK_TRY(wick_r_read_args(c, 0, 1, &x));
    if (!wick_r_list_arg(c->r, c->args[1], sizes, &n) || (uint32_t)n != out->n ||
        !wick_r_axis_arg(c, 2, wick_r_arg_value(c, x)->rank, &axis))
        return wick_r_unsupported(c->r, "a split whose sizes do not follow");
    for (int i = 0; i < n; i++, start = end) {
        if (!wick_r_dim_add(start, sizes[i], &end) || out->items[i] < 0) return wick_r_unsupported(c->r, "a split that has no end");
        WICK_TRY(slice(c, x, axis, start, end, (int32_t)out->items[i], false));
    }
    return wick_dim_equal(start, wick_r_arg_value(c, x)->dims[axis])
               ? WICK_OK
               : wick_r_unsupported(c->r, "a split whose sizes are not those of the whole");
}

static wick_status do_cat(wick_r_call *c) {
    const wick_pte_value *list = wick_r_arg(c, 0);
    wick_value_id in[64];
    int64_t axis;
    if (list->n < 1 || list->n > 64) return wick_r_unsupported(c->r, "a concatenation of more tensors than Wick follows");
    for (uint32_t i = 0; i < list->n; i++) WICK_TRY(wick_r_read(c->r, (int32_t)list->items[i], &in[i]));
    wick_value sum = *wick_r_arg_value(c, in[0]);
    if (!wick_r_axis_arg(c, 1, sum.rank, &axis)) return wick_r_unsupported(c->r, "a concatenation along a dimension that is not there");
    for (uint32_t i = 1; i < list->n; i++) {
        wick_value part = *wick_r_arg_value(c, in[i]);
        wick_dim d = part.dims[axis];
        part.dims[axis] = sum.dims[axis];
        if (!wick_r_same_dims(&part, &sum)) return wick_r_unsupported(c->r, "a concatenation of different shapes");
        if (!wick_r_dim_add(sum.dims[axis], d, &sum.dims[axis])) return wick_r_unsupported(c->r, "a concatenation larger than memory");
    }
    return wick_r_emit(c, WICK_OP_f_cat, (wick_attrs){.fine = {.axis = axis}}, (int)list->n, in, 2, sum.rank, sum.dims);
}

/* table[index]: rows by number. Those of the positions are a slice. */
static wick_status do_index(wick_r_call *c) {
    const wick_pte_value *list = wick_r_arg(c, 1);
    wick_value_id table, index = -1;
    WICK_TRY(wick_r_read_args(c, 0, 1, &table));
    if (list->n == 1 && list->items[0] >= 0) WICK_TRY(wick_r_read(c->r, (int32_t)list->items[0], &index));
    if (index < 0 || wick_r_arg_value(c, table)->rank < 1 || wick_r_arg_value(c, index)->rank != 1) return wick_r_other(c);
    wick_value rows = *wick_r_arg_value(c, table), numbers = *wick_r_arg_value(c, index);
    bool position = c->r->g->position >= 0 && wick_r_strip(c->r, index) == c->r->g->position;
    if (numbers.dtype != WICK_I64 && numbers.dtype != WICK_I32) return wick_r_other(c);
    wick_attrs attrs = {.fine = {0}};
    if (position) attrs.fine.start = (wick_dim){0, 0, 1}, attrs.fine.end = (wick_dim){numbers.dims[0].c, numbers.dims[0].s, 1};
    rows.dims[0] = numbers.dims[0];
    wick_op op = position ? WICK_OP_f_slice : WICK_OP_f_other;
    return wick_r_emit(c, op, attrs, 2, (wick_value_id[]){table, index}, 2, rows.rank, rows.dims);
}

/* self with [start, end) of one dimension replaced. */
static wick_status do_slice_scatter(wick_r_call *c) {
    wick_value_id in[2];
    wick_dim start = {0}, end = {0};
    int64_t axis = 0, step = 0;
    WICK_TRY(wick_r_read_args(c, 0, 2, in));
    wick_value x = *wick_r_arg_value(c, in[0]);
    bool ok = wick_r_axis_arg(c, 2, x.rank, &axis) && wick_r_int_arg(c->r, c->args[3], wick_dim_const(0), &start) &&
              wick_r_int_arg(c->r, c->args[4], wick_dim_const(INT64_MAX), &end) && wick_r_const_arg(c->r, c->args[5], 1, &step) &&
              step == 1 && slice_bound(start, x.dims[axis], &start) && slice_bound(end, x.dims[axis], &end);
    wick_attrs attrs = {.fine = {.axis = axis, .start = start, .end = end}};
    return ok ? wick_r_emit(c, WICK_OP_f_other, attrs, 2, in, 6, x.rank, x.dims) : wick_r_other(c);
}

/* self.copy_(source): the place itself is written. */
static wick_status do_copy_inplace(wick_r_call *c) {
    wick_value_id x;
    wick_dtype dtype;
    wick_dim dims[WICK_MAX_RANK];
    const wick_pte_tensor *t = wick_r_arg(c, 0)->tensor;
    WICK_TRY(wick_r_read_args(c, 1, 1, &x));
    bool same = wick_r_dtype(t->scalar_type, &dtype) && wick_r_arg_value(c, x)->rank == t->rank && dtype == wick_r_arg_value(c, x)->dtype;
    for (int i = 0; same && i < t->rank; i++) dims[i] = wick_r_arg_value(c, x)->dims[i];
    return same ? wick_r_emit(c, WICK_OP_f_copy, (wick_attrs){.fine = {0}}, 1, &x, 0, t->rank, dims) : wick_r_other(c);
}

wick_r_handler *wick_r_structure_handler(wick_instr_op op) {
    static wick_r_handler *const handlers[WICK_N_INSTR] = {
        [WICK_I_ET_VIEW] = do_view,
        [WICK_I_SQUEEZE_COPY_DIMS] = do_squeeze,
        [WICK_I_UNSQUEEZE_COPY] = do_unsqueeze,
        [WICK_I_SLICE_COPY] = do_slice,
        [WICK_I_SELECT_COPY] = do_select,
        [WICK_I_SPLIT_WITH_SIZES_COPY] = do_split_sizes,
        [WICK_I_CAT] = do_cat,
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
        [WICK_I_SLICE_SCATTER] = do_slice_scatter,
    };
    return handlers[op];
}
