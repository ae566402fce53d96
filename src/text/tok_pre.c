/* Pre-tokenizers: each cuts (and perhaps changes) a piece and hands what it finds to the next level at once. */
#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tok_regex.h"
#include "text/tok_split.h"
#include "text/tokenizer.h"

#include <string.h>

static wick_status model_encode(wick_encoder *e, const char *s, size_t n) {
    switch (e->t->config.model) {
    case WICK_TOK_UNIGRAM: return wick_unigram_encode(e, s, n);
    case WICK_TOK_WORDPIECE:
    case WICK_TOK_WORDLEVEL: return wick_wordpiece_encode(e, s, n);
    default: return wick_bpe_encode(e, s, n);
    }
}

/* ---- what becomes of matches and of what lies between them */

typedef struct cutter {
    wick_encoder *e;
    uint32_t level; /* of the next pre-tokenizer */
    const char *s;
    bool at_start;
    uint32_t behavior;
    bool held, last_match; /* a piece that the next item may join; whether the last item was a match */
    size_t from, to;
} cutter;

static wick_status cut_emit(cutter *c, size_t from, size_t to) {
    if (from == to) return WICK_OK;
    return wick_pre_run(c->e, c->level, c->s + from, to - from, c->at_start && from == 0);
}

static wick_status cut_flush(cutter *c) {
    if (!c->held) return WICK_OK;
    c->held = false;
    return cut_emit(c, c->from, c->to);
}

/* The next item: items cover the piece without gaps. */
static wick_status cut_item(cutter *c, size_t from, size_t to, bool match) {
    bool join = false;
    switch (c->behavior) {
    case WICK_SPLIT_REMOVED: return match ? WICK_OK : cut_emit(c, from, to);
    case WICK_SPLIT_ISOLATED: return cut_emit(c, from, to);
    case WICK_SPLIT_PREVIOUS: join = match && !c->last_match; break;
    case WICK_SPLIT_NEXT: join = !match && c->last_match; break;
    default: join = match == c->last_match; break;
    }
    c->last_match = match;
    if (join && c->held) {
        c->to = to;
        return WICK_OK;
    }
    WICK_TRY(cut_flush(c));
    c->held = true;
    c->from = from, c->to = to;
    return WICK_OK;
}

/* ---- matchers */

typedef bool is_match_fn(uint32_t cp);
static bool is_number(uint32_t cp) { return wick_char_class(cp) & WICK_CH_NUMBER; }
static bool is_punct(uint32_t cp) { return wick_char_late(WICK_LATE_PUNCTUATION, cp, wick_char_class(cp) & WICK_CH_PUNCT); }
static bool is_space(uint32_t cp) { return wick_char_class(cp) & WICK_CH_SPACE; }

/* Every character of a kind is a match of its own. */
static inline __attribute__((always_inline)) wick_status cut_chars(cutter *c, size_t n, is_match_fn *is) {
    size_t from = 0;
    for (size_t i = 0, size; i < n; i += size) {
        if (!is(wick_char_at(c->s + i, &size))) continue;
        if (from < i) WICK_TRY(cut_item(c, from, i, false));
        WICK_TRY(cut_item(c, i, i + size, true));
        from = i + size;
    }
    if (from < n) WICK_TRY(cut_item(c, from, n, false));
    return cut_flush(c);
}

static wick_status cut_text(cutter *c, size_t n, wick_bytes what, bool invert) {
    size_t from = 0;
    for (size_t i = 0; what.size && i + what.size <= n;) {
        const char *hit = memchr(c->s + i, what.data[0], n - i - what.size + 1);
        if (!hit) break;
        i = (size_t)(hit - c->s);
        if (memcmp(hit, what.data, what.size) != 0) {
            i++;
            continue;
        }
        if (from < i) WICK_TRY(cut_item(c, from, i, invert));
        WICK_TRY(cut_item(c, i, i + what.size, !invert));
        from = i += what.size;
    }
    if (from < n) WICK_TRY(cut_item(c, from, n, invert));
    return cut_flush(c);
}

static wick_status cut_regex(cutter *c, size_t n, wick_regex *re, bool invert) {
    size_t done = 0, at = 0;
    while (at <= n) {
        size_t from, to;
        WICK_TRY(wick_regex_find(re, c->s, n, at, &from, &to, c->e->err));
        if (from == SIZE_MAX) break;
        if (from == to) { /* an empty match cuts nothing */
            at = to < n ? to + wick_char_size(c->s[to]) : n + 1;
            continue;
        }
        if (done < from) WICK_TRY(cut_item(c, done, from, invert));
        WICK_TRY(cut_item(c, from, to, !invert));
        done = at = to;
    }
    if (done < n) WICK_TRY(cut_item(c, done, n, invert));
    return cut_flush(c);
}

