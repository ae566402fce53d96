/* Linear attention by the gated delta rule (Yang, Kautz and Hatamizadeh, "Gated Delta Networks", 2024), as llama::gated_delta_rule of the
 * stock runtime has it: a state of one matrix [K, V] per head instead of a cache.
 *
 *     state = state * decay;  read = k . state;  state = state + k (v - read) beta;  out = q . state        for each token in turn */
#include "vm/ops.h"

typedef struct delta {
    const wick_vt *q, *k, *v, *decay, *beta;
    int64_t n_batch, n_query, n_head, n_token, d_key, d_value;
} delta;

static bool has_dims(const wick_vt *t, int rank, int64_t a, int64_t b, int64_t c, int64_t d) {
    int64_t dims[4] = {a, b, c, d};
    bool ok = t->rank == rank && t->type == WICK_ST_FLOAT;
    for (int i = 0; ok && i < rank; i++) ok = t->dims[i] == dims[i];
    return ok;
}

/* q [B, Hq, T, K], k [B, H, T, K], v [B, H, T, V], decay [B, H, T] or [B, H, T, K], beta [B, H, T], state [B, H, K, V] */
static bool measure(const wick_vt *state, delta *a) {
    if (a->q->rank != 4 || a->k->rank != 4 || a->v->rank != 4) return false;
    a->n_batch = a->k->dims[0], a->n_head = a->k->dims[1], a->n_token = a->k->dims[2], a->d_key = a->k->dims[3];
    a->n_query = a->q->dims[1], a->d_value = a->v->dims[3];
    int64_t b = a->n_batch, h = a->n_head, t = a->n_token, k = a->d_key, v = a->d_value;
    bool by_channel = has_dims(a->decay, 4, b, h, t, k);
    return h > 0 && a->n_query % h == 0 && has_dims(a->q, 4, b, a->n_query, t, k) && has_dims(a->k, 4, b, h, t, k) &&
           has_dims(a->v, 4, b, h, t, v) && (by_channel || has_dims(a->decay, 3, b, h, t, 0)) && has_dims(a->beta, 3, b, h, t, 0) &&
           has_dims(state, 4, b, h, k, v);
}

/* One token of one head. state [K, V]; read [V]: scratch. */
static void learn(const delta *a, uint64_t row, double *state, double *read) {
    int64_t n_k = a->d_key, n_v = a->d_value;
    uint64_t k = row * (uint64_t)n_k, v = row * (uint64_t)n_v;
    double beta = wick_vt_real(a->beta, row);
    for (int64_t j = 0; j < n_v; j++) read[j] = 0;
    for (int64_t i = 0; i < n_k; i++) {
        double decay = wick_vt_real(a->decay, a->decay->rank == 4 ? k + (uint64_t)i : row), key = wick_vt_real(a->k, k + (uint64_t)i);
        for (int64_t j = 0; j < n_v; j++) {
            state[i * n_v + j] *= decay;
            read[j] += key * state[i * n_v + j];
        }
    }
    for (int64_t j = 0; j < n_v; j++) read[j] = (wick_vt_real(a->v, v + (uint64_t)j) - read[j]) * beta;
    for (int64_t i = 0; i < n_k; i++)
        for (int64_t j = 0; j < n_v; j++) state[i * n_v + j] += wick_vt_real(a->k, k + (uint64_t)i) * read[j];
}

static void answer(const delta *a, uint64_t row, const double *state, double *sum, wick_vt *out) {
    int64_t n_k = a->d_key, n_v = a->d_value;
    for (int64_t j = 0; j < n_v; j++) sum[j] = 0;
    for (int64_t i = 0; i < n_k; i++)
        for (int64_t j = 0; j < n_v; j++) sum[j] += wick_vt_real(a->q, row * (uint64_t)n_k + (uint64_t)i) * state[i * n_v + j];
    for (int64_t j = 0; j < n_v; j++) wick_vt_set_real(out, row * (uint64_t)n_v + (uint64_t)j, sum[j]);
}

/* gated_delta_rule(q, k, v, decay, beta, state, out, state_out): query heads share a state as they share keys. */
wick_status wick_vm_gated_delta_rule(wick_call *c) {
    delta a = {.q = wick_call_tensor(c, 0),
               .k = wick_call_tensor(c, 1),
               .v = wick_call_tensor(c, 2),
               .decay = wick_call_tensor(c, 3),
               .beta = wick_call_tensor(c, 4)};
    const wick_vt *from = wick_call_tensor(c, 5);
    wick_vt *out = wick_call_tensor(c, 6), *to = wick_call_tensor(c, 7);
    if (!measure(from, &a)) return wick_vt_mismatch(c->err, "the operands of the gated delta rule", a.k, from);
    int32_t dims[4] = {(int32_t)a.n_batch, (int32_t)a.n_query, (int32_t)a.n_token, (int32_t)a.d_value};
    WICK_TRY(wick_vt_resize(out, 4, dims, c->err));
    WICK_TRY(wick_vt_resize_like(to, from, c->err));
    if (!wick_vt_count(from)) return WICK_OK;
    uint64_t size = (uint64_t)(a.d_key * a.d_value), group = (uint64_t)(a.n_query / a.n_head), n_token = (uint64_t)a.n_token;
    double *state = wick_vm_scratch(c->vm, (size + (uint64_t)a.d_value) * sizeof *state), *line = state + size;
    if (!state) return wick_fail_nomem(c->err);
    for (uint64_t h = 0; h < (uint64_t)(a.n_batch * a.n_head); h++) {
        for (uint64_t i = 0; i < size; i++) state[i] = wick_vt_real(from, h * size + i);
        for (uint64_t t = 0; t < n_token; t++) {
            learn(&a, h * n_token + t, state, line);
            for (uint64_t g = 0; g < group; g++) answer(&a, (h * group + g) * n_token + t, state, line, out);
        }
        for (uint64_t i = 0; i < size; i++) wick_vt_set_real(to, h * size + i, state[i]);
    }
    return WICK_OK;
}
