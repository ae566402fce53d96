/* graph: building, the rules of ops, the canonical order, the printed form. */
#include "base/mem.h"
#include "graph/graph.h"
#include "support/support.h"

enum { DIM = 8, HEADS = 2, D = 4, CONTEXT = 16, VOCAB = 10, FFN = 12 };
static const float bytes[4096];

static wick_value_id constant(wick_graph *g, int rank, int64_t n, int64_t k) {
    wick_part part = {.n_row = n, .data = wick_source_resident(bytes, (uint64_t)(n * k * 4))};
    return wick_graph_const(g, WICK_F32, rank, (int64_t[]){n, k}, (wick_scheme){0}, &part, 1);
}
static wick_value_id op(wick_graph *g, wick_op kind, wick_attrs attrs, int n, const wick_value_id *in) {
    return wick_graph_op(g, kind, attrs, in, n);
}
#define OP(kind, attrs, ...)                                                                                                               \
    op(g, WICK_OP_##kind, attrs, (int)(sizeof((wick_value_id[]){__VA_ARGS__}) / sizeof(wick_value_id)), (wick_value_id[]){__VA_ARGS__})
#define ATTRS(...) ((wick_attrs){__VA_ARGS__})
#define PLAIN      ((wick_attrs){.linear = {0}})

/* One layer of a small transformer. Three independent things are added in an order that the seed chooses, with dead nodes between. */
static void build(wick_graph *g, uint64_t seed) {
    test_rng rng = {seed};
    g->tokens = wick_graph_input(g, WICK_I64, 1, (wick_dim[]){wick_dim_s()});
    g->n_vocab = VOCAB;
    wick_value_id x = OP(embedding, PLAIN, g->tokens, constant(g, 2, VOCAB, DIM));
    wick_value_id n = OP(rmsnorm, ATTRS(.norm = {1e-5f, 1, false}), x, constant(g, 1, DIM, 1));
    wick_value_id qkv = OP(linear, PLAIN, n, constant(g, 2, 3 * DIM, DIM), -1);
    wick_value_id part[3] = {-1, -1, -1};
    for (int left = 3; left;) {
        int i = (int)test_rng_below(&rng, 3);
        if (part[i] >= 0) continue;
        if (test_rng_below(&rng, 2)) OP(scale, ATTRS(.scale = {2.0f}), x);
        part[i] = OP(split, ATTRS(.split = {i * DIM, DIM}), qkv);
        if (i < 2) {
            wick_value_id cos = constant(g, 2, CONTEXT, D / 2), sin = constant(g, 2, CONTEXT, D / 2);
            part[i] = OP(rope, ATTRS(.rope = {WICK_ROPE_HALF, HEADS, D, {0}}), part[i], cos, sin);
        }
        left--;
    }
    wick_value_id kc = wick_graph_state(g, WICK_F32, 3, (int64_t[]){CONTEXT, HEADS, D});
    wick_value_id vc = wick_graph_state(g, WICK_F32, 3, (int64_t[]){CONTEXT, HEADS, D});
    wick_attrs attention = ATTRS(.attention = {HEADS, HEADS, D, 0.5f, 0, 0, 0, false});
    bool early = test_rng_below(&rng, 2);
    wick_value_id last = early ? OP(last_row, PLAIN, x) : -1;
    wick_value_id att = OP(attention, attention, OP(last_row, PLAIN, part[0]), part[1], part[2], kc, vc);
    if (!early) last = OP(last_row, PLAIN, x);
    wick_value_id h = OP(add, PLAIN, last, OP(linear, PLAIN, att, constant(g, 2, DIM, DIM), -1));
    wick_value_id up =
        OP(linear, PLAIN, OP(rmsnorm, ATTRS(.norm = {1e-6f, 1, false}), h, constant(g, 1, DIM, 1)), constant(g, 2, 2 * FFN, DIM), -1);
    wick_value_id y = OP(linear, PLAIN, OP(glu, ATTRS(.act = {WICK_ACT_SILU}), up), constant(g, 2, DIM, FFN), -1);
    g->logits = OP(linear, PLAIN, OP(add, PLAIN, h, y), constant(g, 2, VOCAB, DIM), -1);
}

static const char *const expected =
    "%0: i64[S] = tokens\n"
    "%1: f32[S,8] = embedding(%0, table f32[10,8])\n"
    "%2: f32[1,8] = last_row(%1)\n"
    "%3: f32[S,8] = rmsnorm(%1, w f32[8]) eps=1e-05\n"
    "%4: f32[S,24] = linear(%3, w f32[24,8])\n"
    "%5: f32[S,8] = split(%4) start=0 count=8\n"
    "%6: f32[S,8] = rope(%5, cos f32[16,2], sin f32[16,2]) style=half heads=2 rotary=4\n"
    "%7: f32[1,8] = last_row(%6)\n"
    "%8: f32[S,8] = split(%4) start=8 count=8\n"
    "%9: f32[S,8] = rope(%8, cos f32[16,2], sin f32[16,2]) style=half heads=2 rotary=4\n"
    "%10: f32[S,8] = split(%4) start=16 count=8\n"
    "%11: f32[1,8] = attention(%7, %9, %10, kcache s0 f32[16,2,4], vcache s1 f32[16,2,4]) heads=2 kv_heads=2 d_head=4 scale=0.5\n"
    "%12: f32[1,8] = linear(%11, w f32[8,8])\n"
    "%13: f32[1,8] = add(%2, %12)\n"
    "%14: f32[1,8] = rmsnorm(%13, w f32[8]) eps=1e-06\n"
    "%15: f32[1,24] = linear(%14, w f32[24,8])\n"
    "%16: f32[1,12] = glu(%15) act=silu\n"
    "%17: f32[1,8] = linear(%16, w f32[8,12])\n"
    "%18: f32[1,8] = add(%13, %17)\n"
    "%19: f32[1,10] = linear(%18, w f32[10,8])\n"
    "return %19\n";

static char *printed(const wick_graph *g) {
    wick_strbuf text = {0};
    wick_graph_print(g, &text);
    return wick_strbuf_take(&text, NULL);
}

/* The canonical form does not depend on the order of building, and making it canonical twice changes nothing. */
static void test_canonical_order(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        wick_graph *g = NULL;
        assert_ok(wick_graph_new(&g, err));
        build(g, seed * 7919);
        assert_ok(wick_graph_check(g, err));
        for (int i = 0; i < 2; i++) {
            assert_ok(wick_graph_canonicalize(g, err));
            assert_ok(wick_graph_check(g, err));
            char *text = printed(g);
            assert_string_equal(text, expected);
            wick_free(text);
        }
        wick_graph_free(g);
    }
}

