/* Odd programs: stock programs in which random operands, numbers, shapes and places were exchanged, as long as the program's checker still
 * accepts them. Raise gives a graph that passes its check, or says why not; it never crashes (run under the sanitizers too). */
#include "base/mem.h"
#include "raise/raise.h"
#include "support/support.h"

typedef struct odd {
    test_rng rng;
    wick_program *p;
    wick_program_method *m;
    wick_pte_method *pte;
} odd;

static uint32_t below(odd *o, uint32_t n) { return test_rng_below(&o->rng, n); }

static int32_t *some_arg(odd *o) {
    for (;;) {
        wick_pte_instr *n = &o->pte->instrs[below(o, o->pte->n_instr)];
        if (n->n_arg) return &n->args[below(o, n->n_arg)];
    }
}

/* Another EValue of the same kind. */
static void change_arg(odd *o) {
    int32_t *arg = some_arg(o);
    for (int i = 0; i < 100; i++) {
        int32_t other = (int32_t)below(o, o->pte->n_value);
        if (o->pte->values[other].kind != o->pte->values[*arg].kind || other == *arg) continue;
        *arg = other;
        return;
    }
}

static void change_number(odd *o) {
    static const int64_t numbers[] = {0, 1, 2, -1, 3, 7, 64, INT64_MAX, INT64_MIN, 1LL << 40};
    wick_pte_value *v = &o->pte->values[below(o, o->pte->n_value)];
    if (v->kind == WICK_EV_INT) v->i = numbers[below(o, 10)];
    if (v->kind == WICK_EV_BOOL) v->i = !v->i;
    if (v->kind == WICK_EV_INT_LIST && v->n) v->items[below(o, v->n)] = (int32_t)below(o, o->pte->n_value);
}

static void change_tensor(odd *o) {
    wick_pte_value *v = &o->pte->values[below(o, o->pte->n_value)];
    if (v->kind != WICK_EV_TENSOR) return;
    wick_pte_tensor *t = v->tensor;
    uint32_t what = below(o, 4);
    if (what == 0) t->memory_offset = below(o, 1 << 16) * 16;
    if (what == 1) t->dynamism = t->dynamism == WICK_STATIC ? WICK_DYNAMIC_BOUND : WICK_STATIC;
    if (what == 2 && t->rank) t->dims[below(o, (uint32_t)t->rank)] = (int32_t)(1 + below(o, 130));
    if (what == 3 && t->rank > 1) t->rank--;
}

static void change_order(odd *o) {
    uint32_t i = below(o, o->pte->n_instr), k = below(o, 2) ? below(o, o->pte->n_instr) : (i + 1) % o->pte->n_instr;
    wick_pte_instr t = o->pte->instrs[i];
    o->pte->instrs[i] = o->pte->instrs[k];
    o->pte->instrs[k] = t;
}

static void change_operator(odd *o) {
    wick_pte_instr *n = &o->pte->instrs[below(o, o->pte->n_instr)];
    if (n->kind == WICK_IK_KERNEL) n->index = (int32_t)below(o, o->pte->n_operator);
}

static void change_node(odd *o) {
    if (!o->pte->n_delegate) return;
    wick_xnn *x = &o->m->delegates[below(o, o->pte->n_delegate)];
    if (!x->n_node) return;
    wick_xnn_node *n = &x->nodes[below(o, x->n_node)];
    if (n->n_in) n->in[below(o, (uint32_t)n->n_in)] = below(o, x->n_value);
    if (below(o, 4) == 0 && n->n_list) n->list[below(o, (uint32_t)n->n_list)] = below(o, 9);
}

static bool is_valid(const odd *o) {
    if (wick_pte_check(&o->p->pte, "odd", 0, NULL) != WICK_OK) return false;
    for (uint32_t i = 0; i < o->pte->n_delegate; i++)
        if (wick_xnn_check(&o->m->delegates[i], "odd", NULL) != WICK_OK) return false;
    return true;
}

static void one(const char *file, uint64_t seed, int n_change, int *n_valid, int *n_raised) {
    static void (*const changes[])(odd *) = {change_arg, change_number, change_tensor, change_order, change_operator, change_node};
    odd o = {.rng = {seed * 0x9e3779b97f4a7c15u + 1}};
    wick_raised raised;
    wick_error why = {0};
    assert_ok(wick_program_open(test_data(file), NULL, &o.p, err));
    o.m = &o.p->methods[0];
    o.pte = &o.p->pte.methods[0];
    for (int i = 0; i < n_change; i++) changes[below(&o, 6)](&o);
    if (is_valid(&o)) {
        ++*n_valid;
        wick_status status = wick_raise(o.p, o.m, &raised, &why);
        if (status == WICK_OK) {
            ++*n_raised;
            assert_ok(wick_graph_check(raised.graph, err));
        } else if (status != WICK_EUNSUPPORTED) {
            fail_msg("%s, seed %llu: %s: %s", file, (unsigned long long)seed, wick_status_name(status), why.message);
        }
        wick_raised_release(&raised);
    }
    wick_program_close(o.p);
}

static void test_odd(void **state) {
    (void)state;
    static const char *const files[] = {"stock/st_8da4w_emb4.pte",    "stock/ty_qwen3.pte",          "stock/ty_phi4_fp32.pte",
                                        "stock/st_8da4w_sink.pte",    "stock/oe010_llama_q.pte",     "stock/oe010_llama_plain.pte",
                                        "stock/oe010_llama_both.pte", "stock/oe010_gemma3_both.pte", "stock/et060_kv.pte",
                                        "stock/oe010_olmo_q.pte",     "stock/oe010_phi3_q.pte",      "stock/oe110_llama_q.pte"};
    int n_valid = 0, n_raised = 0, n_seed = getenv("WICK_ODD_SEEDS") ? atoi(getenv("WICK_ODD_SEEDS")) : 150;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (int seed = 1; seed <= n_seed; seed++) one(files[i], (uint64_t)seed, 1 + seed % 4, &n_valid, &n_raised);
    assert_true(n_valid > n_seed && n_raised > n_seed / 4); /* otherwise the changes are of no use */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_odd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
