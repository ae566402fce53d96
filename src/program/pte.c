/* The structs of pte.h: their memory, sizes and lookups. */
#include "program/pte.h"

#include "base/checked.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- types */

static const struct {
    const char *name;
    uint8_t size;
} scalars[] = {
    [0] = {"Byte", 1},
    [1] = {"Char", 1},
    [2] = {"Short", 2},
    [3] = {"Int", 4},
    [4] = {"Long", 8},
    [5] = {"Half", 2},
    [6] = {"Float", 4},
    [7] = {"Double", 8},
    [8] = {"ComplexHalf", 0},
    [9] = {"ComplexFloat", 0},
    [10] = {"ComplexDouble", 0},
    [11] = {"Bool", 1},
    [12] = {"QInt8", 0},
    [13] = {"QUInt8", 0},
    [14] = {"QInt32", 0},
    [15] = {"BFloat16", 2},
    [16] = {"QUInt4x2", 0},
    [17] = {"QUInt2x4", 0},
    [18] = {"Bits1x8", 0},
    [19] = {"Bits2x4", 0},
    [20] = {"Bits4x2", 0},
    [21] = {"Bits8", 0},
    [22] = {"Bits16", 0},
    [23] = {"Float8_e5m2", 0},
    [24] = {"Float8_e4m3fn", 0},
    [25] = {"Float8_e5m2fnuz", 0},
    [26] = {"Float8_e4m3fnuz", 0},
    [27] = {"UInt16", 2},
    [28] = {"UInt32", 4},
    [29] = {"UInt64", 8},
};

size_t wick_scalar_size(int scalar_type) {
    return scalar_type >= 0 && scalar_type < (int)(sizeof scalars / sizeof *scalars) ? scalars[scalar_type].size : 0;
}

const char *wick_scalar_name(int scalar_type) {
    return scalar_type >= 0 && scalar_type < (int)(sizeof scalars / sizeof *scalars) ? scalars[scalar_type].name : "?";
}

/* ---------------------------------------------------------------- memory */

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t data[];
} chunk;

void *wick_pte_alloc(wick_pte *p, size_t count, size_t size) {
    size_t n;
    if (!wick_mul_size(count, size, &n) || n > SIZE_MAX / 2) return NULL;
    n = (size_t)wick_align_up(n ? n : 1, 16);
    chunk *c = p->arena;
    if (!c || n > c->size - c->used) {
        size_t room = n > 16384 ? n : 65536;
        chunk *fresh = wick_calloc(1, sizeof(chunk) + room);
        if (!fresh) return NULL;
        fresh->size = room;
        if (c && room == n) { /* a large block of its own: the current chunk stays in front */
            fresh->next = c->next;
            c->next = fresh;
        } else {
            fresh->next = c;
            p->arena = fresh;
        }
        c = fresh;
    }
    void *block = c->data + c->used;
    c->used += n;
    return block;
}

char *wick_pte_strdup(wick_pte *p, const char *s, size_t n) {
    char *copy = wick_pte_alloc(p, n + 1, 1);
    if (copy && n) memcpy(copy, s, n);
    return copy;
}

void wick_pte_release(wick_pte *p) {
    for (chunk *c = p->arena; c;) {
        chunk *next = c->next;
        wick_free(c);
        c = next;
    }
    wick_table_release(&p->named_by_key);
    *p = (wick_pte){0};
}

/* ---------------------------------------------------------------- tensors */

bool wick_pte_tensor_size(const wick_pte_tensor *t, uint64_t *n_element, uint64_t *n_byte) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0 || !wick_mul_u64(n, (uint64_t)t->dims[i], &n)) return false;
    *n_element = n;
    return wick_mul_u64(n, wick_scalar_size(t->scalar_type), n_byte) && *n_byte <= INT64_MAX;
}

/* [offset of entry idx, + size) of a segment that has one resident piece, as the reader makes them. */
static bool slice(const wick_pte *p, const wick_pte_offsets *o, uint32_t idx, uint64_t size, wick_bytes *out) {
    if (idx >= o->n || o->segment >= p->n_segment) return false;
    const wick_pte_segment *s = &p->segments[o->segment];
    if (s->n_piece != 1 || !s->pieces[0].bytes || !wick_in_range(o->offsets[idx], size, s->size)) return false;
    *out = (wick_bytes){(const uint8_t *)s->pieces[0].bytes + o->offsets[idx], (size_t)size};
    return true;
}

bool wick_pte_constant(const wick_pte *p, const wick_pte_tensor *t, wick_bytes *out) {
    uint64_t n, size;
    if (t->external || !t->data_buffer_idx || t->memory_id || !wick_pte_tensor_size(t, &n, &size)) return false;
    if (p->has_constant_segment) return slice(p, &p->constants, t->data_buffer_idx, size, out);
    if (t->data_buffer_idx >= p->n_constant_buffer || size > p->constant_buffers[t->data_buffer_idx].size) return false;
    *out = (wick_bytes){p->constant_buffers[t->data_buffer_idx].data, (size_t)size};
    return true;
}

bool wick_pte_initial(const wick_pte *p, const wick_pte_tensor *t, wick_bytes *out) {
    uint64_t n, size;
    if (t->external || !t->data_buffer_idx || !t->memory_id || !wick_pte_tensor_size(t, &n, &size)) return false;
    return t->mutable_segment < p->n_mutable && slice(p, &p->mutables[t->mutable_segment], t->data_buffer_idx, size, out);
}

/* ---------------------------------------------------------------- lookups */

const wick_pte_method *wick_pte_method_find(const wick_pte *p, const char *name) {
    for (uint32_t i = 0; i < p->n_method; i++)
        if (strcmp(p->methods[i].name, name) == 0) return &p->methods[i];
    return NULL;
}

uint32_t wick_pte_metadata(const wick_pte *p, const char *name, const wick_pte_value *out[], uint32_t max) {
    const wick_pte_method *m = wick_pte_method_find(p, name);
    if (!m || m->n_instr || m->n_input) return 0;
    for (uint32_t i = 0; i < m->n_output && i < max; i++) out[i] = &m->values[m->outputs[i]];
    return m->n_output;
}

bool wick_pte_named_find(const wick_pte *p, const char *key, wick_bytes *out) {
    uint64_t i;
    if (!wick_table_get(&p->named_by_key, key, strlen(key), &i)) return false;
    const wick_pte_segment *s = &p->segments[p->named[i].segment];
    if (s->n_piece != 1) return false;
    *out = (wick_bytes){s->pieces[0].bytes, (size_t)s->size};
    return true;
}
