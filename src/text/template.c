/* Chat templates that Wick knows, recognised by their exact source and described as data. Any other template is refused, and the
 * caller continues the text raw. */
#include "text/template.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <string.h>

/* A conversation as a row of turns: begin + role + middle + content + end. */
typedef struct known_template {
    const char *name, *source;
    bool bos;                   /* the text begins with bos_token */
    bool trim;                  /* contents lose white space at both ends */
    const char *default_system; /* turn put in front when the first message is no system message; NULL: none */
    const char *begin, *middle, *end;
    const char *answer; /* opens the assistant's turn */
} known_template;

static const known_template known[] = {
    {.name = "smollm2",
     .source = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
               "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + "
               "message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
               "'<|im_start|>assistant\n' }}{% endif %}",
     .default_system = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n",
     .begin = "<|im_start|>",
     .middle = "\n",
     .end = "<|im_end|>\n",
     .answer = "<|im_start|>assistant\n"},
    {.name = "chatml",
     .source = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
               "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
     .begin = "<|im_start|>",
     .middle = "\n",
     .end = "<|im_end|>\n",
     .answer = "<|im_start|>assistant\n"},
    {.name = "llama3",
     .source = "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
               "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set "
               "content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ "
               "'<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
     .bos = true,
     .trim = true,
     .begin = "<|start_header_id|>",
     .middle = "<|end_header_id|>\n\n",
     .end = "<|eot_id|>",
     .answer = "<|start_header_id|>assistant<|end_header_id|>\n\n"},
};
enum { N_KNOWN = sizeof known / sizeof *known };

struct wick_template {
    const known_template *k;
};

/* A template's newline may be written as the escape \n inside a string: both spellings are the same template. */
static bool same_source(const char *a, const char *s, size_t n) {
    while (n && s[n - 1] == '\n') n--;
    for (; *a && n; a++) {
        size_t used = n > 1 && s[0] == '\\' && s[1] == 'n' ? 2 : 1;
        char c = used == 2 ? '\n' : s[0];
        if (c != *a) return false;
        s += used;
        n -= used;
    }
    return !*a && !n;
}

wick_status wick_template_new(const char *source, size_t size, wick_template **out, wick_error *err) {
    *out = NULL;
    for (size_t i = 0; i < N_KNOWN; i++)
        if (same_source(known[i].source, source, size)) {
            if (!(*out = WICK_NEW(wick_template))) return wick_fail_nomem(err);
            (*out)->k = &known[i];
            return WICK_OK;
        }
    return wick_fail(err, WICK_EUNSUPPORTED, "the chat template is none of those that Wick knows");
}

void wick_template_free(wick_template *t) { wick_free(t); }

const char *wick_template_builtin(const char *name) {
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i].name, name) == 0) return known[i].source;
    return NULL;
}

void wick_rendered_release(wick_rendered *r) {
    wick_free(r->text);
    wick_free(r->spans);
    *r = (wick_rendered){0};
}

/* ---------------------------------------------------------------- rendering */

typedef struct rendering {
    wick_strbuf text;
    wick_span *spans;
    size_t n_span, cap;
    bool failed;
} rendering;

static void put(rendering *r, const char *s, size_t n, bool from_message) {
    if (!n) return;
    wick_strbuf_add(&r->text, s, n);
    if (r->n_span && r->spans[r->n_span - 1].from_message == from_message) {
        r->spans[r->n_span - 1].size += n;
        return;
    }
    if (!WICK_GROW(r->spans, r->n_span, r->cap)) {
        r->failed = true;
        return;
    }
    r->spans[r->n_span++] = (wick_span){n, from_message};
}

static void put_text(rendering *r, const char *s) { put(r, s, strlen(s), false); }

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f); }

static wick_status put_turn(rendering *r, const known_template *k, const json_t *message, wick_error *err) {
    const json_t *role = json_object_get(message, "role"), *content = json_object_get(message, "content");
    if (!json_is_string(role) || !json_is_string(content))
        return wick_fail(err, WICK_EINVAL, "a message of the conversation has no role or no content");
    const char *s = json_string_value(content);
    size_t n = json_string_length(content);
    while (k->trim && n && is_space(s[n - 1])) n--;
    while (k->trim && n && is_space(*s)) s++, n--;
    put_text(r, k->begin);
    put(r, json_string_value(role), json_string_length(role), true);
    put_text(r, k->middle);
    put(r, s, n, true);
    put_text(r, k->end);
    return WICK_OK;
}

static wick_status put_all(rendering *r, const known_template *k, const json_t *messages, const json_t *variables, wick_error *err) {
    if (!json_is_array(messages)) return wick_fail(err, WICK_EINVAL, "messages: expected an array");
    const char *bos = json_string_value(json_object_get(variables, "bos_token"));
    const char *first = json_string_value(json_object_get(json_array_get(messages, 0), "role"));
    if (k->bos && bos && json_array_size(messages)) put_text(r, bos);
    if (k->default_system && first && strcmp(first, "system") != 0) put_text(r, k->default_system);
    for (size_t i = 0; i < json_array_size(messages); i++) WICK_TRY(put_turn(r, k, json_array_get(messages, i), err));
    if (json_is_true(json_object_get(variables, "add_generation_prompt"))) put_text(r, k->answer);
    return r->failed || r->text.failed ? wick_fail_nomem(err) : WICK_OK;
}

wick_status wick_template_render(const wick_template *t, const wick_template_input *input, wick_rendered *out, wick_error *err) {
    *out = (wick_rendered){0};
    rendering r = {0};
    json_error_t where;
    json_t *messages = json_loads(input->messages, 0, &where),
           *variables = json_loads(input->variables ? input->variables : "{}", 0, &where);
    wick_status status = messages && variables ? put_all(&r, t->k, messages, variables, err)
                                               : wick_fail(err, WICK_EFORMAT, "template input: line %d: %s", where.line, where.text);
    if (status == WICK_OK) {
        out->n_span = r.n_span;
        out->spans = r.spans;
        r.spans = NULL;
        out->text = wick_strbuf_take(&r.text, &out->size);
        if (!out->text) {
            wick_rendered_release(out);
            status = wick_fail_nomem(err);
        }
    }
    wick_strbuf_release(&r.text);
    wick_free(r.spans);
    json_decref(messages);
    json_decref(variables);
    return status;
}
