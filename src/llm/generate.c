/* The generation loop: evaluate the prompt, then choose, show, and evaluate one token after the other. */
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"
#include "llm/prompt.h"

#include <string.h>

void wick_generate_result_release(wick_generate_result *result) {
    wick_free(result->prompt_tokens);
    wick_free(result->tokens);
    wick_free(result->text);
    *result = (wick_generate_result){0};
}

typedef struct generation {
    wick_session *session;
    const wick_generate_options *options;
    const wick_model_info *info;
    const wick_tokenizer *tokenizer;
    wick_decoder *decoder; /* NULL without a tokenizer */
    wick_sampler *sampler;
    wick_strbuf text;
    int32_t *tokens;
    size_t n_token, limit;
    bool canceled;
} generation;

static bool is_eos(const generation *g, int32_t token) {
    for (size_t i = 0; i < g->info->n_eos; i++)
        if (g->info->eos_ids[i] == token) return true;
    return g->info->n_eos == 0 && g->tokenizer && token >= 0 && token == wick_tokenizer_eos(g->tokenizer);
}

static void deliver(generation *g, const char *text, size_t size) {
    if (!size) return;
    wick_strbuf_add(&g->text, text, size);
    if (g->options->on_text && !g->options->on_text(g->options->user, text, size)) g->canceled = true;
}

static wick_status show(generation *g, int32_t token, wick_error *err) {
    if (!g->decoder) return WICK_OK;
    const char *text;
    size_t size;
    WICK_TRY(wick_decoder_push(g->decoder, token, &text, &size, err));
    deliver(g, text, size);
    return WICK_OK;
}

static int32_t choose(generation *g) {
    const wick_generate_options *o = g->options;
    if (g->n_token < o->n_forced) return o->forced[g->n_token];
    return wick_sampler_sample(g->sampler, wick_session_logits(g->session));
}

/* Chooses tokens until the answer ends. On entry the session holds the prompt. */
static wick_status answer(generation *g, wick_generate_result *result, double started, wick_error *err) {
    const wick_generate_options *o = g->options;
    double first = 0;
    result->finish = WICK_FINISH_LENGTH;
    while (g->n_token < g->limit && !g->canceled) {
        int32_t token = choose(g);
        if (o->on_token && !o->on_token(o->user, token, wick_session_logits(g->session))) g->canceled = true;
        g->tokens[g->n_token++] = token;
        if (g->n_token == 1) {
            first = wick_os_seconds();
            result->first_seconds = first - started;
        }
        if (!o->ignore_eos && is_eos(g, token)) {
            result->finish = WICK_FINISH_STOP;
            break;
        }
        WICK_TRY(show(g, token, err));
        wick_sampler_accept(g->sampler, token);
        if (g->n_token == g->limit || g->canceled) break;
        WICK_TRY(wick_session_step(g->session, token, err));
    }
    if (g->n_token) result->predict_seconds = wick_os_seconds() - first;
    if (g->canceled) result->finish = WICK_FINISH_CANCELED;
    return WICK_OK;
}

/* How many tokens the answer may have: the last one needs no place in the cache, because nothing follows it. */
static wick_status room(generation *g, size_t n_prompt, wick_error *err) {
    int64_t capacity = wick_session_capacity(g->session);
    if ((int64_t)n_prompt > capacity)
        return wick_fail(err, WICK_ELIMIT, "the prompt has %zu tokens, the context holds %lld", n_prompt, (long long)capacity);
    size_t left = (size_t)capacity - n_prompt + 1;
    g->limit = g->options->max_new_tokens > 0 && (uint64_t)g->options->max_new_tokens < left ? (size_t)g->options->max_new_tokens : left;
    if (g->options->n_forced && g->options->n_forced < g->limit) g->limit = g->options->n_forced;
    g->tokens = WICK_NEW_ARRAY(int32_t, g->limit);
    return g->tokens ? WICK_OK : wick_fail_nomem(err);
}

