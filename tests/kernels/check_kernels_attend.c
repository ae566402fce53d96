/* Checks of the KV cache and of attention. */
#include "base/half.h"
#include "check_kernels.h"

#include <math.h>

/* ---------------------------------------------------------------- the cache */

static void store_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    for (int64_t d = 8; d <= 256; d += 8)
        for (check_fill fill = 0; fill < N_FILL; fill++) {
            const size_t size = (size_t)d * 32 * 2; /* 32 positions */
            float *k = check_memory(0, (size_t)d * 4, 4, rng), *v = check_memory(1, (size_t)d * 4, 4, rng);
            void *cache[2][2];
            for (int j = 0; j < 2; j++)
                for (int i = 0; i < 2; i++) cache[j][i] = check_memory(2 + 2 * j + i, size, 64, rng);
            for (int n = 0; n < 4; n++) {
                const int64_t position = test_rng_below(rng, 32);
                check_fill_floats(k, (size_t)d, fill, rng);
                check_fill_floats(v, (size_t)d, fill, rng);
                KERNEL(ref, c, wick_kv_store_fn)(k, v, position, d, cache[0][0], cache[0][1]);
                KERNEL(now, c, wick_kv_store_fn)(k, v, position, d, cache[1][0], cache[1][1]);
            }
            assert_memory_equal(cache[0][0], cache[1][0], size);
            assert_memory_equal(cache[0][1], cache[1][1], size);
        }
}

/* ---------------------------------------------------------------- a problem */

typedef struct problem {
    wick_attend_args args;
    int64_t first[WICK_ATTEND_ROWS], limit[WICK_ATTEND_ROWS];
    float *k, *v; /* [n_key][d], as stored (rounded to f16 where the cache is) */
} problem;

static bool is_f16(const check *c) { return c->field == offsetof(wick_kernels, attend_f16); }

/* Keys up to key_to are stored; what else the cache holds is hostile (NaN). */
static void make_cache(const check *c, const wick_kernels *ref, problem *p, int64_t d, int64_t n_key, check_fill fill, test_rng *rng) {
    const size_t size = is_f16(c) ? 2 : 4;
    uint8_t *k = check_memory(0, (size_t)((n_key + 15) / 16 * 16 * d) * size, 64, rng);
    uint8_t *v = check_memory(1, (size_t)(n_key * d) * size, 16, rng);
    memset(k, 0xff, (size_t)((n_key + 15) / 16 * 16 * d) * size);
    p->k = check_memory(2, (size_t)(n_key * d) * 4, 4, rng);
    p->v = check_memory(3, (size_t)(n_key * d) * 4, 4, rng);
    check_fill_floats(p->k, (size_t)(n_key * d), fill, rng);
    check_fill_floats(p->v, (size_t)(n_key * d), fill, rng);
    for (int64_t i = 0; i < n_key; i++) (is_f16(c) ? ref->kv_store_f16 : ref->kv_store_f32)(p->k + i * d, p->v + i * d, i, d, k, v);
    for (int64_t i = 0; is_f16(c) && i < n_key * d; i++) {
        p->k[i] = wick_f16_to_f32(wick_f32_to_f16(p->k[i]));
        p->v[i] = wick_f16_to_f32(wick_f32_to_f16(p->v[i]));
    }
    p->args.k = k;
    p->args.v = v;
    p->args.d = d;
}

