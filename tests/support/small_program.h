/* small_program.h: a program of a few kilobytes that has one of everything: a constant, an initial value, a delegate with a named
 * and an inline constant, control flow, every kind of value, metadata.
 *
 * forward(x [S, 4], S <= 5) -> y [S, 3] with t = x + c; u = t W' + b; y = u + m, and once more + m if S = 5:
 * c = 1, 2, 3, 4; W[i][k] = i + k / 4; b = -1, 0, 1; m = 10, 20, 30. get_answer() -> 42. */
#ifndef WICK_TESTS_SMALL_PROGRAM_H
#define WICK_TESTS_SMALL_PROGRAM_H

#include "program/program.h"

enum { SMALL_STRAIGHT = 1 /* without the jump: the memory plan can be checked */ };

/* Fills *p; false: no memory. The sources and payload live as long as p. */
bool small_program(wick_pte *p, unsigned flags);
/* SHA-256 for the writer's options. */
extern const wick_sha256 small_sha256;

/* Indices of values and segments that tests change. */
enum {
    SMALL_X,
    SMALL_Y,
    SMALL_T,
    SMALL_U,
    SMALL_M,
    SMALL_C,
    SMALL_N,
    SMALL_FLAG,
    SMALL_I0,
    SMALL_I1,
    SMALL_I5,
    SMALL_INTS,
    SMALL_N_VALUE = 20
};
enum { SMALL_SEG_CONSTANTS, SMALL_SEG_MUTABLE, SMALL_SEG_PAYLOAD, SMALL_SEG_FILTER, SMALL_SEG_NOTE, SMALL_N_SEGMENT };

#endif
