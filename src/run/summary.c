#include "run/summary.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- tallies */

static bool count(wick_tally *t, const char *name, uint64_t bytes) {
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].name, name) == 0) {
            t->rows[i].n++;
            t->rows[i].bytes += bytes;
            return true;
        }
    if (!WICK_GROW(t->rows, t->n, t->cap)) return false;
    t->rows[t->n++] = (wick_tally_row){name, 1, bytes};
    return true;
}

static bool before(const wick_tally_row *a, const wick_tally_row *b) { return a->n != b->n ? a->n > b->n : strcmp(a->name, b->name) < 0; }

/* Most frequent first; a tally has a few dozen rows. */
static void sort(wick_tally *t) {
    for (size_t i = 1; i < t->n; i++) {
        wick_tally_row row = t->rows[i];
        size_t j = i;
        for (; j > 0 && before(&row, &t->rows[j - 1]); j--) t->rows[j] = t->rows[j - 1];
        t->rows[j] = row;
    }
}

static const char *keep_name(wick_summary *s, const char *name) {
    for (size_t i = 0; i < s->n_name; i++)
        if (strcmp(s->names[i], name) == 0) return s->names[i];
    char *copy = wick_strdup(name);
    if (!copy || !WICK_GROW(s->names, s->n_name, s->name_cap)) {
        wick_free(copy);
        return NULL;
    }
    return s->names[s->n_name++] = copy;
}

