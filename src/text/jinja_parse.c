/* The parser: recursive descent, with jinja2's precedences ('~' between '+' and '*', tests that swallow one primary). */
#include "text/jinja.h"

#include <string.h>

typedef struct parser {
    jinja_arena *a;
    jinja_token *tokens;
    size_t n, at;
    int depth, loops;
    int soft;                  /* inside if or a conditional: unknown filters fail only when reached */
    const jinja_node *unknown; /* an unknown filter or test outside of one: a fault unless the expression turns out to be a conditional */
} parser;

typedef struct node_list {
    jinja_node **items;
    size_t n, cap;
} node_list;

static jinja_token *cur(parser *p) { return &p->tokens[p->at < p->n ? p->at : p->n - 1]; }
static jinja_token *next(parser *p) {
    jinja_token *t = cur(p);
    if (p->at + 1 < p->n) p->at++;
    return t;
}
static jinja_token *look(parser *p) { return &p->tokens[p->at + 1 < p->n ? p->at + 1 : p->n - 1]; }

static bool spelled(const jinja_token *t, jinja_token_type type, const char *s) {
    return t->type == type && strlen(s) == t->n && !memcmp(t->s, s, t->n);
}
static bool is_op(parser *p, const char *s) { return spelled(cur(p), T_OP, s); }
static bool is_name(parser *p, const char *s) { return spelled(cur(p), T_NAME, s); }
static bool skip_op(parser *p, const char *s) { return is_op(p, s) ? next(p), true : false; }
static bool skip_name(parser *p, const char *s) { return is_name(p, s) ? next(p), true : false; }

_Noreturn static void unexpected(parser *p, const char *wanted) {
    const jinja_token *t = cur(p);
    if (t->s && t->type != T_DATA)
        jinja_fail(p->a, WICK_EFORMAT, "line %d: expected %s, found \"%.*s\"", t->line, wanted, (int)(t->n < 40 ? t->n : 40), t->s);
    jinja_fail(p->a, WICK_EFORMAT, "line %d: expected %s", t->line, wanted);
}
static void expect_op(parser *p, const char *s) {
    if (!skip_op(p, s)) unexpected(p, s);
}
static void expect_name(parser *p, const char *s) {
    if (!skip_name(p, s)) unexpected(p, s);
}
static jinja_token *expect(parser *p, jinja_token_type type, const char *what) {
    if (cur(p)->type != type) unexpected(p, what);
    return next(p);
}

static jinja_node *node(parser *p, jinja_node_kind kind) {
    jinja_node *n = jinja_alloc(p->a, sizeof *n);
    n->kind = kind;
    n->line = cur(p)->line;
    return n;
}

static void add(parser *p, node_list *l, jinja_node *n) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        jinja_node **items = jinja_alloc(p->a, cap * sizeof *items);
        if (l->n) memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = n;
}

static const char *copy_name(parser *p, const jinja_token *t) {
    char *s = jinja_alloc(p->a, t->n + 1);
    memcpy(s, t->s, t->n);
    return s;
}

static void set_name(parser *p, jinja_node *n, const jinja_token *t) {
    n->name = copy_name(p, t);
    n->name_size = t->n;
}

static void enter(parser *p) {
    if (++p->depth > JINJA_MAX_PARSE_DEPTH)
        jinja_fail(p->a, WICK_ELIMIT, "line %d: the template is nested deeper than %d", cur(p)->line, JINJA_MAX_PARSE_DEPTH);
}

/* ---- expressions */

static jinja_node *parse_or(parser *p);
static jinja_node *parse_unary(parser *p, bool with_filter);

static jinja_node *parse_expression(parser *p) {
    enter(p);
    size_t from = p->at;
    const jinja_node *unknown = p->unknown;
    jinja_node *value = parse_or(p);
    if (is_name(p, "if")) { /* read it again, knowing that it may never be reached */
        p->at = from;
        p->unknown = unknown;
        p->soft++;
        value = parse_or(p);
        while (skip_name(p, "if")) {
            jinja_node *n = node(p, N_COND);
            n->a = parse_or(p);
            n->b = value;
            if (skip_name(p, "else")) n->c = parse_expression(p);
            value = n;
        }
        p->soft--;
    }
    p->depth--;
    return value;
}

