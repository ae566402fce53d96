/* Normalizers: text to text. Each step reads one buffer and writes another; a step that would change nothing is skipped. */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/tok_chars.h"
#include "text/tok_regex.h"
#include "text/tokenizer.h"

#include <string.h>
#include <utf8proc.h>

static void put_char(wick_strbuf *b, uint32_t cp) {
    char s[4];
    size_t n = wick_utf8_encode(cp, s);
    wick_strbuf_add(b, s, n);
}

/* ---- Unicode normalization forms */

/* Below U+0300 everything is its own NFC. */
static bool composed_already(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] >= 0xcc) return false;
    return true;
}

static bool ascii(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] >= 0x80) return false;
    return true;
}

static wick_status form_part(const char *s, size_t n, int options, wick_strbuf *out, wick_error *err) {
    utf8proc_option_t o = (utf8proc_option_t)options;
    utf8proc_ssize_t count = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, NULL, 0, o);
    if (count < 0) return wick_fail(err, WICK_EFORMAT, "the text cannot be normalized: %s", utf8proc_errmsg(count));
    utf8proc_int32_t *chars = wick_alloc(((size_t)count + 1) * sizeof *chars);
    if (!chars) return wick_fail_nomem(err);
    count = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, chars, count, o);
    if (count >= 0) count = utf8proc_normalize_utf32(chars, count, o);
    for (utf8proc_ssize_t i = 0; i < count; i++) put_char(out, (uint32_t)chars[i]);
    wick_free(chars);
    return count < 0 ? wick_fail(err, WICK_EFORMAT, "the text cannot be normalized") : WICK_OK;
}

/* Hugging Face's tables are those of Unicode 9: what they do not know stays as it is and parts what is around it. */
static wick_status unicode_form(const char *s, size_t n, int options, wick_strbuf *out, wick_error *err) {
    size_t from = 0;
    for (size_t i = 0, size; i < n; i += size) {
        uint32_t cp = wick_char_at(s + i, &size);
        if (cp < 0x80 || !wick_char_late(WICK_LATE_UNFORMED, cp, false)) continue;
        if (i > from) WICK_TRY(form_part(s + from, i - from, options, out, err));
        wick_strbuf_add(out, s + i, size);
        from = i + size;
    }
    return from < n ? form_part(s + from, n - from, options, out, err) : WICK_OK;
}

static int form_options(uint32_t kind);

/* NFC of the stretches that may need it. An ASCII character composes with nothing before it, so text may be cut in front of each. */
static wick_status compose(const char *s, size_t n, wick_strbuf *out, wick_error *err) {
    for (size_t i = 0; i < n;) {
        size_t at = i;
        while (at < n && (unsigned char)s[at] < 0xcc) at++;
        size_t from = at, to = at;
        if (at < n)
            while (from > i && (unsigned char)s[from] >= 0x80) from--;
        while (to < n && (unsigned char)s[to] >= 0x80) to++;
        wick_strbuf_add(out, s + i, from - i);
        if (to > from) WICK_TRY(unicode_form(s + from, to - from, form_options(WICK_NORM_NFC), out, err));
        i = to > from ? to : n;
    }
    return WICK_OK;
}

static int form_options(uint32_t kind) {
    switch (kind) {
    case WICK_NORM_NFC: return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    case WICK_NORM_NFD: return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    case WICK_NORM_NFKC: return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    default: return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    }
}

/* ---- character by character */

