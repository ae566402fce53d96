#include "run_options.h"

#include "store.h"

#include "base/os.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool one_of(const char *value, const char *a, const char *b, const char *c, const char *d) {
    const char *all[] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        if (all[i] && strcmp(value, all[i]) == 0) return true;
    return false;
}

/* Whole stream as text, terminated; NULL: failed. */
static char *read_stream(FILE *f) {
    size_t n = 0, cap = 4096;
    char *text = malloc(cap);
    while (text) {
        n += fread(text + n, 1, cap - 1 - n, f);
        if (n < cap - 1) break;
        char *bigger = realloc(text, cap *= 2);
        if (!bigger) free(text);
        text = bigger;
    }
    if (text && ferror(f)) {
        free(text);
        return NULL;
    }
    if (text) text[n] = 0;
    return text;
}

static const char *read_prompt(const char *path) {
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rb");
    char *text = f ? read_stream(f) : NULL;
    if (f && !standard) fclose(f);
    return text;
}

/* "17=-2.5" */
static bool parse_bias(const char *text, wick_logit_bias *out) {
    char *end;
    errno = 0;
    long long id = strtoll(text, &end, 10);
    if (end == text || *end != '=' || errno || id < 0 || id > INT32_MAX) return false;
    const char *number = end + 1;
    double bias = strtod(number, &end);
    *out = (wick_logit_bias){(int32_t)id, (float)bias};
    return end != number && !*end && !isnan(bias) && bias < 1e9;
}

bool run_options_check(const app_verb *verb, const run_options *o, int *status) {
    *status = APP_USAGE;
    if (!o->model) {
        app_usage_error(verb, "no model given");
    } else if (!one_of(o->plan, "auto", "raised", "mixed", "vm")) {
        app_usage_error(verb, "--plan %s: expected auto, raised, mixed or vm", o->plan);
    } else if (!one_of(o->kv_dtype, "f16", "f32", NULL, NULL)) {
        app_usage_error(verb, "--kv_dtype %s: expected f16 or f32", o->kv_dtype);
    } else {
        wick_logit_bias ignored;
        for (size_t i = 0; i < o->biases.n; i++)
            if (!parse_bias(o->biases.items[i], &ignored)) {
                app_usage_error(verb, "--logit_bias %s: expected ID=X, a token's id and a number", o->biases.items[i]);
                return false;
            }
        return true;
    }
    return false;
}

static bool check(const app_verb *verb, run_options *o, int *status) {
    if (!run_options_check(verb, o, status)) return false;
    if ((o->prompt != NULL) + (o->prompt_file != NULL) + (o->tokens != NULL) > 1) {
        app_usage_error(verb, "a prompt, --prompt_file and --tokens exclude each other");
    } else if (!o->prompt && !o->prompt_file && !o->tokens) {
        app_usage_error(verb,
                        "no prompt given (TEXT, '-' for standard input, --prompt_file or --tokens; 'wick chat' is for conversations)");
    } else if (o->banned.n && (o->forced || o->logits)) {
        app_usage_error(verb, "--ban takes tokens back, so it goes neither with --force nor with --logits");
    } else {
        if (o->prompt && strcmp(o->prompt, "-") == 0) {
            o->prompt = NULL;
            o->prompt_file = "-";
        }
        if (o->prompt_file && !(o->prompt = read_prompt(o->prompt_file))) {
            fprintf(stderr, "wick %s: %s: cannot read: %s\n", verb->name, o->prompt_file, strerror(errno));
            *status = APP_FAILED;
            return false;
        }
        return true;
    }
    return false;
}

/* The sampler's numbers, as the library lists them. */
static size_t sampling_options(run_options *o, app_option *table) {
    size_t n = 0;
    for (const wick_sampler_field *f; (f = wick_sampler_field_get(n)) && n < RUN_SAMPLING_MAX; n++) {
        table[n] = (app_option){.name = f->name,
                                .letter = strcmp(f->name, "temperature") == 0 ? 't' : 0,
                                .type = f->whole ? APP_INT : APP_FLOAT,
                                .target = &o->sampling[n],
                                .value = f->whole ? "N" : "X",
                                .min = f->least,
                                .max = f->most,
                                .help = f->help};
        if (f->whole)
            o->sampling[n].whole = INT64_MIN;
        else
            o->sampling[n].real = NAN;
    }
    return n;
}

