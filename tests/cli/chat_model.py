#!/usr/bin/env python3
"""chat_model.py BIN TOKENIZER.json FOLDER: the llama2.c model BIN as a Hugging Face folder with another tokenizer and the chat template of
Llama 3, for tests of chats: it babbles, but its prompts have everything a chat can get wrong (BOS, special tokens, bytes as they are).
The vocabulary is filled up by repeating the model's embeddings. Python's standard library is enough."""
import json, os, shutil, struct, sys

TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
    "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")


def half_style(rows, n_head, width):
    """Rows of a projection from llama2.c's rope (pairs side by side) to Hugging Face's (first halves, then second halves)."""
    d = len(rows) // width // n_head
    out = b""
    for h in range(n_head):
        for i in list(range(0, d, 2)) + list(range(1, d, 2)):
            at = (h * d + i) * width
            out += rows[at:at + width]
    return out


def main(source, tokenizer, folder):
    data = open(source, "rb").read()
    dim, hidden, n_layer, n_head, n_kv, vocab, seq = struct.unpack_from("<7i", data)
    kv, at, tensors = dim // n_head * n_kv, 28, {}

    def take(n):
        nonlocal at
        piece = data[at:at + 4 * n]
        at += 4 * n
        return piece

    words = json.load(open(tokenizer))
    n_word = 1 + max(list(words["model"]["vocab"].values()) + [a["id"] for a in words["added_tokens"]])
    ids = {a["content"]: a["id"] for a in words["added_tokens"]}
    tensors["model.embed_tokens.weight"] = ([n_word, dim], (take(vocab * dim) * (n_word // vocab + 1))[:4 * n_word * dim])
    for name, rows, columns in [
            ("input_layernorm", 1, dim), ("self_attn.q_proj", dim, dim), ("self_attn.k_proj", kv, dim), ("self_attn.v_proj", kv, dim),
            ("self_attn.o_proj", dim, dim), ("post_attention_layernorm", 1, dim), ("mlp.gate_proj", hidden, dim), ("mlp.down_proj", dim, hidden),
            ("mlp.up_proj", hidden, dim)]:
        for layer in range(n_layer):
            piece = take(rows * columns)
            if name[-6:] in ("q_proj", "k_proj"):
                piece = half_style(piece, n_head if name[-6] == "q" else n_kv, 4 * columns)
            tensors[f"model.layers.{layer}.{name}.weight"] = ([columns] if rows == 1 else [rows, columns], piece)
    tensors["model.norm.weight"] = ([dim], take(dim))
    header, blob = {}, b""
    for name, (shape, piece) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(blob), len(blob) + len(piece)]}
        blob += piece
    text = json.dumps(header).encode()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + blob)
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=dim, intermediate_size=hidden, num_hidden_layers=n_layer,
                  num_attention_heads=n_head, num_key_value_heads=n_kv, vocab_size=n_word, max_position_embeddings=seq, rms_norm_eps=1e-5,
                  rope_theta=10000.0, hidden_act="silu", tie_word_embeddings=True, bos_token_id=ids["<|begin_of_text|>"],
                  eos_token_id=[ids["<|end_of_text|>"], ids["<|eot_id|>"]], torch_dtype="float32")
    json.dump(config, open(os.path.join(folder, "config.json"), "w"))
    shutil.copy(tokenizer, os.path.join(folder, "tokenizer.json"))
    json.dump({"chat_template": TEMPLATE, "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}, open(os.path.join(folder, "tokenizer_config.json"), "w"))


if __name__ == "__main__":
    main(*sys.argv[1:])
