/* Arithmetic between rows: residual sums, products, scales. */
#include "raise/raise_int.h"

#include <math.h>

static int64_t last_dim(const wick_value *v) { return v->rank && wick_dim_is_const(v->dims[v->rank - 1]) ? v->dims[v->rank - 1].c : 0; }

/* Two operands of one shape. v: operands */
static bool match_rows(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_dim n_row;
    int64_t width;
    if (n->n_in != 2 || (n->op == WICK_OP_f_add && n->attrs.fine.number != 1)) return false;
    for (int i = 0; i < 2; i++) {
        m->v[i] = wick_r_in(r, n, i);
        if (!wick_r_same_dims(wick_r_value(r, m->v[i]), wick_r_value(r, n->out)) || !wick_r_rows(wick_r_value(r, m->v[i]), &n_row, &width))
            return false;
        if (wick_r_value(r, wick_r_strip(r, m->v[i]))->kind == WICK_VALUE_CONST) return false;
    }
    if (wick_r_made_by(r, m->v[1], WICK_OP_act) && !wick_r_made_by(r, m->v[0], WICK_OP_act)) { /* what gates comes first */
        wick_value_id t = m->v[0];
        m->v[0] = m->v[1];
        m->v[1] = t;
    }
    return true;
}

static wick_value_id build_rows(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id in[2] = {wick_r_as_rows(r, m->v[0]), wick_r_as_rows(r, m->v[1])};
    if (in[0] < 0 || in[1] < 0) return -1;
    return wick_r_like(r, wick_r_op(r, n->op == WICK_OP_f_add ? WICK_OP_add : WICK_OP_mul, (wick_attrs){.linear = {0}}, 2, in), n->out);
}

/* A row and a constant row of its whole width. */
static bool match_constant(wick_raiser *r, const wick_node *n, wick_match *m) {
    for (int i = 0; n->n_in == 2 && i < 2; i++) {
        wick_dim n_row;
        m->v[0] = wick_r_in(r, n, i);
        m->v[1] = wick_r_in(r, n, 1 - i);
        if (n->op == WICK_OP_f_add && n->attrs.fine.number != 1) return false;
        if (!wick_r_rows(wick_r_value(r, m->v[0]), &n_row, &m->n[0]) || last_dim(wick_r_value(r, m->v[0])) != m->n[0]) continue;
        if (wick_r_is_vector(r, m->v[1], m->n[0])) return true;
    }
    return false;
}

static wick_value_id build_constant(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id in[2] = {wick_r_as_rows(r, m->v[0]), wick_r_vector(r, m->v[1], m->n[0])};
    if (in[0] < 0 || in[1] < 0) return -1;
    return wick_r_like(r, wick_r_op(r, n->op == WICK_OP_f_add ? WICK_OP_add : WICK_OP_mul, (wick_attrs){.linear = {0}}, 2, in), n->out);
}

/* A row times a number. */
static bool match_scale(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_dim n_row;
    int64_t width;
    for (int i = 0; i < n->n_in; i++) {
        m->v[0] = wick_r_in(r, n, i);
        m->number[0] = n->attrs.fine.number;
        bool number = n->n_in == 1 || wick_r_scalar(r, wick_r_in(r, n, 1 - i), &m->number[0]);
        if (number && wick_r_same_dims(wick_r_value(r, m->v[0]), wick_r_value(r, n->out)) &&
            wick_r_rows(wick_r_value(r, m->v[0]), &n_row, &width))
            return true;
    }
    return false;
}

/* A row over a number. */
static bool match_quotient(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_dim n_row;
    int64_t width;
    m->v[0] = wick_r_in(r, n, 0);
    if (n->n_in != 2 || !wick_r_scalar(r, wick_r_in(r, n, 1), &m->number[0]) || !isnormal((float)m->number[0])) return false;
    m->number[0] = 1 / m->number[0];
    return wick_r_same_dims(wick_r_value(r, m->v[0]), wick_r_value(r, n->out)) && wick_r_rows(wick_r_value(r, m->v[0]), &n_row, &width);
}

static wick_value_id build_scale(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {.scale = {(float)m->number[0]}};
    return wick_r_like(r, wick_r_op(r, WICK_OP_scale, attrs, 1, (wick_value_id[]){wick_r_as_rows(r, m->v[0])}), n->out);
}

const wick_pattern wick_pat_arith[] = {
    {"add", WICK_OP_f_add, match_rows, build_rows},
    {"mul", WICK_OP_f_mul, match_rows, build_rows},
    {"add constant", WICK_OP_f_add, match_constant, build_constant},
    {"mul constant", WICK_OP_f_mul, match_constant, build_constant},
    {"scale", WICK_OP_f_mul, match_scale, build_scale},
    {"quotient", WICK_OP_f_div, match_quotient, build_scale},
};
const size_t wick_n_pat_arith = sizeof wick_pat_arith / sizeof *wick_pat_arith;