size_t run_common_options(run_options *o, app_option *table) {
    *o = (run_options){.plan = "auto", .kv_dtype = "f16", .seed = -1, .n_bos = -1, .n_eos = -1};
    const app_option options[] = {
        {"model_path", 'm', "model", APP_PATH, &o->model, "MODEL", APP_ANY,
         "the .pte to run, or a pulled model's name (or the first argument)"},
        {"tokenizer_path", 0, "tokenizer", APP_PATH, &o->tokenizer, "FILE", APP_ANY,
         "tokenizer (default: the model's own, else one beside it)"},
        {"system", 0, NULL, APP_TEXT, &o->system, "TEXT", APP_ANY, "system message of the chat format"},
        {"chat_template", 0, NULL, APP_PATH, &o->chat_template, "FORMAT", APP_ANY,
         "chat format: a name (chatml, llama3, ...) or a file (default: the model's own)"},
        {"raw", 0, NULL, APP_FLAG, &o->raw, "", APP_ANY, "continue the text as it is, without the model's chat format"},
        {"max_new_tokens", 'n', NULL, APP_INT, &o->max_new_tokens, "N", -1, 1e9,
         "most tokens of the answer (default: what the context holds)"},
        {"seed", 's', NULL, APP_INT, &o->seed, "N", -1, 9e15, "one seed, one text (default: from the clock)"},
        {"sampler_order", 0, NULL, APP_TEXT, &o->sampler_order, "ORDER", APP_ANY,
         "llamacpp (temperature last), hf (temperature first), or steps joined by ';'"},
        {"logit_bias", 0, NULL, APP_LIST, &o->biases, "ID=X", APP_ANY, "add X to a token's logit; -inf: never (may be repeated)"},
        {"ignore_eos", 0, NULL, APP_FLAG, &o->ignore_eos, "", APP_ANY, "go on after the model's end token"},
        {"stop", 0, "stop_string", APP_LIST, &o->stop, "TEXT", APP_ANY, "end the answer before this text (may be repeated)"},
        {"ban", 0, "banned_string", APP_LIST, &o->banned, "TEXT", APP_ANY,
         "never say this text: choose otherwise where it begins (may be repeated)"},
        {"dry_sequence_breaker", 0, NULL, APP_LIST, &o->dry_breakers, "TEXT", APP_ANY,
         "DRY: what ends a repeat, \\n for a newline (may be repeated; default newline, colon, \" and *; none: nothing)"},
        {"ctx", 'c', "context", APP_INT, &o->context, "N", 0, 1 << 24, "tokens of context (default: what the program was made for)"},
        {"threads", 'j', "cpu_threads", APP_INT, &o->threads, "N", -1, 256, "threads (default: the cores this process may use)"},
        {"cpu", 0, NULL, APP_TEXT, &o->cpu, "reference|avx2|avx512vnni", APP_ANY, "highest instruction set (default: the best)"},
        {"kv_dtype", 0, NULL, APP_TEXT, &o->kv_dtype, "f16|f32", APP_ANY, "type of the KV cache (default f16)"},
        {"plan", 0, NULL, APP_TEXT, &o->plan, "auto|raised|mixed|vm", APP_ANY, "raised: all or nothing; vm: op by op (default auto)"},
        {"prefill_chunk", 0, NULL, APP_INT, &o->prefill_chunk, "N", 0, 1 << 24, "most tokens per step of the prompt; changes no result"},
        {"method_name", 0, NULL, APP_TEXT, &o->method, "NAME", APP_ANY, "method to run (default forward)"},
        {"data_paths", 0, "data_path", APP_TEXT, &o->data_paths, "A,B", APP_ANY, "external weights (.ptd)"},
        {"no_mmap", 0, NULL, APP_FLAG, &o->no_mmap, "", APP_ANY, "read the file instead of mapping it"},
        {"verbose", 'v', NULL, APP_FLAG, &o->verbose, "", APP_ANY, "say on stderr what happened and how fast"},
    };
    memcpy(table, options, sizeof options);
    size_t n = sizeof options / sizeof *options;
    _Static_assert(sizeof options <= (RUN_COMMON_MAX - RUN_SAMPLING_MAX) * sizeof *options, "the callers' tables hold them");
    return n + sampling_options(o, table + n);
}

