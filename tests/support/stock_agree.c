#include "support/stock_agree.h"

#include <jansson.h>
#include <math.h>
#include <unistd.h>

const char *stock_file(const char *name) {
    char relative[256];
    snprintf(relative, sizeof relative, "stock/%s", name);
    const char *path = test_data(relative), *folder = getenv("WICK_STOCK_DIR");
    if (access(path, R_OK) == 0) return path;
    if (!folder) return NULL;
    static char elsewhere[4][1024];
    static int at;
    char *s = elsewhere[at++ % 4];
    snprintf(s, sizeof elsewhere[0], "%s/%s", folder, name);
    return access(s, R_OK) == 0 ? s : NULL;
}

typedef enum kind { EXACT, HALF, QUANTIZED } kind;

typedef struct reference {
    json_t *root;
    kind kind;
    size_t n_vocab, bound; /* of tokens per step */
    bool kv, pruned;
    double flip_limit, kl_limit;
    int flips_allowed;
} reference;

static const char *config_string(const json_t *root, const char *group, const char *name) {
    const char *s = json_string_value(json_object_get(json_object_get(json_object_get(root, "config"), group), name));
    return s ? s : "";
}

/* What stock's own variance allows. */
static void set_limits(reference *r) {
    const json_t *runs = json_object_get(r->root, "runs");
    double worst = 0, kl = 0;
    int self = 0, steps = 0;
    size_t i;
    const json_t *run;
    json_array_foreach(runs, i, run) {
        const char *key;
        json_t *way;
        int flips = 0;
        json_object_foreach(json_object_get(run, "vs"), key, way) {
            int n = (int)json_integer_value(json_object_get(way, "flips"));
            flips = n > flips ? n : flips;
            worst = fmax(worst, json_number_value(json_object_get(way, "flip_margin")));
            kl = fmax(kl, json_number_value(json_object_get(way, "kl_max")));
        }
        self += flips;
        steps += (int)json_array_size(json_object_get(run, "greedy"));
    }
    r->flip_limit = r->kind == EXACT ? 1e-3 : r->kind == HALF ? 0.25 : fmax(2 * worst, 0.1);
    r->kl_limit = r->kind == HALF ? 1e-3 : fmax(3 * kl, 2e-2);
    r->flips_allowed = r->kind == QUANTIZED ? 2 * self + steps / 50 : steps;
}

static void load(reference *r, const char *path) {
    json_error_t e;
    *r = (reference){.root = json_load_file(path, 0, &e)};
    if (!r->root) fail_msg("%s: %s", path, e.text);
    const char *method = json_string_value(json_object_get(r->root, "method"));
    const json_t *io = json_object_get(json_object_get(r->root, "methods"), method);
    const json_t *in = json_object_get(io, "inputs"), *out = json_object_get(json_array_get(json_object_get(io, "outputs"), 0), "shape");
    r->n_vocab = (size_t)json_integer_value(json_array_get(out, json_array_size(out) - 1));
    r->bound = (size_t)json_integer_value(json_array_get(json_object_get(json_array_get(in, 0), "shape"), 1));
    r->kv = json_array_size(in) > 1;
    const char *dtype = config_string(r->root, "model", "dtype_override");
    r->kind = !strcmp(config_string(r->root, "quantization", "qmode"), "8da4w") ? QUANTIZED
              : !strcmp(dtype, "bf16") || !strcmp(dtype, "fp16")                ? HALF
                                                                                : EXACT;
    r->pruned = config_string(r->root, "model", "input_prune_map")[0] != 0;
    set_limits(r);
}

/* st_prune was exported with a vocabulary of the ids 0, 1, 2 and all i with i % 4 != 3; another token was fed as 0. */
static int32_t new_id(const reference *r, int32_t old) {
    if (!r->pruned) return old;
    if (old < 3) return old;
    return old % 4 == 3 ? 0 : old - (old + 1) / 4;
}

static size_t argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* KL(p || q) of softmaxes, over the entries that both have. */
static double divergence(const double *p, const float *q, size_t n) {
    double top[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0}, kl = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(p[i]) || !isfinite(q[i])) continue;
        top[0] = fmax(top[0], p[i]);
        top[1] = fmax(top[1], (double)q[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(p[i]) || !isfinite(q[i])) continue;
        sum[0] += exp(p[i] - top[0]);
        sum[1] += exp((double)q[i] - top[1]);
    }
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(p[i]) || !isfinite(q[i])) continue;
        double a = p[i] - top[0] - log(sum[0]), b = (double)q[i] - top[1] - log(sum[1]);
        kl += exp(a) * (a - b);
    }
    return kl;
}

