/* The tokenizer in a GGUF's metadata (tokenizer.ggml.*). Kinds: "gpt2" (byte-level BPE with a named pre-tokenizer), "llama"
 * (SentencePiece BPE), "t5" (SentencePiece Unigram), "bert" (WordPiece). */
#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"
#include "container/container.h"
#include "text/gguf_pre.h"
#include "text/tok_spec.h"

#include <string.h>

enum { GGUF_NORMAL = 1, GGUF_UNKNOWN, GGUF_CONTROL, GGUF_USER, GGUF_UNUSED, GGUF_BYTE };

typedef struct gguf_reader {
    const wick_container *c;
    wick_tok_spec *s;
    wick_error *err;
    wick_table ids;
} gguf_reader;

static wick_bytes text_of(const gguf_reader *r, const char *key) {
    const wick_meta *m = wick_container_meta(r->c, key);
    return m && m->kind == WICK_META_STRING ? m->s : (wick_bytes){0};
}

static bool is(wick_bytes b, const char *text) { return b.size == strlen(text) && !memcmp(b.data, text, b.size); }

static bool flag_of(const gguf_reader *r, const char *key, bool fallback) {
    const wick_meta *m = wick_container_meta(r->c, key);
    return m && m->kind == WICK_META_BOOL ? m->i != 0 : fallback;
}

static wick_status id_of(const gguf_reader *r, const char *key, int32_t *out) {
    int64_t id;
    WICK_TRY(wick_container_int(r->c, key, -1, &id, r->err));
    *out = id >= 0 && (uint64_t)id < r->s->n_token ? (int32_t)id : -1;
    return WICK_OK;
}

static uint32_t flags_of_type(int64_t type) {
    switch (type) {
    case GGUF_UNKNOWN: return WICK_TOKEN_UNKNOWN;
    case GGUF_CONTROL: return WICK_TOKEN_CONTROL;
    case GGUF_USER: return WICK_TOKEN_USER;
    case GGUF_UNUSED: return WICK_TOKEN_UNUSED;
    case GGUF_BYTE: return WICK_TOKEN_BYTE;
    default: return 0;
    }
}

static wick_status read_tokens(gguf_reader *r) {
    const wick_meta *tokens = wick_container_meta(r->c, "tokenizer.ggml.tokens"),
                    *types = wick_container_meta(r->c, "tokenizer.ggml.token_type");
    const wick_meta *scores = wick_container_meta(r->c, "tokenizer.ggml.scores");
    if (!tokens || tokens->kind != WICK_META_ARRAY || tokens->item_kind != WICK_META_STRING)
        return wick_fail(r->err, WICK_ENOTFOUND, "the GGUF has no tokenizer.ggml.tokens");
    if (types && (types->kind != WICK_META_ARRAY || types->n_item != tokens->n_item)) types = NULL;
    if (scores && (scores->kind != WICK_META_ARRAY || scores->n_item != tokens->n_item)) scores = NULL;
    uint64_t at = 0, type_at = 0, score_at = 0;
    wick_meta_item item, type, score;
    for (uint64_t id = 0; wick_meta_next(tokens, &at, &item); id++) {
        uint32_t flags = types && wick_meta_next(types, &type_at, &type) ? flags_of_type(type.i) : 0;
        double x = scores && wick_meta_next(scores, &score_at, &score) ? score.f : 0;
        WICK_TRY(wick_spec_token_set(r->s, id, item.s.data, item.s.size, flags, x, r->err));
        if (!wick_table_get(&r->ids, item.s.data, item.s.size, NULL) && !wick_table_set(&r->ids, item.s.data, item.s.size, id))
            return wick_fail_nomem(r->err);
    }
    return r->s->n_token == tokens->n_item
               ? WICK_OK
               : wick_fail(r->err, WICK_EFORMAT, "tokenizer.ggml.tokens ends after %zu of its tokens", r->s->n_token);
}

static wick_status read_merges(gguf_reader *r) {
    const wick_meta *merges = wick_container_meta(r->c, "tokenizer.ggml.merges");
    if (!merges || merges->kind != WICK_META_ARRAY || merges->item_kind != WICK_META_STRING)
        return wick_fail(r->err, WICK_ENOTFOUND, "the GGUF has no tokenizer.ggml.merges");
    wick_strbuf both = {0};
    wick_status status = WICK_OK;
    wick_meta_item m;
    uint64_t at = 0;
    for (uint32_t rank = 0; wick_meta_next(merges, &at, &m); rank++) {
        const uint8_t *space = m.s.size > 1 ? memchr(m.s.data + 1, ' ', m.s.size - 1) : NULL;
        uint64_t left, right, made;
        if (!space) {
            status = wick_fail(r->err, WICK_EFORMAT, "tokenizer.ggml.merges: item %u is not a pair of tokens", rank);
            break;
        }
        size_t a = (size_t)(space - m.s.data), b = m.s.size - a - 1;
        wick_strbuf_reset(&both);
        wick_strbuf_add(&both, m.s.data, a);
        wick_strbuf_add(&both, space + 1, b);
        if (both.failed)
            status = wick_fail_nomem(r->err);
        else if (!wick_table_get(&r->ids, m.s.data, a, &left) || !wick_table_get(&r->ids, space + 1, b, &right) ||
                 !wick_table_get(&r->ids, both.data, both.size, &made))
            continue; /* llama.cpp passes over merges of what is no token */
        if (status == WICK_OK) status = wick_spec_merge(r->s, (uint32_t)left, (uint32_t)right, rank, (uint32_t)made, r->err);
        if (status != WICK_OK) break;
    }
    wick_strbuf_release(&both);
    return status;
}

