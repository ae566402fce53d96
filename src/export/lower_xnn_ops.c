/* How each row-wise op is written in XNNPACK nodes. */
#include "export/lower_xnn.h"

static void unsupported(wick_delegate *d, const wick_node *n, const char *what) {
    wick_lower_fail(d->lw, WICK_EUNSUPPORTED, "the XNNPACK backend cannot express %s: %s", wick_op_name(n->op), what);
}

/* ---------------------------------------------------------------- linear, glu */

/* A linear that only feeds a glu is written as two products, gate and up, and there: slices of one would be copies. */
static bool is_glu_only(const wick_lower_state *lw, const wick_node *linear) {
    int64_t w = wick_lower_width(lw, linear->out);
    bool glu = false;
    if (linear->out == lw->g->logits || w % 2 || !wick_lower_divides(lw, linear, 0, w / 2) || !wick_lower_divides(lw, linear, w / 2, w))
        return false;
    for (size_t i = 0; i < lw->g->n_node; i++) {
        const wick_node *n = &lw->g->nodes[i];
        for (int k = 0; k < n->n_in && !n->dead; k++) {
            if (n->in[k] != linear->out) continue;
            if (n->op != WICK_OP_glu) return false;
            glu = true;
        }
    }
    return glu;
}

/* Columns [from, to) of a linear. Quantized weights take rows of int8, and all products of one input share one Convert. */
static uint32_t product(wick_delegate *d, const wick_node *n, int64_t from, int64_t to) {
    bool groups = wick_lower_value(d->lw, n->in[1])->scheme.kind == WICK_SCHEME_INT;
    if (groups != (n->attrs.linear.act_quant == WICK_ACTQ_ROW8)) unsupported(d, n, "its weights and its input are not quantized together");
    uint32_t x = wick_delegate_flat(d, n->in[0]);
    if (groups) x = wick_delegate_convert(d, x);
    uint32_t w = wick_delegate_weight(d, n->in[1], from, to);
    uint32_t bias = wick_lower_has_in(n, 2) ? wick_delegate_weight(d, n->in[2], from, to) : WICK_XNN_NONE;
    return wick_delegate_product(d, x, w, bias);
}

static void emit_linear(wick_delegate *d, const wick_node *n) {
    if (!is_glu_only(d->lw, n)) d->flat[n->out] = product(d, n, 0, wick_lower_width(d->lw, n->out));
}

static void emit_glu(wick_delegate *d, const wick_node *n) {
    if (n->attrs.act.act != WICK_ACT_SILU) unsupported(d, n, "its activation is not silu");
    wick_node_id id = wick_lower_value(d->lw, n->in[0])->producer;
    const wick_node *from = id < 0 ? NULL : &d->lw->g->nodes[id];
    int64_t f = wick_lower_width(d->lw, n->out);
    uint32_t gate, up;
    if (from && from->op == WICK_OP_linear && is_glu_only(d->lw, from)) {
        gate = product(d, from, 0, f);
        up = product(d, from, f, 2 * f);
    } else {
        uint32_t x = wick_delegate_flat(d, n->in[0]);
        gate = wick_delegate_slice(d, x, 2, 0, f);
        up = wick_delegate_slice(d, x, 2, f, f);
    }
    uint32_t s = wick_delegate_unary(d, WICK_XNN_SIGMOID, gate);
    uint32_t silu = wick_delegate_binary(d, WICK_XNN_MULTIPLY, gate, s);
    d->flat[n->out] = wick_delegate_binary(d, WICK_XNN_MULTIPLY, silu, up);
}

/* ---------------------------------------------------------------- norm, add */

/* x * rsqrt(mean(x^2) + eps) * w; the mean and eps are one product: filter 1/K, bias eps. */
static void emit_rmsnorm(wick_delegate *d, const wick_node *n) {
    if (n->attrs.norm.n_group != 1 || n->attrs.norm.unit_offset) unsupported(d, n, "it has groups or a unit offset");
    int64_t k = wick_lower_width(d->lw, n->out);
    uint32_t x = wick_delegate_flat(d, n->in[0]);
    uint32_t square = wick_delegate_unary(d, WICK_XNN_SQUARE, x);
    uint32_t filter = wick_delegate_fill(d, (float)(1.0 / (double)k), k, true), eps = wick_delegate_fill(d, n->attrs.norm.eps, 1, false);
    uint32_t mean = wick_delegate_product(d, square, filter, eps);
    uint32_t r = wick_delegate_unary(d, WICK_XNN_RECIPROCAL_SQUARE_ROOT, mean);
    uint32_t y = wick_delegate_binary(d, WICK_XNN_MULTIPLY, x, r);
    if (wick_lower_has_in(n, 1)) y = wick_delegate_binary(d, WICK_XNN_MULTIPLY, y, wick_delegate_weight(d, n->in[1], 0, k));
    d->flat[n->out] = y;
}

static void emit_add(wick_delegate *d, const wick_node *n) {
    const wick_value *b = wick_lower_value(d->lw, n->in[1]);
    uint32_t x = wick_delegate_flat(d, n->in[0]);
    uint32_t y = b->kind == WICK_VALUE_CONST ? wick_delegate_weight(d, n->in[1], 0, b->dims[0].c) : wick_delegate_flat(d, n->in[1]);
    d->flat[n->out] = wick_delegate_binary(d, WICK_XNN_ADD, x, y);
}

/* ---------------------------------------------------------------- split, rope */

