/* The operators of instr.def as a table. */
#include "program/program.h"

static const struct {
    const char *name, *overload, *full, *args;
} instrs[WICK_N_INSTR] = {
    [WICK_I_UNKNOWN] = {"", "", "?", ""},
#define WICK_INSTR(id, name, overload, args) [WICK_I_##id] = {name, overload, overload[0] ? name "." overload : name, args},
#include "program/instr.def"
};

const char *wick_instr_op_name(wick_instr_op op) { return (unsigned)op < WICK_N_INSTR ? instrs[op].full : "?"; }

const char *wick_instr_op_args(wick_instr_op op) { return (unsigned)op < WICK_N_INSTR ? instrs[op].args : ""; }

wick_instr_op wick_instr_op_find(const char *name, const char *overload) {
    for (int i = 1; i < WICK_N_INSTR; i++)
        if (strcmp(instrs[i].name, name) == 0 && strcmp(instrs[i].overload, overload) == 0) return (wick_instr_op)i;
    return WICK_I_UNKNOWN;
}
