"""rewrite.py BUILD STOCK_RUN FOLDER: every program in FOLDER, read and written again by Wick, runs the same in the stock runtime.

It is written twice: with the delegates' bytes kept, and with delegates serialized anew from what Wick read of them. All files are loaded
with strict verification (the default of the Python bindings), every method is run on the same inputs, in chunks of several tokens and
of one where it has a cache, and all outputs must be equal bit for bit. Needs the Python packages executorch and torch. Before that,
the small program of tests/support/small_program.h must give what its header says. External weights are those of stock_recipes.py.
Exit status 1 on any difference.
"""
import glob
import os
import subprocess
import sys
import tempfile

import torch
from executorch.extension.pybindings.portable_lib import _load_for_executorch
import executorch.kernels.quantized                         # noqa: F401  registers quantized_decomposed kernels
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401  registers llama kernels

import stock_recipes


def outputs(path, *data):
    """All outputs of all methods, in a fixed order."""
    result = []
    names = sorted(_load_for_executorch(path, *data).method_names())
    for name in names:
        program = _load_for_executorch(path, *data)
        meta = program.method_meta(name)
        if meta.num_inputs() == 0:
            result += program.run_method(name, [])
            continue
        bound, vocab = meta.input_tensor_meta(0).sizes()[1], meta.output_tensor_meta(0).sizes()[-1]
        cache = meta.num_inputs() > 1
        tokens = [(7 * i + 3) % min(vocab, 160) for i in range(min(bound, 24))]
        chunks = [tokens] if not cache or bound == 1 else [tokens[:9], tokens[9:10], tokens[10:]]
        position = 0
        for chunk in chunks:
            inputs = [torch.tensor([chunk], dtype=torch.long)]
            if cache:
                inputs.append(torch.tensor([position], dtype=torch.long))
            result += [x.clone() for x in program.run_method(name, tuple(inputs))]
            position += len(chunk)
    return names, result


def same(a, b):
    if isinstance(a, torch.Tensor):
        return (isinstance(b, torch.Tensor) and a.shape == b.shape and a.dtype == b.dtype
                and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8)))
    return type(a) is type(b) and a == b


def small(build, work):
    """The small program has control flow, an initial value, a named and an inline constant."""
    path = os.path.join(work, 'small.pte')
    subprocess.run([os.path.join(build, 'tests', 'tool_small_program'), path], check=True)
    w = torch.tensor([[i + k / 4 for k in range(4)] for i in range(3)])
    c, b, m = torch.tensor([1., 2, 3, 4]), torch.tensor([-1., 0, 1]), torch.tensor([10., 20, 30])
    program = _load_for_executorch(path)
    ok = program.run_method('get_answer', []) == [42]
    for rows in 1, 3, 5, 2, 5:
        x = torch.arange(rows * 4, dtype=torch.float32).reshape(rows, 4)
        got = program.run_method('forward', (x,))[0]
        ok = ok and torch.equal(got, (x + c) @ w.T + b + m * (2 if rows == 5 else 1))
    print('%-34s %s' % ('small program', 'as computed' if ok else 'DIFFERS'))
    return not ok


def driven(stock_run, path, data, work):
    """Logits of the driver of light.py, for a program with several data files: the bindings take one."""
    rows = os.path.join(work, 'rows')
    subprocess.run([stock_run, path, '--tokens', ','.join(map(str, range(3, 12))), '-n', '8', '--logits', rows, '--data_paths', ','.join(data)],
                   check=True, stdout=subprocess.DEVNULL)
    return ['forward'], [open(rows, 'rb').read()]


def main(build, stock_run, folder):
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        n, bad = 1, small(build, work)
        for path in sorted(glob.glob(os.path.join(folder, '*.pte'))):
            name = os.path.basename(path)
            data = stock_recipes.data(folder, name[:-4]) if name[:-4] in stock_recipes.RECIPES else ()

            def run(file):
                return driven(stock_run, file, data, work) if len(data) > 1 else outputs(file, *data)

            try:
                names, expected = run(path)
            except Exception as e:  # the bindings raise RuntimeError and worse
                print('%-34s stock cannot run it: %s' % (name, ' '.join(str(e).split())[:200]), flush=True)
                continue
            again = os.path.join(work, name)
            for mode in [], ['payloads']:
                try:
                    subprocess.run([os.path.join(build, 'tests', 'tool_rewrite')] + mode + [path, again], check=True)
                    names_again, got = run(again)
                    ok = names == names_again and len(expected) == len(got) and all(map(same, expected, got))
                    said = '%d methods, %d outputs' % (len(names), len(got))
                except Exception as e:
                    ok, said = False, ' '.join(str(e).split())[:200]
                print('%-34s %-9s %s  %s' % (name, ''.join(mode) or 'as it is', 'equal' if ok else 'DIFFERS', said), flush=True)
                n, bad = n + 1, bad + (not ok)
                os.remove(again)
    print('%d passed, %d failed' % (n - bad, bad))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
