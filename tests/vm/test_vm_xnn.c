/* Delegate nodes that no program of the stock exporter at hand contains, each alone in a delegate, against values worked out here. */
#include "base/half.h"
#include "program/program.h"
#include "support/support.h"
#include "vm/vm.h"

#include <math.h>

/* A program that calls one delegate of one node: inputs, constants, one output. */
typedef struct lone_node {
    wick_xnn_value xv[4];
    wick_xnn_constant constants[4];
    wick_xnn_node node;
    wick_xnn x;
    wick_pte_tensor tensors[4];
    wick_pte_value values[4];
    int32_t args[4], io[4];
    wick_pte_instr instr;
    wick_pte_delegate delegate;
    wick_pte_method method;
    wick_program_method pm;
    wick_program program;
    int64_t arenas[2];
    uint32_t n_input;
    float out[64];
} lone_node;

static void shape(uint32_t *dims, int *rank, const char *text) {
    for (*rank = 0; *text; text += *text == ',') dims[(*rank)++] = (uint32_t)strtol(text, (char **)&text, 10);
}

static wick_xnn_value *value(lone_node *l, const char *dims, int dtype) {
    wick_xnn_value *v = &l->xv[l->x.n_value++];
    *v = (wick_xnn_value){.dtype = dtype, .external_id = WICK_XNN_NONE};
    shape(v->dims, &v->rank, dims);
    return v;
}

static void outer(lone_node *l, wick_xnn_value *v, uint32_t flags) {
    uint32_t id = l->x.n_extern++;
    v->external_id = id, v->flags = flags;
    wick_pte_tensor *t = &l->tensors[id];
    *t = (wick_pte_tensor){.scalar_type = WICK_ST_FLOAT, .rank = v->rank, .dynamism = WICK_DYNAMIC_BOUND};
    for (int i = 0; i < WICK_MAX_RANK; i++) t->dims[i] = (int32_t)v->dims[i], t->dim_order[i] = (uint8_t)i;
    if (flags == 2) t->memory_id = 1;
    l->values[id] = (wick_pte_value){.kind = WICK_EV_TENSOR, .tensor = t};
    l->args[id] = l->io[id] = (int32_t)id;
}

static void input(lone_node *l, const char *dims) {
    outer(l, value(l, dims, WICK_XD_FP32), 1);
    l->node.in[l->node.n_in++] = l->x.n_value - 1;
    l->n_input++;
}

static wick_xnn_value *constant(lone_node *l, const char *dims, int dtype, const void *data, size_t size) {
    wick_xnn_value *v = value(l, dims, dtype);
    l->x.n_constant = l->x.n_constant ? l->x.n_constant + 1 : 2;
    v->constant = l->x.n_constant - 1;
    l->constants[v->constant].bytes = (wick_bytes){data, size};
    l->node.in[l->node.n_in++] = l->x.n_value - 1;
    return v;
}

/* The output, then one run on inputs a and b. */
static wick_status run(lone_node *l, int op, const char *out_dims, const float *a, const float *b, wick_error *err) {
    outer(l, value(l, out_dims, WICK_XD_FP32), 2);
    l->node.op = op, l->node.out = l->x.n_value - 1;
    l->x.version = "0", l->x.values = l->xv, l->x.constants = l->constants, l->x.nodes = &l->node, l->x.n_node = 1,
    l->x.n_input = l->n_input;
    l->arenas[1] = sizeof l->out;
    l->instr = (wick_pte_instr){.kind = WICK_IK_DELEGATE, .args = l->args, .n_arg = l->x.n_extern};
    l->delegate = (wick_pte_delegate){.id = "XnnpackBackend"};
    l->method = (wick_pte_method){.name = "test",
                                  .values = l->values,
                                  .n_value = l->x.n_extern,
                                  .inputs = l->io,
                                  .n_input = l->n_input,
                                  .outputs = l->io + l->n_input,
                                  .n_output = 1,
                                  .instrs = &l->instr,
                                  .n_instr = 1,
                                  .delegates = &l->delegate,
                                  .n_delegate = 1,
                                  .arena_sizes = l->arenas,
                                  .n_arena = 2};
    l->pm = (wick_program_method){.pte = &l->method, .delegates = &l->x};
    wick_vm *vm = NULL;
    wick_vm_tensor in[2], out;
    WICK_TRY(wick_vm_new(&l->program, &l->pm, &vm, err));
    const float *data[2] = {a, b};
    for (uint32_t i = 0; i < l->n_input; i++) {
        in[i] = (wick_vm_tensor){.scalar_type = WICK_ST_FLOAT, .rank = l->tensors[i].rank, .data = (void *)data[i]};
        memcpy(in[i].dims, l->tensors[i].dims, sizeof in[i].dims);
    }
    wick_status status = wick_vm_run(vm, in, l->n_input, &out, 1, err);
    if (status == WICK_OK) memcpy(l->out, out.data, sizeof l->out);
    wick_vm_free(vm);
    return status;
}

