/* lower_program.h: a method under construction: values, instructions, constants, delegates. Inside of lowering only.
 *
 * The functions that add something return its index and never fail visibly: the first fault is kept in `status`, and from then
 * on every call does nothing and returns 0. wick_lower looks at it once, at the end. So an emitter reads like the program that
 * it emits. */
#ifndef WICK_EXPORT_LOWER_PROGRAM_H
#define WICK_EXPORT_LOWER_PROGRAM_H

#include "export/lower.h"
#include "program/program.h"

/* From which instruction to which a value must keep its bytes. */
typedef enum wick_life_kind {
    WICK_LIFE_NONE,   /* not in the arena: scalars, constants, inputs, views */
    WICK_LIFE_SYMBOL, /* a scalar that an instruction writes */
    WICK_LIFE_STATE,  /* for ever */
    WICK_LIFE_PLANNED /* first to last instruction that touches it */
} wick_life_kind;
typedef struct wick_life {
    wick_life_kind kind;
    int64_t first, last;
    int32_t base; /* views: the value whose bytes they show; else -1 */
} wick_life;

/* Where the program keeps a value of the graph: flat [1, R, W], with heads [1, R, W / D, D], or both. -1: not made. */
typedef struct wick_slot {
    int32_t flat, heads;
} wick_slot;

typedef struct wick_lower_state {
    const wick_graph *g;
    const wick_lower_options *options;
    wick_pte *p;
    wick_error *err;
    wick_status status;

    wick_pte_value *values;
    wick_life *lives; /* parallel to values */
    size_t n_value, value_cap, life_cap;
    wick_pte_instr *instrs;
    size_t n_instr, instr_cap;
    wick_pte_operator *operators;
    int *operator_ids; /* wick_instr_op of each operator, parallel */
    size_t n_operator, operator_cap, operator_id_cap;
    wick_pte_delegate *delegates;
    size_t n_delegate, delegate_cap;

    /* segment 0: constants, one after the other */
    wick_source *pieces;
    uint64_t *piece_offsets, *constant_offsets;
    uint32_t *constant_pieces; /* first piece of each constant */
    size_t n_piece, piece_cap, piece_offset_cap, n_constant, constant_cap, constant_piece_cap;
    uint64_t constants_size;

    wick_pte_segment *blobs; /* one per delegate, then one per named datum */
    size_t n_blob, blob_cap;
    wick_pte_segment *named_segments;
    wick_pte_named *named;
    size_t n_named, named_cap, named_segment_cap;
    uint32_t n_job;

    wick_slot *slots;                                          /* [g->n_value] */
    int64_t *head_width;                                       /* [g->n_value]: D, if attention reads or writes the value; else 0 */
    int32_t *table_rows;                                       /* [g->n_value]: rows of a rope table that belong to this step; -1 */
    int32_t tokens, input_pos, pos, len, end, last_pos, dummy; /* last_pos, dummy: 0 until needed */
} wick_lower_state;

void wick_lower_fail(wick_lower_state *lw, wick_status status, const char *format, ...) WICK_PRINTF(3, 4);

/* ---- scalars ---- */
/* Constants are shared; a value that an instruction writes never is. */
int32_t wick_lower_int(wick_lower_state *lw, int64_t v);
int32_t wick_lower_bool(wick_lower_state *lw, bool v);
int32_t wick_lower_double(wick_lower_state *lw, double v);
int32_t wick_lower_null(wick_lower_state *lw);
int32_t wick_lower_symbol(wick_lower_state *lw);
int32_t wick_lower_int_list(wick_lower_state *lw, const int32_t *items, uint32_t n);
int32_t wick_lower_tensor_list(wick_lower_state *lw, const int32_t *items, uint32_t n);

