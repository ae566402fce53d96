/* wick list: the models that have a name. */
#include "option.h"
#include "store_print.h"

#include <stdio.h>
#include <string.h>

static void print_json(const store_model *models, size_t n) {
    wick_strbuf text = {0};
    wick_json j = {&text, false};
    wick_json_open(&j, '[');
    for (size_t i = 0; i < n; i++) store_put_json(&j, &models[i]);
    wick_json_close(&j, ']');
    if (text.data) puts(text.data);
    wick_strbuf_release(&text);
}

static void print_names(const store_model *models, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!models[i].partial) puts(models[i].name);
}

/* A program that was put there by hand says of itself what a manifest would. */
static void describe(store_model *m) {
    wick_error ignored;
    if (!m->partial && !m->about.quantization[0] && !m->about.context) store_describe(m->path, &m->about, &ignored);
}

/* "int4" of "int4, groups of 32, int8 activations": the rest is told by --json and `wick inspect`. */
static int first_word(const char *text) { return (int)strcspn(text, ","); }

static void print_table(store_model *models, size_t n) {
    int width = 4, whole = 0;
    for (size_t i = 0; i < n; i++) {
        if (models[i].partial) continue;
        whole++;
        if ((int)strlen(models[i].name) > width) width = (int)strlen(models[i].name);
    }
    if (whole) printf("%-*s  %9s  %-7s  %7s  %-10s  %s\n", width, "NAME", "SIZE", "WEIGHTS", "CONTEXT", "MODIFIED", "SOURCE");
    for (size_t i = 0; i < n; i++) {
        char when[32], context[24] = "-";
        store_model *m = &models[i];
        if (m->partial) continue;
        manifest_time_text(m->modified, when);
        if (m->about.context) snprintf(context, sizeof context, "%lld", (long long)m->about.context);
        const char *kind = m->about.quantization[0] ? m->about.quantization : "-";
        printf("%-*s  %6.1f MB  %-7.*s  %7s  %-10.10s  %s\n", width, m->name, (double)m->size / 1e6, first_word(kind), kind, context, when,
               m->about.source[0] ? m->about.source : m->path);
    }
    for (size_t i = 0; i < n; i++)
        if (models[i].partial)
            fprintf(stderr, "not finished: %s, %.1f MB came; 'wick pull %s' goes on, 'wick rm %s' removes it\n", models[i].name,
                    (double)models[i].size / 1e6, models[i].about.source[0] ? models[i].about.source : "...", models[i].name);
}

static int list_main(int argc, char **argv) {
    bool json = false, names = false;
    const app_option options[] = {
        {"json", 0, NULL, APP_FLAG, &json, "", APP_ANY, "print one JSON array: also paths, files, digests, unfinished pulls"},
        {"quiet", 'q', NULL, APP_FLAG, &names, "", APP_ANY, "names alone"},
        {0},
    };
    int n_positional, status;
    if (!app_parse(&app_verb_list, options, argc, argv, &n_positional, &status)) return status;
    if (n_positional) return app_usage_error(&app_verb_list, "unexpected argument '%s'", argv[1]);
    store_model *models;
    size_t n;
    wick_error err = {0};
    if (store_list(&models, &n, &err) != WICK_OK) return app_fail(&app_verb_list, err.message);
    if (!names)
        for (size_t i = 0; i < n; i++) describe(&models[i]);
    if (json)
        print_json(models, n);
    else if (names)
        print_names(models, n);
    else
        print_table(models, n);
    store_list_free(models, n);
    return APP_OK;
}

const app_verb app_verb_list = {
    "list", "[OPTIONS]", "show the models that have a name",
    "They lie in $WICK_MODELS, else in $XDG_DATA_HOME/wick/models (~/.local/share/wick/models), each in a folder of its\n"
    "name; a .pte that is put there has its file's name.\n\n"
    "  wick list\n"
    "  wick list --json\n",
    list_main};
