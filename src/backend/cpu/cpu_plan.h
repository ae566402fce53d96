/* cpu_plan.h: how a graph becomes work for a team of threads.
 *
 * A plan is a list of phases; a step walks through it, all threads together, with a barrier after each phase. A phase is
 *
 *     row ops   (embedding, norms, rope, activation, quantize, append ...): every op of the phase for one row, then the next
 *               row; rows are split over the threads. Then a barrier, then
 *     the main  one matrix product (split over panels), one attention (split over KV heads, rows and key chunks), one
 *               convolution, or one fine op on the host.
 *
 * A llama layer is six phases: norm + quantize + qkv | rope + append | attention | quantize + o + residual |
 * norm + quantize + gate/up + glu | quantize + down + residual. When a step has one or two rows, row ops whose results live
 * only in their phase (norm + quantize) are done by every thread for itself, in memory of its own: no barrier, no waiting.
 *
 * Fusion is by shape, not by model: a linear that only feeds a glu computes the same columns of both halves and activates in
 * place; a linear that only feeds an addition adds in place; split and last_row are views. Rows that nobody needs are not
 * computed: `last` marks work on the last token's row alone, found by walking back from the logits, so an attention, an
 * o-projection or a head that works on the last row does so whether or not the graph says last_row.
 *
 * Values live in slots: row-major fp32 of a padded width, or codes of a quantized value. Slots are reused once the phase of
 * the last reader has ended. A slot's size is per row; a state multiplies by its rows.
 *
 * Nothing here changes an output bit: which thread does what, how many rows a tile has and where a value lies never enters
 * the arithmetic (kernels.h). */
#ifndef WICK_BACKEND_CPU_PLAN_H
#define WICK_BACKEND_CPU_PLAN_H

#include "backend/backend.h"
#include "kernels/kernels.h"

enum {
    CPU_BLOCK_TILES = 8, /* row tiles whose activations stay in cache while panels pass */
    CPU_BLOCK_UNITS = 8, /* panels (or pairs of them) between two visits of the epilogue, with full row blocks */
    CPU_MAX_HEAD = 512,  /* lanes of a head of attention */
    CPU_LOCAL_ROWS = 2,  /* up to so many rows every thread computes row ops for itself */
};

/* ---------------------------------------------------------------- constants */

typedef enum cpu_weight_kind { CPU_W_Q4, CPU_W_Q8, CPU_W_F32, CPU_W_F16, CPU_W_BF16 } cpu_weight_kind;

/* A matrix in panels. Paired: each half of the columns (gate and up) fills whole panels, n_panel / 2 of them. */
typedef struct cpu_matrix {
    cpu_weight_kind kind;
    bool paired;
    wick_value_id value, bias_value;
    int64_t n, k, k_pad, n_panel;
    size_t panel_size, offset; /* into plan->weights: panels, then colsum, wsum, bias */
    uint8_t *panels;
    float *colsum; /* [n_panel * 16]: Q4 sums of columns, Q8 scales of columns */
    int32_t *wsum; /* Q8: [n_panel * 16] */
    float *bias;   /* [n_panel * 16] or NULL */
} cpu_matrix;

/* Rows looked up by number: rope tables, as fp32. */
typedef struct cpu_table {
    wick_value_id value;
    const float *rows;
    int64_t n_row, stride; /* in floats */
} cpu_table;

/* ---------------------------------------------------------------- values */

typedef struct cpu_ref {
    int32_t slot;   /* -1: nowhere */
    bool last;      /* the slot holds one row: the last token's */
    int32_t column; /* first float */
    int32_t stride; /* floats from row to row */
} cpu_ref;

typedef enum cpu_slot_kind {
    CPU_SLOT_ROWS,  /* fp32 rows */
    CPU_SLOT_CODES, /* a quantized value: codes, sums, zero points, scales */
    CPU_SLOT_HOST,  /* a dense value of a fine op: size from its shape */
} cpu_slot_kind;

/* One value's memory. Several share a block when their lives do not meet. */
typedef struct cpu_slot {
    cpu_slot_kind kind;
    bool last, local;     /* one row only; lives within one phase */
    int64_t width;        /* floats per row, padded to 16; CODES: padded k */
    wick_value_id value;  /* HOST */
    int32_t first, end;   /* phases of the first writer and the last reader */
    int32_t block;        /* memory it lies in */
    int64_t local_offset; /* bytes, for one row, in a thread's own memory (local) */
} cpu_slot;

typedef struct cpu_block {
    int64_t row_size; /* bytes per row */
    bool last;
    int32_t end;              /* last phase of the present user (while planning) */
    wick_value_id host_value; /* >= 0: a dense host value instead */
} cpu_block;

/* ---------------------------------------------------------------- work */

typedef enum cpu_op_kind {
    CPU_EMBED,
    CPU_RMSNORM,
    CPU_LAYERNORM,
    CPU_ROPE,
    CPU_GLU,
    CPU_ACT,
    CPU_ADD,
    CPU_MUL,
    CPU_ADD_ROW,
    CPU_MUL_ROW,
    CPU_SCALE,
    CPU_OFFSET,
    CPU_SOFTCAP,
    CPU_HADAMARD,
    CPU_SCATTER,
    CPU_QUANTIZE,
    CPU_APPEND
} cpu_op_kind;

/* What a thread reads for every row stands in the op itself: between two visits the weights have passed through the cache, and
 * each line of the graph would be a miss. */
