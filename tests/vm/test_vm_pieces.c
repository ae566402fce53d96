/* The vm run in pieces gives what it gives as a whole, bit for bit, and its numbers are those of a whole run. */
#include "support/stock_agree.h"

#include "base/mem.h"
#include "vm/vm_state.h"

static wick_program *open_program(const char *name) {
    const char *data = stock_file("st_ptd_weights.ptd");
    wick_program_options options = {.data_paths = &data, .n_data_path = !strcmp(name, "st_ptd.pte")};
    wick_program *p = NULL;
    assert_ok(wick_program_open(stock_file(name), &options, &p, err));
    return p;
}

enum { N = 4 };

static wick_status run_whole(wick_vm *vm, int64_t position, wick_vm_tensor *out, wick_error *err) {
    int64_t tokens[N] = {1, 7, 3, 5};
    wick_vm_tensor in[2] = {{WICK_ST_LONG, 2, {1, N}, tokens}, {WICK_ST_LONG, 1, {1}, &position}};
    return wick_vm_run(vm, in, 2, out, 1, err);
}

static wick_status run_pieces(wick_vm *vm, int64_t position, wick_vm_tensor *out, wick_error *err) {
    const wick_pte_method *m = vm->method->pte;
    const int64_t tokens[N] = {1, 7, 3, 5};
    wick_vm_tensor t;
    WICK_TRY(wick_vm_integers(vm, N, position, err));
    WICK_TRY(wick_vm_resize(vm, m->inputs[0], (int32_t[]){1, N}, 2, err));
    WICK_TRY(wick_vm_value(vm, m->inputs[0], &t, err));
    memcpy(t.data, tokens, sizeof tokens);
    for (int32_t i = 0; i < (int32_t)m->n_instr; i++) {
        uint32_t n_node = m->instrs[i].kind == WICK_IK_DELEGATE ? vm->method->delegates[m->instrs[i].index].n_node : 0;
        for (int32_t k = 0; k < (int32_t)n_node; k++) WICK_TRY(wick_vm_step(vm, i, k, err));
        if (!n_node) WICK_TRY(wick_vm_step(vm, i, -1, err));
    }
    return wick_vm_value(vm, m->outputs[0], out, err);
}

static void pieces_equal_whole(void **state) {
    (void)state;
    static const char *const names[] = {"st_fp32_sdpa.pte", "st_8da4w_rec.pte", "st_8da4w_qkv.pte", "st_8da4w_sink.pte",
                                        "ty_lfm2.pte",      "ty_qwen3.pte",     "st_ptd.pte"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        wick_program *p = open_program(names[i]);
        wick_vm *whole = NULL, *pieces = NULL;
        assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &whole, err));
        assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &pieces, err));
        for (int64_t position = 0; position < 3 * N; position += N) {
            wick_vm_tensor a, b;
            assert_ok(run_whole(whole, position, &a, err));
            assert_ok(run_pieces(pieces, position, &b, err));
            assert_int_equal(a.rank, b.rank);
            assert_memory_equal(a.dims, b.dims, (size_t)a.rank * sizeof a.dims[0]);
            assert_memory_equal(a.data, b.data, (size_t)a.dims[a.rank - 1] * sizeof(float));
        }
        wick_vm_free(whole);
        wick_vm_free(pieces);
        wick_program_close(p);
    }
}

/* Every number of these programs follows from the shape of the tokens and the position. */
static void integers_are_those_of_a_run(void **state) {
    (void)state;
    static const char *const names[] = {"st_fp32_sdpa.pte", "st_8da4w_rec.pte", "st_8da4w_sink.pte", "ty_lfm2.pte"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        wick_program *p = open_program(names[i]);
        wick_vm *whole = NULL, *pieces = NULL;
        wick_vm_tensor out;
        assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &whole, err));
        assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &pieces, err));
        assert_ok(run_whole(whole, 9, &out, err));
        assert_ok(wick_vm_integers(pieces, N, 9, err));
        for (uint32_t v = 0; v < whole->method->pte->n_value; v++) {
            assert_int_equal(whole->slots[v].kind, pieces->slots[v].kind);
            assert_int_equal(whole->slots[v].i, pieces->slots[v].i);
        }
        wick_vm_free(whole);
        wick_vm_free(pieces);
        wick_program_close(p);
    }
}

