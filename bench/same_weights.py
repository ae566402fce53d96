"""same_weights.py BUILD CACHE SMOLLM2 PAIRS [NAME ...]: one model as our exporter and as stock's wrote it, in turn in Wick.

The two files raise to one graph (tests/interop/graphs.py), so a ratio that is not 1 is a difference in what raising or packing made of
them, or the machine: a copy of our file against itself shows how much that is. A pair is a process of its own (bench_pair.c), in
turn with either program first, for where a process's pages lie moves a rate by up to a tenth as long as it lives. Prints the median of
the ratios with the quartiles; above 1: our file is faster. NAMEs are recipes of tests/interop/stock_recipes.py that are large enough
to time; CACHE/stock holds stock's programs (tools/stock_export)."""
import os
import re
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'interop'))
import graphs  # noqa: E402
import stock_recipes  # noqa: E402

NAMES = ['big_fp32', 'big_rec', 'sm_rec']


def pair(build, ours, other, threads, swap):
    """The ratios of one process: {phase: other's time over ours}."""
    out = subprocess.run([os.path.join(build, 'bench', 'bench_pair'), *((other, ours) if swap else (ours, other)), '2', threads],
                         capture_output=True, text=True, check=True).stdout
    ratios = {phase: float(ratio) for phase, ratio in re.findall(r': (\w+) .* ratio ([0-9.]+)', out)}
    return {phase: 1 / r for phase, r in ratios.items()} if swap else ratios


def compare(build, ours, other, n, label):
    for threads in ('1', '2'):
        ratios = [pair(build, ours, other, threads, i % 2) for i in range(n)]
        for phase in ratios[0]:
            low, middle, high = statistics.quantiles([r[phase] for r in ratios], n=4)
            print('%s, %s threads, %-7s %.3f (quartiles %.3f %.3f)' % (label, threads, phase, middle, low, high), flush=True)


def main():
    build, cache, smollm2, n = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    for name in sys.argv[5:] or NAMES:
        model = stock_recipes.RECIPES[name][0]
        checkpoint = smollm2 if model == 'smollm2' else os.path.join(cache, 'stock', 'in', model, 'hf')
        ours, theirs, copy = (os.path.join(cache, f) for f in ('bench-%s.pte' % name, 'stock/%s.pte' % name, 'bench-copy.pte'))
        subprocess.run([os.path.join(build, 'wick'), 'export', checkpoint, '-o', ours, '--quiet', *graphs.flags(name)], check=True,
                       stdout=subprocess.DEVNULL)
        shutil.copyfile(ours, copy)
        compare(build, ours, theirs, n, name + ": ours against stock's")
        compare(build, ours, copy, n, name + ': ours against its copy')
        os.unlink(copy)


if __name__ == '__main__':
    main()