/* Control and user-defined tokens are looked for in the raw text. */
static wick_status add_specials(gguf_reader *r) {
    for (size_t i = 0; i < r->s->n_token; i++) {
        wick_spec_token *t = &r->s->tokens[i];
        uint32_t flags = t->flags & (WICK_TOKEN_CONTROL | WICK_TOKEN_UNKNOWN) ? WICK_ADDED_SPECIAL : 0;
        if (!flags && !(t->flags & WICK_TOKEN_USER)) continue;
        if (flags) t->flags |= WICK_TOKEN_SPECIAL;
        t->flags &= ~(uint32_t)(WICK_TOKEN_CONTROL | WICK_TOKEN_UNKNOWN | WICK_TOKEN_USER);
        char *text = wick_strndup(r->s->pool.data + t->at, t->size);
        if (!text) return wick_fail_nomem(r->err);
        wick_status status = wick_spec_added(r->s, (uint32_t)i, text, t->size, flags, r->err);
        wick_free(text);
        if (status != WICK_OK) return status;
    }
    return WICK_OK;
}

/* ---- byte-level BPE */

static wick_status read_byte_level(gguf_reader *r) {
    bool bos = false;
    const wick_bytes none = {0};
    r->s->config.model = WICK_TOK_BPE;
    WICK_TRY(wick_gguf_pre(r->s, text_of(r, "tokenizer.ggml.pre"), &bos, r->err));
    WICK_TRY(read_merges(r));
    WICK_TRY(add_specials(r));
    WICK_TRY(wick_spec_op(r->s, WICK_STAGE_DECODE, (wick_tok_op){.kind = WICK_DEC_BYTE_LEVEL}, none, none, r->err));
    if (flag_of(r, "tokenizer.ggml.add_bos_token", bos) && r->s->config.bos_id >= 0)
        WICK_TRY(wick_spec_around(r->s, false, r->s->config.bos_id, r->err));
    return WICK_OK;
}

/* ---- SentencePiece */

static wick_status read_pieces(gguf_reader *r, bool unigram) {
    wick_tok_config *c = &r->s->config;
    const wick_meta *map = wick_container_meta(r->c, "tokenizer.ggml.precompiled_charsmap");
    bool bytes = false;
    int32_t unk;
    c->model = unigram ? WICK_TOK_UNIGRAM : WICK_TOK_BPE;
    for (size_t i = 0; i < r->s->n_token; i++) bytes = bytes || r->s->tokens[i].flags & WICK_TOKEN_BYTE;
    c->flags = WICK_TOK_SENTENCEPIECE | WICK_TOK_FUSE_UNK | (bytes ? WICK_TOK_BYTE_FALLBACK : 0);
    WICK_TRY(id_of(r, "tokenizer.ggml.unknown_token_id", &unk));
    if (unk < 0)
        for (size_t i = 0; i < r->s->n_token && unk < 0; i++)
            if (r->s->tokens[i].flags & WICK_TOKEN_UNKNOWN) unk = (int32_t)i;
    if (unk >= 0) {
        c->unk_id = (uint32_t)unk;
        r->s->tokens[unk].flags |= WICK_TOKEN_UNKNOWN;
    }
    uint32_t flags = WICK_OP_ESCAPE;
    if (flag_of(r, "tokenizer.ggml.add_space_prefix", true)) flags |= WICK_OP_DUMMY_PREFIX;
    if (!flag_of(r, "tokenizer.ggml.remove_extra_whitespaces", false)) flags |= WICK_OP_EXTRA_SPACES;
    int32_t bos = c->bos_id;
    if (!flag_of(r, "tokenizer.ggml.add_bos_token", !unigram)) c->bos_id = -1;
    wick_status status = wick_spec_sentencepiece(r->s, flags, map && map->kind == WICK_META_ARRAY ? map->s : (wick_bytes){0},
                                                 (wick_bytes){(const uint8_t *)" \xe2\x81\x87 ", 5}, r->err);
    c->bos_id = bos;
    if (status == WICK_OK && flag_of(r, "tokenizer.ggml.add_eos_token", unigram) && c->eos_id >= 0)
        status = wick_spec_around(r->s, true, c->eos_id, r->err);
    return status;
}

/* ---- WordPiece: llama.cpp keeps U+2581 before pieces that begin a word, and nothing where WordPiece has ## */

