#include "raise/raise_int.h"

#include "base/mem.h"

#include <string.h>

/* The instruction of an origin, as messages name it. */
const char *wick_r_op_label(const wick_raiser *r, wick_origin origin) {
    const wick_pte_instr *i = &r->method->pte->instrs[origin.instruction];
    if (i->kind == WICK_IK_KERNEL) return wick_instr_op_name(r->method->ops[i->index]);
    if (i->kind != WICK_IK_DELEGATE) return "control flow";
    if (origin.xnn_node < 0) return "delegate";
    return wick_xnn_op_name(r->method->delegates[i->index].nodes[origin.xnn_node].op);
}

wick_status wick_r_unsupported(wick_raiser *r, const char *what) {
    const char *label = r->instruction < 0 ? "the method" : wick_r_op_label(r, (wick_origin){r->instruction, -1});
    return wick_fail(r->err, WICK_EUNSUPPORTED, "instruction %d (%s) cannot be raised: %s", r->instruction, label, what);
}

/* ---------------------------------------------------------------- the program as fine nodes */

/* tokens [1, S] of which the graph sees [S]; the first one's position [1], or each one's [S]. */
static wick_status add_inputs(wick_raiser *r) {
    const wick_pte_method *m = r->method->pte;
    for (uint32_t i = 0; i < m->n_input; i++) {
        const wick_pte_value *v = &m->values[m->inputs[i]];
        if (v->kind != WICK_EV_TENSOR || v->tensor->scalar_type != WICK_ST_LONG)
            return wick_r_unsupported(r, "an input that is not a tensor of integers");
        const wick_pte_tensor *t = v->tensor;
        bool tokens = i == 0 && t->rank == 2 && t->dims[0] == 1,
             position = i == 1 && t->rank == 1 && (t->dims[0] == 1 || t->dynamism != WICK_STATIC);
        if (!tokens && !position) return wick_r_unsupported(r, "inputs that are not tokens [1,S] and positions [1] or [S]");
        wick_dim d = t->dynamism != WICK_STATIC ? wick_dim_s() : wick_dim_const(t->dims[t->rank - 1]);
        wick_value_id id = wick_graph_input(r->g, WICK_I64, 1, &d);
        if (tokens) {
            r->g->tokens = id;
            r->g->max_seq_len = t->dims[1];
            id = wick_r_view(r, id, 2, (wick_dim[]){wick_dim_const(1), d});
        } else {
            r->g->position = id;
            r->has_position = true;
        }
        WICK_TRY(wick_r_write_tensor(r, m->inputs[i], id));
    }
    return r->g->tokens >= 0 ? WICK_OK : wick_r_unsupported(r, "there are no tokens");
}

static wick_status add_instr(wick_raiser *r, const wick_pte_instr *i) {
    bool handled = false;
    switch (i->kind) {
    case WICK_IK_KERNEL: {
        wick_instr_op op = r->method->ops[i->index];
        if (op == WICK_I_UNKNOWN) return wick_r_unsupported(r, "an unknown operator");
        WICK_TRY(wick_r_ints_instr(r, op, i->args, &handled));
        return handled ? WICK_OK : wick_r_instr(r, op, i->args, i->n_arg);
    }
    case WICK_IK_DELEGATE: return wick_r_delegate(r, &r->method->delegates[i->index], i->args);
    case WICK_IK_FREE: return WICK_OK;
    default: return wick_r_unsupported(r, "control flow");
    }
}

static wick_status add_output(wick_raiser *r) {
    const wick_pte_method *m = r->method->pte;
    r->instruction = -1;
    if (m->n_output != 1 || m->values[m->outputs[0]].kind != WICK_EV_TENSOR)
        return wick_r_unsupported(r, "it has something other than one result");
    WICK_TRY(wick_r_read(r, m->outputs[0], &r->g->logits));
    const wick_value *v = &r->g->values[r->g->logits];
    if (v->producer < 0) return wick_r_unsupported(r, "its result is computed by nothing");
    r->g->n_vocab = wick_value_width(v);
    return WICK_OK;
}

static wick_status add_all(wick_raiser *r) {
    const wick_pte_method *m = r->method->pte;
    r->instruction = -1;
    WICK_TRY(wick_r_ints_init(r));
    WICK_TRY(wick_r_values_init(r));
    WICK_TRY(add_inputs(r));
    for (uint32_t i = 0; i < m->n_instr; i++) {
        r->instruction = (int32_t)i;
        WICK_TRY(add_instr(r, &m->instrs[i]));
    }
    WICK_TRY(wick_r_check_states(r));
    return add_output(r);
}

/* ---------------------------------------------------------------- patterns, bottom-up */

