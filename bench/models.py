"""models.py WICK OURS STOCK PAIRS THREADS: one model, two programs (our export and the stock exporter's), Wick against the stock runtime.

Everything is taken in turn, in pairs, so that ratios hold when the machine drifts: both programs in Wick against themselves in the
stock runtime, and against each other in Wick. Prefill: 128 tokens in one call. Decode: 64 tokens after
100. Prints medians of the pairwise ratios (above 1: the first is faster) with their spread, and rates in tokens per second.
(What the layout of our program brings in the stock runtime: stock_layout.py.)
"""
import json
import statistics
import subprocess
import sys
import time

PREFILL, DEPTH, DECODE = 128, 100, 64


class Stock:
    def __init__(self, path):
        import torch
        import executorch.kernels.quantized  # noqa: F401
        from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
        from executorch.extension.pybindings import portable_lib
        self.torch, self.lib, self.module = torch, portable_lib, portable_lib._load_for_executorch(path)

    def call(self, ids, position):
        t = self.torch
        return self.module.run_method('forward', (t.tensor([ids], dtype=t.long), t.tensor([position], dtype=t.long)))

    def prefill(self):
        start = time.perf_counter()
        self.call(list(range(1000, 1000 + PREFILL)), 0)
        return PREFILL / (time.perf_counter() - start)

    def decode(self):
        self.call(list(range(1000, 1000 + DEPTH)), 0)
        start = time.perf_counter()
        for i in range(DECODE):
            self.call([1500 + i], DEPTH + i)
        return DECODE / (time.perf_counter() - start)


class Wick:
    def __init__(self, wick, path, threads):
        self.base = [wick, 'run', path, '--threads', str(threads), '--temperature', '0', '--ignore_eos', '--json', '--warmup', '--tokens']

    def stats(self, n_prompt, n_new):
        ids = ','.join(map(str, range(1000, 1000 + n_prompt)))
        out = subprocess.run(self.base + [ids, '--max_new_tokens', str(n_new)], capture_output=True, text=True, check=True).stdout
        return json.loads(out)['stats']

    def prefill(self):
        s = self.stats(PREFILL, 1)
        return s['prompt_n'] / s['prompt_ms'] * 1e3

    def decode(self):
        s = self.stats(DEPTH, DECODE + 1)
        return (s['predicted_n'] - 1) / s['predicted_ms'] * 1e3


def pairs(label, a, b, n):
    a(), b()
    first, second = [], []
    for _ in range(n):
        first.append(a())
        second.append(b())
    ratios = sorted(x / y for x, y in zip(first, second))
    print('%-58s %.2fx (%.2f .. %.2f)   %7.1f against %7.1f tokens/s' % (label, statistics.median(ratios), ratios[0], ratios[-1],
                                                                        statistics.median(first), statistics.median(second)), flush=True)


def main():
    wick, ours, stock, n, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    stock_ours, stock_stock = Stock(ours), Stock(stock)
    stock_stock.lib._unsafe_reset_threadpool(threads)  # a second call in one process ends it: hence one thread count a run
    wick_ours, wick_stock = Wick(wick, ours, threads), Wick(wick, stock, threads)
    for phase in ('prefill', 'decode'):
        def of(runner):
            return getattr(runner, phase)
        tail = ', %s, %d thread%s' % (phase, threads, 's' * (threads > 1))
        pairs('our program: Wick against stock runtime' + tail, of(wick_ours), of(stock_ours), n)
        pairs('stock\'s program: Wick against stock runtime' + tail, of(wick_stock), of(stock_stock), n)
        pairs('Wick: our program against stock\'s' + tail, of(wick_ours), of(wick_stock), n)


if __name__ == '__main__':
    main()
