/* The table of export_config.h: every field of LlmConfig. */
#include "export/export_config.h"

#include "base/mem.h"
#include "container/json_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- setters */

static wick_status keep(wick_export_config *c, const wick_config_value *v, const char **out, wick_error *err) {
    if (v->is_null) {
        *out = NULL;
        return WICK_OK;
    }
    *out = wick_config_keep(c, v->text);
    return *out ? WICK_OK : wick_fail_nomem(err);
}

static wick_status set_params(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    (void)where;
    return keep(c, v, &c->options.params, err);
}

static wick_status set_checkpoint(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    (void)where;
    return keep(c, v, &c->options.checkpoint, err);
}

static wick_status set_tokenizer(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    (void)where;
    return keep(c, v, &c->options.tokenizer, err);
}

static wick_status set_metadata(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    if (!v->is_null) {
        json_error_t je;
        json_t *j = json_loads(v->text, JSON_REJECT_DUPLICATES, &je);
        bool object = json_is_object(j);
        json_decref(j);
        if (!j && wick_json_no_memory(&je)) return wick_fail_nomem(err);
        if (!object)
            return wick_fail(err, WICK_EINVAL, "%s: base.metadata is no JSON object: %s", where, j ? "another kind of value" : je.text);
    }
    return keep(c, v, &c->options.metadata, err);
}

static wick_status set_length(int64_t *out, const wick_config_value *v, const char *what, const char *where, wick_error *err) {
    char *end;
    *out = v->is_null ? 0 : strtoll(v->text, &end, 10);
    if (v->is_null || (*out >= 1 && *out <= 1 << 24)) return WICK_OK;
    return wick_fail(err, WICK_EINVAL, "%s: %s is %s, expected 1 to %d", where, what, v->text, 1 << 24);
}

static wick_status set_max_seq(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    return set_length(&c->options.max_seq_len, v, "export.max_seq_length", where, err);
}

static wick_status set_max_context(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    return set_length(&c->options.max_context, v, "export.max_context_length", where, err);
}

/* The output path from folder and name, as the stock exporter puts them together. */
static wick_status join_output(wick_export_config *c, wick_error *err) {
    char path[4096];
    const char *folder = c->output_folder, *name = c->output_name;
    c->options.output_folder = folder;
    c->options.output = NULL;
    if (!name) return WICK_OK;
    size_t n = strlen(name);
    bool ending = n > 4 && !strcmp(name + n - 4, ".pte");
    int size = snprintf(path, sizeof path, "%s%s%s%s", folder ? folder : "", folder ? "/" : "", name, ending ? "" : ".pte");
    if (size < 0 || (size_t)size >= sizeof path)
        return wick_fail(err, WICK_ELIMIT, "export.output_dir and output_name make a path that is too long");
    c->options.output = wick_config_keep(c, path);
    return c->options.output ? WICK_OK : wick_fail_nomem(err);
}

static wick_status set_output_dir(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    (void)where;
    c->output_folder = v->is_null || !strcmp(v->text, ".") ? NULL : wick_config_keep(c, v->text);
    if (!v->is_null && strcmp(v->text, ".") && !c->output_folder) return wick_fail_nomem(err);
    return join_output(c, err);
}

static wick_status set_output_name(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    (void)where;
    c->output_name = v->is_null ? NULL : wick_config_keep(c, v->text);
    if (!v->is_null && !c->output_name) return wick_fail_nomem(err);
    return join_output(c, err);
}

static wick_status set_qmode(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    if (v->is_null || !strcmp(v->text, "fp32"))
        c->options.qmode = "fp32";
    else if (!strcmp(v->text, "8da4w"))
        c->options.qmode = "8da4w";
    else
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: quantization.qmode: Wick exports 8da4w and null (fp32), not '%.60s'", where, v->text);
    return WICK_OK;
}

static wick_status set_group_size(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    long n = v->is_null ? 128 : strtol(v->text, NULL, 10);
    if (n < 32 || n % 32 || n > 1 << 20)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: quantization.group_size is %ld, expected a multiple of 32 (XNNPACK takes no other)",
                         where, n);
    c->options.group_size = (int)n;
    return WICK_OK;
}

