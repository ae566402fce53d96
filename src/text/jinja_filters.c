/* Filters and tests. A table names each with its parameters; what a template passes beyond them is an error, as in Python. */
#include "base/utf8.h"
#include "text/jinja.h"
#include "text/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef jinja_value filter_fn(jinja_interp *j, jinja_value v, const jinja_args *args);

jinja_value jinja_arg(const jinja_args *args, size_t i, const char *name) {
    if (i < args->n) return args->items[i];
    for (size_t k = 0; name && k < args->n_named; k++)
        if (!strcmp(args->names[k], name)) return args->named[k];
    return jinja_undefined(NULL);
}

bool jinja_given(jinja_value v) { return v.type != J_UNDEFINED || v.u.name; }
static bool given_value(jinja_value v) { return jinja_given(v) && v.type != J_NONE; }
static bool flag_arg(const jinja_args *args, size_t i, const char *name) {
    jinja_value v = jinja_arg(args, i, name);
    return jinja_given(v) && jinja_true(&v);
}
static jinja_int int_arg(jinja_interp *j, const jinja_args *args, size_t i, const char *name, jinja_int fallback) {
    jinja_value v = jinja_arg(args, i, name);
    return given_value(v) ? jinja_need_int(j, v, name) : fallback;
}

const jinja_string *jinja_need_string(jinja_interp *j, jinja_value v, const char *what) {
    if (v.type != J_STRING) jinja_fail(j->a, WICK_EFORMAT, "%s should be a string, not a %s", what, jinja_type_name(&v));
    return v.u.s;
}

jinja_int jinja_need_int(jinja_interp *j, jinja_value v, const char *what) {
    jinja_int i;
    if (!jinja_as_int(&v, &i)) jinja_fail(j->a, WICK_EFORMAT, "%s should be an integer, not a %s", what, jinja_type_name(&v));
    return i;
}

static const jinja_string *soft(jinja_interp *j, jinja_value v) { return jinja_to_text(j->a, v).u.s; }

static jinja_value new_list(jinja_interp *j, jinja_list_kind kind) { return jinja_new_list(j->a, J_LIST, kind); }

/* ---- attributes by dotted path: "a.0.b" */

static jinja_value path_of(jinja_interp *j, jinja_value v, jinja_value path, jinja_value fallback) {
    jinja_int index;
    if (jinja_as_int(&path, &index)) return jinja_subscript(j, v, path);
    const jinja_string *p = jinja_need_string(j, path, "an attribute");
    for (size_t i = 0; i <= p->n;) {
        const char *dot = memchr(p->s + i, '.', p->n - i);
        size_t end = dot ? (size_t)(dot - p->s) : p->n;
        bool number = end > i && end - i < 10;
        for (size_t k = i; k < end; k++) number = number && p->s[k] >= '0' && p->s[k] <= '9';
        v = jinja_subscript(j, v, number ? jinja_integer(j->a, atoi(p->s + i)) : jinja_slice_of(j->a, p, i, end));
        if (v.type == J_UNDEFINED && given_value(fallback)) return fallback;
        i = end + 1;
    }
    return v;
}

/* The value by which filters compare: an attribute, and without case unless asked. */
static jinja_value key_of(jinja_interp *j, jinja_value v, jinja_value attribute, bool case_sensitive) {
    if (given_value(attribute)) v = path_of(j, v, attribute, jinja_undefined(NULL));
    return v.type == J_STRING && !case_sensitive ? jinja_lower(j, v.u.s) : v;
}

/* ---- one value */

static jinja_value f_default(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value fallback = jinja_arg(args, 0, "default_value");
    bool use = v.type == J_UNDEFINED || (flag_arg(args, 1, "boolean") && !jinja_true(&v));
    return !use ? v : jinja_given(fallback) ? fallback : jinja_cstr(j->a, "");
}

static jinja_value f_length(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    size_t n = 0;
    if (v.type == J_STRING)
        n = jinja_char_count(v.u.s);
    else if (v.type == J_DICT)
        n = v.u.d->n;
    else if (jinja_is_sequence(&v) && !(v.type == J_LIST && v.u.l->kind == J_GENERATOR))
        n = v.u.l->n;
    else if (v.type == J_LOOP)
        n = v.u.loop->items->n;
    else if (v.type != J_UNDEFINED)
        jinja_fail(j->a, WICK_EFORMAT, "a %s has no length", jinja_type_name(&v));
    return jinja_integer(j->a, (jinja_int)n);
}

