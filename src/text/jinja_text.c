/* Python's str, as far as templates use it: case, stripping, numbers, padding, and the filters on text. */
#include "text/jinja_text.h"

#include "base/utf8.h"
#include "text/tok_chars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool jinja_text_is(jinja_value v, const char *text) {
    return v.type == J_STRING && v.u.s->n == strlen(text) && !memcmp(v.u.s->s, text, v.u.s->n);
}

static const jinja_string *soft(jinja_interp *j, jinja_value v) { return jinja_to_text(j->a, v).u.s; }

/* ---- case */

typedef enum letter_case { LOWER, UPPER, TITLE } letter_case;

static void put(jinja_interp *j, jinja_buffer *b, uint32_t cp, bool marked) {
    char s[4];
    jinja_add(j->a, b, s, wick_utf8_encode(cp, s), marked);
}

static bool cased(uint32_t cp) {
    return wick_char_class(cp) & (WICK_CH_UPPER | WICK_CH_LOWER) || utf8proc_toupper((utf8proc_int32_t)cp) != (utf8proc_int32_t)cp ||
           utf8proc_tolower((utf8proc_int32_t)cp) != (utf8proc_int32_t)cp;
}

static bool case_ignorable(uint32_t cp) {
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return cp == '\'' || cp == '.' || cp == ':' || cp == 0xb7 || cp == 0x2018 || cp == 0x2019 || cp == 0x2024 || cp == 0x2027;
    }
}

/* Capital sigma at the end of a word: a cased letter before it and none after it, ignorable characters aside. */
static bool final_sigma(const jinja_string *s, size_t at) {
    bool before = false, after = false;
    size_t i = at, n;
    while (i && !before) {
        n = wick_char_before(s->s, i);
        uint32_t cp = wick_char_at(s->s + i - n, &n);
        i -= n;
        if (case_ignorable(cp)) continue;
        before = cased(cp);
        break;
    }
    for (i = at + 2; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        if (case_ignorable(cp)) continue;
        after = cased(cp);
        break;
    }
    return before && !after;
}

static void put_case(jinja_interp *j, jinja_buffer *b, const jinja_string *s, size_t at, letter_case to, bool marked) {
    size_t n;
    uint32_t cp = wick_char_at(s->s + at, &n), several[3];
    int count = to == LOWER ? 0 : jinja_special_case(cp, to == TITLE, several);
    for (int i = 0; i < count; i++) put(j, b, several[i], marked);
    if (count) return;
    if (to == LOWER && cp == 0x130)
        put(j, b, 'i', marked), put(j, b, 0x307, marked);
    else if (to == LOWER && cp == 0x3a3)
        put(j, b, final_sigma(s, at) ? 0x3c2 : 0x3c3, marked);
    else
        put(j, b,
            (uint32_t)(to == LOWER   ? utf8proc_tolower((utf8proc_int32_t)cp)
                       : to == UPPER ? utf8proc_toupper((utf8proc_int32_t)cp)
                                     : utf8proc_totitle((utf8proc_int32_t)cp)),
            marked);
}

static jinja_value all_case(jinja_interp *j, const jinja_string *s, letter_case to) {
    jinja_buffer b = {0};
    for (size_t i = 0; i < s->n; i += wick_char_size(s->s[i])) put_case(j, &b, s, i, to, s->marks && s->marks[i]);
    return jinja_text(j->a, &b);
}

jinja_value jinja_lower(jinja_interp *j, const jinja_string *s) { return all_case(j, s, LOWER); }
jinja_value jinja_upper(jinja_interp *j, const jinja_string *s) { return all_case(j, s, UPPER); }

bool jinja_is_case(const jinja_string *s, bool upper) {
    bool any = false;
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        unsigned c = wick_char_class(cp);
        if (c & (upper ? WICK_CH_LOWER : WICK_CH_UPPER)) return false;
        any = any || c & (upper ? WICK_CH_UPPER : WICK_CH_LOWER);
    }
    return any;
}

jinja_value jinja_f_lower(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    return jinja_lower(j, soft(j, v));
}
jinja_value jinja_f_upper(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    return jinja_upper(j, soft(j, v));
}

