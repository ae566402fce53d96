/* graph_int.h: what the files of graph/ share. */
#ifndef WICK_GRAPH_GRAPH_INT_H
#define WICK_GRAPH_GRAPH_INT_H

#include "graph/graph.h"

/* The shape and dtype that a coarse node's rule gives to its output; the reason when its inputs break the rule. Only dtype, rank and
 * dims of *out are written, all of them on failure too (rank 0). */
wick_status wick_graph_shape(const wick_graph *g, const wick_node *n, wick_value *out, wick_error *err);

static inline bool wick_graph_has(const wick_graph *g, wick_value_id v) { return v >= 0 && (size_t)v < g->n_value; }

#endif
