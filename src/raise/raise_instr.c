/* Instructions over tensors: each becomes one fine node with the symbolic shape that the operator's rule gives, or a view. An
 * operator without a rule becomes f_other, if the shape of its result can be told. */
#include "raise/raise_call.h"

#include <string.h>

bool wick_r_fits(const wick_pte_tensor *t, int rank, const wick_dim *dims) {
    if (t->rank != rank) return false;
    for (int i = 0; i < rank; i++) {
        if (!wick_dim_is_const(dims[i]) ? t->dynamism == WICK_STATIC : t->dynamism == WICK_STATIC ? dims[i].c != t->dims[i] : dims[i].c < 0)
            return false;
    }
    return true;
}

wick_status wick_r_give(wick_r_call *c, int32_t evalue, wick_value_id value) {
    if (value < 0) return wick_fail_nomem(c->r->err);
    const wick_value *v = &c->r->g->values[value];
    if (!wick_r_fits(c->r->method->pte->values[evalue].tensor, v->rank, v->dims))
        return wick_r_unsupported(c->r, "a result does not have the shape that its operator gives");
    return wick_r_write_tensor(c->r, evalue, value);
}

wick_status wick_r_emit(wick_r_call *c, wick_op op, wick_attrs attrs, int n_in, const wick_value_id *in, int out, int rank,
                        const wick_dim *dims) {
    wick_dtype dtype;
    if (!wick_r_dtype(wick_r_arg(c, out)->tensor->scalar_type, &dtype))
        return wick_r_unsupported(c->r, "a result of a type that graphs do not have");
    return wick_r_give(c, c->args[out], wick_graph_fine(c->r->g, op, attrs, in, n_in, dtype, rank, dims, wick_r_here(c->r)));
}

wick_status wick_r_read_args(wick_r_call *c, int first, int n, wick_value_id *out) {
    for (int i = 0; i < n; i++) {
        out[i] = -1;
        if (wick_r_arg(c, first + i)->kind != WICK_EV_NULL) WICK_TRY(wick_r_read(c->r, c->args[first + i], &out[i]));
    }
    return WICK_OK;
}

bool wick_r_axis_arg(const wick_r_call *c, int i, int rank, int64_t *axis) {
    if (!wick_r_const_arg(c->r, c->args[i], 0, axis)) return false;
    if (*axis < 0) *axis += rank;
    return *axis >= 0 && *axis < rank;
}

/* ---------------------------------------------------------------- anything else */

/* The shape of a result that no rule tells: static, or that of an operand with the same bounds. */
static bool guess_dims(const wick_r_call *c, const wick_pte_tensor *t, int n_in, const wick_value_id *in, wick_dim *dims) {
    for (int i = 0; i < t->rank; i++) dims[i] = wick_dim_const(t->dims[i]);
    if (t->dynamism == WICK_STATIC) return true;
    for (int k = 0; k < n_in; k++) {
        if (in[k] < 0 || wick_r_arg_value(c, in[k])->origin < 0) continue;
        const wick_pte_value *from = &c->r->method->pte->values[wick_r_arg_value(c, in[k])->origin];
        const wick_value *v = wick_r_arg_value(c, in[k]);
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
static wick_status other_inputs(wick_r_call *c, const char *letters, wick_value_id *in, int *n_in) {
    for (uint32_t i = 0; *letters && i < c->n_arg; i++, letters++) {
        const wick_pte_value *v = wick_r_arg(c, (int)i);
        bool list = *letters == 'X' || *letters == 'Y', tensor = *letters == 'T' || (*letters == 't' && !only_results(letters));
        if ((list && *n_in + (int64_t)v->n > OTHER_IN) || *n_in >= OTHER_IN)
            return wick_r_unsupported(c->r, "an operator with too many operands");
        for (uint32_t k = 0; list && v->kind != WICK_EV_NULL && k < v->n; k++) {
            in[*n_in] = -1;
            if (v->items[k] >= 0) WICK_TRY(wick_r_read(c->r, (int32_t)v->items[k], &in[*n_in]));
            ++*n_in;
        }
        if (tensor) WICK_TRY(wick_r_read_args(c, (int)i, 1, &in[(*n_in)++]));
        if (letters[1] == '?') letters++;
    }
    return WICK_OK;
}

static wick_status other_output(wick_r_call *c, int32_t evalue, int index, int n_in, const wick_value_id *in) {
    const wick_pte_tensor *t = c->r->method->pte->values[evalue].tensor;
    wick_dim dims[WICK_MAX_RANK];
    wick_dtype dtype;
    if (!wick_r_dtype(t->scalar_type, &dtype)) return wick_r_unsupported(c->r, "a result of a type that graphs do not have");
    if (!guess_dims(c, t, n_in, in, dims)) return wick_r_unsupported(c->r, "a result whose shape does not follow");
    wick_attrs attrs = {.fine = {.axis = index}};
    return wick_r_write_tensor(c->r, evalue,
                               wick_graph_fine(c->r->g, WICK_OP_f_other, attrs, in, n_in, dtype, t->rank, dims, wick_r_here(c->r)));
}

wick_status wick_r_other(wick_r_call *c) {
    wick_value_id in[OTHER_IN];
    int n_in = 0, index = 0;
    const char *letters = wick_instr_op_args(c->op);
    WICK_TRY(other_inputs(c, letters, in, &n_in));
    for (uint32_t i = 0; *letters && i < c->n_arg; i++, letters++) {
        if (*letters == 't') WICK_TRY(other_output(c, c->args[i], index++, n_in, in));
        for (uint32_t k = 0; *letters == 'y' && k < wick_r_arg(c, (int)i)->n; k++)
            WICK_TRY(other_output(c, (int32_t)wick_r_arg(c, (int)i)->items[k], index++, n_in, in));
        if (letters[1] == '?') letters++;
    }
    return WICK_OK;
}

wick_status wick_r_instr(wick_raiser *r, wick_instr_op op, const int32_t *args, uint32_t n_arg) {
    wick_r_call c = {r, op, args, n_arg};
    wick_r_handler *handler = wick_r_structure_handler(op);
    if (!handler) handler = wick_r_compute_handler(op);
    return handler ? handler(&c) : wick_r_other(&c);
}
