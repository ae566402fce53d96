"""stock_recipes.py: the programs that the stock exporter makes for the comparison, by name.

A recipe is a checkpoint (stock_models.py) and the LlmConfig fields that differ from the defaults, by their dotted names. The st_, ty_
and sm_ recipes are one option or family each; the iv_ ones combine options and odd dimensions. What stock cannot make is in the list
too: it stays visible, with stock's own words, and is tried again when stock's version changes.
"""
KV = {'model.use_kv_cache': True}
SDPA = dict(KV, **{'model.use_sdpa_with_kv_cache': True})
XNN = {'backend.xnnpack.enabled': True}
EXTENDED = dict(XNN, **{'backend.xnnpack.extended_ops': True})
Q4 = {'quantization.qmode': '8da4w', 'quantization.group_size': 32}
BEST = {**SDPA, **EXTENDED, **Q4, 'quantization.embedding_quantize': '8,0'}
STATIC = {'model.enable_dynamic_shape': False}
FULL = {'debug.generate_full_logits': True}


def lengths(sequence, context):
    return {'export.max_seq_length': sequence, 'export.max_context_length': context}


def group(size):
    return {'quantization.qmode': '8da4w', 'quantization.group_size': size}


def embedding(scheme):
    return {'quantization.embedding_quantize': scheme}


def dtype(name):
    return {'model.dtype_override': name}


INT8_CACHE = {'model.quantize_kv_cache': True}
LORA = {'base.lora_config': 'adapter'}           # stock_export.py puts paths where these words are
PRUNE = {'model.input_prune_map': 'kept', 'model.output_prune_map': 'kept'}
TWO_METHODS = {'multimethod.methods': 'forward and lora_forward', 'multimethod.share_mutable_buffers': True}
EXTERNAL = {'export.foundation_weights_file': 'weights'}

