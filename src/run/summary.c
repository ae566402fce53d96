#include "run/summary.h"

#include "backend/backend.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "vm/vm.h"

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

/* ---------------------------------------------------------------- methods */

/* "aten::" of "aten::add"; torchao's are told apart by their device, so they stay whole. */
static const char *keep_library(wick_summary *s, const char *name) {
    const char *colon = strstr(name, "::");
    char library[64];
    if (!colon || colon - name > 40 || strncmp(name, "torchao::", 9) == 0) return keep_name(s, name);
    snprintf(library, sizeof library, "%.*s", (int)(colon - name) + 2, name);
    return keep_name(s, library);
}

static const char *backend_of(const wick_program_method *m, const wick_pte_instr *in) { return m->pte->delegates[in->index].id; }

static wick_status count_instructions(wick_summary *s, wick_method_summary *m, wick_error *err) {
    const wick_program_method *method = m->method;
    for (uint32_t i = 0; i < method->pte->n_instr; i++) {
        const wick_pte_instr *in = &method->pte->instrs[i];
        bool ok = true;
        if (in->kind == WICK_IK_KERNEL) {
            wick_instr_op op = method->ops[in->index];
            const char *name = method->pte->operators[in->index].name, *library = keep_library(s, name);
            bool prim = strncmp(name, "executorch_prim::", 17) == 0; /* every runtime has these */
            ok = library && count(&m->kernels, op == WICK_I_UNKNOWN ? name : wick_instr_op_name(op), 0) &&
                 (prim || count(&m->libraries, library, 0));
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
    sort(&m->libraries);
    for (uint32_t i = 1; i < method->pte->n_arena; i++) m->arena_size += (uint64_t)method->pte->arena_sizes[i];
    return WICK_OK;
}

static wick_status add_method(wick_summary *s, const wick_program_method *method, wick_error *err) {
    wick_method_summary *m = &s->methods[s->n_method++];
    m->method = method;
    WICK_TRY(count_instructions(s, m, err));
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

static wick_status add_layer(wick_summary *s, const char *kind, const wick_value *v, bool act_quant, wick_error *err) {
    char label[32], name[96];
    wick_scheme_label(v, label);
    snprintf(name, sizeof name, "%s %s%s", kind, label, act_quant ? ", int8 activations" : "");
    const char *kept = keep_name(s, name);
    return kept && count(&s->layers, kept, stored_size(v)) ? WICK_OK : wick_fail_nomem(err);
}

static wick_status weigh(wick_summary *s, const wick_graph *g, wick_error *err) {
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || n->n_in < 2 || wick_node_inputs(n)[1] < 0) continue;
        const wick_value *second = &g->values[wick_node_inputs(n)[1]];
        if (n->op == WICK_OP_linear)
            WICK_TRY(add_layer(s, "linear", second, n->attrs.linear.act_quant != WICK_ACTQ_NONE, err));
        else if (n->op == WICK_OP_embedding)
            WICK_TRY(add_layer(s, "embedding", second, false, err));
    }
    return WICK_OK;
}

static void estimate(wick_summary *s, const wick_graph *g) {
    uint64_t widest = 0;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead) continue;
        const wick_value *out = &g->values[n->out];
        if (out->rank && n->out != g->logits && (uint64_t)wick_value_width(out) > widest) widest = (uint64_t)wick_value_width(out);
        if (n->op == WICK_OP_embedding && n->n_in > 1) s->memory.mapped += stored_size(&g->values[wick_node_inputs(n)[1]]);
        if (n->op != WICK_OP_attention) continue;
        int64_t window = n->attrs.attention.window + n->attrs.attention.n_sink;
        for (int k = 3; k < 5; k++) {
            const wick_value *cache = &g->values[wick_node_inputs(n)[k]];
            uint64_t size = 2 * elements(cache), rows = (uint64_t)cache->dims[0].c;
            s->memory.kv_f16 += size;
            s->speed.cache += n->attrs.attention.window && (uint64_t)window < rows ? size / rows * (uint64_t)window : size;
        }
    }
    int64_t rows = g->max_seq_len < 512 ? g->max_seq_len : 512;
    s->memory.activations = 4 * (uint64_t)rows * widest * 4 + 4 * (uint64_t)g->n_vocab;
    s->memory.packed = s->speed.weights = wick_backend_cpu.weights_size(g);
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

