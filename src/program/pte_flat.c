#include "program/pte_flat.h"

#include "base/mem.h"

typedef struct writer {
    wick_fbb *b;
    const wick_pte *p;
    wick_fbb_ref *refs; /* room for the longest vector of tables */
    int32_t *numbers;   /* room for the longest list of a value */
} writer;

static wick_fbb_ref text(writer *w, const char *s) { return wick_fbb_string(w->b, s, strlen(s)); }

/* ---------------------------------------------------------------- values */

static wick_fbb_ref allocation(writer *w, const wick_pte_tensor *t) {
    if (!t->memory_id) return 0;
    wick_fbb_table_begin(w->b);
    wick_fbb_add_u32(w->b, 0, t->memory_id, 0);
    wick_fbb_add_u32(w->b, 1, (uint32_t)t->memory_offset, 0);
    wick_fbb_add_u32(w->b, 2, (uint32_t)(t->memory_offset >> 32), 0);
    return wick_fbb_table_end(w->b);
}

static wick_fbb_ref extra_info(writer *w, const wick_pte_tensor *t) {
    if (!t->external && !t->name && !t->mutable_segment) return 0;
    wick_fbb_ref name = t->name ? text(w, t->name) : 0;
    wick_fbb_table_begin(w->b);
    wick_fbb_add_u64(w->b, 0, t->mutable_segment, 0);
    wick_fbb_add_ref(w->b, 1, name);
    wick_fbb_add_u8(w->b, 2, t->external, 0);
    return wick_fbb_table_end(w->b);
}

static wick_fbb_ref tensor(writer *w, const wick_pte_tensor *t) {
    wick_fbb *b = w->b;
    wick_fbb_ref sizes = wick_fbb_vector(b, t->dims, 4, (size_t)t->rank, 4);
    wick_fbb_ref order = wick_fbb_vector(b, t->dim_order, 1, (size_t)t->rank, 1);
    wick_fbb_ref plan = allocation(w, t), extra = extra_info(w, t);
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)t->scalar_type, 0);
    wick_fbb_add_ref(b, 2, sizes);
    wick_fbb_add_ref(b, 3, order);
    wick_fbb_add_u8(b, 4, t->requires_grad, 0);
    wick_fbb_add_u32(b, 5, t->data_buffer_idx, 0);
    wick_fbb_add_ref(b, 6, plan);
    wick_fbb_add_u8(b, 8, (uint8_t)t->dynamism, 0);
    wick_fbb_add_ref(b, 9, extra);
    return wick_fbb_table_end(b);
}

/* The vector of a list value; its items are 64-bit, 32-bit or 8-bit numbers in the file. */
static wick_fbb_ref items(writer *w, const wick_pte_value *v) {
    uint8_t *bytes = (uint8_t *)w->numbers;
    switch (v->kind) {
    case WICK_EV_INT_LIST: return wick_fbb_vector(w->b, v->items, 8, v->n, 8);
    case WICK_EV_DOUBLE_LIST: return wick_fbb_vector(w->b, v->doubles, 8, v->n, 8);
    case WICK_EV_BOOL_LIST:
        for (uint32_t i = 0; i < v->n; i++) bytes[i] = v->items[i] != 0;
        return wick_fbb_vector(w->b, bytes, 1, v->n, 1);
    default:
        for (uint32_t i = 0; i < v->n; i++) w->numbers[i] = (int32_t)v->items[i];
        return wick_fbb_vector(w->b, w->numbers, 4, v->n, 4);
    }
}

static wick_fbb_ref content(writer *w, const wick_pte_value *v) {
    wick_fbb *b = w->b;
    if (v->kind == WICK_EV_TENSOR) return tensor(w, v->tensor);
    wick_fbb_ref ref = v->kind == WICK_EV_STRING ? text(w, v->s) : v->kind >= WICK_EV_INT_LIST ? items(w, v) : 0;
    wick_fbb_table_begin(b);
    if (ref) wick_fbb_add_ref(b, 0, ref);
    if (v->kind == WICK_EV_INT) wick_fbb_add_u64(b, 0, (uint64_t)v->i, 0);
    if (v->kind == WICK_EV_BOOL) wick_fbb_add_u8(b, 0, v->i != 0, 0);
    if (v->kind == WICK_EV_DOUBLE) wick_fbb_add_f64(b, 0, v->d, 0);
    return wick_fbb_table_end(b);
}

static wick_fbb_ref values(writer *w, const wick_pte_method *m) {
    for (uint32_t i = 0; i < m->n_value; i++) {
        wick_fbb_ref ref = content(w, &m->values[i]);
        wick_fbb_table_begin(w->b);
        wick_fbb_add_u8(w->b, 0, (uint8_t)m->values[i].kind, 0);
        wick_fbb_add_ref(w->b, 1, ref);
        w->refs[i] = wick_fbb_table_end(w->b);
    }
    return wick_fbb_vector_refs(w->b, w->refs, m->n_value);
}

/* ---------------------------------------------------------------- instructions */

