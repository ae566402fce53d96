/* Checkpoints: what the readers say about models, and what they say about files that are none. */
#include "support/lib_alloc.h"
#include "support/support.h"

#include "base/half.h"
#include "base/mem.h"
#include "export/checkpoint.h"
#include "export/quantize.h"

#include <math.h>
#include <sys/stat.h>

#define STORIES WICK_TEST_DATA "/../../examples/models/stories260K/stories260K.bin"

static void test_stories(void **state) {
    (void)state;
    wick_checkpoint *c;
    assert_ok(wick_checkpoint_open(STORIES, NULL, &c, err));
    const wick_arch *a = &c->arch;
    assert_string_equal(a->family, "llama");
    assert_int_equal(a->dim, 64);
    assert_int_equal(a->n_layer, 5);
    assert_int_equal(a->n_head, 8);
    assert_int_equal(a->n_kv_head, 4);
    assert_int_equal(a->d_head, 8);
    assert_int_equal(a->n_rotary, 8);
    assert_int_equal(a->d_ffn, 172);
    assert_int_equal(a->n_vocab, 512);
    assert_int_equal(a->max_context, 512);
    assert_true(a->tied && !a->qkv_bias && !a->qk_norm);
    assert_int_equal(c->bos_id, 1);
    assert_int_equal(c->n_eos, 2);
    assert_string_equal(c->name, "stories260K");
    assert_non_null(strstr(c->tokenizer, "tok512.bin"));
    assert_null(c->chat_template);
    assert_string_equal(c->layers[4].weights[WICK_ROLE_UP].tensor->name, "layers.4.w3");
    assert_ptr_equal(c->weights[WICK_ROLE_HEAD].tensor, c->weights[WICK_ROLE_EMBEDDING].tensor);
    assert_int_equal(c->layers[0].weights[WICK_ROLE_K].d_pair, 8);
    assert_int_equal(c->layers[0].weights[WICK_ROLE_V].d_pair, 0);
    wick_checkpoint_close(c);
}

/* ---------------------------------------------------------------- one model, three ways */

static void *bytes_of(const wick_checkpoint *c, const wick_weight *w, size_t *size) {
    (void)c;
    wick_quantizer *z;
    wick_part part;
    assert_ok(wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, err));
    assert_ok(wick_quantizer_part(z, w, wick_scheme_fp32(), false, &part, err));
    void *bytes = malloc((size_t)part.data.size);
    assert_ok(part.data.read(part.data.user, bytes, err));
    *size = (size_t)part.data.size;
    wick_quantizer_free(z);
    return bytes;
}

static void same_weight(const wick_checkpoint *a, const wick_weight *wa, const wick_checkpoint *b, const wick_weight *wb) {
    assert_int_equal(wick_weight_present(wa), wick_weight_present(wb));
    if (!wick_weight_present(wa)) return;
    size_t na, nb;
    void *xa = bytes_of(a, wa, &na), *xb = bytes_of(b, wb, &nb);
    assert_int_equal(na, nb);
    if (memcmp(xa, xb, na)) fail_msg("%s and %s differ", wa->tensor->name, wb->tensor->name);
    free(xa), free(xb);
}

/* The same numbers under three namings, in two row orders, with the rope scaling said in three ways: one model. */
static void test_three_ways(void **state) {
    (void)state;
    static const char *const paths[] = {"container/micro_hf", "container/micro_meta", "container/micro.gguf"};
    wick_checkpoint *c[3];
    for (int i = 0; i < 3; i++) assert_ok(wick_checkpoint_open(test_data(paths[i]), NULL, &c[i], err));
    assert_true(c[0]->arch.rope_scaling == WICK_ROPE_LLAMA3 && c[2]->arch.rope_scaling == WICK_ROPE_FACTORS);
    for (int k = 1; k < 3; k++) {
        const wick_arch *a = &c[0]->arch, *b = &c[k]->arch;
        assert_int_equal(a->dim, b->dim);
        assert_int_equal(a->n_layer, b->n_layer);
        assert_int_equal(a->n_head, b->n_head);
        assert_int_equal(a->n_kv_head, b->n_kv_head);
        assert_int_equal(a->d_head, b->d_head);
        assert_int_equal(a->d_ffn, b->d_ffn);
        assert_int_equal(a->n_vocab, b->n_vocab);
        assert_int_equal(a->max_context, b->max_context);
        assert_true(a->norm_eps == b->norm_eps && a->tied == b->tied && a->act == b->act);
        double fa[4], fb[4];
        wick_arch_rope_frequencies(a, fa);
        wick_arch_rope_frequencies(b, fb);
        for (int j = 0; j < 4; j++) assert_true(fabs(fa[j] - fb[j]) <= 1e-7 * fa[j]); /* GGUF stores the factors in fp32 */
        for (int r = 0; r < WICK_N_ROLE; r++) {
            same_weight(c[0], &c[0]->weights[r], c[k], &c[k]->weights[r]);
            for (int64_t i = 0; i < a->n_layer; i++) same_weight(c[0], &c[0]->layers[i].weights[r], c[k], &c[k]->layers[i].weights[r]);
        }
    }
    for (int i = 0; i < 3; i++) wick_checkpoint_close(c[i]);
}

