#include "base/mem.h"
#include "graph/graph_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Numbers by first appearance, so that the text does not depend on ids: %0, %1 for what is computed, s0, s1 for states. */
typedef struct printer {
    const wick_graph *g;
    wick_strbuf *out;
    int32_t *numbers; /* [n_value], -1: not yet */
    int32_t n_temp, n_state;
} printer;

/* The shortest digits that read back as the same number: as a float where it is one, else as a double. */
static void put_number(wick_strbuf *out, double x) {
    char text[40];
    bool single = (double)(float)x == x || isnan(x);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (single ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x) break;
    }
    wick_strbuf_puts(out, text);
}

static void put_term(wick_strbuf *out, int64_t factor, const char *symbol, bool *any) {
    if (!factor) return;
    if (*any || factor < 0) wick_strbuf_putc(out, factor < 0 ? '-' : '+');
    uint64_t n = factor < 0 ? 0 - (uint64_t)factor : (uint64_t)factor;
    if (n != 1 || !*symbol) wick_strbuf_printf(out, "%llu", (unsigned long long)n);
    wick_strbuf_puts(out, symbol);
    *any = true;
}

static void put_dim(wick_strbuf *out, wick_dim d) {
    bool any = false;
    put_term(out, d.p, "P", &any);
    put_term(out, d.s, "S", &any);
    put_term(out, d.c, "", &any);
    if (!any) wick_strbuf_putc(out, '0');
}

static void put_type(const printer *p, const wick_value *v) {
    if (v->kind == WICK_VALUE_CONST && v->scheme.kind == WICK_SCHEME_INT) {
        wick_strbuf_printf(p->out, "q%d", v->scheme.bits);
        if (v->scheme.group) wick_strbuf_printf(p->out, "g%lld", (long long)v->scheme.group);
    } else {
        wick_strbuf_puts(p->out, wick_dtype_name(v->dtype));
    }
    wick_strbuf_putc(p->out, '[');
    for (int i = 0; i < v->rank; i++) {
        if (i) wick_strbuf_putc(p->out, ',');
        put_dim(p->out, v->dims[i]);
    }
    wick_strbuf_putc(p->out, ']');
}

static int32_t number(printer *p, wick_value_id v) {
    bool state = p->g->values[v].kind == WICK_VALUE_STATE;
    if (p->numbers[v] < 0) p->numbers[v] = state ? p->n_state++ : p->n_temp++;
    return p->numbers[v];
}

static const char *role(wick_op op, int i) {
    static const char *const roles[][6] = {
        [WICK_OP_embedding] = {"", "table"},
        [WICK_OP_linear] = {"", "w", "bias"},
        [WICK_OP_rmsnorm] = {"", "w"},
        [WICK_OP_layernorm] = {"", "w", "bias"},
        [WICK_OP_rope] = {"", "cos", "sin"},
        [WICK_OP_short_conv] = {"", "w", "state"},
        [WICK_OP_scatter_cols] = {"", "index"},
        [WICK_OP_gather_ids] = {"", "map"},
        [WICK_OP_attention] = {"", "", "", "kcache", "vcache"},
    };
    if ((size_t)op >= sizeof roles / sizeof *roles || i >= 6) return "";
    return roles[op][i] ? roles[op][i] : "";
}

static void put_operand(printer *p, const wick_node *n, int i) {
    wick_value_id id = wick_node_inputs(n)[i];
    if (i) wick_strbuf_puts(p->out, ", ");
    if (id < 0) {
        wick_strbuf_putc(p->out, '-');
        return;
    }
    const wick_value *v = &p->g->values[id];
    const char *name = role(n->op, i);
    if (*name) wick_strbuf_printf(p->out, "%s ", name);
    if (v->kind == WICK_VALUE_STATE) wick_strbuf_printf(p->out, "s%d ", number(p, id));
    if (v->kind == WICK_VALUE_STATE || v->kind == WICK_VALUE_CONST) {
        put_type(p, v);
    } else {
        wick_strbuf_printf(p->out, "%%%d", number(p, id));
    }
}

static void put_int(const printer *p, const char *name, int64_t v) { wick_strbuf_printf(p->out, " %s=%lld", name, (long long)v); }
static void put_float(const printer *p, const char *name, double v) {
    wick_strbuf_printf(p->out, " %s=", name);
    put_number(p->out, v);
}

static void put_attention(const printer *p, const wick_attrs *a) {
    put_int(p, "heads", a->attention.n_head);
    put_int(p, "kv_heads", a->attention.n_kv_head);
    put_int(p, "d_head", a->attention.d_head);
    put_float(p, "scale", (double)a->attention.scale);
    if (a->attention.window) put_int(p, "window", a->attention.window);
    if (a->attention.n_sink) put_int(p, "sink", a->attention.n_sink);
    if (a->attention.softcap != 0) put_float(p, "softcap", (double)a->attention.softcap);
    if (a->attention.kv_int8) wick_strbuf_puts(p->out, " kv=int8");
}

