/* One method of a `.pte`: its values, instructions, operators, delegates and arenas. */
#include "program/pte_reader.h"

/* ---------------------------------------------------------------- tensors */

static void read_shape(wick_pte_reader *r, wick_fb_table t, uint32_t i_value, wick_pte_tensor *out) {
    wick_fb *fb = &r->fb;
    wick_fb_vector sizes = wick_fb_vec(fb, t, 2, 4, UINT32_MAX), order = wick_fb_vec(fb, t, 3, 1, UINT32_MAX);
    if (!wick_fb_ok(fb)) return;
    if (sizes.n > WICK_MAX_RANK) {
        wick_pte_unsupported(r, "method \"%s\": value %u is a tensor of %u dimensions, Wick handles %d", r->method, i_value, sizes.n,
                             WICK_MAX_RANK);
        return;
    }
    if (order.n != sizes.n) {
        wick_fb_fail(fb, "method \"%s\": value %u: %u sizes, but a dim_order of %u", r->method, i_value, sizes.n, order.n);
        return;
    }
    out->rank = (int)sizes.n;
    for (uint32_t i = 0; i < sizes.n; i++) {
        out->dims[i] = (int32_t)wick_load_u32(fb->data + sizes.at + 4 * i);
        out->dim_order[i] = fb->data[order.at + i];
    }
}

static void read_placement(wick_pte_reader *r, wick_fb_table t, uint32_t i_value, wick_pte_tensor *out) {
    wick_fb *fb = &r->fb;
    wick_fb_table plan = wick_fb_subtable(fb, t, 6), extra = wick_fb_subtable(fb, t, 9);
    out->data_buffer_idx = wick_fb_u32(fb, t, 5, 0);
    if (plan.at) {
        out->memory_id = wick_fb_u32(fb, plan, 0, 0);
        out->memory_offset = wick_fb_u32(fb, plan, 1, 0) | (uint64_t)wick_fb_u32(fb, plan, 2, 0) << 32;
        if (out->memory_id == 0)
            wick_fb_fail(fb, "method \"%s\": value %u is planned in arena 0, which does not exist", r->method, i_value);
    }
    if (!extra.at) return;
    uint64_t mutable_segment = wick_fb_u64(fb, extra, 0, 0);
    if (mutable_segment >= UINT32_MAX)
        wick_fb_fail(fb, "method \"%s\": value %u: mutable data segment %llu", r->method, i_value, (unsigned long long)mutable_segment);
    out->mutable_segment = (uint32_t)mutable_segment;
    wick_bytes name = wick_fb_string(fb, extra, 1);
    if (name.data) out->name = wick_pte_reader_text(r, name, "the name of a tensor");
    int location = wick_fb_i8(fb, extra, 2, 0), device = wick_fb_i8(fb, extra, 3, 0);
    out->external = location == 1;
    if (location != 0 && location != 1) wick_fb_fail(fb, "method \"%s\": value %u: unknown data location %d", r->method, i_value, location);
    if (device != 0)
        wick_pte_unsupported(r, "method \"%s\": value %u lives on a device of type %d, Wick runs programs for the CPU", r->method, i_value,
                             device);
}

static wick_pte_tensor *read_tensor(wick_pte_reader *r, wick_fb_table t, uint32_t i_value) {
    wick_fb *fb = &r->fb;
    wick_pte_tensor *out = wick_pte_reader_array(r, 1, sizeof *out);
    if (!out) return NULL;
    out->scalar_type = wick_fb_i8(fb, t, 0, 0);
    out->requires_grad = wick_fb_u8(fb, t, 4, 0) != 0;
    int dynamism = wick_fb_i8(fb, t, 8, 0);
    out->dynamism = (wick_dynamism)dynamism;
    if (!wick_scalar_size(out->scalar_type))
        wick_pte_unsupported(r, "method \"%s\": value %u has element type %d (%s)", r->method, i_value, out->scalar_type,
                             wick_scalar_name(out->scalar_type));
    if (dynamism != WICK_STATIC && dynamism != WICK_DYNAMIC_BOUND)
        wick_pte_unsupported(r, "method \"%s\": value %u has a shape without upper bound", r->method, i_value);
    if (wick_fb_i32(fb, t, 1, 0) != 0) wick_pte_unsupported(r, "method \"%s\": value %u has a storage offset", r->method, i_value);
    if (wick_fb_i8(fb, t, 7, 0) != 0) wick_pte_unsupported(r, "method \"%s\": value %u is not a strided tensor", r->method, i_value);
    read_shape(r, t, i_value, out);
    read_placement(r, t, i_value, out);
    return out;
}

