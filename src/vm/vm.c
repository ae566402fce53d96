#include "vm/vm_state.h"

#include "base/checked.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- making */

static wick_status check_operators(const wick_program_method *m, wick_error *err) {
    for (uint32_t i = 0; i < m->pte->n_operator; i++) {
        wick_instr_op op = m->ops[i];
        const wick_pte_operator *o = &m->pte->operators[i];
        if (op == WICK_I_UNKNOWN || !wick_vm_ops[op].fn)
            return wick_fail(err, WICK_EUNSUPPORTED, "method %s calls %s%s%s, which Wick does not have", m->pte->name, o->name,
                             o->overload[0] ? "." : "", o->overload);
    }
    return WICK_OK;
}

/* MoveCall copies a value into another; the kinds must agree, so that what was checked at load stays true. */
static wick_status check_moves(const wick_pte_method *m, wick_error *err) {
    for (uint32_t i = 0; i < m->n_instr; i++) {
        const wick_pte_instr *in = &m->instrs[i];
        if (in->kind != WICK_IK_MOVE) continue;
        wick_evalue_kind a = m->values[in->index].kind, b = m->values[in->target].kind;
        bool list = a == WICK_EV_INT_LIST || a == WICK_EV_DOUBLE_LIST || a == WICK_EV_BOOL_LIST || a == WICK_EV_TENSOR_LIST ||
                    a == WICK_EV_OPTIONAL_TENSOR_LIST || a == WICK_EV_STRING;
        if (a != b || list)
            return wick_fail(err, WICK_EUNSUPPORTED, "instruction %u of method %s moves value %d over value %d of another kind", i, m->name,
                             in->index, in->target);
    }
    return WICK_OK;
}

/* Stock exports of language models are dense and row-major; a permuted order of dims of size 1 means the same. */
static bool row_major(const wick_pte_tensor *t) {
    int last = -1;
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[t->dim_order[i]] == 1) continue;
        if (t->dim_order[i] < last) return false;
        last = t->dim_order[i];
    }
    return true;
}

/* Shape and storage of a tensor as freshly loaded. */
static wick_status load_tensor(wick_vm *vm, uint32_t value, wick_vt *t, const wick_pte_tensor *p, wick_error *err) {
    uint64_t size = 0;
    wick_bytes constant = {0};
    *t = (wick_vt){.type = p->scalar_type, .rank = p->rank, .dynamic = p->dynamism != WICK_STATIC, .pte = p};
    memcpy(t->dims, p->dims, sizeof t->dims);
    if (!wick_pte_tensor_size(p, &t->n_max, &size) || !wick_vt_has_arithmetic(p->scalar_type))
        return wick_fail(err, WICK_EUNSUPPORTED, "value %u is a tensor of type %s (%d) and shape %s", value,
                         wick_scalar_name(p->scalar_type), p->scalar_type, wick_vt_shape(p->rank, p->dims).s);
    if (!row_major(p)) return wick_fail(err, WICK_EUNSUPPORTED, "value %u is a tensor that is not stored row by row", value);
    if (p->memory_id > 0) {
        uint64_t arena = p->memory_id < vm->method->pte->n_arena ? (uint64_t)vm->method->pte->arena_sizes[p->memory_id] : 0;
        if (!wick_in_range(p->memory_offset, size, arena))
            return wick_fail(err, WICK_EFORMAT, "value %u lies outside arena %u", value, p->memory_id);
        if (vm->arenas[p->memory_id]) t->data = vm->arenas[p->memory_id] + p->memory_offset;
        t->cap = size;
    } else if (wick_program_constant(vm->program, p, &constant)) {
        if (constant.size < size)
            return wick_fail(err, WICK_EFORMAT, "value %u needs %llu constant bytes, but has %zu", value, (unsigned long long)size,
                             constant.size);
        t->data = (uint8_t *)constant.data; /* never written: read_only */
        t->cap = size;
        t->read_only = true;
        t->dynamic = false;
    }
    if ((uintptr_t)t->data % wick_scalar_size(p->scalar_type))
        return wick_fail(err, WICK_EFORMAT, "value %u is not aligned to its element size", value);
    t->home = t->data, t->home_cap = t->cap, t->home_read_only = t->read_only;
    return WICK_OK;
}

static wick_status load_values(wick_vm *vm, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_value; i++) {
        const wick_pte_value *v = &m->values[i];
        vm->slots[i] = (wick_slot){.kind = v->kind, .i = v->i, .d = v->d};
        if (v->kind != WICK_EV_TENSOR) continue;
        vm->slots[i].t = &vm->tensors[n++];
        WICK_TRY(load_tensor(vm, i, vm->slots[i].t, v->tensor, err));
    }
    return WICK_OK;
}

