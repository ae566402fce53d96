/* Attention over a cache of int8: rows of every head are rounded to codes with a scale and a zero point of their own, which are kept in
 * caches beside the codes, and attention multiplies the codes back. The query goes the same way without a cache. */
#include "raise/raise_int.h"

#include <math.h>

/* Order of the operands of custom_quantized_sdpa. */
enum { Q, K, V, MASK, Q_ZERO, Q_SCALE, K_ZERO, K_SCALE, V_ZERO, V_SCALE };

/* What v [1, S, n_head, D] is the codes of; -1: nothing. *scale, *zero: those that they were made with. */
static wick_value_id coded(const wick_raiser *r, wick_value_id v, wick_value_id *scale, wick_value_id *zero) {
    const wick_node *quantize = wick_r_made_by_instr(r, v, WICK_I_QUANTIZE_PER_TOKEN);
    if (!quantize || !quantize->attrs.fine.flag || !wick_r_same_dims(wick_r_value(r, quantize->out), wick_r_value(r, v))) return -1;
    wick_value_id x = wick_r_in(r, quantize, 0);
    *scale = wick_r_in(r, quantize, 1);
    *zero = wick_r_in(r, quantize, 2);
    for (int i = 0; i < 2; i++) {
        const wick_node *choose = wick_r_made_by_instr(r, i ? *zero : *scale, WICK_I_CHOOSE_QPARAMS_PER_TOKEN);
        if (!choose || choose->attrs.fine.axis != i || wick_r_in(r, choose, 0) != x) return -1;
    }
    return x;
}

/* Whether v is `from` [1, S, n_head, 1] in a type that a cache holds. */
static bool is_stored(const wick_raiser *r, wick_value_id v, wick_value_id from, wick_dtype dtype) {
    const wick_node *cast = wick_r_is(r, v, WICK_OP_f_cast);
    return cast && wick_r_in(r, cast, 0) == from && wick_r_value(r, v)->dtype == dtype;
}

/* Where this step's rows go: to P, or (ring) around. */
typedef struct way {
    const wick_r_ring *ring;
    wick_dim n_row;
} way;

/* What was put into a cache [1, C, G, width] that v is now, and that nobody else looks at; -1: v is none. */
static wick_value_id appended(const wick_raiser *r, wick_value_id v, wick_dtype dtype, way to, wick_value_id *state) {
    if (to.ring) {
        wick_value_id in = wick_r_put_in_ring(r, v, to.ring, to.n_row, state);
        return in >= 0 && wick_r_value(r, in)->dtype == dtype ? in : -1;
    }
    const wick_node *append = wick_r_is(r, v, WICK_OP_f_append);
    if (!append || !wick_dim_equal(append->attrs.fine.start, (wick_dim){0, 0, 1})) return -1;
    wick_value_id rows = wick_r_in(r, append, 0);
    *state = wick_r_in(r, append, 1);
    const wick_value *s = wick_r_value(r, *state), *x = wick_r_value(r, rows);
    bool ok = s->kind == WICK_VALUE_STATE && s->producer < 0 && s->rank == 4 && s->dims[0].c == 1 && s->dtype == dtype &&
              x->dtype == dtype && x->rank == 4 && wick_dim_equal(x->dims[2], s->dims[2]) && wick_dim_equal(x->dims[3], s->dims[3]);
    bool alone = ok && wick_graph_n_use(r->g, append->out) == 1 && wick_graph_n_use(r->g, *state) == 1 &&
                 wick_r_writer(r, *state) == (wick_node_id)(append - r->g->nodes);
    return alone ? rows : -1;
}

typedef struct cache {
    wick_value_id rows, state;
    wick_dim dims[4];
} cache;

/* Codes, zero points and scales lie in caches of one length. */
static bool find_cache(const wick_raiser *r, const wick_node *n, int i_code, int i_zero, int i_scale, way to, cache *c) {
    wick_value_id scale, zero, scales, zeros;
    wick_value_id codes = appended(r, wick_r_in(r, n, i_code), WICK_I8, to, &c->state);
    wick_value_id in_zero = appended(r, wick_r_in(r, n, i_zero), WICK_I8, to, &zeros);
    wick_value_id in_scale = appended(r, wick_r_in(r, n, i_scale), WICK_F32, to, &scales);
    if (codes < 0 || in_zero < 0 || in_scale < 0) return false;
    c->rows = coded(r, codes, &scale, &zero);
    if (c->rows < 0 || !is_stored(r, in_zero, zero, WICK_I8) || !is_stored(r, in_scale, scale, WICK_F32)) return false;
    for (int i = 0; i < 4; i++) {
        c->dims[i] = wick_r_value(r, c->state)->dims[i];
        wick_dim beside = i < 3 ? c->dims[i] : wick_dim_const(1);
        if (!wick_dim_equal(wick_r_value(r, scales)->dims[i], beside) || !wick_dim_equal(wick_r_value(r, zeros)->dims[i], beside))
            return false;
    }
    return true;
}

