/* run_options.h: what `wick run` was asked to do, and the part of it that every verb which runs a model shares. */
#ifndef WICK_APP_RUN_OPTIONS_H
#define WICK_APP_RUN_OPTIONS_H

#include "option.h"
#include "wick.h"

enum { RUN_SAMPLING_MAX = 32 };

typedef struct run_options {
    const char *model, *tokenizer, *prompt, *prompt_file, *system, *tokens, *forced, *logits;
    const char *plan, *cpu, *chat_template, *kv_dtype, *method, *data_paths;
    union {
        double real;
        int64_t whole;
    } sampling[RUN_SAMPLING_MAX]; /* one for each wick_sampler_field; NAN or INT64_MIN: not given */
    const char *sampler_order;
    app_list biases; /* ID=X */
    int64_t seed, max_new_tokens, seq_len, context, threads, prefill_chunk, n_bos, n_eos;
    app_list stop, banned, dry_breakers;
    bool raw, json, ignore_eos, warmup, et_stats, no_mmap, verbose;
} run_options;

/* Sets the defaults and fills `table` (not terminated) with the options of model, session and sampler; returns how many. */
enum { RUN_COMMON_MAX = 32 + RUN_SAMPLING_MAX };
size_t run_common_options(run_options *o, app_option *table);
/* Checks what those options say; false: *status is the exit status. */
bool run_options_check(const app_verb *verb, const run_options *o, int *status);

/* The options of `wick run`. Parses and checks; false: *status is the exit status. Reads --prompt_file and "-" (stdin): text is then
 * allocated. */
bool run_options_parse(const app_verb *verb, int argc, char **argv, run_options *o, int *status);

/* "1,403,407" to ids; NULL and a complaint on stderr if it is not that. To be freed. */
int32_t *run_parse_ids(const app_verb *verb, const char *name, const char *text, size_t *n);

/* Opens the model; o->model may be a stored model's name (store.h), and is its path afterwards (it lives until exit). */
wick_status run_open_model(run_options *o, wick_model **out, wick_error *err);

/* The tokenizer: given, or the model's own, or a file of a known name beside the model. WICK_ENOTFOUND: none of these. */
wick_status run_open_tokenizer(const run_options *o, const wick_model *model, wick_tokenizer **out, wick_error *err);

/* The template that was asked for, built in or from a file; NULL: none was. */
wick_status run_open_template(const run_options *o, wick_template **out, wick_error *err);

wick_session_options run_session_options(const run_options *o);
/* Whether the i-th number of the sampler was given. */
bool run_sampling_given(const run_options *o, size_t i);
/* What they say of an answer: its sampler, its length, what ends it and what may not be in it. The model's own sampling defaults hold
 * where nothing was given; if they are unusable, Wick's do, and *err says why (its code is WICK_OK else). */
wick_generate_options run_generate_options(const run_options *o, const wick_model *model, wick_error *err);

#endif
