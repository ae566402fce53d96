/* From nodes to phases: one walk over the graph in its order, preceded by a walk back from the logits that finds which rows
 * of each value somebody needs. */
#include "backend/cpu/cpu_plan.h"
#include "base/mem.h"

#include <string.h>

/* Which rows of a value are needed. */
enum { NEED_NONE, NEED_LAST, NEED_ALL };

typedef struct builder {
    wick_backend_plan *p;
    const wick_graph *g;
    uint8_t *need;        /* [value] */
    bool *to_state;       /* [value] reaches a cache or another state */
    int32_t *n_use;       /* [value] */
    wick_node_id *user;   /* [value] one of its readers */
    bool *shares_columns; /* [value] read otherwise than by disjoint splits */
    int64_t *split_end;   /* [value] columns taken by splits so far */
    cpu_ref *refs;        /* [value] */
    cpu_ref *codes;       /* [value] its quantized form */
    int32_t **maps;       /* [value] token maps */
    bool *folded;         /* [node] done as part of an earlier one */
    int32_t open_op;      /* first op of the phase being filled */
    bool open_last;
    bool no_memory;
    const char *refused;
} builder;

static const cpu_ref nowhere = {-1, false, 0, 0};

/* ---------------------------------------------------------------- what is needed */

static void want(builder *b, wick_value_id v, int need, bool to_state) {
    if (v < 0) return;
    if (need > b->need[v]) b->need[v] = (uint8_t)need;
    if (to_state) b->to_state[v] = true;
}

static void want_inputs(builder *b, const wick_node *n) {
    int need = b->need[n->out];
    bool state = b->to_state[n->out];
    const wick_value_id *in = wick_node_inputs(n);
    if (!wick_op_is_coarse(n->op)) {
        for (int i = 0; i < n->n_in; i++) want(b, in[i], NEED_ALL, true);
    } else if (n->op == WICK_OP_attention) {
        want(b, in[0], need, state);
        want(b, in[1], NEED_ALL, true);
        want(b, in[2], NEED_ALL, true);
    } else if (n->op == WICK_OP_short_conv) {
        want(b, in[0], NEED_ALL, true);
    } else {
        if (n->op == WICK_OP_last_row) need = NEED_LAST;
        for (int i = 0; i < n->n_in; i++) want(b, in[i], need, state);
    }
}

static void count_use(builder *b, const wick_node *n, wick_node_id id) {
    const wick_value_id *in = wick_node_inputs(n);
    for (int i = 0; i < n->n_in; i++) {
        wick_value_id v = in[i];
        if (v < 0) continue;
        b->n_use[v]++;
        b->user[v] = id;
        if (n->op == WICK_OP_split && n->attrs.split.start >= b->split_end[v])
            b->split_end[v] = n->attrs.split.start + n->attrs.split.count;
        else
            b->shares_columns[v] = true;
    }
}

static void analyse(builder *b) {
    const wick_graph *g = b->g;
    b->need[g->logits] = NEED_LAST;
    b->n_use[g->logits]++;
    b->user[g->logits] = -1;
    b->shares_columns[g->logits] = true;
    for (size_t i = g->n_node; i-- > 0;)
        if (!g->nodes[i].dead && (b->need[g->nodes[i].out] || !wick_op_is_coarse(g->nodes[i].op))) want_inputs(b, &g->nodes[i]);
    for (size_t i = 0; i < g->n_node; i++)
        if (!g->nodes[i].dead) count_use(b, &g->nodes[i], (wick_node_id)i);
}

static bool is_one_row(const builder *b, wick_value_id v) {
    const wick_value *value = &b->g->values[v];
    return value->rank == 2 && wick_dim_is_const(value->dims[0]) && value->dims[0].c == 1;
}

/* True if only the last token's row of v is computed. */
static bool is_last(const builder *b, wick_value_id v) { return b->need[v] == NEED_LAST || is_one_row(b, v); }

/* ---------------------------------------------------------------- pieces */

static int32_t now(const builder *b) { return (int32_t)b->p->n_phase; }

/* Floats from row to row: whole panels, and never a multiple of 4096 bytes, which would put all rows into the same cache sets. */
static int64_t pitch(int64_t n) {
    int64_t w = (n + WICK_PANEL - 1) / WICK_PANEL * WICK_PANEL;
    return w % 1024 ? w : w + WICK_PANEL;
}

