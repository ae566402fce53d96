/* Chat templates: the entry to the interpreter, and the variables that transformers gives a template. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja.h"
#include "text/read_json.h"

#include <string.h>

struct wick_template {
    jinja_arena arena;
    const jinja_node *root;
};

static void begin(jinja_arena *a, wick_error *err) {
    a->fuel = JINJA_FUEL;
    a->depth = 0;
    a->err = err;
}

wick_status wick_template_new(const char *source, size_t size, wick_template **out, wick_error *err) {
    *out = NULL;
    if (size > JINJA_MAX_SOURCE)
        return wick_fail(err, WICK_ELIMIT, "chat template: it is %zu bytes long, the limit is %d", size, JINJA_MAX_SOURCE);
    if (!wick_utf8_valid(source, size)) return wick_fail(err, WICK_EFORMAT, "chat template: it is not UTF-8");
    wick_template *t = WICK_NEW(wick_template);
    if (!t) return wick_fail_nomem(err);
    begin(&t->arena, err);
    if (setjmp(t->arena.exit)) {
        wick_status status = t->arena.status;
        wick_template_free(t);
        return status;
    }
    size_t n;
    jinja_token *tokens = jinja_lex(&t->arena, source, size, &n);
    jinja_node *root = jinja_parse(&t->arena, tokens, n);
    jinja_mark_folds(root);
    t->root = root;
    *out = t;
    return WICK_OK;
}

void wick_template_free(wick_template *t) {
    if (!t) return;
    jinja_arena_release(&t->arena);
    wick_free(t);
}

/* ---- values from JSON */

static jinja_value from_json(jinja_arena *a, const json_t *v, bool marked) {
    const char *key;
    size_t i, n;
    json_t *item;
    jinja_value out = jinja_none();
    if (++a->depth > JINJA_MAX_DEPTH) jinja_fail(a, WICK_ELIMIT, "the messages are nested deeper than %d", JINJA_MAX_DEPTH);
    switch (json_typeof(v)) {
    case JSON_TRUE:
    case JSON_FALSE: out = jinja_bool(json_is_true(v)); break;
    case JSON_INTEGER: out = jinja_integer(a, json_integer_value(v)); break;
    case JSON_REAL: out = jinja_float(json_real_value(v)); break;
    case JSON_STRING: out = jinja_str(a, json_string_value(v), json_string_length(v), marked); break;
    case JSON_ARRAY:
        out = jinja_new_list(a, J_LIST, J_PLAIN);
        json_array_foreach(v, i, item) jinja_push(a, out.u.l, from_json(a, item, marked));
        break;
    case JSON_OBJECT:
        out = jinja_new_dict(a);
        json_object_keylen_foreach((json_t *)v, key, n, item)
            jinja_put(a, out.u.d, jinja_str(a, key, n, marked), from_json(a, item, marked));
        break;
    default: break;
    }
    a->depth--;
    return out;
}

/* A message with reasoning under one of its three names has it under two: `thinking` first, `reasoning_content` in its place or last. */
static jinja_value with_reasoning(jinja_arena *a, jinja_value m) {
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    if (m.type != J_DICT) return m;
    const jinja_value *found = NULL;
    for (int i = 0; i < 3 && (!found || found->type == J_NONE); i++) found = jinja_get_text(m.u.d, names[i], strlen(names[i]));
    if (!found || found->type == J_NONE) return m;
    jinja_value out = jinja_new_dict(a);
    jinja_put(a, out.u.d, jinja_cstr(a, "thinking"), *found);
    for (size_t i = 0; i < m.u.d->n; i++) jinja_put(a, out.u.d, m.u.d->keys[i], m.u.d->values[i]);
    jinja_put(a, out.u.d, jinja_cstr(a, "reasoning_content"), *found);
    return out;
}

static void set(jinja_arena *a, jinja_dict *d, const char *name, jinja_value v) { jinja_put(a, d, jinja_cstr(a, name), v); }

