/* The portable backend: one kernel call per step of an op, fp32. Every activation is [1, R, W]; attention's view of it is made by
 * et_view. A linear whose result is only taken apart along its parts is one aten::linear per part, so nothing is copied; the
 * weights lie as rows [N, K], as in the checkpoint, and a tied table is stored once. */
#include "export/lower_program.h"

#include <string.h>

/* An fp32 result like value v, `width` columns wide. */
static int32_t result(wick_lower_state *lw, wick_value_id v, int64_t width) {
    return wick_lower_temp(lw, 3, (int64_t[]){1, wick_lower_rows(lw, v), width});
}

static void unsupported(wick_lower_state *lw, const wick_node *n, const char *what) {
    wick_lower_fail(lw, WICK_EUNSUPPORTED, "the portable backend cannot express %s: %s", wick_op_name(n->op), what);
}

/* ---------------------------------------------------------------- linear, split, glu */

/* Columns [from, to) of a linear as a product of their own. */
static int32_t product(wick_lower_state *lw, const wick_node *n, int64_t from, int64_t to) {
    int32_t x = wick_lower_flat(lw, n->in[0]), w = wick_lower_rows_constant(lw, n->in[1], from, to);
    int32_t bias = wick_lower_has_in(n, 2) ? wick_lower_rows_constant(lw, n->in[2], from, to) : wick_lower_null(lw);
    int32_t y = result(lw, n->out, to - from);
    WICK_LOWER_CALL(lw, WICK_I_LINEAR, x, w, bias, y);
    return y;
}

/* The node that made x, if it is a linear whose columns [from, to) can be computed alone. */
static const wick_node *divisible(const wick_lower_state *lw, wick_value_id x, int64_t from, int64_t to) {
    wick_node_id id = wick_lower_value(lw, x)->producer;
    if (id < 0) return NULL;
    const wick_node *n = &lw->g->nodes[id];
    return n->op == WICK_OP_linear && wick_lower_divides(lw, n, from, to) ? n : NULL;
}

/* Every reader of a linear computes its own columns: nobody needs the whole. */
static bool is_taken_apart(const wick_lower_state *lw, const wick_node *linear) {
    if (lw->g->logits == linear->out) return false;
    for (size_t i = 0; i < lw->g->n_node; i++) {
        const wick_node *n = &lw->g->nodes[i];
        if (n->dead) continue;
        for (int k = 0; k < n->n_in; k++) {
            if (wick_node_inputs(n)[k] != linear->out) continue;
            int64_t w = wick_lower_width(lw, linear->out), start = n->attrs.split.start;
            bool split = n->op == WICK_OP_split && wick_lower_divides(lw, linear, start, start + n->attrs.split.count);
            bool glu = n->op == WICK_OP_glu && wick_lower_divides(lw, linear, 0, w / 2) && wick_lower_divides(lw, linear, w / 2, w);
            if (!split && !glu) return false;
        }
    }
    return true;
}

static void emit_linear(wick_lower_state *lw, const wick_node *n) {
    if (n->attrs.linear.act_quant != WICK_ACTQ_NONE) unsupported(lw, n, "quantized products need the XNNPACK backend");
    if (lw->status == WICK_OK && !is_taken_apart(lw, n)) lw->slots[n->out].flat = product(lw, n, 0, wick_lower_width(lw, n->out));
}

static int32_t columns(wick_lower_state *lw, wick_value_id x, int64_t from, int64_t to) {
    const wick_node *linear = divisible(lw, x, from, to);
    if (linear && is_taken_apart(lw, linear)) return product(lw, linear, from, to);
    int32_t in = wick_lower_flat(lw, x), out = result(lw, x, to - from);
    WICK_LOWER_CALL(lw, WICK_I_SLICE_COPY, in, wick_lower_int(lw, 2), wick_lower_int(lw, from), wick_lower_int(lw, to),
                    wick_lower_int(lw, 1), out);
    return out;
}

static void emit_split(wick_lower_state *lw, const wick_node *n) {
    int64_t start = n->attrs.split.start;
    lw->slots[n->out].flat = columns(lw, n->in[0], start, start + n->attrs.split.count);
}

static void emit_glu(wick_lower_state *lw, const wick_node *n) {
    if (n->attrs.act.act != WICK_ACT_SILU) unsupported(lw, n, "its activation is not silu");
    int64_t f = wick_lower_width(lw, n->out);
    int32_t gate = columns(lw, n->in[0], 0, f);
    int32_t s = result(lw, n->out, f);
    WICK_LOWER_CALL(lw, WICK_I_SIGMOID, gate, s);
    int32_t silu = result(lw, n->out, f);
    WICK_LOWER_CALL(lw, WICK_I_MUL, gate, s, silu);
    int32_t up = columns(lw, n->in[0], f, 2 * f);
    int32_t y = result(lw, n->out, f);
    WICK_LOWER_CALL(lw, WICK_I_MUL, silu, up, y);
    lw->slots[n->out].flat = y;
}

/* ---------------------------------------------------------------- norm, rope, add */

