/* Opening a model: program, graph, plan. */
#include "run/model.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "base/os.h"
#include "run/host.h"
#include "vm/vm.h"

#include <string.h>

wick_model_options wick_model_options_default(void) { return (wick_model_options){.plan = WICK_PLAN_AUTO}; }

/* ---------------------------------------------------------------- raising and packing */

static void forget(void *user, const void *bytes, uint64_t size) {
    const wick_program *p = user;
    for (size_t i = 0; i <= p->ptd.n_file; i++) {
        const wick_mapping *m = i ? &p->ptd.files[i - 1] : &p->file;
        uintptr_t at = (uintptr_t)bytes, from = (uintptr_t)m->data;
        if (m->data && at >= from && at - from < m->size) wick_os_forget(m, at - from, size);
    }
}

static wick_status make_plan(wick_model *model, const wick_model_options *options, wick_error *err) {
    wick_pool *pool = NULL;
    uint32_t flags;
    if (!wick_cpu_level(options->cpu, &flags)) return wick_fail(err, WICK_EINVAL, "no processor level is called \"%s\"", options->cpu);
    WICK_TRY(wick_pool_new(options->threads, &pool, err));
    bool odd_scales = false;
    wick_plan_options o = {
        .cpu_mask = flags & wick_cpu_detect(), .forget = forget, .forget_user = model->program, .odd_scales = &odd_scales};
    wick_status status = model->backend->plan_new(model->raised.graph, &o, pool, &model->plan, err);
    wick_pool_free(pool);
    /* Weights that came without a delegate may have any scale: the program knows. */
    if (status == WICK_OK && odd_scales) status = wick_program_check_scales(model->program, model->method, err);
    return status;
}

/* Token ids the graph can look up: rows of the token map, or of the embedding. */
static int64_t count_ids(const wick_graph *g) {
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (!n->dead && (n->op == WICK_OP_embedding || n->op == WICK_OP_gather_ids) && n->in[0] == g->tokens)
            return g->values[n->in[1]].dims[0].c;
    }
    return 0;
}

/* The graph, if the plan wants one and the program has one; nothing raised and no error means: the vm runs it. */
static wick_status raise_program(wick_model *model, wick_plan plan, wick_error *err) {
    wick_error why = {0};
    if (plan == WICK_PLAN_VM) return WICK_OK;
    wick_status status = wick_raise(model->program, model->method, &model->raised, &why);
    if (status == WICK_OK && model->raised.n_left && plan == WICK_PLAN_RAISED) {
        const wick_left *left = &model->raised.left[0];
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: %zu operations could not be raised, the first is %s of instruction %d: %s",
                         model->path, model->raised.n_left, left->op, left->origin.instruction, left->reason);
    }
    if (status == WICK_OK) {
        const char *refused = model->backend->refuses(model->raised.graph);
        if (!refused) refused = wick_host_refuses(model);
        if (!refused) return WICK_OK;
        wick_raised_release(&model->raised);
        model->raised = (wick_raised){0};
        status = wick_fail(&why, WICK_EUNSUPPORTED, "the %s backend does not run %s", model->backend->name, refused);
    }
    if (status == WICK_ENOMEM || plan == WICK_PLAN_RAISED) {
        if (err) *err = why;
        return wick_error_context(err, status, "%s", model->path);
    }
    return WICK_OK;
}

/* Operators that the vm lacks are an error now and not in the middle of an answer. */
static wick_status try_vm(const wick_model *model, wick_error *err) {
    wick_vm *vm = NULL;
    WICK_TRY(wick_program_check_scales(model->program, model->method, err));
    WICK_TRY(wick_vm_new(model->program, model->method, &vm, err));
    wick_vm_free(vm);
    return WICK_OK;
}

/* ---------------------------------------------------------------- life */

static wick_status open_program(wick_model *model, const char *path, const wick_model_options *options, wick_error *err) {
    const char *name = options->method ? options->method : "forward";
    wick_program_options po = {
        .no_mmap = options->no_mmap, .data_paths = options->data_paths, .n_data_path = options->n_data_paths, .scales_later = true};
    model->path = wick_strdup(path);
    if (!model->path) return wick_fail_nomem(err);
    WICK_TRY(wick_program_open(path, &po, &model->program, err));
    model->method = wick_program_method_find(model->program, name);
    if (!model->method) return wick_fail(err, WICK_ENOTFOUND, "%s: it has no method \"%s\"", path, name);
    return wick_run_contract_read(model->method, path, &model->contract, err);
}

/* The seconds since *since, which becomes now. */
static double lap(double *since) {
    double begin = *since;
    return (*since = wick_os_seconds()) - begin;
}

static wick_status open_model(wick_model *model, const char *path, const wick_model_options *options, wick_error *err) {
    double clock = wick_os_seconds();
    model->backend = &wick_backend_cpu;
    WICK_TRY(open_program(model, path, options, err));
    model->info.verify_seconds = lap(&clock);
    WICK_TRY(raise_program(model, options->plan, err));
    if (!model->raised.graph || model->raised.n_left) WICK_TRY(try_vm(model, err));
    WICK_TRY(wick_run_metadata(model, err));
    model->info.raise_seconds = lap(&clock);
    model->info.plan = !model->raised.graph ? WICK_PLAN_VM : model->raised.n_left ? WICK_PLAN_MIXED : WICK_PLAN_RAISED;
    if (!model->raised.graph) return WICK_OK;
    model->n_token_id = count_ids(model->raised.graph);
    WICK_TRY(make_plan(model, options, err));
    model->info.pack_seconds = lap(&clock);
    model->info.weights_size = model->backend->plan_size(model->plan);
    return WICK_OK;
}

wick_status wick_model_open(const char *path, const wick_model_options *options, wick_model **out, wick_error *err) {
    wick_model_options defaults = wick_model_options_default();
    if (!path || !out) return wick_fail(err, WICK_EINVAL, "wick_model_open: path and out must not be NULL");
    *out = NULL;
    double begin = wick_os_seconds();
    wick_model *model = WICK_NEW(wick_model);
    if (!model) return wick_fail_nomem(err);
    wick_status status = open_model(model, path, options ? options : &defaults, err);
    if (status != WICK_OK) {
        wick_model_close(model);
        return status;
    }
    model->info.load_seconds = wick_os_seconds() - begin;
    *out = model;
    return WICK_OK;
}

void wick_model_close(wick_model *model) {
    if (!model) return;
    if (model->plan) model->backend->plan_free(model->plan);
    wick_raised_release(&model->raised);
    wick_program_close(model->program);
    wick_free(model->eos_ids);
    wick_free(model->path);
    wick_free(model);
}

const wick_model_info *wick_model_info_get(const wick_model *model) { return &model->info; }

bool wick_model_data_get(const wick_model *model, const char *key, const void **data, size_t *size) {
    wick_bytes bytes;
    if (!wick_pte_named_find(&model->program->pte, key, &bytes)) return false;
    *data = bytes.data;
    *size = bytes.size;
    return true;
}
