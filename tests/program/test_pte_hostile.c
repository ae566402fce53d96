/* Files that lie: one per way in which loaders of such programs were broken (the fixed vulnerabilities of the stock runtime and of
 * other model loaders), each refused with a sentence that says what is wrong. All begin as the small program. */
#include "base/checked.h"
#include "base/mem.h"
#include "program/ptd.h"
#include "program/pte_flat.h"
#include "support/small_program.h"
#include "support/support.h"

/* ---------------------------------------------------------------- assembling without any check */

static uint8_t *assemble(const wick_pte *p, wick_bytes payload, size_t *size) {
    uint64_t offsets[SMALL_N_SEGMENT], at = 0;
    wick_fbb b;
    for (uint32_t i = 0; i < p->n_segment; i++) {
        offsets[i] = at;
        at = wick_align_up(at + p->segments[i].size, 64);
    }
    assert_ok(wick_pte_flat(p, offsets, &b, err));
    size_t base = (b.size + 63) / 64 * 64;
    *size = base + (size_t)at;
    uint8_t *file = calloc(*size, 1);
    assert_non_null(file);
    memcpy(file, wick_fbb_bytes(&b), b.size);
    memcpy(file + 8, "eh00", 4);
    wick_store_u32(file + 12, 32);
    wick_store_u64(file + 16, b.size);
    wick_store_u64(file + 24, base);
    wick_store_u64(file + 32, at);
    memcpy(file + base + offsets[SMALL_SEG_PAYLOAD], payload.data, payload.size);
    wick_fbb_release(&b);
    return file;
}

/* A copy of the small program's payload whose structs may be changed. */
typedef struct graph {
    wick_xnn x;
    wick_xnn_value values[4];
    wick_xnn_node node;
    wick_xnn_constant constants[3];
} graph;

typedef void change_fn(wick_pte *p, graph *g);
typedef void patch_fn(uint8_t *file, size_t *size);

static void expect_refused(const char *name, change_fn *change, patch_fn *patch, const char *sentence) {
    wick_pte p;
    graph g;
    wick_bytes payload;
    size_t size;
    assert_true(small_program(&p, 0));
    g.x = *p.segments[SMALL_SEG_PAYLOAD].xnn;
    memcpy(g.values, g.x.values, sizeof g.values);
    memcpy(g.constants, g.x.constants, sizeof g.constants);
    g.node = g.x.nodes[0];
    g.x.values = g.values, g.x.nodes = &g.node, g.x.constants = g.constants;
    p.segments[SMALL_SEG_PAYLOAD].size = 0;
    /* The file's own copies: small_program shares static ones. */
    wick_pte_method m = p.methods[0];
    wick_pte_delegate delegate = m.delegates[0];
    int64_t arenas[] = {0, m.arena_sizes[1]};
    m.delegates = &delegate;
    m.arena_sizes = arenas;
    p.methods[0] = m;
    if (change) change(&p, &g);
    assert_ok(wick_xnn_write(&p, &g.x, &payload, err));
    if (!p.segments[SMALL_SEG_PAYLOAD].size) p.segments[SMALL_SEG_PAYLOAD].size = payload.size;
    uint8_t *file = assemble(&p, payload, &size);
    if (patch) patch(file, &size);
    wick_program *q;
    wick_error err = {0};
    wick_status status = wick_program_open_memory((wick_bytes){file, size}, "bad.pte", NULL, &q, &err);
    if (sentence) {
        if (status == WICK_OK) fail_msg("%s was accepted", name);
        if (!strstr(err.message, sentence)) fail_msg("%s: \"%s\" does not say \"%s\"", name, err.message, sentence);
        if (strncmp(err.message, "bad.pte: ", 9) != 0) fail_msg("%s: \"%s\" does not begin with the file's name", name, err.message);
    } else {
        if (status != WICK_OK) fail_msg("%s: %s", name, err.message);
        wick_program_close(q);
    }
    free(file);
    wick_free((void *)(uintptr_t)payload.data);
    wick_pte_release(&p);
}

/* ---------------------------------------------------------------- the program */

static wick_pte_tensor *tensor(wick_pte *p, int value) { return p->methods[0].values[value].tensor; }

