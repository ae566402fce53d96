/* wick_export from options to file: what it writes, that it writes it alike every time, and that failing leaves nothing. */
#include "export/lowered.h"

static wick_export_options options_for(const char *output) {
    wick_export_options o = wick_export_options_default();
    o.checkpoint = test_data(STORIES);
    o.output = output;
    o.max_seq_len = 128;
    return o;
}

static const char *path_in(const char *folder, const char *file) {
    static char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

/* ---------------------------------------------------------------- results */

static void result_tells_what_was_written(void **state) {
    (void)state;
    const char *path = path_in(folder_new("result"), "stories.pte");
    wick_export_options o = options_for(path);
    wick_export_result r;
    assert_ok(wick_export(&o, NULL, &r, err));
    assert_string_equal(r.output, path);
    assert_int_equal(r.n_instructions, 30);
    assert_int_equal(r.n_delegates, 6);
    size_t size;
    uint8_t *bytes = test_read(path, &size);
    assert_int_equal(size, r.file_size);
    assert_true(r.weights_size < r.file_size);
    wick_program *p;
    assert_ok(wick_program_open_memory((wick_bytes){bytes, size}, "stories", NULL, &p, err));
    const wick_pte_value *v[4];
    assert_int_equal(wick_pte_metadata(&p->pte, "get_bos_id", v, 4), 1);
    assert_int_equal(v[0]->i, 1);
    assert_int_equal(wick_pte_metadata(&p->pte, "get_max_context_len", v, 4), 1);
    assert_int_equal(v[0]->i, 128);
    assert_true(wick_pte_metadata(&p->pte, "get_eos_ids", v, 4) >= 1);
    wick_bytes tokenizer;
    assert_true(wick_pte_named_find(&p->pte, "wick.tokenizer", &tokenizer));
    assert_true(tokenizer.size > 8 && memcmp(tokenizer.data, "WICKTOK1", 8) == 0);
    wick_program_close(p);
    free(bytes);
    wick_export_result_release(&r);
}

static void bytes_do_not_depend_on_threads(void **state) {
    (void)state;
    const char *folder = folder_new("threads");
    uint8_t *first = NULL;
    size_t first_size = 0;
    for (int threads = 1; threads <= 4; threads++) {
        const char *path = path_in(folder, "a.pte");
        wick_export_options o = options_for(path);
        o.threads = threads;
        assert_ok(wick_export(&o, NULL, NULL, err));
        size_t size;
        uint8_t *bytes = test_read(path, &size);
        if (!first) {
            first = bytes, first_size = size;
            continue;
        }
        assert_int_equal(size, first_size);
        assert_memory_equal(bytes, first, size);
        free(bytes);
    }
    free(first);
}

static bool collect(void *user, const char *text, size_t size) {
    wick_strbuf_add(user, text, size);
    return true;
}

static void dry_run_reports_and_writes_nothing(void **state) {
    (void)state;
    const char *folder = folder_new("dry");
    wick_export_options o = options_for(path_in(folder, "a.pte"));
    o.dry_run = true;
    wick_strbuf text = {0};
    wick_export_hooks hooks = {.report = collect, .user = &text};
    wick_export_result r;
    assert_ok(wick_export(&o, &hooks, &r, err));
    assert_int_equal(files_in(folder), 0);
    assert_non_null(strstr(text.data, "layers.2.w2"));
    assert_non_null(strstr(text.data, "stays fp32"));
    assert_non_null(strstr(text.data, "int4, groups of 32"));
    assert_non_null(strstr(text.data, "30 instructions, 6 delegates"));
    assert_non_null(strstr(text.data, "carries  wick.tokenizer"));
    uint64_t planned = r.file_size;
    wick_export_result_release(&r);
    wick_strbuf_release(&text);
    o.dry_run = false;
    assert_ok(wick_export(&o, NULL, &r, err));
    assert_int_equal(r.file_size, planned);
    wick_export_result_release(&r);
}

typedef struct progress {
    double last, total;
    int n, stop_at;
} progress;

static bool on_progress(void *user, double done, double total) {
    progress *p = user;
    assert_true(done >= p->last && done <= total);
    p->last = done, p->total = total;
    return ++p->n != p->stop_at;
}

static void progress_grows_and_can_stop(void **state) {
    (void)state;
    const char *folder = folder_new("progress");
    wick_export_options o = options_for(path_in(folder, "a.pte"));
    progress p = {0};
    wick_export_hooks hooks = {.progress = on_progress, .user = &p};
    p.stop_at = 3;
    wick_error err = {0};
    assert_int_equal(wick_export(&o, &hooks, NULL, &err), WICK_ECANCELED);
    assert_int_equal(files_in(folder), 0);
    p = (progress){0};
    assert_int_equal(wick_export(&o, &hooks, NULL, &err), WICK_OK);
    assert_true(p.n > 3 && p.last == p.total);
}

/* ---------------------------------------------------------------- options */

static void wrong_options_are_named(void **state) {
    (void)state;
    const char *folder = folder_new("options");
    const char *path = path_in(folder, "a.pte");
    for (int i = 0; i < 8; i++) {
        wick_export_options o = options_for(path);
        const char *word = NULL;
        switch (i) {
        case 0: o.qmode = "8da8w", word = "qmode"; break;
        case 1: o.group_size = 48, word = "group_size"; break;
        case 2: o.embedding_quantize = "3,0", word = "embedding_quantize"; break;
        case 3: o.embedding_quantize = "8,x", word = "embedding_quantize"; break;
        case 4: o.backend = WICK_BACKEND_PORTABLE, word = "portable"; break;
        case 5: o.max_seq_len = 64, o.max_context = 32, word = "max_seq_len"; break;
        case 6: o.metadata = "{", word = "metadata"; break;
        case 7: o.checkpoint = "/nowhere/at/all", word = "/nowhere/at/all"; break;
        }
        wick_error err = {0};
        assert_int_not_equal(wick_export(&o, NULL, NULL, &err), WICK_OK);
        if (!strstr(err.message, word)) fail_msg("\"%s\" does not name %s", err.message, word);
        assert_int_equal(files_in(folder), 0);
    }
}

static void unwritable_target_is_an_error(void **state) {
    (void)state;
    wick_export_options o = options_for(test_tmp("no/such/folder/a.pte"));
    wick_error err = {0};
    assert_int_not_equal(wick_export(&o, NULL, NULL, &err), WICK_OK);
    assert_non_null(strstr(err.message, "no/such/folder"));
}

/* ---------------------------------------------------------------- running out of memory */

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    const char *folder = folder_new("memory");
    const char *path = path_in(folder, "a.pte");
    uint64_t live = wick_mem_stats_get().n_live;
    wick_status status = WICK_ENOMEM;
    for (uint64_t n = 1; status != WICK_OK; n += 1 + n / 256) { /* all of the first, then a sample: thousands are alike */
        wick_export_options o = options_for(path);
        o.threads = 1 + (int)(n % 2);
        wick_error err = {0};
        wick_export_result r;
        wick_mem_fail_at(n);
        status = wick_export(&o, NULL, &r, &err);
        wick_mem_fail_at(0);
        if (status == WICK_OK)
            wick_export_result_release(&r);
        else
            assert_int_equal(files_in(folder), 0);
        assert_int_equal(wick_mem_stats_get().n_live, live);
    }
    assert_int_equal(files_in(folder), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result_tells_what_was_written),
        cmocka_unit_test(bytes_do_not_depend_on_threads),
        cmocka_unit_test(dry_run_reports_and_writes_nothing),
        cmocka_unit_test(progress_grows_and_can_stop),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(unwritable_target_is_an_error),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
