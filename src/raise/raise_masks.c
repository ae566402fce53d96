/* What programs compute from the positions of a step's tokens, given as a vector P .. P+S-1: single ones of them, and masks.
 *
 * A mask compares positions with the numbers of a cache's columns. Whatever the comparisons are, what comes out is a band: column j is
 * seen from position p where `above` < j - p <= `upto`. Some programs look for the start of the step in such a mask: the first column
 * that the first token does not see. */
#include "base/checked.h"
#include "raise/raise_int.h"

enum { MAX_STEPS = 8 }; /* of arithmetic and of conjunctions that are followed */

static bool is_whole(const wick_value *v) { return v->dtype == WICK_I64 || v->dtype == WICK_I32; }

/* Behind views and casts between whole numbers. */
static wick_value_id strip_whole(const wick_raiser *r, wick_value_id v) {
    for (;;) {
        v = wick_r_strip(r, v);
        const wick_node *cast = wick_r_is(r, v, WICK_OP_f_cast);
        if (!cast || !is_whole(wick_r_value(r, v)) || !is_whole(wick_r_value(r, wick_r_in(r, cast, 0)))) return v;
        v = wick_r_in(r, cast, 0);
    }
}

/* A whole number that the program knows. */
static bool number_of(const wick_raiser *r, wick_value_id v, int64_t *out) {
    double x;
    wick_dim n;
    v = strip_whole(r, v);
    const wick_node *made = wick_r_made_by_instr(r, v, WICK_I_SCALAR_TENSOR);
    const wick_value *c = wick_r_value(r, v);
    if (made) {
        *out = made->attrs.fine.start.c;
        return is_whole(c) && wick_dim_is_const(made->attrs.fine.start);
    }
    if (c->kind != WICK_VALUE_CONST || !is_whole(c) || !wick_r_numel(c->dims, c->rank, &n) || n.c != 1) return false;
    if (!wick_r_element(r->g, v, 0, &x)) return false;
    *out = (int64_t)x;
    return true;
}

/* v = result + *shift. */
static wick_value_id unshifted(const wick_raiser *r, wick_value_id v, int64_t *shift) {
    *shift = 0;
    for (int i = 0; i < MAX_STEPS; i++) {
        v = strip_whole(r, v);
        const wick_node *n = wick_r_maker(r, v);
        bool add = n && n->op == WICK_OP_f_add, sub = n && n->op == WICK_OP_f_sub;
        int64_t c = 0, by;
        if ((!add && !sub) || !is_whole(wick_r_value(r, v))) return v;
        double factor = n->n_in == 1 ? 1 : n->attrs.fine.number, number = n->attrs.fine.number;
        int term = 0;
        if (n->n_in == 1 && number == (double)(int32_t)number) {
            c = (int64_t)number;
        } else if (n->n_in != 2 || factor != 1) {
            return v;
        } else if (!number_of(r, wick_r_in(r, n, 1), &c)) {
            if (sub || !number_of(r, wick_r_in(r, n, 0), &c)) return v;
            term = 1;
        }
        if (!(sub ? wick_sub_i64(0, c, &by) : wick_add_i64(0, c, &by)) || !wick_add_i64(*shift, by, shift)) return -1;
        v = wick_r_in(r, n, term);
    }
    return v;
}

bool wick_r_position_at(const wick_raiser *r, wick_value_id v, wick_dim *out) {
    int64_t shift, first = 0;
    wick_dim n;
    if (r->g->position < 0 || !wick_r_numel(wick_r_value(r, v)->dims, wick_r_value(r, v)->rank, &n) ||
        !wick_dim_equal(n, wick_dim_const(1)))
        return false;
    v = unshifted(r, v, &shift);
    const wick_node *slice = wick_r_is(r, v, WICK_OP_f_slice);
    if (slice && wick_dim_is_const(slice->attrs.fine.start)) {
        first = slice->attrs.fine.start.c;
        v = unshifted(r, wick_r_in(r, slice, 0), &n.c);
        if (!wick_add_i64(shift, n.c, &shift)) return false;
    }
    *out = (wick_dim){0, 0, 1};
    return v == r->g->position && wick_add_i64(shift, first, &out->c);
}

/* ---------------------------------------------------------------- bands */

/* The last two dimensions are these; all others are 1. */
static bool is_grid(const wick_value *v, wick_dim n_row, int64_t n_column) {
    if (v->rank < 2 || !wick_dim_equal(v->dims[v->rank - 2], n_row) || !wick_dim_equal(v->dims[v->rank - 1], wick_dim_const(n_column)))
        return false;
    for (int i = 0; i < v->rank - 2; i++)
        if (!wick_dim_equal(v->dims[i], wick_dim_const(1))) return false;
    return true;
}

/* The positions as a column, each plus *shift. */
static bool is_rows(const wick_raiser *r, wick_value_id v, wick_dim n_row, int64_t *shift) {
    if (!is_grid(wick_r_value(r, v), n_row, 1)) return false;
    v = unshifted(r, v, shift);
    return v == r->g->position && wick_dim_equal(wick_r_value(r, v)->dims[0], n_row);
}