static jinja_value f_abs(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_int i;
    if (v.type == J_FLOAT) return jinja_float(fabs(v.u.f));
    if (!jinja_as_int(&v, &i)) jinja_fail(j->a, WICK_EFORMAT, "a %s has no absolute value", jinja_type_name(&v));
    return jinja_integer(j->a, i < 0 ? -i : i);
}

/* To tens, hundreds ...; halves to even. */
static jinja_value round_int(jinja_interp *j, jinja_int i, jinja_int places) {
    jinja_int unit = 1;
    if (places < -36) return jinja_integer(j->a, 0);
    for (; places < 0; places++) unit *= 10;
    jinja_int rest = (i % unit + unit) % unit, low = i - rest;
    if (rest > unit - rest || (rest == unit - rest && low / unit % 2)) low += unit;
    return jinja_integer(j->a, unit == 1 ? i : low);
}

static jinja_value f_round(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_int places = int_arg(j, args, 0, "precision", 0);
    jinja_value method = jinja_arg(args, 1, "method");
    if (!jinja_is_number(&v)) jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be rounded", jinja_type_name(&v));
    double f = jinja_as_float(&v), scale = pow(10, (double)places);
    if (jinja_given(method) && !jinja_text_is(method, "common")) {
        bool up = jinja_text_is(method, "ceil");
        if (!up && !jinja_text_is(method, "floor")) jinja_fail(j->a, WICK_EFORMAT, "method must be common, ceil or floor");
        return jinja_float((up ? ceil(f * scale) : floor(f * scale)) / scale);
    }
    if (v.type != J_FLOAT) return round_int(j, jinja_need_int(j, v, "a number"), places);
    char text[400];
    if (places < 0 || places > 60) return jinja_float(places < 0 ? rint(f * scale) / scale : f);
    snprintf(text, sizeof text, "%.*f", (int)places, f); /* correctly rounded, halves to even: as Python does it */
    return jinja_float(strtod(text, NULL));
}

/* Python's int() and float() of an undefined value raise what the fallback is not for. */
static void need_defined(jinja_interp *j, jinja_value v) {
    if (v.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "an undefined value is no number");
}

static jinja_value f_int(jinja_interp *j, jinja_value v, const jinja_args *args) {
    need_defined(j, v);
    jinja_value fallback = jinja_arg(args, 0, "default");
    jinja_int base = int_arg(j, args, 1, "base", 10), i;
    double f = v.type == J_FLOAT ? v.u.f : NAN;
    if (jinja_as_int(&v, &i)) return jinja_integer(j->a, i);
    if (v.type == J_STRING) {
        if (jinja_parse_int(j, v.u.s, (int)base, &i)) return jinja_integer(j->a, i);
        if (!jinja_parse_float(j, v.u.s, &f)) f = NAN;
    }
    if (!isnan(f) && fabs(f) < 1e38) return jinja_integer(j->a, (jinja_int)f);
    return jinja_given(fallback) ? fallback : jinja_integer(j->a, 0);
}

static jinja_value f_float(jinja_interp *j, jinja_value v, const jinja_args *args) {
    need_defined(j, v);
    jinja_value fallback = jinja_arg(args, 0, "default");
    double f;
    if (jinja_is_number(&v)) return jinja_float(jinja_as_float(&v));
    if (v.type == J_STRING && jinja_parse_float(j, v.u.s, &f)) return jinja_float(f);
    return jinja_given(fallback) ? fallback : jinja_float(0);
}

static jinja_value f_string(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    return jinja_to_text(j->a, v);
}

static jinja_value f_forceescape(jinja_interp *j, jinja_value v, const jinja_args *args) {
    v = jinja_to_text(j->a, v);
    v.safe = false;
    return jinja_f_escape(j, v, args);
}

static jinja_value f_pprint(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_buffer b = {0};
    jinja_repr(j->a, &b, v);
    return jinja_text(j->a, &b);
}

