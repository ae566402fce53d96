/* lower_xnn.h: one XNNPACK delegate under construction. Inside of lowering only.
 *
 * A graph value may have two XNN values: flat [1, R, W] and with heads [1, R, W / D, D]. Each is made when somebody asks for it,
 * by a slice (of a split's input), a reshape, or as an external input; so a split costs nothing until its form is known. */
#ifndef WICK_EXPORT_LOWER_XNN_H
#define WICK_EXPORT_LOWER_XNN_H

#include "export/lower_program.h"

/* n numbers, all equal: shared by all delegates because the writer knows them to be the same. */
typedef struct wick_fill {
    float number;
    int64_t n;
    uint32_t named;
} wick_fill;

typedef struct wick_delegate {
    wick_lower_state *lw;
    const int *stages; /* [g->n_node] */
    int stage;         /* the one that is being built */
    wick_xnn x;
    size_t value_cap, node_cap, constant_cap;
    uint32_t *converted; /* parallel to x.values: the int8 rows made of a value; shared by all products that read it */
    size_t converted_cap;
    uint32_t *flat, *heads; /* [g->n_value]; WICK_XNN_NONE: not made */
    int32_t *inputs;        /* values of the program */
    size_t n_input, input_cap;
    wick_fill *fills; /* of the program, not of one delegate */
    size_t n_fill, fill_cap;
} wick_delegate;

/* ---- values ---- */
uint32_t wick_delegate_flat(wick_delegate *d, wick_value_id v);
uint32_t wick_delegate_heads(wick_delegate *d, wick_value_id v, int64_t d_head);
/* Rows of a rope table that belong to this step: an external input [S, 1, D]. */
uint32_t wick_delegate_table(wick_delegate *d, wick_value_id table);
/* Rows [from, to) of a constant, with its scheme. */
uint32_t wick_delegate_weight(wick_delegate *d, wick_value_id v, int64_t from, int64_t to);
/* fp32 [n] or [1, n] (as_filter) of one number. */
uint32_t wick_delegate_fill(wick_delegate *d, float number, int64_t n, bool as_filter);
static inline const wick_xnn_value *wick_delegate_value(const wick_delegate *d, uint32_t id) { return &d->x.values[id]; }

/* ---- nodes; each returns its result ---- */
uint32_t wick_delegate_unary(wick_delegate *d, wick_xnn_op op, uint32_t a);
uint32_t wick_delegate_binary(wick_delegate *d, wick_xnn_op op, uint32_t a, uint32_t b); /* shaped like a */
/* Rows of a as int8 with a scale and zero point each. */
uint32_t wick_delegate_convert(wick_delegate *d, uint32_t a);
uint32_t wick_delegate_product(wick_delegate *d, uint32_t a, uint32_t weight, uint32_t bias);
/* dims: the result at the bound; the rows are inferred. */
uint32_t wick_delegate_reshape(wick_delegate *d, uint32_t a, int rank, const uint32_t *dims);
uint32_t wick_delegate_slice(wick_delegate *d, uint32_t a, int axis, int64_t start, int64_t count);
uint32_t wick_delegate_concat(wick_delegate *d, uint32_t a, uint32_t b, int axis);

/* ---- ops (lower_xnn_ops.c) ---- */
typedef void wick_delegate_emit_fn(wick_delegate *d, const wick_node *n);
extern wick_delegate_emit_fn *const wick_delegate_ops[WICK_N_OP];

#endif
