/* Normalization forms. Text alone takes utf8proc's way; where the origins of bytes are wanted, the steps are done here, one character at a
 * time, because they decide what belongs to what. */
#include "text/tok_form.h"

#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <utf8proc.h>

static utf8proc_option_t options_of(uint32_t kind) {
    switch (kind) {
    case WICK_NORM_NFC: return (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    case WICK_NORM_NFD: return (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    case WICK_NORM_NFKC: return (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    default: return (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
    }
}

bool wick_form_already(uint32_t kind, const char *s, size_t n) {
    unsigned char first = kind == WICK_NORM_NFC ? 0xcc : 0x80; /* below U+0300 everything is its own NFC */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] >= first) return false;
    return true;
}

/* ---- text alone */

static wick_status form_part(wick_edit *e, size_t n, utf8proc_option_t o, wick_error *err) {
    const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)e->in + e->at;
    utf8proc_ssize_t count = utf8proc_decompose(s, (utf8proc_ssize_t)n, NULL, 0, o);
    if (count < 0) return wick_fail(err, WICK_EFORMAT, "the text cannot be normalized: %s", utf8proc_errmsg(count));
    utf8proc_int32_t *chars = wick_alloc(((size_t)count + 1) * sizeof *chars);
    if (!chars) return wick_fail_nomem(err);
    count = utf8proc_decompose(s, (utf8proc_ssize_t)n, chars, count, o);
    if (count >= 0) count = utf8proc_normalize_utf32(chars, count, o);
    wick_edit_skip(e, n);
    for (utf8proc_ssize_t i = 0; i < count; i++) wick_edit_put_char(e, (uint32_t)chars[i], WICK_EDIT_AFTER);
    wick_free(chars);
    return count < 0 ? wick_fail(err, WICK_EFORMAT, "the text cannot be normalized") : WICK_OK;
}

/* The library's tables are those of Unicode 9: what they do not know stays as it is and parts what is around it. */
static bool unformed(uint32_t cp) { return cp >= 0x80 && wick_char_late(WICK_LATE_UNFORMED, cp, false); }

/* Up to `end`, in parts between unformed characters. */
static wick_status form_parts(wick_edit *e, size_t end, utf8proc_option_t o, wick_error *err) {
    while (e->at < end) {
        size_t to = e->at, size = 0;
        while (to < end && !unformed(wick_char_at(e->in + to, &size))) to += size;
        if (to > e->at) WICK_TRY(form_part(e, to - e->at, o, err));
        if (to < end) wick_edit_keep(e, size);
    }
    return WICK_OK;
}

/* NFC of the stretches that may need it. An ASCII character composes with nothing before it, so text may be cut in front of each. */
static wick_status compose_stretches(wick_edit *e, wick_error *err) {
    while (e->at < e->n) {
        size_t at = e->at;
        while (at < e->n && (unsigned char)e->in[at] < 0xcc) at++;
        size_t from = at, to = at;
        if (at < e->n)
            while (from > e->at && (unsigned char)e->in[from] >= 0x80) from--;
        while (to < e->n && (unsigned char)e->in[to] >= 0x80) to++;
        wick_edit_keep(e, from - e->at);
        WICK_TRY(form_parts(e, to, options_of(WICK_NORM_NFC), err));
    }
    return WICK_OK;
}

/* ---- with origins */

/* A character of the result. change: 1 it is added; 0 it replaces a character of the text; -n it replaces one, and n more after it vanish.
 */
typedef struct part {
    uint32_t cp;
    int change, class;
} part;

typedef struct parts {
    part *at;
    size_t n, cap;
    bool failed;
} parts;

static void push(parts *p, part x) {
    if (!WICK_GROW(p->at, p->n, p->cap))
        p->failed = true;
    else
        p->at[p->n++] = x;
}

static int class_of(uint32_t cp) { return unformed(cp) ? 0 : utf8proc_get_property((utf8proc_int32_t)cp)->combining_class; }

/* A run of marks in the order of their classes; equal ones keep theirs. Counted: text may be nothing but marks. */
static bool order_run(part *p, size_t n) {
    size_t from[257] = {0};
    if (n < 2) return true;
    part *copy = wick_memdup(p, n * sizeof *p);
    if (!copy) return false;
    for (size_t i = 0; i < n; i++) from[p[i].class + 1]++;
    for (int c = 1; c < 257; c++) from[c] += from[c - 1];
    for (size_t i = 0; i < n; i++) p[from[copy[i].class]++] = copy[i];
    wick_free(copy);
    return true;
}

static bool order(part *p, size_t n) {
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (!p[i].class) continue;
        while (end < n && p[end].class) end++;
        if (!order_run(p + i, end - i)) return false;
    }
    return true;
}