RECIPES = {
    'st_fp32': ('stories', KV),
    'st_fp32_sdpa': ('stories', SDPA),
    'st_fp32_xnn': ('stories', {**SDPA, **EXTENDED}),
    'st_fp32_nokv': ('stories', {}),
    'st_fp32_static': ('stories', {**SDPA, **STATIC}),
    'st_fp32_full': ('stories', {**SDPA, **FULL}),
    'st_8da4w_xnn': ('stories', {**SDPA, **XNN, **Q4}),
    'st_8da4w_xnn_ext': ('stories', {**SDPA, **EXTENDED, **Q4}),
    'st_8da4w_emb8': ('stories3', {**SDPA, **XNN, **Q4, **embedding('8,0')}),
    'st_8da4w_emb4': ('stories3', {**SDPA, **XNN, **Q4, **embedding('4,32')}),
    'st_8da4w_emb2': ('stories3', {**SDPA, **XNN, **Q4, **embedding('2,32')}),
    'st_8da4w_rec': ('stories', BEST),
    'st_8da4w_g0': ('stories3', {**SDPA, **EXTENDED, **group(0)}),
    'st_8da4w_rtn': ('stories3', {**SDPA, **EXTENDED, **Q4, 'quantization.use_hqq': False}),
    'st_8da4w_qkv': ('stories3', {**BEST, **INT8_CACHE}),
    'st_8da4w_lgattn': ('stories3', {**BEST, **lengths(32, 128), 'model.local_global_attention': [0, 16, 0]}),
    'st_8da4w_sink': ('stories3', {**BEST, **lengths(64, 128), 'model.use_attention_sink': '4,32'}),
    'st_bf16': ('stories', {**SDPA, **dtype('bf16')}),
    'st_fp16': ('stories3', {**SDPA, **dtype('fp16')}),
    'st_int8': ('stories', {**SDPA, 'quantization.qmode': 'int8'}),
    'st_seq_lt_ctx': ('stories3', {**BEST, **lengths(32, 128)}),
    'st_multi': ('stories3', {**SDPA, **EXTENDED, **Q4, **TWO_METHODS}),
    'st_ptd': ('stories3', {**BEST, **EXTERNAL}),
    'st_lora': ('stories3', {**SDPA, **EXTENDED, **Q4, **LORA}),
    'st_prune': ('stories3', {**BEST, **PRUNE}),
    # Windows that are too narrow for the longest step: stock's tracer finds no answer.
    'st_8da4w_sink_narrow': ('stories3', {**BEST, 'model.use_attention_sink': '4,24'}),
    'st_8da4w_lgattn_narrow': ('stories3', {**BEST, 'model.local_global_attention': [0, 16, 0]}),

    'ty_qwen2': ('qwen2', {**SDPA, **EXTENDED, **Q4}),
    'ty_qwen2_fp32': ('qwen2', SDPA),
    'ty_qwen3': ('qwen3', {**SDPA, **EXTENDED, **Q4}),
    'ty_qwen3_fp32': ('qwen3', SDPA),
    'ty_phi4': ('phi4', {**SDPA, **EXTENDED, **Q4}),
    'ty_phi4_fp32': ('phi4', SDPA),
    'ty_smollm2': ('smollm2_tiny', {**SDPA, **EXTENDED, **Q4}),
    'ty_smollm2_fp32': ('smollm2_tiny', SDPA),
    'ty_lfm2': ('lfm2', {**SDPA, **EXTENDED, **Q4}),
    'ty_lfm2_fp32': ('lfm2', SDPA),

    'iv_heads7_fp32': ('heads7', {**SDPA, **EXTENDED}),                                    # 7 heads on 1, vocabulary 163
    'iv_ctx33': ('gqa8', {**BEST, **lengths(33, 33)}),                                     # 8 heads on 8, a context of 33
    'iv_heads9': ('heads9', BEST),                                                         # 9 on 3 of width 16: wo has 144 columns
    'iv_scaled_emb4': ('scaled', {**SDPA, **XNN, **Q4, **embedding('4,32'), **lengths(33, 65)}),
    'iv_k80': ('k80', {**BEST, **embedding('4,16')}),                                      # 80 columns stay float, 256 do not
    'iv_gelu': ('gelu', {**BEST, **INT8_CACHE}),                                           # 8 heads on 1
    'iv_g64_static': ('gqa3_g64', {**SDPA, **EXTENDED, **group(64), **embedding('8,0'), **STATIC, **FULL}),
    'iv_nokv_8da4w': ('heads9', {**EXTENDED, **Q4, **embedding('2,32')}),
    'iv_nosdpa_8da4w': ('gqa3_g64', {**KV, **EXTENDED, **Q4, **embedding('8,0')}),
    'iv_nokv_bf16': ('scaled', {**dtype('bf16'), **FULL}),
    'iv_qwen3_emb2': ('qwen3_odd', {**SDPA, **XNN, **Q4, **embedding('2,32')}),            # biases and norms of q and k, 100 columns
    'iv_phi4_window': ('phi4_odd', {**BEST, **lengths(24, 96), 'model.local_global_attention': [12]}),
    'iv_lfm2_rec': ('lfm2_odd', {**BEST, **INT8_CACHE, **lengths(65, 100)}),
    'iv_int8_fp16': ('heads7', {**SDPA, **dtype('fp16'), 'quantization.qmode': 'int8', **embedding('8,0')}),
    'iv_fp16_emb2': ('dim32', {**SDPA, **dtype('fp16'), **embedding('2,16')}),               # kept in tests/data/stock
    'iv_ring_int8': ('dim32', {**SDPA, **INT8_CACHE, **lengths(24, 96), 'model.local_global_attention': [12]}),  # kept there too
    'iv_spread_rope': ('dim32_mha', {**SDPA, 'model.expand_rope_table': True}),               # and there
    'iv_lora_ptd': ('stories3', {**BEST, **LORA, **EXTERNAL, 'export.lora_weights_file': 'lora_weights'}),
    'iv_window_int8': ('gqa8', {**BEST, **INT8_CACHE, **lengths(32, 128), 'model.local_global_attention': [16, 0]}),
    'iv_sink_fp32': ('heads9', {**SDPA, **EXTENDED, **lengths(33, 200), 'model.use_attention_sink': '3,20'}),
    'iv_sink_dim32': ('dim32', {**SDPA, **EXTENDED, **lengths(33, 100), 'model.use_attention_sink': '3,20'}),  # kept in tests/data/stock
    'iv_expand_rope': ('gqa8', {**SDPA, **XNN, **group(128), **embedding('4,0'), 'model.expand_rope_table': True}),
    'iv_static_int8_cache': ('gqa3_g64', {**BEST, **STATIC, 'model.static_quantize_kv_cache': True}),
    'iv_torchao': ('gqa8', {**SDPA, 'quantization.qmode': 'torchao:8da4w', 'quantization.group_size': 32}),
    'iv_pt2e': ('gqa8', {**SDPA, **EXTENDED, 'quantization.pt2e_quantize': 'xnnpack_dynamic'}),
    'iv_pt2e_c4': ('heads7', {**SDPA, **XNN, 'quantization.pt2e_quantize': 'xnnpack_dynamic_qc4'}),

    'sm_rec': ('smollm2', {**BEST, **lengths(2048, 2048)}),
    'sm_fp32': ('smollm2', {**SDPA, **lengths(2048, 2048)}),
    # Large enough to time.
    'big_fp32': ('llama30m', {**SDPA, **EXTENDED, **lengths(512, 512)}),
    'big_rec': ('llama30m', {**BEST, **lengths(512, 512)}),
}


def kind(name):
    """The rule of agree.py: whether activations or the cache are rounded at run time, else the width of the numbers."""
    fields = RECIPES[name][1]
    rounded = fields.get('quantization.qmode') == '8da4w' or 'quantization.pt2e_quantize' in fields
    if rounded or 'model.quantize_kv_cache' in fields or 'model.static_quantize_kv_cache' in fields:
        return 'quantized'
    return 'half' if 'model.dtype_override' in fields else 'exact'


def methods(name):
    return ('forward', 'lora_forward') if 'multimethod.methods' in RECIPES[name][1] else ('forward',)


def data(folder, name):
    """Paths of the external weights."""
    return tuple('%s/%s_%s.ptd' % (folder, name, value) for key, value in RECIPES[name][1].items() if key.endswith('weights_file'))
