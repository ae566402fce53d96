/* What deserves a remark: things that a program's owner pays for, mostly without knowing. One line each, with what to do. */
#include "base/bytes.h"
#include "base/mem.h"
#include "run/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct remarks {
    wick_summary *s;
    const wick_method_summary *m;
    wick_error *err;
} remarks;

static wick_status remark(const remarks *r, const char *format, ...) WICK_PRINTF(2, 3);
static wick_status remark(const remarks *r, const char *format, ...) {
    char line[600];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    wick_summary *s = r->s;
    char *sentence = wick_strdup(line);
    if (!sentence || !WICK_GROW(s->odd, s->n_odd, s->odd_cap)) {
        wick_free(sentence);
        return wick_fail_nomem(r->err);
    }
    s->odd[s->n_odd++] = sentence;
    return WICK_OK;
}

static const char *name_of(const remarks *r) { return r->m->method->pte->name; }

/* ---------------------------------------------------------------- shapes */

static const wick_pte_tensor *tensor_of(const wick_pte_method *p, const int32_t *list, uint32_t n) {
    return n && p->values[list[0]].kind == WICK_EV_TENSOR ? p->values[list[0]].tensor : NULL;
}

static int64_t metadata_int(const wick_pte *p, const char *name, int64_t fallback) {
    const wick_pte_value *v[1];
    return wick_pte_metadata(p, name, v, 1) == 1 && v[0]->kind == WICK_EV_INT ? v[0]->i : fallback;
}

static wick_status shapes(const remarks *r) {
    const wick_pte_method *p = r->m->method->pte;
    const wick_pte_tensor *tokens = tensor_of(p, p->inputs, p->n_input), *logits = tensor_of(p, p->outputs, p->n_output);
    if (!tokens || !logits || tokens->rank < 1 || logits->rank < 1) return WICK_OK;
    int64_t max_seq = metadata_int(&r->s->program->pte, "get_max_seq_len", 0), bound = tokens->dims[tokens->rank - 1];
    if (max_seq && tokens->dynamism == WICK_DYNAMIC_BOUND && bound < max_seq)
        WICK_TRY(remark(r,
                        "%s: get_max_seq_len says %" PRId64 ", but one call takes at most %" PRId64
                        " tokens: the stock runner fails on prompts of %" PRId64 "; give it shorter ones, or export with one more",
                        p->name, max_seq, bound, max_seq));
    if (tokens->dynamism == WICK_STATIC && bound == 1)
        WICK_TRY(remark(r, "%s: static shapes: a prompt is evaluated one token per call; export with enable_dynamic_shape", p->name));
    if (p->n_input == 1)
        WICK_TRY(remark(r, "%s: no KV cache: the stock runtime evaluates the whole sequence for every token; export with use_kv_cache",
                        p->name));
    int64_t rows = 1;
    for (int i = 0; i + 1 < logits->rank; i++) rows *= logits->dims[i];
    if (rows > 1)
        WICK_TRY(remark(r,
                        "%s: gives logits for every token of a call: the stock runtime evaluates the output layer for the whole prompt; "
                        "export without generate_full_logits unless something needs them",
                        p->name));
    return WICK_OK;
}

/* ---------------------------------------------------------------- linear layers */

typedef struct layers {
    int64_t n, n_quantized, group, n_misfit, n_skipped, n_codes;
    uint64_t misfit_bytes, skipped_bytes, codes_bytes;
    int64_t misfit_width;
} layers;

static bool is_code(float x) { return x == floorf(x) && fabsf(x) <= 128; }

/* Weights that are all small whole numbers and not all zero: int8 codes that nobody stored as bytes. A sample tells. */
static bool holds_codes(const wick_value *w) {
    const wick_part *part = w->parts;
    if (w->dtype != WICK_F32 || !part->data.bytes || part->data.size < 4 * 64) return false;
    uint64_t n = part->data.size / 4, step = n / 64;
    bool some = false;
    for (uint64_t i = 0; i < 64; i++) {
        float x = wick_load_f32((const uint8_t *)part->data.bytes + 4 * i * step);
        if (!is_code(x)) return false;
        some = some || x != 0;
    }
    return some;
}

