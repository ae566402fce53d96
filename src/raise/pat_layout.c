/* Layout: steps that move nothing. */
#include "raise/raise_int.h"

static bool match_copy(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_value *x = wick_r_value(r, wick_r_in(r, n, 0));
    (void)m;
    return !n->writes_state && x->kind != WICK_VALUE_STATE && wick_r_value(r, n->out)->dtype == x->dtype;
}

static wick_value_id build_same(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)m;
    return wick_r_in(r, n, 0);
}

static bool is_float(wick_dtype t) { return t == WICK_F32 || t == WICK_F16 || t == WICK_BF16; }

/* Between coarse ops numbers are f32: rounding what one of them made to a shorter type is not repeated. */
static bool match_rounding(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_value_id x = wick_r_in(r, n, 0);
    const wick_node *maker = wick_r_maker(r, wick_r_strip(r, x));
    (void)m;
    return !n->writes_state && maker && wick_op_is_coarse(maker->op) && is_float(wick_r_value(r, x)->dtype) &&
           is_float(wick_r_value(r, n->out)->dtype);
}

/* Dimensions of one element may change places: the elements keep their order. */
static bool match_permute(wick_raiser *r, const wick_node *n, wick_match *m) {
    (void)m;
    const wick_value *x = wick_r_value(r, wick_r_in(r, n, 0));
    int last = -1;
    for (int i = 0; i < x->rank; i++) {
        int from = n->attrs.fine.perm[i];
        if (wick_dim_equal(x->dims[from], wick_dim_const(1))) continue;
        if (from < last) return false;
        last = from;
    }
    return true;
}

static wick_value_id build_view(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)m;
    return wick_r_like(r, wick_r_in(r, n, 0), n->out);
}

/* Two permutations, the second of which undoes the first. */
static bool match_permute_back(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_node *first = wick_r_is(r, wick_r_in(r, n, 0), WICK_OP_f_permute);
    if (!first) return false;
    for (int i = 0; i < wick_r_value(r, n->out)->rank; i++)
        if (first->attrs.fine.perm[n->attrs.fine.perm[i]] != i) return false;
    m->v[0] = wick_r_in(r, first, 0);
    return true;
}

static wick_value_id build_permuted_back(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)r, (void)n;
    return m->v[0];
}

static bool match_view_of_view(wick_raiser *r, const wick_node *n, wick_match *m) {
    (void)m;
    wick_value_id in = wick_r_in(r, n, 0);
    return wick_r_is(r, in, WICK_OP_f_view) || wick_r_same_dims(wick_r_value(r, in), wick_r_value(r, n->out));
}

static bool match_cat(wick_raiser *r, const wick_node *n, wick_match *m) {
    (void)r, (void)m;
    return n->n_in == 1;
}

const wick_pattern wick_pat_layout[] = {
    {"copy", WICK_OP_f_copy, match_copy, build_view},
    {"cast", WICK_OP_f_cast, match_copy, build_view},
    {"rounding", WICK_OP_f_cast, match_rounding, build_view},
    {"permute", WICK_OP_f_permute, match_permute, build_view},
    {"permute back", WICK_OP_f_permute, match_permute_back, build_permuted_back},
    {"view of view", WICK_OP_f_view, match_view_of_view, build_view},
    {"cat of one", WICK_OP_f_cat, match_cat, build_same},
};
const size_t wick_n_pat_layout = sizeof wick_pat_layout / sizeof *wick_pat_layout;
