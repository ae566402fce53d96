/* Two programs of one model in this process, in turn call by call: a host that lends a core for some tenths of a second lends it to
 * both.
 *
 *     bench_pair A.pte B.pte [PAIRS] [THREADS]
 *
 * Prints B's time over A's (above 1: A is faster), medians over the pairs with the quartiles, for a prefill and for decoding behind it.
 * One thread is timed by processor time, more by the clock. */
#include "base/os.h"
#include "wick.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PREFILL = 128, DEPTH = 100, DECODE = 64, PREFILLS = 4, MAX_PAIRS = 1000 };

typedef struct side {
    const char *path;
    wick_model *model;
    wick_session *session;
} side;

typedef struct phase {
    const char *name;
    size_t depth;    /* tokens before the timed call's */
    size_t n_tokens; /* of a call */
    int calls;       /* of each program in a pair */
} phase;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double now(int threads) { return threads == 1 ? (double)clock() / CLOCKS_PER_SEC : wick_os_seconds(); }

static wick_status call(wick_session *s, const int32_t *tokens, const phase *p, wick_error *err) {
    wick_status status = wick_session_rewind(s, p->depth, err);
    return status != WICK_OK ? status : wick_session_sync(s, tokens, p->depth + p->n_tokens, err);
}

/* Seconds of each side's timed calls; each stands behind an untimed one of the same program, which leaves the caches as a generation
 * does. */
static wick_status measure_pair(side sides[2], const int32_t *tokens, const phase *p, int threads, double total[2], wick_error *err) {
    wick_status status = WICK_OK;
    total[0] = total[1] = 0;
    for (int i = 0; i < 2 * p->calls && status == WICK_OK; i++) {
        int k = (i ^ i >> 1) & 1; /* a b b a */
        status = call(sides[k].session, tokens, p, err);
        double start = now(threads);
        if (status == WICK_OK) status = call(sides[k].session, tokens, p, err);
        total[k] += now(threads) - start;
    }
    return status;
}

static wick_status measure(side sides[2], const phase *p, int pairs, int threads, wick_error *err) {
    double ratios[MAX_PAIRS], rates[2][MAX_PAIRS], total[2];
    int32_t tokens[DEPTH + PREFILL];
    for (int i = 0; i < DEPTH + PREFILL; i++) tokens[i] = 1 + i % 400;
    for (int k = 0; k < 2; k++) {
        wick_status status = wick_session_sync(sides[k].session, tokens, p->depth + p->n_tokens, err);
        if (status != WICK_OK) return status;
    }
    for (int i = 0; i < pairs; i++) {
        wick_status status = measure_pair(sides, tokens, p, threads, total, err);
        if (status != WICK_OK) return status;
        ratios[i] = total[1] / total[0];
        for (int k = 0; k < 2; k++) rates[k][i] = p->calls * (double)p->n_tokens / total[k];
    }
    qsort(ratios, (size_t)pairs, sizeof *ratios, compare);
    for (int k = 0; k < 2; k++) qsort(rates[k], (size_t)pairs, sizeof *rates[k], compare);
    printf("%d threads: %-14s %8.1f against %8.1f tok/s, ratio %.3f (quartiles %.3f %.3f)\n", threads, p->name, rates[0][pairs / 2],
           rates[1][pairs / 2], ratios[pairs / 2], ratios[pairs / 4], ratios[pairs * 3 / 4]);
    return WICK_OK;
}

static wick_status open_side(side *s, int threads, wick_error *err) {
    wick_model_options mo = wick_model_options_default();
    wick_session_options so = wick_session_options_default();
    mo.threads = so.threads = threads;
    wick_status status = wick_model_open(s->path, &mo, &s->model, err);
    return status != WICK_OK ? status : wick_session_new(s->model, &so, &s->session, err);
}

int main(int argc, char **argv) {
    static const phase phases[] = {{"prefill", 0, PREFILL, PREFILLS}, {"decode", DEPTH, 1, DECODE}};
    int pairs = argc > 3 ? atoi(argv[3]) : 10, threads = argc > 4 ? atoi(argv[4]) : 1;
    if (argc < 3 || pairs < 1 || pairs > MAX_PAIRS || threads < 1) {
        fprintf(stderr, "usage: bench_pair A.pte B.pte [PAIRS] [THREADS]\n");
        return 2;
    }
    side sides[2] = {{.path = argv[1]}, {.path = argv[2]}};
    wick_error err = {0};
    wick_status status = WICK_OK;
    for (int k = 0; k < 2 && status == WICK_OK; k++) status = open_side(&sides[k], threads, &err);
    for (int i = 0; i < 2 && status == WICK_OK; i++) status = measure(sides, &phases[i], pairs, threads, &err);
    if (status != WICK_OK) fprintf(stderr, "bench_pair: %s\n", err.message);
    for (int k = 0; k < 2; k++) {
        wick_session_free(sides[k].session);
        wick_model_close(sides[k].model);
    }
    return status != WICK_OK;
}