/* Elements times element size wraps to a small number. */
static void size_overflow(wick_pte *p, graph *g) {
    (void)g;
    wick_pte_tensor *t = tensor(p, SMALL_T);
    t->rank = 4;
    for (int i = 0; i < 4; i++) t->dims[i] = 65536, t->dim_order[i] = (uint8_t)i;
}
static void negative_size(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_T)->dims[0] = -1; }
/* Offset plus size wraps to a place in the arena. */
static void arena_wrap(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_T)->memory_offset = UINT64_MAX - 15; }
static void arena_end(wick_pte *p, graph *g) { (void)g, p->methods[0].arena_sizes[1] = 192 + 59; }
static void arena_fits(wick_pte *p, graph *g) { (void)g, p->methods[0].arena_sizes[1] = 192 + 60; }
static void arena_unknown(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_T)->memory_id = 2; }
static void arena_negative(wick_pte *p, graph *g) { (void)g, p->methods[0].arena_sizes[1] = -1; }
/* Constants longer than what the file has for them. */
static void constant_index(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_C)->data_buffer_idx = 2; }
static void constant_long(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_C)->dims[0] = 5; }
static void initial_long(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_M)->dims[0] = 4; }
static void initial_segment(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_M)->mutable_segment = 1; }
static void order_twice(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_T)->dim_order[1] = 0; }
/* Lists whose items are no values, or values of another kind. */
static void list_far(wick_pte *p, graph *g) { (void)g, p->methods[0].values[SMALL_INTS].items[0] = SMALL_N_VALUE; }
static void list_kind(wick_pte *p, graph *g) { (void)g, p->methods[0].values[17].items[0] = SMALL_I1; }
static void list_negative(wick_pte *p, graph *g) { (void)g, p->methods[0].values[17].items[0] = -1; }
/* Arguments: too few, of another kind, out of range, not repeating the result, writing a constant. */
static void too_few(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].n_arg = 3; }
static void no_repeat(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].n_arg = 4; }
static void wrong_repeat(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].args[4] = SMALL_U; }
static void wrong_kind(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].args[1] = SMALL_I1; }
static void far_argument(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].args[0] = SMALL_N_VALUE; }
static void negative_argument(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].args[0] = -1; }
static void writes_constant(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].args[3] = p->methods[0].instrs[2].args[4] = SMALL_C; }
static void no_memory(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_T)->memory_id = 0; }
static void far_operator(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[2].index = 3; }
static void far_jump(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[5].target = 8; }
static void negative_jump(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[5].target = -1; }
static void jump_by_tensor_list(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[5].index = 17; }
static void far_move(wick_pte *p, graph *g) {
    (void)g, p->methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_MOVE, .index = SMALL_X, .target = 1000};
}
static void far_free(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_FREE, .index = 1000}; }
static void free_number(wick_pte *p, graph *g) {
    (void)g, p->methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_FREE, .index = SMALL_N};
}
static void far_input(wick_pte *p, graph *g) {
    static int32_t far[] = {SMALL_N_VALUE};
    (void)g, p->methods[0].inputs = far;
}
static void far_segment(wick_pte *p, graph *g) { (void)g, p->named[0].segment = SMALL_N_SEGMENT; }
static void same_key(wick_pte *p, graph *g) { (void)g, p->named[1].key = p->named[0].key; }
static void far_delegate(wick_pte *p, graph *g) { (void)g, p->methods[0].delegates[0].index = SMALL_N_SEGMENT; }
static void foreign_delegate(wick_pte *p, graph *g) { (void)g, p->methods[0].delegates[0].id = "QnnBackend"; }
static void delegate_argument(wick_pte *p, graph *g) { (void)g, p->methods[0].instrs[3].n_arg = 1; }
static void delegate_shape(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_U)->dims[1] = 2; }
static void delegate_type(wick_pte *p, graph *g) { (void)g, tensor(p, SMALL_U)->scalar_type = WICK_ST_BYTE; }
static void unknown_operator(wick_pte *p, graph *g) {
    static wick_pte_operator operators[] = {{"aten::sym_size", "int"}, {"executorch_prim::eq", "Scalar"}, {"aten::frobnicate", "out"}};
    (void)g, p->methods[0].operators = operators;
}
static void torchao_operator(wick_pte *p, graph *g) {
    static wick_pte_operator operators[] = {
        {"aten::sym_size", "int"}, {"executorch_prim::eq", "Scalar"}, {"torchao::_linear_8bit_act_4bit_weight", "out"}};
    (void)g, p->methods[0].operators = operators;
}

/* ---------------------------------------------------------------- the payload */

