/* half.h: the 16-bit floats, converted exactly (up) and by round-to-nearest-even (down). Portable; kernels have faster ones
 * that give the same bits. */
#ifndef WICK_BASE_HALF_H
#define WICK_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float wick_f32_from_bits(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline uint32_t wick_bits_from_f32(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static inline float wick_bf16_to_f32(uint16_t h) { return wick_f32_from_bits((uint32_t)h << 16); }

static inline uint16_t wick_f32_to_bf16(float f) {
    uint32_t u = wick_bits_from_f32(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40); /* NaN stays NaN */
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float wick_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 0x3ff;
    if (exp == 31) return wick_f32_from_bits(sign | 0x7f800000 | man << 13 | (man ? 0x400000 : 0));
    if (exp) return wick_f32_from_bits(sign | (exp + 112) << 23 | man << 13);
    float f = (float)man * 0x1p-24f; /* subnormal or zero: exact */
    return sign ? -f : f;
}

static inline uint16_t wick_f32_to_f16(float f) {
    uint32_t u = wick_bits_from_f32(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
    if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* rounds to infinity */
    if (a < 0x38800000) {                                  /* subnormal: one float addition rounds to the right place */
        float r = wick_f32_from_bits(a) + 0.5f;
        return (uint16_t)(sign | (wick_bits_from_f32(r) - 0x3f000000));
    }
    return (uint16_t)(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13));
}

#endif
