/* What an export says of itself: enough to know, before writing anything, what the file will be and what it will cost. */
#include "export/export.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

uint64_t wick_export_weights_size(const wick_pte *p) {
    uint64_t size = 0;
    for (uint32_t i = 0; i < p->n_segment; i++)
        if (!p->segments[i].xnn) size += p->segments[i].size;
    return size;
}

static double mb(uint64_t size) { return (double)size / 1e6; }

static void put_scheme(wick_strbuf *b, const wick_scheme *s) {
    if (s->kind == WICK_SCHEME_PLAIN)
        wick_strbuf_puts(b, "fp32");
    else if (s->group)
        wick_strbuf_printf(b, "int%d, groups of %lld", s->bits, (long long)s->group);
    else
        wick_strbuf_printf(b, "int%d, one scale per row", s->bits);
}

/* The constant of a node that is worth a line: of embeddings and linears. */
static const wick_value *weight_of(const wick_graph *g, const wick_node *n) {
    return n->op == WICK_OP_linear || n->op == WICK_OP_embedding ? &g->values[n->in[1]] : NULL;
}

static bool alike(const wick_graph *g, const wick_node *a, const wick_node *b) {
    const wick_value *x = weight_of(g, a), *y = weight_of(g, b);
    return a->op == b->op && x->dims[0].c == y->dims[0].c && x->dims[1].c == y->dims[1].c && x->scheme.kind == y->scheme.kind &&
           x->scheme.bits == y->scheme.bits && x->scheme.group == y->scheme.group && x->n_part == y->n_part;
}

/* One line for all weights of one shape and scheme. */
static void put_weights(wick_strbuf *b, const wick_graph *g) {
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        const wick_value *w = weight_of(g, n);
        size_t count = 0, first = i;
        for (size_t k = 0; w && k < g->n_node; k++)
            if (weight_of(g, &g->nodes[k]) && alike(g, n, &g->nodes[k]) && !count++) first = k;
        if (!w || first != i) continue;
        wick_strbuf_printf(b, "  %4zu x %-9s [%lld, %lld]  ", count, wick_op_name(n->op), (long long)w->dims[0].c, (long long)w->dims[1].c);
        put_scheme(b, &w->scheme);
        for (int p = 0; p < w->n_part; p++) wick_strbuf_printf(b, "%s%s", p ? " + " : "  ", w->parts[p].name ? w->parts[p].name : "?");
        wick_strbuf_puts(b, count > 1 ? " ...\n" : "\n");
    }
}

/* Every weight that the recipe would quantize and cannot, by name. */
static void put_left_float(wick_strbuf *b, const wick_graph *g, const wick_recipe *r) {
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        const wick_value *w = weight_of(g, n);
        const wick_scheme *wanted = n->op == WICK_OP_linear ? &r->linear : &r->embedding;
        if (!w || w->scheme.kind == WICK_SCHEME_INT || wanted->kind == WICK_SCHEME_PLAIN) continue;
        for (int p = 0; p < w->n_part; p++)
            wick_strbuf_printf(b, "  stays fp32: %s, because groups of %lld do not divide its rows of %lld\n", w->parts[p].name,
                               (long long)wanted->group, (long long)w->dims[1].c);
    }
}

/* Bytes that the largest source of the program needs while it is produced. */
static uint64_t largest_piece(const wick_pte *p) {
    uint64_t largest = 0;
    for (uint32_t i = 0; i < p->n_segment; i++)
        for (uint32_t k = 0; k < p->segments[i].n_piece; k++)
            if (p->segments[i].pieces[k].size > largest) largest = p->segments[i].pieces[k].size;
    return largest;
}

wick_status wick_export_report(wick_export_job *e, wick_error *err) {
    if (!e->hooks || !e->hooks->report) return WICK_OK;
    const wick_arch *a = &e->checkpoint->arch;
    const wick_pte_method *m = &e->program.methods[0];
    bool portable = e->options->backend == WICK_BACKEND_PORTABLE;
    wick_strbuf b = {0};
    wick_strbuf_printf(&b, "model    %s (%s): %lld layers, width %lld, heads %lld/%lld of %lld, vocabulary %lld\n", e->checkpoint->name,
                       a->family, (long long)a->n_layer, (long long)a->dim, (long long)a->n_head, (long long)a->n_kv_head,
                       (long long)a->d_head, (long long)a->n_vocab);
    wick_strbuf_printf(&b, "lengths  %lld tokens per step, %lld in the KV cache; trained for %lld\n", (long long)e->recipe.max_seq_len,
                       (long long)e->recipe.max_context, (long long)a->max_context);
    wick_strbuf_puts(&b, "weights\n");
    put_weights(&b, e->graph);
    put_left_float(&b, e->graph, &e->recipe);
    wick_strbuf_printf(&b, "program  %u instructions, %u delegates (%s)\n", m->n_instr, m->n_delegate, portable ? "portable" : "XNNPACK");
    for (size_t i = 0; i < e->n_blob; i++)
        wick_strbuf_printf(&b, "carries  %s, %llu bytes\n", e->blobs[i].key, (unsigned long long)e->blobs[i].data.size);
    if (e->tokenizer_problem) wick_strbuf_printf(&b, "carries  no tokenizer: %s\n", e->tokenizer_problem);
    wick_strbuf_printf(&b, "memory   to run: %.1f MB of weights, %.1f MB of caches and activations; to export: about %.0f MB per thread\n",
                       mb(wick_export_weights_size(&e->program)), mb((uint64_t)m->arena_sizes[1]), mb(largest_piece(&e->program)) * 2 + 1);
    wick_strbuf_printf(&b, "file     %s, %.1f MB%s\n", e->output, mb(e->file_size), e->options->dry_run ? " (not written: dry run)" : "");
    wick_status status = b.failed ? wick_fail_nomem(err) : WICK_OK;
    if (status == WICK_OK && !e->hooks->report(e->hooks->user, b.data, b.size))
        status = wick_fail(err, WICK_ECANCELED, "the export was stopped");
    wick_strbuf_release(&b);
    return status;
}