bool run_options_parse(const app_verb *verb, int argc, char **argv, run_options *o, int *status) {
    app_option table[RUN_COMMON_MAX + 16];
    size_t n_common = run_common_options(o, table);
    const app_option options[] = {
        {"prompt", 'p', NULL, APP_TEXT, &o->prompt, "TEXT", APP_ANY, "what to answer (or the second argument; '-': standard input)"},
        {"prompt_file", 'f', NULL, APP_PATH, &o->prompt_file, "FILE", APP_ANY, "read the prompt from a file"},
        {"seq_len", 0, NULL, APP_INT, &o->seq_len, "N", -1, 1e9, "most tokens of prompt and answer together"},
        {"num_bos", 0, NULL, APP_INT, &o->n_bos, "N", -1, 16, "BOS tokens before raw text (default: the tokenizer's rule)"},
        {"num_eos", 0, NULL, APP_INT, &o->n_eos, "N", -1, 16, "EOS tokens after raw text"},
        {"warmup", 0, NULL, APP_FLAG, &o->warmup, "", APP_ANY, "run once before the run that counts"},
        {"et_stats", 0, NULL, APP_FLAG, &o->et_stats, "", APP_ANY, "print ExecuTorch's PyTorchObserver line on stderr"},
        {"tokens", 0, NULL, APP_TEXT, &o->tokens, "IDS", APP_ANY, "the prompt as token ids, 1,403,407; nothing is added"},
        {"force", 0, NULL, APP_TEXT, &o->forced, "IDS", APP_ANY, "follow these ids instead of choosing"},
        {"logits", 0, NULL, APP_PATH, &o->logits, "FILE", APP_ANY, "keep the logits of every choice, fp32 .npy [tokens, vocabulary]"},
        {"json", 0, NULL, APP_FLAG, &o->json, "", APP_ANY, "print one JSON object"},
        {0},
    };
    _Static_assert(sizeof options <= 16 * sizeof *options, "the table holds them");
    memcpy(table + n_common, options, sizeof options);
    int n;
    if (!app_parse(verb, table, argc, argv, &n, status)) return false;
    int at = 1;
    if (n && !o->model) o->model = argv[at++], n--;
    if (n && !o->prompt) o->prompt = argv[at++], n--;
    if (n) {
        *status = app_usage_error(verb, "unexpected argument '%s'", argv[at]);
        return false;
    }
    return check(verb, o, status);
}

int32_t *run_parse_ids(const app_verb *verb, const char *name, const char *text, size_t *n) {
    size_t cap = 1;
    for (const char *p = text; *p; p++) cap += *p == ',';
    int32_t *ids = calloc(cap, sizeof *ids);
    *n = 0;
    for (const char *p = text; ids;) {
        char *end;
        errno = 0;
        long long v = strtoll(p, &end, 10);
        if (end == p || errno || v < 0 || v > INT32_MAX || (*end && *end != ',')) {
            app_usage_error(verb, "--%s: expected token ids separated by commas, found '%.20s'", name, p);
            free(ids);
            return NULL;
        }
        ids[(*n)++] = (int32_t)v;
        if (!*end) break;
        p = end + 1;
    }
    return ids;
}

static wick_model_options model_options(const run_options *o, const char **paths, size_t max_paths) {
    wick_model_options m = wick_model_options_default();
    m.plan = strcmp(o->plan, "raised") == 0  ? WICK_PLAN_RAISED
             : strcmp(o->plan, "vm") == 0    ? WICK_PLAN_VM
             : strcmp(o->plan, "mixed") == 0 ? WICK_PLAN_MIXED
                                             : WICK_PLAN_AUTO;
    m.method = o->method;
    m.threads = o->threads > 0 ? (int)o->threads : 0;
    m.cpu = o->cpu;
    m.no_mmap = o->no_mmap;
    char *list = o->data_paths ? app_keep(strdup(o->data_paths)) : NULL; /* its pieces live until exit */
    for (char *save = NULL, *p = list ? strtok_r(list, ",", &save) : NULL; p && m.n_data_paths < max_paths; p = strtok_r(NULL, ",", &save))
        paths[m.n_data_paths++] = p;
    m.data_paths = paths;
    return m;
}

wick_status run_open_model(run_options *o, wick_model **out, wick_error *err) {
    const char *paths[64];
    WICK_TRY(store_resolve_option(&o->model, err));
    wick_model_options m = model_options(o, paths, 64);
    return wick_model_open(o->model, &m, out, err);
}

wick_session_options run_session_options(const run_options *o) {
    wick_session_options s = wick_session_options_default();
    s.threads = o->threads > 0 ? (int)o->threads : 0;
    s.context = o->context;
    s.kv_dtype = strcmp(o->kv_dtype, "f32") == 0 ? WICK_KV_F32 : WICK_KV_F16;
    s.prefill_chunk = o->prefill_chunk;
    return s;
}

bool run_sampling_given(const run_options *o, size_t i) {
    const wick_sampler_field *f = wick_sampler_field_get(i);
    return f && (f->whole ? o->sampling[i].whole != INT64_MIN : !isnan(o->sampling[i].real));
}

