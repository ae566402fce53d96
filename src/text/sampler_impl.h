/* sampler_impl.h: what the parts of the sampler share: the candidates and the steps that thin them out.
 *
 * Candidates begin as the whole vocabulary in order of ids, with logits that bias and penalties have changed. A step keeps some
 * of them; the temperature is only noted, and applied where probabilities are needed. `sorted` says that they stand in falling order (lower
 * id first among equals). */
#ifndef WICK_TEXT_SAMPLER_IMPL_H
#define WICK_TEXT_SAMPLER_IMPL_H

#include "base/error.h"

typedef enum wick_sampler_step {
    WICK_STEP_PENALTIES,
    WICK_STEP_DRY,
    WICK_STEP_TOP_N_SIGMA,
    WICK_STEP_TOP_K,
    WICK_STEP_TYPICAL,
    WICK_STEP_TOP_P,
    WICK_STEP_MIN_P,
    WICK_STEP_XTC,
    WICK_STEP_TEMPERATURE,
    WICK_N_STEP
} wick_sampler_step;

typedef struct wick_candidate {
    float key; /* the logit, or what else it is judged by: more is better, then the lower id */
    int32_t id;
} wick_candidate;

enum { WICK_SAMPLER_BLOCK = 64 };

#define WICK_HUGE_LOGIT 1e30f

/* The loops over a whole vocabulary (sampler_loops.h), x being n logits. */
typedef struct wick_sampler_loops {
    /* The highest of each block, NaN passed over; false: there is NaN or something above WICK_HUGE_LOGIT. */
    bool (*scan)(const float *x, size_t n, float *block_most);
    /* exp((x - most) * scale) to p, their sums to block_sum; returns the sum of all. */
    double (*exponentials)(const float *x, size_t n, float most, float scale, float *p, double *block_sum);
    /* The sum of p * (x - most) * scale over the tokens whose p is above 0. */
    double (*exponents)(const float *x, const float *p, size_t n, float most, float scale);
    /* The sum of (x - middle) to a power of 0, 1 or 2 over the tokens that are possible. */
    double (*moment)(const float *x, size_t n, float middle, int power);
    /* Those that are not below a bound above -infinity to out, with their places; blocks whose highest is below another bound are passed
     * over (block_most NULL: none are). Returns how many. */
    size_t (*find)(const float *x, size_t n, float least, const float *block_most, float least_block, wick_candidate *out);
} wick_sampler_loops;

extern const wick_sampler_loops wick_sampler_loops_any;
#if defined(__x86_64__)
extern const wick_sampler_loops wick_sampler_loops_avx2, wick_sampler_loops_avx512vnni;
#endif

struct wick_sampler {
    wick_sampler_options options;
    const wick_sampler_loops *loops;
    size_t n_vocab;
    wick_sampler_step order[WICK_N_STEP];
    int n_step;
    wick_logit_bias *biases;
    int32_t *end_ids;
    uint8_t *breakers; /* [n_vocab], 1: ends a repeat; NULL: none does */
    uint64_t rng[4];
    double mu;        /* mirostat */
    int32_t *history; /* ring of the last tokens */
    size_t n_history, history_cap, n_accepted;
    size_t n_new;        /* tokens that were drawn and accepted */
    bool drawn;          /* the next token to be accepted was drawn here */
    uint32_t *counts;    /* [n_vocab], zero between calls */
    const float *logits; /* [n_vocab], the model's or own_logits */
    float *own_logits;   /* [n_vocab], changed by bias and penalties */
    float *block_most;   /* [n_block], the highest of each block of logits */
    double *block_sum;   /* [n_block], of p */
    float *block_p;      /* [n_block], exponentials of block_most */
    size_t n_block;
    wick_candidate *candidates;
    size_t n;
    bool whole, sorted;   /* whole: the candidates are still `logits`, not yet written out */
    float most;           /* what wick_sampler_exponentials took for the highest logit */
    float inverse_t;      /* 1 / temperature, once it has been applied */
    float *p;             /* exponentials of the candidates, in their order */
    wick_candidate *near; /* for selecting by something else than the logit; NULL where no step does */
    int32_t *z;           /* DRY: lengths of repeats */
};

/* The i-th token from the end of the history (0: the last). */
int32_t wick_sampler_recent(const wick_sampler *s, size_t i);
/* Uniform in [0, 1). */
double wick_sampler_uniform(wick_sampler *s);

/* Every number lies in its range (sampler_fields.c). */
wick_status wick_sampler_check(const wick_sampler_options *o, wick_error *err);
/* sampler_penalties.c */
void wick_sampler_penalties(wick_sampler *s);
void wick_sampler_dry(wick_sampler *s);
/* sampler_steps.c */
/* exp((logit - highest) / temperature) of the candidates to s->p, their sums to s->block_sum; returns the sum of all. */
double wick_sampler_exponentials(wick_sampler *s);
/* The sum of s->p times its exponents, (logit - highest) / temperature: by wick_sampler_exponentials' sum, their mean. */
double wick_sampler_exponents(wick_sampler *s);
void wick_sampler_run_step(wick_sampler *s, wick_sampler_step step);
void wick_sampler_sort(wick_sampler *s);
/* Keeps the k best, sorted if there were more. */
void wick_sampler_top_k(wick_sampler *s, size_t k);
/* Keeps what is not below a logit; the second also at least min_keep. */
void wick_sampler_keep_above(wick_sampler *s, float least);
void wick_sampler_keep_from(wick_sampler *s, float least);
size_t wick_sampler_least_kept(const wick_sampler *s);
/* A logit that at least k tokens reach: the k-th highest of the blocks' highest. For a whole vocabulary of k blocks and more. */
float wick_sampler_bound(wick_sampler *s, size_t k);

/* sampler_nucleus.c: steps that keep a part of the probability. */
void wick_sampler_top_p(wick_sampler *s, float p);
void wick_sampler_typical(wick_sampler *s, float p);
void wick_sampler_xtc(wick_sampler *s);

/* sampler_select.c: best first */
void wick_select_sort(wick_candidate *c, size_t n);
/* Moves the shortest prefix of the sorted order whose weights reach a target (or go beyond it), but at least some, to the front, and
 * returns how many that are: all, if all are not enough. They keep their order; equals shall stand in the order of their ids. weights[id]
 * of each; NULL: one each. */
size_t wick_select_prefix(wick_candidate *c, size_t n, const float *weights, double target, bool beyond, size_t least);

#endif
