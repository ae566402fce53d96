#include "run/summary.h"

#include <inttypes.h>
#include <stdio.h>

void wick_summary_size(uint64_t bytes, char text[32]) {
    if (bytes < 1000)
        snprintf(text, 32, "%" PRIu64 " bytes", bytes);
    else if (bytes < 1000000)
        snprintf(text, 32, "%.1f kB", (double)bytes / 1e3);
    else if (bytes < 1000000000)
        snprintf(text, 32, "%.1f MB", (double)bytes / 1e6);
    else
        snprintf(text, 32, "%.2f GB", (double)bytes / 1e9);
}

static void put_size(wick_strbuf *out, uint64_t bytes) {
    char text[32];
    wick_summary_size(bytes, text);
    wick_strbuf_puts(out, text);
}

static void put_value(wick_strbuf *out, const wick_pte_method *m, int32_t index) {
    const wick_pte_value *v = &m->values[index];
    if (v->kind == WICK_EV_INT)
        wick_strbuf_printf(out, "%" PRId64, v->i);
    else if (v->kind == WICK_EV_BOOL)
        wick_strbuf_puts(out, v->i ? "true" : "false");
    else if (v->kind == WICK_EV_DOUBLE)
        wick_strbuf_printf(out, "%g", v->d);
    else if (v->kind == WICK_EV_STRING)
        wick_strbuf_printf(out, "\"%s\"", v->s);
    else if (v->kind == WICK_EV_TENSOR) {
        wick_strbuf_printf(out, "%s [", wick_scalar_name(v->tensor->scalar_type));
        for (int i = 0; i < v->tensor->rank; i++)
            wick_strbuf_printf(out, "%s%s%d", i ? ", " : "", v->tensor->dynamism != WICK_STATIC && v->tensor->dims[i] != 1 ? "up to " : "",
                               v->tensor->dims[i]);
        wick_strbuf_puts(out, "]");
    } else {
        wick_strbuf_puts(out, "(other)");
    }
}

static void put_values(wick_strbuf *out, const wick_pte_method *m, const int32_t *list, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (i) wick_strbuf_puts(out, ", ");
        put_value(out, m, list[i]);
    }
}

static void put_metadata(wick_strbuf *out, const wick_program *p) {
    wick_strbuf_puts(out, "\nmetadata\n");
    for (uint32_t i = 0; i < p->pte.n_method; i++) {
        if (!p->methods[i].is_metadata) continue;
        wick_strbuf_printf(out, "  %-26s ", p->pte.methods[i].name);
        put_values(out, &p->pte.methods[i], p->pte.methods[i].outputs, p->pte.methods[i].n_output);
        wick_strbuf_putc(out, '\n');
    }
}

static void put_tally(wick_strbuf *out, const wick_tally *t, const char *indent) {
    for (size_t i = 0; i < t->n; i++) wick_strbuf_printf(out, "%s%6" PRId64 "  %s\n", indent, t->rows[i].n, t->rows[i].name);
}

/* What a method asks of a runtime, and which machines that was made for. */
static void put_needs(wick_strbuf *out, const char *what, const wick_tally *t, const char *(*device_of)(const char *name)) {
    for (size_t i = 0; i < t->n; i++) {
        const char *device = device_of(t->rows[i].name);
        wick_strbuf_printf(out, "  %-12s %s, %" PRId64 " call%s: %s\n", what, t->rows[i].name, t->rows[i].n, t->rows[i].n == 1 ? "" : "s",
                           device ? device : "a machine that Wick does not know");
    }
}

