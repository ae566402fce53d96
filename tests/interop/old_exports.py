"""old_exports.py todo|make|made|compare FOLDER NAME...: programs of older exporters, and what their own runtimes answer.

Runs in an environment that tools/old_env made; a name begins with the exporter it needs:

  et060_*  ExecuTorch 0.6.0's LLM exporter (export_llama), et070_*, et101_*, et110_*, et120_*, et131_*, et141_* the later ones
  oe010_*  optimum-executorch 0.1.0 on ExecuTorch 1.0.1 and transformers 4.56.1
  oe110_*  optimum-executorch 1.1.0 on ExecuTorch 1.1.0 and transformers 5.0.0rc1

All models are tiny and random, made from a seed; nothing of an exporter is patched. `make` writes NAME.pte, runs it in this
environment's runtime and writes NAME.json: prompts, 32 greedy tokens each with their margins, and how far prefilling token by
token and in chunks of 8 is from one call (tests/support/stock_agree.h says how it is used); or, where the exporter or its runtime
refuses, their words. What has a NAME.json is kept. `todo` prints a version and those names without NAME.json that it makes, `made` the
paths of those that could be made, as tests/run/test_run_stock.c takes them. `compare` follows the tokens of their NAME.json in this
environment's runtime, which may be a newer one: exit status 1 if one does not agree by agree.py. `list` prints the names.
tools/interop_old does all of it.
"""
import hashlib
import json
import os
import sys
import traceback

import numpy as np

import agree

STEPS = 32
VOCAB = 160
CONTEXT = 96

# ---------------------------------------------------------------- the LLM exporter

TINY = dict(dim=64, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=96, vocab_size=VOCAB, norm_eps=1e-5, rope_theta=10000.0)
SMALL = dict(TINY, dim=32, hidden_dim=64)
KV = ['-kv']
SDPA = KV + ['--use_sdpa_with_kv_cache']
XNN = ['-X']
EXTENDED = XNN + ['--xnnpack-extended-ops']
Q4 = ['-qmode', '8da4w', '-G', '32']
LLM = {'rec': (TINY, SDPA + EXTENDED + Q4 + ['-E', '8,0']),   # what was recommended for phones
       'xnn': (TINY, SDPA + XNN + Q4 + ['-E', '4,32']),       # without the extended partitioner
       'qkv': (TINY, SDPA + EXTENDED + Q4 + ['-E', '8,0', '--quantize_kv_cache']),
       'sdpa': (SMALL, SDPA),
       'kv': (SMALL, KV),
       'nokv': (SMALL, []),
       'xfp32': (SMALL, SDPA + EXTENDED),
       'bf16': (SMALL, SDPA + ['-d', 'bf16']),
       'static': (SMALL, SDPA + ['--disable_dynamic_shape'])}
LLM_VERSIONS = {'et060': '0.6.0', 'et070': '0.7.0', 'et101': '1.0.1', 'et110': '1.1.0', 'et120': '1.2.0', 'et131': '1.3.1', 'et141': '1.4.1'}

# ---------------------------------------------------------------- optimum-executorch

BASE = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=VOCAB,
            max_position_embeddings=CONTEXT, bos_token_id=1, eos_token_id=2, pad_token_id=0)
NARROW = dict(hidden_size=32, intermediate_size=64)  # where weights are not quantized: files in the repository stay small
FAMILIES = {
    'llama': ('LlamaConfig', dict(head_dim=16)),
    'qwen2': ('Qwen2Config', dict()),
    'qwen3': ('Qwen3Config', dict(head_dim=32)),
    'smollm3': ('SmolLM3Config', dict(num_hidden_layers=4, no_rope_layer_interval=4, layer_types=None)),
    'gemma': ('GemmaConfig', dict(head_dim=16)),
    'gemma2': ('Gemma2Config', dict(head_dim=16, sliding_window=24, query_pre_attn_scalar=16)),
    'gemma3': ('Gemma3TextConfig', dict(head_dim=16, num_hidden_layers=3, sliding_window=24, query_pre_attn_scalar=16,
                                       layer_types=['sliding_attention', 'sliding_attention', 'full_attention'])),
    'phi3': ('Phi3Config', dict()),
    'olmo': ('OlmoConfig', dict()),
    'granite': ('GraniteConfig', dict(embedding_multiplier=3.0, attention_multiplier=0.25, residual_multiplier=0.5, logits_scaling=2.0)),
}
CUSTOM = dict(use_custom_sdpa=True, use_custom_kv_cache=True)
QUANTIZED = dict(qlinear='8da4w', qembedding='8w')
OPTIMUM = {'llama_plain': ('llama', 'portable', {}),
           'llama_sdpa': ('llama', 'portable', dict(use_custom_sdpa=True)),
           'llama_both': ('llama', 'portable', CUSTOM),
           'llama_static': ('llama', 'portable', dict(disable_dynamic_shapes=True)),
           'llama_bstatic': ('llama', 'portable', dict(CUSTOM, disable_dynamic_shapes=True)),
           'llama_xnn': ('llama', 'xnnpack', {}),
           'llama_xsdpa': ('llama', 'xnnpack', dict(use_custom_sdpa=True)),
           'llama_qplain': ('llama', 'xnnpack', QUANTIZED),
           'llama_8w': ('llama', 'xnnpack', dict(CUSTOM, qlinear='8w', qembedding='4w')),
           'llama_bf16': ('llama', 'portable', dict(CUSTOM, dtype='bfloat16')),
           'gemma3_plain': ('gemma3', 'portable', {}),
           'gemma3_both': ('gemma3', 'portable', CUSTOM)}
