/* WICK_CHECK_PLAN: the memory plan of a method that Wick wrote. */
#include "base/mem.h"
#include "program/program.h"

#include <stdlib.h>

/* What a method does with one value. Instructions are numbered; NEVER: not at all. */
enum { NEVER = -2, AT_START = -1 };
typedef struct life {
    int32_t first, last;      /* from the first write (or from the start) to the last use */
    int32_t first_read, root; /* root: the value whose memory this one shows, through et_view */
    bool kept;                /* content outlives a run: read or changed before it is written */
    bool changed;
} life;

typedef struct plan {
    const wick_pte *p;
    const wick_pte_method *m;
    const wick_instr_op *ops;
    life *lives;
    const char *name;
    wick_error *err;
} plan;

typedef enum access { READ, WRITE, CHANGE } access;

static void touch(plan *c, int64_t value, int32_t at, access how) {
    const wick_pte_value *v = &c->m->values[value];
    if (v->kind == WICK_EV_INT_LIST || v->kind == WICK_EV_TENSOR_LIST || v->kind == WICK_EV_OPTIONAL_TENSOR_LIST) {
        for (uint32_t i = 0; i < v->n; i++)
            if (v->items[i] >= 0) touch(c, v->items[i], at, how); /* items are no lists: one level deep */
        return;
    }
    life *l = &c->lives[c->lives[value].root];
    if (how != WRITE && l->first_read == NEVER) l->first_read = at;
    if (how == CHANGE) l->changed = true;
    if (l->first == NEVER) {
        l->first = at;
        l->kept = how != WRITE;
    }
    l->last = at;
}

/* A written tensor at the end of the list is an output; one in front of other arguments is changed in place. */
static void kernel(plan *c, const wick_pte_instr *in, int32_t at) {
    wick_instr_op op = c->ops[in->index];
    const char *letters = wick_instr_op_args(op), *tail = letters + strlen(letters);
    while (tail > letters && strchr("tyikx=*?", tail[-1])) tail--;
    uint32_t i = 0;
    for (const char *s = letters; *s && i < in->n_arg; s++) {
        if (*s == '?') continue;
        bool write = strchr("tyikx", *s) != NULL;
        if (*s == '=' || *s == '*') {
            i++;
        } else if (op == WICK_I_ET_VIEW && *s == 't') {
            c->lives[in->args[i]].root = c->lives[in->args[0]].root;
            touch(c, in->args[i++], at, READ);
        } else {
            touch(c, in->args[i++], at, !write ? READ : s < tail ? CHANGE : WRITE);
        }
    }
}

static void delegate(plan *c, const wick_pte_instr *in, int32_t at) {
    const wick_pte_delegate *d = &c->m->delegates[in->index];
    const wick_xnn *x = d->inline_data ? NULL : c->p->segments[d->index].xnn;
    for (uint32_t i = 0; i < in->n_arg; i++) touch(c, in->args[i], at, x && i < x->n_input ? READ : WRITE);
}

static wick_status trace(plan *c) {
    const wick_pte_method *m = c->m;
    for (uint32_t i = 0; i < m->n_value; i++) c->lives[i] = (life){NEVER, NEVER, NEVER, (int32_t)i, false, false};
    for (uint32_t i = 0; i < m->n_input; i++) touch(c, m->inputs[i], AT_START, WRITE);
    for (uint32_t i = 0; i < m->n_instr; i++) {
        const wick_pte_instr *in = &m->instrs[i];
        if (in->kind == WICK_IK_KERNEL)
            kernel(c, in, (int32_t)i);
        else if (in->kind == WICK_IK_DELEGATE)
            delegate(c, in, (int32_t)i);
        else
            return wick_fail(c->err, WICK_EUNSUPPORTED,
                             "%s: method \"%s\": instruction %u is control flow, whose memory plan is not checked", c->name, m->name, i);
    }
    for (uint32_t i = 0; i < m->n_output; i++) touch(c, m->outputs[i], (int32_t)m->n_instr, READ);
    return WICK_OK;
}

