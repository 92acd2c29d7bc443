"""A local server that speaks the Hugging Face hub's protocol for single files, and can misbehave on request.

It answers what `hf_hub_download` asks: HEAD and GET of `/<repo>/resolve/<revision>/<path>`. Large files are served as
the hub does it: the HEAD answer carries `X-Linked-Etag` (the sha256) and redirects to another address for the content.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "a" * 40

#: Files from this many bytes on are "LFS" files, served from the redirect's address.
LARGE = 1000


@dataclass
class Fault:
    """What goes wrong with requests whose method and path fit, `times` times (-1 = always)."""

    method: str = "GET"
    path: str = ""  #: end of the path
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  #: bytes of the body that are sent before the connection is closed
    corrupt: bool = False  #: the right number of bytes, but others
    ignore_range: bool = False  #: the whole file, though a part was asked for
    stall: bool = False  #: no answer until the server is closed
    slow: float = 0.0  #: seconds between two parts of the body


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    authorization: str | None
    user_agent: str


class FakeHub:
    """Repositories, what was asked for, and what is to go wrong."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.revisions: dict[str, str] = {"main": COMMIT, COMMIT: COMMIT}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.accepted: set[str] = set()  #: tokens of those who accepted the terms of gated repositories
        self.closing = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    def add(self, repo: str, files: dict[str, bytes], *, revision: str | None = None) -> None:
        self.repos[repo] = files
        if revision is not None:
            self.revisions[revision] = revision

    def fail(self, **fault: Any) -> None:
        self.faults.append(Fault(**fault))

    def asked(self, method: str, end: str = "") -> list[Request]:
        return [request for request in self.requests if request.method == method and request.path.endswith(end)]

    def note(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times and fault.method == request.method and request.path.endswith(fault.path):
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """A hub that listens on a free port of this machine."""
    hub = FakeHub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing on stderr."""

    def do_HEAD(self) -> None:
        self._answer(self._head)

    def do_GET(self) -> None:
        self._answer(self._get)

    def _answer(self, serve: Callable[[str, str, bytes, Fault | None], None]) -> None:
        headers = self.headers
        request = Request(
            self.command,
            self.path,
            headers.get("Range"),
            headers.get("Authorization"),
            headers.get("User-Agent", ""),
        )
        fault = self.hub.note(request)
        if fault is not None and fault.stall:
            self.hub.closing.wait(30)
            self.close_connection = True
            return
        if fault is not None and fault.status is not None:
            self._plain(fault.status, fault.headers)
            return
        path = self.path.removeprefix("/cdn")
        repo, _, rest = path.strip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        if repo not in self.hub.repos or (repo in self.hub.private and not headers.get("Authorization")):
            self._plain(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif repo in self.hub.gated and not self._may_read() and not self.path.startswith("/cdn"):
            status = 403 if headers.get("Authorization") else 401
            self._plain(status, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model is restricted"})
        elif revision not in self.hub.revisions:
            self._plain(404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        elif name not in self.hub.repos[repo]:
            commit = self.hub.revisions[revision]
            self._plain(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        else:
            serve(self.hub.revisions[revision], path, self.hub.repos[repo][name], fault)

    def _may_read(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.hub.accepted

    def _plain(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head(self, commit: str, path: str, data: bytes, fault: Fault | None) -> None:
        large = len(data) >= LARGE
        self.send_response(302 if large else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        if large:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(data)))
            # Another host, as the hub's CDN is: the client must not send its token there.
            self.send_header("Location", f"{self.hub.url.replace('127.0.0.1', 'localhost')}/cdn{path}")
            self.send_header("Content-Length", "0")
        else:
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()

    def _get(self, commit: str, path: str, data: bytes, fault: Fault | None) -> None:
        fault = fault or Fault()
        start = 0
        wanted = self.headers.get("Range")
        if wanted and not fault.ignore_range:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if start >= len(data) > 0:
            self._plain(416, {})
            return
        body = bytes(len(data)) if fault.corrupt else data
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        end = len(data) if fault.cut_after is None else min(len(data), start + fault.cut_after)
        step = max(1, len(data) // 20) if fault.slow else len(data)
        try:
            for at in range(start, end, step):
                self.wfile.write(body[at : min(at + step, end)])
                self.wfile.flush()
                if fault.slow and self.hub.closing.wait(fault.slow):
                    break
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if fault.cut_after is not None:
            self.close_connection = True
