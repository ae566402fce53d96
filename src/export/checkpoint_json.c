/* The architecture from JSON: config.json of transformers, or params.json of Meta and ExecuTorch (ModelArgs).
 *
 * Both say the same things in other words. Which one a file is shows in the word for the width: hidden_size or dim. */
#include "export/checkpoint_family.h"

#include "base/file.h"
#include "base/mem.h"
#include "container/json_memory.h"

#include <math.h>

/* ---------------------------------------------------------------- reading JSON */

wick_status wick_json_file(const char *folder, const char *name, bool required, json_t **out, wick_error *err) {
    *out = NULL;
    char *path = *folder ? wick_path_join(folder, name) : wick_strdup(name);
    if (!path) return wick_fail_nomem(err);
    wick_status status = WICK_OK;
    wick_mapping m = {0};
    json_error_t je;
    if (!required && wick_os_path_kind(path) == WICK_PATH_NONE) goto out;
    WICK_CHECK_GOTO(wick_os_map(path, false, &m, err));
    if (m.size > WICK_MAX_JSON)
        status = wick_fail(err, WICK_ELIMIT, "%s: %zu bytes of JSON (at most %u)", path, m.size, WICK_MAX_JSON);
    else
        *out = json_loadb((const char *)m.data, m.size, JSON_REJECT_DUPLICATES, &je);
    if (status != WICK_OK) goto out;
    if (!*out && wick_json_no_memory(&je))
        status = wick_fail_nomem(err);
    else if (!*out)
        status = wick_fail(err, WICK_EFORMAT, "%s: line %d, column %d: %s", path, je.line, je.column, je.text);
    else if (!json_is_object(*out))
        status = wick_fail(err, WICK_EFORMAT, "%s: no JSON object", path);
out:
    if (status != WICK_OK) {
        json_decref(*out);
        *out = NULL;
    }
    wick_os_unmap(&m);
    wick_free(path);
    return status;
}

/* Where the fields are looked up, for messages too. */
typedef struct source {
    const char *path;
    json_t *json;
} source;

/* A field that is there and not null. */
static json_t *field(const source *s, const char *key) {
    json_t *j = json_object_get(s->json, key);
    return json_is_null(j) ? NULL : j;
}

static wick_status get_int(const source *s, const char *key, int64_t fallback, int64_t *out, wick_error *err) {
    json_t *j = field(s, key);
    *out = j ? json_integer_value(j) : fallback;
    if (!j || json_is_integer(j)) return WICK_OK;
    return wick_fail(err, WICK_EFORMAT, "%s: '%s' is no integer", s->path, key);
}

static wick_status need_int(const source *s, const char *key, int64_t *out, wick_error *err) {
    if (!field(s, key)) return wick_fail(err, WICK_EFORMAT, "%s: '%s' is missing", s->path, key);
    return get_int(s, key, 0, out, err);
}

static wick_status get_number(const source *s, const char *key, double fallback, double *out, wick_error *err) {
    json_t *j = field(s, key);
    *out = j ? json_number_value(j) : fallback;
    if (!j || json_is_number(j)) return WICK_OK;
    return wick_fail(err, WICK_EFORMAT, "%s: '%s' is no number", s->path, key);
}

static bool get_bool(const source *s, const char *key, bool fallback) {
    json_t *j = field(s, key);
    return j ? json_is_true(j) : fallback;
}

static const char *get_text(const source *s, const char *key) { return json_string_value(field(s, key)); }

/* ---------------------------------------------------------------- config.json of transformers */

static wick_status read_act(const source *s, wick_arch *a, wick_error *err) {
    static const struct {
        const char *name;
        wick_act act;
    } acts[] = {{"silu", WICK_ACT_SILU},          {"swish", WICK_ACT_SILU},
                {"gelu", WICK_ACT_GELU},          {"gelu_pytorch_tanh", WICK_ACT_GELU_TANH},
                {"gelu_new", WICK_ACT_GELU_TANH}, {"gelu_approx", WICK_ACT_GELU_TANH},
                {"relu", WICK_ACT_RELU}};
    const char *name = get_text(s, field(s, "hidden_act") ? "hidden_act" : "act_fn");
    a->act = WICK_ACT_SILU;
    if (!name) return WICK_OK;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (!strcmp(acts[i].name, name)) {
            a->act = acts[i].act;
            return WICK_OK;
        }
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: the activation '%.60s' is not one that Wick has (silu, gelu, gelu_pytorch_tanh, relu)",
                     s->path, name);
}

static wick_status read_llama3(const source *s, wick_arch *a, wick_error *err) {
    a->rope_scaling = WICK_ROPE_LLAMA3;
    WICK_TRY(get_number(s, "low_freq_factor", 1, &a->rope_low_freq_factor, err));
    WICK_TRY(get_number(s, "high_freq_factor", 4, &a->rope_high_freq_factor, err));
    return get_int(s, "original_max_position_embeddings", 8192, &a->rope_original_context, err);
}

