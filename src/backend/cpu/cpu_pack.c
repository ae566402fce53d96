/* Weights into panels, once per load, by all threads. A panel is packed by one thread; the pages of the source are given
 * back as soon as they have been read, so that a program is never wholly resident twice. */
#include "backend/cpu/cpu_plan.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/scales.h"

#include <stdatomic.h>
#include <string.h>

/* Bytes of panels that a thread packs at a time: a huge page; giving back as much at once costs next to nothing. */
#if defined(WICK_TEST_TINY)
enum { UNIT_SIZE = 4096 };
#else
enum { UNIT_SIZE = 2 << 20 };
#endif

static bool is_float(wick_dtype t) { return t == WICK_F32 || t == WICK_F16 || t == WICK_BF16; }

/* Which panel format a weight gets. Int4 with one scale per row keeps that scale in fp32, which the q4 panel cannot hold: it
 * becomes int8 codes with the same values. Integer weights under unquantized activations become fp32. */
static bool kind_of(const wick_value *w, wick_act_quant act_quant, cpu_weight_kind *kind) {
    const wick_scheme *s = &w->scheme;
    int64_t k = wick_value_width(w);
    if (s->kind == WICK_SCHEME_PLAIN) {
        *kind = w->dtype == WICK_F32 ? CPU_W_F32 : w->dtype == WICK_F16 ? CPU_W_F16 : CPU_W_BF16;
        return act_quant == WICK_ACTQ_NONE && is_float(w->dtype);
    }
    if (act_quant == WICK_ACTQ_NONE) {
        *kind = CPU_W_F32;
        return cpu_const_refuses(w) == NULL;
    }
    if (s->group == 0 || s->group >= k) {
        *kind = CPU_W_Q8;
        return s->bits == 8 ? s->packing == WICK_PACK_BYTE : s->bits == 4 && s->packing != WICK_PACK_BYTE;
    }
    *kind = CPU_W_Q4;
    return s->bits == 4 && s->packing == WICK_PACK_LOW_FIRST && s->group % WICK_GROUP == 0 && k % s->group == 0 &&
           s->scale_dtype == WICK_BF16;
}

const char *cpu_pack_refuses(const wick_graph *g, const wick_node *n) {
    const wick_value *w = &g->values[n->in[1]];
    cpu_weight_kind kind;
    if (w->kind != WICK_VALUE_CONST) return "a linear's weight is not constant";
    if (w->rank != 2) return "a linear's weight is not a matrix";
    for (int i = 0; i < w->n_part; i++) {
        if (!w->parts[i].data.bytes || (w->scheme.kind == WICK_SCHEME_INT && !w->parts[i].scales.bytes))
            return "a weight has no bytes in memory";
        if (w->parts[i].transposed && w->scheme.kind != WICK_SCHEME_PLAIN) return "a quantized weight is stored transposed";
    }
    if (!kind_of(w, n->attrs.linear.act_quant, &kind)) return "a linear's weight has a quantization the processor backend does not run";
    if (kind == CPU_W_Q8 && wick_value_width(w) > 65536) return "a linear's rows are too long for exact int8 sums";
    if (n->n_in > 2 && n->in[2] >= 0) {
        const wick_value *b = &g->values[n->in[2]];
        if (b->kind != WICK_VALUE_CONST || b->scheme.kind != WICK_SCHEME_PLAIN) return "a linear's bias is not a plain constant";
    }
    return NULL;
}

static cpu_matrix matrix_of(const wick_graph *g, wick_value_id value, wick_value_id bias, wick_act_quant act_quant, bool paired) {
    const wick_value *w = &g->values[value];
    cpu_matrix m = {.paired = paired, .value = value, .bias_value = bias, .n = w->dims[0].c, .k = wick_value_width(w)};
    kind_of(w, act_quant, &m.kind);
    m.k_pad = (m.k + 63) / 64 * 64;
    m.n_panel = paired ? 2 * ((m.n / 2 + WICK_PANEL - 1) / WICK_PANEL) : (m.n + WICK_PANEL - 1) / WICK_PANEL;
    m.panel_size = m.kind == CPU_W_Q4   ? wick_q4_panel_size(m.k)
                   : m.kind == CPU_W_Q8 ? wick_q8_panel_size(m.k)
                                        : wick_float_panel_size(m.k, m.kind == CPU_W_F32 ? 4 : 2);
    return m;
}

