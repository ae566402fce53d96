/* Structs that no file can become, or hardly: the writer is given them too, and relies on the same checks. And the calling
 * convention, operator by operator. */
#include "pte_hostile.h"

#include "base/limits.h"

typedef void change_fn(wick_pte *p);

static void refuse(const char *name, change_fn *change, const char *sentence) {
    wick_pte p;
    wick_error err = {0};
    assert_true(small_program(&p, 0));
    wick_pte_method m = p.methods[0];
    wick_pte_delegate delegate = m.delegates[0];
    wick_pte_operator operators[4] = {m.operators[0], m.operators[1], m.operators[2], {"aten::topk", "values"}};
    m.delegates = &delegate, m.operators = operators;
    p.methods[0] = m;
    change(&p);
    wick_status status = wick_pte_verify(&p, "bad.pte", &err);
    if (status == WICK_OK) status = wick_pte_check(&p, "bad.pte", 0, &err);
    if (!sentence && status != WICK_OK) fail_msg("%s: %s", name, err.message);
    if (sentence && status == WICK_OK) fail_msg("%s was accepted", name);
    if (sentence && !strstr(err.message, sentence)) fail_msg("%s: \"%s\" does not say \"%s\"", name, err.message, sentence);
    wick_pte_release(&p);
}

static wick_pte_tensor *tensor(wick_pte *p, int value) { return p->methods[0].values[value].tensor; }
static wick_pte_instr *instr(wick_pte *p, int i) { return &p->methods[0].instrs[i]; }

/* ---------------------------------------------------------------- indices and names */

static char long_name[WICK_MAX_KEY + 2];

static void no_tensor(wick_pte *p) { p->methods[0].values[SMALL_T].tensor = NULL; }
static void rank_negative(wick_pte *p) { tensor(p, SMALL_T)->rank = -1; }
static void rank_large(wick_pte *p) { tensor(p, SMALL_T)->rank = WICK_MAX_RANK + 1; }
static void unknown_type(wick_pte *p) { tensor(p, SMALL_T)->scalar_type = 9; }
static void order_far(wick_pte *p) { tensor(p, SMALL_T)->dim_order[1] = 2; }
static void operator_negative(wick_pte *p) { instr(p, 2)->index = -1; }
static void delegate_negative(wick_pte *p) { instr(p, 3)->index = -1; }
static void delegate_far(wick_pte *p) { instr(p, 3)->index = 1; }
static void unknown_instr(wick_pte *p) { instr(p, 2)->kind = (wick_instr_kind)9; }
static void condition_negative(wick_pte *p) { instr(p, 5)->index = -1; }
static void inline_far(wick_pte *p) { p->methods[0].delegates[0].inline_data = true, p->methods[0].delegates[0].index = 0; }
static void method_unnamed(wick_pte *p) { p->methods[0].name = ""; }
static void method_long(wick_pte *p) { p->methods[0].name = long_name; }
static void method_limit(wick_pte *p) { p->methods[0].name = long_name + 1; }
static void methods_none(wick_pte *p) { p->n_method = 0; }
static void methods_same(wick_pte *p) { p->methods[1].name = "forward"; }
static void methods_many(wick_pte *p) {
    wick_pte_method *all = wick_pte_alloc(p, WICK_MAX_METHODS + 1, sizeof *all);
    assert_non_null(all);
    for (int i = 0; i <= WICK_MAX_METHODS; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%d", i);
        all[i] = p->methods[1];
        all[i].name = wick_pte_strdup(p, name, strlen(name));
    }
    p->methods = all, p->n_method = WICK_MAX_METHODS + 1;
}
static void key_empty(wick_pte *p) { p->named[1].key[0] = 0; }
static void key_long(wick_pte *p) { p->named[1].key = long_name; }

/* ---------------------------------------------------------------- the calling convention */

