#include "export/quantize.h"

#include "base/checked.h"
#include "base/half.h"
#include "base/mem.h"
#include "export/hqq.h"

#include <math.h>
#include <stdatomic.h>

/* A weight with its scheme: what both sources of a part point to. Sources may be read by several threads at once, so the only
 * mutable thing is `kept`: the scales of the last pass, handed from the reader of the codes to the reader of the scales by
 * exchanging the pointer. */
typedef struct item {
    wick_weight weight;
    wick_scheme scheme;
    bool transposed;
    wick_tensor_type dtype; /* of the checkpoint as stock would have loaded it (F32, F16, BF16): weights and scales are rounded to it */
    uint64_t scales_size;
    const wick_mapping *file; /* whose pages are given back when the weight has been read; NULL: kept */
    _Atomic(void *) kept;     /* scales as they are stored, scales_size bytes; NULL */
} item;

struct wick_quantizer {
    wick_export_dtype dtype;
    const wick_container *container;
    item **items;
    size_t n_item, cap;
};

wick_status wick_quantizer_new(wick_export_dtype checkpoint_dtype, const wick_container *container, wick_quantizer **out, wick_error *err) {
    *out = WICK_NEW(wick_quantizer);
    if (!*out) return wick_fail_nomem(err);
    (*out)->dtype = checkpoint_dtype;
    (*out)->container = container;
    return WICK_OK;
}

void wick_quantizer_free(wick_quantizer *z) {
    if (!z) return;
    for (size_t i = 0; i < z->n_item; i++) {
        wick_free(atomic_load(&z->items[i]->kept));
        wick_free(z->items[i]);
    }
    wick_free(z->items);
    wick_free(z);
}

/* ---------------------------------------------------------------- rows of the checkpoint */

/* The row of the tensor that becomes row i of the weight. Neighbouring pairs become halves: j <- 2j, n/2 + j <- 2j + 1. */
static int64_t source_row(const wick_weight *w, int64_t i) {
    if (w->d_pair) {
        int64_t lane = i % w->d_pair, half = w->n_pair / 2;
        if (lane < half)
            i += lane;
        else if (lane < w->n_pair)
            i += 2 * (lane - half) + 1 - lane;
    }
    return w->row + i;
}

static void round_row(wick_tensor_type type, float *x, int64_t n) {
    if (type == WICK_TENSOR_BF16)
        for (int64_t k = 0; k < n; k++) x[k] = wick_bf16_to_f32(wick_f32_to_bf16(x[k]));
    if (type == WICK_TENSOR_F16)
        for (int64_t k = 0; k < n; k++) x[k] = wick_f16_to_f32(wick_f32_to_f16(x[k]));
}

/* Rows [from, from + n) of the weight, [n, n_col]. */
static wick_status read_rows(const item *it, int64_t from, int64_t n, float *out, wick_error *err) {
    const wick_weight *w = &it->weight;
    if (!w->d_pair) {
        WICK_TRY(wick_tensor_to_f32(w->tensor, (uint64_t)((w->row + from) * w->n_col), (uint64_t)(n * w->n_col), out, err));
    } else {
        for (int64_t i = 0; i < n; i++)
            WICK_TRY(
                wick_tensor_to_f32(w->tensor, (uint64_t)(source_row(w, from + i) * w->n_col), (uint64_t)w->n_col, out + i * w->n_col, err));
    }
    if (it->dtype != w->tensor->type) round_row(it->dtype, out, n * w->n_col);
    return WICK_OK;
}

/* The pages of the weight that was just read need not stay resident: a checkpoint may be larger than the memory. */
static void give_back(const item *it) {
    const wick_weight *w = &it->weight;
    if (!it->file || w->tensor->dims[0] < 1) return;
    uint64_t row_size = w->tensor->size / (uint64_t)w->tensor->dims[0];
    uint64_t begin = (uint64_t)(w->tensor->data - it->file->data) + row_size * (uint64_t)w->row;
    wick_os_forget(it->file, begin, row_size * (uint64_t)w->n_row);
}