static bool tuple_end(parser *p) { return cur(p)->type == T_VAR_END || cur(p)->type == T_BLOCK_END || is_op(p, ")"); }

static jinja_node *parse_primary(parser *p, bool with_namespace);

typedef enum tuple_mode { TUPLE_FULL, TUPLE_NO_COND, TUPLE_PAREN, TUPLE_TARGET, TUPLE_TARGET_NS } tuple_mode;

static jinja_node *parse_tuple(parser *p, tuple_mode mode) {
    node_list l = {0};
    bool is_tuple = false, target = mode == TUPLE_TARGET || mode == TUPLE_TARGET_NS;
    enter(p);
    for (;;) {
        if (l.n) expect_op(p, ",");
        if (tuple_end(p)) break;
        bool plain = mode == TUPLE_NO_COND;
        add(p, &l, target ? parse_primary(p, mode == TUPLE_TARGET_NS) : plain ? parse_or(p) : parse_expression(p));
        if (!is_op(p, ",")) break;
        is_tuple = true;
    }
    p->depth--;
    if (!is_tuple && l.n) return l.items[0];
    if (!is_tuple && mode != TUPLE_PAREN) unexpected(p, "an expression");
    jinja_node *n = node(p, N_TUPLE);
    n->items = l.items;
    n->n_item = l.n;
    return n;
}

static jinja_node *constant(parser *p, jinja_value v) {
    jinja_node *n = node(p, N_CONST);
    n->value = v;
    return n;
}

static jinja_node *parse_name(parser *p, bool with_namespace) {
    jinja_token *t = next(p);
    if (spelled(t, T_NAME, "true") || spelled(t, T_NAME, "True")) return constant(p, jinja_bool(true));
    if (spelled(t, T_NAME, "false") || spelled(t, T_NAME, "False")) return constant(p, jinja_bool(false));
    if (spelled(t, T_NAME, "none") || spelled(t, T_NAME, "None")) return constant(p, jinja_none());
    jinja_node *n = node(p, N_NAME);
    set_name(p, n, t);
    if (with_namespace && skip_op(p, ".")) {
        jinja_token *attr = expect(p, T_NAME, "a name");
        n->kind = N_NSREF;
        n->a = node(p, N_NAME);
        set_name(p, n->a, attr);
    }
    return n;
}

static jinja_node *parse_string(parser *p) {
    jinja_buffer b = {0};
    jinja_add(p->a, &b, "", 0, false);
    while (cur(p)->type == T_STRING) {
        jinja_token *t = next(p);
        jinja_add(p->a, &b, t->s, t->n, false);
    }
    return constant(p, jinja_text(p->a, &b));
}

static jinja_node *parse_list(parser *p, bool dict) {
    node_list keys = {0}, values = {0};
    const char *close = dict ? "}" : "]";
    next(p);
    while (!is_op(p, close)) {
        if (values.n) expect_op(p, ",");
        if (is_op(p, close)) break;
        if (dict) {
            add(p, &keys, parse_expression(p));
            expect_op(p, ":");
        }
        add(p, &values, parse_expression(p));
    }
    expect_op(p, close);
    jinja_node *n = node(p, dict ? N_DICT : N_LIST);
    n->items = values.items;
    n->n_item = values.n;
    n->more = keys.items;
    n->n_more = keys.n;
    return n;
}