OPTIMUM.update({family + '_q': (family, 'xnnpack', dict(CUSTOM, **QUANTIZED)) for family in FAMILIES})
OPTIMUM_VERSIONS = {'oe010': '1.0.1', 'oe110': '1.1.0'}

# Tokens of a sequence for which a program's answers mean something, where these are fewer than its context: optimum-executorch 0.1.0 looks
# for the step's first position in a mask with a window, and finds -1 as soon as the window is full.
SPAN = {'oe010_gemma2_q': 23}
# What Wick does not raise whole: these, and graph attention over single tokens, whose dimensions do not tell heads from tokens.
PARTLY = {v + '_llama_static' for v in OPTIMUM_VERSIONS} | set(SPAN)


def names():
    return [v + '_' + r for v in LLM_VERSIONS for r in LLM] + [v + '_' + r for v in OPTIMUM_VERSIONS for r in OPTIMUM]


def quantized(recipe):
    """8da4w, by the words of either exporter."""
    return recipe in LLM and '8da4w' in LLM[recipe][1] or recipe in OPTIMUM and OPTIMUM[recipe][2].get('qlinear') == '8da4w'


def halves(recipe):
    return recipe in LLM and 'bf16' in LLM[recipe][1] or recipe in OPTIMUM and 'dtype' in OPTIMUM[recipe][2]


# ---------------------------------------------------------------- making


def random_weight(torch, generator, name, shape, centered):
    """Of a size that makes the model's answers differ clearly. centered: norms multiply with 1 + weight."""
    noise = torch.randn(shape, generator=generator)
    if len(shape) < 2:
        return 0.3 * noise if name.endswith('bias') else 0.2 * noise + (0 if centered else 1)
    return 0.05 * noise if 'embed' in name else noise * (1.2 / shape[-1] ** 0.5)


def make_llm(folder, name, recipe):
    import torch
    from executorch.examples.models.llama.export_llama_lib import build_args_parser, export_llama
    params, flags = LLM[recipe]
    generator = torch.Generator().manual_seed(7)
    dim, ffn, kv = params['dim'], params['hidden_dim'], params['dim'] // params['n_heads'] * params['n_kv_heads']
    shapes = {'tok_embeddings': (VOCAB, dim), 'norm': (dim,), 'output': (VOCAB, dim)}
    for i in range(params['n_layers']):
        shapes.update({'layers.%d.%s' % (i, k): s for k, s in (
            ('attention_norm', (dim,)), ('attention.wq', (dim, dim)), ('attention.wk', (kv, dim)), ('attention.wv', (kv, dim)), ('ffn_norm', (dim,)),
            ('attention.wo', (dim, dim)), ('feed_forward.w1', (ffn, dim)), ('feed_forward.w2', (dim, ffn)), ('feed_forward.w3', (ffn, dim)))})
    torch.save({k + '.weight': random_weight(torch, generator, k, s, False) for k, s in shapes.items()}, os.path.join(folder, name + '.pth'))
    json.dump(params, open(os.path.join(folder, name + '.params.json'), 'w'))
    words = ['--model', 'stories110m', '-c', name + '.pth', '-p', name + '.params.json', '--max_seq_length', str(CONTEXT), '--max_context_length',
             str(CONTEXT), '--metadata', '{"get_bos_id": 1, "get_eos_ids": [2]}', '-n', name + '.pte', '-o', '.'] + flags
    os.chdir(folder)
    export_llama(build_args_parser().parse_args(words))