static jinja_value f_attr(jinja_interp *j, jinja_value v, const jinja_args *args) {
    const jinja_string *name = jinja_need_string(j, jinja_arg(args, 0, "name"), "a name");
    if (v.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", v.u.name ? v.u.name : "a value");
    if (v.type == J_DICT && jinja_method_id(J_DICT, name->s, name->n) < 0) return jinja_undefined("an attribute");
    return jinja_attribute(j, v, name->s, name->n);
}

static jinja_value f_tojson(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value indent = jinja_arg(args, 1, "indent"), separators = jinja_arg(args, 2, "separators");
    jinja_json_options o = {.ascii = flag_arg(args, 0, "ensure_ascii"), .sort = flag_arg(args, 3, "sort_keys")};
    if (indent.type == J_STRING)
        o.indent = indent.u.s;
    else if (given_value(indent)) {
        jinja_buffer b = {0};
        for (jinja_int n = jinja_need_int(j, indent, "indent"); n > 0; n--) jinja_puts(j->a, &b, " ");
        o.indent = jinja_text(j->a, &b).u.s;
    }
    if (given_value(separators)) {
        jinja_list *l = jinja_iterate(j->a, separators);
        if (l->n != 2) jinja_fail(j->a, WICK_EFORMAT, "separators should be two strings");
        o.item = jinja_need_string(j, l->items[0], "a separator");
        o.key = jinja_need_string(j, l->items[1], "a separator");
    }
    jinja_buffer b = {0};
    jinja_json(j->a, &b, v, &o, 0);
    return jinja_text(j->a, &b);
}

/* ---- sequences */

static bool iterable(const jinja_value *v) {
    return v->type == J_UNDEFINED || v->type == J_STRING || v->type == J_DICT || jinja_is_sequence(v) || v->type == J_LOOP;
}

/* Filters that are generators in Python fail only when their result is walked through. */
static bool lazy_failure(jinja_value v, jinja_value out) {
    if (iterable(&v) && v.type != J_LOOP) return false;
    out.u.l->broken = jinja_type_name(&v);
    return true;
}

static jinja_value f_list(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_list *l = jinja_iterate(j->a, v);
    jinja_value out = new_list(j, J_PLAIN);
    for (size_t i = 0; i < l->n; i++) jinja_push(j->a, out.u.l, l->items[i]);
    return out;
}

static jinja_value f_first(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_list *l = jinja_iterate(j->a, v);
    return l->n ? l->items[0] : jinja_undefined("the first item");
}

static jinja_value f_last(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    if (v.type == J_LIST && v.u.l->kind == J_GENERATOR) jinja_fail(j->a, WICK_EFORMAT, "a generator cannot be reversed");
    jinja_list *l = jinja_iterate(j->a, v);
    return l->n ? l->items[l->n - 1] : jinja_undefined("the last item");
}

static jinja_value f_reverse(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    if (v.type != J_STRING && v.type != J_UNDEFINED && !jinja_is_sequence(&v) && v.type != J_DICT)
        jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be reversed", jinja_type_name(&v));
    jinja_list *l = jinja_iterate(j->a, v);
    if (v.type == J_STRING) {
        jinja_buffer b = {0};
        for (size_t i = l->n; i-- > 0;) jinja_add_string(j->a, &b, l->items[i].u.s);
        return jinja_text(j->a, &b);
    }
    jinja_value out = new_list(j, J_GENERATOR);
    for (size_t i = l->n; i-- > 0;) jinja_push(j->a, out.u.l, l->items[i]);
    return out;
}

static jinja_value f_join(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value d = jinja_arg(args, 0, "d"), attribute = jinja_arg(args, 1, "attribute");
    const jinja_string *between = jinja_given(d) ? soft(j, d) : NULL;
    jinja_list *l = jinja_iterate(j->a, v);
    jinja_buffer b = {0};
    for (size_t i = 0; i < l->n; i++) {
        if (i && between) jinja_add_string(j->a, &b, between);
        jinja_print(j->a, &b, given_value(attribute) ? path_of(j, l->items[i], attribute, jinja_undefined(NULL)) : l->items[i]);
    }
    return jinja_text(j->a, &b);
}

/* Stable merge sort of items by keys. */
static void sort_by(jinja_interp *j, jinja_value *items, jinja_value *keys, size_t n, bool reverse) {
    jinja_value *i2 = jinja_alloc(j->a, (n + 1) * sizeof *i2), *k2 = jinja_alloc(j->a, (n + 1) * sizeof *k2);
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            size_t mid = from + width < n ? from + width : n, end = mid + width < n ? mid + width : n, a = from, b = mid;
            for (size_t to = from; to < end; to++) {
                bool left = a < mid;
                if (left && b < end) {
                    int c = jinja_order(j->a, keys[a], keys[b], "<");
                    left = reverse ? c >= 0 : c <= 0;
                }
                size_t at = left ? a++ : b++;
                i2[to] = items[at], k2[to] = keys[at];
            }
        }
        memcpy(items, i2, n * sizeof *items);
        memcpy(keys, k2, n * sizeof *keys);
        jinja_spend(j->a, n);
    }
}

