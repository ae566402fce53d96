/* Sixteen lanes in two ymm registers; the contract is in kernels/lanes.h. */
#ifndef WICK_KERNELS_X86_LANES_AVX2_H
#define WICK_KERNELS_X86_LANES_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define INLINE    static inline __attribute__((always_inline))
#define PRAGMA(x) _Pragma(#x)
#define UNROLL(n) PRAGMA(GCC unroll n) /* loops over a tile disappear: its arrays must become registers */

#define LEVEL(name)            name##_avx2
#define LANES_ROWS             6 /* 12 accumulators, two weights, a broadcast */
#define LANES_FLOAT_PANELS     1
#define LANES_ATTEND_CHUNKS(R) ((R) == 1 ? 4 : (R) == 2 ? 2 : 1)

typedef struct vf {
    __m256 a, b; /* lanes 0..7 and 8..15 */
} vf;

/* Mask of the first n of eight lanes. */
INLINE __m256i first_lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }

INLINE vf v_set(float x) { return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE vf v_load(const void *p) { return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps((const float *)p + 8)}; }
INLINE void v_store(float *p, vf v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}
INLINE vf v_load_n(const void *p, int n) {
    return (vf){_mm256_maskload_ps(p, first_lanes(n)), _mm256_maskload_ps((const float *)p + 8, first_lanes(n - 8))};
}
INLINE void v_store_n(float *p, vf v, int n) {
    _mm256_maskstore_ps(p, first_lanes(n), v.a);
    _mm256_maskstore_ps(p + 8, first_lanes(n - 8), v.b);
}

INLINE vf v_load_f16(const void *p) {
    return (vf){_mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p + 1))};
}
INLINE __m256 from_bf16(__m128i h) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16)); }
INLINE vf v_load_bf16(const void *p) { return (vf){from_bf16(_mm_loadu_si128(p)), from_bf16(_mm_loadu_si128((const __m128i *)p + 1))}; }
INLINE vf v_load_f16_n(const void *p, int n) {
    uint16_t h[16] = {0};
    memcpy(h, p, (size_t)n * 2);
    return v_load_f16(h);
}
INLINE vf v_load_bf16_n(const void *p, int n) {
    uint16_t h[16] = {0};
    memcpy(h, p, (size_t)n * 2);
    return v_load_bf16(h);
}
INLINE void v_store_f16(uint16_t *p, vf v) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT));
}

