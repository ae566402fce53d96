/* Products in delegates.
 *
 * Quantized rows times 4-bit weights in groups, as XNNPACK accumulates them (fp32, groups ascending):
 *     acc = -z * colsum;  colsum = sum over groups of (sum of the codes) * s;  acc += S * s per group, S the exact integer sum;
 *     y = acc * d + bias.
 * Per-channel weights: y = ((S - z * W) * d) * s + bias. Float weights: sums in double, rounded once. */
#include "vm/xnn_vm.h"

#include "base/half.h"

#include <math.h>

/* ---------------------------------------------------------------- weights */

/* Codes of one output channel as int8. Four bits: low nibble first, 8 is zero. */
static void unpack_row(const wick_xnn_value *v, const wick_vt *w, int64_t row, int64_t k, int8_t *out) {
    if (v->dtype == WICK_XD_QCINT8) {
        memcpy(out, w->data + row * k, (size_t)k);
        return;
    }
    const uint8_t *bytes = w->data + row * ((k + 1) / 2);
    for (int64_t i = 0; i + 1 < k; i += 2) {
        out[i] = (int8_t)((bytes[i / 2] & 15) - 8);
        out[i + 1] = (int8_t)((bytes[i / 2] >> 4) - 8);
    }
    if (k % 2) out[k - 1] = (int8_t)((bytes[k / 2] & 15) - 8);
}

/* Scale i of a quantized weight: per group bf16 (older files: fp32, truncated upwards to bf16 as stock does), per channel fp32. */
static float scale_at(const wick_xnn *x, const wick_xnn_value *v, int64_t i) {
    bool grouped = v->dtype == WICK_XD_QBINT4;
    if (v->scale_constant) {
        const uint8_t *p = x->constants[v->scale_constant].bytes.data;
        return grouped ? wick_bf16_to_f32(wick_load_u16(p + 2 * i)) : wick_load_f32(p + 4 * i);
    }
    if (grouped && v->scales_bf16) return wick_bf16_to_f32(v->scales_bf16[i]);
    if (grouped) return wick_bf16_to_f32((uint16_t)(wick_bits_from_f32(v->scales[i] * 1.00389105f) >> 16));
    return v->scales[i];
}

/* Exact sum of products; 2^16 products of int8 fit 32 bits. */
static int64_t code_dot(const int8_t *a, const int8_t *b, int64_t n) {
    int64_t sum = 0;
    for (int64_t from = 0; from < n; from += 65536) {
        int64_t to = from + 65536 < n ? from + 65536 : n;
        int32_t part = 0;
        for (int64_t i = from; i < to; i++) part += (int32_t)a[i] * b[i];
        sum += part;
    }
    return sum;
}

static int64_t code_sum(const int8_t *a, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i];
    return sum;
}

/* ---------------------------------------------------------------- fully connected */

typedef struct fc {
    const wick_xnn *x;
    const wick_xnn_value *w_value;
    const wick_vt *in, *w, *bias;
    wick_vt *out;
    int64_t rows, k, n;
} fc;

/* One output channel of all rows; w: its codes; bias: 0 if there is none. */
static void grouped_channel(const fc *f, int64_t channel, const int8_t *w, float bias) {
    const wick_row_quant *rows = wick_vx_rows(f->in);
    int64_t size = f->w_value->group_size, n_group = f->k / size;
    float colsum = 0;
    for (int64_t g = 0; g < n_group; g++)
        colsum = fmaf((float)code_sum(w + g * size, size), scale_at(f->x, f->w_value, channel * n_group + g), colsum);
    for (int64_t m = 0; m < f->rows; m++) {
        const int8_t *a = (const int8_t *)f->in->data + m * f->k;
        float acc = (float)-rows[m].zero * colsum;
        for (int64_t g = 0; g < n_group; g++)
            acc = fmaf((float)code_dot(a + g * size, w + g * size, size), scale_at(f->x, f->w_value, channel * n_group + g), acc);
        wick_vt_set_real(f->out, (uint64_t)(m * f->n + channel), acc * rows[m].scale + bias);
    }
}

