/* Sessions on a stock program: the same bits in every way of asking, nothing allocated per token, states in files, limits, and
 * memory that runs out anywhere. */
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/table.h"
#include "support/stock_agree.h"
#include "support/stock_session.h"

#include "wick.h"

static const char *const names[] = {"st_fp32_sdpa.pte", "st_8da4w_rec.pte", "st_8da4w_emb4.pte", "st_8da4w_qkv.pte", "st_8da4w_lgattn.pte"};
enum { N_NAME = 5, N_TOKEN = 90 };

static const int32_t *some_tokens(void) {
    static int32_t t[N_TOKEN];
    test_rng rng = {5};
    for (int i = 0; i < N_TOKEN; i++) t[i] = (int32_t)test_rng_below(&rng, 512);
    return t;
}

static size_t logits_size(const wick_model *m) { return (size_t)wick_model_info_get(m)->n_vocab * 4; }

static void expect_logits(const wick_session *s, const float *want, size_t size) {
    assert_non_null(wick_session_logits(s));
    assert_memory_equal(wick_session_logits(s), want, size);
}

/* ---------------------------------------------------------------- tests */

static void same_bits(void **state) {
    (void)state;
    static const int64_t chunks[] = {0, 1, 7, 64};
    for (int i = 0; i < N_NAME; i++) {
        float *want = NULL;
        for (const char *const *level = wick_cpu_level_names(); *level; level++) {
            uint32_t mask;
            wick_cpu_level(*level, &mask);
            if ((mask & wick_cpu_detect()) != mask) {
                print_message("skipped: this machine has no %s\n", *level);
                continue;
            }
            wick_model *m = stock_model(names[i], *level, WICK_PLAN_RAISED);
            size_t size = logits_size(m);
            for (int t = 1; t <= 3; t++)
                for (size_t c = 0; c < 4; c++) {
                    wick_session *s = open_session(m, t, chunks[c], 0);
                    assert_ok(wick_session_sync(s, some_tokens(), N_TOKEN, err));
                    if (!want) want = malloc(size), memcpy(want, wick_session_logits(s), size);
                    if (memcmp(want, wick_session_logits(s), size) != 0)
                        fail_msg("%s, %s, %d threads, steps of %d: other bits", names[i], *level, t, (int)chunks[c]);
                    wick_session_free(s);
                }
            wick_model_close(m);
        }
        free(want);
    }
}

static void the_common_prefix_is_kept(void **state) {
    (void)state;
    wick_model *m = stock_model(names[1], NULL, WICK_PLAN_AUTO);
    size_t size = logits_size(m), n;
    float *want = malloc(size);
    wick_session *fresh = open_session(m, 1, 0, 0), *s = open_session(m, 1, 0, 0);
    int32_t tokens[N_TOKEN];
    memcpy(tokens, some_tokens(), sizeof tokens);
    assert_null(wick_session_logits(s));
    assert_ok(wick_session_sync(s, tokens, 80, err));
    tokens[40] ^= 1;
    assert_ok(wick_session_sync(fresh, tokens, 60, err));
    assert_ok(wick_session_sync(s, tokens, 60, err));
    memcpy(want, wick_session_logits(fresh), size);
    expect_logits(s, want, size);
    assert_memory_equal(wick_session_tokens(s, &n), tokens, 60 * sizeof *tokens);
    assert_int_equal(n, 60);
    assert_ok(wick_session_step(s, 7, err));
    assert_ok(wick_session_rewind(s, 60, err));
    assert_null(wick_session_logits(s));
    assert_ok(wick_session_sync(s, tokens, 60, err)); /* the last token again, for its logits */
    expect_logits(s, want, size);
    assert_ok(wick_session_rewind(s, 0, err));
    for (int i = 0; i < 60; i++) assert_ok(wick_session_step(s, tokens[i], err));
    expect_logits(s, want, size);
    assert_int_equal(wick_session_rewind(s, 61, NULL), WICK_EINVAL);
    wick_session_free(s);
    wick_session_free(fresh);
    wick_model_close(m);
    free(want);
}

