/* raise_int.h: what the stages of raise/ share.
 *
 * A raiser walks over the instructions of a method once (raise_instr.c), folding integers into affine expressions
 * (raise_ints.c), following the bytes of planned memory (raise_values.c) and turning every instruction over tensors and every
 * node of a delegate (raise_xnn.c) into a fine node. Then families of patterns (pat_*.c) rewrite groups of fine nodes into
 * coarse ones.
 *
 * During one family, replaced values are only noted in `forward` and looked up by wick_r_in; between families the graph is
 * brought up to date and put in order, so every family sees nodes after their inputs. Value and node ids change there.
 *
 * Memory: an allocation failure in a helper sets g->failed; the stages check it, patterns need not. */
#ifndef WICK_RAISE_RAISE_INT_H
#define WICK_RAISE_RAISE_INT_H

#include "raise/raise.h"

/* What an integer EValue is at the moment: an affine expression, or something else. */
typedef struct wick_r_int {
    bool known;
    wick_dim v;
} wick_r_int;

/* What a tensor EValue is at the moment. */
typedef struct wick_r_tensor {
    wick_value_id value; /* -1: not defined in this step */
    uint64_t serial;     /* of the write that made its bytes; 0: not by bytes */
    int32_t home;        /* with a serial: the EValue in whose memory those bytes lie (a view has none of its own) */
} wick_r_tensor;

/* The bytes that one write covers and that nothing has touched since. */
typedef struct wick_r_write {
    uint32_t arena;
    uint64_t from, size; /* at the upper bounds */
    uint64_t serial;
    wick_value_id value;
    int32_t evalue;
} wick_r_write;

typedef struct wick_raiser {
    const wick_program *p;
    const wick_program_method *method;
    wick_graph *g;
    wick_error *err;
    wick_r_int *ints;       /* [n_value of the method] */
    wick_r_tensor *tensors; /* [n_value of the method] */
    wick_r_write *writes;   /* by arena and offset, disjoint */
    size_t n_write, write_cap;
    wick_r_write *states; /* bytes that were read before anything wrote them */
    size_t n_state, state_cap;
    uint64_t serial;
    int32_t instruction;    /* the one being looked at */
    bool has_position;      /* the method has an input that tells P */
    wick_value_id *forward; /* while a family runs: what replaced a value; [forward_cap] */
    size_t forward_cap;
} wick_raiser;

/* ---------------------------------------------------------------- integers (raise_ints.c) */

wick_status wick_r_ints_init(wick_raiser *r);
/* Handles an instruction over integers; *handled is false if it is none. */
wick_status wick_r_ints_instr(wick_raiser *r, wick_instr_op op, const int32_t *args, bool *handled);
/* The number that an integer argument has; false: not known. Null gives `absent`. */
bool wick_r_int_arg(const wick_raiser *r, int32_t evalue, wick_dim absent, wick_dim *out);
bool wick_r_const_arg(const wick_raiser *r, int32_t evalue, int64_t absent, int64_t *out);
/* Integer, double or boolean constant. */
bool wick_r_number_arg(const wick_raiser *r, int32_t evalue, double *out);
/* The items of a list of integers; false: too many, or not known. */
bool wick_r_list_arg(const wick_raiser *r, int32_t evalue, wick_dim *items, int *n);

/* ---------------------------------------------------------------- masks over positions (raise_masks.c) */

/* Where `above` < j - p <= `upto`, for columns j and positions p; INT64_MIN and INT64_MAX where there is no bound. */
typedef struct wick_r_band {
    int64_t above, upto;
} wick_r_band;

/* One of the positions of the step, or a number that far from it. */
bool wick_r_position_at(const wick_raiser *r, wick_value_id v, wick_dim *out);
/* v [1, .., n_row, n_column]: true in a band. */
bool wick_r_is_band(const wick_raiser *r, wick_value_id v, wick_dim n_row, int64_t n_column, wick_r_band *out);
/* The first column behind those that the step's first token sees, looked for in a mask (argmin over booleans as numbers). Where the
 * token sees all columns, or not the first one, the program finds column 0 instead and fails: nothing begins before it. */
bool wick_r_first_hidden(const wick_raiser *r, wick_value_id v, wick_dim *out);

/* ---------------------------------------------------------------- values by bytes (raise_values.c) */

wick_status wick_r_values_init(wick_raiser *r);
void wick_r_values_release(wick_raiser *r);
/* The value that a tensor argument reads. */
wick_status wick_r_read(wick_raiser *r, int32_t evalue, wick_value_id *out);
/* Notes that a tensor argument was written with `value`. */
wick_status wick_r_write_tensor(wick_raiser *r, int32_t evalue, wick_value_id value);
/* `view` now stands for the same bytes as `base`. */
wick_status wick_r_alias(wick_raiser *r, int32_t view, int32_t base, wick_value_id value);
/* State must not share bytes with anything else. */
wick_status wick_r_check_states(wick_raiser *r);
bool wick_r_dtype(int scalar_type, wick_dtype *out);

/* ---------------------------------------------------------------- constants (raise_const.c) */

