/* The instruction loop's body, and the argument checks that every operator shares. */
#include "vm/vm_state.h"

wick_status wick_call_ints(const wick_call *c, int i, int max, int64_t *out, int *n) {
    const wick_pte_value *list = &c->vm->method->pte->values[c->args[i]];
    *n = 0;
    if (list->kind == WICK_EV_NULL) return WICK_OK;
    if (list->n > (uint32_t)max)
        return wick_fail(c->err, WICK_EUNSUPPORTED, "a list of %u integers, at most %d are possible", list->n, max);
    for (uint32_t j = 0; j < list->n; j++) out[j] = wick_slot_int(&c->vm->slots[list->items[j]]);
    *n = (int)list->n;
    return WICK_OK;
}

/* A tensor that is read must have bytes; one that is written must be ours to write. */
static wick_status check_tensor(const wick_slot *s, int32_t value, bool write, wick_error *err) {
    if (s->kind != WICK_EV_TENSOR) return WICK_OK; /* None where it is allowed: checked at load */
    if (!s->t->data && wick_vt_count(s->t)) return wick_fail(err, WICK_EFORMAT, "value %d has no storage", value);
    if (write && s->t->read_only) return wick_fail(err, WICK_EFORMAT, "value %d is written, but is a constant or an input", value);
    return WICK_OK;
}

static wick_status check_arguments(const wick_vm *vm, wick_instr_op op, const int32_t *args, uint32_t n_arg, wick_error *err) {
    const char *letters = wick_instr_op_args(op);
    for (uint32_t i = 0; *letters && *letters != '=' && i < n_arg; letters++) {
        if (*letters == '?') continue;
        bool write = *letters == 't' || *letters == 'y';
        /* A view gets its storage from its base. */
        if ((*letters == 'T' || *letters == 't') && !(write && op == WICK_I_ET_VIEW))
            WICK_TRY(check_tensor(&vm->slots[args[i]], args[i], write, err));
        if (*letters == 'X' || *letters == 'Y' || *letters == 'y') {
            const wick_pte_value *list = &vm->method->pte->values[args[i]];
            for (uint32_t j = 0; j < list->n; j++) {
                int64_t v = list->items[j];
                if (*letters != 'Y' && (v < 0 || vm->slots[v].kind != WICK_EV_TENSOR))
                    return wick_fail(err, WICK_EFORMAT, "item %u of a list of tensors is none", j);
                if (v >= 0) WICK_TRY(check_tensor(&vm->slots[v], (int32_t)v, write, err));
            }
        }
        i++;
    }
    return WICK_OK;
}

static wick_status call_kernel(wick_vm *vm, const wick_pte_instr *in, wick_error *err) {
    wick_instr_op op = vm->method->ops[in->index];
    WICK_TRY(check_arguments(vm, op, in->args, in->n_arg, err));
    wick_call c = {.vm = vm, .args = in->args, .variant = wick_vm_ops[op].variant, .err = err};
    return wick_vm_ops[op].fn(&c);
}

static wick_status is_false(const wick_slot *s, bool *out, wick_error *err) {
    if (s->kind == WICK_EV_BOOL || s->kind == WICK_EV_INT) {
        *out = s->i == 0;
        return WICK_OK;
    }
    if (s->kind != WICK_EV_TENSOR || s->t->type != WICK_ST_BOOL || !s->t->data)
        return wick_fail(err, WICK_EFORMAT, "a jump depends on a value that is not boolean");
    uint64_t n = wick_vt_count(s->t);
    *out = false; /* a tensor is true if all of its elements are */
    for (uint64_t i = 0; i < n && !*out; i++) *out = !wick_vt_int(s->t, i);
    return WICK_OK;
}

/* The stock runtime copies the EValue: the target becomes the same tensor. */
static void move(wick_vm *vm, int32_t from, int32_t to) {
    wick_slot *a = &vm->slots[from], *b = &vm->slots[to];
    if (a->kind == WICK_EV_TENSOR && b->kind == WICK_EV_TENSOR)
        b->t = a->t;
    else
        *b = *a;
}

static const char *instr_name(const wick_vm *vm, const wick_pte_instr *in) {
    switch (in->kind) {
    case WICK_IK_KERNEL: return wick_instr_op_name(vm->method->ops[in->index]);
    case WICK_IK_DELEGATE: return "DelegateCall";
    case WICK_IK_MOVE: return "MoveCall";
    case WICK_IK_JUMP_FALSE: return "JumpFalseCall";
    default: return "FreeCall";
    }
}

wick_status wick_vm_exec(wick_vm *vm, uint32_t i_instr, uint32_t *next, wick_error *err) {
    const wick_pte_instr *in = &vm->method->pte->instrs[i_instr];
    wick_status status = WICK_OK;
    bool jump = false;
    *next = i_instr + 1;
    switch (in->kind) {
    case WICK_IK_KERNEL: status = call_kernel(vm, in, err); break;
    case WICK_IK_DELEGATE: status = wick_vx_run(vm, &vm->delegates[in->index], in, err); break;
    case WICK_IK_MOVE: move(vm, in->index, in->target); break;
    case WICK_IK_JUMP_FALSE:
        status = is_false(&vm->slots[in->index], &jump, err);
        if (jump) *next = (uint32_t)in->target;
        break;
    case WICK_IK_FREE: break; /* only tensors without a bound own memory, and those are refused at load */
    }
    if (status != WICK_OK)
        return wick_error_context(err, status, "instruction %u (%s) of method %s", i_instr, instr_name(vm, in), vm->method->pte->name);
    return WICK_OK;
}