int32_t cpu_matrix_add(wick_backend_plan *p, wick_value_id value, wick_value_id bias, wick_act_quant act_quant, bool paired) {
    if (!WICK_GROW(p->matrices, p->n_matrix, p->matrix_cap)) return -1;
    p->matrices[p->n_matrix++] = matrix_of(p->g, value, bias, act_quant, paired);
    return (int32_t)p->n_matrix - 1;
}

/* Panels, then per column: the sum or the scale, the sum of codes, the bias. */
static uint64_t matrix_size(const cpu_matrix *m) {
    uint64_t lanes = (uint64_t)m->n_panel * WICK_PANEL * 4;
    uint64_t size = (uint64_t)m->n_panel * m->panel_size;
    size += lanes * (m->kind == CPU_W_Q4 ? 1 : m->kind == CPU_W_Q8 ? 2 : 0) + (m->bias_value >= 0 ? lanes : 0);
    return wick_align_up(size, 64);
}

uint64_t cpu_weights_size(const wick_graph *g) {
    uint64_t size = 0;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || n->op != WICK_OP_linear) continue;
        cpu_matrix m = matrix_of(g, n->in[1], n->n_in > 2 ? n->in[2] : -1, n->attrs.linear.act_quant, false);
        size += matrix_size(&m);
    }
    return size;
}

/* ---------------------------------------------------------------- one panel */

typedef struct packer {
    wick_backend_plan *p;
    const wick_plan_options *options;
    uint8_t *scratch; /* per thread: 16 rows unpacked */
    size_t scratch_size;
    _Atomic int64_t next;    /* unit that nobody has taken */
    _Atomic int64_t *n_left; /* [n_matrix]: units that are not packed */
    _Atomic bool odd_scales;
} packer;

/* The weight row behind column c of a panel, or -1: none. */
static int64_t column_row(const cpu_matrix *m, int64_t panel, int c) {
    if (!m->paired) {
        int64_t row = panel * WICK_PANEL + c;
        return row < m->n ? row : -1;
    }
    int64_t half = m->n / 2, side = panel >= m->n_panel / 2, row = (panel - side * (m->n_panel / 2)) * WICK_PANEL + c;
    return row < half ? row + side * half : -1;
}

static const wick_part *find_part(const wick_value *w, int64_t *row) {
    const wick_part *part = w->parts;
    while (*row >= part->n_row) *row -= part++->n_row;
    if (part->row_map) *row = part->row_map[*row];
    return part;
}

/* The scales of a row, on their way into a panel. */
static void look_at_scales(packer *pk, wick_dtype dtype, const void *scales, int64_t n) {
    bool normal = dtype == WICK_F32    ? wick_scales_normal_f32(scales, (uint64_t)n)
                  : dtype == WICK_BF16 ? wick_scales_normal_bf16(scales, (uint64_t)n)
                                       : false;
    if (!normal) atomic_store_explicit(&pk->odd_scales, true, memory_order_relaxed);
}

static void pack_q4(packer *pk, const cpu_matrix *m, const wick_value *w, int64_t panel, uint8_t *scratch) {
    const uint8_t *rows[WICK_PANEL];
    const uint16_t *scale_rows[WICK_PANEL];
    int64_t n_group = m->k / w->scheme.group;
    for (int c = 0; c < WICK_PANEL; c++) {
        int64_t row = column_row(m, panel, c);
        rows[c] = NULL, scale_rows[c] = NULL;
        if (row < 0) continue;
        const wick_part *part = find_part(w, &row);
        rows[c] = (const uint8_t *)part->data.bytes + row * (m->k / 2);
        uint16_t *scales = (uint16_t *)(void *)(scratch + (size_t)(c * n_group) * 2);
        memcpy(scales, (const uint8_t *)part->scales.bytes + row * n_group * 2, (size_t)n_group * 2);
        look_at_scales(pk, WICK_BF16, scales, n_group);
        scale_rows[c] = scales;
    }
    wick_q4_pack_panel(rows, scale_rows, m->k, w->scheme.group, m->panels + (size_t)panel * m->panel_size, m->colsum + panel * WICK_PANEL);
}