static layers count_layers(const wick_graph *g) {
    layers l = {0};
    for (int pass = 0; pass < 2; pass++) /* the group is known after the first */
        for (size_t i = 0; i < g->n_node; i++) {
            const wick_node *n = &g->nodes[i];
            if (n->dead || n->op != WICK_OP_linear) continue;
            const wick_value *w = &g->values[wick_node_inputs(n)[1]];
            if (w->kind != WICK_VALUE_CONST) continue;
            bool quantized = w->scheme.kind == WICK_SCHEME_INT;
            if (pass == 0) {
                l.n++;
                l.n_quantized += quantized;
                if (quantized && w->scheme.group > l.group) l.group = w->scheme.group;
                continue;
            }
            if (quantized) continue;
            uint64_t bytes = 0;
            for (int k = 0; k < w->n_part; k++) bytes += w->parts[k].data.size;
            bool misfit = l.group && wick_value_width(w) % l.group != 0;
            if (holds_codes(w))
                l.n_codes++, l.codes_bytes += bytes;
            else if (misfit)
                l.n_misfit++, l.misfit_bytes += bytes, l.misfit_width = wick_value_width(w);
            else
                l.n_skipped++, l.skipped_bytes += bytes;
        }
    return l;
}

static wick_status float_layers(const remarks *r) {
    if (!r->m->raised) return WICK_OK;
    layers l = count_layers(r->m->graph.graph);
    char size[32];
    if (l.n_quantized && l.n_misfit) {
        wick_summary_size(l.misfit_bytes, size);
        WICK_TRY(remark(r,
                        "%s: %" PRId64 " of %" PRId64 " linear layers stayed float, %s: groups of %" PRId64
                        " do not divide their width (%" PRId64 "); a scheme with a scale per row would take them",
                        name_of(r), l.n_misfit, l.n, size, l.group, l.misfit_width));
    }
    if (l.n_quantized && l.n_skipped) {
        wick_summary_size(l.skipped_bytes, size);
        WICK_TRY(remark(r,
                        "%s: %" PRId64 " of %" PRId64 " linear layers stayed float, %s, though groups of %" PRId64
                        " would divide their width: the scheme skipped them (adapters do); quantize them at export if memory counts",
                        name_of(r), l.n_skipped, l.n, size, l.group));
    }
    if (l.n_codes) {
        wick_summary_size(l.codes_bytes, size);
        WICK_TRY(remark(r,
                        "%s: %" PRId64 " of %" PRId64
                        " linear layers hold int8 codes as 32-bit floats, %s: four times what they need, and no "
                        "faster than floats; export with 8da4w",
                        name_of(r), l.n_codes, l.n, size));
    }
    return WICK_OK;
}

/* Activations that a delegate quantizes once per linear instead of once per row of activations. */
static wick_status converts(const remarks *r) {
    int64_t n_convert = 0, needed = 0;
    for (size_t i = 0; i < r->m->nodes.n; i++)
        if (strcmp(r->m->nodes.rows[i].name, "Convert") == 0) n_convert = r->m->nodes.rows[i].n;
    if (!n_convert || !r->m->raised || r->m->graph.n_left) return WICK_OK;
    const wick_graph *g = r->m->graph.graph;
    for (size_t i = 0; i < g->n_node; i++)
        needed += !g->nodes[i].dead && g->nodes[i].op == WICK_OP_linear && g->nodes[i].attrs.linear.act_quant != WICK_ACTQ_NONE;
    if (n_convert <= needed) return WICK_OK;
    return remark(r,
                  "%s: quantizes activations %" PRId64 " times where %" PRId64
                  " would do (the same rows for q, k and v, for gate and up): Wick does it once; `wick export` writes programs that do it "
                  "once in the stock runtime too",
                  name_of(r), n_convert, needed);
}

/* ---------------------------------------------------------------- tables that are stored twice */

/* A run of bytes of the file, and what it is called there. */
typedef struct table {
    wick_bytes bytes;
    uint64_t hash;
    const char *key;               /* named data; NULL: */
    const wick_pte_tensor *tensor; /* a constant */
} table;

typedef struct tables {
    table *all;
    size_t n, cap;
} tables;

enum { SMALLEST_TABLE = 4096, SAMPLES = 16, LINE = 64, TEXT = 80, WORTH_SAYING = 256 /* -th part of the file */ };

/* Layers are all of one size: a few bytes from everywhere tell them apart before whole tables are compared. */
static uint64_t fingerprint(wick_bytes b) {
    uint64_t h = b.size;
    for (size_t i = 0; i < SAMPLES; i++) h = wick_hash(b.data + (b.size - LINE) / (SAMPLES - 1) * i, LINE, h);
    return h;
}

static bool add_table(tables *t, wick_bytes bytes, const char *key, const wick_pte_tensor *tensor) {
    if (bytes.size < SMALLEST_TABLE) return true;
    if (!WICK_GROW(t->all, t->n, t->cap)) return false;
    t->all[t->n++] = (table){bytes, fingerprint(bytes), key, tensor};
    return true;
}

