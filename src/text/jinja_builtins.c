/* Attributes, items, methods and functions. Methods that would change a list or dictionary do not exist here. */
#include "text/jinja_text.h"
#include "text/tok_chars.h"

#include <string.h>
#include <utf8proc.h>

/* ---- methods */

typedef enum method_id {
    M_NONE = -1,
    M_CAPITALIZE,
    M_CASEFOLD,
    M_CENTER,
    M_COUNT,
    M_ENDSWITH,
    M_EXPANDTABS,
    M_FIND,
    M_FORMAT,
    M_INDEX,
    M_ISALNUM,
    M_ISALPHA,
    M_ISASCII,
    M_ISDECIMAL,
    M_ISDIGIT,
    M_ISIDENTIFIER,
    M_ISLOWER,
    M_ISNUMERIC,
    M_ISPRINTABLE,
    M_ISSPACE,
    M_ISTITLE,
    M_ISUPPER,
    M_JOIN,
    M_LJUST,
    M_LOWER,
    M_LSTRIP,
    M_PARTITION,
    M_REMOVEPREFIX,
    M_REMOVESUFFIX,
    M_REPLACE,
    M_RFIND,
    M_RINDEX,
    M_RJUST,
    M_RPARTITION,
    M_RSPLIT,
    M_RSTRIP,
    M_SPLIT,
    M_SPLITLINES,
    M_STARTSWITH,
    M_STRIP,
    M_SWAPCASE,
    M_TITLE,
    M_UPPER,
    M_ZFILL,
    M_GET,
    M_ITEMS,
    M_KEYS,
    M_VALUES,
    M_COPY,
    M_CYCLE,
    M_CHANGED,
    M_NEXT,
    M_RESET,
    M_LIST_COUNT,
    M_LIST_INDEX
} method_id;

static const struct {
    jinja_type type;
    const char *name;
    method_id id;
} methods[] = {
    {J_STRING, "capitalize", M_CAPITALIZE},
    {J_STRING, "casefold", M_CASEFOLD},
    {J_STRING, "center", M_CENTER},
    {J_STRING, "count", M_COUNT},
    {J_STRING, "endswith", M_ENDSWITH},
    {J_STRING, "expandtabs", M_EXPANDTABS},
    {J_STRING, "find", M_FIND},
    {J_STRING, "format", M_FORMAT},
    {J_STRING, "index", M_INDEX},
    {J_STRING, "isalnum", M_ISALNUM},
    {J_STRING, "isalpha", M_ISALPHA},
    {J_STRING, "isascii", M_ISASCII},
    {J_STRING, "isdecimal", M_ISDECIMAL},
    {J_STRING, "isdigit", M_ISDIGIT},
    {J_STRING, "isidentifier", M_ISIDENTIFIER},
    {J_STRING, "islower", M_ISLOWER},
    {J_STRING, "isnumeric", M_ISNUMERIC},
    {J_STRING, "isprintable", M_ISPRINTABLE},
    {J_STRING, "isspace", M_ISSPACE},
    {J_STRING, "istitle", M_ISTITLE},
    {J_STRING, "isupper", M_ISUPPER},
    {J_STRING, "join", M_JOIN},
    {J_STRING, "ljust", M_LJUST},
    {J_STRING, "lower", M_LOWER},
    {J_STRING, "lstrip", M_LSTRIP},
    {J_STRING, "partition", M_PARTITION},
    {J_STRING, "removeprefix", M_REMOVEPREFIX},
    {J_STRING, "removesuffix", M_REMOVESUFFIX},
    {J_STRING, "replace", M_REPLACE},
    {J_STRING, "rfind", M_RFIND},
    {J_STRING, "rindex", M_RINDEX},
    {J_STRING, "rjust", M_RJUST},
    {J_STRING, "rpartition", M_RPARTITION},
    {J_STRING, "rsplit", M_RSPLIT},
    {J_STRING, "rstrip", M_RSTRIP},
    {J_STRING, "split", M_SPLIT},
    {J_STRING, "splitlines", M_SPLITLINES},
    {J_STRING, "startswith", M_STARTSWITH},
    {J_STRING, "strip", M_STRIP},
    {J_STRING, "swapcase", M_SWAPCASE},
    {J_STRING, "title", M_TITLE},
    {J_STRING, "upper", M_UPPER},
    {J_STRING, "zfill", M_ZFILL},
    {J_DICT, "get", M_GET},
    {J_DICT, "items", M_ITEMS},
    {J_DICT, "keys", M_KEYS},
    {J_DICT, "values", M_VALUES},
    {J_DICT, "copy", M_COPY},
    {J_LIST, "copy", M_COPY},
    {J_LIST, "count", M_LIST_COUNT},
    {J_LIST, "index", M_LIST_INDEX},
    {J_TUPLE, "count", M_LIST_COUNT},
    {J_TUPLE, "index", M_LIST_INDEX},
    {J_LOOP, "cycle", M_CYCLE},
    {J_LOOP, "changed", M_CHANGED},
    {J_CYCLER, "next", M_NEXT},
    {J_CYCLER, "reset", M_RESET},
};