static void expect(const lone_node *l, const float *want, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(l->out[i] - want[i]) <= 2e-6f * fmaxf(1, fabsf(want[i]))))
            fail_msg("element %zu is %.9g, expected %.9g", i, (double)l->out[i], (double)want[i]);
}

static void elementwise(void **state) {
    (void)state;
    static const struct {
        int op;
        float want[4];
    } rows[] = {
        {WICK_XNN_DIV, {-3, 1.0f / 3, 0, 4}},
        {WICK_XNN_MAXIMUM, {1.5f, 3, 4, 2}},
        {WICK_XNN_MINIMUM, {-0.5f, 1, 0, 0.5f}},
    };
    const float a[4] = {1.5f, 1, 0, 2}, b[4] = {-0.5f, 3, 4, 0.5f};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lone_node l = {0};
        input(&l, "2,2"), input(&l, "2,2");
        assert_ok(run(&l, rows[i].op, "2,2", a, b, err));
        expect(&l, rows[i].want, 4);
    }
    static const struct {
        int op;
        double (*rule)(double);
    } unary[] = {{WICK_XNN_SQUARE_ROOT, sqrt}, {WICK_XNN_ABS, fabs}, {WICK_XNN_LOG, log},     {WICK_XNN_TANH, tanh},   {WICK_XNN_EXP, exp},
                 {WICK_XNN_SIN, sin},          {WICK_XNN_COS, cos},  {WICK_XNN_FLOOR, floor}, {WICK_XNN_CEILING, ceil}};
    const float x[4] = {0.5f, 1, 2.25f, 3.5f};
    for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++) {
        lone_node l = {0};
        float want[4];
        for (int k = 0; k < 4; k++) want[k] = (float)unary[i].rule((double)x[k]);
        input(&l, "4");
        assert_ok(run(&l, unary[i].op, "4", x, NULL, err));
        expect(&l, want, 4);
    }
}

static void gelu_clamp_and_slopes(void **state) {
    (void)state;
    const float x[4] = {-2, -0.5f, 0.5f, 3};
    lone_node gelu = {0}, clamp = {0}, leaky = {0}, fused = {0};
    input(&gelu, "4"), input(&clamp, "4"), input(&leaky, "4"), input(&fused, "4");
    assert_ok(run(&gelu, WICK_XNN_GELU, "4", x, NULL, err));
    expect(&gelu, (const float[]){-0.0455002636f, -0.15426877f, 0.34573123f, 2.99595031f}, 4);
    clamp.node.has_min_max = fused.node.has_min_max = true;
    clamp.node.out_min = -1, clamp.node.out_max = 1, fused.node.out_min = 0, fused.node.out_max = INFINITY;
    assert_ok(run(&clamp, WICK_XNN_CLAMP, "4", x, NULL, err));
    expect(&clamp, (const float[]){-1, -0.5f, 0.5f, 1}, 4);
    assert_ok(run(&fused, WICK_XNN_NEGATE, "4", x, NULL, err)); /* with relu */
    expect(&fused, (const float[]){2, 0.5f, 0, 0}, 4);
    leaky.node.alpha = 0.25f;
    assert_ok(run(&leaky, WICK_XNN_LEAKY_RELU, "4", x, NULL, err));
    expect(&leaky, (const float[]){-0.5f, -0.125f, 0.5f, 3}, 4);
}

static void products_and_softmax(void **state) {
    (void)state;
    const float a[8] = {1, 2, 3, 4, 0, 1, -1, 2}, b[6] = {1, 0, 2, 3, 1, -1}, x[4] = {0, 1, 2, 2};
    lone_node bmm = {0}, soft = {0};
    input(&bmm, "2,2,2"), input(&bmm, "1,2,3"); /* the second is shared by both */
    assert_ok(run(&bmm, WICK_XNN_BATCH_MATMUL, "2,2,3", a, b, err));
    expect(&bmm, (const float[]){7, 2, 0, 15, 4, 2, 3, 1, -1, 5, 2, -4}, 12);
    input(&soft, "2,2");
    assert_ok(run(&soft, WICK_XNN_SOFTMAX, "2,2", x, NULL, err));
    expect(&soft, (const float[]){0.268941421f, 0.731058579f, 0.5f, 0.5f}, 4);
}

