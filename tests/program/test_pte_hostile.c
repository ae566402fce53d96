/* Files that lie: one per way in which loaders of such programs were broken (the fixed vulnerabilities of the stock runtime and of
 * other model loaders) and one per check of the readers, each refused with a sentence that says what is wrong. The parts:
 * pte_hostile_*.c. Here: what only the writer's checker refuses. */
#include "pte_hostile.h"

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

static wick_pte_tensor *tensor(wick_pte *p, int value) { return p->methods[0].values[value].tensor; }

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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_program), cmocka_unit_test(test_hostile_bytes),    cmocka_unit_test(test_hostile_fields),
        cmocka_unit_test(test_hostile_structs), cmocka_unit_test(test_hostile_payload),  cmocka_unit_test(test_hostile_shapes),
        cmocka_unit_test(test_hostile_data),    cmocka_unit_test(test_hostile_external), cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
