/* summary.h: what `inspect` says of a program, gathered once and printed twice (text and JSON).
 *
 * Everything here is counted from the verified program and the graph that raise made of it; nothing is executed. */
#ifndef WICK_RUN_SUMMARY_H
#define WICK_RUN_SUMMARY_H

#include "base/strbuf.h"
#include "base/table.h"
#include "program/program.h"
#include "raise/raise.h"

/* How often something occurs, and how many bytes of weights hang on it. */
typedef struct wick_tally_row {
    const char *name; /* static, or lives in the program */
    int64_t n;
    uint64_t bytes;
} wick_tally_row;

typedef struct wick_tally {
    wick_tally_row *rows;
    size_t n, cap;
} wick_tally;

typedef struct wick_method_summary {
    const wick_program_method *method;
    wick_tally kernels;   /* instructions by operator */
    wick_tally nodes;     /* delegate nodes by kind */
    wick_tally delegates; /* delegate calls by backend */
    uint64_t arena_size;
    bool raised; /* `raise` succeeded; else why_not */
    wick_raised graph;
    wick_error why_not;
} wick_method_summary;

/* Memory that running the raised plan takes. */
typedef struct wick_memory_summary {
    uint64_t packed;      /* weights in panels */
    uint64_t mapped;      /* tables read from the file as they are (embedding, rope) */
    uint64_t kv_f16;      /* cache at the program's full context */
    uint64_t activations; /* of one step of the largest chunk */
} wick_memory_summary;

typedef struct wick_summary {
    const wick_program *program;
    uint64_t constant_size, delegate_size, named_size, other_size;
    wick_method_summary *methods; /* those with instructions */
    size_t n_method;
    wick_tally layers; /* weights by kind and scheme: "linear q4 g32", "embedding i8 rows" */
    wick_memory_summary memory;
    char **odd; /* sentences about what is unusual */
    size_t n_odd, odd_cap;
    char **names; /* storage of made-up row names */
    size_t n_name, name_cap;
} wick_summary;

wick_status wick_summary_make(const wick_program *program, wick_summary *out, wick_error *err);
void wick_summary_release(wick_summary *s);

void wick_summary_text(const wick_summary *s, const wick_describe_options *options, wick_strbuf *out);
void wick_summary_json(const wick_summary *s, const wick_describe_options *options, wick_strbuf *out);

/* "q4 g32", "i8 rows", "f32": the printed form of a constant's storage. */
void wick_scheme_label(const wick_value *v, char label[32]);

#endif
