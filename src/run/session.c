/* Sessions: stating a sequence, going back, logits. */
#include "run/session.h"

#include "base/mem.h"
#include "base/os.h"
#include "run/host.h"

#include <string.h>

enum { DEFAULT_CHUNK = 512, FIRST_STEP = 32, LEAST_STEP = 8 };

wick_session_options wick_session_options_default(void) { return (wick_session_options){.kv_dtype = WICK_KV_F16}; }

/* ---------------------------------------------------------------- life */

static wick_status check_options(const wick_model *model, const wick_session_options *o, wick_error *err) {
    if (o->context < 0 || o->prefill_chunk < 0)
        return wick_fail(err, WICK_EINVAL, "a context of %lld tokens and steps of %lld, expected 0 (automatic) or more",
                         (long long)o->context, (long long)o->prefill_chunk);
    if (model->info.endless && o->context > WICK_MAX_CONTEXT)
        return wick_fail(err, WICK_ELIMIT, "%s: a context of %lld tokens was asked for, a session holds at most %d", model->path,
                         (long long)o->context, WICK_MAX_CONTEXT);
    if (!model->info.endless && o->context > model->info.max_context)
        return wick_fail(err, WICK_ELIMIT, "%s: a context of %lld tokens was asked for, but the program was made for %lld", model->path,
                         (long long)o->context, (long long)model->info.max_context);
    return WICK_OK;
}

/* Most tokens of a step: what the caller asks for, within what the engine can take at once. */
static int64_t choose_chunk(const wick_model *model, const wick_session_options *o, int64_t capacity) {
    int64_t chunk = o->prefill_chunk ? o->prefill_chunk : DEFAULT_CHUNK, bound = model->contract.tokens_bound;
    const wick_graph *g = model->raised.graph;
    /* A raised graph takes steps of any length; what runs in the vm, and a graph without symbolic rows, keep to the bound. */
    bool bounded = !g || model->raised.n_left || wick_dim_is_const(g->values[g->tokens].dims[0]);
    if (bounded && chunk > bound) chunk = bound;
    return chunk < capacity ? chunk : capacity;
}

static bool look(wick_session *s, double n_done) {
    return s->progress(s->progress_user, n_done - (double)s->begin, (double)(s->goal - s->begin));
}

static bool go_on_within_step(void *user, double part) {
    wick_session *s = user;
    s->asks = true;
    return !s->progress || look(s, (double)s->n_token + part * (double)s->n_step);
}

static wick_status make_engine(wick_session *s, wick_error *err) {
    const wick_model *model = s->model;
    if (!model->plan) return wick_vm_engine_init(&s->engine, model, err);
    wick_state_options o = {.context = s->capacity, .chunk = s->chunk, .kv_f32 = s->options.kv_dtype == WICK_KV_F32};
    o.go_on = go_on_within_step;
    o.go_on_user = s;
    int64_t unseen = model->info.max_context - model->info.n_last;
    if (model->info.endless) o.n_keep = unseen > 0 ? unseen : 1;
    if (model->raised.n_left) {
        WICK_TRY(wick_host_new(model, &s->host, err));
        o.host = wick_host_run;
        o.host_user = s->host;
    }
    WICK_TRY(wick_pool_new(s->options.threads, &s->pool, err));
    return model->backend->state_new(model->plan, &o, s->pool, &s->state, err);
}

wick_status wick_session_new(wick_model *model, const wick_session_options *options, wick_session **out, wick_error *err) {
    wick_session_options defaults = wick_session_options_default();
    if (!model || !out) return wick_fail(err, WICK_EINVAL, "wick_session_new: model and out must not be NULL");
    *out = NULL;
    if (!options) options = &defaults;
    WICK_TRY(check_options(model, options, err));
    wick_session *s = WICK_NEW(wick_session);
    if (!s) return wick_fail_nomem(err);
    s->model = model;
    s->options = *options;
    s->capacity = options->context ? options->context : model->info.endless ? WICK_ENDLESS_CONTEXT : model->info.max_context;
    s->chunk = choose_chunk(model, options, s->capacity);
    s->tokens = WICK_NEW_ARRAY(int32_t, (size_t)s->capacity);
    s->kept_logits = WICK_NEW_ARRAY(float, (size_t)model->info.n_vocab);
    wick_status status = s->tokens && s->kept_logits ? make_engine(s, err) : wick_fail_nomem(err);
    if (status == WICK_OK)
        *out = s;
    else
        wick_session_free(s);
    return status;
}

void wick_session_free(wick_session *s) {
    if (!s) return;
    if (s->state) s->model->backend->state_free(s->state);
    wick_host_free(s->host);
    wick_vm_engine_release(&s->engine);
    wick_pool_free(s->pool);
    wick_free(s->kept_logits);
    wick_free(s->tokens);
    wick_free(s);
}

wick_model *wick_session_model_get(const wick_session *s) { return s->model; }

/* ---------------------------------------------------------------- the engine, whichever it is */

static wick_status step(wick_session *s, int64_t n, bool want_logits, wick_error *err) {
    int64_t position = (int64_t)s->n_token;
    const int32_t *tokens = s->tokens;
    if (s->state) return s->model->backend->step(s->state, tokens + position, n, position, want_logits, &s->logits, err);
    return wick_vm_engine_step(&s->engine, s->model, tokens, n, position, &s->logits, err);
}

