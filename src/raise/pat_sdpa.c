/* Attention spelled out in plain operators: heads before tokens, keys and values put into their caches by index, repeated for the heads
 * that share them, scores with a causal mask, softmax (with zeros for rows that see nothing, which a causal mask does not leave), and the
 * weighted sum. The cache is copied back where it came from at the end of the step. */
#include "raise/raise_int.h"

#include <math.h>

/* Whether v is shown with these last three dimensions, and 1 before them. */
static bool has_dims(const wick_raiser *r, wick_value_id v, wick_dim a, wick_dim b, wick_dim c) {
    const wick_value *x = wick_r_value(r, v);
    int n = x->rank;
    for (int i = 0; i < n - 3; i++)
        if (!wick_dim_equal(x->dims[i], wick_dim_const(1))) return false;
    return n >= 3 && wick_dim_equal(x->dims[n - 3], a) && wick_dim_equal(x->dims[n - 2], b) && wick_dim_equal(x->dims[n - 1], c);
}

/* Behind a factor, which is multiplied into *scale. */
static wick_value_id unscaled(const wick_raiser *r, wick_value_id v, double *scale) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_mul);
    if (!n || n->n_in != 1) return v;
    *scale *= n->attrs.fine.number;
    return wick_r_in(r, n, 0);
}

/* cond ? 0 : -inf over a band of a cache's columns, up to each row's own position. window: 0 if it reaches back to the first one. */
static bool is_band_mask(const wick_raiser *r, wick_value_id mask, wick_dim n_row, wick_dim n_key, int64_t *window) {
    const wick_node *where = wick_r_made_by_instr(r, mask, WICK_I_WHERE);
    wick_r_band band;
    double yes, no;
    if (!where || !wick_r_scalar(r, wick_r_in(r, where, 1), &yes) || !wick_r_scalar(r, wick_r_in(r, where, 2), &no)) return false;
    if (yes != 0 || !isinf(no) || no > 0 || !wick_dim_is_const(n_key)) return false;
    if (!wick_r_is_band(r, wick_r_in(r, where, 0), n_row, n_key.c, &band) || band.upto != 0 || band.above >= 0) return false;
    *window = band.above == INT64_MIN ? 0 : -band.above;
    return true;
}

/* cond ? 0 : -inf over a lower triangle, rows P.. and all columns; without a cache, as many columns as rows. */
static bool is_causal_mask(const wick_raiser *r, wick_value_id mask, wick_dim n_key) {
    const wick_node *where = wick_r_made_by_instr(r, mask, WICK_I_WHERE);
    const wick_node *slice = where ? wick_r_is(r, wick_r_in(r, where, 0), WICK_OP_f_slice) : NULL;
    double yes, no;
    if (slice && !wick_dim_is_const(n_key)) {
        if (slice->attrs.fine.axis != 1 || !wick_dim_equal(slice->attrs.fine.start, wick_dim_const(0))) return false;
        slice = wick_r_is(r, wick_r_in(r, slice, 0), WICK_OP_f_slice);
    }
    if (!slice || !wick_r_scalar(r, wick_r_in(r, where, 1), &yes) || !wick_r_scalar(r, wick_r_in(r, where, 2), &no)) return false;
    const wick_value *t = wick_r_value(r, wick_r_in(r, slice, 0));
    if (yes != 0 || !isinf(no) || no > 0 || slice->attrs.fine.axis != 0 || t->kind != WICK_VALUE_CONST || t->dtype != WICK_BOOL)
        return false;
    int64_t context = t->rank == 2 ? t->dims[0].c : 0;
    if (!wick_r_is_position(r, slice->attrs.fine.start) || context < 1 || t->dims[1].c != context) return false;
    if (wick_dim_is_const(n_key) && n_key.c != context) return false;
    const uint8_t *cells = t->parts[0].data.bytes;
    for (int64_t i = 0; i < context; i++)
        for (int64_t k = 0; k < context; k++)
            if (!!cells[i * context + k] != (k <= i)) return false;
    return true;
}