/* Rows to read at once: about 256 KB of floats. */
static int64_t chunk_rows(const wick_weight *w) {
    int64_t n = 65536 / w->n_col;
    return n < 1 ? 1 : n > w->n_row ? w->n_row : n;
}

/* ---------------------------------------------------------------- fp32 */

static wick_status read_plain_rows(const item *it, void *dst, wick_error *err) {
    const wick_weight *w = &it->weight;
    if (!it->transposed) return read_rows(it, 0, w->n_row, dst, err);
    int64_t step = chunk_rows(w);
    float *rows = wick_alloc((size_t)(step * w->n_col) * sizeof *rows), *out = dst;
    if (!rows) return wick_fail_nomem(err);
    wick_status status = WICK_OK;
    for (int64_t from = 0; from < w->n_row && status == WICK_OK; from += step) {
        int64_t n = w->n_row - from < step ? w->n_row - from : step;
        status = read_rows(it, from, n, rows, err);
        for (int64_t k = 0; k < w->n_col && status == WICK_OK; k++)
            for (int64_t i = 0; i < n; i++) out[k * w->n_row + from + i] = rows[i * w->n_col + k];
    }
    wick_free(rows);
    return status;
}

static wick_status read_plain(void *user, void *dst, wick_error *err) {
    wick_status status = read_plain_rows(user, dst, err);
    give_back(user);
    return status;
}

/* ---------------------------------------------------------------- codes and scales */

typedef struct pass {
    const item *it;
    wick_hqq hqq;
    int64_t n_group;        /* per row */
    float *rows;            /* [chunk_rows, n_col] */
    int8_t *codes;          /* [group] */
    wick_hqq_state *states; /* [n_row, n_group] */
    uint8_t *dst;           /* packed codes; NULL: nobody wants them */
} pass;

static void pass_release(pass *p) {
    wick_free(p->hqq.scratch);
    wick_free(p->rows);
    wick_free(p->codes);
    wick_free(p->states);
}

static wick_status pass_init(pass *p, const item *it, uint8_t *dst, wick_error *err) {
    const wick_weight *w = &it->weight;
    int64_t group = wick_scheme_group(&it->scheme, w->n_col);
    int half = 1 << (it->scheme.bits - 1);
    *p = (pass){.it = it, .hqq = {.lo = -half, .hi = half - 1, .group = group}, .n_group = w->n_col / group, .dst = dst};
    p->hqq.scratch = wick_calloc((size_t)group, sizeof(float));
    p->rows = wick_calloc((size_t)(chunk_rows(w) * w->n_col), sizeof(float));
    p->codes = wick_calloc((size_t)group, 1);
    p->states = wick_calloc((size_t)(w->n_row * p->n_group), sizeof *p->states);
    if (p->hqq.scratch && p->rows && p->codes && p->states) return WICK_OK;
    pass_release(p);
    return wick_fail_nomem(err);
}

static void pack(const wick_scheme *s, const int8_t *codes, int64_t n, uint8_t *dst) {
    if (s->bits == 8) {
        memcpy(dst, codes, (size_t)n);
    } else if (s->bits == 4) {
        int first = s->packing == WICK_PACK_LOW_FIRST ? 0 : 4;
        for (int64_t k = 0; k < n; k += 2) dst[k / 2] = (uint8_t)((codes[k] + 8) << first | (codes[k + 1] + 8) << (4 - first));
    } else {
        for (int64_t k = 0; k < n; k += 4)
            dst[k / 4] = (uint8_t)((codes[k] + 2) | (codes[k + 1] + 2) << 2 | (codes[k + 2] + 2) << 4 | (codes[k + 3] + 2) << 6);
    }
}

static void store_codes(const pass *p, int64_t row, int64_t i_group) {
    const wick_scheme *s = &p->it->scheme;
    if (p->dst) pack(s, p->codes, p->hqq.group, p->dst + (row * p->n_group + i_group) * p->hqq.group * s->bits / 8);
}