static int32_t args[16];
static wick_pte_instr *call(wick_pte *p, int32_t op, uint32_t n, const int32_t *from) {
    memcpy(args, from, n * sizeof *args);
    instr(p, 2)->index = op, instr(p, 2)->n_arg = n, instr(p, 2)->args = args;
    return instr(p, 2);
}
/* topk(x, k, dim, largest, sorted, out values, out indices, the list of both): three tensors and a list in the table. */
static void topk(wick_pte *p) {
    p->methods[0].n_operator = 4;
    p->methods[0].values[17].items[0] = SMALL_T, p->methods[0].values[17].items[1] = SMALL_U;
    call(p, 3, 8, (int32_t[]){SMALL_X, SMALL_I1, SMALL_I0, SMALL_FLAG, SMALL_FLAG, SMALL_T, SMALL_U, 17});
}
static void topk_one(wick_pte *p) { topk(p), args[7] = SMALL_U; }
static void topk_short(wick_pte *p) { topk(p), p->methods[0].values[17].n = 1; }
static void topk_optional(wick_pte *p) { topk(p), p->methods[0].values[17].kind = WICK_EV_OPTIONAL_TENSOR_LIST; }
static void topk_other(wick_pte *p) { topk(p), p->methods[0].values[17].items[0] = SMALL_Y; }
static void topk_constant(wick_pte *p) { topk(p), args[6] = SMALL_C, p->methods[0].values[17].items[1] = SMALL_C; }
static void too_many(wick_pte *p) { call(p, 2, 6, (int32_t[]){SMALL_X, SMALL_C, SMALL_I1, SMALL_T, SMALL_T, SMALL_T}); }
static void prim_few(wick_pte *p) { instr(p, 1)->n_arg = 2; }
static void prim_tensor(wick_pte *p) { instr(p, 1)->args[0] = SMALL_X; }
static void prim_list(wick_pte *p) { instr(p, 0)->args[2] = SMALL_INTS; }
static void prim_null(wick_pte *p) { instr(p, 0)->args[0] = 12; }
static void call_no_memory(wick_pte *p) { tensor(p, SMALL_U)->memory_id = 0; }
static void move(wick_pte *p, int32_t from, int32_t to) {
    *instr(p, 5) = (wick_pte_instr){.kind = WICK_IK_MOVE, .index = from, .target = to};
}
static void move_tensor(wick_pte *p) { move(p, SMALL_X, SMALL_N); }
static void move_list(wick_pte *p) { move(p, SMALL_INTS, 17); }
static void move_number(wick_pte *p) { move(p, SMALL_N, SMALL_FLAG); }
static void move_negative(wick_pte *p) { move(p, SMALL_N, -1); }
static void free_tensor(wick_pte *p) { *instr(p, 5) = (wick_pte_instr){.kind = WICK_IK_FREE, .index = SMALL_T}; }
static void free_negative(wick_pte *p) { *instr(p, 5) = (wick_pte_instr){.kind = WICK_IK_FREE, .index = -1}; }
static void jump_by_double(wick_pte *p) { instr(p, 5)->index = 13; }
/* A tensor that nothing gives memory: an operand, a condition. */
static void bare_operand(wick_pte *p) { *tensor(p, SMALL_C) = (wick_pte_tensor){.scalar_type = WICK_ST_FLOAT, .rank = 1, .dims = {4}}; }
static void bare_condition(wick_pte *p) {
    tensor(p, SMALL_M)->memory_id = tensor(p, SMALL_M)->data_buffer_idx = 0, instr(p, 5)->index = SMALL_M, p->methods[0].n_instr = 6,
              instr(p, 5)->target = 6, instr(p, 4)->args[1] = SMALL_X;
}

void test_hostile_structs(void **state) {
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
#define REFUSE(fn, sentence) refuse(#fn, fn, sentence)
    REFUSE(no_tensor, "value 2: the type, rank or dim_order");
    REFUSE(rank_negative, "value 2: the type, rank or dim_order");
    REFUSE(rank_large, "value 2: the type, rank or dim_order");
    REFUSE(unknown_type, "value 2: the type, rank or dim_order");
    REFUSE(order_far, "value 2: the type, rank or dim_order");
    REFUSE(operator_negative, "names operator -1, there are 3");
    REFUSE(delegate_negative, "names delegate -1, there are 1");
    REFUSE(delegate_far, "names delegate 1, there are 1");
    REFUSE(unknown_instr, "instruction 2 is of unknown kind 9");
    REFUSE(condition_negative, "names value -1, there are 20");
    REFUSE(inline_far, "in inline blob 0, there are 0");
    REFUSE(method_unnamed, "a method has a name of 0 bytes");
    REFUSE(method_long, "a method has a name of 4097 bytes");
    REFUSE(method_limit, NULL);
    REFUSE(methods_none, "the program has 0 methods");
    REFUSE(methods_many, "the program has 257 methods");
    REFUSE(methods_same, "two methods are called \"forward\"");
    REFUSE(key_empty, "named data \"\" is segment 4");
    REFUSE(key_long, "is segment 4, the file has 5 segments");
    REFUSE(topk, NULL);
    REFUSE(topk_one, "does not repeat the result");
    REFUSE(topk_short, "does not repeat the result");
    REFUSE(topk_optional, "does not repeat the result");
    REFUSE(topk_other, "does not repeat the result");
    REFUSE(topk_constant, "writes tensor 5, which is a constant");
    REFUSE(too_many, "has 6 arguments, expected 5");
    REFUSE(prim_few, "instruction 1 (executorch_prim::eq.Scalar) has 2 arguments");
    REFUSE(prim_tensor, "argument 0 is a tensor (value 0), expected a number");
    REFUSE(prim_list, "argument 2 is a list of integers (value 11), expected an integer");
    REFUSE(prim_null, "argument 0 is null (value 12), expected a tensor");
    REFUSE(call_no_memory, "instruction 3 (a delegate) uses tensor 3, which has no memory");
    REFUSE(move_tensor, "moves a tensor into an integer");
    REFUSE(move_list, "moves a list of integers into a list of tensors");
    REFUSE(move_number, NULL);
    REFUSE(move_negative, "names value -1");
    REFUSE(free_tensor, NULL);
    REFUSE(free_negative, "names value -1");
    REFUSE(jump_by_double, "jumps by a double");
    REFUSE(bare_operand, "instruction 2 (aten::add.out) uses tensor 5, which has no memory");
    REFUSE(bare_condition, "instruction 5 (a jump) uses tensor 4, which has no memory");
#undef REFUSE
}
