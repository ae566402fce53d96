"""stock_models.py: the checkpoints that the stock exporter gets, as weights by Meta's names and ModelArgs.

`stories` is stories260K whole and `stories3` its layers 1, 2 and 4 (a stock export costs 15 to 25 CPU seconds a layer, whatever
its width). `smollm2` is SmolLM2-135M-Instruct, rounded to bf16. All others are seeded random weights: two layers of odd dimensions
show what a graph does as well as thirty do. What Llama's shape has is also written as a Hugging Face folder, for Wick's exporter.
"""
import json
import os
import struct

ROPE = {'rope_theta': 10000.0, 'use_scaled_rope': False, 'use_hf_rope': False}
HF_ROPE = dict(ROPE, use_hf_rope=True)
LLAMA = dict(n_layers=2, norm_eps=1e-5, **ROPE)

# name: (model_class of LlmConfig, ModelArgs). The dimensions are small, odd where something may go wrong, and never all alike.
RANDOM = {
    'qwen2': ('qwen2_5_0_5b', dict(HF_ROPE, dim=64, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=96, vocab_size=160, norm_eps=1e-6,
                                   attention_qkv_bias=True)),
    'qwen3': ('qwen3_0_6b', dict(HF_ROPE, dim=64, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=32, hidden_dim=96, vocab_size=160,
                                 norm_eps=1e-6, use_qk_norm=True, qk_norm_before_rope=True)),
    'phi4': ('phi_4_mini', dict(HF_ROPE, dim=64, n_layers=2, n_heads=2, n_kv_heads=1, hidden_dim=96, vocab_size=160, norm_eps=1e-5,
                                partial_rotary_factor=0.75, original_max_position_embeddings=4096, max_position_embeddings=131072,
                                rope_scaling_short_factor=[1 + i / 8 for i in range(12)],
                                rope_scaling_long_factor=[1 + i / 2 for i in range(12)])),
    'smollm2_tiny': ('smollm2', dict(LLAMA, dim=96, n_heads=3, n_kv_heads=1, hidden_dim=128, vocab_size=160, rope_theta=100000.0)),
    'lfm2': ('lfm2_350m', dict(HF_ROPE, dim=64, n_layers=3, n_heads=4, n_kv_heads=2, hidden_dim=96, vocab_size=160, norm_eps=1e-5,
                               use_qk_norm=True, qk_norm_before_rope=True, layer_types=['conv', 'conv', 'full_attention'])),
    'heads7': ('llama3_2', dict(LLAMA, dim=224, n_heads=7, n_kv_heads=1, hidden_dim=320, vocab_size=163)),
    'gqa8': ('llama3_2', dict(LLAMA, dim=128, n_heads=8, n_kv_heads=8, hidden_dim=192, vocab_size=509)),
    'heads9': ('llama3_2', dict(LLAMA, dim=96, n_heads=9, n_kv_heads=3, head_dim=16, hidden_dim=160, vocab_size=251)),
    'scaled': ('llama3_2', dict(LLAMA, dim=64, n_heads=2, n_kv_heads=2, hidden_dim=224, vocab_size=331, rope_theta=500000.0,
                                use_scaled_rope=True)),
    'k80': ('llama3_2', dict(LLAMA, dim=80, n_heads=5, n_kv_heads=5, hidden_dim=256, vocab_size=167)),
    'gelu': ('llama3_2', dict(LLAMA, dim=64, n_heads=8, n_kv_heads=1, hidden_dim=96, vocab_size=173, act_fn='gelu_approx')),
    'gqa3_g64': ('llama3_2', dict(LLAMA, dim=192, n_heads=6, n_kv_heads=2, hidden_dim=320, vocab_size=130)),
    'qwen3_odd': ('qwen3_0_6b', dict(HF_ROPE, dim=96, n_layers=2, n_heads=3, n_kv_heads=3, head_dim=24, hidden_dim=100, vocab_size=190,
                                     norm_eps=1e-6, use_qk_norm=True, qk_norm_before_rope=True, attention_qkv_bias=True)),
    'phi4_odd': ('phi_4_mini', dict(HF_ROPE, dim=96, n_layers=2, n_heads=3, n_kv_heads=1, hidden_dim=160, vocab_size=201, norm_eps=1e-5,
                                    partial_rotary_factor=0.5)),
    'lfm2_odd': ('lfm2_350m', dict(HF_ROPE, dim=96, n_layers=3, n_heads=6, n_kv_heads=2, hidden_dim=132, vocab_size=145, norm_eps=1e-5,
                                   use_qk_norm=True, qk_norm_before_rope=True, layer_types=['conv', 'full_attention', 'conv'])),
    'dim32': ('llama3_2', dict(LLAMA, dim=32, n_layers=1, n_heads=2, n_kv_heads=1, hidden_dim=64, vocab_size=96)),
    'dim32_mha': ('llama3_2', dict(LLAMA, dim=32, n_layers=1, n_heads=2, n_kv_heads=2, hidden_dim=64, vocab_size=96)),
    'llama30m': ('llama3_2', dict(LLAMA, dim=512, n_layers=8, n_heads=8, n_kv_heads=4, hidden_dim=1536, vocab_size=8192)),
}
SMOLLM2 = dict(LLAMA, dim=576, n_layers=30, n_heads=9, n_kv_heads=3, vocab_size=49152, hidden_dim=1536, rope_theta=100000.0)


