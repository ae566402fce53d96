/* Configurations in ExecuTorch's schema: files, overrides, and what is refused and how it is said. */
#include "support/lib_alloc.h"
#include "support/support.h"

#include "base/mem.h"
#include "export/export_config.h"

static wick_export_config *fresh(void) {
    wick_export_config *c;
    assert_ok(wick_export_config_new(&c, err));
    return c;
}

static wick_status read_text(wick_export_config *c, const char *text, wick_error *err) {
    return wick_config_read(c, (wick_bytes){(const uint8_t *)text, strlen(text)}, "x.yaml", err);
}

static const char recommended[] = "# comment\n"
                                  "base:\n"
                                  "  model_class: llama3_2\n"
                                  "  checkpoint: /models/llama\n"
                                  "  metadata: '{\"get_bos_id\":128000, \"get_eos_ids\":[128009, 128001]}'\n"
                                  "\n"
                                  "model:\n"
                                  "  use_sdpa_with_kv_cache: True\n"
                                  "  use_kv_cache: yes\n"
                                  "  dtype_override: fp32\n"
                                  "  local_global_attention: []\n"
                                  "export:\n"
                                  "  max_seq_length: 256\n"
                                  "  output_dir: out\n"
                                  "  output_name: m\n"
                                  "quantization:\n"
                                  "  qmode: 8da4w\n"
                                  "  embedding_quantize: 4,32\n"
                                  "backend:\n"
                                  "  xnnpack: {enabled: true, extended_ops: true}\n"
                                  "  coreml: {ios: 18, compute_units: cpu_and_ne}\n";

static void test_yaml(void **state) {
    (void)state;
    wick_export_config *c = fresh();
    const wick_export_options *o = wick_export_config_get(c);
    assert_string_equal(o->qmode, "8da4w"); /* without a file: the recommended recipe */
    assert_int_equal(o->group_size, 32);
    assert_ok(read_text(c, recommended, err));
    o = wick_export_config_get(c);
    assert_string_equal(o->checkpoint, "/models/llama");
    assert_string_equal(o->metadata, "{\"get_bos_id\":128000, \"get_eos_ids\":[128009, 128001]}");
    assert_string_equal(o->qmode, "8da4w");
    assert_int_equal(o->group_size, 128); /* the schema's default for 8da4w */
    assert_string_equal(o->embedding_quantize, "4,32");
    assert_int_equal(o->backend, WICK_BACKEND_XNNPACK);
    assert_int_equal(o->max_seq_len, 256);
    assert_int_equal(o->max_context, 0);
    assert_string_equal(o->output, "out/m.pte");
    assert_string_equal(o->output_folder, "out");
    wick_export_config_free(c);
}

static void test_json_is_the_same(void **state) {
    (void)state;
    wick_export_config *c = fresh();
    assert_ok(read_text(c,
                        " {\"base\": {\"checkpoint\": \"/models/llama\", \"lora_config\": null},\n"
                        "\t\"quantization\": {\"qmode\": \"8da4w\", \"group_size\": 64, \"embedding_quantize\": \"8,0\"},"
                        "\"model\": {\"use_kv_cache\": true, \"static_quantize_kv_cache_scale\": 0.5, \"local_global_attention\": []}}",
                        err));
    const wick_export_options *o = wick_export_config_get(c);
    assert_string_equal(o->checkpoint, "/models/llama");
    assert_int_equal(o->group_size, 64);
    assert_string_equal(o->embedding_quantize, "8,0");
    assert_int_equal(o->backend, WICK_BACKEND_PORTABLE);
    wick_export_config_free(c);
}

static void test_silent_file_means_schema_defaults(void **state) {
    (void)state;
    static const char *const silent[] = {"", "# nothing\n", "{}", "model:\n  use_kv_cache: true\n", "---\nexport:\n"};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        wick_export_config *c = fresh();
        assert_ok(read_text(c, silent[i], err));
        const wick_export_options *o = wick_export_config_get(c);
        assert_string_equal(o->qmode, "fp32");
        assert_string_equal(o->embedding_quantize, "fp32");
        assert_int_equal(o->backend, WICK_BACKEND_PORTABLE);
        wick_export_config_free(c);
    }
}

