"""same_weights.py WICK CACHE SMOLLM2 PAIRS [NAME ...]: one model as our exporter and as stock's wrote it, in turn in Wick.

The two files raise to one graph (tests/interop/graphs.py), so a ratio that is not 1 is a difference in what raising or packing made of
them. NAMEs are recipes of tests/interop/stock_recipes.py that are large enough to time; CACHE/stock holds stock's programs
(tools/stock_export). Same output as models.py, above 1: our file is faster. 1 and 2 threads."""
import os
import subprocess
import sys

import models

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'interop'))
import graphs  # noqa: E402
import stock_recipes  # noqa: E402

NAMES = ['big_fp32', 'big_rec', 'sm_rec']


def main():
    wick, cache, smollm2, n = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    for name in sys.argv[5:] or NAMES:
        model = stock_recipes.RECIPES[name][0]
        checkpoint = smollm2 if model == 'smollm2' else os.path.join(cache, 'stock', 'in', model, 'hf')
        ours, theirs = os.path.join(cache, 'bench-%s.pte' % name), os.path.join(cache, 'stock', name + '.pte')
        subprocess.run([wick, 'export', checkpoint, '-o', ours, '--quiet', *graphs.flags(name)], check=True, stdout=subprocess.DEVNULL)
        for threads in (1, 2):
            mine, other = (models.Wick(wick, path, threads) for path in (ours, theirs))
            for phase in ('prefill', 'decode'):
                label = '%s: our program against stock\'s, %s, %d thread%s' % (name, phase, threads, 's' * (threads > 1))
                models.pairs(label, getattr(mine, phase), getattr(other, phase), n)


if __name__ == '__main__':
    main()