/* "a,b": the list of both keys. One key is a list too: lists with equal items are not ordered further, whatever their types. */
static jinja_value keys_of(jinja_interp *j, jinja_value v, jinja_value attribute, bool case_sensitive) {
    jinja_value keys = new_list(j, J_PLAIN);
    const jinja_string *s = attribute.type == J_STRING ? attribute.u.s : NULL;
    if (!s) jinja_push(j->a, keys.u.l, key_of(j, v, attribute, case_sensitive));
    for (size_t from = 0; s && from <= s->n;) {
        const char *comma = memchr(s->s + from, ',', s->n - from);
        size_t to = comma ? (size_t)(comma - s->s) : s->n;
        jinja_push(j->a, keys.u.l, key_of(j, v, jinja_slice_of(j->a, s, from, to), case_sensitive));
        from = to + 1;
    }
    return keys;
}

static jinja_list *sorted(jinja_interp *j, jinja_value v, jinja_value attribute, bool case_sensitive, bool reverse,
                          jinja_value **keys_out) {
    jinja_list *l = f_list(j, v, &(jinja_args){0}).u.l;
    jinja_value *keys = jinja_alloc(j->a, (l->n + 1) * sizeof *keys);
    for (size_t i = 0; i < l->n; i++) {
        keys[i] = keys_of(j, l->items[i], attribute, case_sensitive);
    }
    sort_by(j, l->items, keys, l->n, reverse);
    if (keys_out) *keys_out = keys;
    return l;
}

static jinja_value f_sort(jinja_interp *j, jinja_value v, const jinja_args *args) {
    return (jinja_value){
        .type = J_LIST,
        .u.l = sorted(j, v, jinja_arg(args, 2, "attribute"), flag_arg(args, 1, "case_sensitive"), flag_arg(args, 0, "reverse"), NULL)};
}

static jinja_value f_groupby(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value attribute = jinja_arg(args, 0, "attribute"), fallback = jinja_arg(args, 1, "default"), *keys, out = new_list(j, J_PLAIN);
    bool case_sensitive = flag_arg(args, 2, "case_sensitive");
    jinja_list *items = f_list(j, v, &(jinja_args){0}).u.l, *group = NULL;
    keys = jinja_alloc(j->a, (items->n + 1) * sizeof *keys);
    for (size_t i = 0; i < items->n; i++) {
        jinja_value key = path_of(j, items->items[i], attribute, fallback);
        keys[i] = key_of(j, key, jinja_undefined(NULL), case_sensitive);
    }
    sort_by(j, items->items, keys, items->n, false);
    for (size_t i = 0; i < items->n; i++) {
        if (!i || !jinja_equal(j->a, keys[i], keys[i - 1])) {
            jinja_value pair = jinja_new_list(j->a, J_TUPLE, J_PLAIN), l = new_list(j, J_PLAIN);
            jinja_push(j->a, pair.u.l, path_of(j, items->items[i], attribute, fallback));
            jinja_push(j->a, pair.u.l, l);
            jinja_push(j->a, out.u.l, pair);
            group = l.u.l;
        }
        jinja_push(j->a, group, items->items[i]);
    }
    return out;
}

static jinja_value f_dictsort(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value by = jinja_arg(args, 1, "by"), items = jinja_dict_items(j, v, J_PLAIN);
    bool case_sensitive = flag_arg(args, 0, "case_sensitive"), value = jinja_given(by) && jinja_text_is(by, "value");
    if (jinja_given(by) && !value && !jinja_text_is(by, "key")) jinja_fail(j->a, WICK_EFORMAT, "dictsort goes by key or value");
    jinja_value *keys = jinja_alloc(j->a, (items.u.l->n + 1) * sizeof *keys);
    for (size_t i = 0; i < items.u.l->n; i++)
        keys[i] = key_of(j, items.u.l->items[i].u.l->items[value], jinja_undefined(NULL), case_sensitive);
    sort_by(j, items.u.l->items, keys, items.u.l->n, flag_arg(args, 2, "reverse"));
    return items;
}

static jinja_value f_unique(jinja_interp *j, jinja_value v, const jinja_args *args) {
    bool case_sensitive = flag_arg(args, 0, "case_sensitive");
    jinja_value attribute = jinja_arg(args, 1, "attribute"), seen = jinja_new_dict(j->a), out = new_list(j, J_GENERATOR);
    if (lazy_failure(v, out)) return out;
    jinja_list *l = jinja_iterate(j->a, v);
    for (size_t i = 0; i < l->n; i++) {
        jinja_value key = key_of(j, l->items[i], attribute, case_sensitive);
        if (jinja_get(j->a, seen.u.d, key)) continue;
        jinja_put(j->a, seen.u.d, key, jinja_none());
        jinja_push(j->a, out.u.l, l->items[i]);
    }
    return out;
}

