#include "chat_parameter.h"

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

/* The number to *v; false: it is none, or out of range, and that was said. */
static bool read_number(chat *c, const char *name, const char *value, bool whole, double least, double most, double *v) {
    char *end;
    *v = strtod(value, &end);
    if (end != value && !*end && isfinite(*v) && *v >= least && *v <= most && (!whole || *v == floor(*v))) return true;
    chat_complain(c, "/set parameter %s: expected a %snumber from %g to %g, found '%s'", name, whole ? "whole " : "", least, most, value);
    return false;
}

static bool set_own_parameter(chat *c, const char *name, size_t n, const char *value) {
    for (int i = 0; i < N_OWN; i++) {
        double v;
        if (!chat_is_word(name, n, own[i].name)) continue;
        if (read_number(c, own[i].name, value, true, own[i].least, own[i].most, &v)) {
            set_own(c, (own_parameter)i, v);
            chat_note(c, "(%s is %.17g)", own[i].name, get_own(c, (own_parameter)i));
        }
        return true;
    }
    return false;
}

void chat_set_parameter(chat *c, const char *text) {
    size_t n;
    const char *value = chat_after_word(text, &n);
    if (set_own_parameter(c, text, n, value)) return;
    const wick_sampler_field *f;
    for (size_t i = 0; (f = wick_sampler_field_get(i)); i++) {
        double v;
        if (!chat_is_word(text, n, f->name)) continue;
        if (!read_number(c, f->name, value, f->whole, f->least, f->most, &v)) return;
        wick_sampler_option_set(&c->generate.sampler, i, v, NULL);
        chat_note(c, "(%s is %.6g)", f->name, wick_sampler_option(&c->generate.sampler, i));
        return;
    }
    chat_complain(c, "/set parameter: '%.*s' is none; /show parameters lists them%s", (int)n, text,
                  chat_is_word(text, n, "num_ctx") ? " (the context is chosen at the start: --ctx)" : "");
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
    for (size_t i = 0; i < c->generate.n_banned; i++) printf("%-18s %s\n", "banned", c->generate.banned[i]);
}
