/* lower.h: from a graph to a program that the stock ExecuTorch runtime runs.
 *
 * Lowering knows ops and never models: it walks the graph once and has one function per op and backend. What the backends
 * share is the frame: tokens and input_pos come in, positions are read as integers, table rows of this step are sliced,
 * embeddings, caches and attention are kernel calls, logits go out.
 *
 *   XNNPACK   All row-wise ops between two attentions become one delegate. A node's stage is the number of kernel calls
 *             (attention, last_row, embedding) on the longest way to it; stage t's kernel calls run, then its delegate. A
 *             transformer layer is four instructions: the delegate, update_cache twice, custom_sdpa.
 *   portable  One kernel call per step of an op, fp32, no delegate: the reference, in which nothing can hide.
 *
 * Shapes. An activation [R, W] is a tensor [1, R, W], R being S (dynamic, bounded by max_seq_len) or 1 (static). What
 * attention reads and writes is [1, R, heads, D]: custom_sdpa wants it so, and delegates reshape inside.
 *
 * Contents. Weights stay sources: nothing is read or quantized here. Delegates refer to their weights by named data with the
 * key `<tensor name>.<16 hex digits of the sha256 of the bytes>`: readable, and unique across models, because the stock
 * runtime shares blobs by key between all programs of a process.
 *
 * The result owns nothing of the graph but points into its sources: the graph must live until the program is written. */
#ifndef WICK_EXPORT_LOWER_H
#define WICK_EXPORT_LOWER_H

#include "graph/graph.h"
#include "program/pte.h"
#include "wick_export.h"

/* A constant method: a getter that a runtime calls for what it must know of the model. */
typedef enum wick_metadata_kind { WICK_METADATA_INT, WICK_METADATA_BOOL, WICK_METADATA_DOUBLE, WICK_METADATA_STRING } wick_metadata_kind;
typedef struct wick_metadata {
    char *key; /* name of the method */
    wick_metadata_kind kind;
    int64_t *ints; /* INT, BOOL: one output each; the other kinds have one */
    size_t n_int;
    double number;
    char *text;
} wick_metadata;

typedef struct wick_metadata_list {
    wick_metadata *items;
    size_t n, cap;
} wick_metadata_list;

void wick_metadata_release(wick_metadata_list *list);
/* Adds a method, or replaces the one of that name. */
wick_status wick_metadata_set_ints(wick_metadata_list *list, const char *key, wick_metadata_kind kind, const int64_t *values, size_t n,
                                   wick_error *err);
/* The members of a JSON object: integers, booleans, numbers, strings, lists of integers. */
wick_status wick_metadata_set_json(wick_metadata_list *list, const char *json, wick_error *err);

/* Bytes that travel with the program under a key of their own. */
typedef struct wick_lower_blob {
    const char *key;
    wick_source data;
} wick_lower_blob;

typedef struct wick_lower_options {
    wick_export_backend backend;
    const wick_metadata_list *metadata; /* after, or in place of, what the graph itself says; may be NULL */
    const wick_lower_blob *blobs;
    size_t n_blob;
} wick_lower_options;

/* Fills *out (zeroed before). On failure it is released. */
wick_status wick_lower(const wick_graph *g, const wick_lower_options *options, wick_pte *out, wick_error *err);

#endif
