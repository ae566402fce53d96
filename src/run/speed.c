#include "run/speed.h"

#include "base/mem.h"
#include "base/os.h"
#include "base/pool.h"

#include <stdatomic.h>
#include <string.h>

#define SECONDS 0.1
enum { SMALLEST = 1 << 20, LARGEST = 128 << 20, GRAIN = 4096, AHEAD = 1024 };

typedef struct reading {
    uint8_t *memory;
    size_t size;
    double end;           /* when to stop */
    double *rates;        /* [thread] */
    _Atomic uint64_t sum; /* so that nobody finds out that the numbers are not needed */
} reading;

/* Asked for a kilobyte ahead, as a good kernel does; the bare loop is slower than decoding (docs/performance.md). */
static uint64_t sum_of(const uint8_t *memory, size_t size) {
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < size; i += sizeof sums) {
        uint64_t line[8];
        __builtin_prefetch(memory + i + AHEAD);
        memcpy(line, memory + i, sizeof line);
        for (int k = 0; k < 8; k++) sums[k] += line[k];
    }
    for (int k = 1; k < 8; k++) sums[0] += sums[k];
    return sums[0];
}

/* Every thread reads its part over and over, beside the others. Pages are written first: what nobody has written is one page of zeros. */
static void read_part(void *arg, int i_thread, int n_thread) {
    reading *r = arg;
    size_t from, to;
    wick_split(r->size, GRAIN, i_thread, n_thread, &from, &to);
    memset(r->memory + from, 1, to - from);
    uint64_t sum = 0;
    double begin = wick_os_thread_seconds(), used = 0, bytes = 0;
    for (int i = 0; i < 2 || (wick_os_seconds() < r->end && used < SECONDS); i++) {
        sum += sum_of(r->memory + from, to - from);
        bytes += (double)(to - from);
        used = wick_os_thread_seconds() - begin;
    }
    r->rates[i_thread] = used > 0 ? bytes / used : 0;
    atomic_fetch_add_explicit(&r->sum, sum, memory_order_relaxed);
}

wick_status wick_memory_rate_measure(uint64_t token_bytes, int threads, wick_memory_rate *out, wick_error *err) {
    uint64_t size = token_bytes < SMALLEST ? SMALLEST : token_bytes > LARGEST ? LARGEST : token_bytes / GRAIN * GRAIN;
    wick_pool *pool;
    WICK_TRY(wick_pool_new(threads, &pool, err));
    int n = wick_pool_size(pool);
    reading r = {
        .memory = wick_alloc_aligned((size_t)size + AHEAD, GRAIN), .size = (size_t)size, .rates = WICK_NEW_ARRAY(double, (size_t)n)};
    wick_status status = r.memory && r.rates ? WICK_OK : wick_fail_nomem(err);
    *out = (wick_memory_rate){.threads = n, .buffer = size};
    if (status == WICK_OK) {
        r.end = wick_os_seconds() + 10 * SECONDS; /* on a machine that is busy */
        wick_pool_run(pool, read_part, &r);
        for (int i = 0; i < n; i++) out->rate += r.rates[i];
    }
    wick_free(r.rates);
    wick_free_aligned(r.memory);
    wick_pool_free(pool);
    return status;
}
