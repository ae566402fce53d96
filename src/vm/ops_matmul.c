/* Matrix products and convolutions. Sums are kept in double and rounded once. */
#include "vm/ops.h"

#include "base/checked.h"

double wick_dot(const float *a, const float *b, int64_t n) {
    enum { LANES = 8 }; /* independent sums, so that the compiler may use vectors */
    double acc[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) acc[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < n; i++) sum += (double)a[i] * (double)b[i];
    for (int j = 0; j < LANES; j++) sum += acc[j];
    return sum;
}

const float *wick_vt_floats(const wick_vt *t, float *space) {
    if (t->type == WICK_ST_FLOAT) return (const float *)t->data;
    for (uint64_t i = 0, n = wick_vt_count(t); i < n; i++) space[i] = (float)wick_vt_real(t, i);
    return space;
}

/* Room for one tensor's wick_vt_floats. */
static uint64_t float_space(const wick_vt *t) { return t->type == WICK_ST_FLOAT ? 0 : wick_vt_count(t) * sizeof(float); }

static wick_status need_floats(const wick_vt *const *tensors, int n, wick_error *err) {
    for (int i = 0; i < n; i++)
        if (tensors[i] && (!wick_vt_is_real(tensors[i]->type) || tensors[i]->type == WICK_ST_DOUBLE))
            return wick_fail(err, WICK_EUNSUPPORTED, "a product of tensors of type %s", wick_scalar_name(tensors[i]->type));
    return WICK_OK;
}

/* linear(x [.., K], weight [N, K], bias?, out [.., N]). */
wick_status wick_vm_linear(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *weight = wick_call_tensor(c, 1), *bias = wick_call_tensor_or_null(c, 2);
    wick_vt *out = wick_call_tensor(c, 3);
    const wick_vt *all[4] = {x, weight, bias, out};
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(need_floats(all, 4, c->err));
    if (!x->rank || weight->rank != 2 || wick_vt_last(x) != weight->dims[1] || (bias && wick_vt_count(bias) != (uint64_t)weight->dims[0]))
        return wick_vt_mismatch(c->err, "a linear layer's weight", weight, x);
    int64_t k = weight->dims[1], n = weight->dims[0];
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = (int32_t)n;
    WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
    float *space = wick_vm_scratch(c->vm, float_space(x) + (uint64_t)k * sizeof *space);
    if (!space) return wick_fail_nomem(c->err);
    const float *xs = wick_vt_floats(x, space + k);
    int64_t rows = wick_vt_span(x, 0, x->rank - 1);
    for (int64_t i = 0; i < n; i++) {
        wick_vt row = {.type = weight->type,
                       .rank = 1,
                       .dims = {(int32_t)k},
                       .data = k ? weight->data + (size_t)(i * k) * wick_scalar_size(weight->type) : NULL};
        const float *w = wick_vt_floats(&row, space);
        double b = bias ? wick_vt_real(bias, (uint64_t)i) : 0;
        for (int64_t m = 0; m < rows; m++) wick_vt_set_real(out, (uint64_t)(m * n + i), wick_dot(xs + m * k, w, k) + b);
    }
    return WICK_OK;
}

void wick_matmul(const float *a, const float *b, int64_t m, int64_t k, int64_t n, double *sums, wick_vt *out, uint64_t at) {
    for (int64_t row = 0; row < m; row++) {
        for (int64_t j = 0; j < n; j++) sums[j] = 0;
        for (int64_t i = 0; i < k; i++) {
            double v = a[row * k + i];
            const float *line = b + i * n;
            for (int64_t j = 0; j < n; j++) sums[j] += v * (double)line[j];
        }
        for (int64_t j = 0; j < n; j++) wick_vt_set_real(out, at++, sums[j]);
    }
}