static jinja_value names(jinja_arena *a, const json_t *messages, const json_t *tools, const json_t *more) {
    jinja_value d = jinja_new_dict(a), list = jinja_new_list(a, J_LIST, J_PLAIN);
    size_t i;
    json_t *item;
    json_array_foreach(messages, i, item) jinja_push(a, list.u.l, with_reasoning(a, from_json(a, item, true)));
    set(a, d.u.d, "messages", list);
    set(a, d.u.d, "tools", tools ? from_json(a, tools, true) : jinja_none());
    set(a, d.u.d, "documents", jinja_none());
    set(a, d.u.d, "add_generation_prompt", jinja_bool(false));
    if (more) {
        jinja_value m = from_json(a, more, false);
        for (size_t k = 0; k < m.u.d->n; k++) jinja_put(a, d.u.d, m.u.d->keys[k], m.u.d->values[k]);
    }
    return d;
}

/* ---- the result */

static wick_status take(const jinja_buffer *b, wick_rendered *out, wick_error *err) {
    size_t cap = 0;
    wick_rendered r = {.text = wick_strndup(b->s ? b->s : "", b->n), .size = b->n};
    if (!r.text) return wick_fail_nomem(err);
    for (size_t i = 0; b->marks && i < b->n;) {
        size_t from = i;
        uint8_t mark = b->marks[i];
        while (i < b->n && b->marks[i] == mark) i++;
        if (!mark) continue;
        if (!WICK_GROW(r.input, r.n_input, cap)) {
            wick_rendered_release(&r);
            return wick_fail_nomem(err);
        }
        r.input[r.n_input++] = (wick_span){from, i};
    }
    *out = r;
    return WICK_OK;
}

void wick_rendered_release(wick_rendered *r) {
    wick_free(r->text);
    wick_free(r->input);
    *r = (wick_rendered){0};
}

typedef struct inputs {
    json_t *messages, *tools, *variables;
} inputs;

static wick_status read_input(const char *text, const char *what, bool array, json_t **out, wick_error *err) {
    if (!text) return WICK_OK;
    wick_status status = wick_json_load((wick_bytes){(const uint8_t *)text, strlen(text)}, out, err);
    if (status != WICK_OK) return wick_error_context(err, status, "%s", what);
    if (json_is_null(*out) && strcmp(what, "messages") != 0) {
        json_decref(*out);
        *out = NULL;
        return WICK_OK;
    }
    if (array ? json_is_array(*out) : json_is_object(*out)) return WICK_OK;
    return wick_fail(err, WICK_EFORMAT, "%s should be a JSON %s", what, array ? "array" : "object");
}

/* In a function of its own: nothing here changes between setjmp and longjmp. */
static wick_status render(const wick_template *t, const inputs *in, const char *now, jinja_arena *a, wick_rendered *out, wick_error *err) {
    jinja_buffer *text;
    if (setjmp(a->exit)) return a->status;
    text = jinja_alloc(a, sizeof *text);
    jinja_interp j = {.a = a, .out = text, .now = now};
    jinja_render(&j, t->root, names(a, in->messages, in->tools, in->variables).u.d);
    return take(text, out, err);
}

wick_status wick_template_render(const wick_template *t, const wick_template_input *input, wick_rendered *out, wick_error *err) {
    inputs in = {0};
    jinja_arena *a = NULL;
    wick_status status = WICK_OK;
    *out = (wick_rendered){0};
    WICK_CHECK_GOTO(read_input(input->messages, "messages", true, &in.messages, err));
    WICK_CHECK_GOTO(read_input(input->tools, "tools", true, &in.tools, err));
    WICK_CHECK_GOTO(read_input(input->variables, "variables", false, &in.variables, err));
    a = WICK_NEW(jinja_arena);
    if (!a) {
        status = wick_fail_nomem(err);
        goto out;
    }
    begin(a, err);
    status = render(t, &in, input->now, a, out, err);
out:
    if (a) jinja_arena_release(a);
    wick_free(a);
    json_decref(in.messages);
    json_decref(in.tools);
    json_decref(in.variables);
    return status;
}
