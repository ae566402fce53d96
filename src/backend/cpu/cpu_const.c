/* Constants that are not matrices: looked up where they lie in the file, or kept as small fp32 arrays. */
#include "backend/cpu/cpu_plan.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/mem.h"

#include <string.h>

void *cpu_plan_own(wick_backend_plan *p, void *memory, uint64_t size) {
    if (!memory) return NULL;
    if (!WICK_GROW(p->owned, p->n_owned, p->owned_cap)) {
        wick_free(memory);
        return NULL;
    }
    p->owned[p->n_owned++] = memory;
    p->owned_size += size;
    return memory;
}

const char *cpu_const_refuses(const wick_value *v) {
    if (v->kind != WICK_VALUE_CONST) return "an operand that must be constant is not";
    for (int i = 0; i < v->n_part; i++) {
        const wick_part *part = &v->parts[i];
        if (!part->data.bytes || (part->scales.size && !part->scales.bytes)) return "a constant has no bytes in memory";
        if (part->transposed) return "a table is stored transposed";
    }
    if (v->scheme.kind == WICK_SCHEME_PLAIN) return NULL;
    if (v->scheme.bits == 8 && v->scheme.packing == WICK_PACK_BYTE) return NULL;
    if (v->scheme.bits == 4 && v->scheme.packing != WICK_PACK_BYTE) return NULL;
    if (v->scheme.bits == 2 && v->scheme.packing == WICK_PACK_HIGH_FIRST) return NULL;
    return "a table is stored in a way the processor backend does not read";
}

float cpu_load_float(wick_dtype dtype, const uint8_t *p) {
    if (dtype == WICK_F32) return wick_load_f32(p);
    return dtype == WICK_F16 ? wick_f16_to_f32(wick_load_u16(p)) : wick_bf16_to_f32(wick_load_u16(p));
}

/* Codes [from, from + n) of one row of 2 or 4 bits, one scale. */
static void small_codes(const uint8_t *codes, const wick_scheme *s, int64_t from, int64_t n, float scale, float *y) {
    for (int64_t i = 0; i < n; i++) {
        int64_t k = from + i;
        int code;
        if (s->bits == 2)
            code = (codes[k / 4] >> 2 * (k % 4) & 3) - 2;
        else
            code = (codes[k / 2] >> ((k % 2 == 0) == (s->packing == WICK_PACK_HIGH_FIRST) ? 4 : 0) & 15) - 8;
        y[i] = (float)code * scale;
    }
}

void cpu_const_row(const wick_kernels *kernels, const wick_value *v, int64_t row, int64_t n, float *y) {
    const wick_part *part = v->parts;
    while (row >= part->n_row) row -= part++->n_row;
    if (part->row_map) row = part->row_map[row];
    const uint8_t *data = part->data.bytes;
    const wick_scheme *s = &v->scheme;
    if (s->kind == WICK_SCHEME_PLAIN) {
        size_t size = wick_dtype_size(v->dtype);
        const uint8_t *src = data + (part->row_stride ? row * part->row_stride : row * n * (int64_t)size);
        if (v->dtype == WICK_F32)
            memcpy(y, src, (size_t)n * 4);
        else if ((uintptr_t)src % 2 == 0)
            (v->dtype == WICK_F16 ? kernels->widen_f16 : kernels->widen_bf16)((const uint16_t *)(const void *)src, n, y);
        else
            for (int64_t i = 0; i < n; i++) y[i] = cpu_load_float(v->dtype, src + (size_t)i * size);
        if (part->negated)
            for (int64_t i = 0; i < n; i++) y[i] = -y[i];
        return;
    }
    int64_t group = s->group ? s->group : n, n_group = (n + group - 1) / group;
    const uint8_t *codes = data + row * ((n * s->bits + 7) / 8);
    size_t scale_size = wick_dtype_size(s->scale_dtype);
    const uint8_t *scales = (const uint8_t *)part->scales.bytes + (size_t)(row * n_group) * scale_size;
    for (int64_t g = 0; g < n_group; g++) {
        int64_t from = g * group, count = from + group <= n ? group : n - from;
        float scale = cpu_load_float(s->scale_dtype, scales + (size_t)g * scale_size);
        if (s->bits == 8)
            kernels->dequant_row((const int8_t *)codes + from, scale, count, y + from);
        else if (s->bits == 4 && s->packing == WICK_PACK_HIGH_FIRST && from % 2 == 0 && count % 2 == 0)
            kernels->dequant_row4(codes + from / 2, scale, count, y + from);
        else
            small_codes(codes, s, from, count, scale, y + from);
    }
}