static bool all_finite(const float *x, int64_t n) {
    uint32_t bad = 0;
    for (int64_t k = 0; k < n; k++) bad |= (wick_bits_from_f32(x[k]) & 0x7f800000) == 0x7f800000;
    return !bad;
}

static wick_status first_pass(pass *p, wick_error *err) {
    const wick_weight *w = &p->it->weight;
    int64_t step = chunk_rows(w);
    for (int64_t from = 0; from < w->n_row; from += step) {
        int64_t n = w->n_row - from < step ? w->n_row - from : step;
        WICK_TRY(read_rows(p->it, from, n, p->rows, err));
        if (!all_finite(p->rows, n * w->n_col))
            return wick_fail(err, WICK_EFORMAT, "the tensor '%s' holds a weight that is not finite, in rows %lld to %lld", w->tensor->name,
                             (long long)(w->row + from), (long long)(w->row + from + n - 1));
        for (int64_t i = 0; i < n; i++)
            for (int64_t g = 0; g < p->n_group; g++) {
                wick_hqq_group(&p->hqq, p->rows + i * w->n_col + g * p->hqq.group, p->codes, &p->states[(from + i) * p->n_group + g]);
                store_codes(p, from + i, g);
            }
    }
    return WICK_OK;
}

/* Does the groups again that were not yet standing still when the tensor stopped. */
static wick_status second_pass(pass *p, wick_error *err) {
    const wick_weight *w = &p->it->weight;
    int n = wick_hqq_iterations(&p->hqq);
    for (int64_t row = 0; row < w->n_row; row++) {
        bool have_row = false;
        for (int64_t g = 0; g < p->n_group; g++) {
            wick_hqq_state *state = &p->states[row * p->n_group + g];
            if (state->n_iteration <= n) continue;
            if (!have_row) WICK_TRY(read_rows(p->it, row, 1, p->rows, err));
            have_row = true;
            wick_hqq_group_again(&p->hqq, n, p->rows + g * p->hqq.group, p->codes, state);
            store_codes(p, row, g);
        }
    }
    return WICK_OK;
}

static wick_status store_scales(const pass *p, uint8_t *dst, wick_error *err) {
    const item *it = p->it;
    for (int64_t i = 0; i < it->weight.n_row * p->n_group; i++) {
        float s = p->states[i].scale;
        round_row(it->dtype, &s, 1);
        if (it->scheme.scale_dtype == WICK_BF16) {
            uint16_t b = wick_f32_to_bf16(s);
            s = wick_bf16_to_f32(b);
            wick_store_u16(dst + 2 * i, b);
        } else {
            wick_store_u32(dst + 4 * i, wick_bits_from_f32(s));
        }
        if (!isfinite(s))
            return wick_fail(err, WICK_EFORMAT, "the tensor '%s' holds weights that are too large to be quantized",
                             it->weight.tensor->name);
    }
    return WICK_OK;
}

/* Makes what is wanted of codes and scales (NULL: not wanted). */
static wick_status quantize(const item *it, uint8_t *codes, uint8_t *scales, wick_error *err) {
    pass p;
    WICK_TRY(pass_init(&p, it, codes, err));
    wick_status status = first_pass(&p, err);
    if (status == WICK_OK) status = second_pass(&p, err);
    if (status == WICK_OK) status = store_scales(&p, scales, err);
    pass_release(&p);
    give_back(it);
    return status;
}

static wick_status read_codes(void *user, void *dst, wick_error *err) {
    item *it = user;
    void *scales = wick_alloc((size_t)it->scales_size);
    if (!scales) return wick_fail_nomem(err);
    wick_status status = quantize(it, dst, scales, err);
    if (status == WICK_OK) scales = atomic_exchange(&it->kept, scales);
    wick_free(scales);
    return status;
}

