/* sampler_math.h: exp and log with the same bits on every machine, which libm does not promise: a seed shall mean a text.
 *
 * Only IEEE additions, multiplications and divisions, in a fixed order (the build forbids contraction). */
#ifndef WICK_TEXT_SAMPLER_MATH_H
#define WICK_TEXT_SAMPLER_MATH_H

#include <stdint.h>
#include <string.h>

/* exp(x) for x <= 0, relative error below 3e-7; 0 below -87. Written so that compilers turn loops of it into vectors. */
static inline float wick_exp_f32(float x) {
    float z = x * 1.44269504f + 12582912.0f; /* the sum has no room for a fraction, and its last bits are a nearest integer */
    float n = z - 12582912.0f;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t power, bits;
    memcpy(&power, &z, 4);
    memcpy(&bits, &p, 4);
    bits = (bits + (power << 23)) & -(uint32_t)(x >= -87.0f); /* times 2^n: normal from -87 on */
    memcpy(&p, &bits, 4);
    return p;
}

/* log(x) for normal x > 0, relative error below 1e-15: x = m 2^e, log m = 2 atanh((m - 1) / (m + 1)). */
static inline double wick_log_f64(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    int64_t e = (int64_t)(bits >> 52 & 2047) - 1023;
    bits = (bits & 0xfffffffffffffull) | 1023ull << 52;
    double m;
    memcpy(&m, &bits, 8);
    if (m > 1.4142135623730951) m *= 0.5, e++;
    double s = (m - 1) / (m + 1), z = s * s, sum = 0;
    for (int k = 23; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
    return 2 * s * sum + (double)e * 0.69314718055994531;
}

/* exp(x) for |x| < 700, relative error below 1e-15. */
static inline double wick_exp_f64(double x) {
    double n = (x * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0;
    double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10, p = 1;
    for (int k = 14; k >= 1; k--) p = p * r / k + 1;
    uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, 8);
    return p * scale;
}

#endif
