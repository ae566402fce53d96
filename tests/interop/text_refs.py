"""text_refs.py BUILD COUNT [--seed N] [--tokenizers FOLDER] [--only NAME] [--characters]: random texts through `wick tokenize` and the references.

COUNT texts, shared out evenly among the tokenizers of tests/data/text/tokenizer/trained and those in FOLDER (real ones, named as in the
README of the vectors). Compared are the ids, with and without special tokens parsed and added, both decodings of them, and decodings of
random ids. With --characters, every assigned character also goes through every normalizer and pre-tokenizer by itself.

Texts hold characters that Python's Unicode tables know. A difference in a text with other characters is a matter of the versions of the
tables and is counted apart; any other difference is an error: exit status 1. Packages: tokenizers, sentencepiece, tiktoken."""
import argparse
import base64
import glob
import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data", "text", "tokenizer")
P3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BATCH = 2000


# ---- the references: encode(text, special, add) and decode(ids, skip), pieces() for making texts


class HuggingFace:
    def __init__(self, path=None, text=None):
        from tokenizers import Tokenizer
        self.t = Tokenizer.from_file(path) if path else Tokenizer.from_str(text)
        self.n = self.t.get_vocab_size()
        self.precompiled = "Precompiled" in json.dumps(json.loads(self.t.to_str())["normalizer"])

    def encode(self, text, special, add):
        self.t.encode_special_tokens = not special
        self.last = self.t.encode(text, add_special_tokens=add)
        return self.last.ids

    def offsets(self, text):
        """Of the text that was encoded last; None where they are known to be wrong: the library loses count of characters that its Precompiled
        normalizer drops at the start of a text."""
        if self.precompiled and any(not self.t.normalizer.normalize_str(c) for c in set(text)):
            return None
        return [list(pair) for pair in self.last.offsets]

    def decode(self, ids, skip):
        return self.t.decode(ids, skip_special_tokens=skip)

    def pieces(self):
        alphabet = {chr(c): c for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))}
        alphabet.update((chr(256 + i), c) for i, c in enumerate(c for c in range(256) if chr(c) not in alphabet))
        for piece in self.t.get_vocab():
            yield piece
            if all(c in alphabet for c in piece):
                yield bytes(alphabet[c] for c in piece).decode("utf-8", "ignore")

    def added(self):
        return [token.content for token in self.t.get_added_tokens_decoder().values()]


class SentencePiece:
    def __init__(self, path):
        import sentencepiece
        self.t = sentencepiece.SentencePieceProcessor(model_file=path)
        self.n = self.t.get_piece_size()

    def encode(self, text, special, add):
        return self.t.encode(text)

    def decode(self, ids, skip):
        return self.t.decode(ids)

    def pieces(self):
        return (self.t.id_to_piece(i) for i in range(self.n))

    def added(self):
        return [self.t.id_to_piece(i) for i in range(self.n) if not self.t.is_byte(i)][-20:]


class Tiktoken:
    def __init__(self, path, pattern, special):
        import tiktoken
        ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in open(path, "rb") if line.strip()}
        self.special = special if special is not None else llama3_special(len(ranks))
        self.t = tiktoken.Encoding("reference", pat_str=pattern, mergeable_ranks=ranks, special_tokens=self.special)
        self.ids = sorted(set(ranks.values()) | set(self.special.values()))
        self.ranks, self.n = ranks, self.t.n_vocab
        self.special_ids = set(self.special.values())

    def encode(self, text, special, add):
        return self.t.encode(text, allowed_special="all") if special else self.t.encode_ordinary(text)

    def decode(self, ids, skip):
        return self.t.decode([i for i in ids if not (skip and i in self.special_ids)])

    def pieces(self):
        return (piece.decode("utf-8", "ignore") for piece in self.ranks)

    def added(self):
        return list(self.special)[:20]


