"""encode_text.py BUILD TEXT TOKENIZER[.gguf|.json|.model|.tiktoken] ...: encoding a text on one thread, ours and the peer's in turn.

The peer is the library that each kind of file comes from: tokenizers, sentencepiece, tiktoken (rank files get the pattern of Llama 3);
GGUFs have none. Both must give the same number of tokens. Ours is a fresh tokenizer each time (bench_text), its cache of words empty.
Prints medians over five turns of processor time, in MB/s, with their range."""
import os
import re
import statistics
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
P3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TURNS = 5


def peer(path):
    """(name, text -> ids), or None."""
    if path.endswith(".json"):
        from tokenizers import Tokenizer
        t = Tokenizer.from_file(path)
        return "tokenizers", lambda s: t.encode(s, add_special_tokens=False).ids
    if path.endswith(".model"):
        import sentencepiece
        return "sentencepiece", sentencepiece.SentencePieceProcessor(model_file=path).encode
    if path.endswith(".tiktoken"):
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe
        t = tiktoken.Encoding("bench", pat_str=P3, mergeable_ranks=load_tiktoken_bpe(path), special_tokens={})
        return "tiktoken", t.encode_ordinary
    return None


def ours(build, text_path, path):
    out = subprocess.run([os.path.join(build, "bench", "bench_text"), text_path, path], capture_output=True, text=True, check=True).stdout
    tokens, rate = re.search(r": (\d+) tokens, encode ([0-9.]+) MB/s", out).groups()
    return int(tokens), float(rate), out[out.index("decode"):].strip()


def figures(rates):
    return "%.2f MB/s (%.2f .. %.2f)" % (statistics.median(rates), min(rates), max(rates))


def main():
    build, text_path = sys.argv[1:3]
    text = open(text_path, encoding="utf-8", newline="").read()
    size = len(text.encode())
    for path in sys.argv[3:]:
        mine, theirs, library = [], [], peer(path)
        for _ in range(TURNS):
            tokens, rate, rest = ours(build, text_path, path)
            mine.append(rate)
            if library:
                start = time.process_time()
                n = len(library[1](text))
                theirs.append(size / (time.process_time() - start) / 1e6)
                if n != tokens:
                    sys.exit("%s: %d tokens, %s gives %d" % (path, tokens, library[0], n))
        print("%s: %s, %s" % (os.path.basename(path), figures(mine), rest), flush=True)
        if library:
            print("    %s: %s; ours / its %.1f" % (library[0], figures(theirs), statistics.median(mine) / statistics.median(theirs)), flush=True)


if __name__ == "__main__":
    main()
