#!/usr/bin/env python3
"""make.py FOLDER: makes the checkpoint fixtures with the gguf (0.19) and safetensors (0.8) packages.

types.gguf, types.safetensors   one tensor of each type that Wick reads, metadata of every kind
types_*.f32                     what the packages say the numbers are, tensors one after the other
micro_hf/ micro_meta/ micro.gguf  one tiny random Llama, bf16, three ways: two shards with rows as halves; Meta's names and
                                GGUF's, both with rows as neighbouring pairs and the rope scaling said in their own words
"""
import json
import math
import os
import struct
import sys

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

ST_BYTES = {'F32': 4, 'F16': 2, 'BF16': 2, 'F64': 8, 'I64': 8, 'BOOL': 1, 'F8_E4M3': 1}


def bf16(x):
    b = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((b + 0x7fff + ((b >> 16) & 1)) >> 16).astype(np.uint16)


def up(b):
    return (b.astype(np.uint32) << 16).view(np.float32)


def write_safetensors(path, tensors, meta=None):
    """tensors: name -> (dtype, shape, bytes). By hand, because numpy has no bf16; safetensors itself must read it back."""
    header, at = {}, 0
    if meta:
        header['__metadata__'] = meta
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + b''.join(d for _, _, d in tensors.values()))


def types_gguf(out, rng):
    w = gguf.GGUFWriter(os.path.join(out, 'types.gguf'), 'none')
    w.add_uint8('k.u8', 200), w.add_int8('k.i8', -100), w.add_uint16('k.u16', 60000), w.add_int16('k.i16', -30000)
    w.add_uint32('k.u32', 4000000000), w.add_int32('k.i32', -2000000000), w.add_float32('k.f32', 1.5), w.add_bool('k.bool', True)
    w.add_string('k.string', 'h\u00e9llo'), w.add_uint64('k.u64', 1 << 62), w.add_int64('k.i64', -(1 << 62)), w.add_float64('k.f64', 0.1)
    w.add_array('k.strings', ['a', '', 'ccc']), w.add_array('k.ints', [1, -2, 3]), w.add_array('k.floats', [0.5, 0.25])
    expected = []
    for name, kind in [('f32', 'F32'), ('f16', 'F16'), ('bf16', 'BF16'), ('q8_0', 'Q8_0'), ('q4_0', 'Q4_0'), ('q4_1', 'Q4_1')]:
        t = gguf.GGMLQuantizationType[kind]
        x = (rng.standard_normal((3, 64)) * 3).astype(np.float32)
        x[0, :4] = [0, -0.0, 1e-7, 65504]
        q = quantize(x, t)
        w.add_tensor('t.' + name, q, raw_dtype=t)
        expected.append(dequantize(q, t).astype('<f4').tobytes())
    w.add_tensor('t.i32', np.arange(6, dtype=np.int32).reshape(2, 3))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
    open(os.path.join(out, 'types_gguf.f32'), 'wb').write(b''.join(expected))


def types_safetensors(out, rng):
    x = rng.standard_normal((4, 6)).astype(np.float32)
    x[0, :5] = [np.inf, -np.inf, 0, -0.0, 1e-40]
    h = (rng.standard_normal(10) * 100).astype(np.float16)
    h[:3] = [6e-8, -6e-5, 65504]
    d = rng.standard_normal(5)
    b = bf16(rng.standard_normal((2, 3, 2)))
    write_safetensors(os.path.join(out, 'types.safetensors'), {
        'f32': ('F32', [4, 6], x.tobytes()), 'f16': ('F16', [10], h.tobytes()), 'bf16': ('BF16', [2, 3, 2], b.tobytes()),
        'f64': ('F64', [5], d.tobytes()), 'scalar': ('F32', [], x[1, 1].tobytes()), 'empty': ('F32', [0, 3], b''),
        'i64': ('I64', [2], np.array([1, -1], np.int64).tobytes()), 'f8': ('F8_E4M3', [3], b'abc')},
        {'format': 'pt', 'note': 'h\u00e9'})
    from safetensors import safe_open
    with safe_open(os.path.join(out, 'types.safetensors'), 'pt') as f:  # an independent reader agrees that the file is right
        expected = [f.get_tensor(n).float().numpy().astype('<f4').tobytes() for n in ('f32', 'f16', 'bf16', 'f64', 'scalar')]
    open(os.path.join(out, 'types_safetensors.f32'), 'wb').write(b''.join(expected))


