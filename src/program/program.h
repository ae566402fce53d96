/* program.h: a `.pte` with everything it refers to: opened, verified, its delegates parsed, its external data bound.
 *
 * This is what raise and vm work on. After wick_program_open every index is in range, every constant has its bytes, every
 * instruction has a known operator with the right arguments: consumers check nothing again. */
#ifndef WICK_PROGRAM_PROGRAM_H
#define WICK_PROGRAM_PROGRAM_H

#include "base/os.h"
#include "program/ptd.h"
#include "program/pte.h"
#include "program/xnn.h"

/* Every operator that a program may call: see instr.def. */
typedef enum wick_instr_op {
    WICK_I_UNKNOWN,
#define WICK_INSTR(id, name, overload, args) WICK_I_##id,
#include "program/instr.def"
    WICK_N_INSTR
} wick_instr_op;
const char *wick_instr_op_name(wick_instr_op op); /* "aten::add.out" */
/* The argument letters of instr.def. */
const char *wick_instr_op_args(wick_instr_op op);
wick_instr_op wick_instr_op_find(const char *name, const char *overload);

/* The part of wick_pte_check that WICK_CHECK_PLAN asks for; ops: what m->operators mean. */
wick_status wick_pte_check_plan(const wick_pte *p, const wick_pte_method *m, const wick_instr_op *ops, const char *name, wick_error *err);

typedef struct wick_program_method {
    const wick_pte_method *pte;
    wick_instr_op *ops;  /* [n_operator]: what pte->operators mean */
    wick_xnn *delegates; /* [n_delegate]; equal payloads were parsed once. All zero: a foreign delegate (allow_unknown) */
    bool is_metadata;    /* no instructions */
} wick_program_method;

typedef struct wick_program {
    char *path;
    wick_mapping file;
    wick_ptd_set ptd;
    wick_pte pte;
    wick_program_method *methods; /* [pte.n_method] */
} wick_program;

typedef struct wick_program_options {
    bool no_mmap;
    const char *const *data_paths;
    size_t n_data_path;
    bool allow_unknown; /* inspect: unknown operators and foreign delegates are reported, missing external data is left out;
                           none of them is refused */
    bool scales_later;  /* the caller sees to wick_program_check_scales */
} wick_program_options;

wick_status wick_program_open(const char *path, const wick_program_options *options, wick_program **out, wick_error *err);
/* From memory (borrowed), for tests and fuzzers. */
wick_status wick_program_open_memory(wick_bytes file, const char *name, const wick_program_options *options, wick_program **out,
                                     wick_error *err);
void wick_program_close(wick_program *p);

/* Which machines a delegate's backend, or the library of an operator ("aten::add"), is made for; NULL: nobody knows. devices.c */
const char *wick_backend_device(const char *id);
const char *wick_operator_device(const char *name);

/* The part of opening that reads weights: scales of a method's delegates are positive normal numbers (base/scales.h). */
wick_status wick_program_check_scales(const wick_program *p, const wick_program_method *m, wick_error *err);

const wick_program_method *wick_program_method_find(const wick_program *p, const char *name);
/* Constant bytes of a tensor, wherever they are (segment, old buffer, external file); false: it is not a constant. */
bool wick_program_constant(const wick_program *p, const wick_pte_tensor *t, wick_bytes *out);
/* Bytes that a planned tensor begins with, wherever they are; false: it has none (and begins as zeros). */
bool wick_program_initial(const wick_program *p, const wick_pte_tensor *t, wick_bytes *out);

#endif
