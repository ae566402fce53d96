#include "support/tiny_graph.h"

#include "base/half.h"
#include "base/mem.h"
#include "support/support.h"

#include <math.h>

typedef struct maker {
    const tiny_options *o;
    wick_graph *g;
    test_rng rng;
} maker;

tiny_options tiny_options_default(void) {
    return (tiny_options){.dim = 64,
                          .n_head = 4,
                          .n_kv_head = 2,
                          .d_head = 16,
                          .ffn = 96,
                          .n_vocab = 50,
                          .n_layer = 2,
                          .context = 150,
                          .group = 32,
                          .seed = 7};
}

static void *own(maker *m, size_t n) {
    void *p = wick_graph_own(m->g, wick_calloc(n ? n : 1, 1));
    if (!p) fail_msg("no memory");
    return p;
}

static wick_value_id floats(maker *m, int rank, const int64_t *dims, wick_dtype dtype, float base, float spread) {
    int64_t n = dims[0] * (rank > 1 ? dims[1] : 1);
    size_t size = wick_dtype_size(dtype);
    uint8_t *bytes = own(m, (size_t)n * size);
    for (int64_t i = 0; i < n; i++) {
        float x = base + spread * test_rng_float(&m->rng);
        uint16_t h = dtype == WICK_F16 ? wick_f32_to_f16(x) : wick_f32_to_bf16(x);
        if (dtype == WICK_F32)
            memcpy(bytes + 4 * i, &x, 4);
        else
            memcpy(bytes + 2 * i, &h, 2);
    }
    wick_part part = {.n_row = dims[0], .data = wick_source_resident(bytes, (uint64_t)n * size)};
    return wick_graph_const(m->g, dtype, rank, dims, (wick_scheme){0}, &part, 1);
}

static wick_value_id vector(maker *m, int64_t n, float base, float spread) { return floats(m, 1, &n, WICK_F32, base, spread); }

/* A part of an integer constant: random codes, positive scales about 1 / (limit sqrt k). */
static wick_part int_part(maker *m, int64_t n_row, int64_t k, const wick_scheme *s) {
    int64_t group = s->group ? s->group : k, n_group = (k + group - 1) / group, row = (k * s->bits + 7) / 8;
    uint8_t *codes = own(m, (size_t)(n_row * row));
    size_t scale_size = wick_dtype_size(s->scale_dtype);
    uint8_t *scales = own(m, (size_t)(n_row * n_group) * scale_size);
    for (int64_t i = 0; i < n_row * row; i++) codes[i] = (uint8_t)test_rng_below(&m->rng, 256);
    for (int64_t i = 0; i < n_row * n_group; i++) {
        float x = (1.0f + 0.5f * test_rng_float(&m->rng)) / (float)(1 << (s->bits - 1)) / sqrtf((float)k);
        uint16_t h = wick_f32_to_bf16(x);
        if (s->scale_dtype == WICK_F32)
            memcpy(scales + 4 * i, &x, 4);
        else
            memcpy(scales + 2 * i, &h, 2);
    }
    return (wick_part){.n_row = n_row,
                       .data = wick_source_resident(codes, (uint64_t)(n_row * row)),
                       .scales = wick_source_resident(scales, (uint64_t)(n_row * n_group) * scale_size)};
}

static wick_value_id int_const(maker *m, int64_t n, int64_t k, wick_scheme s) {
    int64_t dims[2] = {n, k};
    int n_part = m->o->parts && n > 3 ? 3 : 1;
    wick_part parts[3];
    for (int i = 0; i < n_part; i++) parts[i] = int_part(m, i + 1 < n_part ? n / 3 : n - (n_part - 1) * (n / 3), k, &s);
    return wick_graph_const(m->g, WICK_F32, 2, dims, s, parts, n_part);
}

static wick_scheme weight_scheme(const tiny_options *o) {
    wick_scheme s = {.kind = WICK_SCHEME_INT, .scale_dtype = WICK_F32};
    if (o->quant == TINY_Q4)
        s.bits = 4, s.group = o->group, s.scale_dtype = WICK_BF16, s.packing = WICK_PACK_LOW_FIRST;
    else if (o->quant == TINY_Q4_ROW)
        s.bits = 4, s.packing = WICK_PACK_LOW_FIRST;
    else
        s.bits = 8, s.packing = WICK_PACK_BYTE;
    return s;
}

