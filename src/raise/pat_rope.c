/* Rotary embedding, by algebra over the lanes of a head.
 *
 * Programs write it in many ways: over even and odd lanes that were taken apart and put together again, over halves that change
 * places, with the sign in a negation, a subtraction or the table, over all lanes of a head or the first ones. All of them compute, for
 * each lane, a sum of at most two terms sign * x[lane'] * table[column]. So every value near a slice, a product with table rows, a
 * concatenation or a sum is followed as a list of such terms per lane, and what counts is the list:
 *
 *     out[a] = x[a] * cos[i] - x[b] * sin[i],     out[b] = x[b] * cos[i] + x[a] * sin[i]      for each pair (a, b) = pair i
 *
 * with pairs (2i, 2i+1) or (i, i + n/2), lanes above n as they are, and table columns that are equal where they must be. The table's rows
 * are those of the step's positions, perhaps wrapped (graph.h). */
#include "base/half.h"
#include "base/mem.h"
#include "raise/raise_int.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LANES = 1024 };

typedef struct term {
    int8_t sign;    /* 0: no term */
    int16_t lane;   /* of the base; for table rows the column */
    int16_t column; /* of `table`; -1: factor 1 */
    int32_t table;  /* index into lane_map.tables */
} term;

typedef struct lane {
    term t[2];
} lane;

/* Rows of a constant, one per token. */
typedef struct table {
    wick_value_id value;
    wick_wrap wrap;
} table;

/* What is known of a value: rows of a table, or lanes computed from the lanes of base. */
typedef struct lanes {
    wick_value_id base; /* of rows: index into lane_map.tables */
    bool is_table;
    int n;
    lane *at;
} lanes;

typedef struct lane_map {
    wick_raiser *r;
    lanes *of; /* [n_value] of the graph when the family began; at == NULL: nothing known */
    size_t n_value;
    table *tables;
    size_t n_table, table_cap;
    lane **blocks; /* all lane lists */
    size_t n_block, block_cap;
    wick_value_id cos, sin; /* tables of the last rope, and the terms that they were made of: other ropes mostly use the same */
    const lane *last;
    int last_n;
    wick_rope_style last_style;
} lane_map;

static lane *new_lanes(lane_map *m, int n) {
    lane *l = WICK_GROW(m->blocks, m->n_block, m->block_cap) ? WICK_NEW_ARRAY(lane, (size_t)n) : NULL;
    if (l) {
        m->blocks[m->n_block++] = l;
    } else {
        m->r->g->failed = true;
    }
    return l;
}

/* [1, heads, tokens, lanes], as some programs have it before attention. */
static bool heads_first(const wick_value *v) {
    return v->rank == 4 && wick_r_inner(v) == 3 && wick_dim_equal(v->dims[0], wick_dim_const(1)) && wick_dim_is_const(v->dims[1]);
}

/* First dimension after the tokens and the heads; -1: v has no such form. */
static int first_lane_dim(const wick_value *v) {
    int inner = wick_r_inner(v);
    if (heads_first(v)) return inner;
    return v->rank > inner + 1 ? inner + 1 : -1;
}

static int count_lanes(const wick_value *v) {
    int from = first_lane_dim(v);
    int64_t n = 1;
    if (from < 0) return 0;
    for (int i = from; i < v->rank; i++) {
        n *= v->dims[i].c;
        if (n <= 0 || n > MAX_LANES) return 0;
    }
    return (int)n;
}

/* The number of a table; -1: no memory. */
static int32_t table_index(lane_map *m, wick_value_id value, wick_wrap wrap) {
    for (size_t i = 0; i < m->n_table; i++) {
        const table *t = &m->tables[i];
        if (t->value == value && t->wrap.n_fixed == wrap.n_fixed && t->wrap.period == wrap.period) return (int32_t)i;
    }
    if (!WICK_GROW(m->tables, m->n_table, m->table_cap)) {
        m->r->g->failed = true;
        return -1;
    }
    m->tables[m->n_table] = (table){value, wrap};
    return (int32_t)m->n_table++;
}

