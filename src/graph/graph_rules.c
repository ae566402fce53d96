/* The rule of every coarse op: what its inputs must look like and what its output is. */
#include "graph/graph_int.h"

typedef struct rule {
    const wick_graph *g;
    const wick_node *n;
    wick_value *out;
    wick_error *err;
} rule;

static wick_status broken(const rule *r, const char *what) {
    return wick_fail(r->err, WICK_EFORMAT, "%s: %s", wick_op_name(r->n->op), what);
}

static const wick_value *input(const rule *r, int i) {
    return i < r->n->n_in && wick_graph_has(r->g, r->n->in[i]) ? &r->g->values[r->n->in[i]] : NULL;
}

static bool is_rows(const wick_value *v) { return v && v->rank == 2 && wick_dim_is_const(v->dims[1]) && v->dims[1].c > 0; }

static bool is_const(const wick_value *v, int rank) { return v && v->kind == WICK_VALUE_CONST && v->rank == rank; }

static wick_status give(const rule *r, wick_dtype dtype, wick_dim n_row, int64_t width) {
    r->out->dtype = dtype;
    r->out->rank = 2;
    r->out->dims[0] = n_row;
    r->out->dims[1] = wick_dim_const(width);
    return WICK_OK;
}

static wick_status rule_embedding(const rule *r) {
    const wick_value *tokens = input(r, 0), *table = input(r, 1);
    if (!tokens || tokens->rank != 1 || tokens->dtype != WICK_I64) return broken(r, "its tokens are not i64[S]");
    if (!is_const(table, 2)) return broken(r, "its table is not a constant [V,K]");
    return give(r, WICK_F32, tokens->dims[0], table->dims[1].c);
}

static wick_status rule_gather_ids(const rule *r) {
    const wick_value *tokens = input(r, 0);
    if (!tokens || tokens->rank != 1 || tokens->dtype != WICK_I64) return broken(r, "its tokens are not i64[S]");
    if (!is_const(input(r, 1), 1)) return broken(r, "its map is not a constant [V]");
    r->out->dtype = WICK_I64;
    r->out->rank = 1;
    r->out->dims[0] = tokens->dims[0];
    return WICK_OK;
}

static wick_status rule_linear(const rule *r) {
    const wick_value *x = input(r, 0), *w = input(r, 1), *bias = input(r, 2);
    if (!is_rows(x)) return broken(r, "x is not [R,K]");
    if (!is_const(w, 2)) return broken(r, "w is not a constant [N,K]");
    if (w->dims[1].c != x->dims[1].c) return broken(r, "x and w differ in K");
    if (bias && (!is_const(bias, 1) || bias->dims[0].c != w->dims[0].c)) return broken(r, "bias is not a constant [N]");
    return give(r, WICK_F32, x->dims[0], w->dims[0].c);
}

static wick_status rule_norm(const rule *r) {
    const wick_value *x = input(r, 0);
    int64_t n_group = r->n->attrs.norm.n_group;
    if (!is_rows(x)) return broken(r, "x is not [R,n_group*D]");
    if (n_group < 1 || x->dims[1].c % n_group) return broken(r, "its groups do not divide a row");
    for (int i = 1; i < r->n->n_in; i++) {
        const wick_value *w = input(r, i);
        if (w && (!is_const(w, 1) || w->dims[0].c != x->dims[1].c / n_group)) return broken(r, "w or b is not a constant [D]");
    }
    return give(r, WICK_F32, x->dims[0], x->dims[1].c);
}

static wick_status rule_rope(const rule *r) {
    const wick_value *x = input(r, 0);
    int64_t n_head = r->n->attrs.rope.n_head, n_rotary = r->n->attrs.rope.n_rotary;
    if (!is_rows(x) || n_head < 1 || x->dims[1].c % n_head) return broken(r, "x is not [S,n_head*D]");
    if (n_rotary < 2 || n_rotary % 2 || n_rotary > x->dims[1].c / n_head) return broken(r, "n_rotary is not an even part of a head");
    wick_wrap wrap = r->n->attrs.rope.wrap;
    if (wrap.n_fixed < 0 || wrap.period < 0 || (wrap.n_fixed && !wrap.period)) return broken(r, "its positions wrap around nothing");
    for (int i = 1; i < 3; i++) {
        const wick_value *t = input(r, i);
        if (!is_const(t, 2) || t->dims[1].c != n_rotary / 2) return broken(r, "cos or sin is not a constant [C,n_rotary/2]");
    }
    return give(r, WICK_F32, x->dims[0], x->dims[1].c);
}

