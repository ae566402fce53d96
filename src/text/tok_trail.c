/* Offsets: which bytes of the input each token stands for.
 *
 * The pipeline hands on pieces of text by pointer. Where a piece lies in a text that was rewritten on the way, that text is known here as a
 * layer with the origins of its bytes; so only what rewrites text and what emits tokens takes part. */
#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tokenizer.h"

const wick_span *wick_trail_find(const wick_trail *trail, const char *s) {
    for (int i = WICK_N_LAYER; trail && i-- > 0;) {
        uintptr_t text = (uintptr_t)trail->layers[i].text, at = (uintptr_t)s;
        if (text && at >= text && at - text <= trail->layers[i].size) return trail->layers[i].from + (at - text);
    }
    return NULL;
}

/* Characters of white space at the start or end of what a token says. U+0120 is the space of GPT-2's alphabet. */
static size_t white(wick_bytes text, bool bytes, bool at_end) {
    size_t n = 0, from = 0, to = text.size, size = 1;
    for (const char *s = (const char *)text.data; from < to; n++) {
        size_t at = at_end ? to - (bytes ? 1 : wick_char_before(s, to)) : from;
        uint32_t cp = bytes ? (uint8_t)s[at] : wick_char_at(s + at, &size);
        if (bytes ? cp != ' ' : cp != 0x120 && !(wick_char_class(cp) & WICK_CH_SPACE)) break;
        if (at_end)
            to = at;
        else
            from += size;
    }
    return n;
}

static bool inside_character(const wick_trail *trail, size_t at) {
    return at < trail->n_input && ((unsigned char)trail->input[at] & 0xc0) == 0x80;
}

/* The library counts characters, whether or not the white space of the token is in the text. */
static wick_span trim(const wick_trail *trail, const wick_tokenizer *t, wick_span span, wick_bytes text, bool bytes) {
    size_t lead = white(text, bytes, false), tail = white(text, bytes, true);
    bool first = trail->n == trail->n_around || span.from == 0;
    if (first && t->config.flags & WICK_TOK_KEEP_PREFIX && lead == 1) lead = 0;
    for (; lead && span.from < span.to; lead--) do
            span.from++;
        while (span.from < span.to && inside_character(trail, span.from));
    for (; tail && span.to > span.from; tail--) do
            span.to--;
        while (span.to > span.from && inside_character(trail, span.to));
    return span;
}

wick_status wick_trail_add(wick_trail *trail, const wick_tokenizer *t, int32_t id, const char *s, size_t n, bool added, wick_error *err) {
    wick_span span = {0, 0};
    const wick_span *from = s ? wick_trail_find(trail, s) : NULL;
    if (from && n) span = (wick_span){from[0].from, from[n - 1].to};
    if (from && t->config.flags & WICK_TOK_TRIM_OFFSETS) {
        bool bytes = !added && t->config.flags & WICK_TOK_BYTE_DOMAIN;
        wick_bytes text = added ? (wick_bytes){(const uint8_t *)s, n} : wick_tok_text(t, (uint32_t)id);
        span = trim(trail, t, span, text, bytes);
    }
    if (!WICK_GROW(trail->spans, trail->n, trail->cap)) return wick_fail_nomem(err);
    trail->spans[trail->n++] = span;
    return WICK_OK;
}