/* Whether a node takes one row per token of its first operand: a slice from the position on, or rows chosen by position. */
static bool takes_rows(const lane_map *m, const wick_node *n, wick_wrap *wrap) {
    const wick_value *y = wick_r_value(m->r, n->out);
    *wrap = (wick_wrap){0};
    if (n->op == WICK_OP_f_slice) return n->attrs.fine.axis == 0 && wick_r_is_position(m->r, n->attrs.fine.start) && !y->dims[0].p;
    const wick_node *index = wick_r_made_by_instr(m->r, n->out, WICK_I_INDEX_TENSOR);
    return index && index->out == n->out && n->n_in == 2 && wick_r_is_wrapped(m->r, n->in[1], y->dims[0], wrap);
}

/* A table [C, heads, ...] that was spread over heads: each row holds the same numbers for all of them. */
static bool is_spread(const wick_value *t) {
    uint64_t size = wick_dtype_size(t->dtype), n_head = (uint64_t)t->dims[1].c;
    if (t->rank < 3 || n_head < 2) return false;
    for (int i = 2; i < t->rank; i++) size *= (uint64_t)t->dims[i].c;
    const uint8_t *row = t->parts[0].data.bytes;
    for (int64_t r = 0; r < t->dims[0].c; r++, row += size * n_head)
        for (uint64_t h = 1; h < n_head; h++)
            if (memcmp(row, row + h * size, (size_t)size)) return false;
    return true;
}

/* Of a table spread over heads, the lanes of one head. */
static bool table_rows(lane_map *m, const wick_node *n, lanes *out) {
    const wick_value *t = n->n_in ? wick_r_value(m->r, n->in[0]) : NULL;
    int64_t width = 1;
    wick_wrap wrap;
    if (!t || t->kind != WICK_VALUE_CONST || !(t->dtype == WICK_F32 || t->dtype == WICK_F16 || t->dtype == WICK_BF16) || t->rank < 2 ||
        t->n_part != 1 || !takes_rows(m, n, &wrap))
        return false;
    for (int i = is_spread(t) ? 2 : 1; i < t->rank; i++)
        if ((width *= t->dims[i].c) > MAX_LANES || width <= 0) return false;
    *out = (lanes){table_index(m, n->in[0], wrap), true, (int)width, new_lanes(m, (int)width)};
    for (int i = 0; out->at && i < width; i++) out->at[i].t[0] = (term){1, (int16_t)i, -1, -1};
    return out->at != NULL && out->base >= 0;
}

/* The lanes of a value that nothing is known of: its own. */
static bool own_lanes(lane_map *m, wick_value_id v, lanes *out) {
    int n = count_lanes(wick_r_value(m->r, v));
    if (!n) return false;
    *out = (lanes){v, false, n, new_lanes(m, n)};
    for (int i = 0; out->at && i < n; i++) out->at[i].t[0] = (term){1, (int16_t)i, -1, -1};
    return out->at != NULL;
}

static const lanes *known(const lane_map *m, wick_value_id v) { return v >= 0 && (size_t)v < m->n_value && m->of[v].at ? &m->of[v] : NULL; }

/* Lanes of one value, perhaps under two names. */
static bool same_base(const lane_map *m, const lanes *a, const lanes *b) {
    if (a->is_table != b->is_table) return false;
    return a->base == b->base || (wick_r_strip(m->r, a->base) == wick_r_strip(m->r, b->base) &&
                                  wick_r_same_dims(wick_r_value(m->r, a->base), wick_r_value(m->r, b->base)));
}

/* Known, or its own. */
static bool lanes_of(lane_map *m, wick_value_id v, lanes *out) {
    const lanes *k = known(m, v);
    if (k) *out = *k;
    return k || own_lanes(m, v, out);
}

/* A view keeps what is known if the lanes still lie behind one dimension of heads (or of 1, for table rows). */
static bool through_view(lane_map *m, const wick_node *n, lanes *out) {
    const lanes *in = known(m, n->in[0]);
    const wick_value *y = wick_r_value(m->r, n->out), *x = wick_r_value(m->r, n->in[0]);
    if (!in) return false;
    *out = *in;
    if (in->is_table) return count_lanes(y) == in->n || (y->rank == 2 && y->dims[1].c == in->n);
    return heads_first(x) == heads_first(y) && count_lanes(y) == in->n &&
           wick_dim_equal(y->dims[first_lane_dim(y) - 1], x->dims[first_lane_dim(x) - 1]);
}

