"""full.py BUILD WORK STORIES SMOLLM2 STOCK_FOLDER [NAME ...]: both directions against the stock runtime with its own kernels (PyTorch).

Write: our exports of every recipe load with the strict verifier and agree with Wick (light.py's comparison; here with the stock
llama::* kernels). Read: programs made by the stock exporter (NAME.pte in STOCK_FOLDER, all that are there by default) run in Wick in
all three plans and agree with the stock runtime on the same file. Exit status 1 on any disagreement.
"""
import glob
import os
import sys

import numpy as np

import light


class Bindings(light.Pair):
    """The stock runtime in this process, through its Python bindings."""
    ways = [(1,), (8,)]

    def __init__(self, build, work):
        super().__init__(build, None, work)
        import torch
        import executorch.kernels.quantized  # noqa: F401
        from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
        from executorch.extension.pybindings import portable_lib
        self.torch, self.lib = torch, portable_lib

    def stock(self, pte, prompt, forced=None, chunk=None, steps=light.STEPS, other_sums=False):
        module, t = self.lib._load_for_executorch(pte), self.torch
        meta = module.method_meta('forward')
        cached, bound = meta.num_inputs() > 1, meta.input_tensor_meta(0).sizes()[1]
        sequence = []

        def call(ids):
            sequence.extend(ids)
            inputs = (t.tensor([ids], dtype=t.long), t.tensor([len(sequence) - len(ids)], dtype=t.long)) if cached \
                else (t.tensor([sequence], dtype=t.long),)
            out = module.run_method('forward', inputs)[0]
            return out.to(t.float32).reshape(-1, out.shape[-1])[-1].numpy().copy()

        size = min(chunk or len(prompt), bound)
        for i in range(0, len(prompt), size):
            row = call(prompt[i:i + size])
        rows, tokens = [], []
        for i in range(steps):
            rows.append(row)
            tokens.append(int(forced[i]) if forced else int(row.argmax()))
            if i + 1 < steps:
                row = call([tokens[-1]])
        return tokens, np.stack(rows)


def read_direction(pair, folder, names):
    good = []
    for path in sorted(glob.glob(os.path.join(folder, '*.pte'))):
        name = os.path.splitext(os.path.basename(path))[0]
        if names and name not in names:
            continue
        quantized = '8da4w' in name or '_rec' in name
        prompts = light.SMOL_PROMPTS if name.startswith('sm_') else light.STORY_PROMPTS
        for plan in ('raised', 'mixed', 'vm'):
            pair.plan = plan
            good.append(pair.check(path, '%s (%s)' % (name, plan), prompts, quantized))
    pair.plan = 'raised'
    return good


def main():
    build, work, stories, smollm2, folder = sys.argv[1:6]
    pair = Bindings(build, work)
    good = light.write_direction(pair, stories, smollm2)
    good += read_direction(pair, folder, sys.argv[6:])
    print('%d passed, %d failed' % (sum(good), len(good) - sum(good)))
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
