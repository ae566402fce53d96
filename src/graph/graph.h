/* graph.h: a model as Wick sees it, between a checkpoint and a program, and between a program and a plan.
 *
 * A graph is a list of nodes in topological order over values in single assignment. It is coarse: a transformer layer is
 * about a dozen nodes. It knows ops, never models, and nothing of files, processors or threads. Export builds one and
 * lowers it to a program; the runtime raises one from a program; both ends print the same text:
 *
 *     %8: f32[S,576] = rmsnorm(%7, w f32[576]) eps=1e-05
 *     %9: f32[S,960] = linear(%8, w q4g32[960,576]) act=q8
 *     ...
 *
 * Dimensions are affine in two symbols: S, the tokens of this step, and P, the position of the first of them. Weights are
 * sources (base/source.h): resident when the graph was raised from a mapped file, lazy when it was built by an exporter.
 *
 * Canonical form. Exporters build it and raise delivers it, so that equal models print equally:
 *   - q, k and v are one linear followed by splits; gate and up are one linear followed by glu; a bias is the linear's;
 *   - rows of the last layer are cut by last_row just before the attention's query (after rope) and on the residual,
 *     so everything after the last attention works on one row;
 *   - rope tables are half width [C, D/2], whatever the program stores; its style says how lanes pair up;
 *   - dead values are gone, nodes are in the order of wick_graph_canonicalize.
 */
#ifndef WICK_GRAPH_GRAPH_H
#define WICK_GRAPH_GRAPH_H

#include "base/error.h"
#include "base/limits.h"
#include "base/source.h"
#include "base/strbuf.h"

/* ---------------------------------------------------------------- types */

typedef enum wick_dtype { WICK_F32, WICK_F16, WICK_BF16, WICK_I8, WICK_U8, WICK_I32, WICK_I64, WICK_BOOL, WICK_F64 } wick_dtype;
size_t wick_dtype_size(wick_dtype dtype);
const char *wick_dtype_name(wick_dtype dtype); /* "f32" ... */

/* c + s * S + p * P */
typedef struct wick_dim {
    int64_t c, s, p;
} wick_dim;
static inline wick_dim wick_dim_const(int64_t c) { return (wick_dim){c, 0, 0}; }
static inline wick_dim wick_dim_s(void) { return (wick_dim){0, 1, 0}; }
static inline bool wick_dim_is_const(wick_dim d) { return d.s == 0 && d.p == 0; }
static inline bool wick_dim_equal(wick_dim a, wick_dim b) { return a.c == b.c && a.s == b.s && a.p == b.p; }
static inline int64_t wick_dim_eval(wick_dim d, int64_t s, int64_t p) { return d.c + d.s * s + d.p * p; }

/* How the numbers of a constant are stored. Integer schemes are symmetric: value = code * scale. */
typedef enum wick_scheme_kind {
    WICK_SCHEME_PLAIN, /* elements of the value's dtype */
    WICK_SCHEME_INT,   /* codes of `bits` bits, one scale per row or per group of a row */
} wick_scheme_kind;

typedef enum wick_packing {
    WICK_PACK_BYTE,      /* one int8 per code */
    WICK_PACK_LOW_FIRST, /* 4 bit, code + 8, low nibble = even k (XNNPACK) */
    WICK_PACK_HIGH_FIRST /* 4 bit, code + 8, high nibble = even k (embedding_4bit); 2 bit: code + 2, lowest bits first */
} wick_packing;

typedef struct wick_scheme {
    wick_scheme_kind kind;
    int bits;               /* INT: 2, 4, 8 */
    int64_t group;          /* INT: codes per scale along a row; 0: one scale per row */
    wick_dtype scale_dtype; /* F32, BF16 or F16; storage, not printed */
    wick_packing packing;   /* storage, not printed */
} wick_scheme;

/* A constant is a stack of parts along its first dimension, each with its own bytes: three files' worth of q, k and v make
 * one weight without being copied. Parts of one constant share the scheme. */
typedef struct wick_part {
    int64_t n_row;
    wick_source data;
    wick_source scales;     /* INT: [n_row, n_group] of scale_dtype; size 0 otherwise */
    int64_t row_stride;     /* PLAIN, resident: bytes from row to row; 0: dense */
    bool transposed;        /* PLAIN linear weight stored [K, n_row] (mm, addmm) */
    bool negated;           /* PLAIN: the value is the stored number times -1 (sin tables of some layouts) */
    const int32_t *row_map; /* NULL, or for each row of this part the stored row that holds it (borrowed) */
    const char *name;       /* of the tensor in the checkpoint or file, for messages and keys; borrowed, may be NULL */
} wick_part;

