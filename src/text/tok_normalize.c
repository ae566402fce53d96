/* Normalizers: text to text. Each step reads one buffer and writes another; a step that would change nothing is skipped. */
#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tok_form.h"
#include "text/tok_regex.h"
#include "text/tokenizer.h"

#include <string.h>
#include <utf8proc.h>

/* ---- character by character */

static void put_lower(wick_edit *e, uint32_t cp) {
    wick_edit_put_char(e, cp == 0x130 ? 'i' : (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), WICK_EDIT_INSTEAD);
    if (cp == 0x130) wick_edit_put_char(e, 0x307, WICK_EDIT_AFTER);
}

/* Hugging Face's tables for these are older than Unicode 15: exactness means to share their gaps. */
static bool is_accent(uint32_t cp) { return wick_char_late(WICK_LATE_MARK, cp, wick_char_class(cp) & WICK_CH_MARK); }
static bool is_nonspacing(uint32_t cp) {
    return wick_char_late(WICK_LATE_NONSPACING, cp, utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_MN);
}
/* What no Unicode knows is a character like others here. */
static bool is_control(uint32_t cp) {
    bool is = wick_is_other(cp) && utf8proc_category((utf8proc_int32_t)cp) != UTF8PROC_CATEGORY_CN;
    return wick_char_late(WICK_LATE_OTHER, cp, is);
}