static void a_token_allocates_nothing(void **state) {
    (void)state;
    for (int i = 0; i < N_NAME; i++) {
        wick_model *m = stock_model(names[i], NULL, WICK_PLAN_RAISED);
        wick_session *s = open_session(m, 2, 16, 0);
        uint64_t before = wick_mem_stats_get().n_alloc;
        assert_ok(wick_session_sync(s, some_tokens(), 50, err));
        for (int t = 50; t < N_TOKEN; t++) assert_ok(wick_session_step(s, some_tokens()[t], err));
        assert_ok(wick_session_rewind(s, 20, err));
        assert_ok(wick_session_sync(s, some_tokens(), 50, err));
        assert_int_equal(wick_mem_stats_get().n_alloc, before);
        wick_session_free(s);
        wick_model_close(m);
    }
}

static void limits_have_sentences(void **state) {
    (void)state;
    wick_model *m = stock_model(names[0], NULL, WICK_PLAN_AUTO);
    wick_session *s = open_session(m, 1, 0, 20);
    wick_error e;
    int32_t tokens[N_TOKEN];
    memcpy(tokens, some_tokens(), sizeof tokens);
    assert_int_equal(wick_session_capacity(s), 20);
    assert_int_equal(wick_session_sync(s, tokens, 21, &e), WICK_ELIMIT);
    assert_non_null(strstr(e.message, "21 tokens do not fit into the session's context of 20"));
    assert_ok(wick_session_sync(s, tokens, 20, err));
    assert_int_equal(wick_session_step(s, 1, &e), WICK_ELIMIT);
    const float *logits = wick_session_logits(s);
    tokens[3] = 512;
    assert_int_equal(wick_session_sync(s, tokens, 5, &e), WICK_EINVAL);
    assert_non_null(strstr(e.message, "token 3 is 512, but the program's ids go from 0 to 511"));
    assert_ptr_equal(logits, wick_session_logits(s)); /* nothing has changed */
    assert_int_equal(wick_session_step(s, -1, &e), WICK_ELIMIT);
    assert_int_equal(wick_session_sync(s, tokens, 0, &e), WICK_EINVAL);
    wick_session_free(s);
    wick_session_options o = wick_session_options_default();
    o.context = 129;
    assert_int_equal(wick_session_new(m, &o, &s, &e), WICK_ELIMIT);
    wick_model_close(m);
}

static bool stop_at_ten(void *user, double done, double total) {
    ++*(int *)user;
    return done < 10 || total < 30;
}

static void progress_can_stop(void **state) {
    (void)state;
    wick_model *m = stock_model(names[0], NULL, WICK_PLAN_AUTO);
    wick_session *s = open_session(m, 1, 5, 0), *fresh = open_session(m, 1, 0, 0);
    int n_call = 0;
    size_t n;
    wick_session_on_progress(s, stop_at_ten, &n_call);
    assert_int_equal(wick_session_sync(s, some_tokens(), 40, NULL), WICK_ECANCELED);
    assert_int_equal(n_call, 2);
    wick_session_tokens(s, &n);
    assert_int_equal(n, 10);
    assert_null(wick_session_logits(s));
    wick_session_on_progress(s, NULL, NULL);
    assert_ok(wick_session_sync(s, some_tokens(), 40, err));
    assert_ok(wick_session_sync(fresh, some_tokens(), 40, err));
    expect_logits(s, wick_session_logits(fresh), logits_size(m));
    wick_session_free(s);
    wick_session_free(fresh);
    wick_model_close(m);
}

typedef struct onlooker {
    double stop_at, last;
    int n_call;
} onlooker;

static bool stop_later(void *user, double done, double total) {
    onlooker *o = user;
    o->n_call++;
    assert_true(done >= o->last && done <= total);
    o->last = done;
    return done < o->stop_at;
}

/* The size of the steps is Wick's choice, and a step is stopped in its middle: what is done before it is kept, and the rest of the
 * conversation has the same bits. A recurrent state (lfm2) and the vm stop between steps only. */
