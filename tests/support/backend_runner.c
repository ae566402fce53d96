#include "support/backend_runner.h"

#include "support/support.h"

runner runner_start(const wick_graph *g, uint32_t cpu_mask, int threads, const wick_state_options *options) {
    runner r = {.n_vocab = g->n_vocab};
    wick_plan_options po = {.cpu_mask = cpu_mask};
    assert_ok(wick_pool_new(threads, &r.pool, err));
    assert_ok(wick_backend_cpu.plan_new(g, &po, r.pool, &r.plan, err));
    assert_ok(wick_backend_cpu.state_new(r.plan, options, r.pool, &r.state, err));
    return r;
}

void runner_stop(runner *r) {
    wick_backend_cpu.state_free(r->state);
    wick_backend_cpu.plan_free(r->plan);
    wick_pool_free(r->pool);
}

const float *runner_evaluate(runner *r, const int32_t *tokens, int64_t from, int64_t to, int64_t chunk) {
    const float *logits = NULL;
    for (int64_t i = from; i < to; i += chunk) {
        int64_t count = i + chunk < to ? chunk : to - i;
        assert_ok(wick_backend_cpu.step(r->state, tokens + i, count, i, i + count == to, &logits, err));
    }
    return logits;
}