static wick_value_id op(maker *m, wick_op kind, wick_attrs a, wick_value_id x, wick_value_id y, wick_value_id z) {
    wick_value_id in[3] = {x, y, z};
    return wick_graph_op(m->g, kind, a, in, z >= 0 ? 3 : y >= 0 ? 2 : 1);
}

static wick_value_id linear(maker *m, wick_value_id x, int64_t n, int64_t k, bool bias) {
    const tiny_options *o = m->o;
    wick_attrs a = {.linear = {WICK_ACTQ_NONE}};
    wick_value_id w, b = bias ? vector(m, n, 0, 0.1f) : -1;
    int64_t dims[2] = {n, k};
    bool fits = o->quant == TINY_Q4 && k % o->group == 0;
    if (o->quant == TINY_F16 || o->quant == TINY_BF16)
        w = floats(m, 2, dims, o->quant == TINY_F16 ? WICK_F16 : WICK_BF16, 0, 1.7f / sqrtf((float)k));
    else if (o->quant == TINY_F32 || (o->quant == TINY_Q4 && !fits))
        w = floats(m, 2, dims, WICK_F32, 0, 1.7f / sqrtf((float)k));
    else {
        w = int_const(m, n, k, weight_scheme(o));
        if (o->quant != TINY_INT8_WEIGHT_ONLY) a.linear.act_quant = WICK_ACTQ_ROW8;
    }
    return op(m, WICK_OP_linear, a, x, w, b);
}

static wick_value_id split(maker *m, wick_value_id x, int64_t start, int64_t count) {
    return op(m, WICK_OP_split, (wick_attrs){.split = {start, count}}, x, -1, -1);
}

static wick_value_id norm(maker *m, wick_value_id x, int64_t n_group, int64_t d) {
    return op(m, WICK_OP_rmsnorm, (wick_attrs){.norm = {.eps = 1e-5f, .n_group = n_group}}, x, vector(m, d, 1, 0.3f), -1);
}

static wick_value_id table(maker *m, int64_t half, bool sine) {
    int64_t dims[2] = {m->o->context, half};
    float *rows = own(m, (size_t)(dims[0] * half) * 4);
    for (int64_t p = 0; p < dims[0]; p++)
        for (int64_t j = 0; j < half; j++) {
            double angle = (double)p * pow(10000.0, -(double)j / (double)half);
            rows[p * half + j] = (float)(sine ? sin(angle) : cos(angle));
        }
    wick_part part = {.n_row = dims[0], .data = wick_source_resident(rows, (uint64_t)(dims[0] * half) * 4)};
    return wick_graph_const(m->g, WICK_F32, 2, dims, (wick_scheme){0}, &part, 1);
}

static wick_value_id attention(maker *m, wick_value_id x, wick_value_id cos, wick_value_id sin) {
    const tiny_options *o = m->o;
    int64_t q_size = o->n_head * o->d_head, kv_size = o->n_kv_head * o->d_head;
    wick_value_id qkv = linear(m, x, q_size + 2 * kv_size, o->dim, o->bias);
    wick_value_id q = split(m, qkv, 0, q_size), k = split(m, qkv, q_size, kv_size), v = split(m, qkv, q_size + kv_size, kv_size);
    if (o->qk_norm) q = norm(m, q, o->n_head, o->d_head), k = norm(m, k, o->n_kv_head, o->d_head);
    wick_attrs a = {.rope = {.style = o->interleaved_rope ? WICK_ROPE_INTERLEAVED : WICK_ROPE_HALF,
                             .n_head = o->n_head,
                             .n_rotary = o->n_rotary ? o->n_rotary : o->d_head,
                             .wrap = o->wrap}};
    q = op(m, WICK_OP_rope, a, q, cos, sin);
    a.rope.n_head = o->n_kv_head;
    k = op(m, WICK_OP_rope, a, k, cos, sin);
    int64_t dims[3] = {o->context, o->n_kv_head, o->d_head};
    wick_value_id in[5] = {q, k, v, wick_graph_state(m->g, WICK_F32, 3, dims), wick_graph_state(m->g, WICK_F32, 3, dims)};
    wick_attrs t = {.attention = {.n_head = o->n_head,
                                  .n_kv_head = o->n_kv_head,
                                  .d_head = o->d_head,
                                  .scale = 1.0f / sqrtf((float)o->d_head),
                                  .window = o->window,
                                  .n_sink = o->n_sink}};
    return linear(m, wick_graph_op(m->g, WICK_OP_attention, t, in, 5), o->dim, q_size, false);
}

