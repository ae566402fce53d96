/* Tokens per second of a program in this process: loading, prefill and decode, as a user of wick.h sees them.
 *
 *     bench_session M.pte [--threads N] [--prompt N] [--decode N] [--depth N] [--repeat N] [--cpu LEVEL] [--plan vm] [--cpu_time 1]
 *
 * Every figure is the median over the repeats, with the slowest and fastest beside it. --depth: tokens that stand before the
 * decoded ones (default: the prompt). --cpu_time 1 counts processor seconds instead of wall time: what to compare on a busy
 * machine, with one thread. */
#include "base/os.h"
#include "wick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct settings {
    const char *path, *cpu, *plan;
    int threads, prompt, decode, depth, repeat, cpu_time;
} settings;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, int n, double *seconds, int repeat) {
    qsort(seconds, (size_t)repeat, sizeof *seconds, compare);
    printf("%-8s %5d tokens: %8.1f tok/s (%.1f .. %.1f), %.3f ms per token\n", what, n, n / seconds[repeat / 2], n / seconds[repeat - 1],
           n / seconds[0], 1e3 * seconds[repeat / 2] / n);
}

static double now(const settings *o) { return o->cpu_time ? (double)clock() / CLOCKS_PER_SEC : wick_os_seconds(); }

static int failed(const wick_error *err) {
    fprintf(stderr, "bench_session: %s\n", err->message);
    return 1;
}

static int32_t token(int i, int64_t n_vocab) {
    return (int32_t)(((uint64_t)i * 2654435761u + 17) % (uint64_t)(n_vocab < 1000 ? n_vocab : 1000));
}

static int measure(wick_session *s, const settings *o, int64_t n_vocab, wick_error *err) {
    int n = o->prompt > o->depth ? o->prompt : o->depth;
    double *prefill = calloc((size_t)o->repeat, sizeof *prefill), *decode = calloc((size_t)o->repeat, sizeof *decode);
    int32_t *tokens = calloc((size_t)n + 1, sizeof *tokens);
    wick_status status = prefill && decode && tokens ? WICK_OK : WICK_ENOMEM;
    for (int i = 0; tokens && i < n; i++) tokens[i] = token(i, n_vocab);
    for (int r = -1; r < o->repeat && status == WICK_OK; r++) { /* the first round warms up */
        wick_session_rewind(s, 0, err);
        double t = now(o);
        status = wick_session_sync(s, tokens, (size_t)o->prompt, err);
        if (r >= 0) prefill[r] = now(o) - t;
        if (status == WICK_OK) status = wick_session_sync(s, tokens, (size_t)o->depth, err);
        t = now(o);
        for (int i = 0; i < o->decode && status == WICK_OK; i++) status = wick_session_step(s, token(i, n_vocab), err);
        if (r >= 0) decode[r] = now(o) - t;
    }
    if (status == WICK_OK) {
        report("prefill", o->prompt, prefill, o->repeat);
        report("decode", o->decode, decode, o->repeat);
    }
    free(prefill);
    free(decode);
    free(tokens);
    return status != WICK_OK ? failed(err) : 0;
}

static int parse(int argc, char **argv, settings *o) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        int *number = !strcmp(name, "--threads")    ? &o->threads
                      : !strcmp(name, "--prompt")   ? &o->prompt
                      : !strcmp(name, "--decode")   ? &o->decode
                      : !strcmp(name, "--depth")    ? &o->depth
                      : !strcmp(name, "--cpu_time") ? &o->cpu_time
                      : !strcmp(name, "--repeat")   ? &o->repeat
                                                    : NULL;
        const char **text = !strcmp(name, "--cpu") ? &o->cpu : !strcmp(name, "--plan") ? &o->plan : NULL;
        if (number && value)
            *number = atoi(value), i++;
        else if (text && value)
            *text = value, i++;
        else if (name[0] != '-' && !o->path)
            o->path = name;
        else
            return 2;
    }
    if (!o->depth) o->depth = o->prompt;
    return o->path && o->prompt > 0 && o->decode > 0 && o->repeat > 0 ? 0 : 2;
}

int main(int argc, char **argv) {
    settings o = {.prompt = 128, .decode = 64, .repeat = 5, .threads = 1};
    wick_error err = {0};
    wick_model *model = NULL;
    wick_session *session = NULL;
    if (parse(argc, argv, &o)) {
        fprintf(stderr,
                "usage: bench_session M.pte [--threads N] [--prompt N] [--decode N] [--depth N] [--repeat N] [--cpu LEVEL] [--plan vm]\n");
        return 2;
    }
    wick_model_options mo = wick_model_options_default();
    mo.cpu = o.cpu;
    mo.threads = o.threads;
    if (o.plan && !strcmp(o.plan, "vm")) mo.plan = WICK_PLAN_VM;
    if (wick_model_open(o.path, &mo, &model, &err) != WICK_OK) return failed(&err);
    const wick_model_info *info = wick_model_info_get(model);
    wick_session_options so = wick_session_options_default();
    so.threads = o.threads;
    static const char *const plans[] = {"auto", "raised", "mixed", "vm"};
    printf("%s: %s, loaded in %.3f s, weights %.1f MB, %d threads, peak %.1f MB\n", o.path, plans[info->plan], info->load_seconds,
           (double)info->weights_size * 1e-6, o.threads, (double)wick_os_peak_rss() * 1e-6);
    int rc = wick_session_new(model, &so, &session, &err) != WICK_OK ? failed(&err) : measure(session, &o, info->n_vocab, &err);
    wick_session_free(session);
    wick_model_close(model);
    return rc;
}
