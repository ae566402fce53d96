/* Fine ops: the host gets dense arrays of the program's shapes. */
#include "backend/cpu/cpu_state.h"
#include "base/checked.h"
#include "base/half.h"

#include <string.h>

bool cpu_host_size(const wick_value *v, int64_t chunk, int64_t context, uint64_t *size) {
    *size = wick_dtype_size(v->dtype);
    for (int i = 0; i < v->rank; i++) {
        const wick_dim *d = &v->dims[i];
        int64_t s = d->s > 0 ? chunk : 1, p = d->p > 0 ? context : 0, ds, dp, n;
        if (!wick_mul_i64(d->s, s, &ds) || !wick_mul_i64(d->p, p, &dp) || !wick_add_i64(d->c, ds, &n) || !wick_add_i64(n, dp, &n))
            return false;
        if (!wick_mul_u64(*size, n > 0 ? (uint64_t)n : 0, size)) return false;
    }
    return true;
}

/* A coarse value, padded rows of fp32, as a dense array of the value's dtype. */
static void make_dense(const cpu_work *w, cpu_ref ref, const wick_value *v, void *dst) {
    int64_t width = wick_value_width(v), n_row = v->rank > 1 ? wick_dim_eval(v->dims[0], w->s->n, w->s->position) : 1;
    bool last = n_row == 1;
    for (int64_t r = 0; r < n_row; r++) {
        const float *x = cpu_row(w, ref, r, last);
        if (v->dtype == WICK_F32) {
            memcpy((float *)dst + r * width, x, (size_t)width * 4);
            continue;
        }
        uint16_t *y = (uint16_t *)dst + r * width;
        for (int64_t i = 0; i < width; i++) y[i] = v->dtype == WICK_BF16 ? wick_f32_to_bf16(x[i]) : wick_f32_to_f16(x[i]);
    }
}

void cpu_host(const cpu_work *w, const cpu_phase *ph) {
    wick_backend_state *s = w->s;
    const wick_graph *g = w->p->g;
    const wick_node *n = &g->nodes[ph->node];
    const cpu_call *call = &w->p->calls[ph->index];
    const void *in[WICK_NODE_MAX_IN] = {0};
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == g->tokens)
            in[i] = s->tokens;
        else if (n->in[i] >= 0 && n->in[i] == g->position)
            in[i] = s->positions;
        if (call->in[i].slot < 0) continue;
        in[i] = w->base[call->in[i].slot];
        if (call->stage[i] < 0) continue;
        void *stage = w->base[call->stage[i]];
        make_dense(w, call->in[i], &g->values[n->in[i]], stage);
        in[i] = stage;
    }
    void *out = ph->out.slot >= 0 ? w->base[ph->out.slot] : NULL;
    if (!s->options.host)
        s->status = wick_fail(&s->error, WICK_EINTERNAL, "the graph has fine ops and the state has no host");
    else
        s->status = s->options.host(s->options.host_user, ph->node, s->n, s->position, in, out, &s->error);
    if (s->status != WICK_OK) s->failed_phase = (size_t)(ph - w->p->phases);
}
