/* export.h: one export under way, as its steps see it. */
#ifndef WICK_EXPORT_EXPORT_H
#define WICK_EXPORT_EXPORT_H

#include "export/build.h"
#include "export/lower.h"

typedef struct wick_export_job {
    const wick_export_options *options;
    const wick_export_hooks *hooks; /* may be NULL */
    wick_recipe recipe;
    char *output;
    wick_checkpoint *checkpoint;
    wick_quantizer *quantizer;
    wick_graph *graph;
    wick_metadata_list metadata;
    wick_lower_blob blobs[3];
    size_t n_blob;
    wick_tokenizer *tokenizer; /* NULL: none */
    char *tokenizer_problem;   /* why the one that was found is not used; NULL */
    wick_pte program;
    uint64_t file_size;
} wick_export_job;

/* Opens the tokenizer that options or checkpoint name, if any. */
wick_status wick_export_tokenizer(wick_export_job *e, wick_error *err);
/* Its compiled form; size 0: there is none. */
wick_bytes wick_export_tokenizer_blob(const wick_export_job *e);

/* Says through hooks->report what is made: shapes, schemes, sizes, memory, and what stays float and why. */
wick_status wick_export_report(wick_export_job *e, wick_error *err);

/* Bytes of all constants, codes and scales. */
uint64_t wick_export_weights_size(const wick_pte *p);

#endif
