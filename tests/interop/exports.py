"""exports.py BUILD WORK STOCK SMOLLM2.gguf: our exports in the stock runtime, judged by what other implementations computed.

Every file is loaded with the strict verifier (the Python bindings' default). Checked are
  - fp32 exports, both backends, against the logits recorded in tests/data/logits (transformers; numpy for stories260K): every
    position token by token, the prompt in one call, greedy continuations;
  - steps of every length up to the bound at two positions, chunks of mixed lengths, and the last position of the cache;
  - 8da4w: chunkings against each other, beside those of STOCK/st_8da4w_rec.pte (the same weights), and how far the quantized model is from the fp32 one;
  - SmolLM2 with the recommended recipe: a chat turn about the capital of France.
Needs executorch and its LLM kernels, torch and numpy. Exit status 1 on any failure."""
import json
import os
import subprocess
import sys

import numpy as np
import torch
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401  (registers llama::*)
from executorch.extension.pybindings.portable_lib import _load_for_executorch
import executorch.kernels.quantized  # noqa: F401  (registers quantized_decomposed::*)

import agree

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, '..', 'data', 'logits')
STORIES = os.path.join(HERE, '..', '..', 'examples', 'models', 'stories260K', 'stories260K.bin')
FP32 = ['--qmode', 'fp32', '--embedding_quantize', 'fp32']
PARIS = 7042  # ' Paris' in SmolLM2's vocabulary
PORTABLE = FP32 + ['--backend', 'portable']


class Program:
    """A program in the stock runtime; positions are ours to keep, so any call may come at any time."""

    def __init__(self, path):
        self.module = _load_for_executorch(path)

    def value(self, name):
        return self.module.run_method(name, ())[0]

    def call(self, ids, position):
        out = self.module.run_method('forward', (torch.tensor([ids]), torch.tensor([position])))[0]
        return out.reshape(-1).numpy().copy()

    def rows(self, ids, chunks):
        """Logits after each chunk."""
        out, at = [], 0
        for n in chunks:
            out.append(self.call(ids[at:at + n], at))
            at += n
        return np.stack(out)

    def greedy(self, ids, n, chunk):
        for at in range(0, len(ids), chunk):
            logits = self.call(ids[at:at + chunk], at)
        out = [int(logits.argmax())]
        while len(out) < n:
            out.append(int(self.call(out[-1:], len(ids) + len(out) - 1).argmax()))
        return out


class Checks:
    def __init__(self, build, work):
        self.wick, self.work, self.failed, self.passed = os.path.join(build, 'wick'), work, 0, 0

    def export(self, checkpoint, name, flags):
        out = os.path.join(self.work, name + '.pte')
        subprocess.run([self.wick, 'export', checkpoint, '-o', out, '--quiet'] + flags, check=True, stdout=subprocess.DEVNULL)
        return Program(out)

    def check(self, good, text):
        print('%-7s %s' % ('ok' if good else 'FAILED', text), flush=True)
        self.failed, self.passed = self.failed + (not good), self.passed + bool(good)

    def recorded(self, program, folder, name, limit):
        """Against tests/data/logits/FOLDER. Its rows are the last `rows` positions of each prompt (all, if it does not say)."""
        tokens, logits = json.load(open(os.path.join(DATA, folder, 'tokens.json'))), np.load(os.path.join(DATA, folder, 'logits.npy'))
        limit = limit or 10 * max(4e-6, tokens['tolerance']['max_abs_fp32_minus_fp64'])
        worst, whole, same = 0.0, 0.0, True
        for p in tokens['prompts']:
            ids = p['ids']
            n = p.get('rows', len(ids))
            want = logits[p['row']:p['row'] + n]
            worst = max(worst, np.abs(program.rows(ids, [1] * len(ids))[-n:] - want).max())
            whole = max(whole, np.abs(program.call(ids, 0) - want[-1]).max())
            same &= program.greedy(ids, len(p['greedy']), len(ids)) == p['greedy']
        self.check(max(worst, whole) <= limit and same, '%-28s recorded logits: max|d| %.1e token by token, %.1e in one call (limit %.1e), greedy %s'
                   % (name, worst, whole, limit, 'equal' if same else 'DIFFERS'))


