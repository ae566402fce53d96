/* speed.h: how fast this machine reads memory, which bounds how fast it can decode.
 *
 * A decoded token reads every packed weight once, and little else: a rate of memory divided by the weights' bytes is a number of tokens
 * per second that no kernel can exceed. The rate is measured with the team of threads that would run the model, over a buffer as
 * large as what a token reads, so that caches count here as much as they will count there. Bytes are divided by processor time, thread by
 * thread: what other programs take away is not the machine's fault. */
#ifndef WICK_RUN_SPEED_H
#define WICK_RUN_SPEED_H

#include "base/error.h"

typedef struct wick_memory_rate {
    int threads;
    uint64_t buffer; /* bytes that were read over and over */
    double rate;     /* bytes per second of all threads together */
} wick_memory_rate;

/* token_bytes: what a token reads; the buffer is that large, between 1 and 128 MiB. Takes about a tenth of a second, and the time
 * that the system needs to hand out the buffer. threads: 0: what the machine gives. */
wick_status wick_memory_rate_measure(uint64_t token_bytes, int threads, wick_memory_rate *out, wick_error *err);

#endif