int jinja_method_id(jinja_type type, const char *name, size_t n) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].type == type && strlen(methods[i].name) == n && !memcmp(methods[i].name, name, n)) return methods[i].id;
    return -1;
}

static jinja_value int_value(jinja_interp *j, size_t i) { return jinja_integer(j->a, (jinja_int)i); }

static const jinja_string *string_arg(jinja_interp *j, const jinja_args *args, size_t i, const char *name) {
    return jinja_need_string(j, jinja_arg(args, i, name), name);
}

static const jinja_string *chars_arg(jinja_interp *j, const jinja_args *args) {
    jinja_value v = jinja_arg(args, 0, NULL);
    return jinja_given(v) && v.type != J_NONE ? jinja_need_string(j, v, "what is stripped") : NULL;
}

/* split and rsplit: by a separator, or by runs of white space. */
static jinja_value split(jinja_interp *j, const jinja_string *s, const jinja_args *args, bool right) {
    jinja_value sep = jinja_arg(args, 0, "sep"), most = jinja_arg(args, 1, "maxsplit"), out = jinja_new_list(j->a, J_LIST, J_PLAIN);
    jinja_int left = jinja_given(most) ? jinja_need_int(j, most, "maxsplit") : -1;
    const jinja_string *by = jinja_given(sep) && sep.type != J_NONE ? jinja_need_string(j, sep, "the separator") : NULL;
    if (left < 0) left = (jinja_int)1 << 60;
    if (by && !by->n) jinja_fail(j->a, WICK_EFORMAT, "the separator is empty");
    size_t from = 0, to = s->n;
    jinja_spend(j->a, 1 + s->n / 16);
    while (!right && left-- > 0) {
        if (!by) from += s->n - from - jinja_strip(j, jinja_slice_of(j->a, s, from, s->n).u.s, NULL, true, false).u.s->n;
        if (!by && from == s->n) return out;
        size_t at = from, width = by ? by->n : 1, n;
        if (by) {
            const char *hit = memmem(s->s + from, s->n - from, by->s, by->n);
            at = hit ? (size_t)(hit - s->s) : s->n + 1;
        } else
            while (at < s->n && !jinja_is_space(wick_char_at(s->s + at, &n))) at += n;
        if (at > s->n || (!by && at == s->n)) break;
        if (!by) width = wick_char_size(s->s[at]);
        jinja_push(j->a, out.u.l, jinja_slice_of(j->a, s, from, at));
        from = at + width;
    }
    while (right && left-- > 0) { /* from the end; turned round below */
        if (!by) to = jinja_strip(j, jinja_slice_of(j->a, s, 0, to).u.s, NULL, false, true).u.s->n;
        if (!by && !to) break;
        size_t at = to, width = by ? by->n : 0;
        if (by) {
            while (at >= width && memcmp(s->s + at - width, by->s, width) != 0) {
                if (at == 0) break;
                at--;
            }
            if (at < width) break;
        } else {
            size_t used;
            while (at && !jinja_is_space(wick_char_at(s->s + at - wick_char_before(s->s, at), &used))) at -= wick_char_before(s->s, at);
            if (!at) break;
        }
        jinja_push(j->a, out.u.l, jinja_slice_of(j->a, s, at, to));
        to = at - (by ? width : wick_char_before(s->s, at));
    }
    jinja_value rest = jinja_slice_of(j->a, s, from, to);
    if (!by) rest = jinja_strip(j, rest.u.s, NULL, !right, right);
    if (by || rest.u.s->n) jinja_push(j->a, out.u.l, rest);
    for (size_t a = 0, b = out.u.l->n; right && a + 1 < b; a++) {
        jinja_value v = out.u.l->items[a];
        out.u.l->items[a] = out.u.l->items[--b];
        out.u.l->items[b] = v;
    }
    return out;
}