/* ---------------------------------------------------------------- values */

static void read_items(wick_pte_reader *r, wick_fb_table t, size_t item_size, wick_pte_value *v) {
    wick_fb_vector items = wick_fb_vec(&r->fb, t, 0, item_size, UINT32_MAX);
    v->items = wick_pte_reader_array(r, items.n, sizeof *v->items);
    if (!v->items) return;
    v->n = items.n;
    const uint8_t *at = r->fb.data + items.at;
    for (uint32_t i = 0; i < items.n; i++)
        v->items[i] = item_size == 8   ? (int64_t)wick_load_u64(at + 8 * (size_t)i)
                      : item_size == 4 ? (int32_t)wick_load_u32(at + 4 * (size_t)i)
                                       : at[i] != 0;
}

static void read_doubles(wick_pte_reader *r, wick_fb_table t, wick_pte_value *v) {
    wick_fb_vector items = wick_fb_vec(&r->fb, t, 0, 8, UINT32_MAX);
    v->doubles = wick_pte_reader_array(r, items.n, sizeof *v->doubles);
    if (!v->doubles) return;
    v->n = items.n;
    for (uint32_t i = 0; i < items.n; i++) v->doubles[i] = wick_load_f64(r->fb.data + items.at + 8 * (size_t)i);
}

static void read_value(wick_pte_reader *r, wick_fb_table ev, uint32_t i_value, wick_pte_value *v) {
    wick_fb *fb = &r->fb;
    unsigned kind = wick_fb_u8(fb, ev, 0, 0);
    wick_fb_table t = wick_fb_subtable(fb, ev, 1);
    if (!wick_fb_ok(fb)) return;
    if (!t.at && kind > WICK_EV_NULL) {
        wick_fb_fail(fb, "method \"%s\": value %u of kind %u has no content", r->method, i_value, kind);
        return;
    }
    v->kind = (wick_evalue_kind)kind;
    switch (v->kind) {
    case WICK_EV_NONE: /* no program has it: wick_pte_verify */
    case WICK_EV_NULL: break;
    case WICK_EV_INT: v->i = wick_fb_i64(fb, t, 0, 0); break;
    case WICK_EV_BOOL: v->i = wick_fb_u8(fb, t, 0, 0) != 0; break;
    case WICK_EV_DOUBLE: v->d = wick_fb_f64(fb, t, 0, 0); break;
    case WICK_EV_TENSOR: v->tensor = read_tensor(r, t, i_value); break;
    case WICK_EV_STRING: v->s = wick_pte_reader_text(r, wick_fb_string(fb, t, 0), "a string"); break;
    case WICK_EV_INT_LIST: read_items(r, t, 8, v); break;
    case WICK_EV_DOUBLE_LIST: read_doubles(r, t, v); break;
    case WICK_EV_BOOL_LIST: read_items(r, t, 1, v); break;
    case WICK_EV_TENSOR_LIST:
    case WICK_EV_OPTIONAL_TENSOR_LIST: read_items(r, t, 4, v); break;
    }
}

/* An optional tensor may also be written as a Null value: it becomes -1, as in lists that leave it out. */
static void drop_nulls(const wick_pte_method *m, wick_pte_value *v) {
    if (v->kind != WICK_EV_OPTIONAL_TENSOR_LIST) return;
    for (uint32_t i = 0; i < v->n; i++)
        if (v->items[i] >= 0 && v->items[i] < m->n_value && m->values[v->items[i]].kind == WICK_EV_NULL) v->items[i] = -1;
}

