/* Values by bytes. Arenas are reused and tensors share memory, so a name says nothing: a read gets the value of the one write that
 * covers exactly its bytes and that no later write has touched. Bytes that nothing has written yet in this step hold what the
 * previous step left there: state. Anything else (a part of a write, a mixture of two) cannot be said in single assignment, and
 * the program stays with the vm. */
#include "base/mem.h"
#include "raise/raise_int.h"

#include <string.h>

enum { MAX_WRITES = 1 << 16 }; /* live at a time; real programs have hundreds */

bool wick_r_dtype(int scalar_type, wick_dtype *out) {
    static const struct {
        int from;
        wick_dtype to;
    } table[] = {{WICK_ST_BYTE, WICK_U8},   {WICK_ST_CHAR, WICK_I8},       {WICK_ST_INT, WICK_I32},
                 {WICK_ST_LONG, WICK_I64},  {WICK_ST_HALF, WICK_F16},      {WICK_ST_FLOAT, WICK_F32},
                 {WICK_ST_BOOL, WICK_BOOL}, {WICK_ST_BFLOAT16, WICK_BF16}, {WICK_ST_DOUBLE, WICK_F64}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].from == scalar_type) {
            *out = table[i].to;
            return true;
        }
    return false;
}

static const wick_pte_tensor *tensor_of(const wick_raiser *r, int32_t evalue) { return r->method->pte->values[evalue].tensor; }

wick_status wick_r_values_init(wick_raiser *r) {
    uint32_t n = r->method->pte->n_value;
    r->tensors = WICK_NEW_ARRAY(wick_r_tensor, n);
    if (!r->tensors) return wick_fail_nomem(r->err);
    for (uint32_t i = 0; i < n; i++) r->tensors[i].value = -1;
    return WICK_OK;
}

void wick_r_values_release(wick_raiser *r) {
    wick_free(r->tensors);
    wick_free(r->writes);
    wick_free(r->states);
    r->tensors = NULL;
    r->writes = r->states = NULL;
}

/* Index of the first write that ends behind (arena, from). */
static size_t find(const wick_raiser *r, uint32_t arena, uint64_t from) {
    size_t a = 0, b = r->n_write;
    while (a < b) {
        size_t m = (a + b) / 2;
        const wick_r_write *w = &r->writes[m];
        if (w->arena < arena || (w->arena == arena && w->from + w->size <= from)) {
            a = m + 1;
        } else {
            b = m;
        }
    }
    return a;
}

/* Bytes of a write that a later one covered in part: known to be written, readable by nobody. */
static size_t leftover(const wick_r_write *old, const wick_r_write *new, wick_r_write out[2]) {
    size_t n = 0;
    uint64_t old_end = old->from + old->size, new_end = new->from + new->size;
    wick_r_write dead = {.arena = old->arena, .value = -1, .evalue = -1};
    if (old->from < new->from) {
        out[n] = dead;
        out[n].from = old->from;
        out[n++].size = new->from - old->from;
    }
    if (old_end > new_end) {
        out[n] = dead;
        out[n].from = new_end;
        out[n++].size = old_end - new_end;
    }
    return n;
}

/* Puts a write in place of all that it overlaps. */
static wick_status put(wick_raiser *r, wick_r_write w) {
    size_t a = find(r, w.arena, w.from), b = a, n_left = 0, n_right = 0;
    wick_r_write left[2], right[2];
    while (b < r->n_write && r->writes[b].arena == w.arena && r->writes[b].from < w.from + w.size) b++;
    if (a < b) {
        n_left = leftover(&r->writes[a], &w, left);
        if (n_left && left[0].from > w.from)
            n_left = 0; /* one write, only its end is left: it is the right piece too */
        else if (n_left)
            n_left = 1;
        n_right = leftover(&r->writes[b - 1], &w, right);
        if (n_right && right[n_right - 1].from < w.from) n_right = 0;
    }
    if (r->n_write >= MAX_WRITES) return wick_r_unsupported(r, "more tensors are alive at a time than Wick follows");
    for (int i = 0; i < 3; i++) { /* at most three entries come in place of b - a */
        if (!WICK_GROW(r->writes, r->n_write + (size_t)i, r->write_cap)) return wick_fail_nomem(r->err);
    }
    size_t n_new = n_left + 1 + (n_right != 0);
    memmove(&r->writes[a + n_new], &r->writes[b], (r->n_write - b) * sizeof w);
    r->n_write += n_new - (b - a);
    if (n_left) r->writes[a++] = left[0];
    r->writes[a++] = w;
    if (n_right) r->writes[a] = right[n_right - 1];
    return WICK_OK;
}

