/* session.h: a token sequence and what was computed of it.
 *
 * A session is tokens [0, n_token) that its engine has evaluated, and the logits after the last of them if nobody took a
 * token back since. Everything that a caller can ask for is "these tokens": the session keeps the common prefix, goes back
 * where it must, and evaluates the rest in steps. There are two engines: the backend's state, and a vm. */
#ifndef WICK_RUN_SESSION_H
#define WICK_RUN_SESSION_H

#include "base/pool.h"
#include "run/model.h"
#include "vm/vm.h"

typedef struct wick_host wick_host;

/* A vm that is fed like a backend. */
typedef struct wick_vm_engine {
    wick_vm *vm;
    int64_t *tokens, *positions; /* of one call */
    float *logits;               /* [n_vocab] */
    bool can_rewind;             /* its state is indexed by position only */
} wick_vm_engine;

struct wick_session {
    wick_model *model;
    wick_pool *pool;
    wick_session_options options;
    int64_t capacity, chunk;
    double token_seconds; /* what a token of the last long step took; 0: unknown */
    size_t begin, goal;   /* of the evaluation that runs, for whoever looks on */
    size_t n_step;        /* tokens of the step that runs */
    bool asks;            /* the engine asks within steps */
    int32_t *tokens;      /* [capacity] */
    size_t n_token;
    const float *logits; /* NULL: none, or the last token was taken back */
    float *kept_logits;  /* [n_vocab]: those of a loaded state */
    wick_progress_fn *progress;
    void *progress_user;
    wick_backend_state *state;
    wick_host *host; /* MIXED */
    wick_vm_engine engine;
};

/* vm_engine.c */
wick_status wick_vm_engine_init(wick_vm_engine *e, const wick_model *model, wick_error *err);
void wick_vm_engine_release(wick_vm_engine *e);
/* Evaluates tokens[position .. position + n); tokens is the whole sequence from its beginning. */
wick_status wick_vm_engine_step(wick_vm_engine *e, const wick_model *model, const int32_t *tokens, int64_t n, int64_t position,
                                const float **logits, wick_error *err);
/* Forgets everything from `position` on; false: only a fresh start can. A position of 0 is one. */
bool wick_vm_engine_rewind(wick_vm_engine *e, int64_t position);
/* True if a method's state is indexed by position, so that going back is writing over it. */
bool wick_vm_method_rewinds(const wick_program_method *method);

#endif
