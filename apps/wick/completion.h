/* completion.h: what shells need to know to complete a command line, out of the option tables. */
#ifndef WICK_APP_COMPLETION_H
#define WICK_APP_COMPLETION_H

#include "option.h"

/* What can stand in a place of the command line. */
typedef enum completion_kind {
    COMPLETE_NOTHING, /* numbers, free text */
    COMPLETE_FILES,
    COMPLETE_MODELS, /* files, and names of stored models */
    COMPLETE_NAMES,  /* of stored models */
    COMPLETE_WORDS,  /* one of several words, written "a|b|c" */
} completion_kind;

completion_kind completion_of_option(const app_option *o);
/* Of positional arguments: the first word of the usage says it. *words: "a|b|c" with what follows it, for COMPLETE_WORDS. */
completion_kind completion_of_verb(const app_verb *verb, const char **words);

/* Prints the words of "a|b|c ..." with `between` instead of '|', up to the first character that cannot be in one. */
void completion_print_words(const char *words, char between);

void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

#endif