static jinja_value partition(jinja_interp *j, const jinja_string *s, const jinja_string *sep, bool last) {
    jinja_value out = jinja_new_list(j->a, J_TUPLE, J_PLAIN);
    size_t at = jinja_position(j, s, sep, last);
    if (!sep->n) jinja_fail(j->a, WICK_EFORMAT, "the separator is empty");
    bool none = at == SIZE_MAX;
    if (none) at = last ? 0 : s->n;
    size_t width = none ? 0 : sep->n;
    jinja_push(j->a, out.u.l, jinja_slice_of(j->a, s, 0, at));
    jinja_push(j->a, out.u.l, jinja_slice_of(j->a, s, at, at + width));
    jinja_push(j->a, out.u.l, jinja_slice_of(j->a, s, at + width, s->n));
    return out;
}

static bool affix(const jinja_string *s, const jinja_string *part, bool end) {
    return part->n <= s->n && !memcmp(end ? s->s + s->n - part->n : s->s, part->s, part->n);
}

static jinja_value by_words(jinja_interp *j, const jinja_string *s, bool swap) {
    jinja_buffer b = {0};
    bool after_letter = false;
    for (size_t i = 0, n; i < s->n; i += n) {
        uint32_t cp = wick_char_at(s->s + i, &n);
        unsigned c = wick_char_class(cp);
        jinja_value one = jinja_slice_of(j->a, s, i, i + n);
        bool cased = c & (WICK_CH_UPPER | WICK_CH_LOWER);
        if (swap)
            one = c & WICK_CH_UPPER ? jinja_lower(j, one.u.s) : c & WICK_CH_LOWER ? jinja_upper(j, one.u.s) : one;
        else if (cased)
            one = after_letter ? jinja_lower(j, one.u.s) : jinja_run_filter(j, jinja_filter_id("capitalize", 10), one, &(jinja_args){0});
        after_letter = cased;
        jinja_add_string(j->a, &b, one.u.s);
    }
    return jinja_text(j->a, &b);
}

static jinja_value expand_tabs(jinja_interp *j, const jinja_string *s, jinja_int size) {
    jinja_buffer b = {0};
    jinja_int column = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->s[i] == '\t') {
            for (jinja_int k = size > 0 ? size - column % size : 0; k > 0; k--, column++) jinja_puts(j->a, &b, " ");
            continue;
        }
        column = s->s[i] == '\n' || s->s[i] == '\r' ? 0 : column + (((unsigned char)s->s[i] & 0xc0) != 0x80);
        jinja_add(j->a, &b, s->s + i, 1, s->marks && s->marks[i]);
    }
    return jinja_text(j->a, &b);
}

static jinja_value join(jinja_interp *j, const jinja_string *between, jinja_value items) {
    jinja_list *l = jinja_iterate(j->a, items);
    jinja_buffer b = {0};
    for (size_t i = 0; i < l->n; i++) {
        if (i) jinja_add_string(j->a, &b, between);
        jinja_add_string(j->a, &b, jinja_need_string(j, l->items[i], "what is joined"));
    }
    return jinja_text(j->a, &b);
}