static jinja_node *parse_primary(parser *p, bool with_namespace) {
    jinja_token *t = cur(p);
    switch (t->type) {
    case T_NAME: return parse_name(p, with_namespace);
    case T_STRING: return parse_string(p);
    case T_INT: next(p); return constant(p, jinja_integer(p->a, t->i));
    case T_FLOAT: next(p); return constant(p, jinja_float(t->f));
    default: break;
    }
    if (skip_op(p, "(")) {
        jinja_node *n = parse_tuple(p, TUPLE_PAREN);
        expect_op(p, ")");
        return n;
    }
    if (is_op(p, "[")) return parse_list(p, false);
    if (is_op(p, "{")) return parse_list(p, true);
    unexpected(p, "an expression");
}

static jinja_node *parse_subscribed(parser *p) {
    jinja_node *parts[3] = {NULL, NULL, NULL};
    if (!is_op(p, ":")) {
        parts[0] = parse_expression(p);
        if (!is_op(p, ":")) return parts[0];
    }
    next(p);
    if (!is_op(p, ":") && !is_op(p, "]") && !is_op(p, ",")) parts[1] = parse_expression(p);
    if (skip_op(p, ":") && !is_op(p, "]") && !is_op(p, ",")) parts[2] = parse_expression(p);
    jinja_node *n = node(p, N_SLICE);
    n->a = parts[0], n->b = parts[1], n->c = parts[2];
    return n;
}

static jinja_node *parse_subscript(parser *p, jinja_node *of) {
    jinja_node *n = node(p, N_ITEM);
    n->a = of;
    if (skip_op(p, ".")) {
        jinja_token *t = next(p);
        if (t->type == T_NAME) {
            n->kind = N_ATTR;
            set_name(p, n, t);
        } else if (t->type == T_INT)
            n->b = constant(p, jinja_integer(p->a, t->i));
        else
            unexpected(p, "a name or number after the dot");
        return n;
    }
    expect_op(p, "[");
    node_list l = {0};
    while (!is_op(p, "]")) {
        if (l.n) expect_op(p, ",");
        add(p, &l, parse_subscribed(p));
    }
    expect_op(p, "]");
    if (l.n == 1)
        n->b = l.items[0];
    else {
        n->b = node(p, N_TUPLE);
        n->b->items = l.items;
        n->b->n_item = l.n;
    }
    return n;
}

/* Arguments into n: items with the named ones last, *args as b, **kwargs as c. */
static void parse_args(parser *p, jinja_node *n) {
    node_list l = {0};
    const char *keys[64];
    expect_op(p, "(");
    for (bool comma = false; !is_op(p, ")"); comma = true) {
        if (comma) {
            expect_op(p, ",");
            if (is_op(p, ")")) break;
        }
        if (is_op(p, "*") && !n->b && !n->c) {
            next(p);
            n->b = parse_expression(p);
        } else if (is_op(p, "**") && !n->c) {
            next(p);
            n->c = parse_expression(p);
        } else if (cur(p)->type == T_NAME && spelled(look(p), T_OP, "=") && !n->c) {
            if (n->n_key == 64) jinja_fail(p->a, WICK_ELIMIT, "line %d: more than 64 named arguments", cur(p)->line);
            keys[n->n_key++] = copy_name(p, next(p));
            next(p);
            add(p, &l, parse_expression(p));
        } else if (!n->b && !n->c && !n->n_key)
            add(p, &l, parse_expression(p));
        else
            unexpected(p, "an argument that may stand here");
    }
    expect_op(p, ")");
    n->items = l.items;
    n->n_item = l.n;
    if (n->n_key) {
        n->keys = jinja_alloc(p->a, n->n_key * sizeof *n->keys);
        memcpy(n->keys, keys, n->n_key * sizeof *n->keys);
    }
}

static jinja_node *parse_call(parser *p, jinja_node *of) {
    jinja_node *n = node(p, N_CALL);
    n->more = jinja_alloc(p->a, sizeof *n->more);
    n->more[0] = of;
    parse_args(p, n);
    return n;
}

