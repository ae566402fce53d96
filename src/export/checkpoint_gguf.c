/* The architecture from the metadata of a GGUF (keys: docs/gguf.md of ggml-org/ggml) and from the header of a llama2.c file. */
#include "export/checkpoint_family.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>

/* Metadata whose keys begin with the architecture's name. */
typedef struct keys {
    const wick_container *container;
    const char *arch;
    char key[200];
} keys;

static const char *key_of(keys *k, const char *name) {
    snprintf(k->key, sizeof k->key, "%.60s.%s", k->arch, name);
    return k->key;
}

static wick_status get_int(keys *k, const char *name, int64_t fallback, int64_t *out, wick_error *err) {
    return wick_container_int(k->container, key_of(k, name), fallback, out, err);
}

static wick_status need_int(keys *k, const char *name, int64_t *out, wick_error *err) {
    if (!wick_container_meta(k->container, key_of(k, name)))
        return wick_fail(err, WICK_EFORMAT, "%s: the metadata key '%s' is missing", k->container->path, k->key);
    return get_int(k, name, 0, out, err);
}

/* Llama 3's scaling is stored as a tensor of divisors, made by the converter. */
static wick_status read_factors(wick_checkpoint *c, const wick_tensor *t, wick_error *err) {
    wick_arch *a = &c->arch;
    if (a->n_rotary < 2 || wick_tensor_count(t) != (uint64_t)a->n_rotary / 2)
        return wick_fail(err, WICK_EMISMATCH, "%s: '%s' has %llu numbers, the configuration says %lld", c->path, t->name,
                         (unsigned long long)wick_tensor_count(t), (long long)a->n_rotary / 2);
    a->rope_factors = wick_calloc((size_t)a->n_rotary / 2, sizeof(float));
    if (!a->rope_factors) return wick_fail_nomem(err);
    WICK_TRY(wick_tensor_to_f32(t, 0, (uint64_t)a->n_rotary / 2, a->rope_factors, err));
    for (int64_t i = 0; i < a->n_rotary / 2; i++)
        if (!(a->rope_factors[i] > 0 && isfinite(a->rope_factors[i])))
            return wick_fail(err, WICK_EFORMAT, "%s: number %lld of '%s' is no positive factor", c->path, (long long)i, t->name);
    a->rope_scaling = WICK_ROPE_FACTORS;
    return WICK_OK;
}

static wick_status read_rope(wick_checkpoint *c, keys *k, wick_error *err) {
    wick_arch *a = &c->arch;
    WICK_TRY(get_int(k, "rope.dimension_count", a->d_head, &a->n_rotary, err));
    WICK_TRY(wick_container_float(k->container, key_of(k, "rope.freq_base"), 10000, &a->rope_theta, err));
    const wick_tensor *factors = wick_container_find(k->container, "rope_freqs.weight");
    if (factors) return read_factors(c, factors, err);
    const wick_meta *type = wick_container_meta(k->container, key_of(k, "rope.scaling.type"));
    WICK_TRY(wick_container_float(k->container, key_of(k, "rope.scaling.factor"), 1, &a->rope_factor, err));
    if (!type || (type->s.size == 4 && !memcmp(type->s.data, "none", 4))) return WICK_OK;
    if (type->kind != WICK_META_STRING || type->s.size != 6 || memcmp(type->s.data, "linear", 6))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: the rope scaling '%.*s' is not one that Wick has (none, linear)", c->path,
                         (int)(type->s.size < 40 ? type->s.size : 40), type->s.data ? (const char *)type->s.data : "");
    a->rope_scaling = WICK_ROPE_LINEAR;
    return WICK_OK;
}

