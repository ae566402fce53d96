/* q4 products on AVX2: up to 4 rows of a tile at a time x one panel, eight columns per register.
 *
 * vpmaddubsw adds pairs of products u8 * s8 into int16 lanes and would saturate; with nibbles (0..15) as the unsigned side the
 * 16 products of a lane and group stay below 16 * 15 * 128 = 30720. At the end of a group vpmaddwd with ones adds the two
 * halves of a column, and the start -8 * (sum of the codes) makes q of q + 8. */
#include "kernels/levels.h"
#include "kernels/x86/lanes_avx2.h"
#include "kernels/x86/tiles_x86.h"

enum { AHEAD = 2 * WICK_Q4_BLOCK, STRIP = 4 }; /* rows that share the unpacking of a panel */

typedef struct job {
    const wick_qtile *t;
    const uint8_t *w;
    const float *colsum, *bias;
    float *y;
    int64_t y_stride;
    bool first;
} job;

INLINE __m256i broadcast4(const int8_t *a) { return _mm256_set1_epi32(codes4(a)); }

/* sums[r] = products of one group and eight columns for R rows; w: the first half of its first line; a: row 0. */
INLINE void group_sums(int R, const uint8_t *w, const int8_t *a, const int32_t *start, __m256i *sums) {
    const __m256i nibble = _mm256_set1_epi8(15);
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        __m256i raw = _mm256_load_si256((const __m256i *)(w + 64 * j)), low = _mm256_and_si256(raw, nibble);
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(raw, 4), nibble);
        UNROLL(4)
        for (int r = 0; r < R; r++) {
            __m256i s = _mm256_maddubs_epi16(low, broadcast4(a + 32 * r + 4 * j));
            sums[r] = j ? _mm256_add_epi16(sums[r], s) : s;
            KEEP_ORDER(sums[r]);
        }
        UNROLL(4)
        for (int r = 0; r < R; r++) {
            sums[r] = _mm256_add_epi16(sums[r], _mm256_maddubs_epi16(high, broadcast4(a + 32 * r + 4 * j + 16)));
            KEEP_ORDER(sums[r]);
        }
    }
    UNROLL(4)
    for (int r = 0; r < R; r++) sums[r] = _mm256_add_epi32(_mm256_madd_epi16(sums[r], _mm256_set1_epi16(1)), _mm256_set1_epi32(start[r]));
}

/* Rows row..row+R-1 of the tile. */
INLINE void strip(int R, int row, const job *x) {
    const wick_qtile *t = x->t;
    const uint8_t *w = x->w;
    const int8_t *a = t->codes + 32 * row;
    const int32_t *start = t->starts + row;
    __m256 acc[STRIP][2];
    UNROLL(4)
    for (int r = 0; r < R; r++)
        for (int h = 0; h < 2; h++) acc[r][h] = _mm256_mul_ps(_mm256_set1_ps(t->neg_zero[row + r]), _mm256_loadu_ps(x->colsum + 8 * h));
    for (int64_t b = t->k / 64; b; b--, w += WICK_Q4_BLOCK) {
        if (x->first) {
            UNROLL(9)
            for (int i = 0; i < 9; i++) _mm_prefetch((const char *)w + AHEAD + 64 * i, _MM_HINT_T0);
        }
        UNROLL(2)
        for (int g = 0; g < 2; g++, a += 32 * t->n_row, start += t->n_row) {
            UNROLL(2)
            for (int h = 0; h < 2; h++) {
                __m256i sums[STRIP], s = _mm256_load_si256((const __m256i *)(w + 512 + 32 * h));
                const int8_t *codes = a;
                LOAD_AGAIN(codes);
                group_sums(R, w + 256 * g + 32 * h, codes, start, sums);
                s = g ? _mm256_and_si256(s, _mm256_set1_epi32((int)0xffff0000)) : _mm256_slli_epi32(s, 16);
                UNROLL(4)
                for (int r = 0; r < R; r++) acc[r][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[r]), _mm256_castsi256_ps(s), acc[r][h]);
            }
        }
    }
    UNROLL(4)
    for (int r = 0; r < R; r++)
        for (int h = 0; h < 2; h++) {
            __m256 v = _mm256_mul_ps(acc[r][h], _mm256_set1_ps(t->scale[row + r]));
            if (x->bias) v = _mm256_add_ps(v, _mm256_loadu_ps(x->bias + 8 * h));
            _mm256_storeu_ps(x->y + (row + r) * x->y_stride + 8 * h, v);
        }
}

static void strip_1(int row, const job *x) { strip(1, row, x); }
static void strip_2(int row, const job *x) { strip(2, row, x); }
static void strip_3(int row, const job *x) { strip(3, row, x); }
static void strip_4(int row, const job *x) { strip(4, row, x); }
typedef void strip_fn(int row, const job *x);
static strip_fn *const strips[STRIP + 1] = {NULL, strip_1, strip_2, strip_3, strip_4};

static void tile(job x) {
    for (int row = 0; row < x.t->n_row; row += STRIP) {
        strips[x.t->n_row - row < STRIP ? x.t->n_row - row : STRIP](row, &x);
        x.first = false;
    }
}

void wick_gemm_q4_avx2(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *colsum,
                       const float *bias, float *y, int64_t y_stride) {
    const int64_t panel_size = (int64_t)wick_q4_panel_size(tiles->k);
    for (int64_t t0 = 0; t0 < n_tile; t0 += ROW_BLOCK) {
        const int64_t t1 = t0 + ROW_BLOCK < n_tile ? t0 + ROW_BLOCK : n_tile;
        for (int64_t p = 0; p < n_panel; p++) {
            float *to = y + 16 * p;
            for (int64_t t = t0; t < t1; to += tiles[t++].n_row * y_stride)
                tile((job){tiles + t, panels + p * panel_size, colsum + 16 * p, bias ? bias + 16 * p : NULL, to, y_stride, t == t0});
        }
        for (int64_t t = t0; t < t1; t++) y += tiles[t].n_row * y_stride;
    }
}