static jinja_value extreme(jinja_interp *j, jinja_value v, const jinja_args *args, int sign) {
    bool case_sensitive = flag_arg(args, 0, "case_sensitive");
    jinja_value attribute = jinja_arg(args, 1, "attribute"), best = jinja_undefined("the extreme of nothing"), best_key = best;
    jinja_list *l = jinja_iterate(j->a, v);
    for (size_t i = 0; i < l->n; i++) {
        jinja_value key = key_of(j, l->items[i], attribute, case_sensitive);
        if (i && jinja_order(j->a, key, best_key, sign > 0 ? ">" : "<") * sign <= 0) continue;
        best = l->items[i];
        best_key = key;
    }
    return best;
}
static jinja_value f_min(jinja_interp *j, jinja_value v, const jinja_args *args) { return extreme(j, v, args, -1); }
static jinja_value f_max(jinja_interp *j, jinja_value v, const jinja_args *args) { return extreme(j, v, args, 1); }

static jinja_value f_sum(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value attribute = jinja_arg(args, 0, "attribute"), sum = jinja_arg(args, 1, "start");
    if (!jinja_given(sum)) sum = jinja_integer(j->a, 0);
    jinja_list *l = jinja_iterate(j->a, v);
    if (sum.type == J_STRING) jinja_fail(j->a, WICK_EFORMAT, "strings are joined, not summed");
    for (size_t i = 0; i < l->n; i++)
        sum = jinja_add_values(j, sum, given_value(attribute) ? path_of(j, l->items[i], attribute, jinja_undefined(NULL)) : l->items[i]);
    return sum;
}

static jinja_value f_batch(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_int size = jinja_need_int(j, jinja_arg(args, 0, "linecount"), "linecount");
    jinja_value fill = jinja_arg(args, 1, "fill_with"), out = new_list(j, J_GENERATOR), part = {0};
    if (lazy_failure(v, out)) return out;
    jinja_list *l = jinja_iterate(j->a, v);
    for (size_t i = 0; i < l->n; i++) {
        if (!i || (jinja_int)part.u.l->n == size) jinja_push(j->a, out.u.l, part = new_list(j, J_PLAIN));
        jinja_push(j->a, part.u.l, l->items[i]);
    }
    while (l->n && given_value(fill) && (jinja_int)part.u.l->n < size) jinja_push(j->a, part.u.l, fill);
    return out;
}

static jinja_value f_slice(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_int slices = int_arg(j, args, 0, "slices", 0);
    jinja_value fill = jinja_arg(args, 1, "fill_with"), out = new_list(j, J_GENERATOR);
    jinja_list *l = jinja_iterate(j->a, v);
    if (slices <= 0 || slices > 100000) jinja_fail(j->a, WICK_EFORMAT, "a list cannot be cut into that many slices");
    size_t each = l->n / (size_t)slices, more = l->n % (size_t)slices, at = 0;
    for (size_t i = 0; i < (size_t)slices; i++) {
        jinja_value part = new_list(j, J_PLAIN);
        for (size_t k = 0; k < each + (i < more); k++) jinja_push(j->a, part.u.l, l->items[at++]);
        if (given_value(fill) && i >= more) jinja_push(j->a, part.u.l, fill);
        jinja_push(j->a, out.u.l, part);
    }
    return out;
}

static jinja_value f_items(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_value out = new_list(j, J_GENERATOR);
    if (v.type != J_DICT && v.type != J_UNDEFINED) out.u.l->broken = jinja_type_name(&v);
    return v.type != J_DICT ? out : jinja_dict_items(j, v, J_GENERATOR);
}

/* ---- map, select and their kin */

static jinja_args rest_of(const jinja_args *args, size_t from) {
    jinja_args r = *args;
    r.items += from < r.n ? from : r.n;
    r.n -= from < r.n ? from : r.n;
    return r;
}

static jinja_value f_map(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value out = new_list(j, J_GENERATOR), attribute = args->n ? jinja_undefined(NULL) : jinja_arg(args, 9, "attribute"),
                fallback = jinja_arg(args, 9, "default");
    if (!jinja_true(&v) || lazy_failure(v, out)) return out;
    int id = -1;
    jinja_args more = rest_of(args, 1);
    if (!jinja_given(attribute)) {
        const jinja_string *name = jinja_need_string(j, jinja_arg(args, 0, NULL), "map needs the name of a filter, which");
        id = jinja_filter_id(name->s, name->n);
        if (id < 0) jinja_fail(j->a, WICK_EFORMAT, "there is no filter \"%.*s\"", (int)name->n, name->s);
    } else
        for (size_t i = 0; i < args->n_named; i++)
            if (strcmp(args->names[i], "attribute") && strcmp(args->names[i], "default"))
                jinja_fail(j->a, WICK_EFORMAT, "map does not know %s", args->names[i]);
    jinja_list *l = jinja_iterate(j->a, v);
    for (size_t i = 0; i < l->n; i++)
        jinja_push(j->a, out.u.l, id < 0 ? path_of(j, l->items[i], attribute, fallback) : jinja_run_filter(j, id, l->items[i], &more));
    return out;
}

