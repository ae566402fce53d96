/* The cut of the last row, moved up to where it saves most: before the last attention's query, and on the residual.
 *
 * A value whose every reader wants its last row only is computed for that row alone, if its op works row by row; where a row that was
 * cut meets one that others need whole, a last_row stands between them. An attention's query is cut as it is given: the values before it
 * are needed at full height by rope's positions, or by k and v. */
#include "base/mem.h"
#include "raise/raise_int.h"

static bool by_row(wick_op op) {
    switch (op) {
    case WICK_OP_linear:
    case WICK_OP_rmsnorm:
    case WICK_OP_layernorm:
    case WICK_OP_glu:
    case WICK_OP_act:
    case WICK_OP_split:
    case WICK_OP_add:
    case WICK_OP_mul:
    case WICK_OP_scale:
    case WICK_OP_softcap:
    case WICK_OP_hadamard:
    case WICK_OP_scatter_cols:
    case WICK_OP_attention: return true;
    default: return false;
    }
}

typedef struct cutter {
    wick_raiser *r;
    wick_graph *g;
    bool *whole;        /* [n_value]: somebody needs all rows */
    wick_value_id *cut; /* [n_value]: last_row of a value that others need whole */
    size_t n_value;
} cutter;

/* Whether input i of a node that is itself cut is cut too, as far as that node is concerned. */
static bool passes(const wick_node *n, int i) { return by_row(n->op) && (n->op != WICK_OP_attention || i == 0); }

/* A query that was cut already keeps its cut where it is. */
static void keep_queries(cutter *c) {
    for (size_t i = 0; i < c->g->n_node; i++) {
        const wick_node *n = &c->g->nodes[i];
        const wick_node *cut = n->op == WICK_OP_attention ? wick_r_is(c->r, n->in[0], WICK_OP_last_row) : NULL;
        if (cut) c->whole[cut->in[0]] = true;
    }
}

/* From the end to the beginning: who needs what whole. */
static void mark(cutter *c) {
    const wick_graph *g = c->g;
    for (size_t v = 0; v < c->n_value; v++) c->whole[v] = g->values[v].producer < 0;
    c->whole[g->logits] = true;
    keep_queries(c);
    for (size_t i = g->n_node; i-- > 0;) {
        const wick_node *n = &g->nodes[i];
        bool can_cut = by_row(n->op) && !c->whole[n->out];
        if (!can_cut) c->whole[n->out] = true;
        for (int k = 0; k < n->n_in; k++) {
            wick_value_id v = wick_node_inputs(n)[k];
            if (v < 0 || n->op == WICK_OP_last_row) continue;
            if (!(can_cut && passes(n, k)) || n->op == WICK_OP_attention) c->whole[v] = true;
        }
    }
}

static bool has_rows(const cutter *c, wick_value_id v) {
    const wick_value *x = &c->g->values[v];
    return x->producer >= 0 && x->rank == 2 && wick_dim_equal(x->dims[0], wick_dim_s());
}

static wick_value_id last_row_of(cutter *c, wick_value_id v) {
    if (c->cut[v] < 0) c->cut[v] = wick_graph_op(c->g, WICK_OP_last_row, (wick_attrs){.linear = {0}}, &v, 1);
    return c->cut[v];
}

static void cut_node(cutter *c, size_t i) {
    wick_value_id out = c->g->nodes[i].out;
    int n_in = c->g->nodes[i].n_in;
    if (!has_rows(c, out)) return;
    c->g->values[out].dims[0] = wick_dim_const(1);
    for (int k = 0; k < n_in; k++) {
        wick_value_id v = c->g->nodes[i].in[k];
        if (v < 0 || !passes(&c->g->nodes[i], k) || !c->whole[v] || !has_rows(c, v)) continue;
        v = last_row_of(c, v);
        c->g->nodes[i].in[k] = v;
    }
}

wick_status wick_r_last_row(wick_raiser *r) {
    wick_graph *g = r->g;
    cutter c = {r, g, WICK_NEW_ARRAY(bool, g->n_value), WICK_NEW_ARRAY(wick_value_id, g->n_value), g->n_value};
    bool ok = c.whole && c.cut;
    if (ok) {
        size_t n_node = g->n_node;
        for (size_t v = 0; v < c.n_value; v++) c.cut[v] = -1;
        mark(&c);
        for (size_t i = 0; i < n_node && !g->failed; i++)
            if (by_row(g->nodes[i].op) && !c.whole[g->nodes[i].out]) cut_node(&c, i);
        /* a cut of something that is one row now, or that has a cut already */
        for (size_t i = 0; i < n_node && !g->failed; i++) {
            if (g->nodes[i].op != WICK_OP_last_row) continue;
            wick_value_id in = g->nodes[i].in[0];
            if (wick_dim_equal(g->values[in].dims[0], wick_dim_const(1))) {
                wick_r_forward(r, g->nodes[i].out, in);
            } else if (c.cut[in] >= 0) {
                wick_r_forward(r, g->nodes[i].out, c.cut[in]);
            } else {
                c.cut[in] = g->nodes[i].out;
            }
        }
    }
    wick_free(c.whole);
    wick_free(c.cut);
    return ok ? wick_r_settle(r) : wick_fail_nomem(r->err);
}
