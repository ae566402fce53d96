/* ops.h: the operators' functions, by subject; ops_table.c says which operator is which function and variant. */
#ifndef WICK_VM_OPS_H
#define WICK_VM_OPS_H

#include "vm/vm_state.h"

/* Elementwise rules, shared by operators and delegate nodes. */
typedef enum wick_binary {
    WICK_BIN_ADD,
    WICK_BIN_SUB,
    WICK_BIN_MUL,
    WICK_BIN_DIV,
    WICK_BIN_FLOOR_DIV,
    WICK_BIN_REMAINDER,
    WICK_BIN_POW,
    WICK_BIN_MAXIMUM,
    WICK_BIN_MINIMUM,
    WICK_BIN_EQ,
    WICK_BIN_NE,
    WICK_BIN_LT,
    WICK_BIN_LE,
    WICK_BIN_GT,
    WICK_BIN_GE,
    WICK_BIN_AND,
    WICK_BIN_OR,
    WICK_BIN_XOR,
    WICK_BIN_LOGICAL_AND,
    WICK_BIN_LOGICAL_OR,
    WICK_BIN_LOGICAL_XOR
} wick_binary;
typedef enum wick_unary {
    WICK_UN_NEG,
    WICK_UN_ABS,
    WICK_UN_SQUARE,
    WICK_UN_SQRT,
    WICK_UN_RSQRT,
    WICK_UN_RECIPROCAL,
    WICK_UN_EXP,
    WICK_UN_LOG,
    WICK_UN_LOG1P,
    WICK_UN_SIN,
    WICK_UN_COS,
    WICK_UN_TANH,
    WICK_UN_ERF,
    WICK_UN_SIGMOID,
    WICK_UN_GELU,
    WICK_UN_GELU_TANH,
    WICK_UN_RELU,
    WICK_UN_FLOOR,
    WICK_UN_CEIL,
    WICK_UN_ROUND,
    WICK_UN_TRUNC,
    WICK_UN_LOGICAL_NOT,
    WICK_UN_BITWISE_NOT,
    WICK_UN_HARDSWISH,
    WICK_UN_COPY
} wick_unary;
typedef enum wick_prim {
    WICK_PRIM_NEG,
    WICK_PRIM_FLOAT,
    WICK_PRIM_INT,
    WICK_PRIM_TRUNC,
    WICK_PRIM_NOT,
    WICK_PRIM_CEIL,
    WICK_PRIM_ROUND
} wick_prim;
double wick_binary_real(wick_binary op, double a, double b);
/* Division by zero gives 0; overflow wraps. */
int64_t wick_binary_int(wick_binary op, int64_t a, int64_t b);
double wick_unary_real(wick_unary op, double x);
/* True if the rule stays within the integers (int64), so that integer operands are not converted. */
bool wick_binary_keeps_int(wick_binary op);

/* out = a op b with broadcasting; out has its shape. */
void wick_vt_binary(wick_binary op, const wick_vt *a, const wick_vt *b, double alpha, wick_vt *out);
void wick_vt_unary(wick_unary op, const wick_vt *x, wick_vt *out);
/* Dims from sizes, one of which may be `inferred` (-1 in views, 0 in delegates) and follows from the number of elements. */
wick_status wick_vt_infer(const wick_vt *x, const int64_t *sizes, int n, int64_t inferred, int32_t *dims, wick_error *err);
/* out[i..] = x[offset + sum i * stride], converting: what slices, permutations and expansions are. Elements must exist. */
void wick_vt_strided(const wick_vt *x, int64_t offset, const int64_t *stride, wick_vt *out);
/* out[offset + sum i * stride] = x[i..]. */
void wick_vt_strided_into(wick_vt *out, int64_t offset, const int64_t *stride, const wick_vt *x);
/* Element strides of a dense tensor. */
void wick_vt_strides(const wick_vt *x, int64_t *stride);
/* The same elements in the same order, converted. */
void wick_vt_copy_all(wick_vt *out, const wick_vt *x);
/* out[.., axis, ..] = items one after the other. Shapes were checked. */
void wick_vt_concat(const wick_vt *const *items, uint32_t n, int axis, wick_vt *out);
void wick_vt_permute(const wick_vt *x, const int *perm, wick_vt *out);
/* Softmax (or its logarithm) over an axis. */
void wick_vt_softmax(const wick_vt *x, int axis, bool log, wick_vt *out);
/* Sum of a[i] * b[i] over n, in double. */
double wick_dot(const float *a, const float *b, int64_t n);
/* out[at..] = a [M, K] x b [K, N], row by row; sums: scratch [N]. */
void wick_matmul(const float *a, const float *b, int64_t m, int64_t k, int64_t n, double *sums, wick_vt *out, uint64_t at);
/* The tensor as floats: its own bytes, or converted into `space` (as many floats as elements). */
const float *wick_vt_floats(const wick_vt *t, float *space);

