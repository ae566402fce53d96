/* The processor backend on graphs built by hand: right against a plain evaluation in double, the same bits in every way of
 * running, no allocation in a step, and states that come back exactly. */
#include "base/cpu.h"
#include "base/half.h"
#include "base/mem.h"
#include "support/backend_runner.h"
#include "support/support.h"
#include "support/tiny_graph.h"

#include <math.h>

/* ---------------------------------------------------------------- running */

static runner start(const wick_graph *g, const char *level, int threads, bool kv_f32, int64_t chunk) {
    uint32_t mask;
    if (!wick_cpu_level(level, &mask)) fail_msg("no level %s", level ? level : "at all");
    wick_state_options so = {.context = g->max_context, .chunk = chunk, .kv_f32 = kv_f32};
    return runner_start(g, mask & wick_cpu_detect(), threads, &so);
}

static int32_t *some_tokens(int64_t n, int64_t n_vocab) {
    int32_t *t = malloc((size_t)n * sizeof *t);
    test_rng rng = {99};
    for (int64_t i = 0; i < n; i++) t[i] = (int32_t)test_rng_below(&rng, (uint32_t)n_vocab);
    return t;
}

/* ---------------------------------------------------------------- a plain evaluation in double */

typedef struct plain {
    const wick_graph *g;
    double **values; /* [value]: [n][width] */
    const int32_t *tokens;
    int64_t n;
} plain;

static double const_at(const wick_value *v, int64_t row, int64_t k) {
    const wick_part *p = v->parts;
    int64_t width = v->rank > 1 ? v->dims[1].c : 1;
    while (row >= p->n_row) row -= p++->n_row;
    const uint8_t *data = p->data.bytes;
    if (v->scheme.kind == WICK_SCHEME_PLAIN) {
        float f;
        uint16_t h;
        if (v->dtype == WICK_F32) return memcpy(&f, data + 4 * (row * width + k), 4), (double)f;
        memcpy(&h, data + 2 * (row * width + k), 2);
        return (double)(v->dtype == WICK_F16 ? wick_f16_to_f32(h) : wick_bf16_to_f32(h));
    }
    int64_t group = v->scheme.group ? v->scheme.group : width, n_group = (width + group - 1) / group, at = row * n_group + k / group;
    const uint8_t *scales = p->scales.bytes;
    uint16_t h;
    float scale;
    if (v->scheme.scale_dtype == WICK_F32)
        memcpy(&scale, scales + 4 * at, 4);
    else
        memcpy(&h, scales + 2 * at, 2), scale = wick_bf16_to_f32(h);
    data += row * ((width * v->scheme.bits + 7) / 8);
    if (v->scheme.bits == 8) return (double)scale * (int8_t)data[k];
    if (v->scheme.bits == 2) return (double)scale * ((data[k / 4] >> 2 * (k % 4) & 3) - 2);
    bool high = (k % 2 == 0) == (v->scheme.packing == WICK_PACK_HIGH_FIRST);
    return (double)scale * ((high ? data[k / 2] >> 4 : data[k / 2] & 15) - 8);
}

static void plain_linear(plain *p, const wick_node *n, const double *x, double *y) {
    const wick_value *w = &p->g->values[n->in[1]];
    int64_t rows = w->dims[0].c, k = w->dims[1].c;
    for (int64_t r = 0; r < p->n; r++)
        for (int64_t j = 0; j < rows; j++) {
            double sum = n->n_in > 2 && n->in[2] >= 0 ? const_at(&p->g->values[n->in[2]], j, 0) : 0;
            for (int64_t i = 0; i < k; i++) sum += x[r * k + i] * const_at(w, j, i);
            y[r * rows + j] = sum;
        }
}