static wick_status set_embedding(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    char text[64], *end;
    if (v->is_null || !strcmp(v->text, "fp32")) {
        c->options.embedding_quantize = "fp32";
        return WICK_OK;
    }
    long bits = strtol(v->text, &end, 10), group = *end == ',' ? strtol(end + 1, &end, 10) : -1;
    if (*end || (bits != 2 && bits != 4 && bits != 8) || group < 0 || group > 1 << 20)
        return wick_fail(err, WICK_EINVAL, "%s: quantization.embedding_quantize is '%.60s', expected bits (2, 4 or 8) and group, as in 8,0",
                         where, v->text);
    snprintf(text, sizeof text, "%ld,%ld", bits, group);
    c->options.embedding_quantize = wick_config_keep(c, text);
    return c->options.embedding_quantize ? WICK_OK : wick_fail_nomem(err);
}

static wick_status set_xnnpack(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err) {
    (void)where, (void)err;
    c->options.backend = !v->is_null && !strcmp(v->text, "true") ? WICK_BACKEND_XNNPACK : WICK_BACKEND_PORTABLE;
    return WICK_OK;
}

/* ---------------------------------------------------------------- enumerations */

static const char *const model_classes[] = {
    "stories110m",  "llama2",       "llama3",       "llama3_1",          "llama3_2",    "llama3_2_vision",
    "static_llama", "qwen2_5_0_5b", "qwen2_5_1_5b", "qwen2_5_coder_32b", "qwen3_0_6b",  "qwen3_1_7b",
    "qwen3_4b",     "qwen3_5_0_8b", "qwen3_5_2b",   "qwen3_5_4b",        "phi_4_mini",  "smollm2",
    "lfm2_350m",    "lfm2_700m",    "lfm2_1_2b",    "lfm2_5_350m",       "lfm2_5_1_2b", NULL};
static const char *const preq_modes[] = {"preq_8da4w=8da4w", "preq_8da4w_out_8da8w=8da4w_output_8da8w", NULL};
static const char *const dtypes[] = {"fp32", "fp16", "bf16", NULL};
static const char *const adapter_types[] = {"int8", "fp16", "fp32", NULL};
static const char *const pt2e[] = {"xnnpack_dynamic",
                                   "xnnpack_dynamic_qc4",
                                   "openvino_4wo",
                                   "openvino_8wo",
                                   "qnn_8a8w",
                                   "qnn_16a16w",
                                   "qnn_16a4w",
                                   "coreml_c4w",
                                   "coreml_8a_c8w",
                                   "coreml_8a_c4w",
                                   "coreml_baseline_8a_c8w",
                                   "coreml_baseline_8a_c4w",
                                   "vulkan_8w",
                                   "tosa_8a8w",
                                   "ethosu_8a8w",
                                   "ethosu_16a8w",
                                   "vgf_8a8w",
                                   "vgf_16a8w",
                                   NULL};
static const char *const spin[] = {"cuda", "native", NULL};
static const char *const scopes[] = {"full", "linear", NULL};
static const char *const coreml_quantize[] = {"b4w", "c4w", NULL};
static const char *const coreml_units[] = {"cpu_only", "cpu_and_gpu", "cpu_and_ne", "all", NULL};

/* ---------------------------------------------------------------- the table */

