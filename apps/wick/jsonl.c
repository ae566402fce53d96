#include "jsonl.h"

#include <stdio.h>
#include <stdlib.h>

static bool print(const json_t *answer) {
    char *text = json_dumps(answer, JSON_COMPACT);
    bool ok = text && fputs(text, stdout) >= 0 && putchar('\n') >= 0 && fflush(stdout) == 0;
    free(text);
    return ok;
}

static bool answer_line(const char *line, size_t n, jsonl_fn *fn, void *user) {
    json_error_t e;
    wick_error err = {0};
    json_t *question = json_loadb(line, n, JSON_ALLOW_NUL, &e), *answer = json_object();
    wick_status status = !json_is_object(question)
                             ? wick_fail(&err, WICK_EFORMAT, "the line is not a JSON object: %s", question ? "it is another value" : e.text)
                             : fn(user, question, answer, &err);
    if (status != WICK_OK) {
        json_object_clear(answer);
        json_object_set_new(answer, "error", json_string(err.message));
    }
    bool ok = print(answer);
    json_decref(question);
    json_decref(answer);
    return ok;
}

bool jsonl_run(jsonl_fn *fn, void *user) {
    char *line = NULL;
    size_t cap = 0;
    bool ok = true;
    for (ssize_t n; ok && (n = getline(&line, &cap, stdin)) >= 0;) {
        if (n && line[n - 1] == '\n') n--;
        ok = answer_line(line, (size_t)n, fn, user);
    }
    free(line);
    return ok;
}
