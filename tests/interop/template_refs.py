#!/usr/bin/env python3
"""template_refs.py BUILD COUNT [--seed N]: random templates, made from a grammar, through `wick template` and through jinja2 in the environment
that transformers makes of it, each with twelve sets of variables, until there are COUNT renderings. Equal means the same text, or an error on
both sides. The first differences are printed; exit status 1 if there are any. Left out is what Wick does in another way on purpose: bytes do not
exist, filters that give generators work at once and not when they are read, `wordwrap` knows blanks alone, nobody walks through
`loop` itself, `pprint` sorts nothing and breaks no lines, roots of negative numbers are errors.
Package: jinja2."""
import argparse
import copy
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

# What Python prints of an object that is no value: it has an address, which is nobody's to match; escaped and encoded too.
OBJECT = re.compile(r"(?:<|&lt;|%3C)INSIDE*?(?:0x[0-9a-f]+|method|generator object)INSIDE*(?:>|&gt;|%3E)".replace(
    "INSIDE", "(?:(?!<|>|&lt;|&gt;|%3C|%3E).)"), re.I)
COMPLEX = re.compile(r"\((?:-?[0-9.]+(?:e[+-]?\d+)?)?[+-]?[0-9.]+(?:e[+-]?\d+)?j\)", re.I)
# Of markup, Wick knows the text that a filter made, not what became of it.
MARKUP = re.compile(r"""Markup\(('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\)""")
MESSAGES = [{"role": "system", "content": " Be kind. "}, {"role": "user", "content": "Grüße <b>&</b>\n 'x' \"y\""}, {"role": "assistant", "content": ""}]
CONTEXTS = [
    {"s": "Hello World, hello", "n": 7, "f": 2.5, "l": [3, 1, 2, "b", None], "d": {"b": 1, "a": [True, {"k": "v"}]}, "t": True},
    {"s": "", "n": 0, "f": -0.125, "l": [], "d": {}, "t": False},
    {"s": "ÄÖ ß\tİ", "n": -12, "f": 1e16, "l": ["x", "X", "y", "x"], "d": {"role": "user", "2": 2, "é": "è"}, "t": None},
]
ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
ENVIRONMENT.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
    x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
NAMES = ["s", "n", "f", "l", "d", "t", "messages", "missing", "v", "loop.index", "messages[0]", "messages[-1].content"]
FILTERS = ["upper", "lower", "title", "capitalize", "trim", "length", "first", "last", "string", "int", "float", "abs", "list", "sort", "unique|list",
           "reverse|list", "join", "join(', ')", "tojson", "tojson(indent=2)", "default('none')", "default(1, true)", "replace('l', 'LL')", "items",
           "dictsort", "sum", "min", "max", "round", "round(1)", "batch(2)|list", "slice(2)|list", "map('upper')|list", "map(attribute='role')|list",
           "selectattr('role', 'equalto', 'user')|list", "rejectattr('content')|list", "select('string')|list", "reject('none')|list", "indent(2)", "e", "center(12)",
           "truncate(9)", "wordcount", "groupby('role')", "map('string')|list", "sort(reverse=true)", "int(5)", "safe", "select|list", "count",
           "attr('role')", "striptags", "urlencode", "format(1)", "xmlattr", "list|length"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "iterable", "sequence",
         "odd", "even", "divisibleby(3)", "equalto(7)", "in([7, 's'])", "lower", "upper", "callable", "gt(1)", "sameas(none)", "eq('x')"]
