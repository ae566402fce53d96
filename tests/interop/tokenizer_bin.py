"""tokenizer_bin.py BUILD [MODEL...]: `wick tokenize -t MODEL -o FILE` writes what ExecuTorch's converter writes, byte for byte.

Besides the models named, SentencePiece models of many kinds are trained here on generated text. Needs the Python packages
pytorch_tokenizers and sentencepiece. Exit status 1 on any difference."""
import io
import os
import random
import subprocess
import sys
import tempfile

import sentencepiece
from pytorch_tokenizers.llama2c import Llama2cTokenizer


def text():
    """Lines of invented words in several scripts, with repeats, digits and punctuation."""
    rng = random.Random(1)
    letters = ["etaoinshrdlu", "éàüßñç", "абвгдежз", "漢字仮名交文", "اكتبنص", "😀🎉✨"]
    words = ["".join(rng.choice(rng.choice(letters)) for _ in range(rng.randint(1, 9))) for _ in range(600)]
    words += [str(rng.randrange(10 ** rng.randint(1, 6))) for _ in range(40)] + list(".,;:!?()▁_") + ["  ", "\t"]
    return [" ".join(rng.choice(words) for _ in range(rng.randint(1, 20))) for _ in range(800)]


def trained(folder):
    lines = text()
    variants = [
        dict(model_type="bpe"),
        dict(model_type="unigram"),
        dict(model_type="bpe", byte_fallback=True, vocab_size=700),
        dict(model_type="unigram", byte_fallback=True, vocab_size=700, normalization_rule_name="nmt_nfkc_cf"),
        dict(model_type="bpe", pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=["<a▁b>", "  ", "▁▁", "é"]),
        dict(model_type="unigram", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", pad_piece="[PAD]", pad_id=3,
             control_symbols=["<s>", "</s>"]),
        dict(model_type="bpe", treat_whitespace_as_suffix=True, unk_surface="?", add_dummy_prefix=False, split_digits=True),
        dict(model_type="bpe", remove_extra_whitespaces=False, normalization_rule_name="identity", split_by_whitespace=False),
    ]
    for i, options in enumerate(variants):
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, num_threads=1, minloglevel=2,
                                                 **{"vocab_size": 500, "hard_vocab_limit": False, **options})
        path = os.path.join(folder, f"{i}.model")
        with open(path, "wb") as f:
            f.write(model.getvalue())
        yield path


def main():
    build, models = sys.argv[1], sys.argv[2:]
    bad = n = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in models + list(trained(folder)):
            ours, theirs = os.path.join(folder, "ours.bin"), os.path.join(folder, "theirs.bin")
            Llama2cTokenizer(path).export(theirs)
            subprocess.run([os.path.join(build, "wick"), "tokenize", "-t", path, "-o", ours], check=True)
            same = open(ours, "rb").read() == open(theirs, "rb").read()
            print(f"{'ok  ' if same else 'FAIL'} {path}: {os.path.getsize(theirs)} bytes")
            n, bad = n + 1, bad + (not same)
    print(f"{n - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
