/* kernels.h: every inner loop of Wick: its signature, its arithmetic, its layout.
 *
 * A kernel is a pure function over memory that the caller owns: it allocates nothing, knows no threads, no graph and no
 * file. The scalar reference (ref_*.c) *is* the definition: faster levels give the same bits, which tests/check_kernels
 * compares with memcmp, level by level. Where the definition says fma it means one rounding (fmaf); every other product and
 * sum is rounded on its own; the sources are compiled with -ffp-contract=off.
 *
 * What makes the bits independent of chunking, batch, threads and CPU level:
 *   - an output element has one fp32 accumulator, fed in ascending order of k (integer sums are exact in any order);
 *   - reductions over a row use sixteen virtual lanes (lane = index mod 16) and one fixed tree: 8+8, 4+4, 2+2, 1+1;
 *   - exp is one polynomial of our own (wick_exp in kernel_math.h), division and square root are IEEE;
 *   - attention walks the keys in blocks of 64 aligned at absolute positions, in chunks of 512 with a state of their own
 *     that are merged in ascending order, whether there is one thread or many, one row or many.
 *
 * Layouts (see docs/kernels.md for the measurements behind them)
 *   Panels   Weights are packed once into panels of 16 output columns, k ascending, zero columns at the end of the last
 *            panel. The lanes of a vector are output columns, so one layout serves one row and many, every level.
 *   Tiles    Activations of quantized products lie in row tiles of 1..12 rows.
 *   KV       One head: K as [position / 16][d][16] (lanes are positions), V as [position][d].
 */
#ifndef WICK_KERNELS_KERNELS_H
#define WICK_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    WICK_PANEL = 16,        /* output columns of a panel */
    WICK_TILE_ROWS = 12,    /* most rows of a tile */
    WICK_GROUP = 32,        /* activation codes are stored in groups of 32 along k */
    WICK_Q4_BLOCK = 576,    /* bytes of a q4 panel per 64 k: two groups of 256 bytes of nibbles, 64 bytes of scales */
    WICK_KEY_BLOCK = 64,    /* keys of one step of the attention recurrence */
    WICK_KEY_CHUNK = 512,   /* keys of one attention state */
};

/* ---------------------------------------------------------------- quantized activations
 *
 * Row m of x[K] becomes int8 codes a, a zero point z and a scale d by XNNPACK's rule (src/xnnpack/quantization.h):
 *     lo = min(0, min x), hi = max(0, max x);  s = lo == hi ? 1 : 255 / (hi - lo)
 *     e1 = -128 + lo * s, e2 = 127 + hi * s;   z = rint(clamp(e1 + e2 > 0 ? -128 - lo * s : 127 - hi * s, -128, 127))
 *     a = clamp(rint(x * s) + z, -128, 127);   d = 1 / s
 * NaN counts as 0. A tile of R rows holds codes [K/32][R][32] and sums [K/32][R] (int32 sum of the 32 codes); K is padded
 * to a multiple of 64 with codes 0, and the padding is in no sum that matters because its weights have scale 0. */
typedef struct wick_qtile {
    int n_row;           /* R: 1..12 */
    int64_t k;           /* padded to a multiple of 64 */
    const int8_t *codes; /* aligned 64 */
    const int32_t *sums;
    const float *neg_zero; /* [R]: (float)-z */
    const float *scale;    /* [R]: d */
} wick_qtile;

/* Writes one row into its place: group g to codes + g * code_stride, its sum to sums[g * sum_stride].
 * (code_stride = 32 * R, sum_stride = R, both already offset to the row.) k: real length; k_pad: padded. */
typedef void wick_quantize_row_fn(const float *x, int64_t k, int64_t k_pad, int8_t *codes, int64_t code_stride, int32_t *sums,
                                  int64_t sum_stride, float *neg_zero, float *scale);