static void plain_channel(const fc *f, int64_t channel, const int8_t *w, float bias) {
    const wick_row_quant *rows = wick_vx_rows(f->in);
    float scale = scale_at(f->x, f->w_value, channel);
    int64_t sum = code_sum(w, f->k);
    for (int64_t m = 0; m < f->rows; m++) {
        int64_t s = code_dot((const int8_t *)f->in->data + m * f->k, w, f->k) - rows[m].zero * sum;
        wick_vt_set_real(f->out, (uint64_t)(m * f->n + channel), (float)s * rows[m].scale * scale + bias);
    }
}

static wick_status quantized_rows(wick_vm *vm, const fc *f, wick_error *err) {
    int8_t *w = wick_vm_scratch(vm, (uint64_t)f->k);
    if (!w) return wick_fail_nomem(err);
    for (int64_t i = 0; i < f->n; i++) {
        float bias = f->bias ? (float)wick_vt_real(f->bias, (uint64_t)i) : 0;
        unpack_row(f->w_value, f->w, i, f->k, w);
        if (f->w_value->dtype == WICK_XD_QBINT4)
            grouped_channel(f, i, w, bias);
        else
            plain_channel(f, i, w, bias);
    }
    return WICK_OK;
}

/* A channel of weights as floats, whatever they are stored as. */
static void float_row(const fc *f, int64_t channel, bool transposed, int8_t *codes, float *out) {
    bool quantized = f->w_value->dtype == WICK_XD_QBINT4 || f->w_value->dtype == WICK_XD_QCINT4 || f->w_value->dtype == WICK_XD_QCINT8;
    if (quantized) {
        int64_t size = f->w_value->dtype == WICK_XD_QBINT4 ? f->w_value->group_size : f->k;
        unpack_row(f->w_value, f->w, channel, f->k, codes);
        for (int64_t i = 0; i < f->k; i++) out[i] = (float)codes[i] * scale_at(f->x, f->w_value, channel * (f->k / size) + i / size);
        return;
    }
    for (int64_t i = 0; i < f->k; i++) out[i] = (float)wick_vt_real(f->w, (uint64_t)(transposed ? i * f->n + channel : channel * f->k + i));
}

static wick_status float_rows(wick_vm *vm, const fc *f, bool transposed, wick_error *err) {
    uint64_t n_in = f->in->type == WICK_ST_FLOAT ? 0 : wick_vt_count(f->in);
    float *space = wick_vm_scratch(vm, (n_in + (uint64_t)f->k) * sizeof(float) + (uint64_t)f->k);
    if (!space) return wick_fail_nomem(err);
    const float *in = wick_vt_floats(f->in, space + f->k), *w = space;
    for (int64_t i = 0; i < f->n; i++) {
        double bias = f->bias ? wick_vt_real(f->bias, (uint64_t)i) : 0;
        if (f->w_value->dtype == WICK_XD_FP32 && !transposed)
            w = (const float *)(const void *)f->w->data + i * f->k;
        else
            float_row(f, i, transposed, (int8_t *)(space + f->k + n_in), space);
        for (int64_t m = 0; m < f->rows; m++) wick_vt_set_real(f->out, (uint64_t)(m * f->n + i), wick_dot(in + m * f->k, w, f->k) + bias);
    }
    return WICK_OK;
}

wick_status wick_vx_fully_connected(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err) {
    bool transposed = n->flags & 1;
    fc f = {.x = d->x,
            .w_value = &d->x->values[n->in[1]],
            .in = &d->values[n->in[0]],
            .w = &d->values[n->in[1]],
            .out = &d->values[n->out],
            .bias = n->in[2] == WICK_XNN_NONE ? NULL : &d->values[n->in[2]]};
    f.k = f.w->dims[!transposed], f.n = f.w->dims[transposed];
    f.rows = wick_vt_span(f.in, 0, f.in->rank - 1);
    return d->x->values[n->in[0]].dtype == WICK_XD_QDINT8 ? quantized_rows(vm, &f, err) : float_rows(vm, &f, transposed, err);
}

