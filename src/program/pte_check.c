/* What the instructions of a method mean, checked against instr.def: the calling convention for every file, the memory plan
 * for files that Wick writes. */
#include "base/checked.h"
#include "base/mem.h"
#include "program/program.h"

enum { HAS_STORAGE = 1, CONSTANT = 2, USED = 4, USED_AGAIN = 8 };

typedef struct check {
    const wick_pte *p;
    const wick_pte_method *m;
    const char *name;
    wick_error *err;
    unsigned flags;
    wick_instr_op *ops; /* [n_operator] */
    uint8_t *marks;     /* [n_value] */
} check;

static const char *const kinds[] = {"nothing",           "null",
                                    "an integer",        "a boolean",
                                    "a double",          "a tensor",
                                    "a string",          "a list of integers",
                                    "a list of doubles", "a list of booleans",
                                    "a list of tensors", "a list of optional tensors"};

/* ---------------------------------------------------------------- operators */

static wick_status find_ops(check *c) {
    const wick_pte_method *m = c->m;
    for (uint32_t i = 0; i < m->n_operator; i++) {
        const wick_pte_operator *o = &m->operators[i];
        c->ops[i] = wick_instr_op_find(o->name, o->overload);
        if (c->ops[i] != WICK_I_UNKNOWN || (c->flags & WICK_CHECK_ALLOW_UNKNOWN)) continue;
        const char *dot = o->overload[0] ? "." : "";
        if (strncmp(o->name, "torchao::", 9) == 0)
            return wick_fail(
                c->err, WICK_EUNSUPPORTED,
                "%s: method \"%s\" calls %.100s%s%.40s (made for %s): export the model again with `wick export`, or with the quantization "
                "8da4w",
                c->name, m->name, o->name, dot, o->overload, wick_operator_device(o->name));
        return wick_fail(c->err, WICK_EUNSUPPORTED, "%s: method \"%s\" calls the operator %.100s%s%.40s, which Wick does not have", c->name,
                         m->name, o->name, dot, o->overload);
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- uses and storage */

static bool lists_values(wick_evalue_kind kind) {
    return kind == WICK_EV_INT_LIST || kind == WICK_EV_TENSOR_LIST || kind == WICK_EV_OPTIONAL_TENSOR_LIST;
}

static void mark_use(check *c, int64_t value) {
    if (value >= 0) c->marks[value] |= c->marks[value] & USED ? USED_AGAIN : USED;
}

/* Every place that names a value: instructions, lists, outputs. */
static void mark_uses(check *c) {
    const wick_pte_method *m = c->m;
    for (uint32_t i = 0; i < m->n_instr; i++) {
        const wick_pte_instr *in = &m->instrs[i];
        bool calls = in->kind == WICK_IK_KERNEL || in->kind == WICK_IK_DELEGATE;
        for (uint32_t k = 0; calls && k < in->n_arg; k++) mark_use(c, in->args[k]);
        if (!calls) mark_use(c, in->index);
        if (in->kind == WICK_IK_MOVE) mark_use(c, in->target);
    }
    for (uint32_t i = 0; i < m->n_value; i++)
        for (uint32_t k = 0; lists_values(m->values[i].kind) && k < m->values[i].n; k++) mark_use(c, m->values[i].items[k]);
    for (uint32_t i = 0; i < m->n_output; i++) mark_use(c, m->outputs[i]);
}

static void mark_storage(check *c) {
    const wick_pte_method *m = c->m;
    for (uint32_t i = 0; i < m->n_value; i++) {
        const wick_pte_tensor *t = m->values[i].tensor;
        uint64_t n, size;
        if (m->values[i].kind != WICK_EV_TENSOR) continue;
        if (t->memory_id)
            c->marks[i] = HAS_STORAGE;
        else if (t->external || t->data_buffer_idx)
            c->marks[i] = HAS_STORAGE | CONSTANT;
        else if (wick_pte_tensor_size(t, &n, &size) && size == 0)
            c->marks[i] = HAS_STORAGE;
    }
    /* The caller's memory. */
    for (uint32_t i = 0; i < m->n_input; i++) c->marks[m->inputs[i]] |= HAS_STORAGE;
    for (uint32_t i = 0; i < m->n_output; i++) c->marks[m->outputs[i]] |= HAS_STORAGE;
    /* Memory of another tensor. */
    for (uint32_t i = 0; i < m->n_instr; i++) {
        const wick_pte_instr *in = &m->instrs[i];
        if (in->kind == WICK_IK_MOVE)
            c->marks[in->target] |= HAS_STORAGE;
        else if (in->kind == WICK_IK_KERNEL && c->ops[in->index] == WICK_I_ET_VIEW && in->n_arg == 3)
            c->marks[in->args[2]] |= HAS_STORAGE;
    }
}

static wick_status check_tensor(const check *c, uint32_t i_instr, const char *what, int64_t value, bool written) {
    uint8_t mark = c->marks[value];
    if (!(mark & HAS_STORAGE))
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u (%s) uses tensor %lld, which has no memory", c->name,
                         c->m->name, i_instr, what, (long long)value);
    if (written && (mark & CONSTANT))
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u (%s) writes tensor %lld, which is a constant", c->name,
                         c->m->name, i_instr, what, (long long)value);
    return WICK_OK;
}

