/* Whether a graph's positions have an end. */
#include "graph/graph.h"

static bool goes_around(const wick_graph *g, const wick_node *n) {
    wick_wrap wrap = n->attrs.rope.wrap;
    for (int i = 1; i <= 2; i++)
        if (!wrap.period || g->values[n->in[i]].dims[0].c - wrap.n_fixed < wrap.period) return false;
    return true;
}

bool wick_graph_is_endless(const wick_graph *g, wick_sight *sight) {
    *sight = (wick_sight){0};
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead) continue;
        if (!wick_op_is_coarse(n->op) || (n->op == WICK_OP_rope && !goes_around(g, n))) return false;
        if (n->op != WICK_OP_attention) continue;
        if (!n->attrs.attention.window) return false;
        if (n->attrs.attention.window > sight->n_last) sight->n_last = n->attrs.attention.window;
        if (n->attrs.attention.n_sink > sight->n_first) sight->n_first = n->attrs.attention.n_sink;
    }
    return sight->n_last > 0;
}