/* Made when its form is known: see wick_delegate_flat. */
static void emit_split(wick_delegate *d, const wick_node *n) { (void)d, (void)n; }

static const wick_node *split_of(const wick_delegate *d, wick_value_id v) {
    wick_node_id id = wick_lower_value(d->lw, v)->producer;
    const wick_node *n = id < 0 ? NULL : &d->lw->g->nodes[id];
    return n && n->op == WICK_OP_split && d->stages[id] == d->stage ? n : NULL;
}

/* Neighbouring columns of one value that turn by the same tables are turned together: q and k of a layer. */
typedef struct rope_group {
    const wick_node *first; /* any of them */
    wick_value_id source;   /* what they are splits of; -1: a single one that is no split */
    int64_t from, to, d_head;
} rope_group;

static bool turns_alike(const wick_delegate *d, const rope_group *group, size_t i_node) {
    const wick_node *a = group->first, *b = &d->lw->g->nodes[i_node];
    return b->op == WICK_OP_rope && !b->dead && d->stages[i_node] == d->stage && b->in[1] == a->in[1] && b->in[2] == a->in[2] &&
           b->attrs.rope.style == a->attrs.rope.style && b->attrs.rope.n_rotary == a->attrs.rope.n_rotary &&
           b->attrs.rope.wrap.period == a->attrs.rope.wrap.period &&
           wick_lower_width(d->lw, b->out) == b->attrs.rope.n_head * group->d_head;
}

static rope_group find_group(const wick_delegate *d, const wick_node *n) {
    const wick_node *split = split_of(d, n->in[0]);
    rope_group group = {.first = n, .source = -1, .d_head = wick_lower_width(d->lw, n->out) / n->attrs.rope.n_head};
    if (!split || split->attrs.split.start % group.d_head || wick_lower_width(d->lw, split->in[0]) % group.d_head) return group;
    group.source = split->in[0];
    group.from = split->attrs.split.start;
    group.to = group.from + split->attrs.split.count;
    for (bool grown = true; grown;) {
        grown = false;
        for (size_t i = 0; i < d->lw->g->n_node; i++) {
            const wick_node *other = turns_alike(d, &group, i) ? split_of(d, d->lw->g->nodes[i].in[0]) : NULL;
            if (!other || other->in[0] != group.source) continue;
            int64_t from = other->attrs.split.start, to = from + other->attrs.split.count;
            if (from == group.to) group.to = to, grown = true;
            if (to == group.from) group.from = from, grown = true;
        }
    }
    return group;
}

/* The outputs of all members are slices of the whole. */
static void share_out(wick_delegate *d, const rope_group *group, uint32_t turned) {
    for (size_t i = 0; i < d->lw->g->n_node; i++) {
        const wick_node *split = turns_alike(d, group, i) ? split_of(d, d->lw->g->nodes[i].in[0]) : NULL;
        if (!split || split->in[0] != group->source || split->attrs.split.start < group->from || split->attrs.split.start >= group->to)
            continue;
        int64_t start = (split->attrs.split.start - group->from) / group->d_head;
        d->heads[d->lw->g->nodes[i].out] = wick_delegate_slice(d, turned, 2, start, split->attrs.split.count / group->d_head);
    }
}

/* x * [cos, cos] + (x with its halves exchanged) * [-sin, +sin], on [1, S, heads, D] against tables [S, 1, D] */
static void emit_rope(wick_delegate *d, const wick_node *n) {
    if (d->heads[n->out] != WICK_XNN_NONE) return; /* turned with a neighbour */
    rope_group group = find_group(d, n);
    int64_t w = group.d_head;
    if (n->attrs.rope.style != WICK_ROPE_HALF || n->attrs.rope.n_rotary != w) unsupported(d, n, "only halves of whole heads turn");
    if (n->attrs.rope.wrap.period) unsupported(d, n, "positions that go around have no program yet");
    uint32_t x;
    if (group.source < 0) {
        x = wick_delegate_heads(d, n->in[0], w);
    } else {
        x = wick_delegate_heads(d, group.source, w);
        if (group.to - group.from < wick_lower_width(d->lw, group.source))
            x = wick_delegate_slice(d, x, 2, group.from / w, (group.to - group.from) / w);
    }
    uint32_t high = wick_delegate_slice(d, x, 3, w / 2, w / 2), low = wick_delegate_slice(d, x, 3, 0, w / 2);
    uint32_t swapped = wick_delegate_concat(d, high, low, 3);
    uint32_t a = wick_delegate_binary(d, WICK_XNN_MULTIPLY, x, wick_delegate_table(d, n->in[1]));
    uint32_t b = wick_delegate_binary(d, WICK_XNN_MULTIPLY, swapped, wick_delegate_table(d, n->in[2]));
    uint32_t turned = wick_delegate_binary(d, WICK_XNN_ADD, a, b);
    if (group.to - group.from == wick_lower_width(d->lw, n->out) || group.source < 0)
        d->heads[n->out] = turned;
    else if (d->lw->status == WICK_OK)
        share_out(d, &group, turned);
}

wick_delegate_emit_fn *const wick_delegate_ops[WICK_N_OP] = {
    [WICK_OP_linear] = emit_linear,   [WICK_OP_glu] = emit_glu,   [WICK_OP_split] = emit_split,
    [WICK_OP_rmsnorm] = emit_rmsnorm, [WICK_OP_rope] = emit_rope, [WICK_OP_add] = emit_add,
};