static bool through_slice(lane_map *m, const wick_node *n, lanes *out) {
    const wick_value *x = wick_r_value(m->r, n->in[0]), *y = wick_r_value(m->r, n->out);
    int axis = (int)n->attrs.fine.axis;
    lanes in;
    if (table_rows(m, n, out)) return true;
    bool flat = known(m, n->in[0]) && x->rank == 2 && axis == 1; /* columns of table rows [S, W] */
    if (!flat && (first_lane_dim(x) < 0 || axis < first_lane_dim(x))) return false;
    if (!wick_dim_is_const(n->attrs.fine.start) || !lanes_of(m, n->in[0], &in)) return false;
    int64_t inner = 1, size = x->dims[axis].c, from = n->attrs.fine.start.c, count = y->dims[axis].c;
    for (int i = axis + 1; i < x->rank; i++) inner *= x->dims[i].c;
    *out = (lanes){in.base, in.is_table, (int)(in.n / size * count), NULL};
    if (in.n % size || out->n <= 0 || !(out->at = new_lanes(m, out->n))) return false;
    int at = 0;
    for (int64_t i = 0; i < in.n; i++) {
        int64_t k = i / inner % size;
        if (k >= from && k < from + count) out->at[at++] = in.at[i];
    }
    return true;
}

static bool through_cat(lane_map *m, const wick_node *n, lanes *out) {
    const wick_value *y = wick_r_value(m->r, n->out);
    int axis = (int)n->attrs.fine.axis, from = first_lane_dim(y), total = count_lanes(y), at = 0;
    int64_t outer = 1, inner = 1;
    if (from < 0 || axis < from || !total || n->n_in > WICK_NODE_MAX_IN) return false;
    for (int i = from; i < axis; i++) outer *= y->dims[i].c;
    for (int i = axis + 1; i < y->rank; i++) inner *= y->dims[i].c;
    for (int k = 0; k < n->n_in; k++) {
        const lanes *in = known(m, n->in[k]);
        if (!in || in->is_table || (k && !same_base(m, in, known(m, n->in[0])))) return false;
    }
    *out = (lanes){known(m, n->in[0])->base, false, total, new_lanes(m, total)};
    for (int64_t o = 0; out->at && o < outer; o++)
        for (int k = 0; k < n->n_in; k++) {
            int64_t run = wick_r_value(m->r, n->in[k])->dims[axis].c * inner;
            for (int64_t i = 0; i < run; i++) out->at[at++] = known(m, n->in[k])->at[o * run + i];
        }
    return out->at != NULL;
}

static bool through_cast(lane_map *m, const wick_node *n, lanes *out) {
    const lanes *in = known(m, n->in[0]);
    if (!in || wick_r_strip(m->r, n->out) == n->out) return false;
    *out = *in;
    return true;
}

static bool through_neg(lane_map *m, const wick_node *n, lanes *out) {
    const lanes *in = known(m, n->in[0]);
    if (!in) return false;
    *out = (lanes){in->base, in->is_table, in->n, new_lanes(m, in->n)};
    for (int i = 0; out->at && i < in->n; i++)
        for (int k = 0; k < 2; k++) {
            out->at[i].t[k] = in->at[i].t[k];
            out->at[i].t[k].sign = (int8_t)-in->at[i].t[k].sign;
        }
    return out->at != NULL;
}

/* One for all heads, or already spread over them. */
static bool for_heads(wick_dim rows, wick_dim heads) { return wick_dim_equal(rows, wick_dim_const(1)) || wick_dim_equal(rows, heads); }

/* Where a step is a single token no dimension tells where the heads are: the rows' last dimensions are the lanes of x. */
static bool aligned_single(const wick_value *x, const wick_value *rows) {
    int n_lane = x->rank - first_lane_dim(x);
    if (first_lane_dim(x) < 0 || rows->rank < n_lane) return false;
    for (int i = 0; i < rows->rank; i++) {
        int at = i - (rows->rank - n_lane);
        if (!wick_dim_equal(rows->dims[i], at < 0 ? wick_dim_const(1) : x->dims[x->rank - n_lane + at])) return false;
    }
    return true;
}