static wick_status prepare(generation *g, const wick_prompt *prompt, wick_error *err) {
    WICK_TRY(room(g, prompt->n, err));
    if (g->tokenizer) WICK_TRY(wick_decoder_new(g->tokenizer, true, &g->decoder, err));
    WICK_TRY(wick_sampler_new(&g->options->sampler, (size_t)g->info->n_vocab, &g->sampler, err));
    for (size_t i = 0; i < prompt->n; i++) wick_sampler_accept(g->sampler, prompt->ids[i]);
    return WICK_OK;
}

static size_t common_prefix(const wick_session *session, const wick_prompt *prompt) {
    size_t n, i = 0;
    const int32_t *held = wick_session_tokens(session, &n);
    while (i < n && i < prompt->n && held[i] == prompt->ids[i]) i++;
    return i;
}

static wick_status run(generation *g, wick_prompt *prompt, wick_generate_result *result, wick_error *err) {
    double started = wick_os_seconds();
    WICK_TRY(prepare(g, prompt, err));
    result->n_cached = common_prefix(g->session, prompt);
    WICK_TRY(wick_session_sync(g->session, prompt->ids, prompt->n, err));
    result->prompt_seconds = wick_os_seconds() - started;
    WICK_TRY(answer(g, result, started, err));
    if (g->decoder) {
        const char *text;
        size_t size;
        WICK_TRY(wick_decoder_finish(g->decoder, &text, &size, err));
        deliver(g, text, size);
        if (g->text.failed) return wick_fail_nomem(err);
    }
    return WICK_OK;
}

wick_status wick_generate(wick_session *session, const wick_generate_options *options, wick_generate_result *result, wick_error *err) {
    wick_generate_result discarded;
    bool keep = result != NULL;
    if (!keep) result = &discarded;
    *result = (wick_generate_result){0};
    const wick_model *model = wick_session_model_get(session);
    generation g = {.session = session, .options = options, .info = wick_model_info_get(model), .tokenizer = options->tokenizer};
    wick_tokenizer *own = NULL;
    wick_prompt prompt = {0};
    wick_status status = WICK_OK;
    if (!g.tokenizer) {
        status = wick_tokenizer_from_model(model, &own, err);
        if (status != WICK_OK && (status != WICK_ENOTFOUND || !options->n_tokens)) goto out;
        g.tokenizer = own;
    }
    WICK_CHECK_GOTO(wick_prompt_make(model, g.tokenizer, options, &prompt, err));
    WICK_CHECK_GOTO(run(&g, &prompt, result, err));
    result->n_prompt = prompt.n;
    result->n_predicted = g.n_token;
    result->prompt_tokens = prompt.ids;
    result->tokens = g.tokens;
    prompt.ids = NULL;
    g.tokens = NULL;
    if (g.tokenizer) {
        result->text = wick_strbuf_take(&g.text, NULL);
        if (!result->text) status = wick_fail_nomem(err);
    }
out:
    if (status != WICK_OK || !keep) wick_generate_result_release(result);
    wick_prompt_release(&prompt);
    wick_strbuf_release(&g.text);
    wick_free(g.tokens);
    wick_decoder_free(g.decoder);
    wick_sampler_free(g.sampler);
    wick_tokenizer_free(own);
    return status;
}

wick_status wick_generate_prompt(const wick_model *model, const wick_generate_options *options, int32_t **ids, size_t *n, wick_error *err) {
    wick_tokenizer *own = NULL;
    wick_prompt prompt = {0};
    *ids = NULL;
    *n = 0;
    if (!options->tokenizer) {
        wick_status status = wick_tokenizer_from_model(model, &own, err);
        if (status != WICK_OK && (status != WICK_ENOTFOUND || !options->n_tokens)) return status;
    }
    wick_status status = wick_prompt_make(model, options->tokenizer ? options->tokenizer : own, options, &prompt, err);
    if (status == WICK_OK) *ids = prompt.ids, *n = prompt.n;
    wick_tokenizer_free(own);
    return status;
}