static wick_status odd(wick_summary *s, wick_error *err, const char *format, ...) WICK_PRINTF(3, 4);
static wick_status odd(wick_summary *s, wick_error *err, const char *format, ...) {
    wick_strbuf text = {0};
    char line[400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    wick_strbuf_puts(&text, line);
    char *sentence = wick_strbuf_take(&text, NULL);
    if (!sentence || !WICK_GROW(s->odd, s->n_odd, s->odd_cap)) {
        wick_free(sentence);
        return wick_fail_nomem(err);
    }
    s->odd[s->n_odd++] = sentence;
    return WICK_OK;
}

/* ---------------------------------------------------------------- methods */

static const char *backend_of(const wick_program_method *m, const wick_pte_instr *in) { return m->pte->delegates[in->index].id; }

static wick_status count_instructions(wick_method_summary *m, wick_error *err) {
    const wick_program_method *method = m->method;
    for (uint32_t i = 0; i < method->pte->n_instr; i++) {
        const wick_pte_instr *in = &method->pte->instrs[i];
        bool ok = true;
        if (in->kind == WICK_IK_KERNEL) {
            wick_instr_op op = method->ops[in->index];
            ok = count(&m->kernels, op == WICK_I_UNKNOWN ? method->pte->operators[in->index].name : wick_instr_op_name(op), 0);
        } else if (in->kind == WICK_IK_DELEGATE) {
            const wick_xnn *x = &method->delegates[in->index];
            ok = count(&m->delegates, backend_of(method, in), 0);
            for (uint32_t k = 0; ok && k < x->n_node; k++) ok = count(&m->nodes, wick_xnn_op_name(x->nodes[k].op), 0);
        }
        if (!ok) return wick_fail_nomem(err);
    }
    sort(&m->kernels);
    sort(&m->nodes);
    sort(&m->delegates);
    for (uint32_t i = 1; i < method->pte->n_arena; i++) m->arena_size += (uint64_t)method->pte->arena_sizes[i];
    return WICK_OK;
}

static wick_status add_method(wick_summary *s, const wick_program_method *method, wick_error *err) {
    wick_method_summary *m = &s->methods[s->n_method++];
    m->method = method;
    WICK_TRY(count_instructions(m, err));
    wick_status status = wick_raise(s->program, method, &m->graph, &m->why_not);
    m->raised = status == WICK_OK;
    return status == WICK_ENOMEM ? wick_fail_nomem(err) : WICK_OK;
}

/* ---------------------------------------------------------------- weights and memory, from the raised graph */

void wick_scheme_label(const wick_value *v, char label[32]) {
    if (v->scheme.kind == WICK_SCHEME_PLAIN)
        snprintf(label, 32, "%s", wick_dtype_name(v->dtype));
    else if (v->scheme.group)
        snprintf(label, 32, "int%d, groups of %lld", v->scheme.bits, (long long)v->scheme.group);
    else
        snprintf(label, 32, "int%d, a scale per row", v->scheme.bits);
}

static uint64_t stored_size(const wick_value *v) {
    uint64_t size = 0;
    for (int i = 0; i < v->n_part; i++) size += v->parts[i].data.size + v->parts[i].scales.size;
    return size;
}

static uint64_t elements(const wick_value *v) {
    uint64_t n = 1;
    for (int i = 0; i < v->rank; i++) n *= (uint64_t)v->dims[i].c;
    return n;
}

/* Bytes of a linear's panels (kernels/kernels.h): 16 columns, 4.5 bits per weight for int4, a sum per column. */
static uint64_t packed_size(const wick_value *w) {
    uint64_t n = (uint64_t)(w->dims[0].c + 15) / 16 * 16, k = (uint64_t)w->dims[1].c;
    if (w->scheme.kind == WICK_SCHEME_PLAIN) return n * k * wick_dtype_size(w->dtype);
    uint64_t blocks = (k + 63) / 64;
    return w->scheme.bits == 4 ? n / 16 * blocks * 576 + 4 * n : n * blocks * 64 + 8 * n;
}

static wick_status add_layer(wick_summary *s, const char *kind, const wick_value *v, bool act_quant, wick_error *err) {
    char label[32], name[96];
    wick_scheme_label(v, label);
    snprintf(name, sizeof name, "%s %s%s", kind, label, act_quant ? ", int8 activations" : "");
    const char *kept = keep_name(s, name);
    return kept && count(&s->layers, kept, stored_size(v)) ? WICK_OK : wick_fail_nomem(err);
}

static wick_status weigh(wick_summary *s, const wick_graph *g, wick_error *err) {
    uint64_t widest = 0;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead) continue;
        const wick_value *out = &g->values[n->out],
                         *second = n->n_in > 1 && wick_node_inputs(n)[1] >= 0 ? &g->values[wick_node_inputs(n)[1]] : NULL;
        if (out->rank && (uint64_t)wick_value_width(out) > widest && n->op != WICK_OP_embedding) widest = (uint64_t)wick_value_width(out);
        if (n->op == WICK_OP_linear && second) {
            WICK_TRY(add_layer(s, "linear", second, n->attrs.linear.act_quant != WICK_ACTQ_NONE, err));
            s->memory.packed += packed_size(second);
        } else if (n->op == WICK_OP_embedding && second) {
            WICK_TRY(add_layer(s, "embedding", second, false, err));
            s->memory.mapped += stored_size(second);
        } else if (n->op == WICK_OP_attention) {
            for (int k = 3; k < 5; k++) s->memory.kv_f16 += 2 * elements(&g->values[wick_node_inputs(n)[k]]);
        }
    }
    int64_t rows = g->max_seq_len < 512 ? g->max_seq_len : 512;
    s->memory.activations = 4 * (uint64_t)rows * widest * 4 + 4 * (uint64_t)g->n_vocab;
    return WICK_OK;
}

/* ---------------------------------------------------------------- the file */

static void weigh_file(wick_summary *s) {
    const wick_pte *p = &s->program->pte;
    for (uint32_t i = 0; i < p->n_segment; i++) {
        uint64_t *kind = &s->other_size;
        if (p->has_constant_segment && i == p->constants.segment) kind = &s->constant_size;
        for (uint32_t k = 0; k < p->n_named; k++)
            if (p->named[k].segment == i) kind = &s->named_size;
        for (uint32_t m = 0; m < p->n_method; m++)
            for (uint32_t d = 0; d < p->methods[m].n_delegate; d++)
                if (!p->methods[m].delegates[d].inline_data && p->methods[m].delegates[d].index == i) kind = &s->delegate_size;
        *kind += p->segments[i].size;
    }
}

