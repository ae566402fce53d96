/* Pruned vocabularies: the logits of the words that are left, put at their places in a row of -inf. */
#include "base/mem.h"
#include "raise/raise_int.h"

#include <math.h>

/* Places inside a row, none of them twice. */
static bool are_places(const wick_raiser *r, wick_value_id index, int64_t n, int64_t width) {
    bool *taken = WICK_NEW_ARRAY(bool, (size_t)width), ok = taken != NULL;
    if (!taken) r->g->failed = true;
    for (int64_t i = 0; ok && i < n; i++) {
        double at;
        ok = wick_r_element(r->g, index, i, &at) && at >= 0 && at < (double)width && !taken[(int64_t)at];
        if (ok) taken[(int64_t)at] = true;
    }
    wick_free(taken);
    return ok;
}

/* index_put(full(-inf) [1, N], [-, index [n]], x of n numbers). v: x, index; n: n, N */
static bool match_scatter(wick_raiser *r, const wick_node *n, wick_match *m) {
    if (wick_r_made_by_instr(r, n->out, WICK_I_INDEX_PUT) == NULL || n->n_in != 4 || n->attrs.fine.flag) return false;
    const wick_node *fill = wick_r_made_by_instr(r, wick_r_in(r, n, 0), WICK_I_FULL);
    wick_value_id index = wick_r_in(r, n, 2), x = wick_r_in(r, n, 3);
    const wick_value *row = wick_r_value(r, n->out);
    wick_dim n_row;
    if (!fill || !isinf(fill->attrs.fine.number) || fill->attrs.fine.number > 0 || wick_r_in(r, n, 1) >= 0 || index < 0 || x < 0)
        return false;
    if (row->rank != 2 || !wick_dim_equal(row->dims[0], wick_dim_const(1)) || !wick_dim_is_const(row->dims[1])) return false;
    const wick_value *at = wick_r_value(r, index);
    if (at->kind != WICK_VALUE_CONST || at->rank != 1 || !wick_r_rows(wick_r_value(r, x), &n_row, &m->n[0])) return false;
    m->n[1] = row->dims[1].c;
    m->v[0] = x;
    m->v[1] = index;
    return wick_dim_equal(n_row, wick_dim_const(1)) && m->n[0] == at->dims[0].c && m->n[1] > 0 && m->n[1] <= WICK_MAX_VOCAB &&
           are_places(r, index, m->n[0], m->n[1]);
}

static wick_value_id build_scatter(wick_raiser *r, const wick_node *n, const wick_match *m) {
    int32_t *places = wick_graph_own(r->g, WICK_NEW_ARRAY(int32_t, (size_t)m->n[0]));
    for (int64_t i = 0; places && i < m->n[0]; i++) {
        double at = 0;
        (void)wick_r_element(r->g, m->v[1], i, &at);
        places[i] = (int32_t)at;
    }
    if (!places) return -1;
    wick_part part = {.n_row = m->n[0], .data = wick_source_resident(places, (uint64_t)m->n[0] * sizeof *places)};
    wick_value_id in[2] = {wick_r_as_rows(r, m->v[0]), wick_graph_const(r->g, WICK_I32, 1, m->n, (wick_scheme){0}, &part, 1)};
    if (in[0] < 0 || in[1] < 0) return -1;
    return wick_r_like(r, wick_r_op(r, WICK_OP_scatter_cols, (wick_attrs){.split = {0, m->n[1]}}, 2, in), n->out);
}

const wick_pattern wick_pat_scatter[] = {{"scatter", WICK_OP_f_other, match_scatter, build_scatter}};
const size_t wick_n_pat_scatter = sizeof wick_pat_scatter / sizeof *wick_pat_scatter;
