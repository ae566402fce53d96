/* Attention over the cache. Rows are (token, query head) pairs of one KV head. Each row has one state per 512 keys of absolute
 * position, and the states are merged in ascending order: always, so that who computed which is invisible. Sinks (first tokens that
 * stay visible beside a window) have states of their own, which come first, however near the window still is.
 *
 * Many rows: a unit of work is (KV head, tile of rows); one thread computes all its chunks and merges them.
 * Few rows over many keys (decoding): a unit is (KV head, tile, chunk); the states meet in shared memory, then a barrier,
 * then rows are merged by whoever they fall to. */
#include "backend/cpu/cpu_state.h"

#include <string.h>

/* The work of one step in this attention. */
typedef struct job {
    const cpu_work *w;
    const cpu_phase *ph;
    const cpu_cache *c;
    int64_t group; /* query heads of a KV head */
    int64_t n_row; /* rows of a KV head */
    int64_t n_tile;
    int64_t position; /* of the first query row's token */
} job;

static int64_t token_of(const job *j, int64_t row) { return j->position + row / j->group; }
static int64_t limit_of(const job *j, int64_t row) { return token_of(j, row) + 1; }
/* First key of the window; sinks are none of it. */
static int64_t first_of(const job *j, int64_t row) {
    int64_t from = limit_of(j, row) - j->c->window;
    return j->c->window && from > j->c->n_sink ? from : j->c->n_sink;
}

static int64_t tile_begin(const job *j, int64_t tile) { return j->n_row * tile / j->n_tile; }

/* The chunks whose keys rows [from, to) see: n_sink of them for the sinks, then those of the windows, from `first` on. */
typedef struct span {
    int64_t n_sink, first, n;
} span;

static int64_t n_chunk(int64_t n_key) { return (n_key + WICK_KEY_CHUNK - 1) / WICK_KEY_CHUNK; }

static span span_of(const job *j, int64_t from, int64_t to) {
    int64_t limit = limit_of(j, to - 1), n_sink = j->c->n_sink < limit ? j->c->n_sink : limit;
    span s = {.n_sink = n_chunk(n_sink), .first = first_of(j, from) / WICK_KEY_CHUNK};
    s.n = s.n_sink + (limit > j->c->n_sink ? n_chunk(limit) - s.first : 0);
    return s;
}

/* Copies the tile's query rows side by side. */
static void lay_rows(const job *j, int64_t head, int64_t from, int64_t to) {
    cpu_desk *desk = j->w->desk;
    int64_t d = j->c->d_head;
    for (int64_t r = from; r < to; r++) {
        const float *q = cpu_row(j->w, j->ph->in, r / j->group, j->ph->main_last) + (head * j->group + r % j->group) * d;
        if (j->c->int8)
            cpu_round_int8(q, d, desk->q + (r - from) * d);
        else
            memcpy(desk->q + (r - from) * d, q, (size_t)d * 4);
    }
}

/* States of rows [from, to) over chunk i of their span. */
static void attend_chunk(const job *j, int64_t head, int64_t from, int64_t to, span in, int64_t i, float *m, float *l, float *o) {
    const wick_backend_state *s = j->w->s;
    const cpu_kv *kv = &s->kvs[j->ph->index];
    cpu_desk *desk = j->w->desk;
    bool sinks = i < in.n_sink;
    int64_t begin = (sinks ? i : in.first + i - in.n_sink) * WICK_KEY_CHUNK, end = begin + WICK_KEY_CHUNK;
    int64_t first = sinks ? 0 : first_of(j, from), limit = limit_of(j, to - 1);
    if (sinks && limit > j->c->n_sink) limit = j->c->n_sink;
    if (first > begin) begin = first / WICK_KEY_BLOCK * WICK_KEY_BLOCK;
    int64_t shift = cpu_kv_shift(s, begin);
    for (int64_t r = from; r < to; r++) {
        desk->first[r - from] = (sinks ? 0 : first_of(j, r)) - shift;
        desk->limit[r - from] = limit_of(j, r) - shift;
    }
    wick_attend_args a = {.q = desk->q,
                          .q_stride = j->c->d_head,
                          .n_row = (int)(to - from),
                          .d = j->c->d_head,
                          .k = kv->k + (size_t)head * kv->head_size,
                          .v = kv->v + (size_t)head * kv->head_size,
                          .key_from = begin - shift,
                          .key_to = (end < limit ? end : limit) - shift,
                          .first = desk->first,
                          .limit = desk->limit,
                          .scale = j->c->scale,
                          .m = m,
                          .l = l,
                          .o = o,
                          .o_stride = j->c->d_head};
    (s->options.kv_f32 ? j->w->p->kernels.attend_f32 : j->w->p->kernels.attend_f16)(&a, desk->attend);
}