static void a_step_can_stop(void **state) {
    (void)state;
    static const struct {
        const char *name;
        wick_plan plan;
        bool within;
    } ways[] = {{"st_8da4w_rec.pte", WICK_PLAN_RAISED, true},
                {"st_8da4w_sink.pte", WICK_PLAN_RAISED, true},
                {"ty_lfm2.pte", WICK_PLAN_RAISED, false},
                {"st_8da4w_rec.pte", WICK_PLAN_VM, false}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        wick_model *m = stock_model(ways[w].name, NULL, ways[w].plan);
        int64_t n_vocab = wick_model_info_get(m)->n_vocab;
        int32_t tokens[N_TOKEN];
        for (int i = 0; i < N_TOKEN; i++) tokens[i] = some_tokens()[i] % (int32_t)n_vocab;
        wick_session *fresh = open_session(m, 1, 0, 0);
        assert_ok(wick_session_sync(fresh, tokens, N_TOKEN, err));
        static const double stops[] = {0, 10, 20, 33, 60}; /* in the first step of 32, and behind it */
        for (size_t i = 0; i < (ways[w].within ? 5 : 3); i++) {
            onlooker o = {.stop_at = stops[i]};
            size_t n;
            wick_session *s = open_session(m, 2, 0, 0); /* does not know yet how fast it is */
            wick_session_on_progress(s, stop_later, &o);
            assert_int_equal(wick_session_sync(s, tokens, N_TOKEN, NULL), WICK_ECANCELED);
            wick_session_tokens(s, &n);
            assert_true(n < N_TOKEN && (double)n <= o.last);
            if (!ways[w].within) assert_true((double)n == o.last);
            if (ways[w].within && stops[i] < 32) assert_int_equal(n, 0); /* in the middle of the first */
            assert_null(wick_session_logits(s));
            if (ways[w].within && n) assert_true(o.n_call > 10); /* many times in a step of 32 */
            wick_session_on_progress(s, NULL, NULL);
            assert_ok(wick_session_sync(s, tokens, N_TOKEN, err));
            expect_logits(s, wick_session_logits(fresh), logits_size(m));
            wick_session_free(s);
        }
        wick_session_free(fresh);
        wick_model_close(m);
    }
}

/* ---------------------------------------------------------------- files */

static void states_come_back(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        wick_model *m = stock_model(names[i], NULL, WICK_PLAN_AUTO);
        wick_session *a = open_session(m, 1, 0, 0), *b = open_session(m, 2, 3, 0);
        const char *path = test_tmp("state");
        size_t size = logits_size(m), n;
        assert_ok(wick_session_sync(a, some_tokens(), 50, err));
        assert_ok(wick_session_save(a, path, err));
        assert_ok(wick_session_sync(b, some_tokens() + 9, 20, err));
        assert_ok(wick_session_load(b, path, err));
        wick_session_tokens(b, &n);
        assert_int_equal(n, 50);
        expect_logits(b, wick_session_logits(a), size);
        assert_ok(wick_session_sync(a, some_tokens(), N_TOKEN, err));
        assert_ok(wick_session_sync(b, some_tokens(), N_TOKEN, err));
        expect_logits(b, wick_session_logits(a), size);
        wick_session_free(a);
        wick_session_free(b);
        wick_model_close(m);
    }
}

static void states_of_others_are_refused(void **state) {
    (void)state;
    wick_model *m = stock_model(names[0], NULL, WICK_PLAN_AUTO), *other = stock_model(names[1], NULL, WICK_PLAN_AUTO);
    wick_session *a = open_session(m, 1, 0, 0), *b = open_session(other, 1, 0, 0), *small = open_session(m, 1, 0, 10), *wide = NULL;
    wick_session_options o = wick_session_options_default();
    o.kv_dtype = WICK_KV_F32;
    o.threads = 1;
    assert_ok(wick_session_new(m, &o, &wide, err));
    const char *path = test_tmp("mine");
    assert_ok(wick_session_sync(a, some_tokens(), 30, err));
    assert_ok(wick_session_save(a, path, err));
    assert_int_equal(wick_session_load(b, path, NULL), WICK_EMISMATCH);
    assert_int_equal(wick_session_load(small, path, NULL), WICK_ELIMIT);
    assert_int_equal(wick_session_load(wide, path, NULL), WICK_EMISMATCH);
    assert_int_equal(wick_session_load(a, test_tmp("none"), NULL), WICK_ENOTFOUND);
    wick_session_free(a);
    wick_session_free(b);
    wick_session_free(small);
    wick_session_free(wide);
    wick_model_close(m);
    wick_model_close(other);
}

