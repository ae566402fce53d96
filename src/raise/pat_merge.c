/* Linears of one input become one linear whose weight has a part for each, and splits of its result: q, k and v, gate and up. The order
 * of the parts is that of the nodes, which is the order in which what follows reads them. */
#include "base/checked.h"
#include "base/mem.h"
#include "raise/raise_int.h"

#include <string.h>

enum { MAX_MERGED = 16 };

static bool same_scheme(const wick_value *a, const wick_value *b) {
    return a->dtype == b->dtype && a->dims[1].c == b->dims[1].c && a->scheme.kind == b->scheme.kind && a->scheme.bits == b->scheme.bits &&
           a->scheme.group == b->scheme.group && a->scheme.scale_dtype == b->scheme.scale_dtype && a->scheme.packing == b->scheme.packing;
}

static bool can_join(const wick_graph *g, const wick_node *a, const wick_node *b) {
    bool bias = a->in[2] >= 0;
    if (a->in[0] != b->in[0] || a->attrs.linear.act_quant != b->attrs.linear.act_quant || bias != (b->in[2] >= 0)) return false;
    if (bias && g->values[a->in[2]].dtype != g->values[b->in[2]].dtype) return false;
    return same_scheme(&g->values[a->in[1]], &g->values[b->in[1]]);
}

/* The parts of operand `i` (1: weight, 2: bias) of n nodes, one after the other. */
static wick_value_id stack(wick_graph *g, const wick_node_id *nodes, int n, int i) {
    int n_part = 0, at = 0;
    int64_t rows = 0;
    for (int k = 0; k < n; k++) n_part += g->values[g->nodes[nodes[k]].in[i]].n_part;
    wick_part *parts = WICK_NEW_ARRAY(wick_part, (size_t)n_part);
    if (!parts) return -1;
    for (int k = 0; k < n; k++) {
        const wick_value *v = &g->values[g->nodes[nodes[k]].in[i]];
        memcpy(&parts[at], v->parts, (size_t)v->n_part * sizeof *parts);
        at += v->n_part;
        if (!wick_add_i64(rows, v->dims[0].c, &rows)) rows = -1;
    }
    const wick_value *first = &g->values[g->nodes[nodes[0]].in[i]];
    wick_value_id v = wick_graph_const(g, first->dtype, first->rank, (int64_t[]){rows, first->dims[1].c}, first->scheme, parts, n_part);
    wick_free(parts);
    return v;
}

static void join(wick_raiser *r, const wick_node_id *nodes, int n) {
    wick_graph *g = r->g;
    wick_node first = g->nodes[nodes[0]];
    wick_value_id in[3] = {first.in[0], stack(g, nodes, n, 1), first.in[2] < 0 ? -1 : stack(g, nodes, n, 2)};
    wick_value_id y = in[1] < 0 || (first.in[2] >= 0 && in[2] < 0) ? -1 : wick_graph_op(g, WICK_OP_linear, first.attrs, in, 3);
    int64_t start = 0;
    for (int k = 0; k < n; k++) {
        wick_value_id old = g->nodes[nodes[k]].out;
        int64_t count = wick_value_width(&g->values[old]);
        wick_value_id part = y < 0 ? -1 : wick_graph_op(g, WICK_OP_split, (wick_attrs){.split = {start, count}}, &y, 1);
        wick_r_forward(r, old, part);
        start += count;
    }
}

wick_status wick_r_merge_linears(wick_raiser *r) {
    wick_graph *g = r->g;
    size_t n_node = g->n_node, n_value = g->n_value;
    /* linears by input: the first one, and from each to the next */
    wick_node_id *first = WICK_NEW_ARRAY(wick_node_id, n_value), *next = WICK_NEW_ARRAY(wick_node_id, n_node);
    bool ok = first && next;
    for (size_t i = 0; ok && i < n_value; i++) first[i] = -1;
    for (size_t i = n_node; ok && i-- > 0;) {
        const wick_node *n = &g->nodes[i];
        next[i] = -1;
        if (n->op != WICK_OP_linear) continue;
        next[i] = first[n->in[0]];
        first[n->in[0]] = (wick_node_id)i;
    }
    for (size_t i = 0; ok && i < n_node && !g->failed; i++) {
        wick_node_id nodes[MAX_MERGED] = {(wick_node_id)i};
        int n = 1;
        if (g->nodes[i].op != WICK_OP_linear || wick_r_now(r, g->nodes[i].out) != g->nodes[i].out) continue;
        for (wick_node_id k = next[i]; k >= 0 && n < MAX_MERGED; k = next[k])
            if (wick_r_now(r, g->nodes[k].out) == g->nodes[k].out && can_join(g, &g->nodes[i], &g->nodes[k])) nodes[n++] = k;
        if (n > 1) join(r, nodes, n);
    }
    wick_free(first);
    wick_free(next);
    return ok ? wick_r_settle(r) : wick_fail_nomem(r->err);
}
