/* Delegates: binding to the program's tensors, the shape pass, the run. */
#include "vm/xnn_vm.h"

#include "base/checked.h"
#include "base/mem.h"

static int scalar_type_of(int dtype) {
    switch (dtype) {
    case WICK_XD_FP32: return WICK_ST_FLOAT;
    case WICK_XD_FP16: return WICK_ST_HALF;
    case WICK_XD_BF16: return WICK_ST_BFLOAT16;
    case WICK_XD_INT32: return WICK_ST_INT;
    case WICK_XD_QCINT8:
    case WICK_XD_QDINT8: return WICK_ST_CHAR;
    default: return WICK_ST_BYTE; /* pairs of 4-bit codes */
    }
}

uint64_t wick_vx_size(const wick_vx *d, uint32_t value) {
    const wick_vt *t = &d->values[value];
    const wick_xnn_value *v = &d->x->values[value];
    uint64_t n = wick_vt_count(t);
    if (v->dtype != WICK_XD_QDINT8) return n * wick_scalar_size(t->type);
    int64_t k = wick_vx_row_length(v, t);
    return ((n + 7) & ~(uint64_t)7) + (k ? n / (uint64_t)k : 0) * sizeof(wick_row_quant);
}

wick_status wick_vx_init(wick_vx *d, const wick_xnn *x, wick_error *err) {
    d->x = x;
    WICK_TRY(wick_vx_check(x, err));
    d->values = WICK_NEW_ARRAY(wick_vt, x->n_value);
    if (!d->values) return wick_fail_nomem(err);
    for (uint32_t i = 0; i < x->n_value; i++) {
        const wick_xnn_value *v = &x->values[i];
        wick_vt *t = &d->values[i];
        t->type = scalar_type_of(v->dtype), t->rank = v->rank, t->dynamic = true, t->n_max = UINT64_MAX;
        for (int k = 0; k < v->rank; k++) t->dims[k] = (int32_t)v->dims[k];
        if (!v->constant) continue;
        t->data = (uint8_t *)x->constants[v->constant].bytes.data; /* never written: no node may write a constant */
        t->cap = x->constants[v->constant].bytes.size;
        t->read_only = true;
        if ((uintptr_t)t->data % wick_scalar_size(t->type)) return wick_fail(err, WICK_EFORMAT, "constant %u is not aligned", v->constant);
    }
    return WICK_OK;
}

void wick_vx_release(wick_vx *d) {
    for (uint32_t i = 0; d->own && i < d->x->n_value; i++) wick_free_aligned(d->own[i]);
    wick_free(d->own);
    wick_free(d->own_size);
    wick_free(d->values);
}

/* ---------------------------------------------------------------- arguments */

static wick_status argument(wick_vm *vm, const wick_vx *d, uint32_t value, const wick_pte_instr *instr, wick_vt **out, wick_error *err) {
    uint32_t i = d->x->values[value].external_id;
    const wick_slot *s = i < instr->n_arg ? &vm->slots[instr->args[i]] : NULL;
    if (!s || s->kind != WICK_EV_TENSOR) return wick_fail(err, WICK_EFORMAT, "delegate argument %u is no tensor", i);
    if (s->t->type != d->values[value].type)
        return wick_fail(err, WICK_EFORMAT, "delegate argument %u has type %s, expected %s", i, wick_scalar_name(s->t->type),
                         wick_scalar_name(d->values[value].type));
    *out = s->t;
    return WICK_OK;
}

static wick_status bind_input(wick_vm *vm, wick_vx *d, uint32_t value, const wick_pte_instr *instr, wick_error *err) {
    wick_vt *t = NULL, *v = &d->values[value];
    WICK_TRY(argument(vm, d, value, instr, &t, err));
    if (!t->data && wick_vt_count(t))
        return wick_fail(err, WICK_EFORMAT, "delegate argument %u has no storage", d->x->values[value].external_id);
    v->rank = t->rank ? t->rank : 1; /* XNNPACK has no scalars */
    v->dims[0] = 1;
    memcpy(v->dims, t->dims, (size_t)t->rank * sizeof t->dims[0]);
    v->data = t->data, v->cap = t->cap;
    return WICK_OK;
}

/* Once the dims are known: resizes the program's tensor and writes straight into it. */
static wick_status bind_output(wick_vm *vm, wick_vx *d, uint32_t value, const wick_pte_instr *instr, wick_error *err) {
    wick_vt *t = NULL, *v = &d->values[value];
    WICK_TRY(argument(vm, d, value, instr, &t, err));
    if (t->read_only)
        return wick_fail(err, WICK_EFORMAT, "delegate argument %u is written, but is a constant or an input",
                         d->x->values[value].external_id);
    bool scalar = t->rank == 0 && v->rank == 1 && v->dims[0] == 1;
    WICK_TRY(wick_vt_resize(t, scalar ? 0 : v->rank, v->dims, err));
    if (!t->data && wick_vt_count(t))
        return wick_fail(err, WICK_EFORMAT, "delegate argument %u has no storage", d->x->values[value].external_id);
    v->data = t->data, v->cap = t->cap;
    return WICK_OK;
}