static void test_rewriting(void **state) {
    (void)state;
    wick_graph *g = NULL;
    assert_ok(wick_graph_new(&g, err));
    g->tokens = wick_graph_input(g, WICK_I64, 1, (wick_dim[]){wick_dim_s()});
    wick_value_id x = OP(embedding, PLAIN, g->tokens, constant(g, 2, VOCAB, DIM));
    wick_value_id a = OP(scale, ATTRS(.scale = {2.0f}), x), b = OP(scale, ATTRS(.scale = {3.0f}), a);
    wick_value_id c = OP(add, PLAIN, b, b);
    g->logits = c;
    assert_int_equal(wick_graph_n_use(g, b), 1); /* one node, though it reads b twice */
    assert_int_equal(wick_graph_n_use(g, c), 1);
    wick_graph_replace(g, b, a);
    assert_int_equal(wick_graph_n_use(g, b), 0);
    wick_graph_sweep(g);
    assert_true(g->nodes[g->values[b].producer].dead);
    assert_false(g->nodes[g->values[a].producer].dead);
    wick_graph_replace(g, c, x);
    assert_int_equal(g->logits, x);
    assert_ok(wick_graph_canonicalize(g, err));
    assert_int_equal(g->n_node, 1);
    /* a node that needs itself */
    a = OP(scale, ATTRS(.scale = {2.0f}), g->logits);
    g->nodes[g->values[g->logits].producer].in[0] = a;
    assert_int_equal(wick_graph_canonicalize(g, NULL), WICK_EINTERNAL);
    wick_graph_free(g);
}

