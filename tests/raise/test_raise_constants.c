/* Constants through the hinge: a graph that was lowered, written, read and raised again has the same numbers in every constant, and so
 * does what a weight with parts, row maps or another layout stands for. (tests/export/test_hinge.c compares what is printed.) */
#include "export/lowered.h"
#include "program/program.h"
#include "raise/raise.h"

static uint8_t *load(const wick_source *s) {
    uint8_t *bytes = malloc(s->size ? s->size : 1);
    if (s->size && s->bytes) memcpy(bytes, s->bytes, s->size);
    if (s->size && !s->bytes) assert_ok(s->read(s->user, bytes, err));
    return bytes;
}

static void add(uint8_t *dense, size_t *size, const void *bytes, size_t n) {
    memcpy(dense + *size, bytes, n);
    *size += n;
}

/* The rows of a constant as if it had one dense part: data row by row, each followed by its scales. */
static uint8_t *dense(const wick_value *v, size_t *size) {
    int64_t k = 1;
    for (int i = 1; i < v->rank; i++) k *= v->dims[i].c;
    bool plain = v->scheme.kind == WICK_SCHEME_PLAIN;
    size_t element = wick_dtype_size(v->dtype), row = plain ? (size_t)k * element : (size_t)k * (size_t)v->scheme.bits / 8;
    size_t scale_row = plain ? 0 : (size_t)(v->scheme.group ? k / v->scheme.group : 1) * wick_dtype_size(v->scheme.scale_dtype);
    uint8_t *out = malloc((size_t)v->dims[0].c * (row + scale_row) + 1);
    *size = 0;
    for (int p = 0; p < v->n_part; p++) {
        const wick_part *part = &v->parts[p];
        uint8_t *data = load(&part->data), *scales = load(&part->scales);
        size_t stride = part->row_stride ? (size_t)part->row_stride : row;
        for (int64_t i = 0; i < part->n_row; i++) {
            int64_t at = part->row_map ? part->row_map[i] : i;
            size_t start = *size;
            for (int64_t j = 0; part->transposed && j < k; j++) add(out, size, data + ((size_t)(j * part->n_row + at)) * element, element);
            if (!part->transposed) add(out, size, data + (size_t)at * stride, row);
            for (size_t j = start; part->negated && j < *size; j += 4) out[j + 3] ^= 0x80; /* f32 only */
            add(out, size, scales + (size_t)at * scale_row, scale_row);
        }
        free(data);
        free(scales);
    }
    return out;
}

static void compare_constants(const wick_graph *a, const wick_graph *b) {
    assert_int_equal(a->n_node, b->n_node);
    for (size_t i = 0; i < a->n_node; i++)
        for (int k = 0; k < a->nodes[i].n_in; k++) {
            if (a->nodes[i].in[k] < 0) continue;
            const wick_value *x = &a->values[a->nodes[i].in[k]], *y = &b->values[b->nodes[i].in[k]];
            if (x->kind != WICK_VALUE_CONST) continue;
            size_t x_size, y_size;
            uint8_t *x_bytes = dense(x, &x_size), *y_bytes = dense(y, &y_size);
            assert_int_equal(x_size, y_size);
            if (memcmp(x_bytes, y_bytes, x_size)) fail_msg("node %zu (%s), operand %d: other numbers", i, wick_op_name(a->nodes[i].op), k);
            free(x_bytes);
            free(y_bytes);
        }
}

static void round_trip(const char *checkpoint, const wick_recipe *recipe, wick_export_backend backend) {
    lowered l;
    wick_lower_options options = {.backend = backend};
    const char *path = test_tmp("round_trip.pte");
    wick_program *p = NULL;
    wick_raised raised = {0};
    assert_ok(lowered_make(&l, test_data(checkpoint), recipe, &options, err));
    for (uint32_t i = 0; i < l.program.n_named; i++) { /* no hashes: short keys of their own */
        l.program.named[i].hash_size = 0;
        snprintf(l.program.named[i].key, 11, "%u", i);
    }
    assert_ok(wick_pte_write(&l.program, path, &(wick_pte_write_options){.threads = 1}, err));
    assert_ok(wick_program_open(path, &(wick_program_options){0}, &p, err));
    assert_ok(wick_raise(p, wick_program_method_find(p, "forward"), &raised, err));
    assert_int_equal(raised.n_left, 0);
    compare_constants(l.graph, raised.graph);
    wick_raised_release(&raised);
    wick_program_close(p);
    lowered_release(&l);
}

static void test_stories(void **state) {
    (void)state;
    wick_recipe fp32 = recipe_fp32(64, 128), q4 = recipe_8da4w(128, 128);
    round_trip(STORIES, &fp32, WICK_BACKEND_PORTABLE);
    round_trip(STORIES, &fp32, WICK_BACKEND_XNNPACK);
    round_trip(STORIES, &q4, WICK_BACKEND_XNNPACK);
}

static void test_checkpoints(void **state) {
    (void)state;
    static const char *const folders[] = {"logits/tiny_llama", "logits/tiny_llama_bf16", "logits/tiny_llama3", "logits/tiny_smollm2"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        wick_recipe fp32 = recipe_fp32(32, 32), q4 = recipe_8da4w(16, 32);
        round_trip(folders[i], &fp32, WICK_BACKEND_PORTABLE);
        round_trip(folders[i], &fp32, WICK_BACKEND_XNNPACK);
        round_trip(folders[i], &q4, WICK_BACKEND_XNNPACK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories), cmocka_unit_test(test_checkpoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
