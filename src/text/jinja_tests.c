/* Tests: what stands behind `is`. */
#include "text/jinja_filters.h"
#include "text/jinja_text.h"

#include <math.h>
#include <string.h>

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
    case TEST_ITERABLE: return jinja_is_iterable(&v);
    case TEST_LOWER: return jinja_is_case(jinja_to_text(j->a, v).u.s, false);
    case TEST_UPPER: return jinja_is_case(jinja_to_text(j->a, v).u.s, true);
    case TEST_MAPPING: return v.type == J_DICT;
    case TEST_NONE: return v.type == J_NONE;
    case TEST_NUMBER: return jinja_is_number(&v);
    case TEST_SAMEAS: return same(&v, &x);
    case TEST_SEQUENCE: return sequence(&v);
    case TEST_STRING: return v.type == J_STRING;
    default: return v.type == J_UNDEFINED;
    }
}
