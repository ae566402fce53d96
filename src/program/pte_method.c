/* One method of a `.pte`: its values, instructions, operators, delegates and arenas. */
#include "program/pte_reader.h"

#include "base/checked.h"

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
    unsigned seen = 0;
    out->rank = (int)sizes.n;
    for (uint32_t i = 0; i < sizes.n; i++) {
        out->dims[i] = (int32_t)wick_load_u32(fb->data + sizes.at + 4 * i);
        out->dim_order[i] = fb->data[order.at + i];
        if (out->dims[i] < 0) wick_fb_fail(fb, "method \"%s\": value %u: size %u is %d", r->method, i_value, i, out->dims[i]);
        if (out->dim_order[i] < sizes.n) seen |= 1u << out->dim_order[i];
    }
    if (seen != (1u << sizes.n) - 1) wick_fb_fail(fb, "method \"%s\": value %u: dim_order is not a permutation", r->method, i_value);
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
    if (out->external && !name.size)
        wick_fb_fail(fb, "method \"%s\": value %u has its data in another file, but no name to find it by", r->method, i_value);
    if (device != 0)
        wick_pte_unsupported(r, "method \"%s\": value %u lives on a device of type %d, Wick runs programs for the CPU", r->method, i_value,
                             device);
}

/* The bytes that a tensor claims are there: in its arena, in the constants, in its initial values. External data is bound by
 * wick_program_open. */
static void check_storage(wick_pte_reader *r, const wick_pte_method *m, uint32_t i_value, const wick_pte_tensor *t) {
    uint64_t n, size;
    wick_bytes bytes;
    wick_fb *fb = &r->fb;
    if (!wick_fb_ok(fb)) return;
    if (!wick_pte_tensor_size(t, &n, &size)) {
        wick_fb_fail(fb, "method \"%s\": value %u: its size overflows", r->method, i_value);
        return;
    }
    if (t->memory_id) {
        if (t->memory_id >= m->n_arena || !wick_in_range(t->memory_offset, size, (uint64_t)m->arena_sizes[t->memory_id]))
            wick_fb_fail(fb, "method \"%s\": value %u: %llu bytes at %llu of arena %u lie outside it (%u arenas, %lld bytes)", r->method,
                         i_value, (unsigned long long)size, (unsigned long long)t->memory_offset, t->memory_id, m->n_arena,
                         t->memory_id < m->n_arena ? (long long)m->arena_sizes[t->memory_id] : 0);
        else if (t->data_buffer_idx && !t->external && !wick_pte_initial(r->pte, t, &bytes))
            wick_fb_fail(fb, "method \"%s\": value %u: its %llu initial bytes (entry %u of mutable data %u) are not in the file", r->method,
                         i_value, (unsigned long long)size, t->data_buffer_idx, t->mutable_segment);
    } else if (t->data_buffer_idx && !t->external && !wick_pte_constant(r->pte, t, &bytes)) {
        wick_fb_fail(fb, "method \"%s\": value %u: its %llu bytes (constant %u) are not in the file", r->method, i_value,
                     (unsigned long long)size, t->data_buffer_idx);
    }
}