static wick_status rewrite(wick_raiser *r) {
    enum { ROUNDS = 8 }; /* of one family: each round needs a match in the one before */
    WICK_TRY(wick_r_settle(r));
    WICK_TRY(wick_r_tables(r));
    WICK_TRY(wick_r_family(r, wick_pat_layout, wick_n_pat_layout, ROUNDS));
    WICK_TRY(wick_r_family(r, wick_pat_embedding, wick_n_pat_embedding, 1));
    WICK_TRY(wick_r_family(r, wick_pat_norm, wick_n_pat_norm, ROUNDS));
    WICK_TRY(wick_r_rope(r));
    WICK_TRY(wick_r_family(r, wick_pat_layout, wick_n_pat_layout, ROUNDS)); /* what a rope was between now meets */
    WICK_TRY(wick_r_family(r, wick_pat_linear, wick_n_pat_linear, ROUNDS));
    WICK_TRY(wick_r_family(r, wick_pat_conv, wick_n_pat_conv, ROUNDS));
    WICK_TRY(wick_r_family(r, wick_pat_mlp, wick_n_pat_mlp, 1));
    WICK_TRY(wick_r_family(r, wick_pat_attention, wick_n_pat_attention, 1));
    WICK_TRY(wick_r_family(r, wick_pat_ring, wick_n_pat_ring, 1));
    WICK_TRY(wick_r_family(r, wick_pat_int8, wick_n_pat_int8, 1));
    WICK_TRY(wick_r_family(r, wick_pat_sdpa, wick_n_pat_sdpa, 1));
    WICK_TRY(wick_r_family(r, wick_pat_split, wick_n_pat_split, ROUNDS));
    WICK_TRY(wick_r_family(r, wick_pat_arith, wick_n_pat_arith, 1));
    WICK_TRY(wick_r_family(r, wick_pat_scatter, wick_n_pat_scatter, 1));
    WICK_TRY(wick_r_family(r, wick_pat_layout, wick_n_pat_layout, ROUNDS));
    WICK_TRY(wick_r_finish(r));
    WICK_TRY(wick_r_last_row(r));
    WICK_TRY(wick_r_merge_linears(r));
    WICK_TRY(wick_r_family(r, wick_pat_split, wick_n_pat_split, ROUNDS));
    return wick_r_family(r, wick_pat_glu, wick_n_pat_glu, 1);
}

/* Whole numbers that metadata methods state; `otherwise` where there is none. */
static int64_t metadata(const wick_raiser *r, const char *name, int64_t otherwise) {
    const wick_pte_value *v;
    return wick_pte_metadata(&r->p->pte, name, &v, 1) == 1 && v->kind == WICK_EV_INT && v->i > 0 ? v->i : otherwise;
}

static void describe(wick_raiser *r) {
    wick_graph *g = r->g;
    int64_t context = 0, n_attention = 0;
    bool reads_position = false;
    for (size_t i = 0; i < g->n_value; i++) g->uses_kv_cache |= g->values[i].kind == WICK_VALUE_STATE;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in; k++) reads_position |= wick_node_inputs(n)[k] >= 0 && wick_node_inputs(n)[k] == g->position;
        if (n->op != WICK_OP_attention) continue;
        n_attention++;
        if (n->in[3] >= 0 && (!context || g->values[n->in[3]].dims[0].c < context)) context = g->values[n->in[3]].dims[0].c;
    }
    if (!reads_position) g->position = -1;
    g->n_layer = metadata(r, "get_n_layers", n_attention);
    g->max_context = metadata(r, "get_max_context_len", context ? context : g->max_seq_len);
    if (context && context < g->max_context) g->max_context = context;
}

static wick_status list_left(wick_raiser *r, wick_raised *out) {
    const wick_graph *g = r->g;
    size_t cap = 0;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || wick_op_is_coarse(n->op) || n->op == WICK_OP_f_view) continue;
        if (n->origin.instruction < 0) return wick_r_unsupported(r, "a step in between was left that no instruction stands for");
        if (!r->has_position)
            return wick_r_unsupported(r, "without a position all or nothing is raised: what is left must see the whole sequence");
        if (n->op == WICK_OP_f_quantize) return wick_r_unsupported(r, "a quantized value that no matrix product takes");
        if (!WICK_GROW(out->left, out->n_left, cap)) return wick_fail_nomem(r->err);
        const char *reason =
            n->op == WICK_OP_f_other ? "raise has no rule for this operator" : "no pattern took it as a part of something coarser";
        out->left[out->n_left++] = (wick_left){n->origin, wick_r_op_label(r, n->origin), reason};
    }
    return WICK_OK;
}

static void raiser_release(wick_raiser *r) {
    wick_r_values_release(r);
    wick_free(r->ints);
    wick_free(r->forward);
}

wick_status wick_raise(const wick_program *p, const wick_program_method *method, wick_raised *out, wick_error *err) {
    wick_raiser r = {.p = p, .method = method, .err = err};
    wick_status status = WICK_OK;
    *out = (wick_raised){0};
    WICK_CHECK_GOTO(wick_graph_new(&r.g, err));
    out->graph = r.g;
    WICK_CHECK_GOTO(add_all(&r));
    WICK_CHECK_GOTO(rewrite(&r));
    describe(&r);
    WICK_CHECK_GOTO(wick_graph_canonicalize(r.g, err));
    WICK_CHECK_GOTO(list_left(&r, out));
    WICK_CHECK_GOTO(wick_graph_check(r.g, err));
out:
    raiser_release(&r);
    if (status != WICK_OK) wick_raised_release(out);
    return status;
}

void wick_raised_release(wick_raised *r) {
    wick_graph_free(r->graph);
    wick_free(r->left);
    *r = (wick_raised){0};
}