static wick_status allocate(wick_vm *vm, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    for (uint32_t i = 0; i < m->n_value; i++) vm->n_tensor += m->values[i].kind == WICK_EV_TENSOR;
    vm->slots = WICK_NEW_ARRAY(wick_slot, m->n_value);
    vm->tensors = WICK_NEW_ARRAY(wick_vt, vm->n_tensor);
    vm->arenas = WICK_NEW_ARRAY(uint8_t *, m->n_arena);
    vm->delegates = WICK_NEW_ARRAY(wick_vx, m->n_delegate);
    if (!vm->slots || !vm->tensors || !vm->arenas || !vm->delegates) return wick_fail_nomem(err);
    for (uint32_t i = 1; i < m->n_arena; i++) {
        if (m->arena_sizes[i] <= 0) continue;
        vm->arenas[i] = wick_alloc_aligned((size_t)m->arena_sizes[i], 64);
        if (!vm->arenas[i]) return wick_fail_nomem(err);
    }
    return WICK_OK;
}

static wick_status init_delegate(wick_vm *vm, uint32_t i, wick_error *err) {
    vm->delegates[i].x = &vm->method->delegates[i];
    if (!vm->method->delegates[i].version)
        return wick_fail(err, WICK_EUNSUPPORTED, "a program for %s, not for this processor", vm->method->pte->delegates[i].id);
    return wick_vx_init(&vm->delegates[i], &vm->method->delegates[i], err);
}

wick_status wick_vm_new(const wick_program *p, const wick_program_method *method, wick_vm **out, wick_error *err) {
    wick_status status = WICK_OK;
    *out = NULL;
    wick_vm *vm = WICK_NEW(wick_vm);
    if (!vm) return wick_fail_nomem(err);
    vm->program = p, vm->method = method;
    WICK_CHECK_GOTO(check_operators(method, err));
    WICK_CHECK_GOTO(check_moves(method->pte, err));
    WICK_CHECK_GOTO(allocate(vm, err));
    WICK_CHECK_GOTO(load_values(vm, err));
    for (uint32_t i = 0; i < method->pte->n_delegate; i++) {
        status = init_delegate(vm, i, err);
        if (status != WICK_OK) {
            status = wick_error_context(err, status, "delegate %u of method %s", i, method->pte->name);
            goto out;
        }
    }
    wick_vm_reset(vm);
    *out = vm;
    vm = NULL;
out:
    wick_vm_free(vm);
    return status;
}

void wick_vm_free(wick_vm *vm) {
    if (!vm) return;
    const wick_pte_method *m = vm->method->pte;
    for (uint32_t i = 0; vm->delegates && i < m->n_delegate; i++) wick_vx_release(&vm->delegates[i]);
    for (uint32_t i = 0; vm->arenas && i < m->n_arena; i++) wick_free_aligned(vm->arenas[i]);
    wick_free_aligned(vm->workspace);
    wick_free_aligned(vm->scratch);
    wick_free(vm->slots);
    wick_free(vm->tensors);
    wick_free(vm->arenas);
    wick_free(vm->delegates);
    wick_free(vm->integer);
    for (uint32_t i = 0; vm->own && i < vm->n_tensor; i++) wick_free_aligned(vm->own[i]);
    wick_free(vm->own);
    wick_free(vm->own_size);
    wick_free(vm);
}

void wick_vm_reset(wick_vm *vm) {
    const wick_pte_method *m = vm->method->pte;
    for (uint32_t i = 1; i < m->n_arena; i++)
        if (vm->arenas[i]) memset(vm->arenas[i], 0, (size_t)m->arena_sizes[i]);
    wick_status loaded = load_values(vm, NULL); /* succeeded once, and its inputs are constant */
    assert(loaded == WICK_OK);
    (void)loaded;
    for (uint32_t i = 0; i < vm->n_tensor; i++) {
        wick_vt *t = &vm->tensors[i];
        wick_bytes initial;
        if (t->pte->memory_id > 0 && wick_program_initial(vm->program, t->pte, &initial))
            memcpy(t->data, initial.data, initial.size < t->cap ? initial.size : t->cap);
    }
}

uint64_t wick_vm_size(const wick_vm *vm) {
    const wick_pte_method *m = vm->method->pte;
    uint64_t n = vm->workspace_size + vm->scratch_size;
    for (uint32_t i = 0; vm->own && i < vm->n_tensor; i++) n += vm->own_size[i];
    for (uint32_t i = 1; i < m->n_arena; i++) n += vm->arenas[i] ? (uint64_t)m->arena_sizes[i] : 0;
    for (uint32_t i = 0; i < m->n_delegate; i++)
        for (uint32_t j = 0; vm->delegates[i].own_size && j < vm->delegates[i].x->n_value; j++) n += vm->delegates[i].own_size[j];
    return n;
}

void *wick_vm_scratch(wick_vm *vm, uint64_t n) {
    if (n <= vm->scratch_size) return vm->scratch ? vm->scratch : (vm->scratch = wick_alloc_aligned(64, 64));
    if (n > SIZE_MAX / 2) return NULL;
    wick_free_aligned(vm->scratch);
    vm->scratch_size = 0;
    vm->scratch = wick_alloc_aligned((size_t)n, 64);
    if (vm->scratch) vm->scratch_size = (size_t)n;
    return vm->scratch;
}

