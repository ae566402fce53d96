/* Operators of the vm against PyTorch's values, and against hostile arguments. */
#include "support/vm_case.h"

#include "base/mem.h"

static FILE *open_vectors(void) {
    FILE *f = fopen(test_data("ops/vectors.txt"), "r");
    assert_non_null(f);
    return f;
}

static void values_are_those_of_torch(void **state) {
    (void)state;
    FILE *f = open_vectors();
    int n = 0;
    for (vm_case c; vm_case_read(&c, f); n++) {
        wick_error e = {0};
        if (vm_case_run(&c, &e) != WICK_OK) fail_msg("%s: %s", c.name, e.message);
        vm_case_check(&c);
        vm_case_release(&c);
    }
    fclose(f);
    assert_true(n > 150);
}

/* A result tensor that was larger before gets the result's shape. */
static void results_are_resized(void **state) {
    (void)state;
    FILE *f = open_vectors();
    for (vm_case c; vm_case_read(&c, f);) {
        int32_t dims[VM_CASE_VALUES];
        for (uint32_t i = 0; i < c.n_value; i++) {
            dims[i] = c.tensors[i].dims[0];
            if (c.expected[i] && c.tensors[i].rank) c.tensors[i].dims[0]++;
        }
        bool fixed = !strcmp(c.name, "quantized_decomposed::choose_qparams.Tensor_out");
        wick_error e = {0};
        if (vm_case_run(&c, &e) != WICK_OK) fail_msg("%s: %s", c.name, e.message);
        for (uint32_t i = 0; i < c.n_value; i++) c.tensors[i].dims[0] = dims[i];
        if (!fixed) vm_case_check(&c);
        vm_case_release(&c);
    }
    fclose(f);
}

/* ---------------------------------------------------------------- hostile */

/* Runs; whatever happens must be a result or a sentence (the sanitizers watch the rest). */
static void survive(vm_case *c) {
    wick_error e = {0};
    wick_status status = vm_case_run(c, &e);
    if (status != WICK_OK && !e.message[0]) fail_msg("%s: status %d without a sentence", c->name, status);
    vm_case_close(c);
}

static void every_number_goes_wild(vm_case *c) {
    static const int64_t wild[] = {-1, 0, 1, 2, 3, 7, 64, -9, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    static const double wild_real[] = {0, -1, 1e300, -1e300, 1e-300, 0.0 / 0.0};
    for (uint32_t i = 0; i < c->n_value; i++) {
        wick_pte_value keep = c->values[i];
        for (size_t k = 0; (keep.kind == WICK_EV_INT || keep.kind == WICK_EV_BOOL) && k < sizeof wild / sizeof wild[0]; k++) {
            c->values[i].i = wild[k];
            survive(c);
        }
        for (size_t k = 0; keep.kind == WICK_EV_DOUBLE && k < sizeof wild_real / sizeof wild_real[0]; k++) {
            c->values[i].d = wild_real[k];
            survive(c);
        }
        if (keep.kind == WICK_EV_INT_LIST)
            for (uint32_t n = 0; n < keep.n; n++) {
                c->values[i].n = n;
                survive(c);
            }
        c->values[i] = keep;
    }
}

/* Each tensor gets other dims, another rank, another type and extreme contents. */
static void every_tensor_goes_wild(vm_case *c) {
    static const int32_t sizes[] = {0, 1, 2, 5, 9};
    static const int other_types[] = {WICK_ST_FLOAT, WICK_ST_LONG, WICK_ST_CHAR, WICK_ST_BOOL, WICK_ST_BFLOAT16};
    for (uint32_t i = 0; i < c->n_value; i++) {
        if (c->values[i].kind != WICK_EV_TENSOR) continue;
        wick_pte_tensor keep = c->tensors[i];
        void *content = c->content[i];
        c->content[i] = NULL;
        for (int d = 0; d < keep.rank; d++)
            for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
                c->tensors[i] = keep;
                c->tensors[i].dims[d] = sizes[k];
                survive(c);
            }
        for (int rank = 0; rank <= 5; rank++) {
            c->tensors[i] = keep;
            c->tensors[i].rank = rank;
            for (int d = keep.rank; d < rank; d++) c->tensors[i].dims[d] = 2;
            for (int d = 0; d < rank; d++) c->tensors[i].dim_order[d] = (uint8_t)d;
            survive(c);
        }
        for (size_t k = 0; k < sizeof other_types / sizeof other_types[0]; k++) {
            c->tensors[i] = keep;
            c->tensors[i].scalar_type = other_types[k];
            survive(c);
        }
        c->tensors[i] = keep;
        size_t size = wick_scalar_size(keep.scalar_type);
        for (int d = 0; d < keep.rank; d++) size *= (size_t)keep.dims[d];
        for (int fill = 0; fill < 3 && size; fill++) {
            c->content[i] = malloc(size);
            assert_non_null(c->content[i]);
            memset(c->content[i], fill == 0 ? 0x7f : fill == 1 ? 0xff : 0x80, size);
            survive(c);
            free(c->content[i]);
        }
        c->content[i] = content;
    }
}

