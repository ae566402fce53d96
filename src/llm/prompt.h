/* prompt.h: from what a caller asks (ready tokens, a conversation, or raw text) to the token ids of the prompt. */
#ifndef WICK_LLM_PROMPT_H
#define WICK_LLM_PROMPT_H

#include "base/error.h"

typedef struct wick_prompt {
    int32_t *ids; /* owned */
    size_t n;
} wick_prompt;

/* tokenizer may be NULL if options hold ready tokens. */
wick_status wick_prompt_make(const wick_model *model, const wick_tokenizer *tokenizer, const wick_generate_options *options,
                             wick_prompt *out, wick_error *err);
void wick_prompt_release(wick_prompt *prompt);

/* A conversation (options->messages) as the chat template writes it; generation_prompt: with the beginning of an answer.
 * WICK_ENOTFOUND: there is no template. */
wick_status wick_chat_render(const wick_model *model, const wick_tokenizer *tokenizer, const wick_generate_options *options,
                             bool generation_prompt, wick_rendered *out, wick_error *err);

/* Adds to sampler->dry_breakers the tokens that have one of options' breakers in their text, if DRY is on; *ids is their memory, to be
 * given back with wick_free. tokenizer may be NULL where no breakers are asked for. */
wick_status wick_dry_breakers(const wick_generate_options *options, const wick_tokenizer *tokenizer, int64_t n_vocab,
                              wick_sampler_options *sampler, int32_t **ids, wick_error *err);

/* The id of a special token, -1 if the text is none's. */
int32_t wick_special_token(const wick_tokenizer *tokenizer, const char *text, size_t size);

#endif
