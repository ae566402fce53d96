/* The vm as a session's engine: inputs as the program wants them, the last row of its output. */
#include "base/half.h"
#include "base/mem.h"
#include "run/session.h"

#include <string.h>

/* Caches written by update_cache at a position may be written again. A copy over a whole buffer, or rows chosen by an index
 * tensor, may be a ring or a recurrent state. */
bool wick_vm_method_rewinds(const wick_program_method *method) {
    const wick_pte_method *m = method->pte;
    for (uint32_t i = 0; i < m->n_operator; i++) {
        wick_instr_op op = method->ops[i];
        if (op == WICK_I_UNKNOWN) return false;
        const char *name = m->operators[i].name;
        if (!strcmp(name, "aten::copy_") || !strcmp(name, "llama::update_cache_with_indices") || !strcmp(name, "aten::index_put_"))
            return false;
    }
    return true;
}

wick_status wick_vm_engine_init(wick_vm_engine *e, const wick_model *model, wick_error *err) {
    const wick_run_contract *c = &model->contract;
    e->can_rewind = wick_vm_method_rewinds(model->method);
    e->tokens = WICK_NEW_ARRAY(int64_t, (size_t)c->tokens_bound);
    e->positions = WICK_NEW_ARRAY(int64_t, (size_t)c->tokens_bound);
    e->logits = WICK_NEW_ARRAY(float, (size_t)c->n_vocab);
    if (!e->tokens || !e->positions || !e->logits) return wick_fail_nomem(err);
    return wick_vm_new(model->program, model->method, &e->vm, err);
}

void wick_vm_engine_release(wick_vm_engine *e) {
    wick_vm_free(e->vm);
    wick_free(e->tokens);
    wick_free(e->positions);
    wick_free(e->logits);
    *e = (wick_vm_engine){0};
}

bool wick_vm_engine_rewind(wick_vm_engine *e, int64_t position) {
    if (position && !e->can_rewind) return false;
    if (!position) wick_vm_reset(e->vm);
    return true;
}

static wick_vm_tensor row_of(int rank, int64_t n, int64_t *data) {
    wick_vm_tensor t = {.scalar_type = WICK_ST_LONG, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++) t.dims[i] = i + 1 < rank ? 1 : (int32_t)n;
    return t;
}

/* The last row of the output as fp32. */
static wick_status take_logits(wick_vm_engine *e, const wick_model *model, const wick_vm_tensor *out, wick_error *err) {
    int64_t n = 1, n_vocab = model->contract.n_vocab;
    for (int i = 0; i < out->rank; i++) n *= out->dims[i];
    if (n < n_vocab || !out->data)
        return wick_fail(err, WICK_EINTERNAL, "%s: the method gave %lld logits, expected at least %lld", model->path, (long long)n,
                         (long long)n_vocab);
    for (int64_t i = 0, at = n - n_vocab; i < n_vocab; i++, at++) {
        if (out->scalar_type == WICK_ST_FLOAT)
            e->logits[i] = ((const float *)out->data)[at];
        else if (out->scalar_type == WICK_ST_HALF)
            e->logits[i] = wick_f16_to_f32(((const uint16_t *)out->data)[at]);
        else
            e->logits[i] = wick_bf16_to_f32(((const uint16_t *)out->data)[at]);
    }
    return WICK_OK;
}

wick_status wick_vm_engine_step(wick_vm_engine *e, const wick_model *model, const int32_t *tokens, int64_t n, int64_t position,
                                const float **logits, wick_error *err) {
    const wick_run_contract *c = &model->contract;
    if (!c->has_position) n += position, position = 0; /* without a cache: the whole sequence, every time */
    for (int64_t i = 0; i < n; i++) {
        e->tokens[i] = tokens[position + i];
        e->positions[i] = position + i;
    }
    wick_vm_tensor in[2] = {row_of(c->tokens_rank, n, e->tokens), row_of(c->position_rank, c->position_each ? n : 1, e->positions)}, out;
    WICK_TRY(wick_vm_run(e->vm, in, c->has_position ? 2 : 1, &out, 1, err));
    *logits = e->logits;
    return take_logits(e, model, &out, err);
}