static wick_status check_list(const check *c, uint32_t i_instr, const char *what, const wick_pte_value *v, bool written) {
    for (uint32_t i = 0; i < v->n; i++)
        if (v->items[i] >= 0) WICK_TRY(check_tensor(c, i_instr, what, v->items[i], written));
    return WICK_OK;
}

/* ---------------------------------------------------------------- arguments */

static unsigned bit(wick_evalue_kind kind) { return 1u << kind; }

/* The kinds of value that a letter of instr.def takes. */
static unsigned accepted(char letter) {
    const unsigned number = bit(WICK_EV_INT) | bit(WICK_EV_BOOL) | bit(WICK_EV_DOUBLE);
    switch (letter) {
    case 'T':
    case 't': return bit(WICK_EV_TENSOR);
    case 'I':
    case 'b': return bit(WICK_EV_INT) | bit(WICK_EV_BOOL);
    case 'd': return bit(WICK_EV_INT) | bit(WICK_EV_DOUBLE);
    case 'n':
    case 'i':
    case 'k':
    case 'x': return number;
    case 'L': return bit(WICK_EV_INT_LIST);
    case 'F': return bit(WICK_EV_DOUBLE_LIST);
    case 'M': return bit(WICK_EV_BOOL_LIST);
    case 'S': return bit(WICK_EV_STRING);
    case 'X':
    case 'y': return bit(WICK_EV_TENSOR_LIST);
    case 'Y': return bit(WICK_EV_TENSOR_LIST) | bit(WICK_EV_OPTIONAL_TENSOR_LIST);
    default: return 0;
    }
}

static const char *expected(char letter) {
    switch (letter) {
    case 'T':
    case 't': return "a tensor";
    case 'I':
    case 'i': return "an integer";
    case 'b':
    case 'k': return "a boolean";
    case 'd': return "a double";
    case 'n':
    case 'x': return "a number";
    case 'L': return "a list of integers";
    case 'F': return "a list of doubles";
    case 'M': return "a list of booleans";
    case 'S': return "a string";
    default: return "a list of tensors";
    }
}

/* The returned value repeats what was written: `written` values, or the list `list` (>= 0). Of what changes its first argument in place,
 * some exporters give the result a name of its own, which then nothing else uses. */
static bool repeats(const check *c, const char *letters, char letter, int32_t arg, const int32_t *written, uint32_t n_written,
                    int32_t list) {
    const wick_pte_method *m = c->m;
    const wick_pte_value *v = &m->values[arg];
    bool own_name = letters[0] == 't' && v->kind == WICK_EV_TENSOR && !(c->marks[arg] & USED_AGAIN);
    if (letter == '=') return own_name || (n_written && arg == written[n_written - 1]);
    if (arg == list) return true;
    if (v->kind != WICK_EV_TENSOR_LIST) return false;
    if (list >= 0) return v->n == m->values[list].n && (!v->n || memcmp(v->items, m->values[list].items, v->n * sizeof *v->items) == 0);
    if (v->n != n_written) return false;
    for (uint32_t i = 0; i < v->n; i++)
        if (v->items[i] != written[i]) return false;
    return true;
}