static wick_status read_sizes(wick_checkpoint *c, keys *k, wick_error *err) {
    wick_arch *a = &c->arch;
    const wick_tensor *embedding = wick_container_find(k->container, "token_embd.weight");
    int64_t d_value, n_expert;
    double eps;
    WICK_TRY(need_int(k, "embedding_length", &a->dim, err));
    WICK_TRY(need_int(k, "block_count", &a->n_layer, err));
    WICK_TRY(need_int(k, "feed_forward_length", &a->d_ffn, err));
    WICK_TRY(need_int(k, "attention.head_count", &a->n_head, err));
    WICK_TRY(get_int(k, "attention.head_count_kv", a->n_head, &a->n_kv_head, err));
    WICK_TRY(get_int(k, "attention.key_length", a->n_head > 0 ? a->dim / a->n_head : 0, &a->d_head, err));
    WICK_TRY(get_int(k, "attention.value_length", a->d_head, &d_value, err));
    WICK_TRY(get_int(k, "context_length", 2048, &a->max_context, err));
    WICK_TRY(get_int(k, "vocab_size", embedding && embedding->rank == 2 ? embedding->dims[0] : 0, &a->n_vocab, err));
    WICK_TRY(get_int(k, "expert_count", 0, &n_expert, err));
    WICK_TRY(wick_container_float(k->container, key_of(k, "attention.layer_norm_rms_epsilon"), 1e-5, &eps, err));
    a->norm_eps = (float)eps;
    a->act = WICK_ACT_SILU;
    if (n_expert > 0)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: a mixture of %lld experts, which Wick does not export", c->path, (long long)n_expert);
    if (d_value != a->d_head)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: heads have %lld lanes in keys and %lld in values, expected the same", c->path,
                         (long long)a->d_head, (long long)d_value);
    return WICK_OK;
}

wick_status wick_arch_from_gguf(wick_checkpoint *c, const wick_family **family, wick_error *err) {
    char name[64] = "";
    const wick_meta *m = wick_container_meta(c->container, "general.architecture");
    if (!m || m->kind != WICK_META_STRING || m->s.size >= sizeof name)
        return wick_fail(err, WICK_EFORMAT, "%s: no metadata key 'general.architecture'", c->path);
    if (m->s.size) memcpy(name, m->s.data, m->s.size);
    *family = wick_family_find(WICK_FAMILY_GGUF, name);
    if (!*family) return wick_family_unknown(c->path, "the architecture", name, WICK_FAMILY_GGUF, err);
    c->arch.family = (*family)->name;
    keys k = {.container = c->container, .arch = name};
    WICK_TRY(read_sizes(c, &k, err));
    return read_rope(c, &k, err);
}

wick_status wick_arch_from_llama2c(wick_checkpoint *c, const wick_family **family, wick_error *err) {
    wick_arch *a = &c->arch;
    *family = &wick_family_llama;
    a->family = (*family)->name;
    keys k = {.container = c->container, .arch = "llama2c"};
    WICK_TRY(need_int(&k, "dim", &a->dim, err));
    WICK_TRY(need_int(&k, "n_layers", &a->n_layer, err));
    WICK_TRY(need_int(&k, "n_heads", &a->n_head, err));
    WICK_TRY(need_int(&k, "n_kv_heads", &a->n_kv_head, err));
    WICK_TRY(need_int(&k, "hidden_dim", &a->d_ffn, err));
    WICK_TRY(need_int(&k, "vocab_size", &a->n_vocab, err));
    WICK_TRY(need_int(&k, "seq_len", &a->max_context, err));
    a->d_head = a->n_rotary = a->dim / a->n_head;
    a->norm_eps = 1e-5f; /* the file format has these fixed */
    a->rope_theta = 10000;
    a->act = WICK_ACT_SILU;
    return WICK_OK;
}

/* ---------------------------------------------------------------- what travels in a GGUF */

static wick_status copy_text(const wick_meta *m, char **out, wick_error *err) {
    if (!m || m->kind != WICK_META_STRING || !m->s.size) return WICK_OK;
    *out = wick_strndup((const char *)m->s.data, m->s.size);
    return *out ? WICK_OK : wick_fail_nomem(err);
}

wick_status wick_checkpoint_extras_gguf(wick_checkpoint *c, wick_error *err) {
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
    const wick_container *g = c->container;
    WICK_TRY(wick_container_int(g, "tokenizer.ggml.bos_token_id", -1, &c->bos_id, err));
    for (int i = 0; i < 3; i++) {
        int64_t id;
        WICK_TRY(wick_container_int(g, ends[i], -1, &id, err));
        WICK_TRY(wick_checkpoint_add_eos(c, id, err));
    }
    WICK_TRY(copy_text(wick_container_meta(g, "tokenizer.chat_template"), &c->chat_template, err));
    WICK_TRY(wick_checkpoint_sampling_gguf(c, err));
    if (!wick_container_meta(g, "tokenizer.ggml.tokens")) return WICK_OK;
    c->tokenizer = wick_strdup(c->path);
    return c->tokenizer ? WICK_OK : wick_fail_nomem(err);
}
