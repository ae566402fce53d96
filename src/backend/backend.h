/* backend.h: what executes a raised graph.
 *
 * A backend takes a checked graph in canonical form, chooses its own layouts for weights, activations and cache, and runs
 * steps. What it cannot run (a fine op that raise left) it hands back to the host through a callback with the values
 * concerned; the host is run/, which knows the vm. Backends are const tables of functions; there is no registry.
 *
 * Lifetimes: a plan (packed weights, schedule) is shared by sessions and immutable; a state (activations, KV cache, logits)
 * belongs to one session, is sized when it is made, and a step allocates nothing. */
#ifndef WICK_BACKEND_BACKEND_H
#define WICK_BACKEND_BACKEND_H

#include "base/pool.h"
#include "graph/graph.h"

typedef struct wick_backend_plan wick_backend_plan;
typedef struct wick_backend_state wick_backend_state;

/* Runs node `node` of the graph (a fine op) on the host. in[i]/out are dense arrays of the values' dtypes, shapes evaluated
 * for this step; it is called on one thread while the others wait. */
typedef wick_status wick_host_fn(void *user, wick_node_id node, int64_t n_token, int64_t position, const void *const *in, void *out,
                                 wick_error *err);

typedef struct wick_plan_options {
    uint32_t cpu_mask; /* base/cpu.h, already masked by what the machine has */
    bool keep_weights; /* false: tell the source mapping that pages are not needed after packing */
    void (*forget)(void *user, const void *bytes, uint64_t size); /* called from any thread with source ranges that were packed;
                                                                     may be NULL */
    void *forget_user;
    bool *odd_scales; /* set to whether a weight has a scale against the rule of base/scales.h; NULL: nobody asks */
} wick_plan_options;

typedef struct wick_state_options {
    int64_t context;    /* tokens of a sequence */
    int64_t n_keep;     /* 0: the cache holds them all. Else, for endless graphs (graph.h): of those that attention no longer sees, the
                           newest so many, at least, so that going back to them finds what it needs */
    int64_t chunk;      /* most tokens of a step */
    bool kv_f32;        /* else f16 */
    wick_host_fn *host; /* NULL: the graph has no fine ops */
    void *host_user;
    /* Asked by the calling thread many times in a step of many tokens, with the part of it that is done; false: the step ends at once,
     * WICK_ECANCELED, and counts for nothing. NULL: nobody asks. A step that changes what cannot be written again (recurrent state,
     * the host's) does not ask. */
    bool (*go_on)(void *user, double part);
    void *go_on_user;
} wick_state_options;

typedef struct wick_backend {
    const char *name; /* "cpu" */
    /* NULL if the backend can run every coarse node of g; else the reason, static. */
    const char *(*refuses)(const wick_graph *g);
    /* Packs the weights with all threads of the pool. g must outlive the plan. */
    wick_status (*plan_new)(const wick_graph *g, const wick_plan_options *options, wick_pool *pool, wick_backend_plan **out,
                            wick_error *err);
    void (*plan_free)(wick_backend_plan *plan);
    uint64_t (*plan_size)(const wick_backend_plan *plan);
    /* Bytes that the matrices of g take in a plan: what a decoded token reads. g is one that the backend does not refuse. */
    uint64_t (*weights_size)(const wick_graph *g);
    wick_status (*state_new)(const wick_backend_plan *plan, const wick_state_options *options, wick_pool *pool, wick_backend_state **out,
                             wick_error *err);
    void (*state_free)(wick_backend_state *state);
    /* Evaluates n tokens at `position` (all earlier positions were evaluated). want_logits: else the head is skipped.
     * Then *logits points at [n_vocab] of the last token. No allocation. */
    wick_status (*step)(wick_backend_state *state, const int32_t *tokens, int64_t n, int64_t position, bool want_logits,
                        const float **logits, wick_error *err);
    /* Forgets everything from `position` on; false: this state cannot go back that far (recurrent state, or keys that were given up):
     * start over at 0. */
    bool (*rewind)(wick_backend_state *state, int64_t position);
    /* The first n positions in canonical form: per attention in graph order K then V, [n][n_kv_head][d_head] in the cache's
     * dtype, then recurrent state. size tells how much; import expects exactly that. A state that does not keep all positions has the
     * first ones, whole key chunks that hold all sinks, and as many of the newest as it still has. */
    uint64_t (*export_size)(const wick_backend_state *state, int64_t n);
    void (*export_state)(const wick_backend_state *state, int64_t n, void *dst);
    wick_status (*import_state)(wick_backend_state *state, int64_t n, const void *src, uint64_t size, wick_error *err);
} wick_backend;

extern const wick_backend wick_backend_cpu;

#endif
