/* The filters by name, and those of one value. A table names each with its parameters; what a template passes beyond them is an error, as
 * in Python. */
#include "text/jinja_filters.h"
#include "base/utf8.h"
#include "text/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jinja_value jinja_arg(const jinja_args *args, size_t i, const char *name) {
    if (i < args->n) return args->items[i];
    for (size_t k = 0; name && k < args->n_named; k++)
        if (!strcmp(args->names[k], name)) return args->named[k];
    return jinja_undefined(NULL);
}

bool jinja_given(jinja_value v) { return v.type != J_UNDEFINED || v.u.name; }
bool jinja_given_value(jinja_value v) { return jinja_given(v) && v.type != J_NONE; }
bool jinja_flag_arg(const jinja_args *args, size_t i, const char *name) {
    jinja_value v = jinja_arg(args, i, name);
    return jinja_given(v) && jinja_true(&v);
}
jinja_int jinja_int_arg(jinja_interp *j, const jinja_args *args, size_t i, const char *name, jinja_int fallback) {
    jinja_value v = jinja_arg(args, i, name);
    return jinja_given_value(v) ? jinja_need_int(j, v, name) : fallback;
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

/* ---- one value */

static jinja_value f_default(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value fallback = jinja_arg(args, 0, "default_value");
    bool use = v.type == J_UNDEFINED || (jinja_flag_arg(args, 1, "boolean") && !jinja_true(&v));
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
    jinja_int places = jinja_int_arg(j, args, 0, "precision", 0);
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
    jinja_int base = jinja_int_arg(j, args, 1, "base", 10), i;
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

static bool in_order(const jinja_value *v, int depth);

static bool all_in_order(const jinja_value *values, size_t n, int depth) {
    for (size_t i = 0; i < n; i++)
        if (!in_order(&values[i], depth + 1)) return false;
    return true;
}

/* Whether the keys of all dictionaries in it are strings in the order that Python would sort them into. */
static bool in_order(const jinja_value *v, int depth) {
    if (depth > JINJA_MAX_DEPTH) return false;
    if (jinja_is_sequence(v)) return all_in_order(v->u.l->items, v->u.l->n, depth);
    if (v->type != J_DICT) return true;
    const jinja_dict *d = v->u.d;
    for (size_t i = 0; i + 1 < d->n; i++) {
        const jinja_value *x = &d->keys[i], *y = &d->keys[i + 1];
        if (x->type != J_STRING || y->type != J_STRING || strcmp(x->u.s->s, y->u.s->s) > 0) return false;
    }
    return all_in_order(d->values, d->n, depth);
}

/* What Python prints on one line as it is. */
static jinja_value f_pprint(jinja_interp *j, jinja_value v, const jinja_args *args) {
    (void)args;
    jinja_buffer b = {0};
    jinja_repr(j->a, &b, v);
    jinja_value text = jinja_text(j->a, &b);
    if (text.u.s->n > 80 || !in_order(&v, 0)) jinja_fail(j->a, WICK_EUNSUPPORTED, "pprint sorts no keys and breaks no lines: use tojson");
    return text;
}

static jinja_value f_attr(jinja_interp *j, jinja_value v, const jinja_args *args) {
    const jinja_string *name = jinja_need_string(j, jinja_arg(args, 0, "name"), "a name");
    if (v.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", v.u.name ? v.u.name : "a value");
    if (v.type == J_DICT && jinja_method_id(J_DICT, name->s, name->n) < 0) return jinja_undefined("an attribute");
    return jinja_attribute(j, v, name->s, name->n);
}

static jinja_value f_tojson(jinja_interp *j, jinja_value v, const jinja_args *args) {
    jinja_value indent = jinja_arg(args, 1, "indent"), separators = jinja_arg(args, 2, "separators");
    jinja_json_options o = {.ascii = jinja_flag_arg(args, 0, "ensure_ascii"), .sort = jinja_flag_arg(args, 3, "sort_keys")};
    if (indent.type == J_STRING)
        o.indent = indent.u.s;
    else if (jinja_given_value(indent)) {
        jinja_buffer b = {0};
        for (jinja_int n = jinja_need_int(j, indent, "indent"); n > 0; n--) jinja_puts(j->a, &b, " ");
        o.indent = jinja_text(j->a, &b).u.s;
    }
    if (jinja_given_value(separators)) {
        jinja_list *l = jinja_iterate(j->a, separators);
        if (l->n != 2) jinja_fail(j->a, WICK_EFORMAT, "separators should be two strings");
        o.item = jinja_need_string(j, l->items[0], "a separator");
        o.key = jinja_need_string(j, l->items[1], "a separator");
    }
    jinja_buffer b = {0};
    jinja_json(j->a, &b, v, &o, 0);
    return jinja_text(j->a, &b);
}

/* ---- the table. Parameters in order; "*": any */

static const struct {
    const char *name, *parameters;
    jinja_filter_fn *fn;
} filters[] = {
    {"abs", "", f_abs},
    {"attr", "name", f_attr},
    {"batch", "linecount,fill_with", jinja_f_batch},
    {"capitalize", "", jinja_f_capitalize},
    {"center", "width", jinja_f_center},
    {"count", "", f_length},
    {"d", "default_value,boolean", f_default},
    {"default", "default_value,boolean", f_default},
    {"dictsort", "case_sensitive,by,reverse", jinja_f_dictsort},
    {"e", "", jinja_f_escape},
    {"escape", "", jinja_f_escape},
    {"filesizeformat", "binary", jinja_f_filesize},
    {"first", "", jinja_f_first},
    {"float", "default", f_float},
    {"forceescape", "", f_forceescape},
    {"format", "*", jinja_f_format},
    {"groupby", "attribute,default,case_sensitive", jinja_f_groupby},
    {"indent", "width,first,blank", jinja_f_indent},
    {"int", "default,base", f_int},
    {"items", "", jinja_f_items},
    {"join", "d,attribute", jinja_f_join},
    {"last", "", jinja_f_last},
    {"length", "", f_length},
    {"list", "", jinja_f_list},
    {"lower", "", jinja_f_lower},
    {"map", "*", jinja_f_map},
    {"max", "case_sensitive,attribute", jinja_f_max},
    {"min", "case_sensitive,attribute", jinja_f_min},
    {"pprint", "", f_pprint},
    {"reject", "*", jinja_f_reject},
    {"rejectattr", "*", jinja_f_rejectattr},
    {"replace", "old,new,count", jinja_f_replace},
    {"reverse", "", jinja_f_reverse},
    {"round", "precision,method", f_round},
    {"safe", "", jinja_f_safe},
    {"select", "*", jinja_f_select},
    {"selectattr", "*", jinja_f_selectattr},
    {"slice", "slices,fill_with", jinja_f_slice},
    {"sort", "reverse,case_sensitive,attribute", jinja_f_sort},
    {"string", "", f_string},
    {"striptags", "", jinja_f_striptags},
    {"sum", "attribute,start", jinja_f_sum},
    {"title", "", jinja_f_title},
    {"tojson", "ensure_ascii,indent,separators,sort_keys", f_tojson},
    {"trim", "chars", jinja_f_trim},
    {"truncate", "length,killwords,end,leeway", jinja_f_truncate},
    {"unique", "case_sensitive,attribute", jinja_f_unique},
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
