#include "base/checked.h"
#include "graph/graph_int.h"

#include <string.h>

static wick_status bad(wick_error *err, size_t i, const wick_node *n, const char *what) {
    return wick_fail(err, WICK_EINTERNAL, "node %zu (%s): %s", i, wick_op_name(n->op), what);
}

/* Bytes of one stored row and of its scales. */
static bool row_sizes(const wick_value *v, uint64_t *data, uint64_t *scales) {
    uint64_t n = 1;
    for (int i = 1; i < v->rank; i++)
        if (v->dims[i].c < 0 || !wick_mul_u64(n, (uint64_t)v->dims[i].c, &n)) return false;
    *scales = 0;
    if (v->scheme.kind == WICK_SCHEME_PLAIN) return wick_mul_u64(n, wick_dtype_size(v->dtype), data);
    int bits = v->scheme.bits;
    uint64_t group = v->scheme.group ? (uint64_t)v->scheme.group : n;
    if (bits != 2 && bits != 4 && bits != 8) return false;
    if (v->scheme.group < 0 || !group || n % group || n * (uint64_t)bits % 8 || n > UINT64_MAX / 8) return false;
    *data = n * (uint64_t)bits / 8;
    *scales = n / group * wick_dtype_size(v->scheme.scale_dtype);
    return true;
}

/* Whether the part's sources hold every row that it names. */
static bool part_is_whole(const wick_part *p, uint64_t row, uint64_t scale_row) {
    uint64_t n_stored = (uint64_t)p->n_row, need;
    if (p->n_row < 0 || p->row_stride < 0) return false;
    for (int64_t i = 0; p->row_map && i < p->n_row; i++) {
        if (p->row_map[i] < 0) return false;
        if ((uint64_t)p->row_map[i] >= n_stored) n_stored = (uint64_t)p->row_map[i] + 1;
    }
    uint64_t stride = p->row_stride ? (uint64_t)p->row_stride : row;
    if (n_stored && (!wick_mul_u64(n_stored - 1, stride, &need) || !wick_add_u64(need, row, &need) || p->data.size < need)) return false;
    return wick_mul_u64(n_stored, scale_row, &need) && p->scales.size >= need;
}

static wick_status check_const(const wick_value *v, size_t id, wick_error *err) {
    uint64_t row = 0, scale_row = 0;
    int64_t n = 0;
    for (int i = 0; i < v->rank; i++)
        if (!wick_dim_is_const(v->dims[i])) return wick_fail(err, WICK_EINTERNAL, "constant %zu has a size that depends on S or P", id);
    if (!row_sizes(v, &row, &scale_row)) return wick_fail(err, WICK_EINTERNAL, "constant %zu: its scheme does not fit its shape", id);
    for (int i = 0; i < v->n_part; i++) {
        if (!part_is_whole(&v->parts[i], row, scale_row))
            return wick_fail(err, WICK_EINTERNAL, "constant %zu: part %d has fewer bytes than its rows need", id, i);
        n += v->parts[i].n_row;
    }
    if (n != (v->rank ? v->dims[0].c : 1)) return wick_fail(err, WICK_EINTERNAL, "constant %zu: its parts do not add up to its rows", id);
    return WICK_OK;
}

static wick_status check_node(const wick_graph *g, size_t i, wick_error *err) {
    const wick_node *n = &g->nodes[i];
    if (n->dead) return WICK_OK;
    if ((unsigned)n->op >= WICK_N_OP) return bad(err, i, n, "no such op");
    if (n->n_in < 0 || (n->n_in > WICK_NODE_MAX_IN && !n->more_in)) return bad(err, i, n, "its inputs are not all there");
    for (int k = 0; k < n->n_in; k++) {
        wick_value_id v = wick_node_inputs(n)[k];
        if (v == -1) continue;
        if (!wick_graph_has(g, v)) return bad(err, i, n, "an input does not exist");
        wick_node_id from = g->values[v].producer;
        if (from >= 0 && ((size_t)from >= i || g->nodes[from].dead)) return bad(err, i, n, "an input is not made before it");
        if (g->values[v].kind == WICK_VALUE_TEMP && from < 0) return bad(err, i, n, "an input is made by no node");
    }
    if (!wick_graph_has(g, n->out) || g->values[n->out].producer != (wick_node_id)i) return bad(err, i, n, "its output is not its own");
    if (!wick_op_is_coarse(n->op)) return WICK_OK;
    const wick_value *out = &g->values[n->out];
    wick_value shape = {0};
    wick_status status = wick_graph_shape(g, n, &shape, err);
    if (status != WICK_OK) return wick_error_context(err, status, "node %zu", i);
    bool same = shape.rank == out->rank && shape.dtype == out->dtype;
    for (int k = 0; same && k < out->rank; k++) same = wick_dim_equal(shape.dims[k], out->dims[k]);
    return same ? WICK_OK : bad(err, i, n, "its output's shape does not follow from its inputs");
}

wick_status wick_graph_check(const wick_graph *g, wick_error *err) {
    if (g->failed) return wick_fail_nomem(err);
    for (size_t i = 0; i < g->n_value; i++)
        if (g->values[i].kind == WICK_VALUE_CONST) WICK_TRY(check_const(&g->values[i], i, err));
    for (size_t i = 0; i < g->n_node; i++) WICK_TRY(check_node(g, i, err));
    if (!wick_graph_has(g, g->tokens) || g->values[g->tokens].kind != WICK_VALUE_INPUT)
        return wick_fail(err, WICK_EINTERNAL, "the graph has no tokens");
    if (!wick_graph_has(g, g->logits) || g->values[g->logits].producer < 0)
        return wick_fail(err, WICK_EINTERNAL, "the graph has no logits");
    const wick_value *logits = &g->values[g->logits];
    if (g->nodes[logits->producer].dead) return wick_fail(err, WICK_EINTERNAL, "the node that makes the logits is dead");
    if (wick_op_is_coarse(g->nodes[logits->producer].op) && wick_value_width(logits) != g->n_vocab)
        return wick_fail(err, WICK_EINTERNAL, "a row of logits has %lld columns, but the vocabulary %lld words",
                         (long long)wick_value_width(logits), (long long)g->n_vocab);
    return WICK_OK;
}