/* Taken as text, if that can be shown in a line: what the numbers mean is the sampler's business. */
static wick_status find_sampling(wick_summary *s, wick_error *err) {
    wick_bytes text;
    if (!wick_pte_named_find(&s->program->pte, "wick.generation", &text) || text.size > WICK_MAX_KEY) return WICK_OK;
    if (!wick_utf8_valid((const char *)text.data, text.size)) return WICK_OK;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] == 127) return WICK_OK;
    if (!(s->sampling = WICK_NEW_ARRAY(char, text.size + 1))) return wick_fail_nomem(err);
    memcpy(s->sampling, text.data, text.size);
    return WICK_OK;
}

/* What is not raised runs in the interpreter, unless that lacks an operator. */
static wick_status find_refusals(wick_summary *s, const wick_error *refused, wick_error *err) {
    for (size_t i = 0; i < s->n_method; i++) {
        wick_method_summary *m = &s->methods[i];
        wick_vm *vm = NULL;
        m->refused = *refused;
        if (refused->code != WICK_OK || (m->raised && !m->graph.n_left)) continue;
        if (wick_vm_new(s->program, m->method, &vm, &m->refused) == WICK_ENOMEM) return wick_fail_nomem(err);
        wick_vm_free(vm);
    }
    return WICK_OK;
}

static wick_status fill(wick_summary *s, const wick_summary_options *o, wick_error *err) {
    const wick_program *p = s->program;
    for (uint32_t i = 0; i < p->pte.n_method; i++)
        if (!p->methods[i].is_metadata) WICK_TRY(add_method(s, &p->methods[i], err));
    WICK_TRY(find_refusals(s, &o->refused, err));
    WICK_TRY(find_sampling(s, err));
    const wick_method_summary *m = s->methods;
    if (s->n_method && m->raised) WICK_TRY(weigh(s, m->graph.graph, err));
    s->estimated = s->n_method && m->raised && m->refused.code == WICK_OK && !wick_backend_cpu.refuses(m->graph.graph);
    if (s->estimated) estimate(s, m->graph.graph);
    if (s->estimated && o->measure) WICK_TRY(wick_memory_rate_measure(s->speed.weights, o->threads, &s->speed.memory, err));
    sort(&s->layers);
    return wick_summary_remark(s, err);
}

wick_status wick_summary_make(const wick_program *program, const wick_summary_options *options, wick_summary *out, wick_error *err) {
    *out = (wick_summary){.program = program};
    weigh_file(out);
    out->methods = WICK_NEW_ARRAY(wick_method_summary, program->pte.n_method + 1);
    wick_status status = out->methods ? fill(out, options, err) : wick_fail_nomem(err);
    if (status != WICK_OK) wick_summary_release(out);
    return status;
}

void wick_summary_release(wick_summary *s) {
    for (size_t i = 0; i < s->n_method; i++) {
        wick_method_summary *m = &s->methods[i];
        wick_free(m->kernels.rows);
        wick_free(m->nodes.rows);
        wick_free(m->delegates.rows);
        wick_free(m->libraries.rows);
        if (m->raised) wick_raised_release(&m->graph);
    }
    for (size_t i = 0; i < s->n_odd; i++) wick_free(s->odd[i]);
    for (size_t i = 0; i < s->n_name; i++) wick_free(s->names[i]);
    wick_free(s->sampling);
    wick_free(s->methods);
    wick_free(s->layers.rows);
    wick_free(s->odd);
    wick_free(s->names);
    *s = (wick_summary){0};
}
