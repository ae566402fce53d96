"""agree.py: the rules by which two runs of one program agree (ARCHITECTURE.md, "How results are compared").

Both runs are forced along the same tokens. fp32: same argmax wherever the reference's top-2 margin exceeds 1e-3, and logits
within 1e-3. bf16 and fp16: margin 0.25, mean KL 1e-3. 8da4w: activations are rounded to int8 at run time, so a last-bit difference
flips a code and later layers amplify it; the stock runtime differs from itself in this way between chunkings. That self-difference
is measured on the same file and sets the limits.
"""
import numpy as np

EXACT, HALF, QUANTIZED = 'exact', 'half', 'quantized'  # what a program's arithmetic promises
NOTHING = {'kl_mean': 0.0, 'kl_max': 0.0, 'flips': 0, 'steps': 0, 'flip_margin': 0.0, 'max_abs': 0.0}


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def compare(reference, other):
    """Rows of logits -> mean and max KL (nats), flips of the argmax and the reference's margins there, max |difference|. Tokens that a
    pruned vocabulary lacks are -inf in both; any other number that is not finite is an infinite difference."""
    kept = ~np.isneginf(reference[0])
    if not all(np.array_equal(np.isneginf(x), np.broadcast_to(~kept, x.shape)) and np.isfinite(x[:, kept]).all() for x in (reference, other)):
        return dict(NOTHING, steps=len(reference), kl_mean=np.inf, kl_max=np.inf, max_abs=np.inf)
    reference, other = reference[:, kept], other[:, kept]
    a, b = log_softmax(reference), log_softmax(other)
    kl = (np.exp(a) * (a - b)).sum(-1)
    top = np.sort(reference, -1)
    margin = top[:, -1] - top[:, -2]
    flip = reference.argmax(-1) != other.argmax(-1)
    return {'kl_mean': float(kl.mean()), 'kl_max': float(kl.max()), 'flips': int(flip.sum()), 'steps': len(flip),
            'flip_margin': float(margin[flip].max()) if flip.any() else 0.0, 'max_abs': float(np.abs(reference - other).max())}


def merge(results):
    """Over several prompts: means weighted by steps, maxima, sums."""
    n = sum(r['steps'] for r in results)
    return {'kl_mean': sum(r['kl_mean'] * r['steps'] for r in results) / n, 'kl_max': max(r['kl_max'] for r in results),
            'flips': sum(r['flips'] for r in results), 'steps': n, 'flip_margin': max(r['flip_margin'] for r in results),
            'max_abs': max(r['max_abs'] for r in results)}


def worst(results):
    """Of several ways to do the same steps: the largest of each figure."""
    return {key: max(r[key] for r in results) for key in results[0]}


def agrees(kind, r, own):
    """own: the stock runtime against itself, the worst pair of its ways, merged over the prompts."""
    if kind == EXACT:
        return r['max_abs'] <= 1e-3 and r['flip_margin'] <= 1e-3
    if kind == HALF:
        return r['kl_mean'] <= 1e-3 and r['flip_margin'] <= 0.25
    return (r['kl_mean'] <= max(2 * own['kl_mean'], 1e-3) and r['kl_max'] <= max(3 * own['kl_max'], 2e-2)
            and r['flips'] <= 2 * own['flips'] + 0.02 * r['steps'] and r['flip_margin'] <= max(2 * own['flip_margin'], 0.1))