static void pack_q8(packer *pk, const cpu_matrix *m, const wick_value *w, int64_t panel, uint8_t *scratch) {
    const int8_t *rows[WICK_PANEL];
    const wick_scheme *s = &w->scheme;
    for (int c = 0; c < WICK_PANEL; c++) {
        int64_t row = column_row(m, panel, c);
        rows[c] = NULL;
        m->colsum[panel * WICK_PANEL + c] = 0;
        if (row < 0) continue;
        const wick_part *part = find_part(w, &row);
        const uint8_t *scale = (const uint8_t *)part->scales.bytes + row * (int64_t)wick_dtype_size(s->scale_dtype);
        m->colsum[panel * WICK_PANEL + c] = cpu_load_float(s->scale_dtype, scale);
        look_at_scales(pk, s->scale_dtype, scale, 1);
        const uint8_t *codes = (const uint8_t *)part->data.bytes + row * ((m->k * s->bits + 7) / 8);
        if (s->bits == 8) {
            rows[c] = (const int8_t *)codes;
            continue;
        }
        int8_t *y = (int8_t *)scratch + c * m->k;
        bool high = s->packing == WICK_PACK_HIGH_FIRST;
        for (int64_t k = 0; k < m->k; k++) y[k] = (int8_t)((codes[k / 2] >> ((k % 2 == 0) == high ? 4 : 0) & 15) - 8);
        rows[c] = y;
    }
    wick_q8_pack_panel(rows, m->k, m->panels + (size_t)panel * m->panel_size, m->wsum + panel * WICK_PANEL);
}

/* Integer weights for unquantized activations. */
static void pack_dequantized(packer *pk, const cpu_matrix *m, const wick_value *w, int64_t panel, uint8_t *scratch) {
    const void *rows[WICK_PANEL];
    for (int c = 0; c < WICK_PANEL; c++) {
        int64_t row = column_row(m, panel, c);
        rows[c] = NULL;
        if (row < 0) continue;
        float *y = (float *)(void *)scratch + c * m->k;
        cpu_const_row(&pk->p->kernels, w, row, m->k, y);
        const wick_part *part = find_part(w, &row);
        int64_t n_group = w->scheme.group ? (m->k + w->scheme.group - 1) / w->scheme.group : 1;
        const uint8_t *scales = (const uint8_t *)part->scales.bytes + row * n_group * (int64_t)wick_dtype_size(w->scheme.scale_dtype);
        look_at_scales(pk, w->scheme.scale_dtype, scales, n_group);
        rows[c] = y;
    }
    wick_float_pack_panel(rows, m->k, 4, 4, m->panels + (size_t)panel * m->panel_size);
}

static void pack_float(const cpu_matrix *m, const wick_value *w, int64_t panel) {
    size_t size = wick_dtype_size(w->dtype);
    uint8_t *dst = m->panels + (size_t)panel * m->panel_size;
    /* Rows of one panel may lie in different parts; a kernel call takes one distance between elements, so each kind of
     * storage in the panel is one call on its own columns and the results are put side by side. One kind is the rule. */
    const void *rows[WICK_PANEL];
    size_t stride[WICK_PANEL];
    for (int c = 0; c < WICK_PANEL; c++) {
        int64_t row = column_row(m, panel, c);
        rows[c] = NULL, stride[c] = size;
        if (row < 0) continue;
        const wick_part *part = find_part(w, &row);
        const uint8_t *data = part->data.bytes;
        if (part->transposed) {
            stride[c] = part->row_stride ? (size_t)part->row_stride : (size_t)part->n_row * size;
            rows[c] = data + (size_t)row * size;
        } else {
            rows[c] = data + row * (part->row_stride ? part->row_stride : m->k * (int64_t)size);
        }
    }
    bool uniform = true;
    for (int c = 1; c < WICK_PANEL; c++) uniform = uniform && (!rows[c] || stride[c] == stride[0]);
    if (uniform) {
        wick_float_pack_panel(rows, m->k, size, stride[0], dst);
        return;
    }

    for (int64_t k = 0; k < m->k; k++)
        for (int c = 0; c < WICK_PANEL; c++) {
            uint8_t *y = dst + ((size_t)k * WICK_PANEL + (size_t)c) * size;
            if (rows[c])
                memcpy(y, (const uint8_t *)rows[c] + (size_t)k * stride[c], size);
            else
                memset(y, 0, size);
        }
}

