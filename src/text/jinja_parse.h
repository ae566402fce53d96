/* jinja_parse.h: what the two halves of the parser share: the tokens' cursor and the making of nodes.
 *
 * Recursive descent with jinja2's precedences ('~' between '+' and '*', tests that swallow one primary): statements in jinja_parse.c,
 * expressions in jinja_expressions.c. Faults leave by jinja_fail, so nothing returns an error. */
#ifndef WICK_TEXT_JINJA_PARSE_H
#define WICK_TEXT_JINJA_PARSE_H

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

static inline jinja_token *cur(parser *p) { return &p->tokens[p->at < p->n ? p->at : p->n - 1]; }
static inline jinja_token *next(parser *p) {
    jinja_token *t = cur(p);
    if (p->at + 1 < p->n) p->at++;
    return t;
}
static inline jinja_token *look(parser *p) { return &p->tokens[p->at + 1 < p->n ? p->at + 1 : p->n - 1]; }

static inline bool spelled(const jinja_token *t, jinja_token_type type, const char *s) {
    return t->type == type && strlen(s) == t->n && !memcmp(t->s, s, t->n);
}
static inline bool is_op(parser *p, const char *s) { return spelled(cur(p), T_OP, s); }
static inline bool is_name(parser *p, const char *s) { return spelled(cur(p), T_NAME, s); }
static inline bool skip_op(parser *p, const char *s) { return is_op(p, s) ? next(p), true : false; }
static inline bool skip_name(parser *p, const char *s) { return is_name(p, s) ? next(p), true : false; }

_Noreturn static inline void unexpected(parser *p, const char *wanted) {
    const jinja_token *t = cur(p);
    if (t->s && t->type != T_DATA)
        jinja_fail(p->a, WICK_EFORMAT, "line %d: expected %s, found \"%.*s\"", t->line, wanted, (int)(t->n < 40 ? t->n : 40), t->s);
    jinja_fail(p->a, WICK_EFORMAT, "line %d: expected %s", t->line, wanted);
}
static inline void expect_op(parser *p, const char *s) {
    if (!skip_op(p, s)) unexpected(p, s);
}
static inline void expect_name(parser *p, const char *s) {
    if (!skip_name(p, s)) unexpected(p, s);
}
static inline jinja_token *expect(parser *p, jinja_token_type type, const char *what) {
    if (cur(p)->type != type) unexpected(p, what);
    return next(p);
}

static inline jinja_node *node(parser *p, jinja_node_kind kind) {
    jinja_node *n = jinja_alloc(p->a, sizeof *n);
    n->kind = kind;
    n->line = cur(p)->line;
    return n;
}

static inline void add(parser *p, node_list *l, jinja_node *n) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        jinja_node **items = jinja_alloc(p->a, cap * sizeof *items);
        if (l->n) memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = n;
}

static inline const char *copy_name(parser *p, const jinja_token *t) {
    char *s = jinja_alloc(p->a, t->n + 1);
    memcpy(s, t->s, t->n);
    return s;
}

static inline void set_name(parser *p, jinja_node *n, const jinja_token *t) {
    n->name = copy_name(p, t);
    n->name_size = t->n;
}

static inline void enter(parser *p) {
    if (++p->depth > JINJA_MAX_PARSE_DEPTH)
        jinja_fail(p->a, WICK_ELIMIT, "line %d: the template is nested deeper than %d", cur(p)->line, JINJA_MAX_PARSE_DEPTH);
}

/* Where a tuple stands: a whole expression, one whose `if` belongs to the statement, in parentheses, assigned to (attributes of a
 * namespace too). */
typedef enum tuple_mode { TUPLE_FULL, TUPLE_NO_COND, TUPLE_PAREN, TUPLE_TARGET, TUPLE_TARGET_NS } tuple_mode;

jinja_node *jinja_parse_expression(parser *p);
/* One expression, or several with commas. */
jinja_node *jinja_parse_tuple(parser *p, tuple_mode mode);
/* One filter, its name and arguments, on a value; NULL: on what a filter block will hold. */
jinja_node *jinja_parse_filter(parser *p, jinja_node *of);

#endif