/* `\w+|[^\w\s]+`, the rest is dropped. */
static wick_status cut_whitespace(cutter *c, size_t n) {
    size_t from = 0;
    int last = 0; /* 1: word, 2: other, 0: white space */
    for (size_t i = 0, size; i < n; i += size) {
        uint32_t cp = wick_char_at(c->s + i, &size);
        int kind = wick_is_word(cp) ? 1 : is_space(cp) ? 0 : 2;
        if (kind == last) continue;
        if (last) WICK_TRY(cut_emit(c, from, i));
        from = i;
        last = kind;
    }
    return last ? cut_emit(c, from, n) : WICK_OK;
}

static wick_status cut_scripts(cutter *c, size_t n) {
    size_t from = SIZE_MAX; /* white space before the first script is dropped, as in the reference */
    unsigned last = 0;
    for (size_t i = 0, size; i < n; i += size) {
        unsigned script = wick_char_script(wick_char_at(c->s + i, &size));
        if (!script || script == last) continue;
        if (from != SIZE_MAX) WICK_TRY(cut_emit(c, from, i));
        from = i;
        last = script;
    }
    return from == SIZE_MAX ? WICK_OK : cut_emit(c, from, n);
}

static wick_status cut_fixed(cutter *c, size_t n, uint32_t length) {
    size_t from = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < n; i += wick_char_size(c->s[i])) {
        if (count++ && (count - 1) % length == 0) {
            WICK_TRY(cut_emit(c, from, i));
            from = i;
        }
    }
    return cut_emit(c, from, n);
}

/* True if nothing is left to do before the model: GPT-2's alphabet changes nothing where the vocabulary is kept as bytes. */
static bool ends_at(const wick_tokenizer *t, uint32_t level) {
    if (level == t->n_op[WICK_STAGE_PRE]) return true;
    const wick_tok_op *op = &t->ops[WICK_STAGE_PRE][level];
    return level + 1 == t->n_op[WICK_STAGE_PRE] && t->config.flags & WICK_TOK_BYTE_DOMAIN && op->kind == WICK_PRE_BYTE_LEVEL &&
           !(op->flags & (WICK_OP_PREFIX_SPACE | WICK_OP_USE_REGEX));
}

/* Words that go straight to a BPE, in handfuls. */
static wick_status cut_words(wick_encoder *e, wick_splitter_fn *next, const char *s, size_t n) {
    for (size_t at = 0, from = 0; at < n; from = at) {
        size_t ends[WICK_BPE_WORDS], k = 0;
        for (; k < WICK_BPE_WORDS && at < n; k++) ends[k] = (at = next(s, at, n)) - from;
        WICK_TRY(wick_bpe_encode_words(e, s + from, ends, k));
    }
    return WICK_OK;
}

static wick_status cut_known(cutter *c, size_t n, uint32_t splitter) {
    wick_splitter_fn *next = wick_splitter_get((wick_splitter_kind)splitter);
    if (c->e->t->config.model == WICK_TOK_BPE && ends_at(c->e->t, c->level)) return cut_words(c->e, next, c->s, n);
    for (size_t at = 0; at < n;) {
        size_t end = next(c->s, at, n);
        WICK_TRY(wick_pre_run(c->e, c->level, c->s + at, end - at, c->at_start && at == 0));
        at = end;
    }
    return WICK_OK;
}

/* ---- those that change text */

/* GPT-2's alphabet for a piece, when the vocabulary is kept in it. */
static wick_status run_mapped(wick_encoder *e, uint32_t level, const char *s, size_t n) {
    if (e->t->config.flags & WICK_TOK_BYTE_DOMAIN) return wick_pre_run(e, level + 1, s, n, false);
    wick_text *b = &e->scratch->pre[level];
    wick_edit edit = wick_edit_init(s, n, wick_trail_find(e->trail, s), b);
    for (size_t i = 0; i < n; i++)
        wick_edit_put_char(&edit, wick_alphabet_char((uint8_t)s[i]),
                           ((unsigned char)s[i] & 0xc0) == 0x80 ? WICK_EDIT_AFTER : WICK_EDIT_INSTEAD);
    if (b->text.failed) return wick_fail_nomem(e->err);
    wick_trail_layer(e->trail, WICK_LAYER_PRE + 2 * (int)level + 1, b->text.data, b->text.size, b->from.at);
    return wick_pre_run(e, level + 1, b->text.data, b->text.size, false);
}

static wick_status pre_byte_level(wick_encoder *e, uint32_t level, const wick_tok_op *op, const char *s, size_t n) {
    wick_text prefixed = {0};
    wick_status status = WICK_OK;
    if (op->flags & WICK_OP_PREFIX_SPACE && s[0] != ' ') {
        wick_edit edit = wick_edit_init(s, n, wick_trail_find(e->trail, s), &prefixed);
        wick_edit_put(&edit, " ", 1, WICK_EDIT_BEFORE);
        wick_edit_keep(&edit, n);
        if (prefixed.text.failed) status = wick_fail_nomem(e->err);
        s = prefixed.text.data;
        n = prefixed.text.size;
        wick_trail_layer(e->trail, WICK_LAYER_PRE + 2 * (int)level, s, n, prefixed.from.at);
    }
    wick_splitter_fn *next = wick_splitter_get(WICK_SPLITTER_GPT2);
    bool words = op->flags & WICK_OP_USE_REGEX && e->t->config.flags & WICK_TOK_BYTE_DOMAIN && ends_at(e->t, level + 1);
    if (words && status == WICK_OK) status = cut_words(e, next, s, n);
    for (size_t at = 0; !words && status == WICK_OK && at < n;) {
        size_t end = op->flags & WICK_OP_USE_REGEX ? next(s, at, n) : n;
        status = run_mapped(e, level, s + at, end - at);
        at = end;
    }
    if (prefixed.text.data) wick_trail_layer(e->trail, WICK_LAYER_PRE + 2 * (int)level, NULL, 0, NULL);
    wick_text_release(&prefixed);
    return status;
}

