/* Values: memory, text with marks, lists, dictionaries, comparing. */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/jinja.h"
#include "text/tok_chars.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- arena */

struct jinja_chunk {
    jinja_chunk *next;
    _Alignas(16) char data[];
};

void jinja_fail(jinja_arena *a, wick_status status, const char *format, ...) {
    if (a->err) {
        va_list args;
        char text[400];
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        wick_fail(a->err, status, "chat template: %s", text);
    }
    a->status = status;
    longjmp(a->exit, 1);
}

void jinja_spend(jinja_arena *a, size_t steps) {
    if (steps >= a->fuel) jinja_fail(a, WICK_ELIMIT, "it takes more than %u steps", JINJA_FUEL);
    a->fuel -= (uint32_t)steps;
}

void *jinja_alloc(jinja_arena *a, size_t n) {
    if (n > JINJA_MAX_ARENA) jinja_fail(a, WICK_ELIMIT, "it needs more than %zu MB of memory", JINJA_MAX_ARENA >> 20);
    n = (n + 15) & ~(size_t)15;
    if (n > (size_t)(a->end - a->at)) {
        size_t size = n > 32 << 10 ? n : 32 << 10;
        if (a->total + size > JINJA_MAX_ARENA) jinja_fail(a, WICK_ELIMIT, "it needs more than %zu MB of memory", JINJA_MAX_ARENA >> 20);
        jinja_chunk *c = wick_alloc(sizeof *c + size);
        if (!c) jinja_fail(a, WICK_ENOMEM, "out of memory");
        c->next = a->chunks;
        a->chunks = c;
        a->at = c->data;
        a->end = c->data + size;
        a->total += size;
    }
    void *p = a->at;
    a->at += n;
    memset(p, 0, n);
    return p;
}

void jinja_arena_release(jinja_arena *a) {
    for (jinja_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        wick_free(c);
    }
    a->chunks = NULL;
    a->at = a->end = NULL;
}

/* ---- text */

static void reserve(jinja_arena *a, jinja_buffer *b, size_t n, bool marked) {
    bool need_marks = marked && !b->marks;
    if (n > JINJA_MAX_OUTPUT || b->n + n > JINJA_MAX_OUTPUT)
        jinja_fail(a, WICK_ELIMIT, "a text is longer than %zu MB", JINJA_MAX_OUTPUT >> 20);
    if (b->n + n >= b->cap || !b->s) {
        size_t cap = b->cap * 2 > b->n + n + 64 ? b->cap * 2 : b->n + n + 64;
        char *s = jinja_alloc(a, cap);
        if (b->n) memcpy(s, b->s, b->n);
        if (b->marks) {
            uint8_t *m = jinja_alloc(a, cap);
            memcpy(m, b->marks, b->n);
            b->marks = m;
        }
        b->s = s;
        b->cap = cap;
    }
    if (need_marks) b->marks = jinja_alloc(a, b->cap);
    jinja_spend(a, 1 + n / 64);
}

void jinja_add(jinja_arena *a, jinja_buffer *b, const char *s, size_t n, bool marked) {
    reserve(a, b, n, marked);
    if (n) memcpy(b->s + b->n, s, n);
    if (b->marks) memset(b->marks + b->n, marked, n);
    b->n += n;
}

void jinja_add_string(jinja_arena *a, jinja_buffer *b, const jinja_string *s) {
    size_t at = b->n;
    jinja_add(a, b, s->s, s->n, s->marks != NULL);
    if (s->marks) memcpy(b->marks + at, s->marks, s->n);
}

void jinja_puts(jinja_arena *a, jinja_buffer *b, const char *s) { jinja_add(a, b, s, strlen(s), false); }

static jinja_value string_value(jinja_arena *a, const char *s, const uint8_t *marks, size_t n) {
    jinja_string *x = jinja_alloc(a, sizeof *x);
    *x = (jinja_string){s ? s : "", marks, n};
    return (jinja_value){.type = J_STRING, .u.s = x};
}

jinja_value jinja_text(jinja_arena *a, const jinja_buffer *b) { return string_value(a, b->s, b->marks, b->n); }

jinja_value jinja_str(jinja_arena *a, const char *s, size_t n, bool marked) {
    jinja_buffer b = {0};
    jinja_add(a, &b, s, n, marked);
    return jinja_text(a, &b);
}

jinja_value jinja_cstr(jinja_arena *a, const char *s) { return string_value(a, s, NULL, strlen(s)); }

jinja_value jinja_slice_of(jinja_arena *a, const jinja_string *s, size_t from, size_t to) {
    return string_value(a, s->s + from, s->marks ? s->marks + from : NULL, to - from);
}

bool jinja_any_mark(const jinja_string *s) { return s->marks && memchr(s->marks, 1, s->n); }

