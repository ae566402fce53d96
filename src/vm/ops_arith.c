/* Elementwise arithmetic, comparisons and selections. */
#include "vm/ops.h"

#include <math.h>

/* ---------------------------------------------------------------- the rules */

static double floor_mod(double a, double b) {
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

double wick_binary_real(wick_binary op, double a, double b) {
    switch (op) {
    case WICK_BIN_ADD: return a + b;
    case WICK_BIN_SUB: return a - b;
    case WICK_BIN_MUL: return a * b;
    case WICK_BIN_DIV: return a / b;
    case WICK_BIN_FLOOR_DIV: return floor(a / b);
    case WICK_BIN_REMAINDER: return floor_mod(a, b);
    case WICK_BIN_POW: return pow(a, b);
    case WICK_BIN_MAXIMUM: return a != a ? a : b != b ? b : a > b ? a : b;
    case WICK_BIN_MINIMUM: return a != a ? a : b != b ? b : a < b ? a : b;
    case WICK_BIN_EQ: return a == b;
    case WICK_BIN_NE: return a != b;
    case WICK_BIN_LT: return a < b;
    case WICK_BIN_LE: return a <= b;
    case WICK_BIN_GT: return a > b;
    case WICK_BIN_GE: return a >= b;
    case WICK_BIN_LOGICAL_AND: return a != 0 && b != 0;
    case WICK_BIN_LOGICAL_OR: return a != 0 || b != 0;
    case WICK_BIN_LOGICAL_XOR: return (a != 0) != (b != 0);
    case WICK_BIN_AND:
    case WICK_BIN_OR:
    case WICK_BIN_XOR: return (double)wick_binary_int(op, wick_saturate(a), wick_saturate(b));
    }
    return 0;
}

static int64_t int_power(int64_t a, int64_t b) {
    uint64_t r = 1, base = (uint64_t)a;
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    for (; b; b >>= 1, base *= base)
        if (b & 1) r *= base;
    return (int64_t)r;
}

static int64_t int_divide(wick_binary op, int64_t a, int64_t b) {
    if (b == 0) return 0;
    if (b == -1) return op == WICK_BIN_FLOOR_DIV || op == WICK_BIN_DIV ? (int64_t)(0 - (uint64_t)a) : 0;
    int64_t q = a / b, r = a % b;
    bool down = r != 0 && (r < 0) != (b < 0);
    switch (op) {
    case WICK_BIN_FLOOR_DIV: return down ? q - 1 : q;
    case WICK_BIN_REMAINDER: return down ? r + b : r;
    default: return q;
    }
}

int64_t wick_binary_int(wick_binary op, int64_t a, int64_t b) {
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    switch (op) {
    case WICK_BIN_ADD: return (int64_t)(x + y);
    case WICK_BIN_SUB: return (int64_t)(x - y);
    case WICK_BIN_MUL: return (int64_t)(x * y);
    case WICK_BIN_DIV:
    case WICK_BIN_FLOOR_DIV:
    case WICK_BIN_REMAINDER: return int_divide(op, a, b);
    case WICK_BIN_POW: return int_power(a, b);
    case WICK_BIN_MAXIMUM: return a > b ? a : b;
    case WICK_BIN_MINIMUM: return a < b ? a : b;
    case WICK_BIN_EQ: return a == b;
    case WICK_BIN_NE: return a != b;
    case WICK_BIN_LT: return a < b;
    case WICK_BIN_LE: return a <= b;
    case WICK_BIN_GT: return a > b;
    case WICK_BIN_GE: return a >= b;
    case WICK_BIN_AND: return a & b;
    case WICK_BIN_OR: return a | b;
    case WICK_BIN_XOR: return a ^ b;
    case WICK_BIN_LOGICAL_AND: return a && b;
    case WICK_BIN_LOGICAL_OR: return a || b;
    case WICK_BIN_LOGICAL_XOR: return !a != !b;
    }
    return 0;
}

bool wick_binary_keeps_int(wick_binary op) { return op != WICK_BIN_DIV; }

double wick_unary_real(wick_unary op, double x) {
    switch (op) {
    case WICK_UN_NEG: return -x;
    case WICK_UN_ABS: return fabs(x);
    case WICK_UN_SQUARE: return x * x;
    case WICK_UN_SQRT: return sqrt(x);
    case WICK_UN_RSQRT: return 1 / sqrt(x);
    case WICK_UN_RECIPROCAL: return 1 / x;
    case WICK_UN_EXP: return exp(x);
    case WICK_UN_LOG: return log(x);
    case WICK_UN_LOG1P: return log1p(x);
    case WICK_UN_SIN: return sin(x);
    case WICK_UN_COS: return cos(x);
    case WICK_UN_TANH: return tanh(x);
    case WICK_UN_ERF: return erf(x);
    case WICK_UN_SIGMOID: return 1 / (1 + exp(-x));
    case WICK_UN_GELU: return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    case WICK_UN_GELU_TANH: return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case WICK_UN_RELU: return x < 0 ? 0 : x;
    case WICK_UN_FLOOR: return floor(x);
    case WICK_UN_CEIL: return ceil(x);
    case WICK_UN_ROUND: return rint(x);
    case WICK_UN_TRUNC: return trunc(x);
    case WICK_UN_LOGICAL_NOT: return x == 0;
    case WICK_UN_BITWISE_NOT: return (double)~wick_saturate(x);
    case WICK_UN_HARDSWISH: return x * (x <= -3 ? 0 : x >= 3 ? 6 : x + 3) / 6;
    case WICK_UN_COPY: return x;
    }
    return 0;
}

/* ---------------------------------------------------------------- over tensors */

/* What fp32 (or, if a double takes part, fp64) arithmetic would have given. */
static double rounded(double v, bool wide) { return wide ? v : (double)(float)v; }

void wick_vt_binary(wick_binary op, const wick_vt *a, const wick_vt *b, double alpha, wick_vt *out) {
    const wick_vt *operands[2] = {a, b};
    bool integral = !wick_vt_is_real(a->type) && !wick_vt_is_real(b->type) && wick_binary_keeps_int(op) && alpha == trunc(alpha);
    bool wide = a->type == WICK_ST_DOUBLE || b->type == WICK_ST_DOUBLE;
    int64_t int_alpha = wick_saturate(alpha);
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, operands, 2); more; more = wick_walk_next(&w)) {
        if (integral) {
            int64_t y = (int64_t)((uint64_t)wick_vt_int(b, w.at[1]) * (uint64_t)int_alpha);
            wick_vt_set_int(out, w.i, wick_binary_int(op, wick_vt_int(a, w.at[0]), y));
        } else {
            double y = wick_vt_real(b, w.at[1]);
            if (alpha != 1) y = rounded(y * alpha, wide);
            wick_vt_set_real(out, w.i, rounded(wick_binary_real(op, wick_vt_real(a, w.at[0]), y), wide));
        }
    }
}