static cpu_ref slot_new(builder *b, cpu_slot_kind kind, int64_t width, bool last, wick_value_id value) {
    wick_backend_plan *p = b->p;
    if (!WICK_GROW(p->slots, p->n_slot, p->slot_cap)) {
        b->no_memory = true;
        return nowhere;
    }
    int32_t end = now(b);
    p->slots[p->n_slot] = (cpu_slot){.kind = kind, .last = last, .width = width, .value = value, .first = end, .end = end};
    return (cpu_ref){(int32_t)p->n_slot++, last, 0, (int32_t)width};
}

static cpu_ref rows_new(builder *b, wick_value_id value) {
    return slot_new(b, CPU_SLOT_ROWS, pitch(wick_value_width(&b->g->values[value])), is_last(b, value), value);
}

/* The place of a value that is read now. */
static cpu_ref use(builder *b, cpu_ref ref) {
    if (ref.slot < 0) {
        b->refused = b->refused ? b->refused : "a value is used before it is made";
        return ref;
    }
    cpu_slot *s = &b->p->slots[ref.slot];
    if (s->end < now(b)) s->end = now(b);
    return ref;
}

static void phase_add(builder *b, cpu_phase phase) {
    wick_backend_plan *p = b->p;
    if (!WICK_GROW(p->phases, p->n_phase, p->phase_cap)) {
        b->no_memory = true;
        return;
    }
    phase.first_op = b->open_op;
    phase.n_op = (int32_t)p->n_op - b->open_op;
    phase.ops_last = b->open_last;
    for (int32_t i = 0; i < phase.n_op; i++) phase.ops_needed = phase.ops_needed || p->ops[b->open_op + i].needed;
    p->phases[p->n_phase++] = phase;
    b->open_op = (int32_t)p->n_op;
}

static void rows_close(builder *b) {
    if ((int32_t)b->p->n_op > b->open_op) phase_add(b, (cpu_phase){.main = CPU_MAIN_NONE});
}

/* Makes sure that the open phase works on these rows; to be called before its operands are used. */
static void rows_open(builder *b, bool last) {
    if ((int32_t)b->p->n_op > b->open_op && b->open_last != last) rows_close(b);
    b->open_last = last;
}

static void op_add(builder *b, cpu_op op) {
    wick_backend_plan *p = b->p;
    if (!WICK_GROW(p->ops, p->n_op, p->op_cap))
        b->no_memory = true;
    else
        p->ops[p->n_op++] = op;
}

static const wick_value *value_of(const builder *b, wick_value_id v) { return &b->g->values[v]; }
static bool is_const(const builder *b, wick_value_id v) { return value_of(b, v)->kind == WICK_VALUE_CONST; }

static const float *const_row(builder *b, const wick_node *n, int i) {
    if (i >= n->n_in || n->in[i] < 0) return NULL;
    const float *w = cpu_const_f32(b->p, value_of(b, n->in[i]));
    if (!w) b->no_memory = true;
    return w;
}

/* ---------------------------------------------------------------- row ops */

/* A row op with one activation operand and a fresh result. */
static cpu_op row_op(builder *b, wick_node_id id, cpu_op_kind kind) {
    const wick_node *n = &b->g->nodes[id];
    rows_open(b, is_last(b, n->out));
    cpu_op op = {.kind = kind, .needed = b->to_state[n->out], .n = wick_value_width(value_of(b, n->in[0]))};
    op.in[0] = use(b, b->refs[n->in[0]]);
    op.in[1] = nowhere;
    op.out = b->refs[n->out] = rows_new(b, n->out);
    return op;
}

static void embed(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    rows_open(b, is_last(b, n->out));
    cpu_op op = {.kind = CPU_EMBED, .needed = b->to_state[n->out], .embed = {b->maps[n->in[0]], n->in[1]}};
    op.n = wick_value_width(value_of(b, n->out));
    op.in[0] = op.in[1] = nowhere;
    op.out = b->refs[n->out] = rows_new(b, n->out);
    int64_t n_row = value_of(b, n->in[1])->dims[0].c;
    if (!op.embed.map && n_row < b->p->n_embedding) b->p->n_embedding = n_row;
    op_add(b, op);
}

