/* A window over a ring, with and without sinks: the raised program keeps every position and shows the keys that the ring of the program
 * shows, which the vm runs as it is written, for sequences that go around the ring. Steps that are longer than the part of the ring behind
 * the window overwrite keys before their first rows see them: there the vm's answer (and stock's) depends on how the prompt was cut into
 * steps, the raised program's never does. */
#include "support/stock_agree.h"
#include "support/stock_session.h"

#include "wick.h"

#include <math.h>

enum { MAX_TOKEN = 520, N_VOCAB = 512, N_CHUNK = 6 };

typedef struct ring {
    const char *file;
    int size, window; /* of what goes around */
    int n_token;      /* behind the sinks nothing ends at the context of 128 */
    int chunks[N_CHUNK];
} ring;

static wick_session *open_f32_session(wick_model *model, int64_t chunk) {
    wick_session_options o = wick_session_options_default();
    wick_session *s = NULL;
    o.threads = 1;
    o.kv_dtype = WICK_KV_F32;
    o.prefill_chunk = chunk;
    assert_ok(wick_session_new(model, &o, &s, err));
    return s;
}

/* KL(a || b) of what two rows of logits say. */
static double divergence(const float *a, const float *b) {
    double max[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0}, kl = 0;
    for (int i = 0; i < N_VOCAB; i++) {
        max[0] = fmax(max[0], (double)a[i]);
        max[1] = fmax(max[1], (double)b[i]);
    }
    for (int i = 0; i < N_VOCAB; i++) {
        sum[0] += exp((double)a[i] - max[0]);
        sum[1] += exp((double)b[i] - max[1]);
    }
    for (int i = 0; i < N_VOCAB; i++) {
        double la = (double)a[i] - max[0] - log(sum[0]), lb = (double)b[i] - max[1] - log(sum[1]);
        kl += exp(la) * (la - lb);
    }
    return kl;
}

/* Logits after every `chunk` tokens, and after each of the last few. */
static int run(wick_model *model, const int32_t *tokens, int n_token, int chunk, float *rows) {
    wick_session *s = open_f32_session(model, chunk);
    int n_row = 0;
    for (int n = chunk; n <= n_token; n += n + chunk > n_token - 8 ? 1 : chunk) {
        assert_ok(wick_session_sync(s, tokens, (size_t)n, err));
        memcpy(rows + (size_t)n_row++ * N_VOCAB, wick_session_logits(s), N_VOCAB * sizeof *rows);
    }
    wick_session_free(s);
    return n_row;
}

static void check(const ring *in) {
    static float raised[MAX_TOKEN * N_VOCAB], vm[MAX_TOKEN * N_VOCAB], single[MAX_TOKEN * N_VOCAB];
    int32_t tokens[MAX_TOKEN];
    test_rng rng = {7};
    for (int i = 0; i < MAX_TOKEN; i++) tokens[i] = (int32_t)test_rng_below(&rng, N_VOCAB);
    wick_model *a = stock_model(in->file, NULL, WICK_PLAN_RAISED), *b = stock_model(in->file, NULL, WICK_PLAN_VM);
    for (int c = 0; c < N_CHUNK; c++) {
        double worst = 0, sum = 0;
        int chunk = in->chunks[c], n = run(a, tokens, in->n_token, chunk, raised);
        assert_int_equal(run(b, tokens, in->n_token, chunk, vm), n);
        if (chunk == 1) memcpy(single, raised, sizeof raised);
        for (int i = 0; i < n; i++) {
            double kl = divergence(vm + (size_t)i * N_VOCAB, raised + (size_t)i * N_VOCAB);
            size_t at = (size_t)(i + 1) * (size_t)chunk - 1; /* of the same token in single steps */
            sum += kl;
            worst = fmax(worst, kl);
            if (at < (size_t)in->n_token - 8)
                assert_memory_equal(raised + (size_t)i * N_VOCAB, single + at * N_VOCAB, N_VOCAB * sizeof *raised);
        }
        print_message("%s, steps of %d: %d rows, KL of raised and vm mean %.2g, worst %.2g\n", in->file, chunk, n, sum / n, worst);
        if (chunk <= in->size - in->window + 1)
            assert_true(worst <= 2e-2 && sum / n <= 1e-3);
        else
            assert_true(worst > 1e-4); /* the program itself: a window of another size would show like this */
    }
    wick_model_close(a);
    wick_model_close(b);
}

static void ring_is_window(void **state) {
    (void)state;
    static const ring rings[] = {
        {"st_8da4w_lgattn.pte", 32, 16, 120, {1, 9, 17, 18, 25, 31}},
        {"st_8da4w_sink.pte", 64, 32, MAX_TOKEN, {1, 9, 32, 33, 40, 56}},
    };
    for (size_t i = 0; i < sizeof rings / sizeof *rings; i++) check(&rings[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ring_is_window)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
