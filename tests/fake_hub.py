"""A hub on this machine: serves folders by as much of the hub's HTTP interface as fetching needs, and fails when told to.

As the real one does, it answers for a large file (FAR_SUFFIXES) with a redirect to another host, which has the bytes.
"""

import hashlib
import json
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

REPOSITORY = r"/(models|datasets)/([\w.-]+/[\w.-]+)"
API = re.compile(rf"/api{REPOSITORY}/(revision|tree|paths-info)/([^/]+)/?(.*)")
FILE = re.compile(r"/(datasets/)?([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)")
FAR_FILE = re.compile(rf"/far{REPOSITORY}/resolve/([^/]+)/(.+)")
FAR_SUFFIXES = (".safetensors", ".parquet")
COMMIT = re.compile(r"[0-9a-f]{40}")
PATIENCE = 60  # seconds that a stalled answer waits for its client to leave, at most
TRY_AGAIN = {"RateLimit": '"api";r=0;t=0'}  # as the hub says when a client may ask again: in 0 seconds


@dataclass
class Fault:
    """What befalls the first `times` answers to paths that match `where`, which is about the part that bears the bytes.

    kind: a status to answer with; or, after half of the bytes, "cut" breaks off and "stall" sends nothing more; "portal"
    answers, as a network that wants a login does, with a page.
    """

    kind: int | str
    where: str = "/revision/"
    times: float = 1

    def strikes(self, path: str) -> bool:
        if not self.times or not re.search(self.where, path):
            return False
        self.times -= 1
        return True


@dataclass
class Asked:
    """What the hub was asked: (method, path, first byte) of each request, in their order, the far host's among them."""

    requests: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    def starts(self, name: str) -> list[int]:
        """The first byte that each request for the bytes of a far file asked for."""
        far = [request for request in self.requests if request[0] == "GET" and request[1].startswith("/far/")]
        return [start for _, path, start in far if path.endswith(name)]


def commit_of(folder: Path) -> str:
    """The commit that a repository's folder stands for."""
    return hashlib.sha1("/".join(folder.parts[-3:]).encode()).hexdigest()


@contextmanager
def serving(root: Path, *faults: Fault):
    """Its address, and what is asked of it; root/models/ORG/NAME and root/datasets/ORG/NAME hold the repositories.

    ORG/NAME is at every branch, but for that of ORG/NAME@BRANCH, with BRANCH as in an address. Where there is an
    ORG/NAME@moved, all branches have moved to it from the second time on that one is asked for.
    """
    asked = Asked()
    moved: set[Path] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            self.answer()

        def do_HEAD(self):
            self.answer()

        def do_POST(self):
            self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def answer(self, body=""):
            quoted = urlsplit(self.path).path
            path = unquote(quoted)
            self.range = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            asked.requests.append((self.command, path, int(self.range[1]) if self.range else 0))
            self.fault = next((fault.kind for fault in faults if fault.strikes(path)), None)
            if isinstance(self.fault, int):
                self.send(self.fault, b"", TRY_AGAIN if self.fault == 429 else {})
            elif self.fault == "portal":
                self.send(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
            elif match := API.fullmatch(quoted):
                folder = folder_at(root / match[1] / match[2], unquote(match[4]), asks=match[3] == "revision")
                self.answer_api(folder, unquote(match[4]), match[3], unquote(match[5]), body)
            elif match := FAR_FILE.fullmatch(quoted):
                self.send(200, (folder_at(root / match[1] / match[2], unquote(match[3])) / unquote(match[4])).read_bytes())
            elif match := FILE.fullmatch(quoted):
                kind = "datasets" if match[1] else "models"
                folder = folder_at(root / kind / match[2], unquote(match[3]))
                self.answer_file(folder, unquote(match[4]), f"/far/{kind}/{match[2]}/resolve/{commit_of(folder)}/{match[4]}")
            else:
                self.send(404, b"")

        def answer_file(self, folder, name, far):
            file = folder / name
            if not file.is_file():
                return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
            tag, commit = f'"{commit_of(folder)}-{quote(name)}"', {"X-Repo-Commit": commit_of(folder)}
            if file.suffix not in FAR_SUFFIXES:
                return self.send(200, file.read_bytes(), {"ETag": tag} | commit)
            size = {"X-Linked-Size": str(file.stat().st_size), "X-Linked-ETag": tag}
            host = f"http://localhost:{server.server_port}"  # another one than 127.0.0.1
            return self.send(302, b"", {"Location": host + far} | size | commit)

        def answer_api(self, folder, revision, what, below, body):
            if not folder.is_dir():
                return self.send(404, b"", {"X-Error-Code": "RepoNotFound"})
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            names = [path.relative_to(folder).as_posix() for path in files]
            if what == "revision":
                siblings = [{"rfilename": name} for name in names]
                name = "/".join(folder.parts[-2:]).split("@")[0]
                commit = revision if COMMIT.fullmatch(revision) else commit_of(folder)
                return self.send_json({"id": name, "sha": commit, "siblings": siblings})
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
            whole = len(content)
            if self.range and status == 200:
                start, stop = int(self.range[1]), min(int(self.range[2] or whole - 1), whole - 1)
                content, status = content[start : stop + 1], 206
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{stop}/{whole}")
            for name, value in {"Accept-Ranges": "bytes", **dict(headers)}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if self.fault in ("cut", "stall"):
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                if self.fault == "stall":
                    self.wait_until_it_has_left()
                self.connection.close()
                self.close_connection = True
            else:
                self.wfile.write(content)

        def wait_until_it_has_left(self):
            self.connection.settimeout(PATIENCE)
            with suppress(TimeoutError):
                self.connection.recv(1)

    def folder_at(folder, revision, asks=False):
        """The folder of a repository at a branch or a commit; `asks`: the branch is asked for, and moves afterwards."""
        here = [folder, *folder.parent.glob(f"{folder.name}@*")]
        if COMMIT.fullmatch(revision):
            return next((one for one in here if commit_of(one) == revision), folder)
        own, other = (folder.with_name(f"{folder.name}@{name}") for name in (quote(revision, safe=""), "moved"))
        now = own if own.is_dir() else other if folder in moved else folder
        if asks and other.is_dir():
            moved.add(folder)
        return now

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
