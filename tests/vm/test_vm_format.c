/* Every form that a program may have, run: the small program (support/small_program.h says what it computes) with both lengths of the
 * header and without one, with constants and payloads where older and newer files have them, with data files, with every kind of
 * instruction, with as many tokens as it takes and with more. */
#include "support/small_data.h"
#include "support/small_program.h"
#include "support/support.h"
#include "vm/vm.h"

#include "base/mem.h"

static const float c_data[4] = {1, 2, 3, 4}, m_data[3] = {10, 20, 30};
static const float w_data[12] = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f, 1.5f, 1.75f, 2, 2.25f, 2.5f, 2.75f};
static const float x_data[20] = {0, 1, -2, 3, 4, -5, 6, 7, 0.5f, 0.25f, -1, 2, 9, 8, 7, 6, -1, -2, -3, -4};

/* y[s][i] = u + n m. */
static float expected(int s, int i, int n_added) {
    float sum = (float)(i - 1);
    for (int k = 0; k < 4; k++) sum += (x_data[4 * s + k] + c_data[k]) * w_data[4 * i + k];
    return sum + (float)n_added * m_data[i];
}

/* added: how often m was added for three rows, for five. */
typedef struct form {
    const char *data[2];
    size_t n_data;
    int added[2];
} form;

static const form as_it_is = {.added = {1, 2}};

static void run(wick_vm *vm, int n, int added) {
    float x[20];
    memcpy(x, x_data, sizeof x);
    wick_vm_tensor in = {.scalar_type = WICK_ST_FLOAT, .rank = 2, .dims = {n, 4}, .data = x}, out;
    assert_ok(wick_vm_run(vm, &in, 1, &out, 1, err));
    assert_int_equal(out.rank, 2);
    assert_int_equal(out.dims[0], n);
    assert_int_equal(out.dims[1], 3);
    for (int s = 0; s < n; s++)
        for (int i = 0; i < 3; i++) assert_true(((float *)out.data)[3 * s + i] == expected(s, i, added)); /* exact in fp32 */
}

static void check(const char *path, const form *f) {
    wick_program_options options = {.data_paths = f->data, .n_data_path = f->n_data};
    wick_program *p;
    wick_vm *vm;
    assert_ok(wick_program_open(path, &options, &p, err));
    assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &vm, err));
    run(vm, 3, f->added[0]);
    run(vm, 5, f->added[1]);
    run(vm, 3, f->added[0]);
    wick_vm_free(vm);
    wick_program_close(p);
}

/* The small program in structs of its own, to be changed. */
typedef struct small {
    wick_pte p;
    wick_pte_method methods[2];
    wick_pte_delegate delegate;
    wick_xnn x;
    wick_xnn_constant constants[3];
} small;

static void take(small *s) {
    assert_true(small_program(&s->p, 0));
    memcpy(s->methods, s->p.methods, sizeof s->methods);
    s->x = *s->p.segments[SMALL_SEG_PAYLOAD].xnn;
    memcpy(s->constants, s->x.constants, sizeof s->constants);
    s->x.constants = s->constants;
    s->p.segments[SMALL_SEG_PAYLOAD].xnn = &s->x;
    s->delegate = s->methods[0].delegates[0];
    s->methods[0].delegates = &s->delegate;
    s->p.methods = s->methods;
}

static wick_pte_tensor *tensor(small *s, int value) { return s->methods[0].values[value].tensor; }

static const char *write_program(small *s) {
    const char *path = test_tmp("form.pte");
    wick_pte_write_options options = {.sha256 = &small_sha256};
    assert_ok(wick_pte_write(&s->p, path, &options, err));
    wick_pte_release(&s->p);
    return path;
}

