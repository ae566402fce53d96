/* The evaluator: walks the tree. A scope is a dictionary of names with a parent; loops, macros, with and call blocks open one,
 * if does not. */
#include "text/jinja.h"
#include "text/jinja_text.h"

#include <math.h>
#include <string.h>

struct jinja_scope {
    jinja_scope *parent;
    jinja_dict *names;
};

typedef enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;

static jinja_value eval(jinja_interp *j, jinja_scope *s, const jinja_node *n);
static flow run(jinja_interp *j, jinja_scope *s, const jinja_node *n);

static void enter(jinja_interp *j) {
    jinja_spend(j->a, 1);
    if (++j->a->depth > JINJA_MAX_DEPTH) jinja_fail(j->a, WICK_ELIMIT, "it is nested deeper than %d", JINJA_MAX_DEPTH);
}

static jinja_scope *open_scope(jinja_interp *j, jinja_scope *parent) {
    jinja_scope *s = jinja_alloc(j->a, sizeof *s);
    s->parent = parent;
    s->names = jinja_new_dict(j->a).u.d;
    return s;
}

static void set_name(jinja_interp *j, jinja_scope *s, const char *name, jinja_value v) {
    jinja_put(j->a, s->names, jinja_cstr(j->a, name), v);
}

static jinja_value look_up(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    for (; s; s = s->parent) {
        const jinja_value *v = jinja_get_text(s->names, n->name, n->name_size);
        if (v) return *v;
    }
    (void)j;
    int id = jinja_function_id(n->name, n->name_size);
    return id >= 0 ? (jinja_value){.type = J_FUNCTION, .u.id = id} : jinja_undefined(n->name);
}

/* ---- operators */

_Noreturn static void bad_operands(jinja_interp *j, const char *op, jinja_value x, jinja_value y) {
    jinja_fail(j->a, WICK_EFORMAT, "'%s' does not work on %s and %s", op, jinja_type_name(&x), jinja_type_name(&y));
}

_Noreturn static void too_large(jinja_interp *j) { jinja_fail(j->a, WICK_ELIMIT, "an integer is too large"); }

static jinja_value power(jinja_interp *j, jinja_value x, jinja_value y) {
    jinja_int b, e, r = 1;
    if (!jinja_as_int(&x, &b) || !jinja_as_int(&y, &e) || e < 0) {
        double f = jinja_as_float(&x), g = jinja_as_float(&y);
        if (f == 0 && g < 0) jinja_fail(j->a, WICK_EFORMAT, "0 cannot be raised to a negative power");
        return jinja_float(pow(f, g));
    }
    if (b == 0 || b == 1) return jinja_integer(j->a, e ? b : 1);
    if (b == -1) return jinja_integer(j->a, e & 1 ? -1 : 1);
    for (; e; e--)
        if (__builtin_mul_overflow(r, b, &r)) too_large(j);
    return jinja_integer(j->a, r);
}

static jinja_value float_operator(jinja_interp *j, int op, double x, double y) {
    if ((op == '/' || op == 'd' || op == '%') && y == 0) jinja_fail(j->a, WICK_EFORMAT, "division by zero");
    switch (op) {
    case '+': return jinja_float(x + y);
    case '-': return jinja_float(x - y);
    case '*': return jinja_float(x * y);
    case '/': return jinja_float(x / y);
    default: {
        double m = fmod(x, y), q = (x - m) / y; /* Python: the remainder has the divisor's sign */
        if (m != 0 && (y < 0) != (m < 0)) m += y, q -= 1;
        if (m == 0) m = copysign(0.0, y);
        if (op == '%') return jinja_float(m);
        double whole = floor(q);
        if (q - whole > 0.5) whole += 1;
        return jinja_float(q != 0 ? whole : copysign(0.0, x / y));
    }
    }
}

