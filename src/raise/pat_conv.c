/* Short convolutions (LFM2): tokens along the last dimension, the last T-1 inputs of the step before in front of this step's, a
 * filter of T taps per channel, and the last T-1 inputs kept for the next step. Programs transpose [S, N] to [N, S] around it; products
 * in between are the same either way. */
#include "base/mem.h"
#include "raise/raise_int.h"

enum { MAX_DEPTH = 4 }; /* of products between two transpositions */

/* What v is a transposition of, dimensions of one element aside; -1: none. */
static wick_value_id swapped(const wick_raiser *r, wick_value_id v) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_permute);
    int order[WICK_MAX_RANK], k = 0;
    if (!n) return -1;
    const wick_value *x = wick_r_value(r, wick_r_in(r, n, 0));
    for (int i = 0; i < x->rank; i++)
        if (!wick_dim_equal(x->dims[n->attrs.fine.perm[i]], wick_dim_const(1))) order[k++] = n->attrs.fine.perm[i];
    return k == 2 && order[0] > order[1] ? wick_r_in(r, n, 0) : -1;
}

static bool is_rows(const wick_raiser *r, wick_value_id v, int64_t n) {
    wick_dim n_row;
    int64_t width;
    return v >= 0 && wick_r_rows(wick_r_value(r, v), &n_row, &width) && width == n && wick_dim_equal(n_row, wick_dim_s());
}

/* v[.., N, S] is the transposition of rows [S, N], or a product of such. */
static bool is_columns(const wick_raiser *r, wick_value_id v, int64_t n, int depth) {
    if (is_rows(r, swapped(r, v), n)) return true;
    const wick_node *mul = depth < MAX_DEPTH ? wick_r_made_by(r, v, WICK_OP_f_mul) : NULL;
    if (!mul || mul->n_in != 2) return false;
    wick_value_id a = wick_r_in(r, mul, 0), b = wick_r_in(r, mul, 1);
    return wick_r_same_dims(wick_r_value(r, a), wick_r_value(r, b)) && is_columns(r, a, n, depth + 1) && is_columns(r, b, n, depth + 1);
}

static wick_value_id as_rows(wick_raiser *r, wick_value_id v) {
    wick_value_id x = swapped(r, v);
    if (x >= 0) return wick_r_as_rows(r, x);
    wick_node mul = *wick_r_made_by(r, v, WICK_OP_f_mul);
    wick_value_id in[2] = {as_rows(r, wick_r_in(r, &mul, 0)), as_rows(r, wick_r_in(r, &mul, 1))};
    return in[0] < 0 || in[1] < 0 ? -1 : wick_r_op(r, WICK_OP_mul, (wick_attrs){.linear = {0}}, 2, in);
}

/* The node that keeps the last columns of `cat` in the memory of `state`, and reads nothing else; -1: none. */
static wick_node_id find_keeper(const wick_raiser *r, wick_value_id cat, wick_value_id state, int64_t n_keep) {
    for (size_t i = 0; i < r->g->n_node; i++) {
        const wick_node *n = &r->g->nodes[i];
        if (n->dead || n->op != WICK_OP_f_copy || !n->writes_state || r->g->values[n->out].origin != r->g->values[state].origin) continue;
        const wick_node *slice = wick_r_made_by(r, wick_r_in(r, n, 0), WICK_OP_f_slice);
        bool last = slice && wick_r_strip(r, wick_r_in(r, slice, 0)) == cat && slice->attrs.fine.axis == 2 &&
                    wick_dim_equal(slice->attrs.fine.start, wick_dim_s()) &&
                    wick_dim_equal(slice->attrs.fine.end, (wick_dim){n_keep, 1, 0}) && wick_graph_n_use(r->g, slice->out) == 1;
        return last ? (wick_node_id)i : -1;
    }
    return -1;
}

