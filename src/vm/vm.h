/* vm.h: executes a program instruction by instruction, as the stock runtime does: the oracle.
 *
 * Written to be read: plain loops over reference arithmetic, one kernel per operator (ops_*.c) and one per delegate node
 * (xnn_*.c), no fusion, no threads. Arenas are the program's own. It runs whole methods, and single instructions or delegate
 * nodes for what raise left. */
#ifndef WICK_VM_VM_H
#define WICK_VM_VM_H

#include "program/program.h"

typedef struct wick_vm wick_vm;

/* A vm for one method: arenas allocated and zeroed, initial values copied, every operator bound. Operators without an
 * implementation are an error here, never during execution. */
wick_status wick_vm_new(const wick_program *p, const wick_program_method *method, wick_vm **out, wick_error *err);
void wick_vm_free(wick_vm *vm);

/* A tensor argument or result: dense, row-major. */
typedef struct wick_vm_tensor {
    int scalar_type, rank;
    int32_t dims[WICK_MAX_RANK];
    void *data;
} wick_vm_tensor;

/* Runs the method. inputs: one per method input, data borrowed during the call. outputs: one per method output, lent until the
 * next call. */
wick_status wick_vm_run(wick_vm *vm, const wick_vm_tensor *inputs, size_t n_input, wick_vm_tensor *outputs, size_t n_output,
                        wick_error *err);

/* Zeroes all state (caches, recurrent state) and restores initial values: as freshly loaded. */
void wick_vm_reset(wick_vm *vm);

/* Bytes of arenas and scratch. */
uint64_t wick_vm_size(const wick_vm *vm);

/* ---- for what raise left: execution in pieces ----
 *
 * Operands in, one instruction or delegate node, results out, in the program's order: resize an operand, take its tensor, fill it,
 * step, take the results. Tensors share arena memory as the program planned it, so results are to be taken before the next operand is
 * given. State in the arenas (caches) stays where it is. A vm that runs in pieces is not run whole. */

/* Makes a tensor of this shape (within its bound) that may be filled; constants and inputs get memory of their own. */
wick_status wick_vm_resize(wick_vm *vm, int32_t value, const int32_t *dims, int rank, wick_error *err);
/* The current tensor of a value; data is NULL if it has no storage yet. A constant that was not resized is not to be written. */
wick_status wick_vm_value(wick_vm *vm, int32_t value, wick_vm_tensor *out, wick_error *err);
/* The same for a value inside the delegate that an instruction calls. */
wick_status wick_vm_xnn_resize(wick_vm *vm, int32_t instruction, uint32_t xnn_value, const int32_t *dims, int rank, wick_error *err);
wick_status wick_vm_xnn_value(wick_vm *vm, int32_t instruction, uint32_t xnn_value, wick_vm_tensor *out, wick_error *err);
/* Computes every number (sizes, positions, what is calculated from them) that follows from the shape of the tokens and the position,
 * for a step of n tokens at `position`; numbers that depend on activations stay as they are. Programs with jumps are refused. */
wick_status wick_vm_integers(wick_vm *vm, int64_t n, int64_t position, wick_error *err);
/* One instruction, or (xnn_node >= 0) one node of the delegate that it calls. */
wick_status wick_vm_step(wick_vm *vm, int32_t instruction, int32_t xnn_node, wick_error *err);

#endif
