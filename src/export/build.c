#include "export/build.h"

#include "base/mem.h"

#include <math.h>

/* The first fault is kept; after it the functions below do nothing and return -1. */
typedef struct builder {
    const wick_checkpoint *c;
    const wick_arch *a;
    wick_quantizer *z;
    const wick_recipe *recipe;
    wick_graph *g;
    wick_error *err;
    wick_status status;
    wick_value_id cos, sin;
    wick_value_id table; /* an embedding kept as fp32, which a tied head that stays fp32 shares */
} builder;

enum { MAX_PARTS = 3 };

static wick_value_id op(builder *b, wick_op kind, wick_attrs attrs, wick_value_id x, wick_value_id y, wick_value_id z) {
    wick_value_id in[] = {x, y, z};
    return b->status == WICK_OK ? wick_graph_op(b->g, kind, attrs, in, z >= 0 ? 3 : y >= 0 ? 2 : 1) : -1;
}

/* The weights, one below the other, as one constant. */
static wick_value_id stack(builder *b, const wick_weight *const *weights, int n, wick_scheme scheme, int rank) {
    wick_part parts[MAX_PARTS];
    int64_t dims[] = {0, weights[0]->n_col};
    for (int i = 0; i < n && b->status == WICK_OK; i++) {
        b->status = wick_quantizer_part(b->z, weights[i], scheme, false, &parts[i], b->err);
        dims[0] += weights[i]->n_row;
    }
    return b->status == WICK_OK ? wick_graph_const(b->g, WICK_F32, rank, dims, scheme, parts, n) : -1;
}

static wick_value_id vector(builder *b, const wick_weight *w) { return stack(b, &w, 1, wick_scheme_fp32(), 1); }

static wick_value_id linear(builder *b, wick_value_id x, const wick_weight *const *weights, int n, const wick_weight *const *biases) {
    bool fits = b->recipe->linear.kind == WICK_SCHEME_INT && wick_scheme_fits(&b->recipe->linear, weights[0]->n_col);
    wick_attrs attrs = {.linear = {.act_quant = fits ? WICK_ACTQ_ROW8 : WICK_ACTQ_NONE}};
    wick_value_id w = b->table;
    if (fits || w < 0 || weights[0] != &b->c->weights[WICK_ROLE_HEAD])
        w = stack(b, weights, n, fits ? b->recipe->linear : wick_scheme_fp32(), 2);
    wick_value_id bias = biases && wick_weight_present(biases[0]) ? stack(b, biases, n, wick_scheme_fp32(), 1) : -1;
    wick_value_id in[] = {x, w, bias}; /* an absent bias is an absent input, not a missing one: so raise writes it */
    return b->status == WICK_OK ? wick_graph_op(b->g, WICK_OP_linear, attrs, in, 3) : -1;
}

static wick_value_id norm(builder *b, wick_value_id x, const wick_weight *w) {
    return op(b, WICK_OP_rmsnorm, (wick_attrs){.norm = {.eps = b->a->norm_eps, .n_group = 1}}, x, vector(b, w), -1);
}

static wick_value_id split(builder *b, wick_value_id x, int64_t start, int64_t count) {
    return op(b, WICK_OP_split, (wick_attrs){.split = {start, count}}, x, -1, -1);
}

static wick_value_id rope(builder *b, wick_value_id x, int64_t n_head) {
    return op(b, WICK_OP_rope, (wick_attrs){.rope = {.style = WICK_ROPE_HALF, .n_head = n_head, .n_rotary = b->a->n_rotary}}, x, b->cos,
              b->sin);
}

/* Both tables, half as wide as what turns. */
static void rope_tables(builder *b) {
    int64_t dims[] = {b->recipe->max_context, b->a->n_rotary / 2};
    size_t n = (size_t)(dims[0] * dims[1]);
    float *tables = wick_graph_own(b->g, wick_calloc(n, 2 * sizeof *tables));
    if (!tables) {
        b->status = wick_fail_nomem(b->err);
        return;
    }
    wick_arch_rope_tables(b->a, dims[0], tables, tables + n);
    wick_part part = {.n_row = dims[0], .data = wick_source_resident(tables, n * sizeof *tables), .name = "rope.cos"};
    b->cos = wick_graph_const(b->g, WICK_F32, 2, dims, wick_scheme_fp32(), &part, 1);
    part.data.bytes = tables + n;
    part.name = "rope.sin";
    b->sin = wick_graph_const(b->g, WICK_F32, 2, dims, wick_scheme_fp32(), &part, 1);
}

