/* scales.h: the rule for the scales of quantized weights: positive, finite and not denormal.
 *
 * XNNPACK refuses others, and the arithmetic relies on it: a product of a small integer and such a scale is exact. Whoever reads the
 * scales first applies the rule: the packer while they pass by, or program/ before the vm runs. */
#ifndef WICK_BASE_SCALES_H
#define WICK_BASE_SCALES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* n scales, stored little endian at any address. One pass without branches, as signed integers, which order positive floats as their
 * values do: it runs at the speed of memory. */
static inline bool wick_scales_normal_f32(const void *p, uint64_t n) {
    int32_t bad = 0, v;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(&v, (const uint8_t *)p + 4 * i, 4);
        bad |= -(v < 0x00800000) | -(v >= 0x7f800000);
    }
    return !bad;
}

static inline bool wick_scales_normal_bf16(const void *p, uint64_t n) {
    int16_t bad = 0, v;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(&v, (const uint8_t *)p + 2 * i, 2);
        bad |= (int16_t) - (v < 0x0080) | (int16_t) - (v >= 0x7f80);
    }
    return !bad;
}

#endif
