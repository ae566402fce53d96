/* The numbers among a sampler's options as a table, and the defaults that a model brings. */
#include "text/read_json.h"
#include "text/sampler_impl.h"

#include <stddef.h>
#include <string.h>

typedef enum field_type { FLOAT, INT, INT64 } field_type;

typedef struct field {
    wick_sampler_field shown;
    field_type type;
    size_t at;
} field;

#define REAL(name, least, most, help)                                                                                                      \
    { {#name, false, least, most, help}, FLOAT, offsetof(wick_sampler_options, name) }
#define WHOLE(name, least, most, help)                                                                                                     \
    { {#name, true, least, most, help}, INT, offsetof(wick_sampler_options, name) }

static const field fields[] = {
    REAL(temperature, 0, 100, "0: always the likeliest token (default 0.8)"),
    WHOLE(top_k, 0, 1e9, "choose among the N likeliest (default 0: all)"),
    REAL(top_p, 0, 1, "choose among the likeliest that hold X of the probability (default 1)"),
    REAL(min_p, 0, 1, "drop tokens below X times the best probability (default 0)"),
    REAL(typical_p, 0, 1, "choose among the X of the probability that surprise as expected (default 1: off)"),
    REAL(top_n_sigma, -1e6, 1e6, "drop tokens X standard deviations of the logits below the best (default 0: off)"),
    REAL(xtc_probability, 0, 1, "chance to drop all but the last of the likely tokens (default 0)"),
    REAL(xtc_threshold, 0, 1, "how likely those are (default 0.1)"),
    REAL(repeat_penalty, 1e-6, 1e6, "make recent tokens less likely: divide their logits (default 1: off)"),
    WHOLE(repeat_last_n, -1, 1 << 24, "how many tokens are recent (default 64; -1: all)"),
    REAL(frequency_penalty, -1e6, 1e6, "subtracted for every recent occurrence of a token (default 0)"),
    REAL(presence_penalty, -1e6, 1e6, "subtracted once from every recent token (default 0)"),
    REAL(dry_multiplier, 0, 1e6, "DRY: weigh against going on with a repeat (default 0: off)"),
    REAL(dry_base, 0, 1e3, "DRY: the weight grows by this factor for each repeated token (default 1.75)"),
    WHOLE(dry_allowed_length, 0, 1 << 24, "DRY: repeats shorter than this are free (default 2)"),
    WHOLE(dry_last_n, -1, 1 << 24, "DRY: how far back repeats are looked for (default -1: everywhere)"),
    WHOLE(mirostat, 0, 2, "keep the surprise of the text steady, version 1 or 2, instead of the truncations (default 0: off)"),
    REAL(mirostat_tau, 0, 1e3, "mirostat: bits of surprise per token (default 5)"),
    REAL(mirostat_eta, 0, 1e3, "mirostat: how fast it steers (default 0.1)"),
    REAL(dynatemp_range, 0, 1e6, "temperature varies by X with the entropy of the choice (default 0: off)"),
    REAL(dynatemp_exponent, 0, 1e3, "how it varies (default 1)"),
    {{"min_tokens", true, 0, 1 << 30, "the answer does not end before N tokens (default 0)"},
     INT64,
     offsetof(wick_sampler_options, min_tokens)},
    WHOLE(min_keep, 0, 1 << 30, "truncations leave at least N tokens (default 1)"),
};
enum { N_FIELD = sizeof fields / sizeof *fields };

const wick_sampler_field *wick_sampler_field_get(size_t i) { return i < N_FIELD ? &fields[i].shown : NULL; }

double wick_sampler_option(const wick_sampler_options *o, size_t i) {
    const void *at = (const char *)o + fields[i].at;
    switch (fields[i].type) {
    case FLOAT: return (double)*(const float *)at;
    case INT: return *(const int *)at;
    case INT64: break;
    }
    return (double)*(const int64_t *)at;
}

static wick_status check_value(const field *f, double v, wick_error *err) {
    if (!(v >= f->shown.least && v <= f->shown.most))
        return wick_fail(err, WICK_EINVAL, "sampler: %s is %g, it should be between %g and %g", f->shown.name, v, f->shown.least,
                         f->shown.most);
    if (f->shown.whole && v != (double)(int64_t)v)
        return wick_fail(err, WICK_EINVAL, "sampler: %s is %g, it should be a whole number", f->shown.name, v);
    return WICK_OK;
}

wick_status wick_sampler_option_set(wick_sampler_options *o, size_t i, double v, wick_error *err) {
    if (i >= N_FIELD) return wick_fail(err, WICK_EINVAL, "sampler: there is no option %zu", i);
    WICK_TRY(check_value(&fields[i], v, err));
    void *at = (char *)o + fields[i].at;
    switch (fields[i].type) {
    case FLOAT: *(float *)at = (float)v; break;
    case INT: *(int *)at = (int)v; break;
    case INT64: *(int64_t *)at = (int64_t)v; break;
    }
    return WICK_OK;
}

wick_status wick_sampler_check(const wick_sampler_options *o, wick_error *err) {
    for (size_t i = 0; i < N_FIELD; i++) WICK_TRY(check_value(&fields[i], wick_sampler_option(o, i), err));
    return WICK_OK;
}

/* ---- the model's own */

/* Names that this version does not know are passed over: a later one may have written them. */
static wick_status read_defaults(const json_t *j, wick_sampler_options *o, wick_error *err) {
    if (!json_is_object(j)) return wick_fail(err, WICK_EFORMAT, "expected a JSON object");
    for (size_t i = 0; i < N_FIELD; i++) {
        const json_t *v = json_object_get(j, fields[i].shown.name);
        if (v && !json_is_number(v)) return wick_fail(err, WICK_EFORMAT, "%s should be a number", fields[i].shown.name);
        if (v) WICK_TRY(wick_sampler_option_set(o, i, json_number_value(v), err));
    }
    const json_t *order = json_object_get(j, "order");
    if (wick_json_is(order, "hf"))
        o->order = "hf";
    else if (order && !wick_json_is(order, "llamacpp"))
        return wick_fail(err, WICK_EFORMAT, "order should be \"hf\" or \"llamacpp\"");
    return WICK_OK;
}

wick_status wick_sampler_options_from_model(const wick_model *model, wick_sampler_options *out, wick_error *err) {
    const void *text;
    size_t size;
    json_t *j;
    wick_sampler_options o = wick_sampler_options_default();
    *out = o;
    if (!wick_model_data_get(model, "wick.generation", &text, &size)) return WICK_OK;
    wick_status status = wick_json_load((wick_bytes){text, size}, &j, err);
    if (status == WICK_OK) {
        status = read_defaults(j, &o, err);
        json_decref(j);
    }
    if (status != WICK_OK) return wick_error_context(err, status, "wick.generation");
    *out = o;
    return WICK_OK;
}
