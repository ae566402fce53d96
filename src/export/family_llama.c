/* The Llama family: RMS norms before attention and before a gated feed-forward network, rotary positions, grouped queries, no
 * biases. LlamaForCausalLM of transformers is Llama 1 to 3, SmolLM 1 and 2, TinyLlama, Yi and many more. */
#include "export/checkpoint_family.h"

static const char *const hf_classes[] = {"LlamaForCausalLM", NULL};
static const char *const hf_types[] = {"llama", NULL};
static const char *const gguf_names[] = {"llama", NULL};

const wick_family wick_family_llama = {
    .name = "llama",
    .hf_classes = hf_classes,
    .hf_types = hf_types,
    .gguf_names = gguf_names,
    .pairs = {[WICK_NAMING_META] = true, [WICK_NAMING_GGUF] = true, [WICK_NAMING_LLAMA2C] = true},
    .optional = 1u << WICK_ROLE_HEAD | 1u << WICK_ROLE_Q_BIAS | 1u << WICK_ROLE_K_BIAS | 1u << WICK_ROLE_V_BIAS | 1u << WICK_ROLE_O_BIAS,
    .names =
        {
            [WICK_NAMING_HF] =
                {
                    [WICK_ROLE_EMBEDDING] = "model.embed_tokens.weight",
                    [WICK_ROLE_FINAL_NORM] = "model.norm.weight",
                    [WICK_ROLE_HEAD] = "lm_head.weight",
                    [WICK_ROLE_ATTN_NORM] = "model.layers.#.input_layernorm.weight",
                    [WICK_ROLE_Q] = "model.layers.#.self_attn.q_proj.weight",
                    [WICK_ROLE_K] = "model.layers.#.self_attn.k_proj.weight",
                    [WICK_ROLE_V] = "model.layers.#.self_attn.v_proj.weight",
                    [WICK_ROLE_O] = "model.layers.#.self_attn.o_proj.weight",
                    [WICK_ROLE_FFN_NORM] = "model.layers.#.post_attention_layernorm.weight",
                    [WICK_ROLE_GATE] = "model.layers.#.mlp.gate_proj.weight",
                    [WICK_ROLE_UP] = "model.layers.#.mlp.up_proj.weight",
                    [WICK_ROLE_DOWN] = "model.layers.#.mlp.down_proj.weight",
                    [WICK_ROLE_Q_BIAS] = "model.layers.#.self_attn.q_proj.bias",
                    [WICK_ROLE_K_BIAS] = "model.layers.#.self_attn.k_proj.bias",
                    [WICK_ROLE_V_BIAS] = "model.layers.#.self_attn.v_proj.bias",
                    [WICK_ROLE_O_BIAS] = "model.layers.#.self_attn.o_proj.bias",
                },
            [WICK_NAMING_META] =
                {
                    [WICK_ROLE_EMBEDDING] = "tok_embeddings.weight",
                    [WICK_ROLE_FINAL_NORM] = "norm.weight",
                    [WICK_ROLE_HEAD] = "output.weight",
                    [WICK_ROLE_ATTN_NORM] = "layers.#.attention_norm.weight",
                    [WICK_ROLE_Q] = "layers.#.attention.wq.weight",
                    [WICK_ROLE_K] = "layers.#.attention.wk.weight",
                    [WICK_ROLE_V] = "layers.#.attention.wv.weight",
                    [WICK_ROLE_O] = "layers.#.attention.wo.weight",
                    [WICK_ROLE_FFN_NORM] = "layers.#.ffn_norm.weight",
                    [WICK_ROLE_GATE] = "layers.#.feed_forward.w1.weight",
                    [WICK_ROLE_UP] = "layers.#.feed_forward.w3.weight",
                    [WICK_ROLE_DOWN] = "layers.#.feed_forward.w2.weight",
                },
            [WICK_NAMING_GGUF] =
                {
                    [WICK_ROLE_EMBEDDING] = "token_embd.weight",
                    [WICK_ROLE_FINAL_NORM] = "output_norm.weight",
                    [WICK_ROLE_HEAD] = "output.weight",
                    [WICK_ROLE_ATTN_NORM] = "blk.#.attn_norm.weight",
                    [WICK_ROLE_Q] = "blk.#.attn_q.weight",
                    [WICK_ROLE_K] = "blk.#.attn_k.weight",
                    [WICK_ROLE_V] = "blk.#.attn_v.weight",
                    [WICK_ROLE_O] = "blk.#.attn_output.weight",
                    [WICK_ROLE_FFN_NORM] = "blk.#.ffn_norm.weight",
                    [WICK_ROLE_GATE] = "blk.#.ffn_gate.weight",
                    [WICK_ROLE_UP] = "blk.#.ffn_up.weight",
                    [WICK_ROLE_DOWN] = "blk.#.ffn_down.weight",
                    [WICK_ROLE_Q_BIAS] = "blk.#.attn_q.bias",
                    [WICK_ROLE_K_BIAS] = "blk.#.attn_k.bias",
                    [WICK_ROLE_V_BIAS] = "blk.#.attn_v.bias",
                    [WICK_ROLE_O_BIAS] = "blk.#.attn_output.bias",
                },
            [WICK_NAMING_LLAMA2C] =
                {
                    [WICK_ROLE_EMBEDDING] = "token_embedding",
                    [WICK_ROLE_FINAL_NORM] = "norm",
                    [WICK_ROLE_HEAD] = "wcls",
                    [WICK_ROLE_ATTN_NORM] = "layers.#.attention_norm",
                    [WICK_ROLE_Q] = "layers.#.wq",
                    [WICK_ROLE_K] = "layers.#.wk",
                    [WICK_ROLE_V] = "layers.#.wv",
                    [WICK_ROLE_O] = "layers.#.wo",
                    [WICK_ROLE_FFN_NORM] = "layers.#.ffn_norm",
                    [WICK_ROLE_GATE] = "layers.#.w1",
                    [WICK_ROLE_UP] = "layers.#.w3",
                    [WICK_ROLE_DOWN] = "layers.#.w2",
                },
        },
};
