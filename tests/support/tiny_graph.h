/* tiny_graph.h: random decoder models as graphs, built by hand: what backends are tested with when no program is at hand. */
#ifndef WICK_TESTS_TINY_GRAPH_H
#define WICK_TESTS_TINY_GRAPH_H

#include "graph/graph.h"

typedef enum tiny_quant { TINY_F32, TINY_F16, TINY_BF16, TINY_Q4, TINY_Q8, TINY_Q4_ROW, TINY_INT8_WEIGHT_ONLY } tiny_quant;

typedef struct tiny_options {
    int64_t dim, n_head, n_kv_head, d_head, ffn, n_vocab, n_layer, context;
    tiny_quant quant;
    int64_t group;         /* of Q4 */
    wick_scheme embedding; /* zero: f32 */
    bool interleaved_rope, qk_norm, bias, post_norm, full_logits, geglu, conv_layers, parts, prune, hadamard;
    int64_t window, n_sink;
    wick_wrap wrap; /* of rope */
    float softcap;
    int64_t n_rotary; /* 0: all */
    uint64_t seed;
} tiny_options;

tiny_options tiny_options_default(void);

/* The graph owns all its bytes. */
wick_graph *tiny_graph_new(const tiny_options *o);

#endif
