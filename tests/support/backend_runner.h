/* backend_runner.h: a graph on the processor backend with a pool, a plan and a state of its own. */
#ifndef WICK_TESTS_BACKEND_RUNNER_H
#define WICK_TESTS_BACKEND_RUNNER_H

#include "backend/backend.h"

typedef struct runner {
    wick_pool *pool;
    wick_backend_plan *plan;
    wick_backend_state *state;
    int64_t n_vocab;
} runner;

/* Fails the test if it cannot be made. runner_stop gives everything back. */
runner runner_start(const wick_graph *g, uint32_t cpu_mask, int threads, const wick_state_options *options);
void runner_stop(runner *r);

/* Evaluates tokens [from, to) in steps of `chunk`; the logits of the last, lent until the next step. */
const float *runner_evaluate(runner *r, const int32_t *tokens, int64_t from, int64_t to, int64_t chunk);

#endif
