/* cpu_state.h: what one session owns: memory for its values, its caches, and a desk for every thread. All of it is sized and
 * allocated when the state is made; a step only computes. */
#ifndef WICK_BACKEND_CPU_STATE_H
#define WICK_BACKEND_CPU_STATE_H

#include "backend/cpu/cpu_plan.h"

#include <stdatomic.h>

/* Scratch of one thread. */
typedef struct cpu_desk {
    uint8_t **base;       /* [n_slot]: as the shared table, but local slots point into this thread's own memory */
    wick_qtile *tiles;    /* [CPU_BLOCK_TILES] */
    float *up;            /* second half of a gated product: up_size floats */
    float *q, *o, *m, *l; /* attention: rows of a tile, their states by chunk */
    int64_t *first, *limit;
    void *attend;
} cpu_desk;

typedef struct cpu_kv {
    uint8_t *k, *v;
    size_t head_size; /* bytes of one head, K or V */
} cpu_kv;

struct wick_backend_state {
    const wick_backend_plan *p;
    wick_pool *pool;
    wick_state_options options;
    int n_thread;
    int64_t n_chunk;    /* most key chunks that a row's states come from */
    int64_t tile_rows;  /* most rows of an attention tile */
    int64_t split_rows; /* up to so many rows of a KV head the chunks are split over threads */
    uint8_t *memory;    /* blocks */
    uint8_t *desk_memory;
    uint8_t **base;  /* [n_slot] */
    cpu_desk *desks; /* [n_thread] */
    cpu_kv *kvs;     /* [n_cache] */
    uint8_t *kv_memory;
    float **conv;                       /* [n_conv]: [T-1][n], oldest first */
    float *split_m, *split_l, *split_o; /* states of chunks when they are split over threads */
    int64_t *tokens, *positions;        /* [chunk], as the program has them */
    size_t kv_size;                     /* element */
    int64_t position_end;               /* tokens evaluated so far: what recurrent state stands at */
    /* Key chunks that have places of their own, and places that the later ones go around in (0: all have their own). Whole chunks, so
     * that a chunk's keys lie together wherever it is. */
    int64_t n_still, n_ring;
    int64_t reach;  /* positions below may have been written, by now or before something was taken back */
    int64_t oldest; /* position behind the still chunks whose key is the first that was not overwritten */

    /* of the step that runs */
    int64_t n, position;
    bool want_logits;
    /* The phase that failed, n_phase: none. Threads leave after the barrier of that phase: a plain flag could be seen by one
     * thread before a phase and by another after it. */
    _Atomic size_t failed_phase;
    wick_status status;
    wick_error error;
};

/* What a thread knows while it works. */
typedef struct cpu_work {
    wick_backend_state *s;
    const wick_backend_plan *p;
    cpu_desk *desk;
    uint8_t *const *base; /* where slots are in this phase */
    int i_thread, n_thread;
} cpu_work;

enum { CPU_UP_SIZE = CPU_BLOCK_TILES * WICK_TILE_ROWS * CPU_BLOCK_UNITS * WICK_PANEL };

static inline int64_t cpu_n_row(const cpu_work *w, bool last) { return last ? 1 : w->s->n; }

/* By how much the place of a key in the caches is lower than its position. */
static inline int64_t cpu_kv_shift(const wick_backend_state *s, int64_t position) {
    int64_t behind = position / WICK_KEY_CHUNK - s->n_still;
    return s->n_ring && behind >= s->n_ring ? behind / s->n_ring * s->n_ring * WICK_KEY_CHUNK : 0;
}

/* Row r of a value, for work on the last row (r = 0) or on all rows. */
static inline float *cpu_row(const cpu_work *w, cpu_ref ref, int64_t r, bool last) {
    int64_t row = ref.last ? 0 : last ? w->s->n - 1 : r;
    return (float *)(void *)w->base[ref.slot] + row * ref.stride + ref.column;
}

/* A quantized value of n rows: codes, starts, zero points, scales, sums one behind the other. */
typedef struct cpu_codes {
    int8_t *codes;
    int32_t *starts;
    float *neg_zero, *scale;
    int32_t *sum;
} cpu_codes;
static inline cpu_codes cpu_codes_at(uint8_t *base, int64_t k_pad, int64_t n) {
    cpu_codes c = {.codes = (int8_t *)base};
    c.starts = (int32_t *)(void *)(base + n * k_pad);
    c.neg_zero = (float *)(void *)(c.starts + n * (k_pad / WICK_GROUP));
    c.scale = c.neg_zero + n;
    c.sum = (int32_t *)(void *)(c.scale + n);
    return c;
}

/* cpu_state.c: all positions below this one are evaluated, or will be: what keys that overwrites is given up now, because a step may be
 * stopped in the middle. */
void cpu_state_reach(wick_backend_state *s, int64_t position);
/* cpu_rows.c: the row ops of a phase on rows [from, to). */
void cpu_rows(const cpu_work *w, const cpu_phase *ph, int64_t from, int64_t to);
/* cpu_linear.c, cpu_attend.c, cpu_conv.c: this thread's share of a main. Attend passes a barrier of its own. */
void cpu_linear(const cpu_work *w, const cpu_phase *ph);
void cpu_attend(const cpu_work *w, const cpu_phase *ph);
void cpu_conv_run(const cpu_work *w, const cpu_phase *ph);
/* cpu_int8.c: what int8 leaves of n numbers. */
void cpu_round_int8(const float *x, int64_t n, float *y);
/* cpu_host.c: a fine op, on thread 0. */
void cpu_host(const cpu_work *w, const cpu_phase *ph);
/* Bytes of a host value at the bounds of the state; false: overflow. */
bool cpu_host_size(const wick_value *v, int64_t chunk, int64_t context, uint64_t *size);

#endif
