/* Lowering: the shape of the programs, the memory plan, names, metadata, and what happens when memory runs out. */
#include "export/lowered.h"

static const struct config {
    const char *name;
    bool quantized;
    wick_export_backend backend;
} configs[] = {
    {"fp32 portable", false, WICK_BACKEND_PORTABLE}, {"fp32 XNNPACK", false, WICK_BACKEND_XNNPACK}, {"8da4w", true, WICK_BACKEND_XNNPACK}};
enum { N_CONFIG = sizeof configs / sizeof *configs, S = 128, C = 300, L = 5 };

static void make(lowered *l, const struct config *c) {
    wick_recipe recipe = c->quantized ? recipe_8da4w(S, C) : recipe_fp32(S, C);
    wick_lower_options options = {.backend = c->backend};
    assert_ok(lowered_make(l, test_data(STORIES), &recipe, &options, err));
}

static const wick_xnn *delegate(const lowered *l, uint32_t i) {
    const wick_pte_delegate *d = &l->program.methods[0].delegates[i];
    return l->program.segments[d->index].xnn;
}

static int count_nodes(const wick_xnn *x, int op) {
    int n = 0;
    for (uint32_t i = 0; i < x->n_node; i++) n += x->nodes[i].op == op;
    return n;
}

/* ---------------------------------------------------------------- shape of the program */

static void programs_pass_the_checker(void **state) {
    (void)state;
    for (int i = 0; i < N_CONFIG; i++) {
        lowered l;
        make(&l, &configs[i]);
        assert_ok(wick_pte_check(&l.program, configs[i].name, WICK_CHECK_PLAN, err));
        lowered_release(&l);
    }
}

/* Four instructions per layer and ten around them; a delegate from attention to attention. */
static void layout_is_compact(void **state) {
    (void)state;
    for (int i = 1; i < N_CONFIG; i++) {
        lowered l;
        make(&l, &configs[i]);
        const wick_pte_method *m = &l.program.methods[0];
        assert_int_equal(m->n_instr, 4 * L + 10);
        assert_int_equal(m->n_delegate, L + 1);
        for (uint32_t k = 0; k <= L; k++) {
            const wick_xnn *x = delegate(&l, k);
            bool first = k == 0, last = k == L, q = configs[i].quantized;
            assert_int_equal(x->n_input, last ? 2 : first ? 3 : 4);
            assert_int_equal(x->n_extern, last ? 3 : first ? 6 : 8);
            /* fp32: QKV 17, REST 15, norm and head 6; quantized: one Convert for qkv, o, gate and up together, head (down stays float) */
            assert_int_equal(x->n_node, (first ? 17 : last ? 21 : 32) + q * (first ? 1 : 3));
            assert_int_equal(count_nodes(x, WICK_XNN_CONVERT), q * (first ? 1 : 3));
            assert_int_equal(count_nodes(x, WICK_XNN_RESHAPE), first || last ? 1 : 2);
        }
        lowered_release(&l);
    }
}

/* XNNPACK looks at one reader of a Convert and takes the others for its like. */
static void converts_feed_only_quantized_products(void **state) {
    (void)state;
    lowered l;
    make(&l, &configs[2]);
    int n_quantized = 0, n_float = 0;
    for (uint32_t k = 0; k <= L; k++) {
        const wick_xnn *x = delegate(&l, k);
        for (uint32_t i = 0; i < x->n_node; i++) {
            if (x->nodes[i].op != WICK_XNN_FULLY_CONNECTED) continue;
            const wick_xnn_value *in = &x->values[x->nodes[i].in[0]], *w = &x->values[x->nodes[i].in[1]];
            assert_int_equal(in->dtype == WICK_XD_QDINT8, w->dtype == WICK_XD_QBINT4);
            if (w->dtype == WICK_XD_QBINT4) assert_int_equal(w->n_scale, w->dims[0] * w->dims[1] / 32);
            n_quantized += w->dtype == WICK_XD_QBINT4;
            n_float += w->dtype == WICK_XD_FP32 && w->dims[0] > 1;
        }
    }
    assert_int_equal(n_quantized, 4 * L + 1); /* qkv, o, gate, up; head */
    assert_int_equal(n_float, L);             /* down: 172 is not a multiple of 32 */
    lowered_release(&l);
}

static void tied_table_is_stored_once_when_portable(void **state) {
    (void)state;
    lowered l;
    make(&l, &configs[0]);
    uint64_t expected = 0;
    const wick_container *c = l.checkpoint->container;
    for (size_t i = 0; i < c->n_tensor; i++) expected += c->tensors[i].size;
    expected += 2 * C * 8 * sizeof(float); /* two rope tables as wide as a head */
    uint64_t size = l.program.segments[0].size;
    assert_true(size >= expected && size < expected + 64 * l.program.constants.n);
    lowered_release(&l);
}

