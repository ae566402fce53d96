/* wick pull: a model by name, from a file, a URL or a hub. */
#include "option.h"
#include "progress.h"
#include "pull.h"
#include "store_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Variables that other tools of the hub read too: "1", "true", "yes", "on". */
static bool asked_offline(void) {
    const char *v = getenv("HF_HUB_OFFLINE");
    static const char *const yes[] = {"1", "true", "TRUE", "True", "yes", "YES", "on", "ON"};
    for (size_t i = 0; v && i < sizeof yes / sizeof *yes; i++)
        if (strcmp(v, yes[i]) == 0) return true;
    return false;
}

static bool parse(int argc, char **argv, pull_request *r, app_list *set, bool *json, int *status) {
    static int64_t timeout, retries;
    timeout = 30, retries = 5;
    *r = (pull_request){.offline = asked_offline()};
    const app_option options[] = {
        {"name", 0, NULL, APP_TEXT, &r->name, "NAME", APP_ANY, "name for the model (default: made from the source)"},
        {"set", 0, NULL, APP_LIST, set, "KEY=VALUE", APP_ANY,
         "how a checkpoint is exported, as in 'wick export', e.g. quantization.qmode=fp32"},
        {"tokenizer", 't', NULL, APP_PATH, &r->tokenizer, "FILE", APP_ANY, "tokenizer for a model that comes without one"},
        {"revision", 0, NULL, APP_TEXT, &r->revision, "REV", APP_ANY, "branch, tag or commit of a repository (default main)"},
        {"sha256", 0, NULL, APP_TEXT, &r->sha256, "HEX", APP_ANY, "what the program or checkpoint file must have"},
        {"keep", 0, NULL, APP_FLAG, &r->keep, "", APP_ANY, "keep the checkpoint that a program was made from"},
        {"force", 'f', NULL, APP_FLAG, &r->force, "", APP_ANY,
         "replace a model of this name; begin anew, use nothing of an unfinished pull"},
        {"offline", 0, NULL, APP_FLAG, &r->offline, "", APP_ANY, "do not use the network (also: HF_HUB_OFFLINE=1)"},
        {"allow_http", 0, NULL, APP_FLAG, &r->allow_http, "", APP_ANY,
         "fetch unprotected from http:// addresses too; a token never goes there"},
        {"timeout", 0, NULL, APP_INT, &timeout, "S", 1, 3600, "seconds without a byte after which a connection is given up (default 30)"},
        {"retries", 0, NULL, APP_INT, &retries, "N", 0, 1000, "attempts after one that brought nothing, later each time (default 5)"},
        {"json", 0, NULL, APP_FLAG, json, "", APP_ANY, "print one JSON object about the model"},
        {"quiet", 'q', NULL, APP_FLAG, &r->quiet, "", APP_ANY, "no progress, no report"},
        {0},
    };
    int n;
    if (!app_parse(&app_verb_pull, options, argc, argv, &n, status)) return false;
    if (n != 1) {
        *status = app_usage_error(&app_verb_pull, n ? "one model at a time" : "nothing to pull given");
        return false;
    }
    char digest[DIGEST_TEXT];
    if (r->sha256 && !digest_parse(r->sha256, digest)) {
        *status = app_usage_error(&app_verb_pull, "--sha256 %s: expected 64 hexadecimal digits", r->sha256);
        return false;
    }
    r->what = argv[1];
    r->overrides = set->items, r->n_overrides = set->n;
    r->timeout = (int)timeout, r->retries = (int)retries;
    return true;
}

static void report(const store_model *m, bool unchanged) {
    fprintf(stderr, "%s: %s%.1f MB%s%s, in %s; 'wick run %s' uses it\n", m->name, unchanged ? "nothing newer; " : "", (double)m->size / 1e6,
            m->about.quantization[0] ? ", " : "", m->about.quantization, m->path, m->name);
}

static int pull_main(int argc, char **argv) {
    pull_request r;
    app_list set = {0};
    bool json = false, unchanged = false;
    int status;
    if (!parse(argc, argv, &r, &set, &json, &status)) return status;
    app_catch_interrupt();
    store_model m;
    wick_error err = {0};
    wick_status code = pull_model(&r, &m, &unchanged, &err);
    if (code == WICK_OK && json)
        store_print_json(&m);
    else if (code == WICK_OK)
        printf("%s\n", m.name);
    if (code == WICK_OK && !r.quiet) report(&m, unchanged);
    store_model_release(&m);
    free(set.items);
    if (code == WICK_OK) return APP_OK;
    app_fail(&app_verb_pull, err.message);
    return app_interrupted() ? APP_INTERRUPTED : APP_FAILED;
}

const app_verb app_verb_pull = {
    "pull", "SOURCE [OPTIONS]", "get a model and keep it under a name",
    "SOURCE is a file or folder here, a URL, or a repository of the Hugging Face hub. What is no .pte yet is exported on the way, so\n"
    "that the name can be given to 'wick run' and 'wick chat' at once. Pulling again fetches what is newer, if anything is. An\n"
    "interrupted pull goes on where it stopped.\n\n"
    "  wick pull bartowski/SmolLM2-135M-Instruct-GGUF:Q8_0\n"
    "  wick pull HuggingFaceTB/SmolLM2-135M-Instruct --name smollm2 --set quantization.qmode=fp32\n"
    "  wick pull https://example.org/models/tiny.pte --sha256 HEX\n"
    "  wick pull ~/checkpoints/my-model/ --name mine\n\n"
    "A repository may hold a .pte (with its tokenizer), GGUF files (after ':' comes the quantization or the file; without it Q8_0 is\n"
    "preferred, which loses next to nothing), or safetensors. HF_TOKEN is used for repositories that need an account, HF_ENDPOINT names\n"
    "another hub. Models lie in $WICK_MODELS, else in $XDG_DATA_HOME/wick/models (~/.local/share/wick/models).\n",
    pull_main};
