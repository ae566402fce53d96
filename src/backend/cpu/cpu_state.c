/* A session's memory: made once, of the size that the longest step needs. */
#include "backend/cpu/cpu_state.h"
#include "backend/cpu/cpu_backend.h"
#include "base/checked.h"
#include "base/mem.h"

#include <string.h>

/* Adds `count * size` bytes, aligned to 64, to *total; returns where they begin; sets *overflow. */
static uint64_t reserve(uint64_t *total, uint64_t count, uint64_t size, bool *overflow) {
    uint64_t at = *total, bytes;
    if (!wick_mul_u64(count, size, &bytes) || bytes > (uint64_t)1 << 48 || at > (uint64_t)1 << 48) {
        *overflow = true;
        return 0;
    }
    *total = wick_align_up(at + bytes, 64);
    return at;
}

/* ---------------------------------------------------------------- values */

static wick_status make_blocks(wick_backend_state *s, wick_error *err) {
    const wick_backend_plan *p = s->p;
    uint64_t total = 0, host_size;
    bool overflow = false;
    uint64_t *at = WICK_NEW_ARRAY(uint64_t, p->n_block ? p->n_block : 1);
    s->base = WICK_NEW_ARRAY(uint8_t *, p->n_slot ? p->n_slot : 1);
    if (!at || !s->base) {
        wick_free(at);
        return wick_fail_nomem(err);
    }
    for (size_t i = 0; i < p->n_block; i++) {
        const cpu_block *k = &p->blocks[i];
        if (k->host_value < 0) {
            at[i] = reserve(&total, k->last ? 1 : (uint64_t)s->options.chunk, (uint64_t)k->row_size, &overflow);
            continue;
        }
        if (!cpu_host_size(&p->g->values[k->host_value], s->options.chunk, s->options.context, &host_size)) overflow = true;
        at[i] = reserve(&total, 1, host_size, &overflow);
    }
    s->memory = overflow ? NULL : wick_alloc_aligned(total ? total : 64, 64);
    for (size_t i = 0; s->memory && i < p->n_slot; i++) s->base[i] = s->memory + at[p->slots[i].block];
    wick_free(at);
    return s->memory ? WICK_OK : wick_fail_nomem(err);
}

/* ---------------------------------------------------------------- caches */

static int64_t n_chunk_of(int64_t n) { return (n + WICK_KEY_CHUNK - 1) / WICK_KEY_CHUNK; }

/* Where keys lie. A ring holds what the rows of the longest step see, or what is to be kept before the last of them. */
static wick_status lay_chunks(wick_backend_state *s, wick_error *err) {
    const wick_state_options *o = &s->options;
    wick_sight sight;
    s->n_still = n_chunk_of(o->context);
    if (!o->n_keep) return WICK_OK;
    if (o->n_keep < 0 || !wick_graph_is_endless(s->p->g, &sight))
        return wick_fail(err, WICK_EINVAL, "a cache of %lld tokens beside the visible ones, for a graph that sees all of them",
                         (long long)o->n_keep);
    int64_t all = s->n_still, still = n_chunk_of(sight.n_first), keep = o->n_keep > WICK_KEY_BLOCK ? o->n_keep : WICK_KEY_BLOCK;
    if (sight.n_last >= o->context || keep >= o->context) return WICK_OK;
    int64_t ring = n_chunk_of(sight.n_last + keep + o->chunk);
    if (still + ring < all) s->n_still = still, s->n_ring = ring;
    return WICK_OK;
}

/* First position behind the still chunks. */
static int64_t still_end(const wick_backend_state *s) { return s->n_still * WICK_KEY_CHUNK; }

/* First key that a row at `position` may read. */
static int64_t first_needed(const wick_backend_state *s, int64_t position) {
    int64_t window = 0, first;
    for (size_t i = 0; i < s->p->n_cache; i++)
        if (s->p->caches[i].window > window) window = s->p->caches[i].window;
    first = position + 1 - window;
    return first > still_end(s) ? first : still_end(s);
}

void cpu_state_reach(wick_backend_state *s, int64_t position) {
    if (position > s->reach) s->reach = position;
    int64_t oldest = s->reach - s->n_ring * WICK_KEY_CHUNK;
    if (s->n_ring && oldest > s->oldest) s->oldest = oldest;
}

