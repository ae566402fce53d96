/* Sessions on a program with attention sinks: they go on behind the program's context with the same bits in every way of asking, in
 * every plan, come back from files, and end only where somebody says so. */
#include "base/mem.h"
#include "support/stock_agree.h"
#include "support/stock_session.h"

#include "wick.h"

enum { N_TOKEN = 1500, CONTEXT = 128, N_VOCAB = 512 };
static const char name[] = "st_8da4w_sink.pte";

static const int32_t *some_tokens(void) {
    static int32_t t[N_TOKEN];
    test_rng rng = {17};
    for (int i = 0; i < N_TOKEN; i++) t[i] = (int32_t)test_rng_below(&rng, N_VOCAB);
    return t;
}

static void expect_logits(const wick_session *s, const float *want) {
    assert_non_null(wick_session_logits(s));
    assert_memory_equal(wick_session_logits(s), want, N_VOCAB * sizeof *want);
}

/* The answer of a new session that takes everything at once. */
static void whole(wick_model *m, const int32_t *tokens, size_t n, float *out) {
    wick_session *s = open_session(m, 2, 0, 0);
    assert_ok(wick_session_sync(s, tokens, n, err));
    memcpy(out, wick_session_logits(s), N_VOCAB * sizeof *out);
    wick_session_free(s);
}

/* ---------------------------------------------------------------- tests */

static void what_has_no_end(void **state) {
    (void)state;
    static const struct {
        const char *file;
        int64_t n_first, n_last; /* 0: it has an end */
    } files[] = {{"st_8da4w_sink.pte", 4, 32},
                 {"ty_sink.pte", 3, 20},
                 {"st_8da4w_lgattn.pte", 0, 0},
                 {"ty_ring_int8.pte", 0, 0},
                 {"st_8da4w_rec.pte", 0, 0}};
    static const wick_plan plans[] = {WICK_PLAN_RAISED, WICK_PLAN_MIXED, WICK_PLAN_VM};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t p = 0; p < 3; p++) {
            wick_model *m = stock_model(files[i].file, NULL, plans[p]);
            const wick_model_info *info = wick_model_info_get(m);
            assert_int_equal(info->endless, files[i].n_last != 0);
            assert_int_equal(info->n_first, files[i].n_first);
            assert_int_equal(info->n_last, files[i].n_last);
            wick_session *s = open_session(m, 1, 0, 0);
            if (info->endless)
                assert_true(wick_session_capacity(s) > 1000 * info->max_context);
            else
                assert_int_equal(wick_session_capacity(s), info->max_context);
            wick_session_free(s);
            wick_model_close(m);
        }
}

static void same_bits(void **state) {
    (void)state;
    static const int64_t chunks[] = {0, 7, 100, 512};
    static float want[N_VOCAB];
    wick_model *m = stock_model(name, NULL, WICK_PLAN_RAISED);
    whole(m, some_tokens(), N_TOKEN, want);
    for (size_t c = 0; c < 4; c++) {
        wick_session *s = open_session(m, c % 2 ? 1 : 2, chunks[c], 0);
        assert_ok(wick_session_sync(s, some_tokens(), 40, err));
        assert_ok(wick_session_sync(s, some_tokens(), 900, err));
        uint64_t before = wick_mem_stats_get().n_alloc;
        for (int i = 900; i < 1200; i++) assert_ok(wick_session_step(s, some_tokens()[i], err));
        assert_ok(wick_session_sync(s, some_tokens(), N_TOKEN, err));
        assert_int_equal(wick_mem_stats_get().n_alloc, before);
        expect_logits(s, want);
        wick_session_free(s);
    }
    wick_model_close(m);
}

