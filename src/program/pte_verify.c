/* What holds for the structs of every program, read or about to be written. */
#include "base/checked.h"
#include "program/pte.h"

typedef struct verify {
    const wick_pte *p;
    const wick_pte_method *m;
    const char *name;
    wick_error *err;
} verify;

/* ---------------------------------------------------------------- tensors */

static bool in_segment(const wick_pte *p, const wick_pte_offsets *o, uint32_t idx, uint64_t size) {
    return idx < o->n && o->segment < p->n_segment && wick_in_range(o->offsets[idx], size, p->segments[o->segment].size);
}

static bool is_permutation(const wick_pte_tensor *t) {
    unsigned seen = 0;
    for (int i = 0; i < t->rank; i++)
        if (t->dim_order[i] < t->rank) seen |= 1u << t->dim_order[i];
    return seen == (1u << t->rank) - 1;
}

static wick_status verify_tensor(const verify *c, uint32_t i, const wick_pte_tensor *t) {
    uint64_t n, size;
    const wick_pte *p = c->p;
    const wick_pte_method *m = c->m;
    if (!t || t->rank < 0 || t->rank > WICK_MAX_RANK || !wick_scalar_size(t->scalar_type) || !is_permutation(t))
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u: the type, rank or dim_order of the tensor is malformed",
                         c->name, m->name, i);
    if (!wick_pte_tensor_size(t, &n, &size))
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u: a size is negative, or all together overflow", c->name,
                         m->name, i);
    if (t->external && (!t->name || !t->name[0]))
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u has its data in another file, but no name to find it by",
                         c->name, m->name, i);
    if (t->memory_id) {
        bool known = t->memory_id < m->n_arena;
        if (!known || !wick_in_range(t->memory_offset, size, (uint64_t)m->arena_sizes[t->memory_id]))
            return wick_fail(c->err, WICK_EFORMAT,
                             "%s: method \"%s\": value %u: %llu bytes at %llu of arena %u lie outside it (%u arenas, %lld bytes)", c->name,
                             m->name, i, (unsigned long long)size, (unsigned long long)t->memory_offset, t->memory_id, m->n_arena,
                             known ? (long long)m->arena_sizes[t->memory_id] : 0);
        if (!t->data_buffer_idx || t->external ||
            (t->mutable_segment < p->n_mutable && in_segment(p, &p->mutables[t->mutable_segment], t->data_buffer_idx, size)))
            return WICK_OK;
        return wick_fail(c->err, WICK_EFORMAT,
                         "%s: method \"%s\": value %u: its %llu initial bytes (entry %u of mutable data %u) are not in the file", c->name,
                         m->name, i, (unsigned long long)size, t->data_buffer_idx, t->mutable_segment);
    }
    if (!t->data_buffer_idx || t->external) return WICK_OK;
    bool there = p->has_constant_segment
                     ? in_segment(p, &p->constants, t->data_buffer_idx, size)
                     : t->data_buffer_idx < p->n_constant_buffer && size <= p->constant_buffers[t->data_buffer_idx].size;
    if (there) return WICK_OK;
    return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u: its %llu bytes (constant %u) are not in the file", c->name,
                     m->name, i, (unsigned long long)size, t->data_buffer_idx);
}

/* ---------------------------------------------------------------- values and instructions */

/* Lists name other values: integers or tensors. */
static wick_status verify_list(const verify *c, uint32_t i_value, const wick_pte_value *v) {
    bool integers = v->kind == WICK_EV_INT_LIST, optional = v->kind == WICK_EV_OPTIONAL_TENSOR_LIST;
    for (uint32_t i = 0; i < v->n; i++) {
        int64_t item = v->items[i];
        if (optional && item == -1) continue;
        if (item < 0 || item >= c->m->n_value)
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u: list item %u is value %lld, the method has %u values",
                             c->name, c->m->name, i_value, i, (long long)item, c->m->n_value);
        if (c->m->values[item].kind != (integers ? WICK_EV_INT : WICK_EV_TENSOR))
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u: list item %u is not %s", c->name, c->m->name, i_value, i,
                             integers ? "an integer" : "a tensor");
    }
    return WICK_OK;
}

static wick_status verify_indices(const verify *c, const int32_t *items, uint32_t n, const char *what, uint32_t number) {
    for (uint32_t i = 0; i < n; i++)
        if ((uint32_t)items[i] >= c->m->n_value) /* negative ones too */
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": %s %u: item %u is value %d, the method has %u values", c->name,
                             c->m->name, what, number, i, items[i], c->m->n_value);
    return WICK_OK;
}