METHODS = ["strip()", "lstrip()", "rstrip('lo ')", "split()", "split(',')", "split('l', 1)", "startswith('H')", "endswith(('o', 'd'))", "upper()",
           "title()", "replace('o', '0', 1)", "find('l')", "items()", "keys()", "values()", "get('a')", "get('zz', 'q')", "count('l')", "join(['a', 'b'])",
           "index('x')", "splitlines()", "isdigit()", "zfill(5)", "format(1)", "copy()", "append(1)", "partition(' ')", "swapcase()"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *of):
        return self.r.choice(of)

    def literal(self):
        return self.pick("1", "0", "-3", "12", "2.0", "0.1", "1e3", "true", "none", "''", "'a'", "\"it's\"", "'l'", "'{\\n}'", "[1, 2, 3]", "['b', 'a']",
                         "{'a': 1}", "(1, 'x')", "[]", "{}", "'%s-%s'", "'<&>'")

    def expression(self, depth=3):
        if depth == 0:
            return self.pick(self.literal(), self.r.choice(NAMES))
        sub = lambda: self.expression(depth - 1)
        kind = self.r.randrange(14)
        if kind < 2:
            return self.expression(0)
        if kind < 5:
            return f"{self.operand(depth)}|{self.r.choice(FILTERS)}"
        if kind == 5:
            return f"{self.operand(depth)}.{self.r.choice(METHODS)}"
        if kind < 8:
            return f"{sub()} {self.r.choice(BINARY)} {sub()}"
        if kind == 8:
            return f"{self.operand(depth)} is {self.pick('', 'not ')}{self.r.choice(TESTS)}"
        if kind == 9:
            return f"({sub()} if {sub()} else {sub()})"
        if kind == 10:
            return f"{self.operand(depth)}[{self.pick('0', '-1', '1:', ':2', '::-1', '1:-1', sub())}]"
        if kind == 11:
            return f"{self.operand(depth)}.{self.pick('role', 'a', 'content', 'index', 'x', 'last')}"
        if kind == 12:
            return f"{self.pick('not ', '-', '+')}{self.operand(depth)}"
        return f"[{sub()}, {sub()}]"

    def operand(self, depth):
        return self.pick(self.r.choice(NAMES), f"({self.expression(depth - 1)})", self.literal())

    def open(self):
        return self.pick("{%", "{%", "{%-", "{%+"), self.pick("%}", "%}", "-%}")

    def tag(self, text):
        left, right = self.open()
        return f"{left} {text} {right}"

    def text(self):
        return self.pick("x", " ", "\n", "  \n", "\n  ", "text ", "{# note #}", "{#- note -#}", "a\n\nb", "\t")

    def statement(self, depth):
        body = lambda: self.block(depth - 1)
        kind = self.r.randrange(10) if depth else 0
        if kind < 4:
            return self.pick("{{", "{{-") + f" {self.expression()} " + self.pick("}}", "-}}")
        if kind == 4:
            return self.tag(f"if {self.expression(2)}") + body() + self.pick("", self.tag(f"elif {self.expression(1)}") + body()) + \
                self.pick("", self.tag("else") + body()) + self.tag("endif")
        if kind == 5:
            extra = self.pick("", "", f" if {self.expression(1)}")
            inside = self.pick("", self.tag(f"if loop.index > 1") + self.tag(self.pick("break", "continue")) + self.tag("endif"),
                               "{{ loop.index0 }}{{ loop.last }}{{ loop.previtem }}{{ loop.revindex }}")
            return self.tag(f"for v in {self.expression(2)}{extra}") + body() + inside + self.pick("", self.tag("else") + body()) + self.tag("endfor")
        if kind == 6:
            return self.tag(f"set v = {self.expression()}")
        if kind == 7:
            return self.tag("set v") + body() + self.tag("endset") + "{{ v }}"
        if kind == 8:
            return self.tag("macro m(a, b=2)") + "{{ a }}" + body() + self.tag("endmacro") + "{{ m(" + self.expression(1) + ") }}"
        return self.tag(f"filter {self.pick('upper', 'trim', 'indent(1)', 'length')}") + body() + self.tag("endfilter")

    def block(self, depth):
        return "".join(self.pick(self.text(), self.statement(depth)) for _ in range(self.r.randint(1, 4)))


def seen(text):
    return text if text is None else MARKUP.sub(r"\1", OBJECT.sub("<>", text))


def contexts(seed):
    """The three above, and nine that have values of any kind under every name."""
    r = random.Random(seed)
    values = [v for c in CONTEXTS for v in c.values()] + [[], {}, "x", 1, -1, 0.5, [[1, 2], [3]], ["a", 1, None, True], {"a": {"b": [1]}}, "a,b c\nd", MESSAGES[0]]
    return CONTEXTS + [{name: r.choice(values) for name in "snfldt"} for _ in range(9)]


def references(source, all_contexts):
    try:
        template = ENVIRONMENT.from_string(source)
    except Exception:
        return [None] * len(all_contexts)
    out = []
    for c in all_contexts:
        try:
            c = copy.deepcopy(c)
            text = template.render(messages=copy.deepcopy(MESSAGES), tools=None, documents=None, add_generation_prompt=False, **c)
            out.append(None if COMPLEX.search(text) else seen(text))
        except Exception:
            out.append(None)
    return out


def compare(job):
    wick, folder, seed = job
    source = Maker(seed).block(3)
    all_contexts = contexts(seed)
    path = os.path.join(folder, f"{seed}.jinja")
    with open(path, "w", newline="") as f:
        f.write(source)
    lines = "".join(json.dumps({"messages": MESSAGES, "kwargs": c}) + "\n" for c in all_contexts)
    run = subprocess.run([wick, "template", "--template", path, "--jsonl"], input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    os.remove(path)
    ours = [json.loads(line).get("text") for line in run.stdout.split("\n") if line]
    ours = [seen(t) for t in ours] or [None] * len(all_contexts)
    return source, all_contexts, ours, references(source, all_contexts)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("count", type=int)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    wick, n, differences, rendered = os.path.join(a.build, "wick"), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(2) as pool:
        jobs = ((wick, folder, a.seed * 10**9 + i) for i in range(-(-a.count // 12)))
        for source, all_contexts, ours, theirs in pool.imap_unordered(compare, jobs, 8):
            n += len(theirs)
            rendered += sum(t is not None for t in theirs)
            if ours == theirs:
                continue
            wrong = [k for k in range(len(theirs)) if k >= len(ours) or ours[k] != theirs[k]]
            differences += len(wrong)
            if differences <= 20:
                k = wrong[0]
                print(f"{source!r}\n  with   {all_contexts[k]!r}\n  ours   {ours[k:k + 1]!r:.300}\n  theirs {theirs[k]!r:.300}")
    print(f"{n} renderings, {rendered} of them texts, {differences} differences")
    return differences > 0


if __name__ == "__main__":
    sys.exit(main())
