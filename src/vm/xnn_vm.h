/* xnn_vm.h: delegate nodes in the vm. A delegate's values are wick_vt like all tensors; a dynamically quantized one (qdint8) holds
 * its codes and, behind them, a scale and a zero point per row. */
#ifndef WICK_VM_XNN_VM_H
#define WICK_VM_XNN_VM_H

#include "vm/ops.h"

/* Of one row of a qdint8 value: x = (code - zero) * scale. */
typedef struct wick_row_quant {
    float scale;
    int32_t zero;
} wick_row_quant;

/* Rows of a qdint8 value and where their parameters are. */
static inline int64_t wick_vx_row_length(const wick_xnn_value *v, const wick_vt *t) {
    return wick_vt_span(t, t->rank > v->num_nonbatch ? t->rank - v->num_nonbatch : 0, t->rank);
}
static inline wick_row_quant *wick_vx_rows(const wick_vt *t) {
    return (wick_row_quant *)(void *)(t->data + ((wick_vt_count(t) + 7) & ~(uint64_t)7));
}
/* Bytes that a value takes with its current dims. */
uint64_t wick_vx_size(const wick_vx *d, uint32_t value);

/* Refuses what the vm cannot execute (xnn_nodes.c). */
wick_status wick_vx_check(const wick_xnn *x, wick_error *err);
/* The dims of a node's output from those of its inputs, into the output's wick_vt (xnn_infer.c). */
wick_status wick_vx_infer(wick_vx *d, const wick_xnn_node *n, wick_error *err);
/* Executes a node whose values all have dims and data (xnn_nodes.c). */
wick_status wick_vx_node(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err);

/* xnn_matmul.c */
wick_status wick_vx_fully_connected(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err);
wick_status wick_vx_batch_matmul(wick_vm *vm, wick_vx *d, const wick_xnn_node *n, wick_error *err);
void wick_vx_convolution(wick_vx *d, const wick_xnn_node *n);
/* xnn_quant.c: rows of floats to codes. */
void wick_vx_quantize(const wick_vt *x, int64_t k, wick_vt *out);

#endif