#define SET(path, type, fn)                                                                                                                \
    { path, WICK_CONFIG_##type, WICK_CONFIG_SET, NULL, NULL, fn, NULL }
#define FREE(path, type)                                                                                                                   \
    { path, WICK_CONFIG_##type, WICK_CONFIG_FREE, NULL, NULL, NULL, NULL }
#define FREE_ENUM(path, names)                                                                                                             \
    { path, WICK_CONFIG_ENUM, WICK_CONFIG_FREE, NULL, NULL, NULL, names }
#define ONLY(path, type, accepted, reason)                                                                                                 \
    { path, WICK_CONFIG_##type, WICK_CONFIG_ONLY, accepted, reason, NULL, NULL }
#define ONLY_ENUM(path, names, accepted, reason)                                                                                           \
    { path, WICK_CONFIG_ENUM, WICK_CONFIG_ONLY, accepted, reason, NULL, names }

static const char lora[] = "adapters are not exported yet";
static const char preq[] = "weights that are quantized already are not read yet";
static const char one_method[] = "a program has one method, forward";
static const char embedded[] = "all weights go into the program";
static const char no_trace[] = "the exporter has no such trace";
static const char backend[] = "Wick exports for XNNPACK and the portable kernels";

const wick_config_field wick_config_fields[] = {
    ONLY_ENUM("base.model_class", model_classes,
              "stories110m|llama2|llama3|llama3_1|llama3_2|qwen2_5_0_5b|qwen2_5_1_5b|qwen2_5_coder_32b|qwen3_0_6b|qwen3_1_7b|qwen3_4b|"
              "qwen3_5_0_8b|"
              "qwen3_5_2b|qwen3_5_4b|phi_4_mini|smollm2|lfm2_350m|lfm2_700m|lfm2_1_2b|lfm2_5_350m|lfm2_5_1_2b",
              "the model comes from the checkpoint; static and vision programs are not exported"),
    SET("base.params", TEXT, set_params),
    SET("base.checkpoint", TEXT, set_checkpoint),
    ONLY("base.lora_config.adapter_checkpoint", TEXT, "null", lora),
    ONLY("base.lora_config.adapter_config", TEXT, "null", lora),
    ONLY("base.lora_config.lora_rank", INT, "null|0", lora),
    ONLY("base.lora_config.lora_alpha", INT, "null|0", lora),
    ONLY("base.lora_config.target_modules", LIST, "null", lora),
    ONLY_ENUM("base.lora_config.adapter_quant", adapter_types, "null", lora),
    SET("base.tokenizer_path", TEXT, set_tokenizer),
    SET("base.metadata", TEXT, set_metadata),
    ONLY("base.use_lora", INT, "0", lora),
    ONLY_ENUM("base.preq_mode", preq_modes, "null", preq),
    FREE("base.preq_group_size", INT),
    FREE("base.preq_embedding_quantize", TEXT),

    ONLY_ENUM("model.dtype_override", dtypes, "fp32", "programs compute in fp32"),
    ONLY("model.enable_dynamic_shape", BOOL, "true", "programs take any number of tokens"),
    ONLY("model.use_shared_embedding", BOOL, "false", "it belongs to torchao's own kernels"),
    ONLY("model.use_sdpa_with_kv_cache", BOOL, "true", "attention is llama::custom_sdpa"),
    FREE("model.expand_rope_table", BOOL),
    ONLY("model.use_attention_sink", TEXT, "null", "attention sinks are not exported yet"),
    ONLY("model.output_prune_map", TEXT, "null", "pruned vocabularies are not exported yet"),
    ONLY("model.input_prune_map", TEXT, "null", "pruned vocabularies are not exported yet"),
    ONLY("model.use_kv_cache", BOOL, "true", "programs have a KV cache"),
    ONLY("model.quantize_kv_cache", BOOL, "false", "the KV cache is fp32"),
    ONLY("model.static_quantize_kv_cache", BOOL, "false", "the KV cache is fp32"),
    FREE("model.static_quantize_kv_cache_scale", FLOAT),
    ONLY("model.local_global_attention", LIST, "null", "sliding windows are not exported yet"),
    ONLY("model.use_moe_quantized_op", BOOL, "false", "mixtures of experts are not exported"),

    SET("export.max_seq_length", INT, set_max_seq),
    SET("export.max_context_length", INT, set_max_context),
    SET("export.output_dir", TEXT, set_output_dir),
    SET("export.output_name", TEXT, set_output_name),
    FREE("export.so_library", TEXT),
    ONLY("export.export_only", BOOL, "false", "there is no torch program to stop at"),
    ONLY("export.foundation_weights_file", TEXT, "null", embedded),
    ONLY("export.lora_weights_file", TEXT, "null", embedded),

    ONLY("debug.profile_memory", BOOL, "false", no_trace),
    ONLY("debug.profile_path", TEXT, "null", no_trace),
    ONLY("debug.generate_etrecord", BOOL, "false", no_trace),
    ONLY("debug.generate_full_logits", BOOL, "false", "programs give the logits of the last token"),
    FREE("debug.verbose", BOOL),

    ONLY("multimethod.methods", LIST, "null", one_method),
    FREE("multimethod.share_mutable_buffers", BOOL),

    SET("quantization.qmode", TEXT, set_qmode),
    SET("quantization.embedding_quantize", TEXT, set_embedding),
    ONLY_ENUM("quantization.pt2e_quantize", pt2e, "null", "quantization is by qmode"),
    SET("quantization.group_size", INT, set_group_size),
    ONLY_ENUM("quantization.use_spin_quant", spin, "null", "rotated checkpoints are not exported yet"),
    ONLY("quantization.use_qat", BOOL, "false", preq),
    FREE_ENUM("quantization.quantize_scope", scopes),
    FREE("quantization.calibration_tasks", LIST),
    FREE("quantization.calibration_limit", INT),
    FREE("quantization.calibration_seq_length", INT),
    FREE("quantization.calibration_data", TEXT),
    ONLY("quantization.use_hqq", BOOL, "true", "scales are found by HQQ"),

    SET("backend.xnnpack.enabled", BOOL, set_xnnpack),
    FREE("backend.xnnpack.extended_ops", BOOL),
    ONLY("backend.xnnpack.enable_bf16", BOOL, "false", "programs compute in fp32"),
    ONLY("backend.coreml.enabled", BOOL, "false", backend),
    FREE("backend.coreml.enable_state", BOOL),
    FREE("backend.coreml.preserve_sdpa", BOOL),
    FREE_ENUM("backend.coreml.quantize", coreml_quantize),
    FREE("backend.coreml.ios", INT),
    FREE_ENUM("backend.coreml.compute_units", coreml_units),
    ONLY("backend.vulkan.enabled", BOOL, "false", backend),
    FREE("backend.vulkan.force_fp16", BOOL),
    ONLY("backend.qnn.enabled", BOOL, "false", backend),
    FREE("backend.qnn.use_sha", BOOL),
    FREE("backend.qnn.soc_model", TEXT),
    FREE("backend.qnn.use_qnn_sha", BOOL),
    FREE("backend.qnn.optimized_rotation_path", TEXT),
    FREE("backend.qnn.num_sharding", INT),
    ONLY("backend.mps.enabled", BOOL, "false", backend),
    ONLY("backend.openvino.enabled", BOOL, "false", backend),
    FREE("backend.openvino.device", TEXT),
    FREE("backend.openvino.nncf_compression_group_size", INT),
    FREE("backend.openvino.openvino_awq", BOOL),
    FREE("backend.openvino.openvino_scale_estimation", BOOL),
    ONLY("backend.torchao.use_torchao_kernels_linear", BOOL, "false", backend),
    ONLY("backend.torchao.use_torchao_kernels_tied_embedding", BOOL, "false", backend),
    ONLY("backend.tosa.enabled", BOOL, "false", backend),
    FREE("backend.tosa.version", TEXT),
    ONLY("backend.ethosu.enabled", BOOL, "false", backend),
    FREE("backend.ethosu.target", TEXT),
    FREE("backend.ethosu.memory_mode", TEXT),
    FREE("backend.ethosu.system_config", TEXT),
    FREE("backend.ethosu.extra_flags", LIST),
    ONLY("backend.vgf.enabled", BOOL, "false", backend),
    FREE("backend.vgf.compile_spec", TEXT),
    FREE("backend.vgf.compiler_flags", LIST),
    FREE_ENUM("backend.vgf.quantize_scope", scopes),
    ONLY("backend.mlx.enabled", BOOL, "false", backend),
};
const size_t wick_config_n_field = sizeof wick_config_fields / sizeof *wick_config_fields;