static void put_lower(wick_strbuf *out, uint32_t cp) {
    if (cp == 0x130)
        wick_strbuf_add(out, "i\xcc\x87", 3);
    else
        put_char(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
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

static void by_chars(uint32_t kind, const char *s, size_t n, wick_strbuf *out) {
    for (size_t i = 0, size; i < n; i += size) {
        uint32_t cp = wick_char_at(s + i, &size);
        switch (kind) {
        case WICK_NORM_LOWER: put_lower(out, cp); break;
        case WICK_NORM_STRIP_ACCENTS:
            if (!is_accent(cp)) wick_strbuf_add(out, s + i, size);
            break;
        case WICK_NORM_NMT:
            if (!nmt_drops(cp)) put_char(out, nmt_space(cp) ? ' ' : cp);
            break;
        default: /* BYTE_LEVEL */
            for (size_t k = 0; k < size; k++) put_char(out, wick_alphabet_char((uint8_t)s[i + k]));
        }
    }
}

static bool bert_drops(uint32_t cp) { return cp == 0 || cp == 0xfffd || (cp != '\t' && cp != '\n' && cp != '\r' && is_control(cp)); }

static void bert_clean(const char *s, size_t n, uint32_t flags, wick_strbuf *out) {
    for (size_t i = 0, size; i < n; i += size) {
        uint32_t cp = wick_char_at(s + i, &size);
        if (flags & WICK_OP_CLEAN) {
            if (bert_drops(cp)) continue;
            if (wick_char_class(cp) & WICK_CH_SPACE) cp = ' ';
        }
        bool apart = flags & WICK_OP_CHINESE && chinese(cp);
        if (apart) wick_strbuf_putc(out, ' ');
        put_char(out, cp);
        if (apart) wick_strbuf_putc(out, ' ');
    }
}

static wick_status bert(const wick_tok_op *op, const char *s, size_t n, wick_strbuf *out, wick_error *err) {
    wick_strbuf clean = {0}, plain = {0};
    wick_status status = WICK_OK;
    bert_clean(s, n, op->flags, &clean);
    if (clean.failed) goto out;
    if (op->flags & WICK_OP_ACCENTS) {
        WICK_CHECK_GOTO(unicode_form(clean.data, clean.size, form_options(WICK_NORM_NFD), &plain, err));
        wick_strbuf_reset(&clean);
        for (size_t i = 0, size; i < plain.size; i += size) {
            uint32_t cp = wick_char_at(plain.data + i, &size);
            if (!is_nonspacing(cp)) wick_strbuf_add(&clean, plain.data + i, size);
        }
    }
    if (op->flags & WICK_OP_LOWER)
        by_chars(WICK_NORM_LOWER, clean.data, clean.size, out);
    else
        wick_strbuf_add(out, clean.data, clean.size);
out:
    if (status == WICK_OK && (clean.failed || plain.failed)) status = wick_fail_nomem(err);
    wick_strbuf_release(&clean);
    wick_strbuf_release(&plain);
    return status;
}

static void strip(const wick_tok_op *op, const char *s, size_t n, wick_strbuf *out) {
    size_t from = 0, size;
    while (op->flags & WICK_OP_LEFT && from < n && wick_char_class(wick_char_at(s + from, &size)) & WICK_CH_SPACE) from += size;
    while (op->flags & WICK_OP_RIGHT && n > from) {
        size = wick_char_before(s, n);
        size_t unused;
        if (!(wick_char_class(wick_char_at(s + n - size, &unused)) & WICK_CH_SPACE)) break;
        n -= size;
    }
    wick_strbuf_add(out, s + from, n - from);
}

/* ---- replacing */

void wick_replace_text(wick_bytes what, wick_bytes with, const char *s, size_t n, wick_strbuf *out) {
    size_t i = 0;
    while (what.size && i + what.size <= n) {
        const char *hit = memchr(s + i, what.data[0], n - i - what.size + 1);
        if (!hit) break;
        size_t at = (size_t)(hit - s);
        bool found = !memcmp(hit, what.data, what.size);
        wick_strbuf_add(out, s + i, at - i + !found);
        if (found) wick_strbuf_add(out, with.data, with.size);
        i = at + (found ? what.size : 1);
    }
    wick_strbuf_add(out, s + i, n - i);
}

wick_status wick_replace_regex(wick_regex *re, wick_bytes with, const char *s, size_t n, wick_strbuf *out, wick_error *err) {
    size_t done = 0, at = 0;
    while (at <= n) {
        size_t from, to;
        WICK_TRY(wick_regex_find(re, s, n, at, &from, &to, err));
        if (from == SIZE_MAX) break;
        wick_strbuf_add(out, s + done, from - done);
        wick_strbuf_add(out, with.data, with.size);
        done = to;
        at = to > from ? to : to < n ? to + wick_char_size(s[to]) : n + 1;
    }
    wick_strbuf_add(out, s + done, n - done);
    return WICK_OK;
}

/* ---- Hugging Face's reading of a precompiled map: by grapheme clusters, and the shortest entry that fits */

static void put_cluster(wick_bytes map, const char *s, size_t n, wick_strbuf *out) {
    const char *to;
    size_t to_size;
    if (n < 6 && wick_charsmap_shortest(map, s, n, &to, &to_size)) {
        wick_strbuf_add(out, to, to_size);
        return;
    }
    for (size_t i = 0, size; i < n; i += size) {
        size = wick_char_size(s[i]);
        bool mapped = wick_charsmap_shortest(map, s + i, size, &to, &to_size);
        wick_strbuf_add(out, mapped ? to : s + i, mapped ? to_size : size);
    }
}

static void precompiled(wick_bytes map, const char *s, size_t n, wick_strbuf *out) {
    utf8proc_int32_t state = 0, last = 0;
    size_t from = 0;
    for (size_t i = 0, size; i < n; i += size) {
        utf8proc_int32_t cp = (utf8proc_int32_t)wick_char_at(s + i, &size);
        if (i && utf8proc_grapheme_break_stateful(last, cp, &state)) {
            put_cluster(map, s + from, i - from, out);
            from = i;
        }
        last = cp;
    }
    put_cluster(map, s + from, n - from, out);
}

/* ---- the list */

static bool changes_nothing(const wick_tokenizer *t, const wick_tok_op *op, const char *s, size_t n) {
    switch (op->kind) {
    case WICK_NORM_NFC: return composed_already(s, n);
    case WICK_NORM_NFD:
    case WICK_NORM_NFKC:
    case WICK_NORM_NFKD:
    case WICK_NORM_STRIP_ACCENTS: return ascii(s, n);
    case WICK_NORM_REPLACE: {
        wick_bytes what = wick_tok_op_a(t, op);
        return !(op->flags & WICK_OP_REGEX) && (!what.size || !memchr(s, what.data[0], n));
    }
    default: return false;
    }
}

static wick_status run_op(const wick_tokenizer *t, uint32_t i, const char *s, size_t n, wick_strbuf *out, wick_error *err) {
    const wick_tok_op *op = &t->ops[WICK_STAGE_NORMALIZE][i];
    wick_bytes a = wick_tok_op_a(t, op), b = wick_tok_op_b(t, op);
    switch (op->kind) {
    case WICK_NORM_NFC: return compose(s, n, out, err);
    case WICK_NORM_NFD:
    case WICK_NORM_NFKC:
    case WICK_NORM_NFKD: return unicode_form(s, n, form_options(op->kind), out, err);
    case WICK_NORM_STRIP: strip(op, s, n, out); return WICK_OK;
    case WICK_NORM_PRECOMPILED: precompiled(a, s, n, out); return WICK_OK;
    case WICK_NORM_REPLACE:
        if (op->flags & WICK_OP_REGEX) return wick_replace_regex(t->regexes[WICK_STAGE_NORMALIZE][i], b, s, n, out, err);
        wick_replace_text(a, b, s, n, out);
        return WICK_OK;
    case WICK_NORM_PREPEND:
        wick_strbuf_add(out, a.data, a.size);
        wick_strbuf_add(out, s, n);
        return WICK_OK;
    case WICK_NORM_BERT: return bert(op, s, n, out, err);
    case WICK_NORM_SENTENCEPIECE: return wick_normalize_sentencepiece(t, op, s, n, out, err);
    default: by_chars(op->kind, s, n, out); return WICK_OK;
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

wick_status wick_normalize(const wick_tokenizer *t, const char *s, size_t n, wick_strbuf buffers[2], wick_normalized *out,
                           wick_error *err) {
    int which = 0;
    out->moved = false;
    for (uint32_t i = 0; i < t->n_op[WICK_STAGE_NORMALIZE] && n; i++) {
        if (changes_nothing(t, &t->ops[WICK_STAGE_NORMALIZE][i], s, n)) continue;
        out->moved = out->moved || drops_first(t, &t->ops[WICK_STAGE_NORMALIZE][i], s, n);
        wick_strbuf *b = &buffers[which];
        wick_strbuf_reset(b);
        WICK_TRY(run_op(t, i, s, n, b, err));
        if (b->failed) return wick_fail_nomem(err);
        s = b->data ? b->data : "";
        n = b->size;
        which = !which;
    }
    out->text = s;
    out->size = n;
    return WICK_OK;
}