static void many_arguments(wick_pte *p, graph *g) { (void)p, g->x.n_extern = 4097, g->x.n_input = 4097; }
static void far_extern(wick_pte *p, graph *g) { (void)p, g->values[0].external_id = 2; }
static void twice_extern(wick_pte *p, graph *g) { (void)p, g->values[1] = g->values[0]; }
static void unknown_value_flag(wick_pte *p, graph *g) { (void)p, g->values[0].flags = 0x80000001u; }
static void unknown_node_flag(wick_pte *p, graph *g) { (void)p, g->node.flags = 0x80000000u; }
static void far_operand(wick_pte *p, graph *g) { (void)p, g->node.in[1] = 4; }
static void empty_operand(wick_pte *p, graph *g) { (void)p, g->node.in[0] = 3; }
static void writes_input(wick_pte *p, graph *g) { (void)p, g->node.out = 0; }
static void writes_weights(wick_pte *p, graph *g) { (void)p, g->node.out = 1; }
static void constant_far(wick_pte *p, graph *g) { (void)p, g->values[1].constant = 3; }
static void constant_short(wick_pte *p, graph *g) { (void)p, g->values[1].dims[0] = g->values[2].dims[0] = g->values[3].dims[1] = 4; }
static void constant_missing(wick_pte *p, graph *g) { (void)p, g->constants[1].key_named = 0, g->constants[1].key = "nobody"; }
static void inline_far(wick_pte *p, graph *g) { (void)p, g->constants[2].bytes.size = 8; }
static void shapes_differ(wick_pte *p, graph *g) { (void)p, g->values[3].dims[1] = 2; }
static void size_wrap(wick_pte *p, graph *g) {
    (void)p, g->values[1].dims[0] = g->values[1].dims[1] = 0x7fffffff, g->values[1].dims[2] = 0x7fffffff, g->values[1].rank = 3;
}
static void unknown_dtype(wick_pte *p, graph *g) { (void)p, g->values[0].dtype = 99; }
static void no_parameters(wick_pte *p, graph *g) { (void)p, g->values[1].dtype = WICK_XD_QCINT8; }
static void no_scales(wick_pte *p, graph *g) {
    (void)p;
    g->values[1].dtype = WICK_XD_QCINT8;
    g->values[1].quantized = true;
    g->values[1].quant = WICK_XQ_PER_CHANNEL;
}
static void group_of_zero(wick_pte *p, graph *g) {
    (void)p;
    g->values[1].dtype = WICK_XD_QBINT4;
    g->values[1].quantized = true;
    g->values[1].quant = WICK_XQ_PER_CHANNEL_GROUP;
}
static void zero_scale(wick_pte *p, graph *g) {
    static float scales[3] = {1, 0, 1};
    no_scales(p, g);
    g->values[1].scales = scales;
    g->values[1].n_scale = 3;
}

/* ---------------------------------------------------------------- bytes */

static void cut_half(uint8_t *file, size_t *size) { (void)file, *size /= 2; }
static void cut_tail(uint8_t *file, size_t *size) { (void)file, *size -= 64; }
static void cut_header(uint8_t *file, size_t *size) { (void)file, *size = 20; }
static void root_far(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file, 0x7ffffff0); }
static void root_unaligned(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file, wick_load_u32(file) + 1); }
static void vtable_far(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file + wick_load_u32(file), 0x7ffffff0u); }
static void flatbuffer_long(uint8_t *file, size_t *size) { wick_store_u64(file + 16, *size + 1); }
static void flatbuffer_huge(uint8_t *file, size_t *size) { (void)size, wick_store_u64(file + 16, UINT64_MAX); }
static void base_wrap(uint8_t *file, size_t *size) { (void)size, wick_store_u64(file + 24, UINT64_MAX - 63); }
static void base_far(uint8_t *file, size_t *size) { wick_store_u64(file + 24, *size), wick_store_u64(file + 32, 0); }
static void other_magic(uint8_t *file, size_t *size) { (void)size, memcpy(file + 4, "GGUF", 4); }

