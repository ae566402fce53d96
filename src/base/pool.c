#include "base/pool.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

/* How long a thread looks before it sleeps: long enough to cover the gap between two steps of decoding. */
#define SPIN_JOB     20000
#define SPIN_BARRIER 4000

typedef struct worker {
    wick_pool *pool;
    int index;
    pthread_t thread;
} worker;

struct wick_pool {
    int n;
    _Alignas(64) _Atomic uint32_t job;     /* number of the current job; changes wake the workers */
    _Atomic uint32_t sleepers;             /* workers waiting in the kernel for `job` */
    _Alignas(64) _Atomic uint32_t arrived; /* at the barrier */
    _Alignas(64) _Atomic uint32_t phase;   /* of the barrier */
    _Atomic uint32_t phase_sleepers;
    wick_pool_fn *fn;
    void *arg;
    bool stop;
    worker *workers;
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits until *word differs from `old`. */
static void wait_change(_Atomic uint32_t *word, _Atomic uint32_t *sleepers, uint32_t old, int spins) {
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old) return;
        relax();
    }
    atomic_fetch_add(sleepers, 1);
    while (atomic_load(word) == old) wick_os_wait(word, old);
    atomic_fetch_sub(sleepers, 1);
}

static void change(_Atomic uint32_t *word, _Atomic uint32_t *sleepers) {
    atomic_fetch_add(word, 1);
    if (atomic_load(sleepers)) wick_os_wake_all(word);
}

void wick_pool_barrier(wick_pool *pool) {
    if (pool->n == 1) return;
    uint32_t phase = atomic_load_explicit(&pool->phase, memory_order_acquire);
    if (atomic_fetch_add(&pool->arrived, 1) + 1 == (uint32_t)pool->n) {
        atomic_store(&pool->arrived, 0);
        change(&pool->phase, &pool->phase_sleepers);
    } else {
        wait_change(&pool->phase, &pool->phase_sleepers, phase, SPIN_BARRIER);
    }
}

static void *work(void *arg) {
    worker *w = arg;
    wick_pool *pool = w->pool;
    for (uint32_t seen = 0;; seen++) {
        wait_change(&pool->job, &pool->sleepers, seen, SPIN_JOB);
        if (pool->stop) return NULL;
        pool->fn(pool->arg, w->index, pool->n);
        wick_pool_barrier(pool);
    }
}

void wick_pool_run(wick_pool *pool, wick_pool_fn *fn, void *arg) {
    pool->fn = fn;
    pool->arg = arg;
    if (pool->n > 1) change(&pool->job, &pool->sleepers);
    fn(arg, 0, pool->n);
    wick_pool_barrier(pool);
}

/* Signals are the program's business: a worker takes none, or a Ctrl-C might interrupt the wrong thread. */
static bool start(worker *w) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&w->thread, NULL, work, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

int wick_pool_size(const wick_pool *pool) { return pool->n; }

wick_status wick_pool_new(int n_threads, wick_pool **out, wick_error *err) {
    *out = NULL;
    if (n_threads < 0 || n_threads > WICK_MAX_THREADS)
        return wick_fail(err, WICK_EINVAL, "%d threads asked for, expected 0 (automatic) to %d", n_threads, WICK_MAX_THREADS);
    int n = n_threads ? n_threads : wick_os_cpu_count();
    wick_pool *pool = wick_alloc_aligned(sizeof *pool, 64);
    if (!pool) return wick_fail_nomem(err);
    pool->n = 1;
    pool->workers = WICK_NEW_ARRAY(worker, (size_t)n);
    if (!pool->workers) {
        wick_pool_free(pool);
        return wick_fail_nomem(err);
    }
    /* Workers read pool->n only after the first job, so the team may be counted while it grows. */
    for (int i = 1; i < n; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i};
        if (!start(&pool->workers[i])) {
            wick_pool_free(pool);
            return wick_fail(err, WICK_ENOMEM, "cannot start thread %d of %d", i + 1, n);
        }
        pool->n = i + 1;
    }
    *out = pool;
    return WICK_OK;
}

void wick_pool_free(wick_pool *pool) {
    if (!pool) return;
    pool->stop = true;
    change(&pool->job, &pool->sleepers);
    for (int i = 1; i < pool->n; i++) pthread_join(pool->workers[i].thread, NULL);
    wick_free(pool->workers);
    wick_free_aligned(pool);
}