/* ---------------------------------------------------------------- names */

static void keys_are_readable_and_unique(void **state) {
    (void)state;
    lowered l;
    make(&l, &configs[2]);
    const wick_pte *p = &l.program;
    int n_fill = 0;
    for (uint32_t i = 0; i < p->n_named; i++) {
        assert_int_equal(p->named[i].hash_size, 16);
        assert_non_null(strchr(p->named[i].key, '.'));
        n_fill += strncmp(p->named[i].key, "fill.", 5) == 0;
        for (uint32_t k = 0; k < i; k++) assert_string_not_equal(p->named[i].key, p->named[k].key);
    }
    assert_int_equal(n_fill, 2); /* 1/64 and eps: shared by all eleven norms */
    bool found = false;
    for (uint32_t i = 0; i < p->n_named; i++) found |= strncmp(p->named[i].key, "layers.3.wq+layers.3.wk+layers.3.wv.", 36) == 0;
    assert_true(found);
    lowered_release(&l);
}

/* ---------------------------------------------------------------- memory plan */

typedef struct life {
    uint64_t offset, size;
    int64_t first, last;
} life;

/* Lives as the instructions show them, without what the planner thought. */
static size_t lives_of(const wick_pte_method *m, life *out, uint64_t *state_size) {
    size_t n = 0;
    *state_size = 0;
    for (uint32_t v = 0; v < m->n_value; v++) {
        const wick_pte_tensor *t = m->values[v].kind == WICK_EV_TENSOR ? m->values[v].tensor : NULL;
        uint64_t n_element, size;
        if (!t || !t->memory_id) continue;
        assert_true(wick_pte_tensor_size(t, &n_element, &size));
        assert_int_equal(t->memory_id, 1);
        assert_int_equal(t->memory_offset % 64, 0);
        assert_true(t->memory_offset + size <= (uint64_t)m->arena_sizes[1]);
        life l = {t->memory_offset, size, INT64_MAX, -1};
        for (uint32_t i = 0; i < m->n_instr; i++)
            for (uint32_t a = 0; a < m->instrs[i].n_arg; a++) {
                const wick_pte_value *arg = &m->values[m->instrs[i].args[a]];
                bool used = m->instrs[i].args[a] == (int32_t)v;
                for (uint32_t k = 0; arg->kind == WICK_EV_TENSOR_LIST && k < arg->n; k++) used |= arg->items[k] == (int64_t)v;
                if (used && l.first == INT64_MAX) l.first = i;
                if (used) l.last = i;
            }
        if (t->rank == 4 && t->dynamism == WICK_STATIC && t->dims[1] == C) { /* a cache */
            l.first = 0, l.last = INT64_MAX;
            *state_size += size;
        }
        out[n++] = l;
    }
    return n;
}

static void plan_is_sound_and_tight(void **state) {
    (void)state;
    for (int c = 0; c < N_CONFIG; c++) {
        lowered l;
        make(&l, &configs[c]);
        const wick_pte_method *m = &l.program.methods[0];
        static life lives[4096];
        uint64_t state_size, busiest = 0;
        size_t n = lives_of(m, lives, &state_size);
        assert_int_equal(state_size, 2 * L * C * 4 * 8 * sizeof(float));
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < i; k++) {
                const life *a = &lives[i], *b = &lives[k];
                if (a->last >= b->first && b->last >= a->first)
                    assert_true(a->offset + a->size <= b->offset || b->offset + b->size <= a->offset);
            }
        for (uint32_t i = 0; i < m->n_instr; i++) {
            uint64_t alive = 0;
            for (size_t k = 0; k < n; k++)
                if (lives[k].first <= i && i <= lives[k].last) alive += lives[k].size;
            busiest = alive > busiest ? alive : busiest;
        }
        assert_true((double)m->arena_sizes[1] <= 1.1 * (double)busiest + 4096);
        lowered_release(&l);
    }
}

/* ---------------------------------------------------------------- metadata */