static void write_bytes(const char *path, const uint8_t *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, size, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static uint32_t header_of(const char *path) {
    wick_program *p;
    assert_ok(wick_program_open(path, NULL, &p, err));
    uint32_t size = p->pte.header_size;
    wick_program_close(p);
    return size;
}

/* ---------------------------------------------------------------- headers, constants, payloads */

static void headers(void **state) {
    (void)state;
    small s;
    size_t size;
    take(&s);
    const char *path = write_program(&s);
    assert_int_equal(header_of(path), 32);
    check(path, &as_it_is);
    uint8_t *file = test_read(path, &size);
    wick_store_u32(file + 12, 24); /* older files: what follows is no header */
    memset(file + 32, 0xff, 8);
    write_bytes(path, file, size);
    assert_int_equal(header_of(path), 24);
    check(path, &as_it_is);
    free(file);
}

/* Constants in buffers, the payload and all that it needs in the structure: a file without a header has nothing else. */
static void without_segments(void **state) {
    (void)state;
    small s;
    wick_bytes blob, buffers[3] = {{0}, {(const uint8_t *)c_data, sizeof c_data}, {(const uint8_t *)m_data, sizeof m_data}};
    size_t size;
    take(&s);
    s.constants[1] = (wick_xnn_constant){.size = 48, .bytes = {(const uint8_t *)w_data, 48}};
    assert_ok(wick_xnn_write(&s.p, &s.x, &blob, err));
    s.delegate.inline_data = true, s.delegate.index = 0;
    s.p.inline_blobs = &blob, s.p.n_inline = 1;
    s.p.constant_buffers = buffers, s.p.n_constant_buffer = 3;
    s.p.has_constant_segment = false, s.p.constants.n = 0, s.p.n_mutable = 0, s.p.n_named = 0, s.p.n_segment = 0;
    tensor(&s, SMALL_M)->memory_id = 0, tensor(&s, SMALL_M)->data_buffer_idx = 2;
    const char *path = write_program(&s);
    uint8_t *file = test_read(path, &size);
    memset(file + 8, 0, 32);
    write_bytes(path, file, size);
    assert_int_equal(header_of(path), 0);
    check(path, &as_it_is);
    free(file);
    wick_free((void *)(uintptr_t)blob.data);
}

/* Initial values in the second of two segments for them. */
static void second_initial_segment(void **state) {
    (void)state;
    small s;
    take(&s);
    wick_pte_offsets both[2] = {{SMALL_SEG_NOTE, NULL, 0}, s.p.mutables[0]};
    s.p.mutables = both, s.p.n_mutable = 2;
    tensor(&s, SMALL_M)->mutable_segment = 1;
    check(write_program(&s), &as_it_is);
}

/* ---------------------------------------------------------------- data files */

static const char *data_file(const char *name, const char *key, const float *bytes, int32_t rows, int32_t columns) {
    small_data d = small_data_of(key, bytes, rows, columns);
    const char *path = test_tmp(name);
    size_t size;
    uint8_t *file = small_data_file(&d, &size);
    write_bytes(path, file, size);
    free(file);
    return path;
}

/* A constant of the method and one of the payload, each in a file of its own. */
static void two_data_files(void **state) {
    (void)state;
    small s;
    take(&s);
    tensor(&s, SMALL_C)->external = true, tensor(&s, SMALL_C)->name = "c", tensor(&s, SMALL_C)->data_buffer_idx = 0;
    s.constants[1] = (wick_xnn_constant){.key = "w", .size = 48};
    const char *path = write_program(&s);
    form f = {{data_file("c.ptd", "c", c_data, 4, 0), data_file("w.ptd", "w", w_data, 3, 4)}, 2, {1, 2}};
    check(path, &f);
    wick_program *p;
    wick_error refused;
    wick_program_options one = {.data_paths = f.data, .n_data_path = 1};
    assert_int_equal(wick_program_open(path, &one, &p, &refused), WICK_ENOTFOUND);
    assert_non_null(strstr(refused.message, "wants the data \"w\", which neither the program nor a data file given has"));
}

/* A state that begins as a data file says. */
static void external_initial_value(void **state) {
    (void)state;
    small s;
    take(&s);
    tensor(&s, SMALL_M)->external = true, tensor(&s, SMALL_M)->data_buffer_idx = 0;
    form f = {{data_file("m.ptd", "m", m_data, 3, 0)}, 1, {1, 2}};
    check(write_program(&s), &f);
}

/* ---------------------------------------------------------------- instructions */

static void moves(void **state) {
    (void)state;
    small s;
    take(&s); /* five, whatever the number of rows */
    s.methods[0].instrs[0] = (wick_pte_instr){.kind = WICK_IK_MOVE, .index = SMALL_I5, .target = SMALL_N};
    check(write_program(&s), &(form){.added = {2, 2}});
    take(&s); /* five rows: the output becomes another tensor */
    s.methods[0].instrs[6] = (wick_pte_instr){.kind = WICK_IK_MOVE, .index = SMALL_U, .target = SMALL_Y};
    check(write_program(&s), &(form){.added = {1, 0}});
}

static void frees(void **state) {
    (void)state;
    small s;
    take(&s);
    s.methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_FREE, .index = SMALL_T};
    check(write_program(&s), &(form){.added = {2, 2}});
}