static int64_t metadata_int(const wick_pte *p, const char *name, int64_t fallback) {
    const wick_pte_value *v[1];
    return wick_pte_metadata(p, name, v, 1) == 1 && v[0]->kind == WICK_EV_INT ? v[0]->i : fallback;
}

/* What deserves a remark: things that stock exports do and that cost their owner something. */
static wick_status remark(wick_summary *s, const wick_method_summary *m, wick_error *err) {
    const wick_pte_method *p = m->method->pte;
    int64_t max_seq = metadata_int(&s->program->pte, "get_max_seq_len", 0);
    if (p->n_input && p->values[p->inputs[0]].kind == WICK_EV_TENSOR) {
        const wick_pte_tensor *tokens = p->values[p->inputs[0]].tensor;
        int64_t bound = tokens->rank == 2 ? tokens->dims[1] : 0;
        if (max_seq && tokens->dynamism == WICK_DYNAMIC_BOUND && bound < max_seq)
            WICK_TRY(odd(s, err,
                         "%s: get_max_seq_len says %lld, but one call takes at most %lld tokens: the stock runner fails on prompts of %lld",
                         p->name, (long long)max_seq, (long long)bound, (long long)max_seq));
        if (tokens->dynamism == WICK_STATIC && bound == 1)
            WICK_TRY(odd(s, err, "%s: exported with static shapes: the prompt is evaluated one token per call", p->name));
    }
    int64_t converts = 0, linears = 0;
    for (size_t i = 0; i < m->nodes.n; i++) {
        if (strcmp(m->nodes.rows[i].name, "Convert") == 0) converts = m->nodes.rows[i].n;
        if (strcmp(m->nodes.rows[i].name, "FullyConnected") == 0) linears = m->nodes.rows[i].n;
    }
    if (converts && m->raised && m->graph.n_left == 0) {
        int64_t needed = 0;
        for (size_t i = 0; i < m->graph.graph->n_node; i++) {
            const wick_node *n = &m->graph.graph->nodes[i];
            needed += !n->dead && n->op == WICK_OP_linear && n->attrs.linear.act_quant != WICK_ACTQ_NONE;
        }
        if (converts > needed)
            WICK_TRY(odd(s, err, "%s: quantizes activations %lld times where %lld would do (the same rows for q, k and v, for gate and up)",
                         p->name, (long long)converts, (long long)needed));
        if (linears > converts)
            WICK_TRY(odd(s, err, "%s: some linear layers stayed float: their width is no multiple of the group, or the scheme skipped them",
                         p->name));
    }
    return WICK_OK;
}

wick_status wick_summary_make(const wick_program *program, wick_summary *out, wick_error *err) {
    *out = (wick_summary){.program = program};
    weigh_file(out);
    wick_status status = WICK_OK;
    out->methods = WICK_NEW_ARRAY(wick_method_summary, program->pte.n_method + 1);
    if (!out->methods) {
        status = wick_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < program->pte.n_method; i++)
        if (!program->methods[i].is_metadata) WICK_CHECK_GOTO(add_method(out, &program->methods[i], err));
    for (size_t i = 0; i < out->n_method; i++) {
        if (i == 0 && out->methods[i].raised) WICK_CHECK_GOTO(weigh(out, out->methods[i].graph.graph, err));
        WICK_CHECK_GOTO(remark(out, &out->methods[i], err));
    }
    sort(&out->layers);
out:
    if (status != WICK_OK) wick_summary_release(out);
    return status;
}

void wick_summary_release(wick_summary *s) {
    for (size_t i = 0; i < s->n_method; i++) {
        wick_method_summary *m = &s->methods[i];
        wick_free(m->kernels.rows);
        wick_free(m->nodes.rows);
        wick_free(m->delegates.rows);
        if (m->raised) wick_raised_release(&m->graph);
    }
    for (size_t i = 0; i < s->n_odd; i++) wick_free(s->odd[i]);
    for (size_t i = 0; i < s->n_name; i++) wick_free(s->names[i]);
    wick_free(s->methods);
    wick_free(s->layers.rows);
    wick_free(s->odd);
    wick_free(s->names);
    *s = (wick_summary){0};
}
