/* The processor backend: what it takes, and its table. */
#include "backend/cpu/cpu_backend.h"

#include "backend/cpu/cpu_plan.h"
#include "base/mem.h"

static bool is_power_of_two(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

static const char *refuses_attention(const wick_attrs *a) {
    if (a->attention.d_head % 8 || a->attention.d_head > CPU_MAX_HEAD)
        return "attention with heads whose size is not a multiple of 8 up to 512";
    if (a->attention.n_head / a->attention.n_kv_head > WICK_ATTEND_ROWS) return "attention with more than 96 query heads per KV head";
    if (a->attention.softcap != 0) return "attention with a softcap";
    return NULL;
}

static const char *refuses_node(const wick_graph *g, const wick_node *n) {
    switch (n->op) {
    case WICK_OP_linear: return cpu_pack_refuses(g, n);
    case WICK_OP_attention: return refuses_attention(&n->attrs);
    case WICK_OP_embedding:
    case WICK_OP_gather_ids:
    case WICK_OP_scatter_cols: return cpu_const_refuses(&g->values[n->in[1]]);
    case WICK_OP_rope:
        for (int i = 1; i < 3; i++)
            if (cpu_const_refuses(&g->values[n->in[i]])) return cpu_const_refuses(&g->values[n->in[i]]);
        return NULL;
    case WICK_OP_rmsnorm:
    case WICK_OP_layernorm:
    case WICK_OP_short_conv:
        for (int i = 1; i < n->n_in && n->op != WICK_OP_short_conv; i++)
            if (n->in[i] >= 0 && cpu_const_refuses(&g->values[n->in[i]])) return cpu_const_refuses(&g->values[n->in[i]]);
        return n->op == WICK_OP_short_conv ? cpu_const_refuses(&g->values[n->in[1]]) : NULL;
    case WICK_OP_hadamard:
        return is_power_of_two(wick_value_width(&g->values[n->in[0]])) ? NULL : "a Hadamard transform whose size is not a power of two";
    default: return NULL;
    }
}

/* A row is a token: as many as the step has, or the last one. */
static bool has_token_rows(const wick_value *v) {
    if (v->rank != 2) return true;
    return wick_dim_equal(v->dims[0], wick_dim_s()) || wick_dim_equal(v->dims[0], wick_dim_const(1));
}

static const char *refuses(const wick_graph *g) {
    if (g->tokens < 0 || g->logits < 0) return "a graph without tokens or logits";
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || !wick_op_is_coarse(n->op)) continue;
        const char *why = refuses_node(g, n);
        if (why) return why;
        if (!has_token_rows(&g->values[n->out])) return "rows that are neither one per token nor one";
    }
    return NULL;
}

static void plan_free(wick_backend_plan *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n_owned; i++) wick_free(p->owned[i]);
    wick_free(p->owned);
    wick_free(p->matrices);
    wick_free(p->tables);
    wick_free(p->slots);
    wick_free(p->blocks);
    wick_free(p->ops);
    wick_free(p->phases);
    wick_free(p->calls);
    wick_free(p->caches);
    wick_free(p->convs);
    wick_free_aligned(p->weights);
    wick_free(p);
}

static wick_status plan_new(const wick_graph *g, const wick_plan_options *options, wick_pool *pool, wick_backend_plan **out,
                            wick_error *err) {
    *out = NULL;
    const char *why = refuses(g);
    if (why) return wick_fail(err, WICK_EUNSUPPORTED, "the processor backend does not run %s", why);
    wick_backend_plan *p = WICK_NEW(wick_backend_plan);
    if (!p) return wick_fail_nomem(err);
    p->g = g;
    wick_kernels_init(&p->kernels, options->cpu_mask);
    wick_status status = cpu_schedule(p, err);
    if (status == WICK_OK) status = cpu_pack(p, options, pool, err);
    if (status == WICK_OK)
        *out = p;
    else
        plan_free(p);
    return status;
}

static uint64_t plan_size(const wick_backend_plan *p) { return p->weights_size + p->owned_size; }

const wick_backend wick_backend_cpu = {
    .name = "cpu",
    .refuses = refuses,
    .plan_new = plan_new,
    .plan_free = plan_free,
    .plan_size = plan_size,
    .weights_size = cpu_weights_size,
    .state_new = cpu_state_new,
    .state_free = cpu_state_free,
    .step = cpu_step,
    .rewind = cpu_state_rewind,
    .export_size = cpu_state_export_size,
    .export_state = cpu_state_export,
    .import_state = cpu_state_import,
};
