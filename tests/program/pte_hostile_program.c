/* Programs whose structs lie: sizes, indices, kinds, arguments, storage. */
#include "pte_hostile.h"

static wick_pte_tensor *tensor(wick_pte *p, int value) { return p->methods[0].values[value].tensor; }

/* Elements times element size wraps to a small number. */
static void size_overflow(wick_pte *p, hostile_graph *g) {
    (void)g;
    wick_pte_tensor *t = tensor(p, SMALL_T);
    t->rank = 4;
    for (int i = 0; i < 4; i++) t->dims[i] = 65536, t->dim_order[i] = (uint8_t)i;
}
static void negative_size(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_T)->dims[0] = -1; }
/* Offset plus size wraps to a place in the arena. */
static void arena_wrap(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_T)->memory_offset = UINT64_MAX - 15; }
static void arena_end(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].arena_sizes[1] = 192 + 59; }
static void arena_fits(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].arena_sizes[1] = 192 + 60; }
static void arena_unknown(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_T)->memory_id = 2; }
static void arena_negative(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].arena_sizes[1] = -1; }
/* Constants longer than what the file has for them. */
static void constant_index(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_C)->data_buffer_idx = 2; }
static void constant_long(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_C)->dims[0] = 5; }
static void initial_long(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_M)->dims[0] = 4; }
static void initial_segment(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_M)->mutable_segment = 1; }
static void order_twice(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_T)->dim_order[1] = 0; }
/* Lists whose items are no values, or values of another kind. */
static void list_far(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].values[SMALL_INTS].items[0] = SMALL_N_VALUE; }
static void list_kind(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].values[17].items[0] = SMALL_I1; }
static void list_negative(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].values[17].items[0] = -1; }
/* Arguments: too few, of another kind, out of range, not repeating the result, writing a constant. */
static void too_few(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].n_arg = 3; }
static void no_repeat(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].n_arg = 4; }
static void wrong_repeat(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].args[4] = SMALL_U; }
static void wrong_kind(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].args[1] = SMALL_I1; }
static void far_argument(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].args[0] = SMALL_N_VALUE; }
static void negative_argument(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].args[0] = -1; }
static void writes_constant(wick_pte *p, hostile_graph *g) {
    (void)g, p->methods[0].instrs[2].args[3] = p->methods[0].instrs[2].args[4] = SMALL_C;
}
static void no_memory(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_T)->memory_id = 0; }
static void far_operator(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[2].index = 3; }
static void far_jump(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[5].target = 8; }
static void negative_jump(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[5].target = -1; }
static void jump_by_tensor_list(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[5].index = 17; }
static void far_move(wick_pte *p, hostile_graph *g) {
    (void)g, p->methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_MOVE, .index = SMALL_X, .target = 1000};
}
static void far_free(wick_pte *p, hostile_graph *g) {
    (void)g, p->methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_FREE, .index = 1000};
}
static void free_number(wick_pte *p, hostile_graph *g) {
    (void)g, p->methods[0].instrs[5] = (wick_pte_instr){.kind = WICK_IK_FREE, .index = SMALL_N};
}
static void far_input(wick_pte *p, hostile_graph *g) {
    static int32_t far[] = {SMALL_N_VALUE};
    (void)g, p->methods[0].inputs = far;
}
static void far_segment(wick_pte *p, hostile_graph *g) { (void)g, p->named[0].segment = SMALL_N_SEGMENT; }
static void same_key(wick_pte *p, hostile_graph *g) { (void)g, p->named[1].key = p->named[0].key; }
static void far_delegate(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].delegates[0].index = SMALL_N_SEGMENT; }
static void foreign_delegate(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].delegates[0].id = "QnnBackend"; }
static void delegate_argument(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[3].n_arg = 1; }
static void delegate_shape(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_U)->dims[1] = 2; }
static void delegate_type(wick_pte *p, hostile_graph *g) { (void)g, tensor(p, SMALL_U)->scalar_type = WICK_ST_BYTE; }
static void unknown_operator(wick_pte *p, hostile_graph *g) {
    static wick_pte_operator operators[] = {{"aten::sym_size", "int"}, {"executorch_prim::eq", "Scalar"}, {"aten::frobnicate", "out"}};
    (void)g, p->methods[0].operators = operators;
}
static void torchao_operator(wick_pte *p, hostile_graph *g) {
    static wick_pte_operator operators[] = {
        {"aten::sym_size", "int"}, {"executorch_prim::eq", "Scalar"}, {"torchao::_linear_8bit_act_4bit_weight", "out"}};
    (void)g, p->methods[0].operators = operators;
}