static wick_status range_of(wick_raiser *r, const wick_pte_tensor *t, wick_r_write *out) {
    uint64_t n_element, n_byte;
    if (!wick_pte_tensor_size(t, &n_element, &n_byte) || !n_byte) return wick_r_unsupported(r, "a tensor is empty or larger than memory");
    *out = (wick_r_write){.arena = t->memory_id, .from = t->memory_offset, .size = n_byte};
    return WICK_OK;
}

/* State: bytes that hold what an earlier step left. */
static wick_status add_state(wick_raiser *r, int32_t evalue, wick_r_write range, wick_value_id *out) {
    const wick_pte_tensor *t = tensor_of(r, evalue);
    int64_t dims[WICK_MAX_RANK];
    wick_dtype dtype;
    if (!wick_r_dtype(t->scalar_type, &dtype)) return wick_r_unsupported(r, "a tensor of a type that graphs do not have");
    if (t->dynamism != WICK_STATIC) return wick_r_unsupported(r, "an instruction reads bytes that nothing has written");
    for (int i = 0; i < t->rank; i++) dims[i] = t->dims[i];
    *out = wick_graph_state(r->g, dtype, t->rank, dims);
    if (*out < 0) return wick_fail_nomem(r->err);
    r->g->values[*out].origin = evalue;
    range.serial = ++r->serial;
    range.value = *out;
    range.evalue = evalue;
    WICK_TRY(put(r, range));
    if (!WICK_GROW(r->states, r->n_state, r->state_cap)) return wick_fail_nomem(r->err);
    r->states[r->n_state++] = range;
    r->tensors[evalue] = (wick_r_tensor){*out, range.serial, evalue};
    return WICK_OK;
}

/* Bytes written under another name: the same elements in this tensor's shape. */
static wick_status read_renamed(wick_raiser *r, int32_t evalue, const wick_r_write *w, wick_value_id *out) {
    const wick_pte_tensor *t = tensor_of(r, evalue), *from = tensor_of(r, w->evalue);
    const wick_value *v = &r->g->values[w->value];
    wick_dim dims[WICK_MAX_RANK];
    bool same = t->rank == from->rank && !memcmp(t->dims, from->dims, (size_t)t->rank * sizeof *t->dims);
    if (t->scalar_type != from->scalar_type) return wick_r_unsupported(r, "an instruction reads bytes as another type than was written");
    if (!same && t->dynamism != WICK_STATIC) return wick_r_unsupported(r, "a tensor without a view has the bytes of another");
    for (int i = 0; i < t->rank; i++) dims[i] = same ? v->dims[i] : wick_dim_const(t->dims[i]);
    *out = same ? w->value : wick_r_view(r, w->value, t->rank, dims);
    return *out < 0 ? wick_fail_nomem(r->err) : WICK_OK;
}

/* Whether the bytes of a tensor are still those that were written when it got its value. */
static wick_status is_current(wick_raiser *r, const wick_r_tensor *now, bool *current) {
    wick_r_write range = {0};
    *current = now->value >= 0 && !now->serial;
    if (now->value < 0 || *current) return WICK_OK;
    WICK_TRY(range_of(r, tensor_of(r, now->home), &range));
    size_t i = find(r, range.arena, range.from);
    *current = i < r->n_write && r->writes[i].arena == range.arena && r->writes[i].serial == now->serial;
    return WICK_OK;
}

