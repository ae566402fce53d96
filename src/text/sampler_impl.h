/* sampler_impl.h: what the parts of the sampler share: the candidates and the steps that thin them out.
 *
 * Candidates begin as the whole vocabulary in order of ids, with logits that bias and penalties have changed. A step keeps some
 * of them and may scale their logits. `sorted` says that they stand in falling order (lower id first among equals). */
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
    float logit;
    int32_t id;
} wick_candidate;

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
    size_t n_new;     /* tokens that were drawn and accepted */
    bool drawn;       /* the next token to be accepted was drawn here */
    uint32_t *counts; /* [n_vocab], zero between calls */
    float *logits;    /* [n_vocab], changed by bias and penalties */
    wick_candidate *candidates;
    size_t n;
    bool whole, sorted;   /* whole: the candidates are still `logits`, not yet written out */
    float *p;             /* probabilities of the candidates, in their order */
    wick_candidate *near; /* typical: by distance from the entropy */
    int32_t *z;           /* DRY: lengths of repeats */
};

/* The i-th token from the end of the history (0: the last). */
int32_t wick_sampler_recent(const wick_sampler *s, size_t i);
/* Uniform in [0, 1). */
double wick_sampler_uniform(wick_sampler *s);

/* The highest of n numbers, NaN passed over; -INFINITY if there is none. */
float wick_sampler_most(const float *x, size_t n);
/* Every number lies in its range (sampler_fields.c). */
wick_status wick_sampler_check(const wick_sampler_options *o, wick_error *err);
/* sampler_penalties.c */
void wick_sampler_penalties(wick_sampler *s);
void wick_sampler_dry(wick_sampler *s);
/* sampler_steps.c */
void wick_sampler_write_out(wick_sampler *s);
void wick_sampler_sort(wick_sampler *s);
/* Probabilities of the candidates to s->p. */
void wick_sampler_softmax(wick_sampler *s);
void wick_sampler_run_step(wick_sampler *s, wick_sampler_step step);
void wick_sampler_top_k(wick_sampler *s, size_t k);

#endif
