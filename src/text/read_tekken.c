/* Mistral's tekken.json: tiktoken's ranks with their pattern in one JSON object.
 *
 * {"config": {"pattern", "default_vocab_size", "default_num_special_tokens", "version"}, "vocab": [{"rank", "token_bytes"} ...],
 * "special_tokens": [{"rank", "token_str"} ...] or none}. The special tokens come first, then the ranks, as many of them as make up
 * default_vocab_size: the list is often longer. Special tokens without a name are <SPECIAL_n>. */
#include "base/limits.h"
#include "base/mem.h"
#include "text/read_json.h"
#include "text/tok_base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tekken_reader {
    wick_tok_spec *s;
    wick_error *err;
    int64_t n_token, n_special;
} tekken_reader;

static wick_status read_sizes(tekken_reader *r, const json_t *config) {
    const json_t *n = json_object_get(config, "default_vocab_size"), *special = json_object_get(config, "default_num_special_tokens");
    r->n_token = json_integer_value(n);
    r->n_special = json_integer_value(special);
    if (!json_is_integer(n) || r->n_token < 1 || r->n_token > WICK_MAX_VOCAB)
        return wick_fail(r->err, WICK_EFORMAT, "config.default_vocab_size is %" PRId64 ", expected 1 to %d", r->n_token, WICK_MAX_VOCAB);
    if (!json_is_integer(special) || r->n_special < 0 || r->n_special > r->n_token)
        return wick_fail(r->err, WICK_EFORMAT, "config.default_num_special_tokens is %" PRId64 ", expected 0 to %" PRId64, r->n_special,
                         r->n_token);
    return WICK_OK;
}

static wick_status read_ranks(tekken_reader *r, const json_t *vocab) {
    int64_t n = r->n_token - r->n_special;
    wick_strbuf bytes = {0};
    wick_status status = WICK_OK;
    if ((int64_t)json_array_size(vocab) < n)
        return wick_fail(r->err, WICK_EFORMAT, "vocab has %zu tokens, config.default_vocab_size wants %" PRId64, json_array_size(vocab), n);
    for (int64_t i = 0; i < n && status == WICK_OK; i++) {
        const json_t *item = json_array_get(vocab, (size_t)i), *rank = json_object_get(item, "rank");
        wick_bytes text = wick_json_text(json_object_get(item, "token_bytes"));
        wick_strbuf_reset(&bytes);
        if (!json_is_integer(rank) || json_integer_value(rank) != i)
            status = wick_fail(r->err, WICK_EFORMAT, "vocab: token %" PRId64 " does not have that rank", i);
        else if (!text.data || wick_base64_add(text.data, text.data + text.size, &bytes) != text.data + text.size || !bytes.size)
            status = wick_fail(r->err, WICK_EFORMAT, "vocab: the token_bytes of token %" PRId64 " are not base64", i);
        else if (bytes.failed)
            status = wick_fail_nomem(r->err);
        else
            status = wick_spec_token_set(r->s, (uint64_t)(i + r->n_special), bytes.data, bytes.size, 0, 0, r->err);
    }
    wick_strbuf_release(&bytes);
    return status;
}

/* ---- special tokens */

static wick_status add_special(tekken_reader *r, int64_t id, const char *text, size_t size) {
    if (id < 0 || id >= r->n_special || (r->s->tokens && r->s->tokens[id].flags & WICK_TOKEN_PRESENT))
        return wick_fail(r->err, WICK_EFORMAT, "special_tokens: \"%.60s\" has the rank %" PRId64 ", which is taken or not below %" PRId64,
                         text, id, r->n_special);
    WICK_TRY(wick_spec_token_set(r->s, (uint64_t)id, text, size, WICK_TOKEN_SPECIAL | WICK_TOKEN_ADDED_ONLY, 0, r->err));
    if (size == 3 && !memcmp(text, "<s>", 3)) r->s->config.bos_id = (int32_t)id;
    if (size == 4 && !memcmp(text, "</s>", 4)) r->s->config.eos_id = (int32_t)id;
    return wick_spec_added(r->s, (uint32_t)id, text, size, WICK_ADDED_SPECIAL, r->err);
}