void wick_vt_unary(wick_unary op, const wick_vt *x, wick_vt *out) {
    uint64_t n = wick_vt_count(out);
    bool wide = x->type == WICK_ST_DOUBLE;
    bool integral = !wick_vt_is_real(x->type) && !wick_vt_is_real(out->type);
    for (uint64_t i = 0; i < n; i++) {
        int64_t v = integral ? wick_vt_int(x, i) : 0;
        if (integral && op == WICK_UN_NEG)
            wick_vt_set_int(out, i, (int64_t)(0 - (uint64_t)v));
        else if (integral && op == WICK_UN_ABS)
            wick_vt_set_int(out, i, v < 0 ? (int64_t)(0 - (uint64_t)v) : v);
        else if (integral && op == WICK_UN_BITWISE_NOT)
            wick_vt_set_int(out, i, x->type == WICK_ST_BOOL ? !v : ~v);
        else if (integral && (op == WICK_UN_COPY || (op >= WICK_UN_FLOOR && op <= WICK_UN_TRUNC)))
            wick_vt_set_int(out, i, v);
        else
            wick_vt_set_real(out, i, rounded(wick_unary_real(op, wick_vt_real(x, i)), wide));
    }
}

static wick_status broadcast_out(wick_call *c, const wick_vt *const *operands, int n, wick_vt *out) {
    int rank;
    int32_t dims[WICK_MAX_RANK];
    WICK_TRY(wick_walk_shape(operands, n, &rank, dims, c->err));
    return wick_vt_resize(out, rank, dims, c->err);
}

static wick_status binary(wick_call *c, const wick_vt *a, const wick_vt *b, double alpha, wick_vt *out) {
    const wick_vt *operands[2] = {a, b};
    WICK_TRY(broadcast_out(c, operands, 2, out));
    wick_vt_binary((wick_binary)c->variant, a, b, alpha, out);
    return WICK_OK;
}

/* A number beside a tensor, as a tensor. A double beside floats takes their precision; beside integers it makes the result fp32. */
typedef struct scalar {
    wick_vt t;
    union {
        int64_t i;
        double d;
        float f;
    } value;
} scalar;

static void scalar_init(scalar *s, const wick_slot *number, const wick_vt *beside) {
    memset(s, 0, sizeof *s);
    s->t.data = (uint8_t *)&s->value, s->t.cap = sizeof s->value, s->t.n_max = 1;
    if (number->kind == WICK_EV_DOUBLE && beside->type != WICK_ST_DOUBLE) {
        s->t.type = WICK_ST_FLOAT, s->value.f = (float)number->d;
    } else if (number->kind == WICK_EV_DOUBLE) {
        s->t.type = WICK_ST_DOUBLE, s->value.d = number->d;
    } else {
        s->t.type = WICK_ST_LONG, s->value.i = number->i;
    }
}

wick_status wick_vm_binary(wick_call *c) { return binary(c, wick_call_tensor(c, 0), wick_call_tensor(c, 1), 1, wick_call_tensor(c, 2)); }

