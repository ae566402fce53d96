#!/usr/bin/env python3
"""chat_at_terminal.py BUILD SOURCE: drives `wick chat` through a pseudo-terminal and through pipes, and looks at what it kept."""
import json, os, pty, re, shutil, signal, sqlite3, subprocess, sys, tempfile, time, unittest

from terminal import Terminal

BUILD, SOURCE = sys.argv[1:3]
WICK = os.path.join(BUILD, "wick")
STORIES = os.path.join(SOURCE, "examples/models/stories260K/stories260K.bin")
TOKENIZER = os.path.join(SOURCE, "tests/data/text/tokenizer/trained/bl_p3.json")
SINK = os.path.join(SOURCE, "tests/data/stock/st_8da4w_sink.pte")
WORDS = os.path.join(SOURCE, "examples/models/stories260K/tok512.bin")
WORK = tempfile.mkdtemp()
MODEL, OTHER, LONG, PLAIN = (os.path.join(WORK, name) for name in ("m.pte", "other.pte", "long.pte", "plain.pte"))
BOS, EOT = 4000, 4004  # ids of bl_p3.json


def export(source, output, *options):
    subprocess.run([WICK, "export", source, "-o", output, "--quiet", *options], check=True, stdout=subprocess.DEVNULL)


def read_json(path):
    with open(path) as f:
        return json.load(f)


def write_json(value, *path):
    with open(os.path.join(*path), "w") as f:
        json.dump(value, f)


def header(role):
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


def why_no_terminal():
    """None, or why there are no pseudo-terminals here: a container may have no /dev/pts."""
    try:
        for fd in pty.openpty():
            os.close(fd)
    except OSError as e:
        return f"no pseudo-terminal can be opened here: {e}"


NO_TERMINAL = why_no_terminal()
SKIPPED = 77  # what ctest takes for "skipped"


