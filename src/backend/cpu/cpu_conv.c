/* Causal depthwise convolution: y[s][c] = sum over t of w[c][t] * x[s - (T-1) + t][c]; columns are split over threads. The last
 * T - 1 inputs stay in the state, oldest first. One product and one sum at a time, t ascending: the same bits for any step. */
#include "backend/cpu/cpu_state.h"

void cpu_conv_run(const cpu_work *w, const cpu_phase *ph) {
    const cpu_conv *c = &w->p->convs[ph->index];
    float *past = w->s->conv[ph->index];
    int64_t keep = c->width - 1, n_row = w->s->n;
    size_t from, to;
    wick_split((size_t)c->n, 16, w->i_thread, w->n_thread, &from, &to);
    for (int64_t s = 0; s < n_row; s++) {
        const float *x = cpu_row(w, ph->in, s, false);
        float *y = cpu_row(w, ph->out, s, false);
        for (size_t i = from; i < to; i++) {
            const float *taps = ph->w + (int64_t)i * c->width;
            float sum = 0;
            for (int64_t t = 0; t < keep; t++) sum += taps[t] * past[t * c->n + (int64_t)i];
            y[i] = sum + taps[keep] * x[i];
            for (int64_t t = 0; t + 1 < keep; t++) past[t * c->n + (int64_t)i] = past[(t + 1) * c->n + (int64_t)i];
            if (keep) past[(keep - 1) * c->n + (int64_t)i] = x[i];
        }
    }
}
