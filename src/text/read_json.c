/* Hugging Face's tokenizer.json: vocabulary, merges and added tokens. The stages are read by read_json_stages.c. */
#include "text/read_json.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

wick_status wick_json_load(wick_bytes data, json_t **out, wick_error *err) {
    json_error_t e;
    if (data.size > WICK_MAX_JSON)
        return wick_fail(err, WICK_ELIMIT, "the JSON is %zu bytes long, the limit is %u", data.size, WICK_MAX_JSON);
    *out = json_loadb((const char *)data.data, data.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
    if (!*out) return wick_fail(err, WICK_EFORMAT, "line %d, column %d: not JSON: %s", e.line, e.column, e.text);
    return WICK_OK;
}

wick_bytes wick_json_text(const json_t *j) {
    return json_is_string(j) ? (wick_bytes){(const uint8_t *)json_string_value(j), json_string_length(j)} : (wick_bytes){0};
}

bool wick_json_is(const json_t *j, const char *text) { return json_is_string(j) && !strcmp(json_string_value(j), text); }
bool wick_json_flag(const json_t *j, const char *key, bool fallback) {
    const json_t *v = json_object_get(j, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

typedef struct json_reader {
    wick_tok_spec *s;
    wick_error *err;
    wick_table ids; /* piece -> id */
} json_reader;

static wick_status find_id(const json_reader *r, wick_bytes text, const char *what, uint32_t *id) {
    uint64_t v;
    if (!wick_table_get(&r->ids, text.data, text.size, &v))
        return wick_fail(r->err, WICK_EFORMAT, "%s names the token \"%.*s\", which is not in the vocabulary", what,
                         (int)(text.size < 80 ? text.size : 80), text.data);
    *id = (uint32_t)v;
    return WICK_OK;
}

static wick_status add_piece(json_reader *r, wick_bytes text, int64_t id, double score) {
    if (id < 0) return wick_fail(r->err, WICK_EFORMAT, "a token has the id %" PRId64, id);
    WICK_TRY(wick_spec_token_set(r->s, (uint64_t)id, text.data, text.size, 0, score, r->err));
    /* Unigram lists may name a piece twice: the last one is what text becomes. */
    return wick_table_set(&r->ids, text.data, text.size, (uint64_t)id) ? WICK_OK : wick_fail_nomem(r->err);
}

static wick_status read_vocab(json_reader *r, json_t *vocab) {
    const char *key;
    size_t size;
    json_t *id;
    if (!json_is_object(vocab)) return wick_fail(r->err, WICK_EFORMAT, "model.vocab should be an object of tokens and ids");
    json_object_keylen_foreach(vocab, key, size, id) {
        if (!json_is_integer(id))
            return wick_fail(r->err, WICK_EFORMAT, "model.vocab: the id of \"%.*s\" is not an integer", (int)(size < 80 ? size : 80), key);
        WICK_TRY(add_piece(r, (wick_bytes){(const uint8_t *)key, size}, json_integer_value(id), 0));
    }
    return WICK_OK;
}

/* A score as the library reads it. Its JSON parser (serde_json) does not round correctly: it divides the digits, as an integer, by a power
 * of ten, and is off by a bit now and then; between equal ways to cut a text that bit decides. Files hold the shortest digits that
 * name a number, so they can be had back from it. */
static double library_score(double x) {
    char digits[32];
    int precision = 15;
    do snprintf(digits, sizeof digits, "%.*e", precision - 1, x);
    while (strtod(digits, NULL) != x && ++precision <= 17);
    uint64_t integer = 0;
    int dropped = 0, zeros = 0;
    const char *p = digits + (*digits == '-');
    bool fraction = false;
    for (; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9') {
            fraction = true;
            continue;
        }
        integer = integer * 10 + (uint64_t)(*p - '0');
        dropped += fraction;
    }
    for (; integer && integer % 10 == 0; integer /= 10) zeros++;
    if (*p != 'e' || !integer) return x;
    int exponent = atoi(p + 1) - dropped + zeros;
    if (exponent < -300 || exponent > 0) return x;
    char power[16];
    snprintf(power, sizeof power, "1e%d", -exponent);
    double size = (double)integer / strtod(power, NULL);
    return x < 0 ? -size : size;
}

static wick_status read_scored_vocab(json_reader *r, json_t *vocab) {
    size_t i;
    json_t *item;
    double lowest = 0;
    if (!json_is_array(vocab))
        return wick_fail(r->err, WICK_EFORMAT, "model.vocab of a Unigram model should be a list of pieces and scores");
    json_array_foreach(vocab, i, item) {
        json_t *text = json_array_get(item, 0), *score = json_array_get(item, 1);
        if (!json_is_string(text) || !json_is_number(score))
            return wick_fail(r->err, WICK_EFORMAT, "model.vocab: item %zu is not a piece with a score", i);
        double x = library_score(json_number_value(score));
        if (!i || x < lowest) lowest = x;
        WICK_TRY(add_piece(r, wick_json_text(text), (int64_t)i, x));
    }
    r->s->config.min_score = lowest - 10.0;
    return WICK_OK;
}

/* ---- merges: "a b" or ["a", "b"] */

static wick_status merge_parts(json_reader *r, const json_t *item, size_t i, wick_bytes *a, wick_bytes *b) {
    if (json_is_array(item) && json_array_size(item) == 2) {
        *a = wick_json_text(json_array_get(item, 0));
        *b = wick_json_text(json_array_get(item, 1));
        return WICK_OK;
    }
    wick_bytes text = wick_json_text(item);
    const uint8_t *space = text.data ? memchr(text.data, ' ', text.size) : NULL;
    if (!space) return wick_fail(r->err, WICK_EFORMAT, "model.merges: item %zu is not a pair of tokens", i);
    *a = (wick_bytes){text.data, (size_t)(space - text.data)};
    *b = (wick_bytes){space + 1, text.size - a->size - 1};
    return WICK_OK;
}

static wick_status read_merges(json_reader *r, json_t *merges) {
    size_t i, prefix = r->s->config.prefix_size;
    json_t *item;
    wick_strbuf both = {0};
    wick_status status = WICK_OK;
    json_array_foreach(merges, i, item) {
        wick_bytes a = {0}, b = {0};
        uint32_t left = 0, right = 0, made = 0;
        WICK_CHECK_GOTO(merge_parts(r, item, i, &a, &b));
        WICK_CHECK_GOTO(find_id(r, a, "model.merges", &left));
        WICK_CHECK_GOTO(find_id(r, b, "model.merges", &right));
        wick_strbuf_reset(&both);
        wick_strbuf_add(&both, a.data, a.size);
        if (b.size >= prefix) wick_strbuf_add(&both, b.data + prefix, b.size - prefix);
        if (both.failed) {
            status = wick_fail_nomem(r->err);
            goto out;
        }
        WICK_CHECK_GOTO(find_id(r, (wick_bytes){(const uint8_t *)both.data, both.size}, "model.merges", &made));
        WICK_CHECK_GOTO(wick_spec_merge(r->s, left, right, (uint32_t)i, made, r->err));
    }
out:
    wick_strbuf_release(&both);
    return status;
}

/* ---- the model */

static wick_status read_unk(json_reader *r, const json_t *model) {
    const json_t *token = json_object_get(model, "unk_token"), *id = json_object_get(model, "unk_id");
    if (json_is_integer(id)) {
        if (json_integer_value(id) < 0 || (uint64_t)json_integer_value(id) >= r->s->n_token)
            return wick_fail(r->err, WICK_EFORMAT, "model.unk_id is not in the vocabulary");
        r->s->config.unk_id = (uint32_t)json_integer_value(id);
    } else if (json_is_string(token)) {
        uint64_t v;
        wick_bytes text = wick_json_text(token);
        if (wick_table_get(&r->ids, text.data, text.size, &v)) r->s->config.unk_id = (uint32_t)v;
    }
    return WICK_OK;
}

static wick_tok_model model_kind(const json_t *model) {
    const json_t *type = json_object_get(model, "type");
    if (wick_json_is(type, "Unigram")) return WICK_TOK_UNIGRAM;
    if (wick_json_is(type, "WordPiece")) return WICK_TOK_WORDPIECE;
    if (wick_json_is(type, "WordLevel")) return WICK_TOK_WORDLEVEL;
    if (wick_json_is(type, "BPE") || json_object_get(model, "merges")) return WICK_TOK_BPE;
    if (json_is_array(json_object_get(model, "vocab"))) return WICK_TOK_UNIGRAM;
    if (json_object_get(model, "continuing_subword_prefix")) return WICK_TOK_WORDPIECE;
    return type ? WICK_TOK_N_MODEL : WICK_TOK_WORDLEVEL;
}

static wick_status read_affixes(json_reader *r, const json_t *model) {
    wick_tok_config *c = &r->s->config;
    wick_bytes prefix = wick_json_text(json_object_get(model, "continuing_subword_prefix"));
    wick_bytes suffix = wick_json_text(json_object_get(model, "end_of_word_suffix"));
    if (c->model == WICK_TOK_WORDPIECE && !json_object_get(model, "continuing_subword_prefix"))
        prefix = (wick_bytes){(const uint8_t *)"##", 2};
    c->prefix_size = (uint32_t)prefix.size;
    c->suffix_size = (uint32_t)suffix.size;
    WICK_TRY(wick_spec_string(r->s, prefix.data, prefix.size, &c->prefix_at, r->err));
    return wick_spec_string(r->s, suffix.data, suffix.size, &c->suffix_at, r->err);
}

static wick_status read_model(json_reader *r, const json_t *model) {
    wick_tok_config *c = &r->s->config;
    if (!json_is_object(model)) return wick_fail(r->err, WICK_EFORMAT, "a tokenizer.json should have a model");
    wick_tok_model kind = model_kind(model);
    if (kind == WICK_TOK_N_MODEL) return wick_fail(r->err, WICK_EUNSUPPORTED, "the model is of an unknown type");
    c->model = kind;
    if (wick_json_flag(model, "byte_fallback", false)) c->flags |= WICK_TOK_BYTE_FALLBACK;
    if (wick_json_flag(model, "fuse_unk", kind == WICK_TOK_UNIGRAM)) c->flags |= WICK_TOK_FUSE_UNK;
    if (wick_json_flag(model, "ignore_merges", false)) c->flags |= WICK_TOK_IGNORE_MERGES;
    const json_t *most = json_object_get(model, "max_input_chars_per_word");
    c->max_chars = json_is_integer(most) && json_integer_value(most) >= 0 ? (uint32_t)json_integer_value(most) : 100;
    json_t *vocab = json_object_get(model, "vocab");
    WICK_TRY(kind == WICK_TOK_UNIGRAM ? read_scored_vocab(r, vocab) : read_vocab(r, vocab));
    WICK_TRY(read_affixes(r, model));
    if (kind == WICK_TOK_BPE) WICK_TRY(read_merges(r, json_object_get(model, "merges")));
    return read_unk(r, model);
}

static wick_status read_added(json_reader *r, const json_t *list) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        wick_bytes text = wick_json_text(json_object_get(item, "content"));
        json_t *id = json_object_get(item, "id");
        uint64_t known;
        if (!text.data || !json_is_integer(id) || json_integer_value(id) < 0)
            return wick_fail(r->err, WICK_EFORMAT, "added_tokens: item %zu has no content or id", i);
        uint32_t flags = 0, n = (uint32_t)json_integer_value(id);
        if (wick_json_flag(item, "single_word", false)) flags |= WICK_ADDED_SINGLE_WORD;
        if (wick_json_flag(item, "lstrip", false)) flags |= WICK_ADDED_LSTRIP;
        if (wick_json_flag(item, "rstrip", false)) flags |= WICK_ADDED_RSTRIP;
        if (wick_json_flag(item, "special", false)) flags |= WICK_ADDED_SPECIAL;
        if (wick_json_flag(item, "normalized", !(flags & WICK_ADDED_SPECIAL))) flags |= WICK_ADDED_NORMALIZED;
        if (wick_table_get(&r->ids, text.data, text.size, &known))
            n = (uint32_t)known; /* the model's own id wins */
        else {
            WICK_TRY(add_piece(r, text, json_integer_value(id), 0));
            r->s->tokens[n].flags |= WICK_TOKEN_ADDED_ONLY;
        }
        if (flags & WICK_ADDED_SPECIAL) r->s->tokens[n].flags |= WICK_TOKEN_SPECIAL;
        WICK_TRY(wick_spec_added(r->s, n, text.data, text.size, flags, r->err));
    }
    return WICK_OK;
}

