/* Loading: scales are looked at by whoever reads them first, and a program with a bad one is refused under every plan with the same
 * sentence; what loading took is told phase by phase. */
#include "base/mem.h"
#include "program/program.h"
#include "support/stock_agree.h"

#include "wick.h"

static void write_file(const char *path, const uint8_t *data, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static wick_status open_with(const char *path, wick_plan plan, wick_error *err) {
    wick_model_options o = wick_model_options_default();
    wick_model *model = NULL;
    o.plan = plan;
    o.threads = 2;
    wick_status status = wick_model_open(path, &o, &model, err);
    wick_model_close(model);
    return status;
}

/* Where the last scales of the first method's delegates lie in the file: the head's, or at least those of a real layer. */
static size_t last_scale(const wick_program *p) {
    size_t at = 0;
    for (uint32_t i = 0; i < p->methods[0].pte->n_delegate; i++) {
        const wick_xnn *x = &p->methods[0].delegates[i];
        for (uint32_t k = 0; k < x->n_value; k++) {
            const wick_xnn_value *v = &x->values[k];
            if (v->scale_constant) at = (size_t)(x->constants[v->scale_constant].bytes.data - p->file.data) + 2 * (size_t)v->n_scale - 2;
        }
    }
    return at;
}

static void a_bad_scale_is_refused_under_every_plan(void **state) {
    (void)state;
    static const wick_plan plans[] = {WICK_PLAN_AUTO, WICK_PLAN_RAISED, WICK_PLAN_VM};
    static const char *const files[] = {"stock/st_8da4w_rec.pte", "stock/st_8da4w_xnn.pte", "stock/ty_qwen3.pte"};
    char bad[1000];
    snprintf(bad, sizeof bad, "%s", test_tmp("bad.pte"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        wick_program *p;
        size_t size;
        assert_ok(wick_program_open(test_data(files[i]), NULL, &p, err));
        uint8_t *file = test_read(test_data(files[i]), &size);
        size_t at = last_scale(p);
        assert_true(at && at + 2 <= size);
        wick_program_close(p);
        for (size_t k = 0; k < sizeof plans / sizeof *plans; k++) assert_ok(open_with(test_data(files[i]), plans[k], err));
        memset(file + at, 0, 2);
        write_file(bad, file, size);
        free(file);
        for (size_t k = 0; k < sizeof plans / sizeof *plans; k++) {
            wick_error err = {0};
            assert_int_equal(open_with(bad, plans[k], &err), WICK_EFORMAT);
            if (!strstr(err.message, "bad.pte: delegate ") || !strstr(err.message, "has a scale that is not a positive normal number"))
                fail_msg("%s", err.message);
        }
        wick_error err = {0};
        assert_int_equal(wick_program_open(bad, NULL, &p, &err), WICK_EFORMAT);
        assert_non_null(strstr(err.message, "has a scale that is not a positive normal number"));
    }
    assert_int_equal(wick_mem_stats_get().n_live, 0);
}

static void phases_make_up_the_load(void **state) {
    (void)state;
    static const wick_plan plans[] = {WICK_PLAN_RAISED, WICK_PLAN_VM};
    for (int i = 0; i < 2; i++) {
        wick_model_options o = wick_model_options_default();
        wick_model *model;
        o.plan = plans[i];
        assert_ok(wick_model_open(test_data("stock/st_8da4w_rec.pte"), &o, &model, err));
        const wick_model_info *info = wick_model_info_get(model);
        assert_true(info->verify_seconds > 0 && info->raise_seconds > 0);
        assert_int_equal(info->pack_seconds > 0, plans[i] == WICK_PLAN_RAISED);
        assert_true(info->verify_seconds + info->raise_seconds + info->pack_seconds <= info->load_seconds);
        wick_model_close(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bad_scale_is_refused_under_every_plan),
                                       cmocka_unit_test(phases_make_up_the_load)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