/* Goes back to n tokens, or to none if the engine cannot go back that far; returns where it stands. */
static size_t go_back(wick_session *s, size_t n) {
    bool ok = s->state ? s->model->backend->rewind(s->state, (int64_t)n) : wick_vm_engine_rewind(&s->engine, (int64_t)n);
    if (ok && s->host) ok = wick_host_rewind(s->host, (int64_t)n);
    if (!ok) {
        n = 0;
        if (s->state)
            s->model->backend->rewind(s->state, 0);
        else
            wick_vm_engine_rewind(&s->engine, 0);
        if (s->host) wick_host_rewind(s->host, 0);
    }
    s->logits = NULL;
    return s->n_token = n;
}

/* ---------------------------------------------------------------- evaluating */

static wick_status check_tokens(const wick_session *s, const int32_t *tokens, size_t n, wick_error *err) {
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (s->model->n_token_id && tokens[i] >= s->model->n_token_id))
            return wick_fail(err, WICK_EINVAL, "%s: token %zu is %d, but the program's ids go from 0 to %lld", s->model->path, i, tokens[i],
                             (long long)s->model->n_token_id - 1);
    return WICK_OK;
}

static wick_status check_room(const wick_session *s, size_t n, wick_error *err) {
    if (n <= (size_t)s->capacity) return WICK_OK;
    return wick_fail(err, WICK_ELIMIT, "%s: %zu tokens do not fit into the session's context of %lld", s->model->path, n,
                     (long long)s->capacity);
}

/* How many tokens at once. With somebody looking on, who may want to stop, steps are so short that a stop seems immediate, by what the
 * last one took: a tenth of a second; or two, if the engine asks within a step, which it does some 200 times. A chunk that was asked for
 * is kept. */
static size_t step_size(const wick_session *s, size_t left) {
    size_t most = (size_t)s->chunk;
    if (s->progress && !s->options.prefill_chunk) {
        double seconds = s->asks ? 2 : 0.1, fit = s->token_seconds > 0 ? seconds / s->token_seconds : FIRST_STEP;
        size_t n = fit < LEAST_STEP ? LEAST_STEP : fit < (double)most ? (size_t)fit / LEAST_STEP * LEAST_STEP : most;
        if (n < most) most = n;
    }
    return left < most ? left : most;
}

static wick_status canceled(const wick_session *s, wick_error *err) {
    return wick_fail(err, WICK_ECANCELED, "canceled after %zu of %zu tokens", s->n_token, s->goal);
}

/* Evaluates s->tokens[s->n_token .. n) step by step. */
static wick_status evaluate(wick_session *s, size_t n, wick_error *err) {
    s->begin = s->n_token;
    s->goal = n;
    bool whole = !s->state && !s->model->contract.has_position; /* without a cache there is one call, on everything */
    s->logits = NULL;
    while (s->n_token < n) {
        size_t left = n - s->n_token, count = whole ? left : step_size(s, left);
        double started = wick_os_seconds();
        s->n_step = count;
        wick_status status = step(s, (int64_t)count, count == left, err);
        if (status != WICK_OK) {
            s->logits = NULL;
            return status == WICK_ECANCELED ? canceled(s, err) : status;
        }
        s->n_token += count;
        if (count >= LEAST_STEP) s->token_seconds = (wick_os_seconds() - started) / (double)count;
        if (count < left) s->logits = NULL;
        if (s->progress && !look(s, (double)s->n_token) && s->n_token < n) return canceled(s, err);
    }
    return WICK_OK;
}

wick_status wick_session_sync(wick_session *s, const int32_t *tokens, size_t n, wick_error *err) {
    if (!n || !tokens) return wick_fail(err, WICK_EINVAL, "wick_session_sync: no tokens were given");
    WICK_TRY(check_room(s, n, err));
    WICK_TRY(check_tokens(s, tokens, n, err));
    size_t common = 0;
    while (common < s->n_token && common < n && s->tokens[common] == tokens[common]) common++;
    if (common == n && s->n_token == n && s->logits) return WICK_OK;
    if (common == n) common--; /* the last token is evaluated again for its logits */
    if (common < s->n_token) common = go_back(s, common);
    memmove(s->tokens + common, tokens + common, (n - common) * sizeof *tokens);
    return evaluate(s, n, err);
}

wick_status wick_session_step(wick_session *s, int32_t token, wick_error *err) {
    WICK_TRY(check_room(s, s->n_token + 1, err));
    WICK_TRY(check_tokens(s, &token, 1, err));
    s->tokens[s->n_token] = token;
    return evaluate(s, s->n_token + 1, err);
}

/* ---------------------------------------------------------------- looking and going back */

void wick_session_on_progress(wick_session *s, wick_progress_fn *fn, void *user) {
    s->progress = fn;
    s->progress_user = user;
}

const float *wick_session_logits(const wick_session *s) { return s->logits; }

const int32_t *wick_session_tokens(const wick_session *s, size_t *n) {
    *n = s->n_token;
    return s->tokens;
}

int64_t wick_session_capacity(const wick_session *s) { return s->capacity; }

wick_status wick_session_rewind(wick_session *s, size_t n, wick_error *err) {
    if (n > s->n_token) return wick_fail(err, WICK_EINVAL, "going back to %zu tokens, but the session holds %zu", n, s->n_token);
    if (n == s->n_token) return WICK_OK;
    size_t wanted = n;
    n = go_back(s, n);
    /* A recurrent state cannot go back: what was asked to stay is evaluated anew, its tokens are still there. */
    return n < wanted ? evaluate(s, wanted, err) : WICK_OK;
}