static jinja_value number_operator(jinja_interp *j, int op, jinja_value x, jinja_value y) {
    jinja_int a, b, r = 0;
    if (op == 'p') return power(j, x, y);
    if (op == '/' || !jinja_as_int(&x, &a) || !jinja_as_int(&y, &b)) return float_operator(j, op, jinja_as_float(&x), jinja_as_float(&y));
    bool bad = false;
    switch (op) {
    case '+': bad = __builtin_add_overflow(a, b, &r); break;
    case '-': bad = __builtin_sub_overflow(a, b, &r); break;
    case '*': bad = __builtin_mul_overflow(a, b, &r); break;
    default:
        if (!b) jinja_fail(j->a, WICK_EFORMAT, "division by zero");
        if (b == -1)
            bad = __builtin_sub_overflow((jinja_int)0, a, &r), r = op == '%' ? 0 : r;
        else {
            jinja_int q = a / b, m = a % b;
            if (m && (m < 0) != (b < 0)) m += b, q -= 1;
            r = op == '%' ? m : q;
        }
    }
    if (bad) too_large(j);
    return jinja_integer(j->a, r);
}

static jinja_value repeat(jinja_interp *j, jinja_value v, jinja_int times) {
    if (v.type == J_STRING) {
        jinja_buffer b = {0};
        for (jinja_int i = 0; i < times && v.u.s->n; i++) jinja_add_string(j->a, &b, v.u.s);
        return jinja_text(j->a, &b);
    }
    jinja_value l = jinja_new_list(j->a, v.type, J_PLAIN);
    for (jinja_int i = 0; i < times && v.u.l->n; i++)
        for (size_t k = 0; k < v.u.l->n; k++) jinja_push(j->a, l.u.l, v.u.l->items[k]);
    return l;
}

static bool plain_sequence(const jinja_value *v) { return v->type == J_TUPLE || (v->type == J_LIST && v->u.l->kind == J_PLAIN); }

static jinja_value binary(jinja_interp *j, int op, jinja_value x, jinja_value y);
jinja_value jinja_add_values(jinja_interp *j, jinja_value x, jinja_value y) { return binary(j, '+', x, y); }

static jinja_value binary(jinja_interp *j, int op, jinja_value x, jinja_value y) {
    jinja_int n;
    const char name[] = {op == 'd' ? '/' : op == 'p' ? '*' : (char)op, op == 'd' ? '/' : op == 'p' ? '*' : 0, 0};
    if (op == '%' && x.type == J_STRING) return jinja_percent(j, x.u.s, y);
    if (jinja_is_number(&x) && jinja_is_number(&y)) return number_operator(j, op, x, y);
    if (op == '+' && x.type == J_STRING && y.type == J_STRING) {
        jinja_buffer b = {0};
        bool safe = x.safe || y.safe; /* markup escapes what is added to it */
        int escape = jinja_filter_id("escape", 6);
        jinja_add_string(j->a, &b, (safe ? jinja_run_filter(j, escape, x, &(jinja_args){0}) : x).u.s);
        jinja_add_string(j->a, &b, (safe ? jinja_run_filter(j, escape, y, &(jinja_args){0}) : y).u.s);
        jinja_value sum = jinja_text(j->a, &b);
        sum.safe = safe;
        return sum;
    }
    if (op == '+' && x.type == y.type && plain_sequence(&x) && plain_sequence(&y)) {
        jinja_value l = jinja_new_list(j->a, x.type, J_PLAIN);
        for (size_t i = 0; i < x.u.l->n; i++) jinja_push(j->a, l.u.l, x.u.l->items[i]);
        for (size_t i = 0; i < y.u.l->n; i++) jinja_push(j->a, l.u.l, y.u.l->items[i]);
        return l;
    }
    if (op == '*' && (x.type == J_STRING || plain_sequence(&x)) && jinja_as_int(&y, &n)) return repeat(j, x, n);
    if (op == '*' && (y.type == J_STRING || plain_sequence(&y)) && jinja_as_int(&x, &n)) return repeat(j, y, n);
    bad_operands(j, name, x, y);
}

bool jinja_contains(jinja_interp *j, jinja_value whole, jinja_value part) {
    if (whole.type == J_STRING) {
        if (part.type != J_STRING) jinja_fail(j->a, WICK_EFORMAT, "'in <string>' needs a string, not a %s", jinja_type_name(&part));
        jinja_spend(j->a, 1 + whole.u.s->n / 64);
        return !part.u.s->n || memmem(whole.u.s->s, whole.u.s->n, part.u.s->s, part.u.s->n);
    }
    if (whole.type == J_DICT) return jinja_get(j->a, whole.u.d, part) != NULL;
    jinja_list *l = jinja_iterate(j->a, whole);
    for (size_t i = 0; i < l->n; i++)
        if (jinja_equal(j->a, l->items[i], part)) return true;
    return false;
}