/* Fine ops keep the program's order, and stay while they write state. */
static void test_fine_order(void **state) {
    (void)state;
    wick_graph *g = NULL;
    assert_ok(wick_graph_new(&g, err));
    wick_dim d[] = {wick_dim_s(), wick_dim_const(DIM)};
    g->tokens = wick_graph_input(g, WICK_I64, 1, d);
    g->n_vocab = DIM;
    wick_value_id s = wick_graph_state(g, WICK_F32, 2, (int64_t[]){4, DIM});
    wick_value_id x = OP(embedding, PLAIN, g->tokens, constant(g, 2, VOCAB, DIM));
    wick_value_id late = wick_graph_fine(g, WICK_OP_f_other, PLAIN, (wick_value_id[]){x, s}, 2, WICK_F32, 2, d, (wick_origin){9, -1});
    wick_value_id write = wick_graph_fine(g, WICK_OP_f_other, PLAIN, (wick_value_id[]){s, x}, 2, WICK_F32, 2, d, (wick_origin){12, -1});
    g->values[write].kind = WICK_VALUE_STATE;
    g->nodes[g->values[write].producer].writes_state = true;
    wick_value_id many[10];
    for (int i = 0; i < 10; i++) many[i] = late;
    wick_value_id first = wick_graph_fine(g, WICK_OP_f_other, PLAIN, &s, 1, WICK_F32, 2, d, (wick_origin){3, 1});
    g->logits = wick_graph_fine(g, WICK_OP_f_cat, ATTRS(.fine = {.axis = 1}), many, 10, WICK_F32, 2, d, (wick_origin){10, 0});
    wick_graph_fine(g, WICK_OP_f_neg, PLAIN, &first, 1, WICK_F32, 2, d, (wick_origin){11, 0});
    assert_ok(wick_graph_check(g, err));
    assert_ok(wick_graph_canonicalize(g, err));
    char *text = printed(g);
    assert_string_equal(text, "%0: i64[S] = tokens\n"
                              "%1: f32[S,8] = embedding(%0, table f32[10,8])\n"
                              "%2: f32[S,8] = f_other(%1, s0 f32[4,8]) @9\n"
                              "%3: f32[S,8] = f_cat(%2, %2, %2, %2, %2, %2, %2, %2, %2, %2) axis=1 @10.0\n"
                              "s1: f32[S,8] = f_other(s0 f32[4,8], %1) @12\n"
                              "return %3\n");
    wick_free(text);
    wick_graph_free(g);
}

static void refuse(wick_graph *g, wick_value_id v, const char *why) {
    wick_error err = {0};
    assert_int_equal(g->values[v].rank, 0);
    assert_int_not_equal(wick_graph_check(g, &err), WICK_OK);
    if (!strstr(err.message, why)) fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    g->n_node--;
    g->n_value--; /* the last one added was the refused one */
}

static void test_rules(void **state) {
    (void)state;
    wick_graph *g = NULL;
    assert_ok(wick_graph_new(&g, err));
    build(g, 5);
    wick_value_id x = 2, w = constant(g, 2, 4, DIM + 1), flat = constant(g, 1, DIM, 1);
    assert_int_equal(g->values[x].rank, 2);
    refuse(g, OP(linear, PLAIN, x, w, -1), "differ in K");
    refuse(g, OP(linear, PLAIN, x, flat, -1), "w is not");
    refuse(g, OP(linear, PLAIN, x, -1, -1), "w is not");
    refuse(g, OP(rmsnorm, ATTRS(.norm = {1e-5f, 3, false}), x, -1), "groups");
    refuse(g, OP(rmsnorm, ATTRS(.norm = {1e-5f, 2, false}), x, flat), "[D]");
    refuse(g, OP(split, ATTRS(.split = {DIM - 1, 2}), x), "columns");
    refuse(g, OP(split, ATTRS(.split = {INT64_MAX, 2}), x), "columns");
    refuse(g, OP(rope, ATTRS(.rope = {WICK_ROPE_HALF, HEADS, 3, {0}}), x, w, w), "even");
    refuse(g, OP(rope, ATTRS(.rope = {WICK_ROPE_HALF, HEADS, D, {4, 0}}), x, w, w), "wrap around nothing");
    refuse(g, OP(add, PLAIN, x, w), "neither");
    refuse(g, OP(attention, ATTRS(.attention = {3, 2, D, 1, 0, 0, 0, 0}), x, x, x, -1, -1), "multiple");
    refuse(g, OP(attention, ATTRS(.attention = {2, 2, D, 1, 0, 0, 0, 0}), x, x, x, w, -1), "cache");
    wick_graph_free(g);
}

