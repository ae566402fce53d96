/* wick export: a checkpoint in, a `.pte` out. */
#include "option.h"
#include "progress.h"

#include "base/strbuf.h"
#include "wick_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct export_flags {
    const char *config, *checkpoint, *params, *tokenizer, *output, *qmode, *embedding, *backend, *checkpoint_dtype, *metadata;
    int64_t group_size, max_seq, max_context, threads;
    app_list set;
    bool dry_run, quiet, json;
} export_flags;

static bool has_suffix(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcmp(s + n - m, suffix) == 0;
}

/* Positional arguments: a configuration (.yaml, .yml), overrides (key=value), or the checkpoint. */
static bool place_argument(export_flags *f, const char *word) {
    const char **items;
    if (has_suffix(word, ".yaml") || has_suffix(word, ".yml")) {
        f->config = word;
    } else if (strchr(word, '=') && !strchr(word, '/')) {
        if (!(items = realloc(f->set.items, (f->set.n + 1) * sizeof *items))) return false;
        items[f->set.n] = word;
        f->set.items = items;
        f->set.n++;
    } else if (!f->checkpoint) {
        f->checkpoint = word;
    } else {
        return false;
    }
    return true;
}

static bool parse(int argc, char **argv, export_flags *f, int *status) {
    *f = (export_flags){.group_size = -1};
    const app_option options[] = {
        {"checkpoint", 'c', NULL, APP_PATH, &f->checkpoint, "PATH", APP_ANY, "checkpoint: folder, .safetensors, .gguf, llama2.c .bin"},
        {"output", 'o', "output_name", APP_PATH, &f->output, "FILE", APP_ANY, "result (default: a name made from model and recipe)"},
        {"qmode", 'q', NULL, APP_TEXT, &f->qmode, "8da4w|fp32", APP_ANY, "8da4w: int4 weights, int8 activations (default)"},
        {"group_size", 'G', NULL, APP_INT, &f->group_size, "N", 32, 1024, "weights per scale (default 32)"},
        {"embedding_quantize", 'E', NULL, APP_TEXT, &f->embedding, "BITS,GROUP", APP_ANY, "8,0 (default) or fp32"},
        {"backend", 0, NULL, APP_TEXT, &f->backend, "xnnpack|portable", APP_ANY, "what runs it in the stock runtime (default xnnpack)"},
        {"checkpoint_dtype", 0, NULL, APP_TEXT, &f->checkpoint_dtype, "bf16|fp16|fp32", APP_ANY,
         "round the weights to this first (default: as stored)"},
        {"max_seq_length", 0, NULL, APP_INT, &f->max_seq, "N", 1, 1 << 24, "most tokens per step (default: 2048 or the model's own)"},
        {"max_context_length", 0, NULL, APP_INT, &f->max_context, "N", 1, 1 << 24, "tokens of context (default: max_seq_length)"},
        {"params", 'p', NULL, APP_PATH, &f->params, "FILE", APP_ANY, "architecture JSON (default: beside or inside the checkpoint)"},
        {"tokenizer", 't', "tokenizer_path", APP_PATH, &f->tokenizer, "FILE", APP_ANY,
         "tokenizer to embed (default: the checkpoint's; \"\": none)"},
        {"metadata", 0, NULL, APP_TEXT, &f->metadata, "JSON", APP_ANY, "more metadata methods, e.g. '{\"get_bos_id\":1}'"},
        {"config", 0, NULL, APP_PATH, &f->config, "FILE", APP_ANY, "ExecuTorch export_llm configuration (YAML or JSON)"},
        {"set", 0, NULL, APP_LIST, &f->set, "KEY=VALUE", APP_ANY, "override of the configuration, e.g. quantization.group_size=64"},
        {"threads", 'j', NULL, APP_INT, &f->threads, "N", 0, 256, "threads (default: the cores this process may use); changes no byte"},
        {"dry_run", 0, NULL, APP_FLAG, &f->dry_run, "", APP_ANY, "show layers, schemes, sizes and memory; write nothing"},
        {"json", 0, NULL, APP_FLAG, &f->json, "", APP_ANY, "print one JSON object about the result"},
        {"quiet", 0, NULL, APP_FLAG, &f->quiet, "", APP_ANY, "no progress, no report"},
        {0},
    };
    int n;
    if (!app_parse(&app_verb_export, options, argc, argv, &n, status)) return false;
    for (int i = 1; i <= n; i++)
        if (!place_argument(f, argv[i])) {
            *status = app_usage_error(&app_verb_export, "unexpected argument '%s'", argv[i]);
            return false;
        }
    if (f->checkpoint || f->config) return true;
    *status = app_usage_error(&app_verb_export, "no checkpoint given");
    return false;
}