static wick_status check_use(const plan *c, uint32_t i) {
    const wick_pte_value *v = &c->m->values[i];
    const life *l = &c->lives[i];
    bool number = v->kind == WICK_EV_INT || v->kind == WICK_EV_BOOL || v->kind == WICK_EV_DOUBLE;
    if (number) { /* written somewhere, but read before: a constant that a result was put on */
        for (uint32_t k = 0; l->kept && k < c->m->n_instr; k++) {
            const wick_pte_instr *in = &c->m->instrs[k];
            if (in->kind != WICK_IK_KERNEL) continue;
            const char *letters = wick_instr_op_args(c->ops[in->index]);
            if (in->n_arg && in->args[in->n_arg - 1] == (int32_t)i && letters[0] && strchr("ikx", letters[strlen(letters) - 1]))
                return wick_fail(c->err, WICK_EFORMAT,
                                 "%s: method \"%s\": instruction %d reads number %u, which only instruction %u writes", c->name, c->m->name,
                                 l->first_read, i, k);
        }
        return WICK_OK;
    }
    if (v->kind != WICK_EV_TENSOR || !v->tensor->memory_id || l->root != (int32_t)i) return WICK_OK;
    if (l->kept && !l->changed && !v->tensor->data_buffer_idx && !v->tensor->external)
        return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": instruction %d reads tensor %u, which nothing has written", c->name,
                         c->m->name, l->first_read, i);
    return WICK_OK;
}

typedef struct range {
    uint64_t from, to;
    uint32_t arena, value;
} range;

static int by_place(const void *a, const void *b) {
    const range *x = a, *y = b;
    if (x->arena != y->arena) return x->arena < y->arena ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->value < y->value ? -1 : 1;
}

static bool alive_together(const life *a, const life *b) {
    int32_t a_from = a->kept ? AT_START : a->first, b_from = b->kept ? AT_START : b->first;
    int32_t a_to = a->kept || a->changed ? INT32_MAX : a->last, b_to = b->kept || b->changed ? INT32_MAX : b->last;
    return a_from <= b_to && b_from <= a_to;
}

static wick_status check_overlap(const plan *c, range *ranges) {
    size_t n = 0;
    for (uint32_t i = 0; i < c->m->n_value; i++) {
        const wick_pte_tensor *t = c->m->values[i].tensor;
        uint64_t n_element, size;
        if (c->m->values[i].kind != WICK_EV_TENSOR || !t->memory_id || c->lives[i].first == NEVER || c->lives[i].root != (int32_t)i)
            continue;
        if (!wick_pte_tensor_size(t, &n_element, &size) || !size) continue;
        ranges[n++] = (range){t->memory_offset, t->memory_offset + size, t->memory_id, i};
    }
    qsort(ranges, n, sizeof *ranges, by_place);
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n && ranges[k].arena == ranges[i].arena && ranges[k].from < ranges[i].to; k++)
            if (alive_together(&c->lives[ranges[i].value], &c->lives[ranges[k].value]))
                return wick_fail(c->err, WICK_EFORMAT, "%s: method \"%s\": tensors %u and %u are alive together and overlap in arena %u",
                                 c->name, c->m->name, ranges[i].value, ranges[k].value, ranges[i].arena);
    return WICK_OK;
}

wick_status wick_pte_check_plan(const wick_pte *p, const wick_pte_method *m, const wick_instr_op *ops, const char *name, wick_error *err) {
    plan c = {p, m, ops, WICK_NEW_ARRAY(life, m->n_value), name, err};
    range *ranges = WICK_NEW_ARRAY(range, m->n_value);
    wick_status status = c.lives && ranges ? trace(&c) : wick_fail_nomem(err);
    for (uint32_t i = 0; status == WICK_OK && i < m->n_value; i++) status = check_use(&c, i);
    if (status == WICK_OK) status = check_overlap(&c, ranges);
    wick_free(c.lives);
    wick_free(ranges);
    return status;
}