/* Cut anywhere, one bit changed anywhere, or lying with a right checksum: refused, and the session is as it was. */
static void hostile_states_are_refused(void **state) {
    (void)state;
    wick_model *m = stock_model(names[1], NULL, WICK_PLAN_AUTO);
    wick_session *s = open_session(m, 1, 0, 0);
    const char *good = test_tmp("good"), *bad = test_tmp("bad");
    size_t size, bytes_of_logits = logits_size(m);
    float *want = malloc(bytes_of_logits);
    assert_ok(wick_session_sync(s, some_tokens(), 3, err));
    assert_ok(wick_session_save(s, good, err));
    memcpy(want, wick_session_logits(s), bytes_of_logits);
    uint8_t *file = test_read(good, &size);
    test_rng rng = {3};
    for (int i = 0; i < 300; i++) {
        size_t cut = i < 60 ? (size_t)i : test_rng_below(&rng, (uint32_t)size), at = test_rng_below(&rng, (uint32_t)size);
        FILE *f = fopen(bad, "wb");
        if (i % 2)
            fwrite(file, 1, cut, f);
        else
            file[at] ^= 4, fwrite(file, 1, size, f), file[at] ^= 4;
        fclose(f);
        assert_int_not_equal(wick_session_load(s, bad, NULL), WICK_OK);
    }
    for (size_t field = 8; field < 52; field += 4) {
        static const uint32_t lies[] = {0xffffffff, 0x7fffffff, 0, 600};
        for (size_t i = 0; i < 4; i++) {
            uint32_t old = wick_load_u32(file + field);
            if (old == lies[i]) continue;
            wick_store_u32(file + field, lies[i]);
            wick_store_u64(file + size - 8, wick_hash(file, size - 8, 1));
            FILE *f = fopen(bad, "wb");
            fwrite(file, 1, size, f);
            fclose(f);
            wick_status status = wick_session_load(s, bad, NULL);
            bool harmless = field >= 48 && lies[i] == 0; /* another token: the file's own affair */
            assert_int_equal(status == WICK_OK, harmless);
            if (harmless) assert_ok(wick_session_load(s, good, err));
            wick_store_u32(file + field, old);
        }
    }
    expect_logits(s, want, bytes_of_logits);
    free(file);
    free(want);
    wick_session_free(s);
    wick_model_close(m);
}

/* ---------------------------------------------------------------- memory */

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    static const wick_plan plans[] = {WICK_PLAN_RAISED, WICK_PLAN_VM, WICK_PLAN_VM};
    const char *const paths[] = {stock_file(names[1]), stock_file(names[1]),
                                 stock_file("ty_sink.pte")}; /* raised to see that it has no end */
    for (size_t p = 0; p < 3; p++) {
        uint64_t live = wick_mem_stats_get().n_live, n = 1, step = 1;
        for (bool done = false; !done; n += step) {
            wick_model_options mo = wick_model_options_default();
            wick_session_options so = wick_session_options_default();
            wick_model *m = NULL;
            wick_session *s = NULL;
            mo.plan = plans[p];
            mo.threads = so.threads = 1;
            wick_mem_fail_at(n);
            wick_status status = wick_model_open(paths[p], &mo, &m, NULL);
            if (status == WICK_OK) status = wick_session_new(m, &so, &s, NULL);
            wick_mem_fail_at(0);
            done = status == WICK_OK;
            if (!done && status != WICK_ENOMEM) fail_msg("allocation %d failed, and the status is %s", (int)n, wick_status_name(status));
            wick_session_free(s);
            wick_model_close(m);
            if (wick_mem_stats_get().n_live != live) fail_msg("allocation %d failed, and something leaked", (int)n);
            step = n < 300 ? 1 : n / 100; /* all of the beginning, then samples: programs make thousands */
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(the_common_prefix_is_kept),
        cmocka_unit_test(a_token_allocates_nothing),
        cmocka_unit_test(limits_have_sentences),
        cmocka_unit_test(progress_can_stop),
        cmocka_unit_test(a_step_can_stop),
        cmocka_unit_test(states_come_back),
        cmocka_unit_test(states_of_others_are_refused),
        cmocka_unit_test(hostile_states_are_refused),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