/* v = no element of the last dimension of t is other than -inf */
static bool sees_nothing(const wick_raiser *r, wick_value_id v, wick_value_id t) {
    const wick_node *none = wick_r_made_by_instr(r, v, WICK_I_LOGICAL_NOT);
    const wick_node *any = none ? wick_r_made_by_instr(r, wick_r_in(r, none, 0), WICK_I_ANY) : NULL;
    const wick_node *other = any ? wick_r_made_by_instr(r, wick_r_in(r, any, 0), WICK_I_LOGICAL_NOT) : NULL;
    const wick_node *eq = other ? wick_r_made_by_instr(r, wick_r_in(r, other, 0), WICK_I_EQ_SCALAR) : NULL;
    return eq && isinf(eq->attrs.fine.number) && eq->attrs.fine.number < 0 && wick_r_strip(r, wick_r_in(r, eq, 0)) == wick_r_strip(r, t);
}

/* The softmax in v, perhaps with zeros where it sees nothing. */
static const wick_node *find_softmax(const wick_raiser *r, wick_value_id v) {
    const wick_node *where = wick_r_made_by_instr(r, v, WICK_I_WHERE);
    if (!where) return wick_r_made_by(r, v, WICK_OP_f_softmax);
    const wick_node *softmax = wick_r_made_by(r, wick_r_in(r, where, 2), WICK_OP_f_softmax);
    const wick_node *zero = wick_r_made_by_instr(r, wick_r_in(r, where, 1), WICK_I_FULL_LIKE);
    return softmax && zero && zero->attrs.fine.number == 0 && sees_nothing(r, wick_r_in(r, where, 0), wick_r_in(r, softmax, 0)) ? softmax
                                                                                                                                : NULL;
}

typedef struct source {
    wick_value_id rows, state; /* state: -1 without a cache */
    wick_node_id keeper;       /* writes the cache back; -1 without one */
    wick_dim n_key;            /* C, or S without a cache */
    int64_t n_head, d_head;
} source;

/* What is put where the step's tokens stand, [1, G, S, D], and into what; -1: nothing. Older exporters cut out a place of the cache, copy
 * the rows over it, and put that back. */
static wick_value_id put_by_slice(const wick_raiser *r, const wick_node *put, wick_value_id *state) {
    wick_value_id from = wick_r_in(r, put, 1);
    const wick_node *copy = wick_r_made_by_instr(r, from, WICK_I_COPY);
    if (copy && !wick_r_same_dims(wick_r_value(r, wick_r_in(r, copy, 0)), wick_r_value(r, wick_r_in(r, copy, 1)))) return -1;
    if (copy) from = wick_r_in(r, copy, 1);
    const wick_value *x = wick_r_value(r, from);
    wick_dim start = {0, 0, 1}, end;
    *state = wick_r_in(r, put, 0);
    bool here = x->rank == 4 && put->attrs.fine.axis == 2 && wick_dim_equal(put->attrs.fine.start, start) &&
                wick_r_dim_add(start, x->dims[2], &end) && wick_dim_equal(put->attrs.fine.end, end);
    return here ? from : -1;
}

static wick_value_id put_by_index(const wick_raiser *r, const wick_node *put, wick_value_id *state) {
    if (put->n_in != 5 || put->attrs.fine.flag || wick_r_in(r, put, 1) >= 0 || wick_r_in(r, put, 2) >= 0) return -1;
    wick_value_id from = wick_r_in(r, put, 4);
    *state = wick_r_in(r, put, 0);
    return wick_r_value(r, from)->rank == 4 && wick_r_is_positions(r, wick_r_in(r, put, 3), wick_r_value(r, from)->dims[2]) ? from : -1;
}