static void hostile_arguments_give_sentences(void **state) {
    (void)state;
    FILE *f = open_vectors();
    for (vm_case c; vm_case_read(&c, f);) {
        every_number_goes_wild(&c);
        every_tensor_goes_wild(&c);
        vm_case_release(&c);
    }
    fclose(f);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    FILE *f = open_vectors();
    for (vm_case c; vm_case_read(&c, f);) {
        uint64_t live = wick_mem_stats_get().n_live;
        wick_status status = WICK_ENOMEM;
        for (uint64_t n = 1; status != WICK_OK; n++) {
            wick_error e = {0};
            wick_mem_fail_at(n);
            status = vm_case_run(&c, &e);
            wick_mem_fail_at(0);
            vm_case_close(&c);
            assert_true(status == WICK_OK || status == WICK_ENOMEM);
            assert_int_equal(wick_mem_stats_get().n_live, live);
        }
        vm_case_release(&c);
    }
    fclose(f);
}

/* ---------------------------------------------------------------- sentences */

/* An operator over three tensors and a number, with the arguments in `order`: t0..t2 = 0..2, the number = 3. */
static void expect_sentence(const char *name, const char *sentence, int n_tensor, const int types[], const int32_t dims[][4],
                            const int ranks[], int n_number, const int64_t *numbers, const int64_t *content, int content_of) {
    vm_case c = {0};
    wick_error e = {0};
    snprintf(c.name, sizeof c.name, "%s", name);
    for (int i = 0; i + 1 < n_tensor; i++) vm_case_arg(&c, vm_case_tensor(&c, types[i], ranks[i], dims[i]));
    for (int i = 0; i < n_number; i++) vm_case_arg(&c, vm_case_int(&c, numbers[i]));
    vm_case_arg(&c, vm_case_tensor(&c, types[n_tensor - 1], ranks[n_tensor - 1], dims[n_tensor - 1]));
    if (content) {
        c.content[content_of] = malloc(8);
        assert_non_null(c.content[content_of]);
        memcpy(c.content[content_of], content, 8);
    }
    assert_int_not_equal(vm_case_run(&c, &e), WICK_OK);
    if (!strstr(e.message, sentence)) fail_msg("%s: \"%s\" does not say \"%s\"", name, e.message, sentence);
    vm_case_release(&c);
}

/* A row far behind a tensor's last: the operator's arguments are in another order than those of the others. */
static void expect_no_row(int64_t index) {
    vm_case c = {0};
    wick_error e = {0};
    snprintf(c.name, sizeof c.name, "executorch_prim::et_copy_index.tensor");
    vm_case_arg(&c, vm_case_tensor(&c, WICK_ST_FLOAT, 2, (const int32_t[]){4, 2}));
    vm_case_arg(&c, vm_case_tensor(&c, WICK_ST_FLOAT, 1, (const int32_t[]){2}));
    vm_case_arg(&c, vm_case_int(&c, index));
    assert_int_not_equal(vm_case_run(&c, &e), WICK_OK);
    if (!strstr(e.message, "executorch_prim::et_copy_index.tensor")) fail_msg("\"%s\"", e.message);
    vm_case_release(&c);
}

static void faults_are_named(void **state) {
    (void)state;
    const int64_t rows[] = {4, -1, INT32_MAX, INT64_MAX, INT64_MIN, (int64_t)1 << 32};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect_no_row(rows[i]);
    const int floats[] = {WICK_ST_FLOAT, WICK_ST_FLOAT, WICK_ST_FLOAT}, table[] = {WICK_ST_FLOAT, WICK_ST_LONG, WICK_ST_FLOAT};
    const int64_t nine = 9, padding[] = {-1, 0, 0}, position[] = {6}, select[] = {1, 4};
    expect_sentence("aten::embedding.out", "index 9, but there are 4 rows", 3, table, (const int32_t[][4]){{4, 2}, {1}, {1, 2}},
                    (int[]){2, 1, 2}, 3, padding, &nine, 1);
    expect_sentence("llama::update_cache.out", "positions 6 to 9 of a cache of 8 positions", 3, floats,
                    (const int32_t[][4]){{1, 3, 2, 4}, {1, 8, 2, 4}, {1}}, (int[]){4, 4, 1}, 1, position, NULL, 0);
    expect_sentence("aten::select_copy.int_out", "index 4 of dimension 1 of a tensor of shape [2, 4]", 2, floats,
                    (const int32_t[][4]){{2, 4}, {2}}, (int[]){2, 1}, 2, select, NULL, 0);
    expect_sentence("aten::mul.out", "operands of shapes [2, 3] and [2] do not broadcast", 3, floats,
                    (const int32_t[][4]){{2, 3}, {2}, {2, 3}}, (int[]){2, 1, 2}, 0, NULL, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_torch),
        cmocka_unit_test(results_are_resized),
        cmocka_unit_test(hostile_arguments_give_sentences),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(faults_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
