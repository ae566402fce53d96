"""The peers of bench_text, single thread: bench/tokenizer_peers.py TEXT TOKENIZER.json|TOKENIZER.model|TOKENIZER.tiktoken ...

Packages: tokenizers, sentencepiece, tiktoken (with the pattern of cl100k for rank files)."""
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
P3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def encoder(path):
    if path.endswith(".json"):
        from tokenizers import Tokenizer
        t = Tokenizer.from_file(path)
        return "tokenizers", lambda s: t.encode(s, add_special_tokens=False).ids
    if path.endswith(".model"):
        import sentencepiece
        t = sentencepiece.SentencePieceProcessor(model_file=path)
        return "sentencepiece", t.encode
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe
    t = tiktoken.Encoding("bench", pat_str=P3, mergeable_ranks=load_tiktoken_bpe(path), special_tokens={})
    return "tiktoken", t.encode_ordinary


text = open(sys.argv[1], encoding="utf-8", newline="").read()
size = len(text.encode())
for path in sys.argv[2:]:
    name, encode = encoder(path)
    best = 1e9
    for _ in range(3):
        start = time.perf_counter()
        n = len(encode(text))
        best = min(best, time.perf_counter() - start)
    print(f"{path}: {name}, {n} tokens, {size / best / 1e6:.2f} MB/s")