static jinja_value zfill(jinja_interp *j, const jinja_string *s, jinja_int width) {
    bool sign = s->n && (s->s[0] == '-' || s->s[0] == '+');
    jinja_buffer b = {0};
    jinja_value digits = jinja_slice_of(j->a, s, sign, s->n);
    if (sign) jinja_add(j->a, &b, s->s, 1, false);
    jinja_add_string(j->a, &b, jinja_pad(j, digits.u.s, width - sign, jinja_cstr(j->a, "0").u.s, 1).u.s);
    return jinja_text(j->a, &b);
}

static jinja_int width_arg(jinja_interp *j, const jinja_args *args) { return jinja_need_int(j, jinja_arg(args, 0, NULL), "the width"); }

static const jinja_string *fill_arg(jinja_interp *j, const jinja_args *args) {
    return args->n > 1 ? jinja_need_string(j, args->items[1], "the filling") : NULL;
}

static bool takes_nothing(method_id id) {
    return (id >= M_ISALNUM && id <= M_ISUPPER) || id == M_CAPITALIZE || id == M_CASEFOLD || id == M_LOWER || id == M_UPPER ||
           id == M_SWAPCASE || id == M_TITLE;
}

static jinja_value string_method(jinja_interp *j, method_id id, const jinja_string *s, const jinja_args *args) {
    jinja_value v;
    if ((args->n || args->n_named) && takes_nothing(id)) jinja_fail(j->a, WICK_EFORMAT, "this method takes no arguments");
    switch (id) {
    case M_CAPITALIZE:
        return jinja_run_filter(j, jinja_filter_id("capitalize", 10), (jinja_value){.type = J_STRING, .u.s = (jinja_string *)s},
                                &(jinja_args){0});
    case M_CASEFOLD: return jinja_replace(j, jinja_lower(j, s).u.s, jinja_cstr(j->a, "\xc3\x9f").u.s, jinja_cstr(j->a, "ss").u.s, -1);
    case M_CENTER: return jinja_pad(j, s, width_arg(j, args), fill_arg(j, args), 0);
    case M_LJUST: return jinja_pad(j, s, width_arg(j, args), fill_arg(j, args), -1);
    case M_RJUST: return jinja_pad(j, s, width_arg(j, args), fill_arg(j, args), 1);
    case M_COUNT: return jinja_count(j, s, args);
    case M_ENDSWITH: return jinja_has_affix(j, s, args, true);
    case M_STARTSWITH: return jinja_has_affix(j, s, args, false);
    case M_EXPANDTABS: return expand_tabs(j, s, args->n || args->n_named ? jinja_need_int(j, jinja_arg(args, 0, "tabsize"), "tabsize") : 8);
    case M_FIND:
    case M_INDEX: return jinja_find(j, s, args, false, id == M_INDEX);
    case M_RFIND:
    case M_RINDEX: return jinja_find(j, s, args, true, id == M_RINDEX);
    case M_FORMAT: return jinja_format(j, s, args);
    case M_ISLOWER:
    case M_ISUPPER: return jinja_bool(jinja_is_case(s, id == M_ISUPPER));
    case M_ISALNUM: return jinja_bool(jinja_all_chars(s, jinja_is_alnum, false));
    case M_ISALPHA: return jinja_bool(jinja_all_chars(s, jinja_is_alpha, false));
    case M_ISASCII: return jinja_bool(jinja_all_chars(s, jinja_is_ascii, true));
    case M_ISDECIMAL: return jinja_bool(jinja_all_chars(s, jinja_is_decimal, false));
    case M_ISDIGIT: return jinja_bool(jinja_all_chars(s, jinja_is_digit, false));
    case M_ISIDENTIFIER: return jinja_bool(jinja_is_identifier(s));
    case M_ISNUMERIC: return jinja_bool(jinja_all_chars(s, jinja_is_numeric, false));
    case M_ISPRINTABLE: return jinja_bool(jinja_all_chars(s, jinja_is_printable, true));
    case M_ISSPACE: return jinja_bool(jinja_all_chars(s, jinja_is_space, false));
    case M_ISTITLE: return jinja_bool(jinja_is_titled(s));
    case M_JOIN:
        if (args->n != 1 || args->n_named) jinja_fail(j->a, WICK_EFORMAT, "join takes one argument");
        return join(j, s, args->items[0]);
    case M_LOWER: return jinja_lower(j, s);
    case M_UPPER: return jinja_upper(j, s);
    case M_STRIP: return jinja_strip(j, s, chars_arg(j, args), true, true);
    case M_LSTRIP: return jinja_strip(j, s, chars_arg(j, args), true, false);
    case M_RSTRIP: return jinja_strip(j, s, chars_arg(j, args), false, true);
    case M_PARTITION:
    case M_RPARTITION: return partition(j, s, string_arg(j, args, 0, "the separator"), id == M_RPARTITION);
    case M_REMOVEPREFIX: {
        const jinja_string *p = string_arg(j, args, 0, "the prefix");
        return jinja_slice_of(j->a, s, affix(s, p, false) ? p->n : 0, s->n);
    }
    case M_REMOVESUFFIX: {
        const jinja_string *p = string_arg(j, args, 0, "the suffix");
        return jinja_slice_of(j->a, s, 0, s->n - (affix(s, p, true) ? p->n : 0));
    }
    case M_REPLACE:
        v = jinja_arg(args, 2, "count");
        return jinja_replace(j, s, string_arg(j, args, 0, "what is replaced"), string_arg(j, args, 1, "the replacement"),
                             jinja_given(v) ? jinja_need_int(j, v, "count") : -1);
    case M_SPLIT:
    case M_RSPLIT: return split(j, s, args, id == M_RSPLIT);
    case M_SPLITLINES: v = jinja_arg(args, 0, "keepends"); return jinja_lines(j, s, jinja_given(v) && jinja_true(&v));
    case M_SWAPCASE:
    case M_TITLE: return by_words(j, s, id == M_SWAPCASE);
    default: return zfill(j, s, width_arg(j, args));
    }
}

