/* jsonl.h: verbs for pipelines: one JSON object per line in, exactly one out, also when something is wrong with it. */
#ifndef WICK_APP_JSONL_H
#define WICK_APP_JSONL_H

#include "base/error.h"

#include <jansson.h>

/* Fills an (empty) answer from a question; an error becomes {"error": "..."}. */
typedef wick_status jsonl_fn(void *user, const json_t *question, json_t *answer, wick_error *err);

/* Standard input to standard output; false: output failed. */
bool jsonl_run(jsonl_fn *fn, void *user);

#endif