static wick_status verify_index(const verify *c, uint32_t i_instr, const char *what, int32_t index, uint32_t n) {
    if ((uint32_t)index < n) return WICK_OK; /* no negative one is */
    return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u names %s %d, there are %u", c->name, c->m->name, i_instr,
                     what, index, n);
}

static wick_status verify_instr(const verify *c, uint32_t i) {
    const wick_pte_method *m = c->m;
    const wick_pte_instr *in = &m->instrs[i];
    switch (in->kind) {
    case WICK_IK_KERNEL:
        WICK_TRY(verify_index(c, i, "operator", in->index, m->n_operator));
        return verify_indices(c, in->args, in->n_arg, "instruction", i);
    case WICK_IK_DELEGATE:
        WICK_TRY(verify_index(c, i, "delegate", in->index, m->n_delegate));
        return verify_indices(c, in->args, in->n_arg, "instruction", i);
    case WICK_IK_MOVE:
        WICK_TRY(verify_index(c, i, "value", in->index, m->n_value));
        return verify_index(c, i, "value", in->target, m->n_value);
    case WICK_IK_JUMP_FALSE:
        WICK_TRY(verify_index(c, i, "value", in->index, m->n_value));
        return verify_index(c, i, "as its destination instruction", in->target, m->n_instr + 1);
    case WICK_IK_FREE: return verify_index(c, i, "value", in->index, m->n_value);
    }
    return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u is of unknown kind %d", c->name, m->name, i, (int)in->kind);
}

static wick_status verify_method(const verify *c) {
    const wick_pte_method *m = c->m;
    size_t length = strlen(m->name);
    if (!length || length > WICK_MAX_KEY) return wick_fail(c->err, WICK_EFORMAT, "%s: a method has a name of %zu bytes", c->name, length);
    for (uint32_t i = 0; i < m->n_arena; i++)
        if (m->arena_sizes[i] < 0)
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": arena %u has %lld bytes", c->name, m->name, i,
                             (long long)m->arena_sizes[i]);
    for (uint32_t i = 0; i < m->n_value; i++) {
        const wick_pte_value *v = &m->values[i];
        if (v->kind < WICK_EV_NULL || v->kind > WICK_EV_OPTIONAL_TENSOR_LIST)
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": value %u is of unknown kind %d", c->name, m->name, i, (int)v->kind);
        if (v->kind == WICK_EV_TENSOR) WICK_TRY(verify_tensor(c, i, v->tensor));
        if (v->kind == WICK_EV_INT_LIST || v->kind == WICK_EV_TENSOR_LIST || v->kind == WICK_EV_OPTIONAL_TENSOR_LIST)
            WICK_TRY(verify_list(c, i, v));
    }
    WICK_TRY(verify_indices(c, m->inputs, m->n_input, "inputs", 0));
    WICK_TRY(verify_indices(c, m->outputs, m->n_output, "outputs", 0));
    for (uint32_t i = 0; i < m->n_delegate; i++) {
        const wick_pte_delegate *d = &m->delegates[i];
        uint32_t n = d->inline_data ? c->p->n_inline : c->p->n_segment;
        if (d->index >= n)
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": delegate %u has its data in %s %u, there are %u", c->name, m->name,
                             i, d->inline_data ? "inline blob" : "segment", d->index, n);
    }
    for (uint32_t i = 0; i < m->n_instr; i++) WICK_TRY(verify_instr(c, i));
    return WICK_OK;
}

/* ---------------------------------------------------------------- the program */

wick_status wick_pte_verify(const wick_pte *p, const char *name, wick_error *err) {
    if (!p->n_method || p->n_method > WICK_MAX_METHODS)
        return wick_fail(err, WICK_EFORMAT, "%s: the program has %u methods, expected 1 to %d", name, p->n_method, WICK_MAX_METHODS);
    for (uint32_t i = 0; i < p->n_named; i++) {
        size_t length = strlen(p->named[i].key);
        if (!length || length > WICK_MAX_KEY || p->named[i].segment >= p->n_segment)
            return wick_fail(err, WICK_EFORMAT, "%s: named data \"%.100s\" is segment %u, the file has %u segments", name, p->named[i].key,
                             p->named[i].segment, p->n_segment);
    }
    for (uint32_t i = 0; i < p->n_method; i++) {
        verify c = {p, &p->methods[i], name, err};
        WICK_TRY(verify_method(&c));
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(p->methods[k].name, c.m->name) == 0)
                return wick_fail(err, WICK_EFORMAT, "%s: two methods are called \"%.100s\"", name, c.m->name);
    }
    return WICK_OK;
}