/* ---------------------------------------------------------------- matrix products: y[R][16 columns of one panel]
 *
 * q4: int4 weights q in -8..7, groups of 32 (a larger group repeats its scale), bf16 scales s:
 *     acc = neg_zero[r] * colsum[n];                        colsum[n] = fma over ascending g of (sum_k q[n,k]) * s[n,g], from 0
 *     acc = fma((float)S, s[n,g], acc)  for g ascending;    S = exact sum over the group of a * q
 *     y   = acc * scale[r]  (+ bias[n], rounded separately)
 *   Panel: ceil(K/64) blocks of 576 bytes; in a block, group h = 0, 1: lines j = 0..3 of 64 bytes at 256 * h + 64 * j, lane c
 *   (4 bytes), byte i = (q[c][4j+i] + 8) | (q[c][16+4j+i] + 8) << 4; then 64 bytes: lane c = bf16 scale of group 0 in the low
 *   half, of group 1 in the high half.
 *
 * q8: int8 weights, one scale per column:
 *     y = (float)(S - z * wsum[n]) * (scale[r] * ws[n])  (+ bias[n]);  S over all of K exact (K <= 65536), wsum = sum of the codes
 *   Panel: ceil(K/64) * 64 / 4 lines of 64 bytes: line j, lane c, byte i = (uint8)(w[c][4j+i] + 128).
 *   Levels that shift the weights to unsigned correct with 128 * (sum of the codes of the row).
 *
 * f32 / f16 / bf16 weights: acc = 0; acc = fma(x[r][k], w[n][k], acc) for k ascending; y = acc (+ bias[n]).
 *   Panel: [K][16] elements. 16-bit weights are converted exactly. */
typedef void wick_gemm_q4_fn(const wick_qtile *tile, const uint8_t *panel, const float *colsum, const float *bias /* or NULL */,
                             float *y, int64_t y_stride);
typedef void wick_gemm_q8_fn(const wick_qtile *tile, const uint8_t *panel, const float *col_scale, const int32_t *wsum,
                             const float *bias, float *y, int64_t y_stride);
typedef void wick_gemm_float_fn(int n_row, int64_t k, const float *x, int64_t x_stride, const void *panel, const float *bias,
                                float *y, int64_t y_stride);

/* ---------------------------------------------------------------- rows */

/* y = x * (1 / sqrt(sum(x^2) / n + eps)) * (w + offset): r = 1 / sqrtf(...), then (x * r) * w; w NULL: ones. */
typedef void wick_rmsnorm_fn(const float *x, const float *w, float w_offset, float eps, int64_t n, float *y);
/* y = a op b, elementwise; y may be a or b. */
typedef void wick_binary_fn(const float *a, const float *b, int64_t n, float *y);
/* y = act(gate) * up; silu(x) = x / (1 + exp(-x)). y may be gate or up. */
typedef void wick_glu_fn(const float *gate, const float *up, int64_t n, float *y);
typedef void wick_unary_fn(const float *x, int64_t n, float *y);
/* Turns n_head heads of d lanes (stride d) in place; cos, sin: the row's tables [n_rotary / 2].
 *     half:        a' = a * cos - b * sin;  b' = b * cos + a * sin   (a = lane j, b = lane j + n_rotary/2)
 *     interleaved: the same for lanes 2j and 2j + 1
 * Two products and a sum, each rounded. */
typedef void wick_rope_fn(float *x, int64_t n_head, int64_t d, int64_t n_rotary, const float *cos, const float *sin);
/* y[i] = codes[i] * scale (one int8 row of an embedding). */
typedef void wick_dequant_row_fn(const int8_t *codes, float scale, int64_t n, float *y);
/* One group each: y[i] = (nibble - 8) * scale, high nibble first (embedding_4bit). */
typedef void wick_dequant_row4_fn(const uint8_t *codes, float scale, int64_t n, float *y);

/* ---------------------------------------------------------------- KV cache and attention */

/* One head of one position into the cache (f16: round to nearest even). */
typedef void wick_kv_store_fn(const float *k, const float *v, int64_t position, int64_t d, void *k_cache, void *v_cache);