/* Rows: tokens of `group` heads that see what lies behind them, the last one at the last key; or windows; or anything. */
static void make_rows(problem *p, int n_row, int64_t n_key, int style, check_fill fill, test_rng *rng) {
    const int64_t group = 1 + test_rng_below(rng, 6), chunk = p->args.key_from, end = chunk + n_key;
    for (int r = 0; r < n_row; r++) {
        p->limit[r] = end - (n_row - 1 - r) / group;
        p->first[r] = style == 1 ? p->limit[r] - 40 : 0;
        if (style == 2)
            p->first[r] = chunk + test_rng_below(rng, (uint32_t)n_key + 1), p->limit[r] = chunk + test_rng_below(rng, (uint32_t)n_key + 1);
        if (style == 3) p->limit[r] = end;
    }
    p->args.n_row = n_row;
    p->args.q_stride = p->args.d + test_rng_below(rng, 5);
    p->args.o_stride = p->args.d + test_rng_below(rng, 5);
    float *q = check_memory(4, (size_t)((n_row - 1) * p->args.q_stride + p->args.d) * 4, 4, rng);
    check_fill_floats(q, (size_t)((n_row - 1) * p->args.q_stride + p->args.d), fill, rng);
    p->args.q = q;
    p->args.key_to = end;
    p->args.first = p->first;
    p->args.limit = p->limit;
    p->args.scale = test_rng_below(rng, 4) ? 0.125f : 1.0f + test_rng_float(rng);
}

/* State in slot, slot + 1, slot + 2. */
static void call(const check *c, const wick_kernels *kernels, problem *p, int slot, test_rng *rng) {
    const size_t rows = (size_t)p->args.n_row;
    p->args.m = check_memory(slot, rows * 4, 4, rng);
    p->args.l = check_memory(slot + 1, rows * 4, 4, rng);
    p->args.o = check_memory(slot + 2, ((rows - 1) * (size_t)p->args.o_stride + (size_t)p->args.d) * 4, 4, rng);
    KERNEL(kernels, c, wick_attend_fn)(&p->args, check_memory(slot + 3, wick_attend_scratch_size(p->args.d), 64, rng));
}

static void attend_equal(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    for (int i = 0; i < 900; i++) {
        static problem p, want;
        const int64_t d = i % 3 ? 8 * (1 + i / 3 % 20) : 64, n_key = i % 4 ? 1 + test_rng_below(rng, 200) : 1 + test_rng_below(rng, 512);
        const int64_t key_from = test_rng_below(rng, 2) ? 0 : 64 * test_rng_below(rng, (uint32_t)((512 - n_key) / 64 + 1));
        const int n_row = i % 5 == 0 ? 1 + (int)test_rng_below(rng, WICK_ATTEND_ROWS) : 1 + i % 13;
        const check_fill fill = i % 8 ? FILL_RANDOM : check_any_fill(rng);
        make_cache(c, ref, &p, d, key_from + n_key, fill, rng);
        p.args.key_from = key_from;
        make_rows(&p, n_row, n_key, i % 4, fill, rng);
        want = p;
        call(c, ref, &want, 8, rng);
        call(c, now, &p, 12, rng);
        check_same("m", want.args.m, p.args.m, (size_t)n_row);
        check_same("l", want.args.l, p.args.l, (size_t)n_row);
        check_same("o", want.args.o, p.args.o, (size_t)((n_row - 1) * p.args.o_stride + d));
    }
}

/* Softmax in double. A score is off by d + 1 roundings of the sum of its magnitudes, which moves p by that factor; p itself by
 * 3 more, and the sums and the recurrence by one rounding per key and two per block. */