/* ---------------------------------------------------------------- products of activations */

wick_status wick_vx_batch_matmul(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err) {
    const wick_vt *a = &d->values[n->in[0]], *b = &d->values[n->in[1]];
    wick_vt *out = &d->values[n->out], heads[3] = {*a, *b, *out};
    const wick_vt *both[2] = {&heads[0], &heads[1]};
    int64_t m = a->dims[a->rank - 2], k = wick_vt_last(a), cols = wick_vt_last(b);
    uint64_t n_a = wick_vt_count(a), n_b = wick_vt_count(b);
    double *sums = wick_vm_scratch(vm, (uint64_t)cols * sizeof(double) + (n_a + n_b) * sizeof(float));
    if (!sums) return wick_fail_nomem(err);
    const float *as = wick_vt_floats(a, (float *)(sums + cols)), *bs = wick_vt_floats(b, (float *)(sums + cols) + n_a);
    for (int i = 0; i < 3; i++) heads[i].rank -= 2;
    if (!wick_vt_count(out)) return WICK_OK;
    wick_walk w;
    for (bool more = wick_walk_begin(&w, &heads[2], both, 2); more; more = wick_walk_next(&w))
        wick_matmul(as + (int64_t)w.at[0] * m * k, bs + (int64_t)w.at[1] * k * cols, m, k, cols, sums, out, w.i * (uint64_t)(m * cols));
    return WICK_OK;
}

/* ---------------------------------------------------------------- convolution, NHWC */

static double conv_at(const wick_vt *x, const wick_vt *w, const wick_xnn_node *n, int64_t b, int64_t oy, int64_t ox, int64_t oc) {
    const uint32_t *p = n->conv;
    bool depthwise = n->op == WICK_XNN_DEPTHWISE_CONV2D;
    int64_t each = depthwise ? 1 : p[10], from = depthwise ? oc / p[11] : oc / p[11] * p[10], height = x->dims[1], width = x->dims[2];
    double sum = 0;
    for (int64_t ky = 0; ky < p[4]; ky++)
        for (int64_t kx = 0; kx < p[5]; kx++) {
            int64_t y = oy * p[6] + ky * p[8] - p[0], z = ox * p[7] + kx * p[9] - p[3];
            if (y < 0 || y >= height || z < 0 || z >= width) continue;
            uint64_t at = (uint64_t)(((b * height + y) * width + z) * x->dims[3] + from);
            uint64_t tap = (uint64_t)(ky * p[5] + kx);
            for (int64_t ic = 0; ic < each; ic++) {
                uint64_t w_at =
                    depthwise ? tap * (uint64_t)w->dims[3] + (uint64_t)oc : ((uint64_t)oc * p[4] * p[5] + tap) * p[10] + (uint64_t)ic;
                sum += wick_vt_real(x, at + (uint64_t)ic) * wick_vt_real(w, w_at);
            }
        }
    return sum;
}

void wick_vx_convolution(wick_vx *d, const wick_xnn_node *n) {
    const wick_vt *x = &d->values[n->in[0]], *w = &d->values[n->in[1]], *bias = n->in[2] == WICK_XNN_NONE ? NULL : &d->values[n->in[2]];
    wick_vt *out = &d->values[n->out];
    uint64_t at = 0;
    for (int64_t b = 0; b < out->dims[0]; b++)
        for (int64_t y = 0; y < out->dims[1]; y++)
            for (int64_t z = 0; z < out->dims[2]; z++)
                for (int64_t c = 0; c < out->dims[3]; c++)
                    wick_vt_set_real(out, at++, conv_at(x, w, n, b, y, z, c) + (bias ? wick_vt_real(bias, (uint64_t)c) : 0));
}
