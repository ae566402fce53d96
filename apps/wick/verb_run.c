/* wick run: a prompt in, an answer out. */
#include "npy.h"
#include "option.h"
#include "progress.h"
#include "run_options.h"

#include "base/os.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct run_state {
    run_options *o;
    wick_model *model;
    wick_session *session;
    wick_tokenizer *tokenizer;
    wick_template *chat_template; /* NULL: the model's */
    int32_t *tokens, *forced;
    app_npy npy;
    bool npy_failed, quiet;
    double started, loaded;
} run_state;

static bool print_text(void *user, const char *text, size_t size) {
    const run_state *s = user;
    if (!s->quiet && !s->o->json) {
        fwrite(text, 1, size, stdout);
        fflush(stdout);
    }
    return !app_interrupted();
}

static bool keep_logits(void *user, int32_t token, const float *logits) {
    run_state *s = user;
    (void)token;
    if (s->npy.file && !s->quiet && !app_npy_row(&s->npy, logits)) s->npy_failed = true;
    return !app_interrupted();
}

static wick_status open_all(run_state *s, wick_error *err) {
    WICK_TRY(run_open_model(s->o, &s->model, err));
    s->loaded = app_seconds();
    wick_session_options so = run_session_options(s->o);
    WICK_TRY(wick_session_new(s->model, &so, &s->session, err));
    wick_status status = run_open_tokenizer(s->o, s->model, &s->tokenizer, err);
    if (status != WICK_OK && !(status == WICK_ENOTFOUND && s->o->tokens && !s->o->tokenizer)) return status;
    WICK_TRY(run_open_template(s->o, &s->chat_template, err));
    if (s->o->logits && !app_npy_open(&s->npy, s->o->logits, (size_t)wick_model_info_get(s->model)->n_vocab))
        return wick_fail(err, WICK_EIO, "%s: cannot create", s->o->logits);
    return WICK_OK;
}

static void fill_prompt(run_state *s, wick_generate_options *g, wick_message messages[2]) {
    const char *why;
    if (s->o->tokens || s->o->raw) {
        g->prompt = s->o->prompt;
    } else if (!s->chat_template && !wick_chat_available(s->model, s->tokenizer, &why)) {
        if (s->o->system)
            fprintf(stderr, "wick run: --system is not used: %s\n", why);
        else if (s->o->verbose)
            fprintf(stderr, "wick run: plain continuation: %s\n", why);
        g->prompt = s->o->prompt;
    } else {
        size_t n = 0;
        if (s->o->system) messages[n++] = (wick_message){"system", s->o->system};
        messages[n++] = (wick_message){"user", s->o->prompt};
        g->messages = messages;
        g->n_messages = n;
        g->chat_template = s->chat_template;
    }
}

static void json_ids(wick_json *j, const char *key, const int32_t *ids, size_t n) {
    wick_json_key(j, key);
    wick_json_open(j, '[');
    for (size_t i = 0; i < n; i++) wick_json_int(j, ids[i]);
    wick_json_close(j, ']');
}

static void json_number(wick_json *j, const char *key, double v) {
    wick_json_key(j, key);
    wick_json_double(j, v);
}

