/* The lexer: what jinja2's does with trim_blocks and lstrip_blocks, whose rules for white space are part of every template. */
#include "base/utf8.h"
#include "text/jinja_text.h"
#include "text/tok_chars.h"

#include <stdlib.h>
#include <string.h>

typedef struct lexer {
    jinja_arena *a;
    const char *s;
    size_t n, at;
    int line;
    bool line_start; /* the last token ended a line */
    jinja_token *tokens;
    size_t n_token, cap;
} lexer;

static jinja_token *push(lexer *l, jinja_token_type type) {
    if (l->n_token == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        jinja_token *t = jinja_alloc(l->a, cap * sizeof *t);
        if (l->n_token) memcpy(t, l->tokens, l->n_token * sizeof *t);
        l->tokens = t;
        l->cap = cap;
    }
    jinja_token *t = &l->tokens[l->n_token++];
    *t = (jinja_token){.type = type, .line = l->line};
    return t;
}

static void push_text(lexer *l, jinja_token_type type, const char *s, size_t n) {
    jinja_token *t = push(l, type);
    t->s = s;
    t->n = n;
}

/* White space as Python's str.isspace and \s have it. */
bool jinja_is_space(uint32_t cp) { return (wick_char_class(cp) & WICK_CH_SPACE) || (cp >= 0x1c && cp <= 0x1f); }

static bool at(const lexer *l, size_t i, const char *text) {
    size_t n = strlen(text);
    return i + n <= l->n && !memcmp(l->s + i, text, n);
}

static size_t skip_space(const lexer *l, size_t i) {
    for (size_t size; i < l->n && jinja_is_space(wick_char_at(l->s + i, &size));) i += size;
    return i;
}

static size_t back_space(const char *s, size_t n) {
    while (n) {
        size_t size = wick_char_before(s, n), used;
        if (!jinja_is_space(wick_char_at(s + n - size, &used))) break;
        n -= size;
    }
    return n;
}

static void advance(lexer *l, size_t to) {
    for (size_t i = l->at; i < to; i++) l->line += l->s[i] == '\n';
    if (to > l->at) l->line_start = l->s[to - 1] == '\n';
    l->at = to;
}

/* Text before a tag: `sign` '-' strips it, '+' keeps it; else blanks between a newline and a block tag go. */
static size_t text_end(const lexer *l, size_t from, size_t to, char sign, bool variable) {
    if (sign == '-') return from + back_space(l->s + from, to - from);
    if (sign == '+' || variable) return to;
    size_t line = to;
    while (line > from && l->s[line - 1] != '\n') line--;
    if (line == from && !l->line_start) return to;
    size_t i = line;
    for (size_t size; i < to && jinja_is_space(wick_char_at(l->s + i, &size));) i += size;
    return i == to ? line : to;
}

/* After a block or comment: one newline goes with it, or all white space with '-'. */
static size_t after_block(const lexer *l, size_t i, char sign) {
    if (sign == '-') return skip_space(l, i);
    return sign != '+' && i < l->n && l->s[i] == '\n' ? i + 1 : i;
}

static void lex_comment(lexer *l, size_t from) {
    size_t i = from;
    while (i + 2 <= l->n && memcmp(l->s + i, "#}", 2) != 0) i++;
    if (i + 2 > l->n) jinja_fail(l->a, WICK_EFORMAT, "line %d: a comment is not closed", l->line);
    char sign = i > from && (l->s[i - 1] == '-' || l->s[i - 1] == '+') ? l->s[i - 1] : 0;
    advance(l, after_block(l, i + 2, sign));
}

/* `raw` after a tag's beginning: the position behind its end; 0: something else. */
static size_t raw_begin(const lexer *l, size_t i) {
    i = skip_space(l, i);
    if (!at(l, i, "raw")) return 0;
    i = skip_space(l, i + 3);
    if (at(l, i, "-%}")) return skip_space(l, i + 3);
    return at(l, i, "%}") ? i + 2 : 0;
}

static void lex_raw(lexer *l, size_t from) {
    advance(l, from);
    for (size_t i = from; i + 2 <= l->n; i++) {
        if (memcmp(l->s + i, "{%", 2) != 0) continue;
        size_t k = i + 2;
        char sign = k < l->n && (l->s[k] == '-' || l->s[k] == '+') ? l->s[k++] : 0;
        k = skip_space(l, k);
        if (!at(l, k, "endraw")) continue;
        k = skip_space(l, k + 6);
        char tail = k < l->n && (l->s[k] == '-' || l->s[k] == '+') ? l->s[k++] : 0;
        if (!at(l, k, "%}")) continue;
        push_text(l, T_DATA, l->s + from, text_end(l, from, i, sign, false) - from);
        advance(l, after_block(l, k + 2, tail));
        return;
    }
    jinja_fail(l->a, WICK_EFORMAT, "line %d: a raw block is not closed", l->line);
}

