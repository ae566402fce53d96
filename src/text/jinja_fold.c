/* jinja2 works out what it can of an expression when it compiles a template, by other rules than later: there, a slice of what cannot be
 * sliced is undefined; when the template runs, it is an error. Which of the two is seen depends on what can be worked out without names. */
#include "text/jinja.h"

#include <string.h>

static bool mark(jinja_node *n, int depth);

static bool mark_all(jinja_node *const *nodes, size_t n, int depth) {
    bool any = false;
    for (size_t i = 0; i < n; i++) any = mark(nodes[i], depth) || any;
    return any;
}

static bool mark(jinja_node *n, int depth) {
    if (!n || depth > JINJA_MAX_DEPTH) return false; /* deeper than what can be run */
    size_t n_more = n->kind == N_FILTER || n->kind == N_TEST || n->kind == N_CALL ? 1 : n->n_more;
    bool all = mark_all((jinja_node *[]){n->a, n->b, n->c}, 3, depth + 1), items = mark_all(n->items, n->n_item, depth + 1),
         more = mark_all(n->more, n_more, depth + 1);
    n->folds = n->kind == N_SLICE || all || items || more;
    return n->folds;
}

void jinja_mark_folds(jinja_node *root) { mark(root, 0); }

bool jinja_needs_names(const jinja_node *n) {
    static const char *const filters[] = {"map", "select", "reject", "selectattr", "rejectattr", "random"};
    if (n->kind == N_NAME || n->kind == N_CALL) return true;
    for (size_t i = 0; n->kind == N_FILTER && i < sizeof filters / sizeof *filters; i++)
        if (!strcmp(n->name, filters[i])) return true;
    return false;
}

static bool all_literal(const jinja_value *values, size_t n, int depth) {
    for (size_t i = 0; i < n; i++)
        if (!jinja_is_literal(&values[i], depth)) return false;
    return true;
}

bool jinja_is_literal(const jinja_value *v, int depth) {
    if (depth > JINJA_MAX_DEPTH) return false;
    switch (v->type) {
    case J_NONE:
    case J_BOOL:
    case J_INT:
    case J_FLOAT:
    case J_STRING: return true;
    case J_LIST:
    case J_TUPLE: return v->u.l->kind <= J_RANGE && all_literal(v->u.l->items, v->u.l->n, depth + 1);
    case J_DICT: return all_literal(v->u.d->keys, v->u.d->n, depth + 1) && all_literal(v->u.d->values, v->u.d->n, depth + 1);
    default: return false;
    }
}
