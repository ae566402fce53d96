/* Whole numbers per token: the positions of a step's tokens, and where they go in a table or a cache that goes around. */
#include "raise/raise_int.h"

static bool is_whole(const wick_value *v) { return v->dtype == WICK_I64 || v->dtype == WICK_I32; }

/* The number P, as the program got it or as it was made again. */
static bool is_start(const wick_raiser *r, wick_value_id v) {
    const wick_node *cast = wick_r_is(r, v, WICK_OP_f_cast);
    if (cast && !is_whole(wick_r_value(r, cast->out))) return false;
    if (cast) v = wick_r_in(r, cast, 0);
    if (r->has_position && wick_r_strip(r, v) == r->g->position)
        return wick_dim_equal(r->g->values[r->g->position].dims[0], wick_dim_const(1));
    const wick_node *start = wick_r_made_by_instr(r, v, WICK_I_SCALAR_TENSOR);
    return start && is_whole(wick_r_value(r, start->out)) && wick_dim_equal(start->attrs.fine.start, (wick_dim){0, 0, 1});
}

bool wick_r_is_positions(const wick_raiser *r, wick_value_id v, wick_dim n) {
    if (r->has_position && wick_r_strip(r, v) == r->g->position) return wick_dim_equal(r->g->values[r->g->position].dims[0], n);
    const wick_node *add = wick_r_made_by(r, v, WICK_OP_f_add);
    if (!add || add->n_in != 2 || add->attrs.fine.number != 1 || !is_whole(wick_r_value(r, add->out))) return false;
    for (int i = 0; i < 2; i++) {
        const wick_node *range = wick_r_made_by_instr(r, wick_r_in(r, add, i), WICK_I_ARANGE_START);
        if (range && is_whole(wick_r_value(r, range->out)) && wick_dim_equal(range->attrs.fine.start, wick_dim_const(0)) &&
            wick_dim_equal(range->attrs.fine.end, n))
            return is_start(r, wick_r_in(r, add, 1 - i));
    }
    return false;
}

bool wick_r_counts(const wick_raiser *r, wick_value_id v, int64_t n) {
    const wick_value *c = wick_r_value(r, v = wick_r_strip(r, v));
    wick_dim count;
    double x;
    if (!is_whole(c) || !wick_r_numel(c->dims, c->rank, &count) || !wick_dim_equal(count, wick_dim_const(n))) return false;
    const wick_node *range = wick_r_made_by_instr(r, v, WICK_I_ARANGE_START);
    if (range) return wick_dim_equal(range->attrs.fine.start, wick_dim_const(0));
    for (int64_t i = 0; i < n; i++)
        if (!wick_r_element(r->g, v, i, &x) || x != (double)i) return false;
    return true;
}

bool wick_r_is_with(const wick_node *n, wick_dim scalar) {
    bool number = !wick_dim_is_const(scalar) || n->attrs.fine.number == (double)scalar.c;
    return n->attrs.fine.flag && number && wick_dim_equal(n->attrs.fine.start, scalar);
}

/* The whole number that is this operand of a sum or difference of two; alpha is 1. */
static bool operand(const wick_raiser *r, const wick_node *n, int i, int64_t *out) {
    wick_value_id v = n ? wick_r_strip(r, wick_r_in(r, n, i)) : -1;
    double x;
    if (v < 0 || n->n_in != 2 || n->attrs.fine.number != 1 || !is_whole(wick_r_value(r, n->out)) || !is_whole(wick_r_value(r, v)) ||
        !wick_r_uniform(r->g, v, &x))
        return false;
    *out = (int64_t)x;
    return x >= 0 && x < (double)INT32_MAX;
}

/* v = x mod period, of whole numbers; -1: it is none. */
static wick_value_id remainder_of(const wick_raiser *r, wick_value_id v, int64_t *period) {
    const wick_node *mod = wick_r_made_by_instr(r, v, WICK_I_REMAINDER_SCALAR);
    if (!mod || !is_whole(wick_r_value(r, mod->out))) return -1;
    *period = mod->attrs.fine.start.c;
    return *period > 0 && wick_r_is_with(mod, wick_dim_const(*period)) ? wick_r_in(r, mod, 0) : -1;
}

/*     positions < f ? positions : (positions - f) mod period + f */
static bool is_split(const wick_raiser *r, const wick_node *where, wick_dim n, wick_wrap *out) {
    const wick_node *below = wick_r_made_by_instr(r, wick_r_in(r, where, 0), WICK_I_LT_SCALAR);
    const wick_node *back = wick_r_made_by(r, wick_r_in(r, where, 2), WICK_OP_f_add);
    int64_t forth = 0, off = 0;
    if (wick_r_value(r, where->out)->rank != 1 || !is_whole(wick_r_value(r, where->out))) return false;
    if (!below || wick_r_value(r, below->out)->dtype != WICK_BOOL || !operand(r, back, 1, &forth)) return false;
    const wick_node *less = wick_r_made_by(r, remainder_of(r, wick_r_in(r, back, 0), &out->period), WICK_OP_f_sub);
    if (!operand(r, less, 1, &off) || off != forth || !wick_r_is_with(below, wick_dim_const(off))) return false;
    out->n_fixed = off;
    return wick_r_is_positions(r, wick_r_in(r, below, 0), n) && wick_r_is_positions(r, wick_r_in(r, where, 1), n) &&
           wick_r_is_positions(r, wick_r_in(r, less, 0), n);
}

bool wick_r_is_wrapped(const wick_raiser *r, wick_value_id v, wick_dim n, wick_wrap *out) {
    const wick_value *x = wick_r_value(r, v);
    *out = (wick_wrap){0};
    if (!x || x->rank < 1 || !is_whole(x) || !wick_dim_equal(x->dims[x->rank - 1], n)) return false;
    if (wick_r_is_positions(r, v, n)) return true;
    const wick_node *where = wick_r_made_by_instr(r, v, WICK_I_WHERE);
    if (where) return is_split(r, where, n, out);
    return wick_r_is_positions(r, remainder_of(r, v, &out->period), n);
}