jinja_value jinja_f_capitalize(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    const jinja_string *s = soft(j, v);
    jinja_buffer b = {0};
    for (size_t i = 0; i < s->n; i += wick_char_size(s->s[i])) put_case(j, &b, s, i, i ? LOWER : TITLE, s->marks && s->marks[i]);
    return jinja_text(j->a, &b);
}

/* The filter: words begin after white space, -, (, {, [ and <. */
jinja_value jinja_f_title(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    const jinja_string *s = soft(j, v);
    jinja_buffer b = {0};
    bool start = true;
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        put_case(j, &b, s, i, start ? UPPER : LOWER, s->marks && s->marks[i]);
        start = jinja_is_space(cp) || cp == '-' || cp == '(' || cp == '{' || cp == '[' || cp == '<';
    }
    return jinja_text(j->a, &b);
}

/* ---- stripping, replacing, padding */

static bool among(const jinja_string *chars, uint32_t cp) {
    if (!chars) return jinja_is_space(cp);
    for (size_t i = 0, n; i < chars->n; i += n)
        if (wick_char_at(chars->s + i, &n) == cp) return true;
    return false;
}

jinja_value jinja_strip(jinja_interp *j, const jinja_string *s, const jinja_string *chars, bool left, bool right) {
    size_t from = 0, to = s->n, n;
    while (left && from < to && among(chars, wick_char_at(s->s + from, &n))) from += n;
    while (right && to > from) {
        n = wick_char_before(s->s, to);
        size_t used;
        if (!among(chars, wick_char_at(s->s + to - n, &used))) break;
        to -= n;
    }
    jinja_spend(j->a, 1 + s->n / 64);
    return jinja_slice_of(j->a, s, from, to);
}

jinja_value jinja_f_trim(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value chars = jinja_arg(args, 0, "chars");
    bool given = jinja_given(chars) && chars.type != J_NONE;
    return jinja_strip(j, soft(j, v), given ? jinja_need_string(j, chars, "chars") : NULL, true, true);
}

static void add_slice(jinja_interp *j, jinja_buffer *b, const jinja_string *s, size_t from, size_t to) {
    if (to > from) jinja_add_string(j->a, b, jinja_slice_of(j->a, s, from, to).u.s);
}

jinja_value jinja_replace(jinja_interp *j, const jinja_string *s, const jinja_string *from, const jinja_string *to, jinja_int count) {
    jinja_buffer b = {0};
    size_t done = 0;
    if (count < 0) count = (jinja_int)1 << 60;
    for (size_t i = 0; count > 0 && i <= s->n;) {
        const char *hit = from->n ? memmem(s->s + i, s->n - i, from->s, from->n) : s->s + i;
        if (!hit) break;
        size_t at = (size_t)(hit - s->s);
        add_slice(j, &b, s, done, at);
        jinja_add_string(j->a, &b, to);
        done = at + from->n;
        i = from->n ? done : at < s->n ? at + wick_char_size(s->s[at]) : s->n + 1;
        count--;
    }
    add_slice(j, &b, s, done, s->n);
    return jinja_text(j->a, &b);
}

jinja_value jinja_f_replace(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value count = jinja_arg(args, 2, "count"), from = jinja_arg(args, 0, "old"), to = jinja_arg(args, 1, "new");
    if (!jinja_given(from) || !jinja_given(to)) jinja_fail(j->a, WICK_EFORMAT, "replace needs what and with what");
    jinja_int n = jinja_given(count) && count.type != J_NONE ? jinja_need_int(j, count, "count") : -1;
    return jinja_replace(j, soft(j, v), soft(j, from), soft(j, to), n);
}

jinja_value jinja_pad(jinja_interp *j, const jinja_string *s, jinja_int width, const jinja_string *fill, int side) {
    jinja_int size = (jinja_int)jinja_char_count(s), room = width > size ? width - size : 0;
    jinja_int left = side > 0 ? room : side < 0 ? 0 : room / 2 + (room & width & 1); /* as Python's center: the odd one by the width */
    jinja_buffer b = {0};
    if (room > (jinja_int)JINJA_MAX_OUTPUT) jinja_fail(j->a, WICK_ELIMIT, "a text is padded to more than %zu MB", JINJA_MAX_OUTPUT >> 20);
    for (jinja_int i = 0; i < left; i++) jinja_add(j->a, &b, fill ? fill->s : " ", fill ? fill->n : 1, false);
    jinja_add_string(j->a, &b, s);
    for (jinja_int i = left; i < room; i++) jinja_add(j->a, &b, fill ? fill->s : " ", fill ? fill->n : 1, false);
    return jinja_text(j->a, &b);
}