static wick_status pre_metaspace(wick_encoder *e, uint32_t level, const wick_tok_op *op, const char *s, size_t n, bool at_start) {
    wick_bytes with = wick_tok_op_a(e->t, op);
    wick_text *b = &e->scratch->pre[level];
    wick_edit edit = wick_edit_init(s, n, wick_trail_find(e->trail, s), b);
    bool starts = (n >= with.size && !memcmp(s, with.data, with.size)) || s[0] == ' ';
    if (!starts && (op->value == WICK_PREPEND_ALWAYS || (op->value == WICK_PREPEND_FIRST && at_start)))
        wick_edit_put(&edit, with.data, with.size, WICK_EDIT_BEFORE);
    while (edit.at < n) {
        const char *space = memchr(s + edit.at, ' ', n - edit.at);
        wick_edit_keep(&edit, (space ? (size_t)(space - s) : n) - edit.at);
        if (space) wick_edit_put(&edit, with.data, with.size, WICK_EDIT_INSTEAD);
    }
    if (b->text.failed) return wick_fail_nomem(e->err);
    wick_trail_layer(e->trail, WICK_LAYER_PRE + 2 * (int)level, b->text.data, b->text.size, b->from.at);
    if (!(op->flags & WICK_OP_SPLIT)) return wick_pre_run(e, level + 1, b->text.data, b->text.size, at_start);
    cutter c = {.e = e, .level = level + 1, .s = b->text.data, .at_start = at_start, .behavior = WICK_SPLIT_NEXT};
    return cut_text(&c, b->text.size, with, false);
}

static wick_status pre_bert(wick_encoder *e, uint32_t level, const char *s, size_t n) {
    for (size_t i = 0, size; i < n;) {
        while (i < n && is_space(wick_char_at(s + i, &size))) i += size;
        size_t from = i;
        while (i < n && !is_space(wick_char_at(s + i, &size))) i += size;
        if (from == i) break;
        cutter c = {.e = e, .level = level + 1, .s = s + from, .behavior = WICK_SPLIT_ISOLATED};
        WICK_TRY(cut_chars(&c, i - from, is_punct));
    }
    return WICK_OK;
}

wick_status wick_pre_run(wick_encoder *e, uint32_t level, const char *s, size_t n, bool at_start) {
    const wick_tokenizer *t = e->t;
    if (!n) return WICK_OK;
    if (level == t->n_op[WICK_STAGE_PRE]) return model_encode(e, s, n);
    const wick_tok_op *op = &t->ops[WICK_STAGE_PRE][level];
    cutter c = {.e = e, .level = level + 1, .s = s, .at_start = at_start, .behavior = op->value};
    switch (op->kind) {
    case WICK_PRE_BYTE_LEVEL: return pre_byte_level(e, level, op, s, n);
    case WICK_PRE_SPLIT:
        if (op->splitter) return cut_known(&c, n, op->splitter);
        if (op->flags & WICK_OP_REGEX) return cut_regex(&c, n, t->regexes[WICK_STAGE_PRE][level], op->flags & WICK_OP_INVERT);
        return cut_text(&c, n, wick_tok_op_a(t, op), op->flags & WICK_OP_INVERT);
    case WICK_PRE_DIGITS:
        c.behavior = op->flags & WICK_OP_INDIVIDUAL ? WICK_SPLIT_ISOLATED : WICK_SPLIT_CONTIGUOUS;
        return cut_chars(&c, n, is_number);
    case WICK_PRE_PUNCTUATION: return cut_chars(&c, n, is_punct);
    case WICK_PRE_WHITESPACE: return cut_whitespace(&c, n);
    case WICK_PRE_WHITESPACE_SPLIT: c.behavior = WICK_SPLIT_REMOVED; return cut_chars(&c, n, is_space);
    case WICK_PRE_BERT: return pre_bert(e, level, s, n);
    case WICK_PRE_METASPACE: return pre_metaspace(e, level, op, s, n, at_start);
    case WICK_PRE_CHAR_DELIMITER: c.behavior = WICK_SPLIT_REMOVED; return cut_text(&c, n, wick_tok_op_a(t, op), false);
    case WICK_PRE_SCRIPTS: return cut_scripts(&c, n);
    case WICK_PRE_FIXED: return cut_fixed(&c, n, op->value ? op->value : 1);
    default: return wick_fail(e->err, WICK_EINTERNAL, "pre-tokenizer %u is not known", op->kind);
    }
}
