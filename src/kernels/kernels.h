/* kernels.h: every inner loop of Wick: its signature, its arithmetic, its layout.
 *
 * A kernel is a pure function over memory that the caller owns: it allocates nothing, knows no threads, no graph and no
 * file. The scalar reference (ref_*.c) *is* the definition: faster levels give the same bits, which
 * tests/kernels/test_check_kernels compares level by level. A NaN result is a NaN at every level; which NaN is not defined. Where the
 * definition says fma it means one rounding (fmaf); every other product and sum is rounded on its own; the sources are compiled with
 * -ffp-contract=off.
 *
 * What makes the bits independent of chunking, batch, threads and CPU level:
 *   - an output element has one fp32 accumulator, fed in ascending order of k (integer sums are exact in any order);
 *   - reductions over a row use sixteen virtual lanes (lane = index mod 16) and one fixed tree: 8+8, 4+4, 2+2, 1+1;
 *   - exp, erf and tanh are polynomials of our own (kernel_math.h), division and square root are IEEE;
 *   - attention walks the keys in blocks of 64 aligned at absolute positions, in chunks of 512 with a state of their own
 *     that are merged in ascending order, whether there is one thread or many, one row or many.
 *
 * Layouts (see docs/kernels.md for the measurements behind them)
 *   Panels   Weights are packed once into panels of 16 output columns, k ascending, zero columns at the end of the last
 *            panel. The lanes of a vector are output columns, so one layout serves one row and many, every level.
 *   Tiles    Activations of quantized products lie in row tiles of 1..12 rows.
 *   Blocking A matrix product takes all rows and a run of panels in one call; how it walks them (row blocks, k blocks, scratch
 *            copies of a panel) is the level's own business and does not show in the bits.
 *   KV       One head: K as [position / 16][d][16] (lanes are positions), V as [position][d].
 */
#ifndef WICK_KERNELS_KERNELS_H
#define WICK_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    WICK_PANEL = 16,      /* output columns of a panel */
    WICK_TILE_ROWS = 12,  /* most rows of a tile */
    WICK_GROUP = 32,      /* activation codes are stored in groups of 32 along k */
    WICK_Q4_BLOCK = 576,  /* bytes of a q4 panel per 64 k: two groups of 256 bytes of nibbles, 64 bytes of scales */
    WICK_KEY_BLOCK = 64,  /* keys of one step of the attention recurrence */
    WICK_KEY_CHUNK = 512, /* keys of one attention state */
};

/* ---------------------------------------------------------------- quantized activations
 *
 * Row m of x[K] becomes int8 codes a, a zero point z and a scale d by XNNPACK's rule (src/xnnpack/quantization.h):
 *     lo = min(0, min x), hi = max(0, max x);  s = lo == hi ? 1 : 255 / (hi - lo)
 *     e1 = -128 + lo * s, e2 = 127 + hi * s;   z = rint(clamp(e1 + e2 > 0 ? -128 - lo * s : 127 - hi * s, -128, 127))
 *     a = clamp(rint(x * s) + z, -128, 127);   d = 1 / s
 * NaN counts as 0. A tile of R rows holds codes [K/32][R][32] and starts [K/32][R]: -8 * (sum of the 32 codes), the int32
 * with which a sum of products begins at a level that holds weights as q + 8. K is padded to a multiple of 64 with codes 0;
 * the padding changes nothing because its weights are 0. */
typedef struct wick_qtile {
    int n_row;           /* R: 1..12 */
    int64_t k;           /* padded to a multiple of 64 */
    const int8_t *codes; /* aligned 64 */
    const int32_t *starts;
    const float *neg_zero; /* [R]: (float)-z */
    const float *scale;    /* [R]: d */
    const int32_t *sum;    /* [R]: sum of all codes of the row */
} wick_qtile;

/* n_row rows make wick_n_tile tiles whose heights differ by one at most; tile i holds the rows from wick_tile_begin(i) on. */
static inline int64_t wick_n_tile(int64_t n_row) { return (n_row + WICK_TILE_ROWS - 1) / WICK_TILE_ROWS; }
static inline int64_t wick_tile_begin(int64_t n_row, int64_t i) { return n_row * i / wick_n_tile(n_row); }

/* Writes one row into its place: group g to codes + g * code_stride, its start to starts[g * start_stride].
 * (code_stride = 32 * R, start_stride = R, both already offset to the row.) k: real length; k_pad: padded. */