jinja_value jinja_dict_items(jinja_interp *j, jinja_value dict, jinja_list_kind kind) {
    if (dict.type != J_DICT) jinja_fail(j->a, WICK_EFORMAT, "a %s has no items", jinja_type_name(&dict));
    jinja_value out = jinja_new_list(j->a, J_LIST, kind);
    for (size_t i = 0; i < dict.u.d->n; i++) {
        jinja_value pair = jinja_new_list(j->a, J_TUPLE, J_PLAIN);
        jinja_push(j->a, pair.u.l, dict.u.d->keys[i]);
        jinja_push(j->a, pair.u.l, dict.u.d->values[i]);
        jinja_push(j->a, out.u.l, pair);
    }
    return out;
}

static jinja_value dict_method(jinja_interp *j, method_id id, jinja_value self, const jinja_args *args) {
    const jinja_dict *d = self.u.d;
    if (id == M_GET) {
        if (!args->n || args->n > 2 || args->n_named) jinja_fail(j->a, WICK_EFORMAT, "get takes one or two arguments");
        const jinja_value *v = jinja_get(j->a, d, args->items[0]);
        return v ? *v : args->n > 1 ? args->items[1] : jinja_none();
    }
    if (args->n) jinja_fail(j->a, WICK_EFORMAT, "this method takes no arguments");
    if (id == M_ITEMS) return jinja_dict_items(j, self, J_ITEMS);
    if (id == M_COPY) {
        jinja_value copy = jinja_new_dict(j->a);
        for (size_t i = 0; i < d->n; i++) jinja_put(j->a, copy.u.d, d->keys[i], d->values[i]);
        return copy;
    }
    jinja_value out = jinja_new_list(j->a, J_LIST, id == M_KEYS ? J_KEYS : J_VALUES);
    for (size_t i = 0; i < d->n; i++) jinja_push(j->a, out.u.l, id == M_KEYS ? d->keys[i] : d->values[i]);
    return out;
}

static jinja_value list_method(jinja_interp *j, method_id id, jinja_value self, const jinja_args *args) {
    if (id == M_COPY) return jinja_run_filter(j, jinja_filter_id("list", 4), self, args);
    size_t n = 0;
    if (args->n != 1 || args->n_named) jinja_fail(j->a, WICK_EFORMAT, "this method takes one argument");
    for (size_t i = 0; i < self.u.l->n; i++) {
        if (!jinja_equal(j->a, self.u.l->items[i], args->items[0])) continue;
        if (id == M_LIST_INDEX) return int_value(j, i);
        n++;
    }
    if (id == M_LIST_INDEX) jinja_fail(j->a, WICK_EFORMAT, "the value is not in the list");
    return int_value(j, n);
}

