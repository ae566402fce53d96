"""same_bits.py BUILD WORK SMOLLM2: the logits of a 300-token prompt and 8 more tokens are the same bits whatever the chunking, the number
of threads and the CPU level, for SmolLM2 in 8da4w and in fp32. A level that this machine lacks is skipped, and said so.
"""
import os
import subprocess
import sys

TOKENS = ','.join(str(1000 + 37 * i % 40000) for i in range(300))
FORCED = ','.join(str(2000 + 91 * i) for i in range(8))
LEVELS = {'reference': None, 'avx2': 'avx2', 'avx512vnni': 'avx512_vnni'}


def main():
    build, work, smollm2 = sys.argv[1:4]
    wick, flags = os.path.join(build, 'wick'), open('/proc/cpuinfo').read()

    def logits(pte, *extra):
        rows = os.path.join(work, 'bits.npy')
        subprocess.run([wick, 'run', pte, '--tokens', TOKENS, '--force', FORCED, '--max_new_tokens', '8', '--ignore_eos', '--json', '--plan', 'raised',
                        '--logits', rows, *extra], check=True, stdout=subprocess.DEVNULL)
        return open(rows, 'rb').read()

    good = bad = skipped = 0
    for name, recipe in (('8da4w', []), ('fp32', ['--qmode', 'fp32', '--embedding_quantize', 'fp32'])):
        pte = os.path.join(work, 'bits_%s.pte' % name)
        subprocess.run([wick, 'export', smollm2, '-o', pte, '--quiet', *recipe], check=True, stdout=subprocess.DEVNULL)
        first = logits(pte)
        ways = [('prefill_chunk', str(n)) for n in (1, 7, 64, 300)] + [('threads', str(n)) for n in (1, 2, 3)] + [('cpu', level) for level in LEVELS]
        for option, value in ways:
            if option == 'cpu' and LEVELS[value] and LEVELS[value] not in flags:
                print('%-6s --%s %s: skipped, this machine lacks it' % (name, option, value))
                skipped += 1
                continue
            same = logits(pte, '--' + option, value) == first
            good, bad = good + same, bad + (not same)
            print('%-6s --%s %s: %s' % (name, option, value, 'the same bits' if same else 'DIFFERENT'), flush=True)
        os.remove(pte)
    print('%d passed, %d failed, %d skipped' % (good, bad, skipped))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