/* a [B.., M, K] x b [B.., K, N]: batches were compared by the caller. */
static wick_status products(wick_call *c, const wick_vt *a, const wick_vt *b, wick_vt *out) {
    const wick_vt *all[3] = {a, b, out};
    int rank = a->rank;
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(need_floats(all, 3, c->err));
    if (b->rank != rank || a->dims[rank - 1] != b->dims[rank - 2] || memcmp(a->dims, b->dims, (size_t)(rank - 2) * sizeof a->dims[0]))
        return wick_vt_mismatch(c->err, "a matrix product's right side", b, a);
    memcpy(dims, a->dims, sizeof dims);
    dims[rank - 1] = b->dims[rank - 1];
    WICK_TRY(wick_vt_resize(out, rank, dims, c->err));
    int64_t m = a->dims[rank - 2], k = a->dims[rank - 1], n = b->dims[rank - 1], batch = wick_vt_span(a, 0, rank - 2);
    uint64_t a_space = wick_align_up(float_space(a), 64), b_space = wick_align_up(float_space(b), 64);
    uint8_t *space = wick_vm_scratch(c->vm, a_space + b_space + (uint64_t)n * sizeof(double));
    if (!space) return wick_fail_nomem(c->err);
    const float *as = wick_vt_floats(a, (float *)space), *bs = wick_vt_floats(b, (float *)(space + a_space));
    if (!wick_vt_count(out)) return WICK_OK;
    for (int64_t i = 0; i < batch; i++)
        wick_matmul(as + i * m * k, bs + i * k * n, m, k, n, (double *)(space + a_space + b_space), out, (uint64_t)(i * m * n));
    return WICK_OK;
}

wick_status wick_vm_mm(wick_call *c) {
    const wick_vt *a = wick_call_tensor(c, 0), *b = wick_call_tensor(c, 1);
    if (a->rank != 2 || b->rank != 2) return wick_vt_mismatch(c->err, "a matrix product", b, a);
    return products(c, a, b, wick_call_tensor(c, 2));
}

wick_status wick_vm_bmm(wick_call *c) {
    const wick_vt *a = wick_call_tensor(c, 0), *b = wick_call_tensor(c, 1);
    if (a->rank != 3 || b->rank != 3) return wick_vt_mismatch(c->err, "a batch of matrix products", b, a);
    return products(c, a, b, wick_call_tensor(c, 2));
}

/* addmm(self, a, b, beta, alpha, out) = beta * self + alpha * a @ b, self broadcast. */
wick_status wick_vm_addmm(wick_call *c) {
    const wick_vt *self = wick_call_tensor(c, 0), *a = wick_call_tensor(c, 1), *b = wick_call_tensor(c, 2);
    wick_vt *out = wick_call_tensor(c, 5);
    double beta = wick_call_real(c, 3), alpha = wick_call_real(c, 4);
    int rank;
    int32_t dims[WICK_MAX_RANK];
    if (a->rank != 2 || b->rank != 2 || self == out) return wick_vt_mismatch(c->err, "a matrix product", b, a);
    WICK_TRY(products(c, a, b, out));
    const wick_vt *both[2] = {out, self};
    WICK_TRY(wick_walk_shape(both, 2, &rank, dims, c->err));
    if (rank != 2 || memcmp(dims, out->dims, sizeof dims[0] * 2)) return wick_vt_mismatch(c->err, "what is added to a product", self, out);
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, &self, 1); more; more = wick_walk_next(&w))
        wick_vt_set_real(out, w.i, beta * wick_vt_real(self, w.at[0]) + alpha * wick_vt_real(out, w.i));
    return WICK_OK;
}

/* ---------------------------------------------------------------- convolution */

/* One or two spatial dims; one is two with height 1. */
typedef struct conv {
    int64_t n, c_in, c_out, groups;
    int64_t in[2], kernel[2], out[2], stride[2], pad[2], dilation[2];
} conv;

static wick_status conv_numbers(wick_call *c, int arg, int n_dim, int64_t least, int64_t v[2]) {
    int64_t list[2];
    int n;
    WICK_TRY(wick_call_ints(c, arg, 2, list, &n));
    if (n != 1 && n != n_dim) return wick_fail(c->err, WICK_EFORMAT, "%d numbers for a convolution of %d dimensions", n, n_dim);
    for (int i = 0; i < n_dim; i++) {
        v[2 - n_dim + i] = list[n == 1 ? 0 : i];
        if (list[n == 1 ? 0 : i] < least || list[n == 1 ? 0 : i] > INT32_MAX)
            return wick_fail(c->err, WICK_EFORMAT, "a convolution with the number %lld", (long long)list[n == 1 ? 0 : i]);
    }
    return WICK_OK;
}