static void plain_attention(plain *p, const wick_node *n, double *y) {
    int64_t h = n->attrs.attention.n_head, g = n->attrs.attention.n_kv_head, d = n->attrs.attention.d_head,
            window = n->attrs.attention.window, n_sink = n->attrs.attention.n_sink;
    const double *q = p->values[n->in[0]], *k = p->values[n->in[1]], *v = p->values[n->in[2]];
    double *s = malloc((size_t)p->n * sizeof *s);
    for (int64_t r = 0; r < p->n; r++)
        for (int64_t i = 0; i < h; i++) {
            int64_t from = window && r + 1 > window ? r + 1 - window : 0, kv = i / (h / g);
            double max = -INFINITY, sum = 0;
            for (int64_t j = 0; j <= r; j++) {
                s[j] = -INFINITY;
                if (j >= n_sink && j < from) continue;
                s[j] = 0;
                for (int64_t e = 0; e < d; e++) s[j] += q[(r * h + i) * d + e] * k[(j * g + kv) * d + e];
                s[j] *= (double)n->attrs.attention.scale;
                if (s[j] > max) max = s[j];
            }
            for (int64_t j = 0; j <= r; j++) sum += s[j] = exp(s[j] - max);
            for (int64_t e = 0; e < d; e++) {
                double o = 0;
                for (int64_t j = 0; j <= r; j++) o += s[j] / sum * v[(j * g + kv) * d + e];
                y[(r * h + i) * d + e] = o;
            }
        }
    free(s);
}

static void plain_rope(plain *p, const wick_node *n, const double *x, double *y) {
    int64_t width = wick_value_width(&p->g->values[n->out]), h = n->attrs.rope.n_head, d = width / h, half = n->attrs.rope.n_rotary / 2;
    bool inter = n->attrs.rope.style == WICK_ROPE_INTERLEAVED;
    memcpy(y, x, (size_t)(p->n * width) * sizeof *y);
    for (int64_t r = 0; r < p->n; r++)
        for (int64_t i = 0; i < h; i++)
            for (int64_t j = 0; j < half; j++) {
                wick_wrap w = n->attrs.rope.wrap;
                int64_t row = w.period && r >= w.n_fixed ? w.n_fixed + (r - w.n_fixed) % w.period : r;
                double c = const_at(&p->g->values[n->in[1]], row, j), s = const_at(&p->g->values[n->in[2]], row, j);
                int64_t a = r * width + i * d + (inter ? 2 * j : j), b = inter ? a + 1 : a + half;
                y[a] = x[a] * c - x[b] * s;
                y[b] = x[b] * c + x[a] * s;
            }
}

static double plain_act(wick_act act, double x) {
    if (act == WICK_ACT_SILU) return x / (1 + exp(-x));
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static void plain_rows(plain *p, const wick_node *n, const double *x, double *y) {
    int64_t width = wick_value_width(&p->g->values[n->out]), in_width = wick_value_width(&p->g->values[n->in[0]]);
    const double *b = n->n_in > 1 && p->g->values[n->in[1]].kind != WICK_VALUE_CONST ? p->values[n->in[1]] : NULL;
    for (int64_t r = 0; r < p->n; r++)
        for (int64_t i = 0; i < width; i++) {
            const double *row = x + r * in_width;
            double *out = &y[r * width + i];
            if (n->op == WICK_OP_rmsnorm) {
                int64_t d = width / n->attrs.norm.n_group, g = i / d * d;
                double sum = 0;
                for (int64_t j = g; j < g + d; j++) sum += row[j] * row[j];
                *out = row[i] / sqrt(sum / (double)d + (double)n->attrs.norm.eps) * const_at(&p->g->values[n->in[1]], i - g, 0);
            } else if (n->op == WICK_OP_glu)
                *out = plain_act(n->attrs.act.act, row[i]) * row[i + width];
            else if (n->op == WICK_OP_split)
                *out = row[i + n->attrs.split.start];
            else if (n->op == WICK_OP_add)
                *out = row[i] + b[r * width + i];
            else if (n->op == WICK_OP_mul)
                *out = row[i] * b[r * width + i];
            else if (n->op == WICK_OP_softcap)
                *out = (double)n->attrs.scale.scale * tanh(row[i] / (double)n->attrs.scale.scale);
            else if (n->op == WICK_OP_hadamard) {
                *out = 0;
                for (int64_t j = 0; j < width; j++) *out += __builtin_parityll((unsigned long long)(i & j)) ? -row[j] : row[j];
                *out /= sqrt((double)width);
            } else if (n->op == WICK_OP_last_row)
                *out = row[i]; /* rows before the last are harmless */
            else
                fail_msg("no plain evaluation of %s", wick_op_name(n->op));
        }
}

static void plain_conv(plain *p, const wick_node *n, const double *x, double *y) {
    int64_t width = wick_value_width(&p->g->values[n->out]), t = n->attrs.conv.width;
    for (int64_t r = 0; r < p->n; r++)
        for (int64_t i = 0; i < width; i++) {
            double sum = 0;
            for (int64_t j = 0; j < t; j++)
                if (r - (t - 1) + j >= 0) sum += const_at(&p->g->values[n->in[1]], i, j) * x[(r - (t - 1) + j) * width + i];
            y[r * width + i] = sum;
        }
}

/* Logits of the last token, computed without quantizing activations. */
static void plain_logits(const wick_graph *g, const int32_t *tokens, int64_t n, double *logits) {
    plain p = {.g = g, .values = calloc(g->n_value, sizeof(double *)), .tokens = tokens, .n = n};
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *node = &g->nodes[i];
        int64_t width = wick_value_width(&g->values[node->out]);
        double *y = p.values[node->out] = calloc((size_t)(n * (width ? width : 1)), sizeof(double)); /* tokens: width 0 */
        const double *x = node->in[0] >= 0 ? p.values[node->in[0]] : NULL;
        if (node->op == WICK_OP_gather_ids) {
            const int32_t *map = g->values[node->in[1]].parts->data.bytes;
            for (int64_t r = 0; r < n; r++) y[r] = map[tokens[r]];
        } else if (node->op == WICK_OP_embedding) {
            for (int64_t r = 0; r < n; r++)
                for (int64_t j = 0; j < width; j++) y[r * width + j] = const_at(&g->values[node->in[1]], x ? (int64_t)x[r] : tokens[r], j);
        } else if (node->op == WICK_OP_linear)
            plain_linear(&p, node, x, y);
        else if (node->op == WICK_OP_attention)
            plain_attention(&p, node, y);
        else if (node->op == WICK_OP_rope)
            plain_rope(&p, node, x, y);
        else if (node->op == WICK_OP_short_conv)
            plain_conv(&p, node, x, y);
        else
            plain_rows(&p, node, x, y);
    }
    memcpy(logits, p.values[g->logits] + (n - 1) * g->n_vocab, (size_t)g->n_vocab * sizeof(double));
    for (size_t i = 0; i < g->n_value; i++) free(p.values[i]);
    free(p.values);
}