static jinja_value loop_method(jinja_interp *j, method_id id, jinja_loop *loop, const jinja_args *args) {
    if (id == M_CYCLE) {
        if (!args->n) jinja_fail(j->a, WICK_EFORMAT, "there is nothing to cycle through");
        return args->items[loop->i % args->n];
    }
    jinja_value now = jinja_new_list(j->a, J_TUPLE, J_PLAIN);
    for (size_t i = 0; i < args->n; i++) jinja_push(j->a, now.u.l, args->items[i]);
    bool changed = !loop->changed || !jinja_equal(j->a, now, (jinja_value){.type = J_TUPLE, .u.l = loop->changed});
    loop->changed = now.u.l;
    return jinja_bool(changed);
}

jinja_value jinja_run_method(jinja_interp *j, int id, jinja_value self, const jinja_args *args) {
    jinja_spend(j->a, 1);
    switch (self.type) {
    case J_STRING: return string_method(j, (method_id)id, self.u.s, args);
    case J_DICT: return dict_method(j, (method_id)id, self, args);
    case J_LIST:
    case J_TUPLE: return list_method(j, (method_id)id, self, args);
    case J_LOOP: return loop_method(j, (method_id)id, self.u.loop, args);
    default: { /* CYCLER */
        jinja_cycler *c = self.u.cycler;
        if (id == M_RESET) return c->i = 0, jinja_none();
        return c->items->items[c->i++ % c->items->n];
    }
    }
}

/* ---- attributes and items */

static bool named(const char *name, size_t n, const char *what) { return strlen(what) == n && !memcmp(name, what, n); }

static jinja_value loop_attribute(jinja_interp *j, const jinja_loop *l, const char *name, size_t n) {
    size_t i = l->i, count = l->items->n;
    if (named(name, n, "index")) return int_value(j, i + 1);
    if (named(name, n, "index0")) return int_value(j, i);
    if (named(name, n, "revindex")) return int_value(j, count - i);
    if (named(name, n, "revindex0")) return int_value(j, count - i - 1);
    if (named(name, n, "first")) return jinja_bool(i == 0);
    if (named(name, n, "last")) return jinja_bool(i + 1 == count);
    if (named(name, n, "length")) return int_value(j, count);
    if (named(name, n, "depth")) return jinja_integer(j->a, l->depth);
    if (named(name, n, "depth0")) return jinja_integer(j->a, l->depth - 1);
    if (named(name, n, "previtem")) return i ? l->items->items[i - 1] : jinja_undefined("there is no previous item, which");
    if (named(name, n, "nextitem")) return i + 1 < count ? l->items->items[i + 1] : jinja_undefined("there is no next item, which");
    return jinja_undefined("an attribute of loop");
}

static jinja_value macro_attribute(jinja_interp *j, const jinja_macro *m, const char *name, size_t n) {
    if (named(name, n, "name")) return jinja_cstr(j->a, m->node->name ? m->node->name : "");
    if (named(name, n, "arguments")) {
        jinja_value out = jinja_new_list(j->a, J_TUPLE, J_PLAIN);
        for (size_t i = 0; i < m->node->n_item; i++) jinja_push(j->a, out.u.l, jinja_cstr(j->a, m->node->items[i]->name));
        return out;
    }
    if (named(name, n, "catch_kwargs")) return jinja_bool(jinja_macro_uses(m, "kwargs"));
    if (named(name, n, "catch_varargs")) return jinja_bool(jinja_macro_uses(m, "varargs"));
    if (named(name, n, "caller")) return jinja_bool(jinja_macro_uses(m, "caller"));
    return jinja_undefined("an attribute of a macro");
}