size_t jinja_char_count(const jinja_string *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += ((unsigned char)s->s[i] & 0xc0) != 0x80;
    return n;
}

/* ---- numbers, lists, dictionaries */

jinja_value jinja_integer(jinja_arena *a, jinja_int i) {
    jinja_int *p = jinja_alloc(a, sizeof *p);
    *p = i;
    return (jinja_value){.type = J_INT, .u.i = p};
}

jinja_value jinja_new_list(jinja_arena *a, jinja_type type, jinja_list_kind kind) {
    jinja_list *l = jinja_alloc(a, sizeof *l);
    l->kind = kind;
    return (jinja_value){.type = type, .u.l = l};
}

void jinja_push(jinja_arena *a, jinja_list *l, jinja_value v) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        jinja_value *items = jinja_alloc(a, cap * sizeof *items);
        if (l->n) memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    jinja_spend(a, 1);
    l->items[l->n++] = v;
}

jinja_value jinja_new_dict(jinja_arena *a) { return (jinja_value){.type = J_DICT, .u.d = jinja_alloc(a, sizeof(jinja_dict))}; }

static void check_hashable(jinja_arena *a, const jinja_value *v) {
    if (v->type == J_LIST || v->type == J_DICT) jinja_fail(a, WICK_EFORMAT, "a %s cannot be a key", jinja_type_name(v));
    for (size_t i = 0; v->type == J_TUPLE && i < v->u.l->n; i++) check_hashable(a, &v->u.l->items[i]);
}

/* Few keys and short ones: searching from front to back is quicker than any table. */
static size_t find_key(jinja_arena *a, const jinja_dict *d, jinja_value key) {
    for (size_t i = 0; i < d->n; i++)
        if (jinja_equal(a, d->keys[i], key)) return i;
    return d->n;
}

void jinja_put(jinja_arena *a, jinja_dict *d, jinja_value key, jinja_value v) {
    check_hashable(a, &key);
    size_t i = find_key(a, d, key);
    if (i == d->n) {
        if (d->n == d->cap) {
            size_t cap = d->cap ? d->cap * 2 : 8;
            jinja_value *keys = jinja_alloc(a, cap * sizeof *keys), *values = jinja_alloc(a, cap * sizeof *values);
            if (d->n) {
                memcpy(keys, d->keys, d->n * sizeof *keys);
                memcpy(values, d->values, d->n * sizeof *values);
            }
            d->keys = keys, d->values = values, d->cap = cap;
        }
        d->keys[d->n++] = key;
    }
    d->values[i] = v;
}

const jinja_value *jinja_get(jinja_arena *a, const jinja_dict *d, jinja_value key) {
    check_hashable(a, &key);
    size_t i = find_key(a, d, key);
    return i < d->n ? &d->values[i] : NULL;
}

const jinja_value *jinja_get_text(const jinja_dict *d, const char *key, size_t n) {
    for (size_t i = 0; i < d->n; i++)
        if (d->keys[i].type == J_STRING && d->keys[i].u.s->n == n && !memcmp(d->keys[i].u.s->s, key, n)) return &d->values[i];
    return NULL;
}

/* ---- asking */

bool jinja_is_number(const jinja_value *v) { return v->type == J_INT || v->type == J_FLOAT || v->type == J_BOOL; }
bool jinja_is_sequence(const jinja_value *v) { return v->type == J_LIST || v->type == J_TUPLE; }

bool jinja_as_int(const jinja_value *v, jinja_int *i) {
    if (v->type == J_BOOL)
        *i = v->u.b;
    else if (v->type == J_INT)
        *i = *v->u.i;
    else
        return false;
    return true;
}

double jinja_as_float(const jinja_value *v) {
    jinja_int i;
    return v->type == J_FLOAT ? v->u.f : jinja_as_int(v, &i) ? (double)i : NAN;
}

bool jinja_true(const jinja_value *v) {
    switch (v->type) {
    case J_UNDEFINED:
    case J_NONE: return false;
    case J_BOOL: return v->u.b;
    case J_INT: return *v->u.i != 0;
    case J_FLOAT: return v->u.f != 0;
    case J_STRING: return v->u.s->n != 0;
    case J_LIST: return v->u.l->n != 0 || v->u.l->kind == J_GENERATOR;
    case J_TUPLE: return v->u.l->n != 0;
    case J_DICT: return v->u.d->n != 0;
    default: return true;
    }
}

const char *jinja_type_name(const jinja_value *v) {
    static const char *const names[] = {"Undefined", "NoneType",  "bool",  "int",      "float",  "str",         "list",   "tuple",
                                        "dict",      "Namespace", "Macro", "function", "method", "LoopContext", "Cycler", "Joiner"};
    if (v->type == J_LIST && v->u.l->kind == J_RANGE) return "range";
    if (v->type == J_LIST && v->u.l->kind != J_PLAIN) return "generator";
    return names[v->type];
}

