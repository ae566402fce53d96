/* pull.h: a model by name, from wherever it is.
 *
 * What comes out is always a program: a checkpoint (GGUF, safetensors, llama2.c) is exported on the way, so that what was pulled
 * runs. The checkpoint itself is then no longer needed and goes, unless it is to be kept. Everything happens in the folder of an
 * unfinished pull (pull_work.h); the model appears when it is whole and can be read. */
#ifndef WICK_APP_PULL_H
#define WICK_APP_PULL_H

#include "store.h"

typedef struct pull_request {
    const char *what;     /* as it was typed: pull_source.h */
    const char *name;     /* NULL: made from the source */
    const char *revision; /* of a repository; NULL: "main" */
    const char *sha256;   /* that the program, or the one checkpoint file, must have; NULL */
    const char *tokenizer;
    const char *const *overrides; /* of the export: "quantization.qmode=fp32" */
    size_t n_overrides;
    int timeout, retries;
    bool force, keep, offline, allow_http, quiet;
} pull_request;

/* *unchanged: the model was there, and the source has nothing newer. */
wick_status pull_model(const pull_request *r, store_model *out, bool *unchanged, wick_error *err);

#endif