static wick_status rule_attention(const rule *r) {
    const wick_value *q = input(r, 0), *k = input(r, 1), *v = input(r, 2);
    int64_t h = r->n->attrs.attention.n_head, g = r->n->attrs.attention.n_kv_head, d = r->n->attrs.attention.d_head;
    if (h < 1 || g < 1 || d < 1 || h % g) return broken(r, "n_head is not a multiple of n_kv_head");
    if (!is_rows(q) || q->dims[1].c != h * d) return broken(r, "q is not [R,H*D]");
    if (!is_rows(k) || !is_rows(v) || k->dims[1].c != g * d || v->dims[1].c != g * d) return broken(r, "k or v is not [S,G*D]");
    if (!wick_dim_equal(k->dims[0], v->dims[0])) return broken(r, "k and v differ in rows");
    for (int i = 3; i < 5; i++) {
        const wick_value *c = input(r, i);
        if (!c) continue;
        if (c->kind != WICK_VALUE_STATE || c->producer >= 0 || c->rank != 3 || c->dims[1].c != g || c->dims[2].c != d)
            return broken(r, "a cache is not a state [C,G,D]");
    }
    if (!input(r, 3) != !input(r, 4)) return broken(r, "it has one cache");
    int64_t window = r->n->attrs.attention.window, n_sink = r->n->attrs.attention.n_sink;
    if (window < 0 || n_sink < 0 || (n_sink && !window)) return broken(r, "its window is negative, or it has sinks without one");
    return give(r, WICK_F32, q->dims[0], h * d);
}

static wick_status rule_glu(const rule *r) {
    const wick_value *x = input(r, 0);
    if (!is_rows(x) || x->dims[1].c % 2) return broken(r, "x is not [R,2F]");
    return give(r, WICK_F32, x->dims[0], x->dims[1].c / 2);
}

static wick_status rule_same(const rule *r) {
    const wick_value *x = input(r, 0);
    if (!is_rows(x)) return broken(r, "x is not [R,K]");
    return give(r, x->dtype, x->dims[0], x->dims[1].c);
}

static wick_status rule_last_row(const rule *r) {
    const wick_value *x = input(r, 0);
    if (!is_rows(x)) return broken(r, "x is not [S,K]");
    return give(r, x->dtype, wick_dim_const(1), x->dims[1].c);
}

static wick_status rule_split(const rule *r) {
    const wick_value *x = input(r, 0);
    int64_t start = r->n->attrs.split.start, count = r->n->attrs.split.count;
    if (!is_rows(x) || start < 0 || count < 1 || start > x->dims[1].c - count) return broken(r, "its columns are not in x [R,N]");
    return give(r, x->dtype, x->dims[0], count);
}

static wick_status rule_binary(const rule *r) {
    const wick_value *a = input(r, 0), *b = input(r, 1);
    if (!is_rows(a)) return broken(r, "a is not [R,K]");
    bool same = is_rows(b) && wick_dim_equal(b->dims[0], a->dims[0]) && b->dims[1].c == a->dims[1].c;
    bool row = is_const(b, 1) && (b->dims[0].c == a->dims[1].c || b->dims[0].c == 1);
    if (!same && !row) return broken(r, "b is neither like a nor a constant row or scalar");
    return give(r, WICK_F32, a->dims[0], a->dims[1].c);
}

static wick_status rule_short_conv(const rule *r) {
    const wick_value *x = input(r, 0), *w = input(r, 1), *state = input(r, 2);
    if (!is_rows(x)) return broken(r, "x is not [S,N]");
    if (!is_const(w, 2) || w->dims[0].c != x->dims[1].c || w->dims[1].c != r->n->attrs.conv.width) return broken(r, "w is not [N,T]");
    if (!state || state->kind != WICK_VALUE_STATE || state->rank != 2 || state->dims[0].c != x->dims[1].c ||
        state->dims[1].c != w->dims[1].c)
        return broken(r, "its state is not [N,T]");
    return give(r, WICK_F32, x->dims[0], x->dims[1].c);
}

static wick_status rule_scatter_cols(const rule *r) {
    const wick_value *x = input(r, 0), *index = input(r, 1);
    if (!is_rows(x)) return broken(r, "x is not [R,n]");
    if (!is_const(index, 1) || index->dtype != WICK_I32 || index->dims[0].c != x->dims[1].c)
        return broken(r, "index is not a constant i32[n]");
    if (r->n->attrs.split.count < x->dims[1].c) return broken(r, "it is narrower than x");
    return give(r, WICK_F32, x->dims[0], r->n->attrs.split.count);
}

wick_status wick_graph_shape(const wick_graph *g, const wick_node *n, wick_value *out, wick_error *err) {
    static wick_status (*const rules[])(const rule *) = {
        [WICK_OP_embedding] = rule_embedding,
        [WICK_OP_linear] = rule_linear,
        [WICK_OP_rmsnorm] = rule_norm,
        [WICK_OP_layernorm] = rule_norm,
        [WICK_OP_rope] = rule_rope,
        [WICK_OP_attention] = rule_attention,
        [WICK_OP_glu] = rule_glu,
        [WICK_OP_act] = rule_same,
        [WICK_OP_last_row] = rule_last_row,
        [WICK_OP_split] = rule_split,
        [WICK_OP_add] = rule_binary,
        [WICK_OP_mul] = rule_binary,
        [WICK_OP_scale] = rule_same,
        [WICK_OP_softcap] = rule_same,
        [WICK_OP_short_conv] = rule_short_conv,
        [WICK_OP_hadamard] = rule_same,
        [WICK_OP_scatter_cols] = rule_scatter_cols,
        [WICK_OP_gather_ids] = rule_gather_ids,
    };
    out->dtype = WICK_F32;
    out->rank = 0;
    rule r = {g, n, out, err};
    if ((size_t)n->op >= sizeof rules / sizeof *rules || !rules[n->op]) return broken(&r, "a fine op has no rule");
    return rules[n->op](&r);
}