class Chat(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(dir=WORK)
        self.environment = dict(os.environ, HOME=self.home, TERM="dumb", NO_COLOR="1", LC_ALL="C.UTF-8")
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME"):
            self.environment.pop(name, None)
        self.database = os.path.join(self.home, ".local/share/wick/chats.db")
        self.terminals = []

    def tearDown(self):
        for t in self.terminals:
            t.close()

    def pipe(self, text, *options, model=MODEL, status=0):
        r = subprocess.run([WICK, "chat", model, "-t", "0", "-n", "12", *options], input=text.encode(), env=self.environment,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        self.assertEqual(r.returncode, status, r.stderr)
        return r.stdout.decode(), r.stderr.decode()

    def terminal(self, *options, model=MODEL):
        if NO_TERMINAL:
            self.skipTest(NO_TERMINAL)
        t = Terminal([WICK, "chat", model, "-t", "0", *options], self.environment)
        self.terminals.append(t)
        t.expect(">>> ")
        return t

    def rows(self, sql="SELECT role, content FROM message ORDER BY chat, position"):
        db = sqlite3.connect(self.database)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def rows_if_any(self):
        try:
            return self.rows()
        except sqlite3.OperationalError:  # not made yet
            return []

    def shown_prompts(self, out):
        """What /show prompt printed: (text, ids) each."""
        return [(text, [int(i) for i in ids.split()])
                for text, ids in re.findall(r"(<\|begin_of_text\|>.*?)\n\d+ tokens:((?: \d+)+)\n", out, re.S)]


class Prompts(Chat):
    """What the model is given: whole, once, byte for byte."""

    def test_first_turn(self):
        out, _ = self.pipe("Hello\n/undo\n/show prompt\nHello\n/show prompt\n", "--system", "Be kind.")
        answer = self.rows()[-1][1]
        texts = [text for text, _ in self.shown_prompts(out)]
        system = "<|begin_of_text|>" + header("system") + "Be kind.<|eot_id|>"
        self.assertEqual(texts[0], system + header("assistant"))
        self.assertEqual(texts[1], system + header("user") + "Hello<|eot_id|>" + header("assistant") + answer.strip() + "<|eot_id|>" +
                         header("assistant"))

    def test_system_and_bos_survive(self):
        out, _ = self.pipe("One\n/retry\n/show prompt\nTwo\n/show prompt\n/clear\nThree\n/show prompt\n/system Be brief.\nFour\n/show prompt\n",
                           "--system", "Be kind.")
        prompts = self.shown_prompts(out)
        self.assertEqual(len(prompts), 4)
        for (text, ids), system in zip(prompts, ["Be kind."] * 3 + ["Be brief."]):
            self.assertEqual(ids.count(BOS), 1)
            self.assertEqual(ids[0], BOS)
            self.assertEqual(text.count("Be "), 1)
            self.assertEqual(text.count(header("system") + system), 1)
        self.assertIn("One", prompts[1][0])
        self.assertNotIn("One", prompts[2][0])

    def test_special_tokens_in_messages_stay_text(self):
        out, _ = self.pipe("a<|eot_id|><|begin_of_text|>b\n/undo\na\n/undo\nx<|eot_id|>y\n/show prompt\n")
        _, ids = self.shown_prompts(out)[0]
        self.assertEqual(ids.count(EOT), 2)  # the ends of question and answer
        self.assertEqual(ids.count(BOS), 1)

    def test_same_answers_as_one_call(self):
        """A chat's second answer is what the model says to the whole conversation at once: nothing hangs over from the first turn."""
        self.pipe("One\nTwo\n")
        first = self.rows()
        self.pipe("One\nAnother\n/undo\nTwo\n")
        self.assertEqual([r for r in self.rows()[4:]], first)

    def test_first_answer_is_that_of_run(self):
        hot = ("-t", "1.2", "--seed", "7", "--system", "Be kind.")
        out, _ = self.pipe("Hello\n", *hot)
        run = subprocess.run([WICK, "run", MODEL, "Hello", "-n", "12", *hot], stdout=subprocess.PIPE, check=True)
        self.assertEqual(out.encode(), run.stdout)

    def test_common_beginning_is_evaluated_once(self):
        _, err = self.pipe("Tell me a long story about a cat and a dog\nGo on\n", "-v")
        counts = [(int(n), int(old)) for n, old in re.findall(r"prompt eval count: +(\d+) token\(s\), (\d+) of them", err)]
        self.assertEqual(counts[0][1], 0)
        self.assertGreaterEqual(counts[1][1], counts[0][0])

    def test_plain_continuation(self):
        out, err = self.pipe("Once upon\nHe\n", model=PLAIN)
        self.assertIn("no chat format", err)
        run = subprocess.run([WICK, "run", PLAIN, "--raw", "Once upon", "-t", "0", "-n", "12"], stdout=subprocess.PIPE, check=True)
        first = run.stdout.decode()
        self.assertTrue(out.startswith(first))
        run = subprocess.run([WICK, "run", PLAIN, "--raw", "Once upon" + first + "He", "-t", "0", "-n", "12"], stdout=subprocess.PIPE, check=True)
        self.assertEqual(out, first + run.stdout.decode())

    def test_seeds(self):
        hot = ("-t", "1.5", "--seed", "5")
        out, _ = self.pipe("Hi\n/retry\n", *hot)
        again, _ = self.pipe("Hi\n/retry\n", *hot)
        self.assertEqual(out, again)
        self.assertGreater(len(set(out.splitlines())), 1)  # another try says something else


class Ends(Chat):
    def answer(self, *options):
        r = subprocess.run([WICK, "run", MODEL, "Hello", "-t", "0", "-n", "40", "--json", *options], stdout=subprocess.PIPE, check=True)
        return json.loads(r.stdout)

    def test_stop_and_banned_strings(self):
        whole = self.answer("--ignore_eos")
        text, tokens = whole["text"], whole["tokens"]
        stop = text[len(text) // 2:len(text) // 2 + 7]
        cut = self.answer("--ignore_eos", "--stop", "not in there", "--stop", stop)
        self.assertEqual((cut["text"], cut["finish_reason"], cut["stop"]), (text[:text.index(stop)], "stop", stop))
        self.assertEqual(cut["tokens"], tokens[:len(cut["tokens"])])
        other = self.answer("--ignore_eos", "--ban", stop)
        self.assertNotIn(stop, other["text"])
        self.assertEqual(len(other["tokens"]), 40)
        out, _ = self.pipe("Hello\n", "--ignore_eos", "-n", "40", "--stop", stop)
        self.assertEqual(out, cut["text"] + "\n")
        self.assertEqual(self.rows()[1], ("assistant", cut["text"]))

    def test_the_text_of_a_special_token_stands_for_it(self):
        ids = self.answer("--ignore_eos")["tokens"]
        names = {a["id"]: a["content"] for a in read_json(TOKENIZER)["added_tokens"]}
        forced = ids[:5] + [EOT] + ids[5:]
        r = self.answer("--ignore_eos", "--force", ",".join(map(str, forced)), "--stop", names[EOT])
        self.assertEqual((r["tokens"], r["finish_reason"], r["stop"]), (forced[:6], "stop", names[EOT]))
        self.assertEqual(len(self.answer("--ignore_eos", "--force", ",".join(map(str, forced)))["tokens"]), 40)

    def test_every_source_of_end_tokens(self):
        out, _ = self.pipe("/show info\n")
        self.assertRegex(out, r"ends at +<\|end_of_text\|> \(4001\), <\|eot_id\|> \(4004\)\n")
        folder, model = os.path.join(WORK, "ends"), os.path.join(WORK, "ends.pte")
        shutil.copytree(os.path.join(WORK, "folder"), folder)
        config = read_json(os.path.join(folder, "config.json"))
        write_json(dict(config, eos_token_id=[7, 9]), folder, "config.json")
        write_json({"eos_token_id": [9, 11]}, folder, "generation_config.json")
        # the name of the end of a text is known, that of a header is not: the template has it after an answer
        template = "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %} <|end_header_id|>{% endif %}{% endfor %}"
        write_json({"chat_template": template, "eos_token": "<|begin_of_text|>"}, folder, "tokenizer_config.json")
        export(folder, model)
        out, _ = self.pipe("/show info\n", model=model)
        ids = [int(i) for i in re.findall(r"\((\d+)\)", re.search(r"ends at(.*)\n", out)[1])]
        special = {a["content"]: a["id"] for a in read_json(TOKENIZER)["added_tokens"]}
        self.assertEqual(ids, sorted({7, 9, 11, special["<|begin_of_text|>"], special["<|end_of_text|>"], special["<|eot_id|>"],
                                      special["<|end_header_id|>"]}))


class Defaults(Chat):
    """The sampling that the model's makers recommend, and who may change it."""

    def model(self, **generation):
        folder, model = os.path.join(self.home, "model"), os.path.join(self.home, "model.pte")
        shutil.copytree(os.path.join(WORK, "folder"), folder)
        write_json(generation, folder, "generation_config.json")
        export(folder, model)
        return model

    def parameters(self, model, *options, lines=""):
        r = subprocess.run([WICK, "chat", model, "--no_save", *options], input=(lines + "/show parameters\n").encode(), env=self.environment,
                           stdout=subprocess.PIPE, check=True)
        return dict(re.findall(r"(?m)^(\w+) +(.*)$", r.stdout.decode()))

    def test_from_the_model(self):
        model = self.model(do_sample=True, temperature=0.6, top_k=20, top_p=0.95, repetition_penalty=1.05)
        p = self.parameters(model)
        own = "   (the model's own)"
        self.assertEqual([p[n] for n in ("temperature", "top_k", "top_p", "repeat_penalty", "repeat_last_n", "order", "min_p")],
                         ["0.6" + own, "20" + own, "0.95" + own, "1.05" + own, "-1" + own, "hf", "0"])
        p = self.parameters(model, "-t", "0", "--top_k", "0", "--min_p", "0.1", "--sampler_order", "top_k;temperature")
        self.assertEqual([p[n] for n in ("temperature", "top_k", "top_p", "min_p", "order")], ["0", "0", "0.95" + own, "0.1", "top_k;temperature"])
        p = self.parameters(model, lines="/set parameter top_k 7\n/set parameter dry_multiplier 0.8\n")
        self.assertEqual((p["top_k"], p["dry_multiplier"]), ("7", "0.8"))
        run = [subprocess.run([WICK, "run", model, "Hi", "-n", "9", "-s", "3", *o], stdout=subprocess.PIPE, check=True).stdout
               for o in ((), ("-t", "0.6", "--top_k", "20", "--top_p", "0.95", "--repeat_penalty", "1.05", "--sampler_order", "hf"), ("-t", "2"))]
        self.assertEqual(run[0], run[1])
        self.assertNotEqual(run[0], run[2])

    def test_inspect(self):
        model = self.model(do_sample=True, temperature=0.6, top_k=20)
        say = lambda *words: subprocess.run([WICK, "inspect", *words, "--no_speed"], stdout=subprocess.PIPE, check=True).stdout.decode()
        carried = json.loads(say(model, "--json"))["sampling_defaults"]
        self.assertEqual(json.loads(carried), {"temperature": 0.6, "top_k": 20, "order": "hf"})
        self.assertIn("\nsampling defaults\n  " + carried + "\n", say(model))
        self.assertIsNone(json.loads(say(MODEL, "--json"))["sampling_defaults"])
        self.assertNotIn("sampling defaults", say(MODEL))

    def test_dry_breakers(self):
        p = self.parameters(MODEL, "--dry_sequence_breaker", ";", "--dry_sequence_breaker", "\\n")
        self.assertEqual(p["dry_breaker"], "")  # the last one that is shown: a newline
        self.assertNotIn("dry_breaker", self.parameters(MODEL))
        self.assertNotIn("dry_breaker", self.parameters(MODEL, "--dry_sequence_breaker", ";", "--dry_sequence_breaker", "none"))
        say = lambda *words: subprocess.run([WICK, "run", MODEL, "Hi", "-n", "40", "-t", "0", "--ignore_eos", "--dry_multiplier", "3", *words],
                                            stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(say(), say(*(w for b in ("\\n", ":", '\\"', "*") for w in ("--dry_sequence_breaker", b))))
        r = subprocess.run([WICK, "run", MODEL, "Hi", "--dry_multiplier", "1", "--dry_sequence_breaker", "in a hole in the ground"],
                           stderr=subprocess.PIPE)
        self.assertEqual((r.returncode, b"no token has it" in r.stderr), (1, True))

    def test_greedy_and_none(self):
        self.assertEqual(self.parameters(self.model(do_sample=False, temperature=0.6))["temperature"], "0   (the model's own)")
        self.assertEqual(self.parameters(MODEL)["temperature"], "0.8")

    def test_unusable(self):
        model = self.model(temperature=-3)
        r = subprocess.run([WICK, "run", model, "Hi", "-n", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        self.assertIn(b"sampling defaults are not used: wick.generation: sampler: temperature is -3, it should be between 0", r.stderr)

    def test_biases(self):
        ids = json.loads(subprocess.run([WICK, "run", MODEL, "Hi", "-n", "3", "--json", "--logit_bias", "77=1e6"], stdout=subprocess.PIPE, check=True).stdout)
        self.assertEqual(ids["tokens"], [77] * 3)
        r = subprocess.run([WICK, "run", MODEL, "Hi", "--logit_bias", "x=1"], stderr=subprocess.PIPE)
        self.assertEqual(r.returncode, 2)
        self.assertIn(b"expected ID=X", r.stderr)


class Formats(Chat):
    """Chat formats for models that carry none, or in place of their own."""

    def test_recognized_by_the_tokenizer(self):
        folder, model = os.path.join(self.home, "model"), os.path.join(self.home, "model.pte")
        shutil.copytree(os.path.join(WORK, "folder"), folder)
        write_json({"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}, folder, "tokenizer_config.json")
        export(folder, model, "--qmode", "fp32", "--embedding_quantize", "fp32")
        out, err = self.pipe("Hello\n/show info\n/show prompt\n", model=model)
        self.assertIn("its tokenizer is one for llama3", err)
        self.assertRegex(out, r"chat format llama3\n")
        own, _ = self.pipe("Hello\n/show prompt\n")
        self.assertEqual(self.shown_prompts(out), self.shown_prompts(own))
        out, err = self.pipe("Hello\n", "--raw", model=model)
        self.assertIn("asked not to use it", err)

    def test_chosen(self):
        out, _ = self.pipe("Hello\n/show prompt\n", "--chat_template", "alpaca", "--system", "Be kind.")
        self.assertIn("Be kind.\n\n### Instruction:\nHello\n\n### Response:\n", out)
        path = os.path.join(self.home, "my.jinja")
        with open(path, "w") as f:
            f.write("{% for m in messages %}[{{ m.content }}]{% endfor %}")
        out, _ = self.pipe("Hello\n/show prompt\n", "--chat_template", path)
        self.assertIn("[Hello]", out)
        r = subprocess.run([WICK, "run", MODEL, "Hi", "--chat_template", "nothing"], stderr=subprocess.PIPE)
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr.decode(), "there is no such file, and the formats with a name are .*chatml.*zephyr")


class Context(Chat):
    def test_oldest_turns_go_and_the_system_message_stays(self):
        lines = "".join(f"This is message number {i} of many\n" for i in range(12))
        out, err = self.pipe(lines + "/show prompt\n/show messages\n", "--system", "Be kind.", "--ctx", "256")
        self.assertIn("the system message stays", err)
        self.assertIn("oldest", err)
        text, ids = self.shown_prompts(out)[0]
        self.assertLessEqual(len(ids), 256)
        self.assertIn("Be kind.", text)
        self.assertIn("number 11", text)
        self.assertNotIn("number 0", text)
        self.assertIn("(left out) user: This is message number 0", out)
        self.assertEqual(len(self.rows()), 24)  # kept all the same

    def test_a_message_too_long(self):
        out, err = self.pipe("word " * 400 + "\nHello\n", "--ctx", "128", status=1)
        self.assertRegex(err, r"this message has \d+ tokens, the context holds 128")
        self.assertEqual([r[1] for r in self.rows() if r[0] == "user"], ["Hello"])

    def test_an_answer_cut_by_the_context_says_so(self):
        _, err = self.pipe("Hello\n", "--ctx", "64", "-n", "0", "--ignore_eos")
        self.assertIn("the context of 64 tokens is full: the answer ends here", err)


    def test_at_a_terminal(self):
        """The meter warns, the cut answer says what comes next, and the next turn goes on with what fits."""
        t = self.terminal("--ctx", "128", "-n", "0", "--ignore_eos")
        seen = t.say("One")
        self.assertIn("(the context of 128 tokens is full: the answer ends here; the next turn leaves out the oldest ones)", seen)
        self.assertIn("context [##########] 128 of 128 tokens (100 %); nearly full: the oldest turns will be left out", seen)
        seen = t.say("Two")
        self.assertIn("(the context of 128 tokens is full: the oldest 2 messages are left out from now on)", seen)
        self.assertEqual([r[0] for r in self.rows()], ["user", "assistant"] * 2)
        self.assertIn("(left out) user: One", t.say("/show messages"))
        self.assertRegex(t.say("word " * 200), r"this message has \d+ tokens, the context holds 128: shorten it, or give --ctx a larger number")


class Endless(Chat):
    """A program with attention sinks (4 tokens, a window of 32, a context of 128) has no end."""

    def pipe(self, text, *options, **others):
        return super().pipe(text, "--raw", "--tokenizer", WORDS, "-n", "100", "--ignore_eos", *options, model=SINK, **others)

    def continuation(self, text, *options):
        return subprocess.run([WICK, "run", SINK, "--raw", "--tokenizer", WORDS, "-t", "0", "-n", "100", "--ignore_eos", *options, text],
                              stdout=subprocess.PIPE, check=True).stdout.decode()

    def test_goes_on_behind_its_context(self):
        turns = ["Once upon a time", "Then", "And so", "In the end"]
        out, err = self.pipe("\n".join(turns) + "\n", "-v")
        self.assertEqual(err.count("goes on without an end"), 1)
        self.assertIn("from now on the model sees its first 4 tokens and the last 32 only", err)
        self.assertNotIn("full", err)
        self.assertNotIn("left out", err)
        used = [int(n) for n in re.findall(r"context \[#{10}\] (\d+) tokens; the model sees the first 4 and the last 32", err)]
        self.assertEqual(len(used), 4)
        self.assertGreater(used[3], 3 * 128)
        counts = [(int(n), int(old)) for n, old in re.findall(r"prompt eval count: +(\d+) token\(s\), (\d+) of them", err)]
        for (_, old), (before, _) in zip(counts[1:], counts):  # babble may have other tokens when it is read again, what came before it not
            self.assertGreaterEqual(old, before - 2)
        said = answers = ""
        for turn in turns:
            answer = self.continuation(said + turn)
            said, answers = said + turn + answer, answers + answer
        self.assertEqual(out, answers)

    def test_in_every_plan(self):
        turns = "Once upon a time\nThen\n"
        for plan in ("raised", "mixed", "vm"):
            _, err = self.pipe(turns, "--plan", plan, "-n", "150", "-v")
            self.assertEqual(re.findall(r"eval count: +150 token", err), ["eval count:           150 token"] * 2)
            self.assertGreater(int(re.findall(r"\] (\d+) tokens; the model sees", err)[1]), 2 * 128)

    def test_saved_and_loaded(self):
        out, err = self.pipe("Once\nThen\nSo\n/save far\nMore\n", "-v")
        last = self.rows()[7]  # of the chat itself; then come the six of the copy
        used = re.findall(r"\] (\d+) tokens; the model sees", err)
        _, err = self.pipe("/load far\n/show context\nMore\n", "-v")
        self.assertEqual(re.findall(r"\] (\d+) tokens; the model sees", err), used[2:])  # after loading and after the answer
        self.assertGreater(int(re.search(r"(\d+) of them evaluated before", err)[1]), 128)
        self.assertEqual(self.rows()[-1], last)
        shutil.rmtree(os.path.join(self.home, ".local/share/wick/states"))
        _, err = self.pipe("/load far\nMore\n", "-v")
        self.assertEqual(re.search(r"(\d+) of them evaluated before", err)[1], "0")
        self.assertEqual(self.rows()[-1], last)

    def test_an_end_that_was_asked_for(self):
        _, err = self.pipe("Once\nThen\nSo\n", "--ctx", "200")
        self.assertIn("(the context of 200 tokens is full: the oldest", err)

    def test_at_a_terminal(self):
        if NO_TERMINAL:
            self.skipTest(NO_TERMINAL)
        t = Terminal([WICK, "chat", SINK, "-t", "0", "--raw", "--tokenizer", WORDS, "--ignore_eos"], self.environment)
        self.terminals.append(t)
        t.expect(">>> ")
        t.say("/set parameter num_predict 20")
        self.assertRegex(t.say("Once"), r"context \[#+\.+\] \d+ of 36 tokens that the model sees at once; there is no end")
        t.say("/set parameter num_predict 0")
        seen = t.say("Then")
        self.assertIn("(the answer has its 128 tokens)", seen)
        self.assertIn("(the chat goes on without an end", seen)
        self.assertNotIn("(the chat goes on without an end", t.say("So"))
        self.assertRegex(t.say("/show info"), r"context +without an end: the first 4 tokens and the last 32 are seen")
        before = self.rows()
        t.say("/retry")
        self.assertEqual(self.rows(), before)
        t.say("/undo")
        t.say("So")
        self.assertEqual(self.rows(), before)
        t.say("/clear")
        t.say("Once")
        self.assertEqual(self.rows()[-1][0], "assistant")


class Keeping(Chat):
    CODE = "def f(a):\n\tif a:\n\t    return  {  'x':1 }\n\n    # tab\tand  spaces\nAssistant: this is no answer\nUser: nor a question"

    def test_text_comes_back_byte_for_byte(self):
        out, _ = self.pipe(f'"""\n{self.CODE}\n"""\n/save code\n')
        self.assertEqual(self.rows("SELECT content FROM message WHERE role = 'user'"), [(self.CODE,)] * 2)
        answer = out.rstrip("\n")
        out, _ = self.pipe("/show messages\n", "--load", "code")
        self.assertEqual(out, f"user: {self.CODE}\nassistant: {answer}\n")
        self.assertEqual(self.rows()[1], ("assistant", answer))

    def test_lines_that_go_on(self):
        self.pipe("one\\\n  two\\\nthree\n\"\"\"four\"\"\"\n")
        self.assertEqual([r[1] for r in self.rows() if r[0] == "user"], ["one\n  two\nthree", "four"])

    def test_continue_and_numbers(self):
        self.pipe("First\n")
        self.pipe("Second\n")
        self.pipe("More\n", "--continue")
        self.pipe("/load 1\nAgain\n")
        users = self.rows("SELECT chat, content FROM message WHERE role = 'user' ORDER BY chat, position")
        self.assertEqual(users, [(1, "First"), (1, "Again"), (2, "Second"), (2, "More")])

    def test_undo_and_retry_are_kept(self):
        self.pipe("One\nTwo\n/undo\nThree\n/retry\n")
        rows = self.rows()
        self.assertEqual([r[0] for r in rows], ["user", "assistant"] * 2)
        self.assertEqual(rows[2][1], "Three")

    def test_a_named_copy_stays_as_it_was(self):
        self.pipe("One\n/save here\nTwo\n")
        self.pipe("/load here\nThree\n")
        users = self.rows("SELECT chat.name, content FROM message JOIN chat ON chat = id WHERE role = 'user' ORDER BY chat, position")
        self.assertEqual(users, [(None, "One"), (None, "Two"), ("here", "One"), (None, "One"), (None, "Three")])

    def test_evaluated_state(self):
        self.pipe("One\n/save here\n")
        _, err = self.pipe("/load here\nTwo\n", "-v")
        self.assertGreater(int(re.search(r"(\d+) of them evaluated before", err)[1]), 10)
        with_state = self.rows()[-1]
        shutil.rmtree(os.path.join(self.home, ".local/share/wick/states"))
        _, err = self.pipe("/load here\nTwo\n", "-v")
        self.assertEqual(int(re.search(r"(\d+) of them evaluated before", err)[1]), 0)
        self.assertEqual(self.rows()[-1], with_state)

    def test_state_of_another_model_is_refused(self):
        self.pipe("One\n/save here\n")
        _, err = self.pipe("/load here\nTwo\n", "-v", model=OTHER)
        self.assertIn("the evaluated state is not used", err)
        self.assertIn("another program", err)
        self.assertEqual(int(re.search(r"(\d+) of them evaluated before", err)[1]), 0)

    def test_damaged_state(self):
        self.pipe("One\n/save here\n")
        folder = os.path.join(self.home, ".local/share/wick/states")
        path = os.path.join(folder, os.listdir(folder)[0])
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)[0]
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte ^ 1]))
        _, err = self.pipe("/load here\nTwo\n")
        self.assertIn("the evaluated state is not used", err)

    def test_delete(self):
        self.pipe("One\n/save here\n/delete here\n/delete 1\nTwo\n")
        self.assertEqual([r[1] for r in self.rows() if r[0] == "user"], ["Two"])
        self.assertEqual(os.listdir(os.path.join(self.home, ".local/share/wick/states")), [])

    def test_nobody_else_reads_it(self):
        self.pipe("One\n/save here\n")
        for folder, _, names in os.walk(os.path.join(self.home, ".local/share/wick")):
            for name in names:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)
        self.assertEqual(os.stat(os.path.dirname(self.database)).st_mode & 0o077, 0)

    def test_no_save(self):
        _, err = self.pipe("One\n/save x\n", "--no_save", status=1)
        self.assertIn("not kept", err)
        self.assertEqual(os.listdir(self.home), [])

    def test_broken_database(self):
        os.makedirs(os.path.dirname(self.database))
        with open(self.database, "wb") as f:
            f.write(b"this is no database" * 100)
        out, err = self.pipe("One\n", status=1)
        self.assertIn("this chat is not kept", err)
        self.assertTrue(out)

    def test_database_of_the_future(self):
        self.pipe("One\n")
        db = sqlite3.connect(self.database)
        db.execute("PRAGMA user_version = 99")
        db.close()
        _, err = self.pipe("Two\n", status=1)
        self.assertIn("version 99", err)

    def test_settings_are_kept_with_the_chat(self):
        self.pipe("One\n/set parameter top_k 7\n/set parameter temperature 0.5\n/set parameter num_predict 3\n/save here\n", "--top_p", "0.5")
        self.assertEqual(self.rows("SELECT settings FROM chat ORDER BY id"), [("temperature 0.5\ntop_k 7\nnum_predict 3\n",)] * 2)

        def shown(*options, lines=""):
            r = subprocess.run([WICK, "chat", MODEL, *options], input=(lines + "/show parameters\n").encode(), env=self.environment,
                               stdout=subprocess.PIPE, check=True)
            p = dict(re.findall(r"(?m)^(\w+) +(\S+)", r.stdout.decode()))
            return [p[name] for name in ("temperature", "top_k", "top_p", "num_predict")]
        self.assertEqual(shown("--continue"), ["0.5", "7", "1", "3"])
        self.assertEqual(shown("--load", "here", "-t", "0", "-n", "9"), ["0", "7", "1", "9"])  # this run's options win
        self.assertEqual(shown(lines="/set parameter top_k 3\n/load here\n"), ["0.5", "7", "1", "3"])
        self.assertEqual(shown(), ["0.8", "0", "1", "0"])

    def test_database_of_the_first_version(self):
        self.pipe("One\n")
        db = sqlite3.connect(self.database)
        db.executescript("ALTER TABLE chat DROP COLUMN settings; PRAGMA user_version = 1;")
        db.close()
        self.pipe("/set parameter top_k 7\nTwo\n", "--continue")
        self.assertEqual([r[1] for r in self.rows() if r[0] == "user"], ["One", "Two"])
        self.assertEqual(self.rows("SELECT settings FROM chat"), [("top_k 7\n",)])

    def test_stopped_while_the_prompt_is_evaluated(self):
        """Long before the prompt is through: what was said is taken back, and a pipe's chat ends as interrupted."""
        p = subprocess.Popen([WICK, "chat", LONG, "-t", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=self.environment)
        p.stdin.write(b"word " * 20000 + b"\n")
        p.stdin.flush()
        end = time.monotonic() + 100
        while not (os.path.exists(self.database) and self.rows_if_any()) and time.monotonic() < end:
            time.sleep(0.05)
        for _ in range(2):  # the first could come a moment before the evaluation begins
            p.send_signal(signal.SIGINT)
            try:
                p.wait(20)
                break
            except subprocess.TimeoutExpired:
                pass
        out, err = p.communicate(timeout=100)
        self.assertEqual((p.returncode, out), (130, b""))
        self.assertIn(b"your message is taken back", err)
        self.assertEqual(self.rows(), [])

    def test_killed_between_and_within_turns(self):
        t = self.terminal("--ignore_eos", model=LONG)
        t.say("/set parameter num_predict 12")
        t.say("One")
        t.say("Two")
        self.assertEqual(len(self.rows()), 4)  # before the next prompt, not at the end
        before = self.rows()
        t.say("/set parameter num_predict 0")
        t.send("Three\r")
        t.expect("Three")
        end = time.monotonic() + 60
        while len(self.rows()) < 6 and time.monotonic() < end:  # a part of the answer, after two seconds of it
            t.read(0.1)
        t.kill()
        self.assertEqual(t.status, -signal.SIGKILL)
        rows = self.rows("SELECT role, content, stopped FROM message ORDER BY position")
        self.assertEqual([r[:2] for r in rows[:4]], before)
        self.assertEqual(rows[4][:2], ("user", "Three"))
        self.assertEqual((rows[5][0], rows[5][2]), ("assistant", 1))
        self.assertGreater(len(rows[5][1]), 0)
        out, _ = self.pipe("/show messages\n", "--continue")
        self.assertIn("user: Three\nassistant (stopped): ", out)


class Terminals(Chat):
    def test_stop_stops(self):
        t = self.terminal("--ignore_eos", model=LONG)
        t.send("Hello\r")
        t.expect("Hello\n")
        while len(t.seen) < 50:
            self.assertTrue(t.read(200))
        t.send("\x03", at_prompt=False)
        rest = t.expect(r"\(stopped; what was said is kept\)")  # the answer would have 60000 tokens
        t.expect(">>> ")
        role, content, stopped = self.rows("SELECT role, content, stopped FROM message ORDER BY position")[1]
        self.assertEqual((role, stopped), ("assistant", 1))
        said = re.sub(r"\^C", "", rest).strip()
        self.assertEqual("".join(content.split()), "".join(said.split()))
        t.say("/set parameter num_predict 5")
        t.say("And now?")  # at once, and as usual
        self.assertEqual(len(self.rows()), 4)

    def test_not_more_than_a_token_after_the_interrupt(self):
        """The process is held, what it has said is read to the end, and the interrupt comes before it may go on."""
        t = self.terminal("--ignore_eos", "-v", model=LONG)
        for wait in (50, 100, 300):  # the answer has begun, whatever the terminal was told before it
            t.say("/clear")
            t.send("Hello\r")
            t.expect("Hello\n")
            while len(t.seen) < wait:
                self.assertTrue(t.read(200))
            os.kill(t.pid, signal.SIGSTOP)
            while t.read(0.3):
                pass
            said = t.seen
            os.kill(t.pid, signal.SIGINT)
            os.kill(t.pid, signal.SIGCONT)
            after = t.expect(r"\n>>> ")
            count = int(re.search(r"eval count: +(\d+) token\(s\)\n", after[after.index("prompt eval duration"):])[1])
            self.assertIn("(stopped; what was said is kept)", after)
            run = subprocess.run([WICK, "run", LONG, "Hello", "-t", "0", "-n", str(count), "--ignore_eos", "--json"], stdout=subprocess.PIPE,
                                 check=True)
            tokens = json.loads(run.stdout)["tokens"]
            ids = "\n".join(json.dumps({"ids": tokens[:n], "skip_special": True}) for n in range(count + 1))
            texts = subprocess.run([WICK, "tokenize", "--tokenizer", TOKENIZER, "--jsonl"], input=ids.encode(), stdout=subprocess.PIPE, check=True)
            texts = [json.loads(line)["text"] for line in texts.stdout.decode().splitlines()]
            self.assertTrue(self.printed(texts[-1]).startswith(said), said[-80:])
            # the bytes of an unfinished character are chosen before they are shown
            whole = max(n for n, text in enumerate(texts) if said.startswith(self.printed(text).rstrip("\ufffd")))
            # a full terminal takes a part of a token
            begun = whole + (len(said) > len(self.printed(texts[whole])))
            self.assertLessEqual(count, begun + 1)

    def printed(self, text):
        return re.sub("[\0-\x08\x0b-\x1f\x7f-\x9f]", "", text)

    def test_stopped_in_the_middle_of_a_prefill(self):
        """No token follows, the old answer stays, and the next turn works."""
        self.pipe("One\n", model=LONG)
        db = sqlite3.connect(self.database)
        db.execute("UPDATE message SET content = ? WHERE role = 'user'", ("word " * 20000,))
        db.commit()
        db.close()
        before = self.rows()
        t = self.terminal("--continue", "--ignore_eos", "-n", "5", model=LONG)
        t.send("/retry\r")
        t.expect("/retry\n")
        time.sleep(0.5)
        os.kill(t.pid, signal.SIGSTOP)
        os.kill(t.pid, signal.SIGINT)
        os.kill(t.pid, signal.SIGCONT)
        self.assertEqual(t.expect(r"\(stopped before the answer began; the old one stays\)\n"), "")
        t.expect(">>> ")
        self.assertEqual(self.rows(), before)
        t.say("/undo")
        t.say("Hello")
        self.assertEqual([r[1] for r in self.rows() if r[0] == "user"], ["Hello"])

    def test_leaving(self):
        t = self.terminal()
        t.send("half a line\x03")
        t.expect("leaves")
        t.expect(">>> ")
        t.send("\x04")
        self.assertEqual(t.wait(), 0)
        self.assertFalse(os.path.exists(self.database) and self.rows())
        t = self.terminal()
        t.send("/bye\r")
        self.assertEqual(t.wait(), 0)
        t = self.terminal("--ignore_eos", "-n", "2000", model=LONG)
        t.send("Hello\r")
        t.expect("Hello\n.{20}")
        t.send("\x04", at_prompt=False)  # while the answer runs: afterwards
        self.assertEqual(t.wait(), 0)
        self.assertEqual(len(self.rows()), 2)

    def test_several_lines_and_history(self):
        t = self.terminal("-n", "5")
        t.send('"""def f():\r')
        t.expect(r"\n\.\.\. ")
        t.send("    return 1\r")
        t.expect(r"\n\.\.\. ")
        t.say('"""')
        self.assertEqual(self.rows()[0], ("user", "def f():\n    return 1"))
        t.say("Grüße, 世界")
        self.assertEqual(self.rows()[2], ("user", "Grüße, 世界"))
        t.send("/bye\r")
        t.wait()
        t = self.terminal("-n", "5")
        t.send("\x10\x10")  # Ctrl-P twice: before /bye
        t.expect("Gr")
        t.say("")
        self.assertEqual(self.rows("SELECT content FROM message ORDER BY chat DESC, position")[0], ("Grüße, 世界",))

    def test_pasted_text_is_one_message(self):
        text = "def f():\n\treturn  'ß'\n\nlast"
        self.environment["TERM"] = "xterm"
        t = self.terminal("-n", "5")
        t.send("Look: \x1b[200~" + text.replace("\n", "\r") + "\x1b[201~!\r")
        t.expect("context")
        self.assertEqual(self.rows()[0], ("user", "Look: " + text + "!"))

    def test_what_was_said_moves_no_cursor(self):
        self.pipe("red \x1b[31m and a title \x1b]0;title\x07\u009b2J\tend\n")
        t = self.terminal("--continue")
        self.assertIn("user: red [31m and a title ]0;title2J", t.say("/show messages"))
        self.assertIn("\x1b[31m", self.rows()[0][1])

    def test_meter_and_statistics(self):
        t = self.terminal("-n", "5")
        self.assertRegex(t.say("Hello"), r"context \[[#.]{10}\] \d+ of \d+ tokens")
        t.say("/set verbose")
        self.assertRegex(t.say("Hello"), r"eval rate: +[\d.]+ tokens/s")
        t.say("/set quiet")
        self.assertNotIn("context [", t.say("Hello"))


class Known(Chat):
    """What chat programs on phones were seen to do wrong, at a terminal: the system message is lost with a new chat, the text begins twice,
    indentation is squeezed out, kept chats lose their line breaks, and stopping does not stop (Terminals)."""

    def prompt(self, t):
        text, ids = self.shown_prompts(t.say("/show prompt") + "\n")[0]
        return text, ids

    def test_a_new_chat_has_the_system_message(self):
        t = self.terminal("-n", "5", "--system", "Be kind.")
        for line in ("One", "/clear", "Two", "/retry"):
            t.say(line)
        text, ids = self.prompt(t)
        self.assertTrue(text.startswith("<|begin_of_text|>" + header("system") + "Be kind.<|eot_id|>" + header("user") + "Two<|eot_id|>"), text)
        self.assertEqual(text.count("Be kind."), 1)
        self.assertNotIn("One", text)

    def test_the_text_begins_once(self):
        t = self.terminal("-n", "5", "--system", "Be kind.")
        for line in ("One", "/system Be brief.", "Two", "/undo", "Three", "/clear", "/system Be kind.", "Four"):
            t.say(line)
            if not line.startswith("/"):
                text, ids = self.prompt(t)
                self.assertEqual((ids.count(BOS), ids[0]), (1, BOS), line)
                self.assertEqual(text.count(header("system")), 1)

    def test_indentation_of_an_answer(self):
        """An answer that can be nothing but tabs and spaces."""
        bias = [word for token in (197, 220, 302, 791) for word in ("--logit_bias", f"{token}=10000")]
        for one in (bias[:2], bias[4:6], bias[6:], bias):
            run = subprocess.run([WICK, "run", MODEL, "Code!", "-t", "0", "-n", "12", "--json", *one], stdout=subprocess.PIPE, check=True)
            want = json.loads(run.stdout)["text"]
            self.assertGreaterEqual(len(want), 12)
            self.assertEqual(want.strip(" \t"), "")
            t = self.terminal("-n", "12", *one)
            self.assertIn("Code!\n" + want + "\n(", t.say("Code!"))
            self.assertEqual(self.rows()[-1], ("assistant", want))
            t.send("/bye\r")
            t.wait()

    def test_a_kept_chat_has_its_lines(self):
        t = self.terminal("-n", "5")
        lines = Keeping.CODE.replace("\t", "    ").split("\n")  # a tab at a terminal asks for completion
        t.send('"""' + lines[0] + "\r")
        for line in lines[1:]:
            t.expect(r"\n\.\.\. ")
            t.send(line + "\r")
        t.expect(r"\n\.\.\. ")
        t.say('"""')
        kept = self.rows()
        self.assertEqual(kept[0], ("user", "\n".join(lines)))
        _, ids = self.prompt(t)
        for line in ("/save code", "/clear", "Something else", "/load code"):
            t.say(line)
        self.assertIn("user: " + "\n".join(lines) + "\nassistant: ", t.say("/show messages"))
        text, again = self.prompt(t)
        self.assertEqual(again, ids)
        self.assertEqual(text.count(header("assistant")), 2)  # the line that begins like an answer is none
        t.say("And?")
        self.assertEqual(self.rows("SELECT role, content FROM message WHERE chat = (SELECT max(chat) FROM message) ORDER BY position")[:2], kept)


class Commands(Chat):
    def test_help_names_them_all(self):
        out, _ = self.pipe("/help\n")
        for word in "/set /show /save /load /system /retry /undo /help /bye".split():
            self.assertIn(word, out)

    def test_a_path_is_no_command(self):
        self.pipe("/usr/bin is a folder\n")
        self.assertEqual(self.rows()[0], ("user", "/usr/bin is a folder"))

    def test_complaints(self):
        for line, sentence in [("/frob", "no command /frob"), ("/set parameter temperature hot", "expected a number from 0 to 100"),
                               ("/set parameter top_k 1.5", "whole number"), ("/set parameter num_ctx 9", "--ctx"), ("/set", "expected parameter"),
                               ("/retry", "nothing to answer again"), ("/undo", "nothing to take back"), ("/load nowhere", "no chat 'nowhere'"),
                               ("/save 12", "no digit"), ("/show nothing", "expected info"), ("/delete x", "no chat 'x'")]:
            _, err = self.pipe(line + "\n", status=1)
            self.assertIn(sentence, err)

    def test_parameters(self):
        out, _ = self.pipe("/set parameter temperature 0.25\n/set parameter top_k 7\n/set parameter seed 42\n/show parameters\n/show info\n")
        for line in (r"temperature +0.25\n", r"top_k +7\n", r"seed +42\n", r"context +512 tokens"):
            self.assertRegex(out, line)

    def test_no_model(self):
        r = subprocess.run([WICK, "chat", os.path.join(WORK, "absent.pte")], env=self.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"absent.pte", r.stderr)


if __name__ == "__main__":
    try:
        folder = os.path.join(WORK, "folder")
        subprocess.run([sys.executable, os.path.join(SOURCE, "tests/cli/chat_model.py"), STORIES, TOKENIZER, folder], check=True)
        fp32 = ("--qmode", "fp32", "--embedding_quantize", "fp32")
        export(folder, MODEL, *fp32)
        export(folder, OTHER)
        export(folder, LONG, *fp32, "--max_seq_length", "128", "--max_context_length", "60000")
        export(STORIES, PLAIN, *fp32)
        run = unittest.main(argv=sys.argv[:1] + sys.argv[3:], exit=False).result
        if run.skipped:
            print(f"skipped: {len(run.skipped)} tests at a terminal ({NO_TERMINAL}); those through pipes have run")
        sys.exit(1 if not run.wasSuccessful() else SKIPPED if run.skipped else 0)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
