/* Tokens that end an answer, from every source there is. */
#include "base/mem.h"
#include "llm/prompt.h"

#include <string.h>

/* The special tokens that end a turn in the formats of published models. "<|end|>" is one (Phi), unless there is a token for the end of the
 * whole answer: then it only ends a part of it. */
static const char *const known[] = {
    "<|im_end|>",           "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|end_of_turn|>",
    "<end_of_turn>",        "<turn|>",    "</s>",       "<eos>",   "<|return|>",    "<|call|>",        "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>"};

typedef struct id_list {
    int32_t *ids; /* ascending */
    size_t n, cap;
} id_list;

static wick_status add(id_list *list, int64_t id, wick_error *err) {
    size_t at = 0;
    if (id < 0 || id > INT32_MAX) return WICK_OK;
    while (at < list->n && list->ids[at] < id) at++;
    if (at < list->n && list->ids[at] == id) return WICK_OK;
    if (!WICK_GROW(list->ids, list->n, list->cap)) return wick_fail_nomem(err);
    memmove(list->ids + at + 1, list->ids + at, (list->n - at) * sizeof *list->ids);
    list->ids[at] = (int32_t)id;
    list->n++;
    return WICK_OK;
}

int32_t wick_special_token(const wick_tokenizer *tokenizer, const char *text, size_t size) {
    int32_t id = wick_tokenizer_id(tokenizer, text, size);
    return id >= 0 && wick_tokenizer_is_special(tokenizer, id) ? id : -1;
}

static int32_t special(const wick_tokenizer *tokenizer, const char *text) { return wick_special_token(tokenizer, text, strlen(text)); }

static wick_status add_known(id_list *list, const wick_tokenizer *tokenizer, wick_error *err) {
    bool has_return = special(tokenizer, "<|return|>") >= 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!has_return || strcmp(known[i], "<|end|>") != 0) WICK_TRY(add(list, special(tokenizer, known[i]), err));
    return WICK_OK;
}

/* What the template writes after an answer: if that is a special token, the model was taught to say it there. */
static const char answer[] = "the answer 7f3a";

static wick_status add_after_answer(id_list *list, const wick_tokenizer *tokenizer, const wick_rendered *r, wick_error *err) {
    const char *at = strstr(r->text, answer);
    if (!at) return WICK_OK;
    at += sizeof answer - 1;
    at += strspn(at, " \n");
    int32_t *ids = NULL;
    size_t n = 0;
    WICK_TRY(wick_tokenizer_encode(tokenizer, at, strlen(at), WICK_ENCODE_PARSE_SPECIAL, &ids, &n, err));
    wick_status status = n && wick_tokenizer_is_special(tokenizer, ids[0]) ? add(list, ids[0], err) : WICK_OK;
    wick_tokens_free(ids);
    return status;
}

/* A template may refuse this conversation, or be broken: then it says nothing here. */
static wick_status add_of_template(id_list *list, const wick_model *model, const wick_tokenizer *tokenizer,
                                   const wick_template *chat_template, wick_error *err) {
    const wick_message messages[] = {{"user", "a"}, {"assistant", answer}, {"user", "b"}};
    const wick_generate_options o = {.messages = messages, .n_messages = 3, .chat_template = chat_template};
    wick_rendered r;
    wick_status status = wick_chat_render(model, tokenizer, &o, false, &r, NULL);
    if (status != WICK_OK) return status == WICK_ENOMEM ? wick_fail_nomem(err) : WICK_OK;
    status = add_after_answer(list, tokenizer, &r, err);
    wick_rendered_release(&r);
    return status;
}

static wick_status collect(id_list *list, const wick_model *model, const wick_tokenizer *tokenizer, const wick_template *chat_template,
                           wick_error *err) {
    const wick_model_info *info = wick_model_info_get(model);
    for (size_t i = 0; i < info->n_eos; i++) WICK_TRY(add(list, info->eos_ids[i], err));
    if (!tokenizer) return WICK_OK;
    WICK_TRY(add(list, wick_tokenizer_eos(tokenizer), err));
    WICK_TRY(add_known(list, tokenizer, err));
    return add_of_template(list, model, tokenizer, chat_template, err);
}

wick_status wick_end_tokens(const wick_model *model, const wick_tokenizer *tokenizer, const wick_template *chat_template, int32_t **ids,
                            size_t *n, wick_error *err) {
    id_list list = {0};
    wick_status status = collect(&list, model, tokenizer, chat_template, err);
    if (status != WICK_OK) {
        wick_free(list.ids);
        list = (id_list){0};
    }
    *ids = list.ids;
    *n = list.n;
    return status;
}