static const hostile_case cases[] = {
    {"as it is", NULL, NULL, NULL},
    HOSTILE_CHANGE(arena_fits, NULL),
    HOSTILE_CHANGE(size_overflow, "overflow"),
    HOSTILE_CHANGE(negative_size, "negative"),
    HOSTILE_CHANGE(arena_wrap, "of arena 1 lie outside"),
    HOSTILE_CHANGE(arena_end, "of arena 1 lie outside"),
    HOSTILE_CHANGE(arena_unknown, "of arena 2 lie outside"),
    HOSTILE_CHANGE(arena_negative, "arena 1 has -1 bytes"),
    HOSTILE_CHANGE(constant_index, "(constant 2) are not in the file"),
    HOSTILE_CHANGE(constant_long, "20 bytes (constant 1) are not in the file"),
    HOSTILE_CHANGE(initial_long, "16 initial bytes"),
    HOSTILE_CHANGE(initial_segment, "of mutable data 1"),
    HOSTILE_CHANGE(order_twice, "dim_order"),
    HOSTILE_CHANGE(list_far, "list item 0 is value 20, the method has 20 values"),
    HOSTILE_CHANGE(list_kind, "list item 0 is not a tensor"),
    HOSTILE_CHANGE(list_negative, "list item 0 is value -1"),
    HOSTILE_CHANGE(too_few, "instruction 2 (aten::add.out) has 3 arguments"),
    HOSTILE_CHANGE(no_repeat, "instruction 2 (aten::add.out) has 4 arguments"),
    HOSTILE_CHANGE(wrong_repeat, "does not repeat the result"),
    HOSTILE_CHANGE(wrong_kind, "argument 1 is an integer (value 9), expected a tensor"),
    HOSTILE_CHANGE(far_argument, "is value 20, the method has 20 values"),
    HOSTILE_CHANGE(negative_argument, "is value -1"),
    HOSTILE_CHANGE(writes_constant, "writes tensor 5, which is a constant"),
    HOSTILE_CHANGE(no_memory, "tensor 2, which has no memory"),
    HOSTILE_CHANGE(far_operator, "names operator 3, there are 3"),
    HOSTILE_CHANGE(far_jump, "destination instruction -1"),
    HOSTILE_CHANGE(negative_jump, "destination instruction -1"),
    HOSTILE_CHANGE(jump_by_tensor_list, "jumps by a list of tensors"),
    HOSTILE_CHANGE(far_move, "names value 1000"),
    HOSTILE_CHANGE(far_free, "names value 1000"),
    HOSTILE_CHANGE(free_number, "frees an integer"),
    HOSTILE_CHANGE(far_input, "is value 20, the method has 20 values"),
    HOSTILE_CHANGE(far_segment, "is segment 5, the file has 5 segments"),
    HOSTILE_CHANGE(same_key, "occurs twice"),
    HOSTILE_CHANGE(far_delegate, "in segment 5, there are 5"),
    HOSTILE_CHANGE(foreign_delegate, "needs the backend QnnBackend (Qualcomm NPUs): export the model again"),
    HOSTILE_CHANGE(delegate_argument, "passes 1 arguments, delegate 0 takes 2"),
    HOSTILE_CHANGE(delegate_shape, "dimension 1 of argument 1 is 2, delegate 0 expects 3"),
    HOSTILE_CHANGE(delegate_type, "of type Byte, delegate 0 expects fp32"),
    HOSTILE_CHANGE(unknown_operator, "method \"forward\" calls the operator aten::frobnicate.out, which Wick does not have"),
    HOSTILE_CHANGE(torchao_operator,
                   "torchao::_linear_8bit_act_4bit_weight.out (made for ARM processors, weights in tiles of the torchao library)"),
};

void test_hostile_program(void **state) {
    (void)state;
    HOSTILE_RUN(cases);
}
