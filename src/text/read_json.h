/* read_json.h: what the two halves of the tokenizer.json reader share. */
#ifndef WICK_TEXT_READ_JSON_H
#define WICK_TEXT_READ_JSON_H

#include "text/tok_spec.h"

#include <jansson.h>

wick_status wick_json_load(wick_bytes data, json_t **out, wick_error *err);
/* The bytes of a string; NULL data if it is none. */
wick_bytes wick_json_text(const json_t *j);
bool wick_json_is(const json_t *j, const char *text);
bool wick_json_flag(const json_t *j, const char *key, bool fallback);
/* Mistral's tekken.json, told apart by its keys. */
bool wick_json_is_tekken(const json_t *root);
wick_status wick_read_tekken(const json_t *root, wick_tok_spec *s, wick_error *err);
/* Normalizer, pre-tokenizer, post-processor and decoder. */
wick_status wick_json_stages(const json_t *root, wick_tok_spec *s, wick_error *err);

#endif