/* Attends over the keys [key_from, key_to) of one chunk (they lie in one chunk of 512; key_from is a multiple of 64) for
 * n_row rows that share a KV head, starting from an empty state. Row r sees the keys k with first[r] <= k < limit[r].
 *   s = scale * (fma chain over d of q[r][d] * k[d]);  per block of 64: m' = max(m, max s); p = exp(s - m'); c = exp(m - m')
 *   l = l * c + (tree sum of p);  o = o * c, then o[d] = fma(p, v[d], o[d]) for keys ascending.
 * A key that a row does not see contributes p = 0; a block that no row sees is skipped.
 * State out: m[n_row] (-inf: saw nothing), l[n_row], o[n_row][o_stride]. */
typedef struct wick_attend_args {
    const float *q;          /* [n_row] rows of d, stride q_stride */
    int64_t q_stride;
    int n_row;
    int64_t d;               /* multiple of 8, <= 512 */
    const void *k, *v;       /* caches of this head */
    int64_t key_from, key_to;
    const int64_t *first, *limit; /* [n_row] */
    float scale;
    float *m, *l, *o;
    int64_t o_stride;
} wick_attend_args;
typedef void wick_attend_fn(const wick_attend_args *args, void *scratch);
/* Bytes of scratch that any level's attend needs for n_row rows of d (aligned 64). */
size_t wick_attend_scratch_size(int n_row, int64_t d);
enum { WICK_ATTEND_ROWS = 12 }; /* most rows per call */

/* Merges the states of n chunks in ascending order into o[d] = sum / l: the state (m, l, o) of chunk i is at m[i * ml_stride]
 * and o + i * o_stride. Reference only: it is short. */
void wick_attend_merge(int n, const float *m, const float *l, int64_t ml_stride, const float *o, int64_t o_stride, int64_t d, float *out);

/* ---------------------------------------------------------------- the table */

typedef struct wick_kernels {
    const char *level; /* name of the highest level in it */
    wick_quantize_row_fn *quantize_row;
    wick_gemm_q4_fn *gemm_q4;
    wick_gemm_q8_fn *gemm_q8;
    wick_gemm_float_fn *gemm_f32, *gemm_f16, *gemm_bf16;
    wick_rmsnorm_fn *rmsnorm;
    wick_binary_fn *add, *mul;
    wick_glu_fn *silu_glu, *gelu_glu, *gelu_tanh_glu;
    wick_unary_fn *silu, *gelu, *gelu_tanh;
    wick_rope_fn *rope_half, *rope_interleaved;
    wick_dequant_row_fn *dequant_row;
    wick_dequant_row4_fn *dequant_row4;
    wick_kv_store_fn *kv_store_f16, *kv_store_f32;
    wick_attend_fn *attend_f16, *attend_f32;
} wick_kernels;

/* Fills the table with the reference, then with each level that cpu_mask (base/cpu.h) allows. */
void wick_kernels_init(wick_kernels *k, uint32_t cpu_mask);

/* ---------------------------------------------------------------- packing (reference only: once per load, memory bound) */

size_t wick_q4_panel_size(int64_t k);
size_t wick_q8_panel_size(int64_t k);
size_t wick_float_panel_size(int64_t k, size_t element_size);
/* One panel from up to 16 rows. Row c: codes rows[c] (nibbles, low = even k, value + 8; NULL: a zero column) and scales
 * scale_rows[c] (bf16 [k / group]); group a multiple of 32. colsum: [16]. */
void wick_q4_pack_panel(const uint8_t *const rows[WICK_PANEL], const uint16_t *const scale_rows[WICK_PANEL], int64_t k, int64_t group,
                        uint8_t *panel, float *colsum);
/* int8 rows; wsum [16]. */
void wick_q8_pack_panel(const int8_t *const rows[WICK_PANEL], int64_t k, uint8_t *panel, int32_t *wsum);
/* Rows of 4- or 2-byte elements; element_stride: bytes between two k of a row (element_size, or a row pitch if transposed). */
void wick_float_pack_panel(const void *const rows[WICK_PANEL], int64_t k, size_t element_size, size_t element_stride, void *panel);

#endif