/* Row r of a tile from its states; those of chunk i begin at i * ml_stride and i * ml_stride * d. Chunks of the tile of which the row
 * sees nothing change nothing. */
static void merge(const job *j, int64_t head, int64_t r, span in, const float *m, const float *l, const float *o, int64_t ml_stride) {
    int64_t d = j->c->d_head;
    float *y = cpu_row(j->w, j->ph->out, r / j->group, j->ph->main_last) + (head * j->group + r % j->group) * d;
    wick_attend_merge((int)in.n, m, l, ml_stride, o, ml_stride * d, d, y);
}

/* A whole (head, tile): all chunks on this desk. */
static void attend_tile(const job *j, int64_t head, int64_t tile) {
    cpu_desk *desk = j->w->desk;
    int64_t from = tile_begin(j, tile), to = tile_begin(j, tile + 1), n = to - from, d = j->c->d_head;
    span in = span_of(j, from, to);
    lay_rows(j, head, from, to);
    for (int64_t i = 0; i < in.n; i++) attend_chunk(j, head, from, to, in, i, desk->m + i * n, desk->l + i * n, desk->o + i * n * d);
    for (int64_t r = from; r < to; r++) merge(j, head, r, in, desk->m + (r - from), desk->l + (r - from), desk->o + (r - from) * d, n);
}

static void attend_whole(const job *j) {
    /* Later tiles see more keys: dealing them out in turn gives everybody short and long ones. */
    for (int64_t u = j->w->i_thread; u < j->c->n_kv_head * j->n_tile; u += j->w->n_thread) attend_tile(j, u / j->n_tile, u % j->n_tile);
}

/* Chunks over threads; one tile. The state of (head, chunk, row) lies at (head * n_chunk + chunk) * split_rows + row. */
static void attend_split(const job *j, span in) {
    wick_backend_state *s = j->w->s;
    int64_t rows = s->split_rows, d = j->c->d_head, laid = -1;
    size_t from, to;
    wick_split((size_t)(j->c->n_kv_head * in.n), 1, j->w->i_thread, j->w->n_thread, &from, &to);
    for (int64_t u = (int64_t)from; u < (int64_t)to; u++) {
        int64_t head = u / in.n, at = u * rows;
        if (head != laid) lay_rows(j, head, 0, j->n_row);
        laid = head;
        attend_chunk(j, head, 0, j->n_row, in, u % in.n, s->split_m + at, s->split_l + at, s->split_o + at * d);
    }
    wick_pool_barrier(s->pool);
    wick_split((size_t)(j->c->n_kv_head * j->n_row), 1, j->w->i_thread, j->w->n_thread, &from, &to);
    for (int64_t i = (int64_t)from; i < (int64_t)to; i++) {
        int64_t head = i / j->n_row, r = i % j->n_row, at = head * in.n * rows + r;
        merge(j, head, r, in, s->split_m + at, s->split_l + at, s->split_o + at * d, rows);
    }
}

void cpu_attend(const cpu_work *w, const cpu_phase *ph) {
    const cpu_cache *c = &w->p->caches[ph->index];
    wick_backend_state *s = w->s;
    job j = {.w = w, .ph = ph, .c = c, .group = c->n_head / c->n_kv_head, .position = s->position + (ph->main_last ? s->n - 1 : 0)};
    j.n_row = cpu_n_row(w, ph->main_last) * j.group;
    int64_t rows = s->tile_rows;
    while (rows > WICK_TILE_ROWS && c->n_kv_head * ((j.n_row + rows - 1) / rows) < 4 * w->n_thread) rows /= 2;
    j.n_tile = (j.n_row + rows - 1) / rows;
    span in = span_of(&j, 0, j.n_row);
    if (w->n_thread > 1 && in.n > 1 && j.n_row <= s->split_rows)
        attend_split(&j, in);
    else
        attend_whole(&j);
}