/* v: this step's columns, state, weight; n: N, T, keeper; flag: the result is [S, N] (a delegate's), else [N, S] */
static bool match_conv(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_value_id x = wick_r_in(r, n, 0), w = wick_r_in(r, n, 1);
    const wick_value *weight = wick_r_value(r, w);
    double cell;
    m->flag = weight->rank == 4;
    if (wick_r_in(r, n, 2) >= 0 || !wick_r_element(r->g, w, 0, &cell)) return false;
    m->n[0] = weight->dims[m->flag ? 3 : 0].c;
    m->n[1] = weight->dims[m->flag ? 1 : 2].c;
    if (m->flag) x = swapped(r, x);
    const wick_node *cat = x < 0 ? NULL : wick_r_made_by(r, x, WICK_OP_f_cat);
    if (!cat || cat->n_in != 2 || cat->attrs.fine.axis != 2 || m->n[1] < 2) return false;
    m->v[0] = wick_r_in(r, cat, 1);
    m->v[1] = wick_r_in(r, cat, 0);
    m->v[2] = w;
    const wick_value *s = wick_r_value(r, m->v[1]);
    if (s->kind != WICK_VALUE_STATE || s->producer >= 0 || s->rank != 3 || s->dims[0].c != 1 || s->dims[1].c != m->n[0] ||
        s->dims[2].c != m->n[1] - 1 || !wick_r_starts_zero(r, m->v[1]) || wick_graph_n_use(r->g, m->v[1]) != 1)
        return false;
    m->n[2] = find_keeper(r, cat->out, m->v[1], m->n[1] - 1);
    return m->n[2] >= 0 && is_columns(r, m->v[0], m->n[0], 0);
}

/* [N, T], whatever the program stores. */
static wick_value_id filter(wick_raiser *r, const wick_match *m) {
    wick_value w = r->g->values[m->v[2]];
    wick_part part = w.parts[0];
    part.n_row = m->n[0];
    if (m->flag) {
        float *copy = wick_graph_own(r->g, wick_calloc((size_t)(m->n[0] * m->n[1]), sizeof *copy));
        for (int64_t i = 0; copy && i < m->n[0] * m->n[1]; i++) {
            double x = 0;
            (void)wick_r_element(r->g, m->v[2], i % m->n[1] * m->n[0] + i / m->n[1], &x);
            copy[i] = (float)x;
        }
        if (!copy) return -1;
        part.data = wick_source_resident(copy, (uint64_t)(m->n[0] * m->n[1]) * sizeof *copy);
        w.dtype = WICK_F32;
    }
    return wick_graph_const(r->g, w.dtype, 2, m->n, (wick_scheme){0}, &part, 1);
}

static wick_value_id build_conv(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id in[3] = {as_rows(r, m->v[0]), filter(r, m), wick_graph_state(r->g, r->g->values[m->v[1]].dtype, 2, m->n)};
    for (int i = 0; i < 3; i++)
        if (in[i] < 0) return -1;
    r->g->values[in[2]].origin = r->g->values[m->v[1]].origin;
    r->g->nodes[m->n[2]].writes_state = false; /* the convolution keeps its inputs now */
    wick_value_id y = wick_r_op(r, WICK_OP_short_conv, (wick_attrs){.conv = {m->n[1]}}, 3, in);
    if (m->flag || y < 0) return wick_r_like(r, y, n->out);
    wick_value shape = r->g->values[n->out];
    wick_dim rows[3] = {shape.dims[0], shape.dims[2], shape.dims[1]};
    y = wick_r_view(r, y, 3, rows);
    wick_attrs swap = {.fine = {.perm = {0, 2, 1}}};
    return wick_graph_fine(r->g, WICK_OP_f_permute, swap, &y, 1, WICK_F32, 3, shape.dims, (wick_origin){-1, -1});
}

/* A transposition of columns. */
static bool match_back(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_value *y = wick_r_value(r, n->out);
    wick_dim n_row;
    (void)m;
    return wick_r_rows(y, &n_row, &m->n[0]) && swapped(r, n->out) >= 0 && is_columns(r, wick_r_in(r, n, 0), m->n[0], 0);
}

static wick_value_id build_back(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)m;
    return wick_r_like(r, as_rows(r, wick_r_in(r, n, 0)), n->out);
}

const wick_pattern wick_pat_conv[] = {
    {"short convolution", WICK_OP_f_conv, match_conv, build_conv},
    {"transposed back", WICK_OP_f_permute, match_back, build_back},
};
const size_t wick_n_pat_conv = sizeof wick_pat_conv / sizeof *wick_pat_conv;