jinja_value jinja_f_center(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value width = jinja_arg(args, 0, "width");
    return jinja_pad(j, soft(j, v), jinja_given(width) ? jinja_need_int(j, width, "width") : 80, NULL, 0);
}

static size_t line_break(const jinja_string *s, size_t i) {
    unsigned char c = (unsigned char)s->s[i];
    if (c == '\r') return i + 1 < s->n && s->s[i + 1] == '\n' ? 2 : 1;
    if (c == '\n' || c == '\v' || c == '\f' || (c >= 0x1c && c <= 0x1e)) return 1;
    if (c == 0xc2 && i + 1 < s->n && (unsigned char)s->s[i + 1] == 0x85) return 2;
    return c == 0xe2 && i + 2 < s->n && (unsigned char)s->s[i + 1] == 0x80 && ((unsigned char)s->s[i + 2] & 0xfe) == 0xa8 ? 3 : 0;
}

jinja_value jinja_lines(jinja_interp *j, const jinja_string *s, bool keep) {
    jinja_value l = jinja_new_list(j->a, J_LIST, J_PLAIN);
    size_t from = 0;
    for (size_t i = 0, n; i < s->n; i += n) {
        size_t brk = line_break(s, i);
        n = brk ? brk : wick_char_size(s->s[i]);
        if (!brk) continue;
        jinja_push(j->a, l.u.l, jinja_slice_of(j->a, s, from, keep ? i + n : i));
        from = i + n;
    }
    if (from < s->n) jinja_push(j->a, l.u.l, jinja_slice_of(j->a, s, from, s->n));
    return l;
}

jinja_value jinja_f_indent(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value width = jinja_arg(args, 0, "width"), first = jinja_arg(args, 1, "first"), blank = jinja_arg(args, 2, "blank");
    jinja_buffer with_newline = {0}, b = {0}, pad = {0};
    if (width.type == J_STRING)
        jinja_add_string(j->a, &pad, width.u.s);
    else
        for (jinja_int n = jinja_given(width) ? jinja_need_int(j, width, "width") : 4; n > 0; n--) jinja_puts(j->a, &pad, " ");
    const jinja_string *in = jinja_text(j->a, &pad).u.s;
    jinja_add_string(j->a, &with_newline, jinja_need_string(j, v, "what is indented"));
    jinja_puts(j->a, &with_newline, "\n"); /* so that a last line break is kept */
    jinja_list *l = jinja_lines(j, jinja_text(j->a, &with_newline).u.s, false).u.l;
    bool all = jinja_given(blank) && jinja_true(&blank);
    if (jinja_given(first) && jinja_true(&first)) jinja_add_string(j->a, &b, in);
    for (size_t i = 0; i < l->n; i++) {
        if (i) jinja_puts(j->a, &b, "\n");
        if (i && (all || l->items[i].u.s->n)) jinja_add_string(j->a, &b, in);
        jinja_add_string(j->a, &b, l->items[i].u.s);
    }
    return jinja_text(j->a, &b);
}

/* ---- numbers in text */

/* ASCII form of a number: stripped, Unicode digits as ASCII, single underscores between digits dropped. false: no number. */
static bool number_text(jinja_interp *j, const jinja_string *s, char *out, size_t cap) {
    const jinja_string *t = jinja_strip(j, s, NULL, true, true).u.s;
    size_t n = 0;
    for (size_t i = 0, k; i < t->n; i += k) {
        uint32_t cp = wick_char_at(t->s + i, &k);
        if (cp >= 0x80) {
            if (utf8proc_category((utf8proc_int32_t)cp) != UTF8PROC_CATEGORY_ND) return false;
            uint32_t zero = cp; /* digits come in runs of ten that begin with zero */
            while (zero > 0x80 && cp - zero < 9 && utf8proc_category((utf8proc_int32_t)zero - 1) == UTF8PROC_CATEGORY_ND) zero--;
            cp = '0' + (cp - zero) % 10;
        }
        if (cp == '_' && n && i + 1 < t->n && t->s[i + 1] != '_' && t->s[i - 1] != '_') continue;
        if (n + 1 >= cap) return false;
        out[n++] = (char)cp;
    }
    out[n] = 0;
    return n > 0;
}

