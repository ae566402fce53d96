/* Sequences without an end: a cache that keeps only what is still seen, and somewhat more, gives the bits of one that keeps everything,
 * wherever its ring goes around, in steps of any length, after going back and after a state has been carried over. */
#include "base/cpu.h"
#include "base/mem.h"
#include "support/backend_runner.h"
#include "support/support.h"
#include "support/tiny_graph.h"

enum { N_TOKEN = 3700, CHUNK = 400 };

static runner start(const wick_graph *g, int threads, int64_t n_keep) {
    wick_state_options so = {.context = N_TOKEN, .chunk = CHUNK, .n_keep = n_keep};
    return runner_start(g, wick_cpu_detect(), threads, &so);
}

/* Where logits are compared: at the seams of key chunks, between them and far behind. */
static const int64_t stops[] = {7, 511, 512, 513, 900, 1024, 1300, 1537, 2047, 2600, 3072, 3400, 3699};
enum { N_STOP = sizeof stops / sizeof *stops };

typedef struct subject {
    wick_graph *g;
    int32_t tokens[N_TOKEN];
    size_t size; /* of logits */
    float *want; /* [N_STOP] */
} subject;

static void begin(subject *s, int64_t window, int64_t n_sink) {
    tiny_options o = tiny_options_default();
    test_rng rng = {31};
    o.n_layer = 2, o.context = 150, o.n_kv_head = 1, o.window = window, o.n_sink = n_sink, o.wrap = (wick_wrap){4, 120};
    s->g = tiny_graph_new(&o);
    s->size = (size_t)o.n_vocab * 4;
    for (int i = 0; i < N_TOKEN; i++) s->tokens[i] = (int32_t)test_rng_below(&rng, (uint32_t)o.n_vocab);
    s->want = malloc(N_STOP * s->size);
    assert_non_null(s->want);
    runner all = start(s->g, 2, 0);
    for (size_t i = 0; i < N_STOP; i++)
        memcpy((uint8_t *)s->want + i * s->size, runner_evaluate(&all, s->tokens, i ? stops[i - 1] : 0, stops[i], CHUNK), s->size);
    runner_stop(&all);
}

static void end(subject *s) {
    free(s->want);
    wick_graph_free(s->g);
}

static void expect(const subject *s, size_t i, const float *got, const char *what) {
    if (memcmp((const uint8_t *)s->want + i * s->size, got, s->size) != 0) fail_msg("%s: other bits after %d tokens", what, (int)stops[i]);
}

/* ---------------------------------------------------------------- tests */

static void check_bits(int64_t window, int64_t n_sink) {
    static const int64_t chunks[] = {1, 61, CHUNK}; /* many threads and short steps: mostly waiting */
    subject s;
    begin(&s, window, n_sink);
    for (int threads = 1; threads <= 3; threads++) {
        runner r = start(s.g, threads, 1);
        int64_t chunk = chunks[threads - 1];
        for (size_t i = 0; i < N_STOP; i++)
            expect(&s, i, runner_evaluate(&r, s.tokens, i ? stops[i - 1] : 0, stops[i], chunk), "in a ring");
        uint64_t size = wick_backend_cpu.export_size(r.state, N_TOKEN - 1), one = size - wick_backend_cpu.export_size(r.state, N_TOKEN - 2);
        if (size / one >= N_TOKEN * 3 / 5) fail_msg("window %d behind %d: nothing was given up", (int)window, (int)n_sink);
        runner_stop(&r);
    }
    end(&s);
}

static void same_bits(void **state) {
    (void)state;
    check_bits(9, 3);
    check_bits(32, 0);
    check_bits(300, 5);
    check_bits(500, 40); /* the longest step sees nearly two chunks */
    check_bits(90, 600); /* more than one chunk of sinks */
}

static void goes_back(void **state) {
    (void)state;
    subject s;
    begin(&s, 100, 4);
    runner r = start(s.g, 2, 300);
    runner_evaluate(&r, s.tokens, 0, 3072, CHUNK);
    int32_t other[N_TOKEN];
    for (int i = 0; i < N_TOKEN; i++) other[i] = s.tokens[i] ^ 1;
    assert_true(wick_backend_cpu.rewind(r.state, 2800)); /* within what is kept */
    runner_evaluate(&r, other, 2800, 3100, 77);          /* something else, a little further than before */
    assert_true(wick_backend_cpu.rewind(r.state, 2800));
    expect(&s, 10, runner_evaluate(&r, s.tokens, 2800, 3072, 50), "after going back");
    assert_false(wick_backend_cpu.rewind(r.state, 1100)); /* given up long ago */
    assert_true(wick_backend_cpu.rewind(r.state, 400));   /* the first chunk stays where it is */
    expect(&s, 5, runner_evaluate(&r, s.tokens, 400, 1024, 111), "from the first chunk on");
    expect(&s, 11, runner_evaluate(&r, s.tokens, 1024, 3400, CHUNK), "around again");
    runner_stop(&r);
    end(&s);
}

