"""pull_server.py: a web server on this machine that behaves as it is told, well or badly.

server.files[PATH] is a Resource. Every request is kept in server.requests as (path, headers). A hub (Hugging Face's API as far as
`wick pull` uses it) is made of such resources by Server.hub."""
import hashlib, http.server, json, threading, time
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Resource:
    def __init__(self, data=b"", etag=None, status=200, headers=(), redirect=None, ranges=True, cut=None, chunked=False, pace=None,
                 stall=None, failures=(), on_request=None, extra=b"", wrong_range=False):
        self.data, self.etag, self.status, self.headers, self.redirect, self.ranges = data, etag, status, list(headers), redirect, ranges
        self.cut = cut                  # connections end after so many bytes of a body (a list: one entry for each request)
        self.chunked = chunked          # no Content-Length
        self.pace = pace                # seconds after each 16 kB
        self.stall = stall              # seconds of silence before the answer
        self.failures = list(failures)  # statuses of the first answers, or (status, headers)
        self.on_request = on_request    # called with the resource before it answers
        self.extra = extra              # bytes after the end
        self.wrong_range = wrong_range  # a 206 of another part than was asked for

    @property
    def sha256(self):
        return hashlib.sha256(self.data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server.owner
        server.requests.append((self.path, dict(self.headers)))
        r = server.files.get(unquote(self.path.split("?")[0]))
        if r is None:
            return self.plain(404, [("X-Error-Message", "Entry not found")])
        if r.on_request:
            r.on_request(r)
        if r.stall:
            time.sleep(r.stall)
        if r.failures:
            failure = r.failures.pop(0)
            return self.plain(*(failure if isinstance(failure, tuple) else (failure, [])))
        if r.redirect:
            return self.plain(302, [("Location", r.redirect)] + r.headers)
        if r.status != 200:
            return self.plain(r.status, r.headers)
        self.body(r)

    def plain(self, status, headers):
        text = b"<html>complaint</html>"
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if status != 304:
            self.wfile.write(text)

    def body(self, r):
        first, asked = 0, self.headers.get("Range")
        if r.etag and self.headers.get("If-None-Match") == r.etag:
            return self.plain(304, [("ETag", r.etag)])
        if r.ranges and asked and self.headers.get("If-Range", r.etag) == r.etag:
            first = int(asked.split("=")[1].rstrip("-"))
            if first >= len(r.data):
                return self.plain(416, [("Content-Range", f"bytes */{len(r.data)}")])
        data = r.data[first:] + r.extra
        self.send_response(206 if first else 200)
        if first:
            at = first + 1 if r.wrong_range else first
            self.send_header("Content-Range", f"bytes {at}-{len(r.data) - 1}/{len(r.data)}")
        if r.etag:
            self.send_header("ETag", r.etag)
        for name, value in r.headers:
            self.send_header(name, value)
        if r.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.write(r, data)

    def write(self, r, data):
        limit = r.cut.pop(0) if isinstance(r.cut, list) and r.cut else r.cut if isinstance(r.cut, int) else len(data)
        limit = len(data) if limit is None else limit
        try:
            for at in range(0, min(limit, len(data)), 16384):
                piece = data[at:min(at + 16384, limit)]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if r.chunked else piece)
                if r.pace:
                    time.sleep(r.pace)
            if r.chunked and limit >= len(data):
                self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        if limit < len(data):
            self.close_connection = True


class Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Clients that hang up are what is tested."""


class Server:
    def __init__(self):
        self.files, self.requests = {}, []
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.owner = self
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def asked(self, path):
        """The headers of all requests for a path."""
        return [headers for asked, headers in self.requests if asked.split("?")[0] == path]

    def hub(self, repository, files, commit=COMMIT, revision="main", stated=None, large=1000):
        """Puts a repository up; files: path -> bytes or Resource; `stated`: path -> digest that the listing states."""
        siblings = []
        for path, content in files.items():
            r = content if isinstance(content, Resource) else Resource(content)
            entry = {"rfilename": path, "size": len(r.data), "blobId": "0" * 40}
            if len(r.data) >= large:
                entry["lfs"] = {"sha256": (stated or {}).get(path, r.sha256), "size": len(r.data), "pointerSize": 130}
            siblings.append(entry)
            self.files[f"/{repository}/resolve/{commit}/{path}"] = r
        listing = {"id": repository, "sha": commit, "siblings": siblings}
        self.files[f"/api/models/{repository}/revision/{revision}"] = Resource(json.dumps(listing).encode())
        return {path: self.files[f"/{repository}/resolve/{commit}/{path}"] for path in files}