def model_class(model):
    return RANDOM[model][0] if model in RANDOM else 'smollm2' if model == 'smollm2' else 'stories110m'


def args(model):
    """ModelArgs of a random model; the others are what their files say."""
    return RANDOM[model][1] if model in RANDOM else None


def is_llama(model):
    """Of Llama's shape, which Wick's exporter has."""
    return model_class(model) in ('stories110m', 'llama3_2', 'smollm2')


def stories(path, keep=None):
    """llama2.c file -> state dict, ModelArgs; of the layers `keep` alone."""
    import numpy as np
    import torch
    raw = open(path, 'rb').read()
    dim, ffn, n_layer, n_head, n_kv, vocab, seq = struct.unpack_from('<7i', raw)
    numbers, at = np.frombuffer(raw, '<f4', offset=28), 0
    d_head, keep = dim // n_head, keep or list(range(n_layer))

    def take(*shape):
        nonlocal at
        n = int(np.prod(shape))
        at += n
        return torch.from_numpy(numbers[at - n:at].reshape(shape).copy())

    weights = {'tok_embeddings.weight': take(abs(vocab), dim)}
    for key, shape in (('attention_norm', (dim,)), ('attention.wq', (dim, dim)), ('attention.wk', (n_kv * d_head, dim)),
                       ('attention.wv', (n_kv * d_head, dim)), ('attention.wo', (dim, dim)), ('ffn_norm', (dim,)),
                       ('feed_forward.w1', (ffn, dim)), ('feed_forward.w2', (dim, ffn)), ('feed_forward.w3', (ffn, dim))):
        stack = take(n_layer, *shape)
        for i, layer in enumerate(keep):
            weights['layers.%d.%s.weight' % (i, key)] = stack[layer].clone()
    weights['norm.weight'] = take(dim)
    take(2, seq, d_head // 2)
    weights['output.weight'] = weights['tok_embeddings.weight'] if vocab > 0 else take(abs(vocab), dim)
    return weights, dict(dim=dim, n_layers=len(keep), n_heads=n_head, n_kv_heads=n_kv, vocab_size=abs(vocab), hidden_dim=ffn, norm_eps=1e-5,
                         rope_theta=10000.0)


def smollm2(path):
    """GGUF of architecture llama -> the same, rounded to bf16. GGUF keeps q and k rows in the order that Meta's names mean."""
    import gguf
    import numpy as np
    import torch
    part = {'attn_norm': 'attention_norm', 'ffn_norm': 'ffn_norm', 'attn_q': 'attention.wq', 'attn_k': 'attention.wk', 'attn_v': 'attention.wv',
            'attn_output': 'attention.wo', 'ffn_gate': 'feed_forward.w1', 'ffn_down': 'feed_forward.w2', 'ffn_up': 'feed_forward.w3'}
    weights = {}
    for t in gguf.GGUFReader(path).tensors:
        w = torch.from_numpy(np.ascontiguousarray(gguf.quants.dequantize(t.data, t.tensor_type), np.float32)).to(torch.bfloat16)
        words = t.name.split('.')
        if words[0] == 'blk':
            weights['layers.%s.%s.weight' % (words[1], part[words[2]])] = w
        else:
            weights[{'token_embd': 'tok_embeddings', 'output_norm': 'norm', 'output': 'output'}[words[0]] + '.weight'] = w
    weights.setdefault('output.weight', weights['tok_embeddings.weight'])
    return weights, SMOLLM2


def random(name):
    """Weights of the size that training leaves: outputs of order one, norms near one, biases that matter. The output layer is tied."""
    import torch
    shape = args(name)
    source = torch.Generator().manual_seed(sum(map(ord, name)))
    dim, ffn, vocab, n_head, n_kv = (shape[k] for k in ('dim', 'hidden_dim', 'vocab_size', 'n_heads', 'n_kv_heads'))
    d_head = shape.get('head_dim', dim // n_head)
    weights = {}

    def normal(key, *size, scale, mean=0.0):
        weights[key] = mean + scale * torch.randn(*size, generator=source)

    def linear(key, n, k):
        normal(key + '.weight', n, k, scale=1.2 / k ** 0.5)

    def norm(key, n):
        normal(key + '.weight', n, scale=0.2, mean=1.0)

    normal('tok_embeddings.weight', vocab, dim, scale=0.2)
    norm('norm', dim)
    for i in range(shape['n_layers']):
        layer = 'layers.%d.' % i
        norm(layer + 'attention_norm', dim)
        norm(layer + 'ffn_norm', dim)
        if shape.get('layer_types', ['full_attention'] * (i + 1))[i] == 'conv':
            for part in ('B_proj', 'C_proj', 'x_proj', 'out_proj'):
                linear(layer + 'conv.' + part, dim, dim)
            normal(layer + 'conv.conv.weight', dim, 1, 3, scale=0.6)
        else:
            for part, n, k in (('wq', n_head * d_head, dim), ('wk', n_kv * d_head, dim), ('wv', n_kv * d_head, dim), ('wo', dim, n_head * d_head)):
                linear(layer + 'attention.' + part, n, k)
                if shape.get('attention_qkv_bias') and part != 'wo':
                    normal(layer + 'attention.%s.bias' % part, n, scale=0.3)
            for part in ('q_norm_fn', 'k_norm_fn') if shape.get('use_qk_norm') else ():
                norm(layer + 'attention.' + part, d_head)
        for part, n, k in (('w1', ffn, dim), ('w2', dim, ffn), ('w3', ffn, dim)):
            linear(layer + 'feed_forward.' + part, n, k)
    weights['output.weight'] = weights['tok_embeddings.weight']
    return weights, shape


def save_adapter(folder, weights, n_layer):
    """A LoRA adapter of rank 4 for the queries and values, in the form of the PEFT library."""
    import torch
    from safetensors.torch import save_file
    source, adapter = torch.Generator().manual_seed(7), {}
    for i in range(n_layer):
        for part, meta in (('q_proj', 'wq'), ('v_proj', 'wv')):
            n, k = weights['layers.%d.attention.%s.weight' % (i, meta)].shape
            key = 'base_model.model.model.layers.%d.self_attn.%s.' % (i, part)
            adapter[key + 'lora_A.weight'] = 0.1 * torch.randn(4, k, generator=source)
            adapter[key + 'lora_B.weight'] = 0.1 * torch.randn(n, 4, generator=source)
    os.makedirs(folder, exist_ok=True)
    save_file(adapter, os.path.join(folder, 'adapter_model.safetensors'))
    json.dump({'r': 4, 'lora_alpha': 8, 'target_modules': ['q_proj', 'v_proj']}, open(os.path.join(folder, 'adapter_config.json'), 'w'))


def kept_ids(vocab):
    """The pruned vocabulary: new id -> old id. Three of four tokens stay, and the special ones."""
    return [i for i in range(vocab) if i < 3 or i % 4 != 3]


def save_hugging_face(folder, weights, shape):
    """The same model as Wick's exporter reads it. Hugging Face turns halves of a head where Meta turns neighbours: q and k rows move."""
    from safetensors.torch import save_file
    d_head = shape.get('head_dim', shape['dim'] // shape['n_heads'])

    def halves(w):
        return w.reshape(-1, d_head // 2, 2, w.shape[-1]).transpose(1, 2).reshape(w.shape)

    part = {'attention_norm': 'input_layernorm', 'ffn_norm': 'post_attention_layernorm', 'attention.wq': 'self_attn.q_proj',
            'attention.wk': 'self_attn.k_proj', 'attention.wv': 'self_attn.v_proj', 'attention.wo': 'self_attn.o_proj',
            'feed_forward.w1': 'mlp.gate_proj', 'feed_forward.w2': 'mlp.down_proj', 'feed_forward.w3': 'mlp.up_proj'}
    out = {'model.embed_tokens.weight': weights['tok_embeddings.weight'], 'model.norm.weight': weights['norm.weight']}
    for key, w in weights.items():
        if key.startswith('layers.'):
            _, i, name = key[:-len('.weight')].split('.', 2)
            out['model.layers.%s.%s.weight' % (i, part[name])] = (halves(w) if name in ('attention.wq', 'attention.wk') else w).contiguous()
    config = {'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'hidden_size': shape['dim'], 'intermediate_size': shape['hidden_dim'],
              'num_hidden_layers': shape['n_layers'], 'num_attention_heads': shape['n_heads'], 'num_key_value_heads': shape['n_kv_heads'],
              'head_dim': d_head, 'vocab_size': shape['vocab_size'], 'rms_norm_eps': shape['norm_eps'], 'rope_theta': shape['rope_theta'],
              'hidden_act': {'silu': 'silu', 'gelu_approx': 'gelu_pytorch_tanh'}[shape.get('act_fn', 'silu')], 'max_position_embeddings': 131072,
              'tie_word_embeddings': True, 'torch_dtype': 'float32', 'bos_token_id': 1, 'eos_token_id': 2}
    if shape.get('use_scaled_rope'):
        config['rope_scaling'] = {'rope_type': 'llama3', 'factor': 32.0, 'low_freq_factor': 1.0, 'high_freq_factor': 4.0,
                                  'original_max_position_embeddings': 8192}
    os.makedirs(folder, exist_ok=True)
    save_file(out, os.path.join(folder, 'model.safetensors'), metadata={'format': 'pt'})
    json.dump(config, open(os.path.join(folder, 'config.json'), 'w'))