/* ---------------------------------------------------------------- configurations */

enum { N_CONFIG = 16 };

static tiny_options config(int i) {
    tiny_options o = tiny_options_default();
    o.seed = (uint64_t)i + 1;
    switch (i) {
    case 0: break;
    case 1: o.quant = TINY_Q4; break;
    case 2:
        o.quant = TINY_Q4, o.parts = true, o.bias = true, o.embedding = (wick_scheme){WICK_SCHEME_INT, 8, 0, WICK_F32, WICK_PACK_BYTE};
        break;
    case 3: o.quant = TINY_Q8, o.qk_norm = true, o.embedding = (wick_scheme){WICK_SCHEME_INT, 4, 32, WICK_F32, WICK_PACK_HIGH_FIRST}; break;
    case 4: o.quant = TINY_F16, o.n_kv_head = 4, o.interleaved_rope = true; break;
    case 5: o.quant = TINY_BF16, o.n_kv_head = 1, o.full_logits = true; break;
    case 6: o.ffn = 172, o.dim = 72, o.n_head = 3, o.n_kv_head = 3, o.d_head = 24, o.n_vocab = 37; break;
    case 7: o.quant = TINY_Q4, o.ffn = 172, o.geglu = true, o.window = 20; break;
    case 8: o.conv_layers = true; break;
    case 9: o.quant = TINY_Q4, o.conv_layers = true, o.n_layer = 3; break;
    case 10: o.post_norm = true, o.softcap = 5, o.n_rotary = 8; break;
    case 11: o.quant = TINY_Q4_ROW, o.parts = true; break;
    case 12: o.quant = TINY_INT8_WEIGHT_ONLY, o.prune = true; break;
    case 13:
        o.quant = TINY_Q4, o.group = 64, o.dim = 192, o.n_head = 9, o.n_kv_head = 3, o.d_head = 64,
        o.embedding = (wick_scheme){WICK_SCHEME_INT, 2, 32, WICK_F32, WICK_PACK_HIGH_FIRST};
        break;
    case 14: o.window = 9, o.n_sink = 3, o.wrap = (wick_wrap){3, 18}; break;
    case 15: o.quant = TINY_Q4, o.ffn = 128, o.hadamard = true; break;
    }
    return o;
}

