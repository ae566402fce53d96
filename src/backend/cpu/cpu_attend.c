/* Attention over the cache. Rows are (token, query head) pairs of one KV head. Each row has one state per 512 keys of absolute
 * position, and the states are merged in ascending order: always, so that who computed which is invisible.
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
static int64_t first_of(const job *j, int64_t row) {
    int64_t from = limit_of(j, row) - j->c->window;
    return j->c->window && from > 0 ? from : 0;
}

static int64_t tile_begin(const job *j, int64_t tile) { return j->n_row * tile / j->n_tile; }

/* Copies the tile's query rows side by side and notes what they see. */
static void lay_rows(const job *j, int64_t head, int64_t from, int64_t to) {
    cpu_desk *desk = j->w->desk;
    int64_t d = j->c->d_head;
    for (int64_t r = from; r < to; r++) {
        const float *q = cpu_row(j->w, j->ph->in, r / j->group, j->ph->main_last) + (head * j->group + r % j->group) * d;
        if (j->c->int8)
            cpu_round_int8(q, d, desk->q + (r - from) * d);
        else
            memcpy(desk->q + (r - from) * d, q, (size_t)d * 4);
        desk->first[r - from] = first_of(j, r);
        desk->limit[r - from] = limit_of(j, r);
    }
}

/* States of rows [from, to) over one chunk. */
static void attend_chunk(const job *j, int64_t head, int64_t from, int64_t to, int64_t chunk, float *m, float *l, float *o) {
    const wick_backend_state *s = j->w->s;
    const cpu_kv *kv = &s->kvs[j->ph->index];
    int64_t begin = chunk * WICK_KEY_CHUNK, end = begin + WICK_KEY_CHUNK, first = first_of(j, from), limit = limit_of(j, to - 1);
    if (first > begin) begin = first / WICK_KEY_BLOCK * WICK_KEY_BLOCK;
    wick_attend_args a = {.q = j->w->desk->q,
                          .q_stride = j->c->d_head,
                          .n_row = (int)(to - from),
                          .d = j->c->d_head,
                          .k = kv->k + (size_t)head * kv->head_size,
                          .v = kv->v + (size_t)head * kv->head_size,
                          .key_from = begin,
                          .key_to = end < limit ? end : limit,
                          .first = j->w->desk->first,
                          .limit = j->w->desk->limit,
                          .scale = j->c->scale,
                          .m = m,
                          .l = l,
                          .o = o,
                          .o_stride = j->c->d_head};
    (s->options.kv_f32 ? j->w->p->kernels.attend_f32 : j->w->p->kernels.attend_f16)(&a, j->w->desk->attend);
}

/* Row r of a tile from its states; those of chunk i begin at i * ml_stride and i * ml_stride * d. */
static void merge(const job *j, int64_t head, int64_t r, int64_t chunk_from, const float *m, const float *l, const float *o,
                  int64_t ml_stride) {
    int64_t d = j->c->d_head, from = first_of(j, r) / WICK_KEY_CHUNK, to = (limit_of(j, r) - 1) / WICK_KEY_CHUNK + 1,
            skip = from - chunk_from;
    float *y = cpu_row(j->w, j->ph->out, r / j->group, j->ph->main_last) + (head * j->group + r % j->group) * d;
    wick_attend_merge((int)(to - from), m + skip * ml_stride, l + skip * ml_stride, ml_stride, o + skip * ml_stride * d, ml_stride * d, d,
                      y);
}

/* A whole (head, tile): all chunks on this desk. */
static void attend_tile(const job *j, int64_t head, int64_t tile) {
    cpu_desk *desk = j->w->desk;
    int64_t from = tile_begin(j, tile), to = tile_begin(j, tile + 1), n = to - from, d = j->c->d_head;
    int64_t c0 = first_of(j, from) / WICK_KEY_CHUNK, c1 = (limit_of(j, to - 1) - 1) / WICK_KEY_CHUNK + 1;
    lay_rows(j, head, from, to);
    for (int64_t c = c0; c < c1; c++)
        attend_chunk(j, head, from, to, c, desk->m + (c - c0) * n, desk->l + (c - c0) * n, desk->o + (c - c0) * n * d);
    for (int64_t r = from; r < to; r++) merge(j, head, r, c0, desk->m + (r - from), desk->l + (r - from), desk->o + (r - from) * d, n);
}

static void attend_whole(const job *j) {
    /* Later tiles see more keys: dealing them out in turn gives everybody short and long ones. */
    for (int64_t u = j->w->i_thread; u < j->c->n_kv_head * j->n_tile; u += j->w->n_thread) attend_tile(j, u / j->n_tile, u % j->n_tile);
}

/* Chunks over threads; one tile. The state of (head, chunk, row) lies at (head * n_chunk + chunk) * split_rows + row. */
static void attend_split(const job *j, int64_t c0, int64_t c1) {
    wick_backend_state *s = j->w->s;
    int64_t n_chunk = c1 - c0, rows = s->split_rows, d = j->c->d_head, laid = -1;
    size_t from, to;
    wick_split((size_t)(j->c->n_kv_head * n_chunk), 1, j->w->i_thread, j->w->n_thread, &from, &to);
    for (int64_t u = (int64_t)from; u < (int64_t)to; u++) {
        int64_t head = u / n_chunk, at = u * rows;
        if (head != laid) lay_rows(j, head, 0, j->n_row);
        laid = head;
        attend_chunk(j, head, 0, j->n_row, c0 + u % n_chunk, s->split_m + at, s->split_l + at, s->split_o + at * d);
    }
    wick_pool_barrier(s->pool);
    wick_split((size_t)(j->c->n_kv_head * j->n_row), 1, j->w->i_thread, j->w->n_thread, &from, &to);
    for (int64_t i = (int64_t)from; i < (int64_t)to; i++) {
        int64_t head = i / j->n_row, r = i % j->n_row, at = head * n_chunk * rows + r;
        merge(j, head, r, c0, s->split_m + at, s->split_l + at, s->split_o + at * d, rows);
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
    int64_t c0 = first_of(&j, 0) / WICK_KEY_CHUNK, c1 = (limit_of(&j, j.n_row - 1) - 1) / WICK_KEY_CHUNK + 1;
    if (w->n_thread > 1 && c1 - c0 > 1 && j.n_row <= s->split_rows)
        attend_split(&j, c0, c1);
    else
        attend_whole(&j);
}