bool jinja_parse_int(jinja_interp *j, const jinja_string *s, int base, jinja_int *out) {
    char text[200], *p = text;
    if (!number_text(j, s, text, sizeof text) || base < 2 || base > 36) return false;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (p[0] == '0' && ((base == 16 && (p[1] | 32) == 'x') || (base == 8 && (p[1] | 32) == 'o') || (base == 2 && (p[1] | 32) == 'b')))
        p += 2;
    if (!*p) return false;
    *out = 0;
    for (; *p; p++) {
        int d = *p >= '0' && *p <= '9' ? *p - '0' : (*p | 32) >= 'a' && (*p | 32) <= 'z' ? (*p | 32) - 'a' + 10 : 99;
        if (d >= base) return false;
        if (__builtin_mul_overflow(*out, base, out) || __builtin_add_overflow(*out, d, out))
            jinja_fail(j->a, WICK_ELIMIT, "an integer is too large");
    }
    if (negative) *out = -*out;
    return true;
}

bool jinja_parse_float(jinja_interp *j, const jinja_string *s, double *out) {
    char text[400], *end;
    if (!number_text(j, s, text, sizeof text) || strpbrk(text, "xXpP(")) return false;
    *out = strtod(text, &end);
    return !*end;
}

/* ---- markup */

static void escape_into(jinja_interp *j, jinja_buffer *b, const jinja_string *s) {
    for (size_t i = 0; i < s->n; i++) {
        const char *as = s->s[i] == '&'    ? "&amp;"
                         : s->s[i] == '<'  ? "&lt;"
                         : s->s[i] == '>'  ? "&gt;"
                         : s->s[i] == '\'' ? "&#39;"
                         : s->s[i] == '"'  ? "&#34;"
                                           : NULL;
        bool marked = s->marks && s->marks[i];
        if (as)
            jinja_add(j->a, b, as, strlen(as), marked);
        else
            jinja_add(j->a, b, s->s + i, 1, marked);
    }
}

jinja_value jinja_f_escape(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    if (v.type == J_STRING && v.safe) return v;
    jinja_buffer b = {0};
    escape_into(j, &b, soft(j, v));
    jinja_value out = jinja_text(j->a, &b);
    out.safe = true;
    return out;
}

jinja_value jinja_f_safe(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    v = jinja_to_text(j->a, v);
    v.safe = true;
    return v;
}

jinja_value jinja_f_striptags(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    const jinja_string *s = soft(j, v);
    jinja_buffer b = {0};
    bool space = false;
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        bool comment = s->n - i >= 4 && !memcmp(s->s + i, "<!--", 4);
        const char *close = comment ? memmem(s->s + i, s->n - i, "-->", 3) : cp == '<' ? memchr(s->s + i, '>', s->n - i) : NULL;
        if (close) {
            n = (size_t)(close - s->s) + (comment ? 3 : 1) - i;
            continue;
        }
        if (jinja_is_space(cp)) {
            space = true;
            continue;
        }
        if (space && b.n) jinja_puts(j->a, &b, " ");
        space = false;
        jinja_add(j->a, &b, s->s + i, n, s->marks && s->marks[i]);
    }
    static const char *const entities[][2] = {{"&lt;", "<"},   {"&gt;", ">"},    {"&#39;", "'"},
                                              {"&#34;", "\""}, {"&quot;", "\""}, {"&amp;", "&"}};
    jinja_value out = jinja_text(j->a, &b);
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        out = jinja_replace(j, out.u.s, jinja_cstr(j->a, entities[i][0]).u.s, jinja_cstr(j->a, entities[i][1]).u.s, -1);
    return out;
}

jinja_value jinja_f_xmlattr(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value space = jinja_arg(args, 0, "autospace");
    jinja_list *l = jinja_dict_items(j, v, J_PLAIN).u.l;
    jinja_buffer b = {0};
    for (size_t i = 0; i < l->n; i++) {
        jinja_value *pair = l->items[i].u.l->items;
        if (pair[1].type == J_NONE || pair[1].type == J_UNDEFINED) continue;
        if (b.n || !jinja_given(space) || jinja_true(&space)) jinja_puts(j->a, &b, " ");
        escape_into(j, &b, soft(j, pair[0]));
        jinja_puts(j->a, &b, "=\"");
        escape_into(j, &b, soft(j, pair[1]));
        jinja_puts(j->a, &b, "\"");
    }
    return jinja_text(j->a, &b);
}

