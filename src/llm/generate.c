/* The generation loop: evaluate the prompt, then choose, show, and evaluate one token after the other. */
#include "base/mem.h"
#include "base/os.h"
#include "llm/answer.h"
#include "llm/prompt.h"

#include <math.h>
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
    wick_watch watch;
    wick_prompt prompt;
    wick_answer answer;
    wick_sampler *sampler;
    int32_t *end_ids, *all_end_ids; /* what ends this answer; what would if nothing were ignored */
    size_t n_end, n_all_end;
    int32_t *text;  /* [n_prompt + limit]: the tokens of prompt and answer */
    float *allowed; /* [n_vocab]: logits without those of banned tokens; only where strings are banned */
    size_t limit;
    bool canceled;
} generation;

static void release(generation *g) {
    wick_answer_release(&g->answer);
    wick_prompt_release(&g->prompt);
    wick_sampler_free(g->sampler);
    wick_tokens_free(g->all_end_ids);
    wick_free(g->end_ids);
    wick_free(g->text);
    wick_free(g->allowed);
}

/* ---------------------------------------------------------------- before the first token */

/* A stop string that is a special token never comes as text, because special tokens are not shown: the token itself ends the answer. */
static wick_status find_ends(generation *g, wick_error *err) {
    const wick_generate_options *o = g->options;
    WICK_TRY(wick_end_tokens(wick_session_model_get(g->session), g->tokenizer, o->chat_template, &g->all_end_ids, &g->n_all_end, err));
    if (!(g->end_ids = WICK_NEW_ARRAY(int32_t, g->n_all_end + o->n_stop))) return wick_fail_nomem(err);
    for (size_t i = 0; i < g->n_all_end && !o->ignore_eos; i++) g->end_ids[g->n_end++] = g->all_end_ids[i];
    for (size_t i = 0; i < o->n_stop && g->tokenizer; i++) {
        int32_t id = wick_special_token(g->tokenizer, o->stop[i], strlen(o->stop[i]));
        if (id >= 0) g->end_ids[g->n_end++] = id;
    }
    return WICK_OK;
}

/* Special tokens among the banned strings become impossible; min_tokens means the ends that are known here. */
static wick_status make_sampler(generation *g, wick_error *err) {
    const wick_generate_options *o = g->options;
    wick_sampler_options s = o->sampler;
    wick_logit_bias *biases = WICK_NEW_ARRAY(wick_logit_bias, s.n_biases + o->n_banned);
    if (!biases) return wick_fail_nomem(err);
    if (s.n_biases) memcpy(biases, s.biases, s.n_biases * sizeof *biases);
    for (size_t i = 0; i < o->n_banned && g->tokenizer; i++) {
        int32_t id = wick_special_token(g->tokenizer, o->banned[i], strlen(o->banned[i]));
        if (id >= 0 && id < g->info->n_vocab) biases[s.n_biases++] = (wick_logit_bias){id, -INFINITY};
    }
    s.biases = biases;
    if (!s.n_end_ids) s.end_ids = g->all_end_ids, s.n_end_ids = g->n_all_end;
    int32_t *breakers;
    wick_status status = wick_dry_breakers(o, g->tokenizer, g->info->n_vocab, &s, &breakers, err);
    if (status == WICK_OK) status = wick_sampler_new(&s, (size_t)g->info->n_vocab, &g->sampler, err);
    wick_free(breakers);
    wick_free(biases);
    return status;
}

/* How many tokens the answer may have: the last one needs no place in the cache, because nothing follows it. Where there is no end, a
 * model that never stops is stopped. */
static wick_status room(generation *g, wick_error *err) {
    int64_t capacity = wick_session_capacity(g->session);
    size_t n_prompt = g->prompt.n;
    if ((int64_t)n_prompt > capacity)
        return wick_fail(err, WICK_ELIMIT, "the prompt has %zu tokens, the context holds %lld", n_prompt, (long long)capacity);
    size_t left = (size_t)capacity - n_prompt + 1;
    int64_t most = g->options->max_new_tokens;
    if (most <= 0 && g->info->endless) most = g->info->max_context;
    g->limit = most > 0 && (uint64_t)most < left ? (size_t)most : left;
    if (g->options->n_forced && g->options->n_forced < g->limit) g->limit = g->options->n_forced;
    if (!(g->text = WICK_NEW_ARRAY(int32_t, n_prompt + g->limit))) return wick_fail_nomem(err);
    memcpy(g->text, g->prompt.ids, n_prompt * sizeof *g->text);
    return WICK_OK;
}

