/* Norms: x * rsqrt(mean(x^2) + eps), then the weight. The mean is mean.out, or a product with a row of 1/K whose bias is eps. Layer norms
 * are one operator. */
#include "raise/raise_int.h"

static int64_t last_dim(const wick_value *v) { return v->rank && wick_dim_is_const(v->dims[v->rank - 1]) ? v->dims[v->rank - 1].c : 0; }

/* The operand whose square (x*x or square(x)) v is; -1: none. */
static wick_value_id root_of_square(const wick_raiser *r, wick_value_id v) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_square);
    if (n) return wick_r_in(r, n, 0);
    n = wick_r_made_by(r, v, WICK_OP_f_mul);
    if (!n || n->n_in != 2 || wick_r_strip(r, wick_r_in(r, n, 0)) != wick_r_strip(r, wick_r_in(r, n, 1))) return -1;
    return wick_r_in(r, n, 0);
}

/* v = a + number, in any of the ways that programs write it. */
static bool plus_number(const wick_raiser *r, wick_value_id v, wick_value_id *a, double *number) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_add);
    double alpha = n ? n->attrs.fine.number : 0;
    if (!n) return false;
    *a = wick_r_in(r, n, 0);
    if (n->n_in == 1) {
        *number = alpha;
        return true;
    }
    if (wick_r_scalar(r, wick_r_in(r, n, 1), number)) {
        *number *= alpha;
        return true;
    }
    *a = wick_r_in(r, n, 1);
    return alpha == 1 && wick_r_scalar(r, wick_r_in(r, n, 0), number);
}

/* v = mean(square over its last dimension) + eps. */
static bool mean_square(const wick_raiser *r, wick_value_id v, wick_value_id *square, double *eps) {
    wick_value_id mean;
    double filter;
    if (plus_number(r, v, &mean, eps)) {
        const wick_node *n = wick_r_made_by(r, mean, WICK_OP_f_mean);
        if (!n) return false;
        *square = wick_r_in(r, n, 0);
        return true;
    }
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_linear);
    if (!n || n->n_in != 3 || last_dim(wick_r_value(r, n->out)) != 1) return false;
    *square = wick_r_in(r, n, 0);
    int64_t k = last_dim(wick_r_value(r, *square));
    wick_value_id w = wick_r_in(r, n, 1), bias = wick_r_in(r, n, 2);
    return k > 0 && bias >= 0 && wick_r_scalar(r, bias, eps) && wick_r_uniform(r->g, w, &filter) &&
           filter == (double)(float)(1.0 / (double)k);
}

/* Groups of d neighbours: r has one number where x has d. */
static bool one_per_group(const wick_value *x, const wick_value *r, int64_t d) {
    if (x->rank != r->rank || last_dim(x) != d || last_dim(r) != 1) return false;
    for (int i = 0; i + 1 < x->rank; i++)
        if (!wick_dim_equal(x->dims[i], r->dims[i])) return false;
    return true;
}

/* Behind a turn that put the heads first; v itself where its rows are rows as they are. */
static wick_value_id heads_last(const wick_raiser *r, wick_value_id v, bool *turned) {
    wick_dim n_row;
    int64_t width;
    wick_value_id before = wick_r_rows(wick_r_value(r, v), &n_row, &width) ? -1 : wick_r_permuted(r, v, 0, 2, 1, 3);
    *turned = before >= 0;
    return *turned ? before : v;
}

static wick_value_id as_before(wick_raiser *r, wick_value_id y, wick_value_id turned_from, wick_value_id like) {
    if (turned_from < 0) return wick_r_like(r, y, like);
    return wick_r_flip(r, wick_r_like(r, y, turned_from), like);
}

/* v[0]: x, v[1]: x before the heads came first, or -1; n[0]: groups; number[0]: eps */
static bool match_rms(wick_raiser *r, const wick_node *n, wick_match *m) {
    for (int i = 0; n->n_in == 2 && i < 2; i++) {
        wick_value_id x = wick_r_in(r, n, i), scale = wick_r_in(r, n, 1 - i), square = -1;
        const wick_node *rsqrt = wick_r_made_by(r, scale, WICK_OP_f_rsqrt);
        wick_dim n_row;
        int64_t width;
        if (!rsqrt || !mean_square(r, wick_r_in(r, rsqrt, 0), &square, &m->number[0])) continue;
        wick_value_id root = root_of_square(r, square);
        int64_t d = last_dim(wick_r_value(r, square));
        if (root < 0 || wick_r_strip(r, root) != wick_r_strip(r, x) || d < 1) continue;
        bool turned;
        if (!one_per_group(wick_r_value(r, x), wick_r_value(r, scale), d)) continue;
        x = heads_last(r, x, &turned);
        if (!wick_r_rows(wick_r_value(r, x), &n_row, &width)) continue;
        m->v[0] = x;
        m->v[1] = turned ? x : -1;
        m->n[0] = width / d;
        return width % d == 0;
    }
    return false;
}