class Tekken:
    """tekken.json as mistral_common reads it: tiktoken on its ranks, special tokens before them, each run of ranks decoded by itself."""

    def __init__(self, path):
        import tiktoken
        root = json.load(open(path, encoding="utf-8"))
        config = root["config"]
        self.first, self.n = config["default_num_special_tokens"], config["default_vocab_size"]
        names = [t["token_str"] for t in root.get("special_tokens") or []] or TEKKEN_SPECIAL
        self.names = names + [f"<SPECIAL_{i}>" for i in range(len(names), self.first)]
        self.ranks = {base64.b64decode(t["token_bytes"]): t["rank"] for t in root["vocab"][:self.n - self.first]}
        self.t = tiktoken.Encoding("reference", pat_str=config["pattern"], mergeable_ranks=self.ranks, special_tokens={})

    def encode(self, text, special, add):
        return [i + self.first for i in self.t.encode_ordinary(text)]

    def decode(self, ids, skip):
        parts = []
        for is_special, run in itertools.groupby(ids, lambda i: i < self.first):
            run = list(run)
            parts.append("".join("" if skip else self.names[i] for i in run) if is_special
                         else self.t.decode([i - self.first for i in run]))
        return "".join(parts)

    def pieces(self):
        return (piece.decode("utf-8", "ignore") for piece in self.ranks)

    def added(self):
        return self.names[:20]


TEKKEN_SPECIAL = ("<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> "
                  "[IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]").split()


def llama3_special(n):
    first = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1", "finetune_right_pad_id",
             "reserved_special_token_2", "start_header_id", "end_header_id", "eom_id", "eot_id", "python_tag"]
    names = first + [f"reserved_special_token_{i}" for i in range(3, 3 + 256 - len(first))]
    return {f"<|{name}|>": n + i for i, name in enumerate(names)}


def tiktoken_of(path):
    """A rank file with its rule: the JSON beside it, a vocabulary of tiktoken's own, or Llama 3's rule."""
    if os.path.exists(path + ".json"):
        rule = json.load(open(path + ".json"))
        return Tiktoken(path, rule["pat_str"], rule["special_tokens"])
    with open(path, "rb") as f:
        data = f.read()
    published = published_rule(data)
    return Tiktoken(path, published["pat_str"], published["special_tokens"]) if published else Tiktoken(path, P3, None)


def published_rule(data):
    """tiktoken's own rule of the vocabulary that it publishes under this hash."""
    from tiktoken_ext import openai_public
    found = []
    for name in ("r50k_base", "p50k_base", "cl100k_base", "o200k_base"):
        def load(url, expected_hash):
            found.append(name) if hashlib.sha256(data).hexdigest() == expected_hash else None
        openai_public.load_tiktoken_bpe = load
        rule = openai_public.ENCODING_CONSTRUCTORS[name]()
        if found:
            return rule
    return None


def reference_of(path):
    name = os.path.basename(path)
    if name.startswith("l2c_"):  # the same pieces in llama2.c's form
        return SentencePiece(os.path.join(os.path.dirname(path), "spm_bpe_llama.model"))
    if path.endswith(".tiktoken"):
        return tiktoken_of(path)
    if path.endswith(".model"):
        return SentencePiece(path)
    if path.endswith(".gguf"):  # made of the same pieces
        return HuggingFace(path[:-len("gguf")] + "json")
    return Tekken(path) if name.startswith("tekken") else HuggingFace(path)


# ---- texts


def assigned(c):
    return not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn"


