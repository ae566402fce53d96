/* A step: every thread walks through the phases, meeting the others after each. */
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_state.h"

/* The row ops of a phase. When there are few rows and nobody else will look at the results, each thread makes them for
 * itself; else rows are split and all wait for each other. */
static void run_ops(cpu_work *w, const cpu_phase *ph) {
    int64_t n = cpu_n_row(w, ph->ops_last);
    if (w->n_thread > 1 && ph->ops_local && n <= CPU_LOCAL_ROWS) {
        w->base = w->desk->base;
        cpu_rows(w, ph, 0, n);
        return;
    }
    size_t from, to;
    wick_split((size_t)n, 1, w->i_thread, w->n_thread, &from, &to);
    cpu_rows(w, ph, (int64_t)from, (int64_t)to);
    if (ph->main != CPU_MAIN_NONE) wick_pool_barrier(w->s->pool);
}

static void run_main(const cpu_work *w, const cpu_phase *ph) {
    switch (ph->main) {
    case CPU_MAIN_NONE: break;
    case CPU_MAIN_LINEAR: cpu_linear(w, ph); break;
    case CPU_MAIN_ATTEND: cpu_attend(w, ph); break;
    case CPU_MAIN_CONV: cpu_conv_run(w, ph); break;
    case CPU_MAIN_HOST:
        if (w->i_thread == 0) cpu_host(w, ph);
        break;
    }
}

enum { LEAST_ASKED = 16 }; /* tokens: shorter steps are over soon */

/* The caches hold what a step that is not finished has written, behind where the state stands: nobody reads it before it is written
 * again. */
static bool may_stop(const wick_backend_state *s) { return s->options.go_on && s->n >= LEAST_ASKED && !s->p->n_conv && !s->p->has_fine; }

/* Thread 0, before the others pass the barrier of phase i. */
static void ask(wick_backend_state *s, size_t i) {
    if (i + 1 == s->p->n_phase || s->options.go_on(s->options.go_on_user, (double)(i + 1) / (double)s->p->n_phase)) return;
    s->status = wick_fail(&s->error, WICK_ECANCELED, "canceled within a step");
    s->failed_phase = i;
}

static void work(void *arg, int i_thread, int n_thread) {
    wick_backend_state *s = arg;
    cpu_work w = {.s = s, .p = s->p, .desk = &s->desks[i_thread], .i_thread = i_thread, .n_thread = n_thread};
    for (size_t i = 0; i < s->p->n_phase && i <= s->failed_phase; i++) {
        const cpu_phase *ph = &s->p->phases[i];
        bool ops = ph->n_op && (s->want_logits || ph->ops_needed), main = s->want_logits || ph->main_needed;
        if (!ops && !main) continue;
        w.base = s->base;
        if (ops) run_ops(&w, ph);
        if (main) run_main(&w, ph);
        if (i_thread == 0 && may_stop(s)) ask(s, i);
        wick_pool_barrier(s->pool);
    }
}

static wick_status check_step(const wick_backend_state *s, const int32_t *tokens, int64_t n, int64_t position, wick_error *err) {
    if (n < 1 || n > s->options.chunk)
        return wick_fail(err, WICK_EINVAL, "a step of %lld tokens, expected 1 to %lld", (long long)n, (long long)s->options.chunk);
    if (position < 0 || position > s->options.context - n)
        return wick_fail(err, WICK_ELIMIT, "%lld tokens at position %lld, but the session holds at most %lld", (long long)n,
                         (long long)position, (long long)s->options.context);
    for (int64_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= s->p->n_embedding)
            return wick_fail(err, WICK_EINVAL, "token id %d at position %lld, expected 0 to %lld", tokens[i], (long long)(position + i),
                             (long long)s->p->n_embedding - 1);
    return WICK_OK;
}

wick_status cpu_step(wick_backend_state *s, const int32_t *tokens, int64_t n, int64_t position, bool want_logits, const float **logits,
                     wick_error *err) {
    WICK_TRY(check_step(s, tokens, n, position, err));
    if (position != s->position_end && !cpu_state_rewind(s, position))
        return wick_fail(err, WICK_EINVAL, "a step at position %lld, but the state stands at %lld and cannot go back so far",
                         (long long)position, (long long)s->position_end);
    for (int64_t i = 0; i < n; i++) {
        s->tokens[i] = tokens[i];
        s->positions[i] = position + i;
    }
    s->n = n;
    s->position = position;
    s->want_logits = want_logits;
    s->failed_phase = s->p->n_phase;
    cpu_state_reach(s, position + n);
    wick_pool_run(s->pool, work, s);
    if (s->failed_phase != s->p->n_phase) {
        if (err) *err = s->error;
        return s->status;
    }
    s->position_end = position + n;
    if (want_logits) {
        cpu_work w = {.s = s, .p = s->p, .base = s->base};
        *logits = cpu_row(&w, s->p->logits, 0, true);
    }
    return WICK_OK;
}
