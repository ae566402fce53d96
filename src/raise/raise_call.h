/* raise_call.h: what the handlers of instructions share: a call, its operands, and ways to give its result. Handlers live in
 * raise_structure.c (where elements go) and raise_compute.c (what is done with them); raise_instr.c finds them, and takes what has none. */
#ifndef WICK_RAISE_RAISE_CALL_H
#define WICK_RAISE_RAISE_CALL_H

#include "raise/raise_int.h"

typedef struct wick_r_call {
    wick_raiser *r;
    wick_instr_op op;
    const int32_t *args;
    uint32_t n_arg;
} wick_r_call;

typedef wick_status wick_r_handler(wick_r_call *c);
/* NULL: the file has none for this operator. */
wick_r_handler *wick_r_structure_handler(wick_instr_op op);
wick_r_handler *wick_r_compute_handler(wick_instr_op op);
/* An operator that is known by its origin only, if the shape of its result can be told. */
wick_status wick_r_other(wick_r_call *c);

static inline const wick_pte_value *wick_r_arg(const wick_r_call *c, int i) { return &c->r->method->pte->values[c->args[i]]; }
static inline const wick_value *wick_r_arg_value(const wick_r_call *c, wick_value_id v) { return &c->r->g->values[v]; }
static inline wick_origin wick_r_here(const wick_raiser *r) { return (wick_origin){r->instruction, -1}; }
/* Whether the program's tensor can take the shape that a rule gives. */
bool wick_r_fits(const wick_pte_tensor *t, int rank, const wick_dim *dims);
/* The values of arguments first .. first + n - 1; Null is -1. */
wick_status wick_r_read_args(wick_r_call *c, int first, int n, wick_value_id *out);
/* A dimension of a tensor of this rank, counted from the front. */
bool wick_r_axis_arg(const wick_r_call *c, int i, int rank, int64_t *axis);
/* Writes a value to a result, which is an argument or in a list of them. */
wick_status wick_r_give(wick_r_call *c, int32_t evalue, wick_value_id value);
/* Writes the result of a fine node to argument `out`. */
wick_status wick_r_emit(wick_r_call *c, wick_op op, wick_attrs attrs, int n_in, const wick_value_id *in, int out, int rank,
                        const wick_dim *dims);

#endif
