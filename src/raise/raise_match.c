#include "base/mem.h"
#include "raise/raise_int.h"

wick_value_id wick_r_now(const wick_raiser *r, wick_value_id v) {
    while (v >= 0 && (size_t)v < r->forward_cap && r->forward[v] != v) v = r->forward[v];
    return v;
}

wick_value_id wick_r_in(const wick_raiser *r, const wick_node *n, int i) {
    return i < n->n_in ? wick_r_now(r, wick_node_inputs(n)[i]) : -1;
}

/* `to` was made by this family or lies before `from`, so chains of forwards end. */
void wick_r_forward(wick_raiser *r, wick_value_id from, wick_value_id to) {
    if (to < 0) r->g->failed = true;
    if (to < 0 || wick_r_now(r, to) == from) return;
    if ((size_t)from < r->forward_cap) r->forward[from] = to;
}

const wick_value *wick_r_value(const wick_raiser *r, wick_value_id v) { return v < 0 ? NULL : &r->g->values[v]; }

const wick_node *wick_r_maker(const wick_raiser *r, wick_value_id v) {
    v = wick_r_now(r, v);
    return v >= 0 && r->g->values[v].producer >= 0 ? &r->g->nodes[r->g->values[v].producer] : NULL;
}

static bool is_float(wick_dtype t) { return t == WICK_F32 || t == WICK_F16 || t == WICK_BF16; }

wick_value_id wick_r_strip(const wick_raiser *r, wick_value_id v) {
    v = wick_r_now(r, v);
    for (const wick_node *n = wick_r_maker(r, v); n; n = wick_r_maker(r, v)) {
        wick_value_id in = wick_r_in(r, n, 0);
        bool through = n->op == WICK_OP_f_view || n->op == WICK_OP_f_copy ||
                       (n->op == WICK_OP_f_cast && is_float(r->g->values[v].dtype) && is_float(r->g->values[in].dtype));
        if (!through) break;
        v = in;
    }
    return v;
}

const wick_node *wick_r_is(const wick_raiser *r, wick_value_id v, wick_op op) {
    const wick_node *n = wick_r_maker(r, v);
    return n && n->op == op ? n : NULL;
}

const wick_node *wick_r_made_by(const wick_raiser *r, wick_value_id v, wick_op op) { return wick_r_is(r, wick_r_strip(r, v), op); }

const wick_node *wick_r_made_by_instr(const wick_raiser *r, wick_value_id v, wick_instr_op op) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_other);
    if (!n || n->origin.instruction < 0 || n->origin.xnn_node >= 0) return NULL;
    const wick_pte_instr *i = &r->method->pte->instrs[n->origin.instruction];
    return i->kind == WICK_IK_KERNEL && r->method->ops[i->index] == op ? n : NULL;
}

bool wick_r_is_position(const wick_raiser *r, wick_dim d) {
    return wick_dim_equal(d, r->has_position ? (wick_dim){0, 0, 1} : wick_dim_const(0));
}

bool wick_r_starts_zero(const wick_raiser *r, wick_value_id state) {
    int32_t evalue = r->g->values[state].origin;
    wick_bytes bytes;
    if (evalue < 0 || !wick_program_initial(r->p, r->method->pte->values[evalue].tensor, &bytes)) return true;
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i]) return false;
    return true;
}

wick_node_id wick_r_writer(const wick_raiser *r, wick_value_id state) {
    const wick_pte_value *values = r->method->pte->values;
    int32_t home = r->g->values[state].origin;
    wick_node_id writer = -1;
    for (size_t i = 0; home >= 0 && i < r->g->n_node; i++) {
        const wick_node *n = &r->g->nodes[i];
        if (n->dead || !n->writes_state) continue;
        int32_t to = r->g->values[n->out].origin;
        if (to < 0 || values[to].tensor->memory_id != values[home].tensor->memory_id ||
            values[to].tensor->memory_offset != values[home].tensor->memory_offset)
            continue;
        if (writer >= 0) return -1;
        writer = (wick_node_id)i;
    }
    return writer;
}

wick_node_id wick_r_keeper(const wick_raiser *r, wick_value_id v, wick_value_id state) {
    wick_node_id writer = wick_r_writer(r, state);
    bool copies = writer >= 0 && r->g->nodes[writer].op == WICK_OP_f_copy && wick_r_in(r, &r->g->nodes[writer], 0) == wick_r_now(r, v);
    return copies ? writer : -1;
}

wick_value_id wick_r_permuted(const wick_raiser *r, wick_value_id v, int a, int b, int c, int d) {
    const wick_node *n = wick_r_made_by(r, v, WICK_OP_f_permute);
    const int *p = n ? n->attrs.fine.perm : NULL;
    return n && wick_r_value(r, n->out)->rank == 4 && p[0] == a && p[1] == b && p[2] == c && p[3] == d ? wick_r_in(r, n, 0) : -1;
}

wick_value_id wick_r_flip(wick_raiser *r, wick_value_id v, wick_value_id like) {
    wick_value y = r->g->values[like];
    wick_attrs attrs = {.fine = {.perm = {0, 2, 1, 3}}};
    if (v < 0) return -1;
    return wick_graph_fine(r->g, WICK_OP_f_permute, attrs, &v, 1, y.dtype, y.rank, y.dims, (wick_origin){-1, -1});
}

static bool is_plain_const(const wick_value *v) {
    return v && v->kind == WICK_VALUE_CONST && v->scheme.kind == WICK_SCHEME_PLAIN && is_float(v->dtype);
}