static void test_overrides(void **state) {
    (void)state;
    wick_export_config *c = fresh();
    assert_ok(wick_export_config_set(c, "quantization.qmode=8da4w", err));
    assert_ok(wick_export_config_set(c, "+quantization.group_size=64", err));
    assert_ok(wick_export_config_set(c, "++quantization.embedding_quantize=\"8, 0\"", err));
    assert_ok(wick_export_config_set(c, "base.metadata=\"{\\\"get_bos_id\\\":1, \\\"get_eos_ids\\\":[2]}\"", err));
    assert_ok(wick_export_config_set(c, "base.tokenizer_path='a=b'", err));
    assert_ok(wick_export_config_set(c, "backend.xnnpack.enabled=True", err));
    assert_ok(wick_export_config_set(c, "model.local_global_attention=[ ]", err));
    assert_ok(wick_export_config_set(c, "base.preq_mode=null", err));
    const wick_export_options *o = wick_export_config_get(c);
    assert_int_equal(o->group_size, 64);
    assert_string_equal(o->embedding_quantize, "8,0");
    assert_string_equal(o->metadata, "{\"get_bos_id\":1, \"get_eos_ids\":[2]}");
    assert_string_equal(o->tokenizer, "a=b");
    assert_ok(wick_export_config_set(c, "quantization.qmode=null", err));
    assert_string_equal(wick_export_config_get(c)->qmode, "fp32");
    wick_export_config_free(c);
}

/* What is said matters as much as that it is said. */
static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *assignment, *says;
    } cases[] = {
        {"quantization.qmod=8da4w", "did you mean 'quantization.qmode'?"},
        {"model.qmode=8da4w", "did you mean 'quantization.qmode'?"},
        {"export.max_seq_len=3", "did you mean 'export.max_seq_length'?"},
        {"zzzzzzzz=1", "there is no option 'zzzzzzzz'"},
        {"backend.xnnpack=true", "is a group"},
        {"quantization.qmode=int8", "Wick exports 8da4w"},
        {"quantization.group_size=16", "multiple of 32"},
        {"quantization.group_size=abc", "expected an integer"},
        {"quantization.embedding_quantize=8", "as in 8,0"},
        {"quantization.embedding_quantize=3,32", "as in 8,0"},
        {"quantization.pt2e_quantize=foo", "expected one of xnnpack_dynamic"},
        {"quantization.pt2e_quantize=qnn_8a8w", "quantization is by qmode"},
        {"quantization.use_hqq=false", "scales are found by HQQ"},
        {"model.dtype_override=bf16", "programs compute in fp32"},
        {"model.use_kv_cache=false", "programs have a KV cache"},
        {"model.use_kv_cache=maybe", "expected true or false"},
        {"model.local_global_attention=[0, 16]", "sliding windows"},
        {"model.use_attention_sink='4,124'", "attention sinks"},
        {"base.preq_mode=8da4w_output_8da8w", "quantized already"},
        {"base.preq_mode=preq_8da4w", "quantized already"},
        {"base.model_class=gpt5", "expected one of stories110m"},
        {"base.metadata='[1]'", "no JSON object"},
        {"base.metadata='{'", "no JSON object"},
        {"export.max_seq_length=0", "expected 1 to"},
        {"export.max_seq_length=99999999999999999999", "expected an integer"},
        {"export.foundation_weights_file=w.ptd", "all weights go into the program"},
        {"base.checkpoint=${oc.env:HOME}/x", "write the value itself"},
        {"backend.coreml.enabled=true", "XNNPACK and the portable kernels"},
        {"~quantization.qmode", "set them to null"},
        {"quantization.qmode", "expected group.option=value"},
        {"=3", "expected group.option=value"},
    };
    wick_export_config *c = fresh();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wick_error err = {0};
        assert_int_not_equal(wick_export_config_set(c, cases[i].assignment, &err), WICK_OK);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].assignment, err.message);
    }
    wick_export_config_free(c);
}

