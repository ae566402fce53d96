/* The parser of expressions, from names and literals up to conditionals. */
#include "text/jinja_parse.h"

static jinja_node *parse_or(parser *p);
static jinja_node *parse_unary(parser *p, bool with_filter);

jinja_node *jinja_parse_expression(parser *p) {
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
            if (skip_name(p, "else")) n->c = jinja_parse_expression(p);
            value = n;
        }
        p->soft--;
    }
    p->depth--;
    return value;
}

static bool tuple_end(parser *p) { return cur(p)->type == T_VAR_END || cur(p)->type == T_BLOCK_END || is_op(p, ")"); }

static jinja_node *parse_primary(parser *p, bool with_namespace);

jinja_node *jinja_parse_tuple(parser *p, tuple_mode mode) {
    node_list l = {0};
    bool is_tuple = false, target = mode == TUPLE_TARGET || mode == TUPLE_TARGET_NS;
    enter(p);
    for (;;) {
        if (l.n) expect_op(p, ",");
        if (tuple_end(p)) break;
        bool plain = mode == TUPLE_NO_COND;
        add(p, &l, target ? parse_primary(p, mode == TUPLE_TARGET_NS) : plain ? parse_or(p) : jinja_parse_expression(p));
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
            add(p, &keys, jinja_parse_expression(p));
            expect_op(p, ":");
        }
        add(p, &values, jinja_parse_expression(p));
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
        jinja_node *n = jinja_parse_tuple(p, TUPLE_PAREN);
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
        parts[0] = jinja_parse_expression(p);
        if (!is_op(p, ":")) return parts[0];
    }
    next(p);
    if (!is_op(p, ":") && !is_op(p, "]") && !is_op(p, ",")) parts[1] = jinja_parse_expression(p);
    if (skip_op(p, ":") && !is_op(p, "]") && !is_op(p, ",")) parts[2] = jinja_parse_expression(p);
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
            n->b = jinja_parse_expression(p);
        } else if (is_op(p, "**") && !n->c) {
            next(p);
            n->c = jinja_parse_expression(p);
        } else if (cur(p)->type == T_NAME && spelled(look(p), T_OP, "=") && !n->c) {
            if (n->n_key == 64) jinja_fail(p->a, WICK_ELIMIT, "line %d: more than 64 named arguments", cur(p)->line);
            keys[n->n_key++] = copy_name(p, next(p));
            next(p);
            add(p, &l, jinja_parse_expression(p));
        } else if (!n->b && !n->c && !n->n_key)
            add(p, &l, jinja_parse_expression(p));
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

jinja_node *jinja_parse_filter(parser *p, jinja_node *of) {
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
            n = jinja_parse_filter(p, n);
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