wick_status wick_r_const_tensor(wick_raiser *r, int32_t evalue, wick_bytes bytes, wick_value_id *out);
wick_status wick_r_const_xnn(wick_raiser *r, const wick_xnn *x, uint32_t id, wick_value_id *out);
/* Plain element i of a dense constant as a double; false: not a dense plain float constant, or beyond its end. */
bool wick_r_element(const wick_graph *g, wick_value_id v, int64_t i, double *out);
/* The number that every element of a plain constant is; false: they differ. */
bool wick_r_uniform(const wick_graph *g, wick_value_id v, double *out);

/* ---------------------------------------------------------------- instructions and delegate nodes */

wick_status wick_r_instr(wick_raiser *r, wick_instr_op op, const int32_t *args, uint32_t n_arg); /* raise_instr.c */
wick_status wick_r_delegate(wick_raiser *r, const wick_xnn *x, const int32_t *args);             /* raise_xnn.c */
wick_status wick_r_unsupported(wick_raiser *r, const char *what);
const char *wick_r_op_label(const wick_raiser *r, wick_origin origin);

/* ---------------------------------------------------------------- shapes (raise_shape.c) */

/* False: overflow. */
bool wick_r_dim_add(wick_dim a, wick_dim b, wick_dim *out);
bool wick_r_dim_sub(wick_dim a, wick_dim b, wick_dim *out);
/* Number of elements as an expression; false: more than one factor depends on S or P, or overflow. */
bool wick_r_numel(const wick_dim *dims, int rank, wick_dim *out);
bool wick_r_same_dims(const wick_value *a, const wick_value *b);
bool wick_r_broadcast(const wick_value *a, const wick_value *b, wick_dim *dims, int *rank);
/* Replaces one dimension of -1 by what is left of numel; false: does not divide, or numel differs. */
bool wick_r_infer(wick_dim numel, wick_dim *dims, int rank);
/* Whether `from` can be seen with these dimensions; one of them may be -1. A tensor in which S occurs twice may gain and lose
 * dimensions of 1 only. */
bool wick_r_reshape(const wick_value *from, wick_dim *dims, int rank);
/* A tensor as rows: all dimensions up to the tokens multiply to *n_row, the others to *width. */
bool wick_r_rows(const wick_value *v, wick_dim *n_row, int64_t *width);
/* Index of the first dimension after the one that counts tokens (behind at most two leading ones if none does). */
int wick_r_inner(const wick_value *v);

/* ---------------------------------------------------------------- rewriting (raise_match.c) */

typedef struct wick_match {
    wick_value_id v[8];
    int64_t n[8];
    double number[2];
    bool flag;
    void *extra;
} wick_match;

/* A pattern looks at nodes of one op. match fills *m and changes nothing; build makes the replacement of the root's output (-1: no
 * memory), after which the family runner forwards it. */
typedef struct wick_pattern {
    const char *name;
    wick_op root;
    bool (*match)(wick_raiser *r, const wick_node *n, wick_match *m);
    wick_value_id (*build)(wick_raiser *r, const wick_node *n, const wick_match *m);
} wick_pattern;

/* Runs patterns over all nodes in order, again while anything matched (at most `rounds` times), and brings the graph up to date. */
wick_status wick_r_family(wick_raiser *r, const wick_pattern *patterns, size_t n_pattern, int rounds);
/* Applies `forward` and puts the graph in order. */
wick_status wick_r_settle(wick_raiser *r);

wick_value_id wick_r_now(const wick_raiser *r, wick_value_id v); /* after forwarding */
wick_value_id wick_r_in(const wick_raiser *r, const wick_node *n, int i);
void wick_r_forward(wick_raiser *r, wick_value_id from, wick_value_id to);
const wick_value *wick_r_value(const wick_raiser *r, wick_value_id v);
/* The node that makes v; NULL: none. */
const wick_node *wick_r_maker(const wick_raiser *r, wick_value_id v);
/* Behind views, copies and casts between floats. */
wick_value_id wick_r_strip(const wick_raiser *r, wick_value_id v);
/* The node behind views that makes v, if it is an `op`. */
const wick_node *wick_r_made_by(const wick_raiser *r, wick_value_id v, wick_op op);
/* The same, not looking behind views. */
const wick_node *wick_r_is(const wick_raiser *r, wick_value_id v, wick_op op);
/* The f_other behind views that makes v, if it is this instruction. */
const wick_node *wick_r_made_by_instr(const wick_raiser *r, wick_value_id v, wick_instr_op op);
/* Whether something starts at the position of this step. A program without a position sees the whole sequence at every step: there it
 * is 0, and what is causal gives the same results when the step's first token stands at P. */
