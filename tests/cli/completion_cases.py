#!/usr/bin/env python3
"""completion_cases.py BUILD SOURCE: completion scripts and the manual page have every option of every verb, and shells and page
formatters take them; bash is driven, through its completion function and through a terminal."""
import os, pty, re, select, shutil, subprocess, sys, tempfile, time, unittest

BUILD, SOURCE = map(os.path.abspath, sys.argv[1:3])
WICK = os.path.join(BUILD, "wick")


def output(*words):
    return subprocess.run([WICK, *words], check=True, capture_output=True).stdout.decode()


VERBS = re.findall(r"^  ([a-z]+) ", output("--help"), re.M)
OPTIONS = {verb: re.findall(r"^  (?:-(\w), |    )--(\w+)( ?)", output(verb, "--help"), re.M) for verb in VERBS}


class Completeness(unittest.TestCase):
    def test_there_are_options(self):
        self.assertGreater(len(VERBS), 8)
        self.assertGreater(sum(map(len, OPTIONS.values())), 80)

    def every(self, text, pattern):
        for verb, options in OPTIONS.items():
            for letter, name, _ in options:
                self.assertRegex(text(verb), pattern(name), (verb, name))

    def test_bash(self):
        script = output("completion", "bash")
        self.every(lambda verb: re.search(rf"^    {verb}:-\*\) .*$", script, re.M)[0], lambda name: rf"--{name}\b")

    def test_zsh(self):
        script = output("completion", "zsh")
        self.every(lambda verb: script.split(f"\n    {verb}) ")[1].split(" ;;")[0], lambda name: rf"'\*?--{name}\[")

    def test_fish(self):
        script = output("completion", "fish")
        self.every(lambda verb: "\n".join(re.findall(rf"^.*from {verb}'.*$", script, re.M)), lambda name: rf" -l {name}\b")

    def test_man(self):
        page = output("man")
        parts = dict(re.findall(r"^\.SS wick (\w+)(.*?)(?=^\.S)", page, re.M | re.S))
        for verb, options in OPTIONS.items():
            for letter, name, _ in options:
                if name != "help":
                    self.assertIn(rf"\fB\-\-{name}\fR", parts[verb])

    def test_usage(self):
        for words in (["completion"], ["completion", "tcsh"], ["man", "x"]):
            self.assertEqual(subprocess.run([WICK, *words], capture_output=True).returncode, 2)


class Syntax(unittest.TestCase):
    def run_on(self, text, *command):
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        with tempfile.NamedTemporaryFile() as f:
            f.write(text.encode())
            f.flush()
            r = subprocess.run([*command, f.name], capture_output=True, env={**os.environ, "MANROFFOPT": "", "LC_ALL": "C.UTF-8"})
        self.assertEqual((r.returncode, r.stderr), (0, b""), (r.stdout[-2000:], r.stderr))
        return r.stdout.decode()

    def test_bash(self):
        self.run_on(output("completion", "bash"), "bash", "-n")

    def test_zsh(self):
        self.run_on(output("completion", "zsh"), "zsh", "-n")

    def test_fish(self):
        self.run_on(output("completion", "fish"), "fish", "-n")

    def test_mandoc(self):
        self.assertEqual(self.run_on(output("man"), "mandoc", "-T", "lint", "-W", "warning"), "")

    def test_groff(self):
        self.run_on(output("man"), "groff", "-man", "-ww", "-z", "-T", "utf8")

    def test_page_can_be_read(self):
        page = self.run_on(output("man"), "mandoc", "-T", "utf8", "-O", "width=100")
        page = re.sub(".\b", "", page)
        for text in ("wick run model.pte --tokens 1,403,407", "--max_new_tokens N", "HF_TOKEN", "EXIT STATUS"):
            self.assertIn(text, page)


class Bash(unittest.TestCase):
    def setUp(self):
        if not shutil.which("bash"):
            self.skipTest("no bash")
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(self.folder + "/models")
        for name in ("smol", "stories"):
            with open(f"{self.folder}/models/{name}.pte", "w"):
                pass
        os.mkdir(self.folder + "/a folder")
        with open(self.folder + "/a file.pte", "w"):
            pass
        self.environment = dict(os.environ, WICK_MODELS=self.folder + "/models", PATH=f"{BUILD}:{os.environ['PATH']}", TERM="dumb", PS1="$ ")

    def complete(self, *words):
        """What the last word can become."""
        script = output("completion", "bash") + """
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _wick
            ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
        """
        r = subprocess.run(["bash", "-c", script, "bash", "wick", *words], cwd=self.folder, env=self.environment, capture_output=True)
        self.assertEqual(r.stderr, b"")
        return r.stdout.decode().splitlines()

    def test_verbs(self):
        self.assertEqual(self.complete("ex"), ["export"])
        self.assertEqual(self.complete(""), VERBS + ["--help", "--version"])

    def test_options(self):
        self.assertEqual(self.complete("run", "--max"), ["--max_new_tokens"])
        self.assertEqual(self.complete("list", "--"), ["--json", "--quiet", "--help"])
        self.assertEqual(self.complete("nothing", "--"), [])

    def test_values(self):
        self.assertEqual(self.complete("run", "m.pte", "--kv_dtype", "f"), ["f16", "f32"])
        self.assertEqual(self.complete("run", "m.pte", "--kv_dtype", "=", "f1"), ["f16"])
        self.assertEqual(self.complete("run", "m.pte", "--kv_dtype", "="), ["f16", "f32"])
        self.assertEqual(self.complete("run", "m.pte", "--temperature", ""), [])
        self.assertEqual(self.complete("completion", ""), ["bash", "zsh", "fish"])

    def test_models_and_files(self):
        self.assertEqual(self.complete("run", "s"), ["smol", "stories"])
        self.assertEqual(sorted(self.complete("run", "")), ["a file.pte", "a folder", "models", "smol", "stories"])
        self.assertEqual(self.complete("chat", "--model_path", "st"), ["stories"])
        self.assertEqual(self.complete("rm", ""), ["smol", "stories"])
        self.assertEqual(self.complete("rm", "smol", "st"), ["stories"])
        self.assertEqual(sorted(self.complete("export", "a f")), ["a file.pte", "a folder"])

    def type_keys(self, keys, expected):
        """In a real bash on a terminal: until `expected` shows."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], self.environment)
        try:
            seen, end = b"", time.time() + 60
            os.write(terminal, b"bind 'set enable-bracketed-paste off'; source <(wick completion bash); echo rea''dy\n")
            sent = False
            while expected not in seen.decode(errors="replace") and time.time() < end:
                if select.select([terminal], [], [], 0.2)[0]:
                    seen += os.read(terminal, 4096)
                if b"ready" in seen and not sent:
                    os.write(terminal, keys)
                    sent, seen = True, b""
            self.assertIn(expected, seen.decode(errors="replace"))
        finally:
            os.write(terminal, b"\x03")
            os.close(terminal)
            os.waitpid(pid, 0)

    def test_at_a_terminal(self):
        self.type_keys(b"wick ru\tst\t--kv\tf3\t!", "wick run stories --kv_dtype f32 !")
        self.type_keys(b"wick export a\\ fi\t!", "wick export a\\ file.pte !")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