static void read_values(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb_vector v = wick_fb_vec(&r->fb, plan, 2, 4, WICK_MAX_VALUES);
    m->values = wick_pte_reader_array(r, v.n, sizeof *m->values);
    if (!m->values) return;
    m->n_value = v.n;
    for (uint32_t i = 0; i < v.n && wick_fb_ok(&r->fb); i++) read_value(r, wick_fb_vec_table(&r->fb, v, i), i, &m->values[i]);
    for (uint32_t i = 0; i < v.n && wick_fb_ok(&r->fb); i++) drop_nulls(m, &m->values[i]);
}

/* ---------------------------------------------------------------- instructions */

/* first: number of the chain's first instruction in the method's list. */
static void read_instr(wick_pte_reader *r, wick_fb_table t, uint32_t i_instr, uint32_t first, uint32_t n_instr, wick_pte_instr *in) {
    wick_fb *fb = &r->fb;
    unsigned kind = wick_fb_u8(fb, t, 0, 0);
    wick_fb_table a = wick_fb_subtable(fb, t, 1);
    if (!a.at) wick_fb_fail(fb, "method \"%s\": instruction %u of kind %u has no content", r->method, i_instr, kind);
    if (!wick_fb_ok(fb)) return;
    in->kind = (wick_instr_kind)kind;
    in->index = wick_fb_i32(fb, a, 0, 0);
    switch (in->kind) {
    case WICK_IK_KERNEL:
    case WICK_IK_DELEGATE: in->args = wick_pte_reader_indices(r, a, 1, &in->n_arg); break;
    case WICK_IK_MOVE: in->target = wick_fb_i32(fb, a, 1, 0); break;
    case WICK_IK_JUMP_FALSE:
        in->target = wick_fb_i32(fb, a, 1, 0);
        /* Within its chain, or just behind it: its end. */
        in->target = in->target < 0 || (uint32_t)in->target > n_instr ? -1 : in->target + (int32_t)first;
        break;
    case WICK_IK_FREE: break;
    }
}

/* The chains of a method run one after the other: they become one list, with the jumps of each moved along. */
static void read_chains(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb *fb = &r->fb;
    wick_fb_vector chains = wick_fb_vec(fb, plan, 5, 4, WICK_MAX_METHODS);
    uint32_t total = 0, at = 0;
    for (uint32_t i = 0; i < chains.n && wick_fb_ok(fb); i++) {
        total += wick_fb_vec(fb, wick_fb_vec_table(fb, chains, i), 2, 4, WICK_MAX_INSTRUCTIONS).n;
        if (total > WICK_MAX_INSTRUCTIONS)
            wick_fb_fail(fb, "method \"%s\" has more than %d instructions", r->method, WICK_MAX_INSTRUCTIONS);
    }
    m->instrs = wick_pte_reader_array(r, total, sizeof *m->instrs);
    if (!m->instrs) return;
    m->n_instr = total;
    for (uint32_t i = 0; i < chains.n && wick_fb_ok(fb); i++) {
        wick_fb_vector v = wick_fb_vec(fb, wick_fb_vec_table(fb, chains, i), 2, 4, WICK_MAX_INSTRUCTIONS);
        for (uint32_t k = 0; k < v.n && wick_fb_ok(fb); k++)
            read_instr(r, wick_fb_vec_table(fb, v, k), at + k, at, v.n, &m->instrs[at + k]);
        at += v.n;
    }
}

/* ---------------------------------------------------------------- operators and delegates */

static void read_operators(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb *fb = &r->fb;
    wick_fb_vector v = wick_fb_vec(fb, plan, 6, 4, WICK_MAX_VALUES);
    m->operators = wick_pte_reader_array(r, v.n, sizeof *m->operators);
    for (uint32_t i = 0; m->operators && i < v.n && wick_fb_ok(fb); i++) {
        wick_fb_table t = wick_fb_vec_table(fb, v, i);
        m->operators[i].name = wick_pte_reader_text(r, wick_fb_string(fb, t, 0), "the name of an operator");
        m->operators[i].overload = wick_pte_reader_text(r, wick_fb_string(fb, t, 1), "the overload of an operator");
    }
    m->n_operator = v.n;
}