def make_optimum(folder, name, recipe):
    import torch
    import transformers
    from optimum.exporters.executorch import main_export
    family, backend, options = OPTIMUM[recipe]
    kind, fields = FAMILIES[family]
    fields = fields if 'qlinear' in options else dict(fields, **NARROW, **{k: 8 for k in ('head_dim',) if k in fields})
    config = getattr(transformers, kind)(**dict(BASE, **fields))
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.copy_(random_weight(torch, generator, key, tuple(weight.shape), family.startswith('gemma')))
    model.save_pretrained(os.path.join(folder, name))
    main_export(os.path.join(folder, name), 'text-generation', backend, os.path.join(folder, name), max_seq_len=CONTEXT, **options)
    os.replace(os.path.join(folder, name, 'model.pte'), os.path.join(folder, name + '.pte'))


# ---------------------------------------------------------------- running


class Program:
    """A program in this environment's runtime, beginning a sequence."""

    def __init__(self, path):
        import torch
        from executorch.extension.pybindings.portable_lib import _load_for_executorch
        import executorch.kernels.quantized  # noqa: F401
        from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
        torch.set_num_threads(1)
        self.torch, self.module, self.sequence = torch, _load_for_executorch(path), []
        meta = self.module.method_meta('forward')
        self.bound = meta.input_tensor_meta(0).sizes()[1]
        # 0: no position; 1: that of the first token; more: one position per token
        self.positions = meta.input_tensor_meta(1).sizes()[0] if meta.num_inputs() > 1 else 0

    def call(self, ids):
        t, at = self.torch, len(self.sequence)
        self.sequence += ids
        if not self.positions:
            inputs = (t.tensor([self.sequence]),)
        else:
            inputs = (t.tensor([ids]), t.arange(at, at + len(ids)) if self.positions > 1 else t.tensor([at]))
        out = self.module.run_method('forward', inputs)[0]
        return out.to(t.float32).reshape(-1, out.shape[-1])[-1].numpy().copy()

    def prefill(self, ids, chunk):
        chunk = min(chunk, self.bound)
        for i in range(0, len(ids), chunk):
            row = self.call(ids[i:i + chunk])
        return row

    def meta(self):
        out = {}
        for name in sorted(self.module.method_names()):
            if self.module.method_meta(name).num_inputs() == 0:
                value = self.module.run_method(name, ())
                out[name] = value[0] if len(value) == 1 else list(value)
        return out

    def shapes(self):
        def tensor(m):
            return {'shape': list(m.sizes()), 'dtype': int(m.dtype())}
        m = self.module.method_meta('forward')
        return {'inputs': [tensor(m.input_tensor_meta(i)) for i in range(m.num_inputs())],
                'outputs': [tensor(m.output_tensor_meta(i)) for i in range(m.num_outputs())]}


def prompts():
    rng = np.random.default_rng(11)
    return [rng.integers(3, VOCAB, n).tolist() for n in (1, 5, 17, 40)]


def follow(path, prompt, chunk, forced=None, steps=STEPS):
    """Rows of logits for the tokens after the prompt, `steps` greedy ones or those forced, and the tokens."""
    program = Program(path)
    rows, tokens = [program.prefill(prompt, chunk)], []
    steps = len(forced) if forced else steps
    for i in range(steps):
        tokens.append(int(forced[i]) if forced else int(rows[-1].argmax()))
        if i + 1 < steps:
            rows.append(program.call(tokens[-1:]))
    return np.stack(rows), tokens


def short(x):
    return float('%.4g' % x)


def record_run(path, prompt, ways, steps):
    """Some programs stop answering numbers at a position: then only what lies before is recorded; None if nothing does in some way."""
    rows, tokens = follow(path, prompt, len(prompt), steps=steps)
    good = int(np.isfinite(rows).all(-1).cumprod().sum())
    if not good:
        return None, rows
    rows, tokens = rows[:good], tokens[:good]
    top = np.sort(rows, -1)
    run = {'prompt': prompt, 'greedy': tokens, 'margin': [short(x) for x in top[:, -1] - top[:, -2]],
           'top1': [float('%.7g' % x) for x in top[:, -1]]}
    others = {key: follow(path, prompt, chunk, tokens)[0] for key, chunk in ways.items() if chunk < len(prompt)}
    if not all(np.isfinite(other).all() for other in others.values()):
        return None, rows
    if others:
        vs = {key: agree.compare(rows, other) for key, other in others.items()}
        run['vs'] = {key: {k: v if isinstance(v, int) else short(v) for k, v in r.items() if k != 'steps'} for key, r in vs.items()}
    return run, rows