/* An answer is taken back, then half of the conversation: what was given up is evaluated again. */
static void another_end(void **state) {
    (void)state;
    static const size_t backs[] = {1450, 1380, 900, 300, 100, 2};
    static float want[N_VOCAB];
    static const wick_plan plans[] = {WICK_PLAN_RAISED, WICK_PLAN_VM};
    for (size_t p = 0; p < 2; p++) {
        wick_model *m = stock_model(name, NULL, plans[p]);
        wick_session *s = open_session(m, 1, 33, 0); /* steps that overwrite nothing their rows look for */
        size_t n_token = p ? 500 : N_TOKEN;
        for (size_t i = 0; i < sizeof backs / sizeof *backs; i++) {
            static int32_t tokens[N_TOKEN];
            memcpy(tokens, some_tokens(), sizeof tokens);
            if (backs[i] >= n_token) continue;
            assert_ok(wick_session_sync(s, some_tokens(), n_token, err));
            for (size_t j = backs[i]; j < n_token; j++) tokens[j] ^= 3;
            assert_ok(wick_session_sync(s, tokens, n_token - 10, err));
            wick_session *fresh = open_session(m, 1, 33, 0);
            assert_ok(wick_session_sync(fresh, tokens, n_token - 10, err));
            memcpy(want, wick_session_logits(fresh), sizeof want);
            wick_session_free(fresh);
            expect_logits(s, want);
        }
        wick_session_free(s);
        wick_model_close(m);
    }
}

static void states_come_back(void **state) {
    (void)state;
    static const size_t lengths[] = {30, CONTEXT + 1, 600, 1100, 1400};
    static float want[N_VOCAB];
    wick_model *m = stock_model(name, NULL, WICK_PLAN_RAISED);
    whole(m, some_tokens(), N_TOKEN, want);
    wick_session *a = open_session(m, 1, 0, 0), *b = open_session(m, 2, 0, 0);
    const char *path = test_tmp("far");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n;
        assert_ok(wick_session_sync(a, some_tokens(), lengths[i], err));
        assert_ok(wick_session_save(a, path, err));
        assert_ok(wick_session_load(b, path, err));
        wick_session_tokens(b, &n);
        assert_int_equal(n, lengths[i]);
        expect_logits(b, wick_session_logits(a));
        assert_ok(wick_session_sync(b, some_tokens(), N_TOKEN, err));
        expect_logits(b, want);
    }
    wick_session_free(b);
    b = open_session(m, 1, 0, 1000); /* holds fewer than the file has */
    assert_int_equal(wick_session_load(b, path, NULL), WICK_ELIMIT);
    wick_session_free(a);
    wick_session_free(b);
    wick_model_close(m);
}

static void an_end_that_was_asked_for(void **state) {
    (void)state;
    static float want[N_VOCAB];
    wick_error e;
    wick_model *m = stock_model(name, NULL, WICK_PLAN_AUTO);
    whole(m, some_tokens(), 300, want);
    for (int64_t context = 300; context <= 1024; context += 724) {
        wick_session *s = open_session(m, 1, 0, context);
        assert_int_equal(wick_session_capacity(s), context);
        assert_ok(wick_session_sync(s, some_tokens(), 300, err));
        expect_logits(s, want);
        assert_int_equal(wick_session_sync(s, some_tokens(), (size_t)context + 1, &e), WICK_ELIMIT);
        assert_non_null(strstr(e.message, "do not fit into the session's context"));
        wick_session_free(s);
    }
    wick_session_options o = wick_session_options_default();
    wick_session *s;
    o.context = (1 << 24) + 1;
    assert_int_equal(wick_session_new(m, &o, &s, &e), WICK_ELIMIT);
    wick_model_close(m);
}

/* A model that never stops is stopped after as many tokens as its context has, unless more are asked for. */
static void answers_have_an_end(void **state) {
    (void)state;
    wick_model *m = stock_model(name, NULL, WICK_PLAN_AUTO);
    wick_session *s = open_session(m, 1, 0, 0);
    wick_generate_options g = wick_generate_options_default();
    wick_generate_result r;
    g.tokens = some_tokens();
    g.n_tokens = 200;
    g.sampler.temperature = 0;
    g.ignore_eos = true;
    assert_ok(wick_generate(s, &g, &r, err));
    assert_int_equal(r.n_predicted, CONTEXT);
    assert_int_equal(r.finish, WICK_FINISH_LENGTH);
    wick_generate_result_release(&r);
    g.max_new_tokens = 3 * CONTEXT;
    assert_ok(wick_generate(s, &g, &r, err));
    assert_int_equal(r.n_predicted, 3 * CONTEXT);
    wick_generate_result_release(&r);
    wick_session_free(s);
    wick_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_end),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(another_end),
        cmocka_unit_test(states_come_back),
        cmocka_unit_test(an_end_that_was_asked_for),
        cmocka_unit_test(answers_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
