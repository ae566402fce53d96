/* q8 products on AVX2: up to 3 rows of a tile at a time x one panel, eight columns per register.
 *
 * w + 128 times a code overflows the int16 pairs of vpmaddubsw, so the weights are taken as two nibbles, which do not: low and
 * high have int16 sums of their own over 32 k (at most 8 * 2 * 15 * 128 = 30720), and vpmaddwd with 1 and with 16 adds both to
 * the int32 sum. All of it is exact; the last lines are those of every level. */
#include "kernels/levels.h"
#include "kernels/x86/lanes_avx2.h"
#include "kernels/x86/tiles_x86.h"

enum { STRIP = 3 };

typedef struct job {
    const wick_qtile *t;
    const uint8_t *w;
    const float *col_scale, *bias;
    const int32_t *wsum;
    float *y;
    int64_t y_stride;
} job;

/* Adds the products of 32 k and eight columns; w: the first half of the first of eight lines. */
INLINE void group_sums(int R, const uint8_t *w, const int8_t *a, __m256i *sums) {
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i lows[STRIP], highs[STRIP];
    UNROLL(8)
    for (int j = 0; j < 8; j++) {
        __m256i raw = _mm256_load_si256((const __m256i *)(w + 64 * j)), low = _mm256_and_si256(raw, nibble);
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(raw, 4), nibble);
        UNROLL(3)
        for (int r = 0; r < R; r++) {
            __m256i codes = _mm256_set1_epi32(codes4(a + 32 * r + 4 * j));
            __m256i l = _mm256_maddubs_epi16(low, codes), h = _mm256_maddubs_epi16(high, codes);
            lows[r] = j ? _mm256_add_epi16(lows[r], l) : l;
            highs[r] = j ? _mm256_add_epi16(highs[r], h) : h;
            KEEP_ORDER(lows[r]);
            KEEP_ORDER(highs[r]);
        }
    }
    UNROLL(3)
    for (int r = 0; r < R; r++) {
        sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(lows[r], _mm256_set1_epi16(1)));
        sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(highs[r], _mm256_set1_epi16(16)));
    }
}

/* Rows row..row+R-1 of the tile and columns 8 * h..8 * h + 7. */
INLINE void strip(int R, int row, int h, const job *x) {
    const wick_qtile *t = x->t;
    const uint8_t *w = x->w + 32 * h;
    const int8_t *a = t->codes + 32 * row;
    __m256i sums[STRIP], wsum = _mm256_loadu_si256((const __m256i *)(x->wsum + 8 * h));
    UNROLL(3)
    for (int r = 0; r < R; r++)
        sums[r] = _mm256_sub_epi32(_mm256_mullo_epi32(wsum, _mm256_set1_epi32((int32_t)t->neg_zero[row + r])),
                                   _mm256_slli_epi32(_mm256_set1_epi32(t->sum[row + r]), 7));
    for (int64_t g = t->k / 32; g; g--, w += 512, a += 32 * t->n_row) group_sums(R, w, a, sums);
    UNROLL(3)
    for (int r = 0; r < R; r++) {
        __m256 s = _mm256_mul_ps(_mm256_set1_ps(t->scale[row + r]), _mm256_loadu_ps(x->col_scale + 8 * h));
        __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r]), s);
        if (x->bias) v = _mm256_add_ps(v, _mm256_loadu_ps(x->bias + 8 * h));
        _mm256_storeu_ps(x->y + (row + r) * x->y_stride + 8 * h, v);
    }
}

static void strip_1(int row, int h, const job *x) { strip(1, row, h, x); }
static void strip_2(int row, int h, const job *x) { strip(2, row, h, x); }
static void strip_3(int row, int h, const job *x) { strip(3, row, h, x); }
typedef void strip_fn(int row, int h, const job *x);
static strip_fn *const strips[STRIP + 1] = {NULL, strip_1, strip_2, strip_3};

static void tile(job x) {
    for (int row = 0; row < x.t->n_row; row += STRIP)
        for (int h = 0; h < 2; h++) strips[x.t->n_row - row < STRIP ? x.t->n_row - row : STRIP](row, h, &x);
}

void wick_gemm_q8_avx2(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *col_scale,
                       const int32_t *wsum, const float *bias, float *y, int64_t y_stride) {
    const int64_t panel_size = (int64_t)wick_q8_panel_size(tiles->k);
    for (int64_t t0 = 0; t0 < n_tile; t0 += ROW_BLOCK) {
        const int64_t t1 = t0 + ROW_BLOCK < n_tile ? t0 + ROW_BLOCK : n_tile;
        for (int64_t p = 0; p < n_panel; p++) {
            float *to = y + 16 * p;
            for (int64_t t = t0; t < t1; to += tiles[t++].n_row * y_stride)
                tile((job){tiles + t, panels + p * panel_size, col_scale + 16 * p, bias ? bias + 16 * p : NULL, wsum + 16 * p, to,
                           y_stride});
        }
        for (int64_t t = t0; t < t1; t++) y += tiles[t].n_row * y_stride;
    }
}
