/* q8 products on AVX512-VNNI: tiles of up to 12 rows x one panel. Everything is one exact int32 until the last two products:
 * the weights are w + 128 (unsigned), so the sum starts at -128 * (sum of the codes) - z * wsum. It may wrap on the way; the
 * result fits (kernels.h: K <= 65536). */
#include "kernels/levels.h"
#include "kernels/x86/lanes_avx512vnni.h"
#include "kernels/x86/tiles_x86.h"

INLINE void tile(int R, const wick_qtile *t, const uint8_t *w, const float *col_scale, const int32_t *wsum, const float *bias, float *y,
                 int64_t y_stride) {
    const int8_t *a = t->codes;
    __m512i sum[12];
    UNROLL(12)
    for (int r = 0; r < R; r++)
        sum[r] = _mm512_sub_epi32(_mm512_mullo_epi32(_mm512_loadu_si512(wsum), _mm512_set1_epi32((int32_t)t->neg_zero[r])),
                                  _mm512_slli_epi32(_mm512_set1_epi32(t->sum[r]), 7));
    for (int64_t g = t->k / 32; g; g--, w += 512, a += 32 * R) {
        UNROLL(8)
        for (int j = 0; j < 8; j++) {
            __m512i q = _mm512_load_si512(w + 64 * j);
            UNROLL(12)
            for (int r = 0; r < R; r++) sum[r] = _mm512_dpbusd_epi32(sum[r], q, _mm512_set1_epi32(codes4(a + 32 * r + 4 * j)));
        }
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        __m512 s = _mm512_mul_ps(_mm512_set1_ps(t->scale[r]), _mm512_loadu_ps(col_scale));
        __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r]), s);
        _mm512_storeu_ps(y + r * y_stride, bias ? _mm512_add_ps(v, _mm512_loadu_ps(bias)) : v);
    }
}

#define DEFINE_TILE(R)                                                                                                                     \
    static void tile_##R(const wick_qtile *t, const uint8_t *w, const float *col_scale, const int32_t *wsum, const float *bias, float *y,  \
                         int64_t y_stride) {                                                                                               \
        tile(R, t, w, col_scale, wsum, bias, y, y_stride);                                                                                 \
    }
EACH_TILE(DEFINE_TILE)
typedef void tile_fn(const wick_qtile *t, const uint8_t *w, const float *col_scale, const int32_t *wsum, const float *bias, float *y,
                     int64_t y_stride);
static tile_fn *const tiles_by_rows[WICK_TILE_ROWS + 1] = TILE_TABLE;

void wick_gemm_q8_avx512vnni(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *col_scale,
                             const int32_t *wsum, const float *bias, float *y, int64_t y_stride) {
    const int64_t panel_size = (int64_t)wick_q8_panel_size(tiles->k);
    for (int64_t t0 = 0; t0 < n_tile; t0 += ROW_BLOCK) {
        const int64_t t1 = t0 + ROW_BLOCK < n_tile ? t0 + ROW_BLOCK : n_tile;
        for (int64_t p = 0; p < n_panel; p++) {
            float *to = y + 16 * p;
            for (int64_t t = t0; t < t1; to += tiles[t++].n_row * y_stride)
                tiles_by_rows[tiles[t].n_row](tiles + t, panels + p * panel_size, col_scale + 16 * p, wsum + 16 * p,
                                              bias ? bias + 16 * p : NULL, to, y_stride);
        }
        for (int64_t t = t0; t < t1; t++) y += tiles[t].n_row * y_stride;
    }
}
