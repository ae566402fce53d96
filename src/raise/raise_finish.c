/* What the patterns left: its names and reasons, and a form that a host can execute. Fine ops read through views, because a host
 * copies elements and knows the shapes; numbers between ops are f32, which hosts convert. */
#include "base/mem.h"
#include "raise/raise_int.h"

#include <stdio.h>

static bool is_float(wick_dtype t) { return t == WICK_F16 || t == WICK_BF16; }

static wick_value_id behind_views(const wick_raiser *r, wick_value_id v) {
    for (const wick_node *n; (n = wick_r_is(r, v, WICK_OP_f_view));) v = n->in[0];
    return v;
}

static void read_through_views(wick_raiser *r, wick_node *n) {
    for (int k = 0; k < n->n_in && k < WICK_NODE_MAX_IN; k++)
        if (n->in[k] >= 0) n->in[k] = behind_views(r, n->in[k]);
    for (int k = 0; n->more_in && k < n->n_in; k++)
        if (n->more_in[k] >= 0) n->more_in[k] = behind_views(r, n->more_in[k]);
}

/* A view that coarse ops read of what a fine op makes: the fine op may as well have that shape, if it is rows. */
static void give_rows(wick_raiser *r, wick_node *view) {
    wick_value *from = &r->g->values[view->in[0]], *to = &r->g->values[view->out];
    const wick_node *maker = wick_r_maker(r, view->in[0]);
    wick_dim n_row;
    int64_t width;
    if (!maker || wick_op_is_coarse(maker->op) || to->rank != 2 || !wick_r_rows(from, &n_row, &width)) return;
    if (!wick_dim_equal(to->dims[0], n_row) || to->dims[1].c != width) return;
    from->rank = 2;
    from->dims[0] = n_row;
    from->dims[1] = wick_dim_const(width);
    wick_r_forward(r, view->out, view->in[0]);
}

wick_status wick_r_finish(wick_raiser *r) {
    wick_graph *g = r->g;
    g->logits = wick_r_as_rows(r, g->logits) >= 0 ? wick_r_as_rows(r, g->logits) : g->logits;
    for (size_t i = 0; i < g->n_node; i++)
        if (!wick_op_is_coarse(g->nodes[i].op) && g->nodes[i].op != WICK_OP_f_view) read_through_views(r, &g->nodes[i]);
    WICK_TRY(wick_r_settle(r));
    for (size_t i = 0; i < g->n_node; i++)
        if (g->nodes[i].op == WICK_OP_f_view) give_rows(r, &g->nodes[i]);
    for (size_t i = 0; i < g->n_value; i++)
        if (g->values[i].kind == WICK_VALUE_TEMP && is_float(g->values[i].dtype)) g->values[i].dtype = WICK_F32;
    return wick_r_settle(r);
}