/* How many times this step's version of a cache and the one before are read, apart from each other. */
static bool read_once(const wick_raiser *r, const wick_node *put, wick_value_id state, bool by_slice) {
    const wick_node *copy = by_slice ? wick_r_made_by_instr(r, wick_r_in(r, put, 1), WICK_I_COPY) : NULL;
    const wick_node *cut = copy ? wick_r_made_by(r, wick_r_in(r, copy, 0), WICK_OP_f_slice) : NULL;
    bool own_cut = cut && wick_r_in(r, cut, 0) == state && wick_graph_n_use(r->g, cut->out) == 1 && wick_graph_n_use(r->g, copy->out) == 1;
    return wick_graph_n_use(r->g, state) == (own_cut ? 2 : 1);
}

bool wick_r_put_cache(const wick_raiser *r, wick_value_id v, wick_r_cache *c) {
    const wick_node *by_index = wick_r_made_by_instr(r, v, WICK_I_INDEX_PUT), *by_slice = wick_r_made_by_instr(r, v, WICK_I_SLICE_SCATTER);
    const wick_node *put = by_index ? by_index : by_slice;
    if (!put) return false;
    c->rows = by_index ? put_by_index(r, put, &c->state) : put_by_slice(r, put, &c->state);
    c->rows = c->rows < 0 ? -1 : wick_r_permuted(r, c->rows, 0, 2, 1, 3);
    if (c->rows < 0) return false;
    const wick_value *s = wick_r_value(r, c->state);
    if (s->kind != WICK_VALUE_STATE || s->producer >= 0 || s->rank != 4) return false;
    c->context = s->dims[2].c;
    c->n_head = s->dims[1].c;
    c->d_head = s->dims[3].c;
    c->writer = wick_r_keeper(r, put->out, c->state);
    return s->dims[0].c == 1 && c->writer >= 0 && wick_r_starts_zero(r, c->state) && read_once(r, put, c->state, by_slice != NULL);
}

static bool find_cache(const wick_raiser *r, wick_value_id v, source *s) {
    wick_r_cache c;
    if (!wick_r_put_cache(r, v, &c)) return false;
    *s = (source){c.rows, c.state, c.writer, wick_dim_const(c.context), c.n_head, c.d_head};
    return true;
}

/* v = this step's rows [1, S, G, D] with heads before tokens, in a program that sees the whole sequence at every step. A cache is what
 * such a program could have had: with a causal mask, keys and values of earlier tokens never change. */
static bool find_rows(const wick_raiser *r, wick_value_id v, source *c) {
    c->rows = r->has_position ? -1 : wick_r_permuted(r, v, 0, 2, 1, 3);
    if (c->rows < 0) return false;
    const wick_value *rows = wick_r_value(r, c->rows);
    c->state = c->keeper = -1;
    c->n_key = rows->dims[1];
    c->n_head = rows->dims[2].c;
    c->d_head = rows->dims[3].c;
    return true;
}

/* v [H, n_key, D]: keys or values, each of their heads H/G times. */
static bool find_source(const wick_raiser *r, wick_value_id v, int64_t n_head, source *c) {
    const wick_node *expand = wick_r_made_by_instr(r, v, WICK_I_EXPAND_COPY);
    wick_value_id once = expand ? wick_r_in(r, expand, 0) : v;
    if (!find_cache(r, once, c) && !find_rows(r, once, c)) return false;
    if (c->n_head < 1 || c->d_head < 1 || n_head % c->n_head || (!expand && n_head != c->n_head)) return false;
    if (!expand) return true;
    const wick_value *many = wick_r_value(r, expand->out), *one = wick_r_value(r, once);
    return many->rank == 5 && one->rank == 5 && one->dims[2].c == 1 && wick_dim_is_const(one->dims[2]) && many->dims[1].c == c->n_head &&
           many->dims[2].c == n_head / c->n_head && wick_dim_equal(many->dims[3], c->n_key) && wick_dim_equal(one->dims[3], c->n_key);
}

typedef struct steps {
    wick_value_id query, keys; /* as the scores' product takes them */
    const wick_node *scores, *masked, *sum;
} steps;

