/* Matrix products: FullyConnected with or without a Convert before it, mm, linear; and a bias that is added afterwards. */
#include "raise/raise_int.h"

static int64_t last_dim(const wick_value *v) { return v->rank && wick_dim_is_const(v->dims[v->rank - 1]) ? v->dims[v->rank - 1].c : 0; }

/* A weight [K, N] that is made of one [N, K] at every step is that one. */
static wick_value_id untransposed(const wick_raiser *r, wick_value_id w, bool *transposed) {
    const wick_node *n = *transposed ? wick_r_is(r, w, WICK_OP_f_permute) : NULL;
    if (!n || wick_r_value(r, n->out)->rank != 2 || n->attrs.fine.perm[0] != 1) return w;
    *transposed = false;
    return wick_r_in(r, n, 0);
}

/* v[0]: x, v[1]: w, v[2]: bias or -1; n[0]: N, n[1]: K, n[2]: w is [K, N]; flag: x is quantized by row */
static bool match_linear(wick_raiser *r, const wick_node *n, wick_match *m) {
    bool transposed = n->attrs.fine.flag;
    wick_value_id x = wick_r_in(r, n, 0), w = untransposed(r, wick_r_in(r, n, 1), &transposed), bias = wick_r_in(r, n, 2);
    const wick_node *convert = wick_r_is(r, x, WICK_OP_f_quantize);
    const wick_value *weight = wick_r_value(r, w);
    wick_dim n_row;
    int64_t width;
    if (convert) x = wick_r_in(r, convert, 0);
    if (weight->kind != WICK_VALUE_CONST || weight->rank != 2 || weight->n_part != 1) return false;
    bool plain = weight->scheme.kind == WICK_SCHEME_PLAIN;
    if (plain ? convert != NULL : transposed) return false;
    if (plain && weight->dtype != WICK_F32 && weight->dtype != WICK_F16 && weight->dtype != WICK_BF16) return false;
    m->n[0] = weight->dims[transposed ? 1 : 0].c;
    m->n[1] = weight->dims[transposed ? 0 : 1].c;
    if (!wick_r_rows(wick_r_value(r, x), &n_row, &width) || width != m->n[1]) return false;
    if (bias >= 0 && !wick_r_is_vector(r, bias, m->n[0])) return false;
    m->v[0] = x;
    m->v[1] = w;
    m->v[2] = bias;
    m->n[2] = transposed;
    m->flag = convert != NULL;
    return true;
}

static wick_value_id build_linear(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id w = m->v[1], bias = m->v[2] < 0 ? -1 : wick_r_vector(r, m->v[2], m->n[0]);
    if (m->v[2] >= 0 && bias < 0) return -1;
    if (m->n[2]) {
        wick_part part = r->g->values[w].parts[0];
        part.n_row = m->n[0];
        part.transposed = true;
        w = wick_graph_const(r->g, r->g->values[w].dtype, 2, m->n, (wick_scheme){0}, &part, 1);
    }
    wick_attrs attrs = {.linear = {m->flag ? WICK_ACTQ_ROW8 : WICK_ACTQ_NONE}};
    wick_value_id x = wick_r_as_rows(r, m->v[0]);
    if (x < 0 || w < 0) return -1;
    return wick_r_like(r, wick_r_op(r, WICK_OP_linear, attrs, 3, (wick_value_id[]){x, w, bias}), n->out);
}

/* linear(x, w) + constant row. v[0]: x, v[1]: w, v[2]: the row */
static bool match_bias(wick_raiser *r, const wick_node *n, wick_match *m) {
    for (int i = 0; n->n_in == 2 && n->attrs.fine.number == 1 && i < 2; i++) {
        wick_value_id y = wick_r_in(r, n, i), bias = wick_r_in(r, n, 1 - i);
        const wick_node *linear = wick_r_made_by(r, y, WICK_OP_linear);
        if (!linear || wick_r_in(r, linear, 2) >= 0) continue;
        int64_t width = wick_value_width(wick_r_value(r, linear->out));
        if (last_dim(wick_r_value(r, y)) != width || !wick_r_is_vector(r, bias, width)) continue;
        m->v[0] = wick_r_in(r, linear, 0);
        m->v[1] = wick_r_in(r, linear, 1);
        m->v[2] = bias;
        m->n[0] = width;
        m->flag = linear->attrs.linear.act_quant == WICK_ACTQ_ROW8;
        return true;
    }
    return false;
}

static wick_value_id build_bias(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {.linear = {m->flag ? WICK_ACTQ_ROW8 : WICK_ACTQ_NONE}};
    wick_value_id bias = wick_r_vector(r, m->v[2], m->n[0]);
    if (bias < 0) return -1;
    return wick_r_like(r, wick_r_op(r, WICK_OP_linear, attrs, 3, (wick_value_id[]){m->v[0], m->v[1], bias}), n->out);
}

const wick_pattern wick_pat_linear[] = {
    {"linear", WICK_OP_f_linear, match_linear, build_linear},
    {"its bias", WICK_OP_f_add, match_bias, build_bias},
};
const size_t wick_n_pat_linear = sizeof wick_pat_linear / sizeof *wick_pat_linear;