typedef void wick_quantize_row_fn(const float *x, int64_t k, int64_t k_pad, int8_t *codes, int64_t code_stride, int32_t *starts,
                                  int64_t start_stride, float *neg_zero, float *scale, int32_t *sum);

/* ---------------------------------------------------------------- matrix products: y[rows][16 * n_panel]
 *
 * The rows of all tiles in order times n_panel panels that lie one behind the other. y gets 16 * n_panel columns (zero columns
 * of the last panel give bias or 0); colsum, bias, col_scale and wsum have that many entries too.
 *
 * q4: int4 weights q in -8..7, groups of 32 (a larger group repeats its scale), bf16 scales s:
 *     acc = neg_zero[r] * colsum[n];                        colsum[n] = fma over ascending g of (sum_k q[n,k]) * s[n,g], from 0
 *     acc = fma((float)S, s[n,g], acc)  for g ascending;    S = exact sum over the group of a * q
 *     y   = acc * scale[r]  (+ bias[n], rounded separately)
 *   Panel: ceil(K/64) blocks of 576 bytes; in a block, group h = 0, 1: lines j = 0..3 of 64 bytes at 256 * h + 64 * j, lane c
 *   (4 bytes), byte i = (q[c][4j+i] + 8) | (q[c][16+4j+i] + 8) << 4; then 64 bytes: lane c = bf16 scale of group 0 in the low
 *   half, of group 1 in the high half. Weights and scales beyond K are 0.
 *
 * q8: int8 weights, one scale per column:
 *     y = (float)(S - z * wsum[n]) * (scale[r] * col_scale[n])  (+ bias[n]);  S over all of K exact, wsum = sum of the codes;
 *     K <= 65536
 *   Panel: ceil(K/64) * 64 / 4 lines of 64 bytes: line j, lane c, byte i = (uint8)(w[c][4j+i] + 128).
 *   Levels that keep the weights unsigned correct with 128 * sum[r].
 *
 * f32 / f16 / bf16 weights: acc = 0; acc = fma(x[r][k], w[n][k], acc) for k ascending; y = acc (+ bias[n]).
 *   Panel: [K][16] elements. 16-bit weights are converted exactly. y must not overlap x. An x_stride that is no multiple of
 *   4096 bytes keeps the rows of a tile in different cache sets.
 *
 * Panels are aligned to 64 bytes; x, y and the per-column arrays to their element. */
typedef void wick_gemm_q4_fn(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *colsum,
                             const float *bias /* or NULL */, float *y, int64_t y_stride);
typedef void wick_gemm_q8_fn(int64_t n_tile, const wick_qtile *tiles, int64_t n_panel, const uint8_t *panels, const float *col_scale,
                             const int32_t *wsum, const float *bias, float *y, int64_t y_stride);
typedef void wick_gemm_float_fn(int64_t n_row, int64_t k, const float *x, int64_t x_stride, int64_t n_panel, const void *panels,
                                const float *bias, float *y, int64_t y_stride);

/* ---------------------------------------------------------------- rows */

/* s = sum of x^2 (lane i mod 16 by fma, then the tree); r = 1 / sqrt(s / n + eps); y = (x * r) * (w + w_offset); w NULL: no
 * last factor. y may be x. */
typedef void wick_rmsnorm_fn(const float *x, const float *w, float w_offset, float eps, int64_t n, float *y);
/* mean = sum x / n; v = sum of (x - mean)^2 by fma / n; r = 1 / sqrt(v + eps); y = ((x - mean) * r) * w + b; w, b may be NULL.
 * Sums in lanes as above. y may be x. */
typedef void wick_layernorm_fn(const float *x, const float *w, const float *b, float eps, int64_t n, float *y);
/* y = a op b, elementwise; y may be a or b. */
typedef void wick_binary_fn(const float *a, const float *b, int64_t n, float *y);
/* y = act(gate) * up; the acts are those of kernel_math.h. y may be gate or up. */
typedef void wick_glu_fn(const float *gate, const float *up, int64_t n, float *y);
/* y = act(x); y may be x. */
typedef void wick_unary_fn(const float *x, int64_t n, float *y);
/* Turns n_head heads of d lanes (stride d) in place; cos, sin: the row's tables [n_rotary / 2].
 *     half:        a' = a * cos - b * sin;  b' = b * cos + a * sin   (a = lane j, b = lane j + n_rotary/2)
 *     interleaved: the same for lanes 2j and 2j + 1
 * Two products and a sum, each rounded. */
