/* Reading programs of the stock exporter: what is in them is known from the bytes and from the stock runtime. */
#include "base/mem.h"
#include "program/program.h"
#include "support/support.h"

static wick_program *open_stock(const char *name) {
    char file[200];
    snprintf(file, sizeof file, "stock/%s.pte", name);
    const char *data[] = {test_data("stock/st_ptd_weights.ptd")};
    wick_program_options options = {.data_paths = data, .n_data_path = strcmp(name, "st_ptd") == 0};
    wick_program *p = NULL;
    assert_ok(wick_program_open(test_data(file), &options, &p, err));
    return p;
}

static int64_t number(const wick_program *p, const char *name) {
    const wick_pte_value *v[4];
    assert_int_equal(wick_pte_metadata(&p->pte, name, v, 4), 1);
    return v[0]->i;
}

static void test_contents(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t n_instr, n_delegate;
    } files[] = {{"st_8da4w_emb4", 201, 13}, {"st_8da4w_rec", 188, 54}, {"st_8da4w_xnn", 325, 21}, {"st_fp32_sdpa", 340, 0},
                 {"ty_qwen3", 87, 28},       {"ty_lfm2", 84, 40},       {"st_ptd", 118, 34},       {"st_8da4w_sink", 222, 34},
                 {"st_8da4w_qkv", 166, 34},  {"st_multi", 118, 34},     {"ty_phi4_fp32", 129, 0}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        wick_program *p = open_stock(files[i].name);
        const wick_program_method *m = wick_program_method_find(p, "forward");
        assert_non_null(m);
        assert_int_equal(m->pte->n_instr, files[i].n_instr);
        assert_int_equal(m->pte->n_delegate, files[i].n_delegate);
        assert_int_equal(m->pte->n_input, 2);
        assert_int_equal(m->pte->n_output, 1);
        assert_false(m->is_metadata);
        if (files[i].name[0] == 's') assert_int_equal(number(p, "get_vocab_size"), 512);
        assert_true(number(p, "use_kv_cache"));
        wick_program_close(p);
    }
}

static void test_delegate(void **state) {
    (void)state;
    wick_program *p = open_stock("st_8da4w_rec");
    const wick_program_method *m = wick_program_method_find(p, "forward");
    const wick_xnn *x = &m->delegates[2]; /* q, k, v of the first layer */
    assert_int_equal(x->n_node, 6);
    assert_int_equal(x->n_input, 1);
    assert_int_equal(x->n_extern, 4);
    for (uint32_t i = 0; i < x->n_value; i++) {
        const wick_xnn_value *v = &x->values[i];
        if (v->dtype != WICK_XD_QBINT4) continue;
        assert_int_equal(v->group_size, 32);
        assert_int_equal(v->dims[1], 64);
        assert_int_equal(v->n_scale, v->dims[0] * 2);
        const wick_xnn_constant *k = &x->constants[v->constant];
        wick_bytes named;
        assert_true(wick_pte_named_find(&p->pte, k->key, &named));
        assert_ptr_equal(named.data, k->bytes.data);
        assert_int_equal(named.size, v->dims[0] * 32);
    }
    wick_program_close(p);
}

/* Two methods whose payloads share segments: each payload is parsed once. */
static void test_sharing(void **state) {
    (void)state;
    wick_program *p = open_stock("st_multi");
    const wick_program_method *a = wick_program_method_find(p, "forward"), *b = wick_program_method_find(p, "lora_forward");
    assert_non_null(b);
    uint32_t shared = 0;
    for (uint32_t i = 0; i < a->pte->n_delegate; i++)
        for (uint32_t k = 0; k < b->pte->n_delegate; k++)
            if (a->pte->delegates[i].index == b->pte->delegates[k].index) {
                assert_ptr_equal(a->delegates[i].nodes, b->delegates[k].nodes);
                shared++;
            }
    assert_true(shared > 0);
    wick_program_close(p);
}

static void test_external(void **state) {
    (void)state;
    wick_error failed;
    wick_program *p;
    assert_int_equal(wick_program_open(test_data("stock/st_ptd.pte"), NULL, &p, &failed), WICK_ENOTFOUND);
    assert_non_null(strstr(failed.message, ".ptd"));
    p = open_stock("st_ptd");
    const wick_pte_method *m = wick_pte_method_find(&p->pte, "forward");
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_value; i++) {
        wick_bytes bytes;
        const wick_pte_tensor *t = m->values[i].tensor;
        if (m->values[i].kind != WICK_EV_TENSOR || !t->external) continue;
        assert_true(wick_program_constant(p, t, &bytes));
        n++;
    }
    assert_true(n > 5);
    wick_program_close(p);
    wick_program_options inspect = {.allow_unknown = true};
    assert_ok(wick_program_open(test_data("stock/st_ptd.pte"), &inspect, &p, err));
    wick_program_close(p);
}

/* The attention sink keeps cache positions that begin at -1. */
static void test_initial_values(void **state) {
    (void)state;
    wick_program *p = open_stock("st_8da4w_sink");
    const wick_pte_method *m = wick_pte_method_find(&p->pte, "forward");
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_value; i++) {
        wick_bytes bytes;
        if (m->values[i].kind != WICK_EV_TENSOR || !wick_program_initial(p, m->values[i].tensor, &bytes)) continue;
        assert_int_equal(m->values[i].tensor->scalar_type, WICK_ST_LONG);
        for (size_t k = 0; k < bytes.size; k += 8) assert_int_equal((int64_t)wick_load_u64(bytes.data + k), -1);
        n++;
    }
    assert_int_equal(n, 3);
    wick_program_close(p);
}

/* Every allocation fails once: an error each time, nothing leaks. */
static void test_no_memory(void **state) {
    (void)state;
    size_t size;
    uint8_t *file = test_read(test_data("stock/ty_lfm2.pte"), &size);
    uint64_t live = wick_mem_stats_get().n_live;
    for (uint64_t n = 1;; n++) {
        wick_program *p;
        wick_error failed;
        wick_mem_fail_at(n);
        wick_status status = wick_program_open_memory((wick_bytes){file, size}, "file", NULL, &p, &failed);
        wick_mem_fail_at(0);
        if (status == WICK_OK) wick_program_close(p);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        if (status == WICK_OK) break;
        assert_int_equal(status, WICK_ENOMEM);
    }
    free(file);
}

static void test_names(void **state) {
    (void)state;
    for (int i = 1; i < WICK_N_INSTR; i++) {
        const char *name = wick_instr_op_name((wick_instr_op)i), *dot = strchr(name, '.');
        char base[100];
        snprintf(base, sizeof base, "%.*s", (int)(dot ? dot - name : (long)strlen(name)), name);
        assert_int_equal(wick_instr_op_find(base, dot ? dot + 1 : ""), i);
    }
    assert_int_equal(wick_instr_op_find("aten::add", ""), WICK_I_UNKNOWN);
    assert_string_equal(wick_xnn_op_name(WICK_XNN_FULLY_CONNECTED), "FullyConnected");
    assert_string_equal(wick_scalar_name(WICK_ST_FLOAT), "Float");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents), cmocka_unit_test(test_delegate),       cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_external), cmocka_unit_test(test_initial_values), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
