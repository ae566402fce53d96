/* build.h: from a checkpoint to the canonical graph of graph.h.
 *
 * The checkpoint has already translated names and sizes of a family into roles and numbers, so this is one walk over the layers of a
 * pre-norm decoder. A family that needs another op gets it here, guarded by what its wick_arch says.
 *
 *     x = embedding(tokens)
 *     per layer   q, k, v = split(linear(rmsnorm(x), [Wq; Wk; Wv])), q and k turned by rope
 *                 x = x + linear(attention(q, k, v), Wo)                      in the last layer for the last row only
 *                 x = x + linear(glu(linear(rmsnorm(x), [Wgate; Wup])), Wdown)
 *     logits = linear(rmsnorm(x), head)
 *
 * Nothing is read but the rope's frequencies: weights enter as sources. */
#ifndef WICK_EXPORT_BUILD_H
#define WICK_EXPORT_BUILD_H

#include "export/quantize.h"

/* How the weights are stored, and how long a text may be. */
typedef struct wick_recipe {
    wick_scheme linear; /* of all linears that it fits; the others stay fp32 */
    wick_scheme embedding;
    int64_t max_seq_len, max_context;
} wick_recipe;

/* The graph points into the checkpoint and the quantizer: both must outlive it. */
wick_status wick_build(const wick_checkpoint *c, wick_quantizer *z, const wick_recipe *recipe, wick_graph **out, wick_error *err);

#endif