static wick_status check(const generation *g, wick_error *err) {
    const wick_generate_options *o = g->options;
    if ((o->n_stop || o->n_banned) && !g->tokenizer)
        return wick_fail(err, WICK_EINVAL, "stop and banned strings need a tokenizer, and the model has none");
    if (o->n_forced && o->n_banned) return wick_fail(err, WICK_EINVAL, "forced tokens and banned strings exclude each other");
    return wick_watch_check(&g->watch, err);
}

static wick_status prepare(generation *g, wick_error *err) {
    const wick_generate_options *o = g->options;
    WICK_TRY(check(g, err));
    WICK_TRY(wick_prompt_make(wick_session_model_get(g->session), g->tokenizer, o, &g->prompt, err));
    WICK_TRY(room(g, err));
    WICK_TRY(find_ends(g, err));
    WICK_TRY(make_sampler(g, err));
    wick_sampler_set_text(g->sampler, g->prompt.ids, g->prompt.n, 0);
    if (o->n_banned && !(g->allowed = WICK_NEW_ARRAY(float, (size_t)g->info->n_vocab))) return wick_fail_nomem(err);
    g->answer = (wick_answer){
        .tokenizer = g->tokenizer, .watch = &g->watch, .on_text = o->on_text, .user = o->user, .tokens = g->text + g->prompt.n};
    return wick_answer_init(&g->answer, g->limit, err);
}

/* ---------------------------------------------------------------- token by token */

static bool is_end(const generation *g, int32_t token) {
    for (size_t i = 0; i < g->n_end; i++)
        if (g->end_ids[i] == token) return true;
    return false;
}

/* Which stop string a token is, -1: none. */
static int64_t which_stop(const generation *g, int32_t token) {
    const wick_generate_options *o = g->options;
    for (size_t i = 0; i < o->n_stop; i++)
        if (wick_special_token(g->tokenizer, o->stop[i], strlen(o->stop[i])) == token) return (int64_t)i;
    return -1;
}

static int32_t choose(generation *g) {
    const wick_generate_options *o = g->options;
    const float *logits = wick_session_logits(g->session);
    if (g->answer.n_token < o->n_forced) return o->forced[g->answer.n_token];
    if (!wick_answer_has_bans(&g->answer)) return wick_sampler_sample(g->sampler, logits);
    memcpy(g->allowed, logits, (size_t)g->info->n_vocab * sizeof *logits);
    wick_answer_mask(&g->answer, g->allowed, (size_t)g->info->n_vocab);
    return wick_sampler_sample(g->sampler, g->allowed);
}

/* Session and sampler go back to where the answer went back to. */
static wick_status follow_back(generation *g, wick_error *err) {
    size_t n = g->prompt.n + g->answer.n_token;
    wick_sampler_set_text(g->sampler, g->text, n, g->answer.n_token);
    return wick_session_sync(g->session, g->text, n, err);
}

/* Chooses a token and deals with it; *ends: it was the last one. */
static wick_status next_token(generation *g, wick_generate_result *result, bool *ends, wick_error *err) {
    const wick_generate_options *o = g->options;
    wick_growth growth;
    int32_t token = choose(g);
    if (o->on_token && !o->on_token(o->user, token, wick_session_logits(g->session))) g->canceled = true;
    if (is_end(g, token)) {
        wick_answer_end(&g->answer, token);
        result->finish = WICK_FINISH_STOP;
        result->i_stop = which_stop(g, token);
        *ends = true;
        return WICK_OK;
    }
    WICK_TRY(wick_answer_add(&g->answer, token, &growth, err));
    if (growth == WICK_TAKEN_BACK) return follow_back(g, err);
    wick_sampler_accept(g->sampler, token);
    *ends = growth == WICK_STOPPED || g->answer.n_token == g->limit || g->canceled || g->answer.canceled;
    return *ends ? WICK_OK : wick_session_step(g->session, token, err);
}

