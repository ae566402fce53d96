/* vm_state.h: what the parts of the vm share: tensors at run time, the state of a method, the calling convention of operators.
 *
 * A wick_vt is a tensor as it is now: its current shape, and where its bytes are. Its shape changes by the stock runtime's rules:
 * the rank is fixed; a static tensor keeps its dims; a dynamic one takes any dims whose elements fit its bound. Tensors inside a
 * delegate are wick_vt as well, so that one set of element loops serves both worlds.
 *
 * Programs were verified when they were opened (every argument has the kind that its operator asks for), but shapes, indices and
 * positions are born at run time: each kernel checks the ones that it relies on before it touches memory. Kernels return a status
 * with one sentence; the dispatcher puts the instruction in front of it.
 *
 * Arithmetic. Elements are read as double or int64, computed and stored with one rounding, through float for 16-bit floats: for
 * + - * / and sqrt this is what fp32 arithmetic gives, for sums and transcendental functions it is at least as good. */
#ifndef WICK_VM_VM_STATE_H
#define WICK_VM_VM_STATE_H

#include "program/program.h"
#include "vm/vm.h"

#include <assert.h>

/* ---------------------------------------------------------------- tensors */

typedef struct wick_vt {
    int type, rank; /* wick_scalar_type */
    int32_t dims[WICK_MAX_RANK];
    uint8_t *data;  /* NULL: not given yet */
    uint64_t cap;   /* bytes at data */
    uint64_t n_max; /* elements that the shape may have */
    bool dynamic;   /* else the dims stay as they are */
    bool read_only;
    const wick_pte_tensor *pte; /* NULL inside delegates */
    uint8_t *home;              /* data and cap as loaded: views and inputs move them during a run */
    uint64_t home_cap;
    bool home_read_only;
} wick_vt;

static inline uint64_t wick_vt_count(const wick_vt *t) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->dims[i];
    return n;
}
/* Product of dims[from, to). */
static inline int64_t wick_vt_span(const wick_vt *t, int from, int to) {
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= t->dims[i];
    return n;
}
static inline int32_t wick_vt_last(const wick_vt *t) { return t->rank ? t->dims[t->rank - 1] : 1; }

bool wick_vt_is_real(int type);        /* a floating type */
bool wick_vt_has_arithmetic(int type); /* one whose elements the functions below read and write; a vm has no tensors of others */
bool wick_vt_same_shape(const wick_vt *a, const wick_vt *b);
/* "[1, 5, 64]" in a static ring of buffers, for messages. */
typedef struct wick_vt_text {
    char s[112];
} wick_vt_text;
wick_vt_text wick_vt_shape(int rank, const int32_t *dims);

/* Gives the tensor a new shape by the rules above; checks that its bytes hold it. */
wick_status wick_vt_resize(wick_vt *t, int rank, const int32_t *dims, wick_error *err);
static inline wick_status wick_vt_resize_like(wick_vt *t, const wick_vt *like, wick_error *err) {
    return wick_vt_resize(t, like->rank, like->dims, err);
}

/* Element i in storage order. Setting an integer from a double saturates; NaN gives 0. */
double wick_vt_real(const wick_vt *t, uint64_t i);
int64_t wick_vt_int(const wick_vt *t, uint64_t i);
void wick_vt_set_real(wick_vt *t, uint64_t i, double v);
void wick_vt_set_int(wick_vt *t, uint64_t i, int64_t v);
/* Copies one element, converting. */
void wick_vt_copy_element(wick_vt *to, uint64_t i, const wick_vt *from, uint64_t j);
int64_t wick_saturate(double v); /* to int64, towards zero */

/* Axis in [0, rank) from one in [-rank, rank); rank 0 counts as 1. */
wick_status wick_vt_axis(const wick_vt *t, int64_t axis, int *out, wick_error *err);

/* ---------------------------------------------------------------- walking broadcast operands */

enum { WICK_WALK_MAX = 4 };

/* Visits the elements of a shape in storage order with the matching element of each operand, whose dims are aligned at the end
 * and repeated where they are 1:
 *     for (bool more = wick_walk_begin(&w, out, operands, n); more; more = wick_walk_next(&w)) ... w.at[k] ... */
typedef struct wick_walk {
    int rank, n;
    int32_t dims[WICK_MAX_RANK], index[WICK_MAX_RANK];
    int64_t stride[WICK_WALK_MAX][WICK_MAX_RANK];
    uint64_t at[WICK_WALK_MAX];
    uint64_t i; /* element of the shape */
} wick_walk;
bool wick_walk_begin(wick_walk *w, const wick_vt *shape, const wick_vt *const *operands, int n);
bool wick_walk_next(wick_walk *w);
/* The shape that operands broadcast to. */
wick_status wick_walk_shape(const wick_vt *const *operands, int n, int *rank, int32_t *dims, wick_error *err);

/* ---------------------------------------------------------------- state of a method */

/* A value: numbers live here, tensors behind a pointer, lists and strings in the program. */
typedef struct wick_slot {
    wick_evalue_kind kind;
    int64_t i; /* INT, BOOL */
    double d;  /* DOUBLE */
    wick_vt *t;
} wick_slot;