static jinja_value choose(jinja_interp *j, jinja_value v, const jinja_args *args, bool attribute, bool keep) {
    jinja_value out = new_list(j, J_GENERATOR), path = attribute ? jinja_arg(args, 0, NULL) : jinja_undefined(NULL);
    if (!jinja_true(&v) || lazy_failure(v, out)) return out;
    size_t first = attribute;
    int id = -1;
    if (attribute && !jinja_given(path)) jinja_fail(j->a, WICK_EFORMAT, "an attribute must be named");
    if (args->n > first) {
        const jinja_string *name = jinja_need_string(j, args->items[first], "the name of a test");
        id = jinja_test_id(name->s, name->n);
        if (id < 0) jinja_fail(j->a, WICK_EFORMAT, "there is no test \"%.*s\"", (int)name->n, name->s);
    }
    jinja_args more = rest_of(args, first + 1);
    jinja_list *l = jinja_iterate(j->a, v);
    for (size_t i = 0; i < l->n; i++) {
        jinja_value x = attribute ? path_of(j, l->items[i], path, jinja_undefined(NULL)) : l->items[i];
        bool yes = id < 0 ? jinja_true(&x) : jinja_run_test(j, id, x, &more);
        if (yes == keep) jinja_push(j->a, out.u.l, l->items[i]);
    }
    return out;
}
static jinja_value f_select(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, false, true); }
static jinja_value f_reject(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, false, false); }
static jinja_value f_selectattr(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, true, true); }
static jinja_value f_rejectattr(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, true, false); }

/* ---- the table. Parameters in order; "*": any */

static const struct {
    const char *name, *parameters;
    filter_fn *fn;
} filters[] = {
    {"abs", "", f_abs},
    {"attr", "name", f_attr},
    {"batch", "linecount,fill_with", f_batch},
    {"capitalize", "", jinja_f_capitalize},
    {"center", "width", jinja_f_center},
    {"count", "", f_length},
    {"d", "default_value,boolean", f_default},
    {"default", "default_value,boolean", f_default},
    {"dictsort", "case_sensitive,by,reverse", f_dictsort},
    {"e", "", jinja_f_escape},
    {"escape", "", jinja_f_escape},
    {"filesizeformat", "binary", jinja_f_filesize},
    {"first", "", f_first},
    {"float", "default", f_float},
    {"forceescape", "", f_forceescape},
    {"format", "*", jinja_f_format},
    {"groupby", "attribute,default,case_sensitive", f_groupby},
    {"indent", "width,first,blank", jinja_f_indent},
    {"int", "default,base", f_int},
    {"items", "", f_items},
    {"join", "d,attribute", f_join},
    {"last", "", f_last},
    {"length", "", f_length},
    {"list", "", f_list},
    {"lower", "", jinja_f_lower},
    {"map", "*", f_map},
    {"max", "case_sensitive,attribute", f_max},
    {"min", "case_sensitive,attribute", f_min},
    {"pprint", "", f_pprint},
    {"reject", "*", f_reject},
    {"rejectattr", "*", f_rejectattr},
    {"replace", "old,new,count", jinja_f_replace},
    {"reverse", "", f_reverse},
    {"round", "precision,method", f_round},
    {"safe", "", jinja_f_safe},
    {"select", "*", f_select},
    {"selectattr", "*", f_selectattr},
    {"slice", "slices,fill_with", f_slice},
    {"sort", "reverse,case_sensitive,attribute", f_sort},
    {"string", "", f_string},
    {"striptags", "", jinja_f_striptags},
    {"sum", "attribute,start", f_sum},
    {"title", "", jinja_f_title},
    {"tojson", "ensure_ascii,indent,separators,sort_keys", f_tojson},
    {"trim", "chars", jinja_f_trim},
    {"truncate", "length,killwords,end,leeway", jinja_f_truncate},
    {"unique", "case_sensitive,attribute", f_unique},
    {"upper", "", jinja_f_upper},
    {"urlencode", "", jinja_f_urlencode},
    {"wordcount", "", jinja_f_wordcount},
    {"wordwrap", "width,break_long_words,wrapstring,break_on_hyphens", jinja_f_wordwrap},
    {"xmlattr", "autospace", jinja_f_xmlattr},
};

