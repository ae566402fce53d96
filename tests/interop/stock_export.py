"""stock_export.py FOLDER NAME... [--stories BIN] [--gguf FILE]: programs made by the stock exporter (export_llama), to read and race.

A recipe is a checkpoint and the LlmConfig fields that differ from the defaults, by their dotted names. Nothing of the exporter is
patched. Cost: about 20 CPU seconds per layer.
"""
import argparse
import json
import os
import struct
import sys

KV = {'model.use_kv_cache': True}
SDPA = dict(KV, **{'model.use_sdpa_with_kv_cache': True})
XNN = {'backend.xnnpack.enabled': True}
EXTENDED = dict(XNN, **{'backend.xnnpack.extended_ops': True})
Q4 = {'quantization.qmode': '8da4w', 'quantization.group_size': 32}
BEST = {**SDPA, **EXTENDED, **Q4, 'quantization.embedding_quantize': '8,0'}

RECIPES = {
    'st_fp32': ('stories', KV),
    'st_fp32_sdpa': ('stories', SDPA),
    'st_fp32_xnn': ('stories', {**SDPA, **EXTENDED}),
    'st_fp32_nokv': ('stories', {}),
    'st_fp32_static': ('stories', {**SDPA, 'model.enable_dynamic_shape': False}),
    'st_fp32_full': ('stories', {**SDPA, 'debug.generate_full_logits': True}),
    'st_8da4w_xnn': ('stories', {**SDPA, **XNN, **Q4}),
    'st_8da4w_xnn_ext': ('stories', {**SDPA, **EXTENDED, **Q4}),
    'st_8da4w_rec': ('stories', BEST),
    'st_8da4w_g0': ('stories', {**SDPA, **EXTENDED, 'quantization.qmode': '8da4w', 'quantization.group_size': 0}),
    'st_8da4w_rtn': ('stories', {**SDPA, **EXTENDED, **Q4, 'quantization.use_hqq': False}),
    'st_8da4w_emb4': ('stories', {**SDPA, **XNN, **Q4, 'quantization.embedding_quantize': '4,32'}),
    'st_8da4w_emb2': ('stories', {**SDPA, **XNN, **Q4, 'quantization.embedding_quantize': '2,32'}),
    'st_8da4w_qkv': ('stories', {**BEST, 'model.quantize_kv_cache': True}),
    'st_bf16': ('stories', {**SDPA, 'model.dtype_override': 'bf16'}),
    'st_fp16': ('stories', {**SDPA, 'model.dtype_override': 'fp16'}),
    'st_int8': ('stories', {**SDPA, 'quantization.qmode': 'int8'}),
    'sm_rec': ('smollm2', {**BEST, 'export.max_seq_length': 2048, 'export.max_context_length': 2048}),
    'sm_fp32': ('smollm2', {**SDPA, 'export.max_seq_length': 2048, 'export.max_context_length': 2048}),
}


def stories(path):
    """llama2.c file -> state dict by Meta's names, ModelArgs."""
    import numpy as np
    import torch
    raw = open(path, 'rb').read()
    dim, ffn, n_layer, n_head, n_kv, vocab, seq = struct.unpack_from('<7i', raw)
    numbers, at = np.frombuffer(raw, '<f4', offset=28), 0
    d_head = dim // n_head

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
        for i in range(n_layer):
            weights['layers.%d.%s.weight' % (i, key)] = stack[i].clone()
    weights['norm.weight'] = take(dim)
    take(2, seq, d_head // 2)
    weights['output.weight'] = weights['tok_embeddings.weight'] if vocab > 0 else take(abs(vocab), dim)
    return weights, dict(dim=dim, n_layers=n_layer, n_heads=n_head, n_kv_heads=n_kv, vocab_size=abs(vocab), hidden_dim=ffn, norm_eps=1e-5,
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
    return weights, dict(dim=576, n_layers=30, n_heads=9, n_kv_heads=3, vocab_size=49152, hidden_dim=1536, norm_eps=1e-5, rope_theta=100000.0,
                         use_scaled_rope=False, use_hf_rope=False)


def config_of(name, folder, model):
    import executorch.extension.llm.export.config.llm_config as schema
    config = schema.LlmConfig()
    fields = {'base.model_class': schema.ModelType('smollm2' if model == 'smollm2' else 'stories110m'),
              'base.checkpoint': os.path.join(folder, model + '.pth'), 'base.params': os.path.join(folder, model + '.params.json'),
              'base.metadata': '{"get_bos_id": 1, "get_eos_ids": [2]}', 'export.output_dir': folder, 'export.output_name': name,
              'export.max_seq_length': 128, 'export.max_context_length': 128, **RECIPES[name][1]}
    for key, value in fields.items():
        section = config
        *path, leaf = key.split('.')
        for part in path:
            section = getattr(section, part)
        setattr(section, leaf, schema.DtypeOverride(value) if leaf == 'dtype_override' else value)
    config.__post_init__()
    return config


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('names', nargs='+')
    parser.add_argument('--stories')
    parser.add_argument('--gguf')
    args = parser.parse_args()
    import torch
    from executorch.examples.models.llama.export_llama_lib import export_llama
    torch.set_num_threads(1)
    folder = os.path.abspath(args.folder)
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    for name in args.names:
        model = RECIPES[name][0]
        weights, params = smollm2(args.gguf) if model == 'smollm2' else stories(args.stories)
        torch.save(weights, os.path.join(folder, model + '.pth'))
        json.dump(params, open(os.path.join(folder, model + '.params.json'), 'w'))
        torch._dynamo.reset()
        torch.manual_seed(0)
        export_llama(config_of(name, folder, model))
        print(os.path.join(folder, name + '.pte'), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
