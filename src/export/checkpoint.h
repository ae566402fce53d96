/* checkpoint.h: a model on disk as the exporter sees it: what it is (wick_arch) and where its weights are (wick_weight).
 *
 * A container (container/) has named tensors and metadata and knows no models; a graph knows ops and no models either. This is
 * the one place where "model.layers.3.self_attn.k_proj.weight", "blk.3.attn_k.weight" and "layers.3.wk" become the same thing: the
 * key projection of layer 3. After wick_checkpoint_open
 *   - every number of the architecture is in range and consistent (heads divide, sizes multiply, nothing overflows an int64),
 *   - every weight that the architecture needs is there, with the shape that it says and a type that can be read,
 *   - tensors that nobody asked for were refused by name, apart from those known to be derivable (rope frequencies).
 * A builder walks arch and layers and asks nothing of files again.
 *
 * Families. What a model class calls its tensors and configuration keys is data: one wick_family per class
 * (checkpoint_family.h), one file per family. The formats (config.json, GGUF keys, llama2.c header) are read by one file each.
 *
 * Ownership: everything lives until wick_checkpoint_close, weights lend the container's tensors. */
#ifndef WICK_EXPORT_CHECKPOINT_H
#define WICK_EXPORT_CHECKPOINT_H

#include "base/error.h"
#include "container/container.h"
#include "graph/graph.h"

/* A weight: rows [row, row + n_row) of a tensor. Fused tensors hold several weights. A vector of n numbers has n rows of one
 * column, like the parts of a graph constant. */
typedef struct wick_weight {
    const wick_tensor *tensor; /* NULL: the model has no such weight */
    int64_t row, n_row, n_col;
    /* > 0: rows come in heads of d_pair rows whose first n_pair rows pair up as neighbours (2j, 2j + 1) in the file; reading
     * through quantize.h delivers them as halves (j, j + n_pair / 2), which is what WICK_ROPE_HALF turns. 0: as stored. */
    int64_t d_pair, n_pair;
} wick_weight;

static inline bool wick_weight_present(const wick_weight *w) { return w->tensor != NULL; }

/* What a weight is for. X(role, scope, name): L once per layer, M once per model. */
#define WICK_ROLE_LIST(X)                                                                                                                  \
    X(EMBEDDING, M, "embedding")        /* [n_vocab, dim] */                                                                               \
    X(FINAL_NORM, M, "final norm")      /* [dim] */                                                                                        \
    X(HEAD, M, "head")                  /* [n_vocab, dim]; the embedding's tensor when tied */                                             \
    X(ATTN_NORM, L, "attention norm")   /* [dim] */                                                                                        \
    X(Q, L, "query projection")         /* [n_head * d_head, dim] */                                                                       \
    X(K, L, "key projection")           /* [n_kv_head * d_head, dim] */                                                                    \
    X(V, L, "value projection")         /* [n_kv_head * d_head, dim] */                                                                    \
    X(O, L, "output projection")        /* [dim, n_head * d_head] */                                                                       \
    X(FFN_NORM, L, "feed-forward norm") /* [dim] */                                                                                        \
    X(GATE, L, "gate projection")       /* [d_ffn, dim] */                                                                                 \
    X(UP, L, "up projection")           /* [d_ffn, dim] */                                                                                 \
    X(DOWN, L, "down projection")       /* [dim, d_ffn] */                                                                                 \
    X(Q_BIAS, L, "query bias")          /* [n_head * d_head]; biases and q/k norms are present in some families only */                    \
    X(K_BIAS, L, "key bias")            /* [n_kv_head * d_head] */                                                                         \
    X(V_BIAS, L, "value bias")          /* [n_kv_head * d_head] */                                                                         \
    X(O_BIAS, L, "output bias")         /* [dim] */                                                                                        \
    X(Q_NORM, L, "query norm")          /* [d_head] */                                                                                     \
    X(K_NORM, L, "key norm")            /* [d_head] */

