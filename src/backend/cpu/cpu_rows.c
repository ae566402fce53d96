/* Row ops: each works on one row and knows no other. */
#include "backend/cpu/cpu_state.h"

#include <math.h>
#include <string.h>

static void embed(const cpu_work *w, const cpu_op *op, int64_t r, bool last, float *y) {
    int64_t token = w->s->tokens[last ? w->s->n - 1 : r];
    if (op->embed.map) token = op->embed.map[token];
    cpu_const_row(&w->p->kernels, &w->p->g->values[op->embed.table], token, op->n, y);
}

static void norm(const cpu_work *w, const cpu_op *op, const float *x, float *y) {
    int64_t n = op->n_part == 1 ? op->n : op->n / op->n_part;
    for (int64_t i = 0; i < op->n; i += n) {
        if (op->kind == CPU_RMSNORM)
            w->p->kernels.rmsnorm(x + i, op->w, op->offset, op->number, n, y + i);
        else
            w->p->kernels.layernorm(x + i, op->w, op->b, op->number, n, y + i);
    }
}

static void rope(const cpu_work *w, const cpu_op *op, int64_t r, bool last, const float *x, float *y) {
    int64_t at = wick_wrap_row(op->rope.wrap, w->s->position + (last ? w->s->n - 1 : r));
    const cpu_table *cos = &w->p->tables[op->rope.cos], *sin = &w->p->tables[op->rope.sin];
    if (x != y) memcpy(y, x, (size_t)op->n * 4);
    op->rope.turn(y, op->n_part, op->n / op->n_part, op->rope.n_rotary, cos->rows + at * cos->stride, sin->rows + at * sin->stride);
}

static void glu(const cpu_work *w, const cpu_op *op, const float *x, float *y) {
    op->act(x, op->n / 2, y);
    w->p->kernels.mul(y, x + op->n / 2, op->n / 2, y);
}

static void softcap(const cpu_work *w, const cpu_op *op, const float *x, float *y) {
    for (int64_t i = 0; i < op->n; i++) y[i] = x[i] / op->number;
    w->p->kernels.tanh(y, op->n, y);
    for (int64_t i = 0; i < op->n; i++) y[i] *= op->number;
}

/* Fast Walsh-Hadamard transform, butterflies of ascending distance, then 1 / sqrt(n). */
static void hadamard(const cpu_op *op, const float *x, float *y) {
    memcpy(y, x, (size_t)op->n * 4);
    for (int64_t h = 1; h < op->n; h *= 2)
        for (int64_t i = 0; i < op->n; i += 2 * h)
            for (int64_t j = i; j < i + h; j++) {
                float a = y[j], b = y[j + h];
                y[j] = a + b, y[j + h] = a - b;
            }
    float scale = 1.0f / sqrtf((float)op->n);
    for (int64_t i = 0; i < op->n; i++) y[i] *= scale;
}

static void scatter(const cpu_op *op, const float *x, float *y) {
    for (int64_t i = 0; i < op->n_part; i++) y[i] = -INFINITY;
    for (int64_t i = 0; i < op->n; i++) y[op->index[i]] = x[i];
}

static void quantize(const cpu_work *w, const cpu_op *op, int64_t r, bool last, const float *x) {
    int64_t n = cpu_n_row(w, last), k_pad = op->k_pad, begin = 0, height = n;
    if (n > WICK_TILE_ROWS) {
        int64_t n_tile = wick_n_tile(n), tile = ((r + 1) * n_tile - 1) / n;
        begin = wick_tile_begin(n, tile);
        height = wick_tile_begin(n, tile + 1) - begin;
    }
    cpu_codes c = cpu_codes_at(w->base[op->out.slot], k_pad, n);
    w->p->kernels.quantize_row(x, op->n, k_pad, c.codes + begin * k_pad + (r - begin) * WICK_GROUP, height * WICK_GROUP,
                               c.starts + begin * (k_pad / WICK_GROUP) + r - begin, height, c.neg_zero + r, c.scale + r, c.sum + r);
}

static void append(const cpu_work *w, const cpu_op *op, int64_t r, bool last) {
    const cpu_cache *c = &w->p->caches[op->cache];
    const cpu_kv *kv = &w->s->kvs[op->cache];
    const float *k = cpu_row(w, op->in[0], r, last), *v = cpu_row(w, op->in[1], r, last);
    int64_t position = w->s->position + (last ? w->s->n - 1 : r), place = position - cpu_kv_shift(w->s, position);
    wick_kv_store_fn *store = w->s->options.kv_f32 ? w->p->kernels.kv_store_f32 : w->p->kernels.kv_store_f16;
    float rounded[2][CPU_MAX_HEAD];
    for (int64_t g = 0; g < c->n_kv_head; g++, k += c->d_head, v += c->d_head) {
        if (c->int8) {
            cpu_round_int8(k, c->d_head, rounded[0]);
            cpu_round_int8(v, c->d_head, rounded[1]);
        }
        store(c->int8 ? rounded[0] : k, c->int8 ? rounded[1] : v, place, c->d_head, kv->k + (size_t)g * kv->head_size,
              kv->v + (size_t)g * kv->head_size);
    }
}

static void row(const cpu_work *w, const cpu_op *op, int64_t r, bool last) {
    const wick_kernels *k = &w->p->kernels;
    const float *x = op->in[0].slot >= 0 ? cpu_row(w, op->in[0], r, last) : NULL;
    float *y = op->out.slot >= 0 ? cpu_row(w, op->out, r, last) : NULL;
    switch (op->kind) {
    case CPU_EMBED: embed(w, op, r, last, y); break;
    case CPU_RMSNORM:
    case CPU_LAYERNORM: norm(w, op, x, y); break;
    case CPU_ROPE: rope(w, op, r, last, x, y); break;
    case CPU_GLU: glu(w, op, x, y); break;
    case CPU_ACT: op->act(x, op->n, y); break;
    case CPU_ADD: k->add(x, cpu_row(w, op->in[1], r, last), op->n, y); break;
    case CPU_MUL: k->mul(x, cpu_row(w, op->in[1], r, last), op->n, y); break;
    case CPU_ADD_ROW: k->add(x, op->w, op->n, y); break;
    case CPU_MUL_ROW: k->mul(x, op->w, op->n, y); break;
    case CPU_SCALE:
        for (int64_t i = 0; i < op->n; i++) y[i] = x[i] * op->number;
        break;
    case CPU_OFFSET:
        for (int64_t i = 0; i < op->n; i++) y[i] = x[i] + op->number;
        break;
    case CPU_SOFTCAP: softcap(w, op, x, y); break;
    case CPU_HADAMARD: hadamard(op, x, y); break;
    case CPU_SCATTER: scatter(op, x, y); break;
    case CPU_QUANTIZE: quantize(w, op, r, last, x); break;
    case CPU_APPEND: append(w, op, r, last); break;
    }
}

void cpu_rows(const cpu_work *w, const cpu_phase *ph, int64_t from, int64_t to) {
    for (int64_t r = from; r < to; r++)
        for (int32_t i = ph->first_op; i < ph->first_op + ph->n_op; i++) row(w, &w->p->ops[i], r, ph->ops_last);
}
