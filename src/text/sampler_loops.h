/* sampler_loops.h: the loops over a whole vocabulary, compiled once for each instruction set that is worth it.
 *
 * These are all that a sampler does to every one of 10^5 logits; everything else looks at few. Written as plain C over blocks of 64 in
 * sixteen lanes, which compilers turn into vectors: each .c file that includes this one gives LOOP(name) its ending, and the build gives
 * it the instruction set of its name. The order of every sum is fixed here and nothing is contracted, so the bits do not depend on the
 * set. The last block is filled up with impossible tokens, which change no sum and no maximum. */
#ifndef WICK_TEXT_SAMPLER_LOOPS_H
#define WICK_TEXT_SAMPLER_LOOPS_H

#include "text/sampler_impl.h"
#include "text/sampler_math.h"

#include <math.h>

enum { BLOCK = WICK_SAMPLER_BLOCK, LANES = 16, BATCH = 16 };

/* The block of x that begins at `from`; a copy, filled up, if it is not whole. */
static inline const float *block_at(const float *x, size_t from, size_t n, float copy[BLOCK]) {
    if (n - from >= BLOCK) return x + from;
    memcpy(copy, x + from, (n - from) * sizeof *x);
    for (size_t i = n - from; i < BLOCK; i++) copy[i] = -INFINITY;
    return copy;
}

/* A batch of blocks has its lanes in memory: added up by themselves, they do not hold up the vectors. */
static inline double sum_of(const float lane[LANES]) {
    double sum = 0;
    for (int k = 0; k < LANES; k++) sum += (double)lane[k];
    return sum;
}

static inline size_t batch_end(size_t from, size_t n) { return n - from < BATCH * BLOCK ? n : from + BATCH * BLOCK; }

static inline float LOOP(block_most)(const float *x, int *insane) {
    float lane[LANES];
    int bad = 0;
    for (int i = 0; i < BLOCK; i++) bad |= !(x[i] <= WICK_HUGE_LOGIT);
    *insane |= bad;
    for (int k = 0; k < LANES; k++) {
        float most = x[k] > -INFINITY ? x[k] : -INFINITY;
        most = x[k + LANES] > most ? x[k + LANES] : most;
        most = x[k + 2 * LANES] > most ? x[k + 2 * LANES] : most;
        lane[k] = x[k + 3 * LANES] > most ? x[k + 3 * LANES] : most;
    }
    for (int k = 0; k < 8; k++) lane[k] = lane[k] > lane[k + 8] ? lane[k] : lane[k + 8];
    for (int k = 0; k < 4; k++) lane[k] = lane[k] > lane[k + 4] ? lane[k] : lane[k + 4];
    float even = lane[0] > lane[2] ? lane[0] : lane[2], odd = lane[1] > lane[3] ? lane[1] : lane[3];
    return even > odd ? even : odd;
}

static bool LOOP(scan)(const float *x, size_t n, float *block_most) {
    int insane = 0;
    size_t from = 0;
    for (; n - from >= BLOCK; from += BLOCK) block_most[from / BLOCK] = LOOP(block_most)(x + from, &insane);
    if (from < n) {
        float copy[BLOCK];
        block_most[from / BLOCK] = LOOP(block_most)(block_at(x, from, n, copy), &insane);
    }
    return !insane;
}

