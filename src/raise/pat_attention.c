/* Attention: k and v appended to their caches at P, then causal attention of the query's rows over all that the caches hold. The query
 * is the whole step's, or its last row with the position of the last token. */
#include "raise/raise_int.h"

#include <math.h>

static bool is_float(wick_dtype t) { return t == WICK_F32 || t == WICK_F16 || t == WICK_BF16; }

/* Attention is computed in f32: programs with caches of f16 show it the whole cache converted. */
static wick_value_id unconverted(const wick_raiser *r, wick_value_id v) {
    const wick_node *cast = wick_r_is(r, v, WICK_OP_f_cast);
    wick_value_id from = cast ? wick_r_in(r, cast, 0) : -1;
    bool floats = cast && is_float(wick_r_value(r, v)->dtype) && is_float(wick_r_value(r, from)->dtype);
    return floats && wick_graph_n_use(r->g, v) == 1 ? from : v;
}

/* v = a cache [1, C, G, D] with this step's rows, and nobody else looks at either version of it. */
static bool find_cache(const wick_raiser *r, wick_value_id v, wick_r_cache *c) {
    v = unconverted(r, v);
    const wick_node *append = wick_r_is(r, v, WICK_OP_f_append);
    wick_value_id put = wick_r_permuted(r, v, 0, 2, 1, 3);
    if (put >= 0) return wick_r_put_cache(r, put, c);
    if (!append || !wick_dim_equal(append->attrs.fine.start, (wick_dim){0, 0, 1})) return false;
    c->rows = wick_r_in(r, append, 0);
    c->state = wick_r_in(r, append, 1);
    c->writer = (wick_node_id)(append - r->g->nodes);
    const wick_value *s = wick_r_value(r, c->state), *rows = wick_r_value(r, c->rows);
    if (s->kind != WICK_VALUE_STATE || s->producer >= 0 || s->rank != 4 || s->dims[0].c != 1 || !wick_r_starts_zero(r, c->state))
        return false;
    if (rows->rank != 4 || !wick_dim_equal(rows->dims[2], s->dims[2]) || !wick_dim_equal(rows->dims[3], s->dims[3])) return false;
    if (wick_graph_n_use(r->g, v) != 1 || wick_graph_n_use(r->g, c->state) != 1) return false;
    c->context = s->dims[1].c;
    c->n_head = s->dims[2].c;
    c->d_head = s->dims[3].c;
    return true;
}

/* The first query row stands where the last of n_query rows is the last of n_row rows. */
static bool starts_at_end(wick_dim start, wick_dim n_row, wick_dim n_query) {
    wick_dim expected = {n_row.c - n_query.c, n_row.s - n_query.s, 1};
    bool rows = wick_dim_equal(n_query, n_row) || wick_dim_equal(n_query, wick_dim_const(1));
    return rows && wick_dim_equal(start, expected);
}

/* v: q, k, v; then the states; n: nodes that wrote them, C, G, D, H; number[0]: scale */
static bool match_attention(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_r_cache k, v;
    wick_value_id q = wick_r_in(r, n, 0);
    const wick_value *query = wick_r_value(r, q);
    wick_dim n_query, n_row;
    int64_t width;
    if (wick_r_in(r, n, 3) >= 0 || !n->attrs.fine.flag) return false;
    if (!find_cache(r, wick_r_in(r, n, 1), &k) || !find_cache(r, wick_r_in(r, n, 2), &v) || k.state == v.state) return false;
    if (k.context != v.context || k.n_head != v.n_head || k.d_head != v.d_head || query->rank != 4 || query->dims[3].c != k.d_head)
        return false;
    if (!wick_r_same_dims(wick_r_value(r, k.rows), wick_r_value(r, v.rows)) || !wick_r_rows(wick_r_value(r, k.rows), &n_row, &width))
        return false;
    if (!wick_r_rows(query, &n_query, &width) || query->dims[2].c < 1 || query->dims[2].c % k.n_head) return false;
    if (!starts_at_end(n->attrs.fine.start, n_row, n_query)) return false;
    *m = (wick_match){.v = {q, k.rows, v.rows, k.state, v.state},
                      .n = {k.writer, v.writer, k.context, k.n_head, k.d_head, query->dims[2].c}};
    m->number[0] = n->attrs.fine.number != 0 ? n->attrs.fine.number : 1 / sqrt((double)k.d_head);
    return true;
}

static wick_value_id state3(wick_raiser *r, wick_value_id old, const int64_t *dims) {
    wick_dtype dtype = old < 0 ? WICK_F32 : r->g->values[old].dtype;
    wick_value_id v = wick_graph_state(r->g, dtype, 3, dims);
    if (v >= 0 && old >= 0) r->g->values[v].origin = r->g->values[old].origin;
    return v;
}

wick_value_id wick_r_build_attention(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {
        .attention = {.n_head = m->n[5],
                      .n_kv_head = m->n[3],
                      .d_head = m->n[4],
                      .scale = (float)m->number[0],
                      .window = m->n[6],
                      .n_sink = m->n[7],
                      .kv_int8 = m->flag},
    };
    wick_value_id in[5];
    for (int i = 0; i < 3; i++) in[i] = wick_r_as_rows(r, m->v[i]);
    for (int i = 3; i < 5; i++) in[i] = state3(r, m->v[i], &m->n[2]);
    for (int i = 0; i < 5; i++)
        if (in[i] < 0) return -1;
    for (int i = 0; i < 2; i++)
        if (m->n[i] >= 0) r->g->nodes[m->n[i]].writes_state = false; /* the attention keeps them now */
    return wick_r_like(r, wick_r_op(r, WICK_OP_attention, attrs, 5, in), n->out);
}

const wick_pattern wick_pat_attention[] = {{"attention", WICK_OP_f_sdpa, match_attention, wick_r_build_attention}};
const size_t wick_n_pat_attention = sizeof wick_pat_attention / sizeof *wick_pat_attention;