static void gather_ids(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    const wick_value *map = value_of(b, n->in[1]);
    bool valid = true;
    int64_t limit = INT32_MAX;
    for (size_t i = 0; i < b->g->n_node; i++)
        if (!b->g->nodes[i].dead && b->g->nodes[i].op == WICK_OP_embedding && b->g->nodes[i].in[0] == n->out)
            limit = value_of(b, b->g->nodes[i].in[1])->dims[0].c;
    b->maps[n->out] = cpu_const_i32(b->p, map, limit, &valid);
    if (!b->maps[n->out])
        b->no_memory = true;
    else if (!valid)
        b->refused = "a token map points outside the embedding";
    if (map->dims[0].c < b->p->n_embedding) b->p->n_embedding = map->dims[0].c;
}

static void norm(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    cpu_op op = row_op(b, id, n->op == WICK_OP_rmsnorm ? CPU_RMSNORM : CPU_LAYERNORM);
    op.n_part = n->attrs.norm.n_group;
    op.number = n->attrs.norm.eps;
    op.offset = n->attrs.norm.unit_offset ? 1.0f : 0.0f;
    op.w = const_row(b, n, 1);
    if (n->op == WICK_OP_layernorm) op.b = const_row(b, n, 2);
    op_add(b, op);
}

/* The lanes of v are in nobody else's sight: what is written there harms no one. */
static bool is_exclusive(const builder *b, wick_value_id v) {
    const wick_value *value = value_of(b, v);
    if (b->n_use[v] != 1 || value->kind != WICK_VALUE_TEMP) return false;
    const wick_node *made = &b->g->nodes[value->producer];
    if (made->op == WICK_OP_last_row) return false;
    if (made->op != WICK_OP_split) return true;
    const wick_value *whole = value_of(b, made->in[0]);
    if (whole->kind != WICK_VALUE_TEMP || b->shares_columns[made->in[0]]) return false;
    wick_op op = b->g->nodes[whole->producer].op;
    return op != WICK_OP_split && op != WICK_OP_last_row;
}

static void rope(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    rows_open(b, is_last(b, n->out));
    cpu_op op = {.kind = CPU_ROPE, .needed = b->to_state[n->out], .n = wick_value_width(value_of(b, n->in[0]))};
    op.in[0] = use(b, b->refs[n->in[0]]);
    op.in[1] = nowhere;
    op.out = b->refs[n->out] = is_exclusive(b, n->in[0]) ? op.in[0] : rows_new(b, n->out);
    op.n_part = n->attrs.rope.n_head;
    op.rope.turn = n->attrs.rope.style == WICK_ROPE_HALF ? b->p->kernels.rope_half : b->p->kernels.rope_interleaved;
    op.rope.n_rotary = n->attrs.rope.n_rotary;
    op.rope.wrap = n->attrs.rope.wrap;
    op.rope.cos = cpu_table_find(b->p, n->in[1]);
    op.rope.sin = cpu_table_find(b->p, n->in[2]);
    if (op.rope.cos < 0 || op.rope.sin < 0) {
        b->no_memory = true;
        return;
    }
    for (int i = 1; i <= 2; i++) {
        int64_t n_row = value_of(b, n->in[i])->dims[0].c;
        bool endless = op.rope.wrap.period && n_row - op.rope.wrap.n_fixed >= op.rope.wrap.period;
        if (!endless && n_row < b->p->max_position) b->p->max_position = n_row;
    }
    op_add(b, op);
}

/* add and mul: of two activations, or with a constant row or number. */
static void binary(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    bool is_add = n->op == WICK_OP_add;
    int x = is_const(b, n->in[0]) ? 1 : 0;
    const wick_value *other = value_of(b, n->in[1 - x]);
    cpu_op op = {.needed = b->to_state[n->out], .n = wick_value_width(value_of(b, n->out))};
    rows_open(b, is_last(b, n->out));
    op.in[0] = use(b, b->refs[n->in[x]]);
    op.in[1] = nowhere;
    if (other->kind != WICK_VALUE_CONST) {
        op.kind = is_add ? CPU_ADD : CPU_MUL;
        op.in[1] = use(b, b->refs[n->in[1]]);
    } else {
        op.w = const_row(b, n, 1 - x);
        bool number = wick_value_width(other) == 1 && op.n != 1;
        op.kind = number ? (is_add ? CPU_OFFSET : CPU_SCALE) : is_add ? CPU_ADD_ROW : CPU_MUL_ROW;
        if (number && op.w) op.number = op.w[0];
    }
    op.out = b->refs[n->out] = rows_new(b, n->out);
    op_add(b, op);
}

