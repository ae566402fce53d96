/* Writing programs: what is read back is what was written, the bytes depend on nothing but the program, nothing half-written
 * stays. */
#include "base/mem.h"
#include "base/os.h"
#include "support/small_program.h"
#include "support/support.h"

#include <unistd.h>

/* ---------------------------------------------------------------- equality of structs */

static void same_text(const char *a, const char *b) {
    assert_int_equal(a == NULL, b == NULL);
    if (a) assert_string_equal(a, b);
}

static void same_value(const wick_pte_value *a, const wick_pte_value *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->i, b->i);
    assert_memory_equal(&a->d, &b->d, sizeof a->d);
    same_text(a->s, b->s);
    assert_int_equal(a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->kind == WICK_EV_DOUBLE_LIST)
            assert_memory_equal(&a->doubles[i], &b->doubles[i], sizeof(double));
        else
            assert_int_equal(a->items[i], b->items[i]);
    }
    if (a->kind != WICK_EV_TENSOR) return;
    wick_pte_tensor x = *a->tensor, y = *b->tensor;
    same_text(x.name, y.name);
    x.name = y.name = NULL;
    assert_int_equal(x.scalar_type, y.scalar_type);
    assert_int_equal(x.rank, y.rank);
    assert_memory_equal(x.dims, y.dims, sizeof x.dims[0] * (size_t)x.rank);
    assert_memory_equal(x.dim_order, y.dim_order, (size_t)x.rank);
    assert_int_equal(x.dynamism, y.dynamism);
    assert_int_equal(x.data_buffer_idx, y.data_buffer_idx);
    assert_int_equal(x.memory_id, y.memory_id);
    assert_int_equal(x.memory_offset, y.memory_offset);
    assert_int_equal(x.external, y.external);
    assert_int_equal(x.mutable_segment, y.mutable_segment);
    assert_int_equal(x.requires_grad, y.requires_grad);
}

static void same_method(const wick_pte_method *a, const wick_pte_method *b) {
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->container_in, b->container_in);
    assert_string_equal(a->container_out, b->container_out);
    assert_int_equal(a->n_value, b->n_value);
    for (uint32_t i = 0; i < a->n_value; i++) same_value(&a->values[i], &b->values[i]);
    assert_int_equal(a->n_input, b->n_input);
    assert_int_equal(a->n_output, b->n_output);
    assert_memory_equal(a->inputs, b->inputs, a->n_input * sizeof *a->inputs);
    assert_memory_equal(a->outputs, b->outputs, a->n_output * sizeof *a->outputs);
    assert_int_equal(a->n_instr, b->n_instr);
    for (uint32_t i = 0; i < a->n_instr; i++) {
        const wick_pte_instr *x = &a->instrs[i], *y = &b->instrs[i];
        assert_true(x->kind == y->kind && x->index == y->index && x->target == y->target && x->n_arg == y->n_arg);
        if (x->n_arg) assert_memory_equal(x->args, y->args, x->n_arg * sizeof *x->args);
    }
    assert_int_equal(a->n_operator, b->n_operator);
    for (uint32_t i = 0; i < a->n_operator; i++) {
        assert_string_equal(a->operators[i].name, b->operators[i].name);
        assert_string_equal(a->operators[i].overload, b->operators[i].overload);
    }
    assert_int_equal(a->n_delegate, b->n_delegate);
    for (uint32_t i = 0; i < a->n_delegate; i++) {
        const wick_pte_delegate *x = &a->delegates[i], *y = &b->delegates[i];
        assert_string_equal(x->id, y->id);
        assert_true(x->inline_data == y->inline_data && x->index == y->index && x->n_spec == y->n_spec);
        for (uint32_t k = 0; k < x->n_spec; k++) {
            assert_string_equal(x->specs[k].key, y->specs[k].key);
            assert_int_equal(x->specs[k].value.size, y->specs[k].value.size);
            assert_memory_equal(x->specs[k].value.data, y->specs[k].value.data, x->specs[k].value.size);
        }
    }
    assert_int_equal(a->n_arena, b->n_arena);
    assert_memory_equal(a->arena_sizes, b->arena_sizes, a->n_arena * sizeof *a->arena_sizes);
}

static void same_offsets(const wick_pte_offsets *a, const wick_pte_offsets *b) {
    assert_int_equal(a->segment, b->segment);
    assert_int_equal(a->n, b->n);
    if (a->n) assert_memory_equal(a->offsets, b->offsets, a->n * sizeof *a->offsets);
}

static void same_blobs(const wick_bytes *a, uint32_t n_a, const wick_bytes *b, uint32_t n_b) {
    assert_int_equal(n_a, n_b);
    for (uint32_t i = 0; i < n_a; i++) {
        assert_int_equal(a[i].size, b[i].size);
        assert_memory_equal(a[i].data, b[i].data, a[i].size);
    }
}