typedef enum wick_value_kind {
    WICK_VALUE_INPUT, /* given at every step */
    WICK_VALUE_CONST, /* weights and tables */
    WICK_VALUE_STATE, /* lives from step to step, zero at the start: KV caches, convolution state. One that a node made is a
                       * later version of it: only fine ops use those, and they live in the vm, so hosts get no pointer */
    WICK_VALUE_TEMP,  /* made by a node */
} wick_value_kind;

typedef int32_t wick_value_id; /* index into graph->values; -1: none */
typedef int32_t wick_node_id;

typedef struct wick_value {
    wick_value_kind kind;
    wick_dtype dtype; /* of the elements as the ops see them (a quantized weight is F32) */
    int rank;
    wick_dim dims[WICK_MAX_RANK];
    wick_scheme scheme; /* CONST */
    wick_part *parts;   /* CONST, owned by the graph */
    int n_part;
    wick_node_id producer; /* TEMP */
    int32_t origin;        /* EValue index in the program this was raised from; -1 */
} wick_value;

/* ---------------------------------------------------------------- ops */

typedef enum wick_op {
#define WICK_OP(name, attrs, meaning) WICK_OP_##name,
#include "graph/ops.def"
    WICK_N_OP
} wick_op;

typedef enum wick_act { WICK_ACT_SILU, WICK_ACT_GELU, WICK_ACT_GELU_TANH, WICK_ACT_RELU, WICK_ACT_SIGMOID, WICK_ACT_TANH } wick_act;

typedef enum wick_act_quant {
    WICK_ACTQ_NONE,
    WICK_ACTQ_ROW8, /* x is rounded to int8 with a scale and zero point per row, as XNNPACK's Convert does */
} wick_act_quant;

typedef enum wick_rope_style {
    WICK_ROPE_HALF,       /* lane j pairs with j + D'/2 */
    WICK_ROPE_INTERLEAVED /* lane 2j pairs with 2j + 1 */
} wick_rope_style;

/* Which row of a table, or place of a cache, belongs to a position: the first n_fixed positions have rows of their own, the others go
 * around in the period rows behind them. Period 0: every position has its own. */
typedef struct wick_wrap {
    int64_t n_fixed, period;
} wick_wrap;
static inline int64_t wick_wrap_row(wick_wrap w, int64_t position) {
    return w.period && position >= w.n_fixed ? w.n_fixed + (position - w.n_fixed) % w.period : position;
}

typedef struct wick_attrs {
    union {
        struct {
            wick_act_quant act_quant;
        } linear;
        struct {
            float eps;
            int64_t n_group;
            bool unit_offset;
        } norm; /* unit_offset: multiply by 1 + w */
        struct {
            wick_rope_style style;
            int64_t n_head, n_rotary; /* first n_rotary lanes of each head turn */
            wick_wrap wrap;           /* rows of the tables */
        } rope;
        struct {
            int64_t n_head, n_kv_head, d_head;
            float scale;    /* of q.k */
            int64_t window; /* 0: all earlier tokens; else the newest `window` of them, itself included */
            int64_t n_sink; /* with a window: the first tokens, which stay visible beside it */
            float softcap;  /* 0: none */
            bool kv_int8;   /* of q, k and v it sees what int8 leaves, with a scale and zero point per token and head */
        } attention;
        struct {
            wick_act act;
        } act;
        struct {
            int64_t start, count;
        } split;
        struct {
            float scale;
        } scale;
        struct {
            int64_t width;
        } conv;
        struct { /* fine ops: what their rewriting needs */
            int64_t axis;
            wick_dim start, end; /* slice: [start, end) */
            double number;       /* scalar operand, alpha, eps */
            bool flag;           /* gelu by tanh, causal sdpa, keepdim ... */
            int perm[WICK_MAX_RANK];
        } fine;
    };
} wick_attrs;

enum { WICK_NODE_MAX_IN = 8 };

/* Where a raised node came from; n_step instructions or delegate nodes that it stands for. */
typedef struct wick_origin {
    int32_t instruction; /* -1: built, not raised */
    int32_t xnn_node;    /* node in the delegate that the instruction calls; -1: the instruction itself */
} wick_origin;

typedef struct wick_node {
    wick_op op;
    wick_attrs attrs;
    wick_value_id in[WICK_NODE_MAX_IN]; /* -1: optional input that is absent */
    int n_in;
    wick_value_id *more_in; /* f_cat, f_other with more than WICK_NODE_MAX_IN inputs: all of them; else NULL. Owned. */
    wick_value_id out;      /* every op has one output */
    wick_origin origin;
    bool writes_state; /* fine ops: stays though nobody reads its output */
    bool dead;
} wick_node;

