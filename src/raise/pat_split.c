/* Slices of rows: a range of columns (split), or the last token's row (last_row). */
#include "raise/raise_int.h"

/* n[0]: first column, n[1]: columns */
static bool match_columns(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_value *x = wick_r_value(r, wick_r_in(r, n, 0));
    const wick_dim start = n->attrs.fine.start, end = n->attrs.fine.end;
    int inner = wick_r_inner(x), axis = (int)n->attrs.fine.axis;
    wick_dim n_row;
    int64_t width, block = 1;
    if (!wick_r_rows(x, &n_row, &width) || axis < inner || !wick_dim_is_const(start) || !wick_dim_is_const(end) || end.c <= start.c)
        return false;
    for (int i = inner; i < axis; i++)
        if (x->dims[i].c != 1) return false;
    for (int i = axis + 1; i < x->rank; i++) block *= x->dims[i].c;
    m->n[0] = start.c * block;
    m->n[1] = (end.c - start.c) * block;
    return true;
}

static wick_value_id build_columns(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_attrs attrs = {.split = {m->n[0], m->n[1]}};
    wick_value_id x = wick_r_as_rows(r, wick_r_in(r, n, 0));
    return wick_r_like(r, wick_r_op(r, WICK_OP_split, attrs, 1, &x), n->out);
}

static bool match_last_row(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_value *x = wick_r_value(r, wick_r_in(r, n, 0));
    wick_dim n_row;
    int64_t width;
    (void)m;
    return wick_r_rows(x, &n_row, &width) && n->attrs.fine.axis == wick_r_inner(x) - 1 && wick_dim_equal(n_row, wick_dim_s()) &&
           wick_dim_equal(n->attrs.fine.start, (wick_dim){-1, 1, 0}) && wick_dim_equal(n->attrs.fine.end, wick_dim_s());
}

static wick_value_id build_last_row(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)m;
    wick_value_id x = wick_r_as_rows(r, wick_r_in(r, n, 0));
    return wick_r_like(r, wick_r_op(r, WICK_OP_last_row, (wick_attrs){.linear = {0}}, 1, &x), n->out);
}

/* Columns of columns, and all columns. v[0]: the row, n: start, count */
static bool match_split_again(wick_raiser *r, const wick_node *n, wick_match *m) {
    wick_value_id x = wick_r_in(r, n, 0);
    const wick_node *outer = wick_r_made_by(r, x, WICK_OP_split);
    m->n[0] = n->attrs.split.start;
    m->n[1] = n->attrs.split.count;
    m->v[0] = outer ? wick_r_in(r, outer, 0) : x;
    if (outer) m->n[0] += outer->attrs.split.start;
    return outer || m->n[1] == wick_value_width(wick_r_value(r, x));
}

static wick_value_id build_split_again(wick_raiser *r, const wick_node *n, const wick_match *m) {
    (void)n;
    if (m->n[1] == wick_value_width(wick_r_value(r, m->v[0]))) return m->v[0];
    return wick_r_op(r, WICK_OP_split, (wick_attrs){.split = {m->n[0], m->n[1]}}, 1, m->v);
}

/* Whole heads of a rope: rope of those heads. v: x, cos, sin; n[0]: heads; n[1]: the rope */
static bool match_split_rope(wick_raiser *r, const wick_node *n, wick_match *m) {
    const wick_node *rope = wick_r_made_by(r, wick_r_in(r, n, 0), WICK_OP_rope);
    if (!rope) return false;
    int64_t d = wick_value_width(wick_r_value(r, rope->out)) / rope->attrs.rope.n_head;
    if (n->attrs.split.start % d || n->attrs.split.count % d) return false;
    for (int i = 0; i < 3; i++) m->v[i] = wick_r_in(r, rope, i);
    m->n[0] = n->attrs.split.count / d;
    m->n[1] = rope - r->g->nodes;
    return true;
}

static wick_value_id build_split_rope(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id in[3] = {wick_r_op(r, WICK_OP_split, n->attrs, 1, m->v), m->v[1], m->v[2]};
    wick_attrs attrs = r->g->nodes[m->n[1]].attrs;
    attrs.rope.n_head = m->n[0];
    return in[0] < 0 ? -1 : wick_r_op(r, WICK_OP_rope, attrs, 3, in);
}

const wick_pattern wick_pat_split[] = {
    {"columns", WICK_OP_f_slice, match_columns, build_columns},
    {"last row", WICK_OP_f_slice, match_last_row, build_last_row},
    {"split of rope", WICK_OP_split, match_split_rope, build_split_rope},
    {"split of split", WICK_OP_split, match_split_again, build_split_again},
};
const size_t wick_n_pat_split = sizeof wick_pat_split / sizeof *wick_pat_split;