static bool quantizes(const tiny_options *o) { return o->quant == TINY_Q4 || o->quant == TINY_Q8 || o->quant == TINY_Q4_ROW; }

/* ---------------------------------------------------------------- tests */

/* fp32 rounding grows by far less than 1e-4 over two layers of width 64 with logits of size 1. A row of activations rounded
 * to 8 bits is off by up to 1/510 of its range per element, independently: about 1 % of a logit's size after two layers. */
static void agrees_with_plain(void **state) {
    (void)state;
    for (int c = 0; c < N_CONFIG; c++) {
        tiny_options o = config(c);
        wick_graph *g = tiny_graph_new(&o);
        int64_t n = 29;
        int32_t *tokens = some_tokens(n, o.n_vocab);
        double *want = malloc((size_t)o.n_vocab * sizeof *want), error = 0, size = 0;
        plain_logits(g, tokens, n, want);
        runner r = start(g, "reference", 1, true, 16);
        const float *got = runner_evaluate(&r, tokens, 0, n, 16);
        for (int64_t i = 0; i < o.n_vocab; i++) error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]), size += want[i] * want[i];
        double limit = quantizes(&o) ? 0.03 : 1e-5;
        if (!(sqrt(error / size) <= limit))
            fail_msg("configuration %d: relative error %g, expected at most %g", c, sqrt(error / size), limit);
        runner_stop(&r);
        free(want);
        free(tokens);
        wick_graph_free(g);
    }
}

static void same_bits(void **state) {
    (void)state;
    int64_t n = 80;
    static const int64_t chunks[] = {80, 1, 7, 33};
    static const int thread_counts[] = {1, 2, 3};
    for (int c = 0; c < N_CONFIG; c++) {
        tiny_options o = config(c);
        wick_graph *g = tiny_graph_new(&o);
        int32_t *tokens = some_tokens(n, o.n_vocab);
        float *want = NULL;
        size_t size = (size_t)o.n_vocab * 4;
        for (const char *const *level = wick_cpu_level_names(); *level; level++) {
            uint32_t mask;
            wick_cpu_level(*level, &mask);
            if ((mask & wick_cpu_detect()) != mask) {
                if (c == 0) print_message("skipped: this machine has no %s\n", *level);
                continue;
            }
            for (size_t t = 0; t < 3; t++) {
                runner r = start(g, *level, thread_counts[t], c % 2, 80);
                for (size_t k = 0; k < 4; k++) {
                    const float *got = runner_evaluate(&r, tokens, 0, n, chunks[k]);
                    if (!want) want = malloc(size), memcpy(want, got, size);
                    if (memcmp(want, got, size) != 0)
                        fail_msg("configuration %d, %s, %d threads, steps of %d: other bits", c, *level, thread_counts[t], (int)chunks[k]);
                }
                runner_stop(&r);
            }
        }
        free(want);
        free(tokens);
        wick_graph_free(g);
    }
}

static void check_far(int64_t window, int64_t n_sink) {
    tiny_options o = tiny_options_default();
    o.n_layer = 1, o.context = 1100, o.n_kv_head = 1, o.window = window, o.n_sink = n_sink;
    wick_graph *g = tiny_graph_new(&o);
    int32_t *tokens = some_tokens(o.context, o.n_vocab);
    float *want = NULL;
    size_t size = (size_t)o.n_vocab * 4;
    for (int t = 1; t <= 3; t++) {
        runner r = start(g, NULL, t, false, 400);
        for (int64_t last = 1; last <= 51; last += 50) {
            runner_evaluate(&r, tokens, 0, o.context - last, 400);
            const float *got = runner_evaluate(&r, tokens, o.context - last, o.context, last == 51 ? 51 : 1);
            if (!want) want = malloc(size), memcpy(want, got, size);
            assert_memory_equal(want, got, size);
        }
        runner_stop(&r);
    }
    free(want);
    free(tokens);
    wick_graph_free(g);
}