static bool compare(jinja_interp *j, int op, jinja_value x, jinja_value y) {
    switch (op) {
    case '=': return jinja_equal(j->a, x, y);
    case '!': return !jinja_equal(j->a, x, y);
    case '<': return jinja_order(j->a, x, y, "<") < 0;
    case '>': return jinja_order(j->a, x, y, ">") > 0;
    case 'l': return jinja_order(j->a, x, y, "<=") <= 0;
    case 'g': return jinja_order(j->a, x, y, ">=") >= 0;
    case 'i': return jinja_contains(j, y, x);
    default: return !jinja_contains(j, y, x);
    }
}

static jinja_value eval_compare(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value left = eval(j, s, n->a);
    for (size_t i = 0; i < n->n_item; i++) {
        jinja_value right = eval(j, s, n->items[i]->a);
        if (!compare(j, n->items[i]->op, left, right)) return jinja_bool(false);
        left = right;
    }
    return jinja_bool(true);
}

static jinja_value sign(jinja_interp *j, jinja_value v, bool minus) {
    jinja_int i;
    if (v.type == J_FLOAT) return jinja_float(minus ? -v.u.f : v.u.f);
    if (!jinja_as_int(&v, &i)) jinja_fail(j->a, WICK_EFORMAT, "a %s has no sign", jinja_type_name(&v));
    if (minus && __builtin_sub_overflow((jinja_int)0, i, &i)) too_large(j);
    return jinja_integer(j->a, i);
}

/* ---- slices */

static jinja_int clamp(jinja_int i, jinja_int n, bool backwards) {
    if (i < 0) i += n;
    if (i < 0) return backwards ? -1 : 0;
    return i >= n ? (backwards ? n - 1 : n) : i;
}

static jinja_int bound(jinja_interp *j, jinja_scope *s, const jinja_node *n, jinja_int fallback, jinja_int size, bool backwards) {
    jinja_value v = n ? eval(j, s, n) : jinja_none();
    return v.type == J_NONE ? fallback : clamp(jinja_need_int(j, v, "a slice"), size, backwards);
}

