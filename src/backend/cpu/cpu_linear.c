/* One matrix product: panels are split over the threads; each thread lets its panels pass over blocks of rows and finishes
 * (gate, residual) what is still in cache. */
#include "backend/cpu/cpu_state.h"

static void gemm(const cpu_work *w, const cpu_phase *ph, int64_t row, int64_t n_row, int64_t n_tile, int64_t panel, int64_t n_panel,
                 float *y, int64_t stride) {
    const cpu_matrix *m = &w->p->matrices[ph->index];
    const wick_kernels *k = &w->p->kernels;
    const uint8_t *panels = m->panels + (size_t)panel * m->panel_size;
    const float *bias = m->bias ? m->bias + panel * WICK_PANEL : NULL, *columns = m->colsum ? m->colsum + panel * WICK_PANEL : NULL;
    const wick_qtile *tiles = w->desk->tiles;
    if (m->kind == CPU_W_Q4) {
        k->gemm_q4(n_tile, tiles, n_panel, panels, columns, bias, y, stride);
    } else if (m->kind == CPU_W_Q8) {
        k->gemm_q8(n_tile, tiles, n_panel, panels, columns, m->wsum + panel * WICK_PANEL, bias, y, stride);
    } else {
        wick_gemm_float_fn *fn = m->kind == CPU_W_F32 ? k->gemm_f32 : m->kind == CPU_W_F16 ? k->gemm_f16 : k->gemm_bf16;
        fn(n_row, m->k, cpu_row(w, ph->in, row, ph->main_last), ph->in.stride, n_panel, panels, bias, y, stride);
    }
}

/* Describes tiles [from, to) of the quantized operand on the desk. */
static void lay_tiles(const cpu_work *w, const cpu_phase *ph, int64_t from, int64_t to) {
    int64_t n = cpu_n_row(w, ph->main_last), k_pad = w->p->matrices[ph->index].k_pad;
    cpu_codes c = cpu_codes_at(w->base[ph->in.slot], k_pad, n);
    for (int64_t t = from; t < to; t++) {
        int64_t begin = wick_tile_begin(n, t);
        w->desk->tiles[t - from] = (wick_qtile){.n_row = (int)(wick_tile_begin(n, t + 1) - begin),
                                                .k = k_pad,
                                                .codes = c.codes + begin * k_pad,
                                                .starts = c.starts + begin * (k_pad / WICK_GROUP),
                                                .neg_zero = c.neg_zero + begin,
                                                .scale = c.scale + begin,
                                                .sum = c.sum + begin};
    }
}

/* Panels [panel, panel + n) (pairs, if gated) for rows [row, row + n_row). */
static void block(const cpu_work *w, const cpu_phase *ph, int64_t row, int64_t n_row, int64_t n_tile, int64_t panel, int64_t n) {
    const cpu_matrix *m = &w->p->matrices[ph->index];
    int64_t column = panel * WICK_PANEL, count = n * WICK_PANEL, width = m->paired ? m->n / 2 : m->n;
    float *y = cpu_row(w, ph->out, row, ph->main_last) + column;
    gemm(w, ph, row, n_row, n_tile, panel, n, y, ph->out.stride);
    if (count > width - column) count = width - column;
    if (m->paired) {
        gemm(w, ph, row, n_row, n_tile, panel + m->n_panel / 2, n, w->desk->up, n * WICK_PANEL);
        for (int64_t r = 0; r < n_row; r++)
            ph->gate(y + r * ph->out.stride, w->desk->up + r * n * WICK_PANEL, count, y + r * ph->out.stride);
    }
    if (ph->residual.slot >= 0)
        for (int64_t r = 0; r < n_row; r++) {
            float *at = y + r * ph->out.stride;
            w->p->kernels.add(cpu_row(w, ph->residual, row + r, ph->main_last) + column, at, count, at);
        }
}

void cpu_linear(const cpu_work *w, const cpu_phase *ph) {
    const cpu_matrix *m = &w->p->matrices[ph->index];
    int64_t n = cpu_n_row(w, ph->main_last), n_tile = wick_n_tile(n);
    size_t from, to;
    wick_split((size_t)(m->paired ? m->n_panel / 2 : m->n_panel), 1, w->i_thread, w->n_thread, &from, &to);
    for (int64_t t = 0; t < n_tile; t += CPU_BLOCK_TILES) {
        int64_t t_end = t + CPU_BLOCK_TILES < n_tile ? t + CPU_BLOCK_TILES : n_tile;
        int64_t row = wick_tile_begin(n, t), n_row = wick_tile_begin(n, t_end) - row, step = CPU_UP_SIZE / WICK_PANEL / n_row;
        if (m->kind == CPU_W_Q4 || m->kind == CPU_W_Q8) lay_tiles(w, ph, t, t_end);
        for (int64_t panel = (int64_t)from; panel < (int64_t)to; panel += step)
            block(w, ph, row, n_row, t_end - t, panel, panel + step < (int64_t)to ? step : (int64_t)to - panel);
    }
}