/* The state goes into one that has another place for everything, and on from there. */
static void comes_back(void **state) {
    (void)state;
    subject s;
    begin(&s, 100, 4);
    runner a = start(s.g, 1, 300), b = start(s.g, 2, 300);
    runner_evaluate(&a, s.tokens, 0, stops[0], CHUNK);
    runner_evaluate(&b, s.tokens + 5, 0, 2000, CHUNK);
    for (size_t i = 1; i + 1 < N_STOP; i++) {
        runner_evaluate(&a, s.tokens, stops[i - 1], stops[i], CHUNK);
        uint64_t size = wick_backend_cpu.export_size(a.state, stops[i]);
        uint8_t *bytes = malloc(size);
        wick_backend_cpu.export_state(a.state, stops[i], bytes);
        assert_ok(wick_backend_cpu.import_state(b.state, stops[i], bytes, size, err));
        expect(&s, i + 1, runner_evaluate(&b, s.tokens, stops[i], stops[i + 1], 63), "with a state of another");
        free(bytes);
    }
    runner_stop(&a);
    runner_stop(&b);
    end(&s);
}

/* Too few positions to go on from, more than fit, and sizes that are no whole number of them. */
static void odd_states_are_refused(void **state) {
    (void)state;
    subject s;
    begin(&s, 100, 4);
    runner r = start(s.g, 1, 300);
    int64_t n = 2600;
    runner_evaluate(&r, s.tokens, 0, n, CHUNK);
    uint64_t one = wick_backend_cpu.export_size(r.state, 2) - wick_backend_cpu.export_size(r.state, 1);
    uint64_t size = wick_backend_cpu.export_size(r.state, n), held = size / one;
    uint8_t *bytes = malloc(size + 2000 * one);
    wick_backend_cpu.export_state(r.state, n, bytes);
    const uint64_t bad[] = {0, 1, one, (512 + 98) * one, size + 1, size - 1, (512 + 1025) * one, (uint64_t)n * one};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wick_status status = wick_backend_cpu.import_state(r.state, n, bytes, bad[i], NULL);
        if (status != WICK_EMISMATCH) fail_msg("%d bytes of %d: %s", (int)bad[i], (int)size, wick_status_name(status));
    }
    assert_true(held < 512 + 1025);
    assert_int_equal(wick_backend_cpu.import_state(r.state, N_TOKEN + 1, bytes, size, NULL), WICK_ELIMIT);
    assert_int_equal(wick_backend_cpu.import_state(r.state, -1, bytes, size, NULL), WICK_ELIMIT);
    expect(&s, 10, runner_evaluate(&r, s.tokens, n, 3072, CHUNK), "after refused states");
    free(bytes);
    runner_stop(&r);
    end(&s);
}

static void only_for_what_has_no_end(void **state) {
    (void)state;
    static const struct {
        int64_t window, n_fixed, period;
    } bounded[] = {{0, 4, 120}, {9, 0, 0}, {9, 4, 149}}; /* sees all, has a last position, has fewer rows than it goes around in */
    for (size_t i = 0; i < 3; i++) {
        tiny_options o = tiny_options_default();
        wick_sight sight;
        o.n_layer = 1, o.context = 150, o.window = bounded[i].window, o.wrap = (wick_wrap){bounded[i].n_fixed, bounded[i].period};
        wick_graph *g = tiny_graph_new(&o);
        assert_false(wick_graph_is_endless(g, &sight));
        wick_pool *pool;
        wick_backend_plan *plan;
        wick_backend_state *s;
        wick_plan_options po = {.cpu_mask = wick_cpu_detect()};
        wick_state_options so = {.context = 100, .chunk = 10, .n_keep = 50};
        assert_ok(wick_pool_new(1, &pool, err));
        assert_ok(wick_backend_cpu.plan_new(g, &po, pool, &plan, err));
        assert_int_equal(wick_backend_cpu.state_new(plan, &so, pool, &s, NULL), WICK_EINVAL);
        wick_backend_cpu.plan_free(plan);
        wick_pool_free(pool);
        wick_graph_free(g);
    }
}

static void a_step_allocates_nothing(void **state) {
    (void)state;
    subject s;
    begin(&s, 100, 4);
    runner r = start(s.g, 2, 300);
    uint64_t before = wick_mem_stats_get().n_alloc;
    runner_evaluate(&r, s.tokens, 0, N_TOKEN, 90);
    assert_true(wick_backend_cpu.rewind(r.state, N_TOKEN - 200));
    assert_int_equal(wick_mem_stats_get().n_alloc, before);
    runner_stop(&r);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(goes_back),
        cmocka_unit_test(comes_back),
        cmocka_unit_test(odd_states_are_refused),
        cmocka_unit_test(only_for_what_has_no_end),
        cmocka_unit_test(a_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
