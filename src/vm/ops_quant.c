/* Quantized tables, and conversion to and from integers: the quantized_decomposed:: operators. */
#include "vm/ops.h"

#include <math.h>

/* ---------------------------------------------------------------- embeddings */

/* Code j of a row. Four bits: the even element is the high nibble; two bits: the first is the lowest pair. */
static double code_at(const wick_vt *weight, int bits, int64_t row, int64_t d, int64_t j) {
    if (bits == 8) return wick_vt_real(weight, (uint64_t)(row * d + j));
    int per_byte = 8 / bits;
    int byte = weight->data[row * (d / per_byte) + j / per_byte];
    if (bits == 4) return (j % 2 ? byte & 15 : byte >> 4) - 8;
    return (byte >> 2 * (j % 4) & 3) - 2;
}

/* embedding_{byte,4bit,2bit}(weight, scales, zero_points?, min, max, indices, [dtype?,] out). variant: bits, + 16 without dtype.
 * scales: [V], or [V, groups]. */
wick_status wick_vm_embedding_quantized(wick_call *c) {
    const wick_vt *weight = wick_call_tensor(c, 0), *scales = wick_call_tensor(c, 1), *zeros = wick_call_tensor_or_null(c, 2);
    const wick_vt *indices = wick_call_tensor(c, 5);
    wick_vt *out = wick_call_tensor(c, c->variant & 16 ? 6 : 7);
    int bits = c->variant & 15;
    int32_t dims[WICK_MAX_RANK];
    int64_t n_group = scales->rank == 2 ? scales->dims[1] : 1, d = weight->rank == 2 ? (int64_t)weight->dims[1] * (8 / bits) : 0;
    bool fits = weight->rank == 2 && (scales->rank == 1 || scales->rank == 2) && scales->dims[0] == weight->dims[0] && n_group > 0 &&
                d % n_group == 0 && d <= INT32_MAX && wick_scalar_size(weight->type) == 1 && (!zeros || wick_vt_same_shape(zeros, scales));
    if (!fits) return wick_vt_mismatch(c->err, "the scales of an embedding", scales, weight);
    if (indices->type != WICK_ST_LONG && indices->type != WICK_ST_INT)
        return wick_fail(c->err, WICK_EUNSUPPORTED, "token ids of type %s", wick_scalar_name(indices->type));
    if (indices->rank == WICK_MAX_RANK) return wick_vt_mismatch(c->err, "the indices of an embedding", indices, out);
    memcpy(dims, indices->dims, sizeof dims);
    dims[indices->rank] = (int32_t)d;
    WICK_TRY(wick_vt_resize(out, indices->rank + 1, dims, c->err));
    for (uint64_t i = 0, n = wick_vt_count(indices); i < n; i++) {
        int64_t row = wick_vt_int(indices, i);
        if (row < 0 || row >= weight->dims[0])
            return wick_fail(c->err, WICK_EFORMAT, "index %lld, but there are %d rows", (long long)row, (int)weight->dims[0]);
        for (int64_t j = 0; j < d; j++) {
            uint64_t g = (uint64_t)(row * n_group + j / (d / n_group));
            double zero = zeros ? wick_vt_real(zeros, g) : 0;
            wick_vt_set_real(out, i * (uint64_t)d + (uint64_t)j, (code_at(weight, bits, row, d, j) - zero) * wick_vt_real(scales, g));
        }
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- choosing parameters */

/* The affine scheme of stock: the interval is widened to hold 0; tiny scales are cut off; the zero point comes from the end of the
 * interval whose rounding errs less. Interval ends are fp32, the rest is computed in fp64. */
static void choose(float lo, float hi, int64_t least_code, int64_t most_code, double *scale, int64_t *zero) {
    const float least = 6.1e-5f;
    const double code_min = (double)least_code, code_max = (double)most_code;
    const float span = (float)(code_max - code_min);
    lo = lo < 0 ? lo : 0, hi = hi > 0 ? hi : 0;
    double s = ((double)hi - (double)lo) / (code_max - code_min);
    if ((float)s == 0 || isinf(1 / (float)s)) s = 0.1;
    if (s < (double)least) {
        float grow = least / (float)s;
        if (lo == 0)
            hi = least * span;
        else if (hi == 0)
            lo = -least * span;
        else
            lo *= grow, hi *= grow;
        s = (double)least;
    }
    double from_lo = code_min - (double)lo / s, from_hi = code_max - (double)hi / s;
    double lo_error = fabs(code_min) - fabs((double)lo / s), hi_error = fabs(code_max) - fabs((double)hi / s);
    double z = lo_error < hi_error ? from_lo : from_hi;
    *scale = s;
    *zero = z > code_min ? z < code_max ? wick_saturate(rint(z)) : most_code : least_code;
}

/* choose_qparams_per_token_asymmetric(x [.., K], dtype, scales [.., 1], zero_points [.., 1], results). */
wick_status wick_vm_choose_qparams_token(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *scales = wick_call_tensor(c, 2), *zeros = wick_call_tensor(c, 3);
    int32_t dims[WICK_MAX_RANK];
    if (!x->rank) return wick_fail(c->err, WICK_EFORMAT, "quantization of a scalar by rows");
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = 1;
    WICK_TRY(wick_vt_resize(scales, x->rank, dims, c->err));
    WICK_TRY(wick_vt_resize(zeros, x->rank, dims, c->err));
    uint64_t k = (uint64_t)wick_vt_last(x);
    for (uint64_t row = 0, rows = wick_vt_count(scales); row < rows; row++) {
        float lo = 0, hi = 0;
        for (uint64_t j = 0; j < k; j++) {
            float v = (float)wick_vt_real(x, row * k + j);
            lo = v < lo ? v : lo, hi = v > hi ? v : hi;
        }
        double scale;
        int64_t zero;
        choose(lo, hi, -128, 127, &scale, &zero);
        wick_vt_set_real(scales, row, scale);
        wick_vt_set_int(zeros, row, zero);
    }
    return WICK_OK;
}

/* choose_qparams.Tensor(x, min, max, eps, dtype, scale, zero_point, results): one for all. */
wick_status wick_vm_choose_qparams_tensor(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *scale_out = wick_call_tensor(c, 5), *zero_out = wick_call_tensor(c, 6);
    int64_t least = wick_call_int(c, 1), most = wick_call_int(c, 2), zero;
    double scale;
    float lo = 0, hi = 0;
    if (least >= most || wick_vt_count(scale_out) != 1 || wick_vt_count(zero_out) != 1)
        return wick_fail(c->err, WICK_EFORMAT, "codes from %lld to %lld", (long long)least, (long long)most);
    for (uint64_t i = 0, n = wick_vt_count(x); i < n; i++) {
        float v = (float)wick_vt_real(x, i);
        lo = v < lo ? v : lo, hi = v > hi ? v : hi;
    }
    choose(lo, hi, least, most, &scale, &zero);
    wick_vt_set_real(scale_out, 0, scale);
    wick_vt_set_int(zero_out, 0, zero);
    return WICK_OK;
}

/* ---------------------------------------------------------------- quantize, dequantize */

/* As stock: the reciprocal and the product are fp32. */
static int64_t quantize(double x, double scale, int64_t zero, int64_t lo, int64_t hi) {
    float inverse = 1 / (float)scale;
    int64_t q = wick_saturate(rint((double)(float)(inverse * (float)x)));
    q = wick_binary_int(WICK_BIN_ADD, q < INT32_MIN ? INT32_MIN : q > INT32_MAX ? INT32_MAX : q, (int32_t)zero);
    return q < lo ? lo : q > hi ? hi : q;
}

/* Which scale belongs to element i: one in all, one per row of the last dim, or one per index of an axis. */
typedef struct grouping {
    const wick_vt *scales, *zeros;
    uint64_t inner, n; /* scale index = i / inner % n */
} grouping;

static wick_status grouping_init(wick_call *c, grouping *g, const wick_vt *x, const wick_vt *scales, const wick_vt *zeros, uint64_t inner,
                                 uint64_t n) {
    *g = (grouping){scales, zeros, inner ? inner : 1, n ? n : 1};
    if (wick_vt_count(scales) != n || (zeros && wick_vt_count(zeros) != n))
        return wick_vt_mismatch(c->err, "the scales of a quantized tensor", scales, x);
    return WICK_OK;
}

static void quantize_all(const wick_vt *x, const grouping *g, int64_t lo, int64_t hi, wick_vt *out) {
    for (uint64_t i = 0, n = wick_vt_count(x); i < n; i++) {
        uint64_t k = i / g->inner % g->n;
        wick_vt_set_int(out, i, quantize(wick_vt_real(x, i), wick_vt_real(g->scales, k), g->zeros ? wick_vt_int(g->zeros, k) : 0, lo, hi));
    }
}

static void dequantize_all(const wick_vt *x, const grouping *g, wick_vt *out) {
    for (uint64_t i = 0, n = wick_vt_count(x); i < n; i++) {
        uint64_t k = i / g->inner % g->n;
        double zero = g->zeros ? wick_vt_real(g->zeros, k) : 0;
        wick_vt_set_real(out, i, (wick_vt_real(x, i) - zero) * (double)(float)wick_vt_real(g->scales, k));
    }
}

/* quantize_per_token(x, scales, zeros, min, max, dtype, out). */
wick_status wick_vm_quantize_token(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 6);
    grouping g;
    WICK_TRY(grouping_init(c, &g, x, wick_call_tensor(c, 1), wick_call_tensor(c, 2), (uint64_t)wick_vt_last(x),
                           (uint64_t)wick_vt_span(x, 0, x->rank ? x->rank - 1 : 0)));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    quantize_all(x, &g, wick_call_int(c, 3), wick_call_int(c, 4), out);
    return WICK_OK;
}

/* dequantize_per_token(x, scales, zeros, min, max, dtype, output_dtype, out). */
wick_status wick_vm_dequantize_token(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 7);
    grouping g;
    WICK_TRY(grouping_init(c, &g, x, wick_call_tensor(c, 1), wick_call_tensor(c, 2), (uint64_t)wick_vt_last(x),
                           (uint64_t)wick_vt_span(x, 0, x->rank ? x->rank - 1 : 0)));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    dequantize_all(x, &g, out);
    return WICK_OK;
}