static jinja_value eval_slice(jinja_interp *j, jinja_scope *s, jinja_value of, const jinja_node *n) {
    if (of.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", of.u.name ? of.u.name : "a value");
    if (of.type != J_STRING && !jinja_is_sequence(&of)) {
        /* jinja2 works out constant output beforehand, with a lookup that forgives; all else it runs as Python would. */
        if (j->constant) return jinja_undefined("a slice of what has no parts");
        jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be sliced", jinja_type_name(&of));
    }
    jinja_list *l = jinja_iterate(j->a, of);
    jinja_value step_value = n->c ? eval(j, s, n->c) : jinja_none();
    jinja_int step = step_value.type == J_NONE ? 1 : jinja_need_int(j, step_value, "a slice"), size = (jinja_int)l->n;
    if (!step) jinja_fail(j->a, WICK_EFORMAT, "the step of a slice is 0");
    jinja_int from = bound(j, s, n->a, step < 0 ? size - 1 : 0, size, step < 0),
              to = bound(j, s, n->b, step < 0 ? -1 : size, size, step < 0);
    if (of.type == J_STRING) {
        jinja_buffer b = {0};
        for (jinja_int i = from; step > 0 ? i < to : i > to; i += step) jinja_add_string(j->a, &b, l->items[i].u.s);
        return jinja_text(j->a, &b);
    }
    jinja_value out = jinja_new_list(j->a, of.type, J_PLAIN);
    for (jinja_int i = from; step > 0 ? i < to : i > to; i += step) jinja_push(j->a, out.u.l, l->items[i]);
    return out;
}

/* ---- calls */

static jinja_args eval_args(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_args args = {0};
    size_t n_plain = n->n_item - n->n_key;
    jinja_list *more = n->b ? jinja_iterate(j->a, eval(j, s, n->b)) : NULL;
    args.items = jinja_alloc(j->a, (n_plain + (more ? more->n : 0) + 1) * sizeof *args.items);
    for (size_t i = 0; i < n_plain; i++) args.items[args.n++] = eval(j, s, n->items[i]);
    for (size_t i = 0; more && i < more->n; i++) args.items[args.n++] = more->items[i];
    jinja_value extra = n->c ? eval(j, s, n->c) : jinja_none();
    size_t n_extra = extra.type == J_DICT ? extra.u.d->n : 0;
    if (n->c && extra.type != J_DICT) jinja_fail(j->a, WICK_EFORMAT, "named arguments cannot come from a %s", jinja_type_name(&extra));
    args.names = jinja_alloc(j->a, (n->n_key + n_extra + 1) * sizeof *args.names);
    args.named = jinja_alloc(j->a, (n->n_key + n_extra + 1) * sizeof *args.named);
    for (size_t i = 0; i < n->n_key; i++) {
        args.names[args.n_named] = n->keys[i];
        args.named[args.n_named++] = eval(j, s, n->items[n_plain + i]);
    }
    for (size_t i = 0; i < n_extra; i++) {
        const jinja_string *key = jinja_need_string(j, extra.u.d->keys[i], "the name of an argument");
        char *name = jinja_alloc(j->a, key->n + 1);
        memcpy(name, key->s, key->n);
        args.names[args.n_named] = name;
        args.named[args.n_named++] = extra.u.d->values[i];
    }
    return args;
}

static bool mentions(const jinja_node *n, const char *name);

static bool any_mentions(jinja_node *const *items, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (mentions(items[i], name)) return true;
    return false;
}

/* Whether a name occurs in a tree: a macro takes extra arguments only if its body speaks of varargs, kwargs or caller. */
static bool mentions(const jinja_node *n, const char *name) {
    if (!n) return false;
    if (n->kind == N_NAME && !strcmp(n->name, name)) return true;
    if (n->kind == N_CONST || n->kind == N_DATA) return false;
    return mentions(n->a, name) || mentions(n->b, name) || mentions(n->c, name) || any_mentions(n->items, n->n_item, name) ||
           any_mentions(n->more, n->kind == N_CALL || n->kind == N_FILTER || n->kind == N_TEST ? 1 : n->n_more, name);
}

static jinja_value call_macro(jinja_interp *j, const jinja_macro *m, const jinja_args *args) {
    const jinja_node *n = m->node;
    jinja_scope *s = open_scope(j, m->scope);
    size_t first_default = n->n_item - n->n_more, used = 0;
    bool caller_is_argument = false;
    for (size_t i = 0; i < n->n_item; i++) {
        jinja_value v = jinja_undefined(n->items[i]->name);
        bool given = i < args->n;
        if (given) v = args->items[i];
        for (size_t k = 0; k < args->n_named; k++) {
            if (strcmp(args->names[k], n->items[i]->name) != 0) continue;
            if (given) jinja_fail(j->a, WICK_EFORMAT, "macro %s gets the argument %s twice", n->name ? n->name : "", args->names[k]);
            v = args->named[k], given = true, used++;
        }
        if (!strcmp(n->items[i]->name, "caller")) caller_is_argument = true;
        if (!given && i >= first_default) v = eval(j, s, n->more[i - first_default]);
        set_name(j, s, n->items[i]->name, v);
    }
    bool varargs = mentions(n->b, "varargs"), kwargs = mentions(n->b, "kwargs"), caller = mentions(n->b, "caller");
    jinja_value rest = jinja_new_list(j->a, J_TUPLE, J_PLAIN), named = jinja_new_dict(j->a), call = jinja_undefined("caller");
    for (size_t i = n->n_item; i < args->n; i++) jinja_push(j->a, rest.u.l, args->items[i]);
    for (size_t k = 0; k < args->n_named; k++) {
        bool known = false;
        for (size_t i = 0; i < n->n_item; i++) known = known || !strcmp(args->names[k], n->items[i]->name);
        if (known) continue;
        if (!strcmp(args->names[k], "caller") && caller)
            call = args->named[k];
        else
            jinja_put(j->a, named.u.d, jinja_cstr(j->a, args->names[k]), args->named[k]);
    }
    if (rest.u.l->n && !varargs) jinja_fail(j->a, WICK_EFORMAT, "macro %s takes at most %zu arguments", n->name ? n->name : "", n->n_item);
    if (named.u.d->n && !kwargs)
        jinja_fail(j->a, WICK_EFORMAT, "macro %s does not know one of its named arguments", n->name ? n->name : "");
    if (varargs) set_name(j, s, "varargs", rest);
    if (kwargs) set_name(j, s, "kwargs", named);
    if (caller && !caller_is_argument) set_name(j, s, "caller", call);
    jinja_buffer text = {0}, *out = j->out;
    j->out = &text;
    enter(j);
    run(j, s, n->b);
    j->a->depth--;
    j->out = out;
    return jinja_text(j->a, &text);
}

static flow run_loop(jinja_interp *j, jinja_scope *s, const jinja_node *n, jinja_value items, int depth);

static jinja_value call_loop(jinja_interp *j, const jinja_loop *loop, const jinja_args *args) {
    if (!loop->node || args->n != 1) jinja_fail(j->a, WICK_EFORMAT, "only a recursive loop can be called, with one argument");
    jinja_buffer text = {0}, *out = j->out;
    j->out = &text;
    enter(j);
    run_loop(j, loop->scope, loop->node, args->items[0], loop->depth + 1);
    j->a->depth--;
    j->out = out;
    return jinja_text(j->a, &text);
}

static jinja_value call(jinja_interp *j, jinja_value f, const jinja_args *args) {
    switch (f.type) {
    case J_MACRO: return call_macro(j, f.u.macro, args);
    case J_FUNCTION: return jinja_run_function(j, f.u.id, args);
    case J_METHOD: return jinja_run_method(j, f.u.method->id, *f.u.method->self, args);
    case J_LOOP: return call_loop(j, f.u.loop, args);
    case J_JOINER: {
        bool first = !f.u.cycler->i++;
        return first ? jinja_cstr(j->a, "") : f.u.cycler->items->items[0];
    }
    case J_UNDEFINED: jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", f.u.name ? f.u.name : "what is called");
    default: jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be called", jinja_type_name(&f));
    }
}

/* ---- expressions */

static jinja_value eval_concat(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_buffer b = {0};
    for (size_t i = 0; i < n->n_item; i++) jinja_print(j->a, &b, eval(j, s, n->items[i]));
    return jinja_text(j->a, &b);
}

static jinja_value eval_list(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value l = jinja_new_list(j->a, n->kind == N_TUPLE ? J_TUPLE : J_LIST, J_PLAIN);
    for (size_t i = 0; i < n->n_item; i++) jinja_push(j->a, l.u.l, eval(j, s, n->items[i]));
    return l;
}

static jinja_value eval_dict(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value d = jinja_new_dict(j->a);
    for (size_t i = 0; i < n->n_item; i++) {
        jinja_value key = eval(j, s, n->more[i]);
        jinja_put(j->a, d.u.d, key, eval(j, s, n->items[i]));
    }
    return d;
}

static jinja_value eval_filter(jinja_interp *j, jinja_scope *s, const jinja_node *n, const jinja_value *input) {
    if (n->op < 0) jinja_fail(j->a, WICK_EFORMAT, "there is no filter \"%.60s\"", n->name);
    jinja_value v = !n->more[0] ? *input : input ? eval_filter(j, s, n->more[0], input) : eval(j, s, n->more[0]);
    jinja_args args = eval_args(j, s, n);
    return jinja_run_filter(j, n->op, v, &args);
}

static jinja_value eval_node(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value v;
    jinja_args args;
    switch (n->kind) {
    case N_CONST: return n->value;
    case N_NAME: return look_up(j, s, n);
    case N_TUPLE:
    case N_LIST: return eval_list(j, s, n);
    case N_DICT: return eval_dict(j, s, n);
    case N_COND:
        v = eval(j, s, n->a);
        if (jinja_true(&v)) return eval(j, s, n->b);
        return n->c ? eval(j, s, n->c) : jinja_undefined("the value of a condition without else");
    case N_OR: v = eval(j, s, n->a); return jinja_true(&v) ? v : eval(j, s, n->b);
    case N_AND: v = eval(j, s, n->a); return jinja_true(&v) ? eval(j, s, n->b) : v;
    case N_NOT: v = eval(j, s, n->a); return jinja_bool(!jinja_true(&v));
    case N_COMPARE: return eval_compare(j, s, n);
    case N_BINARY: v = eval(j, s, n->a); return binary(j, n->op, v, eval(j, s, n->b));
    case N_NEG:
    case N_POS: return sign(j, eval(j, s, n->a), n->kind == N_NEG);
    case N_CONCAT: return eval_concat(j, s, n);
    case N_ATTR: return jinja_attribute(j, eval(j, s, n->a), n->name, n->name_size);
    case N_ITEM: v = eval(j, s, n->a); return n->b->kind == N_SLICE ? eval_slice(j, s, v, n->b) : jinja_subscript(j, v, eval(j, s, n->b));
    case N_CALL:
        v = eval(j, s, n->more[0]);
        args = eval_args(j, s, n);
        return call(j, v, &args);
    case N_FILTER: return eval_filter(j, s, n, NULL);
    case N_TEST:
        if (n->op < 0) jinja_fail(j->a, WICK_EFORMAT, "there is no test \"%.60s\"", n->name);
        v = eval(j, s, n->more[0]);
        args = eval_args(j, s, n);
        return jinja_bool(jinja_run_test(j, n->op, v, &args));
    default: jinja_fail(j->a, WICK_EFORMAT, "line %d: this is no expression", n->line);
    }
}

static jinja_value eval(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    enter(j);
    jinja_value v = eval_node(j, s, n);
    j->a->depth--;
    return v;
}

/* ---- statements */

static void assign(jinja_interp *j, jinja_scope *s, const jinja_node *target, jinja_value v) {
    if (target->kind == N_NAME) {
        set_name(j, s, target->name, v);
        return;
    }
    if (target->kind == N_NSREF) {
        jinja_value ns = look_up(j, s, target);
        if (ns.type != J_NAMESPACE)
            jinja_fail(j->a, WICK_EFORMAT, "attributes can be set on a namespace only, not on a %s", jinja_type_name(&ns));
        if (target->a->name[0] == '_') jinja_fail(j->a, WICK_EFORMAT, "a namespace takes no attribute that begins with an underscore");
        jinja_put(j->a, ns.u.d, jinja_cstr(j->a, target->a->name), v);
        return;
    }
    if (v.type == J_NONE || jinja_is_number(&v)) jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be taken apart", jinja_type_name(&v));
    jinja_list *l = jinja_iterate(j->a, v);
    if (l->n != target->n_item) jinja_fail(j->a, WICK_EFORMAT, "%zu values cannot be given to %zu names", l->n, target->n_item);
    for (size_t i = 0; i < l->n; i++) assign(j, s, target->items[i], l->items[i]);
}

static flow run_loop(jinja_interp *j, jinja_scope *outer, const jinja_node *n, jinja_value items, int depth) {
    jinja_list *all = jinja_iterate(j->a, items), *l = all;
    if (n->c) { /* the filter sees the loop's names, and the outer loop's `loop` */
        l = jinja_new_list(j->a, J_LIST, J_PLAIN).u.l;
        for (size_t i = 0; i < all->n; i++) {
            jinja_scope *s = open_scope(j, outer);
            assign(j, s, n->a, all->items[i]);
            jinja_value keep = eval(j, s, n->c);
            if (jinja_true(&keep)) jinja_push(j->a, l, all->items[i]);
        }
    }
    jinja_loop *loop = jinja_alloc(j->a, sizeof *loop);
    *loop = (jinja_loop){.items = l, .depth = depth, .node = n->flag ? n : NULL, .scope = outer};
    for (size_t i = 0, count = l->n; i < count; i++) {
        jinja_scope *s = open_scope(j, outer);
        loop->i = i;
        set_name(j, s, "loop", (jinja_value){.type = J_LOOP, .u.loop = loop});
        assign(j, s, n->a, l->items[i]);
        if (run(j, s, n->items[0]) == FLOW_BREAK) return FLOW_ON;
    }
    if (!l->n && n->n_item > 1) return run(j, open_scope(j, outer), n->items[1]);
    return FLOW_ON;
}

static jinja_value captured(jinja_interp *j, jinja_scope *s, const jinja_node *body) {
    jinja_buffer text = {0}, *out = j->out;
    j->out = &text;
    run(j, s, body);
    j->out = out;
    return jinja_text(j->a, &text);
}

static void run_call_block(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_macro *m = jinja_alloc(j->a, sizeof *m);
    *m = (jinja_macro){n, s};
    jinja_value f = eval(j, s, n->a->more[0]);
    jinja_args args = eval_args(j, s, n->a);
    args.names[args.n_named] = "caller"; /* there is room: eval_args leaves one place */
    args.named[args.n_named++] = (jinja_value){.type = J_MACRO, .u.macro = m};
    jinja_print(j->a, j->out, call(j, f, &args));
}

static bool is_constant(const jinja_node *n);

static bool all_constant(jinja_node *const *items, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!is_constant(items[i])) return false;
    return true;
}

