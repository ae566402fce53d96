/* Methods of strings that search (with Python's optional start and end) and that ask what characters are. */
#include "text/jinja_text.h"
#include "text/tok_chars.h"

#include <string.h>
#include <utf8proc.h>

/* ---- searching */

size_t jinja_position(jinja_interp *j, const jinja_string *s, const jinja_string *part, bool last) {
    size_t found = SIZE_MAX;
    jinja_spend(j->a, 1 + s->n / 16);
    for (size_t i = 0; i + part->n <= s->n;) {
        const char *hit = part->n ? memmem(s->s + i, s->n - i, part->s, part->n) : s->s + (last ? s->n : i);
        if (!hit) break;
        found = (size_t)(hit - s->s);
        if (!last) break;
        i = found + 1;
        jinja_spend(j->a, 1);
    }
    return found;
}

typedef struct window {
    size_t from, to; /* bytes */
    bool behind;     /* the start lies behind the end: not even nothing is found there */
} window;

static jinja_int bound(jinja_interp *j, const jinja_args *args, size_t i, jinja_int size, jinja_int fallback) {
    jinja_value v = jinja_arg(args, i, NULL);
    if (!jinja_given(v) || v.type == J_NONE) return fallback;
    jinja_int at = jinja_need_int(j, v, "a position");
    if (at >= 0) return at;
    return at < -size ? 0 : at + size;
}

static size_t byte_of(const jinja_string *s, jinja_int i_char) {
    size_t at = 0;
    for (; i_char > 0 && at < s->n; i_char--) at += wick_char_size(s->s[at]);
    return at;
}

/* The arguments behind the first. */
static window window_of(jinja_interp *j, const jinja_string *s, const jinja_args *args) {
    if (args->n < 1 || args->n > 3 || args->n_named) jinja_fail(j->a, WICK_EFORMAT, "this method takes one to three arguments");
    if (args->n == 1) return (window){0, s->n, false};
    jinja_spend(j->a, 1 + s->n / 16);
    jinja_int size = (jinja_int)jinja_char_count(s), from = bound(j, args, 1, size, 0), to = bound(j, args, 2, size, size);
    if (to > size) to = size;
    return (window){byte_of(s, from), byte_of(s, to), from > to};
}

jinja_value jinja_find(jinja_interp *j, const jinja_string *s, const jinja_args *args, bool last, bool must) {
    window w = window_of(j, s, args);
    const jinja_string *part = jinja_need_string(j, args->items[0], "what is looked for");
    jinja_string within = {.s = s->s + w.from, .n = w.behind ? 0 : w.to - w.from};
    size_t at = w.behind ? SIZE_MAX : jinja_position(j, &within, part, last);
    if (at == SIZE_MAX && must) jinja_fail(j->a, WICK_EFORMAT, "the substring is not found");
    if (at == SIZE_MAX) return jinja_integer(j->a, -1);
    return jinja_integer(j->a, (jinja_int)jinja_char_count(&(jinja_string){.s = s->s, .n = w.from + at}));
}

jinja_value jinja_count(jinja_interp *j, const jinja_string *s, const jinja_args *args) {
    window w = window_of(j, s, args);
    const jinja_string *part = jinja_need_string(j, args->items[0], "what is counted");
    if (w.behind) return jinja_integer(j->a, 0);
    jinja_int n = 0;
    const char *p = s->s + w.from, *end = s->s + w.to;
    jinja_spend(j->a, 1 + s->n / 8);
    if (!part->n) return jinja_integer(j->a, (jinja_int)jinja_char_count(&(jinja_string){.s = p, .n = w.to - w.from}) + 1);
    for (; (p = memmem(p, (size_t)(end - p), part->s, part->n)); p += part->n) n++;
    return jinja_integer(j->a, n);
}

jinja_value jinja_has_affix(jinja_interp *j, const jinja_string *s, const jinja_args *args, bool end) {
    window w = window_of(j, s, args);
    const jinja_value *options = args->items;
    size_t n = 1;
    if (options->type == J_TUPLE) {
        n = options->u.l->n;
        options = options->u.l->items;
    }
    for (size_t i = 0; i < n; i++) {
        const jinja_string *part = jinja_need_string(j, options[i], end ? "an ending" : "a beginning");
        if (w.behind || part->n > w.to - w.from) continue;
        if (!memcmp(s->s + (end ? w.to - part->n : w.from), part->s, part->n)) return jinja_bool(true);
    }
    return jinja_bool(false);
}

/* ---- asking */

bool jinja_all_chars(const jinja_string *s, bool (*is)(uint32_t cp), bool if_empty) {
    for (size_t i = 0, n; i < s->n; i += n)
        if (!is(wick_char_at(s->s + i, &n))) return false;
    return s->n || if_empty;
}

bool jinja_is_alpha(uint32_t cp) { return wick_char_class(cp) & WICK_CH_LETTER; }
bool jinja_is_ascii(uint32_t cp) { return cp < 0x80; }
bool jinja_is_decimal(uint32_t cp) { return utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_ND; }
bool jinja_is_numeric(uint32_t cp) { return wick_char_class(cp) & WICK_CH_NUMBER; }
bool jinja_is_alnum(uint32_t cp) { return wick_char_class(cp) & (WICK_CH_LETTER | WICK_CH_NUMBER); }

/* Superscripts and subscripts are digits too. */
bool jinja_is_digit(uint32_t cp) {
    return jinja_is_decimal(cp) || cp == 0xb2 || cp == 0xb3 || cp == 0xb9 || cp == 0x2070 || (cp >= 0x2074 && cp <= 0x2079) ||
           (cp >= 0x2080 && cp <= 0x2089);
}

bool jinja_is_identifier(const jinja_string *s) {
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        bool later = i && (jinja_is_decimal(cp) || wick_char_class(cp) & WICK_CH_MARK);
        if (cp != '_' && !jinja_is_alpha(cp) && !later) return false;
    }
    return s->n;
}

/* Upper case letters only at the beginning of words, lower case letters only inside them. */
bool jinja_is_titled(const jinja_string *s) {
    bool in_word = false, any = false;
    for (size_t i = 0, n; i < s->n; i += n) {
        unsigned c = wick_char_class(wick_char_at(s->s + i, &n));
        if ((c & WICK_CH_UPPER && in_word) || (c & WICK_CH_LOWER && !in_word)) return false;
        in_word = c & (WICK_CH_UPPER | WICK_CH_LOWER);
        any |= in_word;
    }
    return any;
}