static void url_quote(jinja_interp *j, jinja_buffer *b, const jinja_string *s, bool query) {
    for (size_t i = 0; i < s->n; i++) {
        unsigned char c = (unsigned char)s->s[i];
        bool plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("_.-~", c)) || (!query && c == '/');
        char text[8];
        if (plain)
            snprintf(text, sizeof text, "%c", c);
        else if (query && c == ' ')
            snprintf(text, sizeof text, "+");
        else
            snprintf(text, sizeof text, "%%%02X", c);
        jinja_puts(j->a, b, text);
    }
}

jinja_value jinja_f_urlencode(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_buffer b = {0};
    if (v.type == J_STRING || !(v.type == J_DICT || jinja_is_sequence(&v)))
        url_quote(j, &b, soft(j, v), false);
    else {
        jinja_list *l = v.type == J_DICT ? jinja_dict_items(j, v, J_PLAIN).u.l : jinja_iterate(j->a, v);
        for (size_t i = 0; i < l->n; i++) {
            jinja_list *pair = jinja_iterate(j->a, l->items[i]);
            if (pair->n != 2) jinja_fail(j->a, WICK_EFORMAT, "urlencode needs pairs");
            if (i) jinja_puts(j->a, &b, "&");
            url_quote(j, &b, soft(j, pair->items[0]), true);
            jinja_puts(j->a, &b, "=");
            url_quote(j, &b, soft(j, pair->items[1]), true);
        }
    }
    return jinja_text(j->a, &b);
}

/* ---- the rest */

jinja_value jinja_f_filesize(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value binary = jinja_arg(args, 0, "binary");
    bool two = jinja_given(binary) && jinja_true(&binary);
    double bytes = 0, base = two ? 1024 : 1000, unit = base;
    static const char prefixes[] = "kMGTPEZY";
    if (jinja_is_number(&v))
        bytes = jinja_as_float(&v);
    else if (v.type != J_STRING || !jinja_parse_float(j, v.u.s, &bytes))
        jinja_fail(j->a, WICK_EFORMAT, "a size should be a number, not a %s", jinja_type_name(&v));
    char text[64];
    if (bytes == 1) return jinja_cstr(j->a, "1 Byte");
    if (bytes < base)
        snprintf(text, sizeof text, "%d Bytes", (int)bytes);
    else {
        int i = 0;
        for (unit = base * base; i < 7 && bytes >= unit; i++) unit *= base;
        snprintf(text, sizeof text, two ? "%.1f %ciB" : "%.1f %cB", base * bytes / unit, two && !i ? 'K' : prefixes[i]);
    }
    return jinja_str(j->a, text, strlen(text), false);
}

jinja_value jinja_f_wordcount(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    const jinja_string *s = soft(j, v);
    jinja_int count = 0;
    bool in = false;
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        bool word = cp == '_' || wick_char_class(cp) & (WICK_CH_LETTER | WICK_CH_NUMBER);
        count += word && !in;
        in = word;
    }
    return jinja_integer(j->a, count);
}

/* Bytes of the first n characters. */
static size_t prefix_size(const jinja_string *s, jinja_int n) {
    size_t i = 0;
    for (; n > 0 && i < s->n; n--) i += wick_char_size(s->s[i]);
    return i;
}

