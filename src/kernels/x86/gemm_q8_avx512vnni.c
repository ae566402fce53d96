/* q8 products on AVX512-VNNI: tiles of up to 12 rows x one or two panels. Everything is one exact int32 until the last two
 * products: the weights are w + 128 (unsigned), so the sum starts at -128 * (sum of the codes) - z * wsum. It may wrap on the
 * way; the result fits (kernels.h: K <= 65536).
 *
 * There is nothing but dot products here, so loads decide: with two panels every broadcast of four codes feeds two of them.
 * Few rows wait for memory and take one panel at a time: one stream. */
#include "kernels/levels.h"
#include "kernels/x86/lanes_avx512vnni.h"
#include "kernels/x86/tiles_x86.h"

enum { PAIR_ROWS = 4 }; /* from so many rows on two panels */

typedef struct job {
    const wick_qtile *t;
    const uint8_t *w;
    int64_t panel_size;
    const float *col_scale, *bias;
    const int32_t *wsum;
    float *y;
    int64_t y_stride;
} job;

INLINE void tile(int R, int P, const job *x) {
    const wick_qtile *t = x->t;
    const int8_t *a = t->codes;
    const uint8_t *w = x->w;
    const int64_t panel_size = x->panel_size;
    __m512i sum[24];
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        UNROLL(2)
        for (int p = 0; p < P; p++)
            sum[r * P + p] =
                _mm512_sub_epi32(_mm512_mullo_epi32(_mm512_loadu_si512(x->wsum + 16 * p), _mm512_set1_epi32((int32_t)t->neg_zero[r])),
                                 _mm512_slli_epi32(_mm512_set1_epi32(t->sum[r]), 7));
    }
    for (int64_t g = t->k / 32; g; g--, w += 512, a += 32 * R) {
        UNROLL(8)
        for (int j = 0; j < 8; j++) {
            __m512i q[2];
            UNROLL(2)
            for (int p = 0; p < P; p++) q[p] = _mm512_load_si512(w + p * panel_size + 64 * j);
            UNROLL(12)
            for (int r = 0; r < R; r++) {
                __m512i codes = _mm512_set1_epi32(codes4(a + 32 * r + 4 * j));
                UNROLL(2)
                for (int p = 0; p < P; p++) sum[r * P + p] = _mm512_dpbusd_epi32(sum[r * P + p], q[p], codes);
            }
        }
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        UNROLL(2)
        for (int p = 0; p < P; p++) {
            __m512 s = _mm512_mul_ps(_mm512_set1_ps(t->scale[r]), _mm512_loadu_ps(x->col_scale + 16 * p));
            __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r * P + p]), s);
            if (x->bias) v = _mm512_add_ps(v, _mm512_loadu_ps(x->bias + 16 * p));
            _mm512_storeu_ps(x->y + r * x->y_stride + 16 * p, v);
        }
    }
}

#define DEFINE_TILE(R)                                                                                                                     \
    static void tile_##R(const job *x) { tile(R, 1, x); }                                                                                  \
    static void pair_##R(const job *x) { tile(R, 2, x); }
EACH_TILE(DEFINE_TILE)
typedef void tile_fn(const job *x);
#define TILE_ENTRY(R) tile_##R,
#define PAIR_ENTRY(R) pair_##R,
static tile_fn *const by_rows[2][WICK_TILE_ROWS + 1] = {{NULL, EACH_TILE(TILE_ENTRY)}, {NULL, EACH_TILE(PAIR_ENTRY)}};

void wick_gemm_q8_avx512vnni(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *col_scale,
                             const int32_t *wsum, const float *bias, float *y, int64_t y_stride) {
    const int64_t panel_size = (int64_t)wick_q8_panel_size(tiles->k);
    for (int64_t t0 = 0; t0 < n_tile; t0 += ROW_BLOCK) {
        const int64_t t1 = t0 + ROW_BLOCK < n_tile ? t0 + ROW_BLOCK : n_tile;
        for (int64_t p = 0, step; p < n_panel; p += step) {
            step = n_panel - p >= 2 && tiles[t0].n_row >= PAIR_ROWS ? 2 : 1;
            job x = {
                NULL,    panels + p * panel_size, panel_size, col_scale + 16 * p, bias ? bias + 16 * p : NULL, wsum + 16 * p, y + 16 * p,
                y_stride};
            for (int64_t t = t0; t < t1; x.y += tiles[t++].n_row * y_stride) {
                x.t = tiles + t;
                by_rows[step - 1][x.t->n_row](&x);
            }
        }
        for (int64_t t = t0; t < t1; t++) y += tiles[t].n_row * y_stride;
    }
}