static void read_delegate(wick_pte_reader *r, wick_fb_table t, uint32_t i_delegate, wick_pte_delegate *d) {
    wick_fb *fb = &r->fb;
    d->id = wick_pte_reader_text(r, wick_fb_string(fb, t, 0), "the id of a delegate");
    wick_fb_table data = wick_fb_subtable(fb, t, 1);
    int location = wick_fb_i8(fb, data, 0, 0);
    d->inline_data = location == 0;
    d->index = wick_fb_u32(fb, data, 1, 0);
    if (!wick_fb_ok(fb)) return;
    if (!data.at || location < 0 || location > 1) {
        wick_fb_fail(fb, "method \"%s\": delegate %u has no data", r->method, i_delegate);
        return;
    }
    wick_fb_vector specs = wick_fb_vec(fb, t, 2, 4, WICK_MAX_VALUES);
    d->specs = wick_pte_reader_array(r, specs.n, sizeof *d->specs);
    for (uint32_t i = 0; d->specs && i < specs.n && wick_fb_ok(fb); i++) {
        wick_fb_table s = wick_fb_vec_table(fb, specs, i);
        wick_fb_vector value = wick_fb_vec(fb, s, 1, 1, UINT32_MAX);
        d->specs[i].key = wick_pte_reader_text(r, wick_fb_string(fb, s, 0), "the key of a compile spec");
        d->specs[i].value = (wick_bytes){fb->data + value.at, value.n};
    }
    d->n_spec = specs.n;
}

static void read_delegates(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb_vector v = wick_fb_vec(&r->fb, plan, 7, 4, WICK_MAX_VALUES);
    m->delegates = wick_pte_reader_array(r, v.n, sizeof *m->delegates);
    for (uint32_t i = 0; m->delegates && i < v.n && wick_fb_ok(&r->fb); i++)
        read_delegate(r, wick_fb_vec_table(&r->fb, v, i), i, &m->delegates[i]);
    m->n_delegate = v.n;
}

/* ---------------------------------------------------------------- the method */

static void read_arenas(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb *fb = &r->fb;
    wick_fb_vector v = wick_fb_vec(fb, plan, 8, 8, WICK_MAX_SEGMENTS), devices = wick_fb_vec(fb, plan, 9, 4, WICK_MAX_SEGMENTS);
    m->arena_sizes = wick_pte_reader_array(r, v.n, sizeof *m->arena_sizes);
    if (!m->arena_sizes) return;
    m->n_arena = v.n;
    for (uint32_t i = 0; i < v.n; i++) m->arena_sizes[i] = (int64_t)wick_load_u64(fb->data + v.at + 8 * (size_t)i);
    for (uint32_t i = 0; i < devices.n && wick_fb_ok(fb); i++) {
        int device = wick_fb_i8(fb, wick_fb_vec_table(fb, devices, i), 1, 0);
        if (device)
            wick_pte_unsupported(r, "method \"%s\" plans memory on a device of type %d, Wick runs programs for the CPU", r->method, device);
    }
}

void wick_pte_read_method(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb *fb = &r->fb;
    m->name = wick_pte_reader_text(r, wick_fb_string(fb, plan, 0), "the name of a method");
    r->method = m->name ? m->name : "";
    wick_fb_table meta = wick_fb_subtable(fb, plan, 1);
    m->container_in = wick_pte_reader_text(r, wick_fb_string(fb, meta, 0), "container metadata");
    m->container_out = wick_pte_reader_text(r, wick_fb_string(fb, meta, 1), "container metadata");
    read_arenas(r, plan, m);
    read_values(r, plan, m);
    m->inputs = wick_pte_reader_indices(r, plan, 3, &m->n_input);
    m->outputs = wick_pte_reader_indices(r, plan, 4, &m->n_output);
    read_operators(r, plan, m);
    read_delegates(r, plan, m);
    read_chains(r, plan, m);
}