static wick_status check_kernel(const check *c, uint32_t i_instr, const wick_pte_instr *in) {
    const wick_pte_method *m = c->m;
    wick_instr_op op = c->ops[in->index];
    const char *what = wick_instr_op_name(op), *at = wick_instr_op_args(op);
    int32_t written[8], list = -1;
    uint32_t n_written = 0, i = 0;
    for (; *at; at++) {
        char letter = *at;
        bool optional = at[1] == '?', repeat = letter == '=' || letter == '*';
        at += optional;
        if (i == in->n_arg && repeat && optional) break;
        if (i >= in->n_arg)
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u (%s) has %u arguments, expected more", c->name,
                             m->name, i_instr, what, in->n_arg);
        int32_t arg = in->args[i++];
        const wick_pte_value *v = &m->values[arg];
        if (repeat) {
            if (repeats(c, wick_instr_op_args(op), letter, arg, written, n_written, list)) continue;
            return wick_fail(c->err, WICK_EFORMAT,
                             "%s: method \"%s\": instruction %u (%s): the last argument, value %d, does not repeat the result", c->name,
                             m->name, i_instr, what, arg);
        }
        if (optional && v->kind == WICK_EV_NULL) continue;
        if (!(accepted(letter) & bit(v->kind)))
            return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u (%s): argument %u is %s (value %d), expected %s",
                             c->name, m->name, i_instr, what, i - 1, kinds[v->kind], arg, expected(letter));
        if (letter == 'T' || letter == 't') WICK_TRY(check_tensor(c, i_instr, what, arg, letter == 't'));
        if (letter == 't' && n_written < 8) written[n_written++] = arg;
        if (letter == 'y') list = arg;
        if (letter == 'X' || letter == 'Y' || letter == 'y') WICK_TRY(check_list(c, i_instr, what, v, letter == 'y'));
    }
    if (i != in->n_arg)
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u (%s) has %u arguments, expected %u", c->name, m->name,
                         i_instr, what, in->n_arg, i);
    return WICK_OK;
}

static wick_status check_instr(const check *c, uint32_t i_instr) {
    const wick_pte_method *m = c->m;
    const wick_pte_instr *in = &m->instrs[i_instr];
    const unsigned number = bit(WICK_EV_INT) | bit(WICK_EV_BOOL) | bit(WICK_EV_DOUBLE);
    wick_evalue_kind a, b;
    switch (in->kind) {
    case WICK_IK_KERNEL: return c->ops[in->index] == WICK_I_UNKNOWN ? WICK_OK : check_kernel(c, i_instr, in);
    case WICK_IK_DELEGATE:
        for (uint32_t i = 0; i < in->n_arg; i++)
            if (m->values[in->args[i]].kind == WICK_EV_TENSOR) WICK_TRY(check_tensor(c, i_instr, "a delegate", in->args[i], false));
        return WICK_OK;
    case WICK_IK_MOVE:
        a = m->values[in->index].kind, b = m->values[in->target].kind;
        if (a == b || ((number & bit(a)) && (number & bit(b)))) return WICK_OK;
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u moves %s into %s", c->name, m->name, i_instr, kinds[a],
                         kinds[b]);
    case WICK_IK_JUMP_FALSE:
        a = m->values[in->index].kind;
        if (a == WICK_EV_TENSOR) return check_tensor(c, i_instr, "a jump", in->index, false);
        if (a == WICK_EV_BOOL || a == WICK_EV_INT) return WICK_OK;
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u jumps by %s, expected a boolean", c->name, m->name,
                         i_instr, kinds[a]);
    case WICK_IK_FREE:
        a = m->values[in->index].kind;
        if (a == WICK_EV_TENSOR) return WICK_OK;
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %u frees %s, expected a tensor", c->name, m->name, i_instr,
                         kinds[a]);
    }
    return WICK_OK;
}

static wick_status check_method(check *c) {
    WICK_TRY(find_ops(c));
    mark_storage(c);
    mark_uses(c);
    for (uint32_t i = 0; i < c->m->n_instr; i++) WICK_TRY(check_instr(c, i));
    if (c->flags & WICK_CHECK_PLAN) return wick_pte_check_plan(c->p, c->m, c->ops, c->name, c->err);
    return WICK_OK;
}

wick_status wick_pte_check(const wick_pte *p, const char *name, unsigned flags, wick_error *err) {
    for (uint32_t i = 0; i < p->n_method; i++) {
        check c = {p, &p->methods[i], name, err, flags, NULL, NULL};
        c.ops = WICK_NEW_ARRAY(wick_instr_op, c.m->n_operator);
        c.marks = WICK_NEW_ARRAY(uint8_t, c.m->n_value);
        wick_status status = c.ops && c.marks ? check_method(&c) : wick_fail_nomem(err);
        wick_free(c.ops);
        wick_free(c.marks);
        WICK_TRY(status);
    }
    return WICK_OK;
}