static bool is_single(const wick_value *v) {
    int i = 0;
    while (i < v->rank && wick_dim_is_const(v->dims[i])) i++;
    return i == v->rank;
}

/* Table rows broadcast over the heads of x, lane by lane. */
static bool aligned(const wick_value *x, const wick_value *rows) {
    int lx = first_lane_dim(x), lt = first_lane_dim(rows);
    if (is_single(x) && is_single(rows) && aligned_single(x, rows)) return true;
    if (heads_first(x) != heads_first(rows)) return false;
    if (heads_first(x)) return for_heads(rows->dims[1], x->dims[1]) && wick_dim_equal(x->dims[2], rows->dims[2]);
    return lx > 1 && lt > 1 && x->rank - lx == rows->rank - lt && for_heads(rows->dims[lt - 1], x->dims[lx - 1]) &&
           wick_dim_equal(x->dims[lx - 2], rows->dims[lt - 2]);
}

static bool through_mul(lane_map *m, const wick_node *n, lanes *out) {
    if (n->n_in != 2) return false;
    const lanes *a = known(m, n->in[0]), *b = known(m, n->in[1]);
    int i_table = a && a->is_table ? 0 : b && b->is_table ? 1 : -1;
    lanes x;
    if (i_table < 0) return false;
    const lanes *t = i_table ? b : a;
    wick_value_id vx = n->in[1 - i_table];
    if (!aligned(wick_r_value(m->r, vx), wick_r_value(m->r, n->in[i_table])) || !lanes_of(m, vx, &x) || x.is_table || x.n != t->n)
        return false;
    *out = (lanes){x.base, false, x.n, new_lanes(m, x.n)};
    for (int i = 0; out->at && i < x.n; i++) {
        const term *s = &x.at[i].t[0];
        if (x.at[i].t[1].sign || s->column >= 0 || t->at[i].t[1].sign) return false;
        out->at[i].t[0] = (term){(int8_t)(s->sign * t->at[i].t[0].sign), s->lane, t->at[i].t[0].lane, t->base};
    }
    return out->at != NULL;
}

static bool through_sum(lane_map *m, const wick_node *n, lanes *out) {
    const lanes *a = known(m, n->in[0]), *b = n->n_in == 2 ? known(m, n->in[1]) : NULL;
    if (!a || !b || a->is_table || b->is_table || !same_base(m, a, b) || a->n != b->n || n->attrs.fine.number != 1) return false;
    if (!wick_r_same_dims(wick_r_value(m->r, n->in[0]), wick_r_value(m->r, n->in[1]))) return false;
    *out = (lanes){a->base, false, a->n, new_lanes(m, a->n)};
    for (int i = 0; out->at && i < a->n; i++) {
        if (a->at[i].t[1].sign || b->at[i].t[1].sign) return false;
        out->at[i].t[0] = a->at[i].t[0];
        out->at[i].t[1] = b->at[i].t[0];
        if (n->op == WICK_OP_f_sub) out->at[i].t[1].sign = (int8_t)-out->at[i].t[1].sign;
    }
    return out->at != NULL;
}

static bool follow(lane_map *m, const wick_node *n, lanes *out) {
    switch (n->op) {
    case WICK_OP_f_view: return through_view(m, n, out);
    case WICK_OP_f_slice: return through_slice(m, n, out);
    case WICK_OP_f_cat: return through_cat(m, n, out);
    case WICK_OP_f_cast: return through_cast(m, n, out);
    case WICK_OP_f_neg: return through_neg(m, n, out);
    case WICK_OP_f_mul: return through_mul(m, n, out);
    case WICK_OP_f_add:
    case WICK_OP_f_sub: return through_sum(m, n, out);
    case WICK_OP_f_other: return table_rows(m, n, out);
    default: return false;
    }
}

/* ---------------------------------------------------------------- recognising */

static const term *of_lane(const lane *l, int i) { return l->t[0].lane == i ? &l->t[0] : &l->t[1]; }

/* How many first lanes turn: all of them have two terms with tables, the others are themselves. -1: no rope. */
static int count_rotary(const lanes *l) {
    int n = 0;
    while (n < l->n && l->at[n].t[1].sign) n++;
    for (int i = n; i < l->n; i++) {
        const lane *at = &l->at[i];
        if (at->t[1].sign || at->t[0].sign != 1 || at->t[0].column >= 0 || at->t[0].lane != i) return -1;
    }
    return n >= 2 && n % 2 == 0 ? n : -1;
}