static void scatter(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    bool valid = true;
    cpu_op op = row_op(b, id, CPU_SCATTER);
    op.index = cpu_const_i32(b->p, value_of(b, n->in[1]), wick_value_width(value_of(b, n->out)), &valid);
    op.n_part = n->attrs.split.count;
    if (!op.index)
        b->no_memory = true;
    else if (!valid)
        b->refused = "a column index lies outside its row";
    op_add(b, op);
}

static wick_unary_fn *act_fn(const wick_kernels *k, wick_act act) {
    switch (act) {
    case WICK_ACT_SILU: return k->silu;
    case WICK_ACT_GELU: return k->gelu;
    case WICK_ACT_GELU_TANH: return k->gelu_tanh;
    case WICK_ACT_RELU: return k->relu;
    case WICK_ACT_SIGMOID: return k->sigmoid;
    case WICK_ACT_TANH: return k->tanh;
    }
    return k->silu;
}

static void plain_op(builder *b, wick_node_id id, cpu_op_kind kind) {
    const wick_node *n = &b->g->nodes[id];
    cpu_op op = row_op(b, id, kind);
    if (kind == CPU_SCALE || kind == CPU_SOFTCAP) op.number = n->attrs.scale.scale;
    if (kind == CPU_ACT || kind == CPU_GLU) op.act = act_fn(&b->p->kernels, n->attrs.act.act);
    op_add(b, op);
}

/* ---------------------------------------------------------------- mains */

static cpu_ref quantized(builder *b, wick_value_id x, bool last, bool needed) {
    cpu_ref *codes = &b->codes[x];
    if (codes->slot >= 0 && codes->last == last) return use(b, *codes);
    rows_open(b, last);
    int64_t k = wick_value_width(value_of(b, x));
    cpu_op op = {.kind = CPU_QUANTIZE, .needed = needed, .n = k, .k_pad = (k + 63) / 64 * 64};
    op.in[0] = use(b, b->refs[x]);
    op.in[1] = nowhere;
    op.out = *codes = slot_new(b, CPU_SLOT_CODES, op.k_pad, last, x);
    op_add(b, op);
    return op.out;
}

/* The node that alone reads v, if it may be done in v's place; -1. */
static wick_node_id sole_user(const builder *b, wick_value_id v) {
    wick_node_id u = b->n_use[v] == 1 ? b->user[v] : -1;
    return u >= 0 && is_last(b, b->g->nodes[u].out) == is_last(b, v) ? u : -1;
}

/* NULL: there is no kernel that gates with it. */
static wick_glu_fn *gate_fn(const wick_kernels *k, wick_act act) {
    return act == WICK_ACT_SILU ? k->silu_glu : act == WICK_ACT_GELU ? k->gelu_glu : act == WICK_ACT_GELU_TANH ? k->gelu_tanh_glu : NULL;
}

static void linear(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    wick_value_id out = n->out;
    wick_node_id user = sole_user(b, out);
    const wick_node *next = user >= 0 ? &b->g->nodes[user] : NULL;
    cpu_phase phase = {.main = CPU_MAIN_LINEAR, .node = id, .residual = nowhere, .main_last = is_last(b, out)};
    bool paired =
        next && next->op == WICK_OP_glu && gate_fn(&b->p->kernels, next->attrs.act.act) && wick_value_width(value_of(b, out)) % 2 == 0;
    if (paired) phase.gate = gate_fn(&b->p->kernels, next->attrs.act.act);
    wick_value_id other = -1;
    if (next && next->op == WICK_OP_add) {
        other = next->in[0] == out ? next->in[1] : next->in[0];
        if (is_const(b, other) || b->refs[other].slot < 0 || wick_value_width(value_of(b, other)) != wick_value_width(value_of(b, out)))
            other = -1;
    }
    if (paired || other >= 0) {
        b->folded[user] = true;
        out = next->out;
    }
    phase.main_needed = b->to_state[out];
    if (n->attrs.linear.act_quant == WICK_ACTQ_ROW8)
        phase.in = quantized(b, n->in[0], phase.main_last, phase.main_needed);
    else
        phase.in = use(b, b->refs[n->in[0]]);
    if (other >= 0) phase.residual = use(b, b->refs[other]);
    wick_value_id bias = n->n_in > 2 ? n->in[2] : -1;
    phase.index = cpu_matrix_add(b->p, n->in[1], bias, n->attrs.linear.act_quant, paired);
    if (phase.index < 0) b->no_memory = true;
    phase.out = b->refs[out] = rows_new(b, out);
    phase_add(b, phase);
}

