#include "base/mem.h"
#include "graph/graph_int.h"

#include <string.h>

wick_status wick_graph_new(wick_graph **out, wick_error *err) {
    wick_graph *g = WICK_NEW(wick_graph);
    if (!g) return wick_fail_nomem(err);
    g->tokens = g->logits = g->position = -1;
    *out = g;
    return WICK_OK;
}

void wick_graph_free(wick_graph *g) {
    if (!g) return;
    for (size_t i = 0; i < g->n_value; i++) wick_free(g->values[i].parts);
    for (size_t i = 0; i < g->n_node; i++) wick_free(g->nodes[i].more_in);
    for (size_t i = 0; i < g->n_owned; i++) wick_free(g->owned[i]);
    wick_free(g->values);
    wick_free(g->nodes);
    wick_free(g->owned);
    wick_free(g);
}

bool wick_graph_failed(const wick_graph *g) { return g->failed; }

void *wick_graph_own(wick_graph *g, void *p) {
    if (!p || !WICK_GROW(g->owned, g->n_owned, g->owned_cap)) {
        wick_free(p);
        g->failed = true;
        return NULL;
    }
    g->owned[g->n_owned++] = p;
    return p;
}

/* A rank beyond the limit is kept as rank 0, which no rule accepts. */
static wick_value_id add_value(wick_graph *g, wick_value_kind kind, wick_dtype dtype, int rank, const wick_dim *dims) {
    if (g->n_value >= INT32_MAX || !WICK_GROW(g->values, g->n_value, g->value_cap)) {
        g->failed = true;
        return -1;
    }
    wick_value *v = &g->values[g->n_value];
    *v = (wick_value){.kind = kind, .dtype = dtype, .producer = -1, .origin = -1};
    if (rank > 0 && rank <= WICK_MAX_RANK) {
        v->rank = rank;
        memcpy(v->dims, dims, (size_t)rank * sizeof *dims);
    }
    return (wick_value_id)g->n_value++;
}

wick_value_id wick_graph_input(wick_graph *g, wick_dtype dtype, int rank, const wick_dim *dims) {
    return add_value(g, WICK_VALUE_INPUT, dtype, rank, dims);
}

static wick_value_id add_fixed(wick_graph *g, wick_value_kind kind, wick_dtype dtype, int rank, const int64_t *dims) {
    wick_dim d[WICK_MAX_RANK];
    for (int i = 0; i < rank && i < WICK_MAX_RANK; i++) d[i] = wick_dim_const(dims[i]);
    return add_value(g, kind, dtype, rank, d);
}

wick_value_id wick_graph_state(wick_graph *g, wick_dtype dtype, int rank, const int64_t *dims) {
    return add_fixed(g, WICK_VALUE_STATE, dtype, rank, dims);
}

wick_value_id wick_graph_const(wick_graph *g, wick_dtype dtype, int rank, const int64_t *dims, wick_scheme scheme, const wick_part *parts,
                               int n_part) {
    wick_part *copy = wick_memdup(parts, (size_t)n_part * sizeof *parts);
    if (!copy) g->failed = true;
    wick_value_id id = copy ? add_fixed(g, WICK_VALUE_CONST, dtype, rank, dims) : -1;
    if (id < 0) {
        wick_free(copy);
        return -1;
    }
    g->values[id].scheme = scheme;
    g->values[id].parts = copy;
    g->values[id].n_part = n_part;
    return id;
}

static bool add_node(wick_graph *g, const wick_node *proto, const wick_value_id *in, int n_in) {
    if (g->n_node >= INT32_MAX || !WICK_GROW(g->nodes, g->n_node, g->node_cap)) goto failed;
    wick_node *n = &g->nodes[g->n_node];
    *n = *proto;
    n->n_in = n_in;
    for (int i = 0; i < WICK_NODE_MAX_IN; i++) n->in[i] = i < n_in ? in[i] : -1;
    if (n_in > WICK_NODE_MAX_IN && !(n->more_in = wick_memdup(in, (size_t)n_in * sizeof *in))) goto failed;
    g->values[n->out].producer = (wick_node_id)g->n_node++;
    return true;
failed:
    g->failed = true;
    return false;
}

wick_value_id wick_graph_op(wick_graph *g, wick_op op, wick_attrs attrs, const wick_value_id *in, int n_in) {
    while (n_in > 0 && in[n_in - 1] == -1) n_in--; /* absent at the end and not mentioned are one form */
    wick_node proto = {.op = op, .attrs = attrs, .origin = {-1, -1}, .n_in = n_in < WICK_NODE_MAX_IN ? n_in : WICK_NODE_MAX_IN};
    for (int i = 0; i < WICK_NODE_MAX_IN; i++) proto.in[i] = i < n_in ? in[i] : -1;
    wick_value shape = {0};
    (void)wick_graph_shape(g, &proto, &shape, NULL); /* a broken rule is wick_graph_check's to tell */
    proto.out = add_value(g, WICK_VALUE_TEMP, shape.dtype, shape.rank, shape.dims);
    return proto.out >= 0 && add_node(g, &proto, in, n_in) ? proto.out : -1;
}

wick_value_id wick_graph_fine(wick_graph *g, wick_op op, wick_attrs attrs, const wick_value_id *in, int n_in, wick_dtype dtype, int rank,
                              const wick_dim *dims, wick_origin origin) {
    wick_node proto = {.op = op, .attrs = attrs, .origin = origin};
    proto.out = add_value(g, WICK_VALUE_TEMP, dtype, rank, dims);
    return proto.out >= 0 && add_node(g, &proto, in, n_in) ? proto.out : -1;
}