static wick_status restore_piece(wick_tok_spec *s, size_t id, bool *cased, wick_error *err) {
    wick_spec_token t = s->tokens[id];
    const char *text = s->pool.data + t.at;
    bool bracketed = t.size > 1 && text[0] == '[' && text[t.size - 1] == ']', first = t.size >= 3 && !memcmp(text, "\xe2\x96\x81", 3);
    if (bracketed || t.flags & WICK_TOKEN_CONTROL) return WICK_OK;
    for (size_t i = 0; i < t.size; i++) *cased = *cased || (text[i] >= 'A' && text[i] <= 'Z');
    wick_strbuf piece = {0};
    if (!first) wick_strbuf_puts(&piece, "##");
    wick_strbuf_add(&piece, text + (first ? 3 : 0), t.size - (first ? 3 : 0));
    wick_status status = piece.failed ? wick_fail_nomem(err) : wick_spec_token_set(s, id, piece.data, piece.size, t.flags, t.score, err);
    wick_strbuf_release(&piece);
    return status;
}

/* BERT's pipeline. The metadata do not say whether capitals count: they do if some piece has one. */
static wick_status bert_steps(wick_tok_spec *s, bool cased, wick_error *err) {
    const wick_bytes none = {0}, mark = {(const uint8_t *)"##", 2};
    uint32_t flags = WICK_OP_CLEAN | WICK_OP_CHINESE | (cased ? 0 : WICK_OP_ACCENTS | WICK_OP_LOWER);
    s->config.prefix_size = (uint32_t)mark.size;
    WICK_TRY(wick_spec_string(s, mark.data, mark.size, &s->config.prefix_at, err));
    WICK_TRY(wick_spec_op(s, WICK_STAGE_NORMALIZE, (wick_tok_op){.kind = WICK_NORM_BERT, .flags = flags}, none, none, err));
    WICK_TRY(wick_spec_op(s, WICK_STAGE_PRE, (wick_tok_op){.kind = WICK_PRE_BERT}, none, none, err));
    return wick_spec_op(s, WICK_STAGE_DECODE, (wick_tok_op){.kind = WICK_DEC_WORDPIECE, .flags = WICK_OP_CLEAN}, mark, none, err);
}

static wick_status read_word_pieces(gguf_reader *r) {
    wick_tok_config *c = &r->s->config;
    int32_t unk, first, last;
    bool cased = false;
    c->model = WICK_TOK_WORDPIECE;
    c->max_chars = 100;
    WICK_TRY(id_of(r, "tokenizer.ggml.unknown_token_id", &unk));
    WICK_TRY(id_of(r, "tokenizer.ggml.cls_token_id", &first));
    WICK_TRY(id_of(r, "tokenizer.ggml.seperator_token_id", &last)); /* spelled so by the converter */
    if (last < 0) WICK_TRY(id_of(r, "tokenizer.ggml.separator_token_id", &last));
    if (unk >= 0) c->unk_id = (uint32_t)unk;
    if (first >= 0) c->bos_id = first;
    if (last >= 0) c->eos_id = last;
    for (size_t id = 0; id < r->s->n_token; id++) WICK_TRY(restore_piece(r->s, id, &cased, r->err));
    WICK_TRY(add_specials(r));
    WICK_TRY(bert_steps(r->s, cased, r->err));
    if (flag_of(r, "tokenizer.ggml.add_bos_token", true) && c->bos_id >= 0) WICK_TRY(wick_spec_around(r->s, false, c->bos_id, r->err));
    if (flag_of(r, "tokenizer.ggml.add_eos_token", true) && c->eos_id >= 0) WICK_TRY(wick_spec_around(r->s, true, c->eos_id, r->err));
    return WICK_OK;
}

/* ---- */

wick_status wick_read_gguf_tokenizer(const wick_container *c, wick_tok_spec *s, wick_error *err) {
    gguf_reader r = {.c = c, .s = s, .err = err};
    wick_status status = WICK_OK;
    wick_bytes model = text_of(&r, "tokenizer.ggml.model");
    WICK_CHECK_GOTO(read_tokens(&r));
    WICK_CHECK_GOTO(id_of(&r, "tokenizer.ggml.bos_token_id", &s->config.bos_id));
    WICK_CHECK_GOTO(id_of(&r, "tokenizer.ggml.eos_token_id", &s->config.eos_id));
    if (is(model, "gpt2"))
        status = read_byte_level(&r);
    else if (is(model, "llama"))
        status = read_pieces(&r, false);
    else if (is(model, "t5"))
        status = read_pieces(&r, true);
    else if (is(model, "bert"))
        status = read_word_pieces(&r);
    else
        status = wick_fail(err, WICK_EUNSUPPORTED, "tokenizer.ggml.model is \"%.*s\", which Wick does not know",
                           (int)(model.size < 60 ? model.size : 60), model.data ? (const char *)model.data : "");
out:
    wick_table_release(&r.ids);
    return status;
}