/* The chain of steps from the transposition back to the scores. */
static bool find_steps(const wick_raiser *r, const wick_node *n, steps *s) {
    const int *p = n->attrs.fine.perm;
    if (wick_r_value(r, n->out)->rank != 4 || p[0] != 0 || p[1] != 2 || p[2] != 1 || p[3] != 3) return false;
    s->sum = wick_r_made_by(r, wick_r_in(r, n, 0), WICK_OP_f_matmul);
    const wick_node *softmax = s->sum ? find_softmax(r, wick_r_in(r, s->sum, 0)) : NULL;
    s->masked = softmax ? wick_r_made_by(r, wick_r_in(r, softmax, 0), WICK_OP_f_add) : NULL;
    if (!s->masked || s->masked->n_in != 2 || s->masked->attrs.fine.number != 1) return false;
    s->scores = wick_r_made_by(r, wick_r_in(r, s->masked, 0), WICK_OP_f_matmul);
    return s->scores != NULL;
}

/* Every step has heads, rows and keys where it should. */
static bool has_shapes(const wick_raiser *r, const wick_node *n, const steps *t, const source *k, const source *v) {
    const wick_value *out = wick_r_value(r, n->out);
    wick_dim h = out->dims[2], s = out->dims[1], d = wick_dim_const(k->d_head), g = wick_dim_const(k->n_head);
    return wick_dim_equal(out->dims[3], d) && wick_dim_equal(k->n_key, v->n_key) && k->n_head == v->n_head && k->d_head == v->d_head &&
           has_dims(r, wick_r_in(r, t->scores, 0), h, s, d) && has_dims(r, wick_r_in(r, t->scores, 1), h, d, k->n_key) &&
           has_dims(r, t->masked->out, h, s, k->n_key) && has_dims(r, wick_r_in(r, t->sum, 0), h, s, k->n_key) &&
           has_dims(r, wick_r_in(r, t->sum, 1), h, k->n_key, d) && has_dims(r, wick_r_in(r, n, 0), h, s, d) &&
           has_dims(r, k->rows, s, g, d) && has_dims(r, v->rows, s, g, d);
}

/* v: q, k, v, then the states; n: keepers, C, G, D, H; number[0]: scale */
static bool match_sdpa(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_value *out = wick_r_value(r, n->out);
    steps t;
    source k, v;
    double scale = 1;
    wick_dim n_row;
    int64_t width;
    if (!find_steps(r, n, &t) || !wick_r_rows(out, &n_row, &width) || !wick_dim_equal(n_row, out->dims[1])) return false;
    wick_value_id q = wick_r_permuted(r, unscaled(r, wick_r_in(r, t.scores, 0), &scale), 0, 2, 1, 3);
    wick_value_id keys = wick_r_permuted(r, unscaled(r, wick_r_in(r, t.scores, 1), &scale), 0, 1, 3, 2);
    if (q < 0 || keys < 0 || !wick_r_same_dims(wick_r_value(r, q), out)) return false;
    if (!find_source(r, keys, out->dims[2].c, &k) || !find_source(r, wick_r_in(r, t.sum, 1), out->dims[2].c, &v)) return false;
    if ((k.state >= 0 && k.state == v.state) || (k.state < 0) != (v.state < 0)) return false;
    wick_value_id mask = wick_r_in(r, t.masked, 1);
    int64_t window = 0;
    if (!has_shapes(r, n, &t, &k, &v)) return false;
    if (!is_band_mask(r, mask, out->dims[1], k.n_key, &window) && !is_causal_mask(r, mask, k.n_key)) return false;
    int64_t context = k.state >= 0 ? k.n_key.c : r->g->max_seq_len;
    *m = (wick_match){.v = {q, k.rows, v.rows, k.state, v.state},
                      .n = {k.keeper, v.keeper, context, k.n_head, k.d_head, out->dims[2].c, window}};
    m->number[0] = scale;
    return true;
}

const wick_pattern wick_pat_sdpa[] = {{"attention in plain operators", WICK_OP_f_permute, match_sdpa, wick_r_build_attention}};
const size_t wick_n_pat_sdpa = sizeof wick_pat_sdpa / sizeof *wick_pat_sdpa;