/* Jumping back: m is added until the count is reached, over five rows; for three it never is, and the loop is ended for us. */
static void jumps_back(void **state) {
    (void)state;
    small s;
    wick_error refused;
    wick_program *p;
    wick_vm *vm;
    float x[20];
    memcpy(x, x_data, sizeof x);
    take(&s);
    s.methods[0].instrs[5].target = 5; /* itself */
    const char *path = write_program(&s);
    assert_ok(wick_program_open(path, NULL, &p, err));
    assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &vm, err));
    run(vm, 5, 2);
    wick_vm_tensor in = {.scalar_type = WICK_ST_FLOAT, .rank = 2, .dims = {3, 4}, .data = x}, out;
    assert_int_equal(wick_vm_run(vm, &in, 1, &out, 1, &refused), WICK_ELIMIT);
    assert_non_null(strstr(refused.message, "without ending"));
    run(vm, 5, 2);
    wick_vm_free(vm);
    wick_program_close(p);
}

/* ---------------------------------------------------------------- shapes */

static void refuse_shape(wick_vm *vm, int type, int rank, int32_t a, int32_t b, const char *sentence) {
    static float x[64];
    wick_vm_tensor in = {.scalar_type = type, .rank = rank, .dims = {a, b}, .data = x}, out;
    wick_error refused = {0};
    assert_int_not_equal(wick_vm_run(vm, &in, 1, &out, 1, &refused), WICK_OK);
    if (!strstr(refused.message, sentence)) fail_msg("\"%s\" does not say \"%s\"", refused.message, sentence);
}

/* A bound is a bound on the elements, at a fixed rank; the type is fixed. A refused call leaves the next one as it would be. */
static void shapes(void **state) {
    (void)state;
    small s;
    wick_program *p;
    wick_vm *vm;
    take(&s);
    const char *path = write_program(&s);
    assert_ok(wick_program_open(path, NULL, &p, err));
    assert_ok(wick_vm_new(p, wick_program_method_find(p, "forward"), &vm, err));
    refuse_shape(vm, WICK_ST_FLOAT, 2, 6, 4, "room for 20 elements");
    refuse_shape(vm, WICK_ST_FLOAT, 1, 4, 0, "has shape [4], but its tensor is dynamic of shape [5, 4]");
    refuse_shape(vm, WICK_ST_LONG, 2, 3, 4, "Long");
    refuse_shape(vm, WICK_ST_FLOAT, 2, 4, 5, "aten::add.out"); /* within the bound, but no row of four */
    run(vm, 3, 1);
    run(vm, 1, 1);
    wick_vm_free(vm);
    wick_program_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(without_segments),
        cmocka_unit_test(second_initial_segment),
        cmocka_unit_test(two_data_files),
        cmocka_unit_test(external_initial_value),
        cmocka_unit_test(moves),
        cmocka_unit_test(frees),
        cmocka_unit_test(jumps_back),
        cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
