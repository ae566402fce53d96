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

/* ---- slices */

static jinja_int clamp(jinja_int i, jinja_int n, bool backwards) {
    if (i < 0) i += n;
    if (i < 0) return backwards ? -1 : 0;
    return i >= n ? (backwards ? n - 1 : n) : i;
}

static bool may_bound(const jinja_value *v) {
    jinja_int i;
    return v->type == J_NONE || jinja_as_int(v, &i);
}

static jinja_int bound(jinja_interp *j, jinja_value v, jinja_int fallback, jinja_int size, bool backwards) {
    return v.type == J_NONE ? fallback : clamp(jinja_need_int(j, v, "a slice"), size, backwards);
}

static jinja_value eval_slice(jinja_interp *j, jinja_scope *s, jinja_value of, const jinja_node *n) {
    if (of.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "%s is undefined", of.u.name ? of.u.name : "a value");
    jinja_value parts[3] = {n->a ? eval(j, s, n->a) : jinja_none(), n->b ? eval(j, s, n->b) : jinja_none(),
                            n->c ? eval(j, s, n->c) : jinja_none()};
    bool sliced = of.type == J_STRING || (jinja_is_sequence(&of) && of.u.l->kind <= J_RANGE);
    if (j->folding && !(sliced && may_bound(&parts[0]) && may_bound(&parts[1]) && may_bound(&parts[2])))
        return jinja_undefined("a slice of what has no parts");
    if (!sliced) jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be sliced", jinja_type_name(&of));
    jinja_list *l = jinja_iterate(j->a, of);
    jinja_int step = parts[2].type == J_NONE ? 1 : jinja_need_int(j, parts[2], "a slice"), size = (jinja_int)l->n;
    if (!step) jinja_fail(j->a, WICK_EFORMAT, "the step of a slice is 0");
    jinja_int from = bound(j, parts[0], step < 0 ? size - 1 : 0, size, step < 0),
              to = bound(j, parts[1], step < 0 ? -1 : size, size, step < 0);
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

static bool mentions(const jinja_node *n, const char *name, int depth);

static bool any_mentions(jinja_node *const *items, size_t n, const char *name, int depth) {
    for (size_t i = 0; i < n; i++)
        if (mentions(items[i], name, depth)) return true;
    return false;
}

/* Whether a name occurs in a tree: a macro takes extra arguments only if its body speaks of varargs, kwargs or caller. */
static bool mentions(const jinja_node *n, const char *name, int depth) {
    if (!n || depth > JINJA_MAX_DEPTH) return false; /* deeper than what can be run */
    if (n->kind == N_NAME && !strcmp(n->name, name)) return true;
    if (n->kind == N_CONST || n->kind == N_DATA) return false;
    size_t n_more = n->kind == N_CALL || n->kind == N_FILTER || n->kind == N_TEST ? 1 : n->n_more;
    depth++;
    return mentions(n->a, name, depth) || mentions(n->b, name, depth) || mentions(n->c, name, depth) ||
           any_mentions(n->items, n->n_item, name, depth) || any_mentions(n->more, n_more, name, depth);
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
    bool varargs = mentions(n->b, "varargs", 0), kwargs = mentions(n->b, "kwargs", 0), caller = mentions(n->b, "caller", 0);
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

static jinja_value eval_compare(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value left = eval(j, s, n->a);
    for (size_t i = 0; i < n->n_item; i++) {
        jinja_value right = eval(j, s, n->items[i]->a);
        if (!jinja_compare(j, n->items[i]->op, left, right)) return jinja_bool(false);
        left = right;
    }
    return jinja_bool(true);
}

static bool beforehand(jinja_interp *j, jinja_scope *s, const jinja_node *n, jinja_value *v);

/* What jinja2 has worked out beforehand it writes into a Python expression, where a minus binds less than a power: -1 ** n is -(1 ** n). */
static jinja_value eval_power(jinja_interp *j, jinja_scope *s, const jinja_node *n, jinja_value base) {
    jinja_value exponent = eval(j, s, n->b), done;
    bool negative = jinja_is_number(&base) && signbit(jinja_as_float(&base));
    if (!negative || j->folding || !jinja_is_number(&exponent) || !beforehand(j, s, n->a, &done) || beforehand(j, s, n->b, &done))
        return jinja_binary(j, 'p', base, exponent);
    return jinja_sign(j, jinja_binary(j, 'p', jinja_sign(j, base, true), exponent), true);
}

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

_Noreturn static void left_for_later(jinja_interp *j) { jinja_fail(j->a, WICK_EFORMAT, "this cannot be worked out beforehand"); }

static jinja_value eval_node(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value v;
    jinja_args args;
    if (j->folding && jinja_needs_names(n)) left_for_later(j);
    switch (n->kind) {
    case N_CONST: return n->value;
    case N_NAME: return look_up(j, s, n);
    case N_TUPLE:
    case N_LIST: return eval_list(j, s, n);
    case N_DICT: return eval_dict(j, s, n);
    case N_COND:
        v = eval(j, s, n->a);
        if (jinja_true(&v)) return eval(j, s, n->b);
        if (!n->c && j->folding) left_for_later(j);
        return n->c ? eval(j, s, n->c) : jinja_undefined("the value of a condition without else");
    case N_OR: v = eval(j, s, n->a); return jinja_true(&v) ? v : eval(j, s, n->b);
    case N_AND: v = eval(j, s, n->a); return jinja_true(&v) ? eval(j, s, n->b) : v;
    case N_NOT: v = eval(j, s, n->a); return jinja_bool(!jinja_true(&v));
    case N_COMPARE: return eval_compare(j, s, n);
    case N_BINARY: v = eval(j, s, n->a); return n->op == 'p' ? eval_power(j, s, n, v) : jinja_binary(j, n->op, v, eval(j, s, n->b));
    case N_NEG:
    case N_POS: return jinja_sign(j, eval(j, s, n->a), n->kind == N_NEG);
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

/* In a function of its own: nothing here changes between setjmp and longjmp. */
static bool attempt(jinja_interp *j, jinja_scope *s, const jinja_node *n, jinja_value *v) {
    if (setjmp(j->a->exit)) return false;
    *v = eval_node(j, s, n);
    return true;
}

/* Works an expression out as jinja2 does beforehand: false if that fails. */
static bool beforehand(jinja_interp *j, jinja_scope *s, const jinja_node *n, jinja_value *v) {
    jinja_arena *a = j->a;
    jmp_buf outside;
    int depth = a->depth;
    wick_error *err = a->err;
    memcpy(&outside, &a->exit, sizeof outside);
    a->err = NULL;
    j->folding = true;
    bool done = attempt(j, s, n, v);
    memcpy(&a->exit, &outside, sizeof outside);
    a->depth = depth;
    a->err = err;
    j->folding = false;
    return done;
}

/* Where it fails, the expression is to be run as usual. What cannot be written as a literal is used only where it is printed at once. */
static bool fold(jinja_interp *j, jinja_scope *s, const jinja_node *n, bool printed, jinja_value *v) {
    return n->folds && !j->folding && beforehand(j, s, n, v) && (printed || jinja_is_literal(v, 0));
}

static jinja_value eval(jinja_interp *j, jinja_scope *s, const jinja_node *n) {
    jinja_value v;
    enter(j);
    if (!fold(j, s, n, false, &v)) v = eval_node(j, s, n);
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
        if (!fold(j, s, n->a, true, &v)) v = eval(j, s, n->a);
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

bool jinja_macro_uses(const jinja_macro *m, const char *name) { return mentions(m->node->b, name, 0); }