static void pack_panel(packer *pk, const cpu_matrix *m, const wick_value *w, int64_t panel, uint8_t *scratch) {
    if (m->kind == CPU_W_Q4)
        pack_q4(pk, m, w, panel, scratch);
    else if (m->kind == CPU_W_Q8)
        pack_q8(pk, m, w, panel, scratch);
    else if (w->scheme.kind == WICK_SCHEME_INT)
        pack_dequantized(pk, m, w, panel, scratch);
    else
        pack_float(m, w, panel);
}

/* ---------------------------------------------------------------- bias, and pages that are no longer needed */

static void pack_bias(const packer *pk, const cpu_matrix *m, int64_t panel) {
    if (!m->bias) return;
    const wick_value *b = &pk->p->g->values[m->bias_value];
    for (int c = 0; c < WICK_PANEL; c++) {
        int64_t row = column_row(m, panel, c);
        float *y = &m->bias[panel * WICK_PANEL + c];
        *y = 0;
        if (row < 0) continue;
        const wick_part *part = find_part(b, &row);
        const uint8_t *src = (const uint8_t *)part->data.bytes + row * (int64_t)wick_dtype_size(b->dtype);
        *y = cpu_load_float(b->dtype, src);
        if (part->negated) *y = -*y;
    }
}

static void forget_source(const packer *pk, const wick_source *s, uint64_t n_row, uint64_t from, uint64_t to) {
    uint64_t row_size = n_row ? s->size / n_row : 0;
    if (s->size) pk->options->forget(pk->options->forget_user, (const uint8_t *)s->bytes + from * row_size, (to - from) * row_size);
}

/* Rows [from, to) of a weight have been packed. */
static void forget_rows(const packer *pk, const wick_value *w, int64_t from, int64_t to) {
    for (int i = 0; i < w->n_part; from -= w->parts[i].n_row, to -= w->parts[i].n_row, i++) {
        const wick_part *part = &w->parts[i];
        int64_t begin = from > 0 ? from : 0, end = to < part->n_row ? to : part->n_row;
        if (begin >= end || part->row_map || part->transposed) continue; /* rows of this run lie among those of others */
        forget_source(pk, &part->data, (uint64_t)part->n_row, (uint64_t)begin, (uint64_t)end);
        forget_source(pk, &part->scales, (uint64_t)part->n_row, (uint64_t)begin, (uint64_t)end);
    }
}

/* All of it has: also what rows shared, and pages that the system brought along with a neighbour. */
static void forget_all(const packer *pk, const wick_value *w) {
    for (int i = 0; i < w->n_part; i++) {
        forget_source(pk, &w->parts[i].data, 1, 0, 1);
        forget_source(pk, &w->parts[i].scales, 1, 0, 1);
    }
}

/* ---------------------------------------------------------------- all of them
 *
 * A unit of work is a run of panels of one matrix (of one half, if it is paired). Every thread walks forward through the matrices and
 * takes the next unit that no other has taken: who is slower takes fewer, and nobody waits. */

static int64_t panels_of_side(const cpu_matrix *m) { return m->paired ? m->n_panel / 2 : m->n_panel; }

static int64_t panels_of_unit(const cpu_matrix *m) { return (int64_t)m->panel_size < UNIT_SIZE ? UNIT_SIZE / (int64_t)m->panel_size : 1; }

static int64_t units_of_side(const cpu_matrix *m) { return (panels_of_side(m) + panels_of_unit(m) - 1) / panels_of_unit(m); }

static int64_t units_of(const cpu_matrix *m) { return m->paired ? 2 * units_of_side(m) : units_of_side(m); }