static void attend_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)now;
    for (int i = 0; i < 60; i++) {
        static problem p;
        const int64_t d = 8 * (1 + i % 16), n_key = 1 + test_rng_below(rng, 512);
        p.args.key_from = 0;
        make_cache(c, ref, &p, d, n_key, FILL_RANDOM, rng);
        make_rows(&p, 1 + i % 5, n_key, i % 2, FILL_RANDOM, rng);
        call(c, ref, &p, 8, rng);
        for (int r = 0; r < p.args.n_row; r++) {
            double s[512], top = -INFINITY, sum = 0, size = 0, biggest = 0;
            const int64_t from = p.first[r] > 0 ? p.first[r] : 0, to = p.limit[r];
            for (int64_t j = from; j < to; j++) {
                double magnitude = 0;
                s[j] = 0;
                for (int64_t a = 0; a < d; a++) {
                    const double term = (double)p.args.q[r * p.args.q_stride + a] * (double)p.k[j * d + a] * (double)p.args.scale;
                    s[j] += term;
                    magnitude += fabs(term);
                    biggest = fmax(biggest, fabs((double)p.v[j * d + a]));
                }
                top = fmax(top, s[j]);
                size = fmax(size, magnitude);
            }
            if (from >= to) {
                assert_true(p.args.m[r] == -INFINITY && p.args.l[r] == 0);
                continue;
            }
            for (int64_t j = from; j < to; j++) sum += s[j] = exp(s[j] - top);
            float out[256];
            wick_attend_merge(1, p.args.m + r, p.args.l + r, 1, p.args.o + r * p.args.o_stride, 0, d, out);
            const double bound = (2 * ((double)d + 1) * size + 2 * (double)(to - from) + 40) * 0x1p-24 * biggest;
            for (int64_t a = 0; a < d; a++) {
                double o = 0;
                for (int64_t j = from; j < to; j++) o += s[j] / sum * (double)p.v[j * d + a];
                assert_true(fabs(o - (double)out[a]) <= bound);
            }
        }
    }
}

/* ---------------------------------------------------------------- merging */

/* States of chunks merged are the attention over all keys; chunks that saw nothing change no bit. */
static void merge_accuracy(const check *c, const wick_kernels *ref, const wick_kernels *now, test_rng *rng) {
    (void)c, (void)ref, (void)now;
    float m[8], l[8], o[8][16], out[16], again[16];
    for (int i = 0; i < 200; i++) {
        const int n = 1 + (int)test_rng_below(rng, 4);
        double top = -INFINITY, sum = 0;
        for (int j = 0; j < n; j++) {
            m[j] = 10 * test_rng_float(rng);
            l[j] = 1 + fabsf(test_rng_float(rng)) * 100;
            check_fill_floats(o[j], 16, FILL_RANDOM, rng);
            top = fmax(top, (double)m[j]);
        }
        for (int j = 0; j < n; j++) sum += exp((double)m[j] - top) * (double)l[j];
        wick_attend_merge(n, m, l, 1, o[0], 16, 16, out);
        for (int a = 0; a < 16; a++) {
            double want = 0, size = 0;
            for (int j = 0; j < n; j++) {
                want += exp((double)m[j] - top) * (double)o[j][a] / sum;
                size += exp((double)m[j] - top) * fabs((double)o[j][a]) / sum;
            }
            /* the difference of two maxima is exact to half a rounding of 20; exp 2; n sums twice; a division */
            assert_true(fabs(want - (double)out[a]) <= (2 * (20 + 2 + n) + 1) * 0x1p-24 * size);
        }
        for (int j = 7; j >= 0; j--) { /* spread them out */
            const int from = j / 2;
            const bool real = j % 2 == 0 && from < n;
            memcpy(o[j], o[from], sizeof o[j]);
            m[j] = real ? m[from] : -INFINITY;
            l[j] = real ? l[from] : 0;
        }
        wick_attend_merge(8, m, l, 1, o[0], 16, 16, again);
        check_same("merged with empty chunks", out, again, 16);
    }
    for (int j = 0; j < 8; j++) m[j] = -INFINITY, l[j] = 0;
    wick_attend_merge(8, m, l, 1, o[0], 16, 16, out);
    for (int a = 0; a < 16; a++) assert_true(out[a] == 0);
}

/* ---------------------------------------------------------------- the list */

const check check_attend_list[] = {
    CHECK(kv_store_f16, store_equal, NULL),
    CHECK(attend_f16, attend_equal, attend_accuracy),
    CHECK(attend_f32, attend_equal, attend_accuracy),
    {"attend_merge", offsetof(wick_kernels, kv_store_f32), NULL, merge_accuracy},
    {0},
};
