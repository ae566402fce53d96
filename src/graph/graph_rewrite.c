#include "graph/graph_int.h"

void wick_graph_replace(wick_graph *g, wick_value_id from, wick_value_id to) {
    for (size_t i = 0; i < g->n_node; i++) {
        wick_node *n = &g->nodes[i];
        for (int k = 0; k < WICK_NODE_MAX_IN && k < n->n_in; k++)
            if (n->in[k] == from) n->in[k] = to;
        for (int k = 0; n->more_in && k < n->n_in; k++)
            if (n->more_in[k] == from) n->more_in[k] = to;
    }
    if (g->logits == from) g->logits = to;
}

int wick_graph_n_use(const wick_graph *g, wick_value_id v) {
    int n_use = g->logits == v;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead) continue;
        for (int k = 0; k < n->n_in; k++)
            if (wick_node_inputs(n)[k] == v) {
                n_use++;
                break;
            }
    }
    return n_use;
}