static void test_extras(void **state) {
    (void)state;
    static const int64_t hf_eos[] = {2, 5, 7, 9}, gguf_eos[] = {2, 5};
    wick_checkpoint *c;
    assert_ok(wick_checkpoint_open(test_data("container/micro_hf"), NULL, &c, err));
    assert_string_equal(c->name, "micro_hf");
    assert_int_equal(c->bos_id, 1);
    assert_int_equal(c->n_eos, 4);
    assert_memory_equal(c->eos_ids, hf_eos, sizeof hf_eos);
    assert_string_equal(c->chat_template, "{{ messages }}");
    assert_string_equal(c->generation, "{\"temperature\":0.6,\"top_k\":50,\"repeat_penalty\":1.1,\"repeat_last_n\":-1,\"order\":\"hf\"}");
    assert_non_null(strstr(c->tokenizer, "micro_hf/tokenizer.json"));
    wick_checkpoint_close(c);
    assert_ok(wick_checkpoint_open(test_data("container/micro.gguf"), NULL, &c, err));
    assert_string_equal(c->name, "micro");
    assert_int_equal(c->n_eos, 2);
    assert_memory_equal(c->eos_ids, gguf_eos, sizeof gguf_eos);
    assert_string_equal(c->chat_template, "{{ messages }}");
    assert_string_equal(c->generation, "{\"temperature\":0.75,\"top_k\":30,\"repeat_last_n\":128,\"mirostat_tau\":4.5}");
    assert_non_null(strstr(c->tokenizer, "micro.gguf"));
    wick_checkpoint_close(c);
    assert_ok(wick_checkpoint_open(test_data("container/micro_meta/model.safetensors"), NULL, &c, err));
    assert_string_equal(c->name, "micro_meta");
    wick_checkpoint_close(c);
}

/* Frequencies of Llama 3.1 from the published rule at its three bands, and the tables made of them. */
static void test_rope(void **state) {
    (void)state;
    wick_arch a = {.d_head = 128,
                   .n_rotary = 128,
                   .rope_theta = 500000,
                   .rope_scaling = WICK_ROPE_LLAMA3,
                   .rope_factor = 8,
                   .rope_low_freq_factor = 1,
                   .rope_high_freq_factor = 4,
                   .rope_original_context = 8192};
    double f[64];
    wick_arch_rope_frequencies(&a, f);
    assert_true(f[0] == 1);
    assert_true(fabs(f[20] - pow(500000, -40.0 / 128)) < 1e-18);                                        /* wave of 380 tokens: kept */
    assert_true(fabs(f[63] - pow(500000, -126.0 / 128) / 8) < 1e-20);                                   /* wave of 2.5 million: stretched */
    double plain = pow(500000, -64.0 / 128), s = (8192 * plain / (2 * 3.14159265358979323846) - 1) / 3; /* wave of 4443: between */
    assert_true(s > 0 && s < 1);
    assert_true(fabs(f[32] - ((1 - s) * plain / 8 + s * plain)) < 1e-18);
    float c[3 * 64], n[3 * 64];
    wick_arch_rope_tables(&a, 3, c, n);
    assert_true(c[0] == 1 && n[0] == 0 && c[64] == (float)cos(1) && n[2 * 64 + 32] == (float)sin(2 * f[32]));
}

/* ---------------------------------------------------------------- refusals */

static void write_file(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(data, 1, size, f);
    fclose(f);
}