/* The numbers 0 .. n-1 as a line, each plus *shift. */
static bool is_columns(const wick_raiser *r, wick_value_id v, int64_t n, int64_t *shift) {
    const wick_value *line = wick_r_value(r, v);
    wick_dim count;
    if (line->rank < 1 || !wick_dim_equal(line->dims[line->rank - 1], wick_dim_const(n))) return false;
    if (!wick_r_numel(line->dims, line->rank, &count) || !wick_dim_equal(count, wick_dim_const(n))) return false;
    v = unshifted(r, v, shift);
    return wick_r_counts(r, v, n);
}

/* What `column op row` says of j - p; false: it is no such comparison. */
static bool compares(wick_instr_op op, int64_t difference, wick_r_band *out) {
    *out = (wick_r_band){INT64_MIN, INT64_MAX};
    switch (op) {
    case WICK_I_LE: out->upto = difference; return true;
    case WICK_I_LT: return wick_sub_i64(difference, 1, &out->upto);
    case WICK_I_GT: out->above = difference; return true;
    case WICK_I_GE: return wick_sub_i64(difference, 1, &out->above);
    default: return false;
    }
}

static bool comparison(const wick_raiser *r, const wick_node *n, wick_dim n_row, int64_t n_column, wick_r_band *out) {
    static const wick_instr_op ops[][2] = {
        {WICK_I_LE, WICK_I_GE}, {WICK_I_LT, WICK_I_GT}, {WICK_I_GE, WICK_I_LE}, {WICK_I_GT, WICK_I_LT}}; /* and with the sides changed */
    int64_t column, row, difference;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!wick_r_made_by_instr(r, n->out, ops[i][0])) continue;
        wick_value_id a = wick_r_in(r, n, 0), b = wick_r_in(r, n, 1);
        if (is_columns(r, a, n_column, &column) && is_rows(r, b, n_row, &row))
            return wick_sub_i64(row, column, &difference) && compares(ops[i][0], difference, out);
        if (is_rows(r, a, n_row, &row) && is_columns(r, b, n_column, &column))
            return wick_sub_i64(row, column, &difference) && compares(ops[i][1], difference, out);
    }
    return false;
}

/* A conjunction; a product of booleans is one too. */
static bool is_both(const wick_raiser *r, const wick_node *n) {
    if (n->op == WICK_OP_f_mul) return n->n_in == 2;
    return wick_r_made_by_instr(r, n->out, WICK_I_BITWISE_AND) || wick_r_made_by_instr(r, n->out, WICK_I_LOGICAL_AND);
}

bool wick_r_is_band(const wick_raiser *r, wick_value_id v, wick_dim n_row, int64_t n_column, wick_r_band *out) {
    wick_value_id open[MAX_STEPS] = {v};
    int n_open = 1;
    *out = (wick_r_band){INT64_MIN, INT64_MAX};
    for (int i = 0; i < n_open; i++) {
        wick_r_band one;
        if (!is_grid(wick_r_value(r, open[i]), n_row, n_column)) return false;
        const wick_node *n = wick_r_maker(r, wick_r_strip(r, open[i]));
        if (!n || wick_r_value(r, n->out)->dtype != WICK_BOOL || !is_grid(wick_r_value(r, n->out), n_row, n_column)) return false;
        if (is_both(r, n)) {
            if (n_open + 2 > MAX_STEPS) return false;
            for (int k = 0; k < 2; k++) open[n_open++] = wick_r_in(r, n, k);
        } else if (comparison(r, n, n_row, n_column, &one)) {
            if (one.above > out->above) out->above = one.above;
            if (one.upto < out->upto) out->upto = one.upto;
        } else {
            return false;
        }
    }
    return true;
}

bool wick_r_first_hidden(const wick_raiser *r, wick_value_id v, wick_dim *out) {
    const wick_node *least = wick_r_made_by_instr(r, strip_whole(r, v), WICK_I_ARGMIN);
    if (!least) return false;
    wick_value_id row = wick_r_strip(r, wick_r_in(r, least, 0));
    const wick_node *cast = wick_r_is(r, row, WICK_OP_f_cast);
    if (cast) row = wick_r_strip(r, wick_r_in(r, cast, 0));
    const wick_value *line = wick_r_value(r, row);
    const wick_node *slice = wick_r_is(r, row, WICK_OP_f_slice);
    if (slice && wick_dim_equal(slice->attrs.fine.start, wick_dim_const(0)) && slice->attrs.fine.axis == line->rank - 2)
        row = wick_r_in(r, slice, 0);
    const wick_value *mask = wick_r_value(r, row);
    wick_r_band band;
    if (line->dtype != WICK_BOOL || mask->rank < 2 || !wick_dim_is_const(mask->dims[mask->rank - 1])) return false;
    if (slice ? !is_grid(line, wick_dim_const(1), mask->dims[mask->rank - 1].c) : !wick_dim_is_const(mask->dims[mask->rank - 2]))
        return false;
    if (!wick_r_is_band(r, row, mask->dims[mask->rank - 2], mask->dims[mask->rank - 1].c, &band) || band.above >= 0) return false;
    *out = (wick_dim){0, 0, 1};
    return band.upto != INT64_MAX && wick_add_i64(band.upto, 1, &out->c);
}
