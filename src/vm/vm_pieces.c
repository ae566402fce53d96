/* Execution in pieces: single values, single instructions, and all numbers of a step at once. */
#include "vm/vm_state.h"

#include "base/mem.h"

/* ---------------------------------------------------------------- values */

static void describe(const wick_vt *t, wick_vm_tensor *out) {
    *out = (wick_vm_tensor){.scalar_type = t->type, .rank = t->rank, .data = t->data};
    memcpy(out->dims, t->dims, sizeof out->dims);
}

static wick_status tensor_of(const wick_vm *vm, int32_t value, wick_vt **out, wick_error *err) {
    *out = NULL;
    if (value < 0 || (uint32_t)value >= vm->method->pte->n_value || vm->slots[value].kind != WICK_EV_TENSOR)
        return wick_fail(err, WICK_EINVAL, "value %d is no tensor", value);
    *out = vm->slots[value].t;
    return WICK_OK;
}

wick_status wick_vm_value(wick_vm *vm, int32_t value, wick_vm_tensor *out, wick_error *err) {
    wick_vt *t;
    WICK_TRY(tensor_of(vm, value, &t, err));
    describe(t, out);
    return WICK_OK;
}

/* Memory for a tensor that has none, or none that may be written; it keeps what it gets. */
static wick_status own_storage(wick_vm *vm, wick_vt *t, wick_error *err) {
    size_t i = (size_t)(t - vm->tensors), size = (size_t)wick_vt_count(t) * wick_scalar_size(t->type);
    if (!vm->own_size) vm->own_size = WICK_NEW_ARRAY(size_t, vm->n_tensor);
    if (!vm->own) vm->own = WICK_NEW_ARRAY(void *, vm->n_tensor);
    if (!vm->own_size || !vm->own) return wick_fail_nomem(err);
    if (!vm->own[i] || size > vm->own_size[i]) {
        wick_free_aligned(vm->own[i]);
        vm->own_size[i] = 0;
        vm->own[i] = wick_alloc_aligned(size + 64, 64);
        if (!vm->own[i]) return wick_fail_nomem(err);
        vm->own_size[i] = size + 64;
    }
    t->data = vm->own[i], t->cap = vm->own_size[i], t->read_only = false;
    return WICK_OK;
}

wick_status wick_vm_resize(wick_vm *vm, int32_t value, const int32_t *dims, int rank, wick_error *err) {
    wick_vt *t;
    WICK_TRY(tensor_of(vm, value, &t, err));
    if (rank < 0 || rank > WICK_MAX_RANK) return wick_fail(err, WICK_EINVAL, "a tensor of rank %d", rank);
    bool planned = t->home && !t->home_read_only;
    t->data = planned ? t->home : NULL; /* what a view pointed at is not ours to fill */
    t->cap = t->home_cap, t->read_only = false;
    WICK_TRY(wick_vt_resize(t, rank, dims, err));
    return planned ? WICK_OK : own_storage(vm, t, err);
}

static wick_status delegate_of(const wick_vm *vm, int32_t instruction, wick_vx **out, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    *out = NULL;
    if (instruction < 0 || (uint32_t)instruction >= m->n_instr || m->instrs[instruction].kind != WICK_IK_DELEGATE)
        return wick_fail(err, WICK_EINVAL, "instruction %d calls no delegate", instruction);
    *out = &vm->delegates[m->instrs[instruction].index];
    return WICK_OK;
}

/* The delegate's value, and the program's value that it stands for (-1: none). */
static wick_status inner_value(const wick_vm *vm, int32_t instruction, uint32_t value, wick_vx **d, int32_t *outer, wick_error *err) {
    *outer = -1;
    WICK_TRY(delegate_of(vm, instruction, d, err));
    if (value >= (*d)->x->n_value) return wick_fail(err, WICK_EINVAL, "value %u of a delegate of %u", value, (*d)->x->n_value);
    const wick_xnn_value *v = &(*d)->x->values[value];
    const wick_pte_instr *in = &vm->method->pte->instrs[instruction];
    if (v->flags && v->external_id >= in->n_arg) return wick_fail(err, WICK_EFORMAT, "delegate argument %u is no tensor", v->external_id);
    if (v->flags) *outer = in->args[v->external_id];
    return WICK_OK;
}