static wick_fbb_ref instr(writer *w, const wick_pte_instr *in) {
    wick_fbb *b = w->b;
    bool call = in->kind == WICK_IK_KERNEL || in->kind == WICK_IK_DELEGATE;
    wick_fbb_ref args = call ? wick_fbb_vector(b, in->args, 4, in->n_arg, 4) : 0;
    wick_fbb_table_begin(b);
    wick_fbb_add_u32(b, 0, (uint32_t)in->index, 0);
    if (call)
        wick_fbb_add_ref(b, 1, args);
    else if (in->kind != WICK_IK_FREE)
        wick_fbb_add_u32(b, 1, (uint32_t)in->target, 0);
    wick_fbb_ref body = wick_fbb_table_end(b);
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)in->kind, 0);
    wick_fbb_add_ref(b, 1, body);
    return wick_fbb_table_end(b);
}

static wick_fbb_ref chains(writer *w, const wick_pte_method *m) {
    wick_fbb *b = w->b;
    for (uint32_t i = 0; i < m->n_instr; i++) w->refs[i] = instr(w, &m->instrs[i]);
    wick_fbb_ref list = wick_fbb_vector_refs(b, w->refs, m->n_instr), none = wick_fbb_vector(b, NULL, 4, 0, 4);
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, none);
    wick_fbb_add_ref(b, 1, none);
    wick_fbb_add_ref(b, 2, list);
    wick_fbb_ref chain = wick_fbb_table_end(b);
    return wick_fbb_vector_refs(b, &chain, 1);
}

static wick_fbb_ref operators(writer *w, const wick_pte_method *m) {
    for (uint32_t i = 0; i < m->n_operator; i++) {
        wick_fbb_ref name = text(w, m->operators[i].name), overload = text(w, m->operators[i].overload);
        wick_fbb_table_begin(w->b);
        wick_fbb_add_ref(w->b, 0, name);
        wick_fbb_add_ref(w->b, 1, overload);
        w->refs[i] = wick_fbb_table_end(w->b);
    }
    return wick_fbb_vector_refs(w->b, w->refs, m->n_operator);
}

static wick_fbb_ref specs(writer *w, const wick_pte_delegate *d) {
    wick_fbb *b = w->b;
    wick_fbb_ref *refs = WICK_NEW_ARRAY(wick_fbb_ref, d->n_spec); /* w->refs holds the delegates */
    if (!refs) b->failed = true;
    for (uint32_t i = 0; refs && i < d->n_spec; i++) {
        wick_fbb_ref key = text(w, d->specs[i].key), value = wick_fbb_vector(b, d->specs[i].value.data, 1, d->specs[i].value.size, 1);
        wick_fbb_table_begin(b);
        wick_fbb_add_ref(b, 0, key);
        wick_fbb_add_ref(b, 1, value);
        refs[i] = wick_fbb_table_end(b);
    }
    wick_fbb_ref list = wick_fbb_vector_refs(b, refs, refs ? d->n_spec : 0);
    wick_free(refs);
    return list;
}

static wick_fbb_ref delegates(writer *w, const wick_pte_method *m) {
    wick_fbb *b = w->b;
    for (uint32_t i = 0; i < m->n_delegate; i++) {
        const wick_pte_delegate *d = &m->delegates[i];
        wick_fbb_ref id = text(w, d->id), list = specs(w, d);
        wick_fbb_table_begin(b);
        wick_fbb_add_u8(b, 0, !d->inline_data, 0);
        wick_fbb_add_u32(b, 1, d->index, 0);
        wick_fbb_ref data = wick_fbb_table_end(b);
        wick_fbb_table_begin(b);
        wick_fbb_add_ref(b, 0, id);
        wick_fbb_add_ref(b, 1, data);
        wick_fbb_add_ref(b, 2, list);
        w->refs[i] = wick_fbb_table_end(b);
    }
    return wick_fbb_vector_refs(b, w->refs, m->n_delegate);
}

static wick_fbb_ref method(writer *w, const wick_pte_method *m) {
    wick_fbb *b = w->b;
    wick_fbb_ref name = text(w, m->name), in = text(w, m->container_in ? m->container_in : ""),
                 out = text(w, m->container_out ? m->container_out : "");
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, in);
    wick_fbb_add_ref(b, 1, out);
    wick_fbb_ref meta = wick_fbb_table_end(b), value_list = values(w, m);
    wick_fbb_ref inputs = wick_fbb_vector(b, m->inputs, 4, m->n_input, 4), outputs = wick_fbb_vector(b, m->outputs, 4, m->n_output, 4);
    wick_fbb_ref chain_list = chains(w, m), operator_list = operators(w, m), delegate_list = delegates(w, m);
    wick_fbb_ref arenas = wick_fbb_vector(b, m->arena_sizes, 8, m->n_arena, 8);
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, name);
    wick_fbb_add_ref(b, 1, meta);
    wick_fbb_add_ref(b, 2, value_list);
    wick_fbb_add_ref(b, 3, inputs);
    wick_fbb_add_ref(b, 4, outputs);
    wick_fbb_add_ref(b, 5, chain_list);
    wick_fbb_add_ref(b, 6, operator_list);
    wick_fbb_add_ref(b, 7, delegate_list);
    wick_fbb_add_ref(b, 8, arenas);
    return wick_fbb_table_end(b);
}