def lengths(c, program, other, name, bound, context, vocab):
    """Steps of every length at two positions, and a text that fills the cache: against another layout, token by token."""
    rng = np.random.default_rng(1)
    ids = rng.integers(3, vocab, context).tolist()
    single = other.rows(ids, [1] * context)
    worst = 0.0
    for position in (0, 70):
        program.rows(ids[:position], [bound] * (position // bound) + [position % bound] * (position % bound > 0)) if position else None
        for n in range(1, min(bound, context - position) + 1):
            worst = max(worst, np.abs(program.call(ids[position:position + n], position) - single[position + n - 1]).max())
    for chunks in ([1, 2, 3, 4, 5, 7, 11, 13], [bound], [bound - 1, 1], [17]):
        at, i, cut = 0, 0, []
        while at < context:
            cut.append(min(chunks[i % len(chunks)], context - at))
            at, i = at + cut[-1], i + 1
        worst = max(worst, np.abs(program.rows(ids, cut) - single[np.cumsum(cut) - 1]).max())
    c.check(worst <= 1e-3, '%-28s steps of 1..%d tokens, mixed chunks up to position %d: max|d| %.1e' % (name, bound, context - 1, worst))
    refused = 0
    for n, position in ((2, context - 1), (1, context)):
        try:
            program.call(ids[:n], position)
        except RuntimeError:
            refused += 1
    after = np.abs(program.call(ids[-1:], context - 1) - single[-1]).max()
    c.check(refused == 2 and after <= 1e-3, '%-28s one token too many is an error and leaves the cache alone' % name)


def between_chunkings(program, tokens, n, steps):
    """The last rows of one text with its first n tokens in one call, token by token, in chunks of 8: the first way, and the others against it."""
    tail = [1] * (steps - 1)
    ways = [program.rows(tokens, head + tail)[-steps:] for head in ([n], [1] * n, [8] * (n // 8) + [n % 8] * (n % 8 > 0))]
    return ways[0], [agree.compare(ways[0], w) for w in ways[1:]]


def quantized(c, program, peer, fp32, name, prompts, steps, bound):
    """Chunkings against each other: no further apart than agree.py allows, from those of the program that stock's exporter made of the
    same weights. The distance to fp32 is what the scheme costs and is only printed."""
    own, peers, cost = [], [], []
    for ids in prompts:
        tokens = ids + program.greedy(ids, steps, bound)
        whole, differences = between_chunkings(program, tokens, len(ids), steps)
        own += differences
        peers += between_chunkings(peer, tokens, len(ids), steps)[1]
        cost.append(agree.compare(fp32.rows(tokens, [len(ids)] + [1] * (steps - 1)), whole))
    own, peers, cost = agree.merge(own), agree.merge(peers), agree.merge(cost)
    c.check(agree.agrees(agree.QUANTIZED, own, peers) and np.isfinite(cost['kl_max']),
            '%-28s chunkings: KL mean %.1e max %.1e, flips %d/%d (margin %.2f); stock\'s program: KL mean %.1e max %.1e, flips %d (margin %.2f); against fp32: KL mean %.1e'
            % (name, own['kl_mean'], own['kl_max'], own['flips'], own['steps'], own['flip_margin'], peers['kl_mean'], peers['kl_max'],
               peers['flips'], peers['flip_margin'], cost['kl_mean']))


def stories(c, stock):
    programs = {}
    lengths_flags = ['--max_seq_length', '128', '--max_context_length', '300']
    for name, flags in (('fp32_portable', PORTABLE), ('fp32_xnnpack', FP32), ('8da4w', [])):
        programs[name] = c.export(STORIES, 'stories_' + name, flags + lengths_flags)
    for name in ('fp32_portable', 'fp32_xnnpack'):
        c.recorded(programs[name], 'stories260K', 'stories260K ' + name, 1e-4)
    lengths(c, programs['fp32_xnnpack'], programs['fp32_portable'], 'stories260K fp32_xnnpack', 128, 300, 512)
    lengths(c, programs['fp32_portable'], programs['fp32_xnnpack'], 'stories260K fp32_portable', 128, 300, 512)
    prompts = [p['ids'] for p in json.load(open(os.path.join(DATA, 'stories260K', 'tokens.json')))['prompts']]
    quantized(c, programs['8da4w'], Program(os.path.join(stock, 'st_8da4w_rec.pte')), programs['fp32_xnnpack'], 'stories260K 8da4w', prompts + [[1]], 64, 128)
    story = json.load(open(os.path.join(DATA, 'stories260K', 'tokens.json')))['story']
    c.check(programs['fp32_xnnpack'].greedy([1], len(story['greedy']), 1) == story['greedy'], 'stories260K fp32_xnnpack     the recorded story of %d tokens' % len(story['greedy']))
    meta = {k: programs['8da4w'].value(k) for k in ('get_max_seq_len', 'get_max_context_len', 'get_vocab_size', 'get_n_layers', 'get_bos_id', 'use_kv_cache')}
    c.check(meta == {'get_max_seq_len': 128, 'get_max_context_len': 300, 'get_vocab_size': 512, 'get_n_layers': 5, 'get_bos_id': 1, 'use_kv_cache': True}, 'metadata %s' % meta)


def smollm2(c, gguf):
    c.recorded(c.export(gguf, 'smollm2_fp32', FP32 + ['--max_seq_length', '256']), 'smollm2', 'SmolLM2 fp32', 5e-4)
    program = c.export(gguf, 'smollm2', [])
    ids = json.load(open(os.path.join(DATA, 'smollm2', 'tokens.json')))['chat']['ids']
    for chunk in (len(ids), 8, 1):
        answer = program.greedy(ids, 8, chunk)
        c.check(PARIS in answer, 'SmolLM2 recommended          chunks of %d: %s' % (chunk, answer))


def main():
    build, work, stock, gguf = sys.argv[1:5]
    c = Checks(build, work)
    stories(c, stock)
    for family in ('llama', 'llama_bf16', 'llama3', 'smollm2'):
        for name, flags in (('portable', PORTABLE), ('xnnpack', FP32)):
            program = c.export(os.path.join(DATA, 'tiny_' + family), 'tiny_%s_%s' % (family, name), flags)
            c.recorded(program, 'tiny_' + family, 'tiny_%s %s' % (family, name), None)
    smollm2(c, gguf)
    print('%d passed, %d failed' % (c.passed, c.failed))
    return c.failed != 0


if __name__ == '__main__':
    sys.exit(main())