wick_status wick_vm_xnn_value(wick_vm *vm, int32_t instruction, uint32_t value, wick_vm_tensor *out, wick_error *err) {
    wick_vx *d;
    int32_t outer;
    WICK_TRY(inner_value(vm, instruction, value, &d, &outer, err));
    if (outer >= 0) return wick_vm_value(vm, outer, out, err);
    describe(&d->values[value], out);
    if (!d->x->values[value].constant) out->data = d->own ? d->own[value] : NULL;
    return WICK_OK;
}

wick_status wick_vm_xnn_resize(wick_vm *vm, int32_t instruction, uint32_t value, const int32_t *dims, int rank, wick_error *err) {
    wick_vx *d;
    int32_t outer;
    WICK_TRY(inner_value(vm, instruction, value, &d, &outer, err));
    if (outer >= 0) {
        wick_vt *t;
        WICK_TRY(tensor_of(vm, outer, &t, err));
        return wick_vm_resize(vm, outer, dims, t->rank ? rank : 0, err); /* XNNPACK has [1] where the program has a scalar */
    }
    wick_vt *t = &d->values[value];
    if (rank < 0 || rank > WICK_MAX_RANK) return wick_fail(err, WICK_EINVAL, "a tensor of rank %d", rank);
    if (d->x->values[value].constant && (rank != t->rank || memcmp(dims, t->dims, (size_t)rank * sizeof dims[0])))
        return wick_fail(err, WICK_EINVAL, "value %u is a constant of another shape", value);
    uint64_t n = 1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || (dims[i] && n > INT64_MAX / 16 / (uint64_t)dims[i]))
            return wick_fail(err, WICK_EINVAL, "a tensor with the size %d", (int)dims[i]);
        n *= (uint64_t)dims[i];
    }
    t->rank = rank;
    memcpy(t->dims, dims, (size_t)rank * sizeof dims[0]);
    return wick_vx_own(d, value, err);
}

/* ---------------------------------------------------------------- numbers
 *
 * An instruction is `pure` if all that it reads comes from constants, the position, the shape of the tokens and pure instructions, and
 * if it writes no state. Pure instructions that write numbers, and the pure ones that these need, are run. */

typedef struct analysis {
    const wick_vm *vm;
    int32_t *writer; /* [n_value]: last instruction that wrote it; -1: none so far */
    uint32_t *first; /* [n_instr]: its operands in `deps` */
    int32_t *deps;   /* instructions that wrote an operand */
    size_t n_dep, dep_cap;
    bool *pure;
    bool failed; /* no memory */
} analysis;

static bool writes(char letter) { return letter && strchr("tyikx", letter) != NULL; }

/* The instruction that wrote an operand; elided views are other values at the same place. -1: nobody, it is there from the start. */
static int32_t writer_of(const analysis *a, int32_t value) {
    const wick_pte_value *v = &a->vm->method->pte->values[value];
    int32_t best = a->writer[value];
    if (v->kind != WICK_EV_TENSOR || v->tensor->memory_id == 0 || best >= 0) return best;
    for (uint32_t i = 0; i < a->vm->method->pte->n_value; i++) {
        const wick_pte_value *other = &a->vm->method->pte->values[i];
        if (other->kind == WICK_EV_TENSOR && other->tensor->memory_id == v->tensor->memory_id &&
            other->tensor->memory_offset == v->tensor->memory_offset && a->writer[i] > best)
            best = a->writer[i];
    }
    return best;
}