static wick_pte_tensor *read_tensor(wick_pte_reader *r, wick_fb_table t, const wick_pte_method *m, uint32_t i_value) {
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
    check_storage(r, m, i_value, out);
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

static void read_value(wick_pte_reader *r, wick_fb_table ev, const wick_pte_method *m, uint32_t i_value, wick_pte_value *v) {
    wick_fb *fb = &r->fb;
    unsigned kind = wick_fb_u8(fb, ev, 0, 0);
    wick_fb_table t = wick_fb_subtable(fb, ev, 1);
    if (!wick_fb_ok(fb)) return;
    if (kind > WICK_EV_OPTIONAL_TENSOR_LIST) {
        wick_pte_unsupported(r, "method \"%s\": value %u is of unknown kind %u", r->method, i_value, kind);
        return;
    }
    if (!t.at && kind > WICK_EV_NULL) {
        wick_fb_fail(fb, "method \"%s\": value %u of kind %u has no content", r->method, i_value, kind);
        return;
    }
    v->kind = (wick_evalue_kind)kind;
    switch (v->kind) {
    case WICK_EV_NONE:
    case WICK_EV_NULL: break;
    case WICK_EV_INT: v->i = wick_fb_i64(fb, t, 0, 0); break;
    case WICK_EV_BOOL: v->i = wick_fb_u8(fb, t, 0, 0) != 0; break;
    case WICK_EV_DOUBLE: v->d = wick_fb_f64(fb, t, 0, 0); break;
    case WICK_EV_TENSOR: v->tensor = read_tensor(r, t, m, i_value); break;
    case WICK_EV_STRING: v->s = wick_pte_reader_text(r, wick_fb_string(fb, t, 0), "a string"); break;
    case WICK_EV_INT_LIST: read_items(r, t, 8, v); break;
    case WICK_EV_DOUBLE_LIST: read_doubles(r, t, v); break;
    case WICK_EV_BOOL_LIST: read_items(r, t, 1, v); break;
    case WICK_EV_TENSOR_LIST:
    case WICK_EV_OPTIONAL_TENSOR_LIST: read_items(r, t, 4, v); break;
    }
}

/* Lists name other values: integers or tensors; an optional tensor that is a Null value becomes -1. */
static void check_list(wick_pte_reader *r, const wick_pte_method *m, uint32_t i_value) {
    wick_pte_value *v = &m->values[i_value];
    bool optional = v->kind == WICK_EV_OPTIONAL_TENSOR_LIST;
    if (v->kind != WICK_EV_INT_LIST && v->kind != WICK_EV_TENSOR_LIST && !optional) return;
    wick_evalue_kind want = v->kind == WICK_EV_INT_LIST ? WICK_EV_INT : WICK_EV_TENSOR;
    for (uint32_t i = 0; i < v->n; i++) {
        int64_t item = v->items[i];
        if (optional && item == -1) continue;
        if (item < 0 || item >= m->n_value) {
            wick_fb_fail(&r->fb, "method \"%s\": value %u: list item %u is value %lld, the method has %u values", r->method, i_value, i,
                         (long long)item, m->n_value);
            return;
        }
        wick_evalue_kind kind = m->values[item].kind;
        if (optional && kind <= WICK_EV_NULL)
            v->items[i] = -1;
        else if (kind != want) {
            wick_fb_fail(&r->fb, "method \"%s\": value %u: list item %u is not %s", r->method, i_value, i,
                         want == WICK_EV_INT ? "an integer" : "a tensor");
            return;
        }
    }
}

static void read_values(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb_vector v = wick_fb_vec(&r->fb, plan, 2, 4, WICK_MAX_VALUES);
    m->values = wick_pte_reader_array(r, v.n, sizeof *m->values);
    if (!m->values) return;
    m->n_value = v.n;
    for (uint32_t i = 0; i < v.n && wick_fb_ok(&r->fb); i++) read_value(r, wick_fb_vec_table(&r->fb, v, i), m, i, &m->values[i]);
    for (uint32_t i = 0; i < v.n && wick_fb_ok(&r->fb); i++) check_list(r, m, i);
}

/* ---------------------------------------------------------------- instructions */

static bool index_ok(wick_pte_reader *r, uint32_t i_instr, const char *what, int32_t index, uint32_t n) {
    if (index >= 0 && (uint32_t)index < n) return true;
    wick_fb_fail(&r->fb, "method \"%s\": instruction %u names %s %d, there are %u", r->method, i_instr, what, index, n);
    return false;
}

static void read_instr(wick_pte_reader *r, wick_fb_table t, const wick_pte_method *m, uint32_t i_instr, uint32_t first, uint32_t n_instr,
                       wick_pte_instr *in) {
    wick_fb *fb = &r->fb;
    unsigned kind = wick_fb_u8(fb, t, 0, 0);
    wick_fb_table a = wick_fb_subtable(fb, t, 1);
    if (wick_fb_ok(fb) && (kind < WICK_IK_KERNEL || kind > WICK_IK_FREE || !a.at))
        wick_fb_fail(fb, "method \"%s\": instruction %u is of unknown kind %u", r->method, i_instr, kind);
    if (!wick_fb_ok(fb)) return;
    in->kind = (wick_instr_kind)kind;
    in->index = wick_fb_i32(fb, a, 0, 0);
    switch (in->kind) {
    case WICK_IK_KERNEL:
    case WICK_IK_DELEGATE:
        if (in->kind == WICK_IK_KERNEL ? !index_ok(r, i_instr, "operator", in->index, m->n_operator)
                                       : !index_ok(r, i_instr, "delegate", in->index, m->n_delegate))
            return;
        in->args = wick_pte_reader_indices(r, a, 1, m->n_value, &in->n_arg, "the arguments of an instruction");
        break;
    case WICK_IK_MOVE:
        in->target = wick_fb_i32(fb, a, 1, 0);
        if (index_ok(r, i_instr, "value", in->index, m->n_value)) index_ok(r, i_instr, "value", in->target, m->n_value);
        break;
    case WICK_IK_JUMP_FALSE:
        in->target = wick_fb_i32(fb, a, 1, 0);
        /* To just behind the last instruction: the end. */
        if (index_ok(r, i_instr, "value", in->index, m->n_value))
            index_ok(r, i_instr, "as its destination instruction", in->target, n_instr + 1);
        in->target += (int32_t)first;
        break;
    case WICK_IK_FREE: index_ok(r, i_instr, "value", in->index, m->n_value); break;
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
            read_instr(r, wick_fb_vec_table(fb, v, k), m, at + k, at, v.n, &m->instrs[at + k]);
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
    uint32_t n = d->inline_data ? r->pte->n_inline : r->pte->n_segment;
    if (!data.at || location < 0 || location > 1 || d->index >= n) {
        wick_fb_fail(fb, "method \"%s\": delegate %u has its data in %s %u, there are %u", r->method, i_delegate,
                     d->inline_data ? "inline blob" : "segment", d->index, n);
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
    for (uint32_t i = 0; i < v.n; i++) {
        m->arena_sizes[i] = (int64_t)wick_load_u64(fb->data + v.at + 8 * (size_t)i);
        if (m->arena_sizes[i] < 0) wick_fb_fail(fb, "method \"%s\": arena %u has %lld bytes", r->method, i, (long long)m->arena_sizes[i]);
    }
    for (uint32_t i = 0; i < devices.n && wick_fb_ok(fb); i++) {
        int device = wick_fb_i8(fb, wick_fb_vec_table(fb, devices, i), 1, 0);
        if (device)
            wick_pte_unsupported(r, "method \"%s\" plans memory on a device of type %d, Wick runs programs for the CPU", r->method, device);
    }
}

void wick_pte_read_method(wick_pte_reader *r, wick_fb_table plan, wick_pte_method *m) {
    wick_fb *fb = &r->fb;
    m->name = wick_pte_reader_text(r, wick_fb_string(fb, plan, 0), "the name of a method");
    if (m->name && (!m->name[0] || strlen(m->name) > WICK_MAX_KEY)) wick_fb_fail(fb, "a method has a name of %zu bytes", strlen(m->name));
    r->method = m->name ? m->name : "";
    wick_fb_table meta = wick_fb_subtable(fb, plan, 1);
    m->container_in = wick_pte_reader_text(r, wick_fb_string(fb, meta, 0), "container metadata");
    m->container_out = wick_pte_reader_text(r, wick_fb_string(fb, meta, 1), "container metadata");
    read_arenas(r, plan, m);
    read_values(r, plan, m);
    m->inputs = wick_pte_reader_indices(r, plan, 3, m->n_value, &m->n_input, "the inputs");
    m->outputs = wick_pte_reader_indices(r, plan, 4, m->n_value, &m->n_output, "the outputs");
    read_operators(r, plan, m);
    read_delegates(r, plan, m);
    read_chains(r, plan, m);
}
