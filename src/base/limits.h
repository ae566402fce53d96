/* limits.h: every bound that Wick puts on its input, in one place.
 *
 * A bound exists where a small file could otherwise ask for much memory, time or stack. They are generous: ten times what
 * the largest published model needs. */
#ifndef WICK_BASE_LIMITS_H
#define WICK_BASE_LIMITS_H

#define WICK_MAX_RANK         8 /* dimensions of a tensor (the stock runtime: 16; XNNPACK: 6) */
#define WICK_MAX_METHODS      256
#define WICK_MAX_VALUES       (1 << 22) /* EValues of one method */
#define WICK_MAX_INSTRUCTIONS (1 << 22) /* of one method */
#define WICK_MAX_XNN_VALUES   (1 << 16) /* of one delegate */
#define WICK_MAX_XNN_EXTERNS  4096      /* as in the stock runtime */
#define WICK_MAX_SEGMENTS     (1 << 20)
#define WICK_MAX_KEY          4096       /* bytes of a name */
#define WICK_MAX_FLATBUFFER   (1u << 30) /* bytes of the structural part of a program */
#define WICK_MAX_VOCAB        (1 << 22)
#define WICK_MAX_CONTEXT      (1 << 24)    /* tokens */
#define WICK_ENDLESS_CONTEXT  (1 << 20)    /* tokens of a session without an end, unless more are asked for */
#define WICK_MAX_JSON         (256u << 20) /* bytes of a JSON document */
#define WICK_MAX_YAML         (1u << 20)
#define WICK_MAX_NESTING      64        /* depth of JSON, YAML, templates */
#define WICK_MAX_TENSORS      (1 << 20) /* in a checkpoint */
#define WICK_MAX_THREADS      256

#endif