class Texts:
    """Random texts of many kinds for one tokenizer."""
    AWKWARD = ("\0\t\n\v\f\r\x1c\x1f \x7f\x85\xa0\xad\u0130\u0131\u017f\u01c5\u02b0\u0300\u0301\u0323\u0334\u0345\u03a3\u03c2\u0661\u0903"
               "\u1100\u1161\u11a8\uac00\u1680\u180e\u200b\u200c\u200d\u200e\u2028\u2029\u202f\u205f\u2060\u2160\u212a\u2460\u24b6\u2581\u3000"
               "\u3099\u30ab\uff76\uff9e\ufb01\ufe0f\ufeff\ufffd\ue000\U0001f1e6\U0001f468\U0001f3fd\U0001d7d8\U0002f800\U000e0041'’\"")

    def __init__(self, rng, reference, cases):
        self.rng = rng
        self.pieces = [p for p in reference.pieces() if p] or ["a"]
        self.added = [a for a in reference.added() if a] or ["<s>"]
        self.cases = cases or ["text"]
        self.blocks = [b for b in range(0, 0x30000, 128) if any(assigned(c) for c in range(b, b + 128))]

    def character(self):
        kind = self.rng.random()
        if kind < 0.35:
            return chr(self.rng.randrange(32, 127))
        if kind < 0.65:
            return self.rng.choice(self.AWKWARD)
        block = self.rng.choice(self.blocks)
        while True:
            c = block + self.rng.randrange(128)
            if assigned(c):
                return chr(c)

    def part(self):
        kind = self.rng.random()
        if kind < 0.35:
            return self.rng.choice(self.pieces)
        if kind < 0.45:
            return self.rng.choice(self.added)
        if kind < 0.60:
            text = self.rng.choice(self.cases)
            at = self.rng.randrange(len(text) + 1)
            return text[at:at + self.rng.randrange(1, 30)]
        if kind < 0.70:
            return self.character() * self.rng.randrange(1, 12)
        if kind < 0.80:
            return self.rng.choice(["'s", "'T", "'RE", "'ll", " ", "  ", "\n", "\r\n", "\t", "123", "1,234.5", "...", " n't", "http://", "é", "ﬁ"])
        return "".join(self.character() for _ in range(self.rng.randrange(1, 10)))

    def text(self):
        text = "".join(self.part() for _ in range(self.rng.randrange(1, 9)))
        return "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)


# ---- comparing


def wick(build, path, questions):
    lines = "".join(json.dumps(q) + "\n" for q in questions)
    done = subprocess.run([os.path.join(build, "wick"), "tokenize", "-t", path, "--jsonl"], input=lines.encode(), stdout=subprocess.PIPE)
    answers = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    if done.returncode or len(answers) != len(questions) + 1:
        raise SystemExit(f"wick tokenize -t {path}: status {done.returncode}, {len(answers) - 1} answers to {len(questions)} lines")
    return [json.loads(a) for a in answers[:-1]]


def newer(text):
    return any(not assigned(ord(c)) for c in text)


class Score:
    def __init__(self):
        self.texts = self.checks = self.newer = self.wrong = 0

    def check(self, name, what, question, want, got, text):
        self.checks += 1
        if want == got:
            return
        if newer(text):
            self.newer += 1
            return
        self.wrong += 1
        if self.wrong <= 40:
            print(f"FAIL {name}: {what} of {json.dumps(question)}\n     want {json.dumps(want)}\n     got  {json.dumps(got)}")


def pieces_of_known(name, text):
    """Texts that the vectors leave out for llama2.c files, whose pieces hold spaces."""
    return not (name.startswith("l2c_") and ("\u2581" in text or "\0" in text))


def compare_batch(build, path, name, reference, texts, rng, score):
    flags = isinstance(reference, HuggingFace)
    encodes, wants, offsets = [], [], []
    for text in texts:
        special = not isinstance(reference, (SentencePiece, Tekken)) and rng.random() < 0.6
        add = flags and rng.random() < 0.5
        encodes.append({"text": text, "special": special, "add_special": add, "offsets": flags})
        wants.append(reference.encode(text, special, add))
        offsets.append(reference.offsets(text) if flags else None)
    decodes = []
    for question, want, ranges, answer in zip(encodes, wants, offsets, wick(build, path, encodes)):
        score.texts += 1
        if ranges is not None and answer.get("ids") == want:
            score.check(name, "offsets", question, ranges, answer.get("offsets"), question["text"])
        score.check(name, "ids", question, want, answer.get("ids", answer), question["text"])
        ids = want if rng.random() < 0.7 else [rng.choice(reference.ids) if isinstance(reference, Tiktoken) else rng.randrange(reference.n)
                                               for _ in range(rng.randrange(1, 12))]
        decodes.append({"ids": ids, "skip_special": rng.random() < 0.5})
    for question, answer in zip(decodes, wick(build, path, decodes)):
        want = reference.decode(question["ids"], question["skip_special"])
        score.check(name, "text", question, want, answer.get("text", answer), want)