/* ---- tensors ---- */
enum { WICK_BOUND = -1 }; /* in dims: S; the tensor is then dynamic */
int32_t wick_lower_tensor(wick_lower_state *lw, int scalar_type, int rank, const int64_t *dims);
/* fp32 in the arena, from this instruction on. */
int32_t wick_lower_temp(wick_lower_state *lw, int rank, const int64_t *dims);
/* fp32 in the arena for ever. */
int32_t wick_lower_cache(wick_lower_state *lw, int rank, const int64_t *dims);
int32_t wick_lower_constant(wick_lower_state *lw, int scalar_type, int rank, const int64_t *dims, const wick_source *pieces, int n_piece);

/* ---- instructions ---- */
/* args: in schema order, the out argument last and once. */
void wick_lower_call(wick_lower_state *lw, wick_instr_op op, const int32_t *args, int n);
#define WICK_LOWER_CALL(lw, op, ...)                                                                                                       \
    wick_lower_call(lw, op, (const int32_t[]){__VA_ARGS__}, (int)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))
/* An XNNPACK delegate (in the program's memory) and its call; args: inputs, then outputs. */
void wick_lower_delegate(wick_lower_state *lw, const wick_xnn *x, const int32_t *args, int n);

/* Bytes of their own in named data; hashed: the key becomes `name.<hash>`, else it is the name. job > 0: produced by one thread, in
 * order, with all that has the same job. Returns 1 + the index into named. */
uint32_t wick_lower_named(wick_lower_state *lw, const char *name, bool hashed, const wick_source *pieces, int n_piece, uint32_t job);

/* ---- memory ---- */
/* Gives every value in the arena its place; returns the arena's size (lower_plan.c). */
uint64_t wick_lower_plan(wick_lower_state *lw);

/* ---- values of the graph ---- */
static inline const wick_value *wick_lower_value(const wick_lower_state *lw, wick_value_id v) { return &lw->g->values[v]; }
static inline bool wick_lower_is_row(const wick_value *v) { return wick_dim_is_const(v->dims[0]); }
/* The R of an activation for dims: WICK_BOUND or 1. */
int64_t wick_lower_rows(const wick_lower_state *lw, wick_value_id v);
/* The tensor of a value in one form or the other; a view is made where only the other one exists. */
int32_t wick_lower_flat(wick_lower_state *lw, wick_value_id v);
int32_t wick_lower_heads(wick_lower_state *lw, wick_value_id v, int64_t d_head);
static inline int64_t wick_lower_width(const wick_lower_state *lw, wick_value_id v) { return wick_value_width(&lw->g->values[v]); }
static inline bool wick_lower_has_in(const wick_node *n, int i) { return i < n->n_in && n->in[i] >= 0; }
/* A constant of the graph as a tensor constant of the program: rows [from, to) of it. */
int32_t wick_lower_rows_constant(wick_lower_state *lw, wick_value_id v, int64_t from, int64_t to);
/* The parts that make up rows [from, to); false: a part crosses a border. */
bool wick_lower_parts(const wick_value *v, int64_t from, int64_t to, int *first, int *n);
/* Columns [from, to) of a linear are whole parts of its weight and bias: they can be computed by a product of their own. */
bool wick_lower_divides(const wick_lower_state *lw, const wick_node *linear, int64_t from, int64_t to);
/* "a+b+c" for the parts [first, first + n); in the program's memory. */
const char *wick_lower_parts_name(wick_lower_state *lw, const wick_value *v, int first, int n);

/* ---- ops that are kernel calls in every backend (lower_ops.c) ---- */
typedef void wick_lower_emit_fn(wick_lower_state *lw, const wick_node *n);
extern wick_lower_emit_fn *const wick_lower_ops[WICK_N_OP]; /* NULL: the backend's */
/* Inputs, positions, and the rows of every rope table. */
void wick_lower_prologue(wick_lower_state *lw);

/* ---- backends: all nodes ---- */
void wick_lower_portable(wick_lower_state *lw);
void wick_lower_xnn(wick_lower_state *lw);

/* The methods: forward, then the constant ones (lower_meta.c). */
wick_status wick_lower_metadata(wick_pte *p, const wick_pte_method *forward, const wick_graph *g, const wick_metadata_list *more,
                                wick_error *err);

#endif
