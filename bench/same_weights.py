"""same_weights.py BUILD CACHE SMOLLM2 PAIRS [NAME ...]: one model as our exporter and as stock's wrote it, in turn in Wick.

The two files raise to one graph (tests/interop/graphs.py), so a ratio that is not 1 is a difference in what raising or packing made of
them. NAMEs are recipes of tests/interop/stock_recipes.py that are large enough to time; CACHE/stock holds stock's programs
(tools/stock_export). Same output as models.py, above 1: our file is faster. One thread by processor time, which a busy machine
disturbs least, and two by the clock."""
import os
import re
import subprocess
import sys

import models

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'interop'))
import graphs  # noqa: E402
import stock_recipes  # noqa: E402

NAMES = ['big_fp32', 'big_rec', 'sm_rec']


class Session:
    """bench_session on one thread: tokens per second of processor time."""

    def __init__(self, build, path):
        self.base = [os.path.join(build, 'bench', 'bench_session'), path, '--threads', '1', '--cpu_time', '1', '--repeat', '3']

    def rate(self, phase, *options):
        out = subprocess.run(self.base + list(options), capture_output=True, text=True, check=True).stdout
        return float(re.search(r'^%s .*?([0-9.]+) tok/s' % phase, out, re.M).group(1))

    def prefill(self):
        return self.rate('prefill', '--prompt', str(models.PREFILL), '--decode', '1')

    def decode(self):
        return self.rate('decode', '--prompt', str(models.DEPTH), '--decode', str(models.DECODE))


def main():
    build, cache, smollm2, n = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    wick = os.path.join(build, 'wick')
    for name in sys.argv[5:] or NAMES:
        model = stock_recipes.RECIPES[name][0]
        checkpoint = smollm2 if model == 'smollm2' else os.path.join(cache, 'stock', 'in', model, 'hf')
        ours, theirs = os.path.join(cache, 'bench-%s.pte' % name), os.path.join(cache, 'stock', name + '.pte')
        subprocess.run([wick, 'export', checkpoint, '-o', ours, '--quiet', *graphs.flags(name)], check=True, stdout=subprocess.DEVNULL)
        for phase in ('prefill', 'decode'):
            for way, mine, other in (('1 thread', Session(build, ours), Session(build, theirs)),
                                     ('2 threads', models.Wick(wick, ours, 2), models.Wick(wick, theirs, 2))):
                models.pairs('%s: our program against stock\'s, %s, %s' % (name, phase, way), getattr(mine, phase), getattr(other, phase), n)


if __name__ == '__main__':
    main()