static void put_fine(const printer *p, const wick_node *n) {
    const wick_attrs *a = &n->attrs;
    if (n->op == WICK_OP_f_slice) {
        put_int(p, "axis", a->fine.axis);
        wick_strbuf_puts(p->out, " from=");
        put_dim(p->out, a->fine.start);
        wick_strbuf_puts(p->out, " to=");
        put_dim(p->out, a->fine.end);
    } else if (n->op == WICK_OP_f_cat) {
        put_int(p, "axis", a->fine.axis);
    } else if (n->op == WICK_OP_f_permute) {
        wick_strbuf_puts(p->out, " perm=");
        for (int i = 0; i < p->g->values[n->out].rank; i++) wick_strbuf_printf(p->out, i ? ",%d" : "%d", a->fine.perm[i]);
    } else if (a->fine.number != 0) {
        put_float(p, "number", a->fine.number);
    }
    if (a->fine.flag) wick_strbuf_puts(p->out, " flag");
    if (n->origin.instruction >= 0) wick_strbuf_printf(p->out, " @%d", n->origin.instruction);
    if (n->origin.xnn_node >= 0) wick_strbuf_printf(p->out, ".%d", n->origin.xnn_node);
}

static void put_attrs(const printer *p, const wick_node *n) {
    static const char *const acts[] = {"silu", "gelu", "gelu_tanh", "relu", "sigmoid", "tanh"};
    const wick_attrs *a = &n->attrs;
    switch (n->op) {
    case WICK_OP_linear:
        if (a->linear.act_quant == WICK_ACTQ_ROW8) wick_strbuf_puts(p->out, " act=q8");
        break;
    case WICK_OP_rmsnorm:
    case WICK_OP_layernorm:
        put_float(p, "eps", (double)a->norm.eps);
        if (a->norm.n_group != 1) put_int(p, "groups", a->norm.n_group);
        if (a->norm.unit_offset) wick_strbuf_puts(p->out, " unit_offset");
        break;
    case WICK_OP_rope:
        wick_strbuf_printf(p->out, " style=%s", a->rope.style == WICK_ROPE_HALF ? "half" : "interleaved");
        put_int(p, "heads", a->rope.n_head);
        put_int(p, "rotary", a->rope.n_rotary);
        if (a->rope.wrap.period)
            wick_strbuf_printf(p->out, " wrap=%lld+%lld", (long long)a->rope.wrap.n_fixed, (long long)a->rope.wrap.period);
        break;
    case WICK_OP_attention: put_attention(p, a); break;
    case WICK_OP_glu:
    case WICK_OP_act: wick_strbuf_printf(p->out, " act=%s", acts[a->act.act]); break;
    case WICK_OP_split:
        put_int(p, "start", a->split.start);
        put_int(p, "count", a->split.count);
        break;
    case WICK_OP_scatter_cols: put_int(p, "count", a->split.count); break;
    case WICK_OP_scale:
    case WICK_OP_softcap: put_float(p, "scale", (double)a->scale.scale); break;
    case WICK_OP_short_conv: put_int(p, "width", a->conv.width); break;
    default:
        if (!wick_op_is_coarse(n->op)) put_fine(p, n);
    }
}

static void put_node(printer *p, const wick_node *n) {
    const wick_value *out = &p->g->values[n->out];
    /* Operands are numbered before the result, as they came to exist before it. */
    for (int i = 0; i < n->n_in; i++) {
        wick_value_id v = wick_node_inputs(n)[i];
        if (v >= 0 && p->g->values[v].kind != WICK_VALUE_CONST) (void)number(p, v);
    }
    wick_strbuf_printf(p->out, out->kind == WICK_VALUE_STATE ? "s%d: " : "%%%d: ", number(p, n->out));
    put_type(p, out);
    wick_strbuf_printf(p->out, " = %s(", wick_op_name(n->op));
    for (int i = 0; i < n->n_in; i++) put_operand(p, n, i);
    wick_strbuf_putc(p->out, ')');
    put_attrs(p, n);
    wick_strbuf_putc(p->out, '\n');
}

static void put_input(printer *p, wick_value_id v, const char *name) {
    if (v < 0) return;
    wick_strbuf_printf(p->out, "%%%d: ", number(p, v));
    put_type(p, &p->g->values[v]);
    wick_strbuf_printf(p->out, " = %s\n", name);
}

void wick_graph_print(const wick_graph *g, wick_strbuf *out) {
    printer p = {.g = g, .out = out, .numbers = WICK_NEW_ARRAY(int32_t, g->n_value)};
    if (!p.numbers) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < g->n_value; i++) p.numbers[i] = -1;
    put_input(&p, g->tokens, "tokens");
    put_input(&p, g->position, "position");
    for (size_t i = 0; i < g->n_node; i++)
        if (!g->nodes[i].dead) put_node(&p, &g->nodes[i]);
    if (g->logits >= 0) wick_strbuf_printf(out, "return %%%d\n", number(&p, g->logits));
    wick_free(p.numbers);
}
