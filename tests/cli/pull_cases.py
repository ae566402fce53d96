#!/usr/bin/env python3
"""pull_cases.py BUILD SOURCE: `wick pull`, `list` and `rm` as users and scripts meet them, against pull_server.py."""
import glob, hashlib, json, os, pty, resource, select, shutil, signal, ssl, subprocess, sys, tempfile, time, unittest
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pull_server import COMMIT, Resource, Server

BUILD, SOURCE = map(os.path.abspath, sys.argv[1:3])
WICK = os.path.join(BUILD, "wick")
STORIES = os.path.join(SOURCE, "examples/models/stories260K/stories260K.bin")
CONTAINER = os.path.join(SOURCE, "tests/data/container")
WORK = tempfile.mkdtemp()
PROGRAM, OTHER = os.path.join(WORK, "tiny.pte"), os.path.join(WORK, "other.pte")


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(dir=WORK)
        self.models = os.path.join(self.home, "models")
        self.server = Server()
        self.addCleanup(self.server.close)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_", "WICK_", "CURL_", "SSL_")) and "proxy" not in k.lower()}
        self.environment.update(HOME=self.home, WICK_MODELS=self.models, HF_ENDPOINT=self.server.url)
        self.program = read(PROGRAM)

    def wick(self, *words, status=0, **environment):
        r = subprocess.run([WICK, *words], env={**self.environment, **environment}, capture_output=True, timeout=120, cwd=self.home)
        self.assertEqual(r.returncode, status, (words, r.stdout, r.stderr))
        self.out, self.err = r.stdout.decode(), r.stderr.decode()
        if status == 1:
            self.assertEqual(self.err.count("\n"), 1, self.err)  # one sentence
        return self.out

    def pull(self, *words, status=0, **environment):
        return self.wick("pull", *words, "--quiet", "--retries", "0", status=status, **environment)

    def fails(self, *words, saying, **environment):
        self.pull(*words, status=1, **environment)
        for text in [saying] if isinstance(saying, str) else saying:
            self.assertIn(text, self.err)

    def start(self, *words, **options):
        return subprocess.Popen([WICK, "pull", *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.home,
                                **options)

    def list(self):
        return {m["name"]: m for m in json.loads(self.wick("list", "--json"))}

    def stored(self, name, file=None):
        return read(os.path.join(self.models, name, file or name + ".pte"))

    def partial_size(self, name):
        return sum(os.path.getsize(p) for p in glob.glob(f"{self.models}/.{name}.partial/**/*.partial", recursive=True))

    def wait_for(self, condition):
        end = time.time() + 60
        while not condition():
            self.assertLess(time.time(), end)
            time.sleep(0.02)

    def no_leftovers(self):
        self.assertEqual([n for n in os.listdir(self.models) if n.startswith(".")], [])

    def put(self, path="/files/m/tiny.pte", data=None, etag='"one"', **options):
        self.server.files[path] = Resource(self.program if data is None else data, etag=etag, **options)
        return self.server.url + quote(path)


class Local(Case):
    def test_program(self):
        self.assertEqual(self.pull(PROGRAM), "tiny\n")
        self.assertEqual(self.stored("tiny"), self.program)
        m = self.list()["tiny"]
        self.assertEqual((m["source"], m["context"], m["partial"]), (PROGRAM, 512, False))
        self.assertEqual(m["files"][0]["sha256"], hashlib.sha256(self.program).hexdigest())
        self.no_leftovers()

    def test_checkpoint(self):
        self.pull(STORIES, "--name", "s", "--set", "quantization.qmode=fp32")
        self.assertIn("f32", self.list()["s"]["quantization"])
        self.assertEqual(os.listdir(f"{self.models}/s").__len__(), 2)
        self.assertIn("a time", self.wick("run", "s", "--raw", "Once upon", "-n", "4", "--temperature", "0"))

    def test_folder_of_a_program(self):
        folder = os.path.join(self.home, "mine")
        os.mkdir(folder)
        shutil.copy(PROGRAM, folder + "/model.pte")
        with open(folder + "/tokenizer.json", "w") as f:
            f.write("{}")
        self.assertEqual(self.pull(folder), "mine\n")
        self.assertEqual(self.stored("mine"), self.program)
        self.assertEqual(self.stored("mine", "tokenizer.json"), b"{}")

    def test_folder_of_a_checkpoint(self):
        self.assertEqual(self.pull(CONTAINER + "/micro_hf"), "micro_hf\n")
        self.assertGreater(self.list()["micro_hf"]["size"], 10000)

    def test_missing(self):
        self.fails("./nothing", saying="no such file or folder")
        self.fails("nothing.pte", saying="no such file or folder")
        self.fails("nothing", saying=["nothing", "USER/REPO"])

    def test_no_model(self):
        with open(self.home + "/text.pte", "w") as f:
            f.write("not a model " * 100)
        self.fails(self.home + "/text.pte", saying="text.pte")
        self.assertEqual(self.list(), {})
        self.no_leftovers()

    def test_digest(self):
        self.fails(PROGRAM, "--sha256", "0" * 64, saying="0" * 64)
        self.pull(PROGRAM, "--sha256", hashlib.sha256(self.program).hexdigest().upper())
        self.pull(PROGRAM, "--sha256", "12", status=2)
        self.fails(STORIES, "--sha256", "0" * 64, saying="0" * 64)
        self.pull(STORIES, "--sha256", hashlib.sha256(read(STORIES)).hexdigest())
        self.fails(CONTAINER + "/micro_hf", "--sha256", "0" * 64, saying="of one file")

    def test_options_that_do_not_apply(self):
        self.fails(PROGRAM, "--set", "quantization.qmode=fp32", saying="a program already")
        self.fails(self.put(), "--set", "quantization.qmode=fp32", saying="a program already")
        self.fails(PROGRAM, "--revision", "main", saying="no repository")

    def test_taken_name(self):
        self.pull(PROGRAM)
        self.fails(STORIES, "--name", "tiny", saying=["tiny", "--force", "--name"])
        self.assertEqual(self.stored("tiny"), self.program)
        self.pull(STORIES, "--name", "tiny", "--force")
        self.assertEqual(self.list()["tiny"]["source"], STORIES)
        self.pull(STORIES, "--name", "tiny")  # the same source: again
        self.no_leftovers()

    def test_hostile_names(self):
        for name in ("../x", "a/b", ".hidden", "-x", "", "a b", "x\n", "ä", "x" * 151):
            self.pull(PROGRAM, "--name=" + name, status=1)
        self.assertFalse(os.path.exists(os.path.join(self.home, "x")))

    def test_name_of_an_odd_file(self):
        odd = os.path.join(self.home, "..my model (1).pte")
        shutil.copy(PROGRAM, odd)
        self.assertEqual(self.pull(odd), "my-model--1-\n")

    def test_broken_manifest(self):
        self.pull(PROGRAM)
        for text in ("", "{", "[]", '{"version":2}', '{"version":1,"model":"../../etc/passwd"}', '{"version":1,"files":[{"name":"../x"}]}'):
            with open(f"{self.models}/tiny/wick.json", "w") as f:
                f.write(text)
            self.assertEqual(self.list()["tiny"]["path"], f"{self.models}/tiny/tiny.pte")
        self.fails(PROGRAM, saying="--force")  # nothing says that it is the same

    def test_default_folder(self):
        del self.environment["WICK_MODELS"]
        self.pull(PROGRAM)
        self.assertTrue(os.path.exists(self.home + "/.local/share/wick/models/tiny/tiny.pte"))


class Names(Case):
    def setUp(self):
        super().setUp()
        self.pull(PROGRAM, "--name", "Tiny-one")

    def answer(self, word, **options):
        return self.wick("run", word, "--raw", "Once", "-n", "2", "--temperature", "0", **options)

    def test_everywhere(self):
        self.answer("Tiny-one")
        self.answer("tiny")  # the only one that begins so
        self.answer(PROGRAM)
        self.wick("inspect", "Tiny-one")
        self.wick("tokenize", "-t", "Tiny-one", "Once upon")
        self.wick("template", "-t", "Tiny-one", "--jsonl", status=1)
        self.assertIn("template", self.err)
        subprocess.run([WICK, "chat", "Tiny-one", "--no_save", "-n", "2"], input=b"Once\n", env=self.environment, check=True, capture_output=True)

    def test_source_is_a_name(self):
        self.server.hub("user/repo", {"m.pte": self.program})
        self.pull("user/repo:m.pte", "--name", "other")
        self.answer("user/repo:m.pte")

    def test_several(self):
        self.pull(PROGRAM, "--name", "tiny-two")
        self.answer("tiny", status=1)
        self.assertIn("several", self.err)
        self.answer("Tiny-one")

    def test_file_before_name_before_folder(self):
        os.mkdir(self.home + "/Tiny-one")
        self.answer("Tiny-one")
        os.rmdir(self.home + "/Tiny-one")
        with open(self.home + "/Tiny-one", "w") as f:
            f.write("no model")
        self.answer("Tiny-one", status=1)

    def test_unknown(self):
        self.answer("nothing", status=1)
        for text in ("nothing", self.models, "wick pull"):
            self.assertIn(text, self.err)
        self.answer("", status=1)

    def test_json(self):
        r = subprocess.run([WICK, "run", "nothing", "x", "--json"], env=self.environment, capture_output=True)
        self.assertEqual(r.returncode, 1)
        self.assertIn("nothing", json.loads(r.stdout)["error"])


class ListAndRemove(Case):
    def test_empty(self):
        self.assertEqual(self.wick("list"), "")
        self.assertEqual(json.loads(self.wick("list", "--json")), [])
        self.assertFalse(os.path.exists(self.models))  # looking makes nothing

    def test_table(self):
        self.pull(PROGRAM)
        shutil.copy(PROGRAM, self.models + "/bare.pte")
        os.mkdir(self.models + "/empty")
        rows = self.wick("list").splitlines()
        self.assertEqual([r.split()[0] for r in rows], ["NAME", "bare", "tiny"])
        for row in rows[1:]:
            self.assertEqual(row.split()[1:5], [f"{len(self.program) / 1e6:.1f}", "MB", "f32", "512"], row)
        self.assertEqual(self.wick("list", "-q"), "bare\ntiny\n")

    def test_remove(self):
        self.pull(PROGRAM)
        self.pull(PROGRAM, "--name", "two")
        shutil.copy(PROGRAM, self.models + "/bare.pte")
        self.wick("rm", "tin", status=1)  # whole names only
        self.wick("rm", "nothing", "two", status=1)
        self.assertEqual(sorted(self.list()), ["bare", "tiny"])  # the others are removed all the same
        self.wick("rm", "-f", "nothing")
        self.wick("rm", "-f")
        self.wick("rm", status=2)
        self.assertEqual(self.wick("rm", "tiny", "bare"), "tiny\nbare\n")
        self.assertEqual(os.listdir(self.models), [])

    def test_paths_are_no_names(self):
        victim = os.path.join(self.home, "victim")
        os.mkdir(victim)
        self.pull(PROGRAM)
        for name in ("../victim", victim, ".", "..", "./tiny", "tiny/", ""):
            self.wick("rm", name, status=1)
        self.assertTrue(os.path.exists(victim))

    def test_links_are_not_followed(self):
        victim = os.path.join(self.home, "victim")
        os.mkdir(victim)
        shutil.copy(PROGRAM, victim + "/x.pte")
        self.pull(PROGRAM)
        os.symlink(victim, self.models + "/linked")
        os.symlink(victim, self.models + "/tiny/inside")
        self.assertIn("linked", self.list())
        self.wick("rm", "linked", "tiny")
        self.assertEqual(os.listdir(victim), ["x.pte"])

    def test_killed_removal_is_finished(self):
        self.pull(PROGRAM)
        os.rename(self.models + "/tiny", self.models + "/.tiny.123.removed")
        self.assertEqual(self.list(), {})
        self.pull(PROGRAM, "--name", "two")
        self.wick("rm", "two")
        self.assertEqual(os.listdir(self.models), [])


class Url(Case):
    def test_pull(self):
        url = self.put()
        self.assertEqual(self.pull(url + "?signature=SECRET#part"), "tiny\n")
        self.assertEqual(self.stored("tiny"), self.program)
        text = self.stored("tiny", "wick.json").decode()
        self.assertIn(url, text)
        self.assertNotIn("SECRET", text)
        self.assertEqual(self.server.requests[0][0], "/files/m/tiny.pte?signature=SECRET")
        self.no_leftovers()

    def test_json_and_report(self):
        url = self.put()
        self.wick("pull", url, "--json")
        self.assertEqual(json.loads(self.out)["files"][0]["sha256"], hashlib.sha256(self.program).hexdigest())
        self.assertIn("'wick run tiny'", self.err)

    def test_checkpoint(self):
        self.pull(self.put("/files/m/Stories 1.bin", read(STORIES)), "--keep", "--tokenizer", "")
        m = self.list()["Stories-201"]
        self.assertEqual(sorted(f["name"] for f in m["files"]), ["Stories-201.pte", "checkpoint/Stories-201.bin"])
        self.assertEqual(self.stored("Stories-201", "checkpoint/Stories-201.bin"), read(STORIES))
        self.pull(self.put("/files/m/micro.gguf", read(CONTAINER + "/micro.gguf")))
        self.assertEqual(sorted(os.listdir(self.models + "/micro")), ["micro.pte", "wick.json"])
        self.assertTrue(self.list()["micro"]["files"][0]["sha256"])  # what it was made from

    def test_nothing_newer(self):
        url = self.put()
        self.pull(url)
        inode = os.stat(self.models + "/tiny").st_ino
        self.pull(url)
        self.assertEqual(self.server.requests[-1][1]["If-None-Match"], '"one"')
        self.assertEqual(os.stat(self.models + "/tiny").st_ino, inode)
        self.no_leftovers()
        other = self.program + b"\0" * 64
        self.put(data=other, etag='"two"')
        self.pull(url)
        self.assertEqual(self.stored("tiny"), other)
        self.no_leftovers()

    def test_digest(self):
        url = self.put()
        self.fails(url, "--sha256", "1" * 64, saying=["1" * 64, hashlib.sha256(self.program).hexdigest()])
        self.assertEqual(self.partial_size("tiny"), 0)  # nothing of it is used again
        self.pull(url, "--sha256", hashlib.sha256(self.program).hexdigest())

    def test_linked_digest(self):
        self.put(headers=[("X-Linked-ETag", f'"{"2" * 64}"')])
        self.fails(self.server.url + "/files/m/tiny.pte", saying="2" * 64)

    def test_cut_and_resumed(self):
        url = self.put(cut=[200000, 300000])
        self.wick("pull", url, "-q")
        self.assertEqual(self.stored("tiny"), self.program)
        asked = self.server.asked("/files/m/tiny.pte")
        self.assertEqual([h.get("Range") for h in asked], [None, "bytes=200000-", "bytes=500000-"])
        self.assertEqual([h.get("If-Range") for h in asked], [None, '"one"', '"one"'])

    def test_resumed_by_another_process(self):
        url = self.put(cut=[200000])
        self.fails(url, saying=["ended before", "goes on where it stopped"])
        self.assertEqual(self.partial_size("tiny"), 200000)
        self.assertEqual(self.wick("list", "-q"), "")
        self.wick("list")
        self.assertIn("not finished: tiny", self.err)
        self.wick("run", "tiny", "x", status=1)
        self.assertIn("not pulled completely", self.err)
        self.pull(url)
        self.assertEqual(self.stored("tiny"), self.program)
        self.assertEqual(self.server.requests[-1][1]["Range"], "bytes=200000-")

    def test_abandoned(self):
        self.fails(self.put(cut=[200000]), saying="goes on")
        self.wick("rm", "tiny")
        self.assertEqual(os.listdir(self.models), [])

    def test_changed_midway(self):
        self.fails(self.put(cut=[200000]), saying="goes on")
        other = read(OTHER)
        self.pull(self.put(data=other, etag='"two"'))
        self.assertEqual(self.stored("tiny"), other)

    def test_changed_between_attempts(self):
        def change(r):
            if len(self.server.requests) == 2:
                r.data, r.etag = r.data + b"\0" * 64, '"two"'
        self.put(cut=[200000], on_request=change)
        self.wick("pull", self.server.url + "/files/m/tiny.pte", "-q")
        self.assertEqual(self.stored("tiny"), self.program + b"\0" * 64)

    def test_no_tag_no_resume(self):
        for etag in (None, 'W/"weak"', '"' + "x" * 400 + '"'):
            self.put(etag=etag, cut=[200000])
            self.wick("pull", self.server.url + "/files/m/tiny.pte", "-q", "--force")
            self.assertEqual(self.stored("tiny"), self.program)
            self.assertNotIn("Range", self.server.requests[-1][1])

    def test_no_ranges(self):
        self.wick("pull", self.put(cut=[200000], ranges=False), "-q")
        self.assertEqual(self.stored("tiny"), self.program)

    def test_wrong_range(self):
        self.put(cut=[200000], wrong_range=True)
        self.wick("pull", self.server.url + "/files/m/tiny.pte", "-q", status=1)
        self.assertIn("another part", self.err)

    def test_everything_is_there(self):
        self.fails(self.put(cut=[200000]), saying="goes on")
        with open(glob.glob(f"{self.models}/.tiny.partial/checkpoint/*.partial")[0], "wb") as f:
            f.write(self.program)
        self.pull(self.put())  # 416
        self.assertEqual(self.stored("tiny"), self.program)

    def test_chunked(self):
        self.pull(self.put(chunked=True))
        self.assertEqual(self.stored("tiny"), self.program)

    def test_too_much(self):
        self.pull(self.put(extra=b"more" * 10000))  # HTTP itself ends the body: the connection is not trusted with more
        self.server.hub("u/r", {"m.pte": Resource(self.program, chunked=True, extra=b"more")})
        self.fails("u/r", saying="sends more than")

    def test_web_page(self):
        self.fails(self.put(data=b"  <!DOCTYPE html><html>Sign in</html>"), saying="a web page")
        self.fails(self.put("/files/m/l.gguf", data=b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), saying="Git LFS pointer")

    def test_encoded(self):
        self.fails(self.put(headers=[("Content-Encoding", "gzip")]), saying="gzip")

    def test_not_there(self):
        self.fails(self.server.url + "/files/m/none.pte", saying=["nothing there", "404", "Entry not found"])
        self.no_leftovers()

    def test_no_server(self):
        self.fails("http://127.0.0.1:9/x.pte", saying="127.0.0.1")

    def test_statuses(self):
        for status, text in ((401, "HF_TOKEN"), (403, "HF_TOKEN"), (410, "nothing there"), (429, "too many requests"), (500, "500"), (418, "418")):
            self.put(failures=[status] * 3)
            self.fails(self.server.url + "/files/m/tiny.pte", saying=[text, str(status)])

    def test_server_recovers(self):
        url = self.put(failures=[503, (429, [("Retry-After", "1")])])
        started = time.monotonic()
        self.wick("pull", url, "-q")
        self.assertGreaterEqual(time.monotonic() - started, 1.5)
        self.assertEqual(len(self.server.requests), 3)

    def test_silence(self):
        self.put(stall=8)
        self.fails(self.server.url + "/files/m/tiny.pte", "--timeout", "1", saying="for 1 s")

    def test_password(self):
        self.fails("https://user:secret@127.0.0.1/x.pte", saying="password")
        self.assertNotIn("secret", self.err)

    def test_offline(self):
        url = self.put()
        self.fails(url, "--offline", saying="offline")
        self.fails(url, saying="offline", HF_HUB_OFFLINE="1")
        self.pull(url)
        n = len(self.server.requests)
        self.assertEqual(self.pull(url, "--offline"), "tiny\n")
        self.assertEqual(len(self.server.requests), n)


class Redirects(Case):
    def setUp(self):
        super().setUp()
        self.other = Server()
        self.addCleanup(self.other.close)

    def test_other_origin_gets_no_token(self):
        self.other.files["/blob"] = Resource(self.program, etag='"blob"')
        files = self.server.hub("u/r", {"m.pte": self.program})
        files["m.pte"].redirect = self.other.url + "/blob?signature=SIGNED"
        self.pull("u/r", HF_TOKEN="hf_SECRET")
        self.assertEqual(self.stored("r"), self.program)
        self.assertEqual({h.get("Authorization") for _, h in self.server.requests}, {"Bearer hf_SECRET"})
        self.assertEqual([h.get("Authorization") for _, h in self.other.requests], [None])
        for text in (self.stored("r", "wick.json").decode(), self.err, self.out):
            self.assertNotIn("SECRET", text)
            self.assertNotIn("SIGNED", text)

    def test_same_origin_keeps_it(self):
        files = self.server.hub("u/r", {"m.pte": self.program})
        self.server.files["/moved"] = Resource(self.program)
        files["m.pte"].redirect = "/moved"
        self.pull("u/r", HF_TOKEN="hf_SECRET")
        self.assertEqual(self.server.asked("/moved")[0]["Authorization"], "Bearer hf_SECRET")

    def test_url_elsewhere_gets_no_token(self):
        self.other.files["/tiny.pte"] = Resource(self.program)
        self.pull(self.other.url + "/tiny.pte", HF_TOKEN="hf_SECRET")
        self.assertEqual([h.get("Authorization") for _, h in self.other.requests], [None])

    def test_refused_token(self):
        self.server.files["/api/models/u/r/revision/main"] = Resource(status=403, headers=[("X-Error-Message", "gated \x1b[31mrepo hf_")])
        self.fails("u/r", saying=["token gives no access", "gated"], HF_TOKEN="hf_SECRET")
        self.assertNotIn("SECRET", self.err)
        self.assertNotIn("\x1b", self.err)

    def test_where_none_may_lead(self):
        for target, text in (("http://example.invalid/x", "http://example.invalid"), ("file:///etc/passwd", "file"), ("ftp://127.0.0.1/x", "ftp"),
                             ("http://user:pw@127.0.0.1/x", "user"), ("gopher://127.0.0.1:1/x", "gopher")):
            self.server.files["/tiny.pte"] = Resource(redirect=target)
            self.fails(self.server.url + "/tiny.pte", saying=text)

    def test_loop(self):
        self.server.files["/tiny.pte"] = Resource(redirect="/tiny.pte")
        self.fails(self.server.url + "/tiny.pte", saying="10 redirects")

    def test_nowhere(self):
        self.server.files["/tiny.pte"] = Resource(status=302)
        self.fails(self.server.url + "/tiny.pte", saying="nowhere")

    def test_plain_http(self):
        self.fails("http://example.invalid/x.pte", saying=["https", "--allow_http"])
        self.fails("http://example.invalid/x.pte", "--allow_http", saying="no such host")
        self.fails("ftp://example.invalid/x.pte", saying="x.pte")

    def secure(self, server):
        """From now on the server speaks TLS, with a certificate that no system trusts; returns that certificate's file."""
        if not shutil.which("openssl"):
            self.skipTest("no openssl to make a certificate with")
        key, certificate = os.path.join(self.home, "key.pem"), os.path.join(self.home, "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-days", "1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        server.url = server.url.replace("http:", "https:")
        return certificate

    def test_certificates_are_checked(self):
        certificate = self.secure(self.other)
        self.other.files["/tiny.pte"] = Resource(self.program)
        self.fails(self.other.url + "/tiny.pte", saying="certificate")
        self.assertEqual(self.other.requests, [])
        self.fails(self.other.url.replace("127.0.0.1", "localhost") + "/tiny.pte", saying="certificate", SSL_CERT_FILE=certificate)
        self.pull(self.other.url + "/tiny.pte", SSL_CERT_FILE=certificate)
        self.assertEqual(self.stored("tiny"), self.program)

    def test_token_over_tls(self):
        self.other.hub("u/r", {"m.pte": Resource(self.program, cut=[200000], etag='"m"')})
        certificate = self.secure(self.other)
        self.wick("pull", "u/r", "-q", HF_TOKEN="hf_SECRET", HF_ENDPOINT=self.other.url, CURL_CA_BUNDLE=certificate)
        self.assertEqual(self.stored("r"), self.program)
        self.assertEqual({h.get("Authorization") for _, h in self.other.requests}, {"Bearer hf_SECRET"})


class Hub(Case):
    def gguf(self, *names):
        return {name: read(CONTAINER + "/micro.gguf") for name in names}

    def test_program_with_tokenizer(self):
        self.server.hub("u/r", {"README.md": b"x", "m/model.pte": self.program, "m/tokenizer.json": b"{}", "tokenizer.model": b"no"})
        self.pull("u/r")
        self.assertEqual(self.stored("r", "tokenizer.json"), b"{}")
        self.assertEqual(sorted(os.listdir(self.models + "/r")), ["r.pte", "tokenizer.json", "wick.json"])
        self.assertEqual(self.list()["r"]["revision"], COMMIT)

    def test_spellings(self):
        self.server.hub("u/r", {"a.pte": self.program, "b.pte": self.program})
        for i, word in enumerate(("hf:u/r:a.pte", "hf.co/u/r:b.pte", "https://huggingface.co/u/r/blob/main/a.pte", self.server.url + "/u/r/resolve/main/a.pte")):
            self.pull(word, "--name", f"m{i}")
        self.assertEqual(self.list()["m2"]["source"], "u/r:a.pte")

    def test_revision(self):
        self.server.hub("u/r", {"a.pte": self.program}, commit="f" * 40, revision="refs/pr/1")
        self.pull("u/r", "--revision", "refs/pr/1")
        self.assertEqual(self.server.requests[0][0], "/api/models/u/r/revision/refs%2Fpr%2F1?blobs=true")
        self.assertEqual(self.list()["r"]["revision"], "f" * 40)

    def test_quantizations(self):
        self.server.hub("u/M-GGUF", self.gguf("M-Q2_K.gguf", "M-Q8_0.gguf", "M-Q4_0.gguf", "M-Q4_0_4_8.gguf", "mmproj-Q4_0.gguf", "x/M-F16.gguf"))
        self.assertEqual(self.pull("u/M-GGUF"), "M\n")
        self.assertTrue(self.list()["M"]["files"][0]["url"].endswith("/M-Q8_0.gguf"))
        self.assertEqual(self.pull("u/M-GGUF:q4_0"), "M-q4_0\n")
        self.assertTrue(self.list()["M-q4_0"]["files"][0]["url"].endswith("/M-Q4_0.gguf"))
        self.assertEqual(self.pull("u/M-GGUF:x/M-F16.gguf"), "M-F16\n")
        self.fails("u/M-GGUF:Q2_K", saying=["Q4_0", "M-Q2_K.gguf"])
        self.fails("u/M-GGUF:Q5_0", saying=["no such", "M-Q8_0.gguf"])
        self.fails("u/M-GGUF:../x.gguf", saying="after the ':'")

    def test_what_cannot_be_exported(self):
        self.server.hub("u/r-GGUF", {"m-Q8_0.gguf": read(CONTAINER + "/types.gguf")})
        self.fails("u/r-GGUF", saying="'wick rm r' removes it")
        self.wick("rm", "r")
        self.no_leftovers()

    def test_one_of_several(self):
        self.server.hub("u/r", {"a.pte": self.program, "b-8da4w.pte": self.program})
        self.fails("u/r", saying=["several programs", "a.pte", "b-8da4w.pte"])
        self.assertEqual(self.pull("u/r:8da4w"), "r-8da4w\n")

    def test_safetensors(self):
        files = {name: read(os.path.join(CONTAINER, "micro_hf", name)) for name in os.listdir(CONTAINER + "/micro_hf")}
        files.update({"original/consolidated.00.pth": b"x" * 5000, "pytorch_model.bin": b"x" * 5000, "consolidated.safetensors": b"x" * 5000})
        self.server.hub("u/micro", files)
        self.pull("u/micro")
        self.pull(CONTAINER + "/micro_hf", "--name", "local")
        self.assertEqual(self.stored("micro"), self.stored("local"))
        self.assertEqual(sorted(os.listdir(self.models + "/micro")), ["micro.pte", "wick.json"])
        self.assertEqual(self.server.asked(f"/u/micro/resolve/{COMMIT}/consolidated.safetensors"), [])
        self.pull("u/micro", "--name", "kept", "--keep")
        self.assertIn("config.json", os.listdir(self.models + "/kept/checkpoint"))

    def test_nothing_newer(self):
        files = self.server.hub("u/r", {"m.pte": self.program})
        self.pull("u/r")
        self.server.requests.clear()
        self.pull("u/r")
        self.assertEqual(len(self.server.requests), 1)  # the listing
        self.server.hub("u/r", {"m.pte": self.program, "README.md": b"new"}, commit="e" * 40)
        self.pull("u/r")
        self.assertEqual(len(self.server.requests), 2)  # another commit, the same file
        other = self.program + b"\0" * 64
        self.server.hub("u/r", {"m.pte": other}, commit="d" * 40)
        self.pull("u/r")
        self.assertEqual(self.stored("r"), other)

    def test_demanded_digest(self):
        self.server.hub("u/r", {"m.pte": self.program, "s.txt": b"x"})
        self.fails("u/r", "--sha256", "0" * 64, saying="0" * 64)
        self.pull("u/r", "--sha256", hashlib.sha256(self.program).hexdigest())
        self.fails("u/r", "--sha256", "0" * 64, saying="0" * 64)
        self.server.hub("u/small", {"m.pte": self.program}, large=10**9)  # a listing without digests
        self.fails("u/small", "--sha256", "0" * 64, saying="0" * 64)

    def test_kept_afterwards(self):
        self.server.hub("u/r-GGUF", self.gguf("m-Q4_0.gguf"))
        self.pull("u/r-GGUF")
        self.pull("u/r-GGUF", "--keep")
        self.assertEqual(os.listdir(self.models + "/r/checkpoint"), ["r.gguf"])
        self.server.requests.clear()
        self.pull("u/r-GGUF", "--keep")
        self.assertEqual(len(self.server.requests), 1)

    def test_other_recipe(self):
        self.server.hub("u/r-GGUF", self.gguf("m-Q4_0.gguf"))
        self.pull("u/r-GGUF")
        int4 = self.stored("r")
        self.pull("u/r-GGUF", "--set", "quantization.qmode=fp32")
        self.assertNotEqual(self.stored("r"), int4)

    def test_wrong_digest(self):
        self.server.hub("u/r", {"m.pte": self.program}, stated={"m.pte": "3" * 64})
        self.fails("u/r", saying="3" * 64)
        self.assertEqual(self.list().get("r", {"path": ""})["path"], "")

    def test_wrong_beginning(self):
        """What is here is damaged: the whole is fetched once more."""
        files = self.server.hub("u/r", {"m.pte": Resource(self.program, cut=[200000])})
        self.fails("u/r", saying="goes on")
        path = f"{self.models}/.r.partial/r.pte.partial"
        with open(path, "r+b") as f:
            f.write(b"damaged")
        self.pull("u/r")
        self.assertEqual(self.stored("r"), self.program)

    def test_wrong_size(self):
        files = self.server.hub("u/r", {"m.pte": self.program})
        files["m.pte"].data = self.program[:-1]
        self.fails("u/r", saying=[str(len(self.program)), str(len(self.program) - 1)])

    def test_disk(self):
        listing = {"sha": COMMIT, "siblings": [{"rfilename": "m.pte", "size": 10**17}]}
        self.server.files["/api/models/u/r/revision/main"] = Resource(json.dumps(listing).encode())
        self.fails("u/r", saying=["disk space", "WICK_MODELS"])

    def test_refused(self):
        self.server.files["/api/models/u/r/revision/main"] = Resource(status=401, headers=[("X-Error-Message", "Invalid username or password.")])
        self.fails("u/r", saying=["HF_TOKEN", "Invalid username"])
        self.fails("u/none", saying="nothing there")

    def test_offline(self):
        self.server.hub("u/r", {"m.pte": self.program})
        self.fails("u/r", "--offline", saying="offline")
        self.pull("u/r")
        self.pull("u/r", "--offline")

    def test_hostile_listings(self):
        for text in (b"", b"[]", b"null", b"{", b'{"sha":"main","siblings":[]}', b'{"sha":"%s"}' % COMMIT.encode(), b"[" * 100000,
                     b'{"sha":"%s","siblings":[1]}' % COMMIT.encode(), b'{"sha":"%s","siblings":[{"rfilename":"m.pte","size":-5}]}' % COMMIT.encode(),
                     b'{"sha":"../..","siblings":[{"rfilename":"m.pte"}]}', b'{"sha":"%s","siblings":[]}' % COMMIT.encode(), b"\xff\xfe" * 50,
                     b'{"sha":"%s","siblings":[{"rfilename":"a\\u0000m.pte"}]}' % COMMIT.encode()):
            self.server.files["/api/models/u/r/revision/main"] = Resource(text)
            self.fails("u/r", saying="u/r")
        self.no_leftovers()

    def test_hostile_file_names(self):
        names = ["../../m.pte", "/etc/m.pte", "a\\m.pte", "a\nb.pte", "..", "", "a//m.pte", "\u0001m.pte"]
        listing = {"sha": COMMIT, "siblings": [{"rfilename": n, "size": 5} for n in names]}
        self.server.files["/api/models/u/r/revision/main"] = Resource(json.dumps(listing).encode())
        self.fails("u/r", saying="neither a .pte")
        for name in ("model-\u202egnp.safetensors", "model 1.safetensors", "model$(x).safetensors"):
            listing["siblings"] = [{"rfilename": name, "size": 5}]
            self.server.files["/api/models/u/r/revision/main"] = Resource(json.dumps(listing).encode())
            self.fails("u/r", saying="characters")

    def test_strange_path_is_escaped(self):
        self.server.hub("u/r", {"dir #1/ä %41?.pte": self.program})
        self.pull("u/r")
        self.assertIn("/dir%20%231/%C3%A4%20%2541%3F.pte", self.server.requests[-1][0])


class Accidents(Case):
    def slow(self, **options):
        return self.put(pace=0.05, **options)

    def begun(self):
        return self.partial_size("tiny") > 50000

    def test_killed(self):
        url = self.slow()
        p = self.start(url)
        self.wait_for(self.begun)
        p.kill()
        p.communicate()
        had = self.partial_size("tiny")
        self.server.files["/files/m/tiny.pte"].pace = None
        self.pull(url)
        self.assertEqual(self.server.requests[-1][1]["Range"], f"bytes={had}-")
        self.assertEqual(self.stored("tiny"), self.program)
        self.no_leftovers()

    def test_killed_anywhere(self):
        """A model is there as a whole or not at all, whenever the process dies."""
        self.pull(PROGRAM, "--name", "tiny")
        self.put(data=self.program + b"\0" * 64)
        for i in range(12):
            p = self.start(self.server.url + "/files/m/tiny.pte", "--force", "-q")
            time.sleep(0.004 * i)
            p.kill()
            p.communicate()
            self.assertIn(self.stored("tiny"), (self.program, self.program + b"\0" * 64))
        self.pull(self.server.url + "/files/m/tiny.pte", "--force")
        self.assertEqual(self.stored("tiny"), self.program + b"\0" * 64)

    def test_interrupted(self):
        url = self.slow()
        p = self.start(url)
        self.wait_for(self.begun)
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=20)[1].decode()
        self.assertEqual(p.returncode, 130)
        self.assertIn("goes on where it stopped", err)

    def test_interrupted_while_waiting(self):
        p = self.start(self.put(failures=[(503, [("Retry-After", "50")])] * 9))
        self.wait_for(lambda: self.server.requests)
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)
        self.assertEqual(p.returncode, 130)

    def test_two_at_once(self):
        url = self.slow()
        p = self.start(url)
        self.wait_for(self.begun)
        self.fails(url, saying="another process")
        self.assertEqual(p.wait(timeout=60), 0, p.communicate())
        p.communicate()
        self.assertEqual(self.stored("tiny"), self.program)

    def test_many_at_once(self):
        url = self.put()
        running = [self.start(url, "-q") for _ in range(8)]
        for p in running:
            err = p.communicate(timeout=60)[1].decode()
            self.assertTrue(p.returncode == 0 or "another process" in err, err)
        self.assertEqual(self.stored("tiny"), self.program)
        self.no_leftovers()

    def test_full_disk(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))
        url = self.put()
        p = self.start(url, "-q", preexec_fn=limit)
        err = p.communicate(timeout=60)[1].decode()
        self.assertEqual(p.returncode, 1)
        self.assertIn("cannot write", err)
        self.assertIn("goes on where it stopped", err)
        self.pull(url)
        self.assertEqual(self.server.requests[-1][1]["Range"], "bytes=200000-")
        self.assertEqual(self.stored("tiny"), self.program)

    def test_folder_that_cannot_be_made(self):
        with open(self.models, "w") as f:
            f.write("a file")
        self.fails(PROGRAM, saying=self.models)

    def test_progress_on_a_terminal(self):
        main, other = pty.openpty()
        p = subprocess.Popen([WICK, "pull", self.slow()], env=self.environment, stdout=subprocess.PIPE, stderr=other, cwd=self.home)
        os.close(other)
        text = b""
        while True:
            try:
                piece = os.read(main, 4096)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.close(main)
        p.communicate(timeout=60)
        self.assertRegex(text.decode(), r"tiny \[#+\.+\] +\d+ %  0\.\d of 0\.6 MB, \d\.\d MB/s  \d s left")

    def test_lines_in_a_log(self):
        p = self.start(self.put(pace=0.07))
        err = p.communicate(timeout=60)[1].decode()
        self.assertRegex(err, r"tiny: \d0 %\n")
        self.assertNotIn("\r", err)


if __name__ == "__main__":
    for output, mode in ((PROGRAM, "8da4w"), (OTHER, "fp32")):
        subprocess.run([WICK, "export", STORIES, "-o", output, "--qmode", mode, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    try:
        unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=1)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