static void pack_unit(packer *pk, size_t i_matrix, int64_t i_unit, uint8_t *scratch) {
    const cpu_matrix *m = &pk->p->matrices[i_matrix];
    const wick_value *w = &pk->p->g->values[m->value];
    int64_t side = i_unit / units_of_side(m), from = i_unit % units_of_side(m) * panels_of_unit(m), to = from + panels_of_unit(m);
    if (to > panels_of_side(m)) to = panels_of_side(m);
    for (int64_t i = from; i < to; i++) {
        int64_t panel = side * panels_of_side(m) + i;
        pack_panel(pk, m, w, panel, scratch);
        pack_bias(pk, m, panel);
    }
    bool last = atomic_fetch_sub(&pk->n_left[i_matrix], 1) == 1;
    if (pk->options->keep_weights || !pk->options->forget) return;
    int64_t n_row = m->paired ? m->n / 2 : m->n, end = to * WICK_PANEL < n_row ? to * WICK_PANEL : n_row;
    if (last)
        forget_all(pk, w);
    else
        forget_rows(pk, w, side * n_row + from * WICK_PANEL, side * n_row + end);
}

static void pack_all(void *arg, int i_thread, int n_thread) {
    packer *pk = arg;
    uint8_t *scratch = pk->scratch + (size_t)i_thread * pk->scratch_size;
    int64_t before = 0; /* units of the matrices before the i-th */
    (void)n_thread;
    for (size_t i = 0;;) {
        int64_t unit = atomic_fetch_add(&pk->next, 1);
        for (; i < pk->p->n_matrix && unit - before >= units_of(&pk->p->matrices[i]); i++) before += units_of(&pk->p->matrices[i]);
        if (i == pk->p->n_matrix) return;
        pack_unit(pk, i, unit - before, scratch);
    }
}

/* Sizes and places; the sums cannot overflow because every weight's bytes exist in memory. */
static void lay_out(wick_backend_plan *p, size_t *scratch_size) {
    uint64_t at = 0;
    *scratch_size = 64;
    for (size_t i = 0; i < p->n_matrix; i++) {
        cpu_matrix *m = &p->matrices[i];
        m->offset = (size_t)at;
        at += matrix_size(m);
        size_t need = (size_t)(WICK_PANEL * m->k_pad * 4);
        if (need > *scratch_size) *scratch_size = need;
    }
    p->weights_size = at;
}

static void set_pointers(wick_backend_plan *p) {
    for (size_t i = 0; i < p->n_matrix; i++) {
        cpu_matrix *m = &p->matrices[i];
        uint8_t *at = p->weights + m->offset;
        size_t lanes = (size_t)m->n_panel * WICK_PANEL * 4;
        m->panels = at;
        at += (size_t)m->n_panel * m->panel_size;
        if (m->kind == CPU_W_Q4 || m->kind == CPU_W_Q8) m->colsum = (float *)(void *)at, at += lanes;
        if (m->kind == CPU_W_Q8) m->wsum = (int32_t *)(void *)at, at += lanes;
        if (m->bias_value >= 0) m->bias = (float *)(void *)at;
    }
}

wick_status cpu_pack(wick_backend_plan *p, const wick_plan_options *options, wick_pool *pool, wick_error *err) {
    packer pk = {.p = p, .options = options};
    lay_out(p, &pk.scratch_size);
    p->weights = wick_alloc_aligned(p->weights_size ? p->weights_size : 64, 64);
    pk.scratch = wick_alloc_aligned(pk.scratch_size * (size_t)wick_pool_size(pool), 64);
    pk.n_left = wick_calloc(p->n_matrix + 1, sizeof *pk.n_left);
    wick_status status = p->weights && pk.scratch && pk.n_left ? WICK_OK : wick_fail_nomem(err);
    if (status == WICK_OK) {
        set_pointers(p);
        for (size_t i = 0; i < p->n_matrix; i++) pk.n_left[i] = units_of(&p->matrices[i]);
        wick_pool_run(pool, pack_all, &pk);
        if (options->odd_scales) *options->odd_scales = pk.odd_scales;
    }
    wick_free((void *)pk.n_left);
    wick_free_aligned(pk.scratch);
    return status;
}
