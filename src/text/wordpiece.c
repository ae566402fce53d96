/* WordPiece (greedy longest match, then pieces with a prefix) and WordLevel (the whole word or unknown). */
#include "text/tok_chars.h"
#include "text/tokenizer.h"

#include <string.h>

static wick_status unknown(wick_encoder *e, const char *s, size_t n) {
    if (e->t->config.unk_id == UINT32_MAX)
        return wick_fail(e->err, WICK_EFORMAT, "the text has an unknown word, and the tokenizer has no token for that");
    return wick_encoder_emit(e, (int32_t)e->t->config.unk_id, s, n);
}

/* The longest piece at s + at; 0 bytes: none. */
static size_t longest(wick_encoder *e, const char *s, size_t at, size_t n, int32_t *id) {
    const wick_tokenizer *t = e->t;
    wick_strbuf *b = &e->scratch->fixed;
    wick_strbuf_reset(b);
    size_t mark = at ? t->config.prefix_size : 0, size = n - at;
    if (mark + size > t->config.max_piece) {
        if (mark >= t->config.max_piece) return 0;
        size = t->config.max_piece - mark;
        while (size && ((unsigned char)s[at + size] & 0xc0) == 0x80) size--;
    }
    wick_strbuf_add(b, t->pool + t->config.prefix_at, mark);
    wick_strbuf_add(b, s + at, size);
    if (b->failed) return 0;
    for (; size; size -= wick_char_before(s + at, size))
        if ((*id = wick_tok_find(t, b->data, mark + size)) >= 0) return size;
    return 0;
}

wick_status wick_wordpiece_encode(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    if (t->config.model == WICK_TOK_WORDLEVEL) {
        int32_t id = wick_tok_find(t, s, n);
        return id >= 0 ? wick_encoder_emit(e, id, s, n) : unknown(e, s, n);
    }
    size_t chars = 0;
    for (size_t i = 0; i < n; i += wick_char_size(s[i])) chars++;
    if (chars > t->config.max_chars) return unknown(e, s, n);
    size_t before = e->n;
    for (size_t at = 0; at < n;) {
        int32_t id;
        size_t size = longest(e, s, at, n, &id);
        if (e->scratch->fixed.failed) return wick_fail_nomem(e->err);
        if (!size) {
            if (e->trail) e->trail->n -= e->n - before;
            e->n = before;
            return unknown(e, s, n);
        }
        WICK_TRY(wick_encoder_emit(e, id, s + at, size));
        at += size;
    }
    return WICK_OK;
}
