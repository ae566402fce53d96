"""stock_layout.py OURS.pte PEER.pte [PAIRS] [THREADS]: two programs of one model in the stock runtime, in turn, in one process.

Prints the ratio peer / ours for a prefill of 120 tokens and for decoding at position 100: medians over pairs with the quartiles, and the
ratio of the fastest tenths, which a busy machine disturbs least. One thread (the default) is timed by CPU time; more by the clock, since
a waiting thread spins, and then the machine must do nothing else. Needs the environment of `make interop`."""
import statistics
import sys
import time

import torch
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
from executorch.extension.pybindings import portable_lib
import executorch.kernels.quantized  # noqa: F401

PREFILL, POSITION, STEPS = 120, 100, 12


def cost(module, ids, position, n, clock):
    tokens, start = torch.tensor([ids]), clock()
    for i in range(n):
        module.run_method('forward', (tokens, torch.tensor([position + i])))
    return (clock() - start) / n


def main():
    ours, peer = (portable_lib._load_for_executorch(p) for p in sys.argv[1:3])
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    clock = time.process_time if threads == 1 else time.perf_counter
    portable_lib._unsafe_reset_threadpool(threads)
    prompt = [1 + i % 400 for i in range(PREFILL)]
    cases = (('prefill %d' % PREFILL, prompt, 0, 1), ('decode at %d' % POSITION, [5], POSITION, STEPS))
    for name, ids, position, n in cases:
        for m in (ours, peer):
            cost(m, ids, position, 1, clock)
        a, b = [], []
        for i in range(pairs):
            for m, out in ((ours, a), (peer, b)) if i % 2 else ((peer, b), (ours, a)):
                out.append(cost(m, ids, position, n, clock))
        low, middle, high = statistics.quantiles([y / x for x, y in zip(a, b)], n=4)
        quiet = [statistics.quantiles(t, n=10)[0] for t in (a, b)]
        print('%d threads: %-14s ours %7.1f ms  peer %7.1f ms  ratio %.3f (quartiles %.3f %.3f); fastest tenth: %.1f, %.1f, ratio %.3f'
              % (threads, name, 1e3 * statistics.median(a), 1e3 * statistics.median(b), middle, low, high, 1e3 * quiet[0], 1e3 * quiet[1],
                 quiet[1] / quiet[0]), flush=True)


if __name__ == '__main__':
    main()
