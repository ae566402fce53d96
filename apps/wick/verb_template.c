/* wick template: conversations rendered by a chat template, for pipelines and tests. */
#include "jsonl.h"
#include "option.h"
#include "store.h"

#include <stdlib.h>

/* A part of the request as JSON text; NULL: it is not there. */
static char *part(const json_t *request, const char *key) {
    const json_t *value = json_object_get(request, key);
    return value && !json_is_null(value) ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
}

typedef struct asked {
    const wick_template *t; /* NULL: it could not be read, and `unread` says why */
    wick_error unread;
} asked;

/* A jsonl_fn over asked. */
static wick_status answer(void *user, const json_t *request, json_t *out, wick_error *err) {
    const asked *a = user;
    if (!a->t) return wick_fail(err, a->unread.code, "%s", a->unread.message);
    if (!json_is_array(json_object_get(request, "messages"))) return wick_fail(err, WICK_EFORMAT, "\"messages\": expected an array");
    char *messages = part(request, "messages"), *tools = part(request, "tools"), *variables = part(request, "kwargs");
    wick_template_input input = {messages, tools, variables, json_string_value(json_object_get(request, "now"))};
    wick_rendered r = {0};
    wick_status status = wick_template_render(a->t, &input, &r, err);
    if (status == WICK_OK && json_object_set_new(out, "text", json_stringn(r.text, r.size)) != 0)
        status = wick_fail(err, WICK_EFORMAT, "the rendered text is not UTF-8");
    wick_rendered_release(&r);
    free(messages);
    free(tools);
    free(variables);
    return status;
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
    asked a = {0};
    wick_template *t = NULL;
    wick_status opened = store_resolve_option(&path, &a.unread);
    if (opened == WICK_OK) opened = wick_template_open(path, &t, &a.unread);
    if (opened == WICK_EIO || opened == WICK_ENOTFOUND) return app_fail(&app_verb_template, a.unread.message);
    a.t = opened == WICK_OK ? t : NULL;
    bool ok = jsonl_run(answer, &a);
    wick_template_free(t);
    if (!ok) return app_fail(&app_verb_template, "stdout: writing failed");
    return opened == WICK_OK ? APP_OK : app_fail(&app_verb_template, a.unread.message);
}

const app_verb app_verb_template = {
    "template", "--template FILE --jsonl", "render conversations by a model's chat template",
    "FILE is a template (Jinja source), a tokenizer_config.json, a chat_template.json, a .gguf, a .pte, or a folder with one of\n"
    "them, or the name of a pulled model.\n\n"
    "Each line on stdin is {\"messages\": [...], \"tools\": [...], \"kwargs\": {...}, \"now\": \"2026-01-15T12:34:56\"}; all but messages "
    "may\n"
    "be absent. Each answer is {\"text\": ...} or {\"error\": ...}. kwargs are the template's variables (add_generation_prompt,\n"
    "bos_token, enable_thinking ...); now is the time that strftime_now sees.\n",
    template_main};
