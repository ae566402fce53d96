/* Operators on values, by Python's rules. */
#include "text/jinja.h"

#include <math.h>
#include <string.h>

_Noreturn static void bad_operands(jinja_interp *j, const char *op, jinja_value x, jinja_value y) {
    jinja_fail(j->a, WICK_EFORMAT, "'%s' does not work on %s and %s", op, jinja_type_name(&x), jinja_type_name(&y));
}

_Noreturn static void too_large(jinja_interp *j) { jinja_fail(j->a, WICK_ELIMIT, "an integer is too large"); }

static jinja_value power(jinja_interp *j, jinja_value x, jinja_value y) {
    jinja_int b, e, r = 1;
    if (!jinja_as_int(&x, &b) || !jinja_as_int(&y, &e) || e < 0) {
        double f = jinja_as_float(&x), g = jinja_as_float(&y);
        if (f == 0 && g < 0) jinja_fail(j->a, WICK_EFORMAT, "0 cannot be raised to a negative power");
        double v = pow(f, g);
        if (isinf(v) && isfinite(f) && isfinite(g)) jinja_fail(j->a, WICK_ELIMIT, "a number is too large");
        if (isnan(v) && f < 0 && isfinite(f)) jinja_fail(j->a, WICK_EUNSUPPORTED, "a root of a negative number is a complex number");
        return jinja_float(v);
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

jinja_value jinja_binary(jinja_interp *j, int op, jinja_value x, jinja_value y) {
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

bool jinja_compare(jinja_interp *j, int op, jinja_value x, jinja_value y) {
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

jinja_value jinja_sign(jinja_interp *j, jinja_value v, bool minus) {
    jinja_int i;
    if (v.type == J_FLOAT) return jinja_float(minus ? -v.u.f : v.u.f);
    if (!jinja_as_int(&v, &i)) jinja_fail(j->a, WICK_EFORMAT, "a %s has no sign", jinja_type_name(&v));
    if (minus && __builtin_sub_overflow((jinja_int)0, i, &i)) too_large(j);
    return jinja_integer(j->a, i);
}