wick_status wick_vm_binary_alpha(wick_call *c) {
    return binary(c, wick_call_tensor(c, 0), wick_call_tensor(c, 1), wick_call_real(c, 2), wick_call_tensor(c, 3));
}

wick_status wick_vm_binary_scalar(wick_call *c) {
    const wick_vt *a = wick_call_tensor(c, 0);
    scalar b;
    scalar_init(&b, wick_call_slot(c, 1), a);
    return binary(c, a, &b.t, 1, wick_call_tensor(c, 2));
}

wick_status wick_vm_binary_scalar_alpha(wick_call *c) {
    const wick_vt *a = wick_call_tensor(c, 0);
    scalar b;
    scalar_init(&b, wick_call_slot(c, 1), a);
    return binary(c, a, &b.t, wick_call_real(c, 2), wick_call_tensor(c, 3));
}

/* rsub(self, number, alpha, out) = number - alpha * self. */
wick_status wick_vm_rsub(wick_call *c) {
    const wick_vt *b = wick_call_tensor(c, 0);
    scalar a;
    scalar_init(&a, wick_call_slot(c, 1), b);
    wick_call inner = *c;
    inner.variant = WICK_BIN_SUB;
    return binary(&inner, &a.t, b, wick_call_real(c, 2), wick_call_tensor(c, 3));
}

/* div with rounding_mode: None, "trunc" or "floor". variant 1: by a number. */
wick_status wick_vm_div_mode(wick_call *c) {
    const wick_vt *a = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    const char *mode = wick_call_none(c, 2) ? "" : c->vm->method->pte->values[c->args[2]].s;
    scalar b;
    if (c->variant) scalar_init(&b, wick_call_slot(c, 1), a);
    wick_call inner = *c;
    inner.variant = mode[0] == 'f' ? WICK_BIN_FLOOR_DIV : WICK_BIN_DIV;
    WICK_TRY(binary(&inner, a, c->variant ? &b.t : wick_call_tensor(c, 1), 1, out));
    if (mode[0] == 't') wick_vt_unary(WICK_UN_TRUNC, out, out);
    return WICK_OK;
}

wick_status wick_vm_unary(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 1);
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_unary((wick_unary)c->variant, x, out);
    return WICK_OK;
}

wick_status wick_vm_gelu(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 2);
    const char *approximate = c->vm->method->pte->values[c->args[1]].s;
    WICK_TRY(wick_vt_resize_like(out, x, c->err));
    wick_vt_unary(approximate && !strcmp(approximate, "tanh") ? WICK_UN_GELU_TANH : WICK_UN_GELU, x, out);
    return WICK_OK;
}

wick_status wick_vm_where(wick_call *c) {
    const wick_vt *operands[3] = {wick_call_tensor(c, 0), wick_call_tensor(c, 1), wick_call_tensor(c, 2)};
    wick_vt *out = wick_call_tensor(c, 3);
    WICK_TRY(broadcast_out(c, operands, 3, out));
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, operands, 3); more; more = wick_walk_next(&w)) {
        int k = wick_vt_real(operands[0], w.at[0]) != 0 ? 1 : 2;
        wick_vt_copy_element(out, w.i, operands[k], w.at[k]);
    }
    return WICK_OK;
}

/* clamp(self, min?, max?, out), hardtanh(self, min, max, out): NaN stays. */
wick_status wick_vm_clamp(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    const wick_vt *operands[3] = {x, x, x};
    scalar bound[2];
    for (int k = 0; k < 2; k++) {
        if (wick_call_none(c, 1 + k)) continue;
        scalar_init(&bound[k], wick_call_slot(c, 1 + k), x);
        operands[1 + k] = &bound[k].t;
    }
    WICK_TRY(broadcast_out(c, operands, 3, out));
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, operands, 3); more; more = wick_walk_next(&w)) {
        double v = wick_vt_real(x, w.at[0]), lo = wick_vt_real(operands[1], w.at[1]), hi = wick_vt_real(operands[2], w.at[2]);
        int k = !wick_call_none(c, 1) && v < lo ? 1 : 0;
        if (k) v = lo;
        if (!wick_call_none(c, 2) && v > hi) k = 2;
        wick_vt_copy_element(out, w.i, operands[k], w.at[k]);
    }
    return WICK_OK;
}

/* masked_fill(self, mask, value). */
wick_status wick_vm_masked_fill(wick_call *c) {
    const wick_vt *x = wick_call_tensor(c, 0);
    wick_vt *out = wick_call_tensor(c, 3);
    scalar value;
    scalar_init(&value, wick_call_slot(c, 2), x);
    const wick_vt *operands[3] = {x, wick_call_tensor(c, 1), &value.t};
    WICK_TRY(broadcast_out(c, operands, 3, out));
    wick_walk w;
    for (bool more = wick_walk_begin(&w, out, operands, 3); more; more = wick_walk_next(&w)) {
        int k = wick_vt_int(operands[1], w.at[1]) ? 2 : 0;
        wick_vt_copy_element(out, w.i, operands[k], w.at[k]);
    }
    return WICK_OK;
}
