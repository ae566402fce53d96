/* raise on programs that the stock exporter wrote: the printed graphs are golden files.
 *
 * WICK_REGENERATE=1 build/tests/test_raise_stock writes them anew; review the diff. */
#include "base/file.h"
#include "base/mem.h"
#include "raise/raise.h"
#include "support/support.h"

static const struct {
    const char *name, *method, *data;
    bool whole; /* nothing may be left */
} files[] = {
    {"st_8da4w_xnn", "forward", NULL, true},
    {"st_8da4w_rec", "forward", NULL, true},
    {"st_8da4w_emb4", "forward", NULL, true},
    {"st_ptd", "forward", "st_ptd_weights.ptd", true},
    {"st_multi", "forward", NULL, true},
    {"st_multi", "lora_forward", NULL, true},
    {"ty_qwen3", "forward", NULL, true},
    {"ty_phi4_fp32", "forward", NULL, true},
    {"ty_lfm2", "forward", NULL, true},
    {"st_8da4w_lgattn", "forward", NULL, true},
    {"st_8da4w_qkv", "forward", NULL, true},
    {"st_8da4w_sink", "forward", NULL, true},
    {"oe010_llama_q", "forward", NULL, true},
    {"ty_fp16_emb2", "forward", NULL, true},
    {"ty_ring_int8", "forward", NULL, true},
    {"oe010_llama_plain", "forward", NULL, true},
    {"oe010_llama_both", "forward", NULL, true},
    {"oe010_gemma3_both", "forward", NULL, true},
    {"oe010_phi3_q", "forward", NULL, true},
    {"oe010_olmo_q", "forward", NULL, true},
    {"oe010_granite_q", "forward", NULL, true},
    {"oe110_llama_q", "forward", NULL, true},
    {"oe110_llama_bstatic", "forward", NULL, true},
    {"ty_spread_rope", "forward", NULL, true},
};

static const char *path_of(const char *folder, const char *name, const char *suffix) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    return test_data(path);
}

static void print_all(const wick_raised *r, wick_strbuf *text) {
    wick_graph_print(r->graph, text);
    for (size_t i = 0; i < r->n_left; i++) {
        const wick_left *l = &r->left[i];
        wick_strbuf_printf(text, "left @%d.%d %s: %s\n", l->origin.instruction, l->origin.xnn_node, l->op, l->reason);
    }
    wick_strbuf_printf(text, "layers=%lld sequence=%lld context=%lld vocabulary=%lld\n", (long long)r->graph->n_layer,
                       (long long)r->graph->max_seq_len, (long long)r->graph->max_context, (long long)r->graph->n_vocab);
}

static void test_golden(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char data[256], golden[64];
        snprintf(data, sizeof data, "%s", files[i].data ? path_of("stock", files[i].data, "") : "");
        const char *paths[] = {data};
        wick_program_options options = {.data_paths = paths, .n_data_path = files[i].data != NULL};
        wick_program *p = NULL;
        wick_raised raised = {0};
        wick_strbuf text = {0};
        assert_ok(wick_program_open(path_of("stock", files[i].name, ".pte"), &options, &p, err));
        assert_ok(wick_raise(p, wick_program_method_find(p, files[i].method), &raised, err));
        if (files[i].whole && raised.n_left) fail_msg("%s: %s was left", files[i].name, raised.left[0].op);
        print_all(&raised, &text);
        snprintf(golden, sizeof golden, strcmp(files[i].method, "forward") ? "%s.%s" : "%s", files[i].name, files[i].method);
        if (getenv("WICK_REGENERATE")) {
            assert_ok(wick_file_write(path_of("raise", golden, ".txt"), text.data, text.size, err));
        } else {
            size_t size;
            uint8_t *expected = test_read(path_of("raise", golden, ".txt"), &size);
            if (strcmp((char *)expected, text.data))
                fail_msg("%s raises to another graph than tests/data/raise/%s.txt", files[i].name, golden);
            free(expected);
        }
        wick_strbuf_release(&text);
        wick_raised_release(&raised);
        wick_program_close(p);
    }
}

/* The same weights in two layouts of the exporter print the same graph. */
static void test_same_graph(void **state) {
    (void)state;
    size_t a_size, b_size;
    uint8_t *a = test_read(test_data("raise/st_8da4w_xnn.txt"), &a_size), *b = test_read(test_data("raise/st_8da4w_rec.txt"), &b_size);
    char *a_rest = strstr((char *)a, "%2:"), *b_rest = strstr((char *)b, "%2:"); /* the embedding differs: fp32 and 8 bit */
    assert_string_equal(a_rest, b_rest);
    free(a);
    free(b);
}

/* Raising with the n-th allocation failing: an error, and nothing is lost. */
static void test_no_memory(void **state) {
    (void)state;
    wick_program *p = NULL;
    assert_ok(wick_program_open(path_of("stock", "st_8da4w_emb4", ".pte"), &(wick_program_options){0}, &p, err));
    wick_mem_stats before = wick_mem_stats_get();
    uint64_t n_fail = 0;
    for (uint64_t n = 1;; n += 1 + n / 16) {
        wick_raised raised;
        wick_mem_fail_at(n);
        wick_status status = wick_raise(p, wick_program_method_find(p, "forward"), &raised, NULL);
        wick_mem_fail_at(0);
        if (status == WICK_OK) assert_int_equal(raised.n_left, 0);
        wick_raised_release(&raised);
        assert_int_equal(wick_mem_stats_get().n_live, before.n_live);
        if (status == WICK_OK) break;
        assert_int_equal(status, WICK_ENOMEM);
        n_fail++;
    }
    assert_true(n_fail > 20);
    wick_program_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_same_graph),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
