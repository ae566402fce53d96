/* checkpoint_family.h: what the parts of the checkpoint reader share, and how a model family is described. Only checkpoint*.c and
 * family_*.c include it.
 *
 * A family is a table: under which names it is known, what its tensors are called in each naming, which of them it may lack.
 * Adding one means writing family_<name>.c and a line in the list of checkpoint_weights.c. */
#ifndef WICK_EXPORT_CHECKPOINT_FAMILY_H
#define WICK_EXPORT_CHECKPOINT_FAMILY_H

#include "export/checkpoint.h"

#include <jansson.h>

typedef enum wick_naming {
    WICK_NAMING_HF,      /* Hugging Face transformers */
    WICK_NAMING_META,    /* Meta's own files, and ExecuTorch's */
    WICK_NAMING_GGUF,    /* llama.cpp */
    WICK_NAMING_LLAMA2C, /* our names for the parts of a llama2.c file */
    WICK_N_NAMING
} wick_naming;

typedef struct wick_family {
    const char *name;
    const char *const *hf_classes; /* entries of "architectures" in config.json; NULL-terminated, like the next two */
    const char *const *hf_types;   /* its "model_type", for files without the former */
    const char *const *gguf_names; /* general.architecture */
    /* Tensor names; '#' stands for the layer. NULL: not in this naming. */
    const char *names[WICK_N_NAMING][WICK_N_ROLE];
    bool pairs[WICK_N_NAMING]; /* rows of q and k pair up as neighbours */
    uint32_t optional;         /* bits 1 << role: weights that a model may lack (in all layers or in none) */
} wick_family;

extern const wick_family wick_family_llama;

/* By the value of one of its keys; NULL: none. */
typedef enum wick_family_key { WICK_FAMILY_HF_CLASS, WICK_FAMILY_HF_TYPE, WICK_FAMILY_GGUF } wick_family_key;
const wick_family *wick_family_find(wick_family_key key, const char *value);
/* The error for a name that no family has; lists those there are. */
wick_status wick_family_unknown(const char *file, const char *what, const char *value, wick_family_key key, wick_error *err);

/* Fills arch from the container's metadata, or from a JSON of either style. */
wick_status wick_arch_from_gguf(wick_checkpoint *c, const wick_family **family, wick_error *err);
wick_status wick_arch_from_llama2c(wick_checkpoint *c, const wick_family **family, wick_error *err);
wick_status wick_arch_from_json(wick_checkpoint *c, const char *path, const wick_family **family, wick_error *err);

/* Are all numbers in range and do they fit each other? */
wick_status wick_arch_check(const wick_arch *a, const char *path, wick_error *err);

/* Finds every weight, checks its shape, decides what is optional, and refuses tensors that are left over. */
wick_status wick_checkpoint_bind(wick_checkpoint *c, const wick_family *family, wick_error *err);

/* Things that travel with a model: tokenizer, template, special ids, sampling defaults. From the metadata of a GGUF, or from the
 * files of a Hugging Face folder (folder "": the current one). */
wick_status wick_checkpoint_extras_gguf(wick_checkpoint *c, wick_error *err);
wick_status wick_checkpoint_extras_folder(wick_checkpoint *c, const char *folder, wick_error *err);

/* What of these are sampling defaults, to c->generation. config: a generation_config.json. */
wick_status wick_checkpoint_sampling_gguf(wick_checkpoint *c, wick_error *err);
wick_status wick_checkpoint_sampling_hf(wick_checkpoint *c, json_t *config, wick_error *err);

wick_status wick_checkpoint_add_eos(wick_checkpoint *c, int64_t id, wick_error *err);

/* A JSON object from a file. `required` false: a file that is not there gives *out = NULL. */
wick_status wick_json_file(const char *folder, const char *name, bool required, json_t **out, wick_error *err);

#endif
