/* container.h: checkpoint files as named tensors and metadata.
 *
 * A container knows the bytes of one file format (safetensors, GGUF, llama2.c) and nothing of models: what a tensor is for
 * is read by export/, what the metadata of a tokenizer means by text/. Opening verifies everything once; afterwards every
 * tensor's range lies inside the mapped file. The kind of a file is found by content. */
#ifndef WICK_CONTAINER_CONTAINER_H
#define WICK_CONTAINER_CONTAINER_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/table.h"

typedef enum wick_tensor_type {
    WICK_TENSOR_F32,
    WICK_TENSOR_F16,
    WICK_TENSOR_BF16,
    WICK_TENSOR_F64,
    WICK_TENSOR_I8,
    WICK_TENSOR_U8,
    WICK_TENSOR_I16,
    WICK_TENSOR_I32,
    WICK_TENSOR_I64,
    WICK_TENSOR_BOOL,
    WICK_TENSOR_Q4_0,
    WICK_TENSOR_Q4_1,
    WICK_TENSOR_Q8_0, /* GGUF blocks of 32 along a row */
    WICK_TENSOR_OTHER /* known to the format, not to Wick: named in messages */
} wick_tensor_type;

const char *wick_tensor_type_name(wick_tensor_type type);

typedef struct wick_tensor {
    const char *name; /* terminated, lives as long as the container */
    wick_tensor_type type;
    uint32_t raw_type; /* the format's own number, for messages about OTHER */
    int rank;
    int64_t dims[WICK_MAX_RANK]; /* outermost first: a linear weight is [out, in] in every format */
    const uint8_t *data;         /* into the mapped file */
    uint64_t size;
    int file; /* which file of a sharded checkpoint */
} wick_tensor;

typedef enum wick_meta_kind { WICK_META_INT, WICK_META_FLOAT, WICK_META_BOOL, WICK_META_STRING, WICK_META_ARRAY } wick_meta_kind;

/* A metadata value. Arrays are kept in their encoded form and read item by item: a vocabulary has 10^5 strings. */
typedef struct wick_meta {
    const char *key; /* terminated */
    wick_meta_kind kind;
    int64_t i;                /* INT, BOOL */
    double f;                 /* FLOAT */
    wick_bytes s;             /* STRING: not terminated. ARRAY: the encoded items */
    wick_meta_kind item_kind; /* ARRAY */
    uint32_t item_raw_type;   /* ARRAY: the format's number of the item type */
    uint64_t n_item;          /* ARRAY */
} wick_meta;

typedef enum wick_container_kind { WICK_CONTAINER_SAFETENSORS, WICK_CONTAINER_GGUF, WICK_CONTAINER_LLAMA2C } wick_container_kind;

typedef struct wick_container {
    wick_container_kind kind;
    char *path;
    wick_mapping *files;
    int n_file;
    wick_tensor *tensors;
    size_t n_tensor;
    wick_table by_name;
    wick_meta *metas;
    size_t n_meta;
    wick_table meta_by_key;
    size_t tensor_cap, meta_cap;
    struct wick_container_text *text; /* storage of the terminated copies */
    bool borrowed;                    /* files[0] is the caller's memory */
    uint32_t version;                 /* GGUF: 2 or 3 */
} wick_container;

/* The type as its format calls it, OTHER included: "Q6_K", "F8_E4M3". */
const char *wick_tensor_type_label(const wick_tensor *t);
/* Product of the dimensions; opening made sure that it does not overflow. */
uint64_t wick_tensor_count(const wick_tensor *t);

/* A file, or a folder with model.safetensors / model.safetensors.index.json. */
wick_status wick_container_open(const char *path, wick_container **out, wick_error *err);
/* From memory, for tests and fuzzers; data is borrowed and must be aligned to 8. `name` stands in messages. */
wick_status wick_container_open_memory(wick_bytes data, const char *name, wick_container **out, wick_error *err);
void wick_container_close(wick_container *c);

/* NULL: no such tensor / key. */
const wick_tensor *wick_container_find(const wick_container *c, const char *name);
const wick_meta *wick_container_meta(const wick_container *c, const char *key);

/* Typed metadata with a fallback for absent keys; a key of another kind is an error. */
wick_status wick_container_int(const wick_container *c, const char *key, int64_t fallback, int64_t *out, wick_error *err);
wick_status wick_container_float(const wick_container *c, const char *key, double fallback, double *out, wick_error *err);

/* Walks an ARRAY: call with *at = 0, then again until it returns false (end, or *failed). Strings come as (s), numbers as i and f. */
typedef struct wick_meta_item {
    wick_bytes s;
    int64_t i;
    double f;
} wick_meta_item;
bool wick_meta_next(const wick_meta *m, uint64_t *at, wick_meta_item *item);

/* Elements [from, from + n) of a tensor as fp32: exactly what is stored (F64: rounded; Q* blocks: dequantized as ggml's reference
 * does; from and n are then multiples of 32). Integers and OTHER types are an error that names the type. */
wick_status wick_tensor_to_f32(const wick_tensor *t, uint64_t from, uint64_t n, float *out, wick_error *err);

/* llama2.c files carry their configuration in the header; others: NULL. The tensor names of such a file are "token_embedding",
 * "layers.N.{attention_norm,wq,wk,wv,wo,ffn_norm,w1,w2,w3}", "norm", "wcls" (absent when shared). Its metadata keys are
 * "llama2c.{dim,hidden_dim,n_layers,n_heads,n_kv_heads,vocab_size,seq_len}". */

#endif
