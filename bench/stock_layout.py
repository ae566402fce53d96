"""stock_layout.py OURS.pte PEER.pte [PAIRS] [THREADS]: two programs of one model in the stock runtime, in turn, in one process.

Prints the ratio peer / ours for a prefill of 120 tokens and for decoding at position 100: medians over pairs with the quartiles. One
thread (the default) is timed by CPU time; more by the clock, since a waiting thread spins, and then the machine must do nothing else.
Needs the environment of `make interop`."""
import statistics
import sys
import time

import torch
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
from executorch.extension.pybindings import portable_lib
import executorch.kernels.quantized  # noqa: F401

PREFILL, POSITION, ROUNDS = 120, 100, 12


def call(module, ids, position):
    module.run_method('forward', (torch.tensor([ids]), torch.tensor([position])))


def pair(modules, ids, position, rounds, clock):
    """The time that each module takes for ROUNDS calls, in turn call by call: a host that lends the second core for some tenths of a second
    then lends it to both. Each timed call follows one of the same module, since a generation finds the caches as its last token left them."""
    total = [0.0] * len(modules)
    for i in range(rounds):
        for k in (0, 1) if i % 2 else (1, 0):
            call(modules[k], ids, position)
            start = clock()
            call(modules[k], ids, position)
            total[k] += clock() - start
    return [t / rounds for t in total]


def main():
    modules = [portable_lib._load_for_executorch(p) for p in sys.argv[1:3]]
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    clock = time.process_time if threads == 1 else time.perf_counter
    portable_lib._unsafe_reset_threadpool(threads)
    prompt = [1 + i % 400 for i in range(PREFILL)]
    cases = (('prefill %d' % PREFILL, prompt, 0, 2), ('decode at %d' % POSITION, [5], POSITION, ROUNDS))
    for name, ids, position, rounds in cases:
        ours, peer = zip(*(pair(modules, ids, position, rounds, clock) for _ in range(pairs)))
        low, middle, high = statistics.quantiles([b / a for a, b in zip(ours, peer)], n=4)
        print('%d threads: %-14s ours %7.1f ms  peer %7.1f ms  ratio %.3f (quartiles %.3f %.3f)'
              % (threads, name, 1e3 * statistics.median(ours), 1e3 * statistics.median(peer), middle, low, high), flush=True)


if __name__ == '__main__':
    main()