static bool collect(const wick_program *p, tables *t) {
    bool ok = true;
    wick_bytes b;
    for (uint32_t i = 0; ok && i < p->pte.n_method; i++)
        for (uint32_t k = 0; ok && k < p->pte.methods[i].n_value; k++) {
            const wick_pte_value *v = &p->pte.methods[i].values[k];
            if (v->kind == WICK_EV_TENSOR && wick_program_constant(p, v->tensor, &b)) ok = add_table(t, b, NULL, v->tensor);
        }
    for (uint32_t i = 0; ok && i < p->pte.n_named; i++)
        if (wick_pte_named_find(&p->pte, p->pte.named[i].key, &b)) ok = add_table(t, b, p->pte.named[i].key, NULL);
    return ok;
}

/* Equal contents side by side, then equal places. */
static int by_content(const void *a, const void *b) {
    const table *x = a, *y = b;
    if (x->bytes.size != y->bytes.size) return x->bytes.size < y->bytes.size ? 1 : -1;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->bytes.data < y->bytes.data ? -1 : x->bytes.data > y->bytes.data;
}

/* *budget: bytes that may still be compared. Tables of a hostile file may overlap in many ways. */
static bool is_copy(const table *a, const table *b, uint64_t *budget) {
    if (a->bytes.size > *budget) return false;
    *budget -= a->bytes.size == b->bytes.size && a->hash == b->hash ? a->bytes.size : 0;
    return a->bytes.size == b->bytes.size && a->hash == b->hash && a->bytes.data != b->bytes.data &&
           memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0;
}

static void put_table(const table *t, char text[TEXT]) {
    wick_strbuf s = {0};
    if (t->key)
        wick_strbuf_printf(&s, "named data %.40s%s", t->key, strlen(t->key) > 40 ? "..." : "");
    else
        wick_strbuf_printf(&s, "a constant of %d x %d", t->tensor->rank ? t->tensor->dims[0] : 1,
                           t->tensor->rank > 1 ? t->tensor->dims[1] : 1);
    snprintf(text, TEXT, "%s", s.data ? s.data : "");
    wick_strbuf_release(&s);
}

static wick_status duplicates(const remarks *r) {
    tables t = {0};
    wick_status status = collect(r->s->program, &t) ? WICK_OK : wick_fail_nomem(r->err);
    if (status == WICK_OK && t.n) qsort(t.all, t.n, sizeof *t.all, by_content);
    const table *largest = NULL;
    uint64_t wasted = 0, budget = 2 * r->s->program->pte.file_size;
    int64_t n = 0;
    for (size_t i = 1; status == WICK_OK && i < t.n; i++) {
        if (!is_copy(&t.all[i - 1], &t.all[i], &budget)) continue;
        if (!largest) largest = &t.all[i];
        n++, wasted += t.all[i].bytes.size;
    }
    if (largest && wasted > r->s->program->pte.file_size / WORTH_SAYING) {
        char first[TEXT], second[TEXT], size[32];
        put_table(largest - 1, first);
        put_table(largest, second);
        wick_summary_size(wasted, size);
        status = remark(r,
                        "%" PRId64 " table%s stored twice, %s for nothing (the largest: %s is %s): a delegate keeps its own copy of tied "
                        "embeddings; a program without delegates (`wick export --backend portable`) shares them",
                        n, n == 1 ? " is" : "s are", size, first, second);
    }
    wick_free(t.all);
    return status;
}

/* ---------------------------------------------------------------- what travels along */

static wick_status companions(const remarks *r) {
    const wick_pte *p = &r->s->program->pte;
    const wick_pte_value *v[1];
    wick_bytes b;
    if (wick_pte_named_find(p, "wick.tokenizer", &b)) return WICK_OK;
    WICK_TRY(remark(r, "carries no tokenizer: text needs --tokenizer FILE; `wick export` puts one inside"));
    if (wick_pte_metadata(p, "get_eos_ids", v, 1) || wick_pte_metadata(p, "get_eos_id", v, 1)) return WICK_OK;
    return remark(
        r, "says nowhere which tokens end an answer (get_eos_ids): answers may run on to the length limit; export with that metadata");
}

/* ---------------------------------------------------------------- all of them */

wick_status wick_summary_remark(wick_summary *s, wick_error *err) {
    for (size_t i = 0; i < s->n_method; i++) {
        remarks r = {s, &s->methods[i], err};
        WICK_TRY(shapes(&r));
        WICK_TRY(converts(&r));
        WICK_TRY(float_layers(&r));
    }
    remarks file = {s, NULL, err};
    WICK_TRY(duplicates(&file));
    return companions(&file);
}