static wick_status read_scales(void *user, void *dst, wick_error *err) {
    item *it = user;
    void *scales = atomic_exchange(&it->kept, NULL);
    if (!scales) return quantize(it, NULL, dst, err);
    memcpy(dst, scales, (size_t)it->scales_size);
    wick_free(scales);
    return WICK_OK;
}

/* ---------------------------------------------------------------- parts */

bool wick_scheme_fits(const wick_scheme *s, int64_t n_col) {
    if (s->kind == WICK_SCHEME_PLAIN) return true;
    int64_t group = wick_scheme_group(s, n_col);
    if (s->bits != 2 && s->bits != 4 && s->bits != 8) return false;
    if ((s->packing == WICK_PACK_BYTE) != (s->bits == 8) || (s->bits == 2 && s->packing == WICK_PACK_LOW_FIRST)) return false;
    return group > 0 && n_col % group == 0 && group * s->bits % 8 == 0;
}

static wick_tensor_type checkpoint_type(wick_export_dtype dtype, wick_tensor_type stored) {
    switch (dtype) {
    case WICK_DTYPE_BF16: return WICK_TENSOR_BF16;
    case WICK_DTYPE_FP16: return WICK_TENSOR_F16;
    case WICK_DTYPE_FP32: return WICK_TENSOR_F32;
    default: return stored == WICK_TENSOR_BF16 || stored == WICK_TENSOR_F16 ? stored : WICK_TENSOR_F32;
    }
}

/* Sizes of data and scales in bytes; false: overflow. */
static bool part_sizes(const wick_weight *w, const wick_scheme *s, uint64_t *data, uint64_t *scales) {
    uint64_t n;
    if (w->n_row < 1 || w->n_col < 1 || !wick_mul_u64((uint64_t)w->n_row, (uint64_t)w->n_col, &n) || n > INT64_MAX / 8) return false;
    *data = s->kind == WICK_SCHEME_PLAIN ? 4 * n : n * (uint64_t)s->bits / 8;
    *scales = s->kind == WICK_SCHEME_PLAIN ? 0 : n / (uint64_t)wick_scheme_group(s, w->n_col) * wick_dtype_size(s->scale_dtype);
    return true;
}

wick_status wick_quantizer_part(wick_quantizer *z, const wick_weight *w, wick_scheme scheme, bool transposed, wick_part *part,
                                wick_error *err) {
    uint64_t data_size, scales_size;
    bool plain = scheme.kind == WICK_SCHEME_PLAIN;
    if (!wick_scheme_fits(&scheme, w->n_col) || (transposed && !plain) ||
        (!plain && scheme.scale_dtype != WICK_F32 && scheme.scale_dtype != WICK_BF16))
        return wick_fail(err, WICK_EUNSUPPORTED, "the tensor '%s' (rows of %lld) cannot be stored with %d bits in groups of %lld",
                         w->tensor->name, (long long)w->n_col, scheme.bits, (long long)scheme.group);
    if (!part_sizes(w, &scheme, &data_size, &scales_size))
        return wick_fail(err, WICK_ELIMIT, "the tensor '%s' has too many elements", w->tensor->name);
    item *it = WICK_NEW(item);
    if (!it || !WICK_GROW(z->items, z->n_item, z->cap)) {
        wick_free(it);
        return wick_fail_nomem(err);
    }
    z->items[z->n_item++] = it;
    it->weight = *w;
    it->scheme = scheme;
    it->transposed = transposed;
    it->dtype = checkpoint_type(z->dtype, w->tensor->type);
    it->scales_size = scales_size;
    it->file = z->container ? &z->container->files[w->tensor->file] : NULL;
    *part = (wick_part){.n_row = w->n_row, .transposed = transposed, .name = w->tensor->name};
    part->data = (wick_source){data_size, NULL, plain ? read_plain : read_codes, it};
    if (!plain) part->scales = (wick_source){scales_size, NULL, read_scales, it};
    return WICK_OK;
}
