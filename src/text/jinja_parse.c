/* The parser of statements: bodies and tags. */
#include "text/jinja_parse.h"

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
    n->a = jinja_parse_tuple(p, TUPLE_TARGET);
    check_target(p, n->a, true);
    expect_name(p, "in");
    n->b = jinja_parse_tuple(p, TUPLE_NO_COND);
    if (skip_name(p, "if")) n->c = jinja_parse_expression(p);
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
    n->a = jinja_parse_tuple(p, TUPLE_NO_COND);
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
    n->a = jinja_parse_tuple(p, TUPLE_TARGET_NS);
    check_target(p, n->a, false);
    if (skip_op(p, "=")) {
        n->b = jinja_parse_tuple(p, TUPLE_FULL);
        return n;
    }
    n->kind = N_SET_BLOCK;
    while (skip_op(p, "|")) n->c = jinja_parse_filter(p, n->c);
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
            add(p, &defaults, jinja_parse_expression(p));
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
        n->a = jinja_parse_expression(p);
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
        add(p, &targets, jinja_parse_tuple(p, TUPLE_TARGET));
        check_target(p, targets.items[targets.n - 1], false);
        expect_op(p, "=");
        add(p, &values, jinja_parse_expression(p));
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
        n->a = jinja_parse_filter(p, NULL);
        while (skip_op(p, "|")) n->a = jinja_parse_filter(p, n->a);
        n->b = block_body(p, "endfilter");
        return n;
    }
    if (spelled(t, T_NAME, "autoescape")) {
        jinja_node *n = node(p, N_AUTOESCAPE);
        n->a = jinja_parse_expression(p);
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
            n->a = jinja_parse_tuple(p, TUPLE_FULL);
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