static int64_t n_element(const wick_value *v) {
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++) n *= v->dims[i].c;
    return n;
}

float *cpu_const_f32(wick_backend_plan *p, const wick_value *v) {
    int64_t n = n_element(v), width = v->rank > 1 ? wick_value_width(v) : 1;
    if (v->rank <= 1 && v->n_part == 1) width = n; /* a vector is one row, unless its parts are rows of one element */
    float *y = cpu_plan_own(p, wick_calloc((size_t)(n ? n : 1), 4), (uint64_t)n * 4);
    if (!y) return NULL;
    if (v->rank <= 1 && v->n_part == 1 && !v->parts->row_map && !v->parts->row_stride) {
        wick_value row = *v;
        wick_part part = *v->parts;
        part.n_row = 1;
        row.parts = &part;
        cpu_const_row(&p->kernels, &row, 0, n, y);
        return y;
    }
    if (v->rank <= 1) width = 1;
    for (int64_t r = 0; width && r < n / width; r++) cpu_const_row(&p->kernels, v, r, width, y + r * width);
    return y;
}

int32_t *cpu_const_i32(wick_backend_plan *p, const wick_value *v, int64_t limit, bool *valid) {
    int64_t n = n_element(v), at = 0;
    size_t size = wick_dtype_size(v->dtype);
    int32_t *y = cpu_plan_own(p, wick_calloc((size_t)(n ? n : 1), 4), (uint64_t)n * 4);
    *valid = true;
    if (!y) return NULL;
    for (int i = 0; i < v->n_part; i++) {
        const uint8_t *src = v->parts[i].data.bytes;
        for (int64_t r = 0; r < v->parts[i].n_row && at < n; r++, at++) {
            int64_t x = size == 8 ? (int64_t)wick_load_u64(src + 8 * r) : (int32_t)wick_load_u32(src + 4 * r);
            if (x < 0 || x >= limit) *valid = false;
            y[at] = (int32_t)x;
        }
    }
    return y;
}

/* Rows that can be read where they are: fp32, aligned, not mapped, not negated. */
static bool in_place(const wick_value *v) {
    const wick_part *part = v->parts;
    return v->n_part == 1 && v->scheme.kind == WICK_SCHEME_PLAIN && v->dtype == WICK_F32 && !part->row_map && !part->negated &&
           (uintptr_t)part->data.bytes % 4 == 0 && part->row_stride % 4 == 0;
}

int32_t cpu_table_find(wick_backend_plan *p, wick_value_id value) {
    for (size_t i = 0; i < p->n_table; i++)
        if (p->tables[i].value == value) return (int32_t)i;
    const wick_value *v = &p->g->values[value];
    cpu_table t = {.value = value, .n_row = v->dims[0].c, .stride = wick_value_width(v)};
    if (in_place(v)) {
        t.rows = v->parts->data.bytes;
        if (v->parts->row_stride) t.stride = v->parts->row_stride / 4;
    } else {
        t.rows = cpu_const_f32(p, v);
    }
    if (!t.rows || !WICK_GROW(p->tables, p->n_table, p->table_cap)) return -1;
    p->tables[p->n_table++] = t;
    return (int32_t)p->n_table - 1;
}
