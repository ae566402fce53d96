"""random_checkpoint.py FOLDER [LAYERS]: a Hugging Face checkpoint in the shape of Llama 3.2 1B (or with another number of layers), its
weights random: bf16 of both signs between 2^-7 and 2^-5. 2.5 GB, written in pieces; every run gives the same bytes.
"""
import json
import os
import random
import struct
import sys

VOCAB, WIDTH, HIDDEN, HEADS, KV_HEADS, HEAD = 128256, 2048, 8192, 32, 8, 64
PIECE = 1 << 22


def tensors(n_layer):
    yield 'model.embed_tokens.weight', (VOCAB, WIDTH)
    for i in range(n_layer):
        layer = 'model.layers.%d.' % i
        for name, rows in (('q', HEADS), ('k', KV_HEADS), ('v', KV_HEADS)):
            yield layer + 'self_attn.%s_proj.weight' % name, (rows * HEAD, WIDTH)
        yield layer + 'self_attn.o_proj.weight', (WIDTH, HEADS * HEAD)
        yield layer + 'mlp.gate_proj.weight', (HIDDEN, WIDTH)
        yield layer + 'mlp.up_proj.weight', (HIDDEN, WIDTH)
        yield layer + 'mlp.down_proj.weight', (WIDTH, HIDDEN)
        yield layer + 'input_layernorm.weight', (WIDTH,)
        yield layer + 'post_attention_layernorm.weight', (WIDTH,)
    yield 'model.norm.weight', (WIDTH,)


def numbers(rng, n):
    """n random bf16: the mantissa's seven bits and the exponent's lowest from one byte, the rest of the exponent fixed."""
    both = bytearray(2 * n)
    both[0::2] = rng.randbytes(n)
    both[1::2] = rng.randbytes(n).translate(bytes(0x3c | (i & 0x80) for i in range(256)))
    return both


def main():
    folder, n_layer = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 16
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'config.json'), 'w') as f:
        json.dump({'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'hidden_size': WIDTH, 'intermediate_size': HIDDEN,
                   'num_hidden_layers': n_layer, 'num_attention_heads': HEADS, 'num_key_value_heads': KV_HEADS, 'head_dim': HEAD,
                   'vocab_size': VOCAB, 'rms_norm_eps': 1e-5, 'rope_theta': 500000.0, 'tie_word_embeddings': True,
                   'hidden_act': 'silu', 'max_position_embeddings': 131072, 'torch_dtype': 'bfloat16'}, f)
    header, at = {}, 0
    for name, shape in tensors(n_layer):
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {'dtype': 'BF16', 'shape': list(shape), 'data_offsets': [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    rng = random.Random(1)
    with open(os.path.join(folder, 'model.safetensors'), 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for left in range(at // 2, 0, -PIECE):
            f.write(numbers(rng, min(left, PIECE)))


if __name__ == '__main__':
    main()