wick_status wick_r_read(wick_raiser *r, int32_t evalue, wick_value_id *out) {
    const wick_pte_tensor *t = tensor_of(r, evalue);
    wick_r_tensor *now = &r->tensors[evalue];
    wick_bytes bytes;
    bool current = false;
    *out = now->value;
    WICK_TRY(is_current(r, now, &current));
    if (current) return WICK_OK;
    if (t->memory_id == 0) {
        if (now->value >= 0) return wick_r_unsupported(r, "a view of bytes that were overwritten");
        if (!wick_program_constant(r->p, t, &bytes)) return wick_r_unsupported(r, "a tensor that has neither data nor memory");
        WICK_TRY(wick_r_const_tensor(r, evalue, bytes, out));
        *now = (wick_r_tensor){*out, 0, evalue};
        return WICK_OK;
    }
    wick_r_write range = {0};
    WICK_TRY(range_of(r, t, &range));
    size_t i = find(r, range.arena, range.from);
    const wick_r_write *w = i < r->n_write ? &r->writes[i] : NULL;
    if (!w || w->arena != range.arena || w->from >= range.from + range.size) return add_state(r, evalue, range, out);
    if (w->value < 0 || w->from != range.from || w->size != range.size)
        return wick_r_unsupported(r, "an instruction reads bytes that no one instruction wrote");
    return read_renamed(r, evalue, w, out);
}

static wick_status mark_state_write(wick_raiser *r, const wick_r_write *range) {
    for (size_t i = 0; i < r->n_state; i++) {
        const wick_r_write *s = &r->states[i];
        if (s->arena != range->arena || s->from + s->size <= range->from || range->from + range->size <= s->from) continue;
        wick_value *v = &r->g->values[range->value];
        if (v->producer < 0 || r->g->nodes[v->producer].origin.instruction != r->instruction)
            return wick_r_unsupported(r, "state is written by an instruction that only moves bytes");
        v->kind = WICK_VALUE_STATE;
        r->g->nodes[v->producer].writes_state = true;
    }
    return WICK_OK;
}

wick_status wick_r_write_tensor(wick_raiser *r, int32_t evalue, wick_value_id value) {
    const wick_pte_tensor *t = tensor_of(r, evalue);
    if (value < 0) return wick_fail_nomem(r->err);
    if (r->g->values[value].origin < 0) r->g->values[value].origin = evalue;
    if (t->memory_id == 0) {
        r->tensors[evalue] = (wick_r_tensor){value, 0, evalue};
        return WICK_OK;
    }
    wick_r_write range = {0};
    WICK_TRY(range_of(r, t, &range));
    range.serial = ++r->serial;
    range.value = value;
    range.evalue = evalue;
    r->tensors[evalue] = (wick_r_tensor){value, range.serial, evalue};
    WICK_TRY(mark_state_write(r, &range));
    return put(r, range);
}

wick_status wick_r_alias(wick_raiser *r, int32_t view, int32_t base, wick_value_id value) {
    if (value < 0) return wick_fail_nomem(r->err);
    r->tensors[view] = (wick_r_tensor){value, r->tensors[base].serial, r->tensors[base].home};
    return WICK_OK;
}

wick_status wick_r_check_states(wick_raiser *r) {
    for (uint32_t e = 0; e < r->method->pte->n_value; e++) {
        const wick_pte_value *v = &r->method->pte->values[e];
        if (v->kind != WICK_EV_TENSOR || !v->tensor->memory_id) continue;
        wick_r_write range = {0};
        WICK_TRY(range_of(r, v->tensor, &range));
        for (size_t i = 0; i < r->n_state; i++) {
            const wick_r_write *s = &r->states[i];
            bool apart = s->arena != range.arena || s->from + s->size <= range.from || range.from + range.size <= s->from;
            bool same = s->from == range.from && s->size == range.size;
            if (!apart && !same) return wick_r_unsupported(r, "a tensor shares bytes with state that lives from step to step");
        }
    }
    return WICK_OK;
}
