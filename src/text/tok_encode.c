/* Encoding: the driver. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/tok_words.h"
#include "text/tokenizer.h"

#include <string.h>

wick_status wick_encoder_emit(wick_encoder *e, int32_t id, const char *s, size_t n) {
    if (e->trail) WICK_TRY(wick_trail_add(e->trail, e->t, id, s, n, false, e->err));
    if (!WICK_GROW(e->ids, e->n, e->cap)) return wick_fail_nomem(e->err);
    e->ids[e->n++] = id;
    return WICK_OK;
}

/* A token found in the text itself. */
static wick_status emit_added(wick_encoder *e, int32_t id, const char *s, size_t n) {
    if (e->trail) WICK_TRY(wick_trail_add(e->trail, e->t, id, s, n, true, e->err));
    if (!WICK_GROW(e->ids, e->n, e->cap)) return wick_fail_nomem(e->err);
    e->ids[e->n++] = id;
    return WICK_OK;
}

uint32_t *wick_scratch_u32(wick_tok_scratch *s, int which, size_t n) {
    if (n > s->u32_cap[which]) {
        size_t want = n + n / 2 + 64;
        uint32_t *p = wick_realloc(s->u32[which], want, sizeof *p);
        if (!p) return NULL;
        s->u32[which] = p;
        s->u32_cap[which] = want;
    }
    return s->u32[which] ? s->u32[which] : wick_scratch_u32(s, which, 64);
}

void wick_tok_scratch_free(wick_tok_scratch *s) {
    if (!s) return;
    for (int i = 0; i < 2; i++) wick_text_release(&s->norm[i]);
    for (size_t i = 0; i < sizeof s->pre / sizeof *s->pre; i++) wick_text_release(&s->pre[i]);
    wick_strbuf_release(&s->fixed);
    for (size_t i = 0; i < sizeof s->u32 / sizeof *s->u32; i++) wick_free(s->u32[i]);
    wick_free(s->f64);
    wick_free(s->heap);
    wick_words_free(s->words);
    wick_free(s);
}

/* Gives back what one long text has needed: a tokenizer lives long. */
static void shrink(wick_tok_scratch *s) {
    enum { KEEP = 1 << 20 };
    for (int i = 0; i < 2; i++)
        if (s->norm[i].text.cap > KEEP || s->norm[i].from.cap) wick_text_release(&s->norm[i]);
    for (size_t i = 0; i < sizeof s->pre / sizeof *s->pre; i++)
        if (s->pre[i].text.cap > KEEP || s->pre[i].from.cap) wick_text_release(&s->pre[i]);
    for (size_t i = 0; i < sizeof s->u32 / sizeof *s->u32; i++)
        if (s->u32_cap[i] > KEEP / 4) {
            wick_free(s->u32[i]);
            s->u32[i] = NULL, s->u32_cap[i] = 0;
        }
    if (s->heap_cap > KEEP / 8) {
        wick_free(s->heap);
        s->heap = NULL, s->heap_cap = 0;
    }
    if (s->f64_cap > KEEP / 8) {
        wick_free(s->f64);
        s->f64 = NULL, s->f64_cap = 0;
    }
}

/* Normalized text between raw added tokens: cut at the added tokens that are looked for here, the rest goes on. */
static wick_status encode_normalized(wick_encoder *e, const char *s, size_t n, bool at_start) {
    /* Offsets of the input mean nothing in normalized text: with input about, no special token is looked for there. */
    bool special = e->flags & WICK_ENCODE_PARSE_SPECIAL && !e->n_input;
    wick_added_scan scan = {.t = e->t, .list = 1, .parse_special = special, .s = s, .n = n};
    for (size_t from = 0;;) {
        wick_added_match m = wick_added_next(&scan);
        if (m.from > from) WICK_TRY(wick_pre_run(e, 0, s + from, m.from - from, at_start && from == 0));
        if (m.id < 0) return WICK_OK;
        WICK_TRY(emit_added(e, m.id, s + m.start, m.to - m.start));
        from = m.to;
    }
}

static wick_status encode_segment(wick_encoder *e, const char *s, size_t n, bool at_start) {
    wick_normalized norm;
    WICK_TRY(wick_normalize(e->t, s, n, wick_trail_find(e->trail, s), e->scratch->norm, &norm, e->err));
    wick_trail_layer(e->trail, WICK_LAYER_NORMALIZED, norm.text == s ? NULL : norm.text, norm.size, norm.from);
    if (e->t->config.flags & WICK_TOK_SENTENCEPIECE) return wick_pre_run(e, 0, norm.text, norm.size, at_start);
    return encode_normalized(e, norm.text, norm.size, at_start && !norm.moved);
}

static wick_status encode_text(wick_encoder *e, const char *s, size_t n) {
    wick_added_scan scan = {.t = e->t,
                            .list = 0,
                            .parse_special = e->flags & WICK_ENCODE_PARSE_SPECIAL,
                            .s = s,
                            .n = n,
                            .input = e->input,
                            .n_input = e->n_input};
    for (size_t from = 0;;) {
        wick_added_match m = wick_added_next(&scan);
        if (m.from > from) WICK_TRY(encode_segment(e, s + from, m.from - from, from == 0));
        if (m.id < 0) return WICK_OK;
        WICK_TRY(emit_added(e, m.id, s + m.start, m.to - m.start));
        from = m.to;
    }
}

/* A copy with U+FFFD for each maximal invalid part. */
static wick_status repair(const char *s, size_t n, wick_strbuf *out, wick_error *err) {
    for (size_t i = 0, used; i < n; i += used) {
        bool valid = wick_utf8_decode(s + i, n - i, NULL, &used);
        wick_strbuf_add(out, valid ? s + i : "\xef\xbf\xbd", valid ? used : 3);
    }
    return out->failed ? wick_fail_nomem(err) : WICK_OK;
}

