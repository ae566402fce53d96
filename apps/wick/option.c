#include "option.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int app_usage_error(const app_verb *verb, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "wick %s: ", verb->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nusage: wick %s %s\n'wick %s --help' lists the options.\n", verb->name, verb->usage, verb->name);
    va_end(args);
    return APP_USAGE;
}

int app_fail(const app_verb *verb, const char *message) {
    fprintf(stderr, "wick %s: %s\n", verb->name, message);
    return APP_FAILED;
}

void *app_keep(void *p) {
    static void **kept;
    static size_t n;
    void **more = p ? realloc(kept, (n + 1) * sizeof *more) : NULL;
    if (!more) return p;
    kept = more;
    kept[n++] = p;
    return p;
}

/* Names are equal if they differ in '-' and '_' alone. */
static bool same_name(const char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char x = a[i] == '-' ? '_' : a[i], y = b[i] == '-' ? '_' : b[i];
        if (x != y || !y) return false;
    }
    return b[n] == 0;
}

static const app_option *find_long(const app_option *options, const char *name, size_t n, bool *negated) {
    *negated = false;
    for (const app_option *o = options; o->name; o++)
        if (same_name(name, o->name, n) || (o->alias && same_name(name, o->alias, n))) return o;
    if (n > 2 && strncmp(name, "no", 2) == 0) {
        size_t skip = name[2] == '-' || name[2] == '_' ? 3 : 2;
        for (const app_option *o = options; o->name; o++)
            if (o->type == APP_FLAG && n > skip && same_name(name + skip, o->name, n - skip)) {
                *negated = true;
                return o;
            }
    }
    return NULL;
}

static void print_help(const app_verb *verb, const app_option *options) {
    printf("%s\n\nusage: wick %s %s\n\noptions:\n", verb->summary, verb->name, verb->usage);
    for (const app_option *o = options; o->name; o++) {
        char left[80];
        int n = o->letter ? snprintf(left, sizeof left, "-%c, ", o->letter) : snprintf(left, sizeof left, "    ");
        n += snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", o->name, o->type == APP_FLAG ? "" : " ",
                      o->type == APP_FLAG ? "" : o->value);
        printf(n < 30 ? "  %-30s %s\n" : "  %s\n                                 %s\n", left, o->help);
        if (o->alias) printf("                                 (also --%s)\n", o->alias);
    }
    printf("  -h, --help                     this text\n");
    if (verb->details) printf("\n%s", verb->details);
}

/* Stores a value; NULL or what is wrong with it. */
static const char *store(const app_option *o, const char *value) {
    static char message[160];
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case APP_FLAG:
        if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
            *(bool *)o->target = true;
        else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
            *(bool *)o->target = false;
        else
            return "expected true or false";
        return NULL;
    case APP_INT: {
        long long v = strtoll(value, &end, 10);
        if (end == value || *end || errno) return "expected a whole number";
        if (o->min <= o->max && ((double)v < o->min || (double)v > o->max)) {
            snprintf(message, sizeof message, "expected %.0f to %.0f", o->min, o->max);
            return message;
        }
        *(int64_t *)o->target = v;
        return NULL;
    }
    case APP_FLOAT: {
        double v = strtod(value, &end);
        if (end == value || *end || !isfinite(v)) return "expected a number";
        if (o->min <= o->max && (v < o->min || v > o->max)) {
            snprintf(message, sizeof message, "expected %g to %g", o->min, o->max);
            return message;
        }
        *(double *)o->target = v;
        return NULL;
    }
    case APP_TEXT:
    case APP_PATH: *(const char **)o->target = value; return NULL;
    case APP_LIST: {
        app_list *list = o->target;
        const char **items = realloc(list->items, (list->n + 1) * sizeof *items);
        if (!items) return "out of memory";
        items[list->n] = value;
        list->items = app_keep(items);
        list->n++;
        return NULL;
    }
    }
    return NULL;
}

typedef struct parser {
    const app_verb *verb;
    const app_option *options;
    int argc, at;
    char **argv;
    int *status;
} parser;

/* Handles the option at argv[at]; moves `at` to its last word. False: stop, *status is set. */
static bool take_option(parser *p) {
    const char *word = p->argv[p->at], *value = NULL;
    const app_option *o = NULL;
    bool negated = false, is_long = word[1] == '-' || (word[1] && word[2] && word[2] != '=');
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help(p->verb, p->options);
        *p->status = APP_OK;
        return false;
    }
    const char *name = word + (word[1] == '-' ? 2 : 1), *equal = strchr(name, '=');
    size_t n = equal ? (size_t)(equal - name) : strlen(name);
    if (is_long)
        o = find_long(p->options, name, n, &negated);
    else
        for (const app_option *i = p->options; i->name && !o; i++)
            if (i->letter && n == 1 && i->letter == name[0]) o = i;
    if (!o) {
        *p->status = app_usage_error(p->verb, "unknown option '%.*s'", (int)(name - word + (ptrdiff_t)n), word);
        return false;
    }
    if (equal)
        value = equal + 1;
    else if (o->type == APP_FLAG)
        value = negated ? "false" : "true";
    else if (p->at + 1 < p->argc)
        value = p->argv[++p->at];
    const char *fault = value ? store(o, value) : "expected a value";
    if (!fault) return true;
    *p->status = app_usage_error(p->verb, "--%s %s: %s", o->name, value ? value : "", fault);
    return false;
}

/* Tables live on the stacks of the verbs' functions, which hand them to app_parse first thing. So a verb is called with somebody
 * waiting here for its table, and nothing else happens. */
static struct visitor {
    void (*fn)(void *user, const app_option *option);
    void *user;
} visitor;

void app_each_option(const app_verb *verb, void (*fn)(void *user, const app_option *option), void *user) {
    char name[] = "wick", *argv[] = {name, NULL};
    visitor = (struct visitor){fn, user};
    verb->main(1, argv);
    visitor = (struct visitor){0};
}

bool app_parse(const app_verb *verb, const app_option *options, int argc, char **argv, int *n_positional, int *status) {
    parser p = {verb, options, argc, 1, argv, status};
    int n = 0;
    bool plain = false;
    if (visitor.fn) {
        for (const app_option *o = options; o->name; o++) visitor.fn(visitor.user, o);
        *status = APP_OK;
        return false;
    }
    for (; p.at < argc; p.at++) {
        char *word = argv[p.at];
        if (!plain && strcmp(word, "--") == 0)
            plain = true;
        else if (plain || word[0] != '-' || !word[1])
            argv[1 + n++] = word;
        else if (!take_option(&p))
            return false;
    }
    *n_positional = n;
    return true;
}
