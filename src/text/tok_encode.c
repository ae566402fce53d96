/* Encoding: the driver. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

#include <string.h>

wick_status wick_encoder_emit(wick_encoder *e, int32_t id) {
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
    for (int i = 0; i < 2; i++) wick_strbuf_release(&s->norm[i]);
    for (size_t i = 0; i < sizeof s->pre / sizeof *s->pre; i++) wick_strbuf_release(&s->pre[i]);
    wick_strbuf_release(&s->fixed);
    for (int i = 0; i < 4; i++) wick_free(s->u32[i]);
    wick_free(s->f64);
    wick_free(s->heap);
    wick_free(s->cache);
    wick_free(s);
}

/* Gives back what one long text has needed: a tokenizer lives long. */
static void shrink(wick_tok_scratch *s) {
    enum { KEEP = 1 << 20 };
    for (int i = 0; i < 2; i++)
        if (s->norm[i].cap > KEEP) wick_strbuf_release(&s->norm[i]);
    for (size_t i = 0; i < sizeof s->pre / sizeof *s->pre; i++)
        if (s->pre[i].cap > KEEP) wick_strbuf_release(&s->pre[i]);
    for (int i = 0; i < 4; i++)
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
        WICK_TRY(wick_encoder_emit(e, m.id));
        from = m.to;
    }
}

static wick_status encode_segment(wick_encoder *e, const char *s, size_t n, bool at_start) {
    wick_normalized norm;
    WICK_TRY(wick_normalize(e->t, s, n, e->scratch->norm, &norm, e->err));
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
        WICK_TRY(wick_encoder_emit(e, m.id));
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

static wick_status encode_all(wick_encoder *e, const char *text, size_t size) {
    const wick_tok_config *c = &e->t->config;
    wick_strbuf repaired = {0};
    wick_status status = WICK_OK;
    if (!wick_utf8_valid(text, size)) {
        WICK_CHECK_GOTO(repair(text, size, &repaired, e->err));
        text = repaired.data;
        size = repaired.size;
    }
    for (uint32_t i = 0; e->flags & WICK_ENCODE_ADD_SPECIAL && i < c->n_prefix; i++) WICK_CHECK_GOTO(wick_encoder_emit(e, e->t->post[i]));
    WICK_CHECK_GOTO(encode_text(e, text, size));
    for (uint32_t i = 0; e->flags & WICK_ENCODE_ADD_SPECIAL && i < c->n_suffix; i++)
        WICK_CHECK_GOTO(wick_encoder_emit(e, e->t->post[c->n_prefix + i]));
out:
    wick_strbuf_release(&repaired);
    return status;
}

static wick_status encode(const wick_tokenizer *t, const char *text, size_t size, unsigned flags, const wick_span *input, size_t n_input,
                          int32_t **ids, size_t *n, wick_error *err) {
    *ids = NULL;
    *n = 0;
    if (!text && size) return wick_fail(err, WICK_EINVAL, "there is no text to encode");
    wick_encoder e = {.t = t, .flags = flags, .scratch = t->scratch, .input = input, .n_input = n_input, .err = err};
    e.cap = size / 3 + 16;
    e.ids = wick_alloc(e.cap * sizeof *e.ids);
    if (!e.ids) return wick_fail_nomem(err);
    wick_status status = encode_all(&e, text ? text : "", size);
    shrink(t->scratch);
    if (status != WICK_OK) {
        wick_free(e.ids);
        return status;
    }
    *ids = e.ids;
    *n = e.n;
    return WICK_OK;
}

wick_status wick_tokenizer_encode(const wick_tokenizer *t, const char *text, size_t size, unsigned flags, int32_t **ids, size_t *n,
                                  wick_error *err) {
    return encode(t, text, size, flags, NULL, 0, ids, n, err);
}

wick_status wick_tokenizer_encode_rendered(const wick_tokenizer *t, const wick_rendered *r, int32_t **ids, size_t *n, wick_error *err) {
    return encode(t, r->text, r->size, WICK_ENCODE_PARSE_SPECIAL, r->input, r->n_input, ids, n, err);
}

void wick_tokens_free(int32_t *ids) { wick_free(ids); }
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