bool wick_r_is_position(const wick_raiser *r, wick_dim d);
/* Whether a state starts as zeros, as states of a graph do. */
bool wick_r_starts_zero(const wick_raiser *r, wick_value_id state);
/* The one live node that writes over a state in this step; -1: there is none, or more than one. */
wick_node_id wick_r_writer(const wick_raiser *r, wick_value_id state);
/* The same, if it copies v there. */
wick_node_id wick_r_keeper(const wick_raiser *r, wick_value_id v, wick_value_id state);
/* Whether a comparison or the like has this scalar operand (do_like_first in raise_compute.c). */
bool wick_r_is_with(const wick_node *n, wick_dim scalar);
/* The whole numbers P .. P+n-1. */
bool wick_r_is_positions(const wick_raiser *r, wick_value_id v, wick_dim n);
/* The rows or places that a wrap gives to the positions P .. P+n-1. */
bool wick_r_is_wrapped(const wick_raiser *r, wick_value_id v, wick_dim n, wick_wrap *out);
/* The whole numbers 0 .. n-1, whatever their rank. */
bool wick_r_counts(const wick_raiser *r, wick_value_id v, int64_t n);
/* What v is f_permute[a,b,c,d] of, behind views; -1: nothing. */
wick_value_id wick_r_permuted(const wick_raiser *r, wick_value_id v, int a, int b, int c, int d);
/* Constant with one element, or a number that the program makes a tensor of. */
bool wick_r_scalar(const wick_raiser *r, wick_value_id v, double *out);
/* Constant f32 vector of n elements, whatever its rank: as a rank-1 constant. */
bool wick_r_is_vector(const wick_raiser *r, wick_value_id v, int64_t n);
wick_value_id wick_r_vector(wick_raiser *r, wick_value_id v, int64_t n);
/* [1, S, H, D] with the heads first, as `like` has them. What coarse ops make is turned so where a program goes on with heads first; the
 * turn meets another one before attention, and both go. */
wick_value_id wick_r_flip(wick_raiser *r, wick_value_id v, wick_value_id like);
/* v as [n_row, width], and back to a shape of the program. -1: v is not rows, or no memory. */
wick_value_id wick_r_as_rows(wick_raiser *r, wick_value_id v);
wick_value_id wick_r_view(wick_raiser *r, wick_value_id v, int rank, const wick_dim *dims);
wick_value_id wick_r_like(wick_raiser *r, wick_value_id v, wick_value_id like);
wick_value_id wick_r_op(wick_raiser *r, wick_op op, wick_attrs attrs, int n_in, const wick_value_id *in);

/* ---------------------------------------------------------------- families */

extern const wick_pattern wick_pat_layout[], wick_pat_scatter[], wick_pat_conv[], wick_pat_sdpa[], wick_pat_norm[], wick_pat_linear[],
    wick_pat_embedding[], wick_pat_mlp[], wick_pat_attention[], wick_pat_ring[], wick_pat_int8[], wick_pat_arith[], wick_pat_split[],
    wick_pat_glu[];
extern const size_t wick_n_pat_layout, wick_n_pat_scatter, wick_n_pat_conv, wick_n_pat_sdpa, wick_n_pat_norm, wick_n_pat_linear,
    wick_n_pat_embedding, wick_n_pat_mlp, wick_n_pat_attention, wick_n_pat_ring, wick_n_pat_int8, wick_n_pat_arith, wick_n_pat_split,
    wick_n_pat_glu;

/* A cache with this step's rows put into it at their positions, of which nothing else sees the version before. */
typedef struct wick_r_cache {
    wick_value_id rows, state; /* rows [1, S, G, D] */
    wick_node_id writer;
    int64_t context, n_head, d_head;
} wick_r_cache;

/* v [1, G, C, D]: by an index, then copied back. (pat_sdpa.c) */
bool wick_r_put_cache(const wick_raiser *r, wick_value_id v, wick_r_cache *c);

/* v: q, k, v, states of k and v; n: the nodes that wrote the states, C, G, D, H, window, sinks; number[0]: scale; flag: int8.
 * (pat_attention.c) */
wick_value_id wick_r_build_attention(wick_raiser *r, const wick_node *n, const wick_match *m);

/* A cache that goes around, told by the mask of an attention over it (pat_ring.c). */
typedef struct wick_r_ring {
    int64_t size, window, n_sink;
    wick_value_id list, places; /* after this step; where this step's tokens go */
    wick_node_id keeper;        /* writes the list back; is to stop (writes_state) when the attention is built */
} wick_r_ring;
bool wick_r_find_ring(const wick_raiser *r, wick_value_id mask, wick_dim n_row, int64_t size, wick_r_ring *out);
/* The rows that were put at the ring's places into a cache [1, L, ..] that v is now, and that nobody else looks at; -1: v is none. */
wick_value_id wick_r_put_in_ring(const wick_raiser *r, wick_value_id v, const wick_r_ring *ring, wick_dim n_row, wick_value_id *state);
/* Tokens of a context that only goes around. */
int64_t wick_r_ring_context(const wick_raiser *r);

wick_status wick_r_tables(wick_raiser *r);        /* raise_tables.c: cosines and sines that every step computes anew */
wick_status wick_r_rope(wick_raiser *r);          /* pat_rope.c: algebra over the lanes of a head */
wick_status wick_r_last_row(wick_raiser *r);      /* pat_last_row.c: moves the cut up */
wick_status wick_r_merge_linears(wick_raiser *r); /* pat_merge.c: one weight for linears of one input */
wick_status wick_r_finish(wick_raiser *r);        /* raise_finish.c: views of what is left, dtypes */

#endif