static void print_json(const run_state *s, const wick_generate_result *r) {
    const wick_model_info *info = wick_model_info_get(s->model);
    wick_strbuf text = {0};
    wick_json j = {&text, false};
    wick_json_open(&j, '{');
    json_ids(&j, "prompt_tokens", r->prompt_tokens, r->n_prompt);
    json_ids(&j, "tokens", r->tokens, r->n_predicted);
    wick_json_key(&j, "text");
    if (r->text)
        wick_json_string(&j, r->text, strlen(r->text));
    else
        wick_json_null(&j);
    wick_json_key(&j, "finish_reason");
    static const char *const reasons[] = {"stop", "length", "canceled"};
    wick_json_string(&j, reasons[r->finish], strlen(reasons[r->finish]));
    if (r->i_stop >= 0) {
        const char *stop = s->o->stop.items[r->i_stop];
        wick_json_key(&j, "stop");
        wick_json_string(&j, stop, strlen(stop));
    }
    wick_json_key(&j, "stats");
    wick_json_open(&j, '{');
    json_number(&j, "load_ms", 1e3 * (s->loaded - s->started));
    json_number(&j, "verify_ms", 1e3 * info->verify_seconds);
    json_number(&j, "raise_ms", 1e3 * info->raise_seconds);
    json_number(&j, "pack_ms", 1e3 * info->pack_seconds);
    json_number(&j, "prompt_n", (double)r->n_prompt);
    json_number(&j, "prompt_ms", 1e3 * r->prompt_seconds);
    json_number(&j, "ttft_ms", 1e3 * r->first_seconds);
    json_number(&j, "predicted_n", (double)r->n_predicted);
    json_number(&j, "predicted_ms", 1e3 * r->predict_seconds);
    wick_json_key(&j, "peak_rss");
    wick_json_int(&j, (int64_t)wick_os_peak_rss());
    wick_json_close(&j, '}');
    wick_json_close(&j, '}');
    if (text.data) puts(text.data);
    wick_strbuf_release(&text);
}

static double rate(double n, double seconds) { return seconds > 0 ? n / seconds : 0; }

static void print_statistics(const run_state *s, const wick_generate_result *r) {
    const wick_model_info *info = wick_model_info_get(s->model);
    double decoded = r->n_predicted > 1 ? (double)(r->n_predicted - 1) : 0;
    fprintf(stderr, "load %.2f s (verify %.3f, raise %.3f, pack %.3f); ", s->loaded - s->started, info->verify_seconds, info->raise_seconds,
            info->pack_seconds);
    fprintf(stderr, "prompt %zu tokens, %.1f/s; first token %.3f s; answer %zu tokens, %.1f/s; peak memory %.0f MB\n", r->n_prompt,
            rate((double)(r->n_prompt - r->n_cached), r->prompt_seconds), r->first_seconds, r->n_predicted,
            rate(decoded, r->predict_seconds), (double)wick_os_peak_rss() / 1e6);
}

/* The line that ExecuTorch's own runner prints, so that scripts which read it keep working. Times in ms since the start. */
static void print_et_stats(const run_state *s, const wick_generate_result *r) {
    double load = 1e3 * (s->loaded - s->started), prompt = load + 1e3 * r->prompt_seconds, first = load + 1e3 * r->first_seconds;
    double end = first + 1e3 * r->predict_seconds, decoded = r->n_predicted ? (double)(r->n_predicted - 1) : 0;
    fprintf(
        stderr,
        "PyTorchObserver {\"prefill_token_per_sec\":%.6g,\"decode_token_per_sec\":%.6g,\"prompt_tokens\":%zu,\"generated_tokens\":%.0f,"
        "\"model_load_start_ms\":0,\"model_load_end_ms\":%.0f,\"inference_start_ms\":%.0f,\"inference_end_ms\":%.0f,"
        "\"prompt_eval_end_ms\":%.0f,\"first_token_ms\":%.0f,\"aggregate_sampling_time_ms\":0,\"SCALING_FACTOR_UNITS_PER_SECOND\":1000}\n",
        rate((double)r->n_prompt, r->prompt_seconds), rate(decoded, r->predict_seconds), r->n_prompt, decoded, load, load, end, prompt,
        first);
}

static int64_t most_new_tokens(const run_options *o, size_t n_prompt_tokens) {
    if (o->max_new_tokens > 0) return o->max_new_tokens;
    int64_t left = o->seq_len - (int64_t)n_prompt_tokens;
    return o->seq_len > 0 ? (left > 0 ? left : 1) : 0;
}