static void put_method(wick_strbuf *out, const wick_method_summary *m) {
    const wick_pte_method *p = m->method->pte;
    wick_sight sight;
    wick_strbuf_printf(out, "\nmethod %s\n  inputs       ", p->name);
    put_values(out, p, p->inputs, p->n_input);
    wick_strbuf_puts(out, "\n  outputs      ");
    put_values(out, p, p->outputs, p->n_output);
    wick_strbuf_printf(out, "\n  instructions %u, %u delegates, ", p->n_instr, p->n_delegate);
    put_size(out, m->arena_size);
    wick_strbuf_puts(out, " of planned memory\n");
    put_needs(out, "delegates to", &m->delegates, wick_backend_device);
    put_needs(out, "calls", &m->libraries, wick_operator_device);
    if (m->nodes.n) {
        wick_strbuf_puts(out, "  delegated operations\n");
        put_tally(out, &m->nodes, "  ");
    }
    wick_strbuf_puts(out, "  not delegated\n");
    put_tally(out, &m->kernels, "  ");
    if (m->refused.code != WICK_OK)
        wick_strbuf_printf(out, "  does not run in Wick: %s\n", m->refused.message);
    else if (!m->raised)
        wick_strbuf_printf(out, "  runs op by op: %s\n", m->why_not.message);
    else if (m->graph.n_left == 0)
        wick_strbuf_puts(out, "  runs raised: every instruction is part of a coarse op\n");
    else
        wick_strbuf_printf(out, "  runs mixed: %zu operations stay with the op-by-op interpreter (--plan lists them)\n", m->graph.n_left);
    if (m->refused.code == WICK_OK && m->raised && wick_graph_is_endless(m->graph.graph, &sight))
        wick_strbuf_printf(out, "  its context has no end: attention sees the first %" PRId64 " tokens and the newest %" PRId64 "\n",
                           sight.n_first, sight.n_last);
}

static void put_plan(wick_strbuf *out, const wick_method_summary *m) {
    if (!m->raised) return;
    wick_strbuf_printf(out, "\nplan of %s\n", m->method->pte->name);
    for (size_t i = 0; i < m->graph.n_left; i++) {
        const wick_left *l = &m->graph.left[i];
        wick_strbuf_printf(out, "  left: %s (instruction %d", l->op, l->origin.instruction);
        if (l->origin.xnn_node >= 0) wick_strbuf_printf(out, ", node %d", l->origin.xnn_node);
        wick_strbuf_printf(out, "): %s\n", l->reason);
    }
    wick_graph_print(m->graph.graph, out);
}

static void put_instruction(wick_strbuf *out, const wick_program_method *m, uint32_t i) {
    const wick_pte_instr *in = &m->pte->instrs[i];
    wick_strbuf_printf(out, "  %5u  ", i);
    switch (in->kind) {
    case WICK_IK_KERNEL:
        wick_strbuf_printf(out, "%s%s%s", m->pte->operators[in->index].name, *m->pte->operators[in->index].overload ? "." : "",
                           m->pte->operators[in->index].overload);
        break;
    case WICK_IK_DELEGATE: wick_strbuf_printf(out, "delegate %d", in->index); break;
    case WICK_IK_MOVE: wick_strbuf_printf(out, "move %d -> %d", in->index, in->target); break;
    case WICK_IK_JUMP_FALSE: wick_strbuf_printf(out, "unless %d goto %d", in->index, in->target); break;
    case WICK_IK_FREE: wick_strbuf_printf(out, "free %d", in->index); break;
    }
    for (uint32_t k = 0; k < in->n_arg; k++) wick_strbuf_printf(out, "%s%d", k ? ", " : " (", in->args[k]);
    wick_strbuf_puts(out, in->n_arg ? ")\n" : "\n");
}

static void put_delegate_nodes(wick_strbuf *out, const wick_xnn *x) {
    for (uint32_t k = 0; k < x->n_node; k++) {
        const wick_xnn_node *n = &x->nodes[k];
        wick_strbuf_printf(out, "           %-22s", wick_xnn_op_name(n->op));
        for (int i = 0; i < n->n_in; i++)
            if (n->in[i] != WICK_XNN_NONE) wick_strbuf_printf(out, " %u", n->in[i]);
        wick_strbuf_printf(out, " -> %u [", n->out);
        const wick_xnn_value *v = &x->values[n->out];
        for (int i = 0; i < v->rank; i++) wick_strbuf_printf(out, "%s%u", i ? ", " : "", v->dims[i]);
        wick_strbuf_puts(out, "]\n");
    }
}

static void put_instructions(wick_strbuf *out, const wick_method_summary *m) {
    wick_strbuf_printf(out, "\ninstructions of %s\n", m->method->pte->name);
    for (uint32_t i = 0; i < m->method->pte->n_instr; i++) {
        put_instruction(out, m->method, i);
        if (m->method->pte->instrs[i].kind == WICK_IK_DELEGATE)
            put_delegate_nodes(out, &m->method->delegates[m->method->pte->instrs[i].index]);
    }
}