int jinja_filter_id(const char *name, size_t n) {
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (strlen(filters[i].name) == n && !memcmp(filters[i].name, name, n)) return (int)i;
    return -1;
}

/* Arguments must be parameters, and none may be given twice. */
static void check_args(jinja_interp *j, const char *name, const char *parameters, const jinja_args *args) {
    size_t count = 0;
    if (*parameters == '*') return;
    for (const char *p = parameters; *p; count++) {
        size_t n = strcspn(p, ",");
        p += n + (p[n] == ',');
    }
    if (args->n > count) jinja_fail(j->a, WICK_EFORMAT, "%s takes at most %zu arguments", name, count);
    for (size_t i = 0; i < args->n_named; i++) {
        size_t k = 0, n;
        const char *p = parameters;
        for (; *p; k++, p += n + (p[n] == ','))
            if ((n = strcspn(p, ",")) == strlen(args->names[i]) && !memcmp(p, args->names[i], n)) break;
        if (!*p || k < args->n) jinja_fail(j->a, WICK_EFORMAT, "%s does not take the argument %s here", name, args->names[i]);
    }
}

jinja_value jinja_run_filter(jinja_interp *j, int id, jinja_value v, const jinja_args *args) {
    check_args(j, filters[id].name, filters[id].parameters, args);
    jinja_spend(j->a, 1);
    return filters[id].fn(j, v, args);
}

/* ---- tests */

typedef enum test_id {
    TEST_BOOLEAN,
    TEST_CALLABLE,
    TEST_DEFINED,
    TEST_DIVISIBLE,
    TEST_EQ,
    TEST_ESCAPED,
    TEST_EVEN,
    TEST_FALSE,
    TEST_FILTER,
    TEST_FLOAT,
    TEST_GE,
    TEST_GT,
    TEST_IN,
    TEST_INTEGER,
    TEST_ITERABLE,
    TEST_LE,
    TEST_LOWER,
    TEST_LT,
    TEST_MAPPING,
    TEST_NE,
    TEST_NONE,
    TEST_NUMBER,
    TEST_ODD,
    TEST_SAMEAS,
    TEST_SEQUENCE,
    TEST_STRING,
    TEST_TEST,
    TEST_TRUE,
    TEST_UNDEFINED,
    TEST_UPPER
} test_id;

static const struct {
    const char *name;
    test_id id;
    size_t n_arg;
} tests[] = {
    {"boolean", TEST_BOOLEAN, 0},
    {"callable", TEST_CALLABLE, 0},
    {"defined", TEST_DEFINED, 0},
    {"divisibleby", TEST_DIVISIBLE, 1},
    {"eq", TEST_EQ, 1},
    {"==", TEST_EQ, 1},
    {"equalto", TEST_EQ, 1},
    {"escaped", TEST_ESCAPED, 0},
    {"even", TEST_EVEN, 0},
    {"false", TEST_FALSE, 0},
    {"filter", TEST_FILTER, 0},
    {"float", TEST_FLOAT, 0},
    {"ge", TEST_GE, 1},
    {">=", TEST_GE, 1},
    {"gt", TEST_GT, 1},
    {">", TEST_GT, 1},
    {"greaterthan", TEST_GT, 1},
    {"in", TEST_IN, 1},
    {"integer", TEST_INTEGER, 0},
    {"iterable", TEST_ITERABLE, 0},
    {"le", TEST_LE, 1},
    {"<=", TEST_LE, 1},
    {"lower", TEST_LOWER, 0},
    {"lt", TEST_LT, 1},
    {"<", TEST_LT, 1},
    {"lessthan", TEST_LT, 1},
    {"mapping", TEST_MAPPING, 0},
    {"ne", TEST_NE, 1},
    {"!=", TEST_NE, 1},
    {"none", TEST_NONE, 0},
    {"number", TEST_NUMBER, 0},
    {"odd", TEST_ODD, 0},
    {"sameas", TEST_SAMEAS, 1},
    {"sequence", TEST_SEQUENCE, 0},
    {"string", TEST_STRING, 0},
    {"test", TEST_TEST, 0},
    {"true", TEST_TRUE, 0},
    {"undefined", TEST_UNDEFINED, 0},
    {"upper", TEST_UPPER, 0},
};

int jinja_test_id(const char *name, size_t n) {
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (strlen(tests[i].name) == n && !memcmp(tests[i].name, name, n)) return (int)i;
    return -1;
}

