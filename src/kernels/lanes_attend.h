/* lanes_attend.h: the KV cache and attention, sixteen lanes at a time. A template: see lanes.h.
 *
 * A block of 64 keys passes through three steps for a tile of rows: scores (lanes are keys), softmax, values (lanes are
 * dimensions). K and V are shared by the rows of a tile, accumulators are not. With one tile the f16 cache is converted in the
 * loops and the next block is fetched ahead; with more, the block is converted once into scratch.
 *
 * Rows of a tile that see different keys (the diagonal of a prompt, a window) take the values in runs of keys that the same
 * rows see, so that no row is touched by a key that it does not see. */
#ifndef WICK_KERNELS_LANES_ATTEND_H
#define WICK_KERNELS_LANES_ATTEND_H

/* ---------------------------------------------------------------- the cache */

void LEVEL(wick_kv_store_f16)(const float *k, const float *v, int64_t position, int64_t d, void *k_cache, void *v_cache) {
    uint16_t *kc = (uint16_t *)k_cache + position / 16 * d * 16 + position % 16, *vc = (uint16_t *)v_cache + position * d;
    int64_t i = 0;
    for (; i + 16 <= d; i += 16) {
        uint16_t h[16];
        v_store_f16(vc + i, v_load(v + i));
        v_store_f16(h, v_load(k + i));
        for (int j = 0; j < 16; j++) kc[(i + j) * 16] = h[j];
    }
    for (; i < d; i++) {
        kc[i * 16] = wick_f32_to_f16(k[i]);
        vc[i] = wick_f32_to_f16(v[i]);
    }
}

/* ---------------------------------------------------------------- a tile */

typedef struct key_range {
    int from, to; /* of a block's 64 keys, those that a row sees; none: from >= to */
} key_range;

typedef struct attend_tile {
    const float *q;
    int64_t q_stride, d;
    const uint8_t *k, *v;     /* this block */
    int chunk_from, chunk_to; /* groups of 16 keys that some row sees */
    float scale;
    float *m, *l, *o;
    int64_t o_stride;
    key_range seen[LANES_ROWS];
    float p[LANES_ROWS][WICK_KEY_BLOCK]; /* scores, then probabilities */
    float c[16];                         /* factor of the old state */
} attend_tile;

/* C groups of 16 keys from group g on. */
INLINE void score_chunks(number_kind kind, int R, int C, attend_tile *t, int g) {
    const int64_t d = t->d, line = 16 * (int64_t)number_size(kind), ahead = WICK_KEY_BLOCK * d * (int64_t)number_size(kind);
    const float *q = t->q;
    const int64_t q_stride = t->q_stride;
    const uint8_t *k[4];
    vf s[4 * LANES_ROWS];
    UNROLL(4)
    for (int c = 0; c < C; c++) k[c] = t->k + (g + c) * d * line;
    UNROLL(48)
    for (int i = 0; i < R * C; i++) s[i] = v_set(0);
    for (int64_t i = 0; i < d; i++) {
        vf key[4];
        UNROLL(4)
        for (int c = 0; c < C; c++) {
            key[c] = v_load_as(kind, k[c] + i * line);
            if (kind == NUMBER_F16 && i % 2 == 0) v_prefetch(k[c] + i * line + ahead);
        }
        UNROLL(12)
        for (int r = 0; r < R; r++) {
            vf x = v_set(q[r * q_stride + i]);
            UNROLL(4)
            for (int c = 0; c < C; c++) s[r * C + c] = v_fma(x, key[c], s[r * C + c]);
        }
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        UNROLL(4)
        for (int c = 0; c < C; c++) v_store(&t->p[r][(g + c) * 16], v_mul(s[r * C + c], v_set(t->scale)));
    }
}

INLINE void score_tile(number_kind kind, int R, attend_tile *t) {
    const int C = LANES_ATTEND_CHUNKS(R);
    int g = t->chunk_from;
    for (; g + C <= t->chunk_to; g += C) score_chunks(kind, R, C, t, g);
    for (; g < t->chunk_to; g++) score_chunks(kind, R, 1, t, g);
}

/* The keys of group g of a row as lane bits. */
INLINE uint32_t seen_bits(key_range s, int g) {
    int from = s.from - 16 * g, to = s.to - 16 * g;
    if (from < 0) from = 0;
    if (to > 16) to = 16;
    return from < to ? (1u << to) - (1u << from) : 0;
}

