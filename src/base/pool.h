/* pool.h: a fixed team of threads that runs one function at a time over a static split of the work.
 *
 * The caller is worker 0. Between jobs the workers spin for a moment and then sleep. Starting a job allocates nothing,
 * takes no lock and makes no system call unless somebody sleeps. Inside a job, workers meet at wick_pool_barrier. */
#ifndef WICK_BASE_POOL_H
#define WICK_BASE_POOL_H

#include "base/error.h"

typedef struct wick_pool wick_pool;

/* n_threads: 0 = what the machine gives (cgroup quota and affinity respected). */
wick_status wick_pool_new(int n_threads, wick_pool **out, wick_error *err);
void wick_pool_free(wick_pool *pool);
int wick_pool_size(const wick_pool *pool);

/* Runs fn(arg, i_thread, n_thread) on every thread of the team and returns when all have returned. Not reentrant. */
typedef void wick_pool_fn(void *arg, int i_thread, int n_thread);
void wick_pool_run(wick_pool *pool, wick_pool_fn *fn, void *arg);

/* Waits for all threads of the running job. Every thread must pass the same barriers. */
void wick_pool_barrier(wick_pool *pool);

/* The part of [0, n) that belongs to a thread: contiguous, a multiple of `grain` items except at the end. */
static inline void wick_split(size_t n, size_t grain, int i_thread, int n_thread, size_t *from, size_t *to) {
    size_t blocks = (n + grain - 1) / grain;
    size_t a = blocks * (size_t)i_thread / (size_t)n_thread * grain;
    size_t b = blocks * ((size_t)i_thread + 1) / (size_t)n_thread * grain;
    *from = a < n ? a : n;
    *to = b < n ? b : n;
}

#endif
