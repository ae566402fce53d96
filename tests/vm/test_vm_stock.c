/* The vm runs every program of the stock exporter and agrees with what the stock runtime answered. */
#include "support/stock_agree.h"

#include "base/half.h"
#include "base/os.h"
#include "vm/vm.h"

typedef struct executor {
    wick_vm *vm;
    bool kv;
    int64_t ids[1024];
    size_t n_vocab;
} executor;

static wick_status reset(void *user, wick_error *err) {
    (void)err;
    wick_vm_reset(((executor *)user)->vm);
    return WICK_OK;
}

static wick_status step(void *user, const int32_t *tokens, size_t from, size_t to, float *logits, wick_error *err) {
    executor *e = user;
    int64_t position = (int64_t)from;
    size_t first = e->kv ? from : 0, n = to - first;
    for (size_t i = 0; i < n; i++) e->ids[i] = tokens[first + i];
    wick_vm_tensor in[2] = {{WICK_ST_LONG, 2, {1, (int32_t)n}, e->ids}, {WICK_ST_LONG, 1, {1}, &position}}, out;
    WICK_TRY(wick_vm_run(e->vm, in, e->kv ? 2 : 1, &out, 1, err));
    size_t n_vocab = (size_t)out.dims[out.rank - 1], count = 1;
    for (int i = 0; i < out.rank; i++) count *= (size_t)out.dims[i];
    for (size_t i = 0, at = count - n_vocab; i < n_vocab; i++, at++) {
        if (out.scalar_type == WICK_ST_BFLOAT16)
            logits[i] = wick_bf16_to_f32(((const uint16_t *)out.data)[at]);
        else if (out.scalar_type == WICK_ST_HALF)
            logits[i] = wick_f16_to_f32(((const uint16_t *)out.data)[at]);
        else
            logits[i] = ((const float *)out.data)[at];
    }
    return WICK_OK;
}

static const char *way_names[] = {"whole", "single", "chunks"};

static void agree(const char *name, const char *data, const char *method, bool every_way) {
    char file[128], json[128];
    snprintf(file, sizeof file, "%s.pte", name);
    snprintf(json, sizeof json, strcmp(method, "forward") ? "%s.%s.json" : "%s.json", name, method);
    const char *path = stock_file(file), *reference = stock_file(json), *data_path = data ? stock_file(data) : NULL;
    if (!path || !reference || (data && !data_path)) {
        print_message("%s is not here (WICK_STOCK_DIR)\n", file);
        skip();
    }
    wick_program_options options = {.data_paths = &data_path, .n_data_path = data ? 1 : 0};
    wick_program *program = NULL;
    executor e = {0};
    assert_ok(wick_program_open(path, &options, &program, err));
    const wick_program_method *m = wick_program_method_find(program, method);
    assert_non_null(m);
    e.kv = m->pte->n_input > 1;
    assert_ok(wick_vm_new(program, m, &e.vm, err));
    stock_executor x = {&e, reset, step};
    for (int way = 0; way < (every_way ? 3 : 1); way++) {
        double seconds = wick_os_seconds();
        stock_report r = stock_compare(reference, (stock_way)way, &x);
        print_message("%-22s %-6s %d steps, %d flips (margin %.3g), first logits %.2g (KL %.2g), chosen logits %.2g, %.2f s%s%s\n",
                      method[0] == 'l' ? method : name, way_names[way], r.n_step, r.n_flip, r.worst_flip, r.first_diff, r.first_kl,
                      r.top_diff, wick_os_seconds() - seconds, r.fault ? ": " : "", r.fault ? r.fault : "");
        if (r.fault) fail_msg("%s (%s): %s", name, way_names[way], r.fault);
    }
    wick_vm_free(e.vm);
    wick_program_close(program);
}

#define PROGRAM(name)                                                                                                                      \
    static void test_##name(void **state) {                                                                                                \
        (void)state;                                                                                                                       \
        agree(#name, NULL, "forward", true);                                                                                               \
    }
#define PROGRAMS(X)                                                                                                                        \
    X(st_fp32_sdpa)                                                                                                                        \
    X(st_8da4w_xnn)                                                                                                                        \
    X(st_8da4w_rec)                                                                                                                        \
    X(st_8da4w_emb4)                                                                                                                       \
    X(st_8da4w_qkv)                                                                                                                        \
    X(st_8da4w_sink)                                                                                                                       \
    X(st_8da4w_lgattn)                                                                                                                     \
    X(st_fp32)                                                                                                                             \
    X(st_fp32_nokv)                                                                                                                        \
    X(st_fp32_static)                                                                                                                      \
    X(st_bf16)                                                                                                                             \
    X(st_int8)                                                                                                                             \
    X(st_seq_lt_ctx)                                                                                                                       \
    X(st_multi)                                                                                                                            \
    X(st_lora)                                                                                                                             \
    X(st_prune)                                                                                                                            \
    X(ty_qwen2)                                                                                                                            \
    X(ty_qwen2_fp32)                                                                                                                       \
    X(ty_qwen3)                                                                                                                            \
    X(ty_qwen3_fp32)                                                                                                                       \
    X(ty_phi4)                                                                                                                             \
    X(ty_phi4_fp32)                                                                                                                        \
    X(ty_smollm2)                                                                                                                          \
    X(ty_smollm2_fp32)                                                                                                                     \
    X(ty_lfm2)                                                                                                                             \
    X(ty_lfm2_fp32)                                                                                                                        \
    X(sm_rec)
PROGRAMS(PROGRAM)

static void test_lora_method(void **state) {
    (void)state;
    agree("st_multi", NULL, "lora_forward", true);
}

static void test_external_data(void **state) {
    (void)state;
    agree("st_ptd", "st_ptd_weights.ptd", "forward", true);
}

#define ROW(name) cmocka_unit_test(test_##name),
int main(void) {
    const struct CMUnitTest tests[] = {PROGRAMS(ROW) cmocka_unit_test(test_lora_method), cmocka_unit_test(test_external_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
