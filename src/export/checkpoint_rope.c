/* Rotary tables of an architecture. */
#include "export/checkpoint.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* Llama 3.1's rule: waves longer than the original context allows are stretched by the factor, short ones are kept, and between
 * the two frequency bounds the stretched and the kept frequency are blended linearly (in the number of waves per context). */
static double llama3(const wick_arch *a, double freq) {
    double context = (double)a->rope_original_context, wave = 2 * pi / freq;
    double low = a->rope_low_freq_factor, high = a->rope_high_freq_factor;
    if (wave > context / low) return freq / a->rope_factor;
    if (wave < context / high) return freq;
    double kept = (context / wave - low) / (high - low);
    return (1 - kept) * freq / a->rope_factor + kept * freq;
}

void wick_arch_rope_frequencies(const wick_arch *a, double *freq) {
    for (int64_t j = 0; j < a->n_rotary / 2; j++) {
        freq[j] = pow(a->rope_theta, -2.0 * (double)j / (double)a->n_rotary);
        if (a->rope_scaling == WICK_ROPE_LINEAR) freq[j] /= a->rope_factor;
        if (a->rope_scaling == WICK_ROPE_LLAMA3) freq[j] = llama3(a, freq[j]);
        if (a->rope_scaling == WICK_ROPE_FACTORS) freq[j] /= (double)a->rope_factors[j];
    }
}

void wick_arch_rope_tables(const wick_arch *a, int64_t n_position, float *cos_table, float *sin_table) {
    int64_t n = a->n_rotary / 2;
    double freq[1024];
    wick_arch_rope_frequencies(a, freq); /* n_rotary <= 2048 is part of what opening checks */
    for (int64_t p = 0; p < n_position; p++)
        for (int64_t j = 0; j < n; j++) {
            cos_table[p * n + j] = (float)cos((double)p * freq[j]);
            sin_table[p * n + j] = (float)sin((double)p * freq[j]);
        }
}
