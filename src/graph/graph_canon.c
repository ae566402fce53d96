/* Sweeping and the canonical order: both are walks from the roots, which are the logits and the fine ops that write state. */
#include "base/mem.h"
#include "graph/graph_int.h"

#include <stdlib.h>
#include <string.h>

enum { UNSEEN, OPEN, DONE };

typedef struct frame {
    wick_node_id node;
    int next; /* input to look at next */
} frame;

typedef struct walk {
    const wick_graph *g;
    uint8_t *seen;       /* [n_node] */
    frame *stack;        /* [n_node] */
    wick_node_id *order; /* [n_node], nodes after their inputs */
    size_t n_order;
} walk;

static void walk_release(walk *w) {
    wick_free(w->seen);
    wick_free(w->stack);
    wick_free(w->order);
    *w = (walk){0};
}

static bool walk_init(walk *w, const wick_graph *g) {
    *w = (walk){.g = g,
                .seen = WICK_NEW_ARRAY(uint8_t, g->n_node),
                .stack = WICK_NEW_ARRAY(frame, g->n_node),
                .order = WICK_NEW_ARRAY(wick_node_id, g->n_node)};
    if (w->seen && w->stack && w->order) return true;
    walk_release(w);
    return false;
}

static wick_node_id producer(const wick_graph *g, wick_value_id v) { return wick_graph_has(g, v) ? g->values[v].producer : -1; }

/* Depth first, inputs in operand order. False: a node needs itself. */
static bool visit(walk *w, wick_node_id root) {
    if (root < 0 || w->seen[root] != UNSEEN) return true;
    size_t depth = 0;
    w->stack[depth++] = (frame){root, 0};
    w->seen[root] = OPEN;
    while (depth) {
        frame *f = &w->stack[depth - 1];
        const wick_node *n = &w->g->nodes[f->node];
        if (f->next == n->n_in) {
            w->seen[f->node] = DONE;
            w->order[w->n_order++] = f->node;
            depth--;
            continue;
        }
        wick_node_id from = producer(w->g, wick_node_inputs(n)[f->next++]);
        if (from < 0 || w->seen[from] == DONE) continue;
        if (w->seen[from] == OPEN) return false;
        w->seen[from] = OPEN;
        w->stack[depth++] = (frame){from, 0};
    }
    return true;
}

static bool is_root(const wick_node *n) { return !n->dead && n->writes_state; }

/* Marks what the roots need. */
static bool walk_live(walk *w) {
    for (size_t i = 0; i < w->g->n_node; i++)
        if (is_root(&w->g->nodes[i]) && !visit(w, (wick_node_id)i)) return false;
    return visit(w, producer(w->g, w->g->logits));
}

void wick_graph_sweep(wick_graph *g) {
    walk w;
    if (!walk_init(&w, g)) {
        g->failed = true;
        return;
    }
    if (walk_live(&w))
        for (size_t i = 0; i < g->n_node; i++)
            if (w.seen[i] == UNSEEN) g->nodes[i].dead = true;
    walk_release(&w);
}

static int by_origin(const void *a, const void *b) {
    const wick_node *x = *(const wick_node *const *)a, *y = *(const wick_node *const *)b;
    if (x->origin.instruction != y->origin.instruction) return x->origin.instruction < y->origin.instruction ? -1 : 1;
    if (x->origin.xnn_node != y->origin.xnn_node) return x->origin.xnn_node < y->origin.xnn_node ? -1 : 1;
    return x < y ? -1 : x > y; /* several outputs of one instruction: as they were added */
}

/* Live fine nodes that have an origin, in the program's order. */
static wick_status sorted_fine(const wick_graph *g, const wick_node ***out, size_t *n_out, wick_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < g->n_node; i++)
        n += !g->nodes[i].dead && !wick_op_is_coarse(g->nodes[i].op) && g->nodes[i].origin.instruction >= 0;
    const wick_node **fine = WICK_NEW_ARRAY(const wick_node *, n);
    if (!fine) return wick_fail_nomem(err);
    n = 0;
    for (size_t i = 0; i < g->n_node; i++)
        if (!g->nodes[i].dead && !wick_op_is_coarse(g->nodes[i].op) && g->nodes[i].origin.instruction >= 0) fine[n++] = &g->nodes[i];
    qsort(fine, n, sizeof *fine, by_origin);
    *out = fine;
    *n_out = n;
    return WICK_OK;
}

