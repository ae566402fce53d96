/* summary.h: what `inspect` says of a program, gathered once and printed twice (text and JSON).
 *
 * Counted from the verified program and the graph that raise made of it, nothing is executed; only how fast it should be is
 * measured: the rate at which this machine reads memory. */
#ifndef WICK_RUN_SUMMARY_H
#define WICK_RUN_SUMMARY_H

#include "base/strbuf.h"
#include "base/table.h"
#include "program/program.h"
#include "raise/raise.h"
#include "run/speed.h"

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
    wick_tally libraries; /* instructions by the library of their kernel: "aten", "llama" */
    uint64_t arena_size;
    bool raised; /* `raise` succeeded; else why_not */
    wick_raised graph;
    wick_error why_not;
    wick_error refused; /* code not OK: Wick does not run this method, for this reason */
} wick_method_summary;

/* Memory that running the raised plan takes. */
typedef struct wick_memory_summary {
    uint64_t packed;      /* weights in panels */
    uint64_t mapped;      /* tables read from the file as they are (embedding, rope) */
    uint64_t kv_f16;      /* cache at the program's full context */
    uint64_t activations; /* of one step of the largest chunk */
} wick_memory_summary;

/* How fast decoding can be at most: all that a token must read, at the rate of memory. */
typedef struct wick_speed_summary {
    wick_memory_rate memory; /* rate 0: not measured */
    uint64_t weights, cache; /* bytes per token; cache: at the end of the context */
} wick_speed_summary;
/* Tokens per second with so many bytes of cache. */
static inline double wick_speed_bound(const wick_speed_summary *s, uint64_t cache) {
    return s->memory.rate / (double)(s->weights + cache ? s->weights + cache : 1);
}

typedef struct wick_summary {
    const wick_program *program;
    uint64_t constant_size, delegate_size, named_size, other_size;
    wick_method_summary *methods; /* those with instructions */
    size_t n_method;
    wick_tally layers; /* weights by kind and scheme: "linear q4 g32", "embedding i8 rows" */
    wick_memory_summary memory;
    wick_speed_summary speed;
    char *sampling; /* the defaults that the program's makers recommend, JSON text as it is carried; NULL: none that can be shown */
    bool estimated; /* the first method is raised and the backend runs it: memory and speed are filled in */
    char **odd;     /* sentences about what is unusual */
    size_t n_odd, odd_cap;
    char **names; /* storage of made-up row names */
    size_t n_name, name_cap;
} wick_summary;

typedef struct wick_summary_options {
    bool measure; /* memory's rate too, with `threads` threads (0: what the machine gives) */
    int threads;
    wick_error refused; /* why opening the program to run it failed; code OK: it did not */
} wick_summary_options;
wick_status wick_summary_make(const wick_program *program, const wick_summary_options *options, wick_summary *out, wick_error *err);
void wick_summary_release(wick_summary *s);

void wick_summary_text(const wick_summary *s, const wick_describe_options *options, wick_strbuf *out);
void wick_summary_json(const wick_summary *s, const wick_describe_options *options, wick_strbuf *out);

/* Adds the sentences about what is unusual. remarks.c */
wick_status wick_summary_remark(wick_summary *s, wick_error *err);

/* "105.5 MB" */
void wick_summary_size(uint64_t bytes, char text[32]);

/* "q4 g32", "i8 rows", "f32": the printed form of a constant's storage. */
void wick_scheme_label(const wick_value *v, char label[32]);

#endif