static bool sequence(const jinja_value *v) {
    if (v->type == J_LIST) return v->u.l->kind == J_PLAIN || v->u.l->kind == J_RANGE;
    return v->type == J_UNDEFINED || v->type == J_STRING || v->type == J_DICT || v->type == J_TUPLE;
}

static bool remainder_is(jinja_interp *j, jinja_value v, jinja_value by, jinja_int want) {
    jinja_int i, k;
    if (jinja_as_int(&v, &i) && jinja_as_int(&by, &k)) {
        if (!k) jinja_fail(j->a, WICK_EFORMAT, "division by zero");
        jinja_int m = k == -1 ? 0 : i % k;
        return (m < 0 ? m + k : m) == want;
    }
    if (!jinja_is_number(&v) || !jinja_is_number(&by)) jinja_fail(j->a, WICK_EFORMAT, "a %s has no remainder", jinja_type_name(&v));
    double m = fmod(jinja_as_float(&v), jinja_as_float(&by));
    return (m < 0 ? m + jinja_as_float(&by) : m) == (double)want;
}

static bool same(const jinja_value *x, const jinja_value *y) {
    if (x->type != y->type) return false;
    switch (x->type) {
    case J_UNDEFINED: return false;
    case J_NONE: return true;
    case J_BOOL: return x->u.b == y->u.b;
    case J_INT: return *x->u.i == *y->u.i;
    case J_FUNCTION: return x->u.id == y->u.id;
    case J_FLOAT: return x->u.f == y->u.f;
    case J_STRING: return x->u.s == y->u.s || (x->u.s->n == y->u.s->n && !memcmp(x->u.s->s, y->u.s->s, x->u.s->n));
    default: return x->u.l == y->u.l;
    }
}

bool jinja_run_test(jinja_interp *j, int i, jinja_value v, const jinja_args *args) {
    if (args->n != tests[i].n_arg || args->n_named)
        jinja_fail(j->a, WICK_EFORMAT, "the test %s takes %zu arguments", tests[i].name, tests[i].n_arg);
    jinja_value x = args->n ? args->items[0] : jinja_none();
    switch (tests[i].id) {
    case TEST_BOOLEAN: return v.type == J_BOOL;
    case TEST_CALLABLE:
        return v.type == J_MACRO || v.type == J_FUNCTION || v.type == J_METHOD || v.type == J_LOOP || v.type == J_JOINER ||
               v.type == J_UNDEFINED;
    case TEST_DEFINED: return v.type != J_UNDEFINED;
    case TEST_DIVISIBLE: return remainder_is(j, v, x, 0);
    case TEST_EQ: return jinja_equal(j->a, v, x);
    case TEST_NE: return !jinja_equal(j->a, v, x);
    case TEST_ESCAPED: return v.type == J_STRING && v.safe;
    case TEST_EVEN: return remainder_is(j, v, jinja_integer(j->a, 2), 0);
    case TEST_ODD: return remainder_is(j, v, jinja_integer(j->a, 2), 1);
    case TEST_FALSE: return v.type == J_BOOL && !v.u.b;
    case TEST_TRUE: return v.type == J_BOOL && v.u.b;
    case TEST_FILTER: return v.type == J_STRING && jinja_filter_id(v.u.s->s, v.u.s->n) >= 0;
    case TEST_TEST: return v.type == J_STRING && jinja_test_id(v.u.s->s, v.u.s->n) >= 0;
    case TEST_FLOAT: return v.type == J_FLOAT;
    case TEST_GE: return jinja_order(j->a, v, x, ">=") >= 0;
    case TEST_GT: return jinja_order(j->a, v, x, ">") > 0;
    case TEST_LE: return jinja_order(j->a, v, x, "<=") <= 0;
    case TEST_LT: return jinja_order(j->a, v, x, "<") < 0;
    case TEST_IN: return jinja_contains(j, x, v);
    case TEST_INTEGER: return v.type == J_INT;
    case TEST_ITERABLE: return iterable(&v);
    case TEST_LOWER: return jinja_is_case(soft(j, v), false);
    case TEST_UPPER: return jinja_is_case(soft(j, v), true);
    case TEST_MAPPING: return v.type == J_DICT;
    case TEST_NONE: return v.type == J_NONE;
    case TEST_NUMBER: return jinja_is_number(&v);
    case TEST_SAMEAS: return same(&v, &x);
    case TEST_SEQUENCE: return sequence(&v);
    case TEST_STRING: return v.type == J_STRING;
    default: return v.type == J_UNDEFINED;
    }
}