static void keep_value(wick_value_id v, wick_value_id *map, wick_value_id *order, size_t *n) {
    if (v < 0 || map[v] >= 0) return;
    map[v] = (wick_value_id)*n;
    order[(*n)++] = v;
}

/* New numbers for values: tokens, position, then inputs and output of each node in its new place. */
static size_t number_values(const wick_graph *g, const walk *w, wick_value_id *map, wick_value_id *order) {
    size_t n = 0;
    for (size_t i = 0; i < g->n_value; i++) map[i] = -1;
    keep_value(g->tokens, map, order, &n);
    keep_value(g->position, map, order, &n);
    for (size_t i = 0; i < w->n_order; i++) {
        const wick_node *node = &g->nodes[w->order[i]];
        for (int k = 0; k < node->n_in; k++) keep_value(wick_node_inputs(node)[k], map, order, &n);
        keep_value(node->out, map, order, &n);
    }
    keep_value(g->logits, map, order, &n);
    return n;
}

static wick_value_id mapped(const wick_value_id *map, wick_value_id v) { return v < 0 ? -1 : map[v]; }

/* Moves what is kept into fresh arrays. Parts and long input lists move with their owners. */
static void rebuild(wick_graph *g, const walk *w, const wick_value_id *map, const wick_value_id *order, size_t n_value, wick_value *values,
                    wick_node *nodes) {
    for (size_t i = 0; i < n_value; i++) {
        values[i] = g->values[order[i]];
        values[i].producer = -1;
        g->values[order[i]].parts = NULL;
    }
    for (size_t i = 0; i < w->n_order; i++) {
        wick_node *n = &nodes[i];
        *n = g->nodes[w->order[i]];
        g->nodes[w->order[i]].more_in = NULL;
        for (int k = 0; k < WICK_NODE_MAX_IN; k++) n->in[k] = mapped(map, n->in[k]);
        for (int k = 0; n->more_in && k < n->n_in; k++) n->more_in[k] = mapped(map, n->more_in[k]);
        n->out = mapped(map, n->out);
        values[n->out].producer = (wick_node_id)i;
    }
    for (size_t i = 0; i < g->n_value; i++) wick_free(g->values[i].parts);
    for (size_t i = 0; i < g->n_node; i++) wick_free(g->nodes[i].more_in);
    wick_free(g->values);
    wick_free(g->nodes);
    g->values = values;
    g->nodes = nodes;
    g->n_value = n_value;
    g->n_node = w->n_order;
    g->tokens = mapped(map, g->tokens);
    g->position = mapped(map, g->position);
    g->logits = mapped(map, g->logits);
}

wick_status wick_graph_canonicalize(wick_graph *g, wick_error *err) {
    wick_status status = WICK_OK;
    walk w = {0};
    const wick_node **fine = NULL;
    size_t n_fine = 0;
    wick_value *values = NULL;
    wick_node *nodes = NULL;
    wick_value_id *map = WICK_NEW_ARRAY(wick_value_id, g->n_value), *order = WICK_NEW_ARRAY(wick_value_id, g->n_value);
    wick_graph_sweep(g);
    if (g->failed || !map || !order || !walk_init(&w, g)) {
        status = wick_fail_nomem(err);
        goto out;
    }
    WICK_CHECK_GOTO(sorted_fine(g, &fine, &n_fine, err));
    bool acyclic = true;
    for (size_t i = 0; acyclic && i < n_fine; i++) acyclic = visit(&w, (wick_node_id)(fine[i] - g->nodes));
    for (size_t i = 0; acyclic && i < g->n_node; i++)
        if (is_root(&g->nodes[i])) acyclic = visit(&w, (wick_node_id)i);
    if (!acyclic || !visit(&w, producer(g, g->logits))) {
        status = wick_fail(err, WICK_EINTERNAL, "the graph has a cycle");
        goto out;
    }
    size_t n_value = number_values(g, &w, map, order);
    values = WICK_NEW_ARRAY(wick_value, n_value);
    nodes = WICK_NEW_ARRAY(wick_node, w.n_order);
    if (!values || !nodes) {
        status = wick_fail_nomem(err);
        goto out;
    }
    rebuild(g, &w, map, order, n_value, values, nodes);
    g->value_cap = n_value;
    g->node_cap = w.n_order;
    values = NULL;
    nodes = NULL;
out:
    walk_release(&w);
    wick_free(fine);
    wick_free(values);
    wick_free(nodes);
    wick_free(map);
    wick_free(order);
    return status;
}