/* x, cut to its last row behind the last layer's cache, plus what attention adds to it. */
static wick_value_id attend(builder *b, wick_value_id x, const wick_weight *w, bool last) {
    const wick_arch *a = b->a;
    int64_t q_width = a->n_head * a->d_head, kv_width = a->n_kv_head * a->d_head,
            cache[] = {b->recipe->max_context, a->n_kv_head, a->d_head};
    const wick_weight *weights[] = {&w[WICK_ROLE_Q], &w[WICK_ROLE_K], &w[WICK_ROLE_V]}, *o = &w[WICK_ROLE_O];
    const wick_weight *biases[] = {&w[WICK_ROLE_Q_BIAS], &w[WICK_ROLE_K_BIAS], &w[WICK_ROLE_V_BIAS]}, *o_bias = &w[WICK_ROLE_O_BIAS];
    wick_value_id qkv = linear(b, norm(b, x, &w[WICK_ROLE_ATTN_NORM]), weights, 3, biases);
    wick_value_id q = rope(b, split(b, qkv, 0, q_width), a->n_head), k = rope(b, split(b, qkv, q_width, kv_width), a->n_kv_head);
    wick_value_id v = split(b, qkv, q_width + kv_width, kv_width);
    if (last) {
        q = op(b, WICK_OP_last_row, (wick_attrs){0}, q, -1, -1);
        x = op(b, WICK_OP_last_row, (wick_attrs){0}, x, -1, -1);
    }
    wick_attrs attrs = {.attention = {.n_head = a->n_head, .n_kv_head = a->n_kv_head, .d_head = a->d_head}};
    attrs.attention.scale = (float)(1 / sqrt((double)a->d_head));
    wick_value_id in[] = {q, k, v, wick_graph_state(b->g, WICK_F32, 3, cache), wick_graph_state(b->g, WICK_F32, 3, cache)};
    wick_value_id out = b->status == WICK_OK ? wick_graph_op(b->g, WICK_OP_attention, attrs, in, 5) : -1;
    return op(b, WICK_OP_add, (wick_attrs){0}, x, linear(b, out, &o, 1, &o_bias), -1);
}

static wick_value_id feed_forward(builder *b, wick_value_id x, const wick_weight *w) {
    const wick_weight *weights[] = {&w[WICK_ROLE_GATE], &w[WICK_ROLE_UP]}, *down = &w[WICK_ROLE_DOWN];
    wick_value_id both = linear(b, norm(b, x, &w[WICK_ROLE_FFN_NORM]), weights, 2, NULL);
    wick_value_id gated = op(b, WICK_OP_glu, (wick_attrs){.act = {b->a->act}}, both, -1, -1);
    return op(b, WICK_OP_add, (wick_attrs){0}, x, linear(b, gated, &down, 1, NULL), -1);
}

static void build(builder *b) {
    wick_graph *g = b->g;
    const wick_weight *w = b->c->weights, *embedding = &w[WICK_ROLE_EMBEDDING], *head = &w[WICK_ROLE_HEAD];
    wick_dim rows = wick_dim_s();
    g->tokens = wick_graph_input(g, WICK_I64, 1, &rows);
    g->max_seq_len = b->recipe->max_seq_len;
    g->max_context = b->recipe->max_context;
    g->n_vocab = b->a->n_vocab;
    g->n_layer = b->a->n_layer;
    g->uses_kv_cache = true;
    rope_tables(b);
    wick_scheme table = wick_scheme_fits(&b->recipe->embedding, embedding->n_col) ? b->recipe->embedding : wick_scheme_fp32();
    wick_value_id codes = stack(b, &embedding, 1, table, 2);
    if (b->a->tied && table.kind == WICK_SCHEME_PLAIN) b->table = codes;
    wick_value_id x = op(b, WICK_OP_embedding, (wick_attrs){0}, g->tokens, codes, -1);
    for (int64_t i = 0; i < b->a->n_layer && b->status == WICK_OK; i++) {
        const wick_weight *layer = b->c->layers[i].weights;
        x = attend(b, x, layer, i + 1 == b->a->n_layer);
        x = feed_forward(b, x, layer);
    }
    g->logits = linear(b, norm(b, x, &w[WICK_ROLE_FINAL_NORM]), &head, 1, NULL);
}

wick_status wick_build(const wick_checkpoint *c, wick_quantizer *z, const wick_recipe *recipe, wick_graph **out, wick_error *err) {
    builder b = {.c = c, .a = &c->arch, .z = z, .recipe = recipe, .err = err, .table = -1};
    if (c->arch.qk_norm)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: %s models with norms of q and k cannot be built", c->path, c->arch.family);
    WICK_TRY(wick_graph_new(&b.g, err));
    build(&b);
    if (b.status == WICK_OK) b.status = wick_graph_canonicalize(b.g, err);
    if (b.status == WICK_OK) b.status = wick_graph_check(b.g, err);
    if (b.status == WICK_OK)
        *out = b.g;
    else
        wick_graph_free(b.g);
    return b.status;
}
