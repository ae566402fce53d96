/* What a method wants from its caller, and what the program says of itself. */
#include "run/model.h"

#include "base/mem.h"
#include "run/session.h"

#include <string.h>

/* ---------------------------------------------------------------- inputs and output */

static const wick_pte_tensor *tensor_of(const wick_pte_method *m, int32_t value) {
    return m->values[value].kind == WICK_EV_TENSOR ? m->values[value].tensor : NULL;
}

static bool is_static(const wick_pte_tensor *t) { return t->dynamism == WICK_STATIC; }

/* True if all dimensions but the last are 1. */
static bool is_flat(const wick_pte_tensor *t) {
    for (int i = 0; i + 1 < t->rank; i++)
        if (t->dims[i] != 1) return false;
    return t->rank >= 1;
}

wick_status wick_run_contract_read(const wick_program_method *method, const char *path, wick_run_contract *out, wick_error *err) {
    const wick_pte_method *m = method->pte;
    const char *expected = "expected tokens i64[1,S] and perhaps a position i64[1] or i64[S]";
    *out = (wick_run_contract){0};
    if (m->n_input < 1 || m->n_input > 2 || m->n_output != 1)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: method \"%s\" has %u inputs and %u outputs, %s, and one output", path, m->name,
                         m->n_input, m->n_output, expected);
    const wick_pte_tensor *tokens = tensor_of(m, m->inputs[0]), *position = m->n_input > 1 ? tensor_of(m, m->inputs[1]) : NULL;
    const wick_pte_tensor *logits = tensor_of(m, m->outputs[0]);
    if (!tokens || tokens->scalar_type != WICK_ST_LONG || !is_flat(tokens))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: the first input of method \"%s\" does not hold tokens, %s", path, m->name, expected);
    if (m->n_input > 1 && (!position || position->scalar_type != WICK_ST_LONG || !is_flat(position)))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: the second input of method \"%s\" is not a position, %s", path, m->name, expected);
    bool is_float =
        logits && (logits->scalar_type == WICK_ST_FLOAT || logits->scalar_type == WICK_ST_HALF || logits->scalar_type == WICK_ST_BFLOAT16);
    if (!is_float || logits->rank < 1)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: the output of method \"%s\" is not a tensor of logits", path, m->name);
    out->tokens_rank = tokens->rank;
    out->tokens_bound = tokens->dims[tokens->rank - 1];
    out->tokens_static = is_static(tokens);
    out->n_vocab = logits->dims[logits->rank - 1];
    if (position) {
        out->has_position = true;
        out->position_rank = position->rank;
        int32_t n = position->dims[position->rank - 1];
        out->position_each = n > 1 && (n == out->tokens_bound || !is_static(position));
        if (n != 1 && !out->position_each)
            return wick_fail(err, WICK_EUNSUPPORTED, "%s: the position input of method \"%s\" holds %d numbers, %s", path, m->name, n,
                             expected);
    }
    if (out->tokens_bound < 1 || out->n_vocab < 1)
        return wick_fail(err, WICK_EFORMAT, "%s: method \"%s\" takes %lld tokens and gives %lld logits, expected at least one of each",
                         path, m->name, (long long)out->tokens_bound, (long long)out->n_vocab);
    if (out->tokens_static && out->tokens_bound > 1 && out->has_position)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: method \"%s\" takes exactly %lld tokens in every call, which Wick does not do", path,
                         m->name, (long long)out->tokens_bound);
    return WICK_OK;
}

/* ---------------------------------------------------------------- metadata */

enum { MAX_EOS = 256 };

static int64_t number(const wick_model *model, const char *name, int64_t otherwise) {
    const wick_pte_value *v[1];
    if (!wick_pte_metadata(&model->program->pte, name, v, 1) || (v[0]->kind != WICK_EV_INT && v[0]->kind != WICK_EV_BOOL)) return otherwise;
    return v[0]->i;
}