static bool is_input(const wick_vm *vm, int32_t value, uint32_t i) {
    return i < vm->method->pte->n_input && vm->method->pte->inputs[i] == value;
}

/* Notes what an operand depends on; false: on something that is not known beforehand. */
static bool read_operand(analysis *a, wick_instr_op op, int32_t value) {
    const wick_pte_value *v = &a->vm->method->pte->values[value];
    int32_t w = writer_of(a, value);
    if (w >= 0) {
        if (!a->pure[w]) return false;
        if (!WICK_GROW(a->deps, a->n_dep, a->dep_cap)) {
            a->failed = true;
            return false;
        }
        a->deps[a->n_dep++] = w;
        return true;
    }
    if (v->kind != WICK_EV_TENSOR) return true;
    if (is_input(a->vm, value, 0)) return op == WICK_I_SYM_SIZE_INT || op == WICK_I_SYM_NUMEL;
    return is_input(a->vm, value, 1) || v->tensor->memory_id == 0;
}

static bool read_operands(analysis *a, const wick_pte_instr *in, wick_instr_op op) {
    const char *letters = wick_instr_op_args(op);
    bool pure = true;
    for (uint32_t i = 0; *letters && i < in->n_arg; letters++) {
        if (*letters == '?') continue;
        if (*letters == '=' || *letters == '*') break;
        const wick_pte_value *v = &a->vm->method->pte->values[in->args[i]];
        bool list = v->kind == WICK_EV_INT_LIST || v->kind == WICK_EV_TENSOR_LIST || v->kind == WICK_EV_OPTIONAL_TENSOR_LIST;
        if (!writes(*letters) && !list) pure = read_operand(a, op, in->args[i]) && pure;
        for (uint32_t j = 0; list && *letters != 'y' && j < v->n; j++)
            if (v->items[j] >= 0) pure = read_operand(a, op, (int32_t)v->items[j]) && pure;
        i++;
    }
    return pure;
}

/* Notes the writes; *number: it writes one. False: it changes state. */
static bool note_writes(analysis *a, const wick_pte_instr *in, wick_instr_op op, int32_t i_instr, bool *number) {
    const char *letters = wick_instr_op_args(op);
    bool pure = true;
    for (uint32_t i = 0; *letters && i < in->n_arg; letters++) {
        if (*letters == '?') continue;
        if (*letters == '=' || *letters == '*') break;
        if (*letters == 'i' || *letters == 'k' || *letters == 'x') *number = true;
        if (*letters == 't' && letters == wick_instr_op_args(op) && letters[1]) pure = false; /* mutated in place */
        if (*letters == 'y') pure = false;
        if (writes(*letters)) a->writer[in->args[i]] = i_instr;
        i++;
    }
    return pure;
}

static wick_status analyse(analysis *a, uint8_t *integer, wick_error *err) {
    const wick_pte_method *m = a->vm->method->pte;
    for (uint32_t i = 0; i < m->n_value; i++) a->writer[i] = -1;
    for (uint32_t i = 0; i < m->n_instr; i++) {
        const wick_pte_instr *in = &m->instrs[i];
        bool number = false;
        a->first[i] = (uint32_t)a->n_dep;
        if (in->kind == WICK_IK_KERNEL) {
            wick_instr_op op = a->vm->method->ops[in->index];
            a->pure[i] = read_operands(a, in, op);
            a->pure[i] = note_writes(a, in, op, (int32_t)i, &number) && a->pure[i];
            integer[i] = number && a->pure[i];
        } else if (in->kind == WICK_IK_DELEGATE) {
            const wick_xnn *x = &a->vm->method->delegates[in->index];
            for (uint32_t k = x->n_input; k < in->n_arg; k++) a->writer[in->args[k]] = (int32_t)i;
        } else if (in->kind != WICK_IK_FREE) {
            return wick_fail(err, WICK_EUNSUPPORTED, "method %s jumps or moves values: it cannot run in pieces", m->name);
        }
        if (a->failed) return wick_fail_nomem(err);
    }
    for (uint32_t i = m->n_instr; i-- > 0;) {
        uint32_t end = i + 1 < m->n_instr ? a->first[i + 1] : (uint32_t)a->n_dep;
        for (uint32_t k = a->first[i]; integer[i] && k < end; k++) integer[a->deps[k]] = 1;
    }
    return WICK_OK;
}

