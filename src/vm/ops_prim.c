/* Integers and views: what computes shapes and positions. */
#include "vm/ops.h"

#include <math.h>

static void give_int(wick_slot *s, int64_t v) { s->kind = WICK_EV_INT, s->i = v; }
static void give_bool(wick_slot *s, bool v) { s->kind = WICK_EV_BOOL, s->i = v; }
static void give_real(wick_slot *s, double v) { s->kind = WICK_EV_DOUBLE, s->d = v; }

wick_status wick_vm_sym_size(wick_call *c) {
    const wick_vt *t = wick_call_tensor(c, 0);
    int axis;
    WICK_TRY(wick_vt_axis(t, wick_call_int(c, 1), &axis, c->err));
    if (!t->rank) return wick_fail(c->err, WICK_EFORMAT, "the size of a dimension of a scalar");
    give_int(wick_call_slot(c, 2), t->dims[axis]);
    return WICK_OK;
}

wick_status wick_vm_sym_numel(wick_call *c) {
    give_int(wick_call_slot(c, 1), (int64_t)wick_vt_count(wick_call_tensor(c, 0)));
    return WICK_OK;
}

wick_status wick_vm_local_scalar(wick_call *c) {
    const wick_vt *t = wick_call_tensor(c, 0);
    wick_slot *out = wick_call_slot(c, 1);
    if (wick_vt_count(t) != 1)
        return wick_fail(c->err, WICK_EFORMAT, "the only element of a tensor of shape %s", wick_vt_shape(t->rank, t->dims).s);
    if (wick_vt_is_real(t->type))
        give_real(out, wick_vt_real(t, 0));
    else if (t->type == WICK_ST_BOOL)
        give_bool(out, wick_vt_int(t, 0));
    else
        give_int(out, wick_vt_int(t, 0));
    return WICK_OK;
}

static bool compares(wick_binary op) { return op >= WICK_BIN_EQ && op <= WICK_BIN_GE; }

wick_status wick_vm_prim_binary(wick_call *c) {
    const wick_slot *a = wick_call_slot(c, 0), *b = wick_call_slot(c, 1);
    wick_slot *out = wick_call_slot(c, 2);
    wick_binary op = (wick_binary)c->variant;
    bool real = a->kind == WICK_EV_DOUBLE || b->kind == WICK_EV_DOUBLE || op == WICK_BIN_DIV; /* truediv */
    if ((op == WICK_BIN_FLOOR_DIV || op == WICK_BIN_REMAINDER || op == WICK_BIN_DIV) && wick_slot_real(b) == 0)
        return wick_fail(c->err, WICK_EFORMAT, "division by zero");
    if (real) {
        double v = wick_binary_real(op, wick_slot_real(a), wick_slot_real(b));
        if (compares(op))
            give_bool(out, v != 0);
        else
            give_real(out, v);
    } else {
        int64_t v = wick_binary_int(op, a->i, b->i);
        if (compares(op))
            give_bool(out, v != 0);
        else
            give_int(out, v);
    }
    return WICK_OK;
}

wick_status wick_vm_prim_unary(wick_call *c) {
    const wick_slot *a = wick_call_slot(c, 0);
    wick_slot *out = wick_call_slot(c, 1);
    switch (c->variant) {
    case WICK_PRIM_NEG:
        if (a->kind == WICK_EV_DOUBLE)
            give_real(out, -a->d);
        else
            give_int(out, (int64_t)(0 - (uint64_t)a->i));
        break;
    case WICK_PRIM_FLOAT: give_real(out, wick_slot_real(a)); break;
    case WICK_PRIM_INT:
    case WICK_PRIM_TRUNC: give_int(out, wick_slot_int(a)); break;
    case WICK_PRIM_NOT: give_bool(out, wick_slot_real(a) == 0); break;
    case WICK_PRIM_CEIL: give_int(out, wick_saturate(ceil(wick_slot_real(a)))); break;
    case WICK_PRIM_ROUND: give_int(out, wick_saturate(rint(wick_slot_real(a)))); break;
    }
    return WICK_OK;
}

wick_status wick_vm_prim_ite(wick_call *c) {
    const wick_slot *from = wick_call_slot(c, wick_call_bool(c, 0) ? 1 : 2);
    wick_slot *out = wick_call_slot(c, 3);
    if (from->kind == WICK_EV_DOUBLE)
        give_real(out, from->d);
    else
        give_int(out, from->i);
    return WICK_OK;
}

/* out becomes a view of self: same bytes, other shape. One size may be -1. */
wick_status wick_vm_et_view(wick_call *c) {
    const wick_vt *self = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    int64_t sizes[WICK_MAX_RANK];
    int32_t dims[WICK_MAX_RANK];
    int n;
    WICK_TRY(wick_call_ints(c, 1, WICK_MAX_RANK, sizes, &n));
    WICK_TRY(wick_vt_infer(self, sizes, n, -1, dims, c->err));
    if (out->type != self->type) return wick_fail(c->err, WICK_EFORMAT, "a view of another type");
    out->data = NULL; /* the new shape must suit the base's bytes, not the old ones */
    WICK_TRY(wick_vt_resize(out, n, dims, c->err));
    out->data = self->data, out->cap = self->cap, out->read_only = self->read_only;
    return WICK_OK;
}

/* Row `index` of `self` becomes `value`; self grows by one row when index is its length (the loops of map and scan). */
wick_status wick_vm_et_copy_index(wick_call *c) {
    wick_vt *self = wick_call_tensor(c, 0);
    const wick_vt *value = wick_call_tensor(c, 1);
    int64_t index = wick_call_int(c, 2);
    if (self->rank != value->rank + 1 || self->type != value->type || index < 0 || index >= INT32_MAX)
        return wick_vt_mismatch(c->err, "a row that is copied", value, self);
    int32_t dims[WICK_MAX_RANK];
    for (int i = 0; i < value->rank; i++) dims[i + 1] = value->dims[i];
    dims[0] = index >= self->dims[0] ? (int32_t)index + 1 : self->dims[0];
    WICK_TRY(wick_vt_resize(self, self->rank, dims, c->err));
    size_t size = (size_t)wick_vt_count(value) * wick_scalar_size(value->type);
    if (size) memmove(self->data + (size_t)index * size, value->data, size);
    return WICK_OK;
}