/* "rope_scaling": null or an object; newer files say all of it, theta too, in "rope_parameters". */
static wick_status read_rope(const source *s, wick_arch *a, wick_error *err) {
    json_t *j = field(s, "rope_parameters");
    double partial;
    if (!j) j = field(s, "rope_scaling");
    source r = {s->path, json_is_object(j) ? j : NULL};
    if (j && !r.json) return wick_fail(err, WICK_EFORMAT, "%s: 'rope_scaling' is no object", s->path);
    WICK_TRY(get_number(s, "rope_theta", 10000, &a->rope_theta, err));
    WICK_TRY(get_number(&r, "rope_theta", a->rope_theta, &a->rope_theta, err));
    WICK_TRY(get_number(s, "partial_rotary_factor", 1, &partial, err));
    WICK_TRY(get_number(&r, "partial_rotary_factor", partial, &partial, err));
    if (!(partial > 0 && partial <= 1)) return wick_fail(err, WICK_EFORMAT, "%s: 'partial_rotary_factor' is not in (0, 1]", s->path);
    a->n_rotary = (int64_t)((double)a->d_head * partial);
    const char *type = get_text(&r, field(&r, "rope_type") ? "rope_type" : "type");
    if (!type || !strcmp(type, "default")) return WICK_OK;
    WICK_TRY(get_number(&r, "factor", 1, &a->rope_factor, err));
    if (!strcmp(type, "llama3")) return read_llama3(&r, a, err);
    if (strcmp(type, "linear"))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: the rope scaling '%.40s' is not one that Wick has (default, linear, llama3)", s->path,
                         type);
    a->rope_scaling = WICK_ROPE_LINEAR;
    return WICK_OK;
}

static wick_status read_hf(const source *s, wick_arch *a, wick_error *err) {
    double eps;
    if (field(s, "quantization_config"))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: the weights are quantized already ('quantization_config'); Wick takes float weights",
                         s->path);
    WICK_TRY(need_int(s, "hidden_size", &a->dim, err));
    WICK_TRY(need_int(s, "num_hidden_layers", &a->n_layer, err));
    WICK_TRY(need_int(s, "num_attention_heads", &a->n_head, err));
    WICK_TRY(need_int(s, "intermediate_size", &a->d_ffn, err));
    WICK_TRY(need_int(s, "vocab_size", &a->n_vocab, err));
    WICK_TRY(get_int(s, "num_key_value_heads", a->n_head, &a->n_kv_head, err));
    WICK_TRY(get_int(s, "head_dim", a->n_head > 0 ? a->dim / a->n_head : 0, &a->d_head, err));
    WICK_TRY(get_int(s, "max_position_embeddings", 2048, &a->max_context, err));
    WICK_TRY(get_number(s, "rms_norm_eps", 1e-6, &eps, err));
    a->norm_eps = (float)eps;
    a->tied = get_bool(s, "tie_word_embeddings", false);
    WICK_TRY(read_act(s, a, err));
    return read_rope(s, a, err);
}

/* ---------------------------------------------------------------- params.json of Meta and ExecuTorch */

/* The feed-forward width where it is not given: two thirds of 4 dim, times a factor, rounded up. */
static wick_status derive_ffn(const source *s, wick_arch *a, wick_error *err) {
    double factor;
    int64_t multiple;
    WICK_TRY(get_number(s, "ffn_dim_multiplier", 1, &factor, err));
    WICK_TRY(get_int(s, "multiple_of", 256, &multiple, err));
    if (a->dim < 1 || a->dim > 1 << 24 || !(factor > 0 && factor < 1000) || multiple < 1 || multiple > 1 << 24)
        return wick_fail(err, WICK_EFORMAT, "%s: no width of the feed-forward network follows from dim, ffn_dim_multiplier and multiple_of",
                         s->path);
    int64_t h = (int64_t)(factor * (double)(2 * (4 * a->dim) / 3));
    a->d_ffn = (h + multiple - 1) / multiple * multiple;
    return WICK_OK;
}

/* Fields of ModelArgs that change what is computed and that no family here has: they must have the value that means nothing. */
static wick_status check_plain(const source *s, wick_error *err) {
    static const struct {
        const char *key;
        double neutral;
    } keys[] = {{"moe", 0},
                {"embedding_scale_factor", 1},
                {"residual_multiplier", 1},
                {"logits_scaling", 1},
                {"rms_norm_add_unit_offset", 0},
                {"post_attention_norm", 0},
                {"post_ffn_norm", 0},
                {"use_ffn_norm", 1},
                {"use_q_gate", 0},
                {"no_rope_layer_interval", 0},
                {"final_logit_softcapping", 0},
                {"attn_logit_softcapping", 0},
                {"sliding_window", 0},
                {"normalize_tok_embeddings", 0},
                {"use_attn_o_gate", 0},
                {"use_attn_o_norm", 0},
                {"use_residual_gate", 0},
                {"num_kv_shared_layers", 0}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *j = field(s, keys[i].key);
        double v = json_is_boolean(j) ? json_is_true(j) : json_is_number(j) ? json_number_value(j) : NAN;
        if (j && v != keys[i].neutral)
            return wick_fail(err, WICK_EUNSUPPORTED, "%s: '%s' is set, which the Llama family does not have", s->path, keys[i].key);
    }
    if (field(s, "layer_types") || field(s, "quantization_args") || field(s, "lora_args"))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: layer_types, quantization_args and lora_args are not supported", s->path);
    return WICK_OK;
}