/* ---------------------------------------------------------------- running */

static wick_status set_input(wick_vm *vm, uint32_t i, const wick_vm_tensor *in, wick_error *err) {
    wick_slot *s = &vm->slots[vm->method->pte->inputs[i]];
    if (s->kind != WICK_EV_TENSOR) return WICK_OK; /* a number that was fixed when the program was made */
    wick_vt *t = s->t;
    if (in->scalar_type != t->type)
        return wick_fail(err, WICK_EINVAL, "input %u has type %s, expected %s", i, wick_scalar_name(in->scalar_type),
                         wick_scalar_name(t->type));
    bool planned = t->home != NULL;
    wick_status status = wick_vt_resize(t, in->rank, in->dims, err);
    if (status != WICK_OK) return wick_error_context(err, status, "input %u", i);
    uint64_t size = wick_vt_count(t) * wick_scalar_size(t->type);
    if (size && (!in->data || (uintptr_t)in->data % wick_scalar_size(t->type)))
        return wick_fail(err, WICK_EINVAL, "input %u has no data, or is not aligned to its element size", i);
    if (planned) {
        if (size) memcpy(t->data, in->data, size);
    } else {
        t->data = in->data, t->cap = size, t->read_only = true;
    }
    return WICK_OK;
}

static void get_output(wick_slot *s, wick_vm_tensor *out) {
    memset(out, 0, sizeof *out);
    if (s->kind == WICK_EV_TENSOR) {
        out->scalar_type = s->t->type, out->rank = s->t->rank, out->data = s->t->data;
        memcpy(out->dims, s->t->dims, sizeof out->dims);
    } else {
        bool real = s->kind == WICK_EV_DOUBLE;
        out->scalar_type = real ? WICK_ST_DOUBLE : WICK_ST_LONG;
        out->data = real ? (void *)&s->d : (void *)&s->i;
    }
}

/* A view that this run does not make must not show what an earlier run's caller lent. */
static void go_home(wick_vm *vm) {
    for (uint32_t i = 0; i < vm->n_tensor; i++) {
        wick_vt *t = &vm->tensors[i];
        t->data = t->home, t->cap = t->home_cap, t->read_only = t->home_read_only;
    }
}

/* As in the stock runtime, a program that loops must end some day. Once it has jumped back, what its instructions name counts too: ten
 * million steps over a large tensor are days. */
enum { LOOP_BUDGET = 1 << 27, CALL_COST = 16 }; /* elements */

static uint64_t work_of(const wick_vm *vm, const wick_pte_instr *in) {
    uint64_t work = CALL_COST;
    for (uint32_t i = 0; i < in->n_arg; i++) {
        const wick_slot *s = &vm->slots[in->args[i]];
        work += s->kind == WICK_EV_TENSOR ? s->t->n_max : 0;
    }
    const wick_xnn *x = in->kind == WICK_IK_DELEGATE ? vm->delegates[in->index].x : NULL;
    for (uint32_t i = 0; x && i < x->n_value && work < LOOP_BUDGET; i++) {
        uint64_t n = 1;
        for (int k = 0; k < x->values[i].rank && n < LOOP_BUDGET; k++) n *= x->values[i].dims[k];
        work += n;
    }
    return work;
}

wick_status wick_vm_run(wick_vm *vm, const wick_vm_tensor *inputs, size_t n_input, wick_vm_tensor *outputs, size_t n_output,
                        wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    if (n_input != m->n_input || n_output != m->n_output)
        return wick_fail(err, WICK_EINVAL, "method %s has %u inputs and %u outputs, but was called with %zu and %zu", m->name, m->n_input,
                         m->n_output, n_input, n_output);
    go_home(vm);
    for (uint32_t i = 0; i < m->n_input; i++) WICK_TRY(set_input(vm, i, &inputs[i], err));
    uint64_t looped = 0;
    for (uint32_t at = 0, next; at < m->n_instr; at = next) {
        WICK_TRY(wick_vm_exec(vm, at, &next, err));
        if (looped || next <= at) looped += work_of(vm, &m->instrs[at]);
        if (looped > LOOP_BUDGET) return wick_fail(err, WICK_ELIMIT, "method %s loops without ending (instruction %u)", m->name, at);
    }
    for (uint32_t i = 0; i < m->n_output; i++) {
        wick_slot *s = &vm->slots[m->outputs[i]];
        get_output(s, &outputs[i]);
        if (s->kind == WICK_EV_TENSOR && !outputs[i].data && wick_vt_count(s->t))
            return wick_fail(err, WICK_EFORMAT, "output %u of method %s has no storage", i, m->name);
    }
    return WICK_OK;
}
