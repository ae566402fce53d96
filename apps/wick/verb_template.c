/* wick template: conversations rendered by a chat template, for pipelines and tests. */
#include "option.h"

#include "base/strbuf.h"
#include "wick.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part of the request as JSON text; NULL: it is not there. */
static char *part(const json_t *request, const char *key) {
    const json_t *value = json_object_get(request, key);
    return value && !json_is_null(value) ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
}

static wick_status render(const wick_template *t, const json_t *request, wick_rendered *out, wick_error *err) {
    if (!json_is_array(json_object_get(request, "messages"))) {
        snprintf(err->message, sizeof err->message, "\"messages\": expected an array");
        return WICK_EFORMAT;
    }
    char *messages = part(request, "messages"), *tools = part(request, "tools"), *variables = part(request, "kwargs");
    wick_template_input input = {messages, tools, variables, json_string_value(json_object_get(request, "now"))};
    wick_status status = wick_template_render(t, &input, out, err);
    free(messages);
    free(tools);
    free(variables);
    return status;
}

static void put_answer(wick_strbuf *line, const char *key, const char *text, size_t size) {
    wick_json j = {line, false};
    wick_json_open(&j, '{');
    wick_json_key(&j, key);
    wick_json_string(&j, text, size);
    wick_json_close(&j, '}');
    wick_strbuf_putc(line, '\n');
}

/* One answer to one line, whatever is in it. t NULL: the template could not be read, and *err says why. */
static void answer(const wick_template *t, const char *text, size_t size, const wick_error *unread, wick_strbuf *line) {
    json_error_t where;
    wick_error err = *unread;
    wick_rendered r = {0};
    json_t *request = t ? json_loadb(text, size, JSON_ALLOW_NUL, &where) : NULL;
    wick_status status = WICK_EFORMAT;
    if (request)
        status = render(t, request, &r, &err);
    else if (t)
        snprintf(err.message, sizeof err.message, "the request is no JSON object: column %d: %s", where.column, where.text);
    if (status == WICK_OK)
        put_answer(line, "text", r.text, r.size);
    else
        put_answer(line, "error", err.message, strlen(err.message));
    wick_rendered_release(&r);
    json_decref(request);
}

static bool answer_lines(const wick_template *t, const wick_error *unread) {
    char *text = NULL;
    size_t cap = 0;
    wick_strbuf line = {0};
    bool ok = true;
    for (ssize_t n; ok && (n = getline(&text, &cap, stdin)) > 0;) {
        if (text[n - 1] == '\n') n--;
        wick_strbuf_reset(&line);
        answer(t, text, (size_t)n, unread, &line);
        ok = !line.failed && fwrite(line.data, 1, line.size, stdout) == line.size && fflush(stdout) == 0;
    }
    free(text);
    wick_strbuf_release(&line);
    return ok;
}

static int template_main(int argc, char **argv) {
    const char *path = NULL;
    bool jsonl = false;
    const app_option options[] = {
        {"template", 't', NULL, APP_PATH, &path, "FILE", APP_ANY, "where the template is"},
        {"jsonl", 0, NULL, APP_FLAG, &jsonl, "", APP_ANY, "one JSON object per line on stdin, one on stdout"},
        {0},
    };
    int n, status;
    if (!app_parse(&app_verb_template, options, argc, argv, &n, &status)) return status;
    if (n) return app_usage_error(&app_verb_template, "'%s': conversations come on stdin", argv[1]);
    if (!path) return app_usage_error(&app_verb_template, "no template given (--template FILE)");
    if (!jsonl) return app_usage_error(&app_verb_template, "say --jsonl: there is no other form of input yet");
    wick_error err = {0};
    wick_template *t;
    wick_status opened = wick_template_open(path, &t, &err);
    if (opened == WICK_EIO || opened == WICK_ENOTFOUND) return app_fail(&app_verb_template, err.message);
    bool ok = answer_lines(t, &err);
    wick_template_free(t);
    if (!ok) return app_fail(&app_verb_template, "stdout: writing failed");
    return opened == WICK_OK ? APP_OK : app_fail(&app_verb_template, err.message);
}

const app_verb app_verb_template = {
    "template", "--template FILE --jsonl", "render conversations by a model's chat template",
    "FILE is a template (Jinja source), a tokenizer_config.json, a chat_template.json, a .gguf, a .pte, or a folder with one of them.\n\n"
    "Each line on stdin is {\"messages\": [...], \"tools\": [...], \"kwargs\": {...}, \"now\": \"2026-01-15T12:34:56\"}; all but messages "
    "may\n"
    "be absent. Each answer is {\"text\": ...} or {\"error\": ...}. kwargs are the template's variables (add_generation_prompt,\n"
    "bos_token, enable_thinking ...); now is the time that strftime_now sees.\n",
    template_main};