typedef struct cpu_op {
    cpu_op_kind kind;
    bool needed; /* even when nobody wants logits: its result reaches a state */
    cpu_ref in[2], out;
    int64_t n;            /* lanes of a row (of the input) */
    int64_t n_part;       /* norms: groups of a row; ROPE: heads; SCATTER: lanes of the result */
    float number, offset; /* norms: eps, 1 if w stands for 1 + w; SCALE, OFFSET, SOFTCAP: the number */
    const float *w, *b;   /* constant rows, fp32 */
    union {
        wick_unary_fn *act; /* ACT, GLU */
        struct {
            wick_rope_fn *turn;
            int32_t cos, sin; /* tables */
            int64_t n_rotary;
            wick_wrap wrap;
        } rope;
        struct {
            const int32_t *map; /* token -> row, or NULL */
            wick_value_id table;
        } embed;
        const int32_t *index; /* SCATTER */
        int32_t cache;        /* APPEND */
        int64_t k_pad;        /* QUANTIZE */
    };
} cpu_op;

typedef enum cpu_main { CPU_MAIN_NONE, CPU_MAIN_LINEAR, CPU_MAIN_ATTEND, CPU_MAIN_CONV, CPU_MAIN_HOST } cpu_main;

typedef struct cpu_phase {
    int32_t first_op, n_op;
    bool ops_last;  /* the row ops work on the last row */
    bool ops_local; /* their results live only here */
    bool ops_needed, main_needed;
    bool main_last;
    cpu_main main;
    wick_node_id node; /* of the main */
    int32_t index;     /* LINEAR: matrix; ATTEND: cache; CONV: its state; HOST: call */
    cpu_ref in, out;   /* LINEAR: x (rows or codes); ATTEND: q, o; CONV: x, y */
    cpu_ref residual;  /* LINEAR: slot >= 0: added */
    wick_glu_fn *gate; /* LINEAR, paired */
    const float *w;    /* CONV */
} cpu_phase;

/* Operands of a fine op: where they are (slot -1: constant or state), and the slot of a dense copy, or -1. */
typedef struct cpu_call {
    cpu_ref in[WICK_NODE_MAX_IN];
    int32_t stage[WICK_NODE_MAX_IN];
} cpu_call;

typedef struct cpu_cache {
    wick_node_id node;
    int64_t n_head, n_kv_head, d_head;
    float scale;
    int64_t window, n_sink;
    bool int8; /* q, k and v are rounded to codes of a head's row */
} cpu_cache;

typedef struct cpu_conv {
    wick_node_id node;
    int64_t n, width;
} cpu_conv;

struct wick_backend_plan {
    const wick_graph *g;
    wick_kernels kernels;
    cpu_matrix *matrices;
    size_t n_matrix, matrix_cap;
    cpu_table *tables;
    size_t n_table, table_cap;
    cpu_slot *slots;
    size_t n_slot, slot_cap;
    cpu_block *blocks;
    size_t n_block, block_cap;
    cpu_op *ops;
    size_t n_op, op_cap;
    cpu_phase *phases;
    size_t n_phase, phase_cap;
    cpu_call *calls;
    size_t n_call, call_cap;
    cpu_cache *caches;
    size_t n_cache, cache_cap;
    cpu_conv *convs;
    size_t n_conv, conv_cap;
    void **owned; /* constant rows, tables and maps converted for us */
    size_t n_owned, owned_cap;
    uint64_t owned_size;
    uint8_t *weights;
    uint64_t weights_size;
    cpu_ref logits;
    int64_t n_embedding;  /* tokens are below this */
    int64_t max_position; /* shortest rope table; INT64_MAX */
    int64_t local_size;   /* bytes per row of a thread's own memory */
    bool has_fine;
};

/* ---------------------------------------------------------------- constants: cpu_const.c */

/* A constant as fresh fp32 (owned by the plan); NULL: no memory. */
float *cpu_const_f32(wick_backend_plan *p, const wick_value *v);
/* The same as int32; *valid becomes false if an element is outside [0, limit). */
int32_t *cpu_const_i32(wick_backend_plan *p, const wick_value *v, int64_t limit, bool *valid);
/* The fp32 table of a value, shared between its users: in place where the file stores fp32 rows. -1: no memory. */
int32_t cpu_table_find(wick_backend_plan *p, wick_value_id value);
/* One row of a stored constant [V, n], as fp32. scratch_ok rows are not needed: it decodes straight into y. */
void cpu_const_row(const wick_kernels *kernels, const wick_value *v, int64_t row, int64_t n, float *y);
/* NULL, or why such a table cannot be looked up. */
const char *cpu_const_refuses(const wick_value *v);
/* One stored number of a float type, at any address. */
float cpu_load_float(wick_dtype dtype, const uint8_t *p);
/* Allocation that lives as long as the plan; NULL: none. */
void *cpu_plan_own(wick_backend_plan *p, void *memory, uint64_t size);

/* ---------------------------------------------------------------- matrices: cpu_pack.c */

/* NULL, or why a linear with this weight cannot run. */
const char *cpu_pack_refuses(const wick_graph *g, const wick_node *n);
/* Adds a matrix to be packed; -1: no memory. */
int32_t cpu_matrix_add(wick_backend_plan *p, wick_value_id value, wick_value_id bias, wick_act_quant act_quant, bool paired);
/* Bytes that the matrices of a graph take. */
uint64_t cpu_weights_size(const wick_graph *g);
/* Packs all matrices with all threads. */
wick_status cpu_pack(wick_backend_plan *p, const wick_plan_options *options, wick_pool *pool, wick_error *err);

/* ---------------------------------------------------------------- schedule: cpu_schedule.c, cpu_slots.c */

wick_status cpu_schedule(wick_backend_plan *p, wick_error *err);
/* Lives, blocks and own memory of all slots, once the phases are known. */
wick_status cpu_slots_place(wick_backend_plan *p, wick_error *err);

#endif
