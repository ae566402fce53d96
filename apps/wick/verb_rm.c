/* wick rm: forget models. */
#include "option.h"
#include "store.h"

#include <stdio.h>

static int rm_main(int argc, char **argv) {
    bool force = false, quiet = false;
    const app_option options[] = {
        {"force", 'f', NULL, APP_FLAG, &force, "", APP_ANY, "names that do not exist are no failure"},
        {"quiet", 'q', NULL, APP_FLAG, &quiet, "", APP_ANY, "do not say what was removed"},
        {0},
    };
    int n, status;
    if (!app_parse(&app_verb_rm, options, argc, argv, &n, &status)) return status;
    if (!n && !force) return app_usage_error(&app_verb_rm, "no name given");
    status = APP_OK;
    for (int i = 1; i <= n; i++) {
        wick_error err = {0};
        wick_status code = store_remove(argv[i], &err);
        if (code == WICK_OK && !quiet)
            printf("%s\n", argv[i]);
        else if (code != WICK_OK && !(force && code == WICK_ENOTFOUND))
            status = app_fail(&app_verb_rm, err.message);
    }
    return status;
}

const app_verb app_verb_rm = {
    "rm", "NAME... [OPTIONS]", "remove models",
    "Whole names only, as 'wick list' shows them; an unfinished pull of the name goes too. Nothing is asked. A model that is\n"
    "running goes on running.\n\n"
    "  wick rm smollm2\n",
    rm_main};
