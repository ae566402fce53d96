#include "text/tok_edit.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/tok_chars.h"

void wick_text_release(wick_text *t) {
    wick_strbuf_release(&t->text);
    wick_free(t->from.at);
    t->from = (wick_origins){0};
}

void wick_text_reset(wick_text *t) {
    wick_strbuf_reset(&t->text);
    t->from.n = 0;
}

wick_edit wick_edit_init(const char *s, size_t n, const wick_span *from, wick_text *out) {
    wick_text_reset(out);
    return (wick_edit){.in = s, .n = n, .from = from, .out = &out->text, .to = &out->from};
}

static void push(wick_origins *o, wick_span span, size_t n) {
    for (size_t i = 0; i < n && !o->failed; i++) {
        if (!WICK_GROW(o->at, o->n, o->cap))
            o->failed = true;
        else
            o->at[o->n++] = span;
    }
}

void wick_edit_put(wick_edit *e, const void *s, size_t n, wick_edit_how how) {
    const wick_span none = {0, 0};
    wick_strbuf_add(e->out, s, n);
    if (e->from) push(e->to, how == WICK_EDIT_AFTER ? (e->at ? e->from[e->at - 1] : none) : e->at < e->n ? e->from[e->at] : none, n);
    if (how == WICK_EDIT_INSTEAD && e->at < e->n) e->at += wick_char_size(e->in[e->at]);
    if (e->to && e->to->failed) e->out->failed = true;
}

void wick_edit_put_char(wick_edit *e, uint32_t cp, wick_edit_how how) {
    char s[4];
    wick_edit_put(e, s, wick_utf8_encode(cp, s), how);
}

void wick_edit_keep(wick_edit *e, size_t n) {
    wick_strbuf_add(e->out, e->in + e->at, n);
    if (e->from)
        for (size_t i = 0; i < n; i++) push(e->to, e->from[e->at + i], 1);
    e->at += n;
    if (e->to && e->to->failed) e->out->failed = true;
}

void wick_edit_unput(wick_edit *e, size_t n) {
    e->out->size -= n;
    if (e->from) e->to->n -= n;
}