/* Origins of the text as it will be read: those of each character, or of each invalid part. */
static wick_status input_layer(wick_encoder *e, const char *s, size_t n, const char *read, size_t n_read, wick_origins *from) {
    if (!(from->at = WICK_NEW_ARRAY(wick_span, n_read + 1))) return wick_fail_nomem(e->err);
    for (size_t i = 0, used; i < n; i += used) {
        size_t size = wick_utf8_decode(s + i, n - i, NULL, &used) ? used : 3;
        for (size_t k = 0; k < size; k++) from->at[from->n++] = (wick_span){i, i + used};
    }
    e->trail->input = s;
    e->trail->n_input = n;
    wick_trail_layer(e->trail, WICK_LAYER_INPUT, read, n_read, from->at);
    return WICK_OK;
}

static wick_status encode_all(wick_encoder *e, const char *text, size_t size) {
    const wick_tok_config *c = &e->t->config;
    wick_strbuf repaired = {0};
    wick_origins from = {0};
    const char *read = text;
    size_t n_read = size;
    wick_status status = WICK_OK;
    if (!wick_utf8_valid(text, size)) {
        WICK_CHECK_GOTO(repair(text, size, &repaired, e->err));
        read = repaired.data;
        n_read = repaired.size;
    }
    if (e->trail) WICK_CHECK_GOTO(input_layer(e, text, size, read, n_read, &from));
    for (uint32_t i = 0; e->flags & WICK_ENCODE_ADD_SPECIAL && i < c->n_prefix; i++)
        WICK_CHECK_GOTO(wick_encoder_emit(e, e->t->post[i], NULL, 0));
    if (e->trail) e->trail->n_around = e->trail->n;
    WICK_CHECK_GOTO(encode_text(e, read, n_read));
    for (uint32_t i = 0; e->flags & WICK_ENCODE_ADD_SPECIAL && i < c->n_suffix; i++)
        WICK_CHECK_GOTO(wick_encoder_emit(e, e->t->post[c->n_prefix + i], NULL, 0));
out:
    wick_strbuf_release(&repaired);
    wick_free(from.at);
    return status;
}

static wick_status run(wick_encoder *e, const char *text, size_t size, int32_t **ids, size_t *n) {
    *ids = NULL;
    *n = 0;
    if (!text && size) return wick_fail(e->err, WICK_EINVAL, "there is no text to encode");
    e->scratch = e->t->scratch;
    e->cap = size / 3 + 16;
    e->ids = wick_alloc(e->cap * sizeof *e->ids);
    if (!e->ids) return wick_fail_nomem(e->err);
    wick_status status = encode_all(e, text ? text : "", size);
    shrink(e->scratch);
    if (status != WICK_OK) {
        wick_free(e->ids);
        return status;
    }
    *ids = e->ids;
    *n = e->n;
    return WICK_OK;
}

wick_status wick_tokenizer_encode(const wick_tokenizer *t, const char *text, size_t size, unsigned flags, int32_t **ids, size_t *n,
                                  wick_error *err) {
    wick_encoder e = {.t = t, .flags = flags, .err = err};
    return run(&e, text, size, ids, n);
}

wick_status wick_tokenizer_encode_spans(const wick_tokenizer *t, const char *text, size_t size, unsigned flags, int32_t **ids,
                                        wick_span **spans, size_t *n, wick_error *err) {
    wick_encoder e = {.t = t, .flags = flags, .err = err};
    *ids = NULL;
    *spans = NULL;
    if (!(e.trail = WICK_NEW(wick_trail))) return wick_fail_nomem(err);
    wick_status status = WICK_GROW(e.trail->spans, 0, e.trail->cap) ? run(&e, text, size, ids, n) : wick_fail_nomem(err);
    if (status == WICK_OK)
        *spans = e.trail->spans;
    else
        wick_free(e.trail->spans);
    wick_free(e.trail);
    return status;
}

wick_status wick_tokenizer_encode_rendered(const wick_tokenizer *t, const wick_rendered *r, int32_t **ids, size_t *n, wick_error *err) {
    wick_encoder e = {.t = t, .flags = WICK_ENCODE_PARSE_SPECIAL, .input = r->input, .n_input = r->n_input, .err = err};
    return run(&e, r->text, r->size, ids, n);
}

void wick_tokens_free(int32_t *ids) { wick_free(ids); }
void wick_spans_free(wick_span *spans) { wick_free(spans); }
void wick_text_free(char *text) { wick_free(text); }

int64_t wick_tokenizer_n_vocab(const wick_tokenizer *t) { return t->config.n_token; }
int32_t wick_tokenizer_bos(const wick_tokenizer *t) { return t->config.bos_id; }
int32_t wick_tokenizer_eos(const wick_tokenizer *t) { return t->config.eos_id; }

bool wick_tokenizer_is_special(const wick_tokenizer *t, int32_t id) {
    return id >= 0 && (uint32_t)id < t->config.n_token && t->token_flags[id] & (WICK_TOKEN_SPECIAL | WICK_TOKEN_CONTROL);
}

int32_t wick_tokenizer_id(const wick_tokenizer *t, const char *piece, size_t size) {
    for (int list = 0; list < 2; list++) {
        int32_t i = wick_added_longest(t, list, piece, size);
        if (i >= 0 && t->added[list][i].size == size) return (int32_t)t->added[list][i].id;
    }
    return wick_tok_find(t, piece, size);
}