/* ---- inside tags */

static bool digit_of(char c, int base, int *v) {
    int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
    *v = d;
    return d < base;
}

/* Digits with single underscores between them. */
static size_t digits(const lexer *l, size_t i, int base, bool lead) {
    int v;
    for (;;) {
        if (i < l->n && digit_of(l->s[i], base, &v))
            i++;
        else if (i + 1 < l->n && l->s[i] == '_' && (lead || digit_of(l->s[i - 1], base, &v)) && digit_of(l->s[i + 1], base, &v))
            i += 2;
        else
            return i;
        lead = false;
    }
}

static void lex_number(lexer *l) {
    size_t from = l->at, i;
    int base = 10, v;
    char c = from + 1 < l->n ? l->s[from + 1] | 32 : 0;
    bool after_dot = from && l->s[from - 1] == '.';
    if (l->s[from] == '0' && (c == 'x' || c == 'o' || c == 'b')) {
        base = c == 'x' ? 16 : c == 'o' ? 8 : 2;
        i = digits(l, from + 2, base, true);
        if (i == from + 2) base = 10;
    }
    i = base != 10 ? i : digits(l, from, 10, false);
    bool is_float = false;
    if (base == 10 && !after_dot) {
        size_t k = i;
        if (k + 1 < l->n && l->s[k] == '.' && digit_of(l->s[k + 1], 10, &v)) k = digits(l, k + 1, 10, false), is_float = true;
        size_t e = k;
        if (e < l->n && (l->s[e] | 32) == 'e') {
            e++;
            if (e < l->n && (l->s[e] == '+' || l->s[e] == '-')) e++;
            if (e < l->n && digit_of(l->s[e], 10, &v)) k = digits(l, e, 10, false), is_float = true;
        }
        if (is_float) i = k;
    }
    if (base == 10 && !is_float && l->s[from] == '0') { /* an integer with a leading zero is nothing but zeros */
        for (i = from + 1; i < l->n && (l->s[i] == '0' || (l->s[i] == '_' && i + 1 < l->n && l->s[i + 1] == '0')); i++) {
        }
    }
    char text[400];
    size_t n = 0;
    for (size_t k = from; k < i && n < sizeof text - 1; k++)
        if (l->s[k] != '_') text[n++] = l->s[k];
    text[n] = 0;
    jinja_token *t = push(l, is_float ? T_FLOAT : T_INT);
    t->f = is_float ? strtod(text, NULL) : 0;
    for (size_t k = base == 10 ? 0 : 2; !is_float && k < n; k++) {
        digit_of(text[k], base, &v);
        if (__builtin_mul_overflow(t->i, base, &t->i) || __builtin_add_overflow(t->i, v, &t->i))
            jinja_fail(l->a, WICK_ELIMIT, "line %d: an integer is too large", l->line);
    }
    l->at = i;
}

