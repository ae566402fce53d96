"""light.py BUILD STOCK_RUN WORK: our exports in Wick and in the stock runtime, side by side, without PyTorch.

For each recipe: export stories260K (and, where its checkpoint is at hand, SmolLM2), load it in the stock runtime with the strict
verifier, and follow the stock runtime's own greedy tokens for 64 steps over 4 prompts: whole prefill, token by token and in
chunks of 8. Wick runs the same files in its raised plan. Agreement is judged by agree.py. Exit status 1 on any disagreement.
"""
import json
import os
import subprocess
import sys

import numpy as np

import agree

STEPS = 64
STORY_PROMPTS = [[1], [1, 403, 407, 261, 378], [1, 411, 322, 265, 262, 379, 419, 415, 271, 337, 410, 408, 419, 292, 300, 301, 302],
                 [1] + list(range(260, 299))]
SMOL_PROMPTS = [  # "The", "The capital of France is", and two chat turns
    [504], [504, 3575, 282, 4649, 314], [1, 4093, 198, 1780, 314, 260, 31469, 6740, 281, 905, 47, 2, 198, 1, 520, 9531, 198],
    [1, 4093, 198, 19161, 253, 1165, 1890, 1977, 563, 253, 8085, 617, 17542, 288, 7670, 30, 12092, 351, 260, 1924, 637, 788, 253, 1165, 3102,
     923, 284, 1446, 357, 656, 582, 3822, 1924, 30, 2, 198, 1, 520, 9531, 198]]
STORY_RECIPES = [('fp32 portable', ['--qmode', 'fp32', '--backend', 'portable', '--embedding_quantize', 'fp32']),
                 ('fp32 xnnpack', ['--qmode', 'fp32', '--embedding_quantize', 'fp32']),
                 ('8da4w', [])]


def command(words):
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS='1'))
    if done.returncode:
        sys.exit('light: %s\n%s%s' % (' '.join(words), done.stdout, done.stderr[-2000:]))
    return done.stdout


def ids(tokens):
    return ','.join(map(str, tokens))


class Pair:
    ways = [(1,), (8,), (None, STEPS, True)]  # of the stock runtime, beside one call: chunks, and attention summed in float

    def __init__(self, build, stock_run, work):
        self.wick, self.stock_run, self.work, self.plan = os.path.join(build, 'wick'), stock_run, work, 'raised'

    def export(self, checkpoint, name, flags):
        out = os.path.join(self.work, name.replace(' ', '_') + '.pte')
        command([self.wick, 'export', checkpoint, '-o', out, '--quiet'] + flags)
        return out

    def stock(self, pte, prompt, forced=None, chunk=None, steps=STEPS, other_sums=False):
        rows = os.path.join(self.work, 'stock.f32')
        words = [self.stock_run, pte, '--tokens', ids(prompt), '-n', str(steps), '--logits', rows]
        words += ['--force', ids(forced)] if forced else []
        words += ['--prefill_chunk', str(chunk)] if chunk else []
        words += ['--sums32'] if other_sums else []
        tokens = json.loads(command(words).strip().splitlines()[-1])['tokens']
        return tokens, np.fromfile(rows, np.float32).reshape(steps, -1)

    def ours(self, pte, prompt, forced, chunk=None):
        rows = os.path.join(self.work, 'wick.npy')
        words = [self.wick, 'run', pte, '--tokens', ids(prompt), '--force', ids(forced), '--max_new_tokens', str(len(forced)), '--ignore_eos',
                 '--temperature', '0', '--json', '--logits', rows, '--kv_dtype', 'f32', '--plan', self.plan]
        words += ['--prefill_chunk', str(chunk)] if chunk else []
        answer = json.loads(command(words))
        if answer['tokens'] != forced:
            sys.exit('light: wick did not follow the forced tokens')
        return np.load(rows)

    def check(self, pte, name, prompts, quantized):
        own, against = [], []
        for prompt in prompts:
            tokens, one = self.stock(pte, prompt)
            ways = [one] + [self.stock(pte, prompt, tokens, *way)[1] for way in self.ways]
            own.append(agree.worst([agree.compare(a, b) for i, a in enumerate(ways) for b in ways[i + 1:]]))
            ours = self.ours(pte, prompt, tokens)
            if self.plan == 'raised' and not np.array_equal(ours, self.ours(pte, prompt, tokens, 7)):
                sys.exit('light: %s: chunked prefill changed the bits' % name)
            against.append(min((agree.compare(w, ours) for w in ways), key=lambda r: r['kl_mean']))
        own, r = agree.merge(own), agree.merge(against)
        good = agree.quantized_agrees(r, own) if quantized else agree.fp32_agrees(r)
        print('%-28s %s  max|d| %.2e  KL mean %.1e max %.1e  flips %d/%d (margin %.3f); stock against itself: max|d| %.2e  KL mean %.1e max %.1e  '
              'flips %d/%d (margin %.3f)'
              % (name, 'agrees  ' if good else 'DIFFERS ', r['max_abs'], r['kl_mean'], r['kl_max'], r['flips'], r['steps'], r['flip_margin'],
                 own['max_abs'], own['kl_mean'], own['kl_max'], own['flips'], own['steps'], own['flip_margin']), flush=True)
        return good


def write_direction(pair, stories, smollm2):
    good = []
    for name, flags in STORY_RECIPES:
        good.append(pair.check(pair.export(stories, 'stories260K ' + name, flags), 'stories260K ' + name, STORY_PROMPTS, name == '8da4w'))
    if smollm2:
        good.append(pair.check(pair.export(smollm2, 'SmolLM2 recommended', []), 'SmolLM2 recommended', SMOL_PROMPTS, True))
    return good


def main():
    build, stock_run, work, stories = sys.argv[1:5]
    good = write_direction(Pair(build, stock_run, work), stories, sys.argv[5] if len(sys.argv) > 5 else None)
    print('%d passed, %d failed' % (sum(good), len(good) - sum(good)))
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