/* ---------------------------------------------------------------- data */

static wick_fbb_ref segments(writer *w, const uint64_t *offsets) {
    for (uint32_t i = 0; i < w->p->n_segment; i++) {
        wick_fbb_table_begin(w->b);
        wick_fbb_add_u64(w->b, 0, offsets[i], 0);
        wick_fbb_add_u64(w->b, 1, w->p->segments[i].size, 0);
        w->refs[i] = wick_fbb_table_end(w->b);
    }
    return wick_fbb_vector_refs(w->b, w->refs, w->p->n_segment);
}

static wick_fbb_ref subsegments(writer *w, const wick_pte_offsets *o) {
    wick_fbb_ref list = wick_fbb_vector(w->b, o->offsets, 8, o->n, 8);
    wick_fbb_table_begin(w->b);
    wick_fbb_add_u32(w->b, 0, o->segment, 0);
    wick_fbb_add_ref(w->b, 1, list);
    return wick_fbb_table_end(w->b);
}

static wick_fbb_ref blobs(writer *w, const wick_bytes *list, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        wick_fbb_ref bytes = wick_fbb_vector(w->b, list[i].data, 1, list[i].size, 16);
        wick_fbb_table_begin(w->b);
        wick_fbb_add_ref(w->b, 0, bytes);
        w->refs[i] = wick_fbb_table_end(w->b);
    }
    return wick_fbb_vector_refs(w->b, w->refs, n);
}

static wick_fbb_ref named(writer *w) {
    for (uint32_t i = 0; i < w->p->n_named; i++) {
        wick_fbb_ref key = text(w, w->p->named[i].key);
        wick_fbb_table_begin(w->b);
        wick_fbb_add_ref(w->b, 0, key);
        wick_fbb_add_u32(w->b, 1, w->p->named[i].segment, 0);
        w->refs[i] = wick_fbb_table_end(w->b);
    }
    return wick_fbb_vector_refs(w->b, w->refs, w->p->n_named);
}

static bool program(writer *w, const uint64_t *offsets) {
    wick_fbb *b = w->b;
    const wick_pte *p = w->p;
    wick_fbb_ref methods[WICK_MAX_METHODS];
    for (uint32_t i = 0; i < p->n_method; i++) methods[i] = method(w, &p->methods[i]);
    wick_fbb_ref plan = wick_fbb_vector_refs(b, methods, p->n_method);
    wick_fbb_ref constant_buffer = blobs(w, p->constant_buffers, p->n_constant_buffer),
                 inline_blobs = blobs(w, p->inline_blobs, p->n_inline);
    wick_fbb_ref segment_list = segments(w, offsets), constants = p->has_constant_segment ? subsegments(w, &p->constants) : 0;
    for (uint32_t i = 0; i < p->n_mutable; i++) w->refs[i] = subsegments(w, &p->mutables[i]);
    wick_fbb_ref mutables = p->n_mutable ? wick_fbb_vector_refs(b, w->refs, p->n_mutable) : 0, named_list = p->n_named ? named(w) : 0;
    wick_fbb_table_begin(b);
    wick_fbb_add_u32(b, 0, p->version, 0);
    wick_fbb_add_ref(b, 1, plan);
    wick_fbb_add_ref(b, 2, constant_buffer);
    wick_fbb_add_ref(b, 3, inline_blobs);
    wick_fbb_add_ref(b, 4, segment_list);
    wick_fbb_add_ref(b, 5, constants);
    wick_fbb_add_ref(b, 6, mutables);
    wick_fbb_add_ref(b, 7, named_list);
    return wick_fbb_finish(b, wick_fbb_table_end(b), "ET12", WICK_PTE_HEADER_SIZE);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

wick_status wick_pte_flat(const wick_pte *p, const uint64_t *offsets, wick_fbb *b, wick_error *err) {
    size_t room = larger(larger(p->n_segment, p->n_named), larger(larger(p->n_mutable, p->n_inline), p->n_constant_buffer)), list = 0;
    for (uint32_t i = 0; i < p->n_method; i++) {
        const wick_pte_method *m = &p->methods[i];
        room = larger(room, larger(larger(m->n_value, m->n_instr), larger(m->n_operator, m->n_delegate)));
        for (uint32_t k = 0; k < m->n_value; k++) list = larger(list, m->values[k].n);
    }
    writer w = {b, p, WICK_NEW_ARRAY(wick_fbb_ref, room), WICK_NEW_ARRAY(int32_t, list)};
    *b = (wick_fbb){0};
    bool ok = w.refs && w.numbers && program(&w, offsets);
    wick_free(w.refs);
    wick_free(w.numbers);
    return ok ? WICK_OK : wick_fail_nomem(err);
}
