/* wick inspect: what a model file is and what it will take to run it. */
#include "option.h"
#include "store.h"

#include "wick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool print_text(void *user, const char *text, size_t size) {
    (void)user;
    return fwrite(text, 1, size, stdout) == size;
}

static int inspect_main(int argc, char **argv) {
    wick_describe_options d = wick_describe_options_default();
    const char *data_paths = NULL;
    int64_t threads = 0;
    const app_option options[] = {
        {"plan", 0, NULL, APP_FLAG, &d.show_plan, "", APP_ANY, "the raised graph, and what was left to the op-by-op interpreter and why"},
        {"instructions", 'i', NULL, APP_FLAG, &d.show_instructions, "", APP_ANY, "every instruction and delegate node"},
        {"json", 0, NULL, APP_FLAG, &d.json, "", APP_ANY, "one JSON object"},
        {"data_paths", 0, "data_path", APP_TEXT, &data_paths, "A,B", APP_ANY, "external weights (.ptd) that the program refers to"},
        {"threads", 'j', NULL, APP_INT, &threads, "N", 0, 256, "threads that would run it (default: the cores this process may use)"},
        {"no_speed", 0, NULL, APP_FLAG, &d.no_speed, "", APP_ANY, "do not measure how fast this machine reads memory"},
        {0},
    };
    int n, status;
    if (!app_parse(&app_verb_inspect, options, argc, argv, &n, &status)) return status;
    if (n != 1) return app_usage_error(&app_verb_inspect, n ? "one file at a time" : "no file given");
    const char *paths[64];
    char *list = data_paths ? strdup(data_paths) : NULL;
    for (char *save = NULL, *p = list ? strtok_r(list, ",", &save) : NULL; p && d.n_data_paths < 64; p = strtok_r(NULL, ",", &save))
        paths[d.n_data_paths++] = p;
    d.data_paths = paths;
    d.threads = (int)threads;
    wick_error err = {0};
    const char *path = argv[1];
    status = store_resolve_option(&path, &err);
    if (status == WICK_OK)
        status = (store_is_program(path) ? wick_program_describe : wick_checkpoint_describe)(path, &d, print_text, NULL, &err);
    status = status == WICK_OK ? APP_OK : app_fail(&app_verb_inspect, err.message);
    free(list);
    return status;
}

const app_verb app_verb_inspect = {
    "inspect", "FILE [OPTIONS]", "explain a model file without running it",
    "FILE is a .pte, a .gguf or a .safetensors (or a folder of them), or the name of a pulled model. For a .pte: methods, inputs\n"
    "and outputs, metadata, what it was made for, which operators are delegated, what Wick makes of it, quantization per kind of\n"
    "layer, sizes, the memory that running it needs, how fast this machine can decode with it at most, and what is odd about it and\n"
    "can be helped.\n",
    inspect_main};