static void enter(jinja_arena *a) {
    jinja_spend(a, 1);
    if (++a->depth > JINJA_MAX_DEPTH) jinja_fail(a, WICK_ELIMIT, "it is nested deeper than %d", JINJA_MAX_DEPTH);
}

static bool equal_lists(jinja_arena *a, const jinja_list *x, const jinja_list *y) {
    if (x == y) return true;
    if (x->n != y->n || x->kind != y->kind || x->kind == J_GENERATOR || x->kind == J_VALUES) return false;
    for (size_t i = 0; i < x->n; i++)
        if (!jinja_equal(a, x->items[i], y->items[i])) return false;
    return true;
}

static bool equal_dicts(jinja_arena *a, const jinja_dict *x, const jinja_dict *y) {
    if (x->n != y->n) return false;
    for (size_t i = 0; i < x->n; i++) {
        size_t k = find_key(a, y, x->keys[i]);
        if (k == y->n || !jinja_equal(a, x->values[i], y->values[k])) return false;
    }
    return true;
}

bool jinja_equal(jinja_arena *a, jinja_value x, jinja_value y) {
    jinja_int i, k;
    if (jinja_is_number(&x) && jinja_is_number(&y)) {
        if (jinja_as_int(&x, &i) && jinja_as_int(&y, &k)) return i == k;
        return jinja_as_float(&x) == jinja_as_float(&y);
    }
    if (x.type != y.type) return false;
    bool same = false;
    enter(a);
    switch (x.type) {
    case J_UNDEFINED:
    case J_NONE: same = true; break;
    case J_STRING: same = x.u.s->n == y.u.s->n && !memcmp(x.u.s->s, y.u.s->s, x.u.s->n); break;
    case J_LIST:
    case J_TUPLE: same = equal_lists(a, x.u.l, y.u.l); break;
    case J_DICT: same = x.u.d == y.u.d || equal_dicts(a, x.u.d, y.u.d); break;
    case J_FUNCTION: same = x.u.id == y.u.id; break;
    default: same = x.u.macro == y.u.macro; break;
    }
    a->depth--;
    return same;
}

int jinja_order(jinja_arena *a, jinja_value x, jinja_value y, const char *op) {
    jinja_int i, k;
    if (jinja_is_number(&x) && jinja_is_number(&y)) {
        if (jinja_as_int(&x, &i) && jinja_as_int(&y, &k)) return i < k ? -1 : i > k;
        double f = jinja_as_float(&x), g = jinja_as_float(&y);
        return f < g ? -1 : f > g;
    }
    if (x.type == J_STRING && y.type == J_STRING) {
        size_t n = x.u.s->n < y.u.s->n ? x.u.s->n : y.u.s->n;
        int c = memcmp(x.u.s->s, y.u.s->s, n); /* UTF-8 sorts as its code points do */
        return c ? c : x.u.s->n < y.u.s->n ? -1 : x.u.s->n > y.u.s->n;
    }
    if (x.type == y.type && jinja_is_sequence(&x) && x.u.l->kind == J_PLAIN && y.u.l->kind == J_PLAIN) {
        enter(a);
        const jinja_list *p = x.u.l, *q = y.u.l;
        size_t n = 0;
        while (n < p->n && n < q->n && jinja_equal(a, p->items[n], q->items[n])) n++;
        int c = n < p->n && n < q->n ? jinja_order(a, p->items[n], q->items[n], op) : p->n < q->n ? -1 : p->n > q->n;
        a->depth--;
        return c;
    }
    jinja_fail(a, WICK_EFORMAT, "'%s' is not supported between %s and %s", op, jinja_type_name(&x), jinja_type_name(&y));
}

jinja_list *jinja_iterate(jinja_arena *a, jinja_value v) {
    jinja_list *l;
    switch (v.type) {
    case J_LIST:
        if (v.u.l->broken) jinja_fail(a, WICK_EFORMAT, "a %s cannot be walked through", v.u.l->broken);
        return v.u.l;
    case J_TUPLE: return v.u.l;
    case J_UNDEFINED: return jinja_new_list(a, J_LIST, J_PLAIN).u.l;
    case J_DICT:
        l = jinja_new_list(a, J_LIST, J_PLAIN).u.l;
        for (size_t i = 0; i < v.u.d->n; i++) jinja_push(a, l, v.u.d->keys[i]);
        return l;
    case J_STRING:
        l = jinja_new_list(a, J_LIST, J_PLAIN).u.l;
        for (size_t i = 0; i < v.u.s->n;) {
            size_t n = wick_char_size(v.u.s->s[i]);
            jinja_push(a, l, jinja_slice_of(a, v.u.s, i, i + n));
            i += n;
        }
        return l;
    default: jinja_fail(a, WICK_EFORMAT, "a %s cannot be walked through", jinja_type_name(&v));
    }
}
