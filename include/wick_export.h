/* wick_export.h: make `.pte` programs from checkpoints.
 *
 * The exporter streams: it reads a tensor, quantizes it and writes it, so its memory is a few tensors and its time about
 * that of reading, quantizing and writing. The result appears under its name only when it is complete. */
#ifndef WICK_EXPORT_H
#define WICK_EXPORT_H

#include "wick.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum wick_export_backend { WICK_BACKEND_XNNPACK, WICK_BACKEND_PORTABLE } wick_export_backend;
typedef enum wick_export_dtype { WICK_DTYPE_KEEP, WICK_DTYPE_FP32, WICK_DTYPE_FP16, WICK_DTYPE_BF16 } wick_export_dtype;

typedef struct wick_export_options {
    const char *checkpoint;             /* file (llama2.c .bin, GGUF, safetensors) or folder (Hugging Face) */
    const char *params;                 /* architecture JSON; NULL: found beside or inside the checkpoint */
    const char *tokenizer;              /* NULL: found beside or inside the checkpoint; "" : embed none */
    const char *output;                 /* NULL: a name made from the model and the recipe */
    const char *output_folder;          /* where such a name goes; NULL: the current folder */
    const char *qmode;                  /* "8da4w" or "fp32"; default "8da4w" */
    int group_size;                     /* 32 */
    const char *embedding_quantize;     /* "8,0" (bits,group; group 0: one scale per row) or "fp32" */
    wick_export_backend backend;        /* XNNPACK */
    wick_export_dtype checkpoint_dtype; /* round the weights to this first; KEEP: as they are stored */
    int64_t max_seq_len;                /* 0: min(2048, the model's own) */
    int64_t max_context;                /* 0: max_seq_len */
    const char *metadata;               /* JSON object: more constant methods, or other values for ours; NULL: none */
    int threads;                        /* 0: what the machine gives */
    bool dry_run;                       /* plan and report, write nothing */
} wick_export_options;

wick_export_options wick_export_options_default(void);

/* Fills options from a YAML or JSON file in ExecuTorch's `export_llm` schema, then from overrides such as
 * "quantization.qmode=8da4w" (a leading '+' is allowed). Strings are owned by *config. Unknown keys are errors, as are values
 * that Wick cannot follow. What a file leaves out has the schema's default in quantization and backend (so a file without a
 * qmode means fp32), and Wick's default elsewhere. */
typedef struct wick_export_config wick_export_config;
wick_status wick_export_config_new(wick_export_config **out, wick_error *err);
void wick_export_config_free(wick_export_config *config);
wick_status wick_export_config_file(wick_export_config *config, const char *path, wick_error *err);
wick_status wick_export_config_set(wick_export_config *config, const char *assignment, wick_error *err);
/* The options as they stand; pointers are valid until the config changes or is freed. */
const wick_export_options *wick_export_config_get(const wick_export_config *config);
wick_export_options *wick_export_config_edit(wick_export_config *config);

typedef struct wick_export_hooks {
    wick_progress_fn *progress; /* bytes done and in all; called from one thread at a time */
    wick_write_fn *report;      /* what will be or was made: layers, schemes, sizes, what stays float and why */
    void *user;
} wick_export_hooks;

typedef struct wick_export_result {
    char *output; /* path, owned */
    uint64_t file_size;
    uint64_t weights_size;
    int n_instructions, n_delegates;
    double seconds;
} wick_export_result;

void wick_export_result_release(wick_export_result *result);

wick_status wick_export(const wick_export_options *options, const wick_export_hooks *hooks, wick_export_result *result, wick_error *err);

#ifdef __cplusplus
}
#endif
#endif
