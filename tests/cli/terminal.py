"""terminal.py: a program in a pseudo-terminal, as somebody at a keyboard meets it."""
import codecs, os, pty, re, select, signal, termios, time


class Terminal:
    def __init__(self, command, environment):
        self.seen, self.status = "", None
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end within a character
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)

    def expect(self, pattern, timeout=200):
        """Waits for the pattern; returns what came before it."""
        end = time.monotonic() + timeout
        while True:
            m = re.search(pattern, self.seen, re.S)
            if m:
                before, self.seen = self.seen[:m.start()], self.seen[m.end():]
                return before
            if time.monotonic() > end or not self.read(end - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.seen[-500:]!r}")

    def read(self, timeout):
        ready, _, _ = select.select([self.fd], [], [], max(timeout, 0))
        try:
            data = os.read(self.fd, 65536) if ready else b""
        except OSError:
            data = b""
        self.seen += self.decoder.decode(data).replace("\r", "")
        return bool(data)

    def send(self, text, at_prompt=True):
        """Types. At a prompt that has just come the line editor may not have taken the terminal over yet: what is typed before is echoed twice."""
        end = time.monotonic() + 200
        while at_prompt and termios.tcgetattr(self.fd)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise AssertionError(f"nobody edits a line after {self.seen[-500:]!r}")
            time.sleep(0.001)
        os.write(self.fd, text.encode())

    def say(self, text):
        """A line, and what is printed until the next prompt."""
        self.send(text + "\r")
        return self.expect(r"\n>>> ")

    def wait(self):
        end = time.monotonic() + 200
        while self.status is None:
            if time.monotonic() > end:
                raise AssertionError(f"still running after {self.seen[-500:]!r}")
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def close(self):
        if self.status is None:
            self.kill()
        os.close(self.fd)
