#include "chat_parameter.h"

#include "base/error.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *chat_after_word(const char *text, size_t *n) {
    *n = strcspn(text, " \t");
    return text + *n + strspn(text + *n, " \t");
}

bool chat_is_word(const char *text, size_t n, const char *word) { return strlen(word) == n && memcmp(text, word, n) == 0; }

/* Two parameters that are no numbers of the sampler's table. */
typedef enum own_parameter { NUM_PREDICT, SEED, N_OWN } own_parameter;
static const struct {
    const char *name;
    double least, most;
} own[N_OWN] = {{"num_predict", -1, 1e9}, {"seed", 0, 9e15}};

static double get_own(const chat *c, own_parameter i) {
    return i == SEED ? (double)c->generate.sampler.seed : (double)c->generate.max_new_tokens;
}

static void set_own(chat *c, own_parameter i, double v) {
    if (i == NUM_PREDICT) {
        c->generate.max_new_tokens = v > 0 ? (int64_t)v : 0;
    } else {
        c->generate.sampler.seed = (uint64_t)v;
        c->n_answer = 0; /* the next answer is the seed's first */
    }
}

/* What differs from the beginning, as text, to the chat and to what is kept of it. */
static void keep_settings(chat *c) {
    wick_strbuf text = {0};
    wick_error err;
    const wick_sampler_field *f;
    for (size_t i = 0; (f = wick_sampler_field_get(i)); i++) {
        double v = wick_sampler_option(&c->generate.sampler, i);
        if (v != wick_sampler_option(&c->initial.sampler, i)) wick_strbuf_printf(&text, "%s %.9g\n", f->name, v);
    }
    if (c->generate.sampler.seed != c->initial.sampler.seed) wick_strbuf_printf(&text, "seed %.17g\n", get_own(c, SEED));
    if (c->generate.max_new_tokens != c->initial.max_new_tokens) wick_strbuf_printf(&text, "num_predict %.17g\n", get_own(c, NUM_PREDICT));
    wick_status status = text.failed ? wick_fail_nomem(&err) : chat_log_set_settings(&c->log, text.data, &err);
    if (status == WICK_OK && c->store && c->id) status = chat_store_set_settings(c->store, c->id, c->log.settings, &err);
    if (status != WICK_OK) chat_complain(c, "%s", err.message);
    wick_strbuf_release(&text);
}

/* A number of a parameter's range; false: it is none. */
static bool read_number(const char *text, bool whole, double least, double most, double *v) {
    char *end;
    *v = strtod(text, &end);
    return end != text && !*end && isfinite(*v) && *v >= least && *v <= most && (!whole || *v == floor(*v));
}

typedef struct target {
    const char *name;
    bool whole;
    double least, most;
    size_t i; /* in its table */
    bool is_own;
} target;

static bool find_target(const char *name, size_t n, target *out) {
    const wick_sampler_field *f;
    for (size_t i = 0; i < N_OWN; i++)
        if (chat_is_word(name, n, own[i].name)) {
            *out = (target){own[i].name, true, own[i].least, own[i].most, i, true};
            return true;
        }
    for (size_t i = 0; (f = wick_sampler_field_get(i)); i++)
        if (chat_is_word(name, n, f->name)) {
            *out = (target){f->name, f->whole, f->least, f->most, i, false};
            return true;
        }
    return false;
}

static void set_target(chat *c, const target *t, double v) {
    if (t->is_own)
        set_own(c, (own_parameter)t->i, v);
    else
        wick_sampler_option_set(&c->generate.sampler, t->i, v, NULL);
}

void chat_set_parameter(chat *c, const char *text) {
    size_t n;
    target t;
    double v;
    const char *value = chat_after_word(text, &n);
    if (!find_target(text, n, &t)) {
        chat_complain(c, "/set parameter: '%.*s' is none; /show parameters lists them%s", (int)n, text,
                      chat_is_word(text, n, "num_ctx") ? " (the context is chosen at the start: --ctx)" : "");
    } else if (!read_number(value, t.whole, t.least, t.most, &v)) {
        chat_complain(c, "/set parameter %s: expected a %snumber from %g to %g, found '%s'", t.name, t.whole ? "whole " : "", t.least,
                      t.most, value);
    } else {
        set_target(c, &t, v);
        keep_settings(c);
        chat_note(c, t.whole ? "(%s is %.17g)" : "(%s is %g)", t.name, v);
    }
}

/* Whether an option of this run says what the parameter shall be. */
static bool was_given(const chat *c, const target *t) {
    if (!t->is_own) return run_sampling_given(c->options, t->i);
    return t->i == SEED ? c->options->seed >= 0 : c->options->max_new_tokens != 0;
}

void chat_apply_settings(chat *c) {
    char line[128];
    c->generate = c->initial;
    for (const char *at = c->log.settings; at && *at;) {
        size_t size = strcspn(at, "\n"), n;
        target t;
        double v;
        snprintf(line, sizeof line, "%.*s", (int)(size < sizeof line ? size : 0), at);
        at += size + (at[size] != 0);
        const char *value = chat_after_word(line, &n);
        if (find_target(line, n, &t) && read_number(value, t.whole, t.least, t.most, &v) && !was_given(c, &t)) set_target(c, &t, v);
    }
}

void chat_show_parameters(chat *c) {
    wick_sampler_options theirs, ours = wick_sampler_options_default();
    wick_sampler_options_from_model(c->model, &theirs, NULL);
    const wick_sampler_field *f;
    for (size_t i = 0; (f = wick_sampler_field_get(i)); i++) {
        double v = wick_sampler_option(&c->generate.sampler, i), model = wick_sampler_option(&theirs, i);
        printf("%-18s %.6g%s\n", f->name, v, v == model && model != wick_sampler_option(&ours, i) ? "   (the model's own)" : "");
    }
    for (int i = 0; i < N_OWN; i++) printf("%-18s %.17g\n", own[i].name, get_own(c, (own_parameter)i));
    printf("%-18s %s\n", "order", c->generate.sampler.order ? c->generate.sampler.order : "llamacpp");
    for (size_t i = 0; i < c->generate.n_stop; i++) printf("%-18s %s\n", "stop", c->generate.stop[i]);
    for (size_t i = 0; i < c->generate.n_dry_breakers; i++) printf("%-18s %s\n", "dry_breaker", c->generate.dry_breakers[i]);
    for (size_t i = 0; i < c->generate.n_banned; i++) printf("%-18s %s\n", "banned", c->generate.banned[i]);
}
