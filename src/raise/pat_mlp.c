/* Activations, what gates with them, and the rotation that some programs put behind them. */
#include "raise/raise_int.h"

static bool is_rows(const wick_raiser *r, wick_value_id v) {
    wick_dim n_row;
    int64_t width;
    return wick_r_rows(wick_r_value(r, v), &n_row, &width);
}

/* v is sigmoid(x). */
static bool is_sigmoid_of(const wick_raiser *r, wick_value_id v, wick_value_id x) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_sigmoid);
    return n && wick_r_strip(r, wick_r_in(r, n, 0)) == wick_r_strip(r, x);
}

static bool same_dims(const wick_raiser *r, wick_value_id a, wick_value_id b) {
    return wick_r_same_dims(wick_r_value(r, a), wick_r_value(r, b));
}

/* x * sigmoid(x). v[0]: x */
static bool match_silu(wick_raiser *r, const wick_node *n, wick_match *m) {
    for (int i = 0; n->n_in == 2 && i < 2; i++) {
        wick_value_id x = wick_r_in(r, n, i), s = wick_r_in(r, n, 1 - i);
        m->v[0] = x;
        if (is_sigmoid_of(r, s, x) && same_dims(r, x, s) && is_rows(r, x)) return true;
    }
    return false;
}

static wick_value_id act(wick_raiser *r, wick_value_id x, wick_act kind) {
    return wick_r_op(r, WICK_OP_act, (wick_attrs){.act = {kind}}, 1, (wick_value_id[]){wick_r_as_rows(r, x)});
}

static wick_value_id build_silu(wick_raiser *r, const wick_node *n, const wick_match *m) {
    return wick_r_like(r, act(r, m->v[0], WICK_ACT_SILU), n->out);
}

/* x * (sigmoid(x) * u). v[0]: x, v[1]: u */
static bool match_gated_silu(wick_raiser *r, const wick_node *n, wick_match *m) {
    for (int i = 0; n->n_in == 2 && i < 2; i++) {
        wick_value_id x = wick_r_in(r, n, i), t = wick_r_in(r, n, 1 - i);
        const wick_node *inner = wick_r_is(r, t, WICK_OP_f_mul);
        for (int k = 0; inner && inner->n_in == 2 && k < 2; k++) {
            wick_value_id s = wick_r_in(r, inner, k), u = wick_r_in(r, inner, 1 - k);
            m->v[0] = x;
            m->v[1] = u;
            if (is_sigmoid_of(r, s, x) && same_dims(r, x, s) && same_dims(r, x, u) && is_rows(r, x)) return true;
        }
    }
    return false;
}

static wick_value_id build_gated_silu(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id in[2] = {act(r, m->v[0], WICK_ACT_SILU), wick_r_as_rows(r, m->v[1])};
    if (in[0] < 0 || in[1] < 0) return -1;
    return wick_r_like(r, wick_r_op(r, WICK_OP_mul, (wick_attrs){.linear = {0}}, 2, in), n->out);
}

static bool match_gelu(wick_raiser *r, const wick_node *n, wick_match *m) {
    m->v[0] = wick_r_in(r, n, 0);
    return is_rows(r, m->v[0]);
}

static wick_value_id build_gelu(wick_raiser *r, const wick_node *n, const wick_match *m) {
    return wick_r_like(r, act(r, m->v[0], n->attrs.fine.flag ? WICK_ACT_GELU_TANH : WICK_ACT_GELU), n->out);
}

/* Whole rows, not heads of a row; of a power of two. (A product of one and 28 is not orthonormal in stock, and rare.) */
static bool match_hadamard(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_dim n_row;
    int64_t width;
    if (!wick_r_made_by_instr(r, n->out, WICK_I_FAST_HADAMARD)) return false;
    m->v[0] = wick_r_in(r, n, 0);
    const wick_value *x = wick_r_value(r, m->v[0]);
    return wick_r_rows(x, &n_row, &width) && wick_value_width(x) == width && !(width & (width - 1));
}

static wick_value_id build_hadamard(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id x = wick_r_as_rows(r, m->v[0]);
    return wick_r_like(r, wick_r_op(r, WICK_OP_hadamard, (wick_attrs){.linear = {0}}, 1, &x), n->out);
}

const wick_pattern wick_pat_mlp[] = {
    {"silu", WICK_OP_f_mul, match_silu, build_silu},
    {"gated silu", WICK_OP_f_mul, match_gated_silu, build_gated_silu},
    {"gelu", WICK_OP_f_gelu, match_gelu, build_gelu},
    {"hadamard", WICK_OP_f_other, match_hadamard, build_hadamard},
};
const size_t wick_n_pat_mlp = sizeof wick_pat_mlp / sizeof *wick_pat_mlp;

/* ---------------------------------------------------------------- after linears were merged */

static const wick_node *split_of(const wick_raiser *r, wick_value_id v) { return wick_r_is(r, v, WICK_OP_split); }

/* act(first half) * second half of neighbouring columns. v[0]: the row that both come from; n: start, width of the pair */
static bool match_glu(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_node *a = wick_r_is(r, wick_r_in(r, n, 0), WICK_OP_act);
    const wick_node *gate = a ? split_of(r, wick_r_in(r, a, 0)) : NULL, *up = split_of(r, wick_r_in(r, n, 1));
    if (!gate || !up || wick_r_in(r, gate, 0) != wick_r_in(r, up, 0)) return false;
    int64_t width = gate->attrs.split.count;
    if (up->attrs.split.count != width || up->attrs.split.start != gate->attrs.split.start + width) return false;
    m->v[0] = wick_r_in(r, gate, 0);
    m->n[0] = gate->attrs.split.start;
    m->n[1] = 2 * width;
    m->n[2] = a->attrs.act.act;
    return true;
}

static wick_value_id build_glu(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)n;
    wick_value_id x = m->v[0];
    if (m->n[1] != wick_value_width(wick_r_value(r, x))) x = wick_r_op(r, WICK_OP_split, (wick_attrs){.split = {m->n[0], m->n[1]}}, 1, &x);
    return x < 0 ? -1 : wick_r_op(r, WICK_OP_glu, (wick_attrs){.act = {(wick_act)m->n[2]}}, 1, &x);
}

const wick_pattern wick_pat_glu[] = {{"glu", WICK_OP_mul, match_glu, build_glu}};
const size_t wick_n_pat_glu = sizeof wick_pat_glu / sizeof *wick_pat_glu;