/* Its biases live until exit. */
static wick_sampler_options sampler_options(const run_options *o, const wick_model *model, wick_error *err) {
    wick_sampler_options s;
    err->code = WICK_OK;
    wick_sampler_options_from_model(model, &s, err);
    for (size_t i = 0; i < RUN_SAMPLING_MAX; i++) {
        const wick_sampler_field *f = wick_sampler_field_get(i);
        if (!f) break;
        if (run_sampling_given(o, i)) wick_sampler_option_set(&s, i, f->whole ? (double)o->sampling[i].whole : o->sampling[i].real, NULL);
    }
    if (o->sampler_order) s.order = o->sampler_order;
    wick_logit_bias *biases = app_keep(calloc(o->biases.n + 1, sizeof *biases));
    for (size_t i = 0; biases && i < o->biases.n; i++) parse_bias(o->biases.items[i], &biases[s.n_biases++]);
    s.biases = biases;
    s.seed = o->seed >= 0 ? (uint64_t)o->seed : (uint64_t)time(NULL);
    return s;
}

/* \n, \t and the like as llama.cpp takes them; in place. */
static void unescape(char *text) {
    static const char letters[] = "ntr\\\"'", meant[] = "\n\t\r\\\"'";
    char *to = text;
    for (const char *from = text; *from; from++) {
        const char *letter = *from == '\\' && from[1] ? strchr(letters, from[1]) : NULL;
        if (letter) from++;
        *to++ = letter ? meant[letter - letters] : *from;
    }
    *to = 0;
}

/* "none" takes away what came before it, the usual ones too. What this makes lives until exit. */
static void dry_breakers(const run_options *o, wick_generate_options *g) {
    const char **texts = o->dry_breakers.n ? app_keep(calloc(o->dry_breakers.n, sizeof *texts)) : NULL;
    for (size_t i = 0; texts && i < o->dry_breakers.n; i++) {
        char *text = app_keep(strdup(o->dry_breakers.items[i]));
        if (text && strcmp(text, "none") == 0) {
            g->n_dry_breakers = 0;
        } else if (text) {
            unescape(text);
            texts[g->n_dry_breakers++] = text;
        }
    }
    g->dry_breakers = texts;
}

wick_generate_options run_generate_options(const run_options *o, const wick_model *model, wick_error *err) {
    wick_generate_options g = wick_generate_options_default();
    g.max_new_tokens = o->max_new_tokens > 0 ? o->max_new_tokens : 0;
    g.ignore_eos = o->ignore_eos;
    g.stop = o->stop.items, g.n_stop = o->stop.n;
    g.banned = o->banned.items, g.n_banned = o->banned.n;
    dry_breakers(o, &g);
    g.sampler = sampler_options(o, model, err);
    return g;
}

wick_status run_open_template(const run_options *o, wick_template **out, wick_error *err) {
    *out = NULL;
    if (!o->chat_template) return WICK_OK;
    const char *source = wick_template_builtin(o->chat_template), *name;
    if (source) return wick_template_new(source, strlen(source), out, err);
    if (wick_os_path_kind(o->chat_template) != WICK_PATH_NONE) return wick_template_open(o->chat_template, out, err);
    char names[400] = "";
    for (size_t i = 0; (name = wick_template_builtin_name(i)) && strlen(names) + strlen(name) + 3 < sizeof names; i++)
        strcat(strcat(names, i ? ", " : ""), name);
    return wick_fail(err, WICK_ENOTFOUND, "--chat_template %s: there is no such file, and the formats with a name are %s", o->chat_template,
                     names);
}

wick_status run_open_tokenizer(const run_options *o, const wick_model *model, wick_tokenizer **out, wick_error *err) {
    if (o->tokenizer) return wick_tokenizer_open(o->tokenizer, out, err);
    wick_status status = wick_tokenizer_from_model(model, out, err);
    if (status != WICK_ENOTFOUND) return status;
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", "tokenizer.bin", NULL};
    const char *slash = strrchr(o->model, '/');
    for (const char *const *name = names; *name; name++) {
        char path[4096];
        int n = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - o->model) + 1 : 0, o->model, *name);
        if (n > 0 && n < (int)sizeof path && wick_os_path_kind(path) == WICK_PATH_FILE) return wick_tokenizer_open(path, out, err);
    }
    return wick_fail(err, WICK_ENOTFOUND, "%s carries no tokenizer and none lies beside it: give one with --tokenizer_path", o->model);
}