static wick_status generate(run_state *s, size_t n_token, size_t n_forced, wick_generate_result *r, wick_error *err) {
    wick_generate_options g = run_generate_options(s->o, s->model, err);
    wick_message messages[2];
    if (err->code != WICK_OK) fprintf(stderr, "wick run: the model's sampling defaults are not used: %s\n", err->message);
    g.tokens = s->tokens, g.n_tokens = n_token;
    g.forced = s->forced, g.n_forced = n_forced;
    g.n_bos = (int)s->o->n_bos, g.n_eos = (int)s->o->n_eos;
    g.max_new_tokens = most_new_tokens(s->o, n_token);
    g.tokenizer = s->tokenizer;
    g.on_text = print_text, g.on_token = keep_logits, g.user = s;
    fill_prompt(s, &g, messages);
    if (s->o->warmup) {
        s->quiet = true;
        WICK_TRY(wick_generate(s->session, &g, r, err));
        wick_generate_result_release(r);
        WICK_TRY(wick_session_rewind(s->session, 0, err));
        s->quiet = false;
    }
    return wick_generate(s->session, &g, r, err);
}

static int fail(const run_state *s, const wick_error *err) {
    if (s->o->json) {
        wick_strbuf text = {0};
        wick_json j = {&text, false};
        wick_json_open(&j, '{');
        wick_json_key(&j, "error");
        wick_json_string(&j, err->message, strlen(err->message));
        wick_json_close(&j, '}');
        if (text.data) puts(text.data);
        wick_strbuf_release(&text);
    } else {
        app_fail(&app_verb_run, err->message);
    }
    return APP_FAILED;
}

static int finish(run_state *s, const wick_generate_result *r, wick_error *err) {
    if (!app_npy_close(&s->npy) || s->npy_failed) {
        wick_fail(err, WICK_EIO, "%s: cannot write", s->o->logits);
        return fail(s, err);
    }
    if (s->o->json)
        print_json(s, r);
    else
        putchar('\n');
    fflush(stdout); /* before anything goes to stderr, which may be the same place */
    if (s->o->verbose) print_statistics(s, r);
    if (s->o->et_stats) print_et_stats(s, r);
    return app_interrupted() ? APP_INTERRUPTED : APP_OK;
}

static int run_main(int argc, char **argv) {
    run_options o;
    int status;
    if (!run_options_parse(&app_verb_run, argc, argv, &o, &status)) return status;
    run_state s = {.o = &o, .started = app_seconds()};
    size_t n_token = 0, n_forced = 0;
    if (o.tokens && !(s.tokens = run_parse_ids(&app_verb_run, "tokens", o.tokens, &n_token))) return APP_USAGE;
    if (o.forced && !(s.forced = run_parse_ids(&app_verb_run, "force", o.forced, &n_forced))) return APP_USAGE;
    app_catch_interrupt();
    wick_error err = {0};
    wick_generate_result r = {0};
    bool ok = open_all(&s, &err) == WICK_OK && generate(&s, n_token, n_forced, &r, &err) == WICK_OK;
    status = ok ? finish(&s, &r, &err) : fail(&s, &err);
    app_npy_close(&s.npy);
    wick_generate_result_release(&r);
    wick_template_free(s.chat_template);
    wick_tokenizer_free(s.tokenizer);
    wick_session_free(s.session);
    wick_model_close(s.model);
    free(s.tokens);
    free(s.forced);
    return status;
}

const app_verb app_verb_run = {
    "run", "MODEL TEXT [OPTIONS]", "answer a prompt",
    "MODEL is a .pte, made by 'wick export' or by ExecuTorch's own exporter. The prompt goes through the model's chat format\n"
    "where it carries one; --raw continues the text as it is. The answer is on stdout, everything else on stderr.\n"
    "Sampling begins with what the model's makers recommend, where the model carries that ('wick chat', /show parameters); options win.\n\n"
    "  wick run smollm2.pte \"What is the capital of France?\"\n"
    "  wick run stories.pte --raw \"Once upon a time\" --temperature 0 -n 60\n"
    "  wick run model.pte --tokens 1,403,407 --max_new_tokens 24 --temperature 0 --ignore_eos --json\n\n"
    "MODEL can also be the name of a pulled model ('wick list').\n",
    run_main};