/* A delegate at run time (xnn_run.c). */
typedef struct wick_vx {
    const wick_xnn *x;
    wick_vt *values; /* [n_value] */
    void **own;      /* [n_value]: memory of internal values, when nodes run one at a time; else NULL */
    size_t *own_size;
} wick_vx;

struct wick_vm {
    const wick_program *program;
    const wick_program_method *method;
    wick_slot *slots; /* [n_value] */
    wick_vt *tensors; /* of the slots */
    uint32_t n_tensor;
    uint8_t **arenas;   /* [n_arena] */
    wick_vx *delegates; /* [n_delegate] */
    uint8_t *workspace; /* internal values of the delegate that runs */
    size_t workspace_size;
    uint8_t *scratch; /* of the kernel that runs */
    size_t scratch_size;
    void **own; /* [n_tensor]: storage given by wick_vm_resize to tensors that have none of their own to write; or NULL */
    size_t *own_size;
    uint8_t *integer; /* [n_instr]: runs in wick_vm_integers; NULL until its first use */
};

/* At least n bytes aligned to 64, contents undefined, valid until the next call; NULL: no memory. */
void *wick_vm_scratch(wick_vm *vm, uint64_t n);

/* One instruction; *next: the one that follows (vm_exec.c). */
wick_status wick_vm_exec(wick_vm *vm, uint32_t i_instr, uint32_t *next, wick_error *err);

/* ---------------------------------------------------------------- delegates */

wick_status wick_vx_init(wick_vx *d, const wick_xnn *x, wick_error *err);
void wick_vx_release(wick_vx *d);
/* Runs a whole delegate over the arguments of a DelegateCall. */
wick_status wick_vx_run(wick_vm *vm, wick_vx *d, const wick_pte_instr *instr, wick_error *err);
/* Binds external values to the arguments; then single nodes. */
wick_status wick_vx_bind(wick_vm *vm, wick_vx *d, const wick_pte_instr *instr, wick_error *err);
wick_status wick_vx_step(wick_vm *vm, wick_vx *d, const wick_pte_instr *instr, uint32_t i_node, wick_error *err);
/* Makes room for an internal value of its own. */
wick_status wick_vx_own(wick_vx *d, uint32_t value, wick_error *err);

/* ---------------------------------------------------------------- operators */

typedef struct wick_call {
    wick_vm *vm;
    const int32_t *args; /* value indices; the repeated result at the end is not looked at */
    int variant;         /* from the table: which of the operators that share the function */
    wick_error *err;
} wick_call;

typedef wick_status wick_vm_fn(wick_call *c);

typedef struct wick_vm_op {
    wick_vm_fn *fn; /* NULL: the vm has no such operator */
    int variant;
} wick_vm_op;

/* One row per operator (ops_table.c). */
extern const wick_vm_op wick_vm_ops[WICK_N_INSTR];

static inline wick_slot *wick_call_slot(const wick_call *c, int i) { return &c->vm->slots[c->args[i]]; }
static inline bool wick_call_none(const wick_call *c, int i) { return wick_call_slot(c, i)->kind == WICK_EV_NULL; }
static inline wick_vt *wick_call_tensor(const wick_call *c, int i) { return wick_call_slot(c, i)->t; }
/* NULL if the argument is None. */
static inline wick_vt *wick_call_tensor_or_null(const wick_call *c, int i) { return wick_call_none(c, i) ? NULL : wick_call_tensor(c, i); }

static inline double wick_slot_real(const wick_slot *s) { return s->kind == WICK_EV_DOUBLE ? s->d : (double)s->i; }
static inline int64_t wick_slot_int(const wick_slot *s) { return s->kind == WICK_EV_DOUBLE ? wick_saturate(s->d) : s->i; }
static inline int64_t wick_call_int(const wick_call *c, int i) { return wick_slot_int(wick_call_slot(c, i)); }
static inline double wick_call_real(const wick_call *c, int i) { return wick_slot_real(wick_call_slot(c, i)); }
static inline bool wick_call_bool(const wick_call *c, int i) {
    const wick_slot *s = wick_call_slot(c, i);
    return s->kind == WICK_EV_DOUBLE ? s->d != 0 : s->i != 0;
}
/* Integers of a list into out[max]. A list that is too long is an error. */
wick_status wick_call_ints(const wick_call *c, int i, int max, int64_t *out, int *n);
/* Items of a tensor list: count and one of them (NULL: None). */
static inline uint32_t wick_call_list_size(const wick_call *c, int i) { return c->vm->method->pte->values[c->args[i]].n; }
static inline wick_vt *wick_call_list_tensor(const wick_call *c, int i, uint32_t j) {
    int64_t v = c->vm->method->pte->values[c->args[i]].items[j];
    return v < 0 || c->vm->slots[v].kind != WICK_EV_TENSOR ? NULL : c->vm->slots[v].t;
}

/* A sentence about shapes that do not fit: "what: found [..], expected [..]". */
wick_status wick_vt_mismatch(wick_error *err, const char *what, const wick_vt *found, const wick_vt *expected);

#endif