static void put_weights(wick_strbuf *out, const wick_summary *s) {
    if (!s->layers.n) return;
    wick_strbuf_puts(out, "\nweights\n");
    for (size_t i = 0; i < s->layers.n; i++) {
        wick_strbuf_printf(out, "  %6" PRId64 "  %-52s ", s->layers.rows[i].n, s->layers.rows[i].name);
        put_size(out, s->layers.rows[i].bytes);
        wick_strbuf_putc(out, '\n');
    }
}

static void put_memory(wick_strbuf *out, const wick_summary *s) {
    const wick_memory_summary *m = &s->memory;
    if (!s->estimated) return;
    wick_strbuf_puts(out, "\nmemory to run it, raised\n  packed weights ");
    put_size(out, m->packed);
    wick_strbuf_puts(out, ", tables read from the file ");
    put_size(out, m->mapped);
    wick_strbuf_puts(out, ",\n  KV cache (f16, full context) ");
    put_size(out, m->kv_f16);
    wick_strbuf_puts(out, ", activations ");
    put_size(out, m->activations);
    wick_strbuf_puts(out, "; in all ");
    put_size(out, m->packed + m->mapped + m->kv_f16 + m->activations);
    wick_strbuf_putc(out, '\n');
}

static void put_speed(wick_strbuf *out, const wick_summary *s) {
    const wick_speed_summary *v = &s->speed;
    if (!s->estimated) return;
    wick_strbuf_puts(out, "\nspeed\n  a token reads ");
    put_size(out, v->weights);
    wick_strbuf_puts(out, " of weights, and at the end of the context ");
    put_size(out, v->cache);
    wick_strbuf_puts(out, " of cache\n");
    if (v->memory.rate <= 0) return;
    wick_strbuf_printf(out, "  this machine reads %.1f GB/s with %d thread%s (measured over ", v->memory.rate / 1e9, v->memory.threads,
                       v->memory.threads == 1 ? "" : "s");
    put_size(out, v->memory.buffer);
    wick_strbuf_printf(out, "): decoding makes at most %.1f tokens/s at the beginning, %.1f at the end\n", wick_speed_bound(v, 0),
                       wick_speed_bound(v, v->cache));
}

void wick_summary_text(const wick_summary *s, const wick_describe_options *options, wick_strbuf *out) {
    const wick_pte *p = &s->program->pte;
    wick_strbuf_printf(out, "%s: ExecuTorch program, ", s->program->path);
    put_size(out, p->file_size);
    wick_strbuf_printf(out, ", schema version %u, ", p->version);
    if (p->header_size)
        wick_strbuf_printf(out, "extended header of %u bytes", p->header_size);
    else
        wick_strbuf_puts(out, "no extended header");
    wick_strbuf_printf(out, "\n  structure ");
    put_size(out, p->flatbuffer_size);
    wick_strbuf_puts(out, ", constants ");
    put_size(out, s->constant_size);
    wick_strbuf_puts(out, ", delegate payloads ");
    put_size(out, s->delegate_size);
    wick_strbuf_puts(out, ", named data ");
    put_size(out, s->named_size);
    wick_strbuf_printf(out, " (%u keys)\n", p->n_named);
    put_metadata(out, s->program);
    if (s->sampling) wick_strbuf_printf(out, "\nsampling defaults\n  %s\n", s->sampling);
    for (size_t i = 0; i < s->n_method; i++) put_method(out, &s->methods[i]);
    put_weights(out, s);
    put_memory(out, s);
    put_speed(out, s);
    if (s->n_odd) wick_strbuf_puts(out, "\nremarks\n");
    for (size_t i = 0; i < s->n_odd; i++) wick_strbuf_printf(out, "  %s\n", s->odd[i]);
    for (size_t i = 0; i < s->n_method && options->show_plan; i++) put_plan(out, &s->methods[i]);
    for (size_t i = 0; i < s->n_method && options->show_instructions; i++) put_instructions(out, &s->methods[i]);
}
