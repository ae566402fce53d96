/* Attention over a ring: a cache in which the first F tokens (sinks; often none) have places of their own and every later token p lies at
 * F + (p - F) mod R, and beside it the list of which token lies where. The mask is made from that list: a row at position p sees the keys
 * of the sinks and of the tokens p - window + 1 .. p that are in the ring.
 *
 *     list = where(0 .. F+R-1 < P, list, -1), then list[places of the step's tokens] = their positions
 *     mask = list >= 0 and p - list >= 0 and (list < F or p - list < window) ? 0 : -inf
 *
 * At P = 0 the first line makes every entry -1, so whatever the list held does not matter. From then on it holds, by induction over the
 * steps, for each place the newest token below P + S that belongs there (no token lies behind its own number): the sinks, and exactly the
 * later ones of [P + S - R, P + S). No two tokens of a step share a place, as S <= R. A row's window is there whenever S <= R - window + 1,
 * so the attention is one with sinks and a window over a cache of the whole context.
 *
 * A longer step overwrites keys that its first rows still look for, and what the program answers depends on how a prompt was cut into
 * steps. The graph is what it answers in steps that are short enough: results of graphs do not depend on the cut.
 *
 * The list is read by nothing else, and goes. */
#include "raise/raise_int.h"

#include <math.h>

/* What v is, not behind a view, if it is this instruction and has one reader. */
static const wick_node *only_instr(const wick_raiser *r, wick_value_id v, wick_instr_op op) {
    const wick_node *n = wick_r_made_by_instr(r, v, op);
    return n && n->out == wick_r_now(r, v) && wick_graph_n_use(r->g, n->out) == 1 ? n : NULL;
}

static bool is_shaped(const wick_raiser *r, wick_value_id v, wick_dtype dtype, int rank, wick_dim a, wick_dim b) {
    const wick_value *x = wick_r_value(r, v);
    return x && x->dtype == dtype && x->rank == rank && wick_dim_equal(x->dims[0], a) && (rank < 2 || wick_dim_equal(x->dims[1], b));
}

/* The tokens P .. P+S-1, seen as a line or (rank 2) as a column. */
static bool is_tokens(const wick_raiser *r, wick_value_id v, int rank, wick_dim n_row) {
    return is_shaped(r, v, WICK_I64, rank, n_row, wick_dim_const(1)) && wick_r_is_positions(r, v, n_row);
}

static bool counts_up(const wick_raiser *r, wick_value_id v, int64_t n) {
    return is_shaped(r, v, WICK_I64, 1, wick_dim_const(n), (wick_dim){0}) && wick_r_counts(r, v, n);
}

/* v = the list with this step's tokens put into it. */
static bool find_list(const wick_raiser *r, wick_value_id v, wick_dim n_row, wick_r_ring *out) {
    const wick_node *put = wick_r_made_by_instr(r, v, WICK_I_INDEX_PUT);
    wick_dim size = wick_dim_const(out->size), none = {0};
    if (!put || put->out != wick_r_now(r, v) || put->n_in != 3 || put->attrs.fine.flag) return false;
    wick_value_id places = wick_r_in(r, put, 1);
    wick_wrap wrap;
    if (!is_shaped(r, places, WICK_I64, 1, n_row, none) || !wick_r_is_wrapped(r, places, n_row, &wrap) || wrap.n_fixed != out->n_sink ||
        wrap.n_fixed + wrap.period != out->size || r->g->max_seq_len > wrap.period) /* two tokens of a step in one place */
        return false;
    if (!is_tokens(r, wick_r_in(r, put, 2), 1, n_row)) return false;
    const wick_node *copy = only_instr(r, wick_r_in(r, put, 0), WICK_I_COPY);
    const wick_node *where = copy ? only_instr(r, wick_r_in(r, copy, 1), WICK_I_WHERE) : NULL;
    const wick_node *below = where ? only_instr(r, wick_r_in(r, where, 0), WICK_I_LT_SCALAR) : NULL;
    const wick_node *empty = where ? wick_r_made_by_instr(r, wick_r_in(r, where, 2), WICK_I_FULL) : NULL;
    if (!below || !empty || !wick_r_is_with(below, (wick_dim){0, 0, 1}) || !counts_up(r, wick_r_in(r, below, 0), out->size)) return false;
    wick_value_id old = wick_r_in(r, where, 1);
    if (empty->attrs.fine.number != -1 || !is_shaped(r, empty->out, WICK_I64, 1, size, none) || old != wick_r_in(r, copy, 0)) return false;
    if (!is_shaped(r, put->out, WICK_I64, 1, size, none) || !is_shaped(r, copy->out, WICK_I64, 1, size, none) ||
        !is_shaped(r, where->out, WICK_I64, 1, size, none) || !is_shaped(r, below->out, WICK_BOOL, 1, size, none) ||
        !is_shaped(r, old, WICK_I64, 1, size, none))
        return false;
    const wick_value *state = wick_r_value(r, old);
    if (state->kind != WICK_VALUE_STATE || state->producer >= 0 || wick_graph_n_use(r->g, old) != 2) return false;
    out->keeper = wick_r_keeper(r, put->out, old);
    out->list = put->out;
    out->places = wick_r_strip(r, places);
    return out->keeper >= 0 && wick_graph_n_use(r->g, r->g->nodes[out->keeper].out) == 0;
}