static jinja_value bind(jinja_interp *j, jinja_value v, int id) {
    jinja_method *m = jinja_alloc(j->a, sizeof *m);
    m->self = jinja_alloc(j->a, sizeof *m->self);
    *m->self = v;
    m->id = id;
    return (jinja_value){.type = J_METHOD, .u.method = m};
}

static const char *copy_of(jinja_interp *j, const char *name, size_t n) {
    char *s = jinja_alloc(j->a, n + 1);
    memcpy(s, name, n);
    return s;
}

jinja_value jinja_attribute(jinja_interp *j, jinja_value v, const char *name, size_t n) {
    if (v.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", v.u.name ? v.u.name : "a value");
    int id = jinja_method_id(v.type, name, n);
    bool searched = id == M_LIST_COUNT || id == M_LIST_INDEX; /* all that a range has; generators and views have nothing */
    if (v.type == J_LIST && v.u.l->kind != J_PLAIN && !(v.u.l->kind == J_RANGE && searched)) id = -1;
    if (v.type == J_NAMESPACE) {
        const jinja_value *x = n && name[0] == '_' ? NULL : jinja_get_text(v.u.d, name, n);
        return x ? *x : jinja_undefined(copy_of(j, name, n));
    }
    if (id >= 0) return bind(j, v, id);
    if (v.type == J_DICT && !(n > 1 && name[0] == '_' && name[1] == '_')) {
        const jinja_value *x = jinja_get_text(v.u.d, name, n);
        if (x) return *x;
    }
    if (v.type == J_LOOP) return loop_attribute(j, v.u.loop, name, n);
    if (v.type == J_MACRO) return macro_attribute(j, v.u.macro, name, n);
    if (v.type == J_CYCLER && named(name, n, "current")) return v.u.cycler->items->items[v.u.cycler->i % v.u.cycler->items->n];
    if ((v.type == J_INT || v.type == J_FLOAT || v.type == J_BOOL) && named(name, n, "real"))
        return v.type == J_BOOL ? jinja_integer(j->a, v.u.b) : v;
    return jinja_undefined(copy_of(j, name, n));
}

jinja_value jinja_subscript(jinja_interp *j, jinja_value v, jinja_value key) {
    jinja_int i;
    if (v.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", v.u.name ? v.u.name : "a value");
    if (v.type == J_DICT) {
        bool hashable = key.type != J_LIST && key.type != J_DICT;
        const jinja_value *x = hashable ? jinja_get(j->a, v.u.d, key) : NULL;
        if (x) return *x;
    }
    bool plain = v.type == J_TUPLE || (v.type == J_LIST && (v.u.l->kind == J_PLAIN || v.u.l->kind == J_RANGE));
    if ((plain || v.type == J_STRING) && jinja_as_int(&key, &i)) {
        jinja_int n = v.type == J_STRING ? (jinja_int)jinja_char_count(v.u.s) : (jinja_int)v.u.l->n;
        if (i < 0) i += n;
        if (i < 0 || i >= n) return jinja_undefined("an item beyond the end");
        return v.type == J_STRING ? jinja_iterate(j->a, v)->items[i] : v.u.l->items[i];
    }
    if (key.type == J_STRING && v.type != J_NONE) return jinja_attribute(j, v, key.u.s->s, key.u.s->n);
    return jinja_undefined("an item that is not there");
}

/* ---- functions */

typedef enum function_id { F_NAMESPACE, F_DICT, F_RANGE, F_RAISE, F_STRFTIME, F_CYCLER, F_JOINER, F_LIPSUM } function_id;
static const char *const functions[] = {"namespace", "dict", "range", "raise_exception", "strftime_now", "cycler", "joiner", "lipsum"};

int jinja_function_id(const char *name, size_t n) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (named(name, n, functions[i])) return (int)i;
    return -1;
}

static jinja_value make_dict(jinja_interp *j, const jinja_args *args) {
    jinja_value d = jinja_new_dict(j->a);
    if (args->n > 1) jinja_fail(j->a, WICK_EFORMAT, "dict takes one positional argument");
    if (args->n && (args->items[0].type == J_DICT || args->items[0].type == J_NAMESPACE))
        for (size_t i = 0; i < args->items[0].u.d->n; i++)
            jinja_put(j->a, d.u.d, args->items[0].u.d->keys[i], args->items[0].u.d->values[i]);
    else if (args->n) {
        jinja_list *l = jinja_iterate(j->a, args->items[0]);
        for (size_t i = 0; i < l->n; i++) {
            jinja_list *pair = jinja_iterate(j->a, l->items[i]);
            if (pair->n != 2) jinja_fail(j->a, WICK_EFORMAT, "a dictionary is made of pairs");
            jinja_put(j->a, d.u.d, pair->items[0], pair->items[1]);
        }
    }
    for (size_t i = 0; i < args->n_named; i++) jinja_put(j->a, d.u.d, jinja_cstr(j->a, args->names[i]), args->named[i]);
    return d;
}

static jinja_value make_range(jinja_interp *j, const jinja_args *args) {
    jinja_int v[3] = {0, 0, 1};
    if (!args->n || args->n > 3 || args->n_named) jinja_fail(j->a, WICK_EFORMAT, "range takes one to three integers");
    for (size_t i = 0; i < args->n; i++) v[args->n == 1 ? 1 : i] = jinja_need_int(j, args->items[i], "a bound of range");
    if (!v[2]) jinja_fail(j->a, WICK_EFORMAT, "the step of range is 0");
    jinja_int span = v[2] > 0 ? v[1] - v[0] : v[0] - v[1], step = v[2] > 0 ? v[2] : -v[2], n = span > 0 ? (span + step - 1) / step : 0;
    if (n > 100000) jinja_fail(j->a, WICK_ELIMIT, "a range of more than 100000 numbers");
    jinja_value out = jinja_new_list(j->a, J_LIST, J_RANGE);
    memcpy(out.u.l->range, v, sizeof v);
    for (jinja_int i = 0; i < n; i++) jinja_push(j->a, out.u.l, jinja_integer(j->a, v[0] + i * v[2]));
    return out;
}

static jinja_value make_cycler(jinja_interp *j, const jinja_args *args, jinja_type type) {
    jinja_cycler *c = jinja_alloc(j->a, sizeof *c);
    c->items = jinja_new_list(j->a, J_LIST, J_PLAIN).u.l;
    for (size_t i = 0; i < args->n; i++) jinja_push(j->a, c->items, args->items[i]);
    if (type == J_JOINER && !c->items->n)
        jinja_push(j->a, c->items, jinja_given(jinja_arg(args, 0, "sep")) ? jinja_arg(args, 0, "sep") : jinja_cstr(j->a, ", "));
    if (!c->items->n) jinja_fail(j->a, WICK_EFORMAT, "there is nothing to cycle through");
    return (jinja_value){.type = type, .u.cycler = c};
}

jinja_value jinja_run_function(jinja_interp *j, int id, const jinja_args *args) {
    jinja_value v;
    jinja_spend(j->a, 1);
    switch (id) {
    case F_NAMESPACE:
        v = make_dict(j, args);
        for (size_t i = 0; i < v.u.d->n; i++)
            if (v.u.d->keys[i].type == J_STRING && v.u.d->keys[i].u.s->n && v.u.d->keys[i].u.s->s[0] == '_')
                jinja_fail(j->a, WICK_EFORMAT, "a namespace takes no attribute that begins with an underscore");
        v.type = J_NAMESPACE;
        return v;
    case F_DICT: return make_dict(j, args);
    case F_RANGE: return make_range(j, args);
    case F_RAISE: {
        const jinja_string *s = jinja_to_text(j->a, jinja_arg(args, 0, "message")).u.s;
        jinja_fail(j->a, WICK_EINVAL, "%.*s", (int)(s->n < 300 ? s->n : 300), s->s);
    }
    case F_STRFTIME: return jinja_strftime(j, jinja_need_string(j, jinja_arg(args, 0, "format"), "the format of a time"));
    case F_CYCLER: return make_cycler(j, args, J_CYCLER);
    case F_JOINER: return make_cycler(j, args, J_JOINER);
    default: return jinja_cstr(j->a, "Lorem ipsum dolor sit amet.");
    }
}
