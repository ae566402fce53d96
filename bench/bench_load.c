/* What loading a program costs: verify, raise, pack, all of it, processor time and peak memory, beside the bounds that loading is
 * held to (of an 8da4w program in the shape of a 1B model, on two idle cores, its file in memory: docs/performance.md).
 *
 *     bench_load M.pte [--threads N] [--repeat N]
 *
 * The first load stands apart: on a virtual machine whose free memory belongs to the host, every fresh page is fetched there
 * first. "pages" is what the system alone takes, with as many threads, to hand out as much memory as the weights need: no load
 * can be faster. */
#include "base/mem.h"
#include "base/os.h"
#include "base/pool.h"
#include "wick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { VERIFY, RAISE, PACK, LOAD, PAGES, USER, SYSTEM, N_ROW };
static const char *const names[N_ROW] = {"verify", "raise", "pack", "load", "pages", "user", "system"};

enum { PAGE = 4096 };

typedef struct touched {
    uint8_t *memory;
    uint64_t size;
} touched;

static void touch(void *arg, int i_thread, int n_thread) {
    const touched *t = arg;
    size_t from, to;
    wick_split((size_t)t->size, (size_t)2 << 20, i_thread, n_thread, &from, &to);
    for (size_t i = from; i < to; i += PAGE) t->memory[i] = 1;
}

static wick_status measure_pages(uint64_t size, int threads, double *seconds, wick_error *err) {
    wick_pool *pool;
    WICK_TRY(wick_pool_new(threads, &pool, err));
    touched t = {wick_alloc_aligned(size + 1, 64), size};
    double begin = wick_os_seconds();
    if (t.memory) wick_pool_run(pool, touch, &t);
    *seconds = wick_os_seconds() - begin;
    wick_free_aligned(t.memory);
    wick_pool_free(pool);
    return t.memory ? WICK_OK : wick_fail_nomem(err);
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + 1e-6 * (double)t.tv_usec; }

static wick_status load(const char *path, int threads, double row[N_ROW], uint64_t *weights, wick_error *err) {
    struct rusage before, after;
    wick_model_options o = wick_model_options_default();
    wick_model *model;
    o.threads = threads;
    getrusage(RUSAGE_SELF, &before);
    WICK_TRY(wick_model_open(path, &o, &model, err));
    getrusage(RUSAGE_SELF, &after);
    const wick_model_info *info = wick_model_info_get(model);
    row[VERIFY] = info->verify_seconds, row[RAISE] = info->raise_seconds, row[PACK] = info->pack_seconds, row[LOAD] = info->load_seconds;
    row[USER] = seconds_of(after.ru_utime) - seconds_of(before.ru_utime);
    row[SYSTEM] = seconds_of(after.ru_stime) - seconds_of(before.ru_stime);
    *weights = info->weights_size;
    wick_model_close(model);
    return measure_pages(*weights, threads, &row[PAGES], err);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(double (*rows)[N_ROW], int n, uint64_t peak, uint64_t file_size) {
    double *column = malloc((size_t)n * sizeof *column), median[N_ROW] = {0};
    printf("seconds     first   median (fastest .. slowest)\n");
    for (int k = 0; column && k < N_ROW; k++) {
        for (int i = 0; i < n; i++) column[i] = rows[i + 1][k];
        qsort(column, (size_t)n, sizeof *column, compare);
        median[k] = column[n / 2];
        printf("%-8s %8.4f %8.4f (%.4f .. %.4f)%s\n", names[k], rows[0][k], median[k], column[0], column[n - 1],
               k == LOAD ? "   bound 1.0" : "");
    }
    printf("verify is %.1f %% of the load   bound 3\n", 100 * median[VERIFY] / median[LOAD]);
    printf("peak memory %.1f MB = %.2f x the file   bound 1.25\n", 1e-6 * (double)peak, (double)peak / (double)file_size);
    free(column);
}

int main(int argc, char **argv) {
    int threads = 2, repeat = 5;
    for (int i = 2; i + 1 < argc; i += 2) *(strcmp(argv[i], "--threads") == 0 ? &threads : &repeat) = atoi(argv[i + 1]);
    struct stat file;
    if (argc < 2 || argc % 2 || repeat < 1 || stat(argv[1], &file) != 0) {
        fprintf(stderr, "usage: bench_load M.pte [--threads N] [--repeat N]\n");
        return 2;
    }
    wick_error err = {0};
    uint64_t weights = 0, peak = 0;
    double(*rows)[N_ROW] = calloc((size_t)repeat + 1, sizeof *rows);
    wick_status status = rows ? WICK_OK : wick_fail_nomem(&err);
    for (int i = 0; i <= repeat && status == WICK_OK; i++) {
        status = load(argv[1], threads, rows[i], &weights, &err);
        if (i == 0) peak = wick_os_peak_rss();
    }
    if (status == WICK_OK) {
        printf("%s: %.1f MB, packed %.1f MB, %d threads, one load and %d more\n", argv[1], 1e-6 * (double)file.st_size,
               1e-6 * (double)weights, threads, repeat);
        report(rows, repeat, peak, (uint64_t)file.st_size);
    } else {
        fprintf(stderr, "bench_load: %s\n", err.message);
    }
    free(rows);
    return status != WICK_OK;
}
