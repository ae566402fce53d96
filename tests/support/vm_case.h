/* vm_case.h: a program of one instruction, built in memory, to run one operator of the vm on given arguments. Every tensor lies in an
 * arena of its own, so that a sanitizer sees any step outside. */
#ifndef WICK_TESTS_VM_CASE_H
#define WICK_TESTS_VM_CASE_H

#include "program/program.h"
#include "support/support.h"
#include "vm/vm.h"

enum { VM_CASE_VALUES = 128 };

typedef struct vm_case {
    wick_pte_value values[VM_CASE_VALUES];
    wick_pte_tensor tensors[VM_CASE_VALUES]; /* of the values */
    void *content[VM_CASE_VALUES];           /* initial bytes of tensors, malloc; NULL: zeros */
    bool expected[VM_CASE_VALUES];           /* content is what the operator must write */
    uint32_t n_value;
    int32_t args[VM_CASE_VALUES];
    uint32_t n_arg;
    char name[128];
    double tolerance;
    /* made by vm_case_open */
    int64_t arenas[VM_CASE_VALUES + 1];
    char op_name[128];
    wick_pte_operator op;
    wick_instr_op ops[1];
    wick_pte_instr instr;
    wick_pte_method method;
    wick_program_method program_method;
    wick_program program;
    wick_vm *vm;
} vm_case;

/* Values; each returns its index. Lists hold value indices (-1: none) or, for integers, values made from `list`. */
int32_t vm_case_tensor(vm_case *c, int type, int rank, const int32_t *dims);
int32_t vm_case_int(vm_case *c, int64_t v);
int32_t vm_case_double(vm_case *c, double v);
int32_t vm_case_null(vm_case *c);
int32_t vm_case_ints(vm_case *c, int n, const int64_t *list);
int32_t vm_case_tensors(vm_case *c, int n, const int32_t *values);
void vm_case_arg(vm_case *c, int32_t value);

/* Makes the vm and fills the tensors that are not expected results. */
wick_status vm_case_open(vm_case *c, wick_error *err);
/* open, then the instruction. */
wick_status vm_case_run(vm_case *c, wick_error *err);
/* The vm only: the case may be changed and run again. */
void vm_case_close(vm_case *c);
void vm_case_release(vm_case *c);

/* Reads the next case of tests/data/ops/vectors.txt (format: tests/vm/make_vectors.py); false: end. */
bool vm_case_read(vm_case *c, FILE *f);
/* Fails the test unless every result is as expected. */
void vm_case_check(const vm_case *c);

#endif