static bool is_constant(const jinja_node *n) {
    if (!n) return true;
    if (n->kind == N_NAME || n->kind == N_CALL) return false;
    size_t n_more = n->kind == N_FILTER || n->kind == N_TEST ? 1 : n->n_more;
    return is_constant(n->a) && is_constant(n->b) && is_constant(n->c) && all_constant(n->items, n->n_item) &&
           all_constant(n->more, n_more);
}

static void print_escaped(jinja_interp *j, jinja_value v) {
    jinja_args none = {0};
    jinja_print(j->a, j->out, j->autoescape ? jinja_run_filter(j, jinja_filter_id("escape", 6), v, &none) : v);
}

static flow run_node(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value v;
    jinja_scope *inner;
    flow f = FLOW_ON;
    switch (n->kind) {
    case N_DATA: jinja_add(j->a, j->out, n->name, n->name_size, false); break;
    case N_PRINT:
        j->constant = is_constant(n->a);
        v = eval(j, s, n->a);
        j->constant = false;
        print_escaped(j, v);
        break;
    case N_SET: assign(j, s, n->a, eval(j, s, n->b)); break;
    case N_SET_BLOCK:
        v = captured(j, open_scope(j, s), n->b);
        if (n->c) v = eval_filter(j, s, n->c, &v);
        assign(j, s, n->a, v);
        break;
    case N_IF:
        v = eval(j, s, n->a);
        if (jinja_true(&v)) return run(j, s, n->b);
        return n->c ? run(j, s, n->c) : FLOW_ON;
    case N_FOR: return run_loop(j, s, n, eval(j, s, n->b), 1);
    case N_MACRO: {
        jinja_macro *m = jinja_alloc(j->a, sizeof *m);
        *m = (jinja_macro){n, s};
        set_name(j, s, n->name, (jinja_value){.type = J_MACRO, .u.macro = m});
        break;
    }
    case N_CALL_BLOCK: run_call_block(j, s, n); break;
    case N_FILTER_BLOCK:
        v = captured(j, open_scope(j, s), n->b);
        v = eval_filter(j, s, n->a, &v);
        if (v.type != J_STRING) jinja_fail(j->a, WICK_EFORMAT, "line %d: the filter of a block should give a text", n->line);
        jinja_print(j->a, j->out, v);
        break;
    case N_WITH:
        inner = open_scope(j, s);
        for (size_t i = 0; i < n->n_item; i++) assign(j, inner, n->items[i], eval(j, s, n->more[i]));
        return run(j, inner, n->b);
    case N_AUTOESCAPE: {
        bool before = j->autoescape;
        v = eval(j, s, n->a);
        j->autoescape = jinja_true(&v);
        f = run(j, open_scope(j, s), n->b);
        j->autoescape = before;
        break;
    }
    case N_SCOPE:
        if (n->b) return run(j, open_scope(j, s), n->b);
        for (size_t i = 0; i < n->n_item && f == FLOW_ON; i++) f = run(j, s, n->items[i]);
        break;
    case N_BREAK: return FLOW_BREAK;
    case N_CONTINUE: return FLOW_CONTINUE;
    default: jinja_fail(j->a, WICK_EINTERNAL, "line %d: this is no statement", n->line);
    }
    return f;
}

static flow run(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    enter(j);
    flow f = run_node(j, s, n);
    j->a->depth--;
    return f;
}

void jinja_render(jinja_interp *j, const jinja_node *root, const jinja_dict *variables) {
    jinja_scope *s = open_scope(j, NULL);
    for (size_t i = 0; i < variables->n; i++) jinja_put(j->a, s->names, variables->keys[i], variables->values[i]);
    run(j, open_scope(j, s), root);
}

bool jinja_macro_uses(const jinja_macro *m, const char *name) { return mentions(m->node->b, name); }