/* The code point of an escape of `count` hexadecimal digits. */
static uint32_t hex_escape(lexer *l, size_t i, size_t end, int count) {
    uint32_t cp = 0;
    for (int k = 0, v; k < count; k++) {
        if (i + (size_t)k >= end || !digit_of(l->s[i + (size_t)k], 16, &v))
            jinja_fail(l->a, WICK_EFORMAT, "line %d: an escape in a string is cut short", l->line);
        cp = cp << 4 | (uint32_t)v;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
        jinja_fail(l->a, WICK_EFORMAT, "line %d: an escape in a string names no character", l->line);
    return cp;
}

static void put_char(lexer *l, jinja_buffer *b, uint32_t cp) {
    char s[4];
    jinja_add(l->a, b, s, wick_utf8_encode(cp, s), false);
}

static size_t lex_escape(lexer *l, jinja_buffer *b, size_t i, size_t end) {
    static const char from[] = "nrtabfv\\'\"", to[] = "\n\r\t\a\b\f\v\\'\"";
    char c = l->s[i];
    const char *simple = strchr(from, c);
    if (simple && c) return jinja_add(l->a, b, &to[simple - from], 1, false), i + 1;
    int count = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (count) return put_char(l, b, hex_escape(l, i + 1, end, count)), i + 1 + (size_t)count;
    if (c == '\n') return i + 1;
    if (c == 'N') jinja_fail(l->a, WICK_EUNSUPPORTED, "line %d: a string names a character by its name", l->line);
    if (c >= '0' && c <= '7') {
        uint32_t cp = 0;
        for (int k = 0; k < 3 && i < end && l->s[i] >= '0' && l->s[i] <= '7'; k++) cp = cp * 8 + (uint32_t)(l->s[i++] - '0');
        return put_char(l, b, cp), i;
    }
    jinja_add(l->a, b, "\\", 1, false);
    return i;
}

static void lex_string(lexer *l) {
    char quote = l->s[l->at];
    size_t from = l->at + 1, end = from;
    while (end < l->n && l->s[end] != quote) end += l->s[end] == '\\' ? 2 : 1;
    if (end >= l->n) jinja_fail(l->a, WICK_EFORMAT, "line %d: a string is not closed", l->line);
    jinja_buffer b = {0};
    jinja_add(l->a, &b, "", 0, false);
    for (size_t i = from; i < end;) {
        if (l->s[i] == '\\') {
            i = lex_escape(l, &b, i + 1, end);
            continue;
        }
        jinja_add(l->a, &b, l->s + i, 1, false);
        i++;
    }
    push_text(l, T_STRING, b.s, b.n);
    advance(l, end + 1);
}

static bool name_char(uint32_t cp) {
    return cp == '_' || wick_char_class(cp) & (WICK_CH_LETTER | WICK_CH_NUMBER) || (cp >= 0x80 && wick_is_word(cp));
}

static bool lex_name(lexer *l) {
    size_t i = l->at, size;
    while (i < l->n && name_char(wick_char_at(l->s + i, &size))) i += size;
    if (i == l->at) return false;
    push_text(l, T_NAME, l->s + l->at, i - l->at);
    l->at = i;
    return true;
}

/* The inside of a tag up to its end. */
static void lex_tag(lexer *l, bool variable) {
    char stack[JINJA_MAX_PARSE_DEPTH];
    size_t depth = 0;
    const char *close = variable ? "}}" : "%}";
    for (;;) {
        size_t i = skip_space(l, l->at);
        advance(l, i);
        jinja_spend(l->a, 1);
        if (i >= l->n) {
            push(l, T_END);
            return;
        }
        char c = l->s[i], sign = c == '-' || (c == '+' && !variable) ? c : 0;
        if (!depth && at(l, i + (sign != 0), close)) {
            size_t end = i + 2 + (sign != 0);
            push(l, variable ? T_VAR_END : T_BLOCK_END);
            advance(l, variable ? (sign ? skip_space(l, end) : end) : after_block(l, end, sign));
            return;
        }
        if (c == '"' || c == '\'') {
            lex_string(l);
            continue;
        }
        if (c >= '0' && c <= '9') {
            lex_number(l);
            continue;
        }
        if (lex_name(l)) continue;
        static const char *const ops[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                          "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
        size_t k = 0, n_op = sizeof ops / sizeof *ops;
        while (k < n_op && !at(l, i, ops[k])) k++;
        if (k == n_op) jinja_fail(l->a, WICK_EFORMAT, "line %d: unexpected character '%c'", l->line, c);
        if (strchr("([{", c)) {
            if (depth == sizeof stack) jinja_fail(l->a, WICK_ELIMIT, "line %d: brackets are nested too deeply", l->line);
            stack[depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        } else if (strchr(")]}", c) && (!depth || stack[--depth] != c))
            jinja_fail(l->a, WICK_EFORMAT, "line %d: unexpected '%c'", l->line, c);
        push_text(l, T_OP, ops[k], strlen(ops[k]));
        l->at = i + strlen(ops[k]);
        l->line_start = false;
    }
}

static void lex_root(lexer *l) {
    size_t from = l->at, i = from;
    while (i + 2 <= l->n && !(l->s[i] == '{' && strchr("%{#", l->s[i + 1]) && l->s[i + 1])) i++;
    if (i + 2 > l->n) {
        push_text(l, T_DATA, l->s + from, l->n - from);
        l->at = l->n;
        return;
    }
    char kind = l->s[i + 1];
    size_t inside = i + 2;
    char sign = inside < l->n && (l->s[inside] == '-' || l->s[inside] == '+') ? l->s[inside] : 0;
    size_t end = text_end(l, from, i, sign, kind == '{');
    if (end > from) push_text(l, T_DATA, l->s + from, end - from);
    inside += sign != 0;
    advance(l, inside);
    l->line_start = false;
    if (kind == '#') {
        lex_comment(l, inside);
        return;
    }
    size_t raw = kind == '%' ? raw_begin(l, inside) : 0;
    if (raw) {
        lex_raw(l, raw);
        return;
    }
    push(l, kind == '{' ? T_VAR_BEGIN : T_BLOCK_BEGIN);
    lex_tag(l, kind == '{');
}

jinja_token *jinja_lex(jinja_arena *a, const char *source, size_t n, size_t *n_token) {
    char *s = jinja_alloc(a, n + 1);
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        if (source[i] == '\r') {
            s[size++] = '\n';
            if (i + 1 < n && source[i + 1] == '\n') i++;
        } else
            s[size++] = source[i];
    }
    if (size && s[size - 1] == '\n') size--;
    lexer l = {.a = a, .s = s, .n = size, .line = 1, .line_start = true};
    while (l.at < l.n) lex_root(&l);
    push(&l, T_END);
    *n_token = l.n_token;
    return l.tokens;
}