/* Files of the versions up to 7 need not name their special tokens. */
static wick_status add_usual(tekken_reader *r, const json_t *config) {
    static const char *const usual[] = {"<unk>",
                                        "<s>",
                                        "</s>",
                                        "[INST]",
                                        "[/INST]",
                                        "[AVAILABLE_TOOLS]",
                                        "[/AVAILABLE_TOOLS]",
                                        "[TOOL_RESULTS]",
                                        "[/TOOL_RESULTS]",
                                        "[TOOL_CALLS]",
                                        "[IMG]",
                                        "<pad>",
                                        "[IMG_BREAK]",
                                        "[IMG_END]",
                                        "[PREFIX]",
                                        "[MIDDLE]",
                                        "[SUFFIX]",
                                        "[SYSTEM_PROMPT]",
                                        "[/SYSTEM_PROMPT]",
                                        "[TOOL_CONTENT]"};
    const char *version = json_string_value(json_object_get(config, "version"));
    if (version && *version == 'v' && atoi(version + 1) > 7)
        return wick_fail(r->err, WICK_EFORMAT, "a tekken.json of version %.20s should have special_tokens", version);
    for (int64_t i = 0; i < (int64_t)(sizeof usual / sizeof *usual) && i < r->n_special; i++)
        WICK_TRY(add_special(r, i, usual[i], strlen(usual[i])));
    return WICK_OK;
}

static wick_status read_special(tekken_reader *r, const json_t *list, const json_t *config) {
    size_t i;
    json_t *item;
    if (!json_is_array(list)) WICK_TRY(add_usual(r, config));
    json_array_foreach(list, i, item) {
        wick_bytes text = wick_json_text(json_object_get(item, "token_str"));
        const json_t *rank = json_object_get(item, "rank");
        if (!text.size || !json_is_integer(rank))
            return wick_fail(r->err, WICK_EFORMAT, "special_tokens: item %zu has no token_str or rank", i);
        WICK_TRY(add_special(r, json_integer_value(rank), (const char *)text.data, text.size));
    }
    for (int64_t id = 0; id < r->n_special; id++) {
        char name[40];
        if ((size_t)id < r->s->n_token && r->s->tokens[id].flags & WICK_TOKEN_PRESENT) continue;
        snprintf(name, sizeof name, "<SPECIAL_%" PRId64 ">", id);
        WICK_TRY(add_special(r, id, name, strlen(name)));
    }
    return WICK_OK;
}

/* ---- */

bool wick_json_is_tekken(const json_t *root) {
    return json_is_array(json_object_get(root, "vocab")) && json_is_object(json_object_get(root, "config"));
}

wick_status wick_read_tekken(const json_t *root, wick_tok_spec *s, wick_error *err) {
    tekken_reader r = {.s = s, .err = err};
    const json_t *config = json_object_get(root, "config");
    wick_bytes pattern = wick_json_text(json_object_get(config, "pattern"));
    if (!pattern.data) return wick_fail(err, WICK_EFORMAT, "config.pattern is not a string");
    WICK_TRY(read_sizes(&r, config));
    s->config.model = WICK_TOK_BPE;
    s->config.flags = WICK_TOK_BYTE_DOMAIN | WICK_TOK_IGNORE_MERGES | WICK_TOK_DECODE_APART;
    WICK_TRY(read_ranks(&r, json_object_get(root, "vocab")));
    WICK_TRY(wick_spec_implied_merges(s, 0, true, true, err));
    WICK_TRY(read_special(&r, json_object_get(root, "special_tokens"), config));
    WICK_TRY(wick_spec_pattern(s, (const char *)pattern.data, pattern.size, WICK_SPLIT_ISOLATED, WICK_OP_PLAIN_PATTERN, err));
    WICK_TRY(wick_spec_op(s, WICK_STAGE_DECODE, (wick_tok_op){.kind = WICK_DEC_BYTE_LEVEL}, (wick_bytes){0}, (wick_bytes){0}, err));
    return s->config.bos_id >= 0 ? wick_spec_around(s, false, s->config.bos_id, err) : WICK_OK;
}