static void softmax_tile(int n_row, attend_tile *t) {
    for (int r = 0; r < 16; r++) t->c[r] = 0;
    for (int r = 0; r < n_row; r++) { /* new maxima; a row that sees nothing keeps its state: c = exp(0) */
        if (t->seen[r].from >= t->seen[r].to) continue;
        vf top = v_set(-INFINITY);
        for (int g = t->chunk_from; g < t->chunk_to; g++)
            top = v_max(v_pick(seen_bits(t->seen[r], g), v_load(&t->p[r][16 * g]), v_set(-INFINITY)), top);
        float m = wick_max(v_top(top), t->m[r]) + 0.0f;
        t->c[r] = t->m[r] - m;
        t->m[r] = m;
    }
    v_store(t->c, v_exp(v_load(t->c)));
    for (int r = 0; r < n_row; r++) {
        vf p[4], m = v_set(t->m[r]);
        for (int g = 0; g < 4; g++) {
            uint32_t bits = seen_bits(t->seen[r], g);
            p[g] = bits ? v_keep(bits, v_exp(v_sub(v_load(&t->p[r][16 * g]), m))) : v_set(0);
            v_store(&t->p[r][16 * g], p[g]);
        }
        t->l[r] = fmaf(t->l[r], t->c[r], v_tree(v_add(v_add(p[0], p[1]), v_add(p[2], p[3]))));
    }
}

/* o = o * c (c NULL: as it is), then the keys from..to-1 for rows row..row+R-1: C groups of 16 dimensions from i on, or n < 16
 * dimensions. */
INLINE void value_chunks(number_kind kind, int R, int C, int n, const attend_tile *t, int row, const float *c, int from, int to,
                         int64_t i) {
    const int64_t d = t->d, size = (int64_t)number_size(kind), o_stride = t->o_stride;
    float *o = t->o + row * o_stride + i;
    vf acc[4 * LANES_ROWS];
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        UNROLL(4)
        for (int h = 0; h < C; h++) {
            vf x = n < 16 ? v_load_n(o + r * o_stride, n) : v_load(o + r * o_stride + 16 * h);
            acc[r * C + h] = c ? v_mul(x, v_set(c[row + r])) : x;
        }
    }
    for (int j = from; j < to; j++) {
        const uint8_t *v = t->v + (j * d + i) * size;
        vf value[4];
        UNROLL(4)
        for (int h = 0; h < C; h++) {
            value[h] = n < 16 ? v_load_as_n(kind, v, n) : v_load_as(kind, v + 16 * h * size);
            if (kind == NUMBER_F16 && h % 2 == 0) v_prefetch(v + 16 * h * size + WICK_KEY_BLOCK * d * size);
        }
        UNROLL(12)
        for (int r = 0; r < R; r++) {
            vf p = v_set(t->p[row + r][j]);
            UNROLL(4)
            for (int h = 0; h < C; h++) acc[r * C + h] = v_fma(p, value[h], acc[r * C + h]);
        }
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        UNROLL(4)
        for (int h = 0; h < C; h++) {
            if (n < 16)
                v_store_n(o + r * o_stride, acc[r * C + h], n);
            else
                v_store(o + r * o_stride + 16 * h, acc[r * C + h]);
        }
    }
}

INLINE void value_tile(number_kind kind, int R, const attend_tile *t, int row, const float *c, int from, int to) {
    const int C = LANES_ATTEND_CHUNKS(R);
    int64_t i = 0;
    for (; i + 16 * C <= t->d; i += 16 * C) value_chunks(kind, R, C, 16, t, row, c, from, to, i);
    for (; i + 16 <= t->d; i += 16) value_chunks(kind, R, 1, 16, t, row, c, from, to, i);
    if (i < t->d) value_chunks(kind, R, 1, 8, t, row, c, from, to, i);
}

typedef void score_fn(attend_tile *t);
typedef void value_fn(const attend_tile *t, int row, const float *c, int from, int to);
#define DEFINE_TILE(kind, name, R)                                                                                                         \
    static void score_##name##_##R(attend_tile *t) { score_tile(kind, R, t); }                                                             \
    static void value_##name##_##R(const attend_tile *t, int row, const float *c, int from, int to) {                                      \
        value_tile(kind, R, t, row, c, from, to);                                                                                          \
    }
EACH_ROWS(DEFINE_TILE, NUMBER_F32, f32)
EACH_ROWS(DEFINE_TILE, NUMBER_F16, f16)
#define SCORE_ENTRY(kind, name, R) score_##name##_##R,
#define VALUE_ENTRY(kind, name, R) value_##name##_##R,
static score_fn *const score_table[2][LANES_ROWS + 1] = {{NULL, EACH_ROWS(SCORE_ENTRY, NUMBER_F32, f32)},
                                                         {NULL, EACH_ROWS(SCORE_ENTRY, NUMBER_F16, f16)}};
static value_fn *const value_table[2][LANES_ROWS + 1] = {{NULL, EACH_ROWS(VALUE_ENTRY, NUMBER_F32, f32)},
                                                         {NULL, EACH_ROWS(VALUE_ENTRY, NUMBER_F16, f16)}};

/* ---------------------------------------------------------------- a block */