static void dotted_name(parser *p, jinja_node *n) {
    jinja_buffer b = {0};
    for (bool first = true; first || skip_op(p, "."); first = false) {
        jinja_token *t = expect(p, T_NAME, "a name");
        if (!first) jinja_puts(p->a, &b, ".");
        jinja_add(p->a, &b, t->s, t->n, false);
    }
    jinja_add(p->a, &b, "", 1, false);
    n->name = b.s;
    n->name_size = b.n - 1;
}

static jinja_node *parse_filter(parser *p, jinja_node *of) {
    jinja_node *n = node(p, N_FILTER);
    dotted_name(p, n);
    if (is_op(p, "(")) parse_args(p, n);
    n->more = jinja_alloc(p->a, sizeof *n->more);
    n->more[0] = of;
    n->op = jinja_filter_id(n->name, n->name_size);
    if (n->op < 0 && !p->soft && !p->unknown) p->unknown = n;
    return n;
}

static bool begins_argument(parser *p) {
    jinja_token *t = cur(p);
    if (t->type == T_NAME) return !is_name(p, "else") && !is_name(p, "or") && !is_name(p, "and");
    return t->type == T_STRING || t->type == T_INT || t->type == T_FLOAT || is_op(p, "(") || is_op(p, "[") || is_op(p, "{");
}

static jinja_node *parse_postfix(parser *p, jinja_node *n);

static jinja_node *parse_test(parser *p, jinja_node *of) {
    next(p);
    bool negated = skip_name(p, "not");
    jinja_node *n = node(p, N_TEST);
    dotted_name(p, n);
    if (is_op(p, "("))
        parse_args(p, n);
    else if (begins_argument(p)) {
        if (is_name(p, "is")) jinja_fail(p->a, WICK_EFORMAT, "line %d: tests cannot be chained with is", cur(p)->line);
        n->items = jinja_alloc(p->a, sizeof *n->items);
        n->items[0] = parse_postfix(p, parse_primary(p, false));
        n->n_item = 1;
    }
    n->more = jinja_alloc(p->a, sizeof *n->more);
    n->more[0] = of;
    n->op = jinja_test_id(n->name, n->name_size);
    if (n->op < 0 && !p->soft && !p->unknown) p->unknown = n;
    if (!negated) return n;
    jinja_node *not = node(p, N_NOT);
    not ->a = n;
    return not ;
}

static jinja_node *parse_postfix(parser *p, jinja_node *n) {
    for (;; jinja_spend(p->a, 1)) {
        if (is_op(p, ".") || is_op(p, "["))
            n = parse_subscript(p, n);
        else if (is_op(p, "("))
            n = parse_call(p, n);
        else
            return n;
    }
}

static jinja_node *parse_unary(parser *p, bool with_filter) {
    jinja_node *n;
    enter(p);
    if (is_op(p, "-") || is_op(p, "+")) {
        n = node(p, is_op(p, "-") ? N_NEG : N_POS);
        next(p);
        n->a = parse_unary(p, false);
    } else
        n = parse_primary(p, false);
    n = parse_postfix(p, n);
    while (with_filter) {
        if (skip_op(p, "|"))
            n = parse_filter(p, n);
        else if (is_name(p, "is"))
            n = parse_test(p, n);
        else if (is_op(p, "("))
            n = parse_call(p, n);
        else
            break;
    }
    p->depth--;
    return n;
}

typedef jinja_node *parse_fn(parser *p);

static jinja_node *binary(parser *p, parse_fn *operand, const char *const *ops) {
    jinja_node *left = operand(p);
    for (;;) {
        int k = 0;
        while (ops[k] && !is_op(p, ops[k])) k++;
        if (!ops[k]) return left;
        jinja_node *n = node(p, N_BINARY);
        const char *s = ops[k];
        n->op = s[1] ? (s[0] == '/' ? 'd' : 'p') : s[0]; /* 'd' is //, 'p' is ** */
        next(p);
        n->a = left;
        n->b = operand(p);
        left = n;
    }
}

