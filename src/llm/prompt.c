#include "llm/prompt.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <string.h>

void wick_prompt_release(wick_prompt *prompt) {
    wick_free(prompt->ids);
    *prompt = (wick_prompt){0};
}

static wick_status append(wick_prompt *p, const int32_t *ids, size_t n, wick_error *err) {
    int32_t *grown = wick_realloc(p->ids, p->n + n + 1, sizeof *grown);
    if (!grown) return wick_fail_nomem(err);
    p->ids = grown;
    if (n) memcpy(grown + p->n, ids, n * sizeof *ids);
    p->n += n;
    return WICK_OK;
}

static wick_status append_text(wick_prompt *p, const wick_tokenizer *tokenizer, const char *text, size_t size, unsigned flags,
                               wick_error *err) {
    int32_t *ids = NULL;
    size_t n = 0;
    WICK_TRY(wick_tokenizer_encode(tokenizer, text, size, flags, &ids, &n, err));
    wick_status status = append(p, ids, n, err);
    wick_tokens_free(ids);
    return status;
}

/* ---------------------------------------------------------------- raw text */

static wick_status repeat(wick_prompt *p, int32_t id, int n, const char *what, wick_error *err) {
    if (n > 0 && id < 0) return wick_fail(err, WICK_EUNSUPPORTED, "the tokenizer has no %s token to add", what);
    for (int i = 0; i < n; i++) WICK_TRY(append(p, &id, 1, err));
    return WICK_OK;
}

/* Counts below zero leave it to the tokenizer's own rule; a count for one end replaces the rule for both. */
static wick_status raw_prompt(const wick_tokenizer *tokenizer, const wick_generate_options *o, wick_prompt *out, wick_error *err) {
    bool own_rule = o->n_bos < 0 && o->n_eos < 0;
    WICK_TRY(repeat(out, wick_tokenizer_bos(tokenizer), o->n_bos, "BOS", err));
    WICK_TRY(append_text(out, tokenizer, o->prompt, strlen(o->prompt), WICK_ENCODE_PARSE_SPECIAL | (own_rule ? WICK_ENCODE_ADD_SPECIAL : 0),
                         err));
    return repeat(out, wick_tokenizer_eos(tokenizer), o->n_eos, "EOS", err);
}

/* ---------------------------------------------------------------- conversations */

static char *messages_json(const wick_message *messages, size_t n) {
    wick_strbuf text = {0};
    wick_json j = {&text, false};
    wick_json_open(&j, '[');
    for (size_t i = 0; i < n; i++) {
        wick_json_open(&j, '{');
        wick_json_key(&j, "role");
        wick_json_string(&j, messages[i].role, strlen(messages[i].role));
        wick_json_key(&j, "content");
        wick_json_string(&j, messages[i].content, strlen(messages[i].content));
        wick_json_close(&j, '}');
    }
    wick_json_close(&j, ']');
    return wick_strbuf_take(&text, NULL);
}

static void put_token_text(wick_json *j, const char *key, const wick_tokenizer *tokenizer, int32_t id) {
    char *text = NULL;
    size_t size = 0;
    if (id < 0 || wick_tokenizer_decode(tokenizer, &id, 1, false, &text, &size, NULL) != WICK_OK) return;
    wick_json_key(j, key);
    wick_json_string(j, text, size);
    wick_text_free(text);
}

static char *variables_json(const wick_tokenizer *tokenizer, bool generation_prompt) {
    wick_strbuf text = {0};
    wick_json j = {&text, false};
    wick_json_open(&j, '{');
    wick_json_key(&j, "add_generation_prompt");
    wick_json_bool(&j, generation_prompt);
    put_token_text(&j, "bos_token", tokenizer, wick_tokenizer_bos(tokenizer));
    put_token_text(&j, "eos_token", tokenizer, wick_tokenizer_eos(tokenizer));
    wick_json_close(&j, '}');
    return wick_strbuf_take(&text, NULL);
}

/* The model's own template, else a built-in one, to *out. */
static wick_status find_template(const wick_model *model, const wick_tokenizer *tokenizer, wick_template **out, wick_error *err) {
    wick_status status = wick_template_from_model(model, out, err);
    const char *name = status == WICK_ENOTFOUND ? wick_template_recognize(tokenizer) : NULL;
    const char *source = name ? wick_template_builtin(name) : NULL;
    return source ? wick_template_new(source, strlen(source), out, err) : status;
}

wick_status wick_chat_render(const wick_model *model, const wick_tokenizer *tokenizer, const wick_generate_options *o,
                             bool generation_prompt, wick_rendered *out, wick_error *err) {
    wick_template *t = NULL;
    char *list = messages_json(o->messages, o->n_messages), *variables = variables_json(tokenizer, generation_prompt);
    wick_status status = list && variables ? WICK_OK : wick_fail_nomem(err);
    if (status == WICK_OK && !o->chat_template) status = find_template(model, tokenizer, &t, err);
    wick_template_input input = {.messages = list, .variables = variables};
    if (status == WICK_OK) status = wick_template_render(t ? t : o->chat_template, &input, out, err);
    wick_template_free(t);
    wick_free(list);
    wick_free(variables);
    return status;
}

/* The template's own text may name special tokens; a message's text may not become one. */
static wick_status chat_prompt(const wick_model *model, const wick_tokenizer *tokenizer, const wick_generate_options *o, wick_prompt *out,
                               wick_error *err) {
    wick_rendered r;
    int32_t *ids = NULL;
    size_t n = 0;
    WICK_TRY(wick_chat_render(model, tokenizer, o, true, &r, err));
    wick_status status = wick_tokenizer_encode_rendered(tokenizer, &r, &ids, &n, err);
    wick_rendered_release(&r);
    if (status == WICK_OK) status = append(out, ids, n, err);
    wick_tokens_free(ids);
    return status;
}

bool wick_chat_available(const wick_model *model, const wick_tokenizer *tokenizer, const char **what) {
    wick_template *t = NULL;
    wick_tokenizer *own = NULL;
    const char *ignored;
    if (!what) what = &ignored;
    wick_status status = wick_template_from_model(model, &t, NULL);
    wick_template_free(t);
    *what = status == WICK_OK ? "the model's own" : "the model's chat template cannot be read";
    if (status != WICK_ENOTFOUND) return status == WICK_OK;
    if (!tokenizer) wick_tokenizer_from_model(model, &own, NULL);
    const char *name = tokenizer || own ? wick_template_recognize(tokenizer ? tokenizer : own) : NULL;
    wick_tokenizer_free(own);
    *what = name ? name : "the model carries no chat template, and none is known for its tokenizer";
    return name != NULL;
}

/* ---------------------------------------------------------------- */

wick_status wick_prompt_make(const wick_model *model, const wick_tokenizer *tokenizer, const wick_generate_options *o, wick_prompt *out,
                             wick_error *err) {
    *out = (wick_prompt){0};
    wick_status status;
    if (o->n_tokens)
        status = append(out, o->tokens, o->n_tokens, err);
    else if (o->n_messages)
        status = chat_prompt(model, tokenizer, o, out, err);
    else if (o->prompt)
        status = raw_prompt(tokenizer, o, out, err);
    else
        status = wick_fail(err, WICK_EINVAL, "nothing to answer: no tokens, no messages, no prompt");
    if (status == WICK_OK && out->n == 0)
        status = wick_fail(err, WICK_EINVAL, "the prompt has no tokens: give some text, or a BOS token (n_bos)");
    if (status != WICK_OK) wick_prompt_release(out);
    return status;
}