/* tests/data/container/micro_hf's config.json with one line replaced, beside its weights. */
static void refuse_config(const char *find, const char *put, const char *says) {
    char text[4096];
    size_t size;
    char *config = (char *)test_read(test_data("container/micro_hf/config.json"), &size), *at = strstr(config, find);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - config), config, put, at + strlen(find));
    write_file(test_tmp("hf/config.json"), text, strlen(text));
    free(config);
    wick_checkpoint *c = NULL;
    wick_error err = {0};
    wick_status status = wick_checkpoint_open(test_tmp("hf"), NULL, &c, &err);
    if (!*says) {
        if (status != WICK_OK) fail_msg("%s: %s", put, err.message);
    } else if (status == WICK_OK || !strstr(err.message, says)) {
        fail_msg("%s: '%s' instead of '%s'", put, err.message, says);
    }
    wick_checkpoint_close(c);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const copied[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                         "model.safetensors.index.json"};
    mkdir(test_tmp("hf"), 0777);
    for (int i = 0; i < 3; i++) {
        char name[128];
        size_t size;
        snprintf(name, sizeof name, "container/micro_hf/%s", copied[i]);
        uint8_t *data = test_read(test_data(name), &size);
        snprintf(name, sizeof name, "hf/%s", copied[i]);
        write_file(test_tmp(name), data, size);
        free(data);
    }
    refuse_config("LlamaForCausalLM", "MambaForCausalLM",
                  "the architecture 'MambaForCausalLM' is not one that Wick exports (LlamaForCausalLM");
    refuse_config("\"hidden_size\": 32", "\"hidden_size\": 31",
                  "the tensor 'model.embed_tokens.weight' (embedding) has the shape [40,32], the configuration says [40,31]");
    refuse_config("\"vocab_size\": 40", "\"vocab_size\": 41", "has the shape [40,32], the configuration says [41,32]");
    refuse_config("\"intermediate_size\": 48", "\"intermediate_size\": 47",
                  "'model.layers.0.mlp.gate_proj.weight' (gate projection) has the shape [48,32]");
    refuse_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
                  "the tensor 'model.layers.2.input_layernorm.weight' (attention norm) is missing");
    refuse_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1",
                  "9 tensors, 'model.layers.1.input_layernorm.weight' among them, have no place");
    refuse_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999999999", "the number of layers is 99999999999");
    refuse_config("\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "the number of heads is 0");
    refuse_config("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "4 heads do not share 3 key/value heads evenly");
    refuse_config("\"head_dim\": 8", "\"head_dim\": 9", "is odd");
    refuse_config("\"head_dim\": 8", "\"head_dim\": \"8\"", "'head_dim' is no integer");
    refuse_config("\"head_dim\": 8", "\"head_dim\": null", "");
    refuse_config("\"vocab_size\": 40,", "", "'vocab_size' is missing");
    refuse_config("\"rope_type\": \"llama3\"", "\"rope_type\": \"yarn\"", "the rope scaling 'yarn' is not one that Wick has");
    refuse_config("\"rope_theta\": 500000.0", "\"rope_theta\": -1", "theta is no positive number");
    refuse_config("\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"", "the activation 'mish'");
    refuse_config("\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 0", "epsilon");
    refuse_config("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", ""); /* a head beside a tied one is not used */
    refuse_config("\"bos_token_id\": 1", "\"quantization_config\": {}, \"bos_token_id\": 1", "the weights are quantized already");
    refuse_config("{", "[", "config.json: line 2");
    refuse_config("\"architectures\": [", "\"architectures\": [\"a\", ", "2 architectures, expected one");
    remove(test_tmp("hf/config.json"));
    wick_checkpoint *c;
    wick_error err = {0};
    assert_int_equal(wick_checkpoint_open(test_tmp("hf"), NULL, &c, &err), WICK_ENOTFOUND);
    assert_non_null(strstr(err.message, "no config.json or params.json"));
    assert_int_equal(wick_checkpoint_open(STORIES, "x.json", &c, &err), WICK_EINVAL);
}

static void test_damage(void **state) {
    (void)state;
    size_t size;
    uint8_t *data = test_read(test_data("container/micro.gguf"), &size);
    int n_open = 0;
    for (size_t bit = 0; bit < 3000 * 8; bit += 1) { /* the header: what follows is weights */
        wick_checkpoint *c;
        wick_error err;
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (wick_checkpoint_open_memory((wick_bytes){data, size}, "x", &c, &err) == WICK_OK) {
            float cosines[4], sines[4];
            wick_arch_rope_tables(&c->arch, 1, cosines, sines);
            n_open++;
            wick_checkpoint_close(c);
        }
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(n_open > 0 && n_open < 16000);
    free(data);
}

static void test_no_memory(void **state) {
    (void)state;
    static const char *const paths[] = {"container/micro_hf", "container/micro_meta", "container/micro.gguf"};
    for (int k = 0; k < 3; k++) {
        uint64_t live = wick_mem_stats_get().n_live;
        for (uint64_t i = 1;; i++) {
            wick_checkpoint *c;
            wick_error err = {0};
            wick_mem_fail_at(i);
            wick_status status = wick_checkpoint_open(test_data(paths[k]), NULL, &c, &err);
            wick_mem_fail_at(0);
            wick_checkpoint_close(c);
            assert_int_equal(wick_mem_stats_get().n_live, live);
            if (status == WICK_OK) break;
            assert_int_equal(status, WICK_ENOMEM);
            assert_true(i < 500);
        }
#ifdef TEST_HAS_LIB_ALLOC
        for (uint64_t i = 1;; i++) {
            wick_checkpoint *c;
            wick_error err = {0};
            test_lib_fail_at(i);
            wick_status status = wick_checkpoint_open(test_data(paths[k]), NULL, &c, &err);
            test_lib_fail_at(0);
            wick_checkpoint_close(c);
            assert_int_equal(wick_mem_stats_get().n_live, live);
            if (status == WICK_OK) break;
            assert_true(err.message[0]); /* jansson takes some of these for a wrong input */
            assert_true(i < 5000);
        }
#endif
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories), cmocka_unit_test(test_three_ways), cmocka_unit_test(test_extras),    cmocka_unit_test(test_rope),
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_refusals),   cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