static int partner(wick_rope_style style, int n, int i) {
    return style == WICK_ROPE_INTERLEAVED ? i ^ 1 : i < n / 2 ? i + n / 2 : i - n / 2;
}

/* Lane i is +x[i]*cos + sign*x[partner]*sin, with single tables for cos and for sin. */
static bool turns(const lanes *l, wick_rope_style style, int n) {
    const term *c0 = of_lane(&l->at[0], 0), *s0 = of_lane(&l->at[0], partner(style, n, 0));
    for (int i = 0; i < n; i++) {
        int p = partner(style, n, i);
        const term *c = of_lane(&l->at[i], i), *s = of_lane(&l->at[i], p);
        if (c == s || c->lane != i || s->lane != p || c->column < 0 || s->column < 0 || c->sign != 1) return false;
        if (c->table != c0->table || s->table != s0->table) return false;
    }
    return true;
}

static float cell(const wick_value *t, int64_t width, int64_t row, int column) {
    uint64_t i = (uint64_t)(row * width) + (uint64_t)column;
    const uint8_t *bytes = t->parts[0].data.bytes;
    if (t->dtype == WICK_F32) return wick_load_f32(bytes + 4 * i);
    return t->dtype == WICK_F16 ? wick_f16_to_f32(wick_load_u16(bytes + 2 * i)) : wick_bf16_to_f32(wick_load_u16(bytes + 2 * i));
}

static int64_t table_width(const wick_value *t) {
    int64_t width = 1;
    for (int i = 1; i < t->rank; i++) width *= t->dims[i].c;
    return width;
}

/* In every row, both lanes of a pair have the same cos, and their sines differ in sign only. */
static bool tables_agree(const lane_map *m, const lanes *l, wick_rope_style style, int n) {
    const table *tc = &m->tables[of_lane(&l->at[0], 0)->table], *ts = &m->tables[of_lane(&l->at[0], partner(style, n, 0))->table];
    const wick_value *c = wick_r_value(m->r, tc->value), *s = wick_r_value(m->r, ts->value);
    if (tc->wrap.n_fixed != ts->wrap.n_fixed || tc->wrap.period != ts->wrap.period) return false;
    int64_t c_width = table_width(c), s_width = table_width(s);
    for (int64_t row = 0; row < c->dims[0].c || row < s->dims[0].c; row++)
        for (int i = 0; i < n / 2; i++) {
            int a = style == WICK_ROPE_INTERLEAVED ? 2 * i : i, b = partner(style, n, a);
            const term *ca = of_lane(&l->at[a], a), *cb = of_lane(&l->at[b], b), *sa = of_lane(&l->at[a], b), *sb = of_lane(&l->at[b], a);
            if (row < c->dims[0].c && ca->column != cb->column && cell(c, c_width, row, ca->column) != cell(c, c_width, row, cb->column))
                return false;
            if (row < s->dims[0].c &&
                cell(s, s_width, row, sa->column) * (float)sa->sign != -cell(s, s_width, row, sb->column) * (float)sb->sign)
                return false;
        }
    return c->dims[0].c == s->dims[0].c;
}

/* The term that holds cos or sin of pair i, with the sign that the table's number has in sin. */
static const term *pair_term(const lanes *l, wick_rope_style style, int n, int i, bool sin) {
    int a = style == WICK_ROPE_INTERLEAVED ? 2 * i : i, b = partner(style, n, a);
    return sin ? of_lane(&l->at[b], a) : of_lane(&l->at[a], a);
}