/* Several key chunks, split over threads or not. */
static void same_bits_far(void **state) {
    (void)state;
    check_far(0, 0);
    check_far(300, 0);
    check_far(300, 5);   /* sinks far from the window */
    check_far(700, 500); /* one chunk holds sinks and the window's first keys */
    check_far(90, 600);  /* more than one chunk of sinks */
}

static void a_step_allocates_nothing(void **state) {
    (void)state;
    for (int c = 0; c < N_CONFIG; c++) {
        tiny_options o = config(c);
        wick_graph *g = tiny_graph_new(&o);
        int32_t *tokens = some_tokens(40, o.n_vocab);
        runner r = start(g, NULL, 2, false, 32);
        uint64_t before = wick_mem_stats_get().n_alloc;
        runner_evaluate(&r, tokens, 0, 30, 32);
        runner_evaluate(&r, tokens, 30, 40, 1);
        assert_int_equal(wick_mem_stats_get().n_alloc, before);
        runner_stop(&r);
        free(tokens);
        wick_graph_free(g);
    }
}

static void states_come_back(void **state) {
    (void)state;
    static const int picks[] = {0, 1, 9};
    for (size_t i = 0; i < 3; i++) {
        tiny_options o = config(picks[i]);
        wick_graph *g = tiny_graph_new(&o);
        int32_t *tokens = some_tokens(60, o.n_vocab);
        size_t size = (size_t)o.n_vocab * 4;
        float *want = malloc(size);
        runner a = start(g, NULL, 2, i == 0, 60), b = start(g, NULL, 1, i == 0, 60);
        memcpy(want, runner_evaluate(&a, tokens, 0, 60, 60), size);
        runner_evaluate(&a, tokens, 0, 37, 60);
        uint64_t n = wick_backend_cpu.export_size(a.state, 37);
        void *bytes = malloc(n);
        wick_backend_cpu.export_state(a.state, 37, bytes);
        assert_ok(wick_backend_cpu.import_state(b.state, 37, bytes, n, err));
        assert_memory_equal(want, runner_evaluate(&b, tokens, 37, 60, 5), size);
        assert_int_equal(wick_backend_cpu.import_state(b.state, 37, bytes, n - 1, NULL), WICK_EMISMATCH);
        assert_int_equal(wick_backend_cpu.import_state(b.state, 4000, bytes, n, NULL), WICK_ELIMIT);
        bool recurrent = o.conv_layers;
        assert_int_equal(wick_backend_cpu.rewind(b.state, 20), !recurrent);
        if (!recurrent) assert_memory_equal(want, runner_evaluate(&b, tokens, 20, 60, 60), size);
        assert_true(wick_backend_cpu.rewind(b.state, 0));
        assert_memory_equal(want, runner_evaluate(&b, tokens, 0, 60, 9), size);
        free(bytes);
        free(want);
        free(tokens);
        runner_stop(&a);
        runner_stop(&b);
        wick_graph_free(g);
    }
}

static void bad_steps_are_refused(void **state) {
    (void)state;
    tiny_options o = config(0);
    wick_graph *g = tiny_graph_new(&o);
    runner r = start(g, NULL, 1, false, 8);
    const float *logits;
    int32_t tokens[16] = {0};
    wick_error e;
    assert_int_equal(wick_backend_cpu.step(r.state, tokens, 9, 0, true, &logits, &e), WICK_EINVAL);
    assert_int_equal(wick_backend_cpu.step(r.state, tokens, 2, o.context - 1, true, &logits, &e), WICK_ELIMIT);
    tokens[1] = (int32_t)o.n_vocab;
    assert_int_equal(wick_backend_cpu.step(r.state, tokens, 2, 0, true, &logits, &e), WICK_EINVAL);
    assert_string_equal(e.message, "token id 50 at position 1, expected 0 to 49");
    tokens[1] = -1;
    assert_int_equal(wick_backend_cpu.step(r.state, tokens, 2, 0, true, &logits, &e), WICK_EINVAL);
    runner_stop(&r);
    wick_graph_free(g);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    tiny_options o = config(9);
    o.prune = true;
    wick_graph *g = tiny_graph_new(&o);
    wick_pool *pool;
    assert_ok(wick_pool_new(1, &pool, err));
    uint64_t live = wick_mem_stats_get().n_live;
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        wick_backend_plan *plan = NULL;
        wick_backend_state *s = NULL;
        wick_plan_options po = {0};
        wick_state_options so = {.context = 40, .chunk = 10};
        wick_mem_fail_at(n);
        wick_status status = wick_backend_cpu.plan_new(g, &po, pool, &plan, NULL);
        if (status == WICK_OK) status = wick_backend_cpu.state_new(plan, &so, pool, &s, NULL);
        wick_mem_fail_at(0);
        done = status == WICK_OK;
        if (!done) assert_int_equal(status, WICK_ENOMEM);
        wick_backend_cpu.state_free(s);
        wick_backend_cpu.plan_free(plan);
        assert_int_equal(wick_mem_stats_get().n_live, live);
    }
    wick_pool_free(pool);
    wick_graph_free(g);
}

