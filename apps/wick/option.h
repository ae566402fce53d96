/* option.h: command-line options as tables.
 *
 * A verb describes its options once; parsing, `--help`, range checks and shell completion all read the same table. Names are
 * written with '_' as ExecuTorch's tools spell them; '-' is accepted in its place. `--name value`, `--name=value`, `-n value`;
 * flags also `--noname` and `--name=false`. Everything after `--` is positional. */
#ifndef WICK_APP_OPTION_H
#define WICK_APP_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum app_type { APP_FLAG, APP_INT, APP_FLOAT, APP_TEXT, APP_PATH, APP_LIST } app_type;

/* The values given to one repeatable option (APP_LIST). */
typedef struct app_list {
    const char **items;
    size_t n;
} app_list;

typedef struct app_option {
    const char *name;
    char letter;       /* 0: none */
    const char *alias; /* another spelling (stock's, or an old one), or NULL */
    app_type type;
    void *target;      /* bool, int64_t, double, const char *, const char *, app_list */
    const char *value; /* what stands for the value in --help: "N", "FILE", "f16|f32" */
    double min, max;   /* numbers; min > max: unchecked */
    const char *help;  /* one line; the default is part of it */
} app_option;
#define APP_ANY 1, 0 /* min, max */

typedef struct app_verb {
    const char *name;
    const char *usage;                  /* after "wick NAME " */
    const char *summary;                /* one line */
    const char *details;                /* paragraphs and examples for --help, or NULL */
    int (*main)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
} app_verb;

enum { APP_OK = 0, APP_FAILED = 1, APP_USAGE = 2, APP_INTERRUPTED = 130 };

/* Parses argv[1..]; positional arguments are moved to the front of argv + 1 and counted. Returns false after it has printed
 * help (*status = 0) or a complaint (*status = APP_USAGE). List items are allocated and live until exit. */
bool app_parse(const app_verb *verb, const app_option *options, int argc, char **argv, int *n_positional, int *status);

/* Keeps in sight what options point to until exit, so that what is still needed at the end does not look lost (to leak checkers).
 * Returns p. */
void *app_keep(void *p);

/* Calls fn for each option of a verb, as its table has them; --help, which every verb has, is not among them. */
void app_each_option(const app_verb *verb, void (*fn)(void *user, const app_option *option), void *user);

/* "wick run: MESSAGE", on stderr; returns APP_USAGE / APP_FAILED. */
int app_usage_error(const app_verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
int app_fail(const app_verb *verb, const char *message);

extern const app_verb app_verb_export, app_verb_run, app_verb_chat, app_verb_inspect, app_verb_tokenize, app_verb_template;
extern const app_verb app_verb_pull, app_verb_list, app_verb_rm, app_verb_completion, app_verb_man;
extern const app_verb *const app_verbs[]; /* NULL-terminated */

#endif
