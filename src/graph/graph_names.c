#include "graph/graph.h"

static const char *const op_names[] = {
#define WICK_OP(name, attrs, meaning) #name,
#include "graph/ops.def"
};

const char *wick_op_name(wick_op op) { return (unsigned)op < WICK_N_OP ? op_names[op] : "?"; }

bool wick_op_is_coarse(wick_op op) { return op < WICK_OP_f_add; }

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"f32", 4}, {"f16", 2}, {"bf16", 2}, {"i8", 1}, {"u8", 1}, {"i32", 4}, {"i64", 8}, {"bool", 1}, {"f64", 8}};

size_t wick_dtype_size(wick_dtype dtype) { return dtypes[dtype].size; }
const char *wick_dtype_name(wick_dtype dtype) { return dtypes[dtype].name; }
