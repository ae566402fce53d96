"""graphs.py BUILD WORK STORIES SMOLLM2 STOCK_FOLDER [NAME ...]: our export and the stock exporter's of the same weights are one graph.

For every program in STOCK_FOLDER whose recipe our exporter has too: both files are raised, and their printed graphs must be equal
after the differences that NAMED lists. Equal prints say nothing about numbers, so the two must also answer alike in Wick, by agree.py's
rules; how far a last bit moves an 8da4w model is measured on stock's file, with the cache in fp16 and in fp32. Needs no PyTorch.
Exit status 1 on any difference.
"""
import json
import os
import subprocess
import sys

import numpy as np

import agree
import stock_models
import stock_recipes

# What differs on purpose: (what stock's graph prints, what ours prints, why).
NAMED = [
    ('style=interleaved', 'style=half', 'Our exporter stores the rows of q and k so that rope turns halves of a head: two whole vectors instead of pairs of lanes.'),
]
TAKEN = {'model.use_kv_cache', 'model.use_sdpa_with_kv_cache', 'backend.xnnpack.enabled', 'backend.xnnpack.extended_ops', 'quantization.qmode',
         'quantization.group_size', 'quantization.embedding_quantize', 'export.max_seq_length', 'export.max_context_length'}
N_PROMPT, N_STEP = 9, 15


def flags(name):
    """Options of `wick export` for a recipe; None where our exporter has nothing like it."""
    model, fields = stock_recipes.RECIPES[name]
    qmode, embedding = fields.get('quantization.qmode', 'fp32'), fields.get('quantization.embedding_quantize', 'fp32')
    backend = 'xnnpack' if 'backend.xnnpack.enabled' in fields else 'portable'
    if set(fields) - TAKEN or not stock_models.is_llama(model) or 'model.use_kv_cache' not in fields:
        return None
    if qmode not in ('fp32', '8da4w') or embedding not in ('fp32', '8,0') or fields.get('quantization.group_size', 32) not in (32, 64, 128):
        return None
    out = ['--qmode', qmode, '--embedding_quantize', embedding, '--backend', backend]
    out += ['--group_size', str(fields['quantization.group_size'])] if qmode == '8da4w' else []
    out += ['--checkpoint_dtype', 'bf16'] if model == 'smollm2' else []
    return out + ['--max_seq_length', str(fields.get('export.max_seq_length', 128)),
                  '--max_context_length', str(fields.get('export.max_context_length', 128))]


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def graph(wick, path):
    method = json.loads(output(wick, 'inspect', path, '--plan', '--json'))['methods'][0]
    return method['graph'] if not method['left'] else 'not raised: %s' % method['left']


def logits(wick, work, path, vocab, cache='f32'):
    rows, tokens = os.path.join(work, 'graphs.npy'), [str(3 + 101 * i % (vocab - 3)) for i in range(N_PROMPT + N_STEP)]
    output(wick, 'run', path, '--tokens', ','.join(tokens[:N_PROMPT]), '--force', ','.join(tokens[N_PROMPT:]), '--max_new_tokens', str(N_STEP),
           '--ignore_eos', '--json', '--kv_dtype', cache, '--plan', 'raised', '--logits', rows)
    return np.load(rows)


def first_difference(ours, theirs):
    for a, b in zip(ours.splitlines(), theirs.splitlines()):
        if a != b:
            return 'ours: %s | stock\'s: %s' % (a, b)
    return '%d lines, stock\'s %d' % (len(ours.splitlines()), len(theirs.splitlines()))


def compare(wick, work, checkpoint, theirs, name):
    """-> whether they are the same, and what to say."""
    ours = os.path.join(work, 'graphs.pte')
    output(wick, 'export', checkpoint, '-o', ours, '--quiet', *flags(name))
    mine, other = graph(wick, ours), graph(wick, theirs)
    for theirs_prints, ours_prints, _ in NAMED:
        other = other.replace(theirs_prints, ours_prints)
    if mine != other:
        return False, first_difference(mine, other)
    vocab = json.loads(output(wick, 'inspect', ours, '--json'))['metadata']['get_vocab_size'][0]
    expected = logits(wick, work, theirs, vocab)
    r, own = agree.compare(expected, logits(wick, work, ours, vocab)), agree.compare(expected, logits(wick, work, theirs, vocab, 'f16'))
    good = agree.agrees(stock_recipes.kind(name), r, own)
    return good, '%d lines; logits max|d| %.1e KL mean %.1e, flips %d/%d; another cache moves them %.1e, %.1e, %d' \
        % (len(mine.splitlines()), r['max_abs'], r['kl_mean'], r['flips'], r['steps'], own['max_abs'], own['kl_mean'], own['flips'])


def main():
    build, work, stories, smollm2, folder = sys.argv[1:6]
    good = []
    for name in sys.argv[6:] or stock_recipes.RECIPES:
        model, theirs = stock_recipes.RECIPES[name][0], os.path.join(folder, name + '.pte')
        if flags(name) is None or not os.path.exists(theirs):
            continue
        checkpoint = {'stories': stories, 'smollm2': smollm2}.get(model, os.path.join(folder, 'in', model, 'hf'))
        try:
            same, said = compare(os.path.join(build, 'wick'), work, checkpoint, theirs, name)
        except subprocess.CalledProcessError as e:
            same, said = False, ' '.join((e.stderr + e.stdout).split())[-300:]
        print('%-34s %s  %s' % (name, 'the same graph' if same else 'DIFFERS', said), flush=True)
        good.append(same)
    print('%d passed, %d failed' % (sum(good), len(good) - sum(good)))
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