static wick_value_id conv(maker *m, wick_value_id x) {
    int64_t dims[2] = {m->o->dim, 3};
    wick_value_id b = linear(m, x, m->o->dim, m->o->dim, false), w = floats(m, 2, dims, WICK_F32, 0, 0.7f),
                  s = wick_graph_state(m->g, WICK_F32, 2, dims);
    wick_value_id y = op(m, WICK_OP_short_conv, (wick_attrs){.conv = {3}}, b, w, s);
    return op(m, WICK_OP_mul, (wick_attrs){0}, y, x, -1);
}

static wick_value_id layer(maker *m, wick_value_id x, int64_t i, wick_value_id cos, wick_value_id sin) {
    const tiny_options *o = m->o;
    wick_value_id n = norm(m, x, 1, o->dim);
    wick_value_id a = o->conv_layers && i % 2 == 0 ? conv(m, n) : attention(m, n, cos, sin);
    if (o->post_norm) a = norm(m, a, 1, o->dim);
    x = op(m, WICK_OP_add, (wick_attrs){0}, x, a, -1);
    wick_value_id h = linear(m, norm(m, x, 1, o->dim), 2 * o->ffn, o->dim, o->bias);
    h = op(m, WICK_OP_glu, (wick_attrs){.act = {o->geglu ? WICK_ACT_GELU_TANH : WICK_ACT_SILU}}, h, -1, -1);
    if (o->hadamard) h = op(m, WICK_OP_hadamard, (wick_attrs){0}, h, -1, -1);
    h = linear(m, h, o->dim, o->ffn, false);
    return op(m, WICK_OP_add, (wick_attrs){0}, x, h, -1);
}

static wick_value_id embedding(maker *m) {
    const tiny_options *o = m->o;
    int64_t dims[2] = {o->n_vocab, o->dim};
    wick_value_id tokens = m->g->tokens, t;
    if (o->embedding.kind == WICK_SCHEME_INT)
        t = int_const(m, o->n_vocab, o->dim, o->embedding);
    else
        t = floats(m, 2, dims, WICK_F32, 0, 1);
    if (o->prune) {
        int32_t *map = own(m, (size_t)o->n_vocab * 4);
        for (int64_t i = 0; i < o->n_vocab; i++) map[i] = (int32_t)((i * 7 + 3) % o->n_vocab);
        wick_part part = {.n_row = o->n_vocab, .data = wick_source_resident(map, (uint64_t)o->n_vocab * 4)};
        wick_value_id c = wick_graph_const(m->g, WICK_I32, 1, &o->n_vocab, (wick_scheme){0}, &part, 1);
        tokens = op(m, WICK_OP_gather_ids, (wick_attrs){0}, tokens, c, -1);
    }
    return op(m, WICK_OP_embedding, (wick_attrs){0}, tokens, t, -1);
}

wick_graph *tiny_graph_new(const tiny_options *o) {
    maker m = {.o = o, .rng = {o->seed * 0x9e3779b97f4a7c15u + 1}};
    wick_dim s = wick_dim_s();
    assert_ok(wick_graph_new(&m.g, err));
    m.g->tokens = wick_graph_input(m.g, WICK_I64, 1, &s);
    m.g->max_seq_len = m.g->max_context = o->context;
    m.g->n_vocab = o->n_vocab;
    m.g->n_layer = o->n_layer;
    m.g->uses_kv_cache = true;
    int64_t half = (o->n_rotary ? o->n_rotary : o->d_head) / 2;
    wick_value_id x = embedding(&m), cos = table(&m, half, false), sin = table(&m, half, true);
    for (int64_t i = 0; i < o->n_layer; i++) x = layer(&m, x, i, cos, sin);
    if (!o->full_logits) x = op(&m, WICK_OP_last_row, (wick_attrs){0}, x, -1, -1);
    x = linear(&m, norm(&m, x, 1, o->dim), o->n_vocab, o->dim, false);
    if (o->softcap != 0) x = op(&m, WICK_OP_softcap, (wick_attrs){.scale = {o->softcap}}, x, -1, -1);
    m.g->logits = x;
    if (wick_graph_failed(m.g)) fail_msg("the graph could not be built");
    assert_ok(wick_graph_check(m.g, err));
    return m.g;
}
