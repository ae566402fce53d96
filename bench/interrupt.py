#!/usr/bin/env python3
"""interrupt.py BUILD MODEL [ROUNDS]: how long after Ctrl-C the prompt of `wick chat` is back, in the middle of a prefill of about 1,800
tokens (the program must have the context) and in the middle of an answer. Times are by the clock: run it on a machine that does nothing
else."""
import os, random, re, statistics, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/cli"))
from terminal import Terminal  # noqa: E402

BUILD, MODEL = sys.argv[1:3]
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 11
WICK = os.path.join(BUILD, "wick")
N_TOKEN = 1800
WORDS = ("the a red old small quiet green river house road bird stone child garden window morning walks sings falls waits turns shines "
         "under over near behind and then").split()


def text_of(n_token, seed):
    """Lines of words with about that many tokens."""
    rng = random.Random(seed)
    words = [rng.choice(WORDS) for _ in range(n_token - 60)]
    return "\n".join(" ".join(words[i:i + 16]) for i in range(0, len(words), 16))


def begin(text):
    environment = dict(os.environ, HOME=tempfile.gettempdir(), TERM="dumb", NO_COLOR="1", LC_ALL="C.UTF-8")
    t = Terminal([WICK, "chat", MODEL, "-t", "0", "--ignore_eos", "--no_save"], environment)
    t.expect(">>> ")
    t.send('"""' + text.replace("\n", "\r"))
    t.expect(re.escape(text.splitlines()[-1][-20:]))
    t.send("\r")
    t.expect(r"\.\.\. ")
    t.send('"""\r')
    return t


def interrupt(t, word):
    started = time.monotonic()
    t.send("\x03")
    t.expect(word)
    t.expect(">>> ")
    waited = time.monotonic() - started
    t.close()
    return 1000 * waited


def report(what, waits):
    print(f"{what}: {len(waits)} times, median {statistics.median(waits):.0f} ms, longest {max(waits):.0f} ms")


def main():
    rng, during_prefill, during_answer = random.Random(1), [], []
    for i in range(ROUNDS):
        t = begin(text_of(N_TOKEN, i))
        time.sleep(rng.uniform(0.15, 0.9))
        during_prefill.append(interrupt(t, "taken back"))
        t = begin("Tell me a long story about a lighthouse,\nplease")
        t.expect(r"\S \S+ \S+ \S+ ")
        time.sleep(rng.uniform(0, 0.3))
        during_answer.append(interrupt(t, "is kept"))
    report("Ctrl-C in a prefill of %d tokens" % N_TOKEN, during_prefill)
    report("Ctrl-C in an answer", during_answer)


if __name__ == "__main__":
    main()