DIM, LAYERS, HEADS, KV, HEAD, FFN, VOCAB, ORIGINAL = 32, 2, 4, 2, 8, 48, 40, 64
SCALING = {'rope_type': 'llama3', 'factor': 8.0, 'low_freq_factor': 1.0, 'high_freq_factor': 4.0, 'original_max_position_embeddings': ORIGINAL}


def pairs(w):
    """rows of halves -> rows of neighbouring pairs"""
    return w.reshape(-1, 2, HEAD // 2, w.shape[1]).transpose(0, 2, 1, 3).reshape(w.shape)


def factors():
    r = []
    for i in range(HEAD // 2):
        wave = 2 * math.pi * 500000.0 ** (2 * i / HEAD)
        if wave < ORIGINAL / 4: r.append(1.0)
        elif wave > ORIGINAL: r.append(8.0)
        else:
            s = (ORIGINAL / wave - 1) / 3
            r.append(1 / ((1 - s) / 8 + s))
    return np.array(r, np.float32)


def micro(out, rng):
    m = lambda *s: up(bf16(rng.standard_normal(s).astype(np.float32)))
    names = {}  # role -> (hf, meta, gguf)
    t = {}

    def put(hf, meta, gg, w):
        t[hf] = w
        names[hf] = (meta, gg)
    put('model.embed_tokens.weight', 'tok_embeddings.weight', 'token_embd.weight', m(VOCAB, DIM))
    for i in range(LAYERS):
        h, a, g = 'model.layers.%d.' % i, 'layers.%d.' % i, 'blk.%d.' % i
        put(h + 'input_layernorm.weight', a + 'attention_norm.weight', g + 'attn_norm.weight', m(DIM))
        put(h + 'self_attn.q_proj.weight', a + 'attention.wq.weight', g + 'attn_q.weight', m(HEADS * HEAD, DIM))
        put(h + 'self_attn.k_proj.weight', a + 'attention.wk.weight', g + 'attn_k.weight', m(KV * HEAD, DIM))
        put(h + 'self_attn.v_proj.weight', a + 'attention.wv.weight', g + 'attn_v.weight', m(KV * HEAD, DIM))
        put(h + 'self_attn.o_proj.weight', a + 'attention.wo.weight', g + 'attn_output.weight', m(DIM, HEADS * HEAD))
        put(h + 'post_attention_layernorm.weight', a + 'ffn_norm.weight', g + 'ffn_norm.weight', m(DIM))
        put(h + 'mlp.gate_proj.weight', a + 'feed_forward.w1.weight', g + 'ffn_gate.weight', m(FFN, DIM))
        put(h + 'mlp.up_proj.weight', a + 'feed_forward.w3.weight', g + 'ffn_up.weight', m(FFN, DIM))
        put(h + 'mlp.down_proj.weight', a + 'feed_forward.w2.weight', g + 'ffn_down.weight', m(DIM, FFN))
    put('model.norm.weight', 'norm.weight', 'output_norm.weight', m(DIM))
    put('lm_head.weight', 'output.weight', 'output.weight', m(VOCAB, DIM))
    turns = lambda n: 'q_proj' in n or 'k_proj' in n
    st = lambda w: ('BF16', list(w.shape), bf16(w).tobytes())

    hf = os.path.join(out, 'micro_hf')
    os.makedirs(hf, exist_ok=True)
    first = {n: st(w) for n, w in t.items() if 'layers.1' not in n}
    second = {n: st(w) for n, w in t.items() if 'layers.1' in n}
    write_safetensors(hf + '/model-00001-of-00002.safetensors', first, {'format': 'pt'})
    write_safetensors(hf + '/model-00002-of-00002.safetensors', second, {'format': 'pt'})
    where = {n: 'model-0000%d-of-00002.safetensors' % (2 if n in second else 1) for n in t}
    dump = lambda p, j: open(p, 'w').write(json.dumps(j, indent=1) + '\n')
    dump(hf + '/model.safetensors.index.json', {'metadata': {'total_size': 0}, 'weight_map': where})
    dump(hf + '/config.json', {
        'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'vocab_size': VOCAB, 'hidden_size': DIM, 'intermediate_size': FFN,
        'num_hidden_layers': LAYERS, 'num_attention_heads': HEADS, 'num_key_value_heads': KV, 'head_dim': HEAD, 'hidden_act': 'silu',
        'max_position_embeddings': 512, 'rms_norm_eps': 1e-5, 'tie_word_embeddings': False, 'bos_token_id': 1, 'eos_token_id': [2, 5],
        'rope_parameters': dict(SCALING, rope_theta=500000.0), 'dtype': 'bfloat16'})
    dump(hf + '/generation_config.json', {'bos_token_id': 1, 'eos_token_id': 7, 'do_sample': True, 'temperature': 0.6, 'top_k': 50,
                                          'repetition_penalty': 1.1})
    dump(hf + '/tokenizer_config.json', {
        'eos_token': {'content': '<end>'}, 'added_tokens_decoder': {'1': {'content': '<begin>'}, '9': {'content': '<end>'}},
        'chat_template': [{'name': 'tool_use', 'template': 'no'}, {'name': 'default', 'template': '{{ messages }}'}]})
    dump(hf + '/tokenizer.json', {'version': '1.0'})

    meta = os.path.join(out, 'micro_meta')
    os.makedirs(meta, exist_ok=True)
    write_safetensors(meta + '/model.safetensors', {names[n][0]: st(pairs(w) if turns(n) else w) for n, w in t.items()})
    dump(meta + '/params.json', {
        'dim': DIM, 'n_layers': LAYERS, 'n_heads': HEADS, 'n_kv_heads': KV, 'vocab_size': -1, 'multiple_of': 48, 'ffn_dim_multiplier': 0.5,
        'norm_eps': 1e-5, 'rope_theta': 500000.0, 'use_scaled_rope': True, 'rope_scale_factor': 8, 'low_freq_factor': 1, 'high_freq_factor': 4,
        'original_max_position_embeddings': ORIGINAL, 'max_position_embeddings': 512})

    w = gguf.GGUFWriter(os.path.join(out, 'micro.gguf'), 'llama')
    w.add_context_length(512), w.add_embedding_length(DIM), w.add_block_count(LAYERS), w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS), w.add_head_count_kv(KV), w.add_layer_norm_rms_eps(1e-5), w.add_rope_freq_base(500000.0)
    w.add_rope_dimension_count(HEAD), w.add_key_length(HEAD), w.add_value_length(HEAD), w.add_vocab_size(VOCAB)
    w.add_tokenizer_model('gpt2'), w.add_token_list(['t%d' % i for i in range(VOCAB)])
    w.add_bos_token_id(1), w.add_eos_token_id(2), w.add_eot_token_id(5), w.add_chat_template('{{ messages }}')
    w.add_sampling_temp(0.75), w.add_sampling_top_k(30), w.add_sampling_penalty_last_n(128), w.add_sampling_mirostat_tau(4.5)
    for n, x in t.items():
        x = pairs(x) if turns(n) else x
        if x.ndim == 1: w.add_tensor(names[n][1], x)
        else: w.add_tensor(names[n][1], quantize(x, gguf.GGMLQuantizationType.BF16), raw_dtype=gguf.GGMLQuantizationType.BF16)
    w.add_tensor('rope_freqs.weight', factors())
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


if __name__ == '__main__':
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    types_gguf(folder, np.random.default_rng(1))
    types_safetensors(folder, np.random.default_rng(2))
    micro(folder, np.random.default_rng(3))
