/* raise.h: from a program to the graph that it must have meant.
 *
 * Stages, one file each: integers (instructions over numbers become affine expressions of S and P), values (arena bytes become values in
 * single assignment), instructions and delegate nodes (each becomes a fine node), then rewriting bottom-up by tables of (match, build), one
 * file per family of patterns (pat_*.c). Rope is followed lane by lane instead of being matched, last_row is moved instead of being found,
 * and linears of one input are merged. A match is exact algebra up to reassociation; in doubt it does not match. What is left stays a fine
 * op with its origin and runs in the vm: wrong is worse than slow.
 *
 * Three liberties that do not touch what a model means: activations between coarse ops are f32 where a program rounds them to halves; a
 * causal program without a cache, which is given the whole sequence at every step, is raised (whole or not at all) to one with a cache;
 * and a cache that goes around in a ring, perhaps behind sinks, becomes one of the whole context that is seen through a window, as the
 * ring shows it to steps that are short enough to overwrite nothing that they need.
 */
#ifndef WICK_RAISE_RAISE_H
#define WICK_RAISE_RAISE_H

#include "graph/graph.h"
#include "program/program.h"

/* One instruction or delegate node that was not raised, and why. */
typedef struct wick_left {
    wick_origin origin;
    const char *op;     /* "aten::mean.out", "xnn Multiply" */
    const char *reason; /* static */
} wick_left;

typedef struct wick_raised {
    wick_graph *graph;
    wick_left *left;
    size_t n_left;
} wick_raised;

/* method: a method of p with tokens (and input_pos) in and logits out. On success *out->graph passes wick_graph_check; its
 * constants point into p, which must outlive it. A program that cannot be expressed even partly (control flow, several
 * outputs) is an error that says so: the vm runs it. */
wick_status wick_raise(const wick_program *p, const wick_program_method *method, wick_raised *out, wick_error *err);
void wick_raised_release(wick_raised *r);

#endif