def record(folder, name):
    import executorch.version
    path, recipe = os.path.join(folder, name + '.pte'), name.split('_', 1)[1]
    data, program = open(path, 'rb').read(), Program(path)
    ways = {'tok': 1, 'c8': 8} if program.positions and program.bound > 1 else {}
    out = {'name': name, 'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest(), 'runtime': executorch.version.__version__, 'config': {},
           'meta': program.meta(), 'methods': {'forward': program.shapes()}, 'method': 'forward', 'runs': []}
    if quantized(recipe):
        out['config']['quantization'] = {'qmode': '8da4w'}
    if halves(recipe):
        out['config']['model'] = {'dtype_override': 'bf16'}
    for prompt in prompts():
        steps = min(STEPS, SPAN.get(name, CONTEXT) + 1 - len(prompt))
        if steps < 1:
            continue
        run, rows = record_run(path, prompt, ways, steps)
        if run:
            out['runs'].append(run)
        if 'logits_first' not in out:
            out['logits_first'] = [float('%.7g' % x) for x in rows[0]]
    json.dump(out, open(note_path(folder, name), 'w'), separators=(',', ':'))


def note_path(folder, name):
    return os.path.join(folder, name + '.json')


def refusal(folder, name):
    """The words with which a program was refused by those who should have made it, or None."""
    return json.load(open(note_path(folder, name))).get('refused')


def refuse(folder, name, words):
    json.dump({'name': name, 'refused': ' '.join(words.split())[:300]}, open(note_path(folder, name), 'w'))


def version_of(name):
    return dict(LLM_VERSIONS, **OPTIMUM_VERSIONS)[name.split('_')[0]]


def todo(folder, names):
    missing = [n for n in names if not os.path.exists(note_path(folder, n))]
    if missing:
        print(version_of(missing[0]), *(n for n in missing if version_of(n) == version_of(missing[0])))


def make(folder, names):
    import torch
    torch.set_num_threads(1)
    for name in names:
        if os.path.exists(note_path(folder, name)):
            continue
        version, recipe = name.split('_', 1)
        refuse(folder, name, 'the process died')  # until it is known better
        try:
            (make_llm if version in LLM_VERSIONS else make_optimum)(folder, name, recipe)
            record(folder, name)
        except (ImportError, KeyboardInterrupt):  # no answer of the exporter
            os.remove(note_path(folder, name))
            raise
        except (Exception, SystemExit) as e:  # whatever else they raise is their answer
            traceback.print_exc()
            refuse(folder, name, '%s: %s' % (type(e).__name__, e))


def made(folder, names):
    print('\n'.join(('vm:' if name in PARTLY else '') + os.path.join(folder, name) for name in names if not refusal(folder, name)))


def agrees(folder, name):
    """This runtime along the recorded tokens; False if it does not agree."""
    reference, path = json.load(open(note_path(folder, name))), os.path.join(folder, name + '.pte')
    recipe = name.split('_', 1)[1]
    worst_margin, flips, steps, top = 0.0, 0, 0, 0.0
    for run in reference['runs']:
        rows, _ = follow(path, run['prompt'], len(run['prompt']), run['greedy'])
        flip = rows.argmax(-1) != np.array(run['greedy'])
        worst_margin = max([worst_margin] + list(np.array(run['margin'])[flip]))
        top = max(top, float(np.abs(rows[np.arange(len(flip)), run['greedy']] - run['top1']).max()))
        flips, steps = flips + int(flip.sum()), steps + len(flip)
    own = [v for run in reference['runs'] for v in run.get('vs', {}).values()]
    own_margin, own_flips = max([v['flip_margin'] for v in own], default=0), sum(v['flips'] for v in own)
    if quantized(recipe):
        good = worst_margin <= max(2 * own_margin, 0.1) and flips <= 2 * own_flips + 0.02 * steps
    else:
        good = worst_margin <= (0.25 if halves(recipe) else 1e-3) and (halves(recipe) or top <= 1e-3)
    print('%-7s %-20s %d of %d steps flip (margin %.2g), chosen logits differ by %.2g' % ('ok' if good else 'FAILED', name, flips, steps, worst_margin, top), flush=True)
    return good


def compare(folder, names):
    passed = failed = refused = 0
    for name in names:
        words = refusal(folder, name)
        if words:
            print('%-20s could not be made: %s' % (name, words))
            refused += 1
        elif agrees(folder, name):
            passed += 1
        else:
            failed += 1
    print('%d passed, %d failed, %d could not be made' % (passed, failed, refused))
    return failed > 0


def main():
    if sys.argv[1:] == ['list']:
        print('\n'.join(names()))
        return 0
    verbs = {'todo': todo, 'make': make, 'made': made, 'compare': compare}
    if len(sys.argv) < 4 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    return 1 if verbs[sys.argv[1]](os.path.abspath(sys.argv[2]), sys.argv[3:]) else 0


if __name__ == '__main__':
    sys.exit(main())