static void compare_first(const reference *r, const float *logits, stock_report *report) {
    const json_t *list = json_object_get(r->root, "logits_first");
    if (json_array_size(list) != r->n_vocab) return;
    double *want = malloc(r->n_vocab * sizeof *want);
    assert_non_null(want);
    for (size_t i = 0; i < r->n_vocab; i++) {
        const json_t *v = json_array_get(list, i);
        want[i] = json_is_number(v) ? json_number_value(v) : -INFINITY;
        if (isfinite(want[i]) != isfinite(logits[i])) report->fault = "a logit is finite in one of the two only";
        if (isfinite(want[i]) && isfinite(logits[i])) report->first_diff = fmax(report->first_diff, fabs(want[i] - (double)logits[i]));
    }
    report->first_kl = divergence(want, logits, r->n_vocab);
    if (r->kind == EXACT && report->first_diff > 1e-3) report->fault = "first logits differ by more than 1e-3";
    if (r->kind != EXACT && report->first_kl > r->kl_limit) report->fault = "KL of the first logits is above the limit";
    free(want);
}

static void run_step(const stock_executor *e, const int32_t *tokens, size_t from, size_t to, float *logits) {
    assert_ok(e->step(e->user, tokens, from, to, logits, err));
}

static void compare_run(const reference *r, size_t i_run, size_t chunk, const stock_executor *e, float *logits, stock_report *report) {
    const json_t *run = json_array_get(json_object_get(r->root, "runs"), i_run);
    const json_t *prompt = json_object_get(run, "prompt"), *greedy = json_object_get(run, "greedy");
    const json_t *margins = json_object_get(run, "margin"), *tops = json_object_get(run, "top1");
    size_t n_prompt = json_array_size(prompt), n_greedy = json_array_size(greedy), at = 0;
    int32_t tokens[1024];
    assert_true(n_prompt + n_greedy <= 1024);
    for (size_t i = 0; i < n_prompt; i++) tokens[i] = new_id(r, (int32_t)json_integer_value(json_array_get(prompt, i)));
    for (size_t i = 0; i < n_greedy; i++) tokens[n_prompt + i] = new_id(r, (int32_t)json_integer_value(json_array_get(greedy, i)));
    assert_ok(e->reset(e->user, err));
    chunk = !r->kv ? n_prompt : chunk < r->bound ? chunk : r->bound;
    for (; at < n_prompt; at = at + chunk < n_prompt ? at + chunk : n_prompt)
        run_step(e, tokens, at, at + chunk < n_prompt ? at + chunk : n_prompt, logits);
    if (i_run == 0) compare_first(r, logits, report);
    for (size_t i = 0; i < n_greedy; i++) {
        size_t want = (size_t)json_integer_value(json_array_get(greedy, i));
        double margin = json_number_value(json_array_get(margins, i)), top = json_number_value(json_array_get(tops, i));
        report->n_step++;
        report->top_diff = fmax(report->top_diff, fabs(top - (double)logits[want]));
        if (argmax(logits, r->n_vocab) != want) {
            report->n_flip++;
            report->worst_flip = fmax(report->worst_flip, margin);
            if (margin > r->flip_limit) report->fault = "another token at a margin above the limit";
        }
        if (i + 1 < n_greedy) run_step(e, tokens, n_prompt + i, n_prompt + i + 1, logits);
    }
}

stock_report stock_compare(const char *json_path, stock_way way, const stock_executor *e) {
    reference r;
    stock_report report = {0};
    load(&r, json_path);
    float *logits = malloc(r.n_vocab * sizeof *logits);
    assert_non_null(logits);
    size_t chunk = way == STOCK_WHOLE ? r.bound : way == STOCK_SINGLE ? 1 : 8;
    for (size_t i = 0; i < json_array_size(json_object_get(r.root, "runs")); i++) compare_run(&r, i, chunk, e, logits, &report);
    if (report.n_flip > r.flips_allowed) report.fault = "more flips than the limit";
    if (r.kind == EXACT && report.top_diff > 1e-3) report.fault = "a chosen logit differs by more than 1e-3";
    free(logits);
    json_decref(r.root);
    return report;
}
