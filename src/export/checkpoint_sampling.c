/* Sampling defaults that a model's makers recommend, in Wick's words: they travel as "wick.generation". */
#include "export/checkpoint_family.h"

#include "base/strbuf.h"

typedef struct word {
    const char *theirs, *ours;
} word;

static void put_number(wick_json *out, const char *key, double v) {
    wick_json_key(out, key);
    if (v == (double)(int64_t)v)
        wick_json_int(out, (int64_t)v);
    else
        wick_json_double(out, v);
}

/* Gives the object to c->generation if there is something in it. */
static wick_status finish(wick_checkpoint *c, wick_json *out, int n, wick_error *err) {
    wick_status status = WICK_OK;
    wick_json_close(out, '}');
    if (n && !(c->generation = wick_strbuf_take(out->out, NULL))) status = wick_fail_nomem(err);
    wick_strbuf_release(out->out);
    return status;
}

/* Numbers beyond this range would not survive the way through an integer, and mean nothing. */
static bool sensible(double v) { return v > -1e9 && v < 1e9; }

/* transformers applies the temperature first, and its repetition penalty sees the whole text. Beside "do_sample": false the other numbers
 * have no meaning: the makers want the likeliest token. */
wick_status wick_checkpoint_sampling_hf(wick_checkpoint *c, json_t *config, wick_error *err) {
    static const word words[] = {
        {"temperature", "temperature"},          {"top_k", "top_k"}, {"top_p", "top_p"}, {"min_p", "min_p"}, {"typical_p", "typical_p"},
        {"repetition_penalty", "repeat_penalty"}};
    wick_strbuf text = {0};
    wick_json out = {.out = &text};
    int n = 0;
    wick_json_open(&out, '{');
    if (json_is_false(json_object_get(config, "do_sample"))) {
        put_number(&out, "temperature", 0);
        return finish(c, &out, 1, err);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *v = json_object_get(config, words[i].theirs);
        if (!json_is_number(v) || !sensible(json_number_value(v))) continue;
        put_number(&out, words[i].ours, json_number_value(v));
        n++;
    }
    if (n) {
        if (json_is_number(json_object_get(config, "repetition_penalty"))) put_number(&out, "repeat_last_n", -1);
        wick_json_key(&out, "order");
        wick_json_string(&out, "hf", 2);
    }
    return finish(c, &out, n, err);
}

wick_status wick_checkpoint_sampling_gguf(wick_checkpoint *c, wick_error *err) {
    static const word words[] = {{"general.sampling.temp", "temperature"},
                                 {"general.sampling.top_k", "top_k"},
                                 {"general.sampling.top_p", "top_p"},
                                 {"general.sampling.min_p", "min_p"},
                                 {"general.sampling.xtc_probability", "xtc_probability"},
                                 {"general.sampling.xtc_threshold", "xtc_threshold"},
                                 {"general.sampling.penalty_repeat", "repeat_penalty"},
                                 {"general.sampling.penalty_last_n", "repeat_last_n"},
                                 {"general.sampling.mirostat", "mirostat"},
                                 {"general.sampling.mirostat_tau", "mirostat_tau"},
                                 {"general.sampling.mirostat_eta", "mirostat_eta"}};
    wick_strbuf text = {0};
    wick_json out = {.out = &text};
    int n = 0;
    wick_json_open(&out, '{');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const wick_meta *m = wick_container_meta(c->container, words[i].theirs);
        if (!m || (m->kind != WICK_META_INT && m->kind != WICK_META_FLOAT)) continue;
        double v = m->kind == WICK_META_INT ? (double)m->i : m->f;
        if (!sensible(v)) continue;
        put_number(&out, words[i].ours, v);
        n++;
    }
    return finish(c, &out, n, err);
}