/* ---------------------------------------------------------------- fine ops */

typedef struct host_log {
    const wick_graph *g;
    int n_call;
} host_log;

/* -x on the host. */
static wick_status negate(void *user, wick_node_id node, int64_t n, int64_t position, const void *const *in, void *out, wick_error *err) {
    host_log *log = user;
    const wick_value *v = &log->g->values[log->g->nodes[node].out];
    int64_t count = wick_dim_eval(v->dims[0], n, position) * v->dims[1].c;
    log->n_call++;
    if (position > 100) return wick_fail(err, WICK_EINTERNAL, "far");
    for (int64_t i = 0; i < count; i++) ((float *)out)[i] = -((const float *)in[0])[i];
    return WICK_OK;
}

/* x -> -x -> -x twice over must give the model without it. */
static void fine_ops_run_on_the_host(void **state) {
    (void)state;
    tiny_options o = config(0);
    wick_graph *plain_graph = tiny_graph_new(&o), *g = tiny_graph_new(&o);
    wick_dim dims[2] = {wick_dim_s(), wick_dim_const(o.dim)};
    wick_value_id x = -1;
    size_t n_node = g->n_node;
    for (size_t i = 0; i < n_node && x < 0; i++)
        if (g->nodes[i].op == WICK_OP_add) x = g->nodes[i].out;
    wick_value_id a = wick_graph_fine(g, WICK_OP_f_neg, (wick_attrs){0}, &x, 1, WICK_F32, 2, dims, (wick_origin){0, -1});
    wick_value_id b = wick_graph_fine(g, WICK_OP_f_neg, (wick_attrs){0}, &a, 1, WICK_F32, 2, dims, (wick_origin){1, -1});
    for (size_t i = 0; i < n_node; i++)
        for (int j = 0; j < g->nodes[i].n_in; j++)
            if (g->nodes[i].in[j] == x) g->nodes[i].in[j] = b;
    assert_ok(wick_graph_canonicalize(g, err));
    assert_ok(wick_graph_check(g, err));
    int32_t *tokens = some_tokens(120, o.n_vocab);
    size_t size = (size_t)o.n_vocab * 4;
    runner r = start(plain_graph, NULL, 2, false, 32);
    host_log log = {.g = g};
    wick_backend_plan *plan;
    wick_backend_state *s;
    wick_plan_options po = {.cpu_mask = wick_cpu_detect()};
    wick_state_options so = {.context = 120, .chunk = 32, .host = negate, .host_user = &log};
    assert_ok(wick_backend_cpu.plan_new(g, &po, r.pool, &plan, err));
    assert_ok(wick_backend_cpu.state_new(plan, &so, r.pool, &s, err));
    runner hosted = {r.pool, plan, s, o.n_vocab};
    float *want = malloc(size);
    memcpy(want, runner_evaluate(&r, tokens, 0, 60, 32), size);
    assert_memory_equal(want, runner_evaluate(&hosted, tokens, 0, 60, 32), size);
    assert_int_equal(log.n_call, 4);
    const float *logits;
    wick_error e;
    assert_int_equal(wick_backend_cpu.step(s, tokens + 101, 2, 101, true, &logits, &e), WICK_EINTERNAL);
    assert_string_equal(e.message, "far");
    wick_backend_cpu.state_free(s);
    wick_backend_cpu.plan_free(plan);
    runner_stop(&r);
    free(want);
    free(tokens);
    wick_graph_free(g);
    wick_graph_free(plain_graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_plain),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(same_bits_far),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(states_come_back),
        cmocka_unit_test(bad_steps_are_refused),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(fine_ops_run_on_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