static wick_status conv_init(wick_call *c, conv *p, const wick_vt *x, const wick_vt *w) {
    int n_dim = x->rank - 2;
    *p = (conv){.in = {1, 1}, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = wick_call_int(c, 8)};
    if (n_dim < 1 || n_dim > 2 || w->rank != x->rank) return wick_vt_mismatch(c->err, "a convolution's filter", w, x);
    if (wick_call_bool(c, 6)) return wick_fail(c->err, WICK_EUNSUPPORTED, "a transposed convolution");
    WICK_TRY(conv_numbers(c, 3, n_dim, 1, p->stride));
    WICK_TRY(conv_numbers(c, 4, n_dim, 0, p->pad));
    WICK_TRY(conv_numbers(c, 5, n_dim, 1, p->dilation));
    p->n = x->dims[0], p->c_in = x->dims[1], p->c_out = w->dims[0];
    if (p->groups < 1 || p->c_in % p->groups || p->c_out % p->groups || w->dims[1] != p->c_in / p->groups)
        return wick_vt_mismatch(c->err, "a convolution's filter", w, x);
    for (int i = 0; i < n_dim; i++) {
        int j = 2 - n_dim + i;
        p->in[j] = x->dims[2 + i], p->kernel[j] = w->dims[2 + i];
    }
    for (int j = 0; j < 2; j++) {
        int64_t span = p->in[j] + 2 * p->pad[j] - p->dilation[j] * (p->kernel[j] - 1) - 1;
        p->out[j] = span < 0 ? 0 : span / p->stride[j] + 1;
    }
    return WICK_OK;
}

static double conv_at(const conv *p, const wick_vt *x, const wick_vt *w, int64_t n, int64_t oc, int64_t oy, int64_t ox) {
    int64_t each = p->c_in / p->groups, from = oc / (p->c_out / p->groups) * each;
    double sum = 0;
    for (int64_t ic = 0; ic < each; ic++)
        for (int64_t ky = 0; ky < p->kernel[0]; ky++)
            for (int64_t kx = 0; kx < p->kernel[1]; kx++) {
                int64_t y = oy * p->stride[0] - p->pad[0] + ky * p->dilation[0], z = ox * p->stride[1] - p->pad[1] + kx * p->dilation[1];
                if (y < 0 || y >= p->in[0] || z < 0 || z >= p->in[1]) continue;
                sum += wick_vt_real(x, (uint64_t)(((n * p->c_in + from + ic) * p->in[0] + y) * p->in[1] + z)) *
                       wick_vt_real(w, (uint64_t)(((oc * each + ic) * p->kernel[0] + ky) * p->kernel[1] + kx));
            }
    return sum;
}

/* convolution(x [N, C, ..], weight [O, C / groups, ..], bias?, stride, padding, dilation, transposed, output_padding, groups, out). */
wick_status wick_vm_convolution(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0), *w = wick_call_tensor(c, 1), *bias = wick_call_tensor_or_null(c, 2);
    wick_vt *out = wick_call_tensor(c, 9);
    conv p;
    int32_t dims[4];
    WICK_TRY(conv_init(c, &p, x, w));
    if (bias && wick_vt_count(bias) != (uint64_t)p.c_out) return wick_vt_mismatch(c->err, "a convolution's bias", bias, w);
    dims[0] = (int32_t)p.n, dims[1] = (int32_t)p.c_out;
    for (int i = 2; i < x->rank; i++) {
        int64_t d = p.out[4 - x->rank + i - 2];
        if (d > INT32_MAX) return wick_fail(c->err, WICK_EFORMAT, "a convolution with a result of %lld", (long long)d);
        dims[i] = (int32_t)d;
    }
    WICK_TRY(wick_vt_resize(out, x->rank, dims, c->err));
    uint64_t at = 0;
    for (int64_t n = 0; n < p.n; n++)
        for (int64_t oc = 0; oc < p.c_out; oc++)
            for (int64_t oy = 0; oy < p.out[0]; oy++)
                for (int64_t ox = 0; ox < p.out[1]; ox++)
                    wick_vt_set_real(out, at++, conv_at(&p, x, w, n, oc, oy, ox) + (bias ? wick_vt_real(bias, (uint64_t)oc) : 0));
    return WICK_OK;
}