static wick_status make_caches(wick_backend_state *s, wick_error *err) {
    const wick_backend_plan *p = s->p;
    bool overflow = false;
    WICK_TRY(lay_chunks(s, err));
    uint64_t total = 0, places = (uint64_t)(s->n_ring ? (s->n_still + s->n_ring) * WICK_KEY_CHUNK : s->options.context),
             context = wick_align_up(places, 16);
    s->oldest = still_end(s);
    s->kv_size = s->options.kv_f32 ? 4 : 2;
    s->kvs = WICK_NEW_ARRAY(cpu_kv, p->n_cache ? p->n_cache : 1);
    s->conv = WICK_NEW_ARRAY(float *, p->n_conv ? p->n_conv : 1);
    if (!s->kvs || !s->conv) return wick_fail_nomem(err);
    for (size_t i = 0; i < p->n_cache; i++) {
        s->kvs[i].head_size = (size_t)(context * (uint64_t)p->caches[i].d_head * s->kv_size);
        reserve(&total, 2 * (uint64_t)p->caches[i].n_kv_head, s->kvs[i].head_size, &overflow);
    }
    s->kv_memory = overflow ? NULL : wick_alloc_aligned(total ? total : 64, 64);
    if (!s->kv_memory) return wick_fail_nomem(err);
    uint8_t *at = s->kv_memory;
    for (size_t i = 0; i < p->n_cache; i++) {
        size_t size = (size_t)p->caches[i].n_kv_head * s->kvs[i].head_size;
        s->kvs[i].k = at;
        s->kvs[i].v = at + size;
        at += 2 * size;
    }
    for (size_t i = 0; i < p->n_conv; i++) {
        s->conv[i] = wick_calloc((size_t)(p->convs[i].n * p->convs[i].width), 4);
        if (!s->conv[i]) return wick_fail_nomem(err);
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- desks */

typedef struct desk_layout {
    uint64_t base, tiles, up, q, o, m, l, first, limit, attend, local, size;
} desk_layout;

/* Widest head and most query rows per token that any attention has. */
static void attention_bounds(const wick_backend_plan *p, int64_t *d, int64_t *group, int64_t *n_kv_head) {
    *d = 8, *group = *n_kv_head = 1;
    for (size_t i = 0; i < p->n_cache; i++) {
        const cpu_cache *c = &p->caches[i];
        if (c->d_head > *d) *d = c->d_head;
        if (c->n_head / c->n_kv_head > *group) *group = c->n_head / c->n_kv_head;
        if (c->n_kv_head > *n_kv_head) *n_kv_head = c->n_kv_head;
    }
}

static desk_layout lay_desk(const wick_backend_state *s, int64_t d, bool *overflow) {
    desk_layout y = {0};
    uint64_t rows = (uint64_t)s->tile_rows > (uint64_t)s->split_rows ? (uint64_t)s->tile_rows : (uint64_t)s->split_rows, *n = &y.size;
    uint64_t states = rows * (uint64_t)s->n_chunk;
    y.base = reserve(n, s->p->n_slot, sizeof(uint8_t *), overflow);
    y.tiles = reserve(n, CPU_BLOCK_TILES, sizeof(wick_qtile), overflow);
    y.up = reserve(n, CPU_UP_SIZE, 4, overflow);
    y.q = reserve(n, rows, (uint64_t)d * 4, overflow);
    y.o = reserve(n, states, (uint64_t)d * 4, overflow);
    y.m = reserve(n, states, 4, overflow);
    y.l = reserve(n, states, 4, overflow);
    y.first = reserve(n, rows, 8, overflow);
    y.limit = reserve(n, rows, 8, overflow);
    y.attend = reserve(n, 1, wick_attend_scratch_size(d), overflow);
    y.local = reserve(n, CPU_LOCAL_ROWS, (uint64_t)s->p->local_size, overflow);
    y.size = wick_align_up(y.size, 4096); /* desks share no cache line and no page */
    return y;
}

static void set_desk(wick_backend_state *s, cpu_desk *desk, uint8_t *at, const desk_layout *y) {
    desk->base = (uint8_t **)(void *)(at + y->base);
    desk->tiles = (wick_qtile *)(void *)(at + y->tiles);
    desk->up = (float *)(void *)(at + y->up);
    desk->q = (float *)(void *)(at + y->q);
    desk->o = (float *)(void *)(at + y->o);
    desk->m = (float *)(void *)(at + y->m);
    desk->l = (float *)(void *)(at + y->l);
    desk->first = (int64_t *)(void *)(at + y->first);
    desk->limit = (int64_t *)(void *)(at + y->limit);
    desk->attend = at + y->attend;
    for (size_t i = 0; i < s->p->n_slot; i++)
        desk->base[i] = s->p->slots[i].local ? at + y->local + CPU_LOCAL_ROWS * s->p->slots[i].local_offset : s->base[i];
}

static wick_status make_desks(wick_backend_state *s, wick_error *err) {
    int64_t d, group, n_kv_head;
    bool overflow = false;
    attention_bounds(s->p, &d, &group, &n_kv_head);
    s->n_chunk = s->n_still + (s->n_ring ? s->n_ring + 1 : 0); /* the oldest and the newest that rows see may share a place */
    for (size_t i = 0; i < s->p->n_cache; i++)
        if (s->p->caches[i].n_sink) {
            s->n_chunk++; /* the one that holds both sinks and the window's first keys gives two states */
            break;
        }
    s->tile_rows = WICK_ATTEND_ROWS;
    while (s->tile_rows > WICK_TILE_ROWS && s->tile_rows * s->n_chunk > 16 * WICK_ATTEND_ROWS)
        s->tile_rows /= 2; /* megabytes per desk otherwise */
    s->split_rows = group < WICK_ATTEND_ROWS ? group : WICK_ATTEND_ROWS;
    desk_layout y = lay_desk(s, d, &overflow);
    uint64_t total = 0, states = (uint64_t)n_kv_head * (uint64_t)s->n_chunk * (uint64_t)s->split_rows;
    reserve(&total, (uint64_t)s->n_thread, y.size, &overflow);
    uint64_t o = reserve(&total, states, (uint64_t)d * 4, &overflow), m = reserve(&total, states, 4, &overflow),
             l = reserve(&total, states, 4, &overflow);
    s->desks = WICK_NEW_ARRAY(cpu_desk, (size_t)s->n_thread);
    s->tokens = WICK_NEW_ARRAY(int64_t, (size_t)s->options.chunk);
    s->positions = WICK_NEW_ARRAY(int64_t, (size_t)s->options.chunk);
    s->desk_memory = overflow ? NULL : wick_alloc_aligned(total, 4096);
    if (!s->desks || !s->tokens || !s->positions || !s->desk_memory) return wick_fail_nomem(err);
    for (int i = 0; i < s->n_thread; i++) set_desk(s, &s->desks[i], s->desk_memory + (uint64_t)i * y.size, &y);
    s->split_o = (float *)(void *)(s->desk_memory + o);
    s->split_m = (float *)(void *)(s->desk_memory + m);
    s->split_l = (float *)(void *)(s->desk_memory + l);
    return WICK_OK;
}

/* ---------------------------------------------------------------- life */

wick_status cpu_state_new(const wick_backend_plan *plan, const wick_state_options *options, wick_pool *pool, wick_backend_state **out,
                          wick_error *err) {
    *out = NULL;
    if (options->chunk < 1 || options->context < 1 || options->context > WICK_MAX_CONTEXT || options->chunk > options->context)
        return wick_fail(err, WICK_EINVAL, "steps of %lld tokens in a context of %lld, expected 1 <= step <= context <= %d",
                         (long long)options->chunk, (long long)options->context, WICK_MAX_CONTEXT);
    if (options->context > plan->max_position)
        return wick_fail(err, WICK_ELIMIT, "a context of %lld tokens, but the program's position table ends at %lld",
                         (long long)options->context, (long long)plan->max_position);
    if (plan->has_fine && !options->host) return wick_fail(err, WICK_EINVAL, "the graph has fine ops, so its state needs a host");
    wick_backend_state *s = WICK_NEW(wick_backend_state);
    if (!s) return wick_fail_nomem(err);
    s->p = plan;
    s->pool = pool;
    s->options = *options;
    s->n_thread = wick_pool_size(pool);
    wick_status status = make_blocks(s, err);
    if (status == WICK_OK) status = make_caches(s, err);
    if (status == WICK_OK) status = make_desks(s, err);
    if (status == WICK_OK)
        *out = s;
    else
        cpu_state_free(s);
    return status;
}

void cpu_state_free(wick_backend_state *s) {
    if (!s) return;
    for (size_t i = 0; s->conv && i < s->p->n_conv; i++) wick_free(s->conv[i]);
    wick_free(s->conv);
    wick_free(s->kvs);
    wick_free_aligned(s->kv_memory);
    wick_free_aligned(s->memory);
    wick_free_aligned(s->desk_memory);
    wick_free(s->base);
    wick_free(s->desks);
    wick_free(s->tokens);
    wick_free(s->positions);
    wick_free(s);
}

static void conv_reset(wick_backend_state *s) {
    for (size_t i = 0; i < s->p->n_conv; i++) memset(s->conv[i], 0, (size_t)(s->p->convs[i].n * s->p->convs[i].width) * 4);
}

bool cpu_state_rewind(wick_backend_state *s, int64_t position) {
    if (s->p->n_conv && position != 0 && position != s->position_end) return false;
    if (position > still_end(s) && first_needed(s, position) < s->oldest) return false;
    if (position == 0) conv_reset(s);
    if (position <= still_end(s)) s->reach = position, s->oldest = still_end(s); /* what comes behind is evaluated anew */
    s->position_end = position;
    return true;
}

/* ---------------------------------------------------------------- canonical form */

static uint64_t position_size(const wick_backend_state *s) {
    uint64_t size = 0;
    for (size_t i = 0; i < s->p->n_cache; i++) size += 2 * (uint64_t)(s->p->caches[i].n_kv_head * s->p->caches[i].d_head) * s->kv_size;
    return size;
}

static uint64_t conv_size(const wick_backend_state *s) {
    uint64_t size = 0;
    for (size_t i = 0; i < s->p->n_conv; i++) size += (uint64_t)(s->p->convs[i].n * (s->p->convs[i].width - 1)) * 4;
    return size;
}

/* Which of the first n positions are there: those of the still chunks, and from the oldest on. */
static int64_t n_held(const wick_backend_state *s, int64_t n, int64_t oldest) {
    return n > still_end(s) ? still_end(s) + (n > oldest ? n - oldest : 0) : n;
}

uint64_t cpu_state_export_size(const wick_backend_state *s, int64_t n) {
    return (uint64_t)n_held(s, n, s->oldest) * position_size(s) + conv_size(s);
}

/* One position of one head between the cache (lanes of 16 positions) and a dense row. */
static void move_key(uint8_t *head, uint8_t *row, int64_t position, int64_t d, size_t size, bool out) {
    uint8_t *lane = head + ((size_t)(position / 16 * d) * 16 + (size_t)(position % 16)) * size;
    for (int64_t i = 0; i < d; i++, lane += 16 * size) {
        if (out)
            memcpy(row + (size_t)i * size, lane, size);
        else
            memcpy(lane, row + (size_t)i * size, size);
    }
}

static void move_value(uint8_t *head, uint8_t *row, int64_t position, int64_t d, size_t size, bool out) {
    uint8_t *at = head + (size_t)(position * d) * size;
    if (out)
        memcpy(row, at, (size_t)d * size);
    else
        memcpy(at, row, (size_t)d * size);
}

/* The positions below n, without those between the still chunks and `oldest`. */
static void move_all(const wick_backend_state *s, int64_t n, int64_t oldest, uint8_t *bytes, bool out) {
    int64_t held = n_held(s, n, oldest), gap = oldest - still_end(s);
    for (size_t i = 0; i < s->p->n_cache; i++) {
        const cpu_cache *c = &s->p->caches[i];
        for (int side = 0; side < 2; side++)
            for (int64_t j = 0; j < held; j++) {
                int64_t position = j < still_end(s) ? j : j + gap, place = position - cpu_kv_shift(s, position);
                for (int64_t g = 0; g < c->n_kv_head; g++, bytes += (size_t)c->d_head * s->kv_size) {
                    uint8_t *head = (side ? s->kvs[i].v : s->kvs[i].k) + (size_t)g * s->kvs[i].head_size;
                    (side ? move_value : move_key)(head, bytes, place, c->d_head, s->kv_size, out);
                }
            }
    }
    for (size_t i = 0; i < s->p->n_conv; i++) {
        size_t size = (size_t)(s->p->convs[i].n * (s->p->convs[i].width - 1)) * 4;
        if (out)
            memcpy(bytes, s->conv[i], size);
        else
            memcpy(s->conv[i], bytes, size);
        bytes += size;
    }
}

void cpu_state_export(const wick_backend_state *s, int64_t n, void *dst) { move_all(s, n, s->oldest, dst, true); }

/* From where on `size` bytes hold the newest positions below n; -1: they hold too few to go on from, more than there is room for, or no
 * whole number. */
static int64_t oldest_of(const wick_backend_state *s, int64_t n, uint64_t size) {
    uint64_t one = position_size(s), rest = conv_size(s);
    if (n <= still_end(s) || !s->n_ring || !one) return size == (uint64_t)n * one + rest ? still_end(s) : -1;
    if (size < rest || (size - rest) % one || (size - rest) / one > (uint64_t)n) return -1;
    int64_t oldest = still_end(s) + n - (int64_t)((size - rest) / one);
    return oldest <= first_needed(s, n) && n - oldest <= s->n_ring * WICK_KEY_CHUNK ? oldest : -1;
}

wick_status cpu_state_import(wick_backend_state *s, int64_t n, const void *src, uint64_t size, wick_error *err) {
    if (n < 0 || n > s->options.context)
        return wick_fail(err, WICK_ELIMIT, "%lld tokens of state, but the session holds at most %lld", (long long)n,
                         (long long)s->options.context);
    int64_t oldest = oldest_of(s, n, size);
    if (oldest < 0)
        return wick_fail(err, WICK_EMISMATCH, "%llu bytes of state, expected %llu for %lld tokens%s", (unsigned long long)size,
                         (unsigned long long)((uint64_t)n_held(s, n, first_needed(s, n)) * position_size(s) + conv_size(s)), (long long)n,
                         s->n_ring ? ", or those of some more" : "");
    move_all(s, n, oldest, (uint8_t *)(uintptr_t)src, false);
    s->oldest = oldest;
    s->reach = s->position_end = n;
    return WICK_OK;
}