def compare(build, path, count, seed, score):
    name = os.path.basename(path)
    reference = reference_of(path)
    rng = random.Random(f"{seed} {name}")
    stem = name.split(".")[0]
    cases = os.path.join(DATA, "cases", stem + ".jsonl")
    known = [json.loads(line)["text"] for line in open(cases, encoding="utf-8", newline="\n")] if os.path.exists(cases) else []
    texts = Texts(rng, reference, [t for t in known if t])
    wrong = score.wrong
    for at in range(0, count, BATCH):
        batch = [texts.text() for _ in range(min(BATCH, count - at))]
        compare_batch(build, path, name, reference, [t for t in batch if pieces_of_known(name, t)], rng, score)
    print(f"{'ok  ' if score.wrong == wrong else 'FAIL'} {name}: {count} texts", flush=True)


# ---- every character through every stage


def stage_file(normalizer, pre):
    """A tokenizer that shows what its stages do: bytes as tokens, and a space before each piece."""
    from tokenizers.pre_tokenizers import ByteLevel
    level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": False}
    return json.dumps({"version": "1.0", "added_tokens": [], "normalizer": normalizer, "post_processor": None, "decoder": level,
                       "pre_tokenizer": {"type": "Sequence", "pretokenizers": pre + [level]},
                       "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(sorted(ByteLevel.alphabet()))}, "merges": []}})


def stages():
    for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
        yield kind, stage_file({"type": kind}, [])
    yield "Strip", stage_file({"type": "Strip", "strip_left": True, "strip_right": True}, [])
    for accents in (True, False):
        yield "BertNormalizer", stage_file({"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                                            "strip_accents": accents, "lowercase": accents}, [])
    for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts"):
        yield kind, stage_file(None, [{"type": kind}])
    yield "Punctuation", stage_file(None, [{"type": "Punctuation", "behavior": "Isolated"}])
    yield "Digits", stage_file(None, [{"type": "Digits", "individual_digits": True}])
    for regex in (P3, r"\w+", r"\s", r"\d", r"\p{L}+", r"\p{M}+", r"\p{N}+", r"\p{P}", r"\p{S}", r"\p{C}", r"\p{Lu}", r"\p{Ll}", r"\p{Lt}",
                  r"\p{Lm}", r"\p{Lo}", r"(?i:k|s|ß|σ)"):
        yield regex[:12], stage_file(None, [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}])


def compare_characters(build, score):
    chars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and (assigned(c) or c % 16 == 0)]
    for name, text in stages():
        reference, wrong = HuggingFace(text=text), score.wrong
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(text)
            f.flush()
            for at in range(0, len(chars), BATCH * 8):
                texts = [f"a{c}\u0323\u0301{c}b {c}" for c in chars[at:at + BATCH * 8]]
                questions = [{"text": t} for t in texts]
                for q, answer in zip(questions, wick(build, f.name, questions)):
                    score.texts += 1
                    score.check(name, "ids", q, reference.encode(q["text"], True, True), answer.get("ids", answer), q["text"])
        print(f"{'ok  ' if score.wrong == wrong else 'FAIL'} {name}: {len(chars)} characters", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("count", type=int)
    p.add_argument("--seed", default="1")
    p.add_argument("--tokenizers", default="")
    p.add_argument("--only", default="")
    p.add_argument("--characters", action="store_true")
    args = p.parse_args()
    folders = [os.path.join(DATA, "trained")] + ([args.tokenizers] if args.tokenizers else [])
    files = sorted(f for folder in folders for f in glob.glob(os.path.join(folder, "*")) if args.only in f)
    files = [f for f in files if not f.endswith(".tiktoken.json")]
    score = Score()
    for f in files:
        compare(args.build, f, -(-args.count // len(files)), args.seed, score)
    if args.characters:
        compare_characters(args.build, score)
    print(f"{len(files)} tokenizers, {score.texts} texts, {score.checks} comparisons, seed {args.seed}: {score.wrong} differ, "
          f"{score.newer} more in texts with characters newer than Unicode {unicodedata.unidata_version}")
    return 1 if score.wrong or not score.texts else 0


if __name__ == "__main__":
    sys.exit(main())