/* What the mask asks of the list and of the distance. */
enum { IS_FILLED, IS_BEFORE, IS_NEAR, IS_SINK, N_CONDITION };

/* Takes one of the conditions; false: it is none, or was there before. */
static bool take_condition(const wick_raiser *r, wick_value_id v, wick_value_id seen[N_CONDITION], wick_r_ring *out) {
    const wick_node *ge = only_instr(r, v, WICK_I_GE_SCALAR), *lt = only_instr(r, v, WICK_I_LT_SCALAR), *n = ge ? ge : lt;
    if (!n || wick_r_value(r, n->out)->dtype != WICK_BOOL) return false;
    wick_dim with = wick_dim_const(ge ? 0 : n->attrs.fine.start.c);
    wick_value_id x = wick_r_in(r, n, 0);
    bool of_list = wick_r_value(r, x)->rank == 1;
    int i = ge ? (of_list ? IS_FILLED : IS_BEFORE) : of_list ? IS_SINK : IS_NEAR;
    if (seen[i] >= 0 || !wick_r_is_with(n, with)) return false;
    if (i == IS_NEAR) out->window = with.c;
    if (i == IS_SINK) out->n_sink = with.c;
    seen[i] = x;
    return true;
}

/* v = filled and before and (near, or sink or near) */
static bool take_conditions(const wick_raiser *r, const wick_node *outer, wick_dim n_row, wick_value_id seen[N_CONDITION],
                            wick_r_ring *out) {
    const wick_node *inner = only_instr(r, wick_r_in(r, outer, 0), WICK_I_BITWISE_AND);
    const wick_node *either = only_instr(r, wick_r_in(r, outer, 1), WICK_I_BITWISE_OR);
    wick_dim size = wick_dim_const(out->size);
    if (!inner || !is_shaped(r, outer->out, WICK_BOOL, 2, n_row, size) || !is_shaped(r, inner->out, WICK_BOOL, 2, n_row, size))
        return false;
    if (!take_condition(r, wick_r_in(r, inner, 0), seen, out) || !take_condition(r, wick_r_in(r, inner, 1), seen, out)) return false;
    if (!either) return take_condition(r, wick_r_in(r, outer, 1), seen, out) && seen[IS_SINK] < 0;
    if (seen[IS_FILLED] < 0 || seen[IS_BEFORE] < 0 || !is_shaped(r, either->out, WICK_BOOL, 2, n_row, size)) return false;
    return take_condition(r, wick_r_in(r, either, 0), seen, out) && take_condition(r, wick_r_in(r, either, 1), seen, out);
}

/* v = mask [S, L]: one number less another. */
static bool find_mask(const wick_raiser *r, wick_value_id v, wick_dim n_row, wick_r_ring *out) {
    const wick_node *where = only_instr(r, v, WICK_I_WHERE);
    const wick_node *eq = where ? only_instr(r, wick_r_in(r, where, 0), WICK_I_EQ_SCALAR) : NULL;
    const wick_node *all = eq && wick_r_is_with(eq, wick_dim_const(1)) ? only_instr(r, wick_r_in(r, eq, 0), WICK_I_BITWISE_AND) : NULL;
    double yes, no;
    wick_value_id seen[N_CONDITION] = {-1, -1, -1, -1};
    wick_dim size = wick_dim_const(out->size);
    if (!all || !wick_r_scalar(r, wick_r_in(r, where, 1), &yes) || !wick_r_scalar(r, wick_r_in(r, where, 2), &no)) return false;
    if (yes != 0 || !isinf(no) || no > 0 || !is_shaped(r, where->out, WICK_F32, 2, n_row, size)) return false;
    if (!is_shaped(r, eq->out, WICK_BOOL, 2, n_row, size) || !take_conditions(r, all, n_row, seen, out)) return false;
    const wick_node *behind = wick_r_is(r, seen[IS_BEFORE], WICK_OP_f_sub);
    if (!behind || seen[IS_NEAR] != seen[IS_BEFORE] || behind->n_in != 2 || behind->attrs.fine.number != 1 ||
        wick_r_in(r, behind, 1) != seen[IS_FILLED] || (seen[IS_SINK] >= 0 && seen[IS_SINK] != seen[IS_FILLED]))
        return false;
    int n_use = seen[IS_SINK] >= 0 ? 4 : 3; /* the conditions, the distance and the keeper */
    return is_shaped(r, behind->out, WICK_I64, 2, n_row, size) && wick_graph_n_use(r->g, behind->out) == 2 &&
           is_tokens(r, wick_r_in(r, behind, 0), 2, n_row) && find_list(r, seen[IS_FILLED], n_row, out) &&
           wick_graph_n_use(r->g, out->list) == n_use;
}