wick_status wick_vx_bind(wick_vm *vm, wick_vx *d, const wick_pte_instr *instr, wick_error *err) {
    for (uint32_t i = 0; i < d->x->n_value; i++)
        if (d->x->values[i].flags == 1) WICK_TRY(bind_input(vm, d, i, instr, err));
    return WICK_OK;
}

/* ---------------------------------------------------------------- a whole delegate */

static bool is_internal(const wick_xnn_value *v) { return !v->constant && !v->flags; }

/* Internal values side by side in the workspace. */
static wick_status place(wick_vm *vm, wick_vx *d, wick_error *err) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < d->x->n_value; i++)
        if (is_internal(&d->x->values[i]) && !wick_add_u64(total, wick_align_up(wick_vx_size(d, i), 64), &total))
            return wick_fail_nomem(err);
    if (total > vm->workspace_size) {
        wick_free_aligned(vm->workspace);
        vm->workspace_size = 0;
        vm->workspace = total < SIZE_MAX ? wick_alloc_aligned((size_t)total, 64) : NULL;
        if (!vm->workspace) return wick_fail_nomem(err);
        vm->workspace_size = (size_t)total;
    }
    total = 0;
    for (uint32_t i = 0; i < d->x->n_value; i++) {
        if (!is_internal(&d->x->values[i])) continue;
        d->values[i].cap = wick_vx_size(d, i);
        d->values[i].data = vm->workspace + total;
        total += wick_align_up(d->values[i].cap, 64);
    }
    return WICK_OK;
}

static wick_status in_node(const wick_vx *d, uint32_t i, wick_status status, wick_error *err) {
    if (status == WICK_OK) return WICK_OK;
    return wick_error_context(err, status, "node %u (%s)", i, wick_xnn_op_name(d->x->nodes[i].op));
}

wick_status wick_vx_run(wick_vm *vm, wick_vx *d, const wick_pte_instr *instr, wick_error *err) {
    const wick_xnn *x = d->x;
    WICK_TRY(wick_vx_bind(vm, d, instr, err));
    for (uint32_t i = 0; i < x->n_node; i++) WICK_TRY(in_node(d, i, wick_vx_infer(d, &x->nodes[i], err), err));
    for (uint32_t i = 0; i < x->n_value; i++)
        if (x->values[i].flags == 2) WICK_TRY(bind_output(vm, d, i, instr, err));
    WICK_TRY(place(vm, d, err));
    for (uint32_t i = 0; i < x->n_node; i++) WICK_TRY(in_node(d, i, wick_vx_node(vm, d, &x->nodes[i], err), err));
    return WICK_OK;
}

/* ---------------------------------------------------------------- one node */

wick_status wick_vx_own(wick_vx *d, uint32_t value, wick_error *err) {
    if (!d->own) {
        d->own_size = WICK_NEW_ARRAY(size_t, d->x->n_value);
        d->own = d->own_size ? WICK_NEW_ARRAY(void *, d->x->n_value) : NULL;
        if (!d->own) {
            wick_free(d->own_size);
            d->own_size = NULL;
            return wick_fail_nomem(err);
        }
    }
    uint64_t size = wick_vx_size(d, value);
    if (!d->own[value] || size > d->own_size[value]) {
        wick_free_aligned(d->own[value]);
        d->own_size[value] = 0;
        d->own[value] = size < SIZE_MAX / 2 ? wick_alloc_aligned((size_t)size + 64, 64) : NULL;
        if (!d->own[value]) return wick_fail_nomem(err);
        d->own_size[value] = (size_t)size + 64;
    }
    d->values[value].data = d->own[value], d->values[value].cap = d->own_size[value];
    return WICK_OK;
}

wick_status wick_vx_step(wick_vm *vm, wick_vx *d, const wick_pte_instr *instr, uint32_t i_node, wick_error *err) {
    const wick_xnn_node *n = &d->x->nodes[i_node];
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] == WICK_XNN_NONE) continue;
        const wick_xnn_value *v = &d->x->values[n->in[k]];
        wick_vt *t = &d->values[n->in[k]];
        if (v->flags == 1)
            WICK_TRY(bind_input(vm, d, n->in[k], instr, err));
        else if (v->flags == 2)
            WICK_TRY(bind_output(vm, d, n->in[k], instr, err));
        else if (!v->constant && (!d->own || !d->own[n->in[k]]))
            return wick_fail(err, WICK_EINVAL, "value %u has no content yet", n->in[k]);
        else if (!v->constant)
            t->data = d->own[n->in[k]], t->cap = d->own_size[n->in[k]];
    }
    WICK_TRY(in_node(d, i_node, wick_vx_infer(d, n, err), err));
    if (d->x->values[n->out].flags == 2)
        WICK_TRY(bind_output(vm, d, n->out, instr, err));
    else
        WICK_TRY(wick_vx_own(d, n->out, err));
    return in_node(d, i_node, wick_vx_node(vm, d, n, err), err);
}