static inline void LOOP(block_exponentials)(const float *restrict x, float most, float scale, float *restrict p, float *restrict out) {
    float lane[LANES] = {0};
    for (int i = 0; i < BLOCK; i++) p[i] = wick_exp_f32((x[i] - most) * scale);
    for (int i = 0; i < BLOCK; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += p[i + k];
    memcpy(out, lane, sizeof lane);
}

static double LOOP(exponentials)(const float *x, size_t n, float most, float scale, float *p, double *block_sum) {
    float lanes[BATCH][LANES], copy[BLOCK], last[BLOCK];
    double sum = 0;
    for (size_t batch = 0, end; batch < n; batch = end) {
        end = batch_end(batch, n);
        for (size_t i = 0, from = batch; from < end; i++, from += BLOCK)
            LOOP(block_exponentials)(block_at(x, from, n, copy), most, scale, n - from < BLOCK ? last : p + from, lanes[i]);
        for (size_t i = 0, from = batch; from < end; i++, from += BLOCK) sum += block_sum[from / BLOCK] = sum_of(lanes[i]);
    }
    memcpy(p + n / BLOCK * BLOCK, last, n % BLOCK * sizeof *p);
    return sum;
}

static inline void LOOP(block_exponents)(const float *restrict x, const float *restrict p, float most, float scale, float *restrict out) {
    float lane[LANES] = {0};
    for (int i = 0; i < BLOCK; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float term = p[i + k] * ((x[i + k] - most) * scale); /* gcc 12 makes wrong vectors of a product under the condition */
            lane[k] += p[i + k] > 0 ? term : 0;
        }
    memcpy(out, lane, sizeof lane);
}

static double LOOP(exponents)(const float *x, const float *p, size_t n, float most, float scale) {
    float lanes[BATCH][LANES], copy[BLOCK], copy_p[BLOCK];
    double sum = 0;
    for (size_t batch = 0, end; batch < n; batch = end) {
        end = batch_end(batch, n);
        for (size_t i = 0, from = batch; from < end; i++, from += BLOCK)
            LOOP(block_exponents)(block_at(x, from, n, copy), block_at(p, from, n, copy_p), most, scale, lanes[i]);
        for (size_t i = 0, from = batch; from < end; i++, from += BLOCK) sum += sum_of(lanes[i]);
    }
    return sum;
}

static inline void LOOP(block_moment)(const float *restrict x, float middle, int power, float *restrict out) {
    float lane[LANES] = {0};
    for (int i = 0; i < BLOCK; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float far = x[i + k] - middle, term = power == 0 ? 1 : power == 1 ? far : far * far;
            lane[k] += x[i + k] > -INFINITY ? term : 0;
        }
    memcpy(out, lane, sizeof lane);
}

static double LOOP(moment)(const float *x, size_t n, float middle, int power) {
    float lanes[BATCH][LANES], copy[BLOCK];
    double sum = 0;
    for (size_t batch = 0, end; batch < n; batch = end) {
        end = batch_end(batch, n);
        for (size_t i = 0, from = batch; from < end; i++, from += BLOCK) {
            const float *block = block_at(x, from, n, copy);
            switch (power) { /* a loop for each */
            case 0: LOOP(block_moment)(block, middle, 0, lanes[i]); break;
            case 1: LOOP(block_moment)(block, middle, 1, lanes[i]); break;
            default: LOOP(block_moment)(block, middle, 2, lanes[i]); break;
            }
        }
        for (size_t i = 0, from = batch; from < end; i++, from += BLOCK) sum += sum_of(lanes[i]);
    }
    return sum;
}

/* A bit for each of 32 numbers that is not below a bound. (1 << i with i counted is not made a vector.) */
static inline uint32_t LOOP(mask)(const float *x, float least) {
#define FOUR(n) 1u << (n), 2u << (n), 4u << (n), 8u << (n)
    static const uint32_t bit[32] = {FOUR(0), FOUR(4), FOUR(8), FOUR(12), FOUR(16), FOUR(20), FOUR(24), FOUR(28)};
#undef FOUR
    uint32_t bits = 0;
    for (int k = 0; k < 32; k++) bits |= x[k] >= least ? bit[k] : 0;
    return bits;
}

static size_t LOOP(find)(const float *x, size_t n, float least, const float *block_most, float least_block, wick_candidate *out) {
    float copy[BLOCK];
    size_t n_found = 0;
    for (size_t from = 0; from < n; from += BLOCK) {
        if (block_most && block_most[from / BLOCK] < least_block) continue;
        const float *block = block_at(x, from, n, copy);
        uint64_t mask = LOOP(mask)(block, least) | (uint64_t)LOOP(mask)(block + 32, least) << 32;
        for (; mask; mask &= mask - 1) {
            size_t i = from + (size_t)__builtin_ctzll(mask);
            out[n_found++] = (wick_candidate){x[i], (int32_t)i};
        }
    }
    return n_found;
}

const wick_sampler_loops LOOP(wick_sampler_loops) = {LOOP(scan), LOOP(exponentials), LOOP(exponents), LOOP(moment), LOOP(find)};

#endif