static wick_value_id build_rms(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {.norm = {.eps = (float)m->number[0], .n_group = m->n[0]}};
    wick_value_id y = wick_r_op(r, WICK_OP_rmsnorm, attrs, 2, (wick_value_id[]){wick_r_as_rows(r, m->v[0]), -1});
    return as_before(r, y, m->v[1], n->out);
}

/* w of 1 + w; -1: it is not such a sum. */
static wick_value_id beyond_one(const wick_raiser *r, wick_value_id v, int64_t d) {
    wick_value_id w = -1;
    double one;
    return plus_number(r, v, &w, &one) && one == 1 && wick_r_is_vector(r, w, d) ? w : -1;
}

/* A norm without weight, times a row of constants as wide as its groups, or times 1 + that. v[0]: the norm's x, v[1]: w, v[2]: y before
 * the heads came first, or -1; flag: 1 + w */
static bool match_weight(wick_raiser *r, const wick_node *n, wick_match *m) {
    for (int i = 0; n->n_in == 2 && i < 2; i++) {
        wick_value_id y = wick_r_in(r, n, i), w = wick_r_in(r, n, 1 - i);
        bool turned = false;
        wick_value_id before = heads_last(r, y, &turned);
        const wick_node *norm = wick_r_made_by(r, before, WICK_OP_rmsnorm);
        if (!norm || wick_r_in(r, norm, 1) >= 0) continue;
        m->v[0] = wick_r_in(r, norm, 0);
        m->n[0] = norm->attrs.norm.n_group;
        m->number[0] = (double)norm->attrs.norm.eps;
        int64_t d = wick_value_width(wick_r_value(r, norm->out)) / m->n[0];
        wick_value_id offset = beyond_one(r, w, d);
        if ((offset < 0 && !wick_r_is_vector(r, w, d)) || last_dim(wick_r_value(r, y)) != d) continue;
        m->v[1] = offset >= 0 ? offset : w;
        m->v[2] = turned ? before : -1;
        m->n[1] = d;
        m->flag = offset >= 0;
        return true;
    }
    return false;
}

static wick_value_id build_weight(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {.norm = {.eps = (float)m->number[0], .n_group = m->n[0], .unit_offset = m->flag}};
    wick_value_id w = wick_r_vector(r, m->v[1], m->n[1]);
    return as_before(r, wick_r_op(r, WICK_OP_rmsnorm, attrs, 2, (wick_value_id[]){m->v[0], w}), m->v[2], n->out);
}

/* v: x, weight and bias or -1; n[0]: width of a group, n[1]: groups */
static bool match_layer(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_dim n_row;
    int64_t width;
    if (!wick_r_made_by_instr(r, n->out, WICK_I_NATIVE_LAYER_NORM) || n->attrs.fine.axis != 0) return false;
    for (int i = 0; i < 3; i++) m->v[i] = wick_r_in(r, n, i);
    m->n[0] = last_dim(wick_r_value(r, m->v[0]));
    if (m->n[0] < 1 || !wick_r_rows(wick_r_value(r, m->v[0]), &n_row, &width) || width % m->n[0]) return false;
    m->n[1] = width / m->n[0];
    for (int i = 1; i < 3; i++)
        if (m->v[i] >= 0 && !wick_r_is_vector(r, m->v[i], m->n[0])) return false;
    return true;
}

static wick_value_id build_layer(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {.norm = {.eps = (float)n->attrs.fine.number, .n_group = m->n[1]}};
    wick_value_id in[3] = {wick_r_as_rows(r, m->v[0]), -1, -1};
    for (int i = 1; i < 3; i++)
        if (m->v[i] >= 0 && (in[i] = wick_r_vector(r, m->v[i], m->n[0])) < 0) return -1;
    return wick_r_like(r, wick_r_op(r, WICK_OP_layernorm, attrs, 3, in), n->out);
}

const wick_pattern wick_pat_norm[] = {
    {"rmsnorm", WICK_OP_f_mul, match_rms, build_rms},
    {"its weight", WICK_OP_f_mul, match_weight, build_weight},
    {"layernorm", WICK_OP_f_other, match_layer, build_layer},
};
const size_t wick_n_pat_norm = sizeof wick_pat_norm / sizeof *wick_pat_norm;