typedef enum wick_role {
#define WICK_ROLE_ENUM(role, scope, name) WICK_ROLE_##role,
    WICK_ROLE_LIST(WICK_ROLE_ENUM)
#undef WICK_ROLE_ENUM
        WICK_N_ROLE
} wick_role;

const char *wick_role_name(wick_role role); /* "query projection" */

typedef enum wick_rope_scaling {
    WICK_ROPE_PLAIN,
    WICK_ROPE_LINEAR, /* frequencies are divided by rope_factor */
    WICK_ROPE_LLAMA3, /* long waves are divided by rope_factor, short ones kept, the ones between blended */
    WICK_ROPE_FACTORS /* each frequency is divided by its own number, as GGUF stores the outcome of the others */
} wick_rope_scaling;

typedef struct wick_arch {
    const char *family; /* "llama"; static */
    int64_t dim, n_layer, n_head, n_kv_head, d_head, d_ffn, n_vocab;
    int64_t max_context; /* tokens that the model was trained for */
    float norm_eps;
    wick_act act; /* of the gate */
    bool tied;    /* the head is the embedding */
    bool qkv_bias, o_bias, qk_norm;

    /* Rotary embedding. Weights are always delivered in half order (see wick_weight.d_pair), so the style of every graph built
     * from a checkpoint is WICK_ROPE_HALF. */
    int64_t n_rotary; /* lanes of a head that turn, from the first; d_head in most families */
    double rope_theta;
    wick_rope_scaling rope_scaling;
    double rope_factor, rope_low_freq_factor, rope_high_freq_factor; /* LINEAR: factor; LLAMA3: all */
    int64_t rope_original_context;                                   /* LLAMA3 */
    float *rope_factors;                                             /* FACTORS: [n_rotary / 2], owned by the checkpoint */
} wick_arch;

typedef struct wick_checkpoint_layer {
    wick_weight weights[WICK_N_ROLE]; /* the roles of scope L */
} wick_checkpoint_layer;

typedef struct wick_checkpoint {
    char *path;
    char *name; /* of the model, from the file: "stories260K", "SmolLM2-135M-Instruct"; letters, digits, '.', '-', '_' */
    wick_arch arch;
    wick_weight weights[WICK_N_ROLE]; /* the roles of scope M */
    wick_checkpoint_layer *layers;    /* [arch.n_layer] */
    wick_container *container;

    int64_t bos_id;   /* -1: none */
    int64_t *eos_ids; /* every id that ends an answer, ascending, each once */
    size_t n_eos;
    char *tokenizer;     /* path of the tokenizer that belongs to it (for a GGUF that holds one: its own path); NULL: none found */
    char *chat_template; /* Jinja source, UTF-8; NULL: none */
    char *generation;    /* JSON object of sampling defaults, named as in wick_sampler_options; NULL: none */
} wick_checkpoint;

/* Opens a llama2.c file, a GGUF, a safetensors file or a Hugging Face folder. `params`: the architecture as JSON (config.json of
 * Hugging Face or params.json of Meta); NULL: found inside or beside. An architecture that no family covers is
 * WICK_EUNSUPPORTED and says which there are. */
wick_status wick_checkpoint_open(const char *path, const char *params, wick_checkpoint **out, wick_error *err);
/* A GGUF or llama2.c file in memory (borrowed), for tests and fuzzers. */
wick_status wick_checkpoint_open_memory(wick_bytes data, const char *name, wick_checkpoint **out, wick_error *err);
void wick_checkpoint_close(wick_checkpoint *c);

/* Inverse frequencies [n_rotary / 2] after scaling: lane pair j turns by position * freq[j]. In double, as published code does
 * in float: tables made from them differ from those by the float's rounding. */
void wick_arch_rope_frequencies(const wick_arch *a, double *freq);
/* cos and sin [n_position, n_rotary / 2], computed in double and rounded once. */
void wick_arch_rope_tables(const wick_arch *a, int64_t n_position, float *cos, float *sin);

#endif
