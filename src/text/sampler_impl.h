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

struct wick_sampler {
    wick_sampler_options options;
    size_t n_vocab;
    wick_sampler_step order[WICK_N_STEP];
    int n_step;
    wick_logit_bias *biases;
    int32_t *end_ids, *breakers;
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
void wick_sampler_run_step(wick_sampler *s, wick_sampler_step step);
void wick_sampler_sort(wick_sampler *s);
/* Keeps the k best, sorted if there were more. */
void wick_sampler_top_k(wick_sampler *s, size_t k);
/* Keeps what is not below a logit, and at least min_keep. */
void wick_sampler_keep_from(wick_sampler *s, float least);
/* sampler_select.c: best first */
void wick_select_sort(wick_candidate *c, size_t n);
/* Moves the shortest prefix of the sorted order whose weights reach a target (or go beyond it) to the front, in no order, and returns how
 * many that are: all, if all are not enough. weights[id] of each; NULL: one each. */
size_t wick_select_prefix(wick_candidate *c, size_t n, const float *weights, double target, bool beyond);

#endif
