/* Integers: sizes, positions and the arithmetic over them, as c + s*S + p*P. */
#include "base/checked.h"
#include "base/mem.h"
#include "raise/raise_int.h"

static bool mul(wick_dim a, wick_dim b, wick_dim *out) {
    if (!wick_dim_is_const(b)) {
        wick_dim t = a;
        a = b;
        b = t;
    }
    return wick_dim_is_const(b) && wick_mul_i64(a.c, b.c, &out->c) && wick_mul_i64(a.s, b.c, &out->s) && wick_mul_i64(a.p, b.c, &out->p);
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

/* Floor division distributes over terms that divide exactly. */
static bool floordiv(wick_dim a, wick_dim b, wick_dim *out) {
    if (!wick_dim_is_const(b) || b.c <= 0 || a.s % b.c || a.p % b.c) return false;
    *out = (wick_dim){floor_div(a.c, b.c), a.s / b.c, a.p / b.c};
    return true;
}

static bool mod(wick_dim a, wick_dim b, wick_dim *out) {
    if (!wick_dim_is_const(b) || b.c <= 0 || a.s % b.c || a.p % b.c) return false;
    *out = wick_dim_const(a.c - floor_div(a.c, b.c) * b.c);
    return true;
}

static bool compare(wick_instr_op op, wick_dim a, wick_dim b, wick_dim *out) {
    if (!wick_dim_is_const(a) || !wick_dim_is_const(b)) return false;
    bool yes = op == WICK_I_PRIM_EQ   ? a.c == b.c
               : op == WICK_I_PRIM_GT ? a.c > b.c
               : op == WICK_I_PRIM_LT ? a.c < b.c
               : op == WICK_I_PRIM_GE ? a.c >= b.c
                                      : a.c <= b.c;
    *out = wick_dim_const(yes);
    return true;
}

wick_status wick_r_ints_init(wick_raiser *r) {
    const wick_pte_method *m = r->method->pte;
    r->ints = WICK_NEW_ARRAY(wick_r_int, m->n_value);
    if (!r->ints) return wick_fail_nomem(r->err);
    for (uint32_t i = 0; i < m->n_value; i++)
        if (m->values[i].kind == WICK_EV_INT || m->values[i].kind == WICK_EV_BOOL)
            r->ints[i] = (wick_r_int){true, wick_dim_const(m->values[i].i)};
    return WICK_OK;
}

/* The product of all dimensions, or one of them. */
static bool tensor_size(wick_raiser *r, wick_value_id v, bool whole, int64_t axis, wick_dim *out) {
    const wick_value *t = &r->g->values[v];
    if (whole) return wick_r_numel(t->dims, t->rank, out);
    if (axis < 0) axis += t->rank;
    if (axis < 0 || axis >= t->rank) return false;
    *out = t->dims[axis];
    return true;
}

static wick_status size_instr(wick_raiser *r, wick_instr_op op, const int32_t *args) {
    wick_value_id v = -1;
    int64_t axis = 0;
    wick_r_int *out = &r->ints[args[op == WICK_I_SYM_NUMEL ? 1 : 2]];
    WICK_TRY(wick_r_read(r, args[0], &v));
    bool known = op == WICK_I_SYM_NUMEL || wick_r_const_arg(r, args[1], 0, &axis);
    out->known = known && tensor_size(r, v, op == WICK_I_SYM_NUMEL, axis, &out->v);
    return WICK_OK;
}

static bool arithmetic(wick_instr_op op, wick_dim a, wick_dim b, wick_dim *out) {
    switch (op) {
    case WICK_I_PRIM_ADD: return wick_r_dim_add(a, b, out);
    case WICK_I_PRIM_SUB: return wick_r_dim_sub(a, b, out);
    case WICK_I_PRIM_MUL: return mul(a, b, out);
    case WICK_I_PRIM_FLOORDIV: return floordiv(a, b, out);
    case WICK_I_PRIM_MOD: return mod(a, b, out);
    default: return compare(op, a, b, out);
    }
}

wick_status wick_r_ints_instr(wick_raiser *r, wick_instr_op op, const int32_t *args, bool *handled) {
    *handled = true;
    switch (op) {
    case WICK_I_SYM_SIZE_INT:
    case WICK_I_SYM_NUMEL: return size_instr(r, op, args);
    case WICK_I_LOCAL_SCALAR_DENSE: {
        wick_value_id v = -1;
        wick_r_int *out = &r->ints[args[1]];
        WICK_TRY(wick_r_read(r, args[0], &v));
        out->known = wick_r_position_at(r, v, &out->v) || wick_r_first_hidden(r, v, &out->v);
        return WICK_OK;
    }
    case WICK_I_PRIM_ADD:
    case WICK_I_PRIM_SUB:
    case WICK_I_PRIM_MUL:
    case WICK_I_PRIM_FLOORDIV:
    case WICK_I_PRIM_MOD:
    case WICK_I_PRIM_EQ:
    case WICK_I_PRIM_GT:
    case WICK_I_PRIM_LT:
    case WICK_I_PRIM_GE:
    case WICK_I_PRIM_LE: {
        wick_dim a = {0}, b = {0}, v = {0};
        bool known = wick_r_int_arg(r, args[0], wick_dim_const(0), &a) && wick_r_int_arg(r, args[1], wick_dim_const(0), &b);
        known = known && arithmetic(op, a, b, &v);
        r->ints[args[2]] = (wick_r_int){known, v};
        return WICK_OK;
    }
    default: *handled = false; return WICK_OK;
    }
}

bool wick_r_int_arg(const wick_raiser *r, int32_t evalue, wick_dim absent, wick_dim *out) {
    *out = absent;
    if (evalue < 0 || r->method->pte->values[evalue].kind == WICK_EV_NULL) return true;
    *out = r->ints[evalue].v;
    return r->ints[evalue].known;
}

bool wick_r_const_arg(const wick_raiser *r, int32_t evalue, int64_t absent, int64_t *out) {
    wick_dim d;
    if (!wick_r_int_arg(r, evalue, wick_dim_const(absent), &d) || !wick_dim_is_const(d)) return false;
    *out = d.c;
    return true;
}

bool wick_r_number_arg(const wick_raiser *r, int32_t evalue, double *out) {
    const wick_pte_value *v = &r->method->pte->values[evalue];
    int64_t i;
    if (v->kind == WICK_EV_DOUBLE) {
        *out = v->d;
        return true;
    }
    if (v->kind == WICK_EV_NULL || !wick_r_const_arg(r, evalue, 0, &i)) return false;
    *out = (double)i;
    return true;
}

bool wick_r_list_arg(const wick_raiser *r, int32_t evalue, wick_dim *items, int *n) {
    const wick_pte_value *v = &r->method->pte->values[evalue];
    if (v->kind != WICK_EV_INT_LIST || v->n > WICK_MAX_RANK) return false;
    for (uint32_t i = 0; i < v->n; i++)
        if (!wick_r_int_arg(r, (int32_t)v->items[i], wick_dim_const(0), &items[i])) return false;
    *n = (int)v->n;
    return true;
}