static const struct {
    const char *name;
    change_fn *change;
    patch_fn *patch;
    const char *sentence; /* NULL: accepted */
} cases[] = {
#define CHANGE(fn, sentence)                                                                                                               \
    { #fn, fn, NULL, sentence }
#define PATCH(fn, sentence)                                                                                                                \
    { #fn, NULL, fn, sentence }
    {"as it is", NULL, NULL, NULL},
    CHANGE(arena_fits, NULL),
    CHANGE(size_overflow, "overflow"),
    CHANGE(negative_size, "negative"),
    CHANGE(arena_wrap, "of arena 1 lie outside"),
    CHANGE(arena_end, "of arena 1 lie outside"),
    CHANGE(arena_unknown, "of arena 2 lie outside"),
    CHANGE(arena_negative, "arena 1 has -1 bytes"),
    CHANGE(constant_index, "(constant 2) are not in the file"),
    CHANGE(constant_long, "20 bytes (constant 1) are not in the file"),
    CHANGE(initial_long, "16 initial bytes"),
    CHANGE(initial_segment, "of mutable data 1"),
    CHANGE(order_twice, "dim_order"),
    CHANGE(list_far, "list item 0 is value 20, the method has 20 values"),
    CHANGE(list_kind, "list item 0 is not a tensor"),
    CHANGE(list_negative, "list item 0 is value -1"),
    CHANGE(too_few, "instruction 2 (aten::add.out) has 3 arguments"),
    CHANGE(no_repeat, "instruction 2 (aten::add.out) has 4 arguments"),
    CHANGE(wrong_repeat, "does not repeat the result"),
    CHANGE(wrong_kind, "argument 1 is an integer (value 9), expected a tensor"),
    CHANGE(far_argument, "is value 20, the method has 20 values"),
    CHANGE(negative_argument, "is value -1"),
    CHANGE(writes_constant, "writes tensor 5, which is a constant"),
    CHANGE(no_memory, "tensor 2, which has no memory"),
    CHANGE(far_operator, "names operator 3, there are 3"),
    CHANGE(far_jump, "destination instruction -1"),
    CHANGE(negative_jump, "destination instruction -1"),
    CHANGE(jump_by_tensor_list, "jumps by a list of tensors"),
    CHANGE(far_move, "names value 1000"),
    CHANGE(far_free, "names value 1000"),
    CHANGE(free_number, "frees an integer"),
    CHANGE(far_input, "is value 20, the method has 20 values"),
    CHANGE(far_segment, "is segment 5, the file has 5 segments"),
    CHANGE(same_key, "occurs twice"),
    CHANGE(far_delegate, "in segment 5, there are 5"),
    CHANGE(foreign_delegate, "needs the backend QnnBackend (Qualcomm NPUs): export the model again"),
    CHANGE(delegate_argument, "passes 1 arguments, delegate 0 takes 2"),
    CHANGE(delegate_shape, "dimension 1 of argument 1 is 2, delegate 0 expects 3"),
    CHANGE(delegate_type, "of type Byte, delegate 0 expects fp32"),
    CHANGE(unknown_operator, "method \"forward\" calls the operator aten::frobnicate.out, which Wick does not have"),
    CHANGE(torchao_operator, "torchao::_linear_8bit_act_4bit_weight.out, whose weights are packed for the torchao library"),
    CHANGE(many_arguments, "claims 4097 arguments, at most 4096"),
    CHANGE(far_extern, "argument 2 of 2"),
    CHANGE(twice_extern, "two values are argument 0"),
    CHANGE(unknown_value_flag, "flags 2147483649"),
    CHANGE(unknown_node_flag, "has flags 0x80000000, Wick knows 0x1"),
    CHANGE(far_operand, "names a value that does not exist"),
    CHANGE(empty_operand, "has no content at that point"),
    CHANGE(writes_input, "has content already"),
    CHANGE(writes_weights, "has content already"),
    CHANGE(constant_far, "constant 3 of 3"),
    CHANGE(constant_short, "value 1 takes 64 bytes, constant 1 has 48"),
    CHANGE(constant_missing, "wants the data \"nobody\""),
    CHANGE(inline_far, "value 2 takes 12 bytes, constant 2 has 8"),
    CHANGE(shapes_differ, "do not give that of its output"),
    CHANGE(size_wrap, "the size of value 1 overflows"),
    CHANGE(unknown_dtype, "unknown type 99"),
    CHANGE(no_parameters, "has no quantization parameters"),
    CHANGE(no_scales, "has 0 scales, its shape needs 3"),
    CHANGE(group_of_zero, "groups of 0 along 4 columns"),
    CHANGE(zero_scale, "scale that is not a positive normal number"),
    PATCH(cut_half, "(download incomplete?)"),
    PATCH(cut_tail, "(download incomplete?)"),
    PATCH(cut_header, "extended header"),
    PATCH(root_far, "past the end of the FlatBuffer"),
    PATCH(root_unaligned, "not aligned"),
    PATCH(vtable_far, "vtable outside"),
    PATCH(flatbuffer_long, "(download incomplete?)"),
    PATCH(flatbuffer_huge, "(download incomplete?)"),
    PATCH(base_wrap, "(download incomplete?)"),
    PATCH(base_far, "(download incomplete?)"),
    PATCH(other_magic, "is not an ExecuTorch program"),
};

static void test_refused(void **state) {
    (void)state;
    uint64_t live = wick_mem_stats_get().n_live;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refused(cases[i].name, cases[i].change, cases[i].patch, cases[i].sentence);
    assert_int_equal(wick_mem_stats_get().n_live, live);
}

/* ---------------------------------------------------------------- data files */

static void refuse_data(uint8_t *file, size_t size, const char *sentence) {
    wick_ptd_set set = {0};
    wick_error err = {0};
    assert_int_not_equal(wick_ptd_add_memory(&set, (wick_bytes){file, size}, "bad.ptd", &err), WICK_OK);
    if (!strstr(err.message, sentence)) fail_msg("\"%s\" does not say \"%s\"", err.message, sentence);
    wick_ptd_release(&set);
}

static void test_data_files(void **state) {
    (void)state;
    size_t size;
    uint8_t *file = test_read(test_data("stock/st_ptd_weights.ptd"), &size), *copy = malloc(size);
    wick_ptd_set set = {0};
    assert_non_null(copy);
    assert_ok(wick_ptd_add_memory(&set, (wick_bytes){file, size}, "a.ptd", err));
    wick_error err;
    assert_int_equal(wick_ptd_add_memory(&set, (wick_bytes){file, size}, "a.ptd", &err), WICK_EFORMAT); /* every key twice */
    assert_non_null(strstr(err.message, "occurs twice"));
    wick_ptd_release(&set);
    refuse_data(file, size - 4096, "(download incomplete?)");
    refuse_data(file, 47, "not an ExecuTorch data file");
    memcpy(copy, file, size), wick_store_u32(copy, 0xfffffff0u); /* the root was once followed before it was checked */
    refuse_data(copy, size, "past the end");
    memcpy(copy, file, size), wick_store_u64(copy + 16, UINT64_MAX);
    refuse_data(copy, size, "(download incomplete?)");
    memcpy(copy, file, size), wick_store_u64(copy + 32, UINT64_MAX - 100);
    refuse_data(copy, size, "(download incomplete?)");
    free(copy);
    free(file);
}

/* ---------------------------------------------------------------- the memory plan of what Wick writes */

static wick_status check_plan(void (*change)(wick_pte *p), wick_error *err) {
    wick_pte p;
    assert_true(small_program(&p, SMALL_STRAIGHT));
    /* add.out reads u and m and writes y, which may lie where t was: t is not needed any more. */
    if (change) change(&p);
    uint64_t size;
    wick_status status = wick_pte_file_size(&p, &size, err);
    if (status == WICK_OK) status = wick_pte_check(&p, "plan.pte", WICK_CHECK_PLAN, err);
    wick_pte_release(&p);
    return status;
}

static void plan_overlap(wick_pte *p) { tensor(p, SMALL_Y)->memory_offset = 192; }
static void plan_state(wick_pte *p) { tensor(p, SMALL_T)->memory_offset = 0; }
static void plan_unwritten(wick_pte *p) {
    p->methods[0].instrs[4].args[0] = SMALL_Y, p->methods[0].instrs[4].args[3] = p->methods[0].instrs[4].args[4] = SMALL_T;
}
static void plan_number(wick_pte *p) { p->methods[0].instrs[0].args[1] = SMALL_N; }

static void test_plan(void **state) {
    (void)state;
    wick_error failed;
    assert_ok(check_plan(NULL, err));
    assert_int_equal(check_plan(plan_overlap, &failed), WICK_EFORMAT);
    assert_non_null(strstr(failed.message, "tensors 1 and 3 are alive together")
                        ? failed.message
                        : strstr(failed.message, "tensors 3 and 1 are alive together"));
    assert_int_equal(check_plan(plan_state, &failed), WICK_EFORMAT);
    assert_non_null(strstr(failed.message, "alive together"));
    assert_int_equal(check_plan(plan_unwritten, &failed), WICK_EFORMAT);
    assert_non_null(strstr(failed.message, "reads tensor 1, which nothing has written"));
    assert_int_equal(check_plan(plan_number, &failed), WICK_EFORMAT);
    assert_non_null(strstr(failed.message, "reads number 6, which only instruction 0 writes"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_data_files), cmocka_unit_test(test_plan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