static void test_bad_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"model:\n  use_kv_cash: true\n", "x.yaml:2: there is no option 'model.use_kv_cash'; did you mean 'model.use_kv_cache'?"},
        {"modell:\n  use_kv_cache: true\n", "there is no option 'modell'"},
        {"model:\n  use_kv_cache: true\n  use_kv_cache: true\n", "x.yaml:3: model.use_kv_cache is there twice"},
        {"model: &a\n  use_kv_cache: true\n", "an anchor"},
        {"model:\n  use_kv_cache: *a\n", "an alias"},
        {"model:\n  use_kv_cache: !!str true\n", "a tag"},
        {"a\n", "a single value"},
        {"- a\n", "a list where a name is expected"},
        {"? [a]\n: b\n", "a list where a name is expected"},
        {"? {a: b}\n: b\n", "a group as the name"},
        {"model:\n  use_kv_cache: {a: b}\n", "not a group of options"},
        {"model: true\n", "is a group of options"},
        {"model:\n use_kv_cache: [true]\n", "expected true or false"},
        {"multimethod:\n  methods:\n  - method_name: a\n", "a program has one method"},
        {"---\nmodel:\n---\nmodel:\n", "a second document"},
        {"model:\n\tuse_kv_cache: true\n", "x.yaml:2:"},
        {"{\"model\": {\"use_kv_cache\": \"perhaps\"}}", "expected true or false"},
        {"{\"model\": {\"use_kv_cache\": true, \"use_kv_cache\": true}}", "x.yaml:1:"},
        {"{\"model\": {\"\": true}}", "no option has a name like"},
        {"{\"model\": 3}", "is a group of options"},
        {"{\"model\": {", "x.yaml:1:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wick_export_config *c = fresh();
        wick_error err = {0};
        assert_int_not_equal(read_text(c, cases[i].text, &err), WICK_OK);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].text, err.message);
        wick_export_config_free(c);
    }
}

/* Every field of the schema, with its default, is accepted where Wick's way is the default, and every row has a sane form. */
static void test_table(void **state) {
    (void)state;
    assert_int_equal(wick_config_n_field, 93);
    for (size_t i = 0; i < wick_config_n_field; i++) {
        const wick_config_field *f = &wick_config_fields[i];
        assert_ptr_equal(wick_config_find(f->path), f);
        assert_false(wick_config_is_group(f->path));
        assert_true((f->use == WICK_CONFIG_ONLY) == (f->reason != NULL));
        assert_true((f->use == WICK_CONFIG_SET) == (f->set != NULL));
        assert_true((f->type == WICK_CONFIG_ENUM) == (f->names != NULL));
        wick_export_config *c = fresh();
        char line[WICK_CONFIG_PATH + 8];
        snprintf(line, sizeof line, "%s=null", f->path);
        assert_ok(wick_export_config_set(c, line, err));
        wick_export_config_free(c);
    }
}

static void test_damage(void **state) {
    (void)state;
    size_t n = strlen(recommended);
    char *copy = malloc(n);
    test_rng rng = {7};
    for (int i = 0; i < 2000; i++) {
        memcpy(copy, recommended, n);
        size_t size = i < (int)n ? (size_t)i : n;
        if (size) copy[test_rng_below(&rng, (uint32_t)size)] ^= (char)(1 << test_rng_below(&rng, 8));
        wick_export_config *c = fresh();
        wick_error err = {0};
        wick_status status = wick_config_read(c, (wick_bytes){(uint8_t *)copy, size}, "x", &err);
        assert_true(status == WICK_OK || err.message[0]);
        wick_export_config_free(c);
    }
    free(copy);
}

static void want(const char *text, void (*fail_at)(uint64_t), bool in_libraries) {
    uint64_t live = wick_mem_stats_get().n_live;
    for (uint64_t i = 1;; i++) {
        wick_export_config *c = NULL;
        wick_error err = {0};
        fail_at(i);
        wick_status status = wick_export_config_new(&c, &err);
        if (status == WICK_OK) status = read_text(c, text, &err);
        if (status == WICK_OK) status = wick_export_config_set(c, "base.metadata='{\"a\": 1}'", &err);
        fail_at(0);
        wick_export_config_free(c);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        if (status == WICK_OK) break;
        if (status != WICK_ENOMEM && !in_libraries) fail_msg("allocation %d: %s", (int)i, err.message);
        assert_true(err.message[0] && i < 2000); /* jansson takes some of these for a wrong input */
    }
}

static void test_no_memory(void **state) {
    (void)state;
    static const char json[] = "{\"base\": {\"checkpoint\": \"/m\"}, \"multimethod\": {\"methods\": []}}";
    want(recommended, wick_mem_fail_at, false);
    want(json, wick_mem_fail_at, false);
#ifdef TEST_HAS_LIB_ALLOC
    want(recommended, test_lib_fail_at, true);
    want(json, test_lib_fail_at, true);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml),      cmocka_unit_test(test_json_is_the_same),
        cmocka_unit_test(test_overrides), cmocka_unit_test(test_silent_file_means_schema_defaults),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_table),     cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