static void metadata_is_merged(void **state) {
    (void)state;
    wick_metadata_list list = {0};
    const int64_t eos[] = {2, 7};
    assert_ok(wick_metadata_set_ints(&list, "get_eos_ids", WICK_METADATA_INT, eos, 2, err));
    assert_ok(wick_metadata_set_json(
        &list, "{\"get_bos_id\": 1, \"get_eos_ids\": [3], \"name\": \"x\", \"scale\": 0.5, \"use_kv_cache\": true, \"get_n_layers\": 7}",
        err));
    wick_recipe recipe = recipe_fp32(S, C);
    wick_lower_options options = {.backend = WICK_BACKEND_XNNPACK, .metadata = &list};
    lowered l;
    assert_ok(lowered_make(&l, test_data(STORIES), &recipe, &options, err));
    const wick_pte_value *v[4];
    assert_int_equal(wick_pte_metadata(&l.program, "get_max_seq_len", v, 4), 1);
    assert_int_equal(v[0]->i, S);
    assert_int_equal(wick_pte_metadata(&l.program, "get_max_context_len", v, 4), 1);
    assert_int_equal(v[0]->i, C);
    assert_int_equal(wick_pte_metadata(&l.program, "get_eos_ids", v, 4), 1);
    assert_int_equal(v[0]->i, 3);
    assert_int_equal(wick_pte_metadata(&l.program, "get_n_layers", v, 4), 1);
    assert_int_equal(v[0]->i, 7);
    assert_int_equal(wick_pte_metadata(&l.program, "scale", v, 4), 1);
    assert_true(v[0]->kind == WICK_EV_DOUBLE && v[0]->d == 0.5);
    assert_int_equal(wick_pte_metadata(&l.program, "name", v, 4), 1);
    assert_string_equal(v[0]->s, "x");
    assert_int_equal(wick_pte_metadata(&l.program, "use_kv_cache", v, 4), 1);
    assert_true(v[0]->kind == WICK_EV_BOOL && v[0]->i);
    lowered_release(&l);
    wick_metadata_release(&list);
}

static void bad_metadata_is_an_error(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "[1]",
                                      "{",
                                      "{\"a\": null}",
                                      "{\"a\": {}}",
                                      "{\"a\": [1, \"x\"]}",
                                      "{\"forward\": 1}",
                                      "{\"\": 1}",
                                      "{\"a\": 1, \"a\": 2}",
                                      "{\"a\": [1.5]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wick_metadata_list list = {0};
        wick_error err = {0};
        assert_int_equal(wick_metadata_set_json(&list, bad[i], &err), WICK_EFORMAT);
        assert_true(err.message[0]);
        wick_metadata_release(&list);
    }
}

/* ---------------------------------------------------------------- what cannot be lowered */

static void refused(wick_graph *g, wick_export_backend backend, const char *words) {
    wick_lower_options options = {.backend = backend};
    wick_pte p = {0};
    wick_error err = {0};
    assert_int_equal(wick_lower(g, &options, &p, &err), WICK_EUNSUPPORTED);
    if (!strstr(err.message, words)) fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void unknown_ops_are_refused_by_name(void **state) {
    (void)state;
    for (int c = 0; c < N_CONFIG; c++) {
        lowered l;
        make(&l, &configs[c]);
        for (size_t i = 0; i < l.graph->n_node; i++) {
            wick_node *n = &l.graph->nodes[i], before = *n;
            if (n->op == WICK_OP_attention) {
                n->attrs.attention.window = 16;
                refused(l.graph, configs[c].backend, "window");
            } else if (n->op == WICK_OP_glu) {
                n->attrs.act.act = WICK_ACT_GELU;
                refused(l.graph, configs[c].backend, "silu");
            } else if (n->op == WICK_OP_rope) {
                n->attrs.rope.style = WICK_ROPE_INTERLEAVED;
                refused(l.graph, configs[c].backend, "rope");
                *n = before;
                n->attrs.rope.wrap = (wick_wrap){4, 8};
                refused(l.graph, configs[c].backend, "go around");
            } else if (n->op == WICK_OP_rmsnorm) {
                n->op = WICK_OP_hadamard;
                refused(l.graph, configs[c].backend, "hadamard");
            }
            *n = before;
        }
        lowered_release(&l);
    }
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    for (int c = 0; c < N_CONFIG; c++) {
        wick_recipe recipe = configs[c].quantized ? recipe_8da4w(S, C) : recipe_fp32(S, C);
        wick_lower_options options = {.backend = configs[c].backend};
        uint64_t live = wick_mem_stats_get().n_live;
        wick_status status = WICK_ENOMEM;
        for (uint64_t n = 1; status != WICK_OK; n++) {
            lowered l;
            wick_error err = {0};
            wick_mem_fail_at(n);
            status = lowered_make(&l, test_data(STORIES), &recipe, &options, &err);
            wick_mem_fail_at(0);
            if (status == WICK_OK)
                lowered_release(&l);
            else
                assert_int_equal(status, WICK_ENOMEM);
            assert_int_equal(wick_mem_stats_get().n_live, live);
            assert_true(n < 100000);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_pass_the_checker),
        cmocka_unit_test(layout_is_compact),
        cmocka_unit_test(converts_feed_only_quantized_products),
        cmocka_unit_test(tied_table_is_stored_once_when_portable),
        cmocka_unit_test(keys_are_readable_and_unique),
        cmocka_unit_test(plan_is_sound_and_tight),
        cmocka_unit_test(metadata_is_merged),
        cmocka_unit_test(bad_metadata_is_an_error),
        cmocka_unit_test(unknown_ops_are_refused_by_name),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