/* A constant whose parts do not hold its rows. */
static void test_constants(void **state) {
    (void)state;
    static const int32_t map[] = {1, 0, 5};
    const struct {
        wick_scheme scheme;
        wick_part part;
        int64_t n, k;
        bool ok;
    } cases[] = {
        {{0}, {.n_row = 3, .data = {.size = 3 * 4 * 4}}, 3, 4, true},
        {{0}, {.n_row = 3, .data = {.size = 3 * 4 * 4 - 1}}, 3, 4, false},
        {{0}, {.n_row = 2, .data = {.size = 3 * 4 * 4}}, 3, 4, false},
        {{0}, {.n_row = 3, .data = {.size = 2 * 32 + 16}, .row_stride = 32}, 3, 4, true},
        {{0}, {.n_row = 3, .data = {.size = 3 * 16}, .row_stride = 32}, 3, 4, false},
        {{0}, {.n_row = 3, .data = {.size = 6 * 16}, .row_map = map}, 3, 4, true},
        {{0}, {.n_row = 3, .data = {.size = 5 * 16}, .row_map = map}, 3, 4, false},
        {{WICK_SCHEME_INT, 4, 32, WICK_BF16, WICK_PACK_LOW_FIRST}, {.n_row = 3, .data = {.size = 96}, .scales = {.size = 12}}, 3, 64, true},
        {{WICK_SCHEME_INT, 4, 32, WICK_BF16, WICK_PACK_LOW_FIRST},
         {.n_row = 3, .data = {.size = 96}, .scales = {.size = 11}},
         3,
         64,
         false},
        {{WICK_SCHEME_INT, 4, 48, WICK_BF16, WICK_PACK_LOW_FIRST},
         {.n_row = 3, .data = {.size = 96}, .scales = {.size = 12}},
         3,
         64,
         false},
        {{WICK_SCHEME_INT, 8, 0, WICK_F32, WICK_PACK_BYTE}, {.n_row = 3, .data = {.size = 21}, .scales = {.size = 12}}, 3, 7, true},
        {{WICK_SCHEME_INT, 4, 0, WICK_F32, WICK_PACK_LOW_FIRST}, {.n_row = 3, .data = {.size = 21}, .scales = {.size = 12}}, 3, 7, false},
        {{WICK_SCHEME_INT, 8, 0, WICK_F32, WICK_PACK_BYTE}, {.n_row = 3, .data = {.size = 20}, .scales = {.size = 12}}, 3, 7, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wick_graph *g = NULL;
        assert_ok(wick_graph_new(&g, err));
        build(g, 1);
        wick_graph_const(g, WICK_F32, 2, (int64_t[]){cases[i].n, cases[i].k}, cases[i].scheme, &cases[i].part, 1);
        if ((wick_graph_check(g, NULL) == WICK_OK) != cases[i].ok) fail_msg("case %zu", i);
        wick_graph_free(g);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    wick_mem_stats before = wick_mem_stats_get();
    for (uint64_t n = 1;; n++) {
        wick_graph *g = NULL;
        wick_strbuf text = {0};
        wick_mem_fail_at(n);
        wick_status status = wick_graph_new(&g, NULL);
        if (status == WICK_OK) {
            build(g, 3);
            status = wick_graph_canonicalize(g, NULL);
        }
        if (status == WICK_OK) wick_graph_print(g, &text);
        bool done = status == WICK_OK && !text.failed;
        wick_mem_fail_at(0);
        if (status != WICK_OK) assert_int_equal(status, WICK_ENOMEM);
        if (done) assert_string_equal(text.data, expected);
        wick_strbuf_release(&text);
        wick_graph_free(g);
        assert_int_equal(wick_mem_stats_get().n_live, before.n_live);
        if (done) break;
        assert_true(n < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_order), cmocka_unit_test(test_rewriting), cmocka_unit_test(test_fine_order),
        cmocka_unit_test(test_rules),           cmocka_unit_test(test_constants), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
