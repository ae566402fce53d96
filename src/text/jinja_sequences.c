/* Filters that walk through a sequence. */
#include "text/jinja_filters.h"
#include "text/jinja_text.h"

#include <stdlib.h>
#include <string.h>

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
        if (v.type == J_UNDEFINED && jinja_given_value(fallback)) return fallback;
        i = end + 1;
    }
    return v;
}

/* The value by which filters compare: an attribute, and without case unless asked. */
static jinja_value key_of(jinja_interp *j, jinja_value v, jinja_value attribute, bool case_sensitive) {
    if (jinja_given_value(attribute)) v = path_of(j, v, attribute, jinja_undefined(NULL));
    return v.type == J_STRING && !case_sensitive ? jinja_lower(j, v.u.s) : v;
}

/* ---- items in, items out */

bool jinja_is_iterable(const jinja_value *v) {
    return v->type == J_UNDEFINED || v->type == J_STRING || v->type == J_DICT || jinja_is_sequence(v) || v->type == J_LOOP;
}

/* Filters that are generators in Python fail only when their result is walked through. */
static bool lazy_failure(jinja_value v, jinja_value out) {
    if (jinja_is_iterable(&v) && v.type != J_LOOP) return false;
    out.u.l->broken = jinja_type_name(&v);
    return true;
}

jinja_value jinja_f_list(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_list *l = jinja_iterate(j->a, v);
    jinja_value out = new_list(j, J_PLAIN);
    for (size_t i = 0; i < l->n; i++) jinja_push(j->a, out.u.l, l->items[i]);
    return out;
}

jinja_value jinja_f_first(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_list *l = jinja_iterate(j->a, v);
    return l->n ? l->items[0] : jinja_undefined("the first item");
}

jinja_value jinja_f_last(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    if (v.type == J_LIST && v.u.l->kind == J_GENERATOR) jinja_fail(j->a, WICK_EFORMAT, "a generator cannot be reversed");
    jinja_list *l = jinja_iterate(j->a, v);
    return l->n ? l->items[l->n - 1] : jinja_undefined("the last item");
}

