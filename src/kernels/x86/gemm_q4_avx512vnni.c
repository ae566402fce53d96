/* q4 products on AVX512-VNNI: tiles of up to 12 rows x one panel, nibbles unpacked in registers.
 *
 * vpdpbusd adds four products u8 * s8 to an int32 lane: the weights stay q + 8 (unsigned), the codes are the signed side, and
 * the sum of a group starts at -8 * (sum of its codes), which the quantizer left in the tile. Lanes are output columns; four
 * codes of a row are broadcast to all of them. 12 integer and 12 float accumulators, raw, low or high nibbles, scale, mask: 29
 * of 32 registers.
 *
 * The walk: row blocks of 8 tiles, in a row block panel after panel, so that a panel stays in L1 or L2 while the tiles pass.
 * The first tile of a panel brings it in; where arithmetic no longer overlaps the misses by itself (4 rows and more) it
 * fetches two blocks ahead. */
#include "kernels/levels.h"
#include "kernels/x86/lanes_avx512vnni.h"
#include "kernels/x86/tiles_x86.h"

enum { AHEAD = 2 * WICK_Q4_BLOCK, AHEAD_ROWS = 4 };

/* Adds up one group for R rows; w: its four lines. */
INLINE void group_sums(int R, const uint8_t *w, const int8_t *a, const int32_t *start, __m512i *sum) {
    const __m512i nibble = _mm512_set1_epi8(15);
    UNROLL(12)
    for (int r = 0; r < R; r++) sum[r] = _mm512_set1_epi32(start[r]);
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        __m512i raw = _mm512_load_si512(w + 64 * j), low = _mm512_and_si512(raw, nibble);
        UNROLL(12)
        for (int r = 0; r < R; r++) sum[r] = _mm512_dpbusd_epi32(sum[r], low, _mm512_set1_epi32(codes4(a + 32 * r + 4 * j)));
        __m512i high = _mm512_and_si512(_mm512_srli_epi16(raw, 4), nibble);
        UNROLL(12)
        for (int r = 0; r < R; r++) sum[r] = _mm512_dpbusd_epi32(sum[r], high, _mm512_set1_epi32(codes4(a + 32 * r + 4 * j + 16)));
    }
}

INLINE void tile(int R, const wick_qtile *t, const uint8_t *w, const float *colsum, const float *bias, float *y, int64_t y_stride,
                 bool first) {
    const int8_t *a = t->codes;
    const int32_t *start = t->starts;
    __m512 acc[12];
    __m512i sum[12];
    UNROLL(12)
    for (int r = 0; r < R; r++) acc[r] = _mm512_mul_ps(_mm512_set1_ps(t->neg_zero[r]), _mm512_loadu_ps(colsum));
    for (int64_t b = t->k / 64; b; b--, w += WICK_Q4_BLOCK, a += 64 * R, start += 2 * R) {
        if (R >= AHEAD_ROWS && first) {
            UNROLL(9)
            for (int i = 0; i < 9; i++) _mm_prefetch((const char *)w + AHEAD + 64 * i, _MM_HINT_T0);
        }
        __m512i scales = _mm512_load_si512(w + 512); /* group 0 in the low halves, group 1 in the high ones */
        group_sums(R, w, a, start, sum);
        __m512 s = _mm512_castsi512_ps(_mm512_slli_epi32(scales, 16));
        UNROLL(12)
        for (int r = 0; r < R; r++) acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r]), s, acc[r]);
        group_sums(R, w + 256, a + 32 * R, start + R, sum);
        s = _mm512_castsi512_ps(_mm512_and_si512(scales, _mm512_set1_epi32((int)0xffff0000)));
        UNROLL(12)
        for (int r = 0; r < R; r++) acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r]), s, acc[r]);
    }
    UNROLL(12)
    for (int r = 0; r < R; r++) {
        __m512 v = _mm512_mul_ps(acc[r], _mm512_set1_ps(t->scale[r]));
        _mm512_storeu_ps(y + r * y_stride, bias ? _mm512_add_ps(v, _mm512_loadu_ps(bias)) : v);
    }
}

#define DEFINE_TILE(R)                                                                                                                     \
    static void tile_##R(const wick_qtile *t, const uint8_t *w, const float *colsum, const float *bias, float *y, int64_t stride,          \
                         bool first) {                                                                                                     \
        tile(R, t, w, colsum, bias, y, stride, first);                                                                                     \
    }
EACH_TILE(DEFINE_TILE)
typedef void tile_fn(const wick_qtile *t, const uint8_t *w, const float *colsum, const float *bias, float *y, int64_t y_stride, bool first);
#define TILE_ENTRY(R) tile_##R,
static tile_fn *const by_rows[WICK_TILE_ROWS + 1] = {NULL, EACH_TILE(TILE_ENTRY)};

void wick_gemm_q4_avx512vnni(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *colsum,
                             const float *bias, float *y, int64_t y_stride) {
    const int64_t panel_size = (int64_t)wick_q4_panel_size(tiles->k);
    for (int64_t t0 = 0; t0 < n_tile; t0 += ROW_BLOCK) {
        const int64_t t1 = t0 + ROW_BLOCK < n_tile ? t0 + ROW_BLOCK : n_tile;
        for (int64_t p = 0; p < n_panel; p++) {
            float *to = y + 16 * p;
            for (int64_t t = t0; t < t1; to += tiles[t++].n_row * y_stride)
                by_rows[tiles[t].n_row](tiles + t, panels + p * panel_size, colsum + 16 * p, bias ? bias + 16 * p : NULL, to, y_stride,
                                        t == t0);
        }
        for (int64_t t = t0; t < t1; t++) y += tiles[t].n_row * y_stride;
    }
}