/* Causal from P on, or by the mask of a ring. */
static bool find_way(const wick_raiser *r, const wick_node *n, wick_r_ring *ring, way *to) {
    wick_value_id mask = wick_r_in(r, n, MASK);
    const wick_value *held = wick_r_value(r, wick_r_in(r, n, K));
    to->ring = mask < 0 ? NULL : ring;
    if (mask < 0) return n->attrs.fine.flag && wick_dim_equal(n->attrs.fine.start, (wick_dim){0, 0, 1});
    return !n->attrs.fine.flag && wick_dim_equal(n->attrs.fine.start, wick_dim_const(0)) && held->rank == 4 &&
           wick_r_find_ring(r, mask, to->n_row, held->dims[1].c, ring);
}

/* v: q, k, v, then the states; v[5]: what keeps a ring's list, or -1; n: as wick_r_build_attention wants them; flag: int8 */
static bool match_int8(wick_raiser *r, const wick_node *n, wick_match *m) {
    cache k, v;
    wick_r_ring ring = {0};
    way to = {0};
    wick_value_id scale, zero, codes = wick_r_in(r, n, Q);
    wick_dim n_row;
    int64_t width;
    if (!wick_r_made_by_instr(r, n->out, WICK_I_CUSTOM_QUANTIZED_SDPA)) return false;
    wick_value_id q = coded(r, codes, &scale, &zero);
    if (q < 0 || !is_stored(r, wick_r_in(r, n, Q_SCALE), scale, WICK_F32) || !is_stored(r, wick_r_in(r, n, Q_ZERO), zero, WICK_I8))
        return false;
    const wick_value *query = wick_r_value(r, q);
    if (query->rank != 4 || !wick_dim_equal(query->dims[0], wick_dim_const(1))) return false;
    to.n_row = query->dims[1];
    if (!find_way(r, n, &ring, &to) || !find_cache(r, n, K, K_ZERO, K_SCALE, to, &k) || !find_cache(r, n, V, V_ZERO, V_SCALE, to, &v) ||
        k.state == v.state)
        return false;
    const wick_value *key = wick_r_value(r, k.rows);
    for (int i = 0; i < 4; i++)
        if (!wick_dim_equal(k.dims[i], v.dims[i])) return false;
    if (!wick_r_same_dims(key, wick_r_value(r, v.rows)) || key->rank != 4) return false;
    if (query->dtype != WICK_F32 || key->dtype != WICK_F32 || wick_r_value(r, v.rows)->dtype != WICK_F32) return false;
    int64_t n_kv_head = k.dims[2].c, d_head = k.dims[3].c, n_head = query->dims[2].c;
    if (!wick_dim_equal(query->dims[3], k.dims[3]) || n_head < 1 || n_kv_head < 1 || n_head % n_kv_head) return false;
    if (!wick_r_rows(key, &n_row, &width) || !wick_dim_equal(n_row, key->dims[1]) || !wick_dim_equal(to.n_row, n_row)) return false;
    *m = (wick_match){.v = {q, k.rows, v.rows, k.state, v.state, to.ring ? r->g->nodes[ring.keeper].out : -1},
                      .n = {-1, -1, to.ring ? wick_r_ring_context(r) : k.dims[1].c, n_kv_head, d_head, n_head, ring.window, ring.n_sink},
                      .flag = true};
    m->number[0] = n->attrs.fine.number != 0 ? n->attrs.fine.number : 1 / sqrt((double)d_head);
    return m->n[2] > 0;
}

static wick_value_id build_int8(wick_raiser *r, const wick_node *n, const wick_match *m) {
    static const int caches[] = {K, V, K_ZERO, K_SCALE, V_ZERO, V_SCALE};
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        const wick_node *keeps = wick_r_maker(r, wick_r_in(r, n, caches[i]));
        if (keeps) r->g->nodes[keeps - r->g->nodes].writes_state = false;
    }
    if (m->v[5] >= 0) r->g->nodes[r->g->values[m->v[5]].producer].writes_state = false;
    return wick_r_build_attention(r, n, m);
}

const wick_pattern wick_pat_int8[] = {{"attention over int8", WICK_OP_f_other, match_int8, build_int8}};
const size_t wick_n_pat_int8 = sizeof wick_pat_int8 / sizeof *wick_pat_int8;