static void decompose(wick_edit *e, utf8proc_option_t o, parts *out) {
    utf8proc_option_t apart = (utf8proc_option_t)((o & ~UTF8PROC_COMPOSE) | UTF8PROC_DECOMPOSE);
    for (size_t i = e->at, size; i < e->n; i += size) {
        uint32_t cp = wick_char_at(e->in + i, &size);
        utf8proc_int32_t to[32] = {(utf8proc_int32_t)cp};
        int boundary = 0;
        utf8proc_ssize_t n = unformed(cp) ? 1 : utf8proc_decompose_char((utf8proc_int32_t)cp, to, 32, apart, &boundary);
        for (utf8proc_ssize_t k = 0; k < n && k < 32; k++) push(out, (part){(uint32_t)to[k], k > 0, class_of((uint32_t)to[k])});
    }
    if (!out->failed && !order(out->at, out->n)) out->failed = true;
}

/* The character that two make, 0: none. */
static uint32_t joined(uint32_t a, uint32_t b) {
    utf8proc_int32_t two[3] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};
    if (unformed(a) || unformed(b)) return 0;
    return utf8proc_normalize_utf32(two, 2, (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE)) == 1 ? (uint32_t)two[0] : 0;
}

/* Joins marks to the starter before them, where nothing of their class stands between. */
static void compose(const parts *in, parts *out) {
    size_t starter = SIZE_MAX;
    int last = -1; /* class of the mark before; -1: none since the starter */
    for (size_t i = 0; i < in->n && !out->failed; i++) {
        part p = in->at[i];
        uint32_t made = 0;
        if (starter != SIZE_MAX && last < p.class) made = joined(out->at[starter].cp, p.cp);
        if (made) {
            out->at[starter].cp = made;
            out->at[starter].change += p.change - 1;
            continue;
        }
        push(out, p);
        if (!p.class)
            starter = out->n - 1, last = -1;
        else if (starter != SIZE_MAX)
            last = p.class;
    }
}

static wick_status form_tracked(wick_edit *e, utf8proc_option_t o, wick_error *err) {
    parts apart = {0}, whole = {0};
    decompose(e, o, &apart);
    if (o & UTF8PROC_COMPOSE && !apart.failed) compose(&apart, &whole);
    const parts *p = o & UTF8PROC_COMPOSE ? &whole : &apart;
    for (size_t i = 0; i < p->n; i++) {
        wick_edit_put_char(e, p->at[i].cp, p->at[i].change > 0 ? WICK_EDIT_AFTER : WICK_EDIT_INSTEAD);
        for (int k = p->at[i].change; k < 0 && e->at < e->n; k++) wick_edit_skip(e, wick_char_size(e->in[e->at]));
    }
    bool failed = apart.failed || whole.failed;
    e->at = e->n;
    wick_free(apart.at);
    wick_free(whole.at);
    return failed ? wick_fail_nomem(err) : WICK_OK;
}

wick_status wick_form(wick_edit *e, uint32_t kind, wick_error *err) {
    if (e->from) return form_tracked(e, options_of(kind), err);
    if (kind == WICK_NORM_NFC) return compose_stretches(e, err);
    return form_parts(e, e->n, options_of(kind), err);
}