typedef struct wick_graph {
    wick_value *values;
    size_t n_value, value_cap;
    wick_node *nodes;
    size_t n_node, node_cap;
    wick_value_id tokens;   /* input i64 [S] */
    wick_value_id logits;   /* output f32 [1,V], or [S,V] */
    wick_value_id position; /* input i64 [1], the number P, or i64 [S], P .. P+S-1; -1: none. Only fine ops read it */
    int64_t max_seq_len;    /* bound of S */
    int64_t max_context;    /* bound of P + S */
    int64_t n_vocab, n_layer;
    bool uses_kv_cache;
    void **owned; /* allocations (tables, maps, names) that live as long as the graph */
    size_t n_owned, owned_cap;
    bool failed; /* memory ran out in an adder */
} wick_graph;

/* ---------------------------------------------------------------- building */

wick_status wick_graph_new(wick_graph **out, wick_error *err);
void wick_graph_free(wick_graph *g);

/* Adders return the new value, or -1 when memory ran out (checked once at the end: see wick_graph_failed). */
wick_value_id wick_graph_input(wick_graph *g, wick_dtype dtype, int rank, const wick_dim *dims);
wick_value_id wick_graph_state(wick_graph *g, wick_dtype dtype, int rank, const int64_t *dims);
/* parts is copied; n_row must add up to dims[0]. */
wick_value_id wick_graph_const(wick_graph *g, wick_dtype dtype, int rank, const int64_t *dims, wick_scheme scheme, const wick_part *parts,
                               int n_part);
/* Shape and dtype of the output follow from the op's rule; a broken rule is a status from wick_graph_check. */
wick_value_id wick_graph_op(wick_graph *g, wick_op op, wick_attrs attrs, const wick_value_id *in, int n_in);
/* A fine op: its output's shape is the program's. Its inputs are all tensor arguments that the instruction or delegate node reads,
 * in argument order, lists flattened, -1 for absent ones: a host finds the program's values by that order. */
wick_value_id wick_graph_fine(wick_graph *g, wick_op op, wick_attrs attrs, const wick_value_id *in, int n_in, wick_dtype dtype, int rank,
                              const wick_dim *dims, wick_origin origin);
bool wick_graph_failed(const wick_graph *g);
/* Hands an allocation of base/mem to the graph; returns p, or NULL (and frees p) when memory ran out. */
void *wick_graph_own(wick_graph *g, void *p);

/* ---------------------------------------------------------------- reading */

const char *wick_op_name(wick_op op);
bool wick_op_is_coarse(wick_op op);
static inline const wick_value_id *wick_node_inputs(const wick_node *n) { return n->more_in ? n->more_in : n->in; }
static inline int64_t wick_value_width(const wick_value *v) { return v->rank ? v->dims[v->rank - 1].c : 1; }

/* Every node's inputs exist and come before it, every shape follows the op's rule, constants have the bytes their shapes
 * need: the contract that exporters and raise deliver to backends. */
wick_status wick_graph_check(const wick_graph *g, wick_error *err);

/* What a token sees of a sequence that has no end. */
typedef struct wick_sight {
    int64_t n_first, n_last; /* the first tokens, and the newest ones, itself included: in the layer that sees most of each */
} wick_sight;

/* True if the graph takes tokens at any position: every attention sees through a window and every rope table goes around, so that no
 * cache and no table has a last position. (A fine op may do anything with a position.) */
bool wick_graph_is_endless(const wick_graph *g, wick_sight *sight);

/* ---------------------------------------------------------------- rewriting */

/* All uses of `from` (and the graph's output) become uses of `to`. */
void wick_graph_replace(wick_graph *g, wick_value_id from, wick_value_id to);
/* Number of live nodes that read a value, the graph's output counting as one. */
int wick_graph_n_use(const wick_graph *g, wick_value_id v);
/* Drops nodes whose output nobody needs (attention and short_conv write state and are kept while their output is used). */
void wick_graph_sweep(wick_graph *g);
/* Sweeps and puts nodes and values into the one order that depends on structure alone: depth first from the logits,
 * inputs in operand order. Fine ops with an origin keep the program's order among themselves, because state may pass between
 * them. Everything unreachable is dropped. A cycle is WICK_EINTERNAL. Value and node ids change. */
wick_status wick_graph_canonicalize(wick_graph *g, wick_error *err);

/* ---------------------------------------------------------------- printing */

/* The stable text form: golden tests and the raise(lower(g)) property compare it. Storage (packing, parts, names,
 * origins) is not part of it. */
void wick_graph_print(const wick_graph *g, wick_strbuf *out);

#endif
