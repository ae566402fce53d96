/* hqq.h: the scales of symmetric integer weights, found as torchao's HQQ_SCALE_ONLY finds them, bit for bit.
 *
 * HQQ (Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023), with the zero point left out,
 * alternates between rounding with the scale s and the scale that fits the rounded codes best. For each group of weights w:
 *
 *     s = max(max|w| / max(-lo, hi), 2^-23)
 *     at most 20 times:   q = clamp(round(w / s), lo, hi)      round half to even
 *                         s' = sum(w q) / sum(q q)             s if the sum is 0; at least 2^-23
 *                         stop when |s' - s| / s < 1e-5 in every group of the tensor, with s' kept
 *     q = clamp(round(w / s), lo, hi)
 *
 * in fp32. The sums round in the order of torch's vectorized sum (aten/src/ATen/native/cpu/SumKernel.cpp, 8 lanes): equal bytes
 * need it.
 *
 * The stopping rule couples all groups, which would make every iteration a pass over the tensor. But a group's sequence of
 * scales is its own: only where it is cut off is common. So one pass suffices: each group runs on by itself until its scale
 * repeats (later ones are then equal for ever), noting its changes per iteration; at the end the maxima give the number T of
 * iterations that the tensor takes. Groups that stood still by then (nearly all) are right; the others are done again with
 * exactly T iterations. Memory: a scale and a byte per group. */
#ifndef WICK_EXPORT_HQQ_H
#define WICK_EXPORT_HQQ_H

#include "base/error.h"

enum { WICK_HQQ_MAX_ITERATIONS = 20 };

/* What the groups of a tensor have in common; `change` begins with zeros and is filled by wick_hqq_group. */
typedef struct wick_hqq {
    int lo, hi;                                /* codes: -8..7, -128..127 */
    int64_t group;                             /* weights per scale */
    float *scratch;                            /* [group], borrowed */
    float change[WICK_HQQ_MAX_ITERATIONS + 1]; /* greatest relative change of a scale in iteration 1, 2, ... */
} wick_hqq;

/* A group's state: the scale, and the number of iterations after which it stands still (20: it never did). */
typedef struct wick_hqq_state {
    float scale;
    uint8_t n_iteration;
} wick_hqq_state;

/* Runs one group until it stands still. w: [group], finite; codes: [group], those of the scale in *state. */
void wick_hqq_group(wick_hqq *h, const float *w, int8_t *codes, wick_hqq_state *state);

/* The number of iterations that the tensor takes, once all groups ran. */
int wick_hqq_iterations(const wick_hqq *h);

/* A group again, with exactly n iterations. */
void wick_hqq_group_again(const wick_hqq *h, int n, const float *w, int8_t *codes, wick_hqq_state *state);

#endif