static void same_program(const wick_pte *a, const wick_pte *b) {
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->n_method, b->n_method);
    for (uint32_t i = 0; i < a->n_method; i++) same_method(&a->methods[i], &b->methods[i]);
    assert_int_equal(a->n_segment, b->n_segment);
    for (uint32_t i = 0; i < a->n_segment; i++) {
        assert_int_equal(a->segments[i].size, b->segments[i].size);
        if (a->segments[i].size) assert_memory_equal(a->segments[i].pieces[0].bytes, b->segments[i].pieces[0].bytes, a->segments[i].size);
    }
    assert_int_equal(a->has_constant_segment, b->has_constant_segment);
    same_offsets(&a->constants, &b->constants);
    assert_int_equal(a->n_mutable, b->n_mutable);
    for (uint32_t i = 0; i < a->n_mutable; i++) same_offsets(&a->mutables[i], &b->mutables[i]);
    assert_int_equal(a->n_named, b->n_named);
    for (uint32_t i = 0; i < a->n_named; i++) {
        assert_string_equal(a->named[i].key, b->named[i].key);
        assert_int_equal(a->named[i].segment, b->named[i].segment);
    }
    same_blobs(a->inline_blobs, a->n_inline, b->inline_blobs, b->n_inline);
    same_blobs(a->constant_buffers, a->n_constant_buffer, b->constant_buffers, b->n_constant_buffer);
}

/* ---------------------------------------------------------------- identity */

static void rewrite(const char *path) {
    wick_program_options inspect = {.allow_unknown = true};
    wick_program *p = NULL, *q = NULL;
    const char *again = test_tmp("again.pte");
    assert_ok(wick_program_open(path, &inspect, &p, err));
    assert_ok(wick_pte_write(&p->pte, again, NULL, err));
    assert_ok(wick_program_open(again, &inspect, &q, err));
    same_program(&p->pte, &q->pte);
    uint64_t size = 0;
    assert_ok(wick_pte_file_size(&p->pte, &size, err));
    assert_int_equal(size, q->pte.file_size);
    for (uint32_t i = 0; i < q->pte.n_segment; i++) assert_int_equal(q->pte.segments[i].file_offset % 4096, 0);
    wick_program_close(p);
    wick_program_close(q);
}

static int n_rewritten;

static bool rewrite_one(void *user, const char *name) {
    size_t n = strlen(name);
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
    if (n > 4 && strcmp(name + n - 4, ".pte") == 0) {
        rewrite(path);
        n_rewritten++;
    }
    return true;
}

/* The programs in the tree, and those in the folder WICK_STOCK_DIR. */
static void test_identity(void **state) {
    (void)state;
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", test_data("stock"));
    assert_ok(wick_os_list(folder, rewrite_one, folder, err));
    assert_true(n_rewritten >= 10);
    char *more = getenv("WICK_STOCK_DIR");
    if (more) assert_ok(wick_os_list(more, rewrite_one, more, err));
}

/* ---------------------------------------------------------------- the small program */

static uint8_t *write_small(const char *path, int threads, size_t *size) {
    wick_pte p;
    assert_true(small_program(&p, 0));
    wick_pte_write_options options = {.threads = threads, .sha256 = &small_sha256};
    assert_ok(wick_pte_write(&p, path, &options, err));
    wick_pte_release(&p);
    return test_read(path, size);
}

static void test_same_bytes(void **state) {
    (void)state;
    const char *path = test_tmp("small.pte");
    size_t size, size_again;
    uint8_t *first = write_small(path, 1, &size);
    for (int threads = 2; threads <= 5; threads++) {
        uint8_t *again = write_small(path, threads, &size_again);
        assert_int_equal(size, size_again);
        assert_memory_equal(first, again, size);
        free(again);
    }
    for (size_t i = size - 64; i < size; i++) assert_int_equal(first[i], 0);
    free(first);
}

static void test_contents(void **state) {
    (void)state;
    wick_program *p = NULL;
    size_t size;
    const char *path = test_tmp("small.pte");
    free(write_small(path, 2, &size));
    assert_ok(wick_program_open(path, NULL, &p, err));
    /* The first 16 digits of the sha256 of the three rows of W. */
    float w[3][4];
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++) w[i][k] = (float)i + (float)k / 4;
    uint8_t digest[32], hash_state[512];
    assert_true(small_sha256.state_size <= sizeof hash_state);
    small_sha256.init(hash_state);
    small_sha256.update(hash_state, w, sizeof w);
    small_sha256.finish(hash_state, digest);
    char key[64] = "filter.";
    for (int i = 0; i < 8; i++) snprintf(key + 7 + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(p->pte.named[0].key, key);
    const wick_program_method *m = wick_program_method_find(p, "forward");
    const wick_xnn *x = &m->delegates[0];
    assert_string_equal(x->constants[1].key, key);
    assert_memory_equal(x->constants[1].bytes.data, w, sizeof w);
    assert_null(x->constants[2].key);
    assert_int_equal(x->constants[2].bytes.size, 12);
    wick_bytes bytes;
    assert_true(wick_program_constant(p, m->pte->values[SMALL_C].tensor, &bytes));
    assert_int_equal(wick_load_f32(bytes.data + 12), 4);
    assert_true(wick_program_initial(p, m->pte->values[SMALL_M].tensor, &bytes));
    assert_int_equal(wick_load_f32(bytes.data + 8), 30);
    assert_true(wick_pte_named_find(&p->pte, "wick.note", &bytes));
    assert_memory_equal(bytes.data, "a note", 6);
    wick_program_close(p);
}