/* A half-width table [C, n/2]: a window of the program's table where its columns follow each other, else a copy. */
static wick_value_id half_table(lane_map *m, const lanes *l, wick_rope_style style, int n, bool sin) {
    wick_graph *g = m->r->g;
    const term *first = pair_term(l, style, n, 0, sin);
    wick_value t = g->values[m->tables[first->table].value];
    wick_part part = t.parts[0];
    int64_t width = table_width(&t), dims[2] = {t.dims[0].c, n / 2};
    bool window = t.dtype == WICK_F32;
    for (int i = 1; i < n / 2; i++) {
        const term *k = pair_term(l, style, n, i, sin);
        window = window && k->column == first->column + i && k->sign == first->sign;
    }
    if (window) {
        part.data.bytes = (const uint8_t *)part.data.bytes + first->column * 4;
        part.data.size -= (uint64_t)first->column * 4;
        part.row_stride = width == n / 2 ? 0 : width * 4;
        part.negated = first->sign < 0;
    } else {
        float *copy = wick_graph_own(g, wick_calloc((size_t)(dims[0] * dims[1]), 4));
        for (int64_t row = 0; copy && row < dims[0]; row++)
            for (int i = 0; i < n / 2; i++) {
                const term *k = pair_term(l, style, n, i, sin);
                copy[row * dims[1] + i] = cell(&t, width, row, k->column) * (float)k->sign;
            }
        if (!copy) return -1;
        part = (wick_part){.n_row = dims[0], .data = wick_source_resident(copy, (uint64_t)(dims[0] * dims[1]) * 4), .name = part.name};
    }
    return wick_graph_const(g, WICK_F32, 2, dims, (wick_scheme){0}, &part, 1);
}

static bool same_terms(const lane *a, const lane *b, int n) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            const term *x = &a[i].t[k], *y = &b[i].t[k];
            if (x->sign != y->sign || x->lane != y->lane || x->column != y->column || x->table != y->table) return false;
        }
    return true;
}

static bool find_tables(lane_map *m, const lanes *l, wick_rope_style style, int n) {
    if (m->last && m->last_n == n && m->last_style == style && same_terms(m->last, l->at, n)) return true;
    if (!tables_agree(m, l, style, n)) return false;
    m->cos = half_table(m, l, style, n, false);
    m->sin = half_table(m, l, style, n, true);
    m->last = l->at;
    m->last_n = n;
    m->last_style = style;
    return m->cos >= 0 && m->sin >= 0;
}

static void try_rope(lane_map *m, const wick_node *node, const lanes *l) {
    wick_raiser *r = m->r;
    const wick_value *shown = wick_r_value(r, l->base);
    wick_dim n_row;
    int64_t width;
    int n = l->is_table || count_lanes(shown) != l->n ? -1 : count_rotary(l);
    wick_value_id flipped = heads_first(shown) ? wick_r_permuted(r, l->base, 0, 2, 1, 3) : -1, base = flipped >= 0 ? flipped : l->base;
    if (n < 0 || !wick_r_rows(wick_r_value(r, base), &n_row, &width)) return;
    wick_rope_style style = WICK_ROPE_HALF;
    if (!turns(l, style, n)) style = WICK_ROPE_INTERLEAVED;
    if (!turns(l, style, n) || !find_tables(m, l, style, n)) return;
    wick_attrs attrs = {.rope = {style, width / l->n, n, m->tables[of_lane(&l->at[0], 0)->table].wrap}};
    wick_value_id y = wick_r_op(r, WICK_OP_rope, attrs, 3, (wick_value_id[]){wick_r_as_rows(r, base), m->cos, m->sin});
    if (flipped >= 0) y = wick_r_flip(r, wick_r_like(r, y, flipped), node->out);
    wick_r_forward(r, node->out, flipped >= 0 ? y : wick_r_like(r, y, node->out));
}

wick_status wick_r_rope(wick_raiser *r) {
    lane_map m = {.r = r, .n_value = r->g->n_value, .of = WICK_NEW_ARRAY(lanes, r->g->n_value), .cos = -1, .sin = -1};
    size_t n_node = r->g->n_node;
    if (!m.of) return wick_fail_nomem(r->err);
    for (size_t i = 0; i < n_node && !r->g->failed; i++) {
        wick_node n = r->g->nodes[i];
        lanes l = {0};
        if (!follow(&m, &n, &l)) continue;
        m.of[n.out] = l;
        if (n.op == WICK_OP_f_cat || n.op == WICK_OP_f_add || n.op == WICK_OP_f_sub) try_rope(&m, &n, &l);
    }
    for (size_t i = 0; i < m.n_block; i++) wick_free(m.blocks[i]);
    wick_free(m.blocks);
    wick_free(m.tables);
    wick_free(m.of);
    return wick_r_settle(r);
}