/* The values of rows that do not all see the same keys. */
static void values_in_runs(value_fn *const *table, int n_row, attend_tile *t) {
    for (int r = 0; r < n_row; r++)
        for (int64_t i = 0; i < t->d; i++) t->o[r * t->o_stride + i] *= t->c[r];
    for (int from = 16 * t->chunk_from, to; from < 16 * t->chunk_to; from = to) {
        to = 16 * t->chunk_to;
        for (int r = 0; r < n_row; r++) { /* the next key where some row begins or ends */
            if (t->seen[r].from > from && t->seen[r].from < to) to = t->seen[r].from;
            if (t->seen[r].to > from && t->seen[r].to < to) to = t->seen[r].to;
        }
        for (int r = 0, n; r < n_row; r += n + 1) {
            for (n = 0; r + n < n_row && t->seen[r + n].from <= from && to <= t->seen[r + n].to;) n++;
            if (n) table[n](t, r, NULL, from, to);
        }
    }
}

/* Rows row..row+n_row-1 of the call over one block, whose K and V are in t. */
static void attend_rows(number_kind kind, const wick_attend_args *a, int row, int n_row, const key_range *seen, attend_tile *t) {
    bool same = true;
    int from = WICK_KEY_BLOCK, to = 0;
    for (int r = 0; r < n_row; r++) {
        t->seen[r] = seen[row + r];
        same = same && t->seen[r].from == t->seen[0].from && t->seen[r].to == t->seen[0].to;
        if (t->seen[r].from >= t->seen[r].to) continue;
        if (t->seen[r].from < from) from = t->seen[r].from;
        if (t->seen[r].to > to) to = t->seen[r].to;
    }
    if (from >= to) return;
    t->chunk_from = from / 16;
    t->chunk_to = (to + 15) / 16;
    t->q = a->q + row * a->q_stride;
    t->m = a->m + row;
    t->l = a->l + row;
    t->o = a->o + row * a->o_stride;
    score_table[kind][n_row](t);
    softmax_tile(n_row, t);
    if (same)
        value_table[kind][n_row](t, 0, t->c, from, to);
    else
        values_in_runs(value_table[kind], n_row, t);
}

/* What each row sees of the block; returns the first key after all of them. */
static int block_ranges(const wick_attend_args *a, int64_t block, key_range *seen) {
    int64_t end = a->key_to - block < WICK_KEY_BLOCK ? a->key_to - block : WICK_KEY_BLOCK, last = 0;
    for (int r = 0; r < a->n_row; r++) {
        int64_t from = a->first[r] - block, to = a->limit[r] - block;
        if (from < 0) from = 0;
        if (to > end) to = end;
        if (from >= to) from = to = 0;
        seen[r] = (key_range){(int)from, (int)to};
        if (to > last) last = to;
    }
    return (int)last;
}

/* The groups of 16 keys of K and the rows of V below `end`, in fp32. */
static void widen_block(const uint16_t *k, const uint16_t *v, int64_t d, int end, float *to_k, float *to_v) {
    for (int64_t i = 0; i < (end + 15) / 16 * d; i++) v_store(to_k + 16 * i, v_load_f16(k + 16 * i));
    LEVEL(wick_widen_f16)(v, end * d, to_v);
}

INLINE void attend(number_kind kind, const wick_attend_args *a, float *scratch) {
    attend_tile t = {.q_stride = a->q_stride, .d = a->d, .scale = a->scale, .o_stride = a->o_stride};
    const int n_tile = (a->n_row + LANES_ROWS - 1) / LANES_ROWS;
    key_range seen[WICK_ATTEND_ROWS];
    for (int r = 0; r < a->n_row; r++) {
        a->m[r] = -INFINITY;
        a->l[r] = 0;
        for (int64_t i = 0; i < a->d; i++) a->o[r * a->o_stride + i] = 0;
    }
    for (int64_t block = a->key_from; block < a->key_to; block += WICK_KEY_BLOCK) {
        const int64_t at = block * a->d * (int64_t)number_size(kind);
        const int end = block_ranges(a, block, seen);
        number_kind now = kind;
        if (end == 0) continue;
        t.k = (const uint8_t *)a->k + at;
        t.v = (const uint8_t *)a->v + at;
        if (kind == NUMBER_F16 && n_tile > 1) {
            widen_block((const uint16_t *)(const void *)t.k, (const uint16_t *)(const void *)t.v, a->d, end, scratch,
                        scratch + WICK_KEY_BLOCK * a->d);
            t.k = (const uint8_t *)scratch;
            t.v = (const uint8_t *)(scratch + WICK_KEY_BLOCK * a->d);
            now = NUMBER_F32;
        }
        for (int i = 0; i < n_tile; i++) {
            const int begin = a->n_row * i / n_tile;
            attend_rows(now, a, begin, a->n_row * (i + 1) / n_tile - begin, seen, &t);
        }
    }
}

void LEVEL(wick_attend_f32)(const wick_attend_args *args, void *scratch) { attend(NUMBER_F32, args, scratch); }
void LEVEL(wick_attend_f16)(const wick_attend_args *args, void *scratch) { attend(NUMBER_F16, args, scratch); }

#endif