static void slices_and_padding(void **state) {
    (void)state;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    lone_node slice = {0}, pad = {0};
    input(&slice, "2,3"), input(&pad, "1,3");
    slice.node.n_list = pad.node.n_list = 2;
    slice.node.list[1] = 1, slice.node.list2[1] = 2; /* rows: 0 from 0 = all */
    assert_ok(run(&slice, WICK_XNN_SLICE, "2,2", x, NULL, err));
    expect(&slice, (const float[]){2, 3, 5, 6}, 4);
    pad.node.list[1] = 1, pad.node.list2[0] = 1, pad.node.alpha = 9;
    assert_ok(run(&pad, WICK_XNN_CONSTANT_PAD, "2,4", x, NULL, err));
    expect(&pad, (const float[]){9, 1, 2, 3, 9, 9, 9, 9}, 8);
}

static void convolution(void **state) {
    (void)state;
    /* NHWC 1x3x3x1, kernel 2x2, padding 1 above and left, step 2. */
    const float x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w[4] = {1, 10, 100, 1000}, bias[1] = {0.5f};
    lone_node l = {0};
    input(&l, "1,3,3,1");
    constant(&l, "1,2,2,1", WICK_XD_FP32, w, sizeof w);
    constant(&l, "1", WICK_XD_FP32, bias, sizeof bias);
    const uint32_t numbers[16] = {1, 0, 0, 1, 2, 2, 2, 2, 1, 1, 1, 1, 1};
    memcpy(l.node.conv, numbers, sizeof numbers);
    assert_ok(run(&l, WICK_XNN_CONV2D, "1,2,2,1", x, NULL, err));
    expect(&l, (const float[]){1000.5f, 3200.5f, 7040.5f, 9865.5f}, 4);
}

/* Float rows times int8 and int4 weights per channel, and 16-bit float weights, with bias. */
static void other_weights(void **state) {
    (void)state;
    const float x[4] = {1, 2, -1, 0.5f}, bias[2] = {10, -10}, want[2] = {10 + 0.5f * (1 + 4 - 3 + 2), -10 + 2 * (-8 + 14 + 1 + 0)};
    const int8_t w8[8] = {1, 2, 3, 4, -8, 7, -1, 0};
    const uint8_t w4[4] = {0xa9, 0xcb, 0xf0, 0x87}; /* low nibble first, 8 is zero */
    float scales[2] = {0.5f, 2};
    uint16_t half[8], brain[8];
    for (int i = 0; i < 8; i++) {
        half[i] = wick_f32_to_f16((float)w8[i] * scales[i / 4]);
        brain[i] = wick_f32_to_bf16((float)w8[i] * scales[i / 4]);
    }
    const struct {
        int dtype;
        const void *data;
        size_t size;
    } kinds[] = {{WICK_XD_QCINT8, w8, sizeof w8},
                 {WICK_XD_QCINT4, w4, sizeof w4},
                 {WICK_XD_FP16, half, sizeof half},
                 {WICK_XD_BF16, brain, sizeof brain}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lone_node l = {0};
        input(&l, "1,4");
        wick_xnn_value *w = constant(&l, "2,4", kinds[i].dtype, kinds[i].data, kinds[i].size);
        if (i < 2) w->quant = WICK_XQ_PER_CHANNEL, w->scales = scales, w->n_scale = 2;
        constant(&l, "2", WICK_XD_FP32, bias, sizeof bias);
        assert_ok(run(&l, WICK_XNN_FULLY_CONNECTED, "1,2", x, NULL, err));
        expect(&l, want, 2);
    }
}

static void shapes_that_do_not_fit(void **state) {
    (void)state;
    const float x[8] = {0};
    lone_node add = {0}, bmm = {0}, pool = {0};
    wick_error e = {0};
    input(&add, "2,3"), input(&add, "2,2");
    assert_int_equal(run(&add, WICK_XNN_ADD, "2,3", x, x, &e), WICK_EFORMAT);
    assert_non_null(strstr(e.message, "node 0 (Add)"));
    input(&bmm, "2,2"), input(&bmm, "3,2");
    assert_int_equal(run(&bmm, WICK_XNN_BATCH_MATMUL, "2,2", x, x, &e), WICK_EFORMAT);
    input(&pool, "1,2,2,1");
    assert_int_equal(run(&pool, WICK_XNN_MAX_POOL2D, "1,1,1,1", x, NULL, &e), WICK_EUNSUPPORTED);
    assert_non_null(strstr(e.message, "MaxPooling2d"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elementwise),
        cmocka_unit_test(gelu_clamp_and_slopes),
        cmocka_unit_test(products_and_softmax),
        cmocka_unit_test(slices_and_padding),
        cmocka_unit_test(convolution),
        cmocka_unit_test(other_weights),
        cmocka_unit_test(shapes_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