static wick_status find_integers(wick_vm *vm, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    wick_status status = WICK_OK;
    analysis a = {.vm = vm};
    uint8_t *integer = WICK_NEW_ARRAY(uint8_t, m->n_instr);
    a.writer = WICK_NEW_ARRAY(int32_t, m->n_value);
    a.first = WICK_NEW_ARRAY(uint32_t, m->n_instr);
    a.pure = WICK_NEW_ARRAY(bool, m->n_instr);
    status = integer && a.writer && a.first && a.pure ? analyse(&a, integer, err) : wick_fail_nomem(err);
    if (status == WICK_OK) {
        vm->integer = integer;
        integer = NULL;
    }
    wick_free(integer);
    wick_free(a.writer);
    wick_free(a.first);
    wick_free(a.deps);
    wick_free(a.pure);
    return status;
}

/* Input 0: tokens [.., n], never read. Input 1: the position, alone or one per token. */
static wick_status set_inputs(wick_vm *vm, int64_t n, int64_t position, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    for (uint32_t i = 0; i < m->n_input && i < 2; i++) {
        wick_vt *t;
        int32_t dims[WICK_MAX_RANK];
        WICK_TRY(tensor_of(vm, m->inputs[i], &t, err));
        memcpy(dims, t->pte->dims, sizeof dims);
        if (t->rank && t->dynamic) dims[t->rank - 1] = (int32_t)n;
        WICK_TRY(wick_vm_resize(vm, m->inputs[i], dims, t->rank, err));
        for (uint64_t k = 0, count = wick_vt_count(t); k < count; k++) wick_vt_set_int(t, k, i ? position + (int64_t)k : 0);
    }
    return WICK_OK;
}

wick_status wick_vm_integers(wick_vm *vm, int64_t n, int64_t position, wick_error *err) {
    if (n < 1 || n > INT32_MAX || position < 0 || position > INT64_MAX - INT32_MAX)
        return wick_fail(err, WICK_EINVAL, "a step of %lld tokens at position %lld", (long long)n, (long long)position);
    if (!vm->integer) WICK_TRY(find_integers(vm, err));
    WICK_TRY(set_inputs(vm, n, position, err));
    for (uint32_t i = 0, next; i < vm->method->pte->n_instr; i++)
        if (vm->integer[i]) WICK_TRY(wick_vm_exec(vm, i, &next, err));
    return WICK_OK;
}

/* ---------------------------------------------------------------- instructions */

wick_status wick_vm_step(wick_vm *vm, int32_t instruction, int32_t xnn_node, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    uint32_t next;
    if (instruction < 0 || (uint32_t)instruction >= m->n_instr)
        return wick_fail(err, WICK_EINVAL, "instruction %d of %u", instruction, m->n_instr);
    if (xnn_node < 0) return wick_vm_exec(vm, (uint32_t)instruction, &next, err);
    wick_vx *d;
    WICK_TRY(delegate_of(vm, instruction, &d, err));
    if ((uint32_t)xnn_node >= d->x->n_node) return wick_fail(err, WICK_EINVAL, "node %d of %u", xnn_node, d->x->n_node);
    wick_status status = wick_vx_step(vm, d, &m->instrs[instruction], (uint32_t)xnn_node, err);
    if (status == WICK_OK) return WICK_OK;
    return wick_error_context(err, status, "instruction %d (DelegateCall) of method %s", instruction, m->name);
}