static void reset_forgets(void **state) {
    (void)state;
    wick_program *p = open_program("ty_lfm2.pte"); /* recurrent state */
    wick_vm *vm = NULL;
    wick_vm_tensor out;
    assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &vm, err));
    assert_ok(run_whole(vm, 0, &out, err));
    size_t size = (size_t)out.dims[1] * sizeof(float);
    void *first = malloc(size);
    assert_non_null(first);
    memcpy(first, out.data, size);
    assert_ok(run_whole(vm, 0, &out, err));
    assert_memory_not_equal(first, out.data, size);
    wick_vm_reset(vm);
    assert_ok(run_whole(vm, 0, &out, err));
    assert_memory_equal(first, out.data, size);
    free(first);
    wick_vm_free(vm);
    wick_program_close(p);
}

static void faults_are_named(void **state) {
    (void)state;
    wick_program *p = open_program("st_8da4w_rec.pte");
    wick_vm *vm = NULL;
    wick_error e;
    wick_vm_tensor out, t;
    int64_t tokens[200] = {0}, position = 126;
    assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &vm, err));
    assert_int_equal(run_whole(vm, 126, &out, &e), WICK_EFORMAT); /* the rope table ends first */
    assert_non_null(strstr(e.message, "instruction "));
    wick_vm_tensor in[2] = {{WICK_ST_LONG, 2, {1, 128}, tokens}, {WICK_ST_LONG, 1, {1}, &position}};
    assert_int_not_equal(wick_vm_run(vm, in, 2, &out, 1, &e), WICK_OK);
    assert_non_null(strstr(e.message, "input 0"));
    in[0].dims[1] = 1, tokens[0] = 512;
    assert_int_not_equal(wick_vm_run(vm, in, 2, &out, 1, &e), WICK_OK);
    assert_non_null(strstr(e.message, "index 512, but there are 512 rows"));
    in[0].scalar_type = WICK_ST_INT;
    assert_int_equal(wick_vm_run(vm, in, 2, &out, 1, &e), WICK_EINVAL);
    assert_int_equal(wick_vm_run(vm, in, 1, &out, 1, &e), WICK_EINVAL);
    assert_int_equal(wick_vm_value(vm, -1, &t, &e), WICK_EINVAL);
    assert_int_equal(wick_vm_step(vm, 1 << 20, -1, &e), WICK_EINVAL);
    assert_int_equal(wick_vm_step(vm, 0, 0, &e), WICK_EINVAL);
    assert_int_equal(wick_vm_xnn_value(vm, 0, 0, &t, &e), WICK_EINVAL);
    assert_int_equal(wick_vm_integers(vm, 0, 0, &e), WICK_EINVAL);
    wick_vm_free(vm);
    wick_program_close(p);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    wick_program *p = open_program("ty_lfm2.pte");
    uint64_t live = wick_mem_stats_get().n_live;
    wick_status status = WICK_ENOMEM;
    for (uint64_t n = 1; status != WICK_OK; n++) {
        wick_error e = {0};
        wick_vm *vm = NULL;
        wick_vm_tensor out;
        wick_mem_fail_at(n);
        status = wick_vm_new(p, wick_program_method_find(p, "forward"), &vm, &e);
        if (status == WICK_OK) status = run_whole(vm, 0, &out, &e);
        if (status == WICK_OK) status = run_pieces(vm, 0, &out, &e);
        wick_mem_fail_at(0);
        assert_true(status == WICK_OK || status == WICK_ENOMEM);
        wick_vm_free(vm);
        assert_int_equal(wick_mem_stats_get().n_live, live);
    }
    wick_program_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_equal_whole), cmocka_unit_test(integers_are_those_of_a_run), cmocka_unit_test(reset_forgets),
        cmocka_unit_test(faults_are_named),   cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
