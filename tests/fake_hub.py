"""A hub on this machine: serves folders by as much of the hub's HTTP interface as fetching needs, and fails when told to."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"
API = re.compile(r"/api/(models|datasets)/([\w.-]+/[\w.-]+)/(revision|tree|paths-info)/([^/]+)/?(.*)")
FILE = re.compile(r"/(datasets/)?([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)")


@contextmanager
def serving(root, failures=0, cut=()):
    """Its address, and the paths asked for; root/models/ORG/NAME and root/datasets/ORG/NAME hold the repositories.

    failures: so many questions about a repository are answered with 503 first. cut: names of files whose sending breaks off
    half-way, each time.
    """
    asked, left = [], [failures]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            self.answer()

        def do_HEAD(self):
            self.answer()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self.answer(body)

        def answer(self, body=""):
            path = unquote(urlsplit(self.path).path)
            asked.append(path)
            if match := API.fullmatch(path):
                if left[0]:
                    left[0] -= 1
                    self.send(503, b"")
                else:
                    self.answer_api(root / match[1] / match[2], match[3], match[5], body)
            elif match := FILE.fullmatch(path):
                file = root / ("datasets" if match[1] else "models") / match[2] / match[4]
                if file.is_file():
                    self.send(200, file.read_bytes(), {"ETag": f'"{file.name}-{file.stat().st_size}"'})
                else:
                    self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
            else:
                self.send(404, b"")

        def answer_api(self, folder, what, below, body):
            if not folder.is_dir():
                return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            names = [path.relative_to(folder).as_posix() for path in files]
            if what == "revision":
                siblings = [{"rfilename": name} for name in names]
                return self.send_json({"id": "/".join(folder.parts[-2:]), "sha": COMMIT, "siblings": siblings})
            infos = {}
            for path, name in zip(files, names, strict=True):
                infos[name] = {"type": "file", "path": name, "size": path.stat().st_size, "oid": "0" * 40}
                for parent in list(path.relative_to(folder).parents)[:-1]:
                    infos[parent.as_posix()] = {"type": "directory", "path": parent.as_posix(), "size": 0, "oid": "0" * 40}
            if what == "paths-info":
                asked_for = json.loads(body)["paths"] if body.startswith("{") else re.findall(r"paths=([^&]+)", body)
                return self.send_json([infos[unquote(name)] for name in asked_for if unquote(name) in infos])
            recursive = "recursive=true" in self.path.lower()
            inside = {name: name[len(below) :].strip("/") for name in infos if name.startswith(below)}
            return self.send_json([infos[name] for name, rest in inside.items() if recursive or "/" not in rest])

        def send_json(self, value):
            self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def send(self, status, content, headers=()):
            asked_range = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            whole = len(content)
            if asked_range and status == 200:
                start, stop = int(asked_range[1]), min(int(asked_range[2] or whole - 1), whole - 1)
                content, status = content[start : stop + 1], 206
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{stop}/{whole}")
            for name, value in {"X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes", **dict(headers)}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if self.path.rsplit("/", 1)[-1] in cut:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                self.connection.close()
                self.close_connection = True
            else:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
