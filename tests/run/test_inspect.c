/* What `wick inspect` says: whole texts of stock programs against tests/data/inspect (made by `wick inspect FILE --no_speed` in
 * tests/data/stock), and for each oddity that those do not show a program that was changed until it does. */
#include "base/bytes.h"
#include "base/mem.h"
#include "run/summary.h"
#include "support/support.h"

#include "wick.h"

#include <unistd.h>

/* ---------------------------------------------------------------- texts */

static bool take(void *user, const char *text, size_t size) {
    wick_strbuf_add(user, text, size);
    return true;
}

static char *describe(const char *path, bool json, bool no_speed) {
    wick_strbuf text = {0};
    wick_describe_options o = wick_describe_options_default();
    o.json = json;
    o.no_speed = no_speed;
    o.threads = 2;
    assert_ok(wick_program_describe(path, &o, take, &text, err));
    return wick_strbuf_take(&text, NULL);
}

static void texts_are_as_recorded(void **state) {
    (void)state;
    static const char *const names[] = {"st_8da4w_rec", "st_8da4w_lgattn", "st_8da4w_sink", "st_fp32_sdpa", "st_multi",
                                        "st_ptd",       "ty_lfm2",         "ty_qwen3",      "ty_phi4_fp32"};
    char here[4096], data[4096];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(data, sizeof data, "%s", test_data("stock"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char file[100], golden[100];
        size_t size;
        snprintf(file, sizeof file, "%s.pte", names[i]);
        snprintf(golden, sizeof golden, "inspect/%s.txt", names[i]);
        uint8_t *want = test_read(test_data(golden), &size);
        assert_int_equal(chdir(data), 0);
        char *got = describe(file, false, true);
        assert_int_equal(chdir(here), 0);
        if (strcmp(got, (const char *)want) != 0) fail_msg("%s: other text:\n%s", names[i], got);
        wick_free(got);
        free(want);
    }
}

static void put_f32(uint8_t *p, float x) { memcpy(p, &x, 4); }

static void expect(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* ---------------------------------------------------------------- made for something else */

/* Replaces a name in the file by another that is not longer; a FlatBuffer's string has its length in front. Returns how often. */
static int rename_string(uint8_t *file, size_t size, const char *from, const char *to) {
    size_t a = strlen(from), b = strlen(to);
    int n = 0;
    assert_true(b <= a);
    for (size_t i = 4; i + a < size; i++) {
        if (memcmp(file + i, from, a + 1) != 0 || wick_load_u32(file + i - 4) != a) continue;
        wick_store_u32(file + i - 4, (uint32_t)b);
        memset(file + i, 0, a);
        memcpy(file + i, to, b);
        n++;
    }
    return n;
}

static void programs_for_other_machines(void **state) {
    (void)state;
    static const char operator[] = "quantized_decomposed::embedding_byte";
    static const struct {
        const char *from, *to, *device, *advice;
    } cases[] = {
        {"XnnpackBackend", "QnnBackend", "Qualcomm NPUs", "export the model again with `wick export`, or for the XNNPACK backend"},
        {"XnnpackBackend", "CoreMLBackend", "Apple devices through Core ML", "export the model again"},
        {"XnnpackBackend", "MPSBackend", "Apple GPUs", "export the model again"},
        {"XnnpackBackend", "VulkanBackend", "GPUs through Vulkan", "export the model again"},
        {"XnnpackBackend", "AcmeBackend", "a machine that Wick does not know", "export the model again"},
        {operator, "torchao::_linear_8bit_act_4bit", "ARM processors, weights in tiles of the torchao library", "the quantization 8da4w"},
        {operator, "torchao::_linear_fp_act_4bit_weight", "Apple GPUs, weights in tiles of the torchao library", "the quantization 8da4w"},
        {operator, "acme::embedding", "a machine that Wick does not know", "which Wick does not have"},
    };
    char path[1000];
    snprintf(path, sizeof path, "%s", test_tmp("other.pte"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        uint8_t *file = test_read(test_data("stock/st_8da4w_rec.pte"), &size);
        assert_true(rename_string(file, size, cases[i].from, cases[i].to) > 0);
        FILE *f = fopen(path, "wb");
        assert_int_equal(fwrite(file, 1, size, f), size);
        fclose(f);
        free(file);
        char *text = describe(path, false, false);
        expect(text, cases[i].to);
        expect(text, cases[i].device);
        expect(text, "does not run in Wick: ");
        expect(text, cases[i].advice);
        assert_null(strstr(text, "memory to run it"));
        wick_free(text);
        text = describe(path, true, false);
        expect(text, "\"plan\":\"refused\"");
        wick_free(text);
        wick_model *model;
        wick_error err = {0};
        assert_int_equal(wick_model_open(path, NULL, &model, &err), WICK_EUNSUPPORTED);
        expect(err.message, cases[i].advice);
    }
}

/* ---------------------------------------------------------------- oddities */

typedef struct subject {
    uint8_t *file;
    wick_program *p;
} subject;

static subject open_copy(const char *name) {
    subject s;
    size_t size;
    s.file = test_read(test_data(name), &size);
    assert_ok(wick_program_open_memory((wick_bytes){s.file, size}, "odd.pte", NULL, &s.p, err));
    return s;
}

static void expect_remark(const subject *s, const char *part, bool present) {
    wick_summary summary;
    wick_summary_options o = {0};
    bool found = false;
    assert_ok(wick_summary_make(s->p, &o, &summary, err));
    for (size_t i = 0; i < summary.n_odd; i++) found = found || strstr(summary.odd[i], part);
    for (size_t i = 0; found != present && i < summary.n_odd; i++) print_message("%s\n", summary.odd[i]);
    if (found != present) fail_msg("\"%s\" is %s", part, present ? "missing" : "there");
    wick_summary_release(&summary);
}

static void close_copy(subject *s) {
    wick_program_close(s->p);
    free(s->file);
}

static wick_pte_tensor *tensor(const subject *s, const int32_t *list) {
    return (wick_pte_tensor *)(uintptr_t)s->p->pte.methods[0].values[list[0]].tensor;
}

static void shapes_are_remarked_on(void **state) {
    (void)state;
    subject s = open_copy("stock/st_fp32_sdpa.pte");
    wick_pte_method *m = &s.p->pte.methods[0];
    expect_remark(&s, "static shapes", false);
    expect_remark(&s, "no KV cache", false);
    expect_remark(&s, "logits for every token", false);
    tensor(&s, m->outputs)->dims[0] = 127;
    expect_remark(&s, "forward: gives logits for every token", true);
    tensor(&s, m->outputs)->dims[0] = 1;
    tensor(&s, m->inputs)->dynamism = WICK_STATIC;
    tensor(&s, m->inputs)->dims[1] = 1;
    expect_remark(&s, "forward: static shapes", true);
    m->n_input = 1;
    expect_remark(&s, "forward: no KV cache", true);
    close_copy(&s);
}

/* Weights of every linear become whole numbers. */
static void codes_stored_as_floats_are_remarked_on(void **state) {
    (void)state;
    subject s = open_copy("stock/st_fp32_sdpa.pte");
    wick_raised r;
    expect_remark(&s, "int8 codes", false);
    assert_ok(wick_raise(s.p, &s.p->methods[0], &r, err));
    for (size_t i = 0; i < r.graph->n_node; i++) {
        if (r.graph->nodes[i].dead || r.graph->nodes[i].op != WICK_OP_linear) continue;
        const wick_value *w = &r.graph->values[wick_node_inputs(&r.graph->nodes[i])[1]];
        for (int k = 0; k < w->n_part; k++) {
            uint8_t *bytes = (uint8_t *)(uintptr_t)w->parts[k].data.bytes;
            assert_true(bytes > s.file);
            for (uint64_t at = 0; at < w->parts[k].data.size; at += 4) put_f32(bytes + at, (int8_t)(at * 37 / 4));
        }
    }
    wick_raised_release(&r);
    expect_remark(&s, "linear layers hold int8 codes as 32-bit floats", true);
    close_copy(&s);
}

/* The delegate's largest named data becomes a copy of the second largest. */
static void tables_stored_twice_are_remarked_on(void **state) {
    (void)state;
    subject s = open_copy("stock/st_8da4w_rec.pte");
    const wick_pte *p = &s.p->pte;
    expect_remark(&s, "stored twice", false);
    wick_bytes first = {0}, b;
    for (uint32_t i = 0; i < p->n_named; i++) {
        if (!wick_pte_named_find(p, p->named[i].key, &b) || b.size < 4096) continue;
        if (first.data && first.size == b.size) break;
        first = b;
    }
    assert_true(first.data && first.data != b.data && first.size == b.size);
    memcpy((uint8_t *)(uintptr_t)b.data, first.data, b.size - 1);
    expect_remark(&s, "stored twice", false); /* all but one byte */
    memcpy((uint8_t *)(uintptr_t)b.data, first.data, b.size);
    expect_remark(&s, "1 table is stored twice, 5.5 kB for nothing", true);
    close_copy(&s);
}

static void estimates_are_the_plan_and_the_machine(void **state) {
    (void)state;
    static const char *const names[] = {"stock/st_8da4w_rec.pte", "stock/st_fp32_sdpa.pte", "stock/ty_lfm2.pte"};
    for (int i = 0; i < 3; i++) {
        subject s = open_copy(names[i]);
        wick_summary summary;
        wick_summary_options o = {.measure = true, .threads = 2};
        wick_model *model;
        assert_ok(wick_summary_make(s.p, &o, &summary, err));
        assert_ok(wick_model_open(test_data(names[i]), NULL, &model, err));
        uint64_t held = wick_model_info_get(model)->weights_size; /* norms and rope tables beside the matrices */
        assert_true(summary.memory.packed <= held && held - summary.memory.packed < 200000);
        assert_int_equal(summary.speed.memory.threads, 2);
        assert_int_equal(summary.speed.memory.buffer, summary.speed.weights > 1 << 20 ? summary.speed.weights / 4096 * 4096 : 1 << 20);
        assert_true(summary.speed.memory.rate > 0);
        assert_true(wick_speed_bound(&summary.speed, summary.speed.cache) < wick_speed_bound(&summary.speed, 0));
        wick_model_close(model);
        wick_summary_release(&summary);
        close_copy(&s);
    }
    assert_int_equal(wick_mem_stats_get().n_live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_as_recorded),
        cmocka_unit_test(programs_for_other_machines),
        cmocka_unit_test(shapes_are_remarked_on),
        cmocka_unit_test(codes_stored_as_floats_are_remarked_on),
        cmocka_unit_test(tables_stored_twice_are_remarked_on),
        cmocka_unit_test(estimates_are_the_plan_and_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