/* ops_prim.c */
wick_vm_fn wick_vm_sym_size, wick_vm_sym_numel, wick_vm_local_scalar, wick_vm_prim_binary, wick_vm_prim_unary, wick_vm_prim_ite,
    wick_vm_et_view, wick_vm_et_copy_index;
/* ops_arith.c */
wick_vm_fn wick_vm_binary, wick_vm_binary_alpha, wick_vm_binary_scalar, wick_vm_binary_scalar_alpha, wick_vm_rsub, wick_vm_div_mode,
    wick_vm_unary, wick_vm_gelu, wick_vm_where, wick_vm_clamp, wick_vm_masked_fill;
/* ops_shape.c */
wick_vm_fn wick_vm_copy_like, wick_vm_copy_into, wick_vm_view_copy, wick_vm_slice, wick_vm_select, wick_vm_squeeze, wick_vm_unsqueeze,
    wick_vm_permute, wick_vm_transpose, wick_vm_cat, wick_vm_stack, wick_vm_unbind, wick_vm_split, wick_vm_split_sizes, wick_vm_expand,
    wick_vm_slice_scatter, wick_vm_select_scatter, wick_vm_repeat, wick_vm_flip, wick_vm_roll;
/* ops_fill.c */
wick_vm_fn wick_vm_full, wick_vm_full_like, wick_vm_arange, wick_vm_scalar_tensor, wick_vm_empty, wick_vm_pad, wick_vm_tril;
/* ops_index.c */
wick_vm_fn wick_vm_embedding, wick_vm_index, wick_vm_index_put, wick_vm_gather, wick_vm_scatter, wick_vm_index_select, wick_vm_topk;
/* ops_reduce.c */
wick_vm_fn wick_vm_mean, wick_vm_any, wick_vm_extreme, wick_vm_arg_extreme, wick_vm_softmax, wick_vm_layer_norm, wick_vm_cumsum,
    wick_vm_var;
/* ops_matmul.c */
wick_vm_fn wick_vm_linear, wick_vm_mm, wick_vm_bmm, wick_vm_addmm, wick_vm_convolution;
/* ops_llama.c */
wick_vm_fn wick_vm_update_cache, wick_vm_update_cache_indices, wick_vm_custom_sdpa, wick_vm_quantized_sdpa, wick_vm_sdpa_kv_cache,
    wick_vm_hadamard;
/* ops_delta.c */
wick_vm_fn wick_vm_gated_delta_rule;
/* ops_quant.c */
wick_vm_fn wick_vm_embedding_quantized, wick_vm_choose_qparams_token, wick_vm_quantize_token, wick_vm_dequantize_token,
    wick_vm_quantize_channel, wick_vm_dequantize_channel, wick_vm_quantize_tensor, wick_vm_dequantize_tensor, wick_vm_choose_qparams_tensor;

#endif