/* Overrides win over the file, flags win over both. */
static wick_status configure(const export_flags *f, wick_export_config *config, wick_error *err) {
    if (f->config) WICK_TRY(wick_export_config_file(config, f->config, err));
    for (size_t i = 0; i < f->set.n; i++) WICK_TRY(wick_export_config_set(config, f->set.items[i], err));
    wick_export_options *o = wick_export_config_edit(config);
    if (f->checkpoint) o->checkpoint = f->checkpoint;
    if (f->params) o->params = f->params;
    if (f->tokenizer) o->tokenizer = f->tokenizer;
    if (f->output) o->output = f->output;
    if (f->qmode) o->qmode = f->qmode;
    if (f->embedding) o->embedding_quantize = f->embedding;
    if (f->metadata) o->metadata = f->metadata;
    if (f->group_size > 0) o->group_size = (int)f->group_size;
    if (f->max_seq) o->max_seq_len = f->max_seq;
    if (f->max_context) o->max_context = f->max_context;
    o->threads = (int)f->threads;
    o->dry_run = f->dry_run;
    if (f->backend) {
        if (strcmp(f->backend, "xnnpack") == 0)
            o->backend = WICK_BACKEND_XNNPACK;
        else if (strcmp(f->backend, "portable") == 0)
            o->backend = WICK_BACKEND_PORTABLE;
        else
            return wick_fail(err, WICK_EINVAL, "--backend %s: expected xnnpack or portable", f->backend);
    }
    if (f->checkpoint_dtype) {
        static const char *const names[] = {"", "fp32", "fp16", "bf16"};
        int i = 1;
        while (i < 4 && strcmp(names[i], f->checkpoint_dtype) != 0) i++;
        if (i == 4) return wick_fail(err, WICK_EINVAL, "--checkpoint_dtype %s: expected fp32, fp16 or bf16", f->checkpoint_dtype);
        o->checkpoint_dtype = (wick_export_dtype)i;
    }
    return WICK_OK;
}

static bool print_report(void *user, const char *text, size_t size) {
    fwrite(text, 1, size, user);
    return true;
}

typedef struct hooks_state {
    app_progress progress;
    FILE *report;
} hooks_state;

static bool on_progress(void *user, double done, double total) {
    hooks_state *s = user;
    return app_progress_update(&s->progress, done, total);
}

static bool on_report(void *user, const char *text, size_t size) {
    hooks_state *s = user;
    return print_report(s->report, text, size);
}

static void print_result(const export_flags *f, const wick_export_result *r) {
    if (f->json) {
        wick_strbuf b = {0};
        wick_json j = {&b, false};
        wick_json_open(&j, '{');
        wick_json_key(&j, "output");
        wick_json_string(&j, r->output, strlen(r->output));
        wick_json_key(&j, "file_size");
        wick_json_int(&j, (int64_t)r->file_size);
        wick_json_key(&j, "weights_size");
        wick_json_int(&j, (int64_t)r->weights_size);
        wick_json_key(&j, "instructions");
        wick_json_int(&j, r->n_instructions);
        wick_json_key(&j, "delegates");
        wick_json_int(&j, r->n_delegates);
        wick_json_key(&j, "seconds");
        wick_json_double(&j, r->seconds);
        wick_json_close(&j, '}');
        if (b.data) puts(b.data);
        wick_strbuf_release(&b);
    } else if (!f->dry_run) {
        printf("%s\n", r->output);
    }
    if (!f->quiet && !f->dry_run)
        fprintf(stderr, "%s: %.1f MB, %d instructions, %d delegates, written in %.1f s\n", r->output, (double)r->file_size / 1e6,
                r->n_instructions, r->n_delegates, r->seconds);
}

static int export_main(int argc, char **argv) {
    export_flags f;
    int status;
    if (!parse(argc, argv, &f, &status)) return status;
    app_catch_interrupt();
    wick_export_config *config = NULL;
    wick_export_result result = {0};
    wick_error err = {0};
    hooks_state state = {.report = f.dry_run && !f.json ? stdout : stderr};
    app_progress_begin(&state.progress, "export");
    wick_export_hooks hooks = {f.quiet ? NULL : on_progress, f.quiet ? NULL : on_report, &state};
    bool ok = wick_export_config_new(&config, &err) == WICK_OK && configure(&f, config, &err) == WICK_OK &&
              wick_export(wick_export_config_get(config), &hooks, &result, &err) == WICK_OK;
    app_progress_end(&state.progress);
    if (ok) print_result(&f, &result);
    status = ok ? APP_OK : app_interrupted() ? APP_INTERRUPTED : app_fail(&app_verb_export, err.message);
    wick_export_result_release(&result);
    wick_export_config_free(config);
    free(f.set.items);
    return status;
}

const app_verb app_verb_export = {
    "export", "CHECKPOINT|CONFIG.yaml [KEY=VALUE ...] [OPTIONS]", "make a .pte from a checkpoint",
    "CHECKPOINT is a Hugging Face folder, a .safetensors, .gguf or llama2.c .bin file. Without options the result is what\n"
    "ExecuTorch recommends for phones: 8da4w in groups of 32, 8-bit embeddings, KV cache, XNNPACK. It runs in Wick and in the\n"
    "stock ExecuTorch runtime. The weights stream through: memory stays at a few tensors.\n\n"
    "  wick export SmolLM2-135M-Instruct.gguf -o smollm2.pte\n"
    "  wick export Llama-3.2-1B-Instruct/ --max_seq_length 1024 --dry_run\n"
    "  wick export config.yaml base.checkpoint=model/ quantization.group_size=64\n",
    export_main};