jinja_value jinja_f_reverse(jinja_interp *j, jinja_value v, const jinja_args *args) {
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

jinja_value jinja_f_join(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value d = jinja_arg(args, 0, "d"), attribute = jinja_arg(args, 1, "attribute");
    const jinja_string *between = jinja_given(d) ? soft(j, d) : NULL;
    jinja_list *l = jinja_iterate(j->a, v);
    jinja_buffer b = {0};
    for (size_t i = 0; i < l->n; i++) {
        if (i && between) jinja_add_string(j->a, &b, between);
        jinja_print(j->a, &b, jinja_given_value(attribute) ? path_of(j, l->items[i], attribute, jinja_undefined(NULL)) : l->items[i]);
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
    jinja_list *l = jinja_f_list(j, v, &(jinja_args){0}).u.l;
    jinja_value *keys = jinja_alloc(j->a, (l->n + 1) * sizeof *keys);
    for (size_t i = 0; i < l->n; i++) {
        keys[i] = keys_of(j, l->items[i], attribute, case_sensitive);
    }
    sort_by(j, l->items, keys, l->n, reverse);
    if (keys_out) *keys_out = keys;
    return l;
}

jinja_value jinja_f_sort(jinja_interp *j, jinja_value v, const jinja_args *args) {
    return (jinja_value){.type = J_LIST,
                         .u.l = sorted(j, v, jinja_arg(args, 2, "attribute"), jinja_flag_arg(args, 1, "case_sensitive"),
                                       jinja_flag_arg(args, 0, "reverse"), NULL)};
}

jinja_value jinja_f_groupby(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value attribute = jinja_arg(args, 0, "attribute"), fallback = jinja_arg(args, 1, "default"), *keys, out = new_list(j, J_PLAIN);
    bool case_sensitive = jinja_flag_arg(args, 2, "case_sensitive");
    jinja_list *items = jinja_f_list(j, v, &(jinja_args){0}).u.l, *group = NULL;
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

jinja_value jinja_f_dictsort(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value by = jinja_arg(args, 1, "by"), items = jinja_dict_items(j, v, J_PLAIN);
    bool case_sensitive = jinja_flag_arg(args, 0, "case_sensitive"), value = jinja_given(by) && jinja_text_is(by, "value");
    if (jinja_given(by) && !value && !jinja_text_is(by, "key")) jinja_fail(j->a, WICK_EFORMAT, "dictsort goes by key or value");
    jinja_value *keys = jinja_alloc(j->a, (items.u.l->n + 1) * sizeof *keys);
    for (size_t i = 0; i < items.u.l->n; i++)
        keys[i] = key_of(j, items.u.l->items[i].u.l->items[value], jinja_undefined(NULL), case_sensitive);
    sort_by(j, items.u.l->items, keys, items.u.l->n, jinja_flag_arg(args, 2, "reverse"));
    return items;
}

jinja_value jinja_f_unique(jinja_interp *j, jinja_value v, const jinja_args *args) {
    bool case_sensitive = jinja_flag_arg(args, 0, "case_sensitive");
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
    bool case_sensitive = jinja_flag_arg(args, 0, "case_sensitive");
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
jinja_value jinja_f_min(jinja_interp *j, jinja_value v, const jinja_args *args) { return extreme(j, v, args, -1); }
jinja_value jinja_f_max(jinja_interp *j, jinja_value v, const jinja_args *args) { return extreme(j, v, args, 1); }

jinja_value jinja_f_sum(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value attribute = jinja_arg(args, 0, "attribute"), sum = jinja_arg(args, 1, "start");
    if (!jinja_given(sum)) sum = jinja_integer(j->a, 0);
    jinja_list *l = jinja_iterate(j->a, v);
    if (sum.type == J_STRING) jinja_fail(j->a, WICK_EFORMAT, "strings are joined, not summed");
    for (size_t i = 0; i < l->n; i++)
        sum = jinja_binary(j, '+', sum,
                           jinja_given_value(attribute) ? path_of(j, l->items[i], attribute, jinja_undefined(NULL)) : l->items[i]);
    return sum;
}

jinja_value jinja_f_batch(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_int size = jinja_need_int(j, jinja_arg(args, 0, "linecount"), "linecount");
    jinja_value fill = jinja_arg(args, 1, "fill_with"), out = new_list(j, J_GENERATOR), part = {0};
    if (lazy_failure(v, out)) return out;
    jinja_list *l = jinja_iterate(j->a, v);
    for (size_t i = 0; i < l->n; i++) {
        if (!i || (jinja_int)part.u.l->n == size) jinja_push(j->a, out.u.l, part = new_list(j, J_PLAIN));
        jinja_push(j->a, part.u.l, l->items[i]);
    }
    while (l->n && jinja_given_value(fill) && (jinja_int)part.u.l->n < size) jinja_push(j->a, part.u.l, fill);
    return out;
}

jinja_value jinja_f_slice(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_int slices = jinja_int_arg(j, args, 0, "slices", 0);
    jinja_value fill = jinja_arg(args, 1, "fill_with"), out = new_list(j, J_GENERATOR);
    jinja_list *l = jinja_iterate(j->a, v);
    if (slices <= 0 || slices > 100000) jinja_fail(j->a, WICK_EFORMAT, "a list cannot be cut into that many slices");
    size_t each = l->n / (size_t)slices, more = l->n % (size_t)slices, at = 0;
    for (size_t i = 0; i < (size_t)slices; i++) {
        jinja_value part = new_list(j, J_PLAIN);
        for (size_t k = 0; k < each + (i < more); k++) jinja_push(j->a, part.u.l, l->items[at++]);
        if (jinja_given_value(fill) && i >= more) jinja_push(j->a, part.u.l, fill);
        jinja_push(j->a, out.u.l, part);
    }
    return out;
}

jinja_value jinja_f_items(jinja_interp *j, jinja_value v, const jinja_args *args) {
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

jinja_value jinja_f_map(jinja_interp *j, jinja_value v, const jinja_args *args) {
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
jinja_value jinja_f_select(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, false, true); }
jinja_value jinja_f_reject(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, false, false); }
jinja_value jinja_f_selectattr(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, true, true); }
jinja_value jinja_f_rejectattr(jinja_interp *j, jinja_value v, const jinja_args *args) { return choose(j, v, args, true, false); }
