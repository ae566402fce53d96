/* wick: the command line. A verb is one file (verb_*.c) with one option table. Text goes to stdout, the rest to stderr;
 * exit status 0, 1 (failed), 2 (usage), 130 (interrupted). */
#include "option.h"

#include "wick.h"

#include <stdio.h>
#include <string.h>

const app_verb *const app_verbs[] = {&app_verb_pull,     &app_verb_run,        &app_verb_chat,    &app_verb_list,
                                     &app_verb_rm,       &app_verb_export,     &app_verb_inspect, &app_verb_tokenize,
                                     &app_verb_template, &app_verb_completion, &app_verb_man,     NULL};

static int usage(FILE *f, int status) {
    fprintf(f, "wick %s: language models from checkpoint to answer, on this machine\n\nusage: wick VERB [OPTIONS] ...\n\n", wick_version());
    for (const app_verb *const *v = app_verbs; *v; v++) fprintf(f, "  %-10s %s\n", (*v)->name, (*v)->summary);
    fprintf(f, "\n'wick VERB --help' explains a verb; 'wick --version' tells the version.\n");
    return status;
}

/* The verb with the fewest differing leading characters, for "did you mean". */
static const char *nearest(const char *word) {
    const char *best = NULL;
    size_t most = 1;
    for (const app_verb *const *v = app_verbs; *v; v++) {
        size_t n = 0;
        while (word[n] && word[n] == (*v)->name[n]) n++;
        if (n > most) best = (*v)->name, most = n;
    }
    return best;
}

int main(int argc, char **argv) {
    if (argc < 2) return usage(stderr, APP_USAGE);
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("wick %s\n", wick_version());
        return APP_OK;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) return usage(stdout, APP_OK);
    for (const app_verb *const *v = app_verbs; *v; v++)
        if (strcmp((*v)->name, word) == 0) return (*v)->main(argc - 1, argv + 1);
    const char *guess = nearest(word);
    fprintf(stderr, "wick: '%s' is no verb%s%s%s; 'wick --help' lists them\n", word, guess ? ", did you mean '" : "", guess ? guess : "",
            guess ? "'" : "");
    return APP_USAGE;
}