typedef void wick_rope_fn(float *x, int64_t n_head, int64_t d, int64_t n_rotary, const float *cos, const float *sin);
/* y[i] = codes[i] * scale (one int8 row, or one group of a row, of an embedding). */
typedef void wick_dequant_row_fn(const int8_t *codes, float scale, int64_t n, float *y);
/* One group each: y[i] = (nibble - 8) * scale, high nibble first (embedding_4bit); n even. */
typedef void wick_dequant_row4_fn(const uint8_t *codes, float scale, int64_t n, float *y);
/* 16-bit floats to fp32, exactly (rows of embeddings). */
typedef void wick_widen_fn(const uint16_t *x, int64_t n, float *y);

/* ---------------------------------------------------------------- KV cache and attention */

/* One head of one position into the cache (f16: round to nearest even). */
typedef void wick_kv_store_fn(const float *k, const float *v, int64_t position, int64_t d, void *k_cache, void *v_cache);

/* Attends over the keys [key_from, key_to) of one chunk (they lie in one chunk of 512; key_from is a multiple of 64) for
 * n_row rows that share a KV head, starting from an empty state. Row r sees the keys k with first[r] <= k < limit[r].
 * For each block of 64 keys of which the row sees any:
 *     s  = (fma chain over d ascending of q[r][d] * k[d]) * scale;  m' = max(m, all s that it sees) + 0;  c = exp(m - m')
 *     p  = exp(s - m'), 0 for a key that it does not see;  t = tree of ((p[i] + p[i+16]) + (p[i+32] + p[i+48])), i = 0..15
 *     l  = fma(l, c, t);  o = o * c, then o[d] = fma(p, v[d], o[d]) for the keys that it sees, ascending;  m = m'
 * (+ 0 turns -0 into +0; a score that is NaN does not raise m and gives p = NaN.) A key that a row does not see does not touch
 * it, whatever the cache holds there, so a row has the same bits in any company.
 * State out: m[n_row] (-inf: saw nothing), l[n_row], o[n_row][o_stride].
 * K is read in whole groups of 16 positions, V only below key_to. */
typedef struct wick_attend_args {
    const float *q; /* [n_row] rows of d, stride q_stride */
    int64_t q_stride;
    int n_row;         /* 1..WICK_ATTEND_ROWS; rows of one token side by side, tokens ascending, is the fast order */
    int64_t d;         /* multiple of 8, <= 512 */
    const void *k, *v; /* caches of this head, aligned 64 */
    int64_t key_from, key_to;
    const int64_t *first, *limit; /* [n_row] */
    float scale;
    float *m, *l, *o;
    int64_t o_stride;
} wick_attend_args;
enum { WICK_ATTEND_ROWS = 96 }; /* most rows per call */
typedef void wick_attend_fn(const wick_attend_args *args, void *scratch);
/* Bytes of scratch (aligned 64) that any level's attend needs for heads of d. */
size_t wick_attend_scratch_size(int64_t d);

/* Merges the states of n chunks in ascending order: M = max m; w = exp(m_i - M); L = fma(l_i, w, L), out = fma(o_i, w, out) from
 * 0; out = out / L. Chunks with m = -inf are skipped; if all are, out = 0. The state (m, l, o) of chunk i is at
 * m[i * ml_stride], l[i * ml_stride] and o + i * o_stride. Reference only: it is short. */
void wick_attend_merge(int n, const float *m, const float *l, int64_t ml_stride, const float *o, int64_t o_stride, int64_t d, float *out);

/* ---------------------------------------------------------------- the table */

typedef struct wick_kernels {
    const char *level; /* name of the highest level in it */
    wick_quantize_row_fn *quantize_row;
    wick_gemm_q4_fn *gemm_q4;
    wick_gemm_q8_fn *gemm_q8;
    wick_gemm_float_fn *gemm_f32, *gemm_f16, *gemm_bf16;
    wick_rmsnorm_fn *rmsnorm;
    wick_layernorm_fn *layernorm;
    wick_binary_fn *add, *mul;
    wick_glu_fn *silu_glu, *gelu_glu, *gelu_tanh_glu;
    wick_unary_fn *silu, *gelu, *gelu_tanh, *sigmoid, *tanh, *relu;
    wick_rope_fn *rope_half, *rope_interleaved;
    wick_dequant_row_fn *dequant_row;
    wick_dequant_row4_fn *dequant_row4;
    wick_widen_fn *widen_f16, *widen_bf16;
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