static wick_status by_channel(wick_call *c, grouping *g, const wick_vt *x) {
    int axis;
    WICK_TRY(wick_vt_axis(x, wick_call_int(c, 3), &axis, c->err));
    if (!x->rank) return wick_fail(c->err, WICK_EFORMAT, "channels of a scalar");
    return grouping_init(c, g, x, wick_call_tensor(c, 1), wick_call_tensor_or_null(c, 2), (uint64_t)wick_vt_span(x, axis + 1, x->rank),
                         (uint64_t)x->dims[axis]);
}

/* quantize_per_channel(x, scales, zeros, axis, min, max, dtype, out). */
wick_status wick_vm_quantize_channel(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 7);
    grouping g;
    WICK_TRY(by_channel(c, &g, x));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    quantize_all(x, &g, wick_call_int(c, 4), wick_call_int(c, 5), out);
    return WICK_OK;
}

/* dequantize_per_channel(x, scales, zeros?, axis, min, max, dtype, out_dtype?, out). */
wick_status wick_vm_dequantize_channel(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 8);
    grouping g;
    WICK_TRY(by_channel(c, &g, x));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    dequantize_all(x, &g, out);
    return WICK_OK;
}

/* One scale and zero point for all: numbers, or (bit 8 of the variant) tensors of one element. The rest of the variant is the position
 * of the result. */