static wick_status read_meta(const source *s, wick_checkpoint *c, wick_error *err) {
    wick_arch *a = &c->arch;
    double eps;
    const wick_tensor *embedding = wick_container_find(c->container, "tok_embeddings.weight");
    WICK_TRY(check_plain(s, err));
    WICK_TRY(need_int(s, "dim", &a->dim, err));
    WICK_TRY(need_int(s, "n_layers", &a->n_layer, err));
    WICK_TRY(need_int(s, "n_heads", &a->n_head, err));
    WICK_TRY(get_int(s, "n_kv_heads", a->n_head, &a->n_kv_head, err));
    WICK_TRY(get_int(s, "vocab_size", -1, &a->n_vocab, err));
    if (a->n_vocab == -1 && embedding) a->n_vocab = embedding->dims[0];
    WICK_TRY(get_int(s, "head_dim", a->n_head > 0 ? a->dim / a->n_head : 0, &a->d_head, err));
    if (field(s, "hidden_dim"))
        WICK_TRY(get_int(s, "hidden_dim", 0, &a->d_ffn, err));
    else
        WICK_TRY(derive_ffn(s, a, err));
    WICK_TRY(get_number(s, "norm_eps", 1e-5, &eps, err));
    a->norm_eps = (float)eps;
    WICK_TRY(read_act(s, a, err));
    WICK_TRY(read_rope(s, a, err));
    WICK_TRY(get_number(s, "rope_freq_base", a->rope_theta, &a->rope_theta, err));
    WICK_TRY(get_number(s, "rope_theta", a->rope_theta, &a->rope_theta, err));
    bool scaled = get_bool(s, "use_scaled_rope", false);
    WICK_TRY(get_int(s, "max_position_embeddings", scaled ? 131072 : 2048, &a->max_context, err));
    if (!scaled) return WICK_OK;
    if (!field(s, "rope_scale_factor"))
        return wick_fail(err, WICK_EINVAL, "%s: 'use_scaled_rope' without 'rope_scale_factor': add it (8 for Llama 3.1, 32 for Llama 3.2)",
                         s->path);
    WICK_TRY(get_number(s, "rope_scale_factor", 8, &a->rope_factor, err));
    return read_llama3(s, a, err);
}

/* ---------------------------------------------------------------- which one */

static wick_status find_family(const source *s, const wick_family **family, wick_error *err) {
    json_t *classes = field(s, "architectures");
    const char *name = json_string_value(json_array_get(classes, 0)), *type = get_text(s, "model_type");
    if (json_array_size(classes) > 1)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: %zu architectures, expected one", s->path, json_array_size(classes));
    if (name) {
        *family = wick_family_find(WICK_FAMILY_HF_CLASS, name);
        return *family ? WICK_OK : wick_family_unknown(s->path, "the architecture", name, WICK_FAMILY_HF_CLASS, err);
    }
    if (!type) type = "llama"; /* params.json names no class */
    *family = wick_family_find(WICK_FAMILY_HF_TYPE, type);
    return *family ? WICK_OK : wick_family_unknown(s->path, "the model type", type, WICK_FAMILY_HF_TYPE, err);
}

static wick_status special_ids(wick_checkpoint *c, const source *s, wick_error *err) {
    json_t *eos = field(s, field(s, "eos_token_id") ? "eos_token_id" : "eos_idx"),
           *bos = field(s, field(s, "bos_token_id") ? "bos_token_id" : "bos_idx");
    if (json_is_integer(bos)) c->bos_id = json_integer_value(bos);
    if (json_is_integer(eos)) WICK_TRY(wick_checkpoint_add_eos(c, json_integer_value(eos), err));
    for (size_t i = 0; i < json_array_size(eos); i++)
        if (json_is_integer(json_array_get(eos, i))) WICK_TRY(wick_checkpoint_add_eos(c, json_integer_value(json_array_get(eos, i)), err));
    return WICK_OK;
}

wick_status wick_arch_from_json(wick_checkpoint *c, const char *path, const wick_family **family, wick_error *err) {
    source s = {path, NULL};
    WICK_TRY(wick_json_file("", path, true, &s.json, err));
    wick_status status = find_family(&s, family, err);
    bool hf = field(&s, "hidden_size") != NULL;
    if (status == WICK_OK && !hf && !field(&s, "dim"))
        status = wick_fail(err, WICK_EFORMAT, "%s: neither a config.json ('hidden_size') nor a params.json ('dim')", path);
    if (status == WICK_OK) {
        c->arch.family = (*family)->name;
        status = hf ? read_hf(&s, &c->arch, err) : read_meta(&s, c, err);
    }
    if (status == WICK_OK) status = special_ids(c, &s, err);
    json_decref(s.json);
    return status;
}