static jinja_node *filtered_unary(parser *p) { return parse_unary(p, true); }
static jinja_node *parse_pow(parser *p) { return binary(p, filtered_unary, (const char *const[]){"**", NULL}); }
static jinja_node *parse_product(parser *p) { return binary(p, parse_pow, (const char *const[]){"*", "/", "//", "%", NULL}); }

static jinja_node *parse_concat(parser *p) {
    jinja_node *first = parse_product(p);
    if (!is_op(p, "~")) return first;
    node_list l = {0};
    jinja_node *n = node(p, N_CONCAT);
    add(p, &l, first);
    while (skip_op(p, "~")) add(p, &l, parse_product(p));
    n->items = l.items;
    n->n_item = l.n;
    return n;
}

static jinja_node *parse_sum(parser *p) { return binary(p, parse_concat, (const char *const[]){"+", "-", NULL}); }

/* The comparison at the current token: '=', '!', '<', '>', 'l' (<=), 'g' (>=), 'i' (in), 'n' (not in); 0: none. */
static int comparison(parser *p) {
    static const struct {
        const char *s;
        int op;
    } ops[] = {{"==", '='}, {"!=", '!'}, {"<=", 'l'}, {">=", 'g'}, {"<", '<'}, {">", '>'}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (skip_op(p, ops[i].s)) return ops[i].op;
    if (skip_name(p, "in")) return 'i';
    if (is_name(p, "not") && spelled(look(p), T_NAME, "in")) return next(p), next(p), 'n';
    return 0;
}

static jinja_node *parse_compare(parser *p) {
    jinja_node *first = parse_sum(p);
    node_list l = {0};
    for (int op; (op = comparison(p));) {
        jinja_node *n = node(p, N_COMPARE);
        n->op = op;
        n->a = parse_sum(p);
        add(p, &l, n);
    }
    if (!l.n) return first;
    jinja_node *n = node(p, N_COMPARE);
    n->a = first;
    n->items = l.items;
    n->n_item = l.n;
    return n;
}

static jinja_node *parse_not(parser *p) {
    if (!is_name(p, "not")) return parse_compare(p);
    enter(p);
    jinja_node *n = node(p, N_NOT);
    next(p);
    n->a = parse_not(p);
    p->depth--;
    return n;
}

static jinja_node *chain(parser *p, parse_fn *operand, const char *word, jinja_node_kind kind) {
    jinja_node *left = operand(p);
    while (skip_name(p, word)) {
        jinja_node *n = node(p, kind);
        n->a = left;
        n->b = operand(p);
        left = n;
    }
    return left;
}

static jinja_node *parse_and(parser *p) { return chain(p, parse_not, "and", N_AND); }
static jinja_node *parse_or(parser *p) { return chain(p, parse_and, "or", N_OR); }

/* ---- statements */

/* Statements until a tag with one of the words (joined by '|') is met, which is left current; NULL words: until the end. */
static jinja_node *parse_body(parser *p, const char *words);

static bool is_word(parser *p, const char *words) {
    const jinja_token *t = cur(p);
    for (const char *w = words; w && *w;) {
        size_t n = strcspn(w, "|");
        if (t->type == T_NAME && t->n == n && !memcmp(t->s, w, n)) return true;
        w += n + (w[n] == '|');
    }
    return false;
}

/* A body behind the end of the current tag, and past its closing word. */
static jinja_node *block_body(parser *p, const char *end) {
    expect(p, T_BLOCK_END, "the end of the tag");
    jinja_node *body = parse_body(p, end);
    next(p);
    return body;
}

static void check_target(parser *p, const jinja_node *n, bool in_loop) {
    if (n->kind == N_TUPLE) {
        for (size_t i = 0; i < n->n_item; i++) check_target(p, n->items[i], in_loop);
        return;
    }
    if (n->kind != N_NAME && n->kind != N_NSREF) jinja_fail(p->a, WICK_EFORMAT, "line %d: this cannot be assigned to", n->line);
    if (in_loop && n->name_size == 4 && !memcmp(n->name, "loop", 4))
        jinja_fail(p->a, WICK_EFORMAT, "line %d: loop cannot be assigned to", n->line);
}

static jinja_node *parse_for(parser *p) {
    jinja_node *n = node(p, N_FOR);
    n->items = jinja_alloc(p->a, 2 * sizeof *n->items);
    n->a = parse_tuple(p, TUPLE_TARGET);
    check_target(p, n->a, true);
    expect_name(p, "in");
    n->b = parse_tuple(p, TUPLE_NO_COND);
    if (skip_name(p, "if")) n->c = parse_expression(p);
    n->flag = skip_name(p, "recursive");
    expect(p, T_BLOCK_END, "the end of the tag");
    p->loops++;
    n->items[0] = parse_body(p, "endfor|else");
    p->loops--;
    n->n_item = 1;
    if (spelled(next(p), T_NAME, "else")) {
        n->items[1] = block_body(p, "endfor");
        n->n_item = 2;
    }
    return n;
}

static jinja_node *parse_if(parser *p) {
    jinja_node *n = node(p, N_IF);
    p->soft++;
    n->a = parse_tuple(p, TUPLE_NO_COND);
    expect(p, T_BLOCK_END, "the end of the tag");
    n->b = parse_body(p, "elif|else|endif");
    enter(p);
    jinja_token *t = next(p);
    if (spelled(t, T_NAME, "elif"))
        n->c = parse_if(p);
    else if (spelled(t, T_NAME, "else"))
        n->c = block_body(p, "endif");
    p->depth--;
    p->soft--;
    return n;
}

static jinja_node *parse_set(parser *p) {
    jinja_node *n = node(p, N_SET);
    n->a = parse_tuple(p, TUPLE_TARGET_NS);
    check_target(p, n->a, false);
    if (skip_op(p, "=")) {
        n->b = parse_tuple(p, TUPLE_FULL);
        return n;
    }
    n->kind = N_SET_BLOCK;
    while (skip_op(p, "|")) n->c = parse_filter(p, n->c);
    n->b = block_body(p, "endset");
    return n;
}

static void parse_signature(parser *p, jinja_node *n) {
    node_list args = {0}, defaults = {0};
    expect_op(p, "(");
    while (!is_op(p, ")")) {
        if (args.n) expect_op(p, ",");
        jinja_node *name = node(p, N_NAME);
        set_name(p, name, expect(p, T_NAME, "a name"));
        add(p, &args, name);
        if (skip_op(p, "="))
            add(p, &defaults, parse_expression(p));
        else if (defaults.n)
            unexpected(p, "a default value");
    }
    next(p);
    n->items = args.items, n->n_item = args.n;
    n->more = defaults.items, n->n_more = defaults.n;
}

static jinja_node *parse_macro(parser *p, bool call) {
    jinja_node *n = node(p, call ? N_CALL_BLOCK : N_MACRO);
    int loops = p->loops;
    if (!call) set_name(p, n, expect(p, T_NAME, "a name"));
    if (!call || is_op(p, "(")) parse_signature(p, n);
    if (call) {
        n->a = parse_expression(p);
        if (n->a->kind != N_CALL) jinja_fail(p->a, WICK_EFORMAT, "line %d: expected a call", n->line);
    }
    p->loops = 0;
    n->b = block_body(p, call ? "endcall" : "endmacro");
    p->loops = loops;
    return n;
}

static jinja_node *parse_with(parser *p) {
    jinja_node *n = node(p, N_WITH);
    node_list targets = {0}, values = {0};
    while (cur(p)->type != T_BLOCK_END) {
        if (targets.n) expect_op(p, ",");
        add(p, &targets, parse_tuple(p, TUPLE_TARGET));
        check_target(p, targets.items[targets.n - 1], false);
        expect_op(p, "=");
        add(p, &values, parse_expression(p));
    }
    n->items = targets.items, n->n_item = targets.n;
    n->more = values.items, n->n_more = values.n;
    n->b = block_body(p, "endwith");
    return n;
}

static jinja_node *parse_scope(parser *p, const char *end) {
    jinja_node *n = node(p, N_SCOPE);
    n->b = block_body(p, end);
    return n;
}

static jinja_node *parse_block(parser *p) {
    jinja_token *name = expect(p, T_NAME, "a name");
    jinja_node *n = parse_scope(p, "endblock");
    if (cur(p)->type == T_NAME && cur(p)->n == name->n && !memcmp(cur(p)->s, name->s, name->n)) next(p);
    return n;
}

static jinja_node *parse_statement(parser *p) {
    jinja_token *t = cur(p);
    if (t->type != T_NAME) unexpected(p, "the name of a tag");
    next(p);
    if (spelled(t, T_NAME, "for")) return parse_for(p);
    if (spelled(t, T_NAME, "if")) return parse_if(p);
    if (spelled(t, T_NAME, "set")) return parse_set(p);
    if (spelled(t, T_NAME, "macro")) return parse_macro(p, false);
    if (spelled(t, T_NAME, "call")) return parse_macro(p, true);
    if (spelled(t, T_NAME, "with")) return parse_with(p);
    if (spelled(t, T_NAME, "generation")) return parse_scope(p, "endgeneration");
    if (spelled(t, T_NAME, "block")) return parse_block(p);
    if (spelled(t, T_NAME, "filter")) {
        jinja_node *n = node(p, N_FILTER_BLOCK);
        n->a = parse_filter(p, NULL);
        while (skip_op(p, "|")) n->a = parse_filter(p, n->a);
        n->b = block_body(p, "endfilter");
        return n;
    }
    if (spelled(t, T_NAME, "autoescape")) {
        jinja_node *n = node(p, N_AUTOESCAPE);
        n->a = parse_expression(p);
        n->b = block_body(p, "endautoescape");
        return n;
    }
    bool stop = spelled(t, T_NAME, "break");
    if (stop || spelled(t, T_NAME, "continue")) {
        if (!p->loops) jinja_fail(p->a, WICK_EFORMAT, "line %d: '%s' outside of a loop", t->line, stop ? "break" : "continue");
        return node(p, stop ? N_BREAK : N_CONTINUE);
    }
    jinja_fail(p->a, WICK_EFORMAT, "line %d: unknown tag \"%.*s\"", t->line, (int)(t->n < 40 ? t->n : 40), t->s);
}

static jinja_node *parse_body(parser *p, const char *words) {
    node_list l = {0};
    jinja_node *body = node(p, N_SCOPE);
    enter(p);
    for (;;) {
        jinja_token *t = cur(p);
        if (t->type == T_END) {
            if (words) jinja_fail(p->a, WICK_EFORMAT, "line %d: the template ends where %s is expected", t->line, words);
            break;
        }
        if (t->type == T_DATA) {
            jinja_node *n = node(p, N_DATA);
            next(p);
            n->name = t->s;
            n->name_size = t->n;
            add(p, &l, n);
        } else if (t->type == T_VAR_BEGIN) {
            jinja_node *n = node(p, N_PRINT);
            next(p);
            n->a = parse_tuple(p, TUPLE_FULL);
            expect(p, T_VAR_END, "the end of the expression");
            add(p, &l, n);
        } else {
            next(p);
            if (is_word(p, words)) break;
            add(p, &l, parse_statement(p));
            expect(p, T_BLOCK_END, "the end of the tag");
        }
        if (p->unknown)
            jinja_fail(p->a, WICK_EFORMAT, "line %d: there is no %s \"%.60s\"", p->unknown->line,
                       p->unknown->kind == N_TEST ? "test" : "filter", p->unknown->name);
    }
    p->depth--;
    body->items = l.items;
    body->n_item = l.n;
    return body;
}

jinja_node *jinja_parse(jinja_arena *a, jinja_token *tokens, size_t n) {
    parser p = {.a = a, .tokens = tokens, .n = n};
    return parse_body(&p, NULL);
}