/* Chooses tokens until the answer ends. On entry the session holds the prompt. */
static wick_status answer(generation *g, wick_generate_result *result, double started, wick_error *err) {
    double first = 0;
    bool ends = false;
    result->finish = WICK_FINISH_LENGTH;
    while (!ends && !g->canceled) {
        WICK_TRY(next_token(g, result, &ends, err));
        if (first == 0) first = wick_os_seconds();
    }
    WICK_TRY(wick_answer_finish(&g->answer, err));
    if (g->answer.i_stop >= 0) {
        result->finish = WICK_FINISH_STOP;
        result->i_stop = g->answer.i_stop;
    }
    result->first_seconds = first - started;
    result->predict_seconds = wick_os_seconds() - first;
    if (g->canceled || g->answer.canceled) result->finish = WICK_FINISH_CANCELED;
    return WICK_OK;
}

static size_t common_prefix(const generation *g) {
    size_t n, i = 0;
    const int32_t *held = wick_session_tokens(g->session, &n);
    while (i < n && i < g->prompt.n && held[i] == g->prompt.ids[i]) i++;
    return i;
}

static wick_status give(generation *g, wick_generate_result *result, wick_error *err) {
    result->n_prompt = g->prompt.n;
    result->n_predicted = g->answer.n_token;
    result->prompt_tokens = g->prompt.ids;
    g->prompt.ids = NULL;
    result->tokens = wick_memdup(g->answer.tokens, g->answer.n_token * sizeof *result->tokens);
    if (g->tokenizer) {
        wick_strbuf_puts(&g->answer.text, "");
        result->text = wick_strbuf_take(&g->answer.text, NULL);
    }
    return result->tokens && (result->text || !g->tokenizer) ? WICK_OK : wick_fail_nomem(err);
}

static wick_status run(generation *g, wick_generate_result *result, wick_error *err) {
    double started = wick_os_seconds();
    WICK_TRY(prepare(g, err));
    result->i_stop = -1;
    result->n_cached = common_prefix(g);
    WICK_TRY(wick_session_sync(g->session, g->prompt.ids, g->prompt.n, err));
    result->prompt_seconds = wick_os_seconds() - started;
    WICK_TRY(answer(g, result, started, err));
    return give(g, result, err);
}

/* ---------------------------------------------------------------- the calls */

/* The tokenizer of the call or the model's own (to *own); neither: NULL where ready tokens make it needless. */
static wick_status find_tokenizer(const wick_model *model, const wick_generate_options *o, wick_tokenizer **own, wick_error *err) {
    *own = NULL;
    if (o->tokenizer) return WICK_OK;
    const void *blob;
    size_t size;
    if (o->n_tokens && !wick_model_data_get(model, "wick.tokenizer", &blob, &size)) return WICK_OK;
    return wick_tokenizer_from_model(model, own, err);
}

wick_status wick_generate(wick_session *session, const wick_generate_options *options, wick_generate_result *result, wick_error *err) {
    wick_generate_result discarded;
    bool keep = result != NULL;
    if (!keep) result = &discarded;
    *result = (wick_generate_result){0};
    const wick_model *model = wick_session_model_get(session);
    wick_tokenizer *own;
    WICK_TRY(find_tokenizer(model, options, &own, err));
    generation g = {.session = session,
                    .options = options,
                    .info = wick_model_info_get(model),
                    .tokenizer = options->tokenizer ? options->tokenizer : own,
                    .watch = {options->stop, options->banned, options->n_stop, options->n_banned}};
    wick_status status = run(&g, result, err);
    if (status != WICK_OK || !keep) wick_generate_result_release(result);
    release(&g);
    wick_tokenizer_free(own);
    return status;
}

wick_status wick_generate_prompt(const wick_model *model, const wick_generate_options *options, int32_t **ids, size_t *n, wick_error *err) {
    wick_tokenizer *own;
    wick_prompt prompt = {0};
    *ids = NULL;
    *n = 0;
    WICK_TRY(find_tokenizer(model, options, &own, err));
    wick_status status = wick_prompt_make(model, options->tokenizer ? options->tokenizer : own, options, &prompt, err);
    if (status == WICK_OK) *ids = prompt.ids, *n = prompt.n;
    wick_tokenizer_free(own);
    return status;
}