INLINE vf from_i8(__m128i b) {
    return (vf){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(b)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(b, 8)))};
}
INLINE vf v_load_i8(const int8_t *p) { return from_i8(_mm_loadu_si128((const __m128i *)p)); }
INLINE vf v_load_i4(const uint8_t *p) {
    __m128i b = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)p));
    __m128i q = _mm_or_si128(_mm_srli_epi16(b, 4), _mm_slli_epi16(_mm_and_si128(b, _mm_set1_epi16(15)), 8));
    return from_i8(_mm_sub_epi8(q, _mm_set1_epi8(8)));
}
INLINE vf v_load_twice(const float *p) {
    __m256 x = _mm256_loadu_ps(p);
    return (vf){_mm256_permutevar8x32_ps(x, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
                _mm256_permutevar8x32_ps(x, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}
INLINE void v_store_i8(int8_t *p, vf v) {
    __m256i w = _mm256_packs_epi32(_mm256_cvtps_epi32(v.a), _mm256_cvtps_epi32(v.b)); /* lanes 0-3, 8-11, 4-7, 12-15 */
    w = _mm256_permute4x64_epi64(w, 0xd8);
    _mm_storeu_si128((__m128i *)p, _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
}

#define BOTH1(f, x)       ((vf){f((x).a), f((x).b)})
#define BOTH2(f, x, y)    ((vf){f((x).a, (y).a), f((x).b, (y).b)})
#define BOTH3(f, x, y, z) ((vf){f((x).a, (y).a, (z).a), f((x).b, (y).b, (z).b)})

INLINE __m256 neg8(__m256 x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }
INLINE __m256 abs8(__m256 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
INLINE __m256 round8(__m256 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE __m256 scale8(__m256 p, __m256 n) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}
INLINE __m256 lt8(__m256 a, __m256 b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE __m256 ordered8(__m256 a, __m256 x) { return _mm256_and_ps(_mm256_cmp_ps(a, a, _CMP_ORD_Q), x); }
INLINE __m256 sign8(__m256 a, __m256 b) { return _mm256_or_ps(abs8(a), _mm256_and_ps(_mm256_set1_ps(-0.0f), b)); }
INLINE __m256 swap8(__m256 a) { return _mm256_permute_ps(a, 0xb1); }
INLINE __m256 neg_even8(__m256 a) { return _mm256_xor_ps(a, _mm256_setr_ps(-0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f, 0)); }
/* All ones in lanes whose bit is set. */
INLINE __m256 bits8(uint32_t bits) {
    const __m256i one = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), one), one));
}

INLINE vf v_add(vf x, vf y) { return BOTH2(_mm256_add_ps, x, y); }
INLINE vf v_sub(vf x, vf y) { return BOTH2(_mm256_sub_ps, x, y); }
INLINE vf v_mul(vf x, vf y) { return BOTH2(_mm256_mul_ps, x, y); }
INLINE vf v_div(vf x, vf y) { return BOTH2(_mm256_div_ps, x, y); }
INLINE vf v_fma(vf x, vf y, vf z) { return BOTH3(_mm256_fmadd_ps, x, y, z); }
INLINE vf v_fnma(vf x, vf y, vf z) { return BOTH3(_mm256_fnmadd_ps, x, y, z); }
INLINE vf v_neg(vf x) { return BOTH1(neg8, x); }
INLINE vf v_abs(vf x) { return BOTH1(abs8, x); }
INLINE vf v_max(vf x, vf y) { return BOTH2(_mm256_max_ps, x, y); }
INLINE vf v_min(vf x, vf y) { return BOTH2(_mm256_min_ps, x, y); }
INLINE vf v_round(vf x) { return BOTH1(round8, x); }
INLINE vf v_scale2(vf p, vf n) { return BOTH2(scale8, p, n); }
INLINE vf v_lt(vf a, vf b, vf x, vf y) {
    return (vf){_mm256_blendv_ps(y.a, x.a, lt8(a.a, b.a)), _mm256_blendv_ps(y.b, x.b, lt8(a.b, b.b))};
}
INLINE vf v_ordered(vf a, vf x) { return BOTH2(ordered8, a, x); }
INLINE vf v_sign_of(vf a, vf b) { return BOTH2(sign8, a, b); }
INLINE vf v_swap_pairs(vf x) { return BOTH1(swap8, x); }
INLINE vf v_neg_even(vf x) { return BOTH1(neg_even8, x); }
INLINE vf v_keep(uint32_t bits, vf x) { return (vf){_mm256_and_ps(bits8(bits), x.a), _mm256_and_ps(bits8(bits >> 8), x.b)}; }
INLINE vf v_pick(uint32_t bits, vf x, vf y) {
    return (vf){_mm256_blendv_ps(y.a, x.a, bits8(bits)), _mm256_blendv_ps(y.b, x.b, bits8(bits >> 8))};
}

INLINE float v_tree(vf x) {
    __m256 t = _mm256_add_ps(x.a, x.b);
    __m128 u = _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    u = _mm_add_ps(u, _mm_movehl_ps(u, u));
    return _mm_cvtss_f32(_mm_add_ss(u, _mm_movehdup_ps(u)));
}
INLINE float v_top(vf x) {
    __m256 t = _mm256_max_ps(x.a, x.b);
    __m128 u = _mm_max_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    u = _mm_max_ps(u, _mm_movehl_ps(u, u));
    return _mm_cvtss_f32(_mm_max_ss(u, _mm_movehdup_ps(u)));
}
INLINE void v_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

#endif
