/* Printing: str(), repr() and json.dumps() as Python writes them. */
#include "base/utf8.h"
#include "text/jinja_text.h"
#include "text/tok_chars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

void jinja_print_int(jinja_buffer *b, jinja_arena *a, jinja_int i) {
    char text[48];
    size_t at = sizeof text;
    unsigned __int128 u = i < 0 ? -(unsigned __int128)i : (unsigned __int128)i;
    do text[--at] = (char)('0' + (int)(u % 10));
    while (u /= 10);
    if (i < 0) text[--at] = '-';
    jinja_add(a, b, text + at, sizeof text - at, false);
}

/* repr: the fewest digits that read back as the same number; positional from 1e-4 to 1e16. */
void jinja_print_float(jinja_buffer *b, jinja_arena *a, double f) {
    char text[64], digits[32];
    if (isnan(f) || isinf(f)) {
        jinja_puts(a, b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    int n = 1;
    do snprintf(text, sizeof text, "%.*e", n - 1, f);
    while (strtod(text, NULL) != f && ++n <= 17);
    int exponent = atoi(strchr(text, 'e') + 1), k = 0;
    for (const char *p = text; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9') digits[k++] = *p;
    while (k > 1 && digits[k - 1] == '0') k--;
    if (signbit(f)) jinja_puts(a, b, "-");
    if (exponent < -4 || exponent >= 16) {
        jinja_add(a, b, digits, 1, false);
        if (k > 1) jinja_puts(a, b, "."), jinja_add(a, b, digits + 1, (size_t)k - 1, false);
        snprintf(text, sizeof text, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        jinja_puts(a, b, text);
        return;
    }
    if (exponent < 0) {
        jinja_puts(a, b, "0.");
        for (int i = -1; i > exponent; i--) jinja_puts(a, b, "0");
        jinja_add(a, b, digits, (size_t)k, false);
        return;
    }
    for (int i = 0; i <= exponent; i++) jinja_add(a, b, i < k ? &digits[i] : "0", 1, false);
    jinja_puts(a, b, ".");
    if (k > exponent + 1)
        jinja_add(a, b, digits + exponent + 1, (size_t)(k - exponent - 1), false);
    else
        jinja_puts(a, b, "0");
}

/* ---- repr */

bool jinja_is_printable(uint32_t cp) {
    if (cp < 0x80) return cp >= 0x20 && cp != 0x7f;
    return !wick_is_other(cp) && !(wick_char_class(cp) & WICK_CH_SPACE);
}

static void repr_string(jinja_arena *a, jinja_buffer *b, const jinja_string *s) {
    char quote = memchr(s->s, '\'', s->n) && !memchr(s->s, '"', s->n) ? '"' : '\'', text[16];
    jinja_add(a, b, &quote, 1, false);
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        bool marked = s->marks && s->marks[i];
        if (cp == (uint32_t)quote || cp == '\\')
            snprintf(text, sizeof text, "\\%c", (char)cp);
        else if (cp == '\n' || cp == '\r' || cp == '\t')
            snprintf(text, sizeof text, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
        else if (jinja_is_printable(cp)) {
            jinja_add(a, b, s->s + i, n, marked);
            continue;
        } else
            snprintf(text, sizeof text, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
        jinja_add(a, b, text, strlen(text), marked);
    }
    jinja_add(a, b, &quote, 1, false);
}

static void repr_items(jinja_arena *a, jinja_buffer *b, const jinja_list *l, char open, char close) {
    jinja_add(a, b, &open, 1, false);
    for (size_t i = 0; i < l->n; i++) {
        if (i) jinja_puts(a, b, ", ");
        jinja_repr(a, b, l->items[i]);
    }
    jinja_add(a, b, &close, 1, false);
}

static void repr_list(jinja_arena *a, jinja_buffer *b, const jinja_list *l) {
    static const char *const wrap[] = {"", "", "<generator object", "dict_keys(", "dict_values(", "dict_items(", ""};
    if (l->kind == J_RANGE) {
        jinja_puts(a, b, "range(");
        for (int i = 0; i < (l->range[2] == 1 ? 2 : 3); i++) {
            if (i) jinja_puts(a, b, ", ");
            jinja_print_int(b, a, l->range[i]);
        }
        jinja_puts(a, b, ")");
        return;
    }
    if (l->kind == J_GENERATOR) {
        jinja_puts(a, b, "<generator object>");
        return;
    }
    jinja_puts(a, b, wrap[l->kind]);
    repr_items(a, b, l, '[', ']');
    if (l->kind != J_PLAIN) jinja_puts(a, b, ")");
}

static void repr_dict(jinja_arena *a, jinja_buffer *b, const jinja_dict *d) {
    jinja_puts(a, b, "{");
    for (size_t i = 0; i < d->n; i++) {
        if (i) jinja_puts(a, b, ", ");
        jinja_repr(a, b, d->keys[i]);
        jinja_puts(a, b, ": ");
        jinja_repr(a, b, d->values[i]);
    }
    jinja_puts(a, b, "}");
}

void jinja_repr(jinja_arena *a, jinja_buffer *b, jinja_value v) {
    if (++a->depth > JINJA_MAX_DEPTH) jinja_fail(a, WICK_ELIMIT, "it is nested deeper than %d", JINJA_MAX_DEPTH);
    switch (v.type) {
    case J_UNDEFINED: jinja_puts(a, b, "Undefined"); break;
    case J_NONE: jinja_puts(a, b, "None"); break;
    case J_BOOL: jinja_puts(a, b, v.u.b ? "True" : "False"); break;
    case J_INT: jinja_print_int(b, a, *v.u.i); break;
    case J_FLOAT: jinja_print_float(b, a, v.u.f); break;
    case J_STRING:
        if (v.safe) jinja_puts(a, b, "Markup(");
        repr_string(a, b, v.u.s);
        if (v.safe) jinja_puts(a, b, ")");
        break;
    case J_LIST: repr_list(a, b, v.u.l); break;
    case J_TUPLE:
        if (v.u.l->n == 1) {
            jinja_puts(a, b, "(");
            jinja_repr(a, b, v.u.l->items[0]);
            jinja_puts(a, b, ",)");
        } else
            repr_items(a, b, v.u.l, '(', ')');
        break;
    case J_DICT: repr_dict(a, b, v.u.d); break;
    case J_NAMESPACE:
        jinja_puts(a, b, "<Namespace ");
        repr_dict(a, b, v.u.d);
        jinja_puts(a, b, ">");
        break;
    case J_LOOP:
        jinja_puts(a, b, "<LoopContext ");
        jinja_print_int(b, a, (jinja_int)v.u.loop->i + 1);
        jinja_puts(a, b, "/");
        jinja_print_int(b, a, (jinja_int)v.u.loop->items->n);
        jinja_puts(a, b, ">");
        break;
    default:
        jinja_puts(a, b, "<");
        jinja_puts(a, b, jinja_type_name(&v));
        jinja_puts(a, b, ">");
    }
    a->depth--;
}

void jinja_print(jinja_arena *a, jinja_buffer *b, jinja_value v) {
    if (v.type == J_STRING)
        jinja_add_string(a, b, v.u.s);
    else if (v.type != J_UNDEFINED)
        jinja_repr(a, b, v);
}

jinja_value jinja_to_text(jinja_arena *a, jinja_value v) {
    if (v.type == J_STRING) return v;
    jinja_buffer b = {0};
    jinja_print(a, &b, v);
    return jinja_text(a, &b);
}

/* ---- json.dumps */

static void json_string(jinja_arena *a, jinja_buffer *b, const jinja_string *s, bool ascii) {
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    char text[16];
    jinja_puts(a, b, "\"");
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        bool marked = s->marks && s->marks[i];
        const char *simple = cp && cp < 0x80 ? strchr(from, (int)cp) : NULL;
        if (simple)
            snprintf(text, sizeof text, "\\%c", to[simple - from]);
        else if (cp >= 0x20 && (cp < 0x7f || !ascii)) {
            jinja_add(a, b, s->s + i, n, marked);
            continue;
        } else if (cp < 0x10000)
            snprintf(text, sizeof text, "\\u%04x", cp);
        else
            snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10), 0xdc00 + ((cp - 0x10000) & 0x3ff));
        jinja_add(a, b, text, strlen(text), marked);
    }
    jinja_puts(a, b, "\"");
}

static void json_break(jinja_arena *a, jinja_buffer *b, const jinja_json_options *o, int level) {
    if (!o->indent) return;
    jinja_puts(a, b, "\n");
    for (int i = 0; i < level; i++) jinja_add_string(a, b, o->indent);
}

static void json_comma(jinja_arena *a, jinja_buffer *b, const jinja_json_options *o, int level) {
    if (o->item)
        jinja_add_string(a, b, o->item);
    else
        jinja_puts(a, b, o->indent ? "," : ", ");
    json_break(a, b, o, level);
}

static void json_float(jinja_arena *a, jinja_buffer *b, double f) {
    if (isnan(f) || isinf(f))
        jinja_puts(a, b, isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity");
    else
        jinja_print_float(b, a, f);
}

static void json_key(jinja_arena *a, jinja_buffer *b, jinja_value key, const jinja_json_options *o) {
    if (key.type == J_STRING) {
        json_string(a, b, key.u.s, o->ascii);
        return;
    }
    jinja_puts(a, b, "\"");
    if (key.type == J_FLOAT)
        json_float(a, b, key.u.f);
    else if (key.type == J_NONE || key.type == J_BOOL || key.type == J_INT)
        jinja_json(a, b, key, o, 0);
    else
        jinja_fail(a, WICK_EFORMAT, "a %s cannot be a key in JSON", jinja_type_name(&key));
    jinja_puts(a, b, "\"");
}

/* Indices of the keys in the order to be written. */
static size_t *key_order(jinja_arena *a, const jinja_dict *d, bool sort) {
    size_t *order = jinja_alloc(a, (d->n + 1) * sizeof *order);
    for (size_t i = 0; i < d->n; i++) {
        size_t at = i;
        for (; sort && at && jinja_order(a, d->keys[order[at - 1]], d->keys[i], "<") > 0; at--) order[at] = order[at - 1];
        jinja_spend(a, 1 + i - at);
        order[at] = i;
    }
    return order;
}

static void json_dict(jinja_arena *a, jinja_buffer *b, const jinja_dict *d, const jinja_json_options *o, int level) {
    size_t *order = key_order(a, d, o->sort);
    if (!d->n) {
        jinja_puts(a, b, "{}");
        return;
    }
    jinja_puts(a, b, "{");
    json_break(a, b, o, level + 1);
    for (size_t i = 0; i < d->n; i++) {
        if (i) json_comma(a, b, o, level + 1);
        json_key(a, b, d->keys[order[i]], o);
        if (o->key)
            jinja_add_string(a, b, o->key);
        else
            jinja_puts(a, b, ": ");
        jinja_json(a, b, d->values[order[i]], o, level + 1);
    }
    json_break(a, b, o, level);
    jinja_puts(a, b, "}");
}

void jinja_json(jinja_arena *a, jinja_buffer *b, jinja_value v, const jinja_json_options *o, int level) {
    if (++a->depth > JINJA_MAX_DEPTH) jinja_fail(a, WICK_ELIMIT, "it is nested deeper than %d", JINJA_MAX_DEPTH);
    switch (v.type) {
    case J_NONE: jinja_puts(a, b, "null"); break;
    case J_BOOL: jinja_puts(a, b, v.u.b ? "true" : "false"); break;
    case J_INT: jinja_print_int(b, a, *v.u.i); break;
    case J_FLOAT: json_float(a, b, v.u.f); break;
    case J_STRING: json_string(a, b, v.u.s, o->ascii); break;
    case J_DICT: json_dict(a, b, v.u.d, o, level); break;
    case J_LIST:
    case J_TUPLE:
        if (v.type == J_LIST && v.u.l->kind != J_PLAIN) jinja_fail(a, WICK_EFORMAT, "a %s cannot be written as JSON", jinja_type_name(&v));
        jinja_puts(a, b, "[");
        if (v.u.l->n) json_break(a, b, o, level + 1);
        for (size_t i = 0; i < v.u.l->n; i++) {
            if (i) json_comma(a, b, o, level + 1);
            jinja_json(a, b, v.u.l->items[i], o, level + 1);
        }
        if (v.u.l->n) json_break(a, b, o, level);
        jinja_puts(a, b, "]");
        break;
    default: jinja_fail(a, WICK_EFORMAT, "a %s cannot be written as JSON", jinja_type_name(&v));
    }
    a->depth--;
}