static void attention(builder *b, wick_node_id id) {
    wick_backend_plan *p = b->p;
    const wick_node *n = &b->g->nodes[id];
    if (!WICK_GROW(p->caches, p->n_cache, p->cache_cap)) {
        b->no_memory = true;
        return;
    }
    p->caches[p->n_cache] = (cpu_cache){.node = id,
                                        .n_head = n->attrs.attention.n_head,
                                        .n_kv_head = n->attrs.attention.n_kv_head,
                                        .d_head = n->attrs.attention.d_head,
                                        .scale = n->attrs.attention.scale,
                                        .window = n->attrs.attention.window,
                                        .n_sink = n->attrs.attention.n_sink,
                                        .int8 = n->attrs.attention.kv_int8};
    int32_t cache = (int32_t)p->n_cache++;
    rows_open(b, is_last(b, n->in[1]));
    cpu_op op = {.kind = CPU_APPEND, .cache = cache, .needed = true, .out = nowhere};
    op.in[0] = use(b, b->refs[n->in[1]]);
    op.in[1] = use(b, b->refs[n->in[2]]);
    op_add(b, op);
    cpu_phase phase = {.main = CPU_MAIN_ATTEND, .node = id, .index = cache, .residual = nowhere, .main_last = is_last(b, n->out)};
    phase.main_needed = b->to_state[n->out];
    phase.in = use(b, b->refs[n->in[0]]);
    phase.out = b->refs[n->out] = rows_new(b, n->out);
    phase_add(b, phase);
}

static void conv(builder *b, wick_node_id id) {
    wick_backend_plan *p = b->p;
    const wick_node *n = &b->g->nodes[id];
    if (!WICK_GROW(p->convs, p->n_conv, p->conv_cap)) {
        b->no_memory = true;
        return;
    }
    p->convs[p->n_conv] = (cpu_conv){id, wick_value_width(value_of(b, n->out)), n->attrs.conv.width};
    cpu_phase phase = {.main = CPU_MAIN_CONV, .node = id, .index = (int32_t)p->n_conv++, .residual = nowhere, .main_needed = true};
    phase.w = const_row(b, n, 1);
    phase.in = use(b, b->refs[n->in[0]]);
    phase.out = b->refs[n->out] = slot_new(b, CPU_SLOT_ROWS, pitch(wick_value_width(value_of(b, n->out))), false, n->out);
    phase_add(b, phase);
}

/* A fine op: everybody waits while the host runs it on dense arrays. */
static void host(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    if (n->more_in) {
        b->refused = "a left operator has more than eight operands";
        return;
    }
    rows_close(b);
    b->p->has_fine = true;
    if (!WICK_GROW(b->p->calls, b->p->n_call, b->p->call_cap)) {
        b->no_memory = true;
        return;
    }
    cpu_phase phase = {
        .main = CPU_MAIN_HOST, .node = id, .residual = nowhere, .main_needed = true, .in = nowhere, .index = (int32_t)b->p->n_call};
    cpu_call *call = &b->p->calls[b->p->n_call++];
    for (int i = 0; i < WICK_NODE_MAX_IN; i++) {
        call->in[i] = nowhere;
        call->stage[i] = -1;
        wick_value_id v = i < n->n_in ? n->in[i] : -1;
        if (v < 0 || value_of(b, v)->kind != WICK_VALUE_TEMP) continue;
        call->in[i] = use(b, b->refs[v]);
        if (call->in[i].slot >= 0 && b->p->slots[call->in[i].slot].kind != CPU_SLOT_HOST)
            call->stage[i] = slot_new(b, CPU_SLOT_HOST, 0, false, v).slot;
    }
    if (value_of(b, n->out)->kind == WICK_VALUE_STATE) {
        phase.out = nowhere;
        phase_add(b, phase);
        return;
    }
    phase.out = slot_new(b, CPU_SLOT_HOST, 0, false, n->out);
    phase.out.stride = (int32_t)wick_value_width(value_of(b, n->out));
    phase.out.last = is_one_row(b, n->out);
    b->refs[n->out] = phase.out;
    phase_add(b, phase);
}

static void split(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    cpu_ref ref = use(b, b->refs[n->in[0]]);
    ref.column += (int32_t)n->attrs.split.start;
    b->refs[n->out] = ref;
}