static wick_status one_scale(wick_call *c, double *scale, int64_t *zero) {
    if (!(c->variant & 8)) {
        *scale = wick_call_real(c, 1);
        *zero = wick_call_int(c, 2);
        return WICK_OK;
    }
    const wick_vt *scales = wick_call_tensor(c, 1), *zeros = wick_call_tensor(c, 2);
    if (wick_vt_count(scales) != 1 || wick_vt_count(zeros) != 1)
        return wick_vt_mismatch(c->err, "the only scale of a tensor", scales, zeros);
    *scale = wick_vt_real(scales, 0);
    *zero = wick_vt_int(zeros, 0);
    return WICK_OK;
}

/* quantize_per_tensor(x, scale, zero, min, max, dtype, out). */
wick_status wick_vm_quantize_tensor(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, c->variant & 7);
    double scale;
    int64_t zero, lo = wick_call_int(c, 3), hi = wick_call_int(c, 4);
    WICK_TRY(one_scale(c, &scale, &zero));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    for (uint64_t i = 0, n = wick_vt_count(x); i < n; i++) wick_vt_set_int(out, i, quantize(wick_vt_real(x, i), scale, zero, lo, hi));
    return WICK_OK;
}

/* dequantize_per_tensor(x, scale, zero, min, max, dtype, out_dtype?, out). */
wick_status wick_vm_dequantize_tensor(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, c->variant & 7);
    double scale;
    int64_t zero;
    WICK_TRY(one_scale(c, &scale, &zero));
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    for (uint64_t i = 0, n = wick_vt_count(x); i < n; i++)
        wick_vt_set_real(out, i, (wick_vt_real(x, i) - (double)zero) * (double)(float)scale);
    return WICK_OK;
}