jinja_value jinja_f_truncate(jinja_interp *j, jinja_value v, const jinja_args *args) {
    if (jinja_is_number(&v) || v.type == J_NONE) jinja_fail(j->a, WICK_EFORMAT, "a %s has no length", jinja_type_name(&v));
    const jinja_string *s = soft(j, v);
    jinja_value length = jinja_arg(args, 0, "length"), kill = jinja_arg(args, 1, "killwords"), end = jinja_arg(args, 2, "end"),
                leeway = jinja_arg(args, 3, "leeway");
    jinja_int most = jinja_given(length) ? jinja_need_int(j, length, "length") : 255,
              slack = jinja_given(leeway) && leeway.type != J_NONE ? jinja_need_int(j, leeway, "leeway") : 5;
    const jinja_string *tail = jinja_given(end) ? soft(j, end) : jinja_cstr(j->a, "...").u.s;
    jinja_int room = most - (jinja_int)jinja_char_count(tail);
    if (room < 0 || slack < 0) jinja_fail(j->a, WICK_EFORMAT, "truncate to %d characters has no room for the end", (int)most);
    if (v.type == J_UNDEFINED) return v;
    if (jinja_is_sequence(&v) || v.type == J_DICT) {
        if ((jinja_int)jinja_iterate(j->a, v)->n <= most + slack) return v;
        jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be truncated", jinja_type_name(&v));
    }
    if ((jinja_int)jinja_char_count(s) <= most + slack) return jinja_slice_of(j->a, s, 0, s->n);
    size_t n = prefix_size(s, room);
    bool whole_words = !(jinja_given(kill) && jinja_true(&kill));
    for (size_t k = n; whole_words && k-- > 0;)
        if (s->s[k] == ' ') {
            n = k;
            break;
        }
    jinja_buffer b = {0};
    add_slice(j, &b, s, 0, n);
    jinja_add_string(j->a, &b, tail);
    return jinja_text(j->a, &b);
}

/* Greedy filling of lines, as textwrap does with replace_whitespace and drop_whitespace as jinja2 sets them. */
static void wrap_line(jinja_interp *j, jinja_buffer *b, const jinja_string *s, size_t width, const jinja_string *brk, bool break_long) {
    size_t used = 0; /* characters in the current line */
    for (size_t i = 0; i < s->n;) {
        size_t k = i;
        while (k < s->n && s->s[k] == ' ') k++;
        size_t blanks = k - i;
        while (k < s->n && s->s[k] != ' ') k++;
        jinja_value word = jinja_slice_of(j->a, s, i + blanks, k);
        size_t size = jinja_char_count(word.u.s);
        if (used && used + blanks + size > width) {
            jinja_add_string(j->a, b, brk);
            used = 0;
        } else if (used || blanks) {
            for (size_t n = 0; n < blanks; n++) jinja_puts(j->a, b, " ");
            used += blanks;
        }
        while (break_long && size > width - (used < width ? used : 0)) {
            size_t part = prefix_size(word.u.s, (jinja_int)(width - used));
            jinja_add_string(j->a, b, jinja_slice_of(j->a, word.u.s, 0, part).u.s);
            jinja_add_string(j->a, b, brk);
            word = jinja_slice_of(j->a, word.u.s, part, word.u.s->n);
            size -= width - used;
            used = 0;
        }
        jinja_add_string(j->a, b, word.u.s);
        used += size;
        i = k;
    }
}

jinja_value jinja_f_wordwrap(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value width = jinja_arg(args, 0, "width"), long_words = jinja_arg(args, 1, "break_long_words"),
                with = jinja_arg(args, 2, "wrapstring");
    const jinja_string *s = jinja_need_string(j, v, "what is wrapped"),
                       *brk = jinja_given(with) && with.type != J_NONE ? soft(j, with) : jinja_cstr(j->a, "\n").u.s;
    jinja_int n = jinja_given(width) ? jinja_need_int(j, width, "width") : 79;
    if (n <= 0) jinja_fail(j->a, WICK_EFORMAT, "a line should have at least one character");
    jinja_list *l = jinja_lines(j, s, false).u.l;
    jinja_buffer b = {0};
    for (size_t i = 0; i < l->n; i++) {
        if (i) jinja_add_string(j->a, &b, brk);
        wrap_line(j, &b, l->items[i].u.s, (size_t)n, brk, !jinja_given(long_words) || jinja_true(&long_words));
    }
    return jinja_text(j->a, &b);
}

jinja_value jinja_f_format(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value values = jinja_new_list(j->a, J_TUPLE, J_PLAIN);
    if (args->n && args->n_named) jinja_fail(j->a, WICK_EFORMAT, "format takes positional or named arguments, not both");
    for (size_t i = 0; i < args->n; i++) jinja_push(j->a, values.u.l, args->items[i]);
    if (args->n_named) {
        values = jinja_new_dict(j->a);
        for (size_t i = 0; i < args->n_named; i++) jinja_put(j->a, values.u.d, jinja_cstr(j->a, args->names[i]), args->named[i]);
    }
    return jinja_percent(j, soft(j, v), values);
}