/* ---- BOS and EOS: the file does not say; these are what models call them */

static int32_t by_name(const json_reader *r, const char *const *names) {
    uint64_t id;
    for (; *names; names++)
        if (wick_table_get(&r->ids, *names, strlen(*names), &id)) return (int32_t)id;
    return -1;
}

static void guess_ends(json_reader *r) {
    static const char *const bos[] = {"<|begin_of_text|>", "<bos>", "<s>", "<|startoftext|>", "[CLS]", NULL};
    static const char *const eos[] = {"<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<eos>", "</s>", "<|endoftext|>", "[SEP]", NULL};
    r->s->config.bos_id = r->s->config.n_prefix ? r->s->prefix[0] : by_name(r, bos);
    r->s->config.eos_id = r->s->config.n_suffix ? r->s->suffix[r->s->config.n_suffix - 1] : by_name(r, eos);
}

wick_status wick_read_tokenizer_json(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    json_t *root = NULL;
    json_reader r = {.s = s, .err = err};
    wick_status status = WICK_OK;
    WICK_CHECK_GOTO(wick_json_load(data, &root, err));
    if (wick_json_is_tekken(root)) {
        status = wick_read_tekken(root, s, err);
        goto out;
    }
    WICK_CHECK_GOTO(read_model(&r, json_object_get(root, "model")));
    WICK_CHECK_GOTO(read_added(&r, json_object_get(root, "added_tokens")));
    WICK_CHECK_GOTO(wick_json_stages(root, s, err));
    guess_ends(&r);
out:
    wick_table_release(&r.ids);
    json_decref(root);
    return status;
}

/* ---- tokenizer_config.json */

static wick_bytes token_text(const json_t *v) { return wick_json_text(json_is_object(v) ? json_object_get(v, "content") : v); }

static void set_end(const wick_tok_spec *s, const json_t *v, int32_t *id) {
    wick_bytes text = token_text(v);
    for (size_t i = s->n_added; text.data && i-- > 0;)
        if (s->added[i].size == text.size && !memcmp(s->pool.data + s->added[i].at, text.data, text.size)) *id = (int32_t)s->added[i].id;
}

wick_status wick_read_tokenizer_config(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    json_t *root;
    WICK_TRY(wick_json_load(data, &root, err));
    set_end(s, json_object_get(root, "bos_token"), &s->config.bos_id);
    set_end(s, json_object_get(root, "eos_token"), &s->config.eos_id);
    json_decref(root);
    return WICK_OK;
}
