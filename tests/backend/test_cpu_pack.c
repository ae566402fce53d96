/* Packing, large enough that a matrix is several units of work: the source's pages are given back when they have been read and not
 * before, whatever the storage; and scales that break the rule are noticed wherever they stand. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "support/support.h"
#include "support/tiny_graph.h"

#include <pthread.h>

static const tiny_quant quants[] = {TINY_F32, TINY_BF16, TINY_Q4, TINY_Q8, TINY_Q4_ROW, TINY_INT8_WEIGHT_ONLY};
enum { N_QUANT = 6 };

/* The feed-forward matrices fill two to nine units of 2 MiB. */
static wick_graph *make_graph(tiny_quant quant) {
    tiny_options o = tiny_options_default();
    o.quant = quant;
    o.dim = 256;
    o.ffn = quant == TINY_Q4 ? 11008 : 4000;
    o.n_layer = 1;
    o.parts = quant == TINY_Q4 || quant == TINY_Q8;
    return tiny_graph_new(&o);
}

/* What a source that gives its pages back looks like from here: whoever reads them again reads something else. */
typedef struct giver {
    pthread_mutex_t lock;
    const wick_graph *g;
    size_t n_call, n_stray;
} giver;

static bool inside(const wick_source *s, const uint8_t *at, uint64_t size) {
    const uint8_t *from = s->bytes;
    return s->size && at >= from && size <= s->size && (uint64_t)(at - from) <= s->size - size;
}

static bool of_a_weight(const wick_graph *g, const uint8_t *at, uint64_t size) {
    for (size_t i = 0; i < g->n_node; i++) {
        if (g->nodes[i].dead || g->nodes[i].op != WICK_OP_linear) continue;
        const wick_value *w = &g->values[g->nodes[i].in[1]];
        for (int k = 0; k < w->n_part; k++)
            if (inside(&w->parts[k].data, at, size) || inside(&w->parts[k].scales, at, size)) return true;
    }
    return false;
}

static void give_back(void *user, const void *bytes, uint64_t size) {
    giver *v = user;
    pthread_mutex_lock(&v->lock);
    v->n_call++;
    if (!of_a_weight(v->g, bytes, size)) v->n_stray++;
    pthread_mutex_unlock(&v->lock);
    memset((void *)(uintptr_t)bytes, 0x5a, size);
}

static bool all_given(const wick_source *s) {
    const uint8_t *p = s->bytes;
    for (uint64_t i = 0; i < s->size; i++)
        if (p[i] != 0x5a) return false;
    return true;
}

static wick_backend_plan *make_plan(const wick_graph *g, wick_pool *pool, giver *v, bool *odd_scales) {
    wick_plan_options o = {.cpu_mask = wick_cpu_detect(), .forget = v ? give_back : NULL, .forget_user = v, .odd_scales = odd_scales};
    wick_backend_plan *plan;
    assert_ok(wick_backend_cpu.plan_new(g, &o, pool, &plan, err));
    return plan;
}

static void logits_of(const wick_graph *g, giver *v, int threads, float *out) {
    static const int32_t tokens[] = {3, 14, 15, 9, 26, 5};
    wick_pool *pool;
    wick_backend_state *s;
    const float *logits = NULL;
    assert_ok(wick_pool_new(threads, &pool, err));
    wick_backend_plan *plan = make_plan(g, pool, v, NULL);
    wick_state_options so = {.context = g->max_context, .chunk = 8};
    assert_ok(wick_backend_cpu.state_new(plan, &so, pool, &s, err));
    assert_ok(wick_backend_cpu.step(s, tokens, 6, 0, true, &logits, err));
    memcpy(out, logits, (size_t)g->n_vocab * sizeof *out);
    wick_backend_cpu.state_free(s);
    wick_backend_cpu.plan_free(plan);
    wick_pool_free(pool);
}

static void pages_are_given_back_once_read(void **state) {
    (void)state;
    float want[64], got[64];
    for (int i = 0; i < N_QUANT; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            wick_graph *g = make_graph(quants[i]);
            giver v = {.lock = PTHREAD_MUTEX_INITIALIZER, .g = g};
            assert_true(g->n_vocab <= 64);
            logits_of(g, NULL, 2, want);
            logits_of(g, &v, threads, got);
            assert_memory_equal(want, got, (size_t)g->n_vocab * sizeof *got);
            assert_int_equal(v.n_stray, 0);
            size_t n_source = 0;
            for (size_t k = 0; k < g->n_node; k++) {
                if (g->nodes[k].dead || g->nodes[k].op != WICK_OP_linear) continue;
                const wick_value *w = &g->values[g->nodes[k].in[1]];
                for (int p = 0; p < w->n_part; p++) {
                    if (!all_given(&w->parts[p].data) || !all_given(&w->parts[p].scales)) fail_msg("storage %d: pages are kept", i);
                    n_source += 1 + (w->parts[p].scales.size > 0);
                }
            }
            assert_true(v.n_call > n_source); /* not all of a matrix at once */
            wick_graph_free(g);
        }
}

/* One scale of the middle of the largest matrix: zero, negative, infinite, not a number, denormal. */
static void odd_scales_are_noticed(void **state) {
    (void)state;
    static const uint16_t odd[] = {0, 0xbf80, 0x7f80, 0x7fc0, 0x0040};
    wick_pool *pool;
    assert_ok(wick_pool_new(2, &pool, err));
    for (int i = 2; i < N_QUANT; i++) {
        wick_graph *g = make_graph(quants[i]);
        wick_source *scales = NULL;
        for (size_t k = 0; k < g->n_node; k++)
            for (int p = 0; g->nodes[k].op == WICK_OP_linear && p < g->values[g->nodes[k].in[1]].n_part; p++) {
                wick_source *s = &g->values[g->nodes[k].in[1]].parts[p].scales;
                if (!scales || s->size > scales->size) scales = s;
            }
        size_t width = quants[i] == TINY_Q4 ? 2 : 4;
        uint8_t *middle = (uint8_t *)(uintptr_t)scales->bytes + scales->size / width / 2 * width + width - 2;
        bool found = true;
        wick_backend_cpu.plan_free(make_plan(g, pool, NULL, &found));
        assert_false(found);
        for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
            uint8_t kept[4];
            memcpy(kept, middle + 2 - width, width);
            memset(middle + 2 - width, 0, width);
            memcpy(middle, &odd[k], 2); /* the upper half of an fp32, all of a bf16 */
            wick_backend_cpu.plan_free(make_plan(g, pool, NULL, &found));
            if (!found) fail_msg("storage %d: scale %04x is not noticed", i, odd[k]);
            memcpy(middle + 2 - width, kept, width);
        }
        wick_graph_free(g);
    }
    wick_pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_are_given_back_once_read), cmocka_unit_test(odd_scales_are_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