static void node(builder *b, wick_node_id id) {
    const wick_node *n = &b->g->nodes[id];
    if (!wick_op_is_coarse(n->op)) {
        host(b, id);
        return;
    }
    switch (n->op) {
    case WICK_OP_embedding: embed(b, id); break;
    case WICK_OP_gather_ids: gather_ids(b, id); break;
    case WICK_OP_linear: linear(b, id); break;
    case WICK_OP_rmsnorm:
    case WICK_OP_layernorm: norm(b, id); break;
    case WICK_OP_rope: rope(b, id); break;
    case WICK_OP_attention: attention(b, id); break;
    case WICK_OP_glu: plain_op(b, id, CPU_GLU); break;
    case WICK_OP_act: plain_op(b, id, CPU_ACT); break;
    case WICK_OP_scale: plain_op(b, id, CPU_SCALE); break;
    case WICK_OP_softcap: plain_op(b, id, CPU_SOFTCAP); break;
    case WICK_OP_hadamard: plain_op(b, id, CPU_HADAMARD); break;
    case WICK_OP_add:
    case WICK_OP_mul: binary(b, id); break;
    case WICK_OP_last_row: b->refs[n->out] = use(b, b->refs[n->in[0]]); break;
    case WICK_OP_split: split(b, id); break;
    case WICK_OP_short_conv: conv(b, id); break;
    case WICK_OP_scatter_cols: scatter(b, id); break;
    default: b->refused = "an operator that the processor backend does not know"; break;
    }
}

/* ---------------------------------------------------------------- the walk */

static bool builder_init(builder *b, wick_backend_plan *p) {
    size_t n = p->g->n_value ? p->g->n_value : 1;
    *b = (builder){.p = p, .g = p->g};
    b->need = WICK_NEW_ARRAY(uint8_t, n);
    b->to_state = WICK_NEW_ARRAY(bool, n);
    b->n_use = WICK_NEW_ARRAY(int32_t, n);
    b->user = WICK_NEW_ARRAY(wick_node_id, n);
    b->shares_columns = WICK_NEW_ARRAY(bool, n);
    b->split_end = WICK_NEW_ARRAY(int64_t, n);
    b->refs = WICK_NEW_ARRAY(cpu_ref, n);
    b->codes = WICK_NEW_ARRAY(cpu_ref, n);
    b->maps = WICK_NEW_ARRAY(int32_t *, n);
    b->folded = WICK_NEW_ARRAY(bool, p->g->n_node ? p->g->n_node : 1);
    if (!b->need || !b->to_state || !b->n_use || !b->user || !b->shares_columns || !b->split_end || !b->refs || !b->codes || !b->maps ||
        !b->folded)
        return false;
    for (size_t i = 0; i < n; i++) b->refs[i] = b->codes[i] = nowhere;
    return true;
}

static void builder_release(builder *b) {
    wick_free(b->need);
    wick_free(b->to_state);
    wick_free(b->n_use);
    wick_free(b->user);
    wick_free(b->shares_columns);
    wick_free(b->split_end);
    wick_free(b->refs);
    wick_free(b->codes);
    wick_free(b->maps);
    wick_free(b->folded);
}

wick_status cpu_schedule(wick_backend_plan *p, wick_error *err) {
    builder b;
    wick_status status = WICK_OK;
    p->n_embedding = p->max_position = INT64_MAX;
    if (!builder_init(&b, p)) {
        builder_release(&b);
        return wick_fail_nomem(err);
    }
    analyse(&b);
    for (size_t i = 0; i < p->g->n_node && !b.no_memory && !b.refused; i++) {
        const wick_node *n = &p->g->nodes[i];
        bool unread = b.need[n->out] == NEED_NONE && wick_op_is_coarse(n->op);
        if (!n->dead && !b.folded[i] && !unread) node(&b, (wick_node_id)i);
    }
    rows_close(&b);
    p->logits = b.refs[p->g->logits];
    if (b.no_memory)
        status = wick_fail_nomem(err);
    else if (b.refused || p->logits.slot < 0)
        status = wick_fail(err, WICK_EUNSUPPORTED, "the raised graph: %s", b.refused ? b.refused : "nothing makes its logits");
    else
        p->slots[p->logits.slot].end = INT32_MAX;
    builder_release(&b);
    return status == WICK_OK ? cpu_slots_place(p, err) : status;
}