bool wick_r_scalar(const wick_raiser *r, wick_value_id v, double *out) {
    wick_dim n;
    v = wick_r_strip(r, v);
    const wick_node *made = wick_r_made_by_instr(r, v, WICK_I_SCALAR_TENSOR);
    if (made) { /* one of the two is 0 */
        *out = (double)made->attrs.fine.start.c + made->attrs.fine.number;
        return wick_dim_is_const(made->attrs.fine.start);
    }
    return v >= 0 && is_plain_const(&r->g->values[v]) && wick_r_numel(r->g->values[v].dims, r->g->values[v].rank, &n) && n.c == 1 &&
           wick_r_element(r->g, v, 0, out);
}

bool wick_r_is_vector(const wick_raiser *r, wick_value_id v, int64_t n) {
    wick_dim numel;
    const wick_value *shown = wick_r_value(r, wick_r_now(r, v));
    if (!shown || !is_plain_const(wick_r_value(r, wick_r_strip(r, v)))) return false;
    bool last = shown->rank > 0 && shown->dims[shown->rank - 1].c == n;
    return last && wick_r_numel(shown->dims, shown->rank, &numel) && numel.c == n;
}

wick_value_id wick_r_vector(wick_raiser *r, wick_value_id v, int64_t n) {
    const wick_value *c = wick_r_value(r, v = wick_r_strip(r, v));
    if (c->rank == 1) return v;
    wick_part part = c->parts[0];
    part.n_row = n;
    return c->n_part == 1 ? wick_graph_const(r->g, c->dtype, 1, &n, c->scheme, &part, 1) : -1;
}

wick_value_id wick_r_op(wick_raiser *r, wick_op op, wick_attrs attrs, int n_in, const wick_value_id *in) {
    for (int i = 0; i < n_in; i++)
        if (in[i] < -1) return -1;
    return wick_graph_op(r->g, op, attrs, in, n_in);
}

wick_value_id wick_r_view(wick_raiser *r, wick_value_id v, int rank, const wick_dim *dims) {
    if (v < 0) return -1;
    for (const wick_node *n; (n = wick_r_is(r, v, WICK_OP_f_view));) v = wick_r_in(r, n, 0);
    wick_value shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.dims[i] = dims[i];
    if (wick_r_same_dims(&shape, &r->g->values[v])) return v;
    return wick_graph_fine(r->g, WICK_OP_f_view, (wick_attrs){.fine = {0}}, &v, 1, r->g->values[v].dtype, rank, shape.dims,
                           (wick_origin){-1, -1});
}

wick_value_id wick_r_as_rows(wick_raiser *r, wick_value_id v) {
    wick_dim n_row;
    int64_t width;
    v = wick_r_now(r, v);
    if (v < 0 || !wick_r_rows(&r->g->values[v], &n_row, &width)) return -1;
    return wick_r_view(r, v, 2, (wick_dim[]){n_row, wick_dim_const(width)});
}

wick_value_id wick_r_like(wick_raiser *r, wick_value_id v, wick_value_id like) {
    wick_value shape = r->g->values[like];
    return wick_r_view(r, v, shape.rank, shape.dims);
}

/* ---------------------------------------------------------------- families */

static bool begin(wick_raiser *r) {
    /* Only values that exist now are forwarded, so later ones need no entry. */
    wick_free(r->forward);
    r->forward_cap = r->g->n_value;
    r->forward = WICK_NEW_ARRAY(wick_value_id, r->forward_cap);
    for (size_t i = 0; r->forward && i < r->forward_cap; i++) r->forward[i] = (wick_value_id)i;
    if (!r->forward) r->forward_cap = 0;
    return r->forward != NULL;
}

wick_status wick_r_settle(wick_raiser *r) {
    wick_graph *g = r->g;
    for (size_t i = 0; i < g->n_node; i++) {
        wick_node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in && k < WICK_NODE_MAX_IN; k++) n->in[k] = wick_r_now(r, n->in[k]);
        for (int k = 0; n->more_in && k < n->n_in; k++) n->more_in[k] = wick_r_now(r, n->more_in[k]);
    }
    g->logits = wick_r_now(r, g->logits);
    wick_free(r->forward);
    r->forward = NULL;
    r->forward_cap = 0;
    if (g->failed) return wick_fail_nomem(r->err);
    WICK_TRY(wick_graph_canonicalize(g, r->err));
    return begin(r) ? WICK_OK : wick_fail_nomem(r->err);
}

static bool run_round(wick_raiser *r, const wick_pattern *patterns, size_t n_pattern) {
    size_t n_node = r->g->n_node;
    bool any = false;
    for (size_t i = 0; i < n_node && !r->g->failed; i++) {
        for (size_t k = 0; k < n_pattern; k++) {
            wick_node n = r->g->nodes[i]; /* a copy: building moves the array */
            wick_match m = {0};
            if (n.op != patterns[k].root || n.dead || wick_r_now(r, n.out) != n.out || !patterns[k].match(r, &n, &m)) continue;
            wick_r_forward(r, n.out, patterns[k].build(r, &n, &m));
            any = true;
            break;
        }
    }
    return any;
}

wick_status wick_r_family(wick_raiser *r, const wick_pattern *patterns, size_t n_pattern, int rounds) {
    for (int i = 0; i < rounds; i++) {
        bool any = run_round(r, patterns, n_pattern);
        WICK_TRY(wick_r_settle(r));
        if (!any) break;
    }
    return WICK_OK;
}