/* Old forms: constants and payload inside the FlatBuffer, no constant segment. */
static void test_inline_forms(void **state) {
    (void)state;
    wick_pte p;
    wick_program *q = NULL;
    wick_bytes blob, buffers[2] = {{0}, {(const uint8_t *)(const float[]){1, 2, 3, 4}, 16}};
    assert_true(small_program(&p, 0));
    assert_ok(wick_xnn_write(&p, p.segments[SMALL_SEG_PAYLOAD].xnn, &blob, err));
    wick_pte_delegate inside = {.id = "XnnpackBackend", .inline_data = true, .index = 0};
    wick_pte_spec spec = {"key", {(const uint8_t *)"value", 5}};
    inside.specs = &spec, inside.n_spec = 1;
    p.methods[0].delegates = &inside;
    p.inline_blobs = &blob, p.n_inline = 1;
    p.segments[SMALL_SEG_PAYLOAD].xnn = NULL;
    p.segments[SMALL_SEG_PAYLOAD].size = 0;
    p.has_constant_segment = false;
    p.constants = (wick_pte_offsets){0};
    p.constant_buffers = buffers, p.n_constant_buffer = 2;
    p.named[0].hash_size = 0; /* the payload has the key as it is */
    const char *path = test_tmp("inline.pte");
    assert_ok(wick_pte_write(&p, path, NULL, err));
    assert_ok(wick_program_open(path, NULL, &q, err));
    same_method(&p.methods[0], &q->pte.methods[0]);
    same_blobs(&blob, 1, q->pte.inline_blobs, q->pte.n_inline);
    wick_bytes bytes;
    assert_true(wick_program_constant(q, q->pte.methods[0].values[SMALL_C].tensor, &bytes));
    assert_memory_equal(bytes.data, buffers[1].data, 16);
    wick_program_close(q);
    wick_free((void *)(uintptr_t)blob.data);
    wick_pte_release(&p);
    rewrite(path);
}

/* ---------------------------------------------------------------- faults */

static bool cancel(void *user, double done, double total) {
    (void)user;
    assert_true(done <= total);
    return false;
}

static wick_status fail_to_read(void *user, void *dst, wick_error *err) {
    (void)user, (void)dst;
    return wick_fail(err, WICK_EIO, "the checkpoint is gone");
}

static int n_entry;
static bool count_entry(void *user, const char *name) {
    (void)user, (void)name;
    n_entry++;
    return true;
}

static void expect_nothing_left(const char *folder) {
    n_entry = 0;
    assert_ok(wick_os_list(folder, count_entry, NULL, err));
    assert_int_equal(n_entry, 0);
}

static void test_nothing_half_written(void **state) {
    (void)state;
    char folder[1024], path[1100];
    snprintf(folder, sizeof folder, "%s", test_tmp("empty-XXXXXX"));
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.pte", folder);
    wick_error failed;
    wick_pte p;
    for (int threads = 1; threads <= 3; threads++) {
        wick_pte_write_options options = {.threads = threads, .sha256 = &small_sha256, .progress = cancel};
        assert_true(small_program(&p, 0));
        assert_int_equal(wick_pte_write(&p, path, &options, &failed), WICK_ECANCELED);
        expect_nothing_left(folder);
        options.progress = NULL;
        p.segments[SMALL_SEG_FILTER].pieces[1].read = fail_to_read;
        assert_int_equal(wick_pte_write(&p, path, &options, &failed), WICK_EIO);
        assert_string_equal(failed.message, "the checkpoint is gone");
        expect_nothing_left(folder);
        wick_pte_release(&p);
    }
    uint64_t live = wick_mem_stats_get().n_live;
    for (uint64_t n = 1;; n++) {
        wick_pte_write_options options = {.threads = 1, .sha256 = &small_sha256};
        wick_mem_fail_at(n);
        wick_status status = small_program(&p, 0) ? wick_pte_write(&p, path, &options, &failed) : WICK_ENOMEM;
        wick_mem_fail_at(0);
        wick_pte_release(&p);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        if (status == WICK_OK) break;
        assert_int_equal(status, WICK_ENOMEM);
        expect_nothing_left(folder);
    }
    unlink(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),     cmocka_unit_test(test_same_bytes),           cmocka_unit_test(test_contents),
        cmocka_unit_test(test_inline_forms), cmocka_unit_test(test_nothing_half_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
