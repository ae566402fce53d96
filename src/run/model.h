/* model.h: a program that is ready to run: opened, verified, raised if the plan allows, packed.
 *
 * Which executor a model gets is decided once, here:
 *
 *     VM      every session has a vm of its own and the program's caches; nothing is packed
 *     RAISED  nothing was left: the backend runs everything and owns the caches
 *     MIXED   the backend runs what was raised and asks the session's host (host.h) for the rest
 *
 * A model is immutable once open; sessions in any threads share it. */
#ifndef WICK_RUN_MODEL_H
#define WICK_RUN_MODEL_H

#include "backend/backend.h"
#include "program/program.h"
#include "raise/raise.h"

/* What a method wants from its caller, read off its inputs and its output. */
typedef struct wick_run_contract {
    int tokens_rank;      /* of the tokens input [.., S]; leading dimensions are 1 */
    int64_t tokens_bound; /* most tokens in a call */
    bool tokens_static;   /* exactly that many */
    bool has_position;    /* a second input: where the tokens stand */
    int position_rank;
    bool position_each; /* one position per token, not only the first */
    int64_t n_vocab;    /* last dimension of the output */
} wick_run_contract;

struct wick_model {
    char *path;
    wick_program *program;
    const wick_program_method *method;
    wick_run_contract contract;
    wick_raised raised; /* graph NULL under the vm */
    const wick_backend *backend;
    wick_backend_plan *plan; /* NULL under the vm */
    int64_t n_token_id;      /* token ids are below this; 0: unknown */
    wick_model_info info;
    int64_t *eos_ids; /* behind info */
};

/* Reads the method's inputs and output. model.c, contract.c */
wick_status wick_run_contract_read(const wick_program_method *method, const char *path, wick_run_contract *out, wick_error *err);
/* Fills model->info from the program's metadata methods and the contract. */
wick_status wick_run_metadata(wick_model *model, wick_error *err);
/* A number that is the same for the same program, weights included (sampled), and hardly for any other. */
uint64_t wick_run_fingerprint(const wick_model *model);

#endif
