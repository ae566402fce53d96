"""full.py BUILD STOCK_RUN WORK STORIES SMOLLM2 STOCK_FOLDER [NAME ...]: both directions against the stock runtime with its own kernels (PyTorch).

Write: our exports of every recipe load with the strict verifier and agree with Wick (light.py's comparison; here with the stock
llama::* kernels). Read: programs made by the stock exporter (stock_recipes.py; all that stock_export.py has made in STOCK_FOLDER)
run in Wick in all three plans and agree with the stock runtime on the same file. With NAMEs: these are read, nothing else. What stock could not make, or cannot
run, is named with stock's words and counts for neither side. Exit status 1 on any disagreement.
"""
import json
import os
import sys

import numpy as np

import light
import stock_recipes

PLANS = ('raised', 'mixed', 'vm')


class Bindings(light.Pair):
    """The stock runtime in this process, through its Python bindings. They take one data file; the driver of light.py takes several."""
    ways = [(1,), (8,)]

    def __init__(self, build, work):
        super().__init__(build, None, work)
        import torch
        import executorch.kernels.quantized  # noqa: F401
        from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
        from executorch.extension.pybindings import portable_lib
        self.torch, self.lib = torch, portable_lib

    def load(self, program):
        return self.lib._load_for_executorch(program.path, *program.data)

    def stock(self, program, prompt, forced=None, chunk=None):
        module, t = self.load(program), self.torch
        meta = module.method_meta(program.method)
        cached, bound = meta.num_inputs() > 1, meta.input_tensor_meta(0).sizes()[1]
        sequence = []

        def call(ids):
            sequence.extend(ids)
            inputs = (t.tensor([ids], dtype=t.long), t.tensor([len(sequence) - len(ids)], dtype=t.long)) if cached \
                else (t.tensor([sequence], dtype=t.long),)
            out = module.run_method(program.method, inputs)[0]
            return out.to(t.float32).reshape(-1, out.shape[-1])[-1].numpy().copy()

        try:
            size = min(chunk or len(prompt), bound if cached else len(prompt))
            for i in range(0, len(prompt), size):
                row = call(prompt[i:i + size])
            rows, tokens = [], []
            for i in range(program.steps):
                rows.append(row)
                tokens.append(forced[i] if forced else program.fed(int(row.argmax())))
                if i + 1 < program.steps:
                    row = call([tokens[-1]])
        except RuntimeError as e:
            raise light.Failure('stock: ' + ' '.join(str(e).split())[:200]) from e
        return tokens, np.stack(rows)

    def facts(self, program):
        """Most tokens of a run, and the ids that may be fed."""
        module = self.load(program)
        context, vocab = (module.run_method(name, ())[0] for name in ('get_max_context_len', 'get_vocab_size'))
        meta = module.method_meta(program.method)
        return context if meta.num_inputs() > 1 else meta.input_tensor_meta(0).sizes()[1], vocab


def prompts_of(model, vocab, limit):
    """Four prompts (the text models' own, else arbitrary ids) of at most half of the context, none twice."""
    prompts = light.STORY_PROMPTS if model.startswith('stories') else light.SMOL_PROMPTS if model == 'smollm2' else \
        [[3 + (7919 * n + 104729 * i) % (vocab - 3) for i in range(n)] for n in (1, 5, 17, 40)]
    return [list(p) for p in dict.fromkeys(tuple(p[:limit // 2]) for p in prompts)]


def pruned(folder, model):
    """Old id -> new id; what was dropped is fed as 0."""
    kept = {old: int(new) for new, old in json.load(open(os.path.join(folder, 'in', model, 'kept.json'))).items()}
    return lambda token: kept.get(token, 0)


def read_direction(pair, driver, folder, names):
    good, refused = [], 0
    for name in names or stock_recipes.RECIPES:
        model, fields = stock_recipes.RECIPES[name]
        try:
            note = json.load(open(os.path.join(folder, name + '.json')))
        except FileNotFoundError:
            if names:
                raise
            continue
        if 'refused' in note:
            print('%-34s stock cannot make it: %s' % (name, note['refused'][:200]))
            refused += 1
            continue
        data = stock_recipes.data(folder, name)
        new_id = pruned(folder, model) if 'model.input_prune_map' in fields else None
        for method in stock_recipes.methods(name):
            label = name if method == 'forward' else name + '.' + method
            program = light.Program(os.path.join(folder, name + '.pte'), method, data[:1], new_id=new_id)
            limit, vocab = pair.facts(program)
            runner = driver if len(data) > 1 else pair
            prompts = prompts_of(model, vocab, limit)
            if new_id:
                prompts = [[new_id(token) for token in p] for p in prompts]
            endless = 'model.use_attention_sink' in fields  # goes on behind its context: positions and cache go around
            program = program._replace(data=data, steps=3 * limit if endless else min(light.STEPS, limit - max(map(len, prompts))))
            try:
                runs, own = runner.references(program, prompts)
            except light.Failure as e:
                print('%-34s stock cannot run it: %s' % (label, e))
                refused += 1
                continue
            good += [runner.check(program, '%s (%s)' % (label, plan), runs, own, stock_recipes.kind(name), plan) for plan in PLANS]
    return good, refused


def main():
    build, stock_run, work, stories, smollm2, folder = sys.argv[1:7]
    names = sys.argv[7:]
    pair, driver = Bindings(build, work), light.Pair(build, stock_run, work)
    good = [] if names else light.write_direction(pair, stories, smollm2)
    more, refused = read_direction(pair, driver, folder, names)
    good += more
    print('%d passed, %d failed, %d refused by stock itself' % (sum(good), len(good) - sum(good), refused))
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
