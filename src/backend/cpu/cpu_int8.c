/* What a program with a cache of int8 sees of a row: codes with one scale and one zero point, multiplied back. The steps and their widths
 * are those of ExecuTorch's choose_qparams_per_token_asymmetric and quantize_per_token (kernels/quantized/cpu), because a code that is
 * off by one is seen: the range is fp32 and holds 0, scale and zero point are fp64, codes are made with an fp32 reciprocal. */
#include "backend/cpu/cpu_state.h"

#include <math.h>

/* A smaller scale is replaced by this one, and the range grows with it. */
static const float least_scale = 6.1e-5f;

static void choose(float lo, float hi, double *scale, double *zero) {
    double s = ((double)hi - (double)lo) / 255;
    if ((float)s == 0 || isinf(1 / (float)s)) s = 0.1;
    if (s < (double)least_scale) {
        float grow = least_scale / (float)s;
        if (lo == 0)
            hi = least_scale * 255;
        else if (hi == 0)
            lo = -least_scale * 255;
        else
            lo *= grow, hi *= grow;
        s = (double)least_scale;
    }
    double below = (double)lo / s, above = (double)hi / s;
    double z = 128 - fabs(below) < 127 - fabs(above) ? -128 - below : 127 - above;
    *scale = s;
    *zero = z > -128 ? z < 127 ? rint(z) : 127 : -128;
}

void cpu_round_int8(const float *x, int64_t n, float *y) {
    float lo = 0, hi = 0;
    double scale, zero;
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    choose(lo, hi, &scale, &zero);
    float step = (float)scale, inverse = 1 / step, z = (float)zero;
    for (int64_t i = 0; i < n; i++) {
        float code = rintf(inverse * x[i]) + z;
        code = code > -128 ? code < 127 ? code : 127 : -128;
        y[i] = (code - z) * step;
    }
}
