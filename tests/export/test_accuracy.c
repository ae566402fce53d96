/* fp32 exports against what other implementations computed with the same weights (tests/data/logits), in Wick: every position token
 * by token, whole prompts, greedy continuations; both backends, raised and in the vm. */
#include "export/lowered.h"

#include <jansson.h>
#include <math.h>

typedef struct vectors {
    json_t *tokens;
    uint8_t *npy;
    const float *logits; /* [n_row, n_vocab] */
    double limit;
} vectors;

/* The limit is what tests/data/README.md says: ten times the measured rounding of fp32. */
static vectors vectors_open(const char *folder, double limit) {
    char path[300];
    size_t size;
    vectors v = {.limit = limit};
    snprintf(path, sizeof path, "logits/%s/tokens.json", folder);
    v.tokens = json_load_file(test_data(path), 0, NULL);
    assert_non_null(v.tokens);
    snprintf(path, sizeof path, "logits/%s/logits.npy", folder);
    v.npy = test_read(test_data(path), &size);
    assert_memory_equal(v.npy, "\x93NUMPY\x01\x00", 8);
    v.logits = (const float *)(v.npy + 10 + v.npy[8] + 256 * v.npy[9]);
    double measured = json_number_value(json_object_get(json_object_get(v.tokens, "tolerance"), "max_abs_fp32_minus_fp64"));
    if (!limit) v.limit = 10 * fmax(4e-6, measured);
    return v;
}

static void vectors_close(vectors *v) {
    json_decref(v->tokens);
    free(v->npy);
}

static size_t ids_of(const json_t *array, int32_t *ids, size_t max) {
    size_t n = json_array_size(array);
    assert_true(n > 0 && n <= max);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return n;
}

static void assert_near(const wick_session *s, const float *want, int64_t n_vocab, double limit, const char *what, size_t position) {
    const float *got = wick_session_logits(s);
    for (int64_t i = 0; i < n_vocab; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= limit))
            fail_msg("%s, position %zu, token %lld: %g, recorded %g (limit %g)", what, position, (long long)i, (double)got[i],
                     (double)want[i], limit);
}

static int32_t best(const float *logits, int64_t n) {
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[at]) at = i;
    return (int32_t)at;
}

static void check_prompt(wick_session *s, const vectors *v, const json_t *prompt, int64_t n_vocab, const char *what) {
    int32_t ids[256], greedy[256];
    size_t n = ids_of(json_object_get(prompt, "ids"), ids, 256), n_greedy = ids_of(json_object_get(prompt, "greedy"), greedy, 256);
    const json_t *kept = json_object_get(prompt, "rows"); /* of the last positions; absent: of all */
    size_t skipped = kept ? n - (size_t)json_integer_value(kept) : 0;
    const float *rows = v->logits + (json_integer_value(json_object_get(prompt, "row")) - (int64_t)skipped) * n_vocab;
    assert_ok(wick_session_rewind(s, 0, err));
    for (size_t i = 0; i < n; i++) {
        assert_ok(wick_session_step(s, ids[i], err));
        if (i >= skipped) assert_near(s, rows + (int64_t)i * n_vocab, n_vocab, v->limit, what, i);
    }
    assert_ok(wick_session_rewind(s, 0, err));
    assert_ok(wick_session_sync(s, ids, n, err));
    assert_near(s, rows + (int64_t)(n - 1) * n_vocab, n_vocab, v->limit, what, n - 1);
    for (size_t i = 0; i < n_greedy; i++) {
        assert_int_equal(best(wick_session_logits(s), n_vocab), greedy[i]);
        assert_ok(wick_session_step(s, greedy[i], err));
    }
}

static void check(const char *checkpoint, const char *folder, double limit, wick_export_backend backend, wick_plan plan) {
    char what[300];
    snprintf(what, sizeof what, "%s %s %s", folder, backend == WICK_BACKEND_PORTABLE ? "portable" : "XNNPACK",
             plan == WICK_PLAN_VM ? "vm" : "raised");
    wick_export_options o = wick_export_options_default();
    o.checkpoint = checkpoint;
    o.output = test_tmp("accuracy.pte");
    o.qmode = o.embedding_quantize = "fp32";
    o.backend = backend;
    o.max_seq_len = 64;
    o.max_context = 128;
    assert_ok(wick_export(&o, NULL, NULL, err));
    vectors v = vectors_open(folder, limit);
    wick_model_options mo = wick_model_options_default();
    mo.plan = plan;
    mo.threads = 1;
    wick_model *model;
    assert_ok(wick_model_open(o.output, &mo, &model, err));
    wick_session_options so = wick_session_options_default();
    so.kv_dtype = WICK_KV_F32;
    so.threads = 1;
    wick_session *s;
    assert_ok(wick_session_new(model, &so, &s, err));
    int64_t n_vocab = wick_model_info_get(model)->n_vocab;
    size_t i;
    json_t *prompt;
    json_array_foreach(json_object_get(v.tokens, "prompts"), i, prompt) check_prompt(s, &v, prompt, n_vocab, what);
    wick_session_free(s);
    wick_model_close(model);
    vectors_close(&v);
}

static void check_plan(wick_plan plan) {
    static const char *const families[] = {"tiny_llama", "tiny_llama_bf16", "tiny_llama3", "tiny_smollm2"};
    for (int b = 0; b < 2; b++) {
        wick_export_backend backend = b ? WICK_BACKEND_PORTABLE : WICK_BACKEND_XNNPACK;
        check(test_data(STORIES), "stories260K", 1e-4, backend, plan);
        for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
            char checkpoint[100];
            snprintf(checkpoint, sizeof checkpoint, "logits/%s", families[i]);
            check(test_data(checkpoint), families[i], 0, backend, plan);
        }
    }
}

static void raised_computes_what_others_computed(void **state) {
    (void)state;
    check_plan(WICK_PLAN_RAISED);
}

static void vm_computes_what_others_computed(void **state) {
    (void)state;
    check_plan(WICK_PLAN_VM);
}

/* WICK_SMOLLM2 names the GGUF that tools/get_smollm2 fetches. */
static void smollm2_computes_what_transformers_computes(void **state) {
    (void)state;
    const char *gguf = getenv("WICK_SMOLLM2");
    if (!gguf) {
        puts("skipped: WICK_SMOLLM2 is not set");
        skip();
    }
    check(gguf, "smollm2", 5e-4, WICK_BACKEND_XNNPACK, WICK_PLAN_RAISED);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(raised_computes_what_others_computed),
                                       cmocka_unit_test(vm_computes_what_others_computed),
                                       cmocka_unit_test(smollm2_computes_what_transformers_computes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
