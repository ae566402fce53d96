/* Constants: bytes of the program as the parts of graph constants. Nothing is copied. */
#include "base/half.h"
#include "base/mem.h"
#include "raise/raise_int.h"

wick_status wick_r_const_tensor(wick_raiser *r, int32_t evalue, wick_bytes bytes, wick_value_id *out) {
    const wick_pte_tensor *t = r->method->pte->values[evalue].tensor;
    int64_t dims[WICK_MAX_RANK];
    wick_dtype dtype;
    if (!wick_r_dtype(t->scalar_type, &dtype)) return wick_r_unsupported(r, "a constant of a type that graphs do not have");
    for (int i = 0; i < t->rank; i++) {
        dims[i] = t->dims[i];
        if (t->dim_order[i] != i) return wick_r_unsupported(r, "a constant whose dimensions are not in order");
    }
    wick_part part = {.n_row = t->rank ? dims[0] : 1, .data = wick_source_resident(bytes.data, bytes.size), .name = t->name};
    *out = wick_graph_const(r->g, dtype, t->rank, dims, (wick_scheme){0}, &part, 1);
    if (*out < 0) return wick_fail_nomem(r->err);
    r->g->values[*out].origin = evalue;
    return WICK_OK;
}

static wick_bytes xnn_bytes(const wick_xnn *x, uint32_t constant) { return x->constants[constant].bytes; }

/* The scales of a quantized weight, wherever the schema put them. */
static bool xnn_scales(const wick_xnn *x, const wick_xnn_value *v, wick_source *data, wick_dtype *dtype) {
    if (v->scale_constant) {
        wick_bytes b = xnn_bytes(x, v->scale_constant);
        *data = wick_source_resident(b.data, b.size);
        *dtype = v->quant == WICK_XQ_PER_CHANNEL_GROUP ? WICK_BF16 : WICK_F32;
    } else if (v->scales_bf16) {
        *data = wick_source_resident(v->scales_bf16, (uint64_t)v->n_scale * 2);
        *dtype = WICK_BF16;
    } else if (v->scales) {
        *data = wick_source_resident(v->scales, (uint64_t)v->n_scale * 4);
        *dtype = WICK_F32;
    } else {
        return false;
    }
    return true;
}

/* Files of older exporters have the scales of groups in fp32; XNNPACK shortens them by this rule, and so do graphs. */
static bool shorten_scales(wick_raiser *r, wick_source *scales, uint64_t n) {
    const uint8_t *from = scales->bytes;
    uint16_t *to = wick_graph_own(r->g, wick_calloc((size_t)n, sizeof *to));
    for (uint64_t i = 0; to && i < n; i++) to[i] = (uint16_t)(wick_bits_from_f32(wick_load_f32(from + 4 * i) * 1.00389105f) >> 16);
    if (to) *scales = wick_source_resident(to, n * sizeof *to);
    return to != NULL;
}

/* Symmetric weights [N, K] with scales along rows; anything else is not a weight that graphs can hold. */
static bool xnn_scheme(const wick_xnn_value *v, wick_scheme *s) {
    if (v->rank != 2 || v->channel_dim != 0) return false;
    s->kind = WICK_SCHEME_INT;
    if (v->dtype == WICK_XD_QBINT4 && v->quant == WICK_XQ_PER_CHANNEL_GROUP) {
        s->bits = 4;
        s->group = v->group_size;
        s->packing = WICK_PACK_LOW_FIRST;
        return v->group_size > 0;
    }
    if (v->quant != WICK_XQ_PER_CHANNEL) return false;
    s->bits = v->dtype == WICK_XD_QCINT4 ? 4 : 8;
    s->packing = v->dtype == WICK_XD_QCINT4 ? WICK_PACK_LOW_FIRST : WICK_PACK_BYTE;
    return v->dtype == WICK_XD_QCINT4 || v->dtype == WICK_XD_QCINT8;
}

wick_status wick_r_const_xnn(wick_raiser *r, const wick_xnn *x, uint32_t id, wick_value_id *out) {
    const wick_xnn_value *v = &x->values[id];
    wick_bytes bytes = xnn_bytes(x, v->constant);
    wick_part part = {.n_row = v->rank ? v->dims[0] : 1, .data = wick_source_resident(bytes.data, bytes.size)};
    wick_scheme scheme = {0};
    wick_dtype dtype = WICK_F32;
    int64_t dims[WICK_MAX_RANK];
    for (int i = 0; i < v->rank; i++) dims[i] = v->dims[i];
    if (v->dtype == WICK_XD_FP16) {
        dtype = WICK_F16;
    } else if (v->dtype == WICK_XD_BF16) {
        dtype = WICK_BF16;
    } else if (v->dtype != WICK_XD_FP32) {
        if (!xnn_scheme(v, &scheme) || !xnn_scales(x, v, &part.scales, &scheme.scale_dtype))
            return wick_r_unsupported(r, "a delegate's constant in a quantization that graphs do not have");
        if (scheme.group && scheme.scale_dtype == WICK_F32) {
            if (!shorten_scales(r, &part.scales, v->n_scale)) return wick_fail_nomem(r->err);
            scheme.scale_dtype = WICK_BF16;
        }
    }
    *out = wick_graph_const(r->g, dtype, v->rank, dims, scheme, &part, 1);
    return *out < 0 ? wick_fail_nomem(r->err) : WICK_OK;
}

bool wick_r_element(const wick_graph *g, wick_value_id id, int64_t i, double *out) {
    const wick_value *v = &g->values[id];
    if (v->kind != WICK_VALUE_CONST || v->scheme.kind != WICK_SCHEME_PLAIN || v->n_part != 1 || i < 0) return false;
    const wick_part *p = &v->parts[0];
    uint64_t size = wick_dtype_size(v->dtype);
    if (!p->data.bytes || p->row_stride || p->row_map || p->negated || p->transposed || (uint64_t)i >= p->data.size / size) return false;
    const uint8_t *at = (const uint8_t *)p->data.bytes + (uint64_t)i * size;
    switch (v->dtype) {
    case WICK_F32: *out = (double)wick_load_f32(at); return true;
    case WICK_F16: *out = (double)wick_f16_to_f32(wick_load_u16(at)); return true;
    case WICK_BF16: *out = (double)wick_bf16_to_f32(wick_load_u16(at)); return true;
    case WICK_I32: *out = (int32_t)wick_load_u32(at); return true;
    case WICK_I64: *out = (double)(int64_t)wick_load_u64(at); return true;
    default: return false;
    }
}

bool wick_r_uniform(const wick_graph *g, wick_value_id id, double *out) {
    const wick_value *v = &g->values[id];
    wick_dim n;
    double x;
    if (v->kind != WICK_VALUE_CONST || !wick_r_numel(v->dims, v->rank, &n) || n.c < 1 || !wick_r_element(g, id, 0, out)) return false;
    for (int64_t i = 1; i < n.c; i++)
        if (!wick_r_element(g, id, i, &x) || x != *out) return false;
    return true;
}