static void emit_rmsnorm(wick_lower_state *lw, const wick_node *n) {
    if (n->attrs.norm.n_group != 1 || n->attrs.norm.unit_offset) unsupported(lw, n, "it has groups or a unit offset");
    int64_t k = wick_lower_width(lw, n->out);
    int32_t one = wick_lower_int(lw, 1), x = wick_lower_flat(lw, n->in[0]), minus = wick_lower_int(lw, -1);
    int32_t last_dim = wick_lower_int_list(lw, &minus, 1);
    int32_t square = result(lw, n->out, k);
    WICK_LOWER_CALL(lw, WICK_I_MUL, x, x, square);
    int32_t mean = result(lw, n->out, 1);
    WICK_LOWER_CALL(lw, WICK_I_MEAN, square, last_dim, wick_lower_bool(lw, true), wick_lower_null(lw), mean);
    int32_t sum = result(lw, n->out, 1);
    WICK_LOWER_CALL(lw, WICK_I_ADD_SCALAR, mean, wick_lower_double(lw, n->attrs.norm.eps), one, sum);
    int32_t r = result(lw, n->out, 1);
    WICK_LOWER_CALL(lw, WICK_I_RSQRT, sum, r);
    int32_t y = result(lw, n->out, k);
    WICK_LOWER_CALL(lw, WICK_I_MUL, x, r, y);
    if (wick_lower_has_in(n, 1)) {
        int32_t w = wick_lower_rows_constant(lw, n->in[1], 0, k), scaled = result(lw, n->out, k);
        WICK_LOWER_CALL(lw, WICK_I_MUL, y, w, scaled);
        y = scaled;
    }
    lw->slots[n->out].flat = y;
}

/* x * [cos, cos] + (x with its halves exchanged) * [-sin, +sin] */
static void emit_rope(wick_lower_state *lw, const wick_node *n) {
    int64_t h = n->attrs.rope.n_head, d = wick_lower_width(lw, n->out) / h;
    if (n->attrs.rope.style != WICK_ROPE_HALF || n->attrs.rope.n_rotary != d) unsupported(lw, n, "only halves of whole heads turn");
    if (n->attrs.rope.wrap.period) unsupported(lw, n, "positions that go around have no program yet");
    int64_t rows = wick_lower_rows(lw, n->out), whole[] = {1, rows, h, d}, half[] = {1, rows, h, d / 2};
    int32_t x = wick_lower_heads(lw, n->in[0], d), one = wick_lower_int(lw, 1), three = wick_lower_int(lw, 3), halves[2];
    for (int i = 0; i < 2; i++) {
        int64_t start = i ? 0 : d / 2;
        halves[i] = wick_lower_temp(lw, 4, half);
        WICK_LOWER_CALL(lw, WICK_I_SLICE_COPY, x, three, wick_lower_int(lw, start), wick_lower_int(lw, start + d / 2), one, halves[i]);
    }
    int32_t pair = wick_lower_tensor_list(lw, halves, 2);
    int32_t swapped = wick_lower_temp(lw, 4, whole);
    WICK_LOWER_CALL(lw, WICK_I_CAT, pair, three, swapped);
    int32_t a = wick_lower_temp(lw, 4, whole);
    WICK_LOWER_CALL(lw, WICK_I_MUL, x, lw->table_rows[n->in[1]], a);
    int32_t b = wick_lower_temp(lw, 4, whole);
    WICK_LOWER_CALL(lw, WICK_I_MUL, swapped, lw->table_rows[n->in[2]], b);
    int32_t y = wick_lower_temp(lw, 4, whole);
    WICK_LOWER_CALL(lw, WICK_I_ADD, a, b, one, y);
    lw->slots[n->out].heads = y;
}

static void emit_add(wick_lower_state *lw, const wick_node *n) {
    const wick_value *b = wick_lower_value(lw, n->in[1]);
    int32_t x = wick_lower_flat(lw, n->in[0]);
    int32_t y = b->kind == WICK_VALUE_CONST ? wick_lower_rows_constant(lw, n->in[1], 0, b->dims[0].c) : wick_lower_flat(lw, n->in[1]);
    int32_t out = result(lw, n->out, wick_lower_width(lw, n->out));
    WICK_LOWER_CALL(lw, WICK_I_ADD, x, y, wick_lower_int(lw, 1), out);
    lw->slots[n->out].flat = out;
}

static wick_lower_emit_fn *const emitters[WICK_N_OP] = {
    [WICK_OP_linear] = emit_linear,   [WICK_OP_split] = emit_split, [WICK_OP_glu] = emit_glu,
    [WICK_OP_rmsnorm] = emit_rmsnorm, [WICK_OP_rope] = emit_rope,   [WICK_OP_add] = emit_add,
};

void wick_lower_portable(wick_lower_state *lw) {
    for (size_t i = 0; i < lw->g->n_node && lw->status == WICK_OK; i++) {
        const wick_node *n = &lw->g->nodes[i];
        if (n->dead) continue;
        wick_lower_emit_fn *emit = wick_lower_ops[n->op] ? wick_lower_ops[n->op] : emitters[n->op];
        if (emit)
            emit(lw, n);
        else
            wick_lower_fail(lw, WICK_EUNSUPPORTED, "the portable backend has no rule for %s", wick_op_name(n->op));
    }
}
