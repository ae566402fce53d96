/* llama2.c: the files of github.com/karpathy/llama2.c, version 0: seven int32 and then fp32 weights, nothing else.
 *
 *     int32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len        vocab_size < 0: the classifier is its own
 *     token_embedding [V, dim]
 *     rms_att [L, dim] | wq [L, dim, dim] | wk, wv [L, kv_dim, dim] | wo [L, dim, dim]
 *     rms_ffn [L, dim] | w1 [L, hidden, dim] | w2 [L, dim, hidden] | w3 [L, hidden, dim]
 *     rms_final [dim] | freq_cis_real, freq_cis_imag [seq_len, head / 2] | wcls [V, dim] if its own
 *
 * There is no magic number: a file is one of these if its size is exactly what its header says. The rope tables that it
 * stores are skipped: they are a function of the header and rounded worse than ours. */
#include "container/container_impl.h"

#include "base/checked.h"

#include <stdio.h>

enum { HEADER_SIZE = 28 };

typedef struct header {
    int64_t dim, hidden, n_layer, n_head, n_kv_head, n_vocab, seq_len;
    int64_t kv_dim, d_head;
    bool own_classifier;
} header;

/* Reads the seven numbers; false if they describe no transformer. Each is below 2^31, so products of two fit an int64. */
static bool read_header(wick_bytes f, header *h) {
    if (f.size < HEADER_SIZE) return false;
    int64_t v[7];
    for (int i = 0; i < 7; i++) v[i] = (int32_t)wick_load_u32(f.data + 4 * i);
    *h = (header){.dim = v[0], .hidden = v[1], .n_layer = v[2], .n_head = v[3], .n_kv_head = v[4], .seq_len = v[6]};
    h->own_classifier = v[5] < 0;
    h->n_vocab = v[5] < 0 ? -v[5] : v[5];
    for (int i = 0; i < 7; i++)
        if (i != 5 && v[i] < 1) return false;
    if (h->n_vocab < 1 || h->n_vocab > WICK_MAX_VOCAB || h->n_layer > 65536 || h->dim % h->n_head || h->n_head % h->n_kv_head) return false;
    h->d_head = h->dim / h->n_head;
    h->kv_dim = h->d_head * h->n_kv_head;
    return h->d_head % 2 == 0;
}

/* Size in floats; false: overflow. */
static bool count_floats(const header *h, uint64_t *out) {
    const int64_t per_layer[][2] = {{1, h->dim},      {h->dim, h->dim}, {2 * h->kv_dim, h->dim},
                                    {h->dim, h->dim}, {1, h->dim},      {3 * h->hidden, h->dim}};
    uint64_t layer = 0, n = 0, v;
    for (int i = 0; i < 6; i++) {
        if (!wick_mul_u64((uint64_t)per_layer[i][0], (uint64_t)per_layer[i][1], &v) || !wick_add_u64(layer, v, &layer)) return false;
    }
    if (!wick_mul_u64(layer, (uint64_t)h->n_layer, &n)) return false;
    uint64_t rows = (uint64_t)h->n_vocab * (h->own_classifier ? 2 : 1) + 1, tables = (uint64_t)h->seq_len * (uint64_t)h->d_head;
    if (!wick_mul_u64(rows, (uint64_t)h->dim, &v) || !wick_add_u64(n, v, &n) || !wick_add_u64(n, tables, &n)) return false;
    *out = n;
    return n < UINT64_MAX / 8;
}

bool wick_llama2c_probe(wick_bytes file) {
    header h;
    uint64_t n;
    return read_header(file, &h) && count_floats(&h, &n) && file.size == HEADER_SIZE + 4 * n;
}

static wick_status add(wick_container *c, const uint8_t **at, const char *name, int64_t rows, int64_t cols, wick_error *err) {
    wick_tensor t = {.type = WICK_TENSOR_F32, .rank = cols ? 2 : 1, .dims = {rows, cols}, .data = *at};
    t.raw_type = wick_safetensors_format("F32")->raw;
    t.size = 4 * wick_tensor_count(&t);
    *at += t.size;
    t.name = wick_container_text(c, name, strlen(name));
    return t.name ? wick_container_add_tensor(c, &t, err) : wick_fail_nomem(err);
}

static wick_status add_layers(wick_container *c, const uint8_t **at, const header *h, const char *part, int64_t rows, int64_t cols,
                              wick_error *err) {
    for (int64_t i = 0; i < h->n_layer; i++) {
        char name[64];
        snprintf(name, sizeof name, "layers.%d.%s", (int)i, part);
        WICK_TRY(add(c, at, name, rows, cols, err));
    }
    return WICK_OK;
}

static wick_status add_int(wick_container *c, const char *key, int64_t value, wick_error *err) {
    return wick_container_add_meta(c, &(wick_meta){.key = key, .kind = WICK_META_INT, .i = value, .f = (double)value}, err);
}

wick_status wick_llama2c_read(wick_container *c, const char *name, wick_error *err) {
    header h;
    if (!wick_llama2c_probe((wick_bytes){c->files[0].data, c->files[0].size}))
        return wick_fail(err, WICK_EFORMAT, "%s: the size does not follow from the header of a llama2.c file", name);
    read_header((wick_bytes){c->files[0].data, c->files[0].size}, &h);
    const uint8_t *at = c->files[0].data + HEADER_SIZE;
    WICK_TRY(add(c, &at, "token_embedding", h.n_vocab, h.dim, err));
    WICK_TRY(add_layers(c, &at, &h, "attention_norm", h.dim, 0, err));
    WICK_TRY(add_layers(c, &at, &h, "wq", h.dim, h.dim, err));
    WICK_TRY(add_layers(c, &at, &h, "wk", h.kv_dim, h.dim, err));
    WICK_TRY(add_layers(c, &at, &h, "wv", h.kv_dim, h.dim, err));
    WICK_TRY(add_layers(c, &at, &h, "wo", h.dim, h.dim, err));
    WICK_TRY(add_layers(c, &at, &h, "ffn_norm", h.dim, 0, err));
    WICK_TRY(add_layers(c, &at, &h, "w1", h.hidden, h.dim, err));
    WICK_TRY(add_layers(c, &at, &h, "w2", h.dim, h.hidden, err));
    WICK_TRY(add_layers(c, &at, &h, "w3", h.hidden, h.dim, err));
    WICK_TRY(add(c, &at, "norm", h.dim, 0, err));
    at += 4 * h.seq_len * h.d_head;
    if (h.own_classifier) WICK_TRY(add(c, &at, "wcls", h.n_vocab, h.dim, err));
    WICK_TRY(add_int(c, "llama2c.dim", h.dim, err));
    WICK_TRY(add_int(c, "llama2c.hidden_dim", h.hidden, err));
    WICK_TRY(add_int(c, "llama2c.n_layers", h.n_layer, err));
    WICK_TRY(add_int(c, "llama2c.n_heads", h.n_head, err));
    WICK_TRY(add_int(c, "llama2c.n_kv_heads", h.n_kv_head, err));
    WICK_TRY(add_int(c, "llama2c.vocab_size", h.n_vocab, err));
    return add_int(c, "llama2c.seq_len", h.seq_len, err);
}