bool wick_r_find_ring(const wick_raiser *r, wick_value_id mask, wick_dim n_row, int64_t size, wick_r_ring *out) {
    *out = (wick_r_ring){.size = size, .keeper = -1};
    return find_mask(r, mask, n_row, out) && out->window >= 1 && out->window <= size - out->n_sink;
}

wick_value_id wick_r_put_in_ring(const wick_raiser *r, wick_value_id v, const wick_r_ring *ring, wick_dim n_row, wick_value_id *state) {
    const wick_node *update = wick_r_made_by_instr(r, v, WICK_I_UPDATE_CACHE_WITH_INDICES);
    if (!update || update->out != wick_r_now(r, v) || update->n_in != 3 || update->attrs.fine.axis != 0) return -1;
    wick_value_id in = wick_r_in(r, update, 0);
    *state = wick_r_in(r, update, 1);
    const wick_value *s = wick_r_value(r, *state), *rows = wick_r_value(r, in);
    if (s->kind != WICK_VALUE_STATE || s->producer >= 0 || s->rank != 4 || s->dims[0].c != 1 || s->dims[1].c != ring->size ||
        wick_r_strip(r, wick_r_in(r, update, 2)) != ring->places)
        return -1;
    if (rows->rank != 4 || rows->dtype != s->dtype || !wick_dim_equal(rows->dims[0], wick_dim_const(1)) ||
        !wick_dim_equal(rows->dims[1], n_row) || !wick_dim_equal(rows->dims[2], s->dims[2]) || !wick_dim_equal(rows->dims[3], s->dims[3]))
        return -1;
    bool alone = wick_r_writer(r, *state) == (wick_node_id)(update - r->g->nodes) && wick_graph_n_use(r->g, update->out) == 1 &&
                 wick_graph_n_use(r->g, *state) == 1;
    return alone ? in : -1;
}

/* Positions that the program can give rows: a ring has no end of its own, its rope tables have. */
int64_t wick_r_ring_context(const wick_raiser *r) {
    int64_t context = 0;
    for (size_t i = 0; i < r->g->n_node; i++) {
        const wick_node *n = &r->g->nodes[i];
        if (n->dead || n->op != WICK_OP_rope) continue;
        int64_t rows = r->g->values[n->in[1]].dims[0].c;
        if (!context || rows < context) context = rows;
    }
    return context;
}

/* v: q, k, v, then the states; v[5]: what keeps the list; n: as wick_r_build_attention wants them */
static bool match_ring(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_value_id q = wick_r_in(r, n, 0), keys = wick_r_in(r, n, 1), values = wick_r_in(r, n, 2);
    const wick_value *query = wick_r_value(r, q), *held = wick_r_value(r, keys);
    wick_r_ring ring;
    if (wick_r_in(r, n, 3) < 0 || n->attrs.fine.flag || !wick_dim_equal(n->attrs.fine.start, wick_dim_const(0))) return false;
    if (query->rank != 4 || !wick_dim_equal(query->dims[0], wick_dim_const(1)) || held->rank != 4) return false;
    wick_dim n_row = query->dims[1];
    if (!wick_r_find_ring(r, wick_r_in(r, n, 3), n_row, held->dims[1].c, &ring)) return false;
    wick_value_id k_state, v_state, k = wick_r_put_in_ring(r, keys, &ring, n_row, &k_state),
                                    v = wick_r_put_in_ring(r, values, &ring, n_row, &v_state);
    if (k < 0 || v < 0 || k_state == v_state || !wick_r_same_dims(held, wick_r_value(r, values))) return false;
    int64_t n_kv_head = held->dims[2].c, d_head = held->dims[3].c, n_head = query->dims[2].c;
    if (query->dims[3].c != d_head || n_head < 1 || n_kv_head < 1 || n_head % n_kv_head) return false;
    *m = (wick_match){.v = {q, k, v, k_state, v_state, r->g->nodes[ring.keeper].out},
                      .n = {wick_r_writer(r, k_state), wick_r_writer(r, v_state), wick_r_ring_context(r), n_kv_head, d_head, n_head,
                            ring.window, ring.n_sink}};
    m->number[0] = n->attrs.fine.number != 0 ? n->attrs.fine.number : 1 / sqrt((double)d_head);
    return m->n[2] > 0;
}

static wick_value_id build_ring(wick_raiser *r, const wick_node *n, const wick_match *m) {
    r->g->nodes[r->g->values[m->v[5]].producer].writes_state = false;
    return wick_r_build_attention(r, n, m);
}

const wick_pattern wick_pat_ring[] = {{"attention over a ring", WICK_OP_f_sdpa, match_ring, build_ring}};
const size_t wick_n_pat_ring = sizeof wick_pat_ring / sizeof *wick_pat_ring;