static bool nmt_drops(uint32_t c) {
    return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool nmt_space(uint32_t c) {
    return c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
           c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

/* BERT's ranges, with its 2B920 where the block begins at 2B820. */
static bool chinese(uint32_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void keep_or_skip(wick_edit *e, size_t size, bool keep) { keep ? wick_edit_keep(e, size) : wick_edit_skip(e, size); }

static void by_chars(wick_edit *e, uint32_t kind) {
    while (e->at < e->n) {
        size_t size;
        const char *s = e->in + e->at;
        uint32_t cp = wick_char_at(s, &size);
        switch (kind) {
        case WICK_NORM_LOWER: put_lower(e, cp); break;
        case WICK_NORM_STRIP_ACCENTS: keep_or_skip(e, size, !is_accent(cp)); break;
        case WICK_NORM_NMT:
            if (!nmt_drops(cp) && nmt_space(cp))
                wick_edit_put(e, " ", 1, WICK_EDIT_INSTEAD);
            else
                keep_or_skip(e, size, !nmt_drops(cp));
            break;
        default: /* BYTE_LEVEL */
            for (size_t k = 0; k < size; k++)
                wick_edit_put_char(e, wick_alphabet_char((uint8_t)s[k]), k ? WICK_EDIT_AFTER : WICK_EDIT_INSTEAD);
        }
    }
}

static bool bert_drops(uint32_t cp) { return cp == 0 || cp == 0xfffd || (cp != '\t' && cp != '\n' && cp != '\r' && is_control(cp)); }

static void bert_clean(wick_edit *e, uint32_t flags) {
    while (e->at < e->n) {
        size_t size;
        uint32_t cp = wick_char_at(e->in + e->at, &size);
        bool clean = flags & WICK_OP_CLEAN;
        if (clean && bert_drops(cp))
            wick_edit_skip(e, size);
        else if (clean && wick_char_class(cp) & WICK_CH_SPACE)
            wick_edit_put(e, " ", 1, WICK_EDIT_INSTEAD);
        else if (flags & WICK_OP_CHINESE && chinese(cp)) {
            wick_edit_put(e, " ", 1, WICK_EDIT_BEFORE);
            wick_edit_keep(e, size);
            wick_edit_put(e, " ", 1, WICK_EDIT_AFTER);
        } else
            wick_edit_keep(e, size);
    }
}

static void drop_nonspacing(wick_edit *e) {
    while (e->at < e->n) {
        size_t size;
        uint32_t cp = wick_char_at(e->in + e->at, &size);
        keep_or_skip(e, size, !is_nonspacing(cp));
    }
}

/* An edit that goes on with what another one has written. */
static wick_edit edit_of(const wick_text *in, const wick_edit *before, wick_text *out) {
    return wick_edit_init(in->text.data ? in->text.data : "", in->text.size, before->from ? in->from.at : NULL, out);
}

static wick_status bert(wick_edit *e, const wick_tok_op *op, wick_error *err) {
    wick_text clean = {0}, plain = {0};
    wick_status status = WICK_OK;
    wick_edit step = wick_edit_init(e->in, e->n, e->from, &clean);
    bert_clean(&step, op->flags);
    if (op->flags & WICK_OP_ACCENTS && !clean.text.failed) {
        step = edit_of(&clean, e, &plain);
        WICK_CHECK_GOTO(wick_form(&step, WICK_NORM_NFD, err));
        step = edit_of(&plain, e, &clean);
        if (!plain.text.failed) drop_nonspacing(&step);
    }
    if (clean.text.failed || plain.text.failed) {
        status = wick_fail_nomem(err);
        goto out;
    }
    step = (wick_edit){.in = clean.text.data ? clean.text.data : "", .n = clean.text.size, .out = e->out, .to = e->to};
    if (e->from) step.from = clean.from.at;
    if (op->flags & WICK_OP_LOWER)
        by_chars(&step, WICK_NORM_LOWER);
    else
        wick_edit_keep(&step, step.n);
out:
    wick_text_release(&clean);
    wick_text_release(&plain);
    return status;
}

static void strip(wick_edit *e, const wick_tok_op *op) {
    size_t size, n = e->n;
    while (op->flags & WICK_OP_LEFT && e->at < n && wick_char_class(wick_char_at(e->in + e->at, &size)) & WICK_CH_SPACE)
        wick_edit_skip(e, size);
    while (op->flags & WICK_OP_RIGHT && n > e->at) {
        size = wick_char_before(e->in, n);
        size_t unused;
        if (!(wick_char_class(wick_char_at(e->in + n - size, &unused)) & WICK_CH_SPACE)) break;
        n -= size;
    }
    wick_edit_keep(e, n - e->at);
}

/* ---- replacing: what comes instead belongs to the end of what was there */

static void replace_text(wick_edit *e, wick_bytes what, wick_bytes with) {
    while (what.size && e->at + what.size <= e->n) {
        const char *s = e->in + e->at, *hit = memchr(s, what.data[0], e->n - e->at - what.size + 1);
        if (!hit) break;
        bool found = !memcmp(hit, what.data, what.size);
        wick_edit_keep(e, (size_t)(hit - s) + !found);
        if (!found) continue;
        wick_edit_skip(e, what.size);
        wick_edit_put(e, with.data, with.size, WICK_EDIT_AFTER);
    }
    wick_edit_keep(e, e->n - e->at);
}

static wick_status replace_regex(wick_edit *e, wick_regex *re, wick_bytes with, wick_error *err) {
    size_t at = 0;
    while (at <= e->n) {
        size_t from, to;
        WICK_TRY(wick_regex_find(re, e->in, e->n, at, &from, &to, err));
        if (from == SIZE_MAX) break;
        wick_edit_keep(e, from - e->at);
        wick_edit_skip(e, to - from);
        wick_edit_put(e, with.data, with.size, WICK_EDIT_AFTER);
        at = to > from ? to : to < e->n ? to + wick_char_size(e->in[to]) : e->n + 1;
    }
    wick_edit_keep(e, e->n - e->at);
    return WICK_OK;
}

void wick_replace_text(wick_bytes what, wick_bytes with, const char *s, size_t n, wick_strbuf *out) {
    wick_edit e = {.in = s, .n = n, .out = out};
    replace_text(&e, what, with);
}

wick_status wick_replace_regex(wick_regex *re, wick_bytes with, const char *s, size_t n, wick_strbuf *out, wick_error *err) {
    wick_edit e = {.in = s, .n = n, .out = out};
    return replace_regex(&e, re, with, err);
}

/* ---- Hugging Face's reading of a precompiled map: by grapheme clusters, and the shortest entry that fits */

static size_t count_chars(const char *s, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i += wick_char_size(s[i])) count++;
    return count;
}

/* Characters take the places of characters one by one; the last ones are added where there are more, and what is left is dropped. */
static void put_mapped(wick_edit *e, size_t n, const char *to, size_t to_size) {
    size_t end = e->at + n, places = count_chars(e->in + e->at, n);
    for (size_t i = 0, size; i < to_size; i += size) {
        size = wick_char_size(to[i]);
        wick_edit_put(e, to + i, size, places ? WICK_EDIT_INSTEAD : WICK_EDIT_AFTER);
        if (places) places--;
    }
    e->at = end;
}

static void put_cluster(wick_edit *e, wick_bytes map, size_t n) {
    const char *to;
    size_t to_size, end = e->at + n;
    if (n < 6 && wick_charsmap_shortest(map, e->in + e->at, n, &to, &to_size)) {
        put_mapped(e, n, to, to_size);
        return;
    }
    while (e->at < end) {
        size_t size = wick_char_size(e->in[e->at]);
        if (wick_charsmap_shortest(map, e->in + e->at, size, &to, &to_size))
            put_mapped(e, size, to, to_size);
        else
            wick_edit_keep(e, size);
    }
}

static void precompiled(wick_edit *e, wick_bytes map) {
    utf8proc_int32_t state = 0, last = 0;
    for (size_t i = 0, size; i < e->n; i += size) {
        utf8proc_int32_t cp = (utf8proc_int32_t)wick_char_at(e->in + i, &size);
        if (i && utf8proc_grapheme_break_stateful(last, cp, &state)) put_cluster(e, map, i - e->at);
        last = cp;
    }
    put_cluster(e, map, e->n - e->at);
}

/* ---- the list */

static bool changes_nothing(const wick_tokenizer *t, const wick_tok_op *op, const char *s, size_t n) {
    switch (op->kind) {
    case WICK_NORM_NFC:
    case WICK_NORM_NFD:
    case WICK_NORM_NFKC:
    case WICK_NORM_NFKD:
    case WICK_NORM_STRIP_ACCENTS: return wick_form_already(op->kind, s, n);
    case WICK_NORM_REPLACE: {
        wick_bytes what = wick_tok_op_a(t, op);
        return !(op->flags & WICK_OP_REGEX) && (!what.size || !memchr(s, what.data[0], n));
    }
    default: return false;
    }
}

static wick_status run_op(const wick_tokenizer *t, uint32_t i, wick_edit *e, wick_error *err) {
    const wick_tok_op *op = &t->ops[WICK_STAGE_NORMALIZE][i];
    wick_bytes a = wick_tok_op_a(t, op), b = wick_tok_op_b(t, op);
    switch (op->kind) {
    case WICK_NORM_NFC:
    case WICK_NORM_NFD:
    case WICK_NORM_NFKC:
    case WICK_NORM_NFKD: return wick_form(e, op->kind, err);
    case WICK_NORM_STRIP: strip(e, op); return WICK_OK;
    case WICK_NORM_PRECOMPILED: precompiled(e, a); return WICK_OK;
    case WICK_NORM_REPLACE:
        if (op->flags & WICK_OP_REGEX) return replace_regex(e, t->regexes[WICK_STAGE_NORMALIZE][i], b, err);
        replace_text(e, a, b);
        return WICK_OK;
    case WICK_NORM_PREPEND:
        wick_edit_put(e, a.data, a.size, WICK_EDIT_BEFORE);
        wick_edit_keep(e, e->n);
        return WICK_OK;
    case WICK_NORM_BERT: return bert(e, op, err);
    case WICK_NORM_SENTENCEPIECE: return wick_normalize_sentencepiece(t, op, e, err);
    default: by_chars(e, op->kind); return WICK_OK;
    }
}

/* True if the step drops the character that the text begins with. */
static bool drops_first(const wick_tokenizer *t, const wick_tok_op *op, const char *s, size_t n) {
    size_t size;
    uint32_t cp = wick_char_at(s, &size);
    switch (op->kind) {
    case WICK_NORM_STRIP: return op->flags & WICK_OP_LEFT && wick_char_class(cp) & WICK_CH_SPACE;
    case WICK_NORM_STRIP_ACCENTS: return is_accent(cp);
    case WICK_NORM_NMT: return nmt_drops(cp);
    case WICK_NORM_BERT: return op->flags & WICK_OP_CLEAN && bert_drops(cp);
    case WICK_NORM_REPLACE:
        return !op->b_size && !(op->flags & WICK_OP_REGEX) && op->a_size && n >= op->a_size && !memcmp(s, t->pool + op->a_at, op->a_size);
    default: return false;
    }
}

wick_status wick_normalize(const wick_tokenizer *t, const char *s, size_t n, const wick_span *from, wick_text buffers[2],
                           wick_normalized *out, wick_error *err) {
    int which = 0;
    out->moved = false;
    for (uint32_t i = 0; i < t->n_op[WICK_STAGE_NORMALIZE] && n; i++) {
        if (changes_nothing(t, &t->ops[WICK_STAGE_NORMALIZE][i], s, n)) continue;
        out->moved = out->moved || drops_first(t, &t->ops[WICK_STAGE_NORMALIZE][i], s, n);
        wick_text *b = &buffers[which];
        wick_edit e = wick_edit_init(s, n, from, b);
        WICK_TRY(run_op(t, i, &e, err));
        if (b->text.failed) return wick_fail_nomem(err);
        s = b->text.data ? b->text.data : "";
        n = b->text.size;
        if (from) from = b->from.at;
        which = !which;
    }
    out->text = s;
    out->size = n;
    out->from = from;
    return WICK_OK;
}