static wick_status read_eos(wick_model *model, wick_error *err) {
    const wick_pte_value *v[MAX_EOS];
    uint32_t n = wick_pte_metadata(&model->program->pte, "get_eos_ids", v, MAX_EOS);
    if (!n) n = wick_pte_metadata(&model->program->pte, "get_eos_id", v, MAX_EOS); /* a list too, where a checkpoint has one */
    if (n > MAX_EOS) n = MAX_EOS;
    model->eos_ids = WICK_NEW_ARRAY(int64_t, n ? n : 1);
    if (!model->eos_ids) return wick_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++)
        if (v[i]->kind == WICK_EV_INT) model->eos_ids[model->info.n_eos++] = v[i]->i;
    model->info.eos_ids = model->eos_ids;
    return WICK_OK;
}

/* Tokens in the cache: what the program says, at least a step, at most what anybody can hold. */
static int64_t context_of(const wick_model *model) {
    const wick_run_contract *c = &model->contract;
    if (!c->has_position) return c->tokens_bound;
    int64_t context = number(model, "get_max_context_len", 0);
    if (context < 1) context = number(model, "get_max_seq_len", 0);
    if (context < 1) context = number(model, "get_max_len", 0);
    if (context < 1)
        context = model->raised.graph && model->raised.graph->max_context > 0 ? model->raised.graph->max_context : c->tokens_bound;
    return context > WICK_MAX_CONTEXT ? WICK_MAX_CONTEXT : context;
}

/* The vm is given no graph, but whether a sequence has an end only the graph shows. A program that writes its cache at no place of its
 * choice is not raised for this. */
static wick_status find_end(wick_model *model, wick_error *err) {
    wick_model_info *info = &model->info;
    wick_raised raised = {0};
    wick_sight sight;
    const wick_graph *g = model->raised.graph;
    if (!g && model->contract.has_position && !wick_vm_method_rewinds(model->method)) {
        if (wick_raise(model->program, model->method, &raised, NULL) == WICK_ENOMEM) return wick_fail_nomem(err);
        g = raised.graph;
    }
    info->endless = g && model->contract.has_position && wick_graph_is_endless(g, &sight);
    if (info->endless) info->n_first = sight.n_first, info->n_last = sight.n_last;
    wick_raised_release(&raised);
    return WICK_OK;
}

wick_status wick_run_metadata(wick_model *model, wick_error *err) {
    wick_model_info *info = &model->info;
    info->n_vocab = model->contract.n_vocab;
    info->max_seq_len = model->contract.tokens_bound;
    info->max_context = context_of(model);
    info->n_layers = number(model, "get_n_layers", model->raised.graph ? model->raised.graph->n_layer : 0);
    info->bos_id = number(model, "get_bos_id", -1);
    info->uses_kv_cache = model->contract.has_position;
    WICK_TRY(find_end(model, err));
    return read_eos(model, err);
}

/* ---------------------------------------------------------------- fingerprint */

enum { SAMPLE = 4096 };

static uint64_t sample(const void *bytes, uint64_t size, uint64_t seed) {
    uint64_t head = size < SAMPLE ? size : SAMPLE;
    seed = wick_hash(&size, sizeof size, seed);
    seed = wick_hash(bytes, (size_t)head, seed);
    return wick_hash((const uint8_t *)bytes + size - head, (size_t)head, seed);
}

uint64_t wick_run_fingerprint(const wick_model *model) {
    const wick_program *p = model->program;
    const wick_pte *pte = &p->pte;
    const char *name = model->method->pte->name;
    uint64_t h = wick_hash(name, strlen(name), 0x77696b);
    if (p->file.data && pte->flatbuffer_size <= p->file.size) h = wick_hash(p->file.data, (size_t)pte->flatbuffer_size, h);
    for (uint32_t i = 0; i < pte->n_segment; i++)
        for (uint32_t j = 0; j < pte->segments[i].n_piece; j++)
            if (pte->segments[i].pieces[j].bytes) h = sample(pte->segments[i].pieces[j].bytes, pte->segments[i].pieces[j].size, h);
    for (size_t i = 0; i < p->ptd.n_entry; i++) h = sample(p->ptd.entries[i].data.data, p->ptd.entries[i].data.size, h);
    return h;
}
